//! One question over a real socket, asked once and read by hickory, which shares no code with the answer.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name as HickoryName, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use port53_zone::{name, rdata};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// Octets of a header, before the question (RFC 1035 §4.1.1).
const HEADER: usize = 12;
/// ANY is a question, not a type of data (RFC 1035 §3.2.3).
const ANY: u16 = 255;

/// How to ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// A connection for the one question (RFC 7766).
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        })
    }
}

/// A question, and what the client says of itself.
#[derive(Clone, Debug)]
pub struct Question {
    text: String,
    message: Message,
    /// Where the question ends in the message.
    end: usize,
}

impl Question {
    /// `text` is `owner TYPE`, the owner absolute. `payload` is what EDNS offers; without it there is no
    /// OPT (RFC 6891).
    ///
    /// # Panics
    /// When it is no question.
    pub fn new(text: &str, payload: Option<u16>) -> Self {
        let (owner, rtype) = text.split_once(' ').unwrap_or_else(|| panic!("{text}: not `owner TYPE`"));
        let owner = name::parse_absolute(owner).unwrap_or_else(|error| panic!("{text}: {error}"));
        let end = HEADER + owner.as_slice().len() + 4;
        let owner = HickoryName::read(&mut BinDecoder::new(owner.as_slice())).expect("a name");
        let rtype = match rtype {
            "ANY" => ANY,
            rtype => rdata::parse_rtype(rtype).unwrap_or_else(|| panic!("{text}: no such type")).to_int(),
        };
        let mut message = Message::new(0x5353, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(owner, RecordType::from(rtype)));
        if let Some(payload) = payload {
            let mut edns = Edns::new();
            edns.set_max_payload(payload);
            message.set_edns(edns);
        }
        Question { text: text.to_owned(), message, end }
    }

    /// The same with DO set (RFC 3225). Without EDNS there is nothing to set it in.
    #[must_use]
    pub fn with_dnssec_ok(mut self) -> Self {
        if let Some(edns) = &mut self.message.edns {
            edns.set_dnssec_ok(true);
        }
        self
    }

    /// Asks once; a lost packet is an error. On loopback none is lost.
    ///
    /// # Errors
    /// When no answer came in `patience`, or what came is no answer to this question, its case included.
    pub fn ask(&self, server: SocketAddr, transport: Transport, patience: Duration) -> io::Result<Message> {
        let query = self.message.to_vec().map_err(io::Error::other)?;
        let answer = match transport {
            Transport::Udp => udp(server, &query, patience)?,
            Transport::Tcp => tcp(server, &query, patience)?,
        };
        self.read(&query, &answer)
    }

    /// Asks through something else, which is given the octets that go to the server and gives those that come from it.
    ///
    /// # Errors
    /// As [`Question::ask`].
    pub fn ask_through(
        &self,
        transport: Transport,
        exchange: impl FnOnce(&[u8]) -> io::Result<Vec<u8>>,
    ) -> io::Result<Message> {
        let query = self.message.to_vec().map_err(io::Error::other)?;
        let answer = match transport {
            Transport::Udp => exchange(&query)?,
            Transport::Tcp => read_framed(&mut &exchange(&framed(&query)?)?[..])?,
        };
        self.read(&query, &answer)
    }

    /// Whether it asks for records of this owner, in wire form and lower case, and of this type.
    pub fn is_about(&self, owner: &[u8], rtype: u16) -> bool {
        let query = self.message.to_vec().unwrap_or_default();
        let asked = query.get(HEADER..self.end).and_then(|asked| asked.split_last_chunk::<4>());
        asked.is_some_and(|(name, [high, low, ..])| {
            name.eq_ignore_ascii_case(owner) && u16::from_be_bytes([*high, *low]) == rtype
        })
    }

    /// The query as it is sent, with another ID.
    ///
    /// # Errors
    /// Never, for a question that is one.
    pub fn query(&self, id: u16) -> io::Result<Vec<u8>> {
        let mut query = self.message.to_vec().map_err(io::Error::other)?;
        query[..2].copy_from_slice(&id.to_be_bytes());
        Ok(query)
    }

    /// What came for `query`.
    ///
    /// # Errors
    /// When it is no answer to this question, its case included.
    pub fn read(&self, query: &[u8], answer: &[u8]) -> io::Result<Message> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", self.text));
        let message = Message::from_vec(answer).map_err(|error| wrong(&format!("no message: {error}")))?;
        if answer[..2] != query[..2] || answer[2] & 0x80 == 0 {
            return Err(wrong("the message is no answer to it"));
        }
        // RFC 1035 §4.1.1, and RFC 4343 §4.1: octet by octet, so in the case it was asked in.
        if answer.get(HEADER..self.end) != query.get(HEADER..self.end) {
            return Err(wrong("the question is not repeated as it was asked"));
        }
        Ok(message)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A client that asks many questions over one UDP socket and one TCP connection, without waiting for one answer
/// before the next question.
#[derive(Debug)]
pub struct Client {
    server: SocketAddr,
    patience: Duration,
    udp: UdpSocket,
    tcp: TcpStream,
    /// The ID of the first question of the last batch, and those of the others follow it.
    first_id: u16,
}

impl Client {
    /// # Errors
    /// When there is no connection within `patience`, which is also how long an answer may take.
    pub fn connect(server: SocketAddr, patience: Duration) -> io::Result<Self> {
        let (udp, tcp) = (udp_socket(server, patience)?, tcp_stream(server, patience)?);
        Ok(Client { server, patience, udp, tcp, first_id: 0 })
    }

    /// Sends questions; few enough that their answers fit the buffer of a socket.
    ///
    /// # Errors
    /// When a datagram cannot be sent. That the server closed the connection is seen when receiving.
    pub fn send(&mut self, batch: &[(Question, Transport)]) -> io::Result<()> {
        self.first_id = self.first_id.wrapping_add(0x100);
        let mut stream = Vec::new();
        for (id, (question, transport)) in self.ids(batch.len()).zip(batch) {
            let query = question.query(id)?;
            match transport {
                Transport::Udp => drop(self.udp.send(&query)?),
                Transport::Tcp => stream.extend(framed(&query)?),
            }
        }
        if !stream.is_empty() && self.tcp.write_all(&stream).is_err() {
            self.tcp = tcp_stream(self.server, self.patience)?;
        }
        Ok(())
    }

    /// The answers to the batch that was sent, in its order. What is missing is asked once more, alone.
    ///
    /// # Errors
    /// When there is no new connection. The errors of each answer are those of [`Question::ask`].
    pub fn receive(&mut self, batch: &[(Question, Transport)]) -> io::Result<Vec<io::Result<Message>>> {
        let mut answers: Vec<Option<io::Result<Message>>> = batch.iter().map(|_| None).collect();
        for transport in [Transport::Udp, Transport::Tcp] {
            let count = batch.iter().filter(|(_, over)| *over == transport).count();
            for _ in 0..count {
                let answer = match transport {
                    Transport::Udp => receive_udp(&self.udp),
                    Transport::Tcp => read_framed(&mut self.tcp),
                };
                let Ok(answer) = answer else {
                    // Datagrams were lost, or an idle connection was closed.
                    self.tcp = tcp_stream(self.server, self.patience)?;
                    self.udp = udp_socket(self.server, self.patience)?;
                    break;
                };
                let id = answer.get(..2).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]));
                let place = usize::from(id.wrapping_sub(self.first_id));
                if let Some((question, _)) = batch.get(place) {
                    answers[place] = Some(question.read(&question.query(id)?, &answer));
                }
            }
        }
        let ask_alone = |(question, transport): &(Question, Transport)| {
            question.ask(self.server, *transport, self.patience)
        };
        let all = answers.into_iter().zip(batch);
        Ok(all.map(|(answer, asked)| answer.unwrap_or_else(|| ask_alone(asked))).collect())
    }

    /// Asks one question.
    ///
    /// # Errors
    /// As [`Question::ask`].
    pub fn ask(&mut self, question: &Question, transport: Transport) -> io::Result<Message> {
        let batch = [(question.clone(), transport)];
        self.send(&batch)?;
        self.receive(&batch)?.remove(0)
    }

    fn ids(&self, count: usize) -> impl Iterator<Item = u16> + use<> {
        let first = self.first_id;
        (0..count).map(move |i| first.wrapping_add(i as u16))
    }
}

fn udp(server: SocketAddr, query: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    exchange_udp(&udp_socket(server, patience)?, query)
}

fn tcp(server: SocketAddr, query: &[u8], patience: Duration) -> io::Result<Vec<u8>> {
    exchange_tcp(&mut tcp_stream(server, patience)?, query)
}

fn udp_socket(server: SocketAddr, patience: Duration) -> io::Result<UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(patience))?;
    Ok(socket)
}

fn tcp_stream(server: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn exchange_udp(socket: &UdpSocket, query: &[u8]) -> io::Result<Vec<u8>> {
    socket.send(query)?;
    receive_udp(socket)
}

fn exchange_tcp(stream: &mut TcpStream, query: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(&framed(query)?)?;
    read_framed(stream)
}

fn framed(query: &[u8]) -> io::Result<Vec<u8>> {
    let mut framed = u16::try_from(query.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
    framed.extend_from_slice(query);
    Ok(framed)
}

fn receive_udp(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut answer = vec![0; usize::from(u16::MAX)];
    let len = socket.recv(&mut answer)?;
    answer.truncate(len);
    Ok(answer)
}

fn read_framed(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
