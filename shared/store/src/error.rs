//! What can go wrong with a store, in words that hold no personal data.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Why a store operation did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A guard did not hold: somebody else wrote first.
    #[error("the item changed meanwhile")]
    Conflict,
    /// Throttled or unreachable: worth trying again later.
    #[error("{operation} on {place} is unavailable: {reason}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// The table or bucket.
        place: String,
        /// The service's error code.
        reason: String,
    },
    /// Refused: wrong request or missing permission. Trying again will not help.
    #[error("{operation} on {place} was refused: {reason}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// The table or bucket.
        place: String,
        /// The service's error code.
        reason: String,
    },
    /// What is stored cannot be read as what it should be.
    #[error("an item in {place} cannot be read: {reason}")]
    Corrupt {
        /// The table or bucket.
        place: String,
        /// The kind of fault, without the content.
        reason: &'static str,
    },
    /// No such object.
    #[error("no such object in {place}")]
    Missing {
        /// The bucket.
        place: String,
    },
    /// A setting is absent or unusable.
    #[error("setting {name}: {reason}")]
    Setting {
        /// The environment variable.
        name: &'static str,
        /// What is wrong and how to mend it.
        reason: &'static str,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Conflict | Self::Unavailable { .. })
    }
}

/// Turns an SDK error into ours: the service's code, never its message, which may repeat a key.
pub(crate) fn error_of<E: ProvideErrorMetadata>(
    operation: &'static str,
    place: &str,
    error: &SdkError<E>,
) -> StoreError {
    let place = place.to_owned();
    match error {
        SdkError::ServiceError(context) => {
            let code = context.err().code().unwrap_or("unknown").to_owned();
            let passing = [
                "ProvisionedThroughputExceededException",
                "ThrottlingException",
                "RequestLimitExceeded",
                "InternalServerError",
                "TransactionInProgressException",
                "SlowDown",
                "InternalError",
                "ServiceUnavailable",
            ];
            match code.as_str() {
                "ConditionalCheckFailedException" | "PreconditionFailed" | "TransactionConflictException" => {
                    StoreError::Conflict
                }
                "NoSuchKey" | "NotFound" => StoreError::Missing { place },
                code if passing.contains(&code) || context.raw().status().is_server_error() => {
                    StoreError::Unavailable { operation, place, reason: code.to_owned() }
                }
                _ => StoreError::Refused { operation, place, reason: code },
            }
        }
        SdkError::TimeoutError(_) => StoreError::Unavailable { operation, place, reason: "time-out".into() },
        SdkError::DispatchFailure(_) => StoreError::Unavailable { operation, place, reason: "no connection".into() },
        SdkError::ResponseError(_) => StoreError::Unavailable { operation, place, reason: "broken response".into() },
        _ => StoreError::Refused { operation, place, reason: "request could not be built".into() },
    }
}
