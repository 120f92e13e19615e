//! The closed view: one flag for each source of each service, and exactly what "nothing" means.

use crate::{
    Family,
    page::{DutyShown, FlagState, ServiceFlag, SourceShown},
    read::Opened,
};
use fc_access::Sight;
use fc_model::SourceId;
use fc_sources::{AgeAnswer, AgeUnknown, Definition, Definitions, Freshness};
use jiff::civil::Date;

/// How fresh a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freshly {
    /// The day its information was true; `None` when it was never loaded.
    pub(crate) as_of: Option<Date>,
    /// Whether its last file failed or waits for a person.
    pub(crate) failed: bool,
}

/// The sources that have a flag: all that are switched on, but the staff directory.
pub(crate) fn sources(definitions: &Definitions) -> impl Iterator<Item = &Definition> {
    definitions.enabled().filter(|definition| !definition.is_staff)
}

/// The flags of a person, in the order of the definitions. Of somebody whose details are withheld there are none: what is
/// said of them is said once, whatever services know them.
pub(crate) fn all(family: &Family, opened: &Opened<'_>) -> Vec<ServiceFlag> {
    let shown = sources(&family.definitions).filter(|_| opened.sight == Sight::Open);
    shown.map(|definition| one(definition, opened)).collect()
}

/// The flag of one source.
pub(crate) fn one(definition: &Definition, opened: &Opened<'_>) -> ServiceFlag {
    let freshly = opened.sources.get(&definition.source).copied().unwrap_or(Freshly { as_of: None, failed: false });
    let (state, words) = says(definition, opened, freshly);
    ServiceFlag {
        service: definition.service.to_string(),
        title: definition.service_title.clone(),
        source: source_shown(definition),
        state,
        words,
        last_updated: freshly.as_of,
        duty: DutyShown {
            team: definition.duty.team.clone(),
            phone: definition.duty.phone.clone(),
            email: definition.duty.email.clone(),
            hours: definition.duty.hours.clone(),
        },
    }
}

fn says(definition: &Definition, opened: &Opened<'_>, freshly: Freshly) -> (FlagState, String) {
    // Age comes before whether there is a record, so that the flag is the same either way.
    match opened.age.shows(definition.ages) {
        AgeAnswer::Shown => {}
        AgeAnswer::NotAtThisAge => return (FlagState::NotShownAtAge, definition.says_not_at_this_age()),
        // The same whether or not there is a record that must not be told of.
        AgeAnswer::AgeUnknown
            if definition.age_unknown == AgeUnknown::Adult && opened.tells_of_unknown_age(definition) => {}
        AgeAnswer::AgeUnknown => return (FlagState::AgeUnknown, definition.says_age_unknown()),
    }
    let freshness = definition.freshness(freshly.as_of, opened.rules.today);
    if has_record(&definition.source, opened) {
        return match (freshness, freshly.as_of) {
            (Freshness::StaleBy(_), Some(as_of)) => {
                (FlagState::FoundStale, definition.says_stale_but_present(as_of, opened.rules.today))
            }
            _ => (FlagState::Found, format!("Records found in {}, {}.", definition.service_title, definition.database)),
        };
    }
    let Some(as_of) = freshly.as_of else { return (FlagState::CannotSay, definition.says_stale(None)) };
    if freshly.failed || freshness != Freshness::Fresh {
        return (FlagState::CannotSay, definition.says_stale(Some(as_of)));
    }
    let covered_from = definition.coverage.first_day(as_of);
    if opened.view.summary.death.zip(covered_from).is_some_and(|(died, from)| died < from) {
        let words = definition.says_coverage().unwrap_or_else(|| format!("Covers {}.", definition.says_period(as_of)));
        return (FlagState::OutsideCoverage, words);
    }
    let mut words = definition.says_no_record(as_of);
    if let Some(coverage) = definition.says_coverage() {
        words.push(' ');
        words.push_str(&coverage);
    }
    (FlagState::NoRecord, words)
}

/// A service that keeps a record of the person knows them, also when its extract says nothing of what it does.
fn has_record(source: &SourceId, opened: &Opened<'_>) -> bool {
    opened.view.involvements.iter().any(|said| said.source == *source)
        || opened.view.records.iter().any(|record| record.source == *source)
}

/// A source as it is named beside what it says.
pub(crate) fn source_shown(definition: &Definition) -> SourceShown {
    SourceShown {
        source: definition.source.to_string(),
        title: definition.title.clone(),
        database: definition.database.clone(),
    }
}

/// A source by its id; its id alone when no definition knows it.
pub(crate) fn source_named(family: &Family, source: &SourceId) -> SourceShown {
    family.definitions.get(source).map_or_else(
        || SourceShown { source: source.to_string(), title: source.to_string(), database: String::new() },
        source_shown,
    )
}
