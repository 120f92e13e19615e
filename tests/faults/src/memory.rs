//! Tables and buckets in memory, as DynamoDB and S3 keep them: conditions, transactions, order, page limits.
//! That tables answer as DynamoDB does is a test of its own (`tests/like_dynamodb.rs`).

use fc_store::{
    Guard, Item, Key, Op, Page, Query, StoreError,
    bucket::{Object, Objects},
    table::{Answer, Asked, Items, TRANSACTION, Write},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes after which a page of a query ends.
const PAGE_BYTES: usize = 1024 * 1024;

/// Everything that is kept. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Kept>>);

/// What an object was, version by version.
type Versions = Vec<Arc<Vec<u8>>>;

#[derive(Debug, Default)]
struct Kept {
    tables: HashMap<&'static str, BTreeMap<Key, Item>>,
    buckets: HashMap<&'static str, BTreeMap<String, Versions>>,
    /// Items as they were before the last write: what a read that need not be consistent may find.
    before: HashMap<(&'static str, Key), Option<Item>>,
    /// Whether `before` is not kept.
    has_no_past: bool,
}

fn holds(guard: Guard, there: Option<&Item>) -> bool {
    match guard {
        Guard::None => true,
        Guard::Absent => there.is_none(),
        Guard::Is(rev) => there.is_some_and(|item| item.rev == rev),
        Guard::Below(rev) => there.is_none_or(|item| item.rev < rev),
    }
}

/// What an item weighs, as DynamoDB counts: names and values.
fn bytes(item: &Item) -> usize {
    let data = if item.data.is_empty() { 0 } else { 4 + item.data.len() };
    let number = |number: &str| number.trim_end_matches('0').len().div_ceil(2) + 1;
    let expires = item.expires.map_or(0, |seconds| 7 + number(&seconds.to_string()));
    2 + item.key.pk.len() + 2 + item.key.sk.len() + 3 + number(&item.rev.to_string()) + data + expires
}

fn read_units(bytes: usize, consistent: bool) -> f64 {
    let blocks = bytes.div_ceil(4096).max(1) as f64;
    if consistent { blocks } else { blocks / 2.0 }
}

fn write_units(bytes: usize) -> f64 {
    bytes.div_ceil(1024).max(1) as f64
}

impl Memory {
    /// One in which every read finds the last write: half the size.
    #[must_use]
    pub fn without_past() -> Self {
        Self(Arc::new(Mutex::new(Kept { has_no_past: true, ..Kept::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of the tables.
    #[must_use]
    pub fn table(&self, name: &'static str) -> Rows {
        Rows { memory: self.clone(), name }
    }

    /// One of the buckets.
    #[must_use]
    pub fn bucket(&self, name: &'static str) -> Files {
        Files { memory: self.clone(), name }
    }
}

/// A table in memory: answers at once and never fails.
#[derive(Debug, Clone)]
pub struct Rows {
    memory: Memory,
    name: &'static str,
}

impl Rows {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Every item, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Item> {
        self.memory.lock().tables.get(self.name).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// One item; `late` gives it as it was before the last write.
    #[must_use]
    pub fn find(&self, key: &Key, late: bool) -> Option<Item> {
        let kept = self.memory.lock();
        if late && let Some(before) = kept.before.get(&(self.name, key.clone())) {
            return before.clone();
        }
        kept.tables.get(self.name).and_then(|table| table.get(key)).cloned()
    }

    fn set(&self, kept: &mut Kept, key: &Key, item: Option<Item>) {
        let table = kept.tables.entry(self.name).or_default();
        let before = match item {
            Some(item) => table.insert(key.clone(), item),
            None => table.remove(key),
        };
        if !kept.has_no_past {
            kept.before.insert((self.name, key.clone()), before);
        }
    }

    /// Carries out all operations or none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a guard does not hold; [`StoreError::Refused`] as DynamoDB would.
    pub fn write(&self, ops: &[Op]) -> Result<f64, StoreError> {
        let mut kept = self.memory.lock();
        let keys: BTreeSet<&Key> = ops.iter().map(key_of).collect();
        if ops.is_empty() || ops.len() > TRANSACTION || keys.len() < ops.len() {
            return Err(self.refused("TransactWriteItems"));
        }
        let there = |key: &Key| kept.tables.get(self.name).and_then(|table| table.get(key));
        let may = |op: &Op| match op {
            Op::Put(item, guard) => holds(*guard, there(&item.key)),
            Op::Delete(key, guard) => holds(*guard, there(key)),
            Op::Check(key, Guard::None) => there(key).is_some(),
            Op::Check(key, guard) => holds(*guard, there(key)),
        };
        if !ops.iter().all(may) {
            return Err(StoreError::Conflict);
        }
        let mut units = 0.0;
        for op in ops {
            let old = kept.tables.get(self.name).and_then(|table| table.get(key_of(op))).map_or(0, bytes);
            match op {
                Op::Put(item, _) => {
                    units += write_units(bytes(item).max(old));
                    self.set(&mut kept, &item.key, Some(item.clone()));
                }
                Op::Delete(key, _) => {
                    units += write_units(old);
                    self.set(&mut kept, key, None);
                }
                Op::Check(..) => units += write_units(old),
            }
        }
        Ok(units)
    }

    /// One page of a query, of at most `most` items.
    #[must_use]
    pub fn page(&self, query: &Query, most: usize) -> (Page, f64) {
        let kept = self.memory.lock();
        let from = Key::new(&query.pk, &query.prefix);
        let table = kept.tables.get(self.name);
        let of_prefix = |(key, _): &(&Key, &Item)| key.pk == query.pk && key.sk.starts_with(&query.prefix);
        let rows = table.into_iter().flat_map(|table| table.range((Bound::Included(from.clone()), Bound::Unbounded)));
        let mut rows: Vec<&Item> = rows.take_while(of_prefix).map(|(_, item)| item).collect();
        if query.descending {
            rows.reverse();
        }
        if let Some(after) = &query.after {
            let is_behind = |sk: &String| if query.descending { sk < after } else { sk > after };
            rows.retain(|item| is_behind(&item.key.sk));
        }
        let most = query.limit.map_or(most, |limit| most.min(limit as usize));
        let (mut items, mut read, mut next) = (Vec::new(), 0, None);
        for item in rows {
            if items.len() == most || (read > 0 && read + bytes(item) > PAGE_BYTES) {
                next = items.last().map(|item: &Item| item.key.sk.clone());
                break;
            }
            read += bytes(item);
            items.push(item.clone());
        }
        // DynamoDB says to go on whenever it stopped for the limit, even if nothing is behind it.
        if items.len() == most && next.is_none() {
            next = items.last().map(|item| item.key.sk.clone());
        }
        (Page { items, next }, read_units(read, query.consistent))
    }

    fn refused(&self, operation: &'static str) -> StoreError {
        StoreError::Refused { operation, place: self.name.to_owned(), reason: "ValidationException".to_owned() }
    }
}

/// Which item an operation is about.
#[must_use]
pub fn key_of(op: &Op) -> &Key {
    match op {
        Op::Put(item, _) => &item.key,
        Op::Delete(key, _) | Op::Check(key, _) => key,
    }
}

fn at_once<'a, T: Send + 'a>(answer: Result<T, StoreError>) -> Asked<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Items for Rows {
    fn get<'a>(&'a self, key: &'a Key, consistent: bool) -> Asked<'a, Answer<Option<Item>>> {
        let got = self.find(key, false);
        let units = read_units(got.as_ref().map_or(0, bytes), consistent);
        at_once(Ok(Answer { got, units }))
    }

    fn batch_get(&self, keys: Vec<Key>, consistent: bool) -> Asked<'_, Answer<(Vec<Item>, Vec<Key>)>> {
        if keys.is_empty() || keys.len() > 100 {
            return at_once(Err(self.refused("BatchGetItem")));
        }
        let found: Vec<Option<Item>> = keys.iter().map(|key| self.find(key, false)).collect();
        let units = found.iter().map(|item| read_units(item.as_ref().map_or(0, bytes), consistent)).sum();
        at_once(Ok(Answer { got: (found.into_iter().flatten().collect(), Vec::new()), units }))
    }

    fn query<'a>(&'a self, query: &'a Query) -> Asked<'a, Answer<Page>> {
        let (got, units) = self.page(query, usize::MAX);
        at_once(Ok(Answer { got, units }))
    }

    fn put<'a>(&'a self, item: &'a Item, guard: Guard) -> Asked<'a, Answer<()>> {
        at_once(self.write(&[Op::Put(item.clone(), guard)]).map(|units| Answer { got: (), units }))
    }

    fn delete<'a>(&'a self, key: &'a Key, guard: Guard) -> Asked<'a, Answer<()>> {
        at_once(self.write(&[Op::Delete(key.clone(), guard)]).map(|units| Answer { got: (), units }))
    }

    fn batch_write(&self, writes: Vec<Write>) -> Asked<'_, Answer<Vec<Write>>> {
        if writes.is_empty() || writes.len() > 25 {
            return at_once(Err(self.refused("BatchWriteItem")));
        }
        let ops: Vec<Op> = writes.into_iter().map(op_of).collect();
        at_once(self.write(&ops).map(|units| Answer { got: Vec::new(), units }))
    }

    fn transact<'a>(&'a self, ops: &'a [Op]) -> Asked<'a, Answer<()>> {
        // Each write is made twice: once to prepare it.
        at_once(self.write(ops).map(|units| Answer { got: (), units: units * 2.0 }))
    }
}

/// A write without a guard, as an operation.
#[must_use]
pub fn op_of(write: Write) -> Op {
    match write {
        Write::Put(item) => Op::Put(item, Guard::None),
        Write::Delete(key) => Op::Delete(key, Guard::None),
    }
}

/// A bucket in memory that keeps versions: answers at once and never fails.
#[derive(Debug, Clone)]
pub struct Files {
    memory: Memory,
    name: &'static str,
}

impl Files {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// An object, or a version of it.
    #[must_use]
    pub fn find(&self, key: &str, version: Option<&str>) -> Option<(Arc<Vec<u8>>, String)> {
        let kept = self.memory.lock();
        let versions = kept.buckets.get(self.name)?.get(key)?;
        let number = match version {
            Some(version) => version.parse::<usize>().ok()?,
            None => versions.len(),
        };
        Some((Arc::clone(versions.get(number.checked_sub(1)?)?), number.to_string()))
    }

    /// Writes an object, and says which version that is.
    pub fn keep(&self, key: &str, body: Vec<u8>) -> String {
        let mut kept = self.memory.lock();
        let versions = kept.buckets.entry(self.name).or_default().entry(key.to_owned()).or_default();
        versions.push(Arc::new(body));
        versions.len().to_string()
    }

    /// Deletes an object.
    pub fn forget(&self, key: &str) {
        self.memory.lock().buckets.entry(self.name).or_default().remove(key);
    }

    /// What reading gives.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not there.
    pub fn read(&self, key: &str, version: Option<&str>) -> Result<Object, StoreError> {
        let (bytes, version) =
            self.find(key, version).ok_or_else(|| StoreError::Missing { place: self.name.to_owned() })?;
        Ok(Object::whole(bytes.to_vec(), Some(version)))
    }
}

impl Objects for Files {
    fn open<'a>(&'a self, key: &'a str, version: Option<&'a str>) -> Asked<'a, Object> {
        at_once(self.read(key, version))
    }

    fn put<'a>(&'a self, key: &'a str, _content_type: &'a str, body: Vec<u8>) -> Asked<'a, ()> {
        self.keep(key, body);
        at_once(Ok(()))
    }

    fn delete<'a>(&'a self, key: &'a str) -> Asked<'a, ()> {
        self.forget(key);
        at_once(Ok(()))
    }
}
