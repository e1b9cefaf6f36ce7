//! JSON in the documents: every message and every answer that is shown is one that the program takes or sends.

use std::path::PathBuf;

use jsonschema::Validator;
use liqheat_testkit::repository;
use liqheat_wire::parse_command;
use serde_json::{Value, json};

use crate::contract::close;

/// A document of the repository.
struct Document {
    name: String,
    text: String,
}

fn documents() -> Vec<Document> {
    let root = repository();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    paths.extend(
        ["README.md", "web/README.md", "web/client/README.md", "clients/python/README.md"]
            .map(|name| root.join(name)),
    );
    paths.sort();
    let read = |path: &PathBuf| Document {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        text: std::fs::read_to_string(path).unwrap_or_default(),
    };
    paths.iter().map(read).collect()
}

/// Schemas of a description, in which a field that is not described is a fault.
struct Description(Value);

impl Description {
    fn of(name: &str) -> Self {
        let path = repository().join("docs").join(name);
        let mut document = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        close(&mut document);
        Self(document)
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut root = schema.clone();
        root["components"] = self.0["components"].clone();
        jsonschema::draft202012::new(&root).unwrap()
    }

    fn faults(&self, schema: &Value, value: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
    }

    /// Schemas of what a path answers with 200, by any method.
    fn answers(&self, path: &str) -> Vec<&Value> {
        let methods = self.0["paths"][path].as_object().into_iter().flat_map(|methods| methods.values());
        methods
            .map(|operation| &operation["responses"]["200"]["content"]["application/json"]["schema"])
            .filter(|schema| !schema.is_null())
            .collect()
    }
}

/// Why a message is none of ours; `None` for a value that is no message.
fn message_fault(asyncapi: &Description, value: &Value) -> Option<Result<(), String>> {
    let payload = |name: &str| &asyncapi.0["components"]["messages"][name]["payload"];
    let (name, parsed) = match (value.get("action"), value.get("type")) {
        (Some(Value::String(action)), _) => {
            (action, parse_command(&value.to_string()).map(|_| ()).map_err(|error| error.to_string()))
        }
        (None, Some(Value::String(kind))) => (kind, Ok(())),
        _ => return None,
    };
    if payload(name).is_null() {
        return Some(Err(format!("there is no message '{name}'")));
    }
    let faults = asyncapi.faults(payload(name), value);
    Some(parsed.and(if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }))
}

/// The JSON values in the blocks marked as JSON, with the nearest heading before each.
fn blocks(text: &str) -> Vec<(String, Result<Value, String>)> {
    let mut found = Vec::new();
    let (mut heading, mut block) = (String::new(), None::<String>);
    for line in text.lines() {
        match &mut block {
            None if line.starts_with("```json") => block = Some(String::new()),
            None if line.starts_with('#') => heading = line.to_owned(),
            None => {}
            Some(json) if line.starts_with("```") => {
                let values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
                found.extend(values.map(|value| (heading.clone(), value.map_err(|error| error.to_string()))));
                block = None;
            }
            Some(json) => {
                json.push_str(line);
                json.push('\n');
            }
        }
    }
    found
}

/// Messages anywhere else: in a line of text, in a command, in an indented block. One that is cut short with `,..` is none.
fn messages_in_lines(text: &str) -> Vec<Result<Value, String>> {
    let mut found = Vec::new();
    for line in text.lines() {
        for start in ["{\"action\"", "{\"type\""] {
            for (at, _) in line.match_indices(start) {
                let rest = &line[at..];
                match serde_json::Deserializer::from_str(rest).into_iter::<Value>().next() {
                    Some(Ok(value)) => found.push(Ok(value)),
                    // The rest is on further lines, as in blocks, or cut short on purpose.
                    _ if rest.contains(",..") || !rest.contains('}') || rest.ends_with(',') => {}
                    Some(Err(error)) if error.is_eof() => {}
                    _ => found.push(Err(rest.chars().take(120).collect())),
                }
            }
        }
    }
    found
}

#[test]
fn every_message_that_the_documents_show_is_one_of_the_protocol() {
    let asyncapi = Description::of("asyncapi.json");
    let (mut shown, mut faults) = (0, Vec::new());
    for Document { name, text } in documents() {
        let blocks = blocks(&text).into_iter().map(|(_, value)| value);
        for value in blocks.chain(messages_in_lines(&text)) {
            match value {
                Err(error) => faults.push(format!("{name}: not JSON: {error}")),
                Ok(value) => match message_fault(&asyncapi, &value) {
                    None => {}
                    Some(Ok(())) => shown += 1,
                    Some(Err(fault)) => faults.push(format!("{name}: {value}: {fault}")),
                },
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(shown >= 25, "only {shown} messages were found in the documents");
}

#[test]
fn every_answer_that_the_protocol_shows_is_one_of_its_route() {
    let openapi = Description::of("openapi.json");
    let document = documents().into_iter().find(|document| document.name == "protocol.md").unwrap();
    let (mut shown, mut faults) = (0, Vec::new());
    for (heading, value) in blocks(&document.text) {
        let paths: Vec<&str> = heading
            .split('`')
            .map(|part| part.trim_start_matches("GET ").trim_start_matches("POST "))
            .filter(|part| part.starts_with('/'))
            .collect();
        if paths.is_empty() {
            continue;
        }
        let Ok(value) = value else { continue };
        // Messages are looked at by the other test.
        if value.get("type").is_some() {
            continue;
        }
        let schemas: Vec<&Value> = paths.iter().flat_map(|path| openapi.answers(path)).collect();
        assert!(!schemas.is_empty(), "{heading}: /openapi.json does not describe {paths:?}");
        let of_each: Vec<Vec<String>> = schemas.iter().map(|schema| openapi.faults(schema, &value)).collect();
        shown += 1;
        if of_each.iter().all(|of_one| !of_one.is_empty()) {
            faults.push(format!("{heading}: {}", of_each.concat().join("; ")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(shown >= 15, "only {shown} answers were found");
}

#[test]
fn an_undescribed_message_is_refused() {
    let asyncapi = Description::of("asyncapi.json");
    for (value, is_well) in [
        (json!({ "action": "ping" }), true),
        (json!({ "action": "dance" }), false),
        (json!({ "action": "subscribe", "symbols": [] }), false),
        (json!({ "action": "subscribe", "symbols": ["BTCUSDT"], "colour": 1 }), false),
        (json!({ "type": "pong", "timestamp": "2025-12-28T14:30:00Z" }), true),
        (json!({ "type": "pong" }), false),
        (json!({ "type": "pong", "timestamp": "2025-12-28T14:30:00Z", "sent": 1 }), false),
    ] {
        assert_eq!(message_fault(&asyncapi, &value).unwrap().is_ok(), is_well, "{value}");
    }
    assert!(message_fault(&asyncapi, &json!({ "detail": ".." })).is_none());
    let text =
        "say `{\"action\":\"ping\"}` or\n\n    {\"type\":\"snapshot\",..}\n`{\"action\":\"ack\" \"seq\":1}`";
    let found = messages_in_lines(text);
    assert!(matches!(&found[..], [Ok(_), Err(_)]), "{found:?}");
}
