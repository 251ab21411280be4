// The money half of the userstate surface.
import assert from 'node:assert/strict';

export const built = [
  { id: 'USR-21', method: 'POST', path: '/payment-checkout', door: 'customer' },
  { id: 'USR-22', method: 'POST', path: '/sys/payment-checkout', door: 'key userstate' },
  { id: 'USR-23', method: 'POST', path: '/payment-callback', door: 'callback' },
  { id: 'USR-26', method: 'GET', path: '/invoice/detail', door: 'anybody' },
  { id: 'USR-27', method: 'GET', path: '/invoice/detail/xendit', door: 'customer', other: 404 },
  { id: 'USR-28', method: 'GET', path: '/invoice/list/xendit', door: 'customer' },
  { id: 'USR-29', method: 'POST', path: '/invoice/cancel/xendit', door: 'customer', other: 404 },
  { id: 'USR-32', method: 'POST', path: '/bank/list', door: 'anybody' },
  { id: 'USR-33', method: 'GET', path: '/payment/list', door: 'anybody' },
  { id: 'USR-35', method: 'POST', path: '/points/redeem', door: 'customer', other: 400 },
  { id: 'USR-40', method: 'POST', path: '/fcm/send', door: 'key userstate' },
  { id: 'USR-44', method: 'GET', path: '/scheduler', door: 'key userstate' },
  { id: 'USR-63', method: 'POST', path: '/payout', door: 'customer', other: 400 },
  { id: 'USR-64', method: 'GET', path: '/payout/list', door: 'customer' },
  { id: 'USR-65', method: 'GET', path: '/payout/detail', door: 'customer', other: 404 },
  { id: 'USR-66', method: 'POST', path: '/payout-callback', door: 'callback' },
  { id: 'USR-24', method: 'GET', path: '/balance', door: 'customer' },
  { id: 'USR-25', method: 'POST', path: '/balance/decrease', door: 'customer', other: 400 },
  { id: 'USR-30', method: 'POST', path: '/redeem-voucher', door: 'key userstate' },
  { id: 'USR-31', method: 'GET', path: '/check-voucher-redemption', door: 'customer' },
  { id: 'USR-67', method: 'POST', path: '/sys/voucher', door: 'key userstate' },
  { id: 'USR-68', method: 'GET', path: '/sys/voucher/list', door: 'key userstate' },
  { id: 'USR-69', method: 'GET', path: '/sandbox/invoices/:invoice_id', hidden: 'application/json', status: 404,
    door: 'anybody' },
  { id: 'USR-70', method: 'POST', path: '/sandbox/invoices/:invoice_id/:action', door: 'sandbox' },
];

export const recipes = ({ people }) => {
  const invoice = async () => {
    const body = { amount: 5, description: 'Top-up', payment_method: 'EWALLET', ewallet_type: 'OVO' };
    const reply = await people.ada.api.post('/payment-checkout', { body });
    assert.equal(reply.status, 201, reply.text);
    return reply.json;
  };
  const pay = async (path) => {
    const reply = await people.payer.api.post(`${new URL(path).pathname}/pay`);
    assert.equal(reply.status, 200, reply.text);
  };
  const payout = async () => {
    await pay((await invoice()).invoice_url);
    const body = { amount: 5, bank_code: 'BCA', account_number: '1', account_holder_name: 'Ada', description: 'x' };
    const reply = await people.ada.api.post('/payout', { body });
    assert.equal(reply.status, 201, reply.text);
    return reply.json;
  };
  const voucher = async (code) => {
    const reply = await people.key.api.post('/sys/voucher', { body: {
      voucher_code: code, amount: 25, description: 'x', usage_limit: 9, valid_until: '2036-01-01' } });
    assert.ok([201, 409].includes(reply.status), reply.text);
    return code;
  };
  const its = (name) => async () => ({ [name]: (await invoice())[name] });
  return {
    'USR-21': { as: 'ada' },
    'USR-22': { as: 'key', body: its('username') },
    'USR-23': { as: 'provider', body: async () => {
      const { invoice_id: id, external_id } = await invoice();
      return { id, external_id };
    } },
    'USR-24': { as: 'ada' },
    'USR-25': { as: 'ada', body: async () => { await pay((await invoice()).invoice_url); return { amount: 1 }; } },
    'USR-30': { as: 'key', body: async () => {
      const { username } = await invoice();
      return { username, voucher_code: await voucher('RECIPE') };
    } },
    'USR-31': { as: 'ada', query: async () => {
      const { username } = await invoice();
      const body = { username, voucher_code: await voucher('CHECKED') };
      await people.key.api.post('/redeem-voucher', { body });
      return { voucher_code: body.voucher_code };
    } },
    'USR-35': { as: 'ada', body: async () => {
      const body = { userId: people.ada.id, amount: 100, reason: 'x' };
      await people.admin.api.post('/api/points/admin/add', { body });
      return {};
    } },
    'USR-40': { as: 'key', body: its('username') },
    'USR-44': { as: 'key' },
    'USR-63': { as: 'ada', body: async () => { await pay((await invoice()).invoice_url); return {}; } },
    'USR-64': { as: 'ada', query: async () => { await payout(); return {}; } },
    'USR-65': { as: 'ada', query: async () => ({ payout_id: (await payout()).payout_id }) },
    'USR-66': { as: 'provider', body: async () => {
      const { reference_id } = await payout();
      return { data: { id: 'disb-1', reference_id, status: 'SUCCEEDED' } };
    } },
    'USR-67': { as: 'key' },
    'USR-68': { as: 'key' },
    'USR-26': { query: async () => {
      const { invoice_id, invoice_url } = await invoice();
      await pay(invoice_url);
      return { invoice_id };
    } },
    'USR-27': { as: 'ada', query: its('invoice_id') },
    'USR-28': { as: 'ada' },
    'USR-29': { as: 'ada', body: its('invoice_id') },
    'USR-32': {},
    'USR-33': {},
    'USR-70': { as: 'payer', params: async () => ({ ...await its('invoice_id')(), action: 'pay' }) },
  };
}
