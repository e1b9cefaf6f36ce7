//! Taking the TCP stream out of an HTTP connection whose answer is written by a session.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use axum::http::{Response, header};
use bytes::Bytes;
use tokio::net::TcpStream;

/// What takes the connection over when the answer is ready, in the extensions of the answer. It is called at most once.
#[derive(Clone)]
pub(super) struct Takeover(Arc<Mutex<Option<Start>>>);

/// Begins the session with the raw stream and the head of the answer.
type Start = Box<dyn FnOnce(TcpStream, Bytes) + Send>;

impl Takeover {
    pub(super) fn new(start: impl FnOnce(TcpStream, Bytes) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(start)))))
    }

    /// Begins the session.
    pub(super) fn start(&self, stream: TcpStream, head: Bytes) {
        let start = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(start) = start {
            start(stream, head);
        }
    }
}

/// The head of an answer whose body ends with the connection.
pub(super) fn head_of<B>(response: &Response<B>) -> Bytes {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    let of_body = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
    for (name, value) in response.headers().iter().filter(|(name, _)| !of_body.contains(name)) {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"connection: close\r\n\r\n");
    head.into()
}

/// The stream still holds the waker of the task that spoke HTTP, and with it all that this task has allocated.
/// Being polled from here puts ours in its place.
pub(super) async fn forget_http(stream: &TcpStream) {
    poll_fn(|context| {
        let _ = stream.poll_read_ready(context);
        let _ = stream.poll_write_ready(context);
        Poll::Ready(())
    })
    .await;
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, StatusCode};
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn the_head_ends_the_body_with_the_connection() {
        let mut response =
            (StatusCode::OK, [(header::CONTENT_TYPE, "text/event-stream")], "x").into_response();
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("1"));
        assert_eq!(
            head_of(&response),
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        );
    }
}
