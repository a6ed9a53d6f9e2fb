// Calendars stay current. One stream for each page says which calendar changed, and the page fetches again what its
// reader may see. While somebody chooses times on one, nothing is drawn under their hand: it is fetched afterwards.

const REFRESH_MINUTES = 5;
let stream = null;
let held = null;
const waiting = new Set();

const watched = () => [...document.querySelectorAll("[data-live]")];

// "N001:12 N002:5": each instrument with the version that is drawn.
const versions = (element) => new Map(element.dataset.live.split(" ").filter(Boolean).map((part) => {
  const at = part.lastIndexOf(":");
  return [part.slice(0, at), Number(part.slice(at + 1))];
}));

const refresh = (element) => {
  if (element === held) waiting.add(element.id);
  else htmx.trigger(element, "calendar");
};

// Keep a calendar as it is drawn, until `release`.
export const hold = (element) => { held = element; };

export const release = () => {
  held = null;
  for (const id of waiting) {
    const element = document.getElementById(id);
    if (element) refresh(element);
  }
  waiting.clear();
};

// What was asked for before the choice began must not be drawn in the midst of it either.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!held || event.detail.target !== held) return;
  event.detail.shouldSwap = false;
  waiting.add(held.id);
});

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
