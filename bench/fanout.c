#include "fanout.h"

#include "server.h"
#include "socket_reader.h"
#include "workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OPENING_MAX = 128, /* Streams that have not said `ready` yet. */
    READ_BYTES = 256 * 1024,
    EVENTS_MAX = 512,
    LINE_BYTES = 40, /* What is looked at of a line. */
};

#define NS_PER_S 1000000000
#define SPACE "main"

const char *const fanout_mix_names[] = {"type", "mixed", "record"};
const char *const fanout_wire_names[] = {"stream", "socket"};

/* The first member of what the epoll set points at. */
struct endpoint {
    bool writes;
};

struct digest {
    uint64_t count;
    uint64_t sum;
};

enum interest { INTEREST_TYPE, INTEREST_RECORD, INTEREST_GROUP };

struct subscriber {
    struct endpoint endpoint;
    int fd;
    enum interest interest;
    size_t which; /* The record, or the group. */
    bool answered, ready;
    struct socket_reader reader; /* Of a WebSocket; of a stream what follows. */
    bool inside;                 /* Of a line whose beginning was looked at. */
    uint8_t line_size;           /* Of a beginning that is not complete. */
    char line[LINE_BYTES];
    enum { KIND_NONE, KIND_CHANGE, KIND_OTHER } kind; /* Of the event being read. */
    uint64_t id;
    uint64_t last;
    struct digest got;
};

struct writer {
    struct endpoint endpoint;
    struct link *link;
    bool busy;
    size_t record;
    int64_t due_ns;
    struct op op;
    char id[WORKLOAD_ID_BYTES];
    char key[WORKLOAD_KEY_BYTES];
    char data[WORKLOAD_DATA_BYTES];
};

/* One write, by its seq. */
struct written {
    int64_t due_ns; /* 0: not known yet. */
    bool acknowledged;
};

struct run {
    const struct fanout *fanout;
    int epoll;
    char *in;
    struct subscriber *subscribers;
    struct writer *writers;
    unsigned opening, ready;
    bool counting;
    uint64_t first; /* The position before the first write counted. */
    struct written *written;
    size_t written_capacity;
    size_t flying;
    uint64_t writes;
    uint64_t expected, delivered; /* Events of the writes that were acknowledged; events. */
    int64_t began_ns, last_ns;
    struct digest *records;     /* What was acknowledged, by record. */
    int64_t *record_due_ns;     /* Of the write under way. */
    unsigned *record_listeners; /* How many listen to each record alone. */
    unsigned type_listeners;
    unsigned group_listeners[FANOUT_GROUPS];
    struct histogram latency, ack;
};

/* What outlives a run: the records. */
static struct workload workload;

static void *get_zeroed(size_t count, size_t size) {
    void *memory = calloc(count == 0 ? 1 : count, size);
    if (memory == NULL) server_fail("out of memory");
    return memory;
}

noreturn static void at_fault(const struct subscriber *subscriber, const char *what) {
    fprintf(stderr, "after position %llu: ", (unsigned long long)subscriber->last);
    errno = 0;
    server_fail(what);
}

static uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    value = (value ^ (value >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ (value >> 33);
}

static void digest_add(struct digest *digest, uint64_t seq) {
    digest->count++;
    digest->sum += mix(seq);
}

static void digest_merge(struct digest *into, const struct digest *from) {
    into->count += from->count;
    into->sum += from->sum;
}

static void watch(struct run *run, int fd, struct endpoint *endpoint) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = endpoint};
    if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, fd, &event) != 0) server_fail("epoll_ctl");
}

/* ---- Writing ----------------------------------------------------------------------------- */

/* The workload's data with the record's group as first member. */
static size_t make_data(size_t record, uint64_t version, char out[WORKLOAD_DATA_BYTES]) {
    char member[32];
    int size = snprintf(member, sizeof member, "{\"g\":\"%02zu\",", record % FANOUT_GROUPS);
    workload_data(record, version, out);
    /* The template's text at the end gives way, which keeps the size. */
    memmove(out + size, out + 1, WORKLOAD_DATA_BYTES - 1 - (size_t)size);
    memcpy(out, member, (size_t)size);
    memcpy(out + WORKLOAD_DATA_BYTES - 2, "\"}", 2);
    return WORKLOAD_DATA_BYTES;
}

static struct written *written_at(struct run *run, uint64_t seq) {
    if (seq <= run->first) return NULL;
    size_t index = (size_t)(seq - run->first - 1);
    if (index >= run->written_capacity) {
        /* A position far off is nonsense, and would have us reserve for it. */
        size_t capacity = run->written_capacity * 2;
        if (index >= capacity) return NULL;
        run->written = realloc(run->written, capacity * sizeof *run->written);
        if (run->written == NULL) server_fail("out of memory");
        memset(run->written + run->written_capacity, 0,
               (capacity - run->written_capacity) * sizeof *run->written);
        run->written_capacity = capacity;
    }
    return &run->written[index];
}

static void write_next(struct run *run, struct writer *writer, size_t record, int64_t due_ns) {
    uint64_t version = workload_version(&workload, record);
    workload_id(record, writer->id);
    workload_key(writer->key);
    writer->record = record;
    writer->due_ns = due_ns;
    writer->busy = true;
    writer->op = (struct op){.kind = version == 0 ? OP_CREATE : OP_PUT,
                             .space = {SPACE, sizeof SPACE - 1},
                             .type = {WORKLOAD_TYPE, sizeof WORKLOAD_TYPE - 1},
                             .id = {writer->id, sizeof writer->id},
                             .key = {writer->key, sizeof writer->key},
                             .data = {writer->data, make_data(record, version + 1, writer->data)},
                             .base = version};
    run->record_due_ns[record] = due_ns;
    run->flying++;
    run->fanout->target->send(run->fanout->target, writer->link, &writer->op);
}

static uint64_t seq_of(stet_view body) {
    static const char name[] = "\"seq\":";
    const char *at = memmem(body.bytes, body.size, name, sizeof name - 1);
    return at == NULL ? 0 : strtoull(at + sizeof name - 1, NULL, 10);
}

static uint64_t listeners_of(const struct run *run, size_t record) {
    return run->type_listeners + run->record_listeners[record] +
           run->group_listeners[record % FANOUT_GROUPS];
}

static void acknowledged(struct run *run, struct writer *writer, uint64_t seq) {
    struct written *written = written_at(run, seq);
    errno = 0;
    if (written == NULL || written->acknowledged)
        server_fail("a write was answered with a position that makes no sense");
    written->acknowledged = true;
    written->due_ns = writer->due_ns;
    digest_add(&run->records[writer->record], seq);
    run->writes++;
    run->expected += listeners_of(run, writer->record);
    histogram_add(&run->ack, now_ns() - writer->due_ns);
}

static void writer_event(struct run *run, struct writer *writer) {
    struct reply reply;
    struct target *target = run->fanout->target;
    if (!target->receive(target, writer->link, &writer->op, &reply)) return;
    errno = 0;
    if (reply.kind != REPLY_OK && reply.kind != REPLY_CREATED) {
        fprintf(stderr, "%.*s\n", (int)reply.body.size, reply.body.bytes);
        server_fail("a write was refused");
    }
    workload_give(&workload, writer->record, reply.version);
    writer->busy = false;
    run->flying--;
    if (run->counting) acknowledged(run, writer, seq_of(reply.body));
}

static struct writer *idle_writer(struct run *run) {
    for (unsigned i = 0; i < run->fanout->writers; i++) {
        if (!run->writers[i].busy) return &run->writers[i];
    }
    return NULL;
}

/* ---- Listening --------------------------------------------------------------------------- */

/* The write an event is of, when the event was faster than the answer: by the record that it names. */
static int64_t due_by_record(const struct run *run, const char *at, const char *end) {
    static const char name[] = "\"id\":\"record-";
    const char *found = memmem(at, (size_t)(end - at), name, sizeof name - 1);
    if (found == NULL || end - found < (ptrdiff_t)sizeof name + 8) return 0;
    size_t record = strtoul(found + sizeof name - 1, NULL, 10);
    return record < run->fanout->records ? run->record_due_ns[record] : 0;
}

/* at: behind the event's data, somewhere. */
static void change_arrived(struct run *run, struct subscriber *subscriber, int64_t now,
                           const char *data, const char *end) {
    struct written *written;
    if (subscriber->id <= subscriber->last)
        at_fault(subscriber, "a change came twice, or too late");
    subscriber->last = subscriber->id;
    if (!run->counting) at_fault(subscriber, "a change came that nobody made");
    digest_add(&subscriber->got, subscriber->id);
    run->delivered++;
    run->last_ns = now;
    written = written_at(run, subscriber->id);
    if (written == NULL) at_fault(subscriber, "a change has a position that makes no sense");
    if (written->due_ns == 0 && data != NULL) written->due_ns = due_by_record(run, data, end);
    if (written->due_ns != 0) histogram_add(&run->latency, now - written->due_ns);
}

static bool line_begins(const char *line, size_t size, const char *with) {
    return size >= strlen(with) && memcmp(line, with, strlen(with)) == 0;
}

/* A whole line, or the first LINE_BYTES of it. data: of the event in the same read; NULL: unknown. */
static void line_arrived(struct run *run, struct subscriber *subscriber, const char *line,
                         size_t size, int64_t now, const char *data, const char *data_end) {
    if (!subscriber->answered) {
        if (!line_begins(line, size, "HTTP/1.1 200")) at_fault(subscriber, "a stream was refused");
        subscriber->answered = true;
    } else if (line_begins(line, size, "id: ")) {
        subscriber->id = strtoull(line + 4, NULL, 10);
    } else if (line_begins(line, size, "event: change")) {
        subscriber->kind = KIND_CHANGE;
    } else if (line_begins(line, size, "event: ready")) {
        subscriber->kind = KIND_OTHER;
        if (subscriber->ready) at_fault(subscriber, "a stream was ready twice");
        subscriber->ready = true;
        subscriber->last = subscriber->id;
        run->opening--;
        run->ready++;
    } else if (line_begins(line, size, "event: ")) {
        if (!line_begins(line, size, "event: bookmark"))
            at_fault(subscriber, "a stream ended or was reset");
        subscriber->kind = KIND_OTHER;
    } else if (size == 0) {
        if (subscriber->kind == KIND_CHANGE) {
            change_arrived(run, subscriber, now, data, data_end);
        } else if (subscriber->kind == KIND_OTHER && subscriber->id < subscriber->last) {
            at_fault(subscriber, "a position went back");
        }
        subscriber->kind = KIND_NONE;
    }
}

static void bytes_arrived(struct run *run, struct subscriber *subscriber, const char *at,
                          const char *end, int64_t now) {
    const char *data = NULL;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = stop == NULL ? end : stop;
        size_t size = (size_t)(line_end - at);
        if (subscriber->inside) {
            subscriber->inside = stop == NULL;
        } else if (subscriber->line_size > 0 || stop == NULL) {
            /* It is put together, as far as it matters. */
            size_t room = sizeof subscriber->line - subscriber->line_size;
            size_t part = size < room ? size : room;
            memcpy(subscriber->line + subscriber->line_size, at, part);
            subscriber->line_size += (uint8_t)part;
            if (stop != NULL || subscriber->line_size == sizeof subscriber->line) {
                size_t whole = subscriber->line_size;
                if (whole > 0 && subscriber->line[whole - 1] == '\r') whole--;
                line_arrived(run, subscriber, subscriber->line, whole, now, NULL, NULL);
                subscriber->line_size = 0;
                subscriber->inside = stop == NULL;
            }
        } else {
            if (*at == 'd') data = at;
            if (size > 0 && line_end[-1] == '\r') size--;
            line_arrived(run, subscriber, at, size, now, data, line_end);
            if (size == 0) data = NULL;
        }
        at = line_end + 1;
    }
}

/* ---- Listening on a WebSocket -------------------------------------------------------------- */

/* Masked with zeros, so that nothing has to be done to it. */
static void say(const struct subscriber *subscriber, int kind, const char *text, size_t size) {
    char frame[160] = {(char)(0x80 | kind), (char)(0x80 | size)};
    if (size > 125) server_fail("too long for a short frame");
    memcpy(frame + 6, text, size);
    if (send(subscriber->fd, frame, 6 + size, MSG_NOSIGNAL) != (ssize_t)(6 + size))
        server_fail("send");
}

static void subscribe(const struct subscriber *subscriber) {
    char what[64] = "\"type\":[\"" WORKLOAD_TYPE "\"]", text[128];
    if (subscriber->interest == INTEREST_RECORD)
        snprintf(what, sizeof what, "\"ids\":[\"" WORKLOAD_TYPE "/record-%07zu\"]",
                 subscriber->which);
    if (subscriber->interest == INTEREST_GROUP)
        snprintf(what, sizeof what, "\"type\":[\"" WORKLOAD_TYPE "\"],\"where\":\"g = '%02zu'\"",
                 subscriber->which);
    int size =
        snprintf(text, sizeof text, "{\"id\":1,\"op\":\"subscribe\",\"sub\":\"a\",%s}", what);
    say(subscriber, SOCKET_TEXT, text, (size_t)size);
}

static void message_arrived(struct run *run, struct subscriber *subscriber,
                            const struct socket_frame *frame, int64_t now) {
    static const char event[] = "{\"sub\":\"a\",\"event\":\"";
    static const char position[] = "\"id\":";
    if (line_begins(frame->begin, frame->begin_size, "{\"id\":1,\"status\":200,") ||
        line_begins(frame->begin, frame->begin_size, "{\"event\":\"presence\","))
        return;
    if (!line_begins(frame->begin, frame->begin_size, event))
        at_fault(subscriber, "a subscription was refused, or a socket ended");
    const char *name = frame->begin + sizeof event - 1;
    size_t left = frame->begin_size - (sizeof event - 1);
    const char *at = memmem(name, left, position, sizeof position - 1);
    if (at != NULL) subscriber->id = strtoull(at + sizeof position - 1, NULL, 10);
    if (line_begins(name, left, "change\"")) {
        change_arrived(run, subscriber, now, frame->data, frame->end);
    } else if (line_begins(name, left, "ready\"")) {
        if (subscriber->ready) at_fault(subscriber, "a subscription was ready twice");
        subscriber->ready = true;
        subscriber->last = subscriber->id;
        run->opening--;
        run->ready++;
    } else if (!line_begins(name, left, "bookmark\"")) {
        at_fault(subscriber, "a subscription ended or was reset");
    }
}

static void frames_arrived(struct run *run, struct subscriber *subscriber, const char *at,
                           const char *end, int64_t now) {
    struct socket_frame frame;
    while (socket_reader_next(&subscriber->reader, &at, end, &frame)) {
        if (frame.kind == SOCKET_PING) {
            say(subscriber, SOCKET_PING + 1, frame.begin, frame.begin_size);
        } else if (frame.kind == SOCKET_TEXT) {
            message_arrived(run, subscriber, &frame, now);
        } else {
            at_fault(subscriber, "a socket was closed");
        }
    }
    if (subscriber->reader.refused) at_fault(subscriber, "a socket was refused");
    if (subscriber->reader.shaken && !subscriber->answered) {
        subscriber->answered = true;
        subscribe(subscriber);
    }
}

/* ---- Both --------------------------------------------------------------------------------- */

static void subscriber_event(struct run *run, struct subscriber *subscriber) {
    ssize_t got = recv(subscriber->fd, run->in, READ_BYTES, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) at_fault(subscriber, "a stream was closed");
    if (run->fanout->wire == FANOUT_SOCKET) {
        frames_arrived(run, subscriber, run->in, run->in + got, now_ns());
    } else {
        bytes_arrived(run, subscriber, run->in, run->in + got, now_ns());
    }
}

/* Whom it listens to, so that each record and group has as many as any other. */
static void choose(struct run *run, struct subscriber *subscriber, size_t index) {
    size_t records = run->fanout->records;
    enum interest interest = INTEREST_TYPE;
    if (run->fanout->mix == FANOUT_RECORD || (run->fanout->mix == FANOUT_MIXED && index % 2 == 1))
        interest = INTEREST_RECORD;
    else if (run->fanout->mix == FANOUT_MIXED && index % 4 == 2)
        interest = INTEREST_GROUP;
    subscriber->interest = interest;
    switch (interest) {
    case INTEREST_TYPE: run->type_listeners++; break;
    case INTEREST_RECORD:
        subscriber->which = index / 2 % records;
        run->record_listeners[subscriber->which]++;
        break;
    case INTEREST_GROUP:
        subscriber->which = index / 4 % FANOUT_GROUPS;
        run->group_listeners[subscriber->which]++;
        break;
    }
}

static void subscriber_open(struct run *run, struct subscriber *subscriber, size_t index) {
    char request[1024], what[64] = "type=" WORKLOAD_TYPE;
    choose(run, subscriber, index);
    if (subscriber->interest == INTEREST_RECORD)
        snprintf(what, sizeof what, "id=" WORKLOAD_TYPE "%%2Frecord-%07zu", subscriber->which);
    if (subscriber->interest == INTEREST_GROUP)
        snprintf(what, sizeof what, "type=" WORKLOAD_TYPE "&where=g%%20%%3D%%20%%27%02zu%%27",
                 subscriber->which);
    int size = snprintf(request, sizeof request,
                        "GET /v1/" SPACE "/changes?%s%sAccept: text/event-stream\r\n\r\n", what,
                        server_lines);
    if (run->fanout->wire == FANOUT_SOCKET)
        size =
            snprintf(request, sizeof request,
                     "GET /v1/" SPACE "/live%sConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                     "Sec-WebSocket-Protocol: stet.v1\r\n\r\n",
                     server_lines);
    subscriber->fd = server_connect();
    if (send(subscriber->fd, request, (size_t)size, MSG_NOSIGNAL) != size) server_fail("send");
    watch(run, subscriber->fd, &subscriber->endpoint);
    run->opening++;
}

/* ---- Running ----------------------------------------------------------------------------- */

static void serve(struct run *run, int wait_ms) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(run->epoll, events, EVENTS_MAX, wait_ms);
    if (count < 0 && errno != EINTR) server_fail("epoll_wait");
    for (int i = 0; i < count; i++) {
        struct endpoint *endpoint = events[i].data.ptr;
        if (endpoint->writes)
            writer_event(run, (struct writer *)endpoint);
        else
            subscriber_event(run, (struct subscriber *)endpoint);
    }
}

static void open_writers(struct run *run) {
    struct target *target = run->fanout->target;
    for (unsigned i = 0; i < run->fanout->writers; i++) {
        struct writer *writer = &run->writers[i];
        writer->endpoint.writes = true;
        writer->link = target->open(target);
        watch(run, writer->link->fd, &writer->endpoint);
    }
}

/* Records that are not there yet. */
static void fill(struct run *run) {
    for (size_t record = 0; record < run->fanout->records; record++) {
        if (workload_version(&workload, record) > 0) continue;
        struct writer *writer;
        while ((writer = idle_writer(run)) == NULL)
            serve(run, -1);
        workload_take_this(&workload, record);
        write_next(run, writer, record, now_ns());
    }
    while (run->flying > 0)
        serve(run, -1);
}

static void open_streams(struct run *run) {
    unsigned opened = 0;
    while (run->ready < run->fanout->subscribers) {
        int64_t before = now_ns();
        unsigned ready = run->ready;
        while (opened < run->fanout->subscribers && run->opening < OPENING_MAX) {
            subscriber_open(run, &run->subscribers[opened], opened);
            opened++;
        }
        while (run->ready == ready) {
            serve(run, 1000);
            errno = 0;
            if (now_ns() - before > run->fanout->patience_s * (int64_t)NS_PER_S)
                server_fail("a stream did not get ready");
        }
    }
}

/* Whether the next write is due, and since when. */
static bool may_write(const struct run *run, int64_t now, int64_t *due_ns, int *wait_ms) {
    const struct fanout *fanout = run->fanout;
    uint64_t begun = run->writes + run->flying;
    *wait_ms = 100;
    if (fanout->rate > 0) {
        *due_ns = run->began_ns + (int64_t)((double)begun * NS_PER_S / fanout->rate);
        if (*due_ns <= now) return true;
        *wait_ms = (int)((*due_ns - now) / 1000000);
        return false;
    }
    *due_ns = now;
    /* An average write's events stand for those that are not known yet. */
    double each = run->writes == 0 ? 0 : (double)run->expected / (double)run->writes;
    double missing = (double)run->expected - (double)run->delivered;
    return missing + each * (double)run->flying < each * fanout->ahead || run->writes == 0;
}

static void write_due(struct run *run, int64_t now, int *wait_ms) {
    int64_t due_ns;
    while (may_write(run, now, &due_ns, wait_ms)) {
        struct writer *writer = idle_writer(run);
        if (writer == NULL) return;
        write_next(run, writer, workload_take(&workload), due_ns);
    }
}

static void write_all(struct run *run) {
    int64_t end_ns = run->began_ns + (int64_t)(run->fanout->seconds * NS_PER_S);
    int64_t progress_ns = run->began_ns;
    for (;;) {
        int wait_ms = 100;
        int64_t now = now_ns();
        if (now < end_ns)
            write_due(run, now, &wait_ms);
        else if (run->flying == 0 && run->delivered >= run->expected)
            return;
        if (run->last_ns > progress_ns) progress_ns = run->last_ns;
        errno = 0;
        if (now > end_ns && now - progress_ns > run->fanout->patience_s * (int64_t)NS_PER_S)
            server_fail("changes were not delivered");
        serve(run, wait_ms);
    }
}

/* ---- The check --------------------------------------------------------------------------- */

static void check(const struct run *run) {
    struct digest all = {0}, groups[FANOUT_GROUPS] = {0};
    for (size_t record = 0; record < run->fanout->records; record++) {
        digest_merge(&all, &run->records[record]);
        digest_merge(&groups[record % FANOUT_GROUPS], &run->records[record]);
    }
    for (unsigned i = 0; i < run->fanout->subscribers; i++) {
        const struct subscriber *subscriber = &run->subscribers[i];
        const struct digest *due = &all;
        if (subscriber->interest == INTEREST_RECORD) due = &run->records[subscriber->which];
        if (subscriber->interest == INTEREST_GROUP) due = &groups[subscriber->which];
        if (subscriber->got.count != due->count || subscriber->got.sum != due->sum)
            at_fault(subscriber, "a subscriber did not get what was written");
    }
    errno = 0;
    if (run->writes == 0) server_fail("nothing was written");
}

/* ---- All --------------------------------------------------------------------------------- */

static void begin(struct run *run, const struct fanout *fanout) {
    *run = (struct run){.fanout = fanout, .written_capacity = 1 << 16};
    if (workload.count == 0) workload_init(&workload, 0, fanout->records);
    errno = 0;
    if (workload.count != fanout->records || fanout->writers > fanout->records)
        server_fail("there are other records, or too few");
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0) server_fail("epoll_create1");
    run->in = get_zeroed(READ_BYTES, 1);
    run->subscribers = get_zeroed(fanout->subscribers, sizeof *run->subscribers);
    run->writers = get_zeroed(fanout->writers, sizeof *run->writers);
    run->written = get_zeroed(run->written_capacity, sizeof *run->written);
    run->records = get_zeroed(fanout->records, sizeof *run->records);
    run->record_due_ns = get_zeroed(fanout->records, sizeof *run->record_due_ns);
    run->record_listeners = get_zeroed(fanout->records, sizeof *run->record_listeners);
}

static void end(struct run *run) {
    for (unsigned i = 0; i < run->fanout->subscribers; i++)
        close(run->subscribers[i].fd);
    for (unsigned i = 0; i < run->fanout->writers; i++)
        run->fanout->target->close(run->writers[i].link);
    close(run->epoll);
    free(run->in);
    free(run->subscribers);
    free(run->writers);
    free(run->written);
    free(run->records);
    free(run->record_due_ns);
    free(run->record_listeners);
}

void fanout_run(const struct fanout *fanout, struct fanout_row *row) {
    static struct run run;
    struct cpu before[2], after[2];
    pid_t pid = fanout->target->pid;
    *row = (struct fanout_row){0};
    begin(&run, fanout);
    open_writers(&run);
    fill(&run);
    if (pid != 0) row->resident_before = memory_resident(pid);
    open_streams(&run);
    if (pid != 0) row->resident_idle = memory_resident(pid);
    run.counting = true;
    /* Nothing was written since the first of them was ready. */
    run.first = fanout->subscribers == 0 ? 0 : run.subscribers[0].last;
    run.began_ns = now_ns();
    run.last_ns = run.began_ns;
    cpu_read(pid, &before[0]);
    cpu_read(getpid(), &before[1]);
    write_all(&run);
    cpu_read(pid, &after[0]);
    cpu_read(getpid(), &after[1]);
    check(&run);
    cpu_since(&before[0], &after[0], &row->server);
    cpu_since(&before[1], &after[1], &row->own);
    if (pid != 0) row->resident_after = memory_resident(pid);
    row->seconds = (double)(run.last_ns - run.began_ns) / NS_PER_S;
    row->writes = (double)run.writes;
    row->events = (double)run.delivered;
    row->p50_us = histogram_us(&run.latency, 0.5);
    row->p99_us = histogram_us(&run.latency, 0.99);
    row->ack_p50_us = histogram_us(&run.ack, 0.5);
    end(&run);
}

void fanout_forget(void) {
    workload_done(&workload);
    workload = (struct workload){0};
}

double fanout_idle_bytes(struct target *target, unsigned count) {
    struct link **links = get_zeroed(count, sizeof *links);
    char id[WORKLOAD_ID_BYTES];
    struct op op = {.kind = OP_GET,
                    .space = {SPACE, sizeof SPACE - 1},
                    .type = {WORKLOAD_TYPE, sizeof WORKLOAD_TYPE - 1},
                    .id = {id, sizeof id}};
    struct reply reply;
    workload_id(0, id);
    uint64_t before = memory_resident(target->pid);
    for (unsigned i = 0; i < count; i++) {
        links[i] = target->open(target);
        target->send(target, links[i], &op);
        while (!target->receive(target, links[i], &op, &reply)) {
            struct epoll_event event;
            int epoll = epoll_create1(EPOLL_CLOEXEC);
            struct epoll_event wanted = {.events = EPOLLIN};
            epoll_ctl(epoll, EPOLL_CTL_ADD, links[i]->fd, &wanted);
            (void)epoll_wait(epoll, &event, 1, 1000);
            close(epoll);
        }
        errno = 0;
        if (reply.kind != REPLY_OK) server_fail("a record cannot be read");
    }
    uint64_t after = memory_resident(target->pid);
    for (unsigned i = 0; i < count; i++)
        target->close(links[i]);
    free(links);
    return ((double)after - (double)before) / count;
}
