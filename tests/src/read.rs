//! Master files, and what Port53 reads in them.

use port53_zone::master::{Options, Problem, Reader};
use port53_zone::{RRset, Record, Rtype, Soa, name};
use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Read {
    /// Its records, in its order.
    pub records: Vec<Record>,
    /// The lines that each record stands on.
    pub lines: Vec<RangeInclusive<u32>>,
    /// What is wrong in it.
    pub problems: Vec<Problem>,
}

/// The files `NAME.zone` and `NAME.zone.gz` of a directory: their names and what is in them.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn master_files(directory: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let wrong = |what: &str| io::Error::other(format!("{}: {what}", directory.display()));
    let entries = std::fs::read_dir(directory).map_err(|error| wrong(&error.to_string()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(stem) = name.strip_suffix(".zone") {
            files.push((stem.to_owned(), std::fs::read(&path)?));
        } else if let Some(stem) = name.strip_suffix(".zone.gz") {
            let unpacked = Command::new("gunzip").arg("--stdout").arg(&path).output()?;
            if !unpacked.status.success() {
                return Err(wrong(&format!("gunzip cannot read {name}")));
            }
            files.push((stem.to_owned(), unpacked.stdout));
        }
    }
    if files.is_empty() { Err(wrong("no *.zone and no *.zone.gz")) } else { Ok(files) }
}

/// Reads `octets` as the file `file` with `origin`; what it includes is beside it, in `dir`.
pub fn read(file: &str, octets: &[u8], origin: &str, dir: Option<&Path>) -> Read {
    let mut includes = Beside { dir };
    let options = Options {
        origin: Some(name::parse_absolute(origin).expect("an origin")),
        includes: dir.is_some().then_some(&mut includes as &mut dyn port53_zone::master::Includes),
        ..Options::default()
    };
    let mut read = Read::default();
    for found in Reader::new(file, Box::new(octets), options) {
        match found {
            Ok(record) => {
                read.lines.push(record.position.line..=record.end_line);
                read.records.push(record.value);
            }
            Err(problem) => read.problems.push(problem),
        }
    }
    read
}

struct Beside<'a> {
    dir: Option<&'a Path>,
}

impl port53_zone::master::Includes for Beside<'_> {
    fn open(&mut self, path: &str) -> Result<Box<dyn std::io::BufRead>, String> {
        let dir = self.dir.ok_or("nothing is included here")?;
        let file = std::fs::File::open(dir.join(path)).map_err(|error| error.to_string())?;
        Ok(Box::new(std::io::BufReader::new(file)))
    }
}

impl Read {
    /// The SOA and the RRsets beside it, in canonical order. Where TTLs differ in a set, the lowest counts
    /// (RFC 2181 §5.2).
    ///
    /// # Panics
    /// When there is no SOA.
    pub fn rrsets(&self) -> (Soa, Vec<RRset>) {
        let mut sets: BTreeMap<_, Vec<&Record>> = BTreeMap::new();
        for record in self.records.iter().filter(|record| record.rtype != Rtype::SOA) {
            sets.entry((name::SortKey::of(&record.name), record.rtype.to_int())).or_default().push(record);
        }
        let rrsets = sets.into_values().map(|records| {
            let ttl = records.iter().map(|record| record.ttl).min().expect("a record");
            let values = records.iter().map(|record| record.rdata.clone());
            RRset::new(records[0].name.clone(), records[0].rtype, ttl, values)
        });
        let soa = self.records.iter().find(|record| record.rtype == Rtype::SOA).expect("a SOA");
        (Soa::from_rdata(&soa.rdata, soa.ttl).expect("a SOA's value"), rrsets.collect())
    }
}
