//! The council's own sign-in service: OpenID Connect, authorization code with PKCE, any issuer.
//!
//! What the issuer says of itself (discovery) and its public keys are fetched when first needed and kept; an ID token
//! signed with a key we do not know makes us fetch them again, because issuers change keys without notice.

use crate::Settings;
use axum::body::Bytes;
use fc_access::Clock;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use jiff::{SignedDuration, Timestamp};
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, Client,
    ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadataWithLogout, RedirectUrl, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreResponseType, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
    http,
};
use serde::{Deserialize, Serialize};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How long we wait for the issuer before telling the person that signing in does not work just now.
const ISSUER_ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// No answer of an issuer is anywhere near this long; a longer one is refused.
const LONGEST_ANSWER: usize = 1 << 20;
/// How long discovery and keys are kept without being asked for again.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How often at most an unknown key makes us fetch them again: a forger cannot make us hammer the issuer.
const REFRESH_AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(30);
/// Bytes of randomness in states, cookies and tokens.
const RANDOM_BYTES: u32 = 32;

/// Only asymmetric signatures: `none`, and shared secrets such as HS256, are refused whatever the token says.
const SIGNATURES: [CoreJwsSigningAlgorithm; 6] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
];

/// Why signing in did not work. Holds no personal data and nothing the issuer wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignInError {
    /// The issuer cannot be reached, or says nonsense.
    #[error("the sign-in service could not be reached or gave an unusable answer: {0}")]
    Unavailable(&'static str),
    /// The answer is not one to trust.
    #[error("the sign-in was refused: {0}")]
    Refused(&'static str),
}

/// Claims beyond the standard ones: roles, groups, staff id, under whatever names the council's directory uses.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OtherClaims(pub(crate) serde_json::Map<String, serde_json::Value>);
impl AdditionalClaims for OtherClaims {}

type Fields = IdTokenFields<
    OtherClaims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type OidcClient = Client<
    OtherClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Where to send the browser, and what to remember until it comes back.
pub(crate) struct Departure {
    /// The issuer's page.
    pub(crate) to: String,
    /// Comes back in the answer's address.
    pub(crate) state: String,
    /// Comes back inside the ID token.
    pub(crate) nonce: String,
    /// The PKCE secret.
    pub(crate) verifier: String,
}

/// Who signed in, as a verified ID token says.
pub(crate) struct Arrival {
    /// Subject: the person's id at the issuer.
    pub(crate) subject: String,
    /// Name for the header and the audit trail.
    pub(crate) name: Option<String>,
    /// E-mail, or the name they sign in with.
    pub(crate) email: Option<String>,
    /// Every other claim.
    pub(crate) claims: serde_json::Map<String, serde_json::Value>,
    /// Where the issuer ends sessions, when it can.
    pub(crate) end_session: Option<String>,
}

/// The issuer, as far as it is known.
pub(crate) struct Issuer {
    settings: Arc<Settings>,
    http: Http,
    clock: Clock,
    known: Mutex<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    metadata: Arc<ProviderMetadataWithLogout>,
    fetched: Timestamp,
}

impl Issuer {
    /// An issuer not asked yet.
    pub(crate) fn new(settings: Arc<Settings>, clock: Clock) -> Self {
        Self { settings, http: Http::default(), clock, known: Mutex::default() }
    }

    /// Begins a sign-in. `choose_account` makes the issuer ask which account, for people signed in there with one that
    /// has no role here.
    pub(crate) async fn depart(&self, choose_account: bool) -> Result<Departure, SignInError> {
        let metadata = self.metadata(KEPT_FOR).await?;
        let client = self.client(&metadata)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(random()),
                || Nonce::new(random()),
            )
            .add_scope(Scope::new("profile".into()))
            .add_scope(Scope::new("email".into()))
            .set_pkce_challenge(challenge);
        if choose_account {
            request = request.add_prompt(CoreAuthPrompt::SelectAccount);
        }
        let (to, state, nonce) = request.url();
        Ok(Departure {
            to: to.to_string(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Redeems the code that the browser brought back, and verifies the ID token: signature, issuer, audience, expiry
    /// and nonce.
    pub(crate) async fn arrive(&self, code: String, nonce: &str, verifier: String) -> Result<Arrival, SignInError> {
        let mut metadata = self.metadata(KEPT_FOR).await?;
        let client = self.client(&metadata)?;
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| SignInError::Unavailable("it names no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(&self.http)
            .await
            .map_err(|error| match error {
                openidconnect::RequestTokenError::ServerResponse(_) => {
                    SignInError::Refused("the code was not accepted")
                }
                _ => SignInError::Unavailable("the token endpoint"),
            })?;
        let token = answer.id_token().ok_or(SignInError::Refused("no ID token came"))?;
        let nonce = Nonce::new(nonce.to_owned());
        let verify = |client: &OidcClient| {
            token.claims(&client.id_token_verifier().set_allowed_algs(SIGNATURES), &nonce).cloned()
        };
        let claims = match verify(&client) {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                metadata = self.metadata(REFRESH_AT_MOST_EVERY).await?;
                verify(&self.client(&metadata)?)
            }
            other => other,
        };
        let claims = claims.map_err(|error| SignInError::Refused(reason(&error)))?;
        let text = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let name = text(claims.name().and_then(|name| name.get(None)).map(|name| name.as_str()));
        let email = text(claims.email().map(|email| email.as_str()))
            .or_else(|| text(claims.preferred_username().map(|name| name.as_str())));
        let end = metadata.additional_metadata().end_session_endpoint.as_ref();
        Ok(Arrival {
            subject: claims.subject().to_string(),
            name,
            email,
            claims: claims.additional_claims().0.clone(),
            end_session: end.map(|url| url.to_string()),
        })
    }

    fn client(&self, metadata: &ProviderMetadataWithLogout) -> Result<OidcClient, SignInError> {
        let redirect = RedirectUrl::new(self.settings.callback())
            .map_err(|_| SignInError::Unavailable("our own address is no URL"))?;
        Ok(Client::from_provider_metadata(
            metadata.clone(),
            ClientId::new(self.settings.client_id.clone()),
            self.settings.client_secret.clone().map(ClientSecret::new),
        )
        .set_redirect_uri(redirect))
    }

    /// Discovery and keys, fetched unless they are younger than `kept_for`.
    async fn metadata(&self, kept_for: SignedDuration) -> Result<Arc<ProviderMetadataWithLogout>, SignInError> {
        let now = (self.clock)();
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref()
            && now.duration_since(known.fetched) < kept_for
        {
            return Ok(known.metadata.clone());
        }
        let issuer = IssuerUrl::new(self.settings.issuer.clone())
            .map_err(|_| SignInError::Unavailable("the issuer's address is no URL"))?;
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &self.http)
            .await
            .map_err(|_| SignInError::Unavailable("discovery or keys"))?;
        let metadata = Arc::new(metadata);
        *known = Some(Known { metadata: metadata.clone(), fetched: now });
        Ok(metadata)
    }
}

/// Text that nobody can guess.
pub(crate) fn random() -> String {
    CsrfToken::new_random_len(RANDOM_BYTES).into_secret()
}

/// Which check failed, without what the token holds.
fn reason(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "the ID token has expired",
        ClaimsVerificationError::InvalidAudience(_) => "the ID token is for somebody else",
        ClaimsVerificationError::InvalidIssuer(_) => "the ID token is from somebody else",
        ClaimsVerificationError::InvalidNonce(_) => "the ID token is for another sign-in",
        ClaimsVerificationError::SignatureVerification(_) => "the ID token's signature is wrong",
        _ => "the ID token is unusable",
    }
}

/// The smallest HTTP client that does: a bounded time, a bounded answer, no redirects followed.
#[derive(Default)]
struct Http(tokio::sync::OnceCell<HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>>);

/// Why the issuer did not answer.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error("no trusted certificates on this machine")]
    Certificates,
    #[error("no answer in time")]
    Late,
    #[error("no connection")]
    Connection,
    #[error("the answer broke off or is too long")]
    Answer,
}

impl Http {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Reading the machine's certificates takes milliseconds, so it waits for the first sign-in.
        let client = self
            .0
            .get_or_try_init(|| async {
                let tls = hyper_rustls::HttpsConnectorBuilder::new().with_native_roots();
                let connector = tls.map_err(|_| HttpError::Certificates)?.https_or_http().enable_http1().build();
                Ok(HyperClient::builder(TokioExecutor::new()).build(connector))
            })
            .await?;
        let answer = client.request(request.map(|body| Full::new(Bytes::from(body))));
        let (head, body) = answer.await.map_err(|_| HttpError::Connection)?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|_| HttpError::Answer)?;
        Ok(http::Response::from_parts(head, body.to_bytes().to_vec()))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            tokio::time::timeout(ISSUER_ANSWERS_WITHIN, self.send(request)).await.unwrap_or(Err(HttpError::Late))
        })
    }
}
