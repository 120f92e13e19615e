//! Time that passes only when nobody has anything to do: waiting costs nothing, and the order of events is a matter of
//! the seed alone.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// The time, and who waits for which. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Time(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// Milliseconds since the beginning.
    now: u64,
    next: u64,
    /// By when they go on, and then by who came first.
    waiting: BTreeMap<(u64, u64), Waker>,
    /// Threads at work: while one is, no time passes.
    busy: usize,
}

impl Time {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the beginning.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.lock().now
    }

    /// Waits so many milliseconds.
    #[must_use]
    pub fn wait(&self, milliseconds: u64) -> Wait {
        Wait { time: self.clone(), until: self.now() + milliseconds, place: None }
    }

    /// Lets whoever waits for the earliest moment go on; to be called when everything has come to rest.
    pub fn pass(&self) {
        let mut inner = self.lock();
        if inner.busy > 0 {
            return;
        }
        if let Some(((at, _), waker)) = inner.waiting.pop_first() {
            inner.now = inner.now.max(at);
            drop(inner);
            waker.wake();
        }
    }

    /// No time passes until what this gives is dropped.
    #[must_use]
    pub fn stand_still(&self) -> Still {
        self.lock().busy += 1;
        Still(self.clone())
    }
}

/// While it is here, no time passes.
#[derive(Debug)]
pub struct Still(Time);

impl Drop for Still {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
    }
}

/// Waits for a moment.
#[derive(Debug)]
pub struct Wait {
    time: Time,
    until: u64,
    place: Option<(u64, u64)>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        let mut inner = time.lock();
        match self.place {
            None => {
                let place = (self.until, inner.next);
                inner.next += 1;
                inner.waiting.insert(place, context.waker().clone());
                self.place = Some(place);
                Poll::Pending
            }
            Some(place) => match inner.waiting.get_mut(&place) {
                Some(waker) => {
                    waker.clone_from(context.waker());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            },
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.time.lock().waiting.remove(&place);
        }
    }
}
