//! What is answered by one message: everything over UDP, and over a stream whatever is no transfer.

use super::{Over, payload};
use domain::base::Message;
use domain::base::name::ToLabelIter;
use port53_secondaries::now;
use port53_secondaries::tsig::{self, Signer};
use port53_zone::answer::{self, Asked, GREATEST_OPT, Responded, Settings};
use port53_zone::image::Zones;
use port53_zone::transfer::{Request, Sequence};

const HEADER: usize = 12;

/// A query that has one response, without its signature.
pub struct Single<'a> {
    pub(super) query: &'a [u8],
    /// Whether it was signed with a key of ours: then it is answered here, whoever answers for its zone.
    pub(super) is_signed: bool,
    pub(super) of_transfer: Option<OfTransfer>,
}

/// The response to a query for a transfer.
pub(super) enum OfTransfer {
    /// Nothing but this code.
    Refused(Request, u8),
    /// The first of these that is one message; when none is, TC.
    Records(Vec<Sequence>),
}

impl Single<'_> {
    /// Writes the response. Whatever it holds, the settings and limits are the same for all.
    pub fn respond(
        self,
        zones: &Zones,
        settings: &Settings,
        asked: &Asked,
        out: &mut [u8],
    ) -> Option<Responded> {
        match self.of_transfer {
            None if self.is_signed => {
                let asked = Asked { may_forward: false, ..*asked };
                answer::respond(zones, settings, &asked, self.query, out)
            }
            None => answer::respond(zones, settings, asked, self.query, out),
            Some(of_transfer) => {
                answer::respond_with(settings, asked, self.query, out, |limit| of_transfer.message(limit))
            }
        }
    }

    /// Has `respond` write the response with room for a signature, and signs it.
    pub(super) fn respond_signed(
        self,
        mut signer: Signer,
        over: Over,
        out: &mut [u8],
        respond: impl FnOnce(Self, &mut [u8]) -> Option<Responded>,
    ) -> Option<Responded> {
        let limit = over.limit(payload(self.query)).min(out.len());
        let room = limit.saturating_sub(signer.octets());
        // Of 512 octets a long name of the key can leave too few for a long question.
        let has_room = room >= least(self.query);
        let mut made = respond(self, if has_room { &mut out[..room] } else { &mut *out })?;
        let mut response = out[..made.len].to_vec();
        if made.len > room {
            tsig::truncate(&mut response);
            (made.rcode, made.truncated) = (0, true);
        }
        signer.sign(&mut response, now());
        // Room for a question and a signature there is in every buffer: 271 and at most 371 octets.
        made.len = response.len().min(out.len());
        out[..made.len].copy_from_slice(&response[..made.len]);
        Some(made)
    }
}

impl OfTransfer {
    fn message(self, limit: usize) -> Option<Vec<u8>> {
        match self {
            OfTransfer::Refused(request, rcode) => Some(request.without_opt().refuse(rcode)),
            OfTransfer::Records(sequences) => {
                sequences.into_iter().find_map(|sequence| one_message(sequence, limit))
            }
        }
    }
}

/// The one message that a transfer takes, without the length before it; `None` when it takes more.
fn one_message(mut sequence: Sequence, limit: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    sequence.next_into(&mut out, limit);
    let is_one = sequence.is_complete() && (2..=2 + limit).contains(&out.len());
    is_one.then(|| out.split_off(2))
}

/// Octets of the response that has nothing but the question, and an OPT if the query has one.
fn least(query: &[u8]) -> usize {
    let Ok(message) = Message::from_octets(query) else { return HEADER + GREATEST_OPT };
    let question = message.question().next().and_then(Result::ok);
    let question = question.map_or(0, |question| usize::from(question.qname().compose_len()) + 4);
    HEADER + question + message.opt().map_or(0, |_| GREATEST_OPT)
}
