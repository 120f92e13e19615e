//! Reading the people table: what searching and opening a person ask of it. Eventually consistent, and every read has a
//! known largest size.
//!
//! Ages move and what is written does not, so some of it may be told on some days only: every read is told which day it
//! is, and gives what may be told on it.

use crate::{
    Query, StoreError, Table,
    people::{
        Located, Occupant, Standing, household_pk, is_gone, record_key, search_pk, staff_key, standing, summary_key,
        view_key,
    },
};
use fc_model::{
    Contact, HandleKey, PersonId, PersonView, RecordHandle, SourceId, Staff, StaffId, Summary, search_keys::Filed,
};
use jiff::civil::Date;
use serde::de::DeserializeOwned;

/// Pages of a household that are read at most, where tombstones fill the first.
const HOUSEHOLD_PAGES: usize = 3;

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
pub async fn entries(
    people: &Table,
    key: &HandleKey,
    partition: &str,
    limit: u32,
    today: Date,
) -> Result<Entries, StoreError> {
    let page = people.query(&Query::of(search_pk(key, partition)).limit(limit)).await?;
    let items = page.items.iter().filter(|item| !is_gone(item));
    let filed = items.flat_map(|item| Filed::on(&item.key.sk, &item.data, today)).collect();
    Ok(Entries { filed, more: page.next.is_some() })
}

/// Who has, or had until lately, a case ID, at most `limit`; `pk` is [`crate::people::case_pk`]. IAM: `dynamodb:Query`.
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
pub async fn summaries(people: &Table, ids: &[PersonId], today: Date) -> Result<Vec<Summary>, StoreError> {
    let mut keys: Vec<_> = ids.iter().map(summary_key).collect();
    if keys.is_empty() {
        keys.push(summary_key(&PersonId::random()));
    }
    let found: Vec<Summary> = here(&people.batch_get(&keys, false).await?)?;
    Ok(found.into_iter().filter_map(|summary| summary.on(today)).collect())
}

/// A person's view; gone on a day on which nothing may be told. IAM: `dynamodb:GetItem`.
///
/// # Errors
/// When the table cannot be read.
pub async fn view(people: &Table, id: &PersonId, today: Date) -> Result<Standing<PersonView>, StoreError> {
    Ok(match people.get(&view_key(id), false).await?.as_ref().map(standing::<PersonView>).transpose()? {
        Some(Standing::Here(view)) => view.on(today).map_or(Standing::Gone, Standing::Here),
        Some(elsewhere) => elsewhere,
        None => Standing::Gone,
    })
}

/// The people that records belong to, with the record each was found by; records that belong to nobody are left out.
/// Always one call for up to 100 records, none included, as [`summaries`]. IAM: `dynamodb:BatchGetItem`.
///
/// # Errors
/// When the table cannot be read.
pub async fn located(
    people: &Table,
    records: &[RecordHandle],
    today: Date,
) -> Result<Vec<(RecordHandle, Located)>, StoreError> {
    let mut keys: Vec<_> = records.iter().map(record_key).collect();
    if keys.is_empty() {
        keys.push(summary_key(&PersonId::random()));
    }
    let items = people.batch_get(&keys, false).await?;
    let mut found = Vec::with_capacity(items.len());
    for item in &items {
        let place = keys.iter().position(|key| *key == item.key);
        let Some(record) = place.and_then(|place| records.get(place)) else { continue };
        if let Standing::Here(Located { person, summary }) = standing(item)?
            && let Some(summary) = summary.on(today)
        {
            found.push((record.clone(), Located { person, summary }));
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
pub async fn household(people: &Table, hash: &str, limit: u32, today: Date) -> Result<Occupants, StoreError> {
    let (mut found, mut more): (Vec<Occupant>, bool) = (Vec::new(), false);
    let mut query = Query::of(household_pk(hash)).limit(limit);
    for _ in 0..HOUSEHOLD_PAGES {
        let page = people.query(&query).await?;
        // What is left of those who are gone must not make a hostel look like a family home.
        found.extend(here::<Occupant>(&page.items)?);
        more = page.next.is_some();
        match page.next {
            Some(next) if found.len() < limit as usize => query = query.after(next),
            _ => break,
        }
    }
    more |= found.len() > limit as usize;
    found.truncate(limit as usize);
    let told = found.into_iter().filter_map(|Occupant { summary, mut stays }| {
        stays.extend(summary.dated_households(today).filter(|stay| stay.key == hash).cloned());
        let summary = summary.on(today)?;
        (!stays.is_empty()).then_some(Occupant { summary, stays })
    });
    Ok(Occupants { here: told.collect(), more })
}

/// What sources say of workers, in the order of `ids`, `None` for those in none. Of each worker the first of `sources`
/// counts, and the others fill in what it leaves empty. One call for up to 100 pairs of worker and source. IAM:
/// `dynamodb:BatchGetItem`.
///
/// # Errors
/// When the table cannot be read.
pub async fn staff(
    people: &Table,
    key: &HandleKey,
    ids: &[StaffId],
    sources: &[SourceId],
) -> Result<Vec<Option<Staff>>, StoreError> {
    let keys_of = |id: &StaffId| sources.iter().map(|source| staff_key(key, id, source)).collect::<Vec<_>>();
    let keys: Vec<_> = ids.iter().flat_map(keys_of).collect();
    let items = if keys.is_empty() { Vec::new() } else { people.batch_get(&keys, false).await? };
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let mut known: Option<Staff> = None;
        for key in keys_of(id) {
            if let Some(Standing::Here(more)) =
                items.iter().find(|item| item.key == key).map(standing::<Staff>).transpose()?
            {
                known = Some(match known {
                    // Whether somebody has left is known to the first that lists them.
                    Some(first) => Staff { contact: filled(first.contact, more.contact), ..first },
                    None => more,
                });
            }
        }
        found.push(known);
    }
    Ok(found)
}

fn filled(first: Contact, more: Contact) -> Contact {
    Contact {
        name: first.name.or(more.name),
        role: first.role.or(more.role),
        phone: first.phone.or(more.phone),
        email: first.email.or(more.email),
        staff_id: first.staff_id.or(more.staff_id),
        team: first.team.or(more.team),
        team_inbox: first.team_inbox.or(more.team_inbox),
    }
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
