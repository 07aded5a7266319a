//! A legacy server that lies, and therefore is one of the tests' own: over TCP it says what a test has it say, signed where
//! the query was. What it does not lie about it can pass on to a real server.

use crate::legacy::Holder;
use port53_secondaries::keys::{Key, Keys};
use port53_secondaries::now;
use port53_secondaries::tsig::{Asked, Signer};
use port53_zone::image::Image;
use port53_zone::transfer::{Request, Sequence};
use port53_zone::{Record, Rtype, Soa, name};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::thread;

/// Octets of the header (RFC 1035 §4.1.1).
const HEADER: usize = 12;
/// RFC 2136 §1.3.
const UPDATE: u8 = 5;
/// The class of records.
const IN: usize = 1;

/// What it does after what it said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Then {
    /// It closes the connection.
    Closes,
    /// It says nothing more, and keeps it.
    IsSilent,
}

/// What it says to a query without TSIG, and what signs that.
type Says = dyn Fn(&[u8], Option<&mut Signer>) -> Vec<Vec<u8>> + Send + Sync;

/// Listens, and answers every connection's first query so, until the process ends. Who signs is [`Holder::Mover`].
///
/// # Panics
/// When there is no port for it.
pub fn listen(
    then: Then,
    says: impl Fn(&[u8], Option<&mut Signer>) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let says: Arc<Says> = Arc::new(says);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, says) = (stream.expect("a connection"), says.clone());
            thread::spawn(move || answer(stream, then, &*says));
        }
    });
    address
}

/// The same, where each message is signed rightly.
///
/// # Panics
/// When there is no port for it.
pub fn listen_signing(
    then: Then,
    says: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    listen(then, move |query, signer| {
        let mut messages = says(query);
        if let Some(signer) = signer {
            assert!(messages.iter_mut().all(|message| signer.sign(message, now())), "room for a signature");
        }
        messages
    })
}

fn answer(mut stream: TcpStream, then: Then, says: &Says) {
    // Who is asked nothing has nothing to say.
    let Some(query) = receive(&mut stream) else { return };
    let messages = match Asked::read(&query) {
        Asked::Signed(tsig) => {
            let key = Key::parse(Holder::Mover.name(), &Holder::Mover.text()).expect("a key");
            let mut verified = tsig.verify(&Keys::new([key]), now()).unwrap_or_else(|_| panic!("its key"));
            says(&verified.message, Some(&mut verified.signer))
        }
        _ => says(&query, None),
    };
    for message in messages {
        // The other side may have left already: that is its right.
        if !send(&mut stream, &message) {
            return;
        }
    }
    if then == Then::IsSilent {
        // Until the other side closes it.
        let _ = stream.read(&mut [0]);
    }
}

/// A message with its length before it (RFC 1035 §4.2.2).
fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

fn send(stream: &mut TcpStream, message: &[u8]) -> bool {
    let framed = [&(message.len() as u16).to_be_bytes()[..], message].concat();
    stream.write_all(&framed).is_ok()
}

/// The zone as an honest server sends it to who asks for a transfer, in messages of so many octets.
///
/// # Panics
/// When it is not asked for a transfer.
pub fn whole(query: &[u8], image: &Arc<Image>, octets: usize) -> Vec<Vec<u8>> {
    let request = Request::read(query).expect("a request for a transfer");
    let mut sequence = Sequence::whole(request, image.clone());
    let (mut messages, mut out) = (Vec::new(), Vec::new());
    while sequence.next_into(&mut out, octets) {
        messages.push(out.split_off(2));
        out.clear();
    }
    messages
}

/// A response of NOERROR with these records, whatever zone they are of.
///
/// # Panics
/// When `query` asks nothing.
pub fn respond(query: &[u8], records: &[Record]) -> Vec<u8> {
    let (_, end) = name::from_message(query, HEADER).expect("a question");
    // QR and AA; RD as it was asked.
    let mut message = [&query[..2], &[0x84 | query[2] & 0x79, 0], &[0, 1], &[0; 6]].concat();
    message[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
    message.extend(&query[HEADER..end + 4]);
    for record in records {
        let rdata = record.rdata.as_slice();
        message.extend(record.name.as_slice());
        message.extend(record.rtype.to_int().to_be_bytes());
        message.extend([0, 1]);
        message.extend(record.ttl.to_be_bytes());
        message.extend((rdata.len() as u16).to_be_bytes());
        message.extend(rdata);
    }
    message
}

/// The type that is asked for, if this is a query.
pub fn asked_for(query: &[u8]) -> Option<Rtype> {
    let (_, end) = name::from_message(query, HEADER)?;
    let rtype = query.get(end..end + 2)?;
    (opcode(query) == 0).then(|| Rtype::from_int(u16::from_be_bytes([rtype[0], rtype[1]])))
}

fn opcode(message: &[u8]) -> u8 {
    message[2] >> 3 & 0x0f
}

/// The SOA as a record of the zone that `query` is about.
///
/// # Panics
/// When it is about none.
pub fn soa_of(query: &[u8], soa: &Soa) -> Record {
    let (name, _) = name::from_message(query, HEADER).expect("a question");
    Record { name, rtype: Rtype::SOA, ttl: soa.ttl, rdata: soa.rdata() }
}

/// What a real server says to this, as [`Holder::Mover`] asks it: the first message of it.
///
/// # Panics
/// When it says nothing.
pub fn pass_on(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let mut query = query.to_vec();
    let mut signer = Signer::of_query(Holder::Mover.key(), now());
    assert!(signer.sign(&mut query, now()), "room for a signature");
    let mut stream = TcpStream::connect(server).expect("a connection");
    assert!(send(&mut stream, &query), "{server} takes no query");
    let mut answer = receive(&mut stream).expect("an answer");
    assert!(signer.is_right(&answer, now()), "{server} does not sign its answer: {answer:?}");
    unsign(&mut answer);
    answer
}

/// Takes the TSIG from a message.
pub fn unsign(message: &mut Vec<u8>) {
    let octets = Signer::of_query(Holder::Mover.key(), now()).octets();
    message.truncate(message.len() - octets);
    message[11] -= 1;
}

/// Where the records stand that an UPDATE adds (RFC 2136 §2.5.1), each with its value; none in any other message.
fn added(message: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    if opcode(message) != UPDATE {
        return Vec::new();
    }
    let count = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
    let name_ends = |at: usize| name::from_message(message, at).expect("a name").1;
    let mut at = name_ends(HEADER) + 4;
    let mut records = Vec::new();
    for _ in 0..count(6) + count(8) {
        let value = name_ends(at) + 10;
        let end = value + count(value - 2);
        records.push((at..end, value..end));
        at = end;
    }
    let changes = records.split_off(count(6)).into_iter();
    // What is removed is of class NONE or ANY.
    changes.filter(|(_, value)| count(value.start - 8) == IN).collect()
}

/// An UPDATE without what it adds of this value; any other message as it is.
pub fn without_value(message: &[u8], value: &[u8]) -> Vec<u8> {
    let mut left = message.to_vec();
    // From the end, so that what is before stays where it is.
    for (record, _) in added(message).into_iter().rev().filter(|(_, of)| &message[of.clone()] == value) {
        left.drain(record);
        let count = u16::from_be_bytes([left[8], left[9]]) - 1;
        left[8..10].copy_from_slice(&count.to_be_bytes());
    }
    left
}

/// Whether an UPDATE adds this value.
pub fn adds_value(message: &[u8], value: &[u8]) -> bool {
    added(message).iter().any(|(_, of)| &message[of.clone()] == value)
}

/// NOERROR to an UPDATE (RFC 2136 §3.8), whatever came of it.
pub fn noerror(update: &[u8]) -> Vec<u8> {
    [&update[..2], &[0x80 | UPDATE << 3, 0], &[0; 8]].concat()
}
