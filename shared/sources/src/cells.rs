//! What is in a cell, once typing and spreadsheets are taken out of it. Repairs only what can mean one thing.

use crate::workbook::LINE_BREAK;
use std::borrow::Cow;

/// What a spreadsheet takes for the beginning of a formula: the signs, and those that some take for them, full-width, small
/// and the minus of mathematics.
const FORMULA_SIGNS: [char; 13] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−'];

/// Whether a spreadsheet may run a text, also when it first takes away what cannot be seen. [`Mend`](crate::Mend) puts an
/// apostrophe before it.
pub(crate) fn is_active(text: &str) -> bool {
    let unseen = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    text.starts_with(['\t', '\r', '\n']) || text.trim_start_matches(unseen).starts_with(FORMULA_SIGNS)
}

/// Trims a cell, and takes out what no value has: zero bytes, control characters, no-break spaces, the `="..."` that keeps
/// a spreadsheet from reading a number, and the apostrophe that keeps it from reading a formula. Line breaks stay when `lines` asks for them.
pub(crate) fn cleaned(text: &str, lines: bool) -> String {
    let text = text.trim();
    let text = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_text = |rest: &&str| is_active(rest) || rest.starts_with(|c: char| c.is_ascii_digit());
    let text = text.strip_prefix('\'').filter(is_text).unwrap_or(text);
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return text.trim().to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | LINE_BREAK if lines => out.push('\n'),
            '\r' | '\n' | LINE_BREAK | '\t' | '\u{a0}' | '\u{2007}' | '\u{202f}' => out.push(' '),
            '\u{feff}' | '\u{200b}' | '\u{fffd}' => {}
            // Marks that nobody sees: a soft hyphen, joiners, directions.
            '\u{ad}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    let trimmed = out.trim();
    if trimmed.len() == out.len() { out } else { trimmed.to_owned() }
}

/// A text with single spaces between its words and none around them.
pub(crate) fn single_spaced(text: String) -> String {
    let plain = text.bytes().all(|b| matches!(b, b' '..=b'~'));
    if plain && !text.contains("  ") && !text.starts_with(' ') && !text.ends_with(' ') {
        return text;
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What systems export instead of nothing: the Standard Safeguarding Dataset's own placeholder among them.
pub(crate) fn is_no_value(text: &str) -> bool {
    matches!(text, "" | "NULL" | "(null)" | "null" | "NaN" | "nan" | "-" | "--" | "N/A" | "n/a")
        || is_error_value(text)
        || is_dataset_placeholder(text)
}

/// Whether a spreadsheet wrote an error instead of a value: `#N/A`, `#REF!`, `#GETTING_DATA`, `########`, `Err:502`.
pub(crate) fn is_error_value(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('#') {
        let letters = |c: char| c.is_ascii_uppercase() || matches!(c, '/' | '_' | '!' | '?' | '0');
        return rest.len() > 1
            && (rest.bytes().all(|b| b == b'#') || rest.contains(char::is_alphabetic) && rest.chars().all(letters));
    }
    text.strip_prefix("Err:").is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a cell is what the Standard Safeguarding Dataset's scripts write for a column they cannot fill: `SSD_PH`,
/// `SSD_PH01`, `ssd-ph`.
pub(crate) fn is_dataset_placeholder(text: &str) -> bool {
    let start = text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("ssd"));
    start && folded_header(text).strip_prefix("ssdph").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
}

/// A number that a spreadsheet wrote as `1234.0` is `1234`.
pub(crate) fn without_decimals(text: &str) -> Cow<'_, str> {
    match text.split_once('.') {
        Some((whole, zeros))
            if !whole.is_empty()
                && !zeros.is_empty()
                && whole.bytes().all(|b| b.is_ascii_digit())
                && zeros.bytes().all(|b| b == b'0') =>
        {
            Cow::Owned(whole.to_owned())
        }
        _ => Cow::Borrowed(text),
    }
}

/// Whether a spreadsheet wrote a long number as `4.86E+09`: its digits are lost.
pub(crate) fn has_lost_digits(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['E', 'e']) else { return false };
    let Some(power) = power.strip_prefix('+') else { return false };
    !power.is_empty()
        && power.bytes().all(|b| b.is_ascii_digit())
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Yes or no, as systems write it.
pub(crate) fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "y" | "yes" | "true" | "t" | "1" => Some(true),
        "n" | "no" | "false" | "f" | "0" | "" => Some(false),
        _ => None,
    }
}

/// A header as it is compared: letters and digits only, in lower case.
pub(crate) fn folded_header(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Words of a line that ends a report rather than tells of a person: "Total records: 772", "(772 rows affected)".
const TOTALS_WORDS: [&str; 19] = [
    "s", "returned", "total", "totals", "grand", "record", "records", "row", "rows", "count", "number", "of",
    "affected", "selected", "end", "file", "report", "people", "for",
];

/// Whether a row's non-empty cells are a totals line: at most three, the first made of such words and numbers alone.
pub(crate) fn is_totals_line(filled: &[&str]) -> bool {
    let Some(first) = filled.first() else { return false };
    let tokens = fc_model::fold::tokens(first);
    filled.len() <= 3
        && tokens
            .iter()
            .all(|token| TOTALS_WORDS.contains(&token.as_str()) || token.bytes().all(|b| b.is_ascii_digit()))
        && tokens
            .iter()
            .any(|token| matches!(token.as_str(), "total" | "totals" | "records" | "row" | "rows" | "count" | "end"))
        && filled[1..].iter().all(|cell| {
            cell.chars().all(|c| c.is_ascii_digit() || " ,.".contains(c)) || is_totals_line(&[cell]) || is_count(cell)
        })
}

/// How a line begins that a report puts under or between its rows.
const FOOTERS: [&str; 33] = [
    "printed by",
    "printed on",
    "printed at",
    "print date",
    "report run",
    "report generated",
    "report produced",
    "report printed",
    "report date",
    "report created",
    "report by",
    "report name",
    "run date",
    "run by",
    "run on",
    "run at",
    "generated by",
    "generated on",
    "generated at",
    "produced by",
    "produced on",
    "exported by",
    "exported on",
    "export date",
    "extracted by",
    "extracted on",
    "extract date",
    "created on",
    "copyright",
    "end of report",
    "end of file",
    "end of extract",
    "official sensitive",
];

/// Whether a row's non-empty cells are a line that a report ends with: "Printed by: J Doe", "Page 1 of 3", "© 2026". The
/// first says so, and most of the others are empty.
pub(crate) fn is_footer(filled: &[&str], columns: usize) -> bool {
    let Some(first) = filled.first() else { return false };
    let few = filled.len() <= 3 && (filled.len() == 1 || filled.len() < columns);
    let tokens = fc_model::fold::tokens(first);
    let said = tokens.join(" ");
    let is_number = |token: Option<&String>| token.is_some_and(|token| token.bytes().all(|b| b.is_ascii_digit()));
    let page = tokens.first().is_some_and(|token| token == "page")
        && is_number(tokens.get(1))
        && (tokens.len() == 2
            || (tokens.get(2).is_some_and(|of| of == "of") && is_number(tokens.get(3)) && tokens.len() == 4));
    let begins =
        |footer: &&str| said.strip_prefix(*footer).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    few && (page || first.starts_with('©') || FOOTERS.iter().any(begins))
}

/// Whether a cell is a number and what it counts: "100 people".
fn is_count(cell: &str) -> bool {
    let tokens = fc_model::fold::tokens(cell);
    tokens.split_first().is_some_and(|(number, words)| {
        number.bytes().all(|b| b.is_ascii_digit())
            && !words.is_empty()
            && words.iter().all(|word| TOTALS_WORDS.contains(&word.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_did_is_undone_only_where_it_can_mean_one_thing() {
        assert_eq!(without_decimals("1234.0"), "1234");
        assert_eq!(without_decimals("1234.5"), "1234.5");
        assert_eq!(cleaned("=\"00123\"", false), "00123");
        assert!(has_lost_digits("4.86E+09"));
        assert!(!has_lost_digits("E17"));
        assert!(!has_lost_digits("12E4"), "a house number, or an id");
    }

    #[test]
    fn words_are_one_space_apart() {
        for text in ["12 High Street", " 12  High\tStreet ", "12\u{a0}High\u{2003}Street", "\n12 High Street"] {
            assert_eq!(single_spaced(text.to_owned()), "12 High Street", "{text:?}");
        }
        assert_eq!(single_spaced("  ".to_owned()), "");
    }

    #[test]
    fn zero_bytes_and_no_break_spaces_go() {
        assert_eq!(cleaned("\u{a0}Sm\0ith \r\n", false), "Smith");
        assert_eq!(cleaned("1 High Street\r\nKelby", true), "1 High Street \nKelby");
    }

    #[test]
    fn a_totals_line_is_no_person_and_a_person_is_no_totals_line() {
        for line in [
            &["Total", "772"][..],
            &["Total records: 772"],
            &["(772 rows affected)"],
            &["End of report"],
            &["Grand total", "Records", "9"],
            &["Total", "100 people"],
        ] {
            assert!(is_totals_line(line), "{line:?}");
        }
        for line in [
            &["Total", "Jane"][..],
            &["Total", "100 Janes"],
            &["P1", "100 people"],
            &["P1", "P2"],
            &["123"],
            &["H1", "Count", "3"],
            &["total", "1", "2", "3"],
            &[],
        ] {
            assert!(!is_totals_line(line), "{line:?}");
        }
    }
}
