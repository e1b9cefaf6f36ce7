//! What is sent on a new connection: subscriptions to four streams a contract, in few messages.

use crate::venues::{ConnectionOpening, ContractTable};

/// Wraps every frame as `{"stream":..,"data":..}`.
const PATH: &str = "/market/stream";

/// Streams in one message: its length stays below 8 KiB.
const STREAMS_PER_MESSAGE: usize = 100;

const SUFFIXES: [&str; 4] = ["aggTrade", "markPrice@1s", "kline_1m", "forceOrder"];

pub(super) fn opening(table: &ContractTable) -> ConnectionOpening {
    // Names of streams are lower case, those of contracts are not.
    let streams: Vec<String> = table
        .contracts()
        .iter()
        .flat_map(|contract| {
            let name = contract.name.to_ascii_lowercase();
            SUFFIXES.map(|suffix| format!("{name}@{suffix}"))
        })
        .collect();
    let messages = streams
        .chunks(STREAMS_PER_MESSAGE)
        .enumerate()
        .map(|(at, params)| {
            serde_json::json!({ "method": "SUBSCRIBE", "params": params, "id": at + 1 }).to_string()
        })
        .collect();
    ConnectionOpening { path: PATH.to_owned(), messages }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues::{binance::EXCHANGE, contract};
    use liqheat_market::Symbol;

    #[test]
    fn streams_are_named_in_small_letters() {
        let contracts =
            ["BTCUSDT", "ETHUSDT"].map(|name| contract(&EXCHANGE, &Symbol::new(name).unwrap()).unwrap());
        let opening = opening(&ContractTable::new(contracts.to_vec()));
        assert_eq!(opening.path, "/market/stream");
        assert_eq!(
            opening.messages,
            [
                r#"{"id":1,"method":"SUBSCRIBE","params":["btcusdt@aggTrade","btcusdt@markPrice@1s","btcusdt@kline_1m","btcusdt@forceOrder","ethusdt@aggTrade","ethusdt@markPrice@1s","ethusdt@kline_1m","ethusdt@forceOrder"]}"#
            ]
        );
    }

    #[test]
    fn many_streams_take_several_messages() {
        let contracts = (0..100)
            .map(|at| contract(&EXCHANGE, &Symbol::new(&format!("COIN{at}USDT")).unwrap()).unwrap())
            .collect();
        assert_eq!(opening(&ContractTable::new(contracts)).messages.len(), 4);
    }
}
