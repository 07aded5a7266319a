//! The keys of TSIG, from a directory with a file for each: its name is the name of the key, its content
//! `ALGORITHM:BASE64`, such as `hmac-sha256:c2VjcmV0…`. A Secret of Kubernetes as a volume looks like that.
//!
//! The directory is looked at every few seconds. What the files hold is compared, not their times, because
//! Kubernetes changes a mounted Secret by a symlink above them. A file that is wrong is said once and leaves
//! the key that it gave before in use; a file that is gone takes its key with it; a directory that cannot be
//! read changes nothing.

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use port53_zone::name;
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, io};

/// How often the directory is looked at, in the program.
pub const LOOK: Duration = Duration::from_secs(5);
/// More than any key needs (RFC 2104 §2: a block of the hash).
const GREATEST_FILE: u64 = 4096;

/// The algorithms of RFC 8945 §6 that may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// HMAC-SHA-1, for old peers.
    Sha1,
    /// HMAC-SHA-224.
    Sha224,
    /// HMAC-SHA-256, which everyone has.
    Sha256,
    /// HMAC-SHA-256, its first half.
    Sha256Half,
    /// HMAC-SHA-384.
    Sha384,
    /// HMAC-SHA-384, its first half.
    Sha384Half,
    /// HMAC-SHA-512.
    Sha512,
    /// HMAC-SHA-512, its first half.
    Sha512Half,
}

impl Algorithm {
    const ALL: [(Algorithm, &'static str, &'static [u8], usize); 8] = [
        (Algorithm::Sha1, "hmac-sha1", b"\x09hmac-sha1\0", 20),
        (Algorithm::Sha224, "hmac-sha224", b"\x0bhmac-sha224\0", 28),
        (Algorithm::Sha256, "hmac-sha256", b"\x0bhmac-sha256\0", 32),
        (Algorithm::Sha256Half, "hmac-sha256-128", b"\x0fhmac-sha256-128\0", 16),
        (Algorithm::Sha384, "hmac-sha384", b"\x0bhmac-sha384\0", 48),
        (Algorithm::Sha384Half, "hmac-sha384-192", b"\x0fhmac-sha384-192\0", 24),
        (Algorithm::Sha512, "hmac-sha512", b"\x0bhmac-sha512\0", 64),
        (Algorithm::Sha512Half, "hmac-sha512-256", b"\x0fhmac-sha512-256\0", 32),
    ];

    fn of(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        Self::ALL.iter().find(|(_, name, ..)| *name == text).map(|(algorithm, ..)| *algorithm)
    }

    /// Its name in wire form.
    pub(crate) fn name(self) -> &'static [u8] {
        Self::ALL[self as usize].2
    }

    /// Octets of a MAC.
    pub(crate) fn octets(self) -> usize {
        Self::ALL[self as usize].3
    }
}

/// A key.
#[derive(Eq, PartialEq)]
pub struct Key {
    pub(crate) name: Vec<u8>,
    pub(crate) algorithm: Algorithm,
    secret: Vec<u8>,
}

/// Without the secret.
impl Debug for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name).field("algorithm", &self.algorithm).finish()
    }
}

impl Key {
    /// Its name in wire form, in lower case.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Reads `ALGORITHM:BASE64`, the content of the file `name`.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let name = name::parse_absolute(name).map_err(|error| format!("its name {error}"))?;
        let Some((algorithm, secret)) = text.trim().split_once(':') else {
            return Err("has no algorithm: write ALGORITHM:BASE64, such as hmac-sha256:c2VjcmV0".to_owned());
        };
        let Some(algorithm) = Algorithm::of(algorithm.trim()) else {
            let known: Vec<&str> = Algorithm::ALL.iter().map(|(_, name, ..)| *name).collect();
            return Err(format!("begins with no algorithm known here: write one of {}", known.join(", ")));
        };
        let secret = STANDARD.decode(secret.trim()).ok().filter(|secret| !secret.is_empty());
        let secret =
            secret.ok_or("has no secret in base64 after the colon: write the one that the peer has")?;
        Ok(Key { name: name.as_slice().to_ascii_lowercase(), algorithm, secret })
    }

    /// The MAC of all parts, one after another.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = match self.algorithm {
            Algorithm::Sha1 => mac_with::<Hmac<sha1::Sha1>>(&self.secret, parts),
            Algorithm::Sha224 => mac_with::<Hmac<sha2::Sha224>>(&self.secret, parts),
            Algorithm::Sha256 | Algorithm::Sha256Half => mac_with::<Hmac<sha2::Sha256>>(&self.secret, parts),
            Algorithm::Sha384 | Algorithm::Sha384Half => mac_with::<Hmac<sha2::Sha384>>(&self.secret, parts),
            Algorithm::Sha512 | Algorithm::Sha512Half => mac_with::<Hmac<sha2::Sha512>>(&self.secret, parts),
        };
        mac.truncate(self.algorithm.octets());
        mac
    }

    /// Whether `mac`, or the beginning that it is, is right. Takes the same time for every wrong one.
    pub(crate) fn is_mac_of(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        let right = self.mac(parts);
        let Some(right) = right.get(..mac.len()) else { return false };
        right.iter().zip(mac).fold(0, |differs, (a, b)| std::hint::black_box(differs | (a ^ b))) == 0
    }
}

fn mac_with<M: Mac + KeyInit>(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // HMAC takes keys of every length (RFC 2104 §2).
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret) else { return Vec::new() };
    for part in parts {
        Mac::update(&mut mac, part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// All keys, as of a moment.
#[derive(Debug, Default)]
pub struct Keys(BTreeMap<Vec<u8>, Arc<Key>>);

impl Keys {
    /// These keys.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Keys(keys.into_iter().map(|key| (key.name.clone(), Arc::new(key))).collect())
    }

    /// The key of a name in wire form, in lower case.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Key>> {
        self.0.get(name)
    }
}

/// Keys that follow a directory.
pub struct Directory {
    path: PathBuf,
    /// What each file gave when it was last right, and what was last said of it.
    seen: Mutex<BTreeMap<String, Seen>>,
}

#[derive(Default)]
struct Seen {
    key: Option<Arc<Key>>,
    problem: Option<String>,
}

impl Directory {
    /// The keys in `path`, not yet looked at.
    pub fn new(path: &Path) -> Self {
        Directory { path: path.to_owned(), seen: Mutex::default() }
    }

    /// Looks, and puts what is there into `keys`.
    pub fn refresh(&self, keys: &ArcSwap<Keys>) {
        let (now, problems) = self.look();
        for problem in problems {
            tracing::warn!("{problem}");
        }
        if let Some(now) = now
            && now.0 != keys.load().0
        {
            tracing::info!(keys = now.0.len(), "TSIG keys changed");
            keys.store(Arc::new(now));
        }
    }

    /// The keys, unless the directory cannot be read, and what is newly wrong.
    fn look(&self) -> (Option<Keys>, Vec<String>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut problems = Vec::new();
        let files = match files(&self.path) {
            Ok(files) => {
                seen.remove("");
                files
            }
            Err(error) => {
                let problem =
                    format!("cannot read the directory of TSIG keys {}: {error}", self.path.display());
                let entry = seen.entry(String::new()).or_default();
                if entry.problem.as_ref() != Some(&problem) {
                    entry.problem = Some(problem.clone());
                    problems.push(problem);
                }
                return (None, problems);
            }
        };
        seen.retain(|name, _| files.contains_key(name));
        for (name, read) in files {
            let entry = seen.entry(name.clone()).or_default();
            match read.and_then(|text| Key::parse(&name, &text)) {
                Ok(key) => {
                    entry.problem = None;
                    if entry.key.as_deref() != Some(&key) {
                        entry.key = Some(Arc::new(key));
                    }
                }
                Err(what) => {
                    let kept =
                        if entry.key.is_some() { " (the key that it held before stays in use)" } else { "" };
                    let problem = format!("TSIG key {}: {what}{kept}", self.path.join(&name).display());
                    if entry.problem.as_ref() != Some(&problem) {
                        entry.problem = Some(problem.clone());
                        problems.push(problem);
                    }
                }
            }
        }
        let keys = seen.values().filter_map(|seen| seen.key.clone()).map(|key| (key.name.clone(), key));
        (Some(Keys(keys.collect())), problems)
    }
}

/// The files that hold keys, by name: links are followed, hidden files are those of Kubernetes.
fn files(directory: &Path) -> io::Result<BTreeMap<String, Result<String, String>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with('.') || path.is_dir() {
            continue;
        }
        let read = match fs::metadata(&path) {
            Ok(metadata) if metadata.len() > GREATEST_FILE => Err("is too long for a key".to_owned()),
            Ok(_) => fs::read_to_string(&path).map_err(|error| format!("cannot be read: {error}")),
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        files.insert(name.to_owned(), read);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, text: &str) -> Key {
        Key::parse(name, text).expect("a key")
    }

    /// RFC 4231 §4.3 and RFC 2202 §3, test case 2.
    #[test]
    fn rfc4231_4_3_macs() {
        // "Jefe" in base64.
        let cases = [
            ("hmac-sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            ("hmac-sha224", "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
            ("hmac-sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            ("hmac-sha256-128", "5bdcc146bf60754e6a042426089575c7"),
            (
                "hmac-sha384",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            ("hmac-sha384-192", "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47"),
            (
                "hmac-sha512",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
            ("hmac-sha512-256", "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"),
        ];
        for (algorithm, expected) in cases {
            let key = key("k", &format!("{algorithm}:SmVmZQ=="));
            let mac = key.mac(&[b"what do ya want ", b"for nothing?"]);
            let hex: String = mac.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(hex, expected, "{algorithm}");
            assert!(key.is_mac_of(&[b"what do ya want for nothing?"], &mac));
            assert!(!key.is_mac_of(&[b"what do ya want for nothing!"], &mac));
            assert_eq!(mac.len(), key.algorithm.octets());
        }
    }

    #[test]
    fn a_wrong_key_says_what_to_write() {
        for (text, expected) in [
            ("c2VjcmV0", "no algorithm"),
            ("hmac-md5:c2VjcmV0", "no algorithm known here"),
            ("hmac-sha256:", "no secret"),
            ("hmac-sha256:not base64", "no secret"),
        ] {
            let said = Key::parse("k", text).expect_err("wrong");
            assert!(said.contains(expected), "{said}");
            assert!(
                !said.contains("c2VjcmV0\"") && !said.contains("not base64"),
                "a secret is not shown: {said}"
            );
        }
        assert!(Key::parse("a..b", "hmac-sha256:c2VjcmV0").is_err());
        assert!(!format!("{:?}", key("k", "hmac-sha256:c2VjcmV0")).contains("115"), "no secret in the log");
    }

    /// As the kubelet does it: a directory a version, a link `..data` to it, and links through that.
    #[test]
    fn a_secret_as_a_volume_is_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        let version = |name: &str, text: &str| {
            fs::create_dir(at(name)).expect("a directory");
            fs::write(at(name).join("transfer.Example"), text).expect("a file");
            std::os::unix::fs::symlink(name, at("..data_tmp")).expect("a link");
            fs::rename(at("..data_tmp"), at("..data")).expect("renamed");
        };
        version("..1", "hmac-sha256:c2VjcmV0\n");
        std::os::unix::fs::symlink("..data/transfer.Example", at("transfer.Example")).expect("a link");
        let directory = Directory::new(dir.path());
        let keys = ArcSwap::default();
        directory.refresh(&keys);
        let held = || keys.load().get(b"\x08transfer\x07example\0").cloned();
        assert_eq!(held().as_deref(), Some(&key("transfer.example", "hmac-sha256:c2VjcmV0")));

        version("..2", "hmac-sha512:b3RoZXI=");
        directory.refresh(&keys);
        let second = key("transfer.example", "hmac-sha512:b3RoZXI=");
        assert_eq!(held().as_deref(), Some(&second));

        version("..3", "nonsense");
        assert_eq!(directory.look().1.len(), 1, "said");
        assert_eq!(directory.look().1.len(), 0, "said once");
        directory.refresh(&keys);
        assert_eq!(held().as_deref(), Some(&second), "what is wrong changes nothing");

        fs::remove_file(at("transfer.Example")).expect("removed");
        directory.refresh(&keys);
        assert_eq!(held(), None);
    }
}
