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
    Auditor, Caller, Clock, Disclosed, PROTECTED, PersonLine, Refusal, Rules, Sight, ask_words, confidential_words,
    in_words, today,
};
use fc_model::{
    BirthDate, PartialDate, PersonId, Summary,
    search_keys::{Filed, Lookup, Means, lookups},
};
use fc_sources::{Council, Definition, Definitions, FeedKind, Journey};
use fc_store::{
    Store, StoreError,
    audit::{Act, Outcome},
    loads, people, people_reads,
};
use rank::Wanted;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::task::JoinSet;

/// People shown for one search. Fewer than are read, so that a few who must not be shown leave no gap that would tell.
pub const SHOWN: usize = 12;

/// How much one search reads. An entry is about 120 bytes, a read unit 8 KiB of them, and a summary half a unit: both
/// together stay within 30 units, whatever is typed.
#[derive(Debug, Clone, Copy)]
struct Reach {
    /// Entries, of all partitions together.
    entries: u32,
    /// Summaries.
    summaries: usize,
}

/// Who matches may nearly always be shown, so few summaries are enough.
const EVERYONE: Reach = Reach { entries: 1200, summaries: 16 };
/// An entry does not say whose caseload a child is on, so that more summaries are read, and fewer entries.
const OWN_CASELOAD: Reach = Reach { entries: 500, summaries: 40 };
/// Entries read from one partition: whoever is further down than this is not the one meant.
const MOST_ENTRIES: u32 = 700;
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
/// At most 7 queries and one batch of summaries. The calls made depend on what was typed and on whether anybody is shown,
/// never on whether somebody hidden is there.
///
/// # Errors
/// Every [`Refusal`] but `NotFound` and `PurposeNeeded`: finding nobody is an answer.
pub async fn find(search: &Search, caller: &Caller, query: &Query) -> Result<Disclosed<Results>, Refusal> {
    let council = &search.definitions.council;
    let auditor = Auditor::new(search.store.audit.clone(), search.clock);
    let act = Act::Search { terms: query.terms() };
    let rules = Rules::new(council, &caller.user, (search.clock)());
    let rules = match rules.and_then(|rules| offered(council, query).map(|()| rules)) {
        Ok(rules) => rules,
        Err(refusal) => return Err(auditor.refused(caller, act, refusal).await),
    };
    let guard = &search.store.guard;
    let (attempt, candidates, guarded) =
        tokio::join!(auditor.attempt(caller, act), candidates(search, &rules, query), guard.current());
    let (attempt, candidates, guarded) = (attempt?, candidates?, guarded?);

    let mut summaries = people_reads::summaries(&search.store.people, &candidates.best, rules.today).await?;
    summaries.iter_mut().for_each(|summary| guarded.apply(summary));
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

/// Who might be meant: the best few, those of them who were found by a name, and whether there are more whom the user may
/// see.
struct Candidates {
    best: Vec<PersonId>,
    by_name: HashSet<PersonId>,
    more: bool,
}

async fn candidates(search: &Search, rules: &Rules<'_>, query: &Query) -> Result<Candidates, StoreError> {
    let today = rules.today;
    if let Some(case) = &query.case_id {
        let pk = people::case_pk(&search.store.key, case);
        let best = people_reads::with_case_id(&search.store.people, &pk, SAME_CASE).await?;
        return Ok(Candidates { best, by_name: HashSet::new(), more: false });
    }
    let reach = if rules.is_limited_to_caseload() { OWN_CASELOAD } else { EVERYONE };
    let mut reading = JoinSet::new();
    for (lookup, limit) in shared_out(lookups(&query.surname, &query.forename, query.date_of_birth), reach.entries) {
        let (people, key) = (search.store.people.clone(), search.store.key.clone());
        reading
            .spawn(async move { (people_reads::entries(&people, &key, &lookup.pk, limit, today).await, lookup.means) });
    }
    let (mut filed, mut by_name, mut more): (Vec<Filed>, _, _) = (Vec::new(), HashSet::new(), false);
    while let Some(read) = reading.join_next().await {
        // A read that panicked or was cancelled is a failed read: never a person less.
        let (entries, means) = read.map_err(|_| StoreError::Unavailable {
            operation: "Query",
            place: search.store.people.name().to_owned(),
            reason: "the read did not end".to_owned(),
        })?;
        let entries = entries?;
        // The youngest come first, so whoever was not read is no younger than the last who was.
        more |= entries.more && entries.filed.last().is_some_and(|last| rules.may_find_born(last.birth));
        if !matches!(means, Means::Birth | Means::BirthSwapped) {
            by_name.extend(entries.filed.iter().map(|entry| entry.person.clone()));
        }
        filed.extend(entries.filed);
    }
    let mut best = rank::best(&Wanted::of(query), &filed);
    // Whom the user may not find by their age does not push out, and does not count as more than are shown, whom they may.
    // They come last instead of not at all: one who died as a child is found at the age they reached.
    let born: HashMap<_, _> = filed.iter().map(|entry| (&entry.person, entry.birth)).collect();
    let may_find = |person: &PersonId| rules.may_find_born(born.get(person).copied().flatten());
    best.sort_by_key(|person| !may_find(person));
    more |= best.iter().skip(reach.summaries).any(may_find);
    best.truncate(reach.summaries);
    // Of those who were not read nobody knows whether they are on the user's own caseload.
    Ok(Candidates { best, by_name, more: more && !rules.is_limited_to_caseload() })
}

/// How many entries to read from each partition, the youngest first: a share of them all by what it promises, so that no
/// search costs more than another however many partitions it reads.
fn shared_out(lookups: Vec<Lookup>, entries: u32) -> Vec<(Lookup, u32)> {
    let share = |lookup: &Lookup| match lookup.means {
        Means::Sound | Means::Surname => 7,
        Means::SurnameFirstLetterWrong => 5,
        Means::Birth => 3,
        Means::SurnamePart => 2,
        _ => 1,
    };
    let all: u32 = lookups.iter().map(share).sum();
    lookups
        .into_iter()
        .map(|lookup| {
            let limit = (entries * share(&lookup) / all).min(MOST_ENTRIES);
            (lookup, limit)
        })
        .collect()
}

/// What may be shown of the summaries that were read, which are authoritative for every name, date and protection.
fn show(search: &Search, rules: &Rules<'_>, query: &Query, candidates: &Candidates, summaries: &[Summary]) -> Results {
    let wanted = Wanted::of(query);
    let confidential = confidential_words(&search.definitions);
    let (cms, ask) = (&search.definitions.council.cms, ask_words(&search.definitions));
    let mut matches: Vec<_> = summaries
        .iter()
        .filter_map(|summary| match rules.found(summary) {
            Sight::Open => Some((wanted.matches(summary)?, summary.birth, summary)),
            // Neither found by a date of birth, nor placed by it.
            Sight::Withheld if query.case_id.is_some() || candidates.by_name.contains(&summary.id) => {
                Some((wanted.matches_withheld(summary)?, None, summary))
            }
            Sight::Withheld | Sight::Nothing => None,
        })
        .collect();
    matches.sort_by(|(a, a_born, one), (b, b_born, other)| {
        b.band.cmp(&a.band).then_with(|| youngest_first(*a_born, *b_born)).then_with(|| one.id.cmp(&other.id))
    });
    let more = candidates.more || matches.len() > SHOWN;
    let people: Vec<Found> = matches
        .into_iter()
        .take(SHOWN)
        .filter_map(|(matched, _, summary)| {
            let sight = rules.found(summary);
            let person = PersonLine::of(summary, sight, rules, cms, &ask)?.saying_of_confidential(&confidential);
            Some(Found { person, matched_by: matched.by })
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
fn youngest_first(one: Option<BirthDate>, other: Option<BirthDate>) -> std::cmp::Ordering {
    let born = |birth: Option<BirthDate>| birth.map(|birth| birth.date.earliest());
    born(other).cmp(&born(one))
}

/// Exactly what finding nobody means, and what was not searched. Reads when each source was last updated, which no other
/// search does.
async fn nobody_found(search: &Search, rules: &Rules<'_>, query: &Query) -> Result<String, Refusal> {
    let definitions = || search.definitions.enabled().filter(|definition| !definition.is_staff);
    let (council, ask) = (&search.definitions.council, ask_team(&search.definitions));
    if rules.is_limited_to_caseload() {
        // The same words for somebody else's child, for an adult and for nobody: which it is must not be told.
        return Ok(format!("Not found among children allocated to you. We did not search anyone else. {ask}"));
    }
    let at_some_ages: Vec<String> = definitions().filter_map(Definition::says_not_searched).collect();
    let at_some_ages = match at_some_ages.is_empty() {
        true => String::new(),
        false => format!(" We did not search {}.", at_some_ages.join("; ")),
    };
    if council.journey == Journey::ChildFirst {
        return Ok(format!(
            "Not found among children. We did not search adults, or people of unknown age who are not allocated to you.{at_some_ages} {ask}"
        ));
    }
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
        "No one found. We searched for {} in {}.{at_some_ages} Services may still know this person. Try: surname only; \
         no date of birth; another spelling; case ID. People added to {} today appear tomorrow.",
        terms_in_words(query),
        if sources.is_empty() { "no sources".to_owned() } else { sources.join(", ") },
        council.cms,
    ))
}

/// Who can look further than this user may.
fn ask_team(definitions: &Definitions) -> String {
    definitions
        .enabled()
        .find(|definition| definition.is_cms)
        .map_or_else(|| "Your manager can.".to_owned(), |cms| format!("{} can: {}.", cms.duty.team, cms.duty.phone))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_search_reads_more_entries_than_another() {
        let born = "2015-03-02".parse().ok();
        for (surname, forename, born) in [
            ("Khan", "Mohammed", None),
            ("Robertson-Pryce-Davies", "", born),
            ("Robertson-Pryce-Davies", "Katharine", born),
            ("Smith", "", None),
            ("", "", born),
        ] {
            let limits = shared_out(lookups(surname, forename, born), EVERYONE.entries);
            let most: u32 = limits.iter().map(|(_, limit)| limit).sum();
            assert!(most <= EVERYONE.entries && limits.iter().all(|(_, limit)| *limit >= 30), "{forename} {surname}");
        }
    }
}
