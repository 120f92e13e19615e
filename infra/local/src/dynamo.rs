//! DynamoDB on this machine: the `dynoxide` emulator, embedded, in memory or in one file, behind a door of our own.
//!
//! The emulator's own server takes any signature and lets every web page read its answers. Here a request must be signed
//! with the key of this start, and no answer is for another origin.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dynoxide::{Database, DynoxideError};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tokio::net::TcpListener;

use crate::StartError;
use crate::access_key::AccessKey;

/// How often expired items go. DynamoDB itself promises only "within a few days"; readers check the expiry themselves.
const EXPIRY_SWEEP: Duration = Duration::from_secs(60);
/// The largest request DynamoDB takes, in bytes.
const LARGEST_REQUEST: usize = 16 << 20;
/// What comes before an operation's name in `x-amz-target`.
const API: &str = "DynamoDB_20120810.";

/// Serves DynamoDB on `listener` for as long as the runtime lives, to requests signed with `key`, and returns its base
/// address.
///
/// With a `file` the tables are kept there between runs; without, they are in memory.
///
/// # Errors
///
/// [`StartError::Database`] when the file cannot be opened.
pub async fn start(listener: TcpListener, file: Option<&Path>, key: AccessKey) -> Result<String, StartError> {
    let database = open(file)?;
    let endpoint = crate::address(&listener)?;
    tokio::spawn(sweep_expired_items(database.clone()));
    let routes = Router::new().fallback(answer).with_state(Arc::new(Tables { database, key }));
    crate::serve(listener, routes, "tables")?;
    Ok(endpoint)
}

struct Tables {
    database: Database,
    key: AccessKey,
}

async fn answer(State(tables): State<Arc<Tables>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !tables.key.is_named_in(&parts.headers) {
        return not_signed();
    }
    let Ok(body) = to_bytes(body, LARGEST_REQUEST).await else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "SerializationException", "A request has at most 16 MiB.");
    };
    if !tables.key.signed("dynamodb", &parts, &body, Timestamp::now()) {
        return not_signed();
    }
    match operation(&parts.headers).and_then(|operation| tables.carry_out(operation, &body)) {
        Some(Ok(done)) => reply(StatusCode::OK, done),
        Some(Err(error)) => {
            reply(StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::BAD_REQUEST), error.to_json())
        }
        None => refuse(StatusCode::BAD_REQUEST, "UnknownOperationException", "Not an operation that works here."),
    }
}

fn operation(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(API)
}

fn not_signed() -> Response {
    let words = "Sign the request with the access key of this start: see aws.env in its data folder.";
    refuse(StatusCode::FORBIDDEN, "UnrecognizedClientException", words)
}

fn refuse(status: StatusCode, kind: &str, words: &str) -> Response {
    reply(status, json!({ "__type": format!("com.amazon.coral.service#{kind}"), "message": words }).to_string())
}

fn reply(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body).into_response()
}

/// Reads a request, carries it out and writes what came of it.
fn with<Q: DeserializeOwned, A: Serialize>(
    body: &Bytes,
    carry_out: impl FnOnce(Q) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let request =
        serde_json::from_slice(body).map_err(|error| DynoxideError::ValidationException(error.to_string()))?;
    serde_json::to_string(&carry_out(request)?).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The operations of DynamoDB that the product, its tests and people who look at tables use.
macro_rules! operations {
    ($($name:literal: $operation:ident),* $(,)?) => {
        impl Tables {
            /// `None` for what is no operation of these.
            fn carry_out(&self, operation: &str, body: &Bytes) -> Option<Result<String, DynoxideError>> {
                match operation {
                    $($name => Some(with(body, |request| self.database.$operation(request))),)*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    "BatchGetItem": batch_get_item,
    "BatchWriteItem": batch_write_item,
    "CreateTable": create_table,
    "DeleteItem": delete_item,
    "DeleteTable": delete_table,
    "DescribeTable": describe_table,
    "DescribeTimeToLive": describe_time_to_live,
    "GetItem": get_item,
    "ListTables": list_tables,
    "PutItem": put_item,
    "Query": query,
    "Scan": scan,
    "TransactGetItems": transact_get_items,
    "TransactWriteItems": transact_write_items,
    "UpdateItem": update_item,
    "UpdateTable": update_table,
    "UpdateTimeToLive": update_time_to_live,
}

fn open(file: Option<&Path>) -> Result<Database, StartError> {
    let unusable = |error: dynoxide::DynoxideError| StartError::Database(error.to_string());
    let Some(file) = file else { return Database::memory().map_err(unusable) };
    let path = file.to_str().ok_or_else(|| StartError::Database("its path is not valid UTF-8".to_owned()))?;
    let database = Database::new(path).map_err(unusable)?;
    // Returns SQLite to `synchronous = NORMAL`: in write-ahead mode a power cut may then lose the last writes, but never
    // the file. The default waits for the disk on every write, which a development stack has no use for.
    database.disable_bulk_loading().map_err(unusable)?;
    Ok(database)
}

async fn sweep_expired_items(database: Database) {
    let mut every = tokio::time::interval(EXPIRY_SWEEP);
    loop {
        every.tick().await;
        let database = database.clone();
        match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "expired items could not be swept"),
            Err(error) => tracing::warn!(%error, "the sweep of expired items stopped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };

    use fc_store::settings::Clients;

    use super::*;
    use crate::DataFolder;

    /// A client of a new server, with its key.
    async fn client(file: Option<&Path>) -> Client {
        let key = AccessKey::random();
        let endpoint = start(crate::listen(0).await.unwrap(), file, key.clone()).await.unwrap();
        Clients::local(&key.endpoints(&endpoint, &endpoint)).dynamodb
    }

    async fn make_table(client: &Client, name: &str) {
        let key = |attribute: &str, kind: KeyType| {
            KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build().unwrap()
        };
        let text = |attribute: &str| {
            AttributeDefinition::builder()
                .attribute_name(attribute)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .unwrap()
        };
        client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key("sk", KeyType::Range))
            .attribute_definitions(text("pk"))
            .attribute_definitions(text("sk"))
            .send()
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn items_written_through_the_sdk_are_read_back() {
        let dynamo = client(None).await;
        make_table(&dynamo, "people").await;
        let text = |value: &str| AttributeValue::S(value.to_owned());
        dynamo.put_item().table_name("people").item("pk", text("P1")).item("sk", text("view")).send().await.unwrap();
        let found =
            dynamo.get_item().table_name("people").key("pk", text("P1")).key("sk", text("view")).send().await.unwrap();
        assert!(found.item.is_some());
    }

    #[tokio::test]
    async fn tables_in_a_file_are_there_for_the_next_run() {
        let folder = DataFolder::open(None).unwrap();
        let file = folder.path().join("tables.sqlite");
        make_table(&client(Some(&file)).await, "people").await;
        let again = client(Some(&file)).await;
        assert_eq!(again.list_tables().send().await.unwrap().table_names(), ["people"]);
    }

    #[tokio::test]
    async fn a_condition_that_fails_and_a_table_that_is_not_there_are_told_as_dynamodb_tells_them() {
        let dynamo = client(None).await;
        make_table(&dynamo, "people").await;
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let put = || dynamo.put_item().table_name("people").item("pk", text("P1")).item("sk", text("view"));
        put().send().await.unwrap();
        let refused = put().condition_expression("attribute_not_exists(pk)").send().await.unwrap_err();
        assert!(refused.into_service_error().is_conditional_check_failed_exception());
        let missing = dynamo.describe_table().table_name("nobody").send().await.unwrap_err();
        assert!(missing.into_service_error().is_resource_not_found_exception());
    }

    #[tokio::test]
    async fn a_client_without_the_key_of_this_start_gets_nothing() {
        let (key, guess) = (AccessKey::random(), AccessKey::random());
        let endpoint = start(crate::listen(0).await.unwrap(), None, key.clone()).await.unwrap();
        for guess in [AccessKey { id: key.id.clone(), ..guess.clone() }, guess] {
            let stranger = Clients::local(&guess.endpoints(&endpoint, &endpoint)).dynamodb;
            let refused = stranger.list_tables().send().await.unwrap_err();
            assert_eq!(refused.raw_response().unwrap().status().as_u16(), 403);
        }
    }
}
