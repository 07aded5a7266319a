//! `port53 check`: what is wrong, without serving.

use std::io::{self, Write};

use serde::Serialize;

use super::{Ended, NO_SALT, Outcome, read};
use crate::args::{Check, CheckFormat};
use crate::directory::Counts;
use crate::finding::Finding;
use crate::judge::{Standing, ZoneRow};
use crate::report::{self, Color, Style};

#[derive(Serialize)]
struct Report<'a> {
    counts: Counts,
    zones: Vec<ZoneRow>,
    findings: &'a [Finding],
}

pub(super) fn run(arguments: Check, color: Color) -> Outcome {
    let directory = read(&arguments.path, arguments.namespace.name())?;
    let judged = Standing::new(NO_SALT).judge(&directory);
    let counts = directory.counts();
    if counts.files == 0 {
        return Err("there is nothing to check: no file ends in .yaml, .yml, .json or .zone".into());
    }
    let findings = &judged.findings;
    let text = match arguments.output {
        CheckFormat::Text => {
            let style = Style::of(color, &io::stdout());
            let summary = report::summary(&counts, findings);
            report::findings_text(findings, style) + &summary + "\n"
        }
        CheckFormat::Json => report::json(&Report { counts, zones: judged.zones(), findings }),
        CheckFormat::Github => report::github(findings),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    let is_wrong = judged.has_errors() || (arguments.strict && !findings.is_empty());
    Ok(if is_wrong { Ended::WithProblems } else { Ended::Well })
}
