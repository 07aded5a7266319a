//! `port53 migration`: how far a zone is that moves here from another DNS, what differs, what is refused, and settling it;
//! what questions of clients show ([`shadow`]), and taking every nameserver back ([`fallback`]).
//!
//! The operator has the key of legacy and reaches it; a person at a terminal need not. So what is asked here is said to the
//! operator by an annotation, and what it found is read from the status and the lists beside it.

mod fallback;
mod shadow;

use std::io::{self, Write};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use port53_client::explain;
use port53_crds::{
    ConditionType, DifferenceKind, PREFER_ANNOTATION, RRsetDifference, Reject, ZoneMigration,
    ZoneMigrationStatus, find_condition,
};
use port53_operator::migrations::lists;
use port53_operator::migrations::scope::NotCounted;
use port53_zone::{name, rdata};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::finish::{Said, finish};
use super::{Ended, Outcome};
use crate::args::{ClusterArgs, Migration, MigrationVerb, OfZone, Preferred, RejectsFormat, program};
use crate::cluster::annotate::Annotation;
use crate::cluster::zones::namespaced;
use crate::cluster::{self, Cluster, field_is};
use crate::report::{self, Color, ListFormat, Style};

/// How often it is looked at while it is waited for.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// How long a status that is about the newest spec is waited for, when nobody said to wait.
const MOMENT: Duration = Duration::from_secs(3);

pub(super) fn run(arguments: &Migration, color: Color) -> Outcome {
    let style = Style::of(color, &io::stdout());
    match &arguments.verb {
        MigrationVerb::Status { zone, wait, timeout, output, cluster } => {
            let all = cluster::run(statuses(zone.as_deref(), cluster, *wait, *timeout))??;
            show(match output {
                ListFormat::Json => report::json(&all),
                ListFormat::Yaml => report::yaml(&all),
                ListFormat::Table => statuses_table(&all, style),
            })?;
            let open = all.iter().filter_map(|migration| not_ready(migration).map(|why| (migration, why)));
            let open: Vec<String> =
                open.map(|(migration, why)| format!("{}: {why}", called(migration))).collect();
            open.iter().for_each(|line| eprintln!("{line}"));
            Ok(if open.is_empty() { Ended::Well } else { Ended::WithProblems })
        }
        MigrationVerb::Diff { of, timeout, output } => {
            let Found { differences, count } = cluster::run(differences(of, *timeout))??;
            show(match output {
                ListFormat::Json => report::json(&differences),
                ListFormat::Yaml => report::yaml(&differences),
                ListFormat::Table => differences_table(&differences, style),
            })?;
            eprintln!("{}", told(&of.zone, count, "RRset", "differs", "differ"));
            if count > differences.len() {
                eprintln!("the first {} are listed", differences.len());
            }
            Ok(if differences.is_empty() { Ended::Well } else { Ended::WithProblems })
        }
        MigrationVerb::Rejects { of, output } => {
            let rejects = cluster::run(rejects(of))??;
            show(match output {
                RejectsFormat::Json => report::json(&rejects),
                RejectsFormat::Yaml => report::yaml(&rejects),
                RejectsFormat::Csv => csv(&rejects),
                RejectsFormat::Table => rejects_table(&rejects, style),
            })?;
            eprintln!("{}", told(&of.zone, rejects.len(), "RRset", "is refused", "are refused"));
            Ok(if rejects.is_empty() { Ended::Well } else { Ended::WithProblems })
        }
        MigrationVerb::Shadow { of, output } => shadow::run(of, *output, style),
        MigrationVerb::Fallback { of, off, timeout } => {
            println!("{}", cluster::run(fallback::run(of, *off, *timeout))??);
            Ok(Ended::Well)
        }
        MigrationVerb::Resolve { of, name, rtype, prefer, timeout } => {
            let side = match prefer {
                Preferred::Legacy => "legacy",
                Preferred::Port53 => "port53",
            };
            let what: Vec<String> = name.iter().map(name::display).chain(rtype.clone()).collect();
            Ok(cluster::run(resolve(of, side, &what, *timeout))??)
        }
        MigrationVerb::Finish { of, entry, legacy_is_quiet, take_back, timeout } => {
            let said =
                Said { entry: *entry, is_quiet: *legacy_is_quiet, take_back: *take_back, timeout: *timeout };
            Ok(cluster::run(finish(of, said))??)
        }
    }
}

fn show(text: String) -> io::Result<()> {
    io::stdout().lock().write_all(text.as_bytes())
}

/// `example.com: 2 RRsets differ`.
fn told(zone: &str, count: usize, what: &str, one: &str, many: &str) -> String {
    match count {
        0 => format!("{zone}: no {what} {one}"),
        1 => format!("{zone}: 1 {what} {one}"),
        _ => format!("{zone}: {} {many}", report::count(count, what)),
    }
}

/// The migrations that a person means, once the operator has looked at what they say now.
async fn statuses(
    zone: Option<&str>,
    arguments: &ClusterArgs,
    wait: bool,
    timeout: Duration,
) -> Result<Vec<ZoneMigration>, String> {
    let cluster = Cluster::connect(arguments).await?;
    let until = Instant::now() + if wait { timeout } else { MOMENT };
    let mut last = String::new();
    loop {
        let all = match zone {
            Some(zone) => vec![find(&cluster, zone).await?],
            None => all(&cluster).await?,
        };
        let is_over = match wait {
            true => all.iter().all(|migration| not_ready(migration).is_none()),
            false => all.iter().all(|migration| seen(migration).is_some()),
        };
        if is_over || Instant::now() >= until {
            return Ok(all);
        }
        let progress: Vec<String> = all.iter().filter(|one| not_ready(one).is_some()).map(progress).collect();
        let progress = progress.join("\n");
        if wait && progress != last {
            eprintln!("{progress}");
            last = progress;
        }
        sleep(LOOK).await;
    }
}

async fn all(cluster: &Cluster) -> Result<Vec<ZoneMigration>, String> {
    let api = cluster.of::<ZoneMigration>(&cluster.namespace);
    cluster.list(&api, &ListParams::default()).await.map_err(|error| explain(&error))
}

/// The migration of a zone.
pub(super) async fn find(cluster: &Cluster, zone: &str) -> Result<ZoneMigration, String> {
    let found = cluster.find(zone).await?;
    let (namespace, name) = namespaced(found.object()?);
    let api = cluster.of::<ZoneMigration>(namespace);
    let params = ListParams::default().fields(&field_is("spec.zoneRef.name", name));
    let mut all = cluster.list(&api, &params).await.map_err(|error| explain(&error))?;
    // The oldest has it.
    all.sort_by_key(|one| (one.metadata.creation_timestamp.clone().map(|time| time.0), one.name_any()));
    if all.is_empty() {
        return Err(format!(
            "Zone {namespace}/{name} has no ZoneMigration: apply one, with spec.zoneRef.name {name}"
        ));
    }
    Ok(all.remove(0))
}

/// What the status says, if it is about the newest spec.
pub(super) fn seen(migration: &ZoneMigration) -> Option<&ZoneMigrationStatus> {
    let status = migration.status.as_ref()?;
    (Some(status.observed_generation) == migration.metadata.generation).then_some(status)
}

/// Why it is not as its spec asks.
fn not_ready(migration: &ZoneMigration) -> Option<String> {
    let Some(status) = seen(migration) else {
        return Some("the operator has not looked at the newest spec yet".to_owned());
    };
    let ready = find_condition(&status.conditions, ConditionType::Ready)?;
    (ready.status != "True").then(|| format!("{}: {}", ready.reason, ready.message))
}

fn called(migration: &ZoneMigration) -> String {
    let (namespace, name) = namespaced(migration);
    format!("{namespace}/{name}")
}

fn progress(migration: &ZoneMigration) -> String {
    let backfilled = migration.status.as_ref().and_then(|status| status.backfilled.clone());
    let why = not_ready(migration).unwrap_or_default();
    format!("{}: backfilled {}: {why}", called(migration), backfilled.unwrap_or_else(|| "-".to_owned()))
}

/// What differs: those that are listed, and how many there are.
struct Found {
    differences: Vec<RRsetDifference>,
    count: usize,
}

/// What differs, compared just now.
async fn differences(of: &OfZone, timeout: Duration) -> Result<Found, String> {
    let cluster = Cluster::connect(&of.cluster).await?;
    let migration = find(&cluster, &of.zone).await?;
    let request = Timestamp::now().to_string();
    cluster.annotate(&migration, Annotation::Compare, &request).await?;
    let migration = until(&cluster, &migration, timeout, |now| {
        seen(now).is_some_and(|status| status.compared.as_deref() == Some(&request))
    });
    let migration = migration.await?;
    let status = migration.status.as_ref();
    let count = status.and_then(|status| status.inconsistent);
    let Some(count) = count else {
        return Err(not_ready(&migration).unwrap_or_else(|| "they were not compared yet".to_owned()));
    };
    let in_sync = status.and_then(|status| find_condition(&status.conditions, ConditionType::InSync));
    if let Some(unknown) = in_sync.filter(|in_sync| in_sync.status == "Unknown") {
        return Err(unknown.message.clone());
    }
    let differences = match count {
        0 => Vec::new(),
        _ => listed(&cluster, &migration, "differences").await?,
    };
    Ok(Found { differences, count: usize::try_from(count).unwrap_or(usize::MAX) })
}

async fn rejects(of: &OfZone) -> Result<Vec<Reject>, String> {
    let cluster = Cluster::connect(&of.cluster).await?;
    let migration = find(&cluster, &of.zone).await?;
    match migration.status.as_ref().and_then(|status| status.rejected) {
        None => Err(not_ready(&migration).unwrap_or_else(|| "nothing was brought over yet".to_owned())),
        Some(0) => Ok(Vec::new()),
        Some(_) => listed(&cluster, &migration, "rejects").await,
    }
}

/// Whether the migration of a zone leaves an RRset out.
fn is_left_out(migration: &ZoneMigration, zone: &str, name: &str, type_: &str) -> bool {
    let is_it = || {
        let apex = name::parse_absolute(zone).ok()?;
        let left_out = NotCounted::read(&migration.spec.compare.leave_out, &apex).ok()?;
        Some(left_out.has(&name::parse_absolute(name).ok()?, rdata::parse_rtype(type_)?))
    };
    is_it().unwrap_or_default()
}

/// Says which side is right of all, or of a name and type, and waits until the operator has settled what can be; then both
/// sides are compared once more.
async fn resolve(of: &OfZone, side: &str, what: &[String], timeout: Duration) -> Result<Ended, String> {
    let cluster = Cluster::connect(&of.cluster).await?;
    let migration = find(&cluster, &of.zone).await?;
    if let Some(condition) = migration.status.as_ref().and_then(|status| {
        find_condition(&status.conditions, ConditionType::LegacyReachable).filter(|one| one.status == "False")
    }) {
        return Err(format!("legacy is not reached: {}", condition.message));
    }
    if let [name, type_] = what
        && is_left_out(&migration, &of.zone, name, type_)
    {
        return Err(format!(
            "{name} {type_} is left out (spec.compare.leaveOut): each side has its own, and neither is written"
        ));
    }
    let said = std::iter::once(side).chain(what.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let migration = cluster.annotate(&migration, Annotation::Prefer, &said).await?;
    let settled = until(&cluster, &migration, timeout, |now| Annotation::Prefer.of(now).is_none()).await;
    if let Err(why) = settled {
        // Nobody waits for it any more: what changes until it could be heeded is not what was looked at.
        let taken = cluster.take_back(&migration, Annotation::Prefer).await;
        let left = match taken {
            Ok(_) => "it is not asked for any longer".to_owned(),
            Err(why) => format!("it stays asked for ({why}): take the annotation {PREFER_ANNOTATION} away"),
        };
        eprintln!("{why}; {left}; {} migration diff {} says what still differs, and why", program(), of.zone);
        return Ok(Ended::WithProblems);
    }
    let Found { differences: mut left, count } = differences(of, timeout).await?;
    if count > left.len() {
        return Err(format!("{count} RRsets still differ, of which the first {} are listed", left.len()));
    }
    left.retain(|one| {
        let is_it = match what {
            [name, type_] => one.name.eq_ignore_ascii_case(name) && one.type_.eq_ignore_ascii_case(type_),
            _ => true,
        };
        is_it && one.kind != DifferenceKind::Answer
    });
    let Some(first) = left.first() else {
        println!("{}: what differed is as {side} has it", of.zone);
        return Ok(Ended::Well);
    };
    eprintln!(
        "{}: {} RRsets still differ, the first is {}: {} migration diff {} lists them, and {} migration rejects {} \
         what is refused here",
        of.zone,
        left.len(),
        first.in_short(),
        program(),
        of.zone,
        program(),
        of.zone
    );
    Ok(Ended::WithProblems)
}

/// The migration, once it is so.
async fn until(
    cluster: &Cluster,
    migration: &ZoneMigration,
    timeout: Duration,
    is_so: impl Fn(&ZoneMigration) -> bool,
) -> Result<ZoneMigration, String> {
    let (namespace, name) = namespaced(migration);
    let api = cluster.of::<ZoneMigration>(namespace);
    let until = Instant::now() + timeout;
    loop {
        let now = cluster.asked(|| api.get_opt(name)).await.map_err(|error| explain(&error))?;
        let now = now.ok_or_else(|| format!("ZoneMigration {namespace}/{name} was deleted"))?;
        if is_so(&now) {
            return Ok(now);
        }
        if Instant::now() >= until {
            let why = not_ready(&now).unwrap_or_else(|| "the operator does not answer".to_owned());
            return Err(format!("ZoneMigration {namespace}/{name}: not within {timeout:?}: {why}"));
        }
        sleep(LOOK).await;
    }
}

/// A list that is kept beside a migration, whole.
async fn listed<T: DeserializeOwned>(
    cluster: &Cluster,
    migration: &ZoneMigration,
    kind: &str,
) -> Result<Vec<T>, String> {
    let (namespace, name) = namespaced(migration);
    let api = cluster.of::<ConfigMap>(namespace);
    let (mut list, mut number, mut shares) = (Vec::new(), 0, 1);
    while number < shares {
        let map = lists::name(name, kind, number);
        let found = cluster.asked(|| api.get_opt(&map)).await.map_err(|error| explain(&error))?;
        let mut data = found.and_then(|found| found.data).unwrap_or_default();
        if let Some(said) = data.get(lists::SHARES).and_then(|said| said.parse().ok()) {
            shares = said;
        }
        let Some(text) = data.remove(&lists::file(kind)) else { break };
        let share: Vec<T> = serde_json::from_str(&text).map_err(|error| {
            format!("ConfigMap {namespace}/{map} cannot be read: {error}: delete it, and it is written again")
        })?;
        list.extend(share);
        number += 1;
    }
    Ok(list)
}

fn word(value: &impl serde::Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

fn statuses_table(all: &[ZoneMigration], style: Style) -> String {
    let none = ZoneMigrationStatus::default();
    let row = |migration: &ZoneMigration| {
        let status = migration.status.as_ref().unwrap_or(&none);
        let condition = |type_: ConditionType| {
            find_condition(&status.conditions, type_)
                .map_or_else(|| "Unknown".to_owned(), |one| one.status.clone())
        };
        let count = |count: Option<u64>| count.map(|count| count.to_string()).unwrap_or_default();
        vec![
            migration.spec.zone_ref.name.clone(),
            condition(ConditionType::LegacyReachable),
            status.backfilled.clone().unwrap_or_default(),
            count(status.rejected),
            count(status.inconsistent),
            count(status.waiting),
            status.phase.as_ref().map(word).unwrap_or_default(),
            condition(ConditionType::Ready),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let head = ["ZONE", "LEGACY", "BACKFILLED", "REJECTED", "INCONSISTENT", "WAITING", "PHASE", "READY"];
    report::table(&head, &rows, style)
}

fn differences_table(differences: &[RRsetDifference], style: Style) -> String {
    let row = |one: &RRsetDifference| {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            one.name.clone(),
            one.type_.clone(),
            word(&one.kind),
            side(&one.port53),
            side(&one.legacy),
            word(&one.changed),
            one.since.clone(),
            one.kept.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = differences.iter().map(row).collect();
    report::table(&["NAME", "TYPE", "DIFFERS", "PORT53", "LEGACY", "CHANGED", "SINCE", "KEPT"], &rows, style)
}

fn rejects_table(rejects: &[Reject], style: Style) -> String {
    let row = |one: &Reject| {
        vec![
            one.name.clone(),
            one.type_.clone(),
            one.values.join(", "),
            one.reason.clone(),
            one.message.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = rejects.iter().map(row).collect();
    report::table(&["NAME", "TYPE", "VALUES", "REASON", "MESSAGE"], &rows, style)
}

/// A line of cells (RFC 4180 §2).
fn line_of_csv(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell_of_csv(cell)).collect();
    cells.join(",") + "\r\n"
}

/// Each record on a line (RFC 4180).
fn csv(rejects: &[Reject]) -> String {
    let head = ["name", "type", "ttl", "value", "reason", "message"].map(str::to_owned);
    let mut text = line_of_csv(&head);
    for one in rejects {
        for value in &one.values {
            let ttl = one.ttl.to_string();
            text += &line_of_csv(&[
                one.name.clone(),
                one.type_.clone(),
                ttl,
                value.clone(),
                one.reason.clone(),
                one.message.clone(),
            ]);
        }
    }
    text
}

/// RFC 4180 §2; and what a spreadsheet would take for a formula is text, for a stranger may have written it.
fn cell_of_csv(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    match cell.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(value: &str, message: &str) -> Reject {
        Reject {
            name: "www.example.com.".to_owned(),
            type_: "TXT".to_owned(),
            ttl: 60,
            values: vec![value.to_owned()],
            reason: "Refused".to_owned(),
            message: message.to_owned(),
        }
    }

    /// RFC 4180 §2: fields with quotes, commas or line ends stand in quotes, and a quote in them twice.
    #[test]
    fn rfc4180_2_what_separates_is_quoted() {
        let text = csv(&[reject("\"a\"", "one, two")]);
        let second = text.split("\r\n").nth(1);
        assert_eq!(second, Some("www.example.com.,TXT,60,\"\"\"a\"\"\",Refused,\"one, two\""));
    }

    #[test]
    fn what_a_spreadsheet_would_calculate_is_text() {
        assert_eq!(cell_of_csv("=HYPERLINK(1)"), "'=HYPERLINK(1)");
    }

    fn migration(generation: i64, observed: i64, ready: &str) -> ZoneMigration {
        let value = json!({
            "apiVersion": "port53.dev/v1alpha1",
            "kind": "ZoneMigration",
            "metadata": {"name": "m", "namespace": "dns", "generation": generation},
            "spec": {"zoneRef": {"name": "z"}, "legacy": {"addresses": ["192.0.2.53"]}},
            "status": {"observedGeneration": observed, "conditions": [{
                "type": "Ready", "status": ready, "reason": "Equal", "message": "why",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }]},
        });
        serde_json::from_value(value).expect("a migration")
    }

    #[test]
    fn a_status_of_an_older_spec_is_none() {
        assert_eq!(not_ready(&migration(2, 2, "True")), None);
        assert_eq!(not_ready(&migration(2, 2, "False")), Some("Equal: why".to_owned()));
        assert!(not_ready(&migration(2, 1, "True")).is_some_and(|why| why.contains("newest spec")));
    }
}
