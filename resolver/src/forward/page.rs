//! `/forwarding`: what there is to see of zones that move here, as JSON; `/forwarding/ZONE`: of one of them.

use super::counts::LEGACY_BOUNDS;
use super::decide::{Answerer, Because};
use super::zones::View;
use crate::source::Publisher;
use port53_crds::Otherwise;
use port53_zone::{Name, name};
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// All zones with a legacy DNS: who answers and why, counts since the process began to count, and samples of answers
/// that differ.
pub fn page(publisher: &Publisher) -> Value {
    page_of(publisher, None)
}

/// The same of one zone alone; of all where none is named.
pub fn page_of(publisher: &Publisher, apex: Option<&Name>) -> Value {
    let views = match apex {
        Some(apex) => publisher.forwarding_zone(apex).into_iter().collect(),
        None => publisher.forwarding_zones(),
    };
    let zones: Vec<Value> = views.iter().map(zone).collect();
    let over: Value = serde_json::from_str(&publisher.forwarding_override().encode()).unwrap_or_default();
    json!({"nameserver": publisher.nameserver(), "override": over, "zones": zones})
}

fn zone(view: &View) -> Value {
    let (zone, counts) = (&view.zone, &view.zone.counts);
    let by_label = |counts: &mut dyn Iterator<Item = (&'static str, u64)>| -> Value {
        counts.map(|(label, count)| (label.to_owned(), json!(count))).collect::<Map<_, _>>().into()
    };
    let (took, nanos) = counts.took();
    let answers: u64 = took.iter().sum();
    let [same, differing] = counts.compared();
    let since = zone.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    json!({
        "zone": name::display(&zone.apex),
        "answers": match view.decision.answers { Answerer::Port53 => "Port53", Answerer::Legacy => "Legacy" },
        "because": match view.decision.because {
            Because::CutOver => "CutOver",
            Because::NotCutOver => "NotCutOver",
            Because::NoName => "NoName",
            Because::Override => "Override",
        },
        "addresses": view.forwarding.addresses,
        "givenUp": view.given_up,
        "cutOver": view.forwarding.cut_over,
        "otherwise": match view.forwarding.otherwise {
            Otherwise::Port53 => "Port53",
            Otherwise::LastKnown => "LastKnown",
        },
        "timeoutMilliseconds": view.forwarding.timeout.as_millis() as u64,
        "compare": view.forwarding.compare,
        "since": since.as_secs(),
        "inFlight": zone.in_flight(),
        "answered": by_label(&mut counts.answered()),
        "instead": by_label(&mut counts.answered_instead()),
        "apexSOA": {"answered": by_label(&mut counts.answered_soa()), "instead": counts.instead_soa()},
        "legacy": {
            "answers": answers,
            "milliseconds": nanos / 1_000_000,
            "within": LEGACY_BOUNDS.iter().map(u64::to_string).chain(["more".to_owned()]).zip(took)
                .map(|(bound, count)| (bound, json!(count))).collect::<Map<_, _>>(),
        },
        "compared": {"same": same, "differing": differing},
        "differences": by_label(&mut counts.differences()),
        "notCompared": by_label(&mut counts.were_not_compared()),
        "samples": zone.samples(),
    })
}
