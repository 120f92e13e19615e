//! Names as systems write them: `SMITH, Mr John`, `Amelia MITCHELL`, `Mrs Sandra Sharon Thompson`, `Bradley D`.

use fc_model::fold;

const TITLES: [&str; 19] = [
    "mr",
    "mrs",
    "miss",
    "ms",
    "mx",
    "master",
    "mstr",
    "dr",
    "doctor",
    "prof",
    "professor",
    "rev",
    "revd",
    "reverend",
    "sir",
    "dame",
    "cllr",
    "councillor",
    "mister",
];

/// Only what is nobody's surname: Ma, Senior and Junior are.
const SUFFIXES: [&str; 11] = ["jr", "jnr", "snr", "esq", "obe", "mbe", "cbe", "phd", "bsc", "ii", "iii"];

/// Words that begin a surname rather than end the forenames.
const PARTICLES: [&str; 16] =
    ["o", "mc", "mac", "de", "del", "da", "dos", "di", "van", "von", "der", "den", "la", "le", "el", "st"];

/// What systems put in when they know no name. Newborns' "BABY" and "UNBORN" are not among them: matching knows those.
const PLACEHOLDERS: [&str; 27] = [
    "unknown",
    "not known",
    "n k",
    "n a",
    "nk",
    "unk",
    "test",
    "testing",
    "xxx",
    "xx",
    "zzz",
    "none",
    "no name",
    "not given",
    "not recorded",
    "not stated",
    "nfn",
    "nln",
    "tbc",
    "tba",
    "anon",
    "anonymous",
    "no surname",
    "no forename",
    "dummy",
    "do not use",
    "unnamed",
];

/// Whether a name says that no name is known.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let folded = fold::joined(text);
    folded.is_empty()
        || PLACEHOLDERS.contains(&folded.as_str())
        || (folded.starts_with("test") && folded.ends_with("test"))
}

/// A name taken apart.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) forenames: Vec<String>,
    pub(crate) surname: String,
    /// A pet name in brackets: `Samuel (Sam)`.
    pub(crate) preferred: Vec<String>,
}

/// Takes a whole name apart. A comma ends the surname; capitals mark it when the rest has none; a title comes before
/// forenames; otherwise the declared order decides.
pub(crate) fn whole(text: &str, surname_first: bool) -> Parts {
    let (text, preferred) = without_brackets(text);
    if let Some((surname, rest)) = text.split_once(',') {
        let forenames = without_mother(without_titles(words(rest)));
        let surname = without_titles(words(surname)).join(" ");
        // "John Smith, OBE"
        if forenames.is_empty()
            && surname.contains(' ')
            && !rest.trim().is_empty()
            && words(rest).iter().all(|word| is_one_of(word, &SUFFIXES))
        {
            return Parts { preferred, ..whole(&surname, surname_first) };
        }
        return Parts { forenames, surname: surname_of(&surname), preferred };
    }
    let all = words(&text);
    let titled = all.first().is_some_and(|word| is_one_of(word, &TITLES)) && all.len() > 1;
    let words = without_titles(all);
    let split = surname_at(&words, surname_first && !titled);
    let (surname, forenames) = match split {
        Surname::First(n) => (&words[..n], &words[n..]),
        Surname::Last(n) => (&words[words.len() - n..], &words[..words.len() - n]),
    };
    Parts { forenames: forenames.to_vec(), surname: surname_of(&surname.join(" ")), preferred }
}

/// Forenames in a cell of their own, with any pet name in brackets apart.
pub(crate) fn forenames(text: &str) -> (Vec<String>, Vec<String>) {
    let (text, preferred) = without_brackets(text);
    (without_mother(without_titles(words(&text))), preferred)
}

/// "Baby of Emily" is a baby, not an Emily: the mother's name must not become the child's.
fn without_mother(mut words: Vec<String>) -> Vec<String> {
    let newborn = words.first().is_some_and(|word| is_one_of(word, &["baby", "infant", "unborn", "b/o", "bo"]));
    if newborn && let Some(of) = words.iter().position(|word| word.eq_ignore_ascii_case("of")) {
        words.truncate(of);
    }
    words
}

/// A surname in a cell of its own. `O DONNELL` is `O'DONNELL`.
pub(crate) fn surname_of(text: &str) -> String {
    let (text, _) = without_brackets(text);
    let mut words = without_suffixes(words(&text));
    if words.len() >= 2 && words[0].eq_ignore_ascii_case("o") {
        let rest = words.remove(1);
        words[0] = format!("{}'{rest}", words[0]);
    }
    words.join(" ")
}

enum Surname {
    First(usize),
    Last(usize),
}

fn surname_at(words: &[String], surname_first: bool) -> Surname {
    let count = words.len();
    if count < 2 {
        return Surname::Last(count);
    }
    let capitals: Vec<bool> = words
        .iter()
        .map(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 1 && !word.chars().any(char::is_lowercase))
        .collect();
    // "Ivy De WALKER" and "WALKER Ivy": the capitals are the surname when some of the words have none.
    let marked = capitals.iter().filter(|c| **c).count();
    if marked > 0 && marked < count {
        let last = capitals.iter().rev().take_while(|c| **c).count();
        let first = capitals.iter().take_while(|c| **c).count();
        if last == marked {
            let particle = count > last + 1 && is_one_of(&words[count - last - 1], &PARTICLES);
            return Surname::Last(last + usize::from(particle));
        }
        if first == marked {
            return Surname::First(first);
        }
    }
    // An initial is a forename, wherever it stands: "Bradley D", "D Bradley".
    let initial = |word: &String| word.chars().filter(|c| c.is_alphabetic()).count() == 1;
    let particle_first = is_one_of(&words[0], &PARTICLES) && count > 2;
    if initial(&words[count - 1]) && !initial(&words[0]) {
        return Surname::First(1 + usize::from(particle_first));
    }
    if surname_first && (!initial(&words[0]) || particle_first) {
        return Surname::First(1 + usize::from(particle_first));
    }
    let mut length = 1;
    while length + 1 < count && is_one_of(&words[count - length - 1], &PARTICLES) {
        length += 1;
    }
    Surname::Last(length)
}

fn words(text: &str) -> Vec<String> {
    // A letter lost to a wrong encoding leaves a question mark; without it the name is one spelling away.
    text.split(|c: char| c.is_whitespace() || c == ',')
        .map(|word| {
            word.trim_matches(|c: char| matches!(c, '.' | '-' | '*' | '"' | '?' | '_' | ':' | ';')).replace('?', "")
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    let bare = word.trim_end_matches('.').to_lowercase();
    list.contains(&bare.as_str())
}

fn without_titles(mut words: Vec<String>) -> Vec<String> {
    let titles = words.iter().take_while(|word| is_one_of(word, &TITLES)).count();
    words.drain(..titles);
    without_suffixes(words)
}

fn without_suffixes(mut words: Vec<String>) -> Vec<String> {
    while words.len() > 1 && words.last().is_some_and(|word| is_one_of(word, &SUFFIXES)) {
        words.pop();
    }
    words
}

/// Takes what is in brackets out, closed or cut off: `Chukwuemeka (Emek`.
fn without_brackets(text: &str) -> (String, Vec<String>) {
    let Some(open) = text.find('(') else { return (text.to_owned(), Vec::new()) };
    let inside = &text[open + 1..];
    let (inside, after) = inside.split_once(')').unwrap_or((inside, ""));
    let inner: Vec<String> = words(inside);
    (format!("{} {after}", &text[..open]), inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, surname_first: bool) -> String {
        let parts = whole(text, surname_first);
        format!("{}/{}/{}", parts.forenames.join(" "), parts.surname, parts.preferred.join(" "))
    }

    #[test]
    fn every_form_of_a_one_field_name_is_taken_apart() {
        for (text, want) in [
            ("SMITH, Mr John", "John/SMITH/"),
            ("Mrs Sandra Sharon Thompson", "Sandra Sharon/Thompson/"),
            ("Bradley D", "D/Bradley/"),
            ("Wilson Katie", "Katie/Wilson/"),
            ("Amelia MITCHELL", "Amelia/MITCHELL/"),
            ("Jason MARSHALL-WATSON", "Jason/MARSHALL-WATSON/"),
            ("O DONNELL, Mr A", "A/O'DONNELL/"),
            ("Master Padraig O Reilly", "Padraig/O'Reilly/"),
            ("LINMAN, Mr Peter (Pete)", "Peter/LINMAN/Pete"),
            ("ASANTE, Master Chukwuemeka (Emek", "Chukwuemeka/ASANTE/Emek"),
            ("WAKEWOOD, Mrs Ms Betty", "Betty/WAKEWOOD/"),
            ("O'DONNELL,  Allen", "Allen/O'DONNELL/"),
            ("WALKER ROBINSON, Master Harrison", "Harrison/WALKER ROBINSON/"),
            ("Mr. Thomas Evans Jnr", "Thomas/Evans/"),
            ("Nawaz Mohammed Asif Usman", "Mohammed Asif Usman/Nawaz/"),
            ("YILMAZ, Mr Ionu?", "Ionu/YILMAZ/"),
            ("SMITH, Mr", "/SMITH/"),
            ("Smith", "/Smith/"),
            ("", "//"),
        ] {
            assert_eq!(read(text, true), want, "{text}");
        }
        assert_eq!(read("BELL, Baby of Emily", true), "Baby/BELL/");
        assert_eq!(forenames("Baby of Emily").0, ["Baby"]);
        assert_eq!(read("Maria de Souza", false), "Maria/de Souza/");
        assert_eq!(read("Jo Bloggs", false), "Jo/Bloggs/");
        assert_eq!(read("JO BLOGGS", false), "JO/BLOGGS/");
    }

    #[test]
    fn a_placeholder_is_no_name_but_a_newborn_has_one() {
        for text in ["UNKNOWN", "n/k", "Test", ".", "Not Known", "XXX"] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["BABY", "Unborn", "Infant", "Testa", "Nkem"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
