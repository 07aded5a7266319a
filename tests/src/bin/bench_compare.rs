//! What it takes to compare a zone of a million RRsets with its legacy server, in time and memory: `make bench-compare`.
//!
//! | | what is measured |
//! |---|---|
//! | the same | in a process of its own: the zone is transferred twice from NSD, once for each side; then both are compared over what they agreed on |
//! | nothing here | an operator with a ZoneMigration that brings nothing over: every RRset is a difference, and is said to be |
//!
//! The second is the worst that there is: nothing differs more than all.

use clap::Parser;
use k8s_openapi::jiff::Timestamp;
use port53_legacy::{Limits, Server};
use port53_operator::migrations::agreed::Agreed;
use port53_operator::migrations::merge::apart;
use port53_operator::migrations::scope::{NotCounted, Scope};
use port53_tests::legacy::Legacy;
use port53_tests::machine::{self, Running};
use port53_tests::migration;
use port53_tests::peer::Program;
use port53_tests::platform::{Platform, Programs, Settings};
use port53_zone::name;
use serde_json::{Value, json};
use std::error::Error;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const DOMAIN: &str = "large.example";
const NAMESPACE: &str = "moving";
const NAME: &str = "large";

#[derive(Debug, Parser)]
struct Arguments {
    /// RRsets of the zone.
    #[arg(long, default_value_t = 1_000_000)]
    rrsets: usize,
    /// How long the operator may take, in seconds.
    #[arg(long, default_value_t = 600)]
    patience: u64,
    /// The commit that is measured, for the head of what is printed.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// The part of it that runs in a process of its own: compares what this server has with itself.
    #[arg(long, hide = true)]
    same: Option<SocketAddr>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(server) = arguments.same {
        return same(server);
    }
    let machine = machine::describe(&arguments.commit);
    let text = text(arguments.rrsets);
    let legacy = Legacy::start(Program::Nsd, &[port53_tests::Zone { apex: DOMAIN, text: &text }]);
    drop(text);
    let own =
        Command::new(std::env::current_exe()?).args(["--same", &legacy.address().to_string()]).output()?;
    if !own.status.success() {
        return Err(String::from_utf8_lossy(&own.stderr).into());
    }
    let same: Value = serde_json::from_slice(&own.stdout)?;
    eprintln!("{same}");
    let missing = nothing_here(&legacy, &arguments)?;
    println!("{machine}\n\n{} RRsets.\n\n{}", arguments.rrsets, table(&same, &missing));
    Ok(())
}

fn text(rrsets: usize) -> String {
    let mut text = format!(
        "$ORIGIN {DOMAIN}.\n$TTL 300\n@ SOA ns1.legacy.example. hostmaster.legacy.example. 1 3600 600 604800 60\n\
         @ NS ns1.legacy.example.\n"
    );
    for number in 0..rrsets {
        let [_, a, b, c] = (number as u32).to_be_bytes();
        let _ = writeln!(text, "host{number:07} A 10.{a}.{b}.{c}");
    }
    text
}

/// Compares what a server has with itself.
fn same(server: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let apex = name::parse_absolute(DOMAIN).map_err(|error| error.to_string())?;
    let key = port53_tests::legacy::Holder::Mover.key();
    let server = Server::new(vec![server], Some(key), Limits::default());
    let begun = Instant::now();
    let ours = runtime.block_on(server.transfer(&apex, [7; 16])).map_err(|trouble| trouble.to_string())?;
    let transferred = begun.elapsed();
    let theirs = runtime.block_on(server.transfer(&apex, [7; 16])).map_err(|trouble| trouble.to_string())?;
    let scope = Scope { apex, apex_ns: false, left_out: NotCounted::default() };
    let (ours, theirs) = (ours.version.content, theirs.version.content);
    let mut agreed = Agreed::default();
    agreed.note_all(ours.iter().map(|(rrset, _)| rrset), &[]);
    let before = machine::peak(std::process::id())?;
    let begun = Instant::now();
    let found = apart(&ours, &theirs, &scope, &agreed);
    let compared = begun.elapsed();
    if !found.is_empty() {
        return Err(format!("{} differ", found.len()).into());
    }
    let peak = machine::peak(std::process::id())?;
    let said = json!({
        "transferred": transferred.as_secs_f64(), "compared": compared.as_secs_f64(), "before": before, "peak": peak,
        "agreed": agreed.len(),
    });
    println!("{said}");
    Ok(())
}

/// What an operator takes to say that all of it is missing.
#[derive(Debug)]
struct Missing {
    took: Duration,
    before: u64,
    peak: u64,
    listed: usize,
}

fn nothing_here(legacy: &Legacy, arguments: &Arguments) -> Result<Missing> {
    let settings = Settings { operator: vec!["--migrations".to_owned()], ..Settings::default() };
    let platform = Platform::start(Programs::beside()?, settings);
    platform.cluster.ensure_namespace(NAMESPACE);
    platform.apply(&migration::key(NAMESPACE));
    platform.apply(&migration::zone(NAMESPACE, NAME, &format!("domain: {DOMAIN}")));
    let peak = || -> Result<u64> {
        let all = Running::all()?;
        // The kernel cuts names at 15 characters.
        let operator = all.iter().find(|one| one.name.starts_with("port53-operator"));
        Ok(machine::peak(operator.ok_or("no operator")?.pid)?)
    };
    platform.comes_to("zone", NAMESPACE, NAME, "Ready=True Served");
    let before = peak()?;
    let begun = Instant::now();
    platform.apply(&migration::migration(NAMESPACE, NAME, legacy.address(), "compare: {poll: 1s}"));
    let until = begun + Duration::from_secs(arguments.patience);
    loop {
        let status = platform.get("zonemigration", NAMESPACE, NAME).map(|mut object| object["status"].take());
        let counted = status.as_ref().and_then(|status| status["inconsistent"].as_u64()).unwrap_or_default();
        eprintln!("{} {:6.1} s: {counted} differ", Timestamp::now(), begun.elapsed().as_secs_f64());
        if counted == arguments.rrsets as u64 {
            break;
        }
        if Instant::now() > until {
            return Err(format!("{counted} of {} differ: {status:?}", arguments.rrsets).into());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let took = begun.elapsed();
    let listed = platform.get("configmap", NAMESPACE, &format!("{NAME}.differences"));
    let listed = listed.and_then(|map| Some(map["data"]["differences.json"].as_str()?.len()));
    Ok(Missing { took, before, peak: peak()?, listed: listed.unwrap_or_default() })
}

fn table(same: &Value, missing: &Missing) -> String {
    let mib = |octets: u64| octets >> 20;
    let number = |name: &str| same[name].as_f64().unwrap_or_default();
    let octets = |name: &str| mib(same[name].as_u64().unwrap_or_default());
    format!(
        "| both are the same | |\n|---|---|\n\
         | transferred (AXFR) into what is compared, seconds | {:.1} |\n\
         | compared, seconds | {:.2} |\n\
         | most memory that was resident with both sides and what they agreed on, MiB | {} |\n\
         | of that for comparing, MiB | {} |\n\n\
         | nothing is here: all of it differs | |\n|---|---|\n\
         | from `kubectl apply` until the status counts every difference, each seen twice, seconds | {:.1} |\n\
         | most memory of the operator that was resident before, MiB | {} |\n\
         | and then, MiB | {} |\n\
         | octets of the first ConfigMap of the list | {} |\n",
        number("transferred"),
        number("compared"),
        octets("peak"),
        octets("peak") - octets("before"),
        missing.took.as_secs_f64(),
        mib(missing.before),
        mib(missing.peak),
        missing.listed,
    )
}
