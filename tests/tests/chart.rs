//! What of the chart can be looked at without a cluster: alerts on recorded cases, names of metrics, the list of values.

use port53_tests::process;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// "alert rules checked with `promtool` on recorded cases"
#[test]
fn alerts_come_when_they_are_to_and_not_before() {
    let done = process::run("promtool", &["test", "rules", "alerts.yaml"], &file("."));
    assert!(done.success, "{}{}", done.stdout, done.stderr);
    let (alerts, cases) = (text("../charts/port53/files/alerts.yaml"), text("alerts.yaml"));
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(cases.contains(&format!("alertname: {alert}")), "no case has {alert}");
    }
}

/// Alerts and the dashboard ask for what is there: a name that nobody counts is never seen to be wrong.
#[test]
fn every_metric_that_is_asked_for_is_counted() {
    let by_resolvers = text("../resolver/src/metrics.rs");
    let by_operators = text("../operator/src/metrics.rs");
    for path in ["../charts/port53/files/alerts.yaml", "../charts/port53/files/dashboard.json"] {
        let asked = metrics(&text(path));
        assert!(asked.len() > 5, "{path}: {asked:?}");
        for name in asked {
            // What the form of the text adds, and what the registry does.
            let base = ["_bucket", "_total"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
            let own = base.trim_start_matches("port53_").trim_start_matches("operator_");
            let own = own.trim_end_matches("_seconds");
            let is_counted =
                by_resolvers.contains(&format!("\"{base}\"")) || by_operators.contains(&format!("\"{own}\""));
            assert!(is_counted, "{path}: nobody counts {name}");
        }
    }
    serde_json::from_str::<serde_json::Value>(&text("../charts/port53/files/dashboard.json")).expect("JSON");
}

/// Names of metrics in a text; labels are not among them.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let words = text.split(|character| !is_of_name(character));
    let names = words.filter(|word| word.starts_with("port53_") && !word.starts_with("port53_dev_"));
    names.map(str::to_owned).collect()
}

/// Who applies the definitions before an upgrade may do so to each: a new one was forbidden, and no upgrade went through.
#[test]
fn every_definition_may_be_applied_by_an_upgrade() {
    let template = text("../charts/port53/templates/definitions.yaml");
    let named: BTreeSet<&str> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .filter(|line| line.ends_with(".port53.dev"))
        .collect();
    let definitions = port53_crds::definitions();
    let expected: BTreeSet<&str> =
        definitions.iter().filter_map(|definition| definition.metadata.name.as_deref()).collect();
    assert_eq!(named, expected);
}

/// `UPDATE=1` writes it.
#[test]
fn the_readme_lists_the_values() {
    let expected = readme(&text("../charts/port53/values.yaml"));
    let path = "../charts/port53/README.md";
    if std::env::var_os("UPDATE").is_some() {
        fs::write(file(path), &expected).expect("a file");
    }
    assert_eq!(text(path), expected, "run make generate");
}

/// Every value is in the schema, with all its parts, so that a wrong name is refused and not passed over.
#[test]
fn the_schema_knows_every_value() {
    let schema: serde_json::Value =
        serde_json::from_str(&text("../charts/port53/values.schema.json")).expect("JSON");
    for value in values(&text("../charts/port53/values.yaml")) {
        let mut at = &schema;
        for part in value.path.split('.') {
            // What is handed on as it is, is checked by the definition of the NameserverSet.
            if at.get("properties").is_none() {
                break;
            }
            assert_eq!(at["additionalProperties"], false, "{}: above {part} anything goes", value.path);
            at = &at["properties"][part];
            assert!(at.is_object(), "the schema has no {}", value.path);
        }
    }
}

/// A value of the chart.
struct Value {
    path: String,
    default: String,
    what: String,
}

fn readme(yaml: &str) -> String {
    let mut text = "# The chart of Port53\n\n\
        [docs/install.md](../../docs/install.md) says how it is installed, upgraded and taken away. Values are checked by \
        `values.schema.json`; this list is made of `values.yaml` by `make generate`.\n\n\
        | value | default | what it is |\n|---|---|---|\n"
        .to_owned();
    for Value { path, default, what } in values(yaml) {
        assert!(!what.is_empty(), "values.yaml says nothing of {path}");
        let _ = writeln!(text, "| `{path}` | {default} | {what} |");
    }
    text
}

/// The values of the file in their order: each key with the comment above it. Keys without a value are headings, whose
/// comment belongs to the first below that has none.
fn values(yaml: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut comment = String::new();
    let lines: Vec<&str> = yaml.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(more) = line.strip_prefix("# ") {
            comment = if comment.is_empty() { more.to_owned() } else { format!("{comment} {more}") };
            continue;
        }
        let Some((key, value)) = line.split_once(':').filter(|_| !line.starts_with('-')) else {
            comment.clear();
            continue;
        };
        above.retain(|(other, _)| *other < indent);
        let path: Vec<&str> = above.iter().map(|(_, key)| key.as_str()).chain([key]).collect();
        let path = path.join(".");
        let next = lines.get(number + 1).map_or("", |line| line.trim());
        let default = match value.trim() {
            "" if next.starts_with('-') => {
                let items = lines[number + 1..].iter().map(|line| line.trim());
                let items =
                    items.take_while(|line| line.starts_with('-')).map(|line| format!("`{}`", &line[2..]));
                Some(items.collect::<Vec<_>>().join(", "))
            }
            "" => None,
            value => Some(format!("`{value}`")),
        };
        match default {
            Some(default) => {
                all.push(Value { path, default, what: std::mem::take(&mut comment).replace('|', "\\|") });
            }
            None => {
                above.push((indent, key.to_owned()));
                comment.clear();
            }
        }
    }
    all
}
