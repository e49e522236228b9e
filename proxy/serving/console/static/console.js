// Keeps the parts of a page that are marked `data-live` as the server would render them now. One stream says which
// topics changed; then the same page is fetched again, and the parts that differ are replaced. What has the focus, or
// was opened, stays as it is: nothing moves under a finger.
"use strict";
(() => {
  const stream = document.body.dataset.stream;
  const parts = () => [...document.querySelectorAll("[data-live][id]")];

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copies]");
    if (!button) return;
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  });
  for (const button of document.querySelectorAll("button[data-copies]")) button.hidden = !navigator.clipboard;

  if (!stream || !window.EventSource || parts().length === 0) return;
  let known = null;
  let busy = false;
  let again = false;

  const isHeld = (part) => part.contains(document.activeElement) || part.querySelector("details[open]") !== null;

  const take = (fresh) => {
    for (const part of parts()) {
      const next = fresh.getElementById(part.id);
      if (!next || isHeld(part) || part.isEqualNode(next)) continue;
      part.replaceWith(document.importNode(next, true));
    }
  };

  // Not fetch: an XMLHttpRequest parses HTML into a document that runs nothing, which trusted types allow.
  const refresh = () => {
    if (busy) { again = true; return; }
    busy = true;
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.addEventListener("loadend", () => {
      if (request.status === 200 && request.response) take(request.response);
      busy = false;
      if (again) { again = false; refresh(); }
    });
    request.send();
  };

  const source = new EventSource(stream);
  source.addEventListener("message", (event) => {
    const topics = JSON.parse(event.data);
    const wanted = new Set(parts().flatMap((part) => part.dataset.live.split(" ")));
    const changed = known !== null && [...wanted].some((topic) => topics[topic] !== known[topic]);
    known = topics;
    if (changed) refresh();
  });
  window.addEventListener("pagehide", () => source.close());
})();
