//! A connection over TCP: messages with their lengths, in pieces of any size, cut off anywhere.
//!
//! The first octet of an input is how large the pieces are; the others are what a client sends. Each whole message
//! that is no response must be answered, in order, by messages that can be read; the connection ends.

use arc_swap::ArcSwap;
use domain::base::Message;
use port53_resolver::serve::{self, Settings};
use port53_resolver::traffic::Traffic;
use port53_resolver::transfer::{Policy, Settings as TransferSettings, Transfers};
use port53_secondaries::keys::{Key, Keys};
use port53_secondaries::tsig::Asked;
use port53_zone::content::Content;
use port53_zone::image::{Image, ZoneState, Zones};
use port53_zone::rdata::parse_value;
use port53_zone::transfer::{self, Request};
use port53_zone::{RRset, Rtype, Soa, name};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HEADER: usize = 12;
/// Octets on their way, each way.
const WAY: usize = 1 << 16;

/// Runs one input.
///
/// # Panics
/// When an answer is missing, or is none.
pub fn run(input: &[u8]) {
    let Some((&pieces, sent)) = input.split_first() else { return };
    let (zones, settings) = served();
    let traffic = Arc::new(Traffic::default());
    let (mut ours, theirs) = tokio::io::duplex(WAY);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let received = runtime.block_on(async {
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let serving = serve::converse(theirs, client, zones, settings, &traffic);
        let talking = async move {
            let (mut reading, mut writing) = tokio::io::split(&mut ours);
            let mut received = Vec::new();
            let send = async {
                for piece in sent.chunks(usize::from(pieces).max(1)) {
                    // It may have had enough.
                    if writing.write_all(piece).await.is_err() {
                        return;
                    }
                }
                let _ = writing.shutdown().await;
            };
            let (_, read) = tokio::join!(send, reading.read_to_end(&mut received));
            read.expect("its end");
            received
        };
        tokio::join!(serving, talking).1
    });
    let (answers, rest) = framed(&received);
    assert!(rest.is_empty(), "it ends within a message");
    let mut answered = Vec::new();
    for answer in answers {
        let message = Message::from_octets(answer).expect("a message");
        assert!(message.header().qr());
        assert!(
            message.question().all(|question| question.is_ok())
                && message.iter().all(|record| record.is_ok())
        );
        answered.push(message.header().id());
    }
    let (queries, _) = framed(sent);
    for query in queries.iter().filter(|query| transfer::is_ordinary(query)) {
        assert!(matches!(Asked::read(query), Asked::Unsigned) && Request::read(query).is_none());
    }
    let whole = queries.iter().take_while(|query| query.len() >= HEADER);
    let mut asked: Vec<u16> = whole
        .filter(|query| query[2] & 0x80 == 0)
        .map(|query| u16::from_be_bytes([query[0], query[1]]))
        .collect();
    // A transfer has several.
    asked.dedup();
    answered.dedup();
    assert_eq!(asked, answered);
}

/// Whole messages, and what is after them.
fn framed(mut octets: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut messages = Vec::new();
    while let Some((length, rest)) = octets.split_first_chunk::<2>()
        && let Some((message, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
    {
        messages.push(message);
        octets = rest;
    }
    (messages, octets)
}

/// A zone that everyone may transfer, and a key.
fn served() -> &'static (Arc<ArcSwap<Zones>>, Settings) {
    static SERVED: OnceLock<(Arc<ArcSwap<Zones>>, Settings)> = OnceLock::new();
    SERVED.get_or_init(|| {
        let apex = name::parse_absolute("a.").expect("a name");
        let rrset = |owner: &str, rtype: Rtype, value: &str| {
            let owner = name::parse(owner, &apex).expect("a name");
            (RRset::new(owner, rtype, 60, [parse_value(rtype, value).expect("a value")]), None)
        };
        let long = format!("\"{}\"", "x".repeat(250));
        let rrsets = [
            rrset("@", Rtype::NS, "ns.a."),
            rrset("b", Rtype::A, "192.0.2.1"),
            rrset("*", Rtype::TXT, &long),
            rrset("c", Rtype::CNAME, "b.a."),
        ];
        let content = Content::build(apex.clone(), [7; 16], rrsets).expect("a content");
        let (primary, contact) = (apex.clone(), apex.clone());
        let soa = Soa { primary, contact, serial: 7, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 };
        let image = Arc::new(Image::new(content, soa));
        let zones = Zones::default().put(&apex, ZoneState::Serving(image));
        let policy = Policy { allow: vec!["0.0.0.0/0".parse().expect("an entry")], notify: Vec::new() };
        let key = Key::parse("k", "hmac-sha256:c2VjcmV0").expect("a key");
        let settings = TransferSettings { policy, ..TransferSettings::default() };
        let transfers = Arc::new(Transfers::new(settings, Keys::new([key])));
        (Arc::new(ArcSwap::from_pointee(zones)), Settings { transfers, ..Settings::default() })
    })
}
