/*
 * What each mode sends and what the answer must be. See load.h.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>

enum { IMPORT_LINES = 20000, IMPORT_LINE_BYTES = WORKLOAD_DATA_BYTES + 256, SLOW_FILL_S = 5 };

#define COUNTER_ID "counter"
#define COUNTER_TYPE "counter"
#define PAIR_TYPE "pair"

const char *const mode_names[] = {"put", "update", "get", "get304", "echo", "incr", "post", "add",
                                  "fresh", "stale", "fresh-patch", "stale-patch", "book", "slot",
                                  /* Not to be measured. */
                                  "fill", "fill", "fill", "audit", "audit"};

static noreturn void fail_reply(const struct load *load, const struct connection *connection,
                                const struct reply *reply) {
    fprintf(stderr, "http_load: %s of %.*s from version %llu: reply %d, version %llu: %.*s\n",
            mode_names[load->mode], (int)connection->op.id.size, connection->op.id.bytes,
            (unsigned long long)connection->op.base, (int)reply->kind,
            (unsigned long long)reply->version, (int)reply->body.size, reply->body.bytes);
    exit(1);
}

/* ---- Records ----------------------------------------------------------------------------- */

/* The first is there from the start. */
static const char *const space_names[SPACES_MAX] = {"main", "b", "c", "d", "e", "f", "g", "h"};

static stet_view space_of(const struct settings *settings, size_t record) {
    const char *name = space_names[settings->spaces > 1 ? record % settings->spaces : 0];
    return (stet_view){name, strlen(name)};
}

static void use_record(const struct load *load, const struct workload *workload,
                       struct connection *connection, const char *type, size_t record) {
    connection->record = record;
    connection->op.base = workload_version(workload, record);
    workload_id(record, connection->id);
    connection->op.space = space_of(load->settings, record);
    connection->op.type = (stet_view){type, strlen(type)};
    connection->op.id = (stet_view){connection->id, sizeof connection->id};
}

static void use_key(struct load *load, struct connection *connection) {
    workload_key(connection->key);
    connection->op.key = (stet_view){connection->key, sizeof connection->key};
    connection->op.minimal = load->settings->minimal;
}

static void use_data(struct load *load, struct connection *connection) {
    workload_data(connection->record, connection->op.base + 1, connection->data);
    connection->op.data = (stet_view){connection->data, sizeof connection->data};
    use_key(load, connection);
}

/*
 * The write that makes version v + 1 of a pair changes the field whose turn it is. A stale one was made from version v - 1, when the
 * other field had not changed yet, and so has to be merged with that change.
 */
static void use_pair(struct load *load, struct connection *connection, bool stale, bool patch) {
    uint64_t next = connection->op.base + 1;
    if (stale) connection->op.base--;
    connection->op.kind = patch ? OP_PATCH : OP_PUT;
    size_t size =
        patch ? workload_pair_patch(next, connection->data)
              : workload_pair(connection->record, connection->op.base, next, connection->data);
    connection->op.data = (stet_view){connection->data, size};
    use_key(load, connection);
}

/* The record is at the version after the one last seen, and both fields are as the last two writes left them. */
static bool pair_good(struct load *load, const struct connection *connection,
                      const struct reply *reply) {
    struct workload *pairs = &load->site->pairs;
    uint64_t version = workload_version(pairs, connection->record) + 1;
    char want[WORKLOAD_DATA_BYTES];
    if (reply->kind != REPLY_OK && reply->kind != REPLY_CREATED) return false;
    if (reply->version != version) return false;
    workload_give(pairs, connection->record, version);
    if (connection->op.minimal) return true;
    workload_pair(connection->record, version, version, want);
    return memmem(reply->body.bytes, reply->body.size, want, sizeof want) != NULL;
}

/* ---- The counter ------------------------------------------------------------------------- */

static uint64_t count_in(stet_view body) {
    const char *at = memmem(body.bytes, body.size, "\"count\":", 8);
    return at == NULL ? 0 : strtoull(at + 8, NULL, 10);
}

static stet_view counter_type(enum mode mode) {
    const char *type = mode == MODE_ADD ? COUNTER_TYPE : WORKLOAD_TYPE;
    return (stet_view){type, strlen(type)};
}

/* incr: the write, from what was read. The key makes each one's data its own: what equals the record is not stale. */
static void use_count_and_key(struct connection *connection, uint64_t version, uint64_t count) {
    connection->count = count;
    connection->op.minimal = true;
    connection->op.kind = OP_PUT;
    connection->op.base = version;
    workload_key(connection->key);
    connection->op.key = (stet_view){connection->key, sizeof connection->key};
    int size =
        snprintf(connection->data, sizeof connection->data, "{\"count\":%llu,\"by\":\"%.*s\"}",
                 (unsigned long long)count, (int)sizeof connection->key, connection->key);
    connection->op.data = (stet_view){connection->data, (size_t)size};
}

/* add: one more than this connection saw last, whatever it is by now. */
static void use_count(struct load *load, struct connection *connection) {
    if (connection->version == 0) {
        connection->version = load->version;
        connection->count = load->count;
    }
    connection->op.kind = OP_ADD;
    connection->op.base = connection->version;
    int size = snprintf(connection->data, sizeof connection->data, "{\"count\":%llu}",
                        (unsigned long long)connection->count + 1);
    connection->op.data = (stet_view){connection->data, (size_t)size};
    use_key(load, connection);
    connection->op.minimal = false; /* The count is needed. */
}

/* The counter as it is: its version and value. Creates it at 0 when it is not there. */
static void read_counter(struct load *load, uint64_t *version, uint64_t *count) {
    struct target *target = load->site->target;
    char key[WORKLOAD_KEY_BYTES];
    struct op op = {.kind = OP_CREATE,
                    .space = space_of(load->settings, 0),
                    .type = counter_type(load->mode),
                    .id = {COUNTER_ID, sizeof COUNTER_ID - 1},
                    .data = {"{\"count\":0}", 11},
                    .key = {key, sizeof key}};
    struct reply reply = {0};
    workload_key(key);
    target->close(load_one(target, &op, &reply));
    op.kind = OP_GET;
    struct link *link = load_one(target, &op, &reply);
    if (reply.kind != REPLY_OK) load_fail("the counter cannot be read");
    *version = reply.version;
    *count = count_in(reply.body);
    target->close(link);
}

static enum step incr_answered(struct load *load, struct connection *connection,
                               const struct reply *reply) {
    if (connection->op.kind == OP_GET) {
        if (reply->kind != REPLY_OK) fail_reply(load, connection, reply);
        use_count_and_key(connection, reply->version, count_in(reply->body) + 1);
        return STEP_GO_ON;
    }
    if (reply->kind == REPLY_CONFLICT) {
        if (load->counting) load->lost++;
        connection->op.kind = OP_GET;
        return STEP_GO_ON;
    }
    if (reply->kind != REPLY_OK || reply->version != connection->op.base + 1)
        fail_reply(load, connection, reply);
    load->won++;
    return STEP_DONE;
}

/* A conflict is not a good answer: adding up is what the type was declared for. */
static bool add_good(struct load *load, struct connection *connection, const struct reply *reply) {
    uint64_t count = count_in(reply->body);
    if (reply->kind != REPLY_OK || reply->version <= connection->version) return false;
    if (count <= connection->count) return false;
    connection->version = reply->version;
    connection->count = count;
    if (load->counting) load->lost += reply->retries;
    load->won++;
    return true;
}

/* ---- The audit --------------------------------------------------------------------------- */

static bool next_audited(struct load *load, struct connection *connection) {
    bool paired = load->mode == MODE_AUDIT_PAIRS;
    const struct workload *records = paired ? &load->site->pairs : &load->site->tasks;
    if (load->fill_next == records->count) return false;
    use_record(load, records, connection, paired ? PAIR_TYPE : WORKLOAD_TYPE, load->fill_next++);
    connection->op.kind = OP_GET;
    return true;
}

/* What was acknowledged last is what is there: its version, and its data. */
static void check_record(const struct load *load, const struct connection *connection,
                         const struct reply *reply) {
    char want[WORKLOAD_DATA_BYTES];
    uint64_t version = connection->op.base;
    if (load->mode == MODE_AUDIT)
        workload_data(connection->record, version, want);
    else
        workload_pair(connection->record, version, version, want);
    bool same = reply->kind == REPLY_OK &&
                memmem(reply->body.bytes, reply->body.size, want, sizeof want) != NULL;
    if (same && reply->version == version) return;
    fprintf(stderr, "http_load: %s: %.*s: version %llu was acknowledged; there is version %llu%s\n",
            load->site->target->name, (int)sizeof connection->id, connection->id,
            (unsigned long long)version, (unsigned long long)reply->version,
            same ? "" : " with other data");
    exit(1);
}

static void audit(const struct settings *settings, struct site *site) {
    struct load load = {.settings = settings, .site = site};
    if (site->filled) load_through(&load, MODE_AUDIT);
    if (site->paired) load_through(&load, MODE_AUDIT_PAIRS);
}

void site_audit(const struct settings *settings, struct site *site) {
    size_t records =
        (site->filled ? site->tasks.count : 0) + (site->paired ? site->pairs.count : 0);
    if (records == 0) return;
    if (site->target->variants != NULL) site->target->variant = site->variant;
    audit(settings, site);
    printf("%s: %zu records are as acknowledged", site->target->name, records);
    if (settings->crash && site->target->crash != NULL && site->target->pid != 0) {
        site->target->crash(site->target);
        audit(settings, site);
        printf(", and again after it was killed and started");
    }
    printf("\n");
    fflush(stdout);
}

/* ---- Modes ------------------------------------------------------------------------------- */

static bool can(const struct target *target, const char *variant, enum op_kind kind, bool minimal) {
    const struct op op = {.kind = kind, .minimal = minimal};
    return target->can == NULL || target->can(variant, &op);
}

bool mode_suits(const struct settings *settings, enum mode mode, const struct target *target,
                const char *variant) {
    bool minimal = settings->minimal;
    if (settings->spaces > 1 && target->make_space == NULL) return false;
    switch (mode) {
    case MODE_PUT: return can(target, variant, OP_PUT, minimal);
    case MODE_UPDATE: return can(target, variant, OP_PUT, true);
    case MODE_GET: return can(target, variant, OP_GET, false);
    case MODE_ECHO: return can(target, variant, OP_ECHO, false);
    case MODE_GET304: return can(target, variant, OP_GET_IF_MOVED, false);
    case MODE_INCR:
        return can(target, variant, OP_GET, false) && can(target, variant, OP_PUT, true);
    case MODE_POST: return can(target, variant, OP_POST, minimal);
    case MODE_ADD: return can(target, variant, OP_ADD, false);
    case MODE_FRESH:
    case MODE_STALE:
    case MODE_FRESH_PATCH:
    case MODE_STALE_PATCH: return can(target, variant, OP_PATCH, minimal);
    case MODE_BOOK:
    case MODE_SLOT: return can(target, variant, OP_BOOK, true);
    case MODE_FILL:
    case MODE_FILL_PAIRS:
    case MODE_TURN_PAIRS:
    case MODE_AUDIT:
    case MODE_AUDIT_PAIRS: return true;
    }
    return false;
}

/* All records of one space in pieces, each a request of its own. */
static void import_space(struct load *load, size_t space, char *lines) {
    struct workload *tasks = &load->site->tasks;
    size_t spaces = load->settings->spaces, size = 0, count = 0;
    char id[WORKLOAD_ID_BYTES], key[WORKLOAD_KEY_BYTES], data[WORKLOAD_DATA_BYTES];
    for (size_t record = space; record < tasks->count; record += spaces) {
        workload_id(record, id);
        workload_key(key);
        workload_data(record, 1, data);
        size += (size_t)snprintf(lines + size, IMPORT_LINE_BYTES,
                                 "{\"type\":\"" WORKLOAD_TYPE "\",\"id\":\"%.*s\","
                                 "\"client_mutation_id\":\"%.*s\",\"data\":%.*s}\n",
                                 (int)sizeof id, id, (int)sizeof key, key, (int)sizeof data, data);
        workload_take_this(tasks, record);
        workload_give(tasks, record, 1);
        if (++count < IMPORT_LINES && record + spaces < tasks->count) continue;
        load->site->target->import(load->site->target, space_of(load->settings, space),
                                   (stet_view){lines, size}, count);
        size = count = 0;
    }
}

static void import_all(struct load *load) {
    char *lines = malloc((size_t)IMPORT_LINES * IMPORT_LINE_BYTES);
    if (lines == NULL) load_fail("out of memory for an import");
    for (size_t i = 0; i < load->settings->spaces; i++)
        import_space(load, i, lines);
    free(lines);
}

static void fill(struct load *load) {
    struct target *target = load->site->target;
    int64_t started = now_ns();
    for (size_t i = 1; i < load->settings->spaces; i++)
        target->make_space(target, space_names[i]);
    if (target->import == NULL)
        load_through(load, MODE_FILL);
    else
        import_all(load);
    double seconds = (double)(now_ns() - started) / 1e9;
    if (seconds >= SLOW_FILL_S)
        printf("%s: %zu records in %.1f s\n", target->name, load->settings->records, seconds);
}

void mode_begin(struct load *load) {
    struct site *site = load->site;
    struct target *target = site->target;
    switch (load->mode) {
    case MODE_PUT:
    case MODE_UPDATE:
    case MODE_GET:
    case MODE_GET304:
        if (!site->filled) fill(load);
        site->filled = true;
        site->variant = target->variant;
        break;
    case MODE_FRESH:
    case MODE_STALE:
    case MODE_FRESH_PATCH:
    case MODE_STALE_PATCH:
        if (site->paired) break;
        if (target->declare != NULL)
            target->declare(target, PAIR_TYPE, "{\"on_conflict\":\"merge\"}");
        load_through(load, MODE_FILL_PAIRS);
        load_through(load, MODE_TURN_PAIRS);
        site->paired = true;
        break;
    case MODE_ADD:
        if (!site->counters && target->declare != NULL)
            target->declare(
                target, COUNTER_TYPE,
                "{\"on_conflict\":\"merge\",\"fields\":{\"/count\":{\"type\":\"number\","
                "\"merge\":\"delta\"}}}");
        site->counters = true;
        read_counter(load, &load->version, &load->count);
        break;
    case MODE_INCR: read_counter(load, &load->version, &load->count); break;
    case MODE_BOOK:
    case MODE_SLOT: bookings_begin(load); break;
    case MODE_ECHO:
    case MODE_POST:
    case MODE_FILL:
    case MODE_FILL_PAIRS:
    case MODE_TURN_PAIRS:
    case MODE_AUDIT:
    case MODE_AUDIT_PAIRS: break;
    }
}

bool mode_next(struct load *load, struct connection *connection) {
    struct workload *tasks = &load->site->tasks, *pairs = &load->site->pairs;
    struct op *op = &connection->op;
    *op = (struct op){.space = space_of(load->settings, 0)};
    switch (load->mode) {
    case MODE_FILL:
        if (load->fill_next == tasks->count) return false;
        workload_take_this(tasks, load->fill_next);
        use_record(load, tasks, connection, WORKLOAD_TYPE, load->fill_next++);
        use_data(load, connection);
        op->kind = OP_CREATE;
        break;
    case MODE_FILL_PAIRS:
    case MODE_TURN_PAIRS:
        if (load->fill_next == pairs->count) return false;
        workload_take_this(pairs, load->fill_next);
        use_record(load, pairs, connection, PAIR_TYPE, load->fill_next++);
        use_pair(load, connection, false, false);
        if (load->mode == MODE_FILL_PAIRS) op->kind = OP_CREATE;
        break;
    case MODE_AUDIT:
    case MODE_AUDIT_PAIRS: return next_audited(load, connection);
    case MODE_PUT:
    case MODE_UPDATE:
        use_record(load, tasks, connection, WORKLOAD_TYPE,
                   workload_take_of(tasks, connection->index, load->connections));
        use_data(load, connection);
        op->kind = OP_PUT;
        if (load->mode == MODE_UPDATE) op->minimal = true;
        break;
    case MODE_FRESH:
    case MODE_STALE:
    case MODE_FRESH_PATCH:
    case MODE_STALE_PATCH:
        use_record(load, pairs, connection, PAIR_TYPE, workload_take(pairs));
        use_pair(load, connection, load->mode == MODE_STALE || load->mode == MODE_STALE_PATCH,
                 load->mode == MODE_FRESH_PATCH || load->mode == MODE_STALE_PATCH);
        break;
    case MODE_GET:
    case MODE_GET304:
        use_record(load, tasks, connection, WORKLOAD_TYPE, workload_random(tasks) % RECORDS_MIN);
        op->kind = load->mode == MODE_GET ? OP_GET : OP_GET_IF_MOVED;
        break;
    case MODE_ECHO: op->kind = OP_ECHO; break;
    case MODE_BOOK:
    case MODE_SLOT: bookings_next(load, connection); break;
    case MODE_INCR:
    case MODE_ADD:
        op->type = counter_type(load->mode);
        op->id = (stet_view){COUNTER_ID, sizeof COUNTER_ID - 1};
        op->kind = OP_GET;
        if (load->mode == MODE_ADD) use_count(load, connection);
        break;
    case MODE_POST:
        connection->record = workload_random(tasks) % 1000000000;
        op->type = (stet_view){WORKLOAD_TYPE, sizeof WORKLOAD_TYPE - 1};
        use_data(load, connection);
        op->kind = OP_POST;
        break;
    }
    return true;
}

enum step mode_answered(struct load *load, struct connection *connection,
                        const struct reply *reply) {
    const struct op *op = &connection->op;
    bool good = true;
    switch (load->mode) {
    case MODE_FILL: good = reply->kind == REPLY_CREATED || reply->kind == REPLY_OK; break;
    case MODE_AUDIT:
    case MODE_AUDIT_PAIRS: check_record(load, connection, reply); break;
    case MODE_PUT:
    case MODE_UPDATE: good = reply->kind == REPLY_OK; break;
    case MODE_POST:
        good = (reply->kind == REPLY_CREATED || reply->kind == REPLY_OK) && reply->version == 1;
        break;
    case MODE_GET: good = reply->kind == REPLY_OK && reply->version == op->base; break;
    case MODE_GET304: good = reply->kind == REPLY_NOT_MODIFIED; break;
    case MODE_ECHO: good = reply->kind == REPLY_OK && reply->body.size > 0; break;
    case MODE_INCR: return incr_answered(load, connection, reply);
    case MODE_ADD: good = add_good(load, connection, reply); break;
    case MODE_BOOK:
    case MODE_SLOT: good = bookings_good(load, reply); break;
    case MODE_FILL_PAIRS:
    case MODE_TURN_PAIRS:
    case MODE_FRESH:
    case MODE_STALE:
    case MODE_FRESH_PATCH:
    case MODE_STALE_PATCH: good = pair_good(load, connection, reply); break;
    }
    if (load->mode == MODE_FILL || load->mode == MODE_PUT || load->mode == MODE_UPDATE) {
        good = good && reply->version == op->base + 1;
        workload_give(&load->site->tasks, connection->record, reply->version);
    }
    if (load->mode == MODE_GET || (load->mode == MODE_PUT && !op->minimal))
        good = good && reply->body.size >= WORKLOAD_DATA_BYTES;
    if (!good) fail_reply(load, connection, reply);
    return STEP_DONE;
}

void mode_end(struct load *load) {
    uint64_t version, count;
    bookings_end(load);
    if (load->mode != MODE_INCR && load->mode != MODE_ADD) return;
    read_counter(load, &version, &count);
    if (count - load->count == load->won && version - load->version == load->won) return;
    fprintf(stderr, "http_load: %s%s%s: %llu increments were acknowledged, %llu happened\n",
            load->site->target->name, load->site->target->variant == NULL ? "" : " ",
            load->site->target->variant == NULL ? "" : load->site->target->variant,
            (unsigned long long)load->won, (unsigned long long)(count - load->count));
    exit(1);
}
