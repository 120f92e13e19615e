//! No view without an audit entry: what may be returned can only be made by recording it.

use crate::{Refusal, User};
use fc_store::{
    Table,
    audit::{Act, Entry, Outcome, Stage, Who, append},
};
use jiff::Timestamp;

/// Tells the time; tests bring their own.
pub type Clock = fn() -> Timestamp;

/// The id of a request: in the audit trail, in the log, and in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// Longest id taken from the edge.
    const LONGEST: usize = 64;

    /// An id given by the edge; a new one when it gave none that is safe in a key or a header.
    #[must_use]
    pub fn from_edge(given: Option<&str>) -> Self {
        let safe = |id: &&str| {
            (1..=Self::LONGEST).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='))
        };
        given.filter(safe).map_or_else(Self::random, |id| Self(id.to_owned()))
    }

    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A user with the request they make.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who asks.
    pub user: User,
    /// In which request.
    pub request: RequestId,
}

/// Writes the audit trail.
#[derive(Debug, Clone)]
pub struct Auditor {
    table: Table,
    clock: Clock,
}

/// An attempt that is in the audit trail. Needed to record an outcome, and used up by it.
#[derive(Debug)]
#[must_use = "an attempt without an outcome reads as a failed request"]
pub struct Attempt {
    request: String,
    user: Who,
    act: Act,
}

/// Something that the audit trail says was shown. Only [`Auditor::record`] makes one, and answers are made from nothing
/// else, so that what was not recorded cannot be returned.
#[derive(Debug)]
#[must_use]
pub struct Disclosed<T>(T);

impl<T> Disclosed<T> {
    /// What may be shown.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }

    /// A look at what may be shown.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The same in another form: the record covers it still.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Disclosed<U> {
        Disclosed(form(self.0))
    }
}

impl Auditor {
    /// An auditor that writes to the audit table.
    #[must_use]
    pub fn new(table: Table, clock: Clock) -> Self {
        Self { table, clock }
    }

    /// Records that somebody asks for something. Run it beside the reads, before any of them is disclosed.
    ///
    /// # Errors
    /// [`Refusal::NotRecorded`].
    pub async fn attempt(&self, caller: &Caller, act: Act) -> Result<Attempt, Refusal> {
        let user = Who {
            id: caller.user.id.clone(),
            name: caller.user.name.clone(),
            roles: caller.user.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        };
        let attempt = Attempt { request: caller.request.as_str().to_owned(), user, act };
        self.write(&attempt, Stage::Attempt, None).await?;
        Ok(attempt)
    }

    /// Records what came of an attempt, and only then gives out what is to be shown.
    ///
    /// # Errors
    /// [`Refusal::NotRecorded`]: the value is dropped.
    pub async fn record<T>(&self, attempt: Attempt, outcome: Outcome, value: T) -> Result<Disclosed<T>, Refusal> {
        self.write(&attempt, Stage::Outcome, Some(outcome)).await?;
        Ok(Disclosed(value))
    }

    /// Records that somebody was refused before anything was read, and gives back why. What cannot be recorded is refused
    /// for that reason.
    pub async fn refused(&self, caller: &Caller, act: Act, refusal: Refusal) -> Refusal {
        let attempt = match self.attempt(caller, act).await {
            Ok(attempt) => attempt,
            Err(not_recorded) => return not_recorded,
        };
        let outcome = Outcome { result: "refused".to_owned(), ..Outcome::default() };
        self.record(attempt, outcome, ()).await.err().unwrap_or(refusal)
    }

    async fn write(&self, attempt: &Attempt, stage: Stage, outcome: Option<Outcome>) -> Result<(), Refusal> {
        let entry = Entry {
            at: (self.clock)(),
            request: attempt.request.clone(),
            stage,
            user: attempt.user.clone(),
            act: attempt.act.clone(),
            outcome,
        };
        append(&self.table, &entry).await.map_err(Refusal::NotRecorded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_cannot_smuggle_anything_into_the_audit_trail() {
        assert_eq!(RequestId::from_edge(Some("JKJaXmPLvHcESHA=")).as_str(), "JKJaXmPLvHcESHA=");
        for bad in [None, Some(""), Some("a#b"), Some("a\nb"), Some("é")] {
            assert_eq!(RequestId::from_edge(bad).as_str().len(), 36, "{bad:?}");
        }
    }
}
