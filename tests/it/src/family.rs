//! Opening a person: what the flags say, who is family, whom to ring, what stays hidden, and what it costs.

use crate::access_harness::{Council, TODAY, address, involved, said, under_case, worker};
use axum::http::StatusCode;
use fc_model::{Address, Contact, Fact, Name, PersonView, Phone, Protection, Staff, StaffId, person::ViewRecord};
use fc_store::{audit::Act, people};
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
        ("age-unknown".into(), "We do not know this person's age, so Housing records are not shown.".into())
    );

    council.loaded("housing", date(2026, 2, 27)).await;
    let page = council.opens(&grace).await;
    let (state, words) = flag(&page, "housing");
    assert_eq!(state, "found-stale");
    assert!(words.contains("3 days old"), "{words}");
    council.loaded("children", date(2026, 2, 27)).await;
    assert_eq!(flag(&council.opens(&grace).await, "children").0, "cannot-say", "stale and no record");

    let mut zelda = council.person("housing", "Zelda", "Fitzroy", "1980-03-02");
    zelda.summary.protection = Protection::Withheld;
    let mut ned = council.person("children", "Ned", "Ashworth", "1930-01-02");
    ned.summary.death = Some(date(2010, 1, 1));
    council.loaded("housing", TODAY).await;
    council.knows(&[&zelda, &ned]).await;
    assert_eq!(flag(&council.opens(&zelda).await, "housing").0, "withheld");
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
        ["S1", "S2"].map(|id| said("housing", involved(worker(Some("Dan Webb"), None, Some(id))))).into();
    council.knows(&[&grace]).await;
    for (id, left) in [("S1", None), ("S2", Some(date(2026, 1, 9)))] {
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
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert_eq!(unknown, closed);
        assert_eq!(unknown, malformed);
        let calls = |from: [fc_store::table::Reading; 5], to: [fc_store::table::Reading; 5]| {
            to.into_iter().zip(from).map(|(to, from)| (to - from).calls).collect::<Vec<_>>()
        };
        assert_eq!(calls(before, between), calls(between, after), "calls for unknown and for hidden");
    }
    assert_eq!(council.opens(&sister).await.json()["family"]["stated"], json!([]), "nor among relatives");
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
        assert!(page.text.contains("you cannot see"), "{}", page.text);
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
    assert_eq!(calls, [1, 0, 3, 2, 0], "one round of view and freshness, one of relatives and household");
    assert!(units <= 15.0, "{units} read units");
}
