//! A listener whose connections are few, short and small.

use axum::serve::Listener;
use prometheus::IntGauge;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// What a connection and all of them may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at the same time; more wait in the kernel's queue.
    pub(super) connections: usize,
    /// Longest life of a connection, the answer included.
    pub(super) lifetime: Duration,
    /// Most bytes read from a connection: a request line and headers, no body.
    pub(super) request_bytes: usize,
}

/// A TCP listener that keeps these limits.
#[derive(Debug)]
pub(super) struct Limited {
    listener: TcpListener,
    limits: Limits,
    permits: Arc<Semaphore>,
    connections: IntGauge,
}

impl Limited {
    /// Counts the open connections in the gauge.
    pub(super) fn new(listener: TcpListener, limits: Limits, connections: IntGauge) -> Self {
        let permits = Arc::new(Semaphore::new(limits.connections));
        Self { listener, limits, permits, connections }
    }
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        // axum's own accept loop, which rides out errors such as too many open files.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        self.connections.inc();
        let deadline = Box::pin(sleep(self.limits.lifetime));
        let connections = self.connections.clone();
        let left = self.limits.request_bytes;
        (Connection { stream, deadline, left, connections, _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends by itself.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    left: usize,
    connections: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.dec();
    }
}

impl Connection {
    fn check_deadline(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_deadline(context)?;
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        self.left = match self.left.checked_sub(read) {
            Some(left) => left,
            None => return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into())),
        };
        poll
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_deadline(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_deadline(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const LIMITS: Limits =
        Limits { connections: 1, lifetime: Duration::from_millis(200), request_bytes: 8 };

    async fn listener() -> (Limited, IntGauge, SocketAddr) {
        let gauge = IntGauge::new("open", "open").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Limited::new(listener, LIMITS, gauge.clone()), gauge, address)
    }

    #[tokio::test]
    async fn a_silent_connection_ends_and_makes_room() {
        let (mut listener, open, address) = listener().await;
        let _silent = TcpStream::connect(address).await.unwrap();
        let _next = TcpStream::connect(address).await.unwrap();
        let (mut connection, _) = listener.accept().await;
        assert_eq!(open.get(), 1);
        let early = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
        assert!(early.is_err(), "a second connection before the first has ended");
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(connection);
        assert_eq!(open.get(), 0);
        listener.accept().await;
    }

    #[tokio::test]
    async fn a_long_request_ends() {
        let (mut listener, _, address) = listener().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"12345678").await.unwrap();
        let (mut connection, _) = listener.accept().await;
        let mut bytes = [0; 8];
        connection.read_exact(&mut bytes).await.unwrap();
        client.write_all(b"9").await.unwrap();
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
