//! Folding: the one form in which names are compared and found, so that accents, apostrophes, hyphens, double
//! spaces and case never matter (product research: "O'Brien" with a curly apostrophe must be found).

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Splits a name into lower-case tokens of `a`-`z`, `0`-`9` and letters of other scripts. Apostrophes join
/// (`O’Brien` is `obrien`), hyphens and spaces separate (`Smith-Jones` is `smith`, `jones`), accents go
/// (`Zoë` is `zoe`), wildcards and other signs are dropped.
#[must_use]
pub fn tokens(text: &str) -> Vec<String> {
    if text.is_ascii() {
        return ascii_tokens(text);
    }
    let mut out = Vec::new();
    let mut token = String::new();
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            '\'' | '\u{2019}' | '\u{2018}' | '\u{02BC}' | '`' | '\u{00B4}' | '\u{2032}' | '*' | '%' | '.' => {}
            'ß' => token.push_str("ss"),
            'æ' | 'Æ' => token.push_str("ae"),
            'œ' | 'Œ' => token.push_str("oe"),
            'ø' | 'Ø' => token.push('o'),
            'ł' | 'Ł' => token.push('l'),
            'đ' | 'Đ' | 'ð' | 'Ð' => token.push('d'),
            'þ' | 'Þ' => token.push_str("th"),
            'ı' => token.push('i'),
            c if c.is_alphanumeric() => token.extend(c.to_lowercase().filter(|c| !is_combining_mark(*c))),
            _ => {
                if !token.is_empty() {
                    out.push(std::mem::take(&mut token));
                }
            }
        }
    }
    if !token.is_empty() {
        out.push(token);
    }
    out
}

/// The same for plain letters, as nearly all cells are: nothing to take apart, nothing to look up.
fn ascii_tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut token = String::new();
    for byte in text.bytes() {
        match byte {
            b'\'' | b'`' | b'*' | b'%' | b'.' => {}
            byte if byte.is_ascii_alphanumeric() => {
                if token.is_empty() {
                    token.reserve(text.len().min(16));
                }
                token.push(char::from(byte.to_ascii_lowercase()));
            }
            _ if token.is_empty() => {}
            _ => out.push(std::mem::take(&mut token)),
        }
    }
    if !token.is_empty() {
        out.push(token);
    }
    out
}

/// The tokens of a name run together with single spaces.
#[must_use]
pub fn joined(text: &str) -> String {
    tokens(text).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_accents_and_case_never_matter() {
        for text in ["O'Brien", "O\u{2019}BRIEN", "o\u{2018}brien", "O`Brien", "OBrien"] {
            assert_eq!(tokens(text), ["obrien"], "{text}");
        }
        assert_eq!(tokens("Zoë  Łukasz-Ödön"), ["zoe", "lukasz", "odon"]);
        assert_eq!(tokens("Pádraig"), ["padraig"]);
    }

    #[test]
    fn plain_letters_are_folded_as_all_others_are() {
        // A letter that folds to nothing beside it sends the same text the long way.
        for text in ["O'Brien  SMITH-jones 2b", "", " .*%` ", "a.b c'd", "1/2", "MacDonald\tof\nKelby;"] {
            assert_eq!(tokens(text), tokens(&format!("{text}\u{301}")), "{text}");
        }
    }

    #[test]
    fn wildcards_are_ignored() {
        assert_eq!(tokens("Smi*"), ["smi"]);
        assert_eq!(tokens("%son%"), ["son"]);
        assert!(tokens(" *-% ").is_empty());
    }
}
