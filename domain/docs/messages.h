/* Every message of the doors for events (contract/70-events), as a table. /asyncapi.json is written from it, and the
 * tests hold what really comes over the wire against that document, member by member. */
#pragma once

enum member_flags {
    MEMBER_NULL = 1,     /* may be null */
    MEMBER_OPTIONAL = 2, /* may be missing */
};

/* A member of a message. Its sample is a part of the message's example; an object's, or an array's of objects, is put
 * together from its own members. */
struct member {
    const char *name;   /* NULL ends a list */
    const char *type;   /* of JSON Schema */
    const char *sample; /* JSON text */
    const char *help;
    const char *choices; /* all values there are, separated by blanks; a single one is a constant */
    unsigned flags;
    const struct member *members; /* of an object, or of each object of an array */
};

enum message_way { FROM_SERVER, FROM_CLIENT };

struct message {
    const char *name; /* NULL ends a list */
    enum message_way way;
    const char *summary;
    const struct member *members;
    const char *replies;         /* FROM_CLIENT: messages of this channel that answer it, separated by blanks */
    const struct member *answer; /* FROM_CLIENT: what an acknowledgement brings */
};

struct channel {
    const char *key;     /* NULL ends the list */
    const char *server;  /* "websocket" or "socketio" */
    const char *address; /* a path, or a namespace of Socket.IO */
    const char *title, *description;
    const struct message *messages;
};

extern const struct channel channels[];
