#include "http/loop.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/view.h"
#include "http/leases.h"
#include "http/live.h"
#include "http/request.h"
#include "http/stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 128,
    /* The daemon is run so often in a row before completions and new sockets get their turn. */
    RUNS_MAX = 16,
    ACCEPTS_MAX = 1024, /* In one round. */
    ACCEPT_PAUSE_MS = 100,
};

/* Response headers must fit beside the request's, so the pool is a KiB larger than those may be. */
#define POOL_BYTES 8192

static int64_t monotonic_ms(void) { return clock_monotonic_ns(clock_system()) / CLOCK_NS_PER_MS; }

/* ---- Peers ---- */

static int64_t phase_timeout_ms(const struct loop *loop, enum peer_phase phase) {
    const struct http_options *options = &loop->server->options;
    switch (phase) {
    case PEER_HEADER: return (int64_t)options->header_timeout_s * 1000;
    case PEER_BODY: return (int64_t)options->body_timeout_s * 1000;
    case PEER_REPLY: return (int64_t)options->idle_timeout_s * 1000;
    case PEER_ENGINE:
    case PEER_CUT: break;
    }
    return 0;
}

void peer_enter(struct peer *peer, enum peer_phase phase) {
    struct loop *loop = peer->loop;
    if (peer->phase == PEER_CUT) return;
    peer->phase = phase;
    int64_t timeout_ms = phase_timeout_ms(loop, phase);
    peer->deadline_ms = timeout_ms == 0 ? 0 : loop->now_ms + timeout_ms;
    /* A timer that is due too early stays: most phases are over long before it fires, and moving it touches its neighbours. */
    if (timeout_ms > 0 && (!timer_is_set(&peer->timer) || peer->timer.due_ms > peer->deadline_ms))
        timer_set(&loop->wheel, &peer->timer, peer->deadline_ms);
}

void peer_cut(struct peer *peer) {
    peer_enter(peer, PEER_CUT);
    peer->phase = PEER_CUT;
    /* The library sees the end of input and closes. */
    (void)shutdown(peer->fd, SHUT_RDWR);
}

static void peer_expired(struct timer *timer) {
    struct peer *peer = (struct peer *)((char *)timer - offsetof(struct peer, timer));
    struct metrics *metrics = &peer->loop->metrics;
    if (peer->deadline_ms == 0) return;
    if (peer->deadline_ms > peer->loop->now_ms) {
        timer_set(&peer->loop->wheel, timer, peer->deadline_ms);
        return;
    }
    switch (peer->phase) {
    case PEER_HEADER: metric_add(&metrics->cut_header, 1); break;
    case PEER_BODY:
        metric_add(&metrics->cut_body, 1);
        if (peer->request != NULL && !peer->request->answered) {
            request_expired(peer->request);
            return;
        }
        break;
    case PEER_REPLY:
        if (peer->request == NULL && leases_keep(peer)) return;
        if (peer->request != NULL) metric_add(&metrics->cut_idle, 1);
        break;
    case PEER_ENGINE:
    case PEER_CUT: return;
    }
    peer_cut(peer);
}

/* Only the hang-up is asked for: the next request of a client that pipelines is no hang-up. */
void peer_watch(struct peer *peer) {
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = peer};
    assert(!peer->watched);
    peer->watched = epoll_ctl(peer->loop->epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) == 0;
}

void peer_unwatch(struct peer *peer) {
    if (peer->watched) (void)epoll_ctl(peer->loop->epoll_fd, EPOLL_CTL_DEL, peer->fd, NULL);
    peer->watched = false;
}

void loop_release_place(struct loop *loop) { atomic_fetch_sub(&loop->server->connections, 1); }

static void peer_open(struct loop *loop, struct MHD_Connection *mhd, void **context) {
    struct peer *peer = calloc(1, sizeof *peer);
    *context = peer;
    if (peer == NULL) return; /* Its first request is refused; then it is closed. */
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    peer->source.kind = SOURCE_PEER;
    peer->fd = info->connect_fd;
    peer->loop = loop;
    peer->mhd = mhd;
    peer->timer.fire = peer_expired;
    peer->next = loop->peers;
    if (loop->peers != NULL) loop->peers->prev = peer;
    loop->peers = peer;
    peer_enter(peer, PEER_HEADER);
}

static void peer_close(struct loop *loop, struct peer *peer) {
    loop_release_place(loop);
    loop->peer_closed = true;
    if (peer == NULL) return;
    request_forget(peer);
    peer_unwatch(peer);
    leases_drop(peer);
    timer_cancel(&loop->wheel, &peer->timer);
    if (peer->prev != NULL) peer->prev->next = peer->next;
    if (peer->next != NULL) peer->next->prev = peer->prev;
    if (loop->peers == peer) loop->peers = peer->next;
    free(peer);
}

static void callback_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                                enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        peer_open(context, mhd, socket_context);
    } else {
        peer_close(context, *socket_context);
        *socket_context = NULL;
    }
}

/* Escapes stay as they are: a path is split first and decoded then. */
static size_t callback_unescape(void *context, struct MHD_Connection *mhd, char *text) {
    (void)context;
    (void)mhd;
    return strlen(text);
}

/* ---- New sockets ---- */

void loop_add_socket(struct loop *loop, int fd) {
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    loop->daemon_due = true;
    if (getpeername(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd); /* It left already. */
        loop_release_place(loop);
        return;
    }
    /* A refusal closes the socket, and tells peer_close only if it came late. */
    loop->peer_closed = false;
    if (MHD_add_connection(loop->daemon, fd, (struct sockaddr *)&address, size) != MHD_YES &&
        !loop->peer_closed)
        loop_release_place(loop);
}

static void listeners_watch(struct loop *loop, bool on) {
    struct http_server *server = loop->server;
    for (unsigned i = 0; i < server->listener_count; i++) {
        struct listener *listener = &server->listeners[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener->source};
        listener->source.kind = SOURCE_LISTENER;
        (void)epoll_ctl(loop->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener->fd, &event);
    }
}

static void accept_again(struct timer *timer) {
    struct loop *loop = (struct loop *)((char *)timer - offsetof(struct loop, accept_timer));
    if (!loop->stopping) listeners_watch(loop, true);
}

static void hand_over(struct loop *loop, int fd) {
    bool taken = true;
    pthread_mutex_lock(&loop->mailbox_mutex);
    if (loop->mailbox_count == loop->mailbox_capacity) {
        unsigned capacity = loop->mailbox_capacity == 0 ? 64 : loop->mailbox_capacity * 2;
        int *mailbox = realloc(loop->mailbox, capacity * sizeof *mailbox);
        taken = mailbox != NULL;
        if (taken) {
            loop->mailbox = mailbox;
            loop->mailbox_capacity = capacity;
        }
    }
    if (taken) loop->mailbox[loop->mailbox_count++] = fd;
    bool first = taken && loop->mailbox_count == 1;
    pthread_mutex_unlock(&loop->mailbox_mutex);
    if (first) loop_wake(loop);
    if (taken) return;
    close(fd);
    loop_release_place(loop);
}

static void accept_sockets(struct loop *loop, const struct listener *listener) {
    struct http_server *server = loop->server;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) return;
            /* Out of descriptors or memory: asking again at once would spin. */
            if (!timer_is_set(&loop->accept_timer)) listeners_watch(loop, false);
            timer_set(&loop->wheel, &loop->accept_timer, loop->now_ms + ACCEPT_PAUSE_MS);
            return;
        }
        atomic_fetch_add(&server->connections_total, 1);
        if (atomic_fetch_add(&server->connections, 1) >= server->options.connections_max) {
            loop_release_place(loop);
            atomic_fetch_add(&server->connections_refused, 1);
            close(fd);
            continue;
        }
        struct loop *taker = &server->loops[server->next_loop++ % server->loop_count];
        if (taker == loop) {
            loop_add_socket(loop, fd);
        } else {
            hand_over(taker, fd);
        }
    }
}

static void read_mailbox(struct loop *loop) {
    uint64_t count;
    int *sockets;
    unsigned socket_count;
    (void)!read(loop->mailbox_fd, &count, sizeof count);
    if (atomic_exchange(&loop->presence_due, false)) live_presence_due(loop);
    pthread_mutex_lock(&loop->mailbox_mutex);
    sockets = loop->mailbox;
    socket_count = loop->mailbox_count;
    loop->mailbox = NULL;
    loop->mailbox_count = loop->mailbox_capacity = 0;
    pthread_mutex_unlock(&loop->mailbox_mutex);
    for (unsigned i = 0; i < socket_count; i++)
        loop_add_socket(loop, sockets[i]);
    free(sockets);
}

void loop_wake(struct loop *loop) {
    uint64_t one = 1;
    (void)!write(loop->mailbox_fd, &one, sizeof one);
}

/* ---- Rounds ---- */

static void take_completions(struct loop *loop) {
    stet_command *command;
    stet_subscription *subscription;
    while ((command = stet_client_next(loop->client)) != NULL) {
        struct waiter *waiter = stet_command_context(command);
        waiter->done(waiter, command);
    }
    while ((subscription = stet_client_ready(loop->client)) != NULL) {
        struct ready *ready = stet_subscription_context(subscription);
        ready->wake(ready);
    }
}

static void run_daemon(struct loop *loop) {
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    loop->daemon_due = false;
    for (int i = 0; i < RUNS_MAX; i++) {
        (void)MHD_run(loop->daemon);
        if (loop->daemon_due) {
            loop->daemon_due = false;
            continue;
        }
        if (MHD_get_timeout(loop->daemon, &timeout_ms) != MHD_YES || timeout_ms > 0) return;
    }
    loop->daemon_due = true; /* The next round does not wait. */
}

static void begin_stop(struct loop *loop) {
    if (loop->stopping) return;
    loop->stopping = true;
    loop->stop_deadline_ms = loop->now_ms + STOP_GRACE_MS;
    if (loop->index == 0) {
        if (!timer_is_set(&loop->accept_timer)) listeners_watch(loop, false);
        timer_cancel(&loop->wheel, &loop->accept_timer);
    }
    stream_end_all(loop);
    live_end_all(loop);
    for (struct peer *peer = loop->peers; peer != NULL; peer = peer->next) {
        struct request *request = peer->request;
        if (request != NULL && request->suspended && request->stop != NULL) request->stop(request);
    }
    loop->daemon_due = true;
}

static void handle_event(struct loop *loop, const struct epoll_event *event) {
    struct source *source = event->data.ptr;
    switch (source->kind) {
    case SOURCE_DAEMON: loop->daemon_due = true; break;
    case SOURCE_CLIENT: take_completions(loop); break;
    case SOURCE_MAILBOX: read_mailbox(loop); break;
    case SOURCE_LISTENER: accept_sockets(loop, (struct listener *)source); break;
    case SOURCE_PEER: {
        struct peer *peer = (struct peer *)source;
        if (peer->request != NULL && peer->request->suspended) request_abandon(peer->request);
        break;
    }
    case SOURCE_STREAM: stream_event((struct stream *)source, event->events); break;
    case SOURCE_LIVE: live_event((struct live *)source, event->events); break;
    }
}

void loop_round(struct loop *loop, int wait_ms) {
    struct epoll_event events[EVENTS_MAX];
    struct timer *timer;
    int until_timer_ms = wheel_wait_ms(&loop->wheel, loop->now_ms);
    if (until_timer_ms >= 0 && (wait_ms < 0 || until_timer_ms < wait_ms)) wait_ms = until_timer_ms;
    if (loop->daemon_due || loop->turns.first != NULL) wait_ms = 0;
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait_ms);
    loop->now_ms = monotonic_ms();
    atomic_fetch_add_explicit(&loop->rounds, 1, memory_order_relaxed);
    /* Peers, streams and live ones named here are freed only below: by run_daemon and their burials. */
    for (int i = 0; i < count; i++)
        handle_event(loop, &events[i]);
    while ((timer = wheel_expired(&loop->wheel, loop->now_ms)) != NULL)
        timer->fire(timer);
    if (atomic_load_explicit(&loop->server->stopping, memory_order_relaxed)) begin_stop(loop);
    if (loop->daemon_due) run_daemon(loop);
    turns_serve(&loop->turns);
    stream_bury(loop);
    live_bury(loop);
}

/* Commands always come back; answers and streams get a bounded time. */
static bool may_end(const struct loop *loop) {
    if (!loop->stopping || loop->commands > 0) return false;
    return (loop->requests == 0 && loop->live_count == 0) || loop->now_ms >= loop->stop_deadline_ms;
}

/* Stopping the daemon while a connection is suspended would abort the process. */
static void resume_all(struct loop *loop) {
    for (struct peer *peer = loop->peers; peer != NULL; peer = peer->next) {
        if (peer->request != NULL && peer->request->suspended) request_abandon(peer->request);
    }
    run_daemon(loop);
}

static void *loop_main(void *context) {
    struct loop *loop = context;
    pthread_setname_np(pthread_self(), "http");
    loop->start_status = loop_init(loop, &loop->start_error);
    bool serving = loop->start_status == STET_OK;
    sem_post(&loop->started);
    while (serving && !may_end(loop))
        loop_round(loop, loop->stopping ? WHEEL_TICK_MS : -1);
    loop_done(loop);
    return NULL;
}

/* ---- Start and end ---- */

static stet_status loop_error(stet_error *err, const char *what) {
    error_set(err, STET_IO, "could not start serving");
    error_cause(err, "%s: %s", what, strerror(errno));
    return STET_IO;
}

static stet_status watch(struct loop *loop, int fd, struct source *source, enum source_kind kind,
                         stet_error *err) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    source->kind = kind;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) return STET_OK;
    return loop_error(err, "epoll_ctl");
}

static stet_status start_daemon(struct loop *loop, stet_error *err) {
    struct http_server *server = loop->server;
    bool tls = server->tls_cert != NULL;
    /* TURBO spares the shutdown before a close, without which a stream could not take a socket
     * over; TLS needs that shutdown for its farewell. */
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
    flags |= tls ? MHD_USE_TLS : MHD_USE_TURBO;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)server->options.connections_max, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, 0, NULL}, /* Deadlines are ours. */
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)callback_connection, loop},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)request_callback_completed, loop},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)request_callback_target, loop},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)callback_unescape, NULL},
        {tls ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0, server->tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls_key},
        {MHD_OPTION_END, 0, NULL},
    };
    loop->daemon = MHD_start_daemon(flags, 0, NULL, NULL, request_callback_handle, loop,
                                    MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (loop->daemon == NULL) {
        error_set(err, STET_IO,
                  tls ? "could not start serving; are certificate and key valid?"
                      : "could not start serving");
        error_field(err, tls ? "tls-cert" : "listen", 0);
        error_cause(err, "MHD_start_daemon failed");
        return STET_IO;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return watch(loop, info->epoll_fd, &loop->daemon_source, SOURCE_DAEMON, err);
}

stet_status loop_prepare(struct loop *loop, struct http_server *server, unsigned index,
                         stet_error *err) {
    loop->server = server;
    loop->index = index;
    loop->epoll_fd = -1;
    loop->mailbox_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->mailbox_fd < 0) return loop_error(err, "eventfd");
    pthread_mutex_init(&loop->mailbox_mutex, NULL);
    sem_init(&loop->started, 0, 0);
    return STET_OK;
}

void loop_unprepare(struct loop *loop) {
    if (loop->server == NULL || loop->mailbox_fd < 0) return;
    for (unsigned i = 0; i < loop->mailbox_count; i++)
        close(loop->mailbox[i]);
    free(loop->mailbox);
    loop->mailbox = NULL;
    close(loop->mailbox_fd);
    pthread_mutex_destroy(&loop->mailbox_mutex);
    sem_destroy(&loop->started);
}

stet_status loop_init(struct loop *loop, stet_error *err) {
    struct http_server *server = loop->server;
    unsigned long long seed = entropy_u64(entropy_system());
    snprintf(loop->request_id_prefix, sizeof loop->request_id_prefix, "%08llx-", seed & 0xFFFFFFFF);
    loop->now_ms = monotonic_ms();
    wheel_init(&loop->wheel, loop->now_ms);
    loop->accept_timer.fire = accept_again;
    buffer_init(&loop->live_out, NULL, 0);
    loop->scratch = malloc(LOOP_SCRATCH_BYTES);
    if (loop->scratch == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) return loop_error(err, "epoll_create1");
    stet_status status = stet_client_create(server->engine, &loop->client, err);
    if (status != STET_OK) return status;
    status = start_daemon(loop, err);
    if (status != STET_OK) return status;
    status = watch(loop, stet_client_fd(loop->client), &loop->client_source, SOURCE_CLIENT, err);
    if (status != STET_OK) return status;
    status = watch(loop, loop->mailbox_fd, &loop->mailbox_source, SOURCE_MAILBOX, err);
    if (status != STET_OK) return status;
    if (loop->index == 0) listeners_watch(loop, true);
    return STET_OK;
}

void loop_done(struct loop *loop) {
    if (loop->daemon != NULL) {
        loop->stopping = true;
        live_cut_all(loop); /* With TLS they are connections of the library, suspended. */
        resume_all(loop);
        MHD_stop_daemon(loop->daemon);
        loop->daemon = NULL;
    }
    if (loop->client != NULL) {
        stream_end_all(loop);
        stream_bury(loop);
        while (loop->streams != NULL) /* Readers that did not take their farewell. */
            stream_event(loop->streams, EPOLLHUP);
        stream_bury(loop);
        live_bury(loop);
    }
    buffer_done(&loop->live_out);
    request_pool_done(loop);
    stet_client_destroy(loop->client);
    loop->client = NULL;
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    loop->epoll_fd = -1;
    free(loop->scratch);
    loop->scratch = NULL;
}

stet_status loop_start(struct loop *loop, stet_error *err) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    /* Signals are for the program's own threads; SIGPIPE is for nobody. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&loop->thread, NULL, loop_main, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        errno = failure;
        return loop_error(err, "pthread_create");
    }
    while (sem_wait(&loop->started) != 0)
        continue;
    loop->running = true;
    if (loop->start_status == STET_OK) return STET_OK;
    loop_join(loop);
    if (err != NULL) *err = loop->start_error;
    return loop->start_status;
}

void loop_join(struct loop *loop) {
    pthread_join(loop->thread, NULL);
    loop->running = false;
}
