//! `port53 history`: the kept versions of a zone, newest first, and what changed from each to the next.

use std::io::{self, Write};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use port53_zone::content::{self, Content, Difference};
use serde::Serialize;

use super::{Ended, Outcome};
use crate::args::History;
use crate::cluster::published::Kept;
use crate::cluster::zones::Found;
use crate::cluster::{self, Cluster};
use crate::report::{self, Color, ListFormat, Style};

/// A version of a zone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    serial: u32,
    rrsets: u64,
    /// Against the version before it; nothing for the first, or when that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Changes>,
    /// That were stored for it. Nothing for what stands in the journal of the head alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    octets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// Whether it is what is published.
    current: bool,
    /// Whether the zone is rolled back to it.
    pinned: bool,
    #[serde(skip)]
    age: Option<SignedDuration>,
}

/// RRsets that differ.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
struct Changes {
    added: usize,
    removed: usize,
    changed: usize,
}

pub(super) fn run(arguments: History, color: Color) -> Outcome {
    let rows = cluster::run(rows(&arguments))??;
    let text = match arguments.output {
        ListFormat::Table => text(&rows, Style::of(color, &io::stdout())),
        ListFormat::Json => report::json(&rows),
        ListFormat::Yaml => report::yaml(&rows),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Ended::Well)
}

async fn rows(arguments: &History) -> Result<Vec<Row>, String> {
    let cluster = Cluster::connect(&arguments.cluster).await?;
    let found = cluster.find(&arguments.zone).await?;
    let head = found.head()?;
    let (kept, unread) = cluster.kept(&found).await?;
    for why in unread {
        eprintln!("left out: {why}");
    }
    let mut rows: Vec<Row> = kept.iter().map(|kept| Row::of(kept, head.soa.serial, head.pinned)).collect();
    // The newest version stands in the head alone until it is a checkpoint.
    let is_in_head = kept.iter().all(|kept| kept.revision.soa.serial != head.soa.serial);
    if is_in_head {
        rows.insert(
            0,
            Row {
                serial: head.soa.serial,
                rrsets: head.rrsets,
                changes: None,
                octets: None,
                created: None,
                current: true,
                pinned: false,
                age: None,
            },
        );
    }
    if !arguments.no_changes {
        see_changes(&cluster, &found, &kept, is_in_head, &mut rows).await;
    }
    Ok(rows)
}

/// Compares each version with the one before it, from the oldest on: what two share is read once.
async fn see_changes(cluster: &Cluster, found: &Found, kept: &[Kept], is_in_head: bool, rows: &mut [Row]) {
    let first = usize::from(is_in_head);
    let mut before: Option<Content> = None;
    // Without the one before, what changed is not known: of the oldest there is none.
    let mut is_before_known = false;
    for (row, kept) in rows[first..].iter_mut().zip(kept).rev() {
        match cluster.content(&found.apex, &kept.revision.checkpoint, before.as_ref()).await {
            Ok(now) => {
                row.changes =
                    before.as_ref().filter(|_| is_before_known).map(|before| Changes::of(before, &now));
                (before, is_before_known) = (Some(now), true);
            }
            // It may have been pruned since it was listed.
            Err(why) => {
                eprintln!("{why}");
                is_before_known = false;
            }
        }
    }
    if let (Some(row), Some(before), true) =
        (rows.first_mut().filter(|_| is_in_head), before, is_before_known)
    {
        match cluster.published(found).await {
            Ok((head, version)) if head.soa.serial == row.serial => {
                row.changes = Some(Changes::of(&before, &version.content));
            }
            // It was published on meanwhile.
            Ok(_) => {}
            Err(why) => eprintln!("{why}"),
        }
    }
}

impl Row {
    fn of(kept: &Kept, current: u32, pinned: Option<u32>) -> Self {
        let serial = kept.revision.soa.serial;
        Row {
            serial,
            rrsets: kept.revision.rrsets,
            changes: None,
            octets: Some(kept.revision.octets),
            created: kept.created.map(|created| created.to_string()),
            current: serial == current,
            pinned: pinned == Some(serial),
            age: kept.created.map(|created| Timestamp::now().duration_since(created)),
        }
    }

    fn cells(&self) -> Vec<String> {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let marks = [(self.current, "current"), (self.pinned, "pinned")];
        let marks: Vec<&str> = marks.iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| *mark).collect();
        vec![
            self.serial.to_string(),
            self.rrsets.to_string(),
            shown(self.changes.map(|changes| changes.to_string())),
            shown(self.octets.map(|octets| octets.to_string())),
            shown(self.age.map(age)),
            marks.join(", "),
        ]
    }
}

impl Changes {
    fn of(before: &Content, after: &Content) -> Self {
        let mut changes = Changes::default();
        for difference in content::diff(before, after) {
            match difference {
                Difference::Added(_) => changes.added += 1,
                Difference::Removed(_) => changes.removed += 1,
                Difference::Changed { .. } => changes.changed += 1,
            }
        }
        changes
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [("+", self.added), ("-", self.removed), ("~", self.changed)];
        let shown: Vec<String> = counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(sign, count)| format!("{sign}{count}"))
            .collect();
        // The SOA alone may be another.
        f.write_str(if shown.is_empty() { "0".to_owned() } else { shown.join(" ") }.as_str())
    }
}

fn text(rows: &[Row], style: Style) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    report::table(&["SERIAL", "RRSETS", "CHANGES", "OCTETS", "AGE", ""], &cells, style)
}

/// As `kubectl` shows it: `45s`, `12m`, `3h`, `9d`.
fn age(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_one_unit() {
        for (seconds, expected) in [(-3, "0s"), (119, "119s"), (120, "2m"), (7_200, "2h"), (200_000, "2d")] {
            assert_eq!(age(SignedDuration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn changes_say_what_there_is_of_them() {
        assert_eq!(Changes { added: 2, removed: 0, changed: 1 }.to_string(), "+2 ~1");
        assert_eq!(Changes::default().to_string(), "0");
    }
}
