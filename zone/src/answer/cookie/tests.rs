//! RFC 9018, Appendix A, and the limits of §4.3.

use super::*;

const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

fn octets<const N: usize>(hex: &str) -> [u8; N] {
    let value = |i: usize| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hexadecimal");
    assert_eq!(hex.len(), 2 * N, "{hex}");
    std::array::from_fn(value)
}

fn secrets(hex: &[&str]) -> Secrets {
    Secrets::new(&hex.iter().map(|hex| octets(hex)).collect::<Vec<_>>())
}

fn sent(hex: &str) -> Sent {
    let value: Vec<u8> =
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect();
    Sent::parse(&value).expect("a length that there is")
}

fn judge(secrets: &Secrets, cookie: &str, client: &str, now: u32) -> (Cookie, [u8; WHOLE]) {
    secrets.judge(&sent(cookie), client.parse().expect("an address"), now)
}

#[test]
fn rfc9018_a_1_learning_a_new_server_cookie() {
    let (cookie, whole) = judge(&secrets(&[SECRET]), "2464c4abcf10c957", "198.51.100.100", 1_559_731_985);
    assert_eq!(cookie, Cookie::Client);
    assert_eq!(whole, octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480"));
}

#[test]
fn rfc9018_a_2_the_same_client_renewing_its_cookie() {
    let sent = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";
    let (cookie, whole) = judge(&secrets(&[SECRET]), sent, "198.51.100.100", 1_559_734_385);
    assert_eq!(cookie, Cookie::Valid);
    assert_eq!(whole, octets("2464c4abcf10c957010000005cf7a871d4a564a1442aca77"));
}

/// The reserved octets are hashed as they came, and made as zeros. In the RFC's example the cookie is two hours
/// old when it comes back, beyond what §4.3 asks for.
#[test]
fn rfc9018_a_3_reserved_octets_that_are_set() {
    let sent = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5";
    let (cookie, whole) = judge(&secrets(&[SECRET]), sent, "203.0.113.203", 1_559_727_985);
    assert_eq!((cookie, whole), (Cookie::Valid, octets(sent)));
    let (cookie, whole) = judge(&secrets(&[SECRET]), sent, "203.0.113.203", 1_559_734_700);
    assert_eq!(cookie, Cookie::Invalid);
    assert_eq!(whole, octets("fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"));
}

#[test]
fn rfc9018_a_4_ipv6_and_a_secret_that_is_being_replaced() {
    const OLD: &str = "dd3bdf9344b678b185a6f5cb60fca715";
    const NEW: &str = "445536bcd2513298075a5d379663c962";
    let client = "2001:db8:220:1:59de:d0f4:8769:82b8";
    let by_old = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
    let by_new = "22681ab97d52c298010000005cf7c609a6bb79d16625507a";
    let now = 1_559_741_961;
    let (cookie, whole) = judge(&secrets(&[NEW, OLD]), by_old, client, now);
    assert_eq!((cookie, whole), (Cookie::Valid, octets(by_new)), "verified by the old, made by the new");
    // Stage 1 of RFC 9018 §5: the new is known everywhere before anyone makes cookies with it.
    let (cookie, _) = judge(&secrets(&[OLD, NEW]), by_new, client, now);
    assert_eq!(cookie, Cookie::Valid);
    // Stage 3: the old is gone.
    let (cookie, _) = judge(&secrets(&[NEW]), by_old, client, now);
    assert_eq!(cookie, Cookie::Invalid);
}

/// RFC 9018 §4.3: an hour back, five minutes ahead; renewed after half an hour; in serial arithmetic.
#[test]
fn rfc9018_4_3_the_time_of_a_cookie() {
    let secrets = secrets(&[SECRET]);
    let client = "192.0.2.1".parse().expect("an address");
    for made in [1_559_731_985, 0, u32::MAX - 100] {
        let (_, whole) = secrets.judge(&sent("2464c4abcf10c957"), client, made);
        let whole = Sent::parse(&whole).expect("a cookie");
        for (later, cookie, is_kept) in [
            (0, Cookie::Valid, true),
            (1800, Cookie::Valid, true),
            (1801, Cookie::Valid, false),
            (3600, Cookie::Valid, false),
            (3601, Cookie::Invalid, false),
            (1 << 31, Cookie::Invalid, false),
            (0u32.wrapping_sub(300), Cookie::Valid, true),
            (0u32.wrapping_sub(301), Cookie::Invalid, false),
        ] {
            let now = made.wrapping_add(later);
            let (judged, again) = secrets.judge(&whole, client, now);
            assert_eq!(judged, cookie, "{later} after {made}");
            let expected = if is_kept { made } else { now };
            assert_eq!(again[12..16], expected.to_be_bytes(), "{later} after {made}");
        }
    }
}

#[test]
fn every_octet_of_a_cookie_counts_and_so_does_the_address() {
    let secrets = secrets(&[SECRET]);
    let good: [u8; WHOLE] = octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480");
    let judge = |octets: &[u8], client: &str| {
        let sent = Sent::parse(octets).expect("a length that there is");
        secrets.judge(&sent, client.parse().expect("an address"), 1_559_731_985).0
    };
    assert_eq!(judge(&good, "198.51.100.100"), Cookie::Valid);
    assert_eq!(judge(&good, "::ffff:198.51.100.100"), Cookie::Valid, "the same address on an IPv6 socket");
    assert_eq!(judge(&good, "198.51.100.101"), Cookie::Invalid);
    assert_eq!(judge(&good, "c633:6464::"), Cookie::Invalid);
    for bit in 0..8 * WHOLE {
        let mut other = good;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(judge(&other, "198.51.100.100"), Cookie::Invalid, "bit {bit}");
    }
    for len in (0..WHOLE).filter(|len| !matches!(len, 8 | 16..)).chain(41..50) {
        assert!(Sent::parse(&vec![0; len]).is_none(), "RFC 7873 §5.2.2: {len}");
    }
    for len in (16..=40).filter(|len| *len != WHOLE) {
        assert_eq!(judge(&vec![0; len], "198.51.100.100"), Cookie::Invalid, "{len}");
    }
}

#[test]
fn without_a_secret_there_are_no_cookies() {
    let (cookie, _) = judge(&Secrets::default(), "2464c4abcf10c957", "192.0.2.1", 0);
    assert_eq!(cookie, Cookie::None);
    assert_eq!(format!("{:?}", secrets(&[SECRET])), "1 secrets", "secrets are not logged");
}
