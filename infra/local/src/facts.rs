//! `facts`: carries what must never be forgotten from one records table into another, before a restored table serves.
//!
//! Facts say who must never be linked with whom, and who is restricted. A table restored to an earlier moment lacks those
//! that were learnt since, and would show what must not be shown. They only grow, so of two items the one with the higher
//! version knows more. This is an operator's command: it reads the whole table, which no function may.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use aws_sdk_dynamodb::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata},
    types::{AttributeValue, KeysAndAttributes},
};
use clap::Args;
use fc_store::settings::Clients;

/// What the partition keys of facts start with.
const FACT: &str = "FACT#";

/// Keys that one BatchGetItem may ask for.
const BATCH: usize = 100;

/// `facts`: copies never-links and restrictions from one records table into another, where the other knows less.
#[derive(Debug, Args)]
pub struct Facts {
    /// The table that knows the newest facts: the stack's own, as it was before the restore.
    #[arg(long, value_name = "TABLE")]
    from: String,

    /// The table that was restored.
    #[arg(long, value_name = "TABLE")]
    to: String,

    /// Copy. Without it, only say how many would be.
    #[arg(long)]
    copy: bool,
}

/// Why facts could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// The runtime could not be made.
    #[error("Could not start: {0}")]
    Runtime(#[source] io::Error),
    /// Both tables are the same.
    #[error("--from and --to name the same table. Name the stack's table and the restored one.")]
    SameTable,
    /// A table cannot be read or written.
    #[error("{table} cannot be read or written: {reason}. What was copied stays; run it again to go on.")]
    Table {
        /// The table.
        table: String,
        /// What the service says.
        reason: String,
    },
    /// Standard output is gone.
    #[error("Could not write the answer: {0}")]
    Output(#[from] io::Error),
}

/// What came of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Items looked at.
    pub read: u64,
    /// Facts among them.
    pub facts: u64,
    /// Facts that the other table lacked, or knew less of.
    pub newer: u64,
}

impl Facts {
    /// Does it, with the AWS credentials of the environment.
    ///
    /// # Errors
    /// When a table cannot be read or written; then it can be run again.
    pub fn run(&self, out: &mut impl Write) -> Result<(), FactsError> {
        if self.from == self.to {
            return Err(FactsError::SameTable);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(FactsError::Runtime)?;
        let copied = runtime.block_on(async {
            let clients = Clients::of_operator().await;
            let shows = io::stderr().is_terminal();
            copy(&clients.dynamodb, &self.from, &self.to, self.copy, |copied| {
                if shows {
                    // Progress only: nothing is lost when nobody sees it.
                    let _ = write!(io::stderr(), "\r{} items read, {} facts", copied.read, copied.facts);
                }
            })
            .await
        })?;
        writeln!(out, "\n{} items of {} read: {} facts.", copied.read, self.from, copied.facts)?;
        if self.copy {
            writeln!(out, "{} copied into {}; the others were there already.", copied.newer, self.to)?;
        } else {
            writeln!(
                out,
                "{} would be copied into {}. Nothing was changed; add --copy to do it.",
                copied.newer, self.to
            )?;
        }
        Ok(())
    }
}

/// Copies facts that `to` lacks or knows less of; without `write`, only counts them. Costs a read of the whole of `from`.
///
/// # Errors
/// When a table cannot be read or written. Doing it again does no harm.
pub async fn copy(
    client: &Client,
    from: &str,
    to: &str,
    write: bool,
    mut progress: impl FnMut(Copied),
) -> Result<Copied, FactsError> {
    let mut copied = Copied::default();
    let mut pages = client
        .scan()
        .table_name(from)
        .consistent_read(true)
        .filter_expression("begins_with(pk, :fact)")
        .expression_attribute_values(":fact", AttributeValue::S(FACT.to_owned()))
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| fault(from, &error))?;
        copied.read += u64::try_from(page.scanned_count).unwrap_or_default();
        let facts = page.items.unwrap_or_default();
        copied.facts += facts.len() as u64;
        for some in facts.chunks(BATCH) {
            let known = versions(client, to, some).await?;
            for fact in some {
                if known.get(&key(fact)).is_some_and(|known| *known >= version(fact)) {
                    continue;
                }
                if !write || put(client, to, fact).await? {
                    copied.newer += 1;
                }
            }
        }
        progress(copied);
    }
    Ok(copied)
}

type Attributes = HashMap<String, AttributeValue>;

fn text(item: &Attributes, name: &str) -> String {
    item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

fn key(item: &Attributes) -> (String, String) {
    (text(item, "pk"), text(item, "sk"))
}

fn version(item: &Attributes) -> u64 {
    item.get("rev").and_then(|value| value.as_n().ok()).and_then(|rev| rev.parse().ok()).unwrap_or_default()
}

/// Versions of the same items in a table, of those that are there.
async fn versions(
    client: &Client,
    table: &str,
    items: &[Attributes],
) -> Result<HashMap<(String, String), u64>, FactsError> {
    let keys = items
        .iter()
        .map(|item| HashMap::from(["pk", "sk"].map(|name| (name.to_owned(), AttributeValue::S(text(item, name))))));
    let mut wanted: Vec<Attributes> = keys.collect();
    let mut found = HashMap::new();
    while !wanted.is_empty() {
        let request = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
        let request = request.map_err(|error| fault_of(table, &error.to_string()))?;
        let answer = client.batch_get_item().request_items(table, request).send().await;
        let answer = answer.map_err(|error| fault(table, &error))?;
        let items = answer.responses.unwrap_or_default().into_values().flatten();
        found.extend(items.map(|item| (key(&item), version(&item))));
        wanted = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|rest| rest.keys).collect();
    }
    Ok(found)
}

/// Puts an item unless a newer one is there by now. True if it was put.
async fn put(client: &Client, table: &str, item: &Attributes) -> Result<bool, FactsError> {
    let put = client
        .put_item()
        .table_name(table)
        .set_item(Some(item.clone()))
        .condition_expression("attribute_not_exists(pk) OR rev < :rev")
        .expression_attribute_values(":rev", AttributeValue::N(version(item).to_string()))
        .send()
        .await;
    match put {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(fault(table, &error)),
    }
}

/// The service's own words name tables and permissions, and no item.
fn fault(table: &str, error: &(impl ProvideErrorMetadata + std::error::Error)) -> FactsError {
    match (error.code(), error.message()) {
        (Some(code), message) => fault_of(table, &format!("{code} {}", message.unwrap_or_default())),
        (None, _) => fault_of(table, &DisplayErrorContext(error).to_string()),
    }
}

fn fault_of(table: &str, reason: &str) -> FactsError {
    FactsError::Table { table: table.to_owned(), reason: reason.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_key::AccessKey;
    use fc_model::RecordHandle;
    use fc_store::{Names, Table, records, schema};
    use std::collections::BTreeSet;

    fn handle(digit: &str) -> RecordHandle {
        RecordHandle::parse(&digit.repeat(32)).unwrap()
    }

    async fn stack() -> (Clients, Table, Table) {
        let key = AccessKey::random();
        let dynamodb = crate::dynamo::start(crate::listen(0).await.unwrap(), None, key.clone()).await.unwrap();
        let clients = Clients::local(&key.endpoints(&dynamodb, &dynamodb));
        for prefix in ["", "restored-"] {
            schema::create_tables(&clients, &Names::with_prefix(prefix)).await.unwrap();
        }
        let table = |name| Table::new(clients.dynamodb.clone(), name);
        let tables = (table("records"), table("restored-records"));
        (clients, tables.0, tables.1)
    }

    async fn never(table: &Table, handle: &RecordHandle) -> BTreeSet<RecordHandle> {
        records::never_links(table, [handle]).await.unwrap().remove(handle).unwrap_or_default()
    }

    #[tokio::test]
    async fn a_restored_table_learns_what_was_learnt_since_and_forgets_nothing() {
        let (clients, live, restored) = stack().await;
        let (amir, beth, carl, dana) = (handle("a"), handle("b"), handle("c"), handle("d"));
        let apart = async |table: &Table, one: &RecordHandle, other: &RecordHandle| {
            records::keep_apart(table, one, &BTreeSet::from([other.clone()])).await.unwrap();
        };
        // Known before the moment that was restored, then more was learnt of Amir, and something of Carl.
        for table in [&live, &restored] {
            apart(table, &amir, &beth).await;
            apart(table, &dana, &beth).await;
        }
        apart(&live, &amir, &carl).await;
        apart(&live, &carl, &amir).await;

        let run = async |write| copy(&clients.dynamodb, "records", "restored-records", write, |_| {}).await.unwrap();
        let expected = Copied { read: 4, facts: 4, newer: 2 };
        assert_eq!(run(false).await, expected);
        assert_eq!(never(&restored, &carl).await, BTreeSet::new(), "counting changes nothing");
        assert_eq!(run(true).await, expected);
        assert_eq!(never(&restored, &amir).await, BTreeSet::from([beth.clone(), carl.clone()]));
        assert_eq!(never(&restored, &carl).await, BTreeSet::from([amir]));
        assert_eq!(run(true).await, Copied { newer: 0, ..expected }, "the second time there is nothing to do");
        // The other way round nothing newer is overwritten.
        apart(&restored, &dana, &carl).await;
        run(true).await;
        assert_eq!(never(&restored, &dana).await, BTreeSet::from([beth, carl]));
    }

    #[tokio::test]
    async fn a_table_that_is_not_there_is_named() {
        let (clients, ..) = stack().await;
        let error = copy(&clients.dynamodb, "recrods", "restored-records", false, |_| {}).await.unwrap_err();
        assert!(error.to_string().contains("recrods cannot be read"), "{error}");
    }
}
