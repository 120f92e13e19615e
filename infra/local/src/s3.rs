//! S3 on this machine: `s3s-fs` over a folder, plus the two things it lacks that the product relies on: the
//! notification a bucket raises when an object is created, and a new version id for each upload.

use std::path::{Component, Path};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lambda_events::s3::{S3Event, S3EventRecord};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::StartError;
use crate::access_key::AccessKey;

/// The region the local stack says it is in (London).
pub const REGION: &str = "eu-west-2";

/// What hears of new objects. It runs before the upload is answered, so an uploader that has its answer knows that the
/// notification has been handed over.
pub type OnCreated = Arc<dyn Fn(S3Event) + Send + Sync>;

/// Serves S3 on `listener` for as long as the runtime lives, and returns its base address.
///
/// Each bucket is a folder in `folder`; [`fc_store::schema::create_buckets`] makes them. Objects created (by put, copy or
/// a completed multipart upload) in a bucket of `announced` are told to `on_created`. Clients use path-style addresses
/// and sign with `key` (signature version 4).
///
/// # Errors
///
/// [`StartError::ObjectStore`] when the folder is not there.
pub async fn start(
    listener: TcpListener,
    folder: &Path,
    announced: &[&str],
    on_created: OnCreated,
    key: &AccessKey,
) -> Result<String, StartError> {
    let files = FileSystem::new(folder).map_err(|error| StartError::ObjectStore(format!("{error:?}")))?;
    let mut service = S3ServiceBuilder::new(Announcing {
        files,
        announced: announced.iter().map(|bucket| (*bucket).to_owned()).collect(),
        on_created,
        sequencer: Sequencer::default(),
    });
    service.set_auth(SimpleAuth::from_single(key.id.as_str(), key.secret.as_str()));
    service.set_access(InItsBucket);
    let endpoint = crate::address(&listener)?;
    crate::serve(listener, routes(service.build(), key.clone()), "objects")?;
    Ok(endpoint)
}

/// Strangers are refused before anything of their request is read; the service checks the signatures of the others.
fn routes(service: S3Service, key: AccessKey) -> Router {
    Router::new().fallback(move |request: Request| async move {
        if !key.is_named_in(request.headers()) {
            return (StatusCode::FORBIDDEN, "Sign the request with the access key of this start.\n").into_response();
        }
        match service.oneshot(request).await {
            Ok(response) => response.map(axum::body::Body::new).into_response(),
            Err(error) => {
                tracing::warn!(?error, "the object store could not answer");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    })
}

/// Lets signed requests through whose keys stay in their bucket. The file store takes a key for a path: `../audit/x` would
/// be a file of another bucket.
struct InItsBucket;

#[async_trait::async_trait]
impl S3Access for InItsBucket {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "The request is not signed"));
        }
        match cx.s3_path() {
            S3Path::Object { key, .. } => stays_in_bucket(key),
            _ => Ok(()),
        }
    }

    /// A form says its key in its body.
    async fn post_object(&self, request: &mut S3Request<PostObjectInput>) -> S3Result<()> {
        stays_in_bucket(&request.input.key)
    }

    async fn copy_object(&self, request: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        source_stays_in_bucket(&request.input.copy_source)
    }

    async fn upload_part_copy(&self, request: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        source_stays_in_bucket(&request.input.copy_source)
    }

    async fn delete_objects(&self, request: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        request.input.delete.objects.iter().try_for_each(|object| stays_in_bucket(&object.key))
    }

    async fn list_objects(&self, request: &mut S3Request<ListObjectsInput>) -> S3Result<()> {
        request.input.prefix.as_deref().map_or(Ok(()), stays_in_bucket)
    }

    async fn list_objects_v2(&self, request: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        request.input.prefix.as_deref().map_or(Ok(()), stays_in_bucket)
    }
}

fn source_stays_in_bucket(source: &CopySource) -> S3Result<()> {
    match source {
        CopySource::Bucket { key, .. } => stays_in_bucket(key),
        _ => Err(s3_error!(NotImplemented, "Only objects of buckets can be copied")),
    }
}

fn stays_in_bucket(key: &str) -> S3Result<()> {
    if Path::new(key).components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "A key may not begin with / and has no . or .. between its slashes"))
}

/// How an object came to be, as S3 names it in a notification.
#[derive(Clone, Copy)]
enum Created {
    Put,
    Copy,
    CompleteMultipartUpload,
}

impl Created {
    fn event_name(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
        }
    }
}

/// Numbers that only ever grow, also from one run to the next, because they start from the clock.
#[derive(Default)]
struct Sequencer(AtomicU64);

impl Sequencer {
    /// 18 hexadecimal digits, as S3 gives: later events on a key compare greater.
    fn next(&self) -> String {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let clock = u64::try_from(micros).unwrap_or(u64::MAX);
        let mut last = self.0.load(Ordering::Relaxed);
        loop {
            let next = clock.max(last.saturating_add(1));
            match self.0.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return format!("{next:018X}"),
                Err(changed) => last = changed,
            }
        }
    }
}

/// The file store, announcing what is created in some of its buckets.
struct Announcing {
    files: FileSystem,
    announced: Vec<String>,
    on_created: OnCreated,
    sequencer: Sequencer,
}

impl Announcing {
    async fn announce(&self, created: Created, bucket: &str, key: &str) -> S3Result<()> {
        if !self.announced.iter().any(|announced| announced == bucket) {
            return Ok(());
        }
        let (size, e_tag) = self.size_and_e_tag(bucket, key).await?;
        let sequencer = self.sequencer.next();
        let mut record = S3EventRecord::default();
        record.event_version = Some("2.1".to_owned());
        record.event_source = Some("aws:s3".to_owned());
        record.aws_region = Some(REGION.to_owned());
        record.event_time = SystemTime::now().into();
        record.event_name = Some(created.event_name().to_owned());
        record.s3.schema_version = Some("1.0".to_owned());
        record.s3.configuration_id = Some(bucket.to_owned());
        record.s3.bucket.name = Some(bucket.to_owned());
        record.s3.bucket.arn = Some(format!("arn:aws:s3:::{bucket}"));
        record.s3.object.key = Some(url_encode(key));
        record.s3.object.size = Some(size);
        record.s3.object.e_tag = e_tag;
        record.s3.object.version_id = Some(sequencer.clone());
        record.s3.object.sequencer = Some(sequencer);
        let mut event = S3Event::default();
        event.records.push(record);
        (self.on_created)(event);
        Ok(())
    }

    async fn size_and_e_tag(&self, bucket: &str, key: &str) -> S3Result<(i64, Option<String>)> {
        if key.ends_with('/') {
            // "Create folder" in the console: an empty object. The file store makes a folder of it.
            return Ok((0, None));
        }
        let head = HeadObjectInput { bucket: bucket.to_owned(), key: key.to_owned(), ..Default::default() };
        let head = self.files.head_object(unsigned(head)).await?.output;
        Ok((head.content_length.unwrap_or_default(), head.e_tag.map(|tag| tag.value().to_owned())))
    }
}

/// A request from the server to itself.
fn unsigned<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Default::default(),
        uri: Default::default(),
        headers: Default::default(),
        extensions: Default::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

/// Encodes a key the way S3 does in notifications: as a form value, with slashes left as they are.
pub(crate) fn url_encode(key: &str) -> String {
    use std::fmt::Write;
    key.bytes().fold(String::with_capacity(key.len()), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            // Writing to a string cannot fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
        encoded
    })
}

/// Announces three operations and hands the others to the file store as they are.
macro_rules! announcing {
    ($($operation:ident: $input:ident -> $output:ident),* $(,)?) => {
        #[async_trait::async_trait]
        impl S3 for Announcing {
            async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
                let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
                // The file store would make a bucket of a mistyped name.
                self.files.head_bucket(unsigned(HeadBucketInput { bucket: bucket.clone(), ..Default::default() })).await?;
                let done = self.files.put_object(request).await?;
                self.announce(Created::Put, &bucket, &key).await?;
                Ok(done)
            }

            async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
                let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
                let done = self.files.copy_object(request).await?;
                self.announce(Created::Copy, &bucket, &key).await?;
                Ok(done)
            }

            async fn complete_multipart_upload(
                &self,
                request: S3Request<CompleteMultipartUploadInput>,
            ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
                let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
                let done = self.files.complete_multipart_upload(request).await?;
                self.announce(Created::CompleteMultipartUpload, &bucket, &key).await?;
                Ok(done)
            }

            $(async fn $operation(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                self.files.$operation(request).await
            })*
        }
    };
}

announcing! {
    abort_multipart_upload: AbortMultipartUploadInput -> AbortMultipartUploadOutput,
    create_bucket: CreateBucketInput -> CreateBucketOutput,
    create_multipart_upload: CreateMultipartUploadInput -> CreateMultipartUploadOutput,
    delete_bucket: DeleteBucketInput -> DeleteBucketOutput,
    delete_object: DeleteObjectInput -> DeleteObjectOutput,
    delete_objects: DeleteObjectsInput -> DeleteObjectsOutput,
    get_bucket_location: GetBucketLocationInput -> GetBucketLocationOutput,
    get_object: GetObjectInput -> GetObjectOutput,
    head_bucket: HeadBucketInput -> HeadBucketOutput,
    head_object: HeadObjectInput -> HeadObjectOutput,
    list_buckets: ListBucketsInput -> ListBucketsOutput,
    list_objects: ListObjectsInput -> ListObjectsOutput,
    list_objects_v2: ListObjectsV2Input -> ListObjectsV2Output,
    list_parts: ListPartsInput -> ListPartsOutput,
    upload_part: UploadPartInput -> UploadPartOutput,
    upload_part_copy: UploadPartCopyInput -> UploadPartCopyOutput,
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_sdk_s3::Client;
    use aws_sdk_s3::primitives::ByteStream;
    use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};

    use fc_store::settings::Clients;

    use super::*;
    use crate::DataFolder;

    /// A running object store, a client for it and what it announced.
    struct Store {
        s3: Client,
        endpoint: String,
        key: AccessKey,
        heard: Arc<Mutex<Vec<S3EventRecord>>>,
        folder: DataFolder,
    }

    fn client(endpoint: &str, key: &AccessKey) -> Client {
        Clients::local(&key.endpoints(endpoint, endpoint)).s3
    }

    async fn store() -> Store {
        let folder = DataFolder::open(None).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let key = AccessKey::random();
        let endpoint = start(
            crate::listen(0).await.unwrap(),
            folder.path(),
            &["extracts"],
            Arc::new(move |event| ears.lock().unwrap().extend(event.records)),
            &key,
        )
        .await
        .unwrap();
        let s3 = client(&endpoint, &key);
        for bucket in ["extracts", "reports"] {
            s3.create_bucket().bucket(bucket).send().await.unwrap();
        }
        Store { s3, endpoint, key, heard, folder }
    }

    impl Store {
        async fn put(&self, bucket: &str, key: &str, body: &'static str) {
            self.s3
                .put_object()
                .bucket(bucket)
                .key(key)
                .body(ByteStream::from_static(body.as_bytes()))
                .send()
                .await
                .unwrap();
        }

        fn only_event(&self) -> S3EventRecord {
            let heard = self.heard.lock().unwrap();
            assert_eq!(heard.len(), 1);
            heard[0].clone()
        }
    }

    #[tokio::test]
    async fn an_uploaded_extract_is_announced_before_the_upload_is_answered() {
        let store = store().await;
        store.put("extracts", "housing/tenancies/monday.csv", "id\n1\n").await;
        let event = store.only_event();
        assert_eq!(event.event_name.as_deref(), Some("ObjectCreated:Put"));
        assert_eq!(event.s3.bucket.name.as_deref(), Some("extracts"));
        assert_eq!(event.s3.object.key.as_deref(), Some("housing/tenancies/monday.csv"));
        assert_eq!(event.s3.object.size, Some(5));
    }

    #[tokio::test]
    async fn the_announced_tag_is_that_of_the_object() {
        let store = store().await;
        store.put("extracts", "housing/tenancies/monday.csv", "id\n1\n").await;
        let head = store.s3.head_object().bucket("extracts").key("housing/tenancies/monday.csv").send().await.unwrap();
        let announced = store.only_event().s3.object.e_tag.unwrap();
        assert_eq!(head.e_tag.unwrap().trim_matches('"'), announced);
    }

    #[tokio::test]
    async fn an_event_reads_back_as_the_json_that_s3_sends() {
        let store = store().await;
        store.put("extracts", "housing/tenancies/monday.csv", "id\n").await;
        let json = serde_json::to_value(store.only_event()).unwrap();
        assert_eq!(json["s3"]["s3SchemaVersion"], "1.0");
        let read: S3EventRecord = serde_json::from_value(json).unwrap();
        assert_eq!(read, store.only_event());
    }

    #[tokio::test]
    async fn a_key_with_spaces_and_accents_is_announced_url_encoded() {
        let store = store().await;
        store.put("extracts", "housing/tenancies/Zoë & co (1).csv", "id\n").await;
        assert_eq!(store.only_event().s3.object.key.as_deref(), Some("housing/tenancies/Zo%C3%AB+%26+co+%281%29.csv"));
    }

    #[tokio::test]
    async fn a_later_upload_has_the_greater_sequencer_and_its_own_version() {
        let store = store().await;
        store.put("extracts", "housing/tenancies/a.csv", "id\n").await;
        store.put("extracts", "housing/tenancies/a.csv", "id\n").await;
        let heard = store.heard.lock().unwrap();
        assert!(heard[0].s3.object.sequencer < heard[1].s3.object.sequencer);
        assert_ne!(heard[0].s3.object.version_id, heard[1].s3.object.version_id);
    }

    #[tokio::test]
    async fn a_copied_extract_is_announced_once() {
        let store = store().await;
        store.put("reports", "kept.csv", "id\n").await;
        store
            .s3
            .copy_object()
            .copy_source("reports/kept.csv")
            .bucket("extracts")
            .key("housing/tenancies/kept.csv")
            .send()
            .await
            .unwrap();
        assert_eq!(store.only_event().event_name.as_deref(), Some("ObjectCreated:Copy"));
    }

    #[tokio::test]
    async fn a_large_extract_sent_in_parts_is_announced_when_it_is_complete() {
        let store = store().await;
        let (bucket, key) = ("extracts", "housing/tenancies/large.csv");
        let upload = store.s3.create_multipart_upload().bucket(bucket).key(key).send().await.unwrap();
        let upload = upload.upload_id.unwrap();
        let part = store
            .s3
            .upload_part()
            .bucket(bucket)
            .key(key)
            .upload_id(&upload)
            .part_number(1)
            .body(ByteStream::from_static(b"id\n1\n"))
            .send()
            .await
            .unwrap();
        assert!(store.heard.lock().unwrap().is_empty());
        let parts = CompletedMultipartUpload::builder()
            .parts(CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build())
            .build();
        store
            .s3
            .complete_multipart_upload()
            .bucket(bucket)
            .key(key)
            .upload_id(&upload)
            .multipart_upload(parts)
            .send()
            .await
            .unwrap();
        let event = store.only_event();
        assert_eq!(event.event_name.as_deref(), Some("ObjectCreated:CompleteMultipartUpload"));
        assert_eq!(event.s3.object.size, Some(5));
    }

    #[tokio::test]
    async fn what_is_written_to_other_buckets_is_not_announced() {
        let store = store().await;
        store.put("reports", "housing/report.json", "{}").await;
        assert!(store.heard.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_upload_to_a_mistyped_bucket_is_refused() {
        let refused = store().await.s3.put_object().bucket("extract").key("housing/tenancies/a.csv").send().await;
        assert!(refused.unwrap_err().into_service_error().to_string().contains("NoSuchBucket"));
    }

    #[tokio::test]
    async fn an_upload_that_fails_is_not_announced() {
        let store = store().await;
        let wrong = client(&store.endpoint, &AccessKey { secret: "not-the-secret".into(), ..store.key.clone() });
        let refused = wrong.put_object().bucket("extracts").key("housing/tenancies/a.csv").send().await.unwrap_err();
        assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
        assert!(store.heard.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_key_never_leads_out_of_its_bucket() {
        let store = store().await;
        store.put("reports", "kept.csv", "hers").await;
        let inside = store.folder.path().join("reports").join("kept.csv");
        let s3 = &store.s3;
        for key in [
            "../reports/kept.csv",
            "a/../../reports/kept.csv",
            "..",
            "/kept.csv",
            "./kept.csv",
            inside.to_str().unwrap(),
        ] {
            let (bucket, source) = ("extracts", format!("extracts/{key}"));
            let body = ByteStream::from_static(b"theirs");
            let object = ObjectIdentifier::builder().key(key).build().unwrap();
            let delete = Delete::builder().objects(object).build().unwrap();
            assert!(s3.put_object().bucket(bucket).key(key).body(body).send().await.is_err(), "put {key}");
            assert!(s3.get_object().bucket(bucket).key(key).send().await.is_err(), "get {key}");
            assert!(s3.delete_object().bucket(bucket).key(key).send().await.is_err(), "delete {key}");
            assert!(s3.delete_objects().bucket(bucket).delete(delete).send().await.is_err(), "delete several {key}");
            assert!(s3.create_multipart_upload().bucket(bucket).key(key).send().await.is_err(), "in parts {key}");
            assert!(s3.list_objects_v2().bucket(bucket).prefix(key).send().await.is_err(), "list {key}");
            let copy = s3.copy_object().bucket("reports").key("copy.csv").copy_source(source);
            assert!(copy.send().await.is_err(), "copy {key}");
        }
        assert_eq!(std::fs::read_to_string(inside).unwrap(), "hers");
        // Dots within a name are no step.
        store.put("extracts", "housing/tenancies/a..b.csv", "id\n").await;
    }
}
