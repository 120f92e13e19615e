//! Views: what a social worker reads of a person, made from the person's records. Pure.

use crate::{
    cluster::{Cluster, Person},
    record,
};
use fc_linkage::{Model, Standard};
use fc_model::{
    Address, Date, Details, HandleKey, Household, Name, NameKind, PersonId, PersonView, Protection, RecordHandle,
    RecordId, Relationship, Summary, fold,
    person::{Sourced, ViewRecord, ViewRelationship},
};
use fc_sources::Definitions;
use fc_store::{
    people,
    records::{Record, Stored},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
};

/// A record of the person, put together.
struct Part<'a> {
    handle: &'a RecordHandle,
    record: &'a Record,
    details: Details,
    standard: Standard,
    as_of: Option<Date>,
    is_cms: bool,
}

/// Makes a person's view. `None` when no record has any content left: the change that took it is on its way.
pub(crate) fn view(
    definitions: &Definitions,
    model: &Model,
    key: &HandleKey,
    id: &PersonId,
    person: &Person,
    cluster: &Cluster,
    records: &HashMap<RecordHandle, Stored>,
) -> Option<PersonView> {
    let mut parts: Vec<Part<'_>> = person
        .records
        .iter()
        .filter_map(|handle| part(definitions, handle, records.get(handle)?.record.as_ref()?))
        .collect();
    // The case management system knows a child best; the others count in the order of their definitions.
    let place = |part: &Part<'_>| definitions.iter().position(|known| known.source == part.record.id.source);
    parts.sort_by_key(|part| (!part.is_cms, place(part).unwrap_or(usize::MAX), part.handle));
    let best = parts.first()?;

    let names = names(&parts);
    // A record may hold identifiers and no name at all.
    let (name, other_names) = names
        .split_first()
        .map_or_else(|| (Name::default(), Vec::new()), |(first, others)| (first.value.clone(), others.to_vec()));
    let addresses = addresses(&parts);
    let mut households: Vec<Household> = Vec::new();
    for address in addresses.iter().map(|address| &address.value) {
        let stay =
            |text: &String| Household { key: people::household_hash(key, text), from: address.from, to: address.to };
        households.extend(address.household_keys().iter().map(stay));
    }
    households.sort();
    households.dedup();

    let protection = parts.iter().map(|part| part.details.protection).max().unwrap_or(Protection::None);
    let summary = Summary {
        id: id.clone(),
        name,
        other_names: other_names.iter().map(|name| name.value.clone()).collect(),
        birth: {
            let births = parts.iter().filter_map(|part| part.details.birth);
            births.min_by_key(|birth| (birth.expected, birth.date.is_placeholder(), birth.date.whole().is_none()))
        },
        death: parts.iter().find_map(|part| part.details.death),
        address: addresses.iter().map(|address| &address.value).find(|address| address.to.is_none()).map(shown),
        case_ids: distinct(parts.iter().filter_map(|part| part.details.case_id.clone())),
        allocated: distinct(parts.iter().flat_map(|part| part.details.allocated.clone())),
        protection: protection.max(person.kept),
    };
    Some(PersonView {
        id: id.clone(),
        epoch: person.epoch,
        summary,
        other_names,
        death: parts.iter().find_map(|part| part.details.death),
        sex: best.details.sex.or_else(|| parts.iter().find_map(|part| part.details.sex)),
        addresses,
        phones: newest(&parts, |details| details.phones.clone()),
        emails: newest(&parts, |details| details.emails.clone()),
        involvements: in_order(&parts, |part| part.details.involvements.clone()),
        relationships: in_order(&parts, |part| relationships(key, part)),
        records: evidence(model, &parts, cluster),
        households,
    })
}

fn part<'a>(definitions: &Definitions, handle: &'a RecordHandle, record: &'a Record) -> Option<Part<'a>> {
    let details = record::details(definitions, record)?;
    Some(Part {
        handle,
        standard: Standard::of(&record.id.source, &details),
        as_of: record::as_of(record, &details),
        is_cms: definitions.get(&record.id.source).is_some_and(|definition| definition.is_cms),
        record,
        details,
    })
}

/// Every name once, the one to show first.
fn names(parts: &[Part<'_>]) -> Vec<Sourced<Name>> {
    let folded = |name: &Name| (name.forename_tokens(), name.surname_tokens());
    let every = || parts.iter().flat_map(|part| part.details.names.iter().map(move |name| (part, name)));
    let secret: BTreeSet<_> = every().filter(|(_, name)| name.not_to_be_shown).map(|(_, name)| folded(name)).collect();
    let mut seen = BTreeMap::new();
    let mut names: Vec<(bool, bool, Sourced<Name>)> = Vec::new();
    for (part, name) in every().filter(|(_, name)| !name.is_empty()) {
        let is_former = !matches!(name.kind, NameKind::Current | NameKind::Preferred);
        // What one source marks as not to be shown is not shown because another does not know better.
        let not_to_be_shown = secret.contains(&folded(name));
        let sourced = sourced(part, Name { not_to_be_shown, ..name.clone() });
        match seen.get(&folded(name)) {
            None => {
                seen.insert(folded(name), names.len());
                names.push((is_former, part.standard.newborn, sourced));
            }
            // A name in use somewhere is no former name.
            Some(&place) if names[place].0 && !is_former => names[place] = (false, part.standard.newborn, sourced),
            Some(_) => {}
        }
    }
    // A name given since birth counts before "Baby Smith", whoever says so.
    names.sort_by_key(|(is_former, newborn, name)| (name.value.not_to_be_shown, *is_former, *newborn));
    names.into_iter().map(|(_, _, name)| name).collect()
}

/// Every address of every source: current ones first, then by how lately they were known to be true.
fn addresses(parts: &[Part<'_>]) -> Vec<Sourced<Address>> {
    let mut addresses = in_order(parts, |part| part.details.addresses.clone());
    addresses.retain(|address| !address.value.is_empty());
    // A refuge stays secret also where another source holds it as an ordinary address.
    let premises = |address: &Address| {
        let mut keys = Address { confidential: false, ..address.clone() }.household_keys();
        keys.push(fold::joined(&address.display()));
        keys.retain(|key| !key.is_empty());
        keys
    };
    let secret: BTreeSet<String> =
        addresses.iter().filter(|a| a.value.confidential).flat_map(|a| premises(&a.value)).collect();
    for address in &mut addresses {
        address.value.confidential |= premises(&address.value).iter().any(|key| secret.contains(key));
    }
    addresses.sort_by_key(|a| Reverse((a.value.to.is_none(), a.value.to, a.as_of, a.value.from)));
    addresses
}

/// An address as results may show it.
fn shown(address: &Address) -> Address {
    if address.confidential { Address { confidential: true, ..Address::default() } } else { address.clone() }
}

/// Relationships from a record's side; the related record by its handle, resolved when read.
fn relationships(key: &HandleKey, part: &Part<'_>) -> Vec<ViewRelationship> {
    let resolve = |relationship: &Relationship| ViewRelationship {
        related: key.record(&RecordId::new(part.record.id.source.clone(), relationship.related.clone())),
        relationship: Relationship { related: String::new(), ..relationship.clone() },
    };
    part.details.relationships.iter().map(resolve).collect()
}

/// The records, each with its strongest link to another of them and why.
fn evidence(model: &Model, parts: &[Part<'_>], cluster: &Cluster) -> Vec<ViewRecord> {
    let standards: BTreeMap<&RecordHandle, &Standard> =
        parts.iter().map(|part| (part.handle, &part.standard)).collect();
    let mut strongest: BTreeMap<&RecordHandle, (fc_linkage::Weight, &RecordHandle)> = BTreeMap::new();
    for edge in cluster.current_edges() {
        for (one, other) in [(&edge.a.0, &edge.b.0), (&edge.b.0, &edge.a.0)] {
            if !standards.contains_key(one) || !standards.contains_key(other) {
                continue;
            }
            let best = strongest.entry(one).or_insert((edge.weight, other));
            if edge.weight > best.0 {
                *best = (edge.weight, other);
            }
        }
    }
    let record = |part: &Part<'_>| {
        let link = strongest.get(part.handle).and_then(|(weight, other)| Some((weight, standards.get(other)?)));
        let (confidence, explanation) = match link {
            Some((weight, other)) => (weight.probability(), fc_linkage::explain(&model.compare(&part.standard, other))),
            None => (1.0, String::new()),
        };
        ViewRecord {
            handle: part.handle.clone(),
            source: part.record.id.source.clone(),
            id: part.record.id.id.clone(),
            confidence,
            explanation,
        }
    };
    parts.iter().map(record).collect()
}

fn sourced<T>(part: &Part<'_>, value: T) -> Sourced<T> {
    Sourced { source: part.record.id.source.clone(), as_of: part.as_of, value }
}

fn in_order<T>(parts: &[Part<'_>], of: impl Fn(&Part<'_>) -> Vec<T>) -> Vec<Sourced<T>> {
    parts.iter().flat_map(|part| of(part).into_iter().map(|value| sourced(part, value))).collect()
}

/// The newest first; what several sources say, as of the newest of them.
fn newest<T: PartialEq>(parts: &[Part<'_>], of: impl Fn(&Details) -> Vec<T>) -> Vec<Sourced<T>> {
    let mut all = in_order(parts, |part| of(&part.details));
    all.sort_by_key(|sourced| Reverse(sourced.as_of));
    let mut once: Vec<Sourced<T>> = Vec::new();
    for sourced in all {
        if !once.iter().any(|known| known.value == sourced.value) {
            once.push(sourced);
        }
    }
    once
}

fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
}
