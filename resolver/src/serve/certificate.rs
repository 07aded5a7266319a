//! The certificate of the encrypted transports: from two files, looked at every few seconds.
//!
//! What the files hold is compared, not their times or names, because Kubernetes changes a mounted Secret
//! by a symlink above them. A new certificate is used for connections from then on. A wrong one is said
//! once, counted, and leaves the old one in use, until the files are right again.

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt::{self, Debug, Formatter};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use x509_cert::der::Decode;

/// How often the files are looked at, in the program.
pub const LOOK: Duration = Duration::from_secs(5);

/// Where a certificate is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Files {
    /// The chain in PEM, the certificate of the server first.
    pub certificate: PathBuf,
    /// The private key in PEM.
    pub key: PathBuf,
}

/// A certificate in use, and how its files were found.
pub struct Certificate {
    files: Files,
    pause: Duration,
    current: arc_swap::ArcSwap<CertifiedKey>,
    /// What the files held when they were last looked at.
    seen: Mutex<Held>,
    is_wrong: AtomicBool,
    expires: AtomicU64,
    loads: AtomicU64,
    failures: AtomicU64,
}

#[derive(Eq, PartialEq)]
enum Held {
    Octets { certificate: Vec<u8>, key: Vec<u8> },
    Unreadable(String),
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} holds no {what} in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong in it.
        source: pem::Error,
    },
    /// The two do not go together, or are of a kind that is not supported.
    #[error("the key in {} cannot be used with the certificate in {}", key.display(), certificate.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

impl Certificate {
    /// Reads the files for the first time; they are looked at every `pause` while serving.
    ///
    /// # Errors
    /// When there is no certificate to begin with.
    pub fn read(files: Files, pause: Duration) -> Result<Arc<Self>, CertificateError> {
        let (certificate, key) = files.octets()?;
        let first = files.pair(&certificate, &key)?;
        Ok(Arc::new(Certificate {
            files,
            pause,
            expires: AtomicU64::new(expiry(&first)),
            current: arc_swap::ArcSwap::from_pointee(first),
            seen: Mutex::new(Held::Octets { certificate, key }),
            is_wrong: AtomicBool::new(false),
            loads: AtomicU64::new(1),
            failures: AtomicU64::new(0),
        }))
    }

    /// Looks whether the files changed, and takes what they hold if it is right.
    fn look(&self) {
        let octets = self.files.octets();
        let held = match &octets {
            Ok((certificate, key)) => Held::Octets { certificate: certificate.clone(), key: key.clone() },
            Err(error) => Held::Unreadable(error.to_string()),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == held {
            return;
        }
        *seen = held;
        match octets.and_then(|(certificate, key)| self.files.pair(&certificate, &key)) {
            Ok(new) => {
                self.expires.store(expiry(&new), Relaxed);
                self.current.store(Arc::new(new));
                self.is_wrong.store(false, Relaxed);
                self.loads.fetch_add(1, Relaxed);
                tracing::info!(certificate = %self.files.certificate.display(), "new certificate in use");
            }
            Err(error) => {
                self.is_wrong.store(true, Relaxed);
                self.failures.fetch_add(1, Relaxed);
                let error = port53_client::chain(&error);
                tracing::error!("the certificate changed and is wrong, the old one stays in use: {error}");
            }
        }
    }

    /// Looks until told to stop.
    pub(super) async fn keep_looking(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(self.pause)).await.is_some() {
            let certificate = self.clone();
            // Files of a network volume may be slow.
            let _ = tokio::task::spawn_blocking(move || certificate.look()).await;
        }
    }

    /// Whether the files hold something else than what is in use.
    pub fn is_wrong(&self) -> bool {
        self.is_wrong.load(Relaxed)
    }

    /// When the certificate in use ends, in seconds since 1970; 0 when it does not say.
    pub fn expires(&self) -> u64 {
        self.expires.load(Relaxed)
    }

    /// How often a certificate was taken into use, the first included.
    pub fn loads(&self) -> u64 {
        self.loads.load(Relaxed)
    }

    /// How often the files changed to something that is wrong.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }
}

/// `notAfter` of the certificate itself, which is the first of its chain (RFC 5280 §4.1.2.5).
fn expiry(pair: &CertifiedKey) -> u64 {
    let own = pair.cert.first().and_then(|own| x509_cert::Certificate::from_der(own).ok());
    own.map_or(0, |own| own.tbs_certificate.validity.not_after.to_unix_duration().as_secs())
}

impl Files {
    fn octets(&self) -> Result<(Vec<u8>, Vec<u8>), CertificateError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
        };
        Ok((read(&self.certificate)?, read(&self.key)?))
    }

    fn pair(&self, certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, CertificateError> {
        let wrong = |path: &Path, what, source| CertificateError::Pem { path: path.to_owned(), what, source };
        let mut chain = CertificateDer::pem_slice_iter(certificate).peekable();
        let chain: Vec<_> = match chain.peek() {
            None => Err(pem::Error::NoItemsFound),
            Some(_) => chain.collect(),
        }
        .map_err(|source| wrong(&self.certificate, "certificate", source))?;
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|source| wrong(&self.key, "private key", source))?;
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|source| {
            CertificateError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), source }
        })
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Debug for Certificate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}
