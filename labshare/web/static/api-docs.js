// Starts Swagger UI from our own files, with the description of this installation's API.
"use strict";

// Swagger UI is dark under a class of the root: as the reader chose for all pages, else as their system is.
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
const colour = () => root.classList.toggle("dark-mode", (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark");
system.addEventListener("change", colour);
colour();

const place = document.getElementById("api-docs");
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.schema,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // Neither a validator elsewhere nor settings from the address line.
  validatorUrl: null,
  queryConfigEnabled: false,
});
