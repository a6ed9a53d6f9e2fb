// Where a choice leads: to the form of a new booking, or to the dialog that asks before a booking is moved. Neither
// writes anything.
import { fields } from "./tracks.js";
import { isSame } from "./ranges.js";

// Beside a form a choice fills it in, so that nothing typed is lost.
export const fill = (given) => {
  const form = document.querySelector("form[data-times]");
  if (!form) return false;
  for (const name of ["date", "from", "until", "until_date", "length"]) {
    form.elements.namedItem(name).value = given.get(name) ?? "";
  }
  const from = form.elements.namedItem("from");
  from.dispatchEvent(new Event("change", { bubbles: true }));
  from.focus();
  return true;
};

export const book = (choice) => {
  const given = new URLSearchParams({ instrument: choice.track.dataset.instrument });
  for (const [name, value] of Object.entries(fields(choice.day, choice.start, choice.length))) if (value) given.set(name, value);
  if (!fill(given)) location.assign(`/bookings/new?${given}`);
};

export const propose = async (booking, choice) => {
  if (isSame(booking, choice)) return;
  const given = new URLSearchParams({ version: booking.version });
  for (const [name, value] of Object.entries(fields(choice.day, choice.start, choice.length))) if (value) given.set(name, value);
  if (choice.track.dataset.instrument !== booking.track.dataset.instrument) given.set("instrument", choice.track.dataset.instrument);
  const address = `${booking.path}/move?${given}`, box = document.getElementById("proposal-box");
  if (!box) {
    location.assign(address);
    return;
  }
  await htmx.ajax("GET", address, { target: "#proposal", swap: "innerHTML", headers: { "X-Refusals": "proposal" } });
  if (document.getElementById("proposal").childElementCount && !box.open) box.showModal();
};
