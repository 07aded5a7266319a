//! Zones that move here from the servers that people have: a real resolver in front of BIND, Knot, NSD and PowerDNS. Its
//! zones come from its disk cache; how heads change them is seen in `tests/tests/api/forwarding.rs`.

mod answers;
mod fallback;
mod refused;

use port53_crds::Otherwise;
use port53_store::Forwarding;
use port53_tests::disk_cache;
use port53_tests::read::read;
use port53_tests::resolver::Resolver;
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::name;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const RESOLVER: &str = env!("CARGO_BIN_EXE_port53-resolver-tested");

/// A zone as we have it, from its master file.
fn image(apex: &str, text: &str) -> Image {
    let (soa, rrsets) = read("zone", text.as_bytes(), apex, None).rrsets();
    let apex = name::parse_absolute(apex).expect("a name");
    let content = Content::build(apex, [1; 16], rrsets.into_iter().map(|rrset| (rrset, None)));
    Image::new(content.expect("a content"), soa)
}

/// To this legacy, compared; waited for a long time, so that a busy machine is no reason for another answer.
fn to(legacy: SocketAddr) -> Forwarding {
    Forwarding {
        compare: true,
        otherwise: Otherwise::LastKnown,
        timeout: Duration::from_secs(5),
        ..Forwarding::to(legacy)
    }
}

/// A resolver of nameserver ns1 that has these zones, which move here.
fn resolver(zones: impl IntoIterator<Item = Image>, forwarding: &Forwarding) -> Resolver {
    resolver_with(zones, forwarding, &[])
}

/// The same, with more arguments.
fn resolver_with(zones: impl IntoIterator<Item = Image>, forwarding: &Forwarding, more: &[&str]) -> Resolver {
    let dir = TempDir::new().expect("a temporary directory");
    let cache = dir.path().join("cache");
    std::fs::create_dir(&cache).expect("a directory");
    disk_cache::write_with(&cache, zones, Some(forwarding)).expect("a cache");
    let arguments = [&["--nameserver=ns1", "--compare-soa=true"], more].concat();
    Resolver::start_from_disk(Path::new(RESOLVER), dir, &arguments)
}

/// A number of `/forwarding`, summed over all zones.
fn count(resolver: &Resolver, path: &str) -> u64 {
    let page: serde_json::Value = serde_json::from_str(&resolver.get("/forwarding")).expect("JSON");
    let zones = page["zones"].as_array().expect("zones");
    let of = |zone: &serde_json::Value| zone.pointer(path).and_then(serde_json::Value::as_u64);
    zones.iter().map(|zone| of(zone).unwrap_or_else(|| panic!("{path}: {zone}"))).sum()
}
