//! The proof that the operator asks of nameservers, over real sockets: a real resolver passes it on zones that nobody
//! thought of, and one with a fault does not.
//!
//! The oracle shares nothing with what the resolver answers by, so each is the other's test.

use port53_operator::proof::ask::Transport;
use port53_operator::proof::oracle::{Zone, Zones};
use port53_operator::proof::prove::{Answered, prove, prove_over};
use port53_operator::proof::{Question, sample};
use port53_tests::generate::{Chance, Known, questions, zones};
use port53_tests::process::Process;
use port53_tests::{disk_cache, eventually, read};
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::{name, rdata};
use std::net::SocketAddr;
use std::process::Command;
use tempfile::TempDir;

const SEED: u64 = 53;
const ZONES: usize = 60;
const QUESTIONS: usize = 120;
/// Types that the oracle is not asked for: of ANY and of DNSSEC it says nothing.
const BEYOND: [&str; 3] = ["ANY", "NSEC", "RRSIG"];

/// A resolver that answers these zones from its disk.
struct Served {
    address: SocketAddr,
    encrypted: [(Transport, SocketAddr); 3],
    _process: Process,
    _dir: TempDir,
}

fn serve(zones: &Zones) -> Served {
    let dir = TempDir::new().expect("a directory");
    let cache = dir.path().join("cache");
    std::fs::create_dir(&cache).expect("a directory");
    let images = zones.iter().map(|zone| Image::new(zone.content.clone(), zone.soa.clone()));
    disk_cache::write(&cache, images).expect("a cache");
    let pair = rcgen::generate_simple_self_signed(vec!["ns1.example.net".to_owned()]).expect("a certificate");
    let files = [("tls.crt", pair.cert.pem()), ("tls.key", pair.signing_key.serialize_pem())];
    for (name, pem) in &files {
        std::fs::write(dir.path().join(name), pem).expect("a file");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_port53-resolver-tested"));
    command
        .args(["--listen-tls=127.0.0.1:0", "--listen-quic=127.0.0.1:0", "--listen-https=127.0.0.1:0"])
        .arg(format!("--tls-certificate={}", dir.path().join("tls.crt").display()))
        .arg(format!("--tls-key={}", dir.path().join("tls.key").display()))
        .args(["--source=disk", "--listen=127.0.0.1:0", "--health-listen=127.0.0.1:0", "--log-format=json"])
        .arg(format!("--cache-dir={}", cache.display()));
    let process = Process::start("port53-resolver", command, dir.path());
    let said = |message: &str, field: &str| {
        let output = process.output();
        let line =
            output.lines().find(|line| line.contains(&format!("\"{message}\""))).ok_or("not listening")?;
        let line: serde_json::Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let addresses = line["fields"][field].as_str().unwrap_or_default();
        addresses.trim_matches(['[', ']']).parse::<SocketAddr>().map_err(|error| format!("{field}: {error}"))
    };
    let address = eventually("port53-resolver", || said("listening", "addresses"));
    let encrypted = [(Transport::Tls, "tls"), (Transport::Quic, "quic"), (Transport::Https, "https")]
        .map(|(transport, field)| (transport, said("encrypted", field).expect("it is said before")));
    Served { address, encrypted, _process: process, _dir: dir }
}

/// Zones made by chance, with questions about each.
fn made() -> (Zones, Vec<Question>) {
    let mut chance = Chance::seeded(SEED);
    let made = zones("o", ZONES, &mut chance);
    let mut asked = Vec::new();
    let zones = made.iter().map(|made| {
        for one in questions(&Known::from(made), QUESTIONS, &mut chance) {
            if !BEYOND.contains(&one.rtype.as_str()) {
                let name = name::parse_absolute(&one.owner).expect("a name");
                asked.push(Question { name, rtype: rdata::parse_rtype(&one.rtype).expect("a type") });
            }
        }
        let (soa, rrsets) = read::read("made", made.text().as_bytes(), &made.apex, None).rrsets();
        let apex = name::parse_absolute(&made.apex).expect("an apex");
        let rrsets = rrsets.into_iter().map(|rrset| (rrset, None));
        let content = Content::build(apex, [0; 16], rrsets).expect("a content");
        Zone { content, soa }
    });
    (Zones::new(zones.collect::<Vec<_>>()), asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_answers_what_the_oracle_expects() {
    let (zones, mut asked) = made();
    let served = serve(&zones);
    asked.extend(sample::draw(&zones, 500, &mut fastrand::Rng::with_seed(SEED)));
    let proof = prove(served.address, &zones, &asked).await;
    let wrong: Vec<String> = proof.mismatches.iter().map(ToString::to_string).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} are not right:\n{}",
        proof.asked - proof.right,
        proof.asked,
        wrong.join("\n")
    );
    assert_eq!(proof.right, proof.asked);
    // Undefined wildcards and long chains are few.
    assert!(proof.asked * 10 > asked.len() * 9, "{} of {} were judged", proof.asked, asked.len());
}

/// What is published in another version is no proof of anything; what differs in the same version is a mismatch.
#[tokio::test(flavor = "multi_thread")]
async fn another_content_of_the_same_serial_does_not_pass() {
    let (zones, _) = made();
    let served = serve(&zones);
    let questions = sample::draw(&zones, 200, &mut fastrand::Rng::with_seed(SEED));
    let changed = Zones::new(zones.iter().map(|zone| {
        let mut soa = zone.soa.clone();
        soa.minimum += 1;
        Zone { content: zone.content.clone(), soa }
    }));
    let proof = prove(served.address, &changed, &questions).await;
    assert!(proof.right < proof.asked && !proof.mismatches.is_empty());
    let newer = Zones::new(zones.iter().map(|zone| {
        let mut soa = zone.soa.clone();
        soa.serial += 1;
        Zone { content: zone.content.clone(), soa }
    }));
    let proof = prove(served.address, &newer, &questions).await;
    assert_eq!(proof.asked, 0);
    assert!(proof.stale.len() * 10 > questions.len() * 9, "{} of {}", proof.stale.len(), questions.len());
}

/// "one of each transport that is on"
#[tokio::test(flavor = "multi_thread")]
async fn every_transport_is_asked() {
    let (zones, asked) = made();
    let served = serve(&zones);
    for (transport, address) in served.encrypted {
        let proof = prove_over(transport, address, &zones, &asked[..50]).await;
        let wrong: Vec<String> = proof.mismatches.iter().map(ToString::to_string).collect();
        // Some are about names of which the standards leave open what is answered.
        assert!(proof.asked > 25, "{transport:?}: {} were judged", proof.asked);
        assert_eq!((proof.right, wrong), (proof.asked, Vec::new()), "{transport:?}");
        // Where nobody listens, that is said.
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        let proof = prove_over(transport, nobody, &zones, &asked[..1]).await;
        let [mismatch] = &proof.mismatches[..] else { panic!("{transport:?}: {proof:?}") };
        assert!(matches!(mismatch.answered, Answered::Nothing(_)), "{mismatch}");
    }
}
