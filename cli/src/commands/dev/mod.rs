//! `port53 dev`: a directory served, and its changes followed.
//!
//! ```text
//! files change ──watch──▶ Directory::refresh ──▶ Standing::judge ──▶ Publisher ──▶ screen
//! ```
//!
//! The main thread follows the files; queries are answered beside it, and never wait for it.

mod screen;
mod watch;
mod writers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use port53_operator::stages::{Plan, ZoneOutcome};
use port53_resolver::health::{ASSEMBLY_GRACE, Health};
use port53_resolver::http;
use port53_resolver::metrics::{Metrics, ZONES_WITH_METRICS};
use port53_resolver::serve::{self, Drain, Listeners, Settings};
use port53_resolver::source::{Publisher, SourceState};
use port53_resolver::traffic::Traffic;
use port53_zone::image::Image;
use tokio_util::sync::CancellationToken;

use self::screen::Screen;
use self::watch::{Waker, Watch, Woken};
use super::{Ended, Outcome};
use crate::admission::Admission;
use crate::args::Dev;
use crate::directory::{Directory, Writers};
use crate::judge::{Judged, Standing};
use crate::report::Color;

/// How long a file must be gone before what it held is deleted.
const DELETION_PATIENCE: Duration = Duration::from_secs(1);

/// Who stops a program at a keyboard does not want to wait.
fn drain() -> Drain {
    Drain { quiet: Duration::from_millis(100), most: Duration::from_secs(1), ..Drain::default() }
}

pub(super) fn run(arguments: Dev, color: Color) -> Outcome {
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(is_terminal);
    log.without_time().with_target(false).init();
    let admission = Arc::new(Admission::new()?);
    let namespace = arguments.namespace.name();
    let directory = Directory::open(&arguments.path, namespace, DELETION_PATIENCE, admission)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let listeners = Listeners::bind(&arguments.listen, threads)?;
    let addresses = listeners.addresses();
    let mut watch = Watch::start(directory.watched())?;
    let mut desk = Desk {
        directory,
        standing: Standing::new(port53_operator::salt()),
        publisher: Publisher::new(),
        screen: Screen::new(arguments.output, color),
    };

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let leave = CancellationToken::new();
    runtime.block_on(async { leave_on_signal(watch.waker(), leave.clone()) })?;
    let traffic = Arc::new(Traffic::default());
    let health = Health::new(desk.publisher.clone(), &addresses, None, ASSEMBLY_GRACE);
    if let Some(address) = arguments.health_listen {
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .map_err(|error| format!("cannot listen on {address} (health): {error}"))?;
        let metrics = Metrics {
            traffic: traffic.clone(),
            publisher: desk.publisher.clone(),
            disk: None,
            kubernetes: None,
            health: health.clone(),
            reloads: Arc::default(),
            certificate: None,
            transfers: None,
            forwarder: None,
            zones_with_metrics: ZONES_WITH_METRICS,
        };
        runtime.spawn(http::serve(listener, metrics, leave.clone()));
    }
    runtime.spawn(health.probe(addresses.clone(), leave.clone()));

    let start = Instant::now();
    let again_after = desk.directory.refresh(Writers::None).again_after;
    watch.follow(desk.directory.watched());
    let judged = desk.judge();
    desk.publisher.source_is(SourceState::Following);
    desk.publisher.list_complete();
    let settings = Settings { drain: drain(), ..Settings::default() };
    let serving =
        runtime.spawn(serve::run(listeners, desk.publisher.zones(), settings, traffic, leave.clone()));
    desk.screen.start(&addresses, desk.directory.counts(), &judged, start.elapsed())?;
    desk.follow(watch, again_after)?;
    leave.cancel();
    runtime.block_on(serving)??;
    Ok(Ended::Well)
}

struct Desk {
    directory: Directory,
    standing: Standing,
    publisher: Publisher,
    screen: Screen,
}

impl Desk {
    /// Takes changes into service until it is time to leave.
    fn follow(&mut self, mut watch: Watch, mut again_after: Option<Duration>) -> std::io::Result<()> {
        while watch.wait(again_after, || self.directory.is_elsewhere()) == Woken::Look {
            let start = Instant::now();
            let judged;
            (judged, again_after) = self.look(&watch);
            if watch.follow(self.directory.watched()) {
                // What changed before it was watched was not told.
                again_after = Some(Duration::ZERO);
            }
            if let Some(judged) = judged {
                self.screen.change(self.directory.counts(), &judged, start.elapsed())?;
            }
        }
        Ok(())
    }

    /// Reads what changed and takes it into service. Nothing when nothing did.
    fn look(&mut self, watch: &Watch) -> (Option<Judged>, Option<Duration>) {
        let refreshed = match watch.writers() {
            Some(writers) => {
                writers.look();
                self.directory.refresh(Writers::Told(&|path| writers.disturbs(path)))
            }
            None => self.directory.refresh(Writers::Silent),
        };
        let judged = refreshed.is_changed.then(|| self.judge());
        (judged, refreshed.again_after)
    }

    /// Takes into service what there is.
    fn judge(&mut self) -> Judged {
        let judged = self.standing.judge(&self.directory);
        publish(&self.publisher, &judged.plan);
        self.standing.publish(&judged.plan);
        judged
    }
}

/// One swap for each zone that is new, changed or gone.
fn publish(publisher: &Publisher, plan: &Plan) {
    for zone in plan.zones.iter().filter(|zone| zone.is_new_version) {
        if let Err(refused) = publisher.put(image(publisher, zone)) {
            tracing::error!("{refused}");
        }
    }
    for apex in &plan.withdrawn {
        publisher.withdraw(apex);
    }
}

/// The next image: of the one in service, what did not change.
fn image(publisher: &Publisher, zone: &ZoneOutcome) -> Image {
    let (applied, soa) = (zone.applied.clone(), zone.soa.clone());
    match publisher.view(&zone.apex).and_then(|view| view.image) {
        Some(before) => before.with(applied, soa),
        None => Image::new(applied.content, soa),
    }
}

fn leave_on_signal(waker: Waker, leave: CancellationToken) -> std::io::Result<()> {
    port53_client::on_signal(move || {
        leave.cancel();
        waker.leave();
    })
}
