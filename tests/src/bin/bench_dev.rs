//! How long a saved change takes until `port53 dev` answers it.
//!
//! A record of a directory is written anew, again and again, and asked for over UDP until the new value is
//! answered; the time is from the moment the file is closed. For directories of several sizes, a file of
//! manifests for each hundred records.

use port53_cli::report;
use port53_tests::ask::{Client, Question, Transport};
use serde_json::Value;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SIZES: [usize; 4] = [20, 1_000, 10_000, 100_000];
const CHANGES: usize = 200;
const RECORDS_PER_FILE: usize = 100;
const RECORDS_PER_ZONE: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let port53 = std::env::current_exe()?.with_file_name("port53-tested");
    let mut rows = Vec::new();
    for records in SIZES {
        let directory = tempfile::tempdir()?;
        for file in 0..records.div_ceil(RECORDS_PER_FILE) {
            write_file(directory.path(), file, records, 0)?;
        }
        let start = Instant::now();
        let mut serving = start_dev(&port53, directory.path())?;
        let loaded = start.elapsed();
        let times = changes(&mut serving, directory.path(), records);
        serving.child.kill()?;
        serving.child.wait()?;
        let mut times = times?;
        times.sort();
        let at = |share: f64| milliseconds(times[((times.len() - 1) as f64 * share) as usize]);
        let row =
            [records.to_string(), milliseconds(loaded), times.len().to_string(), at(0.5), at(0.99), at(1.0)];
        rows.push(row.to_vec());
        eprintln!("{records} records done");
    }
    let head = ["RECORDS", "START MS", "CHANGES", "P50 MS", "P99 MS", "MOST MS"];
    print!("{}", report::table(&head, &rows, report::Style::default()));
    Ok(())
}

struct Serving {
    child: Child,
    client: Client,
}

fn start_dev(port53: &Path, directory: &Path) -> Result<Serving, Box<dyn Error>> {
    let mut child = Command::new(port53)
        .args(["dev", "--listen", "127.0.0.1:0", "--output", "json"])
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let first: Value = serde_json::from_str(&line)?;
    let address = first["listening"][0].as_str().ok_or("no address")?.parse()?;
    // What it says later is not needed, and must not fill the pipe.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    Ok(Serving { child, client: Client::connect(address, PATIENCE)? })
}

/// The time of each change, over all files.
fn changes(serving: &mut Serving, directory: &Path, records: usize) -> Result<Vec<Duration>, Box<dyn Error>> {
    let files = records.div_ceil(RECORDS_PER_FILE);
    let mut times = Vec::new();
    for change in 1..=CHANGES {
        let file = (change * 7_919) % files;
        let number = file * RECORDS_PER_FILE;
        let owner = format!("host{number}.zone{}.example.", number / RECORDS_PER_ZONE);
        let question = Question::new(&format!("{owner} A"), None);
        write_file(directory, file, records, change)?;
        let saved = Instant::now();
        let wanted = address(change);
        loop {
            let answer = serving.client.ask(&question, Transport::Udp)?;
            if answer.answers.iter().any(|record| record.data.to_string() == wanted) {
                break;
            }
            if saved.elapsed() > PATIENCE {
                return Err(format!("change {change} of {owner} is not answered").into());
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        times.push(saved.elapsed());
    }
    Ok(times)
}

/// Writes one file. Its first record has the address of `change`; the first file of a zone has the Zone.
fn write_file(directory: &Path, file: usize, records: usize, change: usize) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    let first = file * RECORDS_PER_FILE;
    if first.is_multiple_of(RECORDS_PER_ZONE) {
        let zone = first / RECORDS_PER_ZONE;
        writeln!(
            text,
            "apiVersion: port53.dev/v1alpha1\nkind: Zone\nmetadata: {{name: zone{zone}}}\nspec:\n  \
             domain: zone{zone}.example\n  nameservers: [ns1.dns.example.net]"
        )?;
    }
    for number in first..records.min(first + RECORDS_PER_FILE) {
        let zone = number / RECORDS_PER_ZONE;
        let value = if number == first { address(change) } else { address(number) };
        writeln!(
            text,
            "---\napiVersion: port53.dev/v1alpha1\nkind: DNSRecord\nmetadata: {{name: host{number}}}\nspec:\n  \
             zoneRef: {{name: zone{zone}}}\n  name: host{number}\n  type: A\n  ttl: 60\n  values: [{value}]"
        )?;
    }
    Ok(std::fs::write(directory.join(format!("records-{file}.yaml")), text)?)
}

fn address(number: usize) -> String {
    format!("192.0.{}.{}", number / 250 % 250, number % 250 + 1)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}
