//! Where settings come from: a flag before the environment, that before the file, and that before the default.

use super::file::{self, Entry};
use super::{AnsweringArguments, Arguments, Config};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Subcommand};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

/// The command line.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "port53-resolver", version, args_conflicts_with_subcommands = false)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
    /// File of settings: the names of flags without hyphens, and their values, in YAML. Flags and environment
    /// stand above it
    #[arg(long, env = "PORT53_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else than serving.
#[derive(Clone, Debug, Eq, PartialEq, Subcommand)]
pub enum Command {
    /// Print the settings in effect, as a file that could be given by --config, and where each comes from
    Config,
    /// Have the resolver that runs on this cache forward zones to their legacy DNS, whatever their heads say, until
    /// this is released. It needs no API server, is heard within a second, and holds over a restart
    Fallback(Fallback),
}

/// Who is to answer for which zones.
#[derive(Clone, Debug, Default, Eq, PartialEq, clap::Args)]
pub struct Fallback {
    /// A zone, as often as needed; all that have a legacy DNS when left out
    #[arg(long)]
    pub zone: Vec<String>,
    /// Answer them from Port53 instead, whatever their heads say
    #[arg(long, conflicts_with = "release")]
    pub answer: bool,
    /// Let their heads decide again
    #[arg(long)]
    pub release: bool,
}

/// What was given.
#[derive(Clone, Debug)]
pub struct Given {
    /// To do; to serve when there is none.
    pub command: Option<Command>,
    /// All settings.
    pub arguments: Arguments,
    config: Option<PathBuf>,
    settings: Vec<Setting>,
    /// What is wrong with the file.
    wrong: Vec<String>,
}

/// One setting in effect.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Setting {
    name: String,
    values: Vec<String>,
    is_list: bool,
    from: &'static str,
}

impl Given {
    /// Reads a command line, the environment, and the file that they name.
    ///
    /// # Errors
    /// A command line that cannot be read at all, or one that asks for help.
    pub fn read(line: &[OsString]) -> Result<Self, clap::Error> {
        let first = Line::command().try_get_matches_from(line)?;
        let (entries, mut wrong) = match first.get_one::<PathBuf>("config") {
            Some(path) => {
                let (entries, mut wrong) = file::read(path);
                let known = entries.into_iter().filter(|entry| match is_known(entry) {
                    true => true,
                    false => {
                        wrong.push(unknown(path, entry));
                        false
                    }
                });
                (known.collect(), wrong)
            }
            None => (Vec::new(), Vec::new()),
        };
        let from_file: Vec<&Entry> =
            entries.iter().filter(|entry| source(&first, &entry.key) == ValueSource::DefaultValue).collect();
        let mut whole: Vec<OsString> = line.iter().take(1).cloned().collect();
        for entry in &from_file {
            if entry.values.len() != 1 && !is_list(&entry.key) {
                wrong.push(format!(
                    "line {} of the file: {} has one value, not a list",
                    entry.line, entry.key
                ));
                continue;
            }
            if entry.values.is_empty() {
                whole.push(format!("--{}=", entry.key).into());
            }
            whole.extend(entry.values.iter().map(|value| format!("--{}={value}", entry.key).into()));
        }
        whole.extend(line.iter().skip(1).cloned());
        let matches = Line::command().try_get_matches_from(&whole)?;
        let Line { arguments, command, config } = Line::from_arg_matches(&matches)?;
        let settings = flags().map(|flag| {
            let name = flag.get_long().unwrap_or_default();
            let is_from_file = from_file.iter().any(|entry| entry.key == name);
            Setting {
                name: name.to_owned(),
                values: raw(&matches, name),
                is_list: is_list(name),
                from: if is_from_file { "the file" } else { from(source(&first, name)) },
            }
        });
        Ok(Given { command, arguments, config, settings: settings.collect(), wrong })
    }

    /// Checks everything.
    ///
    /// # Errors
    /// One sentence for all that is wrong, in the file and with the settings.
    pub fn check(&self) -> Result<Config, Vec<String>> {
        let mut wrong = self.wrong.clone();
        match self.arguments.clone().check() {
            Ok(config) if wrong.is_empty() => Ok(config),
            Ok(_) => Err(wrong),
            Err(more) => {
                wrong.extend(more);
                Err(wrong)
            }
        }
    }

    /// The settings in effect as a file, with where each comes from. Secrets are not in it, only their files.
    pub fn to_file(&self) -> String {
        let mut text = String::new();
        for Setting { name, values, is_list, from } in &self.settings {
            let quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
            let is_unset = values.is_empty() && !is_list;
            let value = if *is_list { format!("[{}]", quoted.join(", ")) } else { quoted.concat() };
            let line = if is_unset { format!("# {name}:") } else { format!("{name}: {value}") };
            // Writing into a string does not fail.
            let _ = writeln!(text, "{line:<40} # {from}");
        }
        text
    }

    /// The files that settings are in.
    pub fn files(&self) -> Vec<PathBuf> {
        let secrets = self.arguments.answering.secret_files().into_iter().map(PathBuf::from);
        self.config.iter().cloned().chain(secrets).collect()
    }

    /// Whether the setting is one of answering, which can change while queries are answered.
    pub fn is_of_answering(name: &str) -> bool {
        let command = AnsweringArguments::augment_args(clap::Command::new(""));
        command.get_arguments().any(|flag| flag.get_long() == Some(name))
    }

    /// The settings that are not as in `other`.
    pub fn changed(&self, other: &Given) -> Vec<String> {
        let both = self.settings.iter().zip(&other.settings);
        both.filter(|(a, b)| a.values != b.values).map(|(a, _)| a.name.clone()).collect()
    }
}

/// All flags that are settings.
fn flags() -> impl Iterator<Item = clap::Arg> {
    let command = Arguments::augment_args(clap::Command::new(""));
    command.get_arguments().cloned().collect::<Vec<_>>().into_iter()
}

fn is_known(entry: &Entry) -> bool {
    flags().any(|flag| flag.get_long() == Some(&entry.key))
}

fn is_list(name: &str) -> bool {
    flags().any(|flag| flag.get_long() == Some(name) && matches!(flag.get_action(), clap::ArgAction::Append))
}

fn unknown(path: &std::path::Path, entry: &Entry) -> String {
    let names: Vec<String> = flags().filter_map(|flag| flag.get_long().map(str::to_owned)).collect();
    let known = names.join(", ");
    format!("{}:{}: {} is no setting: write one of {known}", path.display(), entry.line, entry.key)
}

fn source(matches: &ArgMatches, name: &str) -> ValueSource {
    matches.value_source(&name.replace('-', "_")).unwrap_or(ValueSource::DefaultValue)
}

fn raw(matches: &ArgMatches, name: &str) -> Vec<String> {
    let values = matches.get_raw(&name.replace('-', "_"));
    let values = values.into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
    // An empty value in a list is how a flag says that the list is empty.
    values.filter(|value| !value.is_empty() || !is_list(name)).collect()
}

fn from(source: ValueSource) -> &'static str {
    match source {
        ValueSource::CommandLine => "a flag",
        ValueSource::EnvVariable => "the environment",
        _ => "default",
    }
}

/// As YAML reads it: text in double quotes where it could be read as anything else.
fn quote(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_');
    let begins_plainly = value.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
    if begins_plainly && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!(
        "\"{}\"",
        value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("writes");
        file
    }

    fn read(file: &tempfile::NamedTempFile, flags: &[&str]) -> Given {
        let config = format!("--config={}", file.path().display());
        let line: Vec<OsString> =
            ["port53-resolver", &config].iter().chain(flags).map(OsString::from).collect();
        Given::read(&line).expect("a line that can be read")
    }

    #[test]
    fn a_flag_stands_above_the_file_and_the_file_above_the_default() {
        let text = "nsid: of-the-file\nudp-limit: 1400\nlisten: [127.0.0.1:1, \"[::1]:1\"]\nlog: debug\n";
        let file = file(text);
        let given = read(&file, &["--nsid=of-a-flag", "--listen=127.0.0.1:2"]);
        assert_eq!(given.arguments.answering.nsid, "of-a-flag");
        assert_eq!(given.arguments.answering.udp_limit, "1400");
        assert_eq!(given.arguments.listen, ["127.0.0.1:2"], "lists are not joined");
        assert_eq!(given.arguments.log, "debug");
        assert_eq!(given.arguments.tcp_idle, "10s");
        assert_eq!(read(&file, &[]).arguments.listen, ["127.0.0.1:1", "[::1]:1"]);
        assert_eq!(read(&file, &["config"]).command, Some(Command::Config));
    }

    #[test]
    fn everything_wrong_with_file_and_settings_is_told_at_once() {
        let file = file("nsidd: a\nudp-limit: 1\nnsid: [a, b]\ncache-dir: /nowhere\nconfig: other\n");
        let wrong = read(&file, &["--tcp-idle=never"]).check().expect_err("wrong");
        let text = wrong.join("\n");
        for what in [
            ":1: nsidd is no setting",
            ":5: config is no setting",
            "nsid has one value",
            "--tcp-idle \"never\"",
            "--udp-limit \"1\"",
        ] {
            assert!(text.contains(what), "{what}: {text}");
        }
        assert_eq!(wrong.len(), 5, "{text}");
    }

    /// What is printed is a file that gives the same settings.
    #[test]
    fn what_is_printed_can_be_read_again() {
        let first = file("rate-limit-exempt: []\nnsid: 'a \"b\" \\ # c'\nchaos-id: \"true\"\n");
        let given = read(&first, &["--listen=127.0.0.1:5300,[::1]:5300", "--source=disk"]);
        let printed = given.to_file();
        let again = read(&file(&printed), &[]);
        assert_eq!(given.changed(&again), [""; 0], "{printed}");
        assert!(again.check().is_ok());
        for (setting, from) in [("listen", "a flag"), ("nsid", "the file"), ("tcp-idle", "default")] {
            let line = printed.lines().find(|line| line.starts_with(setting)).expect("a line");
            assert!(line.ends_with(&format!("# {from}")), "{line}");
        }
        let other = read(&first, &["--source=disk", "--udp-limit=900"]);
        assert_eq!(given.changed(&other), ["listen", "udp-limit"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        let line = ["port53-resolver", "--config=/nowhere/port53.yaml"].map(OsString::from);
        let wrong = Given::read(&line).expect("a line").check().expect_err("wrong");
        assert!(wrong[0].starts_with("/nowhere/port53.yaml cannot be read: "), "{wrong:?}");
    }

    #[test]
    fn the_command_line_is_one() {
        Line::command().debug_assert();
    }
}
