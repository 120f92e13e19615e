//! Explaining: why two records are thought to be one person, in one sentence.

use crate::{Comparison, Field, Level};

/// One plain sentence, without the names or dates themselves: "same NHS number and date of birth; name spelled
/// differently". What agrees comes first, then what agrees in part, what differs, and what is not known.
#[must_use]
pub fn explain(comparison: &Comparison) -> String {
    let level = |field: Field| comparison.fields[field as usize].level;
    let mut same: Vec<&str> = Vec::new();
    let mut clauses: Vec<&str> = Vec::new();
    if level(Field::NhsNumber) == Level::Same {
        same.push("NHS number");
    }
    if level(Field::Upn) == Level::Same {
        same.push("pupil number");
    }
    match (level(Field::Forename), level(Field::Surname)) {
        (Level::Same, Level::Same) => same.push("name"),
        (Level::Same, _) => same.push("forename"),
        (_, Level::Same) => same.push("surname"),
        _ => {}
    }
    for (field, words) in [
        (Field::Address, "address"),
        (Field::Birth, "date of birth"),
        (Field::Contact, "phone, e-mail or other number"),
    ] {
        if level(field) == Level::Same {
            same.push(words);
        }
    }
    match (level(Field::Forename), level(Field::Surname)) {
        (Level::Close, Level::Close) => clauses.push("name spelled differently"),
        (Level::Close, _) => clauses.push("forename spelled differently"),
        (_, Level::Close) => clauses.push("surname spelled differently"),
        _ => {}
    }
    clauses.extend(WORDS.iter().filter(|(field, at, _)| level(*field) == *at).map(|(_, _, words)| *words));
    let mut sentence = match &same[..] {
        [] => String::new(),
        [only] => format!("same {only}"),
        [first @ .., last] => format!("same {} and {last}", first.join(", ")),
    };
    for clause in clauses {
        if !sentence.is_empty() {
            sentence.push_str("; ");
        }
        sentence.push_str(clause);
    }
    if sentence.is_empty() { "nothing to compare".into() } else { sentence }
}

/// What is said of every other level, in this order.
const WORDS: [(Field, Level, &str); 27] = [
    (Field::Forename, Level::Nickname, "another form of the same forename"),
    (Field::Forename, Level::Shared, "one forename in common"),
    (Field::Forename, Level::Initial, "forename given as an initial"),
    (Field::Forename, Level::Swapped, "forename and surname swapped"),
    (Field::Surname, Level::Shared, "one surname in common"),
    (Field::Birth, Level::Swapped, "day and month of birth swapped"),
    (Field::Birth, Level::Close, "one digit of the date of birth differs"),
    (Field::Birth, Level::Shared, "day, month or year of birth differs"),
    (Field::Birth, Level::Partial, "same birth date as far as it is known"),
    (Field::Birth, Level::FirstOfJanuary, "same year of birth"),
    (Field::Birth, Level::Expected, "born about when expected"),
    (Field::Address, Level::Close, "same address, part of it missing or mistyped"),
    (Field::Address, Level::Building, "another flat in the same building"),
    (Field::Address, Level::Postcode, "same postcode"),
    (Field::NhsNumber, Level::Close, "NHS numbers almost the same"),
    (Field::Upn, Level::Close, "pupil numbers almost the same"),
    (Field::NhsNumber, Level::Differ, "different NHS numbers"),
    (Field::Upn, Level::Differ, "different pupil numbers"),
    (Field::Forename, Level::Differ, "different forename"),
    (Field::Surname, Level::Differ, "different surname"),
    (Field::Birth, Level::Differ, "different date of birth"),
    (Field::Address, Level::Differ, "different address"),
    (Field::Sex, Level::Differ, "sex recorded differently"),
    (Field::Forename, Level::Missing, "no forename"),
    (Field::Surname, Level::Missing, "no surname"),
    (Field::Birth, Level::Missing, "no date of birth"),
    (Field::Address, Level::Missing, "no address"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Model, Standard};
    use fc_model::{Address, BirthDate, Details, Name, NhsNumber, PartialDate, Postcode};

    fn lucy() -> Details {
        Details {
            names: vec![Name::current(["Lucy"], "O'Brien")],
            birth: Some(BirthDate::born(PartialDate::parse_iso("2015-03-02").unwrap())),
            addresses: vec![Address {
                lines: vec!["2 High Street".into()],
                postcode: Postcode::parse("SK1 3XE").ok(),
                ..Address::default()
            }],
            nhs_number: NhsNumber::parse("9434765919").ok(),
            ..Details::default()
        }
    }

    fn sentence(other: &Details) -> String {
        let standard = |details: &Details| Standard::of(&"housing".parse().unwrap(), details);
        let (a, b) = (standard(&lucy()), standard(other));
        let forth = explain(&Model::shipped().compare(&a, &b));
        assert_eq!(forth, explain(&Model::shipped().compare(&b, &a)));
        forth
    }

    #[test]
    fn a_link_is_explained_in_words_a_social_worker_uses() {
        assert_eq!(sentence(&lucy()), "same NHS number, name, address and date of birth");
        let misspelled = Details { names: vec![Name::current(["Lucyy"], "O'Brian")], addresses: vec![], ..lucy() };
        assert_eq!(sentence(&misspelled), "same NHS number and date of birth; name spelled differently; no address");
        let undated = Details { birth: None, nhs_number: None, ..lucy() };
        assert_eq!(sentence(&undated), "same name and address; no date of birth");
        assert_eq!(sentence(&Details::default()), "no forename; no surname; no date of birth; no address");
    }

    #[test]
    fn an_explanation_holds_no_personal_data() {
        let words = sentence(&lucy()).to_lowercase();
        assert!(!words.contains("lucy") && !words.contains("2015") && !words.contains("9434765919"));
    }
}
