from __future__ import annotations

from typing import Any

import pytest

from integrations.base import Credential, CredentialPart, SchemeCredential, Secret
from integrations.credentials import CredentialProblem
from integrations.openapi.credentials import with_credential
from integrations.openapi.request import OutgoingRequest
from tests.integrations.openapi.documents import operation, request_of

SCHEMES = {
    "hdr": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "qry": {"type": "apiKey", "in": "query", "name": "api_key"},
    "ck": {"type": "apiKey", "in": "cookie", "name": "session"},
    "basic": {"type": "http", "scheme": "basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "odd": {"type": "mutualTLS"},
}
ALL = Credential(
    schemes={
        "hdr": SchemeCredential(Secret("K1")),
        "qry": SchemeCredential(Secret("K 2&")),
        "ck": SchemeCredential(Secret("K;3")),
        "basic": SchemeCredential(username=Secret("Aladdin"), password=Secret("open sesame")),
        "bearer": SchemeCredential(Secret("tok")),
        "odd": SchemeCredential(Secret("x")),
    }
)


def request(security: Any, arguments: dict[str, Any] | None = None) -> OutgoingRequest:
    parameters = [
        {"name": "X-Api-Key", "in": "header"},
        {"name": "api_key", "in": "query"},
        {"name": "session", "in": "cookie"},
    ]
    more = {} if security is None else {"security": security}
    document = operation("/x", parameters=parameters, root_components={"securitySchemes": SCHEMES}, **more)
    return request_of(document, arguments or {})


def placed(
    security: Any, credential: Credential = ALL, arguments: dict[str, Any] | None = None
) -> dict[str, str]:
    ready = with_credential(request(security, arguments), credential, {})
    out = {name: value for name, value in ready.headers if name != "Accept"}
    out |= {text.split("=")[0] + "?": text.split("=")[1] for _, text in ready.query}
    return out | {text.split("=")[0] + ";": text.split("=")[1] for _, text in ready.cookies}


CASES: list[tuple[Any, dict[str, str]]] = [
    ([{"hdr": []}], {"X-Api-Key": "K1"}),
    ([{"qry": []}], {"api_key?": "K%202%26"}),
    ([{"ck": []}], {"session;": "K%3B3"}),
    ([{"basic": []}], {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}),
    ([{"bearer": []}], {"Authorization": "Bearer tok"}),
    ([{"hdr": [], "qry": []}], {"X-Api-Key": "K1", "api_key?": "K%202%26"}),
    ([{"hdr": []}, {}], {"X-Api-Key": "K1"}),
    ([{}, {"hdr": []}], {}),
    ([], {}),
    (None, {}),
]


@pytest.mark.parametrize(("security", "result"), CASES)
def test_schemes(security: Any, result: dict[str, str]) -> None:
    assert placed(security) == result


def test_the_first_alternative_that_is_fully_bound_is_used() -> None:
    only = Credential(schemes={"hdr": ALL.schemes["hdr"], "ck": ALL.schemes["ck"]})
    assert placed([{"bearer": []}, {"hdr": [], "ck": []}], only) == {"X-Api-Key": "K1", "session;": "K%3B3"}


def test_credentials_replace_arguments_of_the_same_name() -> None:
    arguments = {"X-Api-Key": "evil", "api_key": "evil", "session": "evil"}
    assert "evil" not in placed([{"hdr": [], "qry": [], "ck": []}], arguments=arguments).values()


def test_parts_are_sent_unless_the_operation_wants_none() -> None:
    parts = Credential(
        parts=(
            CredentialPart("bearer", Secret("t")),
            CredentialPart("header", Secret("v"), "X-H", prefix="Token "),
            CredentialPart("query", Secret("q"), "k"),
            CredentialPart("cookie", Secret("c"), "s"),
        )
    )
    expected = {"Authorization": "Bearer t", "X-H": "Token v", "k?": "q", "s;": "c"}
    assert placed(None, parts) == placed([{"hdr": []}], parts) == expected
    assert placed([], parts) == {}
    basic = Credential(parts=(CredentialPart("basic", Secret("pä"), username=Secret("u")),))
    assert placed(None, basic) == {"Authorization": "Basic dTpww6Q="}


def test_a_missing_credential_names_the_schemes() -> None:
    with pytest.raises(CredentialProblem, match=r"bearer or hdr \+ ck"):
        placed([{"bearer": []}, {"hdr": [], "ck": []}], Credential())
    with pytest.raises(CredentialProblem, match="odd"):
        placed([{"odd": []}])


def test_headers_of_the_integration_count_as_credentials() -> None:
    for scheme, header in (("hdr", "x-api-key"), ("bearer", "Authorization")):
        plain = request([{scheme: []}])
        assert with_credential(plain, Credential(), {header: "k"}) == plain


@pytest.mark.parametrize("secret", ["a\r\nX-Evil: 1", "a\x00", "a\n"])
def test_control_characters_are_refused(secret: str) -> None:
    bound = Credential(schemes={"hdr": SchemeCredential(Secret(secret))})
    with pytest.raises(CredentialProblem) as caught:
        placed([{"hdr": []}], bound)
    assert caught.value.failure.code == "connection_not_ready"
    assert "Evil" not in str(caught.value)
