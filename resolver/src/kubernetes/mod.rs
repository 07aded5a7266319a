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
//! | `heads` | what is known of each zone; acts on heads |
//! | `decide` | what a head means for what is held. Pure |
//!
//! Lists, watches and slices are read by `port53-client`.
//!
//! Whatever the API server does, what is served stays: that it is gone, says 403, lists nothing or fewer, or
//! goes back in time takes nothing out of service. A zone goes only by a head that says Withdrawn. A head that
//! cannot be followed (a digest, a serial, a slice) is said once, counted, and harms no other zone; a zone that
//! has nothing to serve meanwhile is SERVFAIL alone.

mod decide;
mod heads;

use crate::source::{Publisher, SourceState};
use crate::transfer::Transfers;
use heads::Zones;
use kube::api::{Api, ApiResource};
use port53_client::slices::Slices;
use port53_client::watch::Follower;
use port53_crds::ZoneHead;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::mpsc;

/// Heads on their way from the watch to the zones.
const QUEUE: usize = 16;
/// ZoneHeads in a page of a list. Each may have a journal of 64 KiB.
const PAGE: u32 = 100;
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
pub async fn run(
    source: Source,
    publisher: Publisher,
    transfers: Arc<Transfers>,
    status: Arc<KubernetesStatus>,
) {
    let (client, namespace) = loop {
        match port53_client::connect().await {
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
    let api = Api::namespaced_with(client.clone(), &namespace, &resource);
    let follower = Follower {
        page: PAGE,
        streaming_list: source.streaming_list,
        lists: status.lists.clone(),
        ..Follower::new(api, (), messages)
    };
    let slices = Slices::new(client, &namespace, status.slices.clone());
    let zones = Zones::new(publisher, transfers, status, slices, namespace.clone());
    tracing::info!(namespace, "the source is the API server");
    tokio::join!(follower.run(), zones.run(received));
}
