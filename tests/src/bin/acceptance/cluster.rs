//! Zones through the API server, as a person brings them in: `port53 import FILE --apply`, all into one cluster, one
//! after the other; and when all are there each is asked for, so that zones above and below each other are seen
//! together.

use crate::File;
use crate::ask::{Form, Outcome, ask_all, text_of_key};
use crate::expect;
use crate::input::{self, Input};
use crate::objects::{Imported, Objects};
use port53_cli::yaml;
use port53_tests::platform::{Platform, Programs, Settings, beside};
use serde_json::Value;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const NAMESPACE: &str = "acceptance";

pub(crate) fn run(files: &[File]) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let port53 = beside("port53-tested")?;
    let platform = Platform::start(Programs::beside()?, Settings::default());
    platform.cluster.ensure_namespace(NAMESPACE);
    let kubeconfig = platform.cluster.kubeconfig();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = runtime.block_on(async { platform.cluster.client() });
    let objects = Objects::new(&client, NAMESPACE);

    let mut all = Vec::new();
    for (i, file) in files.iter().enumerate() {
        eprintln!("{}/{}  {}: importing", i + 1, files.len(), file.origin);
        let input = input::read(&file.path, &file.origin, file.scratch()?)?;
        let mut outcome = Outcome::new(&input, Form::Cluster);
        let start = Instant::now();
        let imported = import(&port53, &kubeconfig, file, &input, &mut outcome)?;
        runtime.block_on(objects.settle(&imported))?;
        outcome.seconds = start.elapsed().as_secs_f64();
        all.push((input, imported, outcome));
    }
    for (i, (input, imported, outcome)) in all.iter_mut().enumerate() {
        eprintln!("{}/{}  {}: asking", i + 1, files.len(), outcome.zone);
        let start = Instant::now();
        let said = runtime.block_on(objects.said(imported))?;
        let told: BTreeSet<_> = said.rejected.keys().cloned().collect();
        for (key, (reason, message)) in &said.rejected {
            *outcome.rejected.entry(reason.clone()).or_default() += 1;
            outcome.told.push(format!("{}: {message}", text_of_key(key)));
        }
        outcome.failures.extend(expect::refused_otherwise(&outcome.zone, &told));
        for resolver in &platform.resolvers {
            let absent = ask_all(input, resolver.address(), outcome)?;
            // Every absence was told, and nothing else was.
            for key in absent.difference(&told) {
                outcome.failures.push(format!("{} is absent, and not told to be rejected", text_of_key(key)));
            }
            for key in told.difference(&absent) {
                outcome.failures.push(format!("{} is told to be rejected, and not absent", text_of_key(key)));
            }
        }
        outcome.seconds += start.elapsed().as_secs_f64();
    }
    Ok(all.into_iter().map(|(_, _, outcome)| outcome).collect())
}

/// Brings a zone into the cluster. What the API server refuses is a failure; what is no DNSRecord is left out.
fn import(
    port53: &Path,
    kubeconfig: &Path,
    file: &File,
    input: &Input,
    outcome: &mut Outcome,
) -> Result<Imported, Box<dyn Error>> {
    let rejects = file.scratch()?.join("rejects.yaml");
    let done = Command::new(port53)
        .arg("import")
        .arg(&file.path)
        .args(["--apply", "--namespace", NAMESPACE, "--kubeconfig"])
        .arg(kubeconfig)
        .arg("--rejects")
        .arg(&rejects)
        .output()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    // There is no such file when nothing was refused.
    let (objects, all) = match rejects.exists() {
        true => refused(&std::fs::read_to_string(&rejects)?)?,
        false => (Vec::new(), 0),
    };
    let is_zone_refused = objects.iter().any(|object| object["kind"] == "Zone");
    if done.status.success() == (all > 0) || said.contains("not done: ") || is_zone_refused {
        return Err(format!("port53 import of {}: {}: {said}", file.origin, done.status).into());
    }
    for object in &objects {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let lines = said.lines().filter(|line| line.contains(&format!("/{name} ")));
        outcome.failures.extend(lines.map(str::to_owned));
    }
    outcome.is_left_out(input, all - objects.len());
    // The SOA is in the Zone.
    Imported::new(input, input.rrsets.len() - 1 - all)
}

/// The objects that were refused, and how many RRsets were refused in all: what is no object is a comment.
fn refused(rejects: &str) -> Result<(Vec<Value>, usize), Box<dyn Error>> {
    let all = rejects.lines().filter(|line| *line == "---").count();
    let mut objects = Vec::new();
    for document in yaml::documents(rejects.as_bytes()) {
        objects.push(document.map_err(|problem| problem.to_string())?.value);
    }
    Ok((objects, all))
}
