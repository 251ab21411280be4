export const built = [
  { id: 'OPS-READY', method: 'GET', path: '/ready', hidden: 'application/json', door: 'anybody' },
  { id: 'OPS-METRICS', method: 'GET', path: '/metrics', hidden: 'text/plain', door: 'anybody' },
];

export const recipes = () => ({});
