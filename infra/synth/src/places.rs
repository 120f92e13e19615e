//! The made-up city: every dwelling has a number, and its address follows from the number alone.

use crate::dice::{Dice, Purpose};
use std::sync::LazyLock;

/// Dwellings in a street, and in each of its two postcodes.
const STREET: u64 = 48;
const POSTCODE: u64 = 24;
/// Neighbouring streets that make up a part of one town.
const STREETS_TOGETHER: u64 = 8;
/// Letters of the inward part of a postcode (Royal Mail leaves out C, I, K, M, O and V).
const INWARD: &[u8; 20] = b"ABDEFGHJLNPQRSTUWXYZ";
/// Postcodes in a district: nine sectors of 400.
const DISTRICT: u64 = 9 * 400;

static PARTS: LazyLock<Parts> = LazyLock::new(|| Parts::read(include_str!("../data/places.txt")));

struct Parts {
    towns: Vec<String>,
    streets: Vec<String>,
    ways: Vec<String>,
    blocks: Vec<String>,
    care_homes: Vec<String>,
    schools: Vec<String>,
}

impl Parts {
    fn read(text: &str) -> Self {
        let list = |key: &str| -> Vec<String> {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            line.unwrap_or_default().split_whitespace().map(|word| word.replace('_', " ")).collect()
        };
        Self {
            towns: list("towns"),
            streets: list("streets"),
            ways: list("ways"),
            blocks: list("blocks"),
            care_homes: list("care_homes"),
            schools: list("schools"),
        }
    }
}

/// An address of the city.
#[derive(Clone, Default)]
pub(crate) struct Place {
    /// Flat, room or name of the house: "Flat 14A"; often empty.
    pub(crate) flat: String,
    /// House number; empty for a named house.
    pub(crate) number: String,
    /// Street.
    pub(crate) street: String,
    /// Town.
    pub(crate) town: String,
    /// Postcode with its space.
    pub(crate) postcode: String,
    /// Property reference.
    pub(crate) uprn: u64,
}

impl Place {
    /// Number and street.
    pub(crate) fn line(&self) -> String {
        if self.number.is_empty() { self.street.clone() } else { format!("{} {}", self.number, self.street) }
    }

    /// Everything but the postcode, most specific first.
    pub(crate) fn lines(&self) -> Vec<String> {
        [self.flat.clone(), self.line(), self.town.clone()].into_iter().filter(|line| !line.is_empty()).collect()
    }
}

/// The city of one seed.
pub(crate) struct City {
    pub(crate) seed: u64,
}

impl City {
    /// The address of a dwelling.
    pub(crate) fn dwelling(&self, dwelling: u64) -> Place {
        let (street, slot) = (dwelling / STREET, dwelling % STREET);
        let mut dice = Dice::new(self.seed, Purpose::Street, street);
        let name = format!("{} {}", dice.pick(&PARTS.streets), PARTS.ways[dice.early(PARTS.ways.len(), false)]);
        let block = dice.chance(0.12).then(|| dice.pick(&PARTS.blocks).clone());
        let lettered = dice.chance(0.5);
        let town =
            Dice::new(self.seed, Purpose::Street, u64::MAX - street / STREETS_TOGETHER).early(PARTS.towns.len(), false);
        let (flat, number) = match &block {
            // Sixteen flats to a block: 1 to 16, or 1A to 4D.
            Some(block) if lettered => {
                let flat = slot % 16;
                let letter = char::from(b'A' + (flat % 4) as u8);
                (format!("Flat {}{letter} {block}", flat / 4 + 1), (slot / 16 * 2 + 1).to_string())
            }
            Some(block) => (format!("Flat {} {block}", slot % 16 + 1), (slot / 16 * 2 + 1).to_string()),
            None => (String::new(), (slot + 1).to_string()),
        };
        Place {
            flat,
            number,
            street: name,
            town: PARTS.towns[town].clone(),
            postcode: postcode(dwelling / POSTCODE, town as u64),
            uprn: 990_000_000_000 + dwelling,
        }
    }

    /// A care home standing where a dwelling would.
    pub(crate) fn care_home(&self, dwelling: u64) -> Place {
        let home = &PARTS.care_homes[(dwelling % PARTS.care_homes.len() as u64) as usize];
        Place { flat: home.clone(), ..self.dwelling(dwelling) }
    }

    /// The primary or secondary school of the part of the city that a dwelling is in.
    pub(crate) fn school(&self, dwelling: u64, secondary: bool) -> String {
        let part = dwelling / (STREET * STREETS_TOGETHER);
        let place = Dice::new(self.seed, Purpose::Street, part).below(PARTS.schools.len());
        format!("{} {}", PARTS.schools[place], if secondary { "High School" } else { "Primary School" })
    }
}

/// A postcode that no other pair of number and town has, in an area that Royal Mail cannot have: none begins with Q.
fn postcode(number: u64, town: u64) -> String {
    let (layer, within) = (number / DISTRICT, number % DISTRICT);
    let (area, layer) = (layer / 8, layer % 8);
    let district = 1 + town + 12 * layer;
    let letter = |n: u64| char::from(INWARD[(n % 20) as usize]);
    let area = char::from(b'F' + (area % 20) as u8);
    format!("Q{area}{district} {}{}{}", 1 + within / 400, letter(within / 20), letter(within))
}
