//! DNS over TLS (RFC 7858) through real handshakes, and certificates that change.

mod support;

use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use port53_resolver::serve::{Settings, TcpLimits};
use port53_resolver::traffic::{Closed, Transport};
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;
use support::tls::*;
use support::*;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Message {
    let length = stream.read_u16().await.expect("a length");
    let mut octets = vec![0; usize::from(length)];
    stream.read_exact(&mut octets).await.expect("a message");
    Message::from_vec(&octets).expect("a message")
}

/// RFC 7858 §3.3: as over TCP, pipelined. RFC 8310: the protocol is `dot`.
#[tokio::test(flavor = "multi_thread")]
async fn rfc7858_3_3_queries_over_tls_are_answered_in_order() {
    let publisher = published();
    let (settings, trusted) = with_certificate(hasty());
    let server = start_encrypted(&publisher, settings);
    for protocols in [&["dot"][..], &[]] {
        let stream = connect_tls(&server, client(&trusted, protocols)).await.expect("connects");
        assert_eq!(stream.get_ref().1.alpn_protocol(), protocols.first().map(|p| p.as_bytes()));
        let queries: Vec<u8> =
            (0..200).flat_map(|id| framed(&query(id, "big.example.com.", RecordType::TXT))).collect();
        let (mut receive, mut send) = tokio::io::split(stream);
        let sender = tokio::spawn(async move { send.write_all(&queries).await.map(|()| send) });
        for id in 0..200 {
            let answer = read(&mut receive).await;
            assert_eq!((answer.metadata.id, answer.answers.len()), (id, 12));
        }
        sender.await.expect("no panic").expect("sends");
    }
    assert_eq!(server.traffic.totals(Transport::Tls).queries, [("TXT", "NOERROR", 400)]);
    server.stop().await;
}

/// RFC 7301 §3.2: no common protocol is no connection.
#[tokio::test(flavor = "multi_thread")]
async fn rfc7301_3_2_another_protocol_is_refused() {
    let publisher = published();
    let (settings, trusted) = with_certificate(hasty());
    let server = start_encrypted(&publisher, settings);
    connect_tls(&server, client(&trusted, &["h2"])).await.expect_err("not spoken here");
    eventually("counted", || server.traffic.closed(Transport::Tls, Closed::Handshake) == 1);
    server.stop().await;
}

/// kdig shares no code with us. The chain is checked, and responses are padded (RFC 8467 §4.1).
#[tokio::test(flavor = "multi_thread")]
async fn kdig_is_answered_over_tls() {
    let publisher = published();
    let dir = TempDir::new().expect("a directory");
    write(dir.path(), &issue());
    let settings = Settings { certificate: Some(certificate_in(dir.path())), ..hasty() };
    let server = start_encrypted(&publisher, settings);
    let address = server.encrypted.tls[0];
    let output = Command::new("kdig")
        .args([format!("@{}", address.ip()), format!("-p{}", address.port())])
        .arg(format!("+tls-ca={}", dir.path().join("tls.crt").display()))
        .args([&format!("+tls-hostname={NAME}"), "+padding", "+keepopen", WWW, "A", WWW, "AAAA"])
        .output()
        .expect("kdig of the package knot-dnsutils");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("192.0.2.1") && text.contains("Received 468 B"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc7828_over_tls_the_idle_time_is_told() {
    let publisher = published();
    let (settings, trusted) = with_certificate(hasty());
    let server = start_encrypted(&publisher, settings);
    let mut stream = connect_tls(&server, client(&trusted, &["dot"])).await.expect("connects");
    let mut message = query(1, WWW, RecordType::A);
    message[11] = 1;
    message.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 11, 0, 0]);
    stream.write_all(&framed(&message)).await.expect("sends");
    let length = stream.read_u16().await.expect("a length");
    let mut octets = vec![0; usize::from(length)];
    stream.read_exact(&mut octets).await.expect("a message");
    assert!(octets.ends_with(&[0, 11, 0, 2, 0, 100]), "{octets:?}");
    server.stop().await;
}

/// Handshakes begun and left: the oldest goes, and who is quick is served.
#[tokio::test(flavor = "multi_thread")]
async fn a_hoard_of_handshakes_does_not_keep_others_out() {
    let publisher = published();
    let tcp = TcpLimits { handshakes: 8, handshake: PATIENCE, ..Default::default() };
    let (settings, trusted) = with_certificate(limits(tcp));
    let server = start_encrypted(&publisher, settings);
    let hoard: Vec<_> = (0..50).map(|_| connect(server.encrypted.tls[0])).collect();
    let mut stream = connect_tls(&server, client(&trusted, &["dot"])).await.expect("connects");
    stream.write_all(&framed(&query(1, WWW, RecordType::A))).await.expect("sends");
    assert_eq!(values(&read(&mut stream).await), ["192.0.2.1"]);
    // A quarter of eight is for one prefix.
    eventually("evicted", || server.traffic.closed(Transport::Tls, Closed::Evicted) >= 48);
    drop(hoard);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_has_a_time() {
    let publisher = published();
    let tcp = TcpLimits { handshake: Duration::from_millis(50), ..Default::default() };
    let (settings, _) = with_certificate(limits(tcp));
    let server = start_encrypted(&publisher, settings);
    let mut stream = connect(server.encrypted.tls[0]);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "closed");
    eventually("counted", || server.traffic.closed(Transport::Tls, Closed::Handshake) == 1);
    server.stop().await;
}

/// What is not TLS is no handshake, and a PROXY header from who is not trusted is not TLS.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_tls_ends_the_connection() {
    let publisher = published();
    let (settings, _) = with_certificate(hasty());
    let server = start_encrypted(&publisher, settings);
    for octets in [&framed(&query(1, WWW, RecordType::A))[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let mut stream = connect(server.encrypted.tls[0]);
        std::io::Write::write_all(&mut stream, octets).expect("sends");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() < 12, "no answer: {rest:?}");
    }
    eventually("counted", || server.traffic.closed(Transport::Tls, Closed::Handshake) == 2);
    server.stop().await;
}

/// RFC 8446 §6.1: the end is said, so that the client knows that nothing was cut off.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_end_is_answered_and_the_end_is_said() {
    let publisher = published();
    let (settings, trusted) = with_certificate(hasty());
    let server = start_encrypted(&publisher, settings);
    let mut stream = connect_tls(&server, client(&trusted, &["dot"])).await.expect("connects");
    stream.write_all(&framed(&query(1, WWW, RecordType::A))).await.expect("sends");
    assert_eq!(values(&read(&mut stream).await), ["192.0.2.1"]);
    server.stop().await;
    // rustls makes an error of an end that was not said.
    assert_eq!(stream.read(&mut [0]).await.expect("a clean end"), 0);
}

/// As Kubernetes does: the directory is a symlink that is put in the place of another.
fn point(dir: &TempDir, to: &str) {
    let next = dir.path().join("next");
    symlink(to, &next).expect("links");
    fs::rename(next, dir.path().join("current")).expect("renames");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_changes_by_a_symlink_is_taken_and_a_wrong_one_is_not() {
    let publisher = published();
    let dir = TempDir::new().expect("a directory");
    let (first, second, third) = (issue(), issue(), issue());
    for (name, pair) in [("first", &first), ("second", &second), ("third", &third)] {
        fs::create_dir(dir.path().join(name)).expect("a directory");
        write(&dir.path().join(name), pair);
    }
    // The key of another certificate; no certificate at all.
    fs::create_dir(dir.path().join("unpaired")).expect("a directory");
    write(&dir.path().join("unpaired"), &third);
    fs::copy(dir.path().join("first/tls.key"), dir.path().join("unpaired/tls.key")).expect("copies");
    fs::create_dir(dir.path().join("empty")).expect("a directory");
    point(&dir, "first");
    let certificate = certificate_in(&dir.path().join("current"));
    let settings = Settings { certificate: Some(certificate.clone()), ..hasty() };
    let server = start_encrypted(&publisher, settings);
    let connects = async |pair: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        connect_tls(&server, client(pair.cert.der(), &["dot"])).await
    };
    let mut old = connects(&first).await.expect("the first");

    point(&dir, "second");
    eventually("taken", || certificate.loads() == 2);
    connects(&second).await.expect("the second");
    connects(&first).await.expect_err("no more");

    for (failures, wrong) in [(1, "unpaired"), (2, "empty")] {
        point(&dir, wrong);
        eventually("noticed", || certificate.failures() == failures);
        assert!(certificate.is_wrong(), "{wrong}");
        connects(&second).await.expect("the one before");
    }

    point(&dir, "third");
    eventually("taken", || certificate.loads() == 3);
    assert!(!certificate.is_wrong());
    connects(&third).await.expect("the third");
    // Whoever was connected stays so.
    old.write_all(&framed(&query(1, WWW, RecordType::A))).await.expect("sends");
    assert_eq!(values(&read(&mut old).await), ["192.0.2.1"]);
    assert_eq!(certificate.failures(), 2, "each wrong one is told once");
    server.stop().await;
}

#[test]
fn wrong_files_at_the_start_are_told_by_name() {
    let dir = TempDir::new().expect("a directory");
    let read = || {
        let files = port53_resolver::serve::Files {
            certificate: dir.path().join("tls.crt"),
            key: dir.path().join("tls.key"),
        };
        let error = port53_resolver::serve::Certificate::read(files, PATIENCE).expect_err("wrong");
        error.to_string()
    };
    assert!(read().starts_with("cannot read ") && read().ends_with("tls.crt"), "{}", read());
    write(dir.path(), &issue());
    fs::write(dir.path().join("tls.key"), "no key").expect("writes");
    assert!(read().ends_with("tls.key holds no private key in PEM"), "{}", read());
    write(dir.path(), &issue());
    fs::write(dir.path().join("tls.crt"), issue().cert.pem()).expect("writes");
    assert!(read().contains("cannot be used with the certificate in"), "{}", read());
}
