//! The lexer: entries of tokens from octets.
//!
//! An entry is a line, or several that parentheses join (RFC 1035 §5.1); a quoted string ends on its line, as
//! BIND has it. A line ends with LF, CR or both. Where a parenthesis is never closed, the rest of the file would be one entry. So an entry that is still
//! open at the end of the file, or has grown beyond what any record needs, is reported at the place that
//! opened it, and reading goes on with the line after that place: nothing is lost but the line that is wrong.
//! Where an entry of several lines turns out to be wrong, and one of them by itself looks like a record, it
//! is read again from there ([`Lexer::go_back`]): its parenthesis was closed by one that belongs elsewhere.

use super::parts::is_class;
use crate::rdata::{Token, parse_rtype, scan_word};
use std::collections::VecDeque;
use std::io::{self, BufRead};

/// Octets of the largest entry: a value of 65,535 octets with each as `\DDD`, and room.
const GREATEST_ENTRY: usize = 512 * 1024;
/// So often a file may be read again from the line after a parenthesis that is never closed; then from
/// the line after the last of those open, so that a file of nothing else is still read once.
const GREATEST_RETURNS: u32 = 64;

/// A line, or several joined.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) tokens: Vec<Token>,
    /// Whether the first line began with a space or tab: the owner is that of the record before.
    pub(crate) has_blank_owner: bool,
    pub(crate) line: u32,
    pub(crate) end_line: u32,
}

/// What is wrong with an entry.
#[derive(Debug)]
pub(crate) struct LexError {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) message: String,
    pub(crate) expected: &'static str,
}

/// See the module.
pub(crate) struct Lexer<'a> {
    input: Box<dyn BufRead + 'a>,
    /// Lines read and not yet used: those of an entry that turned out to be none.
    pending: VecDeque<Vec<u8>>,
    /// Number of the line that was taken last.
    line: u32,
    is_first: bool,
    returns: u32,
    /// The lines of the last entry after its first one.
    continued: Vec<Vec<u8>>,
}

/// Where an entry stands between lines.
#[derive(Default)]
struct Open {
    /// Places of the parentheses that are open.
    parentheses: Vec<(u32, u32)>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: Box<dyn BufRead + 'a>) -> Self {
        Lexer { input, pending: VecDeque::new(), line: 0, is_first: true, returns: 0, continued: Vec::new() }
    }

    /// Number of the line that was read last.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// The next entry with a token at least; `None` at the end. An I/O error ends the file.
    pub(crate) fn next_entry(&mut self) -> io::Result<Option<Result<Entry, LexError>>> {
        loop {
            let Some(first) = self.take_line()? else { return Ok(None) };
            match self.entry(first)? {
                Ok(entry) if entry.tokens.is_empty() => {}
                found => return Ok(Some(found)),
            }
        }
    }

    /// To be called when the last entry is wrong: reading goes on with the first of its lines, after the one it
    /// began with, that looks like a record by itself.
    pub(crate) fn go_back(&mut self) {
        let mut lines = std::mem::take(&mut self.continued);
        if self.returns < GREATEST_RETURNS
            && let Some(at) = lines.iter().position(|line| is_like_a_record(line))
        {
            self.returns += 1;
            self.put_back(lines.split_off(at));
        }
    }

    fn put_back(&mut self, lines: Vec<Vec<u8>>) {
        self.line -= lines.len() as u32;
        lines.into_iter().rev().for_each(|line| self.pending.push_front(line));
    }

    /// Reads the entry that begins with `first`, which is line `self.line`.
    fn entry(&mut self, first: Vec<u8>) -> io::Result<Result<Entry, LexError>> {
        let start = self.line;
        let mut entry = Entry {
            tokens: Vec::new(),
            has_blank_owner: matches!(first.first(), Some(b' ' | b'\t')),
            line: start,
            end_line: start,
        };
        self.continued.clear();
        let mut open = Open::default();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut line = first;
        let mut octets = line.len() + 1;
        // The first thing wrong is reported, but the entry is read to its end all the same.
        let mut error: Option<LexError> = None;
        loop {
            let scanned = scan_line(&line, self.line, &mut open, &mut entry.tokens);
            lines.push(line);
            match scanned {
                Ok(()) => {}
                Err(found) if found.ends_line => {
                    // A string that is not closed: the line alone is wrong, and parentheses with it.
                    error.get_or_insert(found.error);
                    if open.parentheses.is_empty() {
                        break;
                    }
                }
                Err(found) => {
                    error.get_or_insert(found.error);
                }
            }
            let outermost = if self.returns < GREATEST_RETURNS {
                open.parentheses.first()
            } else {
                open.parentheses.last()
            };
            let Some(&(open_line, column)) = outermost else { break };
            let next = if octets > GREATEST_ENTRY { None } else { self.take_line()? };
            let Some(next) = next else {
                // Back to the line after the one that opened it, or to a record before that.
                self.returns += 1;
                let after = (open_line - start) as usize + 1;
                let mut after_first = lines.iter().skip(1);
                let record = match self.returns {
                    ..=GREATEST_RETURNS => after_first.position(|line| is_like_a_record(line)),
                    _ => None,
                };
                let keep = record.map_or(after, |place| after.min(place + 1));
                self.put_back(lines.split_off(keep.min(lines.len())));
                return Ok(Err(LexError {
                    line: open_line,
                    column,
                    message: "this parenthesis is never closed".into(),
                    expected: "a \")\" after the last value of the record",
                }));
            };
            octets += next.len() + 1;
            line = next;
        }
        entry.end_line = self.line;
        if lines.len() > 1 {
            self.continued = lines.split_off(1);
        }
        Ok(error.map_or(Ok(entry), Err))
    }

    fn take_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = match self.pending.pop_front() {
            Some(line) => line,
            None => {
                let Some(mut line) = read_line(&mut self.input)? else { return Ok(None) };
                if std::mem::take(&mut self.is_first) && line.starts_with(b"\xef\xbb\xbf") {
                    line.drain(..3);
                }
                line
            }
        };
        self.line += 1;
        Ok(Some(line))
    }
}

/// The next line without its end; of one that is too long, a little more than is allowed.
fn read_line(input: &mut dyn BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line: Option<Vec<u8>> = None;
    loop {
        let buffer = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            return Ok(line);
        }
        let end = buffer.iter().position(|octet| matches!(octet, b'\n' | b'\r'));
        let line = line.get_or_insert_default();
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = (GREATEST_ENTRY + 1).saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let is_cr = end.is_some_and(|end| buffer[end] == b'\r');
        let used = end.map_or(buffer.len(), |end| end + 1);
        input.consume(used);
        if is_cr && next_is_lf(input) {
            input.consume(1);
        }
        if end.is_some() {
            return Ok(Some(std::mem::take(line)));
        }
    }
}

/// Whether a line feed comes next. An error comes again with the next line.
fn next_is_lf(input: &mut dyn BufRead) -> bool {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
            Ok(buffer) => return buffer.first() == Some(&b'\n'),
        }
    }
}

/// Whether a line begins with an owner, perhaps TTL and class, a type and a value.
fn is_like_a_record(line: &[u8]) -> bool {
    let (mut open, mut tokens) = (Open::default(), Vec::new());
    let is_indented = matches!(line.first(), None | Some(b' ' | b'\t'));
    if is_indented || scan_line(line, 1, &mut open, &mut tokens).is_err_and(|error| error.ends_line) {
        return false;
    }
    let mut after_owner = tokens.iter().skip(1).map(Token::text);
    let is_head = |text: &&str| is_class(text) || text.starts_with(|c: char| c.is_ascii_digit());
    let kind = after_owner.by_ref().take(3).find(|text| !is_head(text));
    kind.is_some_and(|kind| parse_rtype(kind).is_some()) && after_owner.next().is_some()
}

struct ScanError {
    error: LexError,
    /// Whether the rest of the line cannot be read.
    ends_line: bool,
}

/// Adds the tokens of one line.
fn scan_line(line: &[u8], number: u32, open: &mut Open, tokens: &mut Vec<Token>) -> Result<(), ScanError> {
    let fail = |at: usize, ends_line: bool, message: String, expected: &'static str| ScanError {
        error: LexError { line: number, column: at as u32 + 1, message, expected },
        ends_line,
    };
    if line.len() > GREATEST_ENTRY {
        return Err(fail(0, true, format!("this line is longer than {GREATEST_ENTRY} octets"), "a record"));
    }
    let mut first_error = None;
    let mut last_word_end = None;
    let mut at = 0;
    while let Some(&octet) = line.get(at) {
        match octet {
            b' ' | b'\t' => at += 1,
            b';' => break,
            b'(' => {
                open.parentheses.push((number, at as u32 + 1));
                at += 1;
            }
            b')' => {
                if open.parentheses.pop().is_none() && first_error.is_none() {
                    first_error = Some(fail(
                        at,
                        false,
                        "this parenthesis was never opened".into(),
                        "a \"(\" before it",
                    ));
                }
                at += 1;
            }
            _ => {
                let Some(word) = scan_word(line, at, b";()") else {
                    let message = "this quoted string is not closed on its line".into();
                    return Err(fail(at, true, message, "a closing double quote, \\034 for a quote inside"));
                };
                match Token::new(word.octets, word.quoted, number, at as u32 + 1) {
                    Ok(mut token) => {
                        token.set_touches(last_word_end == Some(at));
                        tokens.push(token);
                    }
                    Err(message) => {
                        let expected = "\\DDD with a number up to 255, or \\X";
                        first_error.get_or_insert(fail(at, false, message, expected));
                    }
                }
                at = word.end;
                last_word_end = Some(at);
            }
        }
    }
    first_error.map_or(Ok(()), Err)
}
