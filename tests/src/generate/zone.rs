//! A zone: owners, and what stands at each.

use super::Chance;
use super::label::{LONGEST_NAME, Labels, Style, absolute, is_at_or_below, name_octets, octets, split};
use std::collections::{BTreeMap, BTreeSet};

/// What is in a zone that some servers do not load.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Corner {
    /// NS at a wildcard (RFC 4592 §4.2).
    WildcardNs,
    /// DNAME at a wildcard (RFC 4592 §4.4).
    WildcardDname,
}

/// An RRset.
#[derive(Clone, Debug)]
pub struct Set {
    /// The mnemonic.
    pub rtype: &'static str,
    /// Seconds.
    pub ttl: u32,
    /// Values in presentation form.
    pub values: Vec<String>,
    /// Whether the owner is written in upper case.
    pub is_upper: bool,
}

/// A zone that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its name, with the last dot.
    pub apex: String,
    pub(super) soa_ttl: u32,
    pub(super) minimum: u32,
    pub(super) sets: BTreeMap<Labels, Vec<Set>>,
    /// What some servers do not load.
    pub corners: BTreeSet<Corner>,
}

const TTLS: [u32; 5] = [3600, 300, 60, 0, 86400];

/// `count` zones that are served together; some are children of others. `tag` makes their names differ from
/// those of other calls.
pub fn zones(tag: &str, count: usize, chance: &mut Chance) -> Vec<Made> {
    let mut made: Vec<Made> = Vec::new();
    for number in 0..count {
        let owner = made.last().filter(|_| chance.once_in(6)).and_then(|parent| child_of(parent, chance));
        let apex = match (&owner, made.last()) {
            (Some(owner), Some(parent)) => parent.absolute(owner),
            _ if chance.once_in(20) => {
                format!("z{number}.{}.{tag}.test.", ["l".repeat(63), "m".repeat(63)].join("."))
            }
            _ => format!("z{number}.{tag}.test."),
        };
        let others: Vec<String> = made.iter().map(|zone| zone.apex.clone()).collect();
        let mut zone = Making::new(apex, others, chance).make();
        if let (Some(owner), Some(parent)) = (&owner, made.last_mut()) {
            parent.delegate(owner, &zone);
            // Where a server does not load the child, its parent would answer.
            parent.without_corners();
            zone.without_corners();
        }
        made.push(zone);
    }
    made
}

/// A name of the parent that may be a child's: of plain letters, not too long, and in the parent.
fn child_of(parent: &Made, chance: &mut Chance) -> Option<Labels> {
    let is_plain = |owner: &&Labels| {
        let is_below = |above: &Labels, sets: &Vec<Set>| {
            let ends = |set: &Set| set.rtype == "DNAME" || (set.rtype == "NS" && !above.is_empty());
            *owner != above && is_at_or_below(owner, above) && sets.iter().any(ends)
        };
        !owner.is_empty()
            && owner.len() < 6
            && owner.concat().bytes().all(|octet| octet.is_ascii_lowercase())
            && name_octets(&parent.absolute(owner)) < 150
            && !parent.sets.iter().any(|(above, sets)| is_below(above, sets))
    };
    let plain: Vec<&Labels> = parent.sets.keys().filter(is_plain).collect();
    (!plain.is_empty()).then(|| plain[chance.below(plain.len())].clone())
}

impl Made {
    /// The names that own something, absolute, in presentation form.
    pub fn owners(&self) -> impl Iterator<Item = String> {
        self.sets.keys().map(|owner| self.absolute(owner))
    }

    /// An owner as an absolute name.
    pub(super) fn absolute(&self, owner: &[String]) -> String {
        absolute(owner, &self.apex)
    }

    /// Whether an owner has a set of that type.
    pub(super) fn has(&self, owner: &[String], rtype: &str) -> bool {
        self.sets.get(owner).is_some_and(|sets| sets.iter().any(|set| set.rtype == rtype))
    }

    fn find_corners(&mut self) {
        let here = self.sets.iter().filter(|(owner, _)| is_wildcard(owner)).flat_map(|(_, sets)| sets);
        let corner = |set: &Set| match set.rtype {
            "NS" => Some(Corner::WildcardNs),
            "DNAME" => Some(Corner::WildcardDname),
            _ => None,
        };
        self.corners = here.filter_map(corner).collect();
    }

    /// Takes out what some servers do not load.
    fn without_corners(&mut self) {
        for (owner, sets) in &mut self.sets {
            if is_wildcard(owner) {
                sets.retain(|set| !["NS", "DS", "DNAME"].contains(&set.rtype));
            }
        }
        self.sets.retain(|_, sets| !sets.is_empty());
        self.corners.clear();
    }

    /// Delegates `owner` to `child`: its NS and their addresses are the child's.
    fn delegate(&mut self, owner: &Labels, child: &Made) {
        let kept = self.sets.remove(owner).unwrap_or_default().into_iter().filter(|set| set.rtype == "DS");
        let mut here: Vec<Set> = kept.collect();
        self.sets.retain(|other, _| !is_at_or_below(other, owner));
        let of = |name: &Labels, types: &'static [&'static str]| {
            child.sets.get(name).into_iter().flatten().filter(|set| types.contains(&set.rtype)).cloned()
        };
        here.extend(of(&Labels::new(), &["NS"]));
        let nameservers: Vec<String> = here.iter().flat_map(|set| set.values.clone()).collect();
        self.sets.insert(owner.clone(), here);
        for name in child.sets.keys().filter(|name| nameservers.contains(&child.absolute(name))) {
            let addresses: Vec<Set> = of(name, &["A", "AAAA"]).collect();
            if !addresses.is_empty() {
                self.sets.entry([&name[..], owner].concat()).or_default().extend(addresses);
            }
        }
    }

    /// The zone as a master file.
    pub fn text(&self) -> String {
        super::write::master_file(self)
    }
}

fn is_wildcard(owner: &Labels) -> bool {
    owner.first().is_some_and(|label| label == "*" || label == "\\*")
}

/// Whether these are one name: an asterisk may be written with a backslash.
fn is_same(one: &[String], other: &[String]) -> bool {
    fn plain(label: &String) -> &str {
        if label == "\\*" { "*" } else { label }
    }
    one.iter().map(plain).eq(other.iter().map(plain))
}

/// Whether `name` is below `above`, also where an asterisk is written otherwise.
fn is_below(name: &[String], above: &[String]) -> bool {
    name.len() > above.len() && is_same(&name[name.len() - above.len()..], above)
}

struct Making<'c> {
    zone: Made,
    style: Style,
    /// Apexes of other zones that are served with this one.
    others: Vec<String>,
    /// Owners, most of which will have something.
    pool: Vec<Labels>,
    apex_octets: usize,
    chance: &'c mut Chance,
}

impl<'c> Making<'c> {
    fn new(apex: String, others: Vec<String>, chance: &'c mut Chance) -> Self {
        let style = Style::by(chance);
        let apex_octets = name_octets(&apex);
        let size = match chance.below(8) {
            0 => 0,
            1..=5 => 2 + chance.below(8),
            _ => 8 + chance.below(16),
        };
        let pool = (0..size).map(|_| style.name(apex_octets, chance)).collect();
        let zone = Made {
            apex,
            soa_ttl: *chance.one_of(&TTLS),
            minimum: *chance.one_of(&TTLS),
            sets: BTreeMap::new(),
            corners: BTreeSet::new(),
        };
        Making { zone, style, others, pool, apex_octets, chance }
    }

    fn make(mut self) -> Made {
        self.apex();
        for owner in self.pool.clone() {
            if !self.zone.sets.keys().any(|other| is_same(other, &owner)) {
                self.owner(&owner);
            }
        }
        self.remove_below_dnames();
        self.zone.find_corners();
        self.zone
    }

    /// Its nameservers have addresses, without which BIND does not load a zone.
    fn apex(&mut self) {
        let mut nameservers = vec![format!("ns{}.invalid.", self.chance.below(3))];
        match self.chance.below(16) {
            0 => {
                self.pool.clear();
                let target = self.target();
                self.add(&Labels::new(), "DNAME", vec![target]);
            }
            kind => {
                if kind < 6 {
                    self.data(&Labels::new());
                }
                if self.chance.once_in(2) {
                    let host = vec!["h0".to_owned()];
                    self.add(&host, "A", vec!["203.0.113.1".to_owned()]);
                    nameservers.push(self.zone.absolute(&host));
                }
            }
        }
        self.add(&Labels::new(), "NS", nameservers);
    }

    fn owner(&mut self, owner: &Labels) {
        let is_wildcard = is_wildcard(owner);
        match self.chance.below(20) {
            0..=5 => self.data(owner),
            6..=9 => {
                let target = self.target();
                self.add(owner, "CNAME", vec![target]);
            }
            10..=13 if !is_wildcard || self.chance.once_in(8) => self.cut(owner),
            14..=16 if !is_wildcard || self.chance.once_in(8) => {
                let target = self.target();
                self.add(owner, "DNAME", vec![target]);
                if self.chance.once_in(3) {
                    self.data(owner);
                }
            }
            17 => self.large(owner),
            _ => self.data(owner),
        }
    }

    /// One to three sets of plain data.
    fn data(&mut self, owner: &Labels) {
        for _ in 0..1 + self.chance.below(3) {
            let number = 1 + self.chance.below(200);
            let (rtype, values) = match self.chance.below(9) {
                0..=2 => ("A", vec![format!("192.0.2.{number}"), format!("192.0.2.{}", number + 1)]),
                3 => ("AAAA", vec![format!("2001:db8::{number}")]),
                4 => ("TXT", vec![format!("\"{number}\" \"\" \"\\000\\255\\\"\"")]),
                5 => ("MX", vec![format!("{number} {}", self.host()), "10 .".to_owned()]),
                6 => ("SRV", vec![format!("1 2 {number} {}", self.host())]),
                7 => ("PTR", vec![self.target()]),
                _ => ("TYPE65280", vec!["\\# 3 0102ff".to_owned()]),
            };
            self.add(owner, rtype, values);
        }
    }

    /// Sets that do not fit a datagram, or just so.
    fn large(&mut self, owner: &Labels) {
        let count = 20 + self.chance.below(70);
        match self.chance.below(3) {
            0 => self.add(owner, "A", (0..count).map(|i| format!("192.0.2.{i}")).collect()),
            1 => {
                let text = |i| format!("\"{i:03}{}\"", "x".repeat(40));
                self.add(owner, "TXT", (0..count / 3).map(text).collect());
            }
            _ => {
                let mut values: Vec<String> =
                    (0..count / 4).map(|i| format!("{i} {}", self.host())).collect();
                values.dedup();
                self.add(owner, "MX", values);
            }
        }
    }

    /// A delegation: its nameservers, their addresses or not, perhaps a DS.
    fn cut(&mut self, owner: &Labels) {
        let count = match self.chance.below(12) {
            0 => 10 + self.chance.below(4),
            _ => 1 + self.chance.below(3),
        };
        let mut hosts = BTreeSet::new();
        for i in 0..count {
            if self.chance.once_in(2) {
                let mut host = vec![format!("ns{i}")];
                host.extend(owner.iter().cloned());
                if self.octets(&host) <= LONGEST_NAME {
                    self.addresses(&host);
                    hosts.insert(self.zone.absolute(&host));
                    continue;
                }
            }
            hosts.insert(self.host());
        }
        self.add(owner, "NS", hosts.into_iter().collect());
        if self.chance.once_in(3) {
            self.add(owner, "DS", vec![format!("1 8 1 {}", "ab".repeat(20))]);
        }
        // What else stands at a cut is occluded, as is what stands below.
        if self.chance.once_in(5) {
            self.add(owner, "TXT", vec!["\"occluded\"".to_owned()]);
        }
    }

    fn addresses(&mut self, host: &Labels) {
        let number = 1 + self.chance.below(200);
        if !self.chance.once_in(4) && !self.zone.has(host, "CNAME") {
            self.add(host, "A", vec![format!("198.51.100.{number}")]);
        }
        if self.chance.once_in(2) && !self.zone.has(host, "CNAME") {
            self.add(host, "AAAA", vec![format!("2001:db8:1::{number}")]);
        }
    }

    /// The target of an alias: anything, below anything.
    fn target(&mut self) -> String {
        let other = match self.others.is_empty() {
            true => "out.invalid.".to_owned(),
            false => self.chance.one_of(&self.others).clone(),
        };
        match self.chance.below(16) {
            0 => "out.invalid.".to_owned(),
            1 => self.zone.apex.clone(),
            2 => other,
            3 => format!("a.{other}"),
            4 => {
                // What is above the apex, and the root.
                let labels = split(&self.zone.apex);
                let from = self.chance.below(labels.len() + 1);
                labels[from..].iter().map(|label| format!("{label}.")).collect::<String>()
                    + if from == labels.len() { "." } else { "" }
            }
            5..=7 => {
                let name = self.style.name(self.apex_octets, self.chance);
                self.zone.absolute(&name)
            }
            _ if self.pool.is_empty() => self.zone.apex.clone(),
            kind => {
                let mut name = self.chance.one_of(&self.pool).clone();
                if kind < 10 {
                    name.insert(0, "a".to_owned());
                }
                if self.octets(&name) > LONGEST_NAME {
                    name.remove(0);
                }
                self.zone.absolute(&name)
            }
        }
    }

    /// The name of a host that serves something.
    fn host(&mut self) -> String {
        match self.chance.below(3) {
            0 => format!("ns{}.invalid.", self.chance.below(3)),
            _ => self.target(),
        }
    }

    fn octets(&self, owner: &Labels) -> usize {
        self.apex_octets + owner.iter().map(|label| octets(label) + 1).sum::<usize>()
    }

    /// Adds a set, unless there is one of that type, or a CNAME, or this is a CNAME beside others.
    fn add(&mut self, owner: &Labels, rtype: &'static str, values: Vec<String>) {
        let sets = self.zone.sets.entry(owner.clone()).or_default();
        let is_cname_beside = rtype == "CNAME" && !sets.is_empty();
        if values.is_empty()
            || is_cname_beside
            || sets.iter().any(|set| [rtype, "CNAME"].contains(&set.rtype))
        {
            return;
        }
        let ttl = *self.chance.one_of(&TTLS);
        let is_upper = self.chance.once_in(6);
        sets.push(Set { rtype, ttl, values, is_upper });
    }

    /// RFC 6672 §2.4: nothing stands below a DNAME. Below the apex, a name has NS or DNAME and not both.
    fn remove_below_dnames(&mut self) {
        let has_dname = |(_, sets): &(&Labels, &Vec<Set>)| sets.iter().any(|set| set.rtype == "DNAME");
        let dnames: Vec<Labels> =
            self.zone.sets.iter().filter(has_dname).map(|(owner, _)| owner.clone()).collect();
        self.zone
            .sets
            .retain(|owner, sets| !sets.is_empty() && !dnames.iter().any(|above| is_below(owner, above)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_with_a_backslash_is_one_without() {
        let name = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<Labels>();
        assert!(is_same(&name(&["a", "\\*"]), &name(&["a", "*"])));
        assert!(is_below(&name(&["z", "*"]), &name(&["\\*"])));
        assert!(!is_below(&name(&["*"]), &name(&["\\*"])));
        assert!(!is_same(&name(&["x*"]), &name(&["*"])));
    }
}
