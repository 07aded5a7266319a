//! "Commands in documents are run by a test": what docs/install.md says, as it says it, in a cluster.

use crate::site;
use port53_tests::images::registry;
use port53_tests::release::{Helm, Release};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A shell as somebody has it who follows a document: in a checkout, with helm, kubectl and its plugin.
struct Shell {
    dir: TempDir,
}

impl Shell {
    fn open() -> Self {
        let dir = TempDir::new().expect("a directory");
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).expect("a directory");
        let link = |name: &str, program: &Path| symlink(program, bin.join(name)).expect("a link");
        link("helm", &Helm::Four.program());
        link("kubectl", &site().kubectl_program());
        link("kubectl-port53", Path::new(env!("CARGO_BIN_EXE_port53-tested")));
        for part in ["charts", "examples", "crds"] {
            symlink(Path::new(ROOT).join(part), dir.path().join(part)).expect("a link");
        }
        // Services are reached from within the cluster.
        fs::write(bin.join("dig"), site().dig()).expect("a script");
        fs::set_permissions(bin.join("dig"), fs::Permissions::from_mode(0o755)).expect("a mode");
        Shell { dir }
    }

    /// Runs a command, and gives what it prints.
    fn run(&self, command: &str) -> String {
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-ec", command])
            .current_dir(self.dir.path())
            .env("PATH", format!("{}:{path}", self.dir.path().join("bin").display()))
            .env("KUBECONFIG", site().kubeconfig())
            .env("HOME", self.dir.path())
            .output()
            .expect("a shell");
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "$ {command}\n{said}{errors}");
        said
    }

    /// Runs the commands of a block. A namespace that they make goes with the tests.
    fn follow(&self, block: &[String]) {
        for command in block {
            println!("$ {command}");
            self.run(command);
            if let Some(name) = command.strip_prefix("kubectl create namespace ") {
                site().takes_away("namespace", name);
            }
        }
    }
}

/// The commands of each block of a document: lines that begin with `$`, with those that they go on in. What the reader has
/// of his own is that of the tests.
fn blocks(document: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(Path::new(ROOT).join(document)).expect("a document");
    let text = text.replace("registry.example.net/port53", &registry());
    let parts = text.split("```console\n").skip(1).map(|part| part.split("```").next().unwrap_or_default());
    let commands = |block: &str| {
        let mut all: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in block.lines() {
            match (line.strip_prefix("$ "), goes_on) {
                (Some(command), _) => all.push(command.to_owned()),
                (None, true) => all.last_mut().expect("a command").push_str(&format!("\n{line}")),
                // What it prints.
                (None, false) => {}
            }
            goes_on = line.ends_with('\\') && (line.starts_with("$ ") || goes_on);
        }
        all
    };
    parts.map(commands).collect()
}

#[test]
fn installing_is_as_its_document_says() {
    let shell = Shell::open();
    let blocks = blocks("docs/install.md");
    let [install, look, status, rollouts, encrypt] = &blocks[..] else { panic!("{blocks:#?}") };
    let there = site().kubectl(&["get", "namespace", "port53"]);
    assert!(!there.success, "namespace port53 is there, and this test takes that name");
    shell.run("kubectl create namespace port53");
    site().takes_away("namespace", "port53");
    shell.follow(install);
    let release = Release { site: site(), namespace: "port53".to_owned(), helm: Helm::Four }.into_installed();
    // What the notes of the chart say to try: commands stand alone, or with what they are given below.
    let notes = shell.run("helm get notes port53 -n port53");
    // The reader's namespace is that of the document.
    let notes = notes.replace("\n  ", "\n").replace("namespace: default", "namespace: dns");
    let notes = notes.replace(" -n default ", " -n dns ");
    let objects = notes.split("<<'YAML'\n").nth(1).and_then(|text| text.split("YAML\n").next());
    let objects = objects.expect("objects");
    fs::write(shell.dir.path().join("notes.yaml"), objects).expect("a file");
    shell.run("kubectl apply -f notes.yaml");
    for command in notes.lines().filter(|line| line.starts_with("kubectl") && !line.contains("<<")) {
        shell.run(command);
    }
    let dig = notes.lines().find(|line| line.starts_with("dig ")).expect("a question");
    let ask = |flags: &str| shell.run(&dig.replace("dig ", &format!("dig +short {flags} ")));
    assert_eq!(ask("").trim(), "192.0.2.10", "{dig}");
    shell.follow(look);
    shell.run("kubectl config set-context --current --namespace=port53");
    shell.follow(status);
    // A certificate of the reader, and a change that can be undone.
    let pair = rcgen::generate_simple_self_signed(vec!["ns1.dns.example.net".to_owned()]).expect("a pair");
    fs::write(shell.dir.path().join("tls.crt"), pair.cert.pem()).expect("a file");
    fs::write(shell.dir.path().join("tls.key"), pair.signing_key.serialize_pem()).expect("a file");
    shell.follow(encrypt);
    release.comes_to("Ready=True RolledOut");
    for (flag, port) in [("+tls", 853), ("+https", 443)] {
        let said = ask(&format!("{flag} -p {port}"));
        assert_eq!(said.trim(), "192.0.2.10", "{flag}\n{}", release.seen());
    }
    shell.follow(rollouts);
    release.comes_to("Ready=True RolledOut");
}
