"""What the pages are told, with and without an `auth` section."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxy.app.page_options import page_options
from proxy.serving.origins import HostRules
from proxy.serving.sealing import Seals
from tests.proxy.app.started import MEMORY, application_of

HOSTS = HostRules(loopback=True)


async def test_a_server_without_auth_names_both_token_files(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with application_of(tmp_path, f"version: 1\n{MEMORY}", env) as application:
        options = page_options(application, HOSTS, Seals())
        files = options.local_files()
        assert files is not None
        assert files.token.read_text().strip() != ""
        assert files.approver is not None
        assert files.approver.read_text() != files.token.read_text()
        assert options.public_url() is None


async def test_a_server_with_keys_names_none_and_knows_its_address(
    tmp_path: Path, env: Mapping[str, str]
) -> None:
    text = (
        f"version: 1\n{MEMORY}server: {{public_url: https://executor.example}}\n"
        "auth: {api_keys: {keys: {bot: {value: {env: BOT_KEY}}}}}\n"
    )
    secrets = {"BOT_KEY": "a-key-long-enough-to-be-one"}
    async with application_of(tmp_path, text, env, secrets) as application:
        options = page_options(application, HOSTS, Seals())
        assert options.local_files() is None
        assert options.public_url() == "https://executor.example"
        assert page_options(application, HOSTS, Seals(), public=False).public_url() is None
