//! What every HTTP answer of the product has in common.
//!
//! In the order a request meets it: [`api`] gives it an id, a log line and safe headers; [`Signed`] says who asks;
//! [`Json`] reads its body; [`Answer`] holds what the audit trail says was shown, or [`Problem`] says why nothing is.

pub mod answer;

pub mod body;

pub mod edge;

pub mod path;

pub mod problem;

pub mod signed;

pub use answer::Answer;
pub use body::Json;
pub use edge::{OriginKey, api, only_through, protect, roles_in, secured};
pub use path::Path;
pub use problem::{Problem, ProblemSent};
pub use signed::{Signed, request_id};
