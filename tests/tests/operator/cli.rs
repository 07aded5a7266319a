//! `port53` against a cluster, which is also `kubectl port53`: the real program, the real operator.

use crate::{record, shared, zone};
use port53_tests::cluster::User;
use port53_tests::eventually;
use port53_tests::platform::Platform;
use port53_tests::process::Finished;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A namespace and a domain of one test, and files.
struct Site {
    platform: &'static Platform,
    namespace: String,
    domain: String,
    files: TempDir,
}

impl Site {
    fn new(prefix: &str) -> Self {
        let platform = shared();
        let namespace = platform.cluster.create_namespace(prefix);
        let domain = format!("{namespace}.example");
        Site { platform, namespace, domain, files: TempDir::new().expect("a directory") }
    }

    /// `port53` with these arguments, separated by blanks, in the namespace of the test and the directory of its
    /// files.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_port53-tested"));
        command
            .args(arguments.split_whitespace())
            .args(["--namespace", &self.namespace])
            .env("KUBECONFIG", self.platform.cluster.kubeconfig())
            .env("HOME", self.files.path())
            .current_dir(self.files.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &str) -> (i32, Finished) {
        finished(self.command(arguments))
    }

    /// Runs it, and gives what it printed on standard output.
    ///
    /// # Panics
    /// With what it printed when it ends with another status.
    #[track_caller]
    fn port53(&self, expected: i32, arguments: &str) -> Finished {
        let (status, done) = self.run(arguments);
        assert_eq!(status, expected, "port53 {arguments}: {done:?}");
        done
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.files.path().join(name)).expect("a file")
    }

    /// A Zone called `here`.
    fn zone(&self) -> String {
        zone(&self.namespace, "here", &self.domain)
    }

    /// An A record of it.
    fn a(&self, name: &str, value: &str) -> String {
        let spec = format!("name: {name}, type: A, ttl: 60, values: [\"{value}\"]");
        record(&self.namespace, name, "here", &spec)
    }

    /// As many A records as `hosts`, called h0, h1 and so on.
    fn hosts(&self, hosts: usize) -> String {
        (0..hosts).map(|n| self.a(&format!("h{n}"), &format!("192.0.2.{}", n + 1))).collect()
    }

    fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.platform.get(kind, &self.namespace, name)
    }

    fn records(&self) -> usize {
        self.platform.kubectl(&format!("get dnsrecords -n {} -o name", self.namespace)).lines().count()
    }

    /// The serial that is published.
    fn serial(&self) -> u32 {
        let head = self.platform.head(&self.domain).expect("a head");
        head["spec"]["serial"].as_u64().and_then(|serial| serial.try_into().ok()).expect("a serial")
    }

    /// The serials that `history` has, newest first.
    fn history(&self) -> Vec<Value> {
        let done = self.port53(0, &format!("history {} -o json", self.domain));
        serde_json::from_str::<Value>(&done.stdout).expect("JSON").as_array().expect("a list").clone()
    }

    /// Waits until there is a kept version of what is published, and gives its serial.
    fn checkpoint(&self) -> u32 {
        eventually("a checkpoint", || {
            let newest = self.history().remove(0);
            let serial = newest["serial"].as_u64().and_then(|serial| serial.try_into().ok());
            match newest.get("octets") {
                Some(_) => Ok(serial.expect("a serial")),
                None => Err(format!("{newest} is in the head alone")),
            }
        })
    }
}

fn finished(mut command: Command) -> (i32, Finished) {
    let output = command.output().expect("port53 can be run");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output.status.code().unwrap_or(-1), Finished { success: output.status.success(), stdout, stderr })
}

/// Who manages fields of an object beside its status.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().expect("managedFields");
    let of_spec = entries.iter().filter(|entry| entry["subresource"].is_null());
    of_spec.map(|entry| entry["manager"].as_str().expect("a manager").to_owned()).collect()
}

/// `kubectl get` without what `kubectl` hides.
fn with_managers(site: &Site, kind: &str, name: &str) -> Value {
    let namespace = &site.namespace;
    let text =
        site.platform.kubectl(&format!("get {kind} {name} -n {namespace} -o json --show-managed-fields"));
    serde_json::from_str(&text).expect("JSON")
}

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

#[test]
fn what_is_applied_is_served_when_apply_ends() {
    let site = Site::new("apply");
    // The record is written before its Zone.
    site.write("a.yaml", &(site.a("www", "192.0.2.1") + &site.zone()));
    let done = site.port53(0, "apply -f .");
    site.platform.say(&format!("www.{} A", site.domain), "NoError 192.0.2.1");
    let www = format!("DNSRecord {}/www: served as serial ", site.namespace);
    assert!(done.stdout.contains(&www), "{done:?}");
    for (kind, name) in [("zone", "here"), ("dnsrecord", "www")] {
        assert!(managers(&with_managers(&site, kind, name)).contains(&"port53".to_owned()));
    }

    // From standard input; and what is as it was is served already.
    let mut command = site.command("apply -f -");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let both = site.a("www", "192.0.2.1") + &site.a("new", "192.0.2.2");
    child.stdin.take().expect("a pipe").write_all(both.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    site.platform.say(&format!("new.{} A", site.domain), "NoError 192.0.2.2");
}

#[test]
fn what_is_rejected_is_told_with_its_place_and_keeps_nothing_else_back() {
    let site = Site::new("rejected");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    let alias = "name: www, type: CNAME, values: [\"www.example.net.\"]";
    let clash = record(&site.namespace, "alias", "here", alias);
    site.write("a.yaml", &(clash + &site.a("more", "192.0.2.2")));
    let done = site.port53(1, "apply -f a.yaml");
    let place = format!("a.yaml:2: rejected: DNSRecord {}/alias: ", site.namespace);
    assert!(done.stderr.contains(&place) && done.stderr.contains("CNAME"), "{done:?}");
    site.platform.say(&format!("more.{} A", site.domain), "NoError 192.0.2.2");

    // What the definitions refuse is told by file and line, and not sent.
    let wrong = site.a("wrong", "192.0.2.3").replace("type: A", "type: a");
    site.write("b.yaml", &(wrong + &site.a("right", "192.0.2.3")));
    let done = site.port53(1, "apply -f b.yaml");
    assert!(done.stderr.contains("b.yaml:5:") && done.stderr.contains("upper case"), "{done:?}");
    assert!(site.get("dnsrecord", "wrong").is_none());
    site.platform.say(&format!("right.{} A", site.domain), "NoError 192.0.2.3");
}

impl Site {
    /// Applies manifests with `port53 apply`, to the end.
    #[track_caller]
    fn port53_applies(&self, manifests: &str) {
        self.write("these.yaml", manifests);
        self.port53(0, "apply -f these.yaml");
        std::fs::remove_file(self.files.path().join("these.yaml")).expect("it was there");
    }
}

#[test]
fn all_or_nothing_puts_everything_back_as_it_was() {
    let site = Site::new("atomic");
    // Somebody else wrote what is there.
    site.platform.apply(&(site.zone() + &site.a("www", "192.0.2.1")));
    site.platform.comes_to("dnsrecord", &site.namespace, "www", "Ready=True Served");
    let before = with_managers(&site, "dnsrecord", "www");

    let alias = "name: www, type: CNAME, values: [\"www.example.net.\"]";
    let clash = record(&site.namespace, "alias", "here", alias);
    let other = site.a("other", "192.0.2.9");
    let labelled =
        site.a("www", "192.0.2.2").replace("name: www, namespace", "name: www, labels: {a: b}, namespace");
    site.write("a.yaml", &(labelled + &other + &clash));
    let done = site.port53(1, "apply -f a.yaml --atomic --force-conflicts");
    assert!(done.stderr.contains("rejected") && done.stderr.contains("restored"), "{done:?}");
    for name in ["alias", "other"] {
        assert!(site.get("dnsrecord", name).is_none(), "{name} is there: {done:?}");
    }
    let after = with_managers(&site, "dnsrecord", "www");
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
    assert_eq!(managers(&after), managers(&before), "{after}");
    site.platform.come_to_say(&format!("www.{} A", site.domain), "NoError 192.0.2.1");
    site.platform.come_to_say(&format!("other.{} A", site.domain), "NXDomain");

    // What the API server refuses undoes the rest, too; and a Zone that was not there is gone with it.
    let elsewhere = zone(&site.namespace, "elsewhere", &format!("elsewhere.{}", site.domain));
    let immutable = site.a("www", "192.0.2.1").replace("name: www, type: A", "name: ftp, type: A");
    site.write("b.yaml", &(elsewhere + &immutable));
    let done = site.port53(1, "apply -f b.yaml --atomic --force-conflicts");
    assert!(done.stderr.contains("immutable"), "{done:?}");
    eventually("the Zone is gone", || match site.get("zone", "elsewhere") {
        None => Ok(()),
        Some(zone) => Err(format!("{zone} is there")),
    });
    assert_eq!(with_managers(&site, "dnsrecord", "www")["spec"], before["spec"]);

    // What is wrong at a look is not begun with.
    site.write(
        "c.yaml",
        &(site.a("new", "192.0.2.1") + &site.a("www", "192.0.2.3").replace("type: A", "type: a")),
    );
    let done = site.port53(1, "apply -f c.yaml --atomic");
    assert!(done.stderr.contains("nothing is applied"), "{done:?}");
    assert!(site.get("dnsrecord", "new").is_none());
}

#[test]
fn who_waits_in_vain_is_told_what_for() {
    let site = Site::new("timeout");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    let serial = site.checkpoint();
    site.port53(0, &format!("rollback {} --to {serial}", site.domain));
    site.write("a.yaml", &site.a("www", "192.0.2.2"));
    // A record of a zone that is rolled back may wait for ever, so it is told at once.
    let done = site.port53(1, "apply -f a.yaml");
    assert!(done.stderr.contains("a.yaml:2: not served: ") && done.stderr.contains("[Pinned]"), "{done:?}");
    site.port53(0, &format!("rollback {} --release", site.domain));
    site.platform.say(&format!("www.{} A", site.domain), "NoError 192.0.2.2");

    site.write("a.yaml", &site.a("www", "192.0.2.3"));
    let done = site.port53(1, "apply -f a.yaml --timeout 0s");
    assert!(done.stderr.contains("not served after 0 s: DNSRecord"), "{done:?}");
    assert!(done.stderr.contains("[Pending]"), "{done:?}");
    site.platform.come_to_say(&format!("www.{} A", site.domain), "NoError 192.0.2.3");
    site.write("a.yaml", &(site.a("www", "192.0.2.4") + &site.a("new", "192.0.2.5")));
    let done = site.port53(1, "apply -f a.yaml --timeout 0s --atomic");
    assert!(done.stderr.contains("not served after 0 s"), "{done:?}");
    assert!(site.get("dnsrecord", "new").is_none());
    assert_eq!(site.get("dnsrecord", "www").expect("www")["spec"]["values"][0], "192.0.2.3");
}

#[test]
fn status_says_which_records_are_not_served_and_why() {
    let site = Site::new("status");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    site.platform.comes_to("zone", &site.namespace, "here", "Ready=True Served");
    let done = site.port53(0, "status");
    assert!(done.stdout.contains(&site.domain) && done.stdout.contains("2/2"), "{done:?}");

    let alias = "name: www, type: CNAME, values: [\"www.example.net.\"]";
    site.platform.apply(&record(&site.namespace, "alias", "here", alias));
    site.platform.comes_to("dnsrecord", &site.namespace, "alias", "Ready=False Conflicted");
    for zone in [site.domain.clone(), "here".to_owned(), format!("{}/here", site.namespace)] {
        let done = site.port53(1, &format!("status {zone}"));
        let line =
            done.stdout.lines().find(|line| line.contains("/alias")).unwrap_or_else(|| panic!("{done:?}"));
        assert!(line.contains("Conflicted") && line.contains("CNAME"), "{line}");
        assert!(!done.stdout.contains("/www "), "{done:?}");
    }
    let done = site.port53(1, &format!("status {} -o json", site.domain));
    let one: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(one["notReady"][0]["name"], "alias", "{one}");

    let done = site.port53(2, "status no.such.example");
    assert!(
        done.stderr.contains("there is no zone no.such.example") && done.stderr.contains("here"),
        "{done:?}"
    );
}

#[test]
fn versions_are_listed_compared_exported_rolled_back_to_and_released() {
    let site = Site::new("versions");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1") + &site.a("old", "192.0.2.2")));
    let first = site.checkpoint();
    site.port53_applies(&(site.a("www", "192.0.2.10") + &site.a("new", "192.0.2.3")));
    let second = site.checkpoint();
    let domain = &site.domain;

    let history = site.history();
    assert_eq!(history[0]["serial"], second);
    assert_eq!(history[0]["current"], true);
    let counted = history.iter().filter(|row| row["serial"].as_u64() > Some(first.into()));
    let of = |field: &str| {
        counted.clone().map(|row| row["changes"][field].as_u64().expect("a number")).sum::<u64>()
    };
    assert_eq!((of("added"), of("removed"), of("changed")), (1, 0, 1), "{history:?}");
    let table = site.port53(0, &format!("history {domain}")).stdout;
    assert!(table.contains("current") && table.contains('~'), "{table}");
    let table = site.port53(0, &format!("history {domain} --no-changes")).stdout;
    assert!(!table.contains('~'), "{table}");

    let expected = format!("- www.{domain}. 60 IN A 192.0.2.1");
    for serials in [format!("{first} {second}"), first.to_string()] {
        let done = site.port53(1, &format!("diff {domain} {serials}"));
        let lines: Vec<String> =
            done.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines.len(), 3, "{done:?}");
        assert!(lines.contains(&expected), "{lines:?}");
        assert!(lines.contains(&format!("+ www.{domain}. 60 IN A 192.0.2.10")), "{lines:?}");
        assert!(lines.contains(&format!("+ new.{domain}. 60 IN A 192.0.2.3")), "{lines:?}");
    }
    site.port53(0, &format!("diff {domain} {second} {second}"));
    let done = site.port53(2, &format!("diff {domain} 4242"));
    assert!(done.stderr.contains("4242") && done.stderr.contains(&second.to_string()), "{done:?}");

    let exported = site.port53(0, &format!("export {domain}")).stdout;
    site.write(&format!("{domain}.zone"), &exported);
    site.port53(0, &format!("diff {domain} {domain}.zone"));
    let manifests = site.port53(0, &format!("export {domain} --format manifests")).stdout;
    assert!(manifests.contains("kind: Zone") && manifests.contains("192.0.2.10"), "{manifests}");

    site.port53(2, &format!("rollback {domain} --to 4242"));
    let done = site.port53(0, &format!("rollback {domain} --to {first}"));
    assert!(done.stdout.contains("is rolled back to serial"), "{done:?}");
    site.platform.say(&format!("www.{domain} A"), "NoError 192.0.2.1");
    site.platform.say(&format!("new.{domain} A"), "NXDomain");
    assert!(site.serial() > second);
    assert!(managers(&with_managers(&site, "zone", "here")).contains(&"port53-rollback".to_owned()));
    let marks: Vec<Value> = site.history().into_iter().filter(|row| row["pinned"] == true).collect();
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0]["serial"], first);
    // Who applies the Zone again leaves the rollback alone.
    site.port53_applies(&site.zone());
    site.platform.say(&format!("new.{domain} A"), "NXDomain");

    let done = site.port53(0, &format!("rollback {domain} --release"));
    assert!(done.stdout.contains("served again"), "{done:?}");
    site.platform.say(&format!("www.{domain} A"), "NoError 192.0.2.10");
    site.platform.say(&format!("new.{domain} A"), "NoError 192.0.2.3");
    let done = site.port53(0, &format!("rollback {domain} --release"));
    assert!(done.stderr.contains("nothing to release"), "{done:?}");
}

#[test]
fn a_directory_is_compared_with_what_applying_it_would_change() {
    let site = Site::new("diff");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1") + &site.a("stays", "192.0.2.2")));
    let domain = &site.domain;
    std::fs::create_dir(site.files.path().join("dns")).expect("a directory");
    site.write("dns/a.yaml", &(site.zone() + &site.a("www", "192.0.2.1")));
    site.port53(0, &format!("diff {domain} dns"));

    let alias = "name: stays, type: CNAME, values: [\"www.example.net.\"]";
    let clash = record(&site.namespace, "alias", "here", alias);
    site.write("dns/a.yaml", &(site.a("www", "192.0.2.7") + &site.a("new", "192.0.2.8") + &clash));
    let done = site.port53(1, &format!("diff {domain} dns"));
    let signs: String = done.stdout.lines().map(|line| &line[..1]).collect();
    assert_eq!(signs, "+-+", "{done:?}");
    assert!(done.stderr.contains("dns/a.yaml") && done.stderr.contains("alias"), "{done:?}");
    // It is what applying it does.
    let _ = site.run("apply -f dns");
    site.platform.say(&format!("new.{domain} A"), "NoError 192.0.2.8");
    site.platform.say(&format!("www.{domain} A"), "NoError 192.0.2.7");
    site.platform.say(&format!("stays.{domain} A"), "NoError 192.0.2.2");
    site.port53(0, &format!("diff {domain} dns"));
}

#[test]
fn what_is_held_is_listed_and_released_by_its_id_alone() {
    let site = Site::new("held");
    site.port53_applies(&(site.zone() + &site.hosts(20)));
    let domain = &site.domain;
    let done = site.port53(0, &format!("held {domain}"));
    assert!(done.stderr.contains("nothing"), "{done:?}");
    site.platform.kubectl(&format!("delete dnsrecords --all -n {}", site.namespace));
    site.platform.comes_to("zone", &site.namespace, "here", "Held=True RemovalsHeld");
    let held = eventually("all removals are held", || {
        let done = site.port53(1, &format!("held {domain} -o json"));
        let held: Value = serde_json::from_str(&done.stdout).expect("JSON");
        if held["count"].as_u64() > Some(13) { Ok(held) } else { Err(format!("{held}")) }
    });
    let id = held["id"].as_str().expect("an id");
    let done = site.port53(1, &format!("held {domain}"));
    assert!(done.stdout.contains(&format!("h19.{domain}.")) && done.stderr.contains(id), "{done:?}");

    let done = site.port53(2, &format!("held {domain} --release 000000000000"));
    assert!(done.stderr.contains(id), "{done:?}");
    site.platform.say(&format!("h19.{domain} A"), "NoError 192.0.2.20");
    let done = site.port53(0, &format!("held {domain} --release {id}"));
    assert!(done.stdout.contains("went"), "{done:?}");
    site.platform.say(&format!("h19.{domain} A"), "NXDomain");
    let zone = site.get("zone", "here").expect("a Zone");
    assert_eq!(zone["metadata"]["annotations"].get("port53.dev/release"), None, "{zone}");
}

#[test]
fn kubectl_runs_it_as_a_plugin_that_speaks_of_itself_so() {
    let site = Site::new("plugin");
    let plugin = site.files.path().join("kubectl-port53");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_port53-tested"), &plugin).expect("a link");
    let path = format!("{}:{}", site.files.path().display(), std::env::var("PATH").unwrap_or_default());
    let run = |arguments: &[&str]| {
        let mut command = site.platform.cluster.kubectl_command();
        command.env("PATH", &path).arg("port53").args(arguments);
        finished(command)
    };
    let (status, done) = run(&["--help"]);
    assert!(status == 0 && done.stdout.contains("Usage: kubectl port53 "), "{done:?}");
    let (status, done) = run(&["status", "-n", &site.namespace]);
    assert!(status == 0 && done.stderr.contains(&site.namespace), "{done:?}");
    let (status, done) = run(&["history", "no.such.example"]);
    assert!(status == 2 && done.stderr.contains("no.such.example"), "{done:?}");
}

/// A team may see what is in its own namespace, and nothing of the operator's.
#[test]
fn who_may_see_one_namespace_is_told_of_that_one() {
    let site = Site::new("team");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    site.platform.comes_to("zone", &site.namespace, "here", "Ready=True Served");
    let (namespace, user) = (&site.namespace, User::named(&site.namespace));
    site.platform.apply(&format!(
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: team, namespace: {namespace}}}\n\
         rules: [{{apiGroups: [port53.dev], resources: [zones, dnsrecords], verbs: [\"*\"]}}]\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
         metadata: {{name: team, namespace: {namespace}}}\n\
         subjects: [{{kind: User, name: {namespace}, apiGroup: rbac.authorization.k8s.io}}]\n\
         roleRef: {{kind: Role, name: team, apiGroup: rbac.authorization.k8s.io}}\n"
    ));
    let as_team = |arguments: &str| {
        let mut command = site.command(arguments);
        command.env("KUBECONFIG", site.platform.cluster.kubeconfig_of(&user));
        finished(command)
    };
    eventually("the right", || match as_team("status here") {
        (0, done) => Ok(assert!(done.stderr.contains("only the records of namespace"), "{done:?}")),
        (_, done) => Err(done.stderr),
    });
    site.write("a.yaml", &site.a("mine", "192.0.2.2"));
    let (status, done) = as_team("apply -f a.yaml");
    assert!(status == 0 && done.stdout.contains("served as serial"), "{done:?}");
    for line in ["export here", "history here", "rollback here --to 1", "diff here 1"] {
        let (status, done) = as_team(line);
        assert!(status == 2 && done.stderr.contains("grant that right"), "{line}: {done:?}");
    }
}

#[test]
fn a_cluster_that_cannot_be_reached_is_told_within_reason() {
    let site = Site::new("gone");
    let config = std::fs::read_to_string(site.platform.cluster.kubeconfig()).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&config).expect("JSON");
    // Nobody listens on a port that was just given back.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    config["clusters"][0]["cluster"]["server"] = format!("https://{address}").into();
    site.write("kubeconfig", &config.to_string());
    let done = site.port53(2, "status --kubeconfig kubeconfig");
    assert!(done.stderr.starts_with("error: the Zones cannot be listed: "), "{done:?}");
    let done = site.port53(2, "status --kubeconfig no-such-file");
    assert!(done.stderr.contains("no-such-file"), "{done:?}");
    let done = site.port53(2, "status --context no-such-context");
    assert!(done.stderr.contains("no-such-context"), "{done:?}");
}
