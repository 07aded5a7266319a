//! What users of `kubectl` expect of a plugin.

use super::{Site, finished};
use crate::zone;
use port53_tests::eventually;
use port53_tests::process::Finished;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;

/// `port53` with these arguments, separated by blanks, and a kubeconfig file of the site. In no namespace that the
/// test names.
fn plain(site: &Site, kubeconfig: &str, arguments: &str) -> (i32, Finished) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_port53-tested"));
    command
        .args(arguments.split_whitespace())
        .env("KUBECONFIG", site.files.path().join(kubeconfig))
        .env("HOME", site.files.path())
        .current_dir(site.files.path());
    finished(command)
}

/// The kubeconfig of who may do everything, as JSON.
fn kubeconfig(site: &Site) -> Value {
    let text = std::fs::read_to_string(site.platform.cluster.kubeconfig()).expect("a kubeconfig");
    serde_json::from_str(&text).expect("JSON")
}

/// `kubectl port53` with these arguments, found by `kubectl` itself.
fn kubectl(site: &Site, arguments: &[&str]) -> (i32, Finished) {
    for name in ["kubectl-port53", "kubectl_complete-port53"] {
        let link = site.files.path().join(name);
        if !link.exists() {
            symlink(env!("CARGO_BIN_EXE_port53-tested"), link).expect("a link");
        }
    }
    let path = format!("{}:{}", site.files.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = site.platform.cluster.kubectl_command();
    command.env("PATH", &path).args(arguments);
    finished(command)
}

#[test]
fn kubectl_runs_it_as_a_plugin_that_speaks_of_itself_so() {
    let site = Site::new("plugin");
    let run = |arguments: &[&str]| kubectl(&site, &[&["port53"], arguments].concat());
    let (status, done) = run(&["--help"]);
    assert!(status == 0 && done.stdout.contains("Usage: kubectl port53 "), "{done:?}");
    let (status, done) = run(&["status", "-n", &site.namespace]);
    assert!(status == 0 && done.stderr.contains(&site.namespace), "{done:?}");
    let (status, done) = run(&["-n", &site.namespace, "status"]);
    assert!(status == 0 && done.stderr.contains(&site.namespace), "{done:?}");
    let (status, done) = run(&["history", "no.such.example"]);
    assert!(status == 2 && done.stderr.contains("no.such.example"), "{done:?}");
}

/// `kubectl` asks a program beside the plugin, and hands on what it prints.
#[test]
fn kubectl_completes_what_is_written_after_the_plugin() {
    let site = Site::new("complete");
    for (words, expected) in [
        (
            &["port53", "st"][..],
            "status\tSay how zones are served; of one zone, which records are not and why\n:4\n",
        ),
        (&["port53", "-n", "dns", "status", "--all"], "--all-namespaces\tThe zones of all namespaces\n:4\n"),
        (&["port53", "diff", "--output", "j"], "json\tJSON\n:4\n"),
        (&["port53", "apply", "--filename", ""], ":0\n"),
    ] {
        let (status, done) = kubectl(&site, &[&["__complete"], words].concat());
        assert_eq!((status, done.stdout.as_str()), (0, expected), "{words:?}: {done:?}");
    }
}

#[test]
fn a_context_has_a_namespace_of_its_own() {
    let site = Site::new("context");
    let other = site.platform.cluster.create_namespace("context-other");
    site.platform.apply(&(site.zone() + &zone(&other, "there", &format!("{other}.example"))));
    for (namespace, name) in [(&site.namespace, "here"), (&other, "there")] {
        site.platform.comes_to("zone", namespace, name, "Ready=True Served");
    }
    let mut config = kubeconfig(&site);
    config["contexts"][0]["context"]["namespace"] = site.namespace.as_str().into();
    let mut context = config["contexts"][0].clone();
    (context["name"], context["context"]["namespace"]) = ("other".into(), other.as_str().into());
    config["contexts"].as_array_mut().expect("a list").push(context);
    site.write("two", &config.to_string());

    let (here, there) = (format!("{}/here", site.namespace), format!("{other}/there"));
    for (line, expected) in [
        ("status".to_owned(), &here),
        ("--context other status".to_owned(), &there),
        ("status --context other".to_owned(), &there),
        (format!("-n {other} status"), &there),
        (format!("--context other status -n {}", site.namespace), &here),
    ] {
        let (status, done) = plain(&site, "two", &line);
        let zones: Vec<&str> =
            done.stdout.lines().skip(1).filter_map(|row| row.split(' ').next_back()).collect();
        assert_eq!((status, zones), (0, vec![expected.as_str()]), "{line}: {done:?}");
    }
    let (status, done) = plain(&site, "two", "status --context third");
    assert!(status == 2 && done.stderr.contains("no context third: there is tests, other"), "{done:?}");
}

#[test]
fn what_is_asked_for_somebody_else_is_what_that_one_may() {
    let site = Site::new("as");
    site.write("admin", &kubeconfig(&site).to_string());
    let status = |who: &str| plain(&site, "admin", &format!("{who} status -n {}", site.namespace));
    let (ended, done) = status("--as nobody");
    assert_eq!(ended, 2, "{done:?}");
    assert!(done.stderr.contains("User \"nobody\" cannot list resource \"zones\""), "{done:?}");
    assert!(done.stderr.contains("forbids it") && done.stderr.contains("grant that right"), "{done:?}");
    let (ended, done) = status("--as nobody --as-group system:masters");
    assert_eq!(ended, 0, "{done:?}");
    let (ended, done) = status("--as-group system:masters");
    assert!(ended == 2 && done.stderr.contains("name the user with --as"), "{done:?}");
    let (ended, done) = status("--user nobody");
    assert!(ended == 2 && done.stderr.contains("no user nobody: there is admin"), "{done:?}");
}

/// A binding to a role that was never made is not mended by a grant.
#[test]
fn a_role_that_is_not_there_is_told_of() {
    let site = Site::new("role");
    site.write("admin", &kubeconfig(&site).to_string());
    let namespace = &site.namespace;
    site.platform.apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
         metadata: {{name: team, namespace: {namespace}}}\n\
         subjects: [{{kind: User, name: {namespace}, apiGroup: rbac.authorization.k8s.io}}]\n\
         roleRef: {{kind: Role, name: no-such-role, apiGroup: rbac.authorization.k8s.io}}\n"
    ));
    eventually("the binding", || {
        match plain(&site, "admin", &format!("status -n {namespace} --as {namespace}")) {
            (2, done) if done.stderr.contains("\"no-such-role\" not found: create that role") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

#[test]
fn who_does_not_answer_is_given_the_time_that_a_person_says() {
    let site = Site::new("slow");
    // It takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut config = kubeconfig(&site);
    let address = listener.local_addr().expect("an address");
    config["clusters"][0]["cluster"]["server"] = json!(format!("https://{address}"));
    site.write("slow", &config.to_string());
    let (status, done) = plain(&site, "slow", "status --request-timeout 1s");
    assert!(status == 2 && done.stderr.contains("the API server does not answer within 1 s"), "{done:?}");
}
