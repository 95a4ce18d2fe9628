//! An object store that fails as it is told to.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    path::Path,
};
use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The put of that number, from 0, fails: the disk is full.
    Full(usize),
    /// Every call waits first.
    Slow(Duration),
    /// Reads give half of what was asked for.
    Truncating,
    /// Conditional writes are not known.
    Unconditional,
}

#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    puts: AtomicUsize,
}

impl Faulty {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, fault: Fault) -> Arc<Self> {
        Arc::new(Self { inner, fault, puts: AtomicUsize::new(0) })
    }

    async fn wait(&self) {
        if let Fault::Slow(pause) = self.fault {
            tokio::time::sleep(pause).await;
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, to: &Path, payload: PutPayload, o: PutOptions) -> Result<PutResult> {
        self.wait().await;
        let number = self.puts.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Full(nth) if nth == number => {
                let source = io::Error::from(io::ErrorKind::StorageFull).into();
                Err(Error::Generic { store: "faulty", source })
            }
            Fault::Unconditional if o.mode == object_store::PutMode::Create => {
                let operation = "conditional put".to_owned();
                Err(Error::NotImplemented { operation, implementer: self.to_string() })
            }
            _ => self.inner.put_opts(to, payload, o).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, options).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.wait().await;
        let head = options.head;
        let mut result = self.inner.get_opts(from, options).await?;
        if matches!(self.fault, Fault::Truncating) && !head {
            let range = result.range.clone();
            let bytes = result.bytes().await?;
            let half = bytes.slice(..bytes.len() / 2);
            result = self.inner.get_opts(from, GetOptions::default()).await?;
            result.range = range;
            let stream = futures_util::stream::once(async move { Ok(half) });
            result.payload = GetResultPayload::Stream(Box::pin(stream));
        }
        Ok(result)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
