//! Zone transfers out, NOTIFY and TSIG: what a nameserver does for its secondaries.
//!
//! ```text
//!                    ┌─ TSIG ─▶ Keys                       ┌─▶ one SOA
//! message ─answer─▶──┤                                     ├─▶ differences ◀── Journals ◀─┐
//!                    └─ AXFR, IXFR ─▶ Policies ─▶ Places ──┴─▶ the whole zone             │
//! a new version in service ──▶ a thread of its own: what changed ────────────────────────┴─▶ NOTIFY
//! ```
//!
//! [`Transfers::answer`] looks at every message before it is answered. What is neither signed nor asks for a
//! transfer goes on at once, without allocation. The rest takes as long as it must:
//!
//! - Whoever signs with a key of ours gets signed answers, over UDP and TCP (RFC 8945).
//! - Who may have a zone says its [`Policy`]; nobody by default.
//! - What has one response, that of IXFR over UDP too, is a [`Single`], under the settings and limits of all others.
//! - A transfer is a [`Transfer`]: one message after another, of one version of the zone, as fast as the client
//!   reads. Nothing of the zone is copied.
//! - What changed from version to version is in the journal, in memory only and bounded: after a restart, and
//!   when it is not there any more, IXFR gets the whole zone (RFC 1995 §4).

mod acl;
mod journal;
mod places;
mod sending;
mod single;

pub use acl::{Policies, Policy};
pub use journal::Limits as JournalLimits;
pub use sending::{Transfer, Waiting};
pub use single::Single;

use crate::source::Publisher;
use arc_swap::ArcSwap;
use domain::base::Message;
use journal::Journals;
use places::Places;
use port53_secondaries::keys::{Directory, Keys, LOOK};
use port53_secondaries::notify::{Notifier, Pauses};
use port53_secondaries::now;
use port53_secondaries::tsig::{self, Asked, Verified};
use port53_zone::answer::{self, Cookie, Responded};
use port53_zone::image::{Image, ZoneState, Zones};
use port53_zone::transfer::{Kind, Request, Sequence, is_ordinary};
use port53_zone::{Name, name, serial};
use single::OfTransfer;
use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

const NOERROR: u8 = 0;
const FORMERR: u8 = 1;
const SERVFAIL: u8 = 2;
/// In the third octet of a message.
const TC: u8 = 2;
/// The least that a message over UDP can always be (RFC 1035 §4.2.1).
const LEAST_UDP: u16 = 512;
const MESSAGE: usize = 65_535;
/// How long the thread that follows changes sleeps before it looks whether it shall end.
const LOOK_UP: Duration = Duration::from_millis(200);

/// What may be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For zones that say nothing themselves.
    pub policy: Policy,
    /// Bounds of the journal.
    pub journal: JournalLimits,
    /// Transfers at once.
    pub transfers: usize,
    /// Transfers at once to one address.
    pub transfers_per_client: usize,
    /// How long a secondary has to answer NOTIFY, and how often it is told.
    pub pauses: Pauses,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            policy: Policy::default(),
            journal: JournalLimits::default(),
            transfers: 32,
            transfers_per_client: 8,
            pauses: Pauses::default(),
        }
    }
}

/// See the module. The default has no key and serves nobody.
pub struct Transfers {
    keys: Arc<ArcSwap<Keys>>,
    policies: Policies,
    journals: Journals,
    places: Places,
    notifier: Notifier,
    counts: Counts,
}

/// Transfers by how they went.
#[derive(Default)]
struct Counts {
    whole: AtomicU64,
    differences: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
}

impl Default for Transfers {
    fn default() -> Self {
        Self::new(Settings::default(), Keys::default())
    }
}

impl Debug for Transfers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfers").field("policies", &self.policies).finish_non_exhaustive()
    }
}

/// How a message came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// As a datagram, to be answered by at most so many octets.
    Udp(u16),
    /// As a request that has one response, of any length.
    Request,
    /// On a connection or a stream, which may have many responses.
    Stream,
}

impl Over {
    /// Octets of the largest response to a query whose sender takes so many over UDP.
    fn limit(self, payload: u16) -> usize {
        match self {
            Over::Udp(limit) => limit.min(payload).into(),
            Over::Request | Over::Stream => MESSAGE,
        }
    }
}

/// How a message was answered.
pub enum Answered {
    /// There must be no response.
    Nothing,
    /// By what is in the buffer.
    Response(Responded),
    /// Only on a connection: by these messages.
    Transfer(Box<Waiting>),
}

impl Transfers {
    /// With these keys. Nothing is followed yet: [`Transfers::follow`].
    pub fn new(settings: Settings, keys: Keys) -> Self {
        let keys = Arc::new(ArcSwap::from_pointee(keys));
        Transfers {
            policies: Policies::new(settings.policy),
            journals: Journals::new(settings.journal),
            places: Places::new(settings.transfers, settings.transfers_per_client),
            notifier: Notifier::new(keys.clone(), settings.pauses),
            keys,
            counts: Counts::default(),
        }
    }

    /// Who may have which zone.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// Answers a message that came from `client` into `out`: with a transfer, or by `respond`, whose response is
    /// signed when the message was.
    pub fn answer(
        &self,
        zones: &Zones,
        message: &[u8],
        client: IpAddr,
        over: Over,
        out: &mut [u8],
        respond: impl FnOnce(Single<'_>, &mut [u8]) -> Option<Responded>,
    ) -> Answered {
        if is_ordinary(message) {
            let single = Single { query: message, is_signed: false, of_transfer: None };
            return respond(single, out).map_or(Answered::Nothing, Answered::Response);
        }
        let (query, signer) = match Asked::read(message) {
            Asked::Unsigned => (Cow::Borrowed(message), None),
            Asked::Malformed => return put(tsig::malformed(message), message, over, out),
            Asked::Signed(tsig) => match tsig.verify(&self.keys.load(), now()) {
                Err(response) => return put(response, message, over, out),
                Ok(Verified { message, signer }) => (Cow::Owned(message), Some(signer)),
            },
        };
        let key = signer.as_ref().map(|signer| signer.key().name());
        let of_transfer = match self.start(zones, &query, key, client, over) {
            Started::Nothing => None,
            Started::Single(of_transfer) => Some(of_transfer),
            Started::Transfer { request, held, image } => {
                return Answered::Transfer(Box::new(Waiting { request, held, image, signer, client }));
            }
        };
        let single = Single { query: &query, is_signed: signer.is_some(), of_transfer };
        let made = match signer {
            None => respond(single, out),
            Some(signer) => single.respond_signed(signer, over, out, respond),
        };
        made.map_or(Answered::Nothing, Answered::Response)
    }

    /// Starts the transfer that `message` asks for. Whoever may not have it, and asks off an apex, gets the
    /// answer of those who ask for anything else: it says which of both.
    fn start(
        &self,
        zones: &Zones,
        message: &[u8],
        key: Option<&[u8]>,
        client: IpAddr,
        over: Over,
    ) -> Started {
        let Some(request) = Request::read(message) else { return Started::Nothing };
        let Some(state) = zones.get(&request.name) else { return Started::Nothing };
        if !self.policies.of(&request.name).permits(client, key) {
            self.counts.refused.fetch_add(1, Relaxed);
            // Anyone can send datagrams in anyone's name, as many as he likes.
            if over == Over::Stream {
                tracing::info!(zone = name::display(&request.name), %client, "transfer refused");
            }
            return Started::Nothing;
        }
        let image = match state {
            ZoneState::Serving(image) => image.clone(),
            ZoneState::Assembling => return Started::Single(OfTransfer::Refused(request, SERVFAIL)),
        };
        match (request.kind, over) {
            (Kind::Ixfr { serial: None }, _) => Started::Single(OfTransfer::Refused(request, FORMERR)),
            (Kind::Axfr, Over::Stream) => Started::Transfer { request, held: None, image },
            (Kind::Ixfr { serial }, Over::Stream) => Started::Transfer { request, held: serial, image },
            // AXFR is of streams only (RFC 5936 §4.2).
            (Kind::Axfr, _) => Started::Nothing,
            (Kind::Ixfr { serial: Some(held) }, _) => {
                // RFC 1995 §2: the differences if they fit one response, else the SOA, which makes the client come
                // over TCP.
                let request = request.without_opt();
                let differences = self.less_than_all(&request, held, &image);
                let soa = Sequence::soa_alone(request, image);
                Started::Single(OfTransfer::Records(differences.into_iter().chain([soa]).collect()))
            }
        }
    }

    /// What a client needs that has `held`, when that is less than the whole zone.
    fn less_than_all(&self, request: &Request, held: u32, image: &Arc<Image>) -> Option<Sequence> {
        if !serial::is_newer(image.soa().serial, held) {
            return Some(Sequence::soa_alone(request.clone(), image.clone()));
        }
        let deltas = self.journals.since(held, image)?;
        Some(Sequence::differences(request.clone(), image.clone(), deltas))
    }

    /// From now on, what comes into service is put into the journal and announced, by a thread of its own, until
    /// `stop`. Must be called on a runtime, which sends NOTIFY and looks at the keys.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn follow(
        self: &Arc<Self>,
        publisher: &Publisher,
        directory: Option<Directory>,
        stop: CancellationToken,
    ) -> io::Result<JoinHandle<()>> {
        if let Some(directory) = directory {
            directory.refresh(&self.keys);
            let (keys, stop) = (self.keys.clone(), stop.clone());
            tokio::spawn(async move {
                while tokio::time::timeout(LOOK, stop.cancelled()).await.is_err() {
                    // A few small files of a volume in memory.
                    directory.refresh(&keys);
                }
            });
        }
        publisher.note_versions();
        let (transfers, publisher, runtime) = (self.clone(), publisher.clone(), Handle::current());
        std::thread::Builder::new().name("transfers".to_owned()).spawn(move || {
            while !stop.is_cancelled() {
                for (apex, versions) in publisher.take_versions(LOOK_UP) {
                    let note = || transfers.note(&apex, &versions, &runtime);
                    if catch_unwind(AssertUnwindSafe(note)).is_err() {
                        tracing::error!(
                            zone = name::display(&apex),
                            "noting a version panicked: please report it"
                        );
                        transfers.journals.forget(&apex);
                    }
                }
            }
        })
    }

    /// Notes the versions of a zone that came since the last time; none when it is withdrawn.
    fn note(&self, apex: &Name, versions: &[Arc<Image>], runtime: &Handle) {
        let policy = self.policies.of(apex);
        let Some(newest) = versions.last().filter(|_| !policy.is_empty()) else {
            self.journals.forget(apex);
            self.notifier.forget(apex);
            return;
        };
        versions.iter().for_each(|image| self.journals.add(image));
        self.notifier.announce(apex, newest.soa(), &policy.notify, policy.key(), runtime);
    }

    /// Octets of all journals.
    pub fn journal_octets(&self) -> usize {
        self.journals.octets()
    }

    /// Transfers over TCP that were begun: of a whole zone, and of differences.
    pub fn sent(&self) -> [u64; 2] {
        [&self.counts.whole, &self.counts.differences].map(|count| count.load(Relaxed))
    }

    /// Transfers that were not: to those who may not have the zone, and for lack of a place.
    pub fn not_sent(&self) -> [u64; 2] {
        [&self.counts.refused, &self.counts.busy].map(|count| count.load(Relaxed))
    }

    /// NOTIFY messages that were sent, answered, and given up.
    pub fn notified(&self) -> [u64; 3] {
        let counts = self.notifier.counts();
        [&counts.sent, &counts.answered, &counts.given_up].map(|count| count.load(Relaxed))
    }
}

/// What [`Transfers::start`] did.
enum Started {
    /// It is no transfer, or not for this client.
    Nothing,
    /// One message is all.
    Single(OfTransfer),
    /// There may be many, for a client that has the serial `held`.
    Transfer { request: Request, held: Option<u32>, image: Arc<Image> },
}

/// Puts a response to `query` into the buffer; one that is too large for its sender, without its records.
fn put(mut response: Vec<u8>, query: &[u8], over: Over, out: &mut [u8]) -> Answered {
    if response.len() > over.limit(payload(query)) {
        tsig::truncate(&mut response);
    }
    let Some(room) = out.get_mut(..response.len()) else { return Answered::Nothing };
    room.copy_from_slice(&response);
    let question = Message::from_octets(query).ok().and_then(|message| message.sole_question().ok());
    let qtype = question.map_or(0, |question| question.qtype().to_int());
    let (rcode, truncated) = (u16::from(response[3] & 0x0f), response[2] & TC != 0);
    let (kind, alike, cookie) = (answer::Kind::Error, 0, Cookie::None);
    let (len, forward) = (response.len(), None);
    Answered::Response(Responded { len, rcode, qtype, truncated, kind, alike, cookie, forward })
}

/// The largest message over UDP that the sender of `query` takes (RFC 6891 §6.2.3).
fn payload(query: &[u8]) -> u16 {
    let opt = Message::from_octets(query).ok().and_then(|message| message.opt());
    opt.map_or(LEAST_UDP, |opt| opt.udp_payload_size().max(LEAST_UDP))
}
