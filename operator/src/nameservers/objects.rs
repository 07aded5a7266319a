//! The objects of a nameserver, as they are applied: a workload, a Service or two, a PodDisruptionBudget. Pure.
//!
//! They are applied whole, by server-side apply with a field manager of our own: what somebody else changes of these
//! fields is put right, what somebody else adds (the replicas that an autoscaler sets) stays.

use port53_crds::{CONTAINER, GROUP, NameserverSet, VERSION, WorkloadKind};
use serde_json::{Map, Value, json};

use super::revision::{Form, Revision};
use super::seen::{
    CHANGED, FAILED, FORM, HOSTNAME, LEAVING, REVISION, Role, SET, VERIFIED, VERIFIED_REVISION, Workload,
};
use super::services;
use crate::cluster::people::MANAGER;
use crate::index::Key;

/// What a nameserver's objects are called after, and where.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Namespace and name of the set.
    pub set: &'a Key,
    /// The uid of the set, which owns them.
    pub uid: &'a str,
    /// The name of the nameserver.
    pub nameserver: &'a str,
    /// What it is called in the world.
    pub hostname: &'a str,
    /// What they are there for.
    pub role: Role,
}

impl Place<'_> {
    /// The name of its objects.
    pub(super) fn name(&self) -> String {
        match self.role {
            Role::Serving => name(&self.set.1, self.nameserver),
            Role::Trial => trial_name(&self.set.1, self.nameserver),
        }
    }
}

/// An object that is to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What is applied.
    pub value: Value,
}

/// Kinds of objects that a set owns.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// apps/v1.
    Deployment,
    /// apps/v1.
    DaemonSet,
    /// v1.
    Service,
    /// policy/v1.
    PodDisruptionBudget,
    /// apps/v1.
    ControllerRevision,
}

impl Kind {
    /// Its API version.
    pub fn api_version(self) -> &'static str {
        match self {
            Kind::Deployment | Kind::DaemonSet | Kind::ControllerRevision => "apps/v1",
            Kind::Service => "v1",
            Kind::PodDisruptionBudget => "policy/v1",
        }
    }

    /// As it stands in `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Deployment => "Deployment",
            Kind::DaemonSet => "DaemonSet",
            Kind::Service => "Service",
            Kind::PodDisruptionBudget => "PodDisruptionBudget",
            Kind::ControllerRevision => "ControllerRevision",
        }
    }

    /// Of a workload.
    pub fn of(workload: WorkloadKind) -> Self {
        match workload {
            WorkloadKind::Deployment => Kind::Deployment,
            WorkloadKind::DaemonSet => Kind::DaemonSet,
        }
    }
}

/// What is written down of a workload beside its form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    /// The revision that the form is of.
    pub revision: String,
    /// The form that was found to answer rightly, and its revision.
    pub verified: Option<(String, String)>,
    /// The attempt that did not pass.
    pub failed: Option<String>,
    /// When the form was changed, in RFC 3339.
    pub changed: String,
    /// Since when the nameserver is no longer in the spec, in RFC 3339.
    pub leaving: Option<String>,
}

impl Marks {
    /// As they stand on a workload.
    pub fn of(workload: &Workload) -> Self {
        let verified = workload.verified.clone().zip(workload.verified_revision.clone());
        let time = |time: &Option<_>| time.as_ref().map(ToString::to_string);
        Marks {
            revision: workload.revision.clone(),
            verified,
            failed: workload.failed.clone(),
            changed: time(&workload.changed).unwrap_or_default(),
            leaving: time(&workload.leaving),
        }
    }
}

/// All objects of a nameserver but the workload that it is not made of; what is tried for it is one pod, and nothing leads
/// there.
pub fn all(place: &Place<'_>, set: &NameserverSet, form: &Form, marks: &Marks) -> Vec<Object> {
    match place.role {
        Role::Trial => vec![workload(place, Some(1), form, marks)],
        Role::Serving => {
            let mut objects = vec![workload(place, set.spec.replicas, form, marks)];
            objects.extend(services::services(place, form));
            objects.push(budget(place));
            objects
        }
    }
}

/// The name of a nameserver's objects.
pub fn name(set: &str, nameserver: &str) -> String {
    format!("{set}-{nameserver}")
}

/// The name of what is tried for it.
pub fn trial_name(set: &str, nameserver: &str) -> String {
    format!("{set}-{nameserver}-trial")
}

fn workload(place: &Place<'_>, replicas: Option<i32>, form: &Form, marks: &Marks) -> Object {
    let form_name = form.name();
    let mut annotations = Map::new();
    let mut mark = |name: &str, value: Option<&str>| {
        annotations.extend(value.map(|value| (name.to_owned(), json!(value))));
    };
    mark(REVISION, Some(&marks.revision));
    mark(CHANGED, Some(&marks.changed));
    mark(HOSTNAME, Some(place.hostname));
    mark(VERIFIED, marks.verified.as_ref().map(|(form, _)| form.as_str()));
    mark(VERIFIED_REVISION, marks.verified.as_ref().map(|(_, revision)| revision.as_str()));
    mark(FAILED, marks.failed.as_deref());
    mark(LEAVING, marks.leaving.as_deref());

    let selector = selector(place);
    let mut spec = json!({
        "selector": {"matchLabels": selector},
        "template": template(place, form, &form_name),
        "revisionHistoryLimit": 2,
    });
    match form.workload {
        WorkloadKind::Deployment => {
            if let Some(replicas) = replicas {
                spec["replicas"] = json!(replicas);
            }
            spec["strategy"] =
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
        }
        // Two pods of a node cannot have one port of it.
        WorkloadKind::DaemonSet => {
            spec["updateStrategy"] =
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}});
        }
    }
    let mut metadata = metadata(place, &place.name());
    metadata["labels"][FORM] = json!(form_name);
    metadata["annotations"] = Value::Object(annotations);
    object(Kind::of(form.workload), metadata, json!({"spec": spec}))
}

/// The pod template: that of the set, with what tells its pods apart, and spread over nodes and zones unless it says how
/// itself.
fn template(place: &Place<'_>, form: &Form, form_name: &str) -> Value {
    let mut template = form.template.clone();
    // What is no template at all the API server refuses, as it stands.
    let is_none = |part: &Value| !part.is_null() && !part.is_object();
    if !template.is_object() || is_none(&template["metadata"]) || is_none(&template["spec"]) {
        return template;
    }
    let labels = pod_labels(place);
    merge(&mut template["metadata"]["labels"], labels);
    merge(&mut template["metadata"]["labels"], json!({FORM: form_name}));
    let spec = &mut template["spec"];
    if !form.node_selector.is_empty() {
        merge(&mut spec["nodeSelector"], json!(form.node_selector));
    }
    if spec.get("topologySpreadConstraints").is_none() && form.workload == WorkloadKind::Deployment {
        spread(spec, &selector(place));
    }
    let containers = spec["containers"].as_array_mut().into_iter().flatten();
    for container in containers.filter(|container| container["name"] == CONTAINER) {
        let env = &mut container["env"];
        if !env.is_array() {
            *env = json!([]);
        }
        let ours = [
            json!({"name": NSID, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
            json!({"name": NAMESERVER, "value": place.nameserver}),
        ];
        if let Some(env) = env.as_array_mut() {
            let is_missing = |one: &Value| !env.iter().any(|other| other["name"] == one["name"]);
            let missing: Vec<Value> = ours.into_iter().filter(is_missing).collect();
            env.extend(missing);
        }
    }
    template
}

/// Spreads the pods of one revision over nodes, and over zones where nodes are in any.
///
/// Zones are a preference of affinity and not a second constraint: a node that lacks the label of one constraint is not
/// scored for the others either, so that where nodes have no zones, all pods could be on one node.
fn spread(spec: &mut Value, selector: &Value) {
    spec["topologySpreadConstraints"] = json!([{
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
        "matchLabelKeys": ["pod-template-hash"],
    }]);
    let affinity = &spec["affinity"];
    if affinity.is_null() || affinity.as_object().is_some_and(|all| !all.contains_key("podAntiAffinity")) {
        spec["affinity"]["podAntiAffinity"] = json!({"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 100,
            "podAffinityTerm": {
                "topologyKey": "topology.kubernetes.io/zone",
                "labelSelector": {"matchLabels": selector},
                "matchLabelKeys": ["pod-template-hash"],
            },
        }]});
    }
}

/// Which server it is, a pod says when it is asked (RFC 5001): its name.
const NSID: &str = "PORT53_NSID";
/// Which nameserver of its set a pod is of: while a zone moves here, each is cut over by its name.
const NAMESERVER: &str = "PORT53_NAMESERVER";

/// One pod at a time may be moved away, as for a node that is drained.
fn budget(place: &Place<'_>) -> Object {
    let metadata = metadata(place, &place.name());
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": selector(place)}});
    object(Kind::PodDisruptionBudget, metadata, json!({"spec": spec}))
}

/// A revision as it is kept.
pub fn kept(set: &Key, uid: &str, revision: &Revision, number: i64) -> Object {
    let place = Place { set, uid, nameserver: "", hostname: "", role: Role::Serving };
    let mut metadata = metadata(&place, &name(&set.1, &revision.name()));
    if let Some(labels) = metadata["labels"].as_object_mut() {
        labels.shift_remove(Role::Serving.label());
    }
    object(Kind::ControllerRevision, metadata, json!({"revision": number, "data": revision}))
}

pub(super) fn object(kind: Kind, metadata: Value, mut value: Value) -> Object {
    let name = metadata["name"].as_str().unwrap_or_default().to_owned();
    value["apiVersion"] = json!(kind.api_version());
    value["kind"] = json!(kind.as_str());
    value["metadata"] = metadata;
    Object { kind, name, value }
}

pub(super) fn metadata(place: &Place<'_>, name: &str) -> Value {
    let (namespace, set) = place.set;
    let mut labels = pod_labels(place);
    labels["app.kubernetes.io/managed-by"] = json!(MANAGER);
    json!({
        "name": name,
        "namespace": namespace,
        "labels": labels,
        "ownerReferences": [{
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "NameserverSet",
            "name": set,
            "uid": place.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }],
    })
}

/// What tells the pods of a nameserver from all others. It can never change.
pub(super) fn selector(place: &Place<'_>) -> Value {
    json!({SET: place.set.1, (place.role.label()): place.nameserver})
}

fn pod_labels(place: &Place<'_>) -> Value {
    json!({
        SET: place.set.1,
        (place.role.label()): place.nameserver,
        "app.kubernetes.io/name": "port53-resolver",
        "app.kubernetes.io/component": "nameserver",
        "app.kubernetes.io/part-of": "port53",
    })
}

/// Puts the fields of one object of JSON into another, above what is there.
fn merge(into: &mut Value, fields: Value) {
    if !into.is_object() {
        *into = json!({});
    }
    if let (Some(into), Value::Object(fields)) = (into.as_object_mut(), fields) {
        into.extend(fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(spec: Value) -> NameserverSet {
        serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1",
            "kind": "NameserverSet",
            "metadata": {"namespace": "port53", "name": "public", "uid": "u"},
            "spec": spec,
        }))
        .expect("a set")
    }

    fn objects(set: &NameserverSet) -> Vec<Object> {
        let key = ("port53".to_owned(), "public".to_owned());
        let revision = Revision::of_spec(&set.spec);
        let place = Place {
            set: &key,
            uid: "u",
            nameserver: "ns1",
            hostname: "ns1.example.net",
            role: Role::Serving,
        };
        let marks = Marks {
            revision: revision.name(),
            changed: "2026-01-01T00:00:00Z".to_owned(),
            ..Marks::default()
        };
        all(&place, set, &revision.of("ns1"), &marks)
    }

    fn template() -> Value {
        json!({
            "metadata": {"labels": {"team": "dns"}},
            "spec": {"containers": [{"name": "resolver", "image": "r"}, {"name": "other", "image": "o"}]},
        })
    }

    #[test]
    fn a_nameserver_is_a_deployment_a_service_and_a_budget() {
        let set = set(json!({
            "nameservers": [{"name": "ns1", "hostname": "ns1.example.net"}],
            "template": template(),
        }));
        let all = objects(&set);
        let kinds: Vec<(Kind, &str)> = all.iter().map(|object| (object.kind, object.name.as_str())).collect();
        assert_eq!(
            kinds,
            [
                (Kind::Deployment, "public-ns1"),
                (Kind::Service, "public-ns1"),
                (Kind::PodDisruptionBudget, "public-ns1"),
            ]
        );
        let deployment = &all[0].value;
        // Nobody says how many: an autoscaler may.
        assert!(deployment["spec"].get("replicas").is_none());
        assert_eq!(
            deployment["spec"]["strategy"]["rollingUpdate"],
            json!({"maxSurge": 1, "maxUnavailable": 0})
        );
        assert_eq!(deployment["metadata"]["ownerReferences"][0]["name"], "public");
        let pods = &deployment["spec"]["template"];
        assert_eq!(pods["metadata"]["labels"]["team"], "dns");
        assert_eq!(pods["metadata"]["labels"][FORM], deployment["metadata"]["labels"][FORM]);
        for (label, value) in deployment["spec"]["selector"]["matchLabels"].as_object().expect("labels") {
            assert_eq!(&pods["metadata"]["labels"][label], value);
        }
        assert_eq!(pods["spec"]["containers"][0]["env"][0]["name"], "PORT53_NSID");
        assert_eq!(
            pods["spec"]["containers"][0]["env"][1],
            json!({"name": "PORT53_NAMESERVER", "value": "ns1"})
        );
        assert!(pods["spec"]["containers"][1].get("env").is_none());
        let service = &all[1].value["spec"];
        assert_eq!(
            (&service["type"], &service["externalTrafficPolicy"]),
            (&json!("LoadBalancer"), &json!("Local"))
        );
        let ports: Vec<&Value> =
            service["ports"].as_array().expect("ports").iter().map(|port| &port["protocol"]).collect();
        assert_eq!(ports, ["UDP", "TCP"]);
    }

    #[test]
    fn what_the_template_says_itself_stays() {
        let mut template = template();
        template["spec"]["topologySpreadConstraints"] = json!([]);
        template["spec"]["nodeSelector"] = json!({"disk": "ssd"});
        template["spec"]["containers"][0]["env"] = json!([{"name": "PORT53_NSID", "value": "mine"}]);
        let set = set(json!({
            "nameservers": [{"name": "ns1", "hostname": "ns1.example.net", "nodeSelector": {"site": "ams"}}],
            "replicas": 3,
            "template": template,
            "service": {"type": "NodePort", "nodePort": 30053, "protocols": "Apart", "ipFamilyPolicy": "SingleStack"},
        }));
        let all = objects(&set);
        let deployment = &all[0].value["spec"];
        assert_eq!(deployment["replicas"], 3);
        let pods = &deployment["template"]["spec"];
        assert_eq!(pods["topologySpreadConstraints"], json!([]));
        assert_eq!(pods["nodeSelector"], json!({"disk": "ssd", "site": "ams"}));
        assert_eq!(
            pods["containers"][0]["env"],
            json!([
                {"name": "PORT53_NSID", "value": "mine"},
                {"name": "PORT53_NAMESERVER", "value": "ns1"},
            ])
        );
        let services: Vec<(&str, &Value)> =
            all[1..3].iter().map(|object| (object.name.as_str(), &object.value["spec"]["ports"])).collect();
        assert_eq!((services[0].0, services[1].0), ("public-ns1", "public-ns1-tcp"));
        assert_eq!(services[1].1[0]["protocol"], "TCP");
        assert_eq!(services[1].1[0]["nodePort"], 30053);
    }

    /// Of two constraints, the scheduler scores a node for neither when it lacks the label of one
    /// (`initPreScoreState` of its plugin PodTopologySpread): both pods of a nameserver were on one node.
    #[test]
    fn pods_are_spread_over_nodes_that_are_in_no_zone() {
        let of = |template: &Value| {
            let nameservers = json!([{"name": "ns1", "hostname": "ns1.example.net"}]);
            let all = objects(&set(json!({"nameservers": nameservers, "template": template})));
            all[0].value["spec"]["template"]["spec"].clone()
        };
        let pods = of(&template());
        let constraints = pods["topologySpreadConstraints"].as_array().expect("constraints");
        let keys: Vec<&Value> = constraints.iter().map(|one| &one["topologyKey"]).collect();
        assert_eq!(keys, ["kubernetes.io/hostname"]);
        let preferred =
            &pods["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
        assert_eq!(preferred[0]["podAffinityTerm"]["topologyKey"], "topology.kubernetes.io/zone");

        let mut says_itself = template();
        says_itself["spec"]["affinity"] = json!({"podAntiAffinity": {}, "nodeAffinity": {"of": "its own"}});
        assert_eq!(of(&says_itself)["affinity"], says_itself["spec"]["affinity"]);
    }

    /// The schema takes any template, so that what newer versions of Kubernetes know can be in it.
    #[test]
    fn what_is_no_template_is_left_to_the_api_server() {
        for (field, value) in [
            ("spec", json!({"affinity": ["of", "nobody"]})),
            ("spec", json!({"affinity": 1, "containers": "none"})),
            ("spec", json!("none")),
            ("metadata", json!(["none"])),
            ("metadata", json!({"labels": 1})),
        ] {
            let mut template = template();
            template[field] = value.clone();
            let nameservers = json!([{"name": "ns1", "hostname": "ns1.example.net"}]);
            let all = objects(&set(json!({"nameservers": nameservers, "template": template})));
            assert_eq!(all[0].kind, Kind::Deployment, "{value}");
        }
    }

    #[test]
    fn transports_that_are_on_are_offered() {
        let mut template = template();
        template["spec"]["containers"][0]["ports"] = json!([
            {"name": "dns", "containerPort": 5353, "protocol": "UDP"},
            {"name": "dns-tls", "containerPort": 8853, "protocol": "TCP"},
            {"name": "dns-quic", "containerPort": 8853, "protocol": "UDP"},
        ]);
        let of = |service: Value| {
            let nameservers = json!([{"name": "ns1", "hostname": "ns1.example.net"}]);
            let all = objects(&set(json!({
                "nameservers": nameservers, "template": template, "service": service,
            })));
            let services = all.into_iter().filter(|object| object.kind == Kind::Service);
            let ports = |object: Object| -> Vec<String> {
                let ports = object.value["spec"]["ports"].as_array().cloned().unwrap_or_default();
                ports
                    .iter()
                    .map(|port| format!("{}/{}", port["port"], port["protocol"].as_str().unwrap_or_default()))
                    .collect()
            };
            services.map(ports).collect::<Vec<_>>()
        };
        assert_eq!(of(json!({})), [vec!["53/UDP", "53/TCP", "853/TCP", "853/UDP"]]);
        assert_eq!(of(json!({"protocols": "Apart"})), [vec!["53/UDP", "853/UDP"], vec!["53/TCP", "853/TCP"]]);
    }

    #[test]
    fn a_daemon_set_has_a_pod_on_each_node_and_no_replicas() {
        let set = set(json!({
            "nameservers": [{"name": "ns1", "hostname": "ns1.example.net"}],
            "workload": "DaemonSet",
            "template": template(),
        }));
        let all = objects(&set);
        assert_eq!(all[0].kind, Kind::DaemonSet);
        assert!(all[0].value["spec"].get("replicas").is_none());
        assert!(all[0].value["spec"]["template"]["spec"].get("topologySpreadConstraints").is_none());
    }
}
