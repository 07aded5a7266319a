//! Ports that servers of tests listen on.
//!
//! They are below those that the kernel gives to outgoing connections (`net.ipv4.ip_local_port_range`): one of these may be
//! taken before the server listens, or while it is stopped and started again; and a connection that has just ended keeps its
//! own for a minute.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

const FIRST: u16 = 20_000;
const COUNT: u64 = 10_000;

/// A port of loopback that is free for UDP and TCP at this moment.
pub fn free_address() -> SocketAddr {
    free_address_of(Ipv4Addr::LOCALHOST.into())
}

/// The same of another address of this host.
pub fn free_address_of(ip: IpAddr) -> SocketAddr {
    loop {
        let port = FIRST + (RandomState::new().build_hasher().finish() % COUNT) as u16;
        if TcpListener::bind((ip, port)).is_ok() && UdpSocket::bind((ip, port)).is_ok() {
            return (ip, port).into();
        }
    }
}
