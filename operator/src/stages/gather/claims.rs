//! Who holds a domain.
//!
//! Claims are looked at by standing: those that are published, from the top of the tree; then the oldest,
//! those above before those below, then namespace and name. A claim is refused when its domain is held, when
//! the zone next above belongs to another namespace and does not grant it, or when a zone below belongs to
//! another namespace and was there before: a domain is not taken from above. A published zone that stays
//! although its Zone is missing, unreadable or refused is held as before; what it grants may be unknown then.

use std::collections::{BTreeMap, BTreeSet};

use port53_crds::{KEEP_ANNOTATION, Reason, Zone};
use port53_zone::{Name, name};

use super::{Held, Source, Terms, covers};
use crate::objects::{ObjectRef, Objects, OfZone, created};
use crate::stages::{Inputs, MissingZone};
use crate::verdict::{Complaint, Outcome, Verdict};

/// What came of all claims.
#[derive(Debug)]
pub(crate) struct Claims<'a> {
    /// By standing.
    pub(crate) accepted: Vec<Held<'a>>,
    /// Every claim that could be read.
    pub(crate) tried: BTreeSet<(ObjectRef, Name)>,
    /// Zones whose domain could not be read.
    pub(crate) unreadable: BTreeSet<ObjectRef>,
}

/// Who holds a domain, and where that is written, if it can be read.
type Holders<'a> = BTreeMap<Name, (ObjectRef, Option<Source<'a>>)>;

#[derive(Debug)]
struct Claim<'a> {
    source: Source<'a>,
    object: ObjectRef,
    apex: Name,
    is_published: bool,
    created: i64,
}

impl Claim<'_> {
    fn standing(&self) -> (bool, i64, usize, &ObjectRef) {
        // Published zones stood together when they were published: only their place in the tree counts.
        let created = if self.is_published { 0 } else { self.created };
        (!self.is_published, created, self.apex.label_count(), &self.object)
    }

    fn verdict(&self, complaints: Vec<Complaint>) -> Verdict {
        let outcome = if self.is_published { Outcome::LastGoodKept } else { Outcome::Rejected };
        let zone = Some(self.apex.clone());
        let object = self.object.clone();
        Verdict { object, generation: generation(&self.source), zone, name: None, outcome, complaints }
    }
}

pub(crate) fn of<'a>(inputs: &Inputs<'a>, verdicts: &mut Vec<Verdict>) -> Claims<'a> {
    let mut result = Claims { accepted: Vec::new(), tried: BTreeSet::new(), unreadable: BTreeSet::new() };
    let mut claims = read(inputs, &mut result.unreadable, verdicts);
    claims.sort_by(|a, b| a.standing().cmp(&b.standing()));
    result.tried = claims.iter().map(|claim| (claim.object.clone(), claim.apex.clone())).collect();
    let mut holders = absent_holders(inputs, &result);
    for claim in claims {
        let refusal = refusal(inputs.objects, &claim, &holders);
        let terms = match refusal {
            Some(complaint) => Err(vec![complaint]),
            None => terms(inputs, &claim),
        };
        if terms.is_ok() || claim.is_published {
            holders.insert(claim.apex.clone(), (claim.object.clone(), Some(claim.source)));
        }
        let terms = match terms {
            Ok(terms) => terms,
            Err(complaints) => {
                verdicts.push(claim.verdict(complaints));
                continue;
            }
        };
        let Claim { source, object, apex, .. } = claim;
        let (records, children) = (OfZone::default(), Vec::new());
        result.accepted.push(Held { source, object, apex, terms, records, children });
    }
    result
}

/// Published zones that stay although their holder is missing or cannot be read.
fn absent_holders<'a>(inputs: &Inputs<'_>, claims: &Claims<'_>) -> Holders<'a> {
    let stays = |holder: &ObjectRef| {
        inputs.settings.missing_zone == MissingZone::Keep || claims.unreadable.contains(holder)
    };
    let published = inputs.published.iter().map(|(apex, published)| (apex, &published.holder));
    published
        .filter(|(apex, holder)| {
            !claims.tried.contains(&((*holder).clone(), (*apex).clone())) && stays(holder)
        })
        .map(|(apex, holder)| (apex.clone(), (holder.clone(), None)))
        .collect()
}

fn terms(inputs: &Inputs<'_>, claim: &Claim<'_>) -> Result<Terms, Vec<Complaint>> {
    match claim.source {
        Source::Master(master) => Ok(Terms::of_master(&master.soa.value)),
        Source::Written(zone) => {
            let published = inputs.published.get(&claim.apex).filter(|_| claim.is_published);
            // In a directory nobody but the Zone names nameservers: there its word counts.
            let kept = published.filter(|_| inputs.settings.missing_zone == MissingZone::Keep);
            super::sets::nameservers(inputs.settings, inputs.objects, zone, &claim.apex)
                .map_err(|complaint| vec![*complaint])
                .and_then(|nameservers| Terms::read(zone, &claim.apex, &nameservers, kept))
                .or_else(|complaints| match published {
                    Some(published) => Ok(Terms::last_good(published, complaints)),
                    None => Err(complaints),
                })
        }
    }
}

/// All claims whose domain can be read.
fn read<'a>(
    inputs: &Inputs<'a>,
    unreadable: &mut BTreeSet<ObjectRef>,
    verdicts: &mut Vec<Verdict>,
) -> Vec<Claim<'a>> {
    let is_published = |object: &ObjectRef, apex: &Name| {
        inputs.published.get(apex).is_some_and(|published| published.holder == *object)
    };
    let Objects { zones, master_zones, .. } = inputs.objects;
    let mut seen = BTreeSet::new();
    let mut claims = Vec::new();
    for zone in zones {
        let object = ObjectRef::of_zone(zone);
        if !seen.insert(object.clone()) {
            continue;
        }
        match name::parse_absolute(&zone.spec.domain) {
            Ok(apex) => claims.push(Claim {
                is_published: is_published(&object, &apex),
                created: created(&zone.metadata).unwrap_or(i64::MAX),
                source: Source::Written(zone),
                object,
                apex,
            }),
            Err(error) => {
                let is_published = inputs.published.values().any(|published| published.holder == object);
                let outcome = if is_published { Outcome::LastGoodKept } else { Outcome::Rejected };
                let message = format!("\"{}\" {error}", zone.spec.domain);
                let fix = "write the domain in full, such as example.com";
                verdicts.push(Verdict {
                    object: object.clone(),
                    generation: zone.metadata.generation.unwrap_or(0),
                    zone: None,
                    name: None,
                    outcome,
                    complaints: vec![Complaint::error(Reason::InvalidName, "spec.domain", message, fix)],
                });
                unreadable.insert(object);
            }
        }
    }
    for master in master_zones {
        let object = ObjectRef::MasterFile(master.file.clone());
        if seen.insert(object.clone()) {
            claims.push(Claim {
                is_published: is_published(&object, &master.apex),
                created: i64::MAX,
                source: Source::Master(master),
                object,
                apex: master.apex.clone(),
            });
        }
    }
    claims
}

fn refusal(objects: &Objects, claim: &Claim<'_>, holders: &Holders<'_>) -> Option<Complaint> {
    let domain = name::display(&claim.apex);
    if let Some((holder, _)) = holders.get(&claim.apex) {
        let (message, fix) = match is_gone(objects, holder) {
            true => (
                format!("{domain} is served without a Zone: {holder}, which published it, is gone"),
                format!(
                    "to go on with it create {holder} again; to free the domain create that and delete it without the \
                     annotation {KEEP_ANNOTATION}: when it is withdrawn this one has it"
                ),
            ),
            false => (
                format!("{domain} is already held by {holder}"),
                "remove one of the two; records can be attached to the other by its spec.records".to_owned(),
            ),
        };
        return Some(error(claim, Reason::Conflicted, message, fix).related_to(holder.clone()));
    }
    let namespace = claim.object.namespace()?;
    let is_foreign = |holder: &ObjectRef| holder.namespace().is_some_and(|other| other != namespace);
    let above = claim.apex.iter_suffixes().skip(1).find_map(|suffix| holders.get_key_value(&suffix));
    if let Some((apex, (holder, source))) = above
        && is_foreign(holder)
    {
        let is_granted = match source {
            Some(Source::Written(zone)) => is_granted(zone, apex, &labels(objects, namespace), &claim.apex),
            // What it grants is unknown: what was granted before stays so.
            _ => claim.is_published,
        };
        if !is_granted {
            let is_gone = is_gone(objects, holder);
            let above = name::display(apex);
            let message = match is_gone {
                true => {
                    format!("{domain} is below {above}, which is served without a Zone: {holder} is gone")
                }
                false => format!("{domain} is below {above}, which {holder} holds and does not grant"),
            };
            let fix = format!(
                "{} an entry in spec.children of {holder} with namespace {namespace} and the name \"{}\"",
                if is_gone { "create that Zone again, with" } else { "ask for" },
                name::display_relative(&claim.apex, apex)
            );
            return Some(error(claim, Reason::NotPermitted, message, fix).related_to(holder.clone()));
        }
    }
    if claim.is_published {
        return None;
    }
    // In canonical order what is below a name follows it.
    let mut below =
        holders.range::<Name, _>(&claim.apex..).take_while(|(apex, _)| apex.ends_with(&claim.apex));
    let below = below.find(|(_, (holder, _))| is_foreign(holder));
    below.map(|(apex, (holder, _))| {
        let message = format!("{domain} is above {}, which {holder} holds", name::display(apex));
        let fix = format!(
            "hold it in the namespace of {holder}, or have that one removed, create this Zone with an entry \
             for it in spec.children, and then create that one again"
        );
        error(claim, Reason::NotPermitted, message, fix).related_to(holder.clone())
    })
}

/// Whether a Zone is not there any more, of which what it published is still served.
fn is_gone(objects: &Objects, holder: &ObjectRef) -> bool {
    matches!(holder, ObjectRef::Zone { .. })
        && objects.zones.iter().all(|zone| ObjectRef::of_zone(zone) != *holder)
}

/// Whether the zone `apex` lets a namespace with these labels hold the zone `below`.
fn is_granted(zone: &Zone, apex: &Name, labels: &BTreeMap<String, String>, below: &Name) -> bool {
    zone.spec.children.iter().any(|grant| {
        grant.namespaces.matches(labels) && grant.names.iter().any(|pattern| covers(pattern, below, apex))
    })
}

fn error(claim: &Claim<'_>, reason: Reason, message: String, fix: impl Into<String>) -> Complaint {
    let mut complaint = Complaint::error(reason, "spec.domain", message, fix);
    if let Source::Master(master) = claim.source {
        complaint.field.clear();
        complaint.position = Some(master.soa.position.clone());
    }
    complaint
}

/// The labels of a namespace, its name among them.
pub(crate) fn labels(objects: &Objects, namespace: &str) -> BTreeMap<String, String> {
    let mut labels = objects.namespaces.get(namespace).cloned().unwrap_or_default();
    labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
    labels
}

/// `metadata.generation`.
pub(crate) fn generation(source: &Source<'_>) -> i64 {
    match source {
        Source::Written(zone) => zone.metadata.generation.unwrap_or(0),
        Source::Master(_) => 0,
    }
}
