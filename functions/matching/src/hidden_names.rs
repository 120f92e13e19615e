//! Names not to be shown: a former name after an adoption or a change of gender (Gender Recognition Act 2004 section 22).
//!
//! A source marks one form of a name, and other sources write the same name otherwise: with a middle name, with a hyphen,
//! joined with the new surname, as an alias. So what is secret is not that form but its words, as far as the source that
//! marks them does not use them in the name it shows.

use fc_model::{Name, NameKind, fold, nicknames};
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
        for names in records {
            for hidden in names.iter().filter(|name| name.not_to_be_shown) {
                secret.forms.insert((hidden.forename_tokens(), hidden.surname_tokens()));
                let open = in_use(names, hidden).map(|name| open_words(name, hidden)).unwrap_or_default();
                let own: Vec<String> = words(hidden).filter(|word| !open.contains(word)).collect();
                let is_all_short = own.iter().all(|word| is_short(word));
                secret.words.extend(own.into_iter().filter(|word| is_all_short || !is_short(word)));
                secret.open.extend(open);
            }
        }
        let Self { words, open, .. } = &mut secret;
        open.retain(|word| !words.iter().any(|secret| word == secret || is_long(secret) && word.contains(&**secret)));
        secret
    }

    /// What is left of the name that a record uses once every secret word is gone from it: of "Bellweather-Okafor" the
    /// "Okafor". `None` when a forename or the surname is not, or when the record hides nothing.
    pub(crate) fn rest_of(&self, name: &Name, names: &[Name]) -> Option<Name> {
        let hides = || names.iter().filter(|hidden| hidden.not_to_be_shown);
        if !hides().any(|hidden| in_use(names, hidden) == Some(name)) {
            return None;
        }
        let kept = |text: &str| -> String {
            let parts = text.split([' ', '-']).filter(|part| !fold::tokens(part).iter().any(|word| self.tells(word)));
            parts.collect::<Vec<_>>().join(" ")
        };
        let forenames = name.forenames.iter().map(|forename| kept(forename)).filter(|part| !part.is_empty());
        let rest = Name { forenames: forenames.collect(), surname: kept(&name.surname), ..name.clone() };
        let is_whole = !rest.forename_tokens().is_empty() && !rest.surname_tokens().is_empty();
        (is_whole && !self.covers(&rest)).then_some(rest)
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
        let all = all.iter().cloned().chain(run_together).chain(whole);
        all.filter(|word| !word.is_empty()).any(|word| self.tells(&word))
    }

    fn tells(&self, word: &str) -> bool {
        !self.open.contains(word) && self.words.iter().any(|secret| is_form(word, secret))
    }
}

/// The name that a record uses beside a hidden one: of its current names the least like that, and of these the first.
fn in_use<'n>(names: &'n [Name], hidden: &Name) -> Option<&'n Name> {
    let secret: BTreeSet<String> = words(hidden).collect();
    let current = names.iter().filter(|name| !name.not_to_be_shown && name.kind == NameKind::Current);
    current.min_by_key(|name| words(name).filter(|word| secret.contains(word)).count())
}

/// The words of a name in use that its hidden form does not make secret. A new surname beside the old one hides the old.
fn open_words(name: &Name, hidden: &Name) -> BTreeSet<String> {
    let (new, old) = (name.surname_tokens(), hidden.surname_tokens());
    let is_joined = new.len() > old.len() && !old.is_empty() && old.iter().all(|word| new.contains(word));
    // The old one itself, with a hyphen more or less.
    let is_old = new != old && new.concat() == old.concat();
    let whole = (is_joined || is_old).then(|| new.concat());
    let is_secret = |word: &String| is_joined && old.contains(word) || is_old && new.contains(word);
    words(name).filter(|word| !is_secret(word) && Some(word) != whole.as_ref()).collect()
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

fn is_long(word: &str) -> bool {
    word.chars().count() >= LONG
}

fn is_form(word: &str, secret: &str) -> bool {
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
    fn a_second_row_under_the_old_name_and_a_preferred_old_forename_are_hidden() {
        let old = Name::current(["Maya", "Rose"], "Bellweather");
        let preferred = Name { kind: NameKind::Preferred, ..Name::current(["Joanna"], "") };
        let record =
            [old.clone(), Name::current(["Alex"], "Okafor"), preferred.clone(), hidden(&["Joanna"], "Bellweather")];
        let secret = Secret::of([&record[..]].into_iter());
        assert!(secret.covers(&old) && secret.covers(&preferred) && !secret.covers(&record[1]));
    }

    #[test]
    fn a_new_surname_beside_the_old_one_is_shown_without_the_old() {
        for (surname, rest) in [
            ("Bellweather-Okafor", Some("Maya Okafor")),
            ("Okafor Bellweather", Some("Maya Okafor")),
            ("Bellweatherokafor", None),
        ] {
            let record = [Name::current(["Maya"], surname), hidden(&["Maya"], "Bellweather")];
            let secret = Secret::of([&record[..]].into_iter());
            assert!(secret.covers(&record[0]), "{surname}");
            assert_eq!(secret.rest_of(&record[0], &record).map(|name| name.display()).as_deref(), rest, "{surname}");
        }
        let hyphened = [Name::current(["Maya"], "Bell-weather"), hidden(&["Maya"], "Bellweather")];
        let secret = Secret::of([&hyphened[..]].into_iter());
        assert!(secret.covers(&hyphened[0]) && secret.rest_of(&hyphened[0], &hyphened).is_none());
        assert!(!secret.covers(&Name::current(["Maya"], "")), "a name of one word is nobody's old name for that");
        let plain = [Name::current(["Maya"], "Okafor")];
        assert_eq!(Secret::of([&plain[..]].into_iter()).rest_of(&plain[0], &plain), None);
    }

    #[test]
    fn where_nothing_is_marked_nothing_is_hidden() {
        let record = [Name::current(["Maya"], "Okafor")];
        assert!(!covered(&record, &["Maya"], "Bellweather"));
    }
}
