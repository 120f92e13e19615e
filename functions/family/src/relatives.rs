//! Who is beside a person: family as the case management system states it, then others at the same address.

use crate::{
    Family, flags,
    page::{self, Relative},
    read::Opened,
};
use fc_access::{PersonLine, Refusal, Sight, ask_words, confidential_words};
use fc_model::{PersonId, RecordHandle, Summary, person::Household};
use fc_store::{
    StoreError,
    people_reads::{self, Occupants},
};
use jiff::civil::Date;
use std::collections::BTreeSet;
use tokio::task::JoinSet;

/// Stated relationships that are resolved; the largest families on record have a third of it.
const MOST_STATED: usize = 60;
/// Households that are asked, the current and newest first: two addresses, each known by number and by postcode.
const MOST_HOUSEHOLDS: usize = 4;
/// Items read of a household: people, and what is left for 30 days of those who moved out of the records.
const MOST_OCCUPANTS: u32 = 40;
/// More people than this at one address at one time are a care home, a hostel or a shared house: not listed.
const COMMUNAL: usize = 12;

const SAME_ADDRESS: &str = "Other people recorded at this address. They may not be related and may have moved. Check \
                            before treating them as family.";
const NOBODY_ELSE: &str = "No one else is recorded at this address.";
const MANY: &str = "Many people share this address, so we do not list them.";

/// Reads, in one round, who is beside an open person.
pub(crate) async fn of(family: &Family, opened: &Opened<'_>) -> Result<page::Family, Refusal> {
    let handles: BTreeSet<RecordHandle> = opened
        .said(family, &opened.view.relationships)
        .map(|said| said.value.related.clone())
        .take(MOST_STATED)
        .collect();
    let handles: Vec<RecordHandle> = handles.into_iter().collect();
    let asked = if opened.rules.shows_housemates() { households(family, opened) } else { Vec::new() };
    let people = &family.store.people;
    let (located, occupants) = tokio::join!(
        people_reads::located(people, &handles, opened.rules.today),
        occupants(family, &asked, opened.rules.today)
    );
    let (mut located, mut occupants) = (located?, occupants?);
    for (record, found) in &mut located {
        if !found.summary.records.contains(record) {
            found.summary.records.push(record.clone());
        }
        opened.guarded.apply(&mut found.summary);
    }
    for occupant in occupants.iter_mut().flat_map(|occupants| &mut occupants.here) {
        opened.guarded.apply(&mut occupant.summary);
    }
    let confidential = confidential_words(&family.definitions);

    let line = |summary: &Summary, sight: Sight| {
        // Where somebody is kept safe is not told by where their carer or their mother lives.
        let mut summary = summary.clone();
        if let Some(address) = &mut summary.address {
            address.confidential = opened.is_confidential(address);
        }
        let (cms, ask) = (&family.definitions.council.cms, ask_words(&family.definitions));
        Some(PersonLine::of(&summary, sight, &opened.rules, cms, &ask)?.saying_of_confidential(&confidential))
    };
    let mut stated: Vec<Relative> = Vec::new();
    for said in opened.said(family, &opened.view.relationships) {
        // Somebody who must not be known of, and somebody of whom no record is here, are left out alike.
        let related = &said.value.related;
        let Some((_, found)) = located.iter().find(|(handle, _)| handle == related) else { continue };
        let sight = opened.rules.relative(&found.summary, related, &opened.view, opened.child.as_ref());
        let Some(person) = line(&found.summary, sight) else { continue };
        let relationship = &said.value.relationship;
        let twice = stated.iter().any(|known| known.person.id == person.id && known.relationship == relationship.words);
        if found.person == opened.view.id || twice {
            continue;
        }
        stated.push(Relative {
            person,
            relationship: relationship.words.clone(),
            from: relationship.from,
            to: relationship.to,
            source: flags::source_named(family, &said.source),
        });
    }
    stated.sort_by_key(|relative| relative.to.is_some());

    let (mut others, communal) = together(opened, &asked, occupants);
    others
        .retain(|other| other.id != opened.view.id && stated.iter().all(|known| known.person.id != other.id.as_str()));
    let same_address: Vec<PersonLine> = others.iter().filter_map(|other| line(other, Sight::Open)).collect();
    let cms = &family.definitions.council.cms;
    Ok(page::Family {
        stated,
        stated_words: format!(
            "Family as {cms} records it. Fathers are often missing. Not listed? Link them in {cms}; they show tomorrow."
        ),
        same_address_words: match (opened.rules.shows_housemates(), communal, same_address.is_empty()) {
            (false, ..) => String::new(),
            (true, true, true) => MANY.to_owned(),
            (true, true, false) => format!("{SAME_ADDRESS} {MANY}"),
            (true, false, false) => SAME_ADDRESS.to_owned(),
            // Nothing is said of who else is at a confidential address, not even that there is nobody.
            (true, false, true) if opened.is_kept_safe() => confidential.clone(),
            (true, false, true) => NOBODY_ELSE.to_owned(),
        },
        same_address,
        through: opened.rules.through(&opened.view, opened.child.as_ref()).map(|child| child.id.to_string()),
    })
}

/// The stays to ask about: current and newest first, never at a confidential address.
fn households(family: &Family, opened: &Opened<'_>) -> Vec<Household> {
    let confidential = opened.confidential_households(family);
    let mut stays: Vec<&Household> =
        opened.view.households.iter().filter(|stay| !confidential.contains(&stay.key)).collect();
    stays.sort_by_key(|stay| (stay.to.is_some(), std::cmp::Reverse(stay.to), std::cmp::Reverse(stay.from)));
    let mut asked: Vec<Household> = Vec::new();
    for stay in stays {
        if asked.len() < MOST_HOUSEHOLDS && asked.iter().all(|known| known.key != stay.key) {
            asked.push(stay.clone());
        }
    }
    asked
}

/// Who is in each household, in the order asked.
async fn occupants(family: &Family, asked: &[Household], today: Date) -> Result<Vec<Occupants>, StoreError> {
    let mut reading = JoinSet::new();
    for (place, stay) in asked.iter().enumerate() {
        let (people, key) = (family.store.people.clone(), stay.key.clone());
        reading.spawn(async move { (place, people_reads::household(&people, &key, MOST_OCCUPANTS, today).await) });
    }
    let mut found: Vec<Occupants> = asked.iter().map(|_| Occupants::default()).collect();
    while let Some(read) = reading.join_next().await {
        let (place, occupants) = read.map_err(|_| StoreError::Unavailable {
            operation: "Query",
            place: family.store.people.name().to_owned(),
            reason: "the read did not end".to_owned(),
        })?;
        found[place] = occupants?;
    }
    Ok(found)
}

/// The people who lived there at the same time, and whether an address was left out because many do. Whoever is protected
/// is neither listed nor counted: the list, and that there is none, would tell where they live.
fn together(opened: &Opened<'_>, asked: &[Household], occupants: Vec<Occupants>) -> (Vec<Summary>, bool) {
    let mut listed: Vec<Summary> = Vec::new();
    let mut left_out: BTreeSet<PersonId> = BTreeSet::new();
    let mut communal = false;
    for (stay, occupants) in asked.iter().zip(occupants) {
        let ours: Vec<&Household> = opened.view.households.iter().filter(|own| own.key == stay.key).collect();
        let shared = |theirs: &Household| ours.iter().any(|own| theirs.key == own.key && theirs.overlaps(own));
        let beside: Vec<Summary> = occupants
            .here
            .into_iter()
            .filter(|occupant| opened.rules.may_list_housemate(&occupant.summary) && occupant.stays.iter().any(shared))
            .map(|occupant| occupant.summary)
            .collect();
        if occupants.more || beside.len() > COMMUNAL {
            communal = true;
            left_out.extend(beside.into_iter().map(|person| person.id));
        } else {
            listed.extend(beside);
        }
    }
    // One address has two keys: whoever is left out under one is not listed under the other.
    let mut seen = BTreeSet::new();
    listed.retain(|person| !left_out.contains(&person.id) && seen.insert(person.id.clone()));
    (listed, communal)
}
