//! The HTTP side as OpenAPI 3.1, whose schemas are plain JSON Schema.

use std::collections::BTreeSet;

use schemars::generate::Contract;
use serde_json::{Map, Value, json};

use super::route::{Answer, Parameter, Route};
use super::routes::routes;
use super::{bearer, coinglass_key, definitions, formats, generator};

pub(super) fn document() -> Value {
    let mut generator = generator(Contract::Serialize);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes(&mut generator) {
        paths.entry(route.path).or_insert_with(|| json!({}))[route.method] = operation(&route);
    }
    let mut schemas = definitions([generator]);
    retain_used(&mut schemas, &Value::Object(paths.clone()));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "liqheat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A real-time liquidation heatmap. The socket is described by /asyncapi.json.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" }
        },
        "servers": [{ "url": "/", "description": "The server that gave this document" }],
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": { "bearer": bearer(), "coinglass": coinglass_key() } }
    })
}

/// Removes schemas that nothing refers to: those of messages, which /asyncapi.json has.
fn retain_used(schemas: &mut Map<String, Value>, paths: &Value) {
    let is_named = |name: &str, text: &str| text.contains(&format!("\"#/components/schemas/{name}\""));
    let mut used = BTreeSet::new();
    let mut texts = vec![paths.to_string()];
    while let Some(text) = texts.pop() {
        for (name, schema) in schemas.iter() {
            if !used.contains(name) && is_named(name, &text) {
                used.insert(name.clone());
                texts.push(schema.to_string());
            }
        }
    }
    schemas.retain(|name, _| used.contains(name));
}

fn operation(route: &Route) -> Value {
    let name: Vec<&str> =
        route.path.split(['/', '-', '.', '{', '}']).filter(|part| !part.is_empty()).collect();
    let name = if name.is_empty() { "page".to_owned() } else { name.join("_") };
    let name = if route.method == "get" { name } else { format!("{}_{name}", route.method) };
    let answers: Map<String, Value> =
        route.answers.iter().map(|answer| (answer.status.to_string(), response(answer))).collect();
    let mut operation = json!({
        "operationId": name,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": route.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": answers,
    });
    if let Some((media_type, schema)) = &route.body {
        let content = Map::from_iter([((*media_type).to_owned(), json!({ "schema": schema }))]);
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    // Of a guarded route either will do: most servers ask for no token.
    operation["security"] = match (route.guarded, route.tag) {
        (true, formats::COINGLASS) => json!([{}, { "bearer": [] }, { "coinglass": [] }]),
        (true, _) => json!([{}, { "bearer": [] }]),
        (false, _) => json!([]),
    };
    operation
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name, "in": parameter.place, "required": parameter.required,
        "description": parameter.about, "schema": parameter.schema
    })
}

fn response(answer: &Answer) -> Value {
    let mut response = json!({ "description": answer.about });
    if !answer.bodies.is_empty() {
        let content: Map<String, Value> = answer
            .bodies
            .iter()
            .map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })))
            .collect();
        response["content"] = Value::Object(content);
    }
    response
}
