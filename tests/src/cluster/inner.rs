//! The network of a cluster with nodes: that of the control plane, to which each node is attached. Nothing of it is in
//! the network of this machine but one port on loopback that leads to the API server.

use super::netns::{Forward, Netns};
use super::node;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Addresses of Services, of both families.
pub(super) const SERVICES: [&str; 2] = ["10.96.0.0/16", "fd96::/112"];
/// Of pods: each node has a part of them.
pub(super) const PODS: [&str; 2] = ["10.88.0.0/16", "fd88::/48"];
/// That tests may give to Services as those of a load balancer.
pub const BALANCERS: [&str; 2] = ["10.97.0.0/24", "fd97::/120"];
/// The control plane.
pub(super) const CONTROL_PLANE: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 30, 0, 1));

/// See the module.
#[derive(Debug)]
pub struct Inner {
    id: String,
    // Dropped first.
    forward: Forward,
    netns: Netns,
}

impl Inner {
    /// Makes it, with a port of this machine that leads to `port` of the control plane.
    ///
    /// # Panics
    /// When it cannot be made, which takes root.
    pub(super) fn create(port: u16) -> Self {
        let id = format!("port53-{:08x}", RandomState::new().build_hasher().finish() as u32);
        let netns = Netns::create(&id);
        netns.run(&format!(
            "ip link add br0 type bridge
             ip address add {CONTROL_PLANE}/24 dev br0
             ip address add fd30::1/64 dev br0 nodad
             ip link set br0 up
             echo 1 >/proc/sys/net/ipv4/ip_forward
             echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"
        ));
        let forward = Forward::start(&netns, SocketAddr::new(CONTROL_PLANE, port));
        Inner { id, forward, netns }
    }

    /// What the names of all that belongs to this cluster begin with.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Where the API server answers on this machine.
    pub(super) fn outside(&self) -> SocketAddr {
        self.forward.address()
    }

    /// The network of the control plane: from there Services, pods and nodes are reached.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Makes the network of a node and attaches it. The first node leads to the Services.
    pub(super) fn attach(&self, name: &str, number: u8) -> Netns {
        let of_node = Netns::create(name);
        let [v4, v6] = node::addresses(number);
        let link = format!("node{number}");
        self.netns.run(&format!(
            "ip link add {link} type veth peer name eth0 netns {name}
             ip link set {link} master br0 up
             ip route add 10.88.{number}.0/24 via {v4}
             ip -6 route add fd88:0:0:{number:x}::/64 via {v6}"
        ));
        if number == 1 {
            for [of_v4, of_v6] in [SERVICES, BALANCERS] {
                self.netns.run(&format!("ip route add {of_v4} via {v4}; ip -6 route add {of_v6} via {v6}"));
            }
        }
        of_node.run(&format!(
            "ip address add {v4}/24 dev eth0
             ip address add {v6}/64 dev eth0 nodad
             ip link set eth0 up
             ip route add default via {CONTROL_PLANE}
             ip -6 route add default via fd30::1
             echo 1 >/proc/sys/net/ipv4/ip_forward
             echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
             echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
             echo 1 >/proc/sys/net/bridge/bridge-nf-call-ip6tables"
        ));
        of_node
    }
}
