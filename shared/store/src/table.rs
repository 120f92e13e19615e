//! The one narrow seam to DynamoDB. Every item of the product has the same few attributes, so that a guard is always a
//! comparison of `rev`, and what an item holds is JSON that its own module reads.
//!
//! | attribute | type | meaning |
//! | --- | --- | --- |
//! | `pk`, `sk` | S | key |
//! | `rev` | N | version: what guards compare; 0 when unused |
//! | `data` | S | JSON content; absent when empty |
//! | `expires` | N | seconds since 1970 after which DynamoDB may delete it; always checked on reading too |

use crate::StoreError;
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, ConditionCheck, ConsumedCapacity, Delete, DeleteRequest, KeysAndAttributes, Put, PutRequest,
        ReturnConsumedCapacity, TransactWriteItem, WriteRequest,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::HashMap,
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

impl Guard {
    fn expression(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Absent => Some("attribute_not_exists(pk)"),
            Self::Is(_) => Some("rev = :rev"),
            Self::Below(_) => Some("attribute_not_exists(pk) OR rev < :rev"),
        }
    }

    fn values(self) -> Option<HashMap<String, AttributeValue>> {
        match self {
            Self::None | Self::Absent => None,
            Self::Is(rev) | Self::Below(rev) => {
                Some(HashMap::from([(":rev".to_owned(), AttributeValue::N(rev.to_string()))]))
            }
        }
    }
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
    pk: String,
    prefix: String,
    limit: Option<u32>,
    consistent: bool,
    descending: bool,
    after: Option<String>,
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

    fn count(&self, counter: &AtomicU64, consumed: &[ConsumedCapacity]) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let units: f64 = consumed.iter().filter_map(ConsumedCapacity::capacity_units).sum();
        counter.fetch_add((units * 1000.0).round() as u64, Ordering::Relaxed);
    }

    fn read(&self, consumed: &[ConsumedCapacity]) {
        self.count(&self.read_milliunits, consumed);
    }

    fn wrote(&self, consumed: &[ConsumedCapacity]) {
        self.count(&self.write_milliunits, consumed);
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

/// A DynamoDB table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: Arc<str>,
    meter: Arc<Meter>,
}

impl Table {
    /// A table by name.
    #[must_use]
    pub fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.into(), meter: Arc::default() }
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

    /// One item. IAM: `dynamodb:GetItem`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn get(&self, key: &Key, consistent: bool) -> Result<Option<Item>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&*self.name)
            .set_key(Some(key_attributes(key)))
            .consistent_read(consistent)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| self.fault("GetItem", &error))?;
        self.meter.read(output.consumed_capacity.as_slice());
        output.item.map(|attributes| self.item(attributes)).transpose()
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
            let mut wanted: Vec<_> = chunk.iter().map(|key| key_attributes(key)).collect();
            let mut pause = BATCH_PAUSE;
            for attempt in 0.. {
                let request = KeysAndAttributes::builder()
                    .set_keys(Some(std::mem::take(&mut wanted)))
                    .consistent_read(consistent)
                    .build()
                    .map_err(|_| self.corrupt("a batch without keys"))?;
                let output = self
                    .client
                    .batch_get_item()
                    .request_items(&*self.name, request)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
                    .await
                    .map_err(|error| self.fault("BatchGetItem", &error))?;
                self.meter.read(output.consumed_capacity());
                for attributes in output.responses.unwrap_or_default().into_values().flatten() {
                    items.push(self.item(attributes)?);
                }
                wanted = output.unprocessed_keys.unwrap_or_default().into_values().flat_map(|rest| rest.keys).collect();
                if wanted.is_empty() {
                    break;
                }
                if attempt + 1 == BATCH_TRIES {
                    return Err(self.unavailable("BatchGetItem", "unprocessed keys"));
                }
                tokio::time::sleep(pause).await;
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
        let mut request = self
            .client
            .query()
            .table_name(&*self.name)
            .expression_attribute_values(":pk", AttributeValue::S(query.pk.clone()))
            .consistent_read(query.consistent)
            .scan_index_forward(!query.descending)
            .set_limit(query.limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        request = if query.prefix.is_empty() {
            request.key_condition_expression("pk = :pk")
        } else {
            request
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":prefix", AttributeValue::S(query.prefix.clone()))
        };
        if let Some(after) = &query.after {
            request = request.set_exclusive_start_key(Some(key_attributes(&Key::new(&query.pk, after))));
        }
        let output = request.send().await.map_err(|error| self.fault("Query", &error))?;
        self.meter.read(output.consumed_capacity.as_slice());
        let next = output.last_evaluated_key.and_then(|mut key| match key.remove("sk") {
            Some(AttributeValue::S(sk)) => Some(sk),
            _ => None,
        });
        let items = output.items.unwrap_or_default();
        Ok(Page { items: items.into_iter().map(|item| self.item(item)).collect::<Result<_, _>>()?, next })
    }

    /// Puts one item if the guard holds. IAM: `dynamodb:PutItem`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the guard does not hold; otherwise when the table cannot be written.
    pub async fn put(&self, item: &Item, guard: Guard) -> Result<(), StoreError> {
        let output = self
            .client
            .put_item()
            .table_name(&*self.name)
            .set_item(Some(attributes(item)))
            .set_condition_expression(guard.expression().map(Into::into))
            .set_expression_attribute_values(guard.values())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| self.fault("PutItem", &error))?;
        self.meter.wrote(output.consumed_capacity.as_slice());
        Ok(())
    }

    /// Deletes one item if the guard holds. IAM: `dynamodb:DeleteItem`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the guard does not hold; otherwise when the table cannot be written.
    pub async fn delete(&self, key: &Key, guard: Guard) -> Result<(), StoreError> {
        let output = self
            .client
            .delete_item()
            .table_name(&*self.name)
            .set_key(Some(key_attributes(key)))
            .set_condition_expression(guard.expression().map(Into::into))
            .set_expression_attribute_values(guard.values())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| self.fault("DeleteItem", &error))?;
        self.meter.wrote(output.consumed_capacity.as_slice());
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
        let put = |item: &Item| PutRequest::builder().set_item(Some(attributes(item))).build();
        let delete = |key: &Key| DeleteRequest::builder().set_key(Some(key_attributes(key))).build();
        let bad = |_| self.corrupt("a write without an item");
        let mut requests = Vec::with_capacity(puts.len() + deletes.len());
        for item in puts {
            requests.push(WriteRequest::builder().put_request(put(item).map_err(bad)?).build());
        }
        for key in deletes {
            requests.push(WriteRequest::builder().delete_request(delete(key).map_err(bad)?).build());
        }
        for chunk in requests.chunks(WRITE_BATCH) {
            let mut left = chunk.to_vec();
            let mut pause = BATCH_PAUSE;
            for attempt in 0.. {
                let output = self
                    .client
                    .batch_write_item()
                    .request_items(&*self.name, left)
                    .return_consumed_capacity(ReturnConsumedCapacity::Total)
                    .send()
                    .await
                    .map_err(|error| self.fault("BatchWriteItem", &error))?;
                self.meter.wrote(output.consumed_capacity());
                left = output.unprocessed_items.unwrap_or_default().into_values().flatten().collect();
                if left.is_empty() {
                    break;
                }
                if attempt + 1 == BATCH_TRIES {
                    return Err(self.unavailable("BatchWriteItem", "unprocessed items"));
                }
                tokio::time::sleep(pause).await;
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
        let bad = |_| self.corrupt("a write without an item");
        let mut items = Vec::with_capacity(ops.len());
        for op in ops {
            let builder = TransactWriteItem::builder();
            items.push(
                match op {
                    Op::Put(item, guard) => builder.put(
                        Put::builder()
                            .table_name(&*self.name)
                            .set_item(Some(attributes(item)))
                            .set_condition_expression(guard.expression().map(Into::into))
                            .set_expression_attribute_values(guard.values())
                            .build()
                            .map_err(bad)?,
                    ),
                    Op::Delete(key, guard) => builder.delete(
                        Delete::builder()
                            .table_name(&*self.name)
                            .set_key(Some(key_attributes(key)))
                            .set_condition_expression(guard.expression().map(Into::into))
                            .set_expression_attribute_values(guard.values())
                            .build()
                            .map_err(bad)?,
                    ),
                    Op::Check(key, guard) => builder.condition_check(
                        ConditionCheck::builder()
                            .table_name(&*self.name)
                            .set_key(Some(key_attributes(key)))
                            .condition_expression(guard.expression().unwrap_or("attribute_exists(pk)"))
                            .set_expression_attribute_values(guard.values())
                            .build()
                            .map_err(bad)?,
                    ),
                }
                .build(),
            );
        }
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Ok(output) => {
                self.meter.wrote(output.consumed_capacity());
                Ok(())
            }
            Err(error) => {
                if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
                    && cancelled
                        .cancellation_reasons()
                        .iter()
                        .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict")))
                {
                    return Err(StoreError::Conflict);
                }
                Err(self.fault("TransactWriteItems", &error))
            }
        }
    }

    fn item(&self, mut attributes: HashMap<String, AttributeValue>) -> Result<Item, StoreError> {
        let mut text = |name: &str| match attributes.remove(name) {
            Some(AttributeValue::S(text)) => Some(text),
            _ => None,
        };
        let (pk, sk, data) = (text("pk"), text("sk"), text("data"));
        let number = |name: &str| match attributes.get(name) {
            Some(AttributeValue::N(number)) => number.parse::<i64>().ok(),
            _ => None,
        };
        let (Some(pk), Some(sk)) = (pk, sk) else { return Err(self.corrupt("no key")) };
        let rev = number("rev").and_then(|rev| u64::try_from(rev).ok()).unwrap_or(0);
        Ok(Item { key: Key { pk, sk }, rev, data: data.unwrap_or_default(), expires: number("expires") })
    }

    fn corrupt(&self, reason: &'static str) -> StoreError {
        StoreError::Corrupt { place: self.name.to_string(), reason }
    }

    fn unavailable(&self, operation: &'static str, reason: &str) -> StoreError {
        StoreError::Unavailable { operation, place: self.name.to_string(), reason: reason.to_owned() }
    }

    fn fault<E: ProvideErrorMetadata>(&self, operation: &'static str, error: &SdkError<E>) -> StoreError {
        crate::error::error_of(operation, &self.name, error)
    }
}

fn key_attributes(key: &Key) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(key.pk.clone())),
        ("sk".to_owned(), AttributeValue::S(key.sk.clone())),
    ])
}

fn attributes(item: &Item) -> HashMap<String, AttributeValue> {
    let mut attributes = key_attributes(&item.key);
    attributes.insert("rev".to_owned(), AttributeValue::N(item.rev.to_string()));
    if !item.data.is_empty() {
        attributes.insert("data".to_owned(), AttributeValue::S(item.data.clone()));
    }
    if let Some(expires) = item.expires {
        attributes.insert("expires".to_owned(), AttributeValue::N(expires.to_string()));
    }
    attributes
}
