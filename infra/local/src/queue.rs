//! SQS with a Lambda event source, in this process: messages go to a handler in batches, a failed message comes back
//! after a growing delay, and one that keeps failing goes to a dead-letter list.
//!
//! Like a standard queue it promises at-least-once delivery and no order.

use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use fc_store::Deliver;
use fc_store::queue::Sending;
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

/// What a handler says when the whole batch failed. It is logged, so it must hold no personal data.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// A handler's answer, on its way.
pub type Answer = Pin<Box<dyn Future<Output = Result<SqsBatchResponse, HandlerError>> + Send>>;

/// The most messages in one batch, as on AWS without a batching window.
const BATCH: usize = 10;

/// How a queue treats its messages.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Batches handled at the same time (`MaximumConcurrency` on AWS).
    pub concurrency: usize,
    /// A message that failed this often goes to the dead-letter list (`maxReceiveCount`).
    pub receives: u32,
    /// The delay after the first failure. It doubles with each further one (the visibility time-out).
    pub backoff: Duration,
}

impl Default for Rules {
    /// Five receives, as in the template. Two batches at once keep two cores busy. The delay is short because a person
    /// watches: 0.2 s, 0.4 s, 0.8 s and 1.6 s.
    fn default() -> Self {
        Self { concurrency: 2, receives: 5, backoff: Duration::from_millis(200) }
    }
}

/// A message that failed too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// What was sent.
    pub body: String,
    /// How often it was tried.
    pub receives: u32,
    /// What the handler said last.
    pub reason: String,
}

struct Message {
    id: Uuid,
    body: String,
    receives: u32,
    sent: Duration,
}

#[derive(Default)]
struct Messages {
    ready: VecDeque<Message>,
    /// With a handler, or waiting out a delay.
    hidden: usize,
    dead: Vec<Dead>,
}

/// One queue. Make it, give it to whoever sends, then [`deliver_to`](Self::deliver_to) a handler.
pub struct LocalQueue {
    name: String,
    rules: Rules,
    messages: Mutex<Messages>,
    sent: AtomicU64,
    arrived: Notify,
    settled: Notify,
}

impl LocalQueue {
    /// An empty queue; `name` appears in warnings and in the events.
    #[must_use]
    pub fn new(name: &str, rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            rules,
            messages: Mutex::default(),
            sent: AtomicU64::new(0),
            arrived: Notify::new(),
            settled: Notify::new(),
        })
    }

    /// Queues the messages. Before this returns, [`quiet`](Self::quiet) already waits for them.
    pub fn push(&self, bodies: impl IntoIterator<Item = String>) {
        let sent = since_epoch();
        let new: Vec<Message> =
            bodies.into_iter().map(|body| Message { id: Uuid::new_v4(), body, receives: 0, sent }).collect();
        {
            let mut messages = self.messages();
            self.sent.fetch_add(new.len() as u64, Ordering::SeqCst);
            messages.ready.extend(new);
        }
        self.arrived.notify_one();
    }

    /// Resolves when nothing is queued, waiting out a delay, or with a handler. Dead messages do not count. For queues
    /// that feed each other there is [`all_quiet`].
    pub async fn quiet(&self) {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.waiting() == 0 {
                return;
            }
            settled.await;
        }
    }

    /// How many messages were ever sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Messages queued, waiting out a delay, or with a handler.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let messages = self.messages();
        messages.ready.len() + messages.hidden
    }

    /// The messages that failed too often.
    #[must_use]
    pub fn dead(&self) -> Vec<Dead> {
        self.messages().dead.clone()
    }

    /// Hands every message to `handler` for as long as the runtime lives.
    pub fn deliver_to<H>(self: &Arc<Self>, handler: H)
    where
        H: Fn(SqsEvent) -> Answer + Send + Sync + 'static,
    {
        let queue = Arc::clone(self);
        let handler = Arc::new(handler);
        tokio::spawn(async move {
            let slots = Arc::new(Semaphore::new(queue.rules.concurrency));
            loop {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
                let batch = queue.next_batch().await;
                let (queue, handler) = (Arc::clone(&queue), Arc::clone(&handler));
                tokio::spawn(async move {
                    queue.handle(batch, handler).await;
                    drop(slot);
                });
            }
        });
    }

    async fn next_batch(&self) -> Vec<Message> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut messages = self.messages();
                if !messages.ready.is_empty() {
                    let size = messages.ready.len().min(BATCH);
                    let mut batch: Vec<Message> = messages.ready.drain(..size).collect();
                    batch.iter_mut().for_each(|message| message.receives += 1);
                    messages.hidden += batch.len();
                    return batch;
                }
            }
            arrived.await;
        }
    }

    async fn handle<H>(self: &Arc<Self>, batch: Vec<Message>, handler: Arc<H>)
    where
        H: Fn(SqsEvent) -> Answer + Send + Sync + 'static,
    {
        let event = self.event(&batch);
        // In a task of its own, so that a panic fails this batch and not the queue.
        let answer = tokio::spawn(async move { handler(event).await }).await;
        let failed = match answer {
            Ok(Ok(response)) => failed_messages(&batch, &response),
            Ok(Err(error)) => Failed::All(error.to_string()),
            Err(_) => Failed::All("the handler panicked".to_owned()),
        };
        for message in batch {
            match failed.reason(&message.id) {
                None => self.finish(None),
                Some(reason) if message.receives >= self.rules.receives => self.bury(message, reason),
                Some(_) => self.retry_later(message),
            }
        }
    }

    fn event(&self, batch: &[Message]) -> SqsEvent {
        let mut event = SqsEvent::default();
        event.records = batch
            .iter()
            .map(|message| {
                let mut record = SqsMessage::default();
                record.message_id = Some(message.id.to_string());
                record.receipt_handle = Some(Uuid::new_v4().to_string());
                record.body = Some(message.body.clone());
                record.attributes = HashMap::from([
                    ("ApproximateReceiveCount".to_owned(), message.receives.to_string()),
                    ("SentTimestamp".to_owned(), message.sent.as_millis().to_string()),
                ]);
                record.event_source = Some("aws:sqs".to_owned());
                record.event_source_arn = Some(format!("arn:aws:sqs:{}:000000000000:{}", crate::s3::REGION, self.name));
                record.aws_region = Some(crate::s3::REGION.to_owned());
                record
            })
            .collect();
        event
    }

    fn bury(&self, message: Message, reason: &str) {
        let receives = message.receives;
        tracing::warn!(
            queue = self.name,
            message_id = %message.id,
            receives,
            reason,
            "a message failed too often and went to the dead-letter list"
        );
        self.finish(Some(Dead { body: message.body, receives, reason: reason.to_owned() }));
    }

    fn finish(&self, dead: Option<Dead>) {
        {
            let mut messages = self.messages();
            messages.hidden -= 1;
            messages.dead.extend(dead);
        }
        self.settled.notify_waiters();
    }

    fn retry_later(self: &Arc<Self>, message: Message) {
        let delay = self.rules.backoff * 2_u32.saturating_pow(message.receives.saturating_sub(1));
        let queue = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            {
                let mut messages = queue.messages();
                messages.hidden -= 1;
                messages.ready.push_back(message);
            }
            queue.arrived.notify_one();
        });
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        // No code that holds the lock can leave the counts half changed, so a poisoned lock is still good.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when every queue is quiet at the same time, whichever of them feeds which: handlers send on before they
/// answer, so no message can be between two queues.
pub async fn all_quiet(queues: &[&LocalQueue]) {
    let sent = || queues.iter().map(|queue| queue.sent()).sum::<u64>();
    loop {
        let before = sent();
        for queue in queues {
            queue.quiet().await;
        }
        // Each was quiet once, and nothing has been sent since: so all still are.
        if sent() == before {
            return;
        }
    }
}

impl Deliver for LocalQueue {
    fn send(&self, bodies: Vec<String>) -> Sending<'_> {
        self.push(bodies);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Which messages of a batch failed, and why.
enum Failed {
    All(String),
    Some(HashSet<Uuid>),
}

impl Failed {
    fn reason(&self, id: &Uuid) -> Option<&str> {
        match self {
            Self::All(reason) => Some(reason),
            Self::Some(ids) => ids.contains(id).then_some("the handler reported it as failed"),
        }
    }
}

/// As on AWS, an answer that names a message which is not in the batch fails the whole batch.
fn failed_messages(batch: &[Message], response: &SqsBatchResponse) -> Failed {
    let known: HashSet<Uuid> = batch.iter().map(|message| message.id).collect();
    let named: Option<HashSet<Uuid>> = response
        .batch_item_failures
        .iter()
        .map(|failure| Uuid::parse_str(&failure.item_identifier).ok().filter(|id| known.contains(id)))
        .collect();
    named.map_or_else(|| Failed::All("the handler named a message that was not in its batch".to_owned()), Failed::Some)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const IMPATIENT: Rules = Rules { concurrency: 2, receives: 5, backoff: Duration::from_micros(100) };

    fn bodies(event: &SqsEvent) -> Vec<String> {
        event.records.iter().filter_map(|record| record.body.clone()).collect()
    }

    fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("part {n}")).collect()
    }

    /// A queue whose handler notes what it gets and answers with `answer`.
    fn queue_with(
        answer: impl Fn(&SqsEvent) -> Result<SqsBatchResponse, HandlerError> + Send + Sync + 'static,
    ) -> (Arc<LocalQueue>, Arc<Mutex<Vec<SqsEvent>>>) {
        let queue = LocalQueue::new("matching", IMPATIENT);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        queue.deliver_to(move |event| {
            let reply = answer(&event);
            notes.lock().unwrap().push(event);
            Box::pin(async move { reply })
        });
        (queue, seen)
    }

    fn all_well(_: &SqsEvent) -> Result<SqsBatchResponse, HandlerError> {
        Ok(SqsBatchResponse::default())
    }

    #[tokio::test]
    async fn an_empty_queue_is_quiet() {
        LocalQueue::new("matching", IMPATIENT).quiet().await;
    }

    #[tokio::test]
    async fn every_message_arrives_in_batches_of_at_most_ten() {
        let (queue, seen) = queue_with(all_well);
        queue.push(numbered(23));
        queue.quiet().await;
        let seen = seen.lock().unwrap();
        let mut arrived: Vec<String> = seen.iter().flat_map(bodies).collect();
        arrived.sort();
        let mut sent = numbered(23);
        sent.sort();
        assert_eq!(arrived, sent);
        assert!(seen.iter().all(|event| event.records.len() <= 10));
    }

    #[tokio::test]
    async fn a_message_that_fails_once_comes_back_and_the_others_do_not() {
        let (queue, seen) = queue_with(|event| {
            let mut response = SqsBatchResponse::default();
            for record in &event.records {
                if record.body.as_deref() == Some("part 1") && record.attributes["ApproximateReceiveCount"] == "1" {
                    response.add_failure(record.message_id.clone().unwrap());
                }
            }
            Ok(response)
        });
        queue.push(numbered(3));
        queue.quiet().await;
        let mut arrived: Vec<String> = seen.lock().unwrap().iter().flat_map(bodies).collect();
        arrived.sort();
        assert_eq!(arrived, ["part 0", "part 1", "part 1", "part 2"]);
        assert!(queue.dead().is_empty());
    }

    #[tokio::test]
    async fn a_message_that_always_fails_is_tried_five_times_and_kept_with_the_reason() {
        let (queue, seen) = queue_with(|_| Err("the table is not there".into()));
        queue.push(["poison".to_owned()]);
        queue.quiet().await;
        assert_eq!(seen.lock().unwrap().len(), 5);
        let dead = Dead { body: "poison".to_owned(), receives: 5, reason: "the table is not there".to_owned() };
        assert_eq!(queue.dead(), [dead]);
    }

    #[tokio::test]
    async fn a_handler_that_panics_fails_its_batch_and_not_the_queue() {
        let queue = LocalQueue::new("matching", Rules { receives: 1, ..IMPATIENT });
        queue.deliver_to(|event| {
            Box::pin(async move {
                assert_ne!(bodies(&event), ["poison"], "cannot handle this");
                Ok(SqsBatchResponse::default())
            })
        });
        queue.push(["poison".to_owned()]);
        queue.quiet().await;
        queue.push(["harmless".to_owned()]);
        queue.quiet().await;
        assert_eq!(queue.dead().len(), 1);
    }

    #[tokio::test]
    async fn an_answer_about_an_unknown_message_fails_the_whole_batch() {
        let (queue, seen) = queue_with(|event| {
            let mut response = SqsBatchResponse::default();
            if event.records[0].attributes["ApproximateReceiveCount"] == "1" {
                response.add_failure("not one of yours");
            }
            Ok(response)
        });
        queue.push(["part".to_owned()]);
        queue.quiet().await;
        assert_eq!(seen.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn no_more_batches_run_at_once_than_allowed() {
        let queue = LocalQueue::new("matching", IMPATIENT);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let peak = Arc::clone(&most);
        queue.deliver_to(move |_| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            Box::pin(async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(SqsBatchResponse::default())
            })
        });
        queue.push(numbered(200));
        queue.quiet().await;
        assert_eq!(peak.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn queues_that_feed_each_other_are_quiet_when_the_last_message_has_gone_round() {
        let (ingest, matching) = (LocalQueue::new("ingest", IMPATIENT), LocalQueue::new("matching", IMPATIENT));
        let handled = Arc::new(AtomicUsize::new(0));
        // Each hands what it gets to the other, ten times in all.
        for (from, to) in [(&ingest, &matching), (&matching, &ingest)] {
            let (to, handled) = (Arc::clone(to), Arc::clone(&handled));
            from.deliver_to(move |_| {
                let (to, handled) = (Arc::clone(&to), Arc::clone(&handled));
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    if handled.fetch_add(1, Ordering::SeqCst) < 9 {
                        to.push(["again".to_owned()]);
                    }
                    Ok(SqsBatchResponse::default())
                })
            });
        }
        ingest.push(["first".to_owned()]);
        all_quiet(&[&ingest, &matching]).await;
        assert_eq!(handled.load(Ordering::SeqCst), 10);
    }
}
