// Which span a choice is: free time that is to be booked, or a booking somewhere else or of another length.
import { DAY, between, dayOf, drawn, limits } from "./tracks.js";

// From the cell in which a choice began to where it is now, inside one free stretch: never shorter or longer than the
// instrument takes. Null where the stretch has no room.
export const chosen = (item, track, anchor, minute) => {
  const { step, stride, least, most } = limits(track), { start: opens, end: closes } = drawn(item);
  const room = Math.min(most, Math.floor((closes - opens) / stride) * stride);
  if (room < least) return null;
  const begin = between(opens, Math.floor(anchor / step) * step, closes - least);
  const length = (minutes) => between(least, Math.ceil(minutes / stride) * stride, room);
  if (minute >= begin) {
    const wanted = length(minute - begin);
    const fits = Math.max(least, Math.floor((closes - begin) / stride) * stride);
    return { track, day: dayOf(track), start: begin, length: Math.min(wanted, fits) };
  }
  const end = Math.min(begin + Math.max(step, least), closes);
  const fits = Math.max(least, Math.floor((end - opens) / stride) * stride);
  const wanted = Math.min(length(end - minute), fits);
  return { track, day: dayOf(track), start: end - wanted, length: wanted };
};

// A booking `minutes` later on the day of a track. On another instrument it stands on that one's steps.
export const moved = (booking, track, minutes) => {
  const { step } = limits(track);
  const isElsewhere = track.dataset.instrument !== booking.track.dataset.instrument;
  const shift = Math.round(minutes / step) * step;
  const start = isElsewhere ? Math.round((booking.start + shift) / step) * step : booking.start + shift;
  const day = booking.day + (dayOf(track) - dayOf(booking.track));
  return { track, day, start: between(0, start, DAY - step), length: booking.length };
};

// A booking whose end is `minutes` later.
export const resized = (booking, minutes) => {
  const { stride, least, most } = limits(booking.track);
  const length = between(Math.min(least, booking.length), booking.length + Math.round(minutes / stride) * stride, Math.max(most, booking.length));
  return { track: booking.track, day: booking.day, start: booking.start, length };
};

export const isSame = (booking, choice) => choice.day === booking.day && choice.start === booking.start
  && choice.length === booking.length && choice.track.dataset.instrument === booking.track.dataset.instrument;
