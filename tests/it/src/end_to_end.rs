//! From extract file to page, the whole way.

use crate::end_to_end_harness::{Item, Town, bearer, csv_records, definitions, root, send};
use fc_store::loads::LoadState;
use fc_synth::demo;
use serde_json::json;

const CHILDREN: &str = "children_social_care-people.csv";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probation_is_added_by_a_definition_alone_and_its_practitioner_is_on_the_page() {
    let sources = definitions(|_, text| text);
    let probation = root().join("tests/data/sources");
    std::fs::copy(probation.join("probation.toml"), sources.path().join("probation.toml")).unwrap();
    let town = Town::start(Some(sources.path())).await;
    let file = std::fs::read(probation.join("probation.csv")).unwrap();
    let report = town.load("probation/people", "probation.csv", file).await;
    assert_eq!((report.state, report.rows.used, report.records.added), (LoadState::Applied, 3, 3));

    let mut sam = town.browser();
    assert_eq!(sam.sign_in("sam.social").await.status, 200);
    let results = sam.submit("/search", &[("by", "name"), ("surname", "Quillfeather"), ("forename", "Barnaby")]).await;
    let person = sam.open(&results.link("Barnaby")).await;
    assert!(person.body.contains("<h3>Probation</h3>") && person.body.contains("nDelius"), "{}", person.body);
    // Nothing else has been loaded, so this is the one service that can be shown.
    let detail = sam.open(&person.link("Show")).await;
    for words in ["Odette Marchbanks", "01632 960701", "Community order", "Fenshire probation duty officer"] {
        assert!(detail.body.contains(words), "{words} in {}", detail.body);
    }
    assert!(!detail.body.contains("high"), "the level of risk was not agreed to be shared");
    let kept = town.items(&town.stack.store.records).await;
    assert!(!kept.iter().any(|item| item.data.contains("\"high\"")), "what was not agreed is not even kept");
}

/// Records and people as they are kept, and how often the tables have been asked.
async fn kept(town: &Town) -> (Vec<Item>, Vec<Item>, [u64; 2]) {
    let store = &town.stack.store;
    let calls = [&store.records, &store.people].map(|table| table.meter().reading().calls);
    (town.items(&store.records).await, town.items(&store.people).await, calls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loading_the_same_again_writes_nothing_to_records_or_people() {
    let (town, extracts) = Town::with_people(60).await;
    let before = kept(&town).await;
    assert!(before.2.iter().all(|calls| *calls > 0));
    for feed in extracts.enabled() {
        let (name, bytes) = (format!("{}/{}", feed.source, feed.feed), std::fs::read(&feed.path).unwrap());
        for file in [feed.file.as_str(), "the same under another name.csv"] {
            let report = town.load(&name, file, bytes.clone()).await;
            assert_eq!(report.state, LoadState::Duplicate, "{name}");
            assert!(report.rows.read > 0 && report.rows.add_up(), "{name}: {:?}", report.rows);
        }
    }
    // Another file with the same in it.
    let file = format!("{},,,\n", extracts.text(CHILDREN));
    let report = town.load("children_social_care/people", "with a blank row.csv", file.into_bytes()).await;
    assert_eq!(report.state, LoadState::Applied);
    let records = report.records;
    assert_eq!((records.added, records.changed, records.removed), (0, 0, 0));
    assert_eq!((records.unchanged, records.after), (records.before, records.before));

    let after = kept(&town).await;
    assert!(before.0 == after.0 && before.1 == after.1, "the tables hold something else");
    assert_eq!(before.2, after.2, "neither table was even asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_every_extract_is_accounted_for_in_its_report() {
    let (town, extracts) = Town::with_people(150).await;
    let mut rows = 0;
    for feed in extracts.enabled() {
        let name = format!("{}/{}", feed.source, feed.feed);
        let report = town.report(&name).await;
        assert_eq!(report.state, LoadState::Applied, "{name}: {:?}", report.words);
        let found = report.rows;
        assert!(found.add_up(), "{name}: {found:?}");
        assert_eq!(
            (found.used, found.blank, found.repeated_header, found.totals, found.rejected),
            (feed.used, feed.blank, feed.repeated_headers, feed.totals, feed.unusable),
            "{name}: what was written into the file is what was found in it"
        );
        assert_eq!(report.rejected.len() as u64, found.rejected, "{name}: each rejected row is named");
        let records = report.records;
        assert_eq!((records.before, records.added, records.after), (0, records.after, records.added), "{name}");
        assert!(records.after > 0 && records.after <= found.used, "{name}: {records:?}");
        rows += found.read;
    }
    assert!(rows > 150, "{rows} rows");

    // The next night: one record changes, one goes, one comes.
    let text = extracts.text(CHILDREN);
    let mut lines = csv_records(&text);
    let gone = lines.iter().position(|line| line.contains(demo::CANARY_SURNAME)).unwrap();
    let gone = lines.remove(gone);
    let changed = text.replace(gone, "").replace(demo::STEPFATHER_FORENAME, "Tobias");
    let changed = format!("{changed}{}", gone.replace(demo::CANARY_SURNAME, "Newcomer").replacen("50", "59", 1));
    let records = town.load("children_social_care/people", "tomorrow.csv", changed.into_bytes()).await.records;
    assert_eq!((records.added, records.changed, records.removed), (1, 1, 1));
    assert_eq!(records.unchanged, records.before - 2);
    assert_eq!(records.after, records.before + records.added - records.removed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_report_is_taken_for_an_extract() {
    let town = Town::start(None).await;
    town.settled().await;
    let before = town.stack.ingest.sent();
    town.stack.store.reports.put("housing/people/report.csv", "text/csv", b"PERSON_REF\n1\n".to_vec()).await.unwrap();
    town.settled().await;
    assert_eq!(town.stack.ingest.sent(), before, "a new object in the reports bucket tells ingest nothing");
    town.upload("housing/people/extract.csv", b"PERSON_REF\n1\n".to_vec()).await;
    assert_eq!(town.stack.ingest.sent(), before + 1, "one in the extracts bucket does");
    town.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_used_gets_a_clear_report_and_loses_nothing() {
    let (town, extracts) = Town::with_people(60).await;
    let before = kept(&town).await;
    let text = extracts.text(CHILDREN);
    let feed = "children_social_care/people";

    town.upload("probation/people/week 9.csv", text.clone().into_bytes()).await;
    town.settled().await;
    let report = town.report("unrecognised/files").await;
    assert_eq!((report.state, report.file.as_str()), (LoadState::Refused, "probation/people/week 9.csv"));
    assert!(report.words[0].contains("names no source we know"), "{:?}", report.words);

    let report = town.load(feed, "empty.csv", Vec::new()).await;
    assert_eq!(report.state, LoadState::Refused);
    assert!(report.words[0].starts_with("The file is empty."), "{:?}", report.words);

    let report = town.load(feed, "headings only.csv", csv_records(&text)[0].into()).await;
    assert_eq!(report.state, LoadState::Held, "{:?}", report.words);
    assert!(report.words[0].contains("records would go"), "{:?}", report.words);

    let report = town.load(feed, "no surnames.csv", text.replacen("Surname", "Family title", 1).into_bytes()).await;
    assert_eq!(report.state, LoadState::Held);
    assert!(report.words[0].contains("lacks the column Surname"), "{:?}", report.words);

    let half = text.len() - text.len() / 40;
    let report = town.load(feed, "cut short.csv", text.as_bytes()[..half].to_vec()).await;
    assert_eq!(report.state, LoadState::Held, "{:?}", report.words);

    let report = town.load("children_social_care/relationships", "week 9.rejected.csv", b"x,y\n1,2\n".to_vec()).await;
    assert_eq!(report.state, LoadState::Refused);
    assert!(report.words[0].starts_with("A record of this feed may have several rows"), "{:?}", report.words);

    let after = kept(&town).await;
    assert!(before.0 == after.0 && before.1 == after.1, "a file that was not used has changed something");
    assert_eq!(town.found(demo::CHILD_SURNAME).await.len(), 5, "old data is still served");
    assert!(town.found(demo::CHILD_SURNAME).await.iter().any(|name| name.contains(demo::CHILD_FORENAME)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn impossible_dates_and_a_wrong_encoding_blank_a_cell_and_never_a_child() {
    let (town, extracts) = Town::with_people(60).await;
    let text = extracts.text(CHILDREN);
    let (feed, child) = ("children_social_care/people", demo::child_born(crate::end_to_end_harness::today()));
    let born = child.strftime("%d/%m/%Y").to_string();
    // Others may be born on her day, depending on today.
    let is_posy = |line: &&str| line.contains(&born) && line.contains(demo::CHILD_FORENAME);
    let posy = csv_records(&text).into_iter().find(is_posy).unwrap();

    let impossible = text.replace(posy, &posy.replace(&born, "31/02/2015"));
    let report = town.load(feed, "impossible date.csv", impossible.into_bytes()).await;
    assert_eq!((report.state, report.rows.rejected), (LoadState::Applied, 0));
    let line = 1 + text[..text.find(posy).unwrap()].matches('\n').count() as u64;
    let blanked =
        report.blanked.iter().find(|blanked| blanked.lines.contains(&line) && blanked.column.contains("Birth"));
    assert!(blanked.is_some(), "line {line} in {:?}", report.blanked);
    assert!(town.found(demo::CHILD_SURNAME).await.iter().any(|name| name.contains(demo::CHILD_FORENAME)));

    // Windows-1252 where UTF-8 was agreed: the letter is read all the same.
    let other = text.replace(demo::STEPFATHER_SURNAME, "Qu\u{e9}nnell");
    let bytes: Vec<u8> =
        other.chars().flat_map(|c| if c == '\u{e9}' { vec![0xE9] } else { c.to_string().into_bytes() }).collect();
    let report = town.load(feed, "wrong encoding.csv", bytes).await;
    assert_eq!((report.state, report.rows.rejected), (LoadState::Applied, 0), "{:?}", report.words);
    assert!(town.found("Quennell").await.iter().any(|name| name.contains("Qu\u{e9}nnell")));

    // UTF-16, which the definition does not say, is seen for what it is.
    let bytes: Vec<u8> = std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let report = town.load(feed, "utf-16.csv", bytes).await;
    assert_eq!(report.state, LoadState::Applied, "{:?}", report.words);
    assert!(report.format.contains("UTF-16"), "{}", report.format);
    assert!(town.found(demo::STEPFATHER_SURNAME).await.iter().any(|name| name.contains(demo::STEPFATHER_FORENAME)));
}

/// Names and parts of names of the family, none of which may be on a page that shows nothing.
const FAMILY: [&str; 5] =
    [demo::CHILD_FORENAME, demo::CHILD_SURNAME, demo::SIBLING_FORENAME, demo::MOTHER_FORENAME, demo::HOUSING_OFFICER];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_recorded_is_not_shown() {
    let (town, _) = Town::with_people(60).await;
    let jago = town.person_with("children_social_care", "500002").await;
    let mut sam = town.browser();
    sam.sign_in("sam.social").await;
    let results = sam.submit("/search", &[("by", "name"), ("surname", demo::CHILD_SURNAME)]).await;
    let person_page = results.link(demo::SIBLING_FORENAME);
    let person = sam.open(&person_page).await;
    let service_page = format!("/people/{jago}/services/housing");
    assert!(person.body.contains(demo::MOTHER_FORENAME), "{}", person.body);

    let audit = town.stack.store.audit.name();
    town.stack.clients.dynamodb.delete_table().table_name(audit).send().await.unwrap();

    let search = json!({ "surname": demo::CHILD_SURNAME });
    let mut refused = vec![town.search(&search).await];
    for path in ["", "/family", "/services/housing"] {
        refused.push(town.get(&format!("/v1/people/{jago}{path}")).await);
    }
    for reply in &refused {
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.json()["type"], "urn:family-context:problem:not-recorded");
    }
    let searched = sam.submit("/search", &[("by", "name"), ("surname", demo::CHILD_SURNAME)]).await;
    for page in [searched, sam.open(&person_page).await, sam.open(&service_page).await] {
        assert!(page.header("content-type").starts_with("text/html"), "{}", page.header("content-type"));
        refused.push(page);
    }
    for reply in &refused {
        assert_eq!(reply.status, 503, "{}", reply.body);
        assert!(reply.body.contains("record"), "it says why, in plain words: {}", reply.body);
        for name in FAMILY {
            assert!(!reply.body.contains(name), "{name} in {}", reply.body);
        }
    }

    // With the table back, the same requests show again: it was the audit trail and nothing else.
    fc_store::schema::create_tables(&town.stack.clients, &fc_store::Names::with_prefix("")).await.unwrap();
    assert_eq!(town.get(&format!("/v1/people/{jago}/services/housing")).await.status, 200);
    assert!(sam.open(&service_page).await.body.contains(demo::HOUSING_OFFICER));
}

/// The text of every item in lower case.
async fn all_text(town: &Town) -> String {
    let store = &town.stack.store;
    let mut text = String::new();
    for table in store.tables() {
        // The audit trail says who was looked for, for as long as the law wants it; sessions hold saved searches.
        if table.name() != store.audit.name() && table.name() != store.sessions.name() {
            for item in town.items(table).await {
                text.push_str(&format!("{} {} {} {}\n", table.name(), item.pk, item.sk, item.data));
            }
        }
    }
    text.to_lowercase()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_who_has_left_every_source_is_forgotten() {
    let (town, extracts) = Town::with_people(60).await;
    let canary = town.people().await.into_iter().find(|view| view.to_string().contains(demo::CANARY_SURNAME)).unwrap();
    let id = canary["id"].as_str().unwrap();
    assert_eq!(town.found(demo::CANARY_SURNAME).await.len(), 1);
    assert_eq!(town.get(&format!("/v1/people/{id}")).await.status, 200);
    let household = canary["households"][0]["key"].as_str().expect("a household").to_owned();

    let without = |text: &str| -> String {
        csv_records(text).into_iter().filter(|line| !line.contains(demo::CANARY_SURNAME)).collect()
    };
    let children = without(&extracts.text(CHILDREN));
    let report = town.load("children_social_care/people", "tomorrow.csv", children.into_bytes()).await;
    assert_eq!((report.state, report.records.removed), (LoadState::Applied, 1));
    let person = town.get(&format!("/v1/people/{id}")).await;
    assert_eq!(person.status, 200, "a school still knows her");

    let schools: Vec<u16> =
        extracts.bytes("schools.csv").chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let schools = without(&String::from_utf16(&schools).unwrap());
    let schools: Vec<u8> = schools.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let report = town.load("schools/people", "tomorrow.csv", schools).await;
    assert_eq!((report.state, report.records.removed), (LoadState::Applied, 1));

    assert_eq!(town.get(&format!("/v1/people/{id}")).await.status, 404);
    assert!(town.found(demo::CANARY_SURNAME).await.is_empty());
    let by_case = town.search(&json!({ "case_id": demo::CANARY_CASE_ID })).await.json();
    assert_eq!(by_case["people"], json!([]));
    let text = all_text(&town).await;
    let holding = |name: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains(&name.to_lowercase())).map(str::to_owned).collect()
    };
    for name in [demo::CANARY_FORENAME, "quillfeather", demo::CANARY_CASE_ID] {
        let left = holding(name);
        assert!(left.is_empty(), "{} items still hold it, such as {}", left.len(), left[0]);
    }
    let gone = |item: &&Item| item.data.is_empty() || item.data.starts_with(r#"{"gone":true"#);
    let people = town.items(&town.stack.store.people).await;
    let at_home = people.iter().filter(|item| item.pk == format!("H#{household}") && item.sk == id);
    assert_eq!(at_home.filter(|item| !gone(item)).count(), 0, "nobody lives there any more");
    for record in canary["records"].as_array().unwrap() {
        let pk = format!("R#{}", record["handle"].as_str().unwrap());
        assert!(!people.iter().filter(|item| item.pk == pk).any(|item| !gone(&item)), "the record leads to nobody");
    }
    for kept in ["staging", "manifests"] {
        let folder = town.stack.file_of(kept, "");
        let mut left = Vec::new();
        files_under(&folder, &mut left);
        for file in left {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(demo::CANARY_FORENAME), "{}", file.display());
        }
    }
}

fn files_under(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_under(&path, files) } else { files.push(path) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_without_a_role_sees_anything() {
    let (town, _) = Town::with_people(60).await;
    let posy = town.person_with("children_social_care", demo::CHILD_PERSON_ID).await;
    let search = json!({ "surname": demo::CHILD_SURNAME }).to_string();
    for user in ["nadia.nobody", "ines.governance", "stevie.steward"] {
        let token = town.token(user).await;
        let headers = [bearer(&token), ("content-type", "application/json".to_owned())];
        let searched = send(&town.stack.page, "POST", "/v1/people/search", &headers, search.as_bytes()).await;
        let opened = send(&town.stack.page, "GET", &format!("/v1/people/{posy}"), &headers[..1], b"").await;
        for reply in [searched, opened] {
            assert_eq!(reply.status, 403, "{user}: {}", reply.body);
            assert!(!reply.body.contains(demo::CHILD_FORENAME));
        }
    }
    let mut nadia = town.browser();
    let page = nadia.sign_in("nadia.nobody").await;
    assert_eq!(page.status, 403, "{}", page.body);
    let person = nadia.open(&format!("/people/{posy}")).await;
    assert!(!person.body.contains(demo::CHILD_FORENAME), "{}", person.body);
}
