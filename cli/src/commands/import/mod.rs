//! `port53 import`: master files to manifests, as files or in a cluster. Everything that can be read is written;
//! what clashes is for `port53 check`, or the operator, to say.

mod to_cluster;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use port53_operator::objects::MasterZone;
use port53_zone::name::SortKey;
use port53_zone::{RRset, Record, Rtype, name, rdata};

use super::{Ended, Outcome, create_directory};
use crate::args::Import;
use crate::convert::{self, Converted, ZoneData};
use crate::directory;
use crate::finding::Finding;
use crate::judge::zone_text;
use crate::report::{self, Color, Style};
use to_cluster::{Importer, Refused};

pub(super) fn run(arguments: Import, color: Color) -> Outcome {
    let style = Style::of(color, &io::stderr());
    match &arguments.output_dir {
        Some(directory) => to_files(&arguments, directory, style),
        None => crate::cluster::run(to_cluster(&arguments, style))?,
    }
}

fn to_files(arguments: &Import, directory: &Path, style: Style) -> Outcome {
    let options = convert::Options { namespace: arguments.to_cluster.cluster.namespace.clone() };
    let mut ended = Ended::Well;
    for file in &arguments.file {
        let Some((data, converted)) = convert_file(file, arguments, &options, style, &mut ended)? else {
            continue;
        };
        for (rrset, reason) in &converted.refused {
            ended = Ended::WithProblems;
            let (owner, rtype) = (name::display(&rrset.name), rdata::display_rtype(rrset.rtype));
            eprintln!("{}: {}: {owner} {rtype}: {reason}", file.display(), style.error("left out"));
        }
        let text = convert::render(&converted.objects);
        if directory == Path::new("-") {
            io::stdout().lock().write_all(text.as_bytes())?;
            continue;
        }
        let path = directory.join(convert::zone_object_name(&data.apex) + ".yaml");
        create_directory(directory)?;
        write(&path, &text, arguments.force)?;
        let records = converted.objects.len().saturating_sub(1);
        eprintln!(
            "{}: zone {}, {}",
            path.display(),
            zone_text(&data.apex),
            report::count(records, "DNSRecord")
        );
    }
    Ok(ended)
}

async fn to_cluster(arguments: &Import, style: Style) -> Outcome {
    let rejects = arguments.to_cluster.rejects.as_deref();
    if let Some(file) = rejects {
        to_cluster::check_rejects(file, arguments.force)?;
    }
    let importer = Importer::connect(&arguments.to_cluster).await?;
    let options = convert::Options { namespace: Some(importer.namespace().to_owned()) };
    let mut ended = Ended::Well;
    let mut refused: Vec<Refused> = Vec::new();
    for file in &arguments.file {
        let Some((data, converted)) = convert_file(file, arguments, &options, style, &mut ended)? else {
            continue;
        };
        let imported = importer.import(converted).await?;
        println!("{}", imported.summary(&zone_text(&data.apex)));
        refused.extend(imported.refused);
    }
    for refused in &refused {
        eprintln!("{}: {}: {}", style.error("refused"), refused.what(), refused.why());
    }
    if refused.is_empty() {
        return Ok(ended);
    }
    if let Some(file) = rejects {
        write(file, &to_cluster::rejects(&refused), arguments.force)?;
        eprintln!(
            "{}: what was refused; correct it and run {} apply -f {}",
            file.display(),
            crate::args::program(),
            file.display()
        );
    }
    Ok(Ended::WithProblems)
}

/// What a file holds, and as manifests. Says what is wrong in it.
fn convert_file(
    file: &Path,
    arguments: &Import,
    options: &convert::Options,
    style: Style,
    ended: &mut Ended,
) -> Result<Option<(ZoneData, Converted)>, directory::OpenError> {
    let (zone, findings) = directory::read_master_file(file, arguments.origin.clone())?;
    eprint!("{}", report::findings_text(&findings, style));
    if findings.iter().any(Finding::is_error) {
        *ended = Ended::WithProblems;
    }
    let Some(zone) = zone else { return Ok(None) };
    let data = data(zone);
    let converted = convert::manifests(&data, options);
    for warning in &converted.warnings {
        eprintln!("{}: {}: {warning}", file.display(), style.warning("warning"));
    }
    Ok(Some((data, converted)))
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
