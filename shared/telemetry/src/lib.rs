//! Logging for functions: one line of JSON an event, to standard output, where Lambda picks it up.
//!
//! A log line says *why*, once, at the edge, and never about whom. These fields are allowed, and no others:
//!
//! | field | what |
//! | --- | --- |
//! | `request_id` | Lambda's or the API's id of a request |
//! | `message_id` | a queue message's id |
//! | `function`, `operation`, `route`, `status` | what ran and what came of it; routes as templates, never with ids filled in |
//! | `source`, `feed`, `load`, `part`, `state` | which load: names from definitions, and ids we made |
//! | `rows`, `records`, `changes`, `calls`, `units`, `count` | how much |
//! | `milliseconds` | how long |
//! | `error`, `reason` | an error of one of our types, whose words never repeat input; or a service's error code |
//! | `person`, `actor` | never: the audit table says who looked at whom, logs do not |
//!
//! Never a name, date of birth, address, identifier, search term, file name, URL with a query, request or response
//! body, token or cookie. Types of the data model print as `Name(redacted)` if they get here by mistake.

use std::panic::PanicHookInfo;
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// What is logged unless `LOG` says otherwise: our own events, and what goes wrong in libraries.
const DEFAULT_FILTER: &str = "warn,fc_ingest=info,fc_matching=info,fc_search=info,fc_family=info,fc_web=info,\
                              fc_audit_archive=info,fc_http=info,fc_access=info,fc_store=info";
/// Libraries that may not say more than warnings whatever `LOG` says: at `debug` they print whole requests.
const TALKATIVE: [&str; 7] =
    ["aws_config", "aws_sdk_dynamodb", "aws_sdk_s3", "aws_smithy_runtime", "hyper", "hyper_util", "lambda_runtime"];

/// Starts logging, and makes panics say where but not what. Call it once, first thing in `main`; calling it again
/// changes nothing.
pub fn init() {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(true)
        // Lambda adds the time of each line.
        .without_time();
    let filter = filter(std::env::var("LOG").ok().as_deref());
    // Fails only when logging has been started already, which is as good.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    std::panic::set_hook(Box::new(report_panic));
}

/// By module and level alone. A filter that could also look at spans and fields brings regular expressions, and half a
/// megabyte, into each function.
fn filter(wanted: Option<&str>) -> Targets {
    let parsed = |text: &str| text.parse::<Targets>().ok();
    let wanted = wanted.map(str::trim).filter(|wanted| !wanted.is_empty());
    let filter = wanted.and_then(parsed).or_else(|| parsed(DEFAULT_FILTER)).unwrap_or_default();
    filter.with_targets(TALKATIVE.map(|library| (library, Level::WARN)))
}

/// A panic's message may hold a value that was being worked on, so only its place in the code is told.
fn report_panic(info: &PanicHookInfo<'_>) {
    let (file, line) = info.location().map_or(("unknown", 0), |place| (place.file(), place.line()));
    tracing::error!(file, line, "panicked");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_tells_where_but_not_about_whom() {
        let written = Written::default();
        let make = written.clone();
        let logger = tracing_subscriber::fmt().json().with_writer(move || make.clone()).finish();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(report_panic));
        let caught = tracing::subscriber::with_default(logger, || {
            std::panic::catch_unwind(|| panic!("no address for Zephyrine Quillfeather"))
        });
        std::panic::set_hook(before);
        assert!(caught.is_err());
        let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(log.contains("panicked") && log.contains("lib.rs"), "{log}");
        assert!(!log.contains("Zephyrine"), "{log}");
    }

    #[test]
    fn libraries_that_print_requests_stay_quiet_whatever_is_asked_for() {
        let filter = filter(Some("trace"));
        for library in TALKATIVE {
            assert!(filter.would_enable(library, &Level::WARN), "{library}");
            assert!(!filter.would_enable(&format!("{library}::client"), &Level::INFO), "{library}");
        }
        assert!(filter.would_enable("fc_ingest", &Level::TRACE));
    }

    #[test]
    fn a_filter_that_cannot_be_read_does_not_silence_us() {
        for broken in [Some("=[["), Some(" "), None] {
            let filter = filter(broken);
            assert!(filter.would_enable("fc_ingest", &Level::INFO), "{broken:?}");
            assert!(!filter.would_enable("fc_ingest", &Level::DEBUG) && !filter.would_enable("hyper", &Level::INFO));
        }
    }
}
