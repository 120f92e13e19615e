//! Blocking keys: the few texts under which a record is filed, so that it meets the records worth comparing and no others.

use crate::Standard;

/// The record's blocking keys, in plain text: hash them before they are stored. No key twice, at most [`MOST_KEYS`].
#[must_use]
pub fn blocking_keys(record: &Standard) -> Vec<String> {
    let _ = record;
    Vec::new()
}

/// The most keys a record is filed under.
pub const MOST_KEYS: usize = 12;
