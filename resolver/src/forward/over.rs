//! The override: who answers on this resolver, whatever heads say. For when the API server cannot be told.
//!
//! `port53-resolver fallback`, run beside the resolver in its container, writes a file into the cache directory, which
//! the running resolver looks at several times a second and reads again when it starts. It is JSON, as
//!
//! ```text
//! {"all":"Legacy","zones":{"example.com.":"Port53","example.org.":null}}
//! ```
//!
//! where `null` is what the head says. A zone without a legacy DNS answers by itself whatever stands there.

use super::decide::Answerer;
use port53_zone::{Name, name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file in the cache directory.
const FILE: &str = "forwarding.override";

/// Who answers on this resolver, whatever heads say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Override {
    /// For zones that are not named.
    all: Option<Answerer>,
    /// For these; nobody for what the head says.
    zones: BTreeMap<Name, Option<Answerer>>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    all: Option<Answerer>,
    #[serde(default)]
    zones: BTreeMap<String, Option<Answerer>>,
}

impl Override {
    /// Who answers for `apex`; nobody is said where the head decides.
    pub fn of(&self, apex: &Name) -> Option<Answerer> {
        self.zones.get(apex).copied().unwrap_or(self.all)
    }

    /// Whether nothing is overridden.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Has `answers` answer for one zone, or for all; the head decides for nobody.
    pub fn set(&mut self, apex: Option<Name>, answers: Option<Answerer>) {
        match apex {
            None => *self = Override { all: answers, zones: BTreeMap::new() },
            Some(apex) if answers == self.all => drop(self.zones.remove(&apex)),
            Some(apex) => drop(self.zones.insert(apex, answers)),
        }
    }

    /// What stands in the file.
    pub fn encode(&self) -> String {
        let zones = self.zones.iter();
        let zones = zones.map(|(apex, answers)| (name::display(apex).to_ascii_lowercase(), *answers));
        let text = Text { all: self.all, zones: zones.collect() };
        // Strings always have a form in JSON.
        serde_json::to_string(&text).unwrap_or_default() + "\n"
    }

    /// Reads what stands in the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(text: &str) -> Result<Self, String> {
        let text: Text = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let zone = |(apex, answers): (String, _)| {
            let read = name::parse_absolute(&apex);
            read.map(|apex| (apex, answers)).map_err(|error| format!("zones: \"{apex}\" {error}"))
        };
        Ok(Override { all: text.all, zones: text.zones.into_iter().map(zone).collect::<Result<_, _>>()? })
    }

    /// Reads the override in a cache directory; one that overrides nothing where there is no file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(cache: &Path) -> Result<Self, String> {
        let path = cache.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::decode(&text).map_err(|wrong| format!("{}: {wrong}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Writes it there, whole or not at all. When nothing is overridden there is no file.
    ///
    /// # Errors
    /// What the system says, with the path.
    pub fn write(&self, cache: &Path) -> Result<(), String> {
        let path = cache.join(FILE);
        let written = match self.is_empty() {
            true => match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            false => replace(&path, self.encode().as_bytes()),
        };
        written
            .and_then(|()| File::open(cache)?.sync_all())
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn replace(path: &PathBuf, octets: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("override.tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apex(text: &str) -> Name {
        name::parse_absolute(text).expect("a name")
    }

    #[test]
    fn a_zone_is_released_alone_and_all_are_released_at_once() {
        let (com, org) = (apex("example.com"), apex("example.org"));
        let mut over = Override::default();
        over.set(Some(com.clone()), Some(Answerer::Legacy));
        assert_eq!((over.of(&apex("EXAMPLE.com")), over.of(&org)), (Some(Answerer::Legacy), None));
        over.set(None, Some(Answerer::Legacy));
        over.set(Some(org.clone()), None);
        over.set(Some(com.clone()), Some(Answerer::Port53));
        assert_eq!((over.of(&com), over.of(&org)), (Some(Answerer::Port53), None));
        assert_eq!(over.of(&apex("example.net")), Some(Answerer::Legacy));
        assert_eq!(
            over.encode(),
            "{\"all\":\"Legacy\",\"zones\":{\"example.com.\":\"Port53\",\"example.org.\":null}}\n"
        );
        over.set(None, None);
        assert!(over.is_empty());
    }

    #[test]
    fn it_is_kept_in_a_file_until_nothing_is_overridden() {
        let cache = tempfile::tempdir().expect("a directory");
        assert_eq!(Override::read(cache.path()), Ok(Override::default()));
        let mut over = Override::default();
        over.set(Some(apex("0/25.example")), Some(Answerer::Legacy));
        over.write(cache.path()).expect("written");
        assert_eq!(Override::read(cache.path()), Ok(over));
        Override::default().write(cache.path()).expect("written");
        assert_eq!(fs::read_dir(cache.path()).expect("lists").count(), 0);
        fs::write(cache.path().join(FILE), "{\"all\":\"legacy\"}").expect("written");
        let wrong = Override::read(cache.path()).expect_err("no such answerer");
        assert!(wrong.contains("forwarding.override") && wrong.contains("Legacy"), "{wrong}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            all in prop::option::of(any::<bool>()),
            zones in prop::collection::btree_map("[a-z_0-9]{1,20}(\\.[a-z]{1,9}){0,3}", prop::option::of(any::<bool>()), 0..5),
        ) {
            let answers = |legacy: bool| if legacy { Answerer::Legacy } else { Answerer::Port53 };
            let mut over = Override::default();
            over.set(None, all.map(answers));
            for (zone, legacy) in zones {
                over.set(Some(apex(&zone)), legacy.map(answers));
            }
            prop_assert_eq!(Override::decode(&over.encode()), Ok(over));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,100}") {
            let _ = Override::decode(&text);
        }
    }
}
