//! The conversation with Redis: a connection for questions, another one for the subscription, and the scripts
//! that make one step of what must not be torn apart.
//!
//! | name | what |
//! |---|---|
//! | channel `heatmap:SYMBOL` | one message for every change, and signs of life |
//! | key `heatmap:SYMBOL:state` | the newest whole state, for a day |
//! | key `heatmap:symbols` | what is served, for those who serve what others make |
//! | key `heatmap:lease` | who makes the states |
//! | key `heatmap:fence` | the newest token that was given with the lease |

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Client, Msg, Pipeline, RedisError};
use tokio::time::timeout;

use super::election::{Answer, Ask};
use super::settings::RedisSettings;

/// Gives the lease to who has it or to who comes first; a new holder gets a token larger than all before. Tokens
/// are milliseconds of Redis' clock where that is larger, so that they rise even over the loss of all keys.
const TAKE: &str = "\
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if holder and last > 0 then return last end
local time = redis.call('TIME')
local token = math.max(last + 1, time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[2], string.format('%.0f', token))
return token";

/// Holds the lease for longer, if nobody took it.
const RENEW: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(ARGV[3])";

/// Ends the lease, if it is ours.
const GIVE_UP: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0";

/// Publishes one message and keeps the whole state, both or none, and only under the newest token. Without a whole
/// state the one that is kept must be there.
const PUBLISH: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
elseif redis.call('EXPIRE', KEYS[2], ARGV[5]) == 0 then return -2 end
return redis.call('PUBLISH', ARGV[2], ARGV[3])";

/// Keeps the list of what is served, under the newest token.
const CATALOGUE: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 0";

/// How long states and the catalogue are kept without a sign of life.
const KEPT_S: u64 = 86_400;
/// A list of symbols that is longer is not read.
const CATALOGUE_BYTES_MAX: usize = 1_024 * 1_024;

/// Why Redis did not do as asked, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

/// What is published at once about one symbol.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) symbol: String,
    pub(crate) message: Vec<u8>,
    /// The whole state to keep; `None` leaves the one that is kept.
    pub(crate) whole: Option<Vec<u8>>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Published,
    /// Somebody has a newer token.
    Fenced,
    /// The whole state is not kept any more; nothing was published.
    WholeIsGone,
}

/// Names of channels and keys.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) const fn new(prefix: String) -> Self {
        Self { prefix }
    }

    pub(crate) fn channel(&self, symbol: &str) -> String {
        format!("{}:{symbol}", self.prefix)
    }

    /// The symbol of a channel.
    pub(crate) fn symbol<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(&self.prefix)?.strip_prefix(':')
    }

    fn state(&self, symbol: &str) -> String {
        format!("{}:{symbol}:state", self.prefix)
    }

    fn of(&self, what: &str) -> String {
        format!("{}:{what}", self.prefix)
    }
}

/// Both connections, newly opened.
pub(crate) struct Opened {
    pub(crate) commands: Commands,
    pub(crate) listener: Listener,
}

/// Opens both connections and subscribes.
pub(crate) async fn open(settings: RedisSettings, id: String, symbols: Vec<String>) -> Result<Opened, Fault> {
    let client = &settings.address.client;
    let within = settings.times.answer_within;
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(within)).set_response_timeout(Some(within));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let connection = timeout(2 * within, connecting).await.map_err(|_| slow(within))??;
    let names = Names::new(settings.prefix.clone());
    let commands = Commands { connection, names: names.clone(), id, ttl: settings.times.lease.ttl };
    let listener = Listener::open(client, names, &symbols, within).await?;
    Ok(Opened { commands, listener })
}

fn slow(within: Duration) -> Fault {
    Fault(format!("no answer within {} ms", within.as_millis()))
}

/// The connection for questions. Answers come in order; several questions go out together.
pub(crate) struct Commands {
    connection: MultiplexedConnection,
    names: Names,
    /// Who we are, in the lease.
    id: String,
    ttl: Duration,
}

impl Commands {
    pub(crate) async fn lease(&mut self, ask: Ask) -> Result<Answer, Fault> {
        let (script, token) = match ask {
            Ask::Take => (TAKE, 0),
            Ask::Renew { token } => (RENEW, token),
            Ask::GiveUp { token } => (GIVE_UP, token),
        };
        let token: u64 = redis::cmd("EVAL")
            .arg(script)
            .arg(2)
            .arg(self.names.of("lease"))
            .arg(self.names.of("fence"))
            .arg(&self.id)
            .arg(self.ttl.as_millis() as u64)
            .arg(token)
            .query_async(&mut self.connection)
            .await?;
        Ok(if token == 0 { Answer::NotOurs } else { Answer::Ours { token } })
    }

    /// All in one go.
    pub(crate) async fn publish(
        &mut self,
        token: u64,
        publications: &[Publication],
    ) -> Result<Vec<Outcome>, Fault> {
        let mut pipeline = Pipeline::with_capacity(publications.len());
        for publication in publications {
            pipeline
                .cmd("EVAL")
                .arg(PUBLISH)
                .arg(2)
                .arg(self.names.of("fence"))
                .arg(self.names.state(&publication.symbol))
                .arg(token)
                .arg(self.names.channel(&publication.symbol))
                .arg(&publication.message)
                .arg(publication.whole.as_deref().unwrap_or_default())
                .arg(KEPT_S);
        }
        let answers: Vec<i64> = pipeline.query_async(&mut self.connection).await?;
        let outcome = |answer: i64| match answer {
            -1 => Outcome::Fenced,
            -2 => Outcome::WholeIsGone,
            _ => Outcome::Published,
        };
        Ok(answers.into_iter().map(outcome).collect())
    }

    /// The whole states that are kept.
    pub(crate) async fn states(&mut self, symbols: &[String]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        if symbols.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = symbols.iter().map(|symbol| self.names.state(symbol)).collect();
        Ok(redis::cmd("MGET").arg(keys).query_async(&mut self.connection).await?)
    }

    /// What is served, as the producer wrote it.
    pub(crate) async fn catalogue(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let key = self.names.of("symbols");
        let bytes: Option<Vec<u8>> = redis::cmd("GET").arg(key).query_async(&mut self.connection).await?;
        Ok(bytes.filter(|bytes| bytes.len() <= CATALOGUE_BYTES_MAX))
    }

    pub(crate) async fn keep_catalogue(&mut self, token: u64, bytes: &[u8]) -> Result<Outcome, Fault> {
        let answer: i64 = redis::cmd("EVAL")
            .arg(CATALOGUE)
            .arg(2)
            .arg(self.names.of("fence"))
            .arg(self.names.of("symbols"))
            .arg(token)
            .arg(bytes)
            .arg(KEPT_S)
            .query_async(&mut self.connection)
            .await?;
        Ok(if answer == -1 { Outcome::Fenced } else { Outcome::Published })
    }
}

/// The subscription.
pub(crate) struct Listener {
    sink: PubSubSink,
    stream: PubSubStream,
    names: Names,
    within: Duration,
}

impl Listener {
    pub(crate) async fn open(
        client: &Client,
        names: Names,
        symbols: &[String],
        within: Duration,
    ) -> Result<Self, Fault> {
        let opening = client.get_async_pubsub();
        let (sink, stream) = timeout(2 * within, opening).await.map_err(|_| slow(within))??.split();
        let mut listener = Self { sink, stream, names, within };
        listener.add(symbols).await?;
        Ok(listener)
    }

    /// Listens for more symbols, too.
    pub(crate) async fn add(&mut self, symbols: &[String]) -> Result<(), Fault> {
        if symbols.is_empty() {
            return Ok(());
        }
        let channels: Vec<String> = symbols.iter().map(|symbol| self.names.channel(symbol)).collect();
        timeout(self.within, self.sink.subscribe(channels)).await.map_err(|_| slow(self.within))??;
        Ok(())
    }

    /// The next message; `None` when the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<Msg> {
        self.stream.next().await
    }
}
