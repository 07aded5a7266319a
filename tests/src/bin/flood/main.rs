//! What a flood does to those who behave: `make flood`.
//!
//! ```text
//! attackers ──as much as they can──▶ port53-resolver ◀──steady questions── a client that behaves
//! ```
//!
//! One attack after another against a resolver with its defaults, each for some seconds, from the prefix of the
//! good client and from others. The client asks at a steady rate over UDP as a resolver does: with a cookie, once
//! again after half a second, over TCP when it is told to. What is reported is what it got, and the memory of the
//! resolver. Everything is on loopback and bounded in time; attackers and server share the machine, so what they
//! reach together is more than saturates the server.
//!
//! | file | what it does |
//! |---|---|
//! | `attacks` | the kinds of attack |
//! | `client` | the client that behaves |
//! | `report` | the table |

mod attacks;
mod client;
mod report;

use attacks::Attack;
use clap::Parser;
use port53_tests::disk_cache;
use port53_tests::machine;
use port53_tests::ports::free_address;
use port53_tests::process::Process;
use port53_tests::{eventually, peer};
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::{Name, RRset, Rtype, name, rdata};
use report::Row;
use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The zone that is asked for.
pub(crate) const APEX: &str = "flood.test.";
/// Its names are `host-N`, this many.
pub(crate) const HOSTS: usize = 10_000;

#[derive(Debug, Parser)]
struct Arguments {
    /// Seconds that each attack lasts.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Questions a second of the client that behaves.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// The commit, for the head of the table.
    #[arg(long, default_value = "unknown")]
    commit: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let lasts = Duration::from_secs(arguments.seconds);
    let dir = TempDir::new()?;
    let (server, address, tls) = start(&dir)?;
    println!("{}", report::head(&arguments.commit));
    for attack in [None].into_iter().chain(Attack::ALL.map(Some)) {
        let attackers = attack.map(|attack| attacks::start(attack, address, tls, lasts));
        let got = client::ask(address, arguments.rate, lasts)?;
        let sent = attackers.map(attacks::Attackers::end);
        let row = Row { attack, sent, got, resident: machine::resident(server.pid())? };
        println!("{row}");
    }
    println!("\nThe most memory that the resolver ever had: {} MiB.", machine::peak(server.pid())? >> 20);
    Ok(())
}

/// A resolver with one zone, and where it answers, also over TLS.
fn start(dir: &TempDir) -> Result<(Process, SocketAddr, SocketAddr), Box<dyn Error>> {
    let cache = dir.path().join("cache");
    fs::create_dir(&cache)?;
    disk_cache::write(&cache, [image()?])?;
    let (address, tls) = (free_address(), free_address());
    let pair = rcgen::generate_simple_self_signed(["dns.flood.test".to_owned()])?;
    fs::write(dir.path().join("tls.crt"), pair.cert.pem())?;
    fs::write(dir.path().join("tls.key"), pair.signing_key.serialize_pem())?;
    let mut command = Command::new(std::env::current_exe()?.with_file_name("port53-resolver-tested"));
    // Addresses of loopback are private, and those have no limits unless somebody says so.
    command.args(["--source=disk", "--health-listen=127.0.0.1:0", "--log=warn", "--rate-limit-exempt="]);
    command.args(["--listen-tls", &tls.to_string(), "--tls-certificate=tls.crt", "--tls-key=tls.key"]);
    command.args(["--listen", &address.to_string(), "--cache-dir"]).arg(cache).current_dir(dir.path());
    let process = Process::start("port53-resolver", command, dir.path());
    eventually("the resolver", || peer::answers_soa(address, APEX));
    Ok((process, address, tls))
}

fn image() -> Result<Image, Box<dyn Error>> {
    let apex = name::parse_absolute(APEX)?;
    let rrset = |owner: &str, rtype: Rtype, values: &[&str]| -> Result<(RRset, _), Box<dyn Error>> {
        let owner: Name = name::parse(owner, &apex)?;
        let values: Result<Vec<_>, _> = values.iter().map(|value| rdata::parse_value(rtype, value)).collect();
        Ok((RRset::new(owner, rtype, 300, values?), None))
    };
    let mut rrsets = vec![rrset("@", Rtype::NS, &["ns1"].map(|_| "ns1.flood.test."))?];
    rrsets.push(rrset("ns1", Rtype::A, &["192.0.2.1"])?);
    let texts: Vec<String> = (0..12).map(|n| format!("\"{n} {}\"", "x".repeat(90))).collect();
    rrsets.push(rrset("large", Rtype::TXT, &texts.iter().map(String::as_str).collect::<Vec<_>>())?);
    for number in 0..HOSTS {
        let value = format!("10.0.{}.{}", number >> 8 & 255, number & 255);
        rrsets.push(rrset(&format!("host-{number}"), Rtype::A, &[&value])?);
    }
    let soa = port53_tests::soa(&apex, 1);
    Ok(Image::new(Content::build(apex, [53; 16], rrsets)?, soa))
}
