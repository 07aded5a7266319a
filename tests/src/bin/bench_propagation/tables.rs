//! What is printed: tables in Markdown, times in milliseconds.

use crate::Moment;
use crate::log::Heard;
use crate::objects::Act;
use crate::parts::{PARTS, Times};
use crate::usage::Used;
use std::fmt::Write as _;

/// Upper ends of the columns of a histogram, in milliseconds; the last is open.
const BUCKETS: [i64; 10] = [1, 2, 5, 10, 20, 30, 50, 100, 150, 1000];

const GOAL: &str = "goal: p50 ≤ 30 ms, p99 ≤ 150 ms";

/// What a rate came to.
pub(crate) fn rate(rate: f64, times: &[Times], heard: &Heard) -> String {
    let (quick, deleted): (Vec<&Times>, Vec<&Times>) =
        times.iter().partition(|times| times.act != Act::Delete);
    let of = |act: Act| times.iter().filter(|times| times.act == act).collect::<Vec<&Times>>();
    let mut text = format!("## {} changes at {rate} a second ({GOAL})\n\n", times.len());
    text += "Until the last resolver answers, ms:\n\n| changes | count | not answered | from the request: p50 | p99 | \
             max | from the API server's answer: p50 | p99 | max |\n|---|---|---|---|---|---|---|---|---|\n";
    let rows = [
        ("adds and edits", quick.clone()),
        ("adds", of(Act::Add)),
        ("edits", of(Act::Edit)),
        ("deletes", deleted.clone()),
    ];
    for (name, times) in rows {
        let missing = times.iter().filter(|times| times.answered.is_none()).count();
        let sent = sorted(&times, |times| Some(times.answered?.1 - times.sent));
        let accepted = sorted(&times, |times| Some(times.answered?.1 - times.accepted));
        let _ = writeln!(
            text,
            "| {name} | {} | {missing} | {} | {} |",
            times.len(),
            summary(&sent, &[0.5, 0.99, 1.0]),
            summary(&accepted, &[0.5, 0.99, 1.0])
        );
    }
    text += "\nThe parts of adds and edits, ms:\n\n";
    text += &parts(&quick);
    text += "\nThe parts of deletes (a removal waits a second for a replacement), ms:\n\n";
    text += &parts(&deleted);
    let publications: usize = heard.publications.values().map(Vec::len).sum();
    let mut plans = heard.plans.clone();
    plans.sort_unstable();
    let _ = writeln!(
        text,
        "\n{publications} publications; {} plans, ms: p50, p90, p99, max = {}",
        plans.len(),
        summary(&plans, &[0.5, 0.9, 0.99, 1.0]).replace(" |", ",")
    );
    text
}

fn parts(times: &[&Times]) -> String {
    let mut text = "| part | p50 | p90 | p99 | max |".to_owned();
    for bucket in BUCKETS {
        let _ = write!(text, " ≤ {bucket} |");
    }
    text += " more |\n|---|---|---|---|---|";
    text += &"---|".repeat(BUCKETS.len() + 1);
    text.push('\n');
    for part in &PARTS {
        let times = sorted(times, part.of);
        if times.is_empty() {
            continue;
        }
        let mut counts = [0; BUCKETS.len() + 1];
        for time in &times {
            counts[BUCKETS.partition_point(|bucket| *time > bucket * 1000)] += 1;
        }
        let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            part.name,
            summary(&times, &[0.5, 0.9, 0.99, 1.0]),
            counts.join(" | ")
        );
    }
    text
}

/// Who used how much.
pub(crate) fn processes(used: &[Used], poller: f64) -> String {
    let mut text = "| process | of a core | MiB |\n|---|---|---|\n".to_owned();
    for used in used.iter().filter(|used| used.mebibytes > 4) {
        let _ = writeln!(text, "| {} | {:.1} % | {} |", used.name, used.cpu * 100.0, used.mebibytes);
    }
    let _ = writeln!(text, "| the poller, a thread of the measurement | {:.1} % | |", poller * 100.0);
    text
}

fn sorted(times: &[&Times], of: impl Fn(&Times) -> Option<Moment>) -> Vec<Moment> {
    let mut sorted: Vec<Moment> = times.iter().filter_map(|times| of(times)).collect();
    sorted.sort_unstable();
    sorted
}

fn summary(sorted: &[Moment], shares: &[f64]) -> String {
    let at = |share: &f64| match sorted.len() {
        0 => "–".to_owned(),
        len => format!("{:.1}", sorted[((len - 1) as f64 * share).round() as usize] as f64 / 1e3),
    };
    shares.iter().map(at).collect::<Vec<_>>().join(" | ")
}
