/*
 * A live connection's inside, for the files it is made of: live.c (the socket), live_open.c (the handshake), live_act.c (messages), live_subscription.c, live_command.c
 * (writes) and live_presence.c.
 *
 * Thread: the loop's.
 */
#ifndef HTTP_LIVE_CONNECTION_H
#define HTTP_LIVE_CONNECTION_H

#include "http/live.h"
#include "http/live_message.h"
#include "http/live_wire.h"
#include "http/presence.h"
#include "http/request.h"
#include "http/stream.h"

#include <wslay/wslay.h>

struct live_sub {
    struct ready ready; /* First: the subscription's context. */
    struct live *live;
    stet_subscription *subscription;
    struct places *places;    /* NULL: it follows no operation. */
    struct live_seat **seats; /* At the records that it names. */
    size_t seat_count;
    bool idle;         /* The subscription said false; stet_client_ready will name it. */
    bool spoke;        /* Since the last heartbeat. */
    bool bookmark_due; /* Quiet for so long that a position is sent. */
    struct live_sub *prev, *next;
    stet_view name, json; /* The name; likewise with quotes and escapes. */
    char bytes[];
};

/* A command under way, or done and not yet answered. */
struct live_command {
    struct waiter waiter; /* First: the command's context. */
    struct live *live;
    uint64_t id; /* Of the message. */
    stet_command *command;
    bool presents;  /* The read that must succeed before somebody is present. Else a write. */
    bool cancelled; /* They left again before it did. */
    stet_version version;
    struct live_command *prev, *next;
    stet_view type, id_of;
    char bytes[];
};

/* Where this connection sits at one record. */
struct live_seat {
    struct presence_seat seat; /* First. */
    struct waiter waiter;      /* The context of `command`. */
    struct ready ready;        /* The context of `changes`. */
    stet_subscription
        *changes; /* What may take the record out of their sight; NULL: they are not present. */
    struct live *live;
    stet_command
        *command;     /* The read that says whether they may be told; NULL: none is under way. */
    unsigned watches; /* Subscriptions that name the record. */
    bool present;
    bool due;  /* Something changed: to be asked about. */
    bool news; /* What changed is who is there: to be told, if they may. */
    bool tell; /* They may be told. */
    bool dead; /* Freed when `command` comes back. */
    struct live_seat *prev, *next;
    stet_view type, id, address; /* address: with the parts encoded. */
    char bytes[];
};

struct live {
    struct source source; /* First: the outer epoll set points here. */
    struct loop *loop;
    struct turn turn;
    struct timer
        timer; /* The heartbeat; the patience with one that takes nothing; the wait for its close. */
    struct live_wire wire;
    struct request
        *request; /* With TLS: the library's, which lives, suspended, as long as we do. */
    struct wslay_event_context *wslay; /* NULL: nothing has begun to come that is not whole. */
    uint64_t taken, framed; /* By it: bytes received, and those of the frames that began. */
    struct arena arena;     /* Dies with the connection. */
    stet_space *space;
    stet_view space_name;
    stet_view request_id;
    stet_actor actor;
    struct bearer *bearer; /* NULL: nothing can end it. */
    stet_view credential;  /* What a write is authenticated with anew; empty: it cannot be. */
    stet_view csrf;        /* What has to be proven before a write; empty: nothing. */
    bool proven;

    char *rest; /* What did not go out. */
    size_t rest_at, rest_size;
    struct buffer *out; /* What is sent next; only while it is filled. */
    size_t budget;      /* Bytes that may be read before others have their turn. */
    int64_t heard_ms;   /* When something came from the client last. */
    int64_t message_ms; /* Since when a message has been coming; 0: none is. */
    unsigned fragments; /* Its frames so far. */
    const char *farewell_event, *farewell_data; /* Said last, if not NULL. */
    unsigned farewell;                          /* The code it is closed with; 0: it goes on. */
    bool blocked;                               /* The socket takes nothing now. */
    bool readable;
    bool hung_up;
    bool broken; /* What came is no frame. */
    bool failed; /* Memory is out. */
    bool ping_due;
    bool closing; /* The close is in what is sent. */
    bool closed;  /* It is sent. */
    bool dead;
    bool buried; /* Only its commands keep it. */
    struct live *prev, *next;

    struct live_sub *subs; /* The one whose turn it is comes first. */
    struct live_sub *subs_last;
    unsigned sub_count;
    struct live_command *commands;               /* Under way. */
    struct live_command *done_first, *done_last; /* To be answered. */
    unsigned command_count;                      /* Of both. */
    unsigned pending; /* Commands of any kind that have yet to come back. */
    struct live_seat *seats;
    unsigned present_count;
    bool seats_due, seats_tell;
};

/* ---- live_open.c and live.c ---- */

/* The wire is ours: says what is there to say. False: it cannot be watched; nothing was taken. */
bool live_start(struct live *live, const struct live_wire *wire);
/* Ends it at once. */
void live_die(struct live *live);
/* Frees one that was never started, or is dead. */
void live_free(struct live *live);
/* Something is to be sent. */
void live_wake(struct live *live);
/* Ends it with an event, if not NULL, and a close of this code. The first one counts. Static texts. */
void live_say_goodbye(struct live *live, unsigned code, const char *event, const char *data);
/* A command came back: one that is dead may be freed by that. */
void live_settle(struct live *live);

/* ---- live_act.c: while live->out is there ---- */

void live_act(struct live *live, stet_view text);
void live_answer(struct live *live, uint64_t id, int status, stet_view body);
/* Refuses a message. outcome: that of its command, NULL: there was none. */
void live_refuse(struct live *live, uint64_t id, const stet_error *err,
                 stet_outcome const *outcome);

/* ---- live_subscription.c ---- */

void live_subscribe(struct live *live, const struct live_message *message, struct arena *arena);
void live_unsubscribe(struct live *live, const struct live_message *message);
/* Appends events, a chunk at most. */
void live_subs_fill(struct live *live);
/* A heartbeat: those that were quiet since the last one get their position. */
void live_subs_beat(struct live *live);
void live_subs_drop(struct live *live);

/* ---- live_command.c ---- */

void live_mutate(struct live *live, const struct live_message *message);
void live_present(struct live *live, const struct live_message *message);
void live_absent(struct live *live, const struct live_message *message, struct arena *arena);
void live_commands_fill(struct live *live);
/* The connection is gone: nobody hears the answers. */
void live_commands_drop(struct live *live);

/* ---- live_presence.c ---- */

/* The seat at a record, found or taken. NULL: err says why. */
struct live_seat *live_seat_get(struct live *live, stet_view type, stet_view id, stet_error *err);
struct live_seat *live_seat_find(struct live *live, stet_view type, stet_view id);
/* One that nobody needs any more is given up. */
void live_seat_release(struct live_seat *seat);
/* They have the record open from now on, or with another version. */
stet_status live_seat_come(struct live_seat *seat, stet_version version, stet_error *err);
/* They have not, any more. The seat may be given up by that. */
void live_seat_go(struct live_seat *seat);
/* To be told who is there, if they may. */
void live_seat_due(struct live_seat *seat);
/* A record, or with an empty id all of its type, went out of sight. */
void live_seats_revoked(struct live *live, stet_view type, stet_view id);
void live_presence_fill(struct live *live);
void live_seats_drop(struct live *live);

#endif
