//! The levels of a state by leverage.

use liqheat_market::{Price, Side, UnixMs};
use liqheat_model::LeverageLevel;
use liqheat_store::{ColumnKind, ExportValue};
use liqheat_wire::Channel;

use super::super::super::reading::Reading;
use super::super::ExportRequest;
use super::super::table::TableBuilder;
use super::selected_state::{selected, time_of};
use super::values::{price, whole};
use super::{ExportKind, ExportScope, column};
use crate::engine::whole_usd;
use crate::http::Refusal;

/// The levels of a state by leverage.
pub(super) static KIND: ExportKind = ExportKind {
    name: "levels",
    channel: Channel::Heatmap,
    scope: ExportScope::Moment,
    reach_ms: 0,
    is_measured: false,
    columns: &[
        column("time", ColumnKind::Time),
        column("side", ColumnKind::Text),
        column("price", ColumnKind::Number),
        column("leverage", ColumnKind::Number),
        column("usd", ColumnKind::Whole),
    ],
    append: |table, reading, wanted| Box::pin(append(table, reading, wanted)),
};

async fn append<'a>(
    table: TableBuilder<'a>,
    reading: Reading,
    wanted: &ExportRequest,
) -> Result<TableBuilder<'a>, Refusal> {
    let selected = selected(&table.state.model, reading, wanted).await?;
    let time = time_of(&selected);
    table.append(level_rows(selected.levels), move |row| level(time, row)).await
}

/// The dollars of each side of each level that has any, by price and leverage.
fn level_rows(mut levels: Vec<LeverageLevel>) -> Vec<(Side, Price, f64, u64)> {
    levels.sort_by(|a, b| a.price.cmp(&b.price).then_with(|| a.leverage.total_cmp(&b.leverage)));
    let sides = |level: LeverageLevel| {
        [(Side::Long, level.long_usd), (Side::Short, level.short_usd)]
            .map(|(side, usd)| (side, level.price, level.leverage, whole_usd(usd)))
    };
    levels.into_iter().flat_map(sides).filter(|(.., usd)| *usd > 0).collect()
}

fn level(time: UnixMs, (side, at, leverage, usd): &(Side, Price, f64, u64)) -> Vec<ExportValue> {
    vec![
        ExportValue::Time(time),
        ExportValue::Text(side.name()),
        price(*at),
        ExportValue::Number(*leverage),
        whole(*usd),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_of_a_level_is_a_row_where_it_has_a_dollar() {
        let level = |leverage, long_usd, short_usd| LeverageLevel {
            leverage,
            price: Price::from_units(5),
            long_usd,
            short_usd,
        };
        let rows = level_rows(vec![level(50.0, 2.0, 0.0), level(10.0, 0.4, 7.0)]);
        assert_eq!(
            rows,
            [(Side::Short, Price::from_units(5), 10.0, 7), (Side::Long, Price::from_units(5), 50.0, 2)]
        );
    }
}
