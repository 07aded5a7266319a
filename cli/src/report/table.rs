//! Tables: columns with two blanks between, as `kubectl` prints them.

use super::{Style, shown};

/// A table with a head; nothing but the head when there are no rows. Control characters are shown, not sent.
pub fn table(head: &[&str], rows: &[Vec<String>], style: Style) -> String {
    let columns = head.len();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> =
            cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut text = style.strong(&line(&mut head.iter().copied())) + "\n";
    for row in &rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stranger wrote into a record is in the messages of a cluster.
    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let rows = [vec!["\u{1b}[2J".to_owned()]];
        assert_eq!(table(&["MESSAGE"], &rows, Style::default()), "MESSAGE\n\\u{1b}[2J\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["example.com".to_owned(), "7".to_owned()], vec![".".to_owned(), "12".to_owned()]];
        assert_eq!(
            table(&["ZONE", "SERIAL"], &rows, Style::default()),
            "ZONE         SERIAL\nexample.com  7\n.            12\n"
        );
    }
}
