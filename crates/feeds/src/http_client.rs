//! The client of every HTTP request that leaves the program: REST interfaces of venues, targets of alerts, and the check of
//! a running server.
//!
//! HTTP/1.1, with TLS where the address says so; kept connections, no redirects. A request ends within its timeout, and no
//! more than a limit of its answer is read.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::rt::{Read, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use crate::live::tls_config;

/// How long a connection without a request is kept.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// An error with everything that caused it, in one line.
#[must_use]
pub fn error_chain(error: &dyn std::error::Error) -> String {
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

/// Why a request has no answer. Nothing of the request is part of the text.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address, a header or the body cannot be part of a request.
    #[error("request: {0}")]
    Request(#[from] http::Error),
    /// Not connected, or the connection ended before the answer began.
    #[error("connection: {}", error_chain(.0))]
    Connection(#[source] hyper_util::client::legacy::Error),
    /// The answer is too large, or the connection ended in the middle of it.
    #[error("answer: {}", error_chain(&**.0))]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer was not there in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl HttpError {
    /// Whether nothing listens at the address.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            let io = error.downcast_ref::<std::io::Error>();
            if io.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// What a server answered. The body may be unusable where its status is of use.
#[derive(Debug)]
pub struct HttpAnswer {
    /// Its status, whatever it is.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of the body, or why it could not be read.
    pub body: Result<Bytes, HttpError>,
}

/// How long a request may take, and how much of its answer is read.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// From the first byte sent to the last one read.
    pub timeout: Duration,
    /// Largest body, bytes.
    pub body_max: usize,
}

/// What is sent with a request: bytes that are there, or a file a piece at a time.
pub type RequestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// A body of bytes that are there.
pub fn whole(bytes: impl Into<Bytes>) -> RequestBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A client with connections of its own. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient<C = HttpConnector> {
    client: Client<HttpsConnector<C>, RequestBody>,
}

impl HttpClient {
    /// Connects to any address.
    #[must_use]
    pub fn new(connect_timeout: Duration, idle_per_host: usize) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(connect_timeout));
        tcp.set_nodelay(true);
        Self::with_connector(tcp, idle_per_host)
    }
}

impl<C> HttpClient<C>
where
    C: Service<http::Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Connects with a connector that decides which addresses are allowed. It makes the TCP connection only.
    #[must_use]
    pub fn with_connector(connector: C, idle_per_host: usize) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config((*tls_config()).clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(idle_per_host)
            .build(connector);
        Self { client }
    }

    /// Requests an address with GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, url: &str, limits: RequestLimits) -> Result<HttpAnswer, HttpError> {
        self.send(Method::GET, url, &[], whole(Bytes::new()), limits).await
    }

    /// Posts a body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
        limits: RequestLimits,
    ) -> Result<HttpAnswer, HttpError> {
        self.send(Method::POST, url, headers, whole(body), limits).await
    }

    /// Requests an address, with a body of any length.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: RequestBody,
        limits: RequestLimits,
    ) -> Result<HttpAnswer, HttpError> {
        const AGENT: &str = concat!("liqheat/", env!("CARGO_PKG_VERSION"));
        let mut request = Request::builder().method(method).uri(url).header(header::USER_AGENT, AGENT);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body)?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(HttpError::Connection)?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, limits.body_max).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes).map_err(HttpError::Body);
            Ok(HttpAnswer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(limits.timeout, exchange)
            .await
            .map_err(|_| HttpError::Timeout(limits.timeout))?
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use super::*;

    const LIMITS: RequestLimits = RequestLimits { timeout: Duration::from_secs(60), body_max: 8 };

    fn bind() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A server that gives every connection this answer.
    fn answering(answer: &'static str) -> String {
        let (listener, address) = bind();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4_096]);
                let _ = stream.write_all(answer.as_bytes());
                // Closing with something unread would take the answer away from the client.
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
        });
        format!("http://{address}/")
    }

    #[tokio::test]
    async fn an_answer_keeps_its_status_where_its_body_is_unusable() {
        let client = HttpClient::new(LIMITS.timeout, 0);
        let whole =
            answering("HTTP/1.1 404 Not Found\r\ncontent-length: 8\r\nretry-after: 7\r\n\r\n12345678");
        let answer = client.get(&whole, LIMITS).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.headers["retry-after"]), (404, &"7".parse().unwrap()));
        assert_eq!(answer.body.unwrap(), "12345678");
        for unusable in [
            "HTTP/1.1 503 Unavailable\r\ncontent-length: 9\r\n\r\n123456789",
            "HTTP/1.1 503 Unavailable\r\ncontent-length: 8\r\n\r\n123",
        ] {
            let answer = client.post(&answering(unusable), &[], "x", LIMITS).await.unwrap();
            assert_eq!(answer.status.as_u16(), 503);
            assert!(matches!(answer.body, Err(HttpError::Body(_))), "{unusable:?}: {:?}", answer.body);
        }
    }

    #[tokio::test]
    async fn errors_name_their_cause_without_the_address() {
        let client = HttpClient::new(LIMITS.timeout, 0);
        let (listener, address) = bind();
        let url = format!("http://{address}/secret");
        let silent = RequestLimits { timeout: Duration::from_millis(1), ..LIMITS };
        let late = client.get(&url, silent).await.unwrap_err();
        assert!(matches!(late, HttpError::Timeout(_)) && !late.is_refused(), "{late:?}");
        drop(listener);
        let refused = client.get(&url, LIMITS).await.unwrap_err();
        assert!(refused.is_refused(), "{refused:?}");
        let wrong = client.get("http://[secret/", LIMITS).await.unwrap_err();
        assert!(matches!(wrong, HttpError::Request(_)), "{wrong:?}");
        for error in [late, refused, wrong] {
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
