//! What is sent on a new connection: one message a contract, so that a name the venue does not know costs its own
//! streams and no others.

use crate::venues::{ConnectionOpening, ContractTable};

const PATH: &str = "/v5/public/linear";

const TOPICS: [&str; 4] = ["publicTrade", "tickers", "kline.1", "allLiquidation"];

pub(super) fn opening(table: &ContractTable) -> ConnectionOpening {
    let messages = table.contracts().iter().map(|contract| subscription(&contract.name)).collect();
    ConnectionOpening { path: PATH.to_owned(), messages }
}

fn subscription(name: &str) -> String {
    let topics = TOPICS.map(|topic| format!("{topic}.{name}"));
    serde_json::json!({ "op": "subscribe", "req_id": name, "args": topics }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_has_one_message() {
        assert_eq!(
            subscription("BTCUSDT"),
            r#"{"args":["publicTrade.BTCUSDT","tickers.BTCUSDT","kline.1.BTCUSDT","allLiquidation.BTCUSDT"],"op":"subscribe","req_id":"BTCUSDT"}"#
        );
    }
}
