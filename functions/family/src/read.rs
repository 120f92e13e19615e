//! The first round: the person, the audit attempt, and how fresh each source is, all at once.

use crate::{
    Family, auditor,
    flags::{self, Freshly},
};
use fc_access::{Age, Attempt, Caller, Opening, PersonLine, Refusal, Rules, Sight, ask_words, today};
use fc_model::{Address, PersonId, PersonView, SourceId, Summary, person::Sourced};
use fc_sources::{AgeAnswer, FeedKind, Journey};
use fc_store::{
    StoreError,
    audit::Act,
    loads::{self, FeedHealth},
    people::{self, Standing},
    people_reads,
};
use jiff::{Timestamp, civil::Date};
use std::collections::BTreeMap;

/// A person who was read, and what may be seen of them.
pub(crate) struct Opened<'a> {
    /// The head of the page.
    pub(crate) line: PersonLine,
    pub(crate) view: PersonView,
    pub(crate) sight: Sight,
    pub(crate) rules: Rules<'a>,
    pub(crate) age: Age,
    /// How fresh each source is.
    pub(crate) sources: BTreeMap<SourceId, Freshly>,
}

/// Reads a person for a user. `None` when there is none, or none that this user may know of; the calls made are the same.
///
/// # Errors
/// When the user may not look people up, the council asks for a purpose and none was given, the attempt cannot be
/// recorded, or a table cannot be read.
pub(crate) async fn person<'a>(
    family: &'a Family,
    caller: &'a Caller,
    id: &PersonId,
    opening: &Opening,
    act: Act,
) -> Result<(Attempt, Option<Opened<'a>>), Refusal> {
    let council = &family.definitions.council;
    let now = (family.clock)();
    let rules = Rules::new(council, &caller.user, now)?;
    opening.check(council)?;
    // Only the child-first journey needs to see the child through whom an adult is reached.
    let through = opening.child.as_ref().filter(|child| council.journey == Journey::ChildFirst && *child != id);
    let auditor = auditor(family);
    let (attempt, view, child, sources) = tokio::join!(
        auditor.attempt(caller, act),
        followed(family, id, rules.today),
        async {
            match through {
                Some(child) => followed(family, child, rules.today).await,
                None => Ok(None),
            }
        },
        freshness(family, now),
    );
    let (attempt, view, child, sources) = (attempt?, view?, child?, sources?);
    let opened = view.and_then(|view| {
        let sight = rules.opened(&view, child.as_ref());
        let line = line(family, &view, sight, &rules)?;
        let age = Age::of(&view.summary, rules.today);
        Some(Opened { line, view, sight, rules, age, sources })
    });
    Ok((attempt, opened))
}

/// A person's view. An id that was merged away leads to the one it became, in one more step and no further: matching
/// points every merged id at the last.
async fn followed(family: &Family, id: &PersonId, today: Date) -> Result<Option<PersonView>, StoreError> {
    let people = &family.store.people;
    Ok(match people_reads::view(people, id, today).await? {
        Standing::Here(view) => Some(view),
        Standing::Gone => None,
        Standing::MovedTo(survivor) => match people_reads::view(people, &survivor, today).await? {
            Standing::Here(view) => Some(view),
            Standing::MovedTo(_) | Standing::Gone => None,
        },
    })
}

/// How fresh each source on the page is: as old as the oldest of its feeds that say who is known and what is done.
async fn freshness(family: &Family, now: Timestamp) -> Result<BTreeMap<SourceId, Freshly>, StoreError> {
    let feeds: Vec<_> = flags::sources(&family.definitions)
        .flat_map(|definition| definition.feeds.iter())
        .filter(|feed| matches!(feed.kind, FeedKind::People | FeedKind::Involvements))
        .map(|feed| (feed.source.clone(), feed.feed.clone()))
        .collect();
    let mut sources: BTreeMap<SourceId, Freshly> = BTreeMap::new();
    for status in loads::feed_statuses(&family.store.loads, &feeds).await? {
        let feed = Freshly {
            // A file may be dated in the future by mistake; nobody has tomorrow's information.
            as_of: status.last_applied_as_of.map(|at| today(at.min(now))),
            failed: matches!(status.state, FeedHealth::Failed | FeedHealth::Held),
        };
        sources
            .entry(status.source)
            .and_modify(|source| {
                source.as_of = source.as_of.zip(feed.as_of).map(|(one, other)| one.min(other));
                source.failed |= feed.failed;
            })
            .or_insert(feed);
    }
    Ok(sources)
}

/// The head of the page; `None` for somebody who must not be known of.
fn line(family: &Family, view: &PersonView, sight: Sight, rules: &Rules<'_>) -> Option<PersonLine> {
    let mut summary: Summary = view.summary.clone();
    if let Some(address) = &mut summary.address {
        address.confidential = is_confidential(view, address);
    }
    PersonLine::of(&summary, sight, rules, &family.definitions.council.cms, &ask_words(&family.definitions))
}

/// Whether an address is one that any source marks confidential: a refuge does not become public because the school has
/// it too.
fn is_confidential(view: &PersonView, address: &Address) -> bool {
    address.confidential || confidential(view).any(|hidden| hidden.may_be(address))
}

fn confidential(view: &PersonView) -> impl Iterator<Item = &Address> {
    view.addresses.iter().map(|said| &said.value).filter(|address| address.confidential)
}

impl Opened<'_> {
    /// What was said by sources that may be shown at this person's age. The others are left out everywhere, also as the
    /// origin of an address: the page must be the same whether or not they have a record.
    pub(crate) fn said<'v, T>(
        &'v self,
        family: &'v Family,
        items: &'v [Sourced<T>],
    ) -> impl Iterator<Item = &'v Sourced<T>> {
        items.iter().filter(|item| self.may_show(family, &item.source))
    }

    /// Whether a source may be shown at this person's age. One that no definition knows may not.
    pub(crate) fn may_show(&self, family: &Family, source: &SourceId) -> bool {
        family
            .definitions
            .get(source)
            .is_some_and(|definition| definition.enabled && self.age.shows(definition.ages) == AgeAnswer::Shown)
    }

    /// Whether an address is confidential.
    pub(crate) fn is_confidential(&self, address: &Address) -> bool {
        is_confidential(&self.view, address)
    }

    /// Keyed hashes of the households at confidential addresses.
    pub(crate) fn confidential_households(&self, family: &Family) -> Vec<String> {
        let keys = confidential(&self.view).flat_map(Address::place_keys);
        keys.map(|key| people::household_hash(&family.store.key, &key)).collect()
    }
}
