//! Opening a person: what the flags say, who is family, whom to ring, what stays hidden, and what it costs.

use crate::access_harness::{Council, TODAY, address, involved, said, under_case, worker};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use fc_model::{
    Address, Contact, Fact, Involvement, Name, PersonView, Phone, Protection, Staff, StaffId,
    person::{Sourced, ViewRecord},
};
use fc_store::{audit::Act, guard::Changes, people};
use jiff::civil::date;
use serde_json::{Value, json};

/// Grace Okafor, 37, a tenant with a housing officer.
fn grace(council: &Council) -> PersonView {
    let mut grace = council.person("housing", "Grace", "Okafor", "1988-07-14");
    let mut tenancy = involved(worker(Some("Dan Webb"), Some("01632 960222"), None));
    tenancy.current = Some(true);
    tenancy.facts = vec![Fact { name: "rent_arrears".into(), value: "Open".into(), on: Some(date(2026, 1, 5)) }];
    grace.involvements = vec![said("housing", tenancy)];
    grace
}

#[tokio::test]
async fn each_kind_of_nothing_has_its_own_words() {
    let council = Council::open().await;
    let mut grace = grace(&council);
    grace.summary.address = None;
    let child = council.person("children", "Maya", "Okafor", "2015-03-02");
    let ageless = council.person("children", "Ade", "Okafor", "");
    council.knows(&[&grace, &child, &ageless]).await;
    let flag = |reply: &crate::access_harness::Reply, source: &str| {
        let flag = reply.flag(source);
        (flag["state"].as_str().unwrap().to_owned(), flag["words"].as_str().unwrap().to_owned())
    };

    let page = council.opens(&grace).await;
    assert_eq!(flag(&page, "housing").0, "found");
    let (state, words) = flag(&page, "children");
    assert_eq!(state, "no-record");
    assert!(words.contains("does not mean the service is not involved") && words.contains("01632 960100"), "{words}");
    let unhoused = council.person("children", "Ade", "Okafor", "1980-03-02");
    council.knows(&[&unhoused]).await;
    let (state, words) = flag(&council.opens(&unhoused).await, "housing");
    assert_eq!(state, "no-record");
    assert!(words.ends_with("Fenchester Homes tenants only. This says nothing about other landlords."), "{words}");
    let (state, words) = flag(&page, "police");
    assert_eq!(state, "cannot-say", "never loaded");
    assert!(words.starts_with("We cannot say."), "{words}");

    let page = council.opens(&child).await;
    assert_eq!(
        flag(&page, "housing"),
        ("not-shown-at-age".into(), "We do not show Housing records for people under 16.".into())
    );
    let page = council.opens(&ageless).await;
    assert_eq!(
        flag(&page, "housing"),
        (
            "age-unknown".into(),
            "We do not know this person's age, so Housing is not shown. Ring Housing duty team on 01632 960100.".into()
        )
    );

    council.loaded("housing", date(2026, 2, 27)).await;
    let page = council.opens(&grace).await;
    let (state, words) = flag(&page, "housing");
    assert_eq!(state, "found-stale");
    assert!(words.contains("3 days old"), "{words}");
    council.loaded("children", date(2026, 2, 27)).await;
    assert_eq!(flag(&council.opens(&grace).await, "children").0, "cannot-say", "stale and no record");

    let mut ned = council.person("children", "Ned", "Ashworth", "1930-01-02");
    ned.summary.death = Some(date(2010, 1, 1));
    council.loaded("housing", TODAY).await;
    council.knows(&[&ned]).await;
    let (state, words) = flag(&council.opens(&ned).await, "housing");
    assert_eq!(state, "outside-coverage");
    assert!(words.contains("tenants only"), "{words}");
}

#[tokio::test]
async fn a_service_not_shown_at_this_age_leaves_no_trace_whether_or_not_it_has_a_record() {
    let council = Council::open().await;
    let plain = council.person("children", "Maya", "Okafor", "2015-03-02");
    council.knows(&[&plain]).await;
    let before = council.opens(&plain).await;

    let mut tenant = PersonView { epoch: 2, ..plain };
    tenant.records.push(ViewRecord {
        source: "housing".parse().unwrap(),
        explanation: "same name and address".into(),
        ..grace(&council).records[0].clone()
    });
    tenant.involvements = vec![said("housing", involved(worker(Some("Dan Webb"), None, None)))];
    tenant.phones = vec![said("housing", Phone::parse("07700 900123").unwrap())];
    tenant.addresses = vec![said("housing", address("9 Beech Drive"))];
    tenant.other_names = vec![said("housing", Name::current(["Mya"], "Okafor"))];
    council.knows(&[&tenant]).await;
    // As the reason why the one record that is shown belongs to another.
    tenant.records[0].explanation = "same name and address".into();
    tenant.records[0].confidence = 0.9;
    tenant.epoch += 1;
    council.knows(&[&tenant]).await;
    assert_eq!(council.opens(&tenant).await, before);

    let detail = council.get(&format!("/v1/people/{}/services/housing", tenant.id)).await;
    assert!(detail.text.contains("under 16") && !detail.text.contains("Dan Webb"), "{}", detail.text);
}

#[tokio::test]
async fn the_detail_of_a_service_says_whom_to_ring_and_what_is_covered() {
    let council = Council::open().await;
    let grace = grace(&council);
    council.knows(&[&grace]).await;
    let page = council.get(&format!("/v1/people/{}/services/housing", grace.id)).await.json();
    let part = &page["parts"][0];
    let tenancy = &part["involvements"][0];
    assert_eq!(tenancy["contact"]["name"], "Dan Webb");
    assert_eq!(tenancy["contact"]["phone_words"], "01632 960222");
    assert_eq!(tenancy["contact"]["email_words"], "Email address: not recorded in Housing system.");
    assert_eq!(tenancy["facts"][0]["value"], "Open");
    assert_eq!(tenancy["facts"][0]["coverage_words"], "Current tenants only.");
    assert_eq!(part["flag"]["duty"]["phone"], "01632 960100");
    assert_eq!(part["flag"]["last_updated"], "2026-03-02");
    assert_eq!(part["period_words"], "1 April 2012 to 2 March 2026");
}

#[tokio::test]
async fn the_staff_directory_fills_in_the_number_and_shows_who_left() {
    let council = Council::open().await;
    let mut grace = grace(&council);
    grace.involvements =
        ["S1", "S2", "S3"].map(|id| said("housing", involved(worker(Some("Dan Webb"), None, Some(id))))).into();
    council.knows(&[&grace]).await;
    for (id, left) in [("S1", None), ("S2", Some(date(2026, 1, 9))), ("S3", Some(date(2026, 3, 9)))] {
        let key =
            people::staff_key(&council.store.key, &StaffId::parse(id).unwrap(), &"staff_directory".parse().unwrap());
        let contact = Contact { phone: Phone::parse("01632 960444").ok(), ..Contact::default() };
        people::put_staff(&council.store.people, key, 1, Some(Staff { contact, left }), 0).await.unwrap();
    }
    let page = council.get(&format!("/v1/people/{}/services/housing", grace.id)).await.json();
    let contacts: Vec<&Value> =
        page["parts"][0]["involvements"].as_array().unwrap().iter().map(|shown| &shown["contact"]).collect();
    assert_eq!(contacts[0]["phone_words"], "01632 960444");
    assert_eq!(contacts[0]["from_staff_directory"], true);
    assert_eq!(contacts[1]["phone"], Value::Null);
    assert_eq!(contacts[1]["left_words"], "Dan Webb left on 9 January 2026. Ring Housing duty team on 01632 960100.");
    assert_eq!((&contacts[2]["left"], &contacts[2]["phone_words"]), (&Value::Null, &json!("01632 960444")));
    assert_eq!(
        contacts[2]["left_words"],
        "Dan Webb leaves on 9 March 2026. After that, ring Housing duty team on 01632 960100."
    );
}

#[tokio::test]
async fn stated_relatives_come_first_and_people_at_the_address_are_not_called_kin() {
    let council = Council::open().await;
    let mill_lane = Address { from: Some(date(2019, 6, 1)), ..address("4 Mill Lane") };
    let mut grace = grace(&council);
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let mut lena = council.person("children", "Lena", "Novak", "1996-11-30");
    let mut before = council.person("children", "Otto", "Earlier", "1950-11-30");
    for person in [&mut grace, &mut maya, &mut lena] {
        council.lives(person, "children", &mill_lane);
    }
    council.lives(&mut before, "children", &Address { to: Some(date(2019, 5, 1)), ..address("4 Mill Lane") });
    Council::states(&mut maya, "Mother", &grace);
    council.knows(&[&grace, &maya, &lena, &before]).await;

    let family = council.opens(&maya).await.json()["family"].clone();
    assert_eq!(family["stated"].as_array().unwrap().len(), 1);
    assert_eq!(family["stated"][0]["relationship"], "Mother");
    assert_eq!(family["stated"][0]["person"]["name"], "Grace Okafor");
    assert_eq!(family["same_address"].as_array().unwrap().len(), 1, "at the same time, and not the mother again");
    assert_eq!(family["same_address"][0]["name"], "Lena Novak");
    assert!(family["same_address_words"].as_str().unwrap().starts_with("Other people recorded at this address."));
    let alone = council.get(&format!("/v1/people/{}/family", maya.id)).await.json();
    assert_eq!(alone["family"], family);
}

#[tokio::test]
async fn a_care_home_lists_nobody() {
    let council = Council::open().await;
    let residents: Vec<PersonView> = (0..14)
        .map(|number| {
            let mut resident = council.person("children", "Resident", &format!("Number{number}"), "1940-01-02");
            council.lives(&mut resident, "children", &address("1 Elm House"));
            resident
        })
        .collect();
    council.knows(&residents.iter().collect::<Vec<_>>()).await;
    let family = council.opens(&residents[0]).await.json()["family"].clone();
    assert_eq!(family["same_address"], json!([]));
    assert_eq!(family["same_address_words"], "Many people share this address, so we do not list them.");
}

#[tokio::test]
async fn a_confidential_address_is_not_shown_though_another_source_gives_it_openly() {
    let council = Council::open().await;
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let mut carer = council.person("children", "Fay", "Foster", "1970-03-02");
    council.lives(&mut maya, "children", &Address { confidential: true, ..address("7 Refuge Row") });
    council.lives(&mut maya, "schools", &address("7 REFUGE ROW"));
    council.lives(&mut carer, "children", &address("7 Refuge Row"));
    maya.records.push(ViewRecord {
        source: "schools".parse().unwrap(),
        ..council.person("schools", "Maya", "Okafor", "").records[0].clone()
    });
    council.knows(&[&maya, &carer]).await;
    let page = council.opens(&maya).await;
    assert!(!page.text.to_lowercase().contains("refuge row"), "{}", page.text);
    assert!(!page.text.contains("Fay Foster"), "{}", page.text);
    assert_eq!(page.json()["addresses"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_school_of_a_child_kept_safe_is_for_the_allocated_worker_alone() {
    let council = Council::open().await;
    let mut maya = council.person("schools", "Maya", "Okafor", "2015-03-02");
    council.lives(&mut maya, "children", &Address { confidential: true, ..address("7 Refuge Row") });
    let teacher = worker(Some("Tess Teach"), Some("01632 960401"), None);
    let at = Involvement { organisation: Some("Kelby Academy".into()), ..involved(teacher) };
    maya.involvements = vec![said("schools", at)];
    council.knows(&[&maya]).await;
    let service = format!("/v1/people/{}/services/schools", maya.id);
    let page = council.get(&service).await;
    for secret in ["Kelby Academy", "Tess Teach", "960401"] {
        assert!(!page.text.contains(secret), "{}", page.text);
    }
    let words = page.json()["parts"][0]["withheld_words"].clone();
    assert!(words.as_str().unwrap().contains("Social care duty team on 01632 960100"), "no virtual school: {words}");

    maya.summary.allocated = vec![StaffId::parse("SW7").unwrap()];
    maya.epoch += 1;
    council.knows(&[&maya]).await;
    let page = council.get(&service).await;
    assert!(page.text.contains("Kelby Academy") && page.text.contains("Tess Teach"), "{}", page.text);
    assert_eq!(page.json()["parts"][0]["withheld_words"], "");
}

#[tokio::test]
async fn whoever_is_guarded_is_hidden_everywhere_before_matching_says_so() {
    let council = Council::open().await;
    let mut hidden = council.person("children", "Zelda", "Fitzroy", "2015-03-02");
    let mut sister = council.person("children", "Anna", "Fitzroy", "2013-03-02");
    let mut lodger = council.person("housing", "Lena", "Novak", "1990-03-02");
    for person in [&mut hidden, &mut sister, &mut lodger] {
        council.lives(person, "children", &address("4 Mill Lane"));
    }
    Council::states(&mut sister, "Sister", &hidden);
    council.knows(&[&hidden, &sister, &lodger]).await;
    assert!(council.opens(&sister).await.text.contains("Zelda") && council.opens(&lodger).await.text.contains("Zelda"));

    let guard = &council.store.guard;
    let changes =
        Changes { records: vec![(hidden.records[0].handle.clone(), Protection::Hidden)], ..Changes::default() };
    let known = guard.all().await.unwrap();
    guard.bind(&known, &changes, "2026-03-02T12:00:00Z".parse().unwrap()).await.unwrap();
    let nobody = council.get(&format!("/v1/people/{}", "f".repeat(32))).await;
    assert_eq!(council.opens(&hidden).await, nobody);
    for person in [&sister, &lodger] {
        let page = council.opens(person).await;
        assert!(page.status == StatusCode::OK && !page.text.contains("Zelda"), "{}", page.text);
    }
    let found = council.search(json!({"surname": "Fitzroy"})).await;
    assert_eq!(found.names(), ["Anna Fitzroy"]);
}

#[tokio::test]
async fn a_confidential_address_is_not_told_by_where_the_carer_or_the_mother_lives() {
    let council = Council::open().await;
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let mut carer = council.person("children", "Fay", "Foster", "1970-03-02");
    let mut mother = council.person("children", "Grace", "Okafor", "1988-07-14");
    let mut lodger = council.person("children", "Lena", "Novak", "1996-11-30");
    let (refuge, before) = (address("7 Refuge Row"), Address { to: Some(date(2025, 1, 1)), ..address("4 Mill Lane") });
    council.lives(&mut maya, "children", &before);
    council.lives(&mut maya, "children", &Address { confidential: true, ..refuge.clone() });
    council.lives(&mut lodger, "children", &before);
    council.lives(&mut lodger, "children", &refuge);
    council.lives(&mut carer, "children", &Address { lines: vec!["7 REFUGE ROW".into()], ..refuge.clone() });
    council.lives(&mut mother, "children", &refuge);
    Council::states(&mut maya, "Foster carer", &carer);
    Council::states(&mut maya, "Mother", &mother);
    council.knows(&[&maya, &carer, &mother, &lodger]).await;

    let page = council.opens(&maya).await;
    assert_eq!(page.json()["family"]["stated"].as_array().unwrap().len(), 2);
    for (place, who) in [("stated", "Fay Foster"), ("same_address", "Lena Novak")] {
        assert!(page.json()["family"][place].to_string().contains(who), "{who}: {}", page.text);
    }
    assert!(!page.text.to_lowercase().contains("refuge row"), "{}", page.text);
    // Nor on the carer's own page, when it is reached through the child.
    let carer = council.get(&format!("/v1/people/{}?child={}", carer.id, maya.id)).await;
    assert_eq!(carer.status, StatusCode::OK);
    assert!(!carer.text.to_lowercase().contains("refuge row"), "{}", carer.text);
}

#[tokio::test]
async fn someone_withheld_is_not_listed_at_their_address_nor_counted() {
    let council = Council::open().await;
    let mill_lane = address("4 Mill Lane");
    let mut people: Vec<PersonView> = (0..14)
        .map(|number| {
            let mut person = council.person("children", "Resident", &format!("Number{number}"), "1990-01-02");
            council.lives(&mut person, "children", &mill_lane);
            person
        })
        .collect();
    for withheld in &mut people[2..] {
        withheld.summary.protection = Protection::Withheld;
    }
    council.knows(&people.iter().collect::<Vec<_>>()).await;
    let family = council.opens(&people[0]).await.json()["family"].clone();
    assert_eq!(family["same_address"].as_array().unwrap().len(), 1);
    assert_eq!(family["same_address"][0]["name"], "Resident Number1");
    assert!(!family["same_address_words"].as_str().unwrap().contains("Many people"), "{family}");
}

#[tokio::test]
async fn those_who_moved_out_of_the_records_hide_nobody_who_lives_there() {
    let council = Council::open().await;
    let mill_lane = address("4 Mill Lane");
    let mut gone: Vec<PersonView> = (0..30)
        .map(|number| {
            let mut person = council.person("children", "Former", &format!("Number{number}"), "1990-01-02");
            council.lives(&mut person, "children", &mill_lane);
            person
        })
        .collect();
    council.knows(&gone.iter().collect::<Vec<_>>()).await;
    for person in &mut gone {
        *person = PersonView { epoch: 2, households: Vec::new(), ..person.clone() };
    }
    let [mut maya, mut lena] = ["Maya", "Lena"].map(|name| council.person("children", name, "Okafor", "2015-03-02"));
    council.lives(&mut maya, "children", &mill_lane);
    council.lives(&mut lena, "children", &mill_lane);
    council.knows(&gone.iter().chain([&maya, &lena]).collect::<Vec<_>>()).await;
    let family = council.opens(&maya).await.json()["family"].clone();
    assert_eq!(family["same_address"][0]["name"], "Lena Okafor", "{family}");
}

#[tokio::test]
async fn an_address_with_more_people_than_are_read_lists_nobody() {
    let council = Council::open().await;
    let place = |from| Address { from: Some(from), to: Some(from.tomorrow().unwrap()), ..address("4 Mill Lane") };
    let mut people: Vec<PersonView> = Vec::new();
    let mut day = date(2000, 1, 1);
    for number in 0..41 {
        // Each moved in after the last had left: nobody lived there with another.
        day = day.checked_add(jiff::Span::new().days(7)).unwrap();
        let mut person = council.person("children", "Former", &format!("Number{number}"), "1990-01-02");
        council.lives(&mut person, "children", &place(day));
        people.push(person);
    }
    council.knows(&people.iter().collect::<Vec<_>>()).await;
    let family = council.opens(&people[0]).await.json()["family"].clone();
    assert_eq!(family["same_address_words"], "Many people share this address, so we do not list them.");
}

#[tokio::test]
async fn what_no_source_dates_is_as_old_as_the_sources_last_update() {
    let council = Council::open().await;
    council.loaded("housing", date(2026, 1, 15)).await;
    let mut grace = grace(&council);
    let undated = |by: &str, line: &str| Sourced { as_of: None, ..said(by, address(line)) };
    grace.addresses = vec![
        undated("housing", "1 January Way"),
        Sourced { as_of: Some(date(2026, 2, 1)), ..said("children", address("2 February Way")) },
        undated("children", "3 March Way"),
    ];
    let phone = |by: &str, as_of, number: &str| Sourced { as_of, ..said(by, Phone::parse(number).unwrap()) };
    grace.phones =
        vec![phone("housing", Some(date(2026, 2, 1)), "07700 900001"), phone("children", None, "07700 900002")];
    grace.involvements[0].as_of = None;
    council.knows(&[&grace]).await;
    let page = council.opens(&grace).await.json();
    let addresses: Vec<(&str, &str)> = page["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shown| (shown["address"].as_str().unwrap(), shown["as_of"].as_str().unwrap()))
        .collect();
    assert_eq!(
        addresses,
        [
            ("3 March Way, LN10 8NE", "2026-03-02"),
            ("2 February Way, LN10 8NE", "2026-02-01"),
            ("1 January Way, LN10 8NE", "2026-01-15"),
        ]
    );
    assert_eq!((&page["phone"]["words"], &page["phone"]["as_of"]), (&json!("07700 900002"), &json!("2026-03-02")));
    let housing = council.get(&format!("/v1/people/{}/services/housing", grace.id)).await.json();
    assert_eq!(housing["parts"][0]["involvements"][0]["as_of"], "2026-01-15");
}

#[tokio::test]
async fn a_fact_from_before_what_is_covered_is_not_said_under_it() {
    let council = Council::open().await;
    let mut grace = grace(&council);
    let eviction = |on| Fact { name: "eviction".into(), value: "Closed".into(), on };
    grace.involvements[0].value.facts = vec![eviction(Some(date(2022, 1, 5)))];
    let mut lately = grace.clone();
    council.knows(&[&grace]).await;
    let shown = |page: Value| page["parts"][0]["involvements"][0]["facts"][1].clone();
    let path = format!("/v1/people/{}/services/housing", grace.id);
    let fact = shown(council.get(&path).await.json());
    assert_eq!((&fact["coverage_words"], &fact["value"]), (&json!("Evictions in the last year."), &json!("No record")));
    for on in [Some(date(2025, 3, 2)), None] {
        lately.epoch += 1;
        lately.involvements[0].value.facts = vec![eviction(on)];
        council.knows(&[&lately]).await;
        assert_eq!(shown(council.get(&path).await.json())["value"], "Closed", "on the first day covered, or undated");
    }
}

#[tokio::test]
async fn whoever_may_not_look_people_up_is_refused_and_recorded() {
    let council = Council::open().await;
    let grace = grace(&council);
    council.knows(&[&grace]).await;
    for rest in ["", "/family", "/services/housing"] {
        let request = Request::get(format!("/v1/people/{}{rest}", grace.id)).body(Body::empty()).unwrap();
        let claims = json!({"sub": "amira", "name": "Amira Shah", "roles": "[steward]"});
        let before = council.store.people.meter().reading();
        assert_eq!(council.ask(request, Some(claims)).await.status, StatusCode::FORBIDDEN);
        assert_eq!(council.people_read_since(before).calls, 0, "nothing is read");
    }
    let trail: Vec<Value> = council.trail().await.iter().map(|entry| serde_json::to_value(entry).unwrap()).collect();
    let outcomes: Vec<&Value> = trail.iter().filter(|entry| entry["stage"] == "outcome").collect();
    assert_eq!((trail.len(), outcomes.len()), (6, 3));
    for outcome in outcomes {
        assert_eq!((&outcome["outcome"], &outcome["person"]), (&json!({"result": "refused"}), &json!(grace.id)));
    }
}

#[tokio::test]
async fn unknown_malformed_and_hidden_people_are_one_and_the_same_404() {
    let council = Council::open().await;
    let mut hidden = council.person("children", "Zelda", "Fitzroy", "2015-03-02");
    hidden.summary.protection = Protection::Hidden;
    let mut sister = council.person("children", "Anna", "Fitzroy", "2013-03-02");
    Council::states(&mut sister, "Sister", &hidden);
    let mut stranger = council.person("children", "Anna", "Fitzroy", "2013-03-02");
    stranger.summary.id = sister.id.clone();
    council.knows(&[&hidden, &sister]).await;

    for rest in ["", "/family", "/services/housing"] {
        let before = council.used();
        let unknown = council.get(&format!("/v1/people/{}{rest}", "f".repeat(32))).await;
        let between = council.used();
        let closed = council.get(&format!("/v1/people/{}{rest}", hidden.id)).await;
        let after = council.used();
        let malformed = council.get(&format!("/v1/people/not-an-id{rest}")).await;
        assert_eq!(unknown, council.get(&format!("/v1/people/%ff{rest}")).await);
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert_eq!(unknown, closed);
        assert_eq!(unknown, malformed);
        let calls = |from: [fc_store::table::Reading; 6], to: [fc_store::table::Reading; 6]| {
            to.into_iter().zip(from).map(|(to, from)| (to - from).calls).collect::<Vec<_>>()
        };
        assert_eq!(calls(before, between), calls(between, after), "calls for unknown and for hidden");
    }
    assert_eq!(council.opens(&sister).await.json()["family"]["stated"], json!([]), "nor among relatives");
}

#[tokio::test]
async fn an_earlier_id_of_somebody_hidden_costs_as_many_reads_as_an_id_of_nobody() {
    let council = Council::open().await;
    let mut hidden = council.person("children", "Zelda", "Fitzroy", "2015-03-02");
    hidden.summary.protection = Protection::Hidden;
    let [once, before] = [(), ()].map(|()| council.person("children", "Zelda", "Fitzroy", "2015-03-02"));
    let maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    council.knows(&[&hidden, &once, &before, &maya]).await;
    council.moved(&once, &hidden).await;
    council.moved(&before, &once).await;
    for child in [String::new(), format!("?child={}", maya.id)] {
        let mut cost = Vec::new();
        for id in ["f".repeat(32), hidden.id.to_string(), once.id.to_string(), before.id.to_string()] {
            let from = council.used();
            assert_eq!(council.get(&format!("/v1/people/{id}{child}")).await.status, StatusCode::NOT_FOUND);
            cost.push((council.calls_since(from), council.units_since(from).to_bits()));
        }
        assert!(cost.iter().all(|one| *one == cost[0]), "{cost:?}");
    }
}

#[tokio::test]
async fn somebody_hidden_among_relatives_costs_as_many_calls_as_nobody() {
    let council = Council::open().await;
    let mut hidden = council.person("children", "Zelda", "Fitzroy", "2015-03-02");
    hidden.summary.protection = Protection::Hidden;
    let mut sister = council.person("children", "Anna", "Fitzroy", "2013-03-02");
    Council::states(&mut sister, "Sister", &hidden);
    let only = council.person("children", "Anna", "Fitzroy", "2013-03-02");
    council.knows(&[&hidden, &sister, &only]).await;
    let mut calls = Vec::new();
    for person in [&sister, &only] {
        let before = council.used();
        assert_eq!(council.opens(person).await.json()["family"]["stated"], json!([]));
        calls.push(council.calls_since(before));
    }
    assert_eq!(calls[0], calls[1]);
}

#[tokio::test]
async fn an_id_leads_to_the_person_it_became_however_many_mergers_ago() {
    let council = Council::open().await;
    let grace = grace(&council);
    let earlier: Vec<PersonView> =
        (0..4).map(|_| council.person("children", "Grace", "Okafor", "1988-07-14")).collect();
    council.knows(&earlier.iter().chain([&grace]).collect::<Vec<_>>()).await;
    for (from, to) in earlier.iter().zip(earlier.iter().skip(1).chain([&grace])) {
        council.moved(from, to).await;
    }
    assert_eq!(council.opens(&earlier[0]).await.json()["person"]["id"], grace.id.as_str());
}

#[tokio::test]
async fn a_merged_id_leads_to_the_person_it_became() {
    let council = Council::open().await;
    let (grace, twice) = (grace(&council), council.person("children", "Grace", "Okafor", "1988-07-14"));
    council.knows(&[&grace, &twice]).await;
    council.moved(&twice, &grace).await;
    assert_eq!(council.opens(&twice).await.json()["person"]["id"], grace.id.as_str());
}

#[tokio::test]
async fn a_withheld_person_has_a_name_and_whom_to_ring_and_nothing_else() {
    let council = Council::open().await;
    let mut grace = grace(&council);
    council.lives(&mut grace, "housing", &address("4 Mill Lane"));
    grace.summary.protection = Protection::Withheld;
    council.knows(&[&grace]).await;
    for rest in ["", "/family", "/services/housing"] {
        let page = council.get(&format!("/v1/people/{}{rest}", grace.id)).await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.text.matches("you cannot see").count(), 1, "said once: {}", page.text);
        assert!(
            !page.text.contains("Housing duty team"),
            "one team to ring, whatever services know her: {}",
            page.text
        );
        for secret in ["Mill Lane", "Dan Webb", "1988", "960222"] {
            assert!(!page.text.contains(secret), "{secret} in {}", page.text);
        }
    }
}

#[tokio::test]
async fn child_first_reaches_an_adult_through_a_child_only() {
    let council = Council::with("journey = \"child-first\"").await;
    let grace = grace(&council);
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let stranger = council.person("children", "Ali", "Stranger", "2014-03-02");
    Council::states(&mut maya, "Mother", &grace);
    let mut lodger = council.person("children", "Lena", "Novak", "1996-11-30");
    for person in [&mut maya, &mut lodger] {
        council.lives(person, "children", &address("4 Mill Lane"));
    }
    council.knows(&[&grace, &maya, &stranger, &lodger]).await;

    let family = council.opens(&maya).await.json()["family"].clone();
    assert_eq!(family["stated"][0]["person"]["name"], "Grace Okafor");
    assert_eq!(family["same_address"], json!([]), "no neighbours in this journey");
    assert_eq!(council.opens(&grace).await.status, StatusCode::NOT_FOUND);
    let through = |child: &PersonView| format!("/v1/people/{}?child={}", grace.id, child.id);
    assert_eq!(council.get(&through(&stranger)).await.status, StatusCode::NOT_FOUND);
    assert_eq!(council.get(&through(&maya)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn child_first_lists_nobody_two_steps_from_the_child() {
    let council = Council::with("journey = \"child-first\"").await;
    let mut grace = grace(&council);
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let mut father = council.person("children", "Ali", "Okafor", "1985-03-02");
    let mut former = council.person("children", "Otto", "Former", "1980-03-02");
    let mut half_brother = council.person("children", "Ben", "Former", "2018-03-02");
    let relate = |one: &mut PersonView, words: [&str; 2], other: &mut PersonView| {
        Council::states(one, words[0], other);
        Council::states(other, words[1], one);
    };
    relate(&mut maya, ["Mother", "Child"], &mut grace);
    relate(&mut maya, ["Father", "Child"], &mut father);
    relate(&mut grace, ["Partner", "Partner"], &mut father);
    relate(&mut grace, ["Former partner", "Former partner"], &mut former);
    relate(&mut grace, ["Child", "Mother"], &mut half_brother);
    council.knows(&[&grace, &maya, &father, &former, &half_brother]).await;

    let page = council.get(&format!("/v1/people/{}?child={}", grace.id, maya.id)).await.json();
    let listed = page["family"]["stated"].as_array().unwrap();
    let mut names: Vec<&str> = listed.iter().map(|relative| relative["person"]["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Ali Okafor", "Ben Former", "Maya Okafor"], "not her former partner, whom Maya does not name");
    assert_eq!(page["family"]["through"], maya.id.as_str());
}

#[tokio::test]
async fn on_ones_own_caseload_a_brothers_parents_are_reached_through_ones_own_child() {
    let council = Council::with("journey = \"child-first\"\n[search]\nown_caseload_only = true").await;
    let mut grace = grace(&council);
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let mut ben = council.person("children", "Ben", "Okafor", "2018-03-02");
    maya.summary.allocated = vec![StaffId::parse("sw 7").unwrap()];
    Council::states(&mut maya, "Mother", &grace);
    Council::states(&mut maya, "Brother", &ben);
    Council::states(&mut ben, "Mother", &grace);
    Council::states(&mut grace, "Child", &ben);
    council.knows(&[&grace, &maya, &ben]).await;

    assert_eq!(council.opens(&maya).await.json()["family"]["through"], maya.id.as_str());
    let path = |person: &PersonView, child: &PersonView| format!("/v1/people/{}?child={}", person.id, child.id);
    let brother = council.get(&path(&ben, &maya)).await.json();
    assert_eq!(brother["family"]["through"], maya.id.as_str(), "not the brother, who is on another's caseload");
    assert_eq!(brother["family"]["stated"][0]["person"]["name"], "Grace Okafor");
    assert_eq!(council.get(&path(&grace, &maya)).await.status, StatusCode::OK);
    assert_eq!(council.get(&path(&grace, &ben)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_child_that_is_named_must_be_one_the_user_may_know_of() {
    let council = Council::open().await;
    let grace = grace(&council);
    let maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    let mut hidden = council.person("children", "Zelda", "Fitzroy", "2015-03-02");
    hidden.summary.protection = Protection::Hidden;
    council.knows(&[&grace, &maya, &hidden]).await;
    let through = |child: &str| format!("/v1/people/{}?child={child}&purpose=section-47", grace.id);
    assert_eq!(council.get(&through(maya.id.as_str())).await.status, StatusCode::OK);
    let [closed, unknown] =
        [council.get(&through(hidden.id.as_str())).await, council.get(&through(&"f".repeat(32))).await];
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(closed, unknown);
}

#[tokio::test]
async fn where_the_council_asks_the_child_and_the_purpose_are_needed_and_recorded() {
    let council = Council::with("[opening]\nask_purpose = true").await;
    let grace = grace(&council);
    let maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    council.knows(&[&grace, &maya]).await;
    let refused = council.opens(&grace).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text.contains("purpose-needed"), "{}", refused.text);
    let asked = format!("/v1/people/{}?child={}&purpose=section-47", grace.id, maya.id);
    assert_eq!(council.get(&asked).await.status, StatusCode::OK);
    let trail = council.trail().await;
    let Act::OpenPerson { reason, .. } = &trail[0].act else { panic!("another act") };
    assert_eq!((reason.child.as_ref(), reason.purpose.as_deref()), (Some(&maya.id), Some("section-47")));
    let nonsense = format!("/v1/people/{}?child={}&purpose=curious", grace.id, maya.id);
    assert_eq!(council.get(&nonsense).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_opened_whom_and_which_flags_they_saw_is_recorded_and_a_service_on_its_own() {
    let council = Council::open().await;
    let grace = grace(&council);
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    Council::states(&mut maya, "Mother", &grace);
    council.knows(&[&grace, &maya]).await;
    council.opens(&maya).await;
    council.get(&format!("/v1/people/{}/services/housing", grace.id)).await;
    council.get(&format!("/v1/people/{}", "f".repeat(32))).await;

    let trail: Vec<Value> = council.trail().await.iter().map(|entry| serde_json::to_value(entry).unwrap()).collect();
    let outcomes: Vec<&Value> = trail.iter().filter(|entry| entry["stage"] == "outcome").collect();
    assert_eq!(trail.len(), 6, "an attempt and an outcome each");
    let of = |act: &str| outcomes.iter().filter(|entry| entry["act"] == act).collect::<Vec<_>>();
    let shown = of("open-person").into_iter().find(|entry| entry["person"] == maya.id.as_str()).unwrap();
    assert_eq!(shown["outcome"]["people"], json!([maya.id, grace.id]));
    assert_eq!(shown["outcome"]["flags"][1], json!({"service": "housing", "state": "not-shown-at-age"}));
    assert_eq!(of("open-service")[0]["service"], "housing");
    assert_eq!(of("open-service")[0]["outcome"]["flags"], json!([{"service": "housing", "state": "found"}]));
    assert!(outcomes.iter().any(|entry| entry["outcome"]["result"] == "nothing"));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_opened() {
    let council = Council::open().await;
    let grace = grace(&council);
    council.knows(&[&grace]).await;
    for rest in ["", "/family", "/services/housing"] {
        let reply = council.without_an_audit_table().get(&format!("/v1/people/{}{rest}", grace.id)).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!reply.text.contains("Grace"), "{}", reply.text);
    }
}

#[tokio::test]
async fn only_child_and_purpose_may_be_asked_along() {
    let council = Council::open().await;
    let grace = grace(&council);
    council.knows(&[&grace]).await;
    for query in ["child=nonsense", "name=Grace", "child=1&child=2"] {
        let reply = council.get(&format!("/v1/people/{}?{query}", grace.id)).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(!reply.text.contains("nonsense"));
    }
}

#[tokio::test]
async fn opening_a_large_family_stays_within_its_budget() {
    let council = Council::open().await;
    let mut maya = council.person("children", "Maya", "Okafor", "2015-03-02");
    under_case(&mut maya, "M-100");
    let mill_lane = address("4 Mill Lane");
    council.lives(&mut maya, "children", &mill_lane);
    let mut others: Vec<PersonView> = (0..10)
        .map(|number| council.person("children", "Relative", &format!("Number{number}"), "1990-01-02"))
        .collect();
    for relative in &others[..6] {
        Council::states(&mut maya, "Relative", relative);
    }
    for other in &mut others {
        council.lives(other, "children", &mill_lane);
    }
    council.knows(&others.iter().chain([&maya]).collect::<Vec<_>>()).await;

    let before = council.used();
    let page = council.opens(&maya).await.json();
    assert_eq!(page["family"]["stated"].as_array().unwrap().len(), 6);
    assert_eq!(page["family"]["same_address"].as_array().unwrap().len(), 4);
    let calls: Vec<u64> = council.used().into_iter().zip(before).map(|(now, then)| (now - then).calls).collect();
    let units = council.units_since(before);
    println!("a large family: calls {calls:?} of loads, records, people, audit and sessions, {units} read units");
    assert_eq!(calls, [1, 0, 3, 2, 0, 1], "one round of view and freshness, one of relatives and household");
    assert!(units <= 15.0, "{units} read units");
}
