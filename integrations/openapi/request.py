"""From arguments to one HTTP request, complete but for the credential. Every problem is reported before anything is
sent.

A path argument can never leave its template (T25): values are encoded, substituted in one pass, and a segment that an
upstream or a proxy might read as `.` or `..` after decoding, or that is empty, is refused. The `server` argument
chooses among the declared servers and never names another origin (T25).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from integrations.base import InvalidArguments, JsonObject, Problem
from integrations.http import origin_of
from integrations.http.media import charset_of, in_range, is_binary, is_multipart, is_range, is_text
from integrations.http.toolfile import decode_base64, file_bytes, is_tool_file
from integrations.openapi.arguments import MISSING, GivenArguments, canonical, read_arguments
from integrations.openapi.binding import NEVER_FROM_ARGUMENTS, Media, OperationBinding, OperationParameter
from integrations.openapi.bodies import encode_body, structured_body
from integrations.openapi.config import Validate
from integrations.openapi.responses import accept_header
from integrations.openapi.schema import Closure
from integrations.openapi.serialize import URL_SAFE, cookie_text, encode, header_text, path_text, query_pairs
from integrations.openapi.servers import ApiServer
from integrations.openapi.validate import check_values

_TEMPLATE = re.compile(r"\{([^{}]+)\}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """`base` is scheme, authority and path; `query` and `cookies` hold (decoded name, encoded text) pairs."""

    method: str
    base: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    cookies: tuple[tuple[str, str], ...]
    body: bytes | None
    binding: OperationBinding

    @property
    def url(self) -> str:
        query = "&".join(text for _, text in self.query)
        return f"{self.base}?{query}" if query else self.base

    @property
    def origin(self) -> str:
        return origin_of(self.base)


def build_request(
    closure: Closure, arguments: JsonObject, base_url: str | None, *, validate: Validate = "lenient"
) -> tuple[OutgoingRequest, JsonObject]:
    """The request and the canonical arguments. Raises `InvalidArguments` with every problem found."""
    binding = closure.binding
    given = read_arguments(binding, arguments)
    media = _choose_media(binding, given)
    if media is not None and not given.problems:
        _read_text(media, given)
        given.body = structured_body(closure.doc, media, given.body)
    _read_content(closure, given)
    if not given.problems:
        given.problems += check_values(closure, given, media, validate)
    _stop(given)
    base = server_url(binding, given, base_url)
    path, fixed = _path(binding, given)
    query = [*fixed, *_query(binding, given)]
    headers, cookies = _headers(binding, given), _cookies(binding, given)
    body = _body(closure, given, media, headers)
    _stop(given)
    if not any(name.lower() == "accept" for name, _ in headers):
        headers.append(("Accept", accept_header(binding, given.accept)))
    request = OutgoingRequest(
        binding.method, base.rstrip("/") + path, tuple(query), tuple(headers), tuple(cookies), body, binding
    )
    if not request.origin:
        raise InvalidArguments([Problem("", _no_server(base))])
    return request, canonical(binding, given, media)


def _read_content(closure: Closure, given: GivenArguments) -> None:
    """Parameters that are JSON may be given as its text, as bodies are."""
    for parameter in closure.binding.parameters:
        key = (parameter.location, parameter.name)
        if parameter.media_type is not None and key in given.values:
            media = Media(parameter.media_type, parameter.schema)
            given.values[key] = structured_body(closure.doc, media, given.values[key])


def _read_text(media: Media, given: GivenArguments) -> None:
    """Turn text that was given as base64 into text, so that policies and people see what is sent."""
    as_bytes = given.body_base64 is not MISSING
    if not is_text(media.essence) or (as_bytes and given.body is not MISSING):
        return
    if not as_bytes and not is_tool_file(given.body):
        return
    try:
        content = decode_base64(given.body_base64) if as_bytes else file_bytes(given.body)
        text = content.decode(charset_of(media.type))
        if text.encode(charset_of(media.type)) != content:
            raise ValueError(f"is not plain text of {media.type}")
    except ValueError as error:
        reason = f"is no text of {media.type}" if isinstance(error, UnicodeError) else str(error)
        given.refuse("/bodyBase64" if as_bytes else "/body", reason)
        return
    given.body, given.body_base64 = text, MISSING


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
    pieces: list[str] = []
    used: list[str] = []
    last = 0
    for match in _TEMPLATE.finditer(segment):
        name = match.group(1)
        parameter = known.get(name) or known.get(name.strip("+*"))
        reserved = name.startswith("+") and name not in known
        several = name not in known and not reserved
        pieces.append(quote(segment[last : match.start()], safe=URL_SAFE))
        last = match.end()
        key = ("path", parameter.name if parameter else name)
        if parameter is None or key not in given.values:
            given.refuse(f"/{name}", "the path needs this value and nothing supplies it")
            continue
        used.append(given.pointers[key])
        pieces.append(_replacement(parameter, given.values[key], reserved, several))
    pieces.append(quote(segment[last:], safe=URL_SAFE))
    text = "".join(pieces)
    if used and _leaves(text):
        given.refuse(used[0], "a path value cannot be empty, `.` or `..`, nor hold such a step")
    return text


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


def _query(binding: OperationBinding, given: GivenArguments) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for parameter in binding.parameters:
        key = ("query", parameter.name)
        if parameter.location == "query" and key in given.values:
            out += query_pairs(parameter, given.values[key])
    return out


def _headers(binding: OperationBinding, given: GivenArguments) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for parameter in binding.parameters:
        key = ("header", parameter.name)
        if parameter.location != "header" or key not in given.values:
            continue
        text = header_text(parameter, given.values[key])
        if _CONTROL.search(text):
            given.refuse(
                given.pointers[key], "a header value cannot hold CR, LF, NUL or other control characters"
            )
        elif parameter.name.lower() not in NEVER_FROM_ARGUMENTS:
            out.append((parameter.name, text))
    return out


def _cookies(binding: OperationBinding, given: GivenArguments) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for parameter in binding.parameters:
        key = ("cookie", parameter.name)
        if parameter.location != "cookie" or key not in given.values:
            continue
        for name, text in cookie_text(parameter, given.values[key]):
            if _CONTROL.search(text) or ";" in text:
                given.refuse(given.pointers[key], "a cookie value cannot hold `;` or control characters")
            out.append((name, text))
    return out


def _body(
    closure: Closure, given: GivenArguments, media: Media | None, headers: list[tuple[str, str]]
) -> bytes | None:
    """The body's bytes; its Content-Type is added to `headers`."""
    if media is None or (given.body is MISSING and given.body_base64 is MISSING):
        return None
    try:
        if given.body_base64 is not MISSING:
            content_type, content = _base64_body(media, given)
        else:
            content_type, content = encode_body(closure.doc, media, given.body)
    except (ValueError, TypeError) as error:
        given.refuse("/body" if given.body_base64 is MISSING else "/bodyBase64", str(error))
        return None
    if _CONTROL.search(content_type):
        given.refuse("/contentType", "a media type cannot hold control characters")
    headers.append(("Content-Type", content_type))
    return content


def _base64_body(media: Media, given: GivenArguments) -> tuple[str, bytes]:
    if given.body is not MISSING:
        raise ValueError("give either `body` or `bodyBase64`")
    if is_range(media.essence):
        raise ValueError(f"{media.type} needs a concrete `contentType`")
    if not (is_binary(media.essence) or is_text(media.essence)):
        raise ValueError(f"is for bytes and text; {media.type} is given as `body`")
    return media.type, decode_base64(given.body_base64)


def server_url(binding: OperationBinding, given: GivenArguments, base_url: str | None) -> str:
    """The base URL of the call: `base_url`, else the `server` argument, else the first server."""
    server = _pick_server(binding, given)
    values = _variables(server, given)
    if base_url is not None:
        return base_url.split("?")[0].split("#")[0]
    for name in server.undefined(values):
        given.refuse(
            f"/server/variables/{name}",
            "the document gives no value for it: set `base_url` on the integration",
        )
    url = server.expand(values).split("?")[0].split("#")[0]
    if values and origin_of(url) not in set(server.origins()):
        given.refuse("/server/variables", "the values would send the call to another host")
    return quote(url, safe=URL_SAFE + "[]")


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
