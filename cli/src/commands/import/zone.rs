//! A zone as manifests, and where in its file each record stands.

use std::collections::BTreeMap;
use std::path::Path;

use port53_operator::objects::MasterZone;
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Record, Rtype, Soa};
use serde_json::{Value, json};

use super::Told;
use super::places::Places;
use super::sources::{self, Source};
use crate::args::Import;
use crate::directory::{self, OpenError};
use crate::legacy::named::ZoneFile;
use crate::legacy::{LeftOut, LegacyZone};
use port53_operator::convert::{self, Converted, ZoneData};

/// A zone that was read.
pub(super) struct Zone {
    pub(super) apex: Name,
    pub(super) converted: Converted,
    pub(super) places: Places,
    /// What of it is no RRset here.
    pub(super) left_out: Vec<LeftOut>,
}

/// What came of reading a zone.
pub(super) enum Read {
    Zone(Zone),
    /// It has no SOA, which was told, or it is not wanted.
    Nothing,
    LeftOut(LeftOut),
}

/// Reads a zone, and tells what is wrong in its file.
///
/// # Errors
/// When the file cannot be opened that a person named.
pub(super) fn read(
    source: Source,
    arguments: &Import,
    namespace: Option<&str>,
    told: &mut Told,
) -> Result<Read, OpenError> {
    let zone = match source {
        Source::Ready(zone) => return Ok(Read::Zone(of_legacy(zone, namespace))),
        Source::Master(path) => {
            let (zone, findings) = directory::read_master_file(&path, arguments.origin.clone())?;
            told.findings(&findings);
            zone
        }
        Source::Named(configuration, chosen) => {
            let ZoneFile { zone, findings } = configuration.zone(&chosen);
            told.findings(&findings);
            match zone {
                Ok(zone) => Some(zone),
                Err(left_out) => return Ok(Read::LeftOut(left_out)),
            }
        }
    };
    let zone = zone.filter(|zone| sources::is_wanted(&zone.apex, arguments));
    Ok(zone.map_or(Read::Nothing, |zone| Read::Zone(of_master(zone, namespace, told))))
}

fn of_master(zone: MasterZone, namespace: Option<&str>, told: &Told) -> Zone {
    let places = Places::of_zone(&zone);
    let file = zone.file.clone();
    let data = data(zone);
    let options = convert::Options { namespace: namespace.map(str::to_owned), ..convert::Options::default() };
    let converted = convert::manifests(&data, &options);
    for warning in &converted.warnings {
        eprintln!("{}: {}: {warning}", Path::new(&*file).display(), told.style.warning("warning"));
    }
    Zone { apex: data.apex, converted, places, left_out: Vec::new() }
}

/// A zone without SOA becomes the Zone that was beside it, or one that says its domain and nothing else.
fn of_legacy(mut zone: LegacyZone, namespace: Option<&str>) -> Zone {
    sources::each_once(&mut zone);
    let places = Places::of_legacy(&zone);
    let LegacyZone { apex, object, rrsets, left_out, .. } = zone;
    let metadata = |field: &str| Some(object.as_ref()?["metadata"][field].as_str()?.to_owned());
    let options = convert::Options {
        namespace: metadata("namespace").or(namespace.map(str::to_owned)),
        zone: metadata("name"),
        ..convert::Options::default()
    };
    let rrsets = rrsets.into_iter().map(|(rrset, _)| rrset).collect();
    let mut converted =
        convert::manifests(&ZoneData { soa: placeholder(&apex), apex: apex.clone(), rrsets }, &options);
    converted.warnings.clear();
    if let Some(made) = converted.objects.first_mut() {
        match object {
            Some(mut object) => {
                if let Some(namespace) = &options.namespace {
                    object["metadata"]["namespace"] = Value::from(namespace.as_str());
                }
                *made = object;
            }
            None => made["spec"] = json!({"domain": made["spec"]["domain"]}),
        }
    }
    Zone { apex, converted, places, left_out }
}

/// Stands where a SOA must, and goes into no manifest.
fn placeholder(apex: &Name) -> Soa {
    let (primary, contact) = (apex.clone(), apex.clone());
    Soa { primary, contact, serial: 0, refresh: 0, retry: 0, expire: 0, minimum: 0, ttl: 0 }
}

/// The lines of a master file as RRsets in canonical order. Of TTLs that differ within a set the lowest counts
/// (RFC 2181 §5.2).
fn data(zone: MasterZone) -> ZoneData {
    let mut sets: BTreeMap<(SortKey, u16), Vec<Record>> = BTreeMap::new();
    for line in zone.records {
        let record = line.value;
        sets.entry((SortKey::of(&record.name), record.rtype.to_int())).or_default().push(record);
    }
    let rrsets = sets.into_iter().filter_map(|((_, rtype), records)| {
        let ttl = records.iter().map(|record| record.ttl).min()?;
        let owner = records.first()?.name.clone();
        let values = records.into_iter().map(|record| record.rdata);
        Some(RRset::new(owner, Rtype::from_int(rtype), ttl, values))
    });
    ZoneData { apex: zone.apex, soa: zone.soa.value, rrsets: rrsets.collect() }
}
