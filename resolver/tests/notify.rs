//! NOTIFY over real sockets: told until answered, nobody delays another.

mod support;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::RData;
use port53_resolver::source::Publisher;
use port53_resolver::transfer::{Announce, Keys, Pauses, Policy, Settings, Transfers};
use port53_zone::image::ZoneState;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use support::*;
use tokio_util::sync::CancellationToken;

const APEX: &str = "told.example.";

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

fn transfers(
    secondaries: &[&Secondary],
    announce: Announce,
    publisher: &Publisher,
) -> (Arc<Transfers>, CancellationToken) {
    let settings = Settings {
        policy: Policy { notify: secondaries.iter().map(|one| one.address()).collect(), ..Policy::default() },
        pauses: Pauses { first: Duration::from_millis(20), most: Duration::from_millis(80), times: 50 },
        announce,
        ..Settings::default()
    };
    let transfers = Arc::new(Transfers::new(settings, Keys::default()));
    let end = CancellationToken::new();
    transfers.follow(publisher, None, end.clone()).expect("a thread");
    (transfers, end)
}

/// RFC 1996 §3.6: again until answered. A secondary that is dead delays no other, and hears only of the newest.
#[tokio::test(flavor = "multi_thread")]
async fn rfc1996_3_6_told_until_answered() {
    let (dead, live) = (Secondary::new(), Secondary::new());
    let publisher = Publisher::new();
    let (transfers, end) = transfers(&[&dead, &live], Announce::AtOnce, &publisher);
    for serial in [1, 2] {
        publisher.put(image(APEX, serial, "192.0.2.1", 1)).expect("newer");
        // On a slow machine it may have been told twice of the version before.
        let (query, from) = loop {
            let (heard, query, from) = live.hear();
            if heard == serial {
                break (query, from);
            }
        };
        live.answer(&query, from, ResponseCode::NoError);
        eventually("its answer", || transfers.notified()[1] == u64::from(serial));
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
    eventually("its answer", || transfers.notified()[1] == 3);
    assert_eq!(transfers.notified()[2], 0);
    end.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_given_up_and_told_of_the_next_version() {
    let silent = Secondary::new();
    let publisher = Publisher::new();
    let settings = Settings {
        policy: Policy { notify: vec![silent.address()], ..Policy::default() },
        pauses: Pauses { first: Duration::from_millis(1), most: Duration::from_millis(2), times: 3 },
        ..Settings::default()
    };
    let transfers = Arc::new(Transfers::new(settings, Keys::default()));
    let end = CancellationToken::new();
    transfers.follow(&publisher, None, end.clone()).expect("a thread");
    for serial in [1, 2] {
        publisher.put(image(APEX, serial, "192.0.2.1", 1)).expect("newer");
        eventually("given up", || transfers.notified() == [3 * u64::from(serial), 0, u64::from(serial)]);
        assert_eq!([silent.hear().0, silent.hear().0, silent.hear().0], [serial; 3]);
    }
    end.cancel();
}

/// For who knows that a version is in service everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn when_told_and_not_before() {
    let secondary = Secondary::new();
    let publisher = Publisher::new();
    let (transfers, end) = transfers(&[&secondary], Announce::WhenTold, &publisher);
    publisher.put(image(APEX, 1, "192.0.2.1", 1)).expect("newer");
    publisher.put(image(APEX, 2, "192.0.2.2", 1)).expect("newer");
    let zones = publisher.zones().load_full();
    let Some(ZoneState::Serving(version)) = zones.get(&zone_name(APEX)) else { panic!("not in service") };
    transfers.announce(version);
    let (heard, query, from) = secondary.hear();
    assert_eq!(heard, 2, "the first it hears of");
    secondary.answer(&query, from, ResponseCode::NoError);
    eventually("its answer", || transfers.notified()[1] == 1);
    end.cancel();
}
