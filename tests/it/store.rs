//! Snapshots in a bucket, against a real server that speaks S3, and on a volume that is full.

use millstream::{
    settings::Settings,
    state::snapshot::{Header, Ledger, LogPosition, Skipped},
    store::{Cause, Entry, Name, PartitionKey, Remedy, SnapshotStore, Stored},
};
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

const CANARY: &str = "canary-5d1e";

/// A server of our own; it ends with the test.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let python = std::env::var("MILLSTREAM_PYTHON").unwrap_or_else(|_| {
            panic!("MILLSTREAM_PYTHON is not set: run the tests with `make test`")
        });
        let mut child = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("MILLSTREAM_PYTHON has what tests/requirements.txt names");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(|line| line.unwrap())
            .find_map(|line| Some(line.split_once("Running on http://")?.1.trim().to_owned()))
            .expect("the server says where it listens");
        // Its log is read on, or the pipe would fill.
        thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// Makes a bucket: a request that needs no signature here.
    fn create_bucket(&self, name: &str) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let request = format!(
            "PUT /{name} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn open(&self, url: &str) -> SnapshotStore {
        open(&self.address, url, &[])
    }
}

/// The store `url` of the server at `address`, with credentials and settings.
fn open(address: &str, url: &str, more: &[&str]) -> SnapshotStore {
    let mut sets = vec![
        format!("snapshots.store={url}"),
        format!("snapshots.options.endpoint=http://{address}"),
        "snapshots.options.region=us-east-1".to_owned(),
        "snapshots.options.allow_http=true".to_owned(),
        "snapshots.secrets.access_key_id.env=TEST_ID".to_owned(),
        "snapshots.secrets.secret_access_key.env=TEST_KEY".to_owned(),
    ];
    sets.extend(more.iter().map(|set| (*set).to_owned()));
    let environment = [("TEST_ID", "id"), ("TEST_KEY", CANARY)];
    let environment = environment.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
    let settings = Settings::load(Some(Path::new("/dev/null")), environment, &sets).unwrap();
    SnapshotStore::open(&settings.snapshots).unwrap()
}

/// What becomes of a connection to the server.
#[derive(Clone, Copy)]
enum Fate {
    Forwarded,
    /// Answered with `503 Service Unavailable`.
    Refused,
    /// Closed after so many bytes of what the client sends.
    CutAfter(u64),
}

/// A way to the server on which the fate of each connection is decided by its number. Returns its
/// address; it ends with the process.
fn detour(server: &str, fate: impl Fn(usize) -> Fate + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = server.to_owned();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let (client, server, fate) = (client.unwrap(), server.clone(), fate(number));
            // An end that is closed by the other one is the point of it.
            thread::spawn(move || drop(carry(client, &server, fate)));
        }
    });
    address
}

fn carry(mut client: TcpStream, server: &str, fate: Fate) -> io::Result<()> {
    if let Fate::Refused = fate {
        // The head of the request, without which the client would not read the answer.
        let mut head = BufReader::new(client.try_clone()?).lines();
        head.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
        return client.write_all(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
    let server = TcpStream::connect(server)?;
    let (mut back, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || drop(io::copy(&mut back, &mut to_client)));
    let limit = if let Fate::CutAfter(bytes) = fate { bytes } else { u64::MAX };
    io::copy(&mut client.try_clone()?.take(limit), &mut (&server))?;
    server.shutdown(Shutdown::Both)?;
    client.shutdown(Shutdown::Both)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn header(offset: i64, digest: &str) -> Header {
    Header {
        pipeline: "card-risk".to_owned(),
        state_hash: "0123456789abcdef".to_owned(),
        fold_version: 1,
        platform: "test".to_owned(),
        cluster_id: None,
        topic: "card.transactions".to_owned(),
        topic_id: Some("Xh3-Yt2_QzKqS1sYw7Yv5A".to_owned()),
        partition: 4,
        partitions: 9,
        position: LogPosition { offset, tick: 0 },
        origin: 0,
        watermark: None,
        digest: digest.to_owned(),
        ledger: Ledger::default(),
        skipped: Skipped::default(),
        keys: 0,
        taken_ms: 0,
    }
}

fn partition() -> PartitionKey {
    PartitionKey::of(&header(0, "00"))
}

fn offsets(entries: &[Entry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.name.position.offset).collect()
}

/// Bytes that no part of which is like another.
fn payload(length: usize) -> Vec<u8> {
    (0..length.div_ceil(8) as u64)
        .flat_map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes())
        .take(length)
        .collect()
}

#[test]
fn a_bucket_keeps_snapshots_as_a_directory_does() {
    let server = Server::start();
    server.create_bucket("snapshots");
    let store = server.open("s3://snapshots/team/a");
    assert_eq!(store.list(&partition()).unwrap(), []);
    for offset in [30, 10, 20] {
        assert_eq!(store.put(&header(offset, "aa"), payload(1000)).unwrap(), Stored::Written);
    }
    // Another instance, another connection.
    let peer = server.open("s3://snapshots/team/a");
    assert_eq!(offsets(&peer.list(&partition()).unwrap()), [30, 20, 10]);
    assert_eq!(peer.put(&header(30, "aa"), payload(1000)).unwrap(), Stored::Known);
    let others = vec![Name::of(&header(30, "aa"))];
    assert_eq!(peer.put(&header(30, "bb"), payload(1000)).unwrap(), Stored::Divergent { others });
    let entry = peer.list(&partition()).unwrap().remove(2);
    assert_eq!(peer.get(&entry).unwrap(), payload(1000));
    assert_eq!(peer.get_start(&entry, 10).unwrap(), payload(10));
    let other = Header { state_hash: "fedc".to_owned(), ..header(99, "aa") };
    drop(store.put(&other, payload(10)).unwrap());
    assert_eq!(offsets(&store.list_other(&partition()).unwrap()), [99]);
    let not_after = LogPosition { offset: 20, tick: 0 };
    assert_eq!(store.retain(&partition(), 1, not_after).unwrap(), [Name::of(&header(10, "aa"))]);
    assert_eq!(offsets(&store.list(&partition()).unwrap()), [30, 30, 20]);
    // Neighbours under another prefix are not seen.
    assert!(server.open("s3://snapshots/team").list(&partition()).unwrap().is_empty());
    assert_eq!(server.open("s3://snapshots").list_all(None).unwrap().foreign.len(), 4);
}

#[test]
fn what_stands_in_a_bucket_is_not_written_over() {
    let server = Server::start();
    server.create_bucket("snapshots");
    let store = server.open("s3://snapshots");
    drop(store.put(&header(7, "aa"), &b"first"[..]).unwrap());
    assert_eq!(store.put(&header(7, "aa"), &b"again"[..]).unwrap(), Stored::Known);
    let entry = store.list(&partition()).unwrap().remove(0);
    assert_eq!(store.get(&entry).unwrap(), &b"first"[..]);
}

#[test]
fn a_large_snapshot_travels_in_parts() {
    let server = Server::start();
    server.create_bucket("snapshots");
    let store = server.open("s3://snapshots");
    let bytes = payload((64 << 20) + (1 << 20) + 17);
    assert_eq!(store.put(&header(7, "aa"), bytes.clone()).unwrap(), Stored::Written);
    assert_eq!(store.put(&header(7, "aa"), bytes.clone()).unwrap(), Stored::Known);
    let entry = store.list(&partition()).unwrap().remove(0);
    assert_eq!(entry.bytes, bytes.len() as u64);
    assert!(store.get(&entry).unwrap() == bytes, "the bytes come back as they went");
}

#[test]
fn a_missing_bucket_and_a_missing_server_are_told_apart() {
    let server = Server::start();
    let store = server.open("s3://nowhere");
    let error = store.put(&header(7, "aa"), payload(10)).unwrap_err();
    assert_eq!((error.cause(), error.remedy()), (Cause::Missing, Remedy::Person), "{error}");
    assert!(error.to_string().contains("snapshot store s3://nowhere: cannot write "), "{error}");
    // Nothing listens on this port.
    let store = open("127.0.0.1:1", "s3://snapshots", &["snapshots.options.timeout=2s"]);
    let error = store.within(Duration::from_secs(20)).list(&partition()).unwrap_err();
    assert_eq!(error.remedy(), Remedy::Retry, "{error}");
    assert!(!error.to_string().contains(CANARY), "{error}");
}

#[test]
fn a_server_that_refuses_for_a_moment_is_asked_again() {
    let server = Server::start();
    server.create_bucket("snapshots");
    let refuses = |number| if number < 2 { Fate::Refused } else { Fate::Forwarded };
    let store = open(&detour(&server.address, refuses), "s3://snapshots", &[]);
    assert_eq!(store.put(&header(7, "aa"), payload(10)).unwrap(), Stored::Written);
    assert_eq!(offsets(&store.list(&partition()).unwrap()), [7]);
}

#[test]
fn a_server_that_goes_on_refusing_is_left_for_later() {
    let address = detour("127.0.0.1:1", |_| Fate::Refused);
    let store = open(&address, "s3://snapshots", &[]).within(Duration::from_secs(3));
    let error = store.put(&header(7, "aa"), payload(10)).unwrap_err();
    assert_eq!(error.remedy(), Remedy::Retry, "{error}");
    assert_eq!(store.list(&partition()).unwrap_err().remedy(), Remedy::Retry);
}

/// Some part of a large snapshot does not arrive whole, whichever connection carries it.
#[test]
fn a_snapshot_that_was_cut_on_its_way_is_whole_or_not_there() {
    let server = Server::start();
    server.create_bucket("snapshots");
    let direct = server.open("s3://snapshots");
    let bytes = payload((64 << 20) + 17);
    for cut in 0..4 {
        let fate = move |number| {
            if number == cut { Fate::CutAfter(3 << 20) } else { Fate::Forwarded }
        };
        let store = open(&detour(&server.address, fate), "s3://snapshots", &[]);
        let offset = 7 + i64::try_from(cut).unwrap();
        let put = store.put(&header(offset, "aa"), bytes.clone());
        let listed = direct.list(&partition()).unwrap();
        let found = listed.iter().find(|entry| entry.name.position.offset == offset);
        match put {
            Ok(stored) => {
                assert_eq!(stored, Stored::Written);
                assert!(direct.get(found.unwrap()).unwrap() == bytes);
            }
            Err(error) => {
                assert_eq!(error.remedy(), Remedy::Retry, "{error}");
                assert!(found.is_none(), "half a snapshot is listed");
            }
        }
    }
}
