"""The values every kind shares: what they show, and what they never show."""

from __future__ import annotations

from integrations.base import (
    Credential,
    CredentialPart,
    Failure,
    HttpInfo,
    InvalidArguments,
    Problem,
    SchemeCredential,
    Secret,
    Success,
)

CANARY = "hunter2-canary"


def test_t27_a_secret_prints_itself_nowhere() -> None:
    part = CredentialPart("basic", Secret(CANARY), username=Secret("ann"))
    credential = Credential((part,), {"key": SchemeCredential(value=Secret(CANARY))})
    for shown in (str(Secret(CANARY)), repr(Secret(CANARY)), repr(credential), f"{part}", f"{credential}"):
        assert CANARY not in shown


def test_secrets_are_equal_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_a_credential_names_every_secret_for_redaction_but_no_user_name() -> None:
    parts = (
        CredentialPart("basic", Secret("pw"), username=Secret("ann")),
        CredentialPart("bearer", Secret("tok")),
    )
    schemes = {
        "a": SchemeCredential(value=Secret("v")),
        "b": SchemeCredential(None, Secret("bob"), Secret("p")),
    }
    assert sorted(Credential(parts, schemes).secrets()) == ["p", "pw", "tok", "v"]
    assert Credential().secrets() == []


def test_results_as_agents_see_them() -> None:
    assert Success([1]).as_json() == {"ok": True, "data": [1]}
    http = HttpInfo(201, {"location": "/9"})
    assert Success(None, http).as_json()["http"] == {"status": 201, "headers": {"location": "/9"}}
    failure = Failure("upstream_http_error", "no", True, 503, {"body": "x"})
    error = {
        "code": "upstream_http_error",
        "message": "no",
        "retryable": True,
        "status": 503,
        "details": {"body": "x"},
    }
    assert failure.as_json() == {"ok": False, "error": error}
    assert Failure("egress_denied", "no").as_json()["error"].keys() == {"code", "message", "retryable"}


def test_invalid_arguments_say_where() -> None:
    wrong = InvalidArguments([Problem("/a/b", "is missing"), Problem("", "must be an object")])
    assert str(wrong) == "/a/b: is missing; /: must be an object"
    assert [one.pointer for one in wrong.problems] == ["/a/b", ""]
