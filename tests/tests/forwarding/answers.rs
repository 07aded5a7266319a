//! What legacy says is what the client gets, whatever is asked, of zones made by chance and aimed at the corners.

use super::{count, image, resolver, to};
use hickory_proto::op::Message;
use hickory_proto::rr::Record;
use port53_tests::ask::{Question, Transport};
use port53_tests::differential::Served;
use port53_tests::generate::{Asked, Chance, Known, questions, zones};
use port53_tests::peer::{Peer, Program};
use port53_tests::{PATIENCE, Zone, eventually};

const SEED: u64 = 53;
const ZONES: usize = 12;
const QUESTIONS: usize = 60;

/// All of a response but its ID, OPT, and what no server without recursion can vouch for; records of a section in any
/// order, for BIND turns them, and in any case, for PowerDNS keeps answers to the same question in another.
fn said(message: &Message) -> impl PartialEq + std::fmt::Debug + use<> {
    let lines = |records: &[Record]| {
        let mut lines: Vec<String> = records.iter().map(|record| record.to_string().to_lowercase()).collect();
        lines.sort();
        lines
    };
    let metadata = &message.metadata;
    (
        metadata.response_code,
        (metadata.authoritative, metadata.truncation, metadata.recursion_desired),
        lines(&message.answers),
        lines(&message.authorities),
        lines(&message.additionals),
    )
}

fn question(asked: &Asked) -> (Question, Transport) {
    let question = Question::new(&format!("{} {}", asked.owner, asked.rtype), asked.payload);
    let question = if asked.dnssec_ok { question.with_dnssec_ok() } else { question };
    (question, if asked.is_tcp { Transport::Tcp } else { Transport::Udp })
}

#[test]
fn the_client_gets_what_legacy_says() {
    let mut chance = Chance::seeded(SEED);
    let made = zones("fw", ZONES, &mut chance);
    let served: Vec<Served> = made.iter().map(Served::from).collect();
    for program in Program::ALL {
        let loaded: Vec<&Served> = served.iter().filter(|zone| !zone.without.contains(&program)).collect();
        let zones: Vec<Zone<'_>> =
            loaded.iter().map(|zone| Zone { apex: &zone.apex, text: &zone.right }).collect();
        let legacy = Peer::start(program, &zones);
        let ours = loaded.iter().map(|zone| image(&zone.apex, &zone.right));
        let resolver = resolver(ours, &to(legacy.address()));
        let mut asked = 0;
        for zone in made.iter().filter(|zone| loaded.iter().any(|loaded| loaded.apex == zone.apex)) {
            for one in questions(&Known::from(zone), QUESTIONS, &mut chance) {
                let (question, transport) = question(&one);
                let ask = |server| question.ask(server, transport, PATIENCE);
                let theirs = ask(legacy.address()).unwrap_or_else(|error| panic!("{program}: {error}"));
                let forwarded = ask(resolver.address()).unwrap_or_else(|error| {
                    panic!("by way of {program}: {error}; it printed:\n{}", resolver.output())
                });
                asked += 1;
                let (theirs, forwarded) = (said(&theirs), said(&forwarded));
                assert_eq!(forwarded, theirs, "{question} over {transport}, {one:?}, by way of {program}");
            }
        }
        // A question may lead into a zone that is not loaded, which is refused here and there.
        let by_legacy = count(&resolver, "/answered/legacy");
        assert!(by_legacy > asked * 8 / 10, "{by_legacy} of {asked} by {program}");
        assert_eq!(count(&resolver, "/answered/port53") + count(&resolver, "/answered/last-known"), 0);
        // Both have the same zones, and aliases in them lead in circles and into zones beside them, which
        // `differential/exempt.rs` explains. What is ordinary is compared below.
        let compared = || {
            let parts = ["/compared/same", "/compared/differing"].map(|path| count(&resolver, path));
            let why = ["full", "truncated", "not-complete", "apex-ns", "apex-soa", "any", "unreadable"];
            let not: u64 = why.iter().map(|why| count(&resolver, &format!("/notCompared/{why}"))).sum();
            (parts, not)
        };
        eventually("all are compared", || {
            let ([same, differing], not) = compared();
            if same + differing + not == by_legacy {
                Ok(())
            } else {
                Err(format!("{same} {differing} {not}"))
            }
        });
        let ([same, differing], not) = compared();
        println!(
            "{program}: asked {asked}, forwarded {by_legacy}, same {same}, differing {differing}, not {not}"
        );
        assert!(differing * 4 < same, "{program}: {}", resolver.get("/forwarding"));
        assert_eq!(count(&resolver, "/notCompared/unreadable") + count(&resolver, "/notCompared/full"), 0);
    }
}

const ORDINARY: &str = "\
@ 300 IN SOA ns1.plain.test. host.plain.test. 7 3600 600 604800 300
@ 300 IN NS ns1.plain.test.
@ 300 IN NS ns2.plain.test.
@ 300 IN MX 10 mail.plain.test.
@ 300 IN MX 20 mail.elsewhere.test.
@ 300 IN TXT \"v=spf1 -all\"
@ 300 IN CAA 0 issue \"ca.example\"
ns1 300 IN A 192.0.2.53
ns2 300 IN A 192.0.2.54
ns2 300 IN AAAA 2001:db8::54
mail 300 IN A 192.0.2.25
www 60 IN A 192.0.2.1
www 60 IN A 192.0.2.2
www 60 IN A 192.0.2.3
alias 300 IN CNAME www.plain.test.
twice 300 IN CNAME alias.plain.test.
out 300 IN CNAME www.elsewhere.test.
nowhere 300 IN CNAME missing.plain.test.
*.wild 300 IN A 192.0.2.9
a.b.c 300 IN TXT \"deep\"
_sip._tcp 300 IN SRV 1 2 5060 mail.plain.test.
child 300 IN NS ns.child.plain.test.
child 300 IN NS ns1.plain.test.
ns.child 300 IN A 192.0.2.77
";

/// What people have: an answer of legacy and ours are the same, whoever legacy is, over either transport.
#[test]
fn what_is_ordinary_is_the_same_everywhere() {
    let text = ORDINARY.replace('@', "plain.test.");
    let text = format!("$ORIGIN plain.test.\n{text}");
    let names = [
        "@",
        "ns1",
        "ns2",
        "mail",
        "www",
        "alias",
        "twice",
        "out",
        "nowhere",
        "x.wild",
        "wild",
        "missing",
        "b.c",
        "a.b.c",
        "_sip._tcp",
        "child",
        "x.child",
        "ns.child",
    ];
    let types = ["A", "AAAA", "MX", "TXT", "SRV", "SOA", "CAA", "DS"];
    for program in Program::ALL {
        let legacy = Peer::start(program, &[Zone { apex: "plain.test.", text: &text }]);
        let resolver = resolver([image("plain.test.", &text)], &to(legacy.address()));
        let mut asked = 0;
        for name in names {
            let name = if name == "@" { "plain.test.".to_owned() } else { format!("{name}.plain.test.") };
            for rtype in types {
                for (payload, transport) in
                    [(None, Transport::Udp), (Some(1232), Transport::Udp), (Some(1232), Transport::Tcp)]
                {
                    let question = Question::new(&format!("{name} {rtype}"), payload);
                    question.ask(resolver.address(), transport, PATIENCE).expect("an answer");
                    asked += 1;
                }
            }
        }
        eventually("all are compared", || match count(&resolver, "/compared/same") {
            same if same == asked => Ok(()),
            same => {
                Err(format!("{program}: {same} of {asked} are the same: {}", resolver.get("/forwarding")))
            }
        });
    }
}
