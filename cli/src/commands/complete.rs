//! What `kubectl` offers after `kubectl port53`, when it calls this program as `kubectl_complete-port53` with the
//! words so far, the last of which is to be completed. What it reads is Cobra's: `WORD`, a tab and what it is, on
//! a line each, and at the end what the shell is to do beside them.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command, ValueHint};

use crate::args;

/// The shell is not to offer names of files.
const NO_FILES: &str = ":4";
/// The shell is to offer names of files where there is nothing else.
const FILES: &str = ":0";

/// Prints what the last of the words may be.
pub fn complete(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    match io::stdout().lock().write_all(offered(args::command(), &words).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn offered(mut root: Command, words: &[String]) -> String {
    root.build();
    let Some((last, before)) = words.split_last() else { return format!("{NO_FILES}\n") };
    let (mut command, mut positional, mut flags_are_over) = (&root, 0, false);
    // Of a flag that stands before the word and takes it for its value.
    let mut waiting: Option<&Arg> = None;
    for word in before {
        if waiting.take().is_some() {
        } else if flags_are_over {
            positional += 1;
        } else if word == "--" {
            flags_are_over = true;
        } else if let Some(flag) = flag(command, word) {
            waiting = flag.get_action().takes_values().then_some(flag).filter(|flag| !has_value(flag, word));
        } else if word.starts_with('-') && word.len() > 1 {
            // One that there is not: what follows it is not known.
        } else if let Some(sub) = command.find_subcommand(word) {
            (command, positional) = (sub, 0);
        } else {
            positional += 1;
        }
    }
    if let Some(flag) = waiting {
        return values(flag, last);
    }
    if let Some((name, value)) = last.split_once('=').filter(|_| last.starts_with("--") && !flags_are_over) {
        // Shells put the name before it again.
        return flag(command, name).map_or_else(|| said(Vec::new(), NO_FILES), |flag| values(flag, value));
    }
    if last.starts_with('-') && !flags_are_over {
        return said(flags(command, last), NO_FILES);
    }
    if command.has_subcommands() {
        if positional > 0 {
            return said(Vec::new(), NO_FILES);
        }
        let named = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let named = named.filter(|sub| sub.get_name().starts_with(last.as_str()));
        let about = |sub: &Command| sub.get_about().map(ToString::to_string);
        return said(named.map(|sub| line(sub.get_name(), about(sub))).collect(), NO_FILES);
    }
    // The last one may take any number.
    let positionals: Vec<&Arg> = command.get_positionals().collect();
    match positionals.get(positional).or(positionals.last().filter(|last| is_repeated(last))) {
        Some(argument) => values(argument, last),
        None => said(Vec::new(), NO_FILES),
    }
}

/// The flag that a word begins with, `--name`, `--name=value`, `-n` or `-nvalue`.
fn flag<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let mut flags = command.get_arguments().filter(|argument| !argument.is_positional());
    match word.strip_prefix("--") {
        Some(long) => {
            let name = long.split_once('=').map_or(long, |(name, _)| name);
            flags.find(|flag| flag.get_long() == Some(name))
        }
        None => {
            let short = word.strip_prefix('-')?.chars().next()?;
            flags.find(|flag| flag.get_short() == Some(short))
        }
    }
}

/// Whether the word of a flag holds its value too.
fn has_value(flag: &Arg, word: &str) -> bool {
    match word.starts_with("--") {
        true => word.contains('='),
        false => flag.get_short().is_some() && word.chars().count() > 2,
    }
}

fn is_repeated(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

fn flags(command: &Command, begin: &str) -> Vec<String> {
    let shown = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let named = shown.filter_map(|flag| Some((format!("--{}", flag.get_long()?), flag)));
    let named = named.filter(|(name, _)| name.starts_with(begin));
    named.map(|(name, flag)| line(&name, flag.get_help().map(ToString::to_string))).collect()
}

/// What a value may be, where that is known.
fn values(argument: &Arg, begin: &str) -> String {
    let is_file = !matches!(argument.get_value_hint(), ValueHint::Unknown | ValueHint::Other);
    let possible = argument.get_possible_values();
    let shown = possible.iter().filter(|value| !value.is_hide_set() && value.get_name().starts_with(begin));
    let lines = shown.map(|value| line(value.get_name(), value.get_help().map(ToString::to_string)));
    said(lines.collect(), if is_file { FILES } else { NO_FILES })
}

fn line(word: &str, what: Option<String>) -> String {
    // The rest of a long text is for --help.
    let what = what.and_then(|what| what.lines().next().map(str::to_owned));
    what.map_or_else(|| word.to_owned(), |what| format!("{word}\t{what}"))
}

fn said(mut lines: Vec<String>, rest: &str) -> String {
    lines.push(rest.to_owned());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is offered for the last of the words, without what they are, and the directive.
    fn of(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let offered = offered(args::command(), &words);
        offered.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn words_are_completed_where_they_stand() {
        for (words, expected) in [
            (&["st"][..], &["status", ":4"][..]),
            (&["--color", "a"], &["auto", "always", ":4"]),
            (&["--color=n"], &["never", ":4"]),
            (&["-n", "st", "hi"], &["history", ":4"]),
            (&["-nst", "--context=x", "hi"], &["history", ":4"]),
            (&["status", "--oper"], &["--operator-namespace", ":4"]),
            (&["status", "-o", "j"], &["json", ":4"]),
            (&["status", "-oyaml", ""], &[":4"]),
            (&["status", "-n", ""], &[":4"]),
            (&["status", "-A", ""], &[":4"]),
            (&["status", "zone", ""], &[":4"]),
            (&["apply", "-f", ""], &[":0"]),
            (&["apply", "--filename="], &[":0"]),
            (&["check", "a", "b", ""], &[":0"]),
            (&["check", "--", "-"], &[":0"]),
            (&["diff", "example.com", ""], &[":0"]),
            (&["diff", "example.com", "7", ""], &[":4"]),
            (&["completions", "z"], &["zsh", ":4"]),
            (&["no-such-command", ""], &[":4"]),
            (&[], &[":4"]),
        ] {
            assert_eq!(of(words), expected, "{words:?}");
        }
    }

    #[test]
    fn what_is_offered_says_what_it_is() {
        let words = ["hist".to_owned()];
        assert_eq!(
            offered(args::command(), &words),
            "history\tList the kept versions of a zone, newest first\n:4\n"
        );
        let flags = of(&["apply", "--"]);
        for flag in ["--atomic", "--context", "--as", "--color"] {
            assert!(flags.iter().any(|offered| offered == flag), "{flag}: {flags:?}");
        }
    }
}
