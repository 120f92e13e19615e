//! Reading the people table: what searching and opening a person ask of it. Eventually consistent, and every read has a
//! known largest size.

use crate::{
    Query, StoreError, Table,
    people::{
        Located, Occupant, Standing, household_pk, is_gone, record_key, search_pk, standing, summary_key, view_key,
    },
};
use fc_model::{HandleKey, PersonId, PersonView, RecordHandle, Staff, Summary, search_keys::Filed};
use serde::de::DeserializeOwned;

/// Search entries of one partition, the youngest first.
#[derive(Debug, Default)]
pub struct Entries {
    /// Whoever is filed there.
    pub filed: Vec<Filed>,
    /// Whether there were more than were asked for.
    pub more: bool,
}

/// Search entries of a partition of [`fc_model::search_keys`], at most `limit`. IAM: `dynamodb:Query`.
///
/// # Errors
/// When the table cannot be read.
pub async fn entries(people: &Table, key: &HandleKey, partition: &str, limit: u32) -> Result<Entries, StoreError> {
    let page = people.query(&Query::of(search_pk(key, partition)).limit(limit)).await?;
    let filed = page.items.iter().filter(|item| !is_gone(item));
    let filed = filed.filter_map(|item| Filed::parse(&item.key.sk, &item.data)).collect();
    Ok(Entries { filed, more: page.next.is_some() })
}

/// Who has a case ID, at most `limit`; `pk` is [`crate::people::case_pk`]. IAM: `dynamodb:Query`.
///
/// # Errors
/// When the table cannot be read.
pub async fn with_case_id(people: &Table, pk: &str, limit: u32) -> Result<Vec<PersonId>, StoreError> {
    let page = people.query(&Query::of(pk).limit(limit)).await?;
    Ok(page.items.iter().filter(|item| !is_gone(item)).filter_map(|item| PersonId::parse(&item.key.sk).ok()).collect())
}

/// Summaries of people, in no order. Always one call for up to 99 people, none included: how many calls a request makes
/// must not tell whether somebody was there. IAM: `dynamodb:BatchGetItem`.
///
/// # Errors
/// When the table cannot be read.
pub async fn summaries(people: &Table, ids: &[PersonId]) -> Result<Vec<Summary>, StoreError> {
    let mut keys: Vec<_> = ids.iter().map(summary_key).collect();
    if keys.is_empty() {
        keys.push(summary_key(&PersonId::random()));
    }
    here(&people.batch_get(&keys, false).await?)
}

/// A person's view. IAM: `dynamodb:GetItem`.
///
/// # Errors
/// When the table cannot be read.
pub async fn view(people: &Table, id: &PersonId) -> Result<Standing<PersonView>, StoreError> {
    match people.get(&view_key(id), false).await? {
        Some(item) => standing(&item),
        None => Ok(Standing::Gone),
    }
}

/// The people that records belong to, with the record each was found by; records that belong to nobody are left out.
/// Always one call for up to 100 records, none included, as [`summaries`]. IAM: `dynamodb:BatchGetItem`.
///
/// # Errors
/// When the table cannot be read.
pub async fn located(people: &Table, records: &[RecordHandle]) -> Result<Vec<(RecordHandle, Located)>, StoreError> {
    let mut keys: Vec<_> = records.iter().map(record_key).collect();
    if keys.is_empty() {
        keys.push(summary_key(&PersonId::random()));
    }
    let items = people.batch_get(&keys, false).await?;
    let mut found = Vec::with_capacity(items.len());
    for item in &items {
        let place = keys.iter().position(|key| *key == item.key);
        let Some(record) = place.and_then(|place| records.get(place)) else { continue };
        if let Standing::Here(located) = standing(item)? {
            found.push((record.clone(), located));
        }
    }
    Ok(found)
}

/// The people of a household.
#[derive(Debug, Default)]
pub struct Occupants {
    /// Whoever lives or lived there.
    pub here: Vec<Occupant>,
    /// Whether there are more items than were asked for, be they people or what is left of them.
    pub more: bool,
}

/// Who lives or lived in a household, of at most `limit` items; `hash` is [`fc_model::person::Household::key`]. IAM:
/// `dynamodb:Query`.
///
/// # Errors
/// When the table cannot be read.
pub async fn household(people: &Table, hash: &str, limit: u32) -> Result<Occupants, StoreError> {
    let page = people.query(&Query::of(household_pk(hash)).limit(limit)).await?;
    Ok(Occupants { here: here(&page.items)?, more: page.next.is_some() })
}

/// Workers of the staff directory, in the order of `keys` ([`crate::people::staff_key`]), `None` for those not in it. One
/// call for up to 100. IAM: `dynamodb:BatchGetItem`.
///
/// # Errors
/// When the table cannot be read.
pub async fn staff(people: &Table, keys: &[crate::Key]) -> Result<Vec<Option<Staff>>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let items = people.batch_get(keys, false).await?;
    keys.iter()
        .map(|key| match items.iter().find(|item| item.key == *key).map(standing).transpose()? {
            Some(Standing::Here(staff)) => Ok(Some(staff)),
            _ => Ok(None),
        })
        .collect()
}

fn here<T: DeserializeOwned>(items: &[crate::Item]) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        if let Standing::Here(content) = standing(item)? {
            found.push(content);
        }
    }
    Ok(found)
}
