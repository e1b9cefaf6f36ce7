//! The description of widgets for OpenBB Workspace: `/widgets.json` and `/apps.json`.
//!
//! The widgets read the routes that everybody reads (`/udf`, `/v1/walls`, `/liquidations/levels` ..), so there is no data
//! here. Field names after OpenBB's documentation of `widgets.json`.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::parts::SymbolDirectory;
use super::super::state::DataState;
use super::claims::Claims;

const CATEGORY: &str = "Liquidations";
/// How often a widget asks again, ms.
const REFRESH_MS: u32 = 15_000;

/// `/widgets.json`: widgets by name.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenbbWidgets")]
#[serde(transparent)]
pub(in super::super) struct Widgets(BTreeMap<&'static str, Widget>);

/// One widget.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenbbWidget")]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Widget {
    name: &'static str,
    description: &'static str,
    category: &'static str,
    /// `table`, or `advanced_charting` for a chart that reads the Universal Data Feed.
    #[serde(rename = "type")]
    kind: &'static str,
    /// A path of this server.
    endpoint: &'static str,
    grid_data: GridSize,
    refetch_interval: u32,
    /// Where the rows are in an answer, and the columns of a table; or what a chart shows first.
    data: Value,
    params: Vec<Param>,
}

/// Size on the grid of a dashboard.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "OpenbbGridSize")]
pub(in super::super) struct GridSize {
    w: u32,
    h: u32,
}

/// A parameter that the user may change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenbbParam")]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Param {
    param_name: &'static str,
    label: &'static str,
    description: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    value: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<Choice>,
}

/// A value of a parameter.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenbbChoice")]
pub(in super::super) struct Choice {
    label: String,
    value: String,
}

/// `/apps.json`: dashboards made of the widgets.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenbbApps")]
#[serde(transparent)]
pub(in super::super) struct Apps(Vec<Value>);

pub(in super::super) fn routes() -> Router<DataState> {
    Router::new().route("/widgets.json", get(widgets)).route("/apps.json", get(apps))
}

async fn widgets(State(symbols): State<SymbolDirectory>, claims: Claims) -> Json<Widgets> {
    Json(Widgets(all(&readable(&symbols, &claims))))
}

async fn apps(State(symbols): State<SymbolDirectory>, claims: Claims) -> Json<Apps> {
    Json(Apps(vec![app(&readable(&symbols, &claims))]))
}

fn readable(symbols: &SymbolDirectory, claims: &Claims) -> Vec<String> {
    let listed = symbols.catalog.listed().map(|symbol| symbol.name.clone());
    listed.filter(|name| claims.allows_symbol(name)).collect()
}

fn first(symbols: &[String]) -> &str {
    symbols.first().map_or("BTCUSDT", String::as_str)
}

fn all(symbols: &[String]) -> BTreeMap<&'static str, Widget> {
    [
        ("liqheat_chart", chart(symbols)),
        ("liqheat_walls", walls(symbols)),
        ("liqheat_map", map(symbols)),
        ("liqheat_liquidations", liquidations(symbols)),
    ]
    .into()
}

fn chart(symbols: &[String]) -> Widget {
    Widget {
        name: "Price with liquidations",
        description: "Candles with marks where far more than usual was liquidated or swept",
        category: CATEGORY,
        kind: "advanced_charting",
        endpoint: "/udf",
        grid_data: GridSize { w: 40, h: 20 },
        refetch_interval: REFRESH_MS,
        data: json!({ "defaultSymbol": first(symbols), "updateFrequency": REFRESH_MS, "chartConfig": {} }),
        params: Vec::new(),
    }
}

/// What a widget with a table shows.
struct TableSpec<'a> {
    name: &'static str,
    description: &'static str,
    endpoint: &'static str,
    /// Field of the answer that holds the rows.
    rows: &'static str,
    /// Field, title and type of each column.
    columns: &'a [(&'static str, &'static str, &'static str)],
    params: Vec<Param>,
}

fn table(spec: TableSpec<'_>) -> Widget {
    let TableSpec { name, description, endpoint, rows, columns, params } = spec;
    Widget {
        name,
        description,
        category: CATEGORY,
        kind: "table",
        endpoint,
        grid_data: GridSize { w: 20, h: 12 },
        refetch_interval: REFRESH_MS,
        data: json!({ "dataKey": rows, "table": { "showAll": false, "columnsDefs": columns_of(columns) } }),
        params,
    }
}

fn walls(symbols: &[String]) -> Widget {
    table(TableSpec {
        name: "Liquidation walls",
        description: "Stretches of price in which estimated liquidations are denser than around them",
        endpoint: "/v1/walls",
        rows: "walls",
        columns: &[
            ("side", "Side", "text"),
            ("low", "From", "number"),
            ("high", "To", "number"),
            ("usd", "USD", "number"),
            ("distance_pct", "Distance %", "number"),
            ("expected_usd_1h", "Expected in 1h, USD", "number"),
            ("usd_on_the_way", "USD on the way", "number"),
        ],
        params: vec![
            symbol_param(symbols),
            number_param("limit", "Rows", "Most walls, the largest ones", 20),
            number_param("range_pct", "Range %", "Only walls within this distance of the price", 20),
        ],
    })
}

fn map(symbols: &[String]) -> Widget {
    table(TableSpec {
        name: "Liquidation map",
        description: "Estimated liquidations by price, with cumulative curves",
        endpoint: "/v1/map",
        rows: "levels",
        columns: &[
            ("price", "Price", "number"),
            ("long_usd", "Longs, USD", "number"),
            ("short_usd", "Shorts, USD", "number"),
            ("long_cumulative_usd", "Longs down to here, USD", "number"),
            ("short_cumulative_usd", "Shorts up to here, USD", "number"),
        ],
        params: vec![
            symbol_param(symbols),
            number_param("range_pct", "Range %", "Only levels within this distance of the price", 5),
        ],
    })
}

fn liquidations(symbols: &[String]) -> Widget {
    table(TableSpec {
        name: "Realised liquidations",
        description: "Liquidations that really happened, oldest first",
        endpoint: "/v1/liquidations",
        rows: "data",
        columns: &[
            ("timestamp", "Time", "dateString"),
            ("venue", "Venue", "text"),
            ("side", "Side", "text"),
            ("price", "Price", "number"),
            ("quantity", "Coins", "number"),
            ("usd", "USD", "number"),
        ],
        params: vec![
            symbol_param(symbols),
            number_param("min_usd", "At least, USD", "Only liquidations of this value", 10_000),
            number_param("limit", "Rows", "Most rows, the newest ones", 200),
        ],
    })
}

fn symbol_param(symbols: &[String]) -> Param {
    Param {
        param_name: "symbol",
        label: "Symbol",
        description: "A market, or one venue of it",
        kind: "text",
        value: json!(first(symbols)),
        options: symbols.iter().map(|name| Choice { label: name.clone(), value: name.clone() }).collect(),
    }
}

fn number_param(
    param_name: &'static str,
    label: &'static str,
    description: &'static str,
    value: i64,
) -> Param {
    Param { param_name, label, description, kind: "number", value: json!(value), options: Vec::new() }
}

fn columns_of(columns: &[(&str, &str, &str)]) -> Vec<Value> {
    let column = |(field, header, kind): &(&str, &str, &str)| json!({ "field": field, "headerName": header, "cellDataType": kind });
    columns.iter().map(column).collect()
}

/// One dashboard with all widgets.
fn app(symbols: &[String]) -> Value {
    let place = |id: &str, x: u32, y: u32, w: u32, h: u32| json!({ "i": id, "x": x, "y": y, "w": w, "h": h });
    json!({
        "name": "liqheat",
        "description": format!("Liquidation walls, map and realised liquidations of {}", first(symbols)),
        "allowCustomization": true,
        "tabs": {
            "overview": {
                "id": "overview",
                "name": "Overview",
                "layout": [
                    place("liqheat_chart", 0, 0, 40, 20),
                    place("liqheat_walls", 0, 20, 20, 12),
                    place("liqheat_map", 20, 20, 20, 12),
                    place("liqheat_liquidations", 0, 32, 40, 12),
                ]
            }
        },
        "groups": []
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashboards_name_widgets_that_exist() {
        let symbols = ["ETHUSDT".to_owned(), "BTCUSDT@okx".to_owned()];
        let widgets = all(&symbols);
        let app = app(&symbols);
        let placed: Vec<&str> = app["tabs"]["overview"]["layout"]
            .as_array()
            .unwrap()
            .iter()
            .map(|place| place["i"].as_str().unwrap())
            .collect();
        assert_eq!(placed.len(), widgets.len());
        assert!(placed.iter().all(|id| widgets.contains_key(id)), "{placed:?}");
        assert_eq!(widgets["liqheat_chart"].data["defaultSymbol"], "ETHUSDT");
        let text = serde_json::to_value(&widgets["liqheat_walls"]).unwrap();
        assert_eq!(text["params"][0]["options"][1]["value"], "BTCUSDT@okx");
        assert_eq!(text["gridData"], json!({ "w": 20, "h": 12 }));
    }
}
