"""A server with something to show on every page of the console, and somebody who has used it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser.approval_server import KEYS, ApprovalServer, config
from tests.e2e import configs
from tests.e2e.running import serving
from tests.e2e.upstream import Upstream

SOURCE = "https://git.example/config/blob/main/{file}#L{line}"
# What a hostile or careless upstream says: shown as text, and never as a direction of the page.
SAID = "<b onmouseover=alert(1)>broken</b> \u202egnorts\u2066 pay\u200bpal"
BROKEN = f"import sys; sys.stderr.write({SAID!r} + chr(10) + 'second line' + chr(10)); sys.exit(3)"


def console_config(api: Upstream, **sections: Any) -> dict[str, Any]:
    made = config(api)
    made["integrations"]["broken"] = {
        "kind": "mcp",
        "type": "local",
        "command": [sys.executable, "-c", BROKEN],
    }
    made["connections"]["broken.org.main"] = {}
    made["integrations"]["mail"] = configs.shop(api)
    auth = {
        "kind": "oauth2",
        "grant": "authorization_code",
        "issuer": "https://login.example",
        "client_id": "c",
    }
    made["connections"]["mail.org.main"] = {"auth": auth}
    limit = {
        "per": "user",
        "applies_to": "tool_calls",
        "limit": "2/hour",
        "pattern": "shop.org.main.things.list",
    }
    made["rate_limits"]["two-an-hour"] = limit
    made["auth"]["roles"]["admin"] = ["approvers"]
    return {**made, "console": {"source_url": SOURCE}, **sections}


@contextmanager
def console_server(api: Upstream, folder: Path, **sections: Any) -> Iterator[ApprovalServer]:
    """`boss` is an operator and an approver, `agent` has run code and waits for one approval."""
    file = configs.write(folder / "executor.yaml", console_config(api, **sections))
    with serving(file, folder / "state", env=configs.ENV) as proxy:
        made = ApprovalServer(proxy, api, file)
        for code in (
            "return (await tools.shop.org.main.things.get({id: 'a'})).ok",
            "for (let i = 0; i < 3; i++) await tools.shop.org.main.things.list({})",
            "throw new Error('no')",
        ):
            made.call("execute", {"code": code})
        made.pause("return (await tools.shop.org.main.things.create({body: {name: 'bolt'}})).ok")
        yield made


__all__ = ["KEYS", "SAID", "console_config", "console_server"]
