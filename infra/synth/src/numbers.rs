//! Identifiers with the check digits that real ones have.

use crate::dice::mix;

/// The NHS test range: numbers that begin with 999 belong to nobody (NHS Data Dictionary).
const TEST_RANGE: u64 = 999_000_000;
/// Beginnings in the test range.
const TEST_NUMBERS: u64 = 1_000_000;
/// Where numbering goes on when a council needs more.
const BEYOND: u64 = 400_000_000;
/// Steps that visit every number of a power of ten once, in no order anyone would notice.
const STRIDE: u64 = 611_953;
/// The letters of a UPN's check (Department for Education UPN guide): no I, O or S.
const UPN_LETTERS: &[u8; 23] = b"ABCDEFGHJKLMNPQRTUVWXYZ";
/// A local authority number that no authority has.
const AUTHORITY: u64 = 999;

/// Gives out identifiers, each once.
pub(crate) struct Numbers {
    start: u64,
    nhs: u64,
    upn: u64,
}

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { start: mix(seed) % TEST_NUMBERS, nhs: 0, upn: 0 }
    }

    /// The next NHS number, valid, in the test range while that lasts.
    pub(crate) fn nhs_number(&mut self) -> String {
        loop {
            let (round, within) = (self.nhs / TEST_NUMBERS, self.nhs % TEST_NUMBERS);
            self.nhs += 1;
            let shuffled = (within * STRIDE + self.start) % TEST_NUMBERS;
            let beginning = if round == 0 { TEST_RANGE } else { BEYOND + (round - 1) * TEST_NUMBERS } + shuffled;
            let digits = beginning.to_string();
            let sum: u32 = digits.bytes().zip((2..=10).rev()).map(|(b, weight)| u32::from(b - b'0') * weight).sum();
            let check = (11 - sum % 11) % 11;
            let same = check == 9 && digits.bytes().all(|b| b == b'9');
            if check != 10 && !same {
                return format!("{digits}{check}");
            }
        }
    }

    /// The next UPN for a child who started school in this year; a temporary one ends in a letter.
    pub(crate) fn upn(&mut self, year: i16, temporary: bool) -> String {
        self.upn += 1;
        let school = 2_000 + self.upn / 1_000 % 8_000;
        let digits = format!("{AUTHORITY}{school:04}{:02}{:02}", year.rem_euclid(100), self.upn / 10 % 100);
        let last = (self.upn % 10) as usize;
        let sum: usize = digits.bytes().zip(2..).map(|(b, weight)| usize::from(b - b'0') * weight).sum();
        let check = char::from(UPN_LETTERS[(sum + last * 13) % 23]);
        let last = if temporary { char::from(UPN_LETTERS[last]) } else { char::from(b'0' + last as u8) };
        format!("{check}{digits}{last}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fc_model::{NhsNumber, Upn};
    use std::collections::HashSet;

    #[test]
    fn identifiers_pass_their_checks_and_are_given_once() {
        let mut numbers = Numbers::new(7);
        let mut seen = HashSet::new();
        for n in 0..5_000 {
            let nhs = numbers.nhs_number();
            let upn = numbers.upn(2015, n % 9 == 0);
            assert!(nhs.starts_with("999") && NhsNumber::parse(&nhs).is_ok(), "{nhs}");
            assert_eq!(Upn::parse(&upn).unwrap().is_temporary(), n % 9 == 0);
            assert!(seen.insert(nhs) && seen.insert(upn));
        }
    }

    #[test]
    fn a_council_larger_than_the_test_range_still_gets_valid_numbers() {
        let mut numbers = Numbers { start: 3, nhs: TEST_NUMBERS - 2, upn: 0 };
        for _ in 0..100 {
            assert!(NhsNumber::parse(&numbers.nhs_number()).is_ok());
        }
    }
}
