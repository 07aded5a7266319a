//! Opening files that a stranger may have put there: a directory in a pull request can hold links, pipes and
//! devices. A file is opened beneath the directory that was named and nowhere else (the kernel sees to that,
//! links and `..` included), without waiting, and only when it is a regular file.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// How long after its last change a file may change again without that showing in its time.
const COARSEST_CLOCK: Duration = Duration::from_millis(50);

/// A directory beneath which files are opened.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    path: PathBuf,
}

/// Why a file was not opened. Display says it, and [`Refused::fix`] what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it leads out of the directory")]
    Outside,
    #[error("it is {0}")]
    Special(&'static str),
    #[error("there is no such file")]
    Missing,
    #[error("there is no right to read it")]
    Forbidden,
    #[error("it cannot be opened: {0}")]
    Other(io::Error),
}

impl Refused {
    /// What to do about it.
    pub(crate) fn fix(&self) -> &'static str {
        match self {
            Refused::Outside => "put the file itself into the directory, and name it relative to that",
            Refused::Special(_) => "put a regular file in its place",
            Refused::Missing => "correct the name, or put the file there",
            Refused::Forbidden => "give the right to read it to whoever runs this",
            Refused::Other(_) => "make it readable",
        }
    }
}

impl Root {
    pub(crate) fn new(path: &Path) -> Self {
        Root { path: path.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file, named relative to the root.
    pub(crate) fn open(&self, relative: &Path) -> Result<(File, Stamp), Refused> {
        let directory = File::open(&self.path).map_err(refused)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let opened: OwnedFd =
            openat2(&directory, relative, flags, Mode::empty(), resolve).map_err(|errno| match errno {
                Errno::XDEV => Refused::Outside,
                Errno::LOOP => Refused::Other(io::Error::other("its links lead in a circle")),
                other => refused(other.into()),
            })?;
        let file = File::from(opened);
        let metadata = file.metadata().map_err(refused)?;
        if !metadata.is_file() {
            return Err(Refused::Special(kind(&metadata)));
        }
        Ok((file, Stamp::of(&metadata)))
    }

    /// The stamp of a file now, without opening it. `None` when there is none to be had.
    pub(crate) fn stamp(&self, relative: &Path) -> Option<Stamp> {
        std::fs::metadata(self.path.join(relative)).ok().map(|metadata| Stamp::of(&metadata))
    }
}

fn refused(error: io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::NotFound => Refused::Missing,
        io::ErrorKind::PermissionDenied => Refused::Forbidden,
        _ => Refused::Other(error),
    }
}

fn kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

/// Tells one state of a file from another without reading it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// The file was changed so shortly before that a further change might not show.
    is_fresh: bool,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let since = UNIX_EPOCH + Duration::new(changed.0.max(0) as u64, changed.1.max(0) as u32);
        let is_fresh = SystemTime::now().duration_since(since).is_ok_and(|age| age < COARSEST_CLOCK);
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed,
            is_fresh,
        }
    }

    /// Whether a file with this stamp before and that stamp now is surely the same.
    pub(crate) fn is_same(&self, now: &Stamp) -> bool {
        !self.is_fresh && Stamp { is_fresh: false, ..now.clone() } == *self
    }

    /// Octets.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}
