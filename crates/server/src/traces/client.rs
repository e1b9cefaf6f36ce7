//! Requests to the collector: the program's own HTTP client, under the exporter's interface.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use liqheat_feeds::http_client::{HttpClient, RequestLimits};
use opentelemetry_http::{Bytes, HttpError, Request, Response};
use tokio::runtime::{Builder, Runtime};

/// A request that takes longer has failed.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Of an answer, bytes.
const BODY_MAX: usize = 64 << 10;

/// Posts batches of spans.
///
/// The exporter has a thread of its own and no runtime. This client brings one, so that spans are sent while the workers of
/// the server are busy, and still after they have ended.
pub(super) struct CollectorClient {
    client: HttpClient,
    runtime: Runtime,
    failure: LastFailure,
}

/// Why the last request had no answer. The exporter itself says only that there was none.
#[derive(Debug, Clone, Default)]
pub(super) struct LastFailure(Arc<Mutex<Option<String>>>);

impl LastFailure {
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

impl CollectorClient {
    /// # Errors
    /// When the system gives no descriptors for a runtime.
    pub(super) fn new(failure: LastFailure) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client: HttpClient::new(TIMEOUT, 1), runtime, failure })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let headers = head.headers.iter();
        let headers: Vec<_> =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let limits = RequestLimits { timeout: TIMEOUT, body_max: BODY_MAX };
        let url = head.uri.to_string();
        let answer = self.runtime.block_on(self.client.post(&url, &headers, body, limits));
        self.failure.set(answer.as_ref().err().map(ToString::to_string));
        let answer = answer?;
        // The status counts, whatever follows it.
        let mut response = Response::new(answer.body.unwrap_or_default());
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

impl fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorClient").finish_non_exhaustive()
    }
}

impl opentelemetry_http::HttpClient for CollectorClient {
    fn send_bytes<'client, 'sending>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'client: 'sending,
        Self: 'sending,
    {
        Box::pin(async move { self.send(request) })
    }
}
