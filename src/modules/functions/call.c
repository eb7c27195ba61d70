/*
 * A call: run, validated, and if others were faster run again.
 *
 *   client's thread   a short function is run at once, through the client's cache; others go to
 *   worker            and come to
 *   sequencer         what it read is validated, what it wrote decided like any transaction (core/function.h). Overtaken:
 *                       the class has retries left?   no: rejected
 *                       a short function              is run right here, against the winner: nobody overtakes it any more
 *                       others                        back to a worker, the first time at once, then after a pause (core/retry.h)
 *                       the last try of a structural  is run here, too, however long it takes (EXCLUSIVE_MS_MAX)
 *
 * A short function costs the sequencer microseconds, and bouncing each loser of a hot record would cost a commit each.
 *
 * What a run came to, its failure as well, is told only in the sequencer: a call that is repeated with its key must get the first
 * answer, even where running it once more would fail.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "base/view.h"
#include "core/client.h"
#include "core/render.h"
#include "core/reservations.h"
#include "core/retry.h"
#include "modules/functions/internal.h"

#include <assert.h>
#include <sodium.h>

/* command->module_data of a call. */
struct call_request {
    struct function_call call;
    stet_class class_;
    unsigned runs;
    unsigned retries;
    stet_status failed; /* What the last run came to. */
    stet_error failure;
    bool waiting;  /* It pauses before the next run. */
    bool reserves; /* It has records for itself. */
    struct rank rank;
    char id[UUID_TEXT_BYTES]; /* By which its reservations are known. */
};

/* ---- Running ----------------------------------------------------------------------------- */

/* A time and a seed of its own for each run. */
static void begin_run(struct stet_command *command, struct call_request *request) {
    stet_engine *engine = command->client->engine;
    request->call.now = clock_wall_ns(engine->clock);
    request->call.seed = entropy_u64(engine->entropy);
    request->runs++;
    request->failed = STET_OK;
    request->failure = (stet_error){0};
    command_drop_mutations(command);
}

static stet_status hop_run(struct stet_command *command, struct store_reader *reader,
                           stet_error *err) {
    struct call_request *request = command->module_data;
    (void)err;
    begin_run(command, request);
    request->failed =
        run_function(command, reader, NULL, RUN_WORKER, &request->call, NULL, &request->failure);
    if (request->failed != STET_OK) command_drop_mutations(command);
    return STET_OK; /* The sequencer says so, in its turn. */
}

/* Whose call it is, and what it may claim: known once the command is submitted. */
static stet_status admit(struct stet_command *command, struct call_request *request,
                         stet_error *err) {
    /* One that writes needs more: that is found when it does. */
    bool may_call = actor_has_scopes(&command->actor, STET_SCOPE_WRITE);
    stet_status status = may_call ? STET_OK : actor_demand(&command->actor, STET_SCOPE_READ, err);
    if (status == STET_OK && request->class_ > STET_CLASS_NORMAL) {
        status = actor_demand(&command->actor, STET_SCOPE_PRIORITY, err);
        if (status != STET_OK) error_field(err, "class", 0);
    }
    if (status != STET_OK) return status;
    if (request->class_ == STET_CLASS_DEFAULT) {
        struct definition *definition = functions_lookup(command->space, request->call.name);
        if (definition != NULL) request->class_ = definition->class_;
        definition_unref(definition);
    }
    request->rank = (struct rank){.class_ = request->class_,
                                  .stamp = clock_wall_ns(command->client->engine->clock)};
    command->rank = &request->rank;
    return STET_OK;
}

/* command->prepare. A submission that was refused as busy comes here again. */
static stet_status prepare(struct stet_command *command, stet_error *err) {
    struct call_request *request = command->module_data;
    bool too_long;
    stet_status status = admit(command, request, err);
    if (status != STET_OK) return status;
    begin_run(command, request);
    request->failed =
        run_function(command, NULL, NULL, RUN_CACHED, &request->call, &too_long, &request->failure);
    if (too_long || request->failed == STET_CONCURRENT_MODIFICATION) {
        request->runs--;
        command->hop = hop_run;
    }
    if (request->failed != STET_OK) command_drop_mutations(command);
    return STET_OK;
}

/* ---- Deciding ---------------------------------------------------------------------------- */

static void let_go(struct staging *staging, struct call_request *request) {
    if (!request->reserves) return;
    reservations_release(staging->space, request->rank.operation);
    request->reserves = false;
}

static stet_status fail(struct staging *staging, struct call_request *request, stet_error *err) {
    let_go(staging, request);
    command_drop_mutations(staging->command);
    *err = request->failure;
    return request->failed;
}

/* What a run wrote becomes staged, with what is kept for a replay. */
static stet_status stage(struct staging *staging, struct call_request *request, stet_error *err) {
    struct stet_command *command = staging->command;
    /* One that only looks has looked at one moment, and need not look again. */
    if (command->mutation_count == 0) return STET_OK;
    return function_stage(staging, &request->call, err);
}

/* Runs it here and now. *done false: it was too long for that, or cannot be done here. */
static stet_status run_here(struct staging *staging, struct call_request *request,
                            enum run_place place, bool *done, stet_error *err) {
    struct stet_command *command = staging->command;
    bool brief = place == RUN_SEQUENCER, too_long = false;
    const struct read_set looked_at = request->call.reads;
    begin_run(command, request);
    request->failed = run_function(command, NULL, staging, place, &request->call,
                                   brief ? &too_long : NULL, &request->failure);
    *done = !too_long && request->failed != STET_CONCURRENT_MODIFICATION;
    if (!*done) {
        request->runs--;
        request->call.reads = looked_at; /* What is to be reserved. */
    }
    if (!*done || request->failed != STET_OK) command_drop_mutations(command);
    if (!*done) return STET_OK;
    return request->failed == STET_OK ? stage(staging, request, err) : fail(staging, request, err);
}

static stet_status pause_or_hop(struct staging *staging, struct call_request *request,
                                int64_t delay_ns) {
    struct stet_command *command = staging->command;
    stet_error ignored;
    command_drop_mutations(command);
    if (delay_ns > 0 && staging_hold(staging, (uint64_t)(uintptr_t)command,
                                     staging->time.monotonic + delay_ns, &ignored) == STET_OK) {
        request->waiting = true;
    } else {
        command->hop = hop_run; /* Where too many wait already, it does not. */
    }
    return STET_OK;
}

static stet_status reject(struct staging *staging, struct call_request *request, stet_error *err) {
    let_go(staging, request);
    command_drop_mutations(staging->command);
    error_set(err, STET_OPERATION_REJECTED,
              "others changed what the function \"%.*s\" read each of the %u times it was run",
              VIEW_ARG(request->call.name), request->runs);
    error_field(err, "retries", class_retries(request->class_));
    return STET_OPERATION_REJECTED;
}

/* Others were faster. */
static stet_status run_again(struct staging *staging, struct call_request *request, bool counts,
                             stet_error *err) {
    stet_engine *engine = staging->space->engine;
    bool done = false;
    stet_status status = STET_OK;
    struct retry_step step = {.kind = RETRY_AGAIN, .level = request->rank.level};
    if (counts) {
        step = retry_next(request->class_, ++request->retries, class_retries(request->class_), true,
                          entropy_u64(engine->entropy));
        request->rank.level = step.level;
    }
    switch (step.kind) {
    case RETRY_EXHAUSTED: return reject(staging, request, err);
    case RETRY_EXCLUSIVE: status = run_here(staging, request, RUN_EXCLUSIVE, &done, err); break;
    case RETRY_AGAIN: status = run_here(staging, request, RUN_SEQUENCER, &done, err); break;
    }
    if (done) return status;
    if (request->rank.operation.size == 0) {
        uint8_t uuid[UUID_BYTES];
        uuid_v7(engine->clock, engine->entropy, uuid);
        uuid_format(uuid, request->id);
        request->rank.operation = view_make(request->id, sizeof request->id);
    }
    if (step.reserves)
        request->reserves = function_reserve(staging, &request->call, &request->rank);
    return pause_or_hop(staging, request, step.delay_ns);
}

/* Without validation (a seam) it is only the writes that meet, and some of them are staged then. */
static bool has_staged(const struct stet_command *command) {
    for (size_t i = 0; i < command->mutation_count; i++)
        if (command->mutations[i].decision == DECISION_STAGED) return true;
    return false;
}

stet_status call_decide(struct staging *staging, const struct module_time *now, stet_error *err) {
    struct stet_command *command = staging->command;
    struct call_request *request = command->module_data;
    (void)now;
    if (request->waiting) {
        request->waiting = command->wait_over = false;
        command->hop = hop_run;
        return STET_OK;
    }
    /* What it read alone in the sequencer holds for that moment only: it waited since, or its batch failed. */
    bool lapsed = request->call.reads.current;
    stet_status status = STET_CONCURRENT_MODIFICATION;
    if (request->failed == STET_CONCURRENT_MODIFICATION) {
        lapsed = false;
    } else if (request->failed != STET_OK) {
        return fail(staging, request, err);
    } else if (!lapsed) {
        status = stage(staging, request, err);
    }
    if (status == STET_CONCURRENT_MODIFICATION && has_staged(command)) {
        command->hop = hop_run;
        return STET_OK;
    }
    if (status == STET_CONCURRENT_MODIFICATION) {
        *err = (stet_error){0};
        status = run_again(staging, request, !lapsed, err);
    }
    if (command->hop != NULL || command->held) return status;
    if (status == STET_OK && command->has_key) command->key_words = request->call.result;
    let_go(staging, request);
    return status;
}

/* ---- Answering --------------------------------------------------------------------------- */

static const char *change_word(enum store_op op) {
    return op == STORE_CREATE ? "create" : op == STORE_DELETE ? "delete" : "update";
}

static void show_change(struct json_writer *writer, stet_view type, stet_view id, uint64_t version,
                        const char *op) {
    json_object_begin(writer);
    json_key(writer, VIEW("address"));
    render_address(writer, type, id);
    json_member_u64(writer, VIEW("version"), version);
    json_member_text(writer, VIEW("op"), view_of(op));
    json_object_end(writer);
}

static void show_results(const struct stet_command *command, struct json_writer *writer) {
    for (size_t i = 0; i < command->mutation_count; i++) {
        const struct mutation *mutation = &command->mutations[i];
        bool staged = mutation->decision == DECISION_STAGED;
        show_change(writer, mutation->type, mutation->id, mutation->after_version,
                    staged ? change_word(mutation->change->row.op) : "unchanged");
    }
}

static stet_status show_replay(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    struct store_reader *reader;
    size_t offset = 0;
    uint64_t seq;
    unsigned flags;
    stet_status status = space_reader_take(command->space, &reader, err);
    if (status != STET_OK) return status;
    while (status == STET_OK &&
           command_decode_result(command->replay.result, &offset, &seq, &flags)) {
        struct store_change row;
        status = store_change_at(reader, &command->arena, seq, &row, err);
        if (status == STET_PRUNED) { /* Its place is all that is left of it. */
            status = STET_OK;
            *err = (stet_error){0};
            continue;
        }
        if (status != STET_OK) break;
        if (flags == 0) command->outcome.seq = row.transaction;
        show_change(writer, row.type, row.id, row.version,
                    flags == KEY_RESULT_UNCHANGED ? "unchanged" : change_word(row.op));
    }
    space_reader_give(command->space, reader);
    return status;
}

/* Of a dry run: what would have been written. */
static void show_mutations(const struct stet_command *command, struct json_writer *writer) {
    json_key(writer, VIEW("mutations"));
    json_array_begin(writer);
    for (size_t i = 0; i < command->mutation_count; i++) {
        const struct mutation *mutation = &command->mutations[i];
        bool deletes = mutation->op == STET_OP_DELETE;
        bool creates = mutation->base.kind == STET_BASE_ABSENT;
        json_object_begin(writer);
        json_member_text(writer, VIEW("op"),
                         deletes   ? VIEW("delete")
                         : creates ? VIEW("create")
                                   : VIEW("put"));
        json_member_text(writer, VIEW("type"), mutation->type);
        json_member_text(writer, VIEW("id"), mutation->id);
        if (!creates) json_member_u64(writer, VIEW("base_version"), mutation->base.value);
        if (!deletes) json_member_raw(writer, VIEW("data"), mutation->body);
        json_object_end(writer);
    }
    json_array_end(writer);
}

static stet_status answer(struct stet_command *command, struct json_writer *writer,
                          stet_error *err) {
    const struct call_request *request = command->module_data;
    stet_outcome *outcome = &command->outcome;
    stet_status status = STET_OK;
    stet_view result =
        command->replayed ? command_decode_words(command->replay.result) : request->call.result;
    outcome->replayed = command->replayed;
    outcome->unchanged = !command->replayed && !command->staged_any && !command->dry_run;
    /* One that only looked is true of the moment it looked at. */
    if (!command->replayed && command->mutation_count == 0 && !request->call.reads.current)
        outcome->seq = request->call.reads.seq;
    json_object_begin(writer);
    json_member_raw(writer, VIEW("result"), result.size == 0 ? VIEW("null") : result);
    json_key(writer, VIEW("results"));
    json_array_begin(writer);
    if (command->replayed) {
        status = show_replay(command, writer, err);
    } else {
        show_results(command, writer);
    }
    json_array_end(writer);
    json_member_u64(writer, VIEW("seq"), outcome->seq);
    if (!command->replayed) json_member_u64(writer, VIEW("runs"), request->runs);
    if (!command->replayed && request->call.log.size > 0)
        json_member_raw(writer, VIEW("log"), request->call.log);
    if (command->key.size > 0) json_member_text(writer, VIEW("client_mutation_id"), command->key);
    if (command->dry_run) {
        show_mutations(command, writer);
        json_member_bool(writer, VIEW("dry_run"), true);
    }
    json_object_end(writer);
    return status;
}

/* command->explain */
static void explain(struct stet_command *command, struct json_writer *writer) {
    const struct call_request *request = command->module_data;
    json_member_text(writer, VIEW("function"), request->call.name);
    if (request->call.version > 0)
        json_member_u64(writer, VIEW("function_version"), request->call.version);
    if (request->call.line > 0) json_member_u64(writer, VIEW("line"), request->call.line);
    if (command->error.status == STET_FUNCTION_LIMIT && command->error.limit > 0)
        json_member_u64(writer, VIEW("limit"), command->error.limit);
    if (request->call.log.size > 0) json_member_raw(writer, VIEW("log"), request->call.log);
    json_member_u64(writer, VIEW("runs"), request->runs);
}

/* ---- Filling ----------------------------------------------------------------------------- */

static void hash_request(struct stet_command *command, const struct call_request *request) {
    crypto_generichash_state hash;
    const uint64_t sizes[] = {request->call.name.size, request->call.input.size, request->class_};
    crypto_generichash_init(&hash, NULL, 0, STORE_HASH_BYTES);
    crypto_generichash_update(&hash, (const unsigned char *)"function", 8);
    crypto_generichash_update(&hash, (const unsigned char *)sizes, sizeof sizes);
    crypto_generichash_update(&hash, (const unsigned char *)request->call.name.bytes,
                              request->call.name.size);
    crypto_generichash_update(&hash, (const unsigned char *)request->call.input.bytes,
                              request->call.input.size);
    crypto_generichash_final(&hash, command->request_hash, STORE_HASH_BYTES);
}

stet_status functions_fill_call(struct stet_command *command, const stet_function_call *call,
                                stet_error *err) {
    struct doc doc;
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_id(call->name, "function", err);
    if (status != STET_OK) return status;
    if ((unsigned)call->class_ > STET_CLASS_STRUCTURAL)
        return error_set(err, STET_MISUSE, "there is no such class");
    struct call_request *request = arena_zalloc(&command->arena, 1, sizeof *request);
    if (request == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    request->class_ = call->class_;
    request->call.name = arena_copy(&command->arena, call->name);
    request->call.input =
        arena_copy(&command->arena, call->input.size == 0 ? VIEW("null") : call->input);
    if (request->call.name.bytes == NULL || request->call.input.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    status = doc_parse(&command->arena, request->call.input, NULL, &doc, err);
    if (status != STET_OK) return status;
    if (call->mutation_key.size > 0) {
        status = command_set_key(command, call->mutation_key, err);
        if (status != STET_OK) return status;
        hash_request(command, request);
    }
    command->kind = COMMAND_MODULE;
    command->owner = &functions_module;
    command->transaction = true;
    command->dry_run = call->dry_run;
    command->module_data = request;
    command->prepare = prepare;
    command->answer = answer;
    command->explain = explain;
    return STET_OK;
}
