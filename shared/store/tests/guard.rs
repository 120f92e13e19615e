//! The guard table, against a server that speaks DynamoDB's protocol.

#![expect(clippy::unwrap_used, reason = "tests may fail by panicking")]

use fc_model::{Address, HandleKey, Phone, Postcode, Protection, RecordHandle, RecordId};
use fc_store::{
    Endpoints, Guard, Key, Names, Table,
    guard::{Changes, GuardTable, Stated},
    schema,
    settings::Clients,
};
use jiff::Timestamp;

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
    Table::new(clients.dynamodb, &names.guard)
}

fn key() -> HandleKey {
    HandleKey::new([7; 32]).unwrap()
}

fn guard(table: &Table) -> GuardTable {
    GuardTable::new(table.clone(), key())
}

fn record(id: &str) -> RecordHandle {
    key().record(&RecordId::new("casework".parse().unwrap(), id))
}

fn at(line: &str, postcode: &str) -> Address {
    Address { lines: vec![line.into()], postcode: Postcode::parse(postcode).ok(), ..Address::default() }
}

fn refuge() -> Address {
    at("Rose House, 3 Hidden Way, Kelby", "LN6 6AA")
}

fn stated() -> Stated {
    Stated::of(&refuge(), &[Phone::parse("01632 960777").unwrap()], &key()).unwrap()
}

fn protects() -> Changes {
    Changes {
        places: vec![(record("R1"), stated())],
        records: vec![(record("R2"), Protection::Hidden)],
        ..Changes::default()
    }
}

fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn what_is_bound_counts_for_the_next_reader_and_costs_one_call_where_nothing_changed() {
    let table = table().await;
    let (writer, reader) = (guard(&table), guard(&table));
    assert!(!reader.current().await.unwrap().is_confidential(&refuge()));
    let known = writer.all().await.unwrap();
    assert!(writer.bind(&known, &protects(), now()).await.unwrap() > 0);

    let guarded = reader.current().await.unwrap();
    assert!(
        guarded.is_confidential(&at("3 Hiden Way", "")) && !guarded.is_confidential(&at("5 Hidden Way", "LN6 6AA"))
    );
    assert!(guarded.is_confidential_phone(&Phone::parse("01632960777").unwrap()));
    assert_eq!(guarded.protection(&record("R2")), Protection::Hidden);
    assert_eq!(guarded.protection(&record("R1")), Protection::None);
    // Of the protected person alone also what is not certainly another place.
    assert!(guarded.is_withheld(&at("12 Mill Lane", ""), [&record("R1")]));
    assert!(!guarded.is_withheld(&at("12 Mill Lane", ""), [&record("R2")]));
    assert!(!guarded.is_withheld(&at("5 Old Road, Lincoln", "LN1 1AB"), [&record("R1")]));

    let before = table.meter().reading();
    reader.current().await.unwrap();
    let read = table.meter().reading() - before;
    assert_eq!((read.calls, read.read_units), (1, 1.0));
}

#[tokio::test]
async fn the_same_again_writes_nothing() {
    let table = table().await;
    let writer = guard(&table);
    writer.bind(&writer.all().await.unwrap(), &protects(), now()).await.unwrap();
    let known = writer.all().await.unwrap();
    assert!(known.knows_place(&record("R1"), &stated()) && !known.knows_place(&record("R3"), &stated()));
    let before = table.meter().reading();
    assert_eq!(writer.bind(&known, &Changes::default(), now()).await.unwrap(), 0);
    assert_eq!((table.meter().reading() - before).write_units, 0.0);
}

#[tokio::test]
async fn a_worker_that_died_before_the_version_is_finished_by_whoever_repeats() {
    let table = table().await;
    let writer = guard(&table);
    writer.bind(&writer.all().await.unwrap(), &protects(), now()).await.unwrap();
    table.delete(&Key::new("VERSION", "VERSION"), Guard::None).await.unwrap();
    let reader = guard(&table);
    assert!(!reader.current().await.unwrap().is_confidential(&refuge()), "it died before it bound");

    let known = writer.all().await.unwrap();
    writer.bind(&known, &Changes::default(), now()).await.unwrap();
    assert!(reader.current().await.unwrap().is_confidential(&refuge()));
    assert_eq!(reader.current().await.unwrap().protection(&record("R2")), Protection::Hidden);
}

#[tokio::test]
async fn two_workers_that_bind_at_once_both_bind() {
    let table = table().await;
    let bind = async |id: &str| {
        let writer = guard(&table);
        let known = writer.all().await.unwrap();
        let changes = Changes { places: vec![(record(id), stated())], ..Changes::default() };
        writer.bind(&known, &changes, now()).await.unwrap();
    };
    tokio::join!(bind("R1"), bind("R2"), bind("R3"));
    let known = guard(&table).all().await.unwrap();
    for id in ["R1", "R2", "R3"] {
        assert!(known.knows_place(&record(id), &stated()), "{id}");
    }
    assert!(guard(&table).current().await.unwrap().is_confidential(&refuge()));
}

#[tokio::test]
async fn a_place_lasts_as_long_as_one_record_states_it() {
    let table = table().await;
    let writer = guard(&table);
    let both = Changes { places: vec![(record("R1"), stated()), (record("R3"), stated())], ..Changes::default() };
    writer.bind(&writer.all().await.unwrap(), &both, now()).await.unwrap();
    for (id, still) in [("R1", true), ("R3", false)] {
        let known = writer.all().await.unwrap();
        let there = known.stated_there(&record(id), &at("3 Hidden Way, Kelby", ""));
        assert_eq!(there.len(), 1);
        let taken = there.into_iter().map(|place| (record(id), place)).collect();
        writer.bind(&known, &Changes { places_taken_back: taken, ..Changes::default() }, now()).await.unwrap();
        assert_eq!(writer.current().await.unwrap().is_confidential(&refuge()), still, "{id}");
    }
}

#[tokio::test]
async fn a_place_is_small_enough_for_thousands() {
    let table = table().await;
    let writer = guard(&table);
    let address = at("The Old Rectory, 12 Wellington Gardens, Thornbury", "LN10 8NE");
    let stated = Stated::of(&address, &[Phone::parse("01632 960777").unwrap()], &key()).unwrap();
    let changes = Changes { places: vec![(record("R1"), stated)], ..Changes::default() };
    writer.bind(&writer.all().await.unwrap(), &changes, now()).await.unwrap();
    let keys: Vec<Key> = "0123456789abcdef".chars().map(|shard| Key::new(format!("SHARD#{shard}"), "SHARD")).collect();
    let [shard] = &table.batch_get(&keys, true).await.unwrap()[..] else { panic!("one shard") };
    assert!(shard.data.len() < 1600, "{} bytes", shard.data.len());
}
