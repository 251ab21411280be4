export const built = [
  { id: 'POINTS-01', method: 'GET', path: '/api/points/my-points', door: 'customer' },
  { id: 'POINTS-02', method: 'GET', path: '/api/points/transactions', door: 'customer' },
  { id: 'POINTS-03', method: 'GET', path: '/api/points/referrals', door: 'customer' },
  { id: 'POINTS-04', method: 'GET', path: '/api/points/levels', door: 'customer' },
  { id: 'POINTS-05', method: 'GET', path: '/api/points/leaderboard', door: 'customer' },
  { id: 'POINTS-06', method: 'POST', path: '/api/points/redeem', door: 'customer', other: 400 },
  { id: 'POINTS-07', method: 'POST', path: '/api/points/generate-referral-code', door: 'customer' },
  { id: 'POINTS-08', method: 'GET', path: '/r/:code', door: 'anybody' },
  { id: 'POINTS-09', method: 'POST', path: '/api/points/admin/add', door: 'admin' },
  { id: 'POINTS-20', method: 'POST', path: '/internal/points/earn', door: 'key points' },
  { id: 'POINTS-21', method: 'PUT', path: '/api/points/admin/levels', door: 'admin' },
];

export const recipes = ({ people }) => {
  const give = (amount) => people.admin.api.post('/api/points/admin/add', {
    body: { userId: people.ada.id, amount, reason: 'for the examples' } });
  return {
    'POINTS-01': { as: 'ada' },
    'POINTS-02': { as: 'ada', params: () => give(1) },
    'POINTS-03': { as: 'ada' },
    'POINTS-04': { as: 'ada' },
    'POINTS-05': { as: 'ada' },
    'POINTS-06': { as: 'ada', params: () => give(320) },
    'POINTS-07': { as: 'ada' },
    'POINTS-08': { params: () => ({ code: 'ABCD1234' }), leadsTo: /\/auth\/jwt\/sign-up\?ref=ABCD1234$/ },
    'POINTS-09': { as: 'admin', body: () => ({ userId: people.ada.id }) },
    'POINTS-20': { as: 'key', body: () => ({ userId: people.ada.id }) },
    'POINTS-21': { as: 'admin' },
  };
};
