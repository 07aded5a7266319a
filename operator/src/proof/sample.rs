//! Which questions a nameserver is asked: some of what the zones hold, by chance, and some of what they do not.
//!
//! Each RRset is as likely as any other, in whichever zone it is. So one name in a hundred that is answered wrongly is
//! found by 500 questions with a likelihood of 97 in 100 (0.99^350 is what remains), and each pod gets questions of its
//! own, so that two find it with 999 in 1,000.

use fastrand::Rng;
use port53_zone::content::Content;
use port53_zone::{Name, Rtype};

use super::Question;
use super::oracle::{Zone, Zones};

/// Parts of a hundred of the sample: what is there; what is not, next to it, and of another type; below a wildcard;
/// below a cut. The largest RRsets come beside these.
const EXISTING: usize = 70;
const MISSING: usize = 10;
const NO_DATA: usize = 10;
const WILDCARDS: usize = 5;
/// A sample of fewer is for a look in between, and what takes a look at everything is left out of it.
const ENOUGH: usize = 100;
/// How many of the largest RRsets.
const LARGEST: usize = 5;

/// Types that are asked for where they are not.
const OTHER_TYPES: [Rtype; 4] = [Rtype::TXT, Rtype::AAAA, Rtype::MX, Rtype::CAA];

/// Draws about `most` questions about the zones, and the SOA of each zone, or of `most` of them when there are more.
pub fn draw(zones: &Zones, most: usize, chance: &mut Rng) -> Vec<Question> {
    let all: Vec<&Zone> = zones.iter().collect();
    let mut questions = Vec::new();
    for zone in chance.choose_multiple(all.iter(), most) {
        questions.push(Question { name: zone.content.apex().clone(), rtype: Rtype::SOA });
    }
    let rrsets: usize = all.iter().map(|zone| zone.content.len()).sum();
    if rrsets == 0 {
        return questions;
    }
    let share = |part: usize| (most * part).div_ceil(100);
    let mut places: Vec<usize> = match rrsets <= most {
        true => (0..rrsets).collect(),
        false => (0..most).map(|_| chance.usize(..rrsets)).collect(),
    };
    places.sort_unstable();
    let mut found = at(&all, &places);
    chance.shuffle(&mut found);

    let (mut missing, mut no_data, mut below) = (Vec::new(), Vec::new(), Vec::new());
    for (question, apex) in &found {
        missing.extend(beside(&question.name, apex, chance));
        let other = *chance.choice(&OTHER_TYPES).unwrap_or(&Rtype::TXT);
        no_data.push(Question { name: question.name.clone(), rtype: other });
        // What is asked below a cut is referred, what is below a wildcard is made by it.
        let is_above = question.rtype == Rtype::NS || question.name.first().as_slice() == b"*";
        if is_above && let Some(name) = inside(&question.name, chance) {
            below.push(Question { name, rtype: Rtype::A });
        }
    }
    found.truncate(share(EXISTING));
    missing.truncate(share(MISSING));
    no_data.truncate(share(NO_DATA));
    below.truncate(share(WILDCARDS) * 2);
    questions.extend(found.into_iter().map(|(question, _)| question));
    questions.extend(missing);
    questions.extend(no_data);
    questions.extend(below);
    if most >= ENOUGH {
        questions.extend(largest(&all));
    }
    questions
}

/// The RRsets at these places, counted over all zones, with the apexes of their zones.
fn at(zones: &[&Zone], places: &[usize]) -> Vec<(Question, Name)> {
    let mut found = Vec::with_capacity(places.len());
    let mut wanted = places.iter().copied().peekable();
    let mut before = 0;
    for zone in zones {
        for leaf in zone.content.leaves() {
            let end = before + leaf.len();
            if wanted.peek().is_some_and(|place| *place < end) {
                let mut here: Vec<Question> = Vec::with_capacity(leaf.len());
                for owner in leaf.owners() {
                    let Some(name) = name_of(owner.name(), &zone.content) else { continue };
                    here.extend(
                        owner.rrsets().map(|rrset| Question { name: name.clone(), rtype: rrset.rtype }),
                    );
                }
                while let Some(place) = wanted.next_if(|place| *place < end) {
                    let question = here.get(place - before).cloned();
                    found.extend(question.map(|question| (question, zone.content.apex().clone())));
                }
            }
            before = end;
        }
    }
    found
}

/// The RRsets with most octets, which show how answers are truncated.
fn largest(zones: &[&Zone]) -> Vec<Question> {
    let mut largest: Vec<(usize, Question)> = Vec::new();
    for zone in zones {
        for leaf in zone.content.leaves() {
            for owner in leaf.owners() {
                for rrset in owner.rrsets() {
                    let octets = rrset.records.len();
                    if largest.len() == LARGEST && largest.last().is_some_and(|(least, _)| *least >= octets) {
                        continue;
                    }
                    let Some(name) = name_of(owner.name(), &zone.content) else { continue };
                    let place = largest.partition_point(|(other, _)| *other >= octets);
                    largest.insert(place, (octets, Question { name, rtype: rrset.rtype }));
                    largest.truncate(LARGEST);
                }
            }
        }
    }
    largest.into_iter().map(|(_, question)| question).collect()
}

/// The absolute name of an owner in a leaf.
fn name_of(relative: &[u8], content: &Content) -> Option<Name> {
    Name::from_octets([relative, content.apex().as_slice()].concat().into()).ok()
}

/// A name beside another, in the same zone, that nobody has chosen.
fn beside(name: &Name, apex: &Name, chance: &mut Rng) -> Option<Question> {
    let parent = if name == apex { name.clone() } else { name.parent()? };
    Some(Question { name: inside(&parent, chance)?, rtype: Rtype::A })
}

/// A name below another that nobody has chosen. Below a wildcard it is one that the wildcard stands for.
fn inside(name: &Name, chance: &mut Rng) -> Option<Name> {
    let above = if name.first().as_slice() == b"*" { name.parent()? } else { name.clone() };
    let label: String = (0..12).map(|_| chance.lowercase()).collect();
    let label = format!("p53-{label}");
    let mut wire = vec![label.len() as u8];
    wire.extend_from_slice(label.as_bytes());
    wire.extend_from_slice(above.as_slice());
    (wire.len() <= 255).then(|| Name::from_octets(wire.into()).ok()).flatten()
}
