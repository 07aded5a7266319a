//! What is done, one after the other. Each step ends when what it is about was seen, and says what that was.

use super::Stage;
use super::changes::{said, update};
use super::zones::{CHANGING, Moving, TTL};
use super::{NAMESPACE, zones};
use crate::{eventually, migration};
use serde_json::Value;
use std::time::Instant;

/// A step.
pub struct Step {
    /// What is done, in a few words.
    pub name: &'static str,
    /// Does it, and says what was seen.
    pub play: fn(&Stage) -> String,
}

/// All of them, in order. Each leaves what the next begins with.
pub const ALL: &[Step] = &[
    Step { name: "legacy alone", play: legacy_alone },
    Step { name: "backfill", play: backfill },
    Step { name: "dualWrite: Async", play: dual_write },
    Step { name: "comparison, all zones", play: comparison },
    Step { name: "legacy differs", play: legacy_differs },
    Step { name: "resolve --prefer legacy", play: resolve },
    Step { name: "dualWrite: Sync", play: sync },
    Step { name: "legacy refuses a change", play: refused },
    Step { name: "shadow: ns1, ns2 are asked", play: shadow },
    Step { name: "cutover: [ns1]", play: first_cutover },
    Step { name: "cutover: [ns1, ns2]", play: second_cutover },
    Step { name: "fallback: true", play: fallback },
    Step { name: "cutover again", play: cutover_again },
    Step { name: "comparison, no more changes", play: last_comparison },
    Step { name: "finish: true", play: finish },
    Step { name: "legacy ends", play: legacy_ends },
];

const ASYNC: &str = "dualWrite: Async";
const SYNC: &str = "dualWrite: Sync";
/// Both sides change all the time, so some answers are compared while a change is at one alone.
const SHADOW: &str = "shadow: {maxDifferencesPercent: 20}";
/// What legacy says otherwise.
const APART: &str = "198.51.100.99";
/// What somebody writes there while nobody looks, and what is refused because of that.
const MEANWHILE: &str = "198.51.100.100";
/// See there.
const REFUSED: &str = "198.51.100.101";

/// The zone that both sides come to have otherwise.
fn apart(stage: &Stage) -> (&Moving, String) {
    let zone = stage.zones.last().expect("a zone");
    (zone, zone.owner(CHANGING[2]))
}

fn legacy_alone(stage: &Stage) -> String {
    stage.clients.see(stage.settings.least);
    format!("{} changes there", stage.changes.made()[1])
}

fn backfill(stage: &Stage) -> String {
    let zones = stage.zones.iter().map(|zone| format!("---\n{}\n", zone.object()));
    stage.platform.apply(&zones.collect::<String>());
    stage.migrate("");
    stage.all_come_to("Backfilled=True Complete");
    let rrsets = |status: &Value| status["backfilled"].as_str()?.split('/').next()?.parse::<u64>().ok();
    let here: u64 = stage.statuses().iter().filter_map(rrsets).sum();
    format!("{here} RRsets are here")
}

fn dual_write(stage: &Stage) -> String {
    stage.migrate(ASYNC);
    for zone in &stage.zones {
        let status = |status: &Value| status["phase"] == "DualWriting";
        eventually(&format!("dual writes of {}", zone.domain), || {
            let object = stage.platform.get("zonemigration", NAMESPACE, &zone.name).unwrap_or_default();
            if status(&object["status"]) { Ok(()) } else { Err(object["status"].to_string()) }
        });
    }
    stage.changes.open();
    // Each zone has changed on both sides.
    let [here, there] = stage.changes.made();
    let least = stage.zones.len() as u64;
    eventually("changes on both sides", || match stage.changes.made() {
        [now_here, now_there] if now_here >= here + least.min(5) && now_there >= there + least.min(5) => {
            Ok(())
        }
        made => Err(format!("{made:?}")),
    });
    "both sides change from now on".to_owned()
}

fn comparison(stage: &Stage) -> String {
    let equal = compare_all(stage);
    stage.changes.open();
    equal
}

/// `port53 migration diff` of each zone, with no new change.
fn compare_all(stage: &Stage) -> String {
    stage.changes.close();
    stage.all_come_to("InSync=True Equal");
    for zone in &stage.zones {
        // Legacy may have changed after it was seen to be the same: that is on its way, and is waited for.
        eventually(&format!("both sides of {}", zone.domain), || {
            let (code, done) = stage.port53(&format!("migration diff {}", zone.domain));
            if code == Some(0) { Ok(()) } else { Err(format!("{}{}", done.stdout, done.stderr)) }
        });
    }
    let [here, there] = stage.changes.made();
    format!("the same, after {here} changes here and {there} there")
}

fn legacy_differs(stage: &Stage) -> String {
    let (zone, owner) = apart(stage);
    stage.changes.leave_out(Some(zone));
    stage.platform.comes_to("zonemigration", NAMESPACE, &zone.name, "InSync=True Equal");
    stage.platform.apply(&stage.migration(zone, "dualWrite: None"));
    stage.platform.comes_to("zonemigration", NAMESPACE, &zone.name, "DualWriting=False NotWanted");
    stage.history.begins(&format!("{owner} A"), said(&owner, APART));
    stage.legacy.change(&zone.domain, &update(&owner, Some(APART)));
    stage.platform.comes_to("zonemigration", NAMESPACE, &zone.name, "InSync=False Differences");
    let (code, done) = stage.port53(&format!("migration diff {}", zone.domain));
    let is_listed = [owner.as_str(), APART, zones::FIRST].iter().all(|words| done.stdout.contains(words));
    assert!(code == Some(1) && is_listed, "{code:?}: {}{}", done.stdout, done.stderr);
    format!("port53 migration diff lists {owner} A")
}

fn resolve(stage: &Stage) -> String {
    let (zone, owner) = apart(stage);
    let (code, done) = stage.port53(&format!("migration resolve {} {owner} A --prefer legacy", zone.domain));
    assert_eq!(code, Some(0), "{}{}", done.stdout, done.stderr);
    stage.platform.come_to_say(&format!("{owner} A"), &format!("NoError {APART}"));
    stage.history.is_made(&format!("{owner} A"));
    stage.platform.apply(&stage.migration(zone, ASYNC));
    stage.platform.comes_to("zonemigration", NAMESPACE, &zone.name, "InSync=True Equal");
    stage.changes.leave_out(None);
    format!("{owner} A is {APART} on both sides")
}

fn sync(stage: &Stage) -> String {
    stage.migrate(SYNC);
    for zone in &stage.zones {
        eventually(&format!("{} is to be at both", zone.domain), || {
            let head = stage.platform.head(zone.domain.trim_end_matches('.')).unwrap_or_default();
            match &head["spec"]["dualWrite"] {
                Value::Object(_) => Ok(()),
                other => Err(other.to_string()),
            }
        });
    }
    let [before, _] = stage.changes.made();
    let least = (stage.zones.len() as u64).min(5);
    eventually("changes here", || match stage.changes.made() {
        [now, _] if now >= before + least => Ok(()),
        made => Err(format!("{made:?}")),
    });
    let [now, _] = stage.changes.made();
    format!("{} changes were at both or at neither", now - before)
}

/// Somebody has changed a name at legacy meanwhile, so that it does not take what is written here: neither side changes.
fn refused(stage: &Stage) -> String {
    let (zone, owner) = apart(stage);
    let key = format!("{owner} A");
    let record = format!("{}-a.{}", CHANGING[2], zone.name);
    let write = |address: &str| {
        let spec = format!("name: {}, type: A, ttl: {TTL}, values: ['{address}']", CHANGING[2]);
        stage.platform.apply(&migration::record(NAMESPACE, &zone.name, &record, &spec));
    };
    let change_there = |address: &str| {
        stage.history.begins(&key, said(&owner, address));
        stage.legacy.change(&zone.domain, &update(&owner, Some(address)));
        stage.history.is_made(&key);
    };
    // Legacy is not looked at meanwhile.
    stage.platform.apply(&stage.migration(zone, SYNC).replacen("poll: 1s", "poll: 1h", 1));
    stage.platform.comes_to("zonemigration", NAMESPACE, &zone.name, "DualWriting=True Written");
    change_there(MEANWHILE);
    write(REFUSED);
    let message = stage.platform.comes_to("dnsrecord", NAMESPACE, &record, "Accepted=False LegacyRefused");
    assert!(message.contains(MEANWHILE), "{message}");
    stage.platform.say(&key, &format!("NoError {APART}"));
    // As it was, on both sides.
    change_there(APART);
    write(APART);
    stage.platform.apply(&stage.migration(zone, SYNC));
    stage.platform.comes_to("zonemigration", NAMESPACE, &zone.name, "InSync=True Equal");
    format!("{key} {REFUSED} is at neither: legacy has {MEANWHILE}, which nobody here has seen")
}

fn shadow(stage: &Stage) -> String {
    stage.migrate(&format!("{SYNC}, {SHADOW}"));
    stage.all_come_to("Shadowing=True Seen");
    stage.clients.ask(stage.nameservers());
    stage.clients.see_more(stage.settings.least);
    let [same, differing] = ["/compared/same", "/compared/differing"].map(|path| count(stage, path));
    assert!(same > 0, "nothing was compared");
    let others = others_that_differ(stage);
    let samples = if others.is_empty() { String::new() } else { format!(": {}", others.join("; ")) };
    format!(
        "{same} answers are as ours, {differing} not, {} of these of no name that changes{samples}",
        others.len()
    )
}

fn first_cutover(stage: &Stage) -> String {
    cut_over(stage, "[ns1]", "1/2")
}

fn second_cutover(stage: &Stage) -> String {
    cut_over(stage, "[ns1, ns2]", "2/2")
}

fn fallback(stage: &Stage) -> String {
    let begun = Instant::now();
    stage.migrate(&format!("{SYNC}, {SHADOW}, cutover: [ns1, ns2], fallback: true"));
    for zone in &stage.zones {
        eventually(&format!("fallback of {}", zone.domain), || {
            let head = stage.platform.head(zone.domain.trim_end_matches('.')).unwrap_or_default();
            match head["spec"]["forwarding"]["cutOver"].as_array() {
                Some(cut_over) if !cut_over.is_empty() => Err(format!("{cut_over:?}")),
                _ => Ok(()),
            }
        });
    }
    let written = begun.elapsed();
    stage.all_come_to("FallenBack=True Seen");
    format!("in the heads of all zones {:.1} s after kubectl was started", written.as_secs_f64())
}

fn cutover_again(stage: &Stage) -> String {
    cut_over(stage, "[ns1, ns2]", "2/2")
}

fn last_comparison(stage: &Stage) -> String {
    compare_all(stage)
}

fn finish(stage: &Stage) -> String {
    stage.migrate(&format!("{SYNC}, {SHADOW}, cutover: [ns1, ns2], entry: AddressTakeover, finish: true"));
    stage.all_come_to("Finished=True Finished");
    eventually("heads without a legacy DNS", || match forwarded(stage) {
        0 => Ok(()),
        zones => Err(format!("{zones} zones with one")),
    });
    "legacy is asked nothing by ns1 and ns2".to_owned()
}

fn legacy_ends(stage: &Stage) -> String {
    stage.platform.kubectl(&format!("delete zonemigrations --all -n {NAMESPACE}"));
    stage.legacy.process().expect("it runs").terminate();
    stage.clients.see_more(stage.settings.least);
    "its process is gone, and nobody misses it".to_owned()
}

fn cut_over(stage: &Stage, nameservers: &str, expected: &str) -> String {
    stage.migrate(&format!("{SYNC}, {SHADOW}, cutover: {nameservers}"));
    stage.all_come_to("CutOver=True Seen");
    for zone in &stage.zones {
        eventually(&format!("{} at {expected}", zone.domain), || {
            let object = stage.platform.get("zonemigration", NAMESPACE, &zone.name).unwrap_or_default();
            match &object["status"]["cutover"] {
                reached if reached == expected => Ok(()),
                reached => Err(reached.to_string()),
            }
        });
    }
    format!("{expected} nameservers answer by themselves, in all zones")
}

/// The samples of answers that differ, but for those about what changes just now.
fn others_that_differ(stage: &Stage) -> Vec<String> {
    let pages = pages(stage);
    let samples = pages.iter().flat_map(|zone| zone["samples"].as_array().into_iter().flatten());
    let others = samples.filter_map(|sample| {
        let question = sample["question"].as_str().unwrap_or_default();
        let is_changing = CHANGING.iter().any(|label| question.starts_with(label));
        (!is_changing).then(|| format!("{question} {}", sample["differences"]))
    });
    others.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// A number of `/forwarding`, summed over zones and nameservers.
fn count(stage: &Stage, path: &str) -> u64 {
    let of = |zone: &Value| zone.pointer(path).and_then(Value::as_u64).unwrap_or_default();
    pages(stage).iter().map(of).sum()
}

/// Zones that some nameserver has a legacy DNS for.
fn forwarded(stage: &Stage) -> usize {
    pages(stage).len()
}

/// What ns1 and ns2 say of each zone that moves.
fn pages(stage: &Stage) -> Vec<Value> {
    let zones = stage.platform.resolvers.iter().flat_map(|resolver| {
        let page: Value = serde_json::from_str(&resolver.get("/forwarding")).expect("JSON");
        page["zones"].as_array().cloned().unwrap_or_default()
    });
    zones.collect()
}
