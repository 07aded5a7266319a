//! Port53 on loopback with given zones: read, judged, built and served as everywhere.

use crate::read::read;
use crate::{Zone, eventually, peer};
use port53_resolver::serve::{self, Drain, Listeners, Settings};
use port53_resolver::source::Publisher;
use port53_resolver::traffic::Traffic;
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::name;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// A running Port53. Ended when dropped.
#[derive(Debug)]
pub struct Ours {
    address: SocketAddr,
    leave: CancellationToken,
    _runtime: Runtime,
}

impl Ours {
    /// Starts Port53 with `zones` and waits until it answers the SOA of each.
    ///
    /// # Panics
    /// When it does not, or when something is wrong in the zones.
    pub fn start(zones: &[Zone<'_>]) -> Self {
        let publisher = Publisher::new();
        for zone in zones {
            publisher.put(image(zone)).expect("a first version");
        }
        let runtime = Runtime::new().expect("a runtime");
        let listeners =
            Listeners::bind(&["127.0.0.1:0".parse().expect("an address")], 1).expect("a free port");
        let address = listeners.addresses()[0];
        let leave = CancellationToken::new();
        let drain = Drain { quiet: Duration::ZERO, most: Duration::ZERO };
        let settings = Settings { drain, ..Settings::default() };
        let traffic = Arc::new(Traffic::default());
        runtime.spawn(serve::run(listeners, publisher.zones(), settings, traffic, leave.clone()));
        for zone in zones {
            eventually("Port53", || peer::answers_soa(address, zone.apex));
        }
        Ours { address, leave, _runtime: runtime }
    }

    /// Where it answers, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.leave.cancel();
    }
}

fn image(zone: &Zone<'_>) -> Image {
    let read = read(&zone.file_name(), zone.text.as_bytes(), zone.apex, None);
    assert!(read.problems.is_empty(), "{}: {:?}", zone.apex, read.problems);
    let (soa, rrsets) = read.rrsets();
    let apex = name::parse_absolute(zone.apex).expect("an apex");
    let content = Content::build(apex, [7; 16], rrsets.into_iter().map(|rrset| (rrset, None)));
    Image::new(content.expect("a content"), soa)
}
