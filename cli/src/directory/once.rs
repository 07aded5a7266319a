//! Manifests as they are written, read once: for who sends them on. What a schema would add is not added, so
//! that of the fields nobody wrote nobody becomes the manager.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::OpenError;
use super::manifests::{self, Context, Object};
use super::named::{Named, shown};
use super::open::{Refused, Root, text};
use super::walk::FileKind;
use crate::admission::Admission;
use crate::finding::{Finding, MALFORMED, UNREADABLE};

/// Standard input, on the command line and in findings.
const STANDARD_INPUT: &str = "-";

/// An object as it is written, with its namespace.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) value: Value,
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
}

/// What files hold.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    /// Zones and DNSRecords that are admitted, in the order in which they are written.
    pub(crate) objects: Vec<Manifest>,
    /// What is wrong with the others.
    pub(crate) findings: Vec<Finding>,
    /// Objects of other kinds.
    pub(crate) foreign: usize,
    /// Master files beside the manifests.
    pub(crate) masters: Vec<Arc<str>>,
}

/// Reads the manifests of files, of directories, of pipes and, for `-`, of standard input. Objects that name no namespace
/// are in `namespace`.
///
/// # Errors
/// When a path cannot be read at all.
pub(crate) fn read_manifests(
    paths: &[PathBuf],
    namespace: &str,
    admission: &Admission,
) -> Result<Manifests, OpenError> {
    let mut reader = Reader { namespace, admission, read: Manifests::default(), first: BTreeMap::new() };
    for path in paths {
        if path == Path::new(STANDARD_INPUT) {
            reader.take(&STANDARD_INPUT.into(), text(io::stdin().lock()));
            continue;
        }
        if is_stream(path) {
            let read = std::fs::File::open(path)
                .map_err(|source| OpenError::Unreadable { path: shown(path), source })?;
            reader.take(&shown(path).into(), text(read));
            continue;
        }
        let named = Named::open(path)?;
        let found = named.list();
        for (path, error) in &found.unlisted {
            let message = format!("the directory cannot be listed: {error}");
            let finding = Finding::error(&named.show(path), (0, 0), UNREADABLE, message, "make it readable");
            reader.read.findings.push(finding);
        }
        for (relative, kind) in &found.files {
            let shown = named.show(relative);
            match kind {
                FileKind::Master => reader.read.masters.push(shown),
                FileKind::Manifests => {
                    reader.take(&shown, named.root.open(relative).and_then(|(file, _)| text(file)));
                }
            }
        }
    }
    Ok(reader.read)
}

/// Whether a person named something that is read once from its beginning to its end and has no name of its own: a
/// pipe, as the shell makes of `<(…)`, or what stands in `/dev`, which may be a file that a `<` leads to.
fn is_stream(path: &Path) -> bool {
    let is_special = |it: std::fs::Metadata| !it.is_file() && !it.is_dir();
    std::fs::metadata(path).is_ok_and(is_special)
        || ["/dev", "/proc/self/fd"].iter().any(|place| path.starts_with(place) && !path.is_dir())
}

/// A file that a person named, or that is in a directory she named.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Whether it was named itself.
    pub(crate) is_named: bool,
}

/// The files that paths name: themselves, and what of manifests and master files is in directories. What is wrong with
/// a directory is in the findings.
///
/// # Errors
/// When a path cannot be read at all.
pub(crate) fn files(paths: &[PathBuf]) -> Result<(Vec<File>, Vec<Finding>), OpenError> {
    let (mut files, mut findings) = (Vec::new(), Vec::new());
    for path in paths {
        if path == Path::new(STANDARD_INPUT) || !path.is_dir() {
            files.push(File { path: path.clone(), is_named: true });
            continue;
        }
        let named = Named::open(path)?;
        let found = named.list();
        for (path, error) in &found.unlisted {
            let message = format!("the directory cannot be listed: {error}");
            findings.push(Finding::error(&named.show(path), (0, 0), UNREADABLE, message, "make it readable"));
        }
        files.extend(found.files.iter().map(|(it, _)| File { path: path.join(it), is_named: false }));
    }
    Ok((files, findings))
}

/// Opens a file that a person named: standard input for `-`, a pipe, or a regular file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn open(path: &Path) -> Result<Box<dyn io::Read>, OpenError> {
    let unreadable = |source| OpenError::Unreadable { path: shown(path), source };
    if path == Path::new(STANDARD_INPUT) {
        return Ok(Box::new(io::stdin().lock()));
    }
    if is_stream(path) {
        return Ok(Box::new(std::fs::File::open(path).map_err(unreadable)?));
    }
    let real = path.canonicalize().map_err(unreadable)?;
    let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else {
        return Err(OpenError::UnknownKind(shown(path)));
    };
    let opened = Root::new(parent).open(Path::new(name));
    let (file, _) = opened.map_err(|refused| unreadable(io::Error::other(refused)))?;
    Ok(Box::new(file))
}

struct Reader<'a> {
    namespace: &'a str,
    admission: &'a Admission,
    read: Manifests,
    /// Where each object is written first.
    first: BTreeMap<manifests::Key, (Arc<str>, u32)>,
}

impl Reader<'_> {
    fn take(&mut self, file: &Arc<str>, text: Result<Vec<u8>, Refused>) {
        let text = match text {
            Ok(text) => text,
            Err(refused) => {
                let message = format!("the file cannot be read: {refused}");
                let finding = Finding::error(file, (0, 0), UNREADABLE, message, refused.fix());
                return self.read.findings.push(finding);
            }
        };
        let (admission, namespace) = (self.admission, self.namespace);
        let context = Context { admission, namespace, before: &|_| None, is_source_kept: true };
        let read = manifests::read(&context, file, &text);
        self.read.findings.extend(read.findings);
        self.read.foreign += read.foreign;
        for written in read.written {
            if matches!(written.object, Object::Namespace(_)) {
                self.read.foreign += 1;
                continue;
            }
            let (line, _) = written.at("");
            if let Some((first, at)) = self.first.get(&written.key) {
                let message = format!("{} is written twice, first at {first}:{at}", written.key);
                let fix = "remove one of the two, or give this one another name";
                let finding = Finding::error(file, written.at("metadata.name"), MALFORMED, message, fix);
                self.read.findings.push(finding.about(written.key.to_string(), "metadata.name"));
                continue;
            }
            self.first.insert(written.key.clone(), (file.clone(), line));
            if let Some(value) = written.source.clone() {
                self.read.objects.push(Manifest { value, file: file.clone(), line });
            }
        }
    }
}
