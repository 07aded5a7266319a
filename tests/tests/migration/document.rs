//! A document that a test follows word by word: its blocks, and its commands with what they print.

use crate::shared;

/// The text of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document(pub(crate) &'static str);

/// A command, and the lines that the document says it prints.
pub(crate) type Command = (&'static str, Vec<&'static str>);

impl Document {
    /// The blocks of a kind, such as `yaml`.
    pub(crate) fn blocks(self, kind: &str) -> Vec<&'static str> {
        let begin = format!("```{kind}\n");
        self.0.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).collect()
    }

    /// The block of a kind that has these words.
    #[track_caller]
    pub(crate) fn block(self, kind: &str, words: &str) -> &'static str {
        let found = self.blocks(kind).into_iter().find(|block| block.contains(words));
        found.unwrap_or_else(|| panic!("no {kind} with {words}"))
    }
}

/// The commands of a `console` block.
#[track_caller]
pub(crate) fn commands(block: &'static str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, printed))) => printed.push(line),
            (None, None) => panic!("{line}: no command before it"),
        }
    }
    commands
}

/// Asserts that a command has printed each of the lines that the document has. In these `…` stands for anything.
#[track_caller]
pub(crate) fn assert_printed(command: &str, expected: &[&str], printed: &str) {
    for line in expected {
        let is_it = |said: &str| match line.split_once('…') {
            Some((before, after)) => said.starts_with(before) && said.ends_with(after),
            None => said == *line,
        };
        assert!(printed.lines().any(is_it), "{command}: no line {line:?} in\n{printed}");
    }
}

/// Each `spec` of `docs/migration.md` stands for itself, so it must be right as it stands there.
#[test]
fn the_api_server_takes_every_spec_of_the_document() {
    let platform = shared();
    let (namespace, _) = platform.place("document");
    let text = Document(include_str!("../../../docs/migration.md"));
    let mut tried = 0;
    for block in text.blocks("yaml") {
        let of_zone = "  zoneRef: {name: example-com}\n  legacy: {addresses: ['192.0.2.53']}\n";
        let whole = match block {
            block if block.starts_with("apiVersion:") => {
                block.replace("namespace: dns", &format!("namespace: {namespace}"))
            }
            block if block.starts_with("spec:") => format!(
                "apiVersion: port53.dev/v1alpha1\nkind: ZoneMigration\n\
                 metadata: {{name: example-com, namespace: {namespace}}}\n{block}{of_zone}"
            ),
            // A part of one.
            _ => continue,
        };
        let apply = ["apply", "--server-side", "--dry-run=server", "-f", "-"];
        let done = platform.cluster.kubectl_with(&apply, &whole);
        assert!(done.success, "{whole}: {}", done.stderr);
        tried += 1;
    }
    assert!(tried >= 4, "{tried}");
}
