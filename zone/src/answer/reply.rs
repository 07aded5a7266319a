//! What a response says beside its sections: header, OPT with its options, cookie, and how large it may be.

use super::asked::{Asked, Transport};
use super::cookie::Cookie;
use super::opt::{self, ExtendedError, Opt};
use super::query::{self, Edns, Header, Parsed, Query, code};
use super::settings::Settings;
use super::writer::{Flags, Writer};
use super::{BADCOOKIE, Kind, NOERROR, Responded};
use crate::image::Forward;

/// The least that a message over UDP can always be (RFC 1035 §4.2.1).
const LEAST_UDP: u16 = 512;
/// Octets of the headers of UDP and IP, which an attacker gets from us too.
const UDP_AND_IPV4: usize = 8 + 20;
const UDP_AND_IPV6: usize = 8 + 40;
/// In the third octet of a message.
const TC: u8 = 0x02;

/// A response to be.
pub(crate) struct Reply<'s> {
    settings: &'s Settings,
    asked: &'s Asked,
    header: Header,
    edns: Option<Edns>,
    opt: Option<Opt>,
    cookie: Cookie,
    /// Octets of the query.
    query_len: usize,
}

impl<'s> Reply<'s> {
    /// The response to `parsed`, a query of `query_len` octets, with all that is said whatever the answer is.
    pub(crate) fn new(
        settings: &'s Settings,
        asked: &'s Asked,
        parsed: &Parsed<'_>,
        query_len: usize,
    ) -> Self {
        let mut reply = Reply {
            settings,
            asked,
            header: parsed.header,
            edns: parsed.edns,
            opt: None,
            cookie: Cookie::None,
            query_len,
        };
        if let Some(edns) = parsed.edns {
            let mut opt = Opt::new(edns, our_payload(settings));
            if edns.options.wants_nsid
                && let Some(nsid) = settings.nsid.octets()
            {
                opt.option(code::NSID, nsid);
            }
            if let Some(sent) = &edns.options.cookie {
                let (cookie, whole) = settings.cookies.judge(sent, asked.client, (asked.now / 1000) as u32);
                reply.cookie = cookie;
                if cookie != Cookie::None {
                    opt.option(code::COOKIE, &whole);
                }
            }
            // RFC 7828 §3.2.1: over UDP it is ignored.
            if edns.options.wants_keepalive
                && asked.transport == Transport::Tcp
                && let Some(tenths) = asked.keepalive
            {
                opt.option(code::KEEPALIVE, &tenths.to_be_bytes());
            }
            reply.opt = Some(opt);
        }
        reply
    }

    pub(crate) fn cookie(&self) -> Cookie {
        self.cookie
    }

    pub(crate) fn settings(&self) -> &'s Settings {
        self.settings
    }

    pub(crate) fn is_over_udp(&self) -> bool {
        self.asked.transport == Transport::Udp
    }

    /// Why there is no answer, if the client can be told.
    pub(crate) fn says(&mut self, error: ExtendedError) {
        if let Some(opt) = &mut self.opt {
            opt.extended_error(error);
        }
    }

    /// RFC 9660 §2: the labels of the zone, type 0, its serial. For who asks, and only from a zone of ours.
    pub(crate) fn zone_version(&mut self, apex_labels: usize, serial: u32) {
        if let (Some(opt), Some(edns)) = (&mut self.opt, self.edns)
            && edns.options.wants_zone_version
        {
            let serial = serial.to_be_bytes();
            let value = [apex_labels as u8, 0, serial[0], serial[1], serial[2], serial[3]];
            opt.option(code::ZONE_VERSION, &value);
        }
    }

    /// Whether the client must first show that it receives what is sent to it.
    pub(crate) fn must_prove_address(&self) -> bool {
        let without_cookie = matches!(self.cookie, Cookie::Client | Cookie::Invalid);
        self.is_over_udp()
            && self.cookie != Cookie::Valid
            && (self.asked.is_limited || self.settings.require_cookies && without_cookie)
    }

    /// Nothing but the way to do so: a cookie of ours (RFC 7873 §5.2.3), or TC, which makes it come over TCP.
    pub(crate) fn prove_address(self, query: &Query<'_>, out: &mut [u8]) -> Responded {
        match self.cookie {
            Cookie::Client | Cookie::Invalid => self.without_answer(query, BADCOOKIE, out),
            Cookie::None | Cookie::Valid => self.truncated(query, out),
        }
    }

    /// Whether the question may be passed on to another server.
    pub(crate) fn may_forward(&self) -> bool {
        self.asked.may_forward && !self.edns.is_some_and(|edns| edns.options.wants_answer_here)
    }

    /// No response: `forward` is to be asked. For the limits it counts as an answer by its name.
    pub(crate) fn forwarded(self, query: &Query<'_>, forward: Forward) -> Responded {
        Responded {
            len: 0,
            rcode: NOERROR,
            qtype: query.qtype.to_int(),
            truncated: false,
            kind: Kind::Answer,
            alike: query.name.hash(),
            cookie: self.cookie,
            forward: Some(forward),
        }
    }

    /// Octets that the message may have without its OPT.
    pub(crate) fn room(&self) -> usize {
        self.greatest_len() - self.opt.as_ref().map_or(0, Opt::len)
    }

    /// Nothing but TC.
    fn truncated(self, query: &Query<'_>, out: &mut [u8]) -> Responded {
        let writer = self.begin(query, out);
        self.end(writer, query, NOERROR, Flags { truncated: true, ..Flags::default() })
    }

    /// A whole message that `make` gives when told how many octets it may have, and the OPT behind it; TC for `None`.
    pub(crate) fn with_message(
        mut self,
        query: &Query<'_>,
        make: impl FnOnce(usize) -> Option<Vec<u8>>,
        out: &mut [u8],
    ) -> Responded {
        let opt = self.opt.as_ref().map_or(0, Opt::len);
        let Some(message) = make(self.room().min(out.len() - opt)) else {
            return self.truncated(query, out);
        };
        out[..message.len()].copy_from_slice(&message);
        let (rcode, truncated) = (u16::from(message[3] & 0x0f), message[2] & TC != 0);
        let len = self.append_opt(message.len(), rcode, out);
        let kind = if rcode == NOERROR { Kind::Answer } else { Kind::Error };
        let (qtype, alike, cookie) = (query.qtype.to_int(), query.name.hash(), self.cookie);
        Responded { len, rcode, qtype, truncated, kind, alike, cookie, forward: None }
    }

    /// Begins the sections.
    pub(crate) fn begin<'a>(&self, query: &'a Query<'_>, out: &'a mut [u8]) -> Writer<'a> {
        let opt = self.opt.as_ref().map_or(0, Opt::len);
        Writer::new(out, self.greatest_len(), &query.name, query.qtype, query.qclass, opt)
    }

    /// Ends them.
    pub(crate) fn end(
        mut self,
        writer: Writer<'_>,
        query: &Query<'_>,
        rcode: u16,
        flags: Flags,
    ) -> Responded {
        let opt = self.opt.as_mut().map(|opt| opt.octets(rcode));
        let wants_padding = self.edns.is_some_and(|edns| edns.options.wants_padding);
        let len = writer.finish(self.header, rcode, flags, opt, self.asked.is_encrypted && wants_padding);
        Responded {
            len,
            rcode,
            qtype: query.qtype.to_int(),
            truncated: flags.truncated,
            kind: Kind::Error,
            alike: 0,
            cookie: self.cookie,
            forward: None,
        }
    }

    /// A response with nothing in its sections but the question.
    pub(crate) fn without_answer(self, query: &Query<'_>, rcode: u16, out: &mut [u8]) -> Responded {
        let writer = self.begin(query, out);
        self.end(writer, query, rcode, Flags::default())
    }

    /// A response to what has no question that could be repeated: a header, and an OPT if there was one.
    pub(crate) fn without_question(mut self, rcode: u16, out: &mut [u8]) -> Responded {
        let flags = 0x8000
            | u16::from(self.header.opcode) << 11
            | u16::from(self.header.recursion_desired) << 8
            | u16::from(self.header.checking_disabled) << 4
            | rcode & 0x0f;
        out[..query::HEADER].fill(0);
        out[..2].copy_from_slice(&self.header.id);
        out[2..4].copy_from_slice(&flags.to_be_bytes());
        let len = self.append_opt(query::HEADER, rcode, out);
        let cookie = self.cookie;
        let (kind, alike, forward) = (Kind::Error, 0, None);
        Responded { len, rcode, qtype: 0, truncated: false, kind, alike, cookie, forward }
    }

    /// Appends the OPT, if there is one, to a message of `len` octets that has none. Returns how many it then has.
    fn append_opt(&mut self, len: usize, rcode: u16, out: &mut [u8]) -> usize {
        let Some(opt) = &mut self.opt else { return len };
        let opt = opt.octets(rcode);
        let end = len + opt.len();
        let additional = u16::from_be_bytes([out[query::HEADER - 2], out[query::HEADER - 1]]) + 1;
        out[query::HEADER - 2..query::HEADER].copy_from_slice(&additional.to_be_bytes());
        out[len..end].copy_from_slice(opt);
        match self.asked.is_encrypted && self.edns.is_some_and(|edns| edns.options.wants_padding) {
            true => opt::pad(out, end, opt.len()),
            false => end,
        }
    }

    /// The most that may be sent: what the client takes and our setting allows, and over UDP no more than so
    /// many times its query, unless its cookie shows that the address is its own.
    fn greatest_len(&self) -> usize {
        if !self.is_over_udp() {
            return usize::from(u16::MAX);
        }
        let theirs = self.edns.map_or(LEAST_UDP, |edns| edns.payload.max(LEAST_UDP));
        let limit = usize::from(theirs.min(our_payload(self.settings)));
        if self.settings.udp_ratio == 0 || self.cookie == Cookie::Valid {
            return limit;
        }
        let headers = if self.asked.client.to_canonical().is_ipv4() { UDP_AND_IPV4 } else { UDP_AND_IPV6 };
        let most = (self.query_len + headers) * usize::from(self.settings.udp_ratio) - headers;
        limit.min(most.max(usize::from(LEAST_UDP)))
    }
}

/// What is offered to clients, and the most that is sent over UDP.
fn our_payload(settings: &Settings) -> u16 {
    settings.udp_limit.max(LEAST_UDP)
}
