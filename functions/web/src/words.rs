//! How the templates say what the types of search and family leave to the page: the tags of flags, days, links.

use fc_family::page::FlagState;
use fc_model::Date;
use fc_sources::dates::in_words;
use std::fmt::Write;

/// What stands where a source says nothing.
const NOT_RECORDED: &str = "Not recorded";

/// Something wrong with a form, and the field to mend.
pub(crate) struct FieldError {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

/// What a flag says, in a few words. The sentence beside it says the rest.
pub(crate) fn tag(state: &FlagState) -> &'static str {
    match state {
        FlagState::Found => "Records found",
        FlagState::FoundStale => "Records found, not up to date",
        FlagState::NoRecord => "No record found",
        FlagState::NotShownAtAge => "Not shown at this age",
        FlagState::AgeUnknown => "Not shown: age not known",
        FlagState::OutsideCoverage => "Outside what we can check",
        FlagState::CannotSay => "We cannot say",
    }
}

/// Whether the sentence of a flag says more than its tag and the database beside it.
pub(crate) fn says_more(state: &FlagState) -> bool {
    *state != FlagState::Found
}

/// The colour of a tag, which says nothing that its words do not.
pub(crate) fn tone(state: &FlagState) -> &'static str {
    match state {
        FlagState::Found => "found",
        FlagState::FoundStale | FlagState::CannotSay | FlagState::OutsideCoverage => "caution",
        FlagState::NoRecord | FlagState::NotShownAtAge | FlagState::AgeUnknown => "none",
    }
}

/// A day: 3 March 2026.
pub(crate) fn day(day: &Date) -> String {
    in_words(*day)
}

/// A day, or that there is none.
pub(crate) fn day_or_not(day: &Option<Date>) -> String {
    day.map_or_else(|| NOT_RECORDED.into(), in_words)
}

/// From when to when, as far as it is known.
pub(crate) fn period(from: &Option<Date>, to: &Option<Date>) -> Option<String> {
    match (*from, *to) {
        (None, None) => None,
        (Some(from), None) => Some(format!("From {}", in_words(from))),
        (None, Some(to)) => Some(format!("Until {}", in_words(to))),
        (Some(from), Some(to)) => Some(format!("{} to {}", in_words(from), in_words(to))),
    }
}

/// Where something comes from and when it was current.
pub(crate) fn origin(source: &str, as_of: &Option<Date>) -> String {
    match as_of {
        Some(day) => format!("{source}, current on {}", in_words(*day)),
        None => source.to_owned(),
    }
}

/// The link that rings a number, if there are digits in it.
pub(crate) fn tel(number: &str) -> Option<String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("tel:{digits}"))
}

/// The link that writes to an address. An extract says what an address is, so nothing in it may become a subject, a text or
/// another recipient: only letters, digits and what stands in ordinary addresses is left as it is.
pub(crate) fn mailto(email: &str) -> String {
    email.bytes().fold("mailto:".to_owned(), |mut link, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'@' | b'.' | b'-' | b'_' | b'~' => link.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => _ = write!(link, "%{byte:02X}"),
        }
        link
    })
}

/// Sex or gender as it is recorded.
pub(crate) fn sex(sex: &Option<String>) -> String {
    let Some(sex) = sex else { return NOT_RECORDED.into() };
    let mut letters = sex.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_phone_number_is_rung_by_touching_it_however_it_is_spaced() {
        assert_eq!(tel("0161 496 0000").as_deref(), Some("tel:01614960000"));
        assert_eq!(tel("ask reception"), None);
    }

    #[test]
    fn an_address_can_add_no_subject_text_or_recipient_to_a_message() {
        assert_eq!(mailto("amira.shah-1_a~b@fenchester.gov.uk"), "mailto:amira.shah-1_a~b@fenchester.gov.uk");
        assert_eq!(mailto("o'neill+duty@a.uk"), "mailto:o%27neill%2Bduty@a.uk");
        assert_eq!(
            mailto("a@b.uk?subject=x&bcc=c@d.uk,e@f.uk;g@h.uk#i%0aj \n"),
            "mailto:a@b.uk%3Fsubject%3Dx%26bcc%3Dc@d.uk%2Ce@f.uk%3Bg@h.uk%23i%250aj%20%0A"
        );
        assert_eq!(mailto("zoë＠a.uk"), "mailto:zo%C3%AB%EF%BC%A0a.uk");
    }

    #[test]
    fn a_period_says_no_more_than_is_known() {
        let (from, to) = (Some(date(2020, 1, 2)), Some(date(2021, 3, 4)));
        assert_eq!(period(&from, &to).as_deref(), Some("2 January 2020 to 4 March 2021"));
        assert_eq!(period(&None, &to).as_deref(), Some("Until 4 March 2021"));
        assert_eq!(period(&None, &None), None);
    }

    #[test]
    fn every_state_is_told_apart_by_its_words_alone() {
        let states = [
            FlagState::Found,
            FlagState::FoundStale,
            FlagState::NoRecord,
            FlagState::NotShownAtAge,
            FlagState::AgeUnknown,
            FlagState::OutsideCoverage,
            FlagState::CannotSay,
        ];
        let words: std::collections::BTreeSet<_> = states.iter().map(tag).collect();
        assert_eq!(words.len(), states.len());
    }
}
