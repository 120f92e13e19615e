//! Linkage: which records are one person. Pure: no I/O, no clock, no order of arrival.
//!
//! Data passes through the modules in the order they stand here. A record's details are *standardised*, *blocking keys*
//! find the few others worth comparing, a *comparison* says how far two agree, the *model* turns agreement into log2
//! odds, *resolve* cuts a component of linked records into people under constraints, *explain* says why in a sentence,
//! and *link* does all of it offline for a whole council.

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

pub mod quality;

pub mod reliability;

pub mod train;

pub use block::blocking_keys;
pub use calibration::{Curve, Proof};
pub use compare::{Comparison, Field, FieldEvidence, Level};
pub use explain::explain;
pub use facts::Facts;
pub use file::{InvalidModel, ModelFile};
pub use link::{Linked, Step, Subject, link, link_all, link_step_by_step};
pub use model::{Band, Model, Weight};
pub use quality::{NeverMerged, Quality};
pub use reliability::Reliability;
pub use resolve::{Decision, Edge, Member, Possible, Refusal, Resolution, Verdict, resolve};
pub use standard::Standard;
pub use train::{Training, Untrainable, calibrate, train};
