// What documents the others: pages and documents of the server itself.
export const built = [
  { id: 'REW-12', method: 'GET', path: '/api' },
  { id: 'REW-20', method: 'GET', path: '/api-json' },
  { id: 'REW-21', method: 'GET', path: '/websocket-test.html' },
  { id: 'OPS-OPENAPI', method: 'GET', path: '/openapi.json' },
  { id: 'OPS-ASYNCAPI', method: 'GET', path: '/asyncapi.json' },
];

export const recipes = () => ({
  'REW-12': {},
  'REW-20': {},
  'REW-21': {},
  'OPS-OPENAPI': {},
  'OPS-ASYNCAPI': {},
});
