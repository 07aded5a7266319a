//! DNS over HTTPS (RFC 8484) over HTTP/2 and HTTP/3, as hickory's clients, kdig and bare clients see it.

mod support;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::{Buf, Bytes};
use hickory_net::h2::HttpsClientStream;
use hickory_net::h3::H3ClientStream;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::{DnsRequestSender, FirstAnswer};
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use http::{Method, Request, StatusCode};
use port53_resolver::serve::{Settings, TcpLimits};
use port53_resolver::traffic::{Closed, Transport};
use rustls::pki_types::{CertificateDer, ServerName};
use std::process::Command;
use std::sync::Arc;
use support::tls::*;
use support::*;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const BIG: &str = "big.example.com.";

/// A bare client of either version of HTTP.
enum Http {
    Two(h2::client::SendRequest<Bytes>),
    Three(h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>),
}

struct Got {
    status: StatusCode,
    max_age: Option<String>,
    body: Vec<u8>,
}

impl Http {
    async fn two(server: &Server, trusted: &CertificateDer<'static>) -> Self {
        let stream = TcpStream::connect(server.encrypted.https[0]).await.expect("connects");
        let connector = TlsConnector::from(Arc::new(client(trusted, &["h2"])));
        let name = ServerName::try_from(NAME).expect("a name");
        let stream = connector.connect(name, stream).await.expect("TLS");
        let (send, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        Http::Two(send)
    }

    async fn three(server: &Server, trusted: &CertificateDer<'static>) -> Self {
        let connection =
            connect_quic(server.encrypted.https[0], client(trusted, &["h3"])).await.expect("connects");
        let connection = h3_quinn::Connection::new(connection);
        let (mut driver, send) = h3::client::new(connection).await.expect("HTTP/3");
        tokio::spawn(async move { driver.wait_idle().await });
        Http::Three(send)
    }

    async fn send(&mut self, request: Request<()>, body: &[u8]) -> Result<Got, String> {
        timeout(PATIENCE, async {
            match self {
                Http::Two(send) => {
                    let mut ready = send.clone().ready().await.map_err(|error| error.to_string())?;
                    let sent = ready.send_request(request, body.is_empty());
                    let (response, mut stream) = sent.map_err(|error| error.to_string())?;
                    if !body.is_empty() {
                        let _ = stream.send_data(Bytes::copy_from_slice(body), true);
                    }
                    let (head, mut stream) = response.await.map_err(|error| error.to_string())?.into_parts();
                    let mut octets = Vec::new();
                    while let Some(piece) = stream.data().await {
                        let piece = piece.map_err(|error| error.to_string())?;
                        let _ = stream.flow_control().release_capacity(piece.len());
                        octets.extend(piece);
                    }
                    Ok(got(&head, octets))
                }
                Http::Three(send) => {
                    let mut stream = send.send_request(request).await.map_err(|error| error.to_string())?;
                    if !body.is_empty() {
                        let _ = stream.send_data(Bytes::copy_from_slice(body)).await;
                    }
                    let _ = stream.finish().await;
                    let response = stream.recv_response().await.map_err(|error| error.to_string())?;
                    let (head, ()) = response.into_parts();
                    let mut octets = Vec::new();
                    while let Some(mut piece) = stream.recv_data().await.map_err(|error| error.to_string())? {
                        octets.extend(piece.copy_to_bytes(piece.remaining()));
                    }
                    Ok(got(&head, octets))
                }
            }
        })
        .await
        .expect("in time")
    }
}

fn got(head: &http::response::Parts, body: Vec<u8>) -> Got {
    let max_age = head.headers.get("cache-control").map(|value| value.to_str().expect("text").to_owned());
    Got { status: head.status, max_age, body }
}

fn head(method: Method, path: &str, media: Option<&str>) -> Request<()> {
    let request = Request::builder().method(method).uri(format!("https://{NAME}{path}"));
    let request = match media {
        Some(media) => request.header("content-type", media),
        None => request,
    };
    request.body(()).expect("a request")
}

const MEDIA: Option<&str> = Some("application/dns-message");

#[tokio::test(flavor = "multi_thread")]
async fn hickory_is_answered_over_http_2_and_http_3() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let address = server.encrypted.https[0];
    let two = Arc::new(client(&trusted, &["h2"]));
    let mut two = HttpsClientStream::builder(two, TokioRuntimeProvider::new())
        .build(address, NAME.into(), "/dns-query".into())
        .await
        .expect("connects");
    let mut three = H3ClientStream::builder()
        .crypto_config(client(&trusted, &["h3"]))
        .build(address, NAME.into(), "/dns-query".into())
        .await
        .expect("connects");
    for _ in 0..150 {
        let answer = two.send_message(request(WWW, RecordType::A)).first_answer().await.expect("an answer");
        assert_eq!(values(&answer), ["192.0.2.1"]);
        let answer = three.send_message(request(WWW, RecordType::A)).first_answer().await.expect("an answer");
        assert_eq!(values(&answer), ["192.0.2.1"]);
    }
    let answer = two.send_message(request(BIG, RecordType::TXT)).first_answer().await.expect("an answer");
    assert_eq!(answer.answers.len(), 12);
    let answer = three.send_message(request(BIG, RecordType::TXT)).first_answer().await.expect("an answer");
    assert_eq!(answer.answers.len(), 12);
    assert_eq!(server.traffic.totals(Transport::Https).received, 302);
    server.stop().await;
}

/// kdig shares no code with us; its HTTP is nghttp2.
#[tokio::test(flavor = "multi_thread")]
async fn kdig_is_answered_by_post_and_get() {
    let publisher = published();
    let dir = TempDir::new().expect("a directory");
    write(dir.path(), &issue());
    let settings = Settings { certificate: Some(certificate_in(dir.path())), ..hasty() };
    let server = start_encrypted(&publisher, settings);
    let address = server.encrypted.https[0];
    for method in [&["+https"][..], &["+https", "+https-get"]] {
        let output = Command::new("kdig")
            .args([format!("@{}", address.ip()), format!("-p{}", address.port())])
            .arg(format!("+tls-ca={}", dir.path().join("tls.crt").display()))
            .args([&format!("+tls-hostname={NAME}"), WWW, "A"])
            .args(method)
            .output()
            .expect("kdig of the package knot-dnsutils");
        let text = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("192.0.2.1"), "{method:?} {text}{error}");
    }
    server.stop().await;
}

/// RFC 8484 §4.1: GET and POST; §4.2.1: an error of DNS is 200 in HTTP; §5.1: the freshness of the answer.
#[tokio::test(flavor = "multi_thread")]
async fn rfc8484_4_1_get_and_post_over_http_2_and_http_3() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    for mut http in [Http::two(&server, &trusted).await, Http::three(&server, &trusted).await] {
        let octets = query(0, WWW, RecordType::A);
        let path = format!("/dns-query?dns={}", BASE64_URL_SAFE_NO_PAD.encode(&octets));
        let get = http.send(head(Method::GET, &path, None), b"").await.expect("a response");
        let post = http.send(head(Method::POST, "/dns-query", MEDIA), &octets).await.expect("a response");
        for got in [get, post] {
            assert_eq!((got.status, got.max_age.as_deref()), (StatusCode::OK, Some("max-age=300")));
            assert_eq!(values(&Message::from_vec(&got.body).expect("a message")), ["192.0.2.1"]);
        }
        let refused = query(0, "example.org.", RecordType::A);
        let got = http.send(head(Method::POST, "/dns-query", MEDIA), &refused).await.expect("a response");
        assert_eq!((got.status, got.max_age.as_deref()), (StatusCode::OK, Some("max-age=0")));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_query_has_its_status() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let octets = query(0, WWW, RecordType::A);
    let mut response = octets.clone();
    response[2] |= 0x80;
    let long = vec![0; 65_536];
    for mut http in [Http::two(&server, &trusted).await, Http::three(&server, &trusted).await] {
        for (method, path, media, body, status) in [
            (Method::POST, "/", MEDIA, &octets, 404),
            (Method::POST, "/dns-query", None, &octets, 415),
            (Method::PUT, "/dns-query", MEDIA, &octets, 405),
            (Method::GET, "/dns-query", None, &Vec::new(), 400),
            (Method::GET, "/dns-query?dns=_", None, &Vec::new(), 400),
            (Method::POST, "/dns-query", MEDIA, &response, 400),
            (Method::POST, "/dns-query", MEDIA, &vec![1, 2, 3], 400),
            (Method::POST, "/dns-query", MEDIA, &long, 413),
        ] {
            let got = http.send(head(method.clone(), path, media), body).await.expect("a response");
            assert_eq!(got.status.as_u16(), status, "{method} {path}");
            assert!(got.body.is_empty());
        }
        // And the connection goes on.
        let got = http.send(head(Method::POST, "/dns-query", MEDIA), &octets).await.expect("a response");
        assert_eq!(got.status, StatusCode::OK);
    }
    server.stop().await;
}

/// Header fields have a bound of 16 KiB.
#[tokio::test(flavor = "multi_thread")]
async fn header_fields_without_end_are_refused() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    for mut http in [Http::two(&server, &trusted).await, Http::three(&server, &trusted).await] {
        let path = format!("/dns-query?dns={}", "A".repeat(40_000));
        let refused = match http.send(head(Method::GET, &path, None), b"").await {
            Ok(got) => got.status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Err(_) => true,
        };
        assert!(refused);
    }
    assert_eq!(server.traffic.totals(Transport::Https).received, 0);
    server.stop().await;
}

/// h3 would keep a frame of any length until all of it is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_of_http_3_without_end_is_cut_off() {
    let publisher = published();
    let tcp = TcpLimits { query: PATIENCE, idle: PATIENCE, ..Default::default() };
    let (server, trusted) = serving(&publisher, tcp);
    let connection =
        connect_quic(server.encrypted.https[0], client(&trusted, &["h3"])).await.expect("connects");
    let (mut send, _receive) = connection.open_bi().await.expect("a stream");
    // HEADERS with a length of 2^30 - 1 (RFC 9114 §7.1).
    send.write_all(&[1, 0xbf, 0xff, 0xff, 0xff]).await.expect("sends");
    let mut sent = 0;
    let block = [0; 4096];
    while let Ok(Ok(())) = timeout(PATIENCE, send.write_all(&block)).await {
        sent += block.len();
        assert!(sent < 1 << 20, "taken without end");
    }
    assert!(sent >= 65_536, "as much as the largest request has: {sent}");
    server.abandon().await;
}

/// CVE-2023-44487: requests that are reset as soon as they are sent.
#[tokio::test(flavor = "multi_thread")]
async fn rapid_reset_ends_the_connection_and_others_are_answered() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let Http::Two(attacker) = Http::two(&server, &trusted).await else { panic!("HTTP/2") };
    for _ in 0..10_000 {
        let Ok(mut ready) = attacker.clone().ready().await else { break };
        let request = head(Method::POST, "/dns-query", MEDIA);
        let Ok((_response, mut stream)) = ready.send_request(request, false) else { break };
        stream.send_reset(h2::Reason::CANCEL);
    }
    let mut other = Http::two(&server, &trusted).await;
    let octets = query(0, WWW, RecordType::A);
    let got = other.send(head(Method::POST, "/dns-query", MEDIA), &octets).await.expect("a response");
    assert_eq!(got.status, StatusCode::OK);
    server.stop().await;
}

/// A client that takes no answer holds up itself only.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_no_answers_does_not_keep_others_out() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let Http::Two(lazy) = Http::two(&server, &trusted).await else { panic!("HTTP/2") };
    let octets = query(0, BIG, RecordType::TXT);
    let path = format!("/dns-query?dns={}", BASE64_URL_SAFE_NO_PAD.encode(&octets));
    let mut held = Vec::new();
    for _ in 0..32 {
        let mut ready = lazy.clone().ready().await.expect("open");
        let (response, _) = ready.send_request(head(Method::GET, &path, None), true).expect("sends");
        held.push(response);
    }
    let mut other = Http::two(&server, &trusted).await;
    let got = other.send(head(Method::GET, &path, None), b"").await.expect("a response");
    assert_eq!(Message::from_vec(&got.body).expect("a message").answers.len(), 12);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_cap_the_longest_unused_connection_goes() {
    let publisher = published();
    let (server, trusted) =
        serving(&publisher, TcpLimits { connections: caps(2, 2), idle: PATIENCE, ..Default::default() });
    let octets = query(0, WWW, RecordType::A);
    let post = || head(Method::POST, "/dns-query", MEDIA);
    let mut first = Http::two(&server, &trusted).await;
    first.send(post(), &octets).await.expect("a response");
    let mut second = Http::three(&server, &trusted).await;
    second.send(post(), &octets).await.expect("a response");
    let mut third = Http::two(&server, &trusted).await;
    third.send(post(), &octets).await.expect("a response");
    first.send(post(), &octets).await.err().expect("evicted");
    assert_eq!(server.traffic.closed(Transport::Https, Closed::Evicted), 1);
    second.send(post(), &octets).await.expect("a response");
    server.stop().await;
}

/// A request in flight when we leave is answered.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_answers_what_is_in_flight() {
    let publisher = published();
    let octets = query(0, BIG, RecordType::TXT);
    let post = || head(Method::POST, "/dns-query", MEDIA);

    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let Http::Two(send) = Http::two(&server, &trusted).await else { panic!("HTTP/2") };
    let mut ready = send.clone().ready().await.expect("open");
    let (response, mut body) = ready.send_request(post(), false).expect("sends");
    body.send_data(Bytes::copy_from_slice(&octets[..9]), false).expect("sends");
    // Once a later request is answered, the first one has come.
    Http::Two(send).send(post(), &octets).await.expect("a response");
    server.leave.cancel();
    body.send_data(Bytes::copy_from_slice(&octets[9..]), true).expect("sends");
    assert_eq!(response.await.expect("a response").status(), StatusCode::OK);
    server.stop().await;

    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let Http::Three(mut send) = Http::three(&server, &trusted).await else { panic!("HTTP/3") };
    let mut stream = send.send_request(post()).await.expect("sends");
    stream.send_data(Bytes::copy_from_slice(&octets[..9])).await.expect("sends");
    let mut later = Http::Three(send);
    later.send(post(), &octets).await.expect("a response");
    server.leave.cancel();
    stream.send_data(Bytes::copy_from_slice(&octets[9..])).await.expect("sends");
    stream.finish().await.expect("finishes");
    assert_eq!(stream.recv_response().await.expect("a response").status(), StatusCode::OK);
    drop((later, stream));
    server.stop().await;
}
