//! What the process shows: the metrics page as Prometheus reads it, the health paths, the limits
//! of the port, and dashboards that name only what exists.

use millstream::batch::{Judgement, Reason};
use millstream::settings::Settings;
use millstream::telemetry::{
    self, BuildInfo, CommitResult, Health, Metrics, PartitionState, Rebalance, SnapshotRejection,
    SnapshotResult, Step, TransactionResult,
};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn metrics() -> Metrics {
    Metrics::new(&BuildInfo { version: "1.2.3", pipeline: "card-risk", definition: "0011aabb" })
}

/// Metrics of a process that has done something of everything.
fn busy() -> Metrics {
    let metrics = metrics();
    metrics.records_consumed_total.inc_by(10);
    metrics.records_published_total.inc_by(8);
    metrics.records_rejected_total(Reason::Late).inc();
    metrics.records_dropped_total(Reason::Duplicate).inc();
    metrics.record_latency_seconds.observe(0.04);
    metrics.batch_seconds(Step::Decode).observe(0.002);
    metrics.commits_total(CommitResult::Committed).inc();
    metrics.rebalances_total(Rebalance::Assigned).inc();
    metrics.transactions_total(TransactionResult::Ambiguous).inc();
    metrics.snapshots_total(SnapshotResult::Divergent).inc();
    metrics.snapshots_rejected_total(SnapshotRejection::Ahead).inc();
    metrics.snapshot_seconds.observe(0.2);
    metrics.expectations_total("amount_mean", Judgement::Failed).inc();
    metrics
}

#[test]
fn promtool_finds_nothing_to_say() {
    let metrics = busy();
    let partition = metrics.partition("card.transactions", 3);
    partition.consumer_lag_records.set(7);
    partition.observed("amount_mean", 4.5);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool must be on the PATH (Debian package `prometheus`)");
    promtool.stdin.take().unwrap().write_all(metrics.expose().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "promtool: {said}");
}

#[test]
fn every_label_value_is_there_from_the_start() {
    let metrics = metrics();
    metrics.expect(["amount_mean"]);
    let page = metrics.expose();
    for reason in Reason::ALL {
        let line = format!("millstream_records_rejected_total{{reason=\"{reason}\"}} 0");
        assert!(page.contains(&line), "{line}");
        assert!(page.contains(&format!("_dropped_total{{reason=\"{reason}\"}} 0")), "{reason}");
    }
    for step in Step::ALL {
        let line = format!("millstream_batch_seconds_count{{step=\"{}\"}} 0", step.name());
        assert!(page.contains(&line), "{line}");
    }
    for line in [
        "millstream_commits_total{result=\"committed\"} 0",
        "millstream_commits_total{result=\"failed\"} 0",
        "millstream_rebalances_total{kind=\"lost\"} 0",
        "millstream_transactions_total{result=\"fenced\"} 0",
        "millstream_snapshots_total{result=\"failed\"} 0",
        "millstream_snapshots_rejected_total{reason=\"corrupt\"} 0",
        "millstream_expectations_total{expectation=\"amount_mean\",verdict=\"failed\"} 0",
        "millstream_degraded 0",
        "millstream_partitions_stopped 0",
        "millstream_build_info{definition=\"0011aabb\",pipeline=\"card-risk\",version=\"1.2.3\"} 1",
        "millstream_fold_divergence_total 0",
        "millstream_tls_verification_disabled 0",
    ] {
        assert!(page.lines().any(|l| l == line), "{line}\n{page}");
    }
}

#[test]
fn labels_count_under_their_own_name() {
    let page = busy().expose();
    for line in [
        "millstream_expectations_total{expectation=\"amount_mean\",verdict=\"failed\"} 1",
        "millstream_records_consumed_total 10",
        "millstream_records_rejected_total{reason=\"late\"} 1",
        "millstream_records_dropped_total{reason=\"duplicate\"} 1",
        "millstream_commits_total{result=\"committed\"} 1",
        "millstream_rebalances_total{kind=\"assigned\"} 1",
        "millstream_transactions_total{result=\"ambiguous\"} 1",
        "millstream_snapshots_total{result=\"divergent\"} 1",
        "millstream_snapshots_rejected_total{reason=\"ahead\"} 1",
        "millstream_snapshot_seconds_count 1",
        "millstream_batch_seconds_count{step=\"decode\"} 1",
    ] {
        assert!(page.lines().any(|l| l == line), "{line}\n{page}");
    }
}

#[test]
fn series_of_a_partition_leave_with_its_last_handle() {
    let metrics = metrics();
    let line = "millstream_consumer_lag_records{partition=\"0\",topic=\"t\"} 5";
    let first = metrics.partition("t", 0);
    first.consumer_lag_records.set(5);
    first.observed("amount_mean", 2.5);
    let second = metrics.partition("t", 0);
    assert!(metrics.expose().contains(line));
    drop(first);
    assert!(metrics.expose().contains(line), "a second worker still has the partition");
    drop(second);
    assert!(!metrics.expose().contains("partition=\"0\""));
    assert_eq!(metrics.partition("t", 0).consumer_lag_records.get(), 0);
}

/// Runs `test` against a served port, then stops the server and waits for it.
fn served(metrics: Metrics, test: impl FnOnce(SocketAddr, &Metrics, &Health)) {
    let (metrics, health) = (Arc::new(metrics), Arc::new(Health::new(1)));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(telemetry::bind("127.0.0.1:0".parse().unwrap())).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = telemetry::serve(listener, Arc::clone(&metrics), Arc::clone(&health), async {
        stopped.await.unwrap_or_default();
    });
    std::thread::scope(|scope| {
        let server = scope.spawn(|| runtime.block_on(server));
        test(address, &metrics, &health);
        drop(stop);
        server.join().unwrap().unwrap();
    });
}

/// Sends a request as it is and reads whatever comes until the server closes.
fn send(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // A server that has seen enough may close while we still write.
    drop(stream.write_all(request));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str) -> String {
    send(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
}

#[test]
fn paths_answer_and_others_are_listed() {
    served(busy(), |address, _, health| {
        let page = get(address, "/metrics");
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.contains("content-type: text/plain; version=0.0.4"), "{page}");
        assert!(page.contains("\nmillstream_records_consumed_total 10\n"), "{page}");
        assert!(page.contains("\nmillstream_http_connections 1\n"), "{page}");

        assert!(get(address, "/livez").starts_with("HTTP/1.1 200"));
        let waiting = get(address, "/readyz");
        assert!(waiting.starts_with("HTTP/1.1 503"), "{waiting}");
        assert!(waiting.contains("\"status\":\"starting\""), "{waiting}");
        assert!(waiting.contains("1 of 1 workers have not joined"), "{waiting}");

        health.set_joined(0, true);
        assert!(get(address, "/ready").contains("{\"ready\":true,\"status\":\"standby\""));
        health.set_partition("flights", 2, PartitionState::Replaying(Some(12)));
        let replaying = get(address, "/readyz");
        let listed = "{\"topic\":\"flights\",\"partition\":2,\"remaining_records\":12}";
        assert!(replaying.starts_with("HTTP/1.1 503") && replaying.contains(listed), "{replaying}");
        health.set_partition("flights", 2, PartitionState::Failed("log starts later".to_owned()));
        assert!(get(address, "/readyz").contains("\"reason\":\"log starts later\""));
        assert!(get(address, "/health").starts_with("HTTP/1.1 200"), "failed is not dead");
        health.set_dead("worker 0 panicked");
        assert!(get(address, "/livez").starts_with("HTTP/1.1 503"));

        let missing = get(address, "/nothing");
        assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("/metrics"), "{missing}");
    });
}

#[test]
fn the_port_is_read_only_and_bounded() {
    served(metrics(), |address, metrics, _| {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let request =
                format!("{method} /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
            let answer = send(address, request.as_bytes());
            assert!(answer.starts_with("HTTP/1.1 405"), "{method}: {answer}");
        }
        let keep = get(address, "/livez");
        assert!(keep.contains("connection: close"), "{keep}");
        let mut huge = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
        huge.resize(100_000, b'a');
        let answer = send(address, &huge);
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");

        // More connections than are served at a time: those that leave make room.
        let many: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert!(metrics.http_connections.get() <= 32);
        drop(many);
        assert!(get(address, "/livez").starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(telemetry::bind(address)).unwrap_err().to_string();
    assert!(error.contains(&address.to_string()) && error.contains("`listen`"), "{error}");
}

/// Log lines of a test, kept in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn neither_log_lines_nor_the_metrics_page_show_a_secret() {
    const CANARY: &str = "canary-77ab01";
    let sets = [
        "allow_literal_secrets=true".to_owned(),
        "allow_insecure=true".to_owned(),
        "kafka.properties.security.protocol=SASL_PLAINTEXT".to_owned(),
        format!("kafka.properties.sasl.username={CANARY}"),
        format!("kafka.properties.sasl.password={CANARY}"),
        format!("kafka.producer_properties.ssl.key.pem={CANARY}"),
    ];
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let settings = tracing::subscriber::with_default(subscriber, || {
        let settings = Settings::load(None, std::iter::empty(), &sets).unwrap();
        tracing::info!(?settings, "settings");
        for (name, value) in settings.consumer_properties() {
            tracing::info!(name, %value, debug = ?value, "property");
        }
        for warning in settings.warnings() {
            tracing::warn!("{warning}");
        }
        settings
    });
    let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(lines.contains("sasl.password") && lines.contains("***"), "{lines}");
    assert!(!lines.contains(CANARY), "{lines}");
    let metrics = metrics();
    metrics.tls_verification_disabled.set(settings.tls_verification_disabled().into());
    assert!(!metrics.expose().contains(CANARY));
}

/// Names that begin with `millstream_` or `process_` in a text.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("millstream_") || word.starts_with("process_"))
        .collect()
}

#[test]
fn dashboard_and_alerts_name_only_metrics_that_exist() {
    let metrics = metrics();
    let partition = metrics.partition("t", 0);
    metrics.expect(["e"]);
    partition.observed("e", 1.0);
    let page = metrics.expose();
    let exposed = names(&page);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for file in ["grafana/dashboards/millstream.json", "prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let used = names(&text);
        assert!(used.len() >= 5, "{file} names {used:?}");
        for name in used {
            assert!(exposed.contains(name), "{file}: no metric is named {name}");
        }
    }
    let dashboard = std::fs::read_to_string(root.join("grafana/dashboards/millstream.json"));
    serde_json::from_str::<serde::de::IgnoredAny>(&dashboard.unwrap()).unwrap();
}

#[test]
fn the_documentation_lists_every_metric() {
    let metrics = metrics();
    let partition = metrics.partition("t", 0);
    metrics.expect(["e"]);
    partition.observed("e", 1.0);
    let page = metrics.expose();
    let documentation = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = std::fs::read_to_string(documentation).unwrap();
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for family in families.filter_map(|rest| rest.split(' ').next()) {
        assert!(text.contains(&format!("`{family}")), "docs/metrics.md does not name {family}");
    }
    let histograms = ["_bucket", "_count", "_sum"];
    for name in names(&text) {
        let suffixed = histograms.iter().any(|s| page.contains(&format!("{name}{s}")));
        assert!(page.contains(&format!("# TYPE {name} ")) || suffixed, "{name} does not exist");
    }
}
