"""Types of config values: durations, sizes, rates, names, URLs, secret references.

A validator here raises `problem(code, ...)`: `proxy.config` turns it into a diagnostic at the value's place.
The codes are those of the diagnostic table (E2xx malformed, E401 and E406
plain text, E402 and E403 environment).
Values that may come from the environment (`{env: NAME, default: TEXT}`) read it from the validation context
`{"environment": Mapping | None}`; None means that the environment is not known and is not judged.
"""

from integrations.fields.addresses import (
    Cidr,
    CidrOrHost,
    HeaderName,
    HostName,
    Listen,
    ListenField,
    PublicUrl,
    Url,
    check_origin,
    is_local_host,
    parse_listen,
)
from integrations.fields.base import (
    JsonSchema,
    Maybe,
    Model,
    NonEmptyTuple,
    Text,
    Tuple,
    of_text,
    problem,
    string_schema,
)
from integrations.fields.names import OWNERS, RESERVED, ConnectionKey, IntegrationName, Name
from integrations.fields.scalars import Expiry, KeyHash, PrincipalName, Regex, RoleHolder, parse_expiry
from integrations.fields.secrets import (
    HeaderFields,
    SecretRef,
    TextOrSecret,
    looks_like_a_secret,
    mask_secrets,
    names_a_secret,
)
from integrations.fields.settings import EnvName, Setting, setting
from integrations.fields.units import (
    Bytes,
    Duration,
    FileMode,
    MillisecondsOrDuration,
    RateField,
    RateValue,
    Size,
    format_duration,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
)

__all__ = [
    "OWNERS",
    "RESERVED",
    "Bytes",
    "Cidr",
    "CidrOrHost",
    "ConnectionKey",
    "Duration",
    "EnvName",
    "Expiry",
    "FileMode",
    "HeaderFields",
    "HeaderName",
    "HostName",
    "IntegrationName",
    "JsonSchema",
    "KeyHash",
    "Listen",
    "ListenField",
    "Maybe",
    "MillisecondsOrDuration",
    "Model",
    "Name",
    "NonEmptyTuple",
    "PrincipalName",
    "PublicUrl",
    "RateField",
    "RateValue",
    "Regex",
    "RoleHolder",
    "SecretRef",
    "Setting",
    "Size",
    "Text",
    "TextOrSecret",
    "Tuple",
    "Url",
    "check_origin",
    "format_duration",
    "format_size",
    "is_local_host",
    "looks_like_a_secret",
    "mask_secrets",
    "names_a_secret",
    "of_text",
    "parse_duration",
    "parse_expiry",
    "parse_listen",
    "parse_rate",
    "parse_size",
    "problem",
    "setting",
    "string_schema",
]
