//! Findings as workflow commands of GitHub Actions, which shows them at their lines of a pull request.

use crate::finding::{Finding, severity_text};

/// One line for each finding.
pub fn github<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    findings.into_iter().map(one).collect()
}

fn one(finding: &Finding) -> String {
    let mut properties = vec![format!("file={}", property(&finding.file))];
    if finding.line > 0 {
        properties.push(format!("line={}", finding.line));
    }
    if finding.column > 0 {
        properties.push(format!("col={}", finding.column));
    }
    properties.push(format!("title={}", property(finding.rule.unwrap_or(finding.reason))));
    let mut message = String::new();
    if let Some(object) = &finding.object {
        message.push_str(&format!("{object}: "));
    }
    if !finding.field.is_empty() {
        message.push_str(&format!("{}: ", finding.field));
    }
    message.push_str(&finding.message);
    if !finding.fix.is_empty() {
        message.push_str(&format!("\nFix: {}", finding.fix));
    }
    let severity = severity_text(finding.severity);
    format!("::{severity} {}::{}\n", properties.join(","), data(&message))
}

/// A message: what would end the command is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property: as a message, and what would end it too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file's name, chosen by a stranger, must not begin a command of its own.
    #[test]
    fn what_would_end_a_command_is_escaped() {
        let finding =
            Finding::error(&"a,b:\n::error::c.yaml".into(), (3, 7), "Malformed", "50% of\nit", "no");
        assert_eq!(
            github([&finding]),
            "::error file=a%2Cb%3A%0A%3A%3Aerror%3A%3Ac.yaml,line=3,col=7,title=Malformed::50%25 of%0Ait%0AFix: no\n"
        );
    }
}
