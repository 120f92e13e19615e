//! Names: what someone is called, was called, or is also called.

use crate::{fold, redact::redacted_debug};
use serde::{Deserialize, Serialize};

/// What kind of name this is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameKind {
    /// The name in use.
    #[default]
    Current,
    /// A forename the person prefers.
    Preferred,
    /// An earlier name: before a marriage, an adoption, a change of gender.
    Former,
    /// Another name the person goes by.
    Alias,
}

/// One name of a person. As written by the source, trimmed; compared and searched in folded form ([`fold`]).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// What kind of name.
    #[serde(default, skip_serializing_if = "is_current")]
    pub kind: NameKind,
    /// Forenames in order; may be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forenames: Vec<String>,
    /// Surname; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub surname: String,
    /// Whether this name must not be shown or named as the reason of a match (Gender Recognition Act 2004 section 22,
    /// adoption). It helps to link records, and no view or search entry has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_to_be_shown: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_current(kind: &NameKind) -> bool {
    *kind == NameKind::Current
}

redacted_debug!(Name);

impl Name {
    /// A current name.
    pub fn current<S: Into<String>>(forenames: impl IntoIterator<Item = S>, surname: impl Into<String>) -> Self {
        Self { forenames: forenames.into_iter().map(Into::into).collect(), surname: surname.into(), ..Self::default() }
    }

    /// Whether nothing is left of it once folded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forename_tokens().is_empty() && self.surname_tokens().is_empty()
    }

    /// The forenames, folded into tokens.
    #[must_use]
    pub fn forename_tokens(&self) -> Vec<String> {
        self.forenames.iter().flat_map(|name| fold::tokens(name)).collect()
    }

    /// The surname, folded into tokens: two or more when it is double-barrelled.
    #[must_use]
    pub fn surname_tokens(&self) -> Vec<String> {
        fold::tokens(&self.surname)
    }

    /// As shown on a page: forenames then surname, with the case repaired when the source wrote all capitals.
    #[must_use]
    pub fn display(&self) -> String {
        let words = self.forenames.iter().map(String::as_str).chain([self.surname.as_str()]);
        words.filter(|w| !w.is_empty()).map(title_case).collect::<Vec<_>>().join(" ")
    }
}

/// Repairs `SMITH-JONES` and `o'brien` to `Smith-Jones` and `O'Brien`; leaves mixed case as it is written.
fn title_case(word: &str) -> String {
    let has_lower = word.chars().any(char::is_lowercase);
    let has_upper = word.chars().any(char::is_uppercase);
    if has_lower && has_upper {
        return word.to_owned();
    }
    let mut start = true;
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = !c.is_alphanumeric();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_are_shown_as_people_write_names() {
        assert_eq!(Name::current(["LUCY", "ann-marie"], "O'BRIEN").display(), "Lucy Ann-Marie O'Brien");
        assert_eq!(Name::current(["Siân"], "McDonald").display(), "Siân McDonald");
        assert_eq!(Name::current(Vec::<String>::new(), "smith").display(), "Smith");
    }

    #[test]
    fn a_double_barrelled_surname_is_two_tokens() {
        assert_eq!(Name::current(["A"], "Smith-Jones").surname_tokens(), ["smith", "jones"]);
    }

    #[test]
    fn punctuation_alone_is_no_name() {
        assert!(Name::current(["-"], " * ").is_empty());
    }
}
