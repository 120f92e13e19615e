//! Who may see what, and the audit entry that comes before every answer.
//!
//! In the order a request meets it: [`User`] says who asks, [`Rules`] what of a person they may see, and [`Auditor`]
//! records it and gives out what may be shown as a [`Disclosed`], from which alone answers are made.

pub mod user;

pub mod rules;

pub mod line;

pub mod audit;

pub mod refusal;

pub use audit::{Attempt, Auditor, Caller, Clock, Disclosed, RequestId};
pub use line::{PROTECTED, PersonLine, ask_words, confidential_words, in_words, shown_name};
pub use refusal::Refusal;
pub use rules::{Age, Opening, Rules, Sight, today};
pub use user::{Role, RolesClaim, User};
