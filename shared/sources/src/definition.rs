//! A source's definition: what it is, who answers for it, what was agreed, and how each of its files is read.

use crate::{
    Council, Field, Problem, Unusable,
    dates::DateFormat,
    encoding::Encoding,
    section::{File, Section, did_you_mean},
    words::Words,
};
use fc_model::{Content, Date, Details, FeedId, HandleKey, ServiceId, SourceId};
use jiff::ToSpan;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::{Path, PathBuf},
};

/// The council's own settings, beside the definitions.
const COUNCIL_FILE: &str = "council.toml";

/// Limits when a feed sets none: a full extract may lose a tenth of its records, and a fiftieth of its rows may be unusable.
const SHRINK_LIMIT: f64 = 0.1;
const REJECT_LIMIT: f64 = 0.02;

/// A file in which a column lost more than this share of its values is held, unless the definition says otherwise.
const EMPTIED_LIMIT: f64 = 0.9;

/// Every source a council has, and the council itself.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// The council's settings.
    pub council: Council,
    sources: Vec<Definition>,
}

impl Definitions {
    /// Reads every `.toml` file of a folder: `council.toml` is the council, each other file a source of that name.
    ///
    /// # Errors
    /// Every mistake in every file.
    pub fn load_dir(dir: &Path) -> Result<Self, Vec<Problem>> {
        let unreadable = |what: &Path, error: &std::io::Error| {
            vec![Problem {
                file: what.file_name().unwrap_or(what.as_os_str()).to_string_lossy().into_owned(),
                line: None,
                message: format!("It cannot be read ({}).", error.kind()),
                mend: "Check that the folder of source definitions is there, may be read, and holds UTF-8 text.".into(),
            }]
        };
        let entries = std::fs::read_dir(dir).map_err(|error| unreadable(dir, &error))?;
        let mut files = Vec::new();
        let mut problems = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| unreadable(dir, &error))?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                match std::fs::read_to_string(&path) {
                    Ok(text) => files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text)),
                    Err(error) => problems.extend(unreadable(&path, &error)),
                }
            }
        }
        files.sort();
        match Self::from_files(files) {
            Ok(definitions) if problems.is_empty() => Ok(definitions),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }

    /// Reads the folder a function's definitions are in: `SOURCES_DIR`, or `sources` beside the binary in its zip.
    ///
    /// # Errors
    /// Every mistake in every file.
    pub fn from_environment() -> Result<Self, Unusable> {
        let beside = || PathBuf::from(env::var_os("LAMBDA_TASK_ROOT").unwrap_or_default()).join("sources");
        let folder = env::var_os("SOURCES_DIR").map_or_else(beside, PathBuf::from);
        Self::load_dir(&folder).map_err(Unusable)
    }

    /// Reads definitions from (file name, text).
    ///
    /// # Errors
    /// Every mistake in every file.
    pub fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut council = Council::default();
        let mut sources: Vec<Definition> = Vec::new();
        for (name, text) in files {
            let file = File::new(&name, &text);
            if name == COUNCIL_FILE {
                council = Council::read(&file);
                problems.extend(file.into_problems());
                continue;
            }
            let definition = Definition::read(&file, name.trim_end_matches(".toml"));
            if let Some(definition) = definition {
                if sources.iter().any(|other| other.source == definition.source) {
                    file.note(
                        None,
                        format!("There are two definitions of the source \"{}\".", definition.source),
                        "Keep one, or give the other file another name.",
                    );
                } else {
                    sources.push(definition);
                }
            }
            problems.extend(file.into_problems());
        }
        let mut systems = sources.iter().filter(|definition| definition.enabled && definition.is_cms);
        if let (Some(first), Some(second)) = (systems.next(), systems.next()) {
            problems.push(Problem {
                file: format!("{}.toml", second.source),
                line: None,
                message: format!("\"{}\" and \"{}\" are both the case management system.", first.source, second.source),
                mend: "Write enabled = false in one of them, or take cms = true out of it.".into(),
            });
        }
        if problems.is_empty() { Ok(Self { council, sources }) } else { Err(problems) }
    }

    /// The definition of a source.
    #[must_use]
    pub fn get(&self, source: &SourceId) -> Option<&Definition> {
        self.sources.iter().find(|definition| definition.source == *source)
    }

    /// Every source, by name of file.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.sources.iter()
    }

    /// The sources that are switched on.
    pub fn enabled(&self) -> impl Iterator<Item = &Definition> {
        self.sources.iter().filter(|definition| definition.enabled)
    }

    /// The sources that are switched on and feed a service, in file order.
    pub fn of_service<'a>(&'a self, service: &'a ServiceId) -> impl Iterator<Item = &'a Definition> {
        self.enabled().filter(move |definition| !definition.is_staff && definition.service == *service)
    }

    /// The services on the page, in file order, each once.
    #[must_use]
    pub fn services(&self) -> Vec<&ServiceId> {
        let mut out = Vec::new();
        for definition in self.enabled().filter(|definition| !definition.is_staff) {
            if !out.contains(&&definition.service) {
                out.push(&definition.service);
            }
        }
        out
    }
}

/// One source system.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The source's name: that of its file.
    pub source: SourceId,
    /// The service it feeds. Several sources may feed one.
    pub service: ServiceId,
    /// The service's title on the page.
    pub service_title: String,
    /// The source's own title.
    pub title: String,
    /// The database, as staff know it.
    pub database: String,
    /// The organisation that answers for it.
    pub organisation: String,
    /// Whether its files are taken and its service is shown.
    pub enabled: bool,
    /// Whether it is the case management system.
    pub is_cms: bool,
    /// Whether what it says tells where somebody is: the school does, at 3 pm.
    pub tells_place: bool,
    /// Whether it is a staff directory: no service of its own.
    pub is_staff: bool,
    /// Who is rung when nobody is named.
    pub duty: Duty,
    /// The area it covers, in words.
    pub area: String,
    /// A new extract is expected every so many days.
    pub freshness_days: u32,
    /// The ages at which it is shown.
    pub ages: Ages,
    /// What it means for a source shown at some ages that nobody knows a person's age.
    pub age_unknown: AgeUnknown,
    /// What period it covers.
    pub coverage: Coverage,
    /// The sentences of the page.
    pub words: Words,
    /// The service's own facts, in the order shown.
    pub facts: Vec<FactDefinition>,
    /// What makes an involvement current.
    pub current: Current,
    /// Whether "current" is shown at all.
    pub shows_current: bool,
    /// The agreed fields and facts, by name, for whoever must prove it.
    pub agreed: Vec<String>,
    /// Its feeds, in the order in which they are merged.
    pub feeds: Vec<Feed>,
}

/// Whom to ring when no person is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Duty {
    /// The team.
    pub team: String,
    /// Its number, as it is written in the definition.
    pub phone: String,
    /// Its inbox.
    pub email: Option<String>,
    /// When it answers.
    pub hours: Option<String>,
}

/// The ages, in whole years and both included, at which a source is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ages {
    /// Youngest.
    pub from: Option<u16>,
    /// Oldest.
    pub to: Option<u16>,
}

/// What becomes of somebody whose age nobody knows, in a source that is shown at some ages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgeUnknown {
    /// They are found and shown; whether the service has a record is not said, because that hangs on the age.
    #[default]
    Say,
    /// The source knows adults alone: they are found and shown as adults are.
    Adult,
    /// Nothing is told: somebody whom only such sources know is not found.
    Hide,
}

/// Whether a source is shown for someone's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeAnswer {
    /// It is.
    Shown,
    /// Not at this age.
    NotAtThisAge,
    /// It depends on the age, and the age is not known.
    AgeUnknown,
}

impl Ages {
    /// Whether the source is shown at this age. A source for all ages is shown when the age is unknown.
    #[must_use]
    pub fn admit(self, age: Option<u16>) -> AgeAnswer {
        match (age, self.from, self.to) {
            (_, None, None) => AgeAnswer::Shown,
            (None, _, _) => AgeAnswer::AgeUnknown,
            (Some(age), from, to) if from.is_none_or(|from| age >= from) && to.is_none_or(|to| age <= to) => {
                AgeAnswer::Shown
            }
            _ => AgeAnswer::NotAtThisAge,
        }
    }
}

/// What period a source or a fact covers. At most one of the three is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// From this day.
    pub since: Option<Date>,
    /// The last so many months.
    pub last_months: Option<u32>,
    /// The last so many years.
    pub last_years: Option<u32>,
    /// In words: "Current tenants only."
    pub text: Option<String>,
}

impl Coverage {
    /// First day covered, for information that was true on `up_to`; `None` when there is no limit.
    #[must_use]
    pub fn first_day(&self, up_to: Date) -> Option<Date> {
        self.since
            .or_else(|| self.last_months.and_then(|months| up_to.checked_sub(i64::from(months).months()).ok()))
            .or_else(|| self.last_years.and_then(|years| up_to.checked_sub(i64::from(years).years()).ok()))
    }

    fn read(section: &Section<'_, '_>) -> Self {
        let coverage = Self {
            since: section.date("since"),
            last_months: section.number("last_months", 12 * 100),
            last_years: section.number("last_years", 100),
            text: section.text("text"),
        };
        let periods = [coverage.since.is_some(), coverage.last_months.is_some(), coverage.last_years.is_some()];
        if periods.iter().filter(|set| **set).count() > 1 {
            section.file.note(
                Some(section.line),
                format!("[{}] has more than one period.", section.name),
                "Keep one of since, last_months and last_years.",
            );
        }
        section.finish();
        coverage
    }
}

/// A fact that a service holds, such as rent arrears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactDefinition {
    /// Its name in the data.
    pub name: String,
    /// Its title on the page.
    pub title: String,
    /// The values it may have; empty: any text.
    pub values: Vec<String>,
    /// At most so many are kept, the latest first.
    pub latest: Option<usize>,
    /// Facts of one group are counted together for that.
    pub group: Option<String>,
    /// What it covers.
    pub coverage: Coverage,
}

/// What makes an involvement current.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Current {
    /// Its end is empty.
    EndDateEmpty,
    /// Its end is empty or still to come.
    EndDateEmptyOrFuture,
    /// Its status is one of these.
    StatusIn(Vec<String>),
    /// Its last interaction, else its start, is at most so many days old.
    LatestWithinDays(u32),
    /// It is not said.
    NotShown,
}

/// Whether a source is as new as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is.
    Fresh,
    /// Its information is so many days old, more than expected.
    StaleBy(u32),
    /// Nothing was ever loaded.
    NeverLoaded,
}

impl Definition {
    /// How fresh information is that was true on `as_of`.
    #[must_use]
    pub fn freshness(&self, as_of: Option<Date>, today: Date) -> Freshness {
        let Some(as_of) = as_of else { return Freshness::NeverLoaded };
        let days = (today - as_of).get_days();
        match u32::try_from(days) {
            Ok(days) if days > self.freshness_days => Freshness::StaleBy(days),
            _ => Freshness::Fresh,
        }
    }

    /// A feed by its name.
    #[must_use]
    pub fn feed(&self, feed: &FeedId) -> Option<&Feed> {
        self.feeds.iter().find(|candidate| candidate.feed == *feed)
    }

    /// A fact by its name.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&FactDefinition> {
        self.facts.iter().find(|fact| fact.name == name)
    }

    /// Keeps, of each fact that has a limit, the latest; call it once the feeds and rows of a record are merged.
    pub fn keep_latest_facts(&self, details: &mut Details) {
        for limited in &self.facts {
            let Some(most) = limited.latest else { continue };
            let counted = |name: &str| {
                name == limited.name
                    || limited.group.is_some() && self.fact(name).is_some_and(|fact| fact.group == limited.group)
            };
            let mut days: Vec<Option<Date>> =
                details.involvements.iter().flat_map(|i| &i.facts).filter(|f| counted(&f.name)).map(|f| f.on).collect();
            if days.len() <= most {
                continue;
            }
            days.sort_by(|a, b| b.cmp(a));
            let (oldest_kept, mut left) = (days[most - 1], most);
            for involvement in &mut details.involvements {
                involvement.facts.retain(|fact| {
                    let keep = !counted(&fact.name) || (fact.on >= oldest_kept && left > 0);
                    left -= usize::from(keep && counted(&fact.name));
                    keep
                });
            }
        }
    }

    fn read(file: &File<'_>, stem: &str) -> Option<Self> {
        let table = file.parse();
        let root = Section::root(file, &table);
        let source = SourceId::parse(stem);
        if source.is_err() {
            file.note(
                None,
                "The file's name is the source's name, and this one will not do.",
                "Use 1 to 40 of a-z, 0-9 and _, starting with a letter: adult_social_care.toml.",
            );
        }
        let title = root.required_text("title", "Housing");
        let is_staff = match root.text("kind").as_deref() {
            None | Some("people") => false,
            Some("staff") => true,
            Some(other) => {
                file.note(
                    Some(root.line_of("kind")),
                    format!("\"{other}\" is no kind of source."),
                    "Leave kind out, or write kind = \"staff\" for a staff directory.",
                );
                false
            }
        };
        let service_text = if is_staff { root.text("service") } else { Some(root.required_text("service", "housing")) };
        let service_text = service_text.unwrap_or_else(|| stem.to_owned());
        let service = ServiceId::parse(&service_text);
        if service.is_err() && !service_text.is_empty() && source.is_ok() {
            file.note(
                Some(root.line_of("service")),
                "\"service\" is not a name we can use.",
                "Use 1 to 40 of a-z, 0-9 and _, starting with a letter: service = \"adult_social_care\".",
            );
        }
        let service_title = root.text("service_title").unwrap_or_else(|| title.clone());
        let database = root.required_text("database", "Northgate");
        let organisation = root.required_text("organisation", "Fenchester City Council");
        let enabled = root.flag("enabled", true);
        let is_cms = root.flag("cms", false);
        let tells_place = root.flag("tells_place", false);
        let area =
            if is_staff { root.text("area").unwrap_or_default() } else { root.required_text("area", "Fenchester") };
        let freshness_days = root.number("expect_every_days", 3660).unwrap_or(1);
        let duty = read_duty(&root, is_staff);
        let (ages, age_unknown) = read_ages(&root);
        let coverage = root.section("coverage").map(|section| Coverage::read(&section)).unwrap_or_default();
        let current = read_current(&root);
        let words = Words::read(root.section("words"));
        let facts = read_facts(&root);
        let agreed = root.texts("agreed");
        check_agreed(&root, &agreed, &facts);
        let agreed_names: Vec<String> = agreed.iter().map(|(name, _)| name.clone()).collect();

        let mut feeds = Vec::new();
        match root.section("feeds") {
            None if !root.has("feeds") => file.note(
                Some(1),
                "There is no feed.",
                "Add [feeds.people] with kind = \"people\", and [feeds.people.columns].",
            ),
            None => {}
            Some(section) => {
                for (name, value, line) in section.entries() {
                    let Some(section) = section.section_of(name, value, line) else { continue };
                    feeds.push((
                        Feed::read(&section, name, source.as_ref().ok(), &current, &facts, &agreed_names),
                        section.line,
                    ));
                }
                if feeds.is_empty() {
                    file.note(
                        Some(section.line),
                        "There is no feed.",
                        "Add [feeds.people] with kind = \"people\", and [feeds.people.columns].",
                    );
                }
            }
        }
        root.finish();
        check_mapped(file, &agreed, &facts, &feeds, &root);
        if let Current::StatusIn(_) = current
            && !feeds.iter().any(|(feed, _)| feed.as_ref().is_some_and(|feed| feed.maps(Field::Status)))
        {
            file.note(
                Some(root.line_of("current")),
                "The rule for \"current\" needs the field \"status\", which no feed maps.",
                "Map status = \"...\" in a feed's columns, or choose another rule.",
            );
        }
        let shows_current = current != Current::NotShown;
        Some(Self {
            source: source.ok()?,
            service: service.ok()?,
            service_title,
            title,
            database,
            organisation,
            enabled,
            is_cms,
            tells_place,
            is_staff,
            duty,
            area,
            freshness_days,
            ages,
            age_unknown,
            coverage,
            words,
            facts,
            current,
            shows_current,
            agreed: agreed_names,
            feeds: feeds.into_iter().filter_map(|(feed, _)| feed).collect(),
        })
    }
}

fn read_duty(root: &Section<'_, '_>, is_staff: bool) -> Duty {
    let Some(section) = root.section("duty") else {
        if !is_staff && !root.has("duty") {
            root.file.note(Some(1), "There is no duty team.", "Add [duty] with team = \"...\" and phone = \"...\": who is rung when nobody is named must always have an answer.");
        }
        return Duty::default();
    };
    let duty = Duty {
        team: section.required_text("team", "Housing duty desk"),
        phone: section.required_text("phone", "01632 960200"),
        email: section.text("email"),
        hours: section.text("hours"),
    };
    if !duty.phone.is_empty() && fc_model::Phone::parse(&duty.phone).is_err() {
        root.file.note(
            Some(section.line_of("phone")),
            "The duty phone is not a phone number.",
            "Write 10 or 11 digits with the area code: phone = \"01632 960200\".",
        );
    }
    if duty.email.as_ref().is_some_and(|email| fc_model::Email::parse(email).is_err()) {
        root.file.note(
            Some(section.line_of("email")),
            "The duty e-mail is not an address.",
            "Write email = \"duty@council.example\", or leave it out.",
        );
    }
    section.finish();
    duty
}

/// The age of majority.
const ADULT: u16 = 18;

fn read_ages(root: &Section<'_, '_>) -> (Ages, AgeUnknown) {
    let Some(section) = root.section("ages") else { return (Ages::default(), AgeUnknown::default()) };
    let year = |key| section.number(key, 150).and_then(|age| u16::try_from(age).ok());
    let ages = Ages { from: year("from"), to: year("to") };
    if ages.from.zip(ages.to).is_some_and(|(from, to)| from > to) {
        root.file.note(
            Some(section.line),
            "The ages run backwards.",
            "Write the youngest as from and the oldest as to.",
        );
    }
    let age_unknown = match section.text("age_unknown").as_deref() {
        None | Some("say") => AgeUnknown::Say,
        Some("adult") => AgeUnknown::Adult,
        Some("hide") => AgeUnknown::Hide,
        Some(other) => {
            root.file.note(
                Some(section.line_of("age_unknown")),
                format!("\"{other}\" does not say what becomes of people whose age nobody knows."),
                "Write age_unknown = \"say\" to show them, \"adult\" where the source knows adults alone, or \"hide\".",
            );
            AgeUnknown::Hide
        }
    };
    if age_unknown == AgeUnknown::Adult
        && ages.admit(Some(ADULT)) != AgeAnswer::Shown
        && ages.from.is_none_or(|from| from > ADULT)
    {
        // An adult whom the source would show only later in life is of no known age again.
        root.file.note(
            Some(section.line_of("age_unknown")),
            "Not every adult is shown, so an adult of unknown age cannot be.",
            "Write age_unknown = \"say\", or from = 18 or less.",
        );
    }
    section.finish();
    (ages, age_unknown)
}

fn read_current(root: &Section<'_, '_>) -> Current {
    const RULES: [&str; 5] =
        ["end-date-empty", "end-date-empty-or-future", "status-in", "latest-within-days", "not-shown"];
    let Some(section) = root.section("current") else { return Current::NotShown };
    let rule = section.required_text("rule", "end-date-empty");
    let statuses: Vec<String> = section.texts("statuses").into_iter().map(|(status, _)| status).collect();
    let days = section.number("days", 36_600);
    section.finish();
    match rule.as_str() {
        "end-date-empty" => Current::EndDateEmpty,
        "end-date-empty-or-future" => Current::EndDateEmptyOrFuture,
        "status-in" => {
            if statuses.is_empty() {
                root.file.note(
                    Some(section.line),
                    "The rule \"status-in\" has no statuses.",
                    "Add statuses = [\"Open\"].",
                );
            }
            Current::StatusIn(statuses)
        }
        "latest-within-days" => Current::LatestWithinDays(days.unwrap_or_else(|| {
            root.file.note(
                Some(section.line),
                "The rule \"latest-within-days\" has no number of days.",
                "Add days = 90.",
            );
            0
        })),
        "not-shown" | "" => Current::NotShown,
        other => {
            root.file.note(
                Some(section.line_of("rule")),
                format!("\"{other}\" is no rule for \"current\"."),
                did_you_mean(other, RULES),
            );
            Current::NotShown
        }
    }
}

fn read_facts(root: &Section<'_, '_>) -> Vec<FactDefinition> {
    let mut facts: Vec<FactDefinition> = Vec::new();
    for section in root.sections("facts") {
        let name = section.required_text("name", "rent_arrears");
        if !name.is_empty() && FeedId::parse(&name).is_err() {
            root.file.note(
                Some(section.line_of("name")),
                "A fact's name may not look like this.",
                "Use 1 to 40 of a-z, 0-9 and _, starting with a letter: rent_arrears.",
            );
        }
        if Field::named(&name).is_some() || facts.iter().any(|fact| fact.name == name) {
            root.file.note(
                Some(section.line_of("name")),
                format!("\"{name}\" is already the name of a field or a fact."),
                "Choose another name.",
            );
        }
        let latest = section.number("latest", 100).map(|n| n as usize);
        if latest == Some(0) {
            root.file.note(
                Some(section.line_of("latest")),
                "\"latest\" keeps nothing.",
                "Write how many to keep, such as latest = 3, or leave it out.",
            );
        }
        facts.push(FactDefinition {
            title: section.required_text("title", "Rent arrears"),
            values: section.texts("values").into_iter().map(|(value, _)| value).collect(),
            latest: latest.filter(|n| *n > 0),
            group: section.text("group"),
            coverage: section.section("coverage").map(|coverage| Coverage::read(&coverage)).unwrap_or_default(),
            name,
        });
        section.finish();
    }
    facts
}

fn check_agreed(root: &Section<'_, '_>, agreed: &[(String, usize)], facts: &[FactDefinition]) {
    if agreed.is_empty() {
        root.file.note(
            Some(root.line_of("agreed")),
            "No field is agreed to be shared.",
            "Add agreed = [\"record_id\", ...] with every field and fact of your sharing agreement, and nothing else.",
        );
    }
    let mut seen = BTreeSet::new();
    for (name, line) in agreed {
        if Field::named(name).is_none() && !facts.iter().any(|fact| fact.name == *name) {
            let known = Field::ALL.iter().map(|field| field.name()).chain(facts.iter().map(|fact| fact.name.as_str()));
            root.file.note(
                Some(*line),
                format!("\"{name}\" is agreed but is no field and no fact of this source."),
                best_or_docs(name, known),
            );
        }
        if !seen.insert(name) {
            root.file.note(Some(*line), format!("\"{name}\" is agreed twice."), "Keep one.");
        }
    }
}

/// A suggestion for a field's name; the whole list of fields would be too long.
fn best_or_docs<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let suggestion = did_you_mean(name, known);
    if suggestion.starts_with("Known") { "The fields are listed in docs/sources.md.".into() } else { suggestion }
}

/// What is agreed must be mapped somewhere, and every fact that is defined must be agreed and mapped.
fn check_mapped(
    file: &File<'_>,
    agreed: &[(String, usize)],
    facts: &[FactDefinition],
    feeds: &[(Option<Feed>, usize)],
    root: &Section<'_, '_>,
) {
    let read: Vec<&Feed> = feeds.iter().filter_map(|(feed, _)| feed.as_ref()).collect();
    if read.len() != feeds.len() || read.is_empty() {
        return;
    }
    for (name, line) in agreed {
        let mapped = match Field::named(name) {
            Some(field) => read.iter().any(|feed| feed.maps(field)),
            None => {
                !facts.iter().any(|fact| fact.name == *name)
                    || read.iter().any(|feed| feed.facts.iter().any(|fact| fact.can_be(name)))
            }
        };
        if !mapped {
            file.note(
                Some(*line),
                format!("\"{name}\" is agreed but no feed maps it."),
                "Map it to its column, or take it off the list of agreed fields.",
            );
        }
    }
    for fact in facts {
        if !agreed.iter().any(|(name, _)| *name == fact.name) {
            file.note(
                Some(root.line_of("facts")),
                format!("The fact \"{}\" is defined but not agreed.", fact.name),
                "Add its name to agreed, or take the fact out.",
            );
        }
    }
    let mut names = BTreeSet::new();
    for (feed, (_, line)) in read.iter().zip(feeds) {
        if !names.insert(&feed.feed) {
            file.note(Some(*line), format!("There are two feeds called \"{}\".", feed.feed), "Give each its own name.");
        }
    }
}

/// What a feed's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedKind {
    /// People, with anything else a source says of them.
    People,
    /// Addresses and contact details of people.
    Addresses,
    /// Who is related to whom.
    Relationships,
    /// Involvements with people.
    Involvements,
    /// Further identifiers of people.
    Identifiers,
    /// Workers.
    Staff,
}

const KINDS: [(&str, FeedKind); 6] = [
    ("people", FeedKind::People),
    ("addresses", FeedKind::Addresses),
    ("relationships", FeedKind::Relationships),
    ("involvements", FeedKind::Involvements),
    ("identifiers", FeedKind::Identifiers),
    ("staff", FeedKind::Staff),
];

/// Whether a file holds everything or only what changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Everything: what is missing has left the source.
    Full,
    /// Only changes.
    Delta {
        /// The column that marks a row as deleted, and the values that do.
        deleted: Option<(String, Vec<String>)>,
    },
}

/// Where the day comes from on which a file was true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsOf {
    /// When it arrived.
    Upload,
    /// A date in the file's name, in this format.
    FileName(DateFormat),
    /// The latest date in the column mapped to `as_of`.
    Column,
}

/// One kind of file of a source.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The source.
    pub source: SourceId,
    /// The feed's name.
    pub feed: FeedId,
    /// What its rows are.
    pub kind: FeedKind,
    /// Everything or only changes.
    pub mode: Mode,
    /// Where its as-of day comes from.
    pub as_of: AsOf,
    /// A full extract that loses more than this share of its records is held for a person to look at.
    pub shrink_limit: f64,
    /// A file of which more than this share of rows is rejected is held.
    pub reject_limit: f64,
    /// A file in which a column lost more than this share of its values, beside the last accepted one, is held.
    pub emptied_limit: f64,
    /// Fields whose columns must be there.
    pub mandatory: Vec<Field>,
    /// Fields whose change alone is no change of the record. Only `as_of`: anything else is shown, and would go stale.
    pub volatile: Vec<Field>,
    pub(crate) encoding: Option<Encoding>,
    pub(crate) delimiter: Option<u8>,
    /// The sheet of a workbook; without it, the first.
    pub(crate) sheet: Option<String>,
    pub(crate) columns: Vec<(Field, Mapping)>,
    pub(crate) facts: Vec<FactMapping>,
    pub(crate) inverse: BTreeMap<String, String>,
    pub(crate) current: Current,
}

/// Where a field's text comes from.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    /// Columns, each with the names it may have.
    pub(crate) columns: Vec<Vec<String>>,
    pub(crate) join: String,
    pub(crate) split: Option<String>,
    pub(crate) values: Option<BTreeMap<String, String>>,
    pub(crate) dates: Vec<DateFormat>,
    pub(crate) always: Option<String>,
    pub(crate) surname_first: bool,
    pub(crate) kind: Option<String>,
    /// What the definition says of whether the column protects somebody; else the field says it.
    pub(crate) protects: Option<bool>,
}

impl Mapping {
    /// Whether what this mapping reads protects somebody.
    pub(crate) fn protects(&self, field: Field) -> bool {
        self.protects.unwrap_or_else(|| field.protects())
    }
}

/// Where a fact comes from.
#[derive(Debug, Clone)]
pub(crate) struct FactMapping {
    /// The facts it can be, each with the values its definition admits; no values: any text.
    pub(crate) facts: Vec<(String, Vec<String>)>,
    /// The column that says which of them it is; without it there is one.
    pub(crate) which: Option<Mapping>,
    pub(crate) value: Mapping,
    pub(crate) date: Option<Mapping>,
    /// The fact and value that stand for anything the others do not admit.
    pub(crate) otherwise: Option<(String, String)>,
}

impl FactMapping {
    fn can_be(&self, fact: &str) -> bool {
        self.facts.iter().any(|(name, _)| name == fact) || self.otherwise.as_ref().is_some_and(|(name, _)| name == fact)
    }

    /// The value as the fact's definition spells it; nothing when it has no such value.
    pub(crate) fn admit(&self, fact: &str, value: &str) -> Option<String> {
        let (_, admitted) = self.facts.iter().find(|(name, _)| name == fact)?;
        if admitted.is_empty() {
            return Some(value.to_owned());
        }
        admitted.iter().find(|admitted| folded_code(admitted) == folded_code(value)).cloned()
    }
}

/// A code and a header are recognised whatever their case and spacing.
pub(crate) fn folded_code(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

impl Feed {
    pub(crate) fn maps(&self, field: Field) -> bool {
        self.columns.iter().any(|(mapped, _)| *mapped == field)
    }

    /// The day in a file's name, where the feed's as-of rule looks there.
    #[must_use]
    pub fn as_of_from_name(&self, name: &str) -> Option<Date> {
        let AsOf::FileName(format) = &self.as_of else { return None };
        let (stem, _) = name.rsplit_once('.').unwrap_or((name, ""));
        (0..stem.len()).filter(|i| stem.is_char_boundary(*i)).find_map(|start| {
            let found = (start + 6..=stem.len().min(start + 24))
                .rev()
                .filter(|end| stem.is_char_boundary(*end))
                .find_map(|end| format.read(&stem[start..end], crate::dates::Of::Any, Date::MAX))?;
            found.whole()
        })
    }

    /// The content as text, without volatile fields and in an order of its own: equal texts are equal contents.
    #[must_use]
    pub fn stable_text(&self, content: &Content) -> String {
        let text = match content {
            Content::Person(details) => {
                let mut details = details.clone();
                if self.volatile.contains(&Field::AsOf) {
                    details.as_of = None;
                }
                // Row order is no content: the names in use and the order of facts are.
                details.addresses.sort();
                details.phones.sort();
                details.emails.sort();
                details.relationships.sort();
                details.involvements.sort();
                details.other_identifiers.sort();
                details.allocated.sort();
                details.never_link.sort();
                serde_json::to_string(&*details)
            }
            Content::Staff(staff) => serde_json::to_string(&**staff),
        };
        text.unwrap_or_default()
    }

    /// A keyed hash of the content without volatile fields, for manifests.
    #[must_use]
    pub fn content_hash(&self, key: &HandleKey, content: &Content) -> String {
        key.hash("content", &self.stable_text(content))
    }

    fn read(
        section: &Section<'_, '_>,
        name: &str,
        source: Option<&SourceId>,
        current: &Current,
        facts: &[FactDefinition],
        agreed: &[String],
    ) -> Option<Self> {
        let file = section.file;
        let feed = FeedId::parse(name);
        if feed.is_err() {
            file.note(
                Some(section.line),
                format!("A feed may not be called \"{name}\"."),
                "Use 1 to 40 of a-z, 0-9 and _, starting with a letter: people.",
            );
        }
        let kind_text = section.required_text("kind", "people");
        let kind = KINDS.iter().find(|(name, _)| *name == kind_text).map(|(_, kind)| *kind);
        if kind.is_none() && !kind_text.is_empty() {
            file.note(
                Some(section.line_of("kind")),
                format!("\"{kind_text}\" is no kind of feed."),
                did_you_mean(&kind_text, KINDS.map(|(name, _)| name)),
            );
        }
        let mode = read_mode(section);
        let as_of = read_as_of(section);
        let encoding = section.text("encoding").filter(|text| text != "detect").and_then(|text| {
            let encoding = Encoding::named(&text);
            if encoding.is_none() {
                file.note(
                    Some(section.line_of("encoding")),
                    format!("\"{text}\" is no encoding we read."),
                    did_you_mean(&text, Encoding::NAMES),
                );
            }
            encoding
        });
        let delimiter = section.text("delimiter").filter(|text| text != "detect").and_then(|text| {
            let known = match text.as_str() {
                "," | "comma" => Some(b','),
                ";" | "semicolon" => Some(b';'),
                "\t" | "tab" | "" => Some(b'\t'),
                "|" | "pipe" => Some(b'|'),
                _ => None,
            };
            if known.is_none() {
                file.note(
                    Some(section.line_of("delimiter")),
                    "This is no delimiter we read.",
                    "Write \",\", \";\", \"tab\", \"|\", or leave it out and it is found out.",
                );
            }
            known
        });
        let sheet = section.text("sheet");
        let dates = read_dates(section, "dates");
        let shrink_limit = section.share("shrink_limit", SHRINK_LIMIT);
        let reject_limit = section.share("reject_limit", REJECT_LIMIT);
        let emptied_limit = section.share("emptied_limit", EMPTIED_LIMIT);
        let mandatory = read_field_names(section, "mandatory");
        let volatile = read_field_names(section, "volatile");
        for field in volatile.iter().filter(|field| **field != Field::AsOf) {
            file.note(
                Some(section.line_of("volatile")),
                format!(
                    "\"{}\" may not be volatile: it is shown, and what changed would never reach the page.",
                    field.name()
                ),
                "Take it off the list. Only as_of may be there.",
            );
        }
        let columns_section = section.section("columns");
        let mut columns = Vec::new();
        match &columns_section {
            Some(table) => {
                for (name, value, line) in table.entries() {
                    let Some(field) = Field::named(name) else {
                        file.note(
                            Some(line),
                            format!("\"{name}\" is no field."),
                            best_or_docs(name, Field::ALL.iter().map(|field| field.name())),
                        );
                        continue;
                    };
                    if !agreed.iter().any(|agreed| agreed == name) {
                        file.note(
                            Some(line),
                            format!("\"{name}\" is mapped but not agreed to be shared."),
                            "Add it to agreed if your sharing agreement has it; otherwise take the line out.",
                        );
                    }
                    if kind.is_some_and(|kind| !field.belongs_to(kind)) {
                        file.note(
                            Some(line),
                            format!("A feed of kind \"{kind_text}\" has no use for \"{name}\"."),
                            "Move it to a feed of another kind, or take the line out.",
                        );
                    }
                    if let Some(mapping) = Mapping::read(table, name, value, line, &dates, field.is_date()) {
                        columns.push((field, mapping));
                    }
                }
            }
            None if !section.has("columns") => {
                file.note(
                    Some(section.line),
                    format!("The feed \"{name}\" maps no columns."),
                    format!("Add [feeds.{name}.columns] with record_id = \"...\"."),
                );
            }
            None => {}
        }
        let mapped = |field: Field| columns.iter().any(|(other, _)| *other == field);
        if let Some(table) = &columns_section {
            if !table.entries().iter().any(|(name, _, _)| *name == "record_id") {
                file.note(
                    Some(table.line),
                    format!("The feed \"{name}\" has no record id."),
                    "Map record_id to the column that names each record in its system.",
                );
            }
            let named = ["full_name", "surname", "forename"];
            if kind == Some(FeedKind::People) && !table.entries().iter().any(|(name, _, _)| named.contains(name)) {
                file.note(
                    Some(table.line),
                    format!("The feed \"{name}\" has people without names."),
                    "Map full_name, or forename and surname.",
                );
            }
            if kind == Some(FeedKind::Relationships) && !mapped(Field::RelatedId) && !mapped(Field::FamilyId) {
                file.note(
                    Some(table.line),
                    format!("The feed \"{name}\" does not say who is related."),
                    "Map related_id to the column with the other person's record id.",
                );
            }
            if mapped(Field::Identifier)
                && columns.iter().any(|(field, mapping)| *field == Field::Identifier && mapping.kind.is_none())
            {
                file.note(
                    Some(table.line_of("identifier")),
                    "\"identifier\" does not say of which kind it is.",
                    "Write identifier = { column = \"...\", kind = \"former upn\" }.",
                );
            }
        }
        for field in mandatory.iter().chain(&volatile) {
            if !mapped(*field) && columns_section.is_some() {
                file.note(
                    Some(section.line),
                    format!("\"{}\" is mandatory or volatile in \"{name}\" but not mapped there.", field.name()),
                    "Map it, or take it off the list.",
                );
            }
        }
        if as_of == AsOf::Column && !mapped(Field::AsOf) {
            file.note(
                Some(section.line_of("as_of")),
                "The as-of day is to come from a column, but no column is mapped to as_of.",
                "Map as_of = \"...\", or write as_of = \"upload\".",
            );
        }
        let fact_mappings = read_fact_mappings(section, facts, agreed, &dates);
        let inverse = section.pairs("inverse").unwrap_or_default();
        section.finish();
        let mut mandatory = mandatory;
        if !mandatory.contains(&Field::RecordId) {
            mandatory.insert(0, Field::RecordId);
        }
        // Twice guarded: even if the check above were missed, nothing that is not agreed is read.
        columns.retain(|(field, _)| agreed.iter().any(|name| name == field.name()));
        Some(Self {
            source: source?.clone(),
            feed: feed.ok()?,
            kind: kind?,
            mode,
            as_of,
            shrink_limit,
            reject_limit,
            emptied_limit,
            mandatory,
            volatile,
            encoding,
            delimiter,
            sheet,
            columns,
            facts: fact_mappings,
            inverse: inverse.into_iter().map(|(word, inverse, _)| (folded_code(&word), inverse)).collect(),
            current: current.clone(),
        })
    }
}

fn read_mode(section: &Section<'_, '_>) -> Mode {
    let deletion = section.section("deletion").map(|deletion| {
        let column = deletion.required_text("column", "Action");
        let values: Vec<String> = deletion.texts("values").into_iter().map(|(value, _)| folded_code(&value)).collect();
        if values.is_empty() {
            section.file.note(Some(deletion.line), "The deletion marker has no values.", "Add values = [\"D\"].");
        }
        deletion.finish();
        (column, values)
    });
    match section.text("mode").as_deref() {
        None | Some("full") => {
            if deletion.is_some() {
                section.file.note(
                    Some(section.line_of("deletion")),
                    "A full extract needs no deletion marker: what is missing has left.",
                    "Write mode = \"delta\", or take the marker out.",
                );
            }
            Mode::Full
        }
        Some("delta") => Mode::Delta { deleted: deletion },
        Some(other) => {
            section.file.note(
                Some(section.line_of("mode")),
                format!("\"{other}\" is no mode."),
                did_you_mean(other, ["full", "delta"]),
            );
            Mode::Full
        }
    }
}

fn read_as_of(section: &Section<'_, '_>) -> AsOf {
    match section.text("as_of").as_deref() {
        None | Some("upload") => AsOf::Upload,
        Some("column") => AsOf::Column,
        Some(other) => {
            match other.strip_prefix("file-name ").map(DateFormat::parse) {
                Some(Ok(format)) => AsOf::FileName(format),
                _ => {
                    section.file.note(Some(section.line_of("as_of")), "This is no rule for the as-of day.", "Write \"upload\", \"column\", or \"file-name yyyymmdd\" with the format of the date in the name.");
                    AsOf::Upload
                }
            }
        }
    }
}

fn read_dates(section: &Section<'_, '_>, key: &'static str) -> Vec<DateFormat> {
    section
        .texts(key)
        .into_iter()
        .filter_map(|(text, line)| match DateFormat::parse(&text) {
            Ok(format) => Some(format),
            Err(why) => {
                section.file.note(
                    Some(line),
                    format!("The date format \"{text}\" {why}."),
                    "Use dd, mm or Mon, and yyyy or yy: \"dd/mm/yyyy\", \"dd-Mon-yy\", \"yyyymmdd\".",
                );
                None
            }
        })
        .collect()
}

fn read_field_names(section: &Section<'_, '_>, key: &'static str) -> Vec<Field> {
    section
        .texts(key)
        .into_iter()
        .filter_map(|(name, line)| {
            let field = Field::named(&name);
            if field.is_none() {
                section.file.note(
                    Some(line),
                    format!("\"{name}\" is no field."),
                    best_or_docs(&name, Field::ALL.iter().map(|field| field.name())),
                );
            }
            field
        })
        .collect()
}

fn read_fact_mappings(
    section: &Section<'_, '_>,
    facts: &[FactDefinition],
    agreed: &[String],
    dates: &[DateFormat],
) -> Vec<FactMapping> {
    let mut out = Vec::new();
    for table in section.sections("facts") {
        let file = table.file;
        let check = |fact: &str, line: usize| {
            if !fact.is_empty() && !facts.iter().any(|known| known.name == fact) {
                file.note(
                    Some(line),
                    format!("\"{fact}\" is no fact of this source."),
                    did_you_mean(fact, facts.iter().map(|known| known.name.as_str())),
                );
            }
            if !agreed.iter().any(|agreed| agreed == fact) {
                file.note(
                    Some(line),
                    format!("The fact \"{fact}\" is mapped but not agreed to be shared."),
                    "Add it to agreed if your sharing agreement has it; otherwise take it out.",
                );
            }
        };
        let which = table.section("which").and_then(|which| {
            let mapping = Mapping::read_table(&which, dates, false);
            which.finish();
            mapping
        });
        let names: Vec<String> = match &which {
            Some(which) => which.values.iter().flat_map(BTreeMap::values).cloned().collect(),
            None => vec![table.required_text("fact", "rent_arrears")],
        };
        if names.is_empty() {
            file.note(
                Some(table.line_of("which")),
                "\"which\" does not say which code is which fact.",
                "Write which = { column = \"...\", values = { \"C\" = \"conviction\", \"S\" = \"suspicion\" } }.",
            );
        }
        let line = table.line_of(if which.is_some() { "which" } else { "fact" });
        names.iter().for_each(|name| check(name, line));
        let otherwise = table.section("otherwise").map(|otherwise| {
            let said =
                (otherwise.required_text("fact", "other_offences"), otherwise.required_text("value", "Records found"));
            check(&said.0, otherwise.line);
            otherwise.finish();
            said
        });
        let date = table.text("date").map(|column| Mapping { dates: dates.to_vec(), ..Mapping::of_column(column) });
        if date.is_some() && dates.is_empty() {
            file.note(
                Some(table.line_of("date")),
                "The fact has a date, but the feed declares no date format.",
                "Add dates = [\"dd/mm/yyyy\"] to the feed.",
            );
        }
        let value = Mapping::read_table(&table, dates, false);
        table.finish();
        let Some(value) = value else { continue };
        let values_of = |name: &String| {
            facts.iter().find(|known| known.name == *name).map(|known| known.values.clone()).unwrap_or_default()
        };
        let agreed_facts: Vec<(String, Vec<String>)> =
            names.iter().filter(|name| agreed.contains(name)).map(|name| (name.clone(), values_of(name))).collect();
        let stated = value.values.iter().flat_map(BTreeMap::values).filter(|meaning| *meaning != "*");
        let stated = stated.map(|meaning| (agreed_facts.clone(), meaning));
        let replacing = otherwise.iter().map(|(name, meaning)| (vec![(name.clone(), values_of(name))], meaning));
        for (facts, meaning) in stated.chain(replacing).filter(|(_, meaning)| !meaning.is_empty()) {
            for (fact, admitted) in facts.iter().filter(|(_, admitted)| !admitted.is_empty()) {
                if !admitted.contains(meaning) {
                    file.note(
                        Some(table.line),
                        format!("\"{meaning}\" is not among the values of the fact \"{fact}\"."),
                        did_you_mean(meaning, admitted.iter().map(String::as_str)),
                    );
                }
            }
        }
        let otherwise = otherwise.filter(|(fact, _)| agreed.contains(fact));
        if !agreed_facts.is_empty() {
            out.push(FactMapping { facts: agreed_facts, which, value, date, otherwise });
        }
    }
    out
}

impl Mapping {
    fn of_column(column: String) -> Self {
        Self {
            columns: vec![vec![column]],
            join: " ".into(),
            split: None,
            values: None,
            dates: Vec::new(),
            always: None,
            surname_first: false,
            kind: None,
            protects: None,
        }
    }

    /// `field = "Column"`, `field = ["Column", "Column"]` or `field = { column = "Column", ... }`.
    fn read(
        section: &Section<'_, '_>,
        name: &str,
        value: &toml::Spanned<toml::de::DeValue<'_>>,
        line: usize,
        dates: &[DateFormat],
        is_date: bool,
    ) -> Option<Self> {
        let mapping = match value.get_ref() {
            toml::de::DeValue::Table(_) => {
                let (_, value, line) = section.entries().into_iter().find(|(key, _, _)| *key == name)?;
                let table = section.section_of(name, value, line)?;
                let mapping = Self::read_table(&table, dates, is_date);
                table.finish();
                mapping?
            }
            _ => {
                let (_, value, line) = section.entries().into_iter().find(|(key, _, _)| *key == name)?;
                let columns: Vec<Vec<String>> =
                    section.texts_of(name, value, line).into_iter().map(|(column, _)| vec![column]).collect();
                if columns.is_empty() || columns.iter().flatten().any(String::is_empty) {
                    section.file.note(
                        Some(line),
                        format!("\"{name}\" names no column."),
                        format!("Write {name} = \"Column heading\"."),
                    );
                    return None;
                }
                Self { columns, dates: dates.to_vec(), ..Self::of_column(String::new()) }
            }
        };
        if is_date && mapping.dates.is_empty() && mapping.always.is_none() {
            section.file.note(
                Some(line),
                format!("\"{name}\" is a date, but no date format is declared."),
                "Add dates = [\"dd/mm/yyyy\"] to the feed: formats are never guessed.",
            );
        }
        Some(mapping)
    }

    fn read_table(table: &Section<'_, '_>, dates: &[DateFormat], is_date: bool) -> Option<Self> {
        let file = table.file;
        let always = table.text("always");
        let column = table.text("column");
        let also: Vec<String> = table.texts("also").into_iter().map(|(name, _)| name).collect();
        let several: Vec<Vec<String>> = table.texts("columns").into_iter().map(|(name, _)| vec![name]).collect();
        let columns = match (column, several) {
            (Some(column), several) if several.is_empty() => vec![[vec![column], also].concat()],
            (None, several) if !several.is_empty() || always.is_some() => several,
            (None, _) => {
                file.note(
                    Some(table.line),
                    format!("[{}] names no column.", table.name),
                    "Add column = \"...\", columns = [\"...\", \"...\"] or always = \"...\".",
                );
                return None;
            }
            (Some(_), _) => {
                file.note(
                    Some(table.line),
                    format!("[{}] has both column and columns.", table.name),
                    "Keep one of them.",
                );
                return None;
            }
        };
        let own_dates = read_dates(table, "dates");
        let surname_first = match table.text("order").as_deref() {
            None | Some("forename-first") => false,
            Some("surname-first") => true,
            Some(other) => {
                file.note(
                    Some(table.line_of("order")),
                    format!("\"{other}\" is no order of a name."),
                    did_you_mean(other, ["forename-first", "surname-first"]),
                );
                false
            }
        };
        let values = table.pairs("values").map(|pairs| {
            let mut map = BTreeMap::new();
            for (code, meaning, line) in pairs {
                if map.insert(folded_code(&code), meaning).is_some() {
                    file.note(
                        Some(line),
                        format!("The code \"{code}\" is given twice (case and spaces do not matter)."),
                        "Keep one.",
                    );
                }
            }
            map
        });
        Some(Self {
            columns,
            join: table.untrimmed_text("join").unwrap_or_else(|| " ".into()),
            split: table.text("split").filter(|split| !split.is_empty()),
            values,
            dates: if own_dates.is_empty() && (is_date || !dates.is_empty()) { dates.to_vec() } else { own_dates },
            always,
            surname_first,
            kind: table.text("kind"),
            protects: table.has("protects").then(|| table.flag("protects", true)),
        })
    }
}

#[cfg(test)]
#[path = "definition_tests.rs"]
mod tests;
