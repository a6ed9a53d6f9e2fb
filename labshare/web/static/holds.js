// The form of a booking keeps its time for whoever fills it in: asked for when it opens and when its times change,
// counted down, and given back when they leave. The form books as well without any of this.
"use strict";

(() => {
  const place = document.getElementById("form-hold");
  const form = place?.closest("form");
  if (!form) return;

  // What decides which time is kept, and whether it may be.
  const DECIDING = new Set(
    ["date", "from", "until", "until_date", "length", "project", "person", "their_project", "mode", "setup", "trainer"],
  );
  let isSent = false;

  const shown = () => place.querySelector("[data-hold]");

  form.addEventListener("change", (event) => {
    if (DECIDING.has(event.target.name)) htmx.trigger(place, "hold");
  });
  // The page of several instruments books without it.
  form.addEventListener("submit", (event) => { isSent = event.submitter?.name !== "further"; });

  // Seconds are counted from when they were told, so that a clock that is wrong does no harm.
  let ends = 0;
  document.addEventListener("htmx:afterSettle", () => {
    const held = shown();
    if (held && !held.dataset.ends) {
      ends = performance.now() + Number(held.dataset.seconds) * 1000;
      held.dataset.ends = "1";
    }
  });
  setInterval(() => {
    const held = shown();
    if (!held) return;
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    if (left > 0) {
      held.querySelector("[data-left]").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    } else if (!held.dataset.over) {
      held.dataset.over = "1";
      held.querySelector("[data-standing]").hidden = true;
      held.querySelector("[data-over]").hidden = false;
      held.querySelector("[data-left]").remove();
      held.querySelector("button")?.remove();
    }
  }, 1000);

  // Whoever leaves gives the time back; a form that was sent has it turned into the booking.
  addEventListener("pagehide", () => {
    const held = shown();
    if (!held || isSent || held.dataset.over) return;
    const token = form.elements.namedItem("_csrf_token")?.value ?? "";
    navigator.sendBeacon(held.dataset.hold, new URLSearchParams({ _csrf_token: token }));
  });
  addEventListener("pageshow", (event) => {
    isSent = false;
    if (event.persisted) htmx.trigger(place, "hold");
  });
})();
