//! The cluster of these tests itself.

use crate::published::Published;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::{Api, Error, ResourceExt};
use port53_tests::cluster::{self, Cluster, Settings, User};
use port53_tests::eventually;
use std::collections::BTreeSet;

const ZONE: &str = "
apiVersion: port53.dev/v1alpha1
kind: Zone
metadata: {name: example-com}
spec: {domain: example.com}
";

#[test]
fn kubectl_applies_and_a_new_object_is_not_observed() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("kubectl");
    let applied = cluster.kubectl_with(&["apply", "--server-side", "-n", &namespace, "-f", "-"], ZONE);
    assert!(applied.success, "{applied:?}");
    let path = "jsonpath={.status.observedGeneration}";
    let got = cluster.kubectl(&["get", "dnszone", "example-com", "-n", &namespace, "-o", path]);
    assert_eq!((got.stdout.as_str(), got.success), ("-1", true), "{got:?}");
}

/// The names that kubectl knows objects of Port53 by, and the fields that they can be told apart by.
#[test]
fn kubectl_finds_objects_by_short_names_a_category_and_fields() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("found");
    let zone = |name: &str, domain: &str| {
        format!(
            "---\napiVersion: port53.dev/v1alpha1\nkind: Zone\nmetadata: {{name: {name}}}\nspec: {{domain: {domain}}}\n"
        )
    };
    let record = |object: &str, zone: &str, name: &str, type_: &str, value: &str| {
        format!(
            "---\napiVersion: port53.dev/v1alpha1\nkind: DNSRecord\nmetadata: {{name: {object}}}\n\
             spec: {{zoneRef: {{name: {zone}}}, name: {name}, type: {type_}, values: ['{value}']}}\n"
        )
    };
    let objects = [
        zone("one", "example.com"),
        zone("two", "example.org"),
        record("www-a", "one", "www", "A", "192.0.2.1"),
        record("www-txt", "one", "www", "TXT", "text"),
        record("mail-a", "one", "mail", "A", "192.0.2.1"),
        record("other", "two", "other", "AAAA", "2001:db8::1"),
    ];
    let apply = ["apply", "--server-side", "-n", &namespace, "-f", "-"];
    let applied = cluster.kubectl_with(&apply, &objects.concat());
    assert!(applied.success, "{applied:?}");
    // A head is of the category, and what it builds on is for nobody to look at.
    let published = Published::new(cluster, &namespace, "example.net", 0);
    let head = "zonehead.port53.dev/example.net";
    let get = |what: &str| -> BTreeSet<String> {
        let arguments = ["get", "-n", &namespace, "-o", "name"].into_iter().chain(what.split(' '));
        let got = cluster.kubectl(&arguments.collect::<Vec<_>>());
        assert!(got.success, "{what}: {got:?}");
        got.stdout.lines().map(str::to_owned).collect()
    };
    let of = |kind: &str, names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| format!("{kind}.port53.dev/{name}")).collect()
    };
    let (zones, records) =
        (of("zone", &["one", "two"]), of("dnsrecord", &["mail-a", "other", "www-a", "www-txt"]));
    let mut all: BTreeSet<String> = zones.union(&records).cloned().collect();
    all.insert(head.to_owned());
    assert_eq!(get("port53"), all);
    let slices = published.checkpoint.slices().map(|(digest, _)| format!("zoneslice.port53.dev/{digest}"));
    for (what, expected) in [
        ("dnszone", zones),
        ("dnsrec", records),
        ("zhead", BTreeSet::from([head.to_owned()])),
        ("zslice", slices.collect()),
        ("zrev", BTreeSet::new()),
        ("dnszone --field-selector spec.domain=example.org", of("zone", &["two"])),
        ("dnsrec --field-selector spec.name=www", of("dnsrecord", &["www-a", "www-txt"])),
        ("dnsrec --field-selector spec.type=A", of("dnsrecord", &["mail-a", "www-a"])),
        ("dnsrec --field-selector spec.zoneRef.name=two", of("dnsrecord", &["other"])),
        (
            "dnsrec --field-selector spec.zoneRef.name=one,spec.name=www,spec.type=A",
            of("dnsrecord", &["www-a"]),
        ),
        ("zhead --field-selector spec.domain=example.org", BTreeSet::new()),
    ] {
        assert_eq!(get(what), expected, "kubectl get {what}");
    }
}

#[test]
fn a_user_may_do_what_rbac_grants_and_no_more() {
    let cluster = cluster::shared();
    let namespace = cluster.create_namespace("rights");
    let user = User::service_account(&namespace, "reader");
    let zones = ["get", "dnszones.port53.dev", "-n", &namespace, "--as", &user.name];
    let grants: [&[&str]; 2] = [
        &["create", "role", "reader", "-n", &namespace, "--verb=get,list", "--resource=configmaps"],
        &["create", "rolebinding", "reader", "-n", &namespace, "--role=reader", "--user", &user.name],
    ];
    for arguments in grants {
        let done = cluster.kubectl(arguments);
        assert!(done.success, "{done:?}");
    }
    assert!(!cluster.kubectl(&zones).success);

    let maps: Api<ConfigMap> = Api::namespaced(cluster.client_as(&user), &namespace);
    // RBAC is evaluated from the API server's own caches, which see the binding a little later.
    eventually("a list of ConfigMaps", || {
        cluster.block_on(async || maps.list(&Default::default()).await).map_err(|error| error.to_string())
    });
    let refused = cluster.block_on(async || maps.create(&PostParams::default(), &map("one")).await);
    assert!(is_code(&refused.expect_err("it may not write"), 403));
}

#[tokio::test]
async fn a_client_of_a_runtime_sees_the_api_server_stop_and_start_and_go_back_in_time() {
    let mut cluster = Cluster::start(Settings::default());
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client(), "default");
    let names = async || -> Vec<String> {
        let maps = maps.list(&Default::default()).await.expect("a list");
        maps.items.iter().map(ResourceExt::name_any).filter(|name| name.starts_with("test-")).collect()
    };
    maps.create(&PostParams::default(), &map("test-one")).await.expect("one is created");

    cluster.stop_api_server();
    assert!(maps.get("test-one").await.is_err());
    cluster.start_api_server();
    assert_eq!(names().await, ["test-one"]);

    let backup = cluster.backup();
    // So many that what an API server writes when it starts does not come as far.
    for number in 0..200 {
        maps.create(&PostParams::default(), &map(&format!("more-{number}"))).await.expect("it is created");
    }
    maps.create(&PostParams::default(), &map("test-two")).await.expect("two is created");
    cluster.restart_etcd();
    assert_eq!(names().await, ["test-one", "test-two"]);
    let version = maps.get("test-two").await.expect("two").resource_version().expect("a version");

    cluster.put_back(&backup);
    assert_eq!(names().await, ["test-one"]);
    let back =
        maps.list(&Default::default()).await.expect("a list").metadata.resource_version.expect("a version");
    assert!(number(&back) < number(&version), "{back} is not before {version}");
}

fn number(version: &str) -> u64 {
    version.parse().expect("versions of etcd are numbers")
}

fn map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    map
}

fn is_code(error: &Error, code: u16) -> bool {
    matches!(error, Error::Api(status) if status.code == code)
}
