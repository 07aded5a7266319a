//! The program: binds, reads the cache, follows its source, serves, and leaves gracefully.

use crate::config::{Arguments, Config, LogFormat};
use crate::disk::{self, DiskStatus};
use crate::health::Health;
use crate::http;
use crate::kubernetes::{self, KubernetesStatus, Source};
use crate::metrics::Metrics;
use crate::serve::{self, Ended, Listeners};
use crate::source::{Publisher, SourceState};
use crate::traffic::Traffic;
use crate::transfer::{Directory, Keys, Transfers};
use port53_client::{chain, on_signal};
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs the resolver with these settings to its end.
pub fn run(arguments: Arguments) -> ExitCode {
    let config = match arguments.check() {
        Ok(config) => config,
        Err(wrong) => {
            for line in wrong {
                eprintln!("error: {line}");
            }
            return ExitCode::from(2);
        }
    };
    start_log(&config);
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(serve_with(config)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn serve_with(config: Config) -> Result<(), Box<dyn Error>> {
    // Before anything that takes time: told to leave while it starts, it leaves as gracefully.
    let leave = leave_on_signal()?;
    let listeners = Listeners::bind(&config.listen, config.udp_threads)?;
    let health_listener = tokio::net::TcpListener::bind(config.health_listen)
        .await
        .map_err(|error| format!("cannot listen on {} (health): {error}", config.health_listen))?;
    let addresses = listeners.addresses();
    tracing::info!(?addresses, health = %health_listener.local_addr()?, "listening");

    let left = CancellationToken::new();
    let publisher = Publisher::new();
    let disk = Arc::new(DiskStatus::default());
    let loaded = disk::load(&config.cache_dir, &publisher, &disk);
    let zones = loaded.zones;
    tracing::info!(zones, problems = loaded.problems.len(), "disk cache read");
    let writer = disk::Writer::start(
        &config.cache_dir,
        publisher.clone(),
        loaded,
        config.cache_interval,
        disk.clone(),
    )?;

    let kubernetes = config.source.map(|source| follow(source, &publisher));
    if kubernetes.is_none() {
        publisher.source_is(SourceState::DiskOnly);
        // An empty cache tells nothing: who knows no zone at all is not ready.
        if zones > 0 {
            publisher.list_complete();
        }
        tracing::warn!("no source gives changes: the disk cache is all that is served");
    }

    let transfers = Arc::new(Transfers::new(config.transfer, Keys::default()));
    let directory = config.tsig_keys.map(|path| Directory::new(&path));
    let follower = transfers.follow(&publisher, directory, left.clone())?;
    let settings = serve::Settings { transfers: transfers.clone(), ..config.serve };

    let traffic = Arc::new(Traffic::default());
    let health = Health::new(publisher.clone(), &addresses, Some(disk.clone()), config.assembly_grace);
    let metrics = Metrics {
        traffic: traffic.clone(),
        publisher: publisher.clone(),
        disk: Some(disk),
        kubernetes,
        health: health.clone(),
        transfers: Some(transfers),
        zones_with_metrics: config.zone_metrics,
    };
    let endpoints = tokio::spawn(http::serve(health_listener, metrics, left.clone()));
    tokio::spawn(health.clone().probe(addresses, leave.clone()));
    let ended = serve::run(listeners, publisher.zones(), settings, traffic, leave).await;
    health.serving_ended();
    writer.finish();
    left.cancel();
    endpoints.await??;
    // A panic was said by the thread itself.
    let _ = follower.join();
    match ended? {
        Ended::Quiet => tracing::info!("left: nobody asked any more"),
        Ended::StillAsked => tracing::warn!("left while still being asked: the time to leave was up"),
    }
    Ok(())
}

/// Follows the API server beside everything else, until this process ends: also while it leaves.
fn follow(source: Source, publisher: &Publisher) -> Arc<KubernetesStatus> {
    let status = Arc::new(KubernetesStatus::default());
    tokio::spawn(kubernetes::run(source, publisher.clone(), status.clone()));
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

fn start_log(config: &Config) {
    // The directives were checked with the other settings.
    let filter = tracing_subscriber::EnvFilter::new(&config.log);
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
