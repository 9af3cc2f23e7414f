// The API's document, to be read and tried.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#api", deepLinking: true });
