//! Single changes of a zone that does not move, at a steady rate, and how long each takes from the request until both
//! resolvers answer it. Each comes at its time, however long those before take.

use crate::Result;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use port53_crds::DNSRecord;
use port53_tests::ask::{Question, Transport};
use port53_tests::migration;
use port53_tests::platform::Platform;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Where they are.
const NAMESPACE: &str = "changes";
const ZONE: &str = "changes";
const DOMAIN: &str = "changes.example";
/// Names that change in turn: more than are on their way at once.
const NAMES: usize = 500;
/// A change that is not answered after this counts with it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often resolvers are asked.
const EVERY: Duration = Duration::from_millis(2);

/// Those who change.
#[derive(Clone)]
pub(crate) struct Changes {
    api: Api<DynamicObject>,
    resolvers: Arc<[SocketAddr]>,
}

/// What came of some changes: how long each took, the shortest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Took {
    pub(crate) sorted: Vec<Duration>,
    /// Those that nobody answered in time, or that the API server refused.
    pub(crate) failed: usize,
}

/// Changes that go on.
pub(crate) struct Going {
    over: CancellationToken,
    task: JoinHandle<Result<Took, String>>,
}

impl Changes {
    /// Makes the zone.
    pub(crate) fn new(client: Client, platform: &Platform, resolvers: Vec<SocketAddr>) -> Self {
        platform.cluster.ensure_namespace(NAMESPACE);
        platform.apply(&migration::zone(NAMESPACE, ZONE, &format!("domain: {DOMAIN}")));
        platform.comes_to("zone", NAMESPACE, ZONE, "Ready=True Served");
        let resource = ApiResource::erase::<DNSRecord>(&());
        let api = Api::namespaced_with(client, NAMESPACE, &resource);
        Changes { api, resolvers: resolvers.into() }
    }

    /// So many, one after the other.
    pub(crate) async fn some(&self, count: usize, rate: f64) -> Result<Took> {
        Ok(self.clone().run(count, rate, CancellationToken::new()).await?)
    }

    /// Begins, until it is ended.
    pub(crate) fn begin(&self, rate: f64) -> Going {
        let over = CancellationToken::new();
        let task = tokio::spawn(self.clone().run(usize::MAX, rate, over.clone()));
        Going { over, task }
    }

    async fn run(self, count: usize, rate: f64, over: CancellationToken) -> Result<Took, String> {
        let (mut running, mut took) = (JoinSet::new(), Took::default());
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        for number in 0..count {
            tokio::select! {
                _ = ticks.tick() => {}
                () = over.cancelled() => break,
            }
            running.spawn(self.clone().one(number));
        }
        while let Some(ended) = running.join_next().await {
            match ended.map_err(|error| error.to_string())? {
                Ok(time) => took.sorted.push(time),
                Err(why) => {
                    eprintln!("a single change: {why}");
                    took.failed += 1;
                }
            }
        }
        took.sorted.sort_unstable();
        Ok(took)
    }

    async fn one(self, number: usize) -> Result<Duration, String> {
        let owner = format!("name{}", number % NAMES);
        let address = [10, (number >> 16) as u8, (number >> 8) as u8, number as u8];
        let text = address.map(|octet| octet.to_string()).join(".");
        let object = json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "DNSRecord",
            "metadata": {"name": owner, "namespace": NAMESPACE},
            "spec": {"zoneRef": {"name": ZONE}, "name": owner, "type": "A", "ttl": 60, "values": [text]},
        });
        let begun = Instant::now();
        // As `kubectl apply --server-side` sends it.
        let params = PatchParams::apply("kubectl").force();
        self.api.patch(&owner, &params, &Patch::Apply(&object)).await.map_err(|error| error.to_string())?;
        let question = format!("{owner}.{DOMAIN} A");
        let resolvers = self.resolvers.clone();
        let waiting =
            tokio::task::spawn_blocking(move || until_answered(&question, &text, &resolvers, begun));
        waiting.await.map_err(|error| error.to_string())?
    }
}

fn until_answered(
    question: &str,
    address: &str,
    resolvers: &[SocketAddr],
    begun: Instant,
) -> Result<Duration, String> {
    let asked = Question::new(question, None);
    for resolver in resolvers {
        loop {
            let answer = asked.ask(*resolver, Transport::Udp, Duration::from_millis(500));
            let is_it = |answer: &hickory_proto::op::Message| {
                answer.answers.iter().any(|record| record.data.to_string() == address)
            };
            if answer.as_ref().is_ok_and(is_it) {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{question} is not answered by {resolver} after {PATIENCE:?}"));
            }
            std::thread::sleep(EVERY);
        }
    }
    Ok(begun.elapsed())
}

impl Going {
    pub(crate) async fn end(self) -> Result<Took> {
        self.over.cancel();
        Ok(self.task.await??)
    }
}

impl Took {
    /// The time that so many of a thousand took at most, in milliseconds.
    pub(crate) fn at(&self, share: usize) -> f64 {
        let place = (self.sorted.len() * share / 1000).min(self.sorted.len().saturating_sub(1));
        self.sorted.get(place).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    }
}
