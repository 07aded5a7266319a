//! A legacy server: what is asked of it, and how long is waited.

use crate::ask::{self, Over};
use crate::connection::{Connection, Signatures};
use crate::message::{Asked, Message, Writer};
use crate::transfer::{Progress, Reader, Transferred, Version};
use crate::trouble::{Step, Trouble, Wrong};
use crate::update::{self, Prerequisite, Update};
use bytes::Bytes;
use domain::base::iana::Rcode;
use port53_secondaries::keys::Key;
use port53_zone::{Name, RRset, Rtype, Soa};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

/// How long is waited, and how much is taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// For a connection, and for each answer that is no transfer, or the first of one.
    pub answer: Duration,
    /// Between two messages of a transfer.
    pub silence: Duration,
    /// For a transfer, from its connection to its last SOA.
    pub whole: Duration,
    /// Octets of the messages of a transfer.
    pub octets: u64,
    /// Records of a transfer.
    pub records: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            answer: Duration::from_secs(5),
            silence: Duration::from_secs(20),
            whole: Duration::from_secs(600),
            octets: 1 << 30,
            records: 5_000_000,
        }
    }
}

/// See the module. Cheap to clone; its Debug shows no secret.
#[derive(Clone, Debug)]
pub struct Server {
    addresses: Arc<[SocketAddr]>,
    key: Option<Arc<Key>>,
    limits: Arc<Limits>,
}

impl Server {
    /// At these addresses, which are tried in their order. With a key all is signed with it, and what comes must be.
    pub fn new(addresses: Vec<SocketAddr>, key: Option<Arc<Key>>, limits: Limits) -> Self {
        Server { addresses: addresses.into(), key, limits: Arc::new(limits) }
    }

    /// Whether another is the same one: its addresses, and the very same key.
    pub fn is(&self, other: &Server) -> bool {
        let is_same_key = match (&self.key, &other.key) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        self.addresses == other.addresses && is_same_key
    }

    /// The SOA of a zone, over TCP.
    ///
    /// # Errors
    /// [`Wrong::NotAuthoritative`] when it has no such zone, and what else went wrong.
    pub async fn soa(&self, apex: &Name) -> Result<Soa, Trouble> {
        let query = Writer::new(0, apex, Rtype::SOA).finish();
        self.exchange(&query, Step::Soa, Asked::Repeated, |answer| ask::soa(answer, apex)).await
    }

    /// The whole zone (AXFR, RFC 5936), held as a content of this salt.
    ///
    /// # Errors
    /// When not all of it came, or what came is not it.
    pub async fn transfer(&self, apex: &Name, salt: [u8; 16]) -> Result<Transferred, Trouble> {
        match self.read(Reader::whole(apex, salt, &self.limits)).await? {
            (Some(transferred), _) => Ok(transferred),
            // Only a question about what changed can be answered so.
            (None, connection) => Err(connection.trouble(Wrong::Half(0))),
        }
    }

    /// What changed since a version (IXFR, RFC 1995), whatever the server makes of it: differences, the whole zone,
    /// or nothing, which is `None`. One connection, over TCP.
    ///
    /// # Errors
    /// As [`Server::transfer`]. With differences that do not fit what is held ([`Wrong::Chain`],
    /// [`Wrong::Differences`]) ask for the whole zone.
    pub async fn transfer_since(&self, version: &Version) -> Result<Option<Transferred>, Trouble> {
        Ok(self.read(Reader::since(version, &self.limits)).await?.0)
    }

    /// The RRset of a name and type as it is answered, over TCP and without recursion. `None` for an authoritative
    /// answer that there is none.
    ///
    /// What is answered is not all that is held: it may be made from a wildcard. [`Server::holds`] asks what the zone
    /// holds under the very name.
    ///
    /// # Errors
    /// [`Wrong::Alias`] when a CNAME or DNAME answers instead, [`Wrong::Delegated`] below a zone cut,
    /// [`Wrong::AnotherZone`] when the answer is of a zone below, and what else went wrong.
    pub async fn rrset(&self, apex: &Name, name: &Name, rtype: Rtype) -> Result<Option<RRset>, Trouble> {
        let query = Writer::new(0, name, rtype).finish();
        let read = |answer: &[u8]| ask::rrset(answer, apex, name, rtype);
        self.exchange(&query, Step::Question, Asked::Repeated, read).await
    }

    /// Changes a name (RFC 2136), over TCP. NOERROR was said, which does not mean that all of it was done: see
    /// [`Update`].
    ///
    /// # Errors
    /// [`Trouble::outcome`] says whether to send it again, that the answer is no, or that it is not known whether it was
    /// done.
    pub async fn update(&self, apex: &Name, update: &Update) -> Result<(), Trouble> {
        let message = update.message(apex).map_err(Trouble::Unsayable)?;
        self.exchange(&message, Step::Update, Asked::MayBeLeftOut, update_answer).await
    }

    /// Whether all of these hold, asked by an update that has prerequisites and nothing else. So what a zone holds is
    /// seen as it is, behind aliases, wildcards and delegations. TTLs are not compared. Needs the right to update.
    ///
    /// # Errors
    /// When there is neither a yes nor a no.
    pub async fn holds(&self, apex: &Name, prerequisites: &[Prerequisite]) -> Result<bool, Trouble> {
        let message = update::question(apex, prerequisites).map_err(Trouble::Unsayable)?;
        let answer = self.exchange(&message, Step::Update, Asked::MayBeLeftOut, update_answer).await;
        match answer {
            Ok(()) => Ok(true),
            Err(Trouble::Server { wrong: Wrong::Prerequisite(_), .. }) => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    /// Any question, without recursion or EDNS. The answer as it came, with its TSIG; its ID, question and signature
    /// were checked, its rcode was not.
    ///
    /// # Errors
    /// When there is no such answer.
    pub async fn ask(&self, name: &Name, rtype: Rtype, over: Over) -> Result<Bytes, Trouble> {
        let query = Writer::new(0, name, rtype).finish();
        let answer = match over {
            Over::Tcp => {
                let read = |answer: &[u8]| Ok(answer.to_vec());
                self.exchange(&query, Step::Question, Asked::Repeated, read).await?
            }
            Over::Udp => {
                ask::over_udp(&query, &self.addresses, self.key.as_ref(), self.limits.answer).await?
            }
        };
        Ok(answer.into())
    }

    async fn exchange<T>(
        &self,
        query: &[u8],
        step: Step,
        asked: Asked,
        read: impl FnOnce(&[u8]) -> Result<T, Wrong>,
    ) -> Result<T, Trouble> {
        let wait = self.limits.answer;
        let mut connection = Connection::open(&self.addresses, wait, step).await?;
        let answer = connection.exchange(query, self.key.as_ref(), asked, wait).await;
        answer.and_then(|answer| read(&answer)).map_err(|wrong| connection.trouble(wrong))
    }

    async fn read(&self, reader: Reader) -> Result<(Option<Transferred>, Connection), Trouble> {
        let until = Instant::now() + self.limits.whole;
        let mut connection = Connection::open(&self.addresses, self.limits.answer, Step::Transfer).await?;
        let read = self.read_over(&mut connection, reader, until).await;
        match read {
            Ok(transferred) => Ok((transferred, connection)),
            Err(wrong) => Err(connection.trouble(wrong)),
        }
    }

    async fn read_over(
        &self,
        connection: &mut Connection,
        mut reader: Reader,
        until: Instant,
    ) -> Result<Option<Transferred>, Wrong> {
        let Limits { answer, silence, whole, .. } = *self.limits;
        let (query, mut signatures) = Signatures::sign(reader.query(), self.key.as_ref())?;
        connection.send(&query, answer).await?;
        let mut is_first = true;
        loop {
            let wait = if is_first { answer } else { silence };
            let records = reader.records();
            let received = timeout_at(until, connection.receive(wait)).await;
            let message = match received.map_err(|_| Wrong::Slow { records, whole })? {
                Err(Wrong::TimedOut(silence)) if !is_first => {
                    return Err(Wrong::Stalled { records, silence });
                }
                Err(Wrong::Closed(_)) if !is_first => return Err(Wrong::Half(records)),
                received => received?,
            };
            signatures.take(&message)?;
            is_first = false;
            match reader.read(&message)? {
                Progress::More => {}
                Progress::Full => reader = settled(reader).await?,
                Progress::Done if signatures.may_end() => break,
                // RFC 8945 §5.3.1: the last message has a signature.
                Progress::Done => return Err(Wrong::Signature(port53_secondaries::tsig::Flaw::Unsigned)),
            }
        }
        blocking(|| reader.finish()).await
    }
}

async fn settled(mut reader: Reader) -> Result<Reader, Wrong> {
    blocking(move || reader.settle().map(|()| reader)).await
}

/// Away from the threads on which others wait: a large content takes its time.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Wrong> + Send + 'static,
) -> Result<T, Wrong> {
    spawn_blocking(work).await.unwrap_or(Err(Wrong::Malformed("it could not be read to its end")))
}

fn update_answer(answer: &[u8]) -> Result<(), Wrong> {
    match Message::read(answer)?.rcode() {
        Rcode::NOERROR => Ok(()),
        rcode @ (Rcode::NXRRSET | Rcode::YXRRSET | Rcode::YXDOMAIN | Rcode::NXDOMAIN) => {
            Err(Wrong::Prerequisite(rcode))
        }
        rcode => Err(Wrong::Refused { rcode, said: None }),
    }
}
