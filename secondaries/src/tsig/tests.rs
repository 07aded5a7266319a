use super::*;

const NOW: u64 = 1_800_000_000;

fn keys() -> Keys {
    Keys::new([key("one.example"), key("two.example")])
}

fn key(name: &str) -> Key {
    Key::parse(name, "hmac-sha256:c2VjcmV0IG9mIGJvdGg=").expect("a key")
}

/// A query for `a.example A`.
fn query() -> Vec<u8> {
    let mut query = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(b"\x01a\x07example\0\0\x01\0\x01");
    query
}

fn signed(key: Key, time: u64) -> Vec<u8> {
    let mut query = query();
    let signer = Signer { time, ..Signer::of_query(Arc::new(key), time) };
    signer.finish(&mut query, 0, &[]);
    query
}

fn verify(message: &[u8], now: u64) -> Result<Verified, Vec<u8>> {
    match Asked::read(message) {
        Asked::Signed(tsig) => tsig.verify(&keys(), now),
        Asked::Unsigned => panic!("unsigned"),
        Asked::Malformed => panic!("malformed"),
    }
}

/// The RCODE of a response, the error in its TSIG, octets of its MAC and of its other data.
fn error_of(response: &[u8]) -> (u8, u16, usize, usize) {
    let Some(Ok(tsig)) = find_in_response(response) else { panic!("no TSIG in {response:02x?}") };
    assert_eq!(response[..2], [7, 8]);
    (response[3] & 0x0f, tsig.error, tsig.mac.len(), tsig.other.len())
}

#[test]
fn what_is_right_is_taken_and_answered_signed() {
    let message = signed(key("One.Example"), NOW - 300);
    let verified = verify(&message, NOW).unwrap_or_else(|response| panic!("{response:02x?}"));
    assert_eq!(verified.message, query());
    assert_eq!(verified.signer.key().name, b"\x03one\x07example\0");

    let Asked::Signed(sent) = Asked::read(&message) else { panic!("signed") };
    let client =
        Signer { before: prefixed(&sent.mac), ..Signer::of_query(Arc::new(key("one.example")), NOW) };
    let mut signer = verified.signer;
    let mut response = query();
    response[2] |= 0x80;
    let octets = signer.octets();
    let unsigned = response.len();
    signer.sign(&mut response, NOW);
    assert_eq!(response.len(), unsigned + octets);
    assert!(client.is_right(&response, NOW));
    assert!(!client.is_right(&response, NOW + 301));
    response[15] ^= 0x20;
    assert!(!client.is_right(&response, NOW), "changed on its way");
}

/// RFC 8945 §5.2.1: NOTAUTH and BADKEY, unsigned.
#[test]
fn rfc8945_5_2_1_an_unknown_key() {
    let response = verify(&signed(key("other.example"), NOW), NOW).err().expect("refused");
    assert_eq!(error_of(&response), (9, BADKEY, 0, 0));
    // The name is known, and of another algorithm.
    let other = Key::parse("one.example", "hmac-sha512:c2VjcmV0IG9mIGJvdGg=").expect("a key");
    let response = verify(&signed(other, NOW), NOW).err().expect("refused");
    assert_eq!(error_of(&response), (9, BADKEY, 0, 0));
}

/// RFC 8945 §5.2.2: NOTAUTH and BADSIG, unsigned.
#[test]
fn rfc8945_5_2_2_a_wrong_secret_and_a_changed_message() {
    let other = Key::parse("one.example", "hmac-sha256:b3RoZXI=").expect("a key");
    let response = verify(&signed(other, NOW), NOW).err().expect("refused");
    assert_eq!(error_of(&response), (9, BADSIG, 0, 0));
    let mut changed = signed(key("one.example"), NOW);
    changed[13] = b'b';
    assert_eq!(error_of(&verify(&changed, NOW).err().expect("refused")), (9, BADSIG, 0, 0));
}

/// RFC 8945 §5.2.3: NOTAUTH and BADTIME, signed, with the time of the client and ours.
#[test]
fn rfc8945_5_2_3_a_wrong_clock() {
    // A client that is stricter than we are sees its own fudge again.
    let mut strict = query();
    let signer = Signer { time: NOW - 31, fudge: 30, ..Signer::of_query(Arc::new(key("one.example")), NOW) };
    signer.finish(&mut strict, 0, &[]);
    let response = verify(&strict, NOW).err().expect("refused");
    assert_eq!(error_of(&response), (9, BADTIME, 32, 6));
    let Some(Ok(tsig)) = find_in_response(&response) else { panic!("no TSIG") };
    assert_eq!((tsig.time, tsig.fudge), (NOW - 31, 30));

    for time in [NOW - 301, NOW + 301] {
        let response = verify(&signed(key("one.example"), time), NOW).err().expect("refused");
        assert_eq!(error_of(&response), (9, BADTIME, 32, 6));
        let Some(Ok(tsig)) = find_in_response(&response) else { panic!("no TSIG") };
        assert_eq!((tsig.time, &tsig.other[..]), (time, &NOW.to_be_bytes()[2..]));
    }
}

/// RFC 8945 §5.2.2.1 and §5.2.4: a MAC that is shorter than it may be is malformed, one that is shorter than we
/// take is BADTRUNC.
#[test]
fn rfc8945_5_2_4_truncated_macs() {
    let cut = |octets: usize| {
        let Asked::Signed(tsig) = Asked::read(&signed(key("one.example"), NOW)) else { panic!("signed") };
        let mut message = query();
        let (name, algorithm) = (&tsig.key, &tsig.algorithm);
        append(&mut message, name, algorithm, NOW, FUDGE, &tsig.mac[..octets], [7, 8], 0, &[]);
        verify(&message, NOW).err()
    };
    assert_eq!(cut(32), None);
    assert_eq!(error_of(&cut(31).expect("refused")), (9, BADTRUNC, 32, 0));
    assert_eq!(error_of(&cut(16).expect("refused")), (9, BADTRUNC, 32, 0));
    let response = cut(15).expect("refused");
    assert_eq!((response[3] & 0x0f, response[10..12].to_vec()), (FORMERR, vec![0, 0]));
}

/// RFC 8945 §5.1: the TSIG is the last record, and there is one.
#[test]
fn rfc8945_5_1_a_tsig_out_of_place_is_malformed() {
    let message = signed(key("one.example"), NOW);
    let tsig = message[query().len()..].to_vec();
    let twice = [&message[..], &tsig].concat();
    let with_counts = |message: &[u8], counts: [u8; 3]| {
        let mut message = message.to_vec();
        (message[7], message[9], message[11]) = (counts[0], counts[1], counts[2]);
        message
    };
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    for (message, what) in [
        (with_counts(&twice, [0, 0, 2]), "two"),
        (with_counts(&[&message[..], &opt].concat(), [0, 0, 2]), "not the last"),
        (with_counts(&[&message[..], &opt].concat(), [1, 0, 1]), "an answer"),
    ] {
        assert!(matches!(Asked::read(&message), Asked::Malformed), "{what}");
    }
    let response = malformed(&message);
    assert_eq!(response[3] & 0x0f, FORMERR);
    for length in 0..message.len() {
        // What is cut off is for others to answer; here it only must not be signed.
        assert!(!matches!(Asked::read(&message[..length]), Asked::Signed(_)), "{length}");
    }
}

/// RFC 8945 §5.3.1: each message covers the MAC before it and, from the second on, the timers only; what came
/// unsigned between is covered by the next.
#[test]
fn rfc8945_5_3_1_messages_in_a_row() {
    let verified = verify(&signed(key("one.example"), NOW), NOW).unwrap_or_else(|_| panic!("right"));
    let key = verified.signer.key().clone();
    let mut signer = verified.signer;
    let request_mac = signer.before.clone();
    let mut row = [query(), query(), vec![0; MESSAGE], query()];
    assert!(row.iter_mut().all(|message| signer.sign(message, NOW + 1)));
    let mac_of = |message: &[u8]| {
        let Asked::Signed(tsig) = Asked::read(message) else { panic!("unsigned") };
        (tsig.mac, tsig.message)
    };
    let timers = [&(NOW + 1).to_be_bytes()[2..], &FUDGE.to_be_bytes()].concat();
    let all = variables(&key.name, key.algorithm.name(), NOW + 1, FUDGE, 0, &[]);
    let (first, message) = mac_of(&row[0]);
    assert_eq!(first, key.mac(&[&request_mac, &message, &all]));
    let (second, message) = mac_of(&row[1]);
    assert_eq!(second, key.mac(&[&prefixed(&first), &message, &timers]));
    assert_eq!(row[2].len(), MESSAGE, "no room");
    let (fourth, message) = mac_of(&row[3]);
    assert_eq!(fourth, key.mac(&[&prefixed(&second), &row[2], &message, &timers]));
}

/// RFC 8945 §5.3.1, from the other side: what one of ours signs in a row is taken, and nothing else.
#[test]
fn rfc8945_5_3_1_the_answers_in_a_row() {
    let asked = || {
        let mut message = query();
        let mut signer = Signer::of_query(Arc::new(key("one.example")), NOW);
        assert!(signer.sign(&mut message, NOW));
        let verified = verify(&message, NOW).unwrap_or_else(|_| panic!("right"));
        (Answers::to(&signer), verified.signer)
    };
    let answer = |number: u8| {
        let mut answer = query();
        (answer[2], answer[13]) = (0x84, number);
        answer
    };
    // More than a signature has room beside.
    let large = |number: u8| [&answer(number)[..], &vec![0; MESSAGE - 100]].concat();
    let row = || {
        let (answers, mut signer) = asked();
        let mut row = vec![answer(1), answer(2), large(3), large(4), answer(5)];
        assert!(row.iter_mut().all(|message| signer.sign(message, NOW)));
        (answers, row)
    };
    let (mut answers, messages) = row();
    assert!(!answers.may_end(), "nothing came");
    for (message, may_end) in messages.iter().zip([true, true, false, false, true]) {
        assert_eq!(answers.take(message, NOW), Ok(()));
        assert_eq!(answers.may_end(), may_end);
    }

    // One that is left out, twice there, in another place or changed is noticed at the next that is signed.
    let changes: [fn(&mut Vec<Vec<u8>>); 6] = [
        |row| drop(row.remove(1)),
        |row| drop(row.remove(2)),
        |row| row.swap(2, 3),
        |row| row.insert(3, row[2].clone()),
        |row| row[3][13] ^= 1,
        |row| row[4][13] ^= 1,
    ];
    for (number, change) in changes.iter().enumerate() {
        let (mut answers, mut messages) = row();
        change(&mut messages);
        let taken = messages.iter().try_for_each(|message| answers.take(message, NOW));
        assert_eq!(taken, Err(Flaw::WrongMac), "change {number}");
    }

    let (mut answers, messages) = row();
    assert_eq!(answers.take(&messages[2], NOW), Err(Flaw::Unsigned), "the first");
    let late = NOW + 301;
    assert_eq!(answers.take(&messages[0], late), Err(Flaw::WrongTime { theirs: NOW, ours: late }));

    let (mut answers, mut signer) = asked();
    let mut first = answer(1);
    assert!(signer.sign(&mut first, NOW));
    assert_eq!(answers.take(&first, NOW), Ok(()));
    assert!((0..99).all(|_| answers.take(&large(2), NOW).is_ok()));
    assert_eq!(answers.take(&large(2), NOW), Err(Flaw::TooFewSigned));
}

/// RFC 8945 §5.2: what the server says of our signature is told apart, signed or not.
#[test]
fn rfc8945_5_2_what_the_server_says_of_a_query() {
    for (key, time, expected) in [
        (key("other.example"), NOW, TsigError::BadKey),
        (Key::parse("one.example", "hmac-sha256:b3RoZXI=").expect("a key"), NOW, TsigError::BadSig),
        (key("one.example"), NOW - 301, TsigError::BadTime),
    ] {
        let mut message = query();
        let mut signer = Signer::of_query(Arc::new(key), time);
        assert!(signer.sign(&mut message, time));
        let response = verify(&message, NOW).err().expect("refused");
        assert_eq!(Answers::to(&signer).take(&response, time), Err(Flaw::Said(expected)));
    }
    let signer = Signer::of_query(Arc::new(key("one.example")), NOW);
    let mut by_another = Signer::of_query(Arc::new(key("two.example")), NOW);
    let mut response = query();
    response[2] |= 0x80;
    assert_eq!(Answers::to(&signer).take(&response, NOW), Err(Flaw::Unsigned));
    assert!(by_another.sign(&mut response, NOW));
    assert_eq!(Answers::to(&signer).take(&response, NOW), Err(Flaw::AnotherKey));
}

/// RFC 8945 §5.3.1: at least every hundredth message has a signature.
#[test]
fn more_than_99_messages_in_a_row_were_unsigned() {
    let verified = verify(&signed(key("one.example"), NOW), NOW).unwrap_or_else(|_| panic!("right"));
    let mut signer = verified.signer;
    let large = || vec![0; MESSAGE];
    assert!(!signer.sign(&mut large(), NOW), "the first");
    for _ in 0..2 {
        assert!(signer.sign(&mut query(), NOW));
        assert!((0..99).all(|_| signer.sign(&mut large(), NOW)));
    }
    assert!(!signer.sign(&mut large(), NOW), "the hundredth");
}

/// RFC 8945 §4.2: the name of the algorithm is one of 255 octets, and not compressed.
#[test]
fn rfc8945_4_2_what_is_no_name_of_an_algorithm_is_malformed() {
    let too_long = [&[&[63][..], &[b'a'; 63]].concat().repeat(4)[..], &[0]].concat();
    for name in [b"\xc0\x00".to_vec(), too_long] {
        let mut message = query();
        append(&mut message, b"\x03one\x07example\0", &name, NOW, FUDGE, &[0; 32], [7, 8], 0, &[]);
        assert!(matches!(Asked::read(&message), Asked::Malformed), "{name:02x?}");
    }
}

/// Found by fuzzing: a question that points to what is not there was sent back in the refusal of its signature.
#[test]
fn a_question_that_cannot_be_read_was_sent_back() {
    let mut message = signed(key("other.example"), NOW);
    // The root after the name becomes a pointer, and the first octet of the type is its second.
    let root = query().len() - 5;
    message[root] = 0xff;
    assert!(matches!(Asked::read(&message), Asked::Unsigned), "left to who says FORMERR");
    assert_eq!(malformed(&message).len(), HEADER);
}

#[test]
fn names_are_expanded_and_never_loop() {
    let message =
        [&[0; 12][..], b"\x01A\0", &[0xc0, 12], &[1, b'b', 0xc0, 12], &[0xc0, 21], &[0xc0, 21]].concat();
    assert_eq!(expand_name(&message, 17).as_deref(), Some(&b"\x01b\x01a\0"[..]));
    assert_eq!(expand_name(&message, 15).as_deref(), Some(&b"\x01a\0"[..]));
    assert_eq!(expand_name(&message, 21), None, "to itself");
    assert_eq!(expand_name(&message, 23), None, "to one that leads to itself");
    assert_eq!(expand_name(&message, 25), None, "after the end");
}
