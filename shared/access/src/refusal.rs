//! Why a request was not answered, in words for the person who asked.

use fc_store::StoreError;

/// Why nothing is shown. The message is for the user; what went wrong inside is in the variant, for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The user has no role that allows this.
    #[error(
        "You do not have permission to look people up. Ask your manager to have the social worker role added to your account."
    )]
    NoRole,
    /// The council has switched this way of searching off.
    #[error("{0}")]
    NotOffered(&'static str),
    /// There is nothing here, or nothing this user may know of. Never says which.
    #[error("We cannot find that. It may have been removed, or the address may be wrong. Search again.")]
    NotFound,
    /// The question makes no sense as asked; the message says how to ask it.
    #[error("{0}")]
    Invalid(&'static str),
    /// The council asks for the child and the purpose before a person is opened.
    #[error("Say which child this is for, and the purpose, before you open this record.")]
    PurposeNeeded,
    /// The audit entry could not be written, so nothing is shown.
    #[error("We cannot record what you do at the moment, so we cannot show you anything. Try again in a few minutes.")]
    NotRecorded(#[source] StoreError),
    /// Data could not be read.
    #[error("We cannot reach the records at the moment. Try again in a few minutes.")]
    Unavailable(#[from] StoreError),
}
