//! What the hosted page remembers between requests, all of it short-lived: sign-ins under way, sessions, and searches.
//!
//! | pk | sk | content |
//! | --- | --- | --- |
//! | `LOGIN#<hash of the sign-in cookie>` | `LOGIN` | [`SignIn`]: taken once, by the callback |
//! | `SESSION#<hash of the session cookie>` | `SESSION` | [`Session`]: until signed out, idle or too old |
//! | `SEARCH#<hash of the search id>` | `SEARCH` | [`SavedSearch`]: read back by the person who made it |
//!
//! Cookie values and search ids are kept as keyed hashes only, so whoever reads the table cannot take over a session.
//! Every expiry is checked on reading, because DynamoDB removes expired items late.

use crate::{Guard, Item, Key, Store, StoreError, Table};
use fc_model::HandleKey;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How long a sign-in may take at the issuer, password and second factor included.
const SIGN_IN_LASTS: SignedDuration = SignedDuration::from_mins(15);
/// How often at most the time of the last request is written: an idle time-out may be this much early, never late.
const SEEN_AT_MOST_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// When a session ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Without any request for this long, counted from the last request.
    pub idle: SignedDuration,
    /// However busy, this long after signing in.
    pub absolute: SignedDuration,
}

/// A sign-in under way at the issuer: what its answer must fit.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    /// Comes back in the answer's address; says that this browser asked.
    pub state: String,
    /// Comes back inside the ID token; says that the token is for this sign-in.
    pub nonce: String,
    /// Proves to the issuer that whoever redeems the code asked for it (PKCE).
    pub verifier: String,
    /// Page of this service to go to afterwards.
    pub to: String,
    /// When it began.
    pub begun: Timestamp,
}

/// Someone signed in, with what the caller keeps of them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session<T> {
    /// When they signed in.
    pub opened: Timestamp,
    /// Their last request, to the minute.
    pub seen: Timestamp,
    /// What the page keeps of them.
    pub content: T,
}

/// A search somebody made, so that names stay out of addresses.
#[derive(Clone, Serialize, Deserialize)]
pub struct SavedSearch<T> {
    /// Subject of the user who made it; nobody else may read it.
    pub subject: String,
    /// When.
    pub made: Timestamp,
    /// What was searched for.
    pub content: T,
}

macro_rules! redacted {
    ($($type:ident $(<$generic:ident>)?),+) => {$(
        impl$(<$generic>)? std::fmt::Debug for $type$(<$generic>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(redacted)"))
            }
        }
    )+};
}
redacted!(SignIn, Session<T>, SavedSearch<T>);

/// A session as found, with the version that a later write must find unchanged.
#[derive(Debug, Clone)]
pub struct Live<T> {
    /// The session.
    pub session: Session<T>,
    rev: u64,
}

/// The sessions table. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    table: Table,
    key: HandleKey,
}

impl Sessions {
    /// The sessions of a store.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        Self { table: store.sessions.clone(), key: store.key.clone() }
    }

    /// Remembers a sign-in that begins, under the value of the cookie that its browser holds.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn begin(&self, cookie: &str, sign_in: &SignIn) -> Result<(), StoreError> {
        let expires = sign_in.begun + SIGN_IN_LASTS;
        let item = Item::json(self.at("LOGIN", cookie), 1, sign_in)?.expiring(expires.as_second());
        self.table.put(&item, Guard::Absent).await
    }

    /// Takes the sign-in of a browser: at most one caller ever gets it, so an answer cannot be played twice.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn take(&self, cookie: &str, now: Timestamp) -> Result<Option<SignIn>, StoreError> {
        let key = self.at("LOGIN", cookie);
        let Some(item) = self.table.get(&key, true).await? else { return Ok(None) };
        let sign_in: SignIn = item.read()?;
        match self.table.delete(&key, Guard::Is(item.rev)).await {
            Ok(()) if now < sign_in.begun + SIGN_IN_LASTS => Ok(Some(sign_in)),
            Ok(()) | Err(StoreError::Conflict) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a session under a fresh cookie value.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn open<T: Serialize>(
        &self,
        cookie: &str,
        content: T,
        now: Timestamp,
        limits: Limits,
    ) -> Result<Session<T>, StoreError> {
        let session = Session { opened: now, seen: now, content };
        self.table.put(&self.item(cookie, 1, &session, limits)?, Guard::Absent).await?;
        Ok(session)
    }

    /// The session of a cookie value, unless it has ended. Strongly consistent: signing out binds at once. Notes the
    /// request, at most once a minute.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn read<T: Serialize + DeserializeOwned>(
        &self,
        cookie: &str,
        now: Timestamp,
        limits: Limits,
    ) -> Result<Option<Live<T>>, StoreError> {
        let Some(item) = self.table.get(&self.at("SESSION", cookie), true).await? else { return Ok(None) };
        let mut session: Session<T> = item.read()?;
        if now >= session.seen + limits.idle || now >= session.opened + limits.absolute {
            return Ok(None);
        }
        let mut rev = item.rev;
        if now.duration_since(session.seen) >= SEEN_AT_MOST_EVERY {
            session.seen = now;
            // A conflict is another request of the same person noting the same, or a sign-out, which must win.
            match self.table.put(&self.item(cookie, rev + 1, &session, limits)?, Guard::Is(rev)).await {
                Ok(()) => rev += 1,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(Live { session, rev }))
    }

    /// Writes changed content back.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the session changed or ended meanwhile; otherwise when the table cannot be written.
    pub async fn keep<T: Serialize>(&self, cookie: &str, live: &Live<T>, limits: Limits) -> Result<(), StoreError> {
        self.table.put(&self.item(cookie, live.rev + 1, &live.session, limits)?, Guard::Is(live.rev)).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn close(&self, cookie: &str) -> Result<(), StoreError> {
        self.table.delete(&self.at("SESSION", cookie), Guard::None).await
    }

    /// Saves a search under a fresh id.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn save_search<T: Serialize>(
        &self,
        id: &str,
        search: &SavedSearch<T>,
        lasts: SignedDuration,
    ) -> Result<(), StoreError> {
        let expires = search.made + lasts;
        let item = Item::json(self.at("SEARCH", id), 1, search)?.expiring(expires.as_second());
        self.table.put(&item, Guard::Absent).await
    }

    /// The search that `subject` saved under an id; somebody else's, or one that has expired, is not there.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn search<T: DeserializeOwned>(
        &self,
        id: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<Option<SavedSearch<T>>, StoreError> {
        let Some(item) = self.table.get(&self.at("SEARCH", id), true).await? else { return Ok(None) };
        let search: SavedSearch<T> = item.read()?;
        let lasts = item.expires.is_some_and(|expires| now.as_second() < expires);
        Ok((lasts && search.subject == subject).then_some(search))
    }

    fn at(&self, kind: &str, secret: &str) -> Key {
        Key::new(format!("{kind}#{}", self.key.hash("session", secret)), kind)
    }

    fn item<T: Serialize>(
        &self,
        cookie: &str,
        rev: u64,
        session: &Session<T>,
        limits: Limits,
    ) -> Result<Item, StoreError> {
        let ends = (session.seen + limits.idle).min(session.opened + limits.absolute);
        Ok(Item::json(self.at("SESSION", cookie), rev, session)?.expiring(ends.as_second()))
    }
}
