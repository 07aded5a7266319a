//! What legacy says and nobody should believe: "never applied in part, guarded like any removal, said in the condition with
//! what was seen; our zone stays as it is".

use crate::rig::{NAME, Rig, zone_text};
use crate::shared;
use port53_tests::Zone;
use port53_tests::legacy::Holder;
use port53_tests::peer::Program;

const ASYNC: &str = "backfill: {from: Transfer}, dualWrite: Async";

fn hosts(count: usize) -> String {
    (0..count).map(|host| format!("h{host} A 192.0.2.1\n")).collect()
}

impl Rig<'_> {
    /// The admin of legacy puts another master file in the place of the zone's.
    fn rewrite(&self, serial: u32, records: &str) {
        let text = zone_text(&self.domain, serial, records);
        let said = format!(" {serial} ");
        self.legacy.rewrite(Zone { apex: &self.domain, text: &text }, || match self.soa_there() {
            soa if soa.contains(&said) => Ok(()),
            soa => Err(soa),
        });
    }

    fn soa_there(&self) -> String {
        let port = self.legacy.address().port().to_string();
        let arguments = ["@127.0.0.1", "-p", &port, "+tcp", "+short", &self.domain, "SOA"];
        port53_tests::process::run("kdig", &arguments, std::path::Path::new("/")).stdout
    }

    fn stays_as_it_is(&self, doubt: &str) {
        let message = self.comes_to("InSync=Unknown LegacyImplausible");
        assert!(message.contains(doubt), "{message}");
        self.comes_to_be_here("h0", "A", "NoError 192.0.2.1");
        self.comes_to_be_here("h19", "A", "NoError 192.0.2.1");
    }
}

#[test]
fn a_legacy_that_lost_most_of_a_zone_is_not_believed_without_a_word() {
    let rig = Rig::new(shared(), Program::Nsd, "lost", &hosts(20));
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    rig.rewrite(2, "");
    rig.stays_as_it_is("had 21");
    // As it was: what is doubtful is past.
    rig.rewrite(3, &hosts(20));
    rig.comes_to("InSync=True Equal");
    // Another zone, with as many records.
    rig.rewrite(4, &hosts(20).replace("h", "x"));
    rig.stays_as_it_is("lacks 20 of 20");
    // A person says that it is right.
    let annotation = "port53.dev/accept-legacy=4";
    rig.platform.cluster.kubectl(&["annotate", "zonemigration", NAME, "-n", &rig.namespace, annotation]);
    rig.comes_to_be_here("x3", "A", "NoError 192.0.2.1");
}

#[test]
fn an_older_copy_of_a_zone_is_not_believed() {
    let rig = Rig::new(shared(), Program::Nsd, "older", &hosts(20));
    rig.rewrite(7, &hosts(20));
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    rig.rewrite(5, &hosts(20).replace("192.0.2.1", "192.0.2.2"));
    rig.stays_as_it_is("lower than 7");
}

#[test]
fn a_wrong_key_is_said() {
    let rig = Rig::new(shared(), Program::Bind, "wrongkey", "www A 192.0.2.1\n");
    let secret_is = |holder: Holder| {
        let patch = format!("{{\"stringData\":{{\"secret\":\"{}\"}}}}", holder.secret());
        let secret = ["patch", "secret", "legacy", "-n", &rig.namespace, "--type=merge", "-p", &patch];
        let done = rig.platform.cluster.kubectl(&secret);
        assert!(done.success, "{done:?}");
    };
    secret_is(Holder::Stranger);
    rig.migrate("backfill: {from: Transfer}");
    let message = rig.comes_to("LegacyReachable=False LegacyRefused");
    assert!(message.contains("BADSIG"), "{message}");
    // Corrected, it goes on by itself.
    secret_is(Holder::Mover);
    rig.comes_to("Backfilled=True Complete");
}
