//! Binding sockets: UDP and TCP on the same address and port.
//!
//! Each address gets one TCP listener and as many UDP sockets as there are threads, which the kernel
//! spreads clients over (SO_REUSEPORT). Path-MTU discovery is off for UDP (IP_PMTUDISC_OMIT), so that
//! forged ICMP messages cannot make answers smaller or fragments of them (RFC 9715 §3.1). An IPv6 socket
//! is for IPv6 only, so `0.0.0.0` and `[::]` go together.

use nix::sys::socket::{setsockopt, sockopt};
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Tries to find a port that is free for UDP and TCP, when the system may choose.
const PORT_ATTEMPTS: usize = 64;
const BACKLOG: i32 = 1024;
/// Room for bursts, in octets; the kernel may give less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Bound sockets, not yet answered from.
#[derive(Debug, Default)]
pub struct Listeners {
    pub(super) udp: Vec<(SocketAddr, UdpSocket)>,
    pub(super) tcp: Vec<(SocketAddr, TcpListener)>,
    pub(super) tls: Vec<(SocketAddr, TcpListener)>,
    pub(super) quic: Vec<(SocketAddr, UdpSocket)>,
    /// HTTP/2 and HTTP/3 on the same address and port.
    pub(super) https: Vec<(SocketAddr, TcpListener, UdpSocket)>,
}

/// An address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({protocol}){hint}")]
pub struct BindError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// `UDP` or `TCP`.
    pub protocol: &'static str,
    hint: &'static str,
    /// What the system said.
    pub source: io::Error,
}

impl Listeners {
    /// Binds every address for UDP (`threads` sockets each, at least one) and TCP. Port 0 takes a port that
    /// is free for both.
    ///
    /// # Errors
    /// The first address that cannot be bound, with what to do about it.
    pub fn bind(addresses: &[SocketAddr], threads: usize) -> Result<Self, BindError> {
        let mut listeners = Listeners::default();
        for &address in addresses {
            let (bound, tcp, udp) = bind_both(address, threads.max(1))?;
            listeners.tcp.push((bound, tcp));
            listeners.udp.extend(udp.into_iter().map(|socket| (bound, socket)));
        }
        Ok(listeners)
    }

    /// The addresses, with the ports that were taken.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().map(|(address, _)| *address).collect()
    }

    /// The sockets for UDP alone.
    pub fn into_udp(self) -> Vec<UdpSocket> {
        self.udp.into_iter().map(|(_, socket)| socket).collect()
    }

    /// Binds addresses for DNS over TLS, QUIC and HTTPS too.
    ///
    /// # Errors
    /// The first address that cannot be bound, with what to do about it.
    pub fn bind_encrypted(mut self, addresses: &Encrypted) -> Result<Self, BindError> {
        for &address in &addresses.tls {
            self.tls.push(bind_tcp(address).map_err(|source| failed(address, "TCP", source))?);
        }
        for &address in &addresses.quic {
            self.quic.push(bind_quic(address).map_err(|source| failed(address, "UDP", source))?);
        }
        for &address in &addresses.https {
            let (bound, tcp, udp) = bind_pair(address, bind_quic)?;
            self.https.push((bound, tcp, udp.1));
        }
        Ok(self)
    }

    /// The addresses of the encrypted transports, with the ports that were taken.
    pub fn encrypted(&self) -> Encrypted {
        Encrypted {
            tls: self.tls.iter().map(|(address, _)| *address).collect(),
            quic: self.quic.iter().map(|(address, _)| *address).collect(),
            https: self.https.iter().map(|(address, _, _)| *address).collect(),
        }
    }
}

/// Addresses of the encrypted transports. None of them is listened on by default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Encrypted {
    /// DNS over TLS.
    pub tls: Vec<SocketAddr>,
    /// DNS over QUIC.
    pub quic: Vec<SocketAddr>,
    /// DNS over HTTPS: HTTP/2 over TCP and HTTP/3 over UDP.
    pub https: Vec<SocketAddr>,
}

impl Encrypted {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Encrypted::default()
    }
}

fn bind_both(
    address: SocketAddr,
    threads: usize,
) -> Result<(SocketAddr, TcpListener, Vec<UdpSocket>), BindError> {
    bind_pair(address, |bound| bind_udp(bound, threads))
}

/// TCP, and what `udp` binds on the same port.
fn bind_pair<U>(
    address: SocketAddr,
    udp: impl Fn(SocketAddr) -> io::Result<U>,
) -> Result<(SocketAddr, TcpListener, U), BindError> {
    let mut attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let (bound, tcp) = bind_tcp(address).map_err(|source| failed(address, "TCP", source))?;
        match udp(bound) {
            Ok(udp) => return Ok((bound, tcp, udp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            Err(source) => return Err(failed(address, "UDP", source)),
        }
    }
}

/// The options of a socket for QUIC are set by who speaks it.
fn bind_quic(address: SocketAddr) -> io::Result<(SocketAddr, UdpSocket)> {
    let socket = new_socket(address, Type::DGRAM, Protocol::UDP)?;
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    let socket: UdpSocket = socket.into();
    Ok((socket.local_addr()?, socket))
}

fn bind_tcp(address: SocketAddr) -> io::Result<(SocketAddr, TcpListener)> {
    let socket = new_socket(address, Type::STREAM, Protocol::TCP)?;
    // A restarted process takes its address at once, although old connections linger.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener: TcpListener = socket.into();
    Ok((listener.local_addr()?, listener))
}

/// The first socket is bound once without SO_REUSEPORT, so that a second process on the same address is an
/// error and does not silently take half of the queries.
fn bind_udp(address: SocketAddr, threads: usize) -> io::Result<Vec<UdpSocket>> {
    let guard = new_socket(address, Type::DGRAM, Protocol::UDP)?;
    guard.bind(&address.into())?;
    drop(guard);
    (0..threads).map(|_| bind_udp_once(address)).collect()
}

fn bind_udp_once(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = new_socket(address, Type::DGRAM, Protocol::UDP)?;
    socket.set_reuse_port(true)?;
    // The limit of the system may be lower: then it gives what it allows.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    if address.is_ipv4() {
        rustix::net::sockopt::set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::OMIT)?;
    } else {
        rustix::net::sockopt::set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::OMIT)?;
    }
    if address.ip().is_unspecified() {
        if address.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
    }
    socket.bind(&SockAddr::from(address))?;
    Ok(socket.into())
}

fn new_socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn failed(address: SocketAddr, protocol: &'static str, source: io::Error) -> BindError {
    let hint = match source.kind() {
        io::ErrorKind::AddrInUse => ": another program has it; stop that one or choose another port",
        io::ErrorKind::PermissionDenied => {
            ": ports below 1024 need the capability NET_BIND_SERVICE; give it or choose a higher port"
        }
        io::ErrorKind::AddrNotAvailable => ": no interface of this machine has this address",
        _ => "",
    };
    BindError { address, protocol, hint, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt::{ip_mtu_discover, ipv6_mtu_discover};

    /// RFC 9715 §3.1: what an ICMP of anyone says of a path makes no fragments of our answers.
    #[test]
    fn attack_fragments_by_forged_path_mtu() {
        let any = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let v4 = bind_udp(any("127.0.0.1:0"), 1).expect("a free port");
        assert_eq!(ip_mtu_discover(&v4[0]), Ok(Ipv4PathMtuDiscovery::OMIT));
        let v6 = bind_udp(any("[::1]:0"), 1).expect("a free port");
        assert_eq!(ipv6_mtu_discover(&v6[0]), Ok(Ipv6PathMtuDiscovery::OMIT));
    }
}
