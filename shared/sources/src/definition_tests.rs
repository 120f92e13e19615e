use super::*;
use jiff::civil::date;

const HOUSING: &str = include_str!("../../../infra/sources/housing.toml");

fn problems(name: &str, text: &str) -> Vec<String> {
    match Definitions::from_files([(name.to_owned(), text.to_owned())]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// The mistakes told when one passage of the housing definition is written differently.
fn with(passage: &str, instead: &str) -> Vec<String> {
    assert!(HOUSING.contains(passage), "{passage}");
    problems("housing.toml", &HOUSING.replacen(passage, instead, 1))
}

fn housing() -> Definition {
    let definitions = Definitions::from_files([("housing.toml".to_owned(), HOUSING.to_owned())]).unwrap();
    definitions.get(&"housing".parse().unwrap()).unwrap().clone()
}

#[test]
fn every_shipped_definition_has_no_mistake() {
    for folder in ["infra/sources", "tests/data/council-dev/sources", "tests/data/sources"] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
        let definitions = Definitions::load_dir(&dir).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert!(definitions.iter().count() > 0);
    }
}

#[test]
fn police_and_the_standard_dataset_are_off_until_a_council_switches_them_on() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/sources");
    let definitions = Definitions::load_dir(&dir).unwrap();
    let off: Vec<&str> = definitions.iter().filter(|d| !d.enabled).map(|d| d.source.as_str()).collect();
    assert_eq!(off, ["police", "standard_safeguarding_dataset"]);
    let services: Vec<&str> = definitions.services().into_iter().map(|service| service.as_str()).collect();
    assert_eq!(services, ["adult_social_care", "children_social_care", "housing", "schools", "youth_justice"]);
}

#[test]
fn a_misspelt_setting_is_told_with_its_line_and_the_right_word() {
    let told = with("database = ", "databse = ");
    assert!(
        told.iter().any(|t| t.starts_with("housing.toml line 5:")
            && t.contains("\"databse\" is not a setting")
            && t.contains("Did you mean \"database\"?")),
        "{told:#?}"
    );
    assert!(told.iter().any(|t| t.contains("\"database\" is missing")), "{told:#?}");
}

#[test]
fn a_misspelt_field_is_told_with_the_right_word() {
    let told = with("date_of_birth = \"DOB\"", "date_of_brith = \"DOB\"");
    assert!(
        told.iter().any(|t| t.contains("\"date_of_brith\" is no field. Did you mean \"date_of_birth\"?")),
        "{told:#?}"
    );
}

#[test]
fn a_field_that_is_mapped_must_be_agreed_and_the_other_way_round() {
    let told = with("\"nhs_number\", \"phone\"", "\"upn\", \"phone\"");
    assert!(told.iter().any(|t| t.contains("\"nhs_number\" is mapped but not agreed")), "{told:#?}");
    assert!(told.iter().any(|t| t.contains("\"upn\" is agreed but no feed maps it")), "{told:#?}");
    let told = with(", \"eviction\", \"anti_social_behaviour\"", ", \"anti_social_behaviour\"");
    assert!(told.iter().any(|t| t.contains("The fact \"eviction\" is mapped but not agreed")), "{told:#?}");
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = HOUSING
        .replace("dates = [\"dd-Mon-yy\"]", "dates = [\"dd-Mon\"]")
        .replace("mode = \"full\"", "mode = \"ful\"")
        .replace("since = 2012-04-01", "since = \"1 April 2012\"")
        .replace("phone = \"01632 960200\"", "phone = \"ring Jo\"")
        .replace("rule = \"end-date-empty-or-future\"", "rule = \"end-date-is-empty\"")
        .replace("encoding = \"windows-1252\"", "encoding = \"windows-1522\"")
        .replace("shrink_limit = 0.1", "shrink_limit = 10")
        .replace("record_id = \"PERSON_REF\"", "");
    let told = problems("housing.toml", &text).join("\n");
    for expected in [
        "The date format \"dd-Mon\" needs the year once",
        "Did you mean \"full\"?",
        "\"since\" in [coverage] is not a date",
        "The duty phone is not a phone number",
        "Did you mean \"end-date-empty\"?",
        "Did you mean \"windows-1252\"?",
        "a share from 0 to 1",
        "has no record id",
    ] {
        assert!(told.contains(expected), "{expected} not in\n{told}");
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let told = problems("housing.toml", "title = \"Housing\"\nservice = \"housing\narea = 1\n");
    assert!(told.iter().any(|t| t.starts_with("housing.toml line 2: This is not TOML")), "{told:#?}");
}

#[test]
fn a_value_outside_a_facts_values_is_told() {
    let told =
        with("values = { \"1\" = \"Open\", \"2\" = \"Closed\"", "values = { \"1\" = \"Opened\", \"2\" = \"Closed\"");
    assert!(
        told.iter().any(|t| t.contains("\"Opened\" is not among the values") && t.contains("Did you mean \"Open\"?")),
        "{told:#?}"
    );
}

#[test]
fn what_the_page_shows_may_not_be_volatile() {
    let told = with("volatile = [\"as_of\"]", "volatile = [\"as_of\", \"last_interaction\", \"phone\"]");
    for field in ["last_interaction", "phone"] {
        assert!(told.iter().any(|t| t.contains(&format!("\"{field}\" may not be volatile"))), "{told:#?}");
    }
    assert_eq!(told.len(), 2, "{told:#?}");
}

#[test]
fn two_case_management_systems_at_once_are_a_mistake() {
    let cms = |enabled: &str| HOUSING.replacen("area = ", &format!("cms = true\n{enabled}\narea = "), 1);
    let both = |second: &str| {
        Definitions::from_files([("one.toml".to_owned(), cms("")), ("two.toml".to_owned(), cms(second))])
    };
    let told = both("").unwrap_err();
    assert!(told[0].message.contains("\"one\" and \"two\" are both the case management system"), "{told:#?}");
    assert!(both("enabled = false").is_ok());
}

#[test]
fn every_fact_that_a_code_or_a_leftover_can_mean_must_exist_and_be_agreed() {
    const POLICE: &str = include_str!("../../../infra/sources/police.toml");
    let told = |passage: &str, instead: &str| {
        assert!(POLICE.contains(passage), "{passage}");
        problems("police.toml", &POLICE.replacen(passage, instead, 1)).join("\n")
    };
    let wrong = told("\"S\" = \"safeguarding_suspicion\"", "\"S\" = \"safeguarding_suspiccion\"");
    assert!(wrong.contains("\"safeguarding_suspiccion\" is no fact of this source"), "{wrong}");
    let wrong = told(
        "otherwise = { fact = \"other_offences\", value = \"Records found\" }",
        "otherwise = { fact = \"other_offences\", value = \"Found\" }",
    );
    assert!(wrong.contains("\"Found\" is not among the values of the fact \"other_offences\""), "{wrong}");
    let wrong = told("\"safeguarding_suspicion\", \"other_offences\"", "\"other_offences\"");
    assert!(wrong.contains("The fact \"safeguarding_suspicion\" is mapped but not agreed"), "{wrong}");
}

#[test]
fn two_definitions_of_one_source_are_a_mistake() {
    let twice = [("housing.toml".to_owned(), HOUSING.to_owned()), ("housing.toml".to_owned(), HOUSING.to_owned())];
    let told = Definitions::from_files(twice).unwrap_err();
    assert!(told[0].message.contains("two definitions"), "{told:#?}");
}

#[test]
fn a_council_that_contradicts_itself_is_told() {
    let told = problems(
        "council.toml",
        "name = \"F\"\ncms = \"M\"\njourney = \"child-frist\"\n[search]\nby_name = false\nby_case_id = false\n",
    );
    assert!(told.iter().any(|t| t.contains("Did you mean \"child-first\"?")), "{told:#?}");
    assert!(told.iter().any(|t| t.contains("Nobody could search")), "{told:#?}");
}

#[test]
fn a_sentence_with_an_unknown_word_in_braces_is_told() {
    let told = with("[coverage]", "[words]\nage = \"Not under {youngest}.\"\n\n[coverage]");
    assert!(told.iter().any(|t| t.contains("{youngest}, which we cannot fill in")), "{told:#?}");
}

#[test]
fn each_kind_of_nothing_has_its_own_sentence() {
    let housing = housing();
    let (monday, thursday) = (date(2026, 3, 2), date(2026, 3, 5));
    assert_eq!(
        housing.says_no_record(monday),
        "No record found in Housing, Fenchester Homes tenancy system for this person. We checked Fenchester Homes tenancies in Fenchester, 1 April 2012 to 2 March 2026. This does not mean the service is not involved. Ring Fenchester Homes neighbourhood team on 01632 960200."
    );
    assert_eq!(housing.says_not_at_this_age(), "We do not show Housing records for people under 16.");
    assert_eq!(
        housing.says_age_unknown(),
        "We do not know this person's age, so Housing is not shown. Ring Fenchester Homes neighbourhood team on 01632 960200."
    );
    assert_eq!(
        housing.says_stale(Some(monday)),
        "We cannot say. Housing has not updated since 2 March 2026. Ring Fenchester Homes neighbourhood team on 01632 960200."
    );
    assert_eq!(
        housing.says_stale_but_present(monday, thursday),
        "Housing information is 3 days old. Last updated 2 March 2026; expected daily."
    );
    assert_eq!(
        housing.says_withheld(),
        "There may be information about this person that you cannot see. Speak to Fenchester Homes neighbourhood team on 01632 960200."
    );
    assert_eq!(housing.says_empty("Phone number"), "Phone number: not recorded in Fenchester Homes tenancy system.");
    assert!(housing.says_coverage().unwrap().contains("This says nothing about other landlords."));
}

#[test]
fn a_daily_source_is_stale_on_the_second_day() {
    let housing = housing();
    assert_eq!(housing.freshness(Some(date(2026, 3, 4)), date(2026, 3, 5)), Freshness::Fresh);
    assert_eq!(housing.freshness(Some(date(2026, 3, 2)), date(2026, 3, 5)), Freshness::StaleBy(3));
    assert_eq!(housing.freshness(None, date(2026, 3, 5)), Freshness::NeverLoaded);
}

#[test]
fn an_unknown_age_hides_only_what_depends_on_age() {
    let housing = housing();
    assert_eq!(housing.ages.admit(Some(16)), AgeAnswer::Shown);
    assert_eq!(housing.ages.admit(Some(15)), AgeAnswer::NotAtThisAge);
    assert_eq!(housing.ages.admit(None), AgeAnswer::AgeUnknown);
    assert_eq!(Ages::default().admit(None), AgeAnswer::Shown);
    assert_eq!(Ages { from: Some(4), to: Some(20) }.admit(Some(21)), AgeAnswer::NotAtThisAge);
}

#[test]
fn each_fact_has_its_own_coverage() {
    let housing = housing();
    let up_to = date(2026, 3, 3);
    assert_eq!(housing.fact("anti_social_behaviour").unwrap().coverage.first_day(up_to), Some(date(2014, 1, 1)));
    assert_eq!(housing.fact("notice_seeking_possession").unwrap().coverage.first_day(up_to), Some(date(2025, 3, 3)));
    assert_eq!(housing.fact("rent_arrears").unwrap().coverage.first_day(up_to), None);
}

#[test]
fn the_day_of_a_file_may_stand_in_its_name() {
    let text = HOUSING.replace("as_of = \"upload\"", "as_of = \"file-name yyyy-mm-dd\"");
    let definitions = Definitions::from_files([("housing.toml".to_owned(), text)]).unwrap();
    let feed = &definitions.iter().next().unwrap().feeds[0];
    assert_eq!(feed.as_of_from_name("housing_2026-03-02_final.csv"), Some(date(2026, 3, 2)));
    assert_eq!(feed.as_of_from_name("housing.csv"), None);
}
