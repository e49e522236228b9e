"""The pages where people approve: sign-in, one execution, and the list of all that waits for a decision.

Rules that hold for every page:
- Text from agents and upstreams stays text: strict CSP, escaping, invisible characters written out (T10).
- A person signs in once with a token or key. The cookie holds it sealed and is worth no more than the credential in
  it: every request asks the gateway again, so a key that a reload revokes stops working at once.
- Nothing changes without a POST from our own page (Origin, Sec-Fetch-Site) that carries the sign-in's CSRF token (T12).
- An execution that somebody may not see looks exactly like one that does not exist (T14).
"""

from proxy.serving.pages.navigation import CONSOLE_PATH
from proxy.serving.pages.options import LocalFiles, PageOptions
from proxy.serving.pages.sign_in import LIST_PATH
from proxy.serving.pages.views import add_pages

__all__ = ["CONSOLE_PATH", "LIST_PATH", "LocalFiles", "PageOptions", "add_pages"]
