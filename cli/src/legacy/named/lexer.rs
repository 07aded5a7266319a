//! A configuration file of BIND as tokens.
//!
//! Words end at white space, at one of `{ } ; "` and where a comment begins; what else is a character of its own
//! to BIND (`/`, `!`, `=`) is part of a word here, for nothing that is read here has it. Of the escapes in a string
//! BIND knows `\"` alone: another backslash is a backslash.

/// What stands at a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Without quotes.
    Word(String),
    /// A string in quotes, without them.
    Quoted(String),
    /// `{`
    Open,
    /// `}`
    Close,
    /// `;`
    End,
}

/// A token and its line, from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) line: u32,
}

/// What never ends: where it began, and what it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unended {
    pub(super) line: u32,
    pub(super) what: &'static str,
}

/// What stands behind the comments at the beginning of a text; nothing when one of them does not end.
pub(super) fn after_comments(text: &str) -> Option<&str> {
    let mut lexer = Lexer::new(text);
    lexer.skip_blanks().ok().map(|()| lexer.rest)
}

/// The tokens of a text. After an error there are no more.
pub(super) struct Lexer<'t> {
    rest: &'t str,
    line: u32,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Lexer { rest: text, line: 1 }
    }

    /// The line up to which it was read.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// Goes over white space and comments.
    fn skip_blanks(&mut self) -> Result<(), Unended> {
        loop {
            let trimmed = self.rest.trim_start();
            self.take(self.rest.len() - trimmed.len());
            if trimmed.starts_with('#') || trimmed.starts_with("//") {
                self.take(trimmed.find('\n').unwrap_or(trimmed.len()));
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                let line = self.line;
                let unended = Unended { line, what: "a comment begins with /*" };
                let end = comment.find("*/").ok_or(unended).inspect_err(|_| self.rest = "")?;
                self.take(end + 4);
            } else {
                return Ok(());
            }
        }
    }

    /// Takes so many octets.
    fn take(&mut self, octets: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(octets);
        self.line = self.line.saturating_add(taken.matches('\n').count() as u32);
        self.rest = rest;
        taken
    }

    /// The string whose opening quote was taken.
    fn quoted(&mut self, line: u32) -> Result<Kind, Unended> {
        let mut text = String::new();
        loop {
            let Some(at) = self.rest.find(['"', '\\']) else {
                self.rest = "";
                return Err(Unended { line, what: "a string begins with a quote" });
            };
            text.push_str(self.take(at));
            if self.take(1) == "\"" {
                return Ok(Kind::Quoted(text));
            }
            // The character after a backslash ends nothing.
            match self.rest.chars().next() {
                Some('"') => text.push_str(self.take(1)),
                Some(next) => {
                    text.push('\\');
                    text.push_str(self.take(next.len_utf8()));
                }
                None => {}
            }
        }
    }

    fn word(&mut self) -> Kind {
        let ends = |(at, c): (usize, char)| {
            let is_end = c.is_whitespace() || matches!(c, '{' | '}' | ';' | '"');
            is_end || self.rest[at..].starts_with("//") || self.rest[at..].starts_with("/*")
        };
        let end = self.rest.char_indices().find(|&found| ends(found)).map_or(self.rest.len(), |(at, _)| at);
        Kind::Word(self.take(end).to_owned())
    }
}

impl Iterator for Lexer<'_> {
    type Item = Result<Token, Unended>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Err(unended) = self.skip_blanks() {
            return Some(Err(unended));
        }
        let line = self.line;
        let kind = match self.rest.as_bytes().first()? {
            b'{' => Kind::Open,
            b'}' => Kind::Close,
            b';' => Kind::End,
            b'"' => {
                self.take(1);
                return Some(self.quoted(line).map(|kind| Token { kind, line }));
            }
            _ => return Some(Ok(Token { kind: self.word(), line })),
        };
        self.take(1);
        Some(Ok(Token { kind, line }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(text: &str) -> Vec<Kind> {
        Lexer::new(text).map(|token| token.expect("a token").kind).collect()
    }

    fn word(text: &str) -> Kind {
        Kind::Word(text.to_owned())
    }

    #[test]
    fn comments_of_all_three_kinds_are_left_out_and_lines_counted() {
        let text = "a # b\n/* c\n d */ e// f\ng/* h */i";
        let tokens: Vec<(String, u32)> = Lexer::new(text)
            .map(|token| token.expect("a token"))
            .map(|token| (format!("{:?}", token.kind), token.line))
            .collect();
        let expected = [("a", 1), ("e", 3), ("g", 4), ("i", 4)];
        let expected: Vec<(String, u32)> =
            expected.iter().map(|(text, line)| (format!("Word({text:?})"), *line)).collect();
        assert_eq!(tokens, expected);
    }

    #[test]
    fn strings_keep_what_would_end_a_word() {
        let quoted = |text: &str| Kind::Quoted(text.to_owned());
        assert_eq!(
            kinds(r#""a;{ # b" "c\"d" "e\f\\" "#),
            [quoted("a;{ # b"), quoted("c\"d"), quoted(r"e\f\\")]
        );
        assert_eq!(kinds("\"two\nlines\"x"), [quoted("two\nlines"), word("x")]);
    }

    #[test]
    fn addresses_and_prefixes_are_words() {
        let expected = [word("!10.0.0.0/8"), Kind::End, word("::1"), Kind::End, Kind::Close];
        assert_eq!(kinds("!10.0.0.0/8;::1;}"), expected);
    }

    #[test]
    fn what_never_ends_is_told_where_it_begins() {
        for (text, line) in [("a\n\"b\nc", 2), ("a /* b\n*", 1), ("\"a\\", 1)] {
            let mut lexer = Lexer::new(text);
            let unended = lexer.find_map(Result::err).expect(text);
            assert_eq!(unended.line, line, "{text}");
            assert_eq!(lexer.next(), None, "{text}");
        }
    }

    proptest! {
        /// Any text ends, and what was read and written again is read the same.
        #[test]
        fn any_text_is_read_and_read_the_same_again(text in "[a/*#\\\\\"{};! \n\u{e9}]{0,40}") {
            let tokens: Vec<Token> = Lexer::new(&text).map_while(Result::ok).collect();
            let mut written = String::new();
            for token in &tokens {
                match &token.kind {
                    Kind::Word(text) => written.push_str(text),
                    Kind::Quoted(text) => {
                        let text = text.replace('"', "\\\"");
                        written.push_str(&format!("\"{text}\""));
                    }
                    Kind::Open => written.push('{'),
                    Kind::Close => written.push('}'),
                    Kind::End => written.push(';'),
                }
                written.push(' ');
            }
            let again: Vec<Kind> = Lexer::new(&written).map_while(Result::ok).map(|token| token.kind).collect();
            let kinds: Vec<Kind> = tokens.into_iter().map(|token| token.kind).collect();
            prop_assert_eq!(again, kinds);
        }
    }
}
