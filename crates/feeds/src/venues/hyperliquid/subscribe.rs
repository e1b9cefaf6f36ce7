//! What is sent on a new connection: a message for each of three streams of each contract, and one for each account
//! whose fills are asked for.

use crate::venues::{Account, ConnectionOpening, ContractTable, LIVE_INTERVAL};

const PATH: &str = "/ws";

pub(super) fn opening(table: &ContractTable) -> ConnectionOpening {
    let of_contracts = table.contracts().iter().flat_map(|contract| subscriptions(&contract.name));
    let fills = |account: &Account| serde_json::json!({ "type": "userFills", "user": account.as_str() });
    // After the contracts: the mark price shows first that the connection works.
    let of_accounts = table.accounts().iter().map(|account| message(&fills(account)));
    ConnectionOpening { path: PATH.to_owned(), messages: of_contracts.chain(of_accounts).collect() }
}

fn subscriptions(coin: &str) -> [String; 3] {
    [
        serde_json::json!({ "type": "trades", "coin": coin }),
        serde_json::json!({ "type": "activeAssetCtx", "coin": coin }),
        serde_json::json!({ "type": "candle", "coin": coin, "interval": LIVE_INTERVAL.name() }),
    ]
    .map(|subscription| message(&subscription))
}

fn message(subscription: &serde_json::Value) -> String {
    serde_json::json!({ "method": "subscribe", "subscription": subscription }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_has_a_message() {
        assert_eq!(
            subscriptions("BTC"),
            [
                r#"{"method":"subscribe","subscription":{"coin":"BTC","type":"trades"}}"#,
                r#"{"method":"subscribe","subscription":{"coin":"BTC","type":"activeAssetCtx"}}"#,
                r#"{"method":"subscribe","subscription":{"coin":"BTC","interval":"1m","type":"candle"}}"#,
            ]
        );
    }

    #[test]
    fn accounts_are_asked_for_after_the_contracts() {
        let account = "0x010461c14e146ac35fe42271bdc1134ee31c703a";
        let bitcoin = crate::venues::fixtures::table(&super::super::EXCHANGE, &[("BTCUSDT", "1")]);
        let opening = opening(&bitcoin.with_accounts(vec![account.parse().unwrap()]));
        assert_eq!(opening.messages.len(), 4);
        let last =
            format!(r#"{{"method":"subscribe","subscription":{{"type":"userFills","user":"{account}"}}}}"#);
        assert_eq!(opening.messages.last(), Some(&last));
    }
}
