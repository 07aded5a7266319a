//! What is counted of a set: what its status says, as numbers.

use std::collections::BTreeSet;

use port53_crds::{NameserverPhase, NameserverSetStatus};

use super::Controller;
use crate::index::Key;
use crate::metrics::labels;

impl Controller {
    /// Sets the gauges of a set to what its status is to say.
    pub(super) fn measure(&self, (namespace, set): &Key, status: &NameserverSetStatus) {
        let metrics = &self.metrics;
        for condition in &status.conditions {
            let value = match condition.status.as_str() {
                "True" => 1,
                "False" => 0,
                _ => -1,
            };
            let of = labels([("namespace", namespace), ("set", set), ("type", &condition.type_)]);
            metrics.conditions.get_or_create(&of).set(value);
        }
        for nameserver in &status.nameservers {
            let own = [("namespace", namespace.as_str()), ("set", set), ("nameserver", &nameserver.name)];
            for phase in NameserverPhase::ALL {
                let [namespace, set, name] = own;
                let of = labels([namespace, set, name, ("phase", phase.as_str())]);
                metrics.phases.get_or_create(&of).set(i64::from(phase == nameserver.phase));
            }
            if let Some((ready, wanted)) = share(nameserver.ready.as_deref()) {
                metrics.pods_ready.get_or_create(&labels(own)).set(ready);
                metrics.pods_wanted.get_or_create(&labels(own)).set(wanted);
            }
            if let Some((right, asked)) = share(nameserver.verified.as_deref()) {
                metrics.mismatches.get_or_create(&labels(own)).set(asked - right);
            }
        }
    }

    /// Takes away what is told of sets and nameservers when one of them is gone.
    pub(super) fn measure_anew(&mut self) {
        let now: BTreeSet<(Key, String)> = self
            .sets
            .iter()
            .flat_map(|(key, set)| {
                set.spec.nameservers.iter().map(move |one| (key.clone(), one.name.clone()))
            })
            .chain(self.deployments.iter().map(|((namespace, _), workload)| {
                ((namespace.clone(), workload.set.clone()), workload.nameserver.clone())
            }))
            .collect();
        let is_less = self.measured.iter().any(|before| !now.contains(before));
        self.measured = now;
        if !is_less {
            return;
        }
        let metrics = &self.metrics;
        for gauges in [
            &metrics.conditions,
            &metrics.phases,
            &metrics.pods_ready,
            &metrics.pods_wanted,
            &metrics.mismatches,
        ] {
            gauges.clear();
        }
    }
}

/// `2/3` as numbers.
fn share(text: Option<&str>) -> Option<(i64, i64)> {
    let (part, whole) = text?.split_once('/')?;
    Some((part.parse().ok()?, whole.parse().ok()?))
}
