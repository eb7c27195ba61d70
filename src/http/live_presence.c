/*
 * Where a live connection sits in the register of presence, and what it is told of it.
 *
 * Nothing is said to who may not read the record: before each time somebody is told, the record is read in their name. A read of what is at hand
 * is done at once, and what changes often is told at most every PRESENCE_MS.
 *
 * Who is present and may not read the record any more is so no longer, though nobody else comes or goes: each of their seats follows the record and
 * its type's rules, and the record is read in their name after every change of either. (Other rights of their own end the connection: bearer.h.)
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/live_connection.h"
#include "http/live_frame.h"
#include "http/websocket.h"

#include <stdlib.h>

static struct presence *register_of(const struct live *live) {
    return live->loop->server->presence;
}

/* ---- Seats ---- */

struct live_seat *live_seat_find(struct live *live, stet_view type, stet_view id) {
    struct live_seat *seat = live->seats;
    while (seat != NULL && !(view_equal(seat->type, type) && view_equal(seat->id, id)))
        seat = seat->next;
    return seat;
}

static stet_view keep(char **at, stet_view text) {
    stet_view kept = view_make(*at, text.size);
    memcpy(*at, text.bytes, text.size);
    *at += text.size;
    return kept;
}

static struct live_seat *seat_create(struct live *live, stet_view type, stet_view id,
                                     stet_error *err) {
    struct arena arena;
    struct live_seat *seat = NULL;
    arena_init(&arena, 512);
    stet_view type_text = percent_encode(&arena, type);
    stet_view id_text = percent_encode(&arena, id);
    stet_view address = arena_format(&arena, "%.*s/%.*s", VIEW_ARG(type_text), VIEW_ARG(id_text));
    if (type_text.bytes != NULL && id_text.bytes != NULL && address.bytes != NULL)
        seat = calloc(1, sizeof *seat + type.size + id.size + address.size);
    if (seat == NULL) {
        error_set(err, STET_NO_MEMORY, "out of memory");
    } else {
        char *at = seat->bytes;
        seat->type = keep(&at, type);
        seat->id = keep(&at, id);
        seat->address = keep(&at, address);
        seat->live = live;
        if (presence_sit(register_of(live), live->space_name, seat->address, live->loop->index,
                         live->actor.id, &seat->seat, err) != STET_OK) {
            free(seat);
            seat = NULL;
        }
    }
    arena_done(&arena);
    return seat;
}

struct live_seat *live_seat_get(struct live *live, stet_view type, stet_view id, stet_error *err) {
    struct live_seat *seat = live_seat_find(live, type, id);
    if (seat != NULL) return seat;
    seat = seat_create(live, type, id, err);
    if (seat == NULL) return NULL;
    seat->next = live->seats;
    if (live->seats != NULL) live->seats->prev = seat;
    live->seats = seat;
    return seat;
}

static void follow_end(struct live_seat *seat) {
    if (seat->changes != NULL) stet_unsubscribe(seat->changes);
    seat->changes = NULL;
}

static void seat_drop(struct live_seat *seat) {
    struct live *live = seat->live;
    follow_end(seat);
    presence_leave(register_of(live), &seat->seat);
    *(seat->prev != NULL ? &seat->prev->next : &live->seats) = seat->next;
    if (seat->next != NULL) seat->next->prev = seat->prev;
    seat->dead = true;
    if (seat->command == NULL) free(seat);
}

void live_seat_release(struct live_seat *seat) {
    if (seat->watches == 0 && !seat->present) seat_drop(seat);
}

void live_seats_drop(struct live *live) {
    while (live->seats != NULL)
        seat_drop(live->seats);
    live->present_count = 0;
}

/* ---- Changes ---- */

static void doubt(struct live_seat *seat) {
    seat->due = true;
    seat->live->seats_due = true;
    live_wake(seat->live);
}

void live_seat_due(struct live_seat *seat) {
    seat->news = true;
    doubt(seat);
}

void live_seats_revoked(struct live *live, stet_view type, stet_view id) {
    for (struct live_seat *seat = live->seats; seat != NULL; seat = seat->next)
        if (view_equal(seat->type, type) && (id.size == 0 || view_equal(seat->id, id))) doubt(seat);
}

static void tell_marked(struct timer *timer) {
    struct loop *loop = (struct loop *)((char *)timer - offsetof(struct loop, presence_timer));
    struct presence_seat *seat;
    while ((seat = presence_next(loop->server->presence, loop->index)) != NULL)
        live_seat_due((struct live_seat *)seat);
}

void live_presence_due(struct loop *loop) {
    if (timer_is_set(&loop->presence_timer)) return;
    loop->presence_timer.fire = tell_marked;
    timer_set(&loop->wheel, &loop->presence_timer, loop->now_ms + PRESENCE_MS);
}

/* ---- Whether they may be told ---- */

static void judge(struct live_seat *seat) {
    struct live *live = seat->live;
    bool may = stet_command_outcome(seat->command)->status == STET_OK;
    stet_command_destroy(seat->command);
    seat->command = NULL;
    if (seat->dead) {
        free(seat);
        return;
    }
    bool news = seat->news;
    seat->news = seat->due;
    if (may && news) {
        seat->tell = true;
        live->seats_tell = true;
    }
    if (may) return;
    seat->tell = false;
    live_seat_go(seat);
}

static void judged(struct waiter *waiter, stet_command *command) {
    struct live_seat *seat =
        (struct live_seat *)((char *)waiter - offsetof(struct live_seat, waiter));
    struct live *live = seat->live;
    (void)command;
    live->loop->commands--;
    bool again = !seat->dead && seat->due;
    judge(seat);
    if (again) live->seats_due = true;
    live_wake(live);
    live_settle(live);
}

static void ask(struct live_seat *seat) {
    struct live *live = seat->live;
    const stet_read read = {.type = seat->type, .id = seat->id};
    seat->due = false;
    seat->command = stet_command_create(live->loop->client);
    seat->waiter.done = judged;
    stet_status status =
        seat->command == NULL ? STET_NO_MEMORY : stet_command_read(seat->command, &read, NULL);
    if (status == STET_OK)
        status = stet_submit(live->space, &live->actor, seat->command, &seat->waiter, NULL);
    if (status != STET_OK) {
        /* It cannot be known now: the next heartbeat asks again. */
        seat->due = true;
        stet_command_destroy(seat->command);
        seat->command = NULL;
        return;
    }
    if (stet_command_is_done(seat->command)) {
        judge(seat);
        return;
    }
    live->loop->commands++;
    live->pending++;
}

/* ---- Who is there ---- */

/* What they may see of it may be another thing now. One that takes nothing is not told so, but goes from the others' lists all the same. */
static void look_again(struct ready *ready) {
    struct live_seat *seat =
        (struct live_seat *)((char *)ready - offsetof(struct live_seat, ready));
    struct live *live = seat->live;
    stet_event event;
    bool changed = false;
    while (stet_subscription_next(seat->changes, &event)) {
        if (event.kind == STET_EVENT_END) break;
        if (event.kind != STET_EVENT_READY) changed = true;
    }
    if (!changed) return;
    doubt(seat);
    if (live->blocked && seat->command == NULL) ask(seat);
}

/* All that may change whether somebody may read a record: itself, and its type. Followed as an administrator, who is told of each change. */
static stet_status follow(struct live_seat *seat, stet_error *err) {
    struct live *live = seat->live;
    struct arena arena;
    stet_event event;
    stet_status status;
    bool system = view_starts(seat->address, VIEW("stet."));
    const char *slash = memchr(seat->address.bytes, '/', seat->address.size);
    arena_init(&arena, 512);
    const stet_view addresses[] = {
        seat->address,
        arena_format(&arena, "stet.type/%.*s", (int)(slash - seat->address.bytes),
                     seat->address.bytes),
    };
    const stet_actor everything = {.id = live->actor.id, .admin = true};
    const stet_feed_options feed = {
        .from_now = true, .addresses = addresses, .address_count = system ? 1 : 2};
    seat->ready.wake = look_again;
    if (addresses[1].bytes == NULL) {
        status = error_set(err, STET_NO_MEMORY, "out of memory");
    } else {
        status = stet_subscribe(live->loop->client, live->space, &everything, &feed, &seat->ready,
                                &seat->changes, err);
    }
    arena_done(&arena);
    /* Asked until it says no: only then it is named when there is something. */
    while (status == STET_OK && stet_subscription_next(seat->changes, &event))
        continue;
    return status;
}

stet_status live_seat_come(struct live_seat *seat, stet_version version, stet_error *err) {
    struct live *live = seat->live;
    if (!seat->present && live->present_count >= PRESENT_MAX) {
        error_set(err, STET_TOO_LARGE, "a connection may have at most %d records open",
                  PRESENT_MAX);
        error_field(err, "/address", PRESENT_MAX);
        return STET_TOO_LARGE;
    }
    if (!seat->present) {
        stet_status status = follow(seat, err);
        if (status != STET_OK) return status;
        seat->present = true;
        live->present_count++;
    }
    presence_come(register_of(live), &seat->seat, version, clock_wall_ns(clock_system()));
    return STET_OK;
}

void live_seat_go(struct live_seat *seat) {
    if (!seat->present) return;
    seat->present = false;
    seat->live->present_count--;
    follow_end(seat);
    presence_go(register_of(seat->live), &seat->seat);
    live_seat_release(seat);
}

/* ---- Telling ---- */

static void ask_due(struct live *live) {
    struct live_seat *next;
    live->seats_due = false;
    for (struct live_seat *seat = live->seats; seat != NULL; seat = next) {
        next = seat->next;
        if (seat->due && seat->command == NULL) ask(seat);
    }
}

static void tell(struct live_seat *seat) {
    struct live *live = seat->live;
    struct buffer data;
    buffer_init(&data, NULL, 0);
    presence_write(register_of(live), &seat->seat, &data);
    if (buffer_status(&data) == STET_OK) {
        live_put_event(live->out, (stet_view){0}, VIEW("presence"), 0, buffer_view(&data));
        metric_add(&live->loop->metrics.live_events, 1);
    } else {
        live->failed = true;
    }
    buffer_done(&data);
    seat->tell = false;
}

void live_presence_fill(struct live *live) {
    if (live->seats_due) ask_due(live);
    if (!live->seats_tell) return;
    struct live_seat *seat = live->seats;
    for (; seat != NULL && live->out->size < LIVE_CHUNK_BYTES; seat = seat->next)
        if (seat->tell) tell(seat);
    live->seats_tell = seat != NULL;
}
