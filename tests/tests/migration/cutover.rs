//! Nameservers answer with what legacy says, are cut over one after the other, and fall back.

use crate::rig::{NAME, Rig};
use crate::{programs, settings};
use port53_tests::eventually;
use port53_tests::peer::Program;
use port53_tests::platform::{Platform, Settings};
use serde_json::Value;

/// A platform whose resolvers know their names.
pub(crate) fn platform() -> Platform {
    Platform::start(programs(), Settings { names_resolvers: true, ..settings() })
}

/// What each resolver answers to the address of www, in order.
#[track_caller]
pub(crate) fn answer(rig: &Rig<'_>, expected: [&str; 2]) {
    let question = format!("www.{} A", rig.domain);
    for (resolver, expected) in rig.platform.resolvers.iter().zip(expected) {
        eventually(&format!("{question} at {}", resolver.address()), || match resolver.says(&question) {
            said if said == format!("NoError {expected}") => Ok(()),
            said => Err(format!("{said}, not {expected}; {}", rig.status())),
        });
    }
}

pub(crate) const HERE: &str = "192.0.2.1";
pub(crate) const THERE: &str = "192.0.2.99";

/// "`cutover: [ns1]` makes one nameserver answer from Port53, after the gate …; then the next"; "`fallback: true` returns
/// every nameserver to legacy".
#[test]
fn nameservers_are_cut_over_one_after_the_other_and_fall_back() {
    let platform = &platform();
    let rig = Rig::new(platform, Program::Bind, "cutover", "www A 192.0.2.1\n");
    let with =
        |more: &str| rig.migrate(&format!("backfill: {{from: Transfer}}, compare: {{poll: 1s}}, {more}"));
    with("shadow: {}");
    rig.comes_to("InSync=True Equal");
    rig.comes_to("Shadowing=True Seen");
    rig.field_comes_to("cutover", "0/2");

    // Both differ, so that it can be seen who answers: and nothing is cut over while they do.
    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.99");
    answer(&rig, [THERE, THERE]);
    with("shadow: {}, cutover: [ns1]");
    rig.comes_to("CutOver=False WaitingForSync");
    answer(&rig, [THERE, THERE]);

    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.1");
    rig.comes_to("CutOver=True Seen");
    rig.field_comes_to("cutover", "1/2");
    // What is cut over stays so when they differ again.
    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.99");
    answer(&rig, [HERE, THERE]);
    rig.field_comes_to("phase", "CutOver");

    with("shadow: {}, cutover: [ns1, ns2], fallback: true");
    rig.comes_to("FallenBack=True Seen");
    answer(&rig, [THERE, THERE]);
    rig.field_comes_to("phase", "FallenBack");

    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.1");
    with("shadow: {}, cutover: [ns1, ns2]");
    rig.comes_to("CutOver=True Seen");
    rig.field_comes_to("cutover", "2/2");

    // Without shadow every nameserver answers by itself, and legacy is not asked.
    rig.migrate("compare: {poll: 1s}");
    eventually("a head without a legacy DNS", || {
        let head = platform.head(&rig.domain).unwrap_or_default();
        match head["spec"]["forwarding"] {
            Value::Null => Ok(()),
            ref forwarding => Err(forwarding.to_string()),
        }
    });
    rig.change_there("update delete www.@DOMAIN A\nupdate add www.@DOMAIN 300 A 192.0.2.99");
    rig.status_comes_to("a difference", |status| status["inconsistent"] == 1);
    answer(&rig, [HERE, HERE]);
}

#[test]
fn a_nameserver_that_there_is_none_of_is_told() {
    let platform = &platform();
    let rig = Rig::new(platform, Program::Nsd, "nosuch", "www A 192.0.2.1\n");
    rig.migrate("backfill: {from: Transfer}, shadow: {}, cutover: [ns9, ns1]");
    let message = rig.comes_to("CutOver=False NoSuchNameserver");
    assert!(message.contains("ns9") && message.contains("ns1, ns2"), "{message}");
    rig.status_comes_to("the other is cut over", |status| status["cutover"] == "1/2");
}

/// A restarted operator finds in the head what was reached.
#[test]
fn an_operator_that_begins_anew_leaves_who_answers_as_it_is() {
    let platform = &mut platform();
    let rig = Rig::new(platform, Program::Knot, "anew", "www A 192.0.2.1\n");
    rig.migrate("backfill: {from: Transfer}, shadow: {}, cutover: [ns2]");
    rig.comes_to("CutOver=True Seen");
    let Rig { mut legacy, namespace, domain, .. } = rig;
    let forwarding =
        |platform: &Platform| platform.head(&domain).unwrap_or_default()["spec"]["forwarding"].clone();
    let before = forwarding(platform);
    assert_eq!(before["cutOver"], serde_json::json!(["ns2"]));
    legacy.stop();
    platform.kill_operator();
    platform.start_operator();
    platform.comes_to("zonemigration", &namespace, NAME, "LegacyReachable=False Unreachable");
    assert_eq!(forwarding(platform), before);
    // Legacy gone: the nameserver that asks it answers from here.
    platform.come_to_say(&format!("www.{domain} A"), "NoError 192.0.2.1");
}
