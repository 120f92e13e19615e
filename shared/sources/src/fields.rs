//! The fields a column can mean. A definition names them; an information governance lead agrees them.

use crate::definition::FeedKind;
use serde::{Serialize, Serializer};

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal),+ $(,)?) => {
        /// What a column means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $($(#[$doc])* $field,)+
        }
        impl Field {
            /// Every field, in the order of the documentation.
            pub const ALL: &'static [Field] = &[$(Field::$field,)+];

            /// The field's name in definitions and reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Field::$field => $name,)+ }
            }
        }
    };
}

fields! {
    /// The record's id in its source. Every feed has one.
    RecordId = "record_id",
    /// A whole name in one cell.
    FullName = "full_name",
    /// First forename, or all of them.
    Forename = "forename",
    /// Further forenames.
    MiddleNames = "middle_names",
    /// Surname.
    Surname = "surname",
    /// The forename the person prefers.
    PreferredName = "preferred_name",
    /// Another forename they go by.
    KnownAs = "known_as",
    /// An earlier surname.
    FormerSurname = "former_surname",
    /// An earlier name, whole.
    FormerName = "former_name",
    /// Another name, whole.
    Alias = "alias",
    /// Whether former names and aliases must never be shown.
    NameNotToBeShown = "name_not_to_be_shown",
    /// Date of birth.
    DateOfBirth = "date_of_birth",
    /// Expected date of birth of an unborn child.
    ExpectedDate = "expected_date",
    /// Whether the person is not born yet; their date of birth is then the expected one.
    Unborn = "unborn",
    /// Date of death.
    DateOfDeath = "date_of_death",
    /// Sex or gender.
    Sex = "sex",
    /// Address, which may hold the postcode.
    Address = "address",
    /// Postcode.
    Postcode = "postcode",
    /// Property reference number.
    Uprn = "uprn",
    /// First day at the address.
    AddressFrom = "address_from",
    /// Last day at the address.
    AddressTo = "address_to",
    /// Whether the address must not be shown.
    AddressConfidential = "address_confidential",
    /// Earlier addresses, several in a cell.
    PreviousAddresses = "previous_addresses",
    /// Phone numbers of the person.
    Phone = "phone",
    /// E-mail addresses of the person.
    Email = "email",
    /// NHS number.
    NhsNumber = "nhs_number",
    /// Unique pupil number.
    Upn = "upn",
    /// Case ID in the case management system.
    CaseId = "case_id",
    /// The single unique identifier for children.
    SingleUniqueIdentifier = "single_unique_identifier",
    /// Another identifier; the mapping says of which kind. For matching alone.
    Identifier = "identifier",
    /// The kind of an identifier, where rows say it.
    IdentifierKind = "identifier_kind",
    /// The identifier, where rows say its kind.
    IdentifierValue = "identifier_value",
    /// The last day on which the identifier was the person's.
    IdentifierTo = "identifier_to",
    /// How far the person is protected: none, withheld, hidden.
    Protection = "protection",
    /// Record ids never to be linked with this one.
    NeverLink = "never_link",
    /// Staff ids of the workers the case is allocated to.
    Allocated = "allocated",
    /// The related person's record id.
    RelatedId = "related_id",
    /// Everyone with the same value is of one family, without saying how.
    FamilyId = "family_id",
    /// What the related person is to this one.
    Relationship = "relationship",
    /// First day of the relationship.
    RelationshipFrom = "relationship_from",
    /// Last day of the relationship.
    RelationshipTo = "relationship_to",
    /// Organisation, school or landlord.
    Organisation = "organisation",
    /// Lead practitioner's name.
    WorkerName = "worker_name",
    /// What they do.
    WorkerRole = "worker_role",
    /// Their phone.
    WorkerPhone = "worker_phone",
    /// Their e-mail.
    WorkerEmail = "worker_email",
    /// Their id in the staff directory.
    StaffId = "staff_id",
    /// Their team.
    Team = "team",
    /// The team's shared inbox.
    TeamInbox = "team_inbox",
    /// Start of the last involvement.
    InvolvementFrom = "involvement_from",
    /// End of the last involvement.
    InvolvementTo = "involvement_to",
    /// Most recent interaction.
    LastInteraction = "last_interaction",
    /// Status, used to work out whether the involvement is current; not kept.
    Status = "status",
    /// The day a worker left.
    Left = "left",
    /// The day the row was true in the source.
    AsOf = "as_of",
}

impl Field {
    /// The field of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// Whether the field holds a date.
    #[must_use]
    pub fn is_date(self) -> bool {
        use Field::*;
        matches!(
            self,
            DateOfBirth
                | ExpectedDate
                | DateOfDeath
                | AddressFrom
                | AddressTo
                | RelationshipFrom
                | RelationshipTo
                | IdentifierTo
                | InvolvementFrom
                | InvolvementTo
                | LastInteraction
                | Left
                | AsOf
        )
    }

    /// Whether the field protects somebody. A column that feeds one must be there, filled as before and understood, or its
    /// file is held: what is lost there would be shown.
    #[must_use]
    pub fn protects(self) -> bool {
        matches!(self, Self::Protection | Self::AddressConfidential | Self::NameNotToBeShown | Self::NeverLink)
    }

    /// Whether several columns, or several parts of a cell, are several values rather than one text.
    #[must_use]
    pub fn is_list(self) -> bool {
        use Field::*;
        matches!(
            self,
            FormerName | FormerSurname | Alias | KnownAs | Phone | Email | NeverLink | Allocated | PreviousAddresses
        )
    }

    /// Whether a feed of this kind can use the field.
    #[must_use]
    pub fn belongs_to(self, kind: FeedKind) -> bool {
        use Field::*;
        let contact = matches!(self, WorkerName | WorkerRole | WorkerPhone | WorkerEmail | Team | TeamInbox);
        let relationship = matches!(self, RelatedId | FamilyId | Relationship | RelationshipFrom | RelationshipTo);
        match (self, kind) {
            (RecordId | AsOf, _) => true,
            (Left, kind) => kind == FeedKind::Staff,
            (_, FeedKind::Staff) => contact,
            (_, FeedKind::Relationships) => relationship,
            (_, FeedKind::People) => !relationship,
            (Address | Postcode | Uprn | AddressFrom | AddressTo | AddressConfidential | PreviousAddresses, kind) => {
                kind == FeedKind::Addresses
            }
            (Phone | Email, FeedKind::Addresses) => true,
            (
                NhsNumber
                | Upn
                | CaseId
                | SingleUniqueIdentifier
                | Identifier
                | IdentifierKind
                | IdentifierValue
                | IdentifierTo
                | NeverLink
                | Protection,
                kind,
            ) => kind == FeedKind::Identifiers,
            (Organisation | StaffId | Allocated | InvolvementFrom | InvolvementTo | LastInteraction | Status, kind) => {
                kind == FeedKind::Involvements
            }
            (_, FeedKind::Involvements) => contact,
            _ => false,
        }
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
