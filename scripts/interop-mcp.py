"""The official Python SDK of the Model Context Protocol against a running server: python interop-mcp.py http://127.0.0.1:8000/

Lists the tools, calls every one concisely and in detail, and sees that a wrong call is answered by an error that says what to
try. Prints a line a tool.
"""

import asyncio
import sys

from mcp import Client
from mcp.shared.exceptions import MCPError

# Arguments besides the symbol.
ARGUMENTS = {"liquidations": {"min_usd": 1000}, "candles": {"interval": "15m", "limit": 8}, "walls": {"range_pct": 20}}


async def main(url):
    async with Client(f"{url.rstrip('/')}/mcp") as client:
        listed = (await client.list_tools()).tools
        assert len(listed) >= 10, [tool.name for tool in listed]
        for tool in listed:
            schema = tool.input_schema
            needs_symbol = "symbol" in schema["properties"]
            assert tool.description and ("symbol" in schema["required"]) == needs_symbol, tool
            arguments = dict(ARGUMENTS.get(tool.name, {}), **({"symbol": "BTC"} if needs_symbol else {}))
            sizes = []
            for detail in ("concise", "detailed"):
                result = await client.call_tool(tool.name, arguments | {"detail": detail})
                assert not result.is_error, (tool.name, result.content[0].text)
                answer = result.structured_content
                about = answer["about"]
                assert "market_time" in about and answer[tool.name], answer
                if needs_symbol:
                    assert about["symbol"] == "BTCUSDT" and about["age_s"] >= 0 and about["is_stale"] is False, about
                sizes.append(len(result.content[0].text))
            assert sizes[0] <= sizes[1], (tool.name, sizes)
            print(f"interop: mcp, {tool.name}: {sizes[0]} bytes concise, {sizes[1]} detailed")
        for arguments, part in (
            ({}, "coverage"),
            ({"symbol": "NOSUCH"}, "Arguments of `walls`"),
            ({"symbol": "BTC", "coin": "x"}, "arguments: symbol"),
            ({"symbol": "BTC", "range_pct": -1}, "range_pct"),
        ):
            result = await client.call_tool("walls", arguments)
            assert result.is_error and part in result.content[0].text, (arguments, result)
        try:
            await client.call_tool("no_such_tool", {})
            raise AssertionError("a tool that is not there was called")
        except MCPError as error:
            assert "tools: coverage" in str(error), error


asyncio.run(main(sys.argv[1]))
