//! Copies the audit trail to a bucket where nothing can be changed, as it is written.
//!
//! DynamoDB hands over every change of the audit table. [`archive`] writes a batch as lines of JSON under the day and
//! the place in the stream ([`object_name`]), and says which changes could not be written, so that they come again. The
//! trail is only ever added to: a change or a removal of an entry is written too, with what was there before, and raises
//! an alarm.

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use fc_store::Bucket;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The words of the alarm's log line; the alarm's filter looks for them.
pub const ALARM: &str = "audit entry changed or removed";

/// What was not archived: DynamoDB hands it over again, from the first of these on.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    /// Changes by their place in the stream.
    pub batch_item_failures: Vec<Failure>,
}

/// A change that was not archived.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its sequence number.
    pub item_identifier: String,
}

/// Archives the changes of a batch, and says which could not be.
pub async fn archive(bucket: &Bucket, event: Event) -> Failures {
    let mut failures = Failures::default();
    for (day, changes) in by_day(event.records) {
        for change in changes.iter().filter(|change| change.event_name != "INSERT") {
            // Nobody has the permission to do this, so somebody who has every permission did.
            tracing::error!(operation = change.event_name, message_id = sequence(change), "{ALARM}");
        }
        let Some(first) = changes.first() else { continue };
        let name = object_name(&day, sequence(first));
        let lines: String = changes.iter().map(|change| format!("{}\n", line(change))).collect();
        let count = changes.len();
        match bucket.put(&name, "application/x-ndjson", lines.into_bytes()).await {
            Ok(()) => tracing::info!(count, "audit entries archived"),
            Err(error) => {
                tracing::error!(count, %error, "audit entries could not be archived and will come again");
                failures.batch_item_failures.push(Failure { item_identifier: sequence(first).to_owned() });
            }
        }
    }
    failures
}

/// The name of an object: the day and the place in the stream of its first change. The same batch handed over again
/// writes the same name; a write-once bucket keeps both versions. No personal data.
#[must_use]
pub fn object_name(day: &str, first: &str) -> String {
    format!("entries/{day}/{first}.ndjson")
}

/// The changes of each day, in the order of the stream.
fn by_day(changes: Vec<EventRecord>) -> BTreeMap<String, Vec<EventRecord>> {
    let mut days: BTreeMap<String, Vec<EventRecord>> = BTreeMap::new();
    for change in changes {
        let day = change.change.approximate_creation_date_time.format("%Y/%m/%d").to_string();
        days.entry(day).or_default().push(change);
    }
    days
}

fn sequence(change: &EventRecord) -> &str {
    change.change.sequence_number.as_deref().unwrap_or(&change.event_id)
}

/// One line: the entry itself where it can be read, and the item as it is where it cannot, so that nothing is lost.
fn line(change: &EventRecord) -> Value {
    let mut line = json!({
        "sequence": sequence(change),
        "change": change.event_name,
        "at": change.change.approximate_creation_date_time.to_rfc3339(),
        "entry": entry(serde_json::to_value(&change.change.new_image).unwrap_or_default()),
    });
    if change.event_name != "INSERT" {
        line["before"] = entry(serde_json::to_value(&change.change.old_image).unwrap_or_default());
        line["key"] = serde_json::to_value(&change.change.keys).unwrap_or_default();
    }
    line
}

fn entry(image: Value) -> Value {
    let data = image.pointer("/data/S").and_then(Value::as_str);
    data.and_then(|data| serde_json::from_str(data).ok()).unwrap_or(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(name: &str) -> Vec<EventRecord> {
        let event = match name {
            "insert" => include_str!("../../../events/audit-archive-insert.json"),
            _ => include_str!("../../../events/audit-archive-tampered.json"),
        };
        serde_json::from_str::<Event>(event).unwrap().records
    }

    #[test]
    fn an_entry_is_archived_as_the_line_it_was_written_as() {
        let line = line(&batch("insert")[0]);
        assert_eq!(line["change"], "INSERT");
        assert_eq!(line["entry"]["act"], "search");
        assert_eq!(line["entry"]["user"]["id"], "amira");
    }

    #[test]
    fn a_removed_entry_is_kept_as_it_was() {
        let removed = batch("tampered").into_iter().find(|change| change.event_name == "REMOVE").unwrap();
        assert_eq!(line(&removed)["before"]["user"]["id"], "amira");
    }

    #[test]
    fn what_cannot_be_read_is_archived_as_it_is() {
        assert_eq!(entry(json!({"data": {"S": "not JSON"}})), json!({"data": {"S": "not JSON"}}));
    }

    #[test]
    fn objects_are_named_by_day_and_place_alone() {
        let days = by_day(batch("insert"));
        let names: Vec<String> = days.iter().map(|(day, changes)| object_name(day, sequence(&changes[0]))).collect();
        assert_eq!(names, ["entries/2026/03/02/100000000000000000001.ndjson"]);
        assert_eq!(days.values().map(Vec::len).sum::<usize>(), 2);
    }
}
