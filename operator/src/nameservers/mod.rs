//! NameserverSets: the workloads and Services of nameservers, and how a change is rolled out over them, one after the
//! other, each proved by its answers before the next is touched.
//!
//! ```text
//! NameserverSet ──revision──▶ what each nameserver is to run ─┐
//! workloads, pods, Services ──seen──▶ what it runs ───────────┼─plan──▶ one step ──▶ objects applied, or pods asked
//!                  published zones ──asking──▶ evidence ──────┘                          │
//!                         ▲                                                              │
//!                       engine ◀── hostnames of those that were found right ── report ◀──┘
//! ```
//!
//! One task decides for all sets; what waits (writing, asking) is a job: one step at a time for a set, and beside it the
//! watching of a nameserver, the status, and what the world is told. Whatever ends or is told is followed by a look at
//! what is next. What is applied is also noted as if the watch had told it, so that nothing
//! is decided on what was before it.
//!
//! | room | what it does |
//! |---|---|
//! | [`revision`] | what nameservers run, and its names. Pure |
//! | [`seen`] | workloads, pods, Services, budgets, kept revisions, as they are told |
//! | [`plan`] | which step is next. Pure |
//! | [`objects`], `services` | the objects of a nameserver. Pure |
//! | [`delegation`] | what the world is told of nameservers |
//! | [`above`] | what the zone above says of a zone |
//! | [`asking`], [`soak`] | questions to pods, and what they count |
//! | [`report`] | the status of a set. Pure |
//! | `gathering` | what is known of a set, for a look at it |
//! | `steps` | carrying out a step |
//! | `ended` | what comes of it |
//! | `leaving` | what is to go |
//! | `measuring` | what is counted |
//! | `newest` | which of two versions of an object counts |
//! | `writing` | requests to the API server |

pub mod above;
pub mod asking;
pub mod delegation;
mod ended;
mod gathering;
mod leaving;
mod measuring;
mod newest;
pub mod objects;
pub mod plan;
pub mod report;
pub mod revision;
pub mod seen;
mod services;
pub mod soak;
mod steps;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::DynamicObject;
use kube::core::Selector;
use port53_client::watch::{Told, What};
use port53_crds::{NameserverSet, NameserverSetStatus, RolloutFailure};
use port53_zone::{Name, name};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::election::{Fence, Standing};
use crate::index::{Key, Shelf};
use crate::metrics::Metrics;
use crate::migrations::shadow::Rollouts;
use crate::stages::SetTerms;
use asking::{Snapshots, Target};
use newest::Newest;
use plan::{Evidence, Others, Step};
pub use seen::Kind;
use seen::{Budget, KeptRevision, Pod, Role, Service, Workload};

/// How often it is looked at what only time changes.
const TICK: Duration = Duration::from_secs(1);
/// After something failed that is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long what the others answered is good for.
const AGREED: Duration = Duration::from_secs(10);

/// The label of the EndpointSlices of all nameservers, of whichever set.
pub fn selector() -> Selector {
    [("app.kubernetes.io/component".to_owned(), "nameserver".to_owned())].into_iter().collect()
}

/// See the module.
pub struct Controller {
    client: Client,
    metrics: Arc<Metrics>,
    snapshots: Snapshots,
    told_sets: watch::Sender<Option<Arc<[SetTerms]>>>,
    told_rollouts: watch::Sender<Rollouts>,
    sets: Shelf<NameserverSet>,
    deployments: Shelf<Workload>,
    daemon_sets: Shelf<Workload>,
    pods: Shelf<Pod>,
    services: Shelf<Service>,
    budgets: Shelf<Budget>,
    revisions: Shelf<KeptRevision>,
    newest: Newest,
    fence: Fence,
    /// Why a kind cannot be followed.
    lost: BTreeMap<Kind, String>,
    states: BTreeMap<Key, State>,
    jobs: JoinSet<(Key, Ended)>,
    /// Nameservers that are told of in the metrics.
    measured: BTreeSet<(Key, String)>,
}

/// What is remembered of a set. All of it can be found again.
#[derive(Debug, Default)]
struct State {
    /// A step that is being carried out.
    is_busy: bool,
    /// Nothing is done before this: something failed.
    not_before: Option<Instant>,
    /// By nameserver, and whether it was its trial.
    asked: BTreeMap<(String, Role), Asked>,
    others: Option<(Others, Instant)>,
    /// What was applied, by kind and name.
    applied: BTreeMap<(objects::Kind, String), Stamp>,
    failure: Option<RolloutFailure>,
    /// The attempt that Kubernetes did not take.
    refused: Option<String>,
    /// What could not be done, for a person.
    trouble: Option<String>,
    /// What the world is told of the nameservers, when that was asked, and of which addresses.
    delegation: Option<(report::Delegation, Instant, Outside)>,
    /// It is being asked.
    is_asking_around: bool,
    /// A status is on its way.
    is_writing: bool,
}

/// What is known of the answers of a nameserver.
#[derive(Debug)]
struct Asked {
    form: String,
    evidence: Evidence,
    counts: (usize, usize),
    soak: Option<Watched>,
}

/// A nameserver that is being watched.
#[derive(Debug)]
struct Watched {
    /// How often its containers had begun again before.
    restarts: i32,
    /// Its pods. With others it is begun anew: one that was moved away is not one that does not answer.
    pods: BTreeSet<String>,
    job: AbortHandle,
}

/// Hostnames with the addresses, or names, of their load balancers.
type Outside = Vec<(String, BTreeSet<String>)>;

/// What is known of the pods of a form.
struct Pods {
    names: BTreeSet<String>,
    restarts: i32,
    /// How one of their containers ended last.
    ended: Option<String>,
}

/// An object as it was after it was applied: while it stays so nobody has changed it.
#[derive(Clone, Debug, PartialEq)]
struct Stamp {
    value: serde_json::Value,
    version: String,
}

/// A job that ended.
enum Ended {
    Applied(steps::Applied),
    Others(Result<(), String>),
    Proven {
        whose: (String, Role),
        form: String,
        proven: Result<asking::Proven, String>,
    },
    Soaked {
        whose: (String, Role),
        form: String,
        result: Result<(), plan::Failure>,
    },
    AskedAround(report::Delegation, Outside),
    Reported(Result<Box<NameserverSetStatus>, String>),
    Deleted(Result<(), String>),
    /// Another step of a nameserver that leaves, or comes back.
    Left(Result<(), String>),
}

impl Controller {
    /// A controller that knows nothing yet. What sets there are is said to `told_sets`, and how they are to `told_rollouts`.
    pub fn new(
        client: Client,
        snapshots: Snapshots,
        told_sets: watch::Sender<Option<Arc<[SetTerms]>>>,
        told_rollouts: watch::Sender<Rollouts>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Controller {
            client,
            metrics,
            snapshots,
            told_sets,
            told_rollouts,
            sets: Shelf::default(),
            deployments: Shelf::default(),
            daemon_sets: Shelf::default(),
            pods: Shelf::default(),
            services: Shelf::default(),
            budgets: Shelf::default(),
            revisions: Shelf::default(),
            newest: Newest::default(),
            fence: Fence::open(),
            lost: BTreeMap::new(),
            states: BTreeMap::new(),
            jobs: JoinSet::new(),
            measured: BTreeSet::new(),
        }
    }

    /// Works until it is told to leave, or nothing more can be heard.
    pub async fn run(
        mut self,
        mut messages: mpsc::Receiver<Told<Kind>>,
        standing: Standing,
        leave: CancellationToken,
    ) {
        let mut tick = tokio::time::interval(TICK);
        self.fence = standing.fence.clone();
        loop {
            tokio::select! {
                told = messages.recv() => match told {
                    Some(told) => self.hear(told),
                    None => return,
                },
                Some(ended) = self.jobs.join_next() => self.ended(ended),
                _ = tick.tick() => {}
                () = leave.cancelled() => return,
            }
            while let Ok(told) = messages.try_recv() {
                self.hear(told);
            }
            if !self.is_whole() {
                continue;
            }
            self.tell_sets();
            self.tell_rollouts();
            if *standing.leads.borrow() && !standing.fence.is_closed() {
                self.look();
            }
        }
    }

    fn hear(&mut self, Told { kind, what }: Told<Kind>) {
        match &what {
            // Once for each reason: it is tried again every few seconds.
            What::Lost(trouble) if self.lost.get(&kind) != Some(&trouble.why) => {
                let why = &trouble.why;
                tracing::warn!(
                    "cannot follow {}: {why}; what nameservers run stays as it is",
                    kind.resource()
                );
                self.lost.insert(kind, why.clone());
            }
            What::Following => drop(self.lost.remove(&kind)),
            _ => {}
        }
        if self.is_past(kind, &what) {
            return;
        }
        match kind {
            Kind::Set => drop(self.sets.note(what)),
            Kind::Deployment => drop(self.deployments.note(what)),
            Kind::DaemonSet => drop(self.daemon_sets.note(what)),
            Kind::Pod => drop(self.pods.note(what)),
            Kind::Service => drop(self.services.note(what)),
            Kind::Budget => drop(self.budgets.note(what)),
            Kind::Revision => drop(self.revisions.note(what)),
        }
    }

    /// Whether something is told of an object as it was before what is known of it.
    fn is_past(&mut self, kind: Kind, what: &What) -> bool {
        let kind = match kind {
            Kind::Deployment => objects::Kind::Deployment,
            Kind::DaemonSet => objects::Kind::DaemonSet,
            Kind::Service => objects::Kind::Service,
            Kind::Budget => objects::Kind::PodDisruptionBudget,
            Kind::Set | Kind::Pod | Kind::Revision => return false,
        };
        match what {
            What::ListBegins => self.newest.forget(kind),
            What::Object(object) => return !self.newest.admits(kind, object),
            _ => {}
        }
        false
    }

    fn is_whole(&self) -> bool {
        self.sets.is_whole()
            && self.deployments.is_whole()
            && self.daemon_sets.is_whole()
            && self.pods.is_whole()
            && self.services.is_whole()
            && self.revisions.is_whole()
    }

    /// Looks at every set: what is next, and what its status is to be.
    fn look(&mut self) {
        let keys: Vec<Key> = self.sets.iter().map(|(key, _)| key.clone()).collect();
        self.states.retain(|key, _| keys.contains(key));
        self.measure_anew();
        for key in &keys {
            self.states.entry(key.clone()).or_default();
            self.look_at(key);
        }
    }

    /// Tells which sets are not rolled out, by their statuses, and where pods say how they are.
    fn tell_rollouts(&self) {
        let unfinished = self.sets.iter().filter_map(|(key, set)| {
            let why = report::unfinished(set, self.sets.status(key))?;
            let names = set.spec.nameservers.iter().map(|nameserver| nameserver.name.clone());
            Some((key.1.clone(), names.collect(), why))
        });
        let targets = self.pods.iter().filter_map(|(_, pod)| Target::of(pod));
        let rollouts = Rollouts {
            unfinished: unfinished.collect(),
            health: targets.map(|target| (target.dns, target.health)).collect(),
        };
        self.told_rollouts.send_if_modified(|before| {
            let is_other = *before != rollouts;
            *before = rollouts;
            is_other
        });
    }

    /// Tells what sets there are, in the order of their names, and which of their nameservers were found to answer rightly.
    fn tell_sets(&self) {
        let sets = self.sets.iter().map(|(key, set)| SetTerms {
            namespace: key.0.clone(),
            name: key.1.clone(),
            allowed: set.spec.allowed_zones.clone(),
            nameservers: self.hostnames_of(key, set),
        });
        let sets: Arc<[SetTerms]> = sets.collect();
        self.told_sets.send_if_modified(|before| {
            let is_other = before.as_ref() != Some(&sets);
            *before = Some(sets);
            is_other
        });
    }

    /// The hostnames of nameservers that are in the spec and were found to answer rightly, in order.
    fn hostnames_of(&self, key: &Key, set: &NameserverSet) -> Vec<Name> {
        let verified = set.spec.nameservers.iter().filter(|nameserver| {
            let workload = self.workload(key, &nameserver.name);
            workload.is_some_and(|workload| workload.verified.is_some())
        });
        verified.filter_map(|nameserver| name::parse_absolute(&nameserver.hostname).ok()).collect()
    }

    fn look_at(&mut self, key: &Key) {
        let Some(set) = self.sets.get(key).cloned() else { return };
        let (revision, pin_trouble) = self.revision_of(key, &set);
        let revision_name = revision.name();
        let forms: Vec<String> =
            set.spec.nameservers.iter().map(|nameserver| revision.of(&nameserver.name).name()).collect();
        self.forget_what_is_past(key);
        let wanted = self.wanted(&set, &revision_name);
        let members = self.members(key, &set, &forms);
        let state = self.states.get(key);
        let others = state.and_then(|state| state.others.clone());
        let others = others.filter(|(_, when)| when.elapsed() < AGREED).map(|(others, _)| others);
        let is_refused = state.is_some_and(|state| state.refused.as_ref() == Some(&wanted.attempt));
        let step = match plan::next(&wanted, &members, &others.unwrap_or_default(), Timestamp::now()) {
            Step::Create(_) | Step::AskOthers(_) | Step::Try(_) | Step::Change(_) if is_refused => {
                Step::Stalled
            }
            step => step,
        };
        let seen = report::Seen {
            set: &set,
            revision: &revision_name,
            attempt: &wanted.attempt,
            members: &members,
            counts: state
                // A trial comes after what it is tried for, and is what is asked at the time.
                .map(|state| {
                    state.asked.iter().map(|((name, _), asked)| (name.as_str(), asked.counts)).collect()
                })
                .unwrap_or_default(),
            services: self
                .services
                .iter()
                .map(|(_, service)| service.as_ref())
                .filter(|service| service.set == key.1)
                .collect(),
            leaving: self.leaving(key, &set),
            step: &step,
            failure: state.and_then(|state| state.failure.as_ref()),
            delegation: state.and_then(|state| Some(&state.delegation.as_ref()?.0)),
            trouble: pin_trouble.as_deref().or_else(|| state.and_then(|state| state.trouble.as_deref())),
            now: Timestamp::now(),
        };
        let status = report::status(&seen, self.sets.status(key));
        let is_free = state
            .is_some_and(|state| !state.is_busy && state.not_before.is_none_or(|at| at <= Instant::now()));
        self.ask_around(key, &set);
        self.measure(key, &status);
        self.report(key, &set, status);
        if is_free && set.metadata.deletion_timestamp.is_none() {
            let revision = Arc::new(revision);
            self.carry_out(key, &set, &revision, &wanted.attempt, step);
        }
    }

    /// Drops what is known of forms that are no longer run, and ends watching those whose containers begin again.
    fn forget_what_is_past(&mut self, key: &Key) {
        let forms: BTreeMap<(String, Role), String> = self
            .workloads(key)
            .map(|workload| ((workload.nameserver.clone(), workload.role), workload.form.clone()))
            .collect();
        let pods: BTreeMap<(String, Role), Pods> = forms
            .iter()
            .map(|(whose, form)| {
                let all = self.pods_of(key, &whose.0, whose.1).into_iter();
                let current = all.filter(|pod| pod.form == *form && !pod.is_leaving);
                let pods = Pods {
                    names: current.clone().map(|pod| pod.name.clone()).collect(),
                    restarts: current.clone().map(|pod| pod.restarts).sum(),
                    ended: current
                        .clone()
                        .find_map(|pod| Some(format!("pod {}: {}", pod.name, pod.ended.as_ref()?))),
                };
                (whose.clone(), pods)
            })
            .collect();
        let Some(state) = self.states.get_mut(key) else { return };
        state.asked.retain(|whose, asked| {
            let stays = forms.get(whose) == Some(&asked.form);
            if let (false, Some(watched)) = (stays, &asked.soak) {
                watched.job.abort();
            }
            stays
        });
        for (whose, asked) in &mut state.asked {
            let (Some(now), Some(watched)) = (pods.get(whose), &asked.soak) else { continue };
            let has_restarted = now.names == watched.pods && now.restarts > watched.restarts;
            if now.names == watched.pods && !has_restarted {
                continue;
            }
            watched.job.abort();
            asked.soak = None;
            if has_restarted {
                let how = now.ended.clone().unwrap_or_else(|| "a container ended and began again".to_owned());
                asked.evidence = Evidence::Failed(plan::Failure {
                    reason: port53_crds::Reason::CrashLoop,
                    message: format!("while it was watched, {how}"),
                });
            }
        }
    }

    /// Takes note of an object that was written here, before the watch tells of it.
    fn note(&mut self, kind: objects::Kind, object: DynamicObject) {
        if !self.newest.admits(kind, &object) {
            return;
        }
        let what = What::Object(Box::new(object));
        match kind {
            objects::Kind::Deployment => drop(self.deployments.note(what)),
            objects::Kind::DaemonSet => drop(self.daemon_sets.note(what)),
            objects::Kind::Service => drop(self.services.note(what)),
            objects::Kind::ControllerRevision => drop(self.revisions.note(what)),
            objects::Kind::PodDisruptionBudget => drop(self.budgets.note(what)),
        }
    }
}
