//! Doing several things at once, within bounds.

use std::{future::Future, pin::Pin, task::Poll};

/// Runs futures, at most `limit` at a time, and gives their results in the order of the futures; stops at the first
/// error.
pub(crate) async fn all<T, E, F>(limit: usize, futures: Vec<F>) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = futures.into_iter().enumerate();
    let mut running: Vec<(usize, Pin<Box<F>>)> = Vec::with_capacity(limit);
    let mut done: Vec<(usize, T)> = Vec::new();
    std::future::poll_fn(|context| {
        loop {
            while running.len() < limit
                && let Some((place, future)) = waiting.next()
            {
                running.push((place, Box::pin(future)));
            }
            let before = running.len();
            let mut i = 0;
            while i < running.len() {
                match running[i].1.as_mut().poll(context) {
                    Poll::Pending => i += 1,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(value)) => done.push((running.swap_remove(i).0, value)),
                }
            }
            if running.is_empty() && before == 0 {
                return Poll::Ready(Ok(()));
            }
            if running.len() == before {
                return Poll::Pending;
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
