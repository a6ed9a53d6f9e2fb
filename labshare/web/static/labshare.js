// What every page does beyond htmx: bring refusals to the reader, and offer the way back. Pages work without it.
"use strict";

// A refusal that has just appeared takes the focus, so that a keyboard or a screen reader meets it at once.
document.addEventListener("htmx:afterSettle", (event) => {
  const refused = event.detail.elt.querySelector?.("[data-focus]");
  refused?.focus();
});

// The time of one answer is over: what htmx could not reach or got a fault from is said in the page, not swallowed.
document.addEventListener("htmx:sendError", () => {
  const place = document.getElementById("refusals");
  if (place) place.textContent = document.body.dataset.offline;
});

// A search within a larger form finds by itself; Enter there must not send what the form is for.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.('input[type="search"][hx-get]')) event.preventDefault();
});

for (const button of document.querySelectorAll("[data-back]")) {
  if (history.length > 1) {
    button.hidden = false;
    button.addEventListener("click", () => history.back());
  }
}

// Light and dark change in place, and another language asks before it, so that nothing typed is lost.
let isTyped = false, isAsked = false;
document.addEventListener("input", (event) => {
  if (event.target.form?.method === "post") isTyped = true;
});
document.addEventListener("submit", (event) => {
  const form = event.target, isPreference = form.matches(".preferences form");
  isAsked = isPreference && isTyped;
  if (!isPreference) isTyped = false;
  if (!isPreference || !form.action.endsWith("/theme")) return;
  event.preventDefault();
  const said = new URLSearchParams(new FormData(form)), theme = event.submitter.value;
  said.set("value", theme);
  fetch(form.action, { method: "post", body: said, redirect: "manual" });
  document.documentElement.dataset.theme = theme;
  document.querySelector('meta[name="color-scheme"]').content = theme;
  isAsked = false;
});
addEventListener("beforeunload", (event) => {
  if (isAsked) event.preventDefault();
  isAsked = false;
});

// What is only there to be copied is chosen whole by one tap.
document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[readonly]")) event.target.select();
});

document.querySelector("[data-focus]")?.focus();
