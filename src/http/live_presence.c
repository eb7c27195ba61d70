/*
 * Where a live connection sits in the register of presence, and what it is told of it.
 *
 * Nothing is said to who may not read the record: before each time somebody is told, the record is read in their name. A read of what is at hand
 * is done at once, and what changes often is told at most every PRESENCE_MS.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/live_connection.h"
#include "http/live_frame.h"

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

static void seat_drop(struct live_seat *seat) {
    struct live *live = seat->live;
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

void live_seat_due(struct live_seat *seat) {
    seat->due = true;
    seat->live->seats_due = true;
    live_wake(seat->live);
}

void live_seats_revoked(struct live *live, stet_view type, stet_view id) {
    for (struct live_seat *seat = live->seats; seat != NULL; seat = seat->next)
        if (view_equal(seat->type, type) && (id.size == 0 || view_equal(seat->id, id)))
            live_seat_due(seat);
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
    if (may) {
        seat->tell = true;
        live->seats_tell = true;
        return;
    }
    seat->tell = false;
    if (!seat->present) return;
    seat->present = false;
    live->present_count--;
    presence_go(register_of(live), &seat->seat);
    live_seat_release(seat);
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
