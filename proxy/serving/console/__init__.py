"""The console: pages that show what runs, for people who look rather than read. Read-only towards the config.

How a page is added
1. A module here with its views and a `PAGE`; the template beside it in `templates/`, which extends `console.html`.
2. `PAGE` into the list in `site`, and its entry into `pages/navigation`.
3. Its row in docs/console.md, and its page in `tests/browser/test_console.py`, which opens every page of the navigation
   in light, dark, at 360 px, without JavaScript and with axe.

Rules that hold for every page, beside those of `proxy.serving.pages`
- What a page shows comes from the same views as REST and `GET /-/status`: there is no second truth.
- The frame checks who reads, the origin of a form and its token, before a view runs: a view cannot forget it.
- A page works without JavaScript. Parts with `data-live` are fetched anew when the stream says so.
- What names a place in the config links there (`visit.source_link`, the macro `place`).
"""

from proxy.serving.console.site import add_console

__all__ = ["add_console"]
