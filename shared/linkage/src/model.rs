//! The model: how much each agreement is worth, from a versioned file, never from the order in which records came.

use crate::{
    Comparison, Field, FieldEvidence, Level, Standard,
    compare::{ALL_FIELDS, Agreement, FIELDS, agreement},
};
use fc_model::nicknames;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

/// Log2 odds in thousandths: exact in storage, and ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(i32);

impl Weight {
    /// From log2 odds, rounded to a thousandth.
    #[must_use]
    pub fn from_bits(bits: f64) -> Self {
        Self((bits * 1000.0).round().clamp(-1.0e6, 1.0e6) as i32)
    }

    /// As log2 odds.
    #[must_use]
    pub fn bits(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// As a probability.
    #[must_use]
    pub fn probability(self) -> f64 {
        1.0 / (1.0 + (-self.bits()).exp2())
    }
}

/// What is done with a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Band {
    /// Not one person; the pair is forgotten.
    No,
    /// Too close to call: for a steward.
    Possible,
    /// Linked, unless the rest of the component speaks against it.
    Linked,
}

/// A model file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidModel {
    /// Not the JSON expected.
    #[error("the model file cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A level has no weights, or impossible ones.
    #[error("the model file gives no usable m, u and family for {0}")]
    Level(String),
}

/// The model file as written.
#[derive(Deserialize)]
struct File {
    version: String,
    prior: f64,
    matches_a_record: f64,
    family_share: f64,
    linked: f64,
    possible: f64,
    unproven: f64,
    margin: f64,
    saturation: usize,
    most_records: usize,
    rare_surname: f64,
    rare_forename: f64,
    levels: BTreeMap<Field, BTreeMap<Level, [f64; 3]>>,
    sex_when_forenames_agree: BTreeMap<Level, [f64; 3]>,
    surnames: Vec<(f64, String)>,
    forenames: Vec<(f64, String)>,
}

/// What a level is worth: how often one person, strangers and members of one family reach it.
#[derive(Debug, Clone, Copy)]
struct Row {
    one_person: f64,
    strangers: f64,
    family: f64,
}

/// Of fewer records than this nothing is concluded.
const FEWEST: usize = 1_000;

const NEUTRAL: Row = Row { one_person: 1.0, strangers: 1.0, family: 1.0 };

/// Weights, frequencies and thresholds.
#[derive(Debug, Clone)]
pub struct Model {
    version: String,
    prior: f64,
    matches_a_record: f64,
    family_share: f64,
    linked: Weight,
    possible: Weight,
    /// The most that evidence of a kind that cannot link alone comes to.
    unproven: f64,
    margin: Weight,
    saturation: usize,
    most_records: usize,
    rare_surname: f64,
    rare_forename: f64,
    rows: [[Row; LEVELS]; FIELDS],
    sex_when_forenames_agree: [Row; LEVELS],
    surnames: HashMap<String, f64>,
    forenames: HashMap<String, f64>,
}

const LEVELS: usize = 13;

/// The levels that each field reaches; `Missing` is worth nothing everywhere.
const REACHED: [(Field, &[Level]); FIELDS] = [
    (
        Field::Forename,
        &[Level::Same, Level::Nickname, Level::Shared, Level::Close, Level::Initial, Level::Swapped, Level::Differ],
    ),
    (Field::Surname, &[Level::Same, Level::Shared, Level::Close, Level::Swapped, Level::Differ]),
    (
        Field::Birth,
        &[
            Level::Same,
            Level::Shared,
            Level::Close,
            Level::Swapped,
            Level::Partial,
            Level::FirstOfJanuary,
            Level::Expected,
            Level::Differ,
        ],
    ),
    (Field::Address, &[Level::Same, Level::Close, Level::Building, Level::Postcode, Level::Differ]),
    (Field::Sex, &[Level::Same, Level::Differ]),
    (Field::NhsNumber, &[Level::Same, Level::Close, Level::Differ]),
    (Field::Upn, &[Level::Same, Level::Close, Level::Differ]),
    (Field::Contact, &[Level::Same]),
];

static SHIPPED: &str = include_str!("../data/model.json");

impl Model {
    /// The model shipped with this version.
    ///
    /// # Panics
    /// Never: a test reads the shipped file.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static MODEL: OnceLock<Model> = OnceLock::new();
        MODEL.get_or_init(|| match Self::parse(SHIPPED) {
            Ok(model) => model,
            Err(error) => unreachable!("the shipped model is checked by a test: {error}"),
        })
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// When it is not the JSON expected, or a level that can be reached has no usable weights.
    pub fn parse(json: &str) -> Result<Self, InvalidModel> {
        let file: File = serde_json::from_str(json)?;
        let mut rows = [[NEUTRAL; LEVELS]; FIELDS];
        for (field, levels) in REACHED {
            for level in levels {
                let given = file.levels.get(&field).and_then(|given| given.get(level));
                rows[field as usize][*level as usize] = row(given, || format!("{field:?} {level:?}"))?;
            }
        }
        let mut sex = [NEUTRAL; LEVELS];
        for level in [Level::Same, Level::Differ] {
            sex[level as usize] =
                row(file.sex_when_forenames_agree.get(&level), || format!("Sex {level:?} when forenames agree"))?;
        }
        let table = |tiers: Vec<(f64, String)>| -> HashMap<String, f64> {
            let each = |(share, names): (f64, String)| {
                names.split_whitespace().map(|name| (name.to_owned(), share)).collect::<Vec<_>>()
            };
            tiers.into_iter().rev().flat_map(each).collect()
        };
        Ok(Self {
            version: file.version,
            prior: file.prior,
            matches_a_record: file.matches_a_record,
            family_share: file.family_share,
            linked: Weight::from_bits(file.linked),
            possible: Weight::from_bits(file.possible),
            unproven: file.unproven,
            margin: Weight::from_bits(file.margin),
            saturation: file.saturation,
            most_records: file.most_records,
            rare_surname: file.rare_surname,
            rare_forename: file.rare_forename,
            rows,
            sex_when_forenames_agree: sex,
            surnames: table(file.surnames),
            forenames: table(file.forenames),
        })
    }

    /// The model's version. Records compared under another version must be linked again by the bulk path.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A blocking key with more members than this supports no link: it brings no candidates.
    #[must_use]
    pub fn saturation(&self) -> usize {
        self.saturation
    }

    /// The most records that may be one person without a steward's word.
    pub(crate) fn most_records(&self) -> usize {
        self.most_records
    }

    /// How much better one of two people who exclude each other must fit, for a record to be theirs.
    pub(crate) fn margin(&self) -> Weight {
        self.margin
    }

    /// The same model for a set of so many records: the fewer there are, the less likely that two agree by chance. What
    /// two records drawn at random come to is the matches a record has, over the records there are.
    #[must_use]
    pub fn sized(&self, records: usize) -> Self {
        Self { prior: (self.matches_a_record / (records.max(FEWEST) as f64)).log2(), ..self.clone() }
    }

    /// The band of a weight. Pairs in [`Band::No`] need not be kept as edges.
    #[must_use]
    pub fn band(&self, weight: Weight) -> Band {
        if weight >= self.linked {
            Band::Linked
        } else if weight >= self.possible {
            Band::Possible
        } else {
            Band::No
        }
    }

    /// The weight from which a band begins; of the lowest band, the least there is.
    #[must_use]
    pub fn threshold(&self, band: Band) -> Weight {
        match band {
            Band::Linked => self.linked,
            Band::Possible => self.possible,
            Band::No => Weight::from_bits(f64::MIN),
        }
    }

    /// Compares two records. Symmetric.
    ///
    /// Strangers and members of one family are two ways of being different people. Surname, address and birth date are
    /// independent among strangers but not within a family, so both are weighed: the odds are against their mixture,
    /// and `family` is what that takes away.
    #[must_use]
    pub fn compare(&self, a: &Standard, b: &Standard) -> Comparison {
        let Agreement { levels, forename, surname } = agreement(self, a, b);
        let mut fields =
            ALL_FIELDS.map(|field| FieldEvidence { field, level: Level::Missing, weight: Weight::default() });
        let (mut strangers, mut family) = (0.0, 0.0);
        for (evidence, level) in fields.iter_mut().zip(levels) {
            let row = self.row(evidence.field, level, &levels, forename, surname);
            let against_strangers = (row.one_person / row.strangers).log2();
            strangers += against_strangers;
            family += (row.one_person / row.family).log2();
            evidence.level = level;
            evidence.weight = Weight::from_bits(against_strangers);
        }
        // log2 of 1 / ((1 - share) / odds against strangers + share / odds against family).
        let mixture = -((1.0 - self.family_share) * (-strangers).exp2() + self.family_share * (-family).exp2()).log2();
        let mut weight = self.prior + mixture;
        let identified = a.identifiers().any(|one| b.identifiers().any(|other| one == other));
        if Self::needs_more(&levels, identified) {
            weight = weight.min(self.unproven);
        }
        let weight = Weight::from_bits(weight);
        let sum = fields.iter().map(|field| field.weight.bits()).sum::<f64>() + self.prior;
        Comparison {
            weight,
            probability: weight.probability(),
            band: self.band(weight),
            fields,
            prior: Weight::from_bits(self.prior),
            family: Weight::from_bits(weight.bits() - sum),
        }
    }

    /// Whether more is needed than the weights, before a link is made without a steward (design.md 5):
    /// relatives, when forename or birth date clearly differ, are told apart by identifiers alone; a different valid
    /// identifier is never outweighed; and a name alone, however rare, is somebody else's too.
    fn needs_more(levels: &[Level; FIELDS], identified: bool) -> bool {
        let is = |field: Field, wanted: &[Level]| wanted.contains(&levels[field as usize]);
        let identified = identified || is(Field::NhsNumber, &[Level::Same]) || is(Field::Upn, &[Level::Same]);
        let denied = is(Field::NhsNumber, &[Level::Differ]) || is(Field::Upn, &[Level::Differ]);
        let another = is(Field::Forename, &[Level::Differ]) || is(Field::Birth, &[Level::Differ]);
        let name_alone = is(Field::Birth, &[Level::Missing, Level::Shared, Level::Partial, Level::FirstOfJanuary])
            && is(Field::Address, &[Level::Missing, Level::Postcode, Level::Differ])
            && !is(Field::Contact, &[Level::Same]);
        denied || (another || name_alone) && !identified
    }

    fn row(
        &self,
        field: Field,
        level: Level,
        levels: &[Level; FIELDS],
        forename: Option<&str>,
        surname: Option<&str>,
    ) -> Row {
        let row = self.rows[field as usize][level as usize];
        match (field, level) {
            (Field::Forename, Level::Same) => {
                let share = self.forename_share(forename);
                // A father names his son after himself whatever the name; beyond that relatives are like strangers.
                Row { strangers: share, family: row.family + share, ..row }
            }
            (Field::Surname, Level::Same) => Row { strangers: self.surname_share(surname), ..row },
            // A child expected under its mother's name is often given its father's.
            (Field::Surname, Level::Differ)
                if levels[Field::Birth as usize] == Level::Expected
                    && levels[Field::Forename as usize] == Level::Missing =>
            {
                NEUTRAL
            }
            (Field::Surname, Level::Shared) => {
                Row { strangers: row.strangers.max(2.0 * self.surname_share(surname)), ..row }
            }
            (Field::Sex, level)
                if matches!(levels[Field::Forename as usize], Level::Same | Level::Nickname | Level::Close) =>
            {
                self.sex_when_forenames_agree[level as usize]
            }
            _ => row,
        }
    }

    fn surname_share(&self, surname: Option<&str>) -> f64 {
        surname.and_then(|name| self.surnames.get(name)).copied().unwrap_or(self.rare_surname)
    }

    fn forename_share(&self, forename: Option<&str>) -> f64 {
        forename
            .and_then(|name| self.forenames.get(name).or_else(|| self.forenames.get(nicknames::root(name))))
            .copied()
            .unwrap_or(self.rare_forename)
    }

    /// What a pair of names is worth, to choose the best of several.
    pub(crate) fn name_weight(
        &self,
        forename: Level,
        surname: Level,
        same_forename: Option<&str>,
        same_surname: Option<&str>,
    ) -> f64 {
        let levels = [Level::Missing; FIELDS];
        [(Field::Forename, forename), (Field::Surname, surname)]
            .into_iter()
            .map(|(field, level)| {
                let row = self.row(field, level, &levels, same_forename, same_surname);
                (row.one_person / row.strangers).log2()
            })
            .sum()
    }
}

fn row(given: Option<&[f64; 3]>, what: impl Fn() -> String) -> Result<Row, InvalidModel> {
    let usable = |share: &f64| *share > 0.0 && *share <= 1.0;
    match given {
        Some(shares @ [one_person, strangers, family]) if shares.iter().all(usable) => {
            Ok(Row { one_person: *one_person, strangers: *strangers, family: *family })
        }
        _ => Err(InvalidModel::Level(what())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_is_complete() {
        let model = Model::parse(SHIPPED).unwrap();
        assert!(model.linked > model.possible && Weight::from_bits(model.unproven) < model.linked);
        assert!(model.surnames["smith"] > model.surnames["fletcher"]);
    }

    #[test]
    fn a_model_without_a_level_is_refused() {
        let mut file: serde_json::Value = serde_json::from_str(SHIPPED).unwrap();
        file["levels"]["birth"]["swapped"] = serde_json::Value::Null;
        assert!(Model::parse(&file.to_string()).is_err());
        file["levels"]["birth"].as_object_mut().unwrap().remove("swapped");
        let error = Model::parse(&file.to_string()).unwrap_err();
        assert_eq!(error.to_string(), "the model file gives no usable m, u and family for Birth Swapped");
    }

    #[test]
    fn odds_and_probability_say_the_same() {
        assert!((Weight::from_bits(0.0).probability() - 0.5).abs() < 1e-9);
        assert!((Weight::from_bits(3.17).probability() - 0.9).abs() < 0.001);
    }
}
