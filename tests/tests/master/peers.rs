//! How the peers read a master file: each prints what it read, and its printing is compared with its own
//! printing of what we wrote. So a peer is the judge, and our parser is never asked about itself.

use port53_tests::process::{Finished, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A peer that prints what it reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Printer {
    /// BIND's `named-compilezone`.
    Bind,
    /// `ldns-read-zone`.
    Ldns,
    /// `nsd-checkzone -p`.
    Nsd,
}

impl Printer {
    pub(crate) const ALL: [Printer; 3] = [Printer::Bind, Printer::Ldns, Printer::Nsd];

    pub(crate) fn program(self) -> &'static str {
        match self {
            Printer::Bind => "named-compilezone",
            Printer::Ldns => "ldns-read-zone",
            Printer::Nsd => "nsd-checkzone",
        }
    }

    /// The records of `file` as lines, without order or duplicates; files that it includes are in `dir`.
    ///
    /// # Errors
    /// What the peer says against it.
    pub(crate) fn read(self, zone: &str, file: &Path, dir: &Path) -> Result<BTreeSet<String>, String> {
        let temporary = TempDir::new().expect("a temporary directory");
        let file = match self {
            // It has no option for the origin.
            Printer::Ldns => &with_origin(zone, file, temporary.path()),
            Printer::Bind | Printer::Nsd => file,
        };
        let file = file.to_str().expect("a path in UTF-8");
        // Only what a file says is asked for here, not whether it is wise.
        let arguments: &[&str] = match self {
            Printer::Bind => &[
                "-q", "-i", "none", "-k", "ignore", "-m", "ignore", "-n", "ignore", "-r", "ignore", "-M",
                "ignore", "-S", "ignore", "-W", "ignore", "-s", "full", "-o", "-", zone, file,
            ],
            Printer::Ldns => &["-c", file],
            Printer::Nsd => &["-p", zone, file],
        };
        let finished = run(self.program(), arguments, dir);
        if !finished.success {
            return Err(said(&finished));
        }
        Ok(match self {
            Printer::Bind | Printer::Ldns => {
                finished.stdout.lines().filter(|line| !line.starts_with(';')).map(one_space).collect()
            }
            Printer::Nsd => with_owners(&finished.stdout),
        })
    }
}

/// Whether BIND, NSD and Knot load `file`.
///
/// # Errors
/// Which does not, and what it says.
pub(crate) fn load(zone: &str, file: &Path, dir: &Path) -> Result<(), String> {
    let file = file.to_str().expect("a path in UTF-8");
    let loaders: [(&str, &[&str]); 3] = [
        ("named-checkzone", &["-i", "none", "-k", "ignore", "-m", "ignore", zone, file]),
        ("nsd-checkzone", &[zone, file]),
        ("kzonecheck", &["-v", "-o", zone, "-d", "off", file]),
    ];
    for (program, arguments) in loaders {
        let finished = run(program, arguments, dir);
        if !finished.success {
            return Err(format!("{program} does not load it: {}", said(&finished)));
        }
    }
    Ok(())
}

fn said(finished: &Finished) -> String {
    let text = format!("{}{}", finished.stdout, finished.stderr);
    text.lines().take(10).collect::<Vec<_>>().join("\n      ")
}

/// A copy of `file` in `dir` that begins with its origin.
fn with_origin(zone: &str, file: &Path, dir: &Path) -> PathBuf {
    let copy = dir.join("with-origin");
    let text = [format!("$ORIGIN {zone}\n").into_bytes(), fs::read(file).expect("a readable file")].concat();
    fs::write(&copy, text).expect("a file");
    copy
}

/// What NSD prints, each record on a line with its owner and origin: it prints an owner and an origin once,
/// and a SOA over several lines.
fn with_owners(text: &str) -> BTreeSet<String> {
    let (mut origin, mut owner) = (String::new(), String::new());
    let mut lines = BTreeSet::new();
    for line in text.replace("(\n", "").lines() {
        if let Some(new) = line.strip_prefix("$ORIGIN ") {
            origin = new.to_owned();
        } else if line.starts_with(';') || line.starts_with("zone ") {
            continue;
        } else {
            if !line.starts_with(char::is_whitespace) {
                owner = line.split_whitespace().next().unwrap_or_default().to_owned();
            }
            let rest = line.strip_prefix(&owner).unwrap_or(line);
            lines.insert(format!("{owner} in {origin} {}", one_space(rest)));
        }
    }
    lines
}

/// One space for white space outside of quotes.
fn one_space(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let (mut quoted, mut escaped) = (false, false);
    for character in line.trim().chars() {
        let blank = character.is_ascii_whitespace() && !quoted && !escaped;
        quoted ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        match blank {
            true if text.ends_with(' ') => {}
            true => text.push(' '),
            false => text.push(character),
        }
    }
    text
}
