//! Which side a person prefers where both differ: `legacy`, `port53`, of all or of one name and type. Pure.

use port53_zone::{Name, Rtype, name, rdata};

use super::merge::Apart;

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

    /// Whether it is about this.
    pub(super) fn is_about(&self, apart: &Apart) -> bool {
        self.of.as_ref().is_none_or(|(name, rtype)| *name == apart.name && *rtype == apart.rtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
