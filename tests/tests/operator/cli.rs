//! `port53` against a cluster, which is also `kubectl port53`: the real program, the real operator.
//!
//! | file | what it shows |
//! |---|---|
//! | `import` | master files and zones of other DNS systems into a cluster |
//! | `early` | imports that end early: killed, interrupted, the API server gone; run again |
//! | `terminal` | an import on a terminal, and on none |
//! | `apply` | served, rejected, late; all or nothing |
//! | `export` | manifests that are those that were applied |
//! | `plugin` | what users of `kubectl` expect: contexts, namespaces, on whose behalf, completions |
//! | here | status, versions, rollback, what is held; rights |

mod apply;
mod early;
mod export;
mod import;
mod plugin;
mod terminal;

use crate::{programs, record, shared, zone};
use port53_tests::cluster::User;
use port53_tests::eventually;
use port53_tests::platform::{Platform, Settings};
use port53_tests::ports::free_address;
use port53_tests::process::Finished;
use serde_json::Value;
use std::path::Path;
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
        command(self.platform, &self.namespace, self.files.path(), arguments)
    }

    /// As [`Site::command`], of who may do everything in the namespace and nothing beside it, once that is granted.
    fn command_of_team(&self, arguments: &str) -> Command {
        let mut command = self.command(arguments);
        let team = User::named(&self.namespace);
        command.env("KUBECONFIG", self.platform.cluster.kubeconfig_of(&team));
        command
    }

    fn grant_team(&self) {
        let namespace = &self.namespace;
        self.platform.apply(&format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n\
             metadata: {{name: team, namespace: {namespace}}}\n\
             rules: [{{apiGroups: [port53.dev], resources: [zones, dnsrecords], verbs: [\"*\"]}}]\n\
             ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
             metadata: {{name: team, namespace: {namespace}}}\n\
             subjects: [{{kind: User, name: {namespace}, apiGroup: rbac.authorization.k8s.io}}]\n\
             roleRef: {{kind: Role, name: team, apiGroup: rbac.authorization.k8s.io}}\n"
        ));
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

    /// Applies manifests with `port53 apply`, to the end.
    #[track_caller]
    fn port53_applies(&self, manifests: &str) {
        self.write("these.yaml", manifests);
        self.port53(0, "apply -f these.yaml");
        std::fs::remove_file(self.files.path().join("these.yaml")).expect("it was there");
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

/// See [`Site::command`].
fn command(platform: &Platform, namespace: &str, files: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_port53-tested"));
    command
        .args(arguments.split_whitespace())
        .args(["--namespace", namespace])
        .env("KUBECONFIG", platform.cluster.kubeconfig())
        .env("HOME", files)
        .current_dir(files)
        .stdin(Stdio::null());
    command
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

/// Slices of a version were lost: it was offered, and rolling back to it waited for nothing.
#[test]
fn a_version_that_cannot_be_read_is_not_offered() {
    // One of its own, whose operator is stopped where it stands: it restores what was deleted by hand.
    let platform: &'static Platform = Box::leak(Box::new(Platform::start(programs(), Settings::default())));
    let (namespace, domain) = platform.place("lost");
    let site = Site { platform, namespace, domain, files: TempDir::new().expect("a directory") };
    let domain = &site.domain;
    let roots = |serial: u32| {
        let revisions = site.platform.kubectl("get zonerevisions -n port53 -o json");
        let revisions: Value = serde_json::from_str(&revisions).expect("JSON");
        let all = revisions["items"].as_array().expect("a list").clone();
        let found = all
            .into_iter()
            .find(|it| it["spec"]["domain"] == domain.as_str() && it["spec"]["serial"] == serial);
        found.unwrap_or_else(|| panic!("no revision {serial}"))["spec"].clone()
    };
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    let first = site.checkpoint();
    site.port53_applies(&site.a("www", "192.0.2.2"));
    let second = site.checkpoint();
    let root = roots(first)["root"].as_str().expect("a root").to_owned();
    platform.pause_operator();
    platform.kubectl(&format!("delete zoneslice {root} -n port53"));
    let done = site.port53(2, &format!("rollback {domain} --to {first}"));
    assert!(
        done.stderr.contains(&format!("version {first} of {domain} is kept and cannot be read")),
        "{done:?}"
    );
    let done = site.port53(2, &format!("rollback {domain} --to 4242"));
    assert!(done.stderr.contains(&format!("; {first} cannot be read")), "{done:?}");
    let (offered, _) = done.stderr.split_once(';').expect("those that can be read");
    assert!(offered.ends_with(&format!("kept are {second}")), "{done:?}");
    assert!(
        site.get("zone", "here").expect("a Zone")["metadata"]["annotations"]["port53.dev/rollback"].is_null()
    );
}

#[test]
fn a_zone_that_is_served_without_a_zone_is_listed() {
    let site = Site::new("orphan");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    let (namespace, domain) = (&site.namespace, &site.domain);
    site.platform.kubectl(&format!("annotate zone here -n {namespace} port53.dev/keep-serving=true"));
    site.platform.kubectl(&format!("delete zone here -n {namespace} --timeout=30s"));
    // Of all namespaces, so of none that is named.
    let mut command = Command::new(env!("CARGO_BIN_EXE_port53-tested"));
    command.args(["status", "-A"]).env("KUBECONFIG", site.platform.cluster.kubeconfig());
    let (status, done) = finished(command);
    assert_eq!(status, 1, "{done:?}");
    let line = done.stdout.lines().find(|line| line.starts_with(&format!("{domain} ")));
    let line = line.unwrap_or_else(|| panic!("{done:?}"));
    assert!(line.contains("ZoneNotFound") && line.ends_with(&format!("{namespace}/here")), "{line}");
    let done = site.port53(2, &format!("status {domain}"));
    assert!(done.stderr.contains("is served without a Zone"), "{done:?}");
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
    // Nothing would change, and one would be rejected.
    let done = site.port53(1, &format!("diff {domain} dns"));
    assert!(done.stdout.is_empty() && done.stderr.contains("alias"), "{done:?}");
    site.write("dns/a.yaml", &site.a("www", "192.0.2.7"));
    site.port53(0, &format!("diff {domain} dns"));
}

#[test]
fn what_is_held_is_listed_and_released_by_its_id_alone() {
    let site = Site::new("held");
    site.port53_applies(&(site.zone() + &site.hosts(45)));
    let domain = &site.domain;
    let done = site.port53(0, &format!("held {domain}"));
    assert!(done.stderr.contains("nothing"), "{done:?}");
    site.platform.kubectl(&format!("delete dnsrecords --all -n {}", site.namespace));
    site.platform.comes_to("zone", &site.namespace, "here", "Held=True RemovalsHeld");
    // The first may have gone before there were too many. The others are all that is left, and the Zone's
    // condition names twenty of them.
    let held = eventually("all that is left is held", || {
        let left = site.port53(0, &format!("export {domain}")).stdout;
        let left: Vec<String> = left.lines().filter_map(|line| owner_of(line, "A")).collect();
        let done = site.port53(1, &format!("held {domain} -o json"));
        let held: Value = serde_json::from_str(&done.stdout).expect("JSON");
        let removals: Vec<String> = left.iter().map(|owner| format!("{owner} A")).collect();
        match held["removals"] == Value::from(removals) {
            true => Ok((held, left)),
            false => Err(format!("{held} and not {left:?}: {}", done.stderr)),
        }
    });
    let (held, left) = held;
    assert!(left.len() > 30, "{left:?}");
    assert_eq!(held["count"], left.len(), "{held}");
    let id = held["id"].as_str().expect("an id");
    let done = site.port53(1, &format!("held {domain}"));
    assert!(done.stderr.contains(id) && !done.stdout.contains("more"), "{done:?}");
    assert_eq!(done.stdout.lines().filter_map(|line| owner_of(line, "A")).collect::<Vec<_>>(), left);

    // Who may not read what is published is told how many more there are.
    site.grant_team();
    let more = format!("and {} more\n", left.len() - 20);
    eventually("the right", || match finished(site.command_of_team("held here")) {
        (1, done) if done.stdout.ends_with(&more) && done.stderr.starts_with("counted and not named: ") => {
            Ok(())
        }
        other => Err(format!("{other:?}")),
    });

    let done = site.port53(2, &format!("held {domain} --release 000000000000"));
    assert!(done.stderr.contains(id), "{done:?}");
    let last = left.last().expect("one");
    site.platform.say(&format!("{last} A"), &format!("NoError 192.0.2.{}", 1 + number_of(last)));
    let done = site.port53(0, &format!("held {domain} --release {id}"));
    assert!(done.stdout.contains("went"), "{done:?}");
    left.iter().for_each(|owner| site.platform.say(&format!("{owner} A"), "NXDomain"));
    let zone = site.get("zone", "here").expect("a Zone");
    assert_eq!(zone["metadata"]["annotations"].get("port53.dev/release"), None, "{zone}");
}

/// The first word of a line of which a later one is this type.
fn owner_of(line: &str, rtype: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let owner = words.next()?;
    words.any(|word| word == rtype).then(|| owner.to_owned())
}

/// 7 of h7.example.com.
fn number_of(owner: &str) -> usize {
    owner[1..owner.find('.').expect("a dot")].parse().expect("a number")
}

/// A team may see what is in its own namespace, and nothing of the operator's.
#[test]
fn who_may_see_one_namespace_is_told_of_that_one() {
    let site = Site::new("team");
    site.port53_applies(&(site.zone() + &site.a("www", "192.0.2.1")));
    site.platform.comes_to("zone", &site.namespace, "here", "Ready=True Served");
    let as_team = |arguments: &str| finished(site.command_of_team(arguments));
    site.grant_team();
    eventually("the right", || match as_team("status here") {
        (0, done) if done.stderr.contains("only the records of namespace") => Ok(()),
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
    // Nobody listens there.
    let address = free_address();
    config["clusters"][0]["cluster"]["server"] = format!("https://{address}").into();
    site.write("kubeconfig", &config.to_string());
    let done = site.port53(2, "status --kubeconfig kubeconfig");
    assert!(done.stderr.starts_with("error: the Zones cannot be listed: "), "{done:?}");
    let done = site.port53(2, "status --kubeconfig no-such-file");
    assert!(done.stderr.contains("no-such-file"), "{done:?}");
    let done = site.port53(2, "status --context no-such-context");
    assert!(done.stderr.contains("no-such-context"), "{done:?}");
}
