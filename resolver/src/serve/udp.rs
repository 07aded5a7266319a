//! UDP: a thread, a socket, a buffer each way. Receive, answer, send.
//!
//! No allocation and no lock for a query, but for a socket bound to a wildcard address: there the address
//! that was asked is taken from the packet (PKTINFO), so that the reply comes from it, and handing it back
//! to the kernel costs one small allocation.

use crate::traffic;
use crate::transfer::{Answered, Over, Transfers};
use arc_swap::ArcSwap;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg};
use port53_zone::answer::{self, Transport};
use port53_zone::image::Zones;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a thread sleeps at most before it looks whether it shall stop.
const LOOK_UP: Duration = Duration::from_millis(100);
/// Packets already in the queue of the socket that are still answered when the time to leave has come.
const LAST_PACKETS: usize = 10_000;
/// Larger than any response that the settings allow over UDP.
const RESPONSE: usize = 4096;
const QUERY: usize = 65_535;
/// Ports from which no resolver asks: none, echo, chargen. Answering them makes loops.
const BAD_PORTS: [u16; 3] = [0, 7, 19];

/// One thread's work.
pub(super) struct Worker {
    socket: UdpSocket,
    wildcard: bool,
    zones: Arc<ArcSwap<Zones>>,
    settings: answer::Settings,
    transfers: Arc<Transfers>,
    counters: Arc<traffic::Worker>,
    stop: Arc<AtomicBool>,
}

/// Who asked, and at which address of ours when the socket does not say.
struct Peer {
    address: SocketAddr,
    asked: Option<Asked>,
}

enum Asked {
    V4(nix::libc::in_pktinfo),
    V6(nix::libc::in6_pktinfo),
}

struct Buffers {
    query: Box<[u8]>,
    response: Box<[u8]>,
    control: Vec<u8>,
}

impl Worker {
    pub(super) fn new(
        socket: UdpSocket,
        zones: Arc<ArcSwap<Zones>>,
        settings: answer::Settings,
        transfers: Arc<Transfers>,
        counters: Arc<traffic::Worker>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        socket.set_read_timeout(Some(LOOK_UP))?;
        let wildcard = socket.local_addr()?.ip().is_unspecified();
        Ok(Worker { socket, wildcard, zones, settings, transfers, counters, stop })
    }

    /// Answers until told to stop. A panic costs one packet.
    pub(super) fn run(self) {
        let mut buffers = Buffers {
            query: vec![0; QUERY].into_boxed_slice(),
            response: vec![0; RESPONSE].into_boxed_slice(),
            control: nix::cmsg_space!(nix::libc::in6_pktinfo, nix::libc::in_pktinfo),
        };
        while catch_unwind(AssertUnwindSafe(|| self.answer_until_stopped(&mut buffers))).is_err() {
            self.counters.panicked();
            tracing::error!("answering a UDP query panicked: this is a bug, please report it");
        }
    }

    fn answer_until_stopped(&self, buffers: &mut Buffers) {
        while !self.stop.load(Ordering::Acquire) {
            self.answer_next(buffers);
        }
        if self.socket.set_nonblocking(true).is_ok() {
            (0..LAST_PACKETS).take_while(|_| self.answer_next(buffers)).for_each(drop);
        }
    }

    /// Answers one packet. Says whether there was one.
    fn answer_next(&self, buffers: &mut Buffers) -> bool {
        let (len, peer) = match self.receive(buffers) {
            Ok(received) => received,
            // Nothing came, or an earlier reply could not be delivered, which is not our concern.
            Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        let begun = Instant::now();
        self.counters.received();
        if BAD_PORTS.contains(&peer.address.port()) {
            self.counters.bad_source();
            return true;
        }
        let query = &buffers.query[..len];
        let zones = self.zones.load();
        let over = Over::Udp(self.settings.udp_limit);
        let respond = |query: &[u8], out: &mut [u8]| {
            answer::respond(&zones, &self.settings, Transport::Udp, query, out)
        };
        match self.transfers.answer(&zones, query, peer.address.ip(), over, &mut buffers.response, respond) {
            // A transfer over UDP is one response.
            Answered::Nothing | Answered::Transfer(_) => self.counters.unanswered(),
            Answered::Response(made) => {
                if self.reply(&buffers.response[..made.len], &peer).is_err() {
                    self.counters.send_failed();
                }
                self.counters.answered(made.qtype, made.rcode, made.truncated, begun.elapsed());
            }
        }
        true
    }

    fn receive(&self, buffers: &mut Buffers) -> io::Result<(usize, Peer)> {
        if !self.wildcard {
            let (len, address) = self.socket.recv_from(&mut buffers.query)?;
            return Ok((len, Peer { address, asked: None }));
        }
        let mut into = [IoSliceMut::new(&mut buffers.query)];
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut into,
            Some(&mut buffers.control),
            MsgFlags::empty(),
        )?;
        let asked = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(Asked::V4(info)),
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(Asked::V6(info)),
            _ => None,
        });
        let address = message.address.as_ref().and_then(to_std).ok_or(ErrorKind::InvalidData)?;
        Ok((message.bytes, Peer { address, asked }))
    }

    fn reply(&self, response: &[u8], peer: &Peer) -> io::Result<usize> {
        let control = match &peer.asked {
            None => return self.socket.send_to(response, peer.address),
            Some(Asked::V4(info)) => ControlMessage::Ipv4PacketInfo(info),
            Some(Asked::V6(info)) => ControlMessage::Ipv6PacketInfo(info),
        };
        let to = SockaddrStorage::from(peer.address);
        let from = [IoSlice::new(response)];
        Ok(sendmsg(self.socket.as_raw_fd(), &from, &[control], MsgFlags::empty(), Some(&to))?)
    }
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|a| SocketAddrV4::from(*a).into());
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddrV6::from(*a).into()))
}
