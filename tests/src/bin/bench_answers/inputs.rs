//! The sets of zones, and what is asked: 70 % that exist, 20 % that do not, 10 % of a type that is not there.

use crate::Result;
use port53_tests::generate::Random;
use port53_tests::read::read;
use port53_zone::{Name, RRset, Rtype, Soa, master, name, rdata};
use std::collections::BTreeSet;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use tempfile::TempDir;

/// Questions asked one after another, then from the first again.
const QUESTIONS: usize = 200_000;
const SEED: u64 = 53;

/// A set of zones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Which {
    /// One zone, made by this program.
    Generated,
    /// The root zone.
    Root,
    /// The real zones.
    Real,
}

/// A set, as files for every server.
pub(crate) struct Input {
    pub(crate) which: Which,
    pub(crate) zones: Vec<Zone>,
    /// For dnsperf.
    pub(crate) queries: PathBuf,
    _dir: TempDir,
}

pub(crate) struct Zone {
    pub(crate) apex: Name,
    pub(crate) soa: Soa,
    pub(crate) rrsets: Vec<RRset>,
    /// Its master file.
    pub(crate) file: PathBuf,
}

impl Which {
    pub(crate) const ALL: [Which; 3] = [Which::Generated, Which::Root, Which::Real];
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Which::Generated => "generated",
            Which::Root => "root",
            Which::Real => "real",
        })
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Which::ALL.into_iter().find(|which| which.to_string() == text);
        found.ok_or_else(|| format!("{text} is not one of generated, root, real"))
    }
}

impl Input {
    pub(crate) fn rrsets(&self) -> usize {
        // The SOA is one more.
        self.zones.iter().map(|zone| zone.rrsets.len() + 1).sum()
    }
}

/// Makes a set, with `count` RRsets where it is generated. `None` when its files are not in `directory`.
pub(crate) fn make(which: Which, count: usize, directory: &Path) -> Result<Option<Input>> {
    let contents = match which {
        Which::Generated => vec![generated(count)?],
        Which::Root => {
            let file = directory.join("root.zone.gz");
            if !file.is_file() {
                return Ok(None);
            }
            vec![contents(".", &unpacked(&file)?)?]
        }
        Which::Real => real(directory)?,
    };
    if contents.is_empty() {
        return Ok(None);
    }
    let dir = TempDir::new()?;
    let mut zones = Vec::new();
    for (number, (apex, soa, rrsets)) in contents.into_iter().enumerate() {
        let file = dir.path().join(format!("{number}.zone"));
        let mut out = std::io::BufWriter::new(std::fs::File::create(&file)?);
        master::write(&mut out, &apex, &soa, rrsets.iter().cloned())?;
        std::io::Write::flush(&mut out)?;
        zones.push(Zone { apex, soa, rrsets, file });
    }
    let queries = dir.path().join("queries");
    std::fs::write(&queries, questions(&zones))?;
    Ok(Some(Input { which, zones, queries, _dir: dir }))
}

type Contents = (Name, Soa, Vec<RRset>);

/// A zone of hosts with one address each, and a few of other types, as zones of hosting providers are.
pub(crate) fn generated(count: usize) -> Result<Contents> {
    let apex = name::parse_absolute("generated.test.").map_err(|error| format!("{error:?}"))?;
    let soa = port53_tests::soa(&apex, 1);
    let mut rrsets = vec![
        rrset(apex.clone(), "NS", &["ns1.generated.test."])?,
        rrset(soa.primary.clone(), "A", &["192.0.2.53"])?,
    ];
    for number in 0.. {
        if rrsets.len() + 1 >= count {
            break;
        }
        let address = format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
        let owner = name_in(&format!("host-{number}"), &apex)?;
        match number % 20 {
            0 => rrsets.push(rrset(owner, "CNAME", &["ns1.generated.test."])?),
            1 => {
                rrsets.push(rrset(owner.clone(), "A", &[&address])?);
                rrsets.push(rrset(owner, "TXT", &["v=spf1 mx -all"])?);
            }
            2 => rrsets.push(rrset(owner, "AAAA", &[&format!("2001:db8::{:x}", number & 0xffff)])?),
            3 => rrsets.push(rrset(owner, "MX", &["10 ns1.generated.test."])?),
            _ => rrsets.push(rrset(owner, "A", &[&address])?),
        }
    }
    Ok((apex, soa, rrsets))
}

fn name_in(relative: &str, apex: &Name) -> Result<Name> {
    name::parse(relative, apex).map_err(|error| format!("{relative}: {error:?}").into())
}

fn rrset(owner: Name, rtype: &str, values: &[&str]) -> Result<RRset> {
    let rtype = rdata::parse_rtype(rtype).ok_or("a type")?;
    let values: Vec<_> = values
        .iter()
        .map(|value| rdata::parse_value(rtype, value).map_err(|error| format!("{value}: {error:?}")))
        .collect::<Result<_, _>>()?;
    Ok(RRset::new(owner, rtype, 300, values))
}

fn unpacked(file: &Path) -> Result<Vec<u8>> {
    let mut gzip = Command::new("gzip").arg("-dc").arg(file).stdout(Stdio::piped()).spawn()?;
    let mut octets = Vec::new();
    gzip.stdout.take().ok_or("no output")?.read_to_end(&mut octets)?;
    if gzip.wait()?.success() {
        Ok(octets)
    } else {
        Err(format!("{} cannot be unpacked", file.display()).into())
    }
}

fn real(directory: &Path) -> Result<Vec<Contents>> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "zone"));
    files.sort();
    files
        .iter()
        .map(|file| {
            let apex = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a name")?;
            contents(&format!("{apex}."), &std::fs::read(file)?)
        })
        .collect()
}

/// What a master file holds, without what stands beside a CNAME: BIND serves no zone that has that.
fn contents(apex: &str, octets: &[u8]) -> Result<Contents> {
    let origin = name::parse_absolute(apex).map_err(|error| format!("{apex}: {error:?}"))?;
    let read = read(apex, octets, apex, None);
    if let Some(problem) = read.problems.first() {
        println!("{apex}: {} lines are not read, the first is {problem}", read.problems.len());
    }
    let (soa, mut rrsets) = read.rrsets();
    let aliases: BTreeSet<_> = of_type(&rrsets, Rtype::CNAME).collect();
    rrsets.retain(|rrset| rrset.rtype == Rtype::CNAME || !aliases.contains(&name::SortKey::of(&rrset.name)));
    Ok((origin, soa, rrsets))
}

fn of_type(rrsets: &[RRset], rtype: Rtype) -> impl Iterator<Item = name::SortKey> {
    rrsets.iter().filter(move |rrset| rrset.rtype == rtype).map(|rrset| name::SortKey::of(&rrset.name))
}

/// A question a line, in no order, the same in every run.
fn questions(zones: &[Zone]) -> String {
    let all: Vec<(&Zone, &RRset)> =
        zones.iter().flat_map(|zone| zone.rrsets.iter().map(move |rrset| (zone, rrset))).collect();
    let mut random = Random(SEED);
    let mut text = String::new();
    for _ in 0..QUESTIONS {
        let (zone, rrset) = all[random.below(all.len())];
        let (owner, apex) = (rrset.name.fmt_with_dot(), zone.apex.fmt_with_dot());
        let line = match random.below(10) {
            0..7 => format!("{owner} {}\n", rrset.rtype),
            7..9 if zone.apex.is_root() => format!("none-{:x}. A\n", random.below(1 << 24)),
            7..9 => format!("none-{:x}.{apex} A\n", random.below(1 << 24)),
            _ => format!("{owner} {}\n", ["LOC", "NAPTR", "SSHFP"][random.below(3)]),
        };
        text.push_str(&line);
    }
    text
}
