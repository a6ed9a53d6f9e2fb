// Calendars stay current and are quicker to use; everything here is also there without it.
// One stream for each page says which calendar changed, and the page fetches again what its reader may see.
"use strict";

(() => {
  const REFRESH_MINUTES = 5;
  let stream = null;

  const watched = () => [...document.querySelectorAll("[data-live]")];

  // "N001:12 N002:5": each instrument with the version that is drawn.
  const versions = (element) => new Map(element.dataset.live.split(" ").filter(Boolean).map((part) => {
    const at = part.lastIndexOf(":");
    return [part.slice(0, at), Number(part.slice(at + 1))];
  }));

  const refresh = (element) => htmx.trigger(element, "calendar");

  const heard = (event) => {
    const { instrument, version } = JSON.parse(event.data);
    for (const element of watched()) {
      const drawn = versions(element).get(instrument);
      if (drawn !== undefined && drawn < version) refresh(element);
    }
  };

  const close = () => {
    stream?.close();
    stream = null;
  };

  // The stream begins with the version of each instrument, so nothing that changed before it opened is missed.
  const open = () => {
    close();
    const instruments = watched().flatMap((element) => [...versions(element).keys()]);
    if (document.hidden || instruments.length === 0) return;
    stream = new EventSource(`/live?instruments=${instruments.map(encodeURIComponent).join(",")}`);
    stream.addEventListener("calendar", heard);
  };

  // A hidden page holds no connection: browsers allow few of them to one host. `pageshow` also follows the first load.
  document.addEventListener("visibilitychange", open);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);

  // The line of now moves, and what is over can no longer be booked.
  setInterval(() => {
    if (!document.hidden) watched().forEach(refresh);
  }, REFRESH_MINUTES * 60000);

  // ---------------------------------------------------------------- booking by a click

  const pad = (number) => String(number).padStart(2, "0");
  const clock = (minutes) => `${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
  const minutes = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));

  // The hours that an item is drawn over are in its classes: "fh9 fm30 uh11 um0".
  const drawn = (item) => {
    const [, fh, fm, uh, um] = (/fh(\d+) fm(\d+) uh(\d+) um(\d+)/.exec(item.className) ?? []).map(Number);
    return [fh * 60 + fm, uh * 60 + um];
  };

  // Where in a free stretch the pointer is decides when the booking begins, on the instrument's raster and not finer
  // than half an hour. A key has no place, and in the list of a phone a place means nothing.
  const begin = (link, event) => {
    const item = link.closest("li");
    const isList = getComputedStyle(item).gridRowStart === "auto";
    if (isList || event.detail === 0) return null;
    const box = item.getBoundingClientRect();
    const isLane = item.closest(".lane") !== null;
    const share = isLane ? (event.clientX - box.left) / box.width : (event.clientY - box.top) / box.height;
    const [first, last] = drawn(item);
    const raster = Number(item.closest("[data-raster]").dataset.raster);
    const step = 30 % raster === 0 ? 30 : raster;
    return Math.max(first, Math.floor((first + share * (last - first)) / step) * step);
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-book]");
    if (!link) return;
    const url = new URL(link.href);
    const length = minutes(url.searchParams.get("until")) - minutes(url.searchParams.get("from"));
    const wanted = begin(link, event);
    if (wanted !== null && wanted > minutes(url.searchParams.get("from")) && length > 0 && wanted + length <= 1440) {
      url.searchParams.set("from", clock(wanted));
      url.searchParams.set("until", clock(wanted + length));
    }
    const form = document.querySelector("form[data-times]");
    if (form) {
      fill(form, url.searchParams);
      event.preventDefault();
    } else {
      link.href = url.href;
    }
  });

  // Beside a form a click fills it in, so that nothing typed is lost.
  const fill = (form, given) => {
    for (const name of ["date", "from", "until", "until_date", "length"]) {
      form.elements.namedItem(name).value = given.get(name) ?? "";
    }
    const from = form.elements.namedItem("from");
    from.dispatchEvent(new Event("change", { bubbles: true }));
    from.focus();
  };
})();
