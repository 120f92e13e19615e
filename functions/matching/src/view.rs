//! Views: what a social worker reads of a person, made from the person's records. Pure.
//!
//! Two rules go beyond putting together what is said. A confidential address is confidential in every record of the
//! person ([`addresses`]). And a source that is not shown at the person's age gives nothing away: only sources that
//! *speak* for the person ([`speaking`]) make the summary, the search entries and the households; what the others say
//! is kept in the view by its source, and left out when it is read, until the person is old enough.

use crate::{
    cluster::{Cluster, Person},
    hidden_names::Secret,
    record,
};
use fc_linkage::{Model, Standard};
use fc_model::{
    Address, BirthDate, Date, Dated, Days, Details, HandleKey, Household, Name, NameKind, PersonId, PersonView,
    Protection, RecordHandle, RecordId, Relationship, SourceId, Summary,
    person::{Sourced, ViewRecord, ViewRelationship},
    search_keys,
};
use fc_sources::{AgeUnknown, Ages, Definitions};
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
    /// The ages at which its source is shown; `None` when it is switched off or no definition has it.
    ages: Option<Ages>,
    /// What it tells of somebody whose age nobody knows.
    age_unknown: AgeUnknown,
    /// The days on which its source is shown of the person; `None` when on none.
    days: Option<Days>,
    /// Whether that is so for good: the source speaks for the person.
    speaks: bool,
}

/// What views are made with.
pub(crate) struct Maker<'a> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) model: &'a Model,
    pub(crate) key: &'a HandleKey,
    /// The day it is: from the age on at which a source is shown it speaks for good.
    pub(crate) today: Date,
}

impl Maker<'_> {
    /// Makes a person's view. `None` when no record has any content left: the change that took it is on its way.
    pub(crate) fn view(
        &self,
        id: &PersonId,
        person: &Person,
        cluster: &Cluster,
        records: &HashMap<RecordHandle, Stored>,
    ) -> Option<PersonView> {
        let Self { definitions, model, key, today } = *self;
        let mut parts: Vec<Part<'_>> = person
            .records
            .iter()
            .filter_map(|handle| part(definitions, handle, records.get(handle)?.record.as_ref()?))
            .collect();
        parts.first()?;
        let (speaking, life_is) = speaking(&parts, today);
        for part in &mut parts {
            part.speaks = speaking.contains(&part.record.id.source);
            part.days =
                if part.speaks { Some(Days::default()) } else { part.ages.and_then(|ages| days(ages, life_is)) };
        }
        // The case management system knows a child best; the others count in the order of their definitions.
        let place = |part: &Part<'_>| definitions.iter().position(|known| known.source == part.record.id.source);
        // Two records of one source: the newer knows better, and the newest is the one that says no day of its own.
        parts.sort_by_cached_key(|part| {
            let place = place(part).unwrap_or(usize::MAX);
            (!part.speaks, !part.is_cms, place, Reverse(newness(part.as_of)), part.record.id.id.clone())
        });
        let speakers = || parts.iter().filter(|part| part.speaks);
        let (birth, death) = life(speakers());
        // Whoever some source knows to be born is not shown as expected; the source's date is told when the source is.
        let is_born = parts.iter().any(|part| part.ages.is_some() && part.details.birth.is_some_and(|b| !b.expected));
        let birth = birth.filter(|birth| !(birth.expected && is_born));

        let mut other_names = names(&parts);
        // A record may hold identifiers and no name at all; and a name that not everybody may see stands where it may.
        let is_said = |source: &SourceId| speaking.contains(source);
        let is_named = other_names.first().is_some_and(|said| is_said(&said.source));
        let name = if is_named { other_names.remove(0).value } else { Name::default() };
        let addresses = addresses(&parts);
        let households = households(key, addresses.iter().filter(|said| is_said(&said.source)));

        let protection = parts.iter().map(|part| part.details.protection).max().unwrap_or(Protection::None);
        let mut summary = Summary {
            id: id.clone(),
            name,
            other_names: distinct(
                other_names.iter().filter(|said| is_said(&said.source)).map(|said| said.value.clone()),
            ),
            birth,
            death,
            address: addresses
                .iter()
                .find(|said| is_said(&said.source) && said.value.to.is_none())
                .map(|said| shown(&said.value)),
            case_ids: distinct(speakers().filter_map(|part| part.details.case_id.clone())),
            allocated: distinct(parts.iter().flat_map(|part| part.details.allocated.clone())),
            protection: protection.max(cluster.protection(&person.records)),
            records: parts.iter().map(|part| part.handle.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
            dated: Vec::new(),
            only_dated: speaking.is_empty(),
        };
        let names: Vec<Sourced<Name>> = other_names.clone();
        summary.dated = dated(key, &parts, &summary, &names, &addresses, &households);
        Some(PersonView {
            id: id.clone(),
            epoch: person.epoch,
            scheme: search_keys::SCHEME,
            summary,
            other_names,
            death,
            sex: speakers().find_map(|part| part.details.sex),
            addresses,
            phones: newest(&parts, |details| details.phones.clone()),
            emails: newest(&parts, |details| details.emails.clone()),
            involvements: in_order(&parts, |part| part.details.involvements.clone()),
            relationships: in_order(&parts, |part| relationships(key, part)),
            records: evidence(model, &parts, cluster),
            households,
        })
    }
}

fn part<'a>(definitions: &Definitions, handle: &'a RecordHandle, record: &'a Record) -> Option<Part<'a>> {
    let details = record::details(definitions, record)?;
    let definition = definitions.get(&record.id.source);
    Some(Part {
        handle,
        standard: Standard::of(&record.id.source, &details),
        as_of: record::as_of(definitions, record),
        is_cms: definition.is_some_and(|definition| definition.is_cms),
        ages: definition.filter(|definition| definition.enabled).map(|definition| definition.ages),
        age_unknown: definition.map_or(AgeUnknown::Hide, |definition| definition.age_unknown),
        days: None,
        speaks: false,
        record,
        details,
    })
}

/// The sources that speak for a person, and birth and death as far as they decide that: those shown at any age, and those
/// shown from an age that the person has, who will never be younger. The others are told on some days only, which are
/// known here and are left to the reader: an age moves, and a projection does not.
fn speaking(parts: &[Part<'_>], today: Date) -> (BTreeSet<SourceId>, Life) {
    let at_any_age = || parts.iter().filter(|part| part.ages == Some(Ages::default()));
    let (birth, death) = life(at_any_age());
    // What a source says that is switched off counts for nothing.
    let mut speaking = sources(parts.iter().filter(|part| part.ages.is_some()));
    let by_any = life(parts.iter().filter(|part| part.ages.is_some()));
    let mut life_is = (surest(birth, by_any.0), death);
    loop {
        let may = |part: &&Part<'_>| {
            speaking.contains(&part.record.id.source)
                && part.ages.is_some_and(|ages| is_for_good(ages, part.age_unknown, life_is, today))
        };
        let still = sources(parts.iter().filter(may));
        if still.is_empty() {
            return (still, by_any);
        }
        let is_settled = still == speaking;
        // Who is left says when the person was born, and that decides again; nobody comes back.
        speaking = still;
        let said = life(parts.iter().filter(|part| speaking.contains(&part.record.id.source)));
        if is_settled && said == life_is {
            return (speaking, (surest(said.0, by_any.0), said.1));
        }
        life_is = said;
    }
}

/// A birth date, or what anybody says where there is none or where it is still an expected one and the child was born.
fn surest(birth: Option<BirthDate>, by_any: Option<BirthDate>) -> Option<BirthDate> {
    let is_born = by_any.is_some_and(|birth| !birth.expected);
    birth.filter(|birth| !(birth.expected && is_born)).or(by_any)
}

/// The days on which a source is shown of somebody, at the ages that certainly are so; `None` when on none.
fn days(ages: Ages, (birth, death): Life) -> Option<Days> {
    if ages == Ages::default() {
        return Some(Days::default());
    }
    let birth = birth?.date;
    let latest = match (birth.month(), birth.day()) {
        (Some(_), Some(_)) => birth.earliest(),
        (Some(_), None) => birth.earliest().last_of_month(),
        _ => birth.earliest().last_of_year(),
    };
    let from = ages.from.map(|from| birthday(latest, from));
    let to = ages.to.and_then(|to| birthday(birth.earliest(), to.saturating_add(1)).yesterday().ok());
    // Nobody grows older than at death.
    if from.zip(death).is_some_and(|(from, death)| death < from) {
        return None;
    }
    Some(Days { from, to: to.filter(|to| death.is_none_or(|death| death > *to)) })
}

/// The day somebody reaches an age: 1 March for those born on 29 February, where there is no such day.
fn birthday(born: Date, age: u16) -> Date {
    let day = born.checked_add(jiff::Span::new().years(i64::from(age))).unwrap_or(Date::MAX);
    if day.day() == born.day() { day } else { day.tomorrow().unwrap_or(day) }
}

/// What those say who are told on some days only, beyond what may always be told.
fn dated(
    key: &HandleKey,
    parts: &[Part<'_>],
    summary: &Summary,
    names: &[Sourced<Name>],
    addresses: &[Sourced<Address>],
    households: &[Household],
) -> Vec<Dated> {
    let folded = |name: &Name| (name.forename_tokens(), name.surname_tokens());
    let known: BTreeSet<_> = std::iter::once(&summary.name).chain(&summary.other_names).map(folded).collect();
    let mut all: Vec<Dated> = Vec::new();
    let mut seen: BTreeSet<&SourceId> = BTreeSet::new();
    for part in parts.iter().filter(|part| !part.speaks) {
        let (source, Some(days)) = (&part.record.id.source, part.days) else { continue };
        if !seen.insert(source) {
            continue;
        }
        let of_source = || parts.iter().filter(|part| part.record.id.source == *source);
        let (birth, death) = life(of_source());
        let own = |said: &&Sourced<Address>| said.source == *source;
        let address = || addresses.iter().filter(own).find(|said| said.value.to.is_none());
        let mut stays = self::households(key, addresses.iter().filter(own));
        stays.retain(|stay| !households.contains(stay));
        let case_ids = distinct(of_source().filter_map(|part| part.details.case_id.clone()));
        let said = names.iter().filter(|said| said.source == *source && !known.contains(&folded(&said.value)));
        let more = Dated {
            days,
            names: distinct(said.map(|said| said.value.clone())),
            birth: birth.filter(|_| summary.birth.is_none()),
            death: death.filter(|_| summary.death.is_none()),
            address: if summary.address.is_none() { address().map(|said| shown(&said.value)) } else { None },
            case_ids: case_ids.into_iter().filter(|case| !summary.case_ids.contains(case)).collect(),
            households: stays,
        };
        if summary.only_dated || more != (Dated { days, ..Dated::default() }) {
            all.push(more);
        }
    }
    all
}

/// The households of addresses that may be told.
fn households<'a>(key: &HandleKey, addresses: impl Iterator<Item = &'a Sourced<Address>>) -> Vec<Household> {
    let mut households: Vec<Household> = Vec::new();
    for address in addresses.map(|said| &said.value) {
        let stay =
            |text: &String| Household { key: people::household_hash(key, text), from: address.from, to: address.to };
        households.extend(address.household_keys().iter().map(stay));
    }
    households.sort();
    households.dedup();
    households
}

/// How lately something was known to be true: what says no day was confirmed by its source's last update.
fn newness(as_of: Option<Date>) -> (bool, Option<Date>) {
    (as_of.is_none(), as_of)
}

fn sources<'a>(parts: impl Iterator<Item = &'a Part<'a>>) -> BTreeSet<SourceId> {
    parts.map(|part| part.record.id.source.clone()).collect()
}

/// Birth and death.
type Life = (Option<BirthDate>, Option<Date>);

/// Birth and death, by the best of some records.
fn life<'a>(parts: impl Iterator<Item = &'a Part<'a>> + Clone) -> Life {
    let births = parts.clone().filter_map(|part| part.details.birth);
    // 1 January is what systems write that know the year alone.
    let is_new_year = |birth: &BirthDate| birth.date.whole().is_some_and(|day| (day.month(), day.day()) == (1, 1));
    let birth = births.min_by_key(|birth| {
        (birth.expected, birth.date.is_placeholder(), birth.date.whole().is_none(), is_new_year(birth))
    });
    (birth, parts.filter_map(|part| part.details.death).next())
}

/// Whether a source is shown of somebody on a day and on every later one, as far as anybody knows.
fn is_for_good(ages: Ages, age_unknown: AgeUnknown, (birth, death): Life, on: Date) -> bool {
    match (ages.from, ages.to) {
        (None, None) => true,
        // No birth date is no reason not to be found.
        _ if birth.is_none() => age_unknown != AgeUnknown::Hide,
        (Some(from), None) => {
            let on = death.map_or(on, |death| death.min(on));
            birth.and_then(|birth| youngest(birth, on)).is_some_and(|age| age >= from)
        }
        (_, Some(_)) => false,
    }
}

/// Age in whole years of somebody born on the last day that a birth date leaves open.
fn youngest(birth: BirthDate, on: Date) -> Option<u16> {
    let earliest = birth.date.earliest();
    let latest = match (birth.date.month(), birth.date.day()) {
        (Some(_), Some(_)) => earliest,
        (Some(_), None) => earliest.last_of_month(),
        _ => earliest.last_of_year(),
    };
    BirthDate { date: latest.into(), ..birth }.age_on(on)
}

/// Every name once that may be shown, the one to show first; of sources that do not speak, each source's own. No form of
/// a name not to be shown is among them, whoever writes it.
fn names(parts: &[Part<'_>]) -> Vec<Sourced<Name>> {
    let folded = |name: &Name| (name.forename_tokens(), name.surname_tokens());
    let secret = Secret::of(parts.iter().map(|part| &part.details.names[..]));
    let shown = |part: &Part<'_>, name: &Name| match secret.covers(name) {
        false => Some(name.clone()),
        true => secret.rest_of(name, &part.details.names),
    };
    let every = parts.iter().flat_map(|part| {
        let names = part.details.names.iter().filter(|name| !name.is_empty());
        names.filter_map(|name| Some((part, shown(part, name)?))).collect::<Vec<_>>()
    });
    let mut seen = BTreeMap::new();
    let mut names: Vec<Named> = Vec::new();
    for (part, name) in every {
        let is_former = !matches!(name.kind, NameKind::Current | NameKind::Preferred);
        let own = (!part.speaks).then_some(&part.record.id.source);
        let key = (own, folded(&name));
        let said = sourced(part, name);
        let named = Named { is_silent: !part.speaks, is_former, is_newborn: part.standard.newborn, said };
        match seen.get(&key) {
            None => {
                seen.insert(key, names.len());
                names.push(named);
            }
            // A name in use somewhere is no former name.
            Some(&place) if names[place].is_former && !is_former => names[place] = named,
            Some(_) => {}
        }
    }
    // A name given since birth counts before "Baby Smith", whoever says so.
    names.sort_by_key(|name| (name.is_silent, name.is_former, name.is_newborn));
    names.into_iter().map(|name| name.said).collect()
}

/// A name on its way to its place among the others.
struct Named {
    is_silent: bool,
    is_former: bool,
    is_newborn: bool,
    said: Sourced<Name>,
}

/// Every address of every source: current ones first, then by how lately they were known to be true. What any record
/// marks confidential is so in every other, however it is written there, and so is what is like that.
fn addresses(parts: &[Part<'_>]) -> Vec<Sourced<Address>> {
    let mut addresses = in_order(parts, |part| part.details.addresses.clone());
    addresses.retain(|address| !address.value.is_empty());
    let mut secret: Vec<Address> = addresses.iter().map(|a| &a.value).filter(|a| a.confidential).cloned().collect();
    while let Some(hidden) = secret.pop() {
        for address in addresses.iter_mut().map(|a| &mut a.value).filter(|a| !a.confidential && a.may_be(&hidden)) {
            address.confidential = true;
            secret.push(address.clone());
        }
    }
    addresses.sort_by_key(|a| Reverse((a.value.to.is_none(), a.value.to, newness(a.as_of), a.value.from)));
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

/// The records, each with its strongest link to another of them and why. A reason is shown whenever the record is: what
/// is said of a record is the same whether or not a source has one that may not be shown.
fn evidence(model: &Model, parts: &[Part<'_>], cluster: &Cluster) -> Vec<ViewRecord> {
    let by_handle: BTreeMap<&RecordHandle, &Part<'_>> = parts.iter().map(|part| (part.handle, part)).collect();
    let mut strongest: BTreeMap<&RecordHandle, (fc_linkage::Weight, &Part<'_>)> = BTreeMap::new();
    for edge in cluster.current_edges() {
        for (one, other) in [(&edge.a.0, &edge.b.0), (&edge.b.0, &edge.a.0)] {
            let (Some(told), Some(reason)) = (by_handle.get(one), by_handle.get(other)) else { continue };
            if !is_told_whenever(reason.days, told.days) {
                continue;
            }
            let best = strongest.entry(one).or_insert((edge.weight, reason));
            if edge.weight > best.0 {
                *best = (edge.weight, reason);
            }
        }
    }
    let record = |part: &Part<'_>| {
        let link = strongest.get(part.handle).map(|(_, reason)| model.compare(&part.standard, &reason.standard));
        // Held together by what must not be told: how like the likest of the others it is.
        let likest = || {
            let others = parts.iter().filter(|other| other.handle != part.handle);
            let others = others.filter(|other| is_told_whenever(other.days, part.days));
            others.map(|other| model.compare(&part.standard, &other.standard)).max_by_key(|found| found.weight)
        };
        let (confidence, explanation) = match link.or_else(likest) {
            Some(comparison) => (comparison.weight.probability(), fc_linkage::explain(&comparison)),
            None => (1.0, String::new()),
        };
        ViewRecord {
            handle: part.handle.clone(),
            source: part.record.id.source.clone(),
            id: part.record.id.id.clone(),
            confidence,
            explanation,
            told: part.days,
        }
    };
    parts.iter().map(record).collect()
}

/// Whether one thing may be told on every day on which another may.
fn is_told_whenever(one: Option<Days>, other: Option<Days>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_some() };
    one.from.is_none_or(|from| other.from.is_some_and(|start| from <= start))
        && one.to.is_none_or(|to| other.to.is_some_and(|end| end <= to))
}

fn sourced<T>(part: &Part<'_>, value: T) -> Sourced<T> {
    Sourced { source: part.record.id.source.clone(), as_of: part.as_of, value }
}

fn in_order<T>(parts: &[Part<'_>], of: impl Fn(&Part<'_>) -> Vec<T>) -> Vec<Sourced<T>> {
    parts.iter().flat_map(|part| of(part).into_iter().map(|value| sourced(part, value))).collect()
}

/// The newest first, each source's own once: at some ages one of them is shown and another is not.
fn newest<T: PartialEq>(parts: &[Part<'_>], of: impl Fn(&Details) -> Vec<T>) -> Vec<Sourced<T>> {
    let mut all = in_order(parts, |part| of(&part.details));
    all.sort_by_key(|sourced| Reverse(newness(sourced.as_of)));
    let mut once: Vec<Sourced<T>> = Vec::new();
    for said in all {
        if !once.iter().any(|known| known.source == said.source && known.value == said.value) {
            once.push(said);
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
