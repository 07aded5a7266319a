//! Who works: of several operators the one that holds a Lease (coordination.k8s.io/v1); the others watch, and know
//! what it knows.
//!
//! Written for the worst: two that each take themselves for the holder.
//! - The Lease is written over the version that was read, or not at all.
//! - That a holder is gone is concluded from what was seen here, on a clock that never jumps: its Lease did not change
//!   for as long as it says it lasts. No two machines need agree on the time.
//! - Who cannot renew stops before others may conclude so ([`Fence`]), also after having been stopped in the middle
//!   (SIGSTOP, a frozen machine): it looks at the fence before it writes.
//! - What the holder of before has sent nonetheless is refused, as heads are written by compare-and-swap too.
//!
//! Who leaves gives the Lease back, so that the next need not wait. Who lost it ends, and begins again as one that
//! watches: nothing that it believed then is believed any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, PostParams};
use kube::core::ObjectMeta;
use kube::{Client, Resource};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::cluster::store::{WriteError, in_time};

/// The name of the Lease.
pub const LEASE: &str = "port53-operator";
/// How long a Lease lasts that is not renewed.
const LASTS: Duration = Duration::from_secs(15);
/// After this long without having renewed it the holder does nothing more.
const FENCE: Duration = Duration::from_secs(10);
/// How often it is renewed, and looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Whether this process may still write: up to some moment, that is put off with each renewal.
#[derive(Clone, Debug)]
pub struct Fence {
    start: Instant,
    /// Milliseconds after the start; the highest number where there is no election.
    until: Arc<AtomicU64>,
}

impl Fence {
    /// One that is never closed: there is no election.
    pub fn open() -> Self {
        Fence { start: Instant::now(), until: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn closed() -> Self {
        Fence { start: Instant::now(), until: Arc::new(AtomicU64::new(0)) }
    }

    /// Whether nothing may be written any more.
    pub fn is_closed(&self) -> bool {
        self.start.elapsed().as_millis() >= u128::from(self.until.load(Ordering::Acquire))
    }

    /// Puts the moment off: what was renewed by a request that began at `begun` holds from then on.
    fn renewed(&self, begun: Instant) {
        let until = begun.saturating_duration_since(self.start) + FENCE;
        self.until.store(until.as_millis().try_into().unwrap_or(u64::MAX), Ordering::Release);
    }
}

/// What those who work look at.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whether this operator is the one that works.
    pub leads: watch::Receiver<bool>,
    /// See there.
    pub fence: Fence,
}

impl Standing {
    /// Of the only operator.
    pub fn alone() -> Self {
        Standing { leads: watch::channel(true).1, fence: Fence::open() }
    }
}

/// Takes part in the election.
pub struct Election {
    leases: Api<Lease>,
    namespace: String,
    identity: String,
    fence: Fence,
    leads: watch::Sender<bool>,
}

/// What was seen of the Lease, and since when.
struct Seen {
    version: Option<String>,
    since: Instant,
}

impl Election {
    /// An election in a namespace. `identity` is of this process alone.
    pub fn new(client: &Client, namespace: &str, identity: String) -> (Self, Standing) {
        let (leads, standing) = watch::channel(false);
        let fence = Fence::closed();
        let election = Election {
            leases: Api::namespaced(client.clone(), namespace),
            namespace: namespace.to_owned(),
            identity,
            fence: fence.clone(),
            leads,
        };
        (election, Standing { leads: standing, fence })
    }

    /// Waits for the Lease and keeps it, until it is lost or `leave` says so. What it gives is to be given back with
    /// [`Election::give_back`] once nothing is written any more; nothing when the Lease was lost.
    pub async fn run(self, leave: CancellationToken) -> Option<Held> {
        let mut seen = Seen { version: None, since: Instant::now() };
        let mut tick = tokio::time::interval(PERIOD);
        let mut said = String::new();
        let mut lease = loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = leave.cancelled() => return None,
            }
            let begun = Instant::now();
            match self.look(&mut seen).await {
                Ok(Some(lease)) => {
                    self.fence.renewed(begun);
                    break lease;
                }
                Ok(None) => said.clear(),
                Err(error) => {
                    let why = error.to_string();
                    if said != why {
                        tracing::warn!("the Lease {LEASE} cannot be had: {why}; it is tried again");
                        said = why;
                    }
                }
            }
        };
        tracing::info!(identity = self.identity, "leading");
        self.leads.send_replace(true);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = leave.cancelled() => return Some(Held { election: self, lease }),
            }
            if self.fence.is_closed() {
                tracing::error!(
                    "the Lease {LEASE} was not renewed in time: this operator ends, another works"
                );
                return None;
            }
            let begun = Instant::now();
            match self.write(lease.clone(), &self.identity).await {
                Ok(renewed) => {
                    self.fence.renewed(begun);
                    lease = renewed;
                }
                Err(WriteError::Conflict) => match in_time(self.leases.get(LEASE)).await {
                    // Written, and the answer was lost; or by somebody who left the holder as it is.
                    Ok(found) if holder(&found) == self.identity => lease = found,
                    Ok(found) => {
                        let by = holder(&found).to_owned();
                        tracing::error!("the Lease {LEASE} was taken by {by}: this operator ends");
                        return None;
                    }
                    Err(error) => tracing::warn!("the Lease {LEASE} cannot be read: {error}"),
                },
                Err(error) => tracing::warn!("the Lease {LEASE} cannot be renewed: {error}"),
            }
        }
    }

    /// Looks at the Lease, and takes it when nobody holds it.
    async fn look(&self, seen: &mut Seen) -> Result<Option<Lease>, WriteError> {
        let Some(found) = in_time(self.leases.get_opt(LEASE)).await? else {
            let new = Lease {
                metadata: ObjectMeta {
                    name: Some(LEASE.to_owned()),
                    namespace: Some(self.namespace.clone()),
                    ..ObjectMeta::default()
                },
                ..Lease::default()
            };
            let new = self.held(new, &self.identity);
            return taken(in_time(self.leases.create(&PostParams::default(), &new)).await);
        };
        if found.meta().resource_version != seen.version {
            *seen = Seen { version: found.meta().resource_version.clone(), since: Instant::now() };
        }
        let lasts = found.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
        let lasts = Duration::from_secs(u64::try_from(lasts).unwrap_or_default());
        let is_free = holder(&found).is_empty() || seen.since.elapsed() > lasts;
        if !is_free {
            return Ok(None);
        }
        taken(self.write(found, &self.identity).await)
    }

    /// Writes the Lease over the version that it has.
    async fn write(&self, lease: Lease, holder: &str) -> Result<Lease, WriteError> {
        let lease = self.held(lease, holder);
        in_time(self.leases.replace(LEASE, &PostParams::default(), &lease)).await
    }

    fn held(&self, mut lease: Lease, by: &str) -> Lease {
        let now = MicroTime(Timestamp::now());
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_deref() != Some(by) {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
        }
        spec.holder_identity = Some(by.to_owned());
        spec.renew_time = Some(now);
        spec.lease_duration_seconds = Some(i32::try_from(LASTS.as_secs()).unwrap_or(i32::MAX));
        lease
    }
}

/// The Lease, held.
pub struct Held {
    election: Election,
    lease: Lease,
}

impl Held {
    /// Gives it back, so that the next need not wait until it is over.
    pub async fn give_back(self) {
        let given = tokio::time::timeout(PERIOD, self.election.write(self.lease, "")).await;
        if !matches!(given, Ok(Ok(_))) {
            tracing::warn!("the Lease {LEASE} could not be given back: the next waits until it is over");
        }
    }
}

/// Another was faster.
fn taken(written: Result<Lease, WriteError>) -> Result<Option<Lease>, WriteError> {
    match written {
        Ok(lease) => Ok(Some(lease)),
        Err(WriteError::Conflict) => Ok(None),
        Err(error) => Err(error),
    }
}

fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_closes_before_others_may_conclude_that_its_holder_is_gone() {
        assert!(FENCE + 3 * PERIOD < LASTS);
        let fence = Fence::closed();
        assert!(fence.is_closed());
        fence.renewed(Instant::now());
        assert!(!fence.is_closed());
        // A renewal counts from when it was asked for, not from when it was answered.
        fence.renewed(fence.start);
        assert!(!fence.is_closed());
        let old = Fence { start: Instant::now().checked_sub(FENCE * 2).expect("a time"), ..fence };
        assert!(old.is_closed());
        assert!(!Fence::open().is_closed());
    }
}
