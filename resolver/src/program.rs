//! The program: binds, reads the cache, follows its source, serves, and leaves gracefully.

use crate::config::{Command, Config, Given, LogFormat};
use crate::disk::{self, DiskStatus};
use crate::forward::{self, Forwarder, Override, follow_override};
use crate::health::Health;
use crate::http;
use crate::kubernetes::{self, KubernetesStatus, Source};
use crate::metrics::Metrics;
use crate::reload::{Reload, ReloadStatus, SetLog};
use crate::serve::{self, Certificate, Ended, LOOK, Listeners, Settings};
use crate::source::{Publisher, SourceState};
use crate::traffic::Traffic;
use crate::transfer::Transfers;
use port53_client::{chain, on_signal};
use port53_secondaries::keys::{Directory, Keys};
use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Runs the resolver to its end, with the settings of command line, environment and file.
pub fn run() -> ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    let given = Given::read(&line).unwrap_or_else(|error| error.exit());
    let config = match given.check() {
        Ok(config) => config,
        Err(wrong) => {
            for line in wrong {
                eprintln!("error: {line}");
            }
            return ExitCode::from(2);
        }
    };
    match &given.command {
        Some(Command::Config) => {
            print!("{}", given.to_file());
            return ExitCode::SUCCESS;
        }
        Some(Command::Fallback(fallback)) => {
            return match forward::fall_back(&config.cache_dir, fallback) {
                Ok(said) => {
                    print!("{said}");
                    ExitCode::SUCCESS
                }
                Err(wrong) => {
                    eprintln!("error: {wrong}");
                    ExitCode::FAILURE
                }
            };
        }
        None => {}
    }
    let set_log = start_log(&config);
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(serve_with(config, line, given, set_log)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn serve_with(
    config: Config,
    line: Vec<OsString>,
    given: Given,
    set_log: SetLog,
) -> Result<(), Box<dyn Error>> {
    // Before anything that takes time: told to leave while it starts, it leaves as gracefully.
    let leave = leave_on_signal()?;
    let reloads = Arc::new(ReloadStatus::default());
    let reload = Reload::new(line, given, config.serve.answering.clone(), set_log, reloads.clone())?;
    tokio::spawn(reload.run());
    let certificate = config.certificate.map(|files| Certificate::read(files, LOOK)).transpose()?;
    let listeners = Listeners::bind(&config.listen, config.udp_threads)?.bind_encrypted(&config.encrypted)?;
    let health_listener = tokio::net::TcpListener::bind(config.health_listen)
        .await
        .map_err(|error| format!("cannot listen on {} (health): {error}", config.health_listen))?;
    let addresses = listeners.addresses();
    let encrypted = listeners.encrypted();
    if !encrypted.is_empty() {
        let (tls, quic, https) = (encrypted.tls, encrypted.quic, encrypted.https);
        tracing::info!(?tls, ?quic, ?https, "encrypted");
    }
    tracing::info!(?addresses, health = %health_listener.local_addr()?, "listening");

    let publisher = Publisher::new();
    let forwarder = Forwarder::start(&publisher, config.serve.answering.clone(), config.forward);
    match Override::read(&config.cache_dir) {
        Ok(over) => drop(publisher.set_override(over)),
        Err(why) => tracing::error!("the override of forwarding is not in effect: {why}"),
    }
    let left = CancellationToken::new();
    let transfers = Arc::new(Transfers::new(config.transfer, Keys::default()));
    let keys = config.tsig_keys.as_deref().map(Directory::new);
    let disk = Arc::new(DiskStatus::default());
    let loaded = disk::load(&config.cache_dir, &publisher, &transfers, &disk);
    let zones = loaded.zones;
    tracing::info!(zones, problems = loaded.problems.len(), "disk cache read");
    let writer = disk::Writer::start(
        &config.cache_dir,
        publisher.clone(),
        transfers.clone(),
        loaded,
        config.cache_interval,
        disk.clone(),
    )?;

    tokio::spawn(follow_override(publisher.clone(), config.cache_dir));
    let following = transfers.follow(&publisher, keys, left.clone())?;

    let kubernetes = config.source.map(|source| follow(source, &publisher, &transfers));
    if kubernetes.is_none() {
        publisher.source_is(SourceState::DiskOnly);
        // An empty cache tells nothing: who knows no zone at all is not ready.
        if zones > 0 {
            publisher.list_complete();
        }
        tracing::warn!("no source gives changes: the disk cache is all that is served");
    }

    let traffic = Arc::new(Traffic::default());
    let health = Health::new(publisher.clone(), &addresses, Some(disk.clone()), config.assembly_grace);
    let metrics = Metrics {
        traffic: traffic.clone(),
        publisher: publisher.clone(),
        disk: Some(disk),
        kubernetes,
        health: health.clone(),
        reloads,
        certificate: certificate.clone(),
        transfers: Some(transfers.clone()),
        forwarder: Some(forwarder.clone()),
        zones_with_metrics: config.zone_metrics,
    };
    let endpoints = tokio::spawn(http::serve(health_listener, metrics, left.clone()));
    tokio::spawn(health.clone().probe(addresses, leave.clone()));
    tokio::spawn(give_up_clients(health.clone(), config.drain_ready, leave.clone()));
    tokio::spawn(tell_if_alone(publisher.clone(), config.serve.drain.is_alone.clone(), leave.clone()));
    let settings = Settings { certificate, transfers, forwarder: Some(forwarder), ..config.serve };
    let ended = serve::run(listeners, publisher.zones(), settings, traffic, leave).await;
    health.serving_ended();
    writer.finish();
    left.cancel();
    // A panic of the thread was logged.
    let _ = tokio::task::spawn_blocking(|| following.join()).await;
    endpoints.await??;
    match ended? {
        Ended::Quiet => tracing::info!("left: nobody asked any more"),
        Ended::StillAsked => tracing::warn!("left while still being asked: the time to leave was up"),
    }
    Ok(())
}

/// How long it says that it is not ready, and how long that it is before it says so again. The kubelet asks every other
/// second, and believes what it hears three times, or that it is ready once. The first is long enough that kube-proxy
/// hears of it and nothing comes for five seconds: of a pod that stays, clients come back to one that is ready.
const NOT_READY: Duration = Duration::from_secs(20);
const READY_AGAIN: Duration = Duration::from_secs(4);

/// Told to leave, it stays ready for a while: where it is the only one, others have time to come. Who asks it after
/// that was led here once and is not led anywhere else before it says that it is not ready.
///
/// That may have to be said again. kube-proxy looks through its connections when something changes, and not again when
/// it has seen only a part of them, as the kernel tells it where many come and go meanwhile.
async fn give_up_clients(health: Arc<Health>, after: Duration, leave: CancellationToken) {
    leave.cancelled().await;
    tokio::time::sleep(after).await;
    loop {
        health.give_up_clients(true);
        tracing::info!("still here: not ready from now on, so that clients are led to others");
        tokio::time::sleep(NOT_READY).await;
        health.give_up_clients(false);
        tokio::time::sleep(READY_AGAIN).await;
    }
}

/// How long others may take to come back to an API server that is back. The kubelet, the endpoints controller and
/// kube-proxy must all have, before clients are led elsewhere; a reflector of client-go tries again after 30 seconds and
/// by chance up to twice that.
const OTHERS_COME_BACK: Duration = Duration::from_secs(60);

/// Told to leave, it looks whether the API server is gone, or was a moment ago: nobody leads clients elsewhere then.
async fn tell_if_alone(publisher: Publisher, is_alone: Arc<AtomicBool>, leave: CancellationToken) {
    leave.cancelled().await;
    let mut lost = None;
    loop {
        if matches!(publisher.source(), SourceState::Lost(_)) {
            lost = Some(Instant::now());
        }
        let is_so = lost.is_some_and(|lost| lost.elapsed() < OTHERS_COME_BACK);
        is_alone.store(is_so, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Follows the API server beside everything else, until this process ends: also while it leaves.
fn follow(source: Source, publisher: &Publisher, transfers: &Arc<Transfers>) -> Arc<KubernetesStatus> {
    let status = Arc::new(KubernetesStatus::default());
    tokio::spawn(kubernetes::run(source, publisher.clone(), transfers.clone(), status.clone()));
    status
}

/// Cancelled on the first SIGTERM or SIGINT.
fn leave_on_signal() -> std::io::Result<CancellationToken> {
    let leave = CancellationToken::new();
    let told = leave.clone();
    on_signal(move || {
        tracing::info!("told to leave: answering until nobody asks");
        told.cancel();
    })?;
    Ok(leave)
}

/// Starts the log, and gives a way to change its directives.
fn start_log(config: &Config) -> SetLog {
    // The directives were checked with the other settings.
    let filter = EnvFilter::new(&config.log);
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(std::io::stderr);
    // The log is there as long as the process, so changing it does not fail.
    match config.log_format {
        LogFormat::Text => {
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |directives| drop(handle.reload(EnvFilter::new(directives))))
        }
        LogFormat::Json => {
            let log = log.json().with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |directives| drop(handle.reload(EnvFilter::new(directives))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Virtual time: a kubelet that asks every other second must hear it three times in a row, and then once that it is
    /// ready, so that kube-proxy is told something new.
    #[tokio::test(start_paused = true)]
    async fn it_says_again_and_again_that_it_is_not_ready() {
        let publisher = Publisher::new();
        publisher.list_complete();
        let health = Health::new(publisher, &[], None, Duration::from_secs(30));
        let leave = CancellationToken::new();
        tokio::spawn(give_up_clients(health.clone(), Duration::from_secs(10), leave.clone()));
        leave.cancel();
        let mut heard = String::new();
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            heard.push(if health.report().ready { '+' } else { '-' });
        }
        assert!(heard.starts_with("++++"), "{heard}");
        assert!(heard.matches("+-----").count() >= 2, "{heard}");
    }

    /// It left a minute after the API server was back, and kube-proxy heard only then that it was to be left alone: 217
    /// questions were lost.
    #[tokio::test(start_paused = true)]
    async fn it_is_alone_until_others_have_had_time_to_come_back() {
        let publisher = Publisher::new();
        publisher.source_is(SourceState::Lost("gone".to_owned()));
        let (is_alone, leave) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        tokio::spawn(tell_if_alone(publisher.clone(), is_alone.clone(), leave.clone()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!is_alone.load(Ordering::Relaxed), "nobody told it to leave");
        leave.cancel();
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(is_alone.load(Ordering::Relaxed));
        publisher.source_is(SourceState::Following);
        tokio::time::sleep(OTHERS_COME_BACK - Duration::from_secs(2)).await;
        assert!(is_alone.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!is_alone.load(Ordering::Relaxed));
    }
}
