//! Many datagrams for one system call: recvmmsg and sendmmsg on memory that is there from the start.
//!
//! ```text
//! receive ──▶ answer each, in its own buffer ──▶ send those that have an answer
//! ```
//!
//! A [`Batch`] has [`MESSAGES`] places. A place is a buffer for what comes, the address that it came from, the
//! address of ours that it went to (PKTINFO, where the socket is bound to a wildcard), and a buffer for the
//! answer. Nothing is allocated after [`Batch::new`], and nothing is asked of the system but these two calls.
//! The headers that the system reads and writes point into the batch; they are made anew before each call, so
//! no pointer outlives a call, and as many as the last call makes expect.
//!
//! Each datagram stands alone, whatever happens to those beside it:
//!
//! | what | becomes of it |
//! |---|---|
//! | more octets than a place has | cut, and said to be ([`Received::is_cut`]) |
//! | a panic in the answer to one | [`Batch::answer`] called again goes on with the next |
//! | the system takes some of the answers | the rest is handed to it again |
//! | an error that belongs to an earlier answer (ICMP says that its port is closed) | the answer at which it was told is tried once more |
//! | an error that stays | that answer is given up and counted, the next one is sent |
//! | no room to send | waited for once, as long as the socket's timeout says; what then finds none is given up |
//!
//! The buffers are a little longer than they need to be: at a distance of 4,096 octets from each other all of
//! them would compete for the same few lines of the first cache.

#![expect(unsafe_code, reason = "recvmmsg and sendmmsg without an allocation a call have no safe wrapper")]

use nix::libc;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

/// Datagrams taken at most with one call.
pub const MESSAGES: usize = 32;
/// Datagrams taken at least, when as many are there.
const FEW: usize = 4;
/// The longest query that is taken whole. One that is longer has more than a question, and is malformed as cut.
pub const QUERY: usize = 4096;

const CACHE_LINE: usize = 64;
/// Room for one PKTINFO of either family, with its header.
const CONTROL: usize = 64;

/// Places for datagrams and their answers. See the module.
pub struct Batch {
    queries: Box<[u8]>,
    answers: Box<[u8]>,
    answer_octets: usize,
    wants_asked: bool,
    peers: Box<[Peer]>,
    controls: Box<[Control]>,
    vectors: Box<[libc::iovec]>,
    incoming: Box<[libc::mmsghdr]>,
    outgoing: Box<[libc::mmsghdr]>,
    /// For each answer that is ready, the place of its query and its length.
    ready: Box<[(usize, usize)]>,
    /// Places that the next call may fill: all under load, a few when little comes, for preparing one costs more than
    /// looking whether there is more.
    places: usize,
    received: usize,
    next: usize,
    answered: usize,
}

/// One datagram.
#[derive(Debug)]
pub struct Received<'a> {
    /// What came, at most [`QUERY`] octets.
    pub octets: &'a [u8],
    /// Whether more came than that.
    pub is_cut: bool,
    /// Who sent it.
    pub from: SocketAddr,
    /// The address of ours that it was sent to, where the batch was made to ask for it.
    pub asked: Option<IpAddr>,
}

/// What became of the answers of a batch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sent {
    /// Handed to the system.
    pub sent: usize,
    /// Given up.
    pub failed: usize,
}

/// Whether to wait when nothing has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// As long as the socket's timeout says, for the first datagram; the others are those already there.
    ForOne,
    /// Not at all.
    No,
}

/// The address of a sender as the system writes it.
#[repr(C)]
#[derive(Clone, Copy)]
union Peer {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

/// Control messages, aligned as their headers must be.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

impl Batch {
    /// A batch whose answers have at most `answer_octets`. `wants_asked` is for sockets that tell the address
    /// which was asked (PKTINFO): answers then come from it.
    pub fn new(answer_octets: usize, wants_asked: bool) -> Self {
        // SAFETY: all three are structures of numbers and pointers, for which zero is a value.
        let (peer, vector, header) = unsafe {
            (
                std::mem::zeroed::<Peer>(),
                std::mem::zeroed::<libc::iovec>(),
                std::mem::zeroed::<libc::mmsghdr>(),
            )
        };
        Batch {
            queries: vec![0; MESSAGES * stride(QUERY)].into(),
            answers: vec![0; MESSAGES * stride(answer_octets)].into(),
            answer_octets,
            wants_asked,
            peers: vec![peer; MESSAGES].into(),
            controls: vec![Control([0; CONTROL]); MESSAGES].into(),
            vectors: vec![vector; MESSAGES].into(),
            incoming: vec![header; MESSAGES].into(),
            outgoing: vec![header; MESSAGES].into(),
            ready: vec![(0, 0); MESSAGES].into(),
            places: FEW,
            received: 0,
            next: 0,
            answered: 0,
        }
    }

    /// Takes the datagrams that are there, and says how many. What was in the batch is forgotten.
    ///
    /// # Errors
    /// What the system says; [`ErrorKind::WouldBlock`] when nothing came.
    pub fn receive(&mut self, socket: &UdpSocket, wait: Wait) -> io::Result<usize> {
        (self.received, self.next, self.answered) = (0, 0, 0);
        let places = self.places;
        for place in 0..places {
            let query = &mut self.queries[place * stride(QUERY)..][..QUERY];
            self.vectors[place] = libc::iovec { iov_base: query.as_mut_ptr().cast(), iov_len: QUERY };
            let header = &mut self.incoming[place].msg_hdr;
            header.msg_name = (&raw mut self.peers[place]).cast();
            header.msg_namelen = size_of::<Peer>() as libc::socklen_t;
            header.msg_iov = &raw mut self.vectors[place];
            header.msg_iovlen = 1;
            header.msg_flags = 0;
            if self.wants_asked {
                header.msg_control = self.controls[place].0.as_mut_ptr().cast();
                header.msg_controllen = CONTROL as _;
            }
        }
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::No => libc::MSG_DONTWAIT,
        };
        // SAFETY: every header was just pointed at memory of this batch, with its length, and the batch is
        // borrowed for the call. Without `wants_asked` the control pointers are null and their lengths zero.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.incoming.as_mut_ptr(),
                places as u32,
                flags as _,
                ptr::null_mut(),
            )
        };
        self.received = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        self.places = (4 * self.received).clamp(FEW, MESSAGES);
        Ok(self.received)
    }

    /// What the datagrams say that were received last.
    pub fn queries(&self) -> impl Iterator<Item = &[u8]> {
        let places = self.incoming[..self.received].iter().zip(self.queries.chunks_exact(stride(QUERY)));
        places.map(|(header, place)| &place[..(header.msg_len as usize).min(QUERY)])
    }

    /// Calls `answer` for each datagram not yet handed to it, with a buffer. It returns the length of the answer
    /// it wrote there, or `None` for no answer. When it panics, the next call goes on behind that datagram.
    pub fn answer(&mut self, mut answer: impl FnMut(&Received<'_>, &mut [u8]) -> Option<usize>) {
        while self.next < self.received {
            let place = self.next;
            self.next += 1;
            let header = &self.incoming[place];
            let length = (header.msg_len as usize).min(QUERY);
            let Some(from) = self.peers[place].address() else { continue };
            let received = Received {
                octets: &self.queries[place * stride(QUERY)..][..length],
                is_cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                from,
                asked: if self.wants_asked { asked(&mut self.incoming[place].msg_hdr) } else { None },
            };
            let out = &mut self.answers[place * stride(self.answer_octets)..][..self.answer_octets];
            if let Some(length) = answer(&received, out) {
                self.ready[self.answered] = (place, length.min(self.answer_octets));
                self.answered += 1;
            }
        }
    }

    /// Sends the answers, each to whom and from where its query came. The batch is empty then.
    pub fn send(&mut self, socket: &UdpSocket) -> Sent {
        let count = std::mem::take(&mut self.answered);
        for (at, &(place, length)) in self.ready[..count].iter().enumerate() {
            let answer = &mut self.answers[place * stride(self.answer_octets)..][..length];
            self.vectors[at] = libc::iovec { iov_base: answer.as_mut_ptr().cast(), iov_len: length };
            let incoming = &self.incoming[place].msg_hdr;
            let header = &mut self.outgoing[at].msg_hdr;
            header.msg_name = (&raw mut self.peers[place]).cast();
            header.msg_namelen = incoming.msg_namelen;
            header.msg_iov = &raw mut self.vectors[at];
            header.msg_iovlen = 1;
            if self.wants_asked {
                header.msg_control = self.controls[place].0.as_mut_ptr().cast();
                // What the system wrote there, nothing if it wrote nothing.
                header.msg_controllen = incoming.msg_controllen;
            }
        }
        send_all(socket, &mut self.outgoing[..count])
    }
}

/// Hands all of `headers` to the system. They must be as [`Batch::send`] makes them.
fn send_all(socket: &UdpSocket, headers: &mut [libc::mmsghdr]) -> Sent {
    let mut sent = Sent::default();
    let (mut at, mut tried_again, mut flags) = (0, false, 0);
    while at < headers.len() {
        let rest = &mut headers[at..];
        // SAFETY: the headers point at memory of the batch that made them, which is borrowed for as long as this
        // call, and the count is that of the slice.
        let count =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, flags as _) };
        if let Ok(count @ 1..) = usize::try_from(count) {
            sent.sent += count;
            at += count;
            tried_again = false;
            continue;
        }
        match io::Error::last_os_error().kind() {
            ErrorKind::Interrupted => continue,
            ErrorKind::WouldBlock => flags = libc::MSG_DONTWAIT,
            _ if !tried_again => {
                tried_again = true;
                continue;
            }
            _ => {}
        }
        sent.failed += 1;
        at += 1;
        tried_again = false;
    }
    sent
}

impl Peer {
    fn address(&self) -> Option<SocketAddr> {
        // SAFETY: the union began as zeroes and the system writes whole addresses; the family, which both
        // addresses begin with, says which of them was written last.
        unsafe {
            match libc::c_int::from(self.family) {
                libc::AF_INET => {
                    let ip = Ipv4Addr::from(u32::from_be(self.v4.sin_addr.s_addr));
                    Some(SocketAddrV4::new(ip, u16::from_be(self.v4.sin_port)).into())
                }
                libc::AF_INET6 => {
                    let (ip, port) = (self.v6.sin6_addr.s6_addr.into(), u16::from_be(self.v6.sin6_port));
                    let (flow, scope) = (self.v6.sin6_flowinfo, self.v6.sin6_scope_id);
                    Some(SocketAddrV6::new(ip, port, flow, scope).into())
                }
                _ => None,
            }
        }
    }
}

/// The address of ours that was asked, from the control messages of a received header. It is prepared for the
/// way back: the interface is taken out, so that the answer is routed like any other, but for link-local
/// addresses, which mean nothing without it.
fn asked(header: &mut libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the system filled the control buffer, an aligned array of `CONTROL` octets that the header points
    // at, and said in the header how much of it. A control message of the type PKTINFO holds that structure, and
    // is looked into only when it is as long as that.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null() {
            return None;
        }
        let data = libc::CMSG_DATA(message);
        let has = |size: usize| (*message).cmsg_len as usize >= libc::CMSG_LEN(size as u32) as usize;
        match ((*message).cmsg_level, (*message).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if has(size_of::<libc::in_pktinfo>()) => {
                let info = data.cast::<libc::in_pktinfo>();
                (*info).ipi_ifindex = 0;
                Some(Ipv4Addr::from(u32::from_be((*info).ipi_spec_dst.s_addr)).into())
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if has(size_of::<libc::in6_pktinfo>()) => {
                let info = data.cast::<libc::in6_pktinfo>();
                let ip = std::net::Ipv6Addr::from((*info).ipi6_addr.s6_addr);
                if !ip.is_unicast_link_local() {
                    (*info).ipi6_ifindex = 0;
                }
                Some(ip.into())
            }
            _ => None,
        }
    }
}

/// Octets from one buffer to the next: whole cache lines, an odd number of them.
const fn stride(octets: usize) -> usize {
    (octets.div_ceil(CACHE_LINE) | 1) * CACHE_LINE
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
