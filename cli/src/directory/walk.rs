//! Which files of a directory are read: `*.yaml`, `*.yml`, `*.json` as manifests, `*.zone` as master files,
//! at any depth, in the order of their names. What begins with a dot is left alone, as are links to
//! directories.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Directories inside directories.
const GREATEST_DEPTH: usize = 32;

/// How a file is read.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum FileKind {
    Manifests,
    Master,
}

impl FileKind {
    /// By the end of the name.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension().and_then(OsStr::to_str)? {
            "yaml" | "yml" | "json" => Some(FileKind::Manifests),
            "zone" => Some(FileKind::Master),
            _ => None,
        }
    }
}

/// What was found beneath a directory, paths relative to it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<(PathBuf, FileKind)>,
    /// Directories that could not be listed: what is in them is not known.
    pub(crate) unlisted: Vec<(PathBuf, io::Error)>,
    pub(crate) linked_directories: Vec<PathBuf>,
}

pub(crate) fn walk(root: &Path) -> Found {
    let mut found = Found::default();
    list(root, Path::new(""), 0, &mut found);
    found.files.sort();
    found
}

fn list(root: &Path, relative: &Path, depth: usize, found: &mut Found) {
    let unlisted = |found: &mut Found, error| found.unlisted.push((relative.to_owned(), error));
    if depth > GREATEST_DEPTH {
        return unlisted(found, io::Error::other(format!("more than {GREATEST_DEPTH} directories deep")));
    }
    let entries = match std::fs::read_dir(root.join(relative)) {
        Ok(entries) => entries,
        Err(error) => return unlisted(found, error),
    };
    for entry in entries {
        let (entry, kind) = match entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind))) {
            Ok(read) => read,
            Err(error) => {
                unlisted(found, error);
                continue;
            }
        };
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = relative.join(entry.file_name());
        if kind.is_dir() {
            list(root, &path, depth + 1, found);
        } else if kind.is_symlink() && std::fs::metadata(root.join(&path)).is_ok_and(|target| target.is_dir())
        {
            found.linked_directories.push(path);
        } else if let Some(kind) = FileKind::of(&path) {
            found.files.push((path, kind));
        }
    }
}
