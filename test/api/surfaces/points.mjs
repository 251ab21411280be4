export const built = [
  { id: 'POINTS-01', method: 'GET', path: '/api/points/my-points' },
  { id: 'POINTS-09', method: 'POST', path: '/api/points/admin/add' },
];

export const recipes = ({ people }) => ({
  'POINTS-01': { as: 'ada' },
  'POINTS-09': { as: 'admin', body: () => ({ userId: people.ada.id }) },
});
