//! Writing one zone to its directory, and what makes it durable.

use super::manifest::{Beside, Manifest};
use port53_zone::content::Digest;
use port53_zone::image::Image;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

pub(super) const MANIFEST: &str = "manifest";
pub(super) const SLICE_SUFFIX: &str = ".slice";
const TEMPORARY_SUFFIX: &str = ".tmp";
/// More files than this are made durable by one flush of the file system rather than one by one.
const FLUSH_ONE_BY_ONE: usize = 16;
/// Slices that may be left over before they are looked for.
const LEFT_OVER: usize = 64;

/// What is on disk of a zone and known to be whole.
#[derive(Debug, Default)]
pub(super) struct Saved {
    pub(super) slices: HashSet<Digest>,
    /// Slices that were in use when it was last looked for those that are not.
    pub(super) in_use: usize,
}

/// Writes what of `image` is not yet in `directory`, then the manifest, then removes what is left over.
pub(super) fn zone(directory: &Path, image: &Image, beside: Beside, saved: &mut Saved) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let added = write_slices(directory, image, saved)?;
    replace(&directory.join(MANIFEST), Manifest::of(image, beside).encode().as_bytes())?;
    sync_directory(directory)?;
    saved.slices.extend(added);
    if saved.slices.len() > 2 * saved.in_use + LEFT_OVER {
        prune(directory, image, saved)?;
    }
    Ok(())
}

/// Removes a zone that was withdrawn: first what makes it a zone.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    gone(fs::remove_file(directory.join(MANIFEST)))?;
    gone(fs::remove_dir_all(directory))
}

/// Writes the slices that are not on disk and makes them durable. They count as being on disk only when
/// all are, because what is below a slice that is there is taken to be there.
fn write_slices(directory: &Path, image: &Image, saved: &Saved) -> io::Result<Vec<Digest>> {
    let mut added = Vec::new();
    let mut files = Vec::new();
    for (digest, slice) in image.content().slices_beyond(|digest| saved.slices.contains(digest)) {
        let file = write_beside(&directory.join(slice_name(&digest)), &slice.0)?;
        added.push(digest);
        if files.len() <= FLUSH_ONE_BY_ONE {
            files.push(file);
        }
    }
    if files.len() <= FLUSH_ONE_BY_ONE {
        files.iter().try_for_each(File::sync_data)?;
    } else {
        rustix::fs::syncfs(File::open(directory)?)?;
    }
    Ok(added)
}

/// Removes slices that `image` does not use. One that cannot be removed is tried again with the next.
fn prune(directory: &Path, image: &Image, saved: &mut Saved) -> io::Result<()> {
    let in_use: HashSet<Digest> = image.content().slices().map(|(digest, _)| digest).collect();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let unused = match name.strip_suffix(SLICE_SUFFIX) {
            Some(digest) => Digest::parse(digest).is_none_or(|digest| !in_use.contains(&digest)),
            None => name.ends_with(TEMPORARY_SUFFIX),
        };
        if unused {
            fs::remove_file(&path)?;
        }
    }
    saved.in_use = in_use.len();
    saved.slices = in_use;
    Ok(())
}

pub(super) fn slice_name(digest: &Digest) -> String {
    format!("{digest}{SLICE_SUFFIX}")
}

fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(&TEMPORARY_SUFFIX[1..]);
    let mut file = File::create(&temporary)?;
    file.write_all(octets)?;
    file.sync_data()?;
    fs::rename(&temporary, path)
}

/// Writes a file under another name and gives it its own at the end, so that a file with its own name is
/// never one that a crash of this process cut off.
fn write_beside(path: &Path, octets: &[u8]) -> io::Result<File> {
    let temporary = path.with_extension(&TEMPORARY_SUFFIX[1..]);
    let mut file = File::create(&temporary)?;
    let written = file.write_all(octets).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // A disk that is full should not be filled with what is of no use.
        let _ = fs::remove_file(&temporary);
    }
    written.map(|()| file)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
