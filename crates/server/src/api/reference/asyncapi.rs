//! The socket as AsyncAPI 3.0: one channel, what the server receives and what it sends.

use liqheat_alerts::Subject;
use liqheat_wire::{BINARY_PROTOCOL, STATE_CONTENT_TYPE, TEXT_PROTOCOL};
use schemars::generate::Contract;
use serde_json::{Map, Value, json};

use super::{bearer, client_messages, definitions, generator, schema_of, server_messages};

pub(super) fn document() -> Value {
    let (mut receiving, mut sending) = (generator(Contract::Deserialize), generator(Contract::Serialize));
    let received = client_messages(&mut receiving);
    let sent = server_messages(&mut sending);
    let subject = schema_of::<Subject>(&mut sending);
    let mut schemas = definitions([receiving, sending]);
    // Its type belongs to the alerts, of which the wire does not know.
    schemas["AlertRow"]["properties"]["subject"] = subject;
    let names = |messages: &[(String, Value)]| -> Vec<Value> {
        messages
            .iter()
            .map(|(name, _)| json!({ "$ref": format!("#/channels/heatmap/messages/{name}") }))
            .collect()
    };
    let (received_names, sent_names) = (names(&received), names(&sent));
    let (mut in_channel, mut messages) = (Map::new(), Map::new());
    for (name, payload) in received.into_iter().chain(sent) {
        in_channel.insert(name.clone(), json!({ "$ref": format!("#/components/messages/{name}") }));
        let about = payload["description"].clone();
        let message =
            json!({ "name": name, "contentType": "application/json", "summary": about, "payload": payload });
        messages.insert(name, message);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "liqheat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "The live state of a heatmap. Text messages are JSON. A client that offers the subprotocol \
                 {BINARY_PROTOCOL} gets snapshots and deltas as binary messages ({STATE_CONTENT_TYPE}); \
                 {TEXT_PROTOCOL} names the text form. Fields and types that a client does not know are to be ignored."
            ),
            "license": { "name": "MIT OR Apache-2.0" }
        },
        "defaultContentType": "application/json",
        "channels": {
            "heatmap": {
                "address": "/ws/heatmap",
                "messages": in_channel,
                "bindings": { "ws": { "method": "GET", "bindingVersion": "0.1.0" } }
            }
        },
        "operations": {
            "receive": {
                "action": "receive", "channel": { "$ref": "#/channels/heatmap" },
                "summary": "What a client says", "messages": received_names
            },
            "send": {
                "action": "send", "channel": { "$ref": "#/channels/heatmap" },
                "summary": "What the server says", "messages": sent_names
            }
        },
        "components": {
            "messages": messages,
            "schemas": schemas,
            "securitySchemes": { "bearer": bearer() }
        }
    })
}
