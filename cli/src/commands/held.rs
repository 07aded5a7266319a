//! `port53 held`: the removals that the guard holds back, and letting exactly these go.

use std::io::{self, Write};

use port53_crds::{ConditionType, Zone, find_condition};
use port53_operator::guard;
use port53_operator::objects::Objects;
use serde::Serialize;

use super::rollback::told;
use super::{Ended, Outcome};
use crate::args::{self, ClusterArgs, program};
use crate::cluster::annotate::Annotation;
use crate::cluster::served::{Progress, is_served};
use crate::cluster::zones::Found;
use crate::cluster::{self, Cluster};
use crate::report::{self, Color, ListFormat, Style};

/// What the Zone says of removals that are held.
#[derive(Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    /// What lets exactly these go.
    id: String,
    count: usize,
    /// `www.example.com. A`: all, or the first of many where the others are not known.
    removals: Vec<String>,
}

pub(super) fn run(arguments: args::Held, color: Color) -> Outcome {
    let (zone, cluster) = (&arguments.zone, &arguments.cluster);
    if let Some(id) = &arguments.release {
        return Ok(cluster::run(release(&arguments, id))??);
    }
    let (found, held) = cluster::run(held(zone, cluster))??;
    let domain = found.domain();
    let text = match arguments.output {
        ListFormat::Json => report::json(&held),
        ListFormat::Yaml => report::yaml(&held),
        ListFormat::Table => match &held {
            None => String::new(),
            Some(held) => held.text(Style::of(color, &io::stdout())),
        },
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    match held {
        None => {
            eprintln!("nothing of {domain} is held");
            Ok(Ended::Well)
        }
        Some(held) => {
            let of = report::count(held.count, "removal");
            let release = format!("{} held {domain} --release {}", program(), held.id);
            eprintln!("{of} of {domain} held; to let exactly these go: {release}");
            Ok(Ended::WithProblems)
        }
    }
}

async fn held(zone: &str, arguments: &ClusterArgs) -> Result<(Found, Option<Held>), String> {
    let cluster = Cluster::connect(arguments).await?;
    let found = cluster.find(zone).await?;
    let mut held = Held::of(found.object()?)?;
    if let Some(held) = held.as_mut().filter(|held| held.unnamed() > 0) {
        name_all(&cluster, &found, held).await;
    }
    Ok((found, held))
}

/// The condition names the first of many. All are what the operator's stages remove from what is published, where
/// that has the same id; else the others stay counted, and why is told.
async fn name_all(cluster: &Cluster, found: &Found, held: &mut Held) {
    let why = match removals(cluster, found).await {
        Ok((all, _)) if all.id == held.id => return held.removals = all.removals,
        Ok((_, true)) => "what is published or the records changed meanwhile".to_owned(),
        Ok((_, false)) => "the right to list DNSRecords of all namespaces is missing".to_owned(),
        Err(why) => why,
    };
    eprintln!("counted and not named: {}: {why}", report::count(held.unnamed(), "removal"));
}

/// What would go, were nothing held; and whether all records could be seen.
async fn removals(cluster: &Cluster, found: &Found) -> Result<(port53_operator::report::Held, bool), String> {
    let (head, version) = cluster.published(found).await?;
    let (plan, is_all) = cluster.plan(found, &head, version, &Objects::default()).await?;
    let changes = plan.zones.into_iter().find(|zone| zone.apex == found.apex).map(|zone| zone.changes);
    Ok((guard::all_removals(&changes.unwrap_or_default()), is_all))
}

async fn release(arguments: &args::Held, id: &str) -> Result<Ended, String> {
    let cluster = Cluster::connect(&arguments.cluster).await?;
    let found = cluster.find(&arguments.zone).await?;
    let (zone, domain) = (found.object()?, found.domain());
    found.head()?;
    match Held::of(zone)? {
        None => return Err(format!("nothing of {domain} is held")),
        Some(held) if held.id != id => return Err(another(&domain, &held)),
        Some(_) => {}
    }
    let zone = cluster.annotate(zone, Annotation::Release, id).await?;
    let patience = arguments.timeout.timeout;
    let waited = cluster.wait_for_zone(&found.apex, zone, patience, |zone, head| {
        let is_spent = Annotation::Release.of(zone) != Some(id);
        match (Held::of(zone), head) {
            (Ok(Some(held)), _) if held.id == id => Progress::NotYet,
            // The operator takes the annotation away once they went: so these did not.
            (Ok(Some(held)), _) if !is_spent => Progress::Failed(another(&domain, &held)),
            (_, Some(head)) if is_spent && is_served(zone, head) => Progress::Done,
            _ => Progress::NotYet,
        }
    });
    Ok(told(waited.await?, patience, &format!("the removals of {domain} did not go"), || {
        format!("the removals of {domain} with id {id} went")
    }))
}

/// That what is held is something else than what a person looked at.
fn another(domain: &str, held: &Held) -> String {
    let of = report::count(held.count, "removal");
    format!(
        "held of {domain} are {of} with the id {} now: look at them with {} held {domain}, then release that id",
        held.id,
        program()
    )
}

impl Held {
    /// Of the newest status of a Zone.
    fn of(zone: &Zone) -> Result<Option<Self>, String> {
        let conditions = zone.status.as_ref().map(|status| &status.conditions[..]).unwrap_or_default();
        let Some(held) = find_condition(conditions, ConditionType::Held).filter(|held| held.status == "True")
        else {
            return Ok(None);
        };
        let read = Held::read(&held.message);
        read.map(Some).ok_or_else(|| {
            format!(
                "what is held cannot be read, for the operator is of another version; it says: {}",
                held.message
            )
        })
    }

    /// Reads the message of the condition: how many, which (the first of many), and the id at the end.
    fn read(message: &str) -> Option<Self> {
        let (count, _) = message.split_once(' ')?;
        let (said, order) = message.rsplit_once(". To let")?;
        // Before them is why they are held.
        let (_, removals) = said.rsplit_once(": ")?;
        let (_, id) = order.rsplit_once('=')?;
        // Blanks stand in no name: they are escaped.
        let removal = |text: &str| {
            let mut words = text.split(' ');
            Some(format!("{} {}", words.next()?, words.next()?))
        };
        let removals = removals.split(", ").map(removal).collect::<Option<Vec<String>>>()?;
        Some(Held { id: id.to_owned(), count: count.parse().ok()?, removals })
    }

    /// How many are not named.
    fn unnamed(&self) -> usize {
        self.count.saturating_sub(self.removals.len())
    }

    fn text(&self, style: Style) -> String {
        let rows: Vec<Vec<String>> =
            self.removals.iter().map(|removal| removal.split(' ').map(str::to_owned).collect()).collect();
        let mut text = report::table(&["NAME", "TYPE"], &rows, style);
        match self.unnamed() {
            0 => {}
            more => text.push_str(&format!("and {more} more\n")),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;
    use port53_operator::objects::ObjectRef;
    use port53_operator::report::{self, Facts, Service, zone_status};
    use port53_operator::verdict::{Outcome, Verdict};

    fn said(held: &report::Held) -> String {
        let object = ObjectRef::Zone { namespace: "dns".to_owned(), name: "z".to_owned() };
        let outcome = Outcome::Accepted;
        let verdict =
            Verdict { object, generation: 1, zone: None, name: None, outcome, complaints: Vec::new() };
        let facts = Facts {
            serial: Some(7),
            records: 20,
            rejected: 0,
            service: Service::Unpublished,
            held: Some(held),
            max_removed_percent: 30,
            released: Some("another: id. To let"),
            pinned: None,
            transfers: None,
            leaves_at: None,
            note: None,
        };
        let status = zone_status(&verdict, &facts, None, Timestamp::UNIX_EPOCH).expect("a status");
        find_condition(&status.conditions, ConditionType::Held).expect("Held").message.clone()
    }

    #[test]
    fn what_the_operator_says_is_read() {
        for count in [1, 7, 20, 33] {
            let removals: Vec<String> =
                (0..count).map(|n| format!("h{n}\\.x,y.example.com. TYPE65280")).collect();
            let held = report::Held { id: "0123456789ab".to_owned(), removals: removals.clone() };
            let read = Held::read(&said(&held)).expect("it can be read");
            assert_eq!((read.id.as_str(), read.count), ("0123456789ab", count));
            assert_eq!(read.removals, removals[..count.min(20)]);
        }
        assert_eq!(Held::read("something else"), None);
    }
}
