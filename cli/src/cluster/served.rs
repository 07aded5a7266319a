//! Waiting for a zone: until what its head says is answered by every nameserver, and its Zone says so.

use std::time::Duration;

use kube::ResourceExt;
use port53_crds::{ConditionType, Zone, find_condition};
use port53_store::Head;
use port53_zone::{Name, serial};
use tokio::time::Instant;

use super::Cluster;
use super::verdict::Verdict;
use super::wait::{Place, Seen};
use super::zones::namespaced;

/// How a wait ended.
pub(crate) enum Waited {
    /// As was hoped; the Zone as it is then.
    Done(Box<Zone>),
    /// It cannot come to it any more, and why.
    Failed(String),
    /// Not in time; what the Zone said last.
    Late(String),
}

/// How far something is that is waited for.
pub(crate) enum Progress {
    Done,
    NotYet,
    Failed(String),
}

impl Cluster {
    /// Follows a Zone from the version that it has until `look` says how it ended. `look` sees the Zone and what
    /// is published at each change of the Zone: the operator writes its status after each publication.
    ///
    /// # Errors
    /// When the head cannot be read.
    pub(crate) async fn wait_for_zone(
        &self,
        apex: &Name,
        zone: Zone,
        patience: Duration,
        mut look: impl FnMut(&Zone, Option<&Head>) -> Progress,
    ) -> Result<Waited, String> {
        let until = Instant::now() + patience;
        let (namespace, name) = namespaced(&zone);
        let (place, name) =
            (Place { kind: "Zone".to_owned(), namespace: namespace.to_owned() }, name.to_owned());
        let mut following = self.follow([(place, zone.resource_version().unwrap_or_default())]);
        let mut zone = zone;
        loop {
            let head = self.head_patiently(apex).await?;
            match look(&zone, head.as_ref()) {
                Progress::Done => return Ok(Waited::Done(Box::new(zone))),
                Progress::Failed(why) => return Ok(Waited::Failed(why)),
                Progress::NotYet => {}
            }
            zone = loop {
                match following.next(until).await {
                    None => {
                        let said = Verdict::of_zone(&zone).why().to_string();
                        let lost = following.lost().map(|why| format!("; it cannot be followed: {why}"));
                        return Ok(Waited::Late(said + &lost.unwrap_or_default()));
                    }
                    Some(Seen::Object(_, object)) if object.name_any() == name => match object.try_parse() {
                        Ok(zone) => break zone,
                        Err(error) => return Err(format!("the Zone cannot be read: {error}")),
                    },
                    Some(Seen::Gone(_, gone)) if gone == name => return Ok(Waited::Failed(deleted())),
                    Some(Seen::All(_, names)) if !names.contains(&name) => {
                        return Ok(Waited::Failed(deleted()));
                    }
                    Some(_) => {}
                }
            };
        }
    }
}

fn deleted() -> String {
    "the Zone was deleted meanwhile".to_owned()
}

/// Whether a Zone says that every nameserver answers what the head says. One that is refused is not Ready for that,
/// and is answered all the same.
pub(crate) fn is_served(zone: &Zone, head: &Head) -> bool {
    let Some(status) = &zone.status else { return false };
    let is_told = status.serial.is_some_and(|told| !serial::is_newer(head.soa.serial, told));
    let accepted = find_condition(&status.conditions, ConditionType::Accepted);
    let is_refused = accepted.is_some_and(|accepted| accepted.status == "False");
    let serving = status.serving.as_deref().and_then(|serving| serving.split_once('/'));
    let is_answered = serving.is_some_and(|(answering, asked)| answering == asked && asked != "0");
    is_told && (Verdict::of_zone(zone).is_ready() || (is_refused && is_answered))
}
