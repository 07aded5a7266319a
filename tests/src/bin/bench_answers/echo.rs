//! The echo server: the batches of ours, and for an answer the query with QR set, as long as the answers of ours
//! are on average.

use port53_resolver::serve::Listeners;
use port53_resolver::serve::batch::{Batch, Wait};
use std::io;
use std::net::SocketAddr;

/// Answers until the process is ended.
pub(crate) fn run(listen: SocketAddr, octets: usize) -> io::Result<()> {
    let listeners = Listeners::bind(&[listen], 1).map_err(io::Error::other)?;
    let sockets = listeners.into_udp();
    let socket = sockets.first().ok_or(io::ErrorKind::NotFound)?;
    let mut batch = Batch::new(4096, listen.ip().is_unspecified());
    loop {
        if let Err(error) = batch.receive(socket, Wait::ForOne)
            && error.kind() != io::ErrorKind::WouldBlock
        {
            return Err(error);
        }
        batch.answer(|received, out| {
            let query = received.octets;
            let length = query.len().max(octets);
            out[..query.len()].copy_from_slice(query);
            out[query.len()..length].fill(0);
            *out.get_mut(2)? |= 0x80;
            Some(length)
        });
        batch.send(socket);
    }
}
