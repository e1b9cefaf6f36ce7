//! Rows turned into Arrow columns, on their way into a table.

use std::sync::Arc;

use duckdb::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
};
use duckdb::arrow::compute::min;
use duckdb::arrow::datatypes::{DataType, Field, Int64Type, Schema};

use liqheat_market::Qty;

use crate::error::CommandError;

/// How Arrow has a HUGEINT: no type of 128 bits is closer.
pub(crate) const HUGEINT: DataType = DataType::Decimal128(38, 0);

/// A value that all rows have.
pub(crate) enum ConstantColumn {
    /// Of letters, digits, `-` and `_` only, so that it can stand between quotes as it is.
    Name(String),
    /// A whole number.
    Whole(i64),
}

impl ConstantColumn {
    /// As it stands in SQL.
    pub(crate) fn sql(&self) -> String {
        match self {
            Self::Name(name) => format!("'{name}'"),
            Self::Whole(number) => number.to_string(),
        }
    }
}

/// Columns of equal length, in the making.
#[derive(Default)]
pub(crate) struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    /// Adds whole numbers.
    pub(crate) fn whole<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> i64) -> Self {
        let values: Vec<i64> = rows.iter().map(value).collect();
        self.with(name, DataType::Int64, Arc::new(Int64Array::from(values)))
    }

    /// Adds whole numbers that may be unknown.
    pub(crate) fn maybe<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> Option<i64>) -> Self {
        let values: Int64Array = rows.iter().map(value).collect();
        self.with(name, DataType::Int64, Arc::new(values))
    }

    /// Adds quantities.
    pub(crate) fn qty<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> Qty) -> Self {
        self.maybe_qty(name, rows, |row| Some(value(row)))
    }

    /// Adds quantities that may be unknown.
    pub(crate) fn maybe_qty<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> Option<Qty>) -> Self {
        let units: Vec<Option<i128>> = rows.iter().map(|row| value(row).map(Qty::units)).collect();
        // DuckDB divides each of 128 bits by its scale of 1, which takes longer than all the rest of storing it; nearly
        // always 64 bits are enough, and it widens those by itself.
        let narrow: Result<Vec<Option<i64>>, _> =
            units.iter().map(|units| units.map(i64::try_from).transpose()).collect();
        match narrow {
            Ok(narrow) => self.with(name, DataType::Int64, Arc::new(Int64Array::from(narrow))),
            Err(_) => {
                let wide = Decimal128Array::from(units).with_data_type(HUGEINT);
                self.with(name, HUGEINT, Arc::new(wide))
            }
        }
    }

    /// Adds yes or no.
    pub(crate) fn flag<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> bool) -> Self {
        let values: Vec<bool> = rows.iter().map(value).collect();
        self.with(name, DataType::Boolean, Arc::new(BooleanArray::from(values)))
    }

    /// Adds names.
    pub(crate) fn text<T>(self, name: &str, rows: &[T], value: impl Fn(&T) -> &'static str) -> Self {
        let values = StringArray::from_iter_values(rows.iter().map(value));
        self.with(name, DataType::Utf8, Arc::new(values))
    }

    /// Adds the columns of another.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.fields.extend(other.fields);
        self.arrays.extend(other.arrays);
        self
    }

    /// Puts columns with one value for all rows in front.
    pub(crate) fn after(self, shared: Vec<(&'static str, ConstantColumn)>) -> Self {
        let rows = self.rows();
        let mut leading = Self::default();
        for (name, value) in shared {
            leading = match value {
                ConstantColumn::Name(text) => {
                    let values = StringArray::from_iter_values(std::iter::repeat_n(text, rows));
                    leading.with(name, DataType::Utf8, Arc::new(values))
                }
                ConstantColumn::Whole(number) => {
                    leading.with(name, DataType::Int64, Arc::new(Int64Array::from_value(number, rows)))
                }
            };
        }
        leading.and(self)
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.arrays.first().map_or(0, Array::len)
    }

    /// The smallest number of a column.
    pub(crate) fn smallest(&self, name: &str) -> Option<i64> {
        let index = self.fields.iter().position(|field| field.name() == name)?;
        min(self.arrays.get(index)?.as_primitive_opt::<Int64Type>()?)
    }

    /// The columns as a CREATE TABLE wants them.
    pub(crate) fn declarations(&self) -> String {
        let declare = |field: &Field| {
            let kind = match field.data_type() {
                DataType::Boolean => "BOOLEAN",
                DataType::Utf8 => "VARCHAR",
                DataType::Decimal128(..) => "HUGEINT",
                _ => "BIGINT",
            };
            format!("{} {kind}", field.name())
        };
        self.fields.iter().map(declare).collect::<Vec<_>>().join(", ")
    }

    /// The finished columns.
    pub(crate) fn build(self) -> Result<RecordBatch, CommandError> {
        Ok(RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)?)
    }

    fn with(mut self, name: &str, kind: DataType, array: ArrayRef) -> Self {
        self.fields.push(Field::new(name, kind, true));
        self.arrays.push(array);
        self
    }
}
