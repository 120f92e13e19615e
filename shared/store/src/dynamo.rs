//! DynamoDB itself, one call each: [`Items`] as AWS keeps them.

use crate::{
    Guard, Item, Key, Op, Page, Query, StoreError,
    table::{Answer, Asked, Items, Write},
};
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, ConditionCheck, ConsumedCapacity, Delete, DeleteRequest, KeysAndAttributes, Put, PutRequest,
        ReturnConsumedCapacity, TransactWriteItem, WriteRequest,
    },
};
use std::{collections::HashMap, sync::Arc};

/// The version of the shape of items, in the attribute `v` of each; one without it has version 1. Whoever changes what an
/// item means raises this and reads the versions before; items of a later version are refused rather than misread.
const SCHEMA: i64 = 1;

/// A table in DynamoDB.
#[derive(Debug)]
pub(crate) struct Dynamo {
    client: Client,
    name: Arc<str>,
}

impl Items for Dynamo {
    fn get<'a>(&'a self, key: &'a Key, consistent: bool) -> Asked<'a, Answer<Option<Item>>> {
        Box::pin(async move {
            let output = self
                .client
                .get_item()
                .table_name(&*self.name)
                .set_key(Some(key_attributes(key)))
                .consistent_read(consistent)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| self.fault("GetItem", &error))?;
            let units = units(output.consumed_capacity.as_slice());
            Ok(Answer { got: output.item.map(|attributes| self.item(attributes)).transpose()?, units })
        })
    }

    fn batch_get(&self, keys: Vec<Key>, consistent: bool) -> Asked<'_, Answer<(Vec<Item>, Vec<Key>)>> {
        Box::pin(async move {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(keys.iter().map(key_attributes).collect()))
                .consistent_read(consistent)
                .build()
                .map_err(|_| self.corrupt("a batch without keys"))?;
            let output = self
                .client
                .batch_get_item()
                .request_items(&*self.name, request)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| self.fault("BatchGetItem", &error))?;
            let units = units(output.consumed_capacity());
            let found = output.responses.unwrap_or_default().into_values().flatten();
            let found = found.map(|attributes| self.item(attributes)).collect::<Result<_, _>>()?;
            let left = output.unprocessed_keys.unwrap_or_default().into_values().flat_map(|rest| rest.keys);
            let left = left.map(|mut attributes| self.key(&mut attributes)).collect::<Result<_, _>>()?;
            Ok(Answer { got: (found, left), units })
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> Asked<'a, Answer<Page>> {
        Box::pin(async move {
            let mut request = self
                .client
                .query()
                .table_name(&*self.name)
                .expression_attribute_values(":pk", AttributeValue::S(query.pk.clone()))
                .consistent_read(query.consistent)
                .scan_index_forward(!query.descending)
                .set_limit(query.limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            request = if query.prefix.is_empty() {
                request.key_condition_expression("pk = :pk")
            } else {
                request
                    .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                    .expression_attribute_values(":prefix", AttributeValue::S(query.prefix.clone()))
            };
            if let Some(after) = &query.after {
                request = request.set_exclusive_start_key(Some(key_attributes(&Key::new(&query.pk, after))));
            }
            let output = request.send().await.map_err(|error| self.fault("Query", &error))?;
            let units = units(output.consumed_capacity.as_slice());
            let next = output.last_evaluated_key.and_then(|mut key| match key.remove("sk") {
                Some(AttributeValue::S(sk)) => Some(sk),
                _ => None,
            });
            let items = output.items.unwrap_or_default();
            let items = items.into_iter().map(|item| self.item(item)).collect::<Result<_, _>>()?;
            Ok(Answer { got: Page { items, next }, units })
        })
    }

    fn put<'a>(&'a self, item: &'a Item, guard: Guard) -> Asked<'a, Answer<()>> {
        Box::pin(async move {
            let output = self
                .client
                .put_item()
                .table_name(&*self.name)
                .set_item(Some(attributes(item)))
                .set_condition_expression(expression(guard).map(Into::into))
                .set_expression_attribute_values(values(guard))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| self.fault("PutItem", &error))?;
            Ok(Answer { got: (), units: units(output.consumed_capacity.as_slice()) })
        })
    }

    fn delete<'a>(&'a self, key: &'a Key, guard: Guard) -> Asked<'a, Answer<()>> {
        Box::pin(async move {
            let output = self
                .client
                .delete_item()
                .table_name(&*self.name)
                .set_key(Some(key_attributes(key)))
                .set_condition_expression(expression(guard).map(Into::into))
                .set_expression_attribute_values(values(guard))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| self.fault("DeleteItem", &error))?;
            Ok(Answer { got: (), units: units(output.consumed_capacity.as_slice()) })
        })
    }

    fn batch_write(&self, writes: Vec<Write>) -> Asked<'_, Answer<Vec<Write>>> {
        Box::pin(async move {
            let bad = |_| self.corrupt("a write without an item");
            let mut requests = Vec::with_capacity(writes.len());
            for write in &writes {
                let request = WriteRequest::builder();
                requests.push(match write {
                    Write::Put(item) => request
                        .put_request(PutRequest::builder().set_item(Some(attributes(item))).build().map_err(bad)?)
                        .build(),
                    Write::Delete(key) => request
                        .delete_request(
                            DeleteRequest::builder().set_key(Some(key_attributes(key))).build().map_err(bad)?,
                        )
                        .build(),
                });
            }
            let output = self
                .client
                .batch_write_item()
                .request_items(&*self.name, requests)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| self.fault("BatchWriteItem", &error))?;
            let units = units(output.consumed_capacity());
            let mut left = Vec::new();
            for request in output.unprocessed_items.unwrap_or_default().into_values().flatten() {
                match (request.put_request, request.delete_request) {
                    (Some(put), _) => left.push(Write::Put(self.item(put.item)?)),
                    (None, Some(mut delete)) => left.push(Write::Delete(self.key(&mut delete.key)?)),
                    (None, None) => return Err(self.corrupt("a write without an item")),
                }
            }
            Ok(Answer { got: left, units })
        })
    }

    fn transact<'a>(&'a self, ops: &'a [Op]) -> Asked<'a, Answer<()>> {
        Box::pin(async move {
            let items = ops.iter().map(|op| self.transacted(op)).collect::<Result<Vec<_>, _>>()?;
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            match sent {
                Ok(output) => Ok(Answer { got: (), units: units(output.consumed_capacity()) }),
                Err(error) => {
                    if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                        error.as_service_error()
                        && cancelled
                            .cancellation_reasons()
                            .iter()
                            .any(|one| matches!(one.code(), Some("ConditionalCheckFailed" | "TransactionConflict")))
                    {
                        return Err(StoreError::Conflict);
                    }
                    Err(self.fault("TransactWriteItems", &error))
                }
            }
        })
    }
}

impl Dynamo {
    /// A table by name.
    pub(crate) fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.into() }
    }

    fn transacted(&self, op: &Op) -> Result<TransactWriteItem, StoreError> {
        let bad = |_| self.corrupt("a write without an item");
        let builder = TransactWriteItem::builder();
        let builder = match op {
            Op::Put(item, guard) => builder.put(
                Put::builder()
                    .table_name(&*self.name)
                    .set_item(Some(attributes(item)))
                    .set_condition_expression(expression(*guard).map(Into::into))
                    .set_expression_attribute_values(values(*guard))
                    .build()
                    .map_err(bad)?,
            ),
            Op::Delete(key, guard) => builder.delete(
                Delete::builder()
                    .table_name(&*self.name)
                    .set_key(Some(key_attributes(key)))
                    .set_condition_expression(expression(*guard).map(Into::into))
                    .set_expression_attribute_values(values(*guard))
                    .build()
                    .map_err(bad)?,
            ),
            Op::Check(key, guard) => builder.condition_check(
                ConditionCheck::builder()
                    .table_name(&*self.name)
                    .set_key(Some(key_attributes(key)))
                    .condition_expression(expression(*guard).unwrap_or("attribute_exists(pk)"))
                    .set_expression_attribute_values(values(*guard))
                    .build()
                    .map_err(bad)?,
            ),
        };
        Ok(builder.build())
    }

    fn key(&self, attributes: &mut HashMap<String, AttributeValue>) -> Result<Key, StoreError> {
        match (attributes.remove("pk"), attributes.remove("sk")) {
            (Some(AttributeValue::S(pk)), Some(AttributeValue::S(sk))) => Ok(Key { pk, sk }),
            _ => Err(self.corrupt("no key")),
        }
    }

    fn item(&self, mut attributes: HashMap<String, AttributeValue>) -> Result<Item, StoreError> {
        let key = self.key(&mut attributes)?;
        let data = match attributes.remove("data") {
            Some(AttributeValue::S(text)) => text,
            _ => String::new(),
        };
        let number = |name: &str| match attributes.get(name) {
            Some(AttributeValue::N(number)) => number.parse::<i64>().ok(),
            _ => None,
        };
        if number("v").is_some_and(|version| version > SCHEMA) {
            return Err(self.corrupt("a newer version of this tool wrote it; deploy that version again"));
        }
        let rev = number("rev").and_then(|rev| u64::try_from(rev).ok()).unwrap_or(0);
        Ok(Item { key, rev, data, expires: number("expires") })
    }

    fn corrupt(&self, reason: &'static str) -> StoreError {
        StoreError::Corrupt { place: self.name.to_string(), reason }
    }

    fn fault<E: ProvideErrorMetadata>(&self, operation: &'static str, error: &SdkError<E>) -> StoreError {
        crate::error::error_of(operation, &self.name, error)
    }
}

fn units(consumed: &[ConsumedCapacity]) -> f64 {
    consumed.iter().filter_map(ConsumedCapacity::capacity_units).sum()
}

fn expression(guard: Guard) -> Option<&'static str> {
    match guard {
        Guard::None => None,
        Guard::Absent => Some("attribute_not_exists(pk)"),
        Guard::Is(_) => Some("rev = :rev"),
        Guard::Below(_) => Some("attribute_not_exists(pk) OR rev < :rev"),
    }
}

fn values(guard: Guard) -> Option<HashMap<String, AttributeValue>> {
    match guard {
        Guard::None | Guard::Absent => None,
        Guard::Is(rev) | Guard::Below(rev) => {
            Some(HashMap::from([(":rev".to_owned(), AttributeValue::N(rev.to_string()))]))
        }
    }
}

fn key_attributes(key: &Key) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(key.pk.clone())),
        ("sk".to_owned(), AttributeValue::S(key.sk.clone())),
    ])
}

fn attributes(item: &Item) -> HashMap<String, AttributeValue> {
    let mut attributes = key_attributes(&item.key);
    attributes.insert("rev".to_owned(), AttributeValue::N(item.rev.to_string()));
    attributes.insert("v".to_owned(), AttributeValue::N(SCHEMA.to_string()));
    if !item.data.is_empty() {
        attributes.insert("data".to_owned(), AttributeValue::S(item.data.clone()));
    }
    if let Some(expires) = item.expires {
        attributes.insert("expires".to_owned(), AttributeValue::N(expires.to_string()));
    }
    attributes
}
