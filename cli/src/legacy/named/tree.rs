//! A configuration as statements, with what it includes in the place of the `include`.
//!
//! Nothing is known here of what a statement means but of two: `include`, and `directory` within `options`, from
//! which on relative paths begin there, those of includes too, as in `named` itself. A file may come from anywhere,
//! so there are bounds: [`MAX_DEPTH`] blocks and includes inside one another, [`MAX_FILES`] files,
//! [`MAX_OCTETS`] in all.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use port53_zone::master::Position;

use super::glob;
use super::lexer::{Kind, Lexer, Token};
use crate::directory::Root;
use crate::finding::{Finding, MALFORMED, UNREADABLE};

/// Blocks inside one another, and files that include one another.
const MAX_DEPTH: usize = 64;
/// Files of one configuration.
const MAX_FILES: usize = 10_000;
/// Octets of all files of one configuration.
const MAX_OCTETS: u64 = 256 << 20;

/// What ends with a semicolon.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Statement {
    pub(super) position: Position,
    pub(super) parts: Vec<Part>,
}

/// A part of a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// A word, or a string in quotes.
    Text(String),
    /// What stands between braces.
    Block(Vec<Statement>),
}

impl Statement {
    /// Its first word, in lower case: what it is about.
    pub(super) fn keyword(&self) -> String {
        self.text(0).unwrap_or_default().to_ascii_lowercase()
    }

    /// The word at a place, from 0.
    pub(super) fn text(&self, at: usize) -> Option<&str> {
        match self.parts.get(at)? {
            Part::Text(text) => Some(text),
            Part::Block(_) => None,
        }
    }

    /// Its first block.
    pub(super) fn block(&self) -> Option<&[Statement]> {
        self.parts.iter().find_map(|part| match part {
            Part::Block(statements) => Some(&statements[..]),
            Part::Text(_) => None,
        })
    }
}

/// Reads files into statements. What is wrong is in `findings`; what could be read before it stays.
pub(super) struct Reader {
    /// Where paths begin.
    root: PathBuf,
    /// Where relative paths begin, within the root.
    pub(super) directory: PathBuf,
    pub(super) findings: Vec<Finding>,
    files: usize,
    octets: u64,
    open_files: usize,
    /// Of all files that are open.
    open_blocks: usize,
}

impl Reader {
    pub(super) fn new(root: &Path, directory: &Path) -> Self {
        Reader {
            root: root.to_owned(),
            directory: directory.to_owned(),
            findings: Vec::new(),
            files: 0,
            octets: 0,
            open_files: 0,
            open_blocks: 0,
        }
    }

    /// Where paths lead now.
    pub(super) fn root(&self) -> Root {
        Root::of_all(&self.root, &self.directory)
    }

    /// The statements of a text. `shown` is what the file is called.
    pub(super) fn statements(&mut self, text: &str, shown: &Arc<str>) -> Vec<Statement> {
        let mut parser = Parser { lexer: Lexer::new(text), file: shown, path: Vec::new() };
        let (statements, wrong) = parser.block(self, None);
        if let Err(finding) = wrong {
            self.findings.push(finding);
        }
        statements
    }

    /// The statements of what an `include` names, which may be a pattern.
    fn include(&mut self, named: &str, at: &Position) -> Vec<Statement> {
        let mut statements = Vec::new();
        let is_pattern = named.contains(['*', '?', '[']);
        let paths = match is_pattern {
            true => glob::matches(&self.root, &self.directory.join(named)),
            false => vec![PathBuf::from(named)],
        };
        if paths.is_empty() {
            let fix = "correct the pattern, or take the include out";
            self.findings.push(finding(at, UNREADABLE, format!("no file is like {named:?}"), fix));
        }
        for path in paths {
            statements.extend(self.include_file(&path, at));
        }
        statements
    }

    fn include_file(&mut self, path: &Path, at: &Position) -> Vec<Statement> {
        let root = self.root();
        let shown: Arc<str> = root.outside(path).display().to_string().into();
        let refused = |what: String, fix: &str| finding(at, UNREADABLE, format!("{shown} {what}"), fix);
        if self.open_files == MAX_DEPTH || self.files == MAX_FILES {
            let what = format!(
                "is not read: more than {MAX_DEPTH} files include one another, or there are more than {MAX_FILES}"
            );
            self.findings.push(refused(what, "look for a file that includes itself"));
            return Vec::new();
        }
        self.files += 1;
        match self.octets(&root, path) {
            Ok(octets) => {
                self.open_files += 1;
                let statements = self.statements(&String::from_utf8_lossy(&octets), &shown);
                self.open_files -= 1;
                statements
            }
            Err((what, fix)) => {
                self.findings.push(refused(what, &fix));
                Vec::new()
            }
        }
    }

    /// The octets of a file, or what is wrong with it and what to do.
    fn octets(&mut self, root: &Root, path: &Path) -> Result<Vec<u8>, (String, String)> {
        let (file, _) = root.open(path).map_err(|error| {
            let fix = format!("{}; of a chroot, give its directory with --root", error.fix());
            (format!("is included, and cannot be read: {error}"), fix)
        })?;
        let mut octets = Vec::new();
        let limit = MAX_OCTETS - self.octets;
        file.take(limit + 1)
            .read_to_end(&mut octets)
            .map_err(|error| (format!("cannot be read: {error}"), "make it readable".to_owned()))?;
        if octets.len() as u64 > limit {
            let what = format!("is not read: the files have more than {} MiB in all", MAX_OCTETS >> 20);
            return Err((what, "divide the configuration, and import its parts".to_owned()));
        }
        self.octets += octets.len() as u64;
        Ok(octets)
    }
}

fn finding(at: &Position, reason: &'static str, message: impl Into<String>, fix: &str) -> Finding {
    Finding::error(&at.file, (at.line, at.column), reason, message, fix)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    file: &'t Arc<str>,
    /// What the blocks are about that are open.
    path: Vec<String>,
}

impl Parser<'_> {
    fn at(&self, line: u32) -> Position {
        Position { file: self.file.clone(), line, column: 0 }
    }

    fn next(&mut self) -> Option<Result<Token, Finding>> {
        let next = self.lexer.next()?;
        Some(next.map_err(|unended| {
            let message = format!("{} here and does not end", unended.what);
            finding(&self.at(unended.line), MALFORMED, message, "end it")
        }))
    }

    /// The statements of a block that was opened in a line, or of the file.
    fn block(&mut self, reader: &mut Reader, opened: Option<u32>) -> (Vec<Statement>, Result<(), Finding>) {
        let mut statements = Vec::new();
        if reader.open_blocks > MAX_DEPTH {
            let message = format!("there are more than {MAX_DEPTH} blocks inside one another");
            let at = self.at(self.lexer.line());
            return (
                statements,
                Err(finding(&at, MALFORMED, message, "look for a brace that is not closed")),
            );
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut line = 0;
        let ended = loop {
            let token = match self.next() {
                Some(Ok(token)) => token,
                Some(Err(finding)) => break Err(finding),
                None => {
                    break match (parts.is_empty(), opened) {
                        (true, None) => Ok(()),
                        (false, _) => Err(self.unended(line, "this statement", ";")),
                        (true, Some(line)) => Err(self.unended(line, "a block begins here and", "}")),
                    };
                }
            };
            if parts.is_empty() {
                line = token.line;
            }
            match token.kind {
                Kind::Word(text) | Kind::Quoted(text) => parts.push(Part::Text(text)),
                Kind::Open => {
                    let about = match parts.first() {
                        Some(Part::Text(text)) => text.to_ascii_lowercase(),
                        _ => String::new(),
                    };
                    self.path.push(about);
                    reader.open_blocks += 1;
                    let (inside, ended) = self.block(reader, Some(token.line));
                    reader.open_blocks -= 1;
                    self.path.pop();
                    parts.push(Part::Block(inside));
                    // What was begun is not all there: it is not taken for what it says so far.
                    if let Err(finding) = ended {
                        break Err(finding);
                    }
                }
                Kind::End if parts.is_empty() => {}
                Kind::End => {
                    let statement = Statement { position: self.at(line), parts: std::mem::take(&mut parts) };
                    self.take(reader, statement, &mut statements);
                }
                Kind::Close if opened.is_some() && parts.is_empty() => break Ok(()),
                Kind::Close if parts.is_empty() => {
                    let message = "a block ends here, and none begins";
                    break Err(finding(&self.at(token.line), MALFORMED, message, "take the } out"));
                }
                Kind::Close => break Err(self.unended(line, "this statement", ";")),
            }
        };
        (statements, ended)
    }

    fn unended(&self, line: u32, what: &str, with: &str) -> Finding {
        let message = format!("{what} does not end; what follows in this file is not read");
        finding(
            &self.at(line),
            MALFORMED,
            message,
            &format!("write {with} at its end; named-checkconf says more"),
        )
    }

    /// Takes a whole statement, or what it includes.
    fn take(&self, reader: &mut Reader, statement: Statement, statements: &mut Vec<Statement>) {
        match (&statement.keyword()[..], statement.text(1)) {
            ("include", Some(named)) => statements.extend(reader.include(named, &statement.position)),
            ("directory", Some(directory)) if self.path == ["options"] => {
                reader.directory = reader.directory.join(directory);
                statements.push(statement);
            }
            _ => statements.push(statement),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Vec<Statement>, Vec<Finding>) {
        let nowhere = Path::new("/");
        let mut reader = Reader::new(nowhere, nowhere);
        let statements = reader.statements(text, &"named.conf".into());
        (statements, reader.findings)
    }

    fn written(statements: &[Statement]) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => format!("\"{}\" ", text.replace('"', "\\\"")),
            Part::Block(inside) => format!("{{ {} }} ", written(inside)),
        };
        let one = |statement: &Statement| statement.parts.iter().map(part).collect::<String>() + ";\n";
        statements.iter().map(one).collect()
    }

    fn without_lines(statements: &[Statement]) -> Vec<Vec<Part>> {
        let part = |part: &Part| match part {
            Part::Text(text) => Part::Text(text.clone()),
            Part::Block(inside) => Part::Block(
                without_lines(inside)
                    .into_iter()
                    .map(|parts| Statement {
                        position: Position { file: "".into(), line: 0, column: 0 },
                        parts,
                    })
                    .collect(),
            ),
        };
        statements.iter().map(|statement| statement.parts.iter().map(part).collect()).collect()
    }

    #[test]
    fn what_stands_before_a_mistake_is_read_and_the_mistake_told_with_its_line() {
        for (text, statements, line, words) in [
            ("a;\nb {\nc;\n", 1, 2, "block begins here"),
            ("a;\nb", 1, 2, "this statement does not end"),
            ("a;\n}\nb;", 1, 2, "none begins"),
            ("a { b }; c;", 0, 1, "this statement does not end"),
            ("a;\nb \"c\n", 1, 2, "a string begins with a quote here and does not end"),
        ] {
            let (read, findings) = read(text);
            assert_eq!(read.len(), statements, "{text}");
            assert_eq!((findings.len(), findings[0].line), (1, line), "{text}: {findings:?}");
            assert!(findings[0].message.contains(words), "{text}: {findings:?}");
        }
    }

    #[test]
    fn blocks_without_end_are_refused_and_not_followed() {
        let (_, findings) = read(&"a {".repeat(100_000));
        assert!(findings[0].message.contains("more than 64 blocks"), "{findings:?}");
    }

    proptest! {
        /// Any text ends, and what was read is read the same when it was written again.
        #[test]
        fn what_was_read_is_read_the_same_again(text in "([ab{};\"# \n]|a \\{|\\};|/\\*|\\*/){0,60}") {
            let (statements, _) = read(&text);
            let (again, findings) = read(&written(&statements));
            prop_assert_eq!(findings, vec![]);
            prop_assert_eq!(without_lines(&again), without_lines(&statements));
        }
    }
}
