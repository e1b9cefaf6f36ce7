//! What is sent on a new connection: a message for each of three streams of each contract.

use crate::venues::{LIVE_INTERVAL, Opening, Roster};

const PATH: &str = "/ws";

pub(super) fn opening(roster: &Roster) -> Opening {
    let messages = roster.contracts().iter().flat_map(|contract| subscriptions(&contract.name)).collect();
    Opening { path: PATH.to_owned(), messages }
}

fn subscriptions(coin: &str) -> [String; 3] {
    [
        serde_json::json!({ "type": "trades", "coin": coin }),
        serde_json::json!({ "type": "activeAssetCtx", "coin": coin }),
        serde_json::json!({ "type": "candle", "coin": coin, "interval": LIVE_INTERVAL.name() }),
    ]
    .map(|subscription| {
        serde_json::json!({ "method": "subscribe", "subscription": subscription }).to_string()
    })
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
}
