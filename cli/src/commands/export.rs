//! `port53 export`: a zone as it would be served, as a master file or as manifests.

use std::io::{self, BufWriter, Write};

use port53_zone::{master, name};

use super::{Ended, NO_SALT, Outcome, read};
use crate::args::{Export, ExportFormat};
use crate::convert::{self, ZoneData};
use crate::judge::{Standing, zone_text};
use crate::report::{self, Color, Style};

pub(super) fn run(arguments: Export, color: Color) -> Outcome {
    let directory = read(&[arguments.path], &arguments.namespace.namespace)?;
    let judged = Standing::new(NO_SALT).judge(&directory);
    let style = Style::of(color, &io::stderr());
    eprint!("{}", report::findings_text(judged.findings.iter().filter(|finding| finding.is_error()), style));
    let Some(zone) = judged.plan.zones.iter().find(|zone| zone.apex == arguments.zone) else {
        let there: Vec<String> = judged.plan.zones.iter().map(|zone| zone_text(&zone.apex)).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        return Err(format!("there is no zone {}: there is {there}", name::display(&arguments.zone)).into());
    };
    let rrsets = zone.applied.content.iter().map(|(rrset, _)| rrset);
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.format {
        ExportFormat::Master => master::write(&mut out, &zone.apex, &zone.soa, rrsets)?,
        ExportFormat::Manifests => {
            let data = ZoneData { apex: zone.apex.clone(), soa: zone.soa.clone(), rrsets: rrsets.collect() };
            let options = convert::Options { namespace: Some(arguments.namespace.namespace) };
            let converted = convert::manifests(&data, &options);
            for (rrset, reason) in &converted.refused {
                eprintln!("left out: {}: {reason}", name::display(&rrset.name));
            }
            out.write_all(convert::render(&converted.objects).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(Ended::Well)
}
