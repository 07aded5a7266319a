//! YAML of octoDNS: a file for each zone, whose name is that of the file.
//!
//! ```yaml
//! '':                       # the apex; a name is relative to the zone
//!   - type: MX
//!     values: [{preference: 10, exchange: mx.example.net.}]
//! www:
//!   type: A
//!   ttl: 60                 # 3600 when left out
//!   values: [192.0.2.80, 192.0.2.81]
//! ```
//!
//! With `split_extension` a zone is a directory, `example.com./`, of such files. There is no SOA: the provider has one.
//!
//! What octoDNS makes of a record depends on its providers in some cases; those records are left out, each with
//! what to do instead: what answers by place or health (`dynamic`, `geo`), what only providers have (ALIAS,
//! URLFWD), what goes to some providers alone (`included`). A file is read as it is written ([`Reading::AS_WRITTEN`]):
//! `no` as a name, and what octoDNS makes of that, is in [`keys`].
//!
//! | room | what it does |
//! |---|---|
//! | [`values`] | texts and fields to values |
//! | [`keys`] | names that YAML takes for something else |

mod keys;
mod values;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use port53_crds::MAX_TTL;
use port53_zone::master::Position;
use port53_zone::{Name, RRset, Rtype, name, rdata};
use serde_json::Value;

use super::LeftOut;
use crate::finding::{Finding, MALFORMED};
use crate::yaml::{self, Document, Places, Reading};

/// The TTL of a record that has none, as the provider of octoDNS has it.
pub const DEFAULT_TTL: u32 = 3600;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Read {
    /// RRsets, and where each stands; the same owner and type may be there again.
    pub rrsets: Vec<(RRset, Position)>,
    /// What is not taken.
    pub left_out: Vec<LeftOut>,
    /// What is wrong with the file, or of no use here.
    pub findings: Vec<Finding>,
}

/// The zone of a file by its name, `example.com.yaml`, or by that of its directory, `example.com./www.yaml`. As with
/// octoDNS, the name of a zone has a dot.
pub fn origin(path: &Path) -> Option<Name> {
    let text = |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).map(str::to_owned);
    let directory = text(path.parent().and_then(Path::file_name));
    if let Some(zone) = directory.filter(|directory| name::is_absolute(directory)) {
        return name::parse_absolute(&zone).ok();
    }
    let file = text(path.file_name())?;
    let stem = file.strip_suffix(".yaml").or(file.strip_suffix(".yml"))?;
    name::parse_absolute(stem).ok().filter(|_| stem.contains('.'))
}

/// Reads the text of a file as records of `apex`. `file` is what it is called. Records without a TTL have `default_ttl`.
pub fn read(text: &[u8], file: &Arc<str>, apex: &Name, default_ttl: u32) -> Read {
    let mut read = Read::default();
    for document in yaml::read(text, Reading::AS_WRITTEN) {
        match document {
            Ok(document) => Reader { text, file, apex, default_ttl, read: &mut read }.document(&document),
            Err(problem) => {
                let at = (problem.place.line, problem.place.column);
                read.findings.push(Finding::error(file, at, MALFORMED, problem.message, problem.fix));
            }
        }
    }
    read
}

struct Reader<'a> {
    text: &'a [u8],
    file: &'a Arc<str>,
    apex: &'a Name,
    default_ttl: u32,
    read: &'a mut Read,
}

/// A record in its document.
struct Entry<'d> {
    /// The name as it is written.
    key: &'d str,
    record: &'d Value,
    position: Position,
}

impl Reader<'_> {
    fn document(&mut self, Document { value, places, line }: &Document) {
        let Value::Object(names) = value else {
            let message = "this is no zone of octoDNS: it is no mapping of names";
            let fix = "write each name with its records below it";
            return self.read.findings.push(Finding::error(self.file, (*line, 0), MALFORMED, message, fix));
        };
        let lines: Vec<&[u8]> = self.text.split(|octet| *octet == b'\n').collect();
        for (key, records) in names {
            let path = step(key);
            let is_plain = !is_quoted(&lines, places, &path);
            let records: Vec<(String, &Value)> = match records {
                Value::Array(records) => {
                    records.iter().enumerate().map(|(i, record)| (format!("{path}[{i}]"), record)).collect()
                }
                record => vec![(path, record)],
            };
            for (path, record) in records {
                let position = self.position(places, &format!("{path}.type"));
                let entry = Entry { key, record, position };
                let taken = match is_plain && keys::is_read_otherwise(key) {
                    true => Err(format!(
                        "octoDNS reads the name {key} as another value of YAML and serves that: write '{key}' in quotes \
                         if it is meant, after a look at what is served"
                    )),
                    false => self.rrset(&entry),
                };
                match taken {
                    Ok(rrset) => {
                        self.note_settings(&entry);
                        self.read.rrsets.push((rrset, entry.position));
                    }
                    Err(why) => self.leave_out(&entry, why),
                }
            }
        }
    }

    fn position(&self, places: &Places, field: &str) -> Position {
        let place = places.of(field);
        Position { file: self.file.clone(), line: place.line, column: place.column }
    }

    fn leave_out(&mut self, entry: &Entry<'_>, why: String) {
        let rtype = entry.record["type"].as_str().unwrap_or("record");
        let owner =
            self.owner(entry.key).map_or_else(|_| format!("{:?}", entry.key), |owner| name::display(&owner));
        let what = format!("{owner} {rtype}");
        self.read.left_out.push(LeftOut { zone: None, position: entry.position.clone(), what, why });
    }

    /// The owner: a name here is always relative to the zone.
    fn owner(&self, key: &str) -> Result<Name, String> {
        match key {
            "" => Ok(self.apex.clone()),
            "@" => Err("the name @ means nothing to octoDNS: write '' for the apex".to_owned()),
            key if name::is_absolute(key) => Err(format!(
                "the name {key:?} ends in a dot: octoDNS has names relative to the zone; take it out"
            )),
            key => name::parse(key, self.apex).map_err(|error| format!("the name {key:?} {error}")),
        }
    }

    /// The RRset of a record, or why there is none.
    fn rrset(&self, entry: &Entry<'_>) -> Result<RRset, String> {
        let record = entry.record;
        let Some(fields) = record.as_object() else {
            return Err("it is no record: write type and values below its name".to_owned());
        };
        let rtype = rtype(record["type"].as_str())?;
        for (field, why) in BY_PROVIDERS {
            if fields.get(field).is_some_and(|value| !value.is_null()) {
                return Err(why.to_owned());
            }
        }
        self.check_targets(&record["octodns"])?;
        let owner = self.owner(entry.key)?;
        let ttl = fields.get("ttl").map_or(Ok(self.default_ttl), ttl)?;
        let values = match (fields.get("values"), fields.get("value")) {
            (Some(Value::Array(values)), _) => values.iter().collect(),
            (Some(value), _) | (None, Some(value)) => vec![value],
            (None, None) => Vec::new(),
        };
        if values.is_empty() {
            return Err("it has no value: write value or values".to_owned());
        }
        let values =
            values.into_iter().map(|value| values::value(rtype, value)).collect::<Result<Vec<_>, _>>()?;
        Ok(RRset::new(owner, rtype, ttl, values))
    }

    /// Whether octoDNS gives the record to any provider.
    fn check_targets(&self, options: &Value) -> Result<(), String> {
        if options["ignored"].as_str().is_some_and(|ignored| ignored.eq_ignore_ascii_case("true")) {
            return Err(
                "octoDNS ignores it (octodns.ignored): nothing is to be done, or take that out".to_owned()
            );
        }
        let included = match &options["included"] {
            Value::Array(included) if !included.is_empty() => included,
            _ => return Ok(()),
        };
        let included: Vec<&str> = included.iter().filter_map(Value::as_str).collect();
        Err(format!(
            "octoDNS gives it to {} only (octodns.included): take that out if Port53 is to have it, too",
            included.join(", ")
        ))
    }

    /// Says which settings of a record are lost with octoDNS.
    fn note_settings(&mut self, entry: &Entry<'_>) {
        let Value::Object(options) = &entry.record["octodns"] else { return };
        let known = ["lenient", "excluded", "included", "ignored", "healthcheck"];
        let lost: Vec<&str> =
            options.keys().map(String::as_str).filter(|option| !known.contains(option)).collect();
        if lost.is_empty() {
            return;
        }
        let at = (entry.position.line, entry.position.column);
        let message = format!("the settings of octodns.{} are for a provider", lost.join(", octodns."));
        let fix = "see whether it answers with the values here, or with others of its own, as a proxy does";
        self.read.findings.push(Finding::error(self.file, at, MALFORMED, message, fix).as_warning());
    }
}

fn ttl(written: &Value) -> Result<u32, String> {
    let text = written.as_str().unwrap_or_default();
    values::check_number("ttl", text)?;
    text.parse().ok().filter(|ttl| *ttl <= MAX_TTL).ok_or_else(|| {
        format!("its ttl is no number of seconds: write one up to {MAX_TTL} (RFC 2181 section 8)")
    })
}

/// What answers otherwise than with its values.
const BY_PROVIDERS: [(&str, &str); 2] = [
    (
        "dynamic",
        "it is dynamic: its provider answers by place, weight and health out of pools. Port53 has one answer for all: \
         write a DNSRecord with the values that are to be served, or delegate the name to that provider by NS",
    ),
    (
        "geo",
        "its provider answers by place (geo). Port53 has one answer for all: write a DNSRecord with the values that are \
         to be served, or delegate the name to that provider by NS",
    ),
];

fn rtype(text: Option<&str>) -> Result<Rtype, String> {
    let Some(text) = text else { return Err("it has no type: write type".to_owned()) };
    match text {
        "ALIAS" => Err(
            "ALIAS is no record but a feature of providers, which answer with the addresses of its target: write A \
             and AAAA with those, or CNAME where nothing else stands at the name"
                .to_owned(),
        ),
        "URLFWD" => Err(
            "URLFWD is no record but a feature of providers, which redirect over HTTP: write A and AAAA of a server \
             that redirects"
                .to_owned(),
        ),
        _ if !TYPES.contains(&text) => Err(format!(
            "{text} is no type of octoDNS itself: see what its provider serves (dig), and write that as a DNSRecord"
        )),
        _ => rdata::parse_rtype(text).ok_or_else(|| format!("{text} is no type of records")),
    }
}

/// The types of octoDNS that are types of records.
const TYPES: [&str; 20] = [
    "A",
    "AAAA",
    "CAA",
    "CNAME",
    "DNAME",
    "DS",
    "HTTPS",
    "LOC",
    "MX",
    "NAPTR",
    "NS",
    "OPENPGPKEY",
    "PTR",
    "SPF",
    "SRV",
    "SSHFP",
    "SVCB",
    "TLSA",
    "TXT",
    "URI",
];

/// A key as a step of a path.
fn step(key: &str) -> String {
    format!("[{key}]")
}

/// Whether a key stands in quotes.
fn is_quoted(lines: &[&[u8]], places: &Places, path: &str) -> bool {
    let place = places.of(path);
    let line = lines.get(place.line as usize - 1).map(|line| String::from_utf8_lossy(line));
    line.and_then(|line| line.chars().nth(place.column as usize - 1)).is_some_and(|c| matches!(c, '"' | '\''))
}
