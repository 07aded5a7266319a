//! `port53 migration shadow`: questions of clients to which legacy and Port53 give different answers, and how many were seen.

use port53_crds::{AnswerDifference, ShadowSeen};

use super::{Cluster, Ended, OfZone, Outcome, cluster, find, line_of_csv, listed, not_ready, show};
use crate::args::RejectsFormat;
use crate::report::{self, Style};

/// Characters of an answer in a table.
const SHOWN: usize = 80;

pub(super) fn run(of: &OfZone, output: RejectsFormat, style: Style) -> Outcome {
    let (seen, samples) = cluster::run(read(of))??;
    show(match output {
        RejectsFormat::Json => report::json(&samples),
        RejectsFormat::Yaml => report::yaml(&samples),
        RejectsFormat::Csv => csv(&samples),
        RejectsFormat::Table => table(&samples, style),
    })?;
    told(&of.zone, &seen).iter().for_each(|line| eprintln!("{line}"));
    Ok(if seen.differing == 0 { Ended::Well } else { Ended::WithProblems })
}

/// What was counted, and the samples that are kept.
async fn read(of: &OfZone) -> Result<(ShadowSeen, Vec<AnswerDifference>), String> {
    let cluster = Cluster::connect(&of.cluster).await?;
    let migration = find(&cluster, &of.zone).await?;
    if migration.spec.shadow.is_none() {
        return Err(
            "no nameserver forwards what it is asked: the ZoneMigration has no spec.shadow".to_owned()
        );
    }
    let Some(seen) = migration.status.as_ref().and_then(|status| status.shadow.clone()) else {
        return Err(not_ready(&migration).unwrap_or_else(|| "no pod was looked at yet".to_owned()));
    };
    let samples = match seen.samples.is_empty() {
        true => Vec::new(),
        false => listed(&cluster, &migration, "shadow").await?,
    };
    Ok((seen, samples))
}

/// A line for each nameserver, with how many questions and answers.
fn told(zone: &str, seen: &ShadowSeen) -> Vec<String> {
    if seen.forwarded == 0 {
        return vec![format!("{zone}: nobody has asked yet")];
    }
    let line = |name: &str, [forwarded, unanswered, compared, differing]: [u64; 4]| {
        format!(
            "{name}: {forwarded} forwarded, {unanswered} of them not answered by legacy, {compared} compared, {differing} differ"
        )
    };
    let all = line(zone, [seen.forwarded, seen.unanswered, seen.compared, seen.differing]);
    let each = seen.nameservers.iter().map(|one| {
        line(&format!("  {}", one.name), [one.forwarded, one.unanswered, one.compared, one.differing])
    });
    std::iter::once(all).chain(each).collect()
}

fn table(samples: &[AnswerDifference], style: Style) -> String {
    let row = |one: &AnswerDifference| {
        let side = |text: &str| {
            let words: Vec<&str> = text.split_whitespace().collect();
            words.join(" ").chars().take(SHOWN).collect::<String>()
        };
        vec![
            one.question.clone(),
            one.differences.join(","),
            side(&one.port53),
            side(&one.legacy),
            one.nameserver.clone(),
            one.at.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = samples.iter().map(row).collect();
    report::table(&["QUESTION", "DIFFERS", "PORT53", "LEGACY", "NAMESERVER", "AT"], &rows, style)
}

/// Each question on a line (RFC 4180).
fn csv(samples: &[AnswerDifference]) -> String {
    let head = ["at", "nameserver", "question", "differences", "port53", "legacy"].map(str::to_owned);
    let lines = samples.iter().map(|one| {
        let differences = one.differences.join(" ");
        [&one.at, &one.nameserver, &one.question, &differences, &one.port53, &one.legacy].map(Clone::clone)
    });
    std::iter::once(head).chain(lines).map(|cells| line_of_csv(&cells)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4180 §2: a line end within a cell stands in quotes.
    #[test]
    fn rfc4180_2_an_answer_of_several_lines_is_one_cell() {
        let sample = AnswerDifference {
            at: "2026-11-30T18:00:00Z".to_owned(),
            nameserver: "ns1".to_owned(),
            question: "www.example.com. A".to_owned(),
            differences: vec!["rcode".to_owned(), "answer".to_owned()],
            legacy: "NOERROR\nwww.example.com. 300 A 192.0.2.1".to_owned(),
            port53: "NXDOMAIN".to_owned(),
        };
        let text = csv(&[sample]);
        let (head, line) = text.split_once("\r\n").expect("a line");
        assert_eq!(head, "at,nameserver,question,differences,port53,legacy");
        assert_eq!(
            line,
            "2026-11-30T18:00:00Z,ns1,www.example.com. A,rcode answer,NXDOMAIN,\
             \"NOERROR\nwww.example.com. 300 A 192.0.2.1\"\r\n"
        );
    }

    #[test]
    fn counts_are_told_by_nameserver() {
        assert_eq!(told("example.com", &ShadowSeen::default()), ["example.com: nobody has asked yet"]);
    }
}
