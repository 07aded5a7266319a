//! The source of a nameserver pod: the ZoneHeads and ZoneSlices of one namespace, and nothing else.
//!
//! ```text
//! API server ──list, watch──▶ watch ──heads──▶ heads ──decide──▶ Publisher ──one swap──▶ answers
//!      ▲                                         │ ▲
//!      └──────── get of slices, a few ───────── fetch, for checkpoints that are not here
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `watch` | lists and watches; when to list again |
//! | `heads` | what is known of each zone; acts on heads |
//! | `decide` | what a head means for what is held. Pure |
//! | `fetch` | a checkpoint out of its slices |
//! | `client` | the client, and its errors in words |
//!
//! Whatever the API server does, what is served stays: that it is gone, says 403, lists nothing or fewer, or
//! goes back in time takes nothing out of service. A zone goes only by a head that says Withdrawn. A head that
//! cannot be followed (a digest, a serial, a slice) is said once, counted, and harms no other zone; a zone that
//! has nothing to serve meanwhile is SERVFAIL alone.

mod client;
mod decide;
mod fetch;
mod heads;
mod watch;

pub use client::{client, is_configured};

use crate::source::{Publisher, SourceState};
use client::{connect, explain};
use heads::Zones;
use kube::Error;
use kube::api::{Api, ApiResource};
use port53_crds::{ZoneHead, ZoneSlice};
use port53_zone::content::{Digest, Slice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use watch::{Follower, Place};

/// Heads on their way from the watch to the zones.
const QUEUE: usize = 16;
/// Slices that are fetched at once, over all zones.
const FETCHES: usize = 16;
/// How long a slice may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often a slice is asked for before the checkpoint is given up for now.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked for a cluster that cannot be found.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What is followed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The namespace. That of the pod, or of the kubeconfig's context, when left out.
    pub namespace: Option<String>,
    /// Whether the list of heads is asked for as a stream, which is lighter for an API server that does so.
    pub streaming_list: bool,
}

/// How the source is doing, for metrics.
#[derive(Debug, Default)]
pub struct KubernetesStatus {
    /// Lists begun.
    pub lists: Arc<AtomicU64>,
    /// Heads that were not followed.
    pub refused: AtomicU64,
    /// Zones whose newest head is not what is served.
    pub behind: AtomicU64,
    /// Checkpoints begun to be read.
    pub assemblies: AtomicU64,
    /// Checkpoints that could not be read.
    pub assembly_failures: AtomicU64,
    /// Slices fetched.
    pub slices: Arc<AtomicU64>,
}

/// Follows `source` in the cluster that this process was told of, for ever. While none can be found (a
/// kubeconfig or token that cannot be read), what was loaded from disk is served.
pub async fn run(source: Source, publisher: Publisher, status: Arc<KubernetesStatus>) {
    let (client, namespace) = loop {
        match connect().await {
            Ok(found) => break found,
            Err(why) => {
                tracing::error!("{why}; what is served stays, and it is looked for again");
                publisher.source_is(SourceState::Lost(why));
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    };
    let namespace = source.namespace.unwrap_or(namespace);
    let (messages, received) = mpsc::channel(QUEUE);
    let resource = ApiResource::erase::<ZoneHead>(&());
    let follower = Follower {
        api: Api::namespaced_with(client.clone(), &namespace, &resource),
        streaming_list: source.streaming_list,
        messages,
        publisher: publisher.clone(),
        lists: status.lists.clone(),
        place: Place::default(),
    };
    let slices = Slices {
        api: Api::namespaced(client, &namespace),
        room: Arc::new(Semaphore::new(FETCHES)),
        fetched: status.slices.clone(),
    };
    let zones = Zones::new(publisher, status, slices);
    tracing::info!(namespace, "the source is the API server");
    tokio::join!(follower.run(), zones.run(received));
}

/// Fetches slices.
#[derive(Clone)]
struct Slices {
    api: Api<ZoneSlice>,
    room: Arc<Semaphore>,
    fetched: Arc<AtomicU64>,
}

impl Slices {
    /// The slice with this name, checked against it; otherwise why it cannot be had.
    async fn get(&self, digest: Digest) -> Result<Slice, String> {
        let _place = self.room.acquire().await;
        let name = digest.to_string();
        let mut attempt = 1;
        loop {
            let answer = tokio::time::timeout(PATIENCE, self.api.get(&name)).await;
            let why = match answer {
                Ok(Ok(object)) => {
                    self.fetched.fetch_add(1, Ordering::Relaxed);
                    let read = port53_store::read_slice(&object);
                    return read.map(|(_, slice)| slice).map_err(|error| error.to_string());
                }
                // What the API server says for sure is not asked again at once.
                Ok(Err(error @ Error::Api(_))) if !is_passing(&error) => return Err(explain(&error)),
                Ok(Err(error)) => explain(&error),
                Err(_) => "the API server does not answer".to_owned(),
            };
            if attempt == ATTEMPTS {
                return Err(why);
            }
            tokio::time::sleep(watch::jittered(PAUSE * attempt)).await;
            attempt += 1;
        }
    }
}

/// Whether the API server is overloaded or broken, rather than sure of what it says.
fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 429 || status.code >= 500)
}
