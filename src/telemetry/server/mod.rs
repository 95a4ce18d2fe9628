//! The port for `/metrics`, `/livez` and `/readyz`. It answers, and changes nothing.
//!
//! One request per connection: then a limit on the bytes read and on the time taken by a
//! connection is a limit on every request, whoever sends it.

mod limits;

use super::health::Report;
use super::{Health, Metrics};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use limits::{Limited, Limits};
use prometheus::TEXT_FORMAT;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Enough for a few scrapers and probes, and too little to do harm with.
const LIMITS: Limits =
    Limits { connections: 32, lifetime: Duration::from_secs(10), request_bytes: 16 * 1024 };

const PATHS: &str = "/metrics  Prometheus metrics\n/livez    200 while the process lives (also \
                     /health)\n/readyz   200 when it is ready, else why not (also /ready)\n";

/// Binds the port. The error names the address.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; another port: `--set listen=HOST:PORT`, any: port 0",
            _ => "",
        };
        let message = format!("cannot listen on {address} (setting `listen`): {error}{hint}");
        io::Error::new(error.kind(), message)
    })
}

/// Serves until `shutdown` completes and the open answers are written.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let connections = metrics.http_connections.clone();
    let router = router(metrics, health);
    let listener = Limited::new(listener, LIMITS, connections);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

fn router(metrics: Arc<Metrics>, health: Arc<Health>) -> Router {
    let exposition = move || {
        let text = metrics.expose();
        async move { ([(header::CONTENT_TYPE, TEXT_FORMAT)], text) }
    };
    let alive = {
        let health = Arc::clone(&health);
        move || {
            let report = health.report();
            let status = if health.is_dead() { UNAVAILABLE } else { StatusCode::OK };
            async move { json(status, &report) }
        }
    };
    let ready = move || {
        let report = health.report();
        let status = if report.ready { StatusCode::OK } else { UNAVAILABLE };
        async move { json(status, &report) }
    };
    Router::new()
        .route("/metrics", get(exposition))
        .route("/livez", get(alive.clone()))
        .route("/health", get(alive))
        .route("/readyz", get(ready.clone()))
        .route("/ready", get(ready))
        .fallback(|| async { (StatusCode::NOT_FOUND, PATHS) })
        .layer(middleware::map_response(finish))
}

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

fn json(status: StatusCode, report: &Report) -> Response {
    let mut body = serde_json::to_string(report).expect("strings and numbers are JSON");
    body.push('\n');
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Every answer ends its connection and is read as what it says it is.
async fn finish(mut response: Response) -> Response {
    let set = [
        (header::CONNECTION, "close"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ];
    for (name, value) in set {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
