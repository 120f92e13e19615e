//! Doing several things at once, within bounds.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// Whether a future has something to do, so that the others are left alone when it has.
struct Called {
    is_called: AtomicBool,
    whole: Mutex<Waker>,
}

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.is_called.store(true, Ordering::Release);
        self.whole.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

/// A future under way.
struct Running<F> {
    place: usize,
    future: Pin<Box<F>>,
    called: Arc<Called>,
}

impl<F: Future> Running<F> {
    fn new(place: usize, future: F, whole: &Waker) -> Self {
        let called = Called { is_called: AtomicBool::new(true), whole: Mutex::new(whole.clone()) };
        Self { place, future: Box::pin(future), called: Arc::new(called) }
    }

    fn poll(&mut self, whole: &Waker) -> Poll<F::Output> {
        self.called.whole.lock().unwrap_or_else(PoisonError::into_inner).clone_from(whole);
        if !self.called.is_called.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.called))))
    }
}

/// Runs futures, at most `limit` at a time, and gives their results in the order of the futures; stops at the first
/// error.
pub(crate) async fn all<T, E, F>(limit: usize, futures: Vec<F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = futures.into_iter().enumerate();
    let mut running: Vec<Running<F>> = Vec::with_capacity(limit);
    let mut done: Vec<(usize, T)> = Vec::new();
    std::future::poll_fn(|context| {
        let mut i = 0;
        loop {
            while running.len() < limit
                && let Some((place, future)) = waiting.next()
            {
                running.push(Running::new(place, future, context.waker()));
            }
            if running.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match running.get_mut(i).map(|one| one.poll(context.waker())) {
                None => return Poll::Pending,
                Some(Poll::Pending) => i += 1,
                Some(Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                // The last takes its place, and is polled next; what is new comes behind.
                Some(Poll::Ready(Ok(value))) => done.push((running.swap_remove(i).place, value)),
            }
        }
    })
    .await?;
    done.sort_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn never_more_than_the_limit_at_once_and_every_result_in_its_place() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let task = |i: usize| {
            let (now, most) = (&now, &most);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                tokio::task::yield_now().await;
                now.set(now.get() - 1);
                Ok::<usize, ()>(i)
            }
        };
        assert_eq!(all(3, (0..10).map(task).collect()).await, Ok((0..10).collect()));
        assert_eq!(most.get(), 3);
    }

    #[tokio::test]
    async fn the_first_error_ends_it() {
        let task = |i: usize| async move { if i == 4 { Err(i) } else { Ok(i) } };
        assert_eq!(all(2, (0..10).map(task).collect()).await, Err(4));
    }
}
