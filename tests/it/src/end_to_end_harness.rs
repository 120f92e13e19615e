//! The whole stack in one process, a made-up council to load into it, and the people at its edges: a source's owner, a
//! program with a token, and a social worker with a browser.

use aws_sdk_dynamodb::types::AttributeValue;
use fc_ingest::Report;
use fc_local::{
    DataFolder,
    stack::{Options, Stack},
};
use fc_store::Table;
use fc_synth::{FeedSummary, Summary};
use jiff::{Timestamp, civil::Date};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::LazyLock,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The day this test runs on, as the tool counts days: extracts are of today. The same to the end, also at midnight.
pub(crate) fn today() -> Date {
    static TODAY: LazyLock<Date> = LazyLock::new(|| fc_access::today(Timestamp::now()));
    *TODAY
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The shipped definitions in a folder of their own, each as `change` makes it of its name and text.
pub(crate) fn definitions(change: impl Fn(&str, String) -> String) -> DataFolder {
    let folder = DataFolder::open(None).unwrap();
    for file in std::fs::read_dir(root().join("infra/sources")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = change(name, std::fs::read_to_string(&path).unwrap());
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// A made-up council's extracts, on disk.
pub(crate) struct Extracts {
    _folder: DataFolder,
    pub(crate) summary: Summary,
}

impl Extracts {
    pub(crate) fn of(people: u64) -> Self {
        let folder = DataFolder::open(None).unwrap();
        let options = fc_synth::Options { people, seed: 1, out: folder.path().to_owned(), today: today() };
        let summary = fc_synth::write_council(&options, &mut |_| {}).unwrap();
        Self { _folder: folder, summary }
    }

    /// The files of the sources that are switched on.
    pub(crate) fn enabled(&self) -> impl Iterator<Item = &FeedSummary> {
        let shipped = fc_sources::Definitions::load_dir(&root().join("infra/sources")).unwrap();
        let on: Vec<String> = shipped.enabled().map(|definition| definition.source.to_string()).collect();
        self.summary.feeds.iter().filter(move |feed| on.iter().any(|source| source == feed.source))
    }

    pub(crate) fn bytes(&self, file: &str) -> Vec<u8> {
        let feed = self.summary.feeds.iter().find(|feed| feed.file == file);
        std::fs::read(&feed.unwrap_or_else(|| panic!("no file {file}")).path).unwrap()
    }

    /// A file in UTF-8 as text.
    pub(crate) fn text(&self, file: &str) -> String {
        String::from_utf8(self.bytes(file)).unwrap()
    }
}

/// Records of a CSV text as they are written, each with its line end; line ends within quotes do not count.
pub(crate) fn csv_records(text: &str) -> Vec<&str> {
    let mut quoted = false;
    text.split_inclusive(move |c| {
        quoted ^= c == '"';
        c == '\n' && !quoted
    })
    .collect()
}

/// The running stack.
pub(crate) struct Town {
    pub(crate) stack: Stack,
}

impl Town {
    /// Everything started, nothing loaded.
    pub(crate) async fn start(sources: Option<&Path>) -> Self {
        let options = Options { port: 0, data: None, sources: sources.map(Path::to_owned) };
        Self { stack: Stack::start(&options).await.unwrap() }
    }

    /// A council of so many people, loaded.
    pub(crate) async fn with_people(people: u64) -> (Self, Extracts) {
        let (town, extracts) = (Self::start(None).await, Extracts::of(people));
        for feed in extracts.enabled() {
            let bytes = std::fs::read(&feed.path).unwrap();
            town.upload(&format!("{}/{}/{}", feed.source, feed.feed, feed.file), bytes).await;
        }
        town.settled().await;
        (town, extracts)
    }

    /// Puts a file where a source's owner puts it, over S3.
    pub(crate) async fn upload(&self, key: &str, bytes: Vec<u8>) {
        self.stack
            .clients
            .s3
            .put_object()
            .bucket(self.stack.store.extracts.name())
            .key(key)
            .body(bytes.into())
            .send()
            .await
            .unwrap();
    }

    /// Waits until every file and message is dealt with, none of them in vain.
    pub(crate) async fn settled(&self) {
        self.stack.settled().await;
        let dead: Vec<_> = [&self.stack.ingest, &self.stack.matching].iter().flat_map(|queue| queue.dead()).collect();
        assert!(dead.is_empty(), "{dead:?}");
    }

    /// Loads a file of `<source>/<feed>`, and gives its report.
    pub(crate) async fn load(&self, feed: &str, file: &str, bytes: Vec<u8>) -> Report {
        self.upload(&format!("{feed}/{file}"), bytes).await;
        self.settled().await;
        let report = self.report(feed).await;
        assert_eq!(report.file, format!("{feed}/{file}"));
        report
    }

    /// The latest load report of `<source>/<feed>`, which is there as a page too.
    pub(crate) async fn report(&self, feed: &str) -> Report {
        let reports = &self.stack.store.reports;
        let page = String::from_utf8(reports.get(&format!("{feed}/latest.html")).await.unwrap()).unwrap();
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>"), "{page}");
        serde_json::from_slice(&reports.get(&format!("{feed}/latest.json")).await.unwrap()).unwrap()
    }

    /// Every item of a table. Only a test may look at a whole table.
    pub(crate) async fn items(&self, table: &Table) -> Vec<Item> {
        let pages = self.stack.clients.dynamodb.scan().table_name(table.name()).into_paginator().items().send();
        let items: Result<Vec<_>, _> = pages.collect().await;
        let text = |value: Option<&AttributeValue>| match value {
            Some(AttributeValue::S(text) | AttributeValue::N(text)) => text.clone(),
            _ => String::new(),
        };
        let item = |item: std::collections::HashMap<String, AttributeValue>| {
            let [pk, sk, rev, data] = ["pk", "sk", "rev", "data"].map(|name| text(item.get(name)));
            Item { pk, sk, rev, data }
        };
        let mut items: Vec<Item> = items.unwrap().into_iter().map(item).collect();
        items.sort();
        items
    }

    /// The view of every person.
    pub(crate) async fn people(&self) -> Vec<Value> {
        let items = self.items(&self.stack.store.people).await;
        let views = items.iter().filter(|item| item.sk == "VIEW");
        views
            .filter_map(|item| match serde_json::from_str::<Value>(&item.data).unwrap()["here"].take() {
                Value::Null => None,
                view => Some(view),
            })
            .collect()
    }

    /// The id of the person who has a record.
    pub(crate) async fn person_with(&self, source: &str, record: &str) -> String {
        let has = |view: &&Value| {
            view["records"].as_array().unwrap().iter().any(|r| r["source"] == source && r["id"] == record)
        };
        let people = self.people().await;
        let person = people.iter().find(has).unwrap_or_else(|| panic!("nobody has record {record} of {source}"));
        person["id"].as_str().unwrap().to_owned()
    }

    /// An access token of a test user, as `curl` gets one.
    pub(crate) async fn token(&self, user: &str) -> String {
        let form = form(&[("grant_type", "client_credentials"), ("user", user)]);
        let reply = post_form(&self.stack.issuer, "/token", &form, &[]).await;
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Asks the API as a social worker.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        let token = self.token("sam.social").await;
        send(&self.stack.page, "GET", path, &[bearer(&token)], b"").await
    }

    /// Searches as a social worker.
    pub(crate) async fn search(&self, typed: &Value) -> Reply {
        let token = self.token("sam.social").await;
        let headers = [bearer(&token), ("content-type", "application/json".to_owned())];
        send(&self.stack.page, "POST", "/v1/people/search", &headers, typed.to_string().as_bytes()).await
    }

    /// The names of everybody found by a surname.
    pub(crate) async fn found(&self, surname: &str) -> Vec<String> {
        let reply = self.search(&json!({ "surname": surname })).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let json = reply.json();
        let people = json["people"].as_array().unwrap().iter();
        people.map(|found| found["name"].as_str().unwrap().to_owned()).collect()
    }

    /// A browser at the front door.
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { stack: &self.stack, cookies: BTreeMap::new() }
    }
}

/// An item of a table, as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) pk: String,
    pub(crate) sk: String,
    pub(crate) rev: String,
    pub(crate) data: String,
}

/// The header that carries a token.
pub(crate) fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

/// Fields as a form sends them.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let encoded = |text: &str| -> String {
        let byte = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
        text.bytes().map(byte).collect()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

/// What came back over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In the order they came; names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.body))
    }

    /// What stands between two texts.
    pub(crate) fn between(&self, before: &str, after: &str) -> &str {
        let (_, rest) = self.body.split_once(before).unwrap_or_else(|| panic!("no {before}: {}", self.body));
        rest.split_once(after).unwrap().0
    }

    /// Where the first link leads whose text starts so.
    pub(crate) fn link(&self, text: &str) -> String {
        let end = self.body.find(&format!("\">{text}")).unwrap_or_else(|| panic!("no link {text}: {}", self.body));
        let start = self.body[..end].rfind("href=\"").unwrap() + "href=\"".len();
        self.body[start..end].split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
    }
}

/// One request over a connection of its own. HTTP/1.0, so that the end of the connection is the end of the body.
pub(crate) async fn send(base: &str, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Reply {
    let own = ("host", base.strip_prefix("http://").unwrap().to_owned());
    send_bare(base, method, path, &[&[own][..], headers].concat(), body).await
}

/// The same without the name of the host.
pub(crate) async fn send_bare(base: &str, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Reply {
    let host = base.strip_prefix("http://").unwrap();
    let mut head = format!("{method} {path} HTTP/1.0\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let (mut from, mut to) = TcpStream::connect(host).await.unwrap().into_split();
    let whole = [head.as_bytes(), body].concat();
    // A server may answer before it has read everything, so writing and reading go on side by side.
    let writing = tokio::spawn(async move {
        let _ = to.write_all(&whole).await;
        to
    });
    let mut answer = Vec::new();
    // A server that has not read everything ends the connection roughly; what it said before counts.
    let _ = from.read_to_end(&mut answer).await;
    writing.await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: no answer"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Reply { status, headers: lines.filter_map(header).collect(), body: body.to_owned() }
}

async fn post_form(base: &str, path: &str, form: &str, headers: &[(&str, String)]) -> Reply {
    let mut all = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    all.extend_from_slice(headers);
    send(base, "POST", path, &all, form.as_bytes()).await
}

/// A browser: keeps cookies, follows redirects, and says where a form was sent from.
pub(crate) struct Browser<'a> {
    stack: &'a Stack,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    fn keep(&mut self, reply: Reply) -> Reply {
        for (_, cookie) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }

    fn jar(&self) -> (&'static str, String) {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        ("cookie", pairs.collect::<Vec<_>>().join("; "))
    }

    /// Opens an address of the page.
    pub(crate) async fn open(&mut self, path: &str) -> Reply {
        let reply = send(&self.stack.page, "GET", path, &[self.jar()], b"").await;
        self.keep(reply)
    }

    /// Sends a form with the token of the session, and follows where the answer leads.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let csrf = self.open("/search").await.between("name=\"csrf\" value=\"", "\"").to_owned();
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        let headers = [self.jar(), ("sec-fetch-site", "same-origin".to_owned()), ("origin", self.stack.page.clone())];
        let reply = post_form(&self.stack.page, path, &form(&fields), &headers).await;
        let reply = self.keep(reply);
        match reply.status {
            303 => self.open(reply.header("location")).await,
            _ => reply,
        }
    }

    /// Signs in as a test user by way of the council's directory, and gives the page they arrive at.
    pub(crate) async fn sign_in(&mut self, user: &str) -> Reply {
        let there = self.open("/auth/sign-in").await.header("location").to_owned();
        let (address, query) = there.split_once('?').unwrap();
        let authorize = address.strip_prefix(&self.stack.issuer).expect("sign-in leads to the issuer");
        let choice = send(&self.stack.issuer, "GET", &format!("{authorize}?{query}"), &[], b"").await;
        assert!(choice.body.contains(&format!("value=\"{user}\"")), "{}", choice.body);
        // The form repeats the query, and adds who was chosen.
        let chosen = post_form(&self.stack.issuer, authorize, &format!("{query}&user={user}"), &[]).await;
        let back = chosen.header("location").strip_prefix(&self.stack.page).expect("back to the page").to_owned();
        let arrived = self.open(&back).await;
        match arrived.header("location").to_owned() {
            to if to.is_empty() => arrived,
            to => self.open(&to).await,
        }
    }
}
