//! Places: whether two addresses may be one house, however each is written.
//!
//! It decides what stays secret, so it is generous about spelling: a postcode that is missing or has one slip, a flat that
//! was added, a house name for a number, a misspelt street, notes, invisible signs, lines in another order. What it tells
//! apart are houses that are clearly others: another number, another street, another town.
//!
//! A [`Place`] is made of tokens, and everything compares tokens for equality alone. So it works as well on keyed hashes
//! ([`Place::keyed`]), which is how confidential places are kept: nobody reads an address in their table.

use crate::{Address, HandleKey, Postcode, fold};
use rphonetic::DoubleMetaphone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Words that say what kind of street it is, each with how it is also written.
const STREETS: [(&str, &[&str]); 41] = [
    ("road", &["rd"]),
    ("street", &["st", "str"]),
    ("avenue", &["ave", "av"]),
    ("lane", &["ln"]),
    ("way", &["wy"]),
    ("close", &["cl", "clo"]),
    ("drive", &["dr", "drv"]),
    ("court", &["ct", "crt"]),
    ("crescent", &["cres", "cresc", "cr"]),
    ("place", &["pl"]),
    ("gardens", &["gdns", "gdn", "garden"]),
    ("terrace", &["terr", "ter", "tce"]),
    ("grove", &["gr", "grv"]),
    ("walk", &["wlk"]),
    ("square", &["sq"]),
    ("hill", &["hl"]),
    ("park", &["pk"]),
    ("view", &["vw"]),
    ("rise", &[]),
    ("row", &[]),
    ("mews", &[]),
    ("green", &["grn"]),
    ("parade", &["pde"]),
    ("mount", &["mt"]),
    ("path", &[]),
    ("passage", &[]),
    ("alley", &[]),
    ("yard", &["yd"]),
    ("boulevard", &["blvd", "bvd"]),
    ("quay", &[]),
    ("wharf", &[]),
    ("approach", &[]),
    ("croft", &[]),
    ("fold", &[]),
    ("vale", &[]),
    ("meadow", &["meadows"]),
    ("gate", &[]),
    ("bank", &[]),
    ("brow", &[]),
    ("estate", &["est"]),
    ("circle", &["cir"]),
];

/// Words that a house's name ends with.
const BUILDINGS: [&str; 19] = [
    "house",
    "hse",
    "lodge",
    "cottage",
    "cottages",
    "hall",
    "building",
    "buildings",
    "flats",
    "apartments",
    "mansions",
    "hostel",
    "farm",
    "bungalow",
    "villa",
    "villas",
    "tower",
    "towers",
    "heights",
];

/// Words before the number of a flat.
const FLATS: [&str; 14] = [
    "flat",
    "flt",
    "fl",
    "apartment",
    "apartmt",
    "apt",
    "appt",
    "appartment",
    "unit",
    "room",
    "rm",
    "bedsit",
    "studio",
    "suite",
];

/// Words that say nothing of where a place is: notes, and what stands in every address.
const NOISE: [&str; 110] = [
    "the",
    "no",
    "number",
    "nr",
    "refuge",
    "hostel",
    "confidential",
    "secret",
    "safe",
    "private",
    "address",
    "addr",
    "temp",
    "temporary",
    "temporarily",
    "placement",
    "foster",
    "carer",
    "carers",
    "care",
    "of",
    "attn",
    "fao",
    "do",
    "not",
    "share",
    "disclose",
    "disclosed",
    "restricted",
    "protected",
    "sensitive",
    "password",
    "note",
    "see",
    "file",
    "contact",
    "via",
    "social",
    "services",
    "worker",
    "only",
    "ground",
    "floor",
    "top",
    "basement",
    "and",
    "at",
    "uk",
    "gb",
    "england",
    "britain",
    "great",
    "united",
    "kingdom",
    "county",
    "tel",
    "ring",
    "phone",
    "home",
    "current",
    "mum",
    "mums",
    "mother",
    "mothers",
    "mam",
    "dad",
    "dads",
    "father",
    "fathers",
    "tell",
    "told",
    "dont",
    "please",
    "ask",
    "ex",
    "partner",
    "husband",
    "wife",
    "son",
    "daughter",
    "child",
    "children",
    "kids",
    "from",
    "to",
    "with",
    "for",
    "on",
    "is",
    "in",
    "be",
    "any",
    "anyone",
    "family",
    "know",
    "known",
    "details",
    "withheld",
    "risk",
    "police",
    "new",
    "staying",
    "living",
    "moved",
    "womens",
    "aid",
    "by",
    "near",
    "behind",
    "opposite",
];

const NUMBERS: [&str; 20] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

/// Shortest word that is also filed without each of its letters.
const SHORTEST_MISSPELT: usize = 4;
/// Shortest sound that makes two words alike.
const SHORTEST_SOUND: usize = 3;

/// A word, and what is like it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Word {
    /// The word as written, and without each of its letters: two words with a slip between them share one.
    #[serde(rename = "n")]
    near: Vec<String>,
    /// Its sound, when that is long enough to tell words apart.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    sound: Option<String>,
}

impl Word {
    fn is_near(&self, other: &Self) -> bool {
        self.near.iter().any(|form| other.near.contains(form))
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.sound.is_some() && self.sound == other.sound) || self.is_near(other)
    }

    fn is_among(&self, words: &[Self]) -> bool {
        words.iter().any(|word| self.is_like(word))
    }
}

/// What a number is the number of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Of {
    /// A house.
    #[serde(rename = "h")]
    House,
    /// A flat, which the address says.
    #[serde(rename = "f")]
    Flat,
    /// One of them: "4 Lily Court, 3 Hidden Way".
    #[serde(rename = "e")]
    Either,
    /// A word that may be a number or a name: "Seven Oaks". It agrees with a number and contradicts none.
    #[serde(rename = "w")]
    Word,
}

/// The number of a house or flat.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Number {
    of: Of,
    /// `14a`.
    #[serde(rename = "n")]
    number: String,
    /// `14`.
    #[serde(rename = "b")]
    base: String,
}

impl Number {
    /// 14 may be 14A, for one address in two leaves the letter out; 14A is not 14C.
    fn may_be(&self, other: &Self) -> bool {
        let is_bare = |number: &Self| number.number == number.base;
        self.number == other.number || (self.base == other.base && (is_bare(self) || is_bare(other)))
    }
}

/// A street, or the name of a house.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Named {
    /// Its words, without the one that says of what kind it is.
    #[serde(rename = "w")]
    words: Vec<Word>,
    /// All of it written as one word: Hiddenway.
    #[serde(rename = "j")]
    joined: Word,
    /// Of what kind, where it is a street's.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

impl Named {
    fn is_like(&self, other: &Self) -> bool {
        let near = |joined: &Word, words: &[Word]| words.iter().any(|word| joined.is_near(word));
        if self.joined.is_near(&other.joined) || near(&self.joined, &other.words) || near(&other.joined, &self.words) {
            return true;
        }
        let (fewer, more) = if self.words.len() <= other.words.len() { (self, other) } else { (other, self) };
        // Church Lane is not Church Hill Road, and Haddon Road not Hidden Way, though they sound alike.
        let is_one_kind = self.kind.is_none() || other.kind.is_none() || self.kind == other.kind;
        let is_like = |one: &Word, other: &Word| if is_one_kind { one.is_like(other) } else { one.is_near(other) };
        (is_one_kind || fewer.words.len() == more.words.len())
            && !fewer.words.is_empty()
            && fewer.words.iter().all(|word| more.words.iter().any(|other| is_like(word, other)))
    }
}

/// A postcode, and what is like it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Post {
    /// The whole, and without each of its characters, with 0 for O and 1 for I. The first is the whole.
    #[serde(rename = "n")]
    near: Vec<String>,
    /// The part before the space.
    #[serde(rename = "o")]
    outward: String,
}

/// How two places' postcodes stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Posts {
    Others,
    SameDistrict,
    OneSlip,
    Same,
}

/// An address as tokens that can be compared: plain ones, or keyed hashes.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    uprn: Option<String>,
    /// Usually one; two where the lines hold another.
    #[serde(rename = "p", skip_serializing_if = "Vec::is_empty")]
    posts: Vec<Post>,
    #[serde(rename = "n", skip_serializing_if = "Vec::is_empty")]
    numbers: Vec<Number>,
    #[serde(rename = "s", skip_serializing_if = "Vec::is_empty")]
    streets: Vec<Named>,
    #[serde(rename = "h", skip_serializing_if = "Vec::is_empty")]
    houses: Vec<Named>,
    #[serde(rename = "t", skip_serializing_if = "Vec::is_empty")]
    town: Vec<Word>,
}

crate::redact::redacted_debug!(Place);

/// Whether an address may be a place. See the [module](self).
#[must_use]
pub fn may_be_this_place(place: &Place, address: &Place) -> bool {
    place.may_be(address)
}

impl Place {
    /// An address in plain tokens: for comparing two addresses in hand.
    #[must_use]
    pub fn plain(address: &Address) -> Self {
        Self::of(address, &|text| text.to_owned())
    }

    /// An address in keyed hashes: what may be kept.
    #[must_use]
    pub fn keyed(address: &Address, key: &HandleKey) -> Self {
        Self::of(address, &|text| key.hash("place", text)[..TOKEN].to_owned())
    }

    fn of(address: &Address, token: &dyn Fn(&str) -> String) -> Self {
        let written = Written::read(address);
        let word = |text: &str| word(text, token);
        let named = |parts: &Parts| Named {
            words: parts.words.iter().map(|text| word(text)).collect(),
            joined: word(&parts.joined),
            kind: parts.kind.as_ref().map(|kind| token(&format!("kind {kind}"))),
        };
        Self {
            uprn: address.uprn.map(|uprn| token(&format!("uprn {}", u64::from(uprn)))),
            posts: written.posts.iter().map(|post| self::post(post, token)).collect(),
            numbers: written
                .numbers
                .iter()
                .map(|(of, number)| {
                    let digits = number.trim_end_matches(|c: char| c.is_ascii_lowercase());
                    let base = if digits.is_empty() { number } else { digits };
                    Number {
                        of: *of,
                        number: token(&format!("number {number}")),
                        base: token(&format!("number {base}")),
                    }
                })
                .collect(),
            streets: written.streets.iter().map(named).collect(),
            houses: written.houses.iter().map(named).collect(),
            town: written.town.iter().map(|text| word(text)).collect(),
        }
    }

    /// Whether there is nothing in it that could be compared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uprn.is_none() && self.posts.is_empty() && self.streets.is_empty() && self.houses.is_empty()
    }

    /// Tokens of which two places that may be one share at least one: what to file places under.
    #[must_use]
    pub fn anchors(&self) -> BTreeSet<&str> {
        let named = self.streets.iter().chain(&self.houses);
        let words = named.flat_map(|named| named.words.iter().chain([&named.joined]));
        let words = words.flat_map(|word| word.near.iter().chain(&word.sound));
        self.uprn.iter().chain(self.posts.iter().flat_map(|post| &post.near)).chain(words).map(String::as_str).collect()
    }

    /// Whether both may be the same house. Either way round is the same.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        if self.uprn.is_some() && self.uprn == other.uprn {
            return true;
        }
        if self.has_other_number(other) {
            return false;
        }
        match self.posts(other) {
            Some(Posts::Same) => true,
            Some(Posts::OneSlip) => {
                let says_no_name = |place: &Self| place.streets.is_empty() && place.houses.is_empty();
                let agree = self.numbers_agree(other) && (says_no_name(self) || says_no_name(other));
                self.names_agree(other) || agree
            }
            // Two postcodes of one district: one of them is wrong, or a street has one number twice.
            Some(Posts::SameDistrict) => {
                self.numbers_agree(other) && self.names_agree(other) && !self.is_other_town(other)
            }
            Some(Posts::Others) => false,
            None => self.names_agree(other) && !self.is_other_town(other),
        }
    }

    /// Whether both say enough to be sure that they are two houses: their property numbers, or postcode and house, or street
    /// and town, clearly differ.
    #[must_use]
    pub fn is_certainly_another(&self, other: &Self) -> bool {
        if self.may_be(other) {
            return false;
        }
        let both = |has: &dyn Fn(&Self) -> bool| has(self) && has(other);
        let has_house = |place: &Self| !place.numbers.is_empty() || !place.houses.is_empty();
        let by_uprn = both(&|place| place.uprn.is_some());
        let by_post = both(&|place| !place.posts.is_empty() && has_house(place))
            && (self.posts(other) < Some(Posts::OneSlip) || self.has_other_number(other));
        let by_street = both(&|place| !place.streets.is_empty() && !place.town.is_empty())
            && (!any_alike(&self.streets, &other.streets) || self.is_other_town(other) || self.has_other_number(other));
        by_uprn || by_post || by_street
    }

    fn posts(&self, other: &Self) -> Option<Posts> {
        let pairs = self.posts.iter().flat_map(|mine| other.posts.iter().map(move |theirs| (mine, theirs)));
        let stand = pairs.map(|(mine, theirs)| {
            if mine.near.first() == theirs.near.first() {
                Posts::Same
            } else if mine.near.iter().any(|form| theirs.near.contains(form)) {
                Posts::OneSlip
            } else if mine.outward == theirs.outward {
                Posts::SameDistrict
            } else {
                Posts::Others
            }
        });
        stand.max()
    }

    fn numbers_of(&self, kinds: [Of; 2]) -> Vec<&Number> {
        self.numbers.iter().filter(|number| kinds.contains(&number.of)).collect()
    }

    /// Whether each says of house or flat another number than the other.
    fn has_other_number(&self, other: &Self) -> bool {
        let differ = |kinds: [Of; 2]| {
            let (mine, theirs) = (self.numbers_of(kinds), other.numbers_of(kinds));
            let agree = mine.iter().any(|number| theirs.iter().any(|their| number.may_be(their)));
            !mine.is_empty() && !theirs.is_empty() && !agree
        };
        differ([Of::House, Of::Either]) || differ([Of::Flat, Of::Either])
    }

    fn numbers_agree(&self, other: &Self) -> bool {
        self.numbers.iter().any(|number| other.numbers.iter().any(|their| number.may_be(their)))
    }

    /// Whether street or name of the house are alike. Where both say the street, it is the street that counts.
    fn names_agree(&self, other: &Self) -> bool {
        if !self.streets.is_empty() && !other.streets.is_empty() {
            return any_alike(&self.streets, &other.streets);
        }
        // Kelby is not every house in Kelby Road: a name is a street's only where the number is the same.
        any_alike(&self.houses, &other.houses)
            || (self.numbers_agree(other)
                && (any_alike(&self.houses, &other.streets) || any_alike(&self.streets, &other.houses)))
    }

    /// Whether each names a town that the other says nothing of.
    fn is_other_town(&self, other: &Self) -> bool {
        let words = |place: &Self| {
            let named = place.streets.iter().chain(&place.houses).flat_map(|named| named.words.clone());
            place.town.iter().cloned().chain(named).collect::<Vec<_>>()
        };
        let (mine, theirs) = (words(self), words(other));
        let shares = |town: &[Word], words: &[Word]| town.iter().any(|word| word.is_among(words));
        !self.town.is_empty() && !other.town.is_empty() && !shares(&self.town, &theirs) && !shares(&other.town, &mine)
    }
}

/// Digits of a hash that are kept: one in four thousand million is another word's.
const TOKEN: usize = 8;

fn any_alike(mine: &[Named], theirs: &[Named]) -> bool {
    mine.iter().any(|named| theirs.iter().any(|their| named.is_like(their)))
}

fn word(text: &str, token: &dyn Fn(&str) -> String) -> Word {
    let mut near = vec![token(&format!("word {text}"))];
    let letters: Vec<char> = text.chars().collect();
    if letters.len() >= SHORTEST_MISSPELT {
        near.extend(without_each(&letters).iter().map(|form| token(&format!("word {form}"))));
    }
    let sound =
        if text.is_ascii() { DoubleMetaphone::default().double_metaphone(text).primary() } else { String::new() };
    Word { near, sound: (sound.len() >= SHORTEST_SOUND).then(|| token(&format!("sound {sound}"))) }
}

fn post(postcode: &Postcode, token: &dyn Fn(&str) -> String) -> Post {
    let letters: Vec<char> = postcode.as_str().chars().filter(|c| *c != ' ').map(alike).collect();
    let whole: String = letters.iter().collect();
    let forms = std::iter::once(whole).chain(without_each(&letters));
    let outward: String = postcode.outward().chars().map(alike).collect();
    Post {
        near: forms.map(|form| token(&format!("post {form}"))).collect(),
        outward: token(&format!("outward {outward}")),
    }
}

/// One sign for those that are taken for each other.
fn alike(sign: char) -> char {
    match sign {
        'O' => '0',
        'I' => '1',
        sign => sign,
    }
}

fn without_each(letters: &[char]) -> BTreeSet<String> {
    (0..letters.len())
        .map(|left| letters.iter().enumerate().filter(|(i, _)| *i != left).map(|(_, c)| c).collect())
        .collect()
}

/// Words of a street or of a house's name.
#[derive(Default)]
struct Parts {
    words: Vec<String>,
    joined: String,
    kind: Option<String>,
}

/// What an address says, taken apart.
#[derive(Default)]
struct Written {
    posts: Vec<Postcode>,
    numbers: Vec<(Of, String)>,
    streets: Vec<Parts>,
    houses: Vec<Parts>,
    town: Vec<String>,
}

impl Written {
    fn read(address: &Address) -> Self {
        let mut written = Self { posts: address.postcode.iter().cloned().collect(), ..Self::default() };
        let mut pieces: Vec<Piece> = Vec::new();
        for line in &address.lines {
            for (text, is_note) in segments(line) {
                let mut tokens: Vec<String> = fold::tokens(&text).into_iter().flat_map(apart).collect();
                if let Some(postcode) = take_postcode(&mut tokens)
                    && !written.posts.contains(&postcode)
                {
                    written.posts.push(postcode);
                }
                if matches!(tokens.first().map(String::as_str), Some("c" | "care"))
                    && matches!(tokens.get(1).map(String::as_str), Some("o" | "of"))
                {
                    tokens.drain(..2);
                    // The name of whoever it is care of says nothing of the place.
                    if !tokens.iter().any(|word| is_number(word) || street_kind(word).is_some() || is_building(word)) {
                        continue;
                    }
                }
                pieces.extend(Piece::split(tokens, is_note));
            }
        }
        let last_numbered = pieces.iter().rposition(|piece| piece.is_street());
        for (place, piece) in pieces.into_iter().enumerate() {
            written.add(piece, last_numbered.is_some_and(|last| place < last));
        }
        // A place without street and number: what comes first is its name.
        if written.streets.is_empty() && written.houses.is_empty() && !written.town.is_empty() {
            let words = std::mem::take(&mut written.town);
            written.houses.push(Parts { joined: words.concat(), words: words.clone(), kind: None });
            written.town = words.into_iter().skip(1).collect();
        }
        written
    }

    fn add(&mut self, piece: Piece, is_before_street: bool) {
        let Piece { numbers, words, is_note } = piece;
        let is_numbered = numbers.iter().any(|(of, _)| *of != Of::Word);
        let street = numbered_street(&words);
        let of_house = if is_before_street { Of::Either } else { Of::House };
        let building = words.iter().any(|word| is_building(word)) && street.is_none();
        for (of, number) in numbers {
            let of = if of == Of::House && building {
                Of::Flat
            } else if of == Of::House {
                of_house
            } else {
                of
            };
            self.numbers.push((of, number));
        }
        let telling: Vec<String> = words.iter().filter(|word| !NOISE.contains(&word.as_str())).cloned().collect();
        if let Some((start, end)) = street {
            let kind = street_kind(&words[end]).unwrap_or_default().to_owned();
            let core: Vec<String> = words[start..end].iter().filter(|word| word.as_str() != "the").cloned().collect();
            let joined = format!("{}{kind}", core.concat());
            self.streets.push(Parts { words: core, joined, kind: Some(kind) });
            let rest = words[end + 1..].iter().filter(|word| is_town(word));
            self.town.extend(rest.filter(|_| !is_note).cloned());
        } else if telling.is_empty() {
        } else if building || is_before_street || is_note {
            let core: Vec<String> = telling.iter().filter(|word| !is_building(word)).cloned().collect();
            let joined = telling.concat();
            self.houses.push(Parts { words: if core.is_empty() { telling } else { core }, joined, kind: None });
        } else if is_numbered && self.streets.is_empty() {
            self.streets.push(Parts { joined: telling.concat(), words: telling, kind: None });
        } else {
            self.town.extend(telling.into_iter().filter(|word| is_town(word)));
        }
    }
}

/// A piece of an address: up to the next comma, number or end of a house's name.
#[derive(Default)]
struct Piece {
    numbers: Vec<(Of, String)>,
    words: Vec<String>,
    is_note: bool,
}

impl Piece {
    fn split(tokens: Vec<String>, is_note: bool) -> Vec<Self> {
        let mut pieces = vec![Self { is_note, ..Self::default() }];
        let mut flat = false;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let Some(piece) = pieces.last_mut() else { break };
            if FLATS.contains(&token.as_str()) {
                flat = true;
                continue;
            }
            let is_letter = |word: &str| word.len() == 1 && word.bytes().all(|b| b.is_ascii_lowercase());
            if is_number(&token) || (flat && is_letter(&token)) {
                let mut number = token.trim_start_matches('0').to_owned();
                if number.bytes().all(|b| b.is_ascii_digit())
                    && let Some(letter) = tokens.next_if(|next| is_letter(next))
                {
                    number.push_str(&letter);
                }
                let of = if flat { Of::Flat } else { Of::House };
                flat = false;
                let new =
                    !piece.words.is_empty() || (of == Of::House && piece.numbers.iter().any(|(of, _)| *of == Of::Flat));
                if new {
                    pieces.push(Self { is_note, ..Self::default() });
                }
                if let Some(piece) = pieces.last_mut() {
                    piece.numbers.push((of, number));
                }
                continue;
            }
            flat = false;
            if let Some(place) = NUMBERS.iter().position(|word| *word == token) {
                piece.numbers.push((Of::Word, (place + 1).to_string()));
            }
            if token.bytes().any(|b| b.is_ascii_digit()) && !is_word_with_a_slip(&token) {
                continue;
            }
            let token = plain_word(&token);
            let ends_name = is_building(&token)
                && !piece.words.is_empty()
                && tokens.peek().is_some_and(|next| street_kind(next).is_none());
            piece.words.push(token);
            if ends_name {
                pieces.push(Self { is_note, ..Self::default() });
            }
        }
        pieces.retain(|piece| !piece.numbers.is_empty() || !piece.words.is_empty());
        pieces
    }

    fn is_street(&self) -> bool {
        numbered_street(&self.words).is_some()
    }
}

/// Where the words of a street begin and which of them says what kind it is.
fn numbered_street(words: &[String]) -> Option<(usize, usize)> {
    let first = words.iter().enumerate().skip(1).find(|(_, word)| street_kind(word).is_some())?.0;
    let more = words[first + 1..].iter().take_while(|word| street_kind(word).is_some()).count();
    Some((0, first + more))
}

/// 3Hidden and Flat2: a number and a word that lack their space.
fn apart(token: String) -> Vec<String> {
    let digits = token.bytes().take_while(u8::is_ascii_digit).count();
    let letters = token.bytes().take_while(u8::is_ascii_alphabetic).count();
    let is_letters = |text: &str| text.bytes().all(|b| b.is_ascii_alphabetic());
    if (1..=4).contains(&digits) && token.len() >= digits + 3 && is_letters(&token[digits..]) {
        return vec![token[..digits].to_owned(), token[digits..].to_owned()];
    }
    let (word, number) = token.split_at(letters);
    if is_number(number) && (FLATS.contains(&word) || word == "no") {
        return vec![word.to_owned(), number.to_owned()];
    }
    vec![token]
}

/// Cr0wn: a word in which a digit stands for a letter.
fn is_word_with_a_slip(word: &str) -> bool {
    word.starts_with(|sign: char| sign.is_alphabetic()) && word.chars().filter(|sign| sign.is_alphabetic()).count() >= 3
}

/// A word as all addresses have it.
fn plain_word(word: &str) -> String {
    match word {
        "saint" => "st".to_owned(),
        "upr" => "upper".to_owned(),
        "lwr" | "lr" => "lower".to_owned(),
        "nth" => "north".to_owned(),
        "sth" => "south".to_owned(),
        word => word
            .chars()
            .map(|sign| if word.bytes().any(|b| b.is_ascii_alphabetic()) { latin(sign) } else { sign })
            .map(|sign| match sign {
                '0' => 'o',
                '1' => 'i',
                '3' => 'e',
                '5' => 's',
                sign => sign,
            })
            .collect(),
    }
}

/// The letter that one of another script is taken for, in a word that has letters of both.
fn latin(sign: char) -> char {
    const ALIKE: [(&str, &str); 2] = [("аеорсухіѕјкмтвнԁһ", "aeopcyxisjkmtbhdh"), ("αοριντκυ", "aopivtku")];
    let of = |(other, latin): &(&str, &str)| latin.chars().nth(other.chars().position(|known| known == sign)?);
    ALIKE.iter().find_map(of).unwrap_or(sign)
}

fn street_kind(word: &str) -> Option<&'static str> {
    STREETS.iter().find(|(kind, short)| *kind == word || short.contains(&word)).map(|(kind, _)| *kind)
}

fn is_building(word: &str) -> bool {
    BUILDINGS.contains(&word)
}

fn is_town(word: &str) -> bool {
    word.len() > 1 && !NOISE.contains(&word) && !word.ends_with("shire")
}

/// `3`, `14a`; not a phone number.
fn is_number(word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    (1..=5).contains(&digits) && word.bytes().skip(digits).all(|b| b.is_ascii_lowercase()) && word.len() <= digits + 1
}

/// A line in pieces, and whether each is a note in brackets.
fn segments(line: &str) -> Vec<(String, bool)> {
    let mut pieces = vec![(String::new(), false)];
    for sign in line.chars().filter(|sign| !is_invisible(*sign)) {
        match sign {
            '(' | '[' | '{' => pieces.push((String::new(), true)),
            ')' | ']' | '}' | ',' | ';' | '\n' | '\r' | '|' | ':' => pieces.push((String::new(), false)),
            sign => {
                if let Some((text, _)) = pieces.last_mut() {
                    text.push(sign);
                }
            }
        }
    }
    pieces
}

/// Signs without width, which a copy from a web page brings along.
fn is_invisible(sign: char) -> bool {
    matches!(sign, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Takes the first postcode out of a line's words, also one with a letter O for a zero.
fn take_postcode(tokens: &mut Vec<String>) -> Option<Postcode> {
    for start in 0..tokens.len() {
        for length in [2, 1] {
            let Some(words) = tokens.get(start..start + length) else { continue };
            if let Some(postcode) = read_postcode(&words.concat()) {
                tokens.drain(start..start + length);
                return Some(postcode);
            }
        }
    }
    None
}

/// A postcode, also with O for 0 and the like. The house's number before a street's name is none: its last part begins with
/// a digit, and its first with a letter.
fn read_postcode(packed: &str) -> Option<Postcode> {
    if !packed.is_ascii() || !(5..=7).contains(&packed.len()) {
        return None;
    }
    let (outward, inward) = packed.split_at(packed.len() - 3);
    if !outward.starts_with(|sign: char| sign.is_ascii_alphabetic())
        || !inward.starts_with(|sign: char| sign.is_ascii_digit())
    {
        return None;
    }
    let letter = |sign: char| match sign {
        '0' => 'o',
        '1' => 'i',
        sign => sign,
    };
    let (digit, letters) = inward.split_at(1);
    let letters: String = letters.chars().map(letter).collect();
    let mended = match outward.split_at(outward.len() - 1) {
        (front, "o") => format!("{front}0"),
        (front, "i" | "l") => format!("{front}1"),
        _ => String::new(),
    };
    [outward, &mended].into_iter().find_map(|outward| Postcode::parse(&format!("{outward}{digit}{letters}")).ok())
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
