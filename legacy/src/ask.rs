//! Questions, and what an answer says of a zone's own records.

use crate::connection::Signatures;
use crate::message::{Asked, IN, Message, Raw, Section, ttl};
use crate::trouble::{Attempt, Step, Trouble, Wrong};
use domain::base::iana::Rcode;
use port53_secondaries::keys::Key;
use port53_zone::{Name, RRset, Rtype, Soa, name};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// How often a datagram is sent in the time that an answer is waited for: each may be lost.
const SENDINGS: u32 = 3;
/// Octets of the largest datagram that is read. Without EDNS none is larger than 512, but for a server that errs.
const DATAGRAM: usize = 4096;

/// What a question goes over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// A datagram each way. What does not fit has TC.
    Udp,
    /// A connection.
    Tcp,
}

/// The SOA of the apex in an answer.
pub(crate) fn soa(answer: &[u8], apex: &Name) -> Result<Soa, Wrong> {
    let message = Message::read(answer)?;
    let records = own_records(&message, apex)?;
    let soa = records.iter().find(|record| record.rtype == Rtype::SOA && record.name == *apex);
    soa.ok_or_else(|| Wrong::NotAuthoritative(name::display(apex)))?.soa(&message)
}

/// The RRset that an answer has; `None` when it says that there is none.
pub(crate) fn rrset(answer: &[u8], apex: &Name, name: &Name, rtype: Rtype) -> Result<Option<RRset>, Wrong> {
    let message = Message::read(answer)?;
    let records = own_records(&message, apex)?;
    let mut found: Option<(Name, u32)> = None;
    let mut values = Vec::new();
    for record in records.iter().filter(|record| record.rtype == rtype && record.name == *name) {
        let value = record.value(&message)?.map_err(|_| Wrong::Malformed("a value is none of its type"))?;
        let lowest = found.map_or(ttl(record.ttl), |(_, other)| other.min(ttl(record.ttl)));
        found = Some((record.name.clone(), lowest));
        values.push(value);
    }
    if let Some((name, ttl)) = found {
        return Ok(Some(RRset::new(name, rtype, ttl, values)));
    }
    match records.is_empty() {
        true => Ok(None),
        // Nothing of the type, and yet something: a CNAME at the name, or a DNAME above it.
        false => Err(Wrong::Alias(name::display(name))),
    }
}

/// The answer section of an authoritative answer of the zone; empty when there is no such name or type.
fn own_records(message: &Message<'_>, apex: &Name) -> Result<Vec<Raw>, Wrong> {
    if !matches!(message.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
        return Err(Wrong::Refused { rcode: message.rcode(), said: None });
    }
    let records: Vec<Raw> = message.records(Section::Answer).collect::<Result<_, _>>()?;
    if let Some(record) = records.iter().find(|record| record.class != IN) {
        return Err(Wrong::Class(record.class));
    }
    let authority: Vec<Raw> = message.records(Section::Authority).collect::<Result<_, _>>()?;
    let of = |rtype| authority.iter().find(move |record| record.rtype == rtype);
    let is_cut = |record: &&Raw| record.name != *apex && record.name.ends_with(apex);
    if !message.is_authoritative() {
        return Err(match of(Rtype::NS).filter(is_cut) {
            Some(cut) if records.is_empty() => Wrong::Delegated(name::display(&cut.name)),
            _ => Wrong::NotAuthoritative(name::display(apex)),
        });
    }
    // RFC 2308 §2: the SOA beside nothing is that of the zone which says so.
    match of(Rtype::SOA) {
        Some(soa) if records.is_empty() && soa.name != *apex => {
            Err(Wrong::AnotherZone(name::display(&soa.name)))
        }
        _ => Ok(records),
    }
}

/// Asks over UDP, from a port of its own. What is not an answer to the question is as if it had not come.
pub(crate) async fn over_udp(
    query: &[u8],
    addresses: &[SocketAddr],
    key: Option<&Arc<Key>>,
    wait: Duration,
) -> Result<Vec<u8>, Trouble> {
    let mut attempts = Vec::new();
    for &address in addresses {
        match one_over_udp(query, address, key, wait).await {
            Ok(answer) => {
                return answer.map_err(|wrong| Trouble::Server { address, step: Step::Question, wrong });
            }
            Err(error) => attempts.push(Attempt { address, why: error.to_string() }),
        }
    }
    Err(Trouble::Unreachable(attempts))
}

async fn one_over_udp(
    query: &[u8],
    address: SocketAddr,
    key: Option<&Arc<Key>>,
    wait: Duration,
) -> io::Result<Result<Vec<u8>, Wrong>> {
    let local: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((local, 0)).await?;
    socket.connect(address).await?;
    let mut buffer = vec![0; DATAGRAM];
    let mut last = Wrong::TimedOut(wait);
    let (signed, mut signatures) = match Signatures::sign(query, key) {
        Ok(signed) => signed,
        Err(wrong) => return Ok(Err(wrong)),
    };
    for _ in 0..SENDINGS {
        socket.send(&signed).await?;
        let due = Instant::now() + wait / SENDINGS;
        while let Ok(received) = timeout_at(due, socket.recv(&mut buffer)).await {
            let answer = &buffer[..received?];
            let checked = Message::read(answer).and_then(|message| message.check(query, Asked::OverUdp));
            if checked.is_err() {
                continue;
            }
            match signatures.take(answer) {
                Ok(()) => return Ok(Ok(answer.to_vec())),
                Err(wrong) => last = wrong,
            }
        }
    }
    Ok(Err(last))
}
