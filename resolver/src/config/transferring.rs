//! The settings of zone transfers.

use super::Wrong;
use crate::transfer::{JournalLimits, Policy, Settings};
use std::path::PathBuf;

/// The most that a journal may be set to, in octets.
const GREATEST_JOURNAL: usize = 1 << 40;

/// Flags of zone transfers.
#[derive(Clone, Debug, clap::Args)]
pub struct TransferArguments {
    /// Directory of the TSIG keys: a file for each, named as the key, with ALGORITHM:BASE64 in it
    #[arg(long, env = "PORT53_TSIG_KEYS")]
    pub tsig_keys: Option<PathBuf>,
    /// Who may transfer zones that say nothing of it themselves: a prefix or key:NAME; as often as needed
    #[arg(long, env = "PORT53_TRANSFER_ALLOW", value_delimiter = ',')]
    pub transfer_allow: Vec<String>,
    /// Address and port of a secondary to be told of new versions by NOTIFY; as often as needed
    #[arg(long, env = "PORT53_NOTIFY", value_delimiter = ',')]
    pub notify: Vec<String>,
    /// Zone transfers at once
    #[arg(long, env = "PORT53_TRANSFERS", default_value = "32")]
    pub transfers: String,
    /// Zone transfers at once to one address
    #[arg(long, env = "PORT53_TRANSFERS_PER_CLIENT", default_value = "8")]
    pub transfers_per_client: String,
    /// Octets of what changed that are kept for IXFR, a zone
    #[arg(long, env = "PORT53_JOURNAL_ZONE", default_value = "1048576")]
    pub journal_zone: String,
    /// Octets of what changed that are kept for IXFR, all zones together
    #[arg(long, env = "PORT53_JOURNAL_ALL", default_value = "67108864")]
    pub journal_all: String,
}

impl TransferArguments {
    /// The settings; what is wrong with them goes to `wrong`.
    pub(super) fn check(&self, wrong: &mut Wrong) -> Settings {
        let mut policy = Policy::default();
        for text in self.transfer_allow.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            match text.parse() {
                Ok(allow) => policy.allow.push(allow),
                Err(what) => wrong.add("--transfer-allow", text, &what),
            }
        }
        policy.notify = wrong.addresses("--notify", &self.notify);
        let default = Settings::default();
        let mut number =
            |flag, text: &str, least, most, default| wrong.number(flag, text, least, most).unwrap_or(default);
        let JournalLimits { zone, all } = default.journal;
        Settings {
            policy,
            transfers: number("--transfers", &self.transfers, 1, 10_000, default.transfers),
            transfers_per_client: number(
                "--transfers-per-client",
                &self.transfers_per_client,
                1,
                10_000,
                default.transfers_per_client,
            ),
            journal: JournalLimits {
                zone: number("--journal-zone", &self.journal_zone, 0, GREATEST_JOURNAL, zone),
                all: number("--journal-all", &self.journal_all, 0, GREATEST_JOURNAL, all),
            },
            ..default
        }
    }
}
