//! unbound as a resolver that validates: with the key of a zone of ours as its only anchor it must find every answer
//! secure, and what is altered bogus.

use super::signing::{RECORDS, Signed, sign_all};
use super::{CASES, Case, PATIENCE, Says, absolute, denies};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use port53_tests::Zone;
use port53_tests::ask::{Question, Transport};
use port53_tests::ours::Ours;
use port53_tests::unbound::{Stub, Unbound};
use tempfile::TempDir;

/// Ours and who asks it.
struct Resolved {
    unbound: Unbound,
    _ours: Ours,
}

/// All zones and their children, each found by its stub; the children of a zone by what it says of them.
fn resolve(signed: &[Signed]) -> Resolved {
    let children: Vec<Zone<'_>> = signed.iter().flat_map(Signed::children).collect();
    let zones: Vec<Zone<'_>> = signed.iter().map(Signed::zone).chain(children.iter().copied()).collect();
    let ours = Ours::start(env!("CARGO_BIN_EXE_port53-tested"), &zones);
    let server = ours.address();
    let mut stubs = Vec::new();
    for zone in signed {
        let anchor = Some(format!("{} DNSKEY {}", zone.apex, zone.key().join(" ")));
        stubs.push(Stub { apex: &zone.apex, server, anchor });
    }
    stubs.extend(children.iter().map(|child| Stub { apex: child.apex, server, anchor: None }));
    Resolved { unbound: Unbound::start(&stubs), _ours: ours }
}

impl Resolved {
    fn ask(&self, name: &str, rtype: &str) -> Message {
        let question = Question::new(&format!("{name} {rtype}"), Some(4096)).with_dnssec_ok();
        question.ask(self.unbound.address(), Transport::Tcp, PATIENCE).expect("an answer")
    }

    /// What is wrong, if anything: `says`, and secure or not.
    fn check(&self, name: &str, rtype: &str, says: Says, is_secure: bool) -> Option<String> {
        let answer = self.ask(name, rtype);
        let expected = match says {
            Says::NameError => ResponseCode::NXDomain,
            Says::Records | Says::NoData => ResponseCode::NoError,
        };
        let has_records = answer.answers.iter().any(|record| match record.record_type() {
            RecordType::RRSIG => false,
            RecordType::CNAME | RecordType::DNAME => rtype == "CNAME",
            _ => true,
        });
        let metadata = &answer.metadata;
        let is_right = metadata.response_code == expected
            && metadata.authentic_data == is_secure
            && has_records == (says == Says::Records);
        (!is_right).then(|| format!("{name} {rtype}, secure: {is_secure}:\n{answer}"))
    }
}

/// Chains whose end is not there.
const ALIASES: [Case; 2] = [denies("gone", "A", Says::NameError), denies("x.zz", "A", Says::NameError)];

#[test]
fn unbound_finds_every_proof_right() {
    let dir = TempDir::new().expect("a temporary directory");
    let signed = sign_all(dir.path(), RECORDS);
    let resolved = resolve(&signed);
    let mut wrong = Vec::new();
    for Signed { apex, .. } in &signed {
        let is_opt_out = apex.contains("opt-out");
        for Case { name, rtype, says, denies } in CASES.iter().chain(&ALIASES) {
            wrong.extend(resolved.check(&absolute(name, apex), rtype, *says, !(*denies && is_opt_out)));
        }
        // Delegations: by the DS, which is secure, to what is signed below; and by the proof that there is none.
        wrong.extend(resolved.check(&format!("www.kid.{apex}"), "A", Says::Records, true));
        wrong.extend(resolved.check(&format!("www.bare.{apex}"), "A", Says::Records, false));
        // Opted out, where ldns gives it an NSEC3 all the same.
        wrong.extend(resolved.check(
            &format!("bare.{apex}"),
            "DS",
            Says::NoData,
            apex != "bind-opt-out.signed.",
        ));
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), resolved.unbound.output());
}

/// So the test above says something.
#[test]
fn unbound_finds_what_is_altered_bogus() {
    let dir = TempDir::new().expect("a temporary directory");
    let signed: Vec<Signed> = sign_all(dir.path(), RECORDS).into_iter().map(Signed::altered).collect();
    let resolved = resolve(&signed);
    let mut wrong = Vec::new();
    for Signed { apex, .. } in &signed {
        wrong.extend(resolved.check(&format!("mail.{apex}"), "AAAA", Says::Records, true));
        for (name, rtype) in [
            ("mail", "A"),
            ("mail", "TXT"),
            ("b.c", "A"),
            ("nothing", "A"),
            ("x.wild", "TXT"),
            ("x.wild", "MX"),
            ("www.bare", "A"),
        ] {
            let answer = resolved.ask(&absolute(name, apex), rtype);
            if answer.metadata.response_code != ResponseCode::ServFail {
                wrong.push(format!("{}: not bogus:\n{answer}", absolute(name, apex)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), resolved.unbound.output());
}
