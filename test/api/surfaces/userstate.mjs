export const built = [
  { id: 'USR-43', method: 'GET', path: '/health' },
];

export const recipes = () => ({
  'USR-43': {},
});
