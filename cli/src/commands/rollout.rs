//! `port53 rollout`: how far a change is over the nameservers, and stopping, retrying and undoing it.
//!
//! What a person says of it stands in annotations with field managers of their own, so whoever manages the spec (Helm,
//! Argo CD, Flux) leaves it alone.

use std::io::{self, Write};
use std::time::Duration;

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use port53_client::explain;
use port53_crds::{ConditionType, NameserverSet, NameserverSetStatus, NameserverStatus, find_condition};
use port53_operator::nameservers::seen::SET;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Ended, Outcome};
use crate::args::{Rollout, RolloutVerb, Set, program};
use crate::cluster::annotate::Annotation;
use crate::cluster::{self, Cluster};
use crate::report::{self, Color, ListFormat, Style};

/// How often it is looked at while it is waited for.
const LOOK: Duration = Duration::from_secs(1);
/// How long a status that is about the newest spec is waited for, when nobody said to wait.
const MOMENT: Duration = Duration::from_secs(3);

pub(super) fn run(arguments: &Rollout, color: Color) -> Outcome {
    match &arguments.verb {
        RolloutVerb::Status { set, wait, timeout, output } => {
            let patience = if *wait { *timeout } else { MOMENT };
            let set = cluster::run(status(set, *wait, patience))??;
            let text = match output {
                ListFormat::Json => report::json(&set.status),
                ListFormat::Yaml => report::yaml(&set.status),
                ListFormat::Table => table(&set, Style::of(color, &io::stdout())),
            };
            io::stdout().lock().write_all(text.as_bytes())?;
            let (state, said) = state(&set);
            eprintln!("{said}");
            Ok(if state == State::RolledOut { Ended::Well } else { Ended::WithProblems })
        }
        verb => {
            println!("{}", cluster::run(say(verb))??);
            Ok(Ended::Well)
        }
    }
}

/// How far a set is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    RolledOut,
    OnItsWay,
    Stalled,
}

/// How far a set is, and what its conditions say of it.
fn state(set: &NameserverSet) -> (State, String) {
    let not_seen = (State::OnItsWay, "the operator has not looked at the newest spec yet".to_owned());
    let Some(status) =
        set.status.as_ref().filter(|status| Some(status.observed_generation) == set.metadata.generation)
    else {
        return not_seen;
    };
    let is = |type_: ConditionType| {
        find_condition(&status.conditions, type_).filter(|condition| condition.status == "True")
    };
    if let Some(stalled) = is(ConditionType::Stalled) {
        return (State::Stalled, format!("{}: {}", stalled.reason, stalled.message));
    }
    let Some(ready) = find_condition(&status.conditions, ConditionType::Ready) else { return not_seen };
    match ready.status.as_str() {
        "True" => (State::RolledOut, ready.message.clone()),
        _ => (State::OnItsWay, format!("{}: {}", ready.reason, ready.message)),
    }
}

async fn status(set: &Set, wait: bool, patience: Duration) -> Result<NameserverSet, String> {
    let cluster = Cluster::connect(&set.cluster).await?;
    let until = Instant::now() + patience;
    let mut last = String::new();
    loop {
        let found = find(&cluster, set).await?;
        let (state, said) = state(&found);
        let is_seen =
            found.status.as_ref().map(|status| status.observed_generation) == found.metadata.generation;
        let is_over = if wait { state != State::OnItsWay } else { is_seen };
        if is_over || Instant::now() >= until {
            return Ok(found);
        }
        if wait && said != last {
            eprintln!("{said}");
            last = said;
        }
        sleep(LOOK).await;
    }
}

async fn say(verb: &RolloutVerb) -> Result<String, String> {
    let cluster = Cluster::connect(&verb.set().cluster).await?;
    let set = find(&cluster, verb.set()).await?;
    let name = set.name_any();
    match verb {
        RolloutVerb::Pause { .. } => {
            cluster.annotate(&set, Annotation::Pause, "true").await?;
            Ok(format!("the rollout of {name} is paused; {} rollout resume {name} lets it go on", program()))
        }
        RolloutVerb::Resume { .. } => {
            let was_paused = Annotation::Pause.of(&set).is_some();
            let set = cluster.take_back(&set, Annotation::Pause).await?;
            match state(&set) {
                (State::Stalled, _) => {
                    let now = Timestamp::now().as_second().to_string();
                    cluster.annotate(&set, Annotation::Retry, &now).await?;
                    Ok(format!("what did not pass on {name} is tried again"))
                }
                _ if was_paused => Ok(format!("the rollout of {name} goes on")),
                _ => Ok(format!("the rollout of {name} was neither paused nor stalled: nothing to resume")),
            }
        }
        RolloutVerb::Undo { release: true, .. } => {
            cluster.take_back(&set, Annotation::Pin).await?;
            Ok(format!("{name} is to run what its spec says"))
        }
        RolloutVerb::Undo { to, .. } => {
            let revision = match to {
                Some(revision) => revision.clone(),
                None => before(&cluster, &set).await?,
            };
            cluster.annotate(&set, Annotation::Pin, &revision).await?;
            Ok(format!(
                "{name} is to run revision {revision}; {} rollout undo {name} --release lets it run what its spec says",
                program()
            ))
        }
        RolloutVerb::Status { .. } => Ok(String::new()),
    }
}

/// The set that a person means.
async fn find(cluster: &Cluster, set: &Set) -> Result<NameserverSet, String> {
    let api = cluster.of_operator::<NameserverSet>();
    let namespace = &cluster.operator_namespace;
    if let Some(name) = &set.name {
        let found = cluster.asked(|| api.get_opt(name)).await.map_err(|error| explain(&error))?;
        return found.ok_or_else(|| {
            format!(
                "there is no NameserverSet {name} in namespace {namespace}: --operator-namespace says another"
            )
        });
    }
    let mut all = cluster.list(&api, &ListParams::default()).await.map_err(|error| explain(&error))?;
    match all.len() {
        0 => Err(format!(
            "there is no NameserverSet in namespace {namespace}: --operator-namespace says another"
        )),
        1 => Ok(all.remove(0)),
        _ => {
            let names: Vec<String> = all.iter().map(ResourceExt::name_any).collect();
            Err(format!(
                "there are several NameserverSets in namespace {namespace}: name one of {}",
                names.join(", ")
            ))
        }
    }
}

/// The newest kept revision that is not the one that runs.
async fn before(cluster: &Cluster, set: &NameserverSet) -> Result<String, String> {
    let name = set.name_any();
    let params = ListParams::default().labels(&format!("{SET}={name}"));
    let api = cluster.of_operator::<ControllerRevision>();
    let mut kept = cluster.list(&api, &params).await.map_err(|error| explain(&error))?;
    kept.sort_by_key(|kept| std::cmp::Reverse(kept.revision));
    let current = set.status.as_ref().and_then(|status| status.revision.clone()).unwrap_or_default();
    // Its object is called after the set and it.
    let revision =
        |kept: &ControllerRevision| kept.name_any().strip_prefix(&format!("{name}-")).map(str::to_owned);
    let mut others = kept.iter().filter_map(revision).filter(|revision| *revision != current);
    others
        .next()
        .ok_or_else(|| format!("no other revision of {name} is kept: there is nothing to go back to"))
}

fn table(set: &NameserverSet, style: Style) -> String {
    let none = NameserverSetStatus::default();
    let status = set.status.as_ref().unwrap_or(&none);
    let row = |one: &NameserverStatus| {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let phase = json!(one.phase).as_str().unwrap_or_default().to_owned();
        vec![
            one.name.clone(),
            phase,
            text(&one.ready),
            text(&one.revision),
            text(&one.verified),
            one.addresses.join(","),
            text(&one.message),
        ]
    };
    let rows: Vec<Vec<String>> = status.nameservers.iter().map(row).collect();
    report::table(
        &["NAMESERVER", "PHASE", "READY", "REVISION", "VERIFIED", "ADDRESSES", "MESSAGE"],
        &rows,
        style,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(generation: i64, observed: i64, conditions: &[(&str, &str, &str)]) -> NameserverSet {
        let conditions: Vec<serde_json::Value> = conditions
            .iter()
            .map(|(type_, status, reason)| {
                json!({
                    "type": type_, "status": status, "reason": reason, "message": "why",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                })
            })
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1",
            "kind": "NameserverSet",
            "metadata": {"name": "public", "generation": generation},
            "spec": {"nameservers": [], "template": {}},
            "status": {"observedGeneration": observed, "conditions": conditions},
        }))
        .expect("a set")
    }

    #[test]
    fn a_status_of_an_older_spec_is_none() {
        let done = [("Ready", "True", "RolledOut")];
        assert_eq!(state(&set(2, 2, &done)).0, State::RolledOut);
        assert_eq!(state(&set(3, 2, &done)).0, State::OnItsWay);
    }

    #[test]
    fn what_is_stalled_does_not_go_on_by_itself() {
        let stalled = [("Ready", "False", "WrongAnswer"), ("Stalled", "True", "WrongAnswer")];
        assert_eq!(state(&set(1, 1, &stalled)), (State::Stalled, "WrongAnswer: why".to_owned()));
        let rolling = [("Ready", "False", "RollingOut"), ("Stalled", "False", "RollingOut")];
        assert_eq!(state(&set(1, 1, &rolling)), (State::OnItsWay, "RollingOut: why".to_owned()));
    }
}
