//! Flags and environment of the binary, checked at once.
//!
//! Every flag has an environment variable (`--cache-dir` is `PORT53_CACHE_DIR`). Values are taken as text
//! and checked here together, so that all that is wrong is told in one go.

mod answering;
mod file;
mod forwarding;
mod given;
mod transferring;

pub use answering::AnsweringArguments;
pub use forwarding::ForwardArguments;
pub use given::{Command, Fallback, Given};
pub use transferring::TransferArguments;

use crate::forward;
use crate::health::ASSEMBLY_GRACE;
use crate::kubernetes::Source;
use crate::metrics::ZONES_WITH_METRICS;
use crate::serve::{Caps, Drain, Encrypted, Files, Settings, TcpLimits};
use crate::transfer;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Answers for the zones in its disk cache, and for those that a source gives it.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "port53-resolver")]
pub struct Arguments {
    /// Address and port to answer on, UDP and TCP; as often as needed. A Service maps port 53 to it
    #[arg(long, env = "PORT53_LISTEN", value_delimiter = ',', default_values_t = ["0.0.0.0:5353".to_owned(), "[::]:5353".to_owned()])]
    pub listen: Vec<String>,
    /// Address and port of /livez, /readyz and /metrics
    #[arg(long, env = "PORT53_HEALTH_LISTEN", default_value = "0.0.0.0:8053")]
    pub health_listen: String,
    /// Where zones come from: kubernetes (the ZoneHeads of a namespace) or disk (the cache alone). kubernetes
    /// when there is a cluster: in a pod, or with a kubeconfig
    #[arg(long, env = "PORT53_SOURCE")]
    pub source: Option<String>,
    /// Namespace of the ZoneHeads; that of the pod, or of the kubeconfig's context, when left out
    #[arg(long, env = "PORT53_NAMESPACE")]
    pub namespace: Option<String>,
    /// Ask for the list of ZoneHeads as a stream: true or false. Lighter for an API server that does so
    #[arg(long, env = "PORT53_STREAMING_LIST", default_value = "false")]
    pub streaming_list: String,
    /// Directory of the disk cache
    #[arg(long, env = "PORT53_CACHE_DIR", default_value = "/var/cache/port53", global = true)]
    pub cache_dir: PathBuf,
    /// Least time between two writes of the disk cache
    #[arg(long, env = "PORT53_CACHE_INTERVAL", default_value = "1s")]
    pub cache_interval: String,
    /// Threads (and sockets an address) for UDP; 0 for one a core
    #[arg(long, env = "PORT53_UDP_THREADS", default_value = "0")]
    pub udp_threads: String,
    /// What is answered, and how often
    #[command(flatten)]
    pub answering: AnsweringArguments,
    /// Connections open at once, for each transport that has them
    #[arg(long, env = "PORT53_TCP_CONNECTIONS", default_value = "1000")]
    pub tcp_connections: String,
    /// Connections open at once from one prefix of addresses
    #[arg(long, env = "PORT53_TCP_CONNECTIONS_PER_PREFIX", default_value = "250")]
    pub tcp_connections_per_prefix: String,
    /// Bits of such a prefix for IPv4, 8 to 32
    #[arg(long, env = "PORT53_TCP_PREFIX_V4", default_value = "32")]
    pub tcp_prefix_v4: String,
    /// Bits of such a prefix for IPv6, 16 to 128
    #[arg(long, env = "PORT53_TCP_PREFIX_V6", default_value = "56")]
    pub tcp_prefix_v6: String,
    /// How long a TCP connection may stay without a query
    #[arg(long, env = "PORT53_TCP_IDLE", default_value = "10s")]
    pub tcp_idle: String,
    /// How long a query over TCP may take from its first octet to its last
    #[arg(long, env = "PORT53_TCP_QUERY", default_value = "5s")]
    pub tcp_query: String,
    /// How long a client may take to accept its answers over TCP
    #[arg(long, env = "PORT53_TCP_WRITE", default_value = "10s")]
    pub tcp_write: String,
    /// Address and port for DNS over TLS; as often as needed. None by default
    #[arg(long, env = "PORT53_LISTEN_TLS", value_delimiter = ',')]
    pub listen_tls: Vec<String>,
    /// Address and port for DNS over QUIC; as often as needed. None by default
    #[arg(long, env = "PORT53_LISTEN_QUIC", value_delimiter = ',')]
    pub listen_quic: Vec<String>,
    /// Address and port for DNS over HTTPS, HTTP/2 and HTTP/3; as often as needed. None by default
    #[arg(long, env = "PORT53_LISTEN_HTTPS", value_delimiter = ',')]
    pub listen_https: Vec<String>,
    /// File of the certificate for these, in PEM, with its chain. Read again when it changes
    #[arg(long, env = "PORT53_TLS_CERTIFICATE")]
    pub tls_certificate: Option<PathBuf>,
    /// File of its private key, in PEM
    #[arg(long, env = "PORT53_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// How long a handshake of TLS or QUIC may take
    #[arg(long, env = "PORT53_TLS_HANDSHAKE", default_value = "5s")]
    pub tls_handshake: String,
    /// Handshakes that may go on at once, for each transport that has them
    #[arg(long, env = "PORT53_TLS_HANDSHAKES", default_value = "256")]
    pub tls_handshakes: String,
    /// Prefix of load balancers that begin each connection over TCP and each datagram with a PROXY header (version
    /// 2); as often as needed. From others such a header is malformed
    #[arg(long, env = "PORT53_PROXY_FROM", value_delimiter = ',')]
    pub proxy_from: Vec<String>,
    /// Zone transfers
    #[command(flatten)]
    pub transfer: TransferArguments,
    /// Zones that move here from a legacy DNS
    #[command(flatten)]
    pub forward: ForwardArguments,
    /// On SIGTERM, leave when nothing has come for this long
    #[arg(long, env = "PORT53_DRAIN_QUIET", default_value = "5s")]
    pub drain_quiet: String,
    /// On SIGTERM, say after this long that this process is not ready, so that clients that still ask it are led to
    /// others
    #[arg(long, env = "PORT53_DRAIN_READY", default_value = "10s")]
    pub drain_ready: String,
    /// On SIGTERM, leave after this long in any case
    #[arg(long, env = "PORT53_DRAIN_MOST", default_value = "60s")]
    pub drain_most: String,
    /// How long a zone that cannot be assembled keeps readiness waiting
    #[arg(long, env = "PORT53_ASSEMBLY_GRACE", default_value = "30s")]
    pub assembly_grace: String,
    /// Zones with metrics of their own
    #[arg(long, env = "PORT53_ZONE_METRICS", default_value = "1000")]
    pub zone_metrics: String,
    /// Format of the log: text or json
    #[arg(long, env = "PORT53_LOG_FORMAT", default_value = "text")]
    pub log_format: String,
    /// What to log: error, warn, info, debug, trace, or directives by module
    #[arg(long, env = "PORT53_LOG", default_value = "info")]
    pub log: String,
}

/// Settings that were checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to answer.
    pub listen: Vec<SocketAddr>,
    /// Where to answer encrypted.
    pub encrypted: Encrypted,
    /// The certificate for that; there when it is needed.
    pub certificate: Option<Files>,
    /// Where health and metrics are.
    pub health_listen: SocketAddr,
    /// The cluster that gives changes; nothing when the disk cache is all there is.
    pub source: Option<Source>,
    /// The disk cache.
    pub cache_dir: PathBuf,
    /// Least time between two writes of the cache.
    pub cache_interval: Duration,
    /// Threads for UDP, at least one.
    pub udp_threads: usize,
    /// Serving.
    pub serve: Settings,
    /// How long a process that was told to leave stays ready.
    pub drain_ready: Duration,
    /// How long a zone keeps readiness waiting; [`ASSEMBLY_GRACE`] by default.
    pub assembly_grace: Duration,
    /// Zones with metrics; [`ZONES_WITH_METRICS`] by default.
    pub zone_metrics: usize,
    /// Zone transfers.
    pub transfer: transfer::Settings,
    /// Zones that move here.
    pub forward: forward::Settings,
    /// Directory of the TSIG keys.
    pub tsig_keys: Option<PathBuf>,
    /// Format of the log.
    pub log_format: LogFormat,
    /// Directives of the log.
    pub log: String,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Arguments {
    /// Checks everything.
    ///
    /// # Errors
    /// One sentence for each setting that is wrong, with the flag and what to write instead.
    pub fn check(self) -> Result<Config, Vec<String>> {
        let mut wrong = Wrong(Vec::new());
        let listen = wrong.addresses("--listen", &self.listen);
        let encrypted = Encrypted {
            tls: wrong.addresses("--listen-tls", &self.listen_tls),
            quic: wrong.addresses("--listen-quic", &self.listen_quic),
            https: wrong.addresses("--listen-https", &self.listen_https),
        };
        let certificate = wrong.certificate(&self);
        let proxies = wrong.prefixes("--proxy-from", &self.proxy_from);
        if self.listen.iter().all(String::is_empty) {
            wrong.add("--listen", "", "names no address: give at least one, as 192.0.2.1:53");
        }
        let health_listen = wrong.address("--health-listen", &self.health_listen);
        let source = wrong.source(&self);
        let mut seconds = |flag, text: &str, least, most| wrong.duration(flag, text, least, most);
        let hour = Duration::from_secs(3600);
        let millisecond = Duration::from_millis(1);
        let cache_interval = seconds("--cache-interval", &self.cache_interval, millisecond, hour);
        let idle = seconds("--tcp-idle", &self.tcp_idle, millisecond, hour);
        let query = seconds("--tcp-query", &self.tcp_query, millisecond, hour);
        let write = seconds("--tcp-write", &self.tcp_write, millisecond, hour);
        let handshake = seconds("--tls-handshake", &self.tls_handshake, millisecond, hour);
        let quiet = seconds("--drain-quiet", &self.drain_quiet, Duration::ZERO, hour);
        let drain_ready = seconds("--drain-ready", &self.drain_ready, Duration::ZERO, hour);
        let most = seconds("--drain-most", &self.drain_most, Duration::ZERO, hour);
        let assembly_grace = seconds("--assembly-grace", &self.assembly_grace, Duration::ZERO, hour);
        if let (Some(quiet), Some(most)) = (quiet, most)
            && quiet > most
        {
            wrong.add("--drain-quiet", &self.drain_quiet, "is longer than --drain-most: make it shorter");
        }
        let udp_threads = wrong.number("--udp-threads", &self.udp_threads, 0, 1024);
        let connections = wrong.connections(&self);
        let handshakes = wrong.number("--tls-handshakes", &self.tls_handshakes, 1, 1_000_000);
        let zone_metrics = wrong.number("--zone-metrics", &self.zone_metrics, 0, 10_000_000);
        let answering = self.answering.check(&mut wrong);
        let transfer = self.transfer.check(&mut wrong);
        let forward = self.forward.check(&mut wrong);
        let log_format = match self.log_format.as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                wrong.add("--log-format", other, "is not a format: write text or json");
                LogFormat::Text
            }
        };
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.log) {
            let what = format!("cannot be read ({error}): write error, warn, info, debug or trace");
            wrong.add("--log", &self.log, &what);
        }
        if !wrong.0.is_empty() {
            return Err(wrong.0);
        }
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let tcp = TcpLimits::default();
        let drain = Drain::default();
        // Nothing is wrong, so every value is there and the defaults below are never taken.
        Ok(Config {
            listen,
            encrypted,
            certificate,
            health_listen: health_listen.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8053))),
            source,
            cache_dir: self.cache_dir,
            cache_interval: cache_interval.unwrap_or(Duration::from_secs(1)),
            udp_threads: udp_threads.filter(|&threads| threads > 0).unwrap_or_else(cores),
            serve: Settings {
                answering: Arc::new(ArcSwap::from_pointee(answering)),
                tcp: TcpLimits {
                    connections,
                    idle: idle.unwrap_or(tcp.idle),
                    query: query.unwrap_or(tcp.query),
                    write: write.unwrap_or(tcp.write),
                    handshake: handshake.unwrap_or(tcp.handshake),
                    handshakes: handshakes.unwrap_or(tcp.handshakes),
                },
                proxies,
                // Made when the program starts: keys and certificate are read from their files, and legacy is asked on
                // its runtime.
                transfers: Arc::default(),
                certificate: None,
                forwarder: None,
                drain: Drain {
                    quiet: quiet.unwrap_or(drain.quiet),
                    most: most.unwrap_or(drain.most),
                    ..drain
                },
            },
            drain_ready: drain_ready.unwrap_or(Duration::from_secs(10)),
            assembly_grace: assembly_grace.unwrap_or(ASSEMBLY_GRACE),
            zone_metrics: zone_metrics.unwrap_or(ZONES_WITH_METRICS),
            transfer,
            forward,
            tsig_keys: self.transfer.tsig_keys.filter(|path| !path.as_os_str().is_empty()),
            log_format,
            log: self.log,
        })
    }
}

/// What is wrong, so far.
struct Wrong(Vec<String>);

impl Wrong {
    fn add(&mut self, flag: &str, text: &str, what: &str) {
        self.0.push(format!("{flag} {text:?} {what}"));
    }

    fn source(&mut self, arguments: &Arguments) -> Option<Source> {
        let is_in_cluster = match arguments.source.as_deref() {
            None => port53_client::is_configured(),
            Some("kubernetes") => true,
            Some("disk") => false,
            Some(other) => {
                self.add("--source", other, "is no source: write kubernetes or disk");
                false
            }
        };
        let streaming_list = self.truth("--streaming-list", &arguments.streaming_list);
        let namespace = arguments.namespace.clone().filter(|namespace| !namespace.is_empty());
        if let Some(namespace) = &namespace
            && !is_namespace(namespace)
        {
            let what = "is no namespace: write lower case letters, digits and hyphens, such as port53";
            self.add("--namespace", namespace, what);
        }
        is_in_cluster.then_some(Source { namespace, streaming_list })
    }

    fn truth(&mut self, flag: &str, text: &str) -> bool {
        if !matches!(text, "true" | "false") {
            self.add(flag, text, "is neither: write true or false");
        }
        text == "true"
    }

    fn connections(&mut self, arguments: &Arguments) -> Caps {
        let per_prefix = &arguments.tcp_connections_per_prefix;
        let mut number = |flag, text, least, most| self.number(flag, text, least, most).unwrap_or(least);
        Caps {
            all: number("--tcp-connections", &arguments.tcp_connections, 1, 1_000_000),
            prefix: number("--tcp-connections-per-prefix", per_prefix, 1, 1_000_000),
            prefix_v4: number("--tcp-prefix-v4", &arguments.tcp_prefix_v4, 8, 32) as u8,
            prefix_v6: number("--tcp-prefix-v6", &arguments.tcp_prefix_v6, 16, 128) as u8,
        }
    }

    fn addresses(&mut self, flag: &str, texts: &[String]) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for text in texts.iter().filter(|text| !text.is_empty()) {
            match self.address(flag, text) {
                Some(address) if addresses.contains(&address) && address.port() != 0 => {
                    self.add(flag, text, "is given twice: give each address once");
                }
                address => addresses.extend(address),
            }
        }
        addresses
    }

    fn certificate(&mut self, arguments: &Arguments) -> Option<Files> {
        // An empty value is none, as it comes from a variable or a file.
        let is_given = |path: &&PathBuf| !path.as_os_str().is_empty();
        let mut listens =
            [&arguments.listen_tls, &arguments.listen_quic, &arguments.listen_https].into_iter();
        let is_needed = listens.any(|addresses| addresses.iter().any(|address| !address.is_empty()));
        let certificate = arguments.tls_certificate.as_ref().filter(is_given);
        match (certificate, arguments.tls_key.as_ref().filter(is_given)) {
            (Some(certificate), Some(key)) => {
                Some(Files { certificate: certificate.clone(), key: key.clone() }).filter(|_| is_needed)
            }
            (certificate, _) if is_needed => {
                let flag = if certificate.is_none() { "--tls-certificate" } else { "--tls-key" };
                self.add(flag, "", "is missing: to listen for TLS, QUIC or HTTPS, give both files");
                None
            }
            _ => None,
        }
    }

    fn address(&mut self, flag: &str, text: &str) -> Option<SocketAddr> {
        let address = SocketAddr::from_str(text.trim()).ok();
        if address.is_none() {
            let what = "is not an address and a port: write it as 192.0.2.1:53 or [2001:db8::1]:53";
            self.add(flag, text, what);
        }
        address
    }

    fn number(&mut self, flag: &str, text: &str, least: usize, most: usize) -> Option<usize> {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.add(flag, text, &format!("is not a whole number from {least} to {most}"));
        }
        number
    }

    fn duration(&mut self, flag: &str, text: &str, least: Duration, most: Duration) -> Option<Duration> {
        let duration = parse_duration(text).filter(|duration| (least..=most).contains(duration));
        if duration.is_none() {
            let what = format!("is not a time from {least:?} to {most:?}: write it as 500ms, 10s or 2m");
            self.add(flag, text, &what);
        }
        duration
    }
}

/// As Kubernetes takes it, and so names of nameservers: a label of lower case (RFC 1123 §2.1).
fn is_namespace(text: &str) -> bool {
    let is_end = |octet: Option<&u8>| octet.is_some_and(|octet| *octet != b'-');
    let octets = text.as_bytes();
    octets.len() <= 63
        && octets.iter().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && is_end(octets.first())
        && is_end(octets.last())
}

/// `500ms`, `10s`, `2m`.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    pub(super) fn check(arguments: &[&str]) -> Result<Config, Vec<String>> {
        let name = std::iter::once(&"port53-resolver");
        Arguments::try_parse_from(name.chain(arguments)).expect("flags that exist").check()
    }

    #[test]
    fn the_defaults_are_right() {
        let config = check(&[]).expect("right");
        // A pod under the restricted profile may not bind port 53: its Service maps 53 to this.
        let listen = ["0.0.0.0:5353", "[::]:5353"].map(|text| text.parse().expect("an address"));
        assert_eq!(config.listen, listen);
        assert!(listen.iter().all(|address: &SocketAddr| address.port() != config.health_listen.port()));
        assert_eq!(config.serve.drain.quiet, Duration::from_secs(5));
        assert_eq!(config.serve.drain.most, Duration::from_secs(60));
        assert_eq!(config.drain_ready, Duration::from_secs(10));
        assert_eq!(config.serve.answering.load().answer.udp_limit, 1232);
        assert_eq!(config.assembly_grace, ASSEMBLY_GRACE);
        assert_eq!(config.zone_metrics, ZONES_WITH_METRICS);
        assert!(config.udp_threads >= 1);
        assert_eq!(config.transfer.policy, transfer::Policy::default(), "nobody may transfer");
        assert_eq!(config.transfer.journal, transfer::JournalLimits::default());
    }

    #[test]
    fn every_wrong_setting_is_told_at_once() {
        let wrong = check(&[
            "--listen=localhost",
            "--health-listen=8053",
            "--source=etcd",
            "--streaming-list=yes",
            "--namespace=Port53",
            "--tcp-idle=10",
            "--udp-limit=100",
            "--tcp-connections=many",
            "--listen-tls=853",
            "--tls-key=key.pem",
            "--proxy-from=192.0.2.1/24",
            "--tcp-prefix-v6=129",
            "--drain-quiet=70s",
            "--transfer-allow=key:a..b,example.com",
            "--notify=192.0.2.1",
            "--transfers=0",
            "--nameserver=NS 1",
            "--forward-in-flight=0",
            "--compare-ttls=no",
            "--log-format=xml",
        ])
        .expect_err("wrong");
        let flags: Vec<&str> = wrong.iter().filter_map(|text| text.split(' ').next()).collect();
        let expected = [
            "--listen",
            "--listen-tls",
            "--tls-certificate",
            "--proxy-from",
            "--health-listen",
            "--source",
            "--streaming-list",
            "--namespace",
            "--tcp-idle",
            "--drain-quiet",
            "--tcp-connections",
            "--tcp-prefix-v6",
            "--udp-limit",
            "--transfer-allow",
            "--transfer-allow",
            "--notify",
            "--transfers",
            "--nameserver",
            "--forward-in-flight",
            "--compare-ttls",
            "--log-format",
        ];
        assert_eq!(flags, expected, "{wrong:#?}");
    }

    #[test]
    fn the_source_is_what_is_said() {
        assert_eq!(check(&["--source=disk", "--namespace=port53"]).expect("right").source, None);
        let right =
            check(&["--source=kubernetes", "--namespace=a-1", "--streaming-list=true"]).expect("right");
        let expected = Source { namespace: Some("a-1".to_owned()), streaming_list: true };
        assert_eq!(right.source, Some(expected));
        for wrong in ["-a", "a-", "a.b", &"a".repeat(64)] {
            assert!(check(&[&format!("--namespace={wrong}")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_twice_is_told() {
        let wrong = check(&["--listen=127.0.0.1:53", "--listen=127.0.0.1:53"]).expect_err("wrong");
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        let right =
            check(&["--listen=127.0.0.1:0,[::1]:0", "--tcp-idle=500ms", "--drain-most=2m"]).expect("right");
        assert_eq!(right.serve.tcp.idle, Duration::from_millis(500));
        assert_eq!(right.serve.drain.most, Duration::from_secs(120));
    }
}
