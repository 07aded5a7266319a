//! What legacy says and nobody should believe: "never applied in part, guarded like any removal, said in the condition with
//! what was seen; our zone stays as it is".

use crate::rig::{NAME, Rig, zone_text};
use crate::shared;
use port53_tests::legacy::Holder;
use port53_tests::liar::{self, Then};
use port53_tests::peer::Program;
use port53_tests::{Zone, migration, read};
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::{RRset, Record, Rtype, Soa, name};
use std::net::SocketAddr;
use std::sync::Arc;

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

/// A zone as a legacy server could have it.
fn zone(domain: &str, serial: u32, records: &str) -> (Soa, Vec<RRset>) {
    read::read("zone", zone_text(domain, serial, records).as_bytes(), domain, None).rrsets()
}

fn image((soa, rrsets): (Soa, Vec<RRset>), domain: &str) -> Arc<Image> {
    let apex = name::parse_absolute(domain).expect("a name");
    let content = Content::build(apex, [53; 16], rrsets.into_iter().map(|rrset| (rrset, None)));
    Arc::new(Image::new(content.expect("a content"), soa))
}

/// What is given to who asks for a transfer: messages.
type Transfer = dyn Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync;

/// Has this serial, and gives this transfer; the rest it has a real server say.
fn lies(
    truth: SocketAddr,
    then: Then,
    soa: Soa,
    transfer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    liar::listen_signing(then, move |query| match liar::asked_for(query) {
        Some(Rtype::SOA) => vec![liar::respond(query, &[liar::soa_of(query, &soa)])],
        Some(Rtype::AXFR | Rtype::IXFR) => transfer(query),
        _ => vec![liar::pass_on(truth, query)],
    })
}

impl Rig<'_> {
    /// What stands here: each object with its UID and how often its spec changed, and the serial.
    fn what_is_here(&self) -> (String, String) {
        let each = "{range .items[*]}{.metadata.name} {.metadata.uid} {.metadata.generation}{'\\n'}{end}";
        let arguments = ["get", "dnsrecords", "-n", &self.namespace, "-o", &format!("jsonpath={each}")];
        let objects = self.platform.cluster.kubectl(&arguments);
        assert!(objects.success, "{objects:?}");
        let head = self.platform.head(&self.domain).expect("a head");
        (objects.stdout, head["spec"]["serial"].to_string())
    }
}

/// "Stalls mid-transfer, sends half a zone, … an empty zone, another zone, … a hundred-fold larger zone than before: never
/// applied in part, guarded like any removal, said in the condition with what was seen; our zone stays as it is."
#[test]
fn a_legacy_that_lies_changes_nothing_here_and_what_was_seen_is_said() {
    let rig = Rig::new(shared(), Program::Bind, "liars", &hosts(20));
    rig.migrate(ASYNC);
    rig.comes_to("InSync=True Equal");
    let (domain, truth) = (rig.domain.clone(), rig.legacy.address());
    let before = rig.what_is_here();
    assert_eq!(before.0.lines().count(), 20, "{before:?}");
    let (soa, _) = zone(&domain, 100, "");
    let lies = |then, transfer: Box<Transfer>| lies(truth, then, soa.clone(), transfer);
    // What all of it would change: each name has another address.
    let changed = hosts(20).replace("192.0.2.1", "192.0.2.99");
    let half = |then| {
        let image = image(zone(&domain, 100, &changed), &domain);
        let cut = move |query: &[u8]| {
            let mut messages = liar::whole(query, &image, 150);
            assert!(messages.len() > 2, "several messages");
            messages.truncate(2);
            messages
        };
        lies(then, Box::new(cut))
    };
    let whole = |records: &str| {
        let image = image(zone(&domain, 100, records), &domain);
        lies(Then::Closes, Box::new(move |query: &[u8]| liar::whole(query, &image, 16_000)))
    };
    let of_another_zone = || {
        let soa = soa.clone();
        let (_, others) = zone("somebody.else.example", 100, &hosts(20));
        let transfer = move |query: &[u8]| {
            let soa = [liar::soa_of(query, &soa)];
            let records: Vec<Record> = others.iter().flat_map(RRset::records).collect();
            vec![liar::respond(query, &[&soa[..], &records, &soa].concat())]
        };
        lies(Then::Closes, Box::new(transfer))
    };
    for (what, liar, expected, words) in [
        ("half of it", half(Then::Closes), "LegacyReachable=False Unreachable", "the transfer ended after"),
        (
            "nothing more",
            half(Then::IsSilent),
            "LegacyReachable=False Unreachable",
            "the transfer stopped after",
        ),
        (
            "another zone",
            of_another_zone(),
            "LegacyReachable=False LegacyImplausible",
            "somebody.else.example",
        ),
        (
            "an empty zone",
            whole(""),
            "InSync=Unknown LegacyImplausible",
            "it has 1 RRsets with serial 100, and had 21",
        ),
        (
            "a hundred-fold larger zone",
            whole(&hosts(2200)),
            "InSync=Unknown LegacyImplausible",
            "it has 2201 RRsets with serial 100, more than 100 times the 21",
        ),
    ] {
        let more =
            format!("compare: {{poll: 1s}}, parent: {{addresses: ['127.0.0.1:1'], poll: 1s}}, {ASYNC}");
        rig.platform.apply(&migration::migration(&rig.namespace, NAME, liar, &more));
        let message = rig.comes_to(expected);
        assert!(message.contains(words), "{what}: {message}");
        for host in ["h0", "h7", "h19"] {
            rig.platform.say(&format!("{host}.{domain} A"), "NoError 192.0.2.1");
        }
        assert_eq!(rig.what_is_here(), before, "{what}");
        // It tells the truth again.
        rig.migrate(ASYNC);
        rig.comes_to("InSync=True Equal");
        rig.comes_to("LegacyReachable=True Answered");
        assert_eq!(rig.what_is_here(), before, "{what}, and then the truth");
    }
}
