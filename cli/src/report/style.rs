//! Colours, on a terminal only.

use std::io::IsTerminal;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How text is set off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Style {
    is_colored: bool,
}

impl Style {
    /// For text that goes to `stream`.
    pub fn of(color: Color, stream: &impl IsTerminal) -> Self {
        let is_colored = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|text| text.is_empty())
            }
        };
        Style { is_colored }
    }

    /// Something is wrong.
    pub fn error(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Something is doubtful.
    pub fn warning(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    /// All is well; what is new.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What was and is no more.
    pub fn gone(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// The head of a table, a place.
    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.is_colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
