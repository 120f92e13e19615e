//! What a page about a person says. Words are ready to show; dates are also given as dates.

use fc_access::PersonLine;
use fc_model::Date;
use serde::Serialize;
use utoipa::ToSchema;

/// Where something was said.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct SourceShown {
    /// The source's id.
    pub source: String,
    /// Its title, such as `Housing`.
    pub title: String,
    /// Its database.
    pub database: String,
}

/// A person, as much of them as this user may see.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct PersonPage {
    /// Name, birth date, age, current address and case ID. When it says withheld, it says whom to speak to, and everything
    /// else is empty.
    pub person: PersonLine,
    /// `female`, `male` or `other`; absent when not recorded.
    pub sex: Option<String>,
    /// Former names, aliases and other spellings that may be shown.
    pub other_names: Vec<OtherName>,
    /// All known addresses across systems, newest first.
    pub addresses: Vec<AddressShown>,
    /// The newest phone number.
    pub phone: Option<ContactPoint>,
    /// Why none is shown though one is recorded; empty otherwise.
    pub phone_words: String,
    /// The newest e-mail address.
    pub email: Option<ContactPoint>,
    /// A flag for every source of every service, in the order of the definitions.
    pub services: Vec<ServiceFlag>,
    /// Family, and others at the same address.
    pub family: Family,
    /// Why the records are taken for one person.
    pub joined: Joined,
    /// "Some records are protected and never shown here."
    pub protected_words: String,
}

/// Another name of a person.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct OtherName {
    /// The name.
    pub name: String,
    /// `Former name`, `Alias`, `Preferred name` or `Also recorded as`.
    pub kind: String,
    /// Who says so.
    pub source: SourceShown,
}

/// An address.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct AddressShown {
    /// On one line; absent when it is confidential.
    pub address: Option<String>,
    /// What to show: the address, or that it is confidential and whom to ask.
    pub words: String,
    /// Whether it is confidential.
    pub confidential: bool,
    /// First day, when recorded.
    #[schema(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// Last day, when ended.
    #[schema(value_type = Option<String>, format = Date)]
    pub to: Option<Date>,
    /// Who says so.
    pub source: SourceShown,
    /// The day it was true there.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_of: Option<Date>,
}

/// A phone number or an e-mail address of the person.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct ContactPoint {
    /// For a `tel:` or `mailto:` link.
    pub value: String,
    /// For reading.
    pub words: String,
    /// Who says so.
    pub source: SourceShown,
    /// The day it was true there.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_of: Option<Date>,
}

/// What a flag says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlagState {
    /// Records found.
    Found,
    /// Records found, and the source is older than it should be.
    FoundStale,
    /// No record found.
    NoRecord,
    /// Not shown at this age, whether or not a record exists.
    NotShownAtAge,
    /// Not shown because the age is not known.
    AgeUnknown,
    /// Outside what the source covers.
    OutsideCoverage,
    /// The source is stale, failed or never loaded: we cannot say.
    CannotSay,
}

impl FlagState {
    /// As in JSON and in the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::FoundStale => "found-stale",
            Self::NoRecord => "no-record",
            Self::NotShownAtAge => "not-shown-at-age",
            Self::AgeUnknown => "age-unknown",
            Self::OutsideCoverage => "outside-coverage",
            Self::CannotSay => "cannot-say",
        }
    }

    /// Whether there is detail behind it.
    #[must_use]
    pub fn is_found(self) -> bool {
        matches!(self, Self::Found | Self::FoundStale)
    }
}

/// Whom to ring when nobody is named: always there.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct DutyShown {
    /// The team.
    pub team: String,
    /// Its number.
    pub phone: String,
    /// Its inbox.
    pub email: Option<String>,
    /// When it answers.
    pub hours: Option<String>,
}

/// The closed view of a service: whether records were found in one of its sources.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct ServiceFlag {
    /// The service's id, to open it by.
    pub service: String,
    /// The service's title.
    pub title: String,
    /// Source and database.
    pub source: SourceShown,
    /// What the flag says.
    pub state: FlagState,
    /// The same in a sentence.
    pub words: String,
    /// The day the source's information was true; absent when it was never loaded.
    #[schema(value_type = Option<String>, format = Date)]
    pub last_updated: Option<Date>,
    /// Whom to ring.
    pub duty: DutyShown,
}

/// The family alone.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct FamilyPage {
    /// Whose.
    pub person: PersonLine,
    /// Family, and others at the same address.
    pub family: Family,
    /// "Some records are protected and never shown here."
    pub protected_words: String,
}

/// People beside this one.
#[derive(Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Family {
    /// As the case management system states it, first.
    pub stated: Vec<Relative>,
    /// What a stated family leaves out.
    pub stated_words: String,
    /// Other people recorded at this address, never presented as kin.
    pub same_address: Vec<PersonLine>,
    /// What living at one address does and does not mean; why there is no list when there is none.
    pub same_address_words: String,
    /// The child to name as `child` when one of these people is opened; absent when there is none.
    pub through: Option<String>,
}

/// A stated relative.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct Relative {
    /// Who.
    pub person: PersonLine,
    /// What they are to this person, as stated: `Mother`.
    pub relationship: String,
    /// First day, when recorded.
    #[schema(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// Last day, when ended.
    #[schema(value_type = Option<String>, format = Date)]
    pub to: Option<Date>,
    /// Who says so.
    pub source: SourceShown,
}

/// Why records are taken for one person.
#[derive(Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Joined {
    /// "We think these 3 records are one person. Housing: same NHS number..."; empty when there is one record.
    pub words: String,
    /// Record by record.
    pub records: Vec<JoinedRecord>,
}

/// A record that is part of a person.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct JoinedRecord {
    /// Where it is.
    pub source: SourceShown,
    /// How sure we are: `almost certain`, `very likely`, `likely`, or empty for a record that stands alone.
    pub confidence: String,
    /// Why.
    pub explanation: String,
    /// "Check this one before relying on it."
    pub check: bool,
}

/// The detail of a service: one part for each of its sources.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct ServicePage {
    /// Whose.
    pub person: PersonLine,
    /// The service's id.
    pub service: String,
    /// Its title.
    pub title: String,
    /// What each source says.
    pub parts: Vec<ServicePart>,
    /// "Some records are protected and never shown here."
    pub protected_words: String,
}

/// What one source of a service says.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct ServicePart {
    /// The flag, with whom to ring and when it was last updated.
    pub flag: ServiceFlag,
    /// The organisation that keeps it.
    pub organisation: String,
    /// The area it covers.
    pub area: String,
    /// The period it covers: "1 January 2014 to 3 March 2026"; empty when never loaded.
    pub period_words: String,
    /// What it covers and what not, as its definition says.
    pub coverage_words: String,
    /// Why it is not said which school it is, and whom to ring about it; empty where all is shown.
    pub withheld_words: String,
    /// Involvements, the current and newest first. Empty unless the flag says found.
    pub involvements: Vec<InvolvementShown>,
}

/// One involvement.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct InvolvementShown {
    /// Organisation, school or landlord.
    pub organisation: Option<String>,
    /// Whom to ring.
    pub contact: ContactShown,
    /// Start of the last involvement.
    #[schema(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// Its end.
    #[schema(value_type = Option<String>, format = Date)]
    pub to: Option<Date>,
    /// Most recent interaction.
    #[schema(value_type = Option<String>, format = Date)]
    pub last_interaction: Option<Date>,
    /// Whether it is current, where that means something for this service.
    pub current: Option<bool>,
    /// The service's own facts, in the definition's order, each whether or not there is a record of it.
    pub facts: Vec<FactShown>,
    /// The day it was true in the source.
    #[schema(value_type = Option<String>, format = Date)]
    pub as_of: Option<Date>,
}

/// The lead practitioner, or the team when nobody is named.
#[derive(Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ContactShown {
    /// Name.
    pub name: Option<String>,
    /// What they do.
    pub role: Option<String>,
    /// Phone, for a `tel:` link.
    pub phone: Option<String>,
    /// Phone, for reading: or that the source does not record it.
    pub phone_words: String,
    /// E-mail address.
    pub email: Option<String>,
    /// E-mail, for reading: or that the source does not record it.
    pub email_words: String,
    /// Their team.
    pub team: Option<String>,
    /// The team's inbox.
    pub team_inbox: Option<String>,
    /// The day they left the council, when they have. Absent as long as it is still to come.
    #[schema(value_type = Option<String>, format = Date)]
    pub left: Option<Date>,
    /// "Dan Webb left on 3 March 2026. Ring ..."; the same with "leaves on" when the day is still to come; empty otherwise.
    pub left_words: String,
    /// Whether the staff directory filled in what the source does not say.
    pub from_staff_directory: bool,
}

/// One fact with what it covers.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct FactShown {
    /// Its title.
    pub title: String,
    /// Its value, or `No record`.
    pub value: String,
    /// When, for dated facts.
    #[schema(value_type = Option<String>, format = Date)]
    pub on: Option<Date>,
    /// What it covers: "Complaints since 2014, whether or not the person was a tenant."
    pub coverage_words: String,
}

macro_rules! redacted {
    ($($type:ident),+ $(,)?) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(redacted)"))
            }
        }
    )+};
}
redacted!(
    SourceShown,
    PersonPage,
    OtherName,
    AddressShown,
    ContactPoint,
    DutyShown,
    ServiceFlag,
    FamilyPage,
    Family,
    Relative,
    Joined,
    JoinedRecord,
    ServicePage,
    ServicePart,
    InvolvementShown,
    ContactShown,
    FactShown,
);
