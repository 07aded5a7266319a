//! The table.

use super::attacks::Attack;
use super::client::Got;
use std::fmt;
use std::time::Duration;

/// One attack.
pub(crate) struct Row {
    /// Nothing: as it is without.
    pub(crate) attack: Option<Attack>,
    /// Packets or connections.
    pub(crate) sent: Option<u64>,
    pub(crate) got: Got,
    /// Octets of the resolver after it.
    pub(crate) resident: u64,
}

pub(crate) fn head(commit: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{cores} cores, attackers and client on the same; commit {commit}.\n\n\
         | attack | sent | good client: asked | answered at once | in the end | over TCP | p50 ms | p99 ms | resolver MiB | not right |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    )
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Got { asked, at_once, answered, over_tcp, wrong, times } = &self.got;
        let share = |count: &u32| 100.0 * f64::from(*count) / f64::from((*asked).max(1));
        let at = |share: usize| {
            let place = (times.len() * share / 100).min(times.len().saturating_sub(1));
            times.get(place).map_or(Duration::ZERO, |time| *time).as_secs_f64() * 1e3
        };
        let attack = self.attack.map_or_else(|| "none".to_owned(), |attack| attack.to_string());
        let sent = self.sent.map_or_else(String::new, |sent| sent.to_string());
        let wrong: Vec<String> = wrong.iter().map(|(why, count)| format!("{count} {why}")).collect();
        write!(
            f,
            "| {attack} | {sent} | {asked} | {:.1} % | {:.1} % | {over_tcp} | {:.1} | {:.1} | {} | {} |",
            share(at_once),
            share(answered),
            at(50),
            at(99),
            self.resident >> 20,
            wrong.join(", ")
        )
    }
}
