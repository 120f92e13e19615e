//! The hosted page: sign in, search, open a person, open a service, read whom to ring.
//!
//! A request passes, in this order: [`router`] and its headers, `signed` (the cookie, the session, and for forms the
//! checks that they are ours), then one of the pages: `sign_in` with `issuer`, `look_up`, `person`. Pages are templates
//! over plain text that `words` prepares. Who may see what, and the audit trail, is the code of search and family, the
//! same as behind the API; this crate never reads a record.
//!
//! Server-rendered, without any script.

mod address;
mod frame;
mod issuer;
mod look_up;
mod person;
mod settings;
mod sign_in;
mod signed;
mod words;

pub use settings::{Settings, SettingsError};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use fc_access::{Auditor, Clock};
use fc_family::Family;
use fc_search::Search;
use fc_sources::{Council, Definitions};
use fc_store::{
    Store,
    sessions::{Limits, Sessions},
};
use jiff::SignedDuration;
use std::sync::Arc;

/// What the page is made of.
#[derive(Clone)]
pub struct Web {
    /// Tables: people and feeds to read, the audit trail to add to, sessions to keep.
    pub store: Store,
    /// Every source, and the council's own settings.
    pub definitions: Arc<Definitions>,
    /// Where we are, and who signs people in.
    pub settings: Settings,
    /// Tells the time; tests bring their own.
    pub clock: Clock,
}

/// What handlers share.
struct App {
    settings: Arc<Settings>,
    definitions: Arc<Definitions>,
    issuer: issuer::Issuer,
    sessions: Sessions,
    search: Search,
    family: Family,
    auditor: Auditor,
    clock: Clock,
}

impl App {
    fn new(web: Web) -> Self {
        let settings = Arc::new(web.settings);
        Self {
            issuer: issuer::Issuer::new(settings.clone(), web.clock),
            sessions: Sessions::of(&web.store),
            search: Search { store: web.store.clone(), definitions: web.definitions.clone(), clock: web.clock },
            family: Family { store: web.store.clone(), definitions: web.definitions.clone(), clock: web.clock },
            auditor: Auditor::new(web.store.audit.clone(), web.clock),
            settings,
            definitions: web.definitions,
            clock: web.clock,
        }
    }

    fn council(&self) -> &Council {
        &self.definitions.council
    }

    /// When sessions end by themselves. Settings are minutes, so they always fit.
    fn limits(&self) -> Limits {
        let signed = |time| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        Limits { idle: signed(self.council().session_idle), absolute: signed(self.council().session_longest) }
    }
}

/// The page.
pub fn router(web: Web) -> Router {
    let app = Arc::new(App::new(web));
    let routes = Router::new()
        .route("/", get(sign_in::home))
        .route("/auth/sign-in", get(sign_in::begin))
        .route("/auth/callback", get(sign_in::callback))
        .route("/auth/sign-out", post(sign_in::sign_out))
        .route("/auth/signed-out", get(sign_in::signed_out))
        .route("/search", get(look_up::form).post(look_up::search))
        .route("/results/{search}", get(look_up::results))
        .route("/people/{person}", get(person::person))
        .route("/people/{person}/purpose", post(person::purpose))
        .route("/people/{person}/services/{service}", get(person::service))
        .route("/people/{person}/wrong", post(person::wrong))
        .route("/assets/{name}", get(frame::asset))
        .fallback(frame::no_such_page)
        .method_not_allowed_fallback(frame::no_such_page)
        .layer(middleware::from_fn_with_state(app.clone(), frame::policy))
        .with_state(app);
    fc_http::secured(routes)
}
