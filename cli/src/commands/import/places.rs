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
use crate::legacy::LegacyZone;

/// The places of a zone in its file, and in what that includes.
pub(super) struct Places {
    file: Arc<str>,
    soa: Option<Position>,
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
        Places { file: zone.file.clone(), soa: Some(zone.soa.position.clone()), rrsets }
    }

    pub(super) fn of_legacy(zone: &LegacyZone) -> Self {
        let place = |(rrset, position): &(RRset, Position)| {
            ((SortKey::of(&rrset.name), rrset.rtype), position.clone())
        };
        Places { file: zone.file.clone(), soa: None, rrsets: zone.rrsets.iter().map(place).collect() }
    }

    /// What was refused is listed in the order of these.
    pub(super) fn position<'a>(&'a self, refused: &'a Refused, apex: &Name) -> Option<&'a Position> {
        match refused {
            Refused::Entry(left_out) => Some(&left_out.position),
            Refused::RRset(rrset, _) => self.rrset(&rrset.name, rrset.rtype),
            Refused::Object(object, _) if object["kind"] == "Zone" => self.soa.as_ref(),
            Refused::Object(object, _) => {
                let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
                let owner = name::parse(&text(&object["spec"]["name"]), apex).ok()?;
                self.rrset(&owner, rdata::parse_rtype(&text(&object["spec"]["type"]))?)
            }
        }
    }

    /// `example.com.zone:12`, as people are told.
    pub(super) fn of(&self, refused: &Refused, apex: &Name) -> String {
        match (self.position(refused, apex), &self.soa) {
            (None, _) => self.file.to_string(),
            (Some(position), Some(_)) => {
                let (file, (line, _)) = Directory::place(position, &self.file);
                format!("{file}:{line}")
            }
            // Of several files, none of which includes another.
            (Some(position), None) => shown(position),
        }
    }

    /// The place of an RRset.
    fn rrset(&self, owner: &Name, rtype: Rtype) -> Option<&Position> {
        self.rrsets.get(&(SortKey::of(owner), rtype))
    }
}

/// `example.com.yaml:12`, or the file alone when it is about the whole.
pub(super) fn shown(position: &Position) -> String {
    match position.line {
        0 => position.file.to_string(),
        line => format!("{}:{line}", position.file),
    }
}
