// Calendar files on the input, each a line of JSON; for each a line with the occurrences that ical.js finds in it.
import { createInterface } from "node:readline";
import ICAL from "ical.js";

const MOST = 1000;

const spans = (event) => {
  if (!event.isRecurring()) return [[event.startDate, event.endDate]];
  const found = [], dates = event.iterator();
  for (let date = dates.next(); date && found.length < MOST; date = dates.next()) {
    const { startDate, endDate } = event.getOccurrenceDetails(date);
    found.push([startDate, endDate]);
  }
  return found;
};

const occurrences = (text) => new ICAL.Component(ICAL.parse(text)).getAllSubcomponents("vevent").flatMap((component) => {
  const event = new ICAL.Event(component), said = (name) => component.getFirstPropertyValue(name) ?? "";
  return spans(event).map(([start, end]) => [
    event.uid, start.toJSDate().toISOString(), end.toJSDate().toISOString(), said("status"), event.summary ?? "",
    event.description ?? "", event.location ?? "", event.sequence,
  ]);
});

createInterface({ input: process.stdin }).on("line", (line) => {
  let answer;
  try {
    answer = { occurrences: occurrences(JSON.parse(line)) };
  } catch (error) {
    answer = { fault: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
