//! The command line: what is done with directories and files here, what is done with a cluster in [`cluster`],
//! and which cluster that is in [`place`].

mod cluster;
mod migration;
mod place;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgGroup, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use port53_crds::MAX_TTL;
use port53_zone::{Name, name};

use crate::report::{Color, ListFormat};

pub use cluster::{
    Apply, Definitions, Diff, Export, ExportFormat, Held, History, Rollback, Rollout, RolloutVerb, Set,
    Status, ToCluster,
};
pub use migration::{Entry, Migration, MigrationVerb, OfZone, Preferred, RejectsFormat};
pub use place::ClusterArgs;

/// What `kubectl` takes for the plugin `port53`.
const PLUGIN: &str = "kubectl-port53";
/// What `kubectl` asks for the completions of that plugin.
const COMPLETER: &str = "kubectl_complete-port53";
/// Where objects of files are that name no namespace, unless a person says otherwise.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// The arguments of this process. Ends it with a usage text when they are none.
pub fn parse() -> Arguments {
    let matches = command().get_matches();
    let parsed = Arguments::from_arg_matches(&matches);
    let settled = parsed.and_then(|arguments| {
        arguments.settled().map_err(|why| command().error(ErrorKind::ArgumentConflict, why))
    });
    settled.unwrap_or_else(|error| error.exit())
}

/// The command line, under the name by which this program was called.
pub fn command() -> clap::Command {
    Arguments::command().bin_name(program())
}

/// What a person types to run this program: `port53`, or `kubectl port53` when it was called as the plugin.
pub fn program() -> &'static str {
    if is_called(PLUGIN) { "kubectl port53" } else { "port53" }
}

/// Whether `kubectl` called this program for completions: its arguments are the words so far.
pub fn is_completer() -> bool {
    is_called(COMPLETER)
}

fn is_called(program: &str) -> bool {
    let called = std::env::args_os().next().unwrap_or_default();
    Path::new(&called).file_stem().is_some_and(|name| name == program)
}

/// Authoritative DNS in Kubernetes: serve, check and convert zones, and see to those of a cluster.
#[derive(Debug, Parser)]
#[command(name = "port53", version, propagate_version = true)]
pub struct Arguments {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// What stands before the subcommand. Once settled, it is where the subcommand has its own.
    #[command(flatten)]
    pub before: ClusterArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// With what stands before the subcommand told to it: what is said behind it counts more.
    ///
    /// # Errors
    /// When the subcommand has no use for it.
    pub fn settled(mut self) -> Result<Self, String> {
        let before = ClusterArgs::default().or(std::mem::take(&mut self.before));
        let program = program();
        match &mut self.command {
            Command::Dev(Dev { namespace, .. }) => namespace.settle(before, &format!("{program} dev"))?,
            Command::Check(Check { namespace, .. }) => {
                namespace.settle(before, &format!("{program} check"))?
            }
            Command::Completions { .. } => of_no_use(&before, &format!("{program} completions"))?,
            Command::Man { .. } => of_no_use(&before, &format!("{program} man"))?,
            Command::Import(Import { to_cluster: ToCluster { cluster, .. }, .. })
            | Command::Export(Export { cluster, .. })
            | Command::Diff(Diff { cluster, .. })
            | Command::Apply(Apply { cluster, .. })
            | Command::Status(Status { cluster, .. })
            | Command::History(History { cluster, .. })
            | Command::Rollback(Rollback { cluster, .. })
            | Command::Definitions(Definitions { cluster, .. })
            | Command::Held(Held { cluster, .. }) => *cluster = std::mem::take(cluster).or(before),
            Command::Rollout(Rollout { verb }) => {
                let set = verb.set_mut();
                set.cluster = std::mem::take(&mut set.cluster).or(before);
            }
            Command::Migration(Migration { verb }) => {
                let cluster = verb.cluster_mut();
                *cluster = std::mem::take(cluster).or(before);
            }
        }
        match &self.command {
            Command::Status(Status { all_namespaces: true, cluster, .. }) if cluster.namespace.is_some() => {
                Err("--all-namespaces looks into all namespaces: leave out --namespace".to_owned())
            }
            _ => Ok(self),
        }
    }
}

fn of_no_use(before: &ClusterArgs, what: &str) -> Result<(), String> {
    match &before.given()[..] {
        [] => Ok(()),
        given => Err(place::without_use(what, given)),
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a directory of manifests and master files, and follow its changes.
    Dev(Dev),
    /// Say what is wrong in directories or files, without serving them.
    Check(Check),
    /// Turn zones of other DNS systems into manifests, one RRset a DNSRecord, as files or in a cluster
    ///
    /// Master files; a named.conf of BIND, with all zones whose files it names; YAML of octoDNS,
    /// a file for each zone; DNSEndpoints of external-dns, with the Zones they belong to. What
    /// cannot be taken over is listed with why and what to do, and the exit status is 1.
    #[command(verbatim_doc_comment)]
    Import(Import),
    /// Write a zone of a cluster or of a directory as a master file or as manifests.
    Export(Export),
    /// Compare versions of a zone, a zone with a directory, or two directories
    ///
    /// ZONE SERIAL [SERIAL]: a kept version with another, or with what is published.
    /// ZONE PATH: what applying the manifests would change of what is published.
    /// PATH PATH: the zones of two directories or files, without a cluster.
    ///
    /// What names a file or directory that is there is a PATH: write example.com. or
    /// NAMESPACE/NAME for the zone. A master file of the zone is compared as a whole.
    #[command(verbatim_doc_comment)]
    Diff(Diff),
    /// Apply Zones and DNSRecords, and wait until each is served or rejected.
    Apply(Apply),
    /// Say how zones are served; of one zone, which records are not and why.
    ///
    /// Ends with 1 when a zone, or a record of ZONE, is not Ready.
    Status(Status),
    /// List the kept versions of a zone, newest first.
    History(History),
    /// Serve a kept version of a zone instead of its records, or let them be served again.
    Rollback(Rollback),
    /// List removals that the guard holds back, or let them go.
    ///
    /// Ends with 1 when some are held.
    Held(Held),
    /// Say how far a rollout over the nameservers is, or see to it.
    Rollout(Rollout),
    /// Say how far a zone is that moves here from another DNS, or see to it.
    Migration(Migration),
    /// Write or apply the definitions of the custom resources.
    ///
    /// One that would drop a version in which objects are stored is not applied.
    Definitions(Definitions),
    /// Write the completions of a shell.
    ///
    /// kubectl asks for those of its plugins itself: it calls this program under the name
    /// kubectl_complete-port53, when it finds it on the PATH.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    Man {
        /// The directory to write them to.
        #[arg(short, long, default_value = ".")]
        output_dir: PathBuf,
    },
}

/// Where objects of files are that name no namespace.
#[derive(Args, Debug)]
pub struct NamespaceArg {
    /// The namespace of objects in files that name none: no cluster is looked at. default when left out.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl NamespaceArg {
    /// The namespace of objects that name none.
    pub fn name(&self) -> &str {
        self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// Takes what stands before the subcommand.
    fn settle(&mut self, before: ClusterArgs, what: &str) -> Result<(), String> {
        before.is_of_files(what)?;
        self.namespace = self.namespace.take().or(before.namespace);
        Ok(())
    }
}

/// The arguments of `port53 dev`.
#[derive(Args, Debug)]
pub struct Dev {
    /// Directories, or files: manifests (*.yaml, *.yml, *.json) and master files (NAME.zone).
    #[arg(required = true)]
    pub path: Vec<PathBuf>,
    /// Address and port to answer on, over UDP and TCP; repeat it for more. Port 0 takes a free one.
    #[arg(short, long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5353")]
    pub listen: Vec<SocketAddr>,
    /// Address and port of /livez, /readyz and /metrics. Off when left out.
    #[arg(long, value_name = "ADDR:PORT")]
    pub health_listen: Option<SocketAddr>,
    /// See there.
    #[command(flatten)]
    pub namespace: NamespaceArg,
    /// How zones are listed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ListFormat,
}

/// The arguments of `port53 check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Directories, or files: manifests (*.yaml, *.yml, *.json) and master files (NAME.zone).
    #[arg(required = true)]
    pub path: Vec<PathBuf>,
    /// See there.
    #[command(flatten)]
    pub namespace: NamespaceArg,
    /// How findings are printed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: CheckFormat,
    /// Count warnings as problems.
    #[arg(long)]
    pub strict: bool,
}

/// How `port53 check` prints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// JSON.
    Json,
    /// Workflow commands, which GitHub shows in a pull request.
    Github,
}

/// The arguments of `port53 import`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("to").required(true).args(["output_dir", "apply"])))]
pub struct Import {
    /// Files; directories with *.zone, *.yaml, *.yml and *.json; or - for manifests on standard input.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub file: Vec<PathBuf>,
    /// What the files are. Told by the name and the beginning of each when left out.
    #[arg(long, value_enum, default_value_t)]
    pub format: ImportFormat,
    /// The origin at the start of each master file, or the zone of each octoDNS file. From the name of the file
    /// (NAME.zone, NAME.yaml) when left out.
    #[arg(long, value_parser = parse_name)]
    pub origin: Option<Name>,
    /// Import this zone and no other; repeat it for more. DNSEndpoints are put into these zones, beside the Zones that
    /// stand with them.
    #[arg(long, value_name = "DOMAIN", value_parser = parse_name)]
    pub zone: Vec<Name>,
    /// Of a named.conf, import the zones of this view.
    #[arg(long, value_name = "NAME")]
    pub view: Option<String>,
    /// Where the paths in a named.conf begin, for a named that runs in a chroot. / when left out.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// The TTL in seconds of records that state none. 3600 for octoDNS and 300 for DNSEndpoints when left out.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_TTL)))]
    pub default_ttl: Option<u32>,
    /// The directory to write to, a file for each zone, or - for standard output.
    #[arg(short, long, value_name = "DIR|-")]
    pub output_dir: Option<PathBuf>,
    /// See there.
    #[command(flatten)]
    pub to_cluster: ToCluster,
    /// Replace files that are there.
    #[arg(long)]
    pub force: bool,
}

/// What the files are that `port53 import` is given.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum ImportFormat {
    /// Told by name and beginning.
    #[default]
    Auto,
    /// Master files.
    Master,
    /// A named.conf of BIND.
    Named,
    /// YAML of octoDNS.
    Octodns,
    /// DNSEndpoints of external-dns.
    Dnsendpoint,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    port53_crds::parse_duration(text).map_err(|error| error.to_string())
}

pub(crate) fn parse_name(text: &str) -> Result<Name, String> {
    name::parse_absolute(text).map_err(|error| format!("\"{text}\" {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(line: &str) -> Result<Arguments, String> {
        let words = std::iter::once("port53").chain(line.split_whitespace());
        Arguments::try_parse_from(words).map_err(|error| error.to_string())?.settled()
    }

    fn cluster(line: &str) -> ClusterArgs {
        match settled(line).unwrap_or_else(|why| panic!("{line}: {why}")).command {
            Command::Status(status) => status.cluster,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn flags_of_a_cluster_stand_before_the_subcommand_or_behind_it() {
        for line in [
            "-n dns --context c --as a --as-group g --as-group h --request-timeout 5 status",
            "status -n dns --context c --as a --as-group g --as-group h --request-timeout 5s",
            "--context=c --as-group g -n other --as other status --as a --as-group h -n dns --request-timeout 5s",
        ] {
            let given = cluster(line);
            assert_eq!(given.namespace.as_deref(), Some("dns"), "{line}");
            assert_eq!(given.context.as_deref(), Some("c"), "{line}");
            assert_eq!(given.as_user.as_deref(), Some("a"), "{line}");
            assert_eq!(given.as_group, ["g", "h"], "{line}");
            assert_eq!(given.request_timeout, Some(Duration::from_secs(5)), "{line}");
        }
        // As with kubectl: scripts give what a variable holds.
        let words = ["port53", "-n", "dns", "status", "--namespace", "", "--context="];
        let empty = Arguments::try_parse_from(words).expect("arguments").settled().expect("settled");
        let Command::Status(status) = empty.command else { panic!("status") };
        assert_eq!(
            status.cluster,
            ClusterArgs { namespace: Some("dns".to_owned()), ..ClusterArgs::default() }
        );
    }

    #[test]
    fn what_a_command_has_no_use_for_is_told() {
        for (line, words) in [
            ("--context c check dns", "port53 check looks at no cluster: leave out --context"),
            ("-N port53 --as a dev dns", "leave out --operator-namespace, --as"),
            ("-n dns man", "leave out --namespace"),
            ("--user u completions bash", "leave out --user"),
            ("-n dns status -A", "leave out --namespace"),
            ("status -A -n dns", "leave out --namespace"),
            ("check --context c dns", "unexpected argument '--context'"),
        ] {
            let why = settled(line).expect_err(line);
            assert!(why.contains(words), "{line}: {why}");
        }
    }

    #[test]
    fn the_namespace_of_files_stands_before_the_subcommand_too() {
        for (line, expected) in [
            ("check dns", "default"),
            ("-n a check dns", "a"),
            ("check -n a dns", "a"),
            ("-n b check dns -n a", "a"),
        ] {
            let Command::Check(check) = settled(line).expect(line).command else { panic!("{line}") };
            assert_eq!(check.namespace.name(), expected, "{line}");
        }
    }
}
