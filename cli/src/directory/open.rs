//! Opening files that a stranger may have put there: a directory in a pull request can hold links, pipes and
//! devices. A file is opened beneath the directory that was named and nowhere else (the kernel sees to that,
//! links and `..` included), without waiting, and only when it is a regular file.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// How long after its last change a file may change again without that showing in its time.
const COARSEST_CLOCK: Duration = Duration::from_millis(50);

/// How long a file must be as it is before it is read again: longer than the clock of file times is behind and
/// the word of a writer is on its way.
pub(crate) const SETTLED: Duration = Duration::from_millis(20);

/// Octets of a file of manifests.
const GREATEST_MANIFESTS: u64 = 256 << 20;

/// A directory beneath which files are opened.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    path: PathBuf,
    /// Where relative paths begin, when the directory is the root of all paths; see [`Root::of_all`].
    working: Option<PathBuf>,
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
        Root { path: path.to_owned(), working: None }
    }

    /// The directory as a program sees it that was started in it by `chroot`, and works in `working`: absolute
    /// paths and links begin at it, `..` does not lead out of it. With `/` it is the machine as it is.
    pub(crate) fn of_all(path: &Path, working: &Path) -> Self {
        Root { path: path.to_owned(), working: Some(working.to_owned()) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file, named relative to the root.
    pub(crate) fn open(&self, relative: &Path) -> Result<(File, Stamp), Refused> {
        let directory = File::open(&self.path).map_err(refused)?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let (path, within) = match &self.working {
            None => (relative.to_owned(), ResolveFlags::BENEATH),
            Some(working) => (working.join(relative), ResolveFlags::IN_ROOT),
        };
        let resolve = within | ResolveFlags::NO_MAGICLINKS;
        let opened: OwnedFd =
            openat2(&directory, &path, flags, Mode::empty(), resolve).map_err(|errno| match errno {
                Errno::XDEV => Refused::Outside,
                Errno::NOSYS => Refused::Other(io::Error::other("that takes openat2, so Linux 5.6 or later")),
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

    /// Where a path leads that begins at the root, as people outside of it call it; links are not followed.
    pub(crate) fn outside(&self, path: &Path) -> PathBuf {
        let inside = self.working.as_deref().unwrap_or(Path::new("")).join(path);
        self.path.join(inside.strip_prefix("/").unwrap_or(&inside))
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
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    state: State,
    /// How long ago the file was changed when this was taken: nothing for a time to come, which is one of
    /// another clock and tells nothing.
    age: Duration,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct State {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let since = UNIX_EPOCH + Duration::new(changed.0.max(0) as u64, changed.1.max(0) as u32);
        let state = State {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed,
        };
        Stamp { state, age: SystemTime::now().duration_since(since).unwrap_or_default() }
    }

    /// Whether a file with this stamp before and that stamp now is surely the same: a change so shortly after
    /// another need not show in its time.
    pub(crate) fn is_same(&self, now: &Stamp) -> bool {
        self.age >= COARSEST_CLOCK && self.looks_same(now)
    }

    /// Whether nothing shows that the file changed.
    pub(crate) fn looks_same(&self, now: &Stamp) -> bool {
        self.state == now.state
    }

    /// Whether the file had not changed for a while.
    pub(crate) fn is_settled(&self) -> bool {
        self.age >= SETTLED
    }

    /// How long the file had not changed.
    pub(crate) fn age(&self) -> Duration {
        self.age
    }

    /// Octets.
    pub(crate) fn size(&self) -> u64 {
        self.state.size
    }
}

/// The text of a file of manifests.
pub(crate) fn text(file: impl io::Read) -> Result<Vec<u8>, Refused> {
    let mut text = Vec::new();
    file.take(GREATEST_MANIFESTS + 1).read_to_end(&mut text).map_err(Refused::Other)?;
    if text.len() as u64 > GREATEST_MANIFESTS {
        let limit = GREATEST_MANIFESTS >> 20;
        return Err(Refused::Other(io::Error::other(format!("it has more than {limit} MiB"))));
    }
    Ok(text)
}
