import { randomUUID } from 'node:crypto';

export const built = [
  { id: 'REW-01', method: 'POST', path: '/rewards/create-user', door: 'rewards', again: 400 },
  { id: 'REW-02', method: 'POST', path: '/rewards/add-points/:userId', door: 'rewards' },
  { id: 'REW-03', method: 'GET', path: '/rewards/points/:userId', door: 'rewards' },
  { id: 'REW-04', method: 'GET', path: '/rewards/transactions/:userId', door: 'rewards' },
  { id: 'REW-05', method: 'POST', path: '/rewards/redeem/:userId', door: 'rewards' },
  { id: 'REW-06', method: 'GET', path: '/rewards/options', door: 'anybody' },
  { id: 'REW-07', method: 'GET', path: '/analytics/rewards-distribution', door: 'anybody' },
  { id: 'REW-08', method: 'GET', path: '/rewards/admin/users', door: 'rewards' },
  { id: 'REW-09', method: 'GET', path: '/rewards/admin/transactions', door: 'rewards' },
  { id: 'REW-10', method: 'GET', path: '/rewards/admin/redemptions', door: 'rewards' },
  { id: 'REW-11', method: 'GET', path: '/rewards/admin/database-summary', door: 'rewards' },
  { id: 'REW-22', method: 'GET', path: '/rewards/options/:type', door: 'anybody' },
];

export const recipes = ({ people }) => {
  let rich;
  /** One member for all of them, with something earned and something redeemed. */
  const member = () => (rich ??= (async () => {
    const id = `m-${randomUUID()}`;
    const post = (path, body) => people.admin.api.post(path, { body });
    await post('/rewards/create-user', { id, name: 'Rich', email: `${id}@example.com` });
    await post(`/rewards/add-points/${id}`, { points: 10000, category: 'shopping', amount: 99.5 });
    await post(`/rewards/redeem/${id}`, { pointsToRedeem: 100, rewardType: 'voucher' });
    return { userId: id };
  })());
  const made = async () => { await member(); return {}; };
  return {
    'REW-01': { as: 'admin' },
    'REW-02': { as: 'admin', params: member },
    'REW-03': { as: 'admin', params: member },
    'REW-04': { as: 'admin', params: member },
    'REW-05': { as: 'admin', params: member },
    'REW-06': {},
    'REW-07': { params: made },
    'REW-08': { as: 'admin', params: made },
    'REW-09': { as: 'admin', params: made },
    'REW-10': { as: 'admin', params: made },
    'REW-11': { as: 'admin', params: made },
    'REW-22': { params: () => ({ type: 'voucher' }) },
  };
};
