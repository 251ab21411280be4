/* Where PostgreSQL is to be found: the hosts of a connection string, and their addresses, looked up without blocking.
 *
 * libpq looks names up itself, but blocks while it does. So names are given to it together with the addresses that we
 * have found (host and hostaddr): it connects to the address and uses the name for everything else, such as a
 * certificate's. They are looked up anew for each connection, so that a changed address is followed. */
#pragma once

#include <stdbool.h>
#include <uv.h>

enum { ADDRESS_HOSTS_MAX = 16, ADDRESSES_MAX = 48 };

/* The hosts of a connection string. None: libpq may connect by itself, it will not look anything up and there is only
 * one host. */
struct address_hosts {
    int count;
    struct {
        const char *name, *port;   /* as they stand there; port may be "" */
        bool is_name;              /* neither an address nor a socket's directory */
    } list[ADDRESS_HOSTS_MAX];
    bool has_ports;
    char room[2048];
};

/* False when the string is malformed, or has more or longer hosts than there is room for. A string with a service or
 * with addresses of its own is libpq's affair: no hosts. */
bool address_hosts_init(struct address_hosts *h, const char *url);

/* libpq's parameters: lists of one length. */
struct address_list {
    int count;
    const char *host, *hostaddr, *port;   /* port: NULL when the string has none */
};

struct address_lookup;

/* Looks up all names of `hosts`, one after the other, on libuv's pool. `done` comes once, never from inside the call:
 * with the addresses in the hosts' order, beginning with the `first`-th (modulo their number), or with count 0 and
 * `why`; both are valid during the callback. */
struct address_lookup *address_lookup(uv_loop_t *loop, const struct address_hosts *hosts, int first,
                                      void (*done)(void *arg, const struct address_list *found, const char *why),
                                      void *arg);
/* `done` will not come. What a thread has begun goes on until the system's resolver gives up; it touches nothing of
 * ours. */
void address_lookup_forget(struct address_lookup *l);
