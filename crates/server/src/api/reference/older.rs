//! Routes of the contract of other servers, for older clients.

use liqheat_wire::{DateRangeBody, OlderLiquidationRow, TiersBody};
use schemars::SchemaGenerator;

use super::super::older;
use super::route::{CommonAnswers, JSON, Parameter, Route, count, optional, symbol, time};
use super::schema_of;

/// Under their old names.
pub(super) fn routes(generator: &mut SchemaGenerator, common: &CommonAnswers) -> Vec<Route> {
    vec![
        common.data(
            "/api/margin/tiers/{symbol}",
            "The same as /v1/tiers, for older clients",
            vec![Parameter { place: "path", ..symbol() }],
            "One table a venue",
            vec![(JSON, schema_of::<TiersBody>(generator))],
        ),
        common.data(
            "/symbols",
            "Names of the symbols, for older clients; /v1/symbols says more",
            vec![],
            "Names without venues",
            vec![(JSON, schema_of::<Vec<String>>(generator))],
        ),
        common.data(
            "/exchanges",
            "Names of the venues, for older clients",
            vec![],
            "Names",
            vec![(JSON, schema_of::<Vec<String>>(generator))],
        ),
        common.data(
            "/data/date-range",
            "From when to when there is data, for older clients",
            vec![symbol()],
            "The first bar and the newest event",
            vec![(JSON, schema_of::<DateRangeBody>(generator))],
        ),
        common.data(
            "/liquidations/history",
            "Liquidations that really happened as a plain list, for older clients; /v1/liquidations says more",
            vec![
                symbol(),
                optional("start", "A day before end without", time()),
                optional("end", "Now without", time()),
                optional(
                    "limit",
                    "Most rows, the newest ones",
                    count(older::LIMIT_MAX, Some(older::LIMIT_DEFAULT.get())),
                ),
            ],
            "Oldest first",
            vec![(JSON, schema_of::<Vec<OlderLiquidationRow>>(generator))],
        ),
    ]
}
