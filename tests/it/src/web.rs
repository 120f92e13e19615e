//! The hosted page, from sign-in to the housing officer's phone number, and everything it must refuse.

use crate::web_harness::{BASE, Browser, OPEN_SEARCH, Page, World, form_request, maya, person, wait};
use axum::http::{StatusCode, header};
use fc_model::{Name, Protection, StaffId};
use fc_store::audit::{self, Act, Stage};
use jiff::{SignedDuration, civil::date};
use serde_json::json;

const MAYA: &str = "00000000000000000000000000000001";
const GRACE: &str = "00000000000000000000000000000002";
const NOBODY: &str = "0000000000000000000000000000dead";

/// What Sam did, as the audit trail has it: the outcomes.
async fn trail(world: &World) -> Vec<String> {
    let entries = audit::of_user(&world.store.audit, "sam-1", 100).await.unwrap();
    let outcomes = entries.iter().filter(|entry| entry.stage == Stage::Outcome);
    outcomes
        .map(|entry| match &entry.act {
            Act::SignIn => "signed in".to_owned(),
            Act::SignOut => "signed out".to_owned(),
            Act::Search { terms } => {
                format!("searched for {}{}", terms.surname, terms.case_id.as_ref().map_or("", |c| c.as_str()))
            }
            Act::OpenPerson { person, .. } => format!("opened {}", &person.as_str()[28..]),
            Act::OpenFamily { .. } => "opened a family".to_owned(),
            Act::OpenService { person, service, .. } => format!("opened {service} of {}", &person.as_str()[28..]),
            Act::WrongPerson { person } => format!("said {} was wrong", &person.as_str()[28..]),
        })
        .collect()
}

// Signing in and out.

#[tokio::test]
async fn a_social_worker_signs_in_searches_opens_the_mother_and_reads_whom_to_ring() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let results = sam.search("okafor").await;
    assert!(results.text.contains("2 people found"), "{}", results.text);
    let child = sam.get(&results.link("Maya Okafor")).await;
    let mother = sam.get(&child.link("Grace Okafor")).await;
    let housing = sam.get(&mother.link("Show<span class=\"hidden\"> Housing")).await;
    assert!(housing.text.contains("Dan Webb") && housing.text.contains("href=\"tel:01632960222\""), "{}", housing.text);
    assert_eq!(
        trail(&world).await,
        ["signed in", "searched for okafor", "opened 0001", "opened 0002", "opened housing of 0002"]
    );
}

#[tokio::test]
async fn the_front_door_says_what_is_recorded_before_anyone_signs_in() {
    let world = World::new(OPEN_SEARCH).await;
    let page = world.browser().get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("What you do here is recorded.") && page.text.contains("Never look up yourself"));
    assert_eq!(page.link("Sign in with"), "/auth/sign-in");
}

#[tokio::test]
async fn the_code_is_redeemed_with_proof_and_the_browser_gets_one_cookie_and_no_token() {
    let world = World::new(OPEN_SEARCH).await;
    let mut browser = world.browser();
    let page = browser.sign_in(&world.issuer, |_| {}).await;
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["__Host-session"]);
    let sent = &world.issuer.redeemed()[0];
    assert!(sent["code_verifier"].len() >= 43 && sent["redirect_uri"] == format!("{BASE}/auth/callback"));
    let cookies: Vec<&str> =
        page.headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert!(cookies[0].ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookies:?}");
    // What is random may hold any letters, but no full stop, and a token has two.
    assert!(!cookies.join(" ").contains('.'), "no token in a cookie");
}

#[tokio::test]
async fn an_answer_with_another_state_signs_nobody_in() {
    let world = World::new(OPEN_SEARCH).await;
    let mut browser = world.browser();
    let (_, nonce) = browser.depart().await;
    world.issuer.hands_out(&world.issuer.claims(&nonce));
    let page = browser.get("/auth/callback?code=c&state=guessed").await;
    refused(&page, &browser);
    assert!(world.issuer.redeemed().is_empty(), "the code is not even tried");
}

#[tokio::test]
async fn an_answer_that_another_browser_asked_for_signs_nobody_in() {
    let world = World::new(OPEN_SEARCH).await;
    let (mut victim, mut attacker) = (world.browser(), world.browser());
    victim.depart().await;
    let (state, nonce) = attacker.depart().await;
    world.issuer.hands_out(&world.issuer.claims(&nonce));
    let page = victim.get(&format!("/auth/callback?code=c&state={state}")).await;
    refused(&page, &victim);
}

#[tokio::test]
async fn an_answer_works_once() {
    let world = World::new(OPEN_SEARCH).await;
    let mut browser = world.browser();
    let (state, nonce) = browser.depart().await;
    let before = browser.clone();
    let answer = format!("/auth/callback?code=c&state={state}");
    world.issuer.hands_out(&world.issuer.claims(&nonce));
    assert_eq!(browser.get(&answer).await.location(), "/search");
    world.issuer.hands_out(&world.issuer.claims(&nonce));
    let mut again = before;
    let page = again.get(&answer).await;
    refused(&page, &again);
}

#[tokio::test]
async fn whoever_only_begins_to_sign_in_leaves_nothing_behind() {
    let world = World::new(OPEN_SEARCH).await;
    for _ in 0..20 {
        world.browser().depart().await;
    }
    assert_eq!(world.sessions_kept().await, 0);
    world.sam().await;
    assert_eq!(world.sessions_kept().await, 2, "a session, and that its sign-in is used up");
}

#[tokio::test]
async fn a_sign_in_that_was_changed_in_the_browser_signs_nobody_in() {
    let world = World::new(OPEN_SEARCH).await;
    let mut browser = world.browser();
    let (state, nonce) = browser.depart().await;
    let cookie = browser.cookies.get_mut("__Host-sign-in").unwrap();
    *cookie = cookie.replace("/search", "/people");
    world.issuer.hands_out(&world.issuer.claims(&nonce));
    let page = browser.get(&format!("/auth/callback?code=c&state={state}")).await;
    refused(&page, &browser);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_signs_nobody_in() {
    let world = World::new(OPEN_SEARCH).await;
    let mut browser = world.browser();
    let (state, nonce) = browser.depart().await;
    world.issuer.hands_out(&world.issuer.claims(&nonce));
    wait(SignedDuration::from_mins(15));
    let page = browser.get(&format!("/auth/callback?code=c&state={state}")).await;
    refused(&page, &browser);
}

/// Has the issuer hand out a token with this nonce next.
type HandOut<'a> = &'a dyn Fn(&str);

#[tokio::test]
async fn a_forged_id_token_signs_nobody_in() {
    let world = World::new(OPEN_SEARCH).await;
    let hand_out: [(&str, HandOut); 8] = [
        ("signed by a stranger", &|nonce| world.issuer.hands_out_signed_by_a_stranger(&world.issuer.claims(nonce))),
        ("not signed", &|nonce| world.issuer.hands_out_unsigned(&world.issuer.claims(nonce))),
        ("a shared secret", &|nonce| world.issuer.hands_out_signed_with_a_shared_secret(&world.issuer.claims(nonce))),
        ("for another application", &|nonce| changed(&world, nonce, "aud", json!("another-application"))),
        ("from another issuer", &|nonce| changed(&world, nonce, "iss", json!("https://login.example"))),
        ("for another sign-in", &|nonce| changed(&world, nonce, "nonce", json!("another-nonce"))),
        ("expired", &|nonce| changed(&world, nonce, "exp", json!(1_700_000_000))),
        ("without a user", &|nonce| changed(&world, nonce, "sub", json!("two words"))),
    ];
    for (forgery, hand_out) in hand_out {
        let mut browser = world.browser();
        let (state, nonce) = browser.depart().await;
        hand_out(&nonce);
        let page = browser.get(&format!("/auth/callback?code=c&state={state}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{forgery}");
        refused(&page, &browser);
    }
    assert!(trail(&world).await.is_empty());
}

fn changed(world: &World, nonce: &str, claim: &str, value: serde_json::Value) {
    let mut claims = world.issuer.claims(nonce);
    claims[claim] = value;
    world.issuer.hands_out(&claims);
}

fn refused(page: &Page, browser: &Browser) {
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.text);
    assert!(page.text.contains("You are not signed in"));
    assert!(browser.cookies.is_empty(), "neither a session nor a sign-in is left");
}

#[tokio::test]
async fn an_issuer_may_change_its_key_and_nobody_can_make_us_hammer_it() {
    let world = World::new(OPEN_SEARCH).await;
    assert_eq!(world.browser().sign_in(&world.issuer, |_| {}).await.location(), "/search");
    world.issuer.changes_its_key();
    let at_once = world.browser().sign_in(&world.issuer, |_| {}).await;
    assert_eq!(at_once.status, StatusCode::BAD_REQUEST, "keys just fetched are not fetched again");
    wait(SignedDuration::from_secs(30));
    assert_eq!(world.browser().sign_in(&world.issuer, |_| {}).await.location(), "/search");
}

#[tokio::test]
async fn someone_without_a_role_is_turned_away_and_told_whom_to_ask() {
    let world = World::new(OPEN_SEARCH).await;
    for roles in [json!(null), json!([]), json!(["admin"]), json!(["steward"])] {
        let mut nadia = world.browser();
        let page = nadia.sign_in(&world.issuer, |claims| claims["roles"] = roles.clone()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{roles}");
        assert!(page.text.contains("You do not have access") && page.text.contains("ask your manager"));
        assert!(nadia.cookies.is_empty());
        assert_eq!(nadia.get("/search").await.location(), "/");
    }
    let entries = audit::of_user(&world.store.audit, "sam-1", 100).await.unwrap();
    assert!(entries.iter().all(|entry| entry.act == Act::SignIn));
    let results: Vec<&str> =
        entries.iter().filter_map(|entry| entry.outcome.as_ref()).map(|outcome| outcome.result.as_str()).collect();
    assert_eq!((entries.len(), results), (8, vec!["refused"; 4]), "each attempt is recorded, and that it was refused");
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_at_the_issuer() {
    let world = World::new(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let before = sam.clone();
    let page = sam.submit("/auth/sign-out", &[]).await;
    let back = "https%3A%2F%2Fcontext.council.example%2Fauth%2Fsigned-out";
    let end = format!("{}/end?client_id=family-context&post_logout_redirect_uri={back}", world.issuer.url);
    assert_eq!(page.location(), end, "no token stands in an address");
    assert!(sam.cookies.is_empty());
    let mut kept_cookie = before;
    assert_eq!(kept_cookie.get("/search").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(trail(&world).await, ["signed in", "signed out"]);
}

#[tokio::test]
async fn when_the_issuer_is_away_the_page_says_so() {
    let world = World::new(OPEN_SEARCH).await;
    let gone = fc_web::Settings::new(BASE, "http://127.0.0.1:9", "client", None, "roles").unwrap();
    let mut browser = world.with_settings(gone).browser();
    let page = browser.get("/auth/sign-in").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text.contains("cannot reach your council"), "{}", page.text);
}

// Sessions.

#[tokio::test]
async fn a_session_ends_when_it_is_idle_counted_from_the_last_request() {
    let world = World::new(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    for _ in 0..4 {
        wait(SignedDuration::from_mins(29));
        assert_eq!(sam.get("/search").await.status, StatusCode::OK, "active users are not thrown out");
    }
    wait(SignedDuration::from_mins(30));
    let page = sam.get("/search").await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(page.text.contains("You have been signed out") && sam.cookies.is_empty());
}

#[tokio::test]
async fn a_session_ends_after_a_working_day_however_busy() {
    let world = World::new(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    for _ in 0..29 {
        wait(SignedDuration::from_mins(20));
        assert_eq!(sam.get("/search").await.status, StatusCode::OK);
    }
    wait(SignedDuration::from_mins(20));
    assert_eq!(sam.get("/search").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_made_up_cookie_is_no_session() {
    let world = World::new(OPEN_SEARCH).await;
    let mut browser = world.browser();
    browser.cookies.insert("__Host-session".into(), "guessed".into());
    assert_eq!(browser.get(&format!("/people/{MAYA}")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn whoever_is_not_signed_in_gets_to_the_front_door_and_back_afterwards() {
    let world = World::new(OPEN_SEARCH).await;
    let mut browser = world.browser();
    let page = browser.get(&format!("/people/{MAYA}")).await;
    assert_eq!(page.location(), format!("/?to=/people/{MAYA}"));
    let door = browser.get(page.location()).await;
    assert_eq!(door.link("Sign in with"), format!("/auth/sign-in?to=/people/{MAYA}"));
}

#[tokio::test]
async fn signing_in_leads_to_no_other_site() {
    let world = World::new(OPEN_SEARCH).await;
    for to in ["//evil.example", "https://evil.example", "/%5Cevil.example"] {
        let mut browser = world.browser();
        let page = browser.get(&format!("/auth/sign-in?to={to}")).await;
        let (_, state) = page.location().split_once("state=").unwrap();
        let state = state.split('&').next().unwrap().to_owned();
        let (_, nonce) = page.location().split_once("nonce=").unwrap();
        world.issuer.hands_out(&world.issuer.claims(nonce.split('&').next().unwrap()));
        assert_eq!(browser.get(&format!("/auth/callback?code=c&state={state}")).await.location(), "/search", "{to}");
    }
}

// Forms.

#[tokio::test]
async fn no_form_is_taken_without_the_token_of_its_session() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let other = world.sam().await.get("/search").await.csrf().to_owned();
    let forms = [
        "/search".to_owned(),
        "/auth/sign-out".to_owned(),
        format!("/people/{MAYA}/wrong"),
        format!("/people/{MAYA}/purpose"),
    ];
    for path in &forms {
        for csrf in ["", "guessed", &other] {
            let page = sam.post(path, &[("surname", "okafor"), ("by", "name"), ("csrf", csrf)]).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        }
        let page = sam.post(path, &[]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: no token at all");
    }
    assert_eq!(sam.get("/search").await.status, StatusCode::OK, "Sam is still signed in");
}

#[tokio::test]
async fn no_form_is_taken_from_another_site_even_with_the_right_token() {
    let world = World::new(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let csrf = sam.get("/search").await.csrf().to_owned();
    let form = [("csrf", csrf.as_str()), ("by", "name"), ("surname", "okafor")];
    let elsewhere: [&[(&str, &str)]; 4] = [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-site"), ("origin", BASE)],
        &[("origin", "https://evil.example")],
        &[],
    ];
    for headers in elsewhere {
        let page = sam.send(form_request("/search", &form, headers)).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    let page = sam.send(form_request("/search", &form, &[("origin", BASE)])).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "an older browser on our own page");
}

#[tokio::test]
async fn a_form_as_long_as_a_book_is_refused() {
    let world = World::new(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let page = sam.submit("/search", &[("by", "name"), ("surname", &"x".repeat(20_000))]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(page.text.contains("We could not read that form") && page.text.contains("too long"), "{}", page.text);
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_a_page_that_is_not_there() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    for path in [
        "/people/%ff".to_owned(),
        format!("/people/{MAYA}/services/%ff"),
        format!("/people/{MAYA}?from=a&from=b"),
        format!("/people/{MAYA}/services/schools?child=a&child=b"),
        "/results/%ff".into(),
        "/assets/%ff".into(),
        "/auth/callback?code=a&code=b".into(),
        "/auth/sign-in?to=/a&to=/b".into(),
        "/?to=/a&to=/b".into(),
    ] {
        let page = sam.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}: {}", page.text);
        assert!(page.text.contains("We cannot find that page"), "{path}: {}", page.text);
    }
    let page = sam.submit(&format!("/people/{MAYA}/wrong?from=a&from=b"), &[]).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_search_that_cannot_be_made_says_what_to_mend_and_keeps_what_was_typed() {
    let world = World::new(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("by", "name")], "Enter a surname"),
        (
            &[("by", "name"), ("surname", "Bell"), ("day", "31"), ("month", "2"), ("year", "2015")],
            "must be a real date",
        ),
        (&[("by", "name"), ("surname", "Bell"), ("day", "3")], "must have a year"),
        (&[("by", "name"), ("surname", "Bell"), ("year", "15")], "must have 4 numbers"),
        (&[("by", "case")], "Enter a case ID"),
    ];
    for (form, words) in cases {
        let page = sam.submit("/search", form).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{words}");
        assert!(page.text.contains("There is a problem") && page.text.contains(words), "{words}: {}", page.text);
        assert!(page.title().starts_with("Error: "));
        assert!(form.len() < 2 || page.text.contains("value=\"Bell\""));
    }
}

// Search and results.

#[tokio::test]
async fn results_are_the_searchers_own() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let sent = sam.submit("/search", &[("by", "name"), ("surname", "okafor")]).await;
    let results = sent.location().to_owned();
    assert!(results.starts_with("/results/") && !results.to_lowercase().contains("okafor"));
    let mut tess = world.browser();
    tess.sign_in(&world.issuer, |claims| claims["sub"] = json!("tess-1")).await;
    assert_eq!(tess.get(&results).await.status, StatusCode::NOT_FOUND);
    assert_eq!(sam.get(&results).await.status, StatusCode::OK);
    wait(SignedDuration::from_hours(10));
    let mut sam = world.sam().await;
    assert_eq!(sam.get(&results).await.status, StatusCode::NOT_FOUND, "after a working day");
}

#[tokio::test]
async fn a_case_id_goes_straight_to_the_person() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let sent = sam.submit("/search", &[("by", "case"), ("case_id", " m100 ")]).await;
    let page = sam.get(sent.location()).await;
    assert_eq!(page.location(), format!("/people/{MAYA}"));
}

#[tokio::test]
async fn a_former_name_that_matched_is_said() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let page = world.sam().await.search("bell").await;
    assert!(page.text.contains("Former name: Maya Bell"), "{}", page.text);
}

#[tokio::test]
async fn a_council_may_switch_a_way_of_searching_off() {
    let by_case = format!("{OPEN_SEARCH}[search]\nby_name = false\n");
    let world = World::with_the_okafors(&by_case).await;
    let mut sam = world.sam().await;
    let form = sam.get("/search").await;
    assert!(!form.text.contains("id=\"surname\"") && form.text.contains("id=\"case-id\""));
    let page = sam.submit("/search", &[("by", "name"), ("surname", "okafor")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn no_one_found_says_what_was_searched_and_what_to_try() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let page = world.sam().await.search("Zzyzx").await;
    for words in ["No one found", "We searched for Zzyzx in Children", "Services may still know this person"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
}

// People and services.

#[tokio::test]
async fn opening_the_wrong_person_is_one_click_recorded_and_returns_to_the_results() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let results = sam.search("okafor").await;
    let link = results.link("Grace Okafor");
    let (_, search) = link.split_once("?from=").unwrap();
    sam.get(&link).await;
    let page = sam.submit(&format!("/people/{GRACE}/wrong?from={search}"), &[]).await;
    assert_eq!(page.location(), format!("/results/{search}"));
    assert!(trail(&world).await.contains(&"said 0002 was wrong".to_owned()));
}

#[tokio::test]
async fn someone_hidden_and_someone_unknown_look_the_same() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut hidden = person(&world, 9, "Rosa", "Quiet", date(2012, 5, 6), "children");
    hidden.summary.protection = Protection::Hidden;
    world.knows(&[hidden]).await;
    let mut sam = world.sam().await;
    for path in ["", "/services/housing"] {
        let hidden = sam.get(&format!("/people/00000000000000000000000000000009{path}")).await;
        let unknown = sam.get(&format!("/people/{NOBODY}{path}")).await;
        assert_eq!((hidden.status, unknown.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
        assert_eq!(hidden.text, unknown.text);
    }
    let malformed = sam.get("/people/Rosa").await;
    assert_eq!(malformed.status, StatusCode::NOT_FOUND);
    let (found, none) = (sam.search("Quiet").await, sam.search("Quite").await);
    assert!(found.text.contains("No one found") && none.text.contains("No one found"));
}

#[tokio::test]
async fn an_unknown_service_or_page_is_not_found() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    for path in [format!("/people/{MAYA}/services/dentist"), "/nothing".into(), "/assets/old.css".into()] {
        let page = sam.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text.contains("We cannot find that page"));
    }
}

#[tokio::test]
async fn when_it_cannot_be_recorded_nothing_is_shown() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.without_an_audit_table(&world.sam().await);
    let page = sam.get(&format!("/people/{MAYA}")).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text.contains("cannot record") && !page.text.contains("Maya"), "{}", page.text);
}

#[tokio::test]
async fn child_first_finds_children_and_reaches_adults_through_them_only() {
    let council = OPEN_SEARCH.replace("open-search", "child-first");
    let world = World::with_the_okafors(&council).await;
    let mut sam = world.sam().await;
    assert!(sam.get("/search").await.text.contains("Search for a child"));
    let results = sam.search("okafor").await;
    assert!(results.text.contains("Maya Okafor") && !results.text.contains("Grace Okafor"), "{}", results.text);
    assert!(results.text.contains("Not listed? Link them in Mosaic; they show tomorrow."));
    let child = sam.get(&results.link("Maya Okafor")).await;
    assert!(!child.text.contains("Lena Novak"), "no neighbours");
    let mother = sam.get(&child.link("Grace Okafor")).await;
    assert_eq!(mother.status, StatusCode::OK);
    let housing = sam.get(&mother.link("Show<span class=\"hidden\"> Housing")).await;
    assert_eq!(housing.status, StatusCode::OK, "the way through the child holds for the service too");
    assert_eq!(sam.get(&format!("/people/{GRACE}")).await.status, StatusCode::NOT_FOUND, "not without the child");
}

#[tokio::test]
async fn where_the_council_asks_a_person_opens_after_the_child_and_the_purpose_are_given() {
    let council = format!("{OPEN_SEARCH}[opening]\nask_purpose = true\nconsent_guidance = \"Ask the family first.\"\n");
    let world = World::with_the_okafors(&council).await;
    let mut sam = world.sam().await;
    let path = format!("/people/{GRACE}");
    let asked = sam.get(&path).await;
    assert!(asked.text.contains("Why do you need to see this person?") && asked.text.contains("Ask the family first."));
    assert!(!asked.text.contains("Grace"));
    let form = |child, case_id, purpose| [("child", child), ("case_id", case_id), ("purpose", purpose)];
    let to = format!("{path}/purpose");
    for (child, case_id, purpose) in
        [("", "", "other"), ("this", "", ""), ("case", "", "other"), ("case", "M999", "other"), ("this", "", "curious")]
    {
        let page = sam.submit(&to, &form(child, case_id, purpose)).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{child} {case_id} {purpose}");
    }
    let said = sam.submit(&to, &form("case", "M100", "section-47")).await;
    assert_eq!(said.location(), format!("{path}?child={MAYA}"));
    assert!(sam.get(said.location()).await.text.contains("Grace Okafor"));
    assert!(sam.get(&path).await.text.contains("Grace Okafor"));
    assert_eq!(sam.get(&format!("{path}/services/housing")).await.status, StatusCode::OK, "asked once");
    let entries = audit::of_user(&world.store.audit, "sam-1", 100).await.unwrap();
    let opened = entries.iter().find_map(|entry| match &entry.act {
        Act::OpenPerson { reason, .. } if reason.purpose.is_some() => Some(reason.clone()),
        _ => None,
    });
    let reason = opened.unwrap();
    assert_eq!((reason.child.unwrap().as_str(), reason.purpose.as_deref()), (MAYA, Some("section-47")));
}

#[tokio::test]
async fn a_purpose_counts_for_the_child_it_was_given_for_and_for_as_long_as_an_idle_session() {
    const BEN: &str = "00000000000000000000000000000007";
    let council = format!("{OPEN_SEARCH}[opening]\nask_purpose = true\n");
    let world = World::with_the_okafors(&council).await;
    world.knows(&[person(&world, 7, "Ben", "Okafor", date(2018, 5, 6), "children")]).await;
    let mut sam = world.sam().await;
    let asks = |page: &Page| page.text.contains("Why do you need to see this person?");
    let through = |child: &str| format!("/people/{GRACE}?child={child}");
    let purpose = [("child", "before"), ("purpose", "section-47")];
    let said = sam.submit(&format!("/people/{GRACE}/purpose?child={MAYA}"), &purpose).await;
    assert_eq!(said.location(), through(MAYA));
    assert!(!asks(&sam.get(&through(MAYA)).await));
    assert!(asks(&sam.get(&through(BEN)).await), "not for another child");
    sam.submit(&format!("/people/{GRACE}/purpose?child={BEN}"), &purpose).await;
    assert!(!asks(&sam.get(&through(BEN)).await) && !asks(&sam.get(&through(MAYA)).await), "for each of them");
    let own = [("child", "this"), ("purpose", "other")];
    let said = sam.submit(&format!("/people/{BEN}/purpose?child={MAYA}"), &own).await;
    assert!(!asks(&sam.get(said.location()).await), "the person is the child: {}", said.location());
    for _ in 0..3 {
        wait(SignedDuration::from_mins(10));
        sam.get("/search").await;
    }
    assert!(asks(&sam.get(&through(MAYA)).await), "not for the rest of the day");
}

#[tokio::test]
async fn on_ones_own_caseload_the_way_to_a_brothers_mother_goes_through_ones_own_child() {
    let council = format!("{}[search]\nown_caseload_only = true\n", OPEN_SEARCH.replace("open-search", "child-first"));
    let world = World::with_the_okafors(&council).await;
    let (mut child, mut ben) = (maya(&world), person(&world, 7, "Ben", "Okafor", date(2018, 5, 6), "children"));
    child.epoch = 2;
    child.summary.allocated = vec![StaffId::parse("SW7").unwrap()];
    let mother = child.relationships[0].clone();
    let mut brother = mother.clone();
    brother.value.related = ben.records[0].handle.clone();
    brother.value.relationship.words = "Brother".into();
    child.relationships.push(brother);
    ben.relationships = vec![mother];
    world.knows_again(&[child]).await;
    world.knows(&[ben]).await;
    let mut sam = world.browser();
    sam.sign_in(&world.issuer, |claims| claims["staff_id"] = json!("sw 7")).await;
    let results = sam.search("okafor").await;
    let maya = sam.get(&results.link("Maya Okafor")).await;
    let ben = sam.get(&maya.link("Ben Okafor")).await;
    assert_eq!(ben.status, StatusCode::OK, "{}", ben.text);
    let grace = sam.get(&ben.link("Grace Okafor")).await;
    assert_eq!(grace.status, StatusCode::OK, "{}", ben.link("Grace Okafor"));
}

// What every page has.

#[tokio::test]
async fn no_name_stands_in_a_title_or_an_address() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let results = sam.search("okafor").await;
    let child = sam.get(&results.link("Maya Okafor")).await;
    let mother = sam.get(&child.link("Grace Okafor")).await;
    let housing = sam.get(&mother.link("Show<span class=\"hidden\"> Housing")).await;
    for page in [&results, &child, &mother, &housing] {
        let addresses: String = page.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        for name in ["maya", "grace", "okafor", "mill", "m100"] {
            assert!(!page.title().to_lowercase().contains(name), "{}", page.title());
            assert!(!addresses.to_lowercase().contains(name), "{addresses}");
        }
    }
}

#[tokio::test]
async fn a_hostile_name_is_shown_as_text() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut eve = person(
        &world,
        8,
        "<script>alert(1)</script>",
        "O\"><img src=x onerror=alert(1)>Hara",
        date(2014, 1, 2),
        "children",
    );
    eve.summary.other_names = vec![Name::current(["Eve"], "Hara")];
    world.knows(&[eve]).await;
    let mut sam = world.sam().await;
    let pages = [
        sam.search("Hara").await,
        sam.get("/people/00000000000000000000000000000008").await,
        sam.submit("/search", &[("by", "name"), ("surname", "\"><script>alert(1)</script>"), ("year", "x")]).await,
        sam.get("/results/%3Cscript%3E").await,
        sam.get("/?to=%22%3E%3Cscript%3E").await,
    ];
    assert!(pages[0].text.contains("&#60;") && pages[1].text.contains("&#60;"), "{}", pages[0].text);
    for page in pages {
        assert!(!page.text.to_lowercase().contains("<script") && !page.text.contains("<img"), "{}", page.text);
    }
}

#[tokio::test]
async fn every_page_is_kept_by_nobody_framed_by_nobody_and_runs_nothing() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    for path in ["/search".to_owned(), format!("/people/{MAYA}"), "/nothing".into(), "/auth/signed-out".into()] {
        let page = sam.get(&path).await;
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'; base-uri 'none'"));
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(page.headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(page.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(page.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        assert!(page.text.contains("Some records are protected and never shown here."));
        assert!(page.text.contains("href=\"#main\">Skip to main content"));
        assert!(!page.text.contains("<script") && !page.text.contains("style=\""));
    }
    let signed_in = sam.get("/search").await.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(signed_in.contains(&format!("form-action 'self' {};", world.issuer.url)), "signing out ends at the issuer");
}

#[tokio::test]
async fn the_style_sheet_is_kept_for_good_under_a_name_that_changes_with_it() {
    let world = World::new(OPEN_SEARCH).await;
    let mut browser = world.browser();
    let door = browser.get("/").await;
    let start = door.text.find("/assets/").unwrap();
    for asset in door.text[start..].split("/assets/").skip(1) {
        let path = format!("/assets/{}", asset.split('"').next().unwrap());
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert_eq!(page.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    }
}

#[tokio::test]
async fn every_page_looks_as_it_did() {
    let world = World::with_the_okafors(OPEN_SEARCH).await;
    let mut sam = world.sam().await;
    let (door, search) = (world.browser().get("/").await, sam.get("/search").await);
    let mistake = sam
        .submit("/search", &[("by", "name"), ("surname", "Bell"), ("day", "31"), ("month", "2"), ("year", "2015")])
        .await;
    let (results, none) = (sam.search("okafor").await, sam.search("Zzyzx").await);
    let child = sam.get(&results.link("Maya Okafor")).await;
    let mother = sam.get(&child.link("Grace Okafor")).await;
    let housing = sam.get(&mother.link("Show<span class=\"hidden\"> Housing")).await;
    let missing = sam.get("/nothing").await;
    let no_role = world.browser().sign_in(&world.issuer, |claims| claims["roles"] = json!([])).await;
    let asks = format!("{OPEN_SEARCH}[opening]\nask_purpose = true\n");
    let strict = World::with_the_okafors(&asks).await;
    let purpose = strict.sam().await.get(&format!("/people/{GRACE}")).await;
    let pages = [
        ("sign_in", door),
        ("search", search),
        ("search_with_a_mistake", mistake),
        ("results", results),
        ("no_one_found", none),
        ("child", child),
        ("mother", mother),
        ("housing", housing),
        ("purpose", purpose),
        ("not_found", missing),
        ("no_role", no_role),
    ];
    insta::with_settings!({prepend_module_to_snapshot => false}, {
        for (name, page) in pages {
            insta::assert_snapshot!(format!("web_{name}"), settled(&page.text));
        }
    });
}

/// The page with what is random in it replaced: tokens, search ids, asset names.
fn settled(text: &str) -> String {
    let mut out = text.to_owned();
    for (before, after) in [("name=\"csrf\" value=\"", "\""), ("from=", "\""), ("/results/", "\""), ("/assets/", ".")] {
        let mut rest = std::mem::take(&mut out);
        while let Some(start) = rest.find(before) {
            let tail = rest.split_off(start + before.len());
            out.push_str(&rest);
            let end = tail.find(after).unwrap_or(0);
            out.push_str("...");
            rest = tail[tail[..end].find('&').unwrap_or(end)..].to_owned();
        }
        out.push_str(&rest);
    }
    out
}
