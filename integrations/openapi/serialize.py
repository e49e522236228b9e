"""Values to URL, header and cookie text: the style table of OpenAPI 3.1.2 and RFC 6570, as pure functions.

Rules that hold everywhere: delimiters of a style are written raw, the same characters inside data are encoded, or
refused where nothing is encoded, so that what is sent can be read in one way only; null members are skipped, and an
array or object with nothing left is undefined and sends nothing (RFC 6570 section 2.3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote

from integrations.http.media import is_form
from integrations.json_text import read_json, write_json
from integrations.openapi.binding import COLLECTIONS, OperationParameter
from integrations.openapi.pointer import mapping

Encode = Callable[[str], str]
# Reserved characters that may stand in a query without changing where it ends or how it is cut (Appendix E).
# Without `;`, which some servers read as `&`: a value would become another parameter.
_QUERY_RESERVED = ":/?@!$'()*,="
_PATH_RESERVED = ":/@!$&'()*+,;="
_SEGMENT_RESERVED = _PATH_RESERVED.replace("/", "")
# What stands in URLs that documents write themselves, besides letters and digits; triplets stay as they are.
URL_SAFE = "-._~!$&'()*+,;=:@/%"
_TRIPLET = re.compile(r"(%[0-9A-Fa-f]{2})")
_TRIPLETS = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# An encoded percent sign that cannot be taken for the start of a triplet once it is decoded.
_ESCAPED_PERCENT = re.compile(r"%25(?![0-9A-Fa-f]{2})")
_DELIMITERS = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}


def encode(text: str) -> str:
    """Everything but RFC 3986 unreserved characters, as UTF-8 percent-encoding."""
    return quote(text, safe="", encoding="utf-8", errors="surrogatepass")


def encode_reserved(text: str, keep: str = _QUERY_RESERVED) -> str:
    """`allowReserved`: reserved characters and existing triplets pass, as far as the URL keeps its meaning."""
    return "".join(
        piece if _TRIPLET.fullmatch(piece) else quote(piece, safe=keep) for piece in _TRIPLET.split(text)
    )


def settled_reserved(text: str, location: str) -> str:
    """The one spelling of a value that is sent with `encode_reserved`: `%41` is `A`, `100%25` is `100%`.

    In a path a triplet of a reserved character stays, because `%2F` is no step of the path as `/` is; in a query both
    are the same (RFC 3986, sections 2.2 and 6.2.2.2).
    """
    kept = _PATH_RESERVED if location == "path" else ""
    sent = encode_reserved(text, _PATH_RESERVED if location == "path" else _QUERY_RESERVED)

    def decoded(run: re.Match[str]) -> str:
        try:
            plain = unquote(run[0], errors="strict")
        except UnicodeDecodeError:
            return run[0].upper()
        return "".join(f"%{ord(c):02X}" if c in kept or c == "%" else c for c in plain)

    return _ESCAPED_PERCENT.sub("%", _TRIPLETS.sub(decoded, sent))


def scalar_text(value: Any) -> str:
    """`true`, `3` (also for 3.0), `1.5`, text as it is; JSON for what has no text form (undefined by the table)."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _number_text(value) if isinstance(value, float) else json_text(value)


def _number_text(value: float) -> str:
    """As JavaScript writes it (ECMA-262, Number::toString): the caller is JavaScript."""
    if not math.isfinite(value):
        return "null"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    power = int(exponent)
    if -7 < power < 0:
        return format(Decimal(repr(value)), "f")
    return f"{mantissa}e{power:+d}"


def json_text(value: Any) -> str:
    """Compact JSON."""
    return write_json(value).decode()


def parse_text(text: str) -> Any:
    """JSON with integers of any size; the text itself when it is none."""
    try:
        return read_json(text)
    except ValueError:
        return text


def is_undefined(value: Any) -> bool:
    """Nothing that a style could send: null, or a list or object without any member that is not null."""
    if isinstance(value, list):
        return all(item is None for item in value)
    if isinstance(value, dict):
        return all(item is None for item in value.values())
    return value is None


def _items(value: list[Any], code: Encode) -> list[str]:
    return [code(scalar_text(item)) for item in value if item is not None]


def _members(value: dict[str, Any], code: Encode) -> list[tuple[str, str]]:
    return [(code(key), code(scalar_text(item))) for key, item in value.items() if item is not None]


def _flat(value: Any, explode: bool, code: Encode, separator: str, pair: str = ",") -> str:
    """The common shape of simple and label: a list of values, or of names and values."""
    if isinstance(value, list):
        return separator.join(_without(separator, item) for item in _items(value, code))
    if isinstance(value, dict):
        joint = "=" if explode else pair
        return separator.join(
            f"{_without(separator, _without(joint, key))}{joint}{_without(separator, item)}"
            for key, item in _members(value, code)
        )
    return code(scalar_text(value))


def _without(separator: str, piece: str) -> str:
    """The piece, which must not hold what separates it from the next one. Raises ValueError."""
    if separator in piece:
        raise ValueError(f"cannot hold `{unquote(separator)}` here, which separates the values")
    return piece


def collected(value: list[Any], schema: Any, delimiter: str, code: Encode) -> str:
    """An array of Swagger 2.0, joined by the character of its collectionFormat; lists inside by their own."""
    items = mapping(mapping(schema).get("items"))
    inner = COLLECTIONS.get(str(items.get("collectionFormat")), ",")
    separator = "," if delimiter == "," else code(delimiter)
    texts = [
        collected(item, items, inner, code) if isinstance(item, list) else code(scalar_text(item))
        for item in value
        if item is not None
    ]
    return separator.join(_without(separator, text) for text in texts)


def path_text(parameter: OperationParameter, value: Any, *, reserved: bool = False) -> str:
    """What replaces `{name}`. `reserved` is RFC 6570's `{+name}`, which keeps slashes; `allowReserved` of OpenAPI 3.2
    encodes what has a meaning in a path (`/`, `?`, `#`).
    """
    keep = _PATH_RESERVED if reserved else _SEGMENT_RESERVED
    allowed = reserved or parameter.allow_reserved
    code: Encode = (lambda text: encode_reserved(text, keep)) if allowed else encode
    if parameter.media_type is not None:
        return code(content_text(parameter.media_type, value))
    if parameter.delimiter is not None and isinstance(value, list):
        return collected(value, parameter.schema, parameter.delimiter, code)
    if parameter.style == "label":
        separator = "." if parameter.explode else ","
        return "." + _flat(value, parameter.explode, code, separator)
    if parameter.style == "matrix":
        return _matrix(parameter, value, code)
    return _flat(value, parameter.explode, code, ",")


def _matrix(parameter: OperationParameter, value: Any, code: Encode) -> str:
    name = encode(parameter.name)
    if parameter.explode and isinstance(value, list):
        return "".join(_semicolon(name, _without(";", item)) for item in _items(value, code))
    if parameter.explode and isinstance(value, dict):
        return "".join(
            _semicolon(_plain_name(key), _without(";", item)) for key, item in _members(value, code)
        )
    return _semicolon(name, _flat(value, False, code, ","))


def _plain_name(name: str) -> str:
    return _without("=", _without(";", name))


def _semicolon(name: str, text: str) -> str:
    """RFC 6570 section 3.2.7: an empty value leaves out the equals sign."""
    return f";{name}={text}" if text else f";{name}"


def query_pairs(parameter: OperationParameter, value: Any) -> list[tuple[str, str]]:
    """(decoded name, encoded `name=value`) for each part of the query this value makes."""
    code: Encode = encode_reserved if parameter.allow_reserved else encode
    name = parameter.name
    if parameter.style == "querystring":
        return _whole_query(parameter, value)
    if parameter.media_type is not None:
        return [pair(name, code(content_text(parameter.media_type, value)))]
    if parameter.delimiter is not None and isinstance(value, list):
        return [pair(name, collected(value, parameter.schema, parameter.delimiter, code))]
    if parameter.style == "deepObject" and isinstance(value, list | dict):
        return _deep(name, value, code)
    if parameter.explode and isinstance(value, list):
        return [pair(name, item) for item in _items(value, code)]
    if parameter.explode and isinstance(value, dict):
        return [(key, f"{encode(key)}={code(scalar_text(i))}") for key, i in value.items() if i is not None]
    joint = _DELIMITERS.get(parameter.style, ",")
    return [pair(name, _flat(value, False, code, joint, joint))]


def pair(name: str, encoded: str) -> tuple[str, str]:
    return name, f"{encode(name)}={encoded}"


def _whole_query(parameter: OperationParameter, value: Any) -> list[tuple[str, str]]:
    if parameter.media_type is not None:
        return [(parameter.name, encode(content_text(parameter.media_type, value)))]
    if not isinstance(value, dict):
        return [(parameter.name, encode_reserved(scalar_text(value), _QUERY_RESERVED + "&"))]
    out: list[tuple[str, str]] = []
    for key, item in value.items():
        out += [pair(key, text) for text in _items(item if isinstance(item, list) else [item], encode)]
    return out


def _deep(name: str, value: list[Any] | dict[str, Any], code: Encode) -> list[tuple[str, str]]:
    """`name[key]=`; deeper levels and lists are undefined by the table and follow common practice (`[0]`)."""
    members = enumerate(value) if isinstance(value, list) else value.items()
    out: list[tuple[str, str]] = []
    for key, item in members:
        inner = f"{name}[{_without('[', _without(']', str(key)))}]"
        if isinstance(item, list | dict):
            out += _deep(inner, item, code)
        elif item is not None:
            out.append(pair(inner, code(scalar_text(item))))
    return out


def header_text(parameter: OperationParameter, value: Any) -> str:
    """A header value: nothing is percent-encoded."""
    if parameter.media_type is not None:
        return content_text(parameter.media_type, value)
    if parameter.delimiter is not None and isinstance(value, list):
        return collected(value, parameter.schema, parameter.delimiter, str)
    return _flat(value, parameter.explode, str, ",")


def cookie_text(parameter: OperationParameter, value: Any) -> list[tuple[str, str]]:
    """(name, `name=value`) entries for the Cookie header. Style `cookie` (3.2) encodes nothing and joins by `; `."""
    if parameter.media_type is not None:
        return [pair(parameter.name, encode(content_text(parameter.media_type, value)))]
    if parameter.style != "cookie":
        pairs = query_pairs(parameter, value)
        return [(parameter.name, "&".join(text for _, text in pairs))] if pairs else []
    if parameter.explode and isinstance(value, list):
        return [(parameter.name, f"{parameter.name}={item}") for item in _items(value, str)]
    if parameter.explode and isinstance(value, dict):
        return [(key, f"{_without('=', key)}={item}") for key, item in _members(value, str)]
    return [(parameter.name, f"{parameter.name}={_flat(value, False, str, ',')}")]


def content_text(media_type: str, value: Any) -> str:
    """A parameter described by `content`: JSON types as JSON (a string is quoted), a form as a form, others as text."""
    essence = media_type.split(";")[0].strip().lower()
    if essence.endswith(("/json", "+json")):
        return json_text(value)
    if is_form(essence) and isinstance(value, dict):
        return "&".join(f"{encode(name)}={encode(text)}" for name, text in _form_pairs(value))
    return scalar_text(value)


def _form_pairs(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A name stands once for every item of a list."""
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, scalar_text(item)
