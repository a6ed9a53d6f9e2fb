// Choosing by the keyboard. One cell of the calendar is a stop of the Tab key; the arrows go on from it. Enter begins a
// choice in free time, M takes a booking of one's own; Enter then goes on to the form or the dialog, Escape gives up.
import { book, propose } from "./asking.js";
import { hold, release } from "./live.js";
import { chosen, moved, resized } from "./ranges.js";
import {
  DAY, between, bookingOf, calendarOf, cell, clock, dayOf, describe, draw, drawn, erase, isLane, itemAt, itemsAt, limits, say, shown, trackOf,
  tracksOf, words,
} from "./tracks.js";

// Where the cell of each calendar is, by the calendar's id: it is drawn anew and the place stays.
const places = new Map();
let choosing = null;
let hadFocus = false;

const standing = (track, minute) => {
  const items = itemsAt(track, minute), said = words(calendarOf(track));
  const told = (item) => item.classList.contains("free")
    ? said.free
    : [".time", ".what"].map((part) => item.querySelector(part)?.textContent.trim()).join(" ");
  return items.length ? items.map(told).join("; ") : said.closed;
};

const put = (track, minute, { focus = false, label = null } = {}) => {
  const calendar = calendarOf(track), tracks = tracksOf(calendar), { step } = limits(track), { first, last } = shown(track);
  const start = between(first, minute, last - step), place = { along: Math.floor((start - first) / step), across: tracks.indexOf(track) };
  const steps = Math.ceil((last - first) / step);
  const position = isLane(track)
    ? { row: place.across, column: place.along, rows: tracks.length, columns: steps }
    : { row: place.along, column: place.across, rows: steps, columns: tracks.length };
  const { item, old } = cell(calendar, track, start, Math.min(start + step, last), position);
  const said = label ?? `${track.dataset.name}, ${clock(start)}–${clock(start + step)}: ${standing(track, start)}`;
  item.setAttribute("aria-label", said);
  if (focus) item.focus();
  old.forEach((each) => each.remove());
  places.set(calendar.id, { instrument: track.dataset.instrument, date: track.dataset.date, minute: start });
  return item;
};

// ---------------------------------------------------------------- a choice

const choice = () => {
  const { kind, item, track, start, length, booking, minutes, longer } = choosing;
  if (kind === "free") return chosen(item, track, start, start + length);
  return { ...moved(booking, track, minutes), length: resized(booking, longer).length };
};

const show = () => {
  const found = choice(), calendar = calendarOf(choosing.track);
  draw(found);
  const word = choosing.kind === "free" ? words(calendar).chosen : words(calendar).would;
  put(found.track, found.start, { focus: true, label: `${word} ${found.track.dataset.name}, ${describe(found)}` });
};

const begin = (state) => {
  choosing = state;
  hold(calendarOf(state.track));
  show();
};

const end = () => {
  const { track } = choosing, calendar = calendarOf(track);
  choosing = null;
  erase(calendar);
  release();
};

// Back to where the choice began: to the booking that stays, or to the cell.
const giveUp = () => {
  const { kind, booking } = choosing, track = kind === "time" ? booking.track : choosing.track;
  const minute = kind === "time" ? booking.start + (booking.day - dayOf(track)) * DAY : choosing.start;
  end();
  put(track, minute, { focus: true });
  say(words(calendarOf(track)).left);
};

const confirm = () => {
  const found = choice(), { kind, booking } = choosing;
  end();
  put(found.track, found.start, { focus: true });
  if (kind === "free") book(found);
  else propose(booking, found);
};

const grow = (steps) => {
  const { kind, track, booking } = choosing, { stride } = limits(kind === "free" ? track : booking.track);
  if (kind === "free") choosing.length = chosen(choosing.item, track, choosing.start, choosing.start + choosing.length + steps * stride).length;
  else choosing.longer += steps * stride;
  show();
};

const shift = (steps) => {
  const { step } = limits(choosing.track), before = choosing.minutes;
  choosing.minutes += steps * step;
  const { start } = choice(), { first, last } = shown(choosing.track);
  if (start < first || start >= last) choosing.minutes = before;
  show();
};

// To another day of the week, or another instrument of the board that can do the same.
const turn = (steps) => {
  const tracks = tracksOf(calendarOf(choosing.track)).filter((each) => each.dataset.kind === choosing.track.dataset.kind);
  choosing.track = tracks[between(0, tracks.indexOf(choosing.track) + steps, tracks.length - 1)];
  show();
};

// ---------------------------------------------------------------- keys

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

// How far an arrow goes along the time and across it.
const direction = (key, track) => {
  const [x, y] = ARROWS[key];
  return isLane(track) ? { along: x, across: y } : { along: y, across: x };
};

const inChoice = (event) => {
  const { key, shiftKey } = event;
  if (key === "Escape") giveUp();
  else if (key === "Enter" || key === " ") confirm();
  else if (key in ARROWS) {
    const { along, across } = direction(key, choosing.track);
    if (choosing.kind === "free" || shiftKey) { if (along) grow(along); }
    else if (along) shift(along);
    else turn(across);
  } else return false;
  return true;
};

const go = (key, track, minute) => {
  const { step } = limits(track), { first, last } = shown(track), tracks = tracksOf(calendarOf(track));
  if (key === "Home" || key === "End") return put(track, key === "Home" ? first : last - step, { focus: true });
  const { along, across } = direction(key, track), next = tracks[between(0, tracks.indexOf(track) + across, tracks.length - 1)];
  const aligned = Math.floor(minute / limits(next).step) * limits(next).step;
  return put(next, across ? aligned : minute + along * step, { focus: true });
};

const open = (track, minute) => {
  const item = itemAt(track, minute), link = item?.querySelector("a");
  if (!item?.classList.contains("free")) link?.click();
  else {
    const { least, step } = limits(track), start = Math.max(minute, Math.ceil(drawn(item).start / step) * step);
    if (chosen(item, track, start, start + least)) begin({ kind: "free", item, track, start, length: least });
  }
};

const grab = (link) => {
  const booking = bookingOf(link);
  begin({ kind: "time", booking, track: booking.track, minutes: 0, longer: 0 });
};

const atCell = (event, track) => {
  const { minute } = places.get(calendarOf(track).id), { key } = event;
  if (choosing) return inChoice(event);
  if (key in ARROWS || key === "Home" || key === "End") go(key, track, minute);
  else if (key === "Enter" || key === " ") open(track, minute);
  else if (key.toLowerCase() === "m") {
    const link = itemsAt(track, minute).map((item) => item.querySelector("a[data-version]")).find(Boolean);
    if (link) grab(link);
  } else return false;
  return true;
};

const explain = (calendar) => {
  const keys = calendar.querySelector(".keys");
  if (!keys?.checkVisibility()) return false;
  keys.open = !keys.open;
  keys.querySelector("summary").focus();
  return true;
};

const heard = (event) => {
  const { target, key } = event, track = trackOf(target);
  if (event.ctrlKey || event.altKey || event.metaKey) return false;
  if (key === "?" && target.closest?.(".calendar")) return explain(calendarOf(target));
  if (!track || !tracksOf(calendarOf(track)).includes(track)) return false;
  if (target.closest(".cursor")) return atCell(event, track);
  const link = target.closest("a[data-version]");
  if (link && key.toLowerCase() === "m") {
    grab(link);
    return true;
  }
  return false;
};

document.addEventListener("keydown", (event) => {
  if (heard(event)) event.preventDefault();
});

document.addEventListener("focusout", (event) => {
  if (!choosing || !event.target.closest?.(".cursor") || event.relatedTarget?.closest(".cursor")) return;
  const { track } = choosing, { minute } = places.get(calendarOf(track).id);
  end();
  if (track.isConnected) put(track, minute);
});

// ---------------------------------------------------------------- where it begins, and begins again

const first = (tracks) => {
  const item = tracks.map((track) => track.querySelector("ol > li.free")).find(Boolean), track = trackOf(item) ?? tracks[0];
  return { track, minute: item ? drawn(item).start : shown(track).first };
};

const settle = () => {
  for (const calendar of document.querySelectorAll(".calendar[data-words]")) {
    const tracks = tracksOf(calendar), known = places.get(calendar.id);
    if (tracks.length === 0 || calendar.querySelector(".layer.cursor")) continue;
    const there = known && tracks.find((each) => each.dataset.instrument === known.instrument && each.dataset.date === known.date);
    const { track, minute } = there ? { track: there, minute: known.minute } : first(tracks);
    const { step } = limits(track);
    put(track, Math.floor(minute / step) * step, { focus: hadFocus });
  }
  hadFocus = false;
};

document.addEventListener("htmx:beforeSwap", () => { hadFocus = document.activeElement?.closest(".cursor") !== null; });
document.addEventListener("htmx:afterSettle", settle);
matchMedia("(min-width: 60rem)").addEventListener("change", settle);
settle();
