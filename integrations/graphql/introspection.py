"""Introspection: asking an endpoint for its schema, and reading a schema from a file.

The full query is sent first. Servers of older editions of the specification refuse parts of it: they get a second
query with what the edition of 2021 has, and a third one with only what that of 2018 has.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal, get_args

from integrations.base import Credential, JsonObject, SourceError
from integrations.credentials import CredentialProblem
from integrations.graphql.exchange import addressed, post
from integrations.graphql.responses import error_text
from integrations.http import EgressRules, HttpClient, HttpError, HttpResponse, origin_of
from integrations.json_text import JsonTooDeep, read_bounded, write_json
from integrations.sources import MAX_SOURCE_BYTES, gc_paused

_TIMEOUT_SECONDS = 30.0
# As many as graphql-js asks for: four lists of non-null items, as in the coordinates of GeoJSON.
_MAX_TYPE_WRAPPERS = 9
Edition = Literal["2025", "2021", "2018"]
EDITIONS: tuple[Edition, ...] = get_args(Edition)


def introspection_query(edition: Edition) -> str:
    """2018: fields, types and directives. 2021: also deprecated arguments, scalar URLs and repeatable directives.
    2025: also one-of input objects.
    """
    full = edition != "2018"
    reference = "kind name"
    for _ in range(_MAX_TYPE_WRAPPERS):
        reference = f"kind name ofType {{ {reference} }}"
    all_of = "(includeDeprecated: true)"
    old = all_of if full else ""
    deprecation = "isDeprecated deprecationReason"
    value = f"name description defaultValue type {{ {reference} }} {deprecation if full else ''}"
    return (
        "query IntrospectionQuery { __schema { queryType { name } mutationType { name } subscriptionType { name } "
        f"types {{ kind name description {'specifiedByURL' if full else ''} {'isOneOf' if edition == '2025' else ''} "
        f"fields{all_of} {{ name description {deprecation} type {{ {reference} }} args{old} {{ {value} }} }} "
        f"inputFields{old} {{ {value} }} interfaces {{ name }} "
        f"enumValues{all_of} {{ name description {deprecation} }} possibleTypes {{ name }} }} "
        f"directives {{ name locations {'isRepeatable' if full else ''} args{old} {{ {value} }} }} }} }}"
    )


async def ask_schema(
    endpoint: str,
    http: HttpClient,
    credential: Credential,
    *,
    headers: Mapping[str, str],
    egress_allow: tuple[str, ...],
) -> JsonObject:
    """The value of `__schema`. Raises `SourceError` with a remedy."""
    name = endpoint.split("?")[0]
    rules = EgressRules(egress_allow, frozenset({origin_of(endpoint)} - {""}))
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    refusal = ""
    try:
        url, sent = addressed(endpoint, headers, credential)
        for edition in EDITIONS:
            body = write_json({"query": introspection_query(edition), "operationName": "IntrospectionQuery"})
            response = await post(
                http, url, sent, body, deadline=deadline, max_bytes=MAX_SOURCE_BYTES, allow=rules
            )
            found = _schema_in(response, name)
            if found is not None:
                return found
            refusal = _refusal(response, name)
    except CredentialProblem as problem:
        raise SourceError(f"{name}: {problem}") from None
    except HttpError as error:
        raise SourceError(f"{name}: {error}") from None
    raise SourceError(f"{name}: {refusal}")


def _schema_in(response: HttpResponse, name: str) -> JsonObject | None:
    content = _json(response.body, name)
    data = content.get("data") if isinstance(content, dict) else None
    schema = data.get("__schema") if isinstance(data, dict) else None
    return schema if isinstance(schema, dict) else None


def _json(body: bytes, name: str) -> Any:
    """None for what is no JSON."""
    with gc_paused():
        try:
            return read_bounded(body)
        except JsonTooDeep as error:
            raise SourceError(f"{name}: the schema is {error}") from None
        except ValueError:
            return None


_REMEDY = "export the schema once and set `introspection: {file: ...}` (introspection JSON or SDL)"


def _refusal(response: HttpResponse, name: str) -> str:
    content = _json(response.body, name)
    errors = content.get("errors") if isinstance(content, dict) else None
    if response.status in (401, 403):
        return (
            f"HTTP {response.status}: introspection needs a credential that the endpoint accepts: check `auth` of "
            f"the connection, or {_REMEDY}"
        )
    if isinstance(errors, list) and errors:
        return f"introspection is disabled or refused ({error_text(errors)}): {_REMEDY}"
    if 300 <= response.status < 400:
        target = response.header("location").split("?")[0]
        return f"HTTP {response.status}: redirects to {target}; set `endpoint` to where it really is"
    return f"HTTP {response.status} instead of a schema: check `endpoint`, or {_REMEDY}"


def schema_in_file(content: bytes, name: str) -> JsonObject | None:
    """The value of `__schema` of an introspection result in any of its usual wrappings; None for SDL."""
    if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return None
    found = _json(content.removeprefix(b"\xef\xbb\xbf"), name)
    for key in ("data", "__schema"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not isinstance(found.get("types"), list):
        raise SourceError(f"{name}: JSON, but no introspection result (no `__schema.types`)")
    return found
