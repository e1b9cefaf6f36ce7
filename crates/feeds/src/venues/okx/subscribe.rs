//! What is sent on a new connection: three streams a contract, and the liquidations of all swaps at once. Streams of
//! candles are at another address and are not used.

use crate::venues::{ConnectionOpening, ContractTable};

use super::parse::LIQUIDATIONS;

const PATH: &str = "/ws/v5/public";

const CHANNELS: [&str; 3] = ["trades", "mark-price", "open-interest"];

/// Subscriptions in one message; the venue allows 64 KiB.
const CONTRACTS_PER_MESSAGE: usize = 20;

pub(super) fn opening(table: &ContractTable) -> ConnectionOpening {
    let all = serde_json::json!({ "channel": LIQUIDATIONS, "instType": "SWAP" });
    let mut messages = vec![message(&[all])];
    messages.extend(table.contracts().chunks(CONTRACTS_PER_MESSAGE).map(|contracts| {
        let arguments: Vec<_> = contracts
            .iter()
            .flat_map(|contract| {
                CHANNELS.map(|channel| serde_json::json!({ "channel": channel, "instId": contract.name }))
            })
            .collect();
        message(&arguments)
    }));
    ConnectionOpening { path: PATH.to_owned(), messages }
}

fn message(arguments: &[serde_json::Value]) -> String {
    serde_json::json!({ "op": "subscribe", "args": arguments }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues::{contract, okx::EXCHANGE};
    use liqheat_market::Symbol;

    #[test]
    fn liquidations_come_for_all_and_the_rest_by_contract() {
        let bitcoin = contract(&EXCHANGE, &Symbol::new("BTCUSDT").unwrap()).unwrap();
        assert_eq!(
            opening(&ContractTable::new(vec![bitcoin])).messages,
            [
                r#"{"args":[{"channel":"liquidation-orders","instType":"SWAP"}],"op":"subscribe"}"#,
                r#"{"args":[{"channel":"trades","instId":"BTC-USDT-SWAP"},{"channel":"mark-price","instId":"BTC-USDT-SWAP"},{"channel":"open-interest","instId":"BTC-USDT-SWAP"}],"op":"subscribe"}"#,
            ]
        );
    }
}
