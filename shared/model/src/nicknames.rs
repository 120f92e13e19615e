//! Nicknames: which forenames are forms of one another.

/// The form that stands for a folded forename and all its nicknames and spellings; the name itself when none is known.
#[must_use]
pub fn root(forename: &str) -> &str {
    forename
}
