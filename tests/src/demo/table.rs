//! What is printed: a row for each step, as Markdown that is a table on a terminal too.

use std::fmt;

/// What came of a step.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub step: &'static str,
    /// How long it took.
    pub seconds: f64,
    /// Questions.
    pub sent: u64,
    /// Those without an answer.
    pub lost: u64,
    /// Those whose answer neither side had.
    pub wrong: u64,
    /// What the comparison found at its end, in all zones; nothing before there is one.
    pub differences: Option<u64>,
    /// What was seen.
    pub note: String,
}

/// The head of the table.
pub const HEAD: &str = "\
| step                            | seconds |   sent | lost | wrong | differences | seen\n\
|---------------------------------|--------:|-------:|-----:|------:|------------:|-----";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { step, seconds, sent, lost, wrong, note, .. } = self;
        let differences = self.differences.map_or_else(|| "–".to_owned(), |count| count.to_string());
        write!(
            f,
            "| {step:<31} | {seconds:>7.1} | {sent:>6} | {lost:>4} | {wrong:>5} | {differences:>11} | {note}"
        )
    }
}
