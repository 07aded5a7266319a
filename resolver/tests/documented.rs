//! What docs/resolver.md says of settings and metrics is what the program has.

mod support;

use port53_resolver::forward::{self, Forwarder};
use port53_resolver::health::{ASSEMBLY_GRACE, Health};
use port53_resolver::limits::PRIVATE;
use port53_resolver::metrics::Metrics;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::Arc;
use support::*;

const DOCS: &str = include_str!("../../docs/resolver.md");

/// The rows of the table with this head, as their cells.
fn table(head: &str) -> Vec<Vec<&'static str>> {
    let (_, table) = DOCS.split_once(head).unwrap_or_else(|| panic!("no table {head}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_table_of_settings_has_every_flag_with_its_default() {
    let mut documented = BTreeMap::new();
    for row in table("| flag | default | what |") {
        let (flags, defaults) = (quoted(row[0]), quoted(row[1]));
        for (i, flag) in flags.iter().enumerate() {
            let default = match flags.len() {
                1 => defaults.join(" "),
                _ => defaults.get(i).copied().unwrap_or_default().to_owned(),
            };
            let default = if row[1] == "private addresses" { PRIVATE.join(" ") } else { default };
            assert_eq!(documented.insert((*flag).to_owned(), default), None, "{flag} twice");
        }
    }
    let help = Command::new(env!("CARGO_BIN_EXE_port53-resolver")).arg("--help").output().expect("runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let (_, options) = help.split_once("Options:").expect("options");
    let mut had = BTreeMap::new();
    for option in options.split("\n      --").skip(1) {
        let (flag, text) = option.split_once([' ', '\n']).expect("a flag and what it is");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let default = text.split_once("[default: ").and_then(|(_, rest)| rest.strip_suffix(']'));
        let default = default.unwrap_or_default().trim_matches('"');
        had.insert(format!("--{flag}"), default.to_owned());
    }
    // The text above the table has it.
    had.remove("--config").expect("it is a flag");
    assert_eq!(documented, had);
}

#[tokio::test]
async fn the_table_of_metrics_has_every_metric() {
    let dir = tempfile::tempdir().expect("a directory");
    tls::write(dir.path(), &tls::issue());
    let publisher = published();
    let metrics = Metrics {
        traffic: Arc::default(),
        publisher: publisher.clone(),
        disk: Some(Arc::default()),
        kubernetes: Some(Arc::default()),
        transfers: Some(Arc::default()),
        forwarder: Some(Forwarder::start(&publisher, Arc::default(), forward::Settings::default())),
        health: Health::new(publisher, &[], None, ASSEMBLY_GRACE),
        reloads: Arc::default(),
        certificate: Some(tls::certificate_in(dir.path())),
        zones_with_metrics: 1,
    };
    let scrape = metrics.scrape();
    let described = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let had: BTreeSet<String> = described
        .map(|line| match line.split_once(' ') {
            Some((family, "counter")) => format!("{family}_total"),
            Some((family, _)) => family.to_owned(),
            None => panic!("{line}"),
        })
        .collect();
    let documented: BTreeSet<String> =
        table("| name | labels | what |").iter().flat_map(|row| quoted(row[0])).map(str::to_owned).collect();
    assert_eq!(documented, had);
    // And its labels, where there is something of it here.
    for row in table("| name | labels | what |") {
        let labels: BTreeSet<&str> = row[1].split(", ").filter(|label| !label.is_empty()).collect();
        for name in quoted(row[0]) {
            let begin = [name.to_owned(), format!("{name}_count")]
                .map(|name| [format!("{name}{{"), format!("{name} ")]);
            let is_it = |line: &&str| begin.iter().flatten().any(|begin| line.starts_with(begin));
            let Some(sample) = scrape.lines().find(is_it) else { continue };
            let of_sample = sample.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
            let of_sample = of_sample.map_or("", |(all, _)| all).split(',');
            let had = of_sample.filter_map(|label| Some(label.split_once('=')?.0)).collect();
            assert_eq!(labels, had, "{name}");
        }
    }
}
