"""A published client of the Coinglass API against a running server: python interop-coinglass.py http://127.0.0.1:8000/

The package is `coinglass-terminal-tools` from PyPI, as published; only its base address is another one. It parses every
answer into its own types, so a field or a type that differs from the original's raises.
"""

import sys

import coinglass._base
from coinglass import CoinGlass
from coinglass.exceptions import APIError

EXCHANGE = "Sim"


def main(url):
    coinglass._base.BASE_URL = url.rstrip("/")
    with CoinGlass(api_key="none is needed", rate_limit=False) as client:
        coins = client.get_supported_coins()
        assert "BTC" in coins and client.get_supported_exchanges() == [EXCHANGE], coins
        pairs = client.get_supported_pairs()
        assert {"BTCUSDT"} <= {pair["instrument_id"] for pair in pairs[EXCHANGE]}, pairs
        history = client.get_liquidations("BTCUSDT", "1h", exchange=EXCHANGE, limit=24)
        assert len(history) == 24 and any(row.total_usd > 0 for row in history), history
        summed = client.get_liquidations_aggregated("BTC", "1h", exchange_list=EXCHANGE, limit=24)
        assert [(row.time, row.long_usd) for row in summed[:-1]] == [(row.time, row.long_usd) for row in history[:-1]]
        exchanges = client.get_liquidations_by_exchange("BTC", "24h")
        assert [row.exchange for row in exchanges] == ["All", EXCHANGE] and exchanges[0].total_usd > 0, exchanges
        # What the package has no types for, through its own request.
        heatmap = client._request(
            "/api/futures/liquidation/heatmap/model1", {"exchange": EXCHANGE, "symbol": "BTCUSDT", "range": "24h"}
        )
        prices, candles = heatmap["y_axis"], heatmap["price_candlesticks"]
        for x, y, usd in heatmap["liquidation_leverage_data"]:
            assert 0 <= x < len(candles) and 0 <= y < len(prices) and usd > 0, (x, y, usd)
        assert all(isinstance(candle[0], int) and all(isinstance(text, str) for text in candle[1:]) for candle in candles)
        try:
            client.get_liquidations("BTCUSDT", "1h", exchange="Deribit")
            raise AssertionError("an exchange that is not served was answered")
        except APIError as error:
            assert error.code == "400" and EXCHANGE in error.message, error
    newest = history[-2]
    print(
        f"interop: coinglass-terminal-tools, {len(candles)} candles x {len(prices)} prices, "
        f"{len(heatmap['liquidation_leverage_data'])} cells; 24h: {exchanges[0].total_usd:,.0f} USD; "
        f"last whole hour: long {newest.long_usd:,.2f}, short {newest.short_usd:,.2f} USD"
    )


main(sys.argv[1])
