//! Dates as systems know them: whole, partly known, expected, or a placeholder.

use crate::redact::redacted_debug;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A date of which the day, or the day and the month, may be unknown. Written `2015`, `2015-03` or `2015-03-02`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartialDate {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
}

/// A text that is no date. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a date")]
pub struct InvalidDate;

impl PartialDate {
    /// A date from the parts that are known.
    ///
    /// # Errors
    /// When there is no such date, or a day without a month.
    pub fn new(year: i16, month: Option<i8>, day: Option<i8>) -> Result<Self, InvalidDate> {
        if day.is_some() && month.is_none() {
            return Err(InvalidDate);
        }
        Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).map_err(|_| InvalidDate)?;
        Ok(Self { year, month, day })
    }

    /// Reads `yyyy`, `yyyy-mm` or `yyyy-mm-dd`.
    ///
    /// # Errors
    /// When it has another shape or is no date.
    pub fn parse_iso(text: &str) -> Result<Self, InvalidDate> {
        let mut parts = text.split('-');
        let mut next = |length: usize| match parts.next() {
            None => Ok(None),
            Some(part) if part.len() == length && part.bytes().all(|b| b.is_ascii_digit()) => {
                part.parse::<i16>().map(Some).map_err(|_| InvalidDate)
            }
            Some(_) => Err(InvalidDate),
        };
        let year = next(4)?.ok_or(InvalidDate)?;
        let month = next(2)?.map(|m| m as i8);
        let day = next(2)?.map(|d| d as i8);
        if parts.next().is_some() {
            return Err(InvalidDate);
        }
        Self::new(year, month, day)
    }

    /// The year.
    #[must_use]
    pub fn year(self) -> i16 {
        self.year
    }

    /// The month, when known.
    #[must_use]
    pub fn month(self) -> Option<i8> {
        self.month
    }

    /// The day of the month, when known.
    #[must_use]
    pub fn day(self) -> Option<i8> {
        self.day
    }

    /// The whole date, when every part is known.
    #[must_use]
    pub fn whole(self) -> Option<Date> {
        Date::new(self.year, self.month?, self.day?).ok()
    }

    /// The earliest day it can be: the first of an unknown month or day.
    #[must_use]
    pub fn earliest(self) -> Date {
        Date::new(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).unwrap_or(Date::MIN)
    }

    /// Whether systems put this date in when they have none: 1 January of 1900, 1901 or 2000, or a year before 1890
    /// (product research: 01/01/1900 and 01/01/2000 are the common ones).
    #[must_use]
    pub fn is_placeholder(self) -> bool {
        let first_of_january = self.month.unwrap_or(1) == 1 && self.day.unwrap_or(1) == 1;
        let whole = self.day.is_some();
        self.year < 1890
            || (first_of_january && matches!(self.year, 1900 | 1901 | 2000))
            // The day on which computers began to count.
            || (first_of_january && whole && self.year == 1970)
            || self.year >= 2099
    }
}

impl From<Date> for PartialDate {
    fn from(date: Date) -> Self {
        Self { year: date.year(), month: Some(date.month()), day: Some(date.day()) }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if let Some(month) = self.month {
            write!(f, "-{month:02}")?;
        }
        if let Some(day) = self.day {
            write!(f, "-{day:02}")?;
        }
        Ok(())
    }
}

impl FromStr for PartialDate {
    type Err = InvalidDate;
    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        Self::parse_iso(text)
    }
}

impl TryFrom<String> for PartialDate {
    type Error = InvalidDate;
    fn try_from(text: String) -> Result<Self, InvalidDate> {
        Self::parse_iso(&text)
    }
}

impl From<PartialDate> for String {
    fn from(date: PartialDate) -> String {
        date.to_string()
    }
}

/// When someone was born or, for an unborn child, is expected to be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BirthDate {
    /// The date, as far as it is known.
    pub date: PartialDate,
    /// Whether it is the expected date of an unborn child.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expected: bool,
}

impl BirthDate {
    /// A date of birth.
    #[must_use]
    pub fn born(date: impl Into<PartialDate>) -> Self {
        Self { date: date.into(), expected: false }
    }

    /// Age in whole years on `today`: `None` while unborn, or when an unknown day or month leaves two answers.
    #[must_use]
    pub fn age_on(self, today: Date) -> Option<u16> {
        if self.expected {
            return None;
        }
        let latest = match (self.date.month, self.date.day) {
            (Some(_), Some(_)) => self.date.earliest(),
            (Some(_), None) => self.date.earliest().last_of_month(),
            _ => self.date.earliest().last_of_year(),
        };
        let oldest = whole_years(self.date.earliest(), today)?;
        let youngest = whole_years(latest, today)?;
        (oldest == youngest).then_some(oldest)
    }
}

fn whole_years(from: Date, to: Date) -> Option<u16> {
    let mut years = to.year() - from.year();
    if (to.month(), to.day()) < (from.month(), from.day()) {
        years -= 1;
    }
    u16::try_from(years).ok()
}

redacted_debug!(PartialDate, BirthDate);

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_date_may_be_partly_known() {
        for text in ["2015", "2015-03", "2015-03-02"] {
            assert_eq!(PartialDate::parse_iso(text).unwrap().to_string(), text);
        }
        for text in ["", "15", "2015-13", "2015-02-30", "2015-3-2", "2015-03-02-01", "-015"] {
            assert!(PartialDate::parse_iso(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_birthday_makes_a_child_older_on_the_day_itself() {
        let born = BirthDate::born(date(2015, 3, 2));
        assert_eq!(born.age_on(date(2026, 3, 1)), Some(10));
        assert_eq!(born.age_on(date(2026, 3, 2)), Some(11));
    }

    #[test]
    fn an_age_that_could_be_either_is_unknown() {
        let born = BirthDate::born(PartialDate::parse_iso("2015").unwrap());
        assert_eq!(born.age_on(date(2026, 6, 1)), None);
        assert_eq!(born.age_on(date(2026, 12, 31)), Some(11));
    }

    #[test]
    fn an_unborn_child_has_no_age() {
        let expected = BirthDate { date: date(2026, 1, 1).into(), expected: true };
        assert_eq!(expected.age_on(date(2026, 6, 1)), None);
    }

    #[test]
    fn placeholder_dates_are_known() {
        for text in ["1900-01-01", "2000-01-01", "1753-01-01", "9999-12-31"] {
            assert!(PartialDate::parse_iso(text).unwrap().is_placeholder(), "{text}");
        }
        assert!(!PartialDate::parse_iso("2001-01-01").unwrap().is_placeholder());
    }
}
