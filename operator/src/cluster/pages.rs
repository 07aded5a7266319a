//! What pods tell over HTTP, at the address of their health: their metrics, and what they see of zones that move here.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// The port where pods tell it, unless theirs has another.
pub const PORT: u16 = 8053;
/// How long a connection is kept that nothing is asked over.
const IDLE: Duration = Duration::from_secs(10);
/// How long a page may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// One for all, so that who is asked again and again is asked over the same connection.
static CLIENT: LazyLock<Client<HttpConnector, Empty<Bytes>>> =
    LazyLock::new(|| Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build_http());

/// Reads a page of at most `largest` octets. `path` is as it stands in a request (RFC 9112 §3.2.1): see [`escaped`].
///
/// # Errors
/// In words, when it does not come whole, in time and with status 200.
pub async fn read(address: SocketAddr, path: &str, largest: usize) -> Result<Bytes, String> {
    let uri = format!("http://{address}{path}").parse().map_err(|error| format!("{error}"))?;
    let read = async {
        let response = CLIENT.get(uri).await.map_err(|error| port53_client::chain(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("answers {status} to {path}"));
        }
        let body = Limited::new(response.into_body(), largest).collect().await;
        body.map(Collected::to_bytes).map_err(|error| error.to_string())
    };
    timeout(PATIENCE, read).await.map_err(|_| "does not answer".to_owned())?
}

/// A segment of a path (RFC 3986 §2.1, §3.3): all but unreserved characters as `%` and two digits.
pub fn escaped(segment: &str) -> String {
    let mut escaped = String::with_capacity(segment.len());
    for octet in segment.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(octet));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3986 §2.3: unreserved characters stay.
    #[test]
    fn rfc3986_2_3_what_is_not_unreserved_is_escaped() {
        assert_eq!(escaped("example.com."), "example.com.");
        assert_eq!(escaped("0/25.a\\.b.example."), "0%2F25.a%5C.b.example.");
    }
}
