export const built = [
  { id: 'OPS-READY', method: 'GET', path: '/ready', hidden: 'application/json' },
  { id: 'OPS-METRICS', method: 'GET', path: '/metrics', hidden: 'text/plain' },
  { id: 'OPS-OPENAPI', method: 'GET', path: '/openapi.json', hidden: 'application/json' },
];

export const recipes = () => ({});
