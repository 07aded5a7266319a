//! One name written to legacy, and read back whatever the answer was (RFC 2136): NOERROR does not mean that it was done, and
//! silence does not mean that it was not.

use port53_crds::Reason;
use port53_legacy::{Outcome, Prerequisite, Server, Trouble, Wrong};
use port53_zone::{Name, RRset, Rtype};

use super::agreed::Print;
use super::merge::Apart;
use super::updates::Planned;

/// What an update came to.
pub(crate) struct Written {
    pub(crate) name: Name,
    pub(crate) apart: Vec<Apart>,
    /// What is there now, where that is known.
    pub(crate) read: Vec<(Rtype, Option<RRset>)>,
    pub(crate) result: Result<(), NotTaken>,
}

/// Why an update is not there.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// It said no, or yes and did not do it.
    Said(String),
    /// It said yes, and has not what it was to have.
    Partly(String),
    /// Somebody has changed it there meanwhile: what there is of what was to be written.
    Changed(Vec<(Rtype, Option<RRset>)>),
    /// It may go well another time.
    Passing((Reason, String)),
}

/// Writes one name, and reads back what there is then, whatever the answer was.
/// `sent` is called between the two.
pub(crate) async fn write_and_read_back(
    server: Server,
    apex: Name,
    planned: Planned,
    sent: impl FnOnce(),
) -> Written {
    let answer = server.update(&apex, &planned.update).await;
    sent();
    let (read, unread) = match read_back(&server, &apex, &planned).await {
        Ok(read) => (read, None),
        Err(trouble) => (Vec::new(), Some(trouble)),
    };
    let is_there = |one: &Apart| {
        let found = read.iter().find(|(rtype, _)| *rtype == one.rtype);
        found.is_some_and(|(_, found)| found.as_ref().map(Print::of) == one.ours.as_ref().map(Print::of))
    };
    let result = match (answer, unread) {
        _ if planned.apart.iter().all(is_there) => Ok(()),
        (Err(trouble), _) if matches!(trouble.wrong(), Some(Wrong::Prerequisite(_))) => what_is_there(
            &server, &apex, &planned,
        )
        .await
        .map_or_else(|trouble| Err(NotTaken::Passing(said(trouble))), |found| Err(NotTaken::Changed(found))),
        (Err(trouble), _) if trouble.outcome() == Outcome::Final => Err(NotTaken::Said(trouble.to_string())),
        (Err(trouble), _) | (Ok(()), Some(trouble)) => Err(NotTaken::Passing(said(trouble))),
        (Ok(()), None) => {
            Err(NotTaken::Partly("legacy said NOERROR and did not do it (RFC 2136 section 3.4.2)".to_owned()))
        }
    };
    Written { name: planned.update.name, apart: planned.apart, read, result }
}

/// What legacy has of what was to be written: nothing of it when it is not that. Prerequisites are about what a zone holds
/// (RFC 2136 §2.4); an answer could be made from a wildcard. They say nothing of TTLs, and an answer does.
async fn read_back(
    server: &Server,
    apex: &Name,
    planned: &Planned,
) -> Result<Vec<(Rtype, Option<RRset>)>, Trouble> {
    let held = planned.apart.iter().map(|one| match &one.ours {
        Some(ours) => Prerequisite::Is(ours.clone()),
        None => Prerequisite::IsNot { name: one.name.clone(), rtype: one.rtype },
    });
    if !server.holds(apex, &held.collect::<Vec<_>>()).await? {
        return Ok(Vec::new());
    }
    let mut read = Vec::new();
    for one in &planned.apart {
        let found = match &one.ours {
            Some(ours) => match server.rrset(apex, &one.name, one.rtype).await {
                Ok(found) => found,
                // Delegated, or below an alias: answers do not show it, and the prerequisites said that it is there.
                Err(trouble) if is_hidden(&trouble) => Some(ours.clone()),
                Err(trouble) => return Err(trouble),
            },
            None => None,
        };
        read.push((one.rtype, found));
    }
    Ok(read)
}

/// What legacy answers of what was to be written.
async fn what_is_there(
    server: &Server,
    apex: &Name,
    planned: &Planned,
) -> Result<Vec<(Rtype, Option<RRset>)>, Trouble> {
    let mut found = Vec::new();
    for one in &planned.apart {
        match server.rrset(apex, &one.name, one.rtype).await {
            Ok(rrset) => found.push((one.rtype, rrset)),
            Err(trouble) if is_hidden(&trouble) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(found)
}

/// Whether a zone holds what its answers do not show.
fn is_hidden(trouble: &Trouble) -> bool {
    matches!(trouble.wrong(), Some(Wrong::Delegated(_) | Wrong::Alias(_) | Wrong::AnotherZone(_)))
}

/// What trouble with legacy means for a person.
pub(crate) fn said(trouble: Trouble) -> (Reason, String) {
    let reason = match trouble.rcode() {
        Some(_) => Reason::LegacyRefused,
        None if trouble.outcome() == Outcome::Final => Reason::LegacyImplausible,
        None => Reason::Unreachable,
    };
    (reason, trouble.to_string())
}
