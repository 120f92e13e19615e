//! A council's tables, any number of matching workers over them, and made-up people whose records change.

use aws_sdk_dynamodb::{
    Client,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut},
    error::BoxError,
    types::AttributeValue,
};
use axum::{Router, extract::Path as UrlPath, http::StatusCode, routing::get as get_route};
use fc_linkage::Model;
use fc_matching::{Failure, Matching, Report};
use fc_model::{
    Address, BirthDate, Change, Content, Details, FeedId, HandleKey, Name, PersonId, PersonView, Postcode,
    RecordHandle, RecordId, Relationship, Seq, Summary,
};
use fc_sources::Definitions;
use fc_store::{
    Deliver, Endpoints, Names, Store, Table,
    people::{self, Located, Standing},
    queue::Sending,
    schema,
    settings::Clients,
    table::Reading,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// Monday 2 March 2026, noon.
const START: i64 = 1_772_452_800;

/// A made-up council.
pub(crate) struct Council {
    pub(crate) store: Store,
    clients: Clients,
    names: Names,
    definitions: Arc<Definitions>,
    model: Model,
    clock: Arc<AtomicI64>,
    pub(crate) sent: Arc<Outbox>,
}

/// Messages that matching sent to ingest.
#[derive(Default)]
pub(crate) struct Outbox(pub(crate) Mutex<Vec<String>>);

impl Deliver for Outbox {
    fn send(&self, bodies: Vec<String>) -> Sending<'_> {
        Box::pin(async move {
            self.0.lock().unwrap().extend(bodies);
            Ok(())
        })
    }
}

/// Lets a number of writes through, and then nothing at all: a worker that dies.
#[derive(Debug)]
struct Dies {
    writes_left: AtomicI64,
}

impl Intercept for Dies {
    fn name(&self) -> &'static str {
        "Dies"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default();
        let is_write = !["GetItem", "BatchGetItem", "Query"].iter().any(|read| target.ends_with(&format!(".{read}")));
        let left = if is_write {
            self.writes_left.fetch_sub(1, Ordering::SeqCst)
        } else {
            self.writes_left.load(Ordering::SeqCst)
        };
        if left > 0 { Ok(()) } else { Err("the worker died".into()) }
    }
}

impl Council {
    /// A council with the shipped sources, nobody in it and no buckets.
    pub(crate) async fn new() -> Self {
        Self::with_buckets("http://127.0.0.1:9").await
    }

    async fn with_buckets(s3: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dynamodb = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(dynoxide::server::serve_on(listener, dynoxide::Database::memory().unwrap()));
        let clients = Clients::local(&Endpoints {
            dynamodb,
            s3: s3.to_owned(),
            access_key_id: "local".into(),
            secret_access_key: "local".into(),
        });
        let names = Names::with_prefix("");
        schema::create_tables(&clients, &names).await.unwrap();
        let key = HandleKey::new([7; 32]).unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/sources");
        Self {
            store: Store::new(&clients, &names, key),
            clients,
            names,
            definitions: Arc::new(Definitions::load_dir(&sources).unwrap()),
            model: Model::shipped().clone(),
            clock: Arc::new(AtomicI64::new(START)),
            sent: Arc::default(),
        }
    }

    /// A council with staged parts of a load.
    pub(crate) async fn with_parts(parts: &[Vec<Change>]) -> Self {
        let line = |change: &Change| serde_json::to_string(change).unwrap() + "\n";
        Self::with_texts(parts.iter().map(|part| part.iter().map(line).collect()).collect()).await
    }

    /// A council with objects in staging that claim to be parts.
    pub(crate) async fn with_texts(texts: Vec<String>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let get = async move |UrlPath(path): UrlPath<String>| {
            let number = path.rsplit('/').next().and_then(|number| number.parse::<usize>().ok());
            let missing = "<Error><Code>NoSuchKey</Code></Error>".to_owned();
            match number.and_then(|number| texts.get(number)) {
                Some(text) => (StatusCode::OK, text.clone()),
                None => (StatusCode::NOT_FOUND, missing),
            }
        };
        let router = Router::new().route("/staging/{*path}", get_route(get));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self::with_buckets(&address).await
    }

    /// The same council, where a blocking key supports links among this many records only.
    pub(crate) fn saturated_beyond(self, records: usize) -> Self {
        self.with_model(|model| model["saturation"] = records.into())
    }

    /// The same council, from now on with the shipped model, changed so.
    pub(crate) fn with_model(mut self, change: impl FnOnce(&mut serde_json::Value)) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/linkage/data/model.json");
        let mut model: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(["saturation", "linked", "possible"].iter().all(|name| model[name].is_number()));
        change(&mut model);
        self.model = Model::parse(&model.to_string()).unwrap();
        self
    }

    /// Lets time pass.
    pub(crate) fn wait_days(&self, days: i64) {
        self.clock.fetch_add(days * 24 * 60 * 60, Ordering::SeqCst);
    }

    /// A worker.
    pub(crate) fn worker(&self) -> Matching {
        self.worker_with(&self.clients.dynamodb)
    }

    /// A worker that dies after so many writes, whichever they are.
    pub(crate) fn worker_that_dies_after(&self, writes: i64) -> Matching {
        let config = self.clients.dynamodb.config().to_builder();
        let config = config
            .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
            .interceptor(Dies { writes_left: AtomicI64::new(writes) });
        self.worker_with(&Client::from_conf(config.build()))
    }

    fn worker_with(&self, dynamodb: &Client) -> Matching {
        let table = |name: &str| Table::new(dynamodb.clone(), name);
        let clock = Arc::clone(&self.clock);
        Matching {
            store: Store {
                records: table(&self.names.records),
                people: table(&self.names.people),
                loads: table(&self.names.loads),
                ..self.store.clone()
            },
            definitions: Arc::clone(&self.definitions),
            model: self.model.clone(),
            ingest: Arc::clone(&self.sent) as Arc<dyn Deliver>,
            now: Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
            new_person: Arc::new(PersonId::random),
        }
    }

    /// Applies changes, one message each.
    pub(crate) async fn apply(&self, changes: impl IntoIterator<Item = Change>) -> Report {
        let worker = self.worker();
        let mut report = Report::default();
        for change in changes {
            report += worker.apply(vec![change]).await.unwrap();
        }
        report
    }

    pub(crate) fn handle(&self, source: &str, id: &str) -> RecordHandle {
        self.store.key.record(&RecordId::new(source.parse().unwrap(), id))
    }

    /// Which person a record belongs to.
    pub(crate) async fn person_of(&self, source: &str, id: &str) -> Option<PersonId> {
        let item = self.store.people.get(&people::record_key(&self.handle(source, id)), true).await.unwrap()?;
        match people::standing::<Located>(&item).unwrap() {
            Standing::Here(located) => Some(located.person),
            Standing::MovedTo(_) | Standing::Gone => None,
        }
    }

    /// What became of a person.
    pub(crate) async fn standing(&self, person: &PersonId) -> Standing<PersonView> {
        let item = self.store.people.get(&people::view_key(person), true).await.unwrap().unwrap();
        let summary = self.store.people.get(&people::summary_key(person), true).await.unwrap().unwrap();
        let (view, summary) = (people::standing(&item).unwrap(), people::standing::<Summary>(&summary).unwrap());
        match (&view, summary) {
            (Standing::Here(PersonView { summary, .. }), Standing::Here(kept)) => assert!(kept == *summary),
            (Standing::MovedTo(to), Standing::MovedTo(also)) => assert_eq!(*to, also),
            (Standing::Gone, Standing::Gone) => {}
            _ => panic!("view and summary say different things"),
        }
        view
    }

    /// The view of the person a record belongs to.
    pub(crate) async fn view(&self, source: &str, id: &str) -> PersonView {
        let person = self.person_of(source, id).await.expect("the record belongs to somebody");
        match self.standing(&person).await {
            Standing::Here(view) => view,
            _ => panic!("the record's person is not here"),
        }
    }

    /// Everything in the people table that a reader can see, with each person named by its records, so that councils
    /// with other person ids compare.
    pub(crate) async fn everything(&self) -> BTreeSet<(String, String, String)> {
        let items = self.dump(&self.names.people).await;
        let mut called: BTreeMap<String, String> = BTreeMap::new();
        for (pk, sk, data) in &items {
            let Some(id) = pk.strip_prefix("P#").filter(|_| sk == "VIEW") else { continue };
            let view: serde_json::Value = serde_json::from_str(data).unwrap();
            let records = view["here"]["records"].as_array().cloned().unwrap_or_default();
            let lowest = records.iter().filter_map(|record| record["handle"].as_str()).min();
            called.extend(lowest.map(|handle| (id.to_owned(), format!("<{handle}>"))));
        }
        let mut seen = BTreeSet::new();
        for (pk, sk, data) in items {
            if data.starts_with(r#"{"gone""#) || data.starts_with(r#"{"moved_to""#) {
                continue;
            }
            let data = match serde_json::from_str::<serde_json::Value>(&data) {
                Ok(mut data) => {
                    data.as_object_mut().unwrap().remove("stale");
                    if sk == "VIEW" {
                        data["here"]["epoch"] = 0.into();
                    }
                    data.to_string()
                }
                Err(_) => data,
            };
            let mut row = [pk, sk, data];
            for text in &mut row {
                for (id, name) in &called {
                    *text = text.replace(id, name);
                }
            }
            let [pk, sk, data] = row;
            seen.insert((pk, sk, data));
        }
        seen
    }

    /// Every item of the records table: (pk, sk, data).
    pub(crate) async fn records(&self) -> Vec<(String, String, String)> {
        self.dump(&self.names.records).await
    }

    async fn dump(&self, table: &str) -> Vec<(String, String, String)> {
        let text = |item: &std::collections::HashMap<String, AttributeValue>, name: &str| {
            item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
        };
        let mut rows = Vec::new();
        let mut from = None;
        loop {
            let page =
                self.clients.dynamodb.scan().table_name(table).set_exclusive_start_key(from).send().await.unwrap();
            rows.extend(page.items().iter().map(|item| (text(item, "pk"), text(item, "sk"), text(item, "data"))));
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        rows.sort();
        rows
    }
}

/// What a worker's tables have been asked for, records and people together.
pub(crate) fn reading(worker: &Matching) -> Reading {
    let (records, people) = (worker.store.records.meter().reading(), worker.store.people.meter().reading());
    Reading {
        calls: records.calls + people.calls,
        read_units: records.read_units + people.read_units,
        write_units: records.write_units + people.write_units,
    }
}

/// A record of a source, told one word at a time.
#[derive(Clone)]
pub(crate) struct Told {
    source: String,
    id: String,
    pub(crate) details: Details,
}

/// A record.
pub(crate) fn record(source: &str, id: &str) -> Told {
    Told { source: source.into(), id: id.into(), details: Details::default() }
}

static LOAD: AtomicU64 = AtomicU64::new(1);

impl Told {
    pub(crate) fn named(mut self, forename: &str, surname: &str) -> Self {
        let forenames = forename.split_whitespace().map(str::to_owned);
        self.details.names.push(Name::current(forenames, surname));
        self
    }

    pub(crate) fn born(mut self, date: &str) -> Self {
        self.details.birth = Some(BirthDate { date: date.parse().unwrap(), expected: false });
        self
    }

    pub(crate) fn expected(mut self, date: &str) -> Self {
        self.details.birth = Some(BirthDate { date: date.parse().unwrap(), expected: true });
        self
    }

    pub(crate) fn at(mut self, line: &str, postcode: &str) -> Self {
        let postcode = Postcode::parse(postcode).ok();
        self.details.addresses.push(Address { lines: vec![line.into()], postcode, ..Address::default() });
        self
    }

    pub(crate) fn nhs(mut self, number: &str) -> Self {
        self.details.nhs_number = Some(number.parse().unwrap());
        self
    }

    pub(crate) fn related(mut self, id: &str, words: &str) -> Self {
        self.details.relationships.push(Relationship {
            related: id.into(),
            words: words.into(),
            from: None,
            to: None,
            unlisted: false,
        });
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(&mut self.details);
        self
    }

    /// The record as tonight's extract has it; each call is a later night.
    pub(crate) fn tonight(self) -> Change {
        let details = self.details.clone();
        self.change("people", Some(Content::Person(Box::new(details))))
    }

    /// What another feed has of the record tonight.
    pub(crate) fn tonight_in(self, feed: &str) -> Change {
        let details = self.details.clone();
        self.change(feed, Some(Content::Person(Box::new(details))))
    }

    /// The record has left tonight's extract.
    pub(crate) fn left(self) -> Change {
        self.change("people", None)
    }

    fn change(self, feed: &str, content: Option<Content>) -> Change {
        let record = RecordId::new(self.source.parse().unwrap(), self.id);
        let load = LOAD.fetch_add(1, Ordering::SeqCst);
        Change {
            handle: HandleKey::new([7; 32]).unwrap().record(&record),
            record,
            feed: FeedId::parse(feed).unwrap(),
            seq: Seq { as_of: Timestamp::from_second(START).unwrap(), load },
            content,
        }
    }
}

/// Whether an error is what a dead worker sees.
pub(crate) fn died(outcome: &Result<Report, Failure>) -> bool {
    matches!(outcome, Err(Failure::Store(_)))
}
