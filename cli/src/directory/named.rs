//! What a person named on the command line: a directory, or one file.
//!
//! What the name leads to may become another while it is served: a link is pointed elsewhere, as mounts of
//! ConfigMaps and deployments do, or a directory is moved away and a new one put in its place. So the name is
//! followed anew at each look, and every step of the way to it is watched.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::OpenError;
use super::open::Root;
use super::walk::{self, FileKind, Found};

/// Links on the way to a file, as the kernel has it.
const MOST_LINKS: usize = 40;

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
    /// The steps of the ways to them: who changes one of these changes where the way leads.
    pub steps: BTreeSet<PathBuf>,
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
        watched.steps.extend(steps(&self.path));
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
fn shown(path: &Path) -> String {
    let octets = path.as_os_str().as_encoded_bytes();
    let chunks = octets.utf8_chunks();
    chunks.fold(String::with_capacity(octets.len()), |mut text, chunk| {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|octet| format!("\\x{octet:02X}")));
        text
    })
}

/// Every path that the kernel goes by on the way to `path`, links resolved.
fn steps(path: &Path) -> BTreeSet<PathBuf> {
    let owned = |path: &Path| -> Vec<OsString> {
        path.components().rev().map(|component| component.as_os_str().to_owned()).collect()
    };
    let mut rest = owned(path);
    let mut here = PathBuf::new();
    let mut links = 0;
    let mut steps = BTreeSet::new();
    while let Some(next) = rest.pop() {
        match Path::new(&next).components().next() {
            Some(Component::RootDir) => here = PathBuf::from("/"),
            Some(Component::ParentDir) => {
                here.pop();
            }
            Some(Component::Normal(name)) => {
                let step = here.join(name);
                match std::fs::read_link(&step) {
                    Ok(target) if links < MOST_LINKS => {
                        links += 1;
                        rest.extend(owned(&target));
                    }
                    _ => here.clone_from(&step),
                }
                steps.insert(step);
            }
            Some(Component::CurDir | Component::Prefix(_)) | None => {}
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn names_that_are_not_utf8_are_told_apart() {
        let path = |octets: &[u8]| PathBuf::from(OsString::from_vec(octets.to_vec()));
        assert_eq!(shown(&path(b"d/a\xff\xfeb.yaml")), "d/a\\xFF\\xFEb.yaml");
        assert_eq!(shown(&path("d/\u{e9}.yaml".as_bytes())), "d/\u{e9}.yaml");
    }

    #[test]
    fn every_step_of_a_way_over_links_is_known() {
        let directory = tempfile::tempdir().expect("a directory");
        let top = directory.path().canonicalize().expect("a path");
        std::fs::create_dir(top.join("v1")).expect("a directory");
        std::os::unix::fs::symlink("v1", top.join("..data")).expect("a link");
        std::os::unix::fs::symlink("./..data/a.yaml", top.join("a.yaml")).expect("a link");
        let steps = steps(&top.join("a.yaml"));
        for step in ["a.yaml", "..data", "v1/a.yaml"] {
            assert!(steps.contains(&top.join(step)), "{step}: {steps:?}");
        }
    }
}
