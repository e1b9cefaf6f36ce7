//! Where a file has its columns, and a row of it.

use liqheat_market::{Instrument, Liquidation, Price, PriceKind, Qty, Side, Symbol, UnixMs, Venue};

use super::RowRefusal;
use crate::venues::{LiquidationColumns, exchanges};

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Layout {
    venue: Venue,
    time: usize,
    symbol: usize,
    side: usize,
    qty: usize,
    price: usize,
    price_kind: PriceKind,
    /// Bankruptcy price, for rows without a fill price.
    bankruptcy_price: Option<usize>,
    /// Coins in a contract, where quantities are contracts.
    contract_value: Option<usize>,
    /// Columns of the header.
    columns: usize,
    /// The side column names the position (`long`, or `Buy` for one that was bought), not the closing order.
    side_is_position: bool,
    symbol_of: fn(&str) -> Option<Symbol>,
}

impl Layout {
    /// From a header line; `None` when it is that of no venue. Of several that fit, one whose quantities are contracts is
    /// preferred: its columns are the rarest.
    pub(super) fn of(header: &str) -> Option<Self> {
        let names: Vec<String> = header
            .trim_start_matches('\u{feff}')
            .split(',')
            .map(|name| name.trim().trim_matches('"').to_ascii_lowercase())
            .collect();
        let fitting = exchanges().filter_map(|exchange| {
            let columns = exchange.liquidation_columns.as_ref()?;
            Self::find(exchange.venue, columns, &names)
        });
        fitting.min_by_key(|layout| layout.contract_value.is_none())
    }

    /// Finds the columns of a venue; `None` when one that it needs is missing.
    fn find(venue: Venue, columns: &LiquidationColumns, names: &[String]) -> Option<Self> {
        let at = |name: &str| names.iter().position(|column| column == name);
        let position = columns.position_side.and_then(at);
        let side = position.or_else(|| columns.order_side.and_then(at))?;
        let contract_value = match columns.contract_value {
            Some(name) => Some(at(name)?),
            None => None,
        };
        Some(Self {
            venue,
            time: columns.time.iter().find_map(|name| at(name))?,
            symbol: at(columns.symbol)?,
            side,
            qty: at(columns.qty)?,
            price: at(columns.price)?,
            price_kind: columns.price_kind,
            bankruptcy_price: columns.bankruptcy_price.and_then(at),
            contract_value,
            columns: names.len(),
            side_is_position: position.is_some(),
            symbol_of: columns.symbol_of,
        })
    }

    pub(super) fn row(&self, line: &str) -> Result<(Instrument, Liquidation), RowRefusal> {
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        if fields.len() < self.columns {
            return Err(RowRefusal::Columns);
        }
        let time = fields[self.time].parse().ok().map(UnixMs).filter(|time| time.is_plausible());
        let time = time.ok_or(RowRefusal::Time)?;
        let quantity = |at: usize| Qty::parse(fields[at]).ok().filter(|qty| qty.is_positive());
        let mut qty = quantity(self.qty).ok_or(RowRefusal::Quantity)?;
        if let Some(at) = self.contract_value {
            let value = quantity(at).ok_or(RowRefusal::ContractValue)?;
            let product = qty.units().checked_mul(value.units()).ok_or(RowRefusal::Quantity)?;
            qty = Qty::from_units(product / i128::from(liqheat_market::UNIT_SCALE));
        }
        let (price, price_kind) = match self.bankruptcy_price {
            Some(at) if fields[self.price].is_empty() => (fields[at], PriceKind::Bankruptcy),
            _ => (fields[self.price], self.price_kind),
        };
        let price = Price::parse(price).ok().filter(|price| price.is_positive());
        let row = Liquidation {
            time,
            side: self.side(fields[self.side]).ok_or(RowRefusal::Side)?,
            qty,
            price: price.ok_or(RowRefusal::Price)?,
            price_kind,
        };
        let symbol = (self.symbol_of)(fields[self.symbol]).ok_or(RowRefusal::Symbol)?;
        Ok((Instrument::new(self.venue, symbol), row))
    }

    fn side(&self, text: &str) -> Option<Side> {
        let position = match text.to_ascii_lowercase().as_str() {
            "long" => return Some(Side::Long),
            "short" => return Some(Side::Short),
            "buy" => Side::Long,
            "sell" => Side::Short,
            _ => return None,
        };
        Some(if self.side_is_position { position } else { position.opposite() })
    }
}
