//! Changes of one name by UPDATE (RFC 2136), what the server says, and what it did.

use crate::{APEX, No, TEXT, apex, at, no, owner, rrset, server, start, transfer, wait, who_may_not, wrong};
use domain::base::iana::Rcode;
use port53_legacy::{Outcome, Prerequisite, Server, Trouble, Update, Wrong};
use port53_secondaries::tsig::TsigError;
use port53_tests::legacy::{Holder, Legacy};
use port53_tests::peer::Program;
use port53_zone::{RRset, Rtype, name};

/// Those that take updates.
const PROGRAMS: [Program; 3] = [Program::Bind, Program::Knot, Program::PowerDns];

fn update(name: &str, prerequisites: Vec<Prerequisite>, removed: &[Rtype], put: Vec<RRset>) -> Update {
    Update { name: owner(name), prerequisites, removed: removed.to_vec(), put }
}

fn send(server: &Server, update: &Update) -> Result<(), Trouble> {
    wait(server.update(&apex(), update))
}

fn held(server: &Server, name: &str, rtype: Rtype) -> Option<RRset> {
    transfer(server).content.get(&owner(name), rtype)
}

fn answered(server: &Server, name: &str, rtype: Rtype) -> Result<Option<RRset>, Trouble> {
    wait(server.rrset(&apex(), &owner(name), rtype))
}

fn holds(server: &Server, prerequisite: Prerequisite) -> bool {
    wait(server.holds(&apex(), &[prerequisite])).expect("a yes or a no")
}

/// But for the case of names, which PowerDNS and Knot do not keep.
#[track_caller]
fn assert_same_set(got: Option<RRset>, expected: Option<&RRset>, what: &str) {
    let is_same = match (&got, expected) {
        (Some(got), Some(expected)) => got.says_the_same_as(expected),
        (got, expected) => got.is_none() && expected.is_none(),
    };
    assert!(is_same, "{what}: {got:?} and not {expected:?}");
}

/// RFC 2136 §2.5: an RRset comes, is replaced, another takes its place, and it goes. Read back by an answer, by
/// prerequisites, and by a transfer.
fn each_kind_of_change(program: Program) {
    let legacy = start(program, TEXT);
    let server = server(&legacy, Holder::Mover);
    let serial = wait(server.soa(&apex())).expect("a SOA").serial;
    let first = rrset("new", Rtype::A, 60, &["192.0.2.10", "192.0.2.11"]);
    let second = rrset("new", Rtype::A, 120, &["192.0.2.12"]);
    let alias = rrset("new", Rtype::CNAME, 60, &["www.move.example."]);
    let is_not = |name: &str, rtype| Prerequisite::IsNot { name: owner(name), rtype };

    let steps = [
        (
            "comes",
            update("new", vec![Prerequisite::NotInUse(owner("new"))], &[], vec![first.clone()]),
            Some(&first),
        ),
        (
            "changes",
            update("new", vec![Prerequisite::Is(first.clone())], &[], vec![second.clone()]),
            Some(&second),
        ),
        (
            "is an alias now",
            update("new", vec![Prerequisite::Is(second.clone())], &[Rtype::A], vec![alias.clone()]),
            None,
        ),
        (
            "is none any more",
            update("new", vec![Prerequisite::Is(alias.clone())], &[Rtype::CNAME], vec![first.clone()]),
            Some(&first),
        ),
        ("goes", update("new", vec![Prerequisite::InUse(owner("new"))], &[Rtype::A], vec![]), None),
    ];
    for (what, update, expected) in steps {
        send(&server, &update)
            .unwrap_or_else(|trouble| panic!("{program}, it {what}: {trouble}; {}", legacy.output()));
        assert_same_set(held(&server, "new", Rtype::A), expected, &format!("{program}, it {what}"));
        let is_alias = what == "is an alias now";
        assert_same_set(
            held(&server, "new", Rtype::CNAME),
            is_alias.then_some(&alias),
            &format!("{program}, it {what}"),
        );
        match answered(&server, "new", Rtype::A) {
            Ok(found) => assert_same_set(found, expected, &format!("{program}, it {what}")),
            Err(trouble) if is_alias => {
                assert!(matches!(wrong(Err::<(), _>(trouble)), Wrong::Alias(_)), "{program}");
                let found = answered(&server, "new", Rtype::CNAME).expect("an answer");
                assert_same_set(found, Some(&alias), &format!("{program}, it {what}"));
            }
            Err(trouble) => panic!("{program}, it {what}: {trouble}"),
        }
        let asked = expected.map_or(is_not("new", Rtype::A), |rrset| Prerequisite::Is(rrset.clone()));
        assert!(holds(&server, asked), "{program}, it {what}");
    }
    assert_eq!(answered(&server, "new", Rtype::A).expect("an answer"), None);
    assert!(holds(&server, Prerequisite::NotInUse(owner("new"))));
    assert!(wait(server.soa(&apex())).expect("a SOA").serial > serial, "{program}");

    // Of a type that nobody knows, at the apex and below a wildcard.
    for rrset in [
        rrset("@", Rtype::from_int(65281), 60, &["\\# 2 0A0B"]),
        rrset("@", Rtype::MX, 60, &["20 mail2.move.example.", "30 mail3.move.example."]),
        rrset("*.deep.wild", Rtype::TXT, 60, &["text with spaces", "a \"quoted\" one; and more"]),
    ] {
        let label = if rrset.name == apex() { "@" } else { "*.deep.wild" };
        let sent = send(&server, &update(label, vec![], &[], vec![rrset.clone()]));
        if program == Program::PowerDns && rrset.rtype == Rtype::from_int(65281) {
            // It takes such types from files, and not by updates.
            assert_eq!(no(sent), (Outcome::Final, No::Rcode(Rcode::FORMERR)));
            continue;
        }
        sent.expect("done");
        assert_same_set(held(&server, label, rrset.rtype), Some(&rrset), &program.to_string());
    }
}

#[test]
fn each_kind_of_change_in_bind() {
    each_kind_of_change(Program::Bind);
}

#[test]
fn each_kind_of_change_in_knot() {
    each_kind_of_change(Program::Knot);
}

#[test]
fn each_kind_of_change_in_powerdns() {
    each_kind_of_change(Program::PowerDns);
}

/// RFC 2136 §3.2: a prerequisite that does not hold is a final no with its rcode, and nothing is changed.
fn prerequisites(program: Program) {
    let legacy = start(program, TEXT);
    let server = server(&legacy, Holder::Mover);
    let before = transfer(&server);
    let www = || owner("www");
    let is_not = || Prerequisite::IsNot { name: www(), rtype: Rtype::A };
    let is_there = |rtype| Prerequisite::IsThere { name: www(), rtype };
    let is = |values: &[&str]| Prerequisite::Is(rrset("www", Rtype::A, 9, values));
    for (prerequisite, expected) in [
        (is(&["192.0.2.99"]), Rcode::NXRRSET),
        (is(&["192.0.2.2", "192.0.2.99"]), Rcode::NXRRSET),
        (is_there(Rtype::MX), Rcode::NXRRSET),
        (is_not(), Rcode::YXRRSET),
        (Prerequisite::NotInUse(www()), Rcode::YXDOMAIN),
        (Prerequisite::InUse(owner("nobody")), Rcode::NXDOMAIN),
    ] {
        let put = rrset("www", Rtype::A, 60, &["192.0.2.66"]);
        let trouble =
            send(&server, &update("www", vec![prerequisite.clone()], &[], vec![put])).expect_err("a no");
        assert_eq!(
            (trouble.rcode(), trouble.outcome()),
            (Some(expected), Outcome::Final),
            "{program}: {trouble}"
        );
        assert!(matches!(trouble.wrong(), Some(Wrong::Prerequisite(_))), "{program}: {trouble}");
        assert!(!holds(&server, prerequisite), "{program}");
    }
    // TTLs do not count (RFC 2136 §3.2.3), nor does the case of names (RFC 4343).
    for prerequisite in [is(&["192.0.2.2"]), is_there(Rtype::A), Prerequisite::InUse(owner("WWW"))] {
        assert!(holds(&server, prerequisite), "{program}");
    }
    let after = transfer(&server);
    assert_eq!(
        (before.soa.serial, before.content.digest()),
        (after.soa.serial, after.content.digest()),
        "{program}"
    );
}

#[test]
fn prerequisites_in_bind() {
    prerequisites(Program::Bind);
}

#[test]
fn prerequisites_in_knot() {
    prerequisites(Program::Knot);
}

#[test]
fn prerequisites_in_powerdns() {
    prerequisites(Program::PowerDns);
}

/// RFC 2136 §3.4.2.2 and §3.4.2.4: what is ignored without a word. NOERROR is said, and only reading back shows it.
#[test]
fn rfc2136_3_4_2_what_is_ignored_without_a_word() {
    for program in PROGRAMS {
        let legacy = start(program, TEXT);
        let server = server(&legacy, Holder::Mover);
        let before = transfer(&server);
        let alias = rrset("www", Rtype::CNAME, 60, &["mail.move.example."]);
        let beside = rrset("alias", Rtype::TXT, 60, &["beside a CNAME"]);
        let tries = [
            ("a CNAME beside data", update("www", vec![], &[], vec![alias])),
            ("data beside a CNAME", update("alias", vec![], &[], vec![beside])),
            ("the SOA goes", update("@", vec![], &[Rtype::SOA], vec![])),
            ("all NS of the apex go", update("@", vec![], &[Rtype::NS], vec![])),
        ];
        for (what, change) in tries {
            let said = send(&server, &change);
            let after = transfer(&server);
            let is_as_before = before.content.digest() == after.content.digest();
            // PowerDNS says REFUSED or the like where others say nothing; none does it.
            println!("{program}, {what}: {said:?}, as before: {is_as_before}");
            assert!(is_as_before, "{program}, {what}: {said:?}");
            if program != Program::PowerDns {
                said.unwrap_or_else(|trouble| panic!("{program}, {what}: {trouble}"));
            }
        }
        assert!(holds(&server, Prerequisite::IsNot { name: owner("www"), rtype: Rtype::CNAME }));
        assert_eq!(answered(&server, "www", Rtype::CNAME).expect("an answer"), None);
    }
}

/// What is answered may come from elsewhere: a wildcard, an alias, below a cut. What is held is told by prerequisites.
#[test]
fn what_is_answered_is_not_what_is_held() {
    for program in PROGRAMS {
        let legacy = start(program, TEXT);
        let server = server(&legacy, Holder::Mover);
        let made = answered(&server, "any.wild", Rtype::TXT).expect("an answer").expect("from the wildcard");
        assert_eq!(made, rrset("any.wild", Rtype::TXT, 60, &["anything"]), "{program}");
        assert!(!holds(&server, Prerequisite::Is(made)), "{program}");

        let alias = wrong(answered(&server, "alias", Rtype::A));
        assert!(
            matches!(&alias, Wrong::Alias(name) if name.eq_ignore_ascii_case("alias.move.example.")),
            "{alias:?}"
        );
        let glue = rrset("ns.sub", Rtype::A, 60, &["192.0.2.5"]);
        let cut = wrong(answered(&server, "ns.sub", Rtype::A));
        assert!(
            matches!(&cut, Wrong::Delegated(name) if name.eq_ignore_ascii_case("sub.move.example.")),
            "{cut:?}"
        );
        assert!(holds(&server, Prerequisite::Is(glue)), "{program}");

        // An empty non-terminal, a name that is not, a type that is not.
        for (name, rtype) in [("b.c.d", Rtype::A), ("nobody", Rtype::A), ("www", Rtype::MX)] {
            assert_eq!(answered(&server, name, rtype).expect("an answer"), None, "{program}, {name}");
        }
    }
}

/// Who may not change anything is told so, and nothing is changed; what is about the key is passing.
#[test]
fn who_may_not_update_is_told_why() {
    for program in PROGRAMS {
        let legacy = start(program, TEXT);
        let before = transfer(&server(&legacy, Holder::Mover));
        let change = update("www", vec![], &[Rtype::A], vec![]);
        let said = who_may_not().map(|key| no(send(&at(legacy.address(), key), &change)));
        let tsig = |error| (Outcome::Passing, No::Tsig(error));
        let refused = (Outcome::Final, No::Rcode(Rcode::REFUSED));
        let unsigned = (Outcome::Passing, No::Unsigned(Rcode::REFUSED));
        let [bad_sig, bad_key] = [tsig(TsigError::BadSig), tsig(TsigError::BadKey)];
        let expected = match program {
            Program::Knot => [bad_sig, bad_key, bad_key, (Outcome::Passing, No::Rcode(Rcode::NOTAUTH))],
            // It says no word of the signature, and does not sign that.
            Program::PowerDns => [unsigned, unsigned, refused, refused],
            _ => [bad_sig, bad_key, refused, refused],
        };
        assert_eq!(said, expected, "{program}");
        assert_eq!(
            transfer(&server(&legacy, Holder::Mover)).content.digest(),
            before.content.digest(),
            "{program}"
        );
    }
}

/// NSD takes no updates, and says so.
#[test]
fn nsd_takes_no_updates() {
    let legacy = start(Program::Nsd, TEXT);
    let server = server(&legacy, Holder::Mover);
    let trouble = send(&server, &update("www", vec![], &[Rtype::A], vec![])).expect_err("a no");
    assert_eq!(trouble.outcome(), Outcome::Final, "{trouble:?}");
    assert_eq!(trouble.rcode(), Some(Rcode::NOTIMP), "{trouble:?}");
}

/// RFC 2136 §3.1.1 and §3.4.1.2: another zone, and a name that is not in it.
#[test]
fn an_update_of_another_zone_is_a_no() {
    for program in PROGRAMS {
        let legacy = start(program, TEXT);
        let server = server(&legacy, Holder::Mover);
        let other = name::parse_absolute("elsewhere.example").expect("a name");
        let change =
            Update { name: other.clone(), prerequisites: vec![], removed: vec![Rtype::A], put: vec![] };
        let trouble = wait(server.update(&other, &change)).expect_err("a no");
        assert!(matches!(trouble.rcode(), Some(Rcode::NOTAUTH | Rcode::REFUSED)), "{program}: {trouble:?}");
        assert_ne!(trouble.outcome(), Outcome::Unknown, "{program}: {trouble:?}");
        let unsayable = wait(server.update(&apex(), &change)).expect_err("a no");
        assert!(matches!(unsayable, Trouble::Unsayable(_)), "{unsayable:?}");
    }
}

/// What is changed is still there after an outage.
#[test]
fn a_change_outlives_the_server() {
    for program in PROGRAMS {
        let mut legacy: Legacy = start(program, TEXT);
        let server = server(&legacy, Holder::Mover);
        let new = rrset("new", Rtype::A, 60, &["192.0.2.10"]);
        send(&server, &update("new", vec![], &[], vec![new.clone()])).expect("done");
        legacy.change(APEX, "update add admin.move.example. 60 TXT admin");
        legacy.stop();
        let gone = send(&server, &update("new", vec![], &[Rtype::A], vec![])).expect_err("it is gone");
        assert_eq!(gone.outcome(), Outcome::Passing, "{gone}");
        assert!(matches!(&gone, Trouble::Unreachable(attempts) if attempts.len() == 1), "{gone:?}");
        legacy.start_again();
        assert_eq!(held(&server, "new", Rtype::A), Some(new), "{program}");
        assert_eq!(
            held(&server, "admin", Rtype::TXT),
            Some(rrset("admin", Rtype::TXT, 60, &["admin"])),
            "{program}"
        );
    }
}
