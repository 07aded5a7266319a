//! The command line of what is done with a cluster.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use super::{ClusterArgs, parse_time};
use crate::report::ListFormat;

/// What `port53 import` may do beside writing files.
#[derive(Args, Debug)]
pub struct ToCluster {
    /// Write to the cluster instead of to files. Run again, it goes on where it was interrupted.
    #[arg(long)]
    pub apply: bool,
    /// How many objects are on their way at once.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256),
        requires = "apply"
    )]
    pub parallel: u16,
    /// A file for the manifests of what was refused, each with the reason, to be corrected and applied.
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub rejects: Option<PathBuf>,
    /// Take fields over that somebody else manages.
    #[arg(long, requires = "apply")]
    pub force_conflicts: bool,
    /// How long to wait for an API server that is gone or has too much to do, such as 90s or 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time, requires = "apply")]
    pub timeout: Duration,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// The arguments of `port53 export`.
#[derive(Args, Debug)]
#[command(allow_missing_positional = true)]
pub struct Export {
    /// A directory or a file to take the zone from. From the cluster when left out.
    pub path: Option<PathBuf>,
    /// The zone, such as example.com; in a cluster also NAMESPACE/NAME or NAME of its Zone.
    pub zone: String,
    /// What to write.
    #[arg(short, long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
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
    /// A ZONE of the cluster, or a PATH: what is removed.
    #[arg(value_name = "ZONE|PATH")]
    pub a: PathBuf,
    /// A SERIAL of the ZONE, or a PATH: what is added.
    #[arg(value_name = "SERIAL|PATH")]
    pub b: PathBuf,
    /// The other SERIAL of the ZONE. What is published when left out.
    #[arg(value_name = "SERIAL")]
    pub c: Option<u32>,
    /// How differences are listed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ListFormat,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// How long to wait.
#[derive(Args, Clone, Copy, Debug)]
pub struct Timeout {
    /// How long to wait, such as 90s or 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub timeout: Duration,
}

/// The arguments of `port53 apply`.
#[derive(Args, Debug)]
pub struct Apply {
    /// Manifests: a file, a directory with all beneath it, or - for standard input; repeat it for more.
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", required = true)]
    pub filename: Vec<PathBuf>,
    /// Put every object back as it was when one of them is refused, rejected or not served in time.
    #[arg(long)]
    pub atomic: bool,
    /// Take fields over that somebody else manages.
    #[arg(long)]
    pub force_conflicts: bool,
    /// See there.
    #[command(flatten)]
    pub timeout: Timeout,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// The arguments of `port53 status`.
#[derive(Args, Debug)]
pub struct Status {
    /// One zone: its domain, or NAMESPACE/NAME or NAME of its Zone. All of the namespace when left out.
    pub zone: Option<String>,
    /// The zones of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "zone")]
    pub all_namespaces: bool,
    /// How it is listed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ListFormat,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// The arguments of `port53 history`.
#[derive(Args, Debug)]
pub struct History {
    /// The zone: its domain, or NAMESPACE/NAME or NAME of its Zone.
    pub zone: String,
    /// Do not read what changed from each version to the next.
    #[arg(long)]
    pub no_changes: bool,
    /// How it is listed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ListFormat,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// The arguments of `port53 rollback`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("where").required(true).args(["to", "release"])))]
pub struct Rollback {
    /// The zone: its domain, or NAMESPACE/NAME or NAME of its Zone.
    pub zone: String,
    /// The serial of a kept version, to be served until it is released. Changes of records wait meanwhile.
    #[arg(long, value_name = "SERIAL")]
    pub to: Option<u32>,
    /// Serve the records again as they are now.
    #[arg(long)]
    pub release: bool,
    /// See there.
    #[command(flatten)]
    pub timeout: Timeout,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// The arguments of `port53 held`.
#[derive(Args, Debug)]
pub struct Held {
    /// The zone: its domain, or NAMESPACE/NAME or NAME of its Zone.
    pub zone: String,
    /// Let the removals with this id go, and no others.
    #[arg(long, value_name = "ID")]
    pub release: Option<String>,
    /// How they are listed.
    #[arg(short, long, value_enum, default_value_t)]
    pub output: ListFormat,
    /// See there.
    #[command(flatten)]
    pub timeout: Timeout,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// The arguments of `port53 rollout`.
#[derive(Args, Debug)]
pub struct Rollout {
    /// What to do.
    #[command(subcommand)]
    pub verb: RolloutVerb,
}

/// What to do with a rollout.
#[derive(Debug, Subcommand)]
pub enum RolloutVerb {
    /// Say how far each nameserver is. Ends with 1 when they are not all where they are to be.
    Status {
        /// See there.
        #[command(flatten)]
        set: Set,
        /// Wait until they are, or nothing more is done by itself.
        #[arg(short, long)]
        wait: bool,
        /// How long to wait, such as 90s or 10m.
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_time)]
        timeout: Duration,
        /// How it is listed.
        #[arg(short, long, value_enum, default_value_t)]
        output: ListFormat,
    },
    /// Stop it where it is.
    Pause {
        /// See there.
        #[command(flatten)]
        set: Set,
    },
    /// Let it go on, or have a revision tried again that did not pass.
    Resume {
        /// See there.
        #[command(flatten)]
        set: Set,
    },
    /// Run a kept revision, whatever the spec says, until that is released.
    Undo {
        /// See there.
        #[command(flatten)]
        set: Set,
        /// Which: the one before the newest when left out.
        #[arg(long, value_name = "REVISION", conflicts_with = "release")]
        to: Option<String>,
        /// Run what the spec says again.
        #[arg(long)]
        release: bool,
    },
}

/// Which nameservers.
#[derive(Args, Debug)]
pub struct Set {
    /// The NameserverSet, in the namespace of the operator. The one that is there when left out.
    #[arg(value_name = "SET")]
    pub name: Option<String>,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

impl RolloutVerb {
    /// Which nameservers.
    pub fn set(&self) -> &Set {
        let (Self::Status { set, .. } | Self::Pause { set } | Self::Resume { set } | Self::Undo { set, .. }) =
            self;
        set
    }

    /// The same, to be told what stands before the subcommand.
    pub fn set_mut(&mut self) -> &mut Set {
        let (Self::Status { set, .. } | Self::Pause { set } | Self::Resume { set } | Self::Undo { set, .. }) =
            self;
        set
    }
}

/// The arguments of `port53 definitions`.
#[derive(Args, Debug)]
pub struct Definitions {
    /// Apply them to the cluster, and wait until they are in effect. Otherwise they are written to standard output.
    #[arg(long)]
    pub apply: bool,
    /// Delete them from the cluster, with all Zones and DNSRecords, while the operator runs, which withdraws what they
    /// published. Refused where other namespaces have NameserverSets.
    #[arg(long, conflicts_with = "apply")]
    pub delete: bool,
    /// How long to wait until what is deleted is gone, such as 90s or 2h: Zones are served for their removalDelay.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_time, requires = "delete")]
    pub timeout: Duration,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
