//! Frames to signals.

use liqheat_market::{
    Event, Interval, Kline, KlineKind, Liquidation, MarkPrice, PriceKind, Side, Taker, Trade, UnixMs,
};

use super::frame::{Envelope, ForceFrame, Kind, KlineFrame, MarkFrame, TradeFrame};
use crate::venues::fields::{json, time, value};
use crate::venues::rows::optional;
use crate::venues::scale::Scale;
use crate::venues::{
    ContractTable, FrameError, OrderReport, RejectedSignal, Signal, StreamKind, VenueFrameReader,
};

/// USD-M contracts where streams of several markets are mixed; the key is absent where they are not.
const USD_MARGINED: i64 = 1;

/// Reads the frames of one connection.
pub(super) struct BinanceReader {
    table: ContractTable,
    scales: Vec<Scale>,
}

impl BinanceReader {
    pub(super) fn new(table: ContractTable) -> Self {
        let scales = table.contracts().iter().map(Scale::of).collect();
        Self { table, scales }
    }

    fn find(&self, name: &str, market: Option<i64>) -> Option<(usize, Scale)> {
        if market.is_some_and(|market| market != USD_MARGINED) {
            return None;
        }
        let contract = self.table.find(name)?;
        Some((contract, self.scales[contract]))
    }

    fn event(&self, bytes: &[u8], out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let kind: Kind<'_> = json(bytes)?;
        match kind.event.as_ref() {
            "aggTrade" | "trade" => out.extend(self.trade(&json(bytes)?)?),
            "markPriceUpdate" => out.extend(self.mark(&json(bytes)?)?),
            "kline" => self.kline(&json(bytes)?, out)?,
            "forceOrder" => out.extend(self.liquidation(&json(bytes)?)?),
            "serverShutdown" => out.push(Signal::Leaving("serverShutdown".to_owned())),
            _ => {}
        }
        Ok(())
    }

    fn trade(&self, frame: &TradeFrame<'_>) -> Result<Option<Signal>, FrameError> {
        let Some((contract, scale)) = self.find(&frame.name, frame.market) else { return Ok(None) };
        // Taken over by the insurance fund or by other traders at a price that no market made.
        if frame.origin.as_deref().is_some_and(|origin| origin != "MARKET") {
            return Ok(None);
        }
        let trade = Trade {
            id: frame.id,
            time: time("T", frame.time)?,
            price: scale.price(frame.price, "p")?,
            qty: scale.size(frame.qty, "q")?,
            taker: if frame.buyer_is_maker { Taker::Sell } else { Taker::Buy },
        };
        Ok(Some(signal(contract, Event::Trade(trade), frame.sent)?))
    }

    fn mark(&self, frame: &MarkFrame<'_>) -> Result<Option<Signal>, FrameError> {
        let Some((contract, scale)) = self.find(&frame.name, frame.market) else { return Ok(None) };
        let mark = MarkPrice { time: time("E", frame.sent)?, price: scale.price(frame.price, "p")? };
        Ok(Some(signal(contract, Event::MarkPrice(mark), frame.sent)?))
    }

    fn kline(&self, frame: &KlineFrame<'_>, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let Some((contract, scale)) = self.find(&frame.name, frame.market) else { return Ok(()) };
        let body = &frame.kline;
        if !body.closed {
            let sent = Some(time("E", frame.sent)?);
            out.push(Signal::Alive { contract, stream: StreamKind::Klines, sent });
            return Ok(());
        }
        let interval = Interval::from_name(&body.interval)
            .ok_or_else(|| value("i", &body.interval, "the name of an interval"))?;
        let open_time = time("t", body.open_time)?;
        let mut fault = None;
        let kline = Kline {
            kind: KlineKind::Last,
            interval,
            open_time,
            open: scale.price(body.open, "o")?,
            high: scale.price(body.high, "h")?,
            low: scale.price(body.low, "l")?,
            close: scale.price(body.close, "c")?,
            volume: optional(scale.coins(body.volume, "v"), &mut fault),
            taker_buy_volume: optional(scale.coins(body.taker_buy, "V"), &mut fault),
            trades: Some(body.trades),
        };
        out.push(signal(contract, Event::Kline(kline), frame.sent)?);
        out.extend(fault.map(|error| {
            let (contract, time) = (Some(contract), Some(open_time));
            let stream = StreamKind::Klines;
            Signal::Rejected(RejectedSignal { contract, stream, time, is_partial: true, error })
        }));
        Ok(())
    }

    fn liquidation(&self, frame: &ForceFrame<'_>) -> Result<Option<Signal>, FrameError> {
        let order = &frame.order;
        let market = order.market.or(frame.market);
        let Some((contract, scale)) = self.find(&order.name, market) else { return Ok(None) };
        // A sell order closes a long.
        let side = match order.side.as_ref() {
            "SELL" => Side::Long,
            "BUY" => Side::Short,
            other => return Err(value("S", other, "SELL or BUY")),
        };
        let (time, sent_at) = (time("T", order.time)?, time("E", frame.sent)?);
        let (filled, price) = (scale.size(order.filled, "z")?, scale.price(order.average, "ap")?);
        // Without them an order cannot be known again.
        let known = order
            .size
            .zip(order.limit)
            .and_then(|(size, limit)| Some((scale.size(size, "q").ok()?, scale.price(limit, "p").ok()?)));
        if !filled.is_positive() {
            let sent = Some(sent_at);
            return Ok(Some(Signal::Alive { contract, stream: StreamKind::Liquidations, sent }));
        }
        if let Some((size, limit)) = known {
            let is_open = order.status.as_deref() == Some("PARTIALLY_FILLED");
            let report = OrderReport { side, size, limit, filled, average: price, is_open, time };
            return Ok(Some(Signal::Order { contract, report, sent: Some(sent_at) }));
        }
        let liquidation = Liquidation { time, side, qty: filled, price, price_kind: PriceKind::Fill };
        Ok(Some(signal(contract, Event::Liquidation(liquidation), frame.sent)?))
    }
}

fn signal(contract: usize, event: Event, sent: i64) -> Result<Signal, FrameError> {
    Ok(Signal::Event { contract, event, sent: Some(time("E", sent)?) })
}

impl VenueFrameReader for BinanceReader {
    fn read(&mut self, frame: &[u8], _received: UnixMs, out: &mut Vec<Signal>) -> Result<(), FrameError> {
        let envelope: Envelope<'_> = json(frame)?;
        if let Some(data) = envelope.data {
            self.event(data.get().as_bytes(), out)?;
        } else if let Some(error) = envelope.error {
            out.push(Signal::Refused(error.get().chars().take(200).collect()));
        } else if envelope.id.is_some() {
            out.push(Signal::Acknowledged);
        } else {
            // The unwrapped form, of a connection to `/ws`.
            self.event(frame, out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venues::binance::EXCHANGE;
    use crate::venues::contract;
    use liqheat_market::{Price, Qty, Symbol};

    /// Frames as they came, of 2021, 2024 and 2026.
    const FIXTURES: &str = include_str!("fixtures/frames.jsonl");

    fn reader(symbols: &[&str]) -> BinanceReader {
        let contract = |name: &&str| contract(&EXCHANGE, &Symbol::new(name).unwrap()).unwrap();
        BinanceReader::new(ContractTable::new(symbols.iter().map(contract).collect()))
    }

    fn read(reader: &mut BinanceReader, frame: &str) -> Result<Vec<Signal>, FrameError> {
        let mut out = Vec::new();
        reader.read(frame.as_bytes(), UnixMs(0), &mut out)?;
        Ok(out)
    }

    fn event(signals: &[Signal]) -> (usize, Event, Option<UnixMs>) {
        match *signals {
            [Signal::Event { contract, event, sent }] => (contract, event, sent),
            [Signal::Order { contract, report, sent }] => {
                (contract, Event::Liquidation(report.so_far()), sent)
            }
            _ => panic!("{signals:?}"),
        }
    }

    fn fixture(word: &str) -> &'static str {
        FIXTURES.lines().find(|line| line.contains(word)).unwrap()
    }

    #[test]
    fn a_trade_of_2026_with_keys_nobody_knew() {
        let mut reader = reader(&["ETHUSDT", "BTCUSDT"]);
        let signals = read(&mut reader, fixture("btcusdt@aggTrade")).unwrap();
        let trade = Trade {
            id: 3_478_018_549,
            time: UnixMs(1_791_391_081_874),
            price: Price::parse("83434.4").unwrap(),
            qty: Qty::parse("0.016").unwrap(),
            taker: Taker::Sell,
        };
        assert_eq!(event(&signals), (1, Event::Trade(trade), Some(UnixMs(1_791_391_082_024))));
    }

    #[test]
    fn a_sell_order_liquidates_a_long_at_its_average_price() {
        let mut reader = reader(&["ILVUSDT", "RAYSOLUSDT"]);
        let signals = read(&mut reader, fixture("ILVUSDT")).unwrap();
        let liquidation = Liquidation {
            time: UnixMs(1_791_391_082_119),
            side: Side::Long,
            qty: Qty::parse("116.5").unwrap(),
            price: Price::parse("3.85642").unwrap(),
            price_kind: PriceKind::Fill,
        };
        assert_eq!(event(&signals).1, Event::Liquidation(liquidation), "z and ap, not l and p");
        let signals = read(&mut reader, fixture("RAYSOLUSDT")).unwrap();
        assert_eq!(event(&signals).0, 1, "without st");
    }

    #[test]
    fn other_markets_and_other_contracts_are_passed_over() {
        let mut reader = reader(&["ILVUSDT", "BTCUSDT"]);
        let inside = fixture("ILVUSDT").replace("\"st\":1", "\"st\":2");
        assert_eq!(read(&mut reader, &inside), Ok(vec![]));
        let outside = fixture("btcusdt@aggTrade").replace("\"st\":1", "\"st\":2");
        assert_eq!(read(&mut reader, &outside), Ok(vec![]));
        assert_eq!(read(&mut reader, fixture("RAYSOLUSDT")), Ok(vec![]));
        assert_eq!(
            read(&mut reader, r#"{"stream":"x","data":{"e":"24hrTicker","s":"BTCUSDT"}}"#),
            Ok(vec![])
        );
        assert!(read(&mut reader, r#"{"something":"new"}"#).is_err());
    }

    #[test]
    fn a_kline_counts_when_it_is_closed() {
        let mut reader = reader(&["AKROUSDT"]);
        let open = fixture("akrousdt@kline_1m");
        let sent = Some(UnixMs(1_626_992_742_139));
        let alive = Signal::Alive { contract: 0, stream: StreamKind::Klines, sent };
        assert_eq!(read(&mut reader, open), Ok(vec![alive]));
        let signals = read(&mut reader, &open.replace("\"x\":false", "\"x\":true")).unwrap();
        let (_, Event::Kline(kline), _) = event(&signals) else { panic!() };
        assert_eq!(kline.open_time, UnixMs(1_626_992_700_000));
        assert_eq!(
            (kline.open, kline.high),
            (Price::parse("0.01731").unwrap(), Price::parse("0.01733").unwrap())
        );
        assert_eq!(kline.volume, Some(Qty::parse("156058").unwrap()));
        assert_eq!(kline.taker_buy_volume, Some(Qty::parse("68508").unwrap()));
        assert_eq!((kline.trades, kline.kind), (Some(21), KlineKind::Last));
    }

    #[test]
    fn mark_prices_are_read_wrapped_and_plain() {
        let mut reader = reader(&["BTCUSDT"]);
        let plain = r#"{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091","P":"11784.25641265","r":"0.00038167","T":1562306400000}"#;
        let mark = MarkPrice { time: UnixMs(1_562_305_380_000), price: Price::parse("11794.15").unwrap() };
        let wrapped = format!(r#"{{"stream":"btcusdt@markPrice@1s","data":{plain}}}"#);
        for text in [plain, &wrapped] {
            assert_eq!(event(&read(&mut reader, text).unwrap()).1, Event::MarkPrice(mark));
        }
    }

    #[test]
    fn answers_and_data_are_distinguished() {
        let mut reader = reader(&["BTCUSDT"]);
        assert_eq!(read(&mut reader, r#"{"result":null,"id":1}"#), Ok(vec![Signal::Acknowledged]));
        let refused = r#"{"error":{"code":2,"msg":"Invalid request"},"id":1}"#;
        assert!(
            matches!(&read(&mut reader, refused).unwrap()[..], [Signal::Refused(why)] if why.contains("Invalid request"))
        );
    }

    #[test]
    fn mistakes_are_named_and_bring_nothing() {
        let mut reader = reader(&["BTCUSDT", "ILVUSDT"]);
        let trade = fixture("btcusdt@aggTrade");
        for (from, to, words) in [
            ("\"0.016\",\"nq\"", "\"-0.016\",\"nq\"", "field q: '-0.016' is not an amount above zero"),
            ("83434.40", "1e", "field p: '1e' is not a decimal number"),
            ("83434.40", "999999999999", "too large"),
            ("\"T\":1791391081874", "\"T\":1791391081", "field T: '1791391081' is not a time"),
            ("\"a\":3478018549", "\"a\":\"x\"", "not a message of this venue"),
            ("\"m\":true", "\"m\":tr", "not a message of this venue"),
        ] {
            let error = read(&mut reader, &trade.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(words), "{to}: {error}");
        }
        let error = read(&mut reader, &fixture("ILVUSDT").replace("SELL", "HOLD")).unwrap_err().to_string();
        assert!(error.contains("field S: 'HOLD' is not SELL or BUY"), "{error}");
        for cut in 1..trade.len() {
            assert!(read(&mut reader, &trade[..cut]).is_err(), "half a frame is none");
        }
    }
}
