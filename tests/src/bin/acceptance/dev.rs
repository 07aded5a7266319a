//! Zones through `port53 dev`: each as it is, and again as the manifests that `port53 import` makes of it.

use crate::ask::{Form, Outcome, ask_all};
use crate::expect;
use crate::input::{self, Input};
use crate::{File, table};
use port53_tests::platform::beside;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

pub(crate) fn run(files: &[File]) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let port53 = beside("port53-tested")?;
    let mut outcomes = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let input = input::read(&file.path, &file.origin, file.scratch()?)?;
        for form in [Form::MasterFile, Form::Manifests] {
            eprintln!("{}/{}  {} as {}", i + 1, files.len(), file.origin, table::form_text(form));
            outcomes.push(one(&port53, &input, file, form)?);
        }
    }
    Ok(outcomes)
}

fn one(port53: &Path, input: &Input, file: &File, form: Form) -> Result<Outcome, Box<dyn Error>> {
    let start = Instant::now();
    let (directory, left_out) = match form {
        Form::MasterFile => (file.path.parent().ok_or("no directory")?.to_owned(), 0),
        Form::Manifests | Form::Cluster => import(port53, file)?,
    };
    let serving = Serving::start(port53, &directory)?;
    let mut outcome = Outcome::new(input, form);
    outcome.rejected = rejected(&serving.first);
    let absent = ask_all(input, serving.address, &mut outcome)?;
    outcome.failures.extend(expect::refused_otherwise(&outcome.zone, &absent));
    let told: usize = outcome.rejected.values().sum();
    let absent: usize = match form {
        Form::MasterFile => absent.iter().map(|key| input.lines[key]).sum(),
        Form::Manifests | Form::Cluster => absent.len(),
    };
    // Every absence was told, and nothing else was.
    if absent != told {
        outcome.failures.push(format!("{told} are told to be rejected, and {absent} are absent"));
    }
    if form != Form::MasterFile {
        outcome.is_left_out(input, left_out);
    }
    outcome.seconds = start.elapsed().as_secs_f64();
    Ok(outcome)
}

/// Makes manifests of a zone. Returns where they are, and how many RRsets were left out.
fn import(port53: &Path, file: &File) -> Result<(PathBuf, usize), Box<dyn Error>> {
    let directory = file.scratch()?.join("manifests");
    let imported = Command::new(port53).arg("import").arg(&file.path).arg("-o").arg(&directory).output()?;
    let said = String::from_utf8_lossy(&imported.stderr).into_owned();
    let left_out = said.lines().filter(|line| line.contains(": left out: ")).count();
    if !imported.status.success() && left_out == 0 {
        return Err(format!("port53 import: {said}").into());
    }
    Ok((directory, left_out))
}

/// How many records or DNSRecords are told to be rejected, by rule or reason.
fn rejected(update: &Value) -> BTreeMap<String, usize> {
    let mut rejected = BTreeMap::new();
    let findings = update["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    for finding in findings.iter().filter(|finding| finding["severity"] == "error") {
        let why = finding["rule"].as_str().or(finding["reason"].as_str()).unwrap_or_default();
        *rejected.entry(why.to_owned()).or_default() += 1;
    }
    rejected
}

/// A running `port53 dev`, ended when dropped.
struct Serving {
    child: Child,
    address: SocketAddr,
    /// What it said first.
    first: Value,
}

impl Serving {
    fn start(port53: &Path, directory: &Path) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(port53)
            .args(["dev", "--listen", "127.0.0.1:0", "--output", "json"])
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let first: Value = serde_json::from_str(&line)?;
        let address = first["listening"][0].as_str().ok_or("no address")?.parse()?;
        Ok(Serving { child, address, first })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
