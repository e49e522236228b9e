"""What stands around every page of the console: who looks, whether a form is ours, and the layout."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quart import Response

from proxy.principal import Principal
from proxy.serving.console.figures import FIGURES
from proxy.serving.detached import DetachedTasks
from proxy.serving.gateway import Gateway
from proxy.serving.http.asgi import HttpRequest
from proxy.serving.pages.guard import Form, PageProblem, check_token
from proxy.serving.pages.options import PageOptions
from proxy.serving.pages.rendering import page, redirect
from proxy.serving.pages.sign_in import PageAuth, Reader


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is signed in opens a page of the console, or sends a form of one. `form` is empty for a GET.
    `detached` is where work goes on that this person may not wait for."""

    gateway: Gateway
    options: PageOptions
    reader: Reader
    form: Form = field(default_factory=dict)
    detached: DetachedTasks = field(default_factory=DetachedTasks)

    @property
    def request(self) -> HttpRequest:
        return self.reader.request

    @property
    def query(self) -> Mapping[str, str]:
        return self.reader.request.query

    @property
    def principal(self) -> Principal:
        return self.reader.principal

    @property
    def is_operator(self) -> bool:
        return self.reader.operator

    @property
    def now_ms(self) -> float:
        return self.options.clock() * 1000

    def source_link(self, source: str) -> str | None:
        """Where the `file:line` of the config can be read (`console.source_url`)."""
        return self.options.source_link(source)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """One page in the console's layout."""
        return page(self.request, status, template, reader=self.reader, visit=self, **FIGURES, **values)

    def redirect(self, place: str) -> Response:
        """To another page of ours, with GET."""
        return redirect(self.request, place)


ConsoleView = Callable[..., Awaitable[Response]]
"""Takes the visit, and the parts of the path by name."""


@dataclass(frozen=True, slots=True)
class ConsoleRoute:
    """`path` is a whole path of ours, with `<parts>` as Quart writes them."""

    method: str
    path: str
    view: ConsoleView


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """One page with everything below it. `operators`: everybody else gets a 403 from all of it."""

    name: str
    routes: tuple[ConsoleRoute, ...]
    operators: bool = False


OFF: Final = PageProblem(
    404, "The console is switched off", "`console.enabled` is false. Approvals are at /approvals as always."
)
FOR_OPERATORS: Final = PageProblem(
    403,
    "For operators only",
    "This page shows the whole server. Sign in with a key or token that has the admin role (`auth.roles.admin`).",
)


class Frame:
    """Lets the right people through to the views of pages."""

    def __init__(self, gateway: Gateway, options: PageOptions) -> None:
        self._gateway = gateway
        self._options = options
        self._detached = DetachedTasks()
        self.auth = PageAuth(gateway, options)

    def around(self, one: ConsolePage, route: ConsoleRoute) -> Callable[..., Awaitable[Response]]:
        """The view of this route, behind all checks."""

        async def opened(request: HttpRequest, **parts: str) -> Response:
            reload = self.auth.same_site_reload(request) if request.method == "GET" else None
            self._check_on()
            return reload or await route.view(await self._visit(request, one, route.method), **parts)

        return opened

    def _check_on(self) -> None:
        if not self._options.console():
            raise OFF

    async def _visit(self, request: HttpRequest, one: ConsolePage, method: str) -> Visit:
        """Raises `SignInNeeded`, `PageProblem`, `RateLimited`."""
        form = await self.auth.read_form(request) if method == "POST" else {}
        reader = await self.auth.reader(request)
        if method == "POST":
            check_token(form, reader.sign_in)
        if one.operators and not reader.operator:
            raise FOR_OPERATORS
        await self.auth.count_request(reader)
        return Visit(self._gateway, self._options, reader, form, self._detached)
