//! The command line of `port53 migration`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{ClusterArgs, parse_name, parse_time};
use crate::report::ListFormat;
use port53_zone::Name;

/// The arguments of `port53 migration`.
#[derive(Args, Debug)]
pub struct Migration {
    /// What to do.
    #[command(subcommand)]
    pub verb: MigrationVerb,
}

/// What to do with a migration.
#[derive(Debug, Subcommand)]
pub enum MigrationVerb {
    /// Say how far migrations are. Ends with 1 when one is not as its spec asks.
    Status {
        /// One zone: its domain, or NAMESPACE/NAME or NAME of its Zone. All of the namespace when left out.
        zone: Option<String>,
        /// Wait until they are.
        #[arg(short, long)]
        wait: bool,
        /// How long to wait, such as 90s or 10m.
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_time)]
        timeout: Duration,
        /// How it is listed.
        #[arg(short, long, value_enum, default_value_t)]
        output: ListFormat,
        /// See there.
        #[command(flatten)]
        cluster: ClusterArgs,
    },
    /// Compare both sides now, and list what differs. Ends with 1 when something does.
    Diff {
        /// See there.
        #[command(flatten)]
        of: OfZone,
        /// How long to wait for the operator, such as 90s or 10m.
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
        timeout: Duration,
        /// How it is listed.
        #[arg(short, long, value_enum, default_value_t)]
        output: ListFormat,
    },
    /// List what legacy has and is refused here, each with why. Ends with 1 when something is.
    Rejects {
        /// See there.
        #[command(flatten)]
        of: OfZone,
        /// How it is listed.
        #[arg(short, long, value_enum, default_value_t)]
        output: RejectsFormat,
    },
    /// List questions of clients to which legacy and Port53 give different answers, each with both. Ends with 1 when there
    /// are any.
    Shadow {
        /// See there.
        #[command(flatten)]
        of: OfZone,
        /// How it is listed.
        #[arg(short, long, value_enum, default_value_t)]
        output: RejectsFormat,
    },
    /// Take every nameserver back at once: it answers with what legacy says again.
    Fallback {
        /// See there.
        #[command(flatten)]
        of: OfZone,
        /// End it, also one that came by itself: nameservers are cut over again as the spec says.
        #[arg(long)]
        off: bool,
        /// How long to wait until every nameserver was seen to, such as 90s or 10m.
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
        timeout: Duration,
    },
    /// Settle what differs by one side: its records are written to the other.
    Resolve {
        /// See there.
        #[command(flatten)]
        of: OfZone,
        /// Only what differs at this name. All that does when left out.
        #[arg(value_name = "NAME", value_parser = parse_name, requires = "rtype")]
        name: Option<Name>,
        /// Its type.
        #[arg(value_name = "TYPE")]
        rtype: Option<String>,
        /// Whose records are right.
        #[arg(long, value_enum)]
        prefer: Preferred,
        /// How long to wait until they are on both sides, such as 90s or 10m.
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
        timeout: Duration,
    },
    /// End it, and say what that waits for: until nobody can be led to legacy any more. Ends with 1 when it is not over in
    /// time; it goes on nevertheless.
    Finish {
        /// See there.
        #[command(flatten)]
        of: OfZone,
        /// How clients come here. As the spec says when left out.
        #[arg(long, value_enum)]
        entry: Option<Entry>,
        /// Say that nobody asks legacy any more, as its log has it.
        #[arg(long)]
        legacy_is_quiet: bool,
        /// Take it back.
        #[arg(long, conflicts_with_all = ["entry", "legacy_is_quiet"])]
        take_back: bool,
        /// How long to wait, such as 90s or 2d.
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_time)]
        timeout: Duration,
    },
}

/// How clients come here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Entry {
    /// The addresses of legacy's nameservers reach those here.
    AddressTakeover,
    /// The nameservers here are written into the zone above.
    NewNameservers,
}

impl Entry {
    /// As a spec says it.
    pub fn of_spec(self) -> port53_crds::Entry {
        match self {
            Self::AddressTakeover => port53_crds::Entry::AddressTakeover,
            Self::NewNameservers => port53_crds::Entry::NewNameservers,
        }
    }
}

/// Which migration.
#[derive(Args, Debug)]
pub struct OfZone {
    /// The zone: its domain, or NAMESPACE/NAME or NAME of its Zone.
    pub zone: String,
    /// See there.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// How what is refused, or answered otherwise, is listed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum RejectsFormat {
    /// A table for people.
    #[default]
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Comma-separated values (RFC 4180), for a spreadsheet.
    Csv,
}

/// Whose records are right.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Preferred {
    /// Those of legacy.
    Legacy,
    /// Those here.
    Port53,
}

impl MigrationVerb {
    /// The cluster, to be told what stands before the subcommand.
    pub(super) fn cluster_mut(&mut self) -> &mut ClusterArgs {
        match self {
            Self::Status { cluster, .. } => cluster,
            Self::Diff { of, .. }
            | Self::Rejects { of, .. }
            | Self::Finish { of, .. }
            | Self::Shadow { of, .. }
            | Self::Fallback { of, .. }
            | Self::Resolve { of, .. } => &mut of.cluster,
        }
    }
}
