//! Writes `crds/manifests`, the same into the chart, and the reference of the API: `cargo run -p port53-crds --bin generate`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    for directory in port53_crds::DIRECTORIES {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(directory);
        fs::create_dir_all(&directory)?;
        for manifest in port53_crds::manifests()? {
            fs::write(directory.join(&manifest.file), &manifest.text)?;
        }
    }
    let document = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    fs::write(document, port53_crds::reference::document())?;
    Ok(())
}
