//! The council's own settings, in `council.toml` beside the definitions.

use crate::section::{File, Section, did_you_mean};
use serde::Serialize;
use std::time::Duration;

/// How people are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Journey {
    /// Anyone can be searched for.
    #[default]
    OpenSearch,
    /// Children are searched for; adults are reached only through a child.
    ChildFirst,
}

/// Who is rung about the school of a child whose address is confidential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VirtualSchool {
    /// What it is called.
    pub name: String,
    /// Its number.
    pub phone: String,
}

/// The council and its choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Council {
    /// The council's name.
    pub name: String,
    /// What staff call the case management system.
    pub cms: String,
    /// How people are found.
    pub journey: Journey,
    /// Whether people are searched for by name.
    pub search_by_name: bool,
    /// Whether people are searched for by case ID.
    pub search_by_case_id: bool,
    /// Child first only: whether a worker finds only the children allocated to them.
    pub own_caseload_only: bool,
    /// Whether opening a person asks which child and why.
    pub ask_purpose: bool,
    /// The council's guidance on consent, shown where a person is opened.
    pub consent_guidance: Option<String>,
    /// Who is rung about the school of a child whose address is confidential.
    pub virtual_school: Option<VirtualSchool>,
    /// A session ends so long after the last request.
    pub session_idle: Duration,
    /// A session ends so long after sign-in.
    pub session_longest: Duration,
}

impl Default for Council {
    fn default() -> Self {
        Self {
            name: "Your council".into(),
            cms: "the case management system".into(),
            journey: Journey::OpenSearch,
            search_by_name: true,
            search_by_case_id: true,
            own_caseload_only: false,
            ask_purpose: false,
            consent_guidance: None,
            virtual_school: None,
            session_idle: minutes(30),
            session_longest: minutes(600),
        }
    }
}

fn minutes(n: u32) -> Duration {
    Duration::from_secs(u64::from(n) * 60)
}

impl Council {
    pub(crate) fn read(file: &File<'_>) -> Self {
        let table = file.parse();
        let root = Section::root(file, &table);
        let mut council = Self {
            name: root.required_text("name", "Fenchester City Council"),
            cms: root.required_text("cms", "Mosaic"),
            ..Self::default()
        };
        council.journey = match root.text("journey").as_deref() {
            None | Some("open-search") => Journey::OpenSearch,
            Some("child-first") => Journey::ChildFirst,
            Some(other) => {
                file.note(
                    Some(root.line_of("journey")),
                    format!("\"{other}\" is no journey."),
                    did_you_mean(other, ["open-search", "child-first"]),
                );
                Journey::OpenSearch
            }
        };
        if let Some(search) = root.section("search") {
            council.search_by_name = search.flag("by_name", true);
            council.search_by_case_id = search.flag("by_case_id", true);
            council.own_caseload_only = search.flag("own_caseload_only", false);
            if !council.search_by_name && !council.search_by_case_id {
                file.note(Some(search.line), "Nobody could search for anyone.", "Leave by_name or by_case_id true.");
            }
            if council.own_caseload_only && council.journey == Journey::OpenSearch {
                file.note(
                    Some(search.line_of("own_caseload_only")),
                    "A caseload limits search only where children come first.",
                    "Write journey = \"child-first\", or own_caseload_only = false.",
                );
            }
            search.finish();
        }
        if let Some(opening) = root.section("opening") {
            council.ask_purpose = opening.flag("ask_purpose", false);
            council.consent_guidance = opening.text("consent_guidance").filter(|text| !text.is_empty());
            opening.finish();
        }
        if let Some(school) = root.section("virtual_school") {
            council.virtual_school = Some(VirtualSchool {
                name: school.required_text("name", "Virtual School"),
                phone: school.required_text("phone", "01632 960450"),
            });
            school.finish();
        }
        if let Some(sessions) = root.section("sessions") {
            let read = |key, into: &mut Duration| {
                if let Some(n) = sessions.number(key, 24 * 60) {
                    *into = minutes(n);
                }
                if into.is_zero() {
                    file.note(
                        Some(sessions.line_of(key)),
                        format!("\"{key}\" would end every session at once."),
                        "Write minutes, such as 30.",
                    );
                }
            };
            read("idle_minutes", &mut council.session_idle);
            read("longest_minutes", &mut council.session_longest);
            sessions.finish();
        }
        root.finish();
        council
    }
}
