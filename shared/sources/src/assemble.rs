//! Putting a record together: the rows of one feed, then the feeds of one source. Ingest, matching and offline linking
//! share it, so that the same files give the same record everywhere, whatever the order of rows, files or feeds.

use crate::{Definition, FeedKind};
use fc_model::{Content, Date, Details, FeedId};
use std::cmp::Reverse;

impl Definition {
    /// One content from the rows that a feed has of one record, whatever their order: the newest first, equally new ones
    /// by their text, for where rows differ the first counts. A day still to come says nothing.
    #[must_use]
    pub fn rows_together(&self, mut rows: Vec<Content>, today: Date) -> Content {
        if rows.len() > 1 {
            rows.sort_by_cached_key(|row| {
                let as_of = match row {
                    Content::Person(details) => details.as_of.filter(|day| *day <= today),
                    Content::Staff(_) => None,
                };
                (Reverse(as_of), serde_json::to_string(row).unwrap_or_default())
            });
        }
        let mut rows = rows.into_iter();
        let mut first = rows.next().unwrap_or_else(|| Content::Person(Box::default()));
        if let Content::Person(details) = &mut first {
            for row in rows {
                if let Content::Person(more) = row {
                    details.merge(*more);
                }
            }
            self.keep_latest_facts(details);
        }
        first
    }

    /// One record from what its feeds say, in any order: merged in the definition's order, feeds that the definition no
    /// longer has last. `None` while no feed of people says who it is.
    #[must_use]
    pub fn feeds_together<'a>(&self, feeds: impl IntoIterator<Item = (&'a FeedId, Details)>) -> Option<Details> {
        let place = |feed: &FeedId| self.feeds.iter().position(|known| known.feed == *feed);
        let mut feeds: Vec<_> = feeds.into_iter().map(|(feed, details)| (place(feed), feed, details)).collect();
        let is_people = |at: Option<usize>| at.is_some_and(|at| self.feeds[at].kind == FeedKind::People);
        if !feeds.iter().any(|(place, ..)| is_people(*place)) {
            return None;
        }
        feeds.sort_by_key(|(place, feed, _)| (place.unwrap_or(usize::MAX), *feed));
        let mut feeds = feeds.into_iter().map(|(_, _, details)| details);
        let mut merged = feeds.next()?;
        feeds.for_each(|details| merged.merge(details));
        self.keep_latest_facts(&mut merged);
        Some(merged)
    }
}
