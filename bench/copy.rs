//! The floor: librdkafka copying a topic byte for byte, one thread, no decoding.
//!
//! `copy BOOTSTRAP INPUT OUTPUT` reads everything that is in INPUT and writes it to OUTPUT. It uses
//! the C API with batch consume and no delivery reports, tuned as `docs/benchmark.md` says.
#![expect(unsafe_code, reason = "the floor is librdkafka's own API")]
#![expect(clippy::disallowed_methods, reason = "not the daemon")]
#![expect(clippy::print_stdout, reason = "a command line tool")]

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList, bindings as sys,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseProducer, Producer as _},
    types::RDKafkaRespErr,
};
use std::{collections::BTreeMap, ffi::CString, ptr, time::Duration};

const BATCH: usize = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, servers, input, output] = arguments.as_slice() else {
        panic!("usage: copy BOOTSTRAP INPUT OUTPUT");
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "copy")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", "200000")
        .set("fetch.message.max.bytes", "4000000")
        .create()
        .expect("a consumer");
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .set("batch.num.messages", "10000")
        .set("batch.size", "1000000")
        .set("compression.type", "lz4")
        .set("queue.buffering.max.messages", "1000000")
        .set("delivery.report.only.error", "true")
        .create()
        .expect("a producer");
    let copied = copy(&consumer, &producer, input, output);
    producer.flush(Duration::from_mins(1)).expect("all delivered");
    println!("{copied}");
}

fn copy(consumer: &BaseConsumer, producer: &BaseProducer, input: &str, output: &str) -> u64 {
    let timeout = Duration::from_secs(10);
    let metadata = consumer.fetch_metadata(Some(input), timeout).expect("metadata");
    let (mut list, mut ends) = (TopicPartitionList::new(), BTreeMap::new());
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = consumer.fetch_watermarks(input, partition.id(), timeout).expect("ends");
        list.add_partition_offset(input, partition.id(), Offset::Offset(low)).expect("an offset");
        if low < high {
            ends.insert(partition.id(), high);
        }
    }
    consumer.assign(&list).expect("assigned");
    let output = CString::new(output).expect("a topic");
    let mut messages = vec![ptr::null_mut(); BATCH];
    let mut copied = 0;
    // SAFETY: all pointers come from librdkafka and live as long as its clients; each message is
    // destroyed once, after the producer has copied it. The assignment is by hand, so that the
    // consumer's queue carries no rebalances.
    unsafe {
        let topic = sys::rd_kafka_topic_new(
            producer.client().native_ptr(),
            output.as_ptr(),
            ptr::null_mut(),
        );
        let queue = sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        while !ends.is_empty() {
            let count =
                sys::rd_kafka_consume_batch_queue(queue, 5, messages.as_mut_ptr(), messages.len());
            for &message in &messages[..usize::try_from(count).unwrap_or(0)] {
                if (*message).err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    produce(producer, topic, message);
                    copied += 1;
                    if ends.get(&(*message).partition).is_some_and(|e| (*message).offset + 1 >= *e)
                    {
                        ends.remove(&(*message).partition);
                    }
                }
                sys::rd_kafka_message_destroy(message);
            }
            producer.poll(Duration::ZERO);
        }
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_topic_destroy(topic);
    }
    copied
}

/// SAFETY: both pointers must be alive.
unsafe fn produce(
    producer: &BaseProducer,
    topic: *mut sys::rd_kafka_topic_t,
    message: *mut sys::rd_kafka_message_t,
) {
    loop {
        // SAFETY: as the caller promises; MSG_F_COPY copies the payload, the key is always copied.
        let result = unsafe {
            sys::rd_kafka_produce(
                topic,
                (*message).partition,
                sys::RD_KAFKA_MSG_F_COPY,
                (*message).payload,
                (*message).len,
                (*message).key,
                (*message).key_len,
                ptr::null_mut(),
            )
        };
        if result == 0 {
            return;
        }
        producer.poll(Duration::from_millis(1));
    }
}
