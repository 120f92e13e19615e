//! Making the tables and buckets where no template does: the local stack and tests.

use crate::{Names, StoreError, error::error_of, settings::Clients};
use aws_sdk_dynamodb::{
    error::ProvideErrorMetadata,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
        TimeToLiveStatus,
    },
};

/// Makes every table that is not there yet. Every table has the same two keys, `pk` and `sk`, and no index.
///
/// # Errors
/// When the server refuses.
pub async fn create_tables(clients: &Clients, names: &Names) -> Result<(), StoreError> {
    for table in [&names.loads, &names.records, &names.people, &names.audit, &names.sessions, &names.guard] {
        let attribute = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let built = |_| StoreError::Corrupt { place: table.clone(), reason: "a schema without names" };
        let made = clients
            .dynamodb
            .create_table()
            .table_name(table)
            .attribute_definitions(attribute("pk").map_err(built)?)
            .attribute_definitions(attribute("sk").map_err(built)?)
            .key_schema(key("pk", KeyType::Hash).map_err(built)?)
            .key_schema(key("sk", KeyType::Range).map_err(built)?)
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        match made {
            Err(error) if error.code() != Some("ResourceInUseException") => {
                return Err(error_of("CreateTable", table, &error));
            }
            _ => {}
        }
        forget_expired(clients, table).await?;
    }
    Ok(())
}

/// Has what has expired removed, as the template does for the tables it makes.
async fn forget_expired(clients: &Clients, table: &str) -> Result<(), StoreError> {
    let built = |_| StoreError::Corrupt { place: table.to_owned(), reason: "a schema without names" };
    let set = clients.dynamodb.describe_time_to_live().table_name(table).send().await;
    let set = set.map_err(|error| error_of("DescribeTimeToLive", table, &error))?;
    let status = set.time_to_live_description().and_then(|described| described.time_to_live_status());
    if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
        return Ok(());
    }
    let wanted = TimeToLiveSpecification::builder().attribute_name("expires").enabled(true).build().map_err(built)?;
    let done = clients.dynamodb.update_time_to_live().table_name(table).time_to_live_specification(wanted).send().await;
    done.map(drop).map_err(|error| error_of("UpdateTimeToLive", table, &error))
}

/// Makes every bucket that is not there yet.
///
/// # Errors
/// When the server refuses.
pub async fn create_buckets(clients: &Clients, names: &Names) -> Result<(), StoreError> {
    for bucket in [&names.extracts, &names.staging, &names.reports, &names.manifests] {
        let made = clients.s3.create_bucket().bucket(bucket).send().await;
        match made {
            Err(error) if !matches!(error.code(), Some("BucketAlreadyOwnedByYou" | "BucketAlreadyExists")) => {
                return Err(error_of("CreateBucket", bucket, &error));
            }
            _ => {}
        }
    }
    Ok(())
}
