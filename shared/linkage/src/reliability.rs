//! Reliability: whether a probability means what it says. Of pairs shown at about 90%, about nine in ten should be right.

use crate::Edge;
use std::fmt;

/// Pairs by the probability they are given, in tenths.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reliability {
    /// From 0 to .1, ..., from .9 to 1.
    pub tenths: [Tenth; 10],
}

/// Pairs given about the same probability.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tenth {
    /// How many.
    pub pairs: u64,
    /// How many are one person.
    pub right: u64,
    /// The sum of their probabilities: how many were promised.
    pub promised: f64,
}

impl Reliability {
    /// Counts pairs: those that are kept as edges, so at least possible. `truth` has for each record what its person is
    /// called.
    #[must_use]
    pub fn of<T: PartialEq>(edges: &[Edge], truth: &[T]) -> Self {
        let mut reliability = Self::default();
        for edge in edges {
            reliability.add(edge.weight.probability(), truth[edge.a] == truth[edge.b]);
        }
        reliability
    }

    fn add(&mut self, probability: f64, right: bool) {
        let tenth = &mut self.tenths[((probability * 10.0) as usize).min(9)];
        tenth.pairs += 1;
        tenth.right += u64::from(right);
        tenth.promised += probability;
    }
}

impl fmt::Display for Reliability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16}{:>10}{:>12}{:>14}", "probability", "pairs", "promised", "one person")?;
        for (at, tenth) in self.tenths.iter().enumerate().filter(|(_, tenth)| tenth.pairs > 0) {
            let band = format!(".{at} to {}", if at == 9 { "1".into() } else { format!(".{}", at + 1) });
            let pairs = tenth.pairs as f64;
            let (promised, right) = (tenth.promised / pairs, tenth.right as f64 / pairs);
            writeln!(f, "{band:<16}{:>10}{promised:>12.3}{right:>14.3}", tenth.pairs)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Weight;

    #[test]
    fn what_is_promised_stands_beside_what_is_right() {
        let edge = |a, b, bits| Edge { a, b, weight: Weight::from_bits(bits) };
        // Probabilities .5 twice, and .89.
        let edges = [edge(0, 1, 0.0), edge(1, 2, 0.0), edge(0, 2, 3.0)];
        let reliability = Reliability::of(&edges, &["x", "x", "y"]);
        let half = reliability.tenths[5];
        assert_eq!((half.pairs, half.right), (2, 1));
        assert!((half.promised - 1.0).abs() < 1e-9);
        assert!(reliability.to_string().contains(".8 to .9"), "{reliability}");
    }
}
