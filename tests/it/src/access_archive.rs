//! The audit trail's copy in a bucket where nothing changes.

use fc_audit_archive::archive;
use fc_local::{DataFolder, access_key::AccessKey};
use fc_store::{Bucket, settings::Clients};
use serde_json::{Value, json};
use std::sync::Arc;

const INSERTED: &str = include_str!("../../../events/audit-archive-insert.json");
const TAMPERED: &str = include_str!("../../../events/audit-archive-tampered.json");

/// An object store with one bucket, `archive`.
async fn object_store() -> (DataFolder, Clients) {
    let folder = DataFolder::open(None).unwrap();
    let listener = fc_local::listen(0).await.unwrap();
    let key = AccessKey::random();
    let s3 = fc_local::s3::start(listener, folder.path(), &[], Arc::new(|_| {}), &key).await.unwrap();
    let clients = Clients::local(&key.endpoints(&s3, &s3));
    clients.s3.create_bucket().bucket("archive").send().await.unwrap();
    (folder, clients)
}

async fn lines(bucket: &Bucket, name: &str) -> Vec<Value> {
    let text = String::from_utf8(bucket.get(name).await.unwrap()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn entries_are_copied_in_order_and_a_batch_that_comes_again_changes_nothing() {
    let (_folder, clients) = object_store().await;
    let bucket = Bucket::new(clients.s3, "archive");
    let name = "entries/2026/03/02/100000000000000000001.ndjson";
    let failures = archive(&bucket, serde_json::from_str(INSERTED).unwrap()).await;
    assert_eq!(serde_json::to_value(failures).unwrap(), json!({"batchItemFailures": []}));
    let first = lines(&bucket, name).await;
    assert_eq!(first.iter().map(|line| line["entry"]["stage"].clone()).collect::<Vec<_>>(), ["attempt", "outcome"]);

    archive(&bucket, serde_json::from_str(INSERTED).unwrap()).await;
    assert_eq!(lines(&bucket, name).await, first);
}

#[tokio::test]
async fn an_entry_that_was_changed_or_removed_is_kept_as_it_was() {
    let (_folder, clients) = object_store().await;
    let bucket = Bucket::new(clients.s3, "archive");
    archive(&bucket, serde_json::from_str(TAMPERED).unwrap()).await;
    let kept = lines(&bucket, "entries/2026/03/02/100000000000000000003.ndjson").await;
    assert_eq!((&kept[0]["change"], &kept[0]["before"]["outcome"]["result"]), (&json!("MODIFY"), &json!("shown")));
    assert_eq!((&kept[1]["change"], &kept[1]["before"]["terms"]["surname"]), (&json!("REMOVE"), &json!("Okafor")));
}

#[tokio::test]
async fn what_could_not_be_copied_comes_again() {
    let (_folder, clients) = object_store().await;
    let nowhere = Bucket::new(clients.s3, "nowhere");
    let failures = archive(&nowhere, serde_json::from_str(INSERTED).unwrap()).await;
    let again = json!({"batchItemFailures": [{"itemIdentifier": "100000000000000000001"}]});
    assert_eq!(serde_json::to_value(failures).unwrap(), again);
}
