"""Redis or Valkey as people run it who cannot afford to lose it: a cluster, and a primary that Sentinel watches.

Every server is a process of ours on a port of loopback, and fails over within a second or two.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from proxy.config.redis_address import RedisForm
from tests.integrations.tls import Authority, Issued
from tests.proxy.state.servers import START_SECONDS, find_server, find_tls_server

NODE_TIMEOUT_MS = 1500
SLOTS = 16384
SERVICE = "main"


def free_port() -> int:
    """Low enough that the port of the cluster's bus, 10,000 higher, is one too."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55535:
            return port
        for lower in range(20000 + (port % 9000), 30000):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", lower))
                except OSError:
                    continue
                return lower


@dataclass(frozen=True)
class Pems:
    """What servers and clients show each other: everybody needs a certificate of the authority."""

    ca: Path
    server: Issued
    client: Issued

    @classmethod
    def made(cls, folder: Path) -> Pems:
        authority = Authority(folder)
        return cls(authority.bundle, authority.issue("server", "127.0.0.1"), authority.issue("client"))

    def arguments(self, port: int) -> Sequence[str]:
        """A server that listens with TLS only, and speaks it to the others as well."""
        return (
            *(
                "--port",
                "0",
                "--tls-port",
                str(port),
                "--tls-replication",
                "yes",
                "--tls-auth-clients",
                "yes",
            ),
            *("--tls-cert-file", str(self.server.cert), "--tls-key-file", str(self.server.key)),
            *("--tls-ca-cert-file", str(self.ca)),
        )

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.client.cert, self.client.key)
        return context

    def used_by(self, form: RedisForm) -> RedisForm:
        """The form, with the files of a client."""
        return replace(form, ca=str(self.ca), cert=str(self.client.cert), key=str(self.client.key))


@dataclass
class Node:
    """One server. `arguments` are its configuration."""

    directory: Path
    arguments: Sequence[str]
    pems: Pems | None = None
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.directory.mkdir(exist_ok=True)
        plain = ("--save", "", "--loglevel", "warning", "--daemonize", "no", "--bind", "127.0.0.1")
        listening = self.pems.arguments(self.port) if self.pems else ("--port", str(self.port))
        command = [self._program(), *self._head(), *listening, "--dir", str(self.directory), *plain]
        self._process = subprocess.Popen(
            [*command, *self.arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: self.asked("PING") == "PONG" or self._ended(), f"the server on {self.port} starts")
        if self._ended():
            raise RuntimeError(f"the server on {self.port} ended at once; started by hand it says why")

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _program(self) -> str:
        program = find_tls_server() if self.pems is not None else find_server()
        assert program is not None, "no redis-server with TLS; tools/get_redis.sh fetches one"
        return program

    def _head(self) -> Sequence[str]:
        return ()

    def _connected(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port), 5)
        if self.pems is None:
            return plain
        return self.pems.context().wrap_socket(plain, server_hostname="127.0.0.1")

    def kill(self) -> None:
        """As a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def alive(self) -> bool:
        return self._process is not None

    def asked(self, *words: str) -> str:
        """The answer to one command as text, empty when nobody answers."""
        parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        try:
            with closing(self._connected()) as connection:
                connection.sendall(f"*{len(words)}\r\n{parts}".encode())
                with connection.makefile("rb") as stream:
                    return _reply(stream)
        except OSError:
            return ""


class SentinelNode(Node):
    """Its configuration is a file, which it rewrites."""

    def _head(self) -> Sequence[str]:
        return (str(self.directory / "sentinel.conf"), "--sentinel")


def _reply(stream: object) -> str:
    line = stream.readline().decode()  # type: ignore[attr-defined]
    kind, rest = line[:1], line[1:].rstrip("\r\n")
    if kind == "$" and int(rest) >= 0:
        size = int(rest) + 2
        return stream.read(size)[:-2].decode()  # type: ignore[attr-defined, no-any-return]
    if kind == "*":
        return "\n".join(_reply(stream) for _ in range(max(0, int(rest))))
    return rest if kind in "+:-" else ""


def until(fits: Callable[[], bool], what: str) -> None:
    """Asks again and again: the servers tell nobody when they have agreed."""
    deadline = time.monotonic() + START_SECONDS
    while not fits():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not within {START_SECONDS} s: {what}")
        time.sleep(0.05)


@dataclass
class ValkeyCluster:
    """Three primaries with a replica each."""

    primaries: list[Node]
    replicas: list[Node]
    form: RedisForm

    @property
    def url(self) -> str:
        scheme = "rediss" if self.form.has_files else "redis"
        return f"{scheme}://{','.join(f'127.0.0.1:{node.port}' for node in self.primaries)}"

    @property
    def nodes(self) -> list[Node]:
        return [*self.primaries, *self.replicas]

    def fail_over(self, index: int) -> None:
        """Kill a primary, and return when its replica has taken over in the eyes of all. It then starts again."""
        lost, heir = self.primaries[index], self.replicas[index]
        lost.kill()
        until(lambda: heir.asked("ROLE").startswith("master"), "the replica takes over")
        until(lambda: all(self._well(one) for one in self.nodes if one.alive), "the cluster is well again")
        self.primaries[index], self.replicas[index] = heir, lost
        lost.start()
        until(lambda: "master_link_status:up" in lost.asked("INFO", "replication"), "the lost one follows")

    def _well(self, node: Node) -> bool:
        return "cluster_state:ok" in node.asked("CLUSTER", "INFO")

    def form_up(self) -> None:
        """Who has which slots, and who follows whom."""
        first = self.primaries[0]
        for index, node in enumerate(self.primaries):
            last = (index + 1) * SLOTS // len(self.primaries) - 1
            node.asked("CLUSTER", "ADDSLOTSRANGE", str(index * SLOTS // len(self.primaries)), str(last))
        for node in self.nodes[1:]:
            node.asked("CLUSTER", "MEET", "127.0.0.1", str(first.port))
        count = len(self.nodes)
        known = f"cluster_known_nodes:{count}"
        until(lambda: all(known in one.asked("CLUSTER", "INFO") for one in self.nodes), "all know each other")
        for primary, replica in zip(self.primaries, self.replicas, strict=True):
            identity = primary.asked("CLUSTER", "MYID")
            until(lambda: replica.asked("CLUSTER", "REPLICATE", identity) == "OK", "it may follow")  # noqa: B023
            until(lambda: "master_link_status:up" in replica.asked("INFO", "replication"), "it follows")  # noqa: B023
        until(lambda: all(self._well(one) for one in self.nodes), "the cluster is well")


@contextmanager
def valkey_cluster(*, tls: bool = False) -> Iterator[ValkeyCluster]:
    with tempfile.TemporaryDirectory(prefix="exc-") as directory:
        pems = Pems.made(Path(directory)) if tls else None
        settings = (
            *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
            *("--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"),
            *(("--tls-cluster", "yes") if tls else ()),
        )
        nodes = [Node(Path(directory) / str(number), settings, pems) for number in range(6)]
        form = RedisForm(cluster=True)
        form = pems.used_by(form) if pems is not None else form
        cluster = ValkeyCluster(nodes[:3], nodes[3:], form)
        try:
            for node in nodes:
                node.start()
            cluster.form_up()
            yield cluster
        finally:
            for node in cluster.nodes:
                node.kill()


@dataclass
class WatchedPrimary:
    """A primary with a replica, and three sentinels."""

    primary: Node
    replica: Node
    sentinels: list[SentinelNode]
    form: RedisForm

    @property
    def url(self) -> str:
        scheme = "rediss" if self.form.has_files else "redis"
        return f"{scheme}://{','.join(f'127.0.0.1:{node.port}' for node in self.sentinels)}/0"

    def fail_over(self, index: int = 0) -> None:
        """Kill the primary, and return when all sentinels name the other one. It starts again, and follows."""
        lost, heir = self.primary, self.replica
        lost.kill()
        until(lambda: heir.asked("ROLE").startswith("master"), "the replica takes over")
        until(lambda: all(self._names(one, heir) for one in self.sentinels), "the sentinels agree")
        self.primary, self.replica = heir, lost
        lost.start()
        until(lambda: "master_link_status:up" in lost.asked("INFO", "replication"), "the lost one follows")

    def _names(self, sentinel: Node, node: Node) -> bool:
        return sentinel.asked("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE).endswith(f"\n{node.port}")

    def ready(self) -> bool:
        """Whether they know of each other: a failover takes two of three."""
        said = [one.asked("SENTINEL", "MASTER", SERVICE).split("\n") for one in self.sentinels]
        facts = [dict(zip(one[::2], one[1::2], strict=False)) for one in said]
        return all(one.get("num-other-sentinels") == "2" and one.get("num-slaves") == "1" for one in facts)


@contextmanager
def watched_primary(*, tls: bool = False) -> Iterator[WatchedPrimary]:
    with tempfile.TemporaryDirectory(prefix="exs-") as directory:
        folder = Path(directory)
        pems = Pems.made(folder) if tls else None
        primary = Node(folder / "a", (), pems)
        replica = Node(folder / "b", ("--replicaof", "127.0.0.1", str(primary.port)), pems)
        sentinels = [SentinelNode(folder / f"s{number}", (), pems) for number in range(3)]
        form = RedisForm(sentinel=SERVICE)
        form = pems.used_by(form) if pems is not None else form
        found = WatchedPrimary(primary, replica, sentinels, form)
        try:
            primary.start()
            replica.start()
            until(
                lambda: "master_link_status:up" in replica.asked("INFO", "replication"), "the replica follows"
            )
            for one in sentinels:
                one.directory.mkdir()
                (one.directory / "sentinel.conf").write_text(
                    f"sentinel monitor {SERVICE} 127.0.0.1 {primary.port} 2\n"
                    f"sentinel down-after-milliseconds {SERVICE} {NODE_TIMEOUT_MS}\n"
                    f"sentinel failover-timeout {SERVICE} 10000\n"
                )
                one.start()
            until(found.ready, "the sentinels know each other")
            yield found
        finally:
            for node in (found.primary, found.replica, *sentinels):
                node.kill()
