//! `port53 apply`: Zones and DNSRecords into a cluster, and waiting until each is served or rejected.
//!
//! ```text
//! files ──admission──▶ manifests ──server-side apply, Zones first──▶ API server
//!                                                                      │ watch
//!              exit status, what is wrong ◀── a verdict for each ◀─────┘
//!              with --atomic, when something is wrong: everything as it was before
//! ```
//!
//! What is wrong with one object keeps no other from being applied, unless it is all or nothing.

mod batch;

use std::io;

use super::{Ended, Outcome};
use crate::admission::Admission;
use crate::args::{Apply, program};
use crate::cluster::{self, Cluster};
use crate::directory::{Manifests, OpenError, read_manifests};
use crate::finding::Finding;
use crate::report::{self, Color, Style};
use batch::Batch;

pub(super) fn run(arguments: Apply, color: Color) -> Outcome {
    let style = Style::of(color, &io::stderr());
    cluster::run(apply(&arguments, style))?
}

async fn apply(arguments: &Apply, style: Style) -> Outcome {
    let cluster = Cluster::connect(&arguments.cluster).await?;
    let manifests = read(arguments, &cluster.namespace)?;
    let is_any_wrong = tell(&manifests, style);
    let mut ended = if is_any_wrong { Ended::WithProblems } else { Ended::Well };
    if is_any_wrong && arguments.atomic {
        eprintln!(
            "nothing is applied, for it is all or nothing: correct what is wrong, or leave out --atomic"
        );
        return Ok(ended);
    }
    if manifests.objects.is_empty() {
        return match is_any_wrong {
            true => Ok(ended),
            false => Err("there is nothing to apply: no Zone and no DNSRecord is in what -f names".into()),
        };
    }
    let mut batch = Batch::new(&cluster, manifests.objects, arguments, style);
    let is_well = match arguments.atomic {
        true => all_or_nothing(&mut batch).await?,
        false => batch.carry_out().await?,
    };
    if !is_well {
        ended = Ended::WithProblems;
    }
    Ok(ended)
}

/// Puts everything back when something is wrong, or a person interrupts it.
async fn all_or_nothing(batch: &mut Batch<'_>) -> Result<bool, Box<dyn std::error::Error>> {
    batch.remember().await?;
    batch.can_be_undone().await?;
    let stop = batch.stop();
    let is_well = {
        let mut work = std::pin::pin!(batch.carry_out());
        tokio::select! {
            is_well = &mut work => is_well?,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                eprintln!("interrupted: everything is put back");
                stop.cancel();
                work.await?;
                false
            }
        }
    };
    if !is_well {
        batch.restore().await;
    }
    Ok(is_well)
}

fn read(arguments: &Apply, namespace: &str) -> Result<Manifests, Box<dyn std::error::Error>> {
    let admission = Admission::new()?;
    Ok(read_manifests(&arguments.filename, namespace, &admission).map_err(|error: OpenError| error)?)
}

/// Tells what is wrong and what is left alone. Says whether something is wrong.
fn tell(manifests: &Manifests, style: Style) -> bool {
    eprint!("{}", report::findings_text(&manifests.findings, style));
    if manifests.foreign > 0 {
        let objects = report::count(manifests.foreign, "object");
        eprintln!("{objects} of other kinds left alone: kubectl apply takes them");
    }
    for file in &manifests.masters {
        eprintln!("{file} is a master file and left alone: {} import {file} --apply takes it", program());
    }
    manifests.findings.iter().any(Finding::is_error)
}
