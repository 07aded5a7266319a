//! What every program of ours does at its ends: it leaves when it is told to, and says an error with its causes.

use std::error::Error;
use tokio::signal::unix::{SignalKind, signal};

/// Calls `told` on the first SIGTERM or SIGINT. From now on neither ends the process by itself.
///
/// # Errors
/// When the system does not let signals be heard.
pub fn on_signal(told: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told();
    });
    Ok(())
}

/// An error with all that caused it, each said once.
pub fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source()).map(ToString::to_string);
    causes.fold(error.to_string(), |text, cause| match text.ends_with(&cause) {
        true => text,
        false => format!("{text}: {cause}"),
    })
}
