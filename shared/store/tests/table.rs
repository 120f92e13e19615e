//! The seam to DynamoDB, against a server that speaks its protocol.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use fc_store::{
    Endpoints, Guard, Item, Key, Names, Op, Query, StoreError, Table, schema,
    settings::Clients,
    table::{Reading, TRANSACTION},
};

async fn table() -> Table {
    table_and_client().await.0
}

async fn table_and_client() -> (Table, Client) {
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
    schema::create_tables(&clients, &names).await.unwrap();
    (Table::new(clients.dynamodb.clone(), &names.people), clients.dynamodb)
}

fn item(sk: &str, rev: u64) -> Item {
    Item::json(Key::new("P", sk), rev, &sk).unwrap()
}

#[tokio::test]
async fn what_was_put_is_got() {
    let table = table().await;
    let kept = item("a", 3).expiring(4_000_000_000);
    table.put(&kept, Guard::None).await.unwrap();
    assert_eq!(table.get(&kept.key, true).await.unwrap(), Some(kept.clone()));
    assert_eq!(kept.read::<String>().unwrap(), "a");
    assert_eq!(table.get(&Key::new("P", "b"), true).await.unwrap(), None);
}

#[tokio::test]
async fn items_of_earlier_versions_are_read_and_those_of_later_ones_refused() {
    let (table, client) = table_and_client().await;
    let raw = async |sk: &str, version: Option<&str>| {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = client.put_item().table_name(table.name()).item("pk", text("P")).item("sk", text(sk));
        let put = put.item("rev", AttributeValue::N("7".into())).item("data", text(&format!("\"{sk}\"")));
        let put = match version {
            Some(version) => put.item("v", AttributeValue::N(version.into())),
            None => put,
        };
        put.send().await.unwrap();
    };
    raw("before versions", None).await;
    raw("now", Some("1")).await;
    raw("later", Some("2")).await;
    for readable in ["before versions", "now"] {
        let item = table.get(&Key::new("P", readable), true).await.unwrap().unwrap();
        assert_eq!((item.rev, item.read::<String>().unwrap().as_str()), (7, readable));
    }
    let refused = table.get(&Key::new("P", "later"), true).await.unwrap_err();
    assert!(refused.to_string().contains("a newer version of this tool wrote it"), "{refused}");
    assert!(table.query(&Query::of("P")).await.is_err(), "nothing is left out silently");
    table.put(&item("written", 1), Guard::None).await.unwrap();
    let written = client.get_item().table_name(table.name());
    let written = written.key("pk", AttributeValue::S("P".into())).key("sk", AttributeValue::S("written".into()));
    assert_eq!(written.send().await.unwrap().item.unwrap()["v"], AttributeValue::N("1".into()));
}

#[tokio::test]
async fn a_guard_that_does_not_hold_stops_the_write() {
    let table = table().await;
    table.put(&item("a", 2), Guard::Absent).await.unwrap();
    for guard in [Guard::Absent, Guard::Is(1), Guard::Is(3), Guard::Below(2), Guard::Below(1)] {
        assert_eq!(table.put(&item("a", 9), guard).await, Err(StoreError::Conflict), "{guard:?}");
    }
    for (rev, guard) in [(3, Guard::Is(2)), (4, Guard::Below(4)), (5, Guard::None)] {
        table.put(&item("a", rev), guard).await.unwrap();
    }
    table.put(&item("new", 1), Guard::Below(1)).await.unwrap();
    assert_eq!(table.delete(&Key::new("P", "a"), Guard::Is(4)).await, Err(StoreError::Conflict));
    table.delete(&Key::new("P", "a"), Guard::Is(5)).await.unwrap();
    assert_eq!(table.get(&Key::new("P", "a"), true).await.unwrap(), None);
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let table = table().await;
    table.put(&item("head", 1), Guard::Absent).await.unwrap();
    let refused = [Op::Put(item("x", 1), Guard::Absent), Op::Check(Key::new("P", "head"), Guard::Is(2))];
    assert_eq!(table.transact(&refused).await, Err(StoreError::Conflict));
    assert_eq!(table.get(&Key::new("P", "x"), true).await.unwrap(), None);

    let accepted = [
        Op::Put(item("x", 1), Guard::Absent),
        Op::Check(Key::new("P", "head"), Guard::Is(1)),
        Op::Check(Key::new("P", "nobody"), Guard::Absent),
    ];
    table.transact(&accepted).await.unwrap();
    table.transact(&[Op::Delete(Key::new("P", "x"), Guard::Is(1))]).await.unwrap();
    assert_eq!(table.get(&Key::new("P", "x"), true).await.unwrap(), None);

    let full: Vec<_> = (0..TRANSACTION).map(|n| Op::Put(item(&format!("{n}"), 1), Guard::Absent)).collect();
    table.transact(&full).await.unwrap();
}

#[tokio::test]
async fn batches_may_be_longer_than_a_request_takes() {
    let table = table().await;
    let items: Vec<_> = (0..230).map(|n| item(&format!("{n:03}"), 1)).collect();
    table.batch_write(&items, &[]).await.unwrap();
    let keys: Vec<_> = items.iter().map(|item| item.key.clone()).chain(items.first().map(|i| i.key.clone())).collect();
    let mut found = table.batch_get(&keys, false).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, items);
    table.batch_write(&[], &keys[..200]).await.unwrap();
    assert_eq!(table.batch_get(&keys, true).await.unwrap().len(), 30);
}

#[tokio::test]
async fn a_query_reads_neighbours_in_order_and_goes_on_where_it_stopped() {
    let table = table().await;
    let items: Vec<_> = ["a1", "a2", "a3", "b1"].map(|sk| item(sk, 1)).into();
    table.batch_write(&items, &[]).await.unwrap();
    let page = table.query(&Query::of("P").prefix("a").limit(2)).await.unwrap();
    assert_eq!(page.items, items[..2]);
    let rest = table.query(&Query::of("P").prefix("a").after(page.next.unwrap())).await.unwrap();
    assert_eq!(rest.items, items[2..3]);
    assert_eq!(rest.next, None);
    let last = table.query(&Query::of("P").descending().limit(1).consistent()).await.unwrap();
    assert_eq!(last.items, items[3..]);
}

#[tokio::test]
async fn updates_at_the_same_time_all_count() {
    let table = table().await;
    let key = Key::new("P", "counter");
    let add = || async {
        table.update(&key, |count: Option<u32>| Ok::<_, StoreError>(Some(count.unwrap_or(0) + 1))).await.unwrap();
    };
    tokio::join!(add(), add(), add(), add());
    assert_eq!(table.get(&key, true).await.unwrap().unwrap().read::<u32>().unwrap(), 4);

    let before = table.meter().reading();
    table.update(&key, |_: Option<u32>| Ok::<_, StoreError>(None)).await.unwrap();
    let spent = table.meter().reading() - before;
    assert_eq!(spent, Reading { calls: 1, read_units: 1.0, write_units: 0.0 });
}

#[tokio::test]
async fn an_error_names_the_table_and_never_the_key() {
    let table = table().await;
    let long = Key::new("Quillfeather-Canary".repeat(200), "a");
    let error = table.get(&long, false).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }));
    assert!(!error.to_string().contains("Quillfeather") && error.to_string().contains("people"), "{error}");
}
