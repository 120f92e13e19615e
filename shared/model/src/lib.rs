//! The common data model: what a person, an address, a relationship and a service's involvement are,
//! whichever system they came from. No I/O.
//!
//! Read in the order data takes shape: identifiers and dates are parsed from cells, names, addresses and
//! contacts are built from them, a [`Details`] holds what one feed says about one record, a [`Change`]
//! carries it to matching, and a [`PersonView`] is what a social worker reads.
//!
//! Every type that holds personal data redacts itself in `Debug`, so it cannot reach a log by accident.

mod redact;

pub mod identifiers;

pub mod dates;

pub mod fold;

pub mod names;

pub mod nicknames;

pub mod addresses;

pub mod places;

pub mod contacts;

pub mod record;

pub mod change;

pub mod person;

pub mod search_keys;

pub use addresses::{Address, Postcode};
pub use change::{Change, Content, Seq};
pub use contacts::{Email, Phone};
pub use dates::{BirthDate, PartialDate};
pub use identifiers::{
    CaseId, FeedId, HandleKey, InvalidIdentifier, NhsNumber, PersonId, RecordHandle, RecordId, ServiceId, SourceId,
    StaffId, Upn, Uprn,
};
pub use jiff::civil::Date;
pub use names::{Name, NameKind};
pub use person::{Dated, Days, Household, PersonView, Sourced, Summary, ViewRecord, ViewRelationship};
pub use places::{Place, may_be_this_place};
pub use record::{Contact, Details, Fact, Involvement, Protection, Relationship, Sex, Staff};
