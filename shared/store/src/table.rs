//! The one narrow seam to DynamoDB. Every item of the product has the same few attributes, so that a guard is always a
//! comparison of `rev`, and what an item holds is JSON that its own module reads.
//!
//! | attribute | type | meaning |
//! | --- | --- | --- |
//! | `pk`, `sk` | S | key |
//! | `rev` | N | version: what guards compare; 0 when unused |
//! | `data` | S | JSON content; absent when empty |
//! | `v` | N | version of the shape of items; 1 where it is absent |
//! | `expires` | N | seconds since 1970 after which DynamoDB may delete it; always checked on reading too |
//!
//! A [`Table`] says what the product asks for, and tries again what a batch left undone. [`Items`] is one call each: what
//! DynamoDB does, or the simulation that the protocols are tested on (`tests/faults`).

use crate::{
    StoreError,
    dynamo::Dynamo,
    seam::{Keeper, ask},
};
use aws_sdk_dynamodb::Client;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Items in one `BatchWriteItem` (a DynamoDB limit).
const WRITE_BATCH: usize = 25;
/// Keys in one `BatchGetItem` (a DynamoDB limit).
const READ_BATCH: usize = 100;
/// Items in one transaction (a DynamoDB limit).
pub const TRANSACTION: usize = 100;
/// How often what a batch left unprocessed is sent again before giving up.
const BATCH_TRIES: u32 = 8;
/// First pause before sending again; doubles each time.
const BATCH_PAUSE: Duration = Duration::from_millis(20);
/// How often [`Table::update`] starts over when somebody else wrote first.
const UPDATE_TRIES: u32 = 16;

/// An item's key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    /// A key from its parts.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }
}

/// One item.
#[derive(Clone, PartialEq)]
pub struct Item {
    /// Where it is.
    pub key: Key,
    /// Its version.
    pub rev: u64,
    /// JSON text, empty when there is none.
    pub data: String,
    /// Seconds since 1970 after which it does not count.
    pub expires: Option<i64>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(redacted)")
    }
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Item(redacted, rev {})", self.rev)
    }
}

impl Item {
    /// An item without content.
    #[must_use]
    pub fn bare(key: Key, rev: u64) -> Self {
        Self { key, rev, data: String::new(), expires: None }
    }

    /// An item that holds `content` as JSON.
    ///
    /// # Errors
    /// When the content cannot be written as JSON.
    pub fn json<T: Serialize>(key: Key, rev: u64, content: &T) -> Result<Self, StoreError> {
        let data = serde_json::to_string(content)
            .map_err(|_| StoreError::Corrupt { place: "memory".into(), reason: "not JSON" })?;
        Ok(Self { key, rev, data, expires: None })
    }

    /// The same item, to be forgotten after `seconds` since 1970.
    #[must_use]
    pub fn expiring(mut self, seconds: i64) -> Self {
        self.expires = Some(seconds);
        self
    }

    /// Its content.
    ///
    /// # Errors
    /// When the content is not what the caller takes it for.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.data)
            .map_err(|_| StoreError::Corrupt { place: "a table".into(), reason: "unexpected JSON" })
    }
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Nothing: overwrite.
    None,
    /// No item is there.
    Absent,
    /// The item there has exactly this version.
    Is(u64),
    /// No item is there, or one of a lower version.
    Below(u64),
}

/// One write of a transaction.
#[derive(Debug, Clone)]
pub enum Op {
    /// Put an item if the guard holds.
    Put(Item, Guard),
    /// Delete an item if the guard holds.
    Delete(Key, Guard),
    /// Write nothing, but refuse the whole transaction unless the guard holds.
    Check(Key, Guard),
}

/// A read of neighbouring items of one partition, in order of sort key.
#[derive(Debug, Clone)]
pub struct Query {
    /// The partition.
    pub pk: String,
    /// How sort keys start.
    pub prefix: String,
    /// At most this many items.
    pub limit: Option<u32>,
    /// Strongly consistent.
    pub consistent: bool,
    /// Last first.
    pub descending: bool,
    /// Sort key to go on behind.
    pub after: Option<String>,
}

impl Query {
    /// All items of a partition; eventually consistent, ascending.
    pub fn of(pk: impl Into<String>) -> Self {
        Self { pk: pk.into(), prefix: String::new(), limit: None, consistent: false, descending: false, after: None }
    }

    /// Only sort keys that start so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// At most this many items.
    #[must_use]
    pub fn limit(mut self, items: u32) -> Self {
        self.limit = Some(items);
        self
    }

    /// Strongly consistent, at twice the read units.
    #[must_use]
    pub fn consistent(mut self) -> Self {
        self.consistent = true;
        self
    }

    /// Last first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }

    /// Go on behind this sort key.
    #[must_use]
    pub fn after(mut self, sk: impl Into<String>) -> Self {
        self.after = Some(sk.into());
        self
    }
}

/// One page of a query.
#[derive(Debug, Default)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// Sort key to go on behind; `None` when this was all.
    pub next: Option<String>,
}

/// Counts calls and capacity units, for budgets.
#[derive(Debug, Default)]
pub struct Meter {
    calls: AtomicU64,
    read_milliunits: AtomicU64,
    write_milliunits: AtomicU64,
}

/// What a [`Meter`] has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// Requests sent, batches counted once.
    pub calls: u64,
    /// Read capacity units.
    pub read_units: f64,
    /// Write capacity units.
    pub write_units: f64,
}

impl Meter {
    /// What has been counted so far.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let units = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64 / 1000.0;
        Reading {
            calls: self.calls.load(Ordering::Relaxed),
            read_units: units(&self.read_milliunits),
            write_units: units(&self.write_milliunits),
        }
    }

    fn count<T>(&self, counter: &AtomicU64, answer: Answer<T>) -> T {
        self.calls.fetch_add(1, Ordering::Relaxed);
        counter.fetch_add((answer.units * 1000.0).round() as u64, Ordering::Relaxed);
        answer.got
    }

    fn read<T>(&self, answer: Answer<T>) -> T {
        self.count(&self.read_milliunits, answer)
    }

    fn wrote<T>(&self, answer: Answer<T>) -> T {
        self.count(&self.write_milliunits, answer)
    }
}

impl std::ops::Sub for Reading {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            read_units: self.read_units - earlier.read_units,
            write_units: self.write_units - earlier.write_units,
        }
    }
}

/// What a call gave, and the capacity units it took.
#[derive(Debug)]
pub struct Answer<T> {
    /// What was asked for.
    pub got: T,
    /// Capacity units, as the table counts them.
    pub units: f64,
}

/// What is on its way from a table or bucket.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A write without a guard.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Put an item.
    Put(Item),
    /// Delete what is there.
    Delete(Key),
}

/// Whatever keeps a table's items, one call each. A call that fails may have been carried out all the same.
pub trait Items: std::fmt::Debug + Send + Sync {
    /// `GetItem`.
    fn get<'a>(&'a self, key: &'a Key, consistent: bool) -> Asked<'a, Answer<Option<Item>>>;
    /// `BatchGetItem`, of at most 100 keys: what was found, and the keys it did not get to.
    fn batch_get(&self, keys: Vec<Key>, consistent: bool) -> Asked<'_, Answer<(Vec<Item>, Vec<Key>)>>;
    /// `Query`: one page.
    fn query<'a>(&'a self, query: &'a Query) -> Asked<'a, Answer<Page>>;
    /// `PutItem`.
    fn put<'a>(&'a self, item: &'a Item, guard: Guard) -> Asked<'a, Answer<()>>;
    /// `DeleteItem`.
    fn delete<'a>(&'a self, key: &'a Key, guard: Guard) -> Asked<'a, Answer<()>>;
    /// `BatchWriteItem`, of at most 25 writes: those it did not get to.
    fn batch_write(&self, writes: Vec<Write>) -> Asked<'_, Answer<Vec<Write>>>;
    /// `TransactWriteItems`.
    fn transact<'a>(&'a self, ops: &'a [Op]) -> Asked<'a, Answer<()>>;
    /// Waits before trying again.
    fn pause(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A DynamoDB table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    items: Keeper<Dynamo, dyn Items>,
    name: Arc<str>,
    meter: Arc<Meter>,
}

impl Table {
    /// A table by name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self::kept(Keeper::Aws(Arc::new(Dynamo::new(client, name))), name)
    }

    /// A table by name, over whatever keeps its items.
    #[must_use]
    pub fn over(items: Arc<dyn Items>, name: &str) -> Self {
        Self::kept(Keeper::Other(items), name)
    }

    fn kept(items: Keeper<Dynamo, dyn Items>, name: &str) -> Self {
        Self { items, name: name.into(), meter: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What has been asked of it through this handle and its clones.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Waits before trying again.
    pub async fn pause(&self, duration: Duration) {
        ask!(self.items, pause(duration)).await;
    }

    /// One item. IAM: `dynamodb:GetItem`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn get(&self, key: &Key, consistent: bool) -> Result<Option<Item>, StoreError> {
        Ok(self.meter.read(ask!(self.items, get(key, consistent)).await?))
    }

    /// Many items, in no order; those that are not there are left out. IAM: `dynamodb:BatchGetItem`.
    ///
    /// # Errors
    /// When the table cannot be read, or goes on leaving keys unprocessed.
    pub async fn batch_get(&self, keys: &[Key], consistent: bool) -> Result<Vec<Item>, StoreError> {
        let mut unique: Vec<&Key> = keys.iter().collect();
        unique.sort_unstable();
        unique.dedup();
        let mut items = Vec::with_capacity(unique.len());
        for chunk in unique.chunks(READ_BATCH) {
            let mut wanted: Vec<Key> = chunk.iter().copied().cloned().collect();
            let mut pause = BATCH_PAUSE;
            for attempt in 0.. {
                let (found, left) = self.meter.read(ask!(self.items, batch_get(wanted, consistent)).await?);
                items.extend(found);
                wanted = left;
                if wanted.is_empty() {
                    break;
                }
                if attempt + 1 == BATCH_TRIES {
                    return Err(self.unavailable("BatchGetItem", "unprocessed keys"));
                }
                self.pause(pause).await;
                pause *= 2;
            }
        }
        Ok(items)
    }

    /// One page of neighbouring items, at most 1 MB. IAM: `dynamodb:Query`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        Ok(self.meter.read(ask!(self.items, query(query)).await?))
    }

    /// Puts one item if the guard holds. IAM: `dynamodb:PutItem`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the guard does not hold; otherwise when the table cannot be written.
    pub async fn put(&self, item: &Item, guard: Guard) -> Result<(), StoreError> {
        self.meter.wrote(ask!(self.items, put(item, guard)).await?);
        Ok(())
    }

    /// Deletes one item if the guard holds. IAM: `dynamodb:DeleteItem`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the guard does not hold; otherwise when the table cannot be written.
    pub async fn delete(&self, key: &Key, guard: Guard) -> Result<(), StoreError> {
        self.meter.wrote(ask!(self.items, delete(key, guard)).await?);
        Ok(())
    }

    /// Reads an item, lets `change` say what it should be, and writes that unless somebody else wrote first; then
    /// starts over, a bounded number of times. `change` gets the content (`None` when absent) and gives the new one, or
    /// `None` to leave things as they are. Returns what now holds. IAM: `dynamodb:GetItem`, `dynamodb:PutItem`.
    ///
    /// # Errors
    /// What `change` returns; [`StoreError::Conflict`] when others kept writing first.
    pub async fn update<T, E>(
        &self,
        key: &Key,
        mut change: impl FnMut(Option<T>) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<StoreError>,
    {
        for _ in 0..UPDATE_TRIES {
            let found = self.get(key, true).await?;
            let before = found.as_ref().map(Item::read::<T>).transpose()?;
            let Some(after) = change(before)? else {
                return Ok(found.as_ref().map(Item::read::<T>).transpose()?);
            };
            let (rev, guard) = found.map_or((1, Guard::Absent), |item| (item.rev + 1, Guard::Is(item.rev)));
            match self.put(&Item::json(key.clone(), rev, &after)?, guard).await {
                Ok(()) => return Ok(Some(after)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Puts and deletes without guards, in batches. Not atomic. A key may be named once. IAM: `dynamodb:BatchWriteItem`.
    ///
    /// # Errors
    /// When the table cannot be written, or goes on leaving items unprocessed; some may have been written.
    pub async fn batch_write(&self, puts: &[Item], deletes: &[Key]) -> Result<(), StoreError> {
        let puts = puts.iter().cloned().map(Write::Put);
        let writes: Vec<Write> = puts.chain(deletes.iter().cloned().map(Write::Delete)).collect();
        for chunk in writes.chunks(WRITE_BATCH) {
            let mut left = chunk.to_vec();
            let mut pause = BATCH_PAUSE;
            for attempt in 0.. {
                left = self.meter.wrote(ask!(self.items, batch_write(left)).await?);
                if left.is_empty() {
                    break;
                }
                if attempt + 1 == BATCH_TRIES {
                    return Err(self.unavailable("BatchWriteItem", "unprocessed items"));
                }
                self.pause(pause).await;
                pause *= 2;
            }
        }
        Ok(())
    }

    /// All of the operations or none. At most [`TRANSACTION`] of them, each on another key. IAM: `dynamodb:PutItem`,
    /// `dynamodb:DeleteItem`, `dynamodb:ConditionCheckItem`, as used.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a guard does not hold or another transaction is in the way; otherwise when the
    /// table cannot be written.
    pub async fn transact(&self, ops: &[Op]) -> Result<(), StoreError> {
        self.meter.wrote(ask!(self.items, transact(ops)).await?);
        Ok(())
    }

    fn unavailable(&self, operation: &'static str, reason: &str) -> StoreError {
        StoreError::Unavailable { operation, place: self.name.to_string(), reason: reason.to_owned() }
    }
}
