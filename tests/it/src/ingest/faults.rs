//! Makes every request to the stores and queues fail from some point on, as when a worker dies there.

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
        retry::RetryConfig,
    },
    error::BoxError,
};
use fc_store::settings::Clients;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Which side of the request the worker dies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// The request is not made.
    Before,
    /// The request is made, and nobody hears what came of it.
    After,
}

/// Counts requests and fails those after a given one.
#[derive(Debug, Default)]
pub(super) struct Faults {
    armed: AtomicBool,
    after: AtomicBool,
    left: AtomicUsize,
    seen: Mutex<Vec<String>>,
}

impl Faults {
    /// Lets so many more requests through.
    pub(super) fn fail_after(&self, requests: usize, when: When) {
        self.after.store(when == When::After, Ordering::SeqCst);
        self.left.store(requests, Ordering::SeqCst);
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Everything works again.
    pub(super) fn heal(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    /// Forgets what was seen.
    pub(super) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }

    /// The operations asked for, in order.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// To be asked before a request.
    pub(super) fn before(&self) -> Result<(), Dead> {
        if !self.armed.load(Ordering::SeqCst) || self.left.load(Ordering::SeqCst) > 0 {
            return Ok(());
        }
        // With `After`, the request that kills the worker is the last one made.
        if self.after.swap(false, Ordering::SeqCst) { Ok(()) } else { Err(Dead) }
    }

    /// To be asked after a request.
    pub(super) fn after(&self) -> Result<(), Dead> {
        if !self.armed.load(Ordering::SeqCst) {
            return Ok(());
        }
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            return Err(Dead);
        }
        self.left.store(left - 1, Ordering::SeqCst);
        Ok(())
    }

    /// Clients whose requests pass by here.
    pub(super) fn in_front_of(self: &Arc<Self>, clients: &Clients) -> Clients {
        let guard = || Guard(Arc::clone(self));
        // A dead worker does not try again.
        let once = RetryConfig::disabled;
        let dynamodb = clients.dynamodb.config().to_builder().retry_config(once()).interceptor(guard()).build();
        let s3 = clients.s3.config().to_builder().retry_config(once()).interceptor(guard()).build();
        Clients {
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: clients.sqs.clone(),
        }
    }
}

/// The worker is gone.
#[derive(Debug, thiserror::Error)]
#[error("the worker died here")]
pub(super) struct Dead;

#[derive(Debug)]
struct Guard(Arc<Faults>);

impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "faults"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
        let operation = target.unwrap_or(match request.method() {
            "GET" => "GetObject",
            "PUT" => "PutObject",
            "DELETE" => "DeleteObject",
            other => other,
        });
        self.0.seen.lock().unwrap().push(operation.to_owned());
        Ok(self.0.before()?)
    }

    fn read_after_transmit(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Ok(self.0.after()?)
    }
}
