//! Who is asking: read from the claims of a token that the edge or the sign-in has already checked.

use fc_model::StaffId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};

/// Longest user id that is taken; directory ids are 36 characters.
const LONGEST_ID: usize = 128;
/// Longest name that is kept.
const LONGEST_NAME: usize = 120;

/// What the council's directory lets someone do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks people up.
    SocialWorker,
    /// Looks people up, and sees who looked at what.
    TeamManager,
    /// Decides uncertain matches.
    Steward,
    /// Sees what is held, for how long, and who saw it.
    InformationGovernance,
}

impl Role {
    /// The name of the app role in the council's directory.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SocialWorker => "social-worker",
            Self::TeamManager => "team-manager",
            Self::Steward => "steward",
            Self::InformationGovernance => "information-governance",
        }
    }

    /// A role by its whole name; `None` for any that is not ours. Case and what stands between its words do not matter,
    /// since directories have their own habits: `SocialWorker`, `social_worker`, `Social Worker`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        [Self::SocialWorker, Self::TeamManager, Self::Steward, Self::InformationGovernance].into_iter().find(|role| {
            ["-", "_", " ", ""].iter().any(|between| role.as_str().replace('-', between).eq_ignore_ascii_case(text))
        })
    }
}

/// The claim of a token that holds roles: one setting for the page and the API. `roles` unless the council's directory
/// has another name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolesClaim(String);

impl Default for RolesClaim {
    fn default() -> Self {
        Self("roles".to_owned())
    }
}

impl RolesClaim {
    /// A claim by its name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// From `OIDC_ROLES_CLAIM`, when it is set.
    #[must_use]
    pub fn from_environment() -> Self {
        std::env::var("OIDC_ROLES_CLAIM").ok().filter(|name| !name.is_empty()).map_or_else(Self::default, Self)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A signed-in user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The directory's own id: it outlives a change of name or e-mail.
    pub id: String,
    /// Name as shown on the page and kept in the audit trail.
    pub name: String,
    /// E-mail, when the token has it.
    pub email: Option<String>,
    /// Their id in the staff directory, for one's own caseload, when the token has it.
    pub staff_id: Option<StaffId>,
    /// What they may do. Empty: nothing.
    pub roles: BTreeSet<Role>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("roles", &self.roles).finish_non_exhaustive()
    }
}

/// The claims name nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token names no user")]
pub struct Nobody;

impl User {
    /// From the claims of an ID token or an access token, as JSON.
    ///
    /// The id is `oid` (Entra ID's, the same for every application) or else `sub`. Roles come from `roles_claim` alone:
    /// groups are left out of tokens when there are many, so they cannot be relied on to be absent or present.
    ///
    /// # Errors
    /// When there is no usable id.
    pub fn from_claims(claims: &Map<String, Value>, roles_claim: &RolesClaim) -> Result<Self, Nobody> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let id = text("oid").or_else(|| text("sub")).ok_or(Nobody)?;
        if id.len() > LONGEST_ID || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Nobody);
        }
        let email = text("email").or_else(|| text("preferred_username")).map(str::to_owned);
        let name = text("name").or(email.as_deref()).unwrap_or(id);
        Ok(Self {
            id: id.to_owned(),
            name: name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect(),
            staff_id: text("staff_id").or_else(|| text("employeeid")).and_then(|id| StaffId::parse(id).ok()),
            roles: claims.get(roles_claim.as_str()).map(roles).unwrap_or_default(),
            email,
        })
    }

    /// From the claims of API Gateway's JWT authorizer, which flattens every claim to one string: a list of roles
    /// arrives as `[social-worker team-manager]`.
    ///
    /// # Errors
    /// When there is no usable id.
    pub fn from_gateway(claims: &HashMap<String, String>, roles_claim: &RolesClaim) -> Result<Self, Nobody> {
        let claims = claims.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        Self::from_claims(&claims, roles_claim)
    }

    /// Whether they may look people up. Everyone else is turned away (deny by default): stewards and information
    /// governance have their own screens, which need no search for people.
    #[must_use]
    pub fn may_look_people_up(&self) -> bool {
        self.roles.contains(&Role::SocialWorker) || self.roles.contains(&Role::TeamManager)
    }
}

/// Roles from a claim in any of the forms it is seen in: a JSON list, that list as text, names between commas, one name
/// alone, or API Gateway's `[a b]`. What is not ours is ignored, except in the last.
fn roles(claim: &Value) -> BTreeSet<Role> {
    match claim {
        Value::Array(list) => list.iter().filter_map(Value::as_str).filter_map(Role::parse).collect(),
        Value::String(text) => match serde_json::from_str::<Vec<String>>(text) {
            Ok(list) => list.iter().filter_map(|role| Role::parse(role)).collect(),
            Err(_) => roles_in_text(text.trim()),
        },
        _ => BTreeSet::new(),
    }
}

/// In API Gateway's `[a b]` nothing tells a space between two roles from one within a role: `[ex social-worker]` may be the
/// one role "ex social-worker". So such a text counts only when every word in it is a role of ours.
fn roles_in_text(text: &str) -> BTreeSet<Role> {
    let flattened = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let list = flattened.unwrap_or(text);
    if let Some(one) = Role::parse(list) {
        return BTreeSet::from([one]);
    }
    if flattened.is_none() && list.contains(',') {
        return list.split(',').filter_map(Role::parse).collect();
    }
    list.split_whitespace().map(Role::parse).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(claims: &Value) -> Result<User, Nobody> {
        User::from_claims(claims.as_object().unwrap(), &RolesClaim::default())
    }

    fn roles_of(claim: &Value) -> Vec<&'static str> {
        user(&json!({"sub": "amira", "roles": claim})).unwrap().roles.into_iter().map(Role::as_str).collect()
    }

    #[test]
    fn roles_are_read_in_every_form_a_token_gives_them() {
        let both = ["social-worker", "team-manager"];
        assert_eq!(roles_of(&json!(["social-worker", "team-manager"])), both);
        assert_eq!(roles_of(&json!("[social-worker team-manager]")), both);
        assert_eq!(roles_of(&json!(r#"["social-worker","team-manager"]"#)), both);
        assert_eq!(roles_of(&json!("social-worker, team-manager")), both);
        for one in ["SocialWorker", "social_worker", "Social Worker", "[Social Worker]", " SOCIAL-WORKER "] {
            assert_eq!(roles_of(&json!(one)), ["social-worker"], "{one}");
        }
        assert_eq!(roles_of(&json!("payroll clerk, team manager")), ["team-manager"]);
        assert_eq!(roles_of(&json!(["payroll clerk", "steward"])), ["steward"]);
    }

    #[test]
    fn a_role_that_only_contains_the_name_of_ours_is_another_role() {
        for other in [
            "ex social-worker",
            "social-worker trainee",
            "not a team-manager",
            "trainee steward",
            "social worker manager",
            "ex-social-worker",
            "social-workers",
            "social.worker",
            "social--worker",
            "ésocial-worker",
            "social-wörker",
            "社social-worker",
            "social-wor\u{212a}er",
            "social-worker!",
            "/social-worker",
            "[social-worker",
            "social-worker]",
            "[social-worker]]",
        ] {
            let flattened = format!("[{other}]");
            let listed = json!([other]).to_string();
            for claim in [json!(other), json!([other]), json!(flattened), json!(listed)] {
                assert!(roles_of(&claim).is_empty(), "{claim}");
            }
        }
        // Two roles or one: API Gateway does not say.
        assert!(roles_of(&json!("[payroll social-worker]")).is_empty());
        assert!(roles_of(&json!("map[role:social-worker]")).is_empty());
    }

    #[test]
    fn a_role_that_is_not_ours_gives_nothing() {
        for claim in
            [json!("admin"), json!(["social worker manager"]), json!("[]"), json!(""), json!({"a": 1}), json!(7)]
        {
            assert!(roles_of(&claim).is_empty(), "{claim}");
        }
        assert!(user(&json!({"sub": "amira"})).unwrap().roles.is_empty(), "no roles in the token");
        assert!(!user(&json!({"sub": "amira", "groups": ["social-worker"]})).unwrap().may_look_people_up());
    }

    #[test]
    fn roles_come_from_the_claim_that_the_council_names_and_no_other() {
        let claims =
            json!({"sub": "amira", "roles": ["steward"], "https://fenchester.example/jobs": "[social-worker]"});
        let user =
            User::from_claims(claims.as_object().unwrap(), &RolesClaim::named("https://fenchester.example/jobs"));
        assert_eq!(user.unwrap().roles, [Role::SocialWorker].into());
    }

    #[test]
    fn only_those_who_work_with_families_look_people_up() {
        let may = |role: &str| user(&json!({"sub": "u", "roles": [role]})).unwrap().may_look_people_up();
        assert!(may("social-worker") && may("team-manager"));
        assert!(!may("steward") && !may("information-governance"));
    }

    #[test]
    fn a_token_without_a_user_is_refused() {
        let long = "x".repeat(LONGEST_ID + 1);
        for claims in [json!({}), json!({"sub": ""}), json!({"sub": 7}), json!({"sub": "a b"}), json!({"sub": long})] {
            assert_eq!(user(&claims), Err(Nobody), "{claims}");
        }
    }

    #[test]
    fn the_directory_id_is_preferred_and_the_name_is_what_people_read() {
        let amira =
            user(&json!({"sub": "pairwise", "oid": "00-1", "name": "Amira\nShah", "email": "a@c.gov.uk"})).unwrap();
        assert_eq!((amira.id.as_str(), amira.name.as_str()), ("00-1", "AmiraShah"));
    }
}
