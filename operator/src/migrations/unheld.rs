//! What legacy has and nothing here can hold, as a transfer noted it: values that are none of their type, RRsets that fit no
//! message. It is listed like what is refused here, and both sides are not the same while there is any. What is held otherwise
//! than legacy says it, TTLs that differ within an RRset (RFC 2181 §5.2), is told. Pure.

use std::collections::{BTreeMap, BTreeSet};

use port53_crds::{MAX_TTL, Reason, Reject};
use port53_legacy::{Note, Notes};
use port53_zone::content::Content;
use port53_zone::{Name, Rtype, name, rdata};

use super::agreed::Place;
use super::scope::Scope;

/// See the module.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Unheld {
    rejects: BTreeMap<(Name, Rtype), Reject>,
    places: BTreeSet<Place>,
    /// RRsets of which nothing is held.
    whole: usize,
    /// What is said otherwise: the first, and how many.
    otherwise: Option<(String, usize)>,
    /// How many more are left out that were not noted one by one.
    more: u64,
}

impl Unheld {
    /// What a transfer that made `content` noted.
    pub(super) fn of(notes: &Notes, content: &Content, scope: &Scope) -> Self {
        let mut unheld = Unheld { more: notes.more_left_out, ..Unheld::default() };
        for note in &notes.kept {
            match note {
                Note::Ttls { name, rtype, .. } | Note::GreatTtl { name, rtype, .. } => {
                    if scope.takes(name, *rtype) {
                        unheld.otherwise.get_or_insert_with(|| (note.to_string(), 0)).1 += 1;
                    }
                }
                Note::Left { name, rtype, value, why } => {
                    unheld.note(
                        scope,
                        name,
                        *rtype,
                        Some(value),
                        (Reason::InvalidValue, format!("it {why}")),
                    );
                }
                Note::TooLarge { name, rtype } => {
                    unheld.note(scope, name, *rtype, None, (Reason::TooLarge, note.to_string()));
                }
            }
        }
        for ((name, rtype), reject) in &mut unheld.rejects {
            match content.get(name, *rtype) {
                Some(rrset) => reject.ttl = rrset.ttl.min(MAX_TTL),
                None => unheld.whole += 1,
            }
        }
        unheld
    }

    fn note(
        &mut self,
        scope: &Scope,
        name: &Name,
        rtype: Rtype,
        value: Option<&String>,
        (reason, message): (Reason, String),
    ) {
        if !scope.takes(name, rtype) {
            return;
        }
        self.places.insert(Place::of(name, rtype));
        let reject = self.rejects.entry((name.clone(), rtype)).or_insert_with(|| Reject {
            name: name::display(name),
            type_: rdata::display_rtype(rtype),
            ttl: 0,
            values: Vec::new(),
            reason: reason.as_str().to_owned(),
            message,
        });
        reject.values.extend(value.cloned());
    }

    /// Whether all that legacy has is held.
    pub(super) fn is_empty(&self) -> bool {
        self.rejects.is_empty() && self.more == 0
    }

    /// RRsets of legacy of which nothing is held.
    pub(super) fn whole(&self) -> usize {
        self.whole
    }

    /// Whether something of this RRset is not held: to write it there would take that from legacy.
    pub(super) fn has(&self, place: Place) -> bool {
        self.places.contains(&place)
    }

    /// As it is listed.
    pub(super) fn rejects(&self) -> impl Iterator<Item = &Reject> {
        self.rejects.values()
    }

    /// What is to be told in a sentence, if anything.
    pub(super) fn told(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.rejects.is_empty() || self.more > 0 {
            let count = self.rejects.len() as u64 + self.more;
            parts.push(format!(
                "{count} RRsets of legacy cannot be held here, whole or in part: see status.rejects"
            ));
        }
        if let Some((first, count)) = &self.otherwise {
            let others =
                if *count > 1 { format!(", and {} others like it", count - 1) } else { String::new() };
            parts.push(format!("at legacy {first}{others}"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::scope::NotCounted;
    use port53_zone::RRset;

    fn at(text: &str) -> Name {
        name::parse_absolute(text).expect(text)
    }

    #[test]
    fn what_is_left_out_is_listed_and_what_is_held_otherwise_is_told() {
        let scope = Scope { apex: at("example.com"), apex_ns: false, left_out: NotCounted::default() };
        let address = rdata::parse_value(Rtype::A, "192.0.2.1").expect("an address");
        let www = RRset::new(at("www.example.com"), Rtype::A, 300, [address]);
        let content = Content::build(at("example.com"), [1; 16], [(www, None)]).expect("a content");
        let left = |name: &str, rtype, value: &str| Note::Left {
            name: at(name),
            rtype,
            value: value.to_owned(),
            why: "is no address".to_owned(),
        };
        let kept = vec![
            left("www.example.com", Rtype::A, "\\# 1 00"),
            left("www.example.com", Rtype::A, "\\# 1 01"),
            Note::TooLarge { name: at("large.example.com"), rtype: Rtype::TXT },
            Note::Ttls { name: at("mail.example.com"), rtype: Rtype::A, lowest: 60, other: 300 },
            // Signatures are each side's own.
            left("www.example.com", Rtype::RRSIG, "\\# 0"),
        ];
        let notes = Notes { kept, more: 3, more_left_out: 2 };
        let unheld = Unheld::of(&notes, &content, &scope);
        assert!(!unheld.is_empty() && unheld.has(Place::of(&at("WWW.example.com"), Rtype::A)));
        assert_eq!(unheld.whole(), 1, "large");
        let rejects: Vec<&Reject> = unheld.rejects().collect();
        assert_eq!(rejects.len(), 2);
        let www = rejects.iter().find(|reject| reject.name == "www.example.com.").expect("it is listed");
        assert_eq!((www.ttl, www.values.len(), www.reason.as_str()), (300, 2, "InvalidValue"));
        assert_eq!(
            unheld.told().as_deref(),
            Some(
                "4 RRsets of legacy cannot be held here, whole or in part: see status.rejects; at legacy \
                 mail.example.com. A has the TTLs 60 and 300: 60, the lowest, counts"
            )
        );
        let ttls = Notes { kept: notes.kept[3..4].to_vec(), ..Notes::default() };
        assert!(Unheld::of(&ttls, &content, &scope).is_empty());
    }
}
