// What documents the others: pages and documents of the server itself.
export const built = [
  { id: 'REW-12', method: 'GET', path: '/api', door: 'anybody' },
  { id: 'REW-20', method: 'GET', path: '/api-json', door: 'anybody' },
  { id: 'REW-21', method: 'GET', path: '/websocket-test.html', door: 'anybody' },
  { id: 'OPS-OPENAPI', method: 'GET', path: '/openapi.json', door: 'anybody' },
  { id: 'OPS-ASYNCAPI', method: 'GET', path: '/asyncapi.json', door: 'anybody' },
];

export const recipes = () => ({
  'REW-12': {},
  'REW-20': {},
  'REW-21': {},
  'OPS-OPENAPI': {},
  'OPS-ASYNCAPI': {},
});
