//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use port53_zone::{Name, name};

use crate::report::{Color, ListFormat};

/// Authoritative DNS in Kubernetes: serve, check and convert zones.
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
    /// Turn master files into manifests, one RRset a DNSRecord.
    Import(Import),
    /// Write a zone of a directory as a master file or as manifests.
    Export(Export),
    /// Compare the zones of two directories or files.
    Diff(Diff),
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
pub struct Import {
    /// Master files.
    #[arg(required = true)]
    pub file: Vec<PathBuf>,
    /// The origin at the start of each file. From the name of the file (NAME.zone) when left out.
    #[arg(long, value_parser = parse_name)]
    pub origin: Option<Name>,
    /// The directory to write to, a file for each zone, or - for standard output.
    #[arg(short, long, value_name = "DIR|-")]
    pub output_dir: PathBuf,
    /// The namespace to write into the objects. None when left out.
    #[arg(short, long)]
    pub namespace: Option<String>,
    /// Replace files that are there.
    #[arg(long)]
    pub force: bool,
}

/// The arguments of `port53 export`.
#[derive(Args, Debug)]
pub struct Export {
    /// The directory, or a file.
    pub path: PathBuf,
    /// The zone, such as example.com.
    #[arg(value_parser = parse_name)]
    pub zone: Name,
    /// What to write.
    #[arg(short, long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// See there.
    #[command(flatten)]
    pub namespace: NamespaceArg,
}

/// What `port53 export` writes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum ExportFormat {
    /// A master file in canonical order with absolute names.
    #[default]
    Master,
    /// A Zone and its DNSRecords.
    Manifests,
}

/// The arguments of `port53 diff`.
#[derive(Args, Debug)]
pub struct Diff {
    /// A directory or a file: what is removed.
    pub a: PathBuf,
    /// A directory or a file: what is added.
    pub b: PathBuf,
    /// How differences are listed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ListFormat,
    /// See there.
    #[command(flatten)]
    pub namespace: NamespaceArg,
}

fn parse_name(text: &str) -> Result<Name, String> {
    name::parse_absolute(text).map_err(|error| format!("\"{text}\" {error}"))
}
