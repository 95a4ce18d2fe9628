//! `millstream state`: the verbs on a directory of snapshots, good, bad and foreign.

use millstream::{
    pipeline::{Definition, Overrides},
    settings::Settings,
    state::snapshot::{self, Cell, Header, Ledger, LogPosition, Saved, Saver, Skipped, Type},
    store::{Name, SnapshotStore},
};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const CARD: &str = "tests/golden/pipelines/card/pipeline.yaml";

/// Some state: it is no fold's.
struct Rows(i64);

impl Saved for Rows {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        let mut table = out.table("numbers", &[("number", Type::Int)]);
        for number in 0..self.0 {
            table.row(&[Cell::Int(number)])?;
        }
        table.finish()
    }
}

/// A store in a directory, and the pipeline whose it is.
struct Store {
    folder: tempfile::TempDir,
    snapshots: SnapshotStore,
    definition: Definition,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sets = [format!("snapshots.store={}", folder.path().display())];
        let nowhere = Some(Path::new("/dev/null"));
        let settings = Settings::load(nowhere, std::iter::empty(), &sets).unwrap();
        let snapshots = SnapshotStore::open(&settings.snapshots).unwrap();
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join(CARD);
        let definition = Definition::load(&card, Overrides::default()).unwrap();
        Self { folder, snapshots, definition }
    }

    /// Stores a snapshot at the offset, of the pipeline's own definition or of another one.
    fn put(&self, offset: i64, own: bool) -> Name {
        self.put_state(offset, own, &Rows(5))
    }

    fn put_state(&self, offset: i64, own: bool, state: &dyn Saved) -> Name {
        let own_hash = self.definition.state_hash();
        let header = Header {
            pipeline: self.definition.spec().pipeline.clone(),
            state_hash: if own { own_hash } else { "00112233aabbccdd" }.to_owned(),
            fold_version: 1,
            platform: "0.1.0 linux x86_64".to_owned(),
            cluster_id: None,
            topic: "card.transactions".to_owned(),
            topic_id: None,
            partition: 3,
            partitions: 4,
            position: LogPosition { offset, tick: 0 },
            origin: 0,
            watermark: Some(1_700_000_000_000_000),
            digest: "00000000deadbeef".to_owned(),
            ledger: Ledger { consumed: 9, published: 9, ..Ledger::default() },
            skipped: Skipped::default(),
            keys: 17,
            taken_ms: 1_700_000_000_000,
        };
        let mut bytes = Vec::new();
        snapshot::write(&header, state, &mut bytes).unwrap();
        drop(self.snapshots.put(&header, bytes).unwrap());
        Name::of(&header)
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.folder.path().join(name.to_string())
    }

    /// Turns one bit of the state.
    fn damage(&self, name: &Name) {
        let mut bytes = fs::read(self.path(name)).unwrap();
        let last = bytes.len() - 40;
        bytes[last] ^= 1;
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Exit code, standard output, standard error of `state VERB ARGS`, `stdin` typed into it.
    fn run(&self, verb: &str, args: &[&str], stdin: &str) -> (i32, String, String) {
        let set = format!("snapshots.store={}", self.folder.path().display());
        let mut child = Command::new(env!("CARGO_BIN_EXE_millstream"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["state", verb])
            .args(args)
            .args(["--settings", "/dev/null", "--set", &set])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A verb that asks nothing may have ended by now.
        drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn ls_shows_newest_first_other_definitions_and_what_is_no_snapshot() {
    let store = Store::new();
    let (code, out, _) = store.run("ls", &[], "");
    assert_eq!((code, out.contains(": 0 snapshots")), (0, true), "{out}");
    let names = [store.put(20, true), store.put(30, true), store.put(25, false)];
    fs::write(store.folder.path().join("note.txt"), "hello").unwrap();
    fs::write(store.path(&names[0]).with_extension("snap.x.staged"), "half").unwrap();
    let (code, out, _) = store.run("ls", &[CARD], "");
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].ends_with(": 3 snapshots"), "{out}");
    assert!(lines[1].starts_with("topic              partition  position  age "), "{out}");
    let row = |line: &str, position: &str| {
        let start = format!("card.transactions  3          {position}        ");
        assert!(line.starts_with(&start) && line.contains("  17 "), "{out}");
        assert!(line.contains("  0.1.0 linux x86_64  "), "{out}");
    };
    let own = store.definition.state_hash();
    let at = |offset: &str| lines.iter().position(|line| line.contains(offset)).unwrap();
    let (newest, older) = (at("  30  "), at("  20  "));
    row(lines[newest], "30");
    assert!(newest < older && lines[newest].contains(&format!(" {own}  ")), "{out}");
    let other = lines[at("  25  ")];
    assert!(other.contains(" 00112233aabbccdd*  "), "{out}");
    assert!(lines[newest].ends_with(&names[1].to_string()), "{out}");
    assert!(out.contains("\n* of another definition than the pipeline file's\n"), "{out}");
    assert!(out.contains("\nnot a snapshot: "), "{out}");
    // A file at the root belongs to no pipeline.
    assert_eq!(out.matches("not a snapshot: ").count(), 1, "{out}");
    let (_, all, _) = store.run("ls", &[], "");
    assert!(all.contains("not a snapshot: note.txt (5 B)"), "{all}");
    assert!(!all.contains("00112233aabbccdd*"), "{all}");
}

#[test]
fn ls_prints_json_lines_with_unreadable_ones_among_them() {
    let store = Store::new();
    let good = store.put(20, true);
    let bad = store.put(30, true);
    fs::write(store.path(&bad), "no header").unwrap();
    let (code, out, _) = store.run("ls", &[CARD, "--json"], "");
    assert_eq!(code, 0);
    let lines: Vec<serde_json::Value> =
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["name"], bad.to_string());
    assert_eq!(lines[0]["keys"], serde_json::Value::Null);
    assert!(lines[0]["error"].as_str().unwrap().contains("not a snapshot"), "{out}");
    assert_eq!(lines[1]["name"], good.to_string());
    assert_eq!((&lines[1]["offset"], &lines[1]["keys"]), (&20.into(), &17.into()));
    assert_eq!(lines[1]["current"], true);
}

#[test]
fn show_prints_header_and_sections_of_a_name_or_a_file() {
    let store = Store::new();
    let name = store.put(20, true);
    for given in [name.to_string(), store.path(&name).display().to_string()] {
        let (code, out, error) = store.run("show", &[&given], "");
        assert_eq!(code, 0, "{error}");
        assert!(out.contains("\"offset\": 20") && out.contains("\"keys\": 17"), "{out}");
        let row = out.lines().find(|line| line.starts_with("numbers ")).unwrap();
        assert_eq!(row.split_whitespace().nth(1), Some("5"), "{out}");
    }
    let (code, _, error) = store.run("show", &["nothing"], "");
    assert_eq!(code, 1);
    assert!(error.contains("`nothing` is no name of a snapshot"), "{error}");
    store.snapshots.remove(&name).unwrap();
    let (code, _, error) = store.run("show", &[&name.to_string()], "");
    assert_eq!(code, 1);
    assert!(error.contains("no snapshot `"), "{error}");
}

#[test]
fn verify_tells_every_bad_one() {
    let store = Store::new();
    let good = store.put(10, false);
    let (code, out, _) = store.run("verify", &[], "");
    assert_eq!((code, out), (0, format!("ok   {good}\n1 ok, 0 bad\n")));
    let [flipped, cut, empty, renamed] = [20, 30, 40, 50].map(|offset| store.put(offset, false));
    store.damage(&flipped);
    let bytes = fs::read(store.path(&cut)).unwrap();
    fs::write(store.path(&cut), bytes.split_at(bytes.len() - 9).0).unwrap();
    fs::write(store.path(&empty), "").unwrap();
    fs::copy(store.path(&good), store.path(&renamed)).unwrap();
    let (code, out, _) = store.run("verify", &[], "");
    assert_eq!(code, 1);
    for (name, reason) in [
        (&flipped, "damaged: the checksum of"),
        (&cut, "truncated: "),
        (&empty, "the file is empty"),
        (&renamed, "the file was renamed or copied"),
    ] {
        let line = out.lines().find(|line| line.contains(&name.to_string())).unwrap();
        assert!(line.starts_with("BAD  ") && line.contains(reason), "{out}");
    }
    assert!(out.ends_with("1 ok, 4 bad\n"), "{out}");
    let (code, out, _) = store.run("verify", &[&good.to_string()], "");
    assert_eq!((code, out.ends_with("1 ok, 0 bad\n")), (0, true), "{out}");
}

#[test]
fn verify_with_the_pipeline_restores_its_fold() {
    let store = Store::new();
    let foreign = store.put(10, false);
    // Good bytes, but not the state of this pipeline's fold.
    let own = store.put(20, true);
    let real = store.put_state(30, true, &store.definition.fold(Some(4)).capture());
    let (code, out, _) = store.run("verify", &[CARD], "");
    assert_eq!(code, 1, "{out}");
    assert!(out.contains(&format!("ok   {real}")), "{out}");
    assert!(out.contains(&format!("ok   {foreign}")), "{out}");
    assert!(out.contains(&format!("BAD  {own}: ")), "{out}");
}

#[test]
fn rm_asks_and_keeps_the_newest_valid_one() {
    let store = Store::new();
    let [old, newest, damaged] = [10, 20, 30].map(|offset| store.put(offset, true));
    store.damage(&damaged);
    let rm = |name: &Name, more: &[&str], stdin: &str| {
        let name = name.to_string();
        store.run("rm", &[&[name.as_str()][..], more].concat(), stdin)
    };
    let (code, out, error) = rm(&old, &[], "");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(error.contains("[y/N]") && error.contains("nothing is removed"), "{error}");
    assert_eq!(rm(&old, &[], "n\n").0, 1);
    assert!(store.path(&old).exists());
    let (code, out, _) = rm(&old, &[], "y\n");
    assert_eq!((code, out), (0, format!("removed {old}\n")));
    assert!(!store.path(&old).exists());
    // The newest file is damaged: the one before it is what a restart would use.
    let (code, _, error) = rm(&newest, &["--yes"], "");
    assert_eq!(code, 1);
    assert!(error.contains("is the newest valid snapshot") && store.path(&newest).exists());
    assert_eq!(rm(&damaged, &["--yes"], "").0, 0);
    assert_eq!(rm(&newest, &["--yes", "--force"], "").0, 0);
    assert!(!store.path(&newest).exists());
    let (code, _, error) = rm(&newest, &["--yes"], "");
    assert_eq!(code, 1);
    assert!(error.contains("no snapshot `"), "{error}");
}

#[test]
fn rm_removes_by_age_and_by_definition() {
    let store = Store::new();
    let own = store.put(10, true);
    let other = store.put(20, false);
    let (code, out, _) = store.run("rm", &[CARD, "--older-than", "1h", "--yes"], "");
    assert_eq!((code, out.as_str()), (0, "nothing to remove\n"));
    let (code, out, error) = store.run("rm", &[CARD, "--other-definitions", "--yes"], "");
    assert_eq!((code, out), (0, format!("removed {other}\n")), "{error}");
    assert!(store.path(&own).exists());
    let (code, _, error) = store.run("rm", &[CARD, "--older-than", "1us", "--yes"], "");
    assert_eq!(code, 1, "{error}");
    assert!(store.path(&own).exists(), "the newest one of the current definition stays");
    assert_eq!(store.run("rm", &[CARD], "").0, 64);
    assert_eq!(store.run("rm", &[], "").0, 64);
    assert_eq!(store.run("rm", &[&own.to_string(), "--older-than", "1h"], "").0, 64);
    assert_eq!(store.run("rm", &[CARD, "--older-than", "soon"], "").0, 64);
}

#[test]
fn a_store_that_is_not_there_is_told_and_not_made() {
    let mut store = Store::new();
    let folder = std::mem::replace(&mut store.folder, tempfile::tempdir().unwrap());
    let path = store.folder.path().to_owned();
    drop(folder);
    fs::remove_dir(&path).unwrap();
    let (code, _, error) = store.run("ls", &[], "");
    assert_eq!(code, 1);
    assert!(error.contains("cannot open it") && error.contains("snapshots.store"), "{error}");
    assert!(!path.exists());
}
