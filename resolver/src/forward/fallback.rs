//! `port53-resolver fallback`: the override of a resolver that runs beside this process, written for people.

use super::decide::Answerer;
use super::over::Override;
use crate::config::Fallback;
use crate::disk;
use port53_zone::{Name, name};
use std::fmt::Write;
use std::path::Path;

/// Does what `fallback` says in the cache directory of a resolver, and says what is now so.
///
/// # Errors
/// What is wrong and what to do instead; nothing has changed then.
pub fn fall_back(cache: &Path, fallback: &Fallback) -> Result<String, String> {
    let named: Vec<Name> = fallback.zone.iter().map(|zone| parse(zone)).collect::<Result<_, _>>()?;
    let legacies = disk::legacies(cache).map_err(|error| {
        format!("{}: {error}: give the --cache-dir of the resolver that runs here", cache.display())
    })?;
    let answers = match (fallback.answer, fallback.release) {
        (_, true) => None,
        (true, false) => Some(Answerer::Port53),
        (false, false) => Some(Answerer::Legacy),
    };
    let has_legacy = |apex: &Name| legacies.get(apex) == Some(&true);
    if answers.is_some() {
        if let Some(apex) = named.iter().find(|apex| !has_legacy(apex)) {
            return Err(why_not(apex, legacies.contains_key(apex)));
        }
        if named.is_empty() && !legacies.values().any(|has| *has) {
            let what =
                "no zone here has a legacy DNS, by what is in the cache: its ZoneHead has no spec.forwarding";
            return Err(what.to_owned());
        }
    }
    let mut over = Override::read(cache)?;
    match &named[..] {
        [] => over.set(None, answers),
        named => named.iter().for_each(|apex| over.set(Some(apex.clone()), answers)),
    }
    over.write(cache)?;
    Ok(said(&over, legacies.iter().filter(|(_, has)| **has).map(|(apex, _)| apex)))
}

fn parse(zone: &str) -> Result<Name, String> {
    name::parse_absolute(zone).map_err(|error| format!("--zone \"{zone}\" {error}"))
}

fn why_not(apex: &Name, is_here: bool) -> String {
    let zone = name::display(apex);
    match is_here {
        true => format!("zone {zone} has no legacy DNS to fall back to: its ZoneHead has no spec.forwarding"),
        false => format!("zone {zone} is not in the cache: write the name of a zone that this resolver has"),
    }
}

/// A line for each zone that has a legacy DNS.
fn said<'a>(over: &Override, zones: impl Iterator<Item = &'a Name>) -> String {
    let mut said = String::new();
    for apex in zones {
        let answers = match over.of(apex) {
            Some(Answerer::Legacy) => "legacy answers, whatever its head says",
            Some(Answerer::Port53) => "Port53 answers, whatever its head says",
            None => "as its head says",
        };
        // Writing into a string does not fail.
        let _ = writeln!(said, "{}: {answers}", name::display(apex));
    }
    said
}
