"""Who may come in and how often, from a config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from integrations.http import HttpClient
from proxy.app.access import Access, CurrentLimits, build_access
from proxy.auth import AuthError, AuthRequest, IssuerPool, LocalTokenError, hash_key
from proxy.calls import CallSubject, LimitRefusal
from proxy.config.secrets import SecretMissing
from proxy.limits import LimitSubject, open_storage
from proxy.principal import Principal
from proxy.tasks import TaskSupervisor
from tests.proxy.support import config_text, load, written

KEYS = f"""\
version: 1
workspaces: {{ws_platform: {{}}, ws_support: {{}}}}
auth:
  api_keys:
    keys:
      ci_bot: {{hash: "sha256:{hash_key("ci-key")}", workspace: ws_platform, groups: [ci, ops]}}
      old_bot: {{hash: "sha256:{hash_key("old-key")}", workspace: ws_platform, expires: 2020-01-01}}
      env_bot: {{value: {{env: BOT_KEY}}, workspace: ws_support}}
  roles: {{admin: [ops]}}
"""
ANN = Principal("default", "user:ann", "user")


def pool() -> IssuerPool:
    return IssuerPool(HttpClient(), TaskSupervisor())


def access_of(folder: Path, text: str, secrets: Mapping[str, str] | None = None) -> Access:
    env = {"EXECUTOR_STATE_DIR": str(folder / "state"), **(secrets or {})}
    return build_access(load(written(folder, text)), env, open_storage(), pool())


async def admitted(access: Access, key: str, workspace: str | None = None) -> Principal:
    headers = [("authorization", f"Bearer {key}")] if key else []
    return await access.authenticator.authenticate(AuthRequest(headers, {}, workspace))


async def refused(access: Access, key: str, workspace: str | None = None) -> int:
    with pytest.raises(AuthError) as caught:
        await admitted(access, key, workspace)
    return caught.value.status


async def test_without_auth_there_is_a_local_token(tmp_path: Path) -> None:
    access = access_of(tmp_path, "version: 1\n")
    assert access.local_token is not None
    assert access.token_file == tmp_path / "state" / "local-token"
    assert access.token_file.read_text().strip() == access.local_token.reveal()
    assert access.token_file.stat().st_mode & 0o777 == 0o600
    local = await admitted(access, access.local_token.reveal())
    assert local == Principal("default", "local", "local")
    assert access.roles.is_admin(local)
    assert await refused(access, "another") == 401
    assert await refused(access, "") == 401


async def test_the_person_who_approves_has_another_token(tmp_path: Path) -> None:
    access = access_of(tmp_path, "version: 1\n")
    assert access.approver_token is not None
    assert access.approver_file.read_text().strip() == access.approver_token.reveal()
    assert access.approver_file.stat().st_mode & 0o777 == 0o600
    person = await admitted(access, access.approver_token.reveal())
    assert (person.account_id, access.roles.is_approver(person)) == ("local-approver", True)
    assert access.local_token is not None
    assert not access.roles.is_approver(await admitted(access, access.local_token.reveal()))


def test_with_keys_there_is_no_minted_approver(tmp_path: Path) -> None:
    access = access_of(tmp_path, KEYS, {"BOT_KEY": "k"})
    assert access.approver_token is None
    assert not access.approver_file.exists()


def test_the_local_token_stays_over_reloads(tmp_path: Path) -> None:
    first, second = (access_of(tmp_path, "version: 1\n") for _ in range(2))
    assert first.local_token == second.local_token


async def test_the_local_token_opens_every_workspace(tmp_path: Path) -> None:
    access = access_of(tmp_path, "version: 1\nworkspaces: {a: {}, b: {}}\n")
    assert access.local_token is not None
    assert (await admitted(access, access.local_token.reveal(), "b")).workspace_id == "b"
    assert await refused(access, access.local_token.reveal(), "c") == 403


async def test_keys_by_hash(tmp_path: Path) -> None:
    access = access_of(tmp_path, KEYS, {"BOT_KEY": "bot-key"})
    assert access.local_token is None
    assert not access.token_file.exists()
    ci = Principal("ws_platform", "key:ci_bot", "key", frozenset({"ci", "ops"}))
    assert await admitted(access, "ci-key") == ci
    assert await admitted(access, "ci-key", "ws_platform") == ci
    assert await refused(access, "ci-key", "ws_support") == 403
    assert await refused(access, "old-key") == 401
    assert await refused(access, "") == 401


async def test_keys_by_value_come_from_the_environment(tmp_path: Path) -> None:
    access = access_of(tmp_path, KEYS, {"BOT_KEY": "bot-key"})
    bot = await admitted(access, "bot-key")
    assert (bot.workspace_id, bot.account_id) == ("ws_support", "key:env_bot")
    assert not access.roles.is_admin(bot)
    assert access.roles.is_admin(await admitted(access, "ci-key"))
    with pytest.raises(SecretMissing, match="BOT_KEY is not set"):
        access_of(tmp_path, KEYS)


async def test_a_key_that_left_the_config_is_gone(tmp_path: Path) -> None:
    kept = "\n".join(line for line in KEYS.splitlines() if "ci_bot" not in line)
    assert await refused(access_of(tmp_path, kept, {"BOT_KEY": "bot-key"}), "ci-key") == 401


async def test_anonymous_callers(tmp_path: Path) -> None:
    access = access_of(tmp_path, "version: 1\nauth: {anonymous: true}\n")
    assert await admitted(access, "") == Principal("default", "anonymous", "anonymous")
    assert await refused(access, "whatever") == 401


def test_a_token_file_that_others_can_read_is_not_trusted(tmp_path: Path) -> None:
    access_of(tmp_path, "version: 1\n").token_file.chmod(0o644)
    with pytest.raises(LocalTokenError, match="open to other users"):
        access_of(tmp_path, "version: 1\n")


async def test_the_default_limit(tmp_path: Path) -> None:
    limits = access_of(tmp_path, "version: 1\n").limits
    assert [(rule.name, rule.per, str(rule.applies_to)) for rule in limits.rules] == [
        ("per-workspace", "workspace", "requests")
    ]
    assert await limits.check("requests", LimitSubject.of(ANN)) is None


async def test_counters_outlive_a_reload(tmp_path: Path) -> None:
    storage = open_storage()
    loaded = load(written(tmp_path, "version: 1\nrate_limits: {runs: {per: user, limit: 2/hour}}\n"))
    env = {"EXECUTOR_STATE_DIR": str(tmp_path)}
    for _ in range(2):
        limits = build_access(loaded, env, storage, pool()).limits
        assert await limits.check("requests", LimitSubject.of(ANN)) is None
    denied = await build_access(loaded, env, storage, pool()).limits.check("requests", LimitSubject.of(ANN))
    assert denied is not None
    assert denied.name == "runs"


async def test_tool_calls_are_counted_under_the_config_that_serves_now(tmp_path: Path) -> None:
    limit = "{per: tool, applies_to: tool_calls, pattern: shop.*, limit: 1/hour}"
    now = [access_of(tmp_path, config_text(more=f"rate_limits: {{writes: {limit}}}\n"))]
    hits: list[str] = []
    limiter = CurrentLimits(lambda: now[0].limits, hits.append)

    def subject(address: str) -> CallSubject:
        integration, owner, name, _ = address.split(".")
        return CallSubject(ANN, None, integration, f"{integration}.{owner}.{name}", address)

    assert await limiter.admit(subject("shop.org.main.x")) is None
    refusal = await limiter.admit(subject("shop.org.main.x"))
    assert isinstance(refusal, LimitRefusal)
    assert refusal.name == "writes"
    assert 0 < refusal.retry_after_ms <= 3_600_001
    assert await limiter.admit(subject("shop.org.main.y")) is None
    assert await limiter.admit(subject("other.org.main.x")) is None
    assert hits == ["writes"]
    now[0] = access_of(tmp_path, "version: 1\nrate_limits: {}\n")
    assert await limiter.admit(subject("shop.org.main.x")) is None
