//! The reader: records from entries.
//!
//! What RFC 1035 §5.1 leaves to context is kept here: the origin, the owner of the record before, and the
//! TTL that an omitted one takes: that of `$TTL` (RFC 2308 §4), else the last one stated (RFC 1035 §5.1).
//! When there is neither, a SOA takes its MINIMUM, as do the records after it, as BIND has it.

use super::generate::Generate;
use super::lexer::{Entry, LexError, Lexer};
use super::parts::{Context, Head};
use super::{Located, Position, Problem};
use crate::name::{self, Name};
use crate::rdata;
use crate::rrset::{Record, Soa};
use domain::base::iana::Rtype;
use std::io::BufRead;
use std::sync::Arc;

/// Opens what `$INCLUDE` names. Whoever implements it decides what may be opened, and keeps it inside a
/// directory.
pub trait Includes {
    /// Opens `path` as it was written. The error says why not, for the person who wrote it.
    fn open(&mut self, path: &str) -> Result<Box<dyn BufRead>, String>;
}

/// What one file may ask for, the files it includes counted in.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Files open at a time: an include of itself ends here.
    pub include_depth: usize,
    /// Files in all.
    pub includes: usize,
    /// Records that `$GENERATE` may make in all.
    pub generated: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { include_depth: 8, includes: 1_000, generated: 1_000_000 }
    }
}

/// How a file is read.
#[derive(Default)]
pub struct Options<'a> {
    /// The origin at the start of the file, where it is known.
    pub origin: Option<Name>,
    /// The TTL at the start of the file, as if by `$TTL`.
    pub default_ttl: Option<u32>,
    /// Who opens included files; without it `$INCLUDE` is refused.
    pub includes: Option<&'a mut dyn Includes>,
    /// See [`Limits`].
    pub limits: Limits,
}

/// Reads a master file: an iterator over its records and problems, in the order of the file.
///
/// A SOA that is the same as the first one is left out: a zone that was written from a transfer has it
/// first and last.
pub struct Reader<'a> {
    options: Options<'a>,
    files: Vec<File<'a>>,
    origin: Option<Name>,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    first_soa: Option<Record>,
    generating: Option<Generating>,
    included: usize,
    generated: u64,
}

struct File<'a> {
    name: Arc<str>,
    lexer: Lexer<'a>,
    last_owner: Option<Name>,
    /// The origin of the file that included this one.
    origin_before: Option<Name>,
}

struct Generating {
    generate: Generate,
    position: Position,
    end_line: u32,
    /// Whether a record of it was wrong.
    has_failed: bool,
}

type Found = Result<Located<Record>, Problem>;

impl<'a> Reader<'a> {
    /// A reader of `input`, which is called `file` in positions.
    pub fn new(file: &str, input: Box<dyn BufRead + 'a>, options: Options<'a>) -> Self {
        let first =
            File { name: file.into(), lexer: Lexer::new(input), last_owner: None, origin_before: None };
        Reader {
            origin: options.origin.clone(),
            default_ttl: options.default_ttl,
            options,
            files: vec![first],
            last_ttl: None,
            first_soa: None,
            generating: None,
            included: 0,
            generated: 0,
        }
    }

    /// The origin at this point of the file.
    pub fn origin(&self) -> Option<&Name> {
        self.origin.as_ref()
    }

    fn next_found(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.next_generated() {
                return Some(found);
            }
            let file = self.files.last_mut()?;
            let name = file.name.clone();
            match file.lexer.next_entry() {
                Ok(Some(Ok(entry))) => match self.entry(&name, entry) {
                    Ok(None) => {}
                    Ok(Some(record)) => return Some(Ok(record)),
                    Err(problem) => {
                        self.go_back();
                        return Some(Err(problem));
                    }
                },
                Ok(Some(Err(error))) => {
                    self.go_back();
                    return Some(Err(lex_problem(&name, error)));
                }
                Ok(None) => self.end_file(),
                Err(error) => {
                    let position = Position { file: name, line: file.lexer.line() + 1, column: 1 };
                    self.end_file();
                    let message = format!("the file cannot be read to its end: {error}");
                    return Some(Err(Problem {
                        position,
                        message,
                        expected: "a file that can be read".into(),
                    }));
                }
            }
        }
    }

    /// After a wrong entry, which may hold lines that are right by themselves.
    fn go_back(&mut self) {
        if let Some(file) = self.files.last_mut() {
            file.lexer.go_back();
        }
    }

    fn end_file(&mut self) {
        if let Some(file) = self.files.pop()
            && !self.files.is_empty()
        {
            self.origin = file.origin_before;
        }
    }

    fn entry(&mut self, file: &Arc<str>, entry: Entry) -> Result<Option<Located<Record>>, Problem> {
        let context = Context { file, entry: &entry };
        let directive = entry.tokens[0].text();
        if !entry.has_blank_owner && !entry.tokens[0].is_quoted() && directive.starts_with('$') {
            return match directive.to_ascii_uppercase().as_str() {
                "$ORIGIN" => self.set_origin(&context),
                "$TTL" => self.set_ttl(&context),
                "$INCLUDE" => self.include(&context),
                "$GENERATE" => self.generate(&context),
                _ => Err(context.problem(
                    0,
                    format!("{directive} is no directive"),
                    "$ORIGIN, $TTL, $INCLUDE or $GENERATE; \\$ begins a name with a dollar sign",
                )),
            }
            .map(|()| None);
        }
        let owner = self.owner(&context)?;
        let first = usize::from(!entry.has_blank_owner);
        let record = self.record(&context, owner, first)?;
        Ok(self.is_new(&record.value).then_some(record))
    }

    fn owner(&mut self, context: &Context<'_>) -> Result<Name, Problem> {
        let Some(file) = self.files.last_mut() else {
            return Err(context.problem(0, "no file".into(), "a file"));
        };
        if context.entry.has_blank_owner {
            return file.last_owner.clone().ok_or_else(|| {
                let message = "this line has no owner, and there is no right one before it".to_owned();
                context.problem(0, message, "the owner's name in the first column")
            });
        }
        // Should the name be wrong, lines with a blank owner after it are not the one's before.
        file.last_owner = None;
        let owner = self.name(context, 0)?;
        if let Some(file) = self.files.last_mut() {
            file.last_owner = Some(owner.clone());
        }
        Ok(owner)
    }

    /// The name that token `at` is.
    fn name(&self, context: &Context<'_>, at: usize) -> Result<Name, Problem> {
        let text = context.text(at)?;
        let origin = match &self.origin {
            Some(origin) => origin.clone(),
            None if name::is_absolute(text) => name::root(),
            None => return Err(context.without_origin(at)),
        };
        name::parse(text, &origin)
            .map_err(|error| context.problem(at, format!("the name \"{text}\" {error}"), "a name"))
    }

    /// The record of `owner` whose TTL, class and type begin at token `first`.
    fn record(
        &mut self,
        context: &Context<'_>,
        owner: Name,
        first: usize,
    ) -> Result<Located<Record>, Problem> {
        let head = Head::read(context, first, &mut self.last_ttl)?;
        let origin = self.origin.clone().unwrap_or_else(name::root);
        let tokens = context.entry.tokens.get(head.values..).unwrap_or_default();
        if self.origin.is_none()
            && let Some(at) = rdata::relative_name(head.rtype, tokens)
        {
            return Err(context.without_origin(head.values + at));
        }
        let rdata = rdata::from_tokens(head.rtype, tokens, &origin).map_err(|error| {
            let at = error.token.map_or(head.values - 1, |token| head.values + token);
            let at = at.min(context.entry.tokens.len() - 1);
            let type_name = rdata::display_rtype(head.rtype);
            context.problem(
                at,
                format!("the value {}", error.message),
                &format!("a value of type {type_name}"),
            )
        })?;
        let ttl = match head.ttl.or(self.default_ttl).or(self.last_ttl) {
            Some(ttl) => ttl,
            None => match Soa::from_rdata(&rdata, 0).filter(|_| head.rtype == Rtype::SOA) {
                Some(soa) => *self.default_ttl.insert(soa.minimum.min(i32::MAX as u32)),
                None => {
                    let message = "this record has no TTL, and none was stated before it".to_owned();
                    return Err(context.problem(
                        first,
                        message,
                        "$TTL at the top of the file, or a TTL before the type",
                    ));
                }
            },
        };
        let record = Record { name: owner, rtype: head.rtype, ttl, rdata };
        Ok(Located { value: record, position: context.position(0), end_line: context.entry.end_line })
    }

    /// False for a SOA that was there before.
    fn is_new(&mut self, record: &Record) -> bool {
        if record.rtype != Rtype::SOA {
            return true;
        }
        match &self.first_soa {
            Some(first) => first != record,
            None => {
                self.first_soa = Some(record.clone());
                true
            }
        }
    }

    /// Should the name be wrong, there is no origin: names after it are not those below the one before.
    fn set_origin(&mut self, context: &Context<'_>) -> Result<(), Problem> {
        let origin = self.name(context, 1);
        self.origin = origin.as_ref().ok().cloned();
        origin?;
        context.ends_at(2)
    }

    fn set_ttl(&mut self, context: &Context<'_>) -> Result<(), Problem> {
        self.default_ttl = Some(context.ttl(1)?);
        context.ends_at(2)
    }

    fn include(&mut self, context: &Context<'_>) -> Result<(), Problem> {
        let path = String::from_utf8_lossy(&context.token(1)?.octets()).into_owned();
        let origin = match context.entry.tokens.get(2) {
            Some(_) => Some(self.name(context, 2)?),
            None => self.origin.clone(),
        };
        context.ends_at(3)?;
        let limits = &self.options.limits;
        if self.files.len() >= limits.include_depth || self.included >= limits.includes {
            let message = format!("{path} would be one $INCLUDE too many");
            let expected = format!("at most {} files in all, {} deep", limits.includes, limits.include_depth);
            return Err(context.problem(1, message, &expected));
        }
        let Some(includes) = self.options.includes.as_deref_mut() else {
            let message = format!("$INCLUDE {path} is not allowed here");
            return Err(context.problem(0, message, "the records themselves"));
        };
        let input = includes.open(&path).map_err(|error| {
            context.problem(1, format!("{path} cannot be included: {error}"), "a file inside the directory")
        })?;
        self.included += 1;
        let last_owner = self.files.last().and_then(|file| file.last_owner.clone());
        let origin_before = std::mem::replace(&mut self.origin, origin);
        self.files.push(File { name: path.into(), lexer: Lexer::new(input), last_owner, origin_before });
        Ok(())
    }

    fn generate(&mut self, context: &Context<'_>) -> Result<(), Problem> {
        let tokens = context.entry.tokens.get(1..).unwrap_or_default();
        let generate = Generate::new(tokens).map_err(|(at, message)| {
            let at = (at + 1).min(context.entry.tokens.len() - 1);
            context.problem(at, message, "$GENERATE 1-10 name-$ A 192.0.2.$")
        })?;
        self.generated += generate.len();
        if self.generated > self.options.limits.generated {
            let message = format!("this makes {} records of $GENERATE in all", self.generated);
            self.generated -= generate.len();
            let expected = format!("at most {}", self.options.limits.generated);
            return Err(context.problem(1, message, &expected));
        }
        let (position, end_line) = (context.position(0), context.entry.end_line);
        self.generating = Some(Generating { generate, position, end_line, has_failed: false });
        Ok(())
    }

    /// The next record of a `$GENERATE`, as if it stood in its place. What is wrong with one will be wrong
    /// with others: said once, and the right ones are read all the same.
    fn next_generated(&mut self) -> Option<Found> {
        loop {
            let generating = self.generating.as_mut()?;
            let Some((number, tokens)) = generating.generate.next() else {
                self.generating = None;
                return None;
            };
            let (position, end_line) = (generating.position.clone(), generating.end_line);
            let found = match tokens {
                Ok(tokens) => {
                    let entry = Entry { tokens, has_blank_owner: false, line: position.line, end_line };
                    let context = Context { file: &position.file, entry: &entry };
                    self.name(&context, 0).and_then(|owner| self.record(&context, owner, 1))
                }
                Err(message) => Err(Problem {
                    position: position.clone(),
                    message,
                    expected: "a modifier as in ${0,3,d}".into(),
                }),
            };
            match found {
                Ok(record) if self.is_new(&record.value) => return Some(Ok(Located { position, ..record })),
                Ok(_) => {}
                Err(problem) => {
                    let is_first = self
                        .generating
                        .as_mut()
                        .is_some_and(|generating| !std::mem::replace(&mut generating.has_failed, true));
                    if is_first {
                        let message = format!("for $ = {number}, {}", problem.message);
                        return Some(Err(Problem { position, message, ..problem }));
                    }
                }
            }
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        self.next_found()
    }
}

fn lex_problem(file: &Arc<str>, error: LexError) -> Problem {
    let position = Position { file: file.clone(), line: error.line, column: error.column };
    Problem { position, message: error.message, expected: error.expected.into() }
}
