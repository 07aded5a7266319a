//! Where in its file stands what is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use port53_operator::objects::MasterZone;
use port53_zone::master::Position;
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Rtype, name, rdata};
use serde_json::Value;

use super::to_cluster::Refused;
use crate::directory::Directory;

/// The places of a zone in its file, and in what that includes.
pub(super) struct Places {
    file: Arc<str>,
    soa: Position,
    /// The first line of each RRset.
    rrsets: BTreeMap<(SortKey, Rtype), Position>,
}

impl Places {
    pub(super) fn of_zone(zone: &MasterZone) -> Self {
        let mut rrsets = BTreeMap::new();
        for line in &zone.records {
            let key = (SortKey::of(&line.value.name), line.value.rtype);
            rrsets.entry(key).or_insert_with(|| line.position.clone());
        }
        Places { file: zone.file.clone(), soa: zone.soa.position.clone(), rrsets }
    }

    /// What was refused is listed in the order of these.
    pub(super) fn position(&self, refused: &Refused, apex: &Name) -> Option<&Position> {
        match refused {
            Refused::RRset(rrset, _) => self.rrset(&rrset.name, rrset.rtype),
            Refused::Object(object, _) if object["kind"] == "Zone" => Some(&self.soa),
            Refused::Object(object, _) => {
                let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
                let owner = name::parse(&text(&object["spec"]["name"]), apex).ok()?;
                self.rrset(&owner, rdata::parse_rtype(&text(&object["spec"]["type"]))?)
            }
        }
    }

    /// `example.com.zone:12`, as people are told.
    pub(super) fn of(&self, refused: &Refused, apex: &Name) -> String {
        self.shown(self.position(refused, apex))
    }

    /// As [`Places::of`].
    pub(super) fn of_rrset(&self, rrset: &RRset) -> String {
        self.shown(self.rrset(&rrset.name, rrset.rtype))
    }

    fn rrset(&self, owner: &Name, rtype: Rtype) -> Option<&Position> {
        self.rrsets.get(&(SortKey::of(owner), rtype))
    }

    fn shown(&self, position: Option<&Position>) -> String {
        let Some(position) = position else { return self.file.to_string() };
        let (file, (line, _)) = Directory::place(position, &self.file);
        format!("{file}:{line}")
    }
}
