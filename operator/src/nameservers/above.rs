//! What the zone above says of a zone: whether it is signed there (DS), and which nameservers it delegates it to.
//!
//! ```text
//! NS of each name above, by the recursive server of the system ──▶ nameservers of the zone above
//! DS of the zone ──▶ each of them, with authority (RFC 4035 §3.1.4.1): it is theirs, not the zone's own
//! NS of the zone ──▶ each of them: a referral, with glue (RFC 1034 §4.2.1)
//! ```
//!
//! They are asked themselves and no cache, so the TTLs are whole: caches may have for as long what changes now. What one of
//! several still says counts: it is what some of the world is told.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use bytes::Bytes;
use domain::base::iana::Rcode;
use domain::base::{Message, ToName, Ttl};
use domain::rdata::{A, Aaaa, Ds, Ns, Soa};
use port53_crds::MAX_TTL;
use port53_zone::{Name, Rtype, name};

use super::delegation::{Asker, TRIED, ask, is};

/// What the zone above says of a zone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Above {
    /// Its DS, each as text: `12345 13 2 0123…`.
    pub ds: BTreeSet<String>,
    /// The TTL of these in seconds, the longest.
    pub ds_ttl: u32,
    /// The nameservers that it delegates to.
    pub nameservers: BTreeSet<Name>,
    /// The TTL of these and of their glue in seconds, the longest.
    pub ttl: u32,
}

/// What is said of a zone, by these nameservers of the zone above, or by those that the system's recursive server knows.
///
/// # Errors
/// In words, when none of them says anything with authority.
pub async fn above(apex: &Name, servers: &[SocketAddr]) -> Result<Above, String> {
    if apex.is_root() {
        // There is none, and no DS.
        return Ok(Above::default());
    }
    let found;
    let servers = match servers {
        [] => {
            let asker =
                Asker::of_system().ok_or("the operator's pod has no nameserver in /etc/resolv.conf")?;
            found = asker.above(apex).await?;
            &found[..]
        }
        servers => servers,
    };
    let mut all: Option<Above> = None;
    let mut last = format!("no nameserver of the zone above {} has an address", name::display(apex));
    for server in servers {
        match said_by(*server, apex).await {
            Ok(said) => all = Some(all.map_or(said.clone(), |all| all.and(said))),
            Err(why) => last = why,
        }
    }
    all.ok_or(last)
}

impl Above {
    fn and(mut self, other: Self) -> Self {
        self.ds.extend(other.ds);
        self.nameservers.extend(other.nameservers);
        Above { ds_ttl: self.ds_ttl.max(other.ds_ttl), ttl: self.ttl.max(other.ttl), ..self }
    }
}

impl Asker {
    /// Addresses of nameservers of the zone above another.
    ///
    /// # Errors
    /// In words, when it cannot be asked or knows none.
    pub async fn above(&self, apex: &Name) -> Result<Vec<SocketAddr>, String> {
        for suffix in apex.iter_suffixes().skip(1) {
            let nameservers = self.nameservers(&suffix).await?;
            let mut servers = Vec::new();
            for hostname in nameservers.iter().take(TRIED) {
                let addresses = self.addresses(hostname).await.unwrap_or_default();
                servers.extend(addresses.first().map(|address| SocketAddr::new(*address, self.port)));
            }
            if !nameservers.is_empty() {
                return Ok(servers);
            }
        }
        Err(format!("{} knows no zone above {}", self.recursive, name::display(apex)))
    }
}

async fn said_by(server: SocketAddr, apex: &Name) -> Result<Above, String> {
    let mut above = Above::default();
    let answer = ask(server, apex, Rtype::DS, false).await?;
    above.take_ds(&answer, apex).map_err(|why| format!("{server} {why}"))?;
    let answer = ask(server, apex, Rtype::NS, false).await?;
    above.take_nameservers(&answer, apex).map_err(|why| format!("{server} {why}"))?;
    Ok(above)
}

impl Above {
    /// Reads the answer to the question for DS.
    fn take_ds(&mut self, answer: &Message<Bytes>, apex: &Name) -> Result<(), String> {
        let domain = name::display(apex);
        match answer.header().rcode() {
            Rcode::NOERROR | Rcode::NXDOMAIN if answer.header().aa() => {}
            Rcode::NOERROR | Rcode::NXDOMAIN => {
                return Err(format!("has no authority over the zone above {domain}"));
            }
            rcode => return Err(format!("answers {rcode} for {domain} DS")),
        }
        // One that has the zone itself and not the one above denies it in its own name.
        let authority = answer.authority().map_err(|error| error.to_string())?;
        let denied = authority.limit_to::<Soa<_>>().filter_map(Result::ok).any(|soa| is(soa.owner(), apex));
        if denied {
            return Err(format!("has {domain} and not the zone above it"));
        }
        let records = answer.answer().map_err(|error| error.to_string())?.limit_to::<Ds<_>>();
        for record in records.filter_map(Result::ok).filter(|record| is(record.owner(), apex)) {
            // As most write the digest.
            self.ds.insert(record.data().to_string().to_uppercase());
            self.ds_ttl = self.ds_ttl.max(seconds(record.ttl()));
        }
        Ok(())
    }

    /// Reads the answer to the question for NS: a referral, or what one says that has both zones.
    fn take_nameservers(&mut self, answer: &Message<Bytes>, apex: &Name) -> Result<(), String> {
        if !matches!(answer.header().rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
            return Err(format!("answers {} for {} NS", answer.header().rcode(), name::display(apex)));
        }
        for section in [answer.answer(), answer.authority()].into_iter().flatten() {
            let records = section.limit_to::<Ns<_>>().filter_map(Result::ok);
            for record in records.filter(|record| is(record.owner(), apex)) {
                self.nameservers.insert(record.data().nsdname().to_name());
                self.ttl = self.ttl.max(seconds(record.ttl()));
            }
        }
        let is_of = |owner: Name| self.nameservers.contains(&owner);
        let Ok(additional) = answer.additional() else { return Ok(()) };
        let v4 = additional.limit_to::<A>().filter_map(Result::ok);
        let v4 = v4.filter(|record| is_of(record.owner().to_name())).map(|record| record.ttl());
        let v6 = additional.limit_to::<Aaaa>().filter_map(Result::ok);
        let v6 = v6.filter(|record| is_of(record.owner().to_name())).map(|record| record.ttl());
        let longest = v4.chain(v6).map(seconds).max().unwrap_or_default();
        self.ttl = self.ttl.max(longest);
        Ok(())
    }
}

/// One with the highest bit set is none (RFC 2181 §8).
fn seconds(ttl: Ttl) -> u32 {
    Some(ttl.as_secs()).filter(|seconds| *seconds <= MAX_TTL).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A response about example.com, with AA or not, with these records in its sections as far as they are any.
    fn response(flags: u8, counts: [u8; 3], records: &[u8]) -> Message<Bytes> {
        let mut octets = vec![0, 1, 0x80 | flags, 0, 0, 1, 0, counts[0], 0, counts[1], 0, counts[2]];
        octets.extend(b"\x07example\x03com\x00\x00\x2b\x00\x01");
        octets.extend(records);
        Message::from_octets(Bytes::from(octets)).expect("a header")
    }

    fn record(rtype: u8, ttl: u32, value: &[u8]) -> Vec<u8> {
        let length = (value.len() as u16).to_be_bytes();
        [&[0xc0, 12, 0, rtype, 0, 1][..], &ttl.to_be_bytes(), &length, value].concat()
    }

    const DS: u8 = 43;
    const NS: u8 = 2;

    #[test]
    fn a_ttl_with_the_highest_bit_set_is_none() {
        let apex = name::parse_absolute("example.com").expect("a name");
        for (ttl, expected) in [(60, 60), (MAX_TTL, MAX_TTL), (MAX_TTL + 1, 0), (u32::MAX, 0)] {
            let mut above = Above::default();
            let records = record(DS, ttl, &[0, 1, 13, 2, 0xab]);
            above.take_ds(&response(4, [1, 0, 0], &records), &apex).expect("it has authority");
            assert_eq!((above.ds_ttl, above.ds), (expected, BTreeSet::from(["1 13 2 AB".to_owned()])));
        }
    }

    proptest! {
        /// Whatever is said, it is read or refused.
        #[test]
        fn any_octets_are_read_or_refused(
            flags in 0..8u8,
            counts in any::<[u8; 3]>(),
            records in proptest::collection::vec(any::<u8>(), 0..200),
            kinds in proptest::collection::vec((prop_oneof![Just(DS), Just(NS), any::<u8>()], any::<u32>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..4),
        ) {
            let apex = name::parse_absolute("example.com").expect("a name");
            let whole: Vec<u8> = kinds.iter().flat_map(|(rtype, ttl, value)| record(*rtype, *ttl, value)).collect();
            for octets in [records, whole] {
                let message = response(flags, counts, &octets);
                let mut above = Above::default();
                let read = above.take_ds(&message, &apex);
                prop_assert!(read.is_err() || flags & 4 != 0, "it has no authority");
                let _ = above.take_nameservers(&message, &apex);
                prop_assert!(above.ttl <= MAX_TTL && above.ds_ttl <= MAX_TTL);
            }
        }
    }
}
