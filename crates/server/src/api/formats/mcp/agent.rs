//! What agents are answered: the list of tools, and calls of them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode, header};
use bytes::Bytes;
use liqheat_wire::{FeedState, format_time};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult,
    ErrorCode, Implementation, JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tower_service::Service;

use super::super::super::parts::PresentState;
use super::super::names;
use super::call::{Call, refusal};
use super::tools::{TOOLS, ToolSpec};
use crate::clock::MarketClock;

/// Most bytes of an answer: more than a model can read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

const INSTRUCTIONS: &str = "Estimated liquidation levels of crypto perpetual futures, and liquidations that really happened. \
    Levels are a model's estimate of where leveraged positions would be liquidated; `accuracy` says how good it is. Long \
    positions are liquidated below the price, short ones above it. Every answer says in `about` how old its data is and \
    whether it is stale. Start with `coverage`.";

/// Answers the messages of agents.
#[derive(Clone)]
pub(super) struct Agent {
    present: PresentState,
    clock: Arc<MarketClock>,
    /// Answers the requests that tools are turned into.
    data: Router,
}

impl ServerHandler for Agent {
    fn get_info(&self) -> ServerConfig {
        info()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(described).collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        ToolSpec::find(name).map(described)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = ToolSpec::find(&request.name) else {
            let name: String = request.name.chars().take(40).collect();
            let text = format!("there is no tool '{name}'; tools: {}", ToolSpec::names());
            return Err(ErrorData::invalid_params(text, None));
        };
        let Some(head) = context.extensions.get::<Parts>() else {
            return Err(ErrorData::internal_error("the head of the request is missing", None));
        };
        let answer = self.call_route(tool, request.arguments.unwrap_or_default(), head).await;
        let failed = |text| CallToolResult::error(vec![ContentBlock::text(text)]);
        Ok(answer.map_or_else(failed, CallToolResult::structured).into())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(not_understood(&request.method, request.params.as_ref()))
    }
}

/// What the handshake tells of this server.
pub(super) fn info() -> ServerConfig {
    let this = Implementation::new("liqheat", env!("CARGO_PKG_VERSION")).with_title("liqheat");
    ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
        .with_server_info(this)
        .with_instructions(INSTRUCTIONS)
}

/// A tool as clients see it.
pub(super) fn described(tool: &ToolSpec) -> Tool {
    let annotations = ToolAnnotations::with_title(tool.title).read_only(true).open_world(false);
    Tool::new(tool.name, tool.about, tool.input_schema()).with_title(tool.title).with_annotations(annotations)
}

/// Why a request is not one of a method that is known: the method, or what it is asked with.
pub(super) fn not_understood(method: &str, params: Option<&Value>) -> ErrorData {
    let text = match method {
        "initialize" => {
            "'params' of initialize must have 'protocolVersion', 'capabilities' and 'clientInfo' with 'name' and 'version'"
        }
        "tools/call" => {
            let params = params.unwrap_or(&Value::Null);
            if params["name"].is_string() && !params["arguments"].is_object() {
                "'arguments' must be an object"
            } else if params["name"].is_string() {
                "'params' of tools/call are 'name' and 'arguments'"
            } else {
                "'name' of the tool is missing"
            }
        }
        _ => {
            let method: String = method.chars().take(60).collect();
            let text = format!(
                "method '{method}' is not known here; methods: initialize, ping, server/discover, tools/list, tools/call"
            );
            return ErrorData::new(ErrorCode::METHOD_NOT_FOUND, text, None);
        }
    };
    ErrorData::invalid_params(text, None)
}

impl Agent {
    pub(super) const fn new(present: PresentState, clock: Arc<MarketClock>, data: Router) -> Self {
        Self { present, clock, data }
    }

    /// The answer of a tool, or what is wrong with the call and what to try.
    async fn call_route(
        &self,
        tool: &ToolSpec,
        arguments: JsonObject,
        head: &Parts,
    ) -> Result<Value, String> {
        let call = Call::of(tool, arguments, |text| self.symbol(text))?;
        let answer = self.ask(&call.target, head).await?;
        let (status, headers, body) = answer;
        if status != StatusCode::OK {
            return Err(refusal(tool, status, &headers, &body));
        }
        let body: Value =
            serde_json::from_slice(&body).map_err(|error| format!("the answer is not JSON: {error}"))?;
        Ok(json!({ "about": self.about(call.symbol.as_deref()), tool.name: (tool.view)(&body, call.detail) }))
    }

    /// The name under which a symbol is served, where it is written as a coin or in small letters.
    fn symbol(&self, text: &str) -> Option<String> {
        let catalog = &self.present.symbols.catalog;
        if catalog.symbol(text).is_some() {
            return Some(text.to_owned());
        }
        names::market(catalog, &text.to_uppercase()).ok().map(|market| market.name.clone())
    }

    async fn ask(&self, target: &str, head: &Parts) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let request = Request::get(target).body(Body::empty());
        let mut request = request.map_err(|error| format!("an argument cannot be sent: {error}"))?;
        for name in [header::AUTHORIZATION, header::HOST] {
            if let Some(value) = head.headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        for name in ["cg-api-key", "x-forwarded-for"] {
            for value in head.headers.get_all(name) {
                request.headers_mut().append(name, value.clone());
            }
        }
        if let Some(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>() {
            request.extensions_mut().insert(*peer);
        }
        let mut data = self.data.clone();
        let response = match data.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, body) = response.into_parts();
        let body = to_bytes(body, ANSWER_BYTES_MAX).await;
        let body = body.map_err(|_| {
            "the answer is larger than 1 MiB; ask for less: a smaller range_pct or limit, a larger bin, or detail=concise"
                .to_owned()
        })?;
        Ok((head.status, head.headers, body))
    }

    /// How old the data of an answer is. Without a symbol every row says it by itself.
    fn about(&self, symbol: Option<&str>) -> Value {
        let now = self.clock.now();
        let mut about = json!({ "market_time": format_time(now) });
        let Some(symbol) = symbol else { return about };
        let state = self.present.published.feed_state(symbol);
        about["symbol"] = symbol.into();
        about["state"] = state.name().into();
        about["is_stale"] = matches!(state, FeedState::Stale | FeedState::Degraded).into();
        if let Some(head) = self.present.published.head(symbol) {
            about["as_of"] = format_time(head.as_of).into();
            about["age_s"] = (now.since(head.as_of).max(0) / 1_000).into();
        }
        if let Some(sum) = self.present.published.local_sum(symbol) {
            about["seen_share"] = sum.seen_share.into();
        }
        about
    }
}
