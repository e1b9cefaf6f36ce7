//! Flags of a server that is one of several.

#![expect(clippy::disallowed_methods, reason = "reads the files that the settings name")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use liqheat_cluster::{
    ClusterTimes, RedisAddress, RedisCertificates, RedisSettings, RedisSettingsError, check_prefix,
};
use liqheat_server::{MarketClock, Secret};

/// Several servers over one Redis.
#[derive(Debug, Args)]
#[command(next_help_heading = "Several servers")]
pub(crate) struct Cluster {
    /// Whether states are shared with other servers through Redis.
    #[arg(long, env = "REDIS_ENABLED", default_value = "false", action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) redis_enabled: bool,
    /// Address of Redis: redis://[[user]:password@]host[:port][/database], or rediss:// for TLS. The password is never
    /// logged; other users of the machine can read command lines, so better use the variable.
    #[arg(long, env = "REDIS_URL", default_value = "redis://127.0.0.1:6379", hide_env_values = true, value_parser = secret, value_name = "URL")]
    pub(crate) redis_url: Secret,
    /// First part of all names in Redis: the channel of a symbol is PREFIX:SYMBOL. Servers share states only with those
    /// of the same prefix.
    #[arg(long, env = "REDIS_CHANNEL_PREFIX", default_value = "heatmap", value_name = "PREFIX")]
    pub(crate) redis_channel_prefix: String,
    /// Seconds after which a request to Redis has failed. The producer's lease lasts 2 seconds, so a producer that waits
    /// longer is replaced meanwhile.
    #[arg(long, env = "REDIS_TIMEOUT", default_value = "1", value_parser = super::values::redis_timeout, value_name = "SECONDS")]
    pub(crate) redis_timeout: Duration,
    /// For TLS: a PEM file of certificate authorities, instead of the system's.
    #[arg(long, env = "REDIS_CA", value_name = "FILE")]
    pub(crate) redis_ca: Option<PathBuf>,
    /// For TLS: a PEM file with the client certificate, if Redis requires one.
    #[arg(long, env = "REDIS_CERT", value_name = "FILE")]
    pub(crate) redis_cert: Option<PathBuf>,
    /// For TLS: a PEM file with the key of the client certificate.
    #[arg(long, env = "REDIS_KEY", value_name = "FILE")]
    pub(crate) redis_key: Option<PathBuf>,
}

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Data, model and clients. One of several is the producer.
    All,
    /// Clients only: serves the producer's states; needs nothing but Redis.
    Edge,
}

impl From<Role> for liqheat_cluster::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::All => Self::All,
            Role::Edge => Self::Edge,
        }
    }
}

impl Cluster {
    /// What is wrong with them, as far as that can be said without reading files.
    pub(crate) fn faults(&self) -> Vec<String> {
        if !self.redis_enabled {
            return Vec::new();
        }
        let half = self.redis_cert.is_some() != self.redis_key.is_some();
        let address = RedisAddress::new(self.redis_url.expose(), RedisCertificates::default());
        let faults = [
            address.err(),
            check_prefix(&self.redis_channel_prefix).err(),
            half.then_some(RedisSettingsError::HalfIdentity),
        ];
        faults.into_iter().flatten().map(|fault| fault.to_string()).collect()
    }

    /// Redis and our part, if it is switched on. `symbols` are all that an edge serves; empty for all there are.
    pub(crate) fn settings(&self, role: Role, symbols: &[String]) -> anyhow::Result<Option<RedisSettings>> {
        if !self.redis_enabled {
            return Ok(None);
        }
        let identity = match (&self.redis_cert, &self.redis_key) {
            (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
            _ => None,
        };
        let authorities = self.redis_ca.as_deref().map(read).transpose()?;
        let address =
            RedisAddress::new(self.redis_url.expose(), RedisCertificates { authorities, identity })?;
        Ok(Some(RedisSettings {
            address,
            prefix: self.redis_channel_prefix.clone(),
            role: role.into(),
            symbols: if role == Role::Edge { symbols.to_vec() } else { Vec::new() },
            times: ClusterTimes { answer_within: self.redis_timeout, ..ClusterTimes::default() },
            wall_clock: MarketClock::wall_now,
        }))
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Whether it is an address is checked where it is used; a wrong one must not be repeated in a message.
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text.to_owned()))
}
