//! Common values: what stands on more people of a whole extract than can share it.
//!
//! "noemail@noemail.com" on 400 tenants, a test number on everybody whose number nobody knew, the civic centre's address:
//! such a value says nothing of who somebody is, whatever it is, so no list of them is needed. A whole extract is counted
//! as it is read ([`Counting`]), and what is found ([`Common`]) is taken out of its records before they are compared. A
//! file of changes goes by its feed's last whole extract.

use fc_model::{Details, HandleKey, PartialDate, fold, nicknames};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An NHS number, pupil number or another identifier of a person.
    Number,
    /// A phone number or an e-mail address.
    Contact,
    /// An address.
    Address,
    /// A birth date.
    Birth,
}

impl Kind {
    /// As reports name several of them.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Number => "identifiers",
            Self::Contact => "phone numbers or e-mail addresses",
            Self::Address => "addresses",
            Self::Birth => "birth dates",
        }
    }

    /// How many people may share a value, and how many surnames they may have together, before it is common.
    fn limits(self) -> (usize, usize) {
        match self {
            // A number is one person's, and a clerk may write it on another's record: one of the two still has it. On three it
            // is nobody's.
            Self::Number => (2, usize::MAX),
            // A household of three generations, of up to five names.
            Self::Contact => (10, 5),
            // The largest care homes and hostels: people do live there. An office stands on more.
            Self::Address => (100, 40),
            Self::Birth => (usize::MAX, usize::MAX),
        }
    }
}

/// People of one birth date before it is compared with what chance brings.
const FEW_BIRTHS: usize = 20;
/// How often as many people as on the mean day may be born on one day. Twins, school years and festivals stay far below.
const BIRTHS_OF_CHANCE: usize = 10;
/// People of one value that are kept, in the order of their hashes: more than any limit.
const TOLD_APART: usize = 128;

/// The keyed hashes of values that stand on more people than can share them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Common(BTreeSet<String>);

/// Length of a keyed hash here: 64 bits, of which a feed has a few million values.
const HASH: usize = 16;
/// The most values that are kept, whatever a file holds: those on the most people.
const MOST: usize = 2_000;

impl Common {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hashes, sorted.
    pub fn hashes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// From hashes that [`Common::hashes`] gave; `None` when one has another shape.
    pub fn of<'h>(hashes: impl Iterator<Item = &'h str>) -> Option<Self> {
        let is_hash = |hash: &str| hash.len() == HASH && hash.bytes().all(|b| b.is_ascii_hexdigit());
        hashes.map(|hash| is_hash(hash).then(|| hash.to_owned())).collect::<Option<BTreeSet<_>>>().map(Self)
    }

    /// Takes common values out of what is said of a person: numbers and contacts, which are not theirs, altogether. An
    /// address and a birth date stay to be shown, and are marked as no evidence.
    pub fn take_out(&self, key: &HandleKey, details: &mut Details) {
        if self.is_empty() {
            return;
        }
        let is_common = |kind: Kind, value: &str| self.0.contains(&hash(key, kind, value));
        let is_number = |value: &str| is_common(Kind::Number, value);
        details.nhs_number.take_if(|number| is_number(&format!("nhs:{}", number.as_str())));
        details.upn.take_if(|upn| is_number(&format!("upn:{}", upn.as_str())));
        details.single_unique_identifier.take_if(|id| is_number(&format!("sui:{}", fold::joined(id))));
        details.other_identifiers.retain(|(kind, value)| !is_number(&format!("{kind}:{}", fold::joined(value))));
        details.phones.retain(|phone| !is_common(Kind::Contact, phone.as_str()));
        details.emails.retain(|email| !is_common(Kind::Contact, email.as_str()));
        for address in &mut details.addresses {
            address.no_evidence = place(address).is_some_and(|place| is_common(Kind::Address, &place));
        }
        details.birth_no_evidence = details.birth.is_some_and(|birth| is_common(Kind::Birth, &birth.date.to_string()));
    }
}

fn hash(key: &HandleKey, kind: Kind, value: &str) -> String {
    let mut hash = key.hash("common", &format!("{kind:?}:{value}"));
    hash.truncate(HASH);
    hash
}

/// One place, however it is written: its UPRN, or its words and postcode.
fn place(address: &fc_model::Address) -> Option<String> {
    let words = fold::joined(&address.display());
    address.uprn.map(|uprn| u64::from(uprn).to_string()).or_else(|| (!words.is_empty()).then_some(words))
}

/// Somebody, as far as people of one value are told apart: hashes of the forename's root and of the surname, and the
/// birth date; nought where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    forename: u32,
    surname: u32,
    birth: u32,
}

impl Who {
    fn of(record: &str, details: &Details) -> Self {
        let name = details.names.first();
        let word = |words: Vec<String>, root: bool| {
            let word = words.first().map(|word| if root { nicknames::root(word).to_owned() } else { word.clone() });
            word.map_or(0, |word| short(&word))
        };
        let birth = details.birth.map_or(0, |birth| short(&birth.date.to_string()));
        let forename = name.map_or(0, |name| word(name.forename_tokens(), true));
        let surname = name.map_or(0, |name| word(name.surname_tokens(), false));
        // A feed that does not say who it is about: every record id is somebody.
        let is_nobody = forename == 0 && surname == 0 && birth == 0;
        if is_nobody { Self { forename: short(record), ..Self::default() } } else { Self { forename, surname, birth } }
    }

    /// Whether two are certainly two: of another forename and another surname or birth date. Where a forename is not known
    /// both of these differ.
    fn certainly_differs(self, other: Self) -> bool {
        let differ = |a: u32, b: u32| a != 0 && b != 0 && a != b;
        let (surname, birth) = (differ(self.surname, other.surname), differ(self.birth, other.birth));
        if self.forename == 0 || other.forename == 0 {
            return surname && birth;
        }
        let is_by_record = self.surname == 0 && self.birth == 0;
        self.forename != other.forename && (surname || birth || is_by_record)
    }
}

/// A hash that is never nought, the same on every machine.
fn short(text: &str) -> u32 {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(text);
    u32::try_from(hash >> 32).unwrap_or(0).max(1)
}

/// Who has a value: those who are not written alike, the same whatever the order they come in.
#[derive(Debug, Default)]
struct Holders {
    records: u32,
    one: Who,
    /// All of them, in order, once there are two: nearly every value is one person's.
    several: BTreeSet<Who>,
}

impl Holders {
    fn add(&mut self, who: Who) {
        self.records += 1;
        if self.records == 1 {
            self.one = who;
        }
        if self.several.is_empty() && who == self.one {
            return;
        }
        self.several.extend([self.one, who]);
        if self.several.len() > TOLD_APART {
            self.several.pop_last();
        }
    }

    fn is_common(&self, kind: Kind) -> bool {
        let people = &self.several;
        let (most_people, most_surnames) = kind.limits();
        let mut apart: Vec<Who> = Vec::new();
        for who in people.iter() {
            if apart.iter().all(|other| who.certainly_differs(*other)) {
                apart.push(*who);
            }
        }
        let surnames: BTreeSet<u32> = people.iter().map(|who| who.surname).filter(|name| *name != 0).collect();
        match kind {
            Kind::Address => apart.len() > most_people && surnames.len() > most_surnames,
            // Many people, or a few of as many names: what is nobody's own.
            Kind::Number => apart.len() > most_people,
            _ => apart.len() > most_people || apart.len() > most_surnames && surnames.len() > most_surnames,
        }
    }
}

/// Counts who has what, while a whole extract is read.
#[derive(Debug, Default)]
pub struct Counting {
    /// By the keyed hash of the value: nothing here tells what it is.
    values: HashMap<(Kind, u64), Holders>,
    births: HashMap<u64, u32>,
    people_born: u64,
}

/// What was found common, in numbers: for each kind, values and the records that have them.
pub type Found = BTreeMap<Kind, (u64, u64)>;

impl Counting {
    /// Adds what a row says of a record.
    pub fn add(&mut self, key: &HandleKey, record: &str, details: &Details) {
        let who = Who::of(record, details);
        let mut add = |kind: Kind, value: &str| {
            self.values.entry((kind, number(&hash(key, kind, value)))).or_default().add(who);
        };
        if let Some(nhs) = &details.nhs_number {
            add(Kind::Number, &format!("nhs:{}", nhs.as_str()));
        }
        if let Some(upn) = &details.upn {
            add(Kind::Number, &format!("upn:{}", upn.as_str()));
        }
        if let Some(id) = &details.single_unique_identifier {
            add(Kind::Number, &format!("sui:{}", fold::joined(id)));
        }
        for (kind, value) in &details.other_identifiers {
            add(Kind::Number, &format!("{kind}:{}", fold::joined(value)));
        }
        for phone in &details.phones {
            add(Kind::Contact, phone.as_str());
        }
        for email in &details.emails {
            add(Kind::Contact, email.as_str());
        }
        for place in details.addresses.iter().filter_map(place) {
            add(Kind::Address, &place);
        }
        // 1 January stands for the year alone, which the comparison knows.
        let is_new_year = |date: PartialDate| date.whole().is_some_and(|day| (day.month(), day.day()) == (1, 1));
        if let Some(birth) = details.birth.filter(|birth| birth.date.whole().is_some() && !is_new_year(birth.date)) {
            let value = number(&hash(key, Kind::Birth, &birth.date.to_string()));
            *self.births.entry(value).or_default() += 1;
            self.people_born += 1;
        }
    }

    /// What stands on more people than can share it.
    #[must_use]
    pub fn found(self) -> (Common, Found) {
        let mean = usize::try_from(self.people_born / (self.births.len() as u64).max(1)).unwrap_or(usize::MAX);
        let most_born = FEW_BIRTHS.max(mean.saturating_mul(BIRTHS_OF_CHANCE));
        let values = self.values.into_iter().filter(|((kind, _), holders)| holders.is_common(*kind));
        let values = values.map(|((kind, value), holders)| (holders.records, kind, value));
        let births = self.births.into_iter().filter(|(_, born)| *born as usize > most_born);
        let births = births.map(|(value, born)| (born, Kind::Birth, value));
        let mut all: Vec<(u32, Kind, u64)> = values.chain(births).collect();
        // The most common first; the hash breaks ties, so that the same file always gives the same.
        all.sort_unstable_by(|x, y| y.0.cmp(&x.0).then_with(|| (x.1, x.2).cmp(&(y.1, y.2))));
        all.truncate(MOST);
        let mut found = Found::new();
        for (records, kind, _) in &all {
            let counts = found.entry(*kind).or_default();
            counts.0 += 1;
            counts.1 += u64::from(*records);
        }
        (Common(all.into_iter().map(|(_, _, value)| format!("{value:016x}")).collect()), found)
    }
}

fn number(hash: &str) -> u64 {
    u64::from_str_radix(hash, 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fc_model::{Address, BirthDate, Email, Name, NhsNumber, Phone};

    fn key() -> HandleKey {
        HandleKey::new([7; 32]).unwrap()
    }

    fn person(forename: &str, surname: &str, born: &str) -> Details {
        Details {
            names: vec![Name::current([forename], surname)],
            birth: PartialDate::parse_iso(born).ok().map(BirthDate::born),
            ..Details::default()
        }
    }

    fn common_of(people: &[Details]) -> Common {
        let mut counting = Counting::default();
        for (place, details) in people.iter().enumerate() {
            counting.add(&key(), &format!("R{place}"), details);
        }
        counting.found().0
    }

    /// What is left of each once common values are taken out.
    fn left(mut people: Vec<Details>) -> Vec<Details> {
        let common = common_of(&people);
        people.iter_mut().for_each(|details| common.take_out(&key(), details));
        people
    }

    /// People who share nothing but what `with` gives them.
    fn strangers(count: usize, with: impl Fn(&mut Details)) -> Vec<Details> {
        let one = |place: usize| {
            let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
            let name = format!("{}{}{}o", letter(place), letter(place / 26), letter(place * 7));
            let mut details =
                person(&name, &format!("{name}son"), &format!("19{:02}-{:02}-07", 50 + place % 40, 1 + place % 12));
            with(&mut details);
            details
        };
        (0..count).map(one).collect()
    }

    fn email(text: &str) -> impl Fn(&mut Details) {
        let email = Email::parse(text).unwrap();
        move |details| details.emails = vec![email.clone()]
    }

    #[test]
    fn one_placeholder_email_on_everybody_is_nobodys() {
        assert!(left(strangers(200, email("enquiries@fenchester.example"))).iter().all(|d| d.emails.is_empty()));
        assert!(left(strangers(6, email("enquiries@fenchester.example"))).iter().all(|d| d.emails.is_empty()));
        assert!(left(strangers(5, email("enquiries@fenchester.example"))).iter().all(|d| !d.emails.is_empty()));
    }

    #[test]
    fn a_large_family_keeps_the_phone_it_shares() {
        let phone = Phone::parse("07700 900123").unwrap();
        let member = |place: usize| {
            let forenames = ["Ada", "Ben", "Cleo", "Dev", "Eve", "Finn", "Gwen", "Hugo", "Ines", "Jack"];
            let surname = ["Okafor", "Shah"][place % 2];
            let mut details = person(forenames[place], surname, &format!("20{place:02}-03-02"));
            details.phones = vec![phone.clone()];
            details
        };
        assert!(left((0..10).map(member).collect()).iter().all(|details| details.phones.len() == 1));
    }

    #[test]
    fn a_number_of_three_people_is_no_evidence_and_one_of_somebody_written_often_is() {
        let with = |mut details: Details| {
            details.nhs_number = NhsNumber::parse("9990000018").ok();
            details
        };
        let amelia = || with(person("Amelia", "Brown", "2012-02-01"));
        let noah = || with(person("Noah", "Brown", "1988-09-17"));
        let zofia = || with(person("Zofia", "Nowak", "1988-09-17"));
        assert!(left(vec![amelia(), noah(), zofia()]).iter().all(|details| details.nhs_number.is_none()));
        assert!(left(vec![amelia(), noah()]).iter().all(|details| details.nhs_number.is_some()));
        let again = [
            person("Amelia", "Brown", "2012-02-01"),
            person("Millie", "Brown", "2012-02-01"),
            person("Amelia", "Browne", "2012-02-01"),
            person("Amelia", "Brown", "2012-01-02"),
            person("Amelia", "Brown", ""),
        ];
        let often: Vec<Details> = again.into_iter().map(with).collect();
        assert!(left(often).iter().all(|details| details.nhs_number.is_some()));
    }

    #[test]
    fn the_address_of_an_office_is_shown_and_is_no_evidence() {
        let at = |details: &mut Details| {
            details.addresses = vec![Address { lines: vec!["c/o Civic Centre".into()], ..Address::default() }];
        };
        let many = left(strangers(150, at));
        assert!(many.iter().all(|details| details.addresses[0].no_evidence && !details.addresses[0].lines.is_empty()));
        assert!(left(strangers(60, at)).iter().all(|details| !details.addresses[0].no_evidence));
    }

    #[test]
    fn a_birth_date_far_beyond_chance_is_no_evidence_and_stays() {
        let epoch = PartialDate::parse_iso("1980-04-01").ok().map(BirthDate::born);
        let mut people = strangers(400, |_| {});
        people.iter_mut().step_by(4).for_each(|details| details.birth = epoch);
        let left = left(people);
        assert!(left[0].birth_no_evidence && left[0].birth == epoch);
        assert!(!left[1].birth_no_evidence);
    }

    #[test]
    fn the_same_rows_in_another_order_have_the_same_common_values() {
        let mut people = strangers(60, email("enquiries@fenchester.example"));
        let one = common_of(&people);
        people.reverse();
        assert!(!one.is_empty() && one == common_of(&people));
        assert_eq!(Common::of(one.hashes()), Some(one.clone()));
        assert_eq!(Common::of(["zz"].into_iter()), None);
    }
}
