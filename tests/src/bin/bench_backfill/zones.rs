//! The zones at legacy, and the DNSRecords that a backfill makes of them.

use crate::NAMESPACE;
use port53_operator::convert::{self, Options, ZoneData};
use port53_tests::Zone;
use port53_tests::read::read;
use port53_zone::name;
use serde_json::Value;
use std::fmt::Write;

/// A zone that moves.
pub(crate) struct Moving {
    /// Of its objects.
    pub(crate) name: String,
    /// With its last dot.
    apex: String,
    /// Without.
    pub(crate) domain: String,
    text: String,
    /// RRsets beside NS at the apex.
    records: usize,
}

/// So many zones with so many RRsets each.
pub(crate) fn all(zones: usize, records: usize) -> Vec<Moving> {
    (0..zones)
        .map(|number| {
            let (name, domain) = (format!("zone{number}"), format!("zone{number}.example"));
            Moving { apex: format!("{domain}."), text: text(&domain, records), name, domain, records }
        })
        .collect()
}

/// What a zone has that people write: most of it addresses, each name once.
fn text(domain: &str, records: usize) -> String {
    let mut text = format!(
        "$ORIGIN {domain}.\n$TTL 300\n@ SOA ns1.legacy.example. hostmaster.legacy.example. 1 3600 600 604800 60\n\
         @ NS ns1.legacy.example.\n@ NS ns2.legacy.example.\n"
    );
    for number in 0..records {
        let [high, low] = (number as u16).to_be_bytes();
        let _ = match number % 10 {
            0 => writeln!(
                text,
                "text{number} TXT \"v=spf1 include:_spf.example.net ip4:198.51.100.0/24 -all\""
            ),
            1 => writeln!(text, "alias{number} CNAME host{}", number + 1),
            2 => writeln!(text, "host{number} 60 A 10.0.{high}.{low}\nhost{number} 60 A 10.1.{high}.{low}"),
            3 => writeln!(text, "mail{number} MX 10 mx1.example.net.\nmail{number} MX 20 mx2.example.net."),
            4 => writeln!(text, "host{number} AAAA 2001:db8::{number:x}"),
            _ => writeln!(text, "host{number} 60 A 10.0.{high}.{low}"),
        };
    }
    text
}

impl Moving {
    pub(crate) fn file(&self) -> Zone<'_> {
        Zone { apex: &self.apex, text: &self.text }
    }

    /// A question that is answered when all of it is here, and the answer.
    pub(crate) fn last(&self) -> (String, String) {
        let number = (5..self.records).rev().find(|number| number % 10 > 4).unwrap_or_default();
        let [high, low] = (number as u16).to_be_bytes();
        (format!("host{number}.{} A", self.domain), format!("NoError 10.0.{high}.{low}"))
    }

    /// The DNSRecords that the operator makes of it.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let (soa, mut rrsets) = read("zone", self.text.as_bytes(), &self.apex, None).rrsets();
        let apex = name::parse_absolute(&self.apex).expect("a name");
        // Each side has its own NS there.
        rrsets.retain(|rrset| rrset.name != apex);
        let options = Options {
            namespace: Some(NAMESPACE.to_owned()),
            zone: Some(self.name.clone()),
            ..Options::default()
        };
        let converted = convert::manifests(&ZoneData { apex, soa, rrsets }, &options);
        converted.objects.into_iter().skip(1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_as_many_records_as_is_said() {
        let all = all(2, 100);
        let objects = all[1].objects();
        assert_eq!(objects.len(), 100);
        assert!(objects.iter().all(|object| object["spec"]["zoneRef"]["name"] == "zone1"));
        assert_eq!(all[1].last(), ("host99.zone1.example A".to_owned(), "NoError 10.0.0.99".to_owned()));
    }
}
