//! Zones for secondaries: keys from Secrets, who may transfer, who is told of changes.

use crate::{hosts, programs, record, zone, zone_with};
use port53_tests::eventually;
use port53_tests::peer::{Peer, Program, Secondary};
use port53_tests::platform::{NAMESPACE, Platform, Settings};
use port53_tests::process::{self, Finished};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SECRET: &str = "c2VjcmV0IG9mIGJvdGggc2lkZXMgb2YgYSB0cmFuc2Zlcg==";
/// Another secret.
const WRONG: &str = "bm90IHRoZSBzZWNyZXQgb2YgYm90aCBzaWRlcw==";

/// A platform whose resolvers read their keys from a directory.
struct Keyed {
    platform: Platform,
    keys: TempDir,
}

impl Keyed {
    fn start() -> Self {
        let keys = TempDir::new().expect("a temporary directory");
        let flag = format!("--tsig-keys={}", keys.path().display());
        let settings = Settings { resolver: vec![flag], ..Settings::default() };
        Keyed { platform: Platform::start(programs(), settings), keys }
    }

    /// Waits until the operator's Secret has these keys, and puts it where a kubelet would: the nodes of this
    /// cluster have none.
    fn mounts(&self, expected: &[&str]) {
        eventually("the Secret of keys", || {
            let secret = self.platform.get("secret", NAMESPACE, "port53-tsig-keys").unwrap_or_default();
            let data: BTreeMap<String, String> =
                serde_json::from_value(secret["data"].clone()).unwrap_or_default();
            match data.keys().eq(expected) {
                true => Ok(()),
                false => Err(format!("{:?}; {}", data.keys(), self.platform.operator_output())),
            }
        });
        for file in fs::read_dir(self.keys.path()).expect("the directory") {
            fs::remove_file(file.expect("a file").path()).expect("removed");
        }
        let template = "go-template={{range $name, $value := .data}}{{$name}} {{$value | base64decode}}{{\"\\n\"}}{{end}}";
        let secret = ["get", "secret", "port53-tsig-keys", "-n", NAMESPACE, "-o", template];
        let files = self.platform.cluster.kubectl(&secret);
        for (name, text) in files.stdout.lines().filter_map(|line| line.split_once(' ')) {
            fs::write(self.keys.path().join(name), text).expect("a file");
        }
    }

    /// A transfer of `domain` from the first nameserver, signed with a key.
    fn transfer(&self, domain: &str, key: &str, secret: &str) -> Finished {
        let port = self.platform.resolvers[0].address().port().to_string();
        let key = format!("hmac-sha256:{key}:{secret}");
        process::run("kdig", &["@127.0.0.1", "-p", &port, "-y", &key, "AXFR", domain], Path::new("/"))
    }
}

/// A Secret with a key of its own name.
fn secret(namespace: &str, name: &str, secret: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         stringData: {{secret: {secret}}}\n"
    )
}

/// Lets the operator read one Secret and no other, as docs/operator.md says.
fn grant(namespace: &str, secret: &str) -> String {
    let text = include_str!("../../../docs/operator.md");
    let example = text.split("```yaml\n").find(|block| block.contains("resourceNames")).expect("the example");
    let (example, _) = example.split_once("```").expect("its end");
    // The operator of the tests is a user with the name of a service account.
    let subject = "{kind: ServiceAccount, name: port53-operator, namespace: port53}";
    let user =
        "{kind: User, name: \"system:serviceaccount:port53:operator\", apiGroup: rbac.authorization.k8s.io}";
    assert!(example.contains(subject), "{example}");
    example
        .replace(subject, user)
        .replace("namespace: dns", &format!("namespace: {namespace}"))
        .replace("[xfr.example.com]", &format!("[{secret}]"))
}

#[test]
fn a_secondary_has_the_zone_by_a_key_in_a_secret_and_is_told_of_changes() {
    let keyed = Keyed::start();
    let platform = &keyed.platform;
    let (namespace, domain) = platform.place("xfr");
    let key = format!("xfr.{domain}");
    let allow = format!("transfer: {{allow: [{{tsigSecretRef: {{name: {key}}}}}]}}");
    platform.apply(&zone_with(&namespace, "here", &domain, &allow));
    platform.apply(&hosts(&namespace, 1..=20, 2));
    let message = platform.comes_to("zone", &namespace, "here", "Transferable=False KeyMissing");
    assert!(message.contains("RoleBinding in"), "{message}");
    platform.comes_to("zone", &namespace, "here", "Ready=True Served");

    platform.apply(&grant(&namespace, &key));
    eventually("that it is known to be missing", || {
        let message = platform.comes_to("zone", &namespace, "here", "Transferable=False KeyMissing");
        let expected =
            format!("spec.transfer.allow[0].tsigSecretRef: there is no Secret {namespace}/{key}: create it");
        if message == expected { Ok(()) } else { Err(message) }
    });
    platform.apply(&secret(&namespace, &key, SECRET));
    platform.comes_to("zone", &namespace, "here", "Transferable=True KeysKnown");
    keyed.mounts(&[&key]);
    eventually("a transfer with the key", || {
        let all = keyed.transfer(&domain, &key, SECRET);
        // SOA twice, NS of two, 20 addresses.
        if all.stdout.contains(", 24 records)") { Ok(()) } else { Err(format!("{all:?}")) }
    });
    let wrong = keyed.transfer(&domain, &key, WRONG);
    assert!(format!("{wrong:?}").contains("BADSIG") && !wrong.stdout.contains("192.0.2"), "{wrong:?}");

    let primary = platform.resolvers[0].address();
    let apex = format!("{domain}.");
    let follows = Secondary { primary, apexes: &[&apex], key: ["hmac-sha256", &key, SECRET] };
    let peer = Peer::start_secondary(Program::Knot, &follows);
    let told = allow.replace("]}", &format!("], notify: [\"{}\"]}}", peer.address()));
    platform.apply(&zone_with(&namespace, "here", &domain, &told));
    // It would ask by itself after an hour.
    for third in 3..6 {
        platform.apply(&record(
            &namespace,
            "h1",
            "here",
            &format!("name: h1, type: A, values: [192.0.{third}.1]"),
        ));
        eventually("the secondary", || {
            let port = peer.address().port().to_string();
            let host = format!("h1.{domain}");
            let said =
                process::run("kdig", &["@127.0.0.1", "-p", &port, "+short", &host, "A"], Path::new("/"));
            let is_there = said.stdout.trim() == format!("192.0.{third}.1");
            if is_there { Ok(()) } else { Err(format!("{said:?} {}", peer.output())) }
        });
    }

    // Whoever takes the name of a key does not get the zone of its holder, nor a key of his own.
    let (other, others) = platform.place("xfr-other");
    platform.apply(&secret(&other, &key, WRONG));
    platform.apply(&grant(&other, &key));
    platform.apply(&zone_with(&other, "here", &others, &allow));
    let message = platform.comes_to("zone", &other, "here", "Transferable=False KeyMissing");
    eventually("that the name is taken", || {
        let message = platform.comes_to("zone", &other, "here", "Transferable=False KeyMissing");
        if message.contains("in an older Secret already") { Ok(()) } else { Err(message) }
    });
    assert!(!message.contains(WRONG));
    platform.comes_to("zone", &other, "here", "Ready=True Served");
    for zone in [&domain, &others] {
        let wrong = keyed.transfer(zone, &key, WRONG);
        assert!(format!("{wrong:?}").contains("BADSIG"), "{wrong:?}");
    }
    let not_his = keyed.transfer(&others, &key, SECRET);
    assert!(format!("{not_his:?}").contains("REFUSED") && !not_his.stdout.contains("SOA"), "{not_his:?}");

    // A Zone that says nothing of transfers any more: nobody may have it, and no condition is left.
    platform.apply(&zone(&namespace, "here", &domain));
    eventually("that nobody may have it", || {
        let all = keyed.transfer(&domain, &key, SECRET);
        if format!("{all:?}").contains("REFUSED") { Ok(()) } else { Err(format!("{all:?}")) }
    });
    platform.comes_to("zone", &namespace, "here", "Transferable=not looked at");
}

/// A restarted operator has read no Secret yet, and takes nobody's transfer away meanwhile; one that may not read
/// them any more does neither.
#[test]
fn keys_stay_while_their_secrets_cannot_be_read() {
    let mut keyed = Keyed::start();
    let (namespace, domain) = keyed.platform.place("xfr-kept");
    let key = format!("xfr.{domain}");
    keyed.platform.apply(&(grant(&namespace, &key) + &secret(&namespace, &key, SECRET)));
    let allow = format!("transfer: {{allow: [{{tsigSecretRef: {{name: {key}}}}}, {{cidr: 192.0.2.0/24}}]}}");
    keyed.platform.apply(&zone_with(&namespace, "here", &domain, &allow));
    keyed.platform.comes_to("zone", &namespace, "here", "Transferable=True KeysKnown");
    keyed.mounts(&[&key]);
    keyed.platform.comes_to("zone", &namespace, "here", "Ready=True Served");
    let allowed = |keyed: &Keyed| {
        let head = keyed.platform.head(&domain).unwrap_or_default();
        let allowed = head["spec"]["transfer"].to_string();
        allowed.contains(&format!("key:{key}.")) && allowed.contains("192.0.2.0/24")
    };
    eventually("the head", || if allowed(&keyed) { Ok(()) } else { Err("not yet".to_owned()) });
    keyed.platform.kill_operator();
    keyed.platform.kubectl(&format!("delete rolebinding --all -n {namespace}"));
    keyed.platform.start_operator();
    let message = keyed.platform.comes_to("zone", &namespace, "here", "Transferable=False KeyMissing");
    assert!(message.contains("cannot be read"), "{message}");
    assert!(allowed(&keyed));
    keyed.mounts(&[&key]);
    // Someone edits the keys: they are put right.
    keyed.platform.apply(&grant(&namespace, &key));
    keyed.platform.comes_to("zone", &namespace, "here", "Transferable=True KeysKnown");
    keyed.platform.kubectl(&format!("delete secret port53-tsig-keys -n {NAMESPACE}"));
    keyed.mounts(&[&key]);
}
