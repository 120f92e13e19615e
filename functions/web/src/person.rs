//! A person, and the detail of one service: two pages, two acts, each in the audit trail.

use crate::{
    App,
    address::{Path, Query},
    frame::{Frame, show},
    signed::{Posted, Signed, Stated},
    words::FieldError,
};
use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use fc_access::{Opening, Refusal};
use fc_family::page::{PersonPage, ServicePage};
use fc_model::{CaseId, PersonId};
use fc_store::StoreError;
use serde::Deserialize;
use std::sync::Arc;

/// Longest search id that an address may hold; ours are 32 characters.
const LONGEST_ID: usize = 64;
/// How often keeping a purpose starts over when another page of the same session was opened meanwhile.
const TRIES: usize = 4;

/// What an address says of the way here, in opaque ids.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Trail {
    from: Option<String>,
    child: Option<String>,
}

/// Where a page stands: the results it was opened from, and the child it was reached through. Makes its links.
#[derive(Clone, Default)]
pub(crate) struct Place {
    from: Option<String>,
    child: Option<PersonId>,
}

impl Place {
    fn new(trail: Trail) -> Self {
        let safe = |id: &String| {
            id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        Self { from: trail.from.filter(safe), child: trail.child.and_then(|child| PersonId::parse(&child).ok()) }
    }

    fn back(&self) -> (String, &'static str) {
        match &self.from {
            Some(from) => (format!("/results/{from}"), "Back to results"),
            None => ("/search".into(), "Search"),
        }
    }

    fn with_trail(&self, path: &str, child: Option<&str>) -> String {
        let from = self.from.as_deref().map(|from| format!("from={from}"));
        let trail: Vec<String> = from.into_iter().chain(child.map(|child| format!("child={child}"))).collect();
        if trail.is_empty() { path.to_owned() } else { format!("{path}?{}", trail.join("&")) }
    }

    fn person(&self, person: &str) -> String {
        self.here(&format!("/people/{person}"))
    }

    fn service(&self, person: &str, service: &str) -> String {
        self.here(&format!("/people/{person}/services/{service}"))
    }

    fn wrong(&self, person: &str) -> String {
        self.here(&format!("/people/{person}/wrong"))
    }

    fn here(&self, path: &str) -> String {
        let child = self.child.as_ref().map(ToString::to_string);
        self.with_trail(path, child.as_deref())
    }

    /// To somebody beside the person on this page, through the child whom the page names.
    fn relative(&self, through: &Option<String>, relative: &str) -> String {
        self.with_trail(&format!("/people/{relative}"), through.as_deref().filter(|child| *child != relative))
    }

    /// The same place, reached for this child; without a child, where the person is the child.
    fn through(self, child: &PersonId, person: &PersonId) -> Self {
        Self { child: Some(child.clone()).filter(|child| child != person), ..self }
    }
}

#[derive(Template)]
#[template(path = "person.html")]
struct PersonTemplate<'a> {
    frame: &'a Frame,
    place: &'a Place,
    cms: &'a str,
    page: &'a PersonPage,
}

#[derive(Template)]
#[template(path = "service.html")]
struct ServiceTemplate<'a> {
    frame: &'a Frame,
    place: &'a Place,
    page: &'a ServicePage,
}

/// What was answered to "why".
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct PurposeForm {
    child: String,
    case_id: String,
    purpose: String,
}

/// Purposes as the audit trail keeps them, and as people say them.
const PURPOSES: [(&str, &str); 3] = [
    ("section-17", "Child in need (section 17)"),
    ("section-47", "Child protection enquiry (section 47)"),
    ("other", "Another purpose"),
];

#[derive(Template)]
#[template(path = "purpose.html")]
struct PurposeTemplate<'a> {
    frame: &'a Frame,
    place: &'a Place,
    cms: &'a str,
    guidance: Option<&'a str>,
    action: String,
    from_child: bool,
    purposes: &'a [(&'a str, &'a str)],
    form: &'a PurposeForm,
    longest: usize,
    errors: &'a [FieldError],
}

impl PurposeTemplate<'_> {
    fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|error| error.field == field).map(|error| error.message.as_str())
    }
}

fn ask_purpose(
    app: &App,
    signed: &Signed,
    place: &Place,
    person: &PersonId,
    form: &PurposeForm,
    errors: &[FieldError],
) -> Response {
    let frame = Frame::new(app, Some(signed));
    let council = app.council();
    let page = PurposeTemplate {
        frame: &frame,
        place,
        cms: &council.cms,
        guidance: council.consent_guidance.as_deref(),
        action: place.here(&format!("/people/{person}/purpose")),
        from_child: place.child.is_some(),
        purposes: &PURPOSES,
        form,
        longest: LONGEST_ID,
        errors,
    };
    show(if errors.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &frame, &page)
}

/// Why and through whom somebody opens a person: what they said where the council asks, else the way they came.
fn opening(app: &App, signed: &Signed, place: &Place, person: &PersonId) -> Opening {
    match signed.stated(person, place.child.as_ref(), app) {
        Some(stated) => Opening { child: Some(stated.child.clone()), purpose: Some(stated.purpose.clone()) },
        None => Opening { child: place.child.clone(), purpose: None },
    }
}

/// Opens a person: basic details, a flag per service, family.
pub(crate) async fn person(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path(person): Path<String>,
    Query(trail): Query<Trail>,
) -> Response {
    let place = Place::new(trail);
    let Ok(id) = PersonId::parse(&person) else { return app.not_found(Some(&signed)) };
    match fc_family::open_person(&app.family, &signed.caller(), &person, &opening(&app, &signed, &place, &id)).await {
        Ok(page) => {
            let frame = Frame::new(&app, Some(&signed));
            let page = PersonTemplate { frame: &frame, place: &place, cms: &app.council().cms, page: page.get() };
            show(StatusCode::OK, &frame, &page)
        }
        Err(Refusal::PurposeNeeded) => ask_purpose(&app, &signed, &place, &id, &PurposeForm::default(), &[]),
        Err(refusal) => app.refuse(&signed, &refusal),
    }
}

/// Opens the detail of a service: an act of its own.
pub(crate) async fn service(
    State(app): State<Arc<App>>,
    signed: Signed,
    Path((person, service)): Path<(String, String)>,
    Query(trail): Query<Trail>,
) -> Response {
    let place = Place::new(trail);
    let Ok(id) = PersonId::parse(&person) else { return app.not_found(Some(&signed)) };
    let opening = opening(&app, &signed, &place, &id);
    match fc_family::open_service(&app.family, &signed.caller(), &person, &service, &opening).await {
        Ok(page) => {
            let frame = Frame::new(&app, Some(&signed));
            show(StatusCode::OK, &frame, &ServiceTemplate { frame: &frame, place: &place, page: page.get() })
        }
        Err(Refusal::PurposeNeeded) => ask_purpose(&app, &signed, &place, &id, &PurposeForm::default(), &[]),
        Err(refusal) => app.refuse(&signed, &refusal),
    }
}

/// Takes the child and the purpose for opening a person, and opens the person.
pub(crate) async fn purpose(
    State(app): State<Arc<App>>,
    Path(person): Path<String>,
    Query(trail): Query<Trail>,
    posted: Posted<PurposeForm>,
) -> Response {
    let Posted { mut signed, form } = posted;
    let place = Place::new(trail);
    let Ok(id) = PersonId::parse(&person) else { return app.not_found(Some(&signed)) };
    let mut errors = Vec::new();
    let mut wrong = |field, message: &str| errors.push(FieldError { field, message: message.into() });
    if !PURPOSES.iter().any(|(purpose, _)| *purpose == form.purpose) {
        wrong("purpose", "Choose the purpose");
    }
    let child = match (form.child.as_str(), &place.child) {
        ("this", _) => Some(id.clone()),
        ("before", Some(child)) => Some(child.clone()),
        ("case", _) => match CaseId::parse(form.case_id.trim()) {
            Ok(case_id) => match app.find_by_case_id(&signed, case_id).await {
                Ok(Some(child)) => Some(child),
                Ok(None) => {
                    wrong("case-id", "No child was found with that case ID. Check it and try again");
                    None
                }
                Err(refusal) => return app.refuse(&signed, &refusal),
            },
            Err(_) => {
                wrong("case-id", "Enter the case ID of the child");
                None
            }
        },
        _ => {
            wrong("child", "Choose which child this is for");
            None
        }
    };
    let Some(child) = child.filter(|_| errors.is_empty()) else {
        return ask_purpose(&app, &signed, &place, &id, &form, &errors);
    };
    // What was said counts for this child alone, so the way on is the way of this child.
    let place = place.through(&child, &id);
    let stated = Stated { person: id.clone(), child, purpose: form.purpose, at: (app.clock)() };
    match keep(&app, &mut signed, &stated).await {
        Ok(()) => Redirect::to(&place.person(&person)).into_response(),
        Err(error) => app.refuse(&signed, &Refusal::Unavailable(error)),
    }
}

/// Keeps a purpose in the session, also when another page of the session was opened meanwhile.
async fn keep(app: &App, signed: &mut Signed, stated: &Stated) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        signed.state(stated.clone());
        match app.sessions.keep(&signed.cookie, &signed.live, app.limits()).await {
            Err(StoreError::Conflict) => {}
            other => return other,
        }
        let again = app.sessions.read(&signed.cookie, (app.clock)(), app.limits()).await?;
        signed.live = again.ok_or(StoreError::Conflict)?;
    }
    Err(StoreError::Conflict)
}

/// Takes back the opening of a wrong person: recorded, and back to the results.
pub(crate) async fn wrong(
    State(app): State<Arc<App>>,
    Path(person): Path<String>,
    Query(trail): Query<Trail>,
    posted: Posted<crate::signed::Nothing>,
) -> Response {
    let signed = posted.signed;
    let place = Place::new(trail);
    match fc_family::wrong_person(&app.family, &signed.caller(), &person).await {
        Ok(_) => Redirect::to(&place.back().0).into_response(),
        Err(refusal) => app.refuse(&signed, &refusal),
    }
}
