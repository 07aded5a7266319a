//! Which candidates can be served together.
//!
//! What clashes is decided by standing: the best keeps the name and only those that clash with it step back.
//! Disputes are settled from the best standing on, and one whose winner has itself stepped back is not
//! settled but looked at again, so that nobody gives way to what is not served. Every round at least one
//! candidate steps back, to its last good version and then to nothing, so this ends.

use std::collections::BTreeMap;

use port53_crds::Reason;
use port53_zone::rdata::display_rtype;
use port53_zone::rules::{self, Finding, Item, Limits};
use port53_zone::{Name, Rtype, name};

use super::candidate::{Candidate, Standing};

/// Something to be told to the source of a candidate.
#[derive(Debug)]
pub(super) struct Objection {
    pub(super) candidate: usize,
    /// Which values it is about, in a master file; empty for all.
    pub(super) lines: Vec<usize>,
    pub(super) reason: Reason,
    pub(super) finding: Told,
    /// Candidates that are concerned too.
    pub(super) related: Vec<usize>,
}

/// What is wrong.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) rule: Option<&'static rules::Rule>,
    pub(super) message: String,
    pub(super) fix: String,
}

/// What came of it all.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// What made candidates step back.
    pub(super) errors: Vec<Objection>,
    /// What the rules warn of in what is served.
    pub(super) warnings: Vec<Objection>,
    /// What they warn of about the zone as a whole.
    pub(super) of_zone: Vec<Told>,
    /// A dispute was left open because its winner stepped back. Once this is published the other has the
    /// better standing, and there is more to tell.
    pub(super) is_provisional: bool,
}

/// A clash, and who must give way.
#[derive(Debug)]
struct Dispute {
    losers: Vec<(usize, Vec<usize>)>,
    winners: Vec<usize>,
    related: Vec<usize>,
    reason: Reason,
    told: Told,
}

/// Lets candidates step back until the rest can be served.
pub(super) fn settle(apex: &Name, candidates: &mut [Candidate], limits: &Limits) -> Settled {
    let mut settled = Settled::default();
    loop {
        let mut disputes = same_name_and_type(candidates);
        let mut findings = Vec::new();
        let places = places(candidates);
        if disputes.is_empty() {
            findings = check(apex, candidates, &places, limits);
            disputes = findings
                .iter()
                .filter(|finding| finding.rule.severity == rules::Severity::Error)
                .map(|finding| dispute(apex, candidates, &places, finding, limits))
                .collect();
        }
        if disputes.is_empty() {
            warn(&places, findings, &mut settled);
            return settled;
        }
        step_back(candidates, disputes, &mut settled);
    }
}

fn step_back(candidates: &mut [Candidate], mut disputes: Vec<Dispute>, settled: &mut Settled) {
    let best = |dispute: &Dispute| -> Option<Standing> {
        dispute.winners.iter().map(|&winner| candidates[winner].standing.clone()).min()
    };
    disputes.sort_by_cached_key(best);
    let mut stepped = vec![false; candidates.len()];
    for dispute in disputes {
        // With winners: all of them must still stand as they were.
        if !dispute.winners.is_empty() && dispute.winners.iter().all(|&winner| stepped[winner]) {
            settled.is_provisional = true;
            continue;
        }
        for (loser, lines) in dispute.losers {
            settled.errors.push(Objection {
                candidate: loser,
                lines,
                reason: dispute.reason,
                finding: dispute.told.clone(),
                related: dispute.related.iter().copied().filter(|&other| other != loser).collect(),
            });
            if !stepped[loser] {
                stepped[loser] = true;
                candidates[loser].step_back();
            }
        }
    }
}

/// Several sources of one RRset: the one with the best standing has it.
fn same_name_and_type(candidates: &[Candidate]) -> Vec<Dispute> {
    let mut order: Vec<usize> = (0..candidates.len()).filter(|&i| !candidates[i].is_out()).collect();
    let set = |i: usize| (&candidates[i].key, candidates[i].rtype.to_int());
    order.sort_by(|&a, &b| candidates[a].place().cmp(&candidates[b].place()));
    let mut disputes = Vec::new();
    for group in order.chunk_by(|&a, &b| set(a) == set(b)).filter(|group| group.len() > 1) {
        let (&winner, losers) = group.split_first().unwrap_or((&group[0], &[]));
        let Candidate { name, rtype, .. } = &candidates[winner];
        disputes.push(Dispute {
            losers: losers.iter().map(|&loser| (loser, Vec::new())).collect(),
            winners: vec![winner],
            related: vec![winner],
            reason: Reason::Conflicted,
            told: Told {
                rule: None,
                message: format!("{} {} is held by another", name::display(name), display_rtype(*rtype)),
                fix: "use another name, or have the other one removed; values of one name and type stand in one \
                      object"
                    .to_owned(),
            },
        });
    }
    disputes
}

/// Which candidate, and which line of it, each item of the rules is.
fn places(candidates: &[Candidate]) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    for (i, candidate) in candidates.iter().enumerate().filter(|(_, candidate)| !candidate.is_out()) {
        if candidate.ttls.len() == candidate.values.len() {
            places.extend((0..candidate.values.len()).map(|line| (i, line)));
        } else {
            places.push((i, 0));
        }
    }
    places
}

fn check(apex: &Name, candidates: &[Candidate], places: &[(usize, usize)], limits: &Limits) -> Vec<Finding> {
    let items: Vec<Item<'_>> = places
        .iter()
        .map(|&(i, line)| {
            let Candidate { name, rtype, ttls, values, .. } = &candidates[i];
            let by_line = ttls.len() == values.len();
            let values = if by_line { &values[line..=line] } else { &values[..] };
            Item { name, rtype: *rtype, ttl: ttls[if by_line { line } else { 0 }], values }
        })
        .collect();
    rules::check(apex, &items, limits)
}

/// The candidates of some items, each with its lines.
fn grouped(places: &[(usize, usize)], items: &[usize]) -> Vec<(usize, Vec<usize>)> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &item in items {
        let (candidate, line) = places[item];
        groups.entry(candidate).or_default().push(line);
    }
    groups.into_iter().collect()
}

/// Who gives way in a finding.
fn dispute(
    apex: &Name,
    candidates: &[Candidate],
    places: &[(usize, usize)],
    finding: &Finding,
    limits: &Limits,
) -> Dispute {
    let items = grouped(places, &finding.items);
    let related = grouped(places, &finding.related);
    let of_type = |rtype: Rtype| {
        items.iter().cloned().partition::<Vec<_>, _>(|(candidate, _)| candidates[*candidate].rtype == rtype)
    };
    match finding.rule.name {
        // At the apex the CNAME goes, whoever was first: the SOA cannot.
        "cname-and-other-data" if items.iter().any(|(i, _)| candidates[*i].name != *apex) => {
            let (aliases, others) = of_type(Rtype::CNAME);
            between(candidates, finding, aliases, others, true)
        }
        "dname-at-delegation" => {
            let (aliases, cuts) = of_type(Rtype::DNAME);
            between(candidates, finding, aliases, cuts, true)
        }
        "data-below-dname" => between(candidates, finding, items, related, false),
        "too-many-types" => {
            let limit = limits.types_per_name;
            beyond(candidates, finding, items, |kept, _| kept < limit)
        }
        "name-too-large" => {
            let limit = limits.octets_per_name;
            let mut octets = 0;
            beyond(candidates, finding, items, |_, candidate| {
                octets += candidate.rrset().message_octets();
                octets <= limit
            })
        }
        _ => alone(finding, items, related),
    }
}

fn told(finding: &Finding) -> Told {
    Told { rule: Some(finding.rule), message: finding.message.clone(), fix: finding.fix.clone() }
}

/// A finding that nobody else's going would mend.
fn alone(finding: &Finding, items: Vec<(usize, Vec<usize>)>, related: Vec<(usize, Vec<usize>)>) -> Dispute {
    let reason = match finding.rule.name {
        "too-many-records" | "too-many-types" | "rrset-too-large" | "name-too-large" => Reason::TooLarge,
        "out-of-zone" => Reason::OutOfZone,
        _ => Reason::RuleViolated,
    };
    let related = related.into_iter().map(|(i, _)| i).collect();
    Dispute { losers: items, winners: Vec::new(), related, reason, told: told(finding) }
}

/// Two sides that cannot both be: the one with the better standing stays. When nothing decides, both give
/// way if it is `mutual`, else the first.
fn between(
    candidates: &[Candidate],
    finding: &Finding,
    first: Vec<(usize, Vec<usize>)>,
    second: Vec<(usize, Vec<usize>)>,
    mutual: bool,
) -> Dispute {
    let best = |side: &[(usize, Vec<usize>)]| side.iter().map(|(i, _)| &candidates[*i].standing).min();
    let indices = |side: &[(usize, Vec<usize>)]| side.iter().map(|(i, _)| *i).collect::<Vec<usize>>();
    let order = best(&first).cmp(&best(&second));
    let (losers, winners) = match order {
        std::cmp::Ordering::Less => (second, indices(&first)),
        std::cmp::Ordering::Equal if mutual => {
            let all: Vec<_> = first.into_iter().chain(second).collect();
            let related = indices(&all);
            let reason = Reason::RuleViolated;
            return Dispute { losers: all, winners: Vec::new(), related, reason, told: told(finding) };
        }
        std::cmp::Ordering::Greater | std::cmp::Ordering::Equal => (first, indices(&second)),
    };
    // Of a side only its best holds the place: without that one it is another dispute.
    let holder = winners.iter().copied().min_by_key(|&i| &candidates[i].standing);
    let is_other =
        losers.iter().any(|(i, _)| holder.is_some_and(|h| candidates[h].source != candidates[*i].source));
    let reason = if is_other { Reason::Conflicted } else { Reason::RuleViolated };
    Dispute { losers, winners: holder.into_iter().collect(), related: winners, reason, told: told(finding) }
}

/// More at a name than it may hold: by standing they are `kept` while there is room, and those that stand
/// like the first for which there is none go with it.
fn beyond(
    candidates: &[Candidate],
    finding: &Finding,
    mut items: Vec<(usize, Vec<usize>)>,
    mut has_room: impl FnMut(usize, &Candidate) -> bool,
) -> Dispute {
    items.sort_by_key(|(i, _)| &candidates[*i].standing);
    let mut kept = 0;
    while kept < items.len() && has_room(kept, &candidates[items[kept].0]) {
        kept += 1;
    }
    if let Some((over, _)) = items.get(kept) {
        let standing = &candidates[*over].standing;
        kept = items.iter().position(|(i, _)| candidates[*i].standing == *standing).unwrap_or(kept);
    }
    let losers = items.split_off(kept);
    let winners: Vec<usize> = items.iter().map(|(i, _)| *i).collect();
    Dispute { losers, related: winners.clone(), winners, reason: Reason::TooLarge, told: told(finding) }
}

fn warn(places: &[(usize, usize)], findings: Vec<Finding>, settled: &mut Settled) {
    for finding in findings {
        let related: Vec<usize> = grouped(places, &finding.related).into_iter().map(|(i, _)| i).collect();
        if finding.items.is_empty() {
            settled.of_zone.push(told(&finding));
        }
        for (candidate, lines) in grouped(places, &finding.items) {
            let reason = match finding.rule.name {
                "occluded" => Reason::Occluded,
                _ => Reason::RuleViolated,
            };
            let related = related.clone();
            settled.warnings.push(Objection { candidate, lines, reason, finding: told(&finding), related });
        }
    }
}
