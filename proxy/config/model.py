"""The config language as frozen models: one class a section, defaults beside their keys.

`Config` is data. What runs is built from it elsewhere, and never holds on to more of it than its own part.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from integrations import Integration
from integrations.fields import (
    Bytes,
    Cidr,
    ConnectionKey,
    Duration,
    FileMode,
    HeaderFields,
    HostName,
    IntegrationName,
    Listen,
    ListenField,
    Maybe,
    Model,
    Name,
    PublicUrl,
    RateField,
    RateValue,
    SecretRef,
    Size,
    Text,
    Tuple,
    Url,
    check_origin,
    problem,
)
from integrations.fields import setting as _setting
from integrations.shared_config import Egress
from proxy.config.callers import AuthConfig
from proxy.config.connection import Connection
from proxy.config.local_commands import split_allowed
from proxy.config.packs import PolicyEntry

KIB = 1024
MIB = 1024 * KIB
LOCK_NAME: Final = "executor.lock"
Hardening = Literal[
    "no_new_privs", "dumpable", "descriptors", "rlimits", "user", "parent_death", "seccomp", "network"
]
Per = Literal["server", "workspace", "user", "key", "session", "integration", "connection", "tool", "ip"]
AppliesTo = Literal["requests", "executions", "tool_calls"]
OnStoreFailure = Literal["allow", "deny"]
LimitResponse = Literal["http_429", "tool_error"]
StateBackend = Literal["memory", "sqlite", "redis"]
ShownArguments = Literal["none", "digest", "redacted", "full"]
ShownCode = Literal["none", "digest", "full"]
LockMode = Literal["enforce", "warn", "off"]
EngineReuse = Literal["never", "workspace"]
ElicitationMode = Literal["model", "browser", "native"]
ELICITATION_MODES: Final[tuple[ElicitationMode, ...]] = get_args(ElicitationMode)


class Cors(Model):
    """Which web origins may call (beside the same origin and loopback)."""

    allow_origins: Tuple[Text] = ()

    @model_validator(mode="after")
    def _origins(self) -> Cors:
        for origin in self.allow_origins:
            check_origin(origin)
        return self


class ReloadConfig(Model):
    """How changes of the files are noticed and taken over."""

    watch: bool = True
    poll_interval: Duration = 5.0
    settle: Duration = 0.5
    drain_timeout: Duration = 25.0
    last_good: Maybe[Text] = None


class ServerLimits(Model):
    """What clients may hold of the listener at a time. Where there is no room for a new connection, the one that has
    been idle or slow for longest ends. Addresses of `trusted_proxies` are counted as what they forward. `unread` are
    bytes of answers that a client does not read; such an answer ends after `write_timeout` without progress."""

    connections: Annotated[int, Field(ge=8, le=1_000_000)] = 1024
    connections_per_address: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    requests_per_account: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    write_timeout: Duration = 30.0
    unread: Size = 8 * MIB
    unread_per_account: Size = 32 * MIB


class PemFile(Model):
    """A file in PEM."""

    file: Text


class ServerTls(Model):
    """TLS of our own, for those without a proxy. The files are read again when they change. With `client_ca` every
    client needs a certificate of one of its authorities."""

    cert: PemFile
    key: PemFile
    client_ca: Maybe[PemFile] = None

    def files(self) -> dict[str, PemFile]:
        """By key; `client_ca` only if it is set."""
        found = {"cert": self.cert, "key": self.key}
        return found if self.client_ca is None else {**found, "client_ca": self.client_ca}


class Server(Model):
    """The listener that agents connect to."""

    listen: ListenField = Listen("127.0.0.1", 8080)
    public_url: Maybe[PublicUrl] = None
    hosts: Tuple[HostName] = ()
    trusted_proxies: Tuple[Cidr] = ()
    tls: Maybe[ServerTls] = None
    socket_mode: FileMode = "0600"
    shutdown_delay: Maybe[Annotated[Duration, Field(le=300)]] = None
    cors: Cors = Cors()
    limits: ServerLimits = ServerLimits()
    reload: ReloadConfig = ReloadConfig()

    @model_validator(mode="after")
    def _only_for_a_socket(self) -> Server:
        if self.listen.path is None and "socket_mode" in self.model_fields_set:
            raise problem("E206", "only for `listen: unix:/PATH`", at="socket_mode")
        if self.listen.path is not None and self.tls is not None:
            help = "who may open the socket is said by `socket_mode`; TLS is the proxy's"
            raise problem("E209", "not both `tls` and `listen: unix:/PATH`", help, "tls")
        return self


class Elicitation(Model):
    """How approvals and questions reach a person."""

    mode: ElicitationMode = "model"
    client_may_choose: bool = True
    approval_timeout: Duration = 900.0


class WorkspaceElicitation(Model):
    """Overrides of the top-level `elicitation` for one workspace."""

    mode: Maybe[ElicitationMode] = None
    client_may_choose: Maybe[bool] = None
    approval_timeout: Maybe[Duration] = None


class WorkspaceConfig(Model):
    """A tenant. Without `integrations` it sees all of them; its policies may only tighten. `rate_limits` gives limits
    `per: workspace` another number for this one."""

    name: Maybe[Text] = None
    description: Maybe[str] = None
    integrations: Maybe[Tuple[Text]] = None
    elicitation: WorkspaceElicitation = WorkspaceElicitation()
    rate_limits: dict[Text, RateField] = Field(default_factory=dict)
    policies: Tuple[PolicyEntry] = ()


class RateLimit(Model):
    """One named limit; every limit that fits applies. What would fit within 2 s, or for tool calls within `wait`, is
    held back that long instead of refused. `respond: tool_error` answers a refused call with a tool result."""

    per: Per
    applies_to: AppliesTo = "requests"
    limit: RateField
    burst: Maybe[Annotated[int, Field(ge=1)]] = None
    pattern: Maybe[Text] = None
    wait: Maybe[Duration] = None
    respond: LimitResponse = "http_429"
    on_store_failure: OnStoreFailure = "allow"

    @model_validator(mode="after")
    def _only_for_tool_calls(self) -> RateLimit:
        if self.per == "ip" and self.applies_to != "requests":
            # After the request the address is not known any more; a limit that never applies must not validate.
            raise problem("E206", "`ip` is only for `applies_to: requests`", at="per")
        if self.respond == "tool_error" and self.applies_to != "requests":
            raise problem(
                "E206",
                "only for `applies_to: requests`",
                "a refused execution or tool call is told to the model anyway",
                "respond",
            )
        if self.applies_to == "tool_calls":
            return self
        for key in ("pattern", "wait"):
            if getattr(self, key) is not None:
                raise problem("E206", "only for `applies_to: tool_calls`", at=key)
        if self.per in ("integration", "connection", "tool"):
            raise problem("E206", f"`{self.per}` is only for `applies_to: tool_calls`", at="per")
        return self


DEFAULT_RATE_LIMITS = {"per-workspace": RateLimit(per="workspace", limit=RateValue(100, "minute"))}


class SandboxConfig(Model):
    """Where agent code runs, and how much it may use. One account runs at most `max_running_per_account` executions at
    once, without it half of what runs at all (64, or `workers` if that is more); what is beyond waits its turn."""

    workers: Annotated[int, Field(ge=1, le=256)] = 2
    max_running_per_account: Maybe[Annotated[int, Field(ge=1, le=256)]] = None
    timeout: Duration = 300.0
    max_timeout: Duration = 600.0
    memory: Size = 128 * MIB
    max_output: Size = 256 * KIB
    max_tool_calls: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    max_parallel_tool_calls: Annotated[int, Field(ge=1, le=10_000)] = 64
    require: Tuple[Hardening] = ()
    reuse: EngineReuse = "never"

    @model_validator(mode="after")
    def _limits_fit(self) -> SandboxConfig:
        if self.memory > 128 * MIB:
            raise problem(
                "E206", "must be at most 128MiB", "that is the heap limit of the JavaScript engine", "memory"
            )
        if self.timeout > self.max_timeout:
            at = "timeout" if "timeout" in self.model_fields_set else "max_timeout"
            raise problem("E206", "`timeout` is longer than `max_timeout`", at=at)
        return self


class Execute(Model):
    """Sizes of what `execute` shows to agents."""

    description_bytes: Bytes = 2048
    inline_tools: Annotated[int, Field(ge=0, le=1000)] = 1000
    describe_bytes: Bytes = 16 * KIB
    max_result_bytes: Bytes = 256 * KIB


class StateSentinel(Model):
    """Sentinels say which server is the primary now; `state.url` names the sentinels. User and password are those of
    the sentinels; those of the servers stand in `state.url`."""

    service: Text
    username: Maybe[Text] = None
    password: Maybe[SecretRef] = None


class StateTls(Model):
    """What is trusted, and shown, on the way to Redis (`rediss://`)."""

    ca: Maybe[PemFile] = None
    cert: Maybe[PemFile] = None
    key: Maybe[PemFile] = None

    @model_validator(mode="after")
    def _cert_and_key(self) -> StateTls:
        if (self.cert is None) != (self.key is None):
            missing, there = ("cert", "key") if self.cert is None else ("key", "cert")
            raise problem("E302", f"`{there}` needs `{missing}`", "a client certificate is both", there)
        return self

    def files(self) -> dict[str, PemFile]:
        """By key, those that are set."""
        found = {"ca": self.ca, "cert": self.cert, "key": self.key}
        return {name: held for name, held in found.items() if held is not None}


class StateConfig(Model):
    """Where sessions, paused executions, tokens and counters are kept."""

    backend: StateBackend = "sqlite"
    path: Maybe[Text] = None
    url: Maybe[SecretRef] = None
    cluster: bool = False
    sentinel: Maybe[StateSentinel] = None
    tls: Maybe[StateTls] = None
    timeout: Maybe[Annotated[Duration, Field(le=60)]] = None
    encryption_key: Maybe[SecretRef] = None
    execution_ttl: Duration = 86400.0

    @model_validator(mode="after")
    def _one_form(self) -> StateConfig:
        if self.cluster and self.sentinel is not None:
            raise problem(
                "E209", "not both `cluster` and `sentinel`", "a cluster fails over by itself", "sentinel"
            )
        return self


class AuditFile(Model):
    """A file that audit lines are appended to."""

    file: Text


def _file_or_word(value: object) -> str:
    return "=file" if isinstance(value, dict | AuditFile) else "=word"


class Audit(Model):
    """One line for every action: who did it, and which rule allowed it."""

    sink: Annotated[
        Annotated[Literal["stdout", "off"], Tag("=word")] | Annotated[AuditFile, Tag("=file")],
        Discriminator(_file_or_word),
    ] = "off"
    arguments: ShownArguments = "redacted"
    code: ShownCode = "digest"
    redact: Tuple[Text] = ()


LogLevel = Annotated[Literal["debug", "info", "warning", "error"], _setting("info")]


class Log(Model):
    """What the server says about itself, on stderr."""

    level: LogLevel = "info"
    format: Literal["auto", "text", "json"] = "auto"


class Metrics(Model):
    """Prometheus metrics; on a listener of their own when `listen` is given."""

    enabled: bool = True
    listen: Maybe[ListenField] = None


class Otlp(Model):
    """Traces over OTLP."""

    endpoint: Url
    headers: HeaderFields = Field(default_factory=dict)


class Telemetry(Model):
    """Logs, metrics, traces."""

    log: Log = Log()
    metrics: Metrics = Metrics()
    otlp: Maybe[Otlp] = None


class LockConfig(Model):
    """Tool definitions must match the reviewed ones."""

    file: Text = LOCK_NAME
    mode: LockMode = "enforce"


def _command_line(value: object) -> object:
    if isinstance(value, str):
        try:
            split_allowed(value)
        except ValueError as error:
            raise problem(
                "E206", f"not a command line: {error}", "write it as in a shell: `NAME= program argument`"
            ) from None
    return value


CommandLine = Annotated[Text, BeforeValidator(_command_line)]


class Api(Model):
    """What the REST API may change at run time. `allow_local_commands` are whole command lines, with `NAME=` before the
    program for each variable that may be set; `egress` are private addresses that registered servers may be at."""

    registration: Literal["off", "overlay"] = "off"
    allow_local_commands: Tuple[CommandLine] = ()
    egress: Egress = Egress()


class Webhook(Model):
    """Who is told about pending approvals; requests are signed with `secret`."""

    url: Url
    secret: SecretRef


class Approvals(Model):
    """What happens when an approval is waiting."""

    webhook: Maybe[Webhook] = None


class Console(Model):
    """The web pages for people. `source_url` is a template with {file} and {line}."""

    enabled: bool = True
    source_url: Maybe[Text] = None

    @model_validator(mode="after")
    def _web_page(self) -> Console:
        url = self.source_url
        if url is not None and not (url.startswith(("https://", "http://")) and "{file}" in url):
            example = "https://git.example.com/acme/config/blob/main/{file}#L{line}"
            raise problem(
                "E206", "expected the URL of a page with {file} in it", f"such as {example}", "source_url"
            )
        return self


def _no_lookalike(value: object) -> object:
    """`true` and 1.0 equal 1, and are not the version."""
    return value if type(value) is int else None


class Config(Model):
    """The configuration of Executor. What stands here is public: secrets are references."""

    version: Annotated[Literal[1], BeforeValidator(_no_lookalike)]
    server: Server = Server()
    auth: Maybe[AuthConfig] = None
    workspaces: dict[Name, WorkspaceConfig] = Field(default_factory=dict)
    integrations: dict[IntegrationName, Integration] = Field(default_factory=dict)
    connections: dict[ConnectionKey, Connection] = Field(default_factory=dict)
    policies: Tuple[PolicyEntry] = ()
    rate_limits: dict[Text, RateLimit] = DEFAULT_RATE_LIMITS
    sandbox: SandboxConfig = SandboxConfig()
    execute: Execute = Execute()
    elicitation: Elicitation = Elicitation()
    state: StateConfig = StateConfig()
    audit: Audit = Audit()
    telemetry: Telemetry = Telemetry()
    lock: Maybe[LockConfig] = None
    api: Api = Api()
    approvals: Approvals = Approvals()
    console: Console = Console()
