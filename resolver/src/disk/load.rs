//! Reading the cache at start: every zone alone, nothing trusted.

use super::DiskStatus;
use super::manifest::{self, Beside, Manifest};
use super::write::{MANIFEST, Saved, slice_name};
use crate::source::Publisher;
use crate::transfer::Transfers;
use port53_zone::content::{Content, Digest, Slice};
use port53_zone::image::Image;
use port53_zone::{Name, name};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// What was found on disk.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Zones taken into service.
    pub zones: usize,
    /// What was wrong, one sentence each.
    pub problems: Vec<String>,
    pub(super) saved: HashMap<String, Saved>,
}

/// Takes every zone that is whole in `directory` into service, for those who may have had it. One that is not is assembling (SERVFAIL),
/// unless something else gives it. A directory that is not there is empty.
pub fn load(directory: &Path, publisher: &Publisher, transfers: &Transfers, status: &DiskStatus) -> Loaded {
    let mut loaded = Loaded::default();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return loaded,
        Err(error) => {
            loaded.problem(format!("{}: cannot be read: {error}", directory.display()));
            return loaded;
        }
    };
    for entry in entries {
        let name = match entry {
            Ok(entry) => entry.file_name(),
            Err(error) => {
                loaded.problem(format!("{}: cannot be listed: {error}", directory.display()));
                continue;
            }
        };
        let Some(name) = name.to_str().filter(|name| manifest::is_zone_directory(name)) else { continue };
        let mut reader = Reader { path: directory.join(name), corrupt: 0, slices: HashSet::new() };
        match reader.zone() {
            Ok(None) => {}
            Ok(Some((image, Beside { transfer, forwarding }))) => {
                let in_use = reader.slices.len();
                loaded.saved.insert(name.to_owned(), Saved { slices: reader.slices, in_use });
                loaded.zones += 1;
                transfers.policies().say(image.apex(), transfer);
                publisher.set_forwarding(image.apex(), forwarding);
                publisher.put_from_disk(image);
            }
            Err(problem) => {
                status.corrupt.fetch_add(reader.corrupt, Ordering::Relaxed);
                match manifest::apex_of(name) {
                    Some(apex) => publisher.assembling(apex),
                    None => loaded.problem(format!("{name}: the zone can no longer be told from its files")),
                }
                loaded.problem(problem);
            }
        }
    }
    loaded
}

/// The zones in `directory`, and whether the head of each spoke of a legacy DNS when it was last written. Manifests
/// that cannot be read are left out.
///
/// # Errors
/// When the directory cannot be read.
pub(crate) fn legacies(directory: &Path) -> io::Result<BTreeMap<Name, bool>> {
    let mut zones = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_zone =
            path.file_name().and_then(|name| name.to_str()).is_some_and(manifest::is_zone_directory);
        let octets = if is_zone { fs::read(path.join(MANIFEST)).ok() } else { None };
        if let Some(Ok(manifest)) = octets.map(|octets| Manifest::decode(&octets)) {
            zones.insert(manifest.apex, manifest.beside.forwarding.is_some());
        }
    }
    Ok(zones)
}

impl Loaded {
    fn problem(&mut self, problem: String) {
        tracing::error!("disk cache: {problem}");
        self.problems.push(problem);
    }
}

struct Reader {
    path: PathBuf,
    corrupt: u64,
    slices: HashSet<Digest>,
}

impl Reader {
    /// The zone in this directory; `None` when there is none, as after a withdrawal that was cut off.
    fn zone(&mut self) -> Result<Option<(Image, Beside)>, String> {
        let path = self.path.join(MANIFEST);
        let Some(octets) = self.read(&path)? else { return self.without_manifest() };
        let manifest = match Manifest::decode(&octets) {
            Ok(manifest) => manifest,
            Err(wrong) => return Err(self.set_aside(&path, wrong)),
        };
        // Copied here from another zone, it would take that one's place, and this zone would be forgotten.
        if !self.path.ends_with(manifest::directory_of(&manifest.apex)) {
            let wrong = format!("is of zone {}, not of this directory", name::display(&manifest.apex));
            return Err(self.set_aside(&path, &wrong));
        }
        let mut problem = None;
        let content = Content::from_slices(
            manifest.apex.clone(),
            manifest.salt,
            manifest.root,
            &mut |digest| match self.slice(digest) {
                Ok(slice) => Some(slice),
                Err(wrong) => {
                    problem.get_or_insert(wrong);
                    None
                }
            },
        );
        let content = match (content, problem) {
            (_, Some(problem)) => return Err(problem),
            (Err(error), None) => return Err(self.set_aside(&path, &format!("names bad content: {error}"))),
            (Ok(content), None) => content,
        };
        if content.digest() != manifest.digest {
            return Err(self.set_aside(&path, "states a digest that the content does not have"));
        }
        Ok(Some((Image::new(content, manifest.soa), manifest.beside)))
    }

    /// Nothing there is a withdrawal; a manifest that was set aside is a zone that is still missed.
    fn without_manifest<T>(&self) -> Result<Option<T>, String> {
        let aside = corrupt_name(&self.path.join(MANIFEST));
        if aside.exists() {
            return Err(format!("{}: was set aside before, and nothing replaced it", aside.display()));
        }
        Ok(None)
    }

    fn slice(&mut self, digest: &Digest) -> Result<Slice, String> {
        let path = self.path.join(slice_name(digest));
        let octets = self.read(&path)?.ok_or_else(|| format!("{}: is not there", path.display()))?;
        let slice = Slice(octets.into());
        if slice.digest() != *digest {
            return Err(self.set_aside(&path, "does not have the digest that is its name"));
        }
        self.slices.insert(*digest);
        Ok(slice)
    }

    /// What the file holds; `None` when it is not there. Where something else than a file stands, which
    /// could be waited for without end (a FIFO) or never be written over (a directory), it is set aside.
    fn read(&mut self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(self.set_aside(path, "is not a file"));
        }
        match fs::read(path) {
            Ok(octets) => Ok(Some(octets)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: cannot be read: {error}", path.display())),
        }
    }

    /// Renames a damaged file, so that a person can look at it and nobody reads it again.
    fn set_aside(&mut self, path: &Path, wrong: &str) -> String {
        self.corrupt += 1;
        let aside = corrupt_name(path);
        match fs::rename(path, &aside) {
            Ok(()) => format!("{}: {wrong}; set aside as {}", path.display(), aside.display()),
            Err(error) => format!("{}: {wrong}, and it cannot be set aside: {error}", path.display()),
        }
    }
}

fn corrupt_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".corrupt");
    PathBuf::from(name)
}
