//! `$GENERATE range owner [TTL] [class] type value`: many records from one line, as BIND has it.
//!
//! In owner and value, `$` is the number; `${offset,width,base}` the number plus an offset, filled up with
//! zeros to a width, in base `d`, `o`, `x`, `X`, or as nibbles `n`, `N` from the right with dots between, as
//! ip6.arpa wants them. `\$` and `$$` are a dollar sign. A value that stands in quotes as a whole is read as
//! what is in the quotes: `MX "10 mail-$"`.

use crate::rdata::{self, Token};

/// The records of one `$GENERATE`, as tokens.
pub(crate) struct Generate {
    template: Vec<Token>,
    next: u64,
    stop: u64,
    step: u64,
}

impl Generate {
    /// From the tokens after `$GENERATE`. The error has the token that is wrong.
    pub(crate) fn new(tokens: &[Token]) -> Result<Self, (usize, String)> {
        let [range, template @ ..] = tokens else { return Err((0, "$GENERATE has no range".into())) };
        if template.len() < 3 {
            return Err((template.len(), "$GENERATE needs a range, an owner, a type and a value".into()));
        }
        let wrong = || (0, format!("\"{}\" is no range", range.text()));
        let (range, step) = range.text().split_once('/').unwrap_or((range.text(), "1"));
        let (start, stop) = range.split_once('-').ok_or_else(wrong)?;
        let number = |text: &str| {
            text.parse::<u32>().ok().filter(|&n| n <= i32::MAX as u32).map(u64::from).ok_or_else(wrong)
        };
        let (start, stop, step) = (number(start)?, number(stop)?, number(step)?);
        if step == 0 || stop < start {
            return Err((0, "the range ends before it begins, or has a step of 0".into()));
        }
        Ok(Generate { template: template.to_vec(), next: start, stop, step })
    }

    /// Records that are still to come.
    pub(crate) fn len(&self) -> u64 {
        if self.next > self.stop { 0 } else { (self.stop - self.next) / self.step + 1 }
    }
}

impl Iterator for Generate {
    /// The number and the record made with it.
    type Item = (u64, Result<Vec<Token>, String>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next > self.stop {
            return None;
        }
        let number = self.next;
        self.next += self.step;
        let tokens: Result<Vec<Token>, String> = self
            .template
            .iter()
            .map(|token| {
                let mut token = token.clone();
                token.set_text(substitute(token.text(), number as i64)?);
                Ok(token)
            })
            .collect();
        Some((number, tokens.and_then(without_quotes)))
    }
}

/// The tokens with those of the value where it is one token in quotes.
fn without_quotes(mut tokens: Vec<Token>) -> Result<Vec<Token>, String> {
    let Some(last) = tokens.last().filter(|last| last.is_quoted()) else { return Ok(tokens) };
    let is_type = |token: &Token| !token.is_quoted() && rdata::parse_rtype(token.text()).is_some();
    if tokens.iter().skip(1).position(is_type).map(|place| place + 3) != Some(tokens.len()) {
        return Ok(tokens);
    }
    let (line, column) = (last.line, last.column);
    let value = rdata::of_value(&last.text().replace("\\\"", "\"")).map_err(|error| error.message)?;
    tokens.pop();
    for mut token in value {
        (token.line, token.column) = (line, column);
        tokens.push(token);
    }
    Ok(tokens)
}

fn substitute(text: &str, number: i64) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest.as_bytes()[at] == b'\\' {
            // An escape stays as it is, with what follows it.
            let next = after.chars().next().map_or(0, char::len_utf8);
            out.push('\\');
            out.push_str(&after[..next]);
            rest = &after[next..];
        } else if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (modifier, after) = after.split_once('}').ok_or("${ without its }")?;
            out.push_str(&modified(modifier, number)?);
            rest = after;
        } else {
            out.push_str(&number.to_string());
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn modified(modifier: &str, number: i64) -> Result<String, String> {
    let wrong = || {
        format!("${{{modifier}}} is no modifier: write ${{offset,width,base}} with base d, o, x, X, n or N")
    };
    let mut parts = modifier.split(',');
    let offset: i32 = parts.next().unwrap_or_default().parse().map_err(|_| wrong())?;
    let width: usize = parts.next().map_or(Ok(0), str::parse).map_err(|_| wrong())?;
    let base = parts.next().unwrap_or("d");
    if parts.next().is_some() || width > 63 {
        return Err(wrong());
    }
    let number = number + i64::from(offset);
    if number < 0 {
        return Err(format!("${{{modifier}}} makes a number below 0"));
    }
    Ok(match base {
        "d" => format!("{number:0width$}"),
        "o" => format!("{number:0width$o}"),
        "x" => format!("{number:0width$x}"),
        "X" => format!("{number:0width$X}"),
        "n" => nibbles(number, width, false),
        "N" => nibbles(number, width, true),
        _ => return Err(wrong()),
    })
}

/// Hex digits from the right with dots between; the width counts digits and dots.
fn nibbles(mut number: i64, width: usize, is_upper: bool) -> String {
    let mut text = String::new();
    loop {
        let digit = char::from_digit((number & 15) as u32, 16).unwrap_or('0');
        text.push(if is_upper { digit.to_ascii_uppercase() } else { digit });
        number >>= 4;
        if number == 0 && text.len() >= width {
            return text;
        }
        text.push('.');
        if number == 0 && text.len() >= width {
            return text;
        }
    }
}
