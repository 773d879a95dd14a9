// Keys, the state of the connection, relative times, pausing, and the code in a sign-in link. Everything else is htmx.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const connection = byId("connection");
  let paused = false;
  let missed = new Set();

  function say(state, words) {
    if (!connection || (connection.dataset.state === state && connection.textContent === words)) return;
    connection.dataset.state = state;
    connection.textContent = words;
  }

  if (byId("stream")) say("connecting", "connecting");

  // the code of a sign-in link stands behind #, which no browser sends; it leaves the address at once
  const field = byId("code");
  if (field && location.hash.length > 1) {
    field.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
    byId("sign-in").querySelector("button").focus();
  }

  // the hub's clock counts, whatever this machine's says
  const server = Number(document.querySelector('meta[name="server-time"]').content) / 1000;
  const began = performance.now();
  const now = () => server + (performance.now() - began);
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function ago(at) {
    const seconds = Math.floor((now() - at / 1000) / 1000);
    if (seconds >= 0 && seconds < 2) return "just now";
    const size = Math.abs(seconds);
    const [length, unit] = UNITS.find(([span, name]) => size >= (name === "min" || name === "s" ? span : 2 * span)) || [1, "s"];
    const count = `${Math.floor(size / length)} ${unit}`;
    return seconds > 0 ? `${count} ago` : `in ${count}`;
  }
  function tick() {
    for (const span of document.querySelectorAll("[data-at]")) {
      const words = ago(Number(span.dataset.at));
      if (span.textContent !== words) span.textContent = words;
    }
  }
  setInterval(tick, 5000);

  document.addEventListener("mab-here", () => {
    if (!paused) say("live", "live");
  });
  document.addEventListener("htmx:sse:before:connection", (event) => {
    if (event.detail.connection.attempt > 0 && !paused) say("lost", "hub not reached, trying again");
  });
  document.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) location.assign("/sign-in");
    else if (!paused) say("lost", "hub not reached, trying again");
  });
  document.addEventListener("mab-leaving", () => say("lost", "the hub is not telling, trying again"));
  document.addEventListener("mab-signed-out", () => location.assign("/sign-in"));

  // while paused, what would have moved is noted and fetched afterwards
  document.addEventListener("htmx:config:request", (event) => {
    const source = event.detail.ctx?.sourceElement;
    if (paused && source?.classList.contains("live")) {
      missed.add(source.id);
      event.preventDefault();
    }
  });
  function pause() {
    paused = !paused;
    for (const button of document.querySelectorAll("[data-pause]")) {
      button.setAttribute("aria-pressed", String(paused));
      button.textContent = paused ? "Go on" : "Pause";
    }
    if (paused) {
      say("paused", "paused");
      return;
    }
    say("live", "live");
    const ids = missed;
    missed = new Set();
    for (const id of ids) {
      const part = byId(id);
      if (part) htmx.ajax("GET", part.getAttribute("hx-get"), { source: part, target: part, swap: "innerMorph" });
    }
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-pause]")) pause();
    if (event.target.closest("#help-button")) byId("help").showModal();
  });
  for (const button of document.querySelectorAll("[data-pause], #help-button")) button.hidden = false;

  function step(by) {
    const rows = [...document.querySelectorAll("main .row")].filter((row) => row.checkVisibility());
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement.closest?.(".row"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    const key = event.key;
    if (performance.now() - going < 1500 && going) {
      going = 0;
      const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    if (key === "g") going = performance.now();
    else if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (key === "p") document.querySelector("[data-pause]")?.click();
    else if (key === "?") byId("help")?.showModal();
    else if (key === "/") {
      const search = document.querySelector("main input[type=search]");
      if (!search) return;
      event.preventDefault();
      search.focus();
    }
  });
})();
