//! What is counted of the engine.

use std::time::{Duration, Instant};

use port53_zone::Name;

use super::{Engine, Timer};
use crate::metrics::labels;
use crate::objects::ObjectRef;
use crate::verdict::Outcome;

/// What is counted over all zones is counted so often at the most.
const PERIOD: Duration = Duration::from_secs(1);

impl Engine {
    /// After each turn: what costs nothing to know.
    pub(super) fn measure(&mut self) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let metrics = &self.metrics;
        metrics.leads.set(i64::from(self.leads));
        metrics.knows_all.set(i64::from(self.is_ready()));
        metrics.zones.set(count(self.published.len()));
        metrics.statuses_waiting.set(count(self.statuses.waiting.len()));
        metrics.jobs.set(count(self.jobs.len()));
        metrics.lost.set(count(self.lost.len()));
        metrics.resolvers.set(count(self.resolvers.len()));
        let now = Instant::now();
        if self.measured.is_none_or(|last| now.duration_since(last) >= PERIOD) {
            self.measured = Some(now);
            self.measure_all();
            // One that stands by looks at no timers.
            if self.leads {
                self.timers.insert((now + PERIOD, Timer::Measure));
            }
        }
    }

    fn measure_all(&self) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let metrics = &self.metrics;
        // Only who works asks the nameservers, and holds removals.
        if !self.leads {
            metrics.zones_waiting.set(0);
            metrics.zones_held.set(0);
            return;
        }
        let waiting = self.zones.values().filter(|zone| {
            zone.serving().is_some() && zone.confirming.last.as_ref().is_none_or(|last| !last.is_complete())
        });
        metrics.zones_waiting.set(count(waiting.count()));
        metrics.zones_held.set(count(self.zones.values().filter(|zone| zone.held.is_some()).count()));
        let (mut records, mut zones) = (0, 0);
        let refused = self.statuses.last.iter().flat_map(|of_zone| of_zone.iter());
        for verdict in refused.filter(|verdict| verdict.outcome != Outcome::Accepted) {
            match verdict.object {
                ObjectRef::Record { .. } => records += 1,
                _ => zones += 1,
            }
        }
        let written = [
            ("DNSRecord", self.index.records().iter().count(), records),
            ("Zone", self.index.zones.iter().count(), zones),
        ];
        for (kind, written, refused) in written {
            metrics.objects.get_or_create(&labels([("kind", kind)])).set(count(written));
            metrics.rejected.get_or_create(&labels([("kind", kind)])).set(refused);
        }
    }

    /// All nameservers answer what is published of a zone: how long that took is counted once.
    pub(super) fn measure_propagation(&mut self, apex: &Name) {
        let heard = self.zones.get_mut(apex).and_then(|zone| zone.confirming.heard.take());
        if let Some(heard) = heard {
            self.metrics.propagated(heard.elapsed());
        }
    }
}
