//! The store against a model, and against stores that fail.

mod faulty;

use super::*;
use crate::state::snapshot::{Ledger, Skipped};
use faulty::{Fault, Faulty};
use object_store::{ObjectStoreExt as _, PutPayload, memory::InMemory};
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
};

fn header(offset: i64, tick: u32, digest: &str) -> Header {
    Header {
        pipeline: "p".to_owned(),
        state_hash: "0123456789abcdef".to_owned(),
        fold_version: 1,
        platform: "test".to_owned(),
        cluster_id: None,
        topic: "t".to_owned(),
        topic_id: None,
        partition: 0,
        partitions: 1,
        position: LogPosition { offset, tick },
        origin: 0,
        watermark: None,
        digest: digest.to_owned(),
        ledger: Ledger::default(),
        skipped: Skipped::default(),
        keys: 0,
        taken_ms: 0,
    }
}

fn memory() -> (Arc<InMemory>, SnapshotStore) {
    let objects = Arc::new(InMemory::new());
    let store = SnapshotStore::over(Arc::clone(&objects) as Arc<dyn ObjectStore>, "memory://");
    (objects, store)
}

fn plant(store: &SnapshotStore, objects: &InMemory, name: &str, bytes: &'static [u8]) {
    let location = Path::from(name);
    let put = objects.put(&location, PutPayload::from_static(bytes));
    store.inner.runtime.as_ref().unwrap().block_on(put).unwrap();
}

fn positions(entries: &[Entry]) -> Vec<LogPosition> {
    entries.iter().map(|entry| entry.name.position).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn retain_keeps_the_newest_at_or_before_and_all_that_are_newer(
        put in proptest::collection::btree_set((0..20_i64, 0..3_u32, 0..2_u8), 0..15),
        keep in 1..5_usize,
        limit in (0..20_i64, 0..3_u32),
    ) {
        let (_, store) = memory();
        for (offset, tick, digest) in &put {
            let header = header(*offset, *tick, &format!("a{digest}"));
            drop(store.put(&header, vec![1_u8]).unwrap());
        }
        let not_after = LogPosition { offset: limit.0, tick: limit.1 };
        let partition = PartitionKey::of(&header(0, 0, "a"));
        let removed = store.retain(&partition, keep, not_after).unwrap();
        // The definition: positions that are removed have `keep` others between them and the limit.
        let removable: BTreeSet<(i64, u32)> =
            put.iter().map(|(o, t, _)| (*o, *t)).filter(|at| *at <= limit).collect();
        let stays = |at: (i64, u32)| at > limit || removable.range(at..).count() <= keep;
        let mut expected: Vec<LogPosition> = put.iter()
            .filter(|(o, t, _)| stays((*o, *t)))
            .map(|(offset, tick, _)| LogPosition { offset: *offset, tick: *tick })
            .collect();
        expected.reverse();
        let left = store.list(&partition).unwrap();
        prop_assert_eq!(positions(&left), expected);
        prop_assert_eq!(left.len() + removed.len(), put.len());
    }
}

#[test]
fn the_same_state_is_known_and_another_one_is_divergent() {
    let (_, store) = memory();
    assert_eq!(store.put(&header(7, 0, "aa"), "state").unwrap(), Stored::Written);
    assert_eq!(store.put(&header(7, 0, "aa"), "state").unwrap(), Stored::Known);
    assert_eq!(store.put(&header(7, 1, "bb"), "later").unwrap(), Stored::Written);
    let Stored::Divergent { others } = store.put(&header(7, 0, "cc"), "other").unwrap() else {
        panic!("another digest at the same position is a divergence");
    };
    assert_eq!(others, [Name::of(&header(7, 0, "aa"))]);
    let entries = store.list(&PartitionKey::of(&header(0, 0, "a"))).unwrap();
    let digests: Vec<&str> = entries.iter().map(|entry| entry.name.digest.as_str()).collect();
    assert_eq!(digests, ["bb", "cc", "aa"], "both states of 7 stay, for the committed digest");
    assert_eq!(store.get(&entries[1]).unwrap(), "other");
}

#[test]
fn a_rest_in_the_place_of_a_snapshot_is_replaced() {
    let (objects, store) = memory();
    let name = Name::of(&header(7, 0, "aa"));
    for rest in [&b""[..], b"sta"] {
        plant(&store, &objects, &name.to_string(), rest);
        assert_eq!(store.put(&header(7, 0, "aa"), "state").unwrap(), Stored::Written);
        let entries = store.list(&name.partition).unwrap();
        assert_eq!(store.get(&entries[0]).unwrap(), "state");
    }
}

#[test]
fn what_is_no_snapshot_breaks_no_listing_and_is_named() {
    let (objects, store) = memory();
    drop(store.put(&header(7, 0, "aa"), "state").unwrap());
    let folder = PartitionKey::of(&header(0, 0, "a")).folder();
    let foreign = [
        "readme.txt".to_owned(),
        format!("{folder}/00000000000000000009-0000000000-aa.snap.x1.staged"),
        format!("{folder}/9.snap"),
        format!("{folder}/deeper/00000000000000000009-0000000000-aa.snap"),
    ];
    for name in &foreign {
        plant(&store, &objects, name, b"x");
    }
    let empty = Name::of(&header(9, 0, "aa")).to_string();
    plant(&store, &objects, &empty, b"");
    let partition = PartitionKey::of(&header(0, 0, "a"));
    assert_eq!(store.list(&partition).unwrap().len(), 1);
    let listing = store.list_all(None).unwrap();
    assert_eq!(listing.snapshots.len(), 1);
    let named: BTreeSet<String> = listing.foreign.into_iter().map(|f| f.name).collect();
    assert_eq!(named, foreign.into_iter().chain([empty]).collect());
    assert_eq!(store.list_all(Some("p")).unwrap().foreign.len(), 4);
    assert_eq!(store.list_all(Some("q")).unwrap(), Listing::default());
}

#[test]
fn other_definitions_and_topics_of_the_partition_are_found() {
    let (_, store) = memory();
    let mine = header(7, 0, "aa");
    let old = Header { state_hash: "fedc".to_owned(), ..header(9, 0, "aa") };
    let recreated = Header { topic_id: Some("id".to_owned()), ..header(8, 0, "aa") };
    let elsewhere = [
        Header { partition: 1, ..old.clone() },
        Header { topic: "t2".to_owned(), ..old.clone() },
        Header { pipeline: "p2".to_owned(), ..old.clone() },
    ];
    for header in [&mine, &old, &recreated].into_iter().chain(&elsewhere) {
        drop(store.put(header, "state").unwrap());
    }
    let partition = PartitionKey::of(&mine);
    assert_eq!(store.list(&partition).unwrap().len(), 1);
    let others: Vec<Name> =
        store.list_other(&partition).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(others, [Name::of(&old), Name::of(&recreated)]);
}

/// A volume of 64 KiB; only root may mount one.
struct Volume(tempfile::TempDir);

impl Volume {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(folder.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then(|| Self(folder))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

#[test]
fn a_full_disk_is_told_and_the_next_snapshot_may_fit() {
    let volume = Volume::mount();
    let store = if let Some(Volume(folder)) = &volume {
        let objects = local::LocalDirectory::at(folder.path(), true);
        SnapshotStore::new(Opened {
            shown: "full://".to_owned(),
            objects: Arc::new(objects),
            parts: false,
        })
    } else {
        let faulty = Faulty::new(Arc::new(InMemory::new()), Fault::Full(1));
        SnapshotStore::over(faulty, "full://")
    };
    drop(store.put(&header(1, 0, "aa"), "state").unwrap());
    let error = store.put(&header(2, 0, "aa"), vec![7_u8; 100_000]).unwrap_err();
    assert_eq!((error.cause(), error.remedy()), (Cause::DiskFull, Remedy::Person), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("snapshot store full://: cannot write p/0123"), "{text}");
    // Nothing of the failed one takes the room of the next.
    assert_eq!(store.put(&header(3, 0, "aa"), vec![7_u8; 30_000]).unwrap(), Stored::Written);
    let partition = PartitionKey::of(&header(0, 0, "a"));
    assert_eq!(store.list(&partition).unwrap().len(), 2, "the older ones are intact");
}

#[test]
fn a_store_that_does_not_answer_is_left() {
    let slow = Fault::Slow(Duration::from_mins(10));
    let store = SnapshotStore::over(Faulty::new(Arc::new(InMemory::new()), slow), "slow://");
    let error =
        store.within(Duration::from_millis(20)).put(&header(1, 0, "aa"), "state").unwrap_err();
    assert_eq!((error.cause(), error.remedy()), (Cause::TimedOut, Remedy::Retry));
}

#[test]
fn fewer_bytes_than_listed_are_no_snapshot() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let whole = SnapshotStore::over(Arc::clone(&inner), "x://");
    drop(whole.put(&header(1, 0, "aa"), "state").unwrap());
    let store = SnapshotStore::over(Faulty::new(inner, Fault::Truncating), "short://");
    let entries = store.list(&PartitionKey::of(&header(0, 0, "a"))).unwrap();
    let error = store.get(&entries[0]).unwrap_err();
    assert_eq!((error.cause(), error.remedy()), (Cause::Incomplete, Remedy::Retry), "{error}");
    assert!(error.to_string().contains("2 bytes came, 5 were expected"), "{error}");
}

#[test]
fn a_snapshot_that_went_meanwhile_is_missing_to_read_and_gone_to_remove() {
    let (_, store) = memory();
    drop(store.put(&header(1, 0, "aa"), "state").unwrap());
    let entry = store.list(&PartitionKey::of(&header(0, 0, "a"))).unwrap().remove(0);
    store.remove(&entry.name).unwrap();
    store.remove(&entry.name).unwrap();
    let error = store.get(&entry).unwrap_err();
    assert_eq!((error.cause(), error.remedy()), (Cause::Missing, Remedy::Retry));
}

#[test]
fn stores_without_conditional_writes_do() {
    let faulty = Faulty::new(Arc::new(InMemory::new()), Fault::Unconditional);
    let store = SnapshotStore::over(faulty, "plain://");
    assert_eq!(store.put(&header(1, 0, "aa"), "state").unwrap(), Stored::Written);
    assert_eq!(store.put(&header(1, 0, "aa"), "state").unwrap(), Stored::Written);
}

#[test]
fn an_empty_directory_has_no_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Arc::new(local::LocalDirectory::at(folder.path(), true));
    let store = SnapshotStore::over(objects, "file://");
    let partition = PartitionKey::of(&header(0, 0, "a"));
    assert_eq!(store.list(&partition).unwrap(), []);
    assert_eq!(store.list_other(&partition).unwrap(), []);
    assert_eq!(store.list_all(None).unwrap(), Listing::default());
    assert_eq!(store.list_all(Some("p")).unwrap(), Listing::default());
    let any = LogPosition { offset: 9, tick: 0 };
    assert_eq!(store.retain(&partition, 2, any).unwrap(), []);
}

#[test]
fn the_last_clone_may_go_in_an_asynchronous_task() {
    let (_, store) = memory();
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async move { drop(store) });
}
