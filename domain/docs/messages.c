/* The samples are those of one story: a customer "john_doe" crosses a level by 50 points, and a member "john123". */
#include "domain/docs/messages.h"

#include <stddef.h>

#define TIME "\"2026-02-09T10:00:00.000Z\""
#define CURSOR "\"Gk3mS0Yc8wEBAgQ\""
#define MEMBER(n, t, s, ...) { .name = n, .type = t, .sample = s, __VA_ARGS__ }
#define OF_TYPE(word) MEMBER("type", "string", "\"" word "\"", .choices = word)

/* What several messages have in common ---------------------------------------------------------------- */

static const struct member level[] = {
    MEMBER("name", "string", "\"silver\""),
    MEMBER("tier", "integer", "2"),
    MEMBER("minPoints", "integer", "1000", .help = "lifetime points from which the level is held"),
    MEMBER("perks", "array", "[]"),
    { NULL },
};

static const struct member previous_level[] = {
    MEMBER("name", "string", "\"bronze\""),
    MEMBER("tier", "integer", "1"),
    MEMBER("minPoints", "integer", "0"),
    MEMBER("perks", "array", "[]", .flags = MEMBER_OPTIONAL),
    { NULL },
};

/* /ws: events ------------------------------------------------------------------------------------------- */

#define EVENT(word, members_of_data)                                                                                   \
    OF_TYPE(word),                                                                                                     \
    MEMBER("stream", "string", "\"65d5f0a1b2c3d4e5f6071830\"", .help = "an account, or the user's inbox"),             \
    MEMBER("seq", "integer", "17", .help = "the stream's next number, without gaps"),                                  \
    MEMBER("cursor", "string", CURSOR, .flags = MEMBER_OPTIONAL,                                                       \
           .help = "stands for all that the user was sent so far; missing on topics that many share"),                 \
    MEMBER("conflated", "integer", "3", .flags = MEMBER_OPTIONAL,                                                      \
           .help = "so many were replaced by this one, because the client did not read"),                              \
    MEMBER("at", "string", TIME, .help = "when it was committed"),                                                     \
    MEMBER("data", "object", NULL, .members = members_of_data),                                                        \
    { NULL }

static const struct member points_updated[] = {
    MEMBER("program", "string", "\"points\"", .choices = "points rewards"),
    MEMBER("userId", "string", "\"65d4f0a1b2c3d4e5f6071829\"", .help = "of a user; in program rewards the member's id"),
    MEMBER("username", "string", "\"john_doe\"", .flags = MEMBER_NULL),
    MEMBER("reason", "string", "\"earn\"", .choices = "earn redeem referral purchase review admin_grant admin_deduct"),
    MEMBER("delta", "integer", "50"),
    MEMBER("balance", "integer", "370"),
    MEMBER("lifetimePoints", "integer", "1030", .flags = MEMBER_NULL),
    MEMBER("transactionId", "string", "\"65d6f0a1b2c3d4e5f6071831\""),
    MEMBER("category", "string", "\"shopping\"", .flags = MEMBER_NULL),
    MEMBER("rewardType", "string", "null", .flags = MEMBER_NULL),
    MEMBER("referredUserId", "string", "null", .flags = MEMBER_NULL),
    { NULL },
};

#define LEVEL_UP                                                                                                       \
    MEMBER("userId", "string", "\"65d4f0a1b2c3d4e5f6071829\""),                                                        \
    MEMBER("previousLevel", "object", NULL, .flags = MEMBER_NULL, .members = previous_level),                          \
    MEMBER("level", "object", NULL, .members = level),                                                                 \
    MEMBER("lifetimePoints", "integer", "1030"),                                                                       \
    MEMBER("transactionId", "string", "\"65d6f0a1b2c3d4e5f6071831\"")

static const struct member level_up[] = { LEVEL_UP, MEMBER("username", "string", "\"john_doe\""), { NULL } };

#define PAYMENT_STATUSES "PAID EXPIRED CANCELLED FAILED"

static const struct member payment_status[] = {
    MEMBER("invoiceId", "string", "\"inv_123\""),
    MEMBER("externalId", "string", "\"order-77\""),
    MEMBER("username", "string", "\"john_doe\""),
    MEMBER("status", "string", "\"PAID\"", .choices = PAYMENT_STATUSES),
    MEMBER("previousStatus", "string", "\"PENDING\""),
    MEMBER("amount", "number", "100000"),
    MEMBER("currency", "string", "\"USD\""),
    MEMBER("paidAt", "string", "\"2024-01-01T00:00:00.000Z\"", .flags = MEMBER_NULL),
    { NULL },
};

static const struct member balance_updated[] = {
    MEMBER("account", "string", "\"65d5f0a1b2c3d4e5f6071830\""),
    MEMBER("kind", "string", "\"bank\"", .choices = "bank atm wallet"),
    MEMBER("delta", "number", "-500"),
    MEMBER("balance", "number", "1500"),
    MEMBER("currency", "string", "\"USD\""),
    MEMBER("transactionId", "string", "\"65d6f0a1b2c3d4e5f6071831\""),
    MEMBER("reason", "string", "\"bank.transfer\""),
    { NULL },
};

static const struct member frame_points_updated[] = { EVENT("points-updated", points_updated) };
static const struct member frame_level_up[] = { EVENT("level-up", level_up) };
static const struct member frame_payment_status[] = { EVENT("payment-status", payment_status) };
static const struct member frame_balance_updated[] = { EVENT("balance-updated", balance_updated) };

/* /ws: the conversation ----------------------------------------------------------------------------- */

static const struct member hello[] = {
    OF_TYPE("hello"),
    MEMBER("version", "integer", "1"),
    MEMBER("userId", "string", "\"65d4f0a1b2c3d4e5f6071829\"", .help = "null: nobody, or a key", .flags = MEMBER_NULL),
    MEMBER("cursor", "string", CURSOR, .help = "of now", .flags = MEMBER_NULL),
    MEMBER("resumed", "integer", "null", .help = "how many missed events came before; null without a cursor",
           .flags = MEMBER_NULL),
    { NULL },
};

static const struct member account_state[] = {
    MEMBER("account", "string", "\"65d5f0a1b2c3d4e5f6071830\""),
    MEMBER("seq", "integer", "17"),
    MEMBER("kind", "string", "\"points\"", .choices = "bank atm wallet points"),
    MEMBER("balance", "number", "370"),
    MEMBER("currency", "string", "null", .flags = MEMBER_NULL),
    MEMBER("lifetimePoints", "integer", "1030", .help = "of points", .flags = MEMBER_OPTIONAL),
    MEMBER("level", "object", NULL, .help = "of points", .flags = MEMBER_OPTIONAL | MEMBER_NULL, .members = level),
    { NULL },
};

static const struct member open_invoice[] = {
    MEMBER("invoiceId", "string", "\"inv_123\""),
    MEMBER("externalId", "string", "\"order-77\""),
    MEMBER("username", "string", "\"john_doe\""),
    MEMBER("status", "string", "\"PENDING\"", .choices = "PENDING"),
    MEMBER("amount", "number", "100000"),
    MEMBER("currency", "string", "\"USD\""),
    MEMBER("paidAt", "string", "null", .flags = MEMBER_NULL),
    { NULL },
};

static const struct member snapshot[] = {
    MEMBER("accounts", "array", NULL, .members = account_state),
    MEMBER("invoices", "array", NULL, .help = "those that are open, the newest 100", .members = open_invoice),
    { NULL },
};

static const struct member resync[] = {
    OF_TYPE("resync"),
    MEMBER("stream", "string", "\"65d5f0a1b2c3d4e5f6071830\"", .help = "missing: all of them",
           .flags = MEMBER_OPTIONAL),
    MEMBER("snapshot", "object", NULL, .members = snapshot),
    { NULL },
};

#define TOPICS MEMBER("topics", "array", "[\"points\",\"rewards:john123\"]")

static const struct member subscribed[] = { OF_TYPE("subscribed"), TOPICS, { NULL } };
static const struct member unsubscribed[] = { OF_TYPE("unsubscribed"), TOPICS, { NULL } };
static const struct member subscribe[] = { OF_TYPE("subscribe"), TOPICS, { NULL } };
static const struct member unsubscribe[] = { OF_TYPE("unsubscribe"), TOPICS, { NULL } };
static const struct member ping[] = { OF_TYPE("ping"), { NULL } };
static const struct member pong[] = { OF_TYPE("pong"), { NULL } };

static const struct member expiring[] = {
    OF_TYPE("expiring"),
    MEMBER("in", "integer", "60", .help = "seconds; send an auth message with a new token"),
    { NULL },
};

static const struct member auth[] = {
    OF_TYPE("auth"),
    MEMBER("token", "string", "\"eyJ...\"", .flags = MEMBER_OPTIONAL),
    MEMBER("key", "string", "\"holder:apiKey\"", .help = "instead of a token", .flags = MEMBER_OPTIONAL),
    MEMBER("cursor", "string", CURSOR, .help = "of an earlier connection: what was missed since then comes first",
           .flags = MEMBER_OPTIONAL),
    { NULL },
};

static const struct member error[] = {
    OF_TYPE("error"),
    MEMBER("code", "string", "\"forbidden\"", .choices = "forbidden unknown_topic too_many_topics unknown_type"),
    MEMBER("message", "string", "\"Not allowed to hear this topic\""),
    MEMBER("topic", "string", "\"payments:jane_doe\"", .flags = MEMBER_OPTIONAL | MEMBER_NULL),
    { NULL },
};

static const struct message native_messages[] = {
    { "points-updated", FROM_SERVER, "A points balance has changed", .members = frame_points_updated },
    { "level-up", FROM_SERVER, "A level was reached", .members = frame_level_up },
    { "payment-status", FROM_SERVER, "An invoice has changed its status", .members = frame_payment_status },
    { "balance-updated", FROM_SERVER, "A money account has changed", .members = frame_balance_updated },
    { "hello", FROM_SERVER, "After connecting, and after each accepted auth", .members = hello },
    { "resync", FROM_SERVER, "Too much was missed, or the cursor says nothing: how things stand", .members = resync },
    { "subscribed", FROM_SERVER, "What is heard in addition", .members = subscribed },
    { "unsubscribed", FROM_SERVER, "What is heard no more", .members = unsubscribed },
    { "error", FROM_SERVER, "What was asked for cannot be had; the connection stays", .members = error },
    { "pong", FROM_SERVER, "The answer to a ping", .members = pong },
    { "expiring", FROM_SERVER, "The token ends in a minute, and the connection with it", .members = expiring },
    { "auth", FROM_CLIENT, "Who is it; also extends a running connection", .members = auth, .replies = "hello resync" },
    { "subscribe", FROM_CLIENT, "Hear more topics", .members = subscribe, .replies = "subscribed error" },
    { "unsubscribe", FROM_CLIENT, "Hear less topics", .members = unsubscribe, .replies = "unsubscribed" },
    { "ping", FROM_CLIENT, "Is somebody there?", .members = ping, .replies = "pong error" },
    { NULL },
};

/* Members: Socket.IO's namespace /rewards, and the plain stream ---------------------------------------- */

static const struct member rewards_points_updated[] = {
    MEMBER("userId", "string", "\"john123\""),
    MEMBER("points", "integer", "500", .help = "the new balance"),
    MEMBER("pointsAdded", "integer", "500"),
    MEMBER("category", "string", "\"shopping\""),
    MEMBER("amount", "number", "100", .help = "of the purchase"),
    MEMBER("transactionId", "string", "\"65d6f0a1b2c3d4e5f6071831\""),
    MEMBER("timestamp", "string", TIME),
    { NULL },
};

static const struct member reward_redeemed[] = {
    MEMBER("userId", "string", "\"john123\""),
    MEMBER("redemptionId", "string", "\"65d6f0a1b2c3d4e5f6071831\""),
    MEMBER("rewardType", "string", "\"voucher\""),
    MEMBER("pointsRedeemed", "integer", "200"),
    MEMBER("remainingPoints", "integer", "300"),
    MEMBER("timestamp", "string", TIME),
    { NULL },
};

static const struct member plain_points_updated[] = {
    MEMBER("event", "string", "\"pointsUpdated\"", .choices = "pointsUpdated"),
    MEMBER("data", "object", NULL, .members = rewards_points_updated),
    { NULL },
};

static const struct member plain_reward_redeemed[] = {
    MEMBER("event", "string", "\"rewardRedeemed\"", .choices = "rewardRedeemed"),
    MEMBER("data", "object", NULL, .members = reward_redeemed),
    { NULL },
};

static const struct member one_member[] = { MEMBER("userId", "string", "\"john123\""), { NULL } };

static const struct member acknowledgement[] = {
    MEMBER("status", "boolean", "true"),
    MEMBER("message", "string", "\"Unauthorized\"", .help = "why not", .flags = MEMBER_OPTIONAL),
    { NULL },
};

#define POINTS_UPDATED "A member has earned points"
#define REWARD_REDEEMED "A member has spent points"

static const struct message rewards_messages[] = {
    { "pointsUpdated", FROM_SERVER, POINTS_UPDATED, .members = rewards_points_updated },
    { "rewardRedeemed", FROM_SERVER, REWARD_REDEEMED, .members = reward_redeemed },
    { "subscribe", FROM_CLIENT, "Hear this member only", .members = one_member, .answer = acknowledgement },
    { "unsubscribe", FROM_CLIENT, "Hear this member no more", .members = one_member, .answer = acknowledgement },
    { NULL },
};

static const struct message plain_messages[] = {
    { "pointsUpdated", FROM_SERVER, POINTS_UPDATED, .members = plain_points_updated },
    { "rewardRedeemed", FROM_SERVER, REWARD_REDEEMED, .members = plain_reward_redeemed },
    { NULL },
};

/* Socket.IO's default namespace ---------------------------------------------------------------------- */

static const struct member socketio_level_up[] = { LEVEL_UP, MEMBER("timestamp", "string", TIME), { NULL } };

static const struct member referral_reward[] = {
    MEMBER("referrerId", "string", "\"65d4f0a1b2c3d4e5f6071829\""),
    MEMBER("referredUserId", "string", "\"65d7f0a1b2c3d4e5f6071832\""),
    MEMBER("referredName", "string", "\"Jane Doe\""),
    MEMBER("points", "integer", "50"),
    MEMBER("balance", "integer", "370"),
    MEMBER("timestamp", "string", TIME),
    { NULL },
};

static const struct member payment_status_update[] = {
    MEMBER("invoice_id", "string", "\"inv_123\""),
    MEMBER("status", "string", "\"PAID\"", .choices = PAYMENT_STATUSES),
    MEMBER("amount", "number", "100000"),
    MEMBER("paid_at", "string", "\"2024-01-01T00:00:00.000Z\"", .help = "null unless paid", .flags = MEMBER_NULL),
    { NULL },
};

static const struct member one_username[] = { MEMBER("username", "string", "\"john_doe\""), { NULL } };
static const struct member own_id[] = { MEMBER("userId", "string", "\"65d4f0a1b2c3d4e5f6071829\""), { NULL } };

static const struct message socketio_messages[] = {
    { "level-up", FROM_SERVER, "A level was reached", .members = socketio_level_up },
    { "referral-reward", FROM_SERVER, "A referred person has brought a reward", .members = referral_reward },
    { "payment:status:update", FROM_SERVER, "An invoice has changed its status", .members = payment_status_update },
    { "balance-updated", FROM_SERVER, "A money account has changed", .members = balance_updated },
    { "subscribe:payment", FROM_CLIENT, "Hear of a user's payments", .members = one_username,
      .answer = acknowledgement },
    { "unsubscribe:payment", FROM_CLIENT, "Hear of them no more", .members = one_username, .answer = acknowledgement },
    { "join", FROM_CLIENT, "One's own room, in which one is already", .members = own_id, .answer = acknowledgement },
    { NULL },
};

const struct channel channels[] = {
    { "ws", "websocket", "/ws", "The server's own WebSocket",
      "Text frames with one JSON object each. A token comes as Authorization header, as cookie, as the subprotocol "
      "bearer.<token> beside tally.v1, or in an auth message; never in the address. With a token the topics points, "
      "payments and accounts are heard without asking; others are subscribed to: payments:<username>, rewards, "
      "rewards:<memberId>. A client that comes back hands in the last cursor it saw, at the upgrade (/ws?cursor=...) "
      "or in auth, and gets what it missed.",
      native_messages },
    { "rewards", "websocket", "/rewards", "Members' points as a plain WebSocket",
      "The two events of the rewards surface, without any protocol around them.", plain_messages },
    { "socketio", "socketio", "/", "Socket.IO, default namespace",
      "With a token (auth: { token }) a socket is in its user's room. Each message is a Socket.IO event of that name.",
      socketio_messages },
    { "socketio-rewards", "socketio", "/rewards", "Socket.IO, namespace /rewards",
      "Every member's events that the connection may see, or those of the members it has subscribed to.",
      rewards_messages },
    { NULL },
};
