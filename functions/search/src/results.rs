//! What a search asks and what it shows.

use fc_access::{PersonLine, Refusal};
use fc_model::{CaseId, PartialDate, fold};
use fc_store::audit::Terms;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest name that is looked for; no name on record comes near it.
const LONGEST_NAME: usize = 100;

/// A search as somebody typed it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Typed {
    /// Surname. Wildcards, punctuation, accents and case do not matter.
    #[schema(example = "O'Brien")]
    pub surname: String,
    /// First name, or its beginning, or a nickname; may be left out.
    #[schema(example = "Bob")]
    pub forename: String,
    /// Date of birth as `2015-03-02`, `02/03/2015`, or the year alone; may be left out.
    #[schema(example = "2015-03-02")]
    pub date_of_birth: String,
    /// Case ID in the case management system: goes straight to the person, and the other fields do not count.
    pub case_id: String,
}

/// A search that can be made.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Surname as typed.
    pub surname: String,
    /// Forename as typed.
    pub forename: String,
    /// Date of birth, as far as given.
    pub date_of_birth: Option<PartialDate>,
    /// Case ID.
    pub case_id: Option<CaseId>,
}

macro_rules! redacted {
    ($($type:ident),+ $(,)?) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(redacted)"))
            }
        }
    )+};
}
redacted!(Typed, Query, Results, Found);

impl Query {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with how to ask instead: when there is nothing to look for, or a date is none.
    pub fn parse(typed: &Typed) -> Result<Self, Refusal> {
        let case_id = match typed.case_id.trim() {
            "" => None,
            text => Some(
                CaseId::parse(text).map_err(|_| Refusal::Invalid("That is not a case ID. Check it and try again."))?,
            ),
        };
        let date_of_birth = match typed.date_of_birth.trim() {
            "" => None,
            text => Some(date(text).ok_or(Refusal::Invalid(
                "Enter the date of birth as day, month and year, such as 02/03/2015, or the year alone, or leave it out.",
            ))?),
        };
        if typed.surname.chars().count() > LONGEST_NAME || typed.forename.chars().count() > LONGEST_NAME {
            return Err(Refusal::Invalid("That name is too long. Enter one surname and one first name."));
        }
        let has_surname = !fold::tokens(&typed.surname).is_empty();
        let has_whole_date = date_of_birth.is_some_and(|date| date.whole().is_some());
        if case_id.is_none() && !has_surname && !has_whole_date {
            let has_forename = !fold::tokens(&typed.forename).is_empty();
            return Err(Refusal::Invalid(if has_forename || date_of_birth.is_some() {
                "Enter a surname as well. A first name or a year of birth alone finds too many people."
            } else {
                "Enter a surname, a date of birth or a case ID."
            }));
        }
        Ok(Self {
            surname: typed.surname.trim().to_owned(),
            forename: typed.forename.trim().to_owned(),
            date_of_birth,
            case_id,
        })
    }

    /// As the audit trail keeps it.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms {
            surname: self.surname.clone(),
            forename: self.forename.clone(),
            date_of_birth: self.date_of_birth,
            case_id: self.case_id.clone(),
        }
    }
}

/// Reads `2015-03-02`, `2015-03`, `2015`, `02/03/2015`, `2.3.2015`, `2 3 2015` and `03/2015`. Two-digit years are not
/// guessed at.
fn date(text: &str) -> Option<PartialDate> {
    if let Ok(date) = PartialDate::parse_iso(text) {
        return Some(date);
    }
    let parts: Vec<i16> =
        text.split(['/', '.', ' ', '-']).map(|part| part.parse().ok().filter(|n| *n > 0)).collect::<Option<_>>()?;
    let small = |n: i16| i8::try_from(n).ok();
    match parts[..] {
        [day, month, year] if year >= 1000 => PartialDate::new(year, Some(small(month)?), Some(small(day)?)).ok(),
        [month, year] if year >= 1000 => PartialDate::new(year, Some(small(month)?), None).ok(),
        _ => None,
    }
}

/// What a search found.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct Results {
    /// The people found, best first, the youngest first within equally good matches.
    pub people: Vec<Found>,
    /// Whether more people match than are shown.
    pub more: bool,
    /// What to do when there are more, or none; empty otherwise.
    pub message: String,
    /// The person to go straight to: a case ID names one.
    pub straight_to: Option<String>,
    /// "Some records are protected and never shown here."
    pub protected_words: String,
}

/// A person found.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct Found {
    /// Who.
    #[serde(flatten)]
    pub person: PersonLine,
    /// The name that matched, when it is not the one shown: `Former name: Maya Bell`.
    pub matched_by: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(surname: &str, forename: &str, date_of_birth: &str, case_id: &str) -> Typed {
        Typed {
            surname: surname.into(),
            forename: forename.into(),
            date_of_birth: date_of_birth.into(),
            case_id: case_id.into(),
        }
    }

    fn says(refused: Result<Query, Refusal>) -> String {
        refused.unwrap_err().to_string()
    }

    #[test]
    fn a_surname_a_whole_date_or_a_case_id_is_enough() {
        for enough in [typed("Smith", "", "", ""), typed("", "", "2015-03-02", ""), typed("", "", "", "C-1")] {
            assert!(Query::parse(&enough).is_ok());
        }
    }

    #[test]
    fn an_empty_search_says_what_to_enter() {
        for empty in [Typed::default(), typed(" ", "", "", " "), typed("*%", "-", "", "")] {
            assert_eq!(says(Query::parse(&empty)), "Enter a surname, a date of birth or a case ID.");
        }
        assert!(says(Query::parse(&typed("", "Amy", "", ""))).starts_with("Enter a surname as well."));
        assert!(says(Query::parse(&typed("", "", "2015", ""))).starts_with("Enter a surname as well."));
    }

    #[test]
    fn a_date_of_birth_is_read_the_ways_people_write_it() {
        let read =
            |text: &str| Query::parse(&typed("Smith", "", text, "")).map(|q| q.date_of_birth.unwrap().to_string());
        for text in ["2015-03-02", "02/03/2015", "2/3/2015", "2.3.2015", "02 03 2015", "02-03-2015"] {
            assert_eq!(read(text).unwrap(), "2015-03-02", "{text}");
        }
        assert_eq!(read("2015").unwrap(), "2015");
        assert_eq!(read("3/2015").unwrap(), "2015-03");
        for text in ["yesterday", "31/02/2015", "02/03/15", "-1/2/2015", "99999"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_as_long_as_a_page_is_refused() {
        assert!(says(Query::parse(&typed(&"x".repeat(101), "", "", ""))).contains("too long"));
    }
}
