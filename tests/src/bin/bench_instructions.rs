//! Instructions of an answer of each kind, compared with those that are kept: `make bench-instructions`.
//!
//! Runs the benchmark `instructions` under valgrind, prints a table, and fails when a kind needs more than a few per
//! cent more than `bench/results/instructions.json` says. With `--keep` it writes what it counted there instead.

use clap::Parser;
use port53_cli::report;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Queries that the benchmark counts together.
const QUERIES: u64 = 32;

#[derive(Debug, Parser)]
struct Arguments {
    /// Keep what was counted, as what is compared with from now on.
    #[arg(long)]
    keep: bool,
    /// Per cent more that are no failure: the keys of hashes are drawn anew each time.
    #[arg(long, default_value_t = 2.0)]
    tolerance: f64,
    /// The commit that is measured, for the report.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Where `instructions.md` and `instructions.json` are.
    #[arg(long, default_value = "bench/results")]
    results: PathBuf,
}

/// What one answer of a kind costs.
struct Counted {
    kind: String,
    instructions: f64,
    /// Accesses that the first cache did not have, as valgrind simulates it.
    misses: f64,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let counted = count()?;
    let file = arguments.results.join("instructions.json");
    let kept: Value = match fs::read(&file) {
        Ok(octets) => serde_json::from_slice(&octets)?,
        Err(_) if arguments.keep => Value::Null,
        Err(error) => return Err(format!("{}: {error}; --keep makes it", file.display()).into()),
    };
    let before = |kind: &str| kept["instructions"][kind].as_f64();
    print!("{}", table(&counted, before));
    if arguments.keep {
        let instructions: Map<String, Value> = counted
            .iter()
            .map(|counted| (counted.kind.clone(), json!(counted.instructions.round())))
            .collect();
        let json = json!({ "commit": arguments.commit, "instructions": instructions });
        fs::write(&file, format!("{json:#}\n"))?;
        fs::write(arguments.results.join("instructions.md"), markdown(&arguments, &counted))?;
        println!("kept in {}", arguments.results.display());
        return Ok(ExitCode::SUCCESS);
    }
    let is_worse = |counted: &&Counted| {
        before(&counted.kind)
            .is_none_or(|before| counted.instructions > before * (1.0 + arguments.tolerance / 100.0))
    };
    let worse: Vec<&str> = counted.iter().filter(is_worse).map(|counted| counted.kind.as_str()).collect();
    if worse.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("more than {} % above what is kept, or not kept: {}", arguments.tolerance, worse.join(", "));
    Ok(ExitCode::FAILURE)
}

fn count() -> Result<Vec<Counted>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["bench", "--quiet", "--package", "port53-resolver", "--bench", "instructions", "--"])
        .args(["--output-format=json"])
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the benchmark ended with {}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| counted(&serde_json::from_str(line)?))
        .collect()
}

fn counted(summary: &Value) -> Result<Counted> {
    let text =
        |key: &str| summary[key].as_str().ok_or_else(|| format!("no {key} in what the benchmark says"));
    let (function, id) = (text("function_name")?, text("id")?);
    let metrics = &summary["profiles"][0]["data"]["total"]["metrics"];
    let number = |name: &str| {
        find(metrics, name)
            .and_then(Value::as_u64)
            .ok_or_else(|| format!("no {name} in what valgrind counted"))
    };
    let (kind, threads) = match (function, id) {
        ("answers", kind) => (kind.replace('_', " "), 1),
        (_, "one") => ("address, one thread".to_owned(), 1),
        (_, "two") => ("address, each of two threads".to_owned(), 2),
        (_, _) => ("address, each of four threads".to_owned(), 4),
    };
    let each = |name: &str| Ok::<_, String>(number(name)? as f64 / (QUERIES * threads) as f64);
    Ok(Counted { kind, instructions: each("Ir")?, misses: each("I1mr")? + each("D1mr")? + each("D1mw")? })
}

/// The number with this name, wherever it stands.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => {
            map.get(name).map(number).unwrap_or_else(|| map.values().find_map(|value| find(value, name)))
        }
        Value::Array(values) => values.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

fn number(value: &Value) -> Option<&Value> {
    match value {
        Value::Object(map) => map.values().find_map(number),
        Value::Array(values) => values.iter().find_map(number),
        Value::Number(_) => Some(value),
        _ => None,
    }
}

fn table(counted: &[Counted], before: impl Fn(&str) -> Option<f64>) -> String {
    let rows: Vec<Vec<String>> = counted
        .iter()
        .map(|counted| {
            let kept = before(&counted.kind);
            let change = kept.map(|kept| format!("{:+.1} %", (counted.instructions / kept - 1.0) * 100.0));
            vec![
                counted.kind.clone(),
                format!("{:.0}", counted.instructions),
                kept.map_or_else(|| "-".to_owned(), |kept| format!("{kept:.0}")),
                change.unwrap_or_else(|| "-".to_owned()),
                format!("{:.1}", counted.misses),
            ]
        })
        .collect();
    report::table(&["ANSWER", "INSTRUCTIONS", "KEPT", "CHANGE", "MISSES"], &rows, report::Style::default())
}

fn markdown(arguments: &Arguments, counted: &[Counted]) -> String {
    let mut text = "# What an answer costs, in instructions\n\n".to_owned();
    text += "`make bench-instructions`: through the gate of a UDP thread with the settings that are shipped: parsing, \
             cookies,\nlookup, writing, rate limits; no system calls. Counted by valgrind, which also simulates a first \
             cache of 64 KiB;\nthe misses are those of a cache that other kinds have used before. Threads with gates of \
             their own and the same\nzones need no more instructions for an answer than one alone: nothing is waited for.\n\n";
    text += &format!("Commit {}.\n\n| answer | instructions | misses |\n|---|---|---|\n", arguments.commit);
    for Counted { kind, instructions, misses } in counted {
        text += &format!("| {kind} | {instructions:.0} | {misses:.1} |\n");
    }
    text
}
