//! Queues, as SQS keeps them: a message that is being dealt with is hidden for a while, comes again when nobody says
//! that it is done, and goes to the dead letters when it has come too often. In a storm some come twice, late, or behind
//! those that were sent after them.

use crate::storm::{Fault, Kind, Storm, Worker};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Receives after which a message goes to the dead letters (infra/template.yaml).
const RECEIVES: u32 = 5;

/// A queue.
#[derive(Debug)]
pub struct Messages {
    /// Its name.
    pub name: &'static str,
    /// How long a message is hidden while it is dealt with, in milliseconds.
    hidden: u64,
    inner: Mutex<Inner>,
    /// Told when a message comes.
    pub came: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    messages: Vec<Message>,
    dead: Vec<Message>,
}

#[derive(Debug, Clone)]
struct Message {
    id: u64,
    body: String,
    visible: u64,
    receives: u32,
}

impl Messages {
    /// An empty queue.
    #[must_use]
    pub fn new(name: &'static str, hidden: u64) -> Self {
        Self { name, hidden, inner: Mutex::default(), came: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes messages, and may take one twice or keep it back.
    pub fn send(&self, from: &Worker, bodies: &[String]) {
        let storm = &from.storm;
        let now = storm.time.now();
        for body in bodies {
            let (delays, fault) = from.dice(|dice| {
                if storm.is_calm() {
                    (vec![0], Fault::None)
                } else if dice.in_1000(60) {
                    (vec![dice.below(2_000) as u64, dice.below(3_600_000) as u64], Fault::Duplicate)
                } else if dice.in_1000(120) {
                    (vec![dice.below(1_200_000) as u64], Fault::Delayed)
                } else {
                    (vec![dice.below(1_000) as u64], Fault::None)
                }
            });
            storm.note(from.number, Kind::Deliver, self.name, fault);
            for delay in delays {
                self.push(body.clone(), now + delay);
            }
        }
        self.came.notify_waiters();
    }

    /// Takes a message that can be seen from some moment on.
    pub fn push(&self, body: String, visible: u64) {
        let mut inner = self.lock();
        let id = inner.next;
        inner.next += 1;
        inner.messages.push(Message { id, body, visible, receives: 0 });
    }

    /// Up to so many messages, hidden from now on: (id, body). Those that came too often are dead.
    pub fn receive(&self, most: usize, storm: &Storm) -> Vec<(u64, String)> {
        let now = storm.time.now();
        let mut inner = self.lock();
        let Inner { messages, dead, .. } = &mut *inner;
        messages.retain(|message| {
            let is_dead = message.visible <= now && message.receives >= RECEIVES;
            if is_dead {
                dead.push(Message { receives: 0, ..message.clone() });
            }
            !is_dead
        });
        messages.sort_by_key(|message| (message.visible, message.id));
        let due = messages.iter_mut().filter(|message| message.visible <= now).take(most);
        due.map(|message| {
            message.visible = now + self.hidden;
            message.receives += 1;
            (message.id, message.body.clone())
        })
        .collect()
    }

    /// A message is done with.
    pub fn done(&self, id: u64) {
        self.lock().messages.retain(|message| message.id != id);
    }

    /// When the next message can be seen.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.lock().messages.iter().map(|message| message.visible).min()
    }

    /// Messages waiting or being dealt with, and dead ones.
    #[must_use]
    pub fn left(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.messages.len(), inner.dead.len())
    }

    /// Sends the dead letters again.
    pub fn redrive(&self) {
        let mut inner = self.lock();
        let dead = std::mem::take(&mut inner.dead);
        inner.messages.extend(dead);
        drop(inner);
        self.came.notify_waiters();
    }
}
