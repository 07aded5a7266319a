//! The table: what a case is, and how it is written.

use port53_tests::Zone;
use port53_tests::normal::{Line, Normal};
use port53_tests::peer::Program;

/// Zones that are served together, and what is asked of them.
pub(crate) struct Group {
    /// Apex and master file, without the SOA where it is the usual one ([`usual_soa`]).
    pub(crate) zones: &'static [(&'static str, &'static str)],
    /// The questions.
    pub(crate) cases: &'static [Case],
}

/// A question and what is right.
pub(crate) struct Case {
    /// Who says so.
    pub(crate) rfc: &'static str,
    /// `owner TYPE`.
    pub(crate) ask: &'static str,
    /// `RCODE [aa]`, then a record a line: `answer`, `authority` or `glue` and the record; `negative` and an
    /// apex stands for that zone's SOA at its negative TTL in authority. [`expand`] says what `{1..3}` means.
    expect: &'static str,
    /// What EDNS offers; `None`: no EDNS.
    pub(crate) payload: Option<u16>,
    /// Whether it does not fit a datagram.
    pub(crate) cut_over_udp: bool,
    /// Which peer answers otherwise, and why ours is right all the same.
    pub(crate) differs: &'static [(Program, &'static str)],
}

impl Case {
    pub(crate) const fn new(rfc: &'static str, ask: &'static str, expect: &'static str) -> Self {
        Case { rfc, ask, expect, payload: Some(1232), cut_over_udp: false, differs: &[] }
    }

    /// Asked with EDNS of `payload`, or without.
    pub(crate) const fn offering(self, payload: Option<u16>) -> Self {
        Case { payload, ..self }
    }

    /// It does not fit a datagram: TC over UDP, whole over TCP.
    pub(crate) const fn cut_over_udp(self) -> Self {
        Case { cut_over_udp: true, ..self }
    }

    pub(crate) const fn differs(self, differs: &'static [(Program, &'static str)]) -> Self {
        Case { differs, ..self }
    }

    /// The whole answer.
    pub(crate) fn expected(&self) -> Normal {
        let mut lines = self.expect.lines().map(str::trim);
        let head = lines.next().expect("a first line");
        let mut expected = match head.split_once(' ') {
            Some((rcode, "aa")) => Normal { rcode: rcode.into(), authoritative: true, ..Normal::default() },
            Some(_) => panic!("{}: {head}: not `RCODE [aa]`", self.ask),
            None => Normal { rcode: head.into(), ..Normal::default() },
        };
        for line in lines {
            let (section, record) = line.split_once(' ').expect("section and record");
            let section = match section {
                "answer" => &mut expected.answer,
                "authority" => &mut expected.authority,
                "glue" => &mut expected.glue,
                "negative" => {
                    let soa = usual_soa(record, USUAL_MINIMUM);
                    expected.authority.insert(Line::parse(&soa));
                    continue;
                }
                other => panic!("{}: no section {other}", self.ask),
            };
            for record in expand(record) {
                assert!(section.insert(Line::parse(&record)), "{}: twice: {record}", self.ask);
            }
        }
        expected
    }
}

const USUAL_MINIMUM: u32 = 300;

/// The SOA of a zone that does not bring its own. Its MINIMUM is below its TTL, so that the TTL of negative
/// answers is seen to be the lesser (RFC 2308 §3).
fn usual_soa(apex: &str, ttl: u32) -> String {
    format!("{apex} {ttl} SOA ns.invalid. hostmaster.invalid. 7 3600 600 604800 {USUAL_MINIMUM}")
}

/// A line with ranges, `{1..3}`, as the lines with each number in their place.
fn expand(line: &str) -> Vec<String> {
    let range = |text: &str| -> Option<std::ops::RangeInclusive<u32>> {
        let (first, last) = text.split_once('}')?.0.split_once("..")?;
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let mut parts = line.split('{');
    let before = parts.next().unwrap_or_default();
    let Some(numbers) = parts.clone().next().and_then(range) else { return vec![line.to_owned()] };
    let after: Vec<&str> = parts.filter_map(|part| Some(part.split_once('}')?.1)).collect();
    numbers.map(|number| format!("{before}{number}{}", after.join(&number.to_string()))).collect()
}

/// The zones of `groups` as master files.
pub(crate) fn master_files(groups: &[&'static Group]) -> Vec<(&'static str, String)> {
    let zones = groups.iter().flat_map(|group| group.zones);
    zones
        .map(|&(apex, text)| {
            let has_soa = text.lines().any(|line| line.split_whitespace().take(3).any(|word| word == "SOA"));
            let soa = if has_soa { String::new() } else { usual_soa(apex, 3600) };
            // Indentation means "the owner before" in a master file.
            let text: Vec<String> = text.lines().flat_map(|line| expand(line.trim_start())).collect();
            (apex, format!("$ORIGIN {apex}\n$TTL 3600\n{soa}\n{}\n", text.join("\n")))
        })
        .collect()
}

/// As servers take them.
pub(crate) fn zones<'a>(files: &'a [(&'static str, String)]) -> Vec<Zone<'a>> {
    files.iter().map(|(apex, text)| Zone { apex, text }).collect()
}
