//! What a person named on the command line: a directory, or one file.
//!
//! What the name leads to may become another while it is served: a link is pointed elsewhere, as mounts of
//! ConfigMaps and deployments do, or a directory is moved away and a new one put in its place. So the name is
//! followed anew at each look.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::OpenError;
use super::open::Root;
use super::walk::{self, FileKind, Found};

pub(super) struct Named {
    pub(super) root: Root,
    /// As it was named.
    shown: String,
    /// The same as an absolute path, links and all.
    path: PathBuf,
    file: Option<(PathBuf, FileKind)>,
}

/// What to watch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Watched {
    /// Directories with all that is beneath them.
    pub trees: BTreeSet<PathBuf>,
    /// Directories without what is beneath them.
    pub directories: BTreeSet<PathBuf>,
}

impl Named {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let shown = shown(path);
        let unreadable = |source| OpenError::Unreadable { path: shown.clone(), source };
        let real = path.canonicalize().map_err(unreadable)?;
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        if real.is_dir() {
            std::fs::read_dir(&real).map_err(unreadable)?;
            return Ok(Named { root: Root::new(&real), shown, path: absolute, file: None });
        }
        // By the name that the person used: a link to a file may be called otherwise than its target.
        let kind = FileKind::of(path).ok_or_else(|| OpenError::UnknownKind(shown.clone()))?;
        let Some((parent, name)) = divided(&real) else { return Err(OpenError::UnknownKind(shown)) };
        Ok(Named { root: Root::new(parent), shown, path: absolute, file: Some((name, kind)) })
    }

    /// Goes where the name leads now. While it leads nowhere all stays as it was.
    pub(super) fn follow(&mut self) {
        let Ok(real) = self.path.canonicalize() else { return };
        match &mut self.file {
            None => self.root = Root::new(&real),
            Some((name, _)) => {
                if let Some((parent, now)) = divided(&real) {
                    self.root = Root::new(parent);
                    *name = now;
                }
            }
        }
    }

    /// Whether the name leads elsewhere now.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.path.canonicalize().is_ok_and(|real| match &self.file {
            None => real != self.root.path(),
            Some((name, _)) => real != self.root.path().join(name),
        })
    }

    /// What there is, relative to the root.
    pub(super) fn list(&self) -> Found {
        let Some(file) = &self.file else { return walk::walk(self.root.path()) };
        let is_gone =
            std::fs::metadata(&self.path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        Found { files: if is_gone { Vec::new() } else { vec![file.clone()] }, ..Found::default() }
    }

    pub(super) fn watch(&self, watched: &mut Watched) {
        let root = self.root.path().to_owned();
        let roots = if self.file.is_none() { &mut watched.trees } else { &mut watched.directories };
        roots.insert(root);
    }

    /// What a file is called in findings.
    pub(super) fn show(&self, relative: &Path) -> Arc<str> {
        match &self.file {
            Some(_) => self.shown.as_str().into(),
            None => shown(&Path::new(&self.shown).join(relative)).into(),
        }
    }
}

fn divided(real: &Path) -> Option<(&Path, PathBuf)> {
    Some((real.parent()?, real.file_name()?.into()))
}

/// A path as it is told: as it stands, but for octets that are not UTF-8. Two paths never look the same, or one
/// of the files would be taken for the other.
pub(super) fn shown(path: &Path) -> String {
    let octets = path.as_os_str().as_encoded_bytes();
    let chunks = octets.utf8_chunks();
    chunks.fold(String::with_capacity(octets.len()), |mut text, chunk| {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|octet| format!("\\x{octet:02X}")));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn names_that_are_not_utf8_are_told_apart() {
        let path = |octets: &[u8]| PathBuf::from(OsString::from_vec(octets.to_vec()));
        assert_eq!(shown(&path(b"d/a\xff\xfeb.yaml")), "d/a\\xFF\\xFEb.yaml");
        assert_eq!(shown(&path("d/\u{e9}.yaml".as_bytes())), "d/\u{e9}.yaml");
    }
}
