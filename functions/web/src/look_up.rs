//! Searching: a form, a redirect to an opaque id, and the results behind it. Names never reach an address.

use crate::{
    App,
    address::Path,
    frame::{Frame, show},
    signed::{Posted, Signed},
    words::FieldError,
};
use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use fc_access::Refusal;
use fc_model::{CaseId, PartialDate, PersonId};
use fc_search::{Query, Results, Typed};
use fc_sources::{Council, Journey};
use serde::Deserialize;
use std::sync::Arc;

/// Longest name or case ID that is taken, in characters.
const LONGEST: usize = 100;

/// What was typed, as it was typed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct SearchForm {
    by: String,
    surname: String,
    forename: String,
    day: String,
    month: String,
    year: String,
    case_id: String,
}

impl SearchForm {
    /// What to search for, or what to mend and where.
    fn read(&self, council: &Council) -> Result<Query, Vec<FieldError>> {
        let wrong = |field, message: String| FieldError { field, message };
        if (self.by == "case" && council.search_by_case_id) || !council.search_by_name {
            if self.case_id.trim().is_empty() {
                return Err(vec![wrong("case-id", "Enter a case ID".into())]);
            }
            let typed = Typed { case_id: self.case_id.clone(), ..Typed::default() };
            return Query::parse(&typed).map_err(|refusal| vec![wrong("case-id", refusal.to_string())]);
        }
        let date = self.date_of_birth().map_err(|message| vec![wrong("birth-day", message.into())])?;
        let typed = Typed {
            surname: self.surname.clone(),
            forename: self.forename.clone(),
            date_of_birth: date.map(|date| date.to_string()).unwrap_or_default(),
            case_id: String::new(),
        };
        Query::parse(&typed).map_err(|refusal| vec![wrong("surname", refusal.to_string())])
    }

    /// The date of birth, of which the day, or the day and the month, may be left out.
    fn date_of_birth(&self) -> Result<Option<PartialDate>, &'static str> {
        let unreal = "Date of birth must be a real date, such as 27 3 2015";
        let number = |text: &str| match text.trim() {
            "" => Ok(None),
            text => text.parse::<i16>().map(Some).map_err(|_| unreal),
        };
        let (day, month, year) = (number(&self.day)?, number(&self.month)?, number(&self.year)?);
        match (year, month) {
            (None, None) if day.is_none() => return Ok(None),
            (None, _) => return Err("Date of birth must have a year. Leave it empty if you are not sure"),
            (Some(_), None) if day.is_some() => return Err("Date of birth must have a month if it has a day"),
            (Some(year), _) if year < 1000 => return Err("Year of birth must have 4 numbers, such as 2015"),
            _ => {}
        }
        let small = |number: Option<i16>| number.map(|n| i8::try_from(n).map_err(|_| unreal)).transpose();
        let date = PartialDate::new(year.unwrap_or_default(), small(month)?, small(day)?).map_err(|_| unreal)?;
        Ok(Some(date))
    }
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    frame: &'a Frame,
    heading: &'static str,
    lead: String,
    cms: &'a str,
    by_name: bool,
    by_case_id: bool,
    longest: usize,
    form: &'a SearchForm,
    errors: &'a [FieldError],
}

impl SearchPage<'_> {
    fn error(&self, field: &str) -> Option<&str> {
        self.errors.iter().find(|error| error.field == field).map(|error| error.message.as_str())
    }
}

fn search_page(app: &App, signed: &Signed, form: &SearchForm, errors: &[FieldError]) -> Response {
    let frame = Frame::new(app, Some(signed));
    let council = app.council();
    let (heading, lead) = match (council.journey, council.own_caseload_only) {
        (Journey::OpenSearch, _) => {
            ("Search for a person", "Search for the child first, then work outwards to the family.".to_owned())
        }
        (Journey::ChildFirst, false) => (
            "Search for a child",
            format!(
                "Adults cannot be found by searching. Open the child to see the people linked to them in {}.",
                council.cms
            ),
        ),
        (Journey::ChildFirst, true) => (
            "Search for a child on your caseload",
            format!(
                "You can find children who are allocated to you in {}. Open the child to see the people linked to them.",
                council.cms
            ),
        ),
    };
    let page = SearchPage {
        frame: &frame,
        heading,
        lead,
        cms: &council.cms,
        by_name: council.search_by_name,
        by_case_id: council.search_by_case_id,
        longest: LONGEST,
        form,
        errors,
    };
    show(if errors.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST }, &frame, &page)
}

/// The empty form.
pub(crate) async fn form(State(app): State<Arc<App>>, signed: Signed) -> Response {
    search_page(&app, &signed, &SearchForm::default(), &[])
}

/// Keeps the search and goes to its results.
pub(crate) async fn search(State(app): State<Arc<App>>, posted: Posted<SearchForm>) -> Response {
    let Posted { signed, form } = posted;
    let query = match form.read(app.council()) {
        Ok(query) => query,
        Err(errors) => return search_page(&app, &signed, &form, &errors),
    };
    match fc_search::save(&app.search, &signed.caller(), &query).await {
        Ok(id) => Redirect::to(&format!("/results/{id}")).into_response(),
        Err(refusal) => app.refuse(&signed, &refusal),
    }
}

#[derive(Template)]
#[template(path = "results.html")]
struct ResultsPage<'a> {
    frame: &'a Frame,
    heading: &'a str,
    terms: String,
    results: &'a Results,
    id: &'a str,
    message: &'a str,
    cms: &'a str,
    child_first: bool,
}

/// Makes a saved search, and shows whom it found. Every look is a search of its own in the audit trail.
pub(crate) async fn results(State(app): State<Arc<App>>, signed: Signed, Path(id): Path<String>) -> Response {
    let query = match fc_search::load(&app.search, &signed.caller(), &id).await {
        Ok(query) => query,
        Err(refusal) => return app.refuse(&signed, &refusal),
    };
    let results = match fc_search::find(&app.search, &signed.caller(), &query).await {
        Ok(results) => results,
        Err(refusal) => return app.refuse(&signed, &refusal),
    };
    let results = results.get();
    if let Some(person) = &results.straight_to {
        return Redirect::to(&format!("/people/{person}")).into_response();
    }
    // Where nobody was found the first sentence is the heading.
    let (heading, message) = match (results.people.len(), results.more) {
        (0, _) => match results.message.split_once(". ") {
            Some((heading, rest)) => (heading.to_owned(), rest),
            None => (results.message.clone(), ""),
        },
        (1, false) => ("1 person found".to_owned(), &*results.message),
        (n, false) => (format!("{n} people found"), &*results.message),
        (n, true) => (format!("More than {n} people found"), &*results.message),
    };
    let frame = Frame::new(&app, Some(&signed));
    let council = app.council();
    let page = ResultsPage {
        frame: &frame,
        heading: &heading,
        terms: in_words(&query),
        results,
        id: &id,
        message,
        cms: &council.cms,
        child_first: council.journey == Journey::ChildFirst,
    };
    show(StatusCode::OK, &frame, &page)
}

/// What was searched for, as it was typed.
fn in_words(query: &Query) -> String {
    let date = query.date_of_birth.map(|date| date.to_string()).unwrap_or_default();
    let case_id = query.case_id.as_ref().map(CaseId::as_str).unwrap_or_default();
    [("surname", query.surname.as_str()), ("first name", &query.forename), ("born", &date), ("case ID", case_id)]
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| format!("{label} {value}"))
        .collect::<Vec<_>>()
        .join(", ")
}

impl App {
    /// The person whom a case ID names, if this user may find them.
    pub(crate) async fn find_by_case_id(&self, signed: &Signed, case_id: CaseId) -> Result<Option<PersonId>, Refusal> {
        let query = Query { case_id: Some(case_id), ..Query::default() };
        let results = fc_search::find(&self.search, &signed.caller(), &query).await?;
        Ok(results.get().straight_to.as_deref().and_then(|person| PersonId::parse(person).ok()))
    }
}
