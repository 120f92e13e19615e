//! Dates as a source declares them: `dd/mm/yyyy`, `dd-Mon-yy`, `yyyymmdd`, never guessed row by row.

use fc_model::{Date, PartialDate};
use jiff::ToSpan;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Oldest age a two-digit year may mean for someone alive in the records; also the oldest birth date we believe.
pub(crate) const OLDEST_AGE: i16 = 115;

/// How far ahead a two-digit year may lie when it is not a birth: the end of a tenancy or an order.
const YEARS_AHEAD: i16 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Day,
    Month,
    MonthName,
    Year,
    ShortYear,
    Sign(char),
    /// A spreadsheet's number of a day, which says all three.
    Serial,
}

/// A declared date format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateFormat {
    parts: Vec<Part>,
    separated: bool,
}

/// What a date is of, which decides how a two-digit year is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// A birth or a death: never long in the future.
    Past,
    /// Anything else.
    Any,
}

impl DateFormat {
    /// As workbooks' dates are written on reading them.
    pub(crate) fn iso() -> Self {
        use Part::{Day, Month, Sign, Year};
        Self { parts: vec![Year, Sign('-'), Month, Sign('-'), Day], separated: true }
    }

    /// Days as spreadsheets count them.
    pub(crate) fn serial() -> Self {
        Self { parts: vec![Part::Serial], separated: false }
    }

    /// Reads a format: `dd`, `mm`, `Mon` (a month's name), `yyyy`, `yy` and the signs between them; or `serial`, the number
    /// that a spreadsheet keeps of a day.
    ///
    /// # Errors
    /// When it has no year, a part twice, or a letter of no part.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.trim() == "serial" {
            return Ok(Self::serial());
        }
        let mut parts = Vec::new();
        let mut rest = text.trim();
        while let Some(first) = rest.chars().next() {
            let known = [
                ("yyyy", Part::Year),
                ("YYYY", Part::Year),
                ("yy", Part::ShortYear),
                ("YY", Part::ShortYear),
                ("Mon", Part::MonthName),
                ("mmm", Part::MonthName),
                ("MMM", Part::MonthName),
                ("mm", Part::Month),
                ("MM", Part::Month),
                ("dd", Part::Day),
                ("DD", Part::Day),
            ];
            match known.iter().find(|(word, _)| rest.starts_with(word)) {
                Some((word, part)) => {
                    parts.push(*part);
                    rest = &rest[word.len()..];
                }
                None if first.is_alphanumeric() => return Err("has a letter that stands for nothing"),
                None => {
                    parts.push(Part::Sign(first));
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        let count = |wanted: &[Part]| parts.iter().filter(|part| wanted.contains(part)).count();
        if count(&[Part::Year, Part::ShortYear]) != 1 {
            return Err("needs the year once");
        }
        if count(&[Part::Month, Part::MonthName]) > 1 || count(&[Part::Day]) > 1 {
            return Err("has a part twice");
        }
        if count(&[Part::Day]) == 1 && count(&[Part::Month, Part::MonthName]) == 0 {
            return Err("has a day but no month");
        }
        let separated = parts.iter().any(|part| matches!(part, Part::Sign(_)));
        Ok(Self { parts, separated })
    }

    /// Writes a date as this format says.
    pub(crate) fn write(&self, date: Date) -> String {
        let part = |part: &Part| match part {
            Part::Day => format!("{:02}", date.day()),
            Part::Month => format!("{:02}", date.month()),
            Part::MonthName => month_name(date)[..3].to_owned(),
            Part::Year => format!("{:04}", date.year()),
            Part::ShortYear => format!("{:02}", date.year() % 100),
            Part::Sign(sign) => sign.to_string(),
            Part::Serial => {
                let days = date.since(Date::constant(1899, 12, 30)).map(|span| span.get_days());
                days.unwrap_or_default().to_string()
            }
        };
        self.parts.iter().map(part).collect()
    }

    /// Reads a date of this format; a time of day after it is ignored.
    pub(crate) fn read(&self, text: &str, of: Of, today: Date) -> Option<PartialDate> {
        let mut rest = text.trim();
        let (mut year, mut short, mut month, mut day) = (0_i16, None, None, None);
        for part in &self.parts {
            match part {
                Part::Serial => {
                    return serial_day(rest)
                        .and_then(|day| PartialDate::new(day.year(), Some(day.month()), Some(day.day())).ok());
                }
                Part::Sign(sign) => rest = rest.strip_prefix(*sign)?,
                Part::Year => (year, rest) = digits(rest, 4, 4)?,
                Part::ShortYear => {
                    let (number, after) = digits(rest, 2, 2)?;
                    (short, rest) = (Some(number), after);
                }
                Part::Month => {
                    let (number, after) = digits(rest, if self.separated { 1 } else { 2 }, 2)?;
                    (month, rest) = (Some(number as i8), after);
                }
                Part::Day => {
                    let (number, after) = digits(rest, if self.separated { 1 } else { 2 }, 2)?;
                    (day, rest) = (Some(number as i8), after);
                }
                Part::MonthName => {
                    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
                    let name = rest[..end].to_ascii_lowercase();
                    let number = MONTHS.iter().position(|full| {
                        name.len() >= 3 && (full.starts_with(&name) || (name == "sept" && *full == "september"))
                    })?;
                    month = Some(number as i8 + 1);
                    rest = &rest[end..];
                }
            }
        }
        if !is_time_of_day(rest) {
            return None;
        }
        if let Some(short) = short {
            year = full_year(short, month, day, of, today);
        }
        PartialDate::new(year, month, day).ok()
    }
}

/// The day of a spreadsheet's number, 1 being 1 January 1900. The time of day behind the point is ignored. Spreadsheets
/// count a 29 February 1900 that never was.
fn serial_day(text: &str) -> Option<Date> {
    let (days, time) = text.split_once('.').unwrap_or((text, ""));
    let numeric = (1..=6).contains(&days.len()) && days.bytes().chain(time.bytes()).all(|byte| byte.is_ascii_digit());
    let days: i32 = days.parse().ok().filter(|days| numeric && *days > 0)?;
    let before = if days < 60 { Date::constant(1899, 12, 31) } else { Date::constant(1899, 12, 30) };
    before.checked_add(days.days()).ok()
}

/// The year that a two-digit one most plausibly means: the latest that is not too far ahead. Nobody is born in the
/// future, so `32` is 1932; a tenancy may end in `32`.
fn full_year(short: i16, month: Option<i8>, day: Option<i8>, of: Of, today: Date) -> i16 {
    let century = today.year() / 100 * 100;
    let latest = match of {
        // A little ahead, for the expected date of an unborn child.
        Of::Past => today.checked_add(10.months()).unwrap_or(today),
        Of::Any => Date::new(today.year() + YEARS_AHEAD, 12, 31).unwrap_or(today),
    };
    [century + 100 + short, century + short, century - 100 + short]
        .into_iter()
        .find(|year| PartialDate::new(*year, month, day).is_ok_and(|date| date.earliest() <= latest))
        .unwrap_or(century + short)
}

fn digits(text: &str, least: usize, most: usize) -> Option<(i16, &str)> {
    let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if length < least {
        return None;
    }
    Some((text[..length].parse().ok()?, &text[length..]))
}

/// Whether what follows a date is nothing, or a time such as ` 00:00`, `T00:00:00Z`, ` 12:00:00.000 AM`, `T00:00+01:00`.
fn is_time_of_day(text: &str) -> bool {
    let text = text.trim_end();
    let Some(time) = text.strip_prefix(['T', ' ', 't']) else { return text.is_empty() };
    let Some((hours, rest)) = digits(time.trim_start(), 1, 2) else { return false };
    let Some((minutes, rest)) = rest.strip_prefix(':').and_then(|rest| digits(rest, 2, 2)) else { return false };
    hours <= 24 && minutes < 60 && rest.chars().all(|c| c.is_ascii_digit() || " :.+-ZzAaPpMm".contains(c))
}

/// A date as people in the United Kingdom write it: 3 March 2026.
#[must_use]
pub fn in_words(date: Date) -> String {
    format!("{} {} {}", date.day(), month_name(date), date.year())
}

fn month_name(date: Date) -> String {
    let name = MONTHS[usize::try_from(date.month() - 1).unwrap_or_default()];
    format!("{}{}", name[..1].to_uppercase(), &name[1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn read(format: &str, text: &str, of: Of) -> Option<String> {
        DateFormat::parse(format).unwrap().read(text, of, date(2026, 3, 1)).map(|date| date.to_string())
    }

    #[test]
    fn every_declared_format_is_read() {
        for (format, text) in [
            ("dd/mm/yyyy", "07/07/2017"),
            ("dd/mm/yyyy", "7/7/2017"),
            ("dd/mm/yyyy", "07/07/2017 00:00"),
            ("yyyy-mm-dd", "2017-07-07T00:00:00Z"),
            ("yyyy-mm-dd", "2017-07-07 00:00:00.000"),
            ("yyyymmdd", "20170707"),
            ("dd-Mon-yy", "07-Jul-17"),
            ("dd-Mon-yy", "7-JULY-17"),
            ("dd.mm.yy", "07.07.17"),
            ("dd.mm.yyyy", "07.07.2017"),
        ] {
            assert_eq!(read(format, text, Of::Past).as_deref(), Some("2017-07-07"), "{format} {text}");
        }
    }

    #[test]
    fn a_date_of_another_format_is_not_guessed() {
        for (format, text) in [
            ("dd/mm/yyyy", "25-12-2010"),
            ("dd/mm/yyyy", "12/25/2010"),
            ("dd/mm/yyyy", "31/02/2010"),
            ("dd/mm/yyyy", "01/01/20101"),
            ("yyyymmdd", "2017077"),
            ("dd-Mon-yy", "07-Foo-17"),
            ("yyyy-mm-dd", "2017-07-07 sometime"),
            ("yyyy-mm-dd", ""),
        ] {
            assert_eq!(read(format, text, Of::Any), None, "{format} {text}");
        }
    }

    #[test]
    fn nobody_is_born_in_the_future_but_a_tenancy_may_end_there() {
        assert_eq!(read("dd-Mon-yy", "01-Jan-32", Of::Past).as_deref(), Some("1932-01-01"));
        assert_eq!(read("dd-Mon-yy", "01-Jan-32", Of::Any).as_deref(), Some("2032-01-01"));
        assert_eq!(read("dd-Mon-yy", "22-Feb-13", Of::Past).as_deref(), Some("2013-02-22"));
        assert_eq!(read("dd-Mon-yy", "01-Jun-26", Of::Past).as_deref(), Some("2026-06-01"), "an expected date");
        assert_eq!(read("dd-Mon-yy", "29-Feb-27", Of::Any), None, "no leap year");
    }

    #[test]
    fn a_spreadsheets_day_number_is_read_where_it_is_declared() {
        assert_eq!(read("serial", "44927", Of::Any).as_deref(), Some("2023-01-01"));
        assert_eq!(read("serial", "44927.75", Of::Any).as_deref(), Some("2023-01-01"));
        assert_eq!(read("serial", "59", Of::Any).as_deref(), Some("1900-02-28"));
        assert_eq!(read("serial", "61", Of::Any).as_deref(), Some("1900-03-01"));
        for text in ["0", "-1", "1e5", "12345678", "", "."] {
            assert_eq!(read("serial", text, Of::Any), None, "{text}");
        }
        assert_eq!(read("dd/mm/yyyy", "44927", Of::Any), None, "never guessed");
    }

    #[test]
    fn a_date_is_written_as_it_is_read() {
        for format in ["dd/mm/yyyy", "yyyy-mm-dd", "yyyymmdd", "dd-Mon-yy", "dd.mm.yy", "serial"] {
            let written = DateFormat::parse(format).unwrap().write(date(2017, 7, 7));
            assert_eq!(read(format, &written, Of::Past).as_deref(), Some("2017-07-07"), "{format} {written}");
        }
    }

    #[test]
    fn a_format_needs_a_year() {
        for format in ["dd/mm", "dd/mm/yyyy/yy", "dd/yyyy", "dd-Mon-yyyy hh", "dd/dd/mm/yyyy"] {
            assert!(DateFormat::parse(format).is_err(), "{format}");
        }
    }

    #[test]
    fn dates_are_said_as_people_say_them() {
        assert_eq!(in_words(date(2026, 3, 3)), "3 March 2026");
    }
}
