//! A disk cache with given zones, for a resolver that is to answer without an API server.

use port53_resolver::disk;
use port53_resolver::source::Publisher;
use port53_resolver::transfer::Transfers;
use port53_store::Forwarding;
use port53_zone::image::Image;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Writes the cache into the empty directory `cache`.
///
/// # Errors
/// When it cannot be written.
pub fn write(cache: &Path, zones: impl IntoIterator<Item = Image>) -> Result<(), Box<dyn Error>> {
    write_with(cache, zones, None)
}

/// The same, of zones that move here, all from one legacy DNS.
///
/// # Errors
/// When it cannot be written.
pub fn write_with(
    cache: &Path,
    zones: impl IntoIterator<Item = Image>,
    forwarding: Option<&Forwarding>,
) -> Result<(), Box<dyn Error>> {
    let (publisher, status) = (Publisher::new(), Arc::new(disk::DiskStatus::default()));
    let loaded = disk::load(cache, &publisher, &Transfers::default(), &status);
    let writer = disk::Writer::start(
        cache,
        publisher.clone(),
        Arc::default(),
        loaded,
        Duration::ZERO,
        status.clone(),
    )?;
    for zone in zones {
        publisher.set_forwarding(zone.apex(), forwarding.cloned());
        publisher.put(zone)?;
    }
    writer.finish();
    status.failure().map_or(Ok(()), |failure| Err(failure.into()))
}
