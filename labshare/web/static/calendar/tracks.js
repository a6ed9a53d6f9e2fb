// Where times are on a calendar. A track is a column of a week (time runs down it) or a lane of a board (to the right);
// it holds one instrument's day. Minutes count from the midnight of a track's day.

export const DAY = 1440;

const pad = (number) => String(number).padStart(2, "0");
export const clock = (minutes) => `${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
export const minutesOf = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
export const between = (least, value, most) => Math.max(least, Math.min(value, most));
const number = (element, name) => Number(element.dataset[name]);

export const calendarOf = (element) => element.closest(".calendar");
export const trackOf = (element) => element?.closest?.("[data-track]") ?? null;
export const isLane = (track) => track.classList.contains("lane");
export const words = (calendar) => JSON.parse(calendar.dataset.words);

// A phone draws a day of a week as a list, in which a place means no time.
export const isDrawn = (track) => isLane(track) || matchMedia("(min-width: 60rem)").matches;

export const tracksOf = (calendar) => [...calendar.querySelectorAll("[data-track]")].filter(isDrawn);

// What is chosen on an instrument goes by: starts on each step, lengths from `least` to `most` by `stride`.
export const limits = (track) => ({
  step: number(track, "step"), stride: number(track, "stride"), least: number(track, "least"), most: number(track, "most"),
});

// The hours that are drawn: "s8 n10" is from 08:00, ten of them.
export const shown = (track) => {
  const [, first, hours] = /\bs(\d+) n(\d+)\b/.exec(calendarOf(track).className).map(Number);
  return { first: first * 60, last: (first + hours) * 60 };
};

// The minute under a pointer, as exact as the pixel.
export const minuteAt = (track, x, y) => {
  const box = track.getBoundingClientRect();
  const share = isLane(track) ? (x - box.left) / box.width : (y - box.top) / box.height;
  const { first, last } = shown(track);
  return first + between(0, share, 1) * (last - first);
};

// The hours that an item is drawn over are in its classes: "fh9 fm30 uh11 um0".
export const drawn = (item) => {
  const [, fh, fm, uh, um] = (/fh(\d+) fm(\d+) uh(\d+) um(\d+)/.exec(item.className) ?? []).map(Number);
  return { start: fh * 60 + fm, end: uh * 60 + um };
};

const RASTER = 5;
const place = (start, end) => {
  const first = Math.floor(start / RASTER) * RASTER, last = Math.ceil(end / RASTER) * RASTER;
  return `fh${Math.floor(first / 60)} fm${first % 60} uh${Math.floor(last / 60)} um${last % 60}`;
};

// What is there at a minute, of which an instrument for several may have more than one.
export const itemsAt = (track, minute) => [...track.querySelectorAll("ol > li")].filter((item) => {
  const { start, end } = drawn(item);
  return start <= minute && minute < end;
});
export const itemAt = (track, minute) => itemsAt(track, minute)[0] ?? null;

// ---------------------------------------------------------------- days

const DAY_MS = 86400000;
const dayNumber = (iso) => Date.parse(`${iso}T00:00:00Z`) / DAY_MS;
export const isoOf = (day) => new Date(day * DAY_MS).toISOString().slice(0, 10);
export const dayOf = (track) => dayNumber(track.dataset.date);

// A span as the fields of a form: an end at midnight is 24:00 of the day before.
export const fields = (day, start, length) => {
  const first = day + Math.floor(start / DAY), end = start + length;
  const last = day + Math.floor((end - 1) / DAY);
  return {
    date: isoOf(first),
    from: clock(((start % DAY) + DAY) % DAY),
    until: clock(((end - 1) % DAY + DAY) % DAY + 1),
    until_date: last === first ? "" : isoOf(last),
  };
};

// ---------------------------------------------------------------- what one may drag

// The booking behind a link that has a handle: when it is and where.
export const bookingOf = (link) => {
  const track = trackOf(link);
  return {
    link, track, path: new URL(link.href).pathname, version: number(link, "version"),
    day: dayNumber(link.dataset.date), start: number(link, "start"), length: number(link, "minutes"),
  };
};

// ---------------------------------------------------------------- drawing a choice

export const erase = (calendar) => calendar.querySelectorAll(".layer.choice").forEach((each) => each.remove());

// A span on the tracks of one instrument, cut into their days; its times stand in the first piece.
export const draw = (choice) => {
  const calendar = calendarOf(choice.track);
  erase(calendar);
  let text = describe(choice);
  for (const track of tracksOf(calendar)) {
    if (track.dataset.instrument !== choice.track.dataset.instrument) continue;
    const offset = (dayOf(track) - choice.day) * DAY, { first, last } = shown(track);
    const start = Math.max(choice.start - offset, first), end = Math.min(choice.start + choice.length - offset, last);
    if (start >= end) continue;
    const piece = document.createElement("i");
    piece.className = place(start, end);
    piece.textContent = text;
    text = "";
    const layer = document.createElement("div");
    layer.className = "layer choice";
    layer.append(piece);
    track.append(layer);
  }
};

// What takes a day or more says which days it begins and ends on.
const shortDate = (iso) => new Date(`${iso}T00:00:00Z`).toLocaleDateString(
  document.documentElement.lang === "vi" ? "vi" : "en-GB", { day: "numeric", month: "numeric", timeZone: "UTC" },
);
export const describe = (choice) => {
  const { date, from, until, until_date: last } = fields(choice.day, choice.start, choice.length);
  return choice.length < DAY ? `${from}–${until}` : `${shortDate(date)} ${from} – ${shortDate(last)} ${until}`;
};

// The cell that may have the focus, of a grid whose other cells are not there until one goes to them; and what was there
// before, which goes once the new one has the focus.
export const cell = (calendar, track, start, end, position) => {
  const old = [...calendar.querySelectorAll(".layer.cursor")];
  const [grid, row, item] = ["grid", "row", "gridcell"].map((role) => {
    const made = document.createElement("div");
    made.setAttribute("role", role);
    return made;
  });
  grid.className = "layer cursor";
  grid.setAttribute("aria-label", words(calendar).cursor);
  grid.setAttribute("aria-rowcount", position.rows);
  grid.setAttribute("aria-colcount", position.columns);
  row.setAttribute("aria-rowindex", position.row + 1);
  item.setAttribute("aria-colindex", position.column + 1);
  item.tabIndex = 0;
  item.className = place(start, end);
  row.append(item);
  grid.append(row);
  track.append(grid);
  return { item, old };
};

// ---------------------------------------------------------------- saying it

let speaker = null;
export const say = (text) => {
  if (!speaker) {
    speaker = document.createElement("p");
    speaker.className = "unseen";
    speaker.setAttribute("role", "status");
    document.body.append(speaker);
  }
  speaker.textContent = text;
};
