//! Routes through which something is changed: rules of alerts, and files of market data.

use liqheat_alerts::RuleFields;
use liqheat_feeds::archive::Family;
use liqheat_wire::{IngestBody, IngestStateBody};
use schemars::SchemaGenerator;
use serde_json::json;

use super::super::{alerts, ingest};
use super::route::{CommonAnswers, JSON, OCTETS, Route, binary, optional, required, words};
use super::schema_of;

/// Rules of alerts.
pub(super) fn alerts(generator: &mut SchemaGenerator, common: &CommonAnswers) -> Vec<Route> {
    let list = common.data(
        "/v1/alerts",
        "Rules of alerts, the targets they go to, and the newest alerts",
        Vec::new(),
        "Alerts oldest first",
        vec![(JSON, schema_of::<alerts::AlertsBody>(generator))],
    );
    let rule = schema_of::<RuleFields>(generator);
    let mut add = common.data(
        "/v1/alerts",
        "Puts a rule in force, in place of an earlier one of the same name that came this way",
        Vec::new(),
        "The rule",
        vec![(JSON, schema_of::<alerts::RuleRow>(generator))],
    );
    (add.method, add.body) = ("post", Some((JSON, rule)));
    add.answers.push(common.other_origin());
    let mut remove = common.data(
        "/v1/alerts",
        "Removes a rule that came through this interface",
        vec![required("name", "Name of the rule", json!({ "type": "string", "minLength": 1 }))],
        "Its name",
        vec![(JSON, schema_of::<alerts::RemovedBody>(generator))],
    );
    remove.method = "delete";
    remove.answers.push(common.other_origin());
    remove.answers.push(common.refused(404, "There is no such rule"));
    vec![list, add, remove]
}

/// Files of market data.
pub(super) fn ingest(generator: &mut SchemaGenerator, common: &CommonAnswers) -> Vec<Route> {
    let mut ingest_state = common.data(
        "/v1/ingest",
        "Whether a file of market data would be taken now",
        Vec::new(),
        "Limits, and whether another file is being loaded",
        vec![(JSON, schema_of::<IngestStateBody>(generator))],
    );
    ingest_state.answers.push(common.other_origin());
    let mut load = common.data(
        "/v1/ingest",
        "Loads a file of market data into the database, one file at a time",
        vec![
            required(
                "name",
                "Name of the file with its folders, which say what it holds: klines/BTCUSDT/5m/BTCUSDT-5m-2025-08-25.zip",
                json!({ "type": "string", "minLength": 1, "maxLength": ingest::NAME_BYTES_MAX }),
            ),
            optional(
                "family",
                "What the file holds, where its name does not say",
                words(Family::ALL.map(Family::name), None),
            ),
            optional(
                "symbol",
                "Whose data it holds, where its name does not say",
                json!({ "type": "string", "minLength": 1 }),
            ),
        ],
        "What was stored and what was refused; 422 when nothing of the file is market data",
        vec![(JSON, schema_of::<IngestBody>(generator))],
    );
    (load.method, load.body) = ("post", Some((OCTETS, binary())));
    load.answers.push(common.other_origin());
    load.answers.push(common.refused(408, "No byte of the file came for 30 seconds"));
    load.answers.push(common.refused(413, "The file is larger than `bytes_max`"));
    vec![ingest_state, load]
}
