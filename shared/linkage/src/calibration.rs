//! Calibration: what weights turned out to be worth, on records whose truth was known.
//!
//! A weight is a sum of what fields say one by one. How often pairs so weighed *are* one person is another question,
//! and the answer differs with what the weight rests on: a name alone promises more than it keeps.

use crate::{Field, Level, compare::FIELDS};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a weight rests on: whether it may link without a steward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Enough to link, if it weighs enough.
    Weighed,
    /// A name with neither a good birth date, nor a home, nor a contact: it is somebody else's too, however rare.
    NameAlone,
    /// Forename or birth date clearly differ, and no identifier is shared: relatives are like that. So do names that
    /// rhyme, different names after the same first one, and different surnames of whom no forename is known.
    Relatives,
    /// One source holds both, with no identifier in common, and tells them apart: by forename, sex or contacts. It knows two
    /// people, be they twins or a father and son.
    OneSource,
    /// Two valid identifiers differ: nothing outweighs that.
    Denied,
}

/// What a comparison knows beside its levels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside {
    /// An identifier of another kind is shared.
    pub(crate) identified: bool,
    /// One source holds both.
    pub(crate) one_source: bool,
    /// Both have phones or e-mails, none in common.
    pub(crate) other_contacts: bool,
    /// Both have pupil numbers, a temporary one among them, that are not the same.
    pub(crate) other_pupil: bool,
    /// Their first forenames begin with different letters.
    pub(crate) other_initial: bool,
    /// They agree in the first of several forenames, and have different ones after it.
    pub(crate) other_next_name: bool,
    /// Their first names, without what they are called besides, are not the same forename.
    pub(crate) called_alike_only: bool,
}

impl Proof {
    /// What levels amount to.
    pub(crate) fn of(levels: &[Level; FIELDS], beside: Beside) -> Self {
        let is = |field: Field, wanted: &[Level]| wanted.contains(&levels[field as usize]);
        let number = |wanted: &[Level]| is(Field::NhsNumber, wanted) || is(Field::Upn, wanted);
        // One source that gives a number to a boy and a girl, or to two forenames, may have written one's on both.
        let two = is(Field::Sex, &[Level::Differ]) || is(Field::Forename, &[Level::Differ]);
        let identified = (beside.identified || number(&[Level::Same])) && !(beside.one_source && two);
        let name_alone = is(Field::Birth, &[Level::Missing, Level::Shared, Level::Partial, Level::FirstOfJanuary])
            && is(Field::Address, &[Level::Missing, Level::Postcode, Level::Differ])
            && !is(Field::Contact, &[Level::Same]);
        // Twins, sisters, a father and his son share much, and often an initial; what else is on both records may be
        // their mother's. More agreement must not weigh less, so this asks for no birth date.
        let other_forename = is(Field::Forename, &[Level::Initial, Level::Shared, Level::Missing, Level::Close])
            || is(Field::Forename, &[Level::Nickname]) && !is(Field::Contact, &[Level::Same]);
        let told_apart = is(Field::Sex, &[Level::Differ])
            || beside.other_contacts
            || beside.other_pupil
            || beside.called_alike_only
            || other_forename;
        let other_name = beside.other_next_name
            || beside.other_initial && is(Field::Forename, &[Level::Close])
            || is(Field::Forename, &[Level::Missing]) && is(Field::Surname, &[Level::Missing, Level::Differ]);
        if number(&[Level::Close, Level::Differ]) {
            Self::Denied
        } else if identified {
            Self::Weighed
        } else if is(Field::Forename, &[Level::Differ]) || is(Field::Birth, &[Level::Differ]) || other_name {
            Self::Relatives
        } else if name_alone {
            Self::NameAlone
        } else if beside.one_source && told_apart {
            Self::OneSource
        } else {
            Self::Weighed
        }
    }
}

/// A rising curve through points: weight in bits as added up, and log2 odds as they turned out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Curve(Vec<(f64, f64)>);

/// Pairs that a point of a curve rests on at least.
const FEWEST_OF_A_POINT: f64 = 30.0;
/// Weights are gathered in steps of so many bits.
const STEP: f64 = 0.5;
/// Outside these bits pairs are hardly ever right, or hardly ever wrong: the curve goes on as it was.
const FITTED: std::ops::Range<f64> = -8.0..9.0;

impl Curve {
    /// The curve that rises and is nearest to what was seen: weights, and whether the pair was one person. (Isotonic
    /// regression by pooling neighbours.)
    #[must_use]
    pub fn fit(seen: &[(f64, bool)]) -> Self {
        let mut steps: BTreeMap<i64, Pool> = BTreeMap::new();
        for (bits, right) in seen.iter().filter(|(bits, _)| FITTED.contains(bits)) {
            let pool = steps.entry((bits / STEP).floor() as i64).or_default();
            pool.add(&Pool { pairs: 1.0, bits: *bits, right: f64::from(*right) });
        }
        let mut gathered: Vec<Pool> = Vec::new();
        for step in steps.into_values() {
            match gathered.last_mut().filter(|last| last.pairs < FEWEST_OF_A_POINT) {
                Some(last) => last.add(&step),
                None => gathered.push(step),
            }
        }
        let mut pools: Vec<Pool> = Vec::new();
        for pool in gathered {
            pools.push(pool);
            while let [.., before, last] = &mut pools[..]
                && (before.odds() >= last.odds() || last.pairs < FEWEST_OF_A_POINT)
            {
                let last = *last;
                before.add(&last);
                pools.pop();
            }
        }
        let point = |pool: &Pool| (to_hundredths(pool.bits / pool.pairs), to_hundredths(pool.odds()));
        let mut points: Vec<(f64, f64)> = pools.iter().map(point).collect();
        points.dedup_by(|next, last| next.0 <= last.0);
        Self(points)
    }

    /// What so many bits turned out to be; beyond its ends the curve goes on bit for bit.
    #[must_use]
    pub fn at(&self, bits: f64) -> f64 {
        let after = self.0.partition_point(|(from, _)| *from <= bits);
        match (after.checked_sub(1).and_then(|at| self.0.get(at)), self.0.get(after)) {
            (Some((x, y)), Some((next_x, next_y))) => y + (bits - x) * (next_y - y) / (next_x - x),
            (Some((x, y)), None) | (None, Some((x, y))) => y + bits - x,
            (None, None) => bits,
        }
    }

    /// Whether it rises from point to point.
    pub(crate) fn rises(&self) -> bool {
        self.0.windows(2).all(|two| matches!(two, [(x, y), (next_x, next_y)] if x < next_x && y <= next_y))
    }
}

/// Pairs pooled.
#[derive(Debug, Clone, Copy, Default)]
struct Pool {
    pairs: f64,
    bits: f64,
    right: f64,
}

impl Pool {
    fn add(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.bits += other.bits;
        self.right += other.right;
    }

    /// Log2 odds; half a pair more of each kind, for none is ever impossible.
    fn odds(&self) -> f64 {
        ((self.right + 0.5) / (self.pairs - self.right + 0.5)).log2()
    }
}

fn to_hundredths(bits: f64) -> f64 {
    (bits * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pairs` pairs of so many bits, of which `right` are one person.
    fn seen(bits: f64, pairs: usize, right: usize) -> Vec<(f64, bool)> {
        (0..pairs).map(|at| (bits, at < right)).collect()
    }

    #[test]
    fn a_weight_that_promises_too_much_is_brought_down_to_what_it_keeps() {
        let curve = Curve::fit(&[seen(-3.0, 900, 100), seen(1.0, 800, 200), seen(3.0, 900, 800)].concat());
        assert!((curve.at(1.0) - (200.5_f64 / 600.5).log2()).abs() < 0.01);
        assert!((curve.at(3.0) - 3.0).abs() < 0.02);
    }

    #[test]
    fn a_curve_never_falls() {
        let curve = Curve::fit(&[seen(0.0, 100, 60), seen(1.0, 100, 40), seen(2.0, 100, 90)].concat());
        assert!(curve.rises());
        let steps: Vec<f64> = (-100..100).map(|at| curve.at(f64::from(at) / 10.0)).collect();
        assert!(steps.windows(2).all(|two| two[0] <= two[1]));
    }

    #[test]
    fn too_few_pairs_change_nothing_by_themselves() {
        assert_eq!(Curve::fit(&[]), Curve::default());
        assert!((Curve::default().at(1.5) - 1.5).abs() < 1e-9);
        let alone = Curve::fit(&[seen(0.0, 100, 50), seen(1.0, 3, 0)].concat());
        assert_eq!(alone.0.len(), 1, "three pairs are no point of their own");
    }
}
