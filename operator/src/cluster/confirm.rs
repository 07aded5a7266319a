//! Confirming: every resolver is asked over DNS until it answers the serial. Serving means asked and answered.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::{Message, MessageBuilder};
use domain::rdata::Soa;
use futures::future::join_all;
use port53_zone::{Name, serial};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

/// How long one question may take before it is asked again.
const QUESTION_PATIENCE: Duration = Duration::from_millis(500);
/// The first pause between questions; each is longer than the one before, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A resolver that must answer.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Resolver {
    /// The nameserver that it is a pod of.
    pub nameserver: String,
    /// Where it answers.
    pub address: SocketAddr,
}

/// What the resolvers of a zone answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Confirmation {
    /// The serial that was waited for.
    pub serial: u32,
    /// Resolvers that answer it.
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

/// Asks every resolver for the SOA of `apex` until it answers `serial` or a later one, at most for `patience`.
pub async fn confirm(resolvers: &[Resolver], apex: &Name, serial: u32, patience: Duration) -> Confirmation {
    let start = Instant::now();
    let answers =
        join_all(resolvers.iter().map(|resolver| wait(resolver, apex, serial, start + patience))).await;
    let mut others = Vec::new();
    let mut newest: Option<u32> = None;
    let mut nameservers: BTreeMap<&str, bool> = BTreeMap::new();
    for (resolver, answer) in resolvers.iter().zip(answers) {
        let is_served = nameservers.entry(&resolver.nameserver).or_insert(true);
        match answer {
            Ok(serial) if newest.is_none_or(|newest| serial::is_newer(serial, newest)) => {
                newest = Some(serial)
            }
            Ok(_) => {}
            Err(said) => {
                *is_served = false;
                others.push(format!("{} at {} {said}", resolver.nameserver, resolver.address));
            }
        }
    }
    Confirmation {
        serial,
        answering: resolvers.len() - others.len(),
        asked: resolvers.len(),
        nameservers: nameservers.values().filter(|is_served| **is_served).count(),
        others,
        newest,
        took: start.elapsed(),
    }
}

/// The serials that resolvers answer for a zone now, of those that answer one.
pub async fn serials(resolvers: &[Resolver], apex: &Name) -> Vec<u32> {
    let answers = join_all(resolvers.iter().map(|resolver| ask(resolver.address, apex))).await;
    answers.into_iter().flatten().collect()
}

/// Asks every resolver about `apex` until it no longer answers for it, at most for `patience`. Returns what
/// those said that still do, or did not say anything.
pub async fn unserved(resolvers: &[Resolver], apex: &Name, patience: Duration) -> Vec<String> {
    let until = Instant::now() + patience;
    let answers = join_all(resolvers.iter().map(|resolver| wait_for_refusal(resolver, apex, until))).await;
    let said = resolvers.iter().zip(answers).filter_map(|(resolver, answer)| {
        let said = answer.err()?;
        Some(format!("{} at {} {said}", resolver.nameserver, resolver.address))
    });
    said.collect()
}

async fn wait_for_refusal(resolver: &Resolver, apex: &Name, until: Instant) -> Result<(), String> {
    let mut pause = FIRST_PAUSE;
    loop {
        let said = match ask(resolver.address, apex).await {
            Err(said) if said == REFUSED => return Ok(()),
            Err(said) => said,
            Ok(serial) => format!("still answers serial {serial}"),
        };
        if Instant::now() + pause > until {
            return Err(said);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What [`ask`] says of a resolver that is not authoritative for the zone.
const REFUSED: &str = "answers REFUSED";

/// Waits until one resolver answers, and returns the serial; the error is what it said last.
async fn wait(resolver: &Resolver, apex: &Name, wanted: u32, until: Instant) -> Result<u32, String> {
    let mut pause = FIRST_PAUSE;
    loop {
        let said = match ask(resolver.address, apex).await {
            Ok(serial) if serial == wanted || serial::is_newer(serial, wanted) => return Ok(serial),
            Ok(serial) => format!("answers serial {serial}"),
            Err(error) => error,
        };
        if Instant::now() + pause > until {
            return Err(said);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The serial that a resolver answers for a zone; the error says what it does instead.
///
/// # Errors
/// When it does not answer, or with something else than the SOA.
pub async fn ask(address: SocketAddr, apex: &Name) -> Result<u32, String> {
    let asked = timeout(QUESTION_PATIENCE, exchange(address, apex)).await;
    let answer = asked
        .map_err(|_| "does not answer".to_owned())?
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let message = Message::from_octets(answer).map_err(|_| "answers with no message".to_owned())?;
    if message.header().rcode() != Rcode::NOERROR {
        return Err(format!("answers {}", message.header().rcode()));
    }
    let answers = message.answer().map_err(|error| format!("answers with a bad message: {error}"))?;
    let soa = answers.limit_to::<Soa<_>>().flatten().next().ok_or("answers without a SOA")?;
    Ok(soa.data().serial().into_int())
}

async fn exchange(address: SocketAddr, apex: &Name) -> std::io::Result<Vec<u8>> {
    let ours: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    // A socket of its own for each question: its port, and that it is connected, tell its answer from others.
    let socket = UdpSocket::bind(ours).await?;
    socket.connect(address).await?;
    let mut query = MessageBuilder::new_vec();
    let id = RandomState::new().hash_one(apex) as u16;
    query.header_mut().set_id(id);
    let mut query = query.question();
    query.push((apex, Rtype::SOA, Class::IN)).map_err(std::io::Error::other)?;
    socket.send(&query.finish()).await?;
    let mut answer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut answer).await?;
        if length >= 12 && answer[..2] == id.to_be_bytes() {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}
