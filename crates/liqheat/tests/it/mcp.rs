//! `/mcp`: tools for agents, as a client of streamable HTTP calls them.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use liqheat_testkit::token::{SECRET, signed_with};
use liqheat_testkit::{Answer, RunningProgram, read_answer, send_json};
use serde_json::{Value, json};

use crate::support::{ask, await_state, loaded, rows, server};

/// A request with any method, header lines and body.
#[track_caller]
fn send(address: SocketAddr, method: &str, headers: &[&str], body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(liqheat_testkit::PATIENCE)).unwrap();
    let mut head =
        format!("{method} /mcp HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for line in headers {
        head += &format!("{line}\r\n");
    }
    if !headers.iter().any(|line| line.starts_with("Host:")) {
        head += &format!("Host: {address}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
    read_answer(&mut stream).unwrap_or_else(|| panic!("{method} {headers:?}: no answer"))
}

fn message(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": "a", "method": method, "params": params }).to_string()
}

fn called(server: &RunningProgram, headers: &[(&str, &str)], tool: &str, arguments: &Value) -> Value {
    let body = message("tools/call", &json!({ "name": tool, "arguments": arguments }));
    let answer = send_json(server.address(), "POST", "/mcp", headers, &body);
    assert_eq!(answer.status, 200, "{tool} {arguments}: {}", answer.text());
    let reply = answer.json();
    assert_eq!(reply["id"], "a");
    reply
}

/// What a tool answers.
#[track_caller]
fn tool_answer(server: &RunningProgram, tool: &str, arguments: &Value) -> Value {
    let result = called(server, &[], tool, arguments)["result"].clone();
    assert_eq!(result["isError"], false, "{tool} {arguments}: {result}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"], "for clients that read no structures");
    text
}

/// Why a tool tells nothing.
#[track_caller]
fn refused(server: &RunningProgram, headers: &[(&str, &str)], tool: &str, arguments: &Value) -> String {
    let reply = called(server, headers, tool, arguments);
    assert!(
        reply["result"]["isError"] == true && reply.get("error").is_none(),
        "{tool} {arguments}: {reply}"
    );
    reply["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

#[test]
fn every_tool_tells_what_its_route_answers_and_how_old_it_is() {
    let (_folder, db) = loaded(2);
    let server = server("serve --db").arg(db).serve();
    await_state(&server);
    let listed = send_json(server.address(), "POST", "/mcp", &[], &message("tools/list", &json!({}))).json();
    let tools = rows(&listed["result"]["tools"]);
    assert_eq!(tools.len(), 10);
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let has_symbol = tool["inputSchema"]["properties"].get("symbol").is_some();
        assert_eq!(tool["inputSchema"]["required"], if has_symbol { json!(["symbol"]) } else { json!([]) });
        assert_eq!((&tool["annotations"]["readOnlyHint"], tool["title"].is_string()), (&json!(true), true));
        let mut arguments = json!({ "detail": "concise" });
        if has_symbol {
            arguments["symbol"] = "btc".into();
        }
        let concise = tool_answer(&server, name, &arguments);
        arguments["detail"] = "detailed".into();
        let detailed = tool_answer(&server, name, &arguments);
        for answer in [&concise, &detailed] {
            let about = &answer["about"];
            assert!(about["market_time"].is_string() && !answer[name].is_null(), "{name}: {answer}");
            if has_symbol {
                // The stored days are long past.
                assert_eq!((&about["symbol"], &about["is_stale"]), (&json!("BTCUSDT"), &json!(true)));
                assert!(about["age_s"].as_u64().unwrap() > 86_400 && about["as_of"].is_string(), "{about}");
            }
        }
    }
    let own = ask(&server, "/v1/walls?symbol=BTCUSDT&limit=3");
    let walls = tool_answer(&server, "walls", &json!({ "symbol": "BTC", "limit": 3, "detail": "detailed" }));
    assert_eq!((&walls["walls"]["walls"], rows(&own["walls"]).len()), (&own["walls"], 3));
    // Numbers may come as text.
    let text = tool_answer(&server, "walls", &json!({ "symbol": "BTC", "limit": "3", "detail": "detailed" }));
    assert_eq!(text["walls"]["walls"], own["walls"]);

    for (tool, arguments, part) in [
        ("walls", json!({}), "argument 'symbol' is missing"),
        ("walls", json!({ "symbol": "NOSUCH" }), "Arguments of `walls`: symbol"),
        ("walls", json!({ "symbol": "BTC", "coin": "x" }), "no argument 'coin'"),
        ("walls", json!({ "symbol": "BTC", "range_pct": -1 }), "range_pct"),
        ("walls", json!({ "symbol": "BTC", "range_pct": "near" }), "range_pct"),
        ("walls", json!({ "symbol": "BTC", "limit": -1 }), "limit"),
        ("walls", json!({ "symbol": "BTC", "limit": 1.5 }), "limit"),
        ("walls", json!({ "symbol": "BTC", "min_usd": 1e30 }), "min_usd"),
        ("walls", json!({ "symbol": "BTC", "timeframe": "soon" }), "timeframe"),
        ("walls", json!({ "symbol": "BTC", "at": "yesterday" }), "at"),
        ("walls", json!({ "symbol": ["BTC"] }), "argument 'symbol' must be a text"),
        ("walls", json!({ "symbol": "BTC", "detail": "all" }), "argument 'detail'"),
        ("candles", json!({ "symbol": "BTC", "interval": "7m" }), "interval"),
        ("liquidation_map", json!({ "symbol": "BTC", "bin": 0 }), "bin"),
        ("liquidations", json!({ "symbol": "BTC", "start_time": "x" }), "start_time"),
    ] {
        let text = refused(&server, &[], tool, &arguments);
        assert!(text.contains(part), "{tool} {arguments}: {text}");
    }
    let unknown = called(&server, &[], "wall", &json!({}));
    assert_eq!(unknown["error"]["code"], -32_602);
    assert!(unknown["error"]["message"].as_str().unwrap().contains("tools: coverage, walls"), "{unknown}");

    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("liqheat_http_requests_total{route=\"/mcp\",status=\"2xx\"}"), "{metrics}");
    // The library is quiet about what clients do.
    assert!(
        !server.log().contains("initialized") && !server.log().contains("serve finished"),
        "{}",
        server.log()
    );
}

#[test]
fn requests_that_are_no_messages_are_refused_with_what_is_wrong() {
    let server = server("demo --seed 7 --days 1").serve();
    let address = server.address();
    let json = "Content-Type: application/json";
    let ping = message("ping", &json!({}));
    let long = format!("{ping}{}", " ".repeat(64 * 1_024));
    for (method, headers, body, status, part) in [
        ("POST", &[json][..], ping.as_str(), 200, "result"),
        ("POST", &[json, "Accept: application/json, text/event-stream"], &ping, 200, "result"),
        ("POST", &[json, "Mcp-Session-Id: of another server"], &ping, 200, "result"),
        ("POST", &[json, "Accept: text/html"], &ping, 406, "the header Accept"),
        ("POST", &["Content-Type: text/plain"], &ping, 415, "the header Content-Type"),
        ("POST", &[], &ping, 415, "the header Content-Type"),
        ("POST", &[json], "{", 400, "the body is not JSON"),
        ("POST", &[json], "", 400, "the body is not JSON"),
        ("POST", &[json], "[]", 400, "batches"),
        ("POST", &[json], &long, 413, "64 KiB"),
        ("POST", &[json, "MCP-Protocol-Version: 1999-01-01"], &ping, 400, "versions: 2024-11-05"),
        ("GET", &["Accept: text/event-stream"], "", 405, "no sessions"),
        ("GET", &["Accept: text/html"], "", 405, "no sessions"),
        ("DELETE", &["Mcp-Session-Id: 1"], "", 405, "no sessions"),
        ("PUT", &[json], &ping, 405, "GET and HEAD"),
        ("POST", &[json, "Host: evil.example"], &ping, 403, "evil.example"),
        ("POST", &[json, "Origin: https://evil.example"], &ping, 403, "pages of other origins"),
        ("POST", &[json, "Sec-Fetch-Site: cross-site"], &ping, 403, "pages of other origins"),
    ] {
        let answer = send(address, method, headers, body);
        assert_eq!(answer.status, status, "{method} {headers:?}: {}", answer.text());
        assert!(answer.text().contains(part), "{method} {headers:?}: {}", answer.text());
        assert!(answer.json().is_object(), "{}", answer.text());
        if status == 405 && method != "PUT" {
            assert_eq!(answer.header("allow"), Some("POST"), "{method}");
        }
    }
    let own = format!("Origin: http://{address}");
    assert_eq!(send(address, "POST", &[json, &own], &ping).status, 200, "the own page");
    let accepted = send(
        address,
        "POST",
        &[json],
        &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string(),
    );
    assert_eq!((accepted.status, accepted.body.len()), (202, 0));
    assert!(!server.log().contains("panic"), "{}", server.log());
}

#[test]
fn names_behind_a_proxy_and_tokens_are_those_of_all_routes() {
    let (_folder, db) = loaded(1);
    let server = server("serve --hosts heat.example --db").arg(db).env("WS_JWT_SECRET", SECRET).serve();
    let token = |claims: &Value| format!("Bearer {}", signed_with(SECRET, claims));
    let json = "Content-Type: application/json";
    let ping = message("ping", &json!({}));
    let whole = format!("Authorization: {}", token(&json!({ "exp": 4_000_000_000u64 })));
    for (headers, status) in [
        (&[json, "Host: heat.example", &whole][..], 200),
        (&[json, "Host: heat.example:8443", "Origin: https://heat.example:8443", &whole], 200),
        (&[json, "Host: evil.example", &whole], 403),
        (&[json, "Host: heat.example"], 401),
        (&[json, "Host: heat.example", "Authorization: Bearer x"], 401),
    ] {
        let answer = send(server.address(), "POST", headers, &ping);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
        assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
    }
    let other = token(&json!({ "exp": 4_000_000_000u64, "symbols": ["ETHUSDT"] }));
    let text = refused(&server, &[("Authorization", &other)], "walls", &json!({ "symbol": "BTC" }));
    assert!(text.contains("Use a token that allows it"), "{text}");
}
