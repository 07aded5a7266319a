//! `port53 import --apply`: the objects of a zone into a cluster, many at once.
//!
//! What is there already is listed first, and what is as it should be is not sent: so an import that was
//! interrupted goes on when it is run again, and nothing has to be remembered but what the cluster knows. The
//! Zone goes first. When it is refused its records stay out, for they could come into another zone that has its
//! name. A record that is refused keeps no other from going.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, stream};
use kube::Error;
use kube::api::ListParams;
use kube::core::{DynamicObject, ResourceExt};
use port53_client::{explain, is_passing};
use port53_zone::{RRset, name, rdata};
use serde_json::Value;

use super::progress::bar;
use crate::args::ToCluster;
use crate::cluster::send::{called, named, refusal};
use crate::cluster::{Cluster, field_is};
use crate::legacy::LeftOut;
use crate::report;
use crate::yaml;
use port53_operator::convert::Converted;

/// Objects into a cluster.
pub(super) struct Importer {
    cluster: Cluster,
    parallel: usize,
    is_forced: bool,
    /// What the API server gave an answer to, of whatever kind.
    answered: AtomicU64,
}

/// What became of a zone so far.
#[derive(Debug, Default)]
pub(super) struct Imported {
    /// RRsets that are to be DNSRecords.
    all: usize,
    applied: usize,
    unchanged: usize,
    /// The Zone among them, when it is.
    pub(super) refused: Vec<Refused>,
}

/// What is not in the cluster, and why.
#[derive(Debug)]
pub(super) enum Refused {
    /// An object that the API server refused.
    Object(Value, String),
    /// What is no object.
    RRset(RRset, String),
    /// What is no RRset here, or no zone.
    Entry(LeftOut),
}

/// What became of an object.
enum Sent {
    Applied,
    Refused(String),
    /// The API server is gone.
    Lost(String),
}

impl Importer {
    pub(super) async fn connect(arguments: &ToCluster) -> Result<Self, String> {
        Ok(Importer {
            cluster: Cluster::connect(&arguments.cluster).await?.with_patience(arguments.timeout),
            parallel: arguments.parallel.into(),
            is_forced: arguments.force_conflicts,
            answered: AtomicU64::new(0),
        })
    }

    /// Where the objects go.
    pub(super) fn namespace(&self) -> &str {
        &self.cluster.namespace
    }

    /// Whether the API server gave an answer to anything that was sent.
    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed) > 0
    }

    /// Brings a zone into the cluster. What becomes of it is in `imported` also when this ends early.
    ///
    /// # Errors
    /// When the API server cannot be reached, or is lost for longer than a passing trouble.
    pub(super) async fn import(&self, converted: Converted, imported: &mut Imported) -> Result<(), String> {
        let refused = converted.refused.into_iter().map(|(rrset, why)| Refused::RRset(rrset, why));
        imported.refused.extend(refused);
        let mut objects = converted.objects.into_iter();
        let Some(zone) = objects.next() else { return Ok(()) };
        let there = self.records_of(&zone).await?;
        let refused = match self.is_there(&zone).await? {
            true => None,
            false => self.refused(self.send(&zone).await)?,
        };
        if let Some(why) = refused {
            let records = objects.map(|record| {
                Refused::Object(record, "its Zone was refused: correct that and apply it first".to_owned())
            });
            imported.refused.push(Refused::Object(zone, why));
            imported.refused.extend(records);
            return Ok(());
        }
        let (unchanged, missing): (Vec<Value>, Vec<Value>) =
            objects.partition(|record| there.get(named(record).1) == Some(&record["spec"]));
        imported.unchanged = unchanged.len();
        let bar = bar(imported.unchanged, missing.len(), &zone);
        let mut sending = stream::iter(missing)
            .map(|record| async {
                let sent = self.send(&record).await;
                (record, sent)
            })
            .buffer_unordered(self.parallel);
        while let Some((record, sent)) = sending.next().await {
            match self.refused(sent)? {
                None => imported.applied += 1,
                Some(why) => imported.refused.push(Refused::Object(record, why)),
            }
            bar.inc(1);
        }
        Ok(())
    }

    /// Whether a Zone is there as it is to be. Then it is not sent: fields that somebody else wrote stay hers alone.
    async fn is_there(&self, zone: &Value) -> Result<bool, String> {
        let (api, name) = (self.cluster.like(zone), named(zone).1);
        let there = self.cluster.asked(|| api.get_opt(name)).await;
        let there = there.map_err(|error| format!("{}: {}", called(zone), explain(&error)))?;
        let is_it = |there: DynamicObject| {
            there.metadata.deletion_timestamp.is_none() && there.data["spec"] == zone["spec"]
        };
        Ok(there.is_some_and(is_it))
    }

    /// The specs of the records of a Zone that are there, by their names.
    async fn records_of(&self, zone: &Value) -> Result<HashMap<String, Value>, String> {
        let (namespace, name) = named(zone);
        let params = ListParams::default().fields(&field_is("spec.zoneRef.name", name));
        let objects = self.cluster.list(&self.cluster.plain("DNSRecord", namespace), &params).await;
        let objects =
            objects.map_err(|error| format!("DNSRecords of namespace {namespace}: {}", explain(&error)))?;
        let is_staying = |object: &DynamicObject| object.metadata.deletion_timestamp.is_none();
        let specs = objects.into_iter().filter(is_staying).map(|mut object| {
            let spec = object.data["spec"].take();
            (object.name_any(), spec)
        });
        Ok(specs.collect())
    }

    async fn send(&self, object: &Value) -> Sent {
        let answered_before = self.answered.load(Ordering::Relaxed);
        let applied = self.cluster.apply(object, self.is_forced).await;
        let is_answer = match &applied {
            Ok(_) => true,
            Err(error) => !is_passing(error),
        };
        if is_answer {
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        match applied {
            Ok(_) => Sent::Applied,
            // The API server gets nothing right for now, not only this.
            Err(error) if !is_answer && self.answered.load(Ordering::Relaxed) == answered_before => {
                Sent::Lost(explain(&error))
            }
            Err(error @ Error::Api(_)) => Sent::Refused(refusal(&error)),
            Err(error) => Sent::Lost(explain(&error)),
        }
    }

    /// Why an object was refused, if it was.
    fn refused(&self, sent: Sent) -> Result<Option<String>, String> {
        match sent {
            Sent::Applied => Ok(None),
            Sent::Refused(why) => Ok(Some(why)),
            Sent::Lost(why) => Err(format!("the API server is lost: {why}")),
        }
    }
}

impl Imported {
    /// Of a zone that nothing became of yet, but for what was left out of it.
    pub(super) fn of(converted: &Converted, left_out: Vec<LeftOut>) -> Self {
        let records = converted.objects.len().saturating_sub(1);
        let all = records + converted.refused.len() + left_out.len();
        Imported { all, refused: left_out.into_iter().map(Refused::Entry).collect(), ..Imported::default() }
    }

    /// `zone example.com, 41 DNSRecords: 40 applied, 0 there already, 1 refused`, and how many were not sent.
    pub(super) fn summary(&self, domain: &str) -> String {
        let refused = self.refused.iter().filter(|refused| !refused.is_zone()).count();
        let unsent = match self.all - self.applied - self.unchanged - refused {
            0 => String::new(),
            unsent => format!(", {unsent} not sent"),
        };
        format!(
            "zone {domain}, {}: {} applied, {} there already, {refused} refused{unsent}",
            report::count(self.all, "DNSRecord"),
            self.applied,
            self.unchanged,
        )
    }
}

impl Refused {
    /// What it is: `DNSRecord dns/www-a.example-com (www A)`.
    pub(super) fn what(&self) -> String {
        match self {
            Refused::RRset(rrset, _) => {
                format!("{} {}", name::display(&rrset.name), rdata::display_rtype(rrset.rtype))
            }
            Refused::Entry(left_out) => left_out.what.clone(),
            Refused::Object(object, _) => match object["spec"]["type"].as_str() {
                Some(rtype) => {
                    let owner = object["spec"]["name"].as_str().unwrap_or_default();
                    format!("{} ({owner} {rtype})", called(object))
                }
                None => called(object),
            },
        }
    }

    fn is_zone(&self) -> bool {
        matches!(self, Refused::Object(object, _) if object["kind"] == "Zone")
    }

    pub(super) fn why(&self) -> &str {
        match self {
            Refused::Object(_, why) | Refused::RRset(_, why) => why,
            Refused::Entry(left_out) => &left_out.why,
        }
    }
}

/// What was refused as manifests, each below its place and the reason. What is no manifest is a comment.
pub(super) fn rejects(refused: &[(String, Refused)]) -> String {
    let mut text = String::new();
    for (place, refused) in refused {
        // Writing to memory does not fail.
        let _ = writeln!(text, "---\n# {}", report::shown(place));
        for line in refused.why().lines() {
            let _ = writeln!(text, "# {}", report::shown(line));
        }
        match refused {
            Refused::Object(object, _) => text.push_str(&yaml::write(object)),
            Refused::RRset(..) | Refused::Entry(_) => {
                let _ = writeln!(text, "# {}", report::shown(&refused.what()));
            }
        }
    }
    text
}

/// Says at once that a file is there, not after an hour of work.
pub(super) fn check_rejects(file: &Path, is_forced: bool) -> Result<(), String> {
    match file.exists() && !is_forced {
        true => Err(format!("{} is there: give --force to replace it", file.display())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_refused_is_read_back_below_its_reason() {
        let object = json!({
            "apiVersion": port53_crds::API_VERSION,
            "kind": "DNSRecord",
            "metadata": {"name": "www", "namespace": "dns"},
            "spec": {"zoneRef": {"name": "z"}, "name": "www", "type": "A", "values": ["192.0.2.1"]},
        });
        let value = rdata::parse_value(port53_zone::Rtype::A, "192.0.2.1").expect("a value");
        let apex = name::parse_absolute("example.com").expect("a name");
        let rrset = RRset::new(apex, port53_zone::Rtype::A, 60, [value]);
        // Who wrote a name must not write into the file beside it.
        let position = port53_zone::master::Position { file: "e".into(), line: 9, column: 1 };
        let what = "a\n---\nkind: Zone A".to_owned();
        let entry = LeftOut { zone: None, position, what, why: "no name".to_owned() };
        let refused = [
            ("z:7".to_owned(), Refused::Object(object.clone(), "wrong\nin two lines".to_owned())),
            ("z:8".to_owned(), Refused::RRset(rrset, "no record".to_owned())),
            ("e:9".to_owned(), Refused::Entry(entry)),
        ];
        let text = rejects(&refused);
        assert!(text.starts_with("---\n# z:7\n# wrong\n# in two lines\napiVersion: "), "{text}");
        let end =
            "---\n# z:8\n# no record\n# example.com. A\n---\n# e:9\n# no name\n# a\\n---\\nkind: Zone A\n";
        assert!(text.ends_with(end), "{text}");
        let documents = yaml::documents(text.as_bytes());
        let read: Vec<Value> =
            documents.into_iter().map(|document| document.expect("a document").value).collect();
        assert_eq!(read, [object]);
    }

    /// The Zone is no DNSRecord, and was counted as one when it was refused.
    #[test]
    fn a_zone_that_is_refused_is_not_counted_among_the_records() {
        let object =
            |kind: &str| Refused::Object(json!({"kind": kind, "spec": {"type": "A"}}), "no".to_owned());
        let mut imported = Imported { all: 3, ..Imported::default() };
        assert_eq!(
            imported.summary("z"),
            "zone z, 3 DNSRecords: 0 applied, 0 there already, 0 refused, 3 not sent"
        );
        imported.refused.push(object("Zone"));
        imported.refused.extend((0..3).map(|_| object("DNSRecord")));
        assert_eq!(imported.summary("z"), "zone z, 3 DNSRecords: 0 applied, 0 there already, 3 refused");
    }
}
