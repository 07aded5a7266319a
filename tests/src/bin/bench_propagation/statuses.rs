//! Follows the statuses of the records.

use crate::changes::Done;
use crate::objects::{self, Act};
use crate::{Moment, PATIENCE, now};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use port53_client::watch::{Follower, Told, What};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::channel;

/// When each generation of each record was seen to be Ready first.
type Seen = HashMap<String, Vec<(i64, Moment)>>;

#[derive(Clone, Default)]
pub(crate) struct Statuses(Arc<Mutex<Seen>>);

pub(crate) fn follow(client: Client) -> Statuses {
    let statuses = Statuses::default();
    let (messages, mut told) = channel(1024);
    let api = Api::namespaced_with(client, objects::NAMESPACE, &objects::record_resource());
    let follower = Follower::new(api, (), messages);
    tokio::spawn(follower.run());
    let this = statuses.clone();
    tokio::spawn(async move {
        while let Some(Told { what, .. }) = told.recv().await {
            if let What::Object(object) = what
                && let Some(generation) = ready(&object)
            {
                this.note(&object.name_any(), generation);
            }
        }
    });
    statuses
}

impl Statuses {
    fn note(&self, name: &str, generation: i64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.entry(name.to_owned()).or_default();
        if seen.iter().all(|(before, _)| *before != generation) {
            seen.push((generation, now()));
        }
    }

    /// When a generation of a record was seen to be Ready.
    pub(crate) fn ready_at(&self, name: &str, generation: i64) -> Option<Moment> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(name)?.iter().find(|(of, _)| *of == generation).map(|(_, at)| *at)
    }

    /// Waits until so many records are Ready.
    pub(crate) async fn wait_for(&self, count: usize) -> Result<(), String> {
        let mut until = Instant::now() + PATIENCE;
        let mut last = 0;
        loop {
            let ready = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
            if ready >= count {
                return Ok(());
            }
            if ready > last {
                (last, until) = (ready, Instant::now() + PATIENCE);
            }
            if Instant::now() > until {
                return Err(format!("{ready} of {count} records are Ready, and no more come"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until every change has its status, for a while.
    pub(crate) async fn settle(&self, changes: &[Done]) {
        let until = Instant::now() + PATIENCE / 4;
        let is_told = |done: &Done| {
            // The status of a generation may come after that of the next, and then not at all.
            done.change.act == Act::Delete
                || self.ready_at(&done.change.record.name(), done.generation).is_some()
        };
        while Instant::now() < until && !changes.iter().all(is_told) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The generation of an object that is Ready as it is written.
fn ready(object: &DynamicObject) -> Option<i64> {
    let generation = object.metadata.generation?;
    let conditions = object.data["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    (ready["status"] == "True" && ready["observedGeneration"] == generation).then_some(generation)
}
