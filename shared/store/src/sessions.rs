//! What the hosted page remembers between requests, all of it short-lived: sign-ins that are used up, sessions, and searches.
//!
//! | pk | sk | content |
//! | --- | --- | --- |
//! | `LOGIN#<hash of the sign-in's state>` | `LOGIN` | nothing: the sign-in is used up. What is under way is in its cookie alone |
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

/// A sign-in under way at the issuer: what its answer must fit. No text of it has a full stop.
#[derive(Clone, PartialEq)]
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

    /// What the browser keeps of a sign-in that begins. Nothing in it is secret from its user, and none of it can be changed
    /// without the key. It is not stored here, because anybody may begin a sign-in as often as they like.
    #[must_use]
    pub fn seal(&self, sign_in: &SignIn) -> String {
        let SignIn { state, nonce, verifier, to, begun } = sign_in;
        let content = format!("{state}.{nonce}.{verifier}.{to}.{}", begun.as_second());
        format!("{content}.{}", self.key.hash("sign-in", &content))
    }

    /// The sign-in that a cookie holds, if we sealed it, and not too long ago.
    #[must_use]
    pub fn unseal(&self, cookie: &str, now: Timestamp) -> Option<SignIn> {
        let (content, seal) = cookie.rsplit_once('.')?;
        // Hashes of the two are compared, so that how long it takes tells nothing of the right one.
        let hashed = |seal: &str| self.key.hash("seal", seal);
        if hashed(seal) != hashed(&self.key.hash("sign-in", content)) {
            return None;
        }
        let fields: Vec<&str> = content.split('.').collect();
        let [state, nonce, verifier, to, begun] = fields[..] else { return None };
        let begun = Timestamp::from_second(begun.parse().ok()?).ok()?;
        let [state, nonce, verifier, to] = [state, nonce, verifier, to].map(str::to_owned);
        (now < begun + SIGN_IN_LASTS).then_some(SignIn { state, nonce, verifier, to, begun })
    }

    /// Uses a sign-in up when the issuer has said who it is: true for one caller only, so an answer cannot be played twice.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn use_up(&self, sign_in: &SignIn) -> Result<bool, StoreError> {
        let expires = sign_in.begun + SIGN_IN_LASTS;
        let item = Item::json(self.at("LOGIN", &sign_in.state), 1, &())?.expiring(expires.as_second());
        match self.table.put(&item, Guard::Absent).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoints, Names, settings::Clients};

    fn sessions(secret: u8) -> Sessions {
        let nowhere = Endpoints {
            dynamodb: "http://127.0.0.1:9".into(),
            s3: "http://127.0.0.1:9".into(),
            access_key_id: "local".into(),
            secret_access_key: "local".into(),
        };
        let key = HandleKey::new([secret; 32]).unwrap();
        Sessions::of(&Store::new(&Clients::local(&nowhere), &Names::with_prefix(""), key))
    }

    fn noon() -> Timestamp {
        "2026-03-02T12:00:00Z".parse().unwrap()
    }

    fn sign_in() -> SignIn {
        SignIn {
            state: "sta-te".into(),
            nonce: "non_ce".into(),
            verifier: "verifier".into(),
            to: "/people/P-1".into(),
            begun: noon(),
        }
    }

    #[test]
    fn a_sign_in_comes_back_from_its_cookie_until_it_is_too_old() {
        let cookie = sessions(7).seal(&sign_in());
        assert!(
            cookie.len() < 4000 && cookie.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b)),
            "{cookie}"
        );
        assert!(sessions(7).unseal(&cookie, noon() + SignedDuration::from_secs(899)) == Some(sign_in()));
        assert!(sessions(7).unseal(&cookie, noon() + SignedDuration::from_secs(900)).is_none());
    }

    #[test]
    fn a_cookie_that_was_changed_or_made_by_somebody_else_is_no_sign_in() {
        let cookie = sessions(7).seal(&sign_in());
        assert!(sessions(8).unseal(&cookie, noon()).is_none(), "another council's");
        for (part, other) in
            [("/people/P-1", "/people/P-2"), ("sta-te", "guess"), (".1772452800.", ".9772452800."), ("non_ce", "")]
        {
            assert!(cookie.contains(part), "{cookie}");
            assert!(sessions(7).unseal(&cookie.replace(part, other), noon()).is_none(), "{part}");
        }
        for junk in ["", ".", "a.b.c.d.1.", "a.b.c.d.1.0", &cookie[..cookie.len() - 1]] {
            assert!(sessions(7).unseal(junk, noon()).is_none(), "{junk}");
        }
    }
}
