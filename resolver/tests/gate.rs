//! No allocation for a query that comes through the gate of a UDP thread, limited or not.

use port53_resolver::limits::{Answering, Gate, Outcome, Rates};
use port53_resolver::traffic::Traffic;
use port53_resolver::traffic::Transport;
use port53_zone::answer::{self, Secrets};
use port53_zone::image::Zones;
use std::net::IpAddr;
use std::sync::Arc;

#[test]
fn no_query_through_the_gate_allocates() {
    let traffic = Traffic::default();
    let rates = Rates { alike: 2, all: 3, ..Rates::default() };
    let answer = answer::Settings { cookies: Secrets::new(&[[1; 16]]), ..answer::Settings::default() };
    let shared = Arc::new(arc_swap::ArcSwap::from_pointee(Answering { answer, rates }));
    let gate = Gate::new(shared, Arc::default(), traffic.worker(Transport::Udp));
    let plain =
        b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x04test\x00\x00\x01\x00\x01".to_vec();
    let mut with_cookie = plain.clone();
    with_cookie[11] = 1;
    with_cookie.extend(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x0812345678");
    let zones = Zones::default();
    let mut out = [0; 512];
    let clients: [IpAddr; 3] =
        ["203.0.113.1", "10.0.0.1", "2001:db8::1"].map(|text| text.parse().expect("an address"));
    // The keys of hashes are drawn with the first query.
    gate.answer(&zones, clients[0], 0, &plain, &mut out);
    let (mut answered, mut unanswered, mut limited) = (0, 0, 0);
    for i in 0..1000 {
        for client in clients {
            for query in [&plain[..], &with_cookie, &plain[..11]] {
                let mut outcome = Outcome::Unanswered;
                let counted = allocation_counter::measure(|| {
                    outcome = gate.answer(&zones, client, i, query, &mut out);
                });
                assert_eq!(counted.count_total, 0, "{client}: {outcome:?}");
                match outcome {
                    Outcome::Answered(_) => answered += 1,
                    Outcome::Unanswered => unanswered += 1,
                    Outcome::Limited => limited += 1,
                    Outcome::Forwarded(_) => panic!("no zone forwards"),
                }
            }
        }
    }
    let totals = traffic.totals(Transport::Udp);
    assert!(
        answered > 0 && unanswered > 0 && limited > 0 && totals.slipped > 0,
        "every outcome was among them"
    );
    let counted = allocation_counter::measure(|| drop(vec![0u8; 100])).count_total;
    assert_eq!(counted, 1, "the allocator counts");
}
