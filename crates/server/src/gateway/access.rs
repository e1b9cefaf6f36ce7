//! Which hosts and origins are accepted, where the operator can change them while the server runs.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::CorsLayer;

use super::cors::cors;
use super::web_origin::{AllowedHost, AllowedOrigin, HostRules};

/// What is accepted now.
pub(super) struct AccessRules {
    pub(super) allowed_origins: Vec<AllowedOrigin>,
    pub(super) hosts: HostRules,
    /// `None` while no other origin may read: then answers say nothing about origins.
    cors: Option<CorsLayer>,
}

/// The rules in force, shared by all who check them.
pub(crate) struct AccessPolicy(RwLock<Arc<AccessRules>>);

impl AccessPolicy {
    pub(crate) fn new(hosts: &[AllowedHost], allowed_origins: &[AllowedOrigin]) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(AccessRules::new(hosts, allowed_origins)))))
    }

    /// Other rules from now on; sockets that are open stay.
    pub(crate) fn set(&self, hosts: &[AllowedHost], allowed_origins: &[AllowedOrigin]) {
        let rules = Arc::new(AccessRules::new(hosts, allowed_origins));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    pub(super) fn rules(&self) -> Arc<AccessRules> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The layer that answers preflights and names allowed origins.
    pub(crate) async fn share(State(policy): State<Arc<Self>>, request: Request, next: Next) -> Response {
        let rules = policy.rules();
        let Some(cors) = &rules.cors else { return next.run(request).await };
        let inner = service_fn(move |request| {
            let next = next.clone();
            async move { Ok::<_, Infallible>(next.run(request).await) }
        });
        match cors.layer(inner).oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl AccessRules {
    fn new(hosts: &[AllowedHost], allowed_origins: &[AllowedOrigin]) -> Self {
        Self {
            allowed_origins: allowed_origins.to_vec(),
            hosts: HostRules::new(hosts, allowed_origins),
            cors: (!allowed_origins.is_empty()).then(|| cors(allowed_origins)),
        }
    }
}
