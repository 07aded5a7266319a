//! The semantic rules: what the records of a zone must not say together, and what they had better not.
//!
//! One table, [`RULES`]: a rule has a name, a severity, the RFC it comes from, what it means and a check. An
//! error is what cannot be answered; the finding names the items concerned, and exactly those are left out.
//! A warning is what can be answered but is hardly meant; it is looked for in what the errors leave.
//!
//! A check sees the items in canonical order through a [`View`], so that each costs one pass over the zone or
//! a search per item.

mod errors;
mod view;
mod warnings;

#[cfg(test)]
mod tests;

pub(crate) use view::View;

use crate::name::Name;
use crate::rdata::Rdata;
use domain::base::iana::Rtype;

/// What is judged: one line of a master file with its one value, or one DNSRecord with all of its values.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The owner.
    pub name: &'a Name,
    /// The type.
    pub rtype: Rtype,
    /// Seconds.
    pub ttl: u32,
    /// At least one value.
    pub values: &'a [Rdata],
}

/// What a finding does to the items it names.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// They are left out.
    Error,
    /// They are served.
    Warning,
}

/// One rule.
pub struct Rule {
    /// Kebab-case, stable.
    pub name: &'static str,
    /// What happens to the items concerned.
    pub severity: Severity,
    /// Where it comes from.
    pub reference: &'static str,
    /// What it says, in one sentence.
    pub summary: &'static str,
    /// What to write instead.
    pub fix: &'static str,
    check: fn(&Rule, &View<'_, '_>, &Limits) -> Vec<Found>,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a zone may ask for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Records in an RRset (CVE-2024-1737: large sets make answers slow).
    pub records_per_rrset: usize,
    /// Records in an RRset above which there is a warning: others refuse such a set when they are secondaries.
    pub records_elsewhere: usize,
    /// Types at a name.
    pub types_per_name: usize,
    /// Octets of all records at a name, which are stored together.
    pub octets_per_name: usize,
    /// Nameservers of a delegation, above which there is a warning (NXNS).
    pub nameservers_per_cut: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // BIND takes 100 by default. Zones are met that have more (103 TXT that prove domains to one
            // host) and are answered today, so that is a warning. Here the limit is that of a DNSRecord.
            records_per_rrset: 512,
            records_elsewhere: 100,
            types_per_name: 100,
            octets_per_name: 512 * 1024,
            nameservers_per_cut: 13,
        }
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which rule.
    pub rule: &'static Rule,
    /// The items concerned, ascending; with an error, exactly those to be left out.
    pub items: Vec<usize>,
    /// The items that they clash with, ascending; they may stay.
    pub related: Vec<usize>,
    /// What is wrong, with names and types.
    pub message: String,
    /// What to write instead.
    pub fix: String,
}

/// What a check found, before it is told what rule it belongs to.
pub(crate) struct Found {
    items: Vec<usize>,
    related: Vec<usize>,
    message: String,
}

/// All rules: the errors first.
pub const RULES: &[Rule] = &[
    Rule {
        name: "out-of-zone",
        severity: Severity::Error,
        reference: "RFC 1034 §4.2.1",
        summary: "An owner is not in the zone.",
        fix: "write the record into the zone that its name is in, or end the name without a dot to put it below the apex",
        check: errors::out_of_zone,
    },
    Rule {
        name: "soa-off-apex",
        severity: Severity::Error,
        reference: "RFC 1035 §5.2",
        summary: "A SOA stands elsewhere than at the apex, or there is more than one.",
        fix: "keep one SOA, at the apex",
        check: errors::soa_off_apex,
    },
    Rule {
        name: "cname-and-other-data",
        severity: Severity::Error,
        reference: "RFC 1034 §3.6.2, RFC 2181 §10.1",
        summary: "A name has a CNAME and other data.",
        fix: "keep the CNAME or the other records at this name, not both; at the apex write A and AAAA instead of CNAME",
        check: errors::cname_and_other_data,
    },
    Rule {
        name: "multiple-cnames",
        severity: Severity::Error,
        reference: "RFC 2181 §10.1",
        summary: "A name has more than one CNAME.",
        fix: "keep one of them",
        check: errors::multiple_cnames,
    },
    Rule {
        name: "multiple-dnames",
        severity: Severity::Error,
        reference: "RFC 6672 §2.4",
        summary: "A name has more than one DNAME.",
        fix: "keep one of them",
        check: errors::multiple_dnames,
    },
    Rule {
        name: "data-below-dname",
        severity: Severity::Error,
        reference: "RFC 6672 §2.4",
        summary: "A record stands below a DNAME, where it can never be answered.",
        fix: "remove the record, or the DNAME above it",
        check: errors::data_below_dname,
    },
    Rule {
        name: "dname-at-delegation",
        severity: Severity::Error,
        reference: "RFC 6672 §2.3",
        summary: "A name below the apex has both NS and DNAME.",
        fix: "delegate the name or alias it, not both",
        check: errors::dname_at_delegation,
    },
    Rule {
        name: "too-many-records",
        severity: Severity::Error,
        reference: "CVE-2024-1737",
        summary: "An RRset has more records than the limit.",
        fix: "spread the values over more names",
        check: errors::too_many_records,
    },
    Rule {
        name: "too-many-types",
        severity: Severity::Error,
        reference: "CVE-2024-1737",
        summary: "A name has more types than the limit.",
        fix: "spread the types over more names",
        check: errors::too_many_types,
    },
    Rule {
        name: "rrset-too-large",
        severity: Severity::Error,
        reference: "RFC 1035 §4.2.2",
        summary: "An RRset does not fit a message of 65,535 octets.",
        fix: "shorten the values or spread them over more names",
        check: errors::rrset_too_large,
    },
    Rule {
        name: "name-too-large",
        severity: Severity::Error,
        reference: "Port53: what a name holds is stored in one slice",
        summary: "All records of a name together are larger than the limit.",
        fix: "spread the records over more names",
        check: errors::name_too_large,
    },
    Rule {
        name: "many-records",
        severity: Severity::Warning,
        reference: "CVE-2024-1737",
        summary: "An RRset has more records than other servers take by default.",
        fix: "spread the values over more names, or raise the limit of the secondaries",
        check: warnings::many_records,
    },
    Rule {
        name: "no-apex-nameservers",
        severity: Severity::Warning,
        reference: "RFC 1034 §4.2.1",
        summary: "The apex has no NS.",
        fix: "name the zone's nameservers at the apex",
        check: warnings::no_apex_nameservers,
    },
    Rule {
        name: "occluded",
        severity: Severity::Warning,
        reference: "RFC 1034 §4.2.1, RFC 2181 §6.1",
        summary: "A record below a delegation is not glue, so it is never answered.",
        fix: "write it into the delegated zone",
        check: warnings::occluded,
    },
    Rule {
        name: "target-is-alias",
        severity: Severity::Warning,
        reference: "RFC 2181 §10.3, RFC 2782",
        summary: "The target of NS, MX or SRV is an alias.",
        fix: "name the host that the alias points to",
        check: warnings::target_is_alias,
    },
    Rule {
        name: "missing-glue",
        severity: Severity::Warning,
        reference: "RFC 1034 §4.2.1, RFC 9471",
        summary: "A delegation's nameserver inside the delegated zone has no address here.",
        fix: "add the A and AAAA records of the nameserver to this zone",
        check: warnings::missing_glue,
    },
    Rule {
        name: "missing-address",
        severity: Severity::Warning,
        reference: "RFC 1035 §3.3.9, §3.3.11",
        summary: "The target of NS, MX or SRV is in this zone and has no address.",
        fix: "add the A and AAAA records of the target, or correct its name",
        check: warnings::missing_address,
    },
    Rule {
        name: "duplicate-value",
        severity: Severity::Warning,
        reference: "RFC 2181 §5",
        summary: "A value stands more than once in a set.",
        fix: "keep it once",
        check: warnings::duplicate_value,
    },
    Rule {
        name: "ttls-differ",
        severity: Severity::Warning,
        reference: "RFC 2181 §5.2",
        summary: "TTLs differ within a set; the lowest counts.",
        fix: "write the same TTL for all records of the set",
        check: warnings::ttls_differ,
    },
    Rule {
        name: "wildcard-ns",
        severity: Severity::Warning,
        reference: "RFC 4592 §4.2",
        summary: "A wildcard has NS, which delegates nothing.",
        fix: "delegate each name by its own NS",
        check: warnings::wildcard_ns,
    },
    Rule {
        name: "wildcard-dname",
        severity: Severity::Warning,
        reference: "RFC 4592 §4.4",
        summary: "A wildcard has DNAME, which aliases nothing.",
        fix: "write the DNAME at the name itself",
        check: warnings::wildcard_dname,
    },
    Rule {
        name: "ds-without-delegation",
        severity: Severity::Warning,
        reference: "RFC 4035 §2.4",
        summary: "DS stands where nothing is delegated.",
        fix: "add the NS of the delegation, or remove the DS",
        check: warnings::ds_without_delegation,
    },
    Rule {
        name: "too-many-nameservers",
        severity: Severity::Warning,
        reference: "NXNSAttack (2020)",
        summary: "A delegation has more nameservers than resolvers like to follow.",
        fix: "keep the nameservers that are needed",
        check: warnings::too_many_nameservers,
    },
    Rule {
        name: "relative-name-meant",
        severity: Severity::Warning,
        reference: "RFC 1035 §5.1",
        summary: "A target is absolute, and the same name below this zone exists.",
        fix: "append the name of the zone if that was meant",
        check: warnings::relative_name_meant,
    },
];

/// Judges the items of the zone `apex`: errors, then warnings about what the errors leave. The order of the
/// findings is that of [`RULES`] and, within a rule, canonical.
pub fn check(apex: &Name, items: &[Item<'_>], limits: &Limits) -> Vec<Finding> {
    let mut view = View::new(apex, items);
    let mut findings = run(Severity::Error, &view, limits);
    if !findings.is_empty() {
        let mut left_out = vec![false; items.len()];
        for &item in findings.iter().flat_map(|finding| &finding.items) {
            left_out[item] = true;
        }
        view = view.without(&left_out);
    }
    findings.extend(run(Severity::Warning, &view, limits));
    findings
}

fn run(severity: Severity, view: &View<'_, '_>, limits: &Limits) -> Vec<Finding> {
    let rules = RULES.iter().filter(|rule| rule.severity == severity);
    rules
        .flat_map(|rule| {
            (rule.check)(rule, view, limits).into_iter().map(move |mut found| {
                found.items.sort_unstable();
                found.items.dedup();
                found.related.sort_unstable();
                found.related.dedup();
                Finding {
                    rule,
                    items: found.items,
                    related: found.related,
                    message: found.message,
                    fix: rule.fix.to_owned(),
                }
            })
        })
        .collect()
}
