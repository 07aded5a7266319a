//! Questions of class CHAOS about the server itself (RFC 4892 §2). Refused but for what is set.

use super::opt::ExtendedError;
use super::query::Query;
use super::reply::Reply;
use super::writer::Flags;
use super::{NOERROR, REFUSED, Responded, Settings, Text};
use domain::base::iana::Rtype;

/// Which setting answers which name, in lower case.
type Names = [(&'static [u8], fn(&Settings) -> &Text); 4];
const NAMES: Names = [
    (b"\x07version\x04bind\x00", |settings| &settings.chaos_version),
    (b"\x07version\x06server\x00", |settings| &settings.chaos_version),
    (b"\x08hostname\x04bind\x00", |settings| &settings.chaos_id),
    (b"\x02id\x06server\x00", |settings| &settings.chaos_id),
];

/// The response to a question of class CHAOS.
pub(crate) fn respond(mut reply: Reply<'_>, query: &Query<'_>, out: &mut [u8]) -> Responded {
    let name = query.name.wire();
    let setting = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some(text) = setting.and_then(|(_, text)| text(reply.settings()).octets()) else {
        reply.says(ExtendedError::Prohibited);
        return reply.without_answer(query, REFUSED, out);
    };
    let mut writer = reply.begin(query, out);
    let mut flags = Flags { authoritative: true, ..Flags::default() };
    if matches!(query.qtype, Rtype::TXT | Rtype::ANY) {
        flags.truncated = writer.chaos_text(text).is_err();
    }
    reply.end(writer, query, NOERROR, flags)
}
