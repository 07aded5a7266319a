//! A master file of the directory as a zone. What it includes is opened beneath the same directory, relative
//! to it, as a nameserver does with its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use port53_operator::objects::MasterZone;
use port53_zone::master::{Includes, Located, Options, Position, Problem, Reader};
use port53_zone::{Name, Record, Rtype, Soa, name};

use super::open::{Refused, Root, Stamp};
use crate::finding::{Finding, MALFORMED};

/// Octets that one file may include in all.
const GREATEST_INCLUDED: u64 = 256 << 20;
/// Findings that are told of one file; the others are counted.
const MOST_TOLD: usize = 1_000;

/// What a master file holds.
#[derive(Debug)]
pub(crate) struct Read {
    /// Nothing when there is no SOA.
    pub(crate) zone: Option<MasterZone>,
    pub(crate) findings: Vec<Finding>,
    /// The files it was read from, with their stamps, itself first; without one where there is none.
    pub(crate) sources: Vec<(PathBuf, Option<Stamp>)>,
}

/// Reads a master file, from `origin` on. `shown` is what it is called in findings.
///
/// # Errors
/// When the file itself cannot be opened.
pub(crate) fn read(
    root: &Root,
    relative: &Path,
    shown: &Arc<str>,
    origin: Option<Name>,
) -> Result<Read, Refused> {
    let (file, stamp) = root.open(relative)?;
    let mut includes = Beneath { root, opened: Vec::new(), octets: 0 };
    let options = Options { origin, includes: Some(&mut includes), ..Options::default() };
    let mut lines = Lines::default();
    for found in Reader::new(shown, Box::new(BufReader::new(file)), options) {
        match found {
            Ok(line) => lines.record(line),
            Err(problem) => lines.problem(problem, shown),
        }
    }
    let mut sources = vec![(relative.to_owned(), Some(stamp))];
    sources.append(&mut includes.opened);
    let (zone, findings) = lines.into_zone(shown);
    Ok(Read { zone, findings, sources })
}

/// `example.com.zone` begins with the origin example.com.
pub(crate) fn origin(path: &Path) -> Option<Name> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".zone")?;
    name::parse_absolute(stem).ok()
}

#[derive(Debug, Default)]
struct Lines {
    soa: Option<(Name, Located<Soa>)>,
    records: Vec<Located<Record>>,
    unread: usize,
    findings: Vec<Finding>,
}

impl Lines {
    fn record(&mut self, line: Located<Record>) {
        if self.soa.is_none()
            && line.value.rtype == Rtype::SOA
            && let Some(value) = Soa::from_rdata(&line.value.rdata, line.value.ttl)
        {
            let Located { position, end_line, .. } = line;
            self.soa = Some((line.value.name, Located { value, position, end_line }));
        } else {
            self.records.push(line);
        }
    }

    fn problem(&mut self, problem: Problem, shown: &Arc<str>) {
        self.unread += 1;
        if self.findings.len() < MOST_TOLD {
            self.findings.push(finding(problem, shown));
        }
    }

    fn into_zone(mut self, shown: &Arc<str>) -> (Option<MasterZone>, Vec<Finding>) {
        if self.unread > MOST_TOLD {
            let message = format!("{} more lines cannot be read", self.unread - MOST_TOLD);
            let fix = "see whether this is a master file at all";
            self.findings.push(Finding::error(shown, (0, 0), MALFORMED, message, fix));
        }
        let Some((apex, soa)) = self.soa else {
            let message = "there is no SOA, so it is not known which zone this is";
            let fix = "write the zone's SOA as the first record";
            self.findings.push(Finding::error(shown, (0, 0), MALFORMED, message, fix));
            return (None, self.findings);
        };
        let Lines { records, unread, findings, .. } = self;
        let zone = MasterZone { file: shown.clone(), apex, soa, records, unread };
        (Some(zone), findings)
    }
}

fn finding(problem: Problem, shown: &Arc<str>) -> Finding {
    let Problem { position, message, expected } = problem;
    let (file, at) = place(&position, shown);
    Finding::error(&file, at, MALFORMED, message, format!("write {expected}"))
}

/// A position as it is told: a file that was included is named with the way to it.
pub(crate) fn place(position: &Position, shown: &Arc<str>) -> (Arc<str>, (u32, u32)) {
    let at = (position.line, position.column);
    if position.file == *shown {
        return (shown.clone(), at);
    }
    (format!("{} (included by {shown})", position.file).into(), at)
}

/// Opens what `$INCLUDE` names, beneath the directory.
struct Beneath<'r> {
    root: &'r Root,
    opened: Vec<(PathBuf, Option<Stamp>)>,
    octets: u64,
}

impl Includes for Beneath<'_> {
    fn open(&mut self, path: &str) -> Result<Box<dyn BufRead>, String> {
        let path = Path::new(path);
        let opened = self.root.open(path);
        let stamp = opened.as_ref().ok().map(|(_, stamp)| stamp.clone());
        self.opened.push((path.to_owned(), stamp));
        let (file, stamp) = opened.map_err(|error| format!("{error}: {}", error.fix()))?;
        self.octets += stamp.size();
        if self.octets > GREATEST_INCLUDED {
            return Err(format!("more than {} MiB would be included in all", GREATEST_INCLUDED >> 20));
        }
        Ok(Box::new(BufReader::new(file)))
    }
}
