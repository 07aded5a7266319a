//! Container images, as archives that every tool for images takes (an OCI image layout in a tar file): `ctr images
//! import`, `podman load`, `skopeo copy oci-archive:`, `crane push`.
//!
//! An image here holds programs and nothing else: no shell, no library, no package. It is made of the files alone, so
//! it needs no daemon and no rights, and comes out the same, octet for octet, wherever and whenever it is made: no
//! time, no owner and no order of a directory is in it. One archive holds an image for several architectures.
//!
//! ```text
//! index.json ──▶ index of the image ──▶ manifest for each architecture ──▶ config, layer
//! ```
//!
//! The form is that of the OCI Image Format Specification 1.1.

mod archive;
mod elf;
pub mod sbom;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

pub use archive::Written;

/// An image.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Its name with its tag: `registry.example.net/port53/port53-resolver:0.1.0`.
    pub name: String,
    /// The program that it runs and its first arguments.
    pub entrypoint: Vec<String>,
    /// The numbers of the user and group that the program runs as, `65532:65532`. Root when left out.
    pub user: Option<String>,
    /// What registries show of it: `org.opencontainers.image.…`.
    pub labels: BTreeMap<String, String>,
    /// What is in it, for each architecture.
    pub parts: Vec<Part>,
}

/// What is in an image for one architecture.
#[derive(Clone, Debug)]
pub struct Part {
    /// For which.
    pub architecture: Architecture,
    /// The files.
    pub files: Vec<File>,
}

/// A file of an image. All are of root; all may read it.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is: `/port53-resolver`.
    pub path: String,
    /// What is in it.
    pub octets: Vec<u8>,
    /// Whether it can be run.
    pub is_program: bool,
}

/// An architecture of machines.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// AArch64.
    Arm64,
}

impl Architecture {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// As images have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The target of Rust for it whose programs need no library of the system.
    pub fn target(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }
}

impl Part {
    /// One program, for the architecture that it says it is for.
    ///
    /// # Errors
    /// When the file cannot be read, is no program, is for another architecture, or needs a library or loader of the
    /// system, none of which is in an image.
    pub fn of_program(program: &Path, path: &str) -> Result<Self, Error> {
        let octets = fs::read(program).map_err(|source| Error::File { path: program.to_owned(), source })?;
        let elf = elf::read(&octets).map_err(|why| Error::Program { path: program.to_owned(), why })?;
        if let Some(loader) = elf.loader {
            let why =
                format!("needs {loader}, which is not in the image: build it for a target that links all");
            return Err(Error::Program { path: program.to_owned(), why });
        }
        let file = File { path: path.to_owned(), octets, is_program: true };
        Ok(Part { architecture: elf.architecture, files: vec![file] })
    }
}

impl std::str::FromStr for Architecture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| format!("no architecture {text}: there are amd64 and arm64"))
    }
}

/// Why an image was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no program that can run in an image.
    #[error("{}: {why}", path.display())]
    Program {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It has nothing for any architecture, or two things for one.
    #[error("{0}")]
    Parts(String),
}
