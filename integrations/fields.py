"""Types of config values: durations, sizes, rates, names, URLs, secret references.

A validator here raises `problem(code, ...)`: `proxy.config` turns it into a diagnostic at the value's place.
The codes are those of the diagnostic table (E2xx malformed, E401 and E406 plain text, E402 and E403 environment).
Values that may come from the environment (`{env: NAME, default: TEXT}`) read it from the validation context
`{"environment": Mapping | None}`; None means that the environment is not known and is not judged.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    Strict,
    StringConstraints,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")
JsonSchema = dict[str, Any]


class Model(BaseModel):
    """Base of every config model: frozen, no unknown keys, no coercion (`"5"` is not 5)."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        defer_build=True,
        populate_by_name=False,
        hide_input_in_errors=True,
    )


def problem(code: str, message: str, help: str | None = None) -> PydanticCustomError:
    """An error that already knows its diagnostic code, its words and its remedy."""
    return PydanticCustomError("config", "{message}", {"message": message, "code": code, "help": help})


class _Given:
    """Marks `X | None` where None means "not given" and an explicit null in the file is E210."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_refuse_null, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        return handler(schema["schema"]["schema"])


def _refuse_null(value: object) -> object:
    if value is None:
        raise problem("E210", "no value", "give it a value or remove the key")
    return value


Maybe = Annotated[T | None, _Given()]

# A list in the file, a tuple in the model. Only the outer type is lenient (strict tuples refuse lists).
Tuple = Annotated[tuple[T, ...], Strict(False)]
NonEmptyTuple = Annotated[tuple[T, ...], Strict(False), Field(min_length=1)]
Text = Annotated[str, StringConstraints(min_length=1)]


# --- names -----------------------------------------------------------------------------------------------------

# These would hide the system tools of the same name (`tools.search` and so on).
RESERVED = frozenset({"catalog", "discover", "search", "describe", "executor"})
OWNERS = ("org", "user")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"


def _as_identifier(text: str) -> str:
    made = re.sub(r"[^A-Za-z0-9_]", "_", text)[:64]
    return f"_{made}"[:64] if made[:1].isdigit() else made


def _check_identifier(part: str, whole: str) -> None:
    if _NAME.fullmatch(part):
        return
    if not part:
        raise problem(
            "E206", "a name is empty", "names are letters, digits and _, and do not start with a digit"
        )
    if len(part) > 64:
        raise problem("E206", f"`{part[:20]}...` is longer than 64 characters")
    fixed = whole.replace(part, _as_identifier(part))
    raise problem("E206", f"`{part}` is not an identifier (letters, digits, _)", f"did you mean `{fixed}`?")


def _name(value: str) -> str:
    _check_identifier(value, value)
    return value


def _integration_name(value: str) -> str:
    _check_identifier(value, value)
    if value in RESERVED:
        raise problem(
            "E206", f"`{value}` is reserved", f"these names are system tools: {', '.join(sorted(RESERVED))}"
        )
    return value


def _connection_key(value: str) -> str:
    parts = value.split(".")
    if len(parts) != 3:
        likely = {1: f"{parts[0]}.org.main", 2: f"{parts[0]}.org.{parts[-1]}"}.get(len(parts))
        raise problem(
            "E206",
            f"expected <integration>.<owner>.<connection>, found {len(parts)} part{'s' * (len(parts) != 1)}",
            f"did you mean `{likely}`?" if likely else None,
        )
    for part in (parts[0], parts[2]):
        _check_identifier(part, value)
    if parts[0] in RESERVED:
        raise problem("E206", f"`{parts[0]}` is reserved", f"reserved: {', '.join(sorted(RESERVED))}")
    if parts[1] not in OWNERS:
        raise problem(
            "E206",
            f"the owner must be org or user, not `{parts[1]}`",
            f"did you mean `{parts[0]}.org.{parts[2]}`?",
        )
    return value


def _string_schema(pattern: str, *examples: str, **more: Any) -> WithJsonSchema:
    schema: JsonSchema = {"type": "string", "pattern": pattern, **more}
    if examples:
        schema["examples"] = list(examples)
    return WithJsonSchema(schema)


def _of_text(check: Callable[[str], str], expected: str) -> Callable[[object], str]:
    """A check of strings, for keys and values alike; anything but a string is E206 too."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise problem("E206", f"expected {expected}")
        return check(value)

    return read


Name = Annotated[str, BeforeValidator(_of_text(_name, "a name")), _string_schema(_NAME_PATTERN, "main")]
IntegrationName = Annotated[
    str, BeforeValidator(_of_text(_integration_name, "a name")), _string_schema(_NAME_PATTERN, "github")
]
ConnectionKey = Annotated[
    str,
    BeforeValidator(_of_text(_connection_key, "a connection key")),
    _string_schema(r"^[A-Za-z_]\w{0,63}\.(org|user)\.[A-Za-z_]\w{0,63}$", "github.org.main"),
]


# --- numbers with units ----------------------------------------------------------------------------------------

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(r"(?:\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h|d))+")
_LONGEST_SECONDS = 10 * 366 * 86400.0
_UNIT_WORDS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
    "hour": "h", "hours": "h", "hr": "h", "day": "d", "days": "d", "msec": "ms", "millis": "ms", "S": "s", "M": "m",
    "H": "h", "D": "d", "w": "d",
}  # fmt: skip


def _duration_help(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return "write a number with a unit: 500ms, 30s, 5m, 12h, 7d"
    if isinstance(value, int | float) or value.strip().isdigit():
        return f"did you mean `{str(value).strip()}s`? units are ms, s, m, h, d"
    worded = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", value)
    if worded and worded[2] in _UNIT_WORDS and worded[2] != "w":
        return f"did you mean `{worded[1]}{_UNIT_WORDS[worded[2]]}`?"
    if worded and worded[2] in _DURATION_UNITS:
        return f"did you mean `{worded[1]}{worded[2]}`?"
    return "write a number with a unit: 500ms, 30s, 5m, 12h, 7d"


def parse_duration(value: object) -> float:
    """`30s`, `500ms`, `1h30m` to seconds."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise problem("E206", "expected a duration with a unit", _duration_help(value))
    seconds = sum(float(n) * _DURATION_UNITS[unit] for n, unit in _DURATION_PART.findall(value))
    if seconds <= 0:
        raise problem("E206", "duration must be greater than zero", "write for example 30s")
    if seconds > _LONGEST_SECONDS:
        raise problem("E206", "duration is longer than ten years")
    return seconds


def _milliseconds_or_duration(value: object) -> float:
    if isinstance(value, int) and not isinstance(value, bool):
        if value <= 0:
            raise problem("E206", "duration must be greater than zero", "write for example 30s")
        return min(value / 1000, _LONGEST_SECONDS)
    return parse_duration(value)


def format_duration(seconds: float) -> str:
    """The shortest exact spelling in one unit."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _DURATION_UNITS[unit] and seconds % _DURATION_UNITS[unit] == 0:
            return f"{int(seconds // _DURATION_UNITS[unit])}{unit}"
    return f"{round(seconds * 1000, 3):g}ms" if seconds < 1 else f"{round(seconds, 6):g}s"


_DURATION_SCHEMA: JsonSchema = {
    "type": "string",
    "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$",
    "examples": ["500ms", "30s", "5m", "24h"],
}
Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(format_duration), WithJsonSchema(_DURATION_SCHEMA)
]
# Only MCP timeouts also take whole milliseconds, as the MCP configuration files of other products do.
MillisecondsOrDuration = Annotated[
    float,
    BeforeValidator(_milliseconds_or_duration),
    PlainSerializer(format_duration),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, _DURATION_SCHEMA], "examples": [10000, "10s"]}
    ),
]

_SIZE_UNITS = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"(\d{1,15})(B|KB|MB|GB|KiB|MiB|GiB)")


def _size_help(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"did you mean `{value}B`? units are B, KiB, MiB, GiB (KB, MB, GB)"
    worded = (
        re.fullmatch(r"\s*(\d+)\s*([KMG])i?b?\s*", value, re.IGNORECASE) if isinstance(value, str) else None
    )
    if worded:
        return f"did you mean `{worded[1]}{worded[2].upper()}iB`?"
    return "write a number with a unit: 512B, 64KiB, 128MiB, 1GiB"


def parse_size(value: object) -> int:
    """`64MiB` to bytes."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise problem("E206", "expected a size with a unit", _size_help(value))
    size = int(found[1]) * _SIZE_UNITS[found[2]]
    if size <= 0:
        raise problem("E206", "size must be greater than zero")
    if size > 1024**4:
        raise problem("E206", "size is larger than 1024GiB")
    return size


def _bytes_or_size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if value <= 0:
            raise problem("E206", "size must be greater than zero")
        return min(value, 1024**4)
    return parse_size(value)


def format_size(size: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if size >= _SIZE_UNITS[unit] and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


_SIZE_SCHEMA: JsonSchema = {
    "type": "string",
    "pattern": "^[0-9]+(B|KB|MB|GB|KiB|MiB|GiB)$",
    "examples": ["64KiB", "128MiB"],
}
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size), WithJsonSchema(_SIZE_SCHEMA)]
# Keys that end in `_bytes` say their unit, so they also take a bare number.
Bytes = Annotated[
    int,
    BeforeValidator(_bytes_or_size),
    PlainSerializer(format_size),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _SIZE_SCHEMA], "examples": [2048, "16KiB"]}),
]

_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"(\d{1,12})/(second|minute|hour|day)")
_PERIOD_WORDS = {
    "s": "second", "sec": "second", "seconds": "second", "m": "minute", "min": "minute", "minutes": "minute",
    "h": "hour", "hr": "hour", "hours": "hour", "d": "day", "days": "day",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` events per `period`; `period_seconds` is the period's length."""

    count: int
    period: str

    @property
    def period_seconds(self) -> int:
        return _PERIODS[self.period]

    def __str__(self) -> str:
        return f"{self.count}/{self.period}"


def _rate_help(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"did you mean `{value}/minute`?"
    worded = re.fullmatch(r"\s*(\d+)\s*(?:/|per)\s*([A-Za-z]+)\s*", value) if isinstance(value, str) else None
    if worded:
        period = worded[2].lower()
        period = _PERIOD_WORDS.get(period, period)
        if period in _PERIODS:
            return f"did you mean `{worded[1]}/{period}`?"
    return "write COUNT/PERIOD with second, minute, hour or day: 100/minute"


def parse_rate(value: object) -> Rate:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if isinstance(value, Rate):
        return value
    if not found:
        raise problem("E206", "expected a rate", _rate_help(value))
    if int(found[1]) == 0:
        raise problem(
            "E206", "rate must be greater than zero", "to block tools use a policy with action: block"
        )
    return Rate(int(found[1]), found[2])


RateField = Annotated[
    Rate,
    PlainValidator(parse_rate),
    PlainSerializer(str),
    _string_schema("^[0-9]+/(second|minute|hour|day)$", "100/minute", "5000/hour"),
]


# --- values from the environment -------------------------------------------------------------------------------

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENV_NAME_PATTERN = "^[A-Za-z_][A-Za-z0-9_]*$"


def _env_name(value: str) -> str:
    if _ENV_NAME.fullmatch(value):
        return value
    bare = re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?", value)
    raise problem(
        "E206",
        "not the name of an environment variable",
        f"did you mean `{bare[1]}`?" if bare else "letters, digits and _, not starting with a digit",
    )


EnvName = Annotated[
    str,
    BeforeValidator(_of_text(_env_name, "the name of an environment variable")),
    _string_schema(_ENV_NAME_PATTERN, "API_TOKEN"),
]


def _from_environment(ref: Mapping[str, object], info: ValidationInfo, placeholder: str) -> object:
    """The text behind `{env: NAME, default: TEXT}`; the placeholder when the environment is not judged."""
    name, default = ref.get("env"), ref.get("default")
    if not isinstance(name, str) or set(ref) - {"env", "default"}:
        raise problem("E206", "expected text or {env: NAME, default: TEXT}")
    _env_name(name)
    if default is not None and not isinstance(default, str):
        raise problem("E206", "the default must be text", f'quote it: "{default}"')
    environment = (info.context or {}).get("environment")
    if environment is None:
        return default if default is not None else placeholder
    found = environment.get(name)
    if found:
        return found
    if default is not None:
        return default
    if found == "":
        raise problem("E403", f"environment variable {name} is empty", "set it, or give a `default`")
    raise problem("E402", f"environment variable {name} is not set", "set it, or give a `default`")


def _settable(parse: Callable[[object], T], placeholder: str) -> Callable[[object, ValidationInfo], T]:
    def read(value: object, info: ValidationInfo) -> T:
        if isinstance(value, dict):
            return parse(_from_environment(value, info, placeholder))
        return parse(value)

    return read


_ENV_SCHEMA: JsonSchema = {
    "type": "object",
    "properties": {"env": {"type": "string", "pattern": _ENV_NAME_PATTERN}, "default": {"type": "string"}},
    "required": ["env"],
    "additionalProperties": False,
}


def _settable_schema(schema: JsonSchema) -> WithJsonSchema:
    text = {key: value for key, value in schema.items() if key != "examples"}
    return WithJsonSchema({"anyOf": [text, _ENV_SCHEMA], "examples": schema.get("examples", [])})


def setting(placeholder: str) -> Setting:
    """Marks text that may also be `{env: NAME, default: TEXT}`; the placeholder stands in for an unknown one."""
    return Setting(placeholder)


@dataclass(frozen=True, slots=True)
class Setting:
    """See `setting`."""

    placeholder: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        read = _settable(lambda value: value, self.placeholder)
        return core_schema.with_info_before_validator_function(read, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: GetJsonSchemaHandler) -> JsonSchema:
        return {"anyOf": [handler(schema["schema"]), _ENV_SCHEMA]}


# --- addresses -------------------------------------------------------------------------------------------------


def is_local_host(host: str) -> bool:
    """Loopback by name or number: the only hosts where plain http and open listeners are safe."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_UNSAFE_URL = re.compile(r"[\s\x00-\x20\x7f\"<>\\^`{|}]")


def _check_url(value: object, schemes: tuple[str, ...]) -> str:
    example = f"{schemes[-1]}://host.example.com"
    if not isinstance(value, str) or not value:
        raise problem("E206", "expected a URL", f"write for example {example}")
    scheme, separator, _ = value.partition("://")
    if not separator:
        raise problem(
            "E206", "expected a URL", f"did you mean `{schemes[-1]}://{value}`?" if "." in value else None
        )
    if scheme.lower() not in schemes:
        raise problem("E206", f"URL scheme must be {' or '.join(schemes)}, not `{scheme}`")
    if _UNSAFE_URL.search(value):
        raise problem("E206", "URL contains a character that must be percent-encoded")
    _check_authority(value)
    return value


def _check_authority(value: str) -> None:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise problem("E206", "URL has an invalid host or port") from None
    if "@" in parts.netloc:
        raise problem(
            "E206", "URL contains credentials", "move them to the connection's `auth` as {env} or {file}"
        )
    if not host:
        raise problem("E206", "URL has no host")
    if port == 0:
        raise problem("E206", "URL has an invalid host or port")


def _http_url(value: object) -> str:
    return _check_url(value, ("http", "https"))


def _public_url(value: object) -> str:
    url = _http_url(value)
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise problem("E206", "must not have a query or fragment")
    return url.rstrip("/")


_URL_SCHEMA: JsonSchema = {
    "type": "string",
    "pattern": "^[hH][tT][tT][pP][sS]?://",
    "examples": ["https://api.example.com"],
}
Url = Annotated[
    str, BeforeValidator(_settable(_http_url, "https://unset.invalid")), _settable_schema(_URL_SCHEMA)
]
PublicUrl = Annotated[
    str, BeforeValidator(_settable(_public_url, "https://unset.invalid")), _settable_schema(_URL_SCHEMA)
]


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a listener binds. `host` is a name or an address without brackets; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return is_local_host(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._*-]*)):(\d{1,5})")


def _listen_help(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 65536:
        return f'did you mean "127.0.0.1:{value}"?'
    if isinstance(value, str) and value.isdigit():
        return f'did you mean "127.0.0.1:{value}"?'
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9.-]+", value):
        return f'did you mean "{value}:8080"?'
    if isinstance(value, str) and re.fullmatch(r"https?://[^/]+/?", value):
        return f'did you mean "{value.partition("://")[2].rstrip("/")}"?'
    return 'write for example "127.0.0.1:8080" or "[::1]:8080"'


def parse_listen(value: object) -> Listen:
    if isinstance(value, Listen):
        return value
    found = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise problem("E206", "expected HOST:PORT", _listen_help(value))
    host, port = found[1] or found[2], int(found[3])
    if port > 65535:
        raise problem("E206", f"port {port} is greater than 65535")
    if not host or host == "*":
        raise problem("E206", "expected HOST:PORT", f'did you mean "127.0.0.1:{port}" or "0.0.0.0:{port}"?')
    return Listen(host, port)


ListenField = Annotated[
    Listen,
    PlainValidator(_settable(parse_listen, "127.0.0.1:8080")),
    PlainSerializer(str),
    _settable_schema({"type": "string", "pattern": "^.+:[0-9]{1,5}$", "examples": ["127.0.0.1:8080"]}),
]


def _cidr(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        pass
    try:
        likely = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise problem(
            "E206", f"`{value}` is not an address or CIDR range", "write for example 10.0.0.0/8"
        ) from None
    raise problem("E206", f"`{value}` has host bits set", f"did you mean `{likely}`?")


Cidr = Annotated[
    str,
    BeforeValidator(_of_text(_cidr, "a CIDR range")),
    _string_schema(r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$", "10.0.0.0/8"),
]
_HOST = re.compile(r"(?:\*\.)?(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


def _cidr_or_host(value: str) -> str:
    looks_numeric = re.fullmatch(r"[0-9.]+(/\d+)?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/\d+)?", value)
    if looks_numeric:
        return _cidr(value)
    if not _HOST.fullmatch(value):
        raise problem(
            "E206",
            f"`{value}` is not a host or CIDR range",
            "write for example internal.example.com or 10.0.0.0/8",
        )
    return value.lower()


CidrOrHost = Annotated[
    str,
    BeforeValidator(_of_text(_cidr_or_host, "a host or CIDR range")),
    _string_schema("^[^/@ ]+(/[0-9]{1,3})?$", "10.0.0.0/8"),
]


def check_origin(value: str) -> None:
    """A web origin: scheme, host, port, nothing else (RFC 6454, section 6.1)."""
    if re.fullmatch(r"https?://[^/?#@\s*]+", value) and not value.endswith(":"):
        try:
            if urlsplit(value).hostname and urlsplit(value).port != 0:
                return
        except ValueError:
            pass
    found = re.match(r"https?://[^/?#@\s*]+", value)
    fix = f"did you mean `{found[0]}`?" if found else "write for example https://app.example.com"
    raise problem("E206", f"`{value}` is not an origin", fix)


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise problem("E206", "not an HTTP header name")
    return value


HeaderName = Annotated[
    str,
    BeforeValidator(_of_text(_header_name, "an HTTP header name")),
    _string_schema("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "X-Api-Key"),
]


def _header_text(value: object) -> object:
    if isinstance(value, str) and re.search(r"[\r\n\x00]", value):
        raise problem("E206", "a header value must be one line")
    return value


# --- secrets ---------------------------------------------------------------------------------------------------

_REFERENCE_HELP = "write {env: NAME} or {file: PATH}"


def _refuse_plain_text(value: str) -> PydanticCustomError:
    template = re.fullmatch(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-[^}]*)?\}?", value)
    if template:
        return problem(
            "E406", f"`${{{template[1]}}}` is taken literally here", f"did you mean {{env: {template[1]}}}?"
        )
    return problem(
        "E401",
        "secret written in plain text",
        f"{_REFERENCE_HELP}, and replace the secret: it is in the file",
    )


def _check_reference(value: object) -> object:
    if isinstance(value, SecretRef):
        return value
    if isinstance(value, str) and value:
        raise _refuse_plain_text(value)
    if not isinstance(value, dict):
        raise problem("E206", "expected a secret reference", _REFERENCE_HELP)
    if set(value) == {"env", "file"}:
        raise problem("E209", "set exactly one of `env`, `file`")
    if "default" in value and "env" in value:
        raise problem("E206", "expected a secret reference: a secret has no default", _REFERENCE_HELP)
    if set(value) not in ({"env"}, {"file"}):
        raise problem("E206", "expected a secret reference", _REFERENCE_HELP)
    return value


class SecretRef(Model):
    """Where a secret is: an environment variable or a file (re-read when it changes). Never the secret itself."""

    env: EnvName | None = None
    file: Text | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "type": "object",
            "properties": {
                "env": {
                    "type": "string",
                    "pattern": _ENV_NAME_PATTERN,
                    "description": "environment variable",
                },
                "file": {"type": "string", "minLength": 1, "description": "path, relative to this file"},
            },
            "oneOf": [{"required": ["env"]}, {"required": ["file"]}],
            "additionalProperties": False,
        }
    )

    @model_validator(mode="before")
    @classmethod
    def _shape(cls, value: object) -> object:
        return _check_reference(value)

    def __str__(self) -> str:
        return f"env {self.env}" if self.env else f"file {self.file}"


def _text_or_reference(value: object) -> str:
    return "reference" if isinstance(value, dict | SecretRef) else "text"


TextOrSecret = Annotated[
    Annotated[str, BeforeValidator(_header_text), Tag("text")] | Annotated[SecretRef, Tag("reference")],
    Discriminator(_text_or_reference),
]
Headers = dict[HeaderName, TextOrSecret]

_SECRET_NAME = re.compile(
    r"^(authorization|proxy-authorization|cookie|x-api-key)$|token|secret|password", re.IGNORECASE
)
_SECRET_TEXT = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{10,}|github_pat_\w{10,}|glpat-[\w-]{10,}|sk_(?:live|test)_\w{8,}|rk_live_\w{8,}"
    r"|sk-[A-Za-z0-9_-]{20,}|xox[abpros]-[\w-]{8,}|AKIA[0-9A-Z]{12,}|eyJ[\w-]{8,}(?:\.[\w-]*){0,2}|AIza[\w-]{20,})"
    r"|-----BEGIN[ A-Z]*"
)


def names_a_secret(name: str) -> bool:
    """True for header and variable names whose value must be a reference."""
    return _SECRET_NAME.search(name) is not None


def looks_like_a_secret(value: str) -> bool:
    """True for text in the form of well-known credentials (`ghp_...`, `AKIA...`, a JWT, a PEM block)."""
    return _SECRET_TEXT.search(value) is not None


def mask_secrets(value: str) -> str:
    """The text with everything that looks like a credential, and URL user information, replaced."""
    masked = _SECRET_TEXT.sub("********", value)
    return re.sub(r"(://)[^\s/@\"']+@", r"\1********@", masked)


# --- dates, digests, expressions -------------------------------------------------------------------------------


def parse_expiry(value: object) -> datetime:
    """The first instant at which something no longer works, in UTC. A bare date counts to its end."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise problem("E206", "expected a date", "write YYYY-MM-DD, for example 2027-06-30")
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return datetime.combine(date.fromisoformat(value) + timedelta(days=1), datetime.min.time(), UTC)
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise problem(
            "E206", f"`{value[:40]}` is not a date", "write YYYY-MM-DD, for example 2027-06-30"
        ) from None
    if moment.tzinfo is None:
        raise problem("E206", "a time needs its zone", f"did you mean `{value}Z`?")
    return moment.astimezone(UTC)


Expiry = Annotated[
    datetime,
    PlainValidator(parse_expiry),
    PlainSerializer(datetime.isoformat),
    _string_schema("^[0-9]{4}-?[0-9W]", "2027-06-30", "2027-06-30T12:00:00Z"),
]


def _key_hash(value: str) -> str:
    if re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        return value
    if re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise problem(
            "E206", "expected sha256: and 64 lower-case hex digits", f"did you mean `sha256:{value.lower()}`?"
        )
    raise problem(
        "E206", "expected sha256: and 64 lower-case hex digits", "`executor keys create NAME` prints the line"
    )


KeyHash = Annotated[
    str,
    BeforeValidator(_of_text(_key_hash, "sha256: and 64 hex digits")),
    _string_schema("^sha256:[0-9a-f]{64}$"),
]


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise problem("E206", f"not a regular expression: {error.msg} at position {error.pos}") from None
    except (RecursionError, OverflowError):
        raise problem("E206", "not a regular expression: too large") from None
    return value


Regex = Annotated[
    str, BeforeValidator(_of_text(_regex, "a regular expression")), WithJsonSchema({"type": "string"})
]


def _principal(value: str) -> str:
    if value == "anonymous" or re.fullmatch(r"(key|user|group):\S+", value):
        return value
    kind, colon, _ = value.partition(":")
    if not colon and value:
        fix = f'did you mean "group:{value}", "key:{value}" or "user:{value}"?'
    else:
        fix = "write key:ID, user:NAME, group:NAME or anonymous"
    if kind in {"groups", "keys", "users", "role", "team"} and colon:
        fix = f'did you mean "{kind[:-1] if kind.endswith("s") else "group"}:{value.partition(":")[2]}"?'
    raise problem("E206", f"`{value}` is not a principal", fix)


PrincipalName = Annotated[
    str,
    BeforeValidator(_of_text(_principal, 'a principal like "group:ci"')),
    _string_schema(r"^((key|user|group):.+|anonymous)$", "group:ci", "key:ci_bot", "anonymous"),
]
