from __future__ import annotations

import pytest

from integrations.base import Credential, CredentialPart, Secret, SourceError
from integrations.mcp import ChildSlots, credential_headers


def test_slots_are_given_and_taken_back() -> None:
    slots = ChildSlots(2)
    assert [slots.acquire() for _ in range(3)] == [True, True, False]
    slots.release()
    assert slots.acquire()


def test_each_part_becomes_a_header() -> None:
    parts = (
        CredentialPart("bearer", Secret("t")),
        CredentialPart("header", Secret("k"), "X-Key", prefix="Token "),
        CredentialPart("cookie", Secret("a b"), "sid"),
        CredentialPart("cookie", Secret("c"), "tid"),
    )
    assert credential_headers(Credential(parts)) == {
        "Authorization": "Bearer t",
        "X-Key": "Token k",
        "Cookie": "sid=a%20b; tid=c",
    }


def test_basic() -> None:
    part = CredentialPart("basic", Secret("open sesame"), username=Secret("Aladdin"))
    assert credential_headers(Credential((part,))) == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


@pytest.mark.parametrize(
    "part", [CredentialPart("query", Secret("q"), "k"), CredentialPart("bearer", Secret("a\r\nb"))]
)
def test_what_no_header_can_carry_is_refused(part: CredentialPart) -> None:
    with pytest.raises(SourceError):
        credential_headers(Credential((part,)))
