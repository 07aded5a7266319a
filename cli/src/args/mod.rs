//! The command line: what is done with directories and files here, what is done with a cluster in [`cluster`].

mod cluster;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use port53_zone::{Name, name};

use crate::report::{Color, ListFormat};

pub use cluster::{
    Apply, ClusterArgs, Diff, Export, ExportFormat, Held, History, Rollback, Status, ToCluster,
};

/// What `kubectl` takes for the plugin `port53`.
const PLUGIN: &str = "kubectl-port53";

/// The arguments of this process. Ends it with a usage text when they are none.
pub fn parse() -> Arguments {
    let matches = command().get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command line, under the name by which this program was called.
pub fn command() -> clap::Command {
    Arguments::command().bin_name(program())
}

/// What a person types to run this program: `port53`, or `kubectl port53` when it was called as the plugin.
pub fn program() -> &'static str {
    let called = std::env::args_os().next().unwrap_or_default();
    let is_plugin = Path::new(&called).file_stem().is_some_and(|name| name == PLUGIN);
    if is_plugin { "kubectl port53" } else { "port53" }
}

/// Authoritative DNS in Kubernetes: serve, check and convert zones, and see to those of a cluster.
#[derive(Debug, Parser)]
#[command(name = "port53", version, propagate_version = true)]
pub struct Arguments {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a directory of manifests and master files, and follow its changes.
    Dev(Dev),
    /// Say what is wrong in directories or files, without serving them.
    Check(Check),
    /// Turn master files into manifests, one RRset a DNSRecord, as files or in a cluster.
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
    /// Write the completions of a shell.
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

/// Where objects are that name no namespace.
#[derive(Args, Debug)]
pub struct NamespaceArg {
    /// The namespace of objects that name none.
    #[arg(short, long, default_value = "default")]
    pub namespace: String,
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
    /// Master files.
    #[arg(required = true)]
    pub file: Vec<PathBuf>,
    /// The origin at the start of each file. From the name of the file (NAME.zone) when left out.
    #[arg(long, value_parser = parse_name)]
    pub origin: Option<Name>,
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

pub(crate) fn parse_name(text: &str) -> Result<Name, String> {
    name::parse_absolute(text).map_err(|error| format!("\"{text}\" {error}"))
}
