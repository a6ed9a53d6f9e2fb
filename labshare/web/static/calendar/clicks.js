// Booking by a click: where in a free stretch the pointer is decides when the booking begins.
import { fill } from "./asking.js";
import { clock, drawn, isDrawn, limits, minuteAt, minutesOf, trackOf } from "./tracks.js";

// On the instrument's raster and not finer than half an hour. A key has no place, and in the list of a phone a place
// means nothing.
const begin = (link, event) => {
  const track = trackOf(link);
  if (!isDrawn(track) || event.detail === 0) return null;
  const { step } = limits(track), { start } = drawn(link.closest("li"));
  const coarse = 30 % step === 0 ? 30 : step;
  return Math.max(start, Math.floor(minuteAt(track, event.clientX, event.clientY) / coarse) * coarse);
};

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-book]");
  if (!link || event.defaultPrevented) return;
  const url = new URL(link.href);
  const from = minutesOf(url.searchParams.get("from"));
  // A booking that is moved keeps its length.
  const kept = Number(document.querySelector("form[data-times]")?.dataset.minutes ?? 0);
  const length = kept || minutesOf(url.searchParams.get("until")) - from;
  const wanted = Math.max(begin(link, event) ?? from, from);
  if (length > 0 && wanted + length <= 1440) {
    url.searchParams.set("from", clock(wanted));
    url.searchParams.set("until", clock(wanted + length));
    url.searchParams.delete("until_date");
  } else if (kept) {
    url.searchParams.set("from", clock(wanted));
    url.searchParams.set("length", `${kept}m`);
    url.searchParams.delete("until");
    url.searchParams.delete("until_date");
  }
  if (fill(url.searchParams)) event.preventDefault();
  else link.href = url.href;
});
