//! `port53 import`: zones of other DNS systems to manifests, as files or in a cluster. Everything that can be read is
//! written; what clashes is for `port53 check`, or the operator, to say.
//!
//! | file | what it does |
//! |---|---|
//! | [`sources`] | the files that were named, as zones to be read |
//! | [`zone`] | a zone as manifests, and where in its file each record stands |
//! | [`places`] | where in its file stands what is refused |
//! | [`to_cluster`] | the manifests of a zone into a cluster |
//! | [`progress`] | how far that is |

mod places;
mod progress;
mod sources;
mod to_cluster;
mod zone;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use port53_zone::Name;
use tokio_util::sync::CancellationToken;

use super::{Ended, Outcome, create_directory};
use crate::args::Import;
use crate::finding::Finding;
use crate::judge::zone_text;
use crate::legacy::LeftOut;
use crate::report::{self, Color, Style, shown};
use port53_operator::convert;
use sources::Sources;
use to_cluster::{Imported, Importer, Refused};
use zone::{Read, Zone};

pub(super) fn run(arguments: Import, color: Color) -> Outcome {
    let style = Style::of(color, &io::stderr());
    match &arguments.output_dir {
        Some(directory) => to_files(&arguments, directory, style),
        None => crate::cluster::run(to_cluster(&arguments, style))?,
    }
}

/// What was told so far, and how it ends.
struct Told {
    style: Style,
    ended: Ended,
    /// The zones that were read or left out.
    met: BTreeSet<String>,
}

impl Told {
    fn new(style: Style) -> Self {
        Told { style, ended: Ended::Well, met: BTreeSet::new() }
    }

    fn meet(&mut self, apex: &Name) {
        self.met.insert(zone_text(apex).to_ascii_lowercase());
    }

    /// Zones that were asked for and are nowhere: most often a slip.
    fn not_met(&mut self, arguments: &Import) {
        for zone in &arguments.zone {
            let zone = zone_text(zone);
            if !self.met.contains(&zone.to_ascii_lowercase()) {
                self.ended = Ended::WithProblems;
                let error = self.style.error("error");
                eprintln!("{error}: --zone {zone}: there is nothing of this zone in what was named");
            }
        }
    }

    fn findings(&mut self, findings: &[Finding]) {
        eprint!("{}", report::findings_text(findings, self.style));
        if findings.iter().any(Finding::is_error) {
            self.ended = Ended::WithProblems;
        }
    }

    /// What was found before any zone is read.
    fn sources(&mut self, sources: &mut Sources) {
        self.findings(&std::mem::take(&mut sources.findings));
        for note in &sources.notes {
            eprintln!("{note}");
        }
    }

    fn refused(&mut self, what: &str, place: &str, refused: &Refused) {
        self.ended = Ended::WithProblems;
        if let Refused::Entry(LeftOut { zone: Some(zone), .. }) = refused {
            self.meet(zone);
        }
        let why: Vec<String> = refused.why().lines().map(shown).collect();
        let (place, what) = (shown(place), self.style.error(what));
        eprintln!("{place}: {what}: {}: {}", shown(&refused.what()), why.join("\n"));
    }
}

fn to_files(arguments: &Import, directory: &Path, style: Style) -> Outcome {
    arguments.to_cluster.cluster.is_of_files("import without --apply")?;
    let namespace = arguments.to_cluster.cluster.namespace.as_deref();
    let mut told = Told::new(style);
    let mut sources = Sources::of(arguments)?;
    told.sources(&mut sources);
    let (mut written, mut not_read) = (0, sources.left_out);
    for source in sources.zones {
        let zone = match zone::read(source, arguments, namespace, &mut told)? {
            Read::Zone(zone) => zone,
            Read::Nothing => continue,
            Read::LeftOut(left_out) => {
                not_read.push(left_out);
                continue;
            }
        };
        let Zone { apex, converted, places, left_out } = zone;
        told.meet(&apex);
        let refused = converted.refused.into_iter().map(|(rrset, why)| Refused::RRset(rrset, why));
        let mut refused: Vec<Refused> = left_out.into_iter().map(Refused::Entry).chain(refused).collect();
        refused.sort_by_cached_key(|refused| places.position(refused, &apex).cloned());
        for refused in &refused {
            told.refused("left out", &places.of(refused, &apex), refused);
        }
        written += 1;
        let text = crate::yaml::manifests(&converted.objects);
        if directory == Path::new("-") {
            let mut out = io::stdout().lock();
            let between = if written > 1 { "---\n" } else { "" };
            out.write_all(between.as_bytes()).and_then(|()| out.write_all(text.as_bytes()))?;
            continue;
        }
        let path = directory.join(convert::zone_object_name(&apex) + ".yaml");
        create_directory(directory)?;
        write(&path, &text, arguments.force)?;
        let records = report::count(converted.objects.len().saturating_sub(1), "DNSRecord");
        let refused = match refused.len() {
            0 => String::new(),
            some => format!(", {some} left out"),
        };
        eprintln!("{}: zone {}, {records}{refused}", path.display(), zone_text(&apex));
    }
    for left_out in &not_read {
        let place = places::shown(&left_out.position);
        told.refused("left out", &place, &Refused::Entry(left_out.clone()));
    }
    if !not_read.is_empty() {
        eprintln!("{} written, {} left out", report::count(written, "zone"), not_read.len());
    }
    told.not_met(arguments);
    Ok(told.ended)
}

/// What was refused is told and written however it ends.
async fn to_cluster(arguments: &Import, style: Style) -> Outcome {
    let rejects = arguments.to_cluster.rejects.as_deref();
    if let Some(file) = rejects {
        to_cluster::check_rejects(file, arguments.force)?;
    }
    let mut told = Told::new(style);
    let mut refused = Vec::new();
    let ended = each_to_cluster(arguments, &mut told, &mut refused).await;
    for (place, refused) in &refused {
        told.refused("refused", place, refused);
    }
    if let (Some(file), false) = (rejects, refused.is_empty()) {
        write(file, &to_cluster::rejects(&refused), arguments.force)?;
        eprintln!(
            "{}: what was refused; correct it and run {} apply -f {}",
            file.display(),
            crate::args::program(),
            file.display()
        );
    }
    if ended? {
        told.not_met(arguments);
    }
    Ok(told.ended)
}

/// The zones one after the other, and whether it came to the last. What is refused comes into `all_refused`, with its
/// place.
async fn each_to_cluster(
    arguments: &Import,
    told: &mut Told,
    all_refused: &mut Vec<(String, Refused)>,
) -> Result<bool, Box<dyn std::error::Error>> {
    let interrupted = CancellationToken::new();
    let is_told = interrupted.clone();
    port53_client::on_signal(move || is_told.cancel())?;
    let importer = Importer::connect(&arguments.to_cluster).await?;
    let mut sources = Sources::of(arguments)?;
    told.sources(&mut sources);
    let with_place = |left_out: LeftOut| (places::shown(&left_out.position), Refused::Entry(left_out));
    all_refused.extend(sources.left_out.into_iter().map(with_place));
    for source in sources.zones {
        let zone = match zone::read(source, arguments, Some(importer.namespace()), told)? {
            Read::Zone(zone) => zone,
            Read::Nothing => continue,
            Read::LeftOut(left_out) => {
                all_refused.push(with_place(left_out));
                continue;
            }
        };
        let Zone { apex, converted, places, left_out } = zone;
        told.meet(&apex);
        let mut imported = Imported::of(&converted, left_out);
        let is_early = tokio::select! {
            biased;
            () = interrupted.cancelled() => Err("interrupted".to_owned()),
            done = importer.import(converted, &mut imported) => done,
        };
        if is_early.is_ok() || importer.is_answered() {
            println!("{}", imported.summary(&zone_text(&apex)));
        }
        imported.refused.sort_by_cached_key(|refused| places.position(refused, &apex).cloned());
        let with_place = |refused: Refused| (places.of(&refused, &apex), refused);
        all_refused.extend(imported.refused.into_iter().map(with_place));
        if let Err(why) = is_early {
            let why = format!("{why}: run this again, and it goes on");
            if !importer.is_answered() {
                return Err(why.into());
            }
            eprintln!("{}: {why}", told.style.error("not done"));
            told.ended = Ended::WithProblems;
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(path: &Path, text: &str, is_forced: bool) -> Result<(), String> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(true);
    if is_forced {
        options.create(true)
    } else {
        options.create_new(true)
    };
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::AlreadyExists => format!("{path} is there: give --force to replace it"),
            _ => format!("cannot write {path}: {error}"),
        }
    })
}
