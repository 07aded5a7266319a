//! What the statements of a configuration say of zones: which there are, in which view, and whether the file of
//! each holds all that is served.
//!
//! A setting that decides this (`masterfile-format`, `dnssec-policy`, …) counts from the zone, else from its view,
//! else from `options`, as in `named`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use port53_zone::master::Position;
use port53_zone::name::SortKey;
use port53_zone::{Name, name};

use super::tree::Statement;
use crate::judge::zone_text;
use crate::legacy::LeftOut;

/// A zone of a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Configured {
    /// Its name.
    pub name: Name,
    /// The view it is in.
    pub view: Option<String>,
    /// Where it is written.
    pub position: Position,
    /// As what `named` serves it.
    pub served: Served,
}

/// How `named` serves a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Served {
    /// As primary, out of a master file.
    FromFile {
        /// The file, as it is written.
        file: PathBuf,
        /// The journal of changes that need not be in the file.
        journal: PathBuf,
    },
    /// As the zone of this name in another view.
    InView(String),
    /// Otherwise: why it cannot be taken from here, and what to do instead.
    Otherwise(String),
}

/// What a configuration says of zones.
#[derive(Debug, Default)]
pub struct Zones {
    /// In the order in which they are written.
    pub zones: Vec<Configured>,
    /// The views, in that order.
    pub views: Vec<String>,
    /// What brings zones that are not written here.
    pub others: Vec<LeftOut>,
    /// Where each name is among the zones.
    by_name: BTreeMap<SortKey, Vec<usize>>,
}

impl Zones {
    /// The zones of a name.
    pub fn called(&self, name: &Name) -> impl Iterator<Item = &Configured> {
        let at = self.by_name.get(&SortKey::of(name));
        at.into_iter().flatten().filter_map(|at| self.zones.get(*at))
    }

    pub(super) fn of(statements: &[Statement]) -> Self {
        let mut zones = Zones::default();
        let named = |keyword: &'static str| move |statement: &&Statement| statement.keyword() == keyword;
        let options: Vec<&Statement> =
            statements.iter().filter(named("options")).filter_map(Statement::block).flatten().collect();
        zones.note_others(&options);
        zones.take(statements, &options, None);
        for view in statements.iter().filter(named("view")) {
            let Some(block) = view.block() else { continue };
            let name = view.text(1).unwrap_or_default();
            if let Some(class) = other_class(view) {
                zones.others.push(LeftOut {
                    zone: None,
                    position: view.position.clone(),
                    what: format!("view {name}"),
                    why: format!("its class is {class}, and Port53 serves class IN: leave it where it is"),
                });
                continue;
            }
            zones.views.push(name.to_owned());
            // Without its zones, or each of them would look through all others for its settings.
            let own: Vec<&Statement> = block.iter().filter(|it| it.keyword() != "zone").collect();
            zones.note_others(&own);
            let around: Vec<&Statement> = options.iter().copied().chain(own).collect();
            zones.take(block, &around, Some(name));
        }
        zones
    }

    /// Takes the zones among statements. `around` are the settings of what they are in, those of the nearest last.
    fn take(&mut self, statements: &[Statement], around: &[&Statement], view: Option<&str>) {
        for statement in statements {
            match &statement.keyword()[..] {
                "zone" => self.zone(statement, around, view),
                "dlz" => self.others.push(LeftOut {
                    zone: None,
                    position: statement.position.clone(),
                    what: format!("dlz {}", statement.text(1).unwrap_or_default()),
                    why: "its zones are in a database, not in files: transfer each of them (dig AXFR) into a master \
                          file, and import that"
                        .to_owned(),
                }),
                _ => {}
            }
        }
    }

    fn zone(&mut self, statement: &Statement, around: &[&Statement], view: Option<&str>) {
        let text = statement.text(1).unwrap_or_default();
        let position = statement.position.clone();
        match name::parse_absolute(text) {
            Ok(name) => {
                let served = served(statement, &name, around);
                self.by_name.entry(SortKey::of(&name)).or_default().push(self.zones.len());
                self.zones.push(Configured { name, view: view.map(str::to_owned), position, served });
            }
            Err(error) => self.others.push(LeftOut {
                zone: None,
                position,
                what: format!("zone {text:?}"),
                why: format!("its name {error}"),
            }),
        }
    }

    /// Notes settings by which there are zones that the configuration does not name.
    fn note_others(&mut self, statements: &[&Statement]) {
        for statement in statements {
            let (what, why) = match (&statement.keyword()[..], statement.text(1)) {
                ("catalog-zones", _) => (
                    "catalog-zones",
                    "the members of a catalog are transferred from a primary and not written here: import them where \
                     their primary is",
                ),
                ("allow-new-zones", Some(value)) if is_yes(value) => (
                    "allow-new-zones",
                    "zones that rndc addzone added are not written here: named-nzd2nzf prints them; write them to a \
                     file and import that, too",
                ),
                _ => continue,
            };
            let (what, why) = (what.to_owned(), why.to_owned());
            self.others.push(LeftOut { zone: None, position: statement.position.clone(), what, why });
        }
    }
}

/// The class of a zone or view, when it is another than IN.
fn other_class(statement: &Statement) -> Option<&str> {
    statement.text(2).filter(|class| !class.eq_ignore_ascii_case("in"))
}

fn is_yes(value: &str) -> bool {
    ["yes", "true", "1"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// The value of a setting. `masterfile-format text` has the value `text`.
fn value<'s>(
    statements: impl IntoIterator<Item = &'s Statement, IntoIter: DoubleEndedIterator>,
    setting: &str,
) -> Option<&'s str> {
    statements.into_iter().rev().find(|statement| statement.keyword() == setting)?.text(1)
}

/// How a zone is served, by its own settings and those around it.
fn served(statement: &Statement, name: &Name, around: &[&Statement]) -> Served {
    let zone = zone_text(name);
    let own = statement.block().unwrap_or_default();
    let setting = |setting| value(own, setting).or_else(|| value(around.iter().copied(), setting));
    if let Some(class) = other_class(statement) {
        return Served::Otherwise(format!(
            "its class is {class}, and Port53 serves class IN: leave it where it is"
        ));
    }
    if let Some(view) = value(own, "in-view") {
        return Served::InView(view.to_owned());
    }
    if value(own, "template").is_some() {
        let why =
            "its settings come from a template, which is not followed: write type and file into the zone";
        return Served::Otherwise(why.to_owned());
    }
    let kind = value(own, "type").unwrap_or_default().to_ascii_lowercase();
    if let Some(why) = not_primary(&kind, &zone, own) {
        return Served::Otherwise(why);
    }
    if let Some(database) = value(own, "database").or(value(own, "dlz")).filter(|database| *database != "rbt")
    {
        return Served::Otherwise(format!(
            "its records are in the database {database:?}, not in a file: transfer the zone (dig @SERVER {zone} AXFR) \
             into a master file, and import that"
        ));
    }
    let Some(file) = value(own, "file") else {
        return Served::Otherwise(
            "it names no file: where its records come from is not said here; transfer it (dig AXFR) into a master \
             file, and import that"
                .to_owned(),
        );
    };
    if let Some(format) = setting("masterfile-format").filter(|format| !format.eq_ignore_ascii_case("text")) {
        return Served::Otherwise(format!(
            "{file} is in the format {format}: write it as text with named-compilezone -f {format} -F text -o \
             {zone}.zone {zone} {file}, and import {zone}.zone"
        ));
    }
    if let Some(why) =
        signed_here(setting("dnssec-policy"), setting("inline-signing"), setting("auto-dnssec"))
    {
        return Served::Otherwise(format!(
            "{why}: Port53 serves signatures only as they are in a file, and who validates would find none. Take the \
             DS out of the zone above first and wait for its TTL; then import its records alone with port53 import \
             --origin {zone} {file}"
        ));
    }
    let journal = value(own, "journal").map_or_else(|| format!("{file}.jnl"), str::to_owned);
    Served::FromFile { file: file.into(), journal: journal.into() }
}

/// Why a zone of this type is no primary's, and what to do.
fn not_primary(kind: &str, zone: &str, own: &[Statement]) -> Option<String> {
    Some(match kind {
        "master" | "primary" => return None,
        "slave" | "secondary" | "mirror" => {
            let of =
                own.iter().find(|statement| ["masters", "primaries"].contains(&&statement.keyword()[..]));
            let from = of.and_then(Statement::block).and_then(<[Statement]>::first);
            let from = from.and_then(|first| first.text(0)).map_or_else(String::new, |it| format!(", {it}"));
            format!(
                "it is a {kind}: its records are those of its primary{from}; import it there, or transfer it (dig \
                 @PRIMARY {zone} AXFR) into a master file and import that"
            )
        }
        "forward" => {
            "it is forwarded, not served: Port53 is authoritative only; leave it to the resolver".to_owned()
        }
        "hint" => {
            "it names the root servers for a resolver and is not served: nothing is to be done".to_owned()
        }
        "stub" | "static-stub" => {
            format!("a {kind} zone tells a resolver whom to ask and is not served: leave it to the resolver")
        }
        "redirect" => {
            "it replaces answers of a resolver and is not served as a zone: leave it to the resolver"
                .to_owned()
        }
        "delegation-only" => {
            "it filters answers of a resolver and has no records: nothing is to be done".to_owned()
        }
        "" => "it has no type: write type primary, if that is what it is".to_owned(),
        other => format!("its type is {other}, and only primary (or master) has its records here"),
    })
}

/// Why `named` serves other records than those of the file, if it signs the zone.
fn signed_here(policy: Option<&str>, inline: Option<&str>, auto: Option<&str>) -> Option<String> {
    let is_signing = |policy: &&str| !["none", "insecure"].iter().any(|no| policy.eq_ignore_ascii_case(no));
    match (policy.filter(is_signing), inline, auto) {
        (Some(policy), ..) => Some(format!("named signs it, by dnssec-policy {policy:?}")),
        (None, Some(inline), _) if is_yes(inline) => Some("named signs it, by inline-signing".to_owned()),
        (None, _, Some(auto)) if !auto.eq_ignore_ascii_case("off") => {
            Some(format!("named signs it, by auto-dnssec {auto}"))
        }
        _ => None,
    }
}
