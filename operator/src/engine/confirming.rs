//! Confirming: after each publication every resolver is asked until it answers the serial, and once a minute
//! whether it still does. Of a zone that is withdrawn: until none answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use port53_zone::{Name, serial};

use super::zone::Asked;
use super::{Engine, Timer};
use crate::cluster::confirm::{self, Answers, Confirmation, Resolver, Unserved};

/// A round of questions, as long as that is soon after the publication.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds that follow each other at once.
const SOON: u32 = 30;
/// Between rounds after that, and between questions whether all is still so.
const LATER: Duration = Duration::from_secs(10);
const ROUTINE: Duration = Duration::from_secs(60);

/// Questions that were answered, or not.
pub(super) enum Ended {
    /// What serials are answered for a zone that has no head.
    Serials { apex: Name, asked: Arc<[Resolver]>, serials: Vec<u32> },
    /// Who answers a serial.
    Confirmed { apex: Name, asked: Arc<[Resolver]>, answers: Answers },
    /// Who still answers for a zone that is withdrawn, and what.
    Unserved { apex: Name, asked: Arc<[Resolver]>, unserved: Unserved },
}

impl Engine {
    /// Asks what serials are answered for a zone, before it has one.
    pub(super) fn ask_serials(&mut self, apex: &Name) {
        let (resolvers, apex, room) = (self.resolvers.clone(), apex.clone(), self.asking.clone());
        self.jobs.spawn(async move {
            let _place = room.acquire().await;
            let serials = confirm::serials(&resolvers, &apex).await;
            super::Ended::Confirm(Ended::Serials { apex, asked: resolvers, serials })
        });
    }

    /// Asks who answers what is published, unless that is being asked.
    pub(super) fn confirm(&mut self, apex: &Name) {
        if !self.leads {
            return;
        }
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let Some(stored) = &zone.stored else { return };
        if zone.confirming.is_asking || zone.has_left {
            return;
        }
        let (is_serving, serial) = (zone.serving().is_some(), stored.head.soa.serial);
        zone.confirming.is_asking = true;
        let (resolvers, apex, room) = (self.resolvers.clone(), apex.clone(), self.asking.clone());
        self.jobs.spawn(async move {
            let _place = room.acquire().await;
            super::Ended::Confirm(match is_serving {
                true => {
                    let answers = confirm::confirm(&resolvers, &apex, serial, ROUND).await;
                    Ended::Confirmed { apex, asked: resolvers, answers }
                }
                false => {
                    let unserved = confirm::unserved(&resolvers, &apex, ROUND).await;
                    Ended::Unserved { apex, asked: resolvers, unserved }
                }
            })
        });
    }

    fn ask_again(&mut self, apex: &Name, at: Instant) {
        if let Some(zone) = self.zones.get_mut(apex) {
            zone.confirming.again_at = Some(at);
            self.at(at, Timer::Confirm(apex.clone()));
        }
    }

    /// Time to ask again, unless it was put off since.
    pub(super) fn confirm_if_due(&mut self, apex: &Name, now: Instant) {
        let again_at = self.zones.get(apex).and_then(|zone| zone.confirming.again_at);
        if again_at.is_some_and(|at| at <= now) {
            self.confirm(apex);
        }
    }

    pub(super) fn confirm_ended(&mut self, ended: Ended) {
        // Who came meanwhile was not asked: nothing is concluded from the others.
        match ended {
            Ended::Serials { apex, asked, serials } => {
                let is_everyone = Arc::ptr_eq(&asked, &self.resolvers);
                let Some(zone) = self.zones.get_mut(&apex) else { return };
                zone.serials.extend(serials);
                match is_everyone {
                    true => zone.asked = Asked::Answered,
                    false => return self.ask_serials(&apex),
                }
                self.plan.heard(Instant::now());
            }
            Ended::Confirmed { apex, asked, answers } => match Arc::ptr_eq(&asked, &self.resolvers) {
                true => self.confirmed(&apex, &answers),
                false => self.ask_anew(&apex),
            },
            Ended::Unserved { apex, asked, unserved } => match Arc::ptr_eq(&asked, &self.resolvers) {
                true => self.is_unserved(&apex, &unserved),
                false => self.ask_anew(&apex),
            },
        }
    }

    fn ask_anew(&mut self, apex: &Name) {
        if let Some(zone) = self.zones.get_mut(apex) {
            zone.confirming.is_asking = false;
        }
        self.confirm(apex);
    }

    fn confirmed(&mut self, apex: &Name, answers: &Answers) {
        let now = Instant::now();
        let Some(zone) = self.zones.get_mut(apex) else { return };
        // As of now: what was published while they were asked may be answered already.
        let mut confirmation = answers.up_to(zone.highest(answers.serial));
        let newest = confirmation.newest;
        let is_above = newest.is_some_and(|newest| zone.highest(newest) != zone.highest(answers.serial));
        zone.confirming.is_asking = false;
        let is_current = zone.serving().is_some_and(|stored| stored.head.soa.serial == confirmation.serial);
        let (serial, is_complete) = (confirmation.serial, confirmation.is_complete());
        let (asked, nameservers) = (confirmation.asked, confirmation.nameservers);
        // That it took another time to hear the same is nothing to tell anyone.
        if let Some(old) = &zone.confirming.last
            && old.says_the_same(&confirmation)
        {
            confirmation.took = old.took;
        }
        zone.confirming.last = Some(Arc::new(confirmation));
        zone.confirming.rounds = if is_complete { 0 } else { zone.confirming.rounds.saturating_add(1) };
        let rounds = zone.confirming.rounds;
        if zone.serving().is_some_and(|stored| stored.head.has_intents()) {
            self.plan.heard(now);
        }
        if is_complete && is_current {
            self.measure_propagation(apex);
        }
        match is_complete {
            true => self.records_are_served(apex, serial),
            false => self.records_wait(apex, serial),
        }
        self.tell_secondaries(apex, serial, nameservers);
        if let Some(newest) = newest {
            self.serial_was_seen(apex, newest);
        }
        match (is_current, is_complete) {
            (false, _) => self.confirm(apex),
            // Until one comes there is nobody to ask.
            (true, false) if asked == 0 => {}
            // They answered at once: what comes is asked for when it is published.
            (true, false) if is_above => self.ask_again(apex, now + ROUND),
            (true, false) if rounds <= SOON => self.confirm(apex),
            (true, false) => self.ask_again(apex, now + LATER),
            (true, true) => self.ask_again(apex, now + ROUTINE),
        }
        self.report_zone_of(apex);
    }

    fn is_unserved(&mut self, apex: &Name, unserved: &Unserved) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        zone.confirming.is_asking = false;
        if zone.serving().is_some() {
            // It returned meanwhile.
            return self.confirm(apex);
        }
        if unserved.said.is_empty() {
            zone.has_left = true;
            self.plan.heard(Instant::now());
            return;
        }
        zone.confirming.rounds = zone.confirming.rounds.saturating_add(1);
        match zone.confirming.rounds <= SOON {
            true => self.confirm(apex),
            false => self.ask_again(apex, Instant::now() + LATER),
        }
        // Who came back with a higher serial follows no withdrawal of a lower one.
        unserved.serials.iter().for_each(|seen| self.serial_was_seen(apex, *seen));
    }

    /// Resolvers came or went: every zone is looked at again.
    pub(super) fn resolvers_changed(&mut self) {
        let found = self.endpoints.iter().flat_map(|endpoints| endpoints.resolvers());
        let mut all: Vec<_> = self.settings.resolvers.iter().cloned().chain(found).collect();
        all.sort();
        all.dedup();
        tracing::info!(resolvers = all.len(), "the resolvers changed");
        self.resolvers = Arc::from(all);
        // What was answered before was not asked of all of these.
        self.zones.values_mut().for_each(|zone| zone.confirming.last = None);
        let zones: Vec<Name> = self.zones.keys().cloned().collect();
        zones.iter().for_each(|apex| self.confirm(apex));
    }

    /// What the resolvers answered of a serial or a later one.
    pub(super) fn confirmation_of(&self, apex: &Name, wanted: u32) -> Option<&Confirmation> {
        let last = self.zones.get(apex)?.confirming.last.as_deref()?;
        (last.serial == wanted || serial::is_newer(last.serial, wanted)).then_some(last)
    }
}
