//! `port53 export`: a zone as it is published in a cluster, or as it would be served from a directory, as a
//! master file or as manifests.

mod manifests;

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use port53_crds::HeadState;
use port53_zone::content::Content;
use port53_zone::{Name, Soa, master, name};

use super::{DEFAULT_NAMESPACE, Ended, NO_SALT, Outcome, read};
use crate::args::{ClusterArgs, Export, ExportFormat};
use crate::cluster::published::Version;
use crate::cluster::{self, Cluster};
use crate::judge::{Standing, zone_text};
use crate::report::{self, Color, Style};
use manifests::Objects;

/// A zone that was found.
struct Exported {
    apex: Name,
    soa: Soa,
    content: Content,
    objects: Objects,
}

pub(super) fn run(arguments: Export, color: Color) -> Outcome {
    let Export { path, zone, format, cluster } = arguments;
    let style = Style::of(color, &io::stderr());
    let zone = match path {
        Some(path) => of_directory(&path, &zone, &cluster, style)?,
        None => cluster::run(of_cluster(&zone, &cluster, format))??,
    };
    write(zone, format)?;
    Ok(Ended::Well)
}

fn of_directory(
    path: &Path,
    zone: &str,
    arguments: &ClusterArgs,
    style: Style,
) -> Result<Exported, Box<dyn Error>> {
    arguments.is_of_files("export of a directory or file")?;
    let apex = crate::args::parse_name(zone)?;
    let namespace = arguments.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let directory = read(&[PathBuf::from(path)], namespace)?;
    let judged = Standing::new(NO_SALT).judge(&directory);
    eprint!("{}", report::findings_text(judged.findings.iter().filter(|finding| finding.is_error()), style));
    let there: Vec<String> = judged.plan.zones.iter().map(|zone| zone_text(&zone.apex)).collect();
    let Some(found) = judged.plan.zones.into_iter().find(|zone| zone.apex == apex) else {
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        return Err(format!("there is no zone {}: there is {there}", name::display(&apex)).into());
    };
    let objects = Objects::of_directory(&directory, &found.holder, namespace);
    Ok(Exported { apex, soa: found.soa, content: found.applied.content, objects })
}

async fn of_cluster(zone: &str, arguments: &ClusterArgs, format: ExportFormat) -> Result<Exported, String> {
    let cluster = Cluster::connect(arguments).await?;
    let found = cluster.find(zone).await?;
    let (head, version) = cluster.published(&found).await?;
    if head.state == HeadState::Withdrawn {
        eprintln!("{} is withdrawn: this is what was published last", found.domain());
    }
    let objects = match format {
        ExportFormat::Master => Objects::none(&head.holder.namespace),
        ExportFormat::Manifests => Objects::of_cluster(&cluster, &found, &head, &version).await?,
    };
    let Version { soa, content } = version;
    Ok(Exported { apex: head.apex, soa, content, objects })
}

fn write(zone: Exported, format: ExportFormat) -> io::Result<()> {
    let Exported { apex, soa, content, objects } = zone;
    let mut out = BufWriter::new(io::stdout().lock());
    match format {
        ExportFormat::Master => master::write(&mut out, &apex, &soa, content.iter().map(|(rrset, _)| rrset))?,
        ExportFormat::Manifests => {
            out.write_all(manifests::text(apex, soa, &content, &objects).as_bytes())?
        }
    }
    out.flush()
}
