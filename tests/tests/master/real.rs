//! Real zones: those of the directory in `ZONES`, or of the one that lies beside the repository.
//!
//! A zone that the peers refuse as a whole, because some names have a CNAME and other data, is shown to be
//! refused; then it is compared without exactly those names, and as it is by ldns, which refuses nothing.

use super::peers::{self, Printer};
use super::{File, Wrong, check_loading, compare, record_by_record, written};
use port53_tests::read::Read;
use port53_zone::rules::{Item, Limits, check};
use port53_zone::{Name, name};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Where real zones are when nobody says.
const BESIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/zones");

/// The rule that makes BIND, NSD and Knot refuse a zone.
const REFUSED: &str = "cname-and-other-data";

#[test]
fn we_read_and_write_every_real_zone_as_the_peers_do() {
    let temporary = TempDir::new().expect("a temporary directory");
    let files = real_zones(temporary.path());
    let mut wrong = Wrong::default();
    for file in &files {
        let read = file.read();
        for problem in &read.problems {
            wrong.add(&file.name(), format!("cannot be read: {problem}"));
        }
        let clashing = clashing(file, &read);
        if clashing.is_empty() {
            compare(file, &record_by_record(&read), &mut wrong);
            check_written(file, &read, &mut wrong);
        } else {
            check_refused(file, &read, &clashing, &mut wrong);
            let reduced = without(file, &read, &clashing, temporary.path());
            let read = reduced.read();
            compare(&reduced, &record_by_record(&read), &mut wrong);
            check_written(&reduced, &read, &mut wrong);
        }
    }
    wrong.report();
}

/// The files of `ZONES`, which must be there, or of [`BESIDE`], which may be. Packed ones are unpacked into
/// `dir`.
fn real_zones(dir: &Path) -> Vec<File> {
    let asked_for = std::env::var_os("ZONES").map(PathBuf::from);
    let from = asked_for.clone().unwrap_or_else(|| BESIDE.into());
    if asked_for.is_none() && !from.is_dir() {
        println!("no real zones in {}: name a directory of them in ZONES", from.display());
        return Vec::new();
    }
    let entries = fs::read_dir(&from).unwrap_or_else(|error| panic!("ZONES={}: {error}", from.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let files: Vec<File> = paths.iter().filter_map(|path| real_zone(path, dir)).collect();
    assert!(!files.is_empty(), "no NAME.zone in {}", from.display());
    files
}

fn real_zone(path: &Path, dir: &Path) -> Option<File> {
    let name = path.file_name()?.to_str()?;
    let path = match name.strip_suffix(".gz") {
        None => path.to_owned(),
        Some(unpacked) => {
            let output = Command::new("gzip").arg("-dc").arg(path).output().expect("gzip");
            assert!(output.status.success(), "gzip -dc {}", path.display());
            let copy = dir.join(unpacked);
            fs::write(&copy, output.stdout).expect("a file");
            copy
        }
    };
    let stem = path.file_name()?.to_str()?.strip_suffix(".zone")?;
    let zone = if stem == "root" { ".".to_owned() } else { format!("{stem}.") };
    let octets = fs::read(&path).expect("a readable file");
    // NSD refuses a SOA that stands first and last, as in a transfer.
    let text = String::from_utf8_lossy(&octets);
    let soas = text.lines().filter(|line| line.split_whitespace().take(5).any(|word| word == "SOA"));
    let differs = if soas.count() > 1 { vec!["nsd-checkzone".to_owned()] } else { Vec::new() };
    Some(File { path, octets, zone, differs })
}

/// The names for which the peers refuse the whole zone, as our rules find them.
fn clashing(file: &File, read: &Read) -> BTreeSet<Name> {
    let items: Vec<Item<'_>> = read
        .records
        .iter()
        .map(|record| Item {
            name: &record.name,
            rtype: record.rtype,
            ttl: record.ttl,
            values: std::slice::from_ref(&record.rdata),
        })
        .collect();
    let findings = check(&file.apex(), &items, &Limits::default());
    let clashes = findings.iter().filter(|finding| finding.rule.name == REFUSED);
    clashes.flat_map(|clash| &clash.items).map(|&item| read.records[item].name.clone()).collect()
}

/// The peers say the same of these names, by refusing the zone for them; ldns reads it as we do.
fn check_refused(file: &File, read: &Read, clashing: &BTreeSet<Name>, wrong: &mut Wrong) {
    match peers::load(&file.zone, &file.path, file.dir()) {
        Ok(()) => wrong.add(&file.name(), "the peers load it, but our rules find clashes".to_owned()),
        Err(said) => {
            for name in clashing {
                let name = name::display(name);
                if !said.contains(name.trim_end_matches('.')) {
                    wrong.add(&file.name(), format!("no peer speaks of {name}: {said}"));
                }
            }
        }
    }
    let temporary = TempDir::new().expect("a temporary directory");
    let ours = temporary.path().join("ours");
    fs::write(&ours, record_by_record(read)).expect("a file");
    let theirs = Printer::Ldns.read(&file.zone, &file.path, file.dir());
    if theirs != Printer::Ldns.read(&file.zone, &ours, file.dir()) || theirs.is_err() {
        wrong.add(&file.name(), "ldns-read-zone reads it otherwise".to_owned());
    }
}

/// A copy of `file` in `dir` without the lines of these names.
fn without(file: &File, read: &Read, names: &BTreeSet<Name>, dir: &Path) -> File {
    let left_out: BTreeSet<u32> = read
        .records
        .iter()
        .zip(&read.lines)
        .filter(|(record, _)| names.contains(&record.name))
        .flat_map(|(_, lines)| lines.clone())
        .collect();
    let mut octets = Vec::new();
    for (number, line) in (1..).zip(file.octets.split_inclusive(|&octet| octet == b'\n')) {
        if !left_out.contains(&number) {
            octets.extend_from_slice(line);
        }
    }
    let path = dir.join(format!("reduced-{}", file.name()));
    fs::write(&path, &octets).expect("a file");
    File { path, octets, zone: file.zone.clone(), differs: Vec::new() }
}

fn check_written(file: &File, read: &Read, wrong: &mut Wrong) {
    let written = written(file, read);
    check_loading(file, &written, wrong);
    compare(file, &written, wrong);
}
