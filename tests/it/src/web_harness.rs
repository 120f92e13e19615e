//! The hosted page over a real table, with a browser that keeps cookies, in a made-up council of a few people.

use crate::web_issuer::{CLIENT, Issuer};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use fc_model::{
    Address, BirthDate, CaseId, Contact, Date, Email, Fact, Household, Involvement, Name, NameKind, PersonId,
    PersonView, Phone, Postcode, Protection, RecordId, Relationship, Sex, SourceId, Summary,
    person::{Sourced, ViewRecord, ViewRelationship},
};
use fc_sources::Definitions;
use fc_store::{
    Endpoints, Guard, Item, Key, Names, Store, Table,
    loads::{Feed, FeedName, LoadId, Version},
    people::{self, Projection, Standing},
    schema,
    settings::Clients,
};
use fc_web::{Settings, Web};
use jiff::{SignedDuration, Timestamp, civil::date};
use std::{cell::Cell, collections::BTreeMap, sync::Arc};
use tower::ServiceExt;

/// Where the page believes to be.
pub(crate) const BASE: &str = "https://context.council.example";
/// No page comes near this many bytes.
const LONGEST_PAGE: usize = 1 << 20;

thread_local! {
    static NOW: Cell<Timestamp> = const { Cell::new(Timestamp::UNIX_EPOCH) };
}

/// The time in this test: Monday 2 March 2026, noon, and whatever has been waited since.
fn clock() -> Timestamp {
    NOW.get()
}

/// Lets time pass.
pub(crate) fn wait(time: SignedDuration) {
    NOW.set(NOW.get() + time);
}

/// The page, and everything behind it.
pub(crate) struct World {
    web: Web,
    no_table: Table,
    pub(crate) store: Store,
    pub(crate) issuer: Issuer,
    pub(crate) router: Router,
    dynamodb: aws_sdk_dynamodb::Client,
}

/// A source of people with the columns every source here has, what it adds to them, and whom to ring.
fn definition(name: &str, title: &str, database: &str, columns: &[&str], more: &str) -> (String, String) {
    let columns: Vec<&str> = ["record_id", "forename", "surname"].iter().chain(columns).copied().collect();
    let facts: Vec<&str> = more.split("name = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let agreed: Vec<String> = columns.iter().chain(&facts).map(|name| format!("\"{name}\"")).collect();
    let mapped: String = columns.iter().map(|name| format!("{name} = \"{name}\"\n")).collect();
    let read: String =
        facts.iter().map(|fact| format!("[[feeds.people.facts]]\nfact = \"{fact}\"\ncolumn = \"{fact}\"\n")).collect();
    let cms = name == "children";
    let text = format!(
        "title = \"{title}\"\nservice = \"{name}\"\ndatabase = \"{database}\"\norganisation = \"Fenchester {title}\"\n\
         area = \"Fenchester\"\nexpect_every_days = 1\ncms = {cms}\nagreed = [{agreed}]\n\
         [duty]\nteam = \"{title} duty team\"\nphone = \"01632 960100\"\nhours = \"Monday to Friday, 9am to 5pm\"\n\
         {more}\n[feeds.people]\nkind = \"people\"\nmode = \"full\"\nas_of = \"upload\"\ndates = [\"yyyy-mm-dd\"]\n\
         mandatory = [\"record_id\"]\n[feeds.people.columns]\n{mapped}{read}",
        agreed = agreed.join(", "),
    );
    (format!("{name}.toml"), text)
}

/// The council's sources: three that say something different each, and one that never came.
fn sources(council: &str) -> Vec<(String, String)> {
    let housing = "[ages]\nfrom = 16\n[current]\nrule = \"end-date-empty\"\n\
        [coverage]\nsince = 2012-04-01\ntext = \"Fenchester Homes tenants only.\"\n\
        [[facts]]\nname = \"rent_arrears\"\ntitle = \"Rent arrears\"\nvalues = [\"Open\", \"Closed\"]\n\
        coverage = { text = \"Current tenants only, and only arrears of more than 6 weeks.\" }\n\
        [[facts]]\nname = \"eviction\"\ntitle = \"Eviction\"\nvalues = [\"Open\", \"Closed\"]\n\
        coverage = { last_years = 6, text = \"Evictions in the last 6 years.\" }";
    vec![
        ("council.toml".to_owned(), council.to_owned()),
        definition("children", "Children's social care", "Mosaic", &["case_id"], ""),
        definition("housing", "Housing", "Tenancy system", &["involvement_from", "involvement_to"], housing),
        definition("schools", "School", "Schools census", &[], "[ages]\nfrom = 4\nto = 20"),
        definition("police", "Police", "Niche", &[], "[ages]\nfrom = 18"),
    ]
}

/// The council's settings as they are shipped.
pub(crate) const OPEN_SEARCH: &str = "name = \"Fenchester City Council\"\ncms = \"Mosaic\"\njourney = \"open-search\"\n\
    [sessions]\nidle_minutes = 30\nlongest_minutes = 600\n";

impl World {
    /// A council with these settings and nobody in it.
    pub(crate) async fn new(council: &str) -> Self {
        NOW.set("2026-03-02T12:00:00Z".parse().unwrap());
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
        let store = Store::new(&clients, &names, fc_model::HandleKey::new([7; 32]).unwrap());
        let issuer = Issuer::start().await;
        let definitions = Definitions::from_files(sources(council));
        let definitions = definitions.unwrap_or_else(|problems| panic!("{}", problems[0]));
        let web = Web {
            store: store.clone(),
            definitions: Arc::new(definitions),
            settings: Settings::new(BASE, &issuer.url, CLIENT, None, "roles").unwrap(),
            clock,
        };
        let no_table = Table::new(clients.dynamodb.clone(), "nowhere");
        Self { router: fc_web::router(web.clone()), web, no_table, store, issuer, dynamodb: clients.dynamodb }
    }

    /// How many items the table of sessions has.
    pub(crate) async fn sessions_kept(&self) -> i32 {
        self.dynamodb.scan().table_name("sessions").send().await.unwrap().count()
    }

    /// The same council with its page set up otherwise.
    pub(crate) fn with_settings(&self, settings: Settings) -> Self {
        let web = Web { settings, ..self.web.clone() };
        Self {
            router: fc_web::router(web.clone()),
            web,
            no_table: self.no_table.clone(),
            store: self.store.clone(),
            issuer: self.issuer.clone(),
            dynamodb: self.dynamodb.clone(),
        }
    }

    /// The same browser, after the audit table has become unreachable.
    pub(crate) fn without_an_audit_table(&self, browser: &Browser) -> Browser {
        let mut web = self.web.clone();
        web.store.audit = self.no_table.clone();
        Browser { router: fc_web::router(web), cookies: browser.cookies.clone() }
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
        let item =
            Item::json(Key::new(format!("F#{feed}"), "FEED"), 1, &Feed { applied: Some(version), ..Feed::default() });
        self.store.loads.put(&item.unwrap(), Guard::None).await.unwrap();
    }

    /// Puts people where matching would.
    pub(crate) async fn knows(&self, views: &[PersonView]) {
        self.project(views, true).await;
    }

    /// Puts people, who are known, as they have become.
    pub(crate) async fn knows_again(&self, views: &[PersonView]) {
        self.project(views, false).await;
    }

    async fn project(&self, views: &[PersonView], is_new: bool) {
        for view in views {
            let standing = Standing::Here(view.clone());
            let wanted = Projection { person: view.id.clone(), epoch: view.epoch, standing, is_new };
            let seconds = clock().as_second();
            people::project(&self.store.people, &self.store.key, &wanted, &BTreeMap::new(), seconds).await.unwrap();
        }
    }

    /// The Okafors of 4 Mill Lane: Maya, her mother Grace who rents, and Lena who lodges; all sources loaded but the
    /// police, which never came.
    pub(crate) async fn with_the_okafors(council: &str) -> Self {
        let world = Self::new(council).await;
        for source in ["children", "housing", "schools"] {
            world.loaded(source, date(2026, 3, 2)).await;
        }
        let okafors = [maya(&world), grace(&world), lena(&world)];
        world.knows(&okafors).await;
        world
    }

    /// A browser at the front door.
    pub(crate) fn browser(&self) -> Browser {
        Browser { router: self.router.clone(), cookies: BTreeMap::new() }
    }

    /// A browser of somebody who has signed in as Sam, a social worker.
    pub(crate) async fn sam(&self) -> Browser {
        let mut browser = self.browser();
        let page = browser.sign_in(&self.issuer, |_| {}).await;
        assert_eq!(page.location(), "/search", "{}", page.text);
        browser
    }

    fn handle(&self, source: &str, id: &str) -> fc_model::RecordHandle {
        self.store.key.record(&RecordId::new(source.parse().unwrap(), id))
    }
}

fn source(name: &str) -> SourceId {
    name.parse().unwrap()
}

fn said<T>(by: &str, value: T) -> Sourced<T> {
    Sourced { source: source(by), as_of: Some(date(2026, 3, 1)), value }
}

fn mill_lane() -> Address {
    Address {
        lines: vec!["4 Mill Lane".into(), "Fenchester".into()],
        postcode: Postcode::parse("LN10 8NE").ok(),
        from: Some(date(2019, 6, 1)),
        ..Address::default()
    }
}

/// A person at 4 Mill Lane with one record.
pub(crate) fn person(world: &World, number: u32, forename: &str, surname: &str, born: Date, by: &str) -> PersonView {
    let id = PersonId::parse(&format!("{number:032x}")).unwrap();
    let record = format!("{by}-{number}");
    let summary = Summary {
        id: id.clone(),
        name: Name::current([forename], surname),
        other_names: Vec::new(),
        birth: Some(BirthDate::born(born)),
        death: None,
        address: Some(mill_lane()),
        case_ids: Vec::new(),
        allocated: Vec::new(),
        protection: Protection::None,
        records: Vec::new(),
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
        addresses: vec![said(by, mill_lane())],
        phones: Vec::new(),
        emails: Vec::new(),
        involvements: Vec::new(),
        relationships: Vec::new(),
        records: vec![ViewRecord {
            handle: world.handle(by, &record),
            source: source(by),
            id: record,
            confidence: 1.0,
            explanation: String::new(),
            told: Some(fc_model::Days::default()),
        }],
        households: vec![Household {
            key: people::household_hash(&world.store.key, "PLN10 8NE#4"),
            from: Some(date(2019, 6, 1)),
            to: None,
        }],
    }
}

/// Maya Okafor, 11, known to children's social care under case M100 and once called Bell.
pub(crate) fn maya(world: &World) -> PersonView {
    let mut maya = person(world, 1, "Maya", "Okafor", date(2015, 3, 2), "children");
    maya.summary.case_ids = vec![CaseId::parse("M100").unwrap()];
    let former = Name { kind: NameKind::Former, ..Name::current(["Maya"], "Bell") };
    maya.summary.other_names = vec![former.clone()];
    maya.other_names = vec![said("children", former)];
    maya.sex = Some(Sex::Female);
    maya.phones = vec![said("children", Phone::parse("07700 900123").unwrap())];
    maya.relationships = vec![said(
        "children",
        ViewRelationship {
            related: world.handle("housing", "housing-2"),
            relationship: Relationship {
                related: String::new(),
                words: "Mother".into(),
                from: Some(date(2015, 3, 2)),
                to: None,
                unlisted: false,
            },
        },
    )];
    maya.involvements = vec![said(
        "children",
        Involvement {
            contact: Contact {
                name: Some("Priya Nair".into()),
                role: Some("Social worker".into()),
                phone: Phone::parse("01632 960333").ok(),
                ..Contact::default()
            },
            from: Some(date(2025, 9, 1)),
            ..Involvement::default()
        },
    )];
    maya
}

/// Grace Okafor, 37, a tenant with open arrears; Dan Webb is her housing officer.
pub(crate) fn grace(world: &World) -> PersonView {
    let mut grace = person(world, 2, "Grace", "Okafor", date(1988, 7, 14), "housing");
    grace.records.push(ViewRecord {
        handle: world.handle("children", "children-2"),
        source: source("children"),
        id: "children-2".into(),
        confidence: 0.93,
        explanation: "same name and date of birth; address written differently".into(),
        told: Some(fc_model::Days::default()),
    });
    grace.involvements = vec![said(
        "housing",
        Involvement {
            organisation: Some("Fenchester Homes".into()),
            contact: Contact {
                name: Some("Dan Webb".into()),
                role: Some("Housing officer".into()),
                phone: Phone::parse("01632 960222").ok(),
                email: Email::parse("dan.webb@homes.example").ok(),
                ..Contact::default()
            },
            from: Some(date(2019, 6, 1)),
            last_interaction: Some(date(2026, 2, 11)),
            current: Some(true),
            facts: vec![Fact { name: "rent_arrears".into(), value: "Open".into(), on: Some(date(2026, 1, 5)) }],
            ..Involvement::default()
        },
    )];
    grace
}

/// Lena Novak, 29, who lodges with the Okafors and is nobody's relative.
pub(crate) fn lena(world: &World) -> PersonView {
    person(world, 3, "Lena", "Novak", date(1996, 11, 30), "schools")
}

/// A browser: keeps cookies, and says where a form was sent from.
#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What came back.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    /// Where it leads.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map(|to| to.to_str().unwrap()).unwrap_or_default()
    }

    /// The page's title.
    pub(crate) fn title(&self) -> &str {
        self.between("<title>", "</title>")
    }

    /// The token that stands in its forms.
    pub(crate) fn csrf(&self) -> &str {
        self.between("name=\"csrf\" value=\"", "\"")
    }

    /// The first link whose text starts so.
    pub(crate) fn link(&self, text: &str) -> String {
        let end = self.text.find(&format!("\">{text}")).unwrap_or_else(|| panic!("no link {text}: {}", self.text));
        let start = self.text[..end].rfind("href=\"").unwrap() + "href=\"".len();
        self.text[start..end].split('"').next().unwrap().replace("&#38;", "&")
    }

    fn between(&self, before: &str, after: &str) -> &str {
        let start = self.text.find(before).unwrap_or_else(|| panic!("no {before}: {}", self.text)) + before.len();
        &self.text[start..start + self.text[start..].find(after).unwrap()]
    }
}

impl Browser {
    /// Sends a request and keeps the cookies that come back.
    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Page {
        // No two requests are at the same time, so that the audit trail has an order.
        wait(SignedDuration::from_millis(1));
        if !self.cookies.is_empty() {
            let jar: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.headers_mut().insert(header::COOKIE, jar.join("; ").parse().unwrap());
        }
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let bytes = to_bytes(body, LONGEST_PAGE).await.unwrap();
        Page { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// Opens an address.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a form as one of our own pages does.
    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        self.send(form_request(path, form, &[("sec-fetch-site", "same-origin"), ("origin", "null")])).await
    }

    /// Sends a form with the token of this session.
    pub(crate) async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let csrf = self.get("/search").await.csrf().to_owned();
        let form: Vec<(&str, &str)> = form.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        self.post(path, &form).await
    }

    /// Searches by surname and opens the results.
    pub(crate) async fn search(&mut self, surname: &str) -> Page {
        let sent = self.submit("/search", &[("by", "name"), ("surname", surname)]).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let results = sent.location().to_owned();
        self.get(&results).await
    }

    /// Goes to the issuer; gives the state and the nonce that were sent along.
    pub(crate) async fn depart(&mut self) -> (String, String) {
        let page = self.get("/auth/sign-in").await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        let parameter = |name: &str| {
            let (_, rest) = page.location().split_once(&format!("{name}=")).unwrap();
            rest.split('&').next().unwrap().to_owned()
        };
        (parameter("state"), parameter("nonce"))
    }

    /// Signs in with an ID token whose claims are those of Sam as `change` makes them.
    pub(crate) async fn sign_in(&mut self, issuer: &Issuer, change: impl FnOnce(&mut serde_json::Value)) -> Page {
        let (state, nonce) = self.depart().await;
        let mut claims = issuer.claims(&nonce);
        change(&mut claims);
        issuer.hands_out(&claims);
        self.get(&format!("/auth/callback?code=c&state={state}")).await
    }
}

/// A form with these headers.
pub(crate) fn form_request(path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Request<Body> {
    let body = form.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect::<Vec<_>>().join("&");
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(body.into()).unwrap()
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
