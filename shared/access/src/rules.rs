//! What of a person a user may see. Deny by default: whatever no rule allows is not there.

use crate::{Refusal, User};
use fc_model::{PartialDate, PersonView, Protection, RecordHandle, Summary};
use fc_sources::{AgeAnswer, Ages, Council, Journey};
use fc_store::audit::Reason;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::sync::LazyLock;

/// The age from which someone is no longer a child (Children Act 1989 section 105).
const ADULT: u16 = 18;

/// Clock time in the United Kingdom, so that a birthday begins at midnight there. Written out because a function's
/// image has no time zone files; the rule is that of the Summer Time Order 2002.
static UK: LazyLock<TimeZone> = LazyLock::new(|| TimeZone::posix("GMT0BST,M3.5.0/1,M10.5.0").unwrap_or(TimeZone::UTC));

/// The day it is in the United Kingdom.
#[must_use]
pub fn today(now: Timestamp) -> Date {
    UK.to_datetime(now).date()
}

/// What is known of somebody's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Nothing.
    Unknown,
    /// Not yet born.
    Unborn,
    /// In whole years, from and to; the same when the birth date is whole. At death for those who died.
    Years(u16, u16),
}

impl Age {
    /// The age of a person today.
    #[must_use]
    pub fn of(summary: &Summary, today: Date) -> Self {
        let Some(birth) = summary.birth else { return Self::Unknown };
        if birth.expected {
            return Self::Unborn;
        }
        Self::of_born(birth.date, summary.death.map_or(today, |death| death.min(today)))
    }

    /// The age on a day of somebody born then.
    fn of_born(date: PartialDate, on: Date) -> Self {
        let earliest = date.earliest();
        let latest = match (date.month(), date.day()) {
            (Some(_), Some(_)) => earliest,
            (Some(_), None) => earliest.last_of_month(),
            _ => earliest.last_of_year(),
        };
        let years = |born: Date| fc_model::BirthDate::born(born).age_on(on);
        match (years(latest.min(on)), years(earliest)) {
            (Some(youngest), Some(oldest)) => Self::Years(youngest, oldest),
            _ => Self::Unknown,
        }
    }

    /// In whole years, when there is one answer.
    #[must_use]
    pub fn years(self) -> Option<u16> {
        match self {
            Self::Years(youngest, oldest) if youngest == oldest => Some(youngest),
            _ => None,
        }
    }

    /// Whether this is certainly a child, born or not.
    #[must_use]
    pub fn is_child(self) -> bool {
        match self {
            Self::Unborn => true,
            Self::Years(_, oldest) => oldest < ADULT,
            Self::Unknown => false,
        }
    }

    /// Whether a service is shown at this age. An unborn child counts as of age 0; an age that could fall on either side
    /// of the limit is unknown.
    #[must_use]
    pub fn shows(self, ages: Ages) -> AgeAnswer {
        match self {
            Self::Unknown => ages.admit(None),
            Self::Unborn => ages.admit(Some(0)),
            Self::Years(youngest, oldest) => match (ages.admit(Some(youngest)), ages.admit(Some(oldest))) {
                (a, b) if a == b => a,
                _ => AgeAnswer::AgeUnknown,
            },
        }
    }
}

/// How much of a person may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Everything the other rules allow.
    Open,
    /// That they exist, and whom to ask.
    Withheld,
    /// Nothing: answers are those of "no such person".
    Nothing,
}

/// Why and through whom a person is opened.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// The child the work is about; in the child-first journey an adult is reached only through one.
    pub child: Option<fc_model::PersonId>,
    /// The purpose: `section-17`, `section-47` or `other`.
    pub purpose: Option<String>,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening(redacted)")
    }
}

impl Opening {
    /// The purposes that may be given (Children Act 1989 sections 17 and 47).
    pub const PURPOSES: [&str; 3] = ["section-17", "section-47", "other"];

    /// Checks what was given against what the council asks for.
    ///
    /// # Errors
    /// [`Refusal::PurposeNeeded`] when the council asks and it was not said; [`Refusal::Invalid`] for a purpose that is
    /// none.
    pub fn check(&self, council: &Council) -> Result<(), Refusal> {
        if self.purpose.as_deref().is_some_and(|purpose| !Self::PURPOSES.contains(&purpose)) {
            return Err(Refusal::Invalid("The purpose must be section-17, section-47 or other."));
        }
        if council.ask_purpose && (self.purpose.is_none() || self.child.is_none()) {
            return Err(Refusal::PurposeNeeded);
        }
        Ok(())
    }

    /// As the audit trail keeps it.
    #[must_use]
    pub fn reason(&self) -> Reason {
        Reason { child: self.child.clone(), purpose: self.purpose.clone() }
    }
}

/// The rules of one council on one day, for one user.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    council: &'a Council,
    user: &'a User,
    /// The day ages are counted on.
    pub today: Date,
}

impl<'a> Rules<'a> {
    /// The rules for a user; refuses one who may look nobody up.
    ///
    /// # Errors
    /// [`Refusal::NoRole`].
    pub fn new(council: &'a Council, user: &'a User, now: Timestamp) -> Result<Self, Refusal> {
        if user.may_look_people_up() { Ok(Self { council, user, today: today(now) }) } else { Err(Refusal::NoRole) }
    }

    /// Whom a search may find. In the child-first journey: children, and where the council says so only those on the
    /// user's own caseload.
    #[must_use]
    pub fn found(&self, person: &Summary) -> Sight {
        match self.council.journey {
            Journey::OpenSearch => protected(person),
            Journey::ChildFirst if self.is_own_child(person) => protected(person),
            Journey::ChildFirst => Sight::Nothing,
        }
    }

    /// Whether somebody born then could be found by this user, by the birth date alone: what a search knows before it
    /// reads who they are. A date still to come is that of an unborn child.
    #[must_use]
    pub fn may_find_born(&self, birth: Option<PartialDate>) -> bool {
        self.council.journey == Journey::OpenSearch
            || birth.is_some_and(|born| born.earliest() > self.today || Age::of_born(born, self.today).is_child())
    }

    /// Whether one's own caseload alone may be found, so that most who match may not be shown.
    #[must_use]
    pub fn is_limited_to_caseload(&self) -> bool {
        self.council.journey == Journey::ChildFirst && self.council.own_caseload_only
    }

    /// Who may be opened. In the child-first journey: whom a search may find, and whoever the case management system
    /// links to a `child` that the user may see.
    #[must_use]
    pub fn opened(&self, person: &PersonView, child: Option<&PersonView>) -> Sight {
        let found = self.found(&person.summary);
        if found != Sight::Nothing || self.council.journey == Journey::OpenSearch {
            return found;
        }
        match child {
            Some(child) if self.found(&child.summary) == Sight::Open && are_related(person, child) => {
                protected(&person.summary)
            }
            _ => Sight::Nothing,
        }
    }

    /// Who may be listed as a relative of `opened`, by the record that is stated there. In the child-first journey that is
    /// whoever a search may find, and the relatives of a child that the user may find: of `opened`, or of the `child`
    /// through whom the user came. Nobody is two steps away from a child.
    #[must_use]
    pub fn relative(
        &self,
        person: &Summary,
        stated: &RecordHandle,
        opened: &PersonView,
        child: Option<&PersonView>,
    ) -> Sight {
        let found = self.found(person);
        if found != Sight::Nothing || self.council.journey == Journey::OpenSearch {
            return found;
        }
        let is_theirs = |child: &PersonView| {
            self.found(&child.summary) == Sight::Open
                && child.relationships.iter().any(|said| said.value.related == *stated)
        };
        if is_theirs(opened) || child.is_some_and(is_theirs) { protected(person) } else { Sight::Nothing }
    }

    /// Whether somebody may be listed as living at the same address as someone who is open: nobody in the child-first
    /// journey, and nobody who is protected in any way, because the list would tell where they live.
    #[must_use]
    pub fn may_list_housemate(&self, person: &Summary) -> bool {
        self.shows_housemates() && protected(person) == Sight::Open
    }

    /// The child to name when somebody beside `opened` is opened: `opened` where that is a child the user may find,
    /// otherwise the child through whom the user came.
    #[must_use]
    pub fn through<'v>(&self, opened: &'v PersonView, child: Option<&'v PersonView>) -> Option<&'v PersonView> {
        let is_child = Age::of(&opened.summary, self.today).is_child() && self.found(&opened.summary) == Sight::Open;
        if is_child { Some(opened) } else { child }
    }

    /// Whether the case is allocated to this user.
    #[must_use]
    pub fn is_allocated(&self, person: &Summary) -> bool {
        self.user.staff_id.as_ref().is_some_and(|id| person.allocated.iter().any(|own| own.is(id)))
    }

    /// Whether people at the same address are looked for at all.
    #[must_use]
    pub fn shows_housemates(&self) -> bool {
        self.council.journey == Journey::OpenSearch
    }

    fn is_own_child(&self, person: &Summary) -> bool {
        match Age::of(person, self.today) {
            // Somebody whose age nobody knows may be an adult, but a worker's own case is theirs to find.
            Age::Unknown => self.is_allocated(person),
            age => age.is_child() && (!self.council.own_caseload_only || self.is_allocated(person)),
        }
    }
}

fn protected(person: &Summary) -> Sight {
    match person.protection {
        Protection::None => Sight::Open,
        Protection::Withheld => Sight::Withheld,
        Protection::Hidden => Sight::Nothing,
    }
}

/// Whether a source states a relationship between the two, from either side.
fn are_related(one: &PersonView, other: &PersonView) -> bool {
    let states = |from: &PersonView, to: &PersonView| {
        from.relationships.iter().any(|stated| to.records.iter().any(|record| record.handle == stated.value.related))
    };
    states(one, other) || states(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;
    use fc_model::{BirthDate, Name, PartialDate, PersonId, StaffId};
    use jiff::civil::date;

    const TODAY: Date = date(2026, 3, 2);

    fn noon() -> Timestamp {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn person(born: &str) -> Summary {
        Summary {
            id: PersonId::random(),
            name: Name::current(["Maya"], "Okafor"),
            other_names: Vec::new(),
            birth: PartialDate::parse_iso(born).ok().map(BirthDate::born),
            death: None,
            address: None,
            case_ids: Vec::new(),
            allocated: Vec::new(),
            protection: Protection::None,
            records: Vec::new(),
            dated: Vec::new(),
            only_dated: false,
        }
    }

    fn amira(staff: Option<&str>) -> User {
        User {
            id: "amira".into(),
            name: "Amira Shah".into(),
            email: None,
            staff_id: staff.and_then(|id| StaffId::parse(id).ok()),
            roles: [Role::SocialWorker].into(),
        }
    }

    fn child_first(own_caseload_only: bool) -> Council {
        Council { journey: Journey::ChildFirst, own_caseload_only, ..Council::default() }
    }

    #[test]
    fn a_birthday_begins_at_midnight_in_britain_also_in_summer() {
        assert_eq!(today("2026-06-30T23:30:00Z".parse().unwrap()), date(2026, 7, 1));
        assert_eq!(today("2026-01-31T23:30:00Z".parse().unwrap()), date(2026, 1, 31));
    }

    #[test]
    fn an_age_that_could_fall_on_either_side_of_the_limit_is_not_shown() {
        let housing = Ages { from: Some(16), to: None };
        let shows = |born: &str| Age::of(&person(born), TODAY).shows(housing);
        assert_eq!(shows("2010-03-02"), AgeAnswer::Shown, "16 today");
        assert_eq!(shows("2010-03-03"), AgeAnswer::NotAtThisAge, "16 tomorrow");
        assert_eq!(shows("2010"), AgeAnswer::AgeUnknown, "15 or 16");
        assert_eq!(shows("1990"), AgeAnswer::Shown, "35 or 36: shown either way");
        assert_eq!(shows(""), AgeAnswer::AgeUnknown);
    }

    #[test]
    fn an_unborn_child_is_a_child_and_under_every_limit() {
        let mut baby = person("2026-05-01");
        baby.birth.as_mut().unwrap().expected = true;
        let age = Age::of(&baby, TODAY);
        assert!(age.is_child());
        assert_eq!(age.shows(Ages { from: Some(4), to: Some(20) }), AgeAnswer::NotAtThisAge);
    }

    #[test]
    fn somebody_who_died_keeps_the_age_they_reached() {
        let mut ned = person("1990-01-01");
        ned.death = Some(date(2006, 1, 1));
        assert_eq!(Age::of(&ned, TODAY).years(), Some(16));
    }

    #[test]
    fn protection_hides_or_withholds_in_both_journeys() {
        for council in [Council::default(), child_first(false)] {
            let user = amira(None);
            let rules = Rules::new(&council, &user, noon()).unwrap();
            let mut maya = person("2015-01-02");
            assert_eq!(rules.found(&maya), Sight::Open);
            maya.protection = Protection::Withheld;
            assert_eq!(rules.found(&maya), Sight::Withheld);
            maya.protection = Protection::Hidden;
            assert_eq!(rules.found(&maya), Sight::Nothing);
        }
    }

    #[test]
    fn child_first_finds_children_alone_and_no_neighbours() {
        let (council, user) = (child_first(false), amira(None));
        let rules = Rules::new(&council, &user, noon()).unwrap();
        assert_eq!(rules.found(&person("2008-03-03")), Sight::Open, "17 until tomorrow");
        assert_eq!(rules.found(&person("2008-03-02")), Sight::Nothing, "18 today");
        assert_eq!(rules.found(&person("")), Sight::Nothing, "of unknown age");
        let (mut own, amira) = (person(""), amira(Some("SW7")));
        own.allocated = vec![StaffId::parse("sw7").unwrap()];
        assert_eq!(Rules::new(&council, &amira, noon()).unwrap().found(&own), Sight::Open, "of unknown age, and hers");
        assert!(!rules.may_list_housemate(&person("2015-01-02")));
        for (born, may) in [("2008-03-03", true), ("2008-03-02", false), ("2026-05-01", true), ("", false)] {
            assert_eq!(rules.may_find_born(PartialDate::parse_iso(born).ok()), may, "{born}");
        }
    }

    #[test]
    fn nobody_protected_is_listed_at_an_address() {
        let (council, user) = (Council::default(), amira(None));
        let rules = Rules::new(&council, &user, noon()).unwrap();
        let mut lena = person("1990-01-02");
        for (protection, listed) in
            [(Protection::None, true), (Protection::Withheld, false), (Protection::Hidden, false)]
        {
            lena.protection = protection;
            assert_eq!(rules.may_list_housemate(&lena), listed, "{protection:?}");
        }
    }

    #[test]
    fn own_caseload_only_means_the_allocated_worker_only() {
        let council = child_first(true);
        let mut maya = person("2015-01-02");
        maya.allocated = vec![StaffId::parse("SW7").unwrap()];
        for (staff, sight) in [
            (Some("SW7"), Sight::Open),
            (Some("sw 7"), Sight::Open),
            (Some("SW8"), Sight::Nothing),
            (None, Sight::Nothing),
        ] {
            let user = amira(staff);
            assert_eq!(Rules::new(&council, &user, noon()).unwrap().found(&maya), sight);
        }
    }

    #[test]
    fn a_user_without_a_role_gets_no_rules_at_all() {
        let user = User { roles: [Role::Steward].into(), ..amira(None) };
        assert_eq!(Rules::new(&Council::default(), &user, noon()).unwrap_err(), Refusal::NoRole);
    }

    #[test]
    fn where_the_council_asks_a_child_and_a_purpose_must_be_given() {
        let asks = Council { ask_purpose: true, ..Council::default() };
        let said = Opening { child: Some(PersonId::random()), purpose: Some("section-47".into()) };
        assert_eq!(said.check(&asks), Ok(()));
        assert_eq!(Opening::default().check(&asks), Err(Refusal::PurposeNeeded));
        assert_eq!(Opening::default().check(&Council::default()), Ok(()));
        let curious = Opening { purpose: Some("curious".into()), ..said };
        assert!(matches!(curious.check(&Council::default()), Err(Refusal::Invalid(_))));
    }
}
