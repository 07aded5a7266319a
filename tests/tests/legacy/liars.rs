//! A server that lies, and therefore is one of the tests' own: what it says is an error, and never a part of a zone.

use crate::{SALT, TEXT, apex, owner, rrset, wait};
use port53_legacy::{Limits, Outcome, Over, Server, Trouble, Update, Version, Wrong};
use port53_secondaries::now;
use port53_secondaries::tsig::Flaw;
use port53_tests::legacy::Holder;
use port53_tests::liar::{Then, listen, unsign, whole};
use port53_tests::read;
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::{Rtype, Soa};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

fn image(serial: u32) -> Image {
    let (soa, rrsets) = read::read("zone", TEXT.as_bytes(), crate::APEX, None).rrsets();
    let content =
        Content::build(apex(), SALT, rrsets.into_iter().map(|rrset| (rrset, None))).expect("a content");
    Image::new(content, Soa { serial, ..soa })
}

/// The zone as an honest server sends it, in small messages.
fn honest(query: &[u8]) -> Vec<Vec<u8>> {
    let messages = whole(query, &Arc::new(image(7)), 150);
    assert!(messages.len() > 4, "several messages");
    messages
}

fn at(address: SocketAddr) -> Server {
    Server::new(vec![address], None, Limits::default())
}

fn transfer_from(
    then: Then,
    says: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> Result<Version, Trouble> {
    let address = listen(then, move |query, _| says(query));
    wait(at(address).transfer(&apex(), SALT)).map(|transferred| transferred.version)
}

fn wrong_of(then: Then, says: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Wrong {
    crate::wrong(transfer_from(then, says))
}

/// That the tests below would see a zone if there was one.
#[test]
fn an_honest_one_is_believed() {
    let got = transfer_from(Then::IsSilent, honest).expect("a transfer");
    assert_eq!(got.content.digest(), image(7).content().digest());
}

#[test]
fn half_a_zone_is_none() {
    let half = |query: &[u8]| honest(query).into_iter().take(3).collect();
    assert!(matches!(wrong_of(Then::Closes, half), Wrong::Half(records) if records > 2));
    let stalling = listen(Then::IsSilent, move |query, _| half(query));
    let hurried = Limits { silence: Duration::from_millis(300), ..Limits::default() };
    let stalled = crate::wrong(wait(Server::new(vec![stalling], None, hurried).transfer(&apex(), SALT)));
    assert!(matches!(stalled, Wrong::Stalled { records, .. } if records > 2), "{stalled:?}");
    assert!(matches!(wrong_of(Then::Closes, |_| vec![]), Wrong::Closed(_)));
    // In the middle of a message.
    let cut = |query: &[u8]| {
        let mut messages = honest(query);
        let last = messages.last_mut().expect("a message");
        last.truncate(20);
        messages
    };
    assert!(matches!(wrong_of(Then::Closes, cut), Wrong::Malformed(_)));
}

/// A transfer that never ends is ended: by time, by octets, by records.
#[test]
fn a_transfer_that_never_ends_is_ended() {
    let endless = |query: &[u8]| {
        let messages = honest(query);
        let body = messages[1].clone();
        [messages[..1].to_vec(), vec![body; 5000]].concat()
    };
    let with = |limits: Limits| {
        let address = listen(Then::IsSilent, move |query, _| endless(query));
        crate::wrong(wait(Server::new(vec![address], None, limits).transfer(&apex(), SALT)))
    };
    let limits = Limits::default();
    assert!(matches!(with(Limits { records: 1000, ..limits.clone() }), Wrong::TooManyRecords(1000)));
    assert!(matches!(with(Limits { octets: 100_000, ..limits.clone() }), Wrong::TooManyOctets(100_000)));
    let slow = with(Limits { whole: Duration::from_millis(700), silence: Duration::from_secs(60), ..limits });
    assert!(matches!(slow, Wrong::Slow { .. }), "{slow:?}");
}

#[test]
fn another_id_question_or_zone_is_no_answer() {
    let changed = |change: fn(&mut Vec<u8>)| {
        wrong_of(Then::Closes, move |query| {
            let mut messages = honest(query);
            messages.iter_mut().for_each(change);
            messages
        })
    };
    assert!(matches!(
        changed(|message| message[0] ^= 0x80),
        Wrong::Malformed("it has another ID than the query")
    ));
    assert!(matches!(changed(|message| message[2] |= 0x02), Wrong::Malformed(_)), "truncated");
    assert!(matches!(changed(|message| message[2] &= 0x7f), Wrong::Malformed(_)), "a query");
    // "Move" becomes "Nove" in the question, which the owners point to.
    assert!(matches!(
        changed(|message| message[13] = b'N'),
        Wrong::Malformed("it is about another question")
    ));
    // A later message of another transfer.
    let mixed = wrong_of(Then::Closes, |query| {
        let mut messages = honest(query);
        messages[2][1] ^= 1;
        messages
    });
    assert!(matches!(mixed, Wrong::Malformed(_)));
}

/// Differences to a version older than the one that is held, and an empty zone.
#[test]
fn older_and_empty_zones() {
    let held = Version { soa: image(9).soa().clone(), content: image(9).content().clone() };
    let older = listen(Then::Closes, |query, _| honest(query));
    let wrong = crate::wrong(wait(at(older).transfer_since(&held)));
    assert!(matches!(wrong, Wrong::Older { offered: 7, held: 9 }), "{wrong:?}");

    // A zone of a SOA alone is one: whether to believe it is for who guards removals.
    let empty = transfer_from(Then::Closes, |query| {
        let soa = image(7).soa().clone();
        let nothing = Image::new(Content::empty(apex(), SALT), soa);
        whole(query, &Arc::new(nothing), 1000)
    });
    assert!(empty.expect("a transfer").content.is_empty());
}

/// RFC 8945 §5.3.1: signatures of a transfer that are missing, wrong or end too early.
#[test]
fn rfc8945_5_3_1_signatures_of_a_transfer() {
    let with = |then, change: fn(&mut Vec<Vec<u8>>)| {
        let address = listen(then, move |query, signer| {
            let signer = signer.expect("a signed query");
            let mut messages = honest(query);
            assert!(messages.iter_mut().all(|message| signer.sign(message, now())));
            change(&mut messages);
            messages
        });
        let server = Server::new(vec![address], Some(Holder::Mover.key()), Limits::default());
        wait(server.transfer(&apex(), SALT))
    };
    let got = with(Then::Closes, |_| ()).expect("a transfer");
    assert_eq!(got.version.content.digest(), image(7).content().digest());
    let wrong = |change| crate::wrong(with(Then::Closes, change));
    let first = wrong(|messages| unsign(&mut messages[0]));
    assert!(matches!(first, Wrong::Signature(Flaw::Unsigned)), "{first:?}");
    let last = wrong(|messages| messages.last_mut().into_iter().for_each(unsign));
    assert!(matches!(last, Wrong::Signature(Flaw::Unsigned)), "{last:?}");
    let left_out = wrong(|messages| drop(messages.remove(2)));
    assert!(matches!(left_out, Wrong::Signature(Flaw::WrongMac)), "{left_out:?}");
    let changed = wrong(|messages| messages[1][20] ^= 0x20);
    assert!(matches!(changed, Wrong::Signature(Flaw::WrongMac)), "{changed:?}");
}

/// An answer to an update whose signature is missing or wrong says nothing: it is not known whether it was done.
#[test]
fn an_unsigned_yes_to_an_update_is_none() {
    let put = vec![rrset("www", Rtype::A, 60, &["192.0.2.9"])];
    let change = Update { name: owner("www"), prerequisites: vec![], removed: vec![], put };
    let with = |answer: fn(&[u8]) -> Vec<u8>| {
        let address = listen(Then::Closes, move |query, _| vec![answer(query)]);
        let server = Server::new(vec![address], Some(Holder::Mover.key()), Limits::default());
        wait(server.update(&apex(), &change)).expect_err("no yes")
    };
    let yes = with(|query| vec![query[0], query[1], 0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(yes.wrong(), Some(Wrong::Signature(Flaw::Unsigned))), "{yes:?}");
    assert_eq!(yes.outcome(), Outcome::Unknown);
    let other = with(|query| vec![query[0] ^ 1, query[1], 0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(other.outcome(), Outcome::Unknown, "{other:?}");
    // Whoever does not sign may not have taken our signature; what it cannot do at all is final.
    for (answer, expected) in [
        ((|query| [query[0], query[1], 0xa8, 5].to_vec()) as fn(&[u8]) -> Vec<u8>, Outcome::Passing),
        (|query| [query[0], query[1], 0xa8, 2].to_vec(), Outcome::Passing),
        (|query| [query[0], query[1], 0xa8, 4].to_vec(), Outcome::Final),
    ] {
        let address = listen(Then::Closes, move |query, _| vec![[answer(query), vec![0; 8]].concat()]);
        let server = Server::new(vec![address], Some(Holder::Mover.key()), Limits::default());
        let trouble = wait(server.update(&apex(), &change)).expect_err("no yes");
        assert_eq!(trouble.outcome(), expected, "{trouble:?}");
    }
}

/// Over UDP, what is no answer is as if it had not come.
#[test]
fn what_is_no_answer_over_udp_is_not_taken() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    thread::spawn(move || {
        let mut buffer = [0; 512];
        let (length, from) = socket.recv_from(&mut buffer).expect("a query");
        let query = &buffer[..length];
        let changed = |change: fn(&mut Vec<u8>)| {
            let mut answer = query.to_vec();
            answer[2] |= 0x84;
            change(&mut answer);
            answer
        };
        for answer in [
            changed(|answer| answer[0] ^= 1),
            changed(|answer| answer[2] &= 0x7f),
            changed(|answer| answer[13] ^= 1),
            changed(|answer| answer.truncate(5)),
            changed(|answer| answer[3] = 3),
        ] {
            socket.send_to(&answer, from).expect("sent");
        }
    });
    let answer = wait(at(address).ask(&owner("www"), Rtype::A, Over::Udp)).expect("an answer");
    assert_eq!(answer[3] & 0x0f, 3, "the last of them");
}
