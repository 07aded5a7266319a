//! Slices of a namespace, fetched with patience.

use crate::fetch::{self, FetchError};
use crate::{explain, is_passing, jittered};
use kube::{Api, Client, Error};
use port53_crds::ZoneSlice;
use port53_store::Checkpoint;
use port53_zone::Name;
use port53_zone::content::{Content, Digest, Slice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Slices that are fetched at once, over all zones.
const FETCHES: usize = 16;
/// How long a slice may take, unless somebody says otherwise.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a slice is asked for before it is given up for now.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// Why a slice is not had.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SliceError {
    /// It is not there, or is not what its name says: asking again does not help.
    #[error("{0}")]
    Lost(String),
    /// The API server cannot be asked, or does not allow it.
    #[error("{0}")]
    Unreachable(String),
}

/// Fetches slices. Clones share what is on its way at once.
#[derive(Clone)]
pub struct Slices {
    api: Api<ZoneSlice>,
    room: Arc<Semaphore>,
    fetched: Arc<AtomicU64>,
    patience: Duration,
}

impl Slices {
    /// Those of a namespace. `fetched` counts them.
    pub fn new(client: Client, namespace: &str, fetched: Arc<AtomicU64>) -> Self {
        let api = Api::namespaced(client, namespace);
        Slices { api, room: Arc::new(Semaphore::new(FETCHES)), fetched, patience: PATIENCE }
    }

    /// For who says how long a slice may take.
    #[must_use]
    pub fn within(self, patience: Option<Duration>) -> Self {
        Slices { patience: patience.unwrap_or(self.patience), ..self }
    }

    /// The content of a checkpoint, with who owns what. `known` has the slices of an earlier one: these are not
    /// fetched.
    ///
    /// # Errors
    /// With the name of the first slice that is not had, or when they are another content.
    pub async fn content(
        &self,
        apex: Name,
        checkpoint: Checkpoint,
        known: Option<Content>,
    ) -> Result<Content, FetchError> {
        let runtime = tokio::runtime::Handle::current();
        let slices = self.clone();
        let work = move || {
            fetch::checkpoint(&runtime, &apex, &checkpoint, known.as_ref(), |digest| {
                let slices = slices.clone();
                async move { slices.get(digest).await }
            })
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|gone| Err(FetchError::Bug(gone.to_string())))
    }

    /// The slice with this name, checked against it.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn get(&self, digest: Digest) -> Result<Slice, SliceError> {
        let _place = self.room.acquire().await;
        let name = digest.to_string();
        let mut attempt = 1;
        loop {
            let answer = tokio::time::timeout(self.patience, self.api.get(&name)).await;
            let why = match answer {
                Ok(Ok(object)) => {
                    self.fetched.fetch_add(1, Ordering::Relaxed);
                    let read = port53_store::read_slice(&object);
                    return read.map(|(_, slice)| slice).map_err(|error| SliceError::Lost(error.to_string()));
                }
                Ok(Err(Error::Api(status))) if status.code == 404 => {
                    return Err(SliceError::Lost(format!("the API server says {}", status.message)));
                }
                // What the API server says for sure is not asked again at once.
                Ok(Err(error @ Error::Api(_))) if !is_passing(&error) => {
                    return Err(SliceError::Unreachable(explain(&error)));
                }
                Ok(Err(error)) => explain(&error),
                Err(_) => "the API server does not answer".to_owned(),
            };
            if attempt == ATTEMPTS {
                return Err(SliceError::Unreachable(why));
            }
            tokio::time::sleep(jittered(PAUSE * attempt)).await;
            attempt += 1;
        }
    }
}
