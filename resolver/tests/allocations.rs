//! No allocation on the path of a UDP query, from the socket and back to it: all that this process allocates is
//! counted while it answers.

mod support;

use hickory_proto::rr::RecordType;
use port53_resolver::serve::{self, Listeners};
use port53_resolver::source::Publisher;
use port53_resolver::traffic::Traffic;
use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::*;
use tokio_util::sync::CancellationToken;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written without; it only counts and passes on")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Queries sent before their answers are read, so that they come in batches.
const TOGETHER: usize = 50;

/// The client allocates nothing while it asks, and so does everything else in this process.
#[test]
fn answering_over_udp_allocates_and_frees_nothing() {
    let publisher = Publisher::new();
    publisher.put(image("example.com.", 7, "192.0.2.1", 2_000)).expect("new");
    publisher.assembling(zone_name("later.test."));
    let names = [
        ("www.example.com.", RecordType::A),
        ("host77.example.com.", RecordType::A),
        ("host77.example.com.", RecordType::AAAA),
        ("none.example.com.", RecordType::A),
        ("example.com.", RecordType::ANY),
        ("big.example.com.", RecordType::TXT),
        ("example.org.", RecordType::A),
        ("www.later.test.", RecordType::A),
    ];
    let mut queries: Vec<Vec<u8>> = names.iter().map(|(name, rtype)| query(1, name, *rtype)).collect();
    // Malformed, too long, of another opcode.
    queries.push(queries[0][..20].to_vec());
    queries.push([&queries[0][..], &[0; 5_000]].concat());
    queries.push(queries[0].iter().enumerate().map(|(at, &o)| if at == 2 { 0x20 } else { o }).collect());

    for (bound, asked) in
        [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")]
    {
        let listeners = Listeners::bind(&[bound.parse().expect("an address")], 1).expect("a free port");
        let address = SocketAddr::new(asked.parse().expect("an address"), listeners.addresses()[0].port());
        let (traffic, leave) = (Arc::new(Traffic::default()), CancellationToken::new());
        let run = serve::run(listeners, publisher.zones(), hasty(), traffic.clone(), leave.clone());
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(run).expect("served")
        });
        let client = UdpSocket::bind((asked, 0)).expect("a socket");
        client.connect(address).expect("connects");
        client.set_read_timeout(Some(PATIENCE)).expect("sets");
        // What is made once, such as the key of the hashes, is made by the first round.
        ask(&client, &queries, 1);
        let before = ALLOCATIONS.load(Ordering::SeqCst);
        ask(&client, &queries, 20);
        let after = ALLOCATIONS.load(Ordering::SeqCst);
        assert_eq!(after - before, 0, "on {bound}");
        leave.cancel();
        server.join().expect("no panic");
        let udp = traffic.totals(port53_resolver::traffic::Transport::Udp);
        assert_eq!(udp.received, (21 * TOGETHER * queries.len()) as u64, "all of them were counted");
    }
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    drop(vec![0u8; 100]);
    assert!(ALLOCATIONS.load(Ordering::SeqCst) > before, "the allocator counts");
}

fn ask(client: &UdpSocket, queries: &[Vec<u8>], rounds: usize) {
    let mut answer = [0; 4096];
    for query in (0..rounds).flat_map(|_| queries) {
        for _ in 0..TOGETHER {
            client.send(query).expect("sends");
        }
        for _ in 0..TOGETHER {
            client.recv(&mut answer).expect("an answer");
        }
    }
}
