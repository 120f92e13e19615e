use super::*;
use crate::Uprn;

fn at(lines: &str, postcode: &str) -> Address {
    let lines: Vec<String> = lines.split(" / ").filter(|line| !line.is_empty()).map(str::to_owned).collect();
    Address { lines, postcode: Postcode::parse(postcode).ok(), ..Address::default() }
}

fn key() -> HandleKey {
    HandleKey::new([7; 32]).unwrap()
}

/// Whether they may be one place: the same in plain and in hashed tokens, and either way round.
fn may_be(one: &Address, other: &Address) -> bool {
    let plain = may_be_this_place(&Place::plain(one), &Place::plain(other));
    let (a, b) = (Place::keyed(one, &key()), Place::keyed(other, &key()));
    assert_eq!(plain, may_be_this_place(&a, &b), "hashed as plain: {:?} {:?}", one.lines, other.lines);
    assert_eq!(plain, may_be_this_place(&b, &a), "either way round: {:?} {:?}", one.lines, other.lines);
    assert!(
        !plain || a.anchors().intersection(&b.anchors()).next().is_some(),
        "filed apart: {:?} {:?}",
        one.lines,
        other.lines
    );
    plain
}

fn refuge() -> Address {
    at("Rose House, 3 Hidden Way, Kelby", "LN6 6AA")
}

#[test]
fn a_refuge_is_known_in_every_spelling() {
    for (lines, postcode) in [
        ("3 Hidden Way, Kelby", "LN6 6AA"),
        ("3 Hidden Way, Kelby", ""),
        ("3 Hidden Way", ""),
        ("Hidden Way, Kelby", ""),
        ("3 Hidden Way, Kelby", "LN6 6AB"),
        ("3 Hidden Way, Kelby", "LN6 6AO"),
        ("3 Hidden Way, Kelby", "NL6 6AA"),
        ("3 Hidden Way, Kelby", "LN7 6AA"),
        ("3 Hidden Way, Kelby, LN6 6AA", ""),
        ("3 Hidden Way Kelby LN66AA", ""),
        ("3 Hidden Way, Kelby, LN6 6A0", ""),
        ("3 Hidden Way, Kelby LN6 6AA\u{200e}", ""),
        ("3 Hid\u{200b}den W\u{ad}ay, Kelby", ""),
        ("\u{202a}3 Hidden\u{a0}Way\u{202c}, Kelby", ""),
        ("Flat 2, 3 Hidden Way", "LN6 6AA"),
        ("Flat 2 3 Hidden Way Kelby", ""),
        ("3A Hidden Way, Kelby", ""),
        ("Flat 2, Rose House", "LN6 6AA"),
        ("2 Rose House", "LN6 6AA"),
        ("Rose House", "LN6 6AA"),
        ("Rose House, Kelby", ""),
        ("Rose House (refuge), 3 Hidden Way", ""),
        ("Rose House - REFUGE - do not share, Kelby", ""),
        ("c/o Mrs J Smith, 3 Hidden Way, Kelby", ""),
        ("3 Hiden Way, Kelby", ""),
        ("3 Hidden Wy, Kelby", ""),
        ("3 Hyddin Way, Kelby", ""),
        ("3 Hiddenway, Kelby", ""),
        ("3 HIDDEN WAY. KELBY", ""),
        ("Three Hidden Way, Kelby", "LN6 6AA"),
        ("Three Hidden Way, Kelby", ""),
        ("Kelby / Hidden Way 3", ""),
        ("Kelby / 3 Hidden Way / Rose House", "LN6 6AA"),
        ("No. 3 Hidden Way, Kelby, Lincolnshire, England", ""),
        ("", "LN6 6AA"),
        ("RoseHouse, 3 Hidden Way", "LN6 6AA"),
        ("3, Hidden Way, Kelby", ""),
        ("3 Hidden Way Kelby Lincs LN6", ""),
        ("3 H1dden Way, Kelby", ""),
        ("Room 4, Rose Hse, Hidden Way, Kelby", ""),
        ("2nd Floor, 3 Hidden Way, Kelby", ""),
        ("3 Hidden, Kelby", ""),
        ("The Refuge, 3 Hidden Way, Kelby", ""),
        ("Hidden Way 3 Kelby", ""),
        ("3 Hidden Lane, Kelby", ""),
        ("Rse House, Kelby", ""),
        ("3 Hiddem Way, Kelby", "LN6 9ZZ"),
        ("3Hidden Way, Kelby", ""),
        ("Rosehouse, Kelby", ""),
        ("3 Hidden Way - Mum's new address", ""),
        ("3 Hidden Way, DO NOT TELL FATHER", ""),
        ("3 Н\u{456}dden Way, Kelby", ""),
        ("Women's Aid, 3 Hidden Way, Kelby", ""),
    ] {
        assert!(may_be(&refuge(), &at(lines, postcode)), "{lines} {postcode}");
    }
}

#[test]
fn the_six_spellings_of_a_refuge_in_two_systems_are_one_place() {
    for (marked, other) in [
        (at("Rose House, 3 Hidden Way, Kelby", ""), at("3 Hidden Way, Kelby", "LN6 6AA")),
        (at("Rose House, 3 Hidden Way, Kelby", "LN6 6AA"), at("3 Hidden Way, Kelby", "LN6 6AB")),
        (at("3 Hidden Way, Kelby", "LN6 6AA"), at("3 Hidden Way, Kelby", "LN6 6AO")),
        (at("Flat 2, Rose House", "LN6 6AA"), at("3 Hidden Way, Kelby", "LN6 6AA")),
        (at("3 Hidden Way, Kelby", "LN6 6AA"), at("3 Hidden Way, Kelby, LN6 6AA\u{200e}", "")),
        (at("Rose House (refuge), 3 Hidden Way", ""), at("Rose House, 3 Hidden Way, Kelby", "LN6 6AA")),
    ] {
        assert!(may_be(&marked, &other), "{:?} {:?}", marked.lines, other.lines);
    }
}

#[test]
fn streets_are_known_by_their_abbreviations() {
    for (one, other) in [
        ("12 St Marys Road, Kelby", "12 St. Mary's Rd, Kelby"),
        ("12 High Street, Kelby", "12 High St, Kelby"),
        ("12 Mill Avenue, Kelby", "12 Mill Ave Kelby"),
        ("4 Lily Court, 3 Hidden Way, Kelby", "Flat 4 Lily Ct, 3 Hidden Way"),
        ("3-5 Hidden Way, Kelby", "5 Hidden Way, Kelby"),
        ("14A High Street, Kelby", "14 a High Street Kelby"),
        ("12 Saint Marys Road, Kelby", "12 St Mary's Rd, Kelby"),
    ] {
        assert!(may_be(&at(one, ""), &at(other, "")), "{one} {other}");
    }
}

#[test]
fn a_house_that_is_clearly_another_is_not_the_refuge() {
    for (lines, postcode) in [
        ("5 Hidden Way, Kelby", "LN6 6AA"),
        ("13 Hidden Way, Kelby", "LN6 6AA"),
        ("5 Hidden Way, Kelby", ""),
        ("12 Mill Road, Kelby", "LN6 6AA"),
        ("3 Mill Road, Kelby", ""),
        ("3 Mill Road, Kelby", "LN6 6AB"),
        ("3 Hidden Way, Lincoln", ""),
        ("3 Hidden Way, Lincoln", "LN1 1AB"),
        ("3 Hidden Way, Kelby", "SK1 3XE"),
        ("Holly Lodge, Mill Lane, Kelby", ""),
        ("Holly Lodge, Kelby", "LN1 3XE"),
        ("14 Oak Road", ""),
        ("3 Haddon Road, Kelby", ""),
        ("3 Rose Street, Kelby", ""),
        ("Flat 3, 5 Hidden Way, Kelby", "LN6 6AA"),
        ("Kelby", ""),
        ("", "LN6 6AB"),
        ("", ""),
    ] {
        assert!(!may_be(&refuge(), &at(lines, postcode)), "{lines} {postcode}");
    }
    let town = at("Kelby", "");
    assert!(!may_be(&town, &at("3 Kelby Road, Lincoln", "LN1 1AB")), "a town alone is not a street of its name");
    let flat = |line: &str| at(line, "SK1 3XE");
    assert!(!may_be(&flat("Flat 14A, 2 High Street"), &flat("Flat 14C, 2 High Street")));
    assert!(!may_be(&flat("4 Lily Court, 3 Hidden Way"), &flat("5 Lily Court, 3 Hidden Way")));
}

#[test]
fn a_property_number_is_enough_and_nothing_is_no_place() {
    let property = |number: &str| Address { uprn: Uprn::parse(number).ok(), ..Address::default() };
    assert!(may_be(&property("100"), &Address { uprn: Uprn::parse("100").ok(), ..refuge() }));
    assert!(!may_be(&property("100"), &property("101")));
    assert!(!may_be(&property("100"), &refuge()));
    assert!(Place::plain(&Address::default()).is_empty());
}

#[test]
fn the_home_before_is_certainly_another_and_a_scrap_of_an_address_is_not() {
    let certainly =
        |lines: &str, postcode: &str| Place::plain(&refuge()).is_certainly_another(&Place::plain(&at(lines, postcode)));
    for (lines, postcode) in [
        ("5 Old Road, Lincoln", "LN1 1AB"),
        ("5 Old Road, Lincoln", ""),
        ("Holly Lodge", "LN1 1AB"),
        ("5 Hidden Way, Kelby", "LN6 6AA"),
    ] {
        assert!(certainly(lines, postcode), "{lines} {postcode}");
    }
    for (lines, postcode) in
        [("12 Mill Lane", ""), ("Kelby", ""), ("", "LN1 1AB"), ("3 Hidden Way", ""), ("Holly Lodge", "")]
    {
        assert!(!certainly(lines, postcode), "{lines} {postcode}");
    }
}

/// Slow and obvious: every one of many houses, written in every one of many ways, is itself and none of the others.
#[test]
fn every_house_however_it_is_written_is_itself_and_no_other() {
    let streets = ["Hidden Way", "Mill Road", "Church Lane", "Station Street", "Wellington Avenue", "Orchard Close"];
    let towns = ["Kelby", "Thornbury"];
    let mut houses: Vec<(u32, &str, &str, String)> = Vec::new();
    for (t, town) in towns.iter().enumerate() {
        for (s, street) in streets.iter().enumerate() {
            for number in [2, 17, 30] {
                houses.push((
                    number,
                    street,
                    town,
                    format!(
                        "LN{} {}{}{}",
                        t + 2,
                        s + 1,
                        "ABDEFG".chars().nth(s).unwrap(),
                        "JLNPQR".chars().nth(t).unwrap()
                    ),
                ));
            }
        }
    }
    let swapped = |text: &str, i: usize| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.swap(i, i + 1);
        letters.into_iter().collect::<String>()
    };
    let ways = |(number, street, town, postcode): &(u32, &str, &str, String)| {
        let last = postcode.chars().last().unwrap();
        let slip = format!("{}{}", &postcode[..postcode.len() - 1], if last == 'X' { 'Y' } else { 'X' });
        vec![
            at(&format!("{number} {street}, {town}"), postcode),
            at(&format!("{number} {street}, {town}"), ""),
            at(&format!("{number} {street} {town} {postcode}"), ""),
            at(&format!("{number} {street}, {town}"), &slip),
            at(&format!("{town} / {number} {street}"), postcode),
            at(&format!("Flat 9, {number} {street}, {town}"), postcode),
            at(&format!("{number} {}, {town}", swapped(street, 2)), ""),
            at(&format!("{number} {}, {town}", &street.replacen(|c: char| "aeiou".contains(c), "", 1)), ""),
            at(&format!("(refuge) {number} {street}, {town}"), postcode),
            at(
                &format!(
                    "{number} {}, {town}",
                    street.replace("Road", "Rd").replace("Street", "St").replace("Lane", "Ln")
                ),
                "",
            ),
        ]
    };
    for (i, one) in houses.iter().enumerate() {
        let marked = at(&format!("{} {}, {}", one.0, one.1, one.2), &one.3);
        for (j, other) in houses.iter().enumerate() {
            for written in ways(other) {
                assert_eq!(may_be(&marked, &written), i == j, "{:?} {:?}", marked.lines, written.lines);
            }
        }
    }
}
