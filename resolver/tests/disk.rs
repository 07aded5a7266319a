//! The disk cache: a restart answers the same, damage is noticed, a disk that fails stops nothing.

mod support;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use port53_resolver::disk::{self, DiskStatus, Writer};
use port53_resolver::health::Health;
use port53_resolver::metrics::Metrics;
use port53_resolver::source::Publisher;
use port53_resolver::transfer::{Policy, Transfers};
use rustix::fs::{FileType, Mode};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use support::*;

const OFTEN: Duration = Duration::from_millis(1);
const HOSTS: usize = 1500;

/// A cache that holds example.com at serial 7 and example.org at serial 3.
fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let (publisher, status) = (Publisher::new(), Arc::new(DiskStatus::default()));
    let loaded = disk::load(directory.path(), &publisher, &Transfers::default(), &status);
    let writer =
        Writer::start(directory.path(), publisher.clone(), Arc::default(), loaded, OFTEN, status.clone())
            .expect("starts");
    publisher.put(image("example.com.", 7, "192.0.2.1", HOSTS)).expect("new");
    publisher.put(image("example.org.", 3, "192.0.2.2", 0)).expect("new");
    writer.finish();
    assert_eq!(status.failure(), None);
    directory
}

fn reload(directory: &Path) -> (Publisher, disk::Loaded, Arc<DiskStatus>) {
    let (publisher, status) = (Publisher::new(), Arc::new(DiskStatus::default()));
    let loaded = disk::load(directory, &publisher, &Transfers::default(), &status);
    publisher.list_complete();
    (publisher, loaded, status)
}

fn files(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .expect("lists")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_str().is_some_and(|path| path.ends_with(suffix)))
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_answers_the_same() {
    let directory = written();
    let (publisher, loaded, _) = reload(directory.path());
    assert_eq!((loaded.zones, loaded.problems.len()), (2, 0), "{:?}", loaded.problems);
    let original = image("example.com.", 7, "192.0.2.1", HOSTS);
    let view = publisher.view(&zone_name("example.com.")).and_then(|view| view.image).expect("in service");
    assert_eq!(view.content().digest(), original.content().digest());
    assert_eq!(view.soa(), original.soa());
    let server = start(&publisher, hasty());
    assert_eq!(values(&ask_udp(server.address, "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    assert_eq!(values(&ask_udp(server.address, "host77.example.com.", RecordType::A)), ["198.51.100.7"]);
    assert_eq!(values(&ask_tcp(server.address, "www.example.org.", RecordType::A)), ["192.0.2.2"]);
    server.stop().await;
}

/// Secondaries go on while the source that said who may transfer cannot be reached.
#[test]
fn a_restart_gives_zones_to_those_who_could_have_them() {
    let directory = written();
    let apex = zone_name("example.com.");
    let policy = Policy {
        allow: vec!["192.0.2.0/24".parse().expect("an entry"), "key:xfr".parse().expect("an entry")],
        notify: Vec::new(),
    };
    let (publisher, status) = (Publisher::new(), Arc::new(DiskStatus::default()));
    let transfers = Arc::new(Transfers::default());
    let loaded = disk::load(directory.path(), &publisher, &transfers, &status);
    let writer =
        Writer::start(directory.path(), publisher.clone(), transfers.clone(), loaded, OFTEN, status.clone());
    transfers.policies().set(&apex, Some(policy.clone()));
    publisher.put(image("example.com.", 8, "192.0.2.1", HOSTS)).expect("newer");
    writer.expect("starts").finish();
    let transfers = Transfers::default();
    let loaded = disk::load(directory.path(), &Publisher::new(), &transfers, &status);
    assert_eq!(loaded.problems, [""; 0]);
    assert_eq!(*transfers.policies().of(&apex), policy);
    assert_eq!(*transfers.policies().of(&zone_name("example.org.")), Policy::default());
}

/// Changes write what changed, a withdrawal removes the zone, and what is no longer used goes.
#[test]
fn changes_and_withdrawals_follow() {
    let directory = written();
    let (publisher, loaded, status) = reload(directory.path());
    let writer =
        Writer::start(directory.path(), publisher.clone(), Arc::default(), loaded, OFTEN, status.clone())
            .expect("starts");
    let zone = directory.path().join("example.com.zone");
    let first = files(&zone, ".slice").len();
    assert!(first > 3, "more than one slice: {first}");
    for serial in 8..400u32 {
        let before = status.writes.load(Relaxed);
        publisher
            .put(image("example.com.", serial, &format!("192.0.{}.1", serial % 256), HOSTS))
            .expect("higher");
        if serial % 8 == 0 {
            eventually("it is written", || status.writes.load(Relaxed) > before);
        }
    }
    publisher.withdraw(&zone_name("example.org."));
    writer.finish();
    let kept = files(&zone, ".slice").len();
    assert!(kept <= 3 * first + 66, "{kept} slices are kept of {first} in use");
    assert!(files(&zone, ".tmp").is_empty());
    assert!(!directory.path().join("example.org.zone").exists());
    let (again, loaded, _) = reload(directory.path());
    assert_eq!((loaded.zones, loaded.problems.len()), (1, 0));
    let view = again.view(&zone_name("example.com.")).and_then(|view| view.image).expect("in service");
    assert_eq!(view.soa().serial, 399);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_slice_is_set_aside_and_its_zone_alone_is_servfail() {
    let directory = written();
    let zone = directory.path().join("example.com.zone");
    let victim = files(&zone, ".slice").pop().expect("a slice");
    let mut octets = fs::read(&victim).expect("reads");
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    fs::write(&victim, octets).expect("writes");
    let (publisher, loaded, status) = reload(directory.path());
    assert_eq!(loaded.zones, 1);
    assert!(loaded.problems[0].contains("set aside"), "{:?}", loaded.problems);
    assert_eq!((files(&zone, ".corrupt").len(), status.corrupt.load(Relaxed)), (1, 1));
    let server = start(&publisher, hasty());
    assert_eq!(rcode(&ask_udp(server.address, "www.example.com.", RecordType::A)), ResponseCode::ServFail);
    assert_eq!(values(&ask_udp(server.address, "www.example.org.", RecordType::A)), ["192.0.2.2"]);

    // What is missed stays missed at the next start, until a source gives it; then it is whole again.
    let (_, loaded, _) = reload(directory.path());
    assert_eq!((loaded.zones, loaded.problems.len()), (1, 1));
    let writer = Writer::start(directory.path(), publisher.clone(), Arc::default(), loaded, OFTEN, status)
        .expect("starts");
    publisher.put(image("example.com.", 2, "192.0.2.9", HOSTS)).expect("the first that is whole");
    assert_eq!(values(&ask_udp(server.address, "www.example.com.", RecordType::A)), ["192.0.2.9"]);
    writer.finish();
    let (_, loaded, _) = reload(directory.path());
    assert_eq!((loaded.zones, loaded.problems.len()), (2, 0), "{:?}", loaded.problems);
    server.stop().await;
}

#[test]
fn a_torn_manifest_and_a_missing_slice_are_noticed() {
    let directory = written();
    let manifest = directory.path().join("example.org.zone/manifest");
    let whole = fs::read(&manifest).expect("reads");
    fs::write(&manifest, &whole[..whole.len() / 2]).expect("writes");
    let slice = files(&directory.path().join("example.com.zone"), ".slice").remove(0);
    fs::remove_file(slice).expect("removes");
    for attempt in 0..2 {
        let (publisher, loaded, _) = reload(directory.path());
        assert_eq!((loaded.zones, loaded.problems.len()), (0, 2), "{attempt}: {:?}", loaded.problems);
        let assembling = publisher.overview().zones.iter().filter(|zone| zone.image.is_none()).count();
        assert_eq!(assembling, 2, "both are known and not complete");
    }
    assert!(directory.path().join("example.org.zone/manifest.corrupt").exists());
}

/// The cache of one zone in the place of another's, as a restore by hand makes it: it is not served under
/// either name twice, and the zone that is missed is SERVFAIL, never REFUSED.
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_in_the_place_of_another_zone_is_set_aside() {
    let directory = written();
    let (com, org) = (directory.path().join("example.com.zone"), directory.path().join("example.org.zone"));
    fs::remove_dir_all(&com).expect("removes");
    fs::create_dir(&com).expect("creates");
    for file in files(&org, "") {
        fs::copy(&file, com.join(file.file_name().expect("a name"))).expect("copies");
    }
    let (publisher, loaded, status) = reload(directory.path());
    assert_eq!((loaded.zones, loaded.problems.len()), (1, 1), "{:?}", loaded.problems);
    assert!(loaded.problems[0].contains("is of zone example.org."), "{:?}", loaded.problems);
    assert_eq!((files(&com, ".corrupt").len(), status.corrupt.load(Relaxed)), (1, 1));
    let server = start(&publisher, hasty());
    assert_eq!(rcode(&ask_udp(server.address, "www.example.com.", RecordType::A)), ResponseCode::ServFail);
    assert_eq!(values(&ask_udp(server.address, "www.example.org.", RecordType::A)), ["192.0.2.2"]);
    server.stop().await;
}

/// A directory where a file of the cache should be could never be written over, and a FIFO would hold up the
/// start for ever: both go out of the way, and the zone is written when a source gives it.
#[test]
fn what_is_not_a_file_is_set_aside() {
    for name in ["manifest", ".slice"] {
        for fifo in [false, true] {
            let directory = written();
            let victim = files(&directory.path().join("example.com.zone"), name).remove(0);
            fs::remove_file(&victim).expect("removes");
            if fifo {
                let (kind, mode) = (FileType::Fifo, Mode::RUSR | Mode::WUSR);
                rustix::fs::mknodat(rustix::fs::CWD, &victim, kind, mode, 0).expect("makes a FIFO");
            } else {
                fs::create_dir(&victim).expect("creates");
            }
            let (publisher, loaded, status) = reload(directory.path());
            assert_eq!((loaded.zones, loaded.problems.len()), (1, 1), "{:?}", loaded.problems);
            assert!(loaded.problems[0].contains("is not a file; set aside"), "{:?}", loaded.problems);
            let writer = Writer::start(
                directory.path(),
                publisher.clone(),
                Arc::default(),
                loaded,
                OFTEN,
                status.clone(),
            );
            publisher.put(image("example.com.", 7, "192.0.2.1", HOSTS)).expect("new");
            writer.expect("starts").finish();
            assert_eq!(status.failure(), None);
            assert_eq!(reload(directory.path()).1.zones, 2);
        }
    }
}

/// What a source gave first is not replaced by what an older process left on disk.
#[test]
fn the_disk_never_overtakes_a_source() {
    let directory = written();
    let publisher = Publisher::new();
    publisher.put(image("example.com.", 5, "192.0.2.5", 0)).expect("new");
    disk::load(directory.path(), &publisher, &Transfers::default(), &DiskStatus::default());
    let view = publisher.view(&zone_name("example.com.")).and_then(|view| view.image).expect("in service");
    assert_eq!(view.soa().serial, 5);
}

/// The cache directory is below a file, so nothing can be written, whatever rights this process has; then
/// the file goes and everything is written, without being told.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_written_stops_nothing_and_is_tried_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let obstacle = directory.path().join("obstacle");
    fs::write(&obstacle, "in the way").expect("writes");
    let cache = obstacle.join("cache");
    let (publisher, status) = (Publisher::new(), Arc::new(DiskStatus::default()));
    let loaded = disk::load(&cache, &publisher, &Transfers::default(), &status);
    let writer = Writer::start(&cache, publisher.clone(), Arc::default(), loaded, OFTEN, status.clone())
        .expect("starts");
    publisher.put(image("example.com.", 7, "192.0.2.1", 0)).expect("new");
    eventually("the failure is said", || status.failure().is_some());
    let server = start(&publisher, hasty());
    assert_eq!(values(&ask_udp(server.address, "www.example.com.", RecordType::A)), ["192.0.2.1"]);
    fs::remove_file(&obstacle).expect("removes");
    eventually("it is written after all", || status.failure().is_none() && status.writes.load(Relaxed) == 1);
    writer.finish();
    assert_eq!(reload(&cache).1.zones, 1);
    server.stop().await;
}

/// ENOSPC as the system gives it, whatever rights this process has: the temporary file of `name` is /dev/full.
fn full_for(zone: &Path, name: &str) -> PathBuf {
    let temporary = zone.join(name).with_extension("tmp");
    std::os::unix::fs::symlink("/dev/full", &temporary).expect("links");
    temporary
}

/// The disk is full for the manifest: the last whole version stays on it, answers go on, readiness and metrics
/// say so, and when there is room again everything is written, without being told.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_the_last_whole_version_and_is_said() {
    let directory = written();
    let (publisher, loaded, status) = reload(directory.path());
    let obstacle = full_for(&directory.path().join("example.com.zone"), "manifest");
    let writer =
        Writer::start(directory.path(), publisher.clone(), Arc::default(), loaded, OFTEN, status.clone())
            .expect("starts");
    publisher.put(image("example.com.", 8, "192.0.2.8", HOSTS)).expect("higher");
    eventually("the failure is said", || status.failure().is_some());

    let server = start(&publisher, hasty());
    assert_eq!(values(&ask_udp(server.address, "www.example.com.", RecordType::A)), ["192.0.2.8"]);
    let health = Health::new(publisher.clone(), &[], Some(status.clone()), Duration::ZERO);
    let report = health.report();
    assert!(report.ready);
    assert!(report.notes.iter().any(|note| note.contains("disk cache: cannot be written")), "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("No space left")), "{report:?}");
    let traffic = server.traffic.clone();
    let disk = Some(status.clone());
    let metrics = Metrics {
        traffic,
        publisher: publisher.clone(),
        disk,
        kubernetes: None,
        health,
        reloads: Arc::default(),
        certificate: None,
        transfers: None,
        forwarder: None,
        zones_with_metrics: 1,
    };
    assert!(metrics.scrape().contains("\nport53_disk_writable 0\n"));
    assert_eq!(serial_on(directory.path()), 7);

    fs::remove_file(obstacle).expect("removes");
    eventually("it is written after all", || status.failure().is_none());
    writer.finish();
    assert!(metrics.scrape().contains("\nport53_disk_writable 1\n"));
    assert_eq!(serial_on(directory.path()), 8);
    server.stop().await;
}

/// The same for a slice, which comes before the manifest that would name it.
#[test]
fn a_disk_that_is_full_for_a_slice_keeps_the_last_whole_version() {
    let directory = written();
    let (publisher, loaded, status) = reload(directory.path());
    let zone = directory.path().join("example.com.zone");
    let next = image("example.com.", 8, "192.0.2.8", HOSTS);
    for (digest, _) in next.content().slices() {
        full_for(&zone, &format!("{digest}.slice"));
    }
    // Longer than this test: there is one attempt, and one more at the end.
    let rarely = Duration::from_secs(3600);
    let writer =
        Writer::start(directory.path(), publisher.clone(), Arc::default(), loaded, rarely, status.clone())
            .expect("starts");
    publisher.put(next).expect("higher");
    eventually("the failure is said", || status.failure().is_some());
    assert_eq!(serial_on(directory.path()), 7);
    drop(writer);
}

/// The serial that a restarted process would serve of example.com. Nothing may be damaged.
fn serial_on(directory: &Path) -> u32 {
    let (publisher, loaded, _) = reload(directory);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let view = publisher.view(&zone_name("example.com.")).and_then(|view| view.image).expect("in service");
    view.soa().serial
}
