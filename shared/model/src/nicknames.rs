//! Nicknames: which forenames are forms of one another. Bob is Robert, Gosia is Malgorzata, Md is Mohammed.
//!
//! The list is ours (`data/nicknames.csv`). A form may belong to several names: Charlie is Charles or Charlotte.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::OnceLock,
};

static DATA: &str = include_str!("../data/nicknames.csv");

/// The form that stands for a folded forename and all its nicknames and spellings; the name itself when none is known.
/// Of several, the first in the list.
#[must_use]
pub fn root(forename: &str) -> &str {
    roots(forename).first().copied().unwrap_or(forename)
}

/// Every name that a folded forename may be a form of, itself first when it is one of them; empty when the list does not
/// know it.
#[must_use]
pub fn roots(forename: &str) -> &'static [&'static str] {
    static CLASSES: OnceLock<Classes> = OnceLock::new();
    CLASSES.get_or_init(read).get(forename).map_or(&[], Vec::as_slice)
}

/// Every form with the names it may stand for. Matching asks for two of them in nearly every comparison, and the keys are
/// ours, so that a short hash serves better than one that withstands attack.
type Classes = HashMap<&'static str, Vec<&'static str>, BuildHasherDefault<ShortHash>>;

/// Fowler, Noll and Vo's hash, 1a.
struct ShortHash(u64);

impl Default for ShortHash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for ShortHash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn read() -> Classes {
    let mut classes = Classes::default();
    let lines = || DATA.lines().filter(|line| !line.starts_with('#'));
    // A root stands for itself first, so that `root` of a root is itself.
    for root in lines().filter_map(|line| line.split(',').next()).filter(|root| !root.is_empty()) {
        classes.entry(root).or_default().push(root);
    }
    for line in lines() {
        let mut forms = line.split(',');
        let Some(root) = forms.next() else { continue };
        for form in forms {
            let roots = classes.entry(form).or_default();
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bob_is_robert_and_gosia_is_malgorzata() {
        assert_eq!(root("bob"), root("robert"));
        assert_eq!(root("gosia"), root("malgorzata"));
        for spelling in ["mohammed", "muhammad", "mohamed", "md", "mohamud"] {
            assert_eq!(root(spelling), "mohammed", "{spelling}");
        }
    }

    #[test]
    fn charlie_may_be_charles_or_charlotte() {
        assert!(roots("charlie").contains(&"charles") && roots("charlie").contains(&"charlotte"));
        assert_ne!(root("charles"), root("charlotte"));
    }

    #[test]
    fn an_unlisted_name_stands_for_itself() {
        assert_eq!(root("zephyrine"), "zephyrine");
        assert!(roots("zephyrine").is_empty());
        assert_eq!(root(""), "");
    }

    #[test]
    fn the_root_of_a_root_is_itself() {
        for line in DATA.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            for form in line.split(',') {
                assert_eq!(root(root(form)), root(form), "{form}");
                assert!(form.bytes().all(|b| b.is_ascii_lowercase()), "{form} is folded");
            }
        }
    }
}
