"""Signing in to the console at oidc-provider, a real authorization server, in Chromium; roles decide what is seen."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.approval_server import window
from tests.e2e import configs
from tests.e2e.running import Proxy, serving
from tests.e2e.test_oauth_clients import free_port
from tests.e2e.upstream import upstream
from tests.oauth.npm import provider

pytestmark = [pytest.mark.specs, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp("pages"), free_port()
    public = f"http://127.0.0.1:{port}"
    with upstream() as api:
        sign_in = {"client_id": registered(issuer, f"{public}/login/callback")}
        oauth = {"issuer": issuer, "required_scopes": ["executor"], "sign_in": sign_in}
        mail = {"kind": "oauth2", "grant": "authorization_code", "issuer": issuer, "scopes": ["openid"]}
        config = configs.base(
            api,
            auth={"oauth": oauth, "roles": {"admin": ["dev"]}},
            workspaces={"red": {}, "blue": {}},
            server={"public_url": public},
        )
        config["integrations"]["mail"] = configs.shop(api)
        config["connections"]["mail.org.main"] = {"auth": mail}
        file = configs.write(folder / "executor.yaml", config)
        with serving(file, folder / "state", "--listen", f"127.0.0.1:{port}", env=configs.ENV) as running:
            yield running


def registered(issuer: str, redirect_uri: str) -> str:
    """A public client with this one redirect URI; its id."""
    asked = {
        "redirect_uris": [redirect_uri],
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "response_types": ["code"],
        "grant_types": ["authorization_code"],
    }
    answer = httpx2.post(f"{issuer}/reg", json=asked, timeout=60)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_id"])


def test_a_person_signs_in_there_and_is_an_operator_by_a_group_of_the_token(
    browser: Browser, proxy: Proxy, issuer: str
) -> None:
    with window(browser) as person:
        page = person.open(f"{proxy.url}/console/connections")
        page.get_by_role("link", name="Sign in at").click()
        expect(page).to_have_url(f"{proxy.url}/console/connections")
        expect(page.locator(".who")).to_contain_text(f"user:{issuer}#alice in red")
        # `dev` is the admin role: what only operators see is there.
        expect(page.get_by_text("Declared at").first).to_be_visible()
        ours = [one for one in page.context.cookies(proxy.url) if one.get("name", "").startswith("executor-")]
        assert [(one.get("httpOnly"), one.get("sameSite")) for one in ours] == [(True, "Strict")]
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in at")).to_be_visible()


def test_without_javascript_too(browser: Browser, proxy: Proxy) -> None:
    with window(browser, java_script_enabled=False) as person:
        page = person.open(f"{proxy.url}/console")
        page.get_by_role("link", name="Sign in at").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_a_connection_is_signed_in_to_and_out_of(browser: Browser, proxy: Proxy) -> None:
    with window(browser) as person:
        page = person.open(f"{proxy.url}/console/connections?status=needs_auth")
        page.get_by_role("link", name="Sign in at").click()
        card = page.locator("section.connection").filter(has_text="mail.org.main")
        expect(card).to_contain_text("nobody has signed in")
        card.get_by_role("link", name="Sign in to mail.org.main").click()
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Go to").click()
        expect(page.get_by_role("status")).to_contain_text("Signed in to mail.org.main")
        page.goto(f"{proxy.url}/console/connections?status=connected")
        expect(card).to_contain_text("Token ends")
        card.get_by_role("button", name="Sign out of mail.org.main").click()
        page.goto(f"{proxy.url}/console/connections?status=needs_auth")
        expect(card).to_contain_text("nobody has signed in")
