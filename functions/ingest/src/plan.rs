//! What a file changes: what it says of each record, beside the manifest of what was last accepted.

use crate::manifest::{Entry, Handle, Hash, UNKNOWN, join};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What a file says of one record, in the 24 bytes that are kept of each while a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Sum of the hashes of its rows: the same in whatever order they come.
    sum: u128,
    /// Usable rows that speak of it.
    pub(crate) rows: u32,
    /// A row says that it was deleted.
    pub(crate) deleted: bool,
    /// One of its rows was rejected.
    pub(crate) rejected: bool,
    /// It is to be sent.
    pub(crate) changed: bool,
}

impl Said {
    /// Adds a usable row.
    pub(crate) fn add(&mut self, row: Hash) {
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(row));
        self.rows += 1;
    }

    fn hash(self) -> Hash {
        let hash = self.sum.to_be_bytes();
        // One in 2^128; then the record would be sent every night.
        if hash == UNKNOWN { [1; 16] } else { hash }
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
pub(crate) fn plan(accepted: &[Entry], said: &mut HashMap<Handle, Said>, rule: Rule) -> Plan {
    let mut named: Vec<Entry> =
        said.iter().map(|(handle, said)| Entry { handle: *handle, hash: said.hash(), stale: false }).collect();
    named.sort_unstable();
    let mut plan = Plan { candidate: Vec::with_capacity(accepted.len().max(named.len())), ..Plan::default() };
    let records = &mut plan.records;
    records.before = accepted.len() as u64;
    let sent = |hash| if rule.late { UNKNOWN } else { hash };
    for (before, now) in join(accepted, &named) {
        let found = now.and_then(|now| said.get_mut(&now.handle));
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
                plan.candidate.push(Entry { hash: if said.changed { sent(now.hash) } else { now.hash }, ..*now });
            }
            (None, Some(now), Some(said)) if said.rows > 0 => {
                records.added += 1;
                said.changed = true;
                plan.candidate.push(Entry { hash: sent(now.hash), ..*now });
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

    fn known(handle: Handle, text: u8) -> Entry {
        Entry { handle, hash: [text; 16], stale: false }
    }

    fn counts(plan: &Plan) -> (u64, u64, u64, u64) {
        (plan.records.added, plan.records.changed, plan.records.unchanged, plan.records.removed)
    }

    #[test]
    fn a_full_extract_adds_changes_keeps_and_removes() {
        let accepted = [known(AMIR, 1), known(BETH, 1)];
        let mut file = HashMap::from([(AMIR, says(2)), (CARL, says(1))]);
        let plan = plan(&accepted, &mut file, FULL);
        assert_eq!(counts(&plan), (1, 1, 0, 1));
        assert_eq!(plan.removed, [BETH]);
        assert_eq!(plan.candidate, [known(AMIR, 2), known(CARL, 1)]);
        assert!(file[&AMIR].changed && file[&CARL].changed);
    }

    #[test]
    fn a_delta_leaves_alone_what_it_does_not_name() {
        let accepted = [known(AMIR, 1), known(BETH, 1)];
        let gone = Said { deleted: true, ..Said::default() };
        let mut file = HashMap::from([(BETH, gone), (CARL, gone)]);
        let plan = plan(&accepted, &mut file, DELTA);
        assert_eq!(counts(&plan), (0, 0, 1, 1));
        assert_eq!(plan.candidate, [known(AMIR, 1)]);
    }

    #[test]
    fn a_rejected_row_keeps_the_last_good_version() {
        let accepted = [known(AMIR, 1)];
        let mut file = HashMap::from([(AMIR, Said { rejected: true, ..says(2) })]);
        let plan = plan(&accepted, &mut file, FULL);
        assert_eq!((counts(&plan), plan.records.kept_stale), ((0, 0, 0, 0), 1));
        assert_eq!(plan.candidate, [Entry { stale: true, ..known(AMIR, 1) }]);
        assert!(!file[&AMIR].changed);
    }

    #[test]
    fn removals_wait_while_a_rejected_row_may_be_anybodys() {
        let plan = plan(&[known(AMIR, 1)], &mut HashMap::new(), Rule { unreadable_ids: true, ..FULL });
        assert_eq!((plan.records.removed, plan.records.removals_waiting), (0, 1));
        assert_eq!(plan.candidate, [known(AMIR, 1)]);
    }

    #[test]
    fn what_a_late_delta_said_is_not_taken_for_certain() {
        let accepted = [known(AMIR, 1), known(BETH, 1)];
        let mut file = HashMap::from([(AMIR, says(2)), (BETH, Said { deleted: true, ..Said::default() })]);
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
}
