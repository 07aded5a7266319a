//! Real zones in, right answers out: serves every zone of a directory as it is, and again after
//! `port53 import`, asks for every RRset over UDP and TCP, and compares with the input as an independent
//! reader sees it.
//!
//! What may be missing is known beforehand from the input alone: names with CNAME and other data, and, as
//! manifests, what only signing makes. Whatever else is not answered as it stands in the file is a failure.

mod expect;
mod input;

use domain::base::iana::Rtype;
use expect::Verdict;
use input::{Input, Key};
use port53_cli::report;
use port53_tests::ask::{Client, Question, Transport};
use port53_zone::{Name, name, rdata};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// As long as anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a client offers for UDP (RFC 9715 §3.2).
const PAYLOAD: u16 = 1232;
/// Failures that are shown of one zone.
const SHOWN: usize = 10;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("name a directory of master files: ZONES=dir make acceptance");
        return ExitCode::from(2);
    };
    match run(&directory) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// How a zone is given to Port53.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    MasterFile,
    Manifests,
}

/// What came of one zone in one form.
struct Outcome {
    zone: String,
    form: Form,
    rrsets: usize,
    accepted: usize,
    rejected: BTreeMap<String, usize>,
    asked: usize,
    right: usize,
    failures: Vec<String>,
    seconds: f64,
}

fn run(directory: &Path) -> Result<bool, Box<dyn Error>> {
    let port53 = program()?;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| [".zone", ".zone.gz"].iter().any(|end| file.to_string_lossy().ends_with(end)));
    files.sort();
    if files.is_empty() {
        return Err(format!("{} has no *.zone and no *.zone.gz", directory.display()).into());
    }
    let mut outcomes = Vec::new();
    for (i, file) in files.iter().enumerate() {
        let scratch = tempfile::tempdir()?;
        let (path, origin) = plain(file, scratch.path())?;
        let input = input::read(&path, &origin, scratch.path())?;
        for form in [Form::MasterFile, Form::Manifests] {
            eprintln!("{}/{}  {origin} as {}", i + 1, files.len(), form_text(form));
            outcomes.push(one(&port53, &input, &path, form, scratch.path())?);
        }
    }
    print(&outcomes);
    Ok(outcomes.iter().all(|outcome| outcome.failures.is_empty()))
}

/// The program that is built beside this one.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    let program = std::env::current_exe()?.with_file_name("port53-tested");
    if !program.is_file() {
        return Err(format!("{} is missing: run make acceptance", program.display()).into());
    }
    Ok(program)
}

/// The file, unpacked, in a directory of its own under the name of its zone; and that name.
fn plain(file: &Path, scratch: &Path) -> Result<(PathBuf, String), Box<dyn Error>> {
    let name = file.file_name().ok_or("no name")?.to_string_lossy().into_owned();
    let origin = name.trim_end_matches(".gz").trim_end_matches(".zone").to_owned();
    let directory = scratch.join("master");
    std::fs::create_dir_all(&directory)?;
    let path = directory.join(format!("{origin}.zone"));
    if name.ends_with(".gz") {
        let unpacked = Command::new("gunzip").arg("--stdout").arg(file).output()?;
        if !unpacked.status.success() {
            return Err(format!("gunzip cannot read {name}").into());
        }
        std::fs::write(&path, unpacked.stdout)?;
    } else {
        std::fs::copy(file, &path)?;
    }
    Ok((path, origin))
}

fn one(
    port53: &Path,
    input: &Input,
    file: &Path,
    form: Form,
    scratch: &Path,
) -> Result<Outcome, Box<dyn Error>> {
    let start = Instant::now();
    let mut left_out = 0;
    let directory = match form {
        Form::MasterFile => file.parent().ok_or("no directory")?.to_owned(),
        Form::Manifests => {
            let directory = scratch.join("manifests");
            let imported = Command::new(port53).arg("import").arg(file).arg("-o").arg(&directory).output()?;
            let said = String::from_utf8_lossy(&imported.stderr).into_owned();
            left_out = said.lines().filter(|line| line.contains(": left out: ")).count();
            if !imported.status.success() && left_out == 0 {
                return Err(format!("port53 import: {said}").into());
            }
            directory
        }
    };
    let serving = Serving::start(port53, &directory)?;
    let mut outcome = Outcome {
        zone: text_of(&input.apex),
        form,
        rrsets: input.rrsets.len(),
        accepted: 0,
        rejected: rejected(&serving.first),
        asked: 0,
        right: 0,
        failures: Vec::new(),
        seconds: 0.0,
    };
    ask_all(input, &serving, &mut outcome)?;
    let from_signing = input.rrsets.keys().filter(|key| is_from_signing(key)).count();
    let expected = if form == Form::Manifests { from_signing } else { 0 };
    if left_out != expected {
        outcome.failures.push(format!("{left_out} are not imported, and {expected} come from signing"));
    }
    if left_out > 0 {
        outcome.rejected.insert("not imported: signing makes it".to_owned(), left_out);
    }
    outcome.seconds = start.elapsed().as_secs_f64();
    Ok(outcome)
}

/// Asks for every RRset over both transports.
fn ask_all(input: &Input, serving: &Serving, outcome: &mut Outcome) -> Result<(), Box<dyn Error>> {
    let mut client = Client::connect(serving.address, PATIENCE)?;
    let mut absent = 0;
    for key in input.rrsets.keys() {
        let question = Question::new(&format!("{} {}", text_of(&key.0), type_text(key.1)), Some(PAYLOAD));
        let mut verdicts = Vec::new();
        for transport in [Transport::Udp, Transport::Tcp] {
            outcome.asked += 1;
            verdicts.push(expect::judge(input, key, &client.ask(&question, transport)?));
        }
        let is_not_imported = outcome.form == Form::Manifests && is_from_signing(key);
        match (&verdicts[0], &verdicts[1]) {
            (Verdict::Right | Verdict::Truncated, Verdict::Right) => {
                outcome.right += 2;
                outcome.accepted += usize::from(!is_not_imported);
            }
            (Verdict::Absent, Verdict::Absent) if is_not_imported => outcome.right += 2,
            (Verdict::Absent, Verdict::Absent) if input.clashes(&key.0) => {
                outcome.right += 2;
                absent += match outcome.form {
                    Form::MasterFile => input.lines[key],
                    Form::Manifests => 1,
                };
            }
            (udp, tcp) => outcome.failures.push(format!("{question}: UDP {udp:?}, TCP {tcp:?}")),
        }
    }
    let told: usize = outcome.rejected.values().sum();
    // Every absence was told, and nothing else was.
    if absent != told {
        outcome.failures.push(format!("{told} are told to be rejected, and {absent} are absent"));
    }
    Ok(())
}

/// What is never a DNSRecord.
fn is_from_signing((_, rtype): &Key) -> bool {
    [Rtype::RRSIG, Rtype::NSEC, Rtype::NSEC3].iter().any(|made| made.to_int() == *rtype)
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

fn print(outcomes: &[Outcome]) {
    let head = ["ZONE", "AS", "RRSETS", "ACCEPTED", "REJECTED", "ASKED", "RIGHT", "SECONDS"];
    let rows: Vec<Vec<String>> = outcomes
        .iter()
        .map(|outcome| {
            let reasons: Vec<String> = outcome.rejected.iter().map(|(why, n)| format!("{n} {why}")).collect();
            vec![
                outcome.zone.clone(),
                form_text(outcome.form).to_owned(),
                outcome.rrsets.to_string(),
                outcome.accepted.to_string(),
                if reasons.is_empty() { "0".to_owned() } else { reasons.join(", ") },
                outcome.asked.to_string(),
                outcome.right.to_string(),
                format!("{:.1}", outcome.seconds),
            ]
        })
        .collect();
    print!("{}", report::table(&head, &rows, report::Style::default()));
    for outcome in outcomes {
        for failure in outcome.failures.iter().take(SHOWN) {
            println!("{} as {}: {failure}", outcome.zone, form_text(outcome.form));
        }
        if outcome.failures.len() > SHOWN {
            println!("{}: and {} more", outcome.zone, outcome.failures.len() - SHOWN);
        }
    }
    let failures: usize = outcomes.iter().map(|outcome| outcome.failures.len()).sum();
    println!(
        "{} passed, {failures} failed",
        outcomes.iter().filter(|outcome| outcome.failures.is_empty()).count()
    );
}

fn form_text(form: Form) -> &'static str {
    match form {
        Form::MasterFile => "master file",
        Form::Manifests => "manifests",
    }
}

fn text_of(owner: &[u8]) -> String {
    Name::from_octets(owner.to_vec().into())
        .map_or_else(|_| format!("{owner:?}"), |owner| name::display(&owner))
}

fn type_text(rtype: u16) -> String {
    rdata::display_rtype(port53_zone::Rtype::from_int(rtype))
}
