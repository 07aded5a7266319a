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
#[derive(Debug)]
pub struct Listeners {
    udp: Vec<(SocketAddr, UdpSocket)>,
    tcp: Vec<(SocketAddr, TcpListener)>,
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
        let mut listeners = Listeners { udp: Vec::new(), tcp: Vec::new() };
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

    #[expect(clippy::type_complexity, reason = "two lists of addressed sockets, used once")]
    pub(super) fn into_parts(self) -> (Vec<(SocketAddr, UdpSocket)>, Vec<(SocketAddr, TcpListener)>) {
        (self.udp, self.tcp)
    }
}

fn bind_both(
    address: SocketAddr,
    threads: usize,
) -> Result<(SocketAddr, TcpListener, Vec<UdpSocket>), BindError> {
    let mut attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    loop {
        attempts -= 1;
        let (bound, tcp) = bind_tcp(address).map_err(|source| failed(address, "TCP", source))?;
        match bind_udp(bound, threads) {
            Ok(udp) => return Ok((bound, tcp, udp)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
            Err(source) => return Err(failed(address, "UDP", source)),
        }
    }
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
