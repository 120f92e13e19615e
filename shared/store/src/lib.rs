//! Tables, buckets and queues: every AWS word in the product is spoken here.
//!
//! [`table::Table`] is the one narrow seam to DynamoDB and [`bucket::Bucket`] to S3; the modules after them say, one
//! each, what is kept where. There is no `Scan`.

pub mod error;

pub mod table;

mod dynamo;

mod seam;

pub mod bucket;

pub mod queue;

pub mod dead_letters;

pub mod loads;

pub mod records;

pub mod guard;

pub mod people;

pub mod people_reads;

pub mod schema;

pub mod sessions;

pub mod audit;

pub mod settings;

pub use bucket::Bucket;
pub use error::StoreError;
pub use queue::{Deliver, Queue};
pub use settings::{Endpoints, Names};
pub use table::{Guard, Item, Key, Meter, Op, Page, Query, Table};

use fc_model::HandleKey;

/// Everything the functions keep, by name. Cheap to clone. What a function may touch is its IAM role's business.
#[derive(Clone)]
pub struct Store {
    /// Loads, feeds and leases: how far each file has come. No personal data.
    pub loads: Table,
    /// Records, blocking keys and cluster heads: what matching works on.
    pub records: Table,
    /// Person views and search entries: what is read.
    pub people: Table,
    /// Who looked at what. Only ever added to.
    pub audit: Table,
    /// Sessions and search ids.
    pub sessions: Table,
    /// Confidential places and protected records: read before anything is shown.
    pub guard: guard::GuardTable,
    /// Where source systems drop files.
    pub extracts: Bucket,
    /// Staged parts and candidate manifests of loads under way.
    pub staging: Bucket,
    /// Load reports for source owners.
    pub reports: Bucket,
    /// Accepted manifests: key and content hash of every record of a feed.
    pub manifests: Bucket,
    /// The secret that keyed hashes are made with.
    pub key: HandleKey,
}

impl Store {
    /// Connects clients once, at start.
    #[must_use]
    pub fn new(clients: &settings::Clients, names: &Names, key: HandleKey) -> Self {
        let table = |name: &str| Table::new(clients.dynamodb.clone(), name);
        let bucket = |name: &str| Bucket::new(clients.s3.clone(), name);
        Self {
            loads: table(&names.loads),
            records: table(&names.records),
            people: table(&names.people),
            audit: table(&names.audit),
            sessions: table(&names.sessions),
            guard: guard::GuardTable::new(table(&names.guard), key.clone()),
            extracts: bucket(&names.extracts),
            staging: bucket(&names.staging),
            reports: bucket(&names.reports),
            manifests: bucket(&names.manifests),
            key,
        }
    }

    /// The store a function's environment names: [`Names::from_environment`] and `HANDLE_KEY`.
    ///
    /// # Errors
    /// When the hashing secret is absent or unusable.
    pub fn from_environment(clients: &settings::Clients) -> Result<Self, StoreError> {
        Ok(Self::new(clients, &Names::from_environment(), settings::handle_key_from_environment()?))
    }

    /// The tables, in the order of [`Names`].
    pub fn tables(&self) -> [&Table; 6] {
        [&self.loads, &self.records, &self.people, &self.audit, &self.sessions, self.guard.table()]
    }
}
