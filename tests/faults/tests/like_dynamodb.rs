//! The tables in memory answer as the embedded DynamoDB does, whatever is asked of them.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use fc_faults::memory::Memory;
use fc_store::{Endpoints, Guard, Item, Key, Names, Op, Query, StoreError, Table, schema, settings::Clients};
use proptest::prelude::*;
use std::sync::Arc;

/// Something to ask of a table.
#[derive(Debug, Clone)]
enum Ask {
    Get(Key),
    Put(Item, Guard),
    Delete(Key, Guard),
    Query(Query),
    BatchGet(Vec<Key>),
    BatchWrite(Vec<Item>, Vec<Key>),
    Transact(Vec<Op>),
}

/// Few keys, so that they meet.
fn key() -> impl Strategy<Value = Key> {
    ((0..3_u8), (0..9_u8))
        .prop_map(|(pk, sk)| Key::new(format!("P{pk}"), format!("{}{sk}", ["a", "b"][usize::from(sk % 2)])))
}

fn guard() -> impl Strategy<Value = Guard> {
    prop_oneof![
        Just(Guard::None),
        Just(Guard::Absent),
        (0..6_u64).prop_map(Guard::Is),
        (0..6_u64).prop_map(Guard::Below)
    ]
}

fn item() -> impl Strategy<Value = Item> {
    // Large ones make pages end.
    let size = prop_oneof![4 => 0..40_usize, 1 => 200_000..350_000_usize];
    (key(), 0..6_u64, size, proptest::option::of(0..4_000_000_000_i64)).prop_map(|(key, rev, size, expires)| {
        let data = "é".repeat(size / 2);
        Item { key, rev, data, expires }
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (item(), guard()).prop_map(|(item, guard)| Op::Put(item, guard)),
        (key(), guard()).prop_map(|(key, guard)| Op::Delete(key, guard)),
        (key(), guard()).prop_map(|(key, guard)| Op::Check(key, guard)),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let parts = (0..3_u8, prop_oneof![Just(""), Just("a"), Just("b")], proptest::option::of(1..6_u32));
    (parts, any::<bool>(), proptest::option::of(key())).prop_map(|((pk, prefix, limit), descending, after)| {
        let mut query = Query::of(format!("P{pk}")).prefix(prefix).consistent();
        query.limit = limit;
        query.descending = descending;
        query.after = after.map(|key| key.sk).filter(|sk| sk.starts_with(prefix));
        query
    })
}

/// A batch or a transaction names no key twice.
fn once<T>(list: Vec<T>, key: impl Fn(&T) -> Key) -> Vec<T> {
    let mut seen = std::collections::BTreeSet::new();
    list.into_iter().filter(|one| seen.insert(key(one))).collect()
}

fn op_key(op: &Op) -> Key {
    match op {
        Op::Put(item, _) => item.key.clone(),
        Op::Delete(key, _) | Op::Check(key, _) => key.clone(),
    }
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        2 => key().prop_map(Ask::Get),
        6 => (item(), guard()).prop_map(|(item, guard)| Ask::Put(item, guard)),
        2 => (key(), guard()).prop_map(|(key, guard)| Ask::Delete(key, guard)),
        4 => query().prop_map(Ask::Query),
        2 => proptest::collection::vec(key(), 1..12).prop_map(Ask::BatchGet),
        2 => (proptest::collection::vec(item(), 1..4), proptest::collection::vec(key(), 0..3)).prop_map(|(puts, deletes)| {
            let puts = once(puts, |item| item.key.clone());
            let deletes = once(deletes, Key::clone);
            let deletes = deletes.into_iter().filter(|key| !puts.iter().any(|item| item.key == *key)).collect();
            Ask::BatchWrite(puts, deletes)
        }),
        4 => proptest::collection::vec(op(), 1..6).prop_map(|ops| Ask::Transact(once(ops, op_key))),
    ]
}

/// What a table says, in words that compare.
async fn answer(table: &Table, ask: &Ask) -> String {
    let told = |items: &[Item]| {
        let one = |item: &Item| (item.key.pk.clone(), item.key.sk.clone(), item.rev, item.data.len(), item.expires);
        format!("{:?}", items.iter().map(one).collect::<Vec<_>>())
    };
    let done = |result: Result<(), StoreError>| match result {
        Ok(()) => "done".to_owned(),
        Err(StoreError::Conflict) => "conflict".to_owned(),
        Err(error) => format!("{error}"),
    };
    match ask {
        Ask::Get(key) => told(table.get(key, true).await.unwrap().as_slice()),
        Ask::Put(item, guard) => done(table.put(item, *guard).await),
        Ask::Delete(key, guard) => done(table.delete(key, *guard).await),
        Ask::Query(query) => {
            let page = table.query(query).await.unwrap();
            // A last page may say that there is more; the next one is empty then.
            let mut text = told(&page.items);
            if let Some(next) = page.next {
                let rest = table.query(&query.clone().after(next)).await.unwrap();
                text += &told(&rest.items);
            }
            text
        }
        Ask::BatchGet(keys) => {
            let mut items = table.batch_get(keys, true).await.unwrap();
            items.sort_by(|a, b| a.key.cmp(&b.key));
            told(&items)
        }
        Ask::BatchWrite(puts, deletes) => done(table.batch_write(puts, deletes).await),
        Ask::Transact(ops) => done(table.transact(ops).await),
    }
}

async fn embedded() -> Table {
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
    Table::new(clients.dynamodb, &names.people)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_the_answer_is_dynamodbs(asks in proptest::collection::vec(ask(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let answers = runtime.block_on(async {
            let (theirs, ours) = (embedded().await, Table::over(Arc::new(Memory::default().table("people")), "people"));
            let mut answers = Vec::new();
            for ask in &asks {
                answers.push((answer(&theirs, ask).await, answer(&ours, ask).await));
            }
            answers
        });
        for (theirs, ours) in answers {
            prop_assert_eq!(theirs, ours);
        }
    }
}
