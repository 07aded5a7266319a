//! What bad input gets: it is refused alone, with file, line, object, field and fix.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;
use support::{Run, directory, port53, record_yaml, write, zone_yaml};

const GOOD: &[(&str, &str, &str, &str)] =
    &[("www", "www", "A", "192.0.2.1"), ("mail", "mail", "A", "192.0.2.2")];

/// The served RRsets of [`GOOD`] and the NS of its zone.
const ALL_GOOD: u64 = 3;

fn check(directory: &std::path::Path) -> Run {
    port53(directory, &["check", "--output", "json", "."])
}

/// Checks `GOOD` beside a file, which must be refused alone; returns the only finding.
fn refused_alone(name: &str, text: impl AsRef<[u8]>) -> Value {
    let directory = directory(&[("good.yaml", &zone_yaml("example.com", GOOD))]);
    write(directory.path(), name, text);
    let run = check(directory.path());
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(run.zones(), [("example.com".to_owned(), ALL_GOOD)]);
    let findings = run.findings();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["severity"], "error");
    findings[0].clone()
}

#[track_caller]
fn assert_told(finding: &Value, line: u64, field: &str, words: &[&str]) {
    assert_eq!(finding["line"], line, "{finding:#}");
    assert_eq!(finding["field"].as_str().unwrap_or_default(), field, "{finding:#}");
    let text = format!("{} {}", finding["message"], finding["fix"]);
    for word in words {
        assert!(text.contains(word), "{word:?} in {finding:#}");
    }
}

#[test]
fn a_value_that_is_wrong_is_told_with_its_place() {
    let finding = refused_alone("bad.yaml", record_yaml("example-com", "bad", "bad", "A", "192.0.2.300"));
    assert_told(&finding, 10, "spec.values[0]", &["192.0.2.300", "IPv4"]);
    assert_eq!(finding["object"], "DNSRecord default/bad");
    assert_eq!(finding["file"], "./bad.yaml");
    assert_eq!(finding["column"], 12);
}

#[test]
fn a_document_that_is_no_yaml_does_not_hide_the_others() {
    let broken = "---\nkind: [\n";
    let finding = refused_alone("bad.yaml", broken.to_owned() + "---\n# nothing\n");
    assert_eq!(finding["reason"], "Malformed");

    let text = zone_yaml("example.com", &GOOD[..1])
        + broken
        + &record_yaml("example-com", "mail", "mail", "A", "192.0.2.2");
    let directory = directory(&[("all.yaml", &text)]);
    let run = check(directory.path());
    assert_eq!(run.zones(), [("example.com".to_owned(), ALL_GOOD)], "what stands after it counts too");
}

#[test]
fn a_name_without_quotes_that_yaml_reads_as_a_boolean_is_told_to_be_quoted() {
    let text =
        record_yaml("example-com", "bad", "bad", "A", "192.0.2.3").replacen("name: bad", "name: no", 1);
    let finding = refused_alone("bad.yaml", text);
    assert_told(&finding, 5, "metadata.name", &["boolean", "quotes", "YAML"]);
    assert_eq!(finding["reason"], "Malformed");
}

#[test]
fn an_object_without_a_name_is_told_where_the_name_belongs() {
    let text = "apiVersion: port53.dev/v1alpha1\nkind: Zone\nspec: {}\n";
    assert_told(&refused_alone("bad.yaml", text), 1, "metadata.name", &["Required value"]);
}

#[test]
fn an_unknown_version_is_told_at_its_api_version() {
    let text = record_yaml("example-com", "bad", "bad", "A", "192.0.2.3").replace("v1alpha1", "v1");
    let words = ["no matches for kind", "write port53.dev/v1alpha1"];
    assert_told(&refused_alone("bad.yaml", text), 2, "apiVersion", &words);
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory =
        directory(&[("file", ""), ("example.com.zone", "@ 60 SOA ns h 1 1 1 1 1\n@ 60 NS ns.net.\n")]);
    for arguments in [&["man", "-o", "file/man"][..], &["import", "example.com.zone", "-o", "file/manifests"]]
    {
        let run = port53(directory.path(), arguments);
        assert_eq!(run.status, 2, "{run:?}");
        assert!(
            run.err.contains(&format!("cannot create the directory {}", arguments[arguments.len() - 1])),
            "{run:?}"
        );
    }
}

#[test]
fn an_unknown_field_is_named() {
    let text =
        record_yaml("example-com", "bad", "bad", "A", "192.0.2.3").replace("  type:", "  tpe: x\n  type:");
    assert_told(&refused_alone("bad.yaml", text), 9, "spec.tpe", &["unknown field", "type"]);
}

#[test]
fn yaml_aliases_that_explode_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        text.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    let finding = refused_alone("bad.yaml", text);
    assert_eq!(finding["reason"], "Malformed");
    assert_told(&finding, finding["line"].as_u64().expect("a line"), "", &["alias"]);
}

#[test]
fn a_value_of_a_mebibyte_is_refused() {
    let value = "x".repeat(1 << 20);
    let finding = refused_alone("bad.yaml", record_yaml("example-com", "bad", "bad", "TXT", &value));
    assert_told(&finding, 10, "spec.values[0]", &["32768"]);
}

#[test]
fn values_by_the_ten_thousand_are_refused() {
    let values = vec!["192.0.2.1"; 65_536].join("','");
    let finding = refused_alone("bad.yaml", record_yaml("example-com", "bad", "bad", "A", &values));
    assert_eq!(finding["reason"], "InvalidSpec");
    assert_told(&finding, 10, "spec.values", &["512"]);
}

#[test]
fn octets_that_are_no_utf8_are_refused_with_their_place() {
    let mut text = record_yaml("example-com", "bad", "bad", "TXT", "caf").into_bytes();
    let end = text.len() - 3;
    text.insert(end, 0xe9);
    let finding = refused_alone("bad.yaml", text);
    assert_eq!(finding["reason"], "Malformed");
    assert_told(&finding, 10, "", &["UTF-8"]);
}

/// RFC 1035 §2.3.4: 255 octets or less.
#[test]
fn a_name_of_256_octets_is_refused() {
    // 4 × 60 and their lengths, with example.com. and the root: more than 255.
    let name = vec!["a".repeat(60); 4].join(".");
    let finding = refused_alone("bad.yaml", record_yaml("example-com", "bad", &name, "A", "192.0.2.3"));
    assert_told(&finding, 8, "spec.name", &["255"]);
}

/// `no` without quotes is a boolean of YAML 1.1, as kubectl reads it; Norway has hosts too.
#[test]
fn a_name_that_yaml_takes_for_a_boolean_is_told_to_be_quoted() {
    let text = record_yaml("example-com", "bad", "NAME", "A", "192.0.2.3").replace("\"NAME\"", "no");
    assert_told(&refused_alone("bad.yaml", text), 8, "spec.name", &["string", "quotes"]);
}

#[test]
fn a_directory_without_rights_is_told_and_takes_nothing_from_others() {
    let directory = directory(&[
        ("good.yaml", &zone_yaml("example.com", GOOD)),
        ("closed/more.yaml", &record_yaml("example-com", "more", "more", "A", "192.0.2.3")),
    ]);
    // Root may read anything: the program runs as somebody else.
    let program = directory.path().join("port53");
    std::fs::copy(env!("CARGO_BIN_EXE_port53"), &program).expect("a copy");
    std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).expect("rights");
    let closed = directory.path().join("closed");
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).expect("no rights");
    let mut command = Command::new(&program);
    command.current_dir(directory.path()).args(["check", "--output", "json", "."]);
    let is_root = Command::new("id").arg("-u").output().expect("id").stdout == b"0\n";
    if is_root {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().expect("it runs");
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).expect("rights");
    let run = Run {
        status: output.status.code().expect("a status"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    };
    assert_eq!(run.zones(), [("example.com".to_owned(), ALL_GOOD)]);
    let findings = run.findings();
    assert_eq!(findings[0]["file"], "./closed");
    assert_eq!(findings[0]["reason"], "Unreadable");
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_without_waiting() {
    let directory = directory(&[("good.yaml", &zone_yaml("example.com", GOOD))]);
    let made = Command::new("mkfifo").arg(directory.path().join("pipe.yaml")).status().expect("mkfifo");
    assert!(made.success());
    let run = check(directory.path());
    assert_eq!(run.zones(), [("example.com".to_owned(), ALL_GOOD)]);
    let message = run.findings()[0]["message"].to_string();
    assert!(message.contains("it is a pipe"), "{message}");
}

#[test]
fn links_and_includes_do_not_lead_out_of_the_directory() {
    let outside = directory(&[("secret.zone", "secret 60 IN TXT \"secret\"\n")]);
    let secret = outside.path().join("secret.zone");
    let zone = format!(
        "@ 60 IN SOA ns1 hostmaster 1 1 1 1 1\n@ 60 IN NS ns1.example.net.\n$INCLUDE {}\n$INCLUDE ../{}/secret.zone\n\
         $INCLUDE link.inc\n$INCLUDE inner/more.inc\n",
        secret.display(),
        outside.path().file_name().expect("a name").display(),
    );
    let directory = directory(&[("example.org.zone", &zone), ("inner/more.inc", "more 60 IN A 192.0.2.1\n")]);
    std::os::unix::fs::symlink(&secret, directory.path().join("link.zone")).expect("a link");
    std::os::unix::fs::symlink(&secret, directory.path().join("link.inc")).expect("a link");
    let run = check(directory.path());
    assert_eq!(run.zones(), [("example.org".to_owned(), 2)], "NS and what is inside");
    let findings = run.findings();
    let at = |file: &str| -> Vec<u64> {
        findings.iter().filter(|f| f["file"] == file).filter_map(|f| f["line"].as_u64()).collect()
    };
    assert_eq!(at("./example.org.zone"), [3, 4, 5], "{findings:#?}");
    assert_eq!(at("./link.zone"), [0]);
    for finding in &findings {
        assert!(finding["message"].to_string().contains("out of the directory"), "{finding:#}");
        assert!(!finding.to_string().contains("TXT"), "nothing of the file is told");
    }
}

#[test]
fn one_bad_line_of_a_master_file_does_not_hide_the_others() {
    let zone = "$TTL 60\n@ IN SOA ns1 hostmaster 1 1 1 1 1\n@ NS ns1.example.net.\nwww A 192.0.2.300\nmail A 192.0.2.1\n";
    let directory = directory(&[("example.org.zone", zone)]);
    let run = check(directory.path());
    assert_eq!(run.status, 1);
    assert_eq!(run.zones(), [("example.org".to_owned(), 2)]);
    let findings = run.findings();
    assert_eq!(findings.len(), 1);
    assert_told(&findings[0], 4, "", &["IPv4"]);
    assert_eq!(findings[0]["column"], 7);
}

#[test]
fn an_object_that_is_written_twice_is_told_where() {
    let directory = directory(&[
        ("a.yaml", &zone_yaml("example.com", GOOD)),
        ("b.yaml", &record_yaml("example-com", "www", "www", "A", "192.0.2.9")),
    ]);
    let findings = check(directory.path()).findings();
    assert_eq!(findings.len(), 1);
    assert_told(&findings[0], 5, "metadata.name", &["./a.yaml:8"]);
}

#[test]
fn a_clash_names_the_other_and_where_it_is() {
    let directory = directory(&[
        ("a.yaml", &zone_yaml("example.com", GOOD)),
        ("b.yaml", &record_yaml("example-com", "www2", "WWW.example.com.", "A", "192.0.2.9")),
    ]);
    let findings = check(directory.path()).findings();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0]["reason"], "Conflicted");
    assert_told(&findings[0], 8, "spec.name", &["DNSRecord default/www", "./a.yaml:8"]);
}

#[test]
fn a_grant_counts_as_in_a_cluster() {
    let zone = zone_yaml("example.com", GOOD).replacen(
        "spec:\n",
        "spec:\n  records:\n  - {namespaces: {matchLabels: {team: shop}}, names: [shop]}\n",
        1,
    );
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: shop}}\n";
    let foreign = |name: &str, owner: &str| {
        record_yaml("example-com", name, owner, "A", "192.0.2.9")
            .replace(&format!("  name: {name}\n"), &format!("  name: {name}\n  namespace: shop\n"))
            .replace("{name: example-com}", "{name: example-com, namespace: default}")
    };
    let records = foreign("shop", "shop") + &foreign("other", "other");
    let directory = directory(&[("zone.yaml", &zone), ("ns.yaml", namespace), ("shop.yaml", &records)]);
    let run = check(directory.path());
    assert_eq!(run.zones(), [("example.com".to_owned(), ALL_GOOD + 1)]);
    let findings = run.findings();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["object"], "DNSRecord shop/other");
    assert_eq!(findings[0]["reason"], "NotPermitted");
}

#[test]
fn the_exit_status_tells_right_from_wrong_from_not_run() {
    let directory = directory(&[("good.yaml", &zone_yaml("example.com", GOOD))]);
    let run = port53(directory.path(), &["check", "good.yaml"]);
    assert_eq!((run.status, run.out.as_str()), (0, "1 file, 1 zone, 2 DNSRecords: 0 errors, 0 warnings\n"));
    for arguments in
        [&["check", "missing"][..], &["check", "good.txt"], &["check"], &["check", "--no-such", "."]]
    {
        let run = port53(directory.path(), arguments);
        assert_eq!(run.status, 2, "{run:?}");
        assert!(!run.err.is_empty());
    }
    let empty = support::directory(&[("README.md", "nothing here")]);
    assert_eq!(port53(empty.path(), &["check", "."]).status, 2);
}

#[test]
fn github_gets_workflow_commands() {
    let directory = directory(&[(
        "bad.yaml",
        &(zone_yaml("example.com", &[]) + &record_yaml("example-com", "bad", "bad", "A", "x")),
    )]);
    let run = port53(directory.path(), &["check", "--output", "github", "bad.yaml"]);
    assert!(run.out.starts_with("::error file=bad.yaml,line=16,col=12,title=InvalidValue::"), "{}", run.out);
    assert_eq!(run.out.lines().count(), 1);
}
