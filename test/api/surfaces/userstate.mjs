import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { api } from '../../lib/client.mjs';
import { form, png, upload } from '../../lib/pictures.mjs';
import { codeTo, linkTo, newcomer, newPhone, signUp } from '../../lib/userstate.mjs';

export const built = [
  // people
  { id: 'USR-01', method: 'POST', path: '/auth', door: 'anybody' },
  { id: 'USR-02', method: 'POST', path: '/signup', door: 'anybody' },
  { id: 'USR-03', method: 'POST', path: '/check/email', door: 'anybody' },
  { id: 'USR-04', method: 'POST', path: '/verify-sign-up', door: 'token' },
  { id: 'USR-05', method: 'POST', path: '/request-reset-pwd', door: 'anybody' },
  { id: 'USR-06', method: 'POST', path: '/reset-pwd', door: 'token' },
  { id: 'USR-06-PAGE', method: 'GET', path: '/reset-pwd', hidden: 'text/html', door: 'anybody' },
  { id: 'USR-07', method: 'POST', path: '/update-pwd', door: 'customer', ends: true },
  { id: 'USR-08', method: 'GET', path: '/extend', door: 'customer' },
  { id: 'USR-09', method: 'GET', path: '/verify', door: 'customer' },
  { id: 'USR-10', method: 'GET', path: '/logoff', door: 'customer', ends: true },
  { id: 'USR-11', method: 'POST', path: '/deactivate', door: 'customer', ends: true },
  { id: 'USR-12', method: 'GET', path: '/user/profile', door: 'customer' },
  { id: 'USR-13', method: 'PUT', path: '/user/profile', door: 'customer', other: 409 },
  { id: 'USR-14', method: 'POST', path: '/user/update-profile-img', door: 'customer' },
  { id: 'USR-15', method: 'GET', path: '/user/referral-code', door: 'customer' },
  { id: 'USR-16', method: 'GET', path: '/address/list', door: 'customer' },
  { id: 'USR-17', method: 'POST', path: '/address', door: 'customer' },
  { id: 'USR-18', method: 'PUT', path: '/address/:id', door: 'customer', other: 404 },
  { id: 'USR-19', method: 'DELETE', path: '/address/:id', door: 'customer', other: 404 },
  { id: 'USR-20', method: 'POST', path: '/address/set-default', door: 'customer', other: 404 },
  { id: 'USR-34', method: 'GET', path: '/points/history', door: 'customer' },
  { id: 'USR-36', method: 'GET', path: '/referral/history', door: 'customer' },
  { id: 'USR-37', method: 'GET', path: '/referral/stats', door: 'customer' },
  { id: 'USR-38', method: 'POST', path: '/fcm/register', door: 'customer' },
  { id: 'USR-39', method: 'DELETE', path: '/fcm/token', door: 'customer' },
  { id: 'USR-41', method: 'GET', path: '/marketing-offer/list', door: 'customer' },
  { id: 'USR-42', method: 'POST', path: '/marketing-offer', door: 'key userstate' },
  { id: 'USR-45', method: 'GET', path: '/resources/user_profile_img/:file', door: 'anybody' },
  { id: 'USR-60', method: 'GET', path: '/verify-sign-up', hidden: 'text/html', status: 401, door: 'token' },
  { id: 'USR-61', method: 'GET', path: '/faq/list', door: 'anybody' },
  { id: 'USR-62', method: 'POST', path: '/faq', door: 'key userstate' },
  { id: 'USR-71', method: 'GET', path: '/images/:file', door: 'anybody' },
  { id: 'USR-72', method: 'POST', path: '/user/verify-phone/request', door: 'customer' },
  { id: 'USR-73', method: 'POST', path: '/user/verify-phone', door: 'customer', other: 400 },

  { id: 'USR-43', method: 'GET', path: '/health', door: 'anybody' },
];

export const recipes = ({ people, server }) => {
  const anybody = api(server);
  /** Somebody of his own for what ends his tokens. */
  const as = (name) => ({ as: name, params: async () => { people[name] = await signUp(server); return {}; } });
  const anAddress = async () => (await people.ada.api.post('/address', { body: { label: 'Home', recipient_name: 'Ada',
    phone_number: '628123456789', address: 'Street 1' } })).json.data.id;
  return {
    'USR-01': { body: () => ({ username: people.ada.email, password: people.ada.password }) },
    'USR-02': {},
    'USR-03': {},
    'USR-04': {
      body: async () => {
        const body = newcomer();
        await anybody.post('/signup', { body });
        return { token: await linkTo(server, body.email, 'verify-sign-up') };
      },
    },
    'USR-05': {},
    'USR-06': {
      body: async () => {
        const { email } = await signUp(server);
        await anybody.post('/request-reset-pwd', { body: { email } });
        return { token: await linkTo(server, email, 'reset-pwd') };
      },
    },
    'USR-07': as('changer'),
    'USR-08': { as: 'ada' },
    'USR-09': { as: 'ada' },
    'USR-10': as('goer'),
    'USR-11': as('leaver'),
    'USR-12': {
      as: 'numbered',
      params: async () => {
        people.numbered = await signUp(server, { phone_number: newPhone() });
        return {};
      },
    },
    'USR-13': as('changed'),
    'USR-14': { as: 'ada', form: () => form(png(3, 2)) },
    'USR-15': { as: 'ada' },
    'USR-16': { as: 'ada', params: async () => ({ id: await anAddress() }) },
    'USR-17': { as: 'ada' },
    'USR-18': { as: 'ada', params: async () => ({ id: await anAddress() }) },
    'USR-19': { as: 'ada', params: async () => ({ id: await anAddress() }) },
    'USR-20': { as: 'ada', body: async () => ({ id: await anAddress() }) },
    'USR-34': { as: 'ada' },
    'USR-36': { as: 'ada' },
    'USR-37': { as: 'ada' },
    'USR-38': { as: 'ada' },
    'USR-39': { as: 'ada', query: () => ({ token: 'fcm-token-1' }) },
    'USR-41': { as: 'ada' },
    'USR-42': { as: 'key' },
    'USR-45': { params: async () => ({ file: path.basename(await upload(people.ada, png(3, 2))) }) },
    'USR-61': {},
    'USR-62': { as: 'key' },
    'USR-71': {
      params: async () => {
        const shown = await fetch(new URL(await upload(people.ada, png(3, 2)), server.url));
        mkdirSync(path.join(server.dataDir, 'images'), { recursive: true });
        writeFileSync(path.join(server.dataDir, 'images/offer1.jpg'), Buffer.from(await shown.arrayBuffer()));
        return { file: 'offer1.jpg' };
      },
    },
    'USR-72': { as: 'ada', body: () => ({ phone_number: newPhone() }) },
    'USR-73': {
      as: 'ada',
      body: async () => {
        const phone_number = newPhone();
        await people.ada.api.post('/user/verify-phone/request', { body: { phone_number } });
        return { otp: await codeTo(server, phone_number) };
      },
    },

    'USR-43': {},
  };
};
