//! Both documents as one page, made here so that it needs no script and nothing from elsewhere.

use std::fmt::Write;

use serde_json::Value;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#d5dae3;background:#12151c}\
a{color:#7fb4ff}h2{margin-top:3rem}h3{margin:2rem 0 .3rem;font-family:ui-monospace,monospace}\
table{border-collapse:collapse;width:100%}td{border-top:1px solid #2b313d;padding:.25rem .6rem .25rem 0;vertical-align:top}\
td:first-child{font-family:ui-monospace,monospace;white-space:nowrap}td:nth-child(2){color:#9aa4b5;white-space:nowrap}p{margin:.2rem 0}";

pub(super) fn page(openapi: &Value, asyncapi: &Value) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>liqheat {version}: reference</title><style>{STYLE}</style></head><body><h1>liqheat {version}</h1>\
         <p>For machines: <a href=\"/openapi.json\">openapi.json</a>, <a href=\"/asyncapi.json\">asyncapi.json</a>.</p>",
        version = escaped(&openapi["info"]["version"]),
    );
    out.push_str("<h2>HTTP</h2>");
    for (path, methods) in entries(&openapi["paths"]) {
        for (method, operation) in entries(methods) {
            route(&mut out, &method.to_ascii_uppercase(), path, operation);
        }
    }
    let _ = write!(out, "<h2>WebSocket /ws/heatmap</h2><p>{}</p>", escaped(&asyncapi["info"]["description"]));
    for (_, message) in entries(&asyncapi["components"]["messages"]) {
        let _ = write!(out, "<h3>{}</h3><p>{}</p>", escaped(&message["name"]), escaped(&message["summary"]));
        fields(&mut out, &message["payload"]);
    }
    out.push_str("<h2>Bodies</h2>");
    for (name, schema) in entries(&openapi["components"]["schemas"]) {
        let about = escaped(&schema["description"]);
        let _ = write!(out, "<h3 id=\"{name}\">{name}</h3><p>{about}</p>");
        fields(&mut out, schema);
    }
    out.push_str("</body></html>");
    out
}

/// Writing into memory cannot fail, here and everywhere in this file.
fn route(out: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(out, "<h3>{method} {path}</h3><p>{}</p><table>", escaped(&operation["summary"]));
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let needed = if parameter["required"] == true { ", required" } else { "" };
        let default = &parameter["schema"]["default"];
        let default =
            if default.is_null() { String::new() } else { format!(" Default: {}.", escaped(default)) };
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}{needed}</td><td>{}.{default}{}</td></tr>",
            escaped(&parameter["name"]),
            kind(&parameter["schema"]),
            escaped(&parameter["description"]),
            choices(&parameter["schema"]),
        );
    }
    for (status, response) in entries(&operation["responses"]) {
        let bodies =
            entries(&response["content"]).map(|(media, body)| format!("{media} {}", kind(&body["schema"])));
        let bodies = bodies.collect::<Vec<_>>().join("<br>");
        let _ = write!(
            out,
            "<tr><td>{status}</td><td>{bodies}</td><td>{}</td></tr>",
            escaped(&response["description"])
        );
    }
    out.push_str("</table>");
}

fn fields(out: &mut String, schema: &Value) {
    out.push_str("<table>");
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in entries(&schema["properties"]) {
        let needed = if required.contains(&name.as_str()) { "" } else { ", may be absent" };
        let _ = write!(
            out,
            "<tr><td>{name}</td><td>{}{needed}</td><td>{}{}</td></tr>",
            kind(field),
            escaped(&field["description"]),
            choices(field),
        );
    }
    // Words that are a type of their own.
    for word in schema["oneOf"].as_array().into_iter().flatten().filter(|word| !word["const"].is_null()) {
        let _ = write!(
            out,
            "<tr><td>{}</td><td></td><td>{}</td></tr>",
            escaped(&word["const"]),
            escaped(&word["description"])
        );
    }
    out.push_str("</table>");
}

/// What a schema is, in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if !schema["const"].is_null() {
        return format!("\"{}\"", escaped(&schema["const"]));
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(some) = schema[key].as_array() {
            return some
                .iter()
                .map(|one| match one["properties"]["type"]["const"].as_str() {
                    Some(message) => message.to_owned(),
                    None => kind(one),
                })
                .collect::<Vec<_>>()
                .join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::Array(names) => names.iter().map(escaped).collect::<Vec<_>>().join(" or "),
        name => escaped(name),
    }
}

fn choices(schema: &Value) -> String {
    let Some(choices) = schema["enum"].as_array() else { return String::new() };
    format!(" One of {}.", choices.iter().map(escaped).collect::<Vec<_>>().join(", "))
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// A text as HTML; nothing for what is not there.
fn escaped(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
