// What a calendar does beyond its links, all of which work without it. This page of modules is loaded by calendars alone.
import "./live.js";
import "./clicks.js";
import "./drag.js";
import "./keys.js";

// Hints and handles are shown only where they mean something.
document.documentElement.classList.add("picks");
