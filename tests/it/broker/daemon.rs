//! The real binary as a child process, with its metrics page and its log.

use super::cluster;
use rand::Rng as _;
use std::{
    fs::File,
    io::{Read as _, Write as _},
    iter,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// One worker that is out of its group after 2 s without a word.
pub(super) const SHORT_SESSION: [&str; 6] = [
    "--set",
    "kafka.consumer_properties.session.timeout.ms=2000",
    "--set",
    "kafka.consumer_properties.heartbeat.interval.ms=500",
    "--set",
    "workers=1",
];

/// True if these have all partitions and everything that was written is committed: asked of the
/// broker, since a daemon may be between two answers.
pub(super) fn all_done(pipeline: &Pipeline, daemons: &[&Daemon], partitions: f64) -> bool {
    daemons.iter().map(|d| d.assigned()).sum::<f64>() == partitions
        && daemons.iter().all(|d| d.is_ready())
        && cluster::lag(&pipeline.name, &pipeline.input) == 0
}

/// A pipeline file under a name and topics of its own, in a directory of its own.
pub(super) struct Pipeline {
    pub(super) directory: tempfile::TempDir,
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) input: String,
    pub(super) output: String,
    pub(super) dead_letter: String,
    pub(super) quality: String,
}

impl Pipeline {
    /// Copies `config/pipelines/{file}` with its schemas; `edit` may change the text.
    pub(super) fn copy(file: &str, partitions: i32, edit: impl FnOnce(String) -> String) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines");
        let directory = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(&source).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "json") {
                std::fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let text = std::fs::read_to_string(source.join(file)).unwrap();
        Self::write(directory, &edit(text), partitions)
    }

    /// Writes `text` with its pipeline and topic names made unique, and creates the topics.
    pub(super) fn write(directory: tempfile::TempDir, text: &str, partitions: i32) -> Self {
        let name = cluster::unique("it");
        let topic = |part: &str| format!("{name}.{part}");
        let mut lines = Vec::new();
        for line in text.lines() {
            let replaced = if line.starts_with("pipeline:") {
                format!("pipeline: {name}")
            } else if let Some(at) = line.find("topics: [") {
                let end = at + line[at..].find(']').unwrap();
                format!("{}topics: [{}{}", &line[..at], topic("in"), &line[end..])
            } else if line.starts_with("output: {") {
                rename(line, &topic("out"))
            } else if line.starts_with("dead_letter: {") {
                rename(line, &topic("dlq"))
            } else if line.trim_start().starts_with("quality_topic: ") {
                format!("  quality_topic: {}", topic("quality"))
            } else {
                line.to_owned()
            };
            lines.push(replaced);
        }
        let file = directory.path().join("pipeline.yaml");
        std::fs::write(&file, lines.join("\n") + "\n").unwrap();
        let (input, output, dead_letter) = (topic("in"), topic("out"), topic("dlq"));
        let quality = topic("quality");
        if text.contains("quality_topic: ") {
            cluster::create(&quality, partitions, &[]);
        }
        cluster::create(&input, partitions, &[("max.message.bytes", "31000000")]);
        cluster::create(&output, partitions, &[("max.message.bytes", "2000000")]);
        cluster::create(&dead_letter, partitions, &[("max.message.bytes", "31000000")]);
        Self { directory, file, name, input, output, dead_letter, quality }
    }
}

/// Replaces the value of `topic:` in a flow mapping.
fn rename(line: &str, topic: &str) -> String {
    let at = line.find("topic: ").expect("a topic") + "topic: ".len();
    let end = at + line[at..].find([',', ' ', '}']).unwrap();
    format!("{}{topic}{}", &line[..at], &line[end..])
}

/// A port that nobody listens on just now. Below the ephemeral ones, so that no connection takes it
/// before the daemon does.
fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    iter::repeat_with(|| rand::rng().random_range(5_000..10_000)).find(free).expect("one is free")
}

/// A running daemon. It is killed if the test ends before it does.
pub(super) struct Daemon {
    child: Child,
    pub(super) port: u16,
    log: PathBuf,
}

impl Daemon {
    /// Starts `millstream run FILE` with the broker and a free port; `arguments` come last.
    pub(super) fn start(pipeline: &Pipeline, arguments: &[&str]) -> Self {
        let servers = format!("kafka.bootstrap_servers={}", cluster::bootstrap());
        Self::start_with(pipeline, &[&["--set", &servers], arguments].concat(), &[])
    }

    /// Starts it with exactly these settings.
    pub(super) fn start_with(
        pipeline: &Pipeline,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let port = free_port();
        let log = pipeline.directory.path().join(format!("log-{port}"));
        let child = Command::new(env!("CARGO_BIN_EXE_millstream"))
            .args(["run", pipeline.file.to_str().unwrap(), "--set"])
            .arg(format!("listen=127.0.0.1:{port}"))
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(pipeline.directory.path())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, port, log }
    }

    /// What it wrote to standard error so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The answer to `GET path`: status line and body.
    pub(super) fn get(&self, path: &str) -> Option<(String, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.lines().next()?.to_owned(), body.to_owned()))
    }

    /// The sum of a metric over all its labels that contain `labels`; 0 if it is not there yet.
    pub(super) fn metric(&self, name: &str, labels: &str) -> f64 {
        let Some((_, body)) = self.get("/metrics") else { return 0.0 };
        body.lines()
            .filter(|l| {
                l.strip_prefix(name).is_some_and(|r| r.starts_with([' ', '{']))
                    && l.contains(labels)
            })
            .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// True once every member has joined and no partition of theirs is being rebuilt.
    pub(super) fn is_ready(&self) -> bool {
        self.get("/readyz").is_some_and(|(status, _)| status.contains("200"))
    }

    /// Partitions it has.
    pub(super) fn assigned(&self) -> f64 {
        self.metric("millstream_partitions_assigned", "")
    }

    /// Waits until `done`; fails with the log when it takes too long or the daemon has ended.
    pub(super) fn wait_until(&mut self, what: &str, seconds: u64, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while !done(self) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("waiting for {what}: the daemon ended with {status}\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "waited too long for {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGTERM, then its exit status.
    pub(super) fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.wait(60)
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, such as `-STOP`.
    pub(super) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Its exit status, once it ends by itself.
    pub(super) fn wait(&mut self, seconds: u64) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().expect("a child can be killed");
            self.child.wait().expect("a killed child ends");
        }
    }
}
