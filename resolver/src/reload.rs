//! Reading the settings again, on SIGHUP and when a file of them has changed, while queries are answered.
//!
//! ```text
//! SIGHUP, or other octets in a file ──▶ read and check all ──▶ swap one pointer
//!                                              └─ anything wrong: nothing changes, and it is said
//! ```
//!
//! What is answered and how often ([`limits::Answering`]) and the directives of the log are taken over; of other
//! settings that have changed it is said that they need a new process. A secret of cookies that was drawn stays.
//! Files are compared by what is in them, because a Secret or ConfigMap that is mounted changes by symbolic links.

use crate::config::Given;
use crate::limits;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// The settings that are taken over, beside those of answering.
const LOG: &str = "log";

/// What became of it, for the metrics.
#[derive(Debug, Default)]
pub struct ReloadStatus {
    /// Settings that were read again and taken over.
    pub done: AtomicU64,
    /// Settings that were read again and were wrong.
    pub refused: AtomicU64,
    /// Whether those in the files are wrong now.
    pub is_refused: AtomicBool,
}

/// Sets the directives of the log.
pub type SetLog = Box<dyn Fn(&str) + Send + Sync>;

/// Who reads the settings again.
pub struct Reload {
    /// The command line.
    line: Vec<OsString>,
    /// What is in effect, but for what needs a new process.
    given: Given,
    answering: limits::Shared,
    set_log: SetLog,
    status: Arc<ReloadStatus>,
    hangup: Signal,
}

impl Reload {
    /// Prepares it. From now on SIGHUP does not end the process.
    ///
    /// # Errors
    /// When the system does not let us have the signal.
    pub fn new(
        line: Vec<OsString>,
        given: Given,
        answering: limits::Shared,
        set_log: SetLog,
        status: Arc<ReloadStatus>,
    ) -> std::io::Result<Self> {
        let hangup = signal(SignalKind::hangup())?;
        Ok(Reload { line, given, answering, set_log, status, hangup })
    }

    /// Does it until dropped.
    pub async fn run(mut self) {
        let mut seen = self.read_files().await;
        let mut looks = tokio::time::interval(LOOK);
        loop {
            let is_told = tokio::select! {
                told = self.hangup.recv() => told.is_some(),
                _ = looks.tick() => false,
            };
            let now = self.read_files().await;
            if is_told || now != seen {
                seen = now;
                self.read_again();
            }
        }
    }

    async fn read_files(&self) -> Vec<Option<Vec<u8>>> {
        let mut all = Vec::new();
        for file in self.given.files() {
            all.push(tokio::fs::read(file).await.ok());
        }
        all
    }

    fn read_again(&mut self) {
        let given = match Given::read(&self.line) {
            Ok(given) => given,
            Err(error) => return self.refuse(&[error.to_string()]),
        };
        let config = match given.check() {
            Ok(config) => config,
            Err(wrong) => return self.refuse(&wrong),
        };
        let changed = given.changed(&self.given);
        let is_taken = |name: &String| *name == LOG || Given::is_of_answering(name);
        let (taken, needs_restart): (Vec<String>, Vec<String>) = changed.into_iter().partition(is_taken);
        let mut answering = config.serve.answering.load().as_ref().clone();
        let drew_before = self.given.arguments.answering.draws_secret();
        let old = self.answering.load();
        if given.arguments.answering.draws_secret()
            && drew_before
            && !old.answer.cookies.is_empty()
            && !answering.answer.cookies.is_empty()
        {
            answering.answer.cookies = old.answer.cookies.clone();
        }
        self.answering.store(Arc::new(answering));
        (self.set_log)(&config.log);
        self.status.done.fetch_add(1, Relaxed);
        self.status.is_refused.store(false, Relaxed);
        tracing::info!(?taken, "settings were read again");
        if !needs_restart.is_empty() {
            tracing::warn!(?needs_restart, "these settings have changed and need a new process");
        }
        self.given = given;
    }

    fn refuse(&self, wrong: &[String]) {
        self.status.refused.fetch_add(1, Relaxed);
        self.status.is_refused.store(true, Relaxed);
        for wrong in wrong {
            tracing::error!("settings stay as they were: {wrong}");
        }
    }
}
