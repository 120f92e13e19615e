//! Source definitions: how each source system writes what it knows, and what of that was agreed to be shared.
//!
//! Adding a service is a TOML file, not code. Read in the order things happen: a [`Definition`] is read and every
//! mistake in it told at once ([`Problem`]); its [`Feed`] opens an extract ([`Feed::reader`]), which finds out the
//! encoding and delimiter, reads the header, and turns each row into records ([`Row`]); what stands on more people than
//! can share it is taken out ([`common`]); a [`Report`] counts what
//! happened and how good the data is; [`Words`] says on the page what was checked and what "nothing" means.
//!
//! Only fields that are both mapped and agreed leave this crate. No I/O but [`Definitions::load_dir`] and [`Definitions::from_environment`].

mod problem;
mod section;

pub mod fields;

pub mod identity;

pub mod dates;

pub mod definition;

pub mod council;

pub mod words;

mod cells;
mod dummies;
mod encoding;
mod names;
mod packed;
mod places;
mod records;
mod workbook;

pub mod extract;

pub mod mend;

mod convert;

mod assemble;

pub mod common;

pub mod report;

pub use common::Common;
pub use council::{Council, Journey};
pub use definition::{
    AgeAnswer, AgeUnknown, Ages, AsOf, Coverage, Current, Definition, Definitions, Duty, FactDefinition, Feed,
    FeedKind, Freshness, Mode,
};
pub use extract::{CellProblem, Entry, FileError, Reader, Reason, Row, Skip};
pub use fields::Field;
pub use identity::{Identities, Identity};
pub use mend::Mend;
pub use packed::Packed;
pub use problem::{Problem, Unusable};
pub use report::Report;
pub use words::Words;
