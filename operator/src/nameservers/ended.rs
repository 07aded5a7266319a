//! What comes of a job that has ended: what is known from then on, and what a person is told.

use std::time::{Duration, Instant};

use kube::ResourceExt;
use port53_crds::{Reason, RolloutFailure};

use super::asking::Proven;
use super::objects::Kind;
use super::plan::{Evidence, Others};
use super::seen::{Role, spec_version};
use super::steps::{Applied, What};
use super::{AGAIN, Asked, Controller, Ended, Stamp, State};
use crate::cluster::events::{self, News};
use crate::cluster::store::WriteError;
use crate::index::Key;

/// Until the watch tells of what was deleted.
const SOON: Duration = Duration::from_millis(200);

impl Controller {
    /// Takes note of the end of a job.
    pub(super) fn ended(&mut self, ended: Result<(Key, Ended), tokio::task::JoinError>) {
        let (key, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Watching that was ended.
                Err(_) => return,
            },
        };
        let Some(state) = self.states.get_mut(&key) else { return };
        match ended {
            Ended::Reported(written) => {
                state.is_writing = false;
                match written {
                    Ok(status) => {
                        let uid = self.sets.get(&key).and_then(|set| set.uid());
                        self.sets.status_is(&key, uid.as_deref(), *status);
                    }
                    Err(error) => tracing::warn!(set = key.1, "the status cannot be written: {error}"),
                }
            }
            Ended::AskedAround(told, outside) => {
                state.is_asking_around = false;
                state.delegation = Some((told, Instant::now(), outside));
            }
            Ended::Soaked { whose, form, result } => {
                let asked = state.asked.get_mut(&whose).filter(|asked| asked.form == form);
                if let Some(asked) = asked {
                    asked.soak = None;
                    asked.evidence = result.map_or_else(Evidence::Failed, |()| Evidence::Soaked);
                }
            }
            Ended::Others(result) => {
                state.is_busy = false;
                let others = result.map_or_else(Others::Disagree, |()| Others::Agree);
                state.others = Some((others, Instant::now()));
            }
            Ended::Proven { whose, form, proven } => {
                state.is_busy = false;
                state.proven(&key, whose, form, proven);
            }
            Ended::Deleted(result) => {
                state.is_busy = false;
                let pause = if result.is_ok() { SOON } else { AGAIN };
                state.not_before = Some(Instant::now() + pause);
                if let Err(error) = result {
                    tracing::warn!(set = key.1, "an object cannot be deleted yet: {error}");
                }
            }
            Ended::Left(result) => {
                state.is_busy = false;
                state.not_before = Some(Instant::now() + AGAIN);
                if let Err(error) = result {
                    tracing::warn!(set = key.1, "a nameserver cannot leave yet: {error}");
                }
            }
            Ended::Applied(applied) => {
                state.is_busy = false;
                self.applied(&key, applied);
            }
        }
    }

    fn applied(&mut self, key: &Key, Applied { what, done, error }: Applied) {
        for (object, now) in done {
            let version = match object.kind {
                // Of these the status changes, too.
                Kind::Deployment | Kind::DaemonSet | Kind::PodDisruptionBudget => spec_version(&now.metadata),
                _ => now.resource_version().unwrap_or_default(),
            };
            self.note(object.kind, now);
            if let Some(state) = self.states.get_mut(key) {
                state.applied.insert((object.kind, object.name), Stamp { value: object.value, version });
            }
        }
        if let Some(news) = news(&what, error.as_ref())
            && let Some(uid) = self.sets.get(key).and_then(|set| set.uid())
        {
            tokio::spawn(events::tell(self.client.clone(), "NameserverSet", key.clone(), uid, news));
        }
        let Some(state) = self.states.get_mut(key) else { return };
        if let Some(error) = error {
            state.not_before = Some(Instant::now() + AGAIN);
            if let (WriteError::Refused(why), What::Change { nameserver, attempt, revision, .. }) =
                (&error, &what)
            {
                tracing::error!(set = key.1, nameserver, revision, "Kubernetes refuses it: {why}");
                state.refused = Some(attempt.clone());
                state.failure = Some(RolloutFailure {
                    revision: revision.clone(),
                    nameserver: nameserver.clone(),
                    reason: Reason::InvalidTemplate.as_str().to_owned(),
                    message: why.clone(),
                });
            } else {
                tracing::warn!(set = key.1, "objects of a nameserver cannot be applied: {error}");
            }
            return;
        }
        state.trouble = None;
        match what {
            What::Change { role, nameserver, revision, .. } => {
                state.asked.remove(&(nameserver.clone(), role));
                state.refused = None;
                match role {
                    Role::Serving => {
                        state.others = None;
                        tracing::info!(set = key.1, nameserver, revision, "a nameserver is changed");
                    }
                    Role::Trial => tracing::info!(set = key.1, nameserver, revision, "a change is tried"),
                }
            }
            What::Failed(failure) => {
                let RolloutFailure { revision, nameserver, reason, message } = &failure;
                self.metrics.rollout_failed(&key.1, nameserver, reason);
                tracing::error!(
                    set = key.1,
                    nameserver,
                    revision,
                    reason,
                    "a nameserver did not pass: {message}"
                );
                state.asked.retain(|(nameserver, _), _| *nameserver != failure.nameserver);
                state.failure = Some(failure);
            }
            What::Passed { nameserver, revision } => {
                tracing::info!(set = key.1, nameserver, revision, "a nameserver has passed");
            }
            What::Upkeep => {}
        }
    }
}

/// What a person should notice of what was applied, or was not.
fn news(what: &What, error: Option<&WriteError>) -> Option<News> {
    let (is_warning, reason, note) = match (what, error) {
        (What::Change { nameserver, revision, .. }, Some(WriteError::Refused(why))) => (
            true,
            Reason::InvalidTemplate.as_str(),
            format!("revision {revision} cannot be applied to {nameserver}: {why}"),
        ),
        (_, Some(_)) | (What::Upkeep, None) => return None,
        (What::Change { role, nameserver, revision, .. }, None) => {
            let note = match role {
                Role::Trial => {
                    format!("revision {revision} is tried for {nameserver}, where no client comes")
                }
                Role::Serving => format!("{nameserver} is changed to revision {revision}"),
            };
            (false, Reason::RollingOut.as_str(), note)
        }
        (What::Passed { nameserver, revision }, None) => (
            false,
            Reason::RolledOut.as_str(),
            format!("{nameserver} answers rightly with revision {revision}"),
        ),
        (What::Failed(failure), None) => {
            let RolloutFailure { revision, nameserver, reason, message } = failure;
            (true, reason.as_str(), format!("revision {revision} did not pass on {nameserver}: {message}"))
        }
    };
    Some(News { is_warning, action: "Rollout", reason: reason.to_owned(), note })
}

impl State {
    fn proven(&mut self, key: &Key, whose: (String, Role), form: String, proven: Result<Proven, String>) {
        match proven {
            Ok(Proven { counts, failure }) => {
                let evidence = failure.map_or(Evidence::Right, Evidence::Failed);
                self.asked.insert(whose, Asked { form, evidence, counts, soak: None });
            }
            Err(why) => {
                tracing::warn!(set = key.1, nameserver = whose.0, "it cannot be asked: {why}");
                self.not_before = Some(Instant::now() + AGAIN);
            }
        }
    }
}
