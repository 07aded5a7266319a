//! The program: finds the cluster, watches, and runs the engine until it is told to leave.
//!
//! It never ends by itself: what it lacks, be it a cluster, definitions or rights, is said in a line and looked
//! for again. To leave is to stop: whatever was on its way is found by the one that starts next.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use port53_client::{chain, on_signal};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::admission::{self, Identity, Keeper};
use crate::cluster::endpoints::Endpoints;
use crate::cluster::follow::{self, Watches};
use crate::config::{Arguments, LogFormat};
use crate::election::{Election, Standing};
use crate::engine::{self, Apexes, Engine, Forwardings, Links, Settings};
use crate::http::{self, Health};
use crate::index::Scope;
use crate::metrics::Metrics;
use crate::migrations::shadow::Rollouts;
use crate::{migrations, nameservers};

/// What the program allocates with. A plan is mostly small allocations, and a third cheaper than with the allocator of
/// glibc (`make bench-plan`).
pub use mimalloc::MiMalloc as Allocator;

/// Messages on their way from the watches.
const QUEUE: usize = 4096;
/// How often it is looked for a cluster that cannot be found.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Runs the operator with these settings to its end.
pub fn run(arguments: Arguments) -> ExitCode {
    if let Err(error) = start_log(&arguments) {
        eprintln!("error: --log {:?} {error}: write error, warn, info, debug or trace", arguments.log);
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(operate(arguments)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn operate(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let leave = leave_on_signal()?;
    let (client, of_context) = tokio::select! {
        found = connect() => found,
        () = leave.cancelled() => return Ok(()),
    };
    let namespace = arguments.namespace.clone().filter(|name| !name.is_empty()).unwrap_or(of_context);
    if let Some(point) = arguments.end_at {
        engine::both::points::end_at(point);
    }
    tracing::info!(namespace, resolvers = arguments.resolver.len(), "operating");
    if arguments.nameserver.is_empty() && !arguments.nameserver_sets {
        tracing::warn!(
            "no --nameserver is given: a zone whose spec.nameservers is empty keeps the NS that it has published, and \
             a new one has none"
        );
    }
    let selector =
        arguments.resolver_selector.or_else(|| arguments.nameserver_sets.then(nameservers::selector));
    let watches = Watches {
        namespace: namespace.clone(),
        streaming_list: arguments.streaming_list,
        endpoints: selector.is_some(),
    };
    let settings = Settings {
        nameservers: arguments.nameserver,
        resolvers: arguments.resolver,
        history_octets: arguments.history_octets,
        prune_interval: arguments.prune_interval,
        scope: Scope { namespace: namespace.clone(), only_named: arguments.only_named },
    };
    let (messages, received) = mpsc::channel(QUEUE);
    let _watches = follow::start(&client, &watches, &messages);
    // Ends the work, be it that this process is told to leave or that it lost the Lease.
    let stop = leave.child_token();
    let (standing, election) = match arguments.leader_election {
        false => (Standing::alone(), None),
        true => {
            let (election, standing) = Election::new(&client, &namespace, identity());
            let (leave, stop) = (leave.clone(), stop.clone());
            let running = tokio::spawn(async move {
                let held = election.run(leave).await;
                stop.cancel();
                held
            });
            (standing, Some(running))
        }
    };
    let metrics = Arc::new(Metrics::default());
    let mut links = Links::default();
    // What ends although it was not told to takes the whole process with it: half of an operator is worse than the next.
    let mut beside: Vec<AbortOnDropHandle<()>> = Vec::new();
    let (rollouts, told_rollouts) = watch::channel(Rollouts::default());
    if arguments.nameserver_sets {
        beside.push(roll_out(&client, &watches, &standing, &stop, &metrics, &mut links, rollouts));
    }
    let (worlds, asked) = mpsc::channel(1);
    if arguments.webhook.webhook_listen.is_some() || arguments.migrations {
        links.worlds = Some(asked);
    }
    if arguments.migrations {
        let (serials, told) = watch::channel(BTreeMap::new());
        links.serials = Some(told);
        let (forwardings, told) = watch::channel(Forwardings::new());
        links.forwardings = Some(told);
        let (counterparts, told) = watch::channel(None);
        links.counterparts = Some(told);
        let (apexes, told) = watch::channel(Apexes::new());
        links.apexes = Some(told);
        let tells = migrations::Tells { serials, forwardings, counterparts, apexes };
        let controller =
            migrations::Controller::new(client.clone(), &namespace, worlds.clone(), tells, told_rollouts);
        let moving = controller.run(watches.streaming_list, standing.clone(), stop.clone());
        beside.push(AbortOnDropHandle::new(tokio::spawn(moving)));
    }
    let mut identity = None;
    if let Some(address) = arguments.webhook.webhook_listen {
        let listener = listen(address, "the webhook").await?;
        let used = Arc::new(Identity::default());
        let keeper = Keeper {
            client: client.clone(),
            namespace: namespace.clone(),
            kept: arguments.webhook.kept(),
            identity: used.clone(),
        };
        beside.push(AbortOnDropHandle::new(tokio::spawn(keeper.run(leave.clone()))));
        let conflicts = arguments.webhook.webhook_conflicts;
        let serving =
            admission::serve(listener, used.clone(), worlds, metrics.clone(), conflicts, leave.clone());
        beside.push(AbortOnDropHandle::new(tokio::spawn(serving)));
        identity = Some(used);
    }
    if let Some(address) = arguments.health_listen {
        let listener = listen(address, "health").await?;
        let health = Health { metrics: metrics.clone(), identity };
        tokio::spawn(http::serve(listener, health, leave.clone()));
    }
    let endpoints = selector.map(Endpoints::new);
    let engine = Engine::new(client, &namespace, endpoints, settings, metrics);
    let working = engine.run(received, links, standing, stop.clone());
    tokio::pin!(working);
    tokio::select! {
        () = &mut working => {}
        () = any_ends(&mut beside) => {
            if !stop.is_cancelled() && !leave.is_cancelled() {
                return Err("a part of the operator has ended: its panic is above".into());
            }
            working.await;
        }
    }
    if let Some(election) = election {
        match election.await? {
            // Nothing is written any more.
            Some(held) => held.give_back().await,
            None if !leave.is_cancelled() => return Err("this operator no longer holds the Lease".into()),
            None => {}
        }
    }
    tracing::info!("left");
    Ok(())
}

async fn listen(address: SocketAddr, what: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address} ({what}): {error}"))
}

/// Begins to look after the NameserverSets of the operator's namespace, until dropped.
fn roll_out(
    client: &Client,
    watches: &Watches,
    standing: &Standing,
    stop: &CancellationToken,
    metrics: &Arc<Metrics>,
    links: &mut Links,
    rollouts: watch::Sender<Rollouts>,
) -> AbortOnDropHandle<()> {
    let (snapshots, asked) = mpsc::channel(1);
    let (sets, told) = watch::channel(None);
    (links.snapshots, links.sets) = (Some(asked), Some(told));
    let (messages, received) = mpsc::channel(QUEUE);
    let followers = follow::start_nameservers(client, watches, &messages);
    let controller = nameservers::Controller::new(client.clone(), snapshots, sets, rollouts, metrics.clone());
    let (standing, stop) = (standing.clone(), stop.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        let _followers = followers;
        controller.run(received, standing, stop).await;
    }))
}

/// Until one of them ends. Where there is none, for ever.
async fn any_ends(beside: &mut [AbortOnDropHandle<()>]) {
    if beside.is_empty() {
        return std::future::pending().await;
    }
    let _ = futures::future::select_all(beside.iter_mut()).await;
}

/// What tells this process from all others: the name of its pod or machine, and a number by chance.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "port53-operator".to_owned());
    format!("{host}_{:016x}", fastrand::u64(..))
}

/// A client of the cluster that this process was told of, and the namespace that it was told.
async fn connect() -> (Client, String) {
    loop {
        match port53_client::connect().await {
            Ok(found) => return found,
            Err(why) => {
                tracing::error!("{why}; it is looked for again");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// Cancelled on the first SIGTERM or SIGINT.
fn leave_on_signal() -> std::io::Result<CancellationToken> {
    let leave = CancellationToken::new();
    let told = leave.clone();
    on_signal(move || told.cancel())?;
    Ok(leave)
}

fn start_log(arguments: &Arguments) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = tracing_subscriber::EnvFilter::builder().parse(&arguments.log)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
