//! What the world is told of nameservers: the addresses by which the zone above delegates to them, where it says any, and
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
use domain::base::iana::Rcode;
use domain::base::{Message, ToName};
use domain::rdata::{A, Aaaa, Ns};
use port53_zone::{Name, Rtype, name};
use tokio::time::timeout;

use super::Outside;
use super::report::Delegation;
use crate::proof::ask;

/// How long an answer is waited for, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// Nameservers of the zone above that are tried.
pub(super) const TRIED: usize = 3;
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
    /// The zone above that delegates to it, and the addresses that it says (glue); nothing where it needs to say none.
    pub glue: Option<(String, BTreeSet<IpAddr>)>,
    /// The addresses that its own zone says, which resolvers prefer (RFC 2181 §5.4.1).
    pub own: BTreeSet<IpAddr>,
}

/// What the world is told of nameservers whose Services have these addresses, or names of load balancers.
pub(super) async fn told(outside: &Outside) -> Delegation {
    if outside.is_empty() {
        return Delegation::NotAsked("no Service is of a load balancer".to_owned());
    }
    let Some(asker) = Asker::of_system() else {
        return Delegation::NotAsked("the operator's pod has no nameserver in /etc/resolv.conf".to_owned());
    };
    let (mut asked, mut unknown) = (Vec::new(), Vec::new());
    for (hostname, balancers) in outside {
        if balancers.is_empty() {
            unknown.push(format!("the Service of {hostname} has no address from outside yet"));
            continue;
        }
        match told_of(&asker, hostname, balancers).await {
            Ok((own, told)) => asked.push((hostname.clone(), own, told)),
            Err(why) => unknown.push(format!("{hostname}: {why}")),
        }
    }
    match (differences(&asked), unknown) {
        (none, all) if none.is_empty() && all.is_empty() => Delegation::Matches,
        (none, unknown) if none.is_empty() => Delegation::NotAsked(unknown.join("; ")),
        (differences, unknown) => {
            Delegation::Differs(differences.into_iter().chain(unknown).collect::<Vec<_>>().join("; "))
        }
    }
}

/// The addresses of a Service, and what is told of the hostname.
async fn told_of(
    asker: &Asker,
    hostname: &str,
    balancers: &BTreeSet<String>,
) -> Result<(BTreeSet<IpAddr>, Told), String> {
    let read = |text: &str| name::parse_absolute(text).map_err(|error| error.to_string());
    let mut own = BTreeSet::new();
    for balancer in balancers {
        match balancer.parse() {
            Ok(address) => {
                own.insert(address);
            }
            // A cloud gives a name.
            Err(_) => own.extend(asker.addresses(&read(balancer)?).await?),
        }
    }
    Ok((own, asker.ask(&read(hostname)?).await?))
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
        let glue = match &cuts[..] {
            [_, above] => self.glue(hostname, above).await?.map(|glue| (name::display(above), glue)),
            _ => None,
        };
        Ok(Told { glue, own: self.addresses(hostname).await? })
    }

    /// What a nameserver of `above` says of a hostname below a cut of theirs: nothing where it says so itself, as one that
    /// has both zones does.
    async fn glue(&self, hostname: &Name, above: &Name) -> Result<Option<BTreeSet<IpAddr>>, String> {
        let mut last = format!("no nameserver of {} has an address", name::display(above));
        for server in self.nameservers(above).await?.iter().take(TRIED) {
            for address in self.addresses(server).await? {
                let server = SocketAddr::new(address, self.port);
                match ask(server, hostname, Rtype::A, false).await {
                    Ok(answer) if is_referral(&answer, hostname) => {
                        let glue = addresses_of(&answer, hostname);
                        return Ok((!glue.is_empty()).then_some(glue));
                    }
                    Ok(answer) if answer.header().rcode() == Rcode::NOERROR => return Ok(None),
                    Ok(answer) => last = format!("{server} answers {}", answer.header().rcode()),
                    Err(why) => last = why,
                }
            }
        }
        Err(last)
    }

    /// The NS of a name, where it is the apex of a zone. One that cannot be looked up is none: what is above or below may.
    pub(super) async fn nameservers(&self, apex: &Name) -> Result<Vec<Name>, String> {
        let answer = ask(self.recursive, apex, Rtype::NS, true).await?;
        let records = answer.answer().map_err(|error| error.to_string())?.limit_to::<Ns<_>>();
        let all = records.filter_map(Result::ok).filter(|record| is(record.owner(), apex));
        Ok(all.map(|record| record.data().nsdname().to_name()).collect())
    }

    /// The addresses of a hostname.
    ///
    /// # Errors
    /// In words, when it cannot be asked.
    pub async fn addresses(&self, hostname: &Name) -> Result<BTreeSet<IpAddr>, String> {
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

/// Asks one question, once more over TCP where the answer is cut: a referral must not leave glue out in silence (RFC 9471).
pub(super) async fn ask(
    server: SocketAddr,
    name: &Name,
    rtype: Rtype,
    is_recursive: bool,
) -> Result<Message<Bytes>, String> {
    let query = ask::message_of(name, rtype, fastrand::u16(..), is_recursive, &[]);
    let mut last = format!("{server} does not answer");
    for _ in 0..ATTEMPTS {
        match timeout(PATIENCE, ask::exchange(server, &query)).await {
            Ok(Ok(octets)) => {
                let answer = Message::from_octets(Bytes::from(octets)).map_err(|error| error.to_string())?;
                if !answer.header().tc() {
                    return Ok(answer);
                }
                let whole = timeout(PATIENCE, ask::exchange_over_tcp(server, &query)).await;
                return match whole {
                    Ok(Ok(octets)) => {
                        Message::from_octets(Bytes::from(octets)).map_err(|error| error.to_string())
                    }
                    Ok(Err(why)) => Err(format!("{server} over TCP: {why}")),
                    Err(_) => Err(format!("{server} does not answer over TCP")),
                };
            }
            Ok(Err(error)) => last = format!("{server} cannot be asked: {error}"),
            Err(_) => {}
        }
    }
    Err(last)
}

/// Whether an answer leads to a zone below that holds a name (RFC 1034 §4.3.2 step 3b).
fn is_referral(answer: &Message<Bytes>, hostname: &Name) -> bool {
    let has_answers = answer.header_counts().ancount() > 0;
    let leads_below = answer.authority().is_ok_and(|authority| {
        let mut cuts = authority.limit_to::<Ns<_>>().filter_map(Result::ok);
        cuts.any(|record| hostname.ends_with(record.owner()))
    });
    !answer.header().aa() && !has_answers && leads_below
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

pub(super) fn is(owner: impl ToName, name: &Name) -> bool {
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
    let mut all = Vec::new();
    for (hostname, own, told) in asked {
        if let Some((above, glue)) = told.glue.as_ref().filter(|(_, glue)| glue != own) {
            all.push(format!(
                "the zone {above} delegates to {hostname} at {}, and its Service has {}: correct the glue there, or give \
                 the Service that address",
                list(glue),
                list(own)
            ));
        }
        if told.own != *own {
            all.push(format!(
                "{hostname} has {}, and its Service has {}: correct its records of type A and AAAA, or give the Service \
                 that address",
                list(&told.own),
                list(own)
            ));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(all: &[&str]) -> BTreeSet<IpAddr> {
        all.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn what_differs_is_said() {
        let told = |own: &[&str], glue: Option<&[&str]>| Told {
            own: addresses(own),
            glue: glue.map(|glue| ("net.".to_owned(), addresses(glue))),
        };
        let one = |own: &[&str], told| ("ns1.example.net".to_owned(), addresses(own), told);
        assert_eq!(
            differences(&[
                one(&["192.0.2.1", "2001:db8::1"], told(&["192.0.2.1", "2001:db8::1"], None)),
                one(&["192.0.2.1"], told(&["192.0.2.1"], Some(&["192.0.2.7"]))),
                one(&["192.0.2.1"], told(&[], None)),
            ]),
            [
                "the zone net. delegates to ns1.example.net at 192.0.2.7, and its Service has 192.0.2.1: correct the glue \
                 there, or give the Service that address",
                "ns1.example.net has no address, and its Service has 192.0.2.1: correct its records of type A and AAAA, or \
                 give the Service that address",
            ]
        );
    }
}
