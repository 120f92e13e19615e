//! The first round: the person, the audit attempt, and how fresh each source is, all at once.

use crate::{
    Family, auditor,
    flags::{self, Freshly},
};
use fc_access::{
    Age, Attempt, Caller, Opening, PersonLine, Refusal, Rules, Sight, ask_words, confidential_words, today,
};
use fc_model::{Address, Date, Days, PersonId, PersonView, RecordHandle, SourceId, Summary, person::Sourced};
use fc_sources::{AgeAnswer, AgeUnknown, Definition, FeedKind};
use fc_store::{
    StoreError,
    audit::Act,
    guard::Guarded,
    loads::{self, FeedHealth},
    people::{self, Standing},
    people_reads,
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// Reads of one person: of the id that was asked for, and of those it was merged into one after the other.
const MOST_READS: usize = 5;

/// A person who was read, and what may be seen of them.
pub(crate) struct Opened<'a> {
    /// The head of the page.
    pub(crate) line: PersonLine,
    pub(crate) view: PersonView,
    pub(crate) sight: Sight,
    pub(crate) rules: Rules<'a>,
    pub(crate) age: Age,
    /// The child through whom the user came, when it is another person and one the user may see.
    pub(crate) child: Option<PersonView>,
    /// What is guarded: asked before anything is shown of anybody.
    pub(crate) guarded: Arc<Guarded>,
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
    let auditor = auditor(family);
    let rules = match Rules::new(council, &caller.user, now) {
        Ok(rules) => rules,
        Err(refusal) => return Err(auditor.refused(caller, act, refusal).await),
    };
    opening.check(council)?;
    let through = opening.child.as_ref().filter(|child| *child != id);
    let (attempt, (view, child), sources, guarded) = tokio::join!(
        auditor.attempt(caller, act),
        async {
            let today = rules.today;
            tokio::join!(followed(family, id, today), followed_if_any(family, through, today))
        },
        freshness(family, now),
        family.store.guard.current(),
    );
    let (attempt, view, child, sources, guarded) = (attempt?, view?, child?, sources?, guarded?);
    let reads = view.reads + child.reads;
    // A child that the user may not know of is no reason to open anybody, and the answer does not tell which it is.
    let child =
        child.view.map(|child| under(&guarded, child)).filter(|child| rules.found(&child.summary) != Sight::Nothing);
    let opened = view.view.filter(|_| through.is_none() || child.is_some()).and_then(|view| {
        let view = under(&guarded, view);
        let sight = rules.opened(&view, child.as_ref());
        let line = line(family, &view, child.as_ref(), sight, &rules)?;
        let age = Age::of(&view.summary, rules.today);
        Some(Opened { line, view, sight, rules, age, child, guarded, sources })
    });
    if opened.is_none() {
        // Whether there was nobody, or somebody who must not be known of under this id or an earlier one, is not told by
        // how much was read.
        let most = MOST_READS * if through.is_some() { 2 } else { 1 };
        for _ in reads..most {
            people_reads::view(&family.store.people, &PersonId::random(), rules.today).await?;
        }
    }
    Ok((attempt, opened))
}

/// A person who was looked for, and how many reads that took.
#[derive(Default)]
struct Followed {
    view: Option<PersonView>,
    reads: usize,
}

async fn followed_if_any(family: &Family, id: Option<&PersonId>, today: Date) -> Result<Followed, StoreError> {
    match id {
        Some(id) => followed(family, id, today).await,
        None => Ok(Followed::default()),
    }
}

/// A person's view. An id that was merged away leads to the one it became. Matching points every merged id at the last as
/// long as it remembers it; where it does not any more, there is a step for every later merger.
async fn followed(family: &Family, id: &PersonId, today: Date) -> Result<Followed, StoreError> {
    let mut at = id.clone();
    for reads in 1..=MOST_READS {
        match people_reads::view(&family.store.people, &at, today).await? {
            Standing::Here(view) => return Ok(Followed { view: Some(view), reads }),
            Standing::Gone => return Ok(Followed { view: None, reads }),
            Standing::MovedTo(survivor) => at = survivor,
        }
    }
    Ok(Followed { view: None, reads: MOST_READS })
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

/// A view under what is guarded: of its records, and of the places it names.
fn under(guarded: &Guarded, mut view: PersonView) -> PersonView {
    let records: Vec<RecordHandle> = view.records.iter().map(|record| record.handle.clone()).collect();
    for address in view.addresses.iter_mut().map(|said| &mut said.value) {
        address.confidential = address.confidential || guarded.is_withheld(address, &records);
    }
    view.summary.records = records;
    guarded.apply(&mut view.summary);
    view
}

/// The head of the page; `None` for somebody who must not be known of.
fn line(
    family: &Family,
    view: &PersonView,
    child: Option<&PersonView>,
    sight: Sight,
    rules: &Rules<'_>,
) -> Option<PersonLine> {
    let mut summary: Summary = view.summary.clone();
    if let Some(address) = &mut summary.address {
        address.confidential = is_confidential(view, child, address);
    }
    let line =
        PersonLine::of(&summary, sight, rules, &family.definitions.council.cms, &ask_words(&family.definitions))?;
    Some(line.saying_of_confidential(&confidential_words(&family.definitions)))
}

/// Whether an address is one that any source marks confidential, for the person or for the child through whom they were
/// reached: a refuge does not become public because the school has it too, nor a foster home on the carer's page.
fn is_confidential(view: &PersonView, child: Option<&PersonView>, address: &Address) -> bool {
    address.confidential || confidential(view, child).any(|hidden| hidden.may_be(address))
}

fn confidential<'v>(view: &'v PersonView, child: Option<&'v PersonView>) -> impl Iterator<Item = &'v Address> {
    let said = view.addresses.iter().chain(child.into_iter().flat_map(|child| &child.addresses));
    said.map(|said| &said.value).filter(|address| address.confidential)
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
        let is_shown = |definition: &Definition| match self.age.shows(definition.ages) {
            AgeAnswer::Shown => true,
            AgeAnswer::NotAtThisAge => false,
            AgeAnswer::AgeUnknown => self.tells_of_unknown_age(definition),
        };
        family.definitions.get(source).is_some_and(|definition| definition.enabled && is_shown(definition))
    }

    /// Whether a source tells of somebody whose age nobody knows, and has a record that matching found to be one to tell
    /// of: where only a source that must not be shown knows the age, none is.
    pub(crate) fn tells_of_unknown_age(&self, definition: &Definition) -> bool {
        let is_told = |told: Option<Days>| told.is_some_and(|days| days.hold(self.rules.today));
        self.age == Age::Unknown
            && definition.age_unknown != AgeUnknown::Hide
            && self.view.records.iter().any(|record| record.source == definition.source && is_told(record.told))
    }

    /// Whether an address is confidential, whoever lives there.
    pub(crate) fn is_confidential(&self, address: &Address) -> bool {
        is_confidential(&self.view, self.child.as_ref(), address)
    }

    /// Whether the person lives at a confidential address now.
    pub(crate) fn is_kept_safe(&self) -> bool {
        let summary = self.view.summary.address.iter();
        let all = self.view.addresses.iter().map(|said| &said.value).chain(summary);
        all.filter(|address| address.to.is_none()).any(|address| self.is_confidential(address))
    }

    /// The day something was true: as its source says, otherwise the day of the source's last update, which says it still.
    pub(crate) fn as_of<T>(&self, said: &Sourced<T>) -> Option<Date> {
        said.as_of.or_else(|| self.sources.get(&said.source)?.as_of)
    }

    /// Keyed hashes of the households at confidential addresses.
    pub(crate) fn confidential_households(&self, family: &Family) -> Vec<String> {
        let keys = confidential(&self.view, self.child.as_ref()).flat_map(Address::place_keys);
        keys.map(|key| people::household_hash(&family.store.key, &key)).collect()
    }
}
