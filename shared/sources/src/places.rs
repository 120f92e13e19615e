//! Addresses as systems write them: over several lines, in several columns, with the postcode inside, or as an object
//! of named parts.

use crate::{cells::single_spaced, names::is_placeholder};
use fc_model::Postcode;

/// Named parts of an address in the Standard Safeguarding Dataset, in the order in which people write them.
const NAMED_PARTS: [&str; 8] = ["ROOM", "FLOOR", "FLAT", "BUILDING", "HOUSE", "STREET", "LOCALITY", "TOWN"];

/// An address taken apart: lines without the postcode, and the postcode if one stood inside.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) lines: Vec<String>,
    pub(crate) postcode: Option<Postcode>,
    pub(crate) uprn: Option<String>,
    /// Whether it said that no address is known.
    pub(crate) placeholder: bool,
}

pub(crate) fn place(text: &str) -> Place {
    if text.starts_with('{')
        && let Ok(serde_json::Value::Object(parts)) = serde_json::from_str::<serde_json::Value>(text)
    {
        let part = |name: &str| {
            let value = parts.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(text.trim().to_owned()).filter(|text| !text.is_empty() && text != "null")
        };
        let lines: Vec<String> = NAMED_PARTS.iter().filter_map(|name| part(name)).collect();
        return Place {
            uprn: part("UPRN"),
            postcode: part("POSTCODE").and_then(|text| Postcode::parse(&text).ok()),
            ..place(&lines.join(", "))
        };
    }
    let mut lines: Vec<String> = text
        .split([',', '\n'])
        .map(|line| single_spaced(line.trim().to_owned()))
        .filter(|line| !line.is_empty())
        .collect();
    let mut postcode = None;
    // The postcode is the end of one of the last lines: "Kelby LN4 8AL", "LN108RG", "LN4 8AL."
    for index in (0..lines.len()).rev() {
        if let Some((rest, found)) = postcode_at_end(&lines[index]) {
            postcode = Some(found);
            if rest.is_empty() {
                lines.remove(index);
            } else {
                lines[index] = rest;
            }
            break;
        }
    }
    let placeholder = !lines.is_empty() && lines.iter().all(|line| is_placeholder(line) || is_no_address(line));
    if placeholder {
        lines.clear();
    }
    Place { lines: with_numbers_joined(lines), postcode, uprn: None, placeholder }
}

fn is_no_address(line: &str) -> bool {
    matches!(
        fc_model::fold::joined(line).as_str(),
        "address unknown" | "address not known" | "no address" | "unknown address" | "address withheld"
    )
}

/// `83`, `Castle Crescent` in two columns is one line.
fn with_numbers_joined(lines: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(lines.len());
    let mut number: Option<String> = None;
    for line in lines {
        let line = match number.take() {
            Some(number) => format!("{number} {line}"),
            None => line,
        };
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let house_number =
            digits > 0 && line.len() - digits <= 1 && line[digits..].bytes().all(|b| b.is_ascii_alphabetic());
        if house_number {
            number = Some(line);
        } else {
            out.push(line);
        }
    }
    out.extend(number);
    out
}

fn postcode_at_end(line: &str) -> Option<(String, Postcode)> {
    let words: Vec<&str> = line.trim_end_matches(['.', ';']).split(' ').collect();
    [2, 1].into_iter().filter(|n| *n <= words.len()).find_map(|n| {
        let (rest, code) = words.split_at(words.len() - n);
        // "1 LN108RG" would read as a postcode too many: each word must be able to be a half, or the one the whole.
        let halves = n == 1 || (code[1].len() == 3 && code[0].len() <= 4);
        let postcode = Postcode::parse(&code.concat()).ok().filter(|_| halves)?;
        Some((rest.join(" "), postcode))
    })
}

/// A postcode in a cell of its own.
pub(crate) fn postcode(text: &str) -> Result<Postcode, fc_model::InvalidIdentifier> {
    Postcode::parse(text.trim_matches(['.', ',', ';', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<String>) {
        let place = place(text);
        (place.lines.join("/"), place.postcode.map(|p| p.as_str().to_owned()))
    }

    #[test]
    fn a_postcode_inside_an_address_is_found() {
        for text in [
            "58 Coniston Pl, Kelby, LN4 8AL",
            "58 Coniston Pl, Kelby, LN48AL.",
            "58 Coniston Pl\nKelby LN4 8AL",
            "58, Coniston Pl, Kelby, ln4 8al",
        ] {
            assert_eq!(read(text), ("58 Coniston Pl/Kelby".into(), Some("LN4 8AL".into())), "{text}");
        }
        assert_eq!(read("Flat 3, 9 Beech Drive, Fenchester"), ("Flat 3/9 Beech Drive/Fenchester".into(), None));
    }

    #[test]
    fn an_unknown_address_is_none_and_no_fixed_abode_is_told() {
        assert!(place("UNKNOWN").placeholder);
        assert_eq!(read("Not known, Unknown"), (String::new(), None));
        assert_eq!(read("No fixed abode").0, "No fixed abode");
    }

    #[test]
    fn named_parts_make_an_address() {
        let text = r#"{"ROOM": "", "FLAT": "Flat 2", "HOUSE": "69", "STREET": "Hillside Lane", "TOWN": "Easthaven", "UPRN": 100030727321}"#;
        assert_eq!(read(text).0, "Flat 2/69 Hillside Lane/Easthaven");
        assert_eq!(place(text).uprn.as_deref(), Some("100030727321"));
    }
}
