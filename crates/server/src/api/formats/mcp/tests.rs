//! The route around a handler that answers a call with its arguments: what the protocol and its gate answer.

use axum::body::to_bytes;
use axum::http::HeaderMap;
use axum::http::header;
use proptest::prelude::*;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest, CustomResult, ListToolsResult,
    PaginatedRequestParams, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use super::*;

/// Answers a call with its arguments.
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        agent::info()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::TOOLS.iter().map(agent::described).collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::ToolSpec::find(name).map(agent::described)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        assert!(context.extensions.get::<Parts>().is_some(), "tools read the head");
        Ok(CallToolResult::structured(Value::Object(request.arguments.unwrap_or_default())).into())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(agent::not_understood(&request.method, request.params.as_ref()))
    }
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    #[track_caller]
    fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: not JSON ({error}): {text}", self.status))
    }

    /// What is wrong, wherever it stands.
    #[track_caller]
    fn text(&self) -> String {
        let body = self.json();
        let text = body["detail"].as_str().or(body["error"]["message"].as_str());
        text.unwrap_or_else(|| panic!("{body}")).to_owned()
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let mut request = Request::post("/mcp").header("host", "heat.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let response = answer(&protocol(|| Echo), head, Ok(body.into())).await;
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Reply { status: head.status.as_u16(), headers: head.headers, body: body.to_vec() }
}

async fn say(message: &Value) -> Reply {
    post(&[JSON], message.to_string()).await
}

fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

/// `_meta` of the revisions without handshake.
fn with_meta(mut params: Value, revision: &str) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {}
    });
    params
}

#[tokio::test]
async fn the_handshake_agrees_on_a_revision_that_both_know() {
    let initialize = async |revision: &str| {
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": client });
        let answer = say(&request("initialize", &params)).await;
        assert_eq!((answer.status, answer.headers.get("mcp-session-id")), (200, None), "{}", answer.json());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
        answer.json()
    };
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        assert_eq!(initialize(revision).await["result"]["protocolVersion"], revision);
    }
    let newer = initialize("2031-01-01").await;
    assert_eq!((&newer["result"]["protocolVersion"], &newer["id"]), (&json!("2025-11-25"), &json!(7)));
    assert_eq!(newer["result"]["serverInfo"]["name"], "liqheat");
    assert!(newer["result"]["instructions"].as_str().unwrap().contains("coverage"));
    assert_eq!(newer["result"]["capabilities"], json!({ "tools": {} }));
}

#[tokio::test]
async fn a_client_without_handshake_is_answered() {
    let revision = "2026-07-28";
    let ask = async |method: &str, params: Value, name: Option<&str>| {
        let body = request(method, &with_meta(params, revision)).to_string();
        let mut headers = vec![JSON, ("mcp-protocol-version", revision), ("mcp-method", method)];
        headers.extend(name.map(|name| ("mcp-name", name)));
        post(&headers, body).await
    };
    let found = ask("server/discover", json!({}), None).await;
    assert_eq!((found.status, &found.json()["result"]["supportedVersions"][4]), (200, &json!(revision)));
    let listed = ask("tools/list", json!({}), None).await.json();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 10);
    let params = json!({ "name": "walls", "arguments": { "symbol": "BTC" } });
    let called = ask("tools/call", params, Some("walls")).await.json();
    assert_eq!(called["result"]["structuredContent"], json!({ "symbol": "BTC" }));
    let unknown = ask("resources/read", json!({ "uri": "x" }), Some("x")).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!(-32_601)));
}

#[tokio::test]
async fn notifications_want_nothing() {
    for message in [
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 3 } }),
        json!({ "jsonrpc": "2.0", "method": "tools/call" }),
    ] {
        let answer = say(&message).await;
        assert_eq!((answer.status, answer.body.as_slice()), (202, &b""[..]), "{message}");
    }
}

#[tokio::test]
async fn wrong_messages_are_answered_with_what_is_wrong() {
    assert_eq!(say(&request("ping", &json!({}))).await.json()["result"], json!({}));
    let call = |params: Value| request("tools/call", &params);
    for (message, status, code, part) in [
        (json!([]), 400, -32_600, "batches"),
        (json!([request("ping", &json!({}))]), 400, -32_600, "batches"),
        (json!("ping"), 400, -32_600, "jsonrpc"),
        (json!({ "id": 1, "method": "ping" }), 400, -32_600, "jsonrpc"),
        (json!({ "jsonrpc": 2.0, "id": 1, "method": "ping" }), 400, -32_600, "jsonrpc"),
        (json!({ "jsonrpc": "2.0", "id": 1 }), 400, -32_600, "'method' is missing"),
        (json!({ "jsonrpc": "2.0", "id": 1, "method": 7 }), 400, -32_600, "'method' must be a text"),
        (json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }), 400, -32_600, "'id'"),
        (json!({ "jsonrpc": "2.0", "id": 1.5, "method": "ping" }), 400, -32_600, "'id'"),
        (json!({ "jsonrpc": "2.0", "id": u64::MAX, "method": "ping" }), 400, -32_600, "64 bits"),
        (json!({ "jsonrpc": "2.0", "id": [1], "method": "ping" }), 400, -32_600, "'id'"),
        (json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "result": {} }), 400, -32_600, "a request has"),
        (json!({ "jsonrpc": "2.0", "id": 1, "result": {} }), 400, -32_600, "responses"),
        (request("no/such", &json!({})), 200, -32_601, "methods: initialize"),
        (request("resources/list", &json!({})), 200, -32_601, "resources/list"),
        (request("ping", &json!([])), 400, -32_600, "'params' must be an object"),
        (request("tools/list", &json!("x")), 400, -32_600, "'params' must be an object"),
        (request("initialize", &json!({})), 200, -32_602, "clientInfo"),
        (json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call" }), 200, -32_602, "'name'"),
        (call(json!({ "name": 7 })), 200, -32_602, "'name'"),
        (call(json!({ "name": "walls", "arguments": [] })), 200, -32_602, "'arguments'"),
        (call(json!({ "name": "walls", "arguments": "{}" })), 200, -32_602, "'arguments'"),
        (call(json!({ "name": "walls", "arguments": {}, "_meta": 1 })), 400, -32_600, "_meta"),
    ] {
        let answer = say(&message).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &json!(code)), "{message}");
        assert!(answer.text().contains(part), "{message}: {}", answer.text());
    }
    let deep = "[".repeat(40_000);
    for body in [&b"{"[..], b"", b"\xff\xfe", b"{\"jsonrpc\":\"2.0\",\"id\":1e400}", deep.as_bytes()] {
        let answer = post(&[JSON], body.to_vec()).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(-32_700)));
        assert!(answer.text().contains("not JSON"), "{}", answer.text());
    }
}

#[tokio::test]
async fn types_that_a_client_sends_and_accepts() {
    let ping = || request("ping", &json!({})).to_string();
    for (kind, status) in [
        (Some("application/json"), 200),
        (Some("Application/JSON; charset=utf-8"), 200),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("application/jsonx"), 415),
        (Some(""), 415),
        (None, 415),
    ] {
        let headers: Vec<_> = kind.map(|kind| ("content-type", kind)).into_iter().collect();
        let answer = post(&headers, ping()).await;
        assert_eq!(answer.status, status, "{kind:?}");
        assert!(status == 200 || answer.text().contains("Content-Type"), "{kind:?}");
    }
    for (accept, status) in [
        (&["application/json, text/event-stream"][..], 200),
        (&["text/event-stream", "application/json"], 200),
        (&["application/json"], 200),
        (&["*/*"], 200),
        (&["application/*;q=0.5"], 200),
        (&[], 200),
        (&["text/event-stream"], 406),
        (&["text/html, application/json;q=0"], 406),
        (&["text/html, application/json; Q=0.0"], 406),
        (&[""], 406),
    ] {
        let headers: Vec<_> = accept.iter().map(|accept| ("accept", *accept)).chain([JSON]).collect();
        let answer = post(&headers, ping()).await;
        assert_eq!(answer.status, status, "{accept:?}");
        assert!(status == 200 || answer.text().contains("Accept"), "{accept:?}");
    }
}

#[tokio::test]
async fn revisions_that_are_not_known_are_refused() {
    let say_in = async |revision: &str, message: &Value| {
        post(&[JSON, ("mcp-protocol-version", revision)], message.to_string()).await
    };
    let ping = request("ping", &json!({}));
    assert_eq!(say_in("2025-06-18", &ping).await.status, 200);
    for revision in ["2031-01-01", "", "x"] {
        let answer = say_in(revision, &ping).await;
        assert_eq!((answer.status, &answer.json()["id"]), (400, &json!(7)), "{revision}");
        assert!(answer.text().contains("2025-11-25"), "{}", answer.text());
    }
    let headers = [JSON, ("mcp-protocol-version", "2031-01-01"), ("mcp-method", "tools/list")];
    let named = request("tools/list", &with_meta(json!({}), "2031-01-01"));
    let answer = post(&headers, named.to_string()).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!(-32_022)));
    assert_eq!(answer.json()["error"]["data"]["supported"][3], "2025-11-25");
}

#[tokio::test]
async fn hosts_are_judged_elsewhere() {
    let protocol = protocol(|| Echo);
    for host in [Some("heat.example:8443"), Some("203.0.113.7"), Some("[2001:db8::1]:80"), None] {
        let mut request = Request::post("/mcp").header(JSON.0, JSON.1);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let (head, ()) = request.header("origin", "https://heat.example").body(()).unwrap().into_parts();
        let body = Bytes::from(super::tests::request("ping", &json!({})).to_string());
        assert_eq!(answer(&protocol, head, Ok(body)).await.status(), 200, "{host:?}");
    }
}

/// Any JSON, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("2.0")),
        Just(json!("2026-07-28")),
        Just(json!("walls")),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![
            Just("name".to_owned()),
            Just("arguments".to_owned()),
            Just("_meta".to_owned()),
            Just("io.modelcontextprotocol/protocolVersion".to_owned()),
            Just("protocolVersion".to_owned()),
            Just("clientInfo".to_owned()),
            Just("requestId".to_owned()),
            ".{0,6}",
        ];
        let fields = prop::collection::vec((name, inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A message, or nearly one.
fn any_message() -> impl Strategy<Value = Value> {
    const METHODS: [&str; 16] = [
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "tools/call",
        "tools/call",
        "resources/list",
        "resources/read",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "subscriptions/listen",
        "tasks/get",
        "skills/get",
        "notifications/cancelled",
        "notifications/progress",
    ];
    let method = prop_oneof![
        8 => prop::sample::select(&METHODS[..]).prop_map(Value::from),
        1 => any_json()
    ];
    let id = prop_oneof![4 => Just(json!(1)), 1 => any_json()];
    let fields = (
        prop::option::weighted(0.95, Just(json!("2.0"))),
        prop::option::weighted(0.9, id),
        prop::option::weighted(0.95, method),
        prop::option::weighted(0.8, any_json()),
        prop::option::weighted(0.05, any_json()),
        prop::option::weighted(0.05, any_json()),
    );
    fields.prop_map(|(jsonrpc, id, method, params, result, error)| {
        let names = ["jsonrpc", "id", "method", "params", "result", "error"];
        let fields = names.into_iter().zip([jsonrpc, id, method, params, result, error]);
        Value::Object(fields.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    })
}

proptest! {
    /// Whatever comes is answered, with JSON or with nothing, and no fault of the server.
    #[test]
    fn anything_is_answered(
        body in prop_oneof![
            6 => any_message().prop_map(|message| message.to_string().into_bytes()),
            2 => any_message().prop_map(|message| {
                let params = message["params"].clone();
                let params = if params.is_object() { params } else { json!({}) };
                let method = message["method"].as_str().unwrap_or("ping").to_owned();
                request(&method, &with_meta(params, "2026-07-28")).to_string().into_bytes()
            }),
            1 => any_json().prop_map(|message| message.to_string().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..64),
        ],
        revision in prop::option::of(prop_oneof![
            Just("2025-06-18".to_owned()), Just("2026-07-28".to_owned()), "[ -~]{0,12}"
        ]),
        method in prop::option::of(prop_oneof![Just("tools/call".to_owned()), "[ -~]{0,12}"]),
    ) {
        let headers: Vec<(&str, &str)> = [
            Some(JSON),
            revision.as_deref().map(|revision| ("mcp-protocol-version", revision)),
            method.as_deref().map(|method| ("mcp-method", method)),
        ].into_iter().flatten().collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(post(&headers, body.clone()));
        let text = String::from_utf8_lossy(&body).into_owned();
        prop_assert!([200, 202, 400, 404].contains(&answer.status), "{}: {}", text, answer.status);
        if answer.status == 202 {
            prop_assert!(answer.body.is_empty());
        } else {
            let reply = answer.json();
            prop_assert_eq!(&reply["jsonrpc"], "2.0", "{}: {}", text, reply);
            prop_assert!(reply.get("result").is_some() != reply.get("error").is_some());
        }
    }
}
