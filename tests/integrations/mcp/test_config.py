from pydantic import TypeAdapter

from integrations import Integration, McpLocal, McpRemote
from integrations.mcp.config import McpOauth

ADAPTER: TypeAdapter[Integration] = TypeAdapter(Integration)


def test_local_and_remote() -> None:
    local = ADAPTER.validate_python({"kind": "mcp", "type": "local", "command": ["x"], "timeout": 1500})
    assert isinstance(local, McpLocal)
    assert (local.timeout, local.enabled) == (1.5, True)
    remote = ADAPTER.validate_python({"kind": "mcp", "type": "remote", "url": "https://x.example.com"})
    assert isinstance(remote, McpRemote)
    assert (remote.oauth, remote.transport, remote.timeout) == (True, "auto", 5.0)


def test_oauth_is_a_switch_or_options() -> None:
    base = {"kind": "mcp", "type": "remote", "url": "https://x.example.com"}
    off = ADAPTER.validate_python({**base, "oauth": False})
    assert isinstance(off, McpRemote)
    assert off.oauth is False
    options = ADAPTER.validate_python({**base, "oauth": {"scope": "a b"}})
    assert isinstance(options, McpRemote)
    assert options.oauth == McpOauth(scope="a b")
