//! Network namespaces: machines that have a network of their own on this one. What is made in one (links, addresses,
//! routes, rules) goes with it, and this machine's own network is not touched.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, panic, thread};

/// A network namespace. Removed when dropped.
#[derive(Debug)]
pub struct Netns {
    name: String,
    file: File,
}

impl Netns {
    /// Makes one in which loopback is up.
    ///
    /// # Panics
    /// With what `ip` says; above all, this takes root.
    pub fn create(name: &str) -> Self {
        finish(Command::new("ip").args(["netns", "add", name]));
        let file = File::open(format!("/run/netns/{name}")).expect("a network namespace that was just made");
        let netns = Netns { name: name.to_owned(), file };
        netns.run("ip link set lo up");
        netns
    }

    /// Its name, as `ip netns` has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program in it. (`ip netns exec` would mount another `/sys`, without control groups.)
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg(program);
        command
    }

    /// The same program with the same arguments, in it.
    pub(super) fn enter(&self, command: &Command) -> Command {
        let mut inside = self.command(command.get_program());
        inside.args(command.get_args());
        inside
    }

    /// Runs a script of the shell in it.
    ///
    /// # Panics
    /// With what it prints when it fails.
    pub fn run(&self, script: &str) {
        finish(self.command("sh").args(["-ec", script]));
    }

    /// Does `work` on a thread in it: a socket that is made there stays there, whoever has it.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.file, work)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).output();
    }
}

fn within<T: Send>(netns: &File, work: impl FnOnce() -> T + Send) -> T {
    let work = || {
        move_into_link_name_space(netns.as_fd(), Some(LinkNameSpaceType::Network))
            .expect("a thread may enter it");
        work()
    };
    let done = thread::scope(|scope| scope.spawn(work).join());
    done.unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// Runs a program to its end.
///
/// # Panics
/// With what it prints when it fails.
pub(super) fn finish(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A port on loopback of this machine that leads to an address in a network namespace. Closed when dropped.
#[derive(Debug)]
pub(super) struct Forward {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Forward {
    /// Begins to lead there.
    pub(super) fn start(netns: &Netns, there: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, file) = (is_over.clone(), netns.file.try_clone().expect("a second handle"));
        thread::spawn(move || {
            for ours in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                // Who comes while nobody listens there is told so by the connection's end.
                if let (Ok(ours), Ok(theirs)) = (ours, within(&file, || TcpStream::connect(there))) {
                    let _ = lead(ours, theirs);
                }
            }
        });
        Forward { address, is_over }
    }

    /// The port on loopback.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It looks when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

/// Copies what each of two says to the other, until both have said all.
fn lead(ours: TcpStream, theirs: TcpStream) -> io::Result<()> {
    for (mut from, mut to) in [(ours.try_clone()?, theirs.try_clone()?), (theirs, ours)] {
        from.set_nodelay(true)?;
        thread::spawn(move || {
            // One that fails is as good as one that ends.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
    }
    Ok(())
}
