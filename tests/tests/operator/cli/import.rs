//! Master files into a cluster.

use super::{Site, managers, with_managers};
use port53_tests::eventually;
use std::fmt::Write as _;
use std::process::Stdio;

/// A master file with an A record for each host, and `more`.
fn master(domain: &str, hosts: usize, more: &str) -> String {
    let mut text = format!(
        "$ORIGIN {domain}.\n$TTL 300\n@ SOA ns1.dns.example.net. hostmaster.{domain}. 2026010101 3600 600 604800 300\n\
         @ NS ns1.dns.example.net.\n@ NS ns2.dns.example.net.\n"
    );
    for host in 0..hosts {
        let _ = writeln!(text, "h{host} A 192.0.2.{}", host % 250 + 1);
    }
    text + more
}

#[test]
fn a_zone_is_imported_what_is_refused_is_listed_and_the_rest_is_there() {
    let site = Site::new("import");
    // Somebody else has one of the records already, with another address.
    site.write("here.zone", &master(&site.domain, 400, ""));
    let done = site.port53(0, &format!("import here.zone --origin {} -o -", site.domain));
    let h7 = done.stdout.split("---\n").find(|document| document.contains("name: h7\n")).expect("h7");
    site.platform.apply(&h7.replace("192.0.2.8", "198.51.100.1"));

    let more = "_no_such A 192.0.2.1\nsigned RRSIG A 8 2 300 20300101000000 20200101000000 1 example. AAAA\n";
    site.write("here.zone", &master(&site.domain, 400, more));
    let line = format!("import here.zone --origin {} --apply --rejects rejects.yaml", site.domain);
    let done = site.port53(1, &line);
    assert!(done.stderr.contains("refused"), "{done:?}");
    assert!(done.stderr.contains("h7") && done.stderr.contains("--force-conflicts"), "{done:?}");
    assert!(done.stderr.contains("RRSIG"), "{done:?}");
    // h0 to h399 with h7 as it was, NS, _no_such.
    assert_eq!(site.records(), 402);
    let rejects = site.read("rejects.yaml");
    assert!(
        rejects.contains("# ") && rejects.contains("name: h7\n") && rejects.contains("192.0.2.8"),
        "{rejects}"
    );

    site.platform.comes_to("zone", &site.namespace, &site.domain, "Ready=True Served");
    site.platform.come_to_say(&format!("h399.{} A", site.domain), "NoError 192.0.2.150");
    site.platform.come_to_say(&format!("h7.{} A", site.domain), "NoError 198.51.100.1");
    assert!(managers(&with_managers(&site, "zone", &site.domain)).contains(&"port53".to_owned()));

    // What was refused is corrected by what is in the file, once it may be taken over.
    let done = site.port53(0, "apply -f rejects.yaml --force-conflicts");
    assert!(done.stdout.contains("served as serial"), "{done:?}");
    site.platform.come_to_say(&format!("h7.{} A", site.domain), "NoError 192.0.2.8");
}

#[test]
fn an_import_that_is_killed_goes_on_when_it_is_run_again() {
    let site = Site::new("killed");
    site.write("here.zone", &master(&site.domain, 600, ""));
    let line = format!("import here.zone --origin {} --apply --parallel 1", site.domain);
    let mut child = site.command(&line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    eventually("some records", || match site.records() {
        0..50 => Err("fewer than 50 records".to_owned()),
        records => Ok(records),
    });
    child.kill().expect("it is there");
    child.wait().expect("it ends");
    let there = site.records();
    assert!(there < 601, "it was done before it was killed");

    let done = site.port53(0, &line);
    assert_eq!(site.records(), 601);
    let unchanged: usize = done
        .stdout
        .split(" there already")
        .next()
        .and_then(|text| text.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{done:?}"));
    assert!(unchanged >= there, "{there} were there: {done:?}");
    // A third time nothing is sent.
    let done = site.port53(0, &line);
    assert!(done.stdout.contains("0 applied") && done.stdout.contains("601 there already"), "{done:?}");
}
