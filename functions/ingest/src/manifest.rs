//! Manifests: which records a feed has, and a hash of what each said. Sorted lines of text, one a record:
//!
//! `<handle> <hash>` with ` stale` behind when the record's row was rejected last time and its last good version is kept.
//!
//! Before them stand lines `! <hash>`, one for each value that stands on more people of the feed's last whole extract than
//! can share it ([`Common`]).
//!
//! Handles are keyed hashes, so a manifest does not show who is known. A hash of zeros is *unknown*: the record may or
//! may not be as it was last sent, so it is sent again by the next extract that has it, and removed by the next full
//! extract that has not.

use fc_sources::Common;
use std::fmt::Write;

/// A record's handle as bytes: half the room of its text.
pub type Handle = [u8; 16];
/// A hash of what a record says.
pub type Hash = [u8; 16];

/// The hash of a record of which it is not known what was last applied.
pub const UNKNOWN: Hash = [0; 16];

/// Bytes of a line without the stale mark.
const LINE: usize = 32 + 1 + 32 + 1;

/// One record of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The record.
    pub handle: Handle,
    /// What it said.
    pub hash: Hash,
    /// Whether its latest row was rejected, so that what is kept is older than the feed.
    pub stale: bool,
}

/// What stands before the hash of a common value.
const COMMON: &str = "! ";

/// Writes common values and entries, which must be sorted.
#[must_use]
pub fn write(common: &Common, entries: &[Entry]) -> Vec<u8> {
    let mut text = String::with_capacity(entries.len() * LINE);
    for hash in common.hashes() {
        let _ = writeln!(text, "{COMMON}{hash}");
    }
    for entry in entries {
        push_hex(&mut text, entry.handle);
        text.push(' ');
        push_hex(&mut text, entry.hash);
        text.push_str(if entry.stale { " stale\n" } else { "\n" });
    }
    text.into_bytes()
}

/// Reads the common values of a manifest, which stand before all else. `None` when it is not one.
#[must_use]
pub fn read_common(bytes: &[u8]) -> Option<Common> {
    let text = std::str::from_utf8(bytes).ok()?;
    Common::of(text.lines().map_while(|line| line.strip_prefix(COMMON)))
}

/// Reads the entries of a manifest. `None` when it is not one.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Vec<Entry>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut entries: Vec<Entry> = Vec::with_capacity(text.len() / LINE);
    for line in text.lines().skip_while(|line| line.starts_with(COMMON)) {
        let mut words = line.split(' ');
        let (handle, hash) = (from_hex(words.next()?)?, from_hex(words.next()?)?);
        let stale = match words.next() {
            None => false,
            Some("stale") => true,
            Some(_) => return None,
        };
        if entries.last().is_some_and(|last| last.handle >= handle) {
            return None;
        }
        entries.push(Entry { handle, hash, stale });
    }
    Some(entries)
}

/// What is known when a pending load is given up: of every record that it would have changed, nothing.
pub(crate) fn doubt(accepted: &[Entry], pending: &[Entry]) -> Vec<Entry> {
    let mut doubted = Vec::with_capacity(accepted.len().max(pending.len()));
    for pair in join(accepted, pending) {
        doubted.push(match pair {
            (Some(old), Some(new)) if old.hash == new.hash => *old,
            (Some(entry), _) | (None, Some(entry)) => Entry { hash: UNKNOWN, ..*entry },
            (None, None) => continue,
        });
    }
    doubted
}

/// Goes through two sorted lists side by side.
pub(crate) fn join<'a>(
    left: &'a [Entry],
    right: &'a [Entry],
) -> impl Iterator<Item = (Option<&'a Entry>, Option<&'a Entry>)> {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    std::iter::from_fn(move || {
        let (l, r) = (left.peek().map(|entry| entry.handle), right.peek().map(|entry| entry.handle));
        match (l, r) {
            (None, None) => None,
            (Some(l), Some(r)) if l == r => Some((left.next(), right.next())),
            (Some(l), r) if r.is_none_or(|r| l < r) => Some((left.next(), None)),
            _ => Some((None, right.next())),
        }
    })
}

/// Writes 16 bytes as 32 hexadecimal digits.
#[must_use]
pub fn hex(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(32);
    push_hex(&mut text, bytes);
    text
}

fn push_hex(text: &mut String, bytes: [u8; 16]) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{:032x}", u128::from_be_bytes(bytes));
}

/// Reads 32 hexadecimal digits.
#[must_use]
pub fn from_hex(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(record: u8, said: u8) -> Entry {
        Entry { handle: [record; 16], hash: [said; 16], stale: false }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let entries = vec![entry(1, 9), Entry { stale: true, ..entry(0xab, 8) }];
        let text = write(&Common::default(), &entries);
        assert!(text.ends_with(b"abababababababababababababababab 08080808080808080808080808080808 stale\n"));
        assert_eq!(read(&text).unwrap(), entries);
        assert_eq!(read(b"").unwrap(), []);
        let common = Common::of(["0123456789abcdef", "fedcba9876543210"].into_iter()).unwrap();
        let text = write(&common, &entries);
        assert_eq!((read(&text).unwrap(), read_common(&text).unwrap()), (entries, common));
        assert!(read_common(b"! 12\n").is_none());
    }

    #[test]
    fn what_is_cut_short_or_out_of_order_is_not_taken_for_a_manifest() {
        let text = write(&Common::default(), &[entry(1, 9), entry(2, 9)]);
        assert!(read(&text[..text.len() - 9]).is_none());
        assert!(read(&write(&Common::default(), &[entry(2, 9), entry(1, 9)])).is_none());
        assert!(read(&write(&Common::default(), &[entry(1, 9), entry(1, 9)])).is_none());
    }

    #[test]
    fn a_load_that_is_given_up_leaves_only_what_it_did_not_touch_certain() {
        let accepted = [entry(1, 1), entry(2, 2), entry(3, 3)];
        let pending = [entry(1, 1), entry(2, 20), entry(4, 4)];
        let unknown = |record| Entry { hash: UNKNOWN, ..entry(record, 0) };
        assert_eq!(doubt(&accepted, &pending), [entry(1, 1), unknown(2), unknown(3), unknown(4)]);
    }
}
