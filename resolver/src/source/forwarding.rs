//! Who answers for zones that move here: what heads and the override say of it, brought into what is served.

use super::{Book, Publisher};
use crate::forward::{Override, View, Zone};
use arc_swap::ArcSwap;
use port53_store::Forwarding;
use port53_zone::{Name, name};
use std::sync::Arc;

impl Publisher {
    /// As the head of a zone says it: from the next query on. Whether that is new.
    pub fn set_forwarding(&self, apex: &Name, forwarding: Option<Forwarding>) -> bool {
        let mut book = self.book();
        let is_new = book.directory.say(apex, forwarding);
        if is_new {
            self.bring_forward(&mut book, apex);
            self.note_unsaved(&mut book, apex);
        }
        is_new
    }

    /// What the head of a zone says.
    pub fn forwarding(&self, apex: &Name) -> Option<Forwarding> {
        self.book().directory.forwarding(apex)
    }

    /// Which nameserver of its set this resolver is of, when it was told.
    pub fn nameserver(&self) -> Option<String> {
        self.book().directory.nameserver()
    }

    /// The zones that have a legacy DNS, in canonical order.
    pub fn forwarding_zones(&self) -> Vec<View> {
        self.book().directory.views()
    }

    /// One of them.
    pub fn forwarding_zone(&self, apex: &Name) -> Option<View> {
        self.book().directory.view(apex)
    }

    /// The override in effect.
    pub fn forwarding_override(&self) -> Override {
        self.book().directory.over().clone()
    }

    /// Says which nameserver this resolver is of.
    pub fn set_nameserver(&self, nameserver: Option<String>) {
        let mut book = self.book();
        book.directory.set_nameserver(nameserver);
        self.bring_all_forward(&mut book);
    }

    /// Takes an override into effect. Whether that is new.
    pub fn set_override(&self, over: Override) -> bool {
        let mut book = self.book();
        if *book.directory.over() == over {
            return false;
        }
        tracing::warn!(
            over = over.encode().trim_end(),
            "the override of forwarding has changed: where it names who answers, heads do not decide"
        );
        book.directory.set_override(over);
        self.bring_all_forward(&mut book);
        true
    }

    /// The zones by the numbers that stand in what is served.
    pub(crate) fn numbered(&self) -> Arc<ArcSwap<Vec<Arc<Zone>>>> {
        self.book().directory.numbered()
    }

    fn bring_all_forward(&self, book: &mut Book) {
        for apex in book.directory.apexes() {
            self.bring_forward(book, &apex);
        }
    }

    fn bring_forward(&self, book: &mut Book, apex: &Name) {
        let forward = book.directory.forward_of(apex);
        if !book.entries.contains_key(apex) || self.zones().load().forward_of(apex) == forward {
            return;
        }
        let zone = name::display(apex);
        match forward {
            Some(_) => tracing::info!(zone, "is answered by legacy from now on"),
            None => tracing::info!(zone, "is answered here from now on"),
        }
        self.swap(book, |zones| zones.forward(apex, forward));
    }
}
