//! One row's cells to what the common data model says: every value checked, what does not fit blanked and told.

use crate::{
    Current, Entry, Feed, FeedKind, Field, Reader, Reason, Row,
    cells::{has_lost_digits, is_error_value, is_no_value, single_spaced, without_decimals, yes_or_no},
    dates::{DateFormat, OLDEST_AGE, Of},
    definition::{FactMapping, Mapping, Mode, folded_code},
    dummies,
    extract::{CellProblem, FactPlaces, Header, Places},
    names::{self, is_placeholder, surname_of, whole},
    packed::Packing,
    places,
};
use fc_model::{
    Address, BirthDate, CaseId, Contact, Content, Date, Details, Email, Fact, InvalidIdentifier, Involvement, Name,
    NameKind, NhsNumber, PartialDate, Phone, Protection, Relationship, Sex, Staff, StaffId, Upn, Uprn, fold,
};
use jiff::ToSpan;
use std::{collections::HashMap, io::Read};

/// Longest record id we take: systems use up to 48 characters.
const LONGEST_ID: usize = 64;

/// Longest text we take from any other cell, in characters; the rest is cut and told. Twenty packed addresses are shorter.
const LONGEST_TEXT: usize = 4000;

/// A birth date so many days ahead is the expected date of an unborn child: a pregnancy and some.
const DAYS_TO_BIRTH: i32 = 300;

/// First and last day at an address, as far as they are said.
type Stay = (Option<Date>, Option<Date>);

/// Largest family for which "same family" is told of everyone with everyone.
const LARGEST_FAMILY: usize = 40;

impl From<InvalidIdentifier> for Reason {
    fn from(why: InvalidIdentifier) -> Self {
        match why {
            InvalidIdentifier::Length => Self::WrongLength,
            InvalidIdentifier::Character => Self::WrongCharacter,
            InvalidIdentifier::CheckDigit => Self::CheckDigit,
            InvalidIdentifier::Placeholder => Self::Placeholder,
        }
    }
}

/// The cells of a row, read by field. Collects what was wrong with them.
struct Cells<'a> {
    feed: &'a Feed,
    header: &'a Header,
    cells: &'a [String],
    line: u64,
    today: Date,
    /// From a workbook, whose dates are dates and were written as ISO 8601 says.
    sheet: bool,
    problems: Vec<CellProblem>,
}

impl<R: Read> Reader<'_, R> {
    pub(crate) fn convert(&mut self, line: u64, cells: &[String], problems: Vec<CellProblem>) -> Row {
        let feed = self.feed;
        let sheet = self.packing == Packing::Workbook;
        let mut row = Cells { feed, header: &self.header, cells, line, today: self.today, sheet, problems };
        let records = row.records(&mut self.families);
        for (column, place) in self.columns.iter_mut().zip(&self.header.agreed) {
            if cells.get(*place).is_some_and(|cell| !is_no_value(cell)) {
                let name = &self.header.names[*place];
                column.filled += 1;
                column.unread +=
                    u64::from(row.problems.iter().any(|problem| problem.column == *name && problem.reason.is_unread()));
            }
        }
        match records {
            Ok(records) => Row::Used { line, records, problems: row.problems },
            Err(Unusable { id, at, reason }) => {
                let (column, cells) = (row.column_of(at), row.agreed());
                Row::Rejected { line, id, column, reason, cells, problems: row.problems }
            }
        }
    }
}

impl<R: Read> Reader<'_, R> {
    /// The record id of a row that is not used otherwise.
    pub(crate) fn id_of(&self, cells: &[String]) -> Option<String> {
        let (feed, header, sheet) = (self.feed, &self.header, self.packing == Packing::Workbook);
        let mut row = Cells { feed, header, cells, line: 0, today: self.today, sheet, problems: Vec::new() };
        row.record_id(Field::RecordId).ok()
    }
}

/// Why a row gives no record: the record id, when that much could be read, and the field at fault.
struct Unusable {
    id: Option<String>,
    at: Field,
    reason: Reason,
}

fn names_nobody(details: &Details) -> bool {
    details.names.iter().all(Name::is_empty)
        && details.nhs_number.is_none()
        && details.upn.is_none()
        && details.case_id.is_none()
        && details.single_unique_identifier.is_none()
        && details.other_identifiers.is_empty()
}

impl Cells<'_> {
    fn records(&mut self, families: &mut HashMap<String, Vec<String>>) -> Result<Vec<(String, Entry)>, Unusable> {
        let unusable = |at| move |reason| Unusable { id: None, at, reason };
        let id = self.record_id(Field::RecordId).map_err(unusable(Field::RecordId))?;
        if self.is_deleted() {
            return Ok(vec![(id, Entry::Gone)]);
        }
        let nobody = |at, reason| Unusable { id: Some(id.clone()), at, reason };
        let records = match self.feed.kind {
            FeedKind::Staff => {
                let staff = self.staff(&id);
                vec![(id, Entry::Present(Content::Staff(Box::new(staff))))]
            }
            FeedKind::Relationships => {
                let related = if self.feed.maps(Field::FamilyId) {
                    let Some(family) = self.text(Field::FamilyId) else {
                        return Err(nobody(Field::FamilyId, Reason::NobodyRelated));
                    };
                    let members = families.entry(family).or_default();
                    let others: Vec<String> = members.iter().filter(|other| **other != id).cloned().collect();
                    if !members.contains(&id) && members.len() < LARGEST_FAMILY {
                        members.push(id.clone());
                    }
                    others
                } else {
                    match self.record_id(Field::RelatedId) {
                        Ok(related) if related != id => vec![related],
                        _ => return Err(nobody(Field::RelatedId, Reason::NobodyRelated)),
                    }
                };
                self.relationships(&id, &related)
            }
            kind => {
                let details = self.details();
                if kind == FeedKind::People && names_nobody(&details) {
                    let named = [Field::Surname, Field::FullName, Field::Forename];
                    let named = named.into_iter().find(|field| self.feed.maps(*field));
                    let at = named.unwrap_or(Field::Surname);
                    let said =
                        [Field::FullName, Field::Forename, Field::Surname].map(|field| self.said(field)).join(" ");
                    let reason = if names::is_no_person(&said) { Reason::NoPerson } else { Reason::NobodyToName };
                    return Err(nobody(at, reason));
                }
                vec![(id, Entry::Present(Content::Person(Box::new(details))))]
            }
        };
        Ok(records)
    }

    /// The agreed cells as they were, for the source's owner to mend. A workbook's dates become dates as declared, for
    /// what is mended is CSV.
    fn agreed(&self) -> Vec<String> {
        let cell = |place: &usize| {
            let cell = self.cells.get(*place).map_or("", String::as_str);
            let date = self.sheet.then(|| DateFormat::iso().read(cell, Of::Any, self.today)).flatten();
            let declared = || self.feed.date_formats(self.header, *place);
            match date.and_then(PartialDate::whole).zip(declared().and_then(<[_]>::first)) {
                Some((date, format)) => format.write(date),
                None => cell.to_owned(),
            }
        };
        self.header.agreed.iter().map(cell).collect()
    }

    /// A date as one of the declared formats; a workbook's dates are dates.
    fn read_date(&self, text: &str, formats: &[DateFormat], of: Of) -> Result<PartialDate, Reason> {
        let declared = formats.iter().find_map(|format| format.read(text, of, self.today));
        let date = declared.or_else(|| self.sheet.then(|| DateFormat::iso().read(text, of, self.today)).flatten());
        date.ok_or_else(|| {
            if has_lost_digits(text) {
                Reason::LostDigits
            } else if DateFormat::serial().read(text, of, self.today).is_some_and(|date| date.year() >= 1920) {
                Reason::SerialDate
            } else {
                Reason::NotADate
            }
        })
    }

    fn column_name(&self, places: &Places, otherwise: &str) -> String {
        let place = places.iter().flatten().next();
        place.map_or_else(|| otherwise.to_owned(), |i| self.header.names[*i].clone())
    }

    fn column_of(&self, field: Field) -> String {
        match self.mapping(field) {
            Some((_, places)) => self.column_name(places, field.name()),
            None => field.name().to_owned(),
        }
    }

    fn problem(&mut self, field: Field, reason: Reason) {
        let column = self.column_of(field);
        self.problems.push(CellProblem { line: self.line, column, field: Some(field), reason });
    }

    fn mapping(&self, field: Field) -> Option<(&Mapping, &Places)> {
        let index = self.feed.columns.iter().position(|(mapped, _)| *mapped == field)?;
        Some((&self.feed.columns[index].1, &self.header.fields[index]))
    }

    /// The texts of a mapping's cells, codes translated, empty ones left out. The second part counts unknown codes.
    fn texts_at(&self, mapping: &Mapping, places: &Places) -> (Vec<String>, usize) {
        let mut unknown = 0;
        let mut out = Vec::new();
        let cells = places.iter().flatten().filter_map(|i| self.cells.get(*i));
        for cell in cells {
            if cell.is_empty() && mapping.values.is_none() {
                continue;
            }
            let cell = if cell.len() <= LONGEST_TEXT {
                cell.clone()
            } else {
                cell.chars().take(LONGEST_TEXT).collect::<String>()
            };
            let text = match &mapping.values {
                Some(values) => {
                    let code = folded_code(&cell);
                    let meaning = values.get(&code).or_else(|| values.get(without_decimals(&code).as_ref()));
                    match meaning.or_else(|| values.get("*").filter(|_| !code.is_empty())) {
                        Some(meaning) if meaning == "*" => cell,
                        Some(meaning) => meaning.clone(),
                        None => {
                            unknown += usize::from(!is_no_value(&cell));
                            String::new()
                        }
                    }
                }
                None => cell,
            };
            if !text.is_empty() {
                out.push(text);
            }
        }
        if out.is_empty()
            && let Some(always) = &mapping.always
        {
            out.push(always.clone());
        }
        (out, unknown)
    }

    /// Every value of a field: one text of joined cells, or for lists one for each cell and part.
    fn values(&mut self, field: Field) -> Vec<String> {
        let Some((mapping, places)) = self.mapping(field) else { return Vec::new() };
        let (texts, unknown) = self.texts_at(mapping, places);
        let too_long = texts.iter().any(|text| text.len() >= LONGEST_TEXT && text.chars().count() >= LONGEST_TEXT);
        let protects = mapping.protects(field);
        let mut cells = places.iter().flatten().filter_map(|i| self.cells.get(*i));
        let is_error = protects && cells.any(|cell| is_error_value(cell));
        let keeps_dashes = matches!(field, Field::Surname | Field::Forename | Field::FullName);
        let parts: Vec<String> = match (&mapping.split, field.is_list()) {
            (Some(split), _) => texts.iter().flat_map(|text| text.split(split.as_str())).map(str::to_owned).collect(),
            (None, true) => texts,
            (None, false) if texts.len() == 1 => texts,
            (None, false) => vec![texts.join(&mapping.join)],
        };
        let many_lines = matches!(field, Field::Address | Field::PreviousAddresses);
        let parts: Vec<String> = parts
            .into_iter()
            .map(|part| if many_lines { part.trim().to_owned() } else { single_spaced(part) })
            .filter(|part| if keeps_dashes { !part.is_empty() } else { !is_no_value(part) })
            .collect();
        let many = parts.len();
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.starts_with('=')).collect();
        if parts.len() < many {
            self.problem(field, Reason::Formula);
        }
        if is_error {
            self.problem(field, Reason::ErrorValue);
        }
        if unknown > 0 {
            self.problem(field, Reason::UnknownCode);
        }
        if too_long {
            self.problem(field, Reason::WrongLength);
        }
        parts
    }

    /// What the cells of a field hold, as they stand.
    fn said(&self, field: Field) -> String {
        self.mapping(field).map_or_else(String::new, |(mapping, places)| self.texts_at(mapping, places).0.join(" "))
    }

    fn text(&mut self, field: Field) -> Option<String> {
        self.values(field).into_iter().next()
    }

    /// A record id: trimmed, `1234.0` mended, `4.86E+09` refused.
    fn record_id(&mut self, field: Field) -> Result<String, Reason> {
        let text = self.text(field).ok_or(Reason::NoRecordId)?;
        let id = without_decimals(&text).into_owned();
        if dummies::is_record_id(&id) {
            return Err(Reason::PlaceholderRecordId);
        }
        if has_lost_digits(&id) || id.len() > LONGEST_ID { Err(Reason::UnusableRecordId) } else { Ok(id) }
    }

    fn is_deleted(&self) -> bool {
        let Mode::Delta { deleted: Some((_, values)) } = &self.feed.mode else { return false };
        let cell = self.header.deleted.and_then(|i| self.cells.get(i));
        cell.is_some_and(|cell| values.contains(&folded_code(cell)))
    }

    /// A value that is parsed; what does not fit is blanked and told.
    fn parsed<T>(
        &mut self,
        field: Field,
        text: &str,
        parse: impl Fn(&str) -> Result<T, InvalidIdentifier>,
    ) -> Option<T> {
        if has_lost_digits(text) {
            self.problem(field, Reason::LostDigits);
            return None;
        }
        match parse(&without_decimals(text)) {
            Ok(value) => Some(value),
            Err(why) => {
                self.problem(field, why.into());
                None
            }
        }
    }

    fn identifier<T>(&mut self, field: Field, parse: impl Fn(&str) -> Result<T, InvalidIdentifier>) -> Option<T> {
        let text = self.text(field)?;
        self.parsed(field, &text, parse)
    }

    fn yes(&mut self, field: Field) -> bool {
        let known = self.problems.len();
        // What may be a protection counts as one.
        let Some(text) = self.text(field) else { return self.problems.len() > known && field.protects() };
        yes_or_no(&text).unwrap_or_else(|| {
            self.problem(field, Reason::UnknownCode);
            field.protects()
        })
    }

    fn partial_date(&mut self, field: Field, of: Of) -> Option<PartialDate> {
        let text = self.text(field)?;
        let (mapping, _) = self.mapping(field)?;
        let date = self.read_date(&text, &mapping.dates, of);
        match date {
            Err(reason) => self.problem(field, reason),
            Ok(date) if date.is_placeholder() => {
                // 31/12/9999 in an end date means "no end": nothing to tell.
                if date.year() < 2099 {
                    self.problem(field, Reason::PlaceholderDate);
                }
                return None;
            }
            Ok(_) => {}
        }
        date.ok()
    }

    fn date(&mut self, field: Field) -> Option<Date> {
        self.partial_date(field, Of::Any).map(PartialDate::earliest)
    }

    // People

    fn details(&mut self) -> Details {
        let mut details = Details { names: self.names(), as_of: self.date(Field::AsOf), ..Details::default() };
        details.birth = self.birth(&details.names);
        details.death = self.partial_date(Field::DateOfDeath, Of::Past).map(PartialDate::earliest);
        if details.death.is_some_and(|day| day > self.today) {
            self.problem(Field::DateOfDeath, Reason::ImpossibleDate);
            details.death = None;
        }
        details.sex = self.sex();
        details.nhs_number = self.identifier(Field::NhsNumber, nhs_number);
        let has_upn = !self.text(Field::Upn).is_none_or(|text| dummies::is_no_upn(&text));
        details.upn = if has_upn { self.identifier(Field::Upn, Upn::parse) } else { None };
        details.case_id = self.identifier(Field::CaseId, CaseId::parse);
        details.single_unique_identifier = self
            .text(Field::SingleUniqueIdentifier)
            .filter(|text| !has_lost_digits(text) && !dummies::is_record_id(text));
        self.other_identifiers(&mut details);
        details.phones = self.phones(Field::Phone);
        details.emails =
            self.values(Field::Email).iter().filter_map(|text| self.parsed(Field::Email, text, email)).collect();
        details.addresses = self.addresses(details.as_of);
        details.not_confidential =
            self.text(Field::AddressConfidential).is_some_and(|text| yes_or_no(&text) == Some(false));
        (details.protection, details.unprotected) = self.protection();
        details.never_link = self.never_link();
        details.involvements.extend(self.involvement());
        // A case that is closed or has been handed over is on nobody's caseload.
        let ended = |involvement: &Involvement| {
            involvement.current == Some(false) || involvement.to.is_some_and(|end| end < self.today)
        };
        if !details.involvements.iter().any(ended) {
            details.allocated = self
                .values(Field::Allocated)
                .iter()
                .filter_map(|id| self.parsed(Field::Allocated, id, StaffId::parse))
                .collect();
        }
        details
    }

    /// A name's text, unless it says that no name is known.
    fn name_text(&mut self, field: Field) -> Option<String> {
        let text = self.text(field)?;
        // Null is somebody's surname; NULL in capitals is what a database export writes for nothing.
        if is_placeholder(&text) || text == "NULL" {
            self.problem(field, Reason::Placeholder);
            return None;
        }
        if text.contains('?') {
            self.problem(field, Reason::LetterLost);
        }
        Some(text)
    }

    /// Tells what was left out of a cell with a name.
    fn tell_of_name(&mut self, field: Field, parts: &names::Parts) {
        if parts.is_of_two {
            self.problem(field, Reason::SecondPerson);
        }
        if parts.has_note {
            self.problem(field, Reason::NameNote);
        }
    }

    /// A whole name, parts that say no name is known left out.
    fn whole_name(&mut self, field: Field, text: &str) -> names::Parts {
        let surname_first = self.mapping(field).is_some_and(|(mapping, _)| mapping.surname_first);
        let mut parts = whole(text, surname_first);
        self.tell_of_name(field, &parts);
        if !parts.surname.is_empty() && is_placeholder(&parts.surname) {
            self.problem(field, Reason::Placeholder);
            parts.surname.clear();
        }
        let joined = parts.forenames.join(" ");
        if !joined.is_empty() && is_placeholder(&joined) {
            self.problem(field, Reason::Placeholder);
            parts.forenames.clear();
        }
        parts
    }

    fn names(&mut self) -> Vec<Name> {
        let mut name = Name::default();
        // Pet names in brackets, and the other names that notes give.
        let (mut pets, mut also) = (Vec::new(), Vec::new());
        if let Some(text) = self.name_text(Field::FullName) {
            let parts = self.whole_name(Field::FullName, &text);
            (name.forenames, name.surname) = (parts.forenames, parts.surname);
            pets.extend(parts.preferred);
            also.extend(parts.also);
        }
        if let Some(text) = self.name_text(Field::Forename) {
            let parts = names::forenames(&text);
            self.tell_of_name(Field::Forename, &parts);
            name.forenames.extend(parts.forenames);
            pets.extend(parts.preferred);
            also.extend(parts.also);
        }
        if let Some(text) = self.name_text(Field::MiddleNames) {
            let parts = names::forenames(&text);
            self.tell_of_name(Field::MiddleNames, &parts);
            // Some systems write the middle name with the forename, and again in its own column.
            let known: Vec<String> = name.forename_tokens();
            name.forenames.extend(
                parts
                    .forenames
                    .into_iter()
                    .filter(|word| !fold::tokens(word).iter().all(|token| known.contains(token))),
            );
            pets.extend(parts.preferred);
            also.extend(parts.also);
        }
        if let Some(text) = self.name_text(Field::Surname) {
            let parts = names::surname(&text);
            self.tell_of_name(Field::Surname, &parts);
            name.surname = parts.surname;
            also.extend(parts.also);
        }
        let hidden = self.yes(Field::NameNotToBeShown);
        let mut out = Vec::new();
        let mut add = |other: Name| {
            if !other.is_empty() && !out.contains(&other) {
                out.push(other);
            }
        };
        let (forenames, surname) = (name.forenames.clone(), name.surname.clone());
        add(name);
        let other = |kind: NameKind, forenames: Vec<String>, surname: String| Name {
            kind,
            forenames,
            surname,
            not_to_be_shown: hidden,
        };
        let shown = |name: Name| Name { not_to_be_shown: false, ..name };
        let first = forenames.first().map(|first| fold::joined(first)).unwrap_or_default();
        for word in pets.into_iter().filter(|word| fold::joined(word) != first) {
            // Where former names are to be hidden, a name in brackets may be one.
            let kind = if hidden { NameKind::Former } else { NameKind::Preferred };
            add(other(kind, vec![word], surname.clone()));
        }
        let preferred = self.name_text(Field::PreferredName).map(|text| names::forenames(&text));
        if let Some(parts) = &preferred {
            self.tell_of_name(Field::PreferredName, parts);
        }
        let preferred = preferred.into_iter().flat_map(|parts| parts.forenames);
        for word in preferred.filter(|word| fold::joined(word) != first) {
            add(shown(other(NameKind::Preferred, vec![word], surname.clone())));
        }
        for said in also {
            let named = if said.is_surname { surname_of(&said.text) } else { String::new() };
            let given = if said.is_surname { Vec::new() } else { names::forenames(&said.text).forenames };
            if is_placeholder(&said.text) || named.is_empty() && given.is_empty() {
                continue;
            }
            add(match (said.is_former, said.is_surname) {
                (true, true) => other(NameKind::Former, forenames.clone(), named),
                (true, false) => other(NameKind::Former, given, surname.clone()),
                (false, true) => shown(other(NameKind::Alias, forenames.clone(), named)),
                (false, false) => shown(other(NameKind::Preferred, given, surname.clone())),
            });
        }
        for text in
            self.values(Field::KnownAs).into_iter().filter(|text| !is_placeholder(text) && fold::joined(text) != first)
        {
            add(shown(other(NameKind::Alias, names::forenames(&text).forenames, surname.clone())));
        }
        for text in self.values(Field::FormerSurname).into_iter().filter(|text| !is_placeholder(text)) {
            add(other(NameKind::Former, forenames.clone(), surname_of(&text)));
        }
        for (field, kind) in [(Field::FormerName, NameKind::Former), (Field::Alias, NameKind::Alias)] {
            let surname_first = self.mapping(field).is_some_and(|(mapping, _)| mapping.surname_first);
            for text in self.values(field).into_iter().filter(|text| !is_placeholder(text)) {
                let parts = whole(&text, surname_first);
                add(other(kind, parts.forenames, parts.surname));
            }
        }
        out
    }

    fn birth(&mut self, names: &[Name]) -> Option<BirthDate> {
        let unborn = self.yes(Field::Unborn);
        let expected = self.partial_date(Field::ExpectedDate, Of::Past);
        let born = self.partial_date(Field::DateOfBirth, Of::Past);
        let Some(date) = born else {
            return expected.map(|date| BirthDate { date, expected: true });
        };
        let ahead = (date.earliest() - self.today).get_days();
        if ahead > DAYS_TO_BIRTH || date.year() < self.today.year() - OLDEST_AGE {
            self.problem(Field::DateOfBirth, Reason::ImpossibleDate);
            return expected.map(|date| BirthDate { date, expected: true });
        }
        let named_unborn =
            names.first().is_some_and(|name| name.forename_tokens().iter().any(|token| token == "unborn"));
        Some(BirthDate { date, expected: unborn || named_unborn || ahead > 0 })
    }

    fn sex(&mut self) -> Option<Sex> {
        let text = self.text(Field::Sex)?;
        match text.to_lowercase().as_str() {
            "female" | "f" | "woman" | "girl" => Some(Sex::Female),
            "male" | "m" | "man" | "boy" => Some(Sex::Male),
            "other" | "x" | "i" | "indeterminate" | "non-binary" => Some(Sex::Other),
            "u" | "unknown" | "not known" | "not stated" | "not recorded" | "unborn" => None,
            _ => {
                self.problem(Field::Sex, Reason::UnknownCode);
                None
            }
        }
    }

    fn other_identifiers(&mut self, details: &mut Details) {
        let kind = self.mapping(Field::Identifier).and_then(|(mapping, _)| mapping.kind.clone());
        let constant = kind.zip(self.text(Field::Identifier));
        let stated = self.text(Field::IdentifierKind).zip(self.text(Field::IdentifierValue));
        // A number that is no longer the person's would be taken for theirs, unless its kind says that it is an old one.
        let ended = self.date(Field::IdentifierTo).is_some_and(|end| end < self.today);
        let stated = stated.filter(|(kind, _)| !ended || folded_code(kind).starts_with("former"));
        let stated_field = stated.is_some().then_some(Field::IdentifierValue);
        for ((kind, value), field) in
            constant.into_iter().map(|pair| (pair, Field::Identifier)).chain(stated.zip(stated_field))
        {
            if dummies::is_record_id(&value) || dummies::is_no_upn(&value) {
                self.problem(field, Reason::Placeholder);
                continue;
            }
            match folded_code(&kind).as_str() {
                "nhs_number" | "nhs number" => {
                    details.nhs_number = self.parsed(field, &value, nhs_number).or(details.nhs_number.take());
                }
                "upn" | "unique pupil number" => {
                    details.upn = self.parsed(field, &value, Upn::parse).or(details.upn.take());
                }
                kind => {
                    let read =
                        self.parsed(field, &value, |text| CaseId::parse(text).map(|id| id.as_str().to_uppercase()));
                    details.other_identifiers.extend(read.map(|value| (kind.to_owned(), value)));
                }
            }
        }
    }

    /// Phones of a cell; some hold two, `0161 496 0000 / 07700 900123`.
    fn phones(&mut self, field: Field) -> Vec<Phone> {
        let mut out = Vec::new();
        for text in self.values(field) {
            let parts: Vec<&str> = if Phone::parse(&text).is_ok() {
                vec![&text]
            } else {
                text.split(['/', ';', ',', '|']).map(str::trim).filter(|part| !part.is_empty()).collect()
            };
            for part in parts {
                if let Some(phone) = self.parsed(field, part, phone)
                    && !out.contains(&phone)
                {
                    out.push(phone);
                }
            }
        }
        out
    }

    fn addresses(&mut self, as_of: Option<Date>) -> Vec<Address> {
        let confidential = self.yes(Field::AddressConfidential);
        let mut out = Vec::new();
        let text = self.text(Field::Address).unwrap_or_default();
        let place = places::place(&text);
        if place.placeholder {
            self.problem(Field::Address, Reason::Placeholder);
        }
        let own_postcode = self.text(Field::Postcode).and_then(|text| match places::postcode(&text) {
            Ok(postcode) => Some(postcode),
            Err(why) => {
                self.problem(Field::Postcode, why.into());
                None
            }
        });
        let uprn = self
            .identifier(Field::Uprn, Uprn::parse)
            .or_else(|| place.uprn.as_deref().and_then(|text| Uprn::parse(text).ok()));
        let current = Address {
            lines: place.lines,
            postcode: own_postcode.or(place.postcode),
            uprn,
            from: self.date(Field::AddressFrom),
            to: self.date(Field::AddressTo),
            confidential,
            no_evidence: false,
        };
        let moved = current.from.or(as_of);
        if !current.is_empty() {
            out.push(current);
        }
        for text in self.values(Field::PreviousAddresses) {
            let (text, (from, to)) = self.dated(&text);
            let place = places::place(&text);
            // An earlier address has ended, if only by the day the present one began. Left open, it would make a
            // household of people who never lived together.
            let to = to.or(moved);
            if to.is_none() {
                self.problem(Field::PreviousAddresses, Reason::UndatedAddress);
                continue;
            }
            // The mark is of the present address: the home before stays.
            let earlier = Address { lines: place.lines, postcode: place.postcode, from, to, ..Address::default() };
            if !earlier.is_empty()
                && !out.iter().any(|known: &Address| known.lines == earlier.lines && known.postcode == earlier.postcode)
            {
                out.push(earlier);
            }
        }
        out
    }

    /// `12 Old Road, Kelby (2015-03-01 to 2019-05-01)`: the days after an earlier address, either of them optional.
    fn dated(&self, text: &str) -> (String, Stay) {
        let Some((before, days)) = text.trim().strip_suffix(')').and_then(|text| text.rsplit_once('(')) else {
            return (text.to_owned(), (None, None));
        };
        let Some((mapping, _)) = self.mapping(Field::PreviousAddresses) else {
            return (text.to_owned(), (None, None));
        };
        let read = |text: &str| {
            mapping
                .dates
                .iter()
                .find_map(|format| format.read(text.trim(), Of::Any, self.today))
                .map(PartialDate::earliest)
        };
        let (from, to) = days.split_once("to").unwrap_or((days, ""));
        match (read(from), read(to)) {
            // "(above the shop)" is part of the address.
            (None, None) => (text.to_owned(), (None, None)),
            days => (before.trim().to_owned(), days),
        }
    }

    /// Records never to be linked with this one. One whose digits are lost, or that is a formula, is told: it protects nobody.
    fn never_link(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        for id in self.values(Field::NeverLink) {
            if has_lost_digits(&id) {
                self.problem(Field::NeverLink, Reason::LostDigits);
            } else if dummies::is_record_id(&id) {
                self.problem(Field::NeverLink, Reason::Placeholder);
            } else {
                out.push(without_decimals(&id).into_owned());
            }
        }
        out
    }

    /// How far the person is protected, and whether the row says outright that they are not.
    fn protection(&mut self) -> (Protection, bool) {
        let mut strictest = Protection::None;
        let mut is_said = false;
        let known = self.problems.len();
        if let Some(text) = self.text(Field::Protection) {
            let read = match folded_code(&text).as_str() {
                "none" | "n" | "no" | "0" => Some(Protection::None),
                "withheld" | "y" | "yes" | "1" => Some(Protection::Withheld),
                "hidden" => Some(Protection::Hidden),
                _ => None,
            };
            is_said = true;
            strictest = read.unwrap_or_else(|| {
                self.problem(Field::Protection, Reason::UnknownCode);
                Protection::Withheld
            });
        }
        // A code that nobody explained may mean protection: withhold until somebody does.
        if self.problems.len() > known {
            strictest = strictest.max(Protection::Withheld);
        }
        (strictest, is_said && strictest == Protection::None)
    }

    // Involvements

    fn contact(&mut self) -> Contact {
        let name = self.text(Field::WorkerName).filter(|text| !is_placeholder(text)).map(|text| without_comma(&text));
        Contact {
            name,
            role: self.text(Field::WorkerRole),
            phone: self.phones(Field::WorkerPhone).into_iter().next(),
            email: self.identifier(Field::WorkerEmail, email),
            staff_id: self.identifier(Field::StaffId, StaffId::parse),
            team: self.text(Field::Team),
            team_inbox: self.identifier(Field::TeamInbox, Email::parse),
        }
    }

    fn involvement(&mut self) -> Option<Involvement> {
        let mut involvement = Involvement {
            organisation: self.text(Field::Organisation),
            contact: self.contact(),
            from: self.date(Field::InvolvementFrom),
            to: self.date(Field::InvolvementTo),
            last_interaction: self.date(Field::LastInteraction),
            current: None,
            facts: self.facts(),
        };
        let status = self.text(Field::Status);
        // A role that is always the same says nothing of this person.
        let says =
            Involvement { contact: Contact { role: None, ..involvement.contact.clone() }, ..involvement.clone() };
        if says == Involvement::default() && status.is_none() {
            return None;
        }
        involvement.current = self.is_current(&involvement, status.as_deref());
        Some(involvement)
    }

    fn is_current(&self, involvement: &Involvement, status: Option<&str>) -> Option<bool> {
        match &self.feed.current {
            Current::NotShown => None,
            Current::EndDateEmpty => Some(involvement.to.is_none()),
            Current::EndDateEmptyOrFuture => Some(involvement.to.is_none_or(|end| end >= self.today)),
            Current::StatusIn(statuses) => {
                let status = folded_code(status?);
                Some(statuses.iter().any(|open| folded_code(open) == status))
            }
            Current::LatestWithinDays(days) => {
                let latest = involvement.last_interaction.max(involvement.from)?;
                let oldest = self.today.checked_sub(i64::from(*days).days()).ok()?;
                Some(latest >= oldest)
            }
        }
    }

    fn facts(&mut self) -> Vec<Fact> {
        let mut out = Vec::new();
        let (feed, header) = (self.feed, self.header);
        for (mapping, places) in feed.facts.iter().zip(&header.facts) {
            let (texts, unknown) = self.texts_at(&mapping.value, &places.value);
            let value = texts.join(&mapping.value.join).split_whitespace().collect::<Vec<_>>().join(" ");
            if unknown == 0 && is_no_value(&value) {
                continue;
            }
            let which = match &mapping.which {
                None => mapping.facts.first().map(|(name, _)| name.clone()),
                Some(which) => {
                    let named = self.texts_at(which, &places.which).0.into_iter().next();
                    if named.is_none() {
                        self.fact_problem(&places.which, Reason::UnknownCode);
                    }
                    named
                }
            };
            let admitted = which.filter(|_| unknown == 0).and_then(|name| {
                let value = mapping.admit(&name, &value)?;
                Some((name, value))
            });
            let fact = match (admitted, &mapping.otherwise) {
                (Some((name, value)), _) => Fact { name, value, on: self.day_of(mapping, places) },
                (None, Some((name, value))) => Fact { name: name.clone(), value: value.clone(), on: None },
                (None, None) => {
                    self.fact_problem(&places.value, Reason::UnknownCode);
                    continue;
                }
            };
            // Two unlisted offences are one "Records found".
            if !out.contains(&fact) {
                out.push(fact);
            }
        }
        out
    }

    fn fact_problem(&mut self, places: &Places, reason: Reason) {
        let column = self.column_name(places, "");
        self.problems.push(CellProblem { line: self.line, column, field: None, reason });
    }

    fn day_of(&mut self, mapping: &FactMapping, places: &FactPlaces) -> Option<Date> {
        let text = places.date.and_then(|i| self.cells.get(i)).filter(|text| !is_no_value(text))?;
        let formats = mapping.date.as_ref().map(|date| date.dates.as_slice()).unwrap_or_default();
        let on = match self.read_date(text, formats, Of::Any) {
            Ok(on) => Some(on),
            Err(reason) => {
                self.fact_problem(&vec![places.date], reason);
                None
            }
        };
        on.filter(|date| !date.is_placeholder()).map(PartialDate::earliest)
    }

    // Relationships and staff

    fn relationships(&mut self, id: &str, related: &[String]) -> Vec<(String, Entry)> {
        let words = self.text(Field::Relationship);
        let (from, to) = (self.date(Field::RelationshipFrom), self.date(Field::RelationshipTo));
        let as_of = self.date(Field::AsOf);
        let inverse = words.as_ref().and_then(|words| self.feed.inverse.get(&folded_code(words)).cloned());
        if words.is_some() && inverse.is_none() {
            self.problem(Field::Relationship, Reason::NoInverse);
        }
        let unsaid = || "Related, not stated how".to_owned();
        let unlisted = inverse.is_none();
        let side = |related: &str, words: String| {
            let relationship = Relationship { related: related.to_owned(), words, from, to, unlisted };
            Entry::Present(Content::Person(Box::new(Details {
                relationships: vec![relationship],
                as_of,
                ..Details::default()
            })))
        };
        let mut out = Vec::new();
        for other in related {
            out.push((id.to_owned(), side(other, words.clone().unwrap_or_else(unsaid))));
            out.push((other.clone(), side(id, inverse.clone().unwrap_or_else(unsaid))));
        }
        out
    }

    fn staff(&mut self, id: &str) -> Staff {
        Staff { contact: Contact { staff_id: StaffId::parse(id).ok(), ..self.contact() }, left: self.date(Field::Left) }
    }
}

/// A value that passes, unless it is one that systems and people write when they have none.
fn unless<T>(dummy: bool, value: T) -> Result<T, InvalidIdentifier> {
    if dummy { Err(InvalidIdentifier::Placeholder) } else { Ok(value) }
}

fn nhs_number(text: &str) -> Result<NhsNumber, InvalidIdentifier> {
    let number = NhsNumber::parse(text)?;
    unless(dummies::are_digits(number.as_str()), number)
}

fn phone(text: &str) -> Result<Phone, InvalidIdentifier> {
    let number = Phone::parse(text)?;
    unless(dummies::are_digits(number.as_str()), number)
}

fn email(text: &str) -> Result<Email, InvalidIdentifier> {
    if dummies::is_email(text) {
        return Err(InvalidIdentifier::Placeholder);
    }
    Email::parse(text)
}

/// A worker's name as people say it: `PATEL, Ms Nisha` is Nisha PATEL.
fn without_comma(text: &str) -> String {
    if !text.contains(',') {
        return text.to_owned();
    }
    let parts = whole(text, false);
    Name::current(parts.forenames, parts.surname).display()
}
