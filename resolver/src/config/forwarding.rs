//! The settings of zones that move here from a legacy DNS.

use super::{Wrong, is_namespace};
use crate::forward::Settings;
use port53_zone::answer::compare::What;

/// Questions that can be on their way at once: each has a port.
const GREATEST_IN_FLIGHT: usize = 30_000;
/// The most octets of what legacy last said.
const GREATEST_KNOWN: usize = 1 << 40;

/// Flags of forwarding.
#[derive(Clone, Debug, clap::Args)]
pub struct ForwardArguments {
    /// Which nameserver of its NameserverSet this is, such as ns1. While a zone moves here, its head says by these
    /// names who answers; without one this resolver answers by itself
    #[arg(long, env = "PORT53_NAMESERVER")]
    pub nameserver: Option<String>,
    /// Questions on their way to legacy at once, each with a socket
    #[arg(long, env = "PORT53_FORWARD_IN_FLIGHT", default_value = "512")]
    pub forward_in_flight: String,
    /// Of them, of one zone
    #[arg(long, env = "PORT53_FORWARD_IN_FLIGHT_ZONE", default_value = "256")]
    pub forward_in_flight_zone: String,
    /// Octets of what legacy last said that are kept, for zones that are answered so when it is gone
    #[arg(long, env = "PORT53_FORWARD_KNOWN", default_value = "16777216")]
    pub forward_known: String,
    /// Whether TTLs count when answers of legacy and Port53 are compared: true or false
    #[arg(long, env = "PORT53_COMPARE_TTLS", default_value = "true")]
    pub compare_ttls: String,
    /// Whether keys, signatures and proofs of DNSSEC do: true or false
    #[arg(long, env = "PORT53_COMPARE_DNSSEC", default_value = "true")]
    pub compare_dnssec: String,
    /// Whether what a SOA says does, but for its serial, which is each system's own as the rest of it may be: true or false
    #[arg(long, env = "PORT53_COMPARE_SOA", default_value = "false")]
    pub compare_soa: String,
}

impl ForwardArguments {
    /// The settings; what is wrong with them goes to `wrong`.
    pub(super) fn check(&self, wrong: &mut Wrong) -> Settings {
        let default = Settings::default();
        let nameserver = self.nameserver.clone().filter(|name| !name.is_empty());
        if let Some(name) = nameserver.as_deref().filter(|name| !is_namespace(name)) {
            let what = "is no name of a nameserver: write that of its NameserverSet, such as ns1";
            wrong.add("--nameserver", name, what);
        }
        let mut number =
            |flag, text: &str, least, most, default| wrong.number(flag, text, least, most).unwrap_or(default);
        let in_flight =
            number("--forward-in-flight", &self.forward_in_flight, 1, GREATEST_IN_FLIGHT, default.in_flight);
        let in_flight_zone = number(
            "--forward-in-flight-zone",
            &self.forward_in_flight_zone,
            1,
            GREATEST_IN_FLIGHT,
            default.in_flight_zone,
        );
        let known = number("--forward-known", &self.forward_known, 0, GREATEST_KNOWN, default.known);
        let compare = What {
            ttls: wrong.truth("--compare-ttls", &self.compare_ttls),
            dnssec: wrong.truth("--compare-dnssec", &self.compare_dnssec),
            soa: wrong.truth("--compare-soa", &self.compare_soa),
        };
        Settings { nameserver, in_flight, in_flight_zone, known, compare }
    }
}
