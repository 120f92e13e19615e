//! S3 buckets. Object names never hold personal data: sources, feeds, load ids and keyed hashes only.
//!
//! A [`Bucket`] says what the product asks for. [`Objects`] is one call each: what S3 does, or the simulation that the
//! protocols are tested on (`tests/faults`).

use crate::{
    StoreError,
    error::error_of,
    seam::{Keeper, ask},
    table::Asked,
};
use aws_sdk_s3::{Client, primitives::ByteStream};
use std::{future::Future, pin::Pin, sync::Arc};

/// An object being read.
#[derive(Debug)]
pub struct Object {
    /// Its bytes, as they arrive.
    pub body: ByteStream,
    /// Its length in bytes.
    pub length: u64,
    /// The version read, where the bucket keeps versions.
    pub version: Option<String>,
    /// Seconds since 1970 when it was written.
    pub modified: Option<i64>,
}

impl Object {
    /// An object whose bytes are all here.
    #[must_use]
    pub fn whole(bytes: Vec<u8>, version: Option<String>) -> Self {
        Self { length: bytes.len() as u64, body: ByteStream::from(bytes), version, modified: None }
    }
}

/// Work for a thread that may wait.
pub type Job = Box<dyn FnOnce() + Send>;

/// Whatever keeps a bucket's objects, one call each. A call that fails may have been carried out all the same.
pub trait Objects: std::fmt::Debug + Send + Sync {
    /// `GetObject`. [`StoreError::Missing`] when it is not there.
    fn open<'a>(&'a self, key: &'a str, version: Option<&'a str>) -> Asked<'a, Object>;
    /// `PutObject`.
    fn put<'a>(&'a self, key: &'a str, content_type: &'a str, body: Vec<u8>) -> Asked<'a, ()>;
    /// `DeleteObject`; not being there is no error.
    fn delete<'a>(&'a self, key: &'a str) -> Asked<'a, ()>;
    /// Runs what reads an object as it arrives on a thread of its own; ends when the work does.
    fn beside(&self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let running = tokio::task::spawn_blocking(job);
        // Work that panicked leaves nothing behind, which is what its caller looks for.
        Box::pin(async move { drop(running.await) })
    }
}

/// A bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    objects: Keeper<S3, dyn Objects>,
    name: Arc<str>,
}

impl Bucket {
    /// A bucket by name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self { objects: Keeper::Aws(Arc::new(S3 { client, name: name.into() })), name: name.into() }
    }

    /// A bucket by name, over whatever keeps its objects.
    #[must_use]
    pub fn over(objects: Arc<dyn Objects>, name: &str) -> Self {
        Self { objects: Keeper::Other(objects), name: name.into() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Opens an object, or a version of it, for reading. IAM: `s3:GetObject`, `s3:GetObjectVersion`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not there; otherwise when it cannot be read.
    pub async fn open(&self, key: &str, version: Option<&str>) -> Result<Object, StoreError> {
        ask!(self.objects, open(key, version)).await
    }

    /// Runs what reads an object as it arrives on a thread of its own. `None` when it panicked.
    pub async fn beside<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (to, mut done) = tokio::sync::oneshot::channel();
        ask!(self.objects, beside(Box::new(move || drop(to.send(read()))))).await;
        done.try_recv().ok()
    }

    /// A whole object. IAM: `s3:GetObject`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not there; otherwise when it cannot be read to its end.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, StoreError> {
        let object = self.open(key, None).await?;
        let broken = |_| StoreError::Unavailable {
            operation: "GetObject",
            place: self.name.to_string(),
            reason: "broken response".into(),
        };
        Ok(object.body.collect().await.map_err(broken)?.to_vec())
    }

    /// Writes a whole object. IAM: `s3:PutObject`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put(&self, key: &str, content_type: &str, body: Vec<u8>) -> Result<(), StoreError> {
        ask!(self.objects, put(key, content_type, body)).await
    }

    /// Deletes an object; not being there is no error. IAM: `s3:DeleteObject`.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        ask!(self.objects, delete(key)).await
    }
}

/// A bucket in S3.
#[derive(Debug)]
struct S3 {
    client: Client,
    name: Arc<str>,
}

impl Objects for S3 {
    fn open<'a>(&'a self, key: &'a str, version: Option<&'a str>) -> Asked<'a, Object> {
        Box::pin(async move {
            let output = self
                .client
                .get_object()
                .bucket(&*self.name)
                .key(key)
                .set_version_id(version.map(Into::into))
                .send()
                .await
                .map_err(|error| error_of("GetObject", &self.name, &error))?;
            Ok(Object {
                length: output.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0),
                version: output.version_id,
                modified: output.last_modified.map(|time| time.secs()),
                body: output.body,
            })
        })
    }

    fn put<'a>(&'a self, key: &'a str, content_type: &'a str, body: Vec<u8>) -> Asked<'a, ()> {
        Box::pin(async move {
            let put = self.client.put_object().bucket(&*self.name).key(key).content_type(content_type);
            let sent = put.body(ByteStream::from(body)).send().await;
            sent.map(drop).map_err(|error| error_of("PutObject", &self.name, &error))
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Asked<'a, ()> {
        Box::pin(async move {
            let sent = self.client.delete_object().bucket(&*self.name).key(key).send().await;
            match sent.map_err(|error| error_of("DeleteObject", &self.name, &error)) {
                Ok(_) | Err(StoreError::Missing { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }
}
