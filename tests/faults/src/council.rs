//! A small made-up council and its files: what a seed drops, night after night.
//!
//! People change between nights in every way that moves a link; files are full or changes only, come twice, and an older
//! one comes late. Whatever order things come in, there is one right answer in the end. Two things have none, so a seed
//! does not ask for them: what a restriction passes to is history, so somebody restricted changes in one record a night;
//! and of two files of the same date nobody can say which is newer.

use crate::dice::Dice;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

const FORENAMES: [&str; 24] = [
    "Maya",
    "Oliver",
    "Katherine",
    "Kate",
    "Mohammed",
    "Amelia",
    "Jack",
    "Grace",
    "Leo",
    "Zara",
    "Thomas",
    "Isla",
    "Robert",
    "Bob",
    "Freya",
    "Noah",
    "Priya",
    "Daniel",
    "Ruby",
    "Ewan",
    "Harriet",
    "Yusuf",
    "Chloe",
    "Patrick",
];
const SURNAMES: [&str; 28] = [
    "Okafor",
    "Pemberton",
    "Kowalski",
    "Begum",
    "Whitlock",
    "Carter",
    "Dhillon",
    "Nkosi",
    "Fairweather",
    "Osei",
    "Lindqvist",
    "Marchbanks",
    "Rahman",
    "Thistlewood",
    "Vasquez",
    "Young",
    "Zielinski",
    "Abbott",
    "Quigley",
    "Hughes",
    "Ivanova",
    "Jessop",
    "Underhill",
    "Eastwood",
    "Gallagher",
    "Redfern",
    "Ttouli",
    "Bexley",
];
const STREETS: [&str; 6] =
    ["Lantern Row", "Mill Lane", "Castle Street", "Poplar Avenue", "Bridge Road", "Orchard Close"];
const SYLLABLES: [&str; 6] = ["Bram", "Keld", "Dorn", "Felt", "Garv", "Monk"];
const ENDINGS: [&str; 5] = ["ley", "ton", "wick", "sham", "burn"];

/// A feed that drops files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feed {
    /// Who the case management system knows.
    Cms,
    /// Where they live.
    CmsAddresses,
    /// Tenants.
    Housing,
    /// Pupils: changes only.
    Schools,
}

/// The feeds.
pub const FEEDS: [Feed; 4] = [Feed::Cms, Feed::CmsAddresses, Feed::Housing, Feed::Schools];

impl Feed {
    /// Where its files lie.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Cms => "cms/people",
            Self::CmsAddresses => "cms/addresses",
            Self::Housing => "housing/people",
            Self::Schools => "schools/people",
        }
    }

    fn source(self) -> Source {
        match self {
            Self::Cms | Self::CmsAddresses => Source::Cms,
            Self::Housing => Source::Housing,
            Self::Schools => Source::Schools,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Cms,
    Housing,
    Schools,
}

/// A file, and on which day and minute of the simulation it is dropped.
#[derive(Debug, Clone)]
pub struct File {
    /// Whose.
    pub feed: Feed,
    /// Its name.
    pub name: String,
    /// What it says.
    pub text: String,
    /// The minute, from the beginning, at which it is uploaded.
    pub minute: i64,
}

/// A council and its nights.
#[derive(Debug)]
pub struct Council {
    /// What is dropped, night after night.
    pub nights: Vec<Vec<File>>,
    /// Records there ever were.
    pub records: usize,
    /// Rows of all files.
    pub rows: usize,
    /// Beyond how many records a blocking key supports no link.
    pub saturation: usize,
    /// Changes in a part.
    pub part_lines: usize,
    /// Whether an unknown hash may stand in a manifest in the end: a delta came late, or was taken over.
    pub is_doubtful: bool,
}

/// Somebody, as a record of theirs says.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    forename: String,
    surname: String,
    former: String,
    born: String,
    nhs: String,
    address: String,
    postcode: String,
    protection: &'static str,
    never: String,
}

/// A record: what it says, or that it is not there.
type Records = BTreeMap<(Source, String), Option<Said>>;

/// Days between two nights, so that two files of one night have dates of their own.
const DAYS: i64 = 4;
/// Minutes of a day.
const DAY: i64 = 24 * 60;

impl Council {
    /// The council of a seed. Two in five are crowded: a blocking key supports no link beyond 4 or 8 records already, so
    /// that keys cross the limit every night.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let is_huge = seed % 20 == 7;
        let mut now = Records::new();
        let mut careful = BTreeSet::new();
        settle(&mut dice, &mut now, &mut careful);
        if is_huge {
            chain(&mut now);
        }
        let saturation = if is_huge { 50 } else { *dice.pick(&[50, 50, 50, 8, 4]).unwrap_or(&50) };
        let mut council = Self {
            nights: Vec::new(),
            records: 0,
            rows: 0,
            saturation,
            part_lines: (now.len() / 10).max(4),
            is_doubtful: false,
        };
        let mut files = Files { dice, before: Records::new(), early: None };
        for night in 0..4 {
            let mut next = now.clone();
            if night > 0 {
                change(&mut files.dice, &mut next, &careful);
            }
            council.nights.push(files.night(night, &now, &next, &careful, &mut council.is_doubtful));
            now = next;
        }
        council.records = now.len();
        council.rows = council.nights.iter().flatten().map(|file| file.text.lines().count().saturating_sub(1)).sum();
        council
    }
}

/// Who lives here. `careful` are records of people with a restriction or a link that must never be.
fn settle(dice: &mut Dice, records: &mut Records, careful: &mut BTreeSet<(Source, String)>) {
    let mut number = 0;
    let mut surnames: Vec<&str> = SURNAMES.to_vec();
    dice.shuffle(&mut surnames);
    for (household, surname) in surnames.iter().take(11).enumerate() {
        let (address, postcode) = home(household);
        for _ in 0..1 + dice.below(3) {
            let soul = Said {
                forename: FORENAMES[dice.below(FORENAMES.len())].to_owned(),
                surname: (*surname).to_owned(),
                former: String::new(),
                born: format!("{}-{:02}-{:02}", 1960 + dice.below(60), 1 + dice.below(12), 1 + dice.below(28)),
                nhs: nhs_number(dice),
                address: address.clone(),
                postcode: postcode.clone(),
                protection: "",
                never: String::new(),
            };
            for source in [Source::Cms, Source::Housing, Source::Schools] {
                for _ in 0..usize::from(dice.in_1000(750)) + usize::from(dice.in_1000(120)) {
                    number += 1;
                    records.insert((source, format!("{number}")), Some(as_written(dice, &soul)));
                }
            }
        }
    }
    // Restricted people: nobody else has their surname, so that whom they are linked with never hangs on others.
    for (i, (protection, surname)) in [("hidden", "Ashdown"), ("withheld", "Birtwhistle")].iter().enumerate() {
        let (address, postcode) = home(40 + i);
        let soul = Said {
            forename: FORENAMES[dice.below(FORENAMES.len())].to_owned(),
            surname: (*surname).to_owned(),
            former: String::new(),
            born: format!("201{i}-0{}-1{i}", 1 + dice.below(9)),
            nhs: nhs_number(dice),
            address,
            postcode,
            protection: "",
            never: String::new(),
        };
        for source in [Source::Cms, Source::Housing, Source::Schools] {
            number += 1;
            let protection = if source == Source::Cms { protection } else { "" };
            let key = (source, format!("{number}"));
            careful.insert(key.clone());
            records.insert(key, Some(Said { protection, ..soul.clone() }));
        }
    }
    // The old and the new identity of an adopted child, whom everything would link.
    let (address, postcode) = home(50);
    let child = Said {
        forename: "Rowan".to_owned(),
        surname: "Cressingham".to_owned(),
        former: String::new(),
        born: "2016-05-04".to_owned(),
        nhs: String::new(),
        address,
        postcode,
        protection: "",
        never: String::new(),
    };
    let (old, new) = (format!("{}", number + 1), format!("{}", number + 2));
    for (id, never) in [(old.clone(), new.clone()), (new, String::new())] {
        let key = (Source::Cms, id);
        careful.insert(key.clone());
        records.insert(key, Some(Said { never, ..child.clone() }));
    }
    let pupil = (Source::Schools, format!("{}", number + 3));
    careful.insert(pupil.clone());
    records.insert(pupil, Some(child));
    number += 3;
    // Never fewer than forty.
    while records.len() < 44 {
        number += 1;
        let (address, postcode) = home(number);
        let soul = Said {
            forename: FORENAMES[dice.below(FORENAMES.len())].to_owned(),
            surname: surnames[dice.below(11)].to_owned(),
            former: String::new(),
            born: format!("{}-{:02}-{:02}", 1960 + dice.below(60), 1 + dice.below(12), 1 + dice.below(28)),
            nhs: String::new(),
            address,
            postcode,
            protection: "",
            never: String::new(),
        };
        records.insert((Source::Housing, format!("{number}")), Some(soul));
    }
}

/// A component of more than a hundred records: groups that are alike in most things, each like the next. Three groups share
/// a birth date, and the next three are a digit off: a date of them all would be no evidence.
fn chain(records: &mut Records) {
    let names: Vec<String> =
        SYLLABLES.iter().flat_map(|one| ENDINGS.iter().map(move |other| format!("{one}{other}"))).collect();
    for (group, pair) in names.windows(2).enumerate() {
        let [name, next] = pair else { continue };
        let (address, postcode) = home(100 + group);
        let born = |group: usize| format!("1951-06-{}", 10 + group / 3 % 20);
        let soul = Said {
            forename: "Evelyn".to_owned(),
            surname: name.clone(),
            former: String::new(),
            born: born(group),
            nhs: String::new(),
            address,
            postcode,
            protection: "",
            never: String::new(),
        };
        for copy in 0..4 {
            records.insert((Source::Housing, format!("9{group:02}{copy}")), Some(soul.clone()));
        }
        let bridge = Said { former: next.clone(), born: born(group + 1), ..soul };
        records.insert((Source::Housing, format!("9{group:02}9")), Some(bridge));
    }
}

fn home(number: usize) -> (String, String) {
    let street = STREETS[number % STREETS.len()];
    let letter = char::from(b'A' + u8::try_from(number / 10 % 20).unwrap_or(0));
    (format!("{} {street}", 1 + number), format!("FE{} {}{letter}A", 1 + number % 9, 1 + number % 8))
}

/// Ten digits with the check digit that their rule asks for.
fn nhs_number(dice: &mut Dice) -> String {
    loop {
        let digits: Vec<usize> = std::iter::once(9).chain((0..8).map(|_| dice.below(10))).collect();
        let sum: usize = digits.iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum();
        match (11 - sum % 11) % 11 {
            10 => {}
            check => return digits.iter().chain([&check]).map(ToString::to_string).collect(),
        }
    }
}

/// What a system has of somebody: not always everything, and not always right.
fn as_written(dice: &mut Dice, soul: &Said) -> Said {
    let mut said = soul.clone();
    if dice.in_1000(450) {
        said.nhs.clear();
    }
    if dice.in_1000(100) {
        said.born.clear();
    }
    if dice.in_1000(100) {
        said.surname.push('e');
    }
    if dice.in_1000(80) {
        std::mem::swap(&mut said.forename, &mut said.surname);
    }
    if dice.in_1000(120) {
        (said.address, said.postcode) = home(60 + dice.below(4));
    }
    said
}

/// A night passes: people move, marry, leave, come back; clerks mend and make mistakes.
fn change(dice: &mut Dice, records: &mut Records, careful: &BTreeSet<(Source, String)>) {
    let keys: Vec<(Source, String)> = records.keys().cloned().collect();
    let others = records.iter().filter(|(key, _)| !careful.contains(key));
    let souls: Vec<Said> = others.filter_map(|(_, said)| said.clone()).collect();
    for key in keys.iter().filter(|key| !careful.contains(key)) {
        if !dice.in_1000(220) {
            continue;
        }
        let other = dice.pick(&souls).cloned();
        let Some(slot) = records.get_mut(key) else { continue };
        match slot {
            None => {
                // Somebody comes back: as they were, or as another record has them.
                *slot = other;
            }
            Some(said) => match dice.below(7) {
                0 => *slot = None,
                1 => (said.address, said.postcode) = home(dice.below(14)),
                2 => {
                    said.former = std::mem::replace(&mut said.surname, SURNAMES[dice.below(8)].to_owned());
                }
                3 => said.nhs = if said.nhs.is_empty() { nhs_number(dice) } else { String::new() },
                4 => {
                    said.born =
                        format!("{}-{:02}-{:02}", 1960 + dice.below(60), 1 + dice.below(12), 1 + dice.below(28));
                }
                5 => said.forename = FORENAMES[dice.below(FORENAMES.len())].to_owned(),
                _ => {
                    if let Some(other) = other {
                        said.nhs = other.nhs;
                        said.born = other.born;
                    }
                }
            },
        }
    }
    // One record of one person who is restricted, or must never be linked.
    let careful: Vec<&(Source, String)> = careful.iter().collect();
    let (Some(key), Some(home)) = (dice.pick(&careful), Some(home(70 + dice.below(5)))) else { return };
    let Some(slot) = records.get_mut(*key) else { return };
    match slot {
        None => {}
        Some(said) => match dice.below(4) {
            0 => *slot = None,
            1 if said.protection.is_empty() => (said.address, said.postcode) = home,
            2 if !said.protection.is_empty() => said.protection = "none",
            _ => {}
        },
    }
}

/// Makes files of what systems say.
struct Files {
    dice: Dice,
    /// What was last sent of changes only.
    before: Records,
    /// A full file that went astray, and comes late.
    early: Option<File>,
}

impl Files {
    fn night(
        &mut self,
        night: i64,
        was: &Records,
        is: &Records,
        careful: &BTreeSet<(Source, String)>,
        is_doubtful: &mut bool,
    ) -> Vec<File> {
        let mut files = Vec::new();
        let day = night * DAYS;
        let mut minute = day * DAY + 60;
        for feed in FEEDS {
            minute += 1;
            if night > 0 && feed != Feed::Schools && self.dice.in_1000(150) {
                // The same file again: nothing has changed, says the source.
                let text = self.text(feed, is);
                files.push(file(feed, day, "again", text.clone(), minute));
                files.push(file(feed, day + 1, "and-again", text, minute + 30));
                continue;
            }
            if night > 0 && self.dice.in_1000(300) {
                // An earlier state of the same night, which nobody may see in the end.
                let middle = self.middle(was, is, careful, feed);
                if feed == Feed::Schools {
                    *is_doubtful = true;
                }
                let mut text = self.text(feed, &middle);
                if feed != Feed::Schools && self.dice.in_1000(300) {
                    text = cut(&text, feed, careful);
                }
                files.push(file(feed, day, "early", text, minute));
            }
            let text = self.text(feed, is);
            files.push(file(feed, day + 1, "night", text, minute + 10));
            if feed == Feed::Cms {
                if night > 1
                    && let Some(late) = self.early.take()
                {
                    files.push(File { minute: minute + 20, ..late });
                } else if night == 0 {
                    let middle = self.middle(is, is, careful, feed);
                    self.early = Some(file(feed, -1, "late", self.text(feed, &middle), 0));
                }
            }
        }
        // A notification does not wait for its turn.
        files.sort_by_key(|file| file.minute);
        files
    }

    /// A state between two nights, in which nobody who is restricted differs from the later one.
    fn middle(&mut self, was: &Records, is: &Records, careful: &BTreeSet<(Source, String)>, feed: Feed) -> Records {
        let mut middle = is.clone();
        for (key, slot) in &mut middle {
            let was = was.get(key).cloned().flatten();
            // What a file of changes says and a later one takes back, that one must say again.
            let may = !careful.contains(key) && (feed != Feed::Schools || was != *slot);
            if may && self.dice.in_1000(300) {
                *slot = if self.dice.in_1000(200) { None } else { was };
            }
        }
        middle
    }

    fn text(&mut self, feed: Feed, records: &Records) -> String {
        let mut text = String::new();
        let of_feed = records.iter().filter(|((source, _), _)| *source == feed.source());
        if feed == Feed::CmsAddresses {
            text.push_str("Id,Address,Postcode\n");
            for ((_, id), said) in of_feed {
                let Some(said) = said else { continue };
                let _ = writeln!(text, "{id},{},{}", said.address, said.postcode);
            }
            return text;
        }
        text.push_str("Action,Id,Forename,Surname,Former,Born,NHS,Address,Postcode,Protection,Never\n");
        for (key, said) in of_feed {
            let id = &key.1;
            if feed == Feed::Schools {
                let before = self.before.insert(key.clone(), said.clone()).flatten();
                if before == *said {
                    continue;
                }
            }
            match said {
                None if feed == Feed::Schools => {
                    let _ = writeln!(text, "D,{id},,,,,,,,,");
                }
                None => {}
                Some(said) => {
                    let Said { forename, surname, former, born, nhs, address, postcode, protection, never } = said;
                    let _ = writeln!(
                        text,
                        "A,{id},{forename},{surname},{former},{born},{nhs},{address},{postcode},{protection},{never}"
                    );
                }
            }
        }
        text
    }
}

fn file(feed: Feed, day: i64, what: &str, text: String, minute: i64) -> File {
    // Dates from 2 March 2026 on; the late file is from before.
    let date = 20_260_310 + day;
    File { feed, name: format!("{what}-{date}.csv"), text, minute }
}

/// Half a file: so much has left that somebody has to look at it. Those who are restricted stay.
fn cut(text: &str, feed: Feed, careful: &BTreeSet<(Source, String)>) -> String {
    let stays = |line: &str| {
        let id = line.split(',').nth(usize::from(feed != Feed::CmsAddresses)).unwrap_or_default();
        careful.iter().any(|(source, known)| *source == feed.source() && known == id)
    };
    let lines = text.lines().enumerate().filter(|(number, line)| *number == 0 || number % 2 == 1 || stays(line));
    lines.map(|(_, line)| format!("{line}\n")).collect()
}
