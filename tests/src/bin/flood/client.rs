//! The client that behaves: steady questions for names that are there, with a cookie, as a resolver asks them.

use super::{APEX, HOSTS};
use port53_zone::name;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Its address: alone in its /24 but for the attackers that are to be there.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
/// How long it waits before it asks again, and then before it gives up.
const PATIENCE: Duration = Duration::from_millis(500);
/// The client's half of its cookie (RFC 7873 §4).
const COOKIE: [u8; 8] = *b"flood-53";
/// Of the COOKIE option (RFC 7873 §9).
const OPTION: [u8; 2] = [0, 10];

/// What it got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Got {
    pub(crate) asked: u32,
    /// Answered rightly at the first attempt.
    pub(crate) at_once: u32,
    /// Answered rightly in the end.
    pub(crate) answered: u32,
    /// Answered over TCP, because it was told to come so.
    pub(crate) over_tcp: u32,
    /// What was not right, and how often.
    pub(crate) wrong: BTreeMap<String, u32>,
    /// From the first attempt to the right answer, in order.
    pub(crate) times: Vec<Duration>,
}

/// Asks `rate` questions a second for as long as `lasts`, each at its time.
pub(crate) fn ask(server: SocketAddr, rate: u32, lasts: Duration) -> io::Result<Got> {
    let socket = UdpSocket::bind((ADDRESS, 0))?;
    socket.connect(server)?;
    let mut client = Client { socket, server, cookie: COOKIE.to_vec(), got: Got::default() };
    let begun = Instant::now();
    let mut number = 0;
    loop {
        let due = begun + Duration::from_secs(1) / rate * number;
        if due.duration_since(begun) >= lasts {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        client.question(number)?;
        number += 1;
    }
    client.got.times.sort_unstable();
    Ok(client.got)
}

struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    /// Its own half, and the server's once it has one.
    cookie: Vec<u8>,
    got: Got,
}

impl Client {
    fn question(&mut self, number: u32) -> io::Result<()> {
        self.got.asked += 1;
        let host = number as usize * 7919 % HOSTS;
        let begun = Instant::now();
        for attempt in 0..2u16 {
            let id = (number as u16) << 1 | attempt;
            let query = self.query(id, host);
            self.socket.send(&query)?;
            let Some(answer) = self.receive(id, begun + PATIENCE * u32::from(attempt + 1))? else { continue };
            self.learn(&answer);
            let is_cut = answer[2] & 0x02 != 0;
            let answer = if is_cut { self.over_tcp(&query).unwrap_or_default() } else { answer };
            match verdict(&answer, host) {
                Ok(()) => {
                    self.got.over_tcp += u32::from(is_cut);
                    self.got.at_once += u32::from(attempt == 0);
                    self.got.answered += 1;
                    self.got.times.push(begun.elapsed());
                    return Ok(());
                }
                Err(why) => *self.got.wrong.entry(why).or_default() += 1,
            }
        }
        Ok(())
    }

    fn query(&self, id: u16, host: usize) -> Vec<u8> {
        let mut query = vec![(id >> 8) as u8, id as u8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        let owner = name::parse_absolute(&format!("host-{host}.{APEX}")).map(|name| name.as_slice().to_vec());
        query.extend_from_slice(&owner.unwrap_or_default());
        query.extend_from_slice(&[0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0]);
        let length = self.cookie.len() as u16;
        query.extend_from_slice(&(length + 4).to_be_bytes());
        query.extend_from_slice(&OPTION);
        query.extend_from_slice(&length.to_be_bytes());
        query.extend_from_slice(&self.cookie);
        query
    }

    /// The answer to `id`, unless it does not come until then.
    fn receive(&self, id: u16, until: Instant) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = [0; 4096];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.recv(&mut buffer) {
                Ok(length) if length >= 12 && buffer[..2] == id.to_be_bytes() => {
                    return Ok(Some(buffer[..length].to_vec()));
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the whole cookie from an answer (RFC 7873 §5.3).
    fn learn(&mut self, answer: &[u8]) {
        let marked = [&OPTION[..], &[0, 24], &COOKIE].concat();
        if let Some(at) = answer.windows(marked.len()).position(|octets| octets == marked) {
            self.cookie = answer[at + 4..at + 28].to_vec();
        }
    }

    fn over_tcp(&self, query: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], query].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}

/// Whether it is the address of the host, and why not.
fn verdict(answer: &[u8], host: usize) -> Result<(), String> {
    let Some(&[_, _, _, flags, _, _, high, low, ..]) = answer.first_chunk::<12>() else {
        return Err("no message".to_owned());
    };
    let address = [10, 0, (host >> 8) as u8, host as u8];
    match (flags & 0x0f, u16::from_be_bytes([high, low])) {
        (0, 1) if answer.windows(4).any(|octets| octets == address) => Ok(()),
        (rcode, count) => Err(format!("rcode {rcode} with {count} answers")),
    }
}
