//! The settings of answering: what is said, to whom, and how often. All of them can be read again while queries
//! are answered.

use super::Wrong;
use crate::limits::{Answering, PRIVATE, Rates};
use port53_zone::answer::{self, GREATEST_TEXT, Secret, Secrets, Text};
use port53_zone::prefix::Prefix;
use std::fs;
use std::io::Read;

/// Secrets that may be in use at once: one that makes cookies, those before and after it.
const GREATEST_SECRETS: usize = 4;
/// Where random octets come from.
const RANDOM: &str = "/dev/urandom";

/// Flags of answering.
#[derive(Clone, Debug, clap::Args)]
pub struct AnsweringArguments {
    /// Largest response over UDP in octets, 512 to 4096
    #[arg(long, env = "PORT53_UDP_LIMIT", default_value = "1232")]
    pub udp_limit: String,
    /// How many times its query a response over UDP may be to an address that no cookie proves, headers
    /// counted; 0 for no limit. Larger ones say TC, and 512 octets are always allowed
    #[arg(long, env = "PORT53_UDP_RATIO", default_value = "24")]
    pub udp_ratio: String,
    /// DNS cookies: true or false
    #[arg(long, env = "PORT53_COOKIES", default_value = "true")]
    pub cookies: String,
    /// Files of cookie secrets, one of 32 hexadecimal digits a line; the first makes cookies, all verify. The
    /// same in all replicas of a nameserver. Without, a secret of this process alone is drawn
    #[arg(long, env = "PORT53_COOKIE_SECRET_FILE", value_delimiter = ',')]
    pub cookie_secret_file: Vec<String>,
    /// Answer clients that speak cookies over UDP only when they have one of ours: true or false
    #[arg(long, env = "PORT53_REQUIRE_COOKIES", default_value = "false")]
    pub require_cookies: String,
    /// Which server this is, for clients that ask by NSID
    #[arg(long, env = "PORT53_NSID", default_value = "")]
    pub nsid: String,
    /// Answer to version.bind and version.server of class CHAOS; refused when empty
    #[arg(long, env = "PORT53_CHAOS_VERSION", default_value = "")]
    pub chaos_version: String,
    /// Answer to id.server and hostname.bind of class CHAOS; refused when empty
    #[arg(long, env = "PORT53_CHAOS_ID", default_value = "")]
    pub chaos_id: String,
    /// Responses over UDP a second that are alike, to one prefix of clients, from one thread; 0 for no limit
    #[arg(long, env = "PORT53_RATE_LIMIT", default_value = "200")]
    pub rate_limit: String,
    /// Responses over UDP a second of all kinds, to one prefix of clients, from one thread; 0 for no limit
    #[arg(long, env = "PORT53_RATE_LIMIT_ALL", default_value = "2000")]
    pub rate_limit_all: String,
    /// Of the responses beyond the limits, one in so many says TC (or has a cookie); 0 for none
    #[arg(long, env = "PORT53_RATE_LIMIT_SLIP", default_value = "2")]
    pub rate_limit_slip: String,
    /// Bits of an IPv4 prefix whose clients are counted together, 8 to 32
    #[arg(long, env = "PORT53_RATE_LIMIT_IPV4_PREFIX", default_value = "24")]
    pub rate_limit_ipv4_prefix: String,
    /// Bits of an IPv6 prefix whose clients are counted together, 16 to 128
    #[arg(long, env = "PORT53_RATE_LIMIT_IPV6_PREFIX", default_value = "56")]
    pub rate_limit_ipv6_prefix: String,
    /// Prefixes of clients without limits; as often as needed. By default the private addresses
    #[arg(long, env = "PORT53_RATE_LIMIT_EXEMPT", value_delimiter = ',', default_values_t = PRIVATE.map(str::to_owned))]
    pub rate_limit_exempt: Vec<String>,
}

impl AnsweringArguments {
    /// The settings; what is wrong with them goes to `wrong`.
    pub(super) fn check(&self, wrong: &mut Wrong) -> Answering {
        let udp_limit = wrong.number("--udp-limit", &self.udp_limit, 512, 4096);
        let udp_ratio = wrong.number("--udp-ratio", &self.udp_ratio, 0, 1000);
        let cookies = wrong.truth("--cookies", &self.cookies);
        let require_cookies = wrong.truth("--require-cookies", &self.require_cookies);
        if require_cookies && !cookies {
            let what = "cannot be while --cookies is false: set --cookies to true or this to false";
            wrong.add("--require-cookies", &self.require_cookies, what);
        }
        let secrets = if cookies { wrong.secrets(&self.secret_files()) } else { Vec::new() };
        let mut text = |flag, text: &str| {
            Text::new(text).unwrap_or_else(|| {
                wrong.add(flag, text, &format!("is longer than {GREATEST_TEXT} octets: write a shorter one"));
                Text::default()
            })
        };
        let nsid = text("--nsid", &self.nsid);
        let chaos_version = text("--chaos-version", &self.chaos_version);
        let chaos_id = text("--chaos-id", &self.chaos_id);
        // Where something is wrong, it is told, and the values here are never used.
        let small = |number: Option<usize>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        let rates = Rates {
            alike: small(wrong.number("--rate-limit", &self.rate_limit, 0, 1_000_000)),
            all: small(wrong.number("--rate-limit-all", &self.rate_limit_all, 0, 1_000_000)),
            slip: small(wrong.number("--rate-limit-slip", &self.rate_limit_slip, 0, 100)),
            ipv4_len: small(wrong.number("--rate-limit-ipv4-prefix", &self.rate_limit_ipv4_prefix, 8, 32)),
            ipv6_len: small(wrong.number("--rate-limit-ipv6-prefix", &self.rate_limit_ipv6_prefix, 16, 128)),
            exempt: wrong.prefixes("--rate-limit-exempt", &self.rate_limit_exempt),
        };
        let short = |number: Option<usize>| number.and_then(|number| u16::try_from(number).ok()).unwrap_or(0);
        let answer = answer::Settings {
            udp_limit: short(udp_limit),
            udp_ratio: short(udp_ratio),
            cookies: Secrets::new(&secrets),
            require_cookies,
            nsid,
            chaos_version,
            chaos_id,
        };
        Answering { answer, rates }
    }

    /// Whether the cookie secret is drawn, so that it is not another one when settings are read again.
    pub fn draws_secret(&self) -> bool {
        self.secret_files().is_empty()
    }

    /// The files of cookie secrets.
    pub fn secret_files(&self) -> Vec<&str> {
        self.cookie_secret_file.iter().map(|file| file.trim()).filter(|file| !file.is_empty()).collect()
    }
}

impl Wrong {
    pub(super) fn prefixes(&mut self, flag: &str, texts: &[String]) -> Vec<Prefix> {
        let mut prefixes = Vec::new();
        for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            match text.parse::<Prefix>() {
                Ok(prefix) => prefixes.push(prefix),
                Err(error) => self.add(flag, text, &error.to_string()),
            }
        }
        prefixes
    }

    fn secrets(&mut self, files: &[&str]) -> Vec<Secret> {
        const FLAG: &str = "--cookie-secret-file";
        if files.is_empty() {
            return match draw() {
                Ok(secret) => vec![secret],
                Err(error) => {
                    self.add("--cookies", "true", &format!("needs random octets from {RANDOM}: {error}"));
                    Vec::new()
                }
            };
        }
        let mut secrets = Vec::new();
        for file in files {
            match read_secrets(file) {
                Ok(found) => secrets.extend(found),
                Err(what) => self.add(FLAG, file, &what),
            }
        }
        if secrets.len() > GREATEST_SECRETS {
            let what =
                format!("have more than {GREATEST_SECRETS} secrets: remove those that no server makes");
            self.add(FLAG, &files.join(","), &what);
        }
        secrets
    }
}

fn draw() -> std::io::Result<Secret> {
    let mut secret = Secret::default();
    fs::File::open(RANDOM)?.read_exact(&mut secret)?;
    Ok(secret)
}

/// The secrets in a file. What is wrong is told without them.
fn read_secrets(file: &str) -> Result<Vec<Secret>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    let mut secrets = Vec::new();
    for (line, text) in (1..).zip(text.lines().map(str::trim)) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let secret = parse_secret(text)
            .ok_or_else(|| format!("has no secret in line {line}: write 32 hexadecimal digits, 16 octets"))?;
        secrets.push(secret);
    }
    if secrets.is_empty() {
        return Err("has no secret: write 32 hexadecimal digits into a line, 16 octets".to_owned());
    }
    Ok(secrets)
}

fn parse_secret(text: &str) -> Option<Secret> {
    let mut secret = Secret::default();
    if text.len() != 2 * secret.len() || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    for (i, octet) in secret.iter_mut().enumerate() {
        *octet = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;
    use std::io::Write;

    fn answering(arguments: &[&str]) -> Result<Answering, Vec<String>> {
        check(arguments).map(|config| config.serve.answering.load().as_ref().clone())
    }

    #[test]
    fn the_defaults_are_those_of_the_code() {
        let read = answering(&[]).expect("right");
        assert_eq!(read.rates, Rates::default());
        let defaults = answer::Settings::default();
        assert_eq!((read.answer.udp_limit, read.answer.udp_ratio), (defaults.udp_limit, defaults.udp_ratio));
        assert_eq!((read.answer.nsid, read.answer.chaos_version), (defaults.nsid, defaults.chaos_version));
        assert_eq!((read.answer.chaos_id, read.answer.require_cookies), (defaults.chaos_id, false));
        assert!(!read.answer.cookies.is_empty(), "cookies are on");
        let again = answering(&[]).expect("right");
        assert_ne!(read.answer.cookies, again.answer.cookies, "a drawn secret is another one each time");
        assert!(answering(&["--cookies=false"]).expect("right").answer.cookies.is_empty());
    }

    #[test]
    fn every_wrong_setting_of_answering_is_told_at_once() {
        let long = format!("--nsid={}", "x".repeat(GREATEST_TEXT + 1));
        let wrong = answering(&[
            "--udp-ratio=-1",
            "--cookies=yes",
            "--require-cookies=maybe",
            &long,
            "--rate-limit=1000001",
            "--rate-limit-slip=x",
            "--rate-limit-ipv4-prefix=33",
            "--rate-limit-ipv6-prefix=0",
            "--rate-limit-exempt=192.0.2.1/24,example.com",
        ])
        .expect_err("wrong");
        let flags: Vec<&str> = wrong.iter().filter_map(|text| text.split(' ').next()).collect();
        let expected = [
            "--udp-ratio",
            "--cookies",
            "--require-cookies",
            "--nsid",
            "--rate-limit",
            "--rate-limit-slip",
            "--rate-limit-ipv4-prefix",
            "--rate-limit-ipv6-prefix",
            "--rate-limit-exempt",
            "--rate-limit-exempt",
        ];
        assert_eq!(flags, expected, "{wrong:#?}");
        assert_eq!(answering(&["--cookies=false", "--require-cookies=true"]).expect_err("wrong").len(), 1);
        assert!(answering(&["--rate-limit-exempt="]).expect("right").rates.exempt.is_empty());
    }

    #[test]
    fn secrets_come_from_files_and_are_never_told() {
        let file = |text: &str| {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(text.as_bytes()).expect("writes");
            file
        };
        const A: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
        const B: &str = "dd3bdf9344b678b185a6f5cb60fca715";
        let octets = |text: &str| parse_secret(text).expect("a secret");
        let both = file(&format!("# since June\n{A}\n\n  {B}\n"));
        let flag = format!("--cookie-secret-file={}", both.path().display());
        let read = answering(&[&flag]).expect("right");
        assert_eq!(read.answer.cookies, Secrets::new(&[octets(A), octets(B)]));
        let (first, second) = (file(B), file(&A.to_uppercase()));
        let flag = format!("--cookie-secret-file={},{}", first.path().display(), second.path().display());
        assert_eq!(answering(&[&flag]).expect("right").answer.cookies, Secrets::new(&[octets(B), octets(A)]));
        for text in ["", "# nothing", &A[1..], &format!("{A}0"), &format!("{B}\n{}g", &A[1..])] {
            let bad = file(text);
            let wrong = answering(&[&format!("--cookie-secret-file={}", bad.path().display())]);
            let wrong = wrong.expect_err("wrong").join("\n");
            assert!(!wrong.contains(&A[1..]) && !wrong.contains(B), "{wrong}");
            assert!(wrong.contains("32 hexadecimal digits"), "{wrong}");
        }
        let many = file(&format!("{A}\n").repeat(5));
        assert!(answering(&[&format!("--cookie-secret-file={}", many.path().display())]).is_err());
        assert!(answering(&["--cookie-secret-file=/nowhere"]).is_err());
    }
}
