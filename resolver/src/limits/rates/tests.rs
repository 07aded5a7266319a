//! Rates in virtual time.

use super::*;
use port53_zone::answer::Kind;

const NOW: u64 = 1_700_000_000_000;

fn made(kind: Kind, alike: u64) -> Responded {
    let (cookie, forward) = (Cookie::None, None);
    Responded { len: 100, rcode: 0, qtype: 1, truncated: false, kind, alike, cookie, forward }
}

fn rates(alike: u32, all: u32, slip: u32) -> Rates {
    Rates { alike, all, slip, exempt: Vec::new(), ..Rates::default() }
}

/// What `count` responses at `now` become: (sent, slipped, dropped).
fn judged(
    table: &mut Table,
    rates: &Rates,
    client: &str,
    made: &Responded,
    now: u64,
    count: usize,
) -> (usize, usize, usize) {
    let client = client.parse().expect("an address");
    let verdicts: Vec<Verdict> = (0..count).map(|_| table.judge(rates, client, made, now)).collect();
    let of = |verdict| verdicts.iter().filter(|v| **v == verdict).count();
    (of(Verdict::Send), of(Verdict::Slip), of(Verdict::Drop))
}

#[test]
fn so_many_a_second_and_every_second_of_the_rest_slips() {
    let mut table = Table::new();
    let rates = rates(10, 0, 2);
    let answer = made(Kind::Answer, 1);
    let mut ask = |now, count| judged(&mut table, &rates, "203.0.113.1", &answer, now, count);
    assert_eq!(ask(NOW, 30), (10, 10, 10));
    assert_eq!(ask(NOW + 99, 2), (0, 1, 1));
    assert_eq!(ask(NOW + 100, 2), (1, 0, 1));
    assert_eq!(ask(NOW + 600, 10), (5, 3, 2));
    assert_eq!(ask(NOW + 86_400_000, 30), (10, 10, 10), "never more than a second's worth at once");
}

#[test]
fn slip_as_it_is_set() {
    for (slip, expected) in [(0, (1, 0, 12)), (1, (1, 12, 0)), (3, (1, 4, 8))] {
        let judged =
            judged(&mut Table::new(), &rates(1, 0, slip), "203.0.113.1", &made(Kind::Error, 0), NOW, 13);
        assert_eq!(judged, expected, "slip {slip}");
    }
}

/// dns-traps, attacks: random subdomains are of one zone, so they count together.
#[test]
fn random_subdomains_count_together_and_other_kinds_apart() {
    let mut table = Table::new();
    let rates = rates(5, 0, 0);
    let mut ask =
        |kind, alike, count| judged(&mut table, &rates, "203.0.113.1", &made(kind, alike), NOW, count).0;
    assert_eq!(ask(Kind::NameError, 7, 10), 5);
    assert_eq!(ask(Kind::NameError, 8, 10), 5, "another zone");
    assert_eq!(ask(Kind::NoData, 7, 10), 5, "another kind");
    assert_eq!(ask(Kind::Answer, 7, 10), 5);
    assert_eq!(ask(Kind::Referral, 7, 10), 5);
    assert_eq!(ask(Kind::Error, 0, 10), 5);
    assert_eq!(ask(Kind::NameError, 7, 10), 0);
}

#[test]
fn prefixes_count_together() {
    let mut table = Table::new();
    let rates = rates(5, 0, 0);
    let mut ask = |client| judged(&mut table, &rates, client, &made(Kind::Answer, 1), NOW, 5).0;
    assert_eq!(ask("203.0.113.1"), 5);
    assert_eq!(ask("203.0.113.254"), 0, "the same /24");
    assert_eq!(ask("::ffff:203.0.113.7"), 0, "the same, on an IPv6 socket");
    assert_eq!(ask("203.0.112.1"), 5);
    assert_eq!(ask("2001:db8:0:ff::1"), 5);
    assert_eq!(ask("2001:db8:0:1::1"), 0, "the same /56");
    assert_eq!(ask("2001:db8:0:100::1"), 5);
}

/// A reflector that is asked for one name after the other is bounded by what a prefix gets in all.
#[test]
fn many_names_are_bounded_by_what_a_prefix_gets_in_all() {
    let mut table = Table::new();
    let rates = rates(5, 20, 0);
    let sent: usize = (0..100)
        .map(|name| judged(&mut table, &rates, "203.0.113.1", &made(Kind::Answer, name), NOW, 3).0)
        .sum();
    assert_eq!(sent, 20);
}

#[test]
fn a_valid_cookie_and_the_list_have_no_limit() {
    let mut table = Table::new();
    let limited = Rates { exempt: vec!["198.51.100.0/25".parse().expect("a prefix")], ..rates(1, 1, 0) };
    let valid = Responded { cookie: Cookie::Valid, ..made(Kind::Answer, 1) };
    assert_eq!(judged(&mut table, &limited, "203.0.113.1", &valid, NOW, 10).0, 10);
    for cookie in [Cookie::Client, Cookie::Invalid] {
        let made = Responded { cookie, ..made(Kind::Answer, cookie as u64) };
        assert_eq!(judged(&mut Table::new(), &limited, "203.0.113.1", &made, NOW, 10).0, 1, "{cookie:?}");
    }
    let answer = made(Kind::Answer, 1);
    assert_eq!(judged(&mut table, &limited, "198.51.100.1", &answer, NOW, 10).0, 10);
    assert_eq!(judged(&mut Table::new(), &limited, "198.51.100.128", &answer, NOW, 10).0, 1);
    let off = Rates { alike: 0, ..limited };
    assert_eq!(judged(&mut table, &off, "203.0.113.1", &answer, NOW, 10).0, 10);
}

/// dns-traps, "Kubernetes in front of DNS": behind a node's address are all clients, and nobody is throttled.
#[test]
fn addresses_of_nodes_and_pods_are_exempt_by_default() {
    let rates = Rates::default();
    assert_eq!(rates.exempt.len(), PRIVATE.len(), "all of them can be read");
    let answer = made(Kind::Answer, 1);
    for (client, is_limited) in [
        ("10.244.0.1", false),
        ("192.168.1.1", false),
        ("172.31.0.1", false),
        ("100.64.0.1", false),
        ("127.0.0.1", false),
        ("fd00::1", false),
        ("203.0.113.1", true),
        ("172.32.0.1", true),
        ("2001:db8::1", true),
    ] {
        let (sent, _, _) = judged(&mut Table::new(), &rates, client, &answer, NOW, 1000);
        assert_eq!(sent < 1000, is_limited, "{client}");
    }
}

/// Spoofed prefixes beyond the size of the table forget the idle ones, take no memory, and stop nobody.
#[test]
fn more_prefixes_than_there_is_room_for() {
    let mut table = Table::new();
    let rates = rates(1, 0, 0);
    let answer = made(Kind::Answer, 1);
    for i in 0..3 * ENTRIES as u32 {
        let client = IpAddr::from((0x2001_0db8_u128 << 96 | u128::from(i) << 72).to_be_bytes());
        assert_eq!(table.judge(&rates, client, &answer, NOW + u64::from(i)), Verdict::Send);
    }
    assert_eq!(table.buckets.len(), ENTRIES + TOGETHER - 1);
    assert_eq!(table.buckets[table.first..].as_ptr().align_offset(CACHE_LINE), 0, "a set is one cache line");
}

/// A clock that is set back does not shut anyone out.
#[test]
fn a_clock_that_is_set_back() {
    let mut table = Table::new();
    let rates = rates(5, 0, 0);
    let answer = made(Kind::Answer, 1);
    let mut ask = |now| judged(&mut table, &rates, "203.0.113.1", &answer, now, 10).0;
    assert_eq!(ask(NOW), 5);
    assert_eq!(ask(NOW - 3_600_000), 5);
    assert_eq!(ask(NOW - 3_600_000), 0);
    assert_eq!(ask(NOW), 5);
}
