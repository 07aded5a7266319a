//! A resolver with a fault, for the tests of rollouts: a real one behind a relay that spoils some of what it says.
//!
//! ```text
//! clients ──▶ relay on 5353 ──▶ port53-resolver on loopback
//!               └ spoils answers, waits, or is not there
//! ```
//!
//! Which fault is in the name by which it is run: `faulty-slow`. All else is as for port53-resolver, health and metrics included: what is wrong shows
//! in the answers alone, or in what Kubernetes sees of the container.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Where the real one answers.
const REAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 15353);
/// Where clients ask.
const PORT: u16 = 5353;
/// Octets of a header.
const HEADER: usize = 12;
/// NXDOMAIN.
const NAME_ERROR: u8 = 3;
/// What is leaked at a time, and how often.
const LEAK: (usize, Duration) = (16 << 20, Duration::from_secs(1));

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// Names that a wildcard stands for are name errors.
    Wildcard,
    /// One name in a hundred is a name error.
    Names,
    /// Each answer takes 20 ms more.
    Slow,
    /// Nobody answers over TCP.
    NoTcp,
    /// Nobody answers over UDP.
    NoUdp,
    /// Memory is taken and never given back.
    Leak,
}

impl Fault {
    fn of_program() -> Result<Self, String> {
        let program = std::env::args().next().unwrap_or_default();
        let text =
            program.rsplit('/').next().and_then(|name| name.strip_prefix("faulty-")).unwrap_or_default();
        Ok(match text {
            "wildcard" => Fault::Wildcard,
            "names" => Fault::Names,
            "slow" => Fault::Slow,
            "no-tcp" => Fault::NoTcp,
            "no-udp" => Fault::NoUdp,
            "leak" => Fault::Leak,
            other => {
                return Err(format!(
                    "PORT53_FAULT is {other:?}: write wildcard, names, slow, no-tcp, no-udp or leak"
                ));
            }
        })
    }
}

fn main() -> ExitCode {
    let fault = match Fault::of_program() {
        Ok(fault) => fault,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    if std::env::var("PORT53_LISTEN") != Ok(REAL.to_string()) {
        eprintln!("error: PORT53_LISTEN is not {REAL}, where the relay expects the resolver");
        return ExitCode::from(2);
    }
    std::thread::spawn(move || relay(fault));
    if fault == Fault::Leak {
        std::thread::spawn(leak);
    }
    port53_resolver::program::run()
}

fn leak() {
    loop {
        std::thread::sleep(LEAK.1);
        // Written to, and looked at as far as the compiler knows, so that it is taken indeed.
        std::mem::forget(std::hint::black_box(vec![1u8; LEAK.0]));
    }
}

fn relay(fault: Fault) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let any: SocketAddr = (Ipv6Addr::UNSPECIFIED, PORT).into();
        let (udp, tcp) = tokio::join!(
            async { if fault == Fault::NoUdp { Ok(()) } else { over_udp(any, fault).await } },
            async { if fault == Fault::NoTcp { Ok(()) } else { over_tcp(any, fault).await } }
        );
        for ended in [udp, tcp] {
            if let Err(error) = ended {
                eprintln!("error: the relay has ended: {error}");
                std::process::exit(1);
            }
        }
    });
}

async fn over_udp(address: SocketAddr, fault: Fault) -> io::Result<()> {
    let socket = Arc::new(UdpSocket::bind(address).await?);
    let mut octets = [0; 4096];
    loop {
        let (length, client) = socket.recv_from(&mut octets).await?;
        let (query, socket) = (octets[..length].to_vec(), socket.clone());
        tokio::spawn(async move {
            if let Ok(answer) = ask(&query).await {
                let answer = spoilt(&query, answer, fault).await;
                let _ = socket.send_to(&answer, client).await;
            }
        });
    }
}

async fn over_tcp(address: SocketAddr, fault: Fault) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(async move {
            let _ = connection(client, fault).await;
        });
    }
}

async fn connection(mut client: TcpStream, fault: Fault) -> io::Result<()> {
    let mut real = TcpStream::connect(REAL).await?;
    loop {
        let query = read(&mut client).await?;
        write(&mut real, &query).await?;
        let answer = read(&mut real).await?;
        write(&mut client, &spoilt(&query, answer, fault).await).await?;
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = (message.len() as u16).to_be_bytes();
    stream.write_all(&[&length[..], message].concat()).await
}

/// What the real one answers over UDP.
async fn ask(query: &[u8]) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(REAL).await?;
    socket.send(query).await?;
    let mut answer = vec![0; 65_535];
    let length = tokio::time::timeout(Duration::from_secs(2), socket.recv(&mut answer)).await??;
    answer.truncate(length);
    Ok(answer)
}

async fn spoilt(query: &[u8], answer: Vec<u8>, fault: Fault) -> Vec<u8> {
    match fault {
        Fault::Wildcard if is_by_wildcard(query, &answer).await => as_name_error(&answer),
        Fault::Names if is_unlucky(query) => as_name_error(&answer),
        Fault::Slow => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer
        }
        _ => answer,
    }
}

/// Whether an answer is what the wildcard beside the name would answer too.
async fn is_by_wildcard(query: &[u8], answer: &[u8]) -> bool {
    let Some(end) = end_of_name(query) else { return false };
    let first = usize::from(query[HEADER]);
    if answers(answer) == 0 || query[HEADER..].starts_with(b"\x01*") || first == 0 {
        return false;
    }
    let above = &query[HEADER + 1 + first..end];
    let wildcard = [&query[..HEADER], b"\x01*", above, &query[end..]].concat();
    match ask(&wildcard).await {
        // The record is the last of what is not OPT; its value is what both end in before that.
        Ok(other) => answers(&other) == answers(answer) && other.len() + first == answer.len() + 1,
        Err(_) => false,
    }
}

fn is_unlucky(query: &[u8]) -> bool {
    let Some(end) = end_of_name(query) else { return false };
    let mut hasher = DefaultHasher::new();
    query[HEADER..end].to_ascii_lowercase().hash(&mut hasher);
    hasher.finish().is_multiple_of(100)
}

/// The same header and question, and nothing there.
fn as_name_error(answer: &[u8]) -> Vec<u8> {
    let end = end_of_name(answer).map_or(answer.len(), |end| (end + 4).min(answer.len()));
    let mut spoilt = answer[..end].to_vec();
    if spoilt.len() >= HEADER {
        spoilt[3] = spoilt[3] & 0xF0 | NAME_ERROR;
        spoilt[6..HEADER].fill(0);
    }
    spoilt
}

fn answers(message: &[u8]) -> u16 {
    message.get(6..8).map_or(0, |count| u16::from_be_bytes([count[0], count[1]]))
}

/// Where the name of the question ends.
fn end_of_name(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length => at += 1 + usize::from(length),
        }
    }
}
