import asyncio
import signal
import socket
import sys

import httpx2
import pytest

from proxy.cli import main

LIMIT_SECONDS = 60
COMMAND = "from proxy.cli import main; raise SystemExit(main())"


async def test_the_command_runs_until_it_is_told_to_stop() -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", COMMAND, "demo", "--port", "0", "--token", "t0ken",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        exported = {}
        for _ in range(3):
            name, _, value = (
                (await process.stdout.readline()).decode().removeprefix("export ").strip().partition("=")
            )
            exported[name] = value
        async with httpx2.AsyncClient() as client:
            answer = await client.get(
                f"{exported['INVENTORY_URL']}/items/itm_1",
                headers={"Authorization": f"Bearer {exported['INVENTORY_TOKEN']}"},
            )
        assert answer.json()["name"] == "Hex bolt M8"
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def test_a_taken_port_is_said_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["demo", "--port", str(taken.getsockname()[1])]) == 2
    assert "try --port 0" in capsys.readouterr().err
