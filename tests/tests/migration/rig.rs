//! A zone at a legacy server, and its migration.

use port53_tests::legacy::Legacy;
use port53_tests::migration::{self, record};
use port53_tests::peer::Program;
use port53_tests::platform::Platform;
use port53_tests::{Zone, eventually, process};
use serde_json::Value;
use std::path::Path;

/// See the module.
pub(crate) struct Rig<'p> {
    pub(crate) platform: &'p Platform,
    pub(crate) legacy: Legacy,
    pub(crate) namespace: String,
    pub(crate) domain: String,
}

/// The name of the Zone and of its migration.
pub(crate) const NAME: &str = "moving";

/// What a DNSRecord says that has `www` at this address.
pub(crate) fn www_at(address: &str) -> String {
    format!("name: www, type: A, ttl: 300, values: ['{address}']")
}

impl<'p> Rig<'p> {
    /// A zone with these records at a legacy server, and a Zone here without any.
    pub(crate) fn new(platform: &'p Platform, program: Program, name: &str, records: &str) -> Self {
        Self::with(platform, program, "", name, records)
    }

    /// The same, with further options of BIND.
    pub(crate) fn with(
        platform: &'p Platform,
        program: Program,
        options: &str,
        name: &str,
        records: &str,
    ) -> Self {
        let (namespace, domain) = platform.place(name);
        let text = zone_text(&domain, 1, records);
        let legacy = Legacy::start_with(program, options, &[Zone { apex: &domain, text: &text }]);
        let rig = Rig { platform, legacy, namespace, domain };
        platform.apply(&migration::key(&rig.namespace));
        rig.zone("defaultTTL: 300");
        rig
    }

    /// Applies the Zone, with more in its spec.
    pub(crate) fn zone(&self, more: &str) {
        let spec = format!("domain: {}, {more}", self.domain);
        self.platform.apply(&migration::zone(&self.namespace, NAME, &spec));
    }

    /// Applies the migration, with more in its spec.
    pub(crate) fn migrate(&self, more: &str) {
        let poll = if more.contains("compare:") { "" } else { "compare: {poll: 1s}, " };
        // Nobody is there, so that none is asked beyond this host.
        let parent =
            if more.contains("parent:") { "" } else { "parent: {addresses: ['127.0.0.1:1'], poll: 1s}, " };
        let more = format!("{poll}{parent}{more}");
        self.platform.apply(&migration::migration(&self.namespace, NAME, self.legacy.address(), &more));
    }

    /// Waits for a condition of the migration.
    #[track_caller]
    pub(crate) fn comes_to(&self, expected: &str) -> String {
        self.platform.comes_to("zonemigration", &self.namespace, NAME, expected)
    }

    /// The status of the migration.
    pub(crate) fn status(&self) -> Value {
        let object = self.platform.get("zonemigration", &self.namespace, NAME);
        object.map(|mut object| object["status"].take()).unwrap_or_default()
    }

    /// A DNSRecord of a team: `name` is that of the object, `spec` what it says.
    pub(crate) fn record(&self, name: &str, spec: &str) {
        self.platform.apply(&record(&self.namespace, NAME, name, spec));
    }

    /// The name of the DNSRecord that a migration makes of `owner` and `rtype`.
    pub(crate) fn object(&self, owner: &str, rtype: &str) -> String {
        let apex = port53_zone::name::parse_absolute(&self.domain).expect("a domain");
        format!("{owner}-{rtype}.{}", port53_operator::convert::zone_object_name(&apex))
    }

    /// Deletes a DNSRecord.
    pub(crate) fn delete(&self, object: &str) {
        self.platform.kubectl(&format!("delete dnsrecord {object} -n {}", self.namespace));
    }

    /// What legacy answers, sorted: `kdig +short`.
    pub(crate) fn there(&self, name: &str, rtype: &str) -> String {
        at(&self.legacy, &format!("{name}.{}", self.domain), rtype)
    }

    /// What legacy answers of the apex, sorted.
    pub(crate) fn legacy_says(&self, rtype: &str) -> Vec<String> {
        let port = self.legacy.address().port().to_string();
        let arguments = ["@127.0.0.1", "-p", &port, "+tcp", "+short", &self.domain, rtype];
        let answer = process::run("kdig", &arguments, Path::new("/"));
        let mut lines: Vec<String> = answer.stdout.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    /// Waits until legacy answers so.
    #[track_caller]
    pub(crate) fn comes_to_be_there(&self, name: &str, rtype: &str, expected: &str) {
        eventually(&format!("{name} {rtype} at {}", self.legacy.program()), || {
            match self.there(name, rtype) {
                said if said == expected => Ok(()),
                said => Err(format!("{said}, not {expected}; {}; {}", self.status(), self.legacy.output())),
            }
        });
    }

    /// Waits until both resolvers answer so.
    #[track_caller]
    pub(crate) fn comes_to_be_here(&self, name: &str, rtype: &str, expected: &str) {
        self.platform.come_to_say(&format!("{name}.{} {rtype}", self.domain), expected);
    }

    /// A change as the admin of legacy makes it: lines of `nsupdate`, with names relative to the zone as `@NAME`.
    pub(crate) fn change_there(&self, lines: &str) {
        self.legacy.change(&self.domain, &lines.replace("@DOMAIN", &self.domain));
    }

    /// Waits until a field of the status says so.
    #[track_caller]
    pub(crate) fn field_comes_to(&self, field: &str, expected: impl Into<Value>) {
        let expected = expected.into();
        self.status_comes_to(&format!("{field} of {expected}"), |status| status[field] == expected);
    }

    /// Looks again until something holds of the status.
    #[track_caller]
    pub(crate) fn status_comes_to(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        eventually(what, || {
            last = self.status();
            if holds(&last) {
                Ok(())
            } else {
                Err(format!(
                    "{last}; {}",
                    self.platform.operator_output().lines().rev().take(20).collect::<Vec<_>>().join("\n")
                ))
            }
        });
        last
    }
}

/// What a legacy server answers, sorted: `kdig +short`.
pub(crate) fn at(legacy: &Legacy, name: &str, rtype: &str) -> String {
    let port = legacy.address().port().to_string();
    let arguments = ["@127.0.0.1", "-p", &port, "+tcp", "+short", "+retry=0", "+time=2", name, rtype];
    let answer = process::run("kdig", &arguments, Path::new("/"));
    let mut lines: Vec<&str> = answer.stdout.lines().collect();
    lines.sort_unstable();
    lines.join(" ")
}

/// A master file.
pub(crate) fn zone_text(domain: &str, serial: u32, records: &str) -> String {
    format!(
        "$ORIGIN {domain}.\n$TTL 300\n@ SOA ns1.legacy.example. hostmaster.legacy.example. {serial} 3600 600 604800 60\n\
         @ NS ns1.legacy.example.\n@ NS ns2.legacy.example.\n{records}"
    )
}
