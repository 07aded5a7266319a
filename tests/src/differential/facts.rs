//! A difference, and what exemptions ask of it.

use super::round::Served;
use crate::generate::Asked;
use crate::normal::{Line, Normal};
use crate::peer::Program;
use port53_zone::{Rtype, name};

/// Two answers to one question that are not alike.
#[derive(Debug)]
pub struct Difference<'a> {
    /// Who differs from us.
    pub program: Program,
    /// All zones that are served.
    pub zones: &'a [Served],
    /// The one that was asked for.
    pub zone: &'a Served,
    /// The question.
    pub asked: &'a Asked,
    /// What we say.
    pub ours: &'a Normal,
    /// What they say.
    pub theirs: &'a Normal,
    /// The same, with the sections although TC is set.
    pub our_sections: &'a Normal,
    /// The same of theirs.
    pub their_sections: &'a Normal,
}

/// A name in wire form and lower case.
type Wire = Vec<u8>;

impl Difference<'_> {
    /// The zone of ours that the name is in, by longest match.
    pub(super) fn nearest(&self, name: &[u8]) -> Option<Wire> {
        let apexes = self.zones.iter().map(|zone| wire(&zone.apex));
        apexes.filter(|apex| is_at_or_below(name, apex)).max_by_key(Vec::len)
    }

    /// Where the chain of our answer leads: the last name that it goes to, or the name asked for.
    pub(super) fn end_of_chain(&self) -> Wire {
        let mut at = wire(&self.asked.owner);
        for _ in 0..self.ours.answer.len() {
            let alias = |line: &&Line| line.owner() == at && line.rtype() == Rtype::CNAME.to_int();
            match self.our_sections.answer.iter().find(alias) {
                Some(line) => at = line.value().to_vec(),
                None => break,
            }
        }
        at
    }
}

pub(super) fn wire(text: &str) -> Wire {
    let mut wire = name::parse_absolute(text).expect("a name").as_slice().to_vec();
    wire.make_ascii_lowercase();
    wire
}

/// Whether `name` is `ancestor` or below it, on the border of a label.
pub(super) fn is_at_or_below(name: &[u8], ancestor: &[u8]) -> bool {
    let mut rest = name;
    loop {
        if rest == ancestor {
            return true;
        }
        match rest.first() {
            None | Some(0) => return false,
            Some(&length) => rest = &rest[1 + usize::from(length)..],
        }
    }
}
