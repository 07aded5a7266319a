//! What `port53 dev` prints: the zones and what is wrong at the start, and then what each change made of it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use port53_operator::stages::{Plan, ZoneOutcome};
use port53_zone::content::Change;
use port53_zone::{Rtype, name};
use serde::Serialize;

use crate::directory::Counts;
use crate::finding::Finding;
use crate::judge::{Judged, ZoneRow, zone_text};
use crate::report::{self, Color, ListFormat, Style};

pub(super) struct Screen {
    format: ListFormat,
    style: Style,
    told: BTreeSet<Finding>,
}

/// What programs are told after each change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Update<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    listening: Option<&'a [SocketAddr]>,
    counts: Counts,
    zones: Vec<ZoneRow>,
    withdrawn: Vec<String>,
    findings: &'a [Finding],
    /// From the look at the files to the swap.
    milliseconds: f64,
}

impl Screen {
    pub(super) fn new(format: ListFormat, color: Color) -> Self {
        Screen { format, style: Style::of(color, &io::stdout()), told: BTreeSet::new() }
    }

    /// The state at the start.
    pub(super) fn start(
        &mut self,
        addresses: &[SocketAddr],
        counts: Counts,
        judged: &Judged,
        took: Duration,
    ) -> io::Result<()> {
        self.told = judged.findings.iter().cloned().collect();
        if self.format != ListFormat::Table {
            return self.update(Some(addresses), counts, judged, took);
        }
        let mut text = report::zones_table(&judged.zones(), self.style);
        text.push('\n');
        text.push_str(&report::findings_text(&judged.findings, self.style));
        text.push_str(&format!("{}\n\n", report::summary(&counts, &judged.findings)));
        for address in addresses {
            text.push_str(&format!("listening on {address} (UDP and TCP)\n"));
        }
        if let Some(line) = addresses.first().and_then(|address| dig_line(&judged.plan, address)) {
            text.push_str(&format!("try: {}\n", self.style.strong(&line)));
        }
        print(&text)
    }

    /// What a change made of it.
    pub(super) fn change(&mut self, counts: Counts, judged: &Judged, took: Duration) -> io::Result<()> {
        if self.format != ListFormat::Table {
            return self.update(None, counts, judged, took);
        }
        let mut text = String::new();
        for zone in judged.plan.zones.iter().filter(|zone| zone.is_new_version) {
            text.push_str(&format!("{}\n", self.style.good(&in_service(zone, took))));
        }
        for apex in &judged.plan.withdrawn {
            text.push_str(&format!("{}\n", self.style.gone(&format!("{}: withdrawn", zone_text(apex)))));
        }
        let now: BTreeSet<Finding> = judged.findings.iter().cloned().collect();
        text.push_str(&report::findings_text(now.difference(&self.told), self.style));
        if now != self.told {
            text.push_str(&format!("{}\n", report::summary(&counts, &judged.findings)));
        }
        self.told = now;
        print(&text)
    }

    fn update(
        &self,
        listening: Option<&[SocketAddr]>,
        counts: Counts,
        judged: &Judged,
        took: Duration,
    ) -> io::Result<()> {
        let update = Update {
            listening,
            counts,
            zones: judged.zones(),
            withdrawn: judged.plan.withdrawn.iter().map(zone_text).collect(),
            findings: &judged.findings,
            milliseconds: took.as_secs_f64() * 1e3,
        };
        print(&match self.format {
            // A line each, so that programs can follow.
            ListFormat::Json => serde_json::to_string(&update)? + "\n",
            ListFormat::Yaml | ListFormat::Table => format!("---\n{}", report::yaml(&update)),
        })
    }
}

/// `example.com: serial 5 in service after 3.1 ms: 21 RRsets, 1 written, 0 removed`.
fn in_service(zone: &ZoneOutcome, took: Duration) -> String {
    let removed = zone.changes.iter().filter(|change| matches!(change, Change::Remove { .. })).count();
    format!(
        "{}: serial {} in service after {:.1} ms: {}, {} written, {removed} removed",
        zone_text(&zone.apex),
        zone.soa.serial,
        took.as_secs_f64() * 1e3,
        report::count(zone.accepted, "RRset"),
        zone.changes.len() - removed,
    )
}

/// A question that has an answer: an address somewhere, else the SOA of some zone.
fn dig_line(plan: &Plan, address: &SocketAddr) -> Option<String> {
    let zone = plan.zones.first()?;
    let is_plain = |owner: &port53_zone::Name| owner.first().as_slice() != b"*";
    let found = plan
        .zones
        .iter()
        .flat_map(|zone| zone.applied.content.iter())
        .find(|(rrset, _)| rrset.rtype == Rtype::A && is_plain(&rrset.name));
    let question = match found {
        Some((rrset, _)) => format!("{} A", name::display(&rrset.name)),
        None => format!("{} SOA", name::display(&zone.apex)),
    };
    Some(format!("dig @{} -p {} {question}", address.ip(), address.port()))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
