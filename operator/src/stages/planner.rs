//! The stages run again and again, over those zones alone of which an input changed.
//!
//! What comes of a zone is a function of its source, its records, what is published of it, the content of the
//! zones next below, the labels of namespaces, the serials seen and the limits. Objects are shared pointers
//! that are replaced when an object changes, so the inputs of a zone are compared without looking into them;
//! as long as they are the same, so is what came of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use port53_crds::{Reason, Zone};
use port53_zone::content::Content;
use port53_zone::rules::Limits;
use port53_zone::{Name, Soa};

use super::before::Before;
use super::gather::{Gathered, Held, Source, gather};
use super::{Apex, Children, Inputs, Plan, Published, SetTerms, ZoneOutcome, build, validate};
use crate::objects::{MasterZone, ObjectRef, OfZone};
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
    verdicts: Arc<[Verdict]>,
    outcome: ZoneOutcome,
    /// Objects may be told more once it is carried out.
    is_provisional: bool,
}

/// What the stages say of a zone.
struct Judged {
    /// Nothing is served of a zone that cannot be built and never was.
    outcome: Option<ZoneOutcome>,
    verdicts: Vec<Verdict>,
    is_provisional: bool,
}

/// How what is published now relates to what came of a zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Relation {
    /// It is what came of it.
    CarriedOut,
    /// It is as it was: what came of it waits, or is held.
    AsBefore,
}

/// The inputs of one zone.
#[derive(Debug)]
struct Seen {
    source: SharedSource,
    records: OfZone,
    children: Vec<(ObjectRef, Content)>,
    namespaces: Arc<BTreeMap<String, BTreeMap<String, String>>>,
    serials: Vec<u32>,
    limits: Limits,
    nameservers: Vec<Name>,
    sets: Option<Arc<[SetTerms]>>,
    apex: Option<Apex>,
    /// What was published.
    published: Option<(ObjectRef, Content, Soa)>,
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
        let Gathered { mut zones, frozen, withdrawn, verdicts } = gather(inputs);
        let mut verdicts: Vec<Arc<[Verdict]>> = vec![verdicts.into()];
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
            let settled = before.remove(&held.apex).and_then(|settled| {
                let relation = settled.relation(inputs, held, &contents)?;
                Some((settled, relation))
            });
            let outcome = match (settled, published) {
                (Some((settled, relation)), published) => {
                    verdicts.push(settled.verdicts.clone());
                    let outcome = match (relation, published) {
                        (Relation::CarriedOut, Some(published)) => {
                            build::unchanged(published, settled.outcome.rejected)
                        }
                        _ => settled.outcome.clone(),
                    };
                    self.zones.insert(held.apex.clone(), settled);
                    Some(outcome)
                }
                (None, published) => {
                    let judged = zone(inputs, held, &contents);
                    let of_zone: Arc<[Verdict]> = judged.verdicts.into();
                    if let Some(outcome) = judged.outcome.clone() {
                        let settled = Settled {
                            of: Seen::of(inputs, held, &contents, published),
                            verdicts: of_zone.clone(),
                            outcome,
                            is_provisional: judged.is_provisional,
                        };
                        self.zones.insert(held.apex.clone(), settled);
                    }
                    verdicts.push(of_zone);
                    judged.outcome
                }
            };
            if let Some(outcome) = outcome {
                contents.insert(held.apex.clone(), (held.object.clone(), outcome.applied.content.clone()));
                outcomes.insert(held.apex.clone(), outcome);
            }
        }
        Plan { zones: outcomes.into_values().collect(), withdrawn, verdicts }
    }
}

/// Validates and builds one zone.
fn zone(inputs: &Inputs<'_>, held: &Held<'_>, contents: &Children) -> Judged {
    let published = inputs.published.get(&held.apex);
    let before = Before::of(published);
    let mut validated = validate::validate(inputs, held, contents, &before);
    let outcome = match build::build(inputs, held, &before, validated.accepted, validated.rejected) {
        Ok(outcome) => Some(outcome),
        Err(error) => {
            let message = format!("the zone cannot be built: {error}");
            let zone = &mut validated.verdicts[0];
            zone.complaints.push(Complaint::error(Reason::TooLarge, "", message, ""));
            zone.outcome = if published.is_some() { Outcome::LastGoodKept } else { Outcome::Rejected };
            published.map(|published| build::unchanged(published, validated.rejected))
        }
    };
    Judged { outcome, verdicts: validated.verdicts, is_provisional: validated.is_provisional }
}

impl Settled {
    /// How what is published relates to this, while all else is as it was.
    fn relation(&self, inputs: &Inputs<'_>, held: &Held<'_>, contents: &Children) -> Option<Relation> {
        if !self.of.is_same(inputs, held, contents) {
            return None;
        }
        let is = |published: &Published, holder: &ObjectRef, content: &Content, soa: &Soa| {
            published.holder == *holder && published.soa == *soa && published.content.is(content)
        };
        let ZoneOutcome { holder, applied, soa, .. } = &self.outcome;
        match (inputs.published.get(&held.apex), &self.of.published) {
            (Some(now), Some((holder, content, soa))) if is(now, holder, content, soa) => {
                let is_carried_out = is(now, holder, &applied.content, soa);
                Some(if is_carried_out { Relation::CarriedOut } else { Relation::AsBefore })
            }
            (Some(now), _) if !self.is_provisional && is(now, holder, &applied.content, soa) => {
                Some(Relation::CarriedOut)
            }
            (None, None) => Some(Relation::AsBefore),
            _ => None,
        }
    }
}

impl Seen {
    fn of(inputs: &Inputs<'_>, held: &Held<'_>, contents: &Children, published: Option<&Published>) -> Self {
        Seen {
            source: match held.source {
                Source::Written(zone) => SharedSource::Written(zone.clone()),
                Source::Master(master) => SharedSource::Master(master.clone()),
            },
            records: held.records.clone(),
            children: children(held, contents).cloned().collect(),
            namespaces: inputs.objects.namespaces.clone(),
            serials: serials(inputs, &held.apex).to_vec(),
            limits: inputs.settings.limits.clone(),
            nameservers: inputs.settings.nameservers.clone(),
            sets: inputs.settings.sets.clone(),
            apex: inputs.settings.apexes.get(&held.apex).cloned(),
            published: published
                .map(|Published { holder, content, soa }| (holder.clone(), content.clone(), soa.clone())),
        }
    }

    fn is_same(&self, inputs: &Inputs<'_>, held: &Held<'_>, contents: &Children) -> bool {
        let is_same_source = match (&self.source, held.source) {
            (SharedSource::Written(a), Source::Written(b)) => Arc::ptr_eq(a, b),
            (SharedSource::Master(a), Source::Master(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        let are_same = |a: &OfZone, b: &OfZone| {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| Arc::ptr_eq(a, b))
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
            && (Arc::ptr_eq(&self.records, &held.records) || are_same(&self.records, &held.records))
            && (Arc::ptr_eq(&self.namespaces, &inputs.objects.namespaces)
                || self.namespaces == inputs.objects.namespaces)
            && self.serials == serials(inputs, &held.apex)
            && self.limits == inputs.settings.limits
            && self.nameservers == inputs.settings.nameservers
            && self.sets == inputs.settings.sets
            && self.apex.as_ref() == inputs.settings.apexes.get(&held.apex)
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
