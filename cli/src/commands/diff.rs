//! `port53 diff`: the zones of two sources, as removed and added RRsets. The serial of a SOA does not count:
//! each system counts its own versions.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use port53_zone::content::{self, Content, Difference};
use port53_zone::{Name, RRset, Rtype, Soa, master, name};
use serde::Serialize;

use super::{Ended, NO_SALT, Outcome, read};
use crate::args::Diff;
use crate::judge::{Standing, zone_text};
use crate::report::{self, Color, ListFormat, Style};

type Zones = BTreeMap<Name, (Soa, Content)>;

/// An RRset that only one of the two has as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    zone: String,
    change: Kind,
    name: String,
    #[serde(rename = "type")]
    rtype: String,
    ttl: u32,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Removed,
    Added,
}

pub(super) fn run(arguments: Diff, color: Color) -> Outcome {
    let namespace = &arguments.namespace.namespace;
    let before = zones(&arguments.a, namespace)?;
    let after = zones(&arguments.b, namespace)?;
    let changes = compare(&before, &after);
    let text = match arguments.output {
        ListFormat::Table => text(&changes, Style::of(color, &io::stdout())),
        ListFormat::Json => report::json(
            &changes.iter().map(|(kind, zone, set)| change(*kind, zone, set)).collect::<Vec<_>>(),
        ),
        ListFormat::Yaml => report::yaml(
            &changes.iter().map(|(kind, zone, set)| change(*kind, zone, set)).collect::<Vec<_>>(),
        ),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if changes.is_empty() { Ended::Well } else { Ended::WithProblems })
}

fn zones(path: &PathBuf, namespace: &str) -> Result<Zones, Box<dyn std::error::Error>> {
    let directory = read(std::slice::from_ref(path), namespace)?;
    let judged = Standing::new(NO_SALT).judge(&directory);
    let errors = judged.findings.iter().filter(|finding| finding.is_error()).count();
    if errors > 0 {
        let path = path.display();
        eprintln!(
            "{path}: {}; what is wrong is left out of the comparison: run port53 check {path}",
            report::count(errors, "error")
        );
    }
    let zones = judged.plan.zones.into_iter();
    Ok(zones.map(|zone| (zone.apex, (zone.soa, zone.applied.content))).collect())
}

/// Removed and added RRsets, by zone, in canonical order.
fn compare(before: &Zones, after: &Zones) -> Vec<(Kind, Name, RRset)> {
    let mut apexes: Vec<&Name> = before.keys().chain(after.keys()).collect();
    apexes.sort();
    apexes.dedup();
    let mut changes = Vec::new();
    for apex in apexes {
        let (old, new) = (before.get(apex), after.get(apex));
        let mut add = |kind, rrset| changes.push((kind, apex.clone(), rrset));
        let soa = |zone: Option<&(Soa, Content)>| zone.map(|(soa, _)| soa_rrset(apex, soa));
        let same_but_for_serial = match (old, new) {
            (Some((old, _)), Some((new, _))) => Soa { serial: old.serial, ..new.clone() } == *old,
            _ => false,
        };
        if !same_but_for_serial {
            soa(old).into_iter().for_each(|rrset| add(Kind::Removed, rrset));
            soa(new).into_iter().for_each(|rrset| add(Kind::Added, rrset));
        }
        let empty = Content::empty(apex.clone(), NO_SALT);
        let content =
            |zone: Option<&(Soa, Content)>| zone.map_or(empty.clone(), |(_, content)| content.clone());
        for difference in content::diff(&content(old), &content(new)) {
            match difference {
                Difference::Removed(rrset) => add(Kind::Removed, rrset),
                Difference::Added(rrset) => add(Kind::Added, rrset),
                Difference::Changed { before, after } => {
                    add(Kind::Removed, before);
                    add(Kind::Added, after);
                }
            }
        }
    }
    changes
}

fn soa_rrset(apex: &Name, soa: &Soa) -> RRset {
    RRset::new(apex.clone(), Rtype::SOA, soa.ttl, [soa.rdata()])
}

fn text(changes: &[(Kind, Name, RRset)], style: Style) -> String {
    let mut text = String::new();
    for (kind, _, rrset) in changes {
        let mut lines = Vec::new();
        for record in rrset.records() {
            // Writing to memory does not fail.
            let _ = master::write_record(&mut lines, &record);
        }
        for line in String::from_utf8_lossy(&lines).lines() {
            text.push_str(&match kind {
                Kind::Removed => style.gone(&format!("- {line}")),
                Kind::Added => style.good(&format!("+ {line}")),
            });
            text.push('\n');
        }
    }
    text
}

fn change(kind: Kind, zone: &Name, rrset: &RRset) -> Change {
    Change {
        zone: zone_text(zone),
        change: kind,
        name: name::display(&rrset.name),
        rtype: port53_zone::rdata::display_rtype(rrset.rtype),
        ttl: rrset.ttl,
        values: rrset.values().iter().map(|value| port53_zone::rdata::display(rrset.rtype, value)).collect(),
    }
}
