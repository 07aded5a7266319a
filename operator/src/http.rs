//! `/livez`, `/readyz` and `/metrics`, on an address of their own.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::admission::Identity;
use crate::metrics::Metrics;

/// What is told there.
#[derive(Clone)]
pub struct Health {
    /// What was counted.
    pub metrics: Arc<Metrics>,
    /// The certificate of the webhook, where there is one.
    pub identity: Option<Arc<Identity>>,
}

/// Answers until it is told to leave.
///
/// # Errors
/// When the address is lost.
pub async fn serve(listener: TcpListener, health: Health, leave: CancellationToken) -> std::io::Result<()> {
    let app = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .with_state(health);
    axum::serve(listener, app).with_graceful_shutdown(leave.cancelled_owned()).await
}

/// Ready is who can answer the API server, and take over: one that stands by is ready, too.
async fn readyz(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.metrics.knows_all.get() == 0 {
        return (StatusCode::SERVICE_UNAVAILABLE, "not all objects are listed yet\n");
    }
    if health.identity.is_some_and(|identity| !identity.is_there()) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the webhook has no certificate yet\n");
    }
    (StatusCode::OK, "ok\n")
}

async fn scrape(State(health): State<Health>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.metrics.scrape()).into_response()
}
