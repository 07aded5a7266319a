//! `port53 dev`: what is saved is in service, and what was in service is not lost by bad input.

mod support;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;

use hickory_proto::rr::RecordType;
use serde_json::Value;
use support::{Dev, directory, record_yaml, write, zone_yaml};

const WWW: &[(&str, &str, &str, &str)] = &[("www", "www", "A", "192.0.2.1")];

fn www(value: &str) -> String {
    zone_yaml("example.com", &[("www", "www", "A", value)])
}

fn has_error(update: &Value) -> bool {
    update["findings"].as_array().is_some_and(|all| all.iter().any(|finding| finding["severity"] == "error"))
}

#[test]
fn a_saved_change_is_in_service_and_raises_the_serial() {
    let directory = directory(&[("all.yaml", &www("192.0.2.1"))]);
    let dev = Dev::start(directory.path());
    assert_eq!(
        dev.ask("www.example.com.", RecordType::A),
        ("NoError".to_owned(), vec!["192.0.2.1".to_owned()])
    );
    assert_eq!(dev.first["zones"][0]["serial"], 1);
    write(directory.path(), "all.yaml", www("192.0.2.2"));
    dev.update(|update| update["zones"][0]["serial"] == 2);
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.2"]);
    assert_eq!(dev.stop(), 0);
}

#[test]
fn the_last_good_version_of_a_record_stays() {
    let directory = directory(&[("all.yaml", &www("192.0.2.1"))]);
    let dev = Dev::start(directory.path());
    for bad in [www("192.0.2.300"), www("192.0.2.2").replace("  type:", "  tpe: x\n  type:")] {
        write(directory.path(), "all.yaml", bad);
        let update = dev.update(has_error);
        assert_eq!(update["findings"][0]["lastGoodKept"], true, "{update:#}");
        dev.answers("www.example.com.", RecordType::A, &["192.0.2.1"]);
    }
    write(directory.path(), "all.yaml", www("192.0.2.3"));
    dev.update(|update| !has_error(update));
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.3"]);
}

#[test]
fn a_file_that_is_no_yaml_any_more_loses_nothing_and_holds_up_nobody() {
    let directory = directory(&[
        ("zone.yaml", &zone_yaml("example.com", WWW)),
        ("more.yaml", &record_yaml("example-com", "more", "more", "A", "192.0.2.2")),
    ]);
    let dev = Dev::start(directory.path());
    write(directory.path(), "zone.yaml", "kind: [");
    dev.update(has_error);
    write(directory.path(), "more.yaml", record_yaml("example-com", "more", "more", "A", "192.0.2.3"));
    dev.answers("more.example.com.", RecordType::A, &["192.0.2.3"]);
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.1"]);
}

#[test]
fn a_file_that_is_being_written_is_not_read_by_halves() {
    let directory = directory(&[
        ("zone.yaml", &zone_yaml("example.com", &[])),
        ("records.yaml", &record_yaml("example-com", "www", "www", "A", "192.0.2.1")),
        ("other.yaml", &record_yaml("example-com", "other", "other", "A", "192.0.2.2")),
    ]);
    let dev = Dev::start(directory.path());
    // Truncated and open: www is not there just now.
    let mut file = File::create(directory.path().join("records.yaml")).expect("a file");
    file.write_all(b"# more follows\n").expect("it is written");
    write(directory.path(), "other.yaml", record_yaml("example-com", "other", "other", "A", "192.0.2.3"));
    dev.answers("other.example.com.", RecordType::A, &["192.0.2.3"]);
    assert_eq!(dev.ask("www.example.com.", RecordType::A).1, ["192.0.2.1"]);
    file.write_all(record_yaml("example-com", "www", "www", "A", "192.0.2.4").as_bytes())
        .expect("it is written");
    drop(file);
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.4"]);
}

/// Another file wakes the program at any moment of the writing, between truncation and close too.
#[test]
fn a_file_that_is_rewritten_again_and_again_is_never_seen_by_halves() {
    let records: String = (0..100)
        .map(|i| record_yaml("example-com", &format!("r{i}"), &format!("r{i}"), "A", "192.0.2.1"))
        .collect();
    let directory = directory(&[
        ("zone.yaml", &zone_yaml("example.com", &[])),
        ("records.yaml", &records),
        ("o.yaml", ""),
    ]);
    let dev = Dev::start(directory.path());
    let (first, rest) = records.split_at(records.len() / 2);
    for round in 0..200 {
        let is_there = || {
            let (rcode, values) = dev.ask("r99.example.com.", RecordType::A);
            assert_eq!((&*rcode, values), ("NoError", vec!["192.0.2.1".to_owned()]), "round {round}");
        };
        write(directory.path(), "o.yaml", record_yaml("example-com", "o", "o", "TXT", &round.to_string()));
        // So the file is opened sooner or later after that, at any moment of the look at the other.
        (0..round).for_each(|_| is_there());
        let mut file = File::create(directory.path().join("records.yaml")).expect("a file");
        for part in [first, rest] {
            file.write_all(part.as_bytes()).expect("it is written");
            (0..20).for_each(|_| is_there());
        }
    }
}

/// As the kubelet does with a ConfigMap: the files are links into a directory that a link names, and that one is
/// pointed elsewhere.
#[test]
fn a_mounted_configmap_is_followed() {
    let directory = directory(&[("..v1/all.yaml", &www("192.0.2.1")), ("..v2/all.yaml", &www("192.0.2.2"))]);
    let link = |target: &str, name: &str| {
        symlink(target, directory.path().join("new")).expect("a link");
        std::fs::rename(directory.path().join("new"), directory.path().join(name)).expect("it is renamed");
    };
    link("..v1", "..data");
    link("..data/all.yaml", "all.yaml");
    let dev = Dev::start(directory.path());
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.1"]);
    link("..v2", "..data");
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.2"]);
}

/// A deployment that points a link to the next version of the whole directory, and one that puts another directory
/// in its place.
#[test]
fn a_directory_that_becomes_another_is_followed() {
    let directory = directory(&[("v1/all.yaml", &www("192.0.2.1")), ("v2/all.yaml", &www("192.0.2.2"))]);
    let at = |name: &str| directory.path().join(name);
    symlink("v1", at("current")).expect("a link");
    let dev = Dev::start(&at("current"));
    symlink("v2", at("next")).expect("a link");
    std::fs::rename(at("next"), at("current")).expect("it is renamed");
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.2"]);
    std::fs::rename(at("v2"), at("old")).expect("it is renamed");
    write(&at("v3"), "all.yaml", www("192.0.2.3"));
    std::fs::rename(at("v3"), at("v2")).expect("it is renamed");
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.3"]);
    write(&at("v2"), "all.yaml", www("192.0.2.4"));
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.4"]);
}

#[test]
fn what_a_file_no_longer_has_is_deleted() {
    let both = record_yaml("example-com", "a", "a", "A", "192.0.2.1");
    let directory = directory(&[
        ("zone.yaml", &zone_yaml("example.com", &[])),
        ("records.yaml", &(both.clone() + &record_yaml("example-com", "b", "b", "A", "192.0.2.2"))),
    ]);
    let dev = Dev::start(directory.path());
    write(directory.path(), "records.yaml", both);
    dev.answers("b.example.com.", RecordType::A, &[]);
    dev.answers("a.example.com.", RecordType::A, &["192.0.2.1"]);
}

#[test]
fn a_zone_whose_file_is_gone_is_withdrawn() {
    let directory = directory(&[
        ("a.yaml", &zone_yaml("example.com", WWW)),
        (
            "b.yaml",
            &zone_yaml("example.org", WWW)
                .replace("{name: www}", "{name: www-org}")
                .replace("name: www\n", "name: www-org\n"),
        ),
    ]);
    let dev = Dev::start(directory.path());
    std::fs::remove_file(directory.path().join("a.yaml")).expect("it is removed");
    dev.update(|update| update["withdrawn"][0] == "example.com");
    dev.says("www.example.com.", "Refused");
    dev.answers("www.example.org.", RecordType::A, &["192.0.2.1"]);
}

#[test]
fn a_file_that_an_editor_puts_another_in_the_place_of_is_not_gone() {
    let directory = directory(&[("all.yaml", &www("192.0.2.1"))]);
    let dev = Dev::start(directory.path());
    let path = |name: &str| directory.path().join(name);
    for value in ["192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        std::fs::rename(path("all.yaml"), path("all.yaml~")).expect("it is renamed");
        assert_eq!(dev.ask("www.example.com.", RecordType::A).0, "NoError");
        std::fs::write(path("new"), www(value)).expect("it is written");
        std::fs::rename(path("new"), path("all.yaml")).expect("it is renamed");
        dev.answers("www.example.com.", RecordType::A, &[value]);
    }
}

#[test]
fn an_empty_directory_is_served_and_followed() {
    let directory = directory(&[]);
    let dev = Dev::start(directory.path());
    assert_eq!(dev.first["counts"]["files"], 0);
    assert_eq!(dev.ask("www.example.com.", RecordType::A).0, "Refused");
    write(directory.path(), "all.yaml", www("192.0.2.1"));
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.1"]);
}

#[test]
fn new_directories_are_followed() {
    let directory = directory(&[("zone.yaml", &zone_yaml("example.com", &[]))]);
    let dev = Dev::start(directory.path());
    write(directory.path(), "team/shop/www.yaml", record_yaml("example-com", "www", "www", "A", "192.0.2.1"));
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.1"]);
    write(directory.path(), "team/shop/www.yaml", record_yaml("example-com", "www", "www", "A", "192.0.2.2"));
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.2"]);
}

#[test]
fn what_a_master_file_includes_is_followed_too() {
    let zone = "$TTL 60\n@ IN SOA ns1 hostmaster 7 1 1 1 1\n@ NS ns1.example.net.\n$INCLUDE hosts.inc\n";
    let directory = directory(&[("example.org.zone", zone), ("hosts.inc", "www A 192.0.2.1\n")]);
    let dev = Dev::start(directory.path());
    assert_eq!(dev.first["zones"][0]["serial"], 7);
    write(directory.path(), "hosts.inc", "www A 192.0.2.2\n");
    dev.answers("www.example.org.", RecordType::A, &["192.0.2.2"]);
    // Lines that cannot be read are not lines that are gone.
    write(directory.path(), "hosts.inc", "www A 192.0.2.\nmail A 192.0.2.3\n");
    dev.answers("mail.example.org.", RecordType::A, &["192.0.2.3"]);
    dev.answers("www.example.org.", RecordType::A, &["192.0.2.2"]);
    std::fs::remove_file(directory.path().join("hosts.inc")).expect("it is removed");
    dev.update(has_error);
    dev.answers("mail.example.org.", RecordType::A, &["192.0.2.3"]);
}

#[test]
fn what_is_immutable_in_a_cluster_is_so_here() {
    let directory = directory(&[("all.yaml", &www("192.0.2.1"))]);
    let dev = Dev::start(directory.path());
    write(directory.path(), "all.yaml", www("192.0.2.1").replace("\"www\"", "\"web\""));
    let update = dev.update(has_error);
    let message = update["findings"][0]["message"].to_string();
    assert!(message.contains("name is immutable"), "{message}");
    dev.answers("www.example.com.", RecordType::A, &["192.0.2.1"]);
}

#[test]
fn a_port_that_is_taken_is_told_and_nothing_is_served() {
    let directory = directory(&[("all.yaml", &www("192.0.2.1"))]);
    let dev = Dev::start(directory.path());
    let path = directory.path().to_str().expect("UTF-8");
    let run = support::port53(directory.path(), &["dev", "--listen", &dev.address.to_string(), path]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("another program has it"), "{}", run.err);
}
