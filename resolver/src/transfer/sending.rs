//! A transfer on its way: it waits for a place, and is then sent one message after another.

use super::places::Place;
use super::{NOERROR, SERVFAIL, Transfers};
use port53_secondaries::now;
use port53_secondaries::tsig::Signer;
use port53_zone::image::Image;
use port53_zone::transfer::{Extent, Request, Sequence, TARGET};
use port53_zone::{Rtype, name, serial};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A transfer that has no place yet.
pub struct Waiting {
    pub(super) request: Request,
    /// The serial that the client has, if it wants no more than what is new.
    pub(super) held: Option<u32>,
    pub(super) image: Arc<Image>,
    pub(super) signer: Option<Signer>,
    pub(super) client: IpAddr,
}

/// A transfer that goes on.
pub struct Transfer {
    state: Sending,
    qtype: Rtype,
    signer: Option<Signer>,
    _place: Option<Place>,
}

enum Sending {
    Records(Sequence),
    /// There is a message that has no room for the signature it must have: the client has not everything.
    Stuck,
    /// There was no place: one message says so.
    Refused(Option<Vec<u8>>),
}

impl Waiting {
    /// Waits for a place among the transfers. Without one, the transfer is a SERVFAIL: try again.
    pub async fn enter(self: Box<Self>, transfers: &Transfers) -> Transfer {
        let Waiting { request, held, image, signer, client } = *self;
        let mut less = None;
        if let Some(held) = held {
            if serial::is_newer(image.soa().serial, held) {
                transfers.journals.comes_to(held, &image).await;
            }
            less = transfers.less_than_all(&request, held, &image);
        }
        let sequence = less.unwrap_or_else(|| Sequence::whole(request, image));
        let (request, extent) = (sequence.request(), sequence.extent());
        let zone = name::display(&request.name);
        let qtype = request.kind.rtype();
        // Who has the newest version is told so whatever others wait for.
        let place = match extent {
            Extent::Soa => None,
            _ => transfers.places.enter(client).await,
        };
        let state = if place.is_some() || extent == Extent::Soa {
            let counts = &transfers.counts;
            let serial = sequence.serial();
            match extent {
                Extent::Whole => _ = counts.whole.fetch_add(1, Relaxed),
                Extent::Differences => _ = counts.differences.fetch_add(1, Relaxed),
                Extent::Soa => {}
            }
            match extent {
                Extent::Soa => tracing::debug!(zone, %client, serial, "nothing newer to transfer"),
                _ => tracing::info!(zone, %client, serial, kind = ?request.kind, "transfer"),
            }
            Sending::Records(sequence)
        } else {
            transfers.counts.busy.fetch_add(1, Relaxed);
            tracing::warn!(zone, %client, "too many transfers at once: this one is to be tried again");
            Sending::Refused(Some(request.refuse(SERVFAIL)))
        };
        Transfer { state, qtype, signer, _place: place }
    }
}

impl Transfer {
    /// Appends the next message with two octets of its length before it. `false` when there is none.
    pub fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        match &mut self.state {
            Sending::Records(sequence) => {
                if !sequence.next_into(out, TARGET) {
                    return false;
                }
            }
            Sending::Stuck => return false,
            Sending::Refused(response) => {
                let Some(response) = response.take() else { return false };
                out.extend_from_slice(&(response.len() as u16).to_be_bytes());
                out.extend_from_slice(&response);
            }
        }
        if let Some(signer) = &mut self.signer {
            let mut message = out.split_off(begin + 2);
            if !signer.sign(&mut message, now()) {
                out.truncate(begin);
                self.state = Sending::Stuck;
                return false;
            }
            out[begin..].copy_from_slice(&(message.len() as u16).to_be_bytes());
            out.extend_from_slice(&message);
        }
        true
    }

    /// The type that was asked for and the response code, once there is no further message. `None` when the
    /// client has not everything and must see the connection end.
    pub fn finish(self) -> Option<(u16, u16)> {
        let rcode = match &self.state {
            Sending::Records(sequence) if !sequence.is_complete() => return None,
            Sending::Stuck => return None,
            Sending::Records(_) => NOERROR,
            Sending::Refused(_) => SERVFAIL,
        };
        Some((self.qtype.to_int(), rcode.into()))
    }
}
