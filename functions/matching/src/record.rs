//! Records: what several feeds of a source say of one person, put together. Pure.

use fc_model::{Change, Content, Date, Details, FeedId, HandleKey, RecordHandle, RecordId};
use fc_sources::{Definitions, FeedKind};
use fc_store::records::{Fragment, Record};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// What a change did to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Something newer is there: nothing to do.
    Stopped,
    /// Exactly this is there already: it comes a second time, and the first may not have got to the end.
    Same,
    /// The record changed.
    Changed,
}

/// Applies a change to its record.
pub(crate) fn apply(record: &mut Record, change: &Change) -> Applied {
    match record.fragments.get(&change.feed) {
        Some(known) if known.seq > change.seq => Applied::Stopped,
        Some(known) if known.seq == change.seq => Applied::Same,
        _ => {
            let details = match &change.content {
                Some(Content::Person(details)) => Some((**details).clone()),
                Some(Content::Staff(_)) | None => None,
            };
            if details.is_some() {
                // A removal says only the handle; if it came first, this is the first to say the record's id.
                record.id = change.record.clone();
            }
            record.fragments.insert(change.feed.clone(), Fragment { seq: change.seq, details });
            Applied::Changed
        }
    }
}

/// A record that nothing is known of yet.
pub(crate) fn unknown(change: &Change) -> Record {
    Record {
        id: change.record.clone(),
        fragments: BTreeMap::new(),
        keys: Vec::new(),
        obsolete: Vec::new(),
        never: BTreeSet::new(),
        matched: false,
    }
}

/// The records that its feeds say it must never be linked with.
pub(crate) fn never_links(key: &HandleKey, record: &Record) -> BTreeSet<RecordHandle> {
    let said = record.fragments.values().filter_map(|fragment| fragment.details.as_ref());
    said.flat_map(|details| &details.never_link)
        .map(|id| key.record(&RecordId::new(record.id.source.clone(), id)))
        .collect()
}

/// Whether every feed that had it has it no more.
pub(crate) fn has_left(record: &Record) -> bool {
    record.fragments.values().all(|fragment| fragment.details.is_none())
}

/// What the source says of the person: its feeds merged in the definition's order. `None` when the record has left, or
/// waits for the feed that says who it is.
pub(crate) fn details(definitions: &Definitions, record: &Record) -> Option<Details> {
    let definition = definitions.get(&record.id.source);
    let is_people = |feed| {
        definition.is_none_or(|definition| definition.feed(feed).is_some_and(|feed| feed.kind == FeedKind::People))
    };
    if !record.fragments.iter().any(|(feed, fragment)| fragment.details.is_some() && is_people(feed)) {
        return None;
    }
    let place =
        |feed: &FeedId| definition.and_then(|definition| definition.feeds.iter().position(|known| known.feed == *feed));
    let mut fragments: Vec<_> = record.fragments.iter().collect();
    // Feeds that the definition no longer has come last.
    fragments.sort_by_key(|(feed, _)| place(feed).unwrap_or(usize::MAX));
    let mut merged: Option<Details> = None;
    for details in fragments.into_iter().filter_map(|(_, fragment)| fragment.details.clone()) {
        match &mut merged {
            Some(merged) => merged.merge(details),
            None => merged = Some(details),
        }
    }
    if let (Some(definition), Some(merged)) = (definition, &mut merged) {
        definition.keep_latest_facts(merged);
    }
    merged
}

/// The day a record was true: as it says itself, or the newest extract it came in.
pub(crate) fn as_of(record: &Record, details: &Details) -> Option<Date> {
    let newest = record.fragments.values().filter(|fragment| fragment.details.is_some()).map(|fragment| fragment.seq);
    details.as_of.or_else(|| newest.max().map(|seq| TimeZone::UTC.to_datetime(seq.as_of).date()))
}
