//! `port53 diff`: two versions of a zone, or the zones of two sources, as removed and added RRsets. The serial of
//! a SOA does not count: each system counts its own versions.

mod applying;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use port53_zone::content::{self, Content, Difference};
use port53_zone::{Name, RRset, Rtype, Soa, master, name};
use serde::Serialize;

use super::{DEFAULT_NAMESPACE, Ended, NO_SALT, Outcome, read};
use crate::args::{self, ClusterArgs, Diff};
use crate::cluster::{self, Cluster};
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

/// What is compared with what.
#[derive(Debug, Eq, PartialEq)]
enum Sides<'a> {
    /// Without a cluster.
    Paths(&'a Path, &'a Path),
    /// A kept version of a zone with another, or with what is published.
    Versions(&'a str, u32, Option<u32>),
    /// What is published of a zone with what it would be.
    Applying(&'a str, &'a Path),
}

pub(super) fn run(arguments: Diff, color: Color) -> Outcome {
    let style = Style::of(color, &io::stderr());
    let cluster = &arguments.cluster;
    let (before, after, is_any_wrong) = match sides(&arguments, Path::exists)? {
        Sides::Paths(a, b) => {
            cluster.is_of_files("diff of two paths")?;
            let namespace = cluster.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
            let ((before, _), (after, _)) = (zones(a, namespace)?, zones(b, namespace)?);
            (before, after, false)
        }
        Sides::Versions(zone, a, b) => {
            let (before, after) = cluster::run(versions(cluster, zone, a, b))??;
            (before, after, false)
        }
        Sides::Applying(zone, path) => cluster::run(applying::sides(cluster, zone, path, style))??,
    };
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
    Ok(if changes.is_empty() && !is_any_wrong { Ended::Well } else { Ended::WithProblems })
}

/// What the arguments mean. `is_path` says whether something of that name is there.
fn sides(arguments: &Diff, is_path: impl Fn(&Path) -> bool) -> Result<Sides<'_>, String> {
    let Diff { a, b, c, .. } = arguments;
    let zone = a.to_str().ok_or_else(|| format!("{} is no zone and no path that is there", a.display()))?;
    let serial = b.to_str().and_then(|text| text.parse().ok());
    match (serial, c) {
        (Some(serial), Some(_)) => Ok(Sides::Versions(zone, serial, *c)),
        (None, Some(_)) => Err(format!("{} is no serial: give two serials of the zone {zone}", b.display())),
        (_, None) if is_path(a) && is_path(b) => Ok(Sides::Paths(a, b)),
        (_, None) if is_path(b) => Ok(Sides::Applying(zone, b)),
        (Some(serial), None) => Ok(Sides::Versions(zone, serial, None)),
        (None, None) => Err(format!(
            "there is no file or directory {b}, and it is no serial: name one that is there, or see the serials with \
             {program} history {zone}",
            b = b.display(),
            program = args::program()
        )),
    }
}

/// The zones of a path, and whether something of it is wrong, which is told.
fn zones(path: &Path, namespace: &str) -> Result<(Zones, bool), Box<dyn std::error::Error>> {
    let directory = read(&[path.to_owned()], namespace)?;
    let judged = Standing::new(NO_SALT).judge(&directory);
    let errors = judged.findings.iter().filter(|finding| finding.is_error()).count();
    if errors > 0 {
        let path = path.display();
        eprintln!(
            "{path}: {}; what is wrong is left out of the comparison: run {} check {path}",
            report::count(errors, "error"),
            args::program()
        );
    }
    let zones = judged.plan.zones.into_iter();
    Ok((zones.map(|zone| (zone.apex, (zone.soa, zone.applied.content))).collect(), errors > 0))
}

async fn versions(
    arguments: &ClusterArgs,
    zone: &str,
    before: u32,
    after: Option<u32>,
) -> Result<(Zones, Zones), String> {
    let cluster = Cluster::connect(arguments).await?;
    let found = cluster.find(zone).await?;
    let before = cluster.version(&found, before).await?;
    let after = match after {
        Some(serial) => cluster.version(&found, serial).await?,
        None => cluster.published(&found).await?.1,
    };
    let side = |version: cluster::published::Version| {
        Zones::from([(found.apex.clone(), (version.soa, version.content))])
    };
    Ok((side(before), side(after)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        diff: Diff,
    }

    #[test]
    fn what_is_there_is_a_path_and_the_rest_a_zone_and_serials() {
        let there = |path: &Path| path == Path::new("dns") || path == Path::new("old.zone");
        let sides_of = |line: &str| {
            let words = std::iter::once("diff").chain(line.split(' '));
            let diff = Line::parse_from(words).diff;
            sides(&diff, there).map(|sides| format!("{sides:?}"))
        };
        for (line, expected) in [
            ("dns old.zone", "Paths(\"dns\", \"old.zone\")"),
            ("example.com dns", "Applying(\"example.com\", \"dns\")"),
            ("example.com 7", "Versions(\"example.com\", 7, None)"),
            ("dns 7", "Versions(\"dns\", 7, None)"),
            ("dns/example-com 7 4294967295", "Versions(\"dns/example-com\", 7, Some(4294967295))"),
        ] {
            assert_eq!(sides_of(line).as_deref(), Ok(expected), "{line}");
        }
        assert!(sides_of("example.com dsn").is_err_and(|why| why.contains("no file or directory dsn")));
        assert!(sides_of("example.com dns 7").is_err_and(|why| why.contains("dns is no serial")));
    }
}
