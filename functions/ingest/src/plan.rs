//! What a file changes: what it says of each record, beside the manifest of what was last accepted.

use crate::manifest::{Entry, Handle, Hash, UNKNOWN};
use fc_sources::Identity;
use serde::{Deserialize, Serialize};

/// What a file says of one record, in the 36 bytes that are kept of each while a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Sum of the hashes of its rows, so the same in whatever order they come: as bytes, which need no room between them.
    sum: [u8; 16],
    /// Usable rows that speak of it.
    pub(crate) rows: u32,
    /// A row says that it was deleted.
    pub(crate) deleted: bool,
    /// One of its rows was rejected.
    pub(crate) rejected: bool,
    /// It is to be sent.
    pub(crate) changed: bool,
    /// Its rows speak of people who clearly differ.
    pub(crate) shared: bool,
    /// Whom the first of them speaks of.
    who: Identity,
}

impl Said {
    /// Whether the file has more than one row of it.
    pub(crate) fn has_several_rows(&self) -> bool {
        self.rows > 1 || self.rejected && self.rows > 0
    }

    /// Adds a usable row.
    pub(crate) fn add(&mut self, row: Hash) {
        self.sum = u128::from_be_bytes(self.sum).wrapping_add(u128::from_be_bytes(row)).to_be_bytes();
        self.rows += 1;
    }

    /// Takes note of whom a row speaks of.
    pub(crate) fn meet(&mut self, who: Identity) {
        self.shared |= self.who.clearly_differs(who);
        self.who = self.who.or(who);
    }

    /// Puts together what two stretches of a file say.
    fn join(&mut self, more: Self) {
        let rows = self.rows + more.rows;
        self.add(more.sum);
        self.rows = rows;
        self.deleted |= more.deleted;
        self.rejected |= more.rejected;
        self.shared |= more.shared;
        self.meet(more.who);
    }

    fn hash(self) -> Hash {
        // One in 2^128; then the record would be sent every night.
        if self.sum == UNKNOWN { [1; 16] } else { self.sum }
    }
}

/// What a file says of a record of this handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) handle: Handle,
    pub(crate) said: Said,
}

impl Named {
    /// What was said of a record, in a sorted list.
    pub(crate) fn find(sorted: &[Self], handle: Handle) -> Option<&Said> {
        let place = sorted.binary_search_by_key(&handle, |named| named.handle).ok()?;
        sorted.get(place).map(|named| &named.said)
    }
}

/// Entries gathered before they are sorted in.
const FRESH: usize = 1 << 16;

/// What a file says of its records, as it is read: a sorted list, and what has come since it was sorted. A hash map would
/// need twice the room, and four times while it grows.
#[derive(Default)]
pub(crate) struct Gathering {
    sorted: Vec<Named>,
    fresh: Vec<Named>,
}

impl Gathering {
    /// The place for what the next row says of a record.
    pub(crate) fn of(&mut self, handle: Handle) -> &mut Said {
        if self.fresh.len() >= FRESH {
            self.settle();
        }
        let place = match self.fresh.last() {
            Some(last) if last.handle == handle => self.fresh.len() - 1,
            _ => {
                self.fresh.push(Named { handle, said: Said::default() });
                self.fresh.len() - 1
            }
        };
        &mut self.fresh[place].said
    }

    /// Records that were sorted in.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// All of it, sorted.
    pub(crate) fn settled(mut self) -> Vec<Named> {
        self.settle();
        self.sorted
    }

    fn settle(&mut self) {
        self.fresh.sort_unstable_by_key(|named| named.handle);
        self.fresh.dedup_by(|later, kept| {
            let same = later.handle == kept.handle;
            if same {
                kept.said.join(later.said);
            }
            same
        });
        let sorted = &mut self.sorted;
        self.fresh.retain(|named| match sorted.binary_search_by_key(&named.handle, |known| known.handle) {
            Ok(place) => {
                sorted[place].said.join(named.said);
                false
            }
            Err(_) => true,
        });
        // From the back, so that everything is moved once and no second list is needed.
        let (mut known, mut new) = (self.sorted.len(), self.fresh.len());
        if self.sorted.capacity() < known + new {
            self.sorted.reserve_exact(new + known / 8);
        }
        self.sorted.extend_from_slice(&self.fresh);
        while new > 0 {
            if known > 0 && self.sorted[known - 1].handle > self.fresh[new - 1].handle {
                self.sorted[known + new - 1] = self.sorted[known - 1];
                known -= 1;
            } else {
                self.sorted[known + new - 1] = self.fresh[new - 1];
                new -= 1;
            }
        }
        self.fresh.clear();
    }
}

/// What becomes of a feed's records. added + changed + unchanged + kept is what the file holds; removed and kept
/// back were in the feed before and are not in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// In the feed before this file.
    pub before: u64,
    /// New in the feed.
    pub added: u64,
    /// Known, and now different.
    pub changed: u64,
    /// Known, and the same.
    pub unchanged: u64,
    /// Known, but a row of theirs was rejected: their last good version is kept, marked stale.
    pub kept_stale: u64,
    /// Gone from the source.
    pub removed: u64,
    /// Seem gone, but kept because a row whose record id cannot be read may be theirs.
    pub removals_waiting: u64,
    /// In the feed after this file.
    pub after: u64,
}

/// How a file is laid beside the manifest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// Records that the file does not have have left the source.
    pub(crate) full: bool,
    /// A newer file was applied before: what this one says may be refused record by record, so it is not known what holds.
    pub(crate) late: bool,
    /// Some rejected row's record id cannot be read: it may be anybody's.
    pub(crate) unreadable_ids: bool,
}

/// What a file changes.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The manifest once all is applied.
    pub(crate) candidate: Vec<Entry>,
    /// Records that have left.
    pub(crate) removed: Vec<Handle>,
    /// Counts.
    pub(crate) records: Records,
}

impl Plan {
    /// Whether nothing has to be sent.
    pub(crate) fn changes_nothing(&self) -> bool {
        self.records.added + self.records.changed + self.records.removed == 0
    }

    /// The share of the feed's records that would go.
    pub(crate) fn shrink(&self) -> f64 {
        let gone = self.records.removed + self.records.removals_waiting;
        if gone == 0 { 0.0 } else { gone as f64 / self.records.before as f64 }
    }
}

/// Lays what a file says beside what was accepted, marking in `said` what is to be sent.
pub(crate) fn plan(accepted: &[Entry], said: &mut [Named], rule: Rule) -> Plan {
    let mut plan = Plan { candidate: Vec::with_capacity(accepted.len().max(said.len())), ..Plan::default() };
    let records = &mut plan.records;
    records.before = accepted.len() as u64;
    let sent = |hash| if rule.late { UNKNOWN } else { hash };
    let (mut accepted, mut named) = (accepted.iter().peekable(), said.iter_mut().peekable());
    loop {
        let (known, next) = (accepted.peek().map(|entry| entry.handle), named.peek().map(|named| named.handle));
        let first = match (known, next) {
            (None, None) => break,
            (Some(known), Some(next)) => known.min(next),
            (Some(handle), None) | (None, Some(handle)) => handle,
        };
        let before = accepted.next_if(|entry| entry.handle == first);
        let found = named.next_if(|named| named.handle == first).map(|named| &mut named.said);
        let now = found.as_ref().map(|said| Entry { handle: first, hash: said.hash(), stale: false });
        match (before, now, found) {
            // One bad row must not take away what was good: the record stays as it was.
            (Some(before), _, Some(said)) if said.rejected => {
                records.kept_stale += 1;
                plan.candidate.push(Entry { stale: true, ..*before });
            }
            (Some(before), Some(now), Some(said)) if said.rows > 0 => {
                if before.hash == now.hash {
                    records.unchanged += 1;
                } else {
                    records.changed += 1;
                    said.changed = true;
                }
                plan.candidate.push(Entry { hash: if said.changed { sent(now.hash) } else { now.hash }, ..now });
            }
            (None, Some(now), Some(said)) if said.rows > 0 => {
                records.added += 1;
                said.changed = true;
                plan.candidate.push(Entry { hash: sent(now.hash), ..now });
            }
            (Some(before), _, found) => {
                let deleted = found.is_some_and(|said| said.deleted);
                if !rule.full && !deleted {
                    records.unchanged += 1;
                    plan.candidate.push(*before);
                } else if rule.full && rule.unreadable_ids {
                    records.removals_waiting += 1;
                    plan.candidate.push(*before);
                } else {
                    records.removed += 1;
                    plan.removed.push(before.handle);
                    if rule.late {
                        plan.candidate.push(Entry { hash: UNKNOWN, ..*before });
                    }
                }
            }
            // Deleted or rejected, and never known: nothing to keep and nothing to remove.
            (None, ..) => {}
        }
    }
    records.after = plan.candidate.len() as u64;
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Rule = Rule { full: true, late: false, unreadable_ids: false };
    const DELTA: Rule = Rule { full: false, ..FULL };
    const AMIR: Handle = [1; 16];
    const BETH: Handle = [2; 16];
    const CARL: Handle = [3; 16];

    fn says(text: u8) -> Said {
        let mut said = Said::default();
        said.add([text; 16]);
        said
    }

    fn file<const N: usize>(said: [(Handle, Said); N]) -> [Named; N] {
        said.map(|(handle, said)| Named { handle, said })
    }

    fn known(handle: Handle, text: u8) -> Entry {
        Entry { handle, hash: [text; 16], stale: false }
    }

    fn counts(plan: &Plan) -> (u64, u64, u64, u64) {
        (plan.records.added, plan.records.changed, plan.records.unchanged, plan.records.removed)
    }

    #[test]
    fn a_full_extract_adds_changes_keeps_and_removes() {
        let accepted = [known(AMIR, 1), known(BETH, 1)];
        let mut file = file([(AMIR, says(2)), (CARL, says(1))]);
        let plan = plan(&accepted, &mut file, FULL);
        assert_eq!(counts(&plan), (1, 1, 0, 1));
        assert_eq!(plan.removed, [BETH]);
        assert_eq!(plan.candidate, [known(AMIR, 2), known(CARL, 1)]);
        assert!(file.iter().all(|named| named.said.changed));
    }

    #[test]
    fn a_delta_leaves_alone_what_it_does_not_name() {
        let accepted = [known(AMIR, 1), known(BETH, 1)];
        let gone = Said { deleted: true, ..Said::default() };
        let mut file = file([(BETH, gone), (CARL, gone)]);
        let plan = plan(&accepted, &mut file, DELTA);
        assert_eq!(counts(&plan), (0, 0, 1, 1));
        assert_eq!(plan.candidate, [known(AMIR, 1)]);
    }

    #[test]
    fn a_rejected_row_keeps_the_last_good_version() {
        let accepted = [known(AMIR, 1)];
        let mut file = file([(AMIR, Said { rejected: true, ..says(2) })]);
        let plan = plan(&accepted, &mut file, FULL);
        assert_eq!((counts(&plan), plan.records.kept_stale), ((0, 0, 0, 0), 1));
        assert_eq!(plan.candidate, [Entry { stale: true, ..known(AMIR, 1) }]);
        assert!(!file[0].said.changed);
    }

    #[test]
    fn removals_wait_while_a_rejected_row_may_be_anybodys() {
        let plan = plan(&[known(AMIR, 1)], &mut [], Rule { unreadable_ids: true, ..FULL });
        assert_eq!((plan.records.removed, plan.records.removals_waiting), (0, 1));
        assert_eq!(plan.candidate, [known(AMIR, 1)]);
    }

    #[test]
    fn what_a_late_delta_said_is_not_taken_for_certain() {
        let accepted = [known(AMIR, 1), known(BETH, 1)];
        let mut file = file([(AMIR, says(2)), (BETH, Said { deleted: true, ..Said::default() })]);
        let plan = plan(&accepted, &mut file, Rule { late: true, ..DELTA });
        let unknown = |handle| Entry { hash: UNKNOWN, ..known(handle, 0) };
        assert_eq!(plan.candidate, [unknown(AMIR), unknown(BETH)]);
        assert_eq!(plan.removed, [BETH]);
    }

    #[test]
    fn rows_of_a_record_say_the_same_in_any_order() {
        let (mut one, mut other) = (says(1), says(2));
        one.add([2; 16]);
        other.add([1; 16]);
        assert_eq!(one, other);
        assert_ne!(one, says(1));
    }

    #[test]
    fn a_large_file_is_gathered_in_any_order_and_sorted_with_each_record_once() {
        let handle = |record: usize| (record as u128 * 0x9E37_79B9_7F4A_7C15).to_be_bytes();
        let records = FRESH + 1000;
        let mut gathering = Gathering::default();
        for row in (0..records).chain((0..records).rev()).chain(500..600) {
            gathering.of(handle(row)).add([1; 16]);
        }
        gathering.of(handle(7)).rejected = true;
        gathering.of(handle(8)).deleted = true;
        let said = gathering.settled();
        assert_eq!(said.len(), records);
        assert!(said.is_sorted_by(|one, next| one.handle < next.handle));
        let of = |record| *Named::find(&said, handle(record)).unwrap();
        assert_eq!((of(0).rows, of(550).rows, of(records - 1).rows), (2, 3, 2));
        assert!(of(7).rejected && of(8).deleted && !of(9).deleted);
        let mut twice = says(1);
        twice.add([1; 16]);
        assert_eq!(of(0), twice);
    }
}
