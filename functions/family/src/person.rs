//! The person page in words.

use crate::{
    Family, flags,
    page::{self, AddressShown, ContactPoint, Joined, JoinedRecord, OtherName, PersonPage},
    read::Opened,
};
use fc_access::{PROTECTED, Sight, confidential_words};
use fc_model::{
    NameKind, Sex,
    person::{Sourced, ViewRecord},
};
use std::cmp::Reverse;

/// From this probability on, one link in a thousand is wrong.
const ALMOST_CERTAIN: f64 = 0.999;
/// From this probability on, one link in a hundred is wrong; below it, people are asked to check.
const VERY_LIKELY: f64 = 0.99;

/// Shown in place of a number that stands with a confidential address.
const CONFIDENTIAL_PHONE: &str = "Not shown, because the address is confidential";

/// The page of a person who was opened, with who is beside them.
pub(crate) fn page(family: &Family, opened: &Opened<'_>, beside: page::Family) -> PersonPage {
    let mut page = PersonPage {
        person: opened.line.clone(),
        sex: None,
        other_names: Vec::new(),
        addresses: Vec::new(),
        phone: None,
        phone_words: String::new(),
        email: None,
        services: flags::all(family, opened),
        family: beside,
        joined: Joined::default(),
        protected_words: PROTECTED.to_owned(),
    };
    if opened.sight != Sight::Open {
        return page;
    }
    let view = &opened.view;
    page.sex = view.sex.map(|sex| {
        match sex {
            Sex::Female => "female",
            Sex::Male => "male",
            Sex::Other => "other",
        }
        .to_owned()
    });
    page.other_names = other_names(family, opened);
    page.addresses = addresses(family, opened);
    // The household's number leads to the household.
    let (kept, phones): (Vec<_>, Vec<_>) = (view.phones.iter().cloned())
        .partition(|said| opened.is_kept_safe() || opened.guarded.is_confidential_phone(&said.value));
    if phones.is_empty() && opened.said(family, &kept).next().is_some() {
        page.phone_words = CONFIDENTIAL_PHONE.to_owned();
    }
    page.phone = newest(family, opened, &phones).map(|said| ContactPoint {
        value: said.value.as_str().to_owned(),
        words: said.value.display(),
        source: flags::source_named(family, &said.source),
        as_of: opened.as_of(said),
    });
    page.email = newest(family, opened, &view.emails).map(|said| ContactPoint {
        value: said.value.as_str().to_owned(),
        words: said.value.as_str().to_owned(),
        source: flags::source_named(family, &said.source),
        as_of: opened.as_of(said),
    });
    page.joined = joined(family, opened);
    page
}

fn other_names(family: &Family, opened: &Opened<'_>) -> Vec<OtherName> {
    let mut names: Vec<OtherName> = Vec::new();
    let shown = opened.view.summary.name.display();
    for said in opened.said(family, &opened.view.other_names) {
        let name = said.value.display();
        if said.value.not_to_be_shown || said.value.is_empty() || name == shown || names.iter().any(|n| n.name == name)
        {
            continue;
        }
        let kind = match said.value.kind {
            NameKind::Current => "Also recorded as",
            NameKind::Preferred => "Preferred name",
            NameKind::Former => "Former name",
            NameKind::Alias => "Alias",
        };
        names.push(OtherName { name, kind: kind.to_owned(), source: flags::source_named(family, &said.source) });
    }
    names
}

/// What was true most lately; of equally late ones, the one that matching put first.
fn newest<'v, T>(family: &'v Family, opened: &'v Opened<'_>, said: &'v [Sourced<T>]) -> Option<&'v Sourced<T>> {
    opened.said(family, said).min_by_key(|said| Reverse(opened.as_of(said)))
}

/// Current ones first, then by how lately they were known to be true.
fn addresses(family: &Family, opened: &Opened<'_>) -> Vec<AddressShown> {
    let mut said: Vec<_> = opened.said(family, &opened.view.addresses).collect();
    said.sort_by_key(|said| {
        let address = &said.value;
        Reverse((address.to.is_none(), address.to, opened.as_of(said), address.from))
    });
    said.into_iter()
        .map(|said| {
            let confidential = opened.is_confidential(&said.value);
            let line = said.value.display();
            AddressShown {
                words: if confidential { confidential_words(&family.definitions) } else { line.clone() },
                address: (!confidential).then_some(line),
                confidential,
                from: said.value.from,
                to: said.value.to,
                source: flags::source_named(family, &said.source),
                as_of: opened.as_of(said),
            }
        })
        .collect()
}

fn joined(family: &Family, opened: &Opened<'_>) -> Joined {
    let mut records: Vec<JoinedRecord> = opened
        .view
        .records
        .iter()
        .filter(|record| opened.may_show(family, &record.source))
        .map(|record| joined_record(family, record))
        .collect();
    if let [only] = &mut records[..] {
        // Nothing is said of why it belongs to records that are not shown.
        *only = JoinedRecord { confidence: String::new(), explanation: String::new(), check: false, ..only.clone() };
    }
    let mut words = String::new();
    if records.len() > 1 {
        words = format!("We think these {} records are one person.", records.len());
        for record in &records {
            if !record.explanation.is_empty() {
                words.push_str(&format!(" {}: {}.", record.source.title, record.explanation.trim_end_matches('.')));
            }
            if record.check {
                words.push_str(" Check this one before relying on it.");
            }
        }
    }
    Joined { words, records }
}

fn joined_record(family: &Family, record: &ViewRecord) -> JoinedRecord {
    let confidence = match record.confidence {
        _ if record.explanation.is_empty() => "",
        sure if sure >= ALMOST_CERTAIN => "almost certain",
        sure if sure >= VERY_LIKELY => "very likely",
        _ => "likely",
    };
    JoinedRecord {
        source: flags::source_named(family, &record.source),
        confidence: confidence.to_owned(),
        explanation: record.explanation.clone(),
        check: record.confidence < VERY_LIKELY,
    }
}
