//! What a legacy DNS says to a question that was forwarded: anything. It is judged; what is taken becomes a response
//! within its limits that can be read, and is the same as itself.
//!
//! An input is a message, tried as it is, and with the ID and the question that were sent in their places.

use port53_zone::answer::compare::{Compared, What, compare, compare_within, text};
use port53_zone::answer::forward::{Answer, Heard, Question};
use port53_zone::answer::{Asked, Settings, Transport};

const ID: u16 = 0x5353;
const HEADER: usize = 12;
/// With RD and CD, of `www.example. A`, with EDNS and DO.
const QUERY: &[u8] =
    b"\xab\xcd\x01\x10\0\x01\0\0\0\0\0\x01\x03www\x07example\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\x80\0\0\0";
const QUESTION: std::ops::Range<usize> = HEADER..HEADER + 17;

/// Runs one input.
///
/// # Panics
/// When what was taken does not hold.
pub fn run(input: &[u8]) {
    for transport in [Transport::Udp, Transport::Tcp] {
        let asked = Asked::new(transport, [192, 0, 2, 1].into(), 0);
        let question = Question::read(&Settings::default(), &asked, QUERY).expect("a question");
        check(&question, &asked, input);
        if let Some((head, rest)) = input.split_at_checked(HEADER) {
            let mut message = [head, &QUERY[QUESTION], rest].concat();
            message[..2].copy_from_slice(&ID.to_be_bytes());
            message[2] = message[2] & 0x07 | 0x80;
            message[4..6].copy_from_slice(&[0, 1]);
            check(&question, &asked, &message);
        }
    }
}

fn check(question: &Question, asked: &Asked, response: &[u8]) {
    for edns in [true, false] {
        if let Heard::Answer(answer) | Heard::Refused(answer) = question.hear(ID, edns, response) {
            taken(question, asked, &answer);
            taken(question, asked, &answer.aged(77, 30));
        }
    }
}

fn taken(question: &Question, asked: &Asked, answer: &Answer) {
    let mut out = vec![0; 65_535];
    let made = question.respond(&Settings::default(), asked, QUERY, answer, &mut out).expect("a response");
    let limit = if asked.transport == Transport::Udp { 1232 } else { 65_535 };
    assert!(made.len <= limit && made.forward.is_none());
    let out = &out[..made.len];
    assert_eq!((&out[..2], &out[QUESTION]), (&QUERY[..2], &QUERY[QUESTION]));
    assert_ne!(text(out, 4096), "not a message");
    let what = What { ttls: true, dnssec: true, soa: true };
    let apex = port53_zone::name::parse_absolute("example").expect("a name");
    let same = |message| [compare(message, message, what), compare_within(&apex, message, message, what)];
    for compared in same(answer.as_slice()) {
        match compared {
            Compared::Same | Compared::Unreadable => {}
            Compared::Truncated => assert!(answer.is_truncated()),
            Compared::Differs(differences) => panic!("it differs from itself: {differences:?}"),
        }
    }
}
