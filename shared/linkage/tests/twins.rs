//! Twins, and relatives whom a mistake makes look like twins: no two of them are ever one person. Each of
//! these was merged once, on a made-up council.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod people;

use fc_linkage::{Linked, Model, Refusal, Subject, link};
use fc_model::{Details, Email, Name, Sex, Upn};
use people::{birth, held_by, home, linked, nhs, okafor};

const BORN: &str = "2015-03-02";

/// Links records, each told by a source.
fn told(records: &[(&str, Details)]) -> Linked {
    let records: Vec<_> =
        records.iter().enumerate().map(|(id, (source, details))| (held_by(source, id), details.clone())).collect();
    linked(&records, &[])
}

fn twin(forename: &str) -> Details {
    okafor(forename, BORN)
}

fn with_middle(forename: &str, middle: &str) -> Details {
    Details { names: vec![Name::current([forename, middle], "Okafor")], ..twin(forename) }
}

fn pupil(forename: &str, upn: &str) -> Details {
    Details { upn: Some(Upn::parse(upn).unwrap()), ..twin(forename) }
}

fn reached_at(details: Details, email: &str) -> Details {
    Details { emails: vec![Email::parse(email).unwrap()], ..details }
}

#[test]
fn twins_of_whom_a_source_has_only_initials_are_two_children() {
    for (one, other) in [("Lan", "L"), ("L", "L"), ("Olivia", "Isabella Olivia"), ("Baby", "Olivia")] {
        let linked = told(&[("children", twin(one)), ("children", twin(other))]);
        assert_eq!(linked.people, [0, 1], "{one} and {other}");
        assert_eq!(linked.possible.len(), 1, "{one} and {other} are offered to a steward");
    }
}

#[test]
fn two_sources_may_have_one_child_by_an_initial() {
    assert_eq!(told(&[("children", twin("Lan")), ("schools", twin("L"))]).people, [0, 0]);
}

#[test]
fn boy_and_girl_of_one_source_are_two_children_whatever_they_are_called() {
    let of = |forename, sex| Details { sex: Some(sex), ..twin(forename) };
    assert_eq!(told(&[("housing", of("Robin", Sex::Male)), ("housing", of("Robin", Sex::Female))]).people, [0, 1]);
}

#[test]
fn a_source_that_holds_a_record_twice_alike_holds_one_person() {
    assert_eq!(
        told(&[("housing", twin("Amara")), ("housing", twin("Amara")), ("schools", twin("Ruth"))]).people,
        [0, 0, 1]
    );
}

#[test]
fn father_and_son_of_one_name_have_their_own_phones_though_the_son_was_given_his_father_s_birth_date() {
    let father = reached_at(okafor("Harry", "1974-10-29"), "harold.okafor3@mail.example");
    let son = reached_at(okafor("Harry", "1974-10-29"), "harold.okafor4@mail.example");
    assert_eq!(told(&[("housing", father.clone()), ("housing", son.clone())]).people, [0, 1]);
    assert_eq!(told(&[("housing", father), ("police", son)]).people, [0, 0], "elsewhere it may be an older phone");
}

#[test]
fn triplets_one_called_by_another_s_name_do_not_meet_in_a_third_record() {
    // Mo's brother Rahim is called Mohammed by mistake; the school's Mohammed could be either.
    let linked = told(&[("housing", twin("Mo")), ("housing", twin("Mohammed")), ("schools", twin("Mohammed"))]);
    assert_ne!(linked.people[0], linked.people[1]);
}

#[test]
fn twins_whose_pupil_numbers_follow_one_another_are_not_one_child_with_a_mistyped_number() {
    let (pravin, raj) = (pupil("Raj", "T999202618188"), pupil("Raj", "G999202618189"));
    let linked = told(&[("schools", pravin), ("schools", raj), ("youth", twin("Raj"))]);
    assert_eq!(linked.people, [0, 1, 2], "which of the two the third record is of, nobody can say");
    assert!(linked.possible.iter().any(|pair| pair.why == Refusal::TooCloseToCall));
}

#[test]
fn a_twin_called_by_his_brother_s_name_is_not_his_brother() {
    let minh = Details {
        names: vec![Name::current(["Minh", "Rodel"], "Okafor"), Name::current(["Rodel"], "Okafor")],
        nhs_number: Some(nhs(1)),
        ..twin("Minh")
    };
    let numbered = Details { nhs_number: Some(nhs(2)), ..twin("Rodel") };
    let rodel = || twin("Rodel");
    let all = [("children", minh.clone()), ("children", rodel()), ("housing", rodel()), ("housing", numbered.clone())];
    let people = told(&all).people;
    assert!(people[0] != people[1] && people[0] != people[2], "{people:?}");
    // His brother's record in another source comes to his brother.
    let people = told(&[("children", minh), ("children", numbered.clone()), ("schools", numbered)]).people;
    assert_eq!(people, [0, 1, 1]);
}

#[test]
fn two_pupil_numbers_in_one_source_are_two_children_though_one_is_temporary() {
    let linked = told(&[("schools", pupil("Bianca", "N99920321842C")), ("schools", pupil("Bianca", "C999203218423"))]);
    assert_eq!(linked.people, [0, 1]);
}

#[test]
fn one_source_s_one_number_for_a_boy_and_a_girl_is_one_s_on_both() {
    let of = |forename, sex| Details { nhs_number: Some(nhs(1)), sex: Some(sex), ..twin(forename) };
    assert_eq!(told(&[("housing", of("Afia", Sex::Female)), ("housing", of("A", Sex::Male))]).people, [0, 1]);
}

#[test]
fn numbers_that_differ_in_a_digit_or_two_are_still_two_numbers() {
    let near = |seed| Details { nhs_number: Some(nhs(seed)), ..twin("Amara") };
    let mistyped = Details { nhs_number: fc_model::NhsNumber::parse("9434765919").ok(), ..twin("Amara") };
    let other = Details { nhs_number: fc_model::NhsNumber::parse("9434765870").ok(), ..twin("Amara") };
    for (a, b) in [(mistyped, other), (near(1), near(2))] {
        assert_eq!(told(&[("housing", a), ("schools", b)]).people, [0, 1]);
    }
}

#[test]
fn two_brothers_mohammed_by_their_second_names_are_not_merged_by_records_that_leave_those_out() {
    let school = |middle, seed| Details { nhs_number: Some(nhs(seed)), ..with_middle("Mohammed", middle) };
    let linked = told(&[
        ("schools", school("Tariq", 1)),
        ("schools", school("Rashid", 2)),
        ("housing", twin("Mohammed")),
        ("housing", twin("Mohammed")),
    ]);
    assert_eq!(linked.people, [0, 1, 2, 3]);
}

#[test]
fn second_forenames_that_differ_are_no_agreement() {
    let (one, other) = (with_middle("Evan", "Steffan"), with_middle("Evan", "Archie"));
    let moved = Details { addresses: home("40 Mill Road"), ..other };
    assert_eq!(told(&[("children", one), ("schools", moved)]).people, [0, 1]);
}

#[test]
fn a_daughter_with_her_mother_s_birth_date_goes_by_her_own_name() {
    // Megan is a form of Margaret, and somebody of the house is called just that.
    let linked = told(&[
        ("housing", okafor("Margaret", "1978-08-29")),
        ("housing", reached_at(okafor("Megan", "2005-02-06"), "megan.okafor@mail.example")),
        ("adults", reached_at(okafor("Megan", "1978-08-29"), "megan.okafor@mail.example")),
    ]);
    assert_ne!(linked.people[0], linked.people[2]);
}

#[test]
fn a_list_searched_for_its_own_doubles_is_not_asked_whether_it_knows_two_people() {
    let told = |forename: &str, id| Subject::of(held_by("list", id), &Details { birth: birth(BORN), ..twin(forename) });
    let records = [told("Lan", 0), told("L", 1)];
    assert_eq!(link(&Model::shipped().suited_to(&records), &records, &[]).people, [0, 0]);
}

#[test]
fn one_source_s_number_on_two_forenames_is_for_a_steward_and_two_sources_may_have_one_renamed_child() {
    let of = |forename: &str| Details { nhs_number: Some(nhs(1)), ..twin(forename) };
    let housing = told(&[("housing", of("Feya")), ("housing", of("Isabella"))]);
    assert_eq!((housing.people, housing.possible.len()), (vec![0, 1], 1));
    assert_eq!(told(&[("housing", of("Feya")), ("schools", of("Isabella"))]).people, [0, 0]);
    // Whoever has the number besides is of one of them at most.
    let people = told(&[("housing", of("Feya")), ("housing", of("Isabella")), ("schools", of("Feya"))]).people;
    assert_ne!(people[0], people[1]);
}

#[test]
fn twins_whose_names_are_a_letter_apart_are_two_children_where_one_source_has_both() {
    for (one, other) in [("Hoa", "Hoai"), ("Hana", "Hanan"), ("Jayla", "Kayla"), ("Amanpreet", "Ramanpreet")] {
        let both = |source| [(source, twin(one)), (source, twin(other))];
        let all = [both("schools"), both("housing")].concat();
        assert_eq!(told(&all).people, [0, 1, 0, 1], "{one} and {other}, twice");
        assert_eq!(told(&all[..3]).people, [0, 1, 0], "{one} and {other}, and {one} again");
    }
    assert_eq!(told(&[("schools", twin("Adnrew")), ("housing", twin("Andrew"))]).people, [0, 0], "a slip");
}

#[test]
fn names_that_rhyme_are_two_children_though_each_source_has_one() {
    for (one, other) in [("Jayla", "Kayla"), ("Halima", "Salima"), ("Milan", "Dilan")] {
        let linked = told(&[("schools", twin(one)), ("housing", twin(other))]);
        assert_eq!(linked.people, [0, 1], "{one} and {other}");
        assert_eq!(linked.possible.len(), 1, "{one} and {other} are offered to a steward");
    }
}

#[test]
fn names_of_one_or_two_chinese_characters_are_not_one_name_spelled_differently() {
    for (one, other) in [("明", "強"), ("小明", "小強")] {
        let both = |source| [(source, twin(one)), (source, twin(other))];
        assert_eq!(told(&[both("schools"), both("housing")].concat()).people, [0, 1, 0, 1]);
        assert_eq!(told(&[("schools", twin(one)), ("housing", twin(other))]).people, [0, 1]);
    }
}

#[test]
fn brothers_of_one_first_forename_are_told_apart_by_the_next_across_sources() {
    let (ali, umar) = (with_middle("Mohammed", "Ali"), with_middle("Mohammed", "Umar"));
    assert_eq!(told(&[("schools", ali.clone()), ("housing", umar.clone())]).people, [0, 1]);
    let people = told(&[("schools", ali), ("housing", umar), ("police", twin("Mohammed"))]).people;
    assert_ne!(people[0], people[1], "nor are they merged by a record that leaves it out");
}

#[test]
fn who_has_no_forename_is_not_known_by_another_surname() {
    let nobody = |surname: &str| Details { names: vec![Name::current([""; 0], surname)], ..twin("") };
    let linked = told(&[("schools", nobody("Jones")), ("housing", twin("Mary"))]);
    assert_eq!(linked.people, [0, 1]);
    assert_eq!(told(&[("schools", nobody("Okafor")), ("housing", twin("Mary"))]).people, [0, 0]);
}
