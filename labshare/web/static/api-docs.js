// Starts Swagger UI from our own files, with the description of this installation's API.
"use strict";

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
