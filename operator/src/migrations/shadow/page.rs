//! `/forwarding/ZONE` of a pod: what it counted of a zone since it began to forward it, and samples. Pure.
//!
//! What is read comes from a pod, perhaps of another version: what is not there counts as zero, what is too long is cut, and
//! what cannot be read is an error in words.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use port53_crds::AnswerDifference;
use port53_zone::{Name, name};
use serde::{Deserialize, Serialize};

/// Samples of one pod, and characters of each of their texts: what a pod of ours has at most.
const MOST_SAMPLES: usize = 32;
const LONGEST_TEXT: usize = 2_100;
/// What two answers can differ in, and characters of a word for it.
const MOST_DIFFERENCES: usize = 8;
const LONGEST_WORD: usize = 32;

/// What was counted of questions that were to be forwarded.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Counts {
    /// All of them but those for the SOA of the zone itself.
    pub forwarded: u64,
    /// Those that legacy did not answer, in time or with anything that can be used.
    pub unanswered: u64,
    /// Of these, those that were answered with what legacy had said before.
    pub last_known: u64,
    /// Answers of legacy that were compared with ours.
    pub compared: u64,
    /// Of them, those that differ.
    pub differing: u64,
}

impl Counts {
    /// Adds what others counted.
    pub fn add(&mut self, other: &Counts) {
        let Counts { forwarded, unanswered, last_known, compared, differing } = other;
        self.forwarded = self.forwarded.saturating_add(*forwarded);
        self.unanswered = self.unanswered.saturating_add(*unanswered);
        self.last_known = self.last_known.saturating_add(*last_known);
        self.compared = self.compared.saturating_add(*compared);
        self.differing = self.differing.saturating_add(*differing);
    }

    /// Whether any is less than it was, as none can become while a pod counts on.
    pub fn is_less_than(&self, before: &Counts) -> bool {
        self.forwarded < before.forwarded
            || self.unanswered < before.unanswered
            || self.last_known < before.last_known
            || self.compared < before.compared
            || self.differing < before.differing
    }
}

/// What a pod tells of a zone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// Since when it counts, in seconds since 1970.
    pub since: u64,
    /// What it counted.
    pub counts: Counts,
    /// Some of the answers that differ.
    pub samples: Vec<AnswerDifference>,
}

#[derive(Deserialize)]
struct Page {
    zones: Vec<Zone>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Zone {
    zone: String,
    since: u64,
    answered: BTreeMap<String, u64>,
    instead: BTreeMap<String, u64>,
    /// Of these, those for the SOA of the zone itself.
    #[serde(rename = "apexSOA")]
    apex_soa: ApexSoa,
    compared: Compared,
    samples: Vec<Sample>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApexSoa {
    answered: BTreeMap<String, u64>,
    instead: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Compared {
    same: u64,
    differing: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sample {
    at: u64,
    question: String,
    differences: Vec<String>,
    legacy: String,
    port53: String,
}

/// Reads the page of a pod of `nameserver`. Nothing when it does not forward that zone.
///
/// # Errors
/// When it is not such a page.
pub fn read(page: &[u8], apex: &Name, nameserver: &str) -> Result<Option<Told>, String> {
    let page: Page =
        serde_json::from_slice(page).map_err(|error| format!("tells what cannot be read: {error}"))?;
    let is_it = |zone: &Zone| name::parse_absolute(&zone.zone).is_ok_and(|zone| zone == *apex);
    let Some(zone) = page.zones.into_iter().find(is_it) else { return Ok(None) };
    let sum =
        |counts: &BTreeMap<String, u64>| counts.values().fold(0, |sum: u64, one| sum.saturating_add(*one));
    let last_known = |counts: &BTreeMap<String, u64>| counts.get("last-known").copied().unwrap_or_default();
    // By the SOA it is looked who answers, every second: nobody else is to be told of that.
    let soa = &zone.apex_soa;
    let counts = Counts {
        forwarded: sum(&zone.answered).saturating_sub(sum(&soa.answered)),
        unanswered: sum(&zone.instead).saturating_sub(soa.instead),
        last_known: last_known(&zone.answered).saturating_sub(last_known(&soa.answered)),
        compared: zone.compared.same.saturating_add(zone.compared.differing),
        differing: zone.compared.differing,
    };
    let samples = zone.samples.into_iter().take(MOST_SAMPLES).filter_map(|sample| {
        let at = Timestamp::from_second(i64::try_from(sample.at).ok()?).ok()?;
        let cut = |text: String, most| text.chars().take(most).collect::<String>();
        let words = sample.differences.into_iter().take(MOST_DIFFERENCES);
        Some(AnswerDifference {
            at: at.to_string(),
            nameserver: nameserver.to_owned(),
            question: cut(sample.question, LONGEST_TEXT),
            differences: words.map(|word| cut(word, LONGEST_WORD)).collect(),
            legacy: cut(sample.legacy, LONGEST_TEXT),
            port53: cut(sample.port53, LONGEST_TEXT),
        })
    });
    Ok(Some(Told { since: zone.since, counts, samples: samples.collect() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    /// As `resolver/src/forward/page.rs` writes it.
    const PAGE: &str = r#"{"nameserver": "ns1", "override": {}, "zones": [
        {"zone": "example.org.", "since": 1, "answered": {"legacy": 9}},
        {"zone": "Example.com.", "since": 1780000000, "answers": "Legacy",
         "answered": {"legacy": 7, "last-known": 2, "port53": 1}, "instead": {"timeout": 3, "full": 0},
         "apexSOA": {"answered": {"legacy": 2, "last-known": 1}, "instead": 1}, "compared": {"same": 5, "differing": 1},
         "samples": [{"at": 1780000001, "question": "www.example.com. A", "differences": ["answer"],
                      "legacy": "NOERROR", "port53": "NXDOMAIN"}]}]}"#;

    #[test]
    fn what_a_pod_counted_of_the_zone_is_read() {
        let told = read(PAGE.as_bytes(), &apex(), "ns1").expect("a page").expect("it forwards");
        let counts = Counts { forwarded: 7, unanswered: 2, last_known: 1, compared: 6, differing: 1 };
        assert_eq!((told.since, told.counts), (1_780_000_000, counts));
        assert_eq!(told.samples[0].at, "2026-05-28T20:26:41Z");
        assert_eq!(
            (told.samples[0].nameserver.as_str(), told.samples[0].legacy.as_str()),
            ("ns1", "NOERROR")
        );
        assert_eq!(read(br#"{"zones": []}"#, &apex(), "ns1"), Ok(None));
        let wrong = read(b"not found", &apex(), "ns1").expect_err("no page");
        assert!(wrong.starts_with("tells what cannot be read"), "{wrong}");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let sample = serde_json::json!({"at": 1, "question": "q".repeat(9000), "differences": vec!["d".repeat(99); 99],
            "legacy": "l".repeat(9000)});
        let page = serde_json::json!({"zones": [{"zone": "example.com.", "samples": vec![sample; 99]}]});
        let told = read(page.to_string().as_bytes(), &apex(), "ns1").expect("a page").expect("it forwards");
        assert_eq!((told.samples.len(), told.samples[0].differences.len()), (32, 8));
        assert!(
            told.samples[0].question.len() <= LONGEST_TEXT && told.samples[0].legacy.len() <= LONGEST_TEXT
        );
    }

    proptest! {
        #[test]
        fn whatever_a_pod_tells_is_read_or_is_an_error(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&octets, &apex(), "ns1");
        }

        #[test]
        fn numbers_of_any_size_are_summed(numbers in prop::collection::vec(any::<u64>(), 3)) {
            let page = serde_json::json!({"zones": [{"zone": "example.com.", "since": numbers[0],
                "answered": {"a": numbers[1], "b": numbers[2]}, "compared": {"same": numbers[1], "differing": numbers[2]},
                "samples": [{"at": numbers[0]}]}]});
            let told = read(page.to_string().as_bytes(), &apex(), "ns1").expect("a page").expect("it forwards");
            prop_assert_eq!(told.counts.forwarded, numbers[1].saturating_add(numbers[2]));
        }
    }
}
