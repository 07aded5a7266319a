//! What a program is made of: a bill of materials in CycloneDX 1.6, from the lock file and what cargo resolves for the
//! machine that it is built for. No time and no number by chance is in it, so it comes out the same each time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use serde_json::{Value, json};

use crate::{Architecture, Error};

/// What cargo resolves for a machine.
#[derive(Debug)]
pub struct Resolved {
    metadata: Metadata,
    checksums: BTreeMap<(String, String), String>,
}

impl Resolved {
    /// For this architecture. `manifest` is the Cargo.toml of the workspace.
    ///
    /// # Errors
    /// When cargo or the lock file cannot be read.
    pub fn read(manifest: &Path, architecture: Architecture) -> Result<Self, Error> {
        let wrong = |why: String| Error::Program { path: manifest.to_owned(), why };
        let platform = format!("--filter-platform={}", architecture.target());
        let metadata = MetadataCommand::new()
            .manifest_path(manifest)
            .other_options(vec![platform, "--locked".to_owned()])
            .exec()
            .map_err(|error| wrong(error.to_string()))?;
        let lock = manifest.with_file_name("Cargo.lock");
        let text = std::fs::read_to_string(&lock).map_err(|source| Error::File { path: lock, source })?;
        Ok(Resolved { metadata, checksums: checksums(&text) })
    }

    /// The bill of the program that a package of the workspace has.
    ///
    /// # Errors
    /// When there is no such package.
    pub fn bill(&self, program: &str, package: &str, version: &str) -> Result<Value, Error> {
        let packages = &self.metadata.packages;
        let root = packages.iter().find(|one| one.name.as_str() == package).ok_or_else(|| {
            Error::Program { path: program.into(), why: format!("the workspace has no package {package}") }
        })?;
        let parts = self.parts(&root.id);
        let of = |id: &PackageId| packages.iter().find(|package| package.id == *id);
        let mut components: Vec<(String, Value)> =
            parts.iter().filter_map(of).map(|part| (url(part), self.component(part))).collect();
        components.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "application",
                    "bom-ref": program,
                    "name": program,
                    "version": version,
                    "licenses": licenses(root),
                },
            },
            "components": components.into_iter().map(|(_, component)| component).collect::<Vec<_>>(),
        }))
    }

    /// What is linked into a package: dependencies of its dependencies, but those of tests and of building alone.
    fn parts(&self, root: &PackageId) -> BTreeSet<PackageId> {
        let nodes =
            self.metadata.resolve.as_ref().map(|resolve| resolve.nodes.as_slice()).unwrap_or_default();
        let mut found = BTreeSet::new();
        let mut waiting = VecDeque::from([root.clone()]);
        while let Some(id) = waiting.pop_front() {
            let Some(node) = nodes.iter().find(|node| node.id == id) else { continue };
            for dependency in &node.deps {
                let is_linked = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
                if is_linked && found.insert(dependency.pkg.clone()) {
                    waiting.push_back(dependency.pkg.clone());
                }
            }
        }
        found
    }

    fn component(&self, package: &Package) -> Value {
        let mut component = json!({
            "type": "library",
            "bom-ref": url(package),
            "name": package.name.as_str(),
            "version": package.version.to_string(),
            "purl": url(package),
            "licenses": licenses(package),
        });
        let key = (package.name.to_string(), package.version.to_string());
        if let Some(checksum) = self.checksums.get(&key) {
            component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
        }
        component
    }
}

/// As package URLs have it.
fn url(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

fn licenses(package: &Package) -> Value {
    match &package.license {
        // Some write a slash for OR.
        Some(license) => json!([{"expression": license.replace('/', " OR ")}]),
        None => json!([]),
    }
}

/// Checksums by name and version, as the lock file has them.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut all = BTreeMap::new();
    for part in lock.split("[[package]]").skip(1) {
        let field = |name: &str| {
            part.lines().find_map(|line| {
                line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"').map(str::to_owned)
            })
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (field("name"), field("version"), field("checksum"))
        {
            all.insert((name, version), checksum);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_has_what_is_linked_and_nothing_else() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let resolved = Resolved::read(&manifest, Architecture::Amd64).expect("cargo resolves");
        let bill = resolved.bill("port53-resolver", "port53-resolver", "1.2.3").expect("a bill");
        assert_eq!(bill["metadata"]["component"]["version"], "1.2.3");
        let components = bill["components"].as_array().expect("components");
        let named = |name: &str| components.iter().find(|component| component["name"] == name);
        let rustls = named("rustls").expect("it speaks TLS");
        assert!(rustls["hashes"][0]["content"].as_str().is_some_and(|hash| hash.len() == 64), "{rustls}");
        assert!(rustls["purl"].as_str().is_some_and(|url| url.starts_with("pkg:cargo/rustls@")));
        assert!(named("port53-zone").is_some());
        for other in ["proptest", "gungraun", "windows-sys", "port53-operator"] {
            assert!(named(other).is_none(), "{other} is not in it");
        }
        assert_eq!(resolved.bill("port53-resolver", "port53-resolver", "1.2.3").expect("a bill"), bill);
        assert!(resolved.bill("x", "no-such", "1").is_err());
    }
}
