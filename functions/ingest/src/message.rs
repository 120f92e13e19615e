//! What comes through the ingest queue: S3's notifications, and our own messages.

use fc_store::loads::{ToIngest, Upload};
use jiff::Timestamp;
use serde::Deserialize;

/// A message, understood.
#[derive(Debug)]
pub(crate) enum Message {
    /// Files have arrived.
    Files(Vec<Upload>),
    /// One of ours.
    Ours(ToIngest),
    /// S3 saying that the notification is set up, or telling of something that is not a new file.
    Nothing,
}

/// Why a message is not for us. It goes back to the queue and, after a few times, to the dead letters with an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOurs {
    /// Neither a notification nor one of our messages.
    #[error("the message is of no kind that ingest knows")]
    Unknown,
    /// A notification about another bucket than the extracts: a loop in the making if it were followed.
    #[error("the notification is about another bucket than the extracts")]
    OtherBucket,
    /// A notification without the file's name.
    #[error("the notification does not name its file")]
    Nameless,
}

/// What S3 sends, as far as it matters.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification {
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    records: Vec<Notice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notice {
    event_name: String,
    event_time: Timestamp,
    s3: Place,
}

#[derive(Deserialize)]
struct Place {
    bucket: BucketName,
    object: ObjectName,
}

#[derive(Deserialize)]
struct BucketName {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectName {
    key: String,
    #[serde(default)]
    version_id: Option<String>,
}

/// Reads a message body; `extracts` is the name of the bucket whose files we load.
pub(crate) fn parse(body: &str, extracts: &str) -> Result<Message, NotOurs> {
    if let Ok(ours) = serde_json::from_str::<ToIngest>(body) {
        return Ok(Message::Ours(ours));
    }
    let notification: Notification = serde_json::from_str(body).map_err(|_| NotOurs::Unknown)?;
    if notification.records.is_empty() {
        let set_up = notification.event.as_deref() == Some("s3:TestEvent");
        return if set_up { Ok(Message::Nothing) } else { Err(NotOurs::Unknown) };
    }
    let mut uploads = Vec::new();
    for notice in notification.records {
        let created = notice.event_name.trim_start_matches("s3:").starts_with("ObjectCreated:");
        if notice.s3.bucket.name != extracts {
            return Err(NotOurs::OtherBucket);
        }
        let key = decode(&notice.s3.object.key).ok_or(NotOurs::Nameless)?;
        // A key that ends in a slash is a folder made in the console.
        if !created || key.ends_with('/') {
            continue;
        }
        if key.is_empty() {
            return Err(NotOurs::Nameless);
        }
        let object = notice.s3.object;
        uploads.push(Upload { bucket: notice.s3.bucket.name, key, version: object.version_id, at: notice.event_time });
    }
    Ok(if uploads.is_empty() { Message::Nothing } else { Message::Files(uploads) })
}

/// Undoes the form encoding in which S3 writes keys. `None` when it is no text.
fn decode(key: &str) -> Option<String> {
    let mut bytes = key.bytes();
    let mut decoded = Vec::with_capacity(key.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
#[path = "../../../tests/fuzz/mutate.rs"]
mod mutate;

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(event: &str, bucket: &str, key: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventName":"{event}","eventTime":"2026-03-02T01:00:00.000Z",
                "s3":{{"bucket":{{"name":"{bucket}"}},"object":{{"key":"{key}","versionId":"v1"}}}}}}]}}"#
        )
    }

    #[test]
    fn a_new_file_is_known_by_its_decoded_key_and_version() {
        let body = notification("ObjectCreated:Put", "extracts", "housing/people/Zo%C3%AB+%26+co.csv");
        let Message::Files(files) = parse(&body, "extracts").unwrap() else { panic!("no file") };
        assert_eq!(files[0].key, "housing/people/Zoë & co.csv");
        assert_eq!(files[0].version.as_deref(), Some("v1"));
    }

    #[test]
    fn what_is_no_new_file_is_passed_over() {
        for (event, key) in [("ObjectRemoved:Delete", "housing/a.csv"), ("ObjectCreated:Put", "housing/")] {
            assert!(matches!(parse(&notification(event, "extracts", key), "extracts"), Ok(Message::Nothing)));
        }
        let set_up = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"extracts"}"#;
        assert!(matches!(parse(set_up, "extracts"), Ok(Message::Nothing)));
    }

    #[test]
    fn a_report_can_never_be_loaded() {
        let body = notification("ObjectCreated:Put", "reports", "housing/people/latest.json");
        assert_eq!(parse(&body, "extracts").unwrap_err(), NotOurs::OtherBucket);
    }

    #[test]
    fn what_nobody_understands_is_not_swallowed() {
        for body in ["", "hello", "{}", r#"{"Records":[]}"#, r#"{"finish":{"source":"Housing!"}}"#] {
            assert_eq!(parse(body, "extracts").unwrap_err(), NotOurs::Unknown);
        }
        let nameless = notification("ObjectCreated:Put", "extracts", "housing/%E9");
        assert_eq!(parse(&nameless, "extracts").unwrap_err(), NotOurs::Nameless);
    }

    #[test]
    fn no_message_makes_ingest_panic_or_look_into_another_bucket() {
        mutate::fuzz("messages", mutate::kept(&["tests/fuzz/corpus/messages"]), |input| {
            // The queue's own wrapping, as the runtime reads it, with a body made of the input.
            let text = String::from_utf8_lossy(input);
            let event = serde_json::json!({ "Records": [{ "messageId": "m1", "body": text }] });
            let event: crate::SqsEvent = serde_json::from_value(event).unwrap();
            let _ = serde_json::from_slice::<crate::SqsEvent>(input);
            let _ = serde_json::from_slice::<fc_store::loads::ToMatching>(input);
            match parse(event.records[0].body.as_deref().unwrap_or_default(), "extracts") {
                Ok(Message::Files(files)) => {
                    assert!(files.iter().all(|file| file.bucket == "extracts" && !file.key.is_empty()), "{files:?}");
                    format!("{} files", files.len())
                }
                Ok(Message::Ours(ours)) => format!("{:?}", std::mem::discriminant(&ours)),
                Ok(Message::Nothing) => "nothing".to_owned(),
                Err(error) => error.to_string(),
            }
        });
    }
}
