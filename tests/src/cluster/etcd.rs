//! What tests do to etcd itself, by its JSON gateway.

use super::Cluster;
use crate::PATIENCE;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

impl Cluster {
    /// Forgets all versions but the newest of each object: a watch that would go on from an older one cannot.
    ///
    /// # Panics
    /// With what etcd says when it does not.
    pub fn compact(&self) {
        let first = self.etcd("/v3/kv/range", &json!({"key": "AA==", "limit": 1}));
        let revision = &first["header"]["revision"];
        let done = self.etcd("/v3/kv/compaction", &json!({"revision": revision, "physical": true}));
        assert!(done["header"].is_object(), "{done}");
    }

    fn etcd(&self, path: &str, body: &Value) -> Value {
        let host = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.etcd));
        let mut stream = self.within(|| TcpStream::connect(host)).expect("etcd listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let body = body.to_string();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it is answered");
        let (_, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("etcd says {body:?}: {error}"))
    }
}
