//! One bell for many queues.

use crate::kafka::client::Consumer;
use rdkafka::{bindings as sys, consumer::Consumer as _, error::KafkaError};
use std::{
    io::{self, Read},
    os::{fd::AsRawFd, unix::net::UnixStream},
    ptr,
    time::Duration,
};

pub(super) const BELL: &[u8] = b"!";

/// One bell for many queues: a socket pair that librdkafka writes to.
#[derive(Debug)]
pub struct Wakeup {
    pub(super) sender: UnixStream,
    receiver: UnixStream,
}

impl Wakeup {
    /// A new bell. Ringing never blocks: a full socket is rung already.
    pub fn new() -> io::Result<Self> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        Ok(Self { sender, receiver })
    }

    /// Waits until something rings or the time is over.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        self.receiver.set_read_timeout(Some(timeout.max(Duration::from_millis(1))))?;
        let mut rung = [0; 256];
        match self.receiver.read(&mut rung) {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Makes `wakeup` ring for rebalances and other events of the consumer's own queue.
pub fn ring_events(consumer: &Consumer, wakeup: &Wakeup) -> Result<(), KafkaError> {
    // SAFETY: the client is alive; the queue reference is returned after the bell is set, the
    // bell stays with the queue itself.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        if queue.is_null() {
            return Err(KafkaError::ClientCreation("no consumer queue".to_owned()));
        }
        sys::rd_kafka_queue_io_event_enable(
            queue,
            wakeup.sender.as_raw_fd(),
            BELL.as_ptr().cast(),
            BELL.len(),
        );
        sys::rd_kafka_queue_destroy(queue);
    }
    Ok(())
}

/// Switches the bell of [`ring_events`] off, before the bell goes.
pub fn silence_events(consumer: &Consumer) {
    // SAFETY: as in `ring_events`; descriptor -1 disables.
    unsafe {
        let queue = sys::rd_kafka_queue_get_consumer(consumer.client().native_ptr());
        if !queue.is_null() {
            sys::rd_kafka_queue_io_event_enable(queue, -1, ptr::null(), 0);
            sys::rd_kafka_queue_destroy(queue);
        }
    }
}
