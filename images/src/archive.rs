//! Writing the archive.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Error, File, Image, Part};

/// The time of everything in an image.
const EPOCH: &str = "1970-01-01T00:00:00Z";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image that was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// Its digest, by which a registry knows it: `sha256:…`.
    pub digest: String,
    /// Octets of the archive.
    pub octets: u64,
}

impl Image {
    /// Writes the image as an archive.
    ///
    /// # Errors
    /// When the file cannot be written, or the image has nothing for any architecture or two things for one.
    pub fn write(&self, file: &Path) -> Result<Written, Error> {
        let mut blobs = Blobs::default();
        let mut parts: Vec<&Part> = self.parts.iter().collect();
        parts.sort_by_key(|part| part.architecture);
        if parts.is_empty() {
            return Err(Error::Parts(format!("{}: there is no program for any architecture", self.name)));
        }
        if let Some(twice) = parts.windows(2).find(|pair| pair[0].architecture == pair[1].architecture) {
            let architecture = twice[0].architecture.as_str();
            return Err(Error::Parts(format!("{}: there are two programs for {architecture}", self.name)));
        }
        let mut manifests = Vec::new();
        for part in parts {
            let mut manifest = self.manifest(part, &mut blobs).map_err(|source| error(file, source))?;
            manifest["platform"] = json!({"architecture": part.architecture.as_str(), "os": "linux"});
            manifests.push(manifest);
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        let mut whole = blobs.put(INDEX, &index);
        let digest = text(&whole["digest"]);
        // Tools know an image of an archive by one of the two.
        let tag = self.name.rsplit_once('/').map_or(self.name.as_str(), |(_, last)| last);
        let tag = tag.split_once(':').map_or("latest", |(_, tag)| tag);
        whole["annotations"] =
            json!({"io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": tag});
        let octets = blobs
            .archive(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [whole]}))
            .map_err(|source| error(file, source))?;
        std::fs::write(file, &octets).map_err(|source| error(file, source))?;
        Ok(Written { digest, octets: octets.len() as u64 })
    }

    /// Makes the blobs of a part, and gives the descriptor of its manifest.
    fn manifest(&self, part: &Part, blobs: &mut Blobs) -> io::Result<Value> {
        let layer = layer(&part.files)?;
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&layer)?;
        let layer_descriptor = blobs.put_octets(LAYER, packed.finish()?);
        let mut run = json!({"Entrypoint": self.entrypoint, "WorkingDir": "/", "Env": ["PATH=/"]});
        if let Some(user) = &self.user {
            run["User"] = json!(user);
        }
        if !self.labels.is_empty() {
            run["Labels"] = json!(self.labels);
        }
        let config = json!({
            "created": EPOCH,
            "architecture": part.architecture.as_str(),
            "os": "linux",
            "config": run,
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
            "history": [{"created": EPOCH, "created_by": "port53-images"}],
        });
        let config = blobs.put(CONFIG, &config);
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [layer_descriptor],
        });
        if !self.labels.is_empty() {
            manifest["annotations"] = json!(self.labels);
        }
        Ok(blobs.put(MANIFEST, &manifest))
    }
}

fn error(file: &Path, source: io::Error) -> Error {
    Error::File { path: file.to_owned(), source }
}

/// The files of an image as a tar archive, with the directories that they are in.
fn layer(files: &[File]) -> io::Result<Vec<u8>> {
    let mut entries: BTreeMap<String, Option<&File>> = BTreeMap::new();
    for file in files {
        let path = file.path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            entries.insert(path[..=at].to_owned(), None);
        }
        entries.insert(path.to_owned(), Some(file));
    }
    let mut tar = tar::Builder::new(Vec::new());
    for (path, file) in entries {
        let (octets, mode) = match file {
            Some(file) => (file.octets.as_slice(), if file.is_program { 0o755 } else { 0o644 }),
            None => (&[][..], 0o755),
        };
        let kind = if file.is_some() { tar::EntryType::Regular } else { tar::EntryType::Directory };
        append(&mut tar, &path, octets, kind, mode)?;
    }
    tar.into_inner()
}

fn append(
    tar: &mut tar::Builder<Vec<u8>>,
    path: &str,
    octets: &[u8],
    kind: tar::EntryType,
    mode: u32,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(octets.len() as u64);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, path, octets)
}

/// What an archive holds by digest.
#[derive(Default)]
struct Blobs(BTreeMap<String, Vec<u8>>);

impl Blobs {
    /// Puts JSON in and gives its descriptor.
    fn put(&mut self, media_type: &str, value: &Value) -> Value {
        self.put_octets(media_type, value.to_string().into_bytes())
    }

    fn put_octets(&mut self, media_type: &str, octets: Vec<u8>) -> Value {
        let (digest, size) = (digest(&octets), octets.len());
        self.0.insert(digest.clone(), octets);
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    fn archive(&self, index: &Value) -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut file =
            |path: &str, octets: &[u8]| append(&mut tar, path, octets, tar::EntryType::Regular, 0o644);
        file("oci-layout", json!({"imageLayoutVersion": "1.0.0"}).to_string().as_bytes())?;
        file("index.json", index.to_string().as_bytes())?;
        for (digest, octets) in &self.0 {
            file(&format!("blobs/{}", digest.replace(':', "/")), octets)?;
        }
        tar.into_inner()
    }
}

fn digest(octets: &[u8]) -> String {
    let hex = Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    format!("sha256:{hex}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;
    use std::io::Read;

    fn image() -> Image {
        let file = |octets: &[u8]| File {
            path: "/bin/program".to_owned(),
            octets: octets.to_vec(),
            is_program: true,
        };
        let part = |architecture, octets: &[u8]| Part { architecture, files: vec![file(octets)] };
        Image {
            name: "registry.example.net:5000/port53/program:1.2".to_owned(),
            entrypoint: vec!["/bin/program".to_owned()],
            user: Some("65532:65532".to_owned()),
            parts: vec![part(Architecture::Arm64, b"arm"), part(Architecture::Amd64, b"amd")],
            ..Image::default()
        }
    }

    #[test]
    fn an_archive_is_the_same_each_time_and_all_in_it_is_found_by_digest() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let files = ["one.tar", "two.tar"].map(|name| dir.path().join(name));
        let written = files.each_ref().map(|file| image().write(file).expect("an archive"));
        assert_eq!(written[0], written[1]);
        let octets = std::fs::read(&files[0]).expect("an archive");
        assert_eq!(octets, std::fs::read(&files[1]).expect("an archive"));

        let mut entries = BTreeMap::new();
        for entry in tar::Archive::new(octets.as_slice()).entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            let mut octets = Vec::new();
            entry.read_to_end(&mut octets).expect("octets");
            entries.insert(path, octets);
        }
        let json = |octets: &[u8]| serde_json::from_slice::<Value>(octets).expect("JSON");
        let blob = |descriptor: &Value| {
            let named = text(&descriptor["digest"]);
            let octets = &entries[&format!("blobs/{}", named.replace(':', "/"))];
            assert_eq!(
                (digest(octets), octets.len() as u64),
                (named, descriptor["size"].as_u64().unwrap_or(0))
            );
            octets.clone()
        };
        let top = json(&entries["index.json"]);
        assert_eq!(top["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "1.2");
        assert_eq!(text(&top["manifests"][0]["digest"]), written[0].digest);
        let index = json(&blob(&top["manifests"][0]));
        let architectures: Vec<&Value> = index["manifests"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["platform"]["architecture"])
            .collect();
        assert_eq!(architectures, ["amd64", "arm64"]);
        let manifest = json(&blob(&index["manifests"][0]));
        let config = json(&blob(&manifest["config"]));
        assert_eq!(config["config"]["User"], "65532:65532");
        let mut layer = Vec::new();
        flate2::read::GzDecoder::new(blob(&manifest["layers"][0]).as_slice())
            .read_to_end(&mut layer)
            .expect("a layer");
        assert_eq!(text(&config["rootfs"]["diff_ids"][0]), digest(&layer));
        let mut layer = tar::Archive::new(layer.as_slice());
        let found: Vec<(String, u32, u64)> = layer
            .entries()
            .expect("entries")
            .map(|entry| {
                let entry = entry.expect("an entry");
                let path = entry.path().expect("a path").to_string_lossy().into_owned();
                (path, entry.header().mode().expect("a mode"), entry.header().mtime().expect("a time"))
            })
            .collect();
        assert_eq!(found, [("bin/".to_owned(), 0o755, 0), ("bin/program".to_owned(), 0o755, 0)]);
    }

    #[test]
    fn two_programs_for_one_architecture_are_refused() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let mut image = image();
        image.parts[0].architecture = Architecture::Amd64;
        let error = image.write(&dir.path().join("a.tar")).expect_err("two for one");
        assert!(error.to_string().ends_with("there are two programs for amd64"), "{error}");
        image.parts.clear();
        assert!(image.write(&dir.path().join("a.tar")).is_err());
    }
}
