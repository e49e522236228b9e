// Tells whoever looks that the page is out of date. Where something is still to be decided nothing moves by itself:
// a button must not change under a finger.
"use strict";
(() => {
  const main = document.querySelector("main[data-watch]");
  if (!main) return;
  const { watch, state, here, reload } = main.dataset;
  const session = new URLSearchParams(location.search).get("mcp_session_id");
  const address = watch + (session ? "?mcp_session_id=" + encodeURIComponent(session) : "");
  const every = 3000;

  const changed = () => {
    const hint = document.getElementById("changed");
    if (reload || !hint) location.replace(here);
    else hint.hidden = false;
  };

  const look = async () => {
    if (document.visibilityState === "visible") {
      try {
        const answer = await fetch(address, { cache: "no-store", redirect: "error" });
        if (!answer.ok) return;
        if ((await answer.text()) !== state) return changed();
      } catch {
        // The server is away for a moment.
      }
    }
    setTimeout(look, every);
  };
  setTimeout(look, every);
})();
