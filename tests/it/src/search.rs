//! Searching: who is found, who is not, what it costs, and what is recorded.

use crate::access_harness::{Council, TODAY, address, amira, search_for, under_case};
use axum::http::StatusCode;
use fc_model::{
    Name, NameKind, PersonId, Protection, StaffId,
    search_keys::{MOST_LOOKUPS, lookups},
};
use fc_store::{
    Item, Key,
    audit::{Act, Stage},
    people,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_name_is_found_however_it_is_typed() {
    let council = Council::open().await;
    let robert = council.person("housing", "Robert", "O'Brien", "1984-05-06");
    council.knows(&[&robert]).await;
    for (surname, forename) in [
        ("O'Brien", "Robert"),
        ("o\u{2019}brien", "Bob"),
        ("OBRIEN*", "robert%"),
        ("Obrian", "Robert"),
        ("Pbrien", "Robert"),
        ("Robert", "O'Brien"),
        ("O  Brien", ""),
        ("O'Brien", "R"),
        ("O\u{2019}Bri\u{E9}n", "Dobert"),
    ] {
        let found = council.search(json!({"surname": surname, "forename": forename})).await;
        assert_eq!(found.names(), ["Robert O'Brien"], "typed {forename} {surname}");
    }
    assert!(council.search(json!({"surname": "Ahmed", "forename": "Fatima"})).await.names().is_empty());
}

#[tokio::test]
async fn an_empty_search_says_what_to_enter_and_is_no_error_of_ours() {
    let council = Council::open().await;
    for empty in [json!({}), json!({"surname": " ", "forename": "*"}), json!({"surname": "%"})] {
        let reply = council.search(empty).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(reply.text.contains("Enter a surname, a date of birth or a case ID."), "{}", reply.text);
    }
}

#[tokio::test]
async fn within_equally_good_matches_the_youngest_comes_first() {
    let council = Council::open().await;
    let born = ["1980-01-02", "2019-01-02", "", "2001-01-02"];
    let people: Vec<_> = born.iter().map(|born| council.person("children", "Amy", "Smith", born)).collect();
    council.knows(&people.iter().collect::<Vec<_>>()).await;
    let reply = council.search(json!({"surname": "Smith", "forename": "Amy"})).await.json();
    let births: Vec<_> = reply["people"].as_array().unwrap().iter().map(|person| person["birth"].clone()).collect();
    assert_eq!(births, [json!("2019-01-02"), json!("2001-01-02"), json!("1980-01-02"), Value::Null]);
}

#[tokio::test]
async fn a_date_of_birth_brings_the_right_one_to_the_top_and_finds_a_misspelt_name() {
    let council = Council::open().await;
    let young = council.person("children", "Mohammed", "Khan", "2019-01-02");
    let meant = council.person("children", "Muhammad", "Khan", "1980-07-06");
    council.knows(&[&young, &meant]).await;
    let reply = council.search(json!({"surname": "Khan", "forename": "Mohammed", "date_of_birth": "06/07/1980"})).await;
    assert_eq!(reply.json()["people"][0]["birth"], "1980-07-06");
    let by_birth_alone = council.search(json!({"date_of_birth": "1980-07-06"})).await;
    assert_eq!(by_birth_alone.names(), ["Muhammad Khan"]);
}

#[tokio::test]
async fn a_line_has_what_people_choose_by() {
    let council = Council::open().await;
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    council.lives(&mut maya, "children", &address("4 Mill Lane"));
    council.knows(&[&maya]).await;
    let person = council.search(json!({"surname": "Okafor"})).await.json()["people"][0].clone();
    assert_eq!(person["birth_words"], "2 March 2015");
    assert_eq!(person["age"], 11);
    assert_eq!(person["address"], "4 Mill Lane, LN10 8NE");
    assert_eq!(person["case_words"], "Not found in Mosaic");
}

#[tokio::test]
async fn a_case_id_goes_straight_to_the_person() {
    let council = Council::open().await;
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    under_case(&mut maya, "M-100");
    council.knows(&[&maya]).await;
    let reply = council.search(json!({"case_id": " m-100 "})).await.json();
    assert_eq!(reply["straight_to"], maya.id.as_str());
    assert_eq!(council.search(json!({"case_id": "M-101"})).await.json()["straight_to"], Value::Null);
}

#[tokio::test]
async fn a_council_may_switch_a_way_of_searching_off() {
    let council = Council::with("[search]\nby_name = false").await;
    let reply = council.search(json!({"surname": "Okafor"})).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.text.contains("case ID only"), "{}", reply.text);
}

#[tokio::test]
async fn a_former_name_that_matched_is_said_and_one_that_must_not_be_shown_finds_nobody() {
    let council = Council::open().await;
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let mut alex = council.person("children", "Alex", "Hughes", "1999-03-02");
    let former = |forename: &str| Name { kind: NameKind::Former, ..Name::current([forename], "Whitfield") };
    maya.summary.other_names = vec![former("Maya")];
    alex.summary.other_names = vec![Name { not_to_be_shown: true, ..former("Joanna") }];
    council.knows(&[&maya, &alex]).await;

    let maya = council.search(json!({"surname": "Whitfield", "forename": "Maya"})).await;
    assert_eq!(maya.json()["people"][0]["matched_by"], "Former name: Maya Whitfield");
    let alex = council.search(json!({"surname": "Whitfield", "forename": "Joanna"})).await;
    assert!(alex.names().is_empty(), "{}", alex.text);
    assert!(!alex.text.contains("Hughes"), "{}", alex.text);
}

#[tokio::test]
async fn someone_who_died_is_marked_and_has_no_age() {
    let council = Council::open().await;
    let mut ned = council.person("housing", "Ned", "Ashworth", "1940-01-02");
    ned.summary.death = Some(jiff::civil::date(2020, 1, 1));
    council.knows(&[&ned]).await;
    let person = council.search(json!({"surname": "Ashworth"})).await.json()["people"][0].clone();
    assert_eq!((&person["age"], &person["age_words"]), (&Value::Null, &json!("died on 1 January 2020, aged 79")));
}

#[tokio::test]
async fn finding_nobody_says_what_was_searched_and_what_to_try() {
    let council = Council::open().await;
    let reply = council.search(json!({"surname": "Nobody"})).await.json();
    let message = reply["message"].as_str().unwrap();
    assert!(message.starts_with("No one found. We searched for Nobody in "), "{message}");
    assert!(message.contains("Housing (last updated 2 March 2026)") && message.contains("Police (not loaded yet)"));
    assert!(message.contains("We did not search Housing for people under 16"), "{message}");
    assert!(message.contains("People added to Mosaic today appear tomorrow."));
    assert_eq!(reply["protected_words"], "Some records are protected and never shown here.");
}

#[tokio::test]
async fn someone_hidden_is_as_if_absent_byte_for_byte_and_call_for_call() {
    let (with, without) = (Council::open().await, Council::open().await);
    let mut hidden = with.person("children", "Zelda", "Fitzroy", "2015-03-02");
    hidden.summary.protection = Protection::Hidden;
    under_case(&mut hidden, "H-1");
    with.knows(&[&hidden]).await;
    for terms in [
        json!({"surname": "Fitzroy", "forename": "Zelda"}),
        json!({"surname": "Fitzroy"}),
        json!({"date_of_birth": "2015-03-02"}),
        json!({"case_id": "H-1"}),
    ] {
        let (before, before_without) = (with.used(), without.used());
        let mut replies = [with.search(terms.clone()).await, without.search(terms).await];
        for reply in &mut replies {
            // The id under which the search is kept is random in every answer.
            let id = reply.json()["search"].as_str().unwrap().to_owned();
            reply.text = reply.text.replace(&id, "");
        }
        assert_eq!(replies[0], replies[1]);
        assert_eq!(with.calls_since(before), without.calls_since(before_without));
    }
}

#[tokio::test]
async fn someone_withheld_is_named_and_nothing_more() {
    let council = Council::open().await;
    let mut zelda = council.person("children", "Zelda", "Fitzroy", "2015-03-02");
    council.lives(&mut zelda, "children", &address("4 Mill Lane"));
    zelda.summary.protection = Protection::Withheld;
    council.knows(&[&zelda]).await;
    let reply = council.search(json!({"surname": "Fitzroy"})).await;
    assert_eq!(reply.names(), ["Zelda Fitzroy"]);
    assert!(
        reply
            .text
            .contains("There may be information about this person that you cannot see. Speak to Social care duty team")
    );
    assert!(!reply.text.contains("2015") && !reply.text.contains("Mill Lane"), "{}", reply.text);
}

#[tokio::test]
async fn hidden_people_change_neither_who_is_shown_nor_what_is_said_of_more() {
    let (with, without) = (Council::open().await, Council::open().await);
    for council in [&with, &without] {
        let amys: Vec<_> =
            (1..=12).map(|day| council.person("children", "Amy", "Smith", &format!("2014-03-{day:02}"))).collect();
        council.knows(&amys.iter().collect::<Vec<_>>()).await;
    }
    for day in 1..=4 {
        let mut hidden = with.person("children", "Amy", "Smith", &format!("2019-03-{day:02}"));
        hidden.summary.protection = Protection::Hidden;
        with.knows(&[&hidden]).await;
    }
    let terms = json!({"surname": "Smith", "forename": "Amy"});
    let [mut one, mut other] = [with.search(terms.clone()).await.json(), without.search(terms).await.json()];
    (one["search"], other["search"]) = (Value::Null, Value::Null);
    assert_eq!(one, other);
    assert_eq!((one["people"].as_array().unwrap().len(), &one["more"]), (fc_search::SHOWN, &json!(false)));
}

#[tokio::test]
async fn someone_withheld_is_found_by_the_name_that_is_shown_and_by_nothing_that_is_not() {
    let council = Council::open().await;
    let mut zelda = council.person("children", "Zelda", "Fitzroy", "2015-03-02");
    zelda.summary.protection = Protection::Withheld;
    zelda.summary.other_names = vec![
        Name { kind: NameKind::Former, ..Name::current(["Zelda"], "Quillon") },
        Name { kind: NameKind::Alias, not_to_be_shown: true, ..Name::current(["Joanna"], "Whitfield") },
    ];
    under_case(&mut zelda, "W-1");
    council.knows(&[&zelda]).await;
    for terms in [
        json!({"date_of_birth": "2015-03-02"}),
        json!({"surname": "Quillon"}),
        json!({"surname": "Quillon", "forename": "Zelda", "date_of_birth": "2015-03-02"}),
        json!({"surname": "Whitfield", "forename": "Joanna"}),
        // A name that only the date of birth would bring near enough.
        json!({"surname": "Fairfax", "forename": "Zelda", "date_of_birth": "2015-03-02"}),
    ] {
        let reply = council.search(terms.clone()).await;
        assert!(reply.names().is_empty() && !reply.text.contains("Fitzroy"), "{terms}: {}", reply.text);
    }
    let name = |born: &str| json!({"surname": "Fitzroy", "forename": "Zelda", "date_of_birth": born});
    let mut answers = Vec::new();
    for born in ["", "2015-03-02", "1980-01-02"] {
        let mut found = council.search(name(born)).await.json();
        assert_eq!(found["people"][0]["name"], "Zelda Fitzroy");
        found["search"] = Value::Null;
        answers.push(found);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "the date of birth changes nothing");
    assert_eq!(council.search(json!({"case_id": "W-1"})).await.names(), ["Zelda Fitzroy"]);
}

#[tokio::test]
async fn someone_withheld_is_not_placed_by_their_date_of_birth() {
    let council = Council::open().await;
    let mut zelda = council.person("children", "Amy", "Smith", "2019-03-02");
    zelda.summary.protection = Protection::Withheld;
    let other = council.person("children", "Amy", "Smith", "1980-03-02");
    council.knows(&[&zelda, &other]).await;
    let reply = council.search(json!({"surname": "Smith", "forename": "Amy"})).await.json();
    let withheld: Vec<&Value> = reply["people"].as_array().unwrap().iter().map(|person| &person["withheld"]).collect();
    assert_eq!(withheld, [false, true], "not before somebody older");
}

#[tokio::test]
async fn adults_who_match_better_do_not_push_the_child_out() {
    let council = Council::with("journey = \"child-first\"").await;
    let adults: Vec<_> =
        (1..=20).map(|day| council.person("housing", "Amy", "Smith", &format!("1980-03-{day:02}"))).collect();
    let child = council.person("children", "Amie", "Smithe", "2015-03-02");
    council.knows(&adults.iter().chain([&child]).collect::<Vec<_>>()).await;
    let reply = council.search(json!({"surname": "Smith", "forename": "Amy"})).await;
    assert_eq!(reply.names(), ["Amie Smithe"]);
    assert_eq!(reply.json()["more"], false, "adults are not counted");
}

#[tokio::test]
async fn somebody_who_died_as_a_child_is_found_like_a_child() {
    let council = Council::with("journey = \"child-first\"").await;
    let mut ned = council.person("children", "Ned", "Ashworth", "1990-01-02");
    ned.summary.death = Some(jiff::civil::date(1999, 1, 1));
    let unborn = council.person("children", "Baby", "Ashworth", "2026-05-01");
    council.knows(&[&ned, &unborn]).await;
    assert_eq!(council.search(json!({"surname": "Ashworth", "forename": "Ned"})).await.names(), ["Ned Ashworth"]);
}

#[tokio::test]
async fn a_child_on_ones_own_caseload_is_found_among_many_of_that_name() {
    let council = Council::with("journey = \"child-first\"\n[search]\nown_caseload_only = true").await;
    let mut children: Vec<_> =
        (1..=30).map(|day| council.person("children", "Amy", "Smith", &format!("2015-04-{day:02}"))).collect();
    children[0].summary.allocated = vec![StaffId::parse("sw 7").unwrap()];
    council.knows(&children.iter().collect::<Vec<_>>()).await;
    let before = council.used();
    let reply = council.search(json!({"surname": "Smith", "forename": "Amy"})).await;
    assert_eq!(reply.names(), ["Amy Smith"], "the eldest of them, in Amira's own writing of her number or another");
    assert_eq!(reply.json()["more"], false, "the others are not hers to know of");
    assert!(council.units_since(before) <= 30.0);
}

#[tokio::test]
async fn child_first_finds_children_and_no_adult() {
    let council = Council::with("journey = \"child-first\"").await;
    let maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let grace = council.person("housing", "Grace", "Okafor", "1988-07-14");
    let unknown = council.person("housing", "Ade", "Okafor", "");
    council.knows(&[&maya, &grace, &unknown]).await;
    assert_eq!(council.search(json!({"surname": "Okafor"})).await.names(), ["Maya Okafor"]);
}

#[tokio::test]
async fn where_the_council_says_so_only_ones_own_caseload_is_found() {
    let council = Council::with("journey = \"child-first\"\n[search]\nown_caseload_only = true").await;
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let mut ada = council.person("children", "Ada", "Okafor", "2016-03-02");
    maya.summary.allocated = vec![StaffId::parse("SW7").unwrap()];
    ada.summary.allocated = vec![StaffId::parse("SW8").unwrap()];
    council.knows(&[&maya, &ada]).await;
    assert_eq!(council.search(json!({"surname": "Okafor"})).await.names(), ["Maya Okafor"]);
}

#[tokio::test]
async fn somebody_elses_child_and_nobody_are_the_same_answer_and_both_say_what_was_not_searched() {
    for (rule, words) in [
        (
            "\n[search]\nown_caseload_only = true",
            "Not found among children allocated to you. We did not search anyone else.",
        ),
        (
            "",
            "Not found among children. We did not search adults, or people of unknown age who are not allocated to you.",
        ),
    ] {
        let council = Council::with(&format!("journey = \"child-first\"{rule}")).await;
        let mut ada =
            council.person("children", "Ada", "Okafor", if rule.is_empty() { "1986-03-02" } else { "2016-03-02" });
        ada.summary.allocated = vec![StaffId::parse("SW8").unwrap()];
        under_case(&mut ada, "C-8");
        council.knows(&[&ada]).await;
        for (there, nobody) in [
            (json!({"surname": "Okafor", "forename": "Ada"}), json!({"surname": "Zzyzx", "forename": "Ada"})),
            (json!({"case_id": "C-8"}), json!({"case_id": "C-9"})),
        ] {
            let mut replies = [council.search(there).await, council.search(nobody).await];
            for reply in &mut replies {
                let id = reply.json()["search"].as_str().unwrap().to_owned();
                reply.text = reply.text.replace(&id, "");
            }
            assert_eq!(replies[0].text, replies[1].text);
            let message = replies[0].json()["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with(words) && message.contains(" can: "), "{message}");
            assert!(!message.contains("No one found"), "{message}");
        }
    }
}

#[tokio::test]
async fn more_than_fit_are_counted_out_loud() {
    let council = Council::open().await;
    let people: Vec<_> =
        (0..20).map(|day| council.person("children", "Amy", "Smith", &format!("2015-03-{:02}", day + 1))).collect();
    council.knows(&people.iter().collect::<Vec<_>>()).await;
    let reply = council.search(json!({"surname": "Smith", "forename": "Amy"})).await;
    assert_eq!(reply.names().len(), fc_search::SHOWN);
    assert!(reply.json()["message"].as_str().unwrap().contains("Add a first name, a date of birth"), "{}", reply.text);
}

#[tokio::test]
async fn a_search_is_found_again_by_its_user_for_a_day_and_by_nobody_else() {
    let council = Council::open().await;
    let maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    council.knows(&[&maya]).await;
    let id = council.search(json!({"surname": "Okafor"})).await.json()["search"].as_str().unwrap().to_owned();
    let path = format!("/v1/searches/{id}");
    assert!(!id.to_lowercase().contains("okafor"));
    assert_eq!(council.get(&path).await.names(), ["Maya Okafor"]);

    let request = axum::http::Request::get(&path).body(axum::body::Body::empty()).unwrap();
    let ben = json!({"sub": "ben", "roles": "social-worker"});
    assert_eq!(council.ask(request, Some(ben)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(council.tomorrow().get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(council.get("/v1/searches/nonsense").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_searched_for_what_and_who_was_shown_is_recorded_before_it_is_returned() {
    let council = Council::open().await;
    let maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    council.knows(&[&maya]).await;
    council.search(json!({"surname": "Okafor", "forename": "Maya"})).await;
    let trail = council.trail().await;
    let [attempt, outcome] = &trail[..] else { panic!("{} entries", trail.len()) };
    assert_eq!((attempt.stage, outcome.stage), (Stage::Attempt, Stage::Outcome));
    let line = serde_json::to_value(outcome).unwrap();
    assert_eq!(line["user"], json!({"id": "amira", "name": "Amira Shah", "roles": ["social-worker"]}));
    assert_eq!(line["terms"], json!({"surname": "Okafor", "forename": "Maya"}));
    assert_eq!(line["outcome"], json!({"result": "shown", "people": [maya.id]}));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_shown() {
    let council = Council::open().await;
    let maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    council.knows(&[&maya]).await;
    let reply = council.without_an_audit_table().search(json!({"surname": "Okafor"})).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.text.contains("We cannot record what you do at the moment") && !reply.text.contains("Maya"));
}

#[tokio::test]
async fn only_the_roles_that_may_look_people_up_do() {
    let council = Council::open().await;
    let status = |claims: Option<Value>| {
        let request = search_for(&json!({"surname": "Okafor"}));
        let council = &council;
        async move { council.ask(request, claims).await.status }
    };
    assert_eq!(status(None).await, StatusCode::UNAUTHORIZED, "no claims");
    assert_eq!(status(Some(json!({"name": "Amira"}))).await, StatusCode::UNAUTHORIZED, "claims that name nobody");
    for roles in ["", "[]", "[steward]", "information-governance", "[admin]"] {
        assert_eq!(status(Some(json!({"sub": "amira", "roles": roles}))).await, StatusCode::FORBIDDEN, "{roles}");
    }
    assert_eq!(status(Some(json!({"sub": "amira"}))).await, StatusCode::FORBIDDEN, "no roles in the token");
    assert_eq!(status(Some(json!({"sub": "amira", "roles": "[team-manager]"}))).await, StatusCode::OK);
    assert_eq!(status(Some(amira())).await, StatusCode::OK);
    let trail = council.trail().await;
    let results: Vec<&str> = trail.iter().filter_map(|entry| Some(entry.outcome.as_ref()?.result.as_str())).collect();
    assert_eq!(trail.len(), 16, "an attempt and an outcome each, and none of whom nobody knows");
    assert_eq!(results.iter().filter(|result| **result == "refused").count(), 6);
    let refused = trail.iter().find(|entry| entry.outcome.as_ref().is_some_and(|it| it.result == "refused")).unwrap();
    assert!(refused.outcome.as_ref().unwrap().people.is_empty());
    assert!(matches!(&refused.act, Act::Search { terms } if terms.surname == "Okafor"));
}

/// Every partition that the search reads holds more entries than it reads of it, so a larger council cannot cost more:
/// these are the dearest searches there are, whatever the number of people.
#[tokio::test]
async fn the_dearest_search_stays_within_its_budget() {
    const FILED: u64 = 800;
    const CASELOAD: &str = "journey = \"child-first\"\n[search]\nown_caseload_only = true";
    for (settings, forename, surname, born) in [
        ("", "Mohammed", "Khan", ""),
        ("", "Katharine", "Robertson", ""),
        ("", "", "Robertson-Pryce-Davies", "2015-03-02"),
        ("", "Katharine", "Robertson-Pryce-Davies", "2015-03-02"),
        (CASELOAD, "Mohammed", "Khan", ""),
    ] {
        let council = Council::with(settings).await;
        let asked = lookups(surname, forename, born.parse().ok());
        assert!((MOST_LOOKUPS - 1..=MOST_LOOKUPS).contains(&asked.len()), "{} lookups", asked.len());
        let mut number = 0_u64;
        for lookup in &asked {
            let entries: Vec<Item> = (0..FILED)
                .map(|_| {
                    number += 1;
                    let id = PersonId::parse(&format!("{:032x}", 0xffff_0000 + number)).unwrap();
                    let name = format!("{}|{}", surname.to_lowercase().replace('-', " "), forename.to_lowercase());
                    let pk = people::search_pk(&council.store.key, &lookup.pk);
                    let key = Key::new(pk, format!("{:08}#{id}", 79_849_697 + number));
                    Item { data: name, ..Item::bare(key, 1) }
                })
                .collect();
            council.store.people.batch_write(&entries, &[]).await.unwrap();
        }
        let birth = if born.is_empty() { TODAY.to_string() } else { born.to_owned() };
        let mut people: Vec<_> = (0..40).map(|_| council.person("children", forename, surname, &birth)).collect();
        for person in &mut people {
            person.summary.allocated = vec![StaffId::parse("SW7").unwrap()];
        }
        council.knows(&people.iter().collect::<Vec<_>>()).await;

        let before = council.store.people.meter().reading();
        let reply = council.search(json!({"surname": surname, "forename": forename, "date_of_birth": born})).await;
        let used = council.people_read_since(before);
        assert_eq!(reply.names().len(), fc_search::SHOWN);
        println!(
            "the dearest search for {forename} {surname} {born}: {} calls, {} read units",
            used.calls, used.read_units
        );
        assert!(used.calls <= 8, "{} calls", used.calls);
        assert!(used.read_units <= 30.0, "{} read units", used.read_units);
    }
}

#[tokio::test]
async fn the_description_lists_every_route() {
    let council = Council::open().await;
    let document = council.get("/v1/openapi.json").await.json();
    let mut paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    paths.sort();
    assert_eq!(
        paths,
        [
            "/v1/people/search",
            "/v1/people/{id}",
            "/v1/people/{id}/family",
            "/v1/people/{id}/services/{service}",
            "/v1/searches/{id}"
        ]
    );
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
    assert!(document["components"]["schemas"]["Problem"]["properties"]["detail"].is_object());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                let problem = !status.starts_with('2');
                assert_eq!(*schema == json!("#/components/schemas/Problem"), problem, "{path} {status}: {response}");
            }
        }
    }
}
