//! Records: what several feeds of a source say of one person, put together. Pure.

use fc_model::{Change, Content, Date, Details, HandleKey, RecordHandle, RecordId};
use fc_sources::Definitions;
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
    let said = || record.fragments.iter().filter_map(|(feed, fragment)| Some((feed, fragment.details.clone()?)));
    if let Some(definition) = definitions.get(&record.id.source) {
        return definition.feeds_together(said());
    }
    // A source without a definition any more: in the order of its feeds' names.
    said().map(|(_, details)| details).reduce(|mut merged, details| {
        merged.merge(details);
        merged
    })
}

/// The day a record was true: as it says itself, or the newest extract it came in.
pub(crate) fn as_of(record: &Record, details: &Details) -> Option<Date> {
    let newest = record.fragments.values().filter(|fragment| fragment.details.is_some()).map(|fragment| fragment.seq);
    details.as_of.or_else(|| newest.max().map(|seq| TimeZone::UTC.to_datetime(seq.as_of).date()))
}
