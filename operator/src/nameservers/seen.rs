//! What was seen of the nameservers of a set: workloads, pods, revisions that are kept. Read from the objects of
//! Kubernetes, with nothing concluded.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod as PodObject, Service as ServiceObject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use kube::api::DynamicObject;
use port53_crds::{NameserverSet, NameserverSetStatus, WorkloadKind};

use super::revision::Revision;
use crate::index::{Kept, parse};

/// The label that says the set of an object.
pub const SET: &str = "port53.dev/nameserver-set";
/// The label that says the nameserver.
pub const NAMESERVER: &str = "port53.dev/nameserver";
/// The label that says the nameserver of what is tried for it, instead of [`NAMESERVER`]: no Service leads there.
pub const TRIAL: &str = "port53.dev/trial-of";
/// The label of a pod, and of its workload, that says which form it runs.
pub const FORM: &str = "port53.dev/form";
/// On a workload: the revision that its form was taken from.
pub const REVISION: &str = "port53.dev/revision";
/// On a workload: the form that it was found to answer rightly with, and the revision of that.
pub const VERIFIED: &str = "port53.dev/verified-form";
/// See [`VERIFIED`].
pub const VERIFIED_REVISION: &str = "port53.dev/verified-revision";
/// On a workload: the attempt (see [`super::plan`]) that did not pass on it.
pub const FAILED: &str = "port53.dev/failed";
/// On a workload: when its form was changed, in RFC 3339.
pub const CHANGED: &str = "port53.dev/changed";
/// On a workload: what its nameserver is called in the world.
pub const HOSTNAME: &str = "port53.dev/hostname";
/// On a workload whose nameserver is no longer in the spec: when a zone was last seen to name it, in RFC 3339.
pub const LEAVING: &str = "port53.dev/leaving-since";
/// On the same: the longest TTL of NS that were seen to name it, in seconds.
pub const LEAVING_TTL: &str = "port53.dev/leaving-ttl";

/// A kind that is watched for the sets, all of it in the operator's namespace.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// NameserverSet.
    Set,
    /// Deployment.
    Deployment,
    /// DaemonSet.
    DaemonSet,
    /// Pod.
    Pod,
    /// Service.
    Service,
    /// PodDisruptionBudget.
    Budget,
    /// ControllerRevision.
    Revision,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] = [
        Kind::Set,
        Kind::Deployment,
        Kind::DaemonSet,
        Kind::Pod,
        Kind::Service,
        Kind::Budget,
        Kind::Revision,
    ];

    /// As roles name it.
    pub fn resource(self) -> &'static str {
        match self {
            Kind::Set => "nameserversets",
            Kind::Deployment => "deployments",
            Kind::DaemonSet => "daemonsets",
            Kind::Pod => "pods",
            Kind::Service => "services",
            Kind::Budget => "poddisruptionbudgets",
            Kind::Revision => "controllerrevisions",
        }
    }
}

/// What a workload and its pods are there for.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Clients reach them.
    #[default]
    Serving,
    /// They show how a change answers, before it is made.
    Trial,
}

impl Role {
    /// The label whose value is the nameserver.
    pub fn label(self) -> &'static str {
        match self {
            Role::Serving => NAMESERVER,
            Role::Trial => TRIAL,
        }
    }

    /// Role and nameserver of an object.
    fn of(metadata: &ObjectMeta) -> (Self, String) {
        match label(metadata, TRIAL) {
            none if none.is_empty() => (Role::Serving, label(metadata, NAMESERVER)),
            nameserver => (Role::Trial, nameserver),
        }
    }
}

/// The workload of a nameserver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// The set.
    pub set: String,
    /// The nameserver.
    pub nameserver: String,
    /// What it is there for.
    pub role: Role,
    /// What it is made of.
    pub kind: WorkloadKind,
    /// See the constants of the same names.
    pub form: String,
    /// See [`REVISION`].
    pub revision: String,
    /// See [`VERIFIED`].
    pub verified: Option<String>,
    /// See [`VERIFIED_REVISION`].
    pub verified_revision: Option<String>,
    /// See [`FAILED`].
    pub failed: Option<String>,
    /// See [`CHANGED`].
    pub changed: Option<Timestamp>,
    /// See [`HOSTNAME`].
    pub hostname: String,
    /// See [`LEAVING`].
    pub leaving: Option<Timestamp>,
    /// See [`LEAVING_TTL`].
    pub leaving_ttl: Option<u32>,
    /// Pods that there are to be.
    pub wanted: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// What is missing until all pods run the form and are available; nothing when nothing is.
    pub missing: Option<String>,
    /// Changes with each change of its spec by anyone, see [`spec_version`].
    pub version: String,
}

/// A pod of a nameserver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// The set.
    pub set: String,
    /// The nameserver.
    pub nameserver: String,
    /// What it is there for.
    pub role: Role,
    /// The form that it runs.
    pub form: String,
    /// Where it is reached.
    pub address: Option<IpAddr>,
    /// Ports by their names.
    pub ports: BTreeMap<String, u16>,
    /// Whether it is ready.
    pub is_ready: bool,
    /// Whether it is on its way out.
    pub is_leaving: bool,
    /// How often its containers began again.
    pub restarts: i32,
    /// How one of them ended last.
    pub ended: Option<String>,
    /// What keeps it from running, as Kubernetes says it.
    pub trouble: Option<Trouble>,
}

/// What keeps a pod from running.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// Its image cannot be had.
    Image(String),
    /// It cannot be started, or ends again and again.
    Crash(String),
    /// No node takes it.
    Unscheduled(String),
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// The set.
    pub set: String,
    /// The nameserver.
    pub nameserver: String,
    /// Addresses at which it is reached: those of its load balancer, else those inside of the cluster.
    pub addresses: Vec<String>,
    /// Whether these are reached from outside.
    pub is_outside: bool,
    /// Whether it is to have a load balancer.
    pub is_balanced: bool,
    /// Changes with every change of it by anyone.
    pub version: String,
}

/// A PodDisruptionBudget.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budget {
    /// See [`spec_version`].
    pub version: String,
}

/// A revision that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRevision {
    /// The set.
    pub set: String,
    /// What it says.
    pub revision: Revision,
    /// Higher than those before it.
    pub number: i64,
}

impl Kept for NameserverSet {
    type Status = NameserverSetStatus;

    fn read(object: DynamicObject) -> Result<(Self, Option<NameserverSetStatus>), String> {
        let mut set: NameserverSet = parse(object)?;
        let status = set.status.take();
        // A status that is written makes no object new.
        set.metadata.managed_fields = None;
        set.metadata.resource_version = None;
        Ok((set, status))
    }

    fn uid(&self) -> Option<&str> {
        self.metadata.uid.as_deref()
    }
}

impl Kept for Workload {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        let is_daemon_set = object.types.as_ref().is_some_and(|types| types.kind == "DaemonSet");
        let workload = match is_daemon_set {
            true => of_daemon_set(&parse(object)?),
            false => of_deployment(&parse(object)?),
        };
        Ok((workload, None))
    }
}

fn of_deployment(deployment: &Deployment) -> Workload {
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let generation = deployment.metadata.generation.unwrap_or_default();
    let count = |number: Option<i32>| number.unwrap_or_default();
    let stuck = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.status == "True" && condition.type_ == "ReplicaFailure");
    let missing = if status.observed_generation.unwrap_or_default() < generation {
        Some("Kubernetes has not looked at its Deployment yet".to_owned())
    } else if let Some(why) = stuck.and_then(|condition| condition.message.clone()) {
        Some(why)
    } else if count(status.updated_replicas) < wanted {
        Some(format!("{} of {wanted} pods are replaced", count(status.updated_replicas)))
    } else if count(status.replicas) > count(status.updated_replicas) {
        let old = count(status.replicas) - count(status.updated_replicas);
        Some(format!("{old} of the pods before are still there"))
    } else if count(status.available_replicas) < wanted {
        Some(format!("{} of {wanted} pods are available", count(status.available_replicas)))
    } else {
        None
    };
    Workload {
        wanted,
        ready: count(status.ready_replicas),
        missing,
        ..of_metadata(&deployment.metadata, WorkloadKind::Deployment)
    }
}

fn of_daemon_set(daemon_set: &DaemonSet) -> Workload {
    let status = daemon_set.status.clone().unwrap_or_default();
    let wanted = status.desired_number_scheduled;
    let generation = daemon_set.metadata.generation.unwrap_or_default();
    let (updated, available) =
        (status.updated_number_scheduled.unwrap_or_default(), status.number_available.unwrap_or_default());
    let missing = if status.observed_generation.unwrap_or_default() < generation {
        Some("Kubernetes has not looked at its DaemonSet yet".to_owned())
    } else if wanted == 0 {
        Some("no node has the labels of its nodeSelector".to_owned())
    } else if updated < wanted {
        Some(format!("{updated} of {wanted} pods are replaced"))
    } else if available < wanted {
        Some(format!("{available} of {wanted} pods are available"))
    } else {
        None
    };
    Workload {
        wanted,
        ready: status.number_ready,
        missing,
        ..of_metadata(&daemon_set.metadata, WorkloadKind::DaemonSet)
    }
}

fn of_metadata(metadata: &ObjectMeta, kind: WorkloadKind) -> Workload {
    let annotation = |name: &str| metadata.annotations.as_ref()?.get(name).cloned();
    let time = |name: &str| annotation(name)?.parse().ok();
    let (role, nameserver) = Role::of(metadata);
    Workload {
        set: label(metadata, SET),
        nameserver,
        role,
        kind,
        form: label(metadata, FORM),
        revision: annotation(REVISION).unwrap_or_default(),
        verified: annotation(VERIFIED),
        verified_revision: annotation(VERIFIED_REVISION),
        failed: annotation(FAILED),
        changed: time(CHANGED),
        hostname: annotation(HOSTNAME).unwrap_or_default(),
        leaving: time(LEAVING),
        leaving_ttl: annotation(LEAVING_TTL).and_then(|text| text.parse().ok()),
        version: spec_version(metadata),
        ..Workload::default()
    }
}

impl Kept for Pod {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        let pod: PodObject = parse(object)?;
        let status = pod.status.unwrap_or_default();
        let containers: Vec<ContainerStatus> =
            status.init_container_statuses.into_iter().chain(status.container_statuses).flatten().collect();
        let is = |type_: &str, value: &str| {
            let mut conditions = status.conditions.iter().flatten();
            conditions.any(|condition| condition.type_ == type_ && condition.status == value)
        };
        let unscheduled = status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
        let unscheduled =
            unscheduled.map(|condition| Trouble::Unscheduled(condition.message.clone().unwrap_or_default()));
        let spec = pod.spec.unwrap_or_default();
        let ports = spec.containers.iter().flat_map(|container| container.ports.iter().flatten());
        let ports =
            ports.filter_map(|port| Some((port.name.clone()?, u16::try_from(port.container_port).ok()?)));
        let (role, nameserver) = Role::of(&pod.metadata);
        let seen = Pod {
            name: pod.metadata.name.clone().unwrap_or_default(),
            set: label(&pod.metadata, SET),
            nameserver,
            role,
            form: label(&pod.metadata, FORM),
            address: status.pod_ip.as_deref().and_then(|address| address.parse().ok()),
            ports: ports.collect(),
            is_ready: is("Ready", "True"),
            is_leaving: pod.metadata.deletion_timestamp.is_some(),
            restarts: containers.iter().map(|container| container.restart_count).sum(),
            ended: containers.iter().find_map(ended),
            trouble: containers.iter().find_map(trouble).or(unscheduled),
        };
        Ok((seen, None))
    }
}

/// What keeps a container from running.
fn trouble(container: &ContainerStatus) -> Option<Trouble> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let said = waiting.message.as_deref().unwrap_or_default();
    match reason {
        // The first attempt may fail for a moment; with the second Kubernetes begins to wait.
        "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => {
            Some(Trouble::Image(format!("{reason}: {said}")))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            Some(Trouble::Crash(format!("{reason}: {said}")))
        }
        "CrashLoopBackOff" => {
            let how = ended(container).map(|how| format!(": it {how}")).unwrap_or_default();
            Some(Trouble::Crash(format!("{reason}{how}")))
        }
        _ => None,
    }
}

/// How a container ended last.
fn ended(container: &ContainerStatus) -> Option<String> {
    let ended = container.last_state.as_ref()?.terminated.as_ref()?;
    let last = ended.message.as_deref().unwrap_or_default().trim();
    let said = if last.is_empty() { String::new() } else { format!(", saying: {last}") };
    let reason = ended.reason.as_deref().unwrap_or("Error");
    Some(format!("ended with {} ({reason}){said}", ended.exit_code))
}

impl Kept for Service {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        let service: ServiceObject = parse(object)?;
        let balancer = service.status.and_then(|status| status.load_balancer?.ingress).unwrap_or_default();
        let mut addresses: Vec<String> =
            balancer.into_iter().filter_map(|ingress| ingress.ip.or(ingress.hostname)).collect();
        let is_outside = !addresses.is_empty();
        let is_balanced =
            service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("LoadBalancer");
        if !is_outside {
            let inside = service.spec.and_then(|spec| spec.cluster_ips).unwrap_or_default();
            addresses = inside.into_iter().filter(|address| address != "None").collect();
        }
        let seen = Service {
            set: label(&service.metadata, SET),
            nameserver: label(&service.metadata, NAMESERVER),
            addresses,
            is_outside,
            is_balanced,
            version: service.metadata.resource_version.clone().unwrap_or_default(),
        };
        Ok((seen, None))
    }
}

impl Kept for Budget {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        Ok((Budget { version: spec_version(&object.metadata) }, None))
    }
}

impl Kept for KeptRevision {
    type Status = ();

    fn read(object: DynamicObject) -> Result<(Self, Option<()>), String> {
        let kept: ControllerRevision = parse(object)?;
        let data = kept.data.ok_or("data: missing")?;
        let revision: Revision = serde_json::from_value(data.0).map_err(|error| format!("data: {error}"))?;
        Ok((KeptRevision { set: label(&kept.metadata, SET), revision, number: kept.revision }, None))
    }
}

/// What changes with each change of a spec by anyone, and with an object that is made anew.
pub(super) fn spec_version(metadata: &ObjectMeta) -> String {
    let uid = metadata.uid.as_deref().unwrap_or_default();
    format!("{uid}/{}", metadata.generation.unwrap_or_default())
}

fn label(metadata: &ObjectMeta, name: &str) -> String {
    metadata.labels.as_ref().and_then(|labels| labels.get(name)).cloned().unwrap_or_default()
}
