//! What comes is the zone as it was given to the server, whole and by what changed; and who may not have it is told why.

use crate::{
    APEX, No, SALT, TEXT, apex, assert_same, at, in_lower_case, large_text, lines, lines_of, no, owner,
    server, start, transfer, wait, who_may_not, wrong,
};
use domain::base::iana::Rcode;
use port53_legacy::{Note, Outcome, Over, Wrong};
use port53_secondaries::tsig::TsigError;
use port53_tests::Zone;
use port53_tests::legacy::{Holder, Legacy};
use port53_tests::peer::Program;
use port53_zone::transfer::Extent;
use port53_zone::{Rtype, name};

/// RFC 5936 from each of them. BIND keeps the case of names; the others do so in some places.
fn whole(program: Program) {
    let text = large_text();
    let legacy = start(program, &text);
    let server = server(&legacy, Holder::Mover);
    let got = wait(server.transfer(&apex(), SALT)).expect("a transfer");
    let (lines, expected) = (lines(&got.version), lines_of(&text));
    assert_eq!(got.extent, Extent::Whole);
    assert_eq!(got.notes.kept, []);
    assert_same("in lower case", &in_lower_case(&lines), &in_lower_case(&expected));
    if program == Program::Bind {
        assert_same("in its case", &lines, &expected);
    }
    assert_eq!(wait(server.soa(&apex())).expect("a SOA"), got.version.soa);
}

#[test]
fn a_whole_zone_from_bind() {
    whole(Program::Bind);
}

#[test]
fn a_whole_zone_from_knot() {
    whole(Program::Knot);
}

#[test]
fn a_whole_zone_from_powerdns() {
    whole(Program::PowerDns);
}

#[test]
fn a_whole_zone_from_nsd() {
    whole(Program::Nsd);
}

/// RFC 2181 §5.2: PowerDNS lets TTLs differ within a set. The lowest counts, and it is said.
#[test]
fn rfc2181_5_2_ttls_that_differ_in_powerdns() {
    let text = TEXT.to_owned() + "mixed 90 A 192.0.2.7\nmixed 30 A 192.0.2.8\nmixed 60 A 192.0.2.9\n";
    let legacy = start(Program::PowerDns, &text);
    let got = wait(server(&legacy, Holder::Mover).transfer(&apex(), SALT)).expect("a transfer");
    assert_eq!(got.version.content.get(&owner("mixed"), Rtype::A).expect("it is there").ttl, 30);
    let [Note::Ttls { name, rtype: Rtype::A, .. }] = &got.notes.kept[..] else { panic!("{:?}", got.notes) };
    assert_eq!(name, &owner("mixed"));
}

/// RFC 1995: what changed, as the server tells it, is what the whole zone is then; and nothing is nothing.
fn since(program: Program, extent: Extent) {
    let legacy = start(program, TEXT);
    let server = server(&legacy, Holder::Mover);
    let mut held = transfer(&server);
    let unchanged = wait(server.transfer_since(&held)).expect("an answer");
    assert!(unchanged.is_none(), "{unchanged:?}");
    // One change, and several in a row.
    for changes in [1, 4] {
        for number in 0..changes {
            let set = format!(
                "update delete www.move.example. A\nupdate add www.move.example. 60 A 192.0.2.1{number}"
            );
            let new = format!("update add New{changes}{number}.move.example. 60 TXT \"{number}\"");
            legacy.change(APEX, &format!("{set}\n{new}"));
        }
        legacy.change(APEX, "update delete a.b.c.d.move.example.");
        let got = wait(server.transfer_since(&held)).expect("an answer").expect("changed");
        let whole = transfer(&server);
        assert_eq!(got.extent, extent);
        assert_same("differences", &in_lower_case(&lines(&got.version)), &in_lower_case(&lines(&whole)));
        assert_eq!(got.version.content.digest(), whole.content.digest());
        assert_eq!(got.version.soa, whole.soa);
        assert!(got.version.content.get(&owner("a.b.c.d"), Rtype::A).is_none());
        held = got.version;
        legacy.change(APEX, "update add a.b.c.d.move.example. 60 A 192.0.2.4");
    }
}

#[test]
fn differences_from_bind() {
    since(Program::Bind, Extent::Differences);
}

#[test]
fn differences_from_knot() {
    since(Program::Knot, Extent::Differences);
}

/// PowerDNS answers IXFR with the whole zone.
#[test]
fn differences_from_powerdns_are_the_whole() {
    since(Program::PowerDns, Extent::Whole);
}

/// NSD reads another master file and gives the whole zone.
#[test]
fn differences_from_nsd_are_the_whole() {
    let legacy = start(Program::Nsd, TEXT);
    let server = server(&legacy, Holder::Mover);
    let held = transfer(&server);
    let text = TEXT.replace("2026113001", "2026113002").replace("192.0.2.4", "192.0.2.44");
    legacy.rewrite(Zone { apex: APEX, text: &text }, || {
        let serial = wait(server.soa(&apex())).map_err(|trouble| trouble.to_string())?.serial;
        if serial == 2_026_113_002 { Ok(()) } else { Err(format!("serial {serial}")) }
    });
    let got = wait(server.transfer_since(&held)).expect("an answer").expect("changed");
    assert_eq!(got.extent, Extent::Whole);
    assert_same("whole", &in_lower_case(&lines(&got.version)), &in_lower_case(&lines_of(&text)));
    assert!(wait(server.transfer_since(&got.version)).expect("an answer").is_none());
}

/// An older serial than was seen before, as after a restore of the server's disk, changes nothing.
#[test]
fn an_older_serial_is_refused() {
    for program in [Program::Bind, Program::Knot, Program::Nsd] {
        let legacy = start(program, TEXT);
        let server = server(&legacy, Holder::Mover);
        let mut held = transfer(&server);
        held.soa.serial += 1;
        let wrong = wrong(wait(server.transfer_since(&held)));
        assert!(
            matches!(wrong, Wrong::Older { offered: 2_026_113_001, held: 2_026_113_002 }),
            "{program}: {wrong:?}"
        );
    }
}

/// RFC 8945 §5.2: a wrong secret, an unknown key, a key without rights and none, as each server answers them.
#[test]
fn rfc8945_5_2_who_may_not_is_told_why() {
    for program in Program::ALL {
        let legacy = start(program, TEXT);
        let said = who_may_not().map(|key| no(wait(at(legacy.address(), key).transfer(&apex(), SALT))));
        let tsig = |error| (Outcome::Passing, No::Tsig(error));
        let unsigned = |rcode| (Outcome::Passing, No::Unsigned(rcode));
        let refused = (Outcome::Final, No::Rcode(Rcode::REFUSED));
        let not_auth = (Outcome::Passing, No::Rcode(Rcode::NOTAUTH));
        let [bad_sig, bad_key] = [tsig(TsigError::BadSig), tsig(TsigError::BadKey)];
        let expected = match program {
            Program::Bind | Program::Nsd => [bad_sig, bad_key, refused, refused],
            // To Knot, a key without rights is none.
            Program::Knot => [bad_sig, bad_key, bad_key, not_auth],
            Program::PowerDns => {
                [unsigned(Rcode::NOTAUTH), unsigned(Rcode::NOTAUTH), unsigned(Rcode::NOTAUTH), not_auth]
            }
        };
        assert_eq!(said, expected, "{program}");
    }
}

/// A zone that the server does not have, and one below a zone that it has.
#[test]
fn another_zone_is_not_to_be_had() {
    for program in Program::ALL {
        let legacy = start(program, TEXT);
        let server = server(&legacy, Holder::Mover);
        for apex in ["elsewhere.example.", "www.move.example."] {
            let apex = name::parse_absolute(apex).expect("a name");
            let soa = wrong(wait(server.soa(&apex)));
            assert!(
                matches!(soa, Wrong::NotAuthoritative(_) | Wrong::AnotherZone(_) | Wrong::Refused { .. }),
                "{program}: {soa:?}"
            );
            let transfer = wrong(wait(server.transfer(&apex, SALT)));
            assert!(
                matches!(transfer, Wrong::Refused { .. } | Wrong::NotAuthoritative(_)),
                "{program}: {transfer:?}"
            );
        }
    }
}

/// Any question over both, with and without a key.
#[test]
fn questions_over_udp_and_tcp() {
    for program in Program::ALL {
        let legacy = start(program, TEXT);
        for key in [None, Some(Holder::Mover.key())] {
            let server = at(legacy.address(), key);
            for over in [Over::Udp, Over::Tcp] {
                let answer = wait(server.ask(&owner("www"), Rtype::A, over)).expect("an answer");
                assert_eq!((answer[3] & 0x0f, answer[7]), (0, 1), "{program} over {over:?}: {answer:02x?}");
            }
        }
    }
}

/// Two zones in one server are two zones.
#[test]
fn one_server_of_two_zones() {
    let other = "second.example.";
    let text = TEXT.replace("Move.example.", other);
    let zones = [Zone { apex: APEX, text: TEXT }, Zone { apex: other, text: &text }];
    let legacy = Legacy::start(Program::Bind, &zones);
    let apex = name::parse_absolute(other).expect("a name");
    let got = wait(server(&legacy, Holder::Mover).transfer(&apex, SALT)).expect("a transfer");
    assert!(got.version.content.iter().all(|(rrset, _)| rrset.name.ends_with(&apex)));
}
