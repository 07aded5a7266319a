//! What a turn works with: a migration, its Zone, and what is published of it. Pure.

use std::sync::Arc;

use port53_crds::{Reason, Zone, ZoneMigration};
use port53_zone::content::Content;
use port53_zone::{Rtype, name};

use super::super::Orders;
use super::super::scope::{NotCounted, Scope};
use crate::admission::World;
use crate::index::{self, Key};
use crate::objects::ObjectRef;
use crate::stages::Published;

/// Characters of the name of a migration: what is kept beside it has longer ones.
const LONGEST_NAME: usize = 200;

/// What a turn works with.
pub(super) struct Turn {
    pub(super) key: Key,
    pub(super) migration: Arc<ZoneMigration>,
    pub(super) world: Arc<World>,
    pub(super) zone: Arc<Zone>,
    pub(super) scope: Scope,
    pub(super) published: Option<Published>,
    pub(super) ours: Content,
}

/// What the next turn works with.
///
/// # Errors
/// Why nothing can be done.
pub(super) fn turn_of(orders: &Orders, world: Arc<World>) -> Result<Turn, (Reason, String)> {
    let migration = orders.migration.clone();
    let (namespace, name) = index::key(&migration.metadata);
    if name.len() > LONGEST_NAME {
        let why =
            format!("its name has more than {LONGEST_NAME} characters: create another with a shorter one");
        return Err((Reason::InvalidSpec, why));
    }
    if let Some(other) = &orders.other {
        let why = format!("ZoneMigration {other} has this Zone: delete one of them");
        return Err((Reason::AlreadyMigrated, why));
    }
    let zone_name = &migration.spec.zone_ref.name;
    let is_it = |zone: &&Arc<Zone>| {
        zone.metadata.namespace.as_deref() == Some(&namespace)
            && zone.metadata.name.as_ref() == Some(zone_name)
    };
    let Some(zone) = world.objects.zones.iter().find(is_it).cloned() else {
        let why = format!("there is no Zone {namespace}/{zone_name}: create it, or correct spec.zoneRef");
        return Err((Reason::ZoneNotFound, why));
    };
    if zone.metadata.deletion_timestamp.is_some() {
        let why = format!("Zone {namespace}/{zone_name} is being deleted: nothing is written to either side");
        return Err((Reason::ZoneDeleted, why));
    }
    let apex = name::parse_absolute(&zone.spec.domain).map_err(|error| {
        (Reason::ZoneNotAccepted, format!("spec.domain of Zone {namespace}/{zone_name} {error}"))
    })?;
    let is_held = |published: &&Published| {
        published.holder == ObjectRef::Zone { namespace: namespace.clone(), name: zone_name.clone() }
    };
    let published = world.published.get(&apex).filter(is_held).cloned();
    if published.is_none() && world.published.contains_key(&apex) {
        let why = format!("another Zone holds {}: see its conditions", zone.spec.domain);
        return Err((Reason::ZoneNotAccepted, why));
    }
    let ours = match &published {
        Some(published) => published.content.clone(),
        None => Content::empty(apex.clone(), world.settings.salt),
    };
    let left_out = NotCounted::read(&migration.spec.compare.leave_out, &apex);
    let left_out = left_out.map_err(|why| (Reason::InvalidSpec, why))?;
    let scope = Scope { apex_ns: are_apex_ns_compared(&migration, &ours, &zone), apex, left_out };
    Ok(Turn { key: (namespace, name), migration, world, zone, scope, published, ours })
}

/// Whether NS at the apex are a difference: not while what is shown there is what the migration has it show.
fn are_apex_ns_compared(migration: &ZoneMigration, ours: &Content, zone: &Zone) -> bool {
    let is_of_zone = ours.owner_of(ours.apex(), Rtype::NS) == Some(ObjectRef::of_zone(zone).owner());
    migration.spec.compare.apex_ns && !(migration.spec.shadow.is_some() && is_of_zone)
}

/// What an annotation says.
pub(super) fn annotation<'m>(migration: &'m ZoneMigration, name: &str) -> Option<&'m str> {
    migration.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}
