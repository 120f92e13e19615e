//! Searches under opaque ids, so that names reach no address, history or access log.

use crate::{Query, Search};
use fc_access::{Auditor, Caller, Refusal, Rules};
use fc_store::{
    audit::{Act, Terms},
    sessions::{SavedSearch, Sessions},
};
use jiff::SignedDuration;

/// How long a search may be gone back to: a working day.
const LASTS: SignedDuration = SignedDuration::from_hours(10);

/// Keeps a search and gives the id under which the same user finds it again for a working day.
///
/// # Errors
/// [`Refusal::NoRole`]; [`Refusal::Unavailable`] when it cannot be written.
pub async fn save(search: &Search, caller: &Caller, query: &Query) -> Result<String, Refusal> {
    let now = (search.clock)();
    Rules::new(&search.definitions.council, &caller.user, now)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let saved = SavedSearch { subject: caller.user.id.clone(), made: now, content: query.clone() };
    Sessions::of(&search.store).save_search(&id, &saved, LASTS).await?;
    Ok(id)
}

/// The search that this user saved under an id. Nothing is shown by it: pass it to [`crate::find`].
///
/// # Errors
/// [`Refusal::NotFound`] when it is somebody else's, has expired or never was.
pub async fn load(search: &Search, caller: &Caller, id: &str) -> Result<Query, Refusal> {
    let now = (search.clock)();
    if let Err(refusal) = Rules::new(&search.definitions.council, &caller.user, now) {
        let auditor = Auditor::new(search.store.audit.clone(), search.clock);
        return Err(auditor.refused(caller, Act::Search { terms: Terms::default() }, refusal).await);
    }
    let found = Sessions::of(&search.store).search::<Query>(id, &caller.user.id, now).await?;
    found.map(|saved| saved.content).ok_or(Refusal::NotFound)
}
