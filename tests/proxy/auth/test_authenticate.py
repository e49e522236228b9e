from dataclasses import replace

import pytest

from integrations.base import Secret
from proxy.auth import Authenticator, AuthError, AuthRequest, KeyRecord, Keyring, hash_key
from proxy.principal import Principal
from tests.proxy.auth.samples import CI, NOW, OLD, OPS, RECORDS, bearer, request

LOCAL = "local-token-0123456789"
WORKSPACES = ("ws_a", "ws_b")
KEYRING = Keyring(RECORDS, clock=lambda: NOW)
KEYS = Authenticator("keys", KEYRING, None, WORKSPACES)
HOME = Authenticator("local", Keyring(()), Secret(LOCAL), WORKSPACES)
OPEN = Authenticator("keys", KEYRING, None, WORKSPACES, anonymous=True)


async def refused(who: Authenticator, asked: AuthRequest) -> AuthError:
    with pytest.raises(AuthError) as caught:
        await who.authenticate(asked)
    return caught.value


async def test_a_key_is_its_own_account_in_its_own_workspace() -> None:
    expected = Principal("ws_a", "key:ci_bot", "key", frozenset({"ci"}))
    assert await KEYS.authenticate(request(bearer(CI))) == expected
    assert await KEYS.authenticate(request(("x-api-key", CI), workspaceId=["ws_a"])) == expected
    assert await KEYS.authenticate(request(bearer(CI), path="ws_a")) == expected
    assert await KEYS.authenticate(request(bearer(CI), anonymous_path=True, workspaceId=["ws_a"])) == expected
    assert expected.caller().key == "ci_bot"


async def test_a_key_of_another_workspace_cannot_tell_whether_it_exists() -> None:
    real = await refused(KEYS, request(bearer(CI), workspaceId=["ws_b"]))
    made_up = await refused(KEYS, request(bearer(CI), workspaceId=["ws_z"]))
    assert (real.status, real.code, real.www_authenticate) == (403, -32001, None)
    assert (made_up.status, made_up.code, made_up.message) == (real.status, real.code, real.message)


async def test_a_key_whose_workspace_left_the_config_is_refused() -> None:
    assert (await refused(Authenticator("keys", KEYRING, None, ["ws_b"]), request(bearer(CI)))).status == 403


async def test_a_key_without_a_workspace_works_in_the_only_one() -> None:
    keyring = Keyring([KeyRecord("k", hash_key("secret"), None)])
    only = Authenticator("keys", keyring, None, ["default"])
    assert (await only.authenticate(request(bearer("secret")))).workspace_id == "default"
    assert (
        await refused(Authenticator("keys", keyring, None, WORKSPACES), request(bearer("secret")))
    ).status == 403


@pytest.mark.parametrize("who", [KEYS, HOME, OPEN])
@pytest.mark.parametrize("presented", ["nonsense", OLD, LOCAL[:-1], OPS + "x"])
async def test_a_bad_credential_is_never_let_in(who: Authenticator, presented: str) -> None:
    error = await refused(who, request(bearer(presented)))
    assert (error.status, error.code) == (401, -32001)
    assert error.www_authenticate is not None
    assert 'error="invalid_token"' in error.www_authenticate
    assert presented not in error.message + error.www_authenticate


@pytest.mark.parametrize("who", [KEYS, HOME])
async def test_without_a_credential_the_challenge_names_no_error(who: Authenticator) -> None:
    error = await refused(who, request())
    assert (error.status, error.code) == (401, -32001)
    assert error.www_authenticate == 'Bearer realm="executor"'
    assert "Authorization: Bearer" in error.message


async def test_the_local_token_opens_every_workspace() -> None:
    for name in WORKSPACES:
        assert await HOME.authenticate(request(bearer(LOCAL), workspaceId=[name])) == Principal(
            name, "local", "local"
        )
        assert (await HOME.authenticate(request(bearer(LOCAL), path=name))).workspace_id == name
    error = await refused(HOME, request(bearer(LOCAL), path="ws_z"))
    assert (error.status, error.code) == (403, -32001)
    assert "ws_a, ws_b" in error.message


async def test_the_local_token_is_worth_nothing_beside_keys() -> None:
    assert (
        await refused(Authenticator("keys", KEYRING, Secret(LOCAL), WORKSPACES), request(bearer(LOCAL)))
    ).status == 401


@pytest.mark.parametrize(
    ("workspaces", "chosen"), [(["ws_a"], "ws_a"), (["ws_a", "default"], "default"), (["default"], "default")]
)
async def test_the_only_or_the_default_workspace_needs_no_name(workspaces: list[str], chosen: str) -> None:
    who = Authenticator("local", Keyring(()), Secret(LOCAL), workspaces)
    assert (await who.authenticate(request(bearer(LOCAL)))).workspace_id == chosen


async def test_among_several_the_caller_has_to_choose() -> None:
    error = await refused(HOME, request(bearer(LOCAL)))
    assert (error.status, error.code) == (400, -32000)
    assert "`workspaceId`" in error.message
    assert "ws_a, ws_b" in error.message


async def test_anonymous_callers_only_where_allowed() -> None:
    assert await OPEN.authenticate(request(workspaceId=["ws_b"])) == Principal(
        "ws_b", "anonymous", "anonymous"
    )
    assert (await OPEN.authenticate(request(bearer(CI)))).kind == "key"
    for asked in (request(), request(workspaceId=["ws_z"])):
        assert "ws_a" not in (await refused(OPEN, asked)).message


async def test_the_anonymous_path_takes_keys_and_needs_the_parameter() -> None:
    error = await refused(KEYS, request(bearer(CI), anonymous_path=True))
    assert (error.status, error.code) == (400, -32000)
    assert "`workspaceId`" in error.message
    assert (await refused(KEYS, request(anonymous_path=True, workspaceId=["ws_a"]))).status == 401


def test_local_mode_needs_its_token() -> None:
    with pytest.raises(ValueError, match="needs a token"):
        Authenticator("local", Keyring(()), None, WORKSPACES)


async def test_the_approver_is_another_account_in_any_workspace() -> None:
    home = Authenticator(
        "local", Keyring(()), Secret(LOCAL), WORKSPACES, approver_token=Secret("approver-0123456789")
    )
    asked = request(bearer("approver-0123456789"), workspaceId=["ws_b"])
    assert await home.authenticate(asked) == Principal("ws_b", "local-approver", "local")
    assert (await home.authenticate(request(bearer(LOCAL), workspaceId=["ws_b"]))).account_id == "local"
    keys = Authenticator("keys", KEYRING, None, WORKSPACES, approver_token=Secret("approver-0123456789"))
    assert (await refused(keys, asked)).status == 401


async def test_t11_a_caller_of_before_is_who_the_config_says_now() -> None:
    ci = replace(await KEYS.authenticate(request(bearer(CI))), groups=frozenset({"admins"}))
    assert KEYS.refresh(ci) == replace(ci, groups=frozenset({"ci"}))
    for gone in (
        replace(ci, account_id="key:left"),
        replace(ci, account_id="key:old"),
        replace(ci, workspace_id="ws_b"),
        Principal("ws_a", "anonymous", "anonymous"),
    ):
        assert KEYS.refresh(gone) is None
    assert Authenticator("keys", KEYRING, None, ["ws_b"]).refresh(ci) is None
    stays = Principal("ws_a", "anonymous", "anonymous")
    assert OPEN.refresh(stays) == stays
    local = Principal("ws_a", "local", "local")
    assert KEYS.refresh(local) == local, "a process on stdio"
