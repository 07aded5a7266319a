//! Flags and environment of the binary. Every flag has an environment variable: `--resolver` is `PORT53_RESOLVER`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use kube::core::Selector;
use port53_crds::parse_duration;
use port53_zone::{Name, name};

use crate::admission::{Conflicts, Kept};
use crate::cluster::confirm::Resolver;
use crate::engine;

/// Checks what people write, publishes what is right, asks the nameservers whether they answer it, and reports.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "port53-operator", version)]
pub struct Arguments {
    /// Namespace of what is published (ZoneHead, ZoneRevision, ZoneSlice); that of the pod, or of the kubeconfig's
    /// context, when left out
    #[arg(long, env = "PORT53_NAMESPACE")]
    pub namespace: Option<String>,
    /// Hostname of a nameserver, absolute, as often as there are nameservers: the NS of zones whose spec.nameservers
    /// is empty
    #[arg(long, env = "PORT53_NAMESERVER", value_delimiter = ',', value_parser = hostname, value_name = "HOST")]
    pub nameserver: Vec<Name>,
    /// A resolver that is asked, and which nameserver it belongs to; as often as needed. Behind a slash the port at the same
    /// address where it says how it is, when that is not 8053
    #[arg(long, env = "PORT53_RESOLVER", value_delimiter = ',', value_parser = resolver, value_name = "NAMESERVER=ADDR:PORT[/PORT]")]
    pub resolver: Vec<Resolver>,
    /// Labels of the EndpointSlices in the operator's namespace whose endpoints are asked: one nameserver a Service
    #[arg(long, env = "PORT53_RESOLVER_SELECTOR", value_parser = selector, value_name = "LABELS")]
    pub resolver_selector: Option<Selector>,
    /// Work only while this operator holds the Lease port53-operator of its namespace, so that several can run and one
    /// takes over for another
    #[arg(long, env = "PORT53_LEADER_ELECTION")]
    pub leader_election: bool,
    /// Look after the NameserverSets of the operator's namespace: make their nameservers, and roll out what changes one
    /// after the other. Their pods are asked unless --resolver-selector says others
    #[arg(long, env = "PORT53_NAMESERVER_SETS")]
    pub nameserver_sets: bool,
    /// Look after the ZoneMigrations of Zones: bring over what another DNS has, keep both the same and compare them
    #[arg(long, env = "PORT53_MIGRATIONS")]
    pub migrations: bool,
    /// For tests: end, as if killed, at the first change of `dualWrite: Sync` that comes this far
    #[arg(long, value_enum, value_name = "POINT", hide = true)]
    pub end_at: Option<engine::both::points::Point>,
    /// Leave Zones without a nameserverSetRef to another operator of the cluster, and take those alone that name this
    /// namespace
    #[arg(long, env = "PORT53_ONLY_NAMED")]
    pub only_named: bool,
    /// Ask for lists as streams, which is lighter for an API server that does so
    #[arg(long, env = "PORT53_STREAMING_LIST")]
    pub streaming_list: bool,
    /// How many octets the history of a zone may take
    #[arg(long, env = "PORT53_HISTORY_OCTETS", default_value_t = 64 * 1024 * 1024, value_name = "OCTETS")]
    pub history_octets: u64,
    /// How often it is looked for revisions and slices that nothing needs any more
    #[arg(long, env = "PORT53_PRUNE_INTERVAL", default_value = "1m", value_parser = interval)]
    pub prune_interval: Duration,
    /// Address and port of /livez, /readyz and /metrics; nowhere when left out
    #[arg(long, env = "PORT53_HEALTH_LISTEN", value_name = "ADDR:PORT")]
    pub health_listen: Option<SocketAddr>,
    /// The webhook, which tells people at once what their statuses would say
    #[command(flatten)]
    pub webhook: Webhook,
    /// Format of the log
    #[arg(long, env = "PORT53_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, or directives by module
    #[arg(long, env = "PORT53_LOG", default_value = "info")]
    pub log: String,
}

/// The admission webhook.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Webhook {
    /// Address and port that the API server asks about what people write, by TLS; nobody is asked when left out
    #[arg(long, env = "PORT53_WEBHOOK_LISTEN", value_name = "ADDR:PORT")]
    pub webhook_listen: Option<SocketAddr>,
    /// The Service of that port, in the operator's namespace, for which a certificate is made and kept in the Secret
    /// port53-webhook
    #[arg(long, env = "PORT53_WEBHOOK_SERVICE", value_name = "NAME", default_value = "port53-operator")]
    pub webhook_service: String,
    /// The ValidatingWebhookConfiguration that is to trust it
    #[arg(long, env = "PORT53_WEBHOOK_CONFIGURATION", value_name = "NAME", default_value = "port53")]
    pub webhook_configuration: String,
    /// What becomes of what is wrong because of other objects
    #[arg(long, env = "PORT53_WEBHOOK_CONFLICTS", value_enum, default_value_t)]
    pub webhook_conflicts: Conflicts,
    /// A certificate in PEM that somebody else keeps, as cert-manager, and that the API server trusts already
    #[arg(long, env = "PORT53_WEBHOOK_CERTIFICATE", value_name = "FILE", requires = "webhook_key")]
    pub webhook_certificate: Option<PathBuf>,
    /// Its key
    #[arg(long, env = "PORT53_WEBHOOK_KEY", value_name = "FILE", requires = "webhook_certificate")]
    pub webhook_key: Option<PathBuf>,
}

impl Webhook {
    /// Where its certificate comes from.
    pub fn kept(&self) -> Kept {
        match (&self.webhook_certificate, &self.webhook_key) {
            (Some(certificate), Some(key)) => {
                Kept::Files { certificate: certificate.clone(), key: key.clone() }
            }
            _ => Kept::Own {
                service: self.webhook_service.clone(),
                configuration: self.webhook_configuration.clone(),
            },
        }
    }
}

/// Format of the log.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

fn hostname(text: &str) -> Result<Name, String> {
    name::parse_absolute(text)
        .map_err(|error| format!("{error}: write the whole hostname, such as ns1.example.net"))
}

fn resolver(text: &str) -> Result<Resolver, String> {
    let help = "write the name of the nameserver, \"=\", address and port, such as ns1=192.0.2.1:53";
    let (nameserver, rest) = text.split_once('=').ok_or_else(|| format!("there is no \"=\": {help}"))?;
    let (address, health) =
        rest.split_once('/').map_or((rest, None), |(address, port)| (address, Some(port)));
    let address =
        address.parse().map_err(|_| format!("\"{address}\" is not an address and a port: {help}"))?;
    if nameserver.is_empty() {
        return Err(format!("the nameserver has no name: {help}"));
    }
    let mut resolver = Resolver::new(nameserver, address);
    if let Some(port) = health {
        resolver.health.set_port(port.parse().map_err(|_| format!("\"{port}\" is not a port: {help}/8053"))?);
    }
    Ok(resolver)
}

fn selector(text: &str) -> Result<Selector, String> {
    let label = |label: &str| {
        let (name, value) = label.split_once('=').filter(|(name, _)| !name.is_empty())?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    let labels: Option<Vec<(String, String)>> = text.split(',').map(label).collect();
    let labels =
        labels.ok_or("not labels: write NAME=VALUE, such as app.kubernetes.io/name=port53-resolver")?;
    Ok(labels.into_iter().collect())
}

fn interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        Ok(_) => Err("must not be zero: write a time such as 1m".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn flags_are_as_documented() {
        Arguments::command().debug_assert();
        let text = "port53-operator --nameserver ns1.example.net --nameserver ns2.example.net. \
                    --resolver ns1=127.0.0.1:53 --resolver ns2=[::1]:5353/8080 --resolver-selector a/b=c";
        let read = Arguments::try_parse_from(text.split_whitespace()).expect("arguments");
        assert_eq!((read.nameserver.len(), read.resolver.len()), (2, 2));
        assert_eq!(read.resolver[1].nameserver, "ns2");
        let ports = read.resolver.iter().map(|resolver| resolver.health.port());
        assert_eq!(ports.collect::<Vec<_>>(), [8053, 8080]);
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        for (wrong, said) in [
            ("--resolver 127.0.0.1:53", "such as ns1=192.0.2.1:53"),
            ("--resolver ns1=localhost", "\"localhost\" is not an address and a port"),
            ("--resolver ns1=127.0.0.1:53/health", "\"health\" is not a port"),
            ("--nameserver a..b", "such as ns1.example.net"),
            ("--prune-interval 0s", "must not be zero"),
        ] {
            let arguments = ["port53-operator"].into_iter().chain(wrong.split_whitespace());
            let error = Arguments::try_parse_from(arguments).expect_err(wrong).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
