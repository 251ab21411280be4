// Swagger UI over the server's own description.
const trouble = document.getElementById('trouble');

try {
  const reply = await fetch('/api-json');
  if (!reply.ok) throw new Error(`the description was answered with ${reply.status}`);
  const spec = await reply.json();
  // The description names the public address. A page that was opened by another name of the server calls that one:
  // its policy allows no other.
  spec.servers = [{ url: location.origin, description: 'the server of this page' }];
  globalThis.SwaggerUIBundle({
    spec,
    dom_id: '#ui',
    docExpansion: 'none',
    deepLinking: true,
    filter: true,
    tryItOutEnabled: true,
    displayOperationId: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: -1,
    persistAuthorization: false,
    validatorUrl: null,
  });
} catch (error) {
  trouble.textContent = `The description could not be loaded: ${error.message}. Please reload the page.`;
  trouble.hidden = false;
}
