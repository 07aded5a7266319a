//! `make cluster` and `make cluster-down`: a cluster with nodes, to be used by hand.
//!
//! ```text
//! cluster up ──starts, and waits for──▶ cluster run ──holds──▶ control plane, nodes
//! cluster down ──ends it
//! ```
//!
//! What it needs is in `target/cluster`: the kubeconfig, and a script that runs a program in its network, from where
//! Services and pods are reached. All of it goes with it.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use port53_tests::cluster::{Cluster, Settings};
use rustix::process::{Pid, Signal, kill_process};

/// How long it may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(100);

/// A Kubernetes cluster with nodes on this machine, in network namespaces of its own
#[derive(Debug, Parser)]
struct Arguments {
    /// Where what is needed to use it goes
    #[arg(long, default_value = "target/cluster", global = true)]
    dir: PathBuf,
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start one, and say how it is used
    Up {
        /// How many nodes it has
        #[arg(long, default_value_t = 1)]
        nodes: u8,
        /// Archives of images that its nodes know, or directories of them
        #[arg(long)]
        image: Vec<PathBuf>,
    },
    /// Hold one until this process is ended
    Run {
        /// As for up
        #[arg(long, default_value_t = 1)]
        nodes: u8,
        /// As for up
        #[arg(long)]
        image: Vec<PathBuf>,
    },
    /// End it
    Down,
}

fn main() -> ExitCode {
    let Arguments { dir, command } = Arguments::parse();
    let done = match command {
        Verb::Up { nodes, image } => up(&dir, nodes, &image),
        Verb::Run { nodes, image } => run(&dir, nodes, &image),
        Verb::Down => down(&dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn up(dir: &Path, nodes: u8, images: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    if let Some(pid) = running(dir) {
        return Err(format!("there is one already, process {pid}: make cluster-down ends it").into());
    }
    fs::create_dir_all(dir)?;
    let output = dir.join("output");
    let file = fs::File::create(&output)?;
    let mut holder = Command::new("setsid");
    holder.arg(std::env::current_exe()?).arg("--dir").arg(dir).args(["run", &format!("--nodes={nodes}")]);
    holder.args(images.iter().map(|image| format!("--image={}", image.display())));
    let mut holder = holder.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).spawn()?;
    let until = Instant::now() + PATIENCE;
    eprintln!("starting etcd, Kubernetes and {nodes} nodes; what they print is in {}", output.display());
    while !dir.join("ready").exists() {
        if let Some(status) = holder.try_wait()? {
            return Err(format!("it ended ({status}):\n{}", fs::read_to_string(&output)?).into());
        }
        if Instant::now() > until {
            return Err(format!("it is not ready after {PATIENCE:?}; see {}", output.display()).into());
        }
        std::thread::sleep(POLL);
    }
    print!("{}", fs::read_to_string(dir.join("ready"))?);
    Ok(())
}

fn run(dir: &Path, nodes: u8, images: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let dir = dir.canonicalize()?;
    fs::write(dir.join("pid"), std::process::id().to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // From the first moment on: what was made by then goes, too.
    let asked_to_leave = runtime.block_on(async { leave() })?;
    let cluster = Cluster::start(Settings { nodes, images: archives(images)?, ..Settings::default() });
    let inner = cluster.inner().ok_or("a cluster with nodes has a network of its own")?;
    let enter = dir.join("enter");
    let programs = cluster.programs();
    fs::write(&enter, format!("#!/bin/sh\nexec nsenter --net=/run/netns/{} \"$@\"\n", inner.netns().name()))?;
    fs::set_permissions(&enter, fs::Permissions::from_mode(0o755))?;
    fs::copy(cluster.kubeconfig(), dir.join("kubeconfig"))?;
    fs::write(
        dir.join("ready"),
        format!(
            "export KUBECONFIG={}\nexport PATH={}:$PATH\n# Services and pods are reached from its network: {} dig @10.96.0.53 example.com\n",
            dir.join("kubeconfig").display(),
            programs.display(),
            enter.display(),
        ),
    )?;
    runtime.block_on(asked_to_leave);
    drop(cluster);
    fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Ends with the first signal that says so.
fn leave() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn archives(given: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in given {
        match path.is_dir() {
            false => all.push(path.clone()),
            true => {
                for entry in fs::read_dir(path)? {
                    let path = entry?.path();
                    all.extend((path.extension().is_some_and(|kind| kind == "tar")).then_some(path));
                }
            }
        }
    }
    Ok(all)
}

fn down(dir: &Path) -> Result<(), Box<dyn Error>> {
    let Some(pid) = running(dir) else {
        eprintln!("there is none");
        return Ok(());
    };
    let pid = Pid::from_raw(pid).ok_or("not a process")?;
    kill_process(pid, Signal::TERM)?;
    let until = Instant::now() + PATIENCE;
    while dir.join("pid").exists() {
        if Instant::now() > until {
            return Err(
                format!("it has not ended after {PATIENCE:?}; see {}", dir.join("output").display()).into()
            );
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// The process that holds a cluster.
fn running(dir: &Path) -> Option<i32> {
    let pid = fs::read_to_string(dir.join("pid")).ok()?.trim().parse().ok()?;
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    command.contains("cluster").then_some(pid)
}
