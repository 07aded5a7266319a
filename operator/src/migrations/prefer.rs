//! Which side a person prefers where both differ: `legacy`, `port53`, of all or of one name and type. Pure.

use port53_zone::{Name, Rtype, name, rdata};

use super::merge::{Apart, Changed};

/// See the module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prefer {
    /// Whose side.
    pub side: Side,
    /// Of which name and type; of all where left out.
    pub of: Option<(Name, Rtype)>,
}

/// Whose side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// What legacy has is written here.
    Legacy,
    /// What is here is written to legacy.
    Port53,
}

impl Prefer {
    /// Reads what an annotation says: a side, and perhaps an absolute name and a type.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let side = match words.next() {
            Some("legacy") => Side::Legacy,
            Some("port53") => Side::Port53,
            _ => {
                return Err(format!(
                    "\"{text}\" names no side: write legacy or port53, and a name and type if you like"
                ));
            }
        };
        let of = match (words.next(), words.next(), words.next()) {
            (None, ..) => None,
            (Some(owner), Some(rtype), None) => {
                let owner = name::parse_absolute(owner).map_err(|error| format!("\"{owner}\" {error}"))?;
                let rtype = rdata::parse_rtype(rtype)
                    .ok_or_else(|| format!("\"{rtype}\" is no record type: write one such as A or TXT"))?;
                Some((owner, rtype))
            }
            _ => {
                return Err(format!(
                    "\"{text}\" has a name without a type, or more: write {side:?} NAME TYPE"
                )
                .to_lowercase());
            }
        };
        Ok(Prefer { side, of })
    }

    /// Whether it is about this name, of whatever type.
    pub(super) fn is_about_name(&self, name: &Name) -> bool {
        self.of.as_ref().is_none_or(|(of, _)| of == name)
    }

    /// Whether it is about this. What legacy has and was never here is deleted there by its name alone: most of a zone is so
    /// before it was brought over, and what is refused here always is.
    pub(super) fn is_about(&self, apart: &Apart) -> bool {
        let was_never_here = || apart.ours.is_none() && apart.changed == Changed::Legacy;
        match &self.of {
            Some((name, rtype)) => *name == apart.name && *rtype == apart.rtype,
            None => self.side == Side::Legacy || !was_never_here(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Said of all in the middle of a backfill it deleted at legacy what was not here yet.
    #[test]
    fn what_was_never_here_is_deleted_at_legacy_by_its_name_alone() {
        let owner = name::parse_absolute("www.example.com").expect("a name");
        let value = rdata::parse_value(Rtype::A, "192.0.2.1").expect("an address");
        let theirs = Some(port53_zone::RRset::new(owner.clone(), Rtype::A, 60, [value]));
        let apart = |changed| Apart {
            name: owner.clone(),
            rtype: Rtype::A,
            ours: None,
            theirs: theirs.clone(),
            changed,
        };
        for (said, changed, expected) in [
            ("port53", Changed::Legacy, false),
            ("port53 www.example.com. A", Changed::Legacy, true),
            ("legacy", Changed::Legacy, true),
            // It was here, and was deleted here.
            ("port53", Changed::Port53, true),
            ("port53", Changed::Both, true),
        ] {
            let prefer = Prefer::parse(said).expect("a preference");
            assert_eq!(prefer.is_about(&apart(changed)), expected, "{said} {changed:?}");
        }
    }

    #[test]
    fn a_side_and_perhaps_a_name_and_type() {
        assert_eq!(Prefer::parse("legacy"), Ok(Prefer { side: Side::Legacy, of: None }));
        let one = Prefer::parse("port53 www.example.com. a").expect("a preference");
        assert_eq!(one.side, Side::Port53);
        assert_eq!(one.of.map(|(_, rtype)| rtype), Some(Rtype::A));
        for wrong in [
            "",
            "ours",
            "legacy www.example.com",
            "legacy www.example.com A now",
            "legacy a..b A",
            "legacy a.b XYZ",
        ] {
            assert!(Prefer::parse(wrong).is_err(), "{wrong}");
        }
    }
}
