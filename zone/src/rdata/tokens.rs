//! Tokens: the words of a value, with their escapes still in them.

use super::ValueError;

/// A word of a value or of a line of a master file. Its text is printable ASCII: octets beyond are `\DDD`,
/// and every escape in it is well formed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    text: String,
    quoted: bool,
    touches: bool,
    /// Line in the file, from 1; 0 where there is no file.
    pub line: u32,
    /// Column in the line, in octets from 1; in a value the octet from 1.
    pub column: u32,
}

impl Token {
    /// A token of `octets` as they stood between spaces or quotes. The error is what is wrong with them.
    pub fn new(octets: &[u8], quoted: bool, line: u32, column: u32) -> Result<Self, String> {
        let mut text = String::with_capacity(octets.len());
        let mut rest = octets;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match octet {
                b'\\' => rest = escape(after, &mut text)?,
                0x20..=0x7e => text.push(char::from(octet)),
                _ => text.push_str(&format!("\\{octet:03}")),
            }
        }
        Ok(Token { text, quoted, touches: false, line, column })
    }

    /// The text, escapes and all, without quotes around it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it stood in quotes.
    pub fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// Whether there is no space between it and the token before, as in `key="value"` (RFC 9460 §2.1).
    pub(crate) fn touches(&self) -> bool {
        self.touches
    }

    pub(crate) fn set_touches(&mut self, touches: bool) {
        self.touches = touches;
    }

    pub(crate) fn set_text(&mut self, text: String) {
        self.text = text;
    }

    pub(crate) fn is_unknown_marker(&self) -> bool {
        !self.quoted && self.text == "\\#"
    }

    /// The octets that the text stands for.
    pub(crate) fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.text.len());
        let mut rest = self.text.as_bytes();
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match (octet, after) {
                (b'\\', [a @ b'0'..=b'9', b, c, after @ ..]) => {
                    let digit = |octet: &u8| u32::from(octet.wrapping_sub(b'0'));
                    octets.push((digit(a) * 100 + digit(b) * 10 + digit(c)) as u8);
                    rest = after;
                }
                (b'\\', [escaped, after @ ..]) => {
                    octets.push(*escaped);
                    rest = after;
                }
                _ => octets.push(octet),
            }
        }
        octets
    }
}

/// Copies what follows a backslash, and returns what follows that.
fn escape<'o>(after: &'o [u8], text: &mut String) -> Result<&'o [u8], String> {
    let wrong = || {
        "has a bad escape: write \\DDD with a decimal number up to 255, or \\X with one character".to_owned()
    };
    match after {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
            let number = u32::from(a - b'0') * 100 + u32::from(b - b'0') * 10 + u32::from(c - b'0');
            if number > 255 {
                return Err(wrong());
            }
            text.push_str(&format!("\\{number:03}"));
            Ok(rest)
        }
        [b'0'..=b'9', ..] | [] => Err(wrong()),
        [octet @ 0x20..=0x7e, rest @ ..] => {
            text.push('\\');
            text.push(char::from(*octet));
            Ok(rest)
        }
        [octet, rest @ ..] => {
            text.push_str(&format!("\\{octet:03}"));
            Ok(rest)
        }
    }
}

/// A word or a quoted string as it stands in a line.
pub(crate) struct Word<'l> {
    /// Its octets without quotes around them.
    pub(crate) octets: &'l [u8],
    pub(crate) quoted: bool,
    /// The offset after it.
    pub(crate) end: usize,
}

/// The word or quoted string at `at`, where there is no space. A word ends before `specials`, spaces and
/// quotes that are not escaped. `None` when a quote is not closed.
pub(crate) fn scan_word<'l>(line: &'l [u8], at: usize, specials: &[u8]) -> Option<Word<'l>> {
    let mut end = at;
    if line[at] == b'"' {
        end += 1;
        loop {
            match line.get(end)? {
                b'\\' => end += 2,
                b'"' => return Some(Word { octets: &line[at + 1..end], quoted: true, end: end + 1 }),
                _ => end += 1,
            }
        }
    }
    while let Some(&octet) = line.get(end) {
        match octet {
            b' ' | b'\t' | b'"' => break,
            b'\\' => end += 2,
            _ if specials.contains(&octet) => break,
            _ => end += 1,
        }
    }
    let end = end.min(line.len());
    Some(Word { octets: &line[at..end], quoted: false, end })
}

/// The tokens of a DNSRecord's value: split at spaces and tabs, strings in double quotes kept whole.
pub(crate) fn of_value(text: &str) -> Result<Vec<Token>, ValueError> {
    let octets = text.as_bytes();
    let mut tokens: Vec<Token> = Vec::new();
    if octets.iter().any(|octet| matches!(octet, b'\n' | b'\r')) {
        return Err(ValueError::new("has an end of line: a value is one line; write \\010 for it in text"));
    }
    let mut at = 0;
    while at < octets.len() {
        if matches!(octets[at], b' ' | b'\t') {
            at += 1;
            continue;
        }
        let Some(word) = scan_word(octets, at, b"") else {
            return Err(ValueError::at(tokens.len(), "has a string without its closing double quote"));
        };
        let mut token = Token::new(word.octets, word.quoted, 0, at as u32 + 1)
            .map_err(|message| ValueError::at(tokens.len(), message))?;
        token.touches = at > 0 && !matches!(octets[at - 1], b' ' | b'\t');
        tokens.push(token);
        at = word.end;
    }
    if tokens.is_empty() {
        return Err(ValueError::new(
            "is empty: write a value in presentation form, such as 192.0.2.1 for type A",
        ));
    }
    Ok(tokens)
}
