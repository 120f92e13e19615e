//! Linkage: which records are one person. Pure: no I/O, no clock, no order of arrival.
//!
//! Data passes through the modules in the order they stand here. A record's details are *standardised*, *blocking keys*
//! find the few others worth comparing, a *comparison* says how far two agree, the *model* turns agreement into log2
//! odds, *resolve* cuts a component of linked records into people under constraints, *explain* says why in a sentence,
//! *waterfall* and *page* show why as a picture, and *link* does all of it offline for a whole council. *Quality* and
//! *reliability* say how good that was, where the truth is known; *train* learns a model from records of which it is not.
//!
//! Another service can use it alone, with `fc_model` for the words in which records are told:
//!
//! ```
//! use fc_linkage::{Model, Subject, explain, link};
//! use fc_model::{BirthDate, Details, Name, PartialDate, Phone, RecordId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let told = |service: &str, number: &str, forename: &str| -> Result<Subject, Box<dyn std::error::Error>> {
//!     let details = Details {
//!         names: vec![Name::current([forename], "O'Brien")],
//!         birth: Some(BirthDate::born(PartialDate::parse_iso("1984-03-02")?)),
//!         phones: vec![Phone::parse("0161 496 0000")?],
//!         ..Details::default()
//!     };
//!     Ok(Subject::of(RecordId::new(service.parse()?, number), &details))
//! };
//! let records = [told("council_tax", "2001", "Robert")?, told("rent", "T-17", "Bob")?, told("rent", "T-18", "Ruth")?];
//! let model = Model::shipped();
//! let linked = link(model, &records, &[]);
//! assert_eq!(linked.people, [0, 0, 1], "Bob is Robert; Ruth has his phone, and is somebody else");
//!
//! let why = explain(&model.compare(&records[0].standard, &records[1].standard));
//! assert!(why.starts_with("same surname, date of birth and phone"), "{why}");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/single_view.rs` does the same with two lists.

pub mod address;

pub mod standard;

pub mod block;

mod spelling;

pub mod compare;

pub mod calibration;

pub mod file;

mod rows;

pub mod model;

pub mod facts;

pub mod resolve;

pub mod explain;

pub mod link;

pub mod waterfall;

pub mod page;

pub mod quality;

pub mod reliability;

pub mod train;

pub use block::{birth_parts, blocking_keys, is_name_alone, may_be_one_birth, without_common_numbers};
pub use calibration::{Curve, Proof};
pub use compare::{Comparison, Field, FieldEvidence, Level};
pub use explain::explain;
pub use facts::Facts;
pub use file::{InvalidModel, ModelFile};
pub use link::{Linked, Step, Subject, link, link_all, link_step_by_step};
pub use model::{Band, Model, Weight};
pub use quality::{Kin, NeverMerged, Quality};
pub use reliability::Reliability;
pub use resolve::{Decision, Edge, Member, Possible, Refusal, Resolution, Verdict, resolve};
pub use standard::Standard;
pub use train::{Training, Untrainable, calibrate, train};
