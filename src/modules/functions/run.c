/*
 * One run of a function: a transaction, a sandbox, and what came of them put where the sequencer finds it.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/actor.h"
#include "core/client.h"
#include "core/render.h"
#include "modules/functions/internal.h"

#include <assert.h>

/* ---- Functions that a run uses ----------------------------------------------------------- */

static struct definition *find_held(const struct run *run, stet_view name) {
    for (size_t i = 0; i < run->held_count; i++)
        if (view_equal(run->held[i]->chunk.name, name)) return run->held[i];
    return NULL;
}

static stet_status hold(struct run *run, struct definition *definition, stet_error *err) {
    if (run->held_count == run->held_capacity) {
        size_t capacity = run->held_capacity == 0 ? 4 : 2 * run->held_capacity;
        struct definition **held = arena_alloc(run->transaction.arena, capacity * sizeof *held);
        if (held == NULL) return transaction_no_memory(err);
        if (run->held_count > 0) memcpy(held, run->held, run->held_count * sizeof *held);
        run->held = held;
        run->held_capacity = capacity;
    }
    run->held[run->held_count++] = definition;
    return STET_OK;
}

/* Alone on the sequencer nothing is validated afterwards, so the published function must be the one that holds for this command. */
static stet_status check_current(struct run *run, stet_view name, uint64_t version,
                                 stet_error *err) {
    struct store_head head;
    if (run->transaction.staging == NULL) return STET_OK;
    stet_status status =
        staging_read(run->transaction.staging, TYPE_FUNCTION, name, &head, NULL, err);
    if (status == STET_OK && head.version != version)
        status = error_set(err, STET_CONCURRENT_MODIFICATION, "the function is being changed");
    return status;
}

stet_status run_enter(struct run *run, const struct definition *definition,
                      const stet_actor **before, stet_error *err) {
    struct transaction *transaction = &run->transaction;
    stet_status status = definition_check_caller(definition, transaction->actor, err);
    *before = transaction->actor;
    if (status == STET_OK)
        transaction->actor =
            definition->as_admin ? &transaction->admin : &transaction->command->actor;
    return status;
}

void run_leave(struct run *run, const stet_actor *before) { run->transaction.actor = before; }

stet_status run_need_function(struct run *run, stet_view name, struct definition **out,
                              stet_error *err) {
    struct transaction *transaction = &run->transaction;
    *out = find_held(run, name);
    if (*out != NULL) return STET_OK;
    struct definition *definition = functions_lookup(transaction->space, name);
    if (definition == NULL) return no_such_function(name, err);
    stet_status status = hold(run, definition, err);
    if (status != STET_OK) {
        definition_unref(definition);
        return status;
    }
    uint64_t version = definition->chunk.version;
    status = check_current(run, name, version, err);
    if (status == STET_OK)
        status = read_set_point(transaction->reads, TYPE_FUNCTION, name, version, err);
    if (status != STET_OK) return status;
    transaction->uncounted++;
    *out = definition;
    return STET_OK;
}

static void release(struct run *run) {
    while (run->held_count > 0)
        definition_unref(run->held[--run->held_count]);
}

/* ---- What it starts with ----------------------------------------------------------------- */

static const char *class_name(stet_class class_) {
    switch (class_) {
    case STET_CLASS_LOW: return "low";
    case STET_CLASS_DEFAULT:
    case STET_CLASS_NORMAL: return "normal";
    case STET_CLASS_HIGH: return "high";
    case STET_CLASS_URGENT: return "urgent";
    case STET_CLASS_STRUCTURAL: return "structural";
    }
    return "normal";
}

static void write_roles(struct json_writer *writer, const stet_actor *actor) {
    json_key(writer, VIEW("roles"));
    json_array_begin(writer);
    if (actor->role_count == 0) json_text(writer, ROLE_MEMBER);
    for (size_t i = 0; i < actor->role_count; i++)
        json_text(writer, actor->roles[i]);
    json_array_end(writer);
}

/* {"id", "roles", "admin"?, "operation"?: {"id", "class", "retries"}} */
static stet_status describe_actor(const struct run *run, struct doc *doc, stet_error *err) {
    struct stet_command *command = run->transaction.command;
    const struct operation_cause *operation = run->call->operation;
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &command->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("id"), command->actor.id);
    write_roles(&writer, &command->actor);
    if (command->actor.admin) json_member_bool(&writer, VIEW("admin"), true);
    if (operation != NULL) {
        json_key(&writer, VIEW("operation"));
        json_object_begin(&writer);
        json_member_text(&writer, VIEW("id"), operation->id);
        json_member_text(&writer, VIEW("class"), view_of(class_name(operation->class_)));
        json_member_u64(&writer, VIEW("retries"), operation->retries);
        json_object_end(&writer);
    }
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) return transaction_no_memory(err);
    return doc_parse(&command->arena, buffer_view(&buffer), NULL, doc, err);
}

/* ---- Where it came from ------------------------------------------------------------------ */

/* The addresses of the records it looked at, with their versions; of what was not there nothing can be named. */
static stet_status name_inputs(struct run *run, stet_view *inputs, stet_error *err) {
    const struct read_set *reads = run->transaction.reads;
    struct arena *arena = run->transaction.arena;
    struct buffer buffer, address;
    struct json_writer writer;
    size_t shown = 0, left = 0;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    for (size_t i = 0; i < reads->point_count; i++) {
        const struct read_point *point = &reads->points[i];
        if (point->version == 0 || view_equal(point->type, TYPE_FUNCTION) ||
            !transaction_may_name(&run->transaction, point))
            continue;
        if (shown == FUNCTION_INPUTS_MAX) {
            left++;
            continue;
        }
        shown++;
        buffer_init(&address, arena, 0);
        address_format(&address, point->type, point->id);
        buffer_append_char(&address, '@');
        buffer_append_u64(&address, point->version);
        if (buffer_status(&address) != STET_OK) return transaction_no_memory(err);
        json_text(&writer, buffer_view(&address));
    }
    if (left > 0) json_u64(&writer, left);
    json_array_end(&writer);
    if (json_end(&writer) != STET_OK) return transaction_no_memory(err);
    *inputs = buffer_view(&buffer);
    return STET_OK;
}

static stet_status note_provenance(struct run *run, const struct definition *definition,
                                   stet_error *err) {
    struct stet_command *command = run->transaction.command;
    const struct operation_cause *operation = run->call->operation;
    command->made = (struct provenance_made){
        .operation = operation == NULL ? (stet_view){0} : operation->id,
        .function = arena_format(&command->arena, "%.*s@%llu", VIEW_ARG(definition->chunk.name),
                                 (unsigned long long)definition->chunk.version)};
    if (command->made.function.bytes == NULL) return transaction_no_memory(err);
    return name_inputs(run, &command->made.inputs, err);
}

/* ---- One run ----------------------------------------------------------------------------- */

static bool is_brief(enum run_place place) { return place == RUN_CACHED || place == RUN_SEQUENCER; }

static void be_brief(struct sandbox_limits *limits) {
    if (limits->instructions > FUNCTION_INLINE_STEPS_MAX)
        limits->instructions = FUNCTION_INLINE_STEPS_MAX;
    if (limits->time_ms > FUNCTION_INLINE_MS_MAX) limits->time_ms = FUNCTION_INLINE_MS_MAX;
}

static struct sandbox_limits limits_of(const struct definition *definition, enum run_place place,
                                       const struct stet_command *command) {
    struct sandbox_limits limits = definition->limits;
    if (is_brief(place)) be_brief(&limits);
    if (place == RUN_EXCLUSIVE && limits.time_ms > EXCLUSIVE_MS_MAX)
        limits.time_ms = EXCLUSIVE_MS_MAX;
    if (command->has_key) limits.result_bytes = FUNCTION_KEPT_BYTES_MAX;
    return limits;
}

static stet_status parse_input(struct arena *arena, stet_view input, struct doc *doc,
                               stet_error *err) {
    return doc_parse(arena, input.size == 0 ? VIEW("null") : input, NULL, doc, err);
}

/* Runs it and keeps what it returned. */
static stet_status run_in(struct run *run, struct sandbox *sandbox,
                          const struct definition *definition, enum run_place place,
                          stet_error *err) {
    struct stet_command *command = run->transaction.command;
    struct function_call *call = run->call;
    struct doc input, actor;
    stet_status status = parse_input(&command->arena, call->input, &input, err);
    if (status == STET_OK) status = describe_actor(run, &actor, err);
    if (status != STET_OK) return status;
    const struct sandbox_input inputs[] = {{.name = "input", .doc = &input, .node = 0},
                                           {.name = "actor", .doc = &actor, .node = 0}};
    struct sandbox_run sandboxed = {
        .chunk = &definition->chunk,
        .inputs = inputs,
        .input_count = sizeof inputs / sizeof inputs[0],
        .context = run,
        .seed = call->seed,
        .clock = command->client->engine->clock,
        .limits = limits_of(definition, place, command),
        .arena = &command->arena,
    };
    status = sandbox_run(sandbox, &sandboxed, err);
    call->log = sandboxed.log;
    call->result = sandboxed.result;
    call->line = status == STET_OK ? 0 : sandboxed.line;
    return status;
}

/* After one that was too long the next ones are not tried. */
static bool may_try(struct definition *definition) {
    unsigned left = atomic_load_explicit(&definition->not_inline, memory_order_relaxed);
    if (left == 0) return true;
    /* Two at once may count it down once: all that comes of it is one pause more. */
    atomic_store_explicit(&definition->not_inline, left - 1, memory_order_relaxed);
    return false;
}

static void note_run(struct space *space, enum run_place place, stet_status status, bool too_long,
                     int64_t began) {
    enum run_end end = too_long                                 ? RUN_TOO_LONG
                       : status == STET_OK                      ? RUN_DONE
                       : status == STET_CONCURRENT_MODIFICATION ? RUN_OVERTAKEN
                                                                : RUN_FAILED;
    run_metrics_note(functions_runs(space), place, end,
                     clock_monotonic_ns(space->engine->clock) - began);
}

stet_status run_function(struct stet_command *command, struct store_reader *reader,
                         struct staging *staging, enum run_place place, struct function_call *call,
                         bool *too_long, stet_error *err) {
    bool brief = is_brief(place), tried = false;
    int64_t began = clock_monotonic_ns(command->client->engine->clock);
    struct run run = {.call = call};
    const stet_actor *before;
    struct definition *definition;
    struct sandbox *sandbox = NULL;
    stet_error local = {0};
    if (err == NULL) err = &local;
    assert(brief == (too_long != NULL));
    if (brief) *too_long = false;
    read_set_init(&call->reads, &command->arena, 0);
    call->result = call->log = (stet_view){0};
    run.transaction = (struct transaction){.command = command,
                                           .space = command->space,
                                           .actor = &command->actor,
                                           .admin = {.id = command->actor.id, .admin = true},
                                           .arena = &command->arena,
                                           .reader = reader,
                                           .staging = staging,
                                           .cached = place == RUN_CACHED,
                                           .reads = &call->reads,
                                           .now = call->now,
                                           .reads_max = FUNCTION_READS_MAX,
                                           .bytes_max = brief ? FUNCTION_INLINE_BYTES_MAX
                                                              : FUNCTION_READ_BYTES_MAX,
                                           .lists = !brief};
    stet_status status = run_need_function(&run, call->name, &definition, err);
    if (status != STET_OK) goto done;
    if (brief && !may_try(definition)) {
        *too_long = true;
        goto done;
    }
    status = run_enter(&run, definition, &before, err);
    if (status != STET_OK) goto done;
    call->version = definition->chunk.version;
    transaction_begin(&run.transaction);
    run.transaction.reads_max = brief && definition->reads_max > FUNCTION_INLINE_READS_MAX
                                    ? FUNCTION_INLINE_READS_MAX
                                    : definition->reads_max;
    run.transaction.writes_max = definition->writes_max;
    sandbox = sandbox_pool_take(functions_pool(command->space), err);
    if (sandbox == NULL) {
        status = STET_NO_MEMORY;
        goto done;
    }
    tried = true;
    status = run_in(&run, sandbox, definition, place, err);
    if (brief && status == STET_FUNCTION_LIMIT) {
        /* Whether it is a limit of its own is found where it may use all of them. */
        atomic_store_explicit(&definition->not_inline, FUNCTION_INLINE_PAUSE, memory_order_relaxed);
        *too_long = true;
        status = STET_OK;
        goto done;
    }
    if (status == STET_OK) status = note_provenance(&run, definition, err);
    if (status == STET_OK) status = transaction_finish(&run.transaction, err);
done:
    if (tried) note_run(command->space, place, status, brief && *too_long, began);
    sandbox_pool_give(functions_pool(command->space), sandbox);
    release(&run);
    return status;
}

/* ---- One merge --------------------------------------------------------------------------- */

/* Absent sides are nil. */
static stet_status parse_side(struct arena *arena, stet_view text, struct doc *doc,
                              struct sandbox_input *input, stet_error *err) {
    input->doc = doc;
    input->node = text.size == 0 ? DOC_NONE : 0;
    return text.size == 0 ? STET_OK : doc_parse(arena, text, NULL, doc, err);
}

stet_status run_function_merge(struct space *space, struct arena *arena, stet_view name, bool brief,
                               stet_view base, stet_view current, stet_view yours,
                               stet_view *merged, stet_error *err) {
    struct doc docs[3] = {0};
    struct sandbox_input inputs[] = {{.name = "base"}, {.name = "current"}, {.name = "yours"}};
    const stet_view sides[] = {base, current, yours};
    struct definition *definition = functions_lookup(space, name);
    struct sandbox *sandbox = NULL;
    stet_status status = STET_OK;
    if (definition == NULL) return no_such_function(name, err);
    for (size_t i = 0; status == STET_OK && i < 3; i++)
        status = parse_side(arena, sides[i], &docs[i], &inputs[i], err);
    if (status == STET_OK) {
        sandbox = sandbox_pool_take(functions_pool(space), err);
        if (sandbox == NULL) status = STET_NO_MEMORY;
    }
    if (status == STET_OK) {
        struct sandbox_run sandboxed = {.chunk = &definition->chunk,
                                        .inputs = inputs,
                                        .input_count = 3,
                                        .pure = true,
                                        .clock = space->engine->clock,
                                        .limits = definition->limits,
                                        .arena = arena};
        if (brief) be_brief(&sandboxed.limits);
        if (current.size > 0) sandboxed.original = &docs[1];
        int64_t began = clock_monotonic_ns(space->engine->clock);
        status = sandbox_run(sandbox, &sandboxed, err);
        note_run(space, RUN_MERGE, status, brief && status == STET_FUNCTION_LIMIT, began);
        *merged = status == STET_OK && !sandboxed.result_absent ? sandboxed.result : (stet_view){0};
    }
    sandbox_pool_give(functions_pool(space), sandbox);
    definition_unref(definition);
    return status;
}
