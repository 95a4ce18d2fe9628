//! Which partition a record's key belongs to, by the producers' own hash functions.

use std::fmt;

/// How the producers of a topic choose the partition of a keyed record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioner {
    /// Java clients, and librdkafka's `murmur2` and `murmur2_random`.
    Murmur2,
    /// librdkafka's default `consistent_random`, and so kcat, Python and Go.
    Crc32,
    /// Sarama's default, and librdkafka's `fnv1a` and `fnv1a_random`.
    Fnv1a,
}

impl Partitioner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Murmur2, Self::Crc32, Self::Fnv1a];

    /// The name in pipeline files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2",
            Self::Crc32 => "crc32",
            Self::Fnv1a => "fnv1a",
        }
    }

    /// The partition of `key` among `partitions`, or none where the producer is free to choose: a
    /// null key, and for CRC32 an empty one.
    pub fn partition(self, key: Option<&[u8]>, partitions: i32) -> Option<i32> {
        let key = key?;
        let hash = match self {
            Self::Murmur2 => murmur2(key) & 0x7fff_ffff,
            Self::Crc32 if key.is_empty() => return None,
            Self::Crc32 => crc32fast::hash(key),
            Self::Fnv1a => fnv1a(key),
        };
        let count = u32::try_from(partitions).ok().filter(|count| *count > 0)?;
        i32::try_from(hash % count).ok()
    }
}

impl fmt::Display for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `MurmurHash2` as Kafka's Java client has it.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    // Java's lengths are 32 bits, and so are Kafka's.
    #[expect(clippy::cast_possible_truncation, reason = "the hash takes the length modulo 2^32")]
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// FNV-1a as a signed number without its sign, as Sarama and librdkafka have it.
fn fnv1a(key: &[u8]) -> u32 {
    const OFFSET: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    let hash = key.iter().fold(OFFSET, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME));
    hash.cast_signed().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of Kafka's `UtilsTest.testMurmur2` and librdkafka's `unittest_murmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
            ("kafka", 0xd067_cf64_u32.cast_signed()),
            ("giberish123456789", 0x8f55_2b0c_u32.cast_signed()),
            ("1234", 0x9fc9_7b14_u32.cast_signed()),
            ("34", 0x8739_30da_u32.cast_signed()),
            ("4", 0x5a4b_5ca1),
            ("", 0x106e_08d9),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(Partitioner::Murmur2.partition(Some(b"kafka"), 7), Some(0x5067_cf64 % 7));
    }

    /// Vectors of librdkafka's `unittest_fnv1a`.
    #[test]
    fn fnv1a_is_saramas() {
        for (key, hash) in [
            ("kafka", 0x0d33_c4e1),
            ("giberish123456789", 0x77a5_8295),
            ("1234", 0x023b_dd03),
            ("PreAmbleWillBeRemoved,ThePrePartThatIs", 0x65cb_d69c),
            ("", 0x7ee3_623b),
        ] {
            assert_eq!(fnv1a(key.as_bytes()), hash, "{key}");
        }
    }

    #[test]
    fn where_the_producer_is_free_nothing_is_said() {
        assert_eq!(Partitioner::Crc32.partition(Some(b"123456789"), 10), Some(2));
        for partitioner in Partitioner::ALL {
            assert_eq!(partitioner.partition(None, 3), None);
            assert_eq!(partitioner.partition(Some(b"x"), 1), Some(0));
        }
        assert_eq!(Partitioner::Crc32.partition(Some(b""), 3), None);
        assert!(Partitioner::Murmur2.partition(Some(b""), 3).is_some());
    }
}
