//! Requests over HTTP.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use liqheat_market::UnixMs;
use liqheat_market::convert::signed_ms;
use tracing::{Instrument, field, trace_span};

use super::budget::{Budget, Priority};
use super::fetch_error::FetchError;
use crate::http_client::{HttpClient, RequestLimits};
use crate::live::clock::{Clock, Uptime};
use crate::live::{RawKind, Recorder};
use crate::venues::{Contract, Exchange, Page, RateLimit, Request, RequestRefusal, RestQuery};

/// A page of a venue's answer, and when it was requested and received.
#[derive(Debug)]
pub(in crate::live) struct FetchedPage {
    pub(in crate::live) page: Page,
    pub(in crate::live) sent: Uptime,
    pub(in crate::live) received: Uptime,
}

/// The REST interface of one venue. Cheap to clone.
#[derive(Clone)]
pub(in crate::live) struct RestClient {
    client: HttpClient,
    base: Arc<str>,
    exchange: &'static Exchange,
    /// Locked for the length of a decision.
    budget: Arc<Mutex<Budget>>,
    clock: Clock,
    timeout: Duration,
    recorder: Option<Arc<dyn Recorder>>,
    /// The venue's time minus uptime; local time minus uptime before that is known.
    venue_offset_ms: Arc<AtomicI64>,
}

/// Connections to one venue that are kept while no request needs them.
const IDLE_PER_HOST: usize = 4;

impl RestClient {
    /// Largest answer: a thousand klines are 150 KiB, all contracts of a venue a few MiB.
    const BODY_BYTES_MAX: usize = 16 << 20;
    const PAUSE_MAX: Duration = Duration::from_secs(3 * 86_400);
    /// Characters of a refusal that are kept.
    const WORDS_CHARS_MAX: usize = 200;

    pub(in crate::live) fn new(
        exchange: &'static Exchange,
        base: &str,
        budget: Budget,
        clock: Clock,
        timeout: Duration,
        recorder: Option<Arc<dyn Recorder>>,
    ) -> Self {
        let client = HttpClient::new(timeout, IDLE_PER_HOST);
        let budget = Arc::new(Mutex::new(budget));
        let now = clock.read();
        let venue_offset_ms = Arc::new(AtomicI64::new(now.local.since(UnixMs(now.uptime.0))));
        Self { client, base: base.into(), exchange, budget, clock, timeout, recorder, venue_offset_ms }
    }

    pub(in crate::live) fn budget(&self) -> MutexGuard<'_, Budget> {
        // Nothing panics while it is held, and numbers are never half written.
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The venue's time is this much ahead of uptime.
    pub(in crate::live) fn set_venue_offset(&self, ms: i64) {
        self.venue_offset_ms.store(ms, Ordering::Relaxed);
    }

    /// The venue's time, as far as it is known.
    pub(in crate::live) fn venue_now(&self) -> UnixMs {
        self.venue_time(self.clock.uptime())
    }

    fn venue_time(&self, uptime: Uptime) -> UnixMs {
        UnixMs(uptime.0.saturating_add(self.venue_offset_ms.load(Ordering::Relaxed)))
    }

    /// Waits for the budget, requests a page of a query, and reads it.
    pub(in crate::live) async fn fetch(
        &self,
        contract: &Contract,
        query: &RestQuery,
        priority: Priority,
    ) -> Result<FetchedPage, FetchError> {
        let request =
            self.exchange.request(contract, query, self.venue_now()).ok_or(FetchError::NotOffered)?;
        self.wait_for_budget(&request, priority).await;
        self.send(contract, query, request).await
    }

    async fn wait_for_budget(&self, request: &Request, priority: Priority) {
        loop {
            let now = self.venue_now();
            let Err(until) = self.budget().take(request, priority, now) else { return };
            let wait = Duration::from_millis(until.since(now).max(1).unsigned_abs());
            tokio::time::sleep(self.clock.real(wait)).await;
        }
    }

    /// Waits for the budget and sends a request that belongs to no contract; returns the answer unread.
    pub(in crate::live) async fn post(
        &self,
        request: Request,
        priority: Priority,
    ) -> Result<Bytes, FetchError> {
        self.wait_for_budget(&request, priority).await;
        let rate_limit = request.rate_limit;
        let (status, headers, body) = self.exchange_with_venue(request).await?;
        // Refusals of this venue do not depend on the query.
        if let Some(refusal) = self.exchange.refusal(&RestQuery::Contracts, status.as_u16(), &body) {
            let retry_after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let (retry_after, now) = (retry_after.map(ToOwned::to_owned), self.venue_now());
            return Err(self.refused(refusal, status.as_u16(), &body, retry_after, rate_limit, now));
        }
        Ok(body)
    }

    /// Downloads a file that lies elsewhere and costs nothing of the budget.
    pub(in crate::live) async fn download(
        &self,
        url: &str,
        bytes_max: usize,
        timeout: Duration,
    ) -> Result<Bytes, FetchError> {
        let request = Request { path: String::new(), body: None, weight: 0, rate_limit: None };
        let limits = RequestLimits { timeout, body_max: bytes_max };
        let (status, _, body) = self.exchange(url, request, limits).await?;
        if !status.is_success() {
            let words = String::from_utf8_lossy(&body).chars().take(Self::WORDS_CHARS_MAX).collect();
            return Err(FetchError::Failed { status: status.as_u16(), body: words });
        }
        Ok(body)
    }

    async fn exchange_with_venue(
        &self,
        request: Request,
    ) -> Result<(StatusCode, http::HeaderMap, Bytes), FetchError> {
        let limits = RequestLimits { timeout: self.timeout, body_max: Self::BODY_BYTES_MAX };
        self.exchange(&self.base, request, limits).await
    }

    /// Sends a request whose budget has been taken, and reads the answer.
    pub(in crate::live) async fn send(
        &self,
        contract: &Contract,
        query: &RestQuery,
        request: Request,
    ) -> Result<FetchedPage, FetchError> {
        let (sent, rate_limit) = (self.clock.uptime(), request.rate_limit);
        let (status, headers, body) = self.exchange_with_venue(request).await?;
        let received = self.clock.uptime();
        let now = self.venue_time(received);
        let find = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
        if let Some(used) = self.exchange.reported_usage(&find).used_weight {
            self.budget().on_reported_weight(used, now);
        }
        if let Some(refusal) = self.exchange.refusal(query, status.as_u16(), &body) {
            let retry_after = find(header::RETRY_AFTER.as_str());
            return Err(self.refused(refusal, status.as_u16(), &body, retry_after, rate_limit, now));
        }
        if let Some(recorder) = &self.recorder {
            let kind = RawKind::Answer { symbol: contract.symbol.clone(), query: *query };
            recorder.record(self.exchange.venue, self.clock.market_now(), &kind, &body);
        }
        let page = self.exchange.answer(contract, query, &body, now)?;
        Ok(FetchedPage { page, sent, received })
    }

    fn refused(
        &self,
        refusal: RequestRefusal,
        status: u16,
        body: &[u8],
        retry_after: Option<String>,
        rate_limit: Option<RateLimit>,
        now: UnixMs,
    ) -> FetchError {
        let body = || String::from_utf8_lossy(body).chars().take(Self::WORDS_CHARS_MAX).collect();
        match refusal {
            RequestRefusal::Throttled { scope, pause } => {
                let seconds = retry_after.and_then(|text| text.trim().parse().ok());
                let pause = seconds.map_or(pause, Duration::from_secs);
                let pause = pause.clamp(Duration::from_secs(1), Self::PAUSE_MAX);
                self.budget().on_pause(rate_limit, scope, now, now.plus(signed_ms(pause)));
                FetchError::Throttled { status, pause }
            }
            RequestRefusal::BeginLater => FetchError::BeginsTooEarly { status, body: body() },
            RequestRefusal::Temporary => FetchError::Failed { status, body: body() },
            RequestRefusal::Permanent => FetchError::Refused { status, body: body() },
        }
    }

    async fn exchange(
        &self,
        base: &str,
        request: Request,
        limits: RequestLimits,
    ) -> Result<(StatusCode, http::HeaderMap, Bytes), FetchError> {
        let url = format!("{base}{}", request.path);
        let span = trace_span!(
            "venue.request",
            otel.kind = "client",
            otel.status_code = field::Empty,
            venue = self.exchange.venue.name(),
            url.path = request.path.split('?').next(),
            http.response.status_code = field::Empty,
        );
        let answer = async {
            match request.body {
                Some(json) => {
                    self.client.post(&url, &[("content-type", "application/json")], json, limits).await
                }
                None => self.client.get(&url, limits).await,
            }
        };
        let answer = answer.instrument(span.clone()).await;
        match &answer {
            Ok(answer) => span.record("http.response.status_code", answer.status.as_u16()),
            Err(_) => span.record("otel.status_code", "ERROR"),
        };
        let answer = answer?;
        Ok((answer.status, answer.headers, answer.body?))
    }
}
