//! How far the migrations are, as their statuses say it, and what the API server and the operator complained of.

use crate::zones::Moving;
use crate::{NAMESPACE, Result};
use kube::api::ListParams;
use kube::{Api, Client};
use port53_crds::ZoneMigration;
use port53_tests::platform::Platform;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// When what was reached, since the migrations were applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reached {
    /// Every record is here, by `Backfilled=True`.
    pub(crate) backfilled: Duration,
    /// Both sides are the same, by `InSync=True`.
    pub(crate) in_sync: Duration,
    /// RRsets that are refused.
    pub(crate) rejected: u64,
}

/// Follows all migrations until both sides are the same.
pub(crate) async fn follow(
    client: &Client,
    begun: Instant,
    count: usize,
    patience: Duration,
) -> Result<Reached> {
    let api: Api<ZoneMigration> = Api::namespaced(client.clone(), NAMESPACE);
    let mut reached = Reached::default();
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let all = api.list(&ListParams::default()).await?.items;
        let statuses = || all.iter().filter_map(|migration| migration.status.as_ref());
        let here: u64 = statuses()
            .filter_map(|status| status.backfilled.as_ref()?.split('/').next()?.parse::<u64>().ok())
            .sum();
        let are = |type_: &str| {
            let is_so = |status: &&port53_crds::ZoneMigrationStatus| {
                status
                    .conditions
                    .iter()
                    .any(|condition| condition.type_ == type_ && condition.status == "True")
            };
            statuses().filter(is_so).count()
        };
        let (backfilled, in_sync) = (are("Backfilled"), are("InSync"));
        eprintln!(
            "{:6.1} s: {here} records are here, {backfilled} zones are whole, {in_sync} the same",
            begun.elapsed().as_secs_f64()
        );
        if backfilled == count && reached.backfilled.is_zero() {
            reached.backfilled = begun.elapsed();
        }
        if in_sync == count {
            reached.in_sync = begun.elapsed();
            reached.rejected = statuses().filter_map(|status| status.rejected).sum();
            return Ok(reached);
        }
        let so_far = here + (backfilled + in_sync) as u64;
        if so_far != last {
            (last, moved) = (so_far, Instant::now());
        }
        if moved.elapsed() > patience {
            let one = statuses().find(|status| status.backfilled.is_none());
            return Err(format!("nothing moves any more: {here} records, {backfilled} zones; {one:?}").into());
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Waits until both resolvers answer the last record of each zone.
pub(crate) async fn until_answered(
    platform: &Platform,
    zones: &[Moving],
    begun: Instant,
    patience: Duration,
) -> Result<Duration> {
    for zone in zones {
        let (question, expected) = zone.last();
        for resolver in &platform.resolvers {
            while resolver.says(&question) != expected {
                if begun.elapsed() > patience * 20 {
                    return Err(format!("{question}: {}, not {expected}", resolver.says(&question)).into());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    Ok(begun.elapsed())
}

/// Requests that the API server put off (429) or failed at (5xx), so far.
pub(crate) fn refused_requests(platform: &Platform) -> Result<u64> {
    let said = platform.cluster.kubectl(&["get", "--raw", "/metrics"]);
    if !said.success {
        return Err(format!("the metrics of the API server: {}", said.stderr).into());
    }
    Ok(refused(&said.stdout))
}

fn refused(metrics: &str) -> u64 {
    let of_failures = metrics.lines().filter(|line| {
        line.starts_with("apiserver_request_total{")
            && (line.contains("code=\"429\"") || line.contains("code=\"5"))
    });
    of_failures.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
}

/// What the operator warned of: each message once, with how often.
pub(crate) fn complaints(output: &str) -> Vec<(String, usize)> {
    let mut complaints = std::collections::BTreeMap::<String, usize>::new();
    let is_loud = |line: &&str| line.contains("\"WARN\"") || line.contains("\"ERROR\"");
    for line in output.lines().filter(is_loud) {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let message = line["fields"]["message"].as_str().unwrap_or_default();
        *complaints.entry(message.to_owned()).or_default() += 1;
    }
    complaints.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_failed_are_counted() {
        let metrics = "# HELP apiserver_request_total Counter\n\
            apiserver_request_total{code=\"200\",verb=\"PATCH\"} 100\n\
            apiserver_request_total{code=\"429\",verb=\"PATCH\"} 3\n\
            apiserver_request_total{code=\"504\",verb=\"GET\"} 2\n\
            apiserver_request_total{code=\"409\",verb=\"PUT\"} 7\n";
        assert_eq!(refused(metrics), 5);
    }
}
