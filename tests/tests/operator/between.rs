//! The operator killed between two of its writes: each on purpose.
//!
//! The finalizer, slices, the revision over them, the head, then statuses; the head that says Withdrawn, then the end of
//! the Zone; a release, then its annotation; and pruning beside. It is forbidden to write what comes next, so it stands
//! exactly there; then it is killed, allowed again, and started. Each has a cluster of its own.

use crate::{hosts, programs, record, zone, zone_with};
use port53_crds::{FINALIZER, RELEASE_ANNOTATION};
use port53_tests::eventually;
use port53_tests::platform::{NAMESPACE, Platform, Settings, condition};
use serde_json::Value;

/// A zone of which `www` is answered, and where the operator stands when it may not write the next.
struct Stage {
    platform: Platform,
    namespace: String,
    domain: String,
}

impl Stage {
    fn start(operator: &[&str]) -> Self {
        let operator = operator.iter().map(|&argument| argument.to_owned()).collect();
        let platform = Platform::start(programs(), Settings { operator, ..Settings::default() });
        let (namespace, domain) = platform.place("between");
        let stage = Stage { platform, namespace, domain };
        stage.platform.apply(&zone(&stage.namespace, "here", &stage.domain));
        stage.publish(1);
        stage
    }

    fn write(&self, n: u8) {
        let spec = format!("name: www, type: A, values: [192.0.2.{n}]");
        self.platform.apply(&record(&self.namespace, "www", "here", &spec));
    }

    fn publish(&self, n: u8) {
        self.write(n);
        self.is_served(n);
    }

    #[track_caller]
    fn is_served(&self, n: u8) {
        self.platform.comes_to("dnsrecord", &self.namespace, "www", "Ready=True Served");
        self.says(n);
    }

    #[track_caller]
    fn says(&self, n: u8) {
        self.platform.say(&format!("www.{} A", self.domain), &format!("NoError 192.0.2.{n}"));
    }

    fn head(&self, field: &str) -> Value {
        self.platform.head(&self.domain).expect("a head")["spec"][field].clone()
    }

    fn serial(&self) -> u64 {
        self.head("serial").as_u64().expect("a serial")
    }

    /// Waits until what is published is a checkpoint as well.
    #[track_caller]
    fn is_kept(&self) {
        let name = format!("{}.{}", self.domain, self.serial());
        let kept = || self.platform.get("zonerevision", NAMESPACE, &name);
        eventually("a checkpoint", || kept().map(drop).ok_or_else(|| format!("no {name}")));
    }

    fn zone(&self) -> Option<Value> {
        self.platform.get("zone", &self.namespace, "here")
    }

    fn names(&self, kind: &str) -> Vec<String> {
        let names = self.platform.kubectl(&format!("get {kind} -n {NAMESPACE} -o name"));
        names.lines().map(str::to_owned).collect()
    }

    /// Forbids the operator `verb` on `what`: the rule that grants it is given without.
    #[track_caller]
    fn forbid(&self, verb: &str, what: &str, rule: &str, without: &str) {
        self.platform.forbid_operator(verb, what, rule, without);
    }

    /// Waits until the operator says that it is forbidden to, and kills it there.
    #[track_caller]
    fn killed_there(&mut self, said: &str) {
        eventually(said, || {
            let output = self.platform.operator_output();
            let is_so = |line: &str| line.contains(said) && line.contains("forbids it");
            if output.lines().any(is_so) { Ok(()) } else { Err(format!("in:\n{output}")) }
        });
        self.platform.kill_operator();
    }

    /// Allows everything again, and starts the operator.
    fn goes_on(&mut self, verb: &str, what: &str) {
        self.platform.allow_operator(verb, what);
        self.platform.start_operator();
    }
}

const HEADS: &str = "resources: [zoneheads], verbs: [get, list, watch, create, update]";
const STORED: &str = "resources: [zonerevisions, zoneslices], verbs: [get, list, watch, create, delete]";
const ZONES: &str = "resources: [zones], verbs: [get, patch]";
const STATUSES: &str = "resources: [zones/status, dnsrecords/status], verbs: [patch]";

#[test]
fn before_the_head_is_written() {
    let mut stage = Stage::start(&[]);
    let serial = stage.serial();
    stage.forbid("update", "zoneheads", HEADS, "resources: [zoneheads], verbs: [get, list, watch]");
    stage.write(2);
    stage.killed_there("may not be published");
    assert_eq!(stage.serial(), serial);
    stage.says(1);
    stage.goes_on("update", "zoneheads");
    stage.is_served(2);
    assert!(stage.serial() > serial);
}

/// A Zone can be told from one that is missing before anything of it is stored.
#[test]
fn between_finalizer_and_slices() {
    let mut stage = Stage::start(&[]);
    // What is stored from here on is of the second.
    stage.is_kept();
    let stored = |stage: &Stage| ["zoneslices", "zonerevisions", "zoneheads"].map(|kind| stage.names(kind));
    let before = stored(&stage);
    let rule = "resources: [zonerevisions], verbs: [get, list, watch, create, delete]}\n\
                - {apiGroups: [port53.dev], resources: [zoneslices], verbs: [get, list, watch, delete]";
    stage.forbid("create", "zoneslices", STORED, rule);
    let (second, domain) = stage.platform.place("second");
    let www = record(&second, "www", "here", "name: www, type: A, values: [192.0.2.7]");
    stage.platform.apply(&(zone(&second, "here", &domain) + &www));
    stage.killed_there("may not be published");
    let second_zone = stage.platform.get("zone", &second, "here").expect("it is there");
    assert_eq!(second_zone["metadata"]["finalizers"], serde_json::json!([FINALIZER]));
    assert_eq!(stored(&stage), before);
    stage.goes_on("create", "zoneslices");
    stage.platform.comes_to("dnsrecord", &second, "www", "Ready=True Served");
    stage.platform.say(&format!("www.{domain} A"), "NoError 192.0.2.7");
    stage.says(1);
}

/// A zone that is new has its slices and its revision before its head.
#[test]
fn between_slices_and_revision() {
    let mut stage = Stage::start(&[]);
    // What is stored from here on is of the second.
    stage.is_kept();
    let slices = stage.names("zoneslices");
    let rule = "resources: [zonerevisions], verbs: [get, list, watch, delete]}\n\
                - {apiGroups: [port53.dev], resources: [zoneslices], verbs: [get, list, watch, create, delete]";
    stage.forbid("create", "zonerevisions", STORED, rule);
    let (second, domain) = stage.platform.place("second");
    let www = record(&second, "www", "here", "name: www, type: A, values: [192.0.2.7]");
    stage.platform.apply(&(zone(&second, "here", &domain) + &www));
    stage.killed_there("may not be published");
    assert_eq!(stage.names("zoneslices").len(), slices.len() + 1);
    assert!(!stage.names("zonerevisions").iter().any(|name| name.contains(&domain)));
    assert!(stage.platform.head(&domain).is_none());
    stage.goes_on("create", "zonerevisions");
    stage.platform.comes_to("dnsrecord", &second, "www", "Ready=True Served");
    stage.platform.say(&format!("www.{domain} A"), "NoError 192.0.2.7");
    stage.says(1);
}

#[test]
fn between_revision_and_head() {
    let mut stage = Stage::start(&[]);
    stage.forbid("create", "zoneheads", HEADS, "resources: [zoneheads], verbs: [get, list, watch, update]");
    let (second, domain) = stage.platform.place("second");
    let www = |n: u8| record(&second, "www", "here", &format!("name: www, type: A, values: [192.0.2.{n}]"));
    stage.platform.apply(&(zone(&second, "here", &domain) + &www(7)));
    stage.killed_there("may not be published");
    let revisions = |stage: &Stage| {
        let names = stage.names("zonerevisions");
        names.into_iter().filter(|name| name.contains(&domain)).collect::<Vec<_>>()
    };
    let before = revisions(&stage);
    assert!(!before.is_empty());
    assert!(stage.platform.head(&domain).is_none());
    // What was stored for it is not what is wanted by then.
    stage.platform.apply(&www(8));
    stage.goes_on("create", "zoneheads");
    stage.platform.comes_to("dnsrecord", &second, "www", "Ready=True Served");
    stage.platform.say(&format!("www.{domain} A"), "NoError 192.0.2.8");
    let of = |name: &str| name.rsplit_once('.').and_then(|(_, serial)| serial.parse::<u64>().ok());
    let head = stage.platform.head(&domain).expect("a head");
    let highest = before.iter().filter_map(|name| of(name)).max();
    assert!(head["spec"]["serial"].as_u64() > highest, "{} after {before:?}", head["spec"]["serial"]);
}

/// What is published and answered is told by the next process, and not published again.
#[test]
fn between_head_and_statuses() {
    let mut stage = Stage::start(&[]);
    stage.forbid("patch", "dnsrecords/status", STATUSES, "resources: [zones/status], verbs: [patch]");
    stage.write(2);
    stage.platform.come_to_say(&format!("www.{} A", stage.domain), "NoError 192.0.2.2");
    stage.killed_there("a status cannot be written");
    let (serial, head) = (stage.serial(), stage.platform.head(&stage.domain));
    stage.goes_on("patch", "dnsrecords/status");
    stage.is_served(2);
    assert_eq!(stage.serial(), serial);
    assert_eq!(head, stage.platform.head(&stage.domain));
}

/// Stored beside the head, and no head has taken it up.
#[test]
fn between_a_checkpoint_and_the_head_that_takes_it_up() {
    let mut stage = Stage::start(&[]);
    stage.publish(2);
    stage.is_kept();
    stage.platform.kill_operator();
    let (serial, before) = (stage.serial(), stage.head("checkpoint")["serial"].as_u64().expect("a serial"));
    // It is taken up after half a minute without a change.
    assert!(before < serial, "{before} is not below {serial}");
    stage.platform.start_operator();
    stage.publish(3);
    stage.platform.restart_resolver(0);
    stage.platform.come_to_say(&format!("www.{} A", stage.domain), "NoError 192.0.2.3");
    // Both are kept, and what they say is stored.
    for serial in [before, serial] {
        let name = format!("{}.{serial}", stage.domain);
        let revision = stage.platform.get("zonerevision", NAMESPACE, &name).expect("it is kept");
        let root = revision["spec"]["root"].as_str().expect("a root");
        assert!(stage.platform.get("zoneslice", NAMESPACE, root).is_some(), "{root} of {name}");
    }
}

/// The zone is out of service and its Zone is not gone: the next process sees to that, and to nothing else.
#[test]
fn between_withdrawal_and_the_end_of_the_zone() {
    let mut stage = Stage::start(&[]);
    let (namespace, www_a) = (stage.namespace.clone(), format!("www.{} A", stage.domain));
    stage.platform.apply(&zone_with(&namespace, "here", &stage.domain, "removalDelay: 0s"));
    stage.forbid("patch", "zones", ZONES, "resources: [zones], verbs: [get]");
    stage.platform.kubectl(&format!("delete zone here -n {namespace} --wait=false"));
    stage.killed_there("cannot be edited (RemoveFinalizer)");
    stage.platform.say(&www_a, "Refused");
    assert_eq!(stage.head("state"), "Withdrawn");
    assert!(stage.zone().is_some());
    let head = stage.platform.head(&stage.domain);
    stage.goes_on("patch", "zones");
    eventually("the Zone is gone", || stage.zone().map_or(Ok(()), |zone| Err(zone["metadata"].to_string())));
    assert_eq!(stage.platform.head(&stage.domain), head);
    stage.platform.comes_to("dnsrecord", &namespace, "www", "Ready=False ZoneNotFound");
    stage.platform.say(&www_a, "Refused");
    stage.platform.apply(&zone(&namespace, "here", &stage.domain));
    stage.is_served(1);
}

/// What a person let go went, and the annotation that says so is still there: it counts no second time.
#[test]
fn between_a_release_and_the_end_of_its_annotation() {
    let mut stage = Stage::start(&[]);
    let namespace = stage.namespace.clone();
    let last = format!("h20.{} A", stage.domain);
    let come = |stage: &Stage| {
        stage.platform.apply(&hosts(&namespace, 1..=20, 2));
        for n in 1..=20 {
            stage.platform.comes_to("dnsrecord", &namespace, &format!("h{n}"), "Ready=True Served");
        }
        stage.platform.comes_to("zone", &namespace, "here", "Held=False NothingHeld");
    };
    let held = |stage: &Stage| condition(&stage.zone().expect("it is there"), "Held");
    // The last of them goes last: some of the others may go before it is too much.
    let go = |stage: &Stage| {
        let names: Vec<String> = (1..=20).map(|n| format!("h{n}")).collect();
        stage.platform.kubectl(&format!("delete dnsrecord -n {namespace} {}", names.join(" ")));
        eventually("the last is held", || match held(stage) {
            (said, message) if said == "True RemovalsHeld" && message.contains("h20.") => Ok(()),
            said => Err(format!("{said:?}")),
        });
    };
    come(&stage);
    go(&stage);
    stage.forbid("patch", "zones", ZONES, "resources: [zones], verbs: [get]");
    // Until all are there what is held changes, and its id.
    eventually("they are released", || {
        let (_, message) = held(&stage);
        if let Some((_, id)) = message.rsplit_once('=') {
            let release = format!("annotate zone here -n {namespace} {RELEASE_ANNOTATION}={id} --overwrite");
            stage.platform.kubectl(&release);
        }
        match stage.platform.resolvers[0].says(&last) {
            said if said == "NXDomain" => Ok(()),
            said => Err(format!("{said}: {message}")),
        }
    });
    stage.killed_there("cannot be edited (TakeRelease(");
    let annotation = |stage: &Stage| {
        stage.zone().expect("it is there")["metadata"]["annotations"][RELEASE_ANNOTATION].clone()
    };
    assert_ne!(annotation(&stage), Value::Null);
    stage.goes_on("patch", "zones");
    eventually("the annotation is spent", || match annotation(&stage) {
        Value::Null => Ok(()),
        there => Err(there.to_string()),
    });
    come(&stage);
    go(&stage);
    stage.platform.say(&last, "NoError 192.0.2.20");
    stage.says(1);
}

/// Revisions are gone and the slices that they alone named are not.
#[test]
fn while_it_prunes() {
    let mut stage = Stage::start(&["--prune-interval=1s", "--history-octets=1"]);
    let rule = "resources: [zonerevisions], verbs: [get, list, watch, create, delete]}\n\
                - {apiGroups: [port53.dev], resources: [zoneslices], verbs: [get, list, watch, create]";
    stage.forbid("delete", "zoneslices", STORED, rule);
    for n in 2..=4 {
        stage.publish(n);
        stage.is_kept();
    }
    stage.killed_there("what is not needed stays for now");
    let slices = stage.names("zoneslices").len();
    stage.says(4);
    stage.goes_on("delete", "zoneslices");
    eventually("it goes on", || match stage.names("zoneslices").len() {
        less if less < slices => Ok(()),
        same => Err(format!("{same} of {slices}")),
    });
    stage.publish(5);
    stage.platform.restart_resolver(0);
    stage.platform.come_to_say(&format!("www.{} A", stage.domain), "NoError 192.0.2.5");
}
