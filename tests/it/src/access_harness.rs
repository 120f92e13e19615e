//! The JSON API over a real table, in a made-up council of a few people.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use fc_family::Family;
use fc_model::{
    Address, BirthDate, CaseId, Contact, Date, HandleKey, Household, Involvement, Name, PartialDate, PersonId,
    PersonView, Phone, Postcode, Protection, RecordId, Relationship, StaffId, Summary,
    person::{Sourced, ViewRecord, ViewRelationship},
};
use fc_search::Search;
use fc_sources::Definitions;
use fc_store::{
    Endpoints, Guard, Item, Key, Names, Store, Table,
    audit::{self, Entry},
    loads::{Feed, FeedName, LoadId, Version},
    people::{self, Projection, Standing},
    schema,
    settings::Clients,
    table::Reading,
};
use jiff::{Timestamp, civil::date};
use lambda_http::request::RequestContext;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tower::ServiceExt;

/// Today, in these tests.
pub(crate) const TODAY: Date = date(2026, 3, 2);
/// No answer comes near this many bytes.
const LONGEST: usize = 1 << 20;

fn noon() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn next_day() -> Timestamp {
    "2026-03-03T12:00:00Z".parse().unwrap()
}

/// A council with people in it, and its API.
pub(crate) struct Council {
    pub(crate) store: Store,
    definitions: Arc<Definitions>,
    clock: fc_access::Clock,
    nowhere: Table,
    number: AtomicU64,
}

/// What came back.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// The names of the people found.
    pub(crate) fn names(&self) -> Vec<String> {
        let people = self.json()["people"].as_array().cloned().unwrap_or_else(|| panic!("{}", self.text));
        people.iter().map(|person| person["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The flag of a source.
    pub(crate) fn flag(&self, source: &str) -> Value {
        let json = self.json();
        let flags = json["services"].as_array().unwrap_or_else(|| panic!("{}", self.text));
        flags.iter().find(|flag| flag["source"]["source"] == source).cloned().unwrap_or_else(|| panic!("no {source}"))
    }
}

/// The sources of Fenchester.
fn sources(council: &str) -> Vec<(String, String)> {
    let source = |name: &str, title: &str, more: &str| {
        let text = format!(
            "title = \"{title}\"\nservice = \"{name}\"\ndatabase = \"{title} system\"\norganisation = \"Fenchester {title}\"\n\
             area = \"Fenchester\"\nexpect_every_days = 1\nagreed = [\"record_id\", \"forename\", \"surname\"{}]\n{more}\n\
             [duty]\nteam = \"{title} duty team\"\nphone = \"01632 960100\"\n\
             [feeds.people]\nkind = \"people\"\nmode = \"full\"\nas_of = \"upload\"\nmandatory = [\"record_id\"]\n\
             [feeds.people.columns]\nrecord_id = \"Id\"\nforename = \"First\"\nsurname = \"Last\"\n{}",
            if name == "housing" { ", \"rent_arrears\", \"eviction\"" } else { "" },
            if name == "housing" {
                "[[feeds.people.facts]]\nfact = \"rent_arrears\"\ncolumn = \"Arrears\"\n\
                 [[feeds.people.facts]]\nfact = \"eviction\"\ncolumn = \"Eviction\"\n"
            } else {
                ""
            },
        );
        (format!("{name}.toml"), text)
    };
    vec![
        ("council.toml".to_owned(), format!("name = \"Fenchester City Council\"\ncms = \"Mosaic\"\n{council}")),
        source("children", "Social care", "cms = true"),
        source(
            "housing",
            "Housing",
            "[ages]\nfrom = 16\n[current]\nrule = \"end-date-empty\"\n[coverage]\nsince = 2012-04-01\n\
             text = \"Fenchester Homes tenants only. This says nothing about other landlords.\"\n[[facts]]\n\
             name = \"rent_arrears\"\ntitle = \"Rent arrears\"\nvalues = [\"Open\", \"Closed\"]\n\
             coverage = { text = \"Current tenants only.\" }\n[[facts]]\nname = \"eviction\"\n\
             title = \"Eviction\"\nvalues = [\"Open\", \"Closed\"]\n\
             coverage = { last_years = 1, text = \"Evictions in the last year.\" }",
        ),
        source("schools", "School", "tells_place = true\n[ages]\nfrom = 4\nto = 20"),
        source("police", "Police", "[ages]\nfrom = 18"),
        ("staff_directory.toml".into(), include_str!("../../../infra/sources/staff_directory.toml").into()),
    ]
}

impl Council {
    /// A council where anybody may be searched for.
    pub(crate) async fn open() -> Self {
        Self::with("journey = \"open-search\"").await
    }

    /// A council with these settings, nobody in it, and every source but the police's loaded this morning.
    pub(crate) async fn with(settings: &str) -> Self {
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
        let definitions = Definitions::from_files(sources(settings)).unwrap_or_else(|found| panic!("{found:#?}"));
        let council = Self {
            store: Store::new(&clients, &names, HandleKey::new([7; 32]).unwrap()),
            definitions: Arc::new(definitions),
            clock: noon,
            nowhere: Table::new(clients.dynamodb, "nowhere"),
            number: AtomicU64::new(1),
        };
        for source in ["children", "housing", "schools"] {
            council.loaded(source, TODAY).await;
        }
        council
    }

    /// The same council, one day later.
    pub(crate) fn tomorrow(&self) -> Self {
        Self { clock: next_day, ..self.again() }
    }

    /// The same council, after its audit table has become unreachable.
    pub(crate) fn without_an_audit_table(&self) -> Self {
        let mut council = self.again();
        council.store.audit = self.nowhere.clone();
        council
    }

    fn again(&self) -> Self {
        Self {
            store: self.store.clone(),
            definitions: self.definitions.clone(),
            clock: self.clock,
            nowhere: self.nowhere.clone(),
            number: AtomicU64::new(1_000_000),
        }
    }

    /// A source's last file was true on this day.
    pub(crate) async fn loaded(&self, source: &str, day: Date) {
        let feed = FeedName::new(source.parse().unwrap(), "people".parse().unwrap());
        let at: Timestamp = format!("{day}T03:00:00Z").parse().unwrap();
        let version = Version {
            load: LoadId::new(at, "0123456789abcdef"),
            number: 1,
            as_of: at,
            at,
            content: String::new(),
            definition: String::new(),
            manifest: None,
            records: 1,
        };
        let feed_now = Feed { applied: Some(version), ..Feed::default() };
        let item = Item::json(Key::new(format!("F#{feed}"), "FEED"), 1, &feed_now).unwrap();
        self.store.loads.put(&item, Guard::None).await.unwrap();
    }

    /// A person with one record at one source, as matching would project them; not yet known.
    pub(crate) fn person(&self, source: &str, forename: &str, surname: &str, born: &str) -> PersonView {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let id = PersonId::parse(&format!("{number:032x}")).unwrap();
        let record = format!("{source}-{number}");
        let handle = self.store.key.record(&RecordId::new(source.parse().unwrap(), record.clone()));
        let summary = Summary {
            id: id.clone(),
            name: Name::current([forename], surname),
            other_names: Vec::new(),
            birth: born.parse::<PartialDate>().ok().map(BirthDate::born),
            death: None,
            address: None,
            case_ids: Vec::new(),
            allocated: Vec::new(),
            protection: Protection::None,
            records: vec![handle.clone()],
            dated: Vec::new(),
            only_dated: false,
        };
        PersonView {
            id,
            epoch: 1,
            scheme: fc_model::search_keys::SCHEME,
            summary,
            other_names: Vec::new(),
            death: None,
            sex: None,
            addresses: Vec::new(),
            phones: Vec::new(),
            emails: Vec::new(),
            involvements: Vec::new(),
            relationships: Vec::new(),
            records: vec![ViewRecord {
                handle,
                source: source.parse().unwrap(),
                id: record,
                confidence: 1.0,
                explanation: String::new(),
                told: Some(fc_model::Days::default()),
            }],
            households: Vec::new(),
        }
    }

    /// Puts people where matching would; called again, with what has changed.
    pub(crate) async fn knows(&self, people: &[&PersonView]) {
        for view in people {
            let standing = Standing::Here((*view).clone());
            self.project(&view.id, view.epoch, standing).await;
        }
    }

    /// Two people turned out to be one.
    pub(crate) async fn moved(&self, from: &PersonView, to: &PersonView) {
        self.project(&from.id, from.epoch + 1, Standing::MovedTo(to.id.clone())).await;
    }

    async fn project(&self, person: &PersonId, epoch: u64, standing: Standing<PersonView>) {
        let wanted = Projection { person: person.clone(), epoch, standing, is_new: false };
        let whose = BTreeMap::new();
        people::project(&self.store.people, &self.store.key, &wanted, &whose, noon().as_second()).await.unwrap();
    }

    /// The function that a path belongs to.
    fn function(&self, path: &str) -> Router {
        let (store, definitions, clock) = (self.store.clone(), self.definitions.clone(), self.clock);
        if path == "/v1/people/search" || path == "/v1/openapi.json" || path.starts_with("/v1/searches/") {
            fc_search::router(Search { store, definitions, clock })
        } else {
            fc_family::router(Family { store, definitions, clock })
        }
    }

    /// Sends a request in the name of somebody with these claims, as the edge hands it on; `None`: with no claims.
    pub(crate) async fn ask(&self, request: Request<Body>, claims: Option<Value>) -> Reply {
        let mut request = request;
        // The edge gives every request another id; answers are compared without it.
        let id = format!("request-{}", self.number.fetch_add(1, Ordering::Relaxed));
        let mut context = json!({
            "requestId": id,
            "http": {"method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "timeEpoch": 0,
        });
        if let Some(claims) = claims {
            context["authorizer"] = json!({"jwt": {"claims": claims}});
        }
        let context = RequestContext::ApiGatewayV2(serde_json::from_value(context).unwrap());
        request.extensions_mut().insert(context);
        let (parts, body) = self.function(request.uri().path()).oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, LONGEST).await.unwrap();
        Reply { status: parts.status, text: String::from_utf8(bytes.to_vec()).unwrap().replace(&id, "request") }
    }

    /// Amira, a social worker, searches.
    pub(crate) async fn search(&self, terms: Value) -> Reply {
        self.ask(search_for(&terms), Some(amira())).await
    }

    /// Amira opens an address.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Request::get(path).body(Body::empty()).unwrap(), Some(amira())).await
    }

    /// Amira opens a person.
    pub(crate) async fn opens(&self, person: &PersonView) -> Reply {
        self.get(&format!("/v1/people/{}", person.id)).await
    }

    /// Everything the audit trail has on Amira, oldest first.
    pub(crate) async fn trail(&self) -> Vec<Entry> {
        audit::of_user(&self.store.audit, "amira", 100).await.unwrap()
    }

    /// Calls made and units used so far, of every table.
    pub(crate) fn used(&self) -> [Reading; 6] {
        self.store.tables().map(|table| table.meter().reading())
    }

    /// Calls made since `before`, table by table.
    pub(crate) fn calls_since(&self, before: [Reading; 6]) -> Vec<u64> {
        self.used().into_iter().zip(before).map(|(now, then)| (now - then).calls).collect()
    }

    /// Reads of people since `before`.
    pub(crate) fn people_read_since(&self, before: Reading) -> Reading {
        self.store.people.meter().reading() - before
    }

    /// Reads of everything since `before`, in read units.
    pub(crate) fn units_since(&self, before: [Reading; 6]) -> f64 {
        self.used().into_iter().zip(before).map(|(now, then)| (now - then).read_units).sum()
    }
}

/// The claims of Amira Shah, social worker, staff number SW7, as API Gateway hands them on.
pub(crate) fn amira() -> Value {
    json!({"sub": "amira", "name": "Amira Shah", "roles": "[social-worker]", "staff_id": "SW7"})
}

/// A search request.
pub(crate) fn search_for(terms: &Value) -> Request<Body> {
    Request::post("/v1/people/search")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(terms.to_string()))
        .unwrap()
}

/// What a source says.
pub(crate) fn said<T>(by: &str, value: T) -> Sourced<T> {
    Sourced { source: by.parse().unwrap(), as_of: Some(date(2026, 3, 1)), value }
}

/// An address with a number and a postcode.
pub(crate) fn address(line: &str) -> Address {
    Address { lines: vec![line.into()], postcode: Postcode::parse("LN10 8NE").ok(), ..Address::default() }
}

impl Council {
    /// Gives a person an address, told by a source, and the household that goes with it.
    pub(crate) fn lives(&self, person: &mut PersonView, by: &str, at: &Address) {
        for key in at.household_keys() {
            let key = people::household_hash(&self.store.key, &key);
            person.households.push(Household { key, from: at.from, to: at.to });
        }
        person.summary.address =
            Some(if at.confidential { Address { confidential: true, ..Address::default() } } else { at.clone() });
        person.addresses.push(said(by, at.clone()));
    }

    /// States, in the case management system, what `related` is to `person`.
    pub(crate) fn states(person: &mut PersonView, words: &str, related: &PersonView) {
        person.relationships.push(said(
            "children",
            ViewRelationship {
                related: related.records[0].handle.clone(),
                relationship: Relationship {
                    related: String::new(),
                    words: words.into(),
                    from: None,
                    to: None,
                    unlisted: false,
                },
            },
        ));
    }
}

/// Gives a person a case ID.
pub(crate) fn under_case(person: &mut PersonView, case: &str) {
    person.summary.case_ids = vec![CaseId::parse(case).unwrap()];
}

/// A worker, by what is known of them.
pub(crate) fn worker(name: Option<&str>, phone: Option<&str>, staff: Option<&str>) -> Contact {
    Contact {
        name: name.map(Into::into),
        phone: phone.and_then(|phone| Phone::parse(phone).ok()),
        staff_id: staff.and_then(|staff| StaffId::parse(staff).ok()),
        ..Contact::default()
    }
}

/// An involvement that says who works on it and nothing else.
pub(crate) fn involved(contact: Contact) -> Involvement {
    Involvement { contact, from: Some(date(2024, 5, 1)), ..Involvement::default() }
}
