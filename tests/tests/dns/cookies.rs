//! DNS cookies by RFC 9018 are the same whoever makes them: a client may learn one of BIND and show it to us, and
//! the other way round, when both have the same secret and answer behind one address.

use port53_tests::process::{self, Process};
use port53_tests::{PATIENCE, eventually};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
const CLIENT_COOKIE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
const NOERROR: u16 = 0;
const REFUSED: u16 = 5;
const BADCOOKIE: u16 = 23;

const BIND: &str = r#"
options {
  directory "DIR";
  listen-on port PORT { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file none;
  lock-file none;
  session-keyfile "DIR/session.key";
  managed-keys-directory "DIR";
  recursion no;
  dnssec-validation no;
  cookie-secret "SECRET";
  require-server-cookie yes;
};
controls { };
"#;

#[test]
fn rfc9018_cookies_of_bind_are_ours_and_ours_are_those_of_bind() {
    let dir = TempDir::new().expect("a temporary directory");
    let (mut bind, bind_address) = start_bind(dir.path());
    let mut ours = start_ours(dir.path());
    let our_address = eventually("the resolver", || {
        assert!(!ours.has_ended(), "it ended and printed:\n{}", ours.output());
        listening(&ours.output()).ok_or("no address".to_owned())
    });
    eventually("BIND", || {
        assert!(!bind.has_ended(), "it ended and printed:\n{}", bind.output());
        ask(bind_address, &CLIENT_COOKIE).map_err(|error| error.to_string())
    });
    for (first, second) in [(bind_address, our_address), (our_address, bind_address)] {
        // Both want a cookie of a server, and give one.
        let (rcode, cookie) = ask(first, &CLIENT_COOKIE).expect("an answer");
        assert_eq!((rcode, cookie.len()), (BADCOOKIE, 24), "{first}");
        let (rcode, again) = ask(second, &cookie).expect("an answer");
        assert!(matches!(rcode, NOERROR | REFUSED), "{second} takes the cookie of {first}: {rcode}");
        assert_eq!(again, cookie, "{second} keeps the cookie of {first}");
        // Another is nobody's.
        let mut other = cookie;
        other[23] ^= 1;
        assert_eq!(ask(second, &other).expect("an answer").0, BADCOOKIE, "{second}");
    }
}

fn start_bind(dir: &Path) -> (Process, SocketAddr) {
    // A port that is free at this moment.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let port = address.port().to_string();
    let text =
        BIND.replace("DIR", dir.to_str().expect("UTF-8")).replace("PORT", &port).replace("SECRET", SECRET);
    let file = dir.join("named.conf");
    fs::write(&file, text).expect("a configuration");
    let mut command = Command::new(process::find("named"));
    command.args(["-g", "-n", "1", "-c"]).arg(file).current_dir(dir);
    (Process::start("named", command, dir), address)
}

fn start_ours(dir: &Path) -> Process {
    let secret = dir.join("secret");
    fs::write(&secret, SECRET).expect("a secret");
    let mut command = Command::new(env!("CARGO_BIN_EXE_port53-resolver-tested"));
    command.args([
        "--source=disk",
        "--listen=127.0.0.1:0",
        "--health-listen=127.0.0.1:0",
        "--log-format=text",
    ]);
    command.arg("--require-cookies=true").arg("--cache-dir").arg(dir.join("cache"));
    command.arg("--cookie-secret-file").arg(secret);
    Process::start("port53-resolver", command, dir)
}

/// The address in the line `listening addresses=[127.0.0.1:1234] …`, once it is served.
fn listening(output: &str) -> Option<SocketAddr> {
    output.lines().find(|line| line.contains("all that is served"))?;
    let line = output.lines().find(|line| line.contains("addresses=["))?;
    line.split_once("addresses=[")?.1.split_once("] ")?.0.parse().ok()
}

/// Asks for something that nobody has, with this cookie: rcode and the cookie that comes back.
fn ask(server: SocketAddr, cookie: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let mut query = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x04test\x00\x00\x01\x00\x01".to_vec();
    query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4 + cookie.len() as u8]);
    query.extend_from_slice(&[0, 10, 0, cookie.len() as u8]);
    query.extend_from_slice(cookie);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(&query)?;
    let mut answer = [0; 4096];
    let len = socket.recv(&mut answer)?;
    let answer = &answer[..len];
    let opt = answer.windows(3).rposition(|three| three == [0, 0, 41]).expect("an OPT");
    let option = answer.windows(4).position(|four| four == [0, 10, 0, 24]).expect("a whole cookie");
    let rcode = u16::from(answer[opt + 5]) << 4 | u16::from(answer[3] & 0x0f);
    Ok((rcode, answer[option + 4..option + 28].to_vec()))
}
