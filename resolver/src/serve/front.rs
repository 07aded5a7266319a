//! What the connections of one transport share.

use super::connections::Connections;
use super::engine::Engine;
use super::{Settings, TcpLimits};
use crate::traffic::{Closed, Traffic, Transport};
use arc_swap::ArcSwap;
use port53_zone::image::Zones;
use port53_zone::prefix::Prefix;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One transport: its engine, its limits, and all that is open.
pub(super) struct Front {
    pub(super) engine: Engine,
    pub(super) limits: TcpLimits,
    pub(super) connections: Arc<Connections>,
    /// Handshakes that are not finished.
    pub(super) handshakes: Arc<Connections>,
    pub(super) stop: CancellationToken,
    pub(super) transport: Transport,
    proxies: Vec<Prefix>,
    traffic: Arc<Traffic>,
}

impl Front {
    pub(super) fn new(
        transport: Transport,
        zones: &Arc<ArcSwap<Zones>>,
        settings: &Settings,
        traffic: &Arc<Traffic>,
        stop: &CancellationToken,
    ) -> Self {
        Front {
            engine: Engine::new(
                zones.clone(),
                settings.answering.clone(),
                settings.transfers.clone(),
                settings.forwarder.clone(),
                transport,
                traffic,
            ),
            limits: settings.tcp.clone(),
            connections: Arc::new(Connections::new(settings.tcp.connections.clone())),
            handshakes: Arc::new(Connections::new(settings.tcp.caps_of_handshakes())),
            stop: stop.clone(),
            transport,
            proxies: settings.proxies.clone(),
            traffic: traffic.clone(),
        }
    }

    /// How long a connection is told that it may stay without a query just now.
    pub(super) fn patience(&self) -> Duration {
        self.connections.patience(self.limits.idle)
    }

    /// How long it may: also who is told to go at once has some time to do so.
    pub(super) fn idle(&self) -> Duration {
        self.patience().max(self.limits.idle / 4)
    }

    /// Whether `peer` speaks for others, by the PROXY protocol.
    pub(super) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|prefix| prefix.holds(peer))
    }

    pub(super) fn opened(&self) {
        self.traffic.connection_opened(self.transport);
    }

    pub(super) fn closed(&self, reason: Closed) {
        self.traffic.connection_closed(self.transport, reason);
    }
}
