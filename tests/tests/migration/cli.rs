//! `port53 migration`, as people run it.

use crate::rig::Rig;
use crate::shared;
use port53_tests::migration;
use port53_tests::peer::Program;
use port53_tests::process::Finished;
use std::path::Path;

pub(crate) fn port53(rig: &Rig<'_>, arguments: &str) -> (Option<i32>, Finished) {
    let program = Path::new(env!("CARGO_BIN_EXE_port53-tested"));
    migration::port53(program, rig.platform, &rig.namespace, &arguments.replace("@ZONE", &rig.domain))
}

/// "`port53 migration diff ZONE`, exit 1 on differences"; "fix by a named direction: `port53 migration resolve ZONE --prefer
/// legacy|port53 [NAME TYPE]`".
#[test]
fn what_differs_is_listed_and_settled() {
    let rig = Rig::new(shared(), Program::Bind, "clidiff", "www A 192.0.2.1\nmail A 192.0.2.2\n");
    rig.migrate("backfill: {from: Transfer}");
    let (code, done) = port53(&rig, "migration status @ZONE --wait");
    assert_eq!(code, Some(0), "{done:?}");
    assert!(done.stdout.contains("2/2"), "{done:?}");
    let (code, done) = port53(&rig, "migration diff @ZONE");
    assert_eq!(code, Some(0), "{done:?}");

    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.20");
    rig.record(&rig.object("mail", "a"), "name: mail, type: A, ttl: 300, values: ['192.0.2.30']");
    rig.comes_to_be_here("mail", "A", "NoError 192.0.2.30");
    let (code, done) = port53(&rig, "migration diff @ZONE");
    assert_eq!(code, Some(1), "{done:?}");
    for words in ["www", "300 192.0.2.1", "300 192.0.2.20", "Legacy", "mail", "300 192.0.2.30", "Port53"] {
        assert!(done.stdout.contains(words), "{words}: {done:?}");
    }
    let (code, done) = port53(&rig, "migration diff @ZONE -o json");
    let list: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!((code, list.as_array().map(Vec::len)), (Some(1), Some(2)), "{list}");

    let (code, done) = port53(&rig, "migration resolve @ZONE www.@ZONE A --prefer legacy");
    assert_eq!(code, Some(0), "{done:?}");
    rig.comes_to_be_here("www", "A", "NoError 192.0.2.20");
    let (code, done) = port53(&rig, "migration resolve @ZONE --prefer port53");
    assert_eq!(code, Some(0), "{done:?}");
    rig.comes_to_be_there("mail", "A", "192.0.2.30");
    let (code, done) = port53(&rig, "migration diff @ZONE");
    assert_eq!(code, Some(0), "{done:?}");
}

/// "`port53 migration rejects ZONE -o yaml|csv`"
#[test]
fn what_is_refused_is_listed_for_a_spreadsheet() {
    let rig = Rig::new(
        shared(),
        Program::PowerDns,
        "clirejects",
        "clash CNAME www\nclash TXT \"beside, it\"\nwww A 192.0.2.1\n",
    );
    rig.migrate("backfill: {from: Transfer}");
    rig.comes_to("Backfilled=True Rejected");
    let (code, done) = port53(&rig, "migration rejects @ZONE -o csv");
    assert_eq!(code, Some(1), "{done:?}");
    let mut lines = done.stdout.split("\r\n");
    assert_eq!(lines.next(), Some("name,type,ttl,value,reason,message"));
    assert!(lines.next().is_some_and(|line| line.starts_with("clash.")), "{done:?}");
    let (_, done) = port53(&rig, "migration rejects @ZONE -o yaml");
    assert!(done.stdout.contains("has CNAME and other data"), "{done:?}");
}

#[test]
fn a_zone_without_a_migration_is_told() {
    let rig = Rig::new(shared(), Program::Nsd, "clinone", "www A 192.0.2.1\n");
    let (code, done) = port53(&rig, "migration diff @ZONE");
    assert_eq!(code, Some(2), "{done:?}");
    assert!(done.stderr.contains("has no ZoneMigration: apply one"), "{done:?}");
}
