//! Import, export and diff: there and back is the same zone.

mod support;

use serde_json::Value;
use support::{directory, port53, write, zone_yaml};

/// A zone as BIND has it, with what is easily lost on the way.
const ZONE: &str = r#"$TTL 1h
@          IN SOA  ns1 host\.master ( 2026112501 4h 1h 2w 5m )
@       2d    NS   ns1
@       2d    NS   ns2.example.net.
ns1           A    192.0.2.53
@             MX   10 mail
@             TXT  "v=spf1 mx -all"
@             CAA  0 issue "ca.example.net; policy=ev"
WWW     5m    A    192.0.2.80
        5m    AAAA 2001:db8::80
mail          A    192.0.2.25
*.shop        CNAME www
_sip._tcp     SRV  0 5 5060 sip.example.net.
dkim._domainkey TXT ( "v=DKIM1; k=rsa; "
              "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ" )
quotes        TXT  "a \"quoted\" word" "back\\slash" "\195\164"
a\.b          A    192.0.2.1
\042          A    192.0.2.2
labs          NS   ns1.labs
labs          DS   60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118
ns1.labs      A    192.0.2.54
odd           TYPE65280 \# 4 0a000001
alias         DNAME example.net.
$GENERATE 1-3 host-$ A 192.0.2.$
"#;

#[test]
fn import_then_export_is_the_same_zone() {
    let directory = directory(&[("master/example.com.zone", ZONE)]);
    let at = directory.path();
    let imported = port53(at, &["import", "master/example.com.zone", "-o", "manifests"]);
    assert_eq!(imported.status, 0, "{imported:?}");
    let checked = port53(at, &["check", "--strict", "manifests"]);
    assert_eq!(checked.status, port53(at, &["check", "--strict", "master"]).status, "{checked:?}");

    // By our own comparison, and octet by octet, serial and all.
    let compared = port53(at, &["diff", "master", "manifests"]);
    assert_eq!((compared.status, compared.out.as_str()), (0, ""), "{compared:?}");
    let from_master = port53(at, &["export", "master", "example.com"]).out;
    let from_manifests = port53(at, &["export", "manifests", "example.com"]).out;
    assert!(
        from_master
            .contains("example.com. 3600 IN SOA ns1.example.com. host\\.master.example.com. 2026112501 ")
    );
    assert_eq!(from_master, from_manifests);

    // What is exported is a master file again.
    write(at, "again/example.com.zone", &from_manifests);
    assert_eq!(port53(at, &["diff", "master", "again"]).status, 0);
    let manifests = port53(at, &["export", "--format", "manifests", "again", "example.com"]).out;
    write(at, "once-more/all.yaml", &manifests);
    assert_eq!(port53(at, &["diff", "master", "once-more"]).status, 0);
}

#[test]
fn import_is_the_same_every_time_and_overwrites_nothing_unasked() {
    let directory = directory(&[("example.com.zone", ZONE)]);
    let at = directory.path();
    let first = port53(at, &["import", "example.com.zone", "-o", "-"]);
    assert_eq!(first.out, port53(at, &["import", "example.com.zone", "-o", "-"]).out);
    assert!(first.out.contains("\n  name: WWW\n"), "the case of names stays: {}", first.out);

    assert_eq!(port53(at, &["import", "example.com.zone", "-o", "out"]).status, 0);
    let again = port53(at, &["import", "example.com.zone", "-o", "out"]);
    assert_eq!(again.status, 2);
    assert!(again.err.contains("example-com.yaml is there: give --force"), "{again:?}");
    assert_eq!(port53(at, &["import", "--force", "example.com.zone", "-o", "out"]).status, 0);
}

#[test]
fn import_goes_on_after_what_it_cannot_read_and_says_so() {
    let zone = "$TTL 60\n@ SOA ns1 h 1 1 1 1 1\n@ NS ns1.example.net.\nwww A 192.0.2.\n@ NSEC www A NS\nmail A 192.0.2.1\n";
    let directory = directory(&[("db.example.com", zone)]);
    let run = port53(directory.path(), &["import", "--origin", "example.com", "db.example.com", "-o", "-"]);
    assert_eq!(run.status, 1);
    assert!(run.err.contains("db.example.com:4:7: error: "), "{}", run.err);
    assert!(run.err.contains("left out: example.com. NSEC"), "{}", run.err);
    assert_eq!(run.out.matches("kind: DNSRecord").count(), 2, "NS and mail: {}", run.out);
    assert!(run.out.contains("initialSerial: 1"));
}

#[test]
fn diff_shows_what_was_and_what_is() {
    let www = |value: &str| zone_yaml("example.com", &[("www", "www", "A", value)]);
    let directory = directory(&[("a/zone.yaml", &www("192.0.2.1")), ("b/zone.yaml", &www("192.0.2.2"))]);
    let at = directory.path();
    let run = port53(at, &["diff", "a", "b"]);
    assert_eq!(run.status, 1);
    assert_eq!(run.out, "- www.example.com. 300 IN A 192.0.2.1\n+ www.example.com. 300 IN A 192.0.2.2\n");
    let run = port53(at, &["diff", "--output", "json", "a", "b"]);
    let changes: Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!(changes[1]["change"], "added");
    assert_eq!(changes[1]["values"][0], "192.0.2.2");
    assert_eq!(port53(at, &["diff", "a", "missing"]).status, 2);
}

#[test]
fn export_names_the_zones_that_there_are() {
    let directory = directory(&[("zone.yaml", &zone_yaml("example.com", &[]))]);
    let run = port53(directory.path(), &["export", ".", "example.org"]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("there is no zone example.org.: there is example.com"), "{}", run.err);
}
