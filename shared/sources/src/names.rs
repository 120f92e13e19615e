//! Names as systems write them: `SMITH, Mr John`, `Amelia MITCHELL`, `Mrs Sandra Sharon Thompson`, `Bradley D`; and what
//! stands beside them and is no name: notes, system's words, a second person, a newborn's mother.

use fc_model::fold;
use std::{collections::HashSet, sync::LazyLock};

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
const PLACEHOLDERS: [&str; 38] = [
    "unknown",
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
    "nfn",
    "nln",
    "fnu",
    "lnu",
    "tbc",
    "tba",
    "anon",
    "anonymous",
    "dummy",
    "do not use",
    "unnamed",
    "the",
    "occupier",
    "occupiers",
    "occupant",
    "tenant",
    "tenants",
    "resident",
    "residents",
    "householder",
    "landlord",
    "owner",
    "void",
    "vacant",
    "deleted",
    "duplicate",
    "ssd ph",
];

/// Words of which a placeholder of several words is made: "Not Entered", "Zzz Do Not Use", "No Forename Given".
const PLACEHOLDER_WORDS: [&str; 52] = [
    "not",
    "no",
    "unknown",
    "known",
    "entered",
    "given",
    "recorded",
    "stated",
    "supplied",
    "provided",
    "available",
    "applicable",
    "disclosed",
    "confirmed",
    "named",
    "yet",
    "do",
    "use",
    "to",
    "be",
    "name",
    "forename",
    "surname",
    "firstname",
    "lastname",
    "first",
    "last",
    "test",
    "record",
    "duplicate",
    "migrated",
    "mig",
    "error",
    "unnamed",
    "blank",
    "missing",
    "null",
    "zzz",
    "zzzz",
    "xxx",
    "xxxx",
    "dummy",
    "the",
    "current",
    "new",
    "occupier",
    "tenant",
    "resident",
    "person",
    "child",
    "client",
    "data",
];

/// Those of them without which the others are names.
const PLACEHOLDER_SIGNS: [&str; 18] = [
    "not",
    "no",
    "unknown",
    "test",
    "duplicate",
    "migrated",
    "error",
    "unnamed",
    "blank",
    "missing",
    "null",
    "zzz",
    "zzzz",
    "xxx",
    "xxxx",
    "dummy",
    "occupier",
    "tenant",
];

/// Words that systems and their users put before or after a name.
const SYSTEM_WORDS: [&str; 31] = [
    "mig error",
    "migration error",
    "migrated",
    "migration",
    "duplicate record",
    "duplicate",
    "duplicated",
    "dup",
    "dupe",
    "merged",
    "merge",
    "zzz",
    "zzzz",
    "zz",
    "xxx",
    "xxxx",
    "xx",
    "do not use",
    "dnu",
    "not in use",
    "obsolete",
    "inactive",
    "deleted",
    "test record",
    "test",
    "error",
    "archived",
    "old record",
    "exors of",
    "executors of",
    "the estate of",
];

/// More of those, which only ever stand before a name.
const LEADS: [&str; 12] = [
    "executor of",
    "executrix of",
    "estate of",
    "the executors of",
    "the exors of",
    "exors of the late",
    "executors of the late",
    "the executors of the late",
    "personal representatives of",
    "representatives of",
    "the late",
    "estate of the late",
];

/// Those that stand after a name too.
const ENDS: [&str; 14] = [
    "duplicate record",
    "duplicate",
    "duplicated",
    "dup",
    "dupe",
    "merged",
    "zzz",
    "zzzz",
    "do not use",
    "dnu",
    "not in use",
    "deleted",
    "test record",
    "old record",
];

/// Words of which at least one is in a note and none in a name.
const NOTE_WORDS: [&str; 106] = [
    "do",
    "not",
    "visit",
    "alone",
    "never",
    "deceased",
    "decd",
    "dec",
    "dcd",
    "died",
    "late",
    "rip",
    "dead",
    "violent",
    "violence",
    "aggressive",
    "dangerous",
    "warning",
    "alert",
    "risk",
    "dog",
    "dogs",
    "see",
    "also",
    "notes",
    "note",
    "file",
    "record",
    "duplicate",
    "dup",
    "dupe",
    "merged",
    "merge",
    "twin",
    "twins",
    "triplet",
    "mother",
    "mum",
    "mom",
    "mam",
    "mummy",
    "father",
    "dad",
    "parent",
    "parents",
    "carer",
    "foster",
    "fostered",
    "adopted",
    "adoptive",
    "adopter",
    "son",
    "daughter",
    "wife",
    "husband",
    "partner",
    "sister",
    "brother",
    "of",
    "child",
    "children",
    "baby",
    "unborn",
    "interpreter",
    "deaf",
    "blind",
    "moved",
    "left",
    "gone",
    "closed",
    "open",
    "use",
    "only",
    "confidential",
    "restricted",
    "sensitive",
    "refuge",
    "tenant",
    "joint",
    "sole",
    "minor",
    "male",
    "female",
    "boy",
    "girl",
    "urgent",
    "call",
    "phone",
    "tel",
    "contact",
    "by",
    "with",
    "and",
    "the",
    "to",
    "in",
    "at",
    "no",
    "legal",
    "court",
    "police",
    "social",
    "worker",
    "verified",
    "unverified",
    "temp",
];

/// What comes before an earlier name.
const FORMERLY: [&str; 29] = [
    "nee",
    "ne",
    "formerly",
    "formally",
    "formerly known as",
    "previously",
    "previously known as",
    "prev",
    "was",
    "was known as",
    "born",
    "born as",
    "birth name",
    "maiden name",
    "maiden",
    "ex",
    "fka",
    "f k a",
    "former",
    "former name",
    "former surname",
    "old name",
    "previous name",
    "previous surname",
    "dead name",
    "deadname",
    "used to be",
    "once",
    "formerly called",
];

/// What comes before another name in use.
const KNOWN_AS: [&str; 22] = [
    "known as",
    "kn as",
    "k a",
    "aka",
    "a k a",
    "also known as",
    "likes to be called",
    "prefers",
    "prefers to be called",
    "prefers to be known as",
    "preferred name",
    "preferred",
    "pref",
    "pref name",
    "called",
    "goes by",
    "nickname",
    "nick name",
    "alias",
    "now",
    "now known as",
    "likes",
];

/// Those that are nobody's name, so that they need no brackets and may be in capitals.
const CERTAIN: [&str; 16] = [
    "formerly",
    "formerly known as",
    "previously",
    "previously known as",
    "was known as",
    "maiden name",
    "fka",
    "known as",
    "aka",
    "also known as",
    "now known as",
    "likes to be called",
    "prefers to be called",
    "goes by",
    "preferred name",
    "formerly called",
];

/// Whether a name says that no name is known.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let folded = fold::joined(text);
    let words: Vec<&str> = folded.split(' ').collect();
    folded.is_empty()
        || PLACEHOLDERS.contains(&folded.as_str())
        || (folded.starts_with("test") && folded.ends_with("test"))
        || (words.len() > 1
            && words.iter().all(|word| PLACEHOLDER_WORDS.contains(word))
            && words.iter().any(|word| PLACEHOLDER_SIGNS.contains(word)))
        || crate::cells::is_dataset_placeholder(text)
}

/// Whether a name is that of nobody in particular: whoever lives at an address, or that nobody does.
pub(crate) fn is_no_person(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "occupier",
        "occupiers",
        "occupant",
        "tenant",
        "tenants",
        "resident",
        "residents",
        "householder",
        "landlord",
        "owner",
        "void",
        "vacant",
        "property",
        "empty",
    ];
    let tokens = fold::tokens(text);
    let known = |token: &String| WORDS.contains(&token.as_str());
    tokens.iter().any(known)
        && tokens.iter().all(|token| known(token) || matches!(token.as_str(), "the" | "current" | "new"))
}

/// Another name that a note in a name's cell gives.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Also {
    pub(crate) text: String,
    /// An earlier name; else one in use.
    pub(crate) is_former: bool,
    /// It stands beside the surname, and is one.
    pub(crate) is_surname: bool,
}

/// A name taken apart.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) forenames: Vec<String>,
    pub(crate) surname: String,
    /// A pet name in brackets: `Samuel (Sam)`.
    pub(crate) preferred: Vec<String>,
    /// Other names that notes give: `(née Jones)`.
    pub(crate) also: Vec<Also>,
    /// Something in the cell is no name, and was left out.
    pub(crate) has_note: bool,
    /// The cell names two people, of whom the first is kept.
    pub(crate) is_of_two: bool,
}

impl Parts {
    fn take(&mut self, cell: Cell, is_surname: bool) -> String {
        self.preferred.extend(if is_surname { Vec::new() } else { cell.preferred.clone() });
        // A name in brackets beside a surname may be anybody's.
        self.has_note |= cell.has_note || is_surname && !cell.preferred.is_empty();
        self.is_of_two |= cell.second.is_some();
        self.also.extend(cell.also.into_iter().map(|(said, text)| Also {
            text,
            is_former: said != Said::KnownAs,
            is_surname: is_surname || said == Said::Maiden,
        }));
        cell.text
    }
}

/// What a note says of the name in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// An earlier surname: née.
    Maiden,
    Formerly,
    KnownAs,
}

/// A cell once everything that is no name is taken out of it.
#[derive(Default)]
struct Cell {
    text: String,
    preferred: Vec<String>,
    also: Vec<(Said, String)>,
    has_note: bool,
    /// What stands after "&".
    second: Option<String>,
}

/// The first words of every phrase that is looked for, and the word between two people.
static FIRST_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let phrases = FORMERLY.iter().chain(&KNOWN_AS).chain(&SYSTEM_WORDS).chain(&LEADS).chain(&ENDS);
    phrases.filter_map(|phrase| phrase.split(' ').next()).chain(["and", "care", "a.k.a"]).collect()
});

/// Whether a cell is a name and nothing else, as nearly every one is: letters, and no word that begins a phrase.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b'\'' | b'.' | b'-' | b','))
        && text.split_whitespace().all(|word| {
            let word = word.trim_matches(['.', ',']);
            !word.bytes().all(|b| b == b'-') && !FIRST_WORDS.contains(word.to_ascii_lowercase().as_str())
        })
}

impl Cell {
    fn read(text: &str) -> Self {
        if is_plain(text) {
            return Self { text: text.to_owned(), ..Self::default() };
        }
        let mut cell = Self::default();
        let text = cell.without_brackets(&text.replace('_', " "));
        let text = cell.without_other_names(&text);
        let text = cell.without_notes(&text);
        let text = cell.without_system_words(&text);
        cell.text = match two_people(&text) {
            Some((first, second)) => {
                cell.second = Some(second);
                first
            }
            None => text,
        };
        cell
    }

    /// Takes what is in brackets out, closed or cut off: `Chukwuemeka (Emek`.
    fn without_brackets(&mut self, text: &str) -> String {
        let mut rest = text;
        let mut out = String::new();
        while let Some(open) = rest.find(['(', '[', '{']) {
            out.push_str(&rest[..open]);
            out.push(' ');
            let inside = &rest[open + 1..];
            let (inside, after) = inside.split_once([')', ']', '}']).unwrap_or((inside, ""));
            self.bracket(inside);
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn bracket(&mut self, inside: &str) {
        let all: Vec<&str> = inside.split_whitespace().collect();
        let names = words(inside);
        if let Some((said, count)) = other_name(&all, true) {
            self.also.push((said, all[count..].join(" ")));
        } else if names.len() <= 2 && names.iter().all(|word| is_pet_name(word)) {
            self.preferred.extend(names);
        } else {
            self.has_note = true;
        }
    }

    /// `Bosanko née Chegwin`, `Opie - formerly Hocking`.
    fn without_other_names(&mut self, text: &str) -> String {
        let all: Vec<&str> = text.split_whitespace().collect();
        let found = (1..all.len()).find_map(|at| Some((at, other_name(&all[at..], false)?)));
        let Some((at, (said, count))) = found else { return text.to_owned() };
        let rest = all[at + count..].join(" ");
        let more = Self::read(&rest);
        self.also.push((said, more.text));
        self.also.extend(more.also);
        self.has_note |= more.has_note;
        all[..at].join(" ")
    }

    /// What stands after a dash and is a note, and "c/o" somebody.
    fn without_notes(&mut self, text: &str) -> String {
        let all: Vec<&str> = text.split_whitespace().collect();
        let is_dash = |word: &&str| matches!(*word, "-" | "–" | "—" | "--" | "*" | "**");
        let care_of = |at: usize| {
            let word = all[at].to_lowercase();
            word == "c/o" || (word == "care" && all.get(at + 1).is_some_and(|next| next.eq_ignore_ascii_case("of")))
        };
        let noted = |at: usize| {
            care_of(at)
                || is_dash(&all[at])
                    && fold::tokens(&all[at..].join(" ")).iter().any(|token| NOTE_WORDS.contains(&token.as_str()))
        };
        match (0..all.len()).find(|at| noted(*at)) {
            Some(at) => {
                self.has_note = true;
                all[..at].join(" ")
            }
            None => text.to_owned(),
        }
    }

    fn without_system_words(&mut self, text: &str) -> String {
        let mut all: Vec<&str> = text.split_whitespace().collect();
        while let Some(count) = phrase(&all, |words| SYSTEM_WORDS.contains(&words) || LEADS.contains(&words)) {
            // All of it may be such words; then nothing is left, and the cell names nobody.
            all.drain(..count);
            self.has_note = true;
        }
        let last = |all: &[&str]| {
            (1..=3.min(all.len().saturating_sub(1))).rev().find(|count| {
                let end = fold::joined(&all[all.len() - count..].join(" "));
                ENDS.contains(&end.as_str())
            })
        };
        while let Some(count) = last(&all) {
            all.truncate(all.len() - count);
            self.has_note = true;
        }
        if self.has_note { all.join(" ") } else { text.to_owned() }
    }
}

/// How many of the first words are such a phrase, the longest that is.
fn phrase(words: &[&str], is: impl Fn(&str) -> bool) -> Option<usize> {
    (1..=6.min(words.len())).rev().find(|count| is(&fold::joined(&words[..*count].join(" "))))
}

/// What words that begin with what comes before another name say of it, and how many words that is. Outside brackets a word
/// that may be somebody's name counts only in small letters before a name that is not, with its accent, or where all is in
/// capitals.
fn other_name(words: &[&str], in_brackets: bool) -> Option<(Said, usize)> {
    let is = |folded: &str| FORMERLY.contains(&folded) || KNOWN_AS.contains(&folded);
    let count = phrase(words, is).filter(|count| *count < words.len())?;
    let text = words[..count].join(" ");
    let folded = fold::joined(&text);
    let is_maiden = folded.starts_with("nee") || folded.starts_with("maiden");
    let capitals = |text: &str| !text.contains(char::is_lowercase);
    let small = || {
        let named = words[count].starts_with(char::is_uppercase);
        !text.contains(char::is_uppercase) && (named || is_maiden)
            || text.to_lowercase().starts_with("née")
            || is_maiden && capitals(&words.join(" "))
    };
    if !(in_brackets || CERTAIN.contains(&folded.as_str()) || small()) {
        return None;
    }
    let said = match (is_maiden, FORMERLY.contains(&folded.as_str())) {
        (true, _) => Said::Maiden,
        (_, true) => Said::Formerly,
        _ => Said::KnownAs,
    };
    Some((said, count))
}

fn is_pet_name(word: &str) -> bool {
    let folded = fold::joined(word);
    !NOTE_WORDS.contains(&folded.as_str())
        && !SYSTEM_WORDS.contains(&folded.as_str())
        && !word.contains(|c: char| c.is_ascii_digit())
        && !is_placeholder(word)
}

/// The first of two people in one text, and the second: `Mr Alan & Mrs Beryl Osmotherley`.
fn two_people(text: &str) -> Option<(String, String)> {
    if !text.contains(['&', '+', '/']) && !fold::tokens(text).iter().any(|token| token == "and") {
        return None;
    }
    let text = text.replace("&amp;", "&").replace(['&', '+'], " & ");
    let all: Vec<&str> = text.split_whitespace().collect();
    let titled = |at: usize| all.get(at).is_some_and(|word| is_one_of(word, &TITLES));
    let at = (1..all.len().saturating_sub(1))
        .find(|at| matches!(all[*at], "&" | "/") || all[*at].eq_ignore_ascii_case("and"));
    if let Some(at) = at {
        return Some((all[..at].join(" "), all[at + 1..].join(" ")));
    }
    // "Wensley/Ms Fell"
    let at = (0..all.len()).find(|at| {
        all[*at].split_once('/').is_some_and(|(one, two)| {
            one.len() > 1 && (titled(*at + 1) && two.is_empty() || is_one_of(two, &TITLES) && *at + 1 < all.len())
        })
    })?;
    let (one, two) = all[at].split_once('/')?;
    Some(([&all[..at], &[one]].concat().join(" "), [&[two], &all[at + 1..]].concat().join(" ")))
}

/// Takes a whole name apart. A comma ends the surname; capitals mark it when the rest has none; a title comes before
/// forenames; otherwise the declared order decides.
pub(crate) fn whole(text: &str, surname_first: bool) -> Parts {
    let mut parts = Parts::default();
    if let Some(comma) = outer_comma(text) {
        let rest = parts.take(Cell::read(&text[comma + 1..]), false);
        let before = parts.take(Cell::read(&text[..comma]), true);
        let forenames = given(&mut parts, &rest);
        let surname = without_titles(words(&before)).join(" ");
        // "John Smith, OBE"
        if forenames.is_empty()
            && surname.contains(' ')
            && !rest.trim().is_empty()
            && words(&rest).iter().all(|word| is_one_of(word, &SUFFIXES))
        {
            let (forenames, surname) = apart(&words(&surname), surname_first);
            return Parts { forenames, surname, ..parts };
        }
        return Parts { forenames, surname: surname_of(&surname), ..parts };
    }
    let cell = Cell::read(text);
    let second = cell.second.clone();
    // A note belongs to the word it follows.
    let text = parts.take(cell, false);
    for also in &mut parts.also {
        also.is_surname |= !surname_first;
    }
    let all = words(&text);
    let titled = all.first().is_some_and(|word| is_one_of(word, &TITLES));
    let named = without_titles(all);
    if let Some(second) = second {
        // "Mr Alan & Mrs Beryl Osmotherley", "J and B Smith", "Mr & Mrs Smith": the surname is said once.
        let others = without_titles(words(&second));
        let lacks_surname =
            named.is_empty() || named.iter().all(|word| is_initial(word)) || named.len() == 1 && others.len() > 1;
        if lacks_surname {
            let (_, surname) = apart(&others, false);
            return Parts { forenames: named, surname, ..parts };
        }
    }
    if let Some(baby) = Newborn::of(&named) {
        parts.forget_mother(&baby);
        // Of the mother's name only the surname may be the child's.
        let surname = match (baby.mother.len(), baby.rest.len()) {
            (2.., _) => baby.mother.last().cloned(),
            (1, _) if baby.comes_after => baby.mother.first().filter(|word| !word.ends_with("'s")).cloned(),
            (_, 1) => baby.rest.first().cloned(),
            (_, 2..) if baby.is_unborn => baby.rest.last().cloned(),
            (_, 2..) => {
                let (more, surname) = apart(&baby.rest, surname_first);
                return Parts { forenames: [baby.said, more].concat(), surname, ..parts };
            }
            _ => None,
        };
        return Parts { forenames: baby.said, surname: surname_of(&surname.unwrap_or_default()), ..parts };
    }
    let (forenames, surname) = apart(&named, surname_first && !(titled && named.len() > 1));
    Parts { forenames, surname, ..parts }
}

/// Where a comma stands that is in no brackets.
fn outer_comma(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    text.char_indices().find_map(|(at, c)| {
        depth += i32::from(matches!(c, '(' | '[' | '{')) - i32::from(matches!(c, ')' | ']' | '}'));
        (c == ',' && depth <= 0).then_some(at)
    })
}

/// Forenames and surname of the words of a whole name.
fn apart(words: &[String], surname_first: bool) -> (Vec<String>, String) {
    let (surname, forenames) = match surname_at(words, surname_first) {
        Surname::First(n) => (&words[..n], &words[n..]),
        Surname::Last(n) => (&words[words.len() - n..], &words[..words.len() - n]),
    };
    (forenames.to_vec(), surname_of(&surname.join(" ")))
}

/// Forenames in a cell of their own, with any pet name in brackets apart.
pub(crate) fn forenames(text: &str) -> Parts {
    let mut parts = Parts::default();
    let text = parts.take(Cell::read(text), false);
    let forenames = given(&mut parts, &text);
    Parts { forenames, ..parts }
}

/// A surname in a cell of its own.
pub(crate) fn surname(text: &str) -> Parts {
    let mut parts = Parts::default();
    let text = parts.take(Cell::read(text), true);
    Parts { surname: surname_of(&text), ..parts }
}

/// The forenames of a text without notes; of a newborn only that it is one.
fn given(parts: &mut Parts, text: &str) -> Vec<String> {
    let named = without_titles(words(text));
    let Some(baby) = Newborn::of(&named) else { return named };
    parts.forget_mother(&baby);
    let rest = if baby.is_unborn { Vec::new() } else { baby.rest };
    [baby.said, rest].concat()
}

/// A child without a name of its own: "Baby of Emily" is a baby, not an Emily.
struct Newborn {
    /// "Unborn", "Baby", "Girl".
    said: Vec<String>,
    is_unborn: bool,
    /// The mother's name, where it is said to be hers.
    mother: Vec<String>,
    /// What else stands there.
    rest: Vec<String>,
    /// The mother's name, or the child's surname, stands before.
    comes_after: bool,
}

const NEWBORN: [&str; 11] =
    ["baby", "bby", "babe", "infant", "unborn", "newborn", "foetus", "fetus", "ub", "b/o", "expected"];
const NEWBORN_MORE: [&str; 14] =
    ["boy", "girl", "male", "female", "child", "twin", "twins", "triplet", "one", "two", "three", "1", "2", "3"];
const MOTHER: [&str; 10] = ["of", "for", "to", "mother", "mum", "mom", "mam", "mummy", "father", "dad"];

impl Newborn {
    fn of(named: &[String]) -> Option<Self> {
        let is = |word: &String, list: &[&str]| is_one_of(word, list);
        let of_somebody = |at: usize| named.get(at + 1).is_some_and(|next| next.eq_ignore_ascii_case("of"));
        let begins = |at: usize| is(&named[at], &NEWBORN) || is(&named[at], &["child", "bo"]) && of_somebody(at);
        // "Emily's baby", "Emily unborn"
        let at = (0..named.len()).find(|at| {
            begins(*at)
                && (*at == 0
                    || is(&named[*at], &["unborn", "ub", "newborn"])
                    || named[*at - 1].to_lowercase().ends_with("'s"))
        })?;
        let more = named[at + 1..].iter().take_while(|word| is(word, &NEWBORN) || is(word, &NEWBORN_MORE)).count();
        let (said, rest) = named[at..].split_at(1 + more);
        let is_unborn = said.iter().any(|word| is(word, &["unborn", "ub", "foetus", "fetus", "expected"]));
        let mothers = rest.first().is_some_and(|word| {
            let first = fold::tokens(word).into_iter().next().unwrap_or_default();
            MOTHER.contains(&first.as_str())
        }) || is(&said[0], &["b/o"]);
        let said = said.iter().map(|word| match word.to_lowercase().as_str() {
            "ub" => "Unborn".to_owned(),
            "b/o" | "bo" | "bby" => "Baby".to_owned(),
            "child" if more == 0 => "Baby".to_owned(),
            _ => word.clone(),
        });
        let said = said.collect();
        let hers = |words: &[String]| -> Vec<String> {
            let hers = words.iter().filter(|word| !is(word, &MOTHER) && !is(word, &TITLES));
            hers.cloned().collect()
        };
        Some(if mothers {
            Self { said, is_unborn, mother: hers(rest), rest: Vec::new(), comes_after: false }
        } else {
            Self { said, is_unborn, mother: hers(&named[..at]), rest: rest.to_vec(), comes_after: at > 0 }
        })
    }
}

impl Parts {
    /// In brackets after "Baby" stands the mother's name.
    fn forget_mother(&mut self, baby: &Newborn) {
        self.has_note |= !self.preferred.is_empty() || !self.also.is_empty() || baby.mother.len() > 1;
        self.preferred.clear();
        self.also.clear();
    }
}

/// A surname without what is no part of it. `O DONNELL` is `O'DONNELL`.
pub(crate) fn surname_of(text: &str) -> String {
    let mut words = without_suffixes(words(text));
    if words.len() >= 2 && words[0].eq_ignore_ascii_case("o") {
        let rest = words.remove(1);
        words[0] = format!("{}'{rest}", words[0]);
    }
    words.join(" ")
}

fn is_initial(word: &str) -> bool {
    word.chars().filter(|c| c.is_alphabetic()).count() == 1
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
    let initial = |word: &String| is_initial(word);
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
        assert_eq!(forenames("Baby of Emily").forenames, ["Baby"]);
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
