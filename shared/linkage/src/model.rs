//! The model: how much each agreement is worth, from a versioned file, never from the order in which records came.

use crate::{
    Comparison, Curve, Field, FieldEvidence, InvalidModel, Level, ModelFile, Proof, Standard, Subject,
    calibration::Beside,
    compare::{ALL_FIELDS, Agreement, FIELDS, agreement, called_alike_only, other_initial, other_next_name},
    facts::{Clash, Facts},
    rows::{Rows, Shares},
};
use fc_model::nicknames;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::OnceLock};

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

/// Of fewer records than this nothing is concluded.
const FEWEST: usize = 1_000;

/// Weights, frequencies and thresholds.
#[derive(Debug, Clone)]
pub struct Model {
    version: String,
    prior: f64,
    matches_a_record: f64,
    family_share: f64,
    family_a_record: f64,
    linked: Weight,
    possible: Weight,
    /// The most that evidence of a kind that cannot link alone comes to.
    unproven: f64,
    /// In the order of [`Proof`].
    calibration: [Curve; 5],
    margin: Weight,
    saturation: usize,
    most_records: usize,
    /// Whether the records are of several sources, each of which knows who is who of its own.
    several_sources: bool,
    rare_surname: f64,
    rare_forename: f64,
    rows: Rows,
    surnames: HashMap<String, f64>,
    forenames: HashMap<String, f64>,
}

impl Model {
    /// The model shipped with this version.
    ///
    /// # Panics
    /// Never: a test reads the shipped file.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static MODEL: OnceLock<Model> = OnceLock::new();
        MODEL.get_or_init(|| match Self::of(&ModelFile::shipped()) {
            Ok(model) => model,
            Err(error) => unreachable!("the shipped model is checked by a test: {error}"),
        })
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// When it is not the JSON expected, or a level that can be reached has no usable weights.
    pub fn parse(json: &str) -> Result<Self, InvalidModel> {
        Self::of(&ModelFile::parse(json)?)
    }

    /// The model that a file describes.
    ///
    /// # Errors
    /// When a level that can be reached has no usable weights.
    pub fn of(file: &ModelFile) -> Result<Self, InvalidModel> {
        if let Some((proof, _)) = file.calibration.iter().find(|(_, curve)| !curve.rises()) {
            return Err(InvalidModel::Calibration(*proof));
        }
        let table = |tiers: &[(f64, String)]| -> HashMap<String, f64> {
            let each = |(share, names): &(f64, String)| {
                names.split_whitespace().map(|name| (name.to_owned(), *share)).collect::<Vec<_>>()
            };
            tiers.iter().rev().flat_map(each).collect()
        };
        Ok(Self {
            version: file.version.clone(),
            prior: file.prior,
            matches_a_record: file.matches_a_record,
            family_share: file.family_share,
            family_a_record: file.family_a_record,
            linked: Weight::from_bits(file.linked),
            possible: Weight::from_bits(file.possible),
            unproven: file.unproven,
            calibration: [Proof::Weighed, Proof::NameAlone, Proof::Relatives, Proof::OneSource, Proof::Denied]
                .map(|proof| file.calibration.get(&proof).cloned().unwrap_or_default()),
            margin: Weight::from_bits(file.margin),
            saturation: file.saturation,
            most_records: file.most_records,
            several_sources: true,
            rare_surname: file.rare_surname,
            rare_forename: file.rare_forename,
            rows: Rows::of(file)?,
            surnames: table(&file.surnames),
            forenames: table(&file.forenames),
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
        let records = records.max(FEWEST) as f64;
        Self {
            prior: (self.matches_a_record / records).log2(),
            family_share: self.family_a_record / records,
            ..self.clone()
        }
    }

    /// The same model for these records: so many, and of how many sources. A list that is searched for its own doubles
    /// cannot be asked whether it knows two people.
    #[must_use]
    pub fn suited_to(&self, records: &[Subject]) -> Self {
        let several_sources = records.windows(2).any(|two| two[0].record.source != two[1].record.source);
        Self { several_sources, ..self.sized(records.len()) }
    }

    /// How far two records exclude each other.
    pub(crate) fn clash(&self, a: &Facts, b: &Facts) -> Clash {
        match a.clash(b) {
            Clash::OneSource if !self.several_sources => Clash::None,
            clash => clash,
        }
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
    ///
    /// Somebody with two identities may have had the name and the birth date in both, so without a home, a contact or a number
    /// in common nothing links them.
    #[must_use]
    pub fn compare(&self, a: &Standard, b: &Standard) -> Comparison {
        let Agreement { levels, forename, surname } = agreement(self, a, b);
        let mut fields =
            ALL_FIELDS.map(|field| FieldEvidence { field, level: Level::Missing, weight: Weight::default() });
        let (mut strangers, mut family) = (0.0, 0.0);
        let shares = self.shares(forename, surname);
        for (evidence, level) in fields.iter_mut().zip(levels) {
            let row = self.rows.row(evidence.field, level, &levels, shares);
            let against_strangers = (row.one_person / row.strangers).log2();
            strangers += against_strangers;
            family += (row.one_person / row.family).log2();
            evidence.level = level;
            evidence.weight = Weight::from_bits(against_strangers);
        }
        // log2 of 1 / ((1 - share) / odds against strangers + share / odds against family).
        let mixture = -((1.0 - self.family_share) * (-strangers).exp2() + self.family_share * (-family).exp2()).log2();
        let identified = a.identifiers().any(|one| b.identifiers().any(|other| one == other));
        let one_source = self.several_sources && a.source.is_some() && a.source == b.source;
        let beside = Beside {
            identified,
            one_source,
            other_pupil: a.upn.is_some() && b.upn.is_some() && a.upn != b.upn,
            other_initial: other_initial(a, b),
            other_next_name: other_next_name(a, b),
            called_alike_only: one_source && called_alike_only(a, b),
            other_contacts: levels[Field::Contact as usize] != Level::Same
                && !a.contacts.is_empty()
                && !b.contacts.is_empty(),
        };
        let proof = Proof::of(&levels, beside);
        let weighed = self.prior + mixture;
        let told_by = [Field::Address, Field::Contact, Field::NhsNumber, Field::Upn];
        let is_told = fields.iter().any(|found| told_by.contains(&found.field) && found.weight.bits() > 0.0);
        let most = if (a.two_identities || b.two_identities) && !is_told { self.unproven } else { f64::INFINITY };
        let weight = Weight::from_bits(self.calibrated(proof, weighed).min(most));
        Comparison {
            weight,
            probability: weight.probability(),
            band: self.band(weight),
            fields,
            prior: Weight::from_bits(self.prior),
            family: Weight::from_bits((mixture - strangers).min(0.0)),
            calibration: Weight::from_bits(weight.bits() - weighed),
            proof,
        }
    }

    /// What a weight turned out to be worth.
    fn calibrated(&self, proof: Proof, weighed: f64) -> f64 {
        let bits = self.calibration[proof as usize].at(weighed);
        if proof == Proof::Weighed { bits } else { bits.min(self.unproven) }
    }

    /// How common the names are that two records share.
    pub(crate) fn shares(&self, forename: Option<&str>, surname: Option<&str>) -> Shares {
        Shares { forename: self.forename_share(forename), surname: self.surname_share(surname) }
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
        let shares = self.shares(same_forename, same_surname);
        [(Field::Forename, forename), (Field::Surname, surname)]
            .into_iter()
            .map(|(field, level)| {
                let row = self.rows.row(field, level, &levels, shares);
                (row.one_person / row.strangers).log2()
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_is_complete() {
        let model = Model::shipped();
        assert_eq!(model.version(), ModelFile::shipped().version);
        assert!(model.linked > model.possible && Weight::from_bits(model.unproven) < model.linked);
        assert!(model.surnames["smith"] > model.surnames["fletcher"]);
    }

    #[test]
    fn a_model_without_a_level_is_refused() {
        let mut file: serde_json::Value = serde_json::to_value(ModelFile::shipped()).unwrap();
        file["levels"]["birth"]["swapped"] = serde_json::Value::Null;
        assert!(Model::parse(&file.to_string()).is_err());
        file["levels"]["birth"].as_object_mut().unwrap().remove("swapped");
        let error = Model::parse(&file.to_string()).unwrap_err();
        assert_eq!(error.to_string(), "the model file gives no usable m, u and family for Birth Swapped");
    }

    #[test]
    fn the_more_records_there_are_the_less_an_agreement_proves() {
        let model = Model::shipped();
        let (town, city) = (model.sized(10_000), model.sized(1_000_000));
        assert!((town.prior - city.prior - 100f64.log2()).abs() < 1e-9);
        assert!(town.family_share > city.family_share);
        assert!((model.sized(3).prior - model.sized(FEWEST).prior).abs() < 1e-9, "a handful of records proves nothing");
    }

    #[test]
    fn a_calibration_that_falls_is_refused() {
        let mut file: serde_json::Value = serde_json::to_value(ModelFile::shipped()).unwrap();
        file["calibration"] = serde_json::json!({ "weighed": [[0.0, 1.0], [1.0, 0.0]] });
        let error = Model::parse(&file.to_string()).unwrap_err();
        assert_eq!(error.to_string(), "the model file's calibration of Weighed does not rise");
    }

    #[test]
    fn odds_and_probability_say_the_same() {
        assert!((Weight::from_bits(0.0).probability() - 0.5).abs() < 1e-9);
        assert!((Weight::from_bits(3.17).probability() - 0.9).abs() < 0.001);
    }
}
