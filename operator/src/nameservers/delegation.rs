//! What the world is told of nameservers: the addresses by which the zone above delegates to them, or, where it says none,
//! those that their hostnames have.
//!
//! ```text
//! hostname ──NS of each suffix, by the recursive server of the system──▶ its zone, and the zone above
//!          ──A, AAAA──▶ a nameserver of the zone above: a referral has them as glue (RFC 1034 §4.2.1)
//! ```

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use domain::base::iana::{Class, Rcode};
use domain::base::{Message, MessageBuilder, ToName};
use domain::rdata::{A, Aaaa, Ns};
use port53_zone::{Name, Rtype, name};
use tokio::time::timeout;

use crate::proof::ask;

/// How long an answer is waited for, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Nameservers of the zone above that are tried.
const TRIED: usize = 3;
/// Where the system says whom to ask.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Who is asked.
#[derive(Clone, Debug)]
pub struct Asker {
    /// A recursive nameserver.
    pub recursive: SocketAddr,
    /// The port of all others: 53 but in tests.
    pub port: u16,
}

/// What is told of a hostname.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Told {
    /// Its addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// The zone above that says so; nothing where they are those that the hostname has.
    pub by: Option<String>,
}

impl Asker {
    /// That of the system, if it names one.
    pub fn of_system() -> Option<Self> {
        let text = std::fs::read_to_string(RESOLV_CONF).ok()?;
        let server =
            text.lines().find_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok());
        Some(Asker { recursive: SocketAddr::new(server?, 53), port: 53 })
    }

    /// What is told of a hostname.
    ///
    /// # Errors
    /// In words, when it cannot be asked.
    pub async fn ask(&self, hostname: &Name) -> Result<Told, String> {
        let mut cuts = Vec::new();
        for suffix in hostname.iter_suffixes() {
            if !self.nameservers(&suffix).await?.is_empty() {
                cuts.push(suffix);
                if cuts.len() == 2 {
                    break;
                }
            }
        }
        if let [_, above] = &cuts[..] {
            let glue = self.glue(hostname, above).await?;
            if !glue.is_empty() {
                return Ok(Told { addresses: glue, by: Some(name::display(above)) });
            }
        }
        Ok(Told { addresses: self.addresses(hostname).await?, by: None })
    }

    /// What nameservers of `above` say of a hostname below a cut of theirs.
    async fn glue(&self, hostname: &Name, above: &Name) -> Result<BTreeSet<IpAddr>, String> {
        for server in self.nameservers(above).await?.iter().take(TRIED) {
            for address in self.addresses(server).await? {
                let server = SocketAddr::new(address, self.port);
                let mut found = BTreeSet::new();
                for rtype in [Rtype::A, Rtype::AAAA] {
                    if let Ok(answer) = ask(server, hostname, rtype, false).await {
                        found.extend(addresses_of(&answer, hostname));
                    }
                }
                if !found.is_empty() {
                    return Ok(found);
                }
            }
        }
        Ok(BTreeSet::new())
    }

    /// The NS of a name, where it is the apex of a zone. One that cannot be looked up is none: what is above or below may.
    async fn nameservers(&self, apex: &Name) -> Result<Vec<Name>, String> {
        let answer = ask(self.recursive, apex, Rtype::NS, true).await?;
        let records = answer.answer().map_err(|error| error.to_string())?.limit_to::<Ns<_>>();
        let all = records.filter_map(Result::ok).filter(|record| is(record.owner(), apex));
        Ok(all.map(|record| record.data().nsdname().to_name()).collect())
    }

    async fn addresses(&self, hostname: &Name) -> Result<BTreeSet<IpAddr>, String> {
        let mut all = BTreeSet::new();
        for rtype in [Rtype::A, Rtype::AAAA] {
            let answer = ask(self.recursive, hostname, rtype, true).await?;
            match answer.header().rcode() {
                Rcode::NOERROR | Rcode::NXDOMAIN => all.extend(addresses_of(&answer, hostname)),
                rcode => {
                    let hostname = name::display(hostname);
                    return Err(format!("{} answers {rcode} for {hostname}", self.recursive));
                }
            }
        }
        Ok(all)
    }
}

/// Asks one question.
async fn ask(
    server: SocketAddr,
    name: &Name,
    rtype: Rtype,
    is_recursive: bool,
) -> Result<Message<Bytes>, String> {
    let mut query = MessageBuilder::new_vec();
    query.header_mut().set_id(fastrand::u16(..));
    query.header_mut().set_rd(is_recursive);
    let mut query = query.question();
    // A vector takes whatever it is given.
    let _ = query.push((name, rtype, Class::IN));
    let query = query.finish();
    let mut last = format!("{server} does not answer");
    for _ in 0..ATTEMPTS {
        match timeout(PATIENCE, ask::exchange(server, &query)).await {
            Ok(Ok(octets)) => {
                return Message::from_octets(Bytes::from(octets)).map_err(|error| error.to_string());
            }
            Ok(Err(error)) => last = format!("{server} cannot be asked: {error}"),
            Err(_) => {}
        }
    }
    Err(last)
}

/// The addresses that a message has of a name, in whichever section.
fn addresses_of(message: &Message<Bytes>, hostname: &Name) -> BTreeSet<IpAddr> {
    let mut all = BTreeSet::new();
    let sections = [message.answer(), message.additional()];
    for section in sections.into_iter().flatten() {
        let v4 = section.limit_to::<A>().filter_map(Result::ok);
        let v4 = v4.filter(|record| is(record.owner(), hostname));
        all.extend(v4.map(|record| IpAddr::from(record.data().addr())));
        let v6 = section.limit_to::<Aaaa>().filter_map(Result::ok);
        let v6 = v6.filter(|record| is(record.owner(), hostname));
        all.extend(v6.map(|record| IpAddr::from(record.data().addr())));
    }
    all
}

fn is(owner: impl ToName, name: &Name) -> bool {
    owner.name_eq(name)
}

/// What is to be said of what the world is told: nothing where all is as the Services have it.
///
/// Each nameserver with its hostname, the addresses of its Service from outside, and what is told of it.
pub fn differences(asked: &[(String, BTreeSet<IpAddr>, Told)]) -> Vec<String> {
    let list = |addresses: &BTreeSet<IpAddr>| match addresses.is_empty() {
        true => "no address".to_owned(),
        false => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
    };
    let one = |(hostname, own, told): &(String, BTreeSet<IpAddr>, Told)| {
        let by = match &told.by {
            Some(above) => format!("the zone {above} delegates to {hostname} at"),
            None => format!("{hostname} has"),
        };
        let where_ = match &told.by {
            Some(_) => "the glue there",
            None => "its records",
        };
        (told.addresses != *own).then(|| {
            format!(
                "{by} {}, and its Service has {}: correct {where_}, or give the Service that address",
                list(&told.addresses),
                list(own)
            )
        })
    };
    asked.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> BTreeSet<IpAddr> {
        all.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn what_differs_is_said() {
        let told =
            |all: &[&str], by: Option<&str>| Told { addresses: addresses(all), by: by.map(str::to_owned) };
        let one = |own: &[&str], told| ("ns1.example.net".to_owned(), addresses(own), told);
        assert_eq!(
            differences(&[
                one(&["192.0.2.1", "2001:db8::1"], told(&["192.0.2.1", "2001:db8::1"], None)),
                one(&["192.0.2.1"], told(&["192.0.2.7"], Some("net."))),
                one(&["192.0.2.1"], told(&[], None)),
            ]),
            [
                "the zone net. delegates to ns1.example.net at 192.0.2.7, and its Service has 192.0.2.1: correct the glue \
                 there, or give the Service that address",
                "ns1.example.net has no address, and its Service has 192.0.2.1: correct its records, or give the Service \
                 that address",
            ]
        );
    }
}
