//! Names not to be shown: a former name after an adoption or a change of gender (Gender Recognition Act 2004 section 22).
//!
//! A source marks one form of a name, and other sources write the same name otherwise: with a middle name, with a hyphen,
//! joined with the new surname, as an alias. So what is secret is not that form but its words, as far as the source that
//! marks them does not use them in the name it shows.

use fc_model::{Name, NameKind, nicknames};
use std::collections::BTreeSet;

/// Words this short are no sign of a name: initials and particles.
const SHORT: usize = 2;
/// From this length on, a word within a longer one, or a letter away from another, is taken for it.
const LONG: usize = 5;

/// The secret words of one person.
#[derive(Default)]
pub(crate) struct Secret {
    words: BTreeSet<String>,
    /// Words of the names that go on being shown.
    open: BTreeSet<String>,
    /// Forms that are secret although each of their words is open: the same words in another order.
    forms: BTreeSet<(Vec<String>, Vec<String>)>,
}

impl Secret {
    /// What is secret of a person, by the names that each record states.
    pub(crate) fn of<'n>(records: impl Iterator<Item = &'n [Name]>) -> Self {
        let mut secret = Self::default();
        for names in records.filter(|names| names.iter().any(|name| name.not_to_be_shown)) {
            let is_open =
                |name: &&Name| !name.not_to_be_shown && matches!(name.kind, NameKind::Current | NameKind::Preferred);
            let open: BTreeSet<String> = names.iter().filter(is_open).flat_map(words).collect();
            for hidden in names.iter().filter(|name| name.not_to_be_shown) {
                secret.forms.insert((hidden.forename_tokens(), hidden.surname_tokens()));
                let own: Vec<String> = words(hidden).filter(|word| !open.contains(word)).collect();
                let is_all_short = own.iter().all(|word| is_short(word));
                secret.words.extend(own.into_iter().filter(|word| is_all_short || !is_short(word)));
            }
            secret.open.extend(open);
        }
        secret.open.retain(|word| !secret.words.contains(word));
        secret
    }

    /// Whether a name is a form of one that must not be shown.
    pub(crate) fn covers(&self, name: &Name) -> bool {
        if name.not_to_be_shown || self.forms.contains(&(name.forename_tokens(), name.surname_tokens())) {
            return true;
        }
        if self.words.is_empty() {
            return false;
        }
        let all: Vec<String> = words(name).collect();
        let run_together = all.windows(2).map(<[String]>::concat);
        let whole = [name.forename_tokens().concat(), name.surname_tokens().concat()];
        all.iter().cloned().chain(run_together).chain(whole).any(|word| self.tells(&word))
    }

    fn tells(&self, word: &str) -> bool {
        !self.open.contains(word) && self.words.iter().any(|secret| is_form(word, secret))
    }
}

fn words(name: &Name) -> impl Iterator<Item = String> {
    // The whole surname too, so that "Bell-weather" covers "Bellweather".
    let (forenames, surnames) = (name.forename_tokens(), name.surname_tokens());
    let whole = (surnames.len() > 1).then(|| surnames.concat());
    forenames.into_iter().chain(surnames).chain(whole)
}

fn is_short(word: &str) -> bool {
    word.chars().count() <= SHORT
}

fn is_form(word: &str, secret: &str) -> bool {
    let is_long = |word: &str| word.chars().count() >= LONG;
    nicknames::root(word) == nicknames::root(secret)
        || secret.starts_with(word)
        || (is_long(secret) && (word.contains(secret) || strsim::osa_distance(word, secret) <= 1))
        || (is_long(word) && secret.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(forenames: &[&str], surname: &str) -> Name {
        let name = Name::current(forenames.iter().copied(), surname);
        Name { kind: NameKind::Former, not_to_be_shown: true, ..name }
    }

    fn covered(record: &[Name], forenames: &[&str], surname: &str) -> bool {
        Secret::of([record].into_iter()).covers(&Name::current(forenames.iter().copied(), surname))
    }

    #[test]
    fn every_form_of_a_hidden_surname_is_hidden() {
        let record = [Name::current(["Maya"], "Okafor"), hidden(&["Maya"], "Bellweather")];
        for (forenames, surname) in [
            (&["Maya"][..], "Bellweather"),
            (&["Maya", "Rose"], "Bellweather"),
            (&["Maya"], "Bell-weather"),
            (&["Maya"], "Bell Weather"),
            (&["Maya"], "Bellweather-Okafor"),
            (&["Maya"], "Okafor Bellweather"),
            (&["Maya"], "Okaforbellweather"),
            (&["Maya"], "Belweather"),
            (&["Maya"], "BELLWEATHER"),
            (&["M"], "Bellweather"),
            (&["Bellweather"], "Maya"),
            (&["Maya", "was", "Bellweather"], "Okafor"),
            (&["Maya", "Bellweather"], "Okafor"),
        ] {
            assert!(covered(&record, forenames, surname), "{forenames:?} {surname}");
        }
        for (forenames, surname) in
            [(&["Maya"][..], "Okafor"), (&["Maya", "Rose"], "Okafor"), (&["May"], "Okafor-Jones")]
        {
            assert!(!covered(&record, forenames, surname), "{forenames:?} {surname}");
        }
    }

    #[test]
    fn a_hidden_forename_hides_its_nicknames_and_no_shared_surname() {
        let record = [Name::current(["Alex"], "Whitfield"), hidden(&["Joanna"], "Whitfield")];
        for forenames in
            [&["Joanna"][..], &["Jo"], &["Joanna", "Mary"], &["Alex", "Joanna"], &["Alex", "formerly", "Joanna"]]
        {
            assert!(covered(&record, forenames, "Whitfield"), "{forenames:?}");
        }
        assert!(!covered(&record, &["Alex"], "Whitfield"));
        assert!(!covered(&record, &["Alexander"], "Whitfield"));
    }

    #[test]
    fn a_hidden_name_of_words_still_in_use_hides_that_form_alone() {
        let record = [Name::current(["Lee"], "James"), hidden(&["James"], "Lee")];
        assert!(covered(&record, &["James"], "Lee"));
        assert!(!covered(&record, &["Lee"], "James"));
    }

    #[test]
    fn a_new_name_a_letter_from_the_old_one_is_shown() {
        let record = [Name::current(["Maya"], "Belton"), hidden(&["Maya"], "Melton")];
        assert!(!covered(&record, &["Maya"], "Belton"));
        assert!(covered(&record, &["Maya"], "Melton"));
    }

    #[test]
    fn where_nothing_is_marked_nothing_is_hidden() {
        let record = [Name::current(["Maya"], "Okafor")];
        assert!(!covered(&record, &["Maya"], "Bellweather"));
    }
}
