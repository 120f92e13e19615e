//! Chance that comes out the same on every machine.
//!
//! Every family has its own generator, made from the seed and the family's number: no family depends on another, and
//! nothing has to be kept between them. Only whole-number and exactly rounded arithmetic is used, so platforms agree.

use jiff::{SignedDuration, civil::Date};
use rand_pcg::{Pcg64, rand_core::Rng};

/// What a generator is for: two purposes never share a stream.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Who is in a family and where they live.
    Family = 1,
    /// Who knows them and what each service wrote.
    Records = 2,
    /// The workers of a service.
    Staff = 3,
    /// A street of the city.
    Street = 4,
}

/// A seeded generator.
pub(crate) struct Dice(Pcg64);

impl Dice {
    /// The generator of the thing numbered `number`.
    pub(crate) fn new(seed: u64, purpose: Purpose, number: u64) -> Self {
        let state = mix(seed ^ mix(purpose as u64));
        let stream = mix(state ^ mix(number));
        Self(Pcg64::new(u128::from(mix(stream)) << 64 | u128::from(state), u128::from(stream)))
    }

    /// A whole number from 0 to `n - 1`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// A whole number between both ends, ends included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as usize) as i64
    }

    /// A number from 0 up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the list, all equally likely.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// A place in a list of `n`, early places likelier: of 400 surnames the first is drawn about 2 times in 100, and
    /// when `steep` about 5 in 100 (of 100: 5 and 10).
    pub(crate) fn early(&mut self, n: usize, steep: bool) -> usize {
        let unit = self.unit();
        let bent = if steep { unit * unit } else { unit * unit.sqrt() };
        ((n as f64 * bent) as usize).min(n.saturating_sub(1))
    }

    /// A place in a list of weights.
    pub(crate) fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u32 = weights.iter().sum();
        let mut at = self.below(total as usize) as u32;
        for (place, weight) in weights.iter().enumerate() {
            if at < *weight {
                return place;
            }
            at -= weight;
        }
        0
    }

    /// A day between both, ends included; the first when they are out of order.
    pub(crate) fn day(&mut self, from: Date, to: Date) -> Date {
        plus(from, self.between(0, days(from, to).max(0)))
    }
}

/// SplitMix64's finaliser: every bit of the input moves every bit of the output.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A date some days later, or earlier when negative.
pub(crate) fn plus(date: Date, days: i64) -> Date {
    date.saturating_add(SignedDuration::from_hours(24 * days))
}

/// Days from one date to another.
pub(crate) fn days(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// Days in a year, on average.
pub(crate) const YEAR: i64 = 365;

/// Age in whole years.
pub(crate) fn age(born: Date, today: Date) -> i64 {
    let years = i64::from(today.year()) - i64::from(born.year());
    years - i64::from((today.month(), today.day()) < (born.month(), born.day()))
}
