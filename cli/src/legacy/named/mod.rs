//! A `named.conf` of BIND: which master file is which zone.
//!
//! ```text
//! octets ──lexer──▶ tokens ──tree──▶ statements ──zones──▶ zones and views ──choose──▶ files to read
//!                            ▲  │
//!                      includes ┘ (glob)
//! ```
//!
//! What is not about zones is passed over: access lists, keys, logging. A zone is taken when its file has all that is
//! served; every other is left out with what to do instead. Who wrote `named.conf` named the files, and who runs
//! this names `named.conf`; so a path may lead anywhere, but only to regular files, and with a root given (that
//! of a chroot) not out of it.
//!
//! The same zone in several views has different answers for different clients, and Port53 has one for all: a
//! person must say which. When it is the same file in all of them, nothing needs to be said. Where a part of the
//! configuration could not be read, nobody knows in which views a zone is, so then a view must be named, too.
//!
//! | room | what it does |
//! |---|---|
//! | [`lexer`] | words, strings, braces; comments |
//! | [`tree`] | statements, includes, `directory` |
//! | [`glob`] | patterns in includes |
//! | [`zones`] | which zones there are, and how each is served |
//! | [`journal`] | whether a file is behind its journal |

mod glob;
mod journal;
mod lexer;
mod tree;
mod zones;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use port53_operator::objects::MasterZone;
use port53_zone::name::SortKey;
use port53_zone::{Name, name};

use super::LeftOut;
use crate::directory::{self, OpenError, Root, read_master_in};
use crate::finding::Finding;
use crate::judge::zone_text;
use journal::Beyond;
pub use zones::{Configured, Served, Zones};

/// A configuration that was read.
#[derive(Debug)]
pub struct Configuration {
    /// What it says of zones.
    pub zones: Zones,
    /// What could not be read, and why.
    pub findings: Vec<Finding>,
    /// Where the paths in it begin.
    root: Root,
}

/// A zone that is to be read from its file.
#[derive(Clone, Debug)]
pub struct Chosen {
    zone: Configured,
    file: PathBuf,
    journal: PathBuf,
}

/// What came of reading a zone from its file.
#[derive(Debug)]
pub struct ZoneFile {
    /// The zone, or why it is left out.
    pub zone: Result<MasterZone, LeftOut>,
    /// What is wrong in the file.
    pub findings: Vec<Finding>,
}

/// What is chosen of a configuration.
#[derive(Debug, Default)]
pub struct Choice {
    /// To be read, in the order in which they are written.
    pub chosen: Vec<Chosen>,
    /// The zones that cannot be taken, and what brings zones that are not written here.
    pub left_out: Vec<LeftOut>,
    /// Zones of views that were not asked for.
    pub of_other_views: usize,
}

/// Reads a configuration and what it includes. Its paths begin at `root`, relative ones in what it says as
/// `directory`, or in its own directory before it says one.
///
/// # Errors
/// When the file itself cannot be read.
pub fn read(path: &Path, root: &Path) -> Result<Configuration, OpenError> {
    let shown: Arc<str> = path.display().to_string().into();
    let unreadable = |source| OpenError::Unreadable { path: shown.to_string(), source };
    let octets =
        directory::octets(directory::open(path)?).map_err(|refused| unreadable(io::Error::other(refused)))?;
    let root = root
        .canonicalize()
        .map_err(|source| OpenError::Unreadable { path: root.display().to_string(), source })?;
    // As it is called from inside of the root.
    let real = path.canonicalize().map_err(unreadable)?;
    let parent = real.parent().and_then(|parent| parent.strip_prefix(&root).ok());
    let directory = Path::new("/").join(parent.unwrap_or(Path::new("")));
    let mut reader = tree::Reader::new(&root, &directory);
    let statements = reader.statements(&String::from_utf8_lossy(&octets), &shown);
    Ok(Configuration { zones: Zones::of(&statements), root: reader.root(), findings: reader.findings })
}

impl Configuration {
    /// What to read: of all zones, or of those in `view`; of all names, or of those in `only`, when it has some.
    ///
    /// # Errors
    /// When there is no such view.
    pub fn choose(&self, view: Option<&str>, only: &[Name]) -> Result<Choice, String> {
        let Zones { zones, views, others, .. } = &self.zones;
        if let Some(view) = view.filter(|view| !views.iter().any(|there| there == view)) {
            return Err(match views.is_empty() {
                true => format!("there is no view {view:?}, and no other: leave out --view"),
                false => format!("there is no view {view:?}: give --view with one of {}", views.join(", ")),
            });
        }
        let mut choice = Choice::default();
        if only.is_empty() {
            choice.left_out.clone_from(others);
        }
        let mut taken = BTreeSet::new();
        for zone in zones.iter().filter(|zone| only.is_empty() || only.contains(&zone.name)) {
            if view.is_some_and(|view| zone.view.as_deref() != Some(view)) {
                choice.of_other_views += 1;
                continue;
            }
            match self.chosen(zone, view) {
                Ok(Some(chosen)) if taken.insert(SortKey::of(&zone.name)) => choice.chosen.push(chosen),
                // The same file in another view.
                Ok(Some(_)) if zone.view.is_some() && view.is_none() => {}
                Ok(Some(_)) => choice.left_out.push(left_out(zone, "it is there twice: the first counts")),
                Ok(None) => {}
                Err(why) => choice.left_out.push(left_out(zone, &why)),
            }
        }
        choice.left_out.sort_by(|a, b| a.position.cmp(&b.position));
        Ok(choice)
    }

    /// A zone as it is to be read; nothing when it is that of another view, which is told there.
    fn chosen(&self, zone: &Configured, view: Option<&str>) -> Result<Option<Chosen>, String> {
        let is_all_known = self.findings.iter().all(|finding| !finding.is_error());
        if view.is_none() && zone.view.is_some() && !is_all_known {
            return Err(
                "it is in a view, and not all of the configuration could be read: another view may have it with \
                 other records. Correct what is told above, or choose one with --view"
                    .to_owned(),
            );
        }
        let (file, journal) = match &zone.served {
            Served::Otherwise(why) => return Err(why.clone()),
            Served::FromFile { file, journal } => (file, journal),
            Served::InView(other) => {
                let there = self.zones.called(&zone.name).find(|there| there.view.as_ref() == Some(other));
                match there.map(|there| &there.served) {
                    None | Some(Served::InView(_)) => {
                        return Err(format!("it is that of the view {other:?}, which has no such zone"));
                    }
                    Some(_) if view.is_none() => return Ok(None),
                    Some(Served::Otherwise(why)) => return Err(why.clone()),
                    Some(Served::FromFile { file, journal }) => (file, journal),
                }
            }
        };
        let clashing = self.views_with_others(zone, file);
        if view.is_none() && !clashing.is_empty() {
            let here = zone.view.as_deref().unwrap_or_default();
            let flags: Vec<String> =
                [here].into_iter().chain(clashing).map(|view| format!("--view {view}")).collect();
            return Err(format!(
                "it has other records in other views, and Port53 has one answer for all: choose with {}",
                flags.join(" or ")
            ));
        }
        Ok(Some(Chosen { zone: zone.clone(), file: file.clone(), journal: journal.clone() }))
    }

    /// The views that have the zone otherwise than out of this file.
    fn views_with_others(&self, zone: &Configured, file: &Path) -> Vec<&str> {
        let is_other = |there: &&Configured| match &there.served {
            Served::FromFile { file: its, .. } => its != file,
            Served::InView(_) => false,
            Served::Otherwise(_) => true,
        };
        let same_name = self.zones.called(&zone.name).filter(|there| there.view != zone.view);
        same_name.filter(is_other).filter_map(|there| there.view.as_deref()).collect()
    }

    /// Reads a zone that was chosen.
    pub fn zone(&self, chosen: &Chosen) -> ZoneFile {
        let mut findings = Vec::new();
        let zone = self.whole(chosen, &mut findings);
        ZoneFile { zone: zone.map_err(|why| left_out(&chosen.zone, &why)), findings }
    }

    /// The zone of a file that has all of it, or why there is none. What is wrong in the file comes into `findings`.
    fn whole(&self, chosen: &Chosen, findings: &mut Vec<Finding>) -> Result<MasterZone, String> {
        let shown: Arc<str> = self.root.outside(&chosen.file).display().to_string().into();
        let apex = &chosen.zone.name;
        let read = read_master_in(&self.root, &chosen.file, &shown, apex.clone());
        let (zone, mut found) = read.map_err(|error| {
            format!(
                "its file {shown} cannot be read: {error}. {}; of a chroot, give its directory with --root",
                capital(error.fix())
            )
        })?;
        findings.append(&mut found);
        let zone = zone.ok_or_else(|| format!("its file {shown} has no SOA, so nothing of it is taken"))?;
        if zone.apex != *apex {
            return Err(format!(
                "its file {shown} has the SOA of {}: correct the name of one of the two",
                name::display(&zone.apex)
            ));
        }
        self.check_journal(&chosen.journal, apex, zone.soa.value.serial)?;
        Ok(zone)
    }

    /// Whether the file is all there is, by its journal, which is looked at after it.
    fn check_journal(&self, journal: &Path, apex: &Name, serial: u32) -> Result<(), String> {
        let shown = self.root.outside(journal).display().to_string();
        let zone = zone_text(apex);
        let sync = format!("run rndc sync -clean {zone} (rndc freeze {zone} keeps it so), and import again");
        let file = match self.root.open(journal) {
            Ok((file, _)) => file,
            Err(directory::Refused::Missing) => return Ok(()),
            Err(error) => {
                return Err(format!(
                    "its journal {shown} cannot be read ({error}), and may have changes that its file has not: {sync}"
                ));
            }
        };
        match journal::beyond(file, serial) {
            Beyond::Nothing => Ok(()),
            Beyond::Changes(last) => Err(format!(
                "its journal {shown} has changes up to serial {last}, and its file is at {serial}: {sync}"
            )),
            Beyond::Unknown => Err(format!("its journal {shown} is none that can be read: {sync}")),
        }
    }
}

/// What stands behind the comments at the beginning of a text; nothing when one of them does not end.
pub(super) fn after_comments(text: &str) -> Option<&str> {
    lexer::after_comments(text)
}

fn left_out(zone: &Configured, why: &str) -> LeftOut {
    let view = zone.view.as_ref().map_or_else(String::new, |view| format!(" in view {view}"));
    LeftOut {
        zone: Some(zone.name.clone()),
        position: zone.position.clone(),
        what: format!("zone {}{view}", zone_text(&zone.name)),
        why: why.to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}
