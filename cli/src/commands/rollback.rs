//! `port53 rollback`: a kept version served in the place of the records, and the records served again.

use std::time::Duration;

use super::{Ended, Outcome};
use crate::args::{Rollback, program};
use crate::cluster::annotate::Annotation;
use crate::cluster::served::{Progress, Waited, is_served};
use crate::cluster::verdict::Verdict;
use crate::cluster::zones::Found;
use crate::cluster::{self, Cluster};

pub(super) fn run(arguments: Rollback) -> Outcome {
    Ok(cluster::run(rollback(&arguments))??)
}

async fn rollback(arguments: &Rollback) -> Result<Ended, String> {
    let cluster = Cluster::connect(&arguments.cluster).await?;
    let found = cluster.find(&arguments.zone).await?;
    let patience = arguments.timeout.timeout;
    match arguments.to {
        Some(serial) => to(&cluster, &found, serial, patience).await,
        None => release(&cluster, &found, patience).await,
    }
}

async fn to(cluster: &Cluster, found: &Found, serial: u32, patience: Duration) -> Result<Ended, String> {
    let zone = found.object()?;
    found.head()?;
    let (kept, _) = cluster.kept(found).await?;
    let Some(wanted) = kept.iter().find(|kept| kept.revision.soa.serial == serial) else {
        return Err(cluster.not_kept(found, serial, &kept).await);
    };
    if let Some(why) = cluster.lost(found, wanted).await {
        return Err(format!(
            "version {serial} of {domain} is kept and cannot be read: {why}: choose another of {program} history {domain}",
            domain = found.domain(),
            program = program()
        ));
    }
    let zone = cluster.annotate(zone, Annotation::Rollback, &serial.to_string()).await?;
    let waited = cluster.wait_for_zone(&found.apex, zone, patience, |zone, head| match head {
        Some(head) if head.pinned == Some(serial) && is_served(zone, head) => Progress::Done,
        _ if Annotation::Rollback.of(zone) != Some(serial.to_string().as_str()) => {
            Progress::Failed("somebody took the rollback back or chose another serial meanwhile".to_owned())
        }
        _ => Progress::NotYet,
    });
    let domain = found.domain();
    Ok(told(waited.await?, patience, &format!("{domain} is not rolled back to serial {serial}"), || {
        format!(
            "{domain} is rolled back to serial {serial}; {} rollback {domain} --release undoes it",
            program()
        )
    }))
}

async fn release(cluster: &Cluster, found: &Found, patience: Duration) -> Result<Ended, String> {
    let zone = found.object()?;
    let domain = found.domain();
    if Annotation::Rollback.of(zone).is_none() && found.head()?.pinned.is_none() {
        eprintln!("{domain} is not rolled back: nothing to release");
        return Ok(Ended::Well);
    }
    let zone = cluster.take_back(zone, Annotation::Rollback).await?;
    let waited = cluster.wait_for_zone(&found.apex, zone, patience, |zone, head| match head {
        Some(head) if head.pinned.is_none() && is_served(zone, head) => Progress::Done,
        _ if Annotation::Rollback.of(zone).is_some() => {
            Progress::Failed("somebody rolled it back again meanwhile".to_owned())
        }
        _ => Progress::NotYet,
    });
    Ok(told(waited.await?, patience, &format!("the records of {domain} are not served yet"), || {
        format!("the records of {domain} are served again")
    }))
}

/// Says how it ended, with what the Zone says.
pub(super) fn told(waited: Waited, patience: Duration, not: &str, done: impl FnOnce() -> String) -> Ended {
    match waited {
        Waited::Done(zone) => {
            println!("{}", done());
            println!("{}", Verdict::of_zone(&zone).why().message);
            return Ended::Well;
        }
        Waited::Failed(why) => eprintln!("{not}: {why}"),
        Waited::Late(said) => {
            eprintln!(
                "{not} after {} s; it is asked for and may still come; its Zone says: {said}",
                patience.as_secs()
            );
        }
    }
    Ended::WithProblems
}
