//! One datagram that is answered by a task, beside the batches of a UDP thread: a query that is forwarded.

use crate::forward::Place;
use crate::traffic;
use nix::libc;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use port53_zone::answer::Asked;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Octets of the largest response that the settings allow.
const RESPONSE: usize = 4_096;
/// How often it is tried to send when there is no room, and the pause between.
const ATTEMPTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(1);

/// A query, and the way back.
pub(super) struct Datagram {
    /// By which it came.
    pub(super) socket: Arc<UdpSocket>,
    /// Where it came from.
    pub(super) client: SocketAddr,
    /// The address of ours that it was sent to, where the socket has many.
    pub(super) from: Option<IpAddr>,
    pub(super) asked: Asked,
    pub(super) query: Box<[u8]>,
    pub(super) counters: Arc<traffic::Worker>,
}

impl Datagram {
    /// Answers it with what legacy says.
    pub(super) async fn answer(self, place: Place) {
        let begun = Instant::now();
        let mut out = vec![0; RESPONSE];
        let Some(made) = place.answer(&self.asked, &self.query, &mut out).await else {
            return self.counters.unanswered();
        };
        self.counters.answered(made.qtype, made.rcode, made.truncated, begun.elapsed());
        if self.send(&out[..made.len]).await.is_err() {
            self.counters.send_failed();
        }
    }

    async fn send(&self, response: &[u8]) -> io::Result<()> {
        let mut attempts = 0;
        loop {
            match send(&self.socket, response, self.client, self.from) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && attempts < ATTEMPTS => {
                    tokio::time::sleep(PAUSE).await;
                }
                // What an earlier answer met with is told once, and is not about this one.
                Err(_) if attempts == 0 => {}
                result => return result,
            }
            attempts += 1;
        }
    }
}

/// Sends `octets` to `client`, from the address `from` of ours where one is given, without waiting.
fn send(socket: &UdpSocket, octets: &[u8], client: SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
    let (v4, v6);
    let mut control = Vec::new();
    match from {
        Some(IpAddr::V4(address)) => {
            v4 = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from(address).to_be() },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            control.push(ControlMessage::Ipv4PacketInfo(&v4));
        }
        Some(IpAddr::V6(address)) => {
            // A link-local address means nothing without its interface, which is that of the client.
            let interface = match client {
                SocketAddr::V6(client) if address.is_unicast_link_local() => client.scope_id(),
                _ => 0,
            };
            v6 = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                ipi6_ifindex: interface as _,
            };
            control.push(ControlMessage::Ipv6PacketInfo(&v6));
        }
        None => {}
    }
    let to = SockaddrStorage::from(client);
    let parts = [IoSlice::new(octets)];
    sendmsg(socket.as_raw_fd(), &parts, &control, MsgFlags::MSG_DONTWAIT, Some(&to))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the address that was asked, of the two that this host has on loopback, and to one of IPv6.
    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        for (bound, asked, client) in [
            ("0.0.0.0:0", "127.0.0.2", "127.0.0.1:0"),
            ("0.0.0.0:0", "127.0.0.3", "127.0.0.1:0"),
            ("[::]:0", "::1", "[::1]:0"),
        ] {
            let socket = UdpSocket::bind(bound).expect("a socket");
            let client = UdpSocket::bind(client).expect("a socket");
            client.set_read_timeout(Some(Duration::from_secs(10))).expect("sets");
            let asked: IpAddr = asked.parse().expect("an address");
            let to = client.local_addr().expect("bound");
            send(&socket, b"answer", to, Some(asked)).expect("sent");
            let mut octets = [0; 16];
            let (len, from) = client.recv_from(&mut octets).expect("it comes");
            assert_eq!((&octets[..len], from.ip()), (&b"answer"[..], asked));
            assert_eq!(from.port(), socket.local_addr().expect("bound").port());
            send(&socket, b"again", to, None).expect("sent");
            assert_eq!(client.recv(&mut octets).expect("it comes"), 5);
        }
    }
}
