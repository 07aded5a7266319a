//! What is printed.

use crate::ask::{Form, Outcome};
use port53_cli::report;

/// Failures and refusals that are shown of one zone.
const SHOWN: usize = 10;

pub(crate) fn print(outcomes: &[Outcome]) {
    let head = ["ZONE", "AS", "RRSETS", "ACCEPTED", "REJECTED", "ASKED", "RIGHT", "SECONDS"];
    let rows: Vec<Vec<String>> = outcomes
        .iter()
        .map(|outcome| {
            let reasons: Vec<String> = outcome.rejected.iter().map(|(why, n)| format!("{n} {why}")).collect();
            vec![
                outcome.zone.clone(),
                form_text(outcome.form).to_owned(),
                outcome.rrsets.to_string(),
                outcome.accepted.to_string(),
                if reasons.is_empty() { "0".to_owned() } else { reasons.join(", ") },
                outcome.asked.to_string(),
                outcome.right.to_string(),
                format!("{:.1}", outcome.seconds),
            ]
        })
        .collect();
    print!("{}", report::table(&head, &rows, report::Style::default()));
    for outcome in outcomes {
        some(outcome, "rejected: ", &outcome.told);
        some(outcome, "", &outcome.failures);
    }
    let failures: usize = outcomes.iter().map(|outcome| outcome.failures.len()).sum();
    println!(
        "{} passed, {failures} failed",
        outcomes.iter().filter(|outcome| outcome.failures.is_empty()).count()
    );
}

fn some(outcome: &Outcome, what: &str, lines: &[String]) {
    for line in lines.iter().take(SHOWN) {
        println!("{} as {}: {what}{line}", outcome.zone, form_text(outcome.form));
    }
    if lines.len() > SHOWN {
        println!("{}: and {} more", outcome.zone, lines.len() - SHOWN);
    }
}

pub(crate) fn form_text(form: Form) -> &'static str {
    match form {
        Form::MasterFile => "master file",
        Form::Manifests => "manifests",
        Form::Cluster => "cluster",
    }
}
