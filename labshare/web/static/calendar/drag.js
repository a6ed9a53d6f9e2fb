// Choosing with a mouse or a pen: over free time, or with a booking of one's own. A finger scrolls and taps instead.
import { book, propose } from "./asking.js";
import { hold, release } from "./live.js";
import { chosen, moved, resized } from "./ranges.js";
import { bookingOf, calendarOf, draw, erase, isDrawn, isLane, minuteAt, say, trackOf, words } from "./tracks.js";

// A hand is not that still: what moves less is a click.
const LEAST_PIXELS = 6;
let grasp = null;

const choiceAt = (x, y) => {
  const under = document.elementsFromPoint(x, y).map(trackOf).find(Boolean);
  const track = under && calendarOf(under) === calendarOf(grasp.track) ? under : grasp.track;
  if (grasp.kind === "free") return chosen(grasp.item, grasp.track, grasp.minute, minuteAt(grasp.track, x, y));
  if (grasp.kind === "length") {
    const days = isLane(track) ? 0 : (Date.parse(track.dataset.date) - Date.parse(grasp.track.dataset.date)) / 60000;
    return resized(grasp.booking, days + minuteAt(isLane(track) ? grasp.track : track, x, y) - grasp.minute);
  }
  const goal = isLane(track) && track.dataset.kind !== grasp.track.dataset.kind ? grasp.track : track;
  return moved(grasp.booking, goal, minuteAt(goal, x, y) - grasp.minute);
};

const take = (event) => {
  if (event.button !== 0 || event.pointerType === "touch" || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest?.("a[data-book], a[data-version]"), track = trackOf(link);
  if (!track || !isDrawn(track)) return;
  const isFree = "book" in link.dataset;
  const kind = isFree ? "free" : event.target.closest(".grip") ? "length" : "time";
  grasp = {
    kind, track, item: link.closest("li"), booking: isFree ? null : bookingOf(link), pointer: event.pointerId,
    x: event.clientX, y: event.clientY, minute: minuteAt(track, event.clientX, event.clientY), isDragged: false, choice: null,
  };
};

const begin = () => {
  grasp.isDragged = true;
  const calendar = calendarOf(grasp.track);
  calendar.classList.add("dragged");
  calendar.setPointerCapture(grasp.pointer);
  hold(calendar);
};

const follow = (event) => {
  if (!grasp || event.pointerId !== grasp.pointer) return;
  if (!grasp.isDragged && Math.hypot(event.clientX - grasp.x, event.clientY - grasp.y) < LEAST_PIXELS) return;
  if (!grasp.isDragged) begin();
  const choice = choiceAt(event.clientX, event.clientY);
  if (!choice) return;
  grasp.choice = choice;
  draw(choice);
};

const leave = () => {
  const { track, isDragged } = grasp, calendar = calendarOf(track);
  grasp = null;
  if (!isDragged) return;
  calendar.classList.remove("dragged");
  erase(calendar);
  release();
};

// The browser makes a click of what ends where it began; a drag is none.
const swallow = (event) => {
  event.preventDefault();
  event.stopPropagation();
};

const drop = (event) => {
  if (!grasp || event.pointerId !== grasp.pointer) return;
  const { kind, booking, choice, isDragged } = grasp;
  leave();
  if (!isDragged) return;
  addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", swallow, { capture: true }));
  if (!choice) return;
  if (kind === "free") book(choice);
  else propose(booking, choice);
};

const giveUp = (said) => {
  if (!grasp) return;
  const { isDragged, track } = grasp;
  leave();
  if (isDragged && said) say(words(calendarOf(track)).left);
};

document.addEventListener("pointerdown", take);
document.addEventListener("pointermove", follow);
document.addEventListener("pointerup", drop);
document.addEventListener("pointercancel", () => giveUp(false));
addEventListener("blur", () => giveUp(false));
// The browser's own way of dragging a link would take ours away.
document.addEventListener("dragstart", (event) => {
  if (event.target.closest?.("a[data-book], a[data-version]")) event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !grasp?.isDragged) return;
  event.preventDefault();
  // The button may be let go later: that click is none either.
  addEventListener("click", swallow, { capture: true, once: true });
  addEventListener("pointerup", () => setTimeout(() => removeEventListener("click", swallow, { capture: true })), { once: true });
  giveUp(true);
});
