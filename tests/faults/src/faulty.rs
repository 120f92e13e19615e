//! Tables, buckets and queues as a worker meets them in a storm.

use crate::{
    memory::{Files, Rows, key_of, op_of},
    queue::Messages,
    storm::{Fault, Kind, OpenTo, Worker, unavailable},
};
use fc_store::{
    Deliver, Guard, Item, Key, Op, Page, Query, StoreError,
    bucket::{Job, Object, Objects},
    queue::Sending,
    table::{Answer, Asked, Items, Write},
};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

/// Items of a page that is cut short, where its reader did not say how many it wants.
const SHORT_PAGE: usize = 3;
/// How long after its caller has given up a late write is carried out, at most, in milliseconds.
const LATEST: usize = 60_000;

/// A table in a storm.
#[derive(Debug, Clone)]
pub struct FaultyRows {
    rows: Rows,
    worker: Arc<Worker>,
}

/// A bucket in a storm.
#[derive(Debug, Clone)]
pub struct FaultyFiles {
    files: Files,
    worker: Arc<Worker>,
}

/// A queue to send to, in a storm.
#[derive(Debug, Clone)]
pub struct FaultyQueue {
    /// The queue.
    pub to: Arc<Messages>,
    /// Who sends.
    pub worker: Arc<Worker>,
}

fn eventual(consistent: bool) -> OpenTo {
    if consistent { OpenTo::Nothing } else { OpenTo::Stale }
}

impl FaultyRows {
    /// A table as a worker meets it.
    #[must_use]
    pub fn new(rows: Rows, worker: Arc<Worker>) -> Self {
        Self { rows, worker }
    }

    /// Writes, or not, or twice, or later.
    async fn write(&self, kind: Kind, operation: &'static str, ops: Vec<Op>) -> Result<Answer<()>, StoreError> {
        let is_contended = |key: &Key| ["HEAD#", "F#"].iter().any(|prefix| key.pk.starts_with(prefix));
        let open_to = if ops.iter().map(key_of).any(is_contended) { OpenTo::Conflict } else { OpenTo::Nothing };
        let fault = self.worker.call(kind, self.rows.name(), open_to).await;
        let done = |units| Answer { got: (), units };
        match fault {
            Fault::Throttled => Err(unavailable(operation, self.rows.name(), fault)),
            Fault::Conflict => Err(StoreError::Conflict),
            Fault::TimedOut => {
                // Whether it went well is what its caller does not hear.
                let _ = self.rows.write(&ops);
                Err(unavailable(operation, self.rows.name(), fault))
            }
            Fault::Late => {
                let (time, rows) = (self.worker.storm.time.clone(), self.rows.clone());
                let wait = self.worker.dice(|dice| dice.below(LATEST)) as u64;
                tokio::spawn(async move {
                    time.wait(wait).await;
                    let _ = rows.write(&ops);
                });
                Err(unavailable(operation, self.rows.name(), fault))
            }
            Fault::Repeated => {
                let _ = self.rows.write(&ops);
                self.rows.write(&ops).map(done)
            }
            Fault::CrashAfter => {
                let _ = self.rows.write(&ops);
                self.worker.die().await;
                Err(StoreError::Conflict)
            }
            _ => self.rows.write(&ops).map(done),
        }
    }
}

impl Items for FaultyRows {
    fn get<'a>(&'a self, key: &'a Key, consistent: bool) -> Asked<'a, Answer<Option<Item>>> {
        Box::pin(async move {
            match self.worker.call(Kind::GetItem, self.rows.name(), eventual(consistent)).await {
                fault @ Fault::Throttled => Err(unavailable("GetItem", self.rows.name(), fault)),
                fault => Ok(Answer { got: self.rows.find(key, fault == Fault::Stale), units: 1.0 }),
            }
        })
    }

    fn batch_get(&self, keys: Vec<Key>, consistent: bool) -> Asked<'_, Answer<(Vec<Item>, Vec<Key>)>> {
        Box::pin(async move {
            let fault = self.worker.call(Kind::BatchGetItem, self.rows.name(), eventual(consistent)).await;
            if fault == Fault::Throttled {
                return Err(unavailable("BatchGetItem", self.rows.name(), fault));
            }
            // DynamoDB gives them in no order.
            let mut keys = keys;
            self.worker.dice(|dice| dice.shuffle(&mut keys));
            let left = if fault == Fault::Partial {
                keys.split_off(self.worker.dice(|d| d.below(keys.len())))
            } else {
                Vec::new()
            };
            let found = keys.iter().filter_map(|key| self.rows.find(key, fault == Fault::Stale)).collect();
            Ok(Answer { got: (found, left), units: 1.0 })
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> Asked<'a, Answer<Page>> {
        Box::pin(async move {
            match self.worker.call(Kind::Query, self.rows.name(), eventual(query.consistent)).await {
                fault @ Fault::Throttled => Err(unavailable("Query", self.rows.name(), fault)),
                _ => {
                    let most = if query.limit.is_none() { SHORT_PAGE } else { usize::MAX };
                    let (got, units) = self.rows.page(query, most);
                    Ok(Answer { got, units })
                }
            }
        })
    }

    fn put<'a>(&'a self, item: &'a Item, guard: Guard) -> Asked<'a, Answer<()>> {
        Box::pin(self.write(Kind::PutItem, "PutItem", vec![Op::Put(item.clone(), guard)]))
    }

    fn delete<'a>(&'a self, key: &'a Key, guard: Guard) -> Asked<'a, Answer<()>> {
        Box::pin(self.write(Kind::DeleteItem, "DeleteItem", vec![Op::Delete(key.clone(), guard)]))
    }

    fn batch_write(&self, writes: Vec<Write>) -> Asked<'_, Answer<Vec<Write>>> {
        Box::pin(async move {
            let kind = Kind::BatchWriteItem;
            let fault = self.worker.call(kind, self.rows.name(), OpenTo::Nothing).await;
            let write = |writes: Vec<Write>| {
                for write in writes {
                    // One by one: a batch is not atomic, and nothing in it has a guard that could fail.
                    let _ = self.rows.write(&[op_of(write)]);
                }
            };
            match fault {
                Fault::Throttled => Err(unavailable("BatchWriteItem", self.rows.name(), fault)),
                Fault::Late => {
                    let (time, rows) = (self.worker.storm.time.clone(), self.rows.clone());
                    let wait = self.worker.dice(|dice| dice.below(LATEST)) as u64;
                    tokio::spawn(async move {
                        time.wait(wait).await;
                        for write in writes {
                            let _ = rows.write(&[op_of(write)]);
                        }
                    });
                    Err(unavailable("BatchWriteItem", self.rows.name(), fault))
                }
                Fault::TimedOut => {
                    write(writes);
                    Err(unavailable("BatchWriteItem", self.rows.name(), fault))
                }
                Fault::Partial => {
                    let mut writes = writes;
                    let left = self.worker.dice(|dice| {
                        dice.shuffle(&mut writes);
                        writes.split_off(dice.below(writes.len()))
                    });
                    write(writes);
                    Ok(Answer { got: left, units: 1.0 })
                }
                Fault::CrashAfter => {
                    write(writes);
                    self.worker.die().await;
                    Err(StoreError::Conflict)
                }
                _ => {
                    write(writes);
                    Ok(Answer { got: Vec::new(), units: 1.0 })
                }
            }
        })
    }

    fn transact<'a>(&'a self, ops: &'a [Op]) -> Asked<'a, Answer<()>> {
        Box::pin(self.write(Kind::TransactWriteItems, "TransactWriteItems", ops.to_vec()))
    }

    fn pause(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Box::pin(self.worker.storm.time.wait(milliseconds))
    }
}

impl FaultyFiles {
    /// A bucket as a worker meets it.
    #[must_use]
    pub fn new(files: Files, worker: Arc<Worker>) -> Self {
        Self { files, worker }
    }

    async fn write(
        &self,
        kind: Kind,
        operation: &'static str,
        write: impl Fn(&Files) + Send + 'static,
    ) -> Result<(), StoreError> {
        let fault = self.worker.call(kind, self.files.name(), OpenTo::Nothing).await;
        match fault {
            Fault::Throttled => Err(unavailable(operation, self.files.name(), fault)),
            Fault::TimedOut => {
                write(&self.files);
                Err(unavailable(operation, self.files.name(), fault))
            }
            Fault::Late => {
                let (time, files) = (self.worker.storm.time.clone(), self.files.clone());
                let wait = self.worker.dice(|dice| dice.below(LATEST)) as u64;
                tokio::spawn(async move {
                    time.wait(wait).await;
                    write(&files);
                });
                Err(unavailable(operation, self.files.name(), fault))
            }
            Fault::CrashAfter => {
                write(&self.files);
                self.worker.die().await;
                Ok(())
            }
            _ => {
                write(&self.files);
                Ok(())
            }
        }
    }
}

impl Objects for FaultyFiles {
    fn open<'a>(&'a self, key: &'a str, version: Option<&'a str>) -> Asked<'a, Object> {
        Box::pin(async move {
            match self.worker.call(Kind::GetObject, self.files.name(), OpenTo::Nothing).await {
                fault @ Fault::Throttled => Err(unavailable("GetObject", self.files.name(), fault)),
                _ => self.files.read(key, version),
            }
        })
    }

    fn put<'a>(&'a self, key: &'a str, _content_type: &'a str, body: Vec<u8>) -> Asked<'a, ()> {
        let key = key.to_owned();
        Box::pin(self.write(Kind::PutObject, "PutObject", move |files| drop(files.keep(&key, body.clone()))))
    }

    fn delete<'a>(&'a self, key: &'a str) -> Asked<'a, ()> {
        let key = key.to_owned();
        Box::pin(self.write(Kind::DeleteObject, "DeleteObject", move |files| files.forget(&key)))
    }

    fn beside(&self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let still = self.worker.storm.time.stand_still();
        let running = tokio::task::spawn_blocking(job);
        Box::pin(async move {
            drop(running.await);
            drop(still);
        })
    }
}

impl Deliver for FaultyQueue {
    fn send(&self, bodies: Vec<String>) -> Sending<'_> {
        Box::pin(async move {
            // SQS takes ten at once.
            for chunk in bodies.chunks(10) {
                let fault = self.worker.call(Kind::SendMessage, self.to.name, OpenTo::Nothing).await;
                let send = |bodies: &[String]| self.to.send(&self.worker, bodies);
                match fault {
                    Fault::Throttled => return Err(unavailable("SendMessageBatch", "queue", fault)),
                    Fault::TimedOut => {
                        send(chunk);
                        return Err(unavailable("SendMessageBatch", "queue", fault));
                    }
                    Fault::Partial => {
                        send(&chunk[..self.worker.dice(|dice| dice.below(chunk.len()))]);
                        return Err(unavailable("SendMessageBatch", "queue", fault));
                    }
                    Fault::CrashAfter => {
                        send(chunk);
                        self.worker.die().await;
                    }
                    _ => send(chunk),
                }
            }
            Ok(())
        })
    }
}
