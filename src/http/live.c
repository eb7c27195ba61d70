#include "http/live_connection.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/bearer.h"
#include "http/live_frame.h"
#include "http/websocket.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Chunks sent on one connection before the others have their turn. */
enum { FILLS_MAX = 4 };

static struct live *of_turn(struct turn *turn) {
    return (struct live *)((char *)turn - offsetof(struct live, turn));
}

static int64_t heartbeat_ms(const struct live *live) {
    return (int64_t)live->loop->server->options.bookmark_s * 1000;
}

static void arm(struct live *live, int64_t ms) {
    timer_set(&live->loop->wheel, &live->timer, live->loop->now_ms + ms);
}

/* ---- Death ---- */

static void set_blocked(struct live *live, bool blocked) {
    struct metrics *metrics = &live->loop->metrics;
    if (blocked && !live->blocked) metric_add(&metrics->lives_lagging, 1);
    if (!blocked && live->blocked) metric_sub(&metrics->lives_lagging, 1);
    live->blocked = blocked;
}

static void rest_drop(struct live *live) {
    free(live->rest);
    live->rest = NULL;
    live->rest_at = live->rest_size = 0;
}

static void close_wire(struct live *live) {
    struct loop *loop = live->loop;
    struct request *request = live->request;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, live->wire.fd, NULL);
    if (live->wire.tls == NULL) {
        close(live->wire.fd);
        loop_release_place(loop);
    } else if (request != NULL) {
        /* The library closes what is its own. */
        request->state = NULL;
        live->request = NULL;
        request_fail(request);
    }
    live->wire = (struct live_wire){.fd = -1};
}

void live_die(struct live *live) {
    struct loop *loop = live->loop;
    if (live->dead) return;
    live->dead = true;
    set_blocked(live, false);
    timer_cancel(&loop->wheel, &live->timer);
    turn_leave(&loop->turns, &live->turn);
    if (live->prev != NULL) live->prev->next = live->next;
    if (live->next != NULL) live->next->prev = live->prev;
    if (loop->lives == live) loop->lives = live->next;
    if (loop->live_bearer_next == live) loop->live_bearer_next = live->next;
    loop->live_count--;
    metric_sub(&loop->metrics.lives, 1);
    close_wire(live);
    live_subs_drop(live);
    live_seats_drop(live);
    live_commands_drop(live);
    rest_drop(live);
    /* Events of this round may still name it: it is freed by live_bury. */
    live->next = loop->dead_lives;
    loop->dead_lives = live;
}

void live_free(struct live *live) {
    assert(live->pending == 0);
    if (live->wslay != NULL) wslay_event_context_free(live->wslay);
    stet_space_close(live->space);
    bearer_destroy(live->bearer);
    if (live->credential.size > 0)
        explicit_bzero((char *)(uintptr_t)live->credential.bytes, live->credential.size);
    free(live->rest);
    arena_done(&live->arena);
    free(live);
}

void live_bury(struct loop *loop) {
    while (loop->dead_lives != NULL) {
        struct live *live = loop->dead_lives;
        loop->dead_lives = live->next;
        live->buried = true;
        if (live->pending == 0) live_free(live);
    }
}

void live_settle(struct live *live) {
    assert(live->pending > 0);
    live->pending--;
    if (live->pending == 0 && live->buried) live_free(live);
}

/* ---- Reading ---- */

static ssize_t would_block(struct live *live) {
    wslay_event_set_error(live->wslay, WSLAY_ERR_WOULDBLOCK);
    return -1;
}

static ssize_t callback_take(wslay_event_context_ptr wslay, uint8_t *out, size_t size, int flags,
                             void *context) {
    struct live *live = context;
    (void)wslay;
    (void)flags;
    if (live->budget == 0) return would_block(live);
    ssize_t taken = live_wire_receive(&live->wire, out, size < live->budget ? size : live->budget);
    if (taken > 0) {
        live->budget -= (size_t)taken;
        live->taken += (size_t)taken;
        live->heard_ms = live->loop->now_ms;
        metric_add(&live->loop->metrics.bytes_in, (uint64_t)taken);
        return taken;
    }
    live->readable = false;
    if (taken == LIVE_WIRE_LATER) return would_block(live);
    live->hung_up = true;
    wslay_event_set_error(live->wslay, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void callback_begin(wslay_event_context_ptr wslay,
                           const struct wslay_event_on_frame_recv_start_arg *frame, void *context) {
    struct live *live = context;
    live->framed += websocket_masked_head_bytes(frame->payload_length) + frame->payload_length;
    if (frame->opcode == WSLAY_CONNECTION_CLOSE && frame->payload_length == 1) {
        /* Half of a code (RFC 6455, 5.5.1), which wslay takes for none. */
        live->broken = true;
        wslay_event_shutdown_read(wslay);
    }
    if (wslay_is_ctrl_frame(frame->opcode)) return;
    if (live->message_ms == 0) live->message_ms = live->loop->now_ms;
    if (++live->fragments <= LIVE_FRAGMENTS_MAX) return;
    live_say_goodbye(live, WEBSOCKET_TOO_LARGE, NULL, NULL);
    wslay_event_shutdown_read(wslay);
}

static void callback_message(wslay_event_context_ptr wslay,
                             const struct wslay_event_on_msg_recv_arg *message, void *context) {
    struct live *live = context;
    (void)wslay;
    if (wslay_is_ctrl_frame(message->opcode)) return; /* wslay answers these. */
    live->message_ms = 0;
    live->fragments = 0;
    if (live->farewell != 0 || live->closing) return;
    metric_add(&live->loop->metrics.live_messages, 1);
    if (message->opcode == WSLAY_TEXT_FRAME) {
        /* An empty message has no bytes to point to. */
        live_act(live, message->msg_length == 0 ? VIEW("")
                                                : view_make(message->msg, message->msg_length));
    } else {
        live_say_goodbye(live, WEBSOCKET_UNSUPPORTED, NULL, NULL);
    }
}

/* ---- wslay, while something is coming ---- */

static ssize_t callback_send(wslay_event_context_ptr wslay, const uint8_t *bytes, size_t size,
                             int flags, void *context) {
    struct live *live = context;
    (void)flags;
    buffer_append(live->out, bytes, size);
    if (buffer_status(live->out) == STET_OK) return (ssize_t)size;
    wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static bool wslay_begin(struct live *live) {
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = callback_take,
        .send_callback = callback_send,
        .on_frame_recv_start_callback = callback_begin,
        .on_msg_recv_callback = callback_message,
    };
    if (live->wslay != NULL) return true;
    if (wslay_event_context_server_init(&live->wslay, &callbacks, live) != 0) {
        live->wslay = NULL;
        live->failed = true;
        return false;
    }
    wslay_event_config_set_max_recv_msg_length(live->wslay, LIVE_MESSAGE_BYTES_MAX);
    live->taken = live->framed = 0;
    return true;
}

/* Its two buffers are eight of the ten KB that a connection would cost while it only waits. They are given up between two messages. */
static void wslay_rest(struct live *live) {
    if (live->wslay == NULL || live->message_ms != 0 || live->taken != live->framed ||
        live->farewell != 0 || live->closing || live->broken ||
        wslay_event_want_write(live->wslay) || !wslay_event_get_read_enabled(live->wslay))
        return;
    wslay_event_context_free(live->wslay);
    live->wslay = NULL;
}

static void live_read(struct live *live) {
    live->budget = LIVE_CHUNK_BYTES;
    if (!wslay_begin(live)) return;
    int result = wslay_event_recv(live->wslay);
    if (result == 0 || live->hung_up) return;
    /* A head that is no frame's: wslay gives up, with a close that says nothing. */
    if (result == WSLAY_ERR_CALLBACK_FAILURE)
        live->broken = true;
    else
        live->failed = true;
}

/* After the close: what still comes is dropped, until the client's own close or the end. True: that was it. */
static bool read_to_end(struct live *live) {
    if (!live->broken && wslay_event_get_read_enabled(live->wslay)) live_read(live);
    if (live->hung_up || live->failed || wslay_event_get_close_received(live->wslay)) return true;
    if (!live->broken && wslay_event_get_read_enabled(live->wslay)) return false;
    ssize_t taken;
    do {
        taken = live_wire_receive(&live->wire, live->loop->scratch, LOOP_SCRATCH_BYTES);
    } while (taken > 0);
    live->readable = false;
    return taken != LIVE_WIRE_LATER;
}

/* ---- What is to be sent ---- */

/* wslay's own: answers to pings, and closes. */
static void fill_control(struct live *live) {
    if (live->broken) {
        buffer_append(live->out, "\x88\x02\x03\xEA", 4); /* Close, 1002. */
        live->closing = true;
        return;
    }
    if (live->wslay == NULL) return;
    if (wslay_event_want_write(live->wslay) && wslay_event_send(live->wslay) != 0)
        live->failed = true;
    if (wslay_event_get_close_sent(live->wslay)) live->closing = true;
}

static void fill_farewell(struct live *live) {
    if (live->farewell_event != NULL)
        live_put_event(live->out, (stet_view){0}, view_of(live->farewell_event), 0,
                       view_of(live->farewell_data));
    if (!wslay_begin(live)) return;
    if (wslay_event_queue_close(live->wslay, (uint16_t)live->farewell, NULL, 0) != 0)
        live->failed = true;
    fill_control(live);
    live->closing = true;
}

void live_say_goodbye(struct live *live, unsigned code, const char *event, const char *data) {
    if (live->farewell != 0) return;
    live->farewell = code;
    live->farewell_event = event;
    live->farewell_data = data;
}

/* Who may no longer read must not be sent what happened since, nor write. */
static void check_bearer(struct live *live) {
    stet_error err;
    if (live->farewell != 0) return;
    switch (bearer_check(live->loop, live->space, live->bearer, &err)) {
    case BEARER_GOOD: break;
    case BEARER_CHANGED:
        live_say_goodbye(live, WEBSOCKET_CHANGED, "auth", BEARER_CHANGED_JSON);
        break;
    case BEARER_OVER:
        live_say_goodbye(live, WEBSOCKET_LOG_IN, "auth",
                         err.status == STET_SESSION_ENDED ? BEARER_SESSION_ENDED_JSON
                                                          : BEARER_TOKEN_ENDED_JSON);
        break;
    }
}

/* Who has subscriptions is told by them, at once. Who has none must not keep a space from going. */
static void check_space(struct live *live) {
    if (stet_space_is_deleted(live->space))
        live_say_goodbye(live, WEBSOCKET_GOING_AWAY, "end", "{\"code\":\"NOT_FOUND\"}");
}

/* Reads what has come and gathers what there is to say, a chunk of it. False: it is over. */
static bool live_fill(struct live *live) {
    check_bearer(live);
    if (live->farewell == 0 && live->readable) live_read(live);
    if (live->ping_due && live->farewell == 0) {
        live->ping_due = false;
        buffer_append(live->out, "\x89\x00", 2);
    }
    fill_control(live);
    if (live->hung_up) return false;
    if (!live->closing && live->farewell == 0) {
        live_commands_fill(live);
        live_presence_fill(live);
        live_subs_fill(live);
    }
    if (!live->closing && live->farewell != 0) fill_farewell(live);
    return !live->failed && buffer_status(live->out) == STET_OK;
}

/* ---- Sending ---- */

/* The bytes taken; negative: the reader is gone. */
static ssize_t send_bytes(struct live *live, const char *bytes, size_t size) {
    ssize_t sent = live_wire_send(&live->wire, bytes, size);
    if (sent > 0) metric_add(&live->loop->metrics.bytes_out, (uint64_t)sent);
    return sent;
}

/* Full: patience is counted from the last byte that was taken; when the server stops, from then on only. */
static void wait_for_room(struct live *live, bool progress) {
    if (live->loop->stopping) {
        if (!live->blocked) arm(live, LIVE_CLOSE_MS);
    } else if (progress || !live->blocked) {
        arm(live, (int64_t)live->loop->server->options.idle_timeout_s * 1000);
    }
    set_blocked(live, true);
}

static void room_again(struct live *live) {
    if (!live->blocked) return;
    set_blocked(live, false);
    live->heard_ms = live->loop->now_ms; /* It takes what it is sent, so it is there. */
    arm(live, heartbeat_ms(live));
}

/* False: some is left, or the reader is gone. */
static bool send_rest(struct live *live) {
    size_t left = live->rest_size - live->rest_at;
    if (left == 0) return true;
    ssize_t sent = send_bytes(live, live->rest + live->rest_at, left);
    if (sent < 0) {
        live_die(live);
        return false;
    }
    live->rest_at += (size_t)sent;
    if ((size_t)sent < left) {
        wait_for_room(live, sent > 0);
        return false;
    }
    rest_drop(live);
    room_again(live);
    return true;
}

static bool send_out(struct live *live, const struct buffer *out) {
    ssize_t sent = send_bytes(live, out->bytes, out->size);
    if (sent < 0) {
        live_die(live);
        return false;
    }
    if ((size_t)sent == out->size) return true;
    size_t left = out->size - (size_t)sent;
    live->rest = malloc(left);
    if (live->rest == NULL) {
        live_die(live);
        return false;
    }
    memcpy(live->rest, out->bytes + sent, left);
    live->rest_at = 0;
    live->rest_size = left;
    wait_for_room(live, sent > 0);
    return false;
}

static void close_now(struct live *live) {
    if (!live->closed) {
        live->closed = true;
        if (live->wslay != NULL && wslay_event_get_close_received(live->wslay)) {
            live_die(live);
            return;
        }
        live_wire_finish(&live->wire);
        arm(live, LIVE_CLOSE_MS);
    }
    if (read_to_end(live)) live_die(live);
}

/* The loop's buffer, emptied; what one large message made it is not kept. */
static struct buffer *loop_buffer(struct loop *loop) {
    struct buffer *out = &loop->live_out;
    if (out->capacity > LOOP_SCRATCH_BYTES || buffer_status(out) != STET_OK) {
        buffer_done(out);
        buffer_init(out, NULL, 0);
    }
    buffer_reset(out);
    return out;
}

static void live_pump(struct live *live) {
    for (int fills = 0; fills < FILLS_MAX; fills++) {
        if (live->dead || !send_rest(live)) return;
        if (live->closing) {
            close_now(live);
            return;
        }
        live->out = loop_buffer(live->loop);
        bool goes_on = live_fill(live);
        struct buffer *out = live->out;
        live->out = NULL;
        if (!goes_on) {
            live_die(live);
            return;
        }
        if (!live->readable) wslay_rest(live);
        if (out->size == 0 && !live->readable) return;
        if (out->size > 0 && !send_out(live, out)) return;
    }
    turn_take(&live->loop->turns, &live->turn);
}

static void live_served(struct turn *turn) { live_pump(of_turn(turn)); }

void live_wake(struct live *live) {
    if (!live->dead && !live->blocked) turn_take(&live->loop->turns, &live->turn);
}

void live_event(struct live *live, uint32_t events) {
    if (live->dead) return;
    bool over = (events & (EPOLLHUP | EPOLLERR)) != 0;
    /* One that takes nothing and will send nothing more is gone. */
    if (over || ((events & EPOLLRDHUP) != 0 && live->blocked && (events & EPOLLOUT) == 0)) {
        live_die(live);
        return;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) live->readable = true;
    turn_take(&live->loop->turns, &live->turn);
}

/* ---- Time ---- */

static void live_beat(struct live *live) {
    int64_t now_ms = live->loop->now_ms;
    int64_t quiet_ms = now_ms - live->heard_ms;
    int64_t message_max_ms = (int64_t)live->loop->server->options.body_timeout_s * 1000;
    if (quiet_ms >= 2 * heartbeat_ms(live)) {
        metric_add(&live->loop->metrics.cut_idle, 1);
        live_die(live);
        return;
    }
    if (live->message_ms != 0 && now_ms - live->message_ms >= message_max_ms) {
        metric_add(&live->loop->metrics.cut_body, 1);
        live_say_goodbye(live, WEBSOCKET_POLICY, NULL, NULL);
    }
    if (quiet_ms >= heartbeat_ms(live) / 2) live->ping_due = true;
    live_subs_beat(live);
    live->seats_due = true; /* Those that could not be asked about. */
    arm(live, heartbeat_ms(live));
    live_wake(live);
}

static void live_timer(struct timer *timer) {
    struct live *live = (struct live *)((char *)timer - offsetof(struct live, timer));
    if (live->blocked && live->turn.queued && !live->loop->stopping) {
        wait_for_room(live, true); /* There is room: its turn will tell. */
    } else if (live->blocked) {
        metric_add(&live->loop->metrics.cut_idle, 1);
        live_die(live);
    } else if (live->closed) {
        live_die(live);
    } else {
        live_beat(live);
    }
}

/* ---- Birth ---- */

bool live_start(struct live *live, const struct live_wire *wire) {
    struct loop *loop = live->loop;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = live};
    live->source.kind = SOURCE_LIVE;
    live->turn.serve = live_served;
    live->timer.fire = live_timer;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, wire->fd, &event) != 0) return false;
    live->wire = *wire;
    live->next = loop->lives;
    if (loop->lives != NULL) loop->lives->prev = live;
    loop->lives = live;
    loop->live_count++;
    metric_add(&loop->metrics.lives, 1);
    metric_add(&loop->metrics.lives_total, 1);
    bearer_watch(loop);
    live->heard_ms = loop->now_ms;
    live->readable = true;
    arm(live, heartbeat_ms(live));
    turn_take(&loop->turns, &live->turn);
    return true;
}

/* ---- For the loop ---- */

bool live_check_some(struct loop *loop, unsigned portions) {
    unsigned portion = (loop->live_count + portions - 1) / portions;
    struct live *live = loop->live_bearer_next;
    for (unsigned i = 0; i < portion; i++) {
        if (live == NULL) live = loop->lives;
        if (live == NULL) break;
        struct live *next = live->next;
        bool said = live->farewell != 0;
        check_bearer(live);
        check_space(live);
        /* One that takes nothing would not take its farewell, either. */
        if (!said && live->farewell != 0) {
            if (live->blocked)
                live_die(live);
            else
                live_wake(live);
        }
        live = next;
    }
    loop->live_bearer_next = live;
    return loop->live_count > 0;
}

void live_end_all(struct loop *loop) {
    for (struct live *live = loop->lives; live != NULL; live = live->next) {
        live_say_goodbye(live, WEBSOCKET_GOING_AWAY, "end", "{\"code\":\"SHUTTING_DOWN\"}");
        if (live->blocked) arm(live, LIVE_CLOSE_MS);
        live_wake(live);
    }
}

void live_cut_all(struct loop *loop) {
    while (loop->lives != NULL)
        live_die(loop->lives);
}
