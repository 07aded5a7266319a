//! Zones of other DNS systems to manifests: the real program, over files as they have them.

mod support;

use std::process::{Command, Stdio};

use support::{Run, directory, port53, write};

const ZONE: &str =
    "$TTL 300\n@ SOA ns1 h 7 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.53\nWWW 60 A 192.0.2.80\n";

/// Each line of `words` is in what was printed, in that order.
#[track_caller]
fn says(text: &str, words: &[&str]) {
    let mut rest = text;
    for words in words {
        let Some(at) = rest.find(words) else { panic!("{words:?} is not in its place in:\n{text}") };
        rest = &rest[at + words.len()..];
    }
}

/// The zone that manifests are served as, as a master file.
fn exported(at: &std::path::Path, path: &str, zone: &str) -> String {
    let run = port53(at, &["export", path, zone]);
    assert_eq!(run.status, 0, "{run:?}");
    run.out
}

#[test]
fn a_named_conf_becomes_the_zones_that_its_files_hold() {
    let directory = directory(&[
        ("bind/db.example.com", ZONE),
        (
            "bind/db.example.org",
            &format!(
                "{ZONE}bad A 192.0.2.256\nsigned RRSIG A 8 2 300 20300101000000 20200101000000 1 example. AAAA\n"
            ),
        ),
    ]);
    let at = directory.path();
    let zones = at.join("bind");
    write(
        at,
        "named.conf",
        format!(
            "options {{ directory \"{}\"; }};\nzone \".\" {{ type hint; file \"root\"; }};\n\
             zone \"example.com\" {{ type master; file \"db.example.com\"; }};\n\
             zone \"example.net\" {{ type slave; masters {{ 192.0.2.1; }}; }};\n\
             zone \"example.org\" {{ type primary; file \"db.example.org\"; }};\n",
            zones.display()
        ),
    );
    let run = port53(at, &["import", "named.conf", "-o", "manifests"]);
    assert_eq!(run.status, 1, "{run:?}");
    says(
        &run.err,
        &[
            "manifests/example-com.yaml: zone example.com, 3 DNSRecords\n",
            "db.example.org:6:",
            "error: the value is not a value of type A",
            "db.example.org:7: left out: signed.example.org. RRSIG: ",
            "manifests/example-org.yaml: zone example.org, 3 DNSRecords, 1 left out\n",
            "named.conf:2: left out: zone .: it names the root servers",
            "named.conf:4: left out: zone example.net: it is a slave",
            "2 zones written, 2 left out\n",
        ],
    );
    let back = exported(at, "manifests", "example.com");
    assert!(back.contains("WWW.example.com. 60 IN A 192.0.2.80"), "{back}");

    // Nothing is written over, and one zone alone may be asked for.
    let run = port53(at, &["import", "named.conf", "-o", "-", "--zone", "EXAMPLE.com"]);
    assert_eq!((run.status, run.out.matches("kind: Zone\n").count()), (0, 1), "{run:?}");
    let run = port53(at, &["import", "named.conf", "-o", "manifests"]);
    assert_eq!(run.status, 2, "{run:?}");
    let run =
        port53(at, &["import", "named.conf", "-o", "-", "--zone", "example.net", "--zone", "exmaple.com"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(!run.err.contains("--zone example.net"), "{run:?}");
    says(
        &run.err,
        &["left out: zone example.net", "error: --zone exmaple.com: there is nothing of this zone"],
    );
}

#[test]
fn a_view_is_chosen_by_a_person() {
    let directory = directory(&[
        (
            "named.conf",
            "view in { zone \"example.com\" { type master; file \"a\"; }; };\n\
             view out { zone \"example.com\" { type master; file \"b\"; }; };\n",
        ),
        ("a", ZONE),
        ("b", ZONE),
    ]);
    let at = directory.path();
    // Beneath the root of a chroot, as the paths in it are.
    let import = |more: &[&str]| {
        let mut arguments = vec!["import", "named.conf", "-o", "-", "--root", "."];
        arguments.extend(more);
        port53(at, &arguments)
    };
    let run = import(&[]);
    assert_eq!((run.status, run.out.is_empty()), (1, true), "{run:?}");
    says(
        &run.err,
        &[
            "named.conf:1: left out: zone example.com in view in: ",
            "--view in or --view out",
            "named.conf:2: ",
        ],
    );
    let run = import(&["--view", "out"]);
    assert_eq!(run.status, 0, "{run:?}");
    says(&run.err, &["named.conf: 1 zone of other views not looked at"]);
    says(&run.out, &["kind: Zone", "domain: example.com", "kind: DNSRecord"]);
    let run = import(&["--view", "elsewhere"]);
    assert_eq!(run.status, 2, "{run:?}");
    says(&run.err, &["there is no view \"elsewhere\": give --view with one of in, out"]);
}

#[test]
fn a_directory_of_octodns_becomes_its_zones() {
    let fixture = include_str!("legacy/octodns/example.com.yaml");
    let directory = directory(&[
        ("config/example.com.yaml", fixture),
        (
            "config/example.net./$example.net.yaml",
            "'': {type: NS, values: [ns1.example.com., ns2.example.com.]}\n",
        ),
        ("config/example.net./www.yaml", "www:\n- {type: A, value: 192.0.2.1}\n- {type: ALIAS, value: a.}\n"),
        ("config/example.net./www-again.yaml", "www: {type: A, value: 192.0.2.2}\n"),
        ("config/production.yaml", "providers: {}\nzones: {}\n"),
    ]);
    let at = directory.path();
    let run = port53(at, &["import", "config", "-o", "manifests", "--default-ttl", "120"]);
    assert_eq!(run.status, 1, "{run:?}");
    says(
        &run.err,
        &[
            "config/production.yaml: warning: ",
            "manifests/example-com.yaml: zone example.com, 22 DNSRecords\n",
            "config/example.net./www.yaml:2: left out: www.example.net. A: config/example.net./www-again.yaml:1 has this",
            "config/example.net./www.yaml:3: left out: www.example.net. ALIAS: ",
            "manifests/example-net.yaml: zone example.net, 2 DNSRecords, 2 left out\n",
        ],
    );
    let back = exported(at, "manifests", "example.com");
    for line in [
        "www.example.com. 300 IN AAAA 2001:db8::80\n",
        "y.example.com. 120 IN A 192.0.2.1\n",
        "*.example.com. 60 IN CNAME www.example.com.\n",
    ] {
        assert!(back.contains(line), "{line}{back}");
    }
    let run = port53(at, &["check", "manifests"]);
    assert_eq!(run.status, 0, "{run:?}");

    let run = port53(at, &["import", "config/production.yaml", "-o", "-"]);
    assert_eq!(run.status, 2, "{run:?}");
    says(&run.err, &["give --format and --origin"]);
}

const ENDPOINTS: &str = "apiVersion: v1
kind: List
items:
- apiVersion: externaldns.k8s.io/v1alpha1
  kind: DNSEndpoint
  metadata: {name: shop, namespace: shop}
  spec:
    endpoints:
    - {dnsName: shop.example.com, recordType: A, recordTTL: 60, targets: [192.0.2.1]}
    - {dnsName: blue.example.com, recordType: A, targets: [192.0.2.1], setIdentifier: blue}
    - {dnsName: shop.example.org, recordType: A, targets: [192.0.2.1]}
";

/// As `kubectl get dnsendpoints -A -o yaml | port53 import -` runs it.
fn piped(at: &std::path::Path, arguments: &[&str], input: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_port53"))
        .current_dir(at)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("its input"), input.as_bytes())
        .expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = |octets| String::from_utf8(octets).expect("UTF-8");
    Run {
        status: output.status.code().expect("by itself"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

#[test]
fn dnsendpoints_are_put_into_the_zones_that_are_given() {
    let directory = directory(&[]);
    let at = directory.path();
    let run = piped(at, &["import", "-", "-o", "-", "--zone", "example.com"], ENDPOINTS);
    assert_eq!(run.status, 1, "{run:?}");
    says(
        &run.out,
        &["kind: Zone\n", "domain: example.com\n", "kind: DNSRecord\n", "name: shop\n", "ttl: 60\n"],
    );
    assert!(!run.out.contains("soa:"), "{run:?}");
    says(
        &run.err,
        &[
            "-:10: left out: blue.example.com A: it is \"blue\" of several answers",
            "-:11: left out: shop.example.org A: it is in none of the zones",
        ],
    );

    let run = piped(at, &["import", "-", "-o", "-"], ZONE);
    assert_eq!(run.status, 2, "{run:?}");
    let arguments = ["import", "-", "-o", "-", "--format", "octodns", "--origin", "example.com"];
    let run = piped(at, &arguments, "www: {type: A, value: 192.0.2.1}\n");
    assert_eq!(run.status, 0, "{run:?}");
    says(&run.out, &["domain: example.com\n", "name: www\n"]);

    // The Zone stands with them: its name and namespace are those that records refer to.
    let zone = "---\napiVersion: port53.dev/v1alpha1\nkind: Zone\nmetadata: {name: main, namespace: dns}\n\
                spec: {domain: example.org, defaultTTL: 30, nameservers: [ns1.example.net]}\n";
    write(at, "e/endpoints.yaml", format!("{ENDPOINTS}{zone}"));
    let run = port53(at, &["import", "e", "-o", "manifests", "--default-ttl", "45"]);
    assert_eq!(run.status, 1, "{run:?}");
    let text = std::fs::read_to_string(at.join("manifests/example-org.yaml")).expect("a file");
    says(&text, &["name: main\n", "defaultTTL: 30\n", "namespace: dns\n", "name: main\n", "ttl: 45\n"]);
    let back = exported(at, "manifests", "example.org");
    assert!(back.contains("shop.example.org. 45 IN A 192.0.2.1"), "{back}");
}
