use super::{testing::header, *};
use proptest::{collection::vec, prelude::*};

const COLUMNS: &[Column] = &[
    ("int", Type::Int),
    ("word", Type::Word),
    ("float", Type::Float),
    ("bytes", Type::Bytes),
    ("text", Type::Text),
];

/// Rows that a table is made of.
type Row = (Option<i64>, u64, f64, Vec<u8>, String);

struct Rows(Vec<Row>);

impl Saved for Rows {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        for name in ["first", "empty", "second"] {
            let mut table = out.table(name, COLUMNS);
            for (int, word, float, bytes, text) in self.0.iter().filter(|_| name != "empty") {
                let int = int.map_or(Cell::Null, Cell::Int);
                let (bytes, text) = (Cell::Bytes(bytes), Cell::Text(text));
                table.row(&[int, Cell::Word(*word), Cell::Float(*float), bytes, text])?;
            }
            table.finish()?;
        }
        Ok(())
    }
}

/// Nests what it is made of one level down, as a fold does.
struct Root(Rows);

impl Saved for Root {
    fn save(&self, out: &mut Saver<'_>) -> io::Result<()> {
        out.component("part", &self.0)
    }
}

fn written(rows: Vec<Row>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&header(), &Root(Rows(rows)), &mut bytes).unwrap();
    bytes
}

fn table_rows(sections: &Sections, name: &str) -> Vec<Row> {
    let mut table = sections.component("part").table(name, COLUMNS).unwrap();
    let mut rows = Vec::new();
    while table.next_row() {
        rows.push((
            table.optional_int(0),
            table.word(1).unwrap(),
            table.float(2).unwrap(),
            table.bytes(3).unwrap().to_vec(),
            table.text(4).unwrap().to_owned(),
        ));
    }
    assert_eq!(rows.len(), table.len());
    rows
}

fn bits(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("{row:?} {}", row.2.to_bits())).collect()
}

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    let float = any::<u64>().prop_map(f64::from_bits);
    vec((any::<Option<i64>>(), any::<u64>(), float, vec(any::<u8>(), 0..40), "\\PC{0,12}"), 0..most)
}

/// What happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Zero(usize, usize),
    Append(u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), 1..600_usize).prop_map(|(at, count)| Damage::Zero(at, count)),
        any::<u8>().prop_map(Damage::Append),
    ]
}

fn damaged(bytes: &[u8], damage: &Damage) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = bytes.len();
    match damage {
        Damage::Flip(at, bits) => bytes[at % length] ^= bits,
        Damage::Cut(at) => bytes.truncate(at % length),
        Damage::Zero(at, count) => {
            bytes.iter_mut().skip(at % length).take(*count).for_each(|byte| *byte = 0);
        }
        Damage::Append(byte) => bytes.push(*byte),
    }
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read_to_the_bit(rows in rows(60)) {
        let bytes = written(rows.clone());
        prop_assert_eq!(&bytes, &written(rows.clone()));
        let (read_back, sections) = read(&bytes).unwrap();
        prop_assert_eq!(read_back, header());
        prop_assert_eq!(read_header(&bytes[..bytes.len().min(HEADER_BYTES_MAX)]).unwrap(), header());
        for name in ["first", "second"] {
            let read_back = table_rows(&sections, name);
            prop_assert_eq!(bits(&read_back), bits(&rows));
        }
        prop_assert!(table_rows(&sections, "empty").is_empty());
    }

    #[test]
    fn no_damage_goes_unnoticed(rows in rows(20), damage in vec(damage(), 1..4)) {
        let whole = written(rows);
        let bytes = damage.iter().fold(whole.clone(), |bytes, damage| {
            if bytes.is_empty() { bytes } else { damaged(&bytes, damage) }
        });
        prop_assert_eq!(read(&bytes).is_ok(), bytes == whole);
        if let Ok(found) = read_header(&bytes) {
            prop_assert_eq!(found, header());
        }
    }

    /// Whoever can write a file can write its checksums too: an error then, or other rows, never a
    /// panic and never memory that no byte of the file pays for.
    #[test]
    fn a_frame_that_is_made_up_is_an_error_or_a_table(
        rows in rows(8),
        damage in vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let bytes = written(rows);
        let (_, mut frames) = frame::split_header(&bytes).unwrap();
        let mut forged = Vec::new();
        let mut writer = FrameWriter::begin(&mut forged, &serde_json::to_vec(&header()).unwrap()).unwrap();
        while let Some((name, payload)) = frames.next().unwrap() {
            let mut payload = payload.to_vec();
            for (at, byte) in &damage {
                let length = payload.len();
                payload[at % length] = *byte;
            }
            writer.frame(name, &payload).unwrap();
        }
        writer.end().unwrap();
        if let Ok((_, sections)) = read(&forged)
            && let Ok(mut table) = sections.component("part").table("first", COLUMNS)
        {
            while table.next_row() {
                let _read = (table.optional_int(0), table.word::<u64>(1), table.float(2));
                let _read = (table.bytes(3), table.text(4));
            }
        }
    }
}

#[test]
fn each_mistake_has_its_own_error() {
    let bytes = written(vec![(Some(1), 2, 3.0, vec![4], "5".to_owned())]);
    let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(error(b"{}"), "not a snapshot: the file begins with other bytes");
    assert_eq!(error(b""), "truncated: the file ends in the header");
    let mut newer = bytes.clone();
    newer[MAGIC_BYTES] = 2;
    assert_eq!(error(&newer), "format version 2 is newer than 1, the newest this program reads");
    assert_eq!(error(&bytes[..bytes.len() - 1]), "truncated: the file ends in the end");
    assert_eq!(error(&bytes[..100]), "truncated: the file ends in the header");
    let mut damaged = bytes.clone();
    let name = bytes.windows(11).position(|part| part == b"part/second").unwrap();
    damaged[name + 30] ^= 1;
    assert_eq!(error(&damaged), "damaged: the checksum of section `part/second` does not match");
    let (_, sections) = read(&bytes).unwrap();
    let part = sections.component("part");
    let missing = part.table("third", COLUMNS).unwrap_err().to_string();
    assert_eq!(missing, "section `part/third` cannot be used: it is not there");
    let other = part.table("first", &[("int", Type::Int)]).unwrap_err().to_string();
    assert_eq!(other, "section `part/first` cannot be used: it has other columns");
    assert!(part.single("empty", COLUMNS).is_err());
}

const MAGIC_BYTES: usize = frame::MAGIC.len();

/// A state of a MiB and more comes in several frames, none of them large.
#[test]
fn large_tables_come_in_frames() {
    let rows: Vec<Row> =
        (0..40_000).map(|i| (Some(i), 1, 2.0, vec![7; 50], String::new())).collect();
    let bytes = written(rows.clone());
    let (_, mut frames) = frame::split_header(&bytes).unwrap();
    let mut lengths = Vec::new();
    while let Some((name, payload)) = frames.next().unwrap() {
        lengths.push((name.to_owned(), payload.len()));
    }
    assert!(lengths.len() > 8, "{lengths:?}");
    assert!(lengths.iter().all(|(_, length)| *length < 1024 * 1024), "{lengths:?}");
    let (_, sections) = read(&bytes).unwrap();
    assert_eq!(bits(&table_rows(&sections, "second")), bits(&rows));
}
