/*
 * Outcomes: from what was decided to the answer, on the client's own thread, so that the sequencer never renders. Every body is a
 * JSON object; a refusal's holds the members of its problem, beginning with "code" and "detail".
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/client.h"
#include "core/conflict.h"
#include "core/parked.h"
#include "core/preview.h"
#include "core/provenance.h"
#include "core/render.h"
#include "core/spans.h"

#include <assert.h>

/* What rendering one command needs. */
struct rendering {
    struct stet_command *command;
    struct arena *arena;
    struct buffer buffer;
    struct json_writer writer;
    stet_error *err;
    struct viewer viewer;
};

/*
 * A change by seq: the command's own, from the ring, else from the store; its views live as long as the command. Its own come first
 * because those of a refused command or of a dry run were never stored: their seqs became somebody else's.
 */
static stet_status find_change(struct rendering *rendering, uint64_t seq,
                               struct store_change *row) {
    struct stet_command *command = rendering->command;
    struct store_reader *reader;
    const struct mutation *own = command_find_staged(command, seq);
    if (own != NULL) {
        *row = own->change->row;
        return STET_OK;
    }
    struct change *published = ring_find(&command->space->ring, seq);
    if (published != NULL) {
        if (command->head == NULL) {
            command->head = published;
            *row = published->row;
            return STET_OK;
        }
        *row = published->row;
        row->type = arena_copy(rendering->arena, row->type);
        row->id = arena_copy(rendering->arena, row->id);
        row->by = arena_copy(rendering->arena, row->by);
        row->key = arena_copy(rendering->arena, row->key);
        row->source = arena_copy(rendering->arena, row->source);
        row->merge = arena_copy(rendering->arena, row->merge);
        row->origin = arena_copy(rendering->arena, row->origin);
        row->data = arena_copy(rendering->arena, row->data);
        change_unref(published);
        return row->data.bytes == NULL ? error_set(rendering->err, STET_NO_MEMORY, "out of memory")
                                       : STET_OK;
    }
    stet_status status = space_reader_take(command->space, &reader, rendering->err);
    if (status != STET_OK) return status;
    status = store_change_at(reader, rendering->arena, seq, row, rendering->err);
    space_reader_give(command->space, reader);
    return status;
}

static stet_status created_of(struct rendering *rendering, const struct store_change *row,
                              struct created *created) {
    struct stet_command *command = rendering->command;
    const struct mutation *own = command_find_staged(command, row->first);
    if (own != NULL) {
        change_created(rendering->arena, &own->change->row, created); /* Perhaps never stored. */
        return STET_OK;
    }
    return client_created(command->client, command->space, row, rendering->arena, created,
                          rendering->err);
}

/* ---- Success ----------------------------------------------------------------------------- */

/* What a write did to the record that its answer shows. */
enum effect { EFFECT_WRITTEN, EFFECT_UNCHANGED, EFFECT_DROPPED };

/* The members of a record as an answer shows it. */
static stet_status render_result(struct rendering *rendering, const struct store_change *row,
                                 enum effect effect) {
    struct stet_command *command = rendering->command;
    struct json_writer *writer = &rendering->writer;
    struct created created;
    struct store_change bare;
    stet_status status = created_of(rendering, row, &created);
    if (status != STET_OK) return status;
    if (command->render != RENDER_FLAT && !viewer_sees(&rendering->viewer, row)) {
        /* They wrote it, or had: they may learn that it is there, and no more. */
        bare = *row;
        bare.data = bare.merge = bare.parent = bare.forked_from = (stet_view){0};
        row = &bare;
    }
    if (command->render == RENDER_FLAT) {
        render_flat_members(writer, row, &created);
        if (command->decorate != NULL) command->decorate(command, writer);
    } else {
        render_record_members(writer, &rendering->viewer, row, &created);
        if (!view_is_empty(row->merge) && effect == EFFECT_WRITTEN) {
            json_key(writer, VIEW("merge"));
            if (command->dry_run) {
                provenance_render_tried(writer, &rendering->viewer, row);
            } else {
                provenance_render(writer, &rendering->viewer, row);
            }
        }
    }
    if (effect == EFFECT_UNCHANGED) json_member_bool(writer, VIEW("unchanged"), true);
    if (effect == EFFECT_DROPPED) json_member_bool(writer, VIEW("applied"), false);
    if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
    return STET_OK;
}

/* A write that waits for a person. kept: the change of the record that keeps it. */
static stet_status render_parked(struct rendering *rendering, const struct store_change *kept,
                                 uint64_t version) {
    struct stet_command *command = rendering->command;
    struct json_writer *writer = &rendering->writer;
    command->outcome.parked = true;
    command->outcome.version = version;
    command->outcome.seq = kept->transaction;
    json_object_begin(writer);
    stet_status status =
        parked_render(rendering->arena, writer, kept, command->dry_run, rendering->err);
    if (status != STET_OK) return status;
    if (!command->dry_run) json_member_u64(writer, VIEW("seq"), kept->transaction);
    if (command->key.size > 0) json_member_text(writer, VIEW("client_mutation_id"), command->key);
    if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
    json_object_end(writer);
    return STET_OK;
}

/* Whether a change that a mutation's key led to is not of the record it was for, but of one that keeps the write. */
static bool keeps_parked(const struct stet_command *command, const struct store_change *row) {
    return command->kind == COMMAND_WRITE && command->owner == NULL && type_is_system(row->type);
}

/* The change that a mutation led to, or that stands where it changed nothing. */
static stet_status result_of(struct rendering *rendering, const struct mutation *mutation,
                             struct store_change *row) {
    struct stet_command *command = rendering->command;
    if (mutation->decision != DECISION_STAGED)
        return find_change(rendering, mutation->after_seq, row);
    *row = mutation->change->row;
    if (command->dry_run) return STET_OK;
    /* Into this client's cache, so that its next write or read of the record costs no lookup. */
    cache_offer(&command->client->cache, command->space, mutation->change);
    return STET_OK;
}

static void note_record(stet_outcome *outcome, struct arena *arena,
                        const struct store_change *row) {
    outcome->version = row->version;
    outcome->seq = row->seq;
    outcome->updated_at = change_updated_at(arena, row);
}

static stet_status render_write(struct rendering *rendering) {
    struct stet_command *command = rendering->command;
    struct json_writer *writer = &rendering->writer;
    stet_outcome *outcome = &command->outcome;
    if (command->parked) {
        const struct mutation *kept = command_find_parked(command);
        assert(kept != NULL);
        return render_parked(rendering, &kept->change->row, command->mutations[0].before.version);
    }
    if (command->transaction) {
        json_object_begin(writer);
        json_key(writer, VIEW("results"));
        json_array_begin(writer);
    }
    /* Outside a transaction only the first is the caller's; a module may have added others. */
    size_t shown = command->transaction ? command->mutation_count : 1;
    for (size_t i = 0; i < shown; i++) {
        const struct mutation *mutation = &command->mutations[i];
        struct store_change row;
        if (mutation->decision == DECISION_PASSED && mutation->after_seq == 0) {
            json_object_begin(writer); /* A check that something is absent: nothing to show. */
            json_object_end(writer);
            continue;
        }
        stet_status status = result_of(rendering, mutation, &row);
        if (status != STET_OK) return status;
        enum effect effect = mutation->decision == DECISION_STAGED    ? EFFECT_WRITTEN
                             : mutation->decision == DECISION_DROPPED ? EFFECT_DROPPED
                                                                      : EFFECT_UNCHANGED;
        if (!command->transaction) {
            note_record(outcome, rendering->arena, &row);
            outcome->created = effect == EFFECT_WRITTEN && row.op == STORE_CREATE;
            outcome->unchanged = effect == EFFECT_UNCHANGED;
            outcome->dropped = effect == EFFECT_DROPPED;
            outcome->merged = command->merged;
            /* Who only wants the version must still learn that it is not theirs. */
            if (command->minimal && effect != EFFECT_DROPPED) return STET_OK;
        }
        json_object_begin(writer);
        status = render_result(rendering, &row, effect);
        if (status != STET_OK) return status;
        json_object_end(writer);
    }
    if (command->transaction) {
        json_array_end(writer);
        json_member_u64(writer, VIEW("seq"), command->decided_seq);
        if (command->key.size > 0)
            json_member_text(writer, VIEW("client_mutation_id"), command->key);
        if (command->dry_run) json_member_bool(writer, VIEW("dry_run"), true);
        json_object_end(writer);
        outcome->seq = command->decided_seq;
        outcome->unchanged = !command->staged_any && !command->dry_run;
    }
    return STET_OK;
}

stet_status command_render_results(struct stet_command *command, struct json_writer *writer,
                                   stet_error *err) {
    struct rendering rendering = {.command = command,
                                  .arena = &command->arena,
                                  .writer = *writer,
                                  .err = err,
                                  .viewer = command_viewer(command)};
    stet_status status = STET_OK;
    for (size_t i = 0; i < command->mutation_count && status == STET_OK; i++) {
        const struct mutation *mutation = &command->mutations[i];
        struct store_change row;
        json_object_begin(&rendering.writer);
        /* A check that something is absent has nothing to show. */
        if (mutation->decision != DECISION_PASSED || mutation->after_seq != 0) {
            status = result_of(&rendering, mutation, &row);
            if (status == STET_OK)
                status = render_result(&rendering, &row,
                                       mutation->decision == DECISION_STAGED    ? EFFECT_WRITTEN
                                       : mutation->decision == DECISION_DROPPED ? EFFECT_DROPPED
                                                                                : EFFECT_UNCHANGED);
        }
        json_object_end(&rendering.writer);
    }
    *writer = rendering.writer;
    return status;
}

static enum effect effect_of(unsigned flags) {
    if (flags == 0) return EFFECT_WRITTEN;
    return flags == KEY_RESULT_DROPPED ? EFFECT_DROPPED : EFFECT_UNCHANGED;
}

/* The first result once more, from the changes it made. */
static stet_status render_replay(struct rendering *rendering) {
    struct stet_command *command = rendering->command;
    struct json_writer *writer = &rendering->writer;
    stet_outcome *outcome = &command->outcome;
    size_t offset = 0;
    uint64_t seq;
    unsigned flags;
    outcome->replayed = true;
    if (command->transaction) {
        json_object_begin(writer);
        json_key(writer, VIEW("results"));
        json_array_begin(writer);
    }
    while (command_decode_result(command->replay.result, &offset, &seq, &flags)) {
        struct store_change row;
        if (seq == 0) {
            json_object_begin(writer);
            json_object_end(writer);
            continue;
        }
        stet_status status = find_change(rendering, seq, &row);
        if (status != STET_OK) return status;
        if (!command->transaction && keeps_parked(command, &row))
            return render_parked(rendering, &row, 0);
        enum effect effect = effect_of(flags);
        bool written = effect == EFFECT_WRITTEN;
        if (!command->transaction) {
            note_record(outcome, rendering->arena, &row);
            outcome->created = written && row.op == STORE_CREATE;
            outcome->unchanged = effect == EFFECT_UNCHANGED;
            outcome->dropped = effect == EFFECT_DROPPED;
            outcome->merged = written && !view_is_empty(row.merge);
            if (command->minimal && effect != EFFECT_DROPPED) return STET_OK;
        }
        if (written && row.transaction > outcome->seq) outcome->seq = row.transaction;
        json_object_begin(writer);
        status = render_result(rendering, &row, effect);
        if (status != STET_OK) return status;
        json_object_end(writer);
        if (!command->transaction) break;
    }
    if (command->transaction) {
        /* One that changed nothing left no position of its own. */
        if (outcome->seq == 0) outcome->seq = command->decided_seq;
        json_array_end(writer);
        json_member_u64(writer, VIEW("seq"), outcome->seq);
        if (command->key.size > 0)
            json_member_text(writer, VIEW("client_mutation_id"), command->key);
        json_object_end(writer);
    }
    return STET_OK;
}

/* One result of a receipt. *last: the newest position of what was written. */
static stet_status render_receipt_result(struct rendering *rendering, uint64_t seq, unsigned flags,
                                         uint64_t *last) {
    struct json_writer *writer = &rendering->writer;
    struct store_change row;
    stet_status status = find_change(rendering, seq, &row);
    if (status != STET_OK && status != STET_PRUNED) return status;
    json_object_begin(writer);
    if (status == STET_OK) {
        json_key(writer, VIEW("address"));
        render_address(writer, row.type, row.id);
        json_member_u64(writer, VIEW("version"), row.version);
        if (flags == 0 && row.transaction > *last) *last = row.transaction;
    }
    json_member_u64(writer, VIEW("seq"), seq);
    if (effect_of(flags) == EFFECT_UNCHANGED) json_member_bool(writer, VIEW("unchanged"), true);
    if (effect_of(flags) == EFFECT_DROPPED) json_member_bool(writer, VIEW("applied"), false);
    json_object_end(writer);
    return STET_OK;
}

/* A parked write's receipt follows its conflict. *parked false: it is no such receipt. */
static stet_status render_parked_receipt(struct rendering *rendering, bool *parked) {
    struct stet_command *command = rendering->command;
    struct json_writer *writer = &rendering->writer;
    struct store_change row;
    size_t offset = 0;
    uint64_t seq, version;
    unsigned flags;
    stet_view state;
    *parked = false;
    if (!command_decode_result(command->replay.result, &offset, &seq, &flags) || seq == 0 ||
        flags != 0 || offset < command->replay.result.size)
        return STET_OK;
    stet_status status = find_change(rendering, seq, &row);
    if (status == STET_PRUNED) return STET_OK;
    if (status != STET_OK || !parked_is_kept(rendering->arena, &row)) return status;
    *parked = true;
    status = parked_follow(command, &row, &state, &version, rendering->err);
    if (status != STET_OK) return status;
    json_object_begin(writer);
    json_member_text(writer, VIEW("client_mutation_id"), command->key);
    json_member_text(writer, VIEW("status"), state);
    json_member_text(writer, VIEW("conflict_id"), row.id);
    if (version > 0) json_member_u64(writer, VIEW("version"), version);
    json_member_u64(writer, VIEW("seq"), row.transaction);
    json_object_end(writer);
    command->outcome.seq = row.transaction;
    return STET_OK;
}

static stet_status render_known_receipt(struct rendering *rendering) {
    struct stet_command *command = rendering->command;
    struct json_writer *writer = &rendering->writer;
    size_t offset = 0;
    uint64_t seq, last = 0;
    unsigned flags;
    bool parked;
    stet_status status = render_parked_receipt(rendering, &parked);
    if (status != STET_OK || parked) return status;
    json_object_begin(writer);
    json_member_text(writer, VIEW("client_mutation_id"), command->key);
    json_member_text(writer, VIEW("status"), VIEW("confirmed"));
    json_key(writer, VIEW("results"));
    json_array_begin(writer);
    while (command_decode_result(command->replay.result, &offset, &seq, &flags)) {
        if (seq == 0) continue;
        status = render_receipt_result(rendering, seq, flags, &last);
        if (status != STET_OK) return status;
    }
    json_array_end(writer);
    if (last > 0) json_member_u64(writer, VIEW("seq"), last);
    command->outcome.seq = last;
    json_object_end(writer);
    return STET_OK;
}

static stet_status render_receipt(struct rendering *rendering) {
    struct stet_command *command = rendering->command;
    struct json_writer *writer = &rendering->writer;
    stet_view state = VIEW("rejected");
    if (command->replayed) return render_known_receipt(rendering);
    if (command->receipt_status == STET_CONCURRENT_MODIFICATION) state = VIEW("conflict");
    if (command->receipt_status == STET_OK) state = VIEW("unknown");
    json_object_begin(writer);
    json_member_text(writer, VIEW("client_mutation_id"), command->key);
    json_member_text(writer, VIEW("status"), state);
    if (command->receipt_status != STET_OK)
        json_member_text(writer, VIEW("code"), view_of(status_code(command->receipt_status)));
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    command->outcome.seq = command->decided_seq;
    json_object_end(writer);
    return STET_OK;
}

static stet_status render_read(struct rendering *rendering) {
    struct stet_command *command = rendering->command;
    const struct store_change *row = &command->head->row;
    struct created created;
    note_record(&command->outcome, rendering->arena, row);
    stet_status status = created_of(rendering, row, &created);
    if (status != STET_OK) return status;
    json_object_begin(&rendering->writer);
    if (command->render == RENDER_FLAT) {
        render_flat_members(&rendering->writer, row, &created);
    } else {
        render_record_members(&rendering->writer, &rendering->viewer, row, &created);
    }
    json_object_end(&rendering->writer);
    return STET_OK;
}

/* ---- Refusal ----------------------------------------------------------------------------- */

static stet_status render_flat_conflict(struct rendering *rendering,
                                        const struct mutation *mutation) {
    struct json_writer *writer = &rendering->writer;
    struct store_change row;
    struct created created;
    json_key(writer, VIEW("address"));
    render_address(writer, mutation->type, mutation->id);
    if (mutation->base.kind == STET_BASE_VERSION)
        json_member_u64(writer, VIEW("expected_version"), mutation->base.value);
    json_member_u64(writer, VIEW("current_version"), mutation->before.version);
    if (mutation->before.version == 0) return STET_OK;
    stet_status status = find_change(rendering, mutation->before.seq, &row);
    if (status == STET_OK) status = created_of(rendering, &row, &created);
    if (status != STET_OK) return status;
    json_key(writer, VIEW("current"));
    json_object_begin(writer);
    render_flat_members(writer, &row, &created);
    json_object_end(writer);
    return STET_OK;
}

/* Whether a record that stood in the way is one that the caller may read. Not so what cannot be told. */
static bool may_know(struct rendering *rendering, stet_view address) {
    struct stet_command *command = rendering->command;
    struct store_reader *reader;
    struct store_head head;
    struct store_change row;
    stet_view type, id;
    stet_error ignored;
    if (command->actor.admin) return true;
    if (address_parse(rendering->arena, address, &type, &id, &ignored) != STET_OK ||
        space_reader_take(command->space, &reader, &ignored) != STET_OK)
        return false;
    stet_status status = store_head(reader, type, id, &head, &ignored);
    if (status == STET_OK && head.version > 0)
        status = store_change_at(reader, rendering->arena, head.seq, &row, &ignored);
    space_reader_give(command->space, reader);
    return status == STET_OK && head.version > 0 && viewer_sees(&rendering->viewer, &row);
}

/* The members beyond code and detail of one refused mutation. May change the detail to something better. */
static stet_status render_refusal(struct rendering *rendering, struct mutation *mutation,
                                  stet_view *detail) {
    struct json_writer *writer = &rendering->writer;
    struct store_change row;
    struct created created;
    stet_status status;
    switch (mutation->status) {
    case STET_CONCURRENT_MODIFICATION:
        /* What is answered flat may hold private members, and is resolved by writing it again. */
        if (rendering->command->render == RENDER_FLAT)
            return render_flat_conflict(rendering, mutation);
        return conflict_render(rendering->command, mutation, writer, detail, rendering->err);
    case STET_ALREADY_EXISTS:
        status = find_change(rendering, mutation->before.seq, &row);
        if (status == STET_OK) status = created_of(rendering, &row, &created);
        if (status != STET_OK) return status;
        json_key(writer, VIEW("address"));
        render_address(writer, mutation->type, mutation->id);
        json_member_u64(writer, VIEW("current_version"), row.version);
        if (rendering->command->render == RENDER_FLAT || !viewer_sees(&rendering->viewer, &row))
            return STET_OK; /* It holds private members, or is none of theirs. */
        json_key(writer, VIEW("record"));
        render_record(writer, &rendering->viewer, &row, &created);
        return STET_OK;
    case STET_DELETED:
        json_key(writer, VIEW("address"));
        render_address(writer, mutation->type, mutation->id);
        json_member_u64(writer, VIEW("version"), mutation->before.version);
        return STET_OK;
    case STET_PRECONDITION_REQUIRED:
        json_key(writer, VIEW("address"));
        render_address(writer, mutation->type, mutation->id);
        json_member_u64(writer, VIEW("current_version"), mutation->before.version);
        return STET_OK;
    case STET_UNIQUE_VIOLATION:
        if (mutation->taken_by.size == 0) return STET_OK;
        if (may_know(rendering, mutation->taken_by)) {
            json_member_text(writer, VIEW("address"), mutation->taken_by);
        } else {
            *detail = VIEW("another record has this value already");
        }
        return STET_OK;
    case STET_SLOT_TAKEN:
        if (mutation->taken == NULL) return STET_OK;
        json_key(writer, VIEW("address"));
        render_address(writer, mutation->type, mutation->id);
        return slot_taken_render(&(struct taken_answer){.client = rendering->command->client,
                                                        .viewer = &rendering->viewer,
                                                        .arena = rendering->arena,
                                                        .type = mutation->type},
                                 mutation->taken, writer, rendering->err);
    default:
        if (!rendering->command->transaction) return STET_OK;
        json_key(writer, VIEW("address"));
        render_address(writer, mutation->type, mutation->id);
        return STET_OK;
    }
}

static stet_view default_detail(const struct mutation *mutation) {
    return mutation->error == NULL ? view_of(status_words(mutation->status))
                                   : view_of(mutation->error->message);
}

/* One refused mutation, rendered apart, because its detail is only known afterwards but stands first. */
static stet_status render_refused_mutation(struct rendering *rendering, size_t index,
                                           struct json_writer *writer, stet_view *detail) {
    struct mutation *mutation = &rendering->command->mutations[index];
    struct rendering part = *rendering;
    *detail = default_detail(mutation);
    buffer_init(&part.buffer, part.arena, 0);
    json_begin(&part.writer, &part.buffer);
    json_object_begin(&part.writer);
    stet_status status = render_refusal(&part, mutation, detail);
    if (status != STET_OK) return status;
    json_object_end(&part.writer);
    status = json_end(&part.writer);
    if (status != STET_OK) return error_set(rendering->err, status, "out of memory for an answer");
    json_member_text(writer, VIEW("code"), view_of(status_code(mutation->status)));
    json_member_text(writer, VIEW("detail"), *detail);
    if (mutation->error != NULL && mutation->error->field[0] != '\0')
        json_member_text(writer, VIEW("field"), view_of(mutation->error->field));
    if (rendering->command->explain_mutation != NULL)
        rendering->command->explain_mutation(rendering->command, index, writer);
    stet_view members = buffer_view(&part.buffer);
    if (members.size > 2) { /* More than "{}": splice what is between the braces. */
        buffer_append_char(writer->buffer, ',');
        buffer_append(writer->buffer, members.bytes + 1, members.size - 2);
    }
    return STET_OK;
}

static void take_error(stet_outcome *outcome, const struct mutation *mutation, stet_view detail) {
    if (mutation->error != NULL) outcome->error = *mutation->error;
    outcome->error.status = mutation->status;
    outcome->status = mutation->status;
    error_message(&outcome->error, detail);
}

static stet_status render_refused_write(struct rendering *rendering) {
    struct stet_command *command = rendering->command;
    struct json_writer *writer = &rendering->writer;
    stet_outcome *outcome = &command->outcome;
    stet_view detail;
    size_t refused = 0, first = 0;
    for (size_t i = command->mutation_count; i-- > 0;) {
        if (command->mutations[i].decision != DECISION_REFUSED) continue;
        refused++;
        first = i;
    }
    json_object_begin(writer);
    if (!command->transaction) {
        struct mutation *mutation = &command->mutations[first];
        stet_status status = render_refused_mutation(rendering, first, writer, &detail);
        if (status != STET_OK) return status;
        take_error(outcome, mutation, detail);
        outcome->version = mutation->before.version;
        json_object_end(writer);
        return STET_OK;
    }
    stet_view summary = arena_format(
        rendering->arena, "%zu of the %zu mutations could not be applied; nothing was written",
        refused, command->mutation_count);
    json_member_text(writer, VIEW("code"), view_of(status_code(command->status)));
    json_member_text(writer, VIEW("detail"), summary);
    json_key(writer, VIEW("conflicts"));
    json_array_begin(writer);
    for (size_t i = first; i < command->mutation_count; i++) {
        if (command->mutations[i].decision != DECISION_REFUSED) continue;
        json_object_begin(writer);
        json_member_u64(writer, VIEW("index"), i);
        stet_status status = render_refused_mutation(rendering, i, writer, &detail);
        if (status != STET_OK) return status;
        json_object_end(writer);
    }
    json_array_end(writer);
    if (command->keeps_staged && command->explain != NULL) command->explain(command, writer);
    json_object_end(writer);
    take_error(outcome, &command->mutations[first], summary);
    if (command->keeps_staged) outcome->status = outcome->error.status = command->status;
    return STET_OK;
}

/* A failure of the command as a whole: only its words. */
static void render_failure(struct rendering *rendering, const stet_error *error) {
    struct json_writer *writer = &rendering->writer;
    stet_outcome *outcome = &rendering->command->outcome;
    outcome->status = error->status;
    outcome->error = *error;
    buffer_reset(&rendering->buffer);
    json_begin(writer, &rendering->buffer);
    json_object_begin(writer);
    json_member_text(writer, VIEW("code"), view_of(status_code(error->status)));
    json_member_text(
        writer, VIEW("detail"),
        view_of(error->message[0] != '\0' ? error->message : status_words(error->status)));
    if ((error->status == STET_DELETED || error->status == STET_PURGED) &&
        rendering->command->head != NULL) {
        const struct store_change *row = &rendering->command->head->row;
        note_record(outcome, rendering->arena, row);
        json_key(writer, VIEW("address"));
        render_address(writer, row->type, row->id);
        json_member_u64(writer, VIEW("version"), row->version);
        json_member_u64(writer, VIEW("seq"), row->seq);
        if (error->status == STET_PURGED) render_purge(writer, row);
    }
    if (rendering->command->explain != NULL)
        rendering->command->explain(rendering->command, writer);
    if (error->status == STET_TOO_MANY_REQUESTS && rendering->command->retry_after_s > 0)
        json_member_u64(writer, VIEW("retry_after"), rendering->command->retry_after_s);
    json_object_end(writer);
}

/* ---- All kinds --------------------------------------------------------------------------- */

static bool is_refused_by_mutation(const struct stet_command *command) {
    for (size_t i = 0; i < command->mutation_count; i++)
        if (command->mutations[i].decision == DECISION_REFUSED) return true;
    return false;
}

static bool is_committed(const struct stet_command *command) {
    return command->status == STET_OK && command->staged_any && !command->dry_run;
}

/* A committed write's answer without its body, which could not be made. Cannot fail. */
static void render_bare(struct rendering *rendering) {
    struct stet_command *command = rendering->command;
    stet_outcome *outcome = &command->outcome;
    const struct mutation *first = command->mutations; /* None, where a module staged it all. */
    bool single = command->kind != COMMAND_MODULE && !command->transaction;
    outcome->status = STET_OK;
    outcome->body = (stet_view){0};
    outcome->seq = single ? first->after_seq : command->decided_seq;
    if (single && first->decision == DECISION_STAGED) {
        outcome->version = first->after_version;
        outcome->created = first->change->row.op == STORE_CREATE;
        outcome->updated_at = first->change->row.stamp;
        outcome->merged = command->merged;
    }
    outcome->parked = command->parked;
    buffer_reset(&rendering->buffer);
}

static stet_status render(struct rendering *rendering) {
    struct stet_command *command = rendering->command;
    switch (command->kind) {
    case COMMAND_WRITE:
    case COMMAND_RESOLVE:
        if (command->preview && preview_answers(command))
            return preview_render(command, &rendering->writer, rendering->err);
        if (command->status != STET_OK) return render_refused_write(rendering);
        if (command->replayed && !command->answers_replay) return render_replay(rendering);
        if (command->answer == NULL) return render_write(rendering);
        command->outcome.seq = command->decided_seq;
        command->outcome.unchanged = !command->staged_any && !command->dry_run;
        return command->answer(command, &rendering->writer, rendering->err);
    case COMMAND_READ: return render_read(rendering);
    case COMMAND_RECEIPT: return render_receipt(rendering);
    case COMMAND_MODULE:
        if (command->status != STET_OK) return render_refused_write(rendering);
        command->outcome.seq = command->decided_seq;
        return command->answer(command, &rendering->writer, rendering->err);
    case COMMAND_LIST:
    case COMMAND_HISTORY:
    case COMMAND_DIFF:
    case COMMAND_EXPORT:
    case COMMAND_STATS:
    case COMMAND_CHECK:
    case COMMAND_MODULE_READ:
        command->outcome.seq = command->decided_seq; /* The body was written by the worker. */
        return STET_OK;
    case COMMAND_EMPTY: break;
    }
    return error_set(rendering->err, STET_MISUSE, "the command was never filled");
}

void command_render(struct stet_command *command) {
    stet_error error = {0};
    struct rendering rendering = {.command = command,
                                  .arena = &command->arena,
                                  .err = &error,
                                  .viewer = command_viewer(command)};
    stet_outcome *outcome = &command->outcome;
    if (command->rendered) return;
    command->rendered = true;
    outcome->status = STET_OK;
    buffer_init(&rendering.buffer, &command->arena, 0);
    json_begin(&rendering.writer, &rendering.buffer);
    stet_status status = STET_OK;
    if (command->status != STET_OK && !is_refused_by_mutation(command)) {
        render_failure(&rendering, &command->error);
    } else {
        status = render(&rendering);
    }
    if (status == STET_OK) status = buffer_status(&rendering.buffer);
    if (status != STET_OK && is_committed(command)) {
        /* What happened has happened: the answer is as short as one that was asked to be. */
        render_bare(&rendering);
    } else if (status != STET_OK) {
        if (error.status == STET_OK) error_set(&error, status, "could not render the answer");
        error.status = status;
        render_failure(&rendering, &error);
    }
    if (outcome->body.bytes == NULL) outcome->body = buffer_view(&rendering.buffer);
}
