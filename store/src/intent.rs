//! Intents: what a name is to be at a legacy DNS and here, written down before the first of the two writes.

use port53_crds::{HeadDualWrite, Intent as IntentFields, Way};
use port53_zone::content::Change;
use port53_zone::{Name, name};

use crate::StoreError;
use crate::head::{journal_text, read_journal, read_name};

/// What one name is to be at both: an entry of `spec.dualWrite.intents`.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The owner name.
    pub name: Name,
    /// Whether it is brought forward or put back.
    pub way: Way,
    /// The changes that make it what it is to be. All of that name, in canonical order.
    pub new: Vec<Change>,
    /// The changes that make it what it was.
    pub old: Vec<Change>,
    /// The serial that legacy was seen to have before.
    pub legacy_serial: Option<u32>,
}

impl Intent {
    /// As it stands in an object.
    pub(crate) fn to_fields(&self, apex: &Name) -> IntentFields {
        IntentFields {
            name: name::display(&self.name),
            way: self.way,
            new: journal_text(apex, &self.new),
            old: journal_text(apex, &self.old),
            legacy_serial: self.legacy_serial,
        }
    }
}

/// Reads what an object says.
pub(crate) fn read(apex: &Name, fields: &HeadDualWrite) -> Result<Vec<Intent>, StoreError> {
    let intents = fields.intents.iter().map(|fields| {
        let intent = Intent {
            name: read_name("spec.dualWrite.intents", &fields.name)?,
            way: fields.way,
            new: read_journal("spec.dualWrite.intents", apex, &fields.new)?,
            old: read_journal("spec.dualWrite.intents", apex, &fields.old)?,
            legacy_serial: fields.legacy_serial,
        };
        let is_other = |change: &&Change| *change.name() != intent.name;
        match intent.new.iter().chain(&intent.old).find(is_other) {
            Some(other) => {
                let (other, name) = (name::display(other.name()), name::display(&intent.name));
                let wrong = format!("that of {name} is about {other}");
                Err(StoreError::field("spec.dualWrite.intents", wrong))
            }
            None => Ok(intent),
        }
    });
    intents.collect()
}
