//! `port53 import`: master files to manifests, as files or in a cluster. Everything that can be read is written;
//! what clashes is for `port53 check`, or the operator, to say.

mod places;
mod progress;
mod to_cluster;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use port53_operator::objects::MasterZone;
use port53_zone::name::SortKey;
use port53_zone::{RRset, Record, Rtype, name, rdata};
use tokio_util::sync::CancellationToken;

use super::{Ended, Outcome, create_directory};
use crate::args::Import;
use crate::convert::{self, Converted, ZoneData};
use crate::directory;
use crate::finding::Finding;
use crate::judge::zone_text;
use crate::report::{self, Color, Style};
use places::Places;
use to_cluster::{Imported, Importer, Refused};

pub(super) fn run(arguments: Import, color: Color) -> Outcome {
    let style = Style::of(color, &io::stderr());
    match &arguments.output_dir {
        Some(directory) => to_files(&arguments, directory, style),
        None => crate::cluster::run(to_cluster(&arguments, style))?,
    }
}

fn to_files(arguments: &Import, directory: &Path, style: Style) -> Outcome {
    arguments.to_cluster.cluster.is_of_files("import without --apply")?;
    let options = convert::Options {
        namespace: arguments.to_cluster.cluster.namespace.clone(),
        ..convert::Options::default()
    };
    let mut ended = Ended::Well;
    for file in &arguments.file {
        let Some((source, converted)) = convert_file(file, arguments, &options, style, &mut ended)? else {
            continue;
        };
        for (rrset, reason) in &converted.refused {
            ended = Ended::WithProblems;
            let place = source.places.of_rrset(rrset);
            let (owner, rtype) = (name::display(&rrset.name), rdata::display_rtype(rrset.rtype));
            eprintln!("{place}: {}: {owner} {rtype}: {reason}", style.error("left out"));
        }
        let text = convert::render(&converted.objects);
        if directory == Path::new("-") {
            io::stdout().lock().write_all(text.as_bytes())?;
            continue;
        }
        let apex = &source.data.apex;
        let path = directory.join(convert::zone_object_name(apex) + ".yaml");
        create_directory(directory)?;
        write(&path, &text, arguments.force)?;
        let records = converted.objects.len().saturating_sub(1);
        eprintln!("{}: zone {}, {}", path.display(), zone_text(apex), report::count(records, "DNSRecord"));
    }
    Ok(ended)
}

/// What was refused is told and written however it ends.
async fn to_cluster(arguments: &Import, style: Style) -> Outcome {
    let rejects = arguments.to_cluster.rejects.as_deref();
    if let Some(file) = rejects {
        to_cluster::check_rejects(file, arguments.force)?;
    }
    let mut refused = Vec::new();
    let ended = each_to_cluster(arguments, style, &mut refused).await;
    for (place, refused) in &refused {
        eprintln!("{place}: {}: {}: {}", style.error("refused"), refused.what(), refused.why());
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
    match ended? {
        Ended::Well if !refused.is_empty() => Ok(Ended::WithProblems),
        ended => Ok(ended),
    }
}

/// The files one after the other. What is refused comes into `all_refused`, with its place.
async fn each_to_cluster(
    arguments: &Import,
    style: Style,
    all_refused: &mut Vec<(String, Refused)>,
) -> Outcome {
    let interrupted = CancellationToken::new();
    let told = interrupted.clone();
    port53_client::on_signal(move || told.cancel())?;
    let importer = Importer::connect(&arguments.to_cluster).await?;
    let options =
        convert::Options { namespace: Some(importer.namespace().to_owned()), ..convert::Options::default() };
    let mut ended = Ended::Well;
    for file in &arguments.file {
        let Some((source, converted)) = convert_file(file, arguments, &options, style, &mut ended)? else {
            continue;
        };
        let mut imported = Imported::of(&converted);
        let is_early = tokio::select! {
            biased;
            () = interrupted.cancelled() => Err("interrupted".to_owned()),
            done = importer.import(converted, &mut imported) => done,
        };
        if is_early.is_ok() || importer.is_answered() {
            println!("{}", imported.summary(&zone_text(&source.data.apex)));
        }
        let Source { data, places } = source;
        imported.refused.sort_by_cached_key(|refused| places.position(refused, &data.apex).cloned());
        let with_place = |refused: Refused| (places.of(&refused, &data.apex), refused);
        all_refused.extend(imported.refused.into_iter().map(with_place));
        if let Err(why) = is_early {
            let why = format!("{why}: run this again, and it goes on");
            if !importer.is_answered() {
                return Err(why.into());
            }
            eprintln!("{}: {why}", style.error("not done"));
            return Ok(Ended::WithProblems);
        }
    }
    Ok(ended)
}

/// What a file holds, and where.
struct Source {
    data: ZoneData,
    places: Places,
}

/// A file, and what it holds as manifests. Says what is wrong in it.
fn convert_file(
    file: &Path,
    arguments: &Import,
    options: &convert::Options,
    style: Style,
    ended: &mut Ended,
) -> Result<Option<(Source, Converted)>, directory::OpenError> {
    let (zone, findings) = directory::read_master_file(file, arguments.origin.clone())?;
    eprint!("{}", report::findings_text(&findings, style));
    if findings.iter().any(Finding::is_error) {
        *ended = Ended::WithProblems;
    }
    let Some(zone) = zone else { return Ok(None) };
    let source = Source { places: Places::of_zone(&zone), data: data(zone) };
    let converted = convert::manifests(&source.data, options);
    for warning in &converted.warnings {
        eprintln!("{}: {}: {warning}", file.display(), style.warning("warning"));
    }
    Ok(Some((source, converted)))
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

/// The lines of a master file as RRsets in canonical order. Of TTLs that differ within a set the lowest counts
/// (RFC 2181 §5.2).
fn data(zone: MasterZone) -> ZoneData {
    let mut sets: BTreeMap<(SortKey, u16), Vec<Record>> = BTreeMap::new();
    for line in zone.records {
        let record = line.value;
        sets.entry((SortKey::of(&record.name), record.rtype.to_int())).or_default().push(record);
    }
    let rrsets = sets.into_iter().filter_map(|((_, rtype), records)| {
        let ttl = records.iter().map(|record| record.ttl).min()?;
        let owner = records.first()?.name.clone();
        let values = records.into_iter().map(|record| record.rdata);
        Some(RRset::new(owner, Rtype::from_int(rtype), ttl, values))
    });
    ZoneData { apex: zone.apex, soa: zone.soa.value, rrsets: rrsets.collect() }
}
