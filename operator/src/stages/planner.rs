//! The stages run again and again, over those zones alone of which an input changed.
//!
//! What comes of a zone is a function of its source, its records, what is published of it, the content of the
//! zones next below, the labels of namespaces, the serials seen and the limits. Objects are shared pointers
//! that are replaced when an object changes, so the inputs of a zone are compared without looking into them;
//! as long as they are the same, so is what came of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use port53_crds::{DNSRecord, Reason, Zone};
use port53_zone::content::Content;
use port53_zone::rules::Limits;
use port53_zone::{Name, Soa};

use super::before::Before;
use super::gather::{Gathered, Held, Source, gather};
use super::{Children, Inputs, Plan, Published, ZoneOutcome, build, validate};
use crate::objects::{MasterZone, ObjectRef};
use crate::verdict::{Complaint, Outcome, Verdict};

/// See the module.
#[derive(Debug, Default)]
pub struct Planner {
    zones: HashMap<Name, Settled>,
}

/// What came of a zone, and of which inputs.
#[derive(Debug)]
struct Settled {
    of: Seen,
    verdicts: Vec<Verdict>,
    rejected: usize,
}

/// The inputs of one zone.
#[derive(Debug)]
struct Seen {
    source: SharedSource,
    records: Vec<Arc<DNSRecord>>,
    children: Vec<(ObjectRef, Content)>,
    namespaces: Arc<BTreeMap<String, BTreeMap<String, String>>>,
    serials: Vec<u32>,
    limits: Limits,
    nameservers: Vec<Name>,
    /// What is published once the plan is carried out.
    published: (ObjectRef, Content, Soa),
}

#[derive(Debug)]
enum SharedSource {
    Written(Arc<Zone>),
    Master(Arc<MasterZone>),
}

impl Planner {
    /// Runs the stages over all zones, from the bottom of the tree up, because the NS and glue of a zone
    /// below come from it.
    pub fn plan(&mut self, inputs: &Inputs<'_>) -> Plan {
        let Gathered { mut zones, frozen, withdrawn, mut verdicts } = gather(inputs);
        zones.sort_by(|a, b| {
            b.apex.label_count().cmp(&a.apex.label_count()).then_with(|| a.apex.cmp(&b.apex))
        });
        let mut before = std::mem::take(&mut self.zones);
        let mut outcomes = BTreeMap::new();
        let mut contents = Children::new();
        for published in frozen.iter().filter_map(|apex| inputs.published.get(apex)) {
            let apex = published.content.apex().clone();
            contents.insert(apex.clone(), (published.holder.clone(), published.content.clone()));
            outcomes.insert(apex, build::unchanged(published, 0));
        }
        for held in &zones {
            let published = inputs.published.get(&held.apex);
            let settled =
                before.remove(&held.apex).filter(|settled| settled.of.is_same(inputs, held, &contents));
            let outcome = match (settled, published) {
                (Some(settled), Some(published)) => {
                    verdicts.extend(settled.verdicts.iter().cloned());
                    let outcome = build::unchanged(published, settled.rejected);
                    self.zones.insert(held.apex.clone(), settled);
                    Some(outcome)
                }
                _ => {
                    let (outcome, of_zone) = zone(inputs, held, &contents);
                    if let Some(outcome) = &outcome {
                        let of = Seen::of(inputs, held, &contents, outcome);
                        let (verdicts, rejected) = (of_zone.clone(), outcome.rejected);
                        self.zones.insert(held.apex.clone(), Settled { of, verdicts, rejected });
                    }
                    verdicts.extend(of_zone);
                    outcome
                }
            };
            if let Some(outcome) = outcome {
                contents.insert(held.apex.clone(), (held.object.clone(), outcome.applied.content.clone()));
                outcomes.insert(held.apex.clone(), outcome);
            }
        }
        verdicts.sort_by(|a, b| a.object.cmp(&b.object));
        Plan { zones: outcomes.into_values().collect(), withdrawn, verdicts }
    }
}

/// Validates and builds one zone. Nothing is served of one that cannot be built and never was.
fn zone(inputs: &Inputs<'_>, held: &Held<'_>, contents: &Children) -> (Option<ZoneOutcome>, Vec<Verdict>) {
    let published = inputs.published.get(&held.apex);
    let before = Before::of(published);
    let mut validated = validate::validate(inputs, held, contents, &before);
    match build::build(inputs, held, &before, validated.accepted, validated.rejected) {
        Ok(outcome) => (Some(outcome), validated.verdicts),
        Err(error) => {
            let message = format!("the zone cannot be built: {error}");
            let zone = &mut validated.verdicts[0];
            zone.complaints.push(Complaint::error(Reason::TooLarge, "", message, ""));
            zone.outcome = if published.is_some() { Outcome::LastGoodKept } else { Outcome::Rejected };
            let last_good = published.map(|published| build::unchanged(published, validated.rejected));
            (last_good, validated.verdicts)
        }
    }
}

impl Seen {
    fn of(inputs: &Inputs<'_>, held: &Held<'_>, contents: &Children, outcome: &ZoneOutcome) -> Self {
        Seen {
            source: match held.source {
                Source::Written(zone) => SharedSource::Written(zone.clone()),
                Source::Master(master) => SharedSource::Master(master.clone()),
            },
            records: held.records.iter().map(|(_, record)| Arc::clone(record)).collect(),
            children: children(held, contents).cloned().collect(),
            namespaces: inputs.objects.namespaces.clone(),
            serials: serials(inputs, &held.apex).to_vec(),
            limits: inputs.settings.limits.clone(),
            nameservers: inputs.settings.nameservers.clone(),
            published: (outcome.holder.clone(), outcome.applied.content.clone(), outcome.soa.clone()),
        }
    }

    fn is_same(&self, inputs: &Inputs<'_>, held: &Held<'_>, contents: &Children) -> bool {
        let is_same_source = match (&self.source, held.source) {
            (SharedSource::Written(a), Source::Written(b)) => Arc::ptr_eq(a, b),
            (SharedSource::Master(a), Source::Master(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        let is_same_record =
            |(a, (_, b)): (&Arc<DNSRecord>, &(ObjectRef, &Arc<DNSRecord>))| Arc::ptr_eq(a, b);
        let (holder, content, soa) = &self.published;
        let is_same_published = |published: &Published| {
            published.holder == *holder && published.soa == *soa && published.content.is(content)
        };
        let mut children = children(held, contents);
        let mut before = self.children.iter();
        let are_same_children = loop {
            match (before.next(), children.next()) {
                (None, None) => break true,
                (Some((a, before)), Some((b, now))) if a == b && before.is(now) => {}
                _ => break false,
            }
        };
        is_same_source
            && are_same_children
            && self.records.len() == held.records.len()
            && self.records.iter().zip(&held.records).all(is_same_record)
            && inputs.published.get(&held.apex).is_some_and(is_same_published)
            && (Arc::ptr_eq(&self.namespaces, &inputs.objects.namespaces)
                || self.namespaces == inputs.objects.namespaces)
            && self.serials == serials(inputs, &held.apex)
            && self.limits == inputs.settings.limits
            && self.nameservers == inputs.settings.nameservers
    }
}

fn serials<'i>(inputs: &'i Inputs<'_>, apex: &Name) -> &'i [u32] {
    inputs.serials.get(apex).map(Vec::as_slice).unwrap_or_default()
}

fn children<'c>(
    held: &'c Held<'_>,
    contents: &'c Children,
) -> impl Iterator<Item = &'c (ObjectRef, Content)> {
    held.children.iter().filter_map(|apex| contents.get(apex))
}
