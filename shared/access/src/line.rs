//! What one line about a person may show: in results, at the head of a page, among relatives.

use crate::{Age, Rules, Sight};
use fc_model::{Date, Name, NameKind, PartialDate, Summary};
use fc_sources::{Definition, Definitions};
use serde::Serialize;
use utoipa::ToSchema;

/// What every page carries: whoever is not shown is not shown silently.
pub const PROTECTED: &str = "Some records are protected and never shown here.";

/// Shown in place of a name none of whose forms may be shown.
const NO_NAME: &str = "Name not shown";

/// What to say where details are withheld: whom to speak to, from the case management system's definition.
#[must_use]
pub fn ask_words(definitions: &Definitions) -> String {
    definitions.enabled().find(|definition| definition.is_cms).map_or_else(
        || "There may be information about this person that you cannot see. Speak to your manager.".to_owned(),
        Definition::says_withheld,
    )
}

/// What to say where an address is confidential: where else to look, and whom to ring.
#[must_use]
pub fn confidential_words(definitions: &Definitions) -> String {
    let cms = &definitions.council.cms;
    let ring = definitions.enabled().find(|definition| definition.is_cms).map_or_else(
        || "speak to your manager".to_owned(),
        |definition| format!("ring {} on {}", definition.duty.team, definition.duty.phone),
    );
    format!("This address is confidential and not shown. Look in {cms} or {ring}.")
}

/// A person in one line.
#[derive(Clone, PartialEq, Serialize, ToSchema)]
pub struct PersonLine {
    /// The person's id: opaque, may stand in an address.
    pub id: String,
    /// The name in use.
    pub name: String,
    /// Date of birth as far as known: `2015`, `2015-03` or `2015-03-02`. For an unborn child, the expected date.
    pub birth: Option<String>,
    /// The same in words: `2 March 2015`.
    pub birth_words: String,
    /// Whether `birth` is an expected date.
    pub unborn: bool,
    /// Age today in whole years, when there is one answer and the person is alive.
    pub age: Option<u16>,
    /// The age in words: `11 years old`, `not yet born`, `died on 3 March 2020, aged 80`.
    pub age_words: String,
    /// Date of death.
    #[schema(value_type = Option<String>, format = Date)]
    pub died: Option<Date>,
    /// Address on one line, when there is one that may be shown.
    pub address: Option<String>,
    /// What to show for the address: itself, or why it is not there.
    pub address_words: String,
    /// Whether the address is confidential.
    pub confidential: bool,
    /// Case IDs in the case management system.
    pub case_ids: Vec<String>,
    /// What to show for the case ID: itself, or "Not found in Mosaic".
    pub case_words: String,
    /// Whether details are withheld: everything but the name is then empty.
    pub withheld: bool,
    /// Why, and whom to speak to; empty when nothing is withheld.
    pub withheld_words: String,
}

impl std::fmt::Debug for PersonLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonLine(redacted)")
    }
}

impl PersonLine {
    /// The line of a person as `sight` allows it; `None` for one who must not be known of.
    /// `cms` is the case management system's name, `ask` what to say where details are withheld.
    #[must_use]
    pub fn of(summary: &Summary, sight: Sight, rules: &Rules<'_>, cms: &str, ask: &str) -> Option<Self> {
        let name = shown_name(summary).map_or_else(|| NO_NAME.to_owned(), Name::display);
        match sight {
            Sight::Nothing => None,
            Sight::Withheld => Some(Self {
                id: summary.id.to_string(),
                name,
                birth: None,
                birth_words: String::new(),
                unborn: false,
                age: None,
                age_words: String::new(),
                died: None,
                address: None,
                address_words: String::new(),
                confidential: false,
                case_ids: Vec::new(),
                case_words: String::new(),
                withheld: true,
                withheld_words: ask.to_owned(),
            }),
            Sight::Open => Some(Self::open(summary, name, rules, cms)),
        }
    }

    /// The same line, with where else to look for an address that is confidential.
    #[must_use]
    pub fn saying_of_confidential(mut self, words: &str) -> Self {
        if self.confidential {
            words.clone_into(&mut self.address_words);
        }
        self
    }

    fn open(summary: &Summary, name: String, rules: &Rules<'_>, cms: &str) -> Self {
        let age = Age::of(summary, rules.today);
        let birth = summary.birth;
        let confidential = summary.address.as_ref().is_some_and(|address| address.confidential);
        let address = summary
            .address
            .as_ref()
            .filter(|address| !address.confidential && !address.is_empty())
            .map(fc_model::Address::display)
            .filter(|line| !line.is_empty());
        let address_words = match &address {
            Some(line) => line.clone(),
            None if confidential => "Confidential address: not shown".to_owned(),
            None => "No address recorded".to_owned(),
        };
        let case_ids: Vec<String> = summary.case_ids.iter().map(|id| id.as_str().to_owned()).collect();
        Self {
            id: summary.id.to_string(),
            name,
            birth: birth.map(|birth| birth.date.to_string()),
            birth_words: match birth {
                Some(birth) if birth.expected => format!("expected {}", partial_in_words(birth.date)),
                Some(birth) => partial_in_words(birth.date),
                None => "Date of birth not recorded".to_owned(),
            },
            unborn: age == Age::Unborn,
            age: if summary.death.is_some() { None } else { age.years() },
            age_words: age_in_words(age, summary.death),
            died: summary.death,
            address,
            address_words,
            confidential,
            case_words: if case_ids.is_empty() { format!("Not found in {cms}") } else { case_ids.join(", ") },
            case_ids,
            withheld: false,
            withheld_words: String::new(),
        }
    }
}

/// The name to show: the one in use unless it must not be shown, else a preferred one, else any that may be. `None` when
/// no name may be shown.
#[must_use]
pub fn shown_name(summary: &Summary) -> Option<&Name> {
    let shown = |name: &&Name| !name.not_to_be_shown && !name.is_empty();
    let preferred = || summary.other_names.iter().filter(shown).find(|name| name.kind == NameKind::Preferred);
    Some(&summary.name).filter(shown).or_else(preferred).or_else(|| summary.other_names.iter().find(shown))
}

fn age_in_words(age: Age, death: Option<Date>) -> String {
    let years = match age {
        Age::Years(0, 0) => "under 1 year old".to_owned(),
        Age::Years(1, 1) => "1 year old".to_owned(),
        Age::Years(youngest, oldest) if youngest == oldest => format!("{youngest} years old"),
        Age::Years(youngest, oldest) => format!("{youngest} or {oldest} years old"),
        Age::Unborn => "not yet born".to_owned(),
        Age::Unknown => "age not known".to_owned(),
    };
    match (death, age) {
        (None, _) => years,
        (Some(day), Age::Years(youngest, oldest)) if youngest == oldest => {
            format!("died on {}, aged {youngest}", in_words(day))
        }
        (Some(day), _) => format!("died on {}", in_words(day)),
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn month(number: i8) -> &'static str {
    usize::try_from(number - 1).ok().and_then(|place| MONTHS.get(place)).copied().unwrap_or_default()
}

/// A date as people read it: `2 March 2015`.
#[must_use]
pub fn in_words(date: Date) -> String {
    format!("{} {} {}", date.day(), month(date.month()), date.year())
}

fn partial_in_words(date: PartialDate) -> String {
    match (date.month(), date.day()) {
        (Some(m), Some(day)) => format!("{day} {} {}", month(m), date.year()),
        (Some(m), None) => format!("{} {}", month(m), date.year()),
        _ => date.year().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, User};
    use fc_model::{Address, BirthDate, PersonId, Protection};
    use fc_sources::Council;
    use jiff::civil::date;

    fn maya() -> Summary {
        Summary {
            id: PersonId::random(),
            name: Name::current(["MAYA"], "OKAFOR"),
            other_names: Vec::new(),
            birth: Some(BirthDate::born(date(2015, 3, 2))),
            death: None,
            address: Some(Address { lines: vec!["4 Mill Lane".into()], ..Address::default() }),
            case_ids: Vec::new(),
            allocated: Vec::new(),
            protection: Protection::None,
            records: Vec::new(),
            dated: Vec::new(),
            only_dated: false,
        }
    }

    fn line(summary: &Summary, sight: Sight) -> Option<PersonLine> {
        let council = Council::default();
        let user =
            User { id: "a".into(), name: "A".into(), email: None, staff_id: None, roles: [Role::SocialWorker].into() };
        let rules = Rules::new(&council, &user, "2026-03-02T12:00:00Z".parse().unwrap()).unwrap();
        PersonLine::of(summary, sight, &rules, "Mosaic", "Speak to the duty team.")
    }

    #[test]
    fn a_line_says_what_people_choose_by() {
        let line = line(&maya(), Sight::Open).unwrap();
        assert_eq!((line.name.as_str(), line.birth_words.as_str()), ("Maya Okafor", "2 March 2015"));
        assert_eq!((line.age, line.age_words.as_str()), (Some(11), "11 years old"));
        assert_eq!((line.address_words.as_str(), line.case_words.as_str()), ("4 Mill Lane", "Not found in Mosaic"));
    }

    #[test]
    fn a_withheld_person_has_a_name_and_whom_to_ask_and_nothing_else() {
        let line = serde_json::to_string(&line(&maya(), Sight::Withheld).unwrap()).unwrap();
        assert!(line.contains("Maya Okafor") && line.contains("Speak to the duty team."));
        assert!(!line.contains("2015") && !line.contains("Mill"), "{line}");
    }

    #[test]
    fn a_person_who_must_not_be_known_of_has_no_line() {
        assert_eq!(line(&maya(), Sight::Nothing), None);
    }

    #[test]
    fn a_confidential_address_is_not_shown_even_if_its_lines_were_kept() {
        let mut maya = maya();
        maya.address.as_mut().unwrap().confidential = true;
        let line = line(&maya, Sight::Open).unwrap();
        assert_eq!((line.address, line.address_words.as_str()), (None, "Confidential address: not shown"));
    }

    #[test]
    fn a_name_that_must_not_be_shown_gives_way_to_one_that_may() {
        let mut person = maya();
        person.name.not_to_be_shown = true;
        assert_eq!(line(&person, Sight::Open).unwrap().name, NO_NAME);
        person.other_names.push(Name { kind: NameKind::Alias, ..Name::current(["May"], "Obi") });
        assert_eq!(line(&person, Sight::Open).unwrap().name, "May Obi");
    }

    #[test]
    fn no_age_is_shown_for_the_dead() {
        let mut ned = maya();
        ned.death = Some(date(2025, 3, 1));
        let line = line(&ned, Sight::Open).unwrap();
        assert_eq!((line.age, line.age_words.as_str()), (None, "died on 1 March 2025, aged 9"));
    }
}
