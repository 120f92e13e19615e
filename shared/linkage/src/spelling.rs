//! Spelling: whether two words are one word, typed or spelled differently.
//!
//! Nearly all words that meet are simply different, so what is cheap and rules them out is asked first: their lengths, then
//! the letters they have in common. Only what passes is measured letter by letter.

/// Letters that two words must have at least, for a spelling distance to say anything.
const SHORTEST_SPELLED: usize = 3;
/// Letters of the shorter word from which two edits are one slip too many of a long word, not another word.
const TWO_EDITS_FROM: usize = 8;
/// Letters of the shorter word from which Jaro-Winkler similarity counts.
const SIMILAR_FROM: usize = 5;
/// Jaro-Winkler similarity from which longer words are one word misspelled (the usual .92 of record linkage texts).
const SPELLED_ALIKE: f64 = 0.92;
/// Longest words whose letters are counted; longer ones are measured straight away.
const LONGEST_COUNTED: usize = 255;

/// Whether two words look like one word, typed or spelled differently: one edit (two for longer words), or close by
/// Jaro-Winkler. Symmetric.
pub(crate) fn spelled_alike(a: &str, b: &str) -> bool {
    let (a_long, b_long) = (letters(a), letters(b));
    let (shorter, longer) = (a_long.min(b_long), a_long.max(b_long));
    if shorter < SHORTEST_SPELLED || longer - shorter > 2 + shorter / 4 {
        return false;
    }
    let edits = if shorter >= TWO_EDITS_FROM { 2 } else { 1 };
    if !a.is_ascii() || !b.is_ascii() || longer > LONGEST_COUNTED {
        return strsim::osa_distance(a, b) <= edits || shorter >= SIMILAR_FROM && similar(a, b);
    }
    let common = letters_in_common(a.as_bytes(), b.as_bytes());
    // A letter without its like in the other word takes an edit of its own.
    longer - common <= edits && within(a, b, edits)
        || shorter >= SIMILAR_FROM && may_be_similar(a, b, common) && similar(a, b)
}

/// A name of two Chinese characters has six bytes.
fn letters(word: &str) -> usize {
    if word.is_ascii() { word.len() } else { word.chars().count() }
}

fn similar(a: &str, b: &str) -> bool {
    strsim::jaro_winkler(a, b) >= SPELLED_ALIKE
}

/// How many letters of one word have their like in the other, wherever it stands.
fn letters_in_common(a: &[u8], b: &[u8]) -> usize {
    let mut left = [0_u8; 128];
    for letter in a {
        left[usize::from(letter & 127)] += 1;
    }
    let mut common = 0;
    for letter in b {
        let left = &mut left[usize::from(letter & 127)];
        common += usize::from(*left > 0);
        *left = left.saturating_sub(1);
    }
    common
}

/// Whether so many edits (a letter more, less, other, or two swapped) turn one ASCII word into the other.
fn within(a: &str, b: &str, edits: usize) -> bool {
    // What both begin and end with takes no edit.
    let start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    match (a.as_bytes(), b.as_bytes()) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) if (a, b) == (d, c) => true,
        _ => edits > 1 && strsim::osa_distance(a, b) <= edits,
    }
}

/// Whether words with so many letters in common can be close by Jaro-Winkler, were all of them in place.
fn may_be_similar(a: &str, b: &str, common: usize) -> bool {
    let common = common as f64;
    let jaro = (common / a.len() as f64 + common / b.len() as f64 + 1.0) / 3.0;
    let start = a.bytes().zip(b.bytes()).take(4).take_while(|(a, b)| a == b).count();
    // A hair below, for rounding.
    jaro + 0.1 * start as f64 * (1.0 - jaro) >= SPELLED_ALIKE - 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, without any of the short cuts.
    fn measured(a: &str, b: &str) -> bool {
        let (a_long, b_long) = (a.chars().count(), b.chars().count());
        let (shorter, longer) = (a_long.min(b_long), a_long.max(b_long));
        if shorter < SHORTEST_SPELLED || longer - shorter > 2 + shorter / 4 {
            return false;
        }
        let edits = strsim::osa_distance(a, b);
        edits <= 1
            || shorter >= TWO_EDITS_FROM && edits <= 2
            || shorter >= SIMILAR_FROM && strsim::jaro_winkler(a, b) >= SPELLED_ALIKE
    }

    /// A word, and the same with a few slips.
    fn word_and_slips() -> impl Strategy<Value = (String, String)> {
        let slip = (0..4_u8, 0..40_usize, prop::sample::select(vec!['a', 'b', 'e', ' ', '1', 'é']));
        ("[a-e]{1,14}", prop::collection::vec(slip, 0..4)).prop_map(|(word, slips)| {
            let mut other: Vec<char> = word.chars().collect();
            for (kind, at, letter) in slips {
                let at = at % other.len().max(1);
                match kind {
                    0 => other.insert(at, letter),
                    1 if other.len() > 1 => drop(other.remove(at)),
                    2 if at + 1 < other.len() => other.swap(at, at + 1),
                    _ if at < other.len() => other[at] = letter,
                    _ => {}
                }
            }
            (word, other.into_iter().collect())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn short_cuts_never_change_the_answer((a, b) in word_and_slips(), c in "[a-e]{1,14}") {
            for (x, y) in [(&a, &b), (&b, &a), (&a, &c), (&b, &c)] {
                prop_assert_eq!(spelled_alike(x, y), measured(x, y), "{} and {}", x, y);
            }
        }
    }

    #[test]
    fn a_slip_is_one_word_and_another_word_is_not() {
        assert!(spelled_alike("thompon", "thompson") && spelled_alike("adnrew", "andrew"));
        assert!(spelled_alike("magorzata", "malgorzata") && !spelled_alike("smith", "taylor"));
        assert!(!spelled_alike("jo", "jon"), "too short to say");
        assert!(!spelled_alike("明", "強") && !spelled_alike("小明", "小強"), "as short, in more bytes");
        let long = "a".repeat(400);
        assert!(spelled_alike(&long, &(long.clone() + "b")));
    }
}
