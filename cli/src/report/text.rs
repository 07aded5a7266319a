//! Findings for people: the place first, as compilers print it, so that editors and terminals find it.

use super::{Style, table};
use crate::directory::Counts;
use crate::finding::{Finding, Severity, severity_text};
use crate::judge::ZoneRow;

/// Each finding with its place, what is wrong, and the fix on a line of its own. What is wrong alike with lines
/// that follow each other is said once.
pub fn findings_text<'a>(findings: impl IntoIterator<Item = &'a Finding>, style: Style) -> String {
    let findings: Vec<&Finding> = findings.into_iter().collect();
    let groups = findings.chunk_by(|a, b| is_alike(a, b));
    groups.map(|group| one(group[0], group.len(), style)).collect()
}

/// Whether two findings differ in their lines only.
fn is_alike(a: &Finding, b: &Finding) -> bool {
    a.object.is_none() && Finding { line: a.line, column: a.column, ..b.clone() } == *a
}

fn one(finding: &Finding, lines: usize, style: Style) -> String {
    let place = match (finding.line, finding.column) {
        (0, _) => finding.file.to_string(),
        (line, 0) => format!("{}:{line}", finding.file),
        (line, column) => format!("{}:{line}:{column}", finding.file),
    };
    let severity = match finding.severity {
        Severity::Error => style.error("error"),
        Severity::Warning => style.warning(severity_text(finding.severity)),
    };
    let about: Vec<&str> = finding
        .object
        .as_deref()
        .into_iter()
        .chain([finding.field.as_str()])
        .filter(|part| !part.is_empty())
        .collect();
    let about = if about.is_empty() { String::new() } else { shown(&about.join(", ")) + ": " };
    let why = finding.rule.unwrap_or(finding.reason);
    let more = match lines {
        1 => String::new(),
        lines => format!(" (and {} after it)", count(lines - 1, "more line")),
    };
    let mut text = format!(
        "{}: {severity}: {about}{}{more} [{why}]\n",
        style.strong(&shown(&place)),
        shown(&finding.message)
    );
    if !finding.fix.is_empty() {
        text.push_str(&format!("    fix: {}\n", shown(&finding.fix)));
    }
    if finding.last_good_kept {
        text.push_str("    the last good version stays in service\n");
    }
    text
}

/// What a stranger wrote must not steer a terminal: control characters are shown, not sent.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// The table of zones.
pub fn zones_table(zones: &[ZoneRow], style: Style) -> String {
    let rows: Vec<Vec<String>> = zones
        .iter()
        .map(|zone| {
            vec![
                zone.zone.clone(),
                zone.serial.to_string(),
                zone.rrsets.to_string(),
                zone.rejected.to_string(),
                zone.source.clone(),
            ]
        })
        .collect();
    table(&["ZONE", "SERIAL", "RRSETS", "REJECTED", "FROM"], &rows, style)
}

/// `3 files, 2 zones, 24 DNSRecords: 1 error, 2 warnings`.
pub fn summary(counts: &Counts, findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let mut text = format!(
        "{}, {}, {}: {}, {}",
        count(counts.files, "file"),
        count(counts.zones, "zone"),
        count(counts.records, "DNSRecord"),
        count(errors, "error"),
        count(findings.len() - errors, "warning"),
    );
    if counts.foreign_objects > 0 {
        text.push_str(&format!("; {} of other kinds left alone", count(counts.foreign_objects, "object")));
    }
    text
}

/// `1 error`, `2 errors`.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u32, message: &str) -> Finding {
        Finding::error(&"a.zone".into(), (number, 1), "RuleViolated", message, "keep one")
    }

    #[test]
    fn lines_that_are_wrong_alike_are_told_together() {
        let findings = [line(3, "clashes"), line(4, "clashes"), line(9, "clashes"), line(10, "is no name")];
        assert_eq!(
            findings_text(&findings, Style::default()),
            "a.zone:3:1: error: clashes (and 2 more lines after it) [RuleViolated]\n    fix: keep one\n\
             a.zone:10:1: error: is no name [RuleViolated]\n    fix: keep one\n"
        );
    }

    /// A stranger's file must not steer the terminal of whoever checks it.
    #[test]
    fn control_characters_are_shown_and_not_sent() {
        let finding = line(1, "\"\u{1b}[2J\nok\" is no name");
        let text = findings_text([&finding], Style::default());
        assert!(text.contains("\"\\u{1b}[2J\\nok\" is no name"), "{text}");
    }
}
