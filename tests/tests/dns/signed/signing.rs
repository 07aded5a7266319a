//! Zones with something of everything that proofs are about, signed by BIND's and ldns's tools with keys of their own.

use port53_tests::Zone;
use port53_tests::process;
use std::fs;
use std::path::Path;

/// Who signs, and how. The zone has this name before `signed.`.
pub(super) const SIGNERS: [(&str, Signer, &[&str]); 6] = [
    ("bind-nsec", Signer::Bind, &[]),
    ("bind-nsec3", Signer::Bind, &["-3", "aabbccdd", "-H", "3"]),
    ("bind-opt-out", Signer::Bind, &["-3", "-", "-H", "0", "-A"]),
    ("ldns-nsec", Signer::Ldns, &[]),
    ("ldns-nsec3", Signer::Ldns, &["-n", "-s", "aabb", "-t", "1"]),
    ("ldns-opt-out", Signer::Ldns, &["-n", "-p", "-t", "0"]),
];

#[derive(Clone, Copy)]
pub(super) enum Signer {
    Bind,
    Ldns,
}

/// What proofs are about: names at every depth, empty non-terminals, wildcards and what they cover, delegations with and
/// without DS, glue in and below them, aliases in and out of the zone.
pub(super) const RECORDS: &str = "
@ NS ns1
@ NS ns.other.
@ MX 10 mail
ns1 A 192.0.2.1
mail A 192.0.2.2
mail AAAA 2001:db8::2
a.b.c A 192.0.2.3
*.wild TXT wild
*.wild A 192.0.2.4
real.wild A 192.0.2.5
*.alias CNAME mail
www CNAME mail
gone CNAME nothing
out CNAME elsewhere.other.
safe NS ns.safe
safe DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.safe A 192.0.2.6
bare NS ns.bare
bare NS ns.other.
ns.bare A 127.0.0.2
only.under.bare A 192.0.2.8
deep.cut.here NS ns.other.
kid NS ns.kid
ns.kid A 127.0.0.2
zz DNAME mail
sub.*.odd TXT below
0 A 192.0.2.9
";

/// The same below two of its delegations, `kid`, which has a DS, and `bare`, which has none.
const CHILD: &str = "
@ NS ns
ns A 127.0.0.2
www A 192.0.2.77
";

/// A signed zone.
pub(super) struct Signed {
    pub(super) apex: String,
    /// Its master file.
    pub(super) text: String,
    /// Its children: one that is signed, and one that is not.
    pub(super) children: [(String, String); 2],
}

impl Signed {
    pub(super) fn zone(&self) -> Zone<'_> {
        Zone { apex: &self.apex, text: &self.text }
    }

    pub(super) fn children(&self) -> [Zone<'_>; 2] {
        self.children.each_ref().map(|(apex, text)| Zone { apex, text })
    }

    /// With another signature of `mail A`, and the chain without its own.
    pub(super) fn altered(mut self) -> Self {
        self.text = self.text.lines().filter_map(|line| altered(line, &self.apex)).collect();
        self
    }

    /// The key that signs the others: flags, protocol, algorithm, and the key itself.
    pub(super) fn key(&self) -> [String; 4] {
        let found = self.text.lines().find_map(|line| {
            let line = line.split(';').next().unwrap_or_default();
            let fields: Vec<&str> = line.split_whitespace().collect();
            let at = fields.iter().position(|field| *field == "DNSKEY")?;
            let &[flags, protocol, algorithm, ref key @ ..] = &fields[at + 1..] else { return None };
            (flags == "257").then(|| [flags.into(), protocol.into(), algorithm.into(), key.concat()])
        });
        found.unwrap_or_else(|| panic!("no key of {} signs keys in:\n{}", self.apex, self.text))
    }
}

/// A zone of each of [`SIGNERS`] with these records.
pub(super) fn sign_all(dir: &Path, records: &str) -> Vec<Signed> {
    SIGNERS
        .iter()
        .map(|&(name, signer, options)| {
            let apex = format!("{name}.signed.");
            let [kid, bare] = ["kid", "bare"].map(|child| format!("{child}.{apex}"));
            let (signed, ds) = sign(dir, &kid, CHILD, signer, options);
            let (text, _) = sign(dir, &apex, &format!("{records}kid DS {ds}\n"), signer, options);
            let unsigned = master_file(&bare, CHILD);
            Signed { apex, text, children: [(kid, signed), (bare, unsigned)] }
        })
        .collect()
}

fn master_file(apex: &str, records: &str) -> String {
    format!("$ORIGIN {apex}\n$TTL 3600\n@ SOA ns1 hostmaster 7 3600 600 604800 300{records}")
}

/// A zone signed with keys of its own, and the value of its DS.
fn sign(dir: &Path, apex: &str, records: &str, signer: Signer, options: &[&str]) -> (String, String) {
    let dir = dir.join(apex);
    fs::create_dir_all(&dir).expect("a directory");
    fs::write(dir.join("zone"), master_file(apex, records)).expect("a zone file");
    let run = |program: &str, arguments: &[&str]| -> String {
        let done = process::run(program, arguments, &dir);
        assert!(done.success, "{program} {arguments:?}: {}", done.stderr);
        done.stdout.trim().to_owned()
    };
    let file_of_ds = match signer {
        Signer::Bind => {
            for flags in [&["-f", "KSK"][..], &[]] {
                run("dnssec-keygen", &[&["-q", "-a", "ECDSAP256SHA256", "-K", "."], flags, &[apex]].concat());
            }
            let fixed = ["-S", "-K", ".", "-o", apex, "-f", "signed", "-O", "full"];
            run("dnssec-signzone", &[&fixed[..], options, &["zone"]].concat());
            format!("dsset-{apex}")
        }
        Signer::Ldns => {
            let fixed = ["-a", "ECDSAP256SHA256", "-r", "/dev/urandom"];
            let [first, second] =
                [&["-k"][..], &[]].map(|flags| run("ldns-keygen", &[&fixed[..], flags, &[apex]].concat()));
            let keys = [&*first, &second];
            run("ldns-signzone", &[&["-o", apex, "-f", "signed"], options, &["zone"], &keys].concat());
            format!("{first}.ds")
        }
    };
    let read =
        |file: &str| fs::read_to_string(dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let ds = read(&file_of_ds);
    let (_, value) = ds.lines().next().and_then(|line| line.split_once("DS")).expect("a DS record");
    (read("signed"), value.trim().to_owned())
}

/// A line of the master file, or none in its place.
fn altered(line: &str, apex: &str) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let covers = |rtype: &str| fields.windows(2).any(|two| two == ["RRSIG", rtype]);
    // That of the apex stays: without, the zone is not taken for a signed one, and nothing is given at all.
    if (covers("NSEC") || covers("NSEC3")) && !line.starts_with(apex) {
        return None;
    }
    if !(covers("A") && line.starts_with("mail.")) {
        return Some(format!("{line}\n"));
    }
    let (kept, end) = line.split_at(line.trim_end().len() - 20);
    let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    let (first, rest) = end.split_at(10);
    Some(format!("{kept}{}{rest}\n", first.chars().map(swap).collect::<String>()))
}
