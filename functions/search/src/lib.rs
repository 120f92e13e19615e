//! Finds people by name, date of birth or case ID.
//!
//! [`find`] is the one way, for the API and the page alike: it reads search entries in one parallel round beside the
//! audit attempt, ranks them ([`rank`]), reads the summaries of the best in one batch, keeps what the user may see, and
//! records whom it showed before it returns them. [`save`] and [`load`] keep a search under an opaque id, so that names
//! never reach an address.

pub mod results;

pub mod rank;

pub mod saved;

pub mod api;

pub use api::router;
pub use results::{Found, Query, Results, Typed};
pub use saved::{load, save};

use fc_access::{
    Auditor, Caller, Clock, Disclosed, PROTECTED, PersonLine, Refusal, Rules, Sight, ask_words, in_words, today,
};
use fc_model::{
    PartialDate, PersonId, Summary,
    search_keys::{Filed, Lookup, Means, lookups},
};
use fc_sources::{Council, Definitions, FeedKind};
use fc_store::{
    Store, StoreError,
    audit::{Act, Outcome},
    loads, people, people_reads,
};
use jiff::civil::Date;
use rank::Wanted;
use std::{collections::HashMap, sync::Arc};
use tokio::task::JoinSet;

/// Summaries read for one search (design.md 6).
const CANDIDATES: usize = 16;
/// People shown for one search. Fewer than are read, so that a few who must not be shown leave no gap that would tell.
pub const SHOWN: usize = 12;
/// People with one case ID: more than one is a mistake in the source, and this many is no case ID.
const SAME_CASE: u32 = 8;

/// What searching needs. Cheap to clone.
#[derive(Clone)]
pub struct Search {
    /// People, audit trail and saved searches.
    pub store: Store,
    /// The council and its sources.
    pub definitions: Arc<Definitions>,
    /// The time.
    pub clock: Clock,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Search")
    }
}

/// Finds people, and records who was shown.
///
/// At most 7 queries and one batch of [`CANDIDATES`] summaries. The calls made depend on what was typed and on whether
/// anybody is shown, never on whether somebody hidden is there.
///
/// # Errors
/// Every [`Refusal`] but `NotFound` and `PurposeNeeded`: finding nobody is an answer.
pub async fn find(search: &Search, caller: &Caller, query: &Query) -> Result<Disclosed<Results>, Refusal> {
    let rules = Rules::new(&search.definitions.council, &caller.user, (search.clock)())?;
    offered(&search.definitions.council, query)?;
    let auditor = Auditor::new(search.store.audit.clone(), search.clock);
    let attempt = auditor.attempt(caller, Act::Search { terms: query.terms() });
    let (attempt, candidates) = tokio::join!(attempt, candidates(search, query, rules.today));
    let (attempt, candidates) = (attempt?, candidates?);

    let summaries = people_reads::summaries(&search.store.people, &candidates.best, rules.today).await?;
    let mut results = show(search, &rules, query, &candidates, &summaries);
    if results.people.is_empty() {
        results.message = nobody_found(search, &rules, query).await?;
    }
    let outcome = Outcome {
        result: if results.people.is_empty() { "nothing" } else { "shown" }.to_owned(),
        people: results.people.iter().filter_map(|found| PersonId::parse(&found.person.id).ok()).collect(),
        flags: Vec::new(),
    };
    auditor.record(attempt, outcome, results).await
}

/// Refuses a way of searching that the council has switched off.
fn offered(council: &Council, query: &Query) -> Result<(), Refusal> {
    match query.case_id {
        Some(_) if !council.search_by_case_id => {
            Err(Refusal::NotOffered("Your council does not search by case ID here."))
        }
        None if !council.search_by_name => {
            Err(Refusal::NotOffered("Your council searches by case ID only. Enter one."))
        }
        _ => Ok(()),
    }
}

/// Who might be meant: the best few, and whether there are more.
struct Candidates {
    best: Vec<PersonId>,
    more: bool,
}

async fn candidates(search: &Search, query: &Query, today: Date) -> Result<Candidates, StoreError> {
    if let Some(case) = &query.case_id {
        let pk = people::case_pk(&search.store.key, case);
        let best = people_reads::with_case_id(&search.store.people, &pk, SAME_CASE).await?;
        return Ok(Candidates { best, more: false });
    }
    let mut reading = JoinSet::new();
    for lookup in lookups(&query.surname, &query.forename, query.date_of_birth) {
        let (people, key) = (search.store.people.clone(), search.store.key.clone());
        reading.spawn(async move { people_reads::entries(&people, &key, &lookup.pk, most(&lookup), today).await });
    }
    let (mut filed, mut more): (Vec<Filed>, bool) = (Vec::new(), false);
    while let Some(read) = reading.join_next().await {
        // A read that panicked or was cancelled is a failed read: never a person less.
        let entries = read.map_err(|_| StoreError::Unavailable {
            operation: "Query",
            place: search.store.people.name().to_owned(),
            reason: "the read did not end".to_owned(),
        })??;
        filed.extend(entries.filed);
        more |= entries.more;
    }
    let mut best = rank::best(&Wanted::of(query), &filed);
    more |= best.len() > CANDIDATES;
    best.truncate(CANDIDATES);
    Ok(Candidates { best, more })
}

/// Entries read from one partition. An entry is about 80 bytes and a read unit 8 KiB of them, so all together, beside 8
/// units for the summaries, stay within 30 units (design.md 8). The youngest come first.
fn most(lookup: &Lookup) -> u32 {
    match lookup.means {
        Means::Sound | Means::Surname => 700,
        Means::SurnameFirstLetterWrong => 500,
        Means::SurnamePart | Means::Birth => 200,
        _ => 100,
    }
}

/// What may be shown of the summaries that were read, which are authoritative for every name, date and protection.
fn show(search: &Search, rules: &Rules<'_>, query: &Query, candidates: &Candidates, summaries: &[Summary]) -> Results {
    let wanted = Wanted::of(query);
    let (cms, ask) = (&search.definitions.council.cms, ask_words(&search.definitions));
    let mut matches: Vec<_> = summaries
        .iter()
        .filter(|summary| rules.found(summary) != Sight::Nothing)
        .filter_map(|summary| Some((wanted.matches(summary)?, summary)))
        .collect();
    matches.sort_by(|(a, one), (b, other)| {
        b.band.cmp(&a.band).then_with(|| youngest_first(one, other)).then_with(|| one.id.cmp(&other.id))
    });
    let more = candidates.more || matches.len() > SHOWN;
    let people: Vec<Found> = matches
        .into_iter()
        .take(SHOWN)
        .filter_map(|(matched, summary)| {
            let sight = rules.found(summary);
            let person = PersonLine::of(summary, sight, rules, cms, &ask)?;
            let matched_by = matched.by.filter(|_| sight == Sight::Open);
            Some(Found { person, matched_by })
        })
        .collect();
    Results {
        straight_to: match (&query.case_id, &people[..]) {
            (Some(_), [only]) => Some(only.person.id.clone()),
            _ => None,
        },
        message: if more && !people.is_empty() {
            format!(
                "More people match than the {} shown. Add a first name, a date of birth or a year of birth.",
                people.len()
            )
        } else {
            String::new()
        },
        more,
        people,
        protected_words: PROTECTED.to_owned(),
    }
}

/// An unborn child comes before a baby, and a person of unknown birth date last.
fn youngest_first(one: &Summary, other: &Summary) -> std::cmp::Ordering {
    let born = |summary: &Summary| summary.birth.map(|birth| birth.date.earliest());
    born(other).cmp(&born(one))
}

/// Exactly what finding nobody means (product.md 11). Reads when each source was last updated, which no other search does.
async fn nobody_found(search: &Search, rules: &Rules<'_>, query: &Query) -> Result<String, Refusal> {
    let definitions = || search.definitions.enabled().filter(|definition| !definition.is_staff);
    let feeds: Vec<_> = definitions()
        .flat_map(|definition| definition.feeds.iter())
        .filter(|feed| feed.kind == FeedKind::People)
        .map(|feed| (feed.source.clone(), feed.feed.clone()))
        .collect();
    let updated: HashMap<_, _> = loads::feed_statuses(&search.store.loads, &feeds)
        .await?
        .into_iter()
        .filter_map(|status| Some((status.source, today(status.last_applied_as_of?))))
        .collect();
    let sources: Vec<String> = definitions()
        .map(|definition| match updated.get(&definition.source) {
            Some(day) => format!("{} (last updated {})", definition.title, in_words((*day).min(rules.today))),
            None => format!("{} (not loaded yet)", definition.title),
        })
        .collect();
    Ok(format!(
        "No one found. We searched for {} in {}. Services may still know this person. Try: surname only; no date of \
         birth; another spelling; case ID. People added to {} today appear tomorrow.",
        terms_in_words(query),
        if sources.is_empty() { "no sources".to_owned() } else { sources.join(", ") },
        search.definitions.council.cms,
    ))
}

fn terms_in_words(query: &Query) -> String {
    if let Some(case) = &query.case_id {
        return format!("case ID {}", case.as_str());
    }
    let name = [&query.forename, &query.surname].into_iter().filter(|part| !part.is_empty()).cloned();
    let born = query.date_of_birth.map(|date| match date.whole() {
        Some(whole) => format!("born {}", in_words(whole)),
        None => format!("born {}", born_roughly(date)),
    });
    [Some(name.collect::<Vec<_>>().join(" ")), born]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}

fn born_roughly(date: PartialDate) -> String {
    match date.month() {
        Some(month) => format!("{month:02}/{}", date.year()),
        None => date.year().to_string(),
    }
}
