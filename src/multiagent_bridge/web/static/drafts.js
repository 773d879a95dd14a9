// What was typed and not sent is kept in this tab for who typed it, since a sign-in may end meanwhile. Codes are never kept.
"use strict";
(() => {
  const PREFIX = "mab-kept ";
  const SENDING = "mab-sending";
  const OUT = "signed-out"; // when somebody signed out of this browser, and what this tab knows of it
  const LONG = 4000;
  const owner = document.querySelector('meta[name="owner"]')?.content;
  let store, everywhere;
  try {
    store = window.sessionStorage;
    everywhere = window.localStorage;
    store.removeItem(`${PREFIX}none`);
  } catch {
    return; // the browser keeps nothing for us
  }
  const read = (key) => JSON.parse(store.getItem(key) ?? "null");
  const keys = () => Object.keys(store).filter((key) => key.startsWith(PREFIX));

  function forget() {
    for (const key of [...keys(), SENDING]) store.removeItem(key);
  }
  function keep(key, what) {
    try {
      store.setItem(key, JSON.stringify(what));
    } catch {
      store.removeItem(key); // full: half a text is worse than none
    }
  }

  // whoever signs out leaves nothing, in no tab
  function signedOut(at) {
    forget();
    store.setItem(OUT, at);
  }
  const tabs = new BroadcastChannel("mab-sign-out");
  tabs.addEventListener("message", (event) => signedOut(event.data));
  document.querySelector('form[action="/sign-out"]')?.addEventListener("submit", () => {
    const at = String(Date.now());
    signedOut(at);
    tabs.postMessage(at);
    everywhere.setItem(OUT, at);
  });
  // a tab that was on another site then has not heard of it
  const last = everywhere.getItem(OUT);
  if (last !== null && last !== store.getItem(OUT)) signedOut(last);

  const sending = read(SENDING);
  store.removeItem(SENDING);
  // the sign-in page, and errors: nothing was sent, and nobody is known
  if (!owner) return;
  const mine = `${PREFIX}${owner} `;
  for (const key of keys()) if (!key.startsWith(mine)) store.removeItem(key);

  // it was sent when this is the page that follows; one that was gone back to proves nothing
  const here = location.pathname + location.search;
  const refused = [...document.querySelectorAll("main [role=alert]")].some((one) => one.textContent.trim());
  const came = performance.getEntriesByType("navigation")[0]?.type === "navigate" && document.referrer === sending?.from;
  if (came && here.startsWith(sending.to) && !refused) store.removeItem(sending.key);

  const TEXTS = "textarea, input:not([type]), input[type=text]";
  const fields = (form) =>
    [...form.elements].filter((one) => one.name && one.matches(`${TEXTS}, select, input[type=checkbox]`));
  // the number of the message that is answered comes with the page
  const given = (one) => one.matches("[inputmode=numeric]");
  const blank = (form) => fields(form).every((one) => !one.matches(TEXTS) || given(one) || !one.value.trim());
  const chosen = (one) => (one.type === "checkbox" ? one.checked : null);

  function note(before, ...words) {
    const line = document.createElement("p");
    line.className = "note";
    line.setAttribute("role", "status");
    line.append(...words);
    before.before(line);
  }

  function putBack(form, held) {
    let whole = true;
    for (const [name, value, checked] of held.fields) {
      const same = fields(form).filter((one) => one.name === name && !one.disabled);
      const field = checked === null ? same[0] : same.find((one) => one.value === value);
      if (!field) whole = whole && !checked;
      else if (given(field)) continue;
      else if (checked === null) field.value = value;
      else field.checked = checked;
    }
    for (const part of form.querySelectorAll("details")) part.open = true;
    if (form.closest("details")) form.closest("details").open = true;
    note(form, "What you typed is here again. ", whole ? "" : "Somebody you chose is no longer there: choose again.");
  }

  for (const form of document.querySelectorAll("form[data-keep]")) {
    const key = mine + form.dataset.keep;
    const held = read(key);
    if (held && blank(form)) putBack(form, held);
    form.addEventListener("input", () => {
      if (blank(form)) store.removeItem(key);
      else keep(key, { at: form.dataset.keepAt, fields: fields(form).map((one) => [one.name, one.value, chosen(one)]) });
    });
    form.addEventListener("submit", async (event) => {
      keep(SENDING, { from: location.href.split("#")[0], to: form.dataset.keepTo, key });
      // the hub does not listen long to who is not signed in
      if (String(new URLSearchParams(new FormData(form))).length < LONG) return;
      event.preventDefault();
      const known = await fetch("/sign-in", { redirect: "manual" }).catch(() => undefined);
      if (known?.type === "basic") location.assign("/sign-in");
      else form.submit();
    });
  }

  if (location.pathname === "/") {
    const heading = document.querySelector("main h1");
    for (const key of keys()) {
      const at = read(key).at;
      if (!heading || new URL(at, location.href).origin !== location.origin) continue;
      const link = document.createElement("a");
      link.href = at;
      link.textContent = "go on writing";
      note(heading, `You typed something that was not sent (${key.slice(mine.length)}): `, link);
    }
  }
})();
