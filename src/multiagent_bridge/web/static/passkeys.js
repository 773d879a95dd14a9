// Asks the browser for a passkey: to register one, or to sign exactly what this page shows. The hub decides what it is worth.
"use strict";
(() => {
  const said = document.getElementById("passkey-said");
  const able = window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON;

  async function asked(path, fields) {
    const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(`${told.message} (${told.hint})`);
    return { challenge: told.challenge, options: JSON.parse(told.options) };
  }

  function wired(id, answered) {
    const form = document.getElementById(id);
    if (!form || !able) return;
    const button = form.querySelector("button");
    button.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      said.textContent = "";
      try {
        const [challenge, credential] = await answered(form);
        form.elements.challenge.value = challenge;
        form.elements.answer.value = JSON.stringify(credential.toJSON());
        form.submit();
      } catch (error) {
        said.textContent = error.message;
        button.disabled = false;
      }
    });
  }

  wired("register-passkey", async () => {
    const code = document.getElementById("code").value;
    const { challenge, options } = await asked("/approvals/passkeys/begin", { code });
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return [challenge, await navigator.credentials.create({ publicKey })];
  });
  wired("approve-passkey", async (form) => {
    const fields = [...new FormData(form)].filter(([name]) => name !== "challenge" && name !== "answer");
    const { challenge, options } = await asked("/approvals/challenge", fields);
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return [challenge, await navigator.credentials.get({ publicKey })];
  });
})();
