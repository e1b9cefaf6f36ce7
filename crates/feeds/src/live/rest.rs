//! Requests over HTTP within a venue's budget.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use liqheat_market::UnixMs;

use super::budget::{Budget, Of};
use super::clock::Clock;
use super::{RawKind, Recorder};
use crate::venues::{Contract, Exchange, FrameError, Page, Refusal, Request, RestQuery};

/// Why nothing was brought.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The venue does not offer it.
    #[error("the venue does not offer it")]
    NotOffered,
    /// Asked too much; nothing is asked before the moment given.
    #[error("status {status}: the venue asks for a pause of {seconds} s")]
    Paused {
        /// 429 or 418.
        status: u16,
        /// Length of the pause.
        seconds: i64,
    },
    /// No whole answer.
    #[error("{0}")]
    Unreachable(String),
    /// The venue refuses; asking again would bring the same.
    #[error("status {status}: {body}")]
    Refused {
        /// Between 400 and 499.
        status: u16,
        /// What it said, cut.
        body: String,
    },
    /// An answer that was not understood.
    #[error("{0}")]
    Answer(#[from] FrameError),
}

impl FetchError {
    /// Asking again may help.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self, Self::Paused { .. } | Self::Unreachable(_) | Self::Answer(_))
    }
}

/// What was brought, and how long it took.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) page: Page,
    pub(super) sent: UnixMs,
    pub(super) received: UnixMs,
}

/// The REST interface of one venue. Cheap to clone.
#[derive(Clone)]
pub(super) struct Rest {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Arc<str>,
    exchange: &'static dyn Exchange,
    budget: Arc<Mutex<Budget>>,
    clock: Clock,
    timeout: Duration,
    recorder: Option<Arc<dyn Recorder>>,
    /// The venue's clock minus ours.
    skew_ms: Arc<AtomicI64>,
}

impl Rest {
    /// Largest answer: a thousand klines are 150 KiB, all contracts of a venue a few MiB.
    const BODY_BYTES_MAX: usize = 16 << 20;
    const PAUSE_MAX_S: i64 = 3 * 86_400;

    pub(super) fn new(
        exchange: &'static dyn Exchange,
        base: &str,
        budget: Budget,
        clock: Clock,
        timeout: Duration,
        recorder: Option<Arc<dyn Recorder>>,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(timeout));
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config((*super::tls::config()).clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(4)
            .build(connector);
        let budget = Arc::new(Mutex::new(budget));
        let skew_ms = Arc::default();
        Self { client, base: base.into(), exchange, budget, clock, timeout, recorder, skew_ms }
    }

    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        // Nothing panics while it is held; and numbers are never half written.
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which klines are closed, the venue's clock decides.
    pub(super) fn set_skew(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }

    /// Waits for the budget, asks, and reads the answer.
    pub(super) async fn fetch(
        &self,
        contract: &Contract,
        query: &RestQuery,
        of: Of,
    ) -> Result<Fetched, FetchError> {
        let request = self.exchange.request(contract, query, self.venue_time(self.clock.now()));
        let request = request.ok_or(FetchError::NotOffered)?;
        self.wait_for_budget(&request, of).await;
        let sent = self.clock.now();
        let (status, headers, body) = tokio::time::timeout(self.timeout, self.ask(request))
            .await
            .map_err(|_| FetchError::Unreachable(format!("no answer within {:?}", self.timeout)))??;
        let received = self.clock.now();
        let find = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
        if let Some(used) = self.exchange.reported_usage(&find).used_weight {
            self.budget().told(used, received);
        }
        match self.exchange.refusal(query, status.as_u16(), &body) {
            None => {}
            Some(Refusal::Throttled { pause, .. }) => {
                let told = find(header::RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
                let seconds =
                    told.unwrap_or_else(|| pause.as_secs().cast_signed()).clamp(1, Self::PAUSE_MAX_S);
                self.budget().pause(received.plus(seconds * 1_000));
                return Err(FetchError::Paused { status: status.as_u16(), seconds });
            }
            Some(Refusal::Temporary) => return Err(FetchError::Unreachable(format!("status {status}"))),
            Some(Refusal::BeginLater | Refusal::Permanent) => {
                let body = String::from_utf8_lossy(&body).chars().take(200).collect();
                return Err(FetchError::Refused { status: status.as_u16(), body });
            }
        }
        if let Some(recorder) = &self.recorder {
            let kind = RawKind::Answer { symbol: contract.symbol.clone(), query: *query };
            recorder.record(self.exchange.venue(), received, &kind, &body);
        }
        let page = self.exchange.answer(contract, query, &body, self.venue_time(received))?;
        Ok(Fetched { page, sent, received })
    }

    fn venue_time(&self, time: UnixMs) -> UnixMs {
        time.plus(self.skew_ms.load(Ordering::Relaxed))
    }

    async fn wait_for_budget(&self, request: &Request, of: Of) {
        loop {
            let now = self.clock.now();
            let Err(until) = self.budget().take(request, of, now) else { return };
            let wait = Duration::from_millis(until.since(now).max(1).unsigned_abs());
            tokio::time::sleep(self.clock.real(wait)).await;
        }
    }

    async fn ask(&self, request: Request) -> Result<(StatusCode, http::HeaderMap, Bytes), FetchError> {
        let unreachable = |what: &str, error: &dyn std::error::Error| {
            FetchError::Unreachable(format!("{what}: {}", chain(error)))
        };
        let uri: Uri = format!("{}{}", self.base, request.path)
            .parse()
            .map_err(|error: http::uri::InvalidUri| unreachable("address", &error))?;
        let mut builder = http::Request::builder().uri(uri).header(header::USER_AGENT, "liqheat");
        let body = match request.body {
            Some(text) => {
                builder = builder.method(Method::POST).header(header::CONTENT_TYPE, "application/json");
                Bytes::from(text)
            }
            None => Bytes::new(),
        };
        let made = builder.body(Full::new(body)).map_err(|error| unreachable("request", &error))?;
        let answer = self.client.request(made).await.map_err(|error| unreachable("connection", &error))?;
        let (head, body) = answer.into_parts();
        let limited = Limited::new(body, Self::BODY_BYTES_MAX);
        let whole = limited.collect().await.map_err(|error| unreachable("answer", &*error))?;
        Ok((head.status, head.headers, whole.to_bytes()))
    }
}

/// An error with everything that caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
