//! `port53 status`: how zones are served; of one zone, which records are not, and why.

use std::io::{self, Write};

use kube::api::ListParams;
use port53_client::explain;
use port53_crds::{ConditionType, DNSRecord, Reason, Zone, find_condition};
use port53_store::Head;
use serde::Serialize;

use super::{Ended, Outcome};
use crate::args;
use crate::cluster::verdict::{Verdict, Why};
use crate::cluster::zones::{Found, namespaced, without_zone};
use crate::cluster::{self, Cluster};
use crate::judge::zone_text;
use crate::report::{self, Color, ListFormat, Style};

/// A zone as its status says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ZoneRow {
    zone: String,
    namespace: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serving: Option<String>,
    ready: &'static str,
    reason: String,
    message: String,
    /// What the guard says, while it holds something.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
}

/// A record that is not Ready.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordRow {
    namespace: String,
    name: String,
    record: String,
    #[serde(rename = "type")]
    rtype: String,
    ready: &'static str,
    reason: String,
    message: String,
}

/// One zone with what is not Ready in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OneZone {
    #[serde(flatten)]
    zone: ZoneRow,
    not_ready: Vec<RecordRow>,
}

pub(super) fn run(arguments: args::Status, color: Color) -> Outcome {
    let style = Style::of(color, &io::stdout());
    let (text, ended) = match &arguments.zone {
        None => cluster::run(all(&arguments, style))??,
        Some(zone) => cluster::run(one(&arguments, zone, style))??,
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ended)
}

async fn all(arguments: &args::Status, style: Style) -> Result<(String, Ended), String> {
    let cluster = Cluster::connect(&arguments.cluster).await?;
    let api = match arguments.all_namespaces {
        true => cluster.of_all::<Zone>(),
        false => cluster.of::<Zone>(&cluster.namespace),
    };
    let zones = cluster.list(&api, &ListParams::default()).await;
    let zones = zones.map_err(|error| format!("the Zones cannot be listed: {}", explain(&error)))?;
    let mut rows: Vec<ZoneRow> = zones.iter().map(ZoneRow::of).collect();
    if arguments.all_namespaces {
        match cluster.heads_without_zone(&zones).await {
            Ok(heads) => rows.extend(heads.iter().map(ZoneRow::without_zone)),
            Err(why) => eprintln!("zones that are served without a Zone are not listed: {why}"),
        }
    }
    if rows.is_empty() && arguments.output == ListFormat::Table {
        match arguments.all_namespaces {
            true => eprintln!("there is no Zone"),
            false => eprintln!("there is no Zone in namespace {}: -A looks into all", cluster.namespace),
        }
        return Ok((String::new(), Ended::Well));
    }
    let text = match arguments.output {
        ListFormat::Table => zones_table(&rows, style),
        ListFormat::Json => report::json(&rows),
        ListFormat::Yaml => report::yaml(&rows),
    };
    Ok((text, ended(rows.iter().all(|row| row.ready == "True"))))
}

async fn one(arguments: &args::Status, zone: &str, style: Style) -> Result<(String, Ended), String> {
    let cluster = Cluster::connect(&arguments.cluster).await?;
    let found: Found = cluster.find(zone).await?;
    let zone = found.object()?;
    let (mut records, is_all) = cluster.records_of(zone).await?;
    if !is_all {
        eprintln!(
            "only the records of namespace {} are looked at: grant the right to list DNSRecords of all namespaces",
            namespaced(zone).0
        );
    }
    let (all, is_zone_ready) = (records.len(), Verdict::of_zone(zone).is_ready());
    records.retain(|record| !Verdict::of_record(record).is_ready());
    records.sort_by(|a, b| namespaced(a).cmp(&namespaced(b)));
    let one = OneZone { zone: ZoneRow::of(zone), not_ready: records.iter().map(RecordRow::of).collect() };
    let text = match arguments.output {
        ListFormat::Table => one.text(all, style),
        ListFormat::Json => report::json(&one),
        ListFormat::Yaml => report::yaml(&one),
    };
    Ok((text, ended(is_zone_ready && one.not_ready.is_empty())))
}

fn ended(is_well: bool) -> Ended {
    if is_well { Ended::Well } else { Ended::WithProblems }
}

impl ZoneRow {
    fn of(zone: &Zone) -> Self {
        let (namespace, name) = namespaced(zone);
        let status = zone.status.clone().unwrap_or_default();
        let verdict = Verdict::of_zone(zone);
        let Why { reason, message } = verdict.why();
        let held = find_condition(&status.conditions, ConditionType::Held);
        ZoneRow {
            zone: zone.spec.domain.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            serial: status.serial,
            records: status.records,
            rejected: status.rejected,
            serving: status.serving,
            ready: verdict.ready_text(),
            reason,
            message,
            held: held.filter(|held| held.status == "True").map(|held| report::shown(&held.message)),
        }
    }

    /// Of a zone that is served although its Zone is gone. Nobody says who answers it.
    fn without_zone(head: &Head) -> Self {
        let (domain, holder) = (zone_text(&head.apex), &head.holder);
        ZoneRow {
            namespace: holder.namespace.clone(),
            name: holder.name.clone(),
            serial: Some(head.soa.serial),
            records: Some(head.rrsets),
            rejected: None,
            serving: None,
            ready: "False",
            reason: Reason::ZoneNotFound.as_str().to_owned(),
            message: without_zone(&domain, &holder.namespace, &holder.name),
            held: None,
            zone: domain,
        }
    }

    fn cells(&self) -> Vec<String> {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        vec![
            self.zone.clone(),
            shown(self.serial.map(|serial| serial.to_string())),
            shown(self.records.map(|records| records.to_string())),
            shown(self.rejected.map(|rejected| rejected.to_string())),
            shown(self.serving.clone()),
            self.ready.to_owned(),
            match &self.held {
                Some(_) => format!("{}, RemovalsHeld", self.reason),
                None => self.reason.clone(),
            },
            format!("{}/{}", self.namespace, self.name),
        ]
    }
}

impl RecordRow {
    fn of(record: &DNSRecord) -> Self {
        let (namespace, name) = namespaced(record);
        let verdict = Verdict::of_record(record);
        let Why { reason, message } = verdict.why();
        RecordRow {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            record: record.spec.name.clone(),
            rtype: record.spec.type_.clone(),
            ready: verdict.ready_text(),
            reason,
            message,
        }
    }
}

impl OneZone {
    fn text(&self, records: usize, style: Style) -> String {
        let mut text = zones_table(std::slice::from_ref(&self.zone), style);
        if !self.zone.message.is_empty() {
            text.push_str(&format!("\nzone: {}\n", self.zone.message));
        }
        if let Some(held) = &self.zone.held {
            text.push_str(&format!("held: {held}\n"));
        }
        text.push_str(&format!(
            "{}, {} not Ready\n",
            report::count(records, "DNSRecord"),
            self.not_ready.len()
        ));
        if self.not_ready.is_empty() {
            return text;
        }
        let cells = |row: &RecordRow| {
            let object = format!("{}/{}", row.namespace, row.name);
            vec![object, row.record.clone(), row.rtype.clone(), row.reason.clone(), row.message.clone()]
        };
        let rows: Vec<Vec<String>> = self.not_ready.iter().map(cells).collect();
        text.push('\n');
        text.push_str(&report::table(&["DNSRECORD", "NAME", "TYPE", "REASON", "MESSAGE"], &rows, style));
        text
    }
}

fn zones_table(rows: &[ZoneRow], style: Style) -> String {
    let head = ["ZONE", "SERIAL", "RECORDS", "REJECTED", "SERVING", "READY", "REASON", "OBJECT"];
    let rows: Vec<Vec<String>> = rows.iter().map(ZoneRow::cells).collect();
    report::table(&head, &rows, style)
}
