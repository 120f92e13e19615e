//! S3 buckets. Object names never hold personal data: sources, feeds, load ids and keyed hashes only.

use crate::{StoreError, error::error_of};
use aws_sdk_s3::{Client, primitives::ByteStream};
use std::sync::Arc;

/// A bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: Arc<str>,
}

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

impl Bucket {
    /// A bucket by name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.into() }
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
        self.client
            .put_object()
            .bucket(&*self.name)
            .key(key)
            .content_type(content_type)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| error_of("PutObject", &self.name, &error))?;
        Ok(())
    }

    /// Deletes an object; not being there is no error. IAM: `s3:DeleteObject`.
    ///
    /// # Errors
    /// When it cannot be deleted.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let sent = self.client.delete_object().bucket(&*self.name).key(key).send().await;
        match sent.map_err(|error| error_of("DeleteObject", &self.name, &error)) {
            Ok(_) | Err(StoreError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
