//! Ports that servers of tests listen on.
//!
//! They are below those that the kernel gives to outgoing connections (`net.ipv4.ip_local_port_range`): one of these may be
//! taken before the server listens, or while it is stopped and started again; and a connection that has just ended keeps its
//! own for a minute.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// A port of loopback that is free for UDP and TCP at this moment.
///
/// # Panics
/// When there is none.
pub fn free_address() -> SocketAddr {
    free_address_of(Ipv4Addr::LOCALHOST.into())
}

/// A port of an address of this host that is free for UDP and TCP at this moment.
///
/// # Panics
/// When there is none.
pub fn free_address_of(ip: IpAddr) -> SocketAddr {
    let mut all: Vec<u16> = PORTS.collect();
    fastrand::shuffle(&mut all);
    let is_free = |port: &u16| TcpListener::bind((ip, *port)).is_ok() && UdpSocket::bind((ip, *port)).is_ok();
    let free = all.into_iter().find(is_free);
    (ip, free.unwrap_or_else(|| panic!("no port of {ip} is free"))).into()
}
