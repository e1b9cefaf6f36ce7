"""Python's `websockets` against a running server: python interop.py ws://127.0.0.1:8000/ws/heatmap

Follows several updates with and without compression, as snapshots and as differences, and checks every state against its
hash, which is written here once more after docs/protocol.md.
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect

UPDATES = 4
LANES = ((0x9747B28C, 0x85EBCA6B), (0x3C6EF372, 0xCC9E2D51))
MASK = 0xFFFFFFFF


def mix(words, seed, multiplier):
    h = seed
    for word in words:
        h = ((h ^ word) * multiplier) & MASK
        h = ((h << 13) | (h >> 19)) & MASK
    h = ((h ^ (h >> 16)) * 0xC2B2AE35) & MASK
    return h ^ (h >> 16)


def state_hash(levels):
    lanes = [0, 0]
    for price, (long, short) in levels.items():
        words = [half for n in (round(price * 1e8), long, short) for half in (n & MASK, n >> 32)]
        for index, (seed, multiplier) in enumerate(LANES):
            lanes[index] = (lanes[index] + mix(words, seed, multiplier)) & MASK
    return "".join(f"{lane:08x}" for lane in lanes)


async def follow(url, mode, compression, protocols):
    async with connect(url, compression=compression, subprotocols=protocols) as socket:
        agreed = socket.response.headers.get("Sec-WebSocket-Extensions", "")
        assert ("permessage-deflate" in agreed) == (compression is not None), agreed
        # Long enough to be compressed by a client that may.
        subscribe = {"action": "subscribe", "symbols": ["BTCUSDT"], "mode": mode, "padding": "x" * 2000}
        await socket.send(json.dumps(subscribe))
        levels, at, kinds = {}, None, []
        while len(kinds) < UPDATES:
            message = json.loads(await asyncio.wait_for(socket.recv(), 30))
            if message["type"] not in ("snapshot", "delta"):
                continue
            kinds.append(message["type"])
            if message["type"] == "snapshot":
                levels = {}
            else:
                assert message["from"] == at, (message["from"], at)
            for level in message["data"]["levels"]:
                sums = (level["long_density"], level["short_density"])
                if sums == (0, 0):
                    levels.pop(level["price"], None)
                else:
                    levels[level["price"]] = sums
            at = message["seq"]
            assert state_hash(levels) == message["hash"], f"state {at} has another hash"
        assert kinds[0] == "snapshot" and (mode == "delta" or "delta" not in kinds), kinds
    assert socket.close_code == 1000, socket.close_code
    return f"{mode}, compression {compression}, {protocols}: {', '.join(kinds)}"


async def main(url):
    runs = [
        follow(url, mode, compression, protocols)
        for mode in ("snapshot", "delta")
        for compression in (None, "deflate")
        for protocols in (None, ["liqheat.v1.json"])
    ]
    for line in await asyncio.gather(*runs):
        print(f"interop: python websockets, {line}")


asyncio.run(main(sys.argv[1]))
