//! Watches: what people wrote everywhere, and what is published in the operator's own namespace.

use std::fmt;

use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ApiResource;
use kube::{Api, Client, Resource};
use port53_client::watch::{Follower, Part, Told};
use port53_crds::{DNSRecord, NameserverSet, Zone, ZoneHead, ZoneRevision, ZoneSlice};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::nameservers;

/// A kind that is watched.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Zone, everywhere.
    Zone,
    /// DNSRecord, everywhere.
    Record,
    /// Namespace.
    Namespace,
    /// ZoneHead, in the operator's namespace.
    Head,
    /// ZoneRevision, there.
    Revision,
    /// ZoneSlice, there: its name alone.
    Slice,
    /// EndpointSlice, there.
    Endpoints,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Zone => "zones",
            Kind::Record => "dnsrecords",
            Kind::Namespace => "namespaces",
            Kind::Head => "zoneheads",
            Kind::Revision => "zonerevisions",
            Kind::Slice => "zoneslices",
            Kind::Endpoints => "endpointslices",
        })
    }
}

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct Watches {
    /// The operator's namespace.
    pub namespace: String,
    /// Whether lists come as the beginning of the watch.
    pub streaming_list: bool,
    /// Whether EndpointSlices are watched.
    pub endpoints: bool,
}

/// Begins all watches. They end when nobody listens, or with the set.
pub fn start(client: &Client, watches: &Watches, messages: &Sender<Told<Kind>>) -> JoinSet<()> {
    let mut set = JoinSet::new();
    let own = Some(watches.namespace.as_str());
    let mut follow = |kind, resource: ApiResource, namespace: Option<&str>, part, page| {
        let api = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let streaming_list = watches.streaming_list;
        let follower = Follower { part, page, streaming_list, ..Follower::new(api, kind, messages.clone()) };
        set.spawn(follower.run());
    };
    // Pages are such that each is some hundreds of kilobytes.
    follow(Kind::Zone, resource::<Zone>(), None, Part::Whole, 500);
    follow(Kind::Record, resource::<DNSRecord>(), None, Part::Whole, 500);
    follow(Kind::Namespace, resource::<Namespace>(), None, Part::Metadata, 500);
    follow(Kind::Head, resource::<ZoneHead>(), own, Part::Whole, 100);
    follow(Kind::Revision, resource::<ZoneRevision>(), own, Part::Whole, 500);
    follow(Kind::Slice, resource::<ZoneSlice>(), own, Part::Metadata, 1000);
    if watches.endpoints {
        follow(Kind::Endpoints, resource::<EndpointSlice>(), own, Part::Whole, 500);
    }
    set
}

/// Begins the watches of what nameservers are made of. They end when nobody listens, or with the set.
pub fn start_nameservers(
    client: &Client,
    watches: &Watches,
    messages: &Sender<Told<nameservers::Kind>>,
) -> JoinSet<()> {
    use nameservers::Kind as Of;
    let mut set = JoinSet::new();
    for kind in Of::ALL {
        let resource = match kind {
            Of::Set => resource::<NameserverSet>(),
            Of::Deployment => resource::<Deployment>(),
            Of::DaemonSet => resource::<DaemonSet>(),
            Of::Pod => resource::<Pod>(),
            Of::Service => resource::<Service>(),
            Of::Budget => resource::<PodDisruptionBudget>(),
            Of::Revision => resource::<ControllerRevision>(),
        };
        let api = Api::namespaced_with(client.clone(), &watches.namespace, &resource);
        let streaming_list = watches.streaming_list;
        let follower = Follower { page: 100, streaming_list, ..Follower::new(api, kind, messages.clone()) };
        set.spawn(follower.run());
    }
    set
}

fn resource<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}
