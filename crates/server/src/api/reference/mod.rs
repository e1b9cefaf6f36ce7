//! `GET /openapi.json`, `/asyncapi.json` and `/docs`: the interface, described for machines and for people.
//!
//! Bodies and messages come from the types that are sent, limits and words from the constants that are checked; the
//! rest is the table of [`routes`]. Tests hold the table to the router and real messages to the schemas.

mod asyncapi;
mod changes;
mod formats;
mod levels;
mod market;
mod older;
mod openapi;
mod operation;
mod page;
mod route;
mod routes;
mod socket;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use liqheat_wire::{ClientCommand, ServerMessage};
use schemars::generate::{Contract, SchemaSettings};
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Built once: they are the same for every server of this version.
static OPENAPI: LazyLock<Value> = LazyLock::new(openapi::document);
static ASYNCAPI: LazyLock<Value> = LazyLock::new(asyncapi::document);
static PAGE: LazyLock<String> = LazyLock::new(|| page::page(&OPENAPI, &ASYNCAPI));

pub(super) async fn openapi() -> Response {
    document(&OPENAPI)
}

pub(super) async fn asyncapi() -> Response {
    document(&ASYNCAPI)
}

fn document(document: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], document.to_string())
        .into_response()
}

pub(super) async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        // No script, nothing from elsewhere.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'self'",
        ),
    ];
    (headers, PAGE.as_str()).into_response()
}

/// Describes what is sent or what is read, where both documents keep their schemas.
fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.contract = contract;
        settings.definitions_path = "/components/schemas".into();
        if settings.contract == Contract::Serialize {
            settings.transforms.push(Box::new(RecursiveTransform(absent_is_not_null)));
        }
    });
    settings.into_generator()
}

/// A field of something that is sent is either always there, and then it may be `null`, or it is left away where it has
/// no value, and then it never is.
fn absent_is_not_null(schema: &mut Schema) {
    let required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
        .unwrap_or_default();
    let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (_, field) in fields.iter_mut().filter(|(name, _)| !required.contains(name)) {
        let Some(field) = field.as_object_mut() else { continue };
        if let Some(Value::Array(types)) = field.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                field.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = field.get_mut("anyOf") {
            choices.retain(|choice| choice["type"] != "null");
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                field.remove("anyOf");
                for (key, value) in only {
                    field.entry(key).or_insert(value);
                }
            }
        }
    }
}

/// The schemas that the generators refer to.
fn definitions<const N: usize>(generators: [SchemaGenerator; N]) -> Map<String, Value> {
    generators.into_iter().flat_map(|mut generator| generator.take_definitions(true)).collect()
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

/// The messages of a tagged enum, by their tag.
fn variants(schema: Schema, tag: &str) -> Vec<(String, Value)> {
    let Value::Object(mut schema) = schema.to_value() else { return Vec::new() };
    let Some(Value::Array(variants)) = schema.remove("oneOf") else { return Vec::new() };
    let named = |variant: Value| {
        let name = variant["properties"][tag]["const"].as_str()?.to_owned();
        Some((name, variant))
    };
    variants.into_iter().filter_map(named).collect()
}

fn client_messages(generator: &mut SchemaGenerator) -> Vec<(String, Value)> {
    let mut schema = ClientCommand::json_schema(generator);
    // A field that may be left away has no default worth naming if that is null.
    let without_null_defaults = |schema: &mut Schema| {
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
    };
    RecursiveTransform(without_null_defaults).transform(&mut schema);
    variants(schema, "action")
}

fn server_messages(generator: &mut SchemaGenerator) -> Vec<(String, Value)> {
    let mut schema = ServerMessage::json_schema(generator);
    RecursiveTransform(absent_is_not_null).transform(&mut schema);
    variants(schema, "type")
}

/// How a token is shown, for both documents.
fn bearer() -> Value {
    json!({
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "Only where the operator asks for tokens (HS256 or ES256). Browsers offer the subprotocol bearer.TOKEN instead."
    })
}

/// How clients of the Coinglass API send a token.
fn coinglass_key() -> Value {
    json!({
        "type": "apiKey", "in": "header", "name": "CG-API-KEY",
        "description": "The token, as clients of the Coinglass API send their key. `Authorization` does as well."
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The documents as files, from which the types of the TypeScript client are made.
    #[test]
    fn the_documents_are_kept_in_the_repository() {
        for (name, document) in [("openapi.json", &*OPENAPI), ("asyncapi.json", &*ASYNCAPI)] {
            let path = std::path::Path::new("../../docs").join(name);
            let text = format!("{document:#}\n");
            if std::env::var_os("LIQHEAT_BLESS").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                kept == text,
                "docs/{name} is out of date: run `LIQHEAT_BLESS=1 cargo test -p liqheat-server --lib repository`"
            );
        }
    }

    /// Every reference leads somewhere.
    fn check_references(document: &Value) {
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer} is nowhere");
        }
    }

    #[test]
    fn every_route_is_described_and_no_other() {
        let router = concat!(
            include_str!("../mod.rs"),
            include_str!("../formats/coinglass/mod.rs"),
            include_str!("../formats/mcp/mod.rs"),
            include_str!("../formats/openbb/mod.rs"),
            include_str!("../formats/udf/mod.rs"),
            include_str!("../../gateway/upgrade.rs"),
            include_str!("../../gateway/events.rs")
        );
        let routes: BTreeSet<&str> =
            router.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        let described: BTreeSet<&str> =
            OPENAPI["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        // The page is the fallback when no route fits.
        assert_eq!(described, routes.iter().copied().chain(["/"]).collect());
        assert!(routes.len() > 12, "{routes:?}");
    }

    #[test]
    fn references_lead_somewhere() {
        check_references(&OPENAPI);
        check_references(&ASYNCAPI);
        assert!(OPENAPI["components"]["schemas"]["StatsBody"]["properties"]["boards"].is_object());
    }

    #[test]
    fn every_message_is_described() {
        let described: BTreeSet<&str> = ASYNCAPI["components"]["messages"]
            .as_object()
            .unwrap()
            .values()
            .map(|message| message["name"].as_str().unwrap())
            .collect();
        for name in [
            "subscribe",
            "unsubscribe",
            "ping",
            "ack",
            "token",
            "price",
            "liquidations",
            "walls",
            "alerts",
            "close",
            "snapshot",
            "delta",
            "status",
            "warning",
            "error",
            "pong",
            "goaway",
        ] {
            assert!(described.contains(name), "{name}: {described:?}");
        }
        assert_eq!(described.len(), 17);
    }

    #[test]
    fn the_page_shows_every_route_and_message() {
        for (path, methods) in OPENAPI["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                assert!(
                    PAGE.contains(&format!("{} {path}<", method.to_ascii_uppercase())),
                    "{method} {path}"
                );
            }
        }
        for message in ASYNCAPI["components"]["messages"].as_object().unwrap().values() {
            assert!(PAGE.contains(&format!("<h3>{}</h3>", message["name"].as_str().unwrap())), "{message}");
        }
        // It must do without scripts and without anything from elsewhere.
        assert!(!PAGE.contains("<script") && !PAGE.contains("src=") && !PAGE.contains("href=\"http"));
    }
}
