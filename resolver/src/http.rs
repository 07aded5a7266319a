//! `/livez`, `/readyz`, `/metrics` and `/forwarding`, on an address of their own.
//!
//! `/forwarding/ZONE` is that of one zone, so that who asks for one again and again pays for no other.
//!
//! `/readyz` is one line, and the whole detail with `?verbose`, as that of Kubernetes.

use crate::forward;
use crate::health::{Health, Report};
use crate::metrics::Metrics;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use port53_zone::name;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Serves on `listener` until `stop`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: tokio::net::TcpListener,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let health = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(metrics.health.clone());
    let app = Router::new()
        .route("/metrics", get(scrape))
        .route("/forwarding", get(forwarding))
        .route("/forwarding/{zone}", get(forwarding_of))
        .with_state(metrics)
        .merge(health);
    axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn livez(State(health): State<Arc<Health>>) -> (StatusCode, &'static str) {
    match health.alive() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "serving has ended\n"),
    }
}

async fn readyz(State(health): State<Arc<Health>>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    let report = health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    (status, text(&report, verbose))
}

fn text(report: &Report, verbose: bool) -> String {
    let mut text = if report.ready { "ok\n".to_owned() } else { "not ready\n".to_owned() };
    if verbose || !report.ready {
        let waiting = report.waiting.iter().map(|line| format!("[-] {line}\n"));
        text.extend(waiting);
    }
    if verbose {
        text.extend(report.notes.iter().map(|line| format!("[!] {line}\n")));
    }
    text
}

async fn forwarding(State(metrics): State<Metrics>) -> Response {
    let body = format!("{}\n", forward::page(&metrics.publisher));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn forwarding_of(State(metrics): State<Metrics>, Path(zone): Path<String>) -> Response {
    match name::parse_absolute(&zone) {
        Ok(apex) => {
            let body = format!("{}\n", forward::page_of(&metrics.publisher, Some(&apex)));
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("\"{zone}\" {error}\n")).into_response(),
    }
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics.scrape()).into_response()
}
