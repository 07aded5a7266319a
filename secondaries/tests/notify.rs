//! NOTIFY over real sockets: told until answered, nobody delays another.

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::RData;
use port53_secondaries::keys::Keys;
use port53_secondaries::notify::{Notifier, Pauses};
use port53_zone::{Name, Soa, name};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

const APEX: &str = "told.example.";
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct Secondary(UdpSocket);

impl Secondary {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("sets");
        Secondary(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    /// The serial of the next NOTIFY, and how to answer it.
    fn hear(&self) -> (u32, Vec<u8>, SocketAddr) {
        let mut octets = [0; 4096];
        let (length, from) = self.0.recv_from(&mut octets).expect("it is told");
        let message = Message::from_vec(&octets[..length]).expect("a message");
        // RFC 1996 §3.7 and §4.
        assert_eq!(message.metadata.op_code, OpCode::Notify);
        assert!(message.metadata.authoritative);
        assert_eq!(message.queries[0].name().to_string(), APEX);
        let RData::SOA(soa) = &message.answers[0].data else { panic!("no SOA: {message:?}") };
        (soa.serial, octets[..length].to_vec(), from)
    }

    fn answer(&self, query: &[u8], to: SocketAddr, rcode: ResponseCode) {
        let mut answer = query.to_vec();
        answer[2] |= 0x80;
        answer[3] = u16::from(rcode) as u8;
        self.0.send_to(&answer, to).expect("sends");
    }
}

fn notifier(pauses: Pauses) -> Notifier {
    Notifier::new(Arc::new(arc_swap::ArcSwap::from_pointee(Keys::default())), pauses)
}

fn announce(notifier: &Notifier, secondaries: &[&Secondary], serial: u32) {
    let to: Vec<SocketAddr> = secondaries.iter().map(|one| one.address()).collect();
    let (apex, soa) = version(serial);
    notifier.announce(&apex, &soa, &to, None, &Handle::current());
}

fn version(serial: u32) -> (Name, Soa) {
    let apex = name::parse_absolute(APEX).expect("a name");
    let (primary, contact) = (apex.clone(), apex.clone());
    (apex, Soa { primary, contact, serial, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 })
}

/// Sent, answered, given up.
fn counts(notifier: &Notifier) -> [u64; 3] {
    let counts = notifier.counts();
    [&counts.sent, &counts.answered, &counts.given_up].map(|count| count.load(Relaxed))
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what} took too long");
        std::thread::yield_now();
    }
}

/// RFC 1996 §3.6: again until answered. A secondary that is dead delays no other, and hears only of the newest.
#[tokio::test(flavor = "multi_thread")]
async fn rfc1996_3_6_told_until_answered() {
    let (dead, live) = (Secondary::new(), Secondary::new());
    let pauses = Pauses { first: Duration::from_millis(20), most: Duration::from_millis(80), times: 50 };
    let notifier = notifier(pauses);
    for serial in [1, 2] {
        announce(&notifier, &[&dead, &live], serial);
        // On a slow machine it may have been told twice of the version before.
        let (query, from) = loop {
            let (heard, query, from) = live.hear();
            if heard == serial {
                break (query, from);
            }
        };
        live.answer(&query, from, ResponseCode::NoError);
        eventually("its answer", || counts(&notifier)[1] == u64::from(serial));
    }
    // It comes back after it was told several times.
    while dead.hear().0 != 2 {}
    dead.hear();
    let (heard, query, from) = dead.hear();
    assert_eq!(heard, 2);
    // An answer to something else is none.
    let mut other = query.clone();
    other[0] ^= 1;
    dead.answer(&other, from, ResponseCode::NoError);
    let (_, query, from) = dead.hear();
    // RFC 1996 §4.8: whatever it says, it has heard.
    dead.answer(&query, from, ResponseCode::NotImp);
    eventually("its answer", || counts(&notifier)[1] == 3);
    assert_eq!(counts(&notifier)[2], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_given_up_and_told_of_the_next_version() {
    let silent = Secondary::new();
    let notifier =
        notifier(Pauses { first: Duration::from_millis(1), most: Duration::from_millis(2), times: 3 });
    for serial in [1, 2] {
        announce(&notifier, &[&silent], serial);
        eventually("given up", || counts(&notifier) == [3 * u64::from(serial), 0, u64::from(serial)]);
        assert_eq!([silent.hear().0, silent.hear().0, silent.hear().0], [serial; 3]);
    }
}
