//! Every function's real binary, run as Lambda runs it, and the operator's program: what they answer, and what they log.

use crate::{
    end_to_end_harness::{Extracts, Town, bearer, root, send},
    lambda_runtime::{Answer, Function, Run},
};
use axum::{Json, Router, body::Bytes, extract::State, routing::post};
use fc_synth::demo;
use serde_json::{Value, json};
use std::{
    io::Write,
    process::Stdio,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpListener,
    process::Command,
};

/// Names that may be in no log.
const CANARIES: [&str; 2] = [demo::CANARY_FORENAME, demo::CANARY_SURNAME];

/// Messages that queues were sent, each with its queue's address, oldest first.
type Sent = Arc<Mutex<Vec<(String, String)>>>;

/// An AWS account on this machine: tables and buckets of the stack, whose own functions have nothing to do, and queues
/// that only keep what they are sent.
struct Account {
    town: Town,
    queues: String,
    sent: Sent,
}

impl Account {
    async fn open() -> Self {
        let town = Town::start(None).await;
        town.settled().await;
        town.stack.clients.s3.create_bucket().bucket("archive").send().await.unwrap();
        let sent = Arc::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let queues = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(keep)).with_state(Arc::clone(&sent));
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { town, queues, sent }
    }

    /// A function with the settings that the template gives it, logging all it can.
    fn function(&self, name: &str) -> Function {
        let stack = &self.town.stack;
        let mut function = Function::named(name)
            .unwrap()
            .with("SOURCES_DIR", &root().join("infra/sources").to_string_lossy())
            .with("HANDLE_KEY", &"07".repeat(32))
            .with("PUBLIC_URL", "https://context.council.example")
            .with("OIDC_ISSUER", &stack.issuer)
            .with("OIDC_CLIENT_ID", "family-context-web")
            .with("QUEUE_INGEST", &format!("{}/ingest", self.queues))
            .with("QUEUE_MATCHING", &format!("{}/matching", self.queues))
            .with("BUCKET_ARCHIVE", "archive")
            .with("S3_PATH_STYLE", "true")
            .with("AWS_ENDPOINT_URL_SQS", &self.queues)
            .with("AWS_ACCESS_KEY_ID", &stack.key.id)
            .with("AWS_SECRET_ACCESS_KEY", &stack.key.secret)
            .with("AWS_ENDPOINT_URL_S3", &stack.s3)
            .with("AWS_ENDPOINT_URL_DYNAMODB", &stack.dynamodb)
            .with("LOG", "debug");
        for table in ["loads", "records", "people", "audit", "sessions", "guard"] {
            function = function.with(&format!("TABLE_{}", table.to_uppercase()), table);
        }
        for bucket in ["extracts", "staging", "reports", "manifests"] {
            function = function.with(&format!("BUCKET_{}", bucket.to_uppercase()), bucket);
        }
        function
    }

    /// What a queue was sent, oldest first.
    fn take(&self, queue: &str) -> Vec<String> {
        let mut sent = self.sent.lock().unwrap();
        let (taken, rest) = sent.drain(..).partition(|(url, _)| url.ends_with(queue));
        *sent = rest;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, body)| body).collect()
    }
}

/// Takes messages as SQS does.
async fn keep(State(sent): State<Sent>, batch: Bytes) -> Json<Value> {
    // The protocol's own content type, which `Json` would refuse.
    let batch: Value = serde_json::from_slice(&batch).unwrap();
    let entries = batch["Entries"].as_array().unwrap();
    let queue = batch["QueueUrl"].as_str().unwrap();
    let mut taken = sent.lock().unwrap();
    taken.extend(entries.iter().map(|entry| (queue.to_owned(), entry["MessageBody"].as_str().unwrap().to_owned())));
    let answers =
        entries.iter().map(|entry| json!({ "Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": "" }));
    Json(json!({ "Successful": answers.collect::<Vec<_>>(), "Failed": [] }))
}

/// A sample event.
fn event(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(root().join("events").join(file)).unwrap()).unwrap()
}

/// The event with the canary's names in place of everybody's.
fn of_the_canary(event: &Value) -> Value {
    let mut text = event.to_string();
    for (name, canary) in [
        ("Okafor", demo::CANARY_SURNAME),
        ("O’Brien", demo::CANARY_SURNAME),
        ("Smith", demo::CANARY_SURNAME),
        ("Maya", demo::CANARY_FORENAME),
        ("Bob", demo::CANARY_FORENAME),
        ("Amira Shah", "Zephyrine Quillfeather-Canary"),
        ("/people/0123456789abcdef0123456789abcdef", "/people/Zephyrine%20Quillfeather-Canary"),
        ("hello", demo::CANARY_SURNAME),
        ("not JSON", demo::CANARY_SURNAME),
    ] {
        text = text.replace(name, canary);
    }
    serde_json::from_str(&text).unwrap()
}

/// Says how long the function took to ask for its first event, and that nobody is named in its log.
fn check_run(function: &str, run: &Run) {
    println!("{function}: first call after {} ms", run.first_call.as_millis());
    for canary in CANARIES {
        let lines = run.log.lines().filter(|line| line.contains(canary)).count();
        assert_eq!(lines, 0, "{lines} lines of the log of {function} name somebody");
    }
    assert!(!run.log.contains("panicked"), "{}", run.log);
}

/// What each sample event comes to: the status of an HTTP answer, or how many messages go back to the queue.
const EXPECTED: [(&str, &[(&str, u64)]); 5] = [
    ("matching", &[("malformed-among-parts", 2), ("part", 0), ("parts", 0), ("sweep", 0), ("unknown-message", 1)]),
    (
        "search",
        &[
            ("again", 404),
            ("by-case-id", 200),
            ("by-name", 200),
            ("empty", 400),
            ("malformed", 400),
            ("openapi", 200),
            ("without-a-role", 403),
            ("without-a-token", 401),
        ],
    ),
    (
        "family",
        &[
            ("malformed-id", 404),
            ("person", 404),
            ("person-with-purpose", 404),
            ("relatives", 404),
            ("service", 404),
            ("without-a-token", 401),
        ],
    ),
    (
        "web",
        &[
            ("callback-without-a-sign-in", 400),
            ("form-from-another-site", 403),
            ("front-door", 200),
            ("made-up-session", 401),
            ("search-not-signed-in", 303),
            ("unknown-page", 404),
        ],
    ),
    ("audit-archive", &[("insert", 0), ("tampered", 0)]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_answers_its_sample_events() {
    let account = Account::open().await;
    for (name, expected) in EXPECTED {
        let mut samples: Vec<String> = std::fs::read_dir(root().join("events"))
            .unwrap()
            .filter_map(|file| {
                let file = file.unwrap().file_name().into_string().unwrap();
                Some(file.strip_prefix(&format!("{name}-"))?.strip_suffix(".json")?.to_owned())
            })
            .collect();
        samples.sort();
        let named: Vec<&str> = expected.iter().map(|(sample, _)| *sample).collect();
        assert_eq!(samples, named, "each sample of {name} has an answer to expect");

        let events: Vec<Value> = samples.iter().map(|sample| event(&format!("{name}-{sample}.json"))).collect();
        let canaries: Vec<Value> = events.iter().map(of_the_canary).collect();
        let run = account.function(name).run(events.iter().chain(&canaries).cloned()).await.unwrap();
        check_run(name, &run);
        let mut found = Vec::new();
        for ((sample, _), answer) in expected.iter().zip(&run.answers) {
            let Answer::Response(answer) = answer else { panic!("{name} {sample}: {answer:?}\n{}", run.log) };
            let number = match answer.get("batchItemFailures") {
                Some(failures) => failures.as_array().unwrap().len() as u64,
                None => answer["statusCode"].as_u64().unwrap(),
            };
            found.push((*sample, number));
        }
        assert_eq!(found, expected, "{name}: {}", run.log);
        assert_eq!(run.answers.len(), 2 * expected.len());
        for (event, answer) in canaries.iter().zip(&run.answers[expected.len()..]) {
            assert!(matches!(answer, Answer::Response(_)), "{name}: {event}");
        }
    }
}

/// Messages as a queue hands them over.
fn batch(bodies: &[String]) -> Value {
    let record = |(number, body): (usize, &String)| json!({ "messageId": format!("m{number}"), "body": body });
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

fn nothing_went_back(run: &Run) {
    for answer in &run.answers {
        assert_eq!(answer.response().map(|r| &r["batchItemFailures"]), Some(&json!([])), "{}", run.log);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_functions_take_a_file_to_an_answer_and_log_no_name() {
    let account = Account::open().await;
    let extracts = Extracts::of(60);
    // Beside S3, so that the stack's own ingest does not hear of it.
    let key = "children_social_care/people/night.csv";
    let place = account.town.stack.file_of("extracts", key);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, extracts.bytes("children_social_care-people.csv")).unwrap();
    let notice = event("ingest-s3-put.json")["Records"][0]["body"].as_str().unwrap().to_owned();
    let mut notice: Value = serde_json::from_str(&notice).unwrap();
    notice["Records"][0]["s3"]["object"]["key"] = json!(key);
    notice["Records"][0]["s3"]["object"].as_object_mut().unwrap().remove("versionId");

    let run = account.function("ingest").run([batch(&[notice.to_string()])]).await.unwrap();
    check_run("ingest", &run);
    nothing_went_back(&run);
    let parts = account.take("/matching");
    assert!(!parts.is_empty(), "{}", run.log);
    let run = account.function("matching").run([batch(&parts)]).await.unwrap();
    check_run("matching", &run);
    nothing_went_back(&run);
    let finish = account.take("/ingest");
    assert_eq!(finish.len(), 1, "{}", run.log);
    let run = account.function("ingest").run([batch(&finish)]).await.unwrap();
    nothing_went_back(&run);
    check_run("ingest", &run);
    let report = account.town.report("children_social_care/people").await;
    assert_eq!(report.state, fc_store::loads::LoadState::Applied);

    let search = of_the_canary(&event("search-by-name.json"));
    let mut by_surname = search.clone();
    by_surname["body"] = json!(json!({ "surname": demo::CANARY_SURNAME }).to_string());
    let mut by_case = search.clone();
    by_case["body"] = json!(json!({ "case_id": demo::CANARY_CASE_ID }).to_string());
    let run = account.function("search").run([search, by_surname, by_case]).await.unwrap();
    check_run("search", &run);
    let body = |answer: &Answer| -> Value {
        let response = answer.response().unwrap_or_else(|| panic!("{answer:?}"));
        assert_eq!(response["statusCode"], 200, "{response}");
        serde_json::from_str(response["body"].as_str().unwrap()).unwrap()
    };
    let found = body(&run.answers[1]);
    assert_eq!(body(&run.answers[2])["people"], found["people"]);
    let person = found["people"][0].clone();
    assert!(person["name"].as_str().unwrap().contains(demo::CANARY_FORENAME));

    let open = event("family-person.json").to_string();
    let open = open.replace("0123456789abcdef0123456789abcdef", person["id"].as_str().unwrap());
    let run = account.function("family").run([serde_json::from_str(&open).unwrap()]).await.unwrap();
    check_run("family", &run);
    let page = body(&run.answers[0]);
    assert_eq!(page["person"]["name"], person["name"]);
    let flags = page["services"].as_array().unwrap();
    assert!(
        flags
            .iter()
            .any(|flag| flag["service"] == "children_social_care"
                && flag["state"].as_str().unwrap().starts_with("found"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_lacks_a_setting_says_which() {
    for name in ["ingest", "matching", "search", "family", "web"] {
        let stopped = Function::named(name)
            .unwrap()
            .with("SOURCES_DIR", &root().join("infra/sources").to_string_lossy())
            .run([json!({})])
            .await
            .unwrap_err()
            .to_string();
        assert!(["HANDLE_KEY", "QUEUE_"].iter().any(|setting| stopped.contains(setting)), "{name}: {stopped}");
    }
    let stopped = Function::named("audit-archive").unwrap().run([json!({})]).await.unwrap_err().to_string();
    assert!(stopped.contains("BUCKET_ARCHIVE"), "{stopped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_program_names_nobody_in_what_it_writes() {
    let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("family-context");
    let mut program = Command::new(program)
        .args(["local", "--people", "60", "--port", "0"])
        .env(
            "LOG",
            "debug,fc_ingest=trace,fc_matching=trace,fc_search=trace,fc_family=trace,fc_web=trace,fc_http=trace",
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut errors = program.stderr.take().unwrap();
    let errors = tokio::spawn(async move {
        let mut text = String::new();
        errors.read_to_string(&mut text).await.unwrap();
        text
    });
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let (mut written, mut issuer) = (String::new(), String::new());
    let page = loop {
        let Some(line) = lines.next_line().await.unwrap() else { panic!("it ended early:\n{written}") };
        written.push_str(&line);
        written.push('\n');
        if let Some((_, address)) = line.split_once("user=sam.social ") {
            issuer = address.trim_end_matches("/token").to_owned();
        }
        if let Some(page) = line.strip_prefix("ready ") {
            break page.to_owned();
        }
    };
    let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let token = send(&issuer, "POST", "/token", &headers, b"grant_type=client_credentials&user=sam.social").await;
    let token = token.json()["access_token"].as_str().unwrap().to_owned();
    let headers = [bearer(&token), ("content-type", "application/json".to_owned())];
    let typed = json!({ "surname": demo::CANARY_SURNAME, "forename": demo::CANARY_FORENAME }).to_string();
    let found = send(&page, "POST", "/v1/people/search", &headers, typed.as_bytes()).await.json();
    let id = found["people"][0]["id"].as_str().unwrap();
    for path in ["", "/family", "/services/schools", "/services/children_social_care", "?child=Zephyrine"] {
        let opened = send(&page, "GET", &format!("/v1/people/{id}{path}"), &headers[..1], b"").await;
        assert_eq!(opened.body.contains(demo::CANARY_FORENAME), opened.status == 200, "{path}: {}", opened.status);
    }
    for path in
        ["/people/Zephyrine", "/results/Quillfeather-Canary", "/v1/people/Quillfeather-Canary", "/?to=Zephyrine"]
    {
        send(&page, "GET", path, &headers[..1], b"").await;
    }
    send(&page, "POST", "/v1/people/search", &headers, b"{\"surname\": \"Zephyrine").await;

    program.kill().await.unwrap();
    while let Some(line) = lines.next_line().await.unwrap() {
        written.push_str(&line);
        written.push('\n');
    }
    written.push_str(&errors.await.unwrap());
    keep_log("family-context", &written);
    assert!(written.contains("/v1/people/{id}"), "requests are in the log:\n{written}");
    for canary in CANARIES {
        let lines: Vec<usize> =
            written.lines().enumerate().filter(|(_, line)| line.contains(canary)).map(|(n, _)| n).collect();
        let targets: Vec<&str> = lines.iter().filter_map(|n| written.lines().nth(*n)?.split(' ').nth(2)).collect();
        assert!(lines.is_empty(), "lines {lines:?} of {} name somebody: {targets:?}", written.lines().count());
    }
}

/// Keeps what a program wrote where `tests/run` looks for names that must never be in a log.
fn keep_log(name: &str, written: &str) {
    let Some(folder) = std::env::var_os("FC_TEST_LOGS") else { return };
    let folder = std::path::PathBuf::from(folder).join("programs");
    std::fs::create_dir_all(&folder).unwrap();
    let file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(format!("{name}.log")));
    file.unwrap().write_all(written.as_bytes()).unwrap();
}

/// A table that takes connections and never answers; and how many it took.
async fn deaf_table() -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
            *count.lock().unwrap() += 1;
        }
    });
    (address, taken)
}

#[tokio::test]
async fn functions_that_people_wait_for_open_their_connection_ahead_and_start_though_nobody_answers() {
    for name in ["search", "family", "web"] {
        let (table, taken) = deaf_table().await;
        let function = Function::named(name)
            .unwrap()
            .with("SOURCES_DIR", &root().join("infra/sources").to_string_lossy())
            .with("HANDLE_KEY", &"07".repeat(32))
            .with("PUBLIC_URL", "https://context.council.example")
            .with("OIDC_ISSUER", "https://login.council.example")
            .with("OIDC_CLIENT_ID", "family-context-web")
            .with("TABLE_LOADS", "loads")
            .with("AWS_ENDPOINT_URL", &table);
        let run = function.run([]).await.unwrap();
        assert_eq!(*taken.lock().unwrap(), 1, "{name}: {}", run.log);
        assert!(run.log.contains("connection not opened ahead"), "{name}: {}", run.log);
    }
}
