//! NameserverSet: the nameservers that answer for zones, each a Deployment and a Service of its own, and how a change
//! of their software or settings is rolled out over them, one after the other.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::selector::NamespaceSelector;
use crate::{bounds, conditions, template};

/// An ordered list of nameservers. Each is a workload and a Service of its own; a change goes to one after the other,
/// and to the next only when the one before answers rightly.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "port53.dev",
    version = "v1alpha1",
    kind = "NameserverSet",
    plural = "nameserversets",
    namespaced,
    status = "NameserverSetStatus",
    derive = "PartialEq",
    shortname = "nsset",
    category = "port53",
    doc = "An ordered list of nameservers. Each is a workload and a Service of its own; a change goes to one after the other, and to the next only when the one before answers rightly.",
    printcolumn(name = "Updated", type_ = "string", json_path = ".status.updated"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Stalled",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Stalled")].status"#
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = "1",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    )
)]
#[x_kube(
    validation = Rule::new("self.workload != 'DaemonSet' || !has(self.replicas)")
        .message("a DaemonSet has a pod on each node that its nodeSelector takes: leave replicas out")
        .field_path(".replicas"),
    validation = Rule::new("self.workload == oldSelf.workload")
        .message("workload is immutable, as clients would reach pods that nobody has asked: create another NameserverSet with the other workload, and delete this one when its nameservers are in the zones")
        .field_path(".workload")
)]
#[serde(rename_all = "camelCase")]
pub struct NameserverSetSpec {
    /// The nameservers, in the order in which a change reaches them. From 1 to 13.
    #[schemars(schema_with = "bounds::nameserver_list")]
    pub nameservers: Vec<Nameserver>,
    /// Whose zones the set takes. Those of its own namespace when left out. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub allowed_zones: Vec<ZoneGrant>,
    /// What each nameserver is made of. Immutable.
    #[serde(default)]
    pub workload: WorkloadKind,
    /// Pods of each nameserver. Left out, nobody says: an autoscaler does, or it is 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::replicas")]
    pub replicas: Option<i32>,
    /// The pods: a pod template of Kubernetes whose container `resolver` is port53-resolver. Labels, the name of the set
    /// and the order of spreading are added; all else is as it stands here.
    #[schemars(schema_with = "template::schema")]
    pub template: serde_json::Value,
    /// The Service of each nameserver.
    #[serde(default)]
    pub service: ServiceTemplate,
    /// How a change is rolled out.
    #[serde(default)]
    pub rollout: Rollout,
}

/// One nameserver of a set.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Nameserver {
    /// A short name, such as ns1. Its workload and Service are named after the set and it.
    #[schemars(schema_with = "bounds::nameserver_name")]
    pub name: String,
    /// What it is called in the world, absolute, with or without the last dot: the NS of zones.
    #[schemars(schema_with = "bounds::hostname")]
    pub hostname: String,
    /// Labels of the nodes that its pods may run on, beside those of the template: the sites of an anycast address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "bounds::label_map")]
    pub node_selector: BTreeMap<String, String>,
    /// What its Service has that the others do not: an address of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceTemplate>,
}

/// What a nameserver is made of.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum WorkloadKind {
    /// A Deployment: so many pods, wherever there is room.
    #[default]
    Deployment,
    /// A DaemonSet: a pod on each node of its nodeSelector, for host networks and anycast.
    DaemonSet,
}

/// The Service of a nameserver. What is left out is as Kubernetes has it.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceTemplate {
    /// ClusterIP, NodePort or LoadBalancer. LoadBalancer when left out.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ServiceKind>,
    /// Annotations: what a cloud's load balancer is told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "bounds::annotations")]
    pub annotations: BTreeMap<String, String>,
    /// The address that the cloud's load balancer is asked for.
    #[serde(rename = "loadBalancerIP", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::address")]
    pub load_balancer_ip: Option<String>,
    /// The addresses of the Service inside of the cluster, one of each family. Given once.
    #[serde(rename = "clusterIPs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::two_addresses")]
    pub cluster_ips: Vec<String>,
    /// Which load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub load_balancer_class: Option<String>,
    /// Cluster or Local. Local, which keeps the addresses of clients, where there are addresses from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<TrafficPolicy>,
    /// SingleStack, PreferDualStack or RequireDualStack. PreferDualStack when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_family_policy: Option<FamilyPolicy>,
    /// Whether one Service has UDP and TCP, or, for load balancers that cannot, each has one of its own, the second
    /// with -tcp after its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocols: Option<Protocols>,
    /// The port of every node that leads to the nameserver. Kubernetes chooses one when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::port")]
    pub node_port: Option<i32>,
}

/// Where a Service is reached from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ServiceKind {
    /// From inside of the cluster.
    ClusterIP,
    /// From a port of each node.
    NodePort,
    /// From an address that a load balancer has.
    LoadBalancer,
}

/// Which pods get what comes from outside.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum TrafficPolicy {
    /// Those of all nodes.
    Cluster,
    /// Those of the node that it comes to, with the address of the client.
    Local,
}

/// Which families of addresses a Service has.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum FamilyPolicy {
    /// One.
    SingleStack,
    /// Both where the cluster has both.
    PreferDualStack,
    /// Both.
    RequireDualStack,
}

/// How UDP and TCP are offered.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Protocols {
    /// By one Service.
    Together,
    /// By a Service each.
    Apart,
}

/// Whose zones a set takes: those of namespaces, below domains.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ZoneGrant {
    /// The namespaces of the Zones. Every one when left out.
    #[serde(default)]
    pub namespaces: NamespaceSelector,
    /// Their domains: example.com is that alone, "*.example.com" all below it, "*" every one. Every one when left out.
    /// At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::granted_domains")]
    pub domains: Vec<String>,
}

/// How a change is rolled out over the nameservers.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollout {
    /// How long a nameserver is watched, after its answers were found right, before the next is changed.
    #[schemars(schema_with = "bounds::duration")]
    pub soak: String,
    /// How many questions each of its pods is asked. From 1 to 100,000.
    #[schemars(schema_with = "bounds::sample")]
    pub sample: u32,
    /// How many of them may be answered in another way than they should be.
    #[schemars(schema_with = "bounds::mismatches")]
    pub max_mismatches: u32,
    /// How long it may take until the pods of a nameserver run.
    #[schemars(schema_with = "bounds::duration")]
    pub deadline: String,
    /// What becomes of a nameserver that does not pass.
    pub on_failure: OnFailure,
    /// How many of the other nameservers may be unavailable when one is changed.
    #[schemars(schema_with = "bounds::unavailable")]
    pub max_unavailable_nameservers: u32,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            soak: "30s".to_owned(),
            sample: 500,
            max_mismatches: 0,
            deadline: "10m".to_owned(),
            on_failure: OnFailure::Rollback,
            max_unavailable_nameservers: 0,
        }
    }
}

/// What becomes of a nameserver that does not pass. The others are not touched in either case.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OnFailure {
    /// It is put back to what it ran before.
    #[default]
    Rollback,
    /// It stays as it is, for a person to look at.
    Pause,
}

/// What was seen of the set.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameserverSetStatus {
    /// The generation of the spec that this status is about; -1 before anyone looked.
    #[serde(default = "crate::not_observed")]
    pub observed_generation: i64,
    /// The revision that the nameservers run or are to run: a hash of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub revision: Option<String>,
    /// How many nameservers run it and were found to answer rightly, of how many: 2/3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub updated: Option<String>,
    /// Each nameserver, in order. At most 26: also those that leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 26))]
    pub nameservers: Vec<NameserverStatus>,
    /// Why the last rollout did not pass. Gone with the next change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<RolloutFailure>,
    /// Ready, Reconciling, Stalled and Delegated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for NameserverSetStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::NOT_OBSERVED,
            revision: None,
            updated: None,
            nameservers: Vec::new(),
            failure: None,
            conditions: Vec::new(),
        }
    }
}

/// What was seen of a nameserver.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameserverStatus {
    /// Its name in the set.
    #[schemars(length(max = 63))]
    pub name: String,
    /// The revision that its workload has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub revision: Option<String>,
    /// The revision that it was found to answer rightly with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub verified_revision: Option<String>,
    /// How far it is.
    pub phase: NameserverPhase,
    /// Pods that are ready, of how many there are to be: 2/2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub ready: Option<String>,
    /// Questions that were answered rightly when it was asked last, of how many: 1000/1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub verified: Option<String>,
    /// Addresses at which it is reached. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::addresses")]
    pub addresses: Vec<String>,
    /// What it waits for, or what is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// How far a nameserver is in a rollout.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum NameserverPhase {
    /// It runs an older revision, and waits for its turn.
    Outdated,
    /// What it is to run is tried by a pod that no client reaches.
    Trying,
    /// Its pods are being replaced.
    Updating,
    /// Its pods run and are asked.
    Verifying,
    /// It answers rightly, and is watched.
    Soaking,
    /// It runs the revision and was found to answer rightly.
    Updated,
    /// It did not pass, and is put back to what it ran before.
    PuttingBack,
    /// It did not pass.
    Failed,
    /// It is no longer in the spec, and goes once no zone names it.
    Leaving,
}

impl NameserverPhase {
    /// All of them, in the order of a rollout.
    pub const ALL: [Self; 9] = [
        Self::Outdated,
        Self::Trying,
        Self::Updating,
        Self::Verifying,
        Self::Soaking,
        Self::Updated,
        Self::PuttingBack,
        Self::Failed,
        Self::Leaving,
    ];

    /// As it stands in a status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outdated => "Outdated",
            Self::Trying => "Trying",
            Self::Updating => "Updating",
            Self::Verifying => "Verifying",
            Self::Soaking => "Soaking",
            Self::Updated => "Updated",
            Self::PuttingBack => "PuttingBack",
            Self::Failed => "Failed",
            Self::Leaving => "Leaving",
        }
    }
}

/// Why a rollout did not pass.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutFailure {
    /// The revision that did not pass.
    #[schemars(length(max = 63))]
    pub revision: String,
    /// The nameserver that it was tried on.
    #[schemars(length(max = 63))]
    pub nameserver: String,
    /// Why, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why, for a person: the question and both answers where it is about an answer.
    #[schemars(length(max = 4096))]
    pub message: String,
}
