//! HTTPS for the API server: `POST /validate` with an AdmissionReview.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Conflicts, Identity, Worlds, review};
use crate::metrics::Metrics;

/// Where reviews come to.
const PATH: &str = "/validate";
/// Octets of a review: two objects of what etcd takes, and what is around them.
const LARGEST: usize = 4 << 20;
/// Connections at once: there are a few API servers, with some connections each.
const CONNECTIONS: usize = 256;
/// Reviews that are judged at once, each on a thread.
const JUDGED_AT_ONCE: usize = 4;
/// How long a handshake, and the head of a request, may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// What answers reviews.
#[derive(Clone)]
struct Answers {
    worlds: Worlds,
    metrics: Arc<Metrics>,
    room: Arc<Semaphore>,
    conflicts: Conflicts,
}

/// Answers until it is told to leave.
pub async fn serve(
    listener: TcpListener,
    identity: Arc<Identity>,
    worlds: Worlds,
    metrics: Arc<Metrics>,
    conflicts: Conflicts,
    leave: CancellationToken,
) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth().with_cert_resolver(identity));
    let config = match config {
        Ok(config) => config,
        Err(error) => return tracing::error!("the webhook cannot speak TLS: {error}"),
    };
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let answers = Answers { worlds, metrics, room: Arc::new(Semaphore::new(JUDGED_AT_ONCE)), conflicts };
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = leave.cancelled() => return,
        };
        let Ok((stream, peer)) = accepted else { continue };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let (acceptor, answers) = (acceptor.clone(), answers.clone());
        tokio::spawn(async move {
            if let Err(why) = connection(stream, acceptor, answers).await {
                tracing::debug!(%peer, "a connection to the webhook: {why}");
            }
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, answers: Answers) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream = timeout(PATIENCE, acceptor.accept(stream)).await.map_err(|_| "no handshake".to_owned())?;
    let stream = TokioIo::new(stream.map_err(|error| error.to_string())?);
    let service = service_fn(move |request| {
        let answers = answers.clone();
        async move { Ok::<_, Infallible>(answers.respond(request).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(None);
    server.serve_connection(stream, service).await.map_err(|error| error.to_string())
}

impl Answers {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        if (request.method(), request.uri().path()) != (&Method::POST, PATH) {
            return text(StatusCode::NOT_FOUND, format!("POST {PATH}"));
        }
        let body = timeout(PATIENCE, Limited::new(request.into_body(), LARGEST).collect()).await;
        let body = match body {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) => return text(StatusCode::BAD_REQUEST, error.to_string()),
            Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the review did not come".to_owned()),
        };
        let review: AdmissionRequest<DynamicObject> = match request_of(&body) {
            Ok(review) => review,
            Err(why) => return text(StatusCode::BAD_REQUEST, why),
        };
        let kind = review.kind.kind.clone();
        let response = self.answer(review).await;
        self.metrics.admitted(&kind, response.allowed, begun.elapsed());
        match serde_json::to_vec(&response.into_review()) {
            Ok(body) => {
                let mut response = Response::new(Full::new(Bytes::from(body)));
                let json = http::HeaderValue::from_static("application/json");
                response.headers_mut().insert(http::header::CONTENT_TYPE, json);
                response
            }
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }

    /// Lets through what cannot be judged: who publishes decides again.
    async fn answer(&self, review: AdmissionRequest<DynamicObject>) -> AdmissionResponse {
        let Ok(_place) = self.room.acquire().await else { return AdmissionResponse::from(&review) };
        let (told, world) = oneshot::channel();
        let world = match self.worlds.send(told).await {
            Ok(()) => world.await.ok().flatten(),
            Err(_) => None,
        };
        let Some(world) = world else { return AdmissionResponse::from(&review) };
        let lets_through = AdmissionResponse::from(&review);
        let conflicts = self.conflicts;
        let judged = tokio::task::spawn_blocking(move || review::answer(&review, world, conflicts)).await;
        judged.unwrap_or(lets_through)
    }
}

fn request_of(body: &[u8]) -> Result<AdmissionRequest<DynamicObject>, String> {
    let review: AdmissionReview<DynamicObject> =
        serde_json::from_slice(body).map_err(|error| format!("not an AdmissionReview: {error}"))?;
    review.try_into().map_err(|_| "the AdmissionReview has no request".to_owned())
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text + "\n")));
    *response.status_mut() = status;
    response
}
