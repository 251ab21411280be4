// The peer: what tallyd does for a bank's transfers and balances, the way a good Node engineer writes it: fastify
// with schemas, one prepared call per transfer (naive.sql), @fastify/jwt with its cache of verified tokens; and points
// out of Redis. Settings: PORT, DATABASE_URL, JWT_SECRET; for the points REDIS_URL.
import Fastify from 'fastify';
import jwt from '@fastify/jwt';
import { Redis } from 'ioredis';
import pg from 'pg';

pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const redis = process.env.REDIS_URL ? new Redis(process.env.REDIS_URL, { enableAutoPipelining: true }) : null;
const POINTS_SECONDS = 300;

const prepared = (name, text) => async (...values) => (await pool.query({ name, text, values })).rows[0];
const sql = {
    transfer: prepared('transfer', 'SELECT transfer($1, $2, $3, $4, $5) AS id'),
    transferred: prepared('transferred', 'SELECT debit, credit, amount FROM transfer WHERE id = $1'),
    balance: prepared('balance', 'SELECT balance FROM account WHERE id = $1 AND user_id = $2'),
    points: prepared('points', 'SELECT sum(balance)::bigint AS points FROM account WHERE user_id = $1'),
};

const app = Fastify({ logger: false });
await app.register(jwt, { secret: process.env.JWT_SECRET, verify: { cache: true } });
const signedIn = (request) => request.jwtVerify();

const id = { type: 'integer', minimum: 1 };
const amount = { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER };
const key = { type: 'string', minLength: 1, maxLength: 128 };
const object = (properties) => ({ type: 'object', required: Object.keys(properties), properties });
const transferBody = object({ fromAccount: id, toAccount: id, amount, idempotencyKey: key });
const transferReply = object({
    message: { type: 'string' },
    transaction: object({
        id, fromAccount: id, toAccount: id, amount, idempotencyKey: key, status: { type: 'string' },
    }),
});

app.get('/api/accounts/balance/:account', {
    onRequest: signedIn,
    schema: {
        params: object({ account: id }),
        response: { 200: object({ accountId: id, balance: { type: 'integer' } }) },
    },
}, async (request, reply) => {
    const { account } = request.params;
    const row = await sql.balance(account, request.user.user_id);
    if (!row) return reply.code(404).send({ message: 'Account not found' });
    return { accountId: account, balance: row.balance };
});

app.post('/api/transactions', {
    onRequest: signedIn,
    schema: { body: transferBody, response: { 200: transferReply } },
}, async (request, reply) => {
    const { fromAccount, toAccount, amount, idempotencyKey } = request.body;
    const caller = request.user.user_id;
    if (fromAccount === toAccount) return reply.code(400).send({ message: 'fromAccount and toAccount must differ' });
    let made;
    try {
        made = (await sql.transfer(`${caller} ${idempotencyKey}`, caller, fromAccount, toAccount, amount)).id;
    } catch (error) {
        if (error.code === 'BN001') return reply.code(400).send({ message: 'Not your account, or not enough money' });
        throw error;
    }
    if (made < 0) {
        const first = await sql.transferred(-made);
        if (first.debit !== fromAccount || first.credit !== toAccount || first.amount !== amount)
            return reply.code(409).send({ message: 'idempotencyKey was already used with different data' });
    }
    return {
        message: made > 0 ? 'Transaction completed successfully' : 'Transaction already processed',
        transaction: { id: Math.abs(made), fromAccount, toAccount, amount, idempotencyKey, status: 'completed' },
    };
});

app.get('/rewards/points/:userId', {
    schema: { params: object({ userId: id }), response: { 200: object({ userId: id, points: { type: 'integer' } }) } },
}, async (request, reply) => {
    const { userId } = request.params;
    const cached = await redis.get(`points:${userId}`);
    if (cached !== null) return { userId, points: Number(cached) };
    const { points } = await sql.points(userId);
    if (points === null) return reply.code(404).send({ message: 'User not found' });
    await redis.set(`points:${userId}`, points, 'EX', POINTS_SECONDS);
    return { userId, points };
});

app.get('/health', async () => ({ status: 'ok' }));

await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
