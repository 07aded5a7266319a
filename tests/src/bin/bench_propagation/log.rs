//! What the operator said of its publications and plans, with times, in its log.

use crate::Moment;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// See the module.
#[derive(Default)]
pub(crate) struct Heard {
    /// By zone, in the order of their ends.
    pub(crate) publications: BTreeMap<String, Vec<Publication>>,
    /// How long each plan took, in microseconds.
    pub(crate) plans: Vec<Moment>,
}

/// One PUT of a ZoneHead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publication {
    /// When the operator heard of the first that the plan was made for.
    pub(crate) heard: Moment,
    /// When the request was begun.
    pub(crate) begun: Moment,
    /// When its answer was known to the engine.
    pub(crate) written: Moment,
}

/// Reads the lines since a moment.
pub(crate) fn read(output: &str, since: Moment) -> Heard {
    let mut heard = Heard::default();
    for line in output.lines().filter(|line| line.contains("\"published\"") || line.contains("\"planned\"")) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let time = line["timestamp"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        let Some(time) = time.map(|time| time.as_microsecond()).filter(|time| *time >= since) else {
            continue;
        };
        let fields = &line["fields"];
        let micros = |field: &str| fields[field].as_i64().unwrap_or_default();
        match fields["message"].as_str() {
            Some("planned") => heard.plans.push(micros("micros")),
            Some("published") => {
                let begun = time - micros("write");
                let publication =
                    Publication { heard: begun - micros("heard_to_write"), begun, written: time };
                let zone = fields["zone"].as_str().unwrap_or_default().trim_end_matches('.').to_owned();
                heard.publications.entry(zone).or_default().push(publication);
            }
            _ => {}
        }
    }
    heard
}
