//! What became of a file: every row accounted for, and how good the data is. Holds no personal data.

use crate::{CellProblem, Entry, Feed, FeedKind, Field, FileError, Identities, Mode, Reader, Reason, Row, Skip};
use fc_model::{BirthDate, Contact, Content, Date, Details, FeedId, Name, SourceId, Staff};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::Read,
};

/// Rejected rows listed one by one; the counts go on.
const MOST_REJECTED_LISTED: usize = 1000;

/// Fewest cells with something in them by which a column is judged.
const FEWEST_FILLED: u64 = 20;

/// Lines named for each kind of blanked value.
const MOST_LINES: usize = 5;

/// An age above this is out of range (the oldest person in the United Kingdom's history reached 115).
const OLDEST: u16 = 110;

/// The report of one file.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The source.
    pub source: SourceId,
    /// The feed.
    pub feed: FeedId,
    /// Encoding and delimiter as found.
    pub format: String,
    /// Rows under the header.
    pub rows: u64,
    /// Rows that gave records.
    pub used: u64,
    /// Rows that held nothing, by reason.
    pub skipped: BTreeMap<Skip, u64>,
    /// Rows that could not be used.
    pub rejected: u64,
    /// Rejected rows of nobody in particular, which are no sign of a bad file.
    #[serde(skip)]
    pub no_person: u64,
    /// Rejected rows whose record id could not be read either, or that hold other rows: removals wait while there are any.
    pub rejected_without_id: u64,
    /// The rejected rows, up to a thousand.
    pub rejected_rows: Vec<RejectedRow>,
    /// Blanked and doubted values, by column and reason.
    pub blanked: Vec<Blanked>,
    /// Columns of which at least half cannot be read: their form has probably changed.
    pub unread: Vec<Unread>,
    /// How many cells of each column that the definition reads hold something.
    pub columns: Vec<Column>,
    /// Columns that nothing was agreed about; never read.
    pub columns_ignored: Vec<String>,
    /// Columns of the definition that the file does not have.
    pub columns_missing: Vec<String>,
    /// Whether the file ended in the middle of its last row.
    pub cut_short: bool,
    /// How complete and valid the data is; a share each.
    pub quality: Vec<Measure>,
    #[serde(skip)]
    counts: BTreeMap<&'static str, (u64, u64)>,
    #[serde(skip)]
    kind: FeedKind,
    #[serde(skip)]
    measures_birth: bool,
    #[serde(skip)]
    measures_address: bool,
    #[serde(skip)]
    today: Date,
}

/// A row that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    /// Line, from 1.
    pub line: u64,
    /// The column at fault.
    pub column: String,
    /// Why.
    pub reason: Reason,
}

/// Values of one column that were blanked or doubted for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blanked {
    /// The column.
    pub column: String,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// The first few lines.
    pub lines: Vec<u64>,
}

/// A column that the definition reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its heading, as the definition has it first.
    pub column: String,
    /// Its heading in the file; `None` when the file has no such column.
    pub heading: Option<String>,
    /// Cells that hold something.
    pub filled: u64,
    /// Whether what it says protects somebody.
    pub protects: bool,
    /// Whether the definition says so in so many words (`protects = true`): then the first file must have it too.
    pub must_protect: bool,
}

/// How full a column was in an earlier file of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Cells that held something.
    pub filled: u64,
    /// Rows of that file which were used or rejected.
    pub rows: u64,
    /// Whether that file was a whole extract, and this one is.
    pub whole: bool,
}

/// Fewest values that a column must have had, or must be expected to have, before losing most of them means something.
const FEWEST_BEFORE: f64 = 20.0;

/// So many values, in words.
fn values(count: u64) -> String {
    if count == 1 { "1 value".to_owned() } else { format!("{count} values") }
}

impl Column {
    /// The heading as its owner knows it.
    fn told(&self) -> &str {
        self.heading.as_deref().unwrap_or(&self.column)
    }

    /// What was lost, beside the file before, when that is more than the feed allows. What protects may lose nothing
    /// whole: there the last value that goes is told too.
    fn emptied(&self, rows: u64, before: Before, limit: f64) -> Option<String> {
        if rows == 0 || before.rows == 0 {
            return None;
        }
        // Of a delta nobody knows how many to expect but from the share that was filled before.
        let expected =
            if before.whole { before.filled as f64 } else { before.filled as f64 * rows as f64 / before.rows as f64 };
        let share = |filled: u64, rows: u64| filled as f64 / rows as f64;
        let fell = share(self.filled, rows) < share(before.filled, before.rows) * (1.0 - limit);
        let fewest = if self.protects { FEWEST_BEFORE / 4.0 } else { FEWEST_BEFORE };
        let last_protection = self.protects && before.whole && before.filled > 0 && self.filled == 0;
        // Only what most rows had, or many: two phone numbers that are taken out are no column that has gone.
        let counted = self.protects || share(before.filled, before.rows) >= 0.05 || before.filled >= 50;
        if !last_protection && (expected < fewest || !fell || !counted) {
            return None;
        }
        let whom = if self.protects { ", which protects people," } else { "" };
        let now = if self.filled == 0 { "none".to_owned() } else { values(self.filled) };
        let gone = if self.heading.is_none() { ", for the file lacks it" } else { "" };
        Some(format!(
            "The column {}{whom} had {} in {} rows of the last accepted file and has {now} in {rows} rows of this one{gone}. \
             Send the file with the column as it was.",
            self.told(),
            values(before.filled),
            before.rows,
        ))
    }
}

/// A column of which too little can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The column.
    pub column: String,
    /// Cells that cannot be read.
    pub count: u64,
    /// Cells that hold something.
    pub of: u64,
    /// What a cell may look like.
    pub example: Option<String>,
}

impl Unread {
    fn words(&self) -> String {
        let Self { column, count, of, example } = self;
        let expected = match example {
            Some(example) => format!("A value is expected to look like {example}. "),
            None => String::new(),
        };
        format!(
            "In the column {column}, {count} of {of} values cannot be read: their form has probably changed. {expected}\
             Send the file with the column as it was, or have the definition changed."
        )
    }
}

/// A share: of so many, so many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// What is measured, in words.
    pub name: &'static str,
    /// For how many it holds.
    pub count: u64,
    /// Of how many.
    pub of: u64,
}

impl Report {
    /// A report for a file about to be read.
    #[must_use]
    pub fn new<R: Read>(reader: &Reader<'_, R>) -> Self {
        let feed: &Feed = reader.feed;
        Self {
            source: feed.source.clone(),
            feed: feed.feed.clone(),
            format: reader.format(),
            rows: 0,
            used: 0,
            skipped: BTreeMap::new(),
            rejected: 0,
            no_person: 0,
            rejected_without_id: 0,
            rejected_rows: Vec::new(),
            blanked: Vec::new(),
            unread: Vec::new(),
            columns: Vec::new(),
            columns_ignored: reader.columns_ignored(),
            columns_missing: reader.columns_missing(),
            cut_short: false,
            quality: Vec::new(),
            counts: BTreeMap::new(),
            kind: feed.kind,
            measures_birth: feed.maps(Field::DateOfBirth),
            measures_address: feed.maps(Field::Address) || feed.maps(Field::Postcode),
            today: reader.today,
        }
    }

    /// Counts a row.
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        match row {
            Row::Used { records, problems, .. } => {
                self.used += 1;
                self.add_problems(problems);
                for (_, entry) in records {
                    if let Entry::Present(content) = entry {
                        self.measure(content);
                    }
                }
            }
            Row::Skipped { reason, .. } => *self.skipped.entry(*reason).or_default() += 1,
            Row::Rejected { line, id, column, reason, problems, .. } => {
                self.rejected += 1;
                self.no_person += u64::from(*reason == Reason::NoPerson);
                self.rejected_without_id += u64::from(id.is_none());
                self.add_problems(problems);
                if self.rejected_rows.len() < MOST_REJECTED_LISTED {
                    self.rejected_rows.push(RejectedRow { line: *line, column: column.clone(), reason: *reason });
                }
            }
        }
    }

    /// Closes the report once the last row is counted.
    pub fn finish<R: Read>(&mut self, reader: &Reader<'_, R>) {
        self.cut_short = reader.cut_short();
        self.blanked.sort_by(|a, b| {
            b.count.cmp(&a.count).then_with(|| a.column.cmp(&b.column)).then_with(|| a.reason.cmp(&b.reason))
        });
        let columns = reader.columns.iter().zip(&reader.header.agreed);
        let unread = columns.filter(|(column, _)| column.filled >= FEWEST_FILLED && column.unread * 2 >= column.filled);
        self.unread = unread
            .map(|(column, place)| Unread {
                column: reader.header.names[*place].clone(),
                count: column.unread,
                of: column.filled,
                example: reader.feed.example(&reader.header, *place),
            })
            .collect();
        self.columns = reader.columns_read();
        self.quality = MEASURES
            .iter()
            .filter_map(|name| self.counts.get(name).map(|(count, of)| Measure { name, count: *count, of: *of }))
            .collect();
    }

    /// Reads a whole file only to report on it, as `family-context check` does.
    ///
    /// # Errors
    /// When the file as a whole cannot be used.
    pub fn of<R: Read>(feed: &Feed, file: R, today: Date) -> Result<Self, FileError> {
        let mut reader = feed.reader(file, today)?;
        let mut report = Self::new(&reader);
        let mut identities = Identities::default();
        for row in reader.by_ref() {
            let row = row?;
            identities.add(feed.kind, &row);
            report.add(&row);
        }
        report.reject_shared(&reader, &identities.shared());
        report.finish(&reader);
        Ok(report)
    }

    /// Rejects rows that were used before it was known that their record id is that of several people.
    pub fn reject_shared<R: Read>(&mut self, reader: &Reader<'_, R>, shared: &BTreeMap<String, Vec<u64>>) {
        let column = reader.record_id_heading();
        let mut lines: Vec<u64> = shared.values().flatten().copied().collect();
        lines.sort_unstable();
        self.used -= lines.len() as u64;
        self.rejected += lines.len() as u64;
        let room = MOST_REJECTED_LISTED.saturating_sub(self.rejected_rows.len());
        let rows = lines.into_iter().take(room);
        let reason = Reason::SharedRecordId;
        self.rejected_rows.extend(rows.map(|line| RejectedRow { line, column: column.clone(), reason }));
        self.rejected_rows.sort_by_key(|row| row.line);
    }

    /// Rows that were skipped.
    #[must_use]
    pub fn skipped_rows(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Whether rows = used + skipped + rejected.
    #[must_use]
    pub fn every_row_is_accounted_for(&self) -> bool {
        self.rows == self.used + self.skipped_rows() + self.rejected
    }

    /// Share of rows, skipped ones and those of nobody in particular left out, that were rejected.
    #[must_use]
    pub fn rejected_share(&self) -> f64 {
        let rejected = self.rejected - self.no_person;
        let rows = self.used + rejected;
        if rows == 0 { 0.0 } else { rejected as f64 / rows as f64 }
    }

    /// Why the content of a file of this feed makes that it is held for a person to look at, a sentence each. A column that
    /// could not be read in the file before either (`known`) holds nothing up. `had` says of a column whether the last
    /// accepted file had it; [`Report::unprotected`] says what hangs on it.
    #[must_use]
    pub fn held_for(&self, feed: &Feed, known: &[String], had: impl Fn(&str) -> bool) -> Vec<String> {
        let cut_short = (feed.mode == Mode::Full && self.cut_short).then(|| {
            "The file ends in the middle of its last row: it was probably cut short. Send it again.".to_owned()
        });
        let protecting = |column: &str| self.columns.iter().any(|known| known.protects && known.told() == column);
        let unread = self.unread.iter().filter(|unread| !known.contains(&unread.column) && !protecting(&unread.column));
        self.unprotected(had).into_iter().chain(cut_short).chain(unread.map(Unread::words)).collect()
    }

    /// Columns that protect somebody, which the file lacks without lifting a protection, as the file before it did: a
    /// sentence each, told and not held.
    #[must_use]
    pub fn never_protected(&self, had: impl Fn(&str) -> bool) -> Vec<String> {
        let lacks = |column: &&Column| column.protects && column.heading.is_none();
        let never = self.columns.iter().filter(lacks).filter(|column| !column.must_protect && !had(&column.column));
        never
            .map(|column| {
                format!(
                    "The file lacks the column {}, which would protect people. If its heading is another, add that to the \
                     definition (also = [\"...\"]); if the source has no such column, take it out of the definition.",
                    column.column
                )
            })
            .collect()
    }

    /// What is wrong with the columns that protect somebody, a sentence each: such a file is held, however often it comes. One
    /// that no accepted file `had` is not missed, unless the definition says `protects = true`.
    #[must_use]
    pub fn unprotected(&self, had: impl Fn(&str) -> bool) -> Vec<String> {
        let mut words = Vec::new();
        for column in self.columns.iter().filter(|column| column.protects) {
            let Some(heading) = &column.heading else {
                if !column.must_protect && !had(&column.column) {
                    continue;
                }
                words.push(format!(
                    "The file lacks the column {}, which protects people: nothing in it would be protected. Send the file with \
                     that column. If its heading has changed, add the new one to the definition (also = [\"...\"]); if the \
                     source has no such column, take it out of the definition.",
                    column.column
                ));
                continue;
            };
            let unread = || self.blanked.iter().filter(|b| b.column == *heading && b.reason.is_unread());
            let count: u64 = unread().map(|blanked| blanked.count).sum();
            if count > 0 {
                let lines: BTreeSet<u64> = unread().flat_map(|blanked| blanked.lines.iter().copied()).collect();
                let lines: Vec<String> = lines.iter().take(MOST_LINES).map(u64::to_string).collect();
                words.push(format!(
                    "In the column {heading}, which protects people, {} cannot be understood: errors, or codes that the definition does \
                     not know (line {}). Mend them in the source and send the file again, or have the codes added to the \
                     definition.",
                    values(count),
                    lines.join(", ")
                ));
            }
        }
        words
    }

    /// Columns that lost more of their values than the feed allows, beside the last accepted file, a sentence each; those
    /// that protect somebody first.
    #[must_use]
    pub fn emptied(&self, feed: &Feed, before: impl Fn(&str) -> Option<Before>) -> Vec<String> {
        let rows = self.used + self.rejected;
        let mut columns: Vec<&Column> = self.columns.iter().collect();
        columns.sort_by_key(|column| !column.protects);
        columns
            .into_iter()
            // That a protecting column is missing is told already.
            .filter(|column| !(column.protects && column.heading.is_none()))
            .filter_map(|column| column.emptied(rows, before(&column.column)?, feed.emptied_limit))
            .collect()
    }

    fn add_problems(&mut self, problems: &[CellProblem]) {
        for problem in problems {
            match self.blanked.iter_mut().find(|known| known.column == problem.column && known.reason == problem.reason)
            {
                Some(known) => {
                    known.count += 1;
                    if known.lines.len() < MOST_LINES {
                        known.lines.push(problem.line);
                    }
                }
                None => self.blanked.push(Blanked {
                    column: problem.column.clone(),
                    reason: problem.reason,
                    count: 1,
                    lines: vec![problem.line],
                }),
            }
            // A value that is there and not valid: of so many, not one.
            let measure = match problem.field {
                Some(Field::Postcode) => VALID_POSTCODE,
                Some(Field::NhsNumber) => VALID_NHS,
                Some(Field::Upn) => VALID_UPN,
                Some(Field::Phone | Field::WorkerPhone) => VALID_PHONE,
                Some(Field::Email | Field::WorkerEmail | Field::TeamInbox) => VALID_EMAIL,
                _ => continue,
            };
            self.counts.entry(measure).or_default().1 += 1;
        }
    }

    fn count(&mut self, name: &'static str, holds: bool) {
        let (count, of) = self.counts.entry(name).or_default();
        *count += u64::from(holds);
        *of += 1;
    }

    fn valid(&mut self, name: &'static str, many: usize) {
        for _ in 0..many {
            self.count(name, true);
        }
    }

    fn measure(&mut self, content: &Content) {
        match content {
            Content::Person(details) => self.measure_person(details),
            Content::Staff(staff) => self.measure_staff(staff),
        }
    }

    fn measure_person(&mut self, details: &Details) {
        if self.kind == FeedKind::People {
            let name = details.names.first();
            self.count(WITH_FORENAME, name.is_some_and(|name: &Name| !name.forenames.is_empty()));
            self.count(WITH_SURNAME, name.is_some_and(|name| !name.surname.is_empty()));
            if self.measures_birth {
                self.count(WITH_BIRTH, details.birth.is_some());
            }
            if self.measures_address {
                self.count(WITH_ADDRESS, !details.addresses.is_empty());
            }
        }
        self.valid(VALID_POSTCODE, details.addresses.iter().filter(|address| address.postcode.is_some()).count());
        self.valid(VALID_NHS, usize::from(details.nhs_number.is_some()));
        self.valid(VALID_UPN, usize::from(details.upn.is_some()));
        self.valid(VALID_PHONE, details.phones.len());
        self.valid(VALID_EMAIL, details.emails.len());
        if let Some(birth) = details.birth.filter(|birth| !birth.expected) {
            let age = BirthDate::born(birth.date).age_on(self.today);
            self.count(AGE_IN_RANGE, details.death.is_some() || age.is_none_or(|age| age <= OLDEST));
        }
        for involvement in &details.involvements {
            self.measure_contact(&involvement.contact);
        }
    }

    fn measure_staff(&mut self, staff: &Staff) {
        self.measure_contact(&staff.contact);
    }

    fn measure_contact(&mut self, contact: &Contact) {
        self.count(CONTACT_NAMED, contact.name.is_some());
        self.count(CONTACT_ROLE, contact.role.is_some());
        self.count(CONTACT_REACHED, contact.phone.is_some() || contact.email.is_some() || contact.team_inbox.is_some());
        self.valid(VALID_PHONE, usize::from(contact.phone.is_some()));
        self.valid(VALID_EMAIL, usize::from(contact.email.is_some()) + usize::from(contact.team_inbox.is_some()));
    }
}

const WITH_FORENAME: &str = "people with a forename";
const WITH_SURNAME: &str = "people with a surname";
const WITH_BIRTH: &str = "people with a date of birth";
const WITH_ADDRESS: &str = "people with an address";
const VALID_POSTCODE: &str = "valid postcodes";
const VALID_NHS: &str = "valid NHS numbers";
const VALID_UPN: &str = "valid UPNs";
const VALID_PHONE: &str = "valid phone numbers";
const VALID_EMAIL: &str = "valid e-mail addresses";
const AGE_IN_RANGE: &str = "ages in range";
const CONTACT_NAMED: &str = "contacts with a name";
const CONTACT_ROLE: &str = "contacts with a role";
const CONTACT_REACHED: &str = "contacts with a phone or an e-mail";

/// Every measure, in the order shown.
const MEASURES: [&str; 13] = [
    WITH_FORENAME,
    WITH_SURNAME,
    WITH_BIRTH,
    WITH_ADDRESS,
    VALID_POSTCODE,
    VALID_NHS,
    VALID_UPN,
    VALID_PHONE,
    VALID_EMAIL,
    AGE_IN_RANGE,
    CONTACT_NAMED,
    CONTACT_ROLE,
    CONTACT_REACHED,
];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} ({})", self.source, self.feed, self.format)?;
        writeln!(
            f,
            "{} rows: {} used, {} skipped, {} rejected",
            self.rows,
            self.used,
            self.skipped_rows(),
            self.rejected
        )?;
        if self.cut_short {
            writeln!(f, "The file ends in the middle of its last row. It was probably cut short: send it again.")?;
        }
        for row in &self.rejected_rows {
            writeln!(f, "  line {} rejected: {}: {}", row.line, row.column, row.reason.words())?;
        }
        if self.rejected as usize > self.rejected_rows.len() {
            writeln!(f, "  and {} more rejected", self.rejected as usize - self.rejected_rows.len())?;
        }
        if !self.blanked.is_empty() {
            writeln!(f, "Values left out:")?;
            for blanked in &self.blanked {
                let lines: Vec<String> = blanked.lines.iter().map(u64::to_string).collect();
                let more = if blanked.count as usize > lines.len() { ", ..." } else { "" };
                writeln!(
                    f,
                    "  {}: {} {} (line {}{more})",
                    blanked.column,
                    blanked.count,
                    blanked.reason.words(),
                    lines.join(", ")
                )?;
            }
        }
        if !self.quality.is_empty() {
            writeln!(f, "Quality:")?;
            for measure in &self.quality {
                let share = if measure.of == 0 { 0.0 } else { measure.count as f64 * 100.0 / measure.of as f64 };
                writeln!(f, "  {share:5.1}% {} ({} of {})", measure.name, measure.count, measure.of)?;
            }
        }
        if !self.columns_missing.is_empty() {
            writeln!(f, "Columns of the definition that the file does not have: {}", self.columns_missing.join(", "))?;
        }
        if !self.columns_ignored.is_empty() {
            writeln!(
                f,
                "Columns never read, because nothing was agreed about them: {}",
                self.columns_ignored.join(", ")
            )?;
        }
        Ok(())
    }
}
