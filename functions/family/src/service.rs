//! The expanded view of a service: what each of its sources knows, and whom to ring.

use crate::{
    Family, flags,
    page::{ContactShown, FactShown, InvolvementShown, ServicePage, ServicePart},
    read::Opened,
};
use fc_access::{PROTECTED, Refusal, Sight, in_words};
use fc_model::{Contact, Date, Email, Involvement, Phone, ServiceId, SourceId, Staff, StaffId, person::Sourced};
use fc_sources::{Definition, FeedKind};
use fc_store::people_reads;
use std::collections::BTreeMap;

/// Shown for a fact the source has nothing on.
const NO_RECORD: &str = "No record";

/// The page of a service, after one read of the staff directory.
pub(crate) async fn page(family: &Family, opened: &Opened<'_>, service: &ServiceId) -> Result<ServicePage, Refusal> {
    let definitions: Vec<&Definition> =
        flags::sources(&family.definitions).filter(|definition| definition.service == *service).collect();
    let title = definitions.first().map(|definition| definition.service_title.clone()).unwrap_or_default();
    // Of somebody whose details are withheld no source says anything, not even that it cannot.
    let definitions = if opened.sight == Sight::Open { definitions } else { Vec::new() };
    let ids: Vec<StaffId> = definitions
        .iter()
        .flat_map(|definition| {
            involvements(opened, definition).into_iter().filter_map(|said| worker(opened, definition, said))
        })
        .collect();
    let staff = directory(family, ids).await?;
    Ok(ServicePage {
        person: opened.line.clone(),
        service: service.to_string(),
        title,
        parts: definitions.into_iter().map(|definition| part(family, opened, definition, &staff)).collect(),
        protected_words: PROTECTED.to_owned(),
    })
}

async fn directory(family: &Family, mut ids: Vec<StaffId>) -> Result<BTreeMap<StaffId, Staff>, Refusal> {
    ids.sort();
    ids.dedup();
    // A staff directory knows who has left; what a case system says of its own workers fills in the rest.
    let lists = |definition: &&Definition| definition.feeds.iter().any(|feed| feed.kind == FeedKind::Staff);
    let mut listing: Vec<&Definition> = family.definitions.enabled().filter(lists).collect();
    listing.sort_by_key(|definition| definition.feeds.iter().any(|feed| feed.kind != FeedKind::Staff));
    let sources: Vec<SourceId> = listing.into_iter().map(|definition| definition.source.clone()).collect();
    let found = people_reads::staff(&family.store.people, &family.store.key, &ids, &sources).await?;
    Ok(ids.into_iter().zip(found).filter_map(|(id, staff)| Some((id, staff?))).collect())
}

/// What a source says of the person, current and newest first; nothing unless its flag says that records were found.
fn involvements<'v>(opened: &'v Opened<'_>, definition: &Definition) -> Vec<&'v Sourced<Involvement>> {
    if !flags::one(definition, opened).state.is_found() {
        return Vec::new();
    }
    let mut said: Vec<&Sourced<Involvement>> =
        opened.view.involvements.iter().filter(|said| said.source == definition.source).collect();
    said.sort_by_key(|said| {
        let newest = said.value.last_interaction.max(said.value.from);
        (said.value.current == Some(false), std::cmp::Reverse(newest))
    });
    said
}

/// The worker's id: the involvement's own or, in the case management system, that of the worker the case is allocated to.
fn worker(opened: &Opened<'_>, definition: &Definition, said: &Sourced<Involvement>) -> Option<StaffId> {
    let contact = &said.value.contact;
    let allocated = || opened.view.summary.allocated.first().filter(|_| definition.is_cms && contact.name.is_none());
    contact.staff_id.as_ref().or_else(allocated).cloned()
}

fn part(
    family: &Family,
    opened: &Opened<'_>,
    definition: &Definition,
    staff: &BTreeMap<StaffId, Staff>,
) -> ServicePart {
    let flag = flags::one(definition, opened);
    // The school tells where a child is at 3 pm: product research wants it shown to the allocated worker alone.
    let tells_too_much =
        definition.tells_place && opened.is_kept_safe() && !opened.rules.is_allocated(&opened.view.summary);
    let mut involvements: Vec<InvolvementShown> = involvements(opened, definition)
        .into_iter()
        .map(|said| InvolvementShown {
            organisation: said.value.organisation.clone(),
            contact: contact(
                opened.rules.today,
                definition,
                &said.value.contact,
                worker(opened, definition, said).and_then(|id| staff.get(&id)),
            ),
            from: said.value.from,
            to: said.value.to,
            last_interaction: said.value.last_interaction,
            current: said.value.current.filter(|_| definition.shows_current),
            facts: facts(definition, &said.value, flag.last_updated),
            as_of: opened.as_of(said),
        })
        .collect();
    let mut withheld_words = String::new();
    if tells_too_much && !involvements.is_empty() {
        let instead = Instead::of(family);
        withheld_words = instead.words(&definition.service_title);
        involvements.iter_mut().for_each(|involvement| instead.stand_in(involvement));
    }
    ServicePart {
        withheld_words,
        organisation: definition.organisation.clone(),
        area: definition.area.clone(),
        period_words: flag.last_updated.map(|day| definition.says_period(day)).unwrap_or_default(),
        coverage_words: definition.says_coverage().unwrap_or_default(),
        involvements,
        flag,
    }
}

/// Who is rung about somebody whose school is not said.
struct Instead {
    name: String,
    phone: String,
}

impl Instead {
    /// The virtual school, where the council names one; otherwise the case management system's duty team.
    fn of(family: &Family) -> Self {
        let virtual_school = family.definitions.council.virtual_school.as_ref();
        let school = virtual_school.map(|school| (school.name.clone(), school.phone.clone()));
        let duty = || {
            let cms = family.definitions.enabled().find(|definition| definition.is_cms);
            cms.map(|cms| (cms.duty.team.clone(), cms.duty.phone.clone())).unwrap_or_default()
        };
        let (name, phone) = school.unwrap_or_else(duty);
        Self { name, phone }
    }

    fn words(&self, service: &str) -> String {
        let (name, phone) = (&self.name, &self.phone);
        format!("The address is confidential, so the details of {service} are not shown. Ring {name} on {phone}.")
    }

    /// Takes its place in an involvement, of which nothing is left that tells where somebody is.
    fn stand_in(&self, involvement: &mut InvolvementShown) {
        involvement.organisation = None;
        involvement.facts.clear();
        involvement.contact = ContactShown {
            team: Some(self.name.clone()).filter(|name| !name.is_empty()),
            phone: Phone::parse(&self.phone).ok().map(|phone| phone.as_str().to_owned()),
            phone_words: self.phone.clone(),
            email_words: "Not shown".to_owned(),
            ..ContactShown::default()
        };
    }
}

/// Whom to ring: what the source says, filled from the staff directory, which alone knows who has left.
fn contact(today: Date, definition: &Definition, said: &Contact, staff: Option<&Staff>) -> ContactShown {
    let listed = staff.map(|staff| &staff.contact);
    let leaving = staff.and_then(|staff| staff.left);
    let left = leaving.filter(|day| *day < today);
    let text = |own: &Option<String>, theirs: fn(&Contact) -> &Option<String>| {
        own.clone().or_else(|| listed.and_then(|listed| theirs(listed).clone()))
    };
    let name = text(&said.name, |contact| &contact.name);
    // A leaver's number rings on an empty desk: the duty number stands beside it.
    let phone: Option<Phone> =
        said.phone.clone().or_else(|| listed.and_then(|listed| listed.phone.clone())).filter(|_| left.is_none());
    let email: Option<Email> =
        said.email.clone().or_else(|| listed.and_then(|listed| listed.email.clone())).filter(|_| left.is_none());
    let team_inbox = said.team_inbox.clone().or_else(|| listed.and_then(|listed| listed.team_inbox.clone()));
    let left_words = leaving.map_or_else(String::new, |day| {
        let (who, day) = (name.as_deref().unwrap_or("This worker"), in_words(day));
        let (team, phone) = (&definition.duty.team, &definition.duty.phone);
        if left.is_some() {
            format!("{who} left on {day}. Ring {team} on {phone}.")
        } else {
            format!("{who} leaves on {day}. After that, ring {team} on {phone}.")
        }
    });
    let empty = |field| if left.is_some() { String::new() } else { definition.says_empty(field) };
    ContactShown {
        role: text(&said.role, |contact| &contact.role),
        team: text(&said.team, |contact| &contact.team),
        phone_words: phone.as_ref().map_or_else(|| empty("Phone number"), Phone::display),
        email_words: email.as_ref().map_or_else(|| empty("Email address"), |email| email.as_str().to_owned()),
        from_staff_directory: listed.is_some_and(|listed| {
            (said.phone.is_none() && listed.phone.is_some())
                || (said.email.is_none() && listed.email.is_some())
                || (said.name.is_none() && listed.name.is_some())
        }),
        phone: phone.map(|phone| phone.as_str().to_owned()),
        email: email.map(|email| email.as_str().to_owned()),
        team_inbox: team_inbox.map(|inbox| inbox.as_str().to_owned()),
        name,
        left,
        left_words,
    }
}

/// Every fact of the definition, whether or not there is a record of it: each with its own coverage, since that differs
/// from fact to fact. What happened before the days that a fact covers is no record of it: the extract may
/// hold more, and not of everybody.
fn facts(definition: &Definition, said: &Involvement, as_of: Option<Date>) -> Vec<FactShown> {
    definition
        .facts
        .iter()
        .flat_map(|fact| {
            let period = as_of.and_then(|day| fact.coverage.first_day(day));
            let coverage_words = fact
                .coverage
                .text
                .clone()
                .or_else(|| period.map(|from| format!("Since {}.", in_words(from))))
                .unwrap_or_default();
            let shown = |value: String, on| FactShown {
                title: fact.title.clone(),
                value,
                on,
                coverage_words: coverage_words.clone(),
            };
            let mut known: Vec<FactShown> = said
                .facts
                .iter()
                .filter(|stated| stated.name == fact.name)
                .filter(|stated| stated.on.zip(period).is_none_or(|(on, from)| on >= from))
                .map(|stated| shown(stated.value.clone(), stated.on))
                .collect();
            if known.is_empty() {
                known.push(shown(NO_RECORD.to_owned(), None));
            }
            known
        })
        .collect()
}
