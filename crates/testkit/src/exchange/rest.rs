//! The REST interface of the stand-in exchange: whatever the protocol answers, with limits.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use liqheat_market::UnixMs;
use tokio::net::TcpListener;

use super::{EndpointLimit, ExchangeState, RestReply, RestRequest};

pub(super) async fn serve(shared: Arc<ExchangeState>, listener: TcpListener) {
    // Until when clients were asked to wait.
    let pause = Arc::new(std::sync::Mutex::new(UnixMs(0)));
    let windows = Windows::default();
    while let Ok((stream, _)) = listener.accept().await {
        let (shared, pause, windows) = (Arc::clone(&shared), Arc::clone(&pause), Arc::clone(&windows));
        tokio::spawn(async move {
            let service = service_fn(|request| {
                answer(Arc::clone(&shared), Arc::clone(&pause), Arc::clone(&windows), request)
            });
            // A client that goes away is no matter.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// When the requests of each limit came.
type Windows = Arc<std::sync::Mutex<BTreeMap<String, VecDeque<UnixMs>>>>;

/// Counts a request, unless its limit is used up.
fn allows(windows: &Windows, limit: &EndpointLimit, now: UnixMs) -> bool {
    let mut windows = windows.lock().unwrap();
    let sent = windows.entry(limit.name.clone()).or_default();
    while sent.front().is_some_and(|first| now.since(*first) >= limit.per_ms) {
        sent.pop_front();
    }
    let is_allowed = sent.len() < limit.requests;
    if is_allowed {
        sent.push_back(now);
    }
    is_allowed
}

async fn answer(
    shared: Arc<ExchangeState>,
    pause: Arc<std::sync::Mutex<UnixMs>>,
    windows: Windows,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let (now, clock) = (shared.now(), shared.clock());
    let query = head.uri.query().unwrap_or_default();
    shared.seen().requests.push((now, head.uri.to_string()));
    if shared.faults().rest_down {
        // Nothing is answered while it lasts.
        std::future::pending::<()>().await;
    }
    let refused = {
        let mut faults = shared.faults();
        let refused = faults.refuse_requests > 0;
        faults.refuse_requests = faults.refuse_requests.saturating_sub(1);
        refused.then_some((faults.refuse_status, faults.refuse_seconds))
    };
    let mut until = pause.lock().unwrap();
    if now < *until {
        shared.seen().requests_in_pause += 1;
    }
    if let Some((status, seconds)) = refused {
        *until = now.plus(seconds * 1_000);
        let response = Response::builder().status(status).header("Retry-After", seconds);
        return Ok(response.body(Full::from(r#"{"code":-1003,"msg":"Too many requests."}"#)).unwrap());
    }
    drop(until);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let asked = RestRequest {
        path: head.uri.path().to_owned(),
        query: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let is_allowed = shared.protocol.limit(&asked).is_none_or(|limit| allows(&windows, &limit, now));
    let answer = if is_allowed {
        shared.protocol.answer(&asked, &shared.market, clock)
    } else {
        shared.seen().throttled.push(asked.path.clone());
        shared.protocol.throttled()
    };
    let RestReply { status, body, weight, weight_header } = answer;
    let body = super::faults::forget(body, &shared.faults().forgotten);
    let used = {
        let mut seen = shared.seen();
        let used = seen.weights.entry(now.0 / 60_000).or_default();
        *used += weight;
        *used
    };
    let mut response = Response::builder().status(status).header("Content-Type", "application/json");
    if let Some(name) = weight_header {
        response = response.header(name, used);
    }
    Ok(response.body(Full::from(body)).unwrap())
}
