//! A Lambda Runtime API endpoint: runs a function's real binary, hands it events, and collects its answers.
//!
//! This is the contract between Lambda and a custom runtime: the process asks for `next`, answers with `response` or
//! `error`, and asks again. Memory limits, freezing and the service's own retries are not imitated.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::Notify;

/// How long one run may take, start and all its events together, before it counts as hanging.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// How long the rest of a log may take to arrive after the function's end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A function to run.
#[derive(Clone, Debug)]
pub struct Function {
    binary: PathBuf,
    environment: Vec<(String, String)>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// From the start of the process to its first call for an event: what a cold start costs besides Lambda's own part.
    pub first_call: Duration,
    /// One answer for each event, in order.
    pub answers: Vec<Answer>,
    /// Everything the function wrote, for tests that look for what must not be there.
    pub log: String,
}

/// A function's answer to one event.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What it returned.
    Response(Value),
    /// The error it reported; on AWS the event would be tried again.
    Error(Value),
}

impl Answer {
    /// What the function returned, or nothing if it failed.
    #[must_use]
    pub fn response(&self) -> Option<&Value> {
        match self {
            Self::Response(value) => Some(value),
            Self::Error(_) => None,
        }
    }
}

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No binary of that name is beside the tests.
    #[error("{} is not built: run `cargo build` with the profile of the tests first", .0.display())]
    NotBuilt(PathBuf),
    /// The process could not be started or watched.
    #[error("the function could not be run: {0}")]
    Process(#[from] io::Error),
    /// The process ended before it had answered every event.
    #[error("the function stopped ({status}) with events left to answer. Its log:\n{log}")]
    Stopped {
        /// Its exit status.
        status: String,
        /// What it wrote.
        log: String,
    },
    /// The process did not answer in time.
    #[error("the function did not answer within {RUN_LIMIT:?}. Its log:\n{log}")]
    Hangs {
        /// What it wrote.
        log: String,
    },
}

impl Function {
    /// The function called `name`, from the folder its binary was built in: the one of the running tests, or
    /// `FC_FUNCTIONS` where set (the `lambda` profile's, say).
    ///
    /// # Errors
    ///
    /// [`RunError::NotBuilt`].
    pub fn named(name: &str) -> Result<Self, RunError> {
        let folder = match std::env::var_os("FC_FUNCTIONS") {
            Some(folder) => PathBuf::from(folder),
            // Tests run from `target/<profile>/deps`.
            None => std::env::current_exe()?.ancestors().nth(2).map(PathBuf::from).unwrap_or_default(),
        };
        Self::at(folder.join(name))
    }

    /// The function whose binary is at `path`.
    ///
    /// # Errors
    ///
    /// [`RunError::NotBuilt`].
    pub fn at(binary: PathBuf) -> Result<Self, RunError> {
        if !binary.is_file() {
            return Err(RunError::NotBuilt(binary));
        }
        Ok(Self { binary, environment: Vec::new() })
    }

    /// Sets a variable of the function's configuration. It sees no others but Lambda's own.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the function, hands it `events` one after the other, and ends it when it has answered the last and asks
    /// for more.
    ///
    /// # Errors
    ///
    /// [`RunError`], when there is not an answer to every event.
    pub async fn run(&self, events: impl IntoIterator<Item = Value>) -> Result<Run, RunError> {
        let api = Arc::new(Api::new(events));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let server = tokio::spawn(axum::serve(listener, router(Arc::clone(&api))).into_future());
        let run = self.watch(&api, &address).await;
        server.abort();
        run
    }

    async fn watch(&self, api: &Api, address: &str) -> Result<Run, RunError> {
        let started = Instant::now();
        let mut process = self.start(address)?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let reading = [
            process.stdout.take().map(|stream| tokio::spawn(read_all(stream, Arc::clone(&log)))),
            process.stderr.take().map(|stream| tokio::spawn(read_all(stream, Arc::clone(&log)))),
        ];
        let ended = tokio::select! {
            () = api.done.notified() => Ended::Answered,
            status = process.wait() => Ended::Stopped(status?.to_string()),
            () = tokio::time::sleep(RUN_LIMIT) => Ended::Hangs,
        };
        // Nothing to do about a process that has just gone by itself.
        let _ = process.kill().await;
        for stream in reading.into_iter().flatten() {
            // A process that the function itself started may hold the stream open for longer.
            let _ = tokio::time::timeout(LAST_WORDS, stream).await;
        }
        let log = String::from_utf8_lossy(&lock(&log)).into_owned();
        self.keep(&log)?;
        match ended {
            Ended::Stopped(status) => Err(RunError::Stopped { status, log }),
            Ended::Hangs => Err(RunError::Hangs { log }),
            Ended::Answered => {
                let state = lock(&api.state);
                let first_call = state.first_call.map_or(Duration::ZERO, |called| called - started);
                Ok(Run { first_call, answers: state.answers.clone(), log })
            }
        }
    }

    fn start(&self, address: &str) -> Result<Child, io::Error> {
        Command::new(&self.binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", self.binary.file_name().unwrap_or_default())
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "tests")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "tests")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_REGION", "eu-west-2")
            .env("AWS_ACCESS_KEY_ID", "family-context")
            .env("AWS_SECRET_ACCESS_KEY", "local-development-only")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("_HANDLER", "bootstrap")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }
}

impl Function {
    /// Keeps the log where `tests/run` looks for names that must never be in one.
    fn keep(&self, log: &str) -> io::Result<()> {
        let Some(folder) = std::env::var_os("FC_TEST_LOGS") else { return Ok(()) };
        let folder = PathBuf::from(folder).join("programs");
        std::fs::create_dir_all(&folder)?;
        let name = self.binary.file_name().unwrap_or_default().to_string_lossy();
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(folder.join(format!("function-{name}.log")))?;
        file.write_all(log.as_bytes())
    }
}

enum Ended {
    Answered,
    Stopped(String),
    Hangs,
}

async fn read_all(mut stream: impl AsyncReadExt + Unpin, log: Arc<Mutex<Vec<u8>>>) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut piece).await {
        lock(&log).extend_from_slice(&piece[..length]);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The endpoint's side of one run.
struct Api {
    state: Mutex<ApiState>,
    done: Notify,
}

struct ApiState {
    events: VecDeque<Value>,
    answers: Vec<Answer>,
    first_call: Option<Instant>,
}

impl Api {
    fn new(events: impl IntoIterator<Item = Value>) -> Self {
        let state = ApiState { events: events.into_iter().collect(), answers: Vec::new(), first_call: None };
        Self { state: Mutex::new(state), done: Notify::new() }
    }
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(error_at_start))
        // Lambda's own limit on an answer is 6 MB.
        .layer(DefaultBodyLimit::max(6 << 20))
        .with_state(api)
}

async fn next(State(api): State<Arc<Api>>) -> (HeaderMap, String) {
    let event = {
        let mut state = lock(&api.state);
        state.first_call.get_or_insert_with(Instant::now);
        let number = state.answers.len();
        state.events.pop_front().map(|event| (number, event))
    };
    let Some((number, event)) = event else {
        api.done.notify_one();
        // As in Lambda, where the process is frozen here until there is another event.
        return std::future::pending().await;
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + RUN_LIMIT;
    let headers = [
        ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{number:012}")),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-2:000000000000:function:test".to_owned()),
        ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), value.parse().ok()?)))
        .collect();
    (headers, event.to_string())
}

async fn response(State(api): State<Arc<Api>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    lock(&api.state).answers.push(Answer::Response(json_or_text(&body)));
    StatusCode::ACCEPTED
}

async fn error(State(api): State<Arc<Api>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    lock(&api.state).answers.push(Answer::Error(json_or_text(&body)));
    StatusCode::ACCEPTED
}

async fn error_at_start() -> StatusCode {
    // The process ends by itself after this, and its log says why.
    StatusCode::ACCEPTED
}

fn json_or_text(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    /// A function written as a shell script, in a folder of its own.
    struct Script(PathBuf);

    impl Script {
        fn new(name: &str, body: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("fc-it-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join("function");
            std::fs::write(&path, format!("#!/bin/bash\n{body}")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
            Self(folder)
        }

        fn function(&self) -> Function {
            Function::at(self.0.join("function")).unwrap()
        }
    }

    impl Drop for Script {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    /// The runtime's side of the contract in a few lines of bash: answers each event with the event itself. It starts no
    /// other process, so that ending it ends everything.
    const ECHO: &str = r#"
host="${AWS_LAMBDA_RUNTIME_API%:*}" port="${AWS_LAMBDA_RUNTIME_API##*:}"
call() {
    local line
    exec 3<>"/dev/tcp/$host/$port"
    printf '%s %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %s\r\n\r\n%s' "$1" "$2" "${#3}" "$3" >&3
    while IFS= read -r line <&3 || [[ $line ]]; do
        [[ $line =~ ^lambda-runtime-aws-request-id:\ ([0-9a-f-]+) ]] && id=${BASH_REMATCH[1]}
        body=$line
    done
}
while true; do
    call GET /2018-06-01/runtime/invocation/next
    echo "answering $id"
    call POST "/2018-06-01/runtime/invocation/$id/${ANSWER:-response}" "$body"
done
"#;

    #[tokio::test]
    async fn a_function_gets_each_event_and_its_answers_are_kept_in_order() {
        let script = Script::new("echo", ECHO);
        let run = script.function().run([json!({ "n": 1 }), json!({ "n": 2 })]).await.unwrap();
        assert_eq!(run.answers, [Answer::Response(json!({ "n": 1 })), Answer::Response(json!({ "n": 2 }))]);
        assert!(run.first_call > Duration::ZERO);
    }

    #[tokio::test]
    async fn what_the_function_writes_is_kept_for_the_canary_test() {
        let script = Script::new("log", ECHO);
        let run = script.function().run([json!({})]).await.unwrap();
        assert!(run.log.contains("answering 00000000-0000-4000-8000-000000000000"));
    }

    #[tokio::test]
    async fn an_error_the_function_reports_is_not_a_response() {
        let script = Script::new("error", ECHO);
        let run = script.function().with("ANSWER", "error").run([json!({ "n": 1 })]).await.unwrap();
        assert_eq!(run.answers, [Answer::Error(json!({ "n": 1 }))]);
    }

    #[tokio::test]
    async fn a_function_that_stops_early_is_reported_with_its_log() {
        let script = Script::new("stop", "echo TABLE_PEOPLE is not set >&2; exit 3");
        let error = script.function().run([json!({})]).await.unwrap_err();
        assert!(matches!(&error, RunError::Stopped { log, .. } if log.contains("TABLE_PEOPLE is not set")));
    }

    #[test]
    fn a_function_that_is_not_built_is_named() {
        assert!(Function::named("no-such-function").unwrap_err().to_string().contains("no-such-function is not built"));
    }
}
