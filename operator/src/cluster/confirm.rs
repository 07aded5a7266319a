//! Confirming: every resolver is asked over DNS until it answers the serial. Serving means asked and answered.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, ToName};
use domain::rdata::Soa;
use futures::future::join_all;
use port53_zone::{Name, serial};
use tokio::time::{sleep, timeout};

use super::pages;
use crate::proof;

/// How long one question may take before it is asked again.
const QUESTION_PATIENCE: Duration = Duration::from_millis(500);
/// As long as a resolver may wait for a legacy DNS, and a moment more.
const FORWARDED_PATIENCE: Duration = Duration::from_secs(6);
/// The first pause between questions; each is longer than the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A resolver that must answer.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Resolver {
    /// The nameserver that it is a pod of.
    pub nameserver: String,
    /// What that is called in its NameserverSet: by this name it is cut over.
    pub name: String,
    /// Where it answers.
    pub address: SocketAddr,
    /// Where it says how it is.
    pub health: SocketAddr,
}

impl Resolver {
    /// One that says how it is at the same address, on the port that all do.
    pub fn new(nameserver: &str, address: SocketAddr) -> Self {
        Resolver {
            nameserver: nameserver.to_owned(),
            name: nameserver.to_owned(),
            address,
            health: SocketAddr::new(address.ip(), pages::PORT),
        }
    }
}

/// What the resolvers of a zone answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Confirmation {
    /// The serial that was waited for.
    pub serial: u32,
    /// Resolvers that answer it, or a later one that was published too.
    pub answering: usize,
    /// Resolvers that were asked.
    pub asked: usize,
    /// Nameservers of which every resolver answers it.
    pub nameservers: usize,
    /// What each of the others said last.
    pub others: Vec<String>,
    /// The newest serial that any answered.
    pub newest: Option<u32>,
    /// From the first question to the last answer.
    pub took: Duration,
}

impl Confirmation {
    /// Whether every resolver answers it, and there is one.
    pub fn is_complete(&self) -> bool {
        self.asked > 0 && self.answering == self.asked
    }

    /// Whether another says the same, be it sooner or later.
    pub fn says_the_same(&self, other: &Confirmation) -> bool {
        let Confirmation { serial, answering, asked, nameservers, others, newest, took: _ } = self;
        (*serial, *answering, *asked, *nameservers, others, *newest)
            == (other.serial, other.answering, other.asked, other.nameservers, &other.others, other.newest)
    }

    /// `2/2`, as in a column of kubectl.
    pub fn share(&self) -> String {
        format!("{}/{}", self.answering, self.asked)
    }
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.asked == 0 {
            return write!(
                f,
                "published as serial {}; no nameserver is known that could be asked: give the operator --resolver or \
                 --resolver-selector",
                self.serial
            );
        }
        let count =
            |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        write!(
            f,
            "served as serial {} by {} of {}, {}, {} ms",
            self.serial,
            self.answering,
            count(self.asked, "pod"),
            count(self.nameservers, "nameserver"),
            self.took.as_millis()
        )?;
        if !self.others.is_empty() {
            write!(f, "; {}", self.others.join("; "))?;
        }
        Ok(())
    }
}

/// What each resolver said of a serial.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The serial that was waited for.
    pub serial: u32,
    /// The serial that each answered, be it the one waited for or a later one; or what it said last instead.
    said: Vec<(Resolver, Result<u32, String>)>,
    took: Duration,
}

impl Answers {
    /// What they come to, when `most` is the highest serial that was published here or is on its way. Who answers
    /// a higher one answers another content: that of a time that was undone, or of another operator.
    pub fn up_to(&self, most: u32) -> Confirmation {
        let mut others = Vec::new();
        let mut newest: Option<u32> = None;
        let mut nameservers: BTreeMap<&str, bool> = BTreeMap::new();
        for (resolver, said) in &self.said {
            let is_served = nameservers.entry(&resolver.nameserver).or_insert(true);
            let instead = match said {
                Ok(serial) if *serial == most || serial::is_newer(most, *serial) => None,
                Ok(serial) => Some(format!("answers serial {serial}, above what is published")),
                Err(said) => Some(said.clone()),
            };
            if let Ok(serial) = said
                && newest.is_none_or(|newest| serial::is_newer(*serial, newest))
            {
                newest = Some(*serial);
            }
            if let Some(instead) = instead {
                *is_served = false;
                others.push(format!("{} at {} {instead}", resolver.nameserver, resolver.address));
            }
        }
        Confirmation {
            serial: self.serial,
            answering: self.said.len() - others.len(),
            asked: self.said.len(),
            nameservers: nameservers.values().filter(|is_served| **is_served).count(),
            others,
            newest,
            took: self.took,
        }
    }
}

/// Asks every resolver for the SOA of `apex` until it answers `serial` or a later one, at most for `patience`.
pub async fn confirm(resolvers: &[Resolver], apex: &Name, serial: u32, patience: Duration) -> Answers {
    let start = Instant::now();
    let answers =
        join_all(resolvers.iter().map(|resolver| wait(resolver, apex, serial, start + patience))).await;
    Answers { serial, said: resolvers.iter().cloned().zip(answers).collect(), took: start.elapsed() }
}

/// The serials that resolvers answer for a zone now, of those that answer one.
pub async fn serials(resolvers: &[Resolver], apex: &Name) -> Vec<u32> {
    let answers = join_all(resolvers.iter().map(|resolver| ask(resolver.address, apex))).await;
    let serial = |answer| match answer {
        Ok(Answer::Serial(serial)) => Some(serial),
        Ok(Answer::NotServed) | Err(_) => None,
    };
    answers.into_iter().filter_map(serial).collect()
}

/// Who still answers for a zone that is withdrawn.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unserved {
    /// What those said that still answer for it, or did not say anything.
    pub said: Vec<String>,
    /// The serials that they answer.
    pub serials: Vec<u32>,
}

/// Asks every resolver about `apex` until it no longer answers for it, at most for `patience`.
pub async fn unserved(resolvers: &[Resolver], apex: &Name, patience: Duration) -> Unserved {
    let until = Instant::now() + patience;
    let answers = join_all(resolvers.iter().map(|resolver| wait_for_refusal(resolver, apex, until))).await;
    let mut unserved = Unserved::default();
    for (resolver, answer) in resolvers.iter().zip(answers) {
        let Err(last) = answer else { continue };
        let said = match last {
            Ok(serial) => {
                unserved.serials.push(serial);
                format!("still answers serial {serial}")
            }
            Err(said) => said,
        };
        unserved.said.push(format!("{} at {} {said}", resolver.nameserver, resolver.address));
    }
    unserved
}

/// Waits until one resolver does not answer for the zone; the error is the serial that it answered last, or what it
/// said instead.
async fn wait_for_refusal(
    resolver: &Resolver,
    apex: &Name,
    until: Instant,
) -> Result<(), Result<u32, String>> {
    let mut pause = FIRST_PAUSE;
    loop {
        let last = match ask(resolver.address, apex).await {
            Ok(Answer::NotServed) => return Ok(()),
            Ok(Answer::Serial(serial)) => Ok(serial),
            Err(said) => Err(said),
        };
        if Instant::now() + pause > until {
            return Err(last);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits until one resolver answers, and returns the serial; the error is what it said last.
async fn wait(resolver: &Resolver, apex: &Name, wanted: u32, until: Instant) -> Result<u32, String> {
    let mut pause = FIRST_PAUSE;
    loop {
        let said = match ask(resolver.address, apex).await {
            Ok(Answer::Serial(serial)) if serial == wanted || serial::is_newer(serial, wanted) => {
                return Ok(serial);
            }
            Ok(Answer::Serial(serial)) => format!("answers serial {serial}"),
            Ok(Answer::NotServed) => "does not answer for the zone".to_owned(),
            Err(error) => error,
        };
        if Instant::now() + pause > until {
            return Err(said);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What a resolver answers about a zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It has the zone, with this serial.
    Serial(u32),
    /// It does not have it: REFUSED, or what the zone above says of the name.
    NotServed,
}

/// Asks a resolver for the SOA of a zone.
///
/// # Errors
/// What it does instead: no answer, SERVFAIL (the zone is its own and not complete), or no message.
pub async fn ask(address: SocketAddr, apex: &Name) -> Result<Answer, String> {
    let asked = timeout(QUESTION_PATIENCE, exchange(address, apex)).await;
    let answer = asked
        .map_err(|_| "does not answer".to_owned())?
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let message = Message::from_octets(answer).map_err(|_| "answers with no message".to_owned())?;
    match message.header().rcode() {
        Rcode::NOERROR => {}
        Rcode::REFUSED | Rcode::NXDOMAIN | Rcode::NOTAUTH => return Ok(Answer::NotServed),
        other => return Err(format!("answers {other}")),
    }
    let answers = message.answer().map_err(|error| format!("answers with a bad message: {error}"))?;
    // The SOA of a zone above stands in the authority section, and behind an alias under another name.
    let mut of_apex = answers.limit_to::<Soa<_>>().flatten().filter(|record| record.owner() == apex);
    Ok(of_apex.next().map_or(Answer::NotServed, |soa| Answer::Serial(soa.data().serial().into_int())))
}

async fn exchange(address: SocketAddr, apex: &Name) -> std::io::Result<Vec<u8>> {
    let id = RandomState::new().hash_one(apex) as u16;
    let query = proof::ask::message_of(apex, Rtype::SOA, id, false, &[proof::ask::ANSWER_HERE]);
    proof::ask::exchange(address, &query).await
}

/// Asks a resolver for the SOA of a zone as a client asks, so that one which forwards to a legacy DNS says what that has.
/// Nothing when it does not answer with one.
///
/// # Errors
/// No answer, or no message.
pub async fn soa(address: SocketAddr, apex: &Name) -> Result<Option<port53_zone::Soa>, String> {
    let id = RandomState::new().hash_one(apex) as u16;
    let query = proof::ask::message_of(apex, Rtype::SOA, id, false, &[]);
    let asked = timeout(FORWARDED_PATIENCE, proof::ask::exchange(address, &query)).await;
    let answer = asked
        .map_err(|_| "does not answer".to_owned())?
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let message = Message::from_octets(answer).map_err(|_| "answers with no message".to_owned())?;
    let answers = message.answer().map_err(|error| format!("answers with a bad message: {error}"))?;
    let mut of_apex = answers.limit_to::<Soa<_>>().flatten().filter(|record| record.owner() == apex);
    Ok(of_apex.next().map(|record| {
        let soa = record.data();
        port53_zone::Soa {
            primary: soa.mname().to_name(),
            contact: soa.rname().to_name(),
            serial: soa.serial().into_int(),
            refresh: soa.refresh().as_secs(),
            retry: soa.retry().as_secs(),
            expire: soa.expire().as_secs(),
            minimum: soa.minimum().as_secs(),
            ttl: record.ttl().as_secs(),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::iana::Class;
    use domain::base::{MessageBuilder, Serial, Ttl};
    use port53_zone::name;
    use std::net::Ipv4Addr;
    use tokio::net::UdpSocket;

    const PATIENCE: Duration = Duration::from_millis(20);

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    /// A nameserver that answers this serial, or REFUSED, as long as the test runs.
    async fn nameserver(number: usize, serial: Option<u32>) -> Resolver {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        tokio::spawn(async move {
            let mut octets = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut octets).await {
                let question = Message::from_octets(&octets[..length]).expect("a message");
                let rcode = if serial.is_some() { Rcode::NOERROR } else { Rcode::REFUSED };
                let mut answer =
                    MessageBuilder::new_vec().start_answer(&question, rcode).expect("there is room");
                if let Some(serial) = serial {
                    let one = Ttl::from_secs(1);
                    let soa = Soa::new(apex(), apex(), Serial(serial), one, one, one, one);
                    answer.push((apex(), Class::IN, one, soa)).expect("there is room");
                }
                socket.send_to(&answer.finish(), client).await.expect("it is sent");
            }
        });
        Resolver::new(&format!("ns{number}"), address)
    }

    /// Nameservers that answer these serials.
    async fn nameservers(serials: &[u32]) -> Vec<Resolver> {
        let each = serials.iter().enumerate().map(|(number, serial)| nameserver(number, Some(*serial)));
        join_all(each).await
    }

    /// etcd was restored to serial 6, and the next is 7: nobody answers that, though all answer something later.
    #[tokio::test]
    async fn a_serial_above_all_that_was_published_confirms_nothing() {
        let resolvers = nameservers(&[57, 57]).await;
        let confirmation = confirm(&resolvers, &apex(), 7, PATIENCE).await.up_to(7);
        assert!(!confirmation.is_complete());
        assert_eq!((confirmation.share().as_str(), confirmation.nameservers), ("0/2", 0));
        assert_eq!(confirmation.newest, Some(57));
        let said = format!("ns0 at {} answers serial 57, above what is published", resolvers[0].address);
        assert_eq!(confirmation.others[0], said);
    }

    #[tokio::test]
    async fn a_later_serial_that_was_published_meanwhile_confirms() {
        let resolvers = nameservers(&[7, 9]).await;
        let answers = confirm(&resolvers, &apex(), 7, PATIENCE).await;
        assert!(answers.up_to(9).is_complete());
        assert_eq!(answers.up_to(9).newest, Some(9));
        assert_eq!(answers.up_to(8).share(), "1/2");
        let behind = confirm(&resolvers, &apex(), 8, PATIENCE).await.up_to(9);
        assert_eq!((behind.share().as_str(), behind.newest), ("1/2", Some(9)));
    }

    /// RFC 1982: after the highest comes a low one.
    #[tokio::test]
    async fn rfc1982_the_highest_that_was_published_may_be_the_lower_number() {
        let resolvers = nameservers(&[u32::MAX, 2]).await;
        assert!(confirm(&resolvers, &apex(), u32::MAX, PATIENCE).await.up_to(2).is_complete());
    }

    /// A pod that was away answers more than the head that withdraws, and does not follow it.
    #[tokio::test]
    async fn what_is_still_answered_for_a_withdrawn_zone_is_known_by_its_serials() {
        let mut resolvers = nameservers(&[12]).await;
        resolvers.push(nameserver(1, None).await);
        let found = unserved(&resolvers, &apex(), PATIENCE).await;
        assert_eq!(found.serials, [12]);
        assert_eq!(found.said, [format!("ns0 at {} still answers serial 12", resolvers[0].address)]);
        assert_eq!(unserved(&resolvers[1..], &apex(), PATIENCE).await, Unserved::default());
    }
}
