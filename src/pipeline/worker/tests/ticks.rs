//! Ticks of a partition that is read from an embedded broker.

use super::{super::metadata::TICKS_MAX, *};
use crate::pipeline::protocol::at;

/// The card pipeline in order of event time; a partition is idle after a second.
fn in_order() -> Arc<Definition> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines");
    let directory = tempfile::tempdir().unwrap();
    let schema = "card-transaction.schema.json";
    std::fs::copy(source.join(schema), directory.path().join(schema)).unwrap();
    let text = std::fs::read_to_string(source.join("card-features.yaml")).unwrap();
    let file = directory.path().join("pipeline.yaml");
    let order = "order: event_time\n  idle_timeout: 1s";
    std::fs::write(&file, text.replace("order: arrival", order)).unwrap();
    Arc::new(Definition::load(&file, Overrides::default()).unwrap())
}

fn until_at(worker: &mut Worker, position: LogPosition) {
    until(worker, "where it should stand", |w| {
        w.fold_slices().unwrap();
        w.protocol.position(&id(0)) == Some(position)
            && w.protocol.phase(&id(0)) == Some(Phase::Live)
    });
}

#[test]
fn a_tick_is_made_once_and_again_in_a_replay() {
    let broker = broker();
    let definition = in_order();
    fill(&broker, 0, 6);
    let mut first = worker(&broker, &definition);
    take(&mut first, 0, start_at(0, 0), 6);
    until_at(&mut first, at(6));
    assert_eq!((first.outbox.len(), first.partitions[&id(0)].fold().held()), (0, 6));
    let ticked = LogPosition { offset: 6, tick: 1 };
    until_at(&mut first, ticked);
    assert_eq!((first.outbox.len(), first.partitions[&id(0)].fold().held()), (6, 0));
    first.fold_slices().unwrap();
    assert_eq!(first.protocol.position(&id(0)), Some(ticked), "nothing is held any more");
    let place = first.place.clone();
    let partition = first.partitions.get_mut(&id(0)).unwrap();
    let committed = partition.position(ticked, &place);
    let metadata = Metadata::parse(committed.metadata.as_bytes()).unwrap();
    assert_eq!((metadata.tick, &metadata.ticks[..]), (1, &[ticked][..]));
    assert_eq!((metadata.ledger.published, metadata.ledger.held), (6, 0));

    // A replay that ends with the tick, and one with a record behind it.
    fill(&broker, 0, 1);
    for committed in [ticked, at(7)] {
        let mut second = worker(&broker, &definition);
        let start = protocol::Start { committed, ticks: vec![6], ..start_at(0, 0) };
        let mut found = found(&mut second, 0, start, 7);
        found.result.as_mut().unwrap().1.digest = metadata.digest.filter(|_| committed == ticked);
        take_found(&mut second, vec![found]);
        until(&mut second, "replayed", |w| {
            w.fold_slices().unwrap();
            w.protocol.phase(&id(0)) == Some(Phase::Live)
        });
        assert_eq!(second.recovery.metrics.fold_divergence_total.get(), 0);
        assert!(second.outbox.is_empty(), "a replay is silent");
        until_at(&mut second, at(7));
        let fold = second.partitions[&id(0)].fold();
        assert_eq!(fold.held(), 0, "what comes behind the tick with such an event time is late");
    }
}

/// With no store, and with no room for another tick, what is held waits.
#[test]
fn ticks_are_forgotten_behind_the_older_of_two_snapshots() {
    let broker = broker();
    let definition = in_order();
    fill(&broker, 0, 3);
    let mut worker = worker(&broker, &definition);
    let mut found = found(&mut worker, 0, start_at(0, 0), 3);
    let many = (0..TICKS_MAX).map(|i| at(-1 - i64::try_from(i).unwrap())).rev();
    found.result.as_mut().unwrap().1.ticks.0 = many.collect();
    take_found(&mut worker, vec![found]);
    until_at(&mut worker, at(3));
    std::thread::sleep(Duration::from_millis(1_200));
    worker.fold_slices().unwrap();
    assert_eq!(worker.protocol.position(&id(0)), Some(at(3)), "there is no room");
    let partition = worker.partitions.get_mut(&id(0)).unwrap();
    assert!(partition.ticks_full);
    partition.stored(at(-3));
    assert_eq!((partition.ticks.0.len(), partition.ticks.1), (TICKS_MAX, None));
    partition.stored(at(1));
    assert_eq!((partition.ticks.0.len(), partition.ticks.1), (2, Some(at(-3))));
    partition.stored(at(0));
    assert_eq!(partition.snapshot, Some(at(1)), "an older one changes nothing");
    until_at(&mut worker, LogPosition { offset: 3, tick: 1 });
}

/// A state that holds other records than the totals say is not the end of the process.
#[test]
fn totals_go_on_from_what_is_held() {
    let broker = broker();
    let definition = in_order();
    fill(&broker, 0, 4);
    let mut worker = worker(&broker, &definition);
    let mut found = found(&mut worker, 0, start_at(0, 4), 4);
    found.result.as_mut().unwrap().1.ledger =
        Ledger { consumed: 4, published: 3, held: 1, ..Ledger::default() };
    take_found(&mut worker, vec![found]);
    until_at(&mut worker, LogPosition { offset: 4, tick: 1 });
    let place = worker.place.clone();
    let partition = worker.partitions.get_mut(&id(0)).unwrap();
    let text = partition.position(LogPosition { offset: 4, tick: 1 }, &place).metadata;
    let ledger = Metadata::parse(text.as_bytes()).unwrap().ledger;
    assert_eq!((ledger.consumed, ledger.published, ledger.held), (7, 7, 0));
}
