//! DynamoDB on this machine: the `dynoxide` emulator, embedded, in memory or in one file.

use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use tokio::net::TcpListener;

use crate::StartError;

/// How often expired items go. DynamoDB itself promises only "within a few days"; readers check the expiry themselves.
const EXPIRY_SWEEP: Duration = Duration::from_secs(60);

/// Serves DynamoDB on `listener` for as long as the runtime lives, and returns its base address.
///
/// With a `file` the tables are kept there between runs; without, they are in memory. Any access key is accepted.
///
/// # Errors
///
/// [`StartError::Database`] when the file cannot be opened.
pub async fn start(listener: TcpListener, file: Option<&Path>) -> Result<String, StartError> {
    let database = open(file)?;
    let endpoint = crate::address(&listener)?;
    tokio::spawn(sweep_expired_items(database.clone()));
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(endpoint)
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
    use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };

    use super::*;
    use crate::DataFolder;

    fn client(endpoint: &str) -> Client {
        Client::from_conf(
            aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .credentials_provider(Credentials::new("local", "local", None, None, "test"))
                .endpoint_url(endpoint)
                .region(Region::from_static("eu-west-2"))
                .build(),
        )
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
        let endpoint = start(crate::listen(0).await.unwrap(), None).await.unwrap();
        let dynamo = client(&endpoint);
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
        make_table(&client(&start(crate::listen(0).await.unwrap(), Some(&file)).await.unwrap()), "people").await;

        let again = client(&start(crate::listen(0).await.unwrap(), Some(&file)).await.unwrap());
        assert_eq!(again.list_tables().send().await.unwrap().table_names(), ["people"]);
    }
}
