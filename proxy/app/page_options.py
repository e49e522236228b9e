"""What the pages need to know of the config that serves now."""

from __future__ import annotations

from proxy.app.application import Application
from proxy.serving.origins import FrontRules
from proxy.serving.pages import LocalFiles, PageOptions
from proxy.serving.sealing import Seals


def page_options(
    application: Application, hosts: FrontRules, seals: Seals, *, public: bool = True
) -> PageOptions:
    """`public` false: a listener on this machine beside a stdio server, which `public_url` does not lead to."""

    def files() -> LocalFiles | None:
        access = application.access
        if access.local_token is None:
            return None
        return LocalFiles(access.token_file, access.approver_file if access.approver_token else None)

    def public_url() -> str | None:
        return application.config.server.public_url if public else None

    return PageOptions(hosts, seals, public_url, files)
