//! Programs as child processes: what they print goes into a file, is shown when the test fails, and they
//! are ended, by their own process group, when dropped.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Where daemons are, beside PATH: Debian keeps them off the path of those who are not root.
const DAEMONS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Finds a peer's program.
///
/// # Panics
/// With the command that installs it. A test that needs a peer is never passed without it.
pub fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain(DAEMONS.iter().map(PathBuf::from));
    places
        .find_map(|place| Some(place.join(program)).filter(|file| file.is_file()))
        .unwrap_or_else(|| panic!("{program} is not installed: run tests/install-peers as root"))
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// Whether it ended with 0.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Finished {
            success: output.status.success(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

/// Runs a command to its end, with what it reads from its standard input.
///
/// # Panics
/// When it cannot be run.
pub fn run_with(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // It may end before it has read everything; what it says then is what counts.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("it ends")
    })
}

/// Runs a peer's program in `dir` to its end.
///
/// # Panics
/// When it is not there.
pub fn run(program: &str, arguments: &[&str], dir: &Path) -> Finished {
    let output = Command::new(find(program))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    // Octets above 127 stay apart from each other: each becomes the character of its number.
    let text = |octets: &[u8]| octets.iter().map(|&octet| char::from(octet)).collect();
    Finished { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// What [`Process::start_tied`] runs: `$0` is a script that removes what is left, `"$@"` the program. The standard input is a pipe of
/// which only the test's process has the other end, so it is at its end when that process is.
const TIED: &str = r#"
exec 3<&0
{ cat <&3 >/dev/null; kill -KILL $$; eval "$0"; } &
exec "$@" </dev/null 3<&-
"#;

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command` with its output in a file of `dir`, in a process group of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, dir: &Path) -> Self {
        command.stdin(Stdio::null());
        Self::spawn(name, command, dir)
    }

    /// Like [`Process::start`], for what may be kept in a static, which is never dropped: when the test's
    /// process ends, however it ends, the program is killed and `whole`, a directory around `dir`, removed.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_tied(name: &str, command: &Command, dir: &Path, whole: &Path) -> Self {
        Self::start_tied_and(name, command, dir, &format!("rm -rf '{}'", whole.display()))
    }

    /// Like [`Process::start_tied`], with a script of the shell that removes what is left.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_tied_and(name: &str, command: &Command, dir: &Path, remove: &str) -> Self {
        let mut tied = Command::new("/bin/sh");
        tied.args(["-c", TIED]).arg(remove).arg(command.get_program()).args(command.get_args());
        tied.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        tied.stdin(Stdio::piped());
        Self::spawn(name, tied, dir)
    }

    fn spawn(name: &str, mut command: Command, dir: &Path) -> Self {
        let output = dir.join("output");
        let file = File::create(&output).expect("a file for the output");
        let child = command
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Process { name: name.to_owned(), child, output }
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        fs::read(&self.output).map(|octets| String::from_utf8_lossy(&octets).into_owned()).unwrap_or_default()
    }

    /// The id of its process, which is that of its process group too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Asks it to leave.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Stops it where it stands, until it is resumed.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Tells it to read its files again, as daemons take SIGHUP; those that it has started are not told.
    pub fn reload(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::HUP);
    }

    fn signal(&self, signal: Signal) {
        // It may be gone already; then there is nothing to end.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- {} printed:\n{}----", self.name, self.output());
        }
        // Its children are in the group as well. They hold nothing that would have to be saved.
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}
