//! From what a directory holds to what is served and what people are told: the stages of the operator over
//! the objects of a directory, and their verdicts with files and lines.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use port53_operator::objects::ObjectRef;
use port53_operator::stages::{Inputs, MissingZone, Plan, Planner, Published, Settings};
use port53_operator::verdict::{Complaint, Outcome, Verdict};
use port53_zone::{Name, name, rules};

use crate::directory::Directory;
use crate::finding::{Finding, Severity};

/// What is served from a directory, version after version.
pub struct Standing {
    published: BTreeMap<Name, Published>,
    planner: Planner,
    salt: [u8; 16],
}

/// What one look at a directory came to.
pub struct Judged {
    /// What is to be served.
    pub plan: Plan,
    /// All that is wrong, by file and line.
    pub findings: Vec<Finding>,
}

impl Standing {
    /// Nothing is served yet. `salt` is drawn at random where a stranger's names are served, see
    /// [`port53_zone::content::Content::empty`].
    pub fn new(salt: [u8; 16]) -> Self {
        Standing { published: BTreeMap::new(), planner: Planner::default(), salt }
    }

    /// Runs the stages over what the directory holds.
    pub fn judge(&mut self, directory: &Directory) -> Judged {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let settings = Settings {
            now,
            salt: self.salt,
            limits: rules::Limits::default(),
            nameservers: Vec::new(),
            sets: None,
            apexes: BTreeMap::new(),
            missing_zone: MissingZone::Withdraw,
        };
        let plan = self.planner.plan(&Inputs {
            objects: directory.objects(),
            published: &self.published,
            serials: &BTreeMap::new(),
            settings: &settings,
        });
        let mut findings: Vec<Finding> = directory.findings().cloned().collect();
        findings.extend(self::findings(directory, plan.verdicts()));
        findings.sort();
        findings.dedup();
        Judged { plan, findings }
    }

    /// Takes note of what is served now.
    pub fn publish(&mut self, plan: &Plan) {
        for apex in &plan.withdrawn {
            self.published.remove(apex);
        }
        for zone in &plan.zones {
            let published = Published {
                holder: zone.holder.clone(),
                content: zone.applied.content.clone(),
                soa: zone.soa.clone(),
            };
            self.published.insert(zone.apex.clone(), published);
        }
    }
}

/// A line of the table of zones.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneRow {
    /// The zone, without its last dot.
    pub zone: String,
    /// Of the SOA.
    pub serial: u32,
    /// That are served, the SOA not counted.
    pub rrsets: usize,
    /// DNSRecords, or records of the master file, that are not served as written.
    pub rejected: usize,
    /// The Zone or master file.
    pub source: String,
}

impl Judged {
    /// The table of zones.
    pub fn zones(&self) -> Vec<ZoneRow> {
        let rows = self.plan.zones.iter().map(|zone| ZoneRow {
            zone: zone_text(&zone.apex),
            serial: zone.soa.serial,
            rrsets: zone.accepted,
            rejected: zone.rejected,
            source: zone.holder.to_string(),
        });
        rows.collect()
    }

    /// Whether something is kept out of service.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// A zone as people call it: without the last dot, but for the root.
pub fn zone_text(apex: &Name) -> String {
    let text = name::display(apex);
    if apex.is_root() { text } else { text.trim_end_matches('.').to_owned() }
}

/// What verdicts say, at the places in the directory.
pub(crate) fn findings<'v>(
    directory: &Directory,
    verdicts: impl IntoIterator<Item = &'v Verdict>,
) -> impl Iterator<Item = Finding> {
    verdicts.into_iter().flat_map(move |verdict| {
        verdict.complaints.iter().map(move |complaint| finding(directory, verdict, complaint))
    })
}

fn finding(directory: &Directory, verdict: &Verdict, complaint: &Complaint) -> Finding {
    let (file, (line, column)) = match (&complaint.position, &verdict.object) {
        (Some(position), ObjectRef::MasterFile(file)) => Directory::place(position, file),
        _ => directory.locate(&verdict.object, &complaint.field),
    };
    let is_master = complaint.position.is_some();
    Finding {
        file,
        line,
        column,
        severity: complaint.severity,
        reason: complaint.reason.as_str(),
        rule: complaint.rule,
        object: (!is_master).then(|| verdict.object.to_string()),
        field: complaint.field.clone(),
        message: with_places(directory, complaint),
        fix: complaint.fix.clone(),
        last_good_kept: verdict.outcome == Outcome::LastGoodKept && complaint.severity == Severity::Error,
    }
}

/// The message, with the places of those whom it names.
fn with_places(directory: &Directory, complaint: &Complaint) -> String {
    let mut message = complaint.message.clone();
    let mut places: Vec<String> = Vec::new();
    for object in &complaint.related {
        let (file, (line, _)) = directory.locate(object, "");
        // A record of a master file is already called by its place.
        let place = format!("{file}:{line}");
        if !file.is_empty() && line > 0 && object.to_string() != place {
            places.push(format!("{object} is at {place}"));
        }
    }
    if !places.is_empty() {
        message.push_str(&format!(" ({})", places.join(", ")));
    }
    message
}
