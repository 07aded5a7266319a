//! A follower, and an API server whose past is not what was seen: restored, compacted, without streaming lists.
//!
//! It follows ConfigMaps of a namespace. Who listens can stop to, and then the follower waits where it stands.

use crate::resolver::settings;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ApiResource, Patch, PatchParams};
use kube::core::DynamicObject;
use port53_client::watch::{Follower, Told, What};
use port53_tests::cluster::{self, Cluster};
use port53_tests::resolver::Resolver;
use port53_tests::{PATIENCE, eventually};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

/// What a follower told, by the names of the objects.
struct Heard {
    messages: Receiver<Told<()>>,
    known: BTreeMap<String, String>,
    listing: Option<BTreeMap<String, String>>,
    lists: usize,
}

impl Heard {
    /// Begins to follow, after a version if there is one. One message waits at most.
    fn of(cluster: &Cluster, namespace: &str, after: Option<&str>) -> Self {
        let (sender, messages) = channel(1);
        let resource = ApiResource::erase::<ConfigMap>(&());
        let api = Api::namespaced_with(cluster.client(), namespace, &resource);
        let follower = Follower { page: 1, ..Follower::new(api, (), sender) };
        let after = after.map(str::to_owned);
        cluster.block_on(async || {
            tokio::spawn(async move {
                match after {
                    Some(version) => follower.run_after(version).await,
                    None => follower.run().await,
                }
            });
        });
        Heard { messages, known: BTreeMap::new(), listing: None, lists: 0 }
    }

    /// Hears one message.
    fn next(&mut self, cluster: &Cluster) -> What {
        let told = cluster.block_on(async || timeout(PATIENCE, self.messages.recv()).await);
        let what = told.unwrap_or_else(|_| panic!("nothing more; known is {:?}", self.known));
        let what = what.expect("it goes on").what;
        let value = |object: &DynamicObject| object.data["data"]["is"].as_str().unwrap_or("").to_owned();
        match &what {
            What::ListBegins => (self.listing, self.lists) = (Some(BTreeMap::new()), self.lists + 1),
            What::Object(object) => {
                let known = self.listing.as_mut().unwrap_or(&mut self.known);
                known.insert(object.name_any(), value(object));
            }
            What::Deleted(object) => drop(self.known.remove(&object.name_any())),
            What::Listed => self.known = self.listing.take().expect("a list began"),
            What::Following | What::Lost(_) => {}
        }
        what
    }

    fn until_following(&mut self, cluster: &Cluster) {
        while !matches!(self.next(cluster), What::Following) {}
    }

    #[track_caller]
    fn comes_to_know(&mut self, cluster: &Cluster, expected: &[(&str, &str)]) {
        let expected: BTreeMap<String, String> =
            expected.iter().map(|(name, is)| ((*name).to_owned(), (*is).to_owned())).collect();
        while self.listing.is_some() || self.known != expected {
            self.next(cluster);
        }
    }

    /// Waits until the follower has something to say and is not heard.
    fn has_something_to_say(&self) {
        eventually("something to say", || (!self.messages.is_empty()).then_some(()).ok_or("no".to_owned()));
    }
}

/// Writes a ConfigMap. Returns its version.
fn write(cluster: &Cluster, namespace: &str, name: &str, is: &str) -> String {
    let api: Api<ConfigMap> = Api::namespaced(cluster.client(), namespace);
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"is": is}});
    let params = PatchParams::apply("port53-tests").force();
    let written = cluster.block_on(async || api.patch(name, &params, &Patch::Apply(map)).await);
    written.expect("it is written").resource_version().expect("a version")
}

/// The API server that comes back has etcd as it was before, and its versions are past those that were seen by the
/// time that the follower looks.
#[test]
fn a_restore_is_noticed_however_far_versions_have_come() {
    let mut cluster = Cluster::start(cluster::Settings::default());
    let namespace = cluster.create_namespace("restored");
    write(&cluster, &namespace, "one", "old");
    write(&cluster, &namespace, "two", "old");
    let mut heard = Heard::of(&cluster, &namespace, None);
    heard.until_following(&cluster);
    let backup = cluster.backup();
    heard.until_following(&cluster);
    heard.comes_to_know(&cluster, &[("one", "old"), ("two", "old")]);
    let newest = write(&cluster, &namespace, "one", "new");
    // Not heard, so that the follower stands still from here on.
    heard.has_something_to_say();
    cluster.put_back(&backup);
    let elsewhere = cluster.create_namespace("elsewhere");
    let number = |version: &str| version.parse::<u64>().expect("a number");
    let overtaken = (0..).map(|round| write(&cluster, &elsewhere, "round", &round.to_string()));
    overtaken.take_while(|version| number(version) <= number(&newest)).for_each(drop);
    while heard.known.get("one").map(String::as_str) != Some("new") {
        heard.next(&cluster);
    }
    heard.comes_to_know(&cluster, &[("one", "old"), ("two", "old")]);
    write(&cluster, &namespace, "two", "new");
    heard.comes_to_know(&cluster, &[("one", "old"), ("two", "new")]);
}

#[test]
fn a_version_that_was_compacted_away_is_followed_by_a_list() {
    let mut cluster = Cluster::start(cluster::Settings::default());
    let namespace = cluster.create_namespace("compacted");
    let version = write(&cluster, &namespace, "one", "old");
    write(&cluster, &namespace, "two", "old");
    write(&cluster, &namespace, "one", "new");
    cluster.compact();
    // What it remembers beside etcd goes with it.
    cluster.stop_api_server();
    cluster.start_api_server();
    let mut heard = Heard::of(&cluster, &namespace, Some(&version));
    heard.comes_to_know(&cluster, &[("one", "new"), ("two", "old")]);
    assert_eq!(heard.lists, 1);
}

/// Its pages are of one version, and that one is forgotten before the last page is asked for.
#[test]
fn a_list_whose_version_is_compacted_away_meanwhile_is_read_again() {
    let cluster = Cluster::start(cluster::Settings::default());
    let namespace = cluster.create_namespace("pages");
    let names = ["a", "b", "c", "d", "e"];
    names.iter().for_each(|name| drop(write(&cluster, &namespace, name, "old")));
    let mut heard = Heard::of(&cluster, &namespace, None);
    while !matches!(heard.next(&cluster), What::Object(_)) {}
    heard.has_something_to_say();
    write(&cluster, &namespace, "e", "new");
    cluster.compact();
    heard.comes_to_know(&cluster, &[("a", "old"), ("b", "old"), ("c", "old"), ("d", "old"), ("e", "new")]);
}

/// 1.33 has them off by default, and says so to each who asks.
#[test]
fn a_streaming_list_that_is_refused_becomes_a_plain_one() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("streams");
    let mut zone = crate::published::Published::new(cluster, &namespace, "example.com", 10);
    let asked = format!(
        "/apis/port53.dev/v1alpha1/namespaces/{namespace}/zoneheads?watch=true&allowWatchBookmarks=true\
         &sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1"
    );
    let is_refused = !cluster.kubectl(&["get", "--raw", &asked]).success;
    let mut settings = settings(cluster, &namespace);
    settings.more.push("--streaming-list=true".to_owned());
    let resolver = Resolver::start(&settings);
    resolver.comes_to_say("www.example.com A", "NoError 192.0.2.1");
    zone.publish("www", "192.0.2.2");
    resolver.comes_to_say("www.example.com A", "NoError 192.0.2.2");
    let said = resolver.output().matches("refuses streaming lists").count();
    assert_eq!(said, usize::from(is_refused), "{}", resolver.output());
}
