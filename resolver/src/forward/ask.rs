//! A question to legacy: to its first address, and once more to the next when half of the time is over, or as soon as
//! the first has failed. What says nothing within the time has failed.

use super::counts::Instead;
use super::exchange::{Over, Said, exchange};
use super::server::{Server, Use, clock};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use port53_zone::answer::forward::{Answer, Question};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Why there is no answer, and what legacy said instead of one.
#[derive(Debug)]
pub(super) struct NoAnswer {
    pub(super) why: Instead,
    pub(super) refusal: Option<Answer>,
}

impl NoAnswer {
    pub(super) fn because(why: Instead) -> Self {
        NoAnswer { why, refusal: None }
    }
}

/// Asks those of `servers` that are worth waiting for, within `timeout`. Those whose turn it is to show that they are
/// back are asked `probe` beside that, which is no client's question: there may be some that legacy never answers.
pub(super) async fn ask(
    servers: &[Arc<Server>],
    question: &Question,
    probe: impl Fn() -> Question,
    over: Over,
    timeout: Duration,
) -> Result<Answer, NoAnswer> {
    let mut in_use = Vec::new();
    for server in servers {
        match server.may_be_asked(clock()) {
            Use::Yes => in_use.push(server),
            Use::Probe => look_for(server.clone(), probe(), timeout),
            Use::No => {}
        }
    }
    let Some(first) = in_use.first() else { return Err(NoAnswer::because(Instead::GivenUp)) };
    let second = in_use.get(1).unwrap_or(first);
    let begun = Instant::now();
    let attempt = |server: &Arc<Server>| {
        let server = server.clone();
        async move { (exchange(&server, question, over).await, server) }
    };
    let mut attempts = FuturesUnordered::from_iter([attempt(first)]);
    // Who said nothing yet, since when.
    let mut silent = vec![((*first).clone(), begun)];
    // Who failed, each once a question.
    let mut failed: Vec<Arc<Server>> = Vec::new();
    let mut fails = |server: &Arc<Server>| {
        if !failed.iter().any(|other| Arc::ptr_eq(other, server)) {
            failed.push(server.clone());
            server.failed(clock());
        }
    };
    let mut refusal = None;
    let mut next = Some(*second);
    loop {
        let half = sleep_until(begun + timeout / 2);
        let ended = tokio::select! {
            Some(ended) = attempts.next() => Some(ended),
            () = half, if next.is_some() => None,
            () = sleep_until(begun + timeout) => {
                silent.iter().for_each(|(server, _)| fails(server));
                let why = if refusal.is_some() { Instead::Refused } else { Instead::Timeout };
                return Err(NoAnswer { why, refusal });
            }
        };
        if let Some((said, server)) = ended {
            silent.retain(|(other, _)| !Arc::ptr_eq(other, &server));
            match said {
                Ok(Said::Answer(answer)) => {
                    server.answered();
                    let has_had_time = |since: &Instant| since.elapsed() >= timeout / 2;
                    let silent = silent.iter().filter(|(_, since)| has_had_time(since));
                    silent.for_each(|(server, _)| fails(server));
                    return Ok(answer);
                }
                Ok(Said::Refused(answer)) => {
                    server.answered();
                    refusal = Some(answer);
                }
                Err(error) => {
                    tracing::debug!(legacy = %server.address, %error, "no answer");
                    fails(&server);
                }
            }
        }
        match next.take() {
            Some(server) => {
                attempts.push(attempt(server));
                if !silent.iter().any(|(other, _)| Arc::ptr_eq(other, server)) {
                    silent.push((server.clone(), Instant::now()));
                }
            }
            None if attempts.is_empty() => {
                let why = if refusal.is_some() { Instead::Refused } else { Instead::Failed };
                return Err(NoAnswer { why, refusal });
            }
            None => {}
        }
    }
}

/// Asks a server that was given up, for nobody but itself.
fn look_for(server: Arc<Server>, question: Question, timeout: Duration) {
    tokio::spawn(async move {
        match tokio::time::timeout(timeout, exchange(&server, &question, Over::Udp)).await {
            Ok(Ok(_)) => server.answered(),
            Ok(Err(_)) | Err(_) => server.failed(clock()),
        }
    });
}
