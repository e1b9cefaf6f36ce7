//! Redis: one connection for requests, another one for the subscription, and the scripts that are atomic.
//!
//! | name | content |
//! |---|---|
//! | channel `heatmap:SYMBOL` | one message for every change, and heartbeats |
//! | channel `heatmap:SYMBOL:channels` | changes of the channels beside the heatmap, and heartbeats |
//! | key `heatmap:SYMBOL:state` | the newest whole state; expires after a day |
//! | key `heatmap:symbols` | the producer's symbol list; expires after a day |
//! | key `heatmap:lease` | id of the producer; expires after two seconds |
//! | key `heatmap:fence` | the newest fencing token |
//! | key `heatmap:group` | what the servers of this prefix serve; expires after a day |
//!
//! Other programs may write these keys, so no script trusts their type or content: a lease without an expiry, a fence
//! that is no whole number below 2^53 and a group that no server writes count as missing, and are overwritten. The size
//! of a value is checked before it is read.

mod keys;
mod probe;
mod scripts;

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use liqheat_market::convert::{unsigned_len, whole_ms};
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisError};
use tokio::time::timeout;
use tracing::field::Empty;
use tracing::{Instrument, Span, trace_span};

use crate::election::{LeaseAnswer, LeaseRequest};
use crate::group::Group;
use crate::message::MESSAGE_BYTES_MAX;
use crate::request::{
    KeptState, LeaseGrant, ListRead, Publication, PublishOutcome, Reply, Request, RequestFailure, StoredValue,
};
use crate::settings::RedisSettings;
pub(crate) use keys::RedisKeys;
pub use probe::{Probe, probe};

/// Expiry of states, of the list and of the group, in seconds.
const KEPT_S: u64 = 86_400;
/// A group of the same kind of data may replace another one that was not renewed for this long, in seconds.
const GROUP_REST_S: u64 = 60;
/// Longest expiry of a lease that a server can have written, in milliseconds.
const LEASE_MS_MAX: u64 = 60_000;
/// Largest symbol list that is read, in bytes.
const LIST_BYTES_MAX: usize = 1_024 * 1_024;

impl From<RedisError> for RequestFailure {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

/// Sends requests. Clones share the connections.
#[derive(Clone)]
pub(crate) struct RedisClient {
    settings: RedisSettings,
    keys: RedisKeys,
    /// Who we are, in the lease.
    id: String,
    /// What this server serves; `None` on an edge.
    group: Option<Group>,
    connection: Option<MultiplexedConnection>,
    subscription: Option<PubSubSink>,
}

/// Result of a request: the client comes back with it, for the next one.
pub(crate) struct RequestResult {
    pub(crate) client: RedisClient,
    pub(crate) reply: Result<Reply, RequestFailure>,
    /// A new subscription.
    pub(crate) stream: Option<PubSubStream>,
}

impl RedisClient {
    pub(crate) fn new(settings: RedisSettings, id: String, group: Option<Group>) -> Self {
        let keys = RedisKeys::new(settings.prefix.clone());
        Self { settings, keys, id, group, connection: None, subscription: None }
    }

    /// Does what is asked, and gives itself back with the answer.
    pub(crate) async fn answer(self, request: Request) -> RequestResult {
        let span = span_of(&request);
        let result = self.carry_out(request).instrument(span.clone()).await;
        if result.reply.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        result
    }

    async fn carry_out(mut self, request: Request) -> RequestResult {
        let mut stream = None;
        let reply = match request {
            Request::Open { symbols } => match self.open(&symbols).await {
                Ok(opened) => {
                    stream = Some(opened);
                    Ok(Reply::Opened)
                }
                Err(fault) => Err(fault),
            },
            Request::Listen { symbols } => match self.listen(&symbols).await {
                Ok(opened) => {
                    stream = Some(opened);
                    Ok(Reply::Listening)
                }
                Err(fault) => Err(fault),
            },
            Request::Subscribe { add, remove } => {
                self.subscribe(&add, &remove).await.map(|()| Reply::Subscribed)
            }
            Request::Lease(request) => self.lease(request).await.map(Reply::Lease),
            Request::Publish { token, publications } => {
                self.publish(token, &publications).await.map(Reply::Published)
            }
            Request::ReadStates { symbols, .. } => self.read_states(&symbols).await.map(Reply::States),
            Request::WriteList { token, list } => self.write_list(token, &list).await.map(Reply::ListWritten),
            Request::ReadList => self.read_list().await.map(Reply::List),
        };
        RequestResult { client: self, reply, stream }
    }

    /// Opens both connections and subscribes.
    async fn open(&mut self, symbols: &[String]) -> Result<PubSubStream, RequestFailure> {
        self.connection = None;
        self.connection = Some(connect(&self.settings.address.client, self.within()).await?);
        self.listen(symbols).await
    }

    /// Opens a new subscription in place of the one there is.
    async fn listen(&mut self, symbols: &[String]) -> Result<PubSubStream, RequestFailure> {
        self.subscription = None;
        let within = self.within();
        let opening = self.settings.address.client.get_async_pubsub();
        let (sink, stream) = timeout(2 * within, opening).await.map_err(|_| slow(within))??.split();
        self.subscription = Some(sink);
        self.subscribe(symbols, &[]).await?;
        Ok(stream)
    }

    async fn subscribe(&mut self, add: &[String], remove: &[String]) -> Result<(), RequestFailure> {
        let within = self.within();
        let channels = |symbols: &[String]| -> Vec<String> {
            let of_symbol = |symbol: &String| [self.keys.channel(symbol), self.keys.channels(symbol)];
            symbols.iter().flat_map(of_symbol).collect()
        };
        let (add, remove) = (channels(add), channels(remove));
        let sink = self.subscription.as_mut().ok_or_else(closed)?;
        if !add.is_empty() {
            timeout(within, sink.subscribe(add)).await.map_err(|_| slow(within))??;
        }
        if !remove.is_empty() {
            timeout(within, sink.unsubscribe(remove)).await.map_err(|_| slow(within))??;
        }
        Ok(())
    }

    async fn lease(&mut self, request: LeaseRequest) -> Result<LeaseGrant, RequestFailure> {
        let Some(group) = self.group.clone() else {
            return Err(RequestFailure("an edge takes no lease".into()));
        };
        let mut command = redis::cmd("EVAL");
        let (script, token) = match request {
            LeaseRequest::Take => (scripts::TAKE, 0),
            LeaseRequest::Renew { token } => (scripts::RENEW, token),
            LeaseRequest::GiveUp { token } => (scripts::GIVE_UP, token),
        };
        command
            .arg(script)
            .arg(3)
            .arg(self.keys.of("lease"))
            .arg(self.keys.of("fence"))
            .arg(self.keys.of("group"))
            .arg(&self.id)
            .arg(whole_ms(self.settings.times.lease.ttl))
            .arg(token)
            .arg(group.as_str())
            .arg(KEPT_S)
            .arg(GROUP_REST_S)
            .arg(LEASE_MS_MAX);
        let (token, group, ignored): (u64, Vec<u8>, String) = command.query_async(self.connection()?).await?;
        let answer = if token == 0 { LeaseAnswer::NotOurs } else { LeaseAnswer::Ours { token } };
        let group = String::from_utf8(group).ok().and_then(|text| Group::parse(&text));
        let ignored = ignored.split_whitespace().map(|what| self.keys.of(what)).collect();
        Ok(LeaseGrant { answer, group, ignored })
    }

    /// All in one pipeline.
    async fn publish(
        &mut self,
        token: u64,
        publications: &[Publication],
    ) -> Result<Vec<PublishOutcome>, RequestFailure> {
        let mut pipeline = Pipeline::with_capacity(publications.len());
        for publication in publications {
            let (whole, stored) = match &publication.stored {
                KeptState::Write(whole) => (whole.as_slice(), (0, &[][..])),
                KeptState::Expect { length, head } => (&[][..], (*length, head.as_slice())),
            };
            pipeline
                .cmd("EVAL")
                .arg(scripts::PUBLISH)
                .arg(2)
                .arg(self.keys.of("fence"))
                .arg(self.keys.state(&publication.symbol))
                .arg(token)
                .arg(self.keys.channel(&publication.symbol))
                .arg(&publication.message)
                .arg(whole)
                .arg(KEPT_S)
                .arg(stored.0)
                .arg(stored.1);
        }
        let answers: Vec<i64> = pipeline.query_async(self.connection()?).await?;
        let outcome = |answer: i64| match answer {
            -1 => PublishOutcome::Fenced,
            -2 => PublishOutcome::StateLost,
            _ => PublishOutcome::Published,
        };
        Ok(answers.into_iter().map(outcome).collect())
    }

    /// Publishes changes of channels, each only under the newest token. They are not stored: what gets lost is healed by
    /// the next heartbeat.
    pub(crate) async fn publish_channels(
        mut self,
        token: u64,
        changes: Vec<(String, Vec<u8>)>,
    ) -> Result<(), RequestFailure> {
        let span = trace_span!("redis.publish_channels", otel.kind = "producer", changes = changes.len());
        let mut pipeline = Pipeline::with_capacity(changes.len());
        for (symbol, message) in &changes {
            pipeline
                .cmd("EVAL")
                .arg(scripts::PUBLISH_CHANNEL)
                .arg(1)
                .arg(self.keys.of("fence"))
                .arg(token)
                .arg(self.keys.channels(symbol))
                .arg(message);
        }
        let _: Vec<i64> = pipeline.query_async(self.connection()?).instrument(span).await?;
        Ok(())
    }

    async fn read_states(&mut self, symbols: &[String]) -> Result<Vec<StoredValue>, RequestFailure> {
        let keys: Vec<String> = symbols.iter().map(|symbol| self.keys.state(symbol)).collect();
        self.read(&keys, MESSAGE_BYTES_MAX).await
    }

    async fn read_list(&mut self) -> Result<ListRead, RequestFailure> {
        let keys = [self.keys.of("symbols"), self.keys.of("group")];
        let mut values = self.read(&keys, LIST_BYTES_MAX).await?.into_iter();
        let list = values.next().unwrap_or(StoredValue::Missing);
        let group = match values.next() {
            Some(StoredValue::Bytes(text)) => {
                String::from_utf8(text).ok().and_then(|text| Group::parse(&text))
            }
            _ => None,
        };
        Ok(ListRead { list, group })
    }

    async fn read(&mut self, keys: &[String], bytes_max: usize) -> Result<Vec<StoredValue>, RequestFailure> {
        let mut command = redis::cmd("EVAL");
        command.arg(scripts::READ).arg(keys.len()).arg(keys).arg(bytes_max);
        let values: Vec<(i64, Vec<u8>)> = command.query_async(self.connection()?).await?;
        if values.len() != keys.len() {
            return Err(RequestFailure(format!("{} values for {} keys", values.len(), keys.len())));
        }
        let value = |(size, bytes): (i64, Vec<u8>)| match size {
            0 => StoredValue::Missing,
            -1 => StoredValue::Unusable(String::from_utf8_lossy(&bytes).chars().take(200).collect()),
            _ if unsigned_len(size) > bytes_max => {
                StoredValue::Unusable(format!("{size} bytes; at most {bytes_max} are read"))
            }
            _ => StoredValue::Bytes(bytes),
        };
        Ok(values.into_iter().map(value).collect())
    }

    async fn write_list(&mut self, token: u64, list: &[u8]) -> Result<PublishOutcome, RequestFailure> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(scripts::WRITE_LIST)
            .arg(2)
            .arg(self.keys.of("fence"))
            .arg(self.keys.of("symbols"))
            .arg(token)
            .arg(list)
            .arg(KEPT_S);
        let answer: i64 = command.query_async(self.connection()?).await?;
        Ok(if answer == -1 { PublishOutcome::Fenced } else { PublishOutcome::Published })
    }

    fn connection(&mut self) -> Result<&mut MultiplexedConnection, RequestFailure> {
        self.connection.as_mut().ok_or_else(closed)
    }

    const fn within(&self) -> Duration {
        self.settings.times.answer_within
    }
}

/// The span of a request that moves states. The lease and the symbol list are asked for all the time, and have none.
fn span_of(request: &Request) -> Span {
    let (name, kind, symbols) = match request {
        Request::Publish { publications, .. } => ("redis.publish", "producer", publications.len()),
        Request::ReadStates { symbols, .. } => ("redis.read_states", "client", symbols.len()),
        Request::Open { symbols } | Request::Listen { symbols } => ("redis.connect", "client", symbols.len()),
        Request::Subscribe { .. } | Request::Lease(_) | Request::WriteList { .. } | Request::ReadList => {
            return Span::none();
        }
    };
    trace_span!("redis", otel.name = name, otel.kind = kind, otel.status_code = Empty, symbols)
}

async fn connect(client: &Client, within: Duration) -> Result<MultiplexedConnection, RequestFailure> {
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(within)).set_response_timeout(Some(within));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    Ok(timeout(2 * within, connecting).await.map_err(|_| slow(within))??)
}

fn slow(within: Duration) -> RequestFailure {
    RequestFailure(format!("no answer within {} ms", within.as_millis()))
}

fn closed() -> RequestFailure {
    RequestFailure("not connected".to_owned())
}

impl fmt::Display for RequestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The next message of a subscription: channel and payload; `None` when the connection has ended.
pub(crate) async fn next_message(stream: &mut PubSubStream) -> Option<redis::Msg> {
    stream.next().await
}
