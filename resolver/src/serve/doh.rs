//! What DNS over HTTPS (RFC 8484) says, whatever version of HTTP it says it in: what a request asks for,
//! and what its response is. No input or output here.

use super::engine::{Handled, MESSAGE};
use super::front::Front;
use crate::transfer::Over;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use std::net::IpAddr;

/// The one resource there is.
const PATH: &str = "/dns-query";
const TYPE: HeaderValue = HeaderValue::from_static("application/dns-message");
/// All header fields of a request, as HTTP counts them. A query in the address of a GET fits if it is
/// below about 11,000 octets.
pub(super) const HEADERS: u32 = 16 << 10;

/// What a request asks for.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Ask {
    /// This (GET).
    Message(Vec<u8>),
    /// What its body says (POST).
    Body,
}

/// Reads the head of a request (RFC 8484 §4.1).
pub(super) fn ask(head: &Parts) -> Result<Ask, StatusCode> {
    if head.uri.path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    if head.method == Method::POST {
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let media = content_type.split(';').next().unwrap_or("").trim();
        return match media.eq_ignore_ascii_case("application/dns-message") {
            true => Ok(Ask::Body),
            false => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        };
    }
    if head.method != Method::GET {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let parameters = head.uri.query().unwrap_or("").split('&');
    let text = parameters.filter_map(|parameter| parameter.strip_prefix("dns=")).next();
    let message = text.and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    message.filter(|message| message.len() <= MESSAGE).map(Ask::Message).ok_or(StatusCode::BAD_REQUEST)
}

/// Answers a message. What has no answer in DNS is a bad request.
pub(super) async fn answer(
    front: &Front,
    client: IpAddr,
    message: &[u8],
) -> Result<(Response<()>, Bytes), StatusCode> {
    let take = |response: &[u8]| (Bytes::copy_from_slice(response), cache_control(response));
    // A request has one response (RFC 8484 §4.2).
    let answered = front.engine.answer(client, Over::Request, message, None, take);
    let (body, cache_control) = match answered {
        Handled::Response(taken) => taken,
        Handled::Forwarded(forwarded) => {
            let response = front.engine.forwarded(forwarded).await.ok_or(StatusCode::BAD_REQUEST)?;
            take(&response)
        }
        Handled::Nothing | Handled::Transfer(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, TYPE);
    headers.insert(CONTENT_LENGTH, body.len().into());
    if let Ok(value) = HeaderValue::try_from(cache_control) {
        headers.insert(CACHE_CONTROL, value);
    }
    Ok((response, body))
}

/// A response without a message.
pub(super) fn refusal(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, 0.into());
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

/// What caches may do with a response. One that not everyone may have is kept by none: a transfer, and what is signed
/// for one client.
fn cache_control(response: &[u8]) -> String {
    match is_for_everyone(response).unwrap_or(false) {
        true => format!("max-age={}", freshness(response)),
        false => "no-store".to_owned(),
    }
}

fn is_for_everyone(response: &[u8]) -> Option<bool> {
    use domain::base::iana::Rtype;
    let message = domain::base::Message::from_octets(response).ok()?;
    let is_transfer = message.qtype().is_some_and(|qtype| matches!(qtype, Rtype::AXFR | Rtype::IXFR));
    let last = message.additional().ok()?.last();
    let is_signed = last.is_some_and(|last| last.is_ok_and(|last| last.rtype() == Rtype::TSIG));
    Some(!is_transfer && !is_signed)
}

/// How many seconds a cache may keep a response: the least TTL of its answer, or as long as its negative
/// answer holds (RFC 8484 §5.1, RFC 2308 §5); nothing for what is no answer.
fn freshness(response: &[u8]) -> u32 {
    freshness_of(response).unwrap_or(0)
}

fn freshness_of(response: &[u8]) -> Option<u32> {
    use domain::base::iana::{Rcode, Rtype};
    let message = domain::base::Message::from_octets(response).ok()?;
    if !matches!(message.header().rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
        return None;
    }
    let ttls = |section: domain::base::message::RecordSection<'_, _>, soa: bool| {
        let records = section.filter_map(Result::ok);
        let records = records.filter(move |record| !soa || record.rtype() == Rtype::SOA);
        records.map(|record| record.ttl().as_secs()).min()
    };
    ttls(message.answer().ok()?, false).or_else(|| ttls(message.authority().ok()?, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use proptest::prelude::*;

    fn head(method: Method, uri: &str, content_type: Option<&str>) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(value) = content_type {
            request = request.header(CONTENT_TYPE, value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    /// RFC 8484 §4.1.1 has this query, for www.example.com.
    const EXAMPLE: &str = "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB";

    #[test]
    fn rfc8484_4_1_get_and_post() {
        let get = |uri: &str| ask(&head(Method::GET, uri, None));
        let Ok(Ask::Message(message)) = get(&format!("https://dns/dns-query?dns={EXAMPLE}")) else {
            panic!("a message")
        };
        assert_eq!(message[12..28], *b"\x03www\x07example\x03com");
        assert_eq!(get(&format!("/dns-query?a=b&dns={EXAMPLE}")), Ok(Ask::Message(message)));
        for wrong in
            ["/dns-query", "/dns-query?dns=A", "/dns-query?dns=AA==", "/dns-query?dns=A+A/", "/dns-query?x"]
        {
            assert_eq!(get(wrong), Err(StatusCode::BAD_REQUEST), "{wrong}");
        }
        assert_eq!(get(&format!("/?dns={EXAMPLE}")), Err(StatusCode::NOT_FOUND));
        let post = |media| ask(&head(Method::POST, "/dns-query", media));
        assert_eq!(post(Some("application/dns-message")), Ok(Ask::Body));
        assert_eq!(post(Some("Application/DNS-Message; a=b")), Ok(Ask::Body));
        assert_eq!(post(Some("application/dns-json")), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        assert_eq!(post(None), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        let put = ask(&head(Method::PUT, "/dns-query", None)).expect_err("not known");
        assert_eq!(refusal(put).headers()[ALLOW], "GET, POST");
    }

    /// RFC 8484 §5.1: at most the least TTL of the answer.
    #[test]
    fn rfc8484_5_1_freshness_is_the_least_ttl() {
        let record = |rtype: u8, ttl: u8| vec![0, 0, rtype, 0, 1, 0, 0, 0, ttl, 0, 0];
        let message = |rcode: u8, counts: [u8; 3], records: Vec<Vec<u8>>| {
            let mut octets = vec![0, 0, 0x84, rcode, 0, 0, 0, counts[0], 0, counts[1], 0, counts[2]];
            octets.extend(records.concat());
            octets
        };
        assert_eq!(freshness(&message(0, [2, 1, 0], vec![record(1, 60), record(1, 30), record(2, 10)])), 30);
        assert_eq!(freshness(&message(3, [0, 2, 0], vec![record(6, 90), record(2, 10)])), 90);
        assert_eq!(freshness(&message(0, [0, 1, 0], vec![record(2, 10)])), 0, "a referral");
        assert_eq!(freshness(&message(2, [0, 1, 0], vec![record(6, 10)])), 0, "SERVFAIL");
        assert_eq!(freshness(&message(0, [0, 0, 0], vec![])), 0);
    }

    #[test]
    fn what_is_for_one_client_is_kept_by_no_cache() {
        let question = |qtype: u8, additional: &[u8]| {
            let mut octets = vec![0, 0, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(!additional.is_empty())];
            octets.extend([0, 0, qtype, 0, 1]);
            octets.extend_from_slice(additional);
            octets
        };
        let tsig = [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0];
        assert_eq!(cache_control(&question(1, &[])), "max-age=0");
        assert_eq!(cache_control(&question(251, &[])), "no-store", "IXFR");
        assert_eq!(cache_control(&question(1, &tsig)), "no-store", "signed");
    }

    proptest! {
        #[test]
        fn freshness_of_any_octets(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            freshness(&octets);
            cache_control(&octets);
        }
    }
}
