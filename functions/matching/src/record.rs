//! Records: what several feeds of a source say of one person, put together. Pure.

use fc_model::{Change, Content, Date, Details, FeedId, HandleKey, Protection, RecordHandle, RecordId, Seq};
use fc_sources::{Definitions, Field};
use fc_store::records::{Fragment, Record};
use std::collections::{BTreeMap, BTreeSet};

/// What a change did to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Something newer is there.
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
        restricted: Protection::None,
        restricted_under: BTreeSet::new(),
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

/// The records that its source says are relatives: other people, for as long as it says so.
pub(crate) fn relatives(key: &HandleKey, record: &RecordId, details: &Details) -> BTreeSet<RecordHandle> {
    let relatives = details.relatives().map(|id| RecordId::new(record.source.clone(), id));
    relatives.filter(|relative| relative != record).map(|relative| key.record(&relative)).collect()
}

/// How far a record is restricted from now on. `was` is what its source restricted it to so far, and `is_living` whether
/// it was here to the last. A source lifts what it said by saying outright, of a record that never left it, that the
/// person is not protected, or less so. That it says nothing lifts nothing, and neither does leaving and coming back.
pub(crate) fn restricted(was: Protection, is_living: bool, details: Option<&Details>) -> Protection {
    let Some(details) = details else { return was };
    let is_said = details.unprotected || details.protection > Protection::None;
    if is_living && is_said { details.protection } else { details.protection.max(was) }
}

/// Which extract the newest of what is known of a record came in.
pub(crate) fn newest(record: &Record) -> Option<Seq> {
    record.fragments.values().map(|fragment| fragment.seq).max()
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

/// The day a record was true, where it says so itself. `None` means as of its source's last update: every extract since
/// the one that changed it has confirmed it. So does a day that is volatile: it moves on without being sent.
pub(crate) fn as_of(definitions: &Definitions, record: &Record) -> Option<Date> {
    let definition = definitions.get(&record.id.source);
    let moves_unsent = |feed: &FeedId| {
        let feed = definition.and_then(|definition| definition.feed(feed));
        feed.is_some_and(|feed| feed.volatile.contains(&Field::AsOf))
    };
    let fragments = record.fragments.iter().filter(|(feed, _)| !moves_unsent(feed));
    fragments.filter_map(|(_, fragment)| fragment.details.as_ref()?.as_of).max()
}
