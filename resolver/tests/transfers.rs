//! Zone transfers over real sockets: who gets one, of which version, and what it costs who asks for too much.

mod support;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use port53_resolver::serve::{Settings, TcpLimits};
use port53_resolver::source::Publisher;
use port53_resolver::traffic::{Closed, Transport};
use port53_resolver::transfer::{self, Policy, Transfers};
use port53_secondaries::keys::Keys;
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use support::tls::*;
use support::transfers::*;
use support::*;
use tokio_util::sync::CancellationToken;

struct Primary {
    publisher: Publisher,
    server: Server,
    transfers: Arc<Transfers>,
    end: CancellationToken,
}

fn primary(transfer: transfer::Settings, settings: Settings) -> Primary {
    let publisher = Publisher::new();
    let transfers = Arc::new(Transfers::new(transfer, Keys::default()));
    let end = CancellationToken::new();
    transfers.follow(&publisher, None, end.clone()).expect("a thread");
    let server = start(&publisher, Settings { transfers: transfers.clone(), ..settings });
    Primary { publisher, server, transfers, end }
}

impl Primary {
    fn address(&self) -> SocketAddr {
        self.server.address
    }

    async fn stop(self) {
        self.end.cancel();
        self.server.stop().await;
    }
}

fn ask(server: SocketAddr, query: &[u8]) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(&framed(query)).expect("sends");
    stream
}

/// Reads to the second SOA of the version that the first names; `serials` of all SOAs, and all other records.
fn read_transfer(stream: &mut TcpStream) -> (Vec<u32>, Vec<String>) {
    let (mut serials, mut records) = (Vec::new(), Vec::new());
    let mut is_first = true;
    loop {
        let message = read_framed(stream);
        assert_eq!((message.metadata.id, rcode(&message)), (77, ResponseCode::NoError));
        for record in &message.answers {
            match &record.data {
                hickory_proto::rr::RData::SOA(soa) => serials.push(soa.serial),
                _ => records.push(record.to_string()),
            }
        }
        let is_incremental = serials.len() > 1 && serials[0] != serials[1];
        let ends = if is_incremental { 3 } else { 2 };
        let seen = serials.iter().filter(|&&serial| serial == serials[0]).count();
        if seen == ends || is_first && message.answers.len() == 1 {
            return (serials, records);
        }
        is_first = false;
    }
}

fn refused(server: SocketAddr, query: &[u8]) -> ResponseCode {
    let message = read_framed(&mut ask(server, query));
    assert!(message.answers.is_empty());
    rcode(&message)
}

/// The messages in octets that have the length of each before it.
fn messages(mut octets: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = octets.split_first_chunk::<2>() {
        let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*length))) else { break };
        messages.push(Message::from_vec(message).expect("a message"));
        octets = &rest[message.len()..];
    }
    messages
}

fn records(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.answers.len()).sum()
}

/// RFC 9103 §7 and RFC 9250 §4.2: the same over TLS, and over one stream of QUIC, which ends with the transfer.
#[tokio::test(flavor = "multi_thread")]
async fn rfc9103_the_whole_zone_is_sent_over_tls_and_quic() {
    let publisher = Publisher::new();
    publisher.put(image(APEX, 3, "192.0.2.1", 5000)).expect("newer");
    let transfers = Arc::new(Transfers::new(open(), Keys::default()));
    let (settings, trusted) = with_certificate(Settings { transfers: transfers.clone(), ..hasty() });
    let server = start_encrypted(&publisher, settings);
    // SOA twice, and what there is beside 5,000 hosts.
    let content = image(APEX, 3, "192.0.2.1", 5000);
    let expected = 2 + content.content().iter().map(|(rrset, _)| rrset.values().len()).sum::<usize>();
    let mut query = transfer_query(APEX, None);
    query[..2].copy_from_slice(&[0, 0]);

    let mut stream = connect_tls(&server, client(&trusted, &["dot"])).await.expect("connects");
    tokio::io::AsyncWriteExt::write_all(&mut stream, &framed(&query)).await.expect("sends");
    let mut octets = Vec::new();
    let read = async {
        while records(&messages(&octets)) < expected {
            let read = tokio::io::AsyncReadExt::read_buf(&mut stream, &mut octets).await.expect("reads");
            assert!(read > 0, "the connection ended before the transfer");
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("in time");
    assert!(messages(&octets).len() > 5);

    // RFC 9103 §7.1: not to who does not say that it speaks DNS.
    let mut stream = connect_tls(&server, client(&trusted, &[])).await.expect("connects");
    tokio::io::AsyncWriteExt::write_all(&mut stream, &framed(&query)).await.expect("sends");
    let mut octets = Vec::new();
    while messages(&octets).is_empty() {
        let read = tokio::io::AsyncReadExt::read_buf(&mut stream, &mut octets);
        assert!(tokio::time::timeout(PATIENCE, read).await.expect("in time").expect("reads") > 0);
    }
    assert_eq!(rcode(&messages(&octets)[0]), ResponseCode::Refused);

    let connection =
        connect_quic(server.encrypted.quic[0], client(&trusted, &["doq"])).await.expect("connects");
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(&framed(&query)).await.expect("sends");
    send.finish().expect("ends");
    let read = tokio::time::timeout(PATIENCE, receive.read_to_end(1 << 20)).await.expect("in time");
    let over_quic = messages(&read.expect("a transfer"));
    assert_eq!(records(&over_quic), expected);
    assert!(over_quic.iter().all(|message| message.metadata.id == 0));
    assert_eq!(transfers.sent(), [2, 0]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_zone_is_sent_to_those_who_may_have_it() {
    let primary = primary(open(), hasty());
    primary.publisher.put(image(APEX, 3, "192.0.2.1", 5000)).expect("newer");
    let (serials, records) = read_transfer(&mut ask(primary.address(), &transfer_query(APEX, None)));
    assert_eq!((serials, records.len()), (vec![3, 3], 5000 + 3 + 12));
    // RFC 5936 §2.2.1: NOTAUTH where we are not authoritative for the zone.
    let off = format!("www.{APEX}");
    assert_eq!(refused(primary.address(), &transfer_query(&off, None)), ResponseCode::NotAuth);
    primary.publisher.assembling(zone_name("new.example."));
    assert_eq!(refused(primary.address(), &transfer_query("new.example.", None)), ResponseCode::ServFail);
    // Others after it on the same connection are answered.
    let mut stream = ask(primary.address(), &transfer_query(APEX, None));
    stream.write_all(&framed(&query(5, &format!("www.{APEX}"), RecordType::A))).expect("sends");
    assert_eq!(read_transfer(&mut stream).0, [3, 3]);
    assert_eq!(values(&read_framed(&mut stream)), ["192.0.2.1"]);
    primary.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_a_zone_by_default_and_nobody_from_another_address() {
    let primary = primary(transfer::Settings::default(), hasty());
    primary.publisher.put(image(APEX, 3, "192.0.2.1", 1)).expect("newer");
    for held in [None, Some(1)] {
        assert_eq!(refused(primary.address(), &transfer_query(APEX, held)), ResponseCode::Refused);
    }
    let elsewhere = Policy { allow: vec!["127.0.0.2".parse().expect("an address")], notify: Vec::new() };
    primary.transfers.policies().set(&zone_name(APEX), Some(elsewhere));
    assert_eq!(refused(primary.address(), &transfer_query(APEX, None)), ResponseCode::Refused);
    primary.stop().await;
}

/// RFC 1995 §2 and §4: differences while they are known, the whole zone else, one SOA when there is nothing newer.
#[tokio::test(flavor = "multi_thread")]
async fn rfc1995_what_changed_is_sent() {
    let primary = primary(open(), hasty());
    let mut version = image(APEX, 1, "192.0.2.1", 1000);
    primary.publisher.put(version.clone()).expect("newer");
    for serial in 2..=5 {
        version = next(&version, serial, &format!("192.0.2.{serial}"));
        primary.publisher.put(version.clone()).expect("newer");
    }
    let since = |held| read_transfer(&mut ask(primary.address(), &transfer_query(APEX, Some(held))));
    eventually("the journal", || since(2).0 == [5, 2, 3, 3, 4, 4, 5, 5]);
    let (_, records) = since(2);
    assert_eq!(records.len(), 6, "{records:?}");
    assert!(records[0].ends_with("192.0.2.2") && records[5].ends_with("192.0.2.5"), "{records:?}");
    assert_eq!(since(5), (vec![5], Vec::new()));
    assert_eq!(since(9), (vec![5], Vec::new()));
    let (serials, records) = since(100_000_000_u32.wrapping_neg());
    assert_eq!((serials, records.len()), (vec![5, 5], 1000 + 3 + 12));

    // Over UDP: what fits, else the SOA.
    let over_udp = |held| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(primary.address()).expect("connects");
        socket.set_read_timeout(Some(PATIENCE)).expect("sets");
        socket.send(&transfer_query(APEX, Some(held))).expect("sends");
        let mut answer = [0; 65_535];
        let length = socket.recv(&mut answer).expect("an answer");
        Message::from_vec(&answer[..length]).expect("a message").answers.len()
    };
    assert_eq!((over_udp(4), over_udp(5), over_udp(7000)), (6, 1, 1));

    primary.stop().await;
}

/// Who has serial 5 has the first content of that serial, and was sent what made the second into 6.
#[tokio::test(flavor = "multi_thread")]
async fn a_difference_was_sent_from_a_content_that_the_client_never_had() {
    let primary = primary(open(), hasty());
    let since = |held| read_transfer(&mut ask(primary.address(), &transfer_query(APEX, Some(held)))).0;
    let mut version = image(APEX, 4, "192.0.2.1", 1000);
    let mut put = |serial, www: &str| {
        version = next(&version, serial, www);
        primary.publisher.put(version.clone()).expect("no lower serial");
    };
    put(4, "192.0.2.4");
    put(5, "192.0.2.5");
    eventually("the journal", || since(4) == [5, 4, 5, 5]);
    // Another content of that serial: nothing leads from it.
    put(5, "192.0.2.55");
    eventually("the version", || since(4) == [5, 5]);
    put(6, "192.0.2.6");
    put(7, "192.0.2.7");
    // The same told again changes nothing.
    put(7, "192.0.2.7");
    eventually("the journal", || since(6) == [7, 6, 7, 7]);
    assert_eq!(since(5), [7, 7], "the whole zone");
    // Withdrawn, and back with lower serials.
    primary.publisher.withdraw(&zone_name(APEX));
    eventually("the withdrawal", || primary.transfers.journal_octets() == 0);
    for serial in 6..=9 {
        put(serial, &format!("192.0.2.1{serial}"));
    }
    eventually("the journal", || since(8) == [9, 8, 9, 9]);
    assert_eq!(since(7), [9, 9], "the whole zone");
    primary.stop().await;
}

/// The journal is bounded: the oldest goes, and a change that is too large is not kept at all.
#[tokio::test(flavor = "multi_thread")]
async fn the_journal_keeps_what_fits() {
    let settings =
        transfer::Settings { journal: transfer::JournalLimits { zone: 1000, all: 1500 }, ..open() };
    let primary = primary(settings, hasty());
    let mut version = image(APEX, 1, "192.0.2.1", 100);
    primary.publisher.put(version.clone()).expect("newer");
    let since = |held| read_transfer(&mut ask(primary.address(), &transfer_query(APEX, Some(held)))).0;
    for serial in 2..=20 {
        version = next(&version, serial, &format!("192.0.2.{serial}"));
        primary.publisher.put(version.clone()).expect("newer");
        eventually("the journal", || since(serial - 1).len() == 4);
    }
    assert!(primary.transfers.journal_octets() <= 1000);
    assert_eq!(since(1), [20, 20]);
    primary.publisher.put(image(APEX, 21, "192.0.2.1", 0)).expect("newer");
    eventually("the journal", || primary.transfers.journal_octets() == 0);
    assert_eq!(since(20), [21, 21]);
    primary.stop().await;
}

/// RFC 5936 §2.2: one version from the first message to the last.
#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_changes_during_its_transfer_is_sent_as_it_was() {
    let primary = primary(open(), hasty());
    primary.publisher.put(image(APEX, 1, "192.0.2.1", 100_000)).expect("newer");
    let mut stream = ask(primary.address(), &transfer_query(APEX, None));
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("it has begun");
    primary.publisher.put(image(APEX, 2, "192.0.2.2", 3)).expect("newer");
    let mut first = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut first).expect("a message");
    let first = Message::from_vec(&first).expect("a message");
    // What is in the first message is counted, and the SOA that began it put before the rest.
    let mut count = first.answers.len();
    let last = loop {
        let message = read_framed(&mut stream);
        count += message.answers.len();
        if let Some(hickory_proto::rr::RData::SOA(soa)) = message.answers.last().map(|record| &record.data) {
            break soa.serial;
        }
    };
    assert_eq!((count, last), (2 + 100_000 + 3 + 12, 1));
    assert_eq!(read_transfer(&mut ask(primary.address(), &transfer_query(APEX, None))).0, [2, 2]);
    primary.stop().await;
}

/// Who takes nothing is cut off as every slow reader, and gives its place to others.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_cut_off() {
    let settings = transfer::Settings { transfers: 1, ..open() };
    let tcp = TcpLimits { write: Duration::from_millis(100), ..TcpLimits::default() };
    let primary = primary(settings, Settings { tcp, ..hasty() });
    primary.publisher.put(image(APEX, 1, "192.0.2.1", 20_000)).expect("newer");
    // More than the kernel keeps for both of them: half a megabyte, forty times.
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    silent.set_recv_buffer_size(4096).expect("sets");
    silent.connect(&primary.address().into()).expect("connects");
    silent.send(&framed(&transfer_query(APEX, None)).repeat(40)).expect("sends");
    eventually("the cut", || primary.server.traffic.closed(Transport::Tcp, Closed::SlowReader) == 1);
    assert_eq!(read_transfer(&mut ask(primary.address(), &transfer_query(APEX, None))).0, [1, 1]);
    drop(silent);
    assert_eq!(primary.server.traffic.totals(Transport::Tcp).unanswered, 0);
    primary.stop().await;
}

/// Who asks for the same zone on many connections and takes none of it waits for himself.
#[tokio::test(flavor = "multi_thread")]
async fn attack_a_hoard_of_transfers() {
    let settings = transfer::Settings { transfers: 2, transfers_per_client: 1, ..open() };
    let tcp = TcpLimits { write: PATIENCE, ..TcpLimits::default() };
    let primary = primary(settings, Settings { tcp, ..hasty() });
    primary.publisher.put(image(APEX, 1, "192.0.2.1", 30_000)).expect("newer");
    let hoard: Vec<Socket> = (0..8)
        .map(|_| {
            let silent = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            silent.set_recv_buffer_size(4096).expect("sets");
            silent.connect(&primary.address().into()).expect("connects");
            // More than the kernel keeps: three quarters of a megabyte, forty times.
            silent.send(&framed(&transfer_query(APEX, None)).repeat(40)).expect("sends");
            silent
        })
        .collect();
    eventually("the first has its place", || primary.transfers.sent()[0] == 1);
    let mut other = connect_from("127.0.0.2", primary.address());
    other.write_all(&framed(&transfer_query(APEX, None))).expect("sends");
    assert_eq!(read_transfer(&mut other).0, [1, 1]);
    assert!(primary.transfers.sent()[0] < 8 * 40, "the hoard still has its place");
    drop(hoard);
    primary.stop().await;
}
