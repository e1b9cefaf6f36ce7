//! Messages of the protocol: JSON-RPC 2.0, one a request, answered by itself.
//!
//! Revisions up to 2025-11-25 are spoken, with the handshake `initialize` and no sessions. A client that asks for the newer
//! way without a handshake (`server/discover`) gets the error of an unknown method and falls back to the handshake.

use serde_json::{Value, json};

use super::tools::{TOOLS, ToolSpec};

/// Revisions of the protocol, oldest first. What is used of them is the same in all.
pub(super) const REVISIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// Codes of JSON-RPC.
pub(super) const PARSE_ERROR: i32 = -32_700;
pub(super) const INVALID_REQUEST: i32 = -32_600;
const METHOD_NOT_FOUND: i32 = -32_601;
pub(super) const INVALID_PARAMS: i32 = -32_602;

const INSTRUCTIONS: &str = "Estimated liquidation levels of crypto perpetual futures, and liquidations that really happened. \
    Levels are a model's estimate of where leveraged positions would be liquidated; `accuracy` says how good it is. Long \
    positions are liquidated below the price, short ones above it. Every answer says in `about` how old its data is and \
    whether it is stale. Start with `coverage`.";

/// What a message asks for.
#[derive(Debug, PartialEq)]
pub(super) enum McpMessage {
    /// Nothing: a notification, or an answer of the client.
    Nothing,
    /// Answered from the message alone.
    Reply(Value),
    /// A call of a tool.
    Call { id: Value, tool: String, arguments: serde_json::Map<String, Value> },
}

/// Reads a message.
pub(super) fn read(text: &[u8]) -> McpMessage {
    let Ok(message) = serde_json::from_slice::<Value>(text) else {
        return McpMessage::Reply(error(&Value::Null, PARSE_ERROR, "the body is not JSON"));
    };
    if !message.is_object() || message["jsonrpc"] != "2.0" {
        let text = "the body must be one message of JSON-RPC 2.0; batches are not taken";
        return McpMessage::Reply(error(&Value::Null, INVALID_REQUEST, text));
    }
    let Some(method) = message["method"].as_str() else {
        let is_answer = message.get("result").is_some() || message.get("error").is_some();
        let invalid = || McpMessage::Reply(error(&Value::Null, INVALID_REQUEST, "'method' is missing"));
        return if is_answer { McpMessage::Nothing } else { invalid() };
    };
    let id = match message.get("id") {
        None => return McpMessage::Nothing,
        Some(id @ (Value::String(_) | Value::Number(_))) => id,
        Some(_) => {
            return McpMessage::Reply(error(
                &Value::Null,
                INVALID_REQUEST,
                "'id' must be a text or a number",
            ));
        }
    };
    match method {
        "initialize" => McpMessage::Reply(result(id, &initialized(&message["params"]))),
        "ping" => McpMessage::Reply(result(id, &json!({}))),
        "tools/list" => {
            let tools: Vec<Value> = TOOLS.iter().map(ToolSpec::described).collect();
            McpMessage::Reply(result(id, &json!({ "tools": tools })))
        }
        "tools/call" => call(id, &message["params"]),
        _ => {
            let method: String = method.chars().take(60).collect();
            let text = format!(
                "method '{method}' is not known here; methods: initialize, ping, tools/list, tools/call"
            );
            McpMessage::Reply(error(id, METHOD_NOT_FOUND, &text))
        }
    }
}

fn call(id: &Value, params: &Value) -> McpMessage {
    let Some(tool) = params["name"].as_str() else {
        return McpMessage::Reply(error(id, INVALID_PARAMS, "'name' of the tool is missing"));
    };
    let arguments = match &params["arguments"] {
        Value::Null => serde_json::Map::new(),
        Value::Object(arguments) => arguments.clone(),
        _ => return McpMessage::Reply(error(id, INVALID_PARAMS, "'arguments' must be an object")),
    };
    McpMessage::Call { id: id.clone(), tool: tool.to_owned(), arguments }
}

/// The revision that the client asks for where it is known, else the newest one.
fn initialized(params: &Value) -> Value {
    let [.., newest] = REVISIONS;
    let asked = params["protocolVersion"].as_str().filter(|asked| REVISIONS.contains(asked));
    json!({
        "protocolVersion": asked.unwrap_or(newest),
        "capabilities": { "tools": { "listChanged": false } },
        "serverInfo": { "name": "liqheat", "title": "liqheat", "version": env!("CARGO_PKG_VERSION") },
        "instructions": INSTRUCTIONS
    })
}

pub(super) fn result(id: &Value, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

pub(super) fn error(id: &Value, code: i32, text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } })
}

/// What a tool tells.
pub(super) fn succeeded(answer: &Value) -> Value {
    let text = json!([{ "type": "text", "text": answer.to_string() }]);
    json!({ "content": text, "structuredContent": answer, "isError": false })
}

/// What a tool cannot tell, and what to try.
pub(super) fn failed(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "isError": true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(message: &Value) -> Value {
        match read(message.to_string().as_bytes()) {
            McpMessage::Reply(reply) => reply,
            other => panic!("{message}: {other:?}"),
        }
    }

    #[test]
    fn the_handshake_agrees_on_a_revision_that_both_know() {
        let initialize = |revision: &str| {
            reply(
                &json!({ "jsonrpc": "2.0", "id": 7, "method": "initialize", "params": { "protocolVersion": revision } }),
            )
        };
        assert_eq!(initialize("2025-06-18")["result"]["protocolVersion"], "2025-06-18");
        let newer = initialize("2031-01-01");
        assert_eq!((&newer["result"]["protocolVersion"], &newer["id"]), (&json!("2025-11-25"), &json!(7)));
        assert_eq!(newer["result"]["serverInfo"]["name"], "liqheat");
    }

    #[test]
    fn notifications_and_answers_want_nothing() {
        for message in [
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            json!({ "jsonrpc": "2.0", "method": "tools/call" }),
            json!({ "jsonrpc": "2.0", "id": 1, "result": {} }),
        ] {
            assert_eq!(read(message.to_string().as_bytes()), McpMessage::Nothing, "{message}");
        }
    }

    #[test]
    fn wrong_messages_are_answered_with_the_codes_of_json_rpc() {
        assert_eq!(reply(&json!({ "jsonrpc": "2.0", "id": "a", "method": "ping" }))["result"], json!({}));
        for (message, code) in [
            (json!([]), INVALID_REQUEST),
            (json!({ "id": 1, "method": "ping" }), INVALID_REQUEST),
            (json!({ "jsonrpc": "2.0", "id": 1 }), INVALID_REQUEST),
            (json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }), INVALID_REQUEST),
            (json!({ "jsonrpc": "2.0", "id": 1, "method": "server/discover" }), METHOD_NOT_FOUND),
            (json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call" }), INVALID_PARAMS),
            (
                json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "walls", "arguments": [] } }),
                INVALID_PARAMS,
            ),
        ] {
            assert_eq!(reply(&message)["error"]["code"], code, "{message}");
        }
        let McpMessage::Reply(broken) = read(b"{") else { panic!() };
        assert_eq!(broken["error"]["code"], PARSE_ERROR);
    }

    #[test]
    fn a_call_names_its_tool_and_arguments() {
        let message = json!({ "jsonrpc": "2.0", "id": "x", "method": "tools/call",
            "params": { "name": "walls", "arguments": { "symbol": "BTC" }, "_meta": {} } });
        let McpMessage::Call { id, tool, arguments } = read(message.to_string().as_bytes()) else { panic!() };
        assert_eq!((id, tool.as_str()), (json!("x"), "walls"));
        assert_eq!(arguments["symbol"], "BTC");
    }
}
