//! Whether legacy can be forwarded to, as far as that can be seen by asking it.
//!
//! All clients of a nameserver that forwards look to legacy like one. So what legacy does by the client shows: rate limits
//! hit everyone, and views and answers by location are those of the pod. Here it is asked
//!
//! | what | must |
//! |---|---|
//! | for the SOA of the zone, [`AT_ONCE`] times at once over UDP, each of its addresses | all come back whole: rate limiting drops answers, or cuts them short (TC) |
//! | the same few questions without and with client subnets (RFC 7871) of five parts of the world | all say the same |
//! | these from here, and through pods that forward | all say the same |
//!
//! Much at once it is asked once for its addresses and once a day, for who limits rates would punish more; sooner where it
//! did not answer, so that nothing was seen. What is not seen so, as a limit that is larger, or a view of addresses that
//! nobody here has, is not known.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::base::MessageBuilder;
use domain::base::iana::{Class, OptionCode, Rcode};
use domain::dep::octseq::OctetsBuilder;
use futures::future::join_all;
use k8s_openapi::jiff::Timestamp;
use port53_crds::{AtOnce, ByClient, LegacyCheck};
use port53_zone::answer::compare::{Compared, What, compare};
use port53_zone::content::Content;
use port53_zone::{Name, Rtype, Soa};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{LEGACY_ADDRESSES, address};
use crate::cluster::confirm::Resolver;
use crate::proof::oracle::{self, Zones};
use crate::proof::{Question, ask, sample};

/// How long what came of it counts for other zones of the same servers.
const LATELY: Duration = Duration::from_secs(3600);
/// Questions at once: more than the rate limits of most servers let pass in a second, and less than any server minds.
const AT_ONCE: usize = 50;
/// How many may be lost on the way.
const MAY_BE_LOST: usize = 2;
/// How long is waited for all of them.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is asked, in seconds; and where nothing was seen.
const EVERY: i64 = 24 * 60 * 60;
const SOON: i64 = 10 * 60;
/// Questions that are asked as by others, and pods through which they are.
const QUESTIONS: usize = 4;
const PODS: usize = 4;
/// Networks of the five regional registries: addresses that are where everyone takes them to be.
const NETWORKS: [[u8; 3]; 5] = [[192, 149, 252], [193, 0, 6], [202, 12, 29], [200, 3, 14], [196, 216, 2]];
/// RFC 7871 §6.
const CLIENT_SUBNET: OptionCode = OptionCode::from_int(8);
const TC: u8 = 0x02;
/// Characters of what was seen.
const LONGEST: usize = 2048;

/// What is to be asked now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// Everything.
    All,
    /// As by others, for there are pods now that forward: many questions at once were asked before.
    AsByOthers,
}

/// Whether anything is to be asked now, and what. `pods` forward to it.
pub(super) fn due(
    last: Option<&LegacyCheck>,
    addresses: &[String],
    pods: usize,
    now: Timestamp,
) -> Option<Due> {
    let Some(last) = last else { return Some(Due::All) };
    let at = last.at.parse::<Timestamp>().map_or(0, Timestamp::as_second);
    let is_seen = last.at_once != AtOnce::Silent && last.by_client != ByClient::Untold;
    let every = if is_seen { EVERY } else { SOON };
    if last.addresses != addresses || now.as_second() - at >= every {
        return Some(Due::All);
    }
    (last.pods == 0 && pods > 0).then_some(Due::AsByOthers)
}

/// Asks legacy, which has this content, and some of the pods that forward to it. What is not due is as it was `last`.
pub(super) async fn check(
    due: Due,
    last: Option<LegacyCheck>,
    addresses: Vec<String>,
    (soa, content): (Soa, Content),
    pods: Vec<Resolver>,
    before: Bursts,
) -> LegacyCheck {
    let servers: Vec<SocketAddr> =
        addresses.iter().filter_map(|text| address(LEGACY_ADDRESSES, text).ok()).collect();
    let (at, (at_once, burst)) = match last.filter(|_| due == Due::AsByOthers) {
        Some(last) => (last.at, (last.at_once, last.burst)),
        None => (Timestamp::now().to_string(), before.of(&servers, content.apex()).await),
    };
    let asked = questions(soa, content);
    let pods: Vec<Resolver> = pods.into_iter().take(PODS).collect();
    let (mut alike, mut differing) = (0, None);
    if let Some(server) = servers.first() {
        for question in &asked {
            match as_by_others(*server, question, &pods).await {
                Some(None) => alike += 1,
                Some(Some(text)) => {
                    differing = Some(text);
                    break;
                }
                None => {}
            }
        }
    }
    let (by_client, clients) = match differing {
        Some(differing) => (ByClient::Differs, format!("one question is answered by who asks: {differing}")),
        None if alike == 0 => {
            (ByClient::Untold, "no question was answered as often as it was asked".to_owned())
        }
        None => {
            let through = match pods.len() {
                0 => "; no pod forwards yet that could be asked through".to_owned(),
                pods => format!(" and through {pods} pods"),
            };
            let (of, networks) = (asked.len(), NETWORKS.len());
            let said = format!(
                "{alike} of {of} questions were answered alike with client subnets of {networks} networks{through}"
            );
            (ByClient::Alike, said)
        }
    };
    let cut = |text: String| text.chars().take(LONGEST).collect::<String>();
    LegacyCheck {
        at,
        addresses,
        at_once,
        burst: cut(burst),
        by_client,
        clients: cut(clients),
        pods: pods.len() as u64,
    }
}

/// What came of it lately, by servers, for all zones that are there: a server is asked much at once for one of them, and
/// none while another is.
#[derive(Clone, Debug, Default)]
pub(super) struct Bursts(Arc<Mutex<Lately>>);

/// When each was asked.
type Lately = BTreeMap<Vec<SocketAddr>, (Instant, Came)>;

/// How servers answer much at once, and what was seen.
type Came = (AtOnce, String);

impl Bursts {
    async fn of(&self, servers: &[SocketAddr], apex: &Name) -> Came {
        let mut all = self.0.lock().await;
        all.retain(|_, (at, _)| at.elapsed() < LATELY);
        if let Some((_, came)) = all.get(servers) {
            return came.clone();
        }
        let came = bursts(servers, apex).await;
        if came.0 != AtOnce::Silent {
            all.insert(servers.to_vec(), (Instant::now(), came.clone()));
        }
        came
    }
}

/// Asks each server much at once: what the worst of them does, and what came of each.
async fn bursts(servers: &[SocketAddr], apex: &Name) -> Came {
    let mut came = Vec::new();
    let mut said = Vec::new();
    for server in servers {
        let burst = burst(*server, apex).await;
        came.push(burst.came());
        said.push(format!("of {AT_ONCE} questions at once over UDP {server} {burst}"));
    }
    let of_all = [AtOnce::Limited, AtOnce::Silent].into_iter().find(|one| came.contains(one));
    if of_all == Some(AtOnce::Limited) {
        let how = "rate limits see all clients of a nameserver that forwards as one: exempt the addresses of the nameservers' \
                   pods there";
        said.push(how.to_owned());
    }
    (of_all.unwrap_or(AtOnce::Answered), said.join("; "))
}

/// What came of many questions at once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Burst {
    whole: usize,
    truncated: usize,
    lost: usize,
}

impl Burst {
    fn came(self) -> AtOnce {
        match self {
            Burst { whole: 0, truncated: 0, .. } => AtOnce::Silent,
            Burst { truncated: 0, lost: 0..=MAY_BE_LOST, .. } => AtOnce::Answered,
            _ => AtOnce::Limited,
        }
    }
}

impl std::fmt::Display for Burst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Burst { whole, truncated, lost } = self;
        match (truncated, lost) {
            (0, 0) => write!(f, "answered all"),
            (0, _) if *whole == 0 => write!(f, "answered none"),
            _ => write!(f, "answered {whole}, cut {truncated} short (TC) and did not answer {lost}"),
        }
    }
}

async fn burst(server: SocketAddr, apex: &Name) -> Burst {
    let one = || async {
        let query = ask::message_of(apex, Rtype::SOA, fastrand::u16(..), false, &[]);
        timeout(PATIENCE, ask::exchange(server, &query)).await.ok()?.ok()
    };
    let mut burst = Burst::default();
    for answer in join_all((0..AT_ONCE).map(|_| one())).await {
        match answer {
            None => burst.lost += 1,
            Some(answer) if answer.get(2).is_some_and(|flags| flags & TC != 0) => burst.truncated += 1,
            Some(_) => burst.whole += 1,
        }
    }
    burst
}

/// A few questions for what is there.
fn questions(soa: Soa, content: Content) -> Vec<Question> {
    let zones = Zones::new([oracle::Zone { content, soa }]);
    let drawn = sample::draw(&zones, QUESTIONS, &mut fastrand::Rng::new());
    // The SOA of a zone that changes is another a moment later.
    drawn.into_iter().filter(|question| question.rtype != Rtype::SOA).take(QUESTIONS).collect()
}

/// How a question is answered otherwise to others, where it is. Nothing where not everyone was answered.
async fn as_by_others(server: SocketAddr, question: &Question, pods: &[Resolver]) -> Option<Option<String>> {
    let plain = ask::message_of(&question.name, question.rtype, fastrand::u16(..), false, &[]);
    let first = asked(server, &plain).await?;
    let mut others = Vec::new();
    for network in NETWORKS {
        let [a, b, c] = network;
        let who = format!("a client of {}/24", Ipv4Addr::new(a, b, c, 0));
        others.push((who, asked(server, &with_subnet(question, network)).await));
    }
    for pod in pods {
        others.push((format!("{} at {}", pod.name, pod.address), asked(pod.address, &plain).await));
    }
    let is_other = |answer: &Option<Vec<u8>>| {
        let compared = answer.as_ref().map(|answer| compare(&first, answer, What::default()));
        matches!(compared, Some(Compared::Differs(_)))
    };
    let is_everyone = others.iter().all(|(_, answer)| answer.is_some());
    let Some((who, answer)) = others.into_iter().find(|(_, answer)| is_other(answer)) else {
        return is_everyone.then_some(None);
    };
    // What changed meanwhile is no other answer.
    let again = asked(server, &plain).await?;
    if compare(&first, &again, What::default()) != Compared::Same {
        return None;
    }
    let text = |answer: &[u8]| {
        let text = port53_zone::answer::compare::text(answer, 300);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    Some(Some(format!("{question}: here \"{}\", to {who} \"{}\"", text(&first), text(&answer?))))
}

/// An answer that says what is there, or not: one who takes no client subnet says nothing about it by an error.
async fn asked(address: SocketAddr, query: &[u8]) -> Option<Vec<u8>> {
    const RCODE: u8 = 0x0f;
    let answer = timeout(PATIENCE, ask::exchange_over_tcp(address, query)).await.ok()?.ok()?;
    let rcode = answer.get(3)? & RCODE;
    [Rcode::NOERROR, Rcode::NXDOMAIN].iter().any(|one| one.to_int() == rcode).then_some(answer)
}

/// The octets of a query that says which network its client is in (RFC 7871 §6).
fn with_subnet(question: &Question, network: [u8; 3]) -> Vec<u8> {
    const IPV4: [u8; 2] = [0, 1];
    let [a, b, c] = network;
    let data = [IPV4[0], IPV4[1], 24, 0, a, b, c];
    let mut query = MessageBuilder::new_vec();
    query.header_mut().set_id(fastrand::u16(..));
    let mut query = query.question();
    // A vector takes whatever it is given.
    let _ = query.push((&question.name, question.rtype, Class::IN));
    let mut query = query.additional();
    let _ = query.opt(|opt| {
        opt.set_udp_payload_size(1232);
        opt.push_raw_option(CLIENT_SUBNET, data.len() as u16, |target| target.append_slice(&data))
    });
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::{Message, Ttl};
    use domain::rdata::A;
    use port53_zone::name;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, UdpSocket};

    fn question() -> Question {
        Question { name: name::parse_absolute("www.example.com").expect("a name"), rtype: Rtype::A }
    }

    fn answer(query: &[u8], address: Ipv4Addr) -> Vec<u8> {
        let query = Message::from_octets(query).expect("a message");
        let mut answer =
            MessageBuilder::new_vec().start_answer(&query, Rcode::NOERROR).expect("there is room");
        answer
            .push((question().name, Class::IN, Ttl::from_secs(60), A::new(address)))
            .expect("there is room");
        answer.finish()
    }

    /// A server over TCP that answers those of one network otherwise.
    async fn by_location() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let length = stream.read_u16().await.expect("a length");
                let mut query = vec![0; length.into()];
                stream.read_exact(&mut query).await.expect("a query");
                let last = if query.ends_with(&[24, 0, 202, 12, 29]) { 9 } else { 1 };
                let answer = answer(&query, Ipv4Addr::new(192, 0, 2, last));
                stream.write_u16(answer.len() as u16).await.expect("it is sent");
                stream.write_all(&answer).await.expect("it is sent");
            }
        });
        address
    }

    /// RFC 7871 §6: family, source and scope prefix length, address.
    #[tokio::test]
    async fn rfc7871_6_answers_by_the_network_of_the_client_are_seen() {
        let said =
            as_by_others(by_location().await, &question(), &[]).await.flatten().expect("another answer");
        assert!(said.starts_with("www.example.com. A: here") && said.contains("192.0.2.9"), "{said}");
        assert!(said.contains("to a client of 202.12.29.0/24"), "{said}");
    }

    /// A server that answers some, cuts some short, and no others, as RRL does.
    #[tokio::test]
    async fn a_server_that_limits_rates_is_seen() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let address = socket.local_addr().expect("an address");
        tokio::spawn(async move {
            let mut octets = [0; 512];
            for number in 0.. {
                let Ok((length, client)) = socket.recv_from(&mut octets).await else { return };
                let mut answer = answer(&octets[..length], Ipv4Addr::LOCALHOST);
                if number >= 40 {
                    answer[2] |= TC;
                }
                socket.send_to(&answer, client).await.expect("it is sent");
            }
        });
        let burst = burst(address, &question().name).await;
        assert_eq!(burst, Burst { whole: 40, truncated: 10, lost: 0 });
        assert_eq!(burst.came(), AtOnce::Limited);
        assert_eq!(burst.to_string(), "answered 40, cut 10 short (TC) and did not answer 0");
        assert_eq!(Burst { whole: 48, truncated: 0, lost: 2 }.came(), AtOnce::Answered);
    }

    /// Nothing listens there over UDP: that is no limit of rates.
    #[tokio::test]
    async fn a_server_that_answers_nothing_over_udp_is_not_said_to_limit_rates() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (at_once, said) = Bursts::default().of(&[address], &question().name).await;
        assert_eq!(at_once, AtOnce::Silent);
        assert_eq!(said, format!("of 50 questions at once over UDP {address} answered none"));
    }

    /// Who answers no question has said nothing about whom it answers.
    #[tokio::test]
    async fn a_server_that_answers_nothing_is_not_said_to_answer_everyone_alike() {
        let apex = name::parse_absolute("example.com").expect("a name");
        let name = || apex.clone();
        let soa = Soa {
            primary: name(),
            contact: name(),
            serial: 1,
            refresh: 1,
            retry: 2,
            expire: 3,
            minimum: 4,
            ttl: 5,
        };
        let addresses = vec!["127.0.0.1:1".to_owned()];
        let zone = (soa, Content::empty(apex.clone(), [0; 16]));
        let check = check(Due::All, None, addresses, zone, Vec::new(), Bursts::default()).await;
        assert_eq!((check.at_once, check.by_client), (AtOnce::Silent, ByClient::Untold));
        assert_eq!(check.clients, "no question was answered as often as it was asked");
    }

    /// "It is looked at once per change of legacy's addresses and daily, never more."
    #[test]
    fn it_is_asked_once_a_day_and_for_other_addresses() {
        let now: Timestamp = "2026-11-30T18:00:00Z".parse().expect("a time");
        let addresses = ["192.0.2.53".to_owned()];
        let last = |at: &str| LegacyCheck {
            at: at.to_owned(),
            addresses: addresses.to_vec(),
            at_once: AtOnce::Answered,
            burst: String::new(),
            by_client: ByClient::Alike,
            clients: String::new(),
            pods: 0,
        };
        let due = |last: &LegacyCheck, addresses: &[String], pods| due(Some(last), addresses, pods, now);
        assert_eq!(super::due(None, &addresses, 0, now), Some(Due::All));
        assert_eq!(due(&last("2026-11-29T18:00:01Z"), &addresses, 0), None);
        assert_eq!(due(&last("2026-11-29T18:00:00Z"), &addresses, 0), Some(Due::All));
        assert_eq!(due(&last("2026-11-30T17:59:59Z"), &["192.0.2.54".to_owned()], 0), Some(Due::All));
        // Once more as by others, when there are pods to ask through.
        assert_eq!(due(&last("2026-11-30T17:00:00Z"), &addresses, 2), Some(Due::AsByOthers));
        let through = LegacyCheck { pods: 2, ..last("2026-11-30T17:00:00Z") };
        assert_eq!(due(&through, &addresses, 2), None);
        // Soon, where nothing was seen.
        let silent = |at: &str| LegacyCheck { at_once: AtOnce::Silent, ..last(at) };
        assert_eq!(due(&silent("2026-11-30T17:50:01Z"), &addresses, 0), None);
        assert_eq!(due(&silent("2026-11-30T17:50:00Z"), &addresses, 0), Some(Due::All));
        let untold = LegacyCheck { by_client: ByClient::Untold, ..last("2026-11-30T17:50:00Z") };
        assert_eq!(due(&untold, &addresses, 0), Some(Due::All));
    }
}
