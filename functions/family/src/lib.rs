//! Opens a person: who they are, which services are involved, who is family, and whom to ring.
//!
//! [`open_person`], [`open_family`] and [`open_service`] go the same way. One parallel round reads the person beside the
//! audit attempt and how fresh each source is ([`read`]); the rules decide ([`fc_access::Rules`]); a second round reads
//! who is beside them ([`relatives`]) or the staff directory ([`service`]); [`page`] says it in words; and what is shown
//! is recorded before it is returned.

pub mod page;

pub mod read;

pub mod flags;

pub mod relatives;

pub mod person;

pub mod service;

pub mod api;

pub use api::router;
pub use page::{PersonPage, ServicePage};

use fc_access::{Attempt, Auditor, Caller, Clock, Disclosed, Opening, PROTECTED, PersonLine, Refusal, Sight};
use fc_model::{PersonId, ServiceId};
use fc_sources::Definitions;
use fc_store::{
    Store,
    audit::{Act, FlagSeen, Outcome},
};
use page::{FamilyPage, ServiceFlag};
use read::Opened;
use std::sync::Arc;

/// What opening people needs. Cheap to clone.
#[derive(Clone)]
pub struct Family {
    /// People, loads and the audit trail.
    pub store: Store,
    /// The council and its sources.
    pub definitions: Arc<Definitions>,
    /// The time.
    pub clock: Clock,
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Family")
    }
}

/// Opens a person, with a flag for every service and the family.
///
/// # Errors
/// [`Refusal::NotFound`] alike for an id that is none, that is unknown, or that this user may not know of.
pub async fn open_person(
    family: &Family,
    caller: &Caller,
    person: &str,
    opening: &Opening,
) -> Result<Disclosed<PersonPage>, Refusal> {
    let id = known(person)?;
    let act = Act::OpenPerson { person: id.clone(), reason: opening.reason() };
    let (attempt, opened) = read::person(family, caller, &id, opening, act).await?;
    let Some(opened) = opened else { return nothing(family, attempt).await };
    let beside = match opened.sight {
        Sight::Open => relatives::of(family, &opened).await?,
        _ => page::Family::default(),
    };
    let page = person::page(family, &opened, beside);
    let outcome = Outcome {
        result: result(&opened),
        people: people(&page.person, Some(&page.family)),
        flags: flags_seen(&page.services),
    };
    auditor(family).record(attempt, outcome, page).await
}

/// Opens a person's family alone.
///
/// # Errors
/// As [`open_person`].
pub async fn open_family(
    family: &Family,
    caller: &Caller,
    person: &str,
    opening: &Opening,
) -> Result<Disclosed<FamilyPage>, Refusal> {
    let id = known(person)?;
    let act = Act::OpenFamily { person: id.clone(), reason: opening.reason() };
    let (attempt, opened) = read::person(family, caller, &id, opening, act).await?;
    let Some(opened) = opened else { return nothing(family, attempt).await };
    let beside = match opened.sight {
        Sight::Open => relatives::of(family, &opened).await?,
        _ => page::Family::default(),
    };
    let page = FamilyPage { person: opened.line.clone(), family: beside, protected_words: PROTECTED.to_owned() };
    let outcome =
        Outcome { result: result(&opened), people: people(&page.person, Some(&page.family)), flags: Vec::new() };
    auditor(family).record(attempt, outcome, page).await
}

/// Opens the detail of a service: a separate act, recorded separately.
///
/// # Errors
/// As [`open_person`]; a service that no enabled source feeds is not found either.
pub async fn open_service(
    family: &Family,
    caller: &Caller,
    person: &str,
    service: &str,
    opening: &Opening,
) -> Result<Disclosed<ServicePage>, Refusal> {
    let id = known(person)?;
    let service = ServiceId::parse(service).map_err(|_| Refusal::NotFound)?;
    if flags::sources(&family.definitions).all(|definition| definition.service != service) {
        return Err(Refusal::NotFound);
    }
    let act = Act::OpenService { person: id.clone(), service: service.clone(), reason: opening.reason() };
    let (attempt, opened) = read::person(family, caller, &id, opening, act).await?;
    let Some(opened) = opened else { return nothing(family, attempt).await };
    let page = service::page(family, &opened, &service).await?;
    let flags: Vec<ServiceFlag> = page.parts.iter().map(|part| part.flag.clone()).collect();
    let outcome = Outcome { result: result(&opened), people: people(&page.person, None), flags: flags_seen(&flags) };
    auditor(family).record(attempt, outcome, page).await
}

/// Records that the person just opened was the wrong one.
///
/// # Errors
/// [`Refusal::NotFound`] for an id that is none; [`Refusal::NoRole`]; [`Refusal::NotRecorded`].
pub async fn wrong_person(family: &Family, caller: &Caller, person: &str) -> Result<Disclosed<()>, Refusal> {
    let person = known(person)?;
    let act = Act::WrongPerson { person };
    if let Err(refusal) = fc_access::Rules::new(&family.definitions.council, &caller.user, (family.clock)()) {
        return Err(auditor(family).refused(caller, act, refusal).await);
    }
    let attempt = auditor(family).attempt(caller, act).await?;
    auditor(family).record(attempt, Outcome { result: "done".to_owned(), ..Outcome::default() }, ()).await
}

fn known(person: &str) -> Result<PersonId, Refusal> {
    PersonId::parse(person).map_err(|_| Refusal::NotFound)
}

pub(crate) fn auditor(family: &Family) -> Auditor {
    Auditor::new(family.store.audit.clone(), family.clock)
}

/// Records that nothing was shown, and says so.
async fn nothing<T>(family: &Family, attempt: Attempt) -> Result<Disclosed<T>, Refusal> {
    let outcome = Outcome { result: "nothing".to_owned(), ..Outcome::default() };
    let _nothing = auditor(family).record(attempt, outcome, ()).await?;
    Err(Refusal::NotFound)
}

fn result(opened: &Opened<'_>) -> String {
    match opened.sight {
        Sight::Open => "shown",
        Sight::Withheld => "withheld",
        Sight::Nothing => "nothing",
    }
    .to_owned()
}

/// Everyone on the screen.
fn people(person: &PersonLine, beside: Option<&page::Family>) -> Vec<PersonId> {
    let stated = beside.iter().flat_map(|family| &family.stated).map(|relative| &relative.person);
    let others = beside.iter().flat_map(|family| &family.same_address);
    let mut people: Vec<PersonId> = Vec::new();
    for line in std::iter::once(person).chain(stated).chain(others) {
        match PersonId::parse(&line.id) {
            Ok(id) if !people.contains(&id) => people.push(id),
            _ => {}
        }
    }
    people
}

fn flags_seen(flags: &[ServiceFlag]) -> Vec<FlagSeen> {
    flags
        .iter()
        .filter_map(|flag| {
            Some(FlagSeen { service: ServiceId::parse(&flag.service).ok()?, state: flag.state.as_str().to_owned() })
        })
        .collect()
}
