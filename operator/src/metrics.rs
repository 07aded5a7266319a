//! What the operator counts, in the form that Prometheus reads (OpenMetrics text). Gauges are set by whoever knows them,
//! when it changes; labels are those of sets and nameservers, never of zones or records.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

type Labels = Vec<(&'static str, String)>;

/// Upper ends of what takes from a tenth of a millisecond to seconds.
const SECONDS: [f64; 14] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];
/// Of what takes from milliseconds to minutes.
const LONGER: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// See the module.
pub struct Metrics {
    registry: Registry,
    /// 1 while this operator works, 0 while it stands by.
    pub leads: Gauge,
    /// 1 once everything was listed.
    pub knows_all: Gauge,
    /// Zones that are published.
    pub zones: Gauge,
    /// Published zones that not every nameserver answers as published.
    pub zones_waiting: Gauge,
    /// Zones of which removals are held.
    pub zones_held: Gauge,
    /// Records and Zones that are not accepted.
    pub rejected: Family<Labels, Gauge>,
    /// Objects that were listed, by kind.
    pub objects: Family<Labels, Gauge>,
    /// Statuses that wait to be written.
    pub statuses_waiting: Gauge,
    /// Requests and questions on their way.
    pub jobs: Gauge,
    /// Kinds that cannot be followed.
    pub lost: Gauge,
    /// Resolvers that are asked.
    pub resolvers: Gauge,
    plans: Histogram,
    publications: Histogram,
    publication_failures: Counter,
    propagation: Histogram,
    admissions: Family<Labels, Counter>,
    admission: Histogram,
    /// 1 for the phase that a nameserver is in, 0 for those that it was in.
    pub phases: Family<Labels, Gauge>,
    /// 1, 0 or -1 for a condition of a set that is True, False or Unknown.
    pub conditions: Family<Labels, Gauge>,
    /// Pods of a nameserver that are ready.
    pub pods_ready: Family<Labels, Gauge>,
    /// Pods of a nameserver that there are to be.
    pub pods_wanted: Family<Labels, Gauge>,
    /// Questions of the last proof that were answered otherwise.
    pub mismatches: Family<Labels, Gauge>,
    rollouts_failed: Family<Labels, Counter<u64, AtomicU64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("port53"),
            leads: Gauge::default(),
            knows_all: Gauge::default(),
            zones: Gauge::default(),
            zones_waiting: Gauge::default(),
            zones_held: Gauge::default(),
            rejected: Family::default(),
            objects: Family::default(),
            statuses_waiting: Gauge::default(),
            jobs: Gauge::default(),
            lost: Gauge::default(),
            resolvers: Gauge::default(),
            plans: Histogram::new(SECONDS),
            publications: Histogram::new(SECONDS),
            publication_failures: Counter::default(),
            propagation: Histogram::new(LONGER),
            admissions: Family::default(),
            admission: Histogram::new(SECONDS),
            phases: Family::default(),
            conditions: Family::default(),
            pods_ready: Family::default(),
            pods_wanted: Family::default(),
            mismatches: Family::default(),
            rollouts_failed: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let all = &mut self.registry;
        let operator = all.sub_registry_with_prefix("operator");
        operator.register("leader", "1 while this operator works, 0 while it stands by", self.leads.clone());
        operator.register("synced", "1 once all objects were listed", self.knows_all.clone());
        operator.register("zones", "Zones that are published", self.zones.clone());
        operator.register(
            "zones_waiting",
            "Published zones that not every nameserver was seen to answer as published",
            self.zones_waiting.clone(),
        );
        operator.register("zones_held", "Zones of which removals are held", self.zones_held.clone());
        operator.register("rejected", "Objects that are not accepted, by kind", self.rejected.clone());
        operator.register("objects", "Objects that people wrote, by kind", self.objects.clone());
        operator.register(
            "statuses_waiting",
            "Statuses that wait to be written",
            self.statuses_waiting.clone(),
        );
        operator.register("jobs", "Requests and questions on their way", self.jobs.clone());
        operator.register("lost_watches", "Kinds that cannot be followed", self.lost.clone());
        operator.register("resolvers", "Pods of nameservers that are asked", self.resolvers.clone());
        operator.register_with_unit(
            "plan_duration",
            "How long the decision about everything took",
            Unit::Seconds,
            self.plans.clone(),
        );
        operator.register_with_unit(
            "publication_duration",
            "How long the write of a zone's head took",
            Unit::Seconds,
            self.publications.clone(),
        );
        operator.register(
            "publication_failures",
            "Writes of heads that failed or were refused",
            self.publication_failures.clone(),
        );
        operator.register_with_unit(
            "propagation",
            "From a change heard of until every pod of every nameserver answers it",
            Unit::Seconds,
            self.propagation.clone(),
        );
        operator.register(
            "admissions",
            "Reviews of the webhook, by kind and answer",
            self.admissions.clone(),
        );
        operator.register_with_unit(
            "admission_duration",
            "How long an answer of the webhook took",
            Unit::Seconds,
            self.admission.clone(),
        );
        all.register(
            "nameserver_phase",
            "1 for the phase of a rollout that a nameserver is in",
            self.phases.clone(),
        );
        all.register(
            "nameserverset_condition",
            "1 where a condition of a NameserverSet is True, 0 where it is False, -1 where it is Unknown",
            self.conditions.clone(),
        );
        all.register("nameserver_pods_ready", "Pods of a nameserver that are ready", self.pods_ready.clone());
        all.register(
            "nameserver_pods_wanted",
            "Pods of a nameserver that there are to be",
            self.pods_wanted.clone(),
        );
        all.register(
            "nameserver_mismatches",
            "Questions that a nameserver answered otherwise than is published when it was proved last",
            self.mismatches.clone(),
        );
        all.register(
            "rollouts_failed",
            "Changes that a nameserver did not pass, by reason",
            self.rollouts_failed.clone(),
        );
    }

    /// The text of a scrape.
    pub fn scrape(&self) -> String {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            // Writing into a string does not fail; an empty scrape is seen as one.
            Err(_) => String::new(),
        }
    }

    /// A plan took so long.
    pub fn planned(&self, took: Duration) {
        self.plans.observe(took.as_secs_f64());
    }

    /// The write of a head took so long.
    pub fn published(&self, took: Duration) {
        self.publications.observe(took.as_secs_f64());
    }

    /// A head was not written.
    pub fn not_published(&self) {
        self.publication_failures.inc();
    }

    /// All nameservers answer a change that was heard of so long ago.
    pub fn propagated(&self, took: Duration) {
        self.propagation.observe(took.as_secs_f64());
    }

    /// The webhook answered.
    pub fn admitted(&self, kind: &str, is_allowed: bool, took: Duration) {
        // Nobody but the API server asks, and it asks of what it is configured for.
        let kind = match kind {
            "DNSRecord" | "Zone" => kind,
            _ => "other",
        };
        let labels = vec![("kind", kind.to_owned()), ("allowed", is_allowed.to_string())];
        self.admissions.get_or_create(&labels).inc();
        self.admission.observe(took.as_secs_f64());
    }

    /// A nameserver did not pass.
    pub fn rollout_failed(&self, set: &str, nameserver: &str, reason: &str) {
        let labels = vec![
            ("set", set.to_owned()),
            ("nameserver", nameserver.to_owned()),
            ("reason", reason.to_owned()),
        ];
        self.rollouts_failed.get_or_create(&labels).inc();
    }
}

/// Labels by their names.
pub fn labels<const N: usize>(all: [(&'static str, &str); N]) -> Labels {
    all.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_has_what_was_counted() {
        let metrics = Metrics::default();
        metrics.leads.set(1);
        metrics.admitted("DNSRecord", false, Duration::from_millis(2));
        metrics.rejected.get_or_create(&labels([("kind", "DNSRecord")])).set(3);
        metrics.propagated(Duration::from_millis(12));
        metrics.rollout_failed("public", "ns1", "WrongAnswer");
        let text = metrics.scrape();
        for line in [
            "port53_operator_leader 1",
            r#"port53_operator_admissions_total{kind="DNSRecord",allowed="false"} 1"#,
            r#"port53_operator_rejected{kind="DNSRecord"} 3"#,
            r#"port53_operator_propagation_seconds_bucket{le="0.025"} 1"#,
            r#"port53_rollouts_failed_total{set="public",nameserver="ns1",reason="WrongAnswer"} 1"#,
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
    }
}
