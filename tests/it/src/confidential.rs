//! Confidential places and protected records, from the file to every page: through ingest, matching, search and family.

use crate::end_to_end_harness::{Reply, Town};
use fc_local::DataFolder;
use fc_store::loads::LoadState;
use serde_json::{Value, json};

/// The case system: deltas, and a mark for confidential addresses and for protected people.
const CASES: &str = r#"
title = "Casework"
service = "casework"
database = "Casework"
organisation = "Fenchester City Council"
cms = true
area = "Fenchester"
agreed = ["record_id", "surname", "forename", "date_of_birth", "address", "postcode", "phone", "protection",
  "address_confidential", "worker_name", "staff_id", "allocated"]
[duty]
team = "Fenchester duty desk"
phone = "01632 960700"
[feeds.people]
kind = "people"
mode = "MODE"
dates = ["dd/mm/yyyy"]
mandatory = ["record_id", "surname"]
[feeds.people.columns]
record_id = "Id"
surname = "Surname"
forename = "Forename"
date_of_birth = "DOB"
address = "Address"
postcode = "Postcode"
phone = "Phone"
protection = { column = "Restriction", values = { "None" = "none", "Restricted" = "withheld", "Hidden" = "hidden" } }
address_confidential = "Confidential"
"#;

/// Another system, which knows nothing of confidential addresses.
const OTHER: &str = r#"
title = "TITLE"
service = "NAME"
database = "NAME system"
organisation = "Fenchester NAME"
area = "Fenchester"
agreed = ["record_id", "surname", "forename", "date_of_birth", "address", "postcode", "phone", "organisation", "worker_name",
  "worker_phone", "involvement_from"]
MORE
[duty]
team = "TITLE desk"
phone = "01632 960200"
[feeds.people]
kind = "people"
mode = "delta"
dates = ["dd/mm/yyyy"]
mandatory = ["record_id", "surname"]
[feeds.people.columns]
record_id = "Id"
surname = "Surname"
forename = "Forename"
date_of_birth = "DOB"
address = "Address"
postcode = "Postcode"
phone = "Phone"
organisation = "Organisation"
worker_name = "Worker"
worker_phone = "Worker phone"
involvement_from = "Start"
"#;

const RELATIONS: &str = r#"
[feeds.relationships]
kind = "relationships"
mode = "delta"
mandatory = ["record_id", "related_id"]
[feeds.relationships.columns]
record_id = "Id"
related_id = "Related"
relationship = "Words"
"#;

const ASKED: &str =
    "This address is confidential and not shown. Look in Mosaic or ring Fenchester duty desk on 01632 960700.";

/// A town whose case system sends `mode` extracts.
async fn town(mode: &str) -> (Town, DataFolder) {
    let folder = DataFolder::open(None).unwrap();
    let other =
        |name: &str, title: &str, more: &str| OTHER.replace("NAME", name).replace("TITLE", title).replace("MORE", more);
    let cases = CASES
        .replace("MODE", mode)
        .replace(r#", "staff_id", "allocated"]"#, r#", "related_id", "relationship"]"#)
        .replace(r#""worker_name", "#, "")
        + RELATIONS;
    for (name, text) in [
        (
            "council",
            "name = \"Fenchester City Council\"\ncms = \"Mosaic\"\n[virtual_school]\nname = \"Virtual School\"\nphone = \"01632 960450\"\n"
                .to_owned(),
        ),
        ("cases", cases),
        ("housing", other("housing", "Housing", "")),
        ("schools", other("schools", "School", "tells_place = true")),
    ] {
        std::fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
    }
    let town = Town::start(Some(folder.path())).await;
    (town, folder)
}

fn csv(heading: &str, rows: &[&str]) -> Vec<u8> {
    format!("{heading}\n{}\n", rows.join("\n")).into_bytes()
}

/// `Id, Surname, Forename, DOB, Address, Postcode, Phone, Restriction, Confidential`.
fn cases(rows: &[&str]) -> Vec<u8> {
    csv("Id,Surname,Forename,DOB,Address,Postcode,Phone,Restriction,Confidential", rows)
}

/// `Id, Surname, Forename, DOB, Address, Postcode, Phone, Organisation, Worker, Worker phone, Start`.
fn others(rows: &[&str]) -> Vec<u8> {
    csv("Id,Surname,Forename,DOB,Address,Postcode,Phone,Organisation,Worker,Worker phone,Start", rows)
}

async fn opened(town: &Town, source: &str, record: &str) -> Reply {
    let id = town.person_with(source, record).await;
    town.get(&format!("/v1/people/{id}")).await
}

async fn search(town: &Town, surname: &str) -> Reply {
    let reply = town.search(&json!({ "surname": surname })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

/// Nothing on a page may have any of these words.
fn says_nothing_of(reply: &Reply, words: &[&str]) {
    let text = reply.body.to_lowercase();
    for word in words {
        assert!(!text.contains(&word.to_lowercase()), "{word}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_refuge_shows_in_none_of_the_spellings_of_another_system() {
    let (town, _definitions) = town("delta").await;
    let spellings = [
        ("\"3 Hidden Way, Kelby\"", ""),
        ("\"3 Hidden Way, Kelby\"", "LN6 6AB"),
        ("\"Flat 2, 3 Hidden Way\"", "LN6 6AA"),
        ("Rose House", "LN6 6AA"),
        ("\"3 Hiden Way, Kelby\"", ""),
        ("\"3 Hid\u{200b}den Way, Kelby\"", ""),
        ("\"Rose House (refuge), 3 Hidden Way\"", ""),
        ("3 HIDDEN WY KELBY LN66AA", ""),
        ("\"Kelby, 3 Hidden Way\"", "LN6 6A0"),
    ];
    let surnames =
        ["Abara", "Bellamy", "Castellan", "Dunmore", "Everard", "Fairlamb", "Gathercole", "Hollis", "Ingleby"];
    let marked: Vec<String> = surnames
        .iter()
        .enumerate()
        .map(|(n, surname)| {
            format!("R{n},{surname},Imelda,0{}/05/1990,\"Rose House, 3 Hidden Way, Kelby\",LN6 6AA,,,Y", n + 1)
        })
        .collect();
    let elsewhere: Vec<String> = surnames
        .iter()
        .zip(spellings)
        .enumerate()
        .map(|(n, (surname, (lines, postcode)))| {
            format!("H{n},{surname},Imelda,0{}/05/1990,{lines},{postcode},,,,,", n + 1)
        })
        .collect();
    let rows = |rows: &[String]| rows.iter().map(String::as_str).collect::<Vec<_>>().join("|");
    let (marked, elsewhere) = (rows(&marked), rows(&elsewhere));
    town.load("housing/people", "h.csv", others(&elsewhere.split('|').collect::<Vec<_>>())).await;
    town.load("cases/people", "c.csv", cases(&marked.split('|').collect::<Vec<_>>())).await;
    for (n, surname) in surnames.iter().enumerate() {
        let found = search(&town, surname).await;
        let page = opened(&town, "housing", &format!("H{n}")).await;
        for reply in [&found, &page] {
            says_nothing_of(reply, &["hidden", "hiden", "rose house", "hid\u{200b}den", "LN6 6A"]);
            assert!(reply.body.contains(ASKED), "{surname}: {}", reply.body);
            assert!(reply.body.contains(surname), "names stay: {}", reply.body);
        }
        assert!(!page.body.contains("No one else is recorded"), "{}", page.body);
    }
}

#[tokio::test]
async fn the_mother_the_sibling_and_the_lodger_do_not_tell_a_childs_confidential_address() {
    let (town, _definitions) = town("delta").await;
    let rows = [
        "R1,Sheltersby,Poppy,03/05/2019,\"8 Haven Court, Kelby\",LN6 7AA,01632 960777,,Y",
        "R2,Sheltersby,Quenna,04/05/1990,\"8 Haven Court, Kelby\",LN6 7AA,07700 900111,,",
        "R3,Sheltersby,Rollo,05/05/2017,\"8 Haven Ct Kelby\",,01632 960777,,",
        "R4,Grandmere,Sybil,05/05/1950,\"21 Mill Road, Lincoln\",LN1 1AB,01632 960777,,",
        "R5,Neighbour,Tilda,05/05/1960,\"9 Haven Court, Kelby\",LN6 7AA,07700 900222,,",
    ];
    town.load("cases/people", "c.csv", cases(&rows)).await;
    let related = csv("Id,Related,Words", &["R1,R2,Mother", "R3,R2,Mother", "R3,R1,Sister"]);
    town.load("cases/relationships", "r.csv", related).await;
    let other = [
        "H2,Sheltersby,Quenna,04/05/1990,\"8 Haven Court, Kelby\",LN6 7AA,07700 900111,,Ola Osei,01632 960201,01/02/2024",
        "H6,Lodger,Uma,06/05/1980,\"8 Haven Court Kelby\",,07700 900333,,,,",
    ];
    town.load("housing/people", "h.csv", others(&other)).await;

    for (source, record, name) in
        [("cases", "R1", "Poppy"), ("cases", "R2", "Quenna"), ("cases", "R3", "Rollo"), ("housing", "H6", "Uma")]
    {
        let page = opened(&town, source, record).await;
        assert!(page.body.contains(name), "{}", page.body);
        says_nothing_of(&page, &["haven", "LN6 7", "No one else is recorded"]);
        let json = page.json();
        assert_eq!(json["phone"], Value::Null, "{name}: the household's phone");
        assert_eq!(json["phone_words"], "Not shown, because the address is confidential");
        assert_eq!(json["person"]["address_words"], ASKED);
        assert_eq!(json["family"]["same_address"], json!([]), "nobody is listed from there");
        assert_eq!(json["family"]["same_address_words"], ASKED);
    }
    let poppy = opened(&town, "cases", "R1").await;
    assert!(poppy.body.contains("Quenna"), "the mother is named: {}", poppy.body);
    for surname in ["Sheltersby", "Lodger"] {
        says_nothing_of(&search(&town, surname).await, &["haven", "LN6 7"]);
    }
    // Her own number is the household's too.
    let sybil = opened(&town, "cases", "R4").await;
    assert!(sybil.body.contains("21 Mill Road"), "{}", sybil.body);
    assert_eq!(sybil.json()["phone"], Value::Null, "{}", sybil.body);
    // The worker stays: or nobody could ring.
    let quenna = town.person_with("housing", "H2").await;
    let housing = town.get(&format!("/v1/people/{quenna}/services/housing")).await;
    assert!(housing.body.contains("Ola Osei") && housing.body.contains("01632 960201"), "{}", housing.body);
    says_nothing_of(&housing, &["haven"]);
    // Next door is another house.
    let tilda = opened(&town, "cases", "R5").await;
    assert!(tilda.body.contains("9 Haven Court") && tilda.body.contains("07700 900222"), "{}", tilda.body);
}

#[tokio::test]
async fn of_whoever_is_kept_safe_the_home_before_stays_and_what_is_not_surely_another_goes() {
    let (town, _definitions) = town("delta").await;
    let row = "R1,Quartermain,Isolde,03/05/1990,\"Rose House, 3 Hidden Way, Kelby\",LN6 6AA,,,Y";
    town.load("cases/people", "c.csv", cases(&[row])).await;
    let home = ["H1,Quartermain,Isolde,03/05/1990,\"5 Old Road, Lincoln\",LN1 1AB,,,,,"];
    town.load("housing/people", "h.csv", others(&home)).await;
    let scrap = ["S1,Quartermain,Isolde,03/05/1990,12 Mill Lane,,,Kelby Academy,Tess Teach,01632 960401,01/09/2024"];
    town.load("schools/people", "s.csv", others(&scrap)).await;
    assert_eq!(town.person_with("housing", "H1").await, town.person_with("schools", "S1").await);

    let page = opened(&town, "cases", "R1").await;
    assert!(page.body.contains("5 Old Road"), "the home before stays: {}", page.body);
    says_nothing_of(&page, &["hidden", "mill lane"]);
    // The school tells where somebody is at 3 pm.
    let id = town.person_with("cases", "R1").await;
    let school = town.get(&format!("/v1/people/{id}/services/schools")).await;
    assert_eq!(school.status, 200, "{}", school.body);
    says_nothing_of(&school, &["kelby academy", "tess teach", "960401"]);
    assert!(school.body.contains("Virtual School") && school.body.contains("01632 960450"), "{}", school.body);
}

#[tokio::test]
async fn a_protection_in_a_file_that_is_held_binds_at_once() {
    let (town, _definitions) = town("full").await;
    let open =
        |n: usize, surname: &str| format!("R{n},{surname},Wanda,0{n}/05/1990,\"{n} Elm Road, Kelby\",LN6 8AA,,None,");
    let all = ["Hiddleston", "Withers", "Refugee", "Plain", "Other"];
    let rows: Vec<String> = all.iter().enumerate().map(|(n, surname)| open(n + 1, surname)).collect();
    let first: Vec<&str> = rows.iter().map(String::as_str).collect();
    town.load("cases/people", "1.csv", cases(&first)).await;
    assert_eq!(town.found("Hiddleston").await, ["Wanda Hiddleston"]);

    // Most records are missing, so that it is held; and what is new in it protects somebody.
    let second = [
        "R1,Hiddleston,Wanda,01/05/1990,\"1 Elm Road, Kelby\",LN6 8AA,,Hidden,",
        "R2,Withers,Wanda,02/05/1990,\"2 Elm Road, Kelby\",LN6 8AA,,Restricted,",
        "R3,Refugee,Wanda,03/05/1990,\"3 Elm Road, Kelby\",LN6 8AA,,None,Y",
    ];
    let ids = [town.person_with("cases", "R1").await, town.person_with("cases", "R2").await];
    let report = town.load("cases/people", "2.csv", cases(&second[..])).await;
    let held = report.state == LoadState::Held;
    assert!(held || report.state == LoadState::Applied, "{:?}", report.state);
    assert!(held, "the test needs a file that is held");

    let nobody = search(&town, "Nobodysname").await;
    let hidden = search(&town, "Hiddleston").await;
    assert_eq!(hidden.json()["people"], json!([]));
    // Every search has an id of its own.
    let said = |reply: &Reply, surname: &str| {
        let mut said = reply.json();
        said["search"] = Value::Null;
        said.to_string().replace(surname, "them")
    };
    assert_eq!(said(&hidden, "Hiddleston"), said(&nobody, "Nobodysname"), "as for nobody");
    assert_eq!(town.get(&format!("/v1/people/{}", ids[0])).await.status, 404);
    let withheld = search(&town, "Withers").await;
    assert_eq!(withheld.json()["people"][0]["withheld"], true, "{}", withheld.body);
    assert_eq!(town.get(&format!("/v1/people/{}", ids[1])).await.json()["person"]["withheld"], true);
    says_nothing_of(&search(&town, "Refugee").await, &["elm road"]);
    assert!(search(&town, "Plain").await.body.contains("4 Elm Road"));

    // The same file again writes nothing; a source takes back what it said in so many words, in a file that is applied.
    let before = town.stack.store.guard.table().meter().reading().write_units;
    let report = town.load("cases/people", "3.csv", cases(&second)).await;
    assert_eq!(report.state, LoadState::Held);
    assert_eq!(town.stack.store.guard.table().meter().reading().write_units, before, "nothing is new");
    // What was in use before the protection is no answer to it.
    assert_eq!(town.load("cases/people", "4.csv", cases(&first)).await.state, LoadState::Duplicate);
    assert_eq!(search(&town, "Withers").await.json()["people"][0]["withheld"], true);
    let later: Vec<String> = rows.iter().map(|row| row.replace("5 Elm Road", "7 Elm Road")).collect();
    let later: Vec<&str> = later.iter().map(String::as_str).collect();
    assert_eq!(town.load("cases/people", "5.csv", cases(&later)).await.state, LoadState::Applied);
    assert_eq!(search(&town, "Withers").await.json()["people"][0]["withheld"], false);
    assert_eq!(town.found("Hiddleston").await, ["Wanda Hiddleston"]);
    // A blank takes back nothing, and "N" does.
    says_nothing_of(&search(&town, "Refugee").await, &["3 elm road"]);
    let open: Vec<String> = rows.iter().map(|row| format!("{row}N")).collect();
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    assert_eq!(town.load("cases/people", "6.csv", cases(&open)).await.state, LoadState::Applied);
    assert!(search(&town, "Refugee").await.body.contains("3 Elm Road"));
}
