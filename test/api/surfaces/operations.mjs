export const built = [
  { id: 'OPS-READY', method: 'GET', path: '/ready', hidden: 'application/json' },
  { id: 'OPS-METRICS', method: 'GET', path: '/metrics', hidden: 'text/plain' },
];

export const recipes = () => ({});
