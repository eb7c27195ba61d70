#include "http/stream.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/view.h"
#include "http/bearer.h"
#include "http/frame.h"
#include "http/places.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What a browser waits before it connects again. */
#define RETRY_MS "2000"
enum {
    /* Ends of events that are remembered while they are sent: about as many as fit into the scratch memory. */
    MARKS_MAX = 512,
    /* Sent to one reader before the others have their turn. */
    FILLS_MAX = 4,
    /* What the library's buffer of a stream holds. */
    PULLED_BYTES = 1024,
};

struct stream {
    struct source source; /* First: the outer epoll set points here. */
    struct ready ready;
    struct loop *loop;
    int fd;                  /* Taken over; -1: the library's. */
    struct request *request; /* Only while the library's. */
    stet_space *space;
    stet_subscription *subscription;
    struct places *places; /* NULL: it follows no operation. */
    struct timer timer;    /* Bookmarks; or the patience with a reader that takes nothing. */
    struct bearer *
        bearer; /* Asked about before anything is sent, and now and then; NULL: nothing can end it. */
    const char *farewell; /* The event that is sent last, when its bearer may listen no longer. */
    char *rest;           /* Rendered and not yet sent. */
    size_t rest_at, rest_size;
    stet_seq
        mark; /* The subscription can be taken back to behind the event rendered last; 0: it cannot. */
    struct turn turn;
    bool begun;        /* `retry:` is out. */
    bool bookmark_due; /* Quiet for so long that a position is sent. */
    bool blocked;      /* The socket takes nothing now. */
    bool idle;         /* The subscription said false; stet_client_ready will name it. */
    bool stopping;
    bool ended; /* Everything up to the end event is rendered. */
    bool dead;
    struct stream *prev, *next;
};

/* ---- What is to be sent ---- */

struct piece {
    bool is_event;
    stet_event event;
    stet_view name; /* Of what is none, else empty: then `text` is its data, in one line. */
    stet_view text; /* When it is none. */
};

/* The next event, or what is due instead of one. False: nothing now. */
static bool next_piece(struct stream *stream, struct piece *piece) {
    stet_event *event = &piece->event;
    piece->is_event = true;
    piece->name = (stet_view){0};
    if (!stream->begun) {
        piece->is_event = false;
        piece->text = VIEW("retry: " RETRY_MS "\n\n");
        stream->begun = true;
        return true;
    }
    if (stream->ended) return false;
    if (stream->farewell != NULL) {
        piece->is_event = false;
        piece->text = view_of(stream->farewell);
        stream->ended = true;
        return true;
    }
    if (stream->stopping) {
        *event = (stet_event){.kind = STET_EVENT_END, .data = VIEW("{\"code\":\"SHUTTING_DOWN\"}")};
        stream->ended = true;
        return true;
    }
    if (!stream->idle && stet_subscription_next(stream->subscription, event)) {
        stream->bookmark_due = false;
        if (event->kind == STET_EVENT_END) stream->ended = true;
        if (event->kind == STET_EVENT_OPERATION && stream->places != NULL)
            places_wake(stream->places);
        return true;
    }
    stream->idle = true;
    if (places_take(stream->places, &piece->text)) {
        piece->is_event = false;
        piece->name = VIEW("queue");
        return true;
    }
    if (!stream->bookmark_due) return false;
    stream->bookmark_due = false;
    stet_subscription_bookmark(stream->subscription, event);
    return true;
}

/* Who may no longer read must not be sent what happened since; who may read something else asks for it anew. */
static void check_bearer(struct stream *stream) {
    stet_error err;
    if (stream->farewell != NULL) return;
    switch (bearer_check(stream->loop, stream->space, stream->bearer, &err)) {
    case BEARER_GOOD: break;
    case BEARER_CHANGED: stream->farewell = "event: auth\ndata: " BEARER_CHANGED_JSON "\n\n"; break;
    case BEARER_OVER:
        stream->farewell = err.status == STET_SESSION_ENDED
                               ? "event: auth\ndata: " BEARER_SESSION_ENDED_JSON "\n\n"
                               : "event: auth\ndata: " BEARER_TOKEN_ENDED_JSON "\n\n";
        break;
    }
}

/* Where the subscription can be taken back to, should the socket take no more than up to `end`. */
struct mark {
    size_t end;
    size_t events;
    stet_seq resume;
};

/* Text on its way out. */
struct fill {
    char *out;
    size_t size, filled;
    size_t events; /* Rendered, whole or not. */
    size_t mark_count;
    struct mark marks[MARKS_MAX];
};

static void set_mark(struct stream *stream, struct fill *fill) {
    if (stream->mark == 0) return;
    fill->marks[fill->mark_count++] =
        (struct mark){.end = fill->filled, .events = fill->events, .resume = stream->mark};
}

static void rest_drop(struct stream *stream) {
    free(stream->rest);
    stream->rest = NULL;
    stream->rest_at = stream->rest_size = 0;
}

/* What is left of what was rendered before. */
static void fill_from_rest(struct stream *stream, struct fill *fill) {
    size_t part = stream->rest_size - stream->rest_at;
    if (part > fill->size - fill->filled) part = fill->size - fill->filled;
    memcpy(fill->out + fill->filled, stream->rest + stream->rest_at, part);
    stream->rest_at += part;
    fill->filled += part;
    if (stream->rest_at == stream->rest_size) rest_drop(stream);
}

static char *put_piece(char *out, const struct piece *piece, size_t breaks) {
    if (piece->is_event) return frame_put(out, &piece->event, breaks);
    if (piece->name.size > 0) return frame_put_named(out, piece->name, piece->text);
    memcpy(out, piece->text.bytes, piece->text.size);
    return out + piece->text.size;
}

static void count_piece(struct stream *stream, struct fill *fill, const struct piece *piece) {
    enum stet_event_kind kind = piece->event.kind;
    bool comes_again = kind == STET_EVENT_CHANGE || kind == STET_EVENT_CONFLICT ||
                       kind == STET_EVENT_OPERATION || kind == STET_EVENT_REVOKED;
    if (stream->ended) fill->mark_count = 0; /* Nothing comes again. */
    if (!piece->is_event) return;
    fill->events++;
    stream->mark = piece->event.resume;
    /* Only changes come again when the subscription is taken back. */
    if (!comes_again) fill->mark_count = 0;
}

/* Into the text, where it has room, else beside it. */
static stet_status place_piece(struct stream *stream, struct fill *fill,
                               const struct piece *piece) {
    size_t breaks = 0;
    size_t size_max = piece->is_event ? frame_bytes_max(&piece->event, &breaks)
                                      : frame_named_bytes_max(piece->name, piece->text);
    if (size_max <= fill->size - fill->filled) {
        char *at = fill->out + fill->filled;
        fill->filled += (size_t)(put_piece(at, piece, breaks) - at);
        count_piece(stream, fill, piece);
        set_mark(stream, fill);
        return STET_OK;
    }
    stream->rest = malloc(size_max);
    if (stream->rest == NULL) return STET_NO_MEMORY;
    stream->rest_size = (size_t)(put_piece(stream->rest, piece, breaks) - stream->rest);
    count_piece(stream, fill, piece);
    return STET_OK;
}

/* Renders what there is, as far as there is room. Nothing rendered: nothing now, or, with ->ended, never again. Text that finds no
 * room waits in ->rest. */
static stet_status stream_fill(struct stream *stream, struct fill *fill) {
    struct piece piece;
    check_bearer(stream);
    if (stream->rest != NULL) {
        fill_from_rest(stream, fill);
        if (stream->rest == NULL) set_mark(stream, fill);
    }
    while (stream->rest == NULL && fill->mark_count < MARKS_MAX && next_piece(stream, &piece)) {
        stet_status status = place_piece(stream, fill, &piece);
        if (status != STET_OK) return status;
        if (stream->rest != NULL) fill_from_rest(stream, fill);
    }
    metric_add(&stream->loop->metrics.stream_events, fill->events);
    return STET_OK;
}

/* ---- Birth and death ---- */

static void stream_wake(struct ready *ready);
static void stream_timer(struct timer *timer);
static void stream_served(struct turn *turn);

struct ready *stream_ready(struct stream *stream) {
    return &stream->ready;
}

struct stream *stream_create(struct request *request, stet_error *err) {
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        error_set(err, STET_NO_MEMORY, "out of memory");
        return NULL;
    }
    stream->source.kind = SOURCE_STREAM;
    stream->ready.wake = stream_wake;
    stream->timer.fire = stream_timer;
    stream->turn.serve = stream_served;
    stream->loop = request->loop;
    stream->request = request;
    stream->fd = -1;
    if (bearer_create(request, &stream->bearer, err) != STET_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static void stream_free(struct stream *stream) {
    places_destroy(stream->places);
    stet_unsubscribe(stream->subscription);
    stet_space_close(stream->space);
    bearer_destroy(stream->bearer);
    free(stream->rest);
    free(stream);
}

void stream_destroy_unstarted(struct stream *stream) { stream_free(stream); }

static void stream_link(struct stream *stream) {
    struct loop *loop = stream->loop;
    stream->next = loop->streams;
    if (loop->streams != NULL) loop->streams->prev = stream;
    loop->streams = stream;
    if (stream->bearer != NULL) bearer_watch(loop);
    loop->stream_count++;
    metric_add(&loop->metrics.streams, 1);
    metric_add(&loop->metrics.streams_total, 1);
}

/* Events of this round may still name it: it is freed by stream_bury. */
static void stream_to_bury(struct stream *stream) {
    stream->next = stream->loop->dead_streams;
    stream->loop->dead_streams = stream;
}

static void set_blocked(struct stream *stream, bool blocked) {
    struct metrics *metrics = &stream->loop->metrics;
    if (blocked && !stream->blocked) metric_add(&metrics->streams_lagging, 1);
    if (!blocked && stream->blocked) metric_sub(&metrics->streams_lagging, 1);
    stream->blocked = blocked;
}

/* Lets go of everything outside. The library's streams live on, dead, until their request ends. */
static void stream_die(struct stream *stream) {
    struct loop *loop = stream->loop;
    if (stream->dead) return;
    stream->dead = true;
    set_blocked(stream, false);
    timer_cancel(&loop->wheel, &stream->timer);
    turn_leave(&loop->turns, &stream->turn);
    if (stream->prev != NULL) stream->prev->next = stream->next;
    if (stream->next != NULL) stream->next->prev = stream->prev;
    if (loop->streams == stream) loop->streams = stream->next;
    if (loop->bearer_next == stream) loop->bearer_next = stream->next;
    loop->stream_count--;
    metric_sub(&loop->metrics.streams, 1);
    if (stream->fd >= 0) {
        /* By hand: the library may not have closed its descriptor of the same socket yet. */
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
        close(stream->fd);
        loop_release_place(loop);
    }
    stet_unsubscribe(stream->subscription);
    stream->subscription = NULL;
    places_destroy(stream->places);
    stream->places = NULL;
    if (stream->request == NULL) stream_to_bury(stream);
}

void stream_bury(struct loop *loop) {
    while (loop->dead_streams != NULL) {
        struct stream *stream = loop->dead_streams;
        loop->dead_streams = stream->next;
        stream_free(stream);
    }
}

static void stream_arm(struct stream *stream, unsigned seconds) {
    timer_set(&stream->loop->wheel, &stream->timer, stream->loop->now_ms + seconds * 1000);
}

/* ---- On a socket of our own ---- */

/* What of the text did not go out waits: up to where the subscription can be taken back to, so that a reader who takes nothing holds
 * one event, and not what would have fitted. False: no memory for it. */
static bool raw_hold(struct stream *stream, const struct fill *fill, size_t sent) {
    size_t end = fill->filled;
    size_t old = stream->rest_size - stream->rest_at;
    const struct mark *mark = fill->marks;
    const struct mark *marks_end = fill->marks + fill->mark_count;
    while (mark < marks_end && mark->end < sent)
        mark++;
    if (mark < marks_end && mark->events < fill->events) {
        stet_subscription_rewind(stream->subscription, mark->resume);
        metric_sub(&stream->loop->metrics.stream_events, fill->events - mark->events);
        stream->idle = false;
        stream->mark = mark->resume;
        places_again(stream->places); /* It may have been among what is taken back. */
        end = mark->end;
        old = 0;
    }
    char *rest = end - sent + old == 0 ? NULL : malloc(end - sent + old);
    if (rest == NULL && end - sent + old > 0) return false;
    /* What did not go out stands before what was left over. */
    if (end > sent) memcpy(rest, fill->out + sent, end - sent);
    if (old > 0) memcpy(rest + (end - sent), stream->rest + stream->rest_at, old);
    rest_drop(stream);
    stream->rest = rest;
    stream->rest_size = end - sent + old;
    return true;
}

/* The bytes taken; -1: the reader is gone. */
static ssize_t raw_send(struct stream *stream, const struct fill *fill) {
    ssize_t sent;
    do {
        sent = send(stream->fd, fill->out, fill->filled, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) sent = 0;
    if (sent > 0) metric_add(&stream->loop->metrics.bytes_out, (uint64_t)sent);
    return sent;
}

static void stream_queue(struct stream *stream);

static void raw_pump(struct stream *stream) {
    struct loop *loop = stream->loop;
    bool sent_any = false;
    if (stream->dead) return;
    for (int fills = 0; fills < FILLS_MAX; fills++) {
        struct fill fill;
        fill.out = loop->scratch;
        fill.size = LOOP_SCRATCH_BYTES;
        fill.filled = fill.events = fill.mark_count = 0;
        stet_status status = stream_fill(stream, &fill);
        if (status != STET_OK || (fill.filled == 0 && stream->ended)) {
            (void)shutdown(stream->fd, SHUT_WR);
            stream_die(stream);
            return;
        }
        if (fill.filled == 0) {
            if (sent_any || stream->blocked || !timer_is_set(&stream->timer))
                stream_arm(stream, loop->server->options.bookmark_s);
            set_blocked(stream, false);
            return;
        }
        ssize_t sent = raw_send(stream, &fill);
        if (sent < 0) {
            stream_die(stream);
            return;
        }
        sent_any = sent_any || sent > 0;
        if ((size_t)sent == fill.filled) continue;
        if (!raw_hold(stream, &fill, (size_t)sent)) {
            stream_die(stream);
            return;
        }
        if (sent_any || !stream->blocked) stream_arm(stream, loop->server->options.idle_timeout_s);
        set_blocked(stream, true);
        return;
    }
    stream_arm(stream, loop->server->options.bookmark_s);
    set_blocked(stream, false);
    stream_queue(stream);
}

void stream_event(struct stream *stream, uint32_t events) {
    if (stream->dead) return;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        stream_die(stream);
        return;
    }
    if (stream->blocked) stream_queue(stream);
}

static void add_line(void *context, const char *name, const char *value) {
    buffer_append_format(context, "%s: %s\r\n", name, value);
}

static void raw_head(struct request *request, struct buffer *head) {
    char date[40];
    struct tm tm;
    time_t now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    buffer_append_format(head,
                         "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: text/event-stream\r\n"
                         "Cache-Control: private, no-cache, no-transform\r\n"
                         "X-Accel-Buffering: no\r\nConnection: close\r\n",
                         date);
    request_common_headers(request, NULL, add_line, head);
    buffer_append_text(head, "\r\n");
}

/* A descriptor of our own for the socket, with the head sent. False: leave it to the library. */
static bool raw_take(struct stream *stream) {
    struct request *request = stream->request;
    struct loop *loop = stream->loop;
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLOUT | EPOLLET, .data.ptr = stream};
    struct buffer head;
    if (loop->server->tls_cert != NULL || request->suspended) return false;
    buffer_init(&head, NULL, 0);
    raw_head(request, &head);
    stream->fd = fcntl(request->peer->fd, F_DUPFD_CLOEXEC, 0);
    bool taken = stream->fd >= 0 && buffer_status(&head) == STET_OK &&
                 epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, stream->fd, &event) == 0;
    if (taken) {
        /* The head is the first of what waits to be sent. */
        stream->rest = head.bytes;
        stream->rest_size = head.size;
        atomic_fetch_add(&loop->server->connections, 1);
        request->taken_over = true;
        request->http = 200;
        return true;
    }
    if (stream->fd >= 0) close(stream->fd);
    stream->fd = -1;
    buffer_done(&head);
    return false;
}

/* ---- As a response the library pulls from ---- */

static void pulled_suspend(struct stream *stream) {
    struct request *request = stream->request;
    request->suspended = true;
    peer_enter(request->peer, PEER_ENGINE);
    peer_watch(request->peer);
    MHD_suspend_connection(request->peer->mhd);
}

static void pulled_resume(struct stream *stream) {
    struct request *request = stream->request;
    if (request == NULL || !request->suspended) return;
    request->suspended = false;
    peer_unwatch(request->peer);
    peer_enter(request->peer, PEER_REPLY);
    stream->loop->daemon_due = true;
    MHD_resume_connection(request->peer->mhd);
}

static ssize_t pulled_read(void *context, uint64_t position, char *out, size_t size) {
    struct stream *stream = context;
    struct fill fill;
    (void)position;
    if (stream->dead) return MHD_CONTENT_READER_END_WITH_ERROR;
    fill.out = out;
    fill.size = size;
    fill.filled = fill.events = fill.mark_count = 0;
    if (stream_fill(stream, &fill) != STET_OK) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (fill.filled > 0) {
        peer_enter(stream->request->peer, PEER_REPLY);
        stream_arm(stream, stream->loop->server->options.bookmark_s);
        stream->request->reply_bytes += fill.filled;
        return (ssize_t)fill.filled;
    }
    if (stream->ended) return MHD_CONTENT_READER_END_OF_STREAM;
    pulled_suspend(stream);
    return 0;
}

static void pulled_gone(struct request *request) {
    stream_die(request->state);
    if (!request->suspended) return;
    request->suspended = false;
    request->loop->daemon_due = true;
    peer_cut(request->peer);
    MHD_resume_connection(request->peer->mhd);
}

static void pulled_release(struct request *request) {
    struct stream *stream = request->state;
    stream->request = NULL;
    if (stream->dead) {
        stream_to_bury(stream);
    } else {
        stream_die(stream);
    }
}

static void pulled_start(struct stream *stream) {
    struct request *request = stream->request;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, PULLED_BYTES, pulled_read, stream, NULL);
    request->state = stream;
    request->release = pulled_release;
    request->gone = pulled_gone;
    if (response == NULL) {
        request_abandon(request);
        return;
    }
    struct reply reply = {
        .http = 200,
        .content_type = "text/event-stream",
        .extra = {{"X-Accel-Buffering", "no"}},
        .extra_count = 1,
    };
    request_reply_response(request, 200, response, &reply);
}

/* ---- Both ---- */

static void stream_go(struct stream *stream) {
    if (stream->dead) return;
    if (stream->fd >= 0) {
        if (!stream->blocked) raw_pump(stream);
    } else {
        pulled_resume(stream);
    }
}

/* ---- Turns ---- */

/* Its turn comes: what is published until then goes out with the same call. */
static void stream_queue(struct stream *stream) {
    if (!stream->dead) turn_take(&stream->loop->turns, &stream->turn);
}

static void stream_served(struct turn *turn) {
    raw_pump((struct stream *)((char *)turn - offsetof(struct stream, turn)));
}

/* It has something to send. */
static void stream_turn(struct stream *stream) {
    if (stream->fd < 0)
        stream_go(stream);
    else if (!stream->blocked)
        stream_queue(stream);
}

static void stream_wake(struct ready *ready) {
    struct stream *stream = (struct stream *)((char *)ready - offsetof(struct stream, ready));
    stream->idle = false;
    stream_turn(stream);
}

static void places_changed(void *context) {
    struct stream *stream = context;
    if (!stream->dead) stream_turn(stream);
}

stet_status stream_follow(struct stream *stream, const stet_view *operations, size_t count,
                          stet_error *err) {
    const struct places_options options = {
        .space = stream->request->match.captures[CAPTURE_SPACE],
        .actor = request_actor(stream->request),
        .ids = operations,
        .count = count,
        .changed = places_changed,
        .context = stream,
    };
    return places_create(stream->loop, &options, &stream->places, err);
}

static void stream_timer(struct timer *timer) {
    struct stream *stream = (struct stream *)((char *)timer - offsetof(struct stream, timer));
    if (stream->blocked && !stream->turn.queued) {
        metric_add(&stream->loop->metrics.cut_idle, 1);
        stream_die(stream);
        return;
    }
    stream->bookmark_due = true;
    stream_arm(stream, stream->loop->server->options.bookmark_s);
    stream_go(stream);
}

void stream_start(struct stream *stream, stet_subscription *subscription) {
    struct request *request = stream->request;
    stream->subscription = subscription;
    stream->space = request->space;
    request->space = NULL;
    stream->stopping = request->loop->stopping;
    stream_link(stream);
    if (stream->places != NULL) places_wake(stream->places);
    if (!raw_take(stream)) {
        pulled_start(stream);
        return;
    }
    request_account(request, true);
    stream->request = NULL;
    raw_pump(stream);
}

bool stream_check_some(struct loop *loop, unsigned portions) {
    unsigned portion = (loop->stream_count + portions - 1) / portions;
    struct stream *stream = loop->bearer_next;
    for (unsigned i = 0; i < portion; i++) {
        if (stream == NULL) stream = loop->streams;
        if (stream == NULL) break;
        struct stream *next = stream->next;
        bool said = stream->farewell != NULL;
        check_bearer(stream);
        /* One that takes nothing would not take its farewell, either. */
        if (!said && stream->farewell != NULL) {
            if (stream->blocked)
                stream_die(stream);
            else
                stream_turn(stream);
        }
        stream = next;
    }
    loop->bearer_next = stream;
    return loop->stream_count > 0; /* Few servers have streams that nothing can end. */
}

void stream_end_all(struct loop *loop) {
    struct stream *next;
    for (struct stream *stream = loop->streams; stream != NULL; stream = next) {
        next = stream->next;
        stream->stopping = true;
        stream_go(stream);
    }
}
