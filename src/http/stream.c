#include "http/stream.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/view.h"

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
/* Rendered at once before the rest waits for room in the socket. */
#define FILL_BYTES (16 * 1024)

struct stream {
    struct source source; /* First: the outer epoll set points here. */
    struct ready ready;
    struct loop *loop;
    int fd;                  /* Taken over; -1: the library's. */
    struct request *request; /* Only while the library's. */
    stet_space *space;
    stet_subscription *subscription;
    struct timer timer; /* Bookmarks; or the patience with a reader that takes nothing. */
    char *token;        /* Asked about again before anything is sent; NULL: there is none. */
    char *rest;         /* Rendered and not yet sent. */
    size_t rest_at, rest_size;
    bool begun;        /* `retry:` is out. */
    bool bookmark_due; /* Quiet for so long that a position is sent. */
    bool blocked;      /* The socket takes nothing now. */
    bool idle;         /* The subscription said false; stet_client_ready will name it. */
    bool stopping, revoked;
    bool ended; /* Everything up to the end event is rendered. */
    bool dead;
    struct stream *prev, *next;
};

/* ---- Rendering ---- */

static const char *event_name(stet_event_kind kind) {
    switch (kind) {
    case STET_EVENT_CHANGE: return "change";
    case STET_EVENT_CONFLICT: return "conflict";
    case STET_EVENT_READY: return "ready";
    case STET_EVENT_BOOKMARK: return "bookmark";
    case STET_EVENT_RESET: return "reset";
    case STET_EVENT_END: return "end";
    }
    return "unknown";
}

/* JSON may hold line breaks between its tokens; each line gets its own field. */
static void render_data(struct buffer *buffer, stet_view data) {
    const char *at = data.bytes;
    const char *end = data.bytes + data.size;
    do {
        const char *stop = at;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        buffer_append(buffer, "data: ", 6);
        buffer_append(buffer, at, (size_t)(stop - at));
        buffer_append_char(buffer, '\n');
        at = stop + 1;
    } while (at < end);
}

static void render_event(struct buffer *buffer, const stet_event *event) {
    /* No id inside a transaction: a client that loses the line there resumes before it. */
    if (event->resume != 0) {
        buffer_append(buffer, "id: ", 4);
        buffer_append_u64(buffer, event->resume);
        buffer_append_char(buffer, '\n');
    }
    buffer_append_text(buffer, "event: ");
    buffer_append_text(buffer, event_name(event->kind));
    buffer_append_char(buffer, '\n');
    render_data(buffer, event->data);
    buffer_append_char(buffer, '\n');
}

static void render_end(struct stream *stream, struct buffer *buffer) {
    const char *code = stream->revoked ? "UNAUTHENTICATED" : "SHUTTING_DOWN";
    buffer_append_format(buffer, "event: end\ndata: {\"code\":\"%s\"}\n\n", code);
    stream->ended = true;
}

/* The next event, or what is due instead of one. False: nothing now. */
static bool render_next(struct stream *stream, struct buffer *buffer) {
    stet_event event;
    if (!stream->begun) {
        buffer_append_text(buffer, "retry: " RETRY_MS "\n\n");
        stream->begun = true;
        return true;
    }
    if (stream->ended) return false;
    if (stream->revoked || stream->stopping) {
        render_end(stream, buffer);
        return true;
    }
    if (!stream->idle && stet_subscription_next(stream->subscription, &event)) {
        metric_add(&stream->loop->metrics.stream_events, 1);
        stream->bookmark_due = false;
        if (event.kind == STET_EVENT_END) stream->ended = true;
        render_event(buffer, &event);
        return true;
    }
    stream->idle = true;
    if (!stream->bookmark_due) return false;
    stream->bookmark_due = false;
    stet_subscription_bookmark(stream->subscription, &event);
    render_event(buffer, &event);
    return true;
}

/* Who may no longer read must not be sent what happened since. */
static void check_token(struct stream *stream) {
    stet_identity identity;
    if (stream->token != NULL && stet_authenticate(stream->loop->client, view_of(stream->token),
                                                   &identity, NULL) == STET_UNAUTHENTICATED)
        stream->revoked = true;
}

/* Puts up to size bytes into out. 0: nothing now (or, with ->ended, never again). Rendered text
 * that finds no room waits in ->rest. */
static size_t stream_fill(struct stream *stream, char *out, size_t size, stet_status *status) {
    size_t filled = 0;
    struct buffer buffer;
    *status = STET_OK;
    check_token(stream);
    buffer_init(&buffer, NULL, 0);
    while (filled < size) {
        if (stream->rest_size > stream->rest_at) {
            size_t part = stream->rest_size - stream->rest_at;
            if (part > size - filled) part = size - filled;
            memcpy(out + filled, stream->rest + stream->rest_at, part);
            stream->rest_at += part;
            filled += part;
            continue;
        }
        free(stream->rest);
        stream->rest = NULL;
        stream->rest_at = stream->rest_size = 0;

        buffer_reset(&buffer);
        if (!render_next(stream, &buffer)) break;
        if (buffer_status(&buffer) != STET_OK) {
            *status = STET_NO_MEMORY;
            break;
        }
        if (buffer.size <= size - filled) {
            memcpy(out + filled, buffer.bytes, buffer.size);
            filled += buffer.size;
            continue;
        }
        stream->rest = malloc(buffer.size);
        if (stream->rest == NULL) {
            *status = STET_NO_MEMORY;
            break;
        }
        memcpy(stream->rest, buffer.bytes, buffer.size);
        stream->rest_size = buffer.size;
    }
    buffer_done(&buffer);
    return filled;
}

/* ---- Birth and death ---- */

static void stream_wake(struct ready *ready);
static void stream_timer(struct timer *timer);

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
    stream->loop = request->loop;
    stream->request = request;
    stream->fd = -1;
    stet_view token = request_revocable_token(request);
    if (token.size > 0) {
        stream->token = strndup(token.bytes, token.size);
        if (stream->token == NULL) {
            error_set(err, STET_NO_MEMORY, "out of memory");
            free(stream);
            return NULL;
        }
    }
    return stream;
}

static void stream_free(struct stream *stream) {
    stet_unsubscribe(stream->subscription);
    stet_space_close(stream->space);
    free(stream->token);
    free(stream->rest);
    free(stream);
}

void stream_destroy_unstarted(struct stream *stream) { stream_free(stream); }

static void stream_link(struct stream *stream) {
    struct loop *loop = stream->loop;
    stream->next = loop->streams;
    if (loop->streams != NULL) loop->streams->prev = stream;
    loop->streams = stream;
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
    if (stream->prev != NULL) stream->prev->next = stream->next;
    if (stream->next != NULL) stream->next->prev = stream->prev;
    if (loop->streams == stream) loop->streams = stream->next;
    metric_sub(&loop->metrics.streams, 1);
    if (stream->fd >= 0) {
        /* By hand: the library may not have closed its descriptor of the same socket yet. */
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
        close(stream->fd);
        loop_release_place(loop);
    }
    stet_unsubscribe(stream->subscription);
    stream->subscription = NULL;
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

static void raw_pump(struct stream *stream) {
    char out[FILL_BYTES];
    stet_status status = STET_OK;
    bool sent_any = false;
    if (stream->dead) return;
    for (;;) {
        size_t size = stream_fill(stream, out, sizeof out, &status);
        if (status != STET_OK || (size == 0 && stream->ended)) {
            (void)shutdown(stream->fd, SHUT_WR);
            stream_die(stream);
            return;
        }
        if (size == 0) break;
        ssize_t sent;
        do {
            sent = send(stream->fd, out, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            stream_die(stream);
            return;
        }
        size_t done = sent < 0 ? 0 : (size_t)sent;
        metric_add(&stream->loop->metrics.bytes_out, done);
        sent_any = sent_any || done > 0;
        if (done == size) continue;
        /* What did not go out stands before what was left over. */
        size_t old = stream->rest_size - stream->rest_at;
        char *rest = malloc(size - done + old);
        if (rest == NULL) {
            stream_die(stream);
            return;
        }
        memcpy(rest, out + done, size - done);
        if (old > 0) memcpy(rest + size - done, stream->rest + stream->rest_at, old);
        free(stream->rest);
        stream->rest = rest;
        stream->rest_at = 0;
        stream->rest_size = size - done + old;
        if (sent_any || !stream->blocked) {
            stream_arm(stream, stream->loop->server->options.idle_timeout_s);
        }
        set_blocked(stream, true);
        return;
    }
    if (sent_any || stream->blocked || !timer_is_set(&stream->timer))
        stream_arm(stream, stream->loop->server->options.bookmark_s);
    set_blocked(stream, false);
}

void stream_event(struct stream *stream, uint32_t events) {
    if (stream->dead) return;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        stream_die(stream);
        return;
    }
    if (stream->blocked) raw_pump(stream);
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
    request_common_headers(request, add_line, head);
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
    stet_status status;
    (void)position;
    if (stream->dead) return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t filled = stream_fill(stream, out, size, &status);
    if (status != STET_OK) return MHD_CONTENT_READER_END_WITH_ERROR;
    if (filled > 0) {
        peer_enter(stream->request->peer, PEER_REPLY);
        stream_arm(stream, stream->loop->server->options.bookmark_s);
        stream->request->reply_bytes += filled;
        return (ssize_t)filled;
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
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, pulled_read, stream, NULL);
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

static void stream_wake(struct ready *ready) {
    struct stream *stream = (struct stream *)((char *)ready - offsetof(struct stream, ready));
    stream->idle = false;
    stream_go(stream);
}

static void stream_timer(struct timer *timer) {
    struct stream *stream = (struct stream *)((char *)timer - offsetof(struct stream, timer));
    if (stream->blocked) {
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
    if (!raw_take(stream)) {
        pulled_start(stream);
        return;
    }
    request_account(request, true);
    stream->request = NULL;
    raw_pump(stream);
}

void stream_end_all(struct loop *loop) {
    struct stream *next;
    for (struct stream *stream = loop->streams; stream != NULL; stream = next) {
        next = stream->next;
        stream->stopping = true;
        stream_go(stream);
    }
}
