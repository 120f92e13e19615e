//! The functions and what stands in for the services round them, started together.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use fc_linkage::Model;
use fc_model::HandleKey;
use fc_sources::Definitions;
use fc_store::loads::{self, FeedName, ToIngest, ToMatching, Upload};
use fc_store::settings::Clients;
use fc_store::{Names, Store};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::access_key::{AccessKey, random};
use crate::edge::{Functions, TokenCheck};
use crate::issuer::{Client, Issuer, Lifetimes};
use crate::queue::{Answer, LocalQueue, Rules, all_quiet};
use crate::{DataFolder, StartError, address, definitions, dynamo, edge, issuer, listen, private_file, s3, serve};

/// The API's name in access tokens.
pub const API_AUDIENCE: &str = "api://family-context";
/// The page's id at the issuer.
const PAGE_CLIENT: &str = "family-context-web";
/// How often feeds are looked after (the schedule in the template).
const SWEEP: Duration = Duration::from_secs(300);

/// Loads of a feed that may have been on their way when the last run was killed.
const MOST_TAKEN_UP: u32 = 100;

/// The folder of the S3 server's buckets.
pub(crate) const BUCKETS: &str = "buckets";
/// The database of a kept folder.
pub(crate) const TABLES: &str = "tables.sqlite";
/// The file of the secret that ids are hashed with.
pub(crate) const HASHING_SECRET: &str = "hashing-secret";

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The page's port; the issuer, S3 and DynamoDB take the next three, or any free ones where those are taken. 0 takes
    /// free ports for all.
    pub port: u16,
    /// A folder to keep everything in.
    pub data: Option<PathBuf>,
    /// A folder of source definitions, in place of those that come with the tool.
    pub sources: Option<PathBuf>,
}

/// The running stack. It runs for as long as the runtime lives; its files live as long as this does.
pub struct Stack {
    /// Address of the page and the API.
    pub page: String,
    /// Address of the development issuer.
    pub issuer: String,
    /// Address of the S3 server.
    pub s3: String,
    /// Address of the DynamoDB server.
    pub dynamodb: String,
    /// The key that both want requests signed with.
    pub key: AccessKey,
    /// The page's secret at the issuer.
    pub client_secret: String,
    /// Clients of the two.
    pub clients: Clients,
    /// The tables and buckets.
    pub store: Store,
    /// The council and its sources.
    pub definitions: Arc<Definitions>,
    /// Files that arrived, and ingest's own messages.
    pub ingest: Arc<LocalQueue>,
    /// Parts of loads to match.
    pub matching: Arc<LocalQueue>,
    /// Where its files are.
    pub data: DataFolder,
    /// The keys of load reports, as they are written.
    pub reports: mpsc::UnboundedReceiver<String>,
}

impl Stack {
    /// Starts everything. When this returns, the page answers.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(options: &Options) -> Result<Self, StartError> {
        let definitions = Arc::new(definitions::load(options.sources.as_deref())?);
        let page = listen(options.port).await?;
        let [sign_in, objects, tables] = [1, 2, 3].map(|offset| options.port.checked_add(offset));
        let data = DataFolder::open(options.data.as_deref())?;

        let names = Names::with_prefix("");
        let ingest = LocalQueue::new("ingest", Rules::default());
        let matching = LocalQueue::new("matching", Rules::default());

        let table_file = data.is_kept().then(|| data.path().join(TABLES));
        let key = AccessKey::random();
        let tables = listen_near(options.port, tables).await?;
        let dynamodb = dynamo::start(tables, table_file.as_deref(), key.clone()).await?;
        let bucket_folder = data.path().join(BUCKETS);
        std::fs::create_dir_all(&bucket_folder)
            .map_err(|source| StartError::Folder { path: bucket_folder.clone(), source })?;
        let (report_written, reports) = mpsc::unbounded_channel();
        let on_created = notifications(Arc::clone(&ingest), names.reports.clone(), report_written);
        let objects = listen_near(options.port, objects).await?;
        let s3 = s3::start(objects, &bucket_folder, &[&names.extracts, &names.reports], on_created, &key).await?;
        let clients = Clients::local(&key.endpoints(&dynamodb, &s3));
        fc_store::schema::create_tables(&clients, &names).await?;
        fc_store::schema::create_buckets(&clients, &names).await?;
        let store = Store::new(&clients, &names, hashing_secret(data.path())?);

        let sign_in = listen_near(options.port, sign_in).await?;
        let (page_url, issuer_url) = (address(&page)?, address(&sign_in)?);
        let client_secret = random();
        let settings = fc_web::Settings::new(&page_url, &issuer_url, PAGE_CLIENT, Some(client_secret.clone()), "roles")
            .map_err(|error| StartError::Page(error.to_string()))?;
        let client = Client {
            id: PAGE_CLIENT.to_owned(),
            secret: Some(client_secret.clone()),
            redirect_uris: vec![settings.callback()],
        };
        let directory = Issuer::new(&issuer_url, API_AUDIENCE, client, Lifetimes::default())?;
        let tokens = TokenCheck::new(&issuer_url, API_AUDIENCE, directory.keys());
        serve(sign_in, issuer::router(directory), "sign-in")?;

        let stack = Self {
            page: page_url,
            issuer: issuer_url,
            s3,
            dynamodb,
            key,
            client_secret,
            clients,
            store,
            definitions,
            ingest,
            matching,
            data,
            reports,
        };
        stack.deliver_messages();
        stack.take_up().await?;
        serve(page, edge::router(stack.functions(settings), tokens), "the page")?;
        Ok(stack)
    }

    /// The file that the object `key` of `bucket` is kept in.
    #[must_use]
    pub fn file_of(&self, bucket: &str, key: &str) -> PathBuf {
        self.data.path().join(BUCKETS).join(bucket).join(key)
    }

    /// Resolves when no file or message is waiting or being dealt with.
    pub async fn settled(&self) {
        all_quiet(&[&self.ingest, &self.matching]).await;
    }

    fn functions(&self, settings: fc_web::Settings) -> Functions {
        let (store, definitions, clock) = (&self.store, &self.definitions, Timestamp::now);
        Functions {
            search: fc_search::router(fc_search::Search {
                store: store.clone(),
                definitions: Arc::clone(definitions),
                clock,
            }),
            family: fc_family::router(fc_family::Family {
                store: store.clone(),
                definitions: Arc::clone(definitions),
                clock,
            }),
            web: fc_web::router(fc_web::Web {
                store: store.clone(),
                definitions: Arc::clone(definitions),
                settings,
                clock,
            }),
        }
    }

    /// Goes on from where the last run was when it was killed. Its messages are gone, for the queues live in the process;
    /// and whoever held a lease is dead, for nobody else works on this folder. So leases end, and what the messages said is
    /// said again.
    async fn take_up(&self) -> Result<(), fc_store::StoreError> {
        let table = &self.store.loads;
        for feed in self.definitions.enabled().flat_map(|definition| &definition.feeds) {
            let name = FeedName::new(feed.source.clone(), feed.feed.clone());
            let feed = loads::feed(table, &name).await?;
            loads::give_back(table, &name, feed.fence).await?;
            let pending = feed.pending.as_ref().map(|pending| &pending.version.load);
            if let Some(pending) = &feed.pending {
                for part in loads::parts_left(table, &name, pending, usize::MAX).await? {
                    self.matching.push([ToMatching::Part(part).body()?]);
                }
            }
            for load in loads::latest(table, &name, MOST_TAKEN_UP).await? {
                if !load.state.is_closed() && Some(&load.load) != pending && !feed.waiting.contains(&load.load) {
                    self.ingest.push([notification(&load.upload)]);
                }
            }
        }
        Ok(())
    }

    fn deliver_messages(&self) {
        let ingest = Arc::new(fc_ingest::Ingest {
            store: self.store.clone(),
            definitions: Arc::clone(&self.definitions),
            matching: Arc::clone(&self.matching) as fc_store::Queue,
            own: Arc::clone(&self.ingest) as fc_store::Queue,
            now: Arc::new(Timestamp::now),
            part_lines: fc_ingest::PART_LINES,
        });
        self.ingest.deliver_to(move |event| {
            let ingest = Arc::clone(&ingest);
            answer(async move { fc_ingest::handle(&ingest, event).await })
        });
        let matching = Arc::new(fc_matching::Matching {
            store: self.store.clone(),
            definitions: Arc::clone(&self.definitions),
            model: Model::shipped().clone(),
            ingest: Arc::clone(&self.ingest) as fc_store::Queue,
            now: Arc::new(Timestamp::now),
            new_person: Arc::new(fc_model::PersonId::random),
        });
        self.matching.deliver_to(move |event: SqsEvent| {
            let matching = Arc::clone(&matching);
            answer(async move { matching.handle(event).await })
        });
        // At the start, too: messages do not outlive the process, so the last run may have left a load half way.
        sweep(&self.ingest);
        tokio::spawn(look_after_feeds(Arc::clone(&self.ingest)));
    }
}

/// What S3 says of a file that has arrived.
fn notification(upload: &Upload) -> String {
    serde_json::json!({"Records": [{
        "eventName": "ObjectCreated:Put",
        "eventTime": upload.at.to_string(),
        "s3": {
            "bucket": {"name": upload.bucket},
            "object": {"key": s3::url_encode(&upload.key), "versionId": upload.version},
        },
    }]})
    .to_string()
}

/// Files that arrive go to ingest; of reports that are written, their keys are told.
fn notifications(ingest: Arc<LocalQueue>, reports: String, written: mpsc::UnboundedSender<String>) -> s3::OnCreated {
    Arc::new(move |event| {
        let object = event.records.first().map(|record| (&record.s3.bucket.name, &record.s3.object.key));
        if let Some((Some(bucket), Some(key))) = object
            && *bucket == reports
        {
            // Nobody listens any more when the program is ending.
            let _ = written.send(key.clone());
            return;
        }
        match serde_json::to_string(&event) {
            Ok(body) => ingest.push([body]),
            Err(error) => tracing::error!(%error, "a notification could not be written"),
        }
    })
}

fn answer(handled: impl Future<Output = SqsBatchResponse> + Send + 'static) -> Answer {
    Box::pin(async move { Ok(handled.await) })
}

async fn look_after_feeds(ingest: Arc<LocalQueue>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        sweep(&ingest);
    }
}

fn sweep(ingest: &LocalQueue) {
    match (ToIngest::Sweep {}).body() {
        Ok(body) => ingest.push([body]),
        Err(error) => tracing::error!(%error, "feeds could not be looked after"),
    }
}

/// The wanted port beside the page's, or any free one where another program has it.
async fn listen_near(page: u16, wanted: Option<u16>) -> Result<TcpListener, StartError> {
    match wanted {
        Some(port) if page != 0 => match listen(port).await {
            Err(StartError::PortInUse(_)) => listen(0).await,
            listening => listening,
        },
        _ => listen(0).await,
    }
}

/// The secret of this data folder, made at its first use: kept data is found again only with the same one.
pub(crate) fn hashing_secret(data: &Path) -> Result<HandleKey, StartError> {
    let path = data.join(HASHING_SECRET);
    let unusable = |reason: String| StartError::Secret { path: path.clone(), reason };
    let secret = match std::fs::read(&path) {
        Ok(secret) => secret,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut secret = [0; 32];
            aws_lc_rs::rand::fill(&mut secret).map_err(|error| unusable(error.to_string()))?;
            let written = private_file().create_new(true).open(&path).and_then(|mut file| file.write_all(&secret));
            written.map_err(|error| unusable(error.to_string()))?;
            secret.to_vec()
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    HandleKey::new(secret).map_err(|_| unusable("it is shorter than 32 bytes".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_data_is_found_again_because_the_secret_is_kept_with_it() {
        let place = DataFolder::open(None).unwrap();
        let kept = DataFolder::open(Some(&place.path().join("kept"))).unwrap();
        let first = hashing_secret(kept.path()).unwrap();
        assert_eq!(hashing_secret(kept.path()).unwrap().hash("test", "x"), first.hash("test", "x"));
    }

    #[cfg(unix)]
    #[test]
    fn the_secret_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let place = DataFolder::open(None).unwrap();
        hashing_secret(place.path()).unwrap();
        let about = std::fs::metadata(place.path().join("hashing-secret")).unwrap();
        assert_eq!((about.permissions().mode() & 0o777, about.len()), (0o600, 32));
    }

    #[test]
    fn two_data_folders_have_two_secrets() {
        let (one, two) = (DataFolder::open(None).unwrap(), DataFolder::open(None).unwrap());
        let hash = |data: &DataFolder| hashing_secret(data.path()).unwrap().hash("test", "x");
        assert_ne!(hash(&one), hash(&two));
    }
}
