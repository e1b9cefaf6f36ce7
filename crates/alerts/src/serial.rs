//! How values of `market`, which knows no serialisation, stand in JSON.

/// A price as a JSON number.
pub(crate) mod price {
    use liqheat_market::Price;
    use liqheat_wire::Decimal;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(price: &Price, serializer: S) -> Result<S::Ok, S::Error> {
        Decimal::from(*price).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Price, D::Error> {
        Price::from_f64(f64::deserialize(deserializer)?).map_err(Error::custom)
    }
}

/// A side by its name.
pub(crate) mod side {
    use liqheat_market::Side;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(side: &Side, serializer: S) -> Result<S::Ok, S::Error> {
        side.name().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Side, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(Error::custom)
    }

    /// A side by its name.
    pub(crate) fn parse(text: &str) -> Result<Side, String> {
        Side::BOTH
            .into_iter()
            .find(|side| side.name() == text)
            .ok_or_else(|| format!("'{text}' must be 'long' or 'short'"))
    }
}

/// A moment in RFC 3339.
pub(crate) mod time {
    use liqheat_market::UnixMs;
    use liqheat_wire::{format_time, parse_time};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &UnixMs, serializer: S) -> Result<S::Ok, S::Error> {
        format_time(*time).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMs, D::Error> {
        parse_time(&String::deserialize(deserializer)?).map_err(Error::custom)
    }
}
