//! What people are told of who answers for a zone that moves here, and of what questions of clients show. Pure.

use port53_crds::{
    Answers, ConditionType, END_FALLBACK_ANNOTATION, NameserverAnswers, Reason, ShadowSeen, Status,
    ZoneMigrationStatus,
};

use super::shadow;
use super::status::{Said, Seen};
use port53_zone::rdata;

/// Conditions that are there while nameservers may answer with what legacy says.
pub(super) const TYPES: [ConditionType; 3] =
    [ConditionType::Shadowing, ConditionType::CutOver, ConditionType::FallenBack];
/// Nameservers in a status.
const MOST_NAMESERVERS: usize = 26;

/// Who was seen to answer at each nameserver; none where every one does by itself.
pub(super) fn nameservers(seen: &Seen<'_>) -> Vec<NameserverAnswers> {
    if seen.migration.spec.shadow.is_none() {
        return Vec::new();
    }
    let all = seen.answers.iter().take(MOST_NAMESERVERS);
    all.map(|(name, answers)| NameserverAnswers { name: name.clone(), answers: *answers }).collect()
}

/// The NS that the apex shows in answers from here; none where every nameserver answers by itself.
pub(super) fn apex_ns(seen: &Seen<'_>) -> Vec<String> {
    if seen.migration.spec.shadow.is_none() {
        return Vec::new();
    }
    let values =
        seen.apex_ns.iter().flat_map(|ns| ns.values().iter().map(|value| rdata::display(ns.rtype, value)));
    values.take(MOST_NAMESERVERS).collect()
}

/// `1/2`: nameservers that answer by themselves.
pub(super) fn counted(seen: &Seen<'_>) -> Option<String> {
    seen.migration.spec.shadow.as_ref()?;
    let own = seen.answers.values().filter(|answers| **answers == Answers::Port53).count();
    Some(format!("{own}/{}", seen.answers.len()))
}

/// What questions of clients show; what was said before until pods are looked at.
pub(super) fn shadow(seen: &Seen<'_>, before: Option<&ZoneMigrationStatus>) -> Option<ShadowSeen> {
    seen.migration.spec.shadow.as_ref()?;
    seen.shadow.or_else(|| before?.shadow.as_ref()).cloned()
}

/// Conditions of who answers; none where every nameserver does by itself.
pub(super) fn conditions(seen: &Seen<'_>) -> Vec<Said> {
    match seen.migration.spec.shadow {
        None => Vec::new(),
        Some(_) => {
            let said = TYPES.into_iter().zip([shadowing(seen), cut_over(seen), fallen_back(seen)]);
            said.map(|(type_, (status, reason, message))| (type_, status, reason, message)).collect()
        }
    }
}

type State = (Status, Reason, String);

fn is_told(seen: &Seen<'_>, name: &str) -> bool {
    seen.cut_over.unwrap_or_default().iter().any(|told| told == name)
}

fn not_yet(names: &[&str], how: &str) -> State {
    let message = format!("not every pod of {} was seen to answer {how}", names.join(", "));
    (Status::False, Reason::NotYetSeen, message)
}

fn shadowing(seen: &Seen<'_>) -> State {
    let others: Vec<&str> =
        seen.answers.keys().map(String::as_str).filter(|name| !is_told(seen, name)).collect();
    let late: Vec<&str> =
        others.iter().copied().filter(|name| seen.answers.get(*name) != Some(&Answers::Legacy)).collect();
    if seen.answers.is_empty() {
        (Status::Unknown, Reason::Pending, "no nameserver was asked yet".to_owned())
    } else if others.is_empty() {
        (Status::False, Reason::NotWanted, "every nameserver is cut over".to_owned())
    } else if late.is_empty() {
        let silent = match seen.silent {
            [] => String::new(),
            silent => format!("; not counted are pods that do not tell: {}", silent.join("; ")),
        };
        let told = seen.shadow.map(|seen| format!("; {}", shadow::told(seen))).unwrap_or_default();
        let names = others.join(", ");
        (Status::True, Reason::Seen, format!("seen to answer with what legacy says: {names}{told}{silent}"))
    } else {
        not_yet(&late, "with what legacy says")
    }
}

fn cut_over(seen: &Seen<'_>) -> State {
    let wanted = &seen.migration.spec.cutover;
    if wanted.is_empty() || seen.migration.spec.fallback {
        let message = "the spec has no nameserver answer by itself".to_owned();
        return (Status::False, Reason::NotWanted, message);
    }
    if let Some(fallback) = seen.fallback {
        let message = format!("every nameserver fell back at {}: see FallenBack", fallback.since);
        return (Status::False, Reason::LimitExceeded, message);
    }
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let unknown: Vec<&str> =
        wanted.iter().copied().filter(|name| !seen.answers.contains_key(*name)).collect();
    let is_done = |name: &str| is_told(seen, name) && seen.answers.get(name) == Some(&Answers::Port53);
    let late: Vec<&str> = wanted.iter().copied().filter(|name| !is_done(name)).collect();
    if !unknown.is_empty() && !seen.answers.is_empty() {
        let names: Vec<&str> = seen.answers.keys().map(String::as_str).collect();
        let message =
            format!("there is no nameserver {}: write one of {}", unknown.join(", "), names.join(", "));
        (Status::False, Reason::NoSuchNameserver, message)
    } else if let Some(unsigned) = seen.unsigned.clone().filter(|(status, ..)| {
        // Of those that are cut over already it is said where it is known to be wrong.
        *status == Status::False || !late.iter().all(|name| is_told(seen, name))
    }) {
        unsigned
    } else if late.is_empty() {
        (Status::True, Reason::Seen, format!("seen to answer by themselves: {}", wanted.join(", ")))
    } else if late.iter().all(|name| is_told(seen, name)) {
        not_yet(&late, "by itself")
    } else if let Some((reason, why)) = seen.waits {
        (Status::False, *reason, format!("{} waits: {why}", late.join(", ")))
    } else {
        let message = format!(
            "waiting until both sides are the same, every pod has what is published, and those before answer by \
             themselves: {}",
            late.join(", ")
        );
        (Status::False, Reason::WaitingForSync, message)
    }
}

fn fallen_back(seen: &Seen<'_>) -> State {
    if !seen.migration.spec.fallback && seen.fallback.is_none() {
        return (Status::False, Reason::NotWanted, "spec.fallback is false".to_owned());
    }
    let late: Vec<&str> = seen
        .answers
        .iter()
        .filter(|(_, answers)| **answers != Answers::Legacy)
        .map(|(name, _)| name.as_str())
        .collect();
    let is_seen = late.is_empty() && !seen.answers.is_empty();
    match seen.fallback.filter(|_| !seen.migration.spec.fallback) {
        Some(fallback) => {
            let how = match is_seen {
                true => "every nameserver answers with what legacy says".to_owned(),
                false => not_yet(&late, "with what legacy says").2,
            };
            let message = format!(
                "by itself, at {}: {}. {how}. It stays so until the spec changes, or port53 migration fallback ZONE --off, \
                 or annotation {END_FALLBACK_ANNOTATION}={}",
                fallback.since, fallback.message, fallback.since
            );
            (if is_seen { Status::True } else { Status::False }, Reason::LimitExceeded, message)
        }
        None if is_seen => {
            (Status::True, Reason::Seen, "every nameserver answers with what legacy says".to_owned())
        }
        None => not_yet(&late, "with what legacy says"),
    }
}
