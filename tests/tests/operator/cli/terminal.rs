//! An import on a terminal shows how far it is, and leaves nothing of that; on none it shows nothing.
//!
//! The terminal is one of util-linux' `script`. What the program wrote to it is played on a screen in memory.

use super::import::master;
use super::{Site, finished};
use port53_tests::process::find;
use std::ffi::OsStr;
use std::process::{Command, Stdio};

#[test]
fn an_import_on_a_terminal_shows_how_far_it_is_and_leaves_one_line() {
    let site = Site::new("terminal");
    let line = format!("import here.zone --origin {} --apply", site.domain);
    site.write("here.zone", &master(&site.domain, 200, ""));
    let (status, done) = finished(on_terminal(&site.command(&line), 100));
    assert_eq!(status, 0, "{done:?}");
    let mut screen = Screen::new(100);
    screen.play(&done.stdout);
    let summary = format!("zone {}, 201 DNSRecords: 201 applied, 0 there already, 0 refused", site.domain);
    assert_eq!(screen.text(), summary, "{done:?}");
    assert!(screen.deepest < 2, "the bar did not stay in its line: {done:?}");
    let counts = counts(&done.stdout, 201);
    assert!(counts.len() > 1 && counts.is_sorted(), "{counts:?}");

    // What was there counts as done; and a terminal that is too narrow is not spoiled.
    site.write("here.zone", &master(&site.domain, 400, ""));
    let (status, done) = finished(on_terminal(&site.command(&line), 40));
    assert_eq!(status, 0, "{done:?}");
    let mut screen = Screen::new(40);
    screen.play(&done.stdout);
    let summary = format!("zone {}, 401 DNSRecords: 200 applied, 201 there already, 0 refused", site.domain);
    assert_eq!(screen.text(), summary, "{done:?}");
    assert!(self::counts(&done.stdout, 401).iter().all(|count| *count >= 201), "{done:?}");
}

#[test]
fn an_import_without_a_terminal_shows_no_progress() {
    let site = Site::new("pipe");
    site.write("here.zone", &master(&site.domain, 50, ""));
    let done = site.port53(0, &format!("import here.zone --origin {} --apply", site.domain));
    let summary = format!("zone {}, 51 DNSRecords: 51 applied, 0 there already, 0 refused\n", site.domain);
    assert_eq!((done.stdout, done.stderr), (summary, String::new()));
}

/// A command with a terminal of so many columns.
fn on_terminal(command: &Command, columns: usize) -> Command {
    let quoted = |text: &OsStr| format!("'{}'", text.to_str().expect("UTF-8"));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted);
    let line = format!("stty cols {columns} rows 24; {}", words.collect::<Vec<_>>().join(" "));
    let mut script = Command::new(find("script"));
    script
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("TERM", "xterm")
        .current_dir(command.get_current_dir().expect("a directory"))
        .stdin(Stdio::null());
    script
}

/// How many of `all` were said to be done, each time.
fn counts(written: &str, all: usize) -> Vec<usize> {
    let end = format!("/{all}");
    let frames = written.split('\r').filter_map(|frame| frame.split_once(&end));
    let number = |before: &str| before.rsplit(' ').next().and_then(|word| word.parse().ok());
    frames.map(|(before, _)| number(before).unwrap_or_else(|| panic!("{before:?}"))).collect()
}

/// What a terminal shows, with the codes that are written to it and no others.
struct Screen {
    columns: usize,
    lines: Vec<Vec<char>>,
    /// Line and column.
    cursor: (usize, usize),
    /// The last line that the cursor was in.
    deepest: usize,
}

impl Screen {
    fn new(columns: usize) -> Self {
        Screen { columns, lines: vec![Vec::new()], cursor: (0, 0), deepest: 0 }
    }

    fn play(&mut self, written: &str) {
        let mut characters = written.chars();
        while let Some(character) = characters.next() {
            match character {
                '\r' => self.cursor.1 = 0,
                '\n' => self.down(),
                '\u{1b}' => {
                    assert_eq!(characters.next(), Some('['), "{written:?}");
                    let rest = characters.as_str();
                    let end = rest.find(|c: char| c.is_ascii_alphabetic()).expect("the end of a code");
                    self.code(&rest[..=end]);
                    characters = rest[end + 1..].chars();
                }
                character => self.put(character),
            }
        }
    }

    fn code(&mut self, code: &str) {
        let (number, letter) = code.split_at(code.len() - 1);
        let lines = || -> usize { number.parse().expect("a number") };
        match (letter, number) {
            ("K", "2") => self.lines[self.cursor.0].clear(),
            ("K", "" | "0") => self.lines[self.cursor.0].truncate(self.cursor.1),
            ("A", _) => self.cursor.0 = self.cursor.0.checked_sub(lines()).expect("a line above"),
            ("B", _) => (0..lines()).for_each(|_| self.down()),
            ("h" | "l", "?25") => {}
            _ => panic!("a code that is not known: {code}"),
        }
    }

    fn put(&mut self, character: char) {
        // A line that is full is left with the next character only.
        if self.cursor.1 == self.columns {
            self.down();
            self.cursor.1 = 0;
        }
        let line = &mut self.lines[self.cursor.0];
        line.resize(line.len().max(self.cursor.1 + 1), ' ');
        line[self.cursor.1] = character;
        self.cursor.1 += 1;
    }

    fn down(&mut self) {
        self.cursor.0 += 1;
        self.deepest = self.deepest.max(self.cursor.0);
        self.lines.resize(self.lines.len().max(self.cursor.0 + 1), Vec::new());
    }

    /// What is there, with full lines joined.
    fn text(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|line| line.iter().collect()).collect();
        lines.concat().trim().to_owned()
    }
}
