//! What is to be imported: the files that a person named, as zones to be read one after the other.
//!
//! ```text
//! paths ──files, format──▶ master file ──────────────▶ Source::Master
//!                          named.conf ──choose──▶ a Source::Named for each zone
//!                          octoDNS, by zone ─────────▶ Source::Ready
//!                          DNSEndpoints, all together ▶ Source::Ready, a zone each
//! ```

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use port53_zone::Name;
use port53_zone::name::{self, SortKey};

use crate::args::{Import, ImportFormat};
use crate::directory::{self, OpenError};
use crate::finding::{Finding, MALFORMED, UNREADABLE};
use crate::legacy::endpoints::{self, Manifests};
use crate::legacy::format::{self, Format};
use crate::legacy::named::{self, Chosen, Configuration};
use crate::legacy::{LeftOut, LegacyZone, octodns};

/// One zone to be read.
pub(super) enum Source {
    Master(PathBuf),
    Named(Arc<Configuration>, Chosen),
    Ready(LegacyZone),
}

/// What was found in what a person named.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) zones: Vec<Source>,
    /// What is wrong with the files.
    pub(super) findings: Vec<Finding>,
    /// Zones, and what is in no zone.
    pub(super) left_out: Vec<LeftOut>,
    /// What a person should know.
    pub(super) notes: Vec<String>,
    octodns: BTreeMap<SortKey, LegacyZone>,
    manifests: Manifests,
}

impl Sources {
    /// Finds what is to be imported. Zones in files of their own are not read yet.
    ///
    /// # Errors
    /// When a file cannot be read, or nobody knows what it is.
    pub(super) fn of(arguments: &Import) -> Result<Self, Box<dyn Error>> {
        let (files, findings) = directory::files(&arguments.file)?;
        let mut sources = Sources { findings, ..Sources::default() };
        let mut has_manifests = false;
        for directory::File { path, is_named } in files {
            let (format, text) = match format_of(&path, arguments.format) {
                Ok((Some(format), text)) => (format, text),
                Ok((None, _)) if !is_named => {
                    sources.pass_over(&path);
                    continue;
                }
                Err(error) if !is_named => {
                    sources.findings.push(unreadable(&path, &error));
                    continue;
                }
                Ok((None, _)) => return Err(unknown(&path).into()),
                Err(error) => return Err(error.into()),
            };
            let shown: Arc<str> = path.display().to_string().into();
            if matches!(format, Format::Master | Format::Named) && path == Path::new("-") {
                let why =
                    "standard input is read for manifests, and with --format octodns for that: name a file";
                return Err(why.into());
            }
            match format {
                Format::Master => sources.zones.push(Source::Master(path)),
                Format::Named => sources.named(&path, arguments)?,
                Format::Octodns => sources.octodns(&path, &shown, &text, arguments)?,
                Format::Endpoints => {
                    has_manifests = true;
                    sources.manifests.take(&text, &shown);
                }
            }
        }
        sources.zones.extend(std::mem::take(&mut sources.octodns).into_values().map(Source::Ready));
        if has_manifests {
            sources.endpoints(arguments);
        }
        Ok(sources)
    }

    /// Files beside zones are no mistake in a directory.
    fn pass_over(&mut self, path: &Path) {
        let message = "it is neither manifests nor a zone of octoDNS by its name, and passed over";
        let fix = "name it by its zone (example.com.yaml), or give it with --origin";
        let file: Arc<str> = path.display().to_string().into();
        self.findings.push(Finding::error(&file, (0, 0), MALFORMED, message, fix).as_warning());
    }

    fn named(&mut self, path: &Path, arguments: &Import) -> Result<(), Box<dyn Error>> {
        let root = arguments.root.as_deref().unwrap_or(Path::new("/"));
        let mut configuration = named::read(path, root)?;
        self.findings.append(&mut configuration.findings.clone());
        let choice = configuration.choose(arguments.view.as_deref(), &arguments.zone)?;
        if choice.of_other_views > 0 {
            let others = crate::report::count(choice.of_other_views, "zone");
            self.notes.push(format!("{}: {others} of other views not looked at", path.display()));
        }
        configuration.findings.clear();
        let configuration = Arc::new(configuration);
        self.left_out.extend(choice.left_out);
        self.zones.extend(choice.chosen.into_iter().map(|it| Source::Named(configuration.clone(), it)));
        Ok(())
    }

    fn octodns(
        &mut self,
        path: &Path,
        shown: &Arc<str>,
        text: &[u8],
        arguments: &Import,
    ) -> Result<(), Box<dyn Error>> {
        let Some(apex) = arguments.origin.clone().or_else(|| octodns::origin(path)) else {
            return Err(format!("the zone of {shown} is not known by its name: give --origin").into());
        };
        if !is_wanted(&apex, arguments) {
            return Ok(());
        }
        let default_ttl = arguments.default_ttl.unwrap_or(octodns::DEFAULT_TTL);
        let mut read = octodns::read(text, shown, &apex, default_ttl);
        self.findings.append(&mut read.findings);
        let zone = self.octodns.entry(SortKey::of(&apex)).or_insert_with(|| LegacyZone {
            file: shown.clone(),
            apex,
            object: None,
            rrsets: Vec::new(),
            left_out: Vec::new(),
        });
        zone.rrsets.append(&mut read.rrsets);
        zone.left_out.append(&mut read.left_out);
        Ok(())
    }

    fn endpoints(&mut self, arguments: &Import) {
        let mut manifests = std::mem::take(&mut self.manifests);
        self.findings.append(&mut manifests.findings);
        if manifests.endpoints == 0 {
            self.notes.push(
                "there is no DNSEndpoint in the manifests: Zones and DNSRecords are for apply".to_owned(),
            );
        }
        let given: Vec<Name> = arguments.zone.iter().chain(&arguments.origin).cloned().collect();
        let default_ttl = arguments.default_ttl.unwrap_or(endpoints::DEFAULT_TTL);
        let (zones, homeless) = manifests.into_zones(&given, default_ttl);
        let is_used = |zone: &LegacyZone| !(zone.rrsets.is_empty() && zone.left_out.is_empty());
        let zones = zones.into_iter().filter(|zone| is_wanted(&zone.apex, arguments) && is_used(zone));
        self.zones.extend(zones.map(Source::Ready));
        self.left_out.extend(homeless);
    }
}

/// Whether a zone is among those that were asked for.
pub(super) fn is_wanted(apex: &Name, arguments: &Import) -> bool {
    arguments.zone.is_empty() || arguments.zone.contains(apex)
}

/// Each owner and type once: of what is there again the first counts, and the others are left out.
pub(super) fn each_once(zone: &mut LegacyZone) {
    let mut first = BTreeMap::new();
    let (mut kept, mut again) = (Vec::with_capacity(zone.rrsets.len()), Vec::new());
    for (rrset, position) in zone.rrsets.drain(..) {
        match first.entry((SortKey::of(&rrset.name), rrset.rtype)) {
            Entry::Vacant(free) => {
                free.insert(position.clone());
                kept.push((rrset, position));
            }
            Entry::Occupied(there) => again.push(LeftOut {
                zone: None,
                what: format!("{} {}", name::display(&rrset.name), rrset.rtype),
                why: format!(
                    "{}:{} has this name and type already, and counts: put all values into one of the two",
                    there.get().file,
                    there.get().line
                ),
                position,
            }),
        }
    }
    zone.rrsets = kept;
    zone.left_out.append(&mut again);
    zone.left_out.sort_by(|a, b| a.position.cmp(&b.position));
}

/// The format of a file, and all of its text where that is read as a whole.
fn format_of(path: &Path, said: ImportFormat) -> Result<(Option<Format>, Vec<u8>), OpenError> {
    let said = match said {
        ImportFormat::Auto => None,
        ImportFormat::Master => Some(Format::Master),
        ImportFormat::Named => Some(Format::Named),
        ImportFormat::Octodns => Some(Format::Octodns),
        ImportFormat::Dnsendpoint => Some(Format::Endpoints),
    };
    // These read their files themselves.
    if matches!(said, Some(Format::Master | Format::Named)) {
        return Ok((said, Vec::new()));
    }
    let unreadable = |source| OpenError::Unreadable { path: path.display().to_string(), source };
    let mut file = directory::open(path)?;
    let mut text = Vec::new();
    (&mut file).take(format::LOOKED_AT as u64).read_to_end(&mut text).map_err(unreadable)?;
    let format = said.or_else(|| format::of(path, &text));
    if matches!(format, Some(Format::Octodns | Format::Endpoints)) {
        let rest = directory::octets(file).map_err(|refused| unreadable(std::io::Error::other(refused)))?;
        text.extend(rest);
    }
    Ok((format, text))
}

/// One file of a directory keeps no other from being read.
fn unreadable(path: &Path, error: &OpenError) -> Finding {
    let file: Arc<str> = path.display().to_string().into();
    Finding::error(&file, (0, 0), UNREADABLE, port53_client::chain(error), "make it readable")
}

fn unknown(path: &Path) -> String {
    format!(
        "{} is neither manifests nor a zone of octoDNS by its name: name it by its zone (example.com.yaml), or give \
         --format and --origin",
        path.display()
    )
}
