//! Where everything is: names from the environment, clients made once.

use crate::StoreError;
use fc_model::HandleKey;

/// Names of tables and buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Loads table.
    pub loads: String,
    /// Records table.
    pub records: String,
    /// People table.
    pub people: String,
    /// Audit table.
    pub audit: String,
    /// Sessions table.
    pub sessions: String,
    /// Guard table.
    pub guard: String,
    /// Extracts bucket.
    pub extracts: String,
    /// Staging bucket.
    pub staging: String,
    /// Reports bucket.
    pub reports: String,
    /// Manifests bucket.
    pub manifests: String,
}

impl Names {
    /// The plain names, each behind `prefix`: what the local stack and tests use.
    #[must_use]
    pub fn with_prefix(prefix: &str) -> Self {
        let name = |name: &str| format!("{prefix}{name}");
        Self {
            loads: name("loads"),
            records: name("records"),
            people: name("people"),
            audit: name("audit"),
            sessions: name("sessions"),
            guard: name("guard"),
            extracts: name("extracts"),
            staging: name("staging"),
            reports: name("reports"),
            manifests: name("manifests"),
        }
    }

    /// From `TABLE_*` and `BUCKET_*`; a function that does not use one may leave it out.
    #[must_use]
    pub fn from_environment() -> Self {
        let name = |variable: &str| std::env::var(variable).unwrap_or_default();
        Self {
            loads: name("TABLE_LOADS"),
            records: name("TABLE_RECORDS"),
            people: name("TABLE_PEOPLE"),
            audit: name("TABLE_AUDIT"),
            sessions: name("TABLE_SESSIONS"),
            guard: name("TABLE_GUARD"),
            extracts: name("BUCKET_EXTRACTS"),
            staging: name("BUCKET_STAGING"),
            reports: name("BUCKET_REPORTS"),
            manifests: name("BUCKET_MANIFESTS"),
        }
    }
}

/// Where protocol servers on this machine listen, in place of AWS.
#[derive(Clone)]
pub struct Endpoints {
    /// URL of a DynamoDB server.
    pub dynamodb: String,
    /// URL of an S3 server.
    pub s3: String,
    /// Access key id that both accept.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoints").field("dynamodb", &self.dynamodb).field("s3", &self.s3).finish_non_exhaustive()
    }
}

/// SDK clients, made once at start.
#[derive(Debug, Clone)]
pub struct Clients {
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
}

impl Clients {
    /// Clients for a function. Lambda puts the region and the role's credentials into the environment, so nothing else is
    /// looked for: no files, no other services, and none of the code that would ask them. `AWS_ENDPOINT_URL` and, before
    /// it, `AWS_ENDPOINT_URL_DYNAMODB`, `_S3` and `_SQS` are honoured.
    #[must_use]
    pub fn of_function() -> Self {
        let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(value("AWS_REGION").map(aws_config::Region::new))
            .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(
                aws_config::environment::EnvironmentVariableCredentialsProvider::new(),
            ))
            .build();
        let endpoint =
            |service: &str| value(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| value("AWS_ENDPOINT_URL"));
        let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(&config);
        dynamodb.set_endpoint_url(endpoint("DYNAMODB"));
        let mut s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style());
        s3.set_endpoint_url(endpoint("S3"));
        let mut sqs = aws_sdk_sqs::config::Builder::from(&config);
        sqs.set_endpoint_url(endpoint("SQS"));
        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
        }
    }

    /// Clients for an operator at a terminal: whatever way of signing in the AWS command line would find.
    pub async fn of_operator() -> Self {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&config).force_path_style(path_style()).build(),
            ),
            sqs: aws_sdk_sqs::Client::new(&config),
        }
    }

    /// Clients for protocol servers on this machine.
    #[must_use]
    pub fn local(endpoints: &Endpoints) -> Self {
        let credentials = aws_sdk_dynamodb::config::Credentials::new(
            &endpoints.access_key_id,
            &endpoints.secret_access_key,
            None,
            None,
            "local",
        );
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("eu-west-2"))
            .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
                aws_smithy_async::rt::sleep::TokioSleep::new(),
            ))
            .build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(
                aws_sdk_dynamodb::config::Builder::from(&config).endpoint_url(&endpoints.dynamodb).build(),
            ),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&config).endpoint_url(&endpoints.s3).force_path_style(true).build(),
            ),
            sqs: aws_sdk_sqs::Client::new(&config),
        }
    }
}

/// Whether the bucket stands in the path of an address, for servers that have no name for each bucket.
fn path_style() -> bool {
    std::env::var("S3_PATH_STYLE").is_ok_and(|value| value == "true")
}

/// The council's hashing secret, from `HANDLE_KEY`: at least 64 hexadecimal digits.
///
/// # Errors
/// When it is absent, short or not hexadecimal.
pub fn handle_key_from_environment() -> Result<HandleKey, StoreError> {
    let bad = |reason| StoreError::Setting { name: "HANDLE_KEY", reason };
    let text =
        std::env::var("HANDLE_KEY").map_err(|_| bad("is not set; give at least 64 random hexadecimal digits"))?;
    let digits = text.trim().as_bytes();
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let secret: Option<Vec<u8>> =
        digits.chunks(2).map(|pair| if pair.len() == 2 { byte(pair) } else { None }).collect();
    let secret = secret.ok_or(bad("holds something else than pairs of hexadecimal digits"))?;
    HandleKey::new(secret).map_err(|_| bad("is shorter than 64 hexadecimal digits"))
}
