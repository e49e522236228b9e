"""From arguments to one HTTP request, complete but for the credential. Every problem is reported before anything is
sent.

Rules, people and the request see the same values: they are put into one form (`canonical`) before the request is made
of them. A path argument can never leave its template (T25): values are encoded, substituted in one pass, and a segment
that an upstream or a proxy might read as `.` or `..` after decoding, or that is empty, is refused. The `server`
argument chooses among the declared servers and never names another origin (T25).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from integrations.base import InvalidArguments, JsonObject, Problem
from integrations.http import origin_of
from integrations.http.media import in_range, is_binary, is_multipart, is_range
from integrations.http.toolfile import decode_base64, is_tool_file
from integrations.openapi.arguments import MISSING, GivenArguments, canonical, read_arguments
from integrations.openapi.binding import NEVER_FROM_ARGUMENTS, Media, OperationBinding, OperationParameter
from integrations.openapi.bodies import encode_body
from integrations.openapi.canonical import is_nothing, parameter_value
from integrations.openapi.canonical_body import settle_body
from integrations.openapi.config import Validate
from integrations.openapi.misplaced import say_what_belongs_in_the_body
from integrations.openapi.path_pieces import PathPiece, is_ambiguous
from integrations.openapi.responses import accept_header
from integrations.openapi.schema import Closure
from integrations.openapi.serialize import URL_SAFE, cookie_text, encode, header_text, path_text, query_pairs
from integrations.openapi.servers import ApiServer
from integrations.openapi.validate import check_values
from integrations.openapi.wire_names import SuppliedNames, WireNames

_TEMPLATE = re.compile(r"\{([^{}]+)\}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """`base` is scheme, authority and path; `query` and `cookies` hold (decoded name, encoded text) pairs. `server` is
    the part of `base` that is not the operation's.
    """

    method: str
    base: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[tuple[str, str], ...]
    body: bytes | None
    binding: OperationBinding
    server: str = ""

    @property
    def url(self) -> str:
        query = "&".join(text for _, text in self.query)
        return f"{self.base}?{query}" if query else self.base

    @property
    def origin(self) -> str:
        return origin_of(self.base)


def build_request(
    closure: Closure,
    arguments: JsonObject,
    base_url: str | None,
    supplied: SuppliedNames = frozenset(),
    *,
    validate: Validate = "lenient",
) -> tuple[OutgoingRequest, JsonObject]:
    """The request and the canonical arguments. Raises `InvalidArguments` with every problem found."""
    binding = closure.binding
    given = read_arguments(binding, arguments, supplied)
    say_what_belongs_in_the_body(closure.doc, binding, given)
    media = _choose_media(binding, given)
    _stop(given)
    media = _settle(closure, given, media)
    if not given.problems:
        given.problems += check_values(closure, given, media, validate)
    _stop(given)
    base = server_url(binding, given, base_url)
    path, fixed = _path(binding, given)
    query = [*fixed, *_query(closure, given, supplied, fixed)]
    headers, cookies = _headers(closure, given, supplied), _cookies(closure, given, supplied)
    body = _body(closure, given, media, headers)
    _stop(given)
    if not any(name.lower() == "accept" for name, _ in headers):
        headers.append(("Accept", accept_header(binding, given.accept)))
    base = base.rstrip("/")
    request = OutgoingRequest(
        binding.method, base + path, tuple(query), tuple(headers), tuple(cookies), body, binding, base
    )
    if not request.origin:
        raise InvalidArguments([Problem("", _no_server(base))])
    return request, canonical(binding, given, media)


def _settle(closure: Closure, given: GivenArguments, media: Media | None) -> Media | None:
    """Put every value into its one form; returns the media type that is sent."""
    for parameter in closure.binding.parameters:
        key = (parameter.location, parameter.name)
        if key not in given.values:
            continue
        reserved = parameter.location == "path" and "{+" + parameter.name + "}" in closure.binding.path
        with _Refusing(given, given.pointers[key]):
            schema = closure.text_schema(*key)
            given.originals[key] = given.values[key]
            given.values[key] = parameter_value(parameter, schema, given.values[key], reserved=reserved)
        if is_nothing(parameter, given.values[key]):
            del given.values[key]
            if parameter.required:
                given.refuse(given.pointers[key], "holds nothing that could be sent")
    if media is None or (given.body is MISSING and given.body_base64 is MISSING):
        return media
    with _Refusing(given, "/body" if given.body_base64 is MISSING else "/bodyBase64"):
        return settle_body(closure.doc, media, closure.text_schema("body", media.type), given)
    return media


@dataclass(slots=True)
class _Refusing:
    """What cannot be sent becomes a problem of the argument."""

    given: GivenArguments
    pointer: str

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, ValueError | TypeError):
            return False
        self.given.refuse(self.pointer, str(error))
        return True


def _no_server(base: str) -> str:
    return f"the document names no absolute server ({base or '/'}): set `base_url` on the integration"


def _stop(given: GivenArguments) -> None:
    if given.problems:
        raise InvalidArguments(given.problems)


def _choose_media(binding: OperationBinding, given: GivenArguments) -> Media | None:
    """`contentType` picks a declared type (or a concrete one within a declared range); the first is the default."""
    if binding.body is None:
        return None
    media = binding.body.media
    wanted = given.content_type
    if wanted is MISSING or wanted is None:
        if given.body_base64 is not MISSING or is_tool_file(given.body):
            return next((m for m in media if is_binary(m.essence) or is_range(m.essence)), media[0])
        if isinstance(given.body, dict) and any(map(_holds_file, given.body.values())):
            # Of the types that hold named values, only a multipart form can hold a file.
            return next((m for m in media if is_multipart(m.essence)), media[0])
        return media[0]
    if isinstance(wanted, str) and not _CONTROL.search(wanted):
        essence = wanted.split(";")[0].strip().lower()
        for candidate in media:
            if candidate.type.lower() == wanted.strip().lower():
                return candidate
        for candidate in media:
            if candidate.essence == essence:
                return candidate
            if is_range(candidate.essence) and not is_range(essence) and in_range(essence, candidate.essence):
                return Media(wanted.strip(), candidate.schema, candidate.encoding)
    given.refuse("/contentType", f"has to be one of {', '.join(m.type for m in media)}")
    return media[0]


def _holds_file(value: Any) -> bool:
    return is_tool_file(value) or (isinstance(value, list) and any(map(is_tool_file, value)))


def _path(binding: OperationBinding, given: GivenArguments) -> tuple[str, list[tuple[str, str]]]:
    """The path with arguments in it, and the query that some documents write into their paths."""
    template = binding.path.split("#", 1)[0]
    path, _, fixed = template.partition("?")
    known = {p.name: p for p in binding.parameters if p.location == "path"}
    segments = [_segment(segment, known, given) for segment in path.split("/")]
    pairs = [(unquote(item.split("=")[0]), quote(item, safe=URL_SAFE)) for item in fixed.split("&") if item]
    joined = "/".join(segments)
    return (joined if joined.startswith("/") else "/" + joined), pairs


def _segment(segment: str, known: dict[str, OperationParameter], given: GivenArguments) -> str:
    if "{" not in segment:
        return quote(segment, safe=URL_SAFE)
    pieces: list[PathPiece] = []
    used: list[str] = []
    last = 0
    for match in _TEMPLATE.finditer(segment):
        pieces.append(PathPiece(quote(segment[last : match.start()], safe=URL_SAFE)))
        last = match.end()
        parameter, text = _expansion(match.group(1), known, given)
        if parameter is not None:
            used.append(given.pointers[("path", parameter.name)])
            pieces.append(PathPiece(text, _opening(parameter)))
    pieces.append(PathPiece(quote(segment[last:], safe=URL_SAFE)))
    text = "".join(piece.text for piece in pieces)
    if used and _leaves(text):
        given.refuse(used[0], "a path value cannot be empty, `.` or `..`, nor hold such a step")
    elif len(used) > 1 and is_ambiguous(pieces):
        given.refuse(used[0], f"the values cannot be told apart in `{text}`, which others would make too")
    return text


def _expansion(
    name: str, known: dict[str, OperationParameter], given: GivenArguments
) -> tuple[OperationParameter | None, str]:
    """What replaces `{name}`."""
    parameter = known.get(name) or known.get(name.strip("+*"))
    reserved = name.startswith("+") and name not in known
    several = name not in known and not reserved
    key = ("path", parameter.name if parameter else name)
    if parameter is None or key not in given.values:
        given.refuse(f"/{name}", "the path needs this value and nothing supplies it")
        return None, ""
    with _Refusing(given, given.pointers[key]):
        return parameter, _replacement(parameter, given.values[key], reserved, several)
    return None, ""


def _opening(parameter: OperationParameter) -> str:
    """What a value of this style starts with."""
    if parameter.style == "label":
        return "."
    if parameter.style == "matrix":
        return ";" if parameter.explode else f";{encode(parameter.name)}"
    return ""


def _replacement(parameter: OperationParameter, value: Any, reserved: bool, several: bool) -> str:
    """`{+name}` is RFC 6570's reserved expansion. `{*name}`, `{name*}` and `{name+}` stand for several segments,
    as routers write them: slashes are kept and everything else is encoded.
    """
    if several and isinstance(value, str):
        return "/".join(map(encode, value.split("/")))
    return path_text(parameter, value, reserved=reserved)


def _leaves(segment: str) -> bool:
    """Could any reader of this segment, decoding it once or several times, step out of it?"""
    if not segment:
        return True
    decoded = segment
    for _ in range(4):
        again = unquote(decoded)
        if again == decoded:
            break
        decoded = again
    steps = re.split(r"[/\\]", decoded)
    return any(step.split(";")[0].strip() in (".", "..") and step[:1] != ";" for step in steps)


def _query(
    closure: Closure, given: GivenArguments, supplied: SuppliedNames, fixed: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    names = closure.wire_names("query", supplied, tuple(name for name, _ in fixed))
    for parameter, value, pointer in _given(closure, given, "query"):
        with _Refusing(given, pointer):
            pairs = query_pairs(parameter, value)
            _check_owner(names, parameter, [name for name, _ in pairs])
            out += pairs
    return out


def _given(
    closure: Closure, given: GivenArguments, location: str
) -> Iterator[tuple[OperationParameter, Any, str]]:
    """The parameters of a location that have a value, with it and its pointer."""
    for parameter in closure.binding.parameters:
        key = (parameter.location, parameter.name)
        if parameter.location == location and key in given.values:
            yield parameter, given.values[key], given.pointers[key]


def _check_owner(names: WireNames, parameter: OperationParameter, sent: list[str]) -> None:
    refusal = names.refusal(parameter.name, sent)
    if refusal is not None:
        raise ValueError(refusal)


def _headers(closure: Closure, given: GivenArguments, supplied: SuppliedNames) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    names = closure.wire_names("header", supplied)
    for parameter, value, pointer in _given(closure, given, "header"):
        with _Refusing(given, pointer):
            text = header_text(parameter, value)
            if _CONTROL.search(text):
                raise ValueError("a header value cannot hold CR, LF, NUL or other control characters")
            _check_owner(names, parameter, [parameter.name])
            if parameter.name.lower() not in NEVER_FROM_ARGUMENTS:
                out.append((parameter.name, text))
    return out


def _cookies(closure: Closure, given: GivenArguments, supplied: SuppliedNames) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    names = closure.wire_names("cookie", supplied)
    for parameter, value, pointer in _given(closure, given, "cookie"):
        with _Refusing(given, pointer):
            pairs = cookie_text(parameter, value)
            if any(_CONTROL.search(text) or ";" in text for _, text in pairs):
                raise ValueError("a cookie value cannot hold `;` or control characters")
            _check_owner(names, parameter, [unquote(text.partition("=")[0]) for _, text in pairs])
            out += pairs
    return out


def _body(
    closure: Closure, given: GivenArguments, media: Media | None, headers: list[tuple[str, str]]
) -> bytes | None:
    """The body's bytes; its Content-Type is added to `headers`."""
    if media is None or (given.body is MISSING and given.body_base64 is MISSING):
        return None
    content_type, content = media.type, b""
    with _Refusing(given, "/body" if given.body_base64 is MISSING else "/bodyBase64"):
        if given.body_base64 is not MISSING:
            content = decode_base64(given.body_base64)
        else:
            content_type, content = encode_body(closure.doc, media, given.body)
    if _CONTROL.search(content_type):
        given.refuse("/contentType", "a media type cannot hold control characters")
    headers.append(("Content-Type", content_type))
    return content


def server_url(binding: OperationBinding, given: GivenArguments, base_url: str | None) -> str:
    """The base URL of the call: `base_url`, else the `server` argument, else the first server."""
    if base_url is not None:
        if given.server:
            given.refuse("/server", "the config says where calls go (`base_url`): leave it out")
        return base_url.split("?")[0].split("#")[0]
    server = _pick_server(binding, given)
    values = _variables(server, given)
    given.server = _settled_server(binding, server, values)
    for name in server.undefined(values):
        given.refuse(
            f"/server/variables/{name}",
            "the document gives no value for it: set `base_url` on the integration",
        )
    url = server.expand(values).split("?")[0].split("#")[0]
    if values and origin_of(url) not in set(server.origins()):
        given.refuse("/server/variables", "the values would send the call to another host")
    return quote(url, safe=URL_SAFE + "[]")


def _settled_server(binding: OperationBinding, server: ApiServer, values: dict[str, str]) -> JsonObject:
    """The server with every value that is sent, where there is a choice."""
    if len(binding.servers) == 1 and not server.variables:
        return {}
    first = next(one for one in binding.servers if one is server or one.url == server.url)
    sent = {name: values.get(name, known.default) for name, known in server.variables.items()}
    return {"url": first.declared, **({"variables": sent} if sent else {})}


def _pick_server(binding: OperationBinding, given: GivenArguments) -> ApiServer:
    wanted = given.server.get("url")
    for name in given.server.keys() - {"url", "variables"}:
        given.refuse(f"/server/{name}", "only `url` and `variables` can be given")
    if wanted is None:
        return binding.servers[0]
    for server in binding.servers:
        if wanted in (server.declared, server.url):
            return server
    known = ", ".join(server.declared for server in binding.servers)
    given.refuse("/server/url", f"has to be one of the declared servers: {known}")
    return binding.servers[0]


def _variables(server: ApiServer, given: GivenArguments) -> dict[str, str]:
    raw = given.server.get("variables")
    out: dict[str, str] = {}
    if raw is not None and not isinstance(raw, dict):
        given.refuse("/server/variables", "has to be an object")
        return out
    for name, value in (raw or {}).items():
        known = server.variables.get(name)
        text = value if isinstance(value, str) else str(value)
        if known is None:
            given.refuse(f"/server/variables/{name}", "this server has no such variable")
        elif known.choices and text not in known.choices:
            given.refuse(f"/server/variables/{name}", f"has to be one of {', '.join(known.choices)}")
        elif any(part in ("", ".", "..") for part in unquote(text).split("/")) or re.search(
            r"[?#@\\\s]", text
        ):
            given.refuse(f"/server/variables/{name}", "is no part of a server URL")
        else:
            out[name] = quote(text, safe=URL_SAFE)
    return out
