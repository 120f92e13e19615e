//! Where the page is, and who signs people in.

use fc_access::RolesClaim;
use openidconnect::url::{Host, Url};

/// The settings of one deployment.
#[derive(Clone)]
pub struct Settings {
    base_url: String,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) roles_claim: RolesClaim,
}

/// Why settings cannot be used, and how to mend them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A setting is missing.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// An address is none, or is not safe to use.
    #[error("{0} must be an address such as https://context.council.gov.uk; http is for this machine (127.0.0.1) only")]
    Address(&'static str),
}

impl Settings {
    /// Settings. `base_url` is the page's own public address, without a path; `issuer` the OpenID Connect issuer, exactly
    /// as it stands in its tokens; `roles_claim` the claim that holds roles, `roles` for Entra ID's app roles.
    ///
    /// # Errors
    /// When an address is none, or is plain http to another machine.
    pub fn new(
        base_url: &str,
        issuer: &str,
        client_id: &str,
        client_secret: Option<String>,
        roles_claim: &str,
    ) -> Result<Self, SettingsError> {
        let base = safe_address(base_url).ok_or(SettingsError::Address("PUBLIC_URL"))?;
        safe_address(issuer).ok_or(SettingsError::Address("OIDC_ISSUER"))?;
        Ok(Self {
            base_url: base.origin().ascii_serialization(),
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret,
            roles_claim: RolesClaim::named(roles_claim),
        })
    }

    /// From `PUBLIC_URL`, `OIDC_ISSUER`, `OIDC_CLIENT_ID`, and if given `OIDC_CLIENT_SECRET` and `OIDC_ROLES_CLAIM`.
    ///
    /// # Errors
    /// When one is missing or unusable.
    pub fn from_environment() -> Result<Self, SettingsError> {
        let optional = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let needed = |name: &'static str| optional(name).ok_or(SettingsError::Missing(name));
        Self::new(
            &needed("PUBLIC_URL")?,
            &needed("OIDC_ISSUER")?,
            &needed("OIDC_CLIENT_ID")?,
            optional("OIDC_CLIENT_SECRET"),
            RolesClaim::from_environment().as_str(),
        )
    }

    /// The page's own address: scheme, host and port.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where the issuer sends people back to; register exactly this with it.
    #[must_use]
    pub fn callback(&self) -> String {
        format!("{}/auth/callback", self.base_url)
    }

    fn is_https(&self) -> bool {
        self.base_url.starts_with("https:")
    }

    /// Name of the cookie of a session. The prefix makes browsers refuse it unless it is secure, for this host alone
    /// and for every path; over plain http on one's own machine not every browser takes a secure cookie.
    pub(crate) fn session_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-session" } else { "session" }
    }

    /// Name of the cookie of a sign-in under way.
    pub(crate) fn sign_in_cookie(&self) -> &'static str {
        if self.is_https() { "__Host-sign-in" } else { "sign-in" }
    }

    /// A cookie that lasts as long as the browser is open; the server decides when it stops counting.
    pub(crate) fn cookie(&self, name: &str, value: &str) -> String {
        let secure = if self.is_https() { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")
    }

    /// Takes a cookie away.
    pub(crate) fn forget(&self, name: &str) -> String {
        format!("{}; Max-Age=0", self.cookie(name, ""))
    }
}

fn safe_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let here = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (url.scheme() == "https" || (url.scheme() == "http" && here)).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base: &str) -> Result<Settings, SettingsError> {
        Settings::new(base, "https://login.example/tenant/v2.0", "client", None, "roles")
    }

    #[test]
    fn plain_http_is_for_ones_own_machine_only() {
        assert!(settings("http://127.0.0.1:8080").is_ok());
        assert!(settings("http://localhost:8080").is_ok());
        for base in ["http://context.council.gov.uk", "ftp://127.0.0.1", "context", "", "http://127.0.0.1.evil.example"]
        {
            assert_eq!(settings(base).err(), Some(SettingsError::Address("PUBLIC_URL")), "{base}");
        }
    }

    #[test]
    fn a_deployed_session_cookie_cannot_be_read_by_script_or_sent_by_another_site() {
        let settings = settings("https://context.council.gov.uk/").unwrap();
        let cookie = settings.cookie(settings.session_cookie(), "abc");
        assert_eq!(cookie, "__Host-session=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(settings.callback(), "https://context.council.gov.uk/auth/callback");
    }
}
