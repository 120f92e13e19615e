//! Heads of clusters, against a server that speaks DynamoDB's protocol.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use fc_model::RecordHandle;
use fc_store::{
    Endpoints, Names, Query, StoreError, Table,
    records::{self, Commit, Head, Held},
    schema,
    settings::Clients,
};
use std::collections::BTreeSet;

const NOW: i64 = 1_772_452_800;

async fn table() -> Table {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dynamodb = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
    let clients = Clients::local(&Endpoints {
        s3: dynamodb.clone(),
        dynamodb,
        access_key_id: "local".into(),
        secret_access_key: "local".into(),
    });
    let names = Names::with_prefix("");
    schema::create_tables(&clients, &names).await.unwrap();
    Table::new(clients.dynamodb, &names.records)
}

fn handle(number: u8) -> RecordHandle {
    RecordHandle::parse(&format!("{number:032x}")).unwrap()
}

async fn head(table: &Table, number: u8) -> Head<Vec<String>> {
    let mut heads = records::heads(table, &BTreeSet::from([handle(number)]), NOW).await.unwrap();
    heads.remove(&handle(number)).unwrap()
}

fn commit(number: u8, was: Option<u64>, epoch: u64, cluster: &Vec<String>) -> Commit<'_, Vec<String>> {
    let (joined, chunked, settling) = Default::default();
    Commit { root: (handle(number), was), epoch, cluster, expires: None, joined, settling, chunked }
}

/// A cluster that no single item could hold, full of quotes, which take twice their room.
fn large() -> Vec<String> {
    (0..60_000).map(|i| format!("{i}\"é")).collect()
}

async fn chunks(table: &Table, number: u8) -> usize {
    let mut query = Query::of(format!("HEAD#{}", handle(number))).prefix("CHUNK#").consistent();
    let mut count = 0;
    loop {
        let page = table.query(&query).await.unwrap();
        count += page.items.len();
        match page.next {
            Some(next) => query = query.after(next),
            None => return count,
        }
    }
}

#[tokio::test]
async fn a_cluster_too_large_for_an_item_is_kept_in_chunks_and_leaves_none_behind() {
    let table = table().await;
    records::commit(&table, commit(1, None, 5, &large())).await.unwrap();
    let kept = head(&table, 1).await;
    assert!(kept.chunked && kept.epoch == Some(5) && kept.content == Some(Held::Root(large())));
    let pieces = chunks(&table, 1).await;
    assert!(pieces > 1);

    let whole = large();
    let again = Commit { chunked: vec![handle(1)], ..commit(1, Some(5), 6, &whole) };
    records::commit(&table, again).await.unwrap();
    assert_eq!(chunks(&table, 1).await, pieces, "those of the state before are gone");
    assert!(head(&table, 1).await.content == Some(Held::Root(large())));

    let small = vec!["one".to_owned()];
    let last = Commit { chunked: vec![handle(1)], ..commit(1, Some(6), 7, &small) };
    records::commit(&table, last).await.unwrap();
    assert_eq!(chunks(&table, 1).await, 0);
    assert_eq!(head(&table, 1).await.content, Some(Held::Root(small)));
}

#[tokio::test]
async fn a_writer_that_comes_too_late_spoils_no_large_cluster() {
    let table = table().await;
    records::commit(&table, commit(1, None, 5, &large())).await.unwrap();
    let mut other = large();
    other.push("late".to_owned());
    assert_eq!(records::commit(&table, commit(1, Some(4), 5, &other)).await, Err(StoreError::Conflict));
    assert!(head(&table, 1).await.content == Some(Held::Root(large())));
}

#[tokio::test]
async fn clusters_are_joined_all_or_not_at_all() {
    let table = table().await;
    let one = |text: &str| vec![text.to_owned()];
    for number in 1..=3 {
        let alone = one("alone");
        records::commit(&table, commit(number, None, 5, &alone)).await.unwrap();
    }
    let together = one("together");
    let joined = vec![(handle(2), 5), (handle(3), 4)];
    let stale = Commit { joined, ..commit(1, Some(5), 6, &together) };
    assert_eq!(records::commit(&table, stale).await, Err(StoreError::Conflict));
    assert_eq!(head(&table, 1).await.content, Some(Held::Root(one("alone"))));

    let joined = vec![(handle(2), 5), (handle(3), 5)];
    records::commit(&table, Commit { joined, ..commit(1, Some(5), 6, &together) }).await.unwrap();
    assert_eq!(head(&table, 1).await.content, Some(Held::Root(one("together"))));
    assert_eq!(head(&table, 2).await, Head { epoch: Some(6), content: Some(Held::Stub(handle(1))), chunked: false });
    assert_eq!(records::start_elsewhere(&table, &handle(2), None, &handle(3), NOW).await, Err(StoreError::Conflict));
}
