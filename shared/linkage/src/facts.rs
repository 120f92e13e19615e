//! Facts: the little that constraints need to know of a record, small enough to sit in a cluster's head.

use crate::{
    Level,
    compare::{births, forename_tokens, next_differ},
};
use fc_model::{NhsNumber, PartialDate, Sex, SourceId, Upn};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What [`resolve`](crate::resolve()) knows of a record: about 100 to 160 bytes as JSON.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The source system it comes from.
    #[serde(rename = "o", skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// NHS number.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    pub nhs_number: Option<NhsNumber>,
    /// Unique pupil number.
    #[serde(rename = "u", skip_serializing_if = "Option::is_none")]
    pub upn: Option<Upn>,
    /// Birth date, unless missing or a placeholder.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub birth: Option<PartialDate>,
    /// Whether it is the expected date of an unborn child.
    #[serde(rename = "e", skip_serializing_if = "std::ops::Not::not")]
    pub expected: bool,
    /// Forenames of every name, folded, at most a few.
    #[serde(rename = "f", skip_serializing_if = "Vec::is_empty")]
    pub forenames: Vec<String>,
    /// Surname tokens of every name, folded, at most a few.
    #[serde(rename = "s", skip_serializing_if = "Vec::is_empty")]
    pub surnames: Vec<String>,
    /// Sex or gender.
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facts(redacted)")
    }
}

/// How far two records exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Clash {
    /// They may be one person.
    None,
    /// Forename, the next after it, or birth date clearly differ: twins, housemates, father and son. An identifier that
    /// both share, or a comparison of the two themselves, may know better.
    Person,
    /// One source holds both, with no number in common: it knows two people, unless a comparison of the two finds that
    /// they are told the same in everything.
    OneSource,
    /// Two valid identifiers differ, on records of two sources that agree in forename, surname and birth date: never
    /// joined, but likelier one person with a wrong number than two people.
    Number,
    /// Two valid identifiers differ: nothing outweighs that.
    Identifier,
}

impl Facts {
    /// How far two records exclude each other. Symmetric.
    pub(crate) fn clash(&self, other: &Self) -> Clash {
        let birth = self.birth.zip(other.birth).map(|(x, y)| births(x, self.expected, y, other.expected));
        let forename = self.forename_level(other);
        let both = self.nhs_number.as_ref().zip(other.nhs_number.as_ref()).map(|(a, b)| (a.as_str(), b.as_str()));
        let upns = self.upn.as_ref().zip(other.upn.as_ref());
        let permanent = upns.filter(|(a, b)| !a.is_temporary() && !b.is_temporary());
        let identifiers = [both, permanent.map(|(a, b)| (a.as_str(), b.as_str()))];
        let surname = self.surnames.iter().any(|surname| other.surnames.contains(surname));
        // A name that somebody is only called by may be a twin's own: the first forenames have to agree.
        let first = self.forenames.first().zip(other.forenames.first()).map(|(a, b)| forename_tokens(a, b));
        let alike = birth == Some(Level::Same) && surname && matches!(first, Some(Level::Same | Level::Nickname));
        let one_source = self.source.is_some() && self.source == other.source;
        let mut shared = false;
        let mut wrong = false;
        for (a, b) in identifiers.into_iter().flatten() {
            shared |= a == b;
            // Nobody can tell a mistyped number from a twin's, who is given the next one: both pass their check digits.
            wrong |= a != b;
        }
        if wrong {
            return if alike && !one_source { Clash::Number } else { Clash::Identifier };
        }
        let sexes = self.sex.zip(other.sex);
        let two_names = one_source && forename == Level::Differ;
        let other_next = next_differ(&self.forenames, &other.forenames);
        match forename == Level::Differ || birth == Some(Level::Differ) || other_next {
            // The number of one was written on both.
            _ if shared && two_names && sexes.is_some_and(|(x, y)| x != y) => Clash::Identifier,
            // Or one was renamed, and is known twice: that is for a steward.
            _ if shared && !two_names => Clash::None,
            true => Clash::Person,
            false if one_source => Clash::OneSource,
            false => Clash::None,
        }
    }

    /// Whether this is called exactly as one of two is, and not quite as the other.
    pub(crate) fn named_after(&self, exactly: &Self, nearly: &Self) -> bool {
        self.forename_level(exactly) == Level::Same
            && !matches!(self.forename_level(nearly), Level::Same | Level::Missing)
    }

    /// Whether both have one number.
    pub(crate) fn identified(&self, other: &Self) -> bool {
        let same = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
        let (nhs, upn) = (NhsNumber::as_str, Upn::as_str);
        same(self.nhs_number.as_ref().map(nhs), other.nhs_number.as_ref().map(nhs))
            || same(self.upn.as_ref().map(upn), other.upn.as_ref().map(upn))
    }

    /// The best level of any two forenames; swapped with the surname counts as close.
    fn forename_level(&self, other: &Self) -> Level {
        if self.forenames.is_empty() || other.forenames.is_empty() {
            return Level::Missing;
        }
        let best = self
            .forenames
            .iter()
            .flat_map(|a| other.forenames.iter().map(move |b| forename_tokens(a, b)))
            .min()
            .unwrap_or(Level::Missing);
        let swapped = |a: &Self, b: &Self| a.forenames.iter().any(|name| b.surnames.contains(name));
        let run_together = || self.forenames.concat() == other.forenames.concat();
        if best == Level::Differ && (swapped(self, other) && swapped(other, self) || run_together()) {
            return Level::Close;
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amara(nhs_number: &str) -> Facts {
        Facts {
            nhs_number: NhsNumber::parse(nhs_number).ok(),
            birth: PartialDate::parse_iso("2015-03-02").ok(),
            forenames: vec!["amara".into()],
            surnames: vec!["okafor".into()],
            ..Facts::default()
        }
    }

    #[test]
    fn two_numbers_on_records_alike_in_all_else_are_likelier_one_wrong_number_than_two_people() {
        let (one, other) = (amara("9434765919"), amara("4025885905"));
        assert_eq!(one.clash(&other), Clash::Number);
        assert_eq!(other.clash(&one), Clash::Number);
        assert_eq!(one.clash(&one), Clash::None);
    }

    #[test]
    fn two_numbers_on_records_that_differ_otherwise_are_two_people() {
        let twin = Facts { forenames: vec!["daniel".into()], ..amara("4025885905") };
        assert_eq!(amara("9434765919").clash(&twin), Clash::Identifier);
    }

    #[test]
    fn one_source_that_gives_a_boy_and_a_girl_one_number_knows_two_people_whoever_else_has_it() {
        let of = |forename: &str, sex| Facts {
            source: "housing".parse().ok(),
            forenames: vec![forename.into()],
            sex: Some(sex),
            ..amara("9434765919")
        };
        let (girl, boy) = (of("ruby", Sex::Female), of("riley", Sex::Male));
        assert_eq!(girl.clash(&boy), Clash::Identifier);
        let other = of("esme", Sex::Female);
        assert_eq!(girl.clash(&other), Clash::Person, "her twin, or renamed");
        assert_eq!(girl.clash(&Facts { source: "schools".parse().ok(), ..other }), Clash::None, "renamed");
        assert_eq!(girl.clash(&Facts { source: "schools".parse().ok(), ..boy }), Clash::None, "changed name and sex");
    }

    #[test]
    fn another_name_after_the_first_is_another_person() {
        let of = |forenames: &[&str]| Facts {
            forenames: forenames.iter().map(|name| (*name).to_owned()).collect(),
            ..amara("")
        };
        assert_eq!(of(&["mohammed", "ali"]).clash(&of(&["muhammad", "umar"])), Clash::Person);
        assert_eq!(of(&["mohammed", "ali"]).clash(&of(&["mohammed"])), Clash::None);
        assert_eq!(of(&["mary", "ann", "kate"]).clash(&of(&["mary", "kate"])), Clash::None);
    }

    #[test]
    fn another_forename_is_another_person_unless_a_number_is_shared() {
        let renamed = Facts { forenames: vec!["daniel".into()], ..amara("9434765919") };
        assert_eq!(amara("9434765919").clash(&renamed), Clash::None);
        assert_eq!(amara("").clash(&renamed), Clash::Person);
    }
}
