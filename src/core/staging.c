/*
 * Lookups and staging for one command. See core/staging.h.
 */
#include "core/staging.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/data.h"
#include "core/index.h"
#include "core/permit.h"
#include "core/render.h"
#include "core/retain.h"
#include "core/spans.h"
#include "store/spine.h"

#include <assert.h>

/* What this batch or the ring holds; NULL: it is in the store only. */
static const struct change *in_memory(struct staging *staging, uint64_t seq) {
    const struct change *change = batch_find_change(staging->batch, seq);
    return change != NULL ? change : ring_peek(&staging->space->ring, seq);
}

stet_status staging_change_at(struct staging *staging, uint64_t seq, struct store_change *row,
                              stet_error *err) {
    const struct change *change = in_memory(staging, seq);
    if (change == NULL)
        return store_change_at(store_writer_reader(staging->space->store), staging_arena(staging),
                               seq, row, err);
    *row = change->row;
    return STET_OK;
}

stet_status staging_head_change(struct staging *staging, const struct store_head *head,
                                struct store_change *row, stet_error *err) {
    return staging_change_at(staging, head->seq, row, err);
}

/* The head of the record with this address, staged changes included, and the address as we spell it. STET_NOT_FOUND: there is none that
   lives. */
static stet_status find_relative(struct staging *staging, stet_view address, const char *field,
                                 struct store_head *head, struct buffer *spelled, stet_error *err) {
    stet_view type, id;
    stet_status status = address_parse(&staging->command->arena, address, &type, &id, err);
    if (status == STET_OK) status = staging_read(staging, type, id, head, NULL, err);
    bool there = status == STET_OK && head->version > 0 && !head->deleted;
    /* What one may not read is nothing to stand below, or to be a copy of. */
    if (status == STET_OK && there && !staging->command->actor.admin)
        status = permit_reading(staging, type, head, &there, err);
    if (status == STET_OK && !there)
        status = error_set(err, STET_NOT_FOUND, "\"%.*s\" does not exist", VIEW_ARG(address));
    if (status == STET_BAD_REQUEST || status == STET_NOT_FOUND) error_field(err, field, 0);
    if (status != STET_OK) return status;
    buffer_init(spelled, &staging->command->arena, 0);
    address_format(spelled, type, id);
    status = buffer_status(spelled);
    return status == STET_OK ? status : error_set(err, status, "out of memory for an address");
}

stet_status staging_moves(struct staging *staging, const struct mutation *mutation,
                          const struct store_head *head, bool *moves, stet_error *err) {
    struct store_head parent = {0};
    struct buffer spelled;
    stet_status status = STET_OK;
    *moves = false;
    if (!mutation->sets_parent) return STET_OK;
    uint64_t from = head->parent;
    if (mutation->parent.size > 0)
        status = find_relative(staging, mutation->parent, "parent", &parent, &spelled, err);
    *moves = from != parent.first;
    return status;
}

/* Whether yours equals the head's data. The hashes tell nearly always; equal ones are verified. */
stet_status staging_equals_head(struct staging *staging, const struct mutation *mutation,
                                const struct store_head *head, bool *equal, stet_error *err) {
    *equal = false;
    if (!mutation->has_yours || head->deleted || mutation->yours_hash != head->hash ||
        mutation->touches)
        return STET_OK;
    struct arena *arena = &staging->command->arena;
    struct store_change row;
    struct doc ours, theirs;
    bool moves;
    stet_status status = staging_moves(staging, mutation, head, &moves, err);
    if (status != STET_OK || moves) return status;
    status = staging_head_change(staging, head, &row, err);
    if (status != STET_OK) return status;
    if (row.data.size == mutation->yours_data.size && view_equal(row.data, mutation->yours_data)) {
        *equal = true;
        return STET_OK;
    }
    status = change_parse(arena, row.data, &theirs, err);
    if (status != STET_OK) return status;
    status = doc_parse(arena, mutation->yours_data, NULL, &ours, err);
    if (status != STET_OK) return status;
    *equal = doc_equal(&ours, 0, &theirs, 0);
    return STET_OK;
}

/* The seq on the head's spine from which the way to an ordinal is shortest, and which ordinal that is. */
static uint64_t nearest_on_spine(const struct store_head *head, uint64_t ordinal, uint64_t *at) {
    unsigned index = spine_count(head->ordinal) - 1;
    while (index > 0 && spine_ordinal(head->ordinal, index - 1) >= ordinal)
        index--;
    *at = spine_ordinal(head->ordinal, index);
    return head->spine[index];
}

static stet_status find_stored(struct staging *staging, const struct mutation *mutation,
                               const struct store_head *head, uint64_t version,
                               struct store_change *row, stet_error *err) {
    struct store_reader *reader = store_writer_reader(staging->space->store);
    struct store_head stored;
    stet_status status = STET_OK;
    if (head->seq > ring_published(&staging->space->ring)) {
        status = store_head(reader, mutation->type, mutation->id, &stored, err);
        if (status != STET_OK) return status;
        head = &stored;
    }
    status =
        store_find(reader, &staging->command->arena, head, STORE_BOUND_VERSION, version, row, err);
    if (status == STET_OK && row->version != version)
        status = error_set(err, STET_NOT_FOUND, "the record has no version %llu",
                           (unsigned long long)version);
    return status;
}

stet_status staging_version(struct staging *staging, const struct mutation *mutation,
                            const struct store_head *head, uint64_t version,
                            struct store_change *row, stet_error *err) {
    struct store_reader *reader = store_writer_reader(staging->space->store);
    uint64_t life = staging->space->life;
    /* Between lives versions were passed over, so how many came after one is not known. */
    bool is_earlier = version <= life && head->version > life;
    if (version == 0 || version > head->version ||
        (!is_earlier && head->version - version >= head->ordinal))
        return error_set(err, STET_NOT_FOUND, "the record has no version %llu",
                         (unsigned long long)version);
    if (is_earlier) return find_stored(staging, mutation, head, version, row, err);
    uint64_t ordinal = head->ordinal - (head->version - version);
    uint64_t at, seq = nearest_on_spine(head, ordinal, &at);
    const struct change *change;
    while ((change = in_memory(staging, seq)) != NULL && at != ordinal) {
        seq = ring_way_back(&change->row, ordinal);
        at = ring_ordinal_back(&change->row, ordinal);
    }
    if (change != NULL) {
        *row = change->row;
        return STET_OK;
    }
    struct arena *arena = &staging->command->arena;
    /* Where it stands is known more often than not, as most bases are the version before. */
    if (at == ordinal) return store_change_at(reader, arena, seq, row, err);
    return find_stored(staging, mutation, head, version, row, err);
}

/* ---- Staging ----------------------------------------------------------------------------- */

/* Asks every module. The first refusal counts. */
static stet_status ask_modules(struct staging *staging, const struct mutation *mutation,
                               enum store_op op, stet_view data, const struct store_head *head,
                               stet_error *err) {
    struct space *space = staging->space;
    struct proposal proposal = {
        .command = staging->command,
        .index = (size_t)(mutation - staging->command->mutations),
        .actor = &staging->command->actor,
        .type = mutation->type,
        .id = mutation->id,
        .op = op,
        .head = head,
        .data = data,
        .now = staging->now,
        .mutation = mutation,
    };
    for (size_t i = 0; i < space->module_count; i++) {
        const struct engine_module_state *module = &space->modules[i];
        if (module->module->check == NULL) continue;
        stet_status status = module->module->check(module->state, &proposal, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

/* What a version says of other records, and their numbers. */
struct lineage {
    stet_view parent;
    uint64_t parent_number;
    stet_view forked_from;
    uint64_t fork;
    uint64_t fork_version;
};

/* "type/id@version" */
static stet_status find_fork(struct staging *staging, stet_view forked_from,
                             struct lineage *lineage, stet_error *err) {
    const char *at = memrchr(forked_from.bytes, '@', forked_from.size);
    size_t size = at == NULL ? 0 : (size_t)(at - forked_from.bytes);
    if (at == NULL ||
        !view_parse_u64(view_make(at + 1, forked_from.size - size - 1), &lineage->fork_version)) {
        error_set(err, STET_BAD_REQUEST, "a fork names \"type/id@version\"");
        error_field(err, "forked_from", 0);
        return STET_BAD_REQUEST;
    }
    struct store_head origin;
    struct buffer spelled;
    stet_status status = find_relative(staging, view_make(forked_from.bytes, size), "forked_from",
                                       &origin, &spelled, err);
    if (status != STET_OK) return status;
    uint64_t life = staging->space->life;
    bool is_earlier = lineage->fork_version <= life && origin.version > life;
    if (lineage->fork_version > origin.version ||
        (!is_earlier && lineage->fork_version <= origin.version - origin.ordinal)) {
        error_set(err, STET_NOT_FOUND, "\"%.*s\" does not exist", VIEW_ARG(forked_from));
        error_field(err, "forked_from", 0);
        return STET_NOT_FOUND;
    }
    buffer_append_char(&spelled, '@');
    buffer_append_u64(&spelled, lineage->fork_version);
    lineage->fork = origin.first;
    lineage->forked_from = buffer_view(&spelled);
    status = buffer_status(&spelled);
    return status == STET_OK ? status : error_set(err, status, "out of memory for an address");
}

/* A record stays under its parent, and the fork of what it was forked from, until somebody says otherwise. One that is created anew
   begins as a root. */
static stet_status find_lineage(struct staging *staging, const struct mutation *mutation,
                                enum store_op op, const struct store_head *head,
                                struct lineage *lineage, stet_error *err) {
    stet_status status = STET_OK;
    if (mutation->sets_parent && op != STORE_DELETE) {
        struct store_head parent = {0};
        struct buffer spelled = {0};
        if (mutation->parent.size > 0)
            status = find_relative(staging, mutation->parent, "parent", &parent, &spelled, err);
        lineage->parent = buffer_view(&spelled);
        lineage->parent_number = parent.first;
    } else if (op != STORE_CREATE && head->parent != 0) {
        struct store_change row;
        status = staging_head_change(staging, head, &row, err);
        if (status != STET_OK) return status;
        lineage->parent = row.parent;
        lineage->parent_number = head->parent;
    }
    if (status == STET_OK && op != STORE_DELETE && mutation->forked_from.size > 0) {
        status = find_fork(staging, mutation->forked_from, lineage, err);
        /* An import need not have brought what this is a fork of; the words are kept all the same. */
        if (status != STET_NOT_FOUND || !mutation->imported) return status;
        *err = (stet_error){0};
        lineage->forked_from = (stet_view){0};
        lineage->fork = lineage->fork_version = 0;
        return STET_OK;
    }
    if (status == STET_OK && op != STORE_CREATE && head->forked) {
        struct store_change row;
        status = staging_head_change(staging, head, &row, err);
        if (status == STET_OK) lineage->forked_from = row.forked_from;
    }
    return status;
}

/* What the change keeps beside its data: also that only an administrator could make it. Empty bytes: memory is out. */
static stet_view origin_of(struct staging *staging, const struct mutation *mutation) {
    stet_view origin = mutation->origin_json;
    if (!mutation->bypass) return origin.bytes == NULL ? VIEW("") : origin;
    if (origin.size < 2) return VIEW("{\"bypass\":true}");
    return arena_format(staging_arena(staging), "{\"bypass\":true%s%.*s",
                        origin.size == 2 ? "" : ",", (int)origin.size - 1, origin.bytes + 1);
}

/* Gives a mutation its change, built at preparation or here. */
static stet_status need_change(struct staging *staging, struct mutation *mutation, enum store_op op,
                               stet_view data, uint64_t hash, stet_view merge,
                               const struct lineage *lineage, stet_error *err) {
    struct stet_command *command = staging->command;
    struct change *change = mutation->change;
    stet_view origin = origin_of(staging, mutation);
    if (origin.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a change");
    bool fits = change != NULL && view_equal(change->row.merge, merge) &&
                view_equal(change->row.origin, origin) &&
                view_equal(change->row.parent, lineage->parent) &&
                view_equal(change->row.forked_from, lineage->forked_from) &&
                data.size == change->row.data.size && hash == change->hash &&
                (data.size == 0 || change->row.data.bytes == data.bytes ||
                 memcmp(change->row.data.bytes, data.bytes, data.size) == 0);
    if (!fits) {
        struct change_parts parts = {
            .op = op,
            .type = mutation->type,
            .id = mutation->id,
            .by = command->actor.id,
            .key = command->key,
            .source = command->source,
            .merge = merge,
            .origin = origin,
            .parent = lineage->parent,
            .forked_from = lineage->forked_from,
            .data = data,
            .hash = hash,
        };
        struct change *built = change_create(&parts);
        if (built == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a change");
        change_unref(mutation->change);
        mutation->change = built;
    }
    mutation->change->row.op = op;
    mutation->change->row.parent_number = lineage->parent_number;
    return STET_OK;
}

/* The entries of a change that is numbered. head: the record's before it. */
static stet_status stage_entries(struct staging *staging, struct mutation *mutation,
                                 const struct store_head *head, const struct lineage *lineage,
                                 stet_error *err) {
    struct space *space = staging->space;
    const struct change *change = mutation->change;
    const struct policy *policy = policy_staged(space, mutation->type);
    bool lived = head->version > 0 && !head->deleted, lives = !change_is_delete(change);
    struct index_change entries = {
        .type = mutation->type,
        .record = change->row.first,
        .after = lives ? change->row.data : (stet_view){0},
        .parent_before = lived ? head->parent : 0,
        .parent_after = lives ? lineage->parent_number : 0,
        .fork = lineage->fork,
        .fork_version = lineage->fork_version,
    };
    if (lived && index_concerns(space, policy, mutation->type)) {
        struct store_change row;
        stet_status status = staging_head_change(staging, head, &row, err);
        if (status != STET_OK) return status;
        entries.before = row.data;
    }
    return index_stage(space, staging->batch, &staging->command->arena, policy, &entries,
                       &mutation->taken_by, err);
}

/* Numbers the mutation's next version and puts it into the batch. What it would break was asked before. */
static stet_status stage(struct staging *staging, struct mutation *mutation, enum store_op op,
                         stet_view data, uint64_t hash, stet_view merge, struct store_head *head,
                         stet_error *err) {
    struct space *space = staging->space;
    struct store_head before = *head;
    struct lineage lineage = {0};
    stet_status status = find_lineage(staging, mutation, op, &before, &lineage, err);
    if (status == STET_OK)
        status = need_change(staging, mutation, op, data, hash, merge, &lineage, err);
    if (status != STET_OK) return status;
    status = batch_reserve(staging->batch, err);
    if (status != STET_OK) return status;

    struct change *change = mutation->change;
    struct store_head after = *head;
    change->row.seq = space->seq + 1;
    change->row.transaction = change->row.seq; /* Until the command is accepted. */
    change->row.stamp = space->stamp + 1 > staging->now ? space->stamp + 1 : staging->now;
    bool history = mutation->imported && mutation->origin.history;
    change->row.version = history ? head->version + 1 : space_next_version(space, head);
    if (head->version == 0 && mutation->imported && mutation->origin.version > 0)
        change->row.version = mutation->origin.version;
    assert(!history || change->row.version == mutation->origin.version);
    change->row.base_version =
        mutation->base.kind == STET_BASE_VERSION ? mutation->base.value : head->version;
    if (history) change->row.base_version = mutation->origin.base_version;
    if (change->row.base_version > head->version) change->row.base_version = 0;
    status = store_head_advance(&after, &change->row, hash, err);
    if (status != STET_OK) return status;
    status = stage_entries(staging, mutation, &before, &lineage, err);
    if (status == STET_OK)
        status = retain_stage(staging, policy_staged(space, mutation->type), change, &before, err);
    if (status != STET_OK) return status;
    status = heads_stage(&space->heads, head, err);
    if (status != STET_OK) return status;
    *head = after;
    batch_add_change(staging->batch, change, &before);
    quota_staged(&space->quota, change, &before);
    space->seq = change->row.seq;
    space->stamp = change->row.stamp;
    mutation->decision = DECISION_STAGED;
    mutation->status = STET_OK;
    mutation->after_version = after.version;
    mutation->after_seq = after.seq;
    return STET_OK;
}

stet_status staging_data(struct staging *staging, struct mutation *mutation, stet_view data,
                         uint64_t hash, stet_view merge, struct store_head *head, stet_error *err) {
    bool creates = head->version == 0 || head->deleted;
    enum store_op op = creates ? STORE_CREATE : STORE_UPDATE;
    stet_status status = spans_choose(staging, mutation, head, &data, &hash, err);
    if (status == STET_OK) status = data_check(staging, mutation, head, &data, &hash, err);
    if (status == STET_OK) status = permit_staged(staging, mutation, op, head, data, err);
    if (status == STET_OK) status = ask_modules(staging, mutation, op, data, head, err);
    if (status != STET_OK) return status;
    return stage(staging, mutation, op, data, hash, merge, head, err);
}

stet_status staging_tombstone(struct staging *staging, struct mutation *mutation, stet_view merge,
                              struct store_head *head, stet_error *err) {
    stet_view last = mutation->last_data;
    if (mutation->prepared_version != head->version) {
        struct store_change row;
        stet_status status = staging_head_change(staging, head, &row, err);
        if (status != STET_OK) return status;
        last = row.data;
        atomic_fetch_add_explicit(&staging->space->counters.retries, 1, memory_order_relaxed);
    }
    stet_status status = permit_staged(staging, mutation, STORE_DELETE, head, last, err);
    if (status == STET_OK) status = ask_modules(staging, mutation, STORE_DELETE, last, head, err);
    if (status != STET_OK) return status;
    return stage(staging, mutation, STORE_DELETE, last, 0, merge, head, err);
}

stet_status staging_purge(struct staging *staging, struct mutation *mutation, stet_view reason,
                          struct store_head *head, stet_error *err) {
    struct store_change row;
    stet_status status = staging_head_change(staging, head, &row, err);
    if (status == STET_OK)
        status = ask_modules(staging, mutation, STORE_DELETE, row.data, head, err);
    if (status != STET_OK) return status;
    return stage(staging, mutation, STORE_DELETE, VIEW("{}"), 0, reason, head, err);
}

/* ---- Taking back ------------------------------------------------------------------------- */

void staging_take_back(struct staging *staging) {
    struct space *space = staging->space;
    heads_undo(&space->heads, staging->heads_mark);
    batch_truncate(staging->batch, staging->first_change);
    space->seq = staging->first_seq;
    space->stamp = staging->first_stamp;
    space->quota.now = staging->use_before;
    staging->merged = false;
}

/* ---- Waiting ----------------------------------------------------------------------------- */

stet_status staging_hold(struct staging *staging, uint64_t tag, int64_t until_monotonic,
                         stet_error *err) {
    struct stet_command *command = staging->command;
    if (staging->space->held_count >= HELD_COMMANDS_MAX) {
        error_set(err, STET_BUSY, "too many requests wait in space \"%s\"", staging->space->name);
        error_field(err, "wait_s", HELD_COMMANDS_MAX);
        return STET_BUSY;
    }
    command->held = true;
    command->held_tag = tag;
    command->held_until = until_monotonic;
    return STET_OK;
}

/* ---- For modules ------------------------------------------------------------------------- */

/* Copies what is borrowed: a module may look at it until its command is answered. */
static stet_status keep_row(struct arena *arena, struct store_change *row, stet_error *err) {
    stet_view *const views[] = {&row->type,        &row->id,    &row->by,     &row->key,
                                &row->source,      &row->merge, &row->origin, &row->parent,
                                &row->forked_from, &row->data};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        *views[i] = arena_copy(arena, *views[i]);
        if (views[i]->bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    }
    return STET_OK;
}

stet_status staging_read(struct staging *staging, stet_view type, stet_view id,
                         struct store_head *head, struct store_change *row, stet_error *err) {
    struct store_head *current;
    stet_status status =
        heads_get(&staging->space->heads, store_writer_reader(staging->space->store), type, id,
                  &current, err);
    if (status != STET_OK) return status;
    if (row != NULL && current->version > 0) {
        status = staging_head_change(staging, current, row, err);
        if (status == STET_OK) status = keep_row(staging_arena(staging), row, err);
        if (status != STET_OK) return status;
    }
    *head = *current;
    return STET_OK;
}

/* A place for a record a module stages, with its head. */
static stet_status add_record(struct staging *staging, stet_view type, stet_view id,
                              struct staged_record **record, struct store_head **head,
                              stet_error *err) {
    struct arena *arena = &staging->command->arena;
    assert(type_is_system(type));
    *record = arena_zalloc(arena, 1, sizeof **record);
    if (*record == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a record");
    stet_status status = heads_get(&staging->space->heads,
                                   store_writer_reader(staging->space->store), type, id, head, err);
    if (status != STET_OK) return status;
    (*record)->mutation = (struct mutation){
        .type = arena_copy(arena, type), .id = arena_copy(arena, id), .before = **head};
    if ((*record)->mutation.type.bytes == NULL || (*record)->mutation.id.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a record");
    (*record)->next = staging->command->extra;
    staging->command->extra = *record;
    return STET_OK;
}

/* Runs stage with the module's own words for where the change came from. */
static stet_status stage_record(struct staging *staging, struct staged_record *record,
                                enum store_op op, stet_view data, uint64_t hash, stet_view source,
                                struct store_head *head, stet_error *err) {
    stet_view command_source = staging->command->source;
    if (!view_is_empty(source)) staging->command->source = source;
    stet_status status =
        stage(staging, &record->mutation, op, data, hash, (stet_view){0}, head, err);
    staging->command->source = command_source;
    return status;
}

stet_status staging_put(struct staging *staging, stet_view type, stet_view id, stet_view data,
                        stet_view source, struct store_head *after, stet_error *err) {
    struct staged_record *record;
    struct store_head *head;
    struct doc doc;
    stet_status status = doc_parse(&staging->command->arena, data, NULL, &doc, err);
    if (status == STET_OK) status = add_record(staging, type, id, &record, &head, err);
    if (status != STET_OK) return status;
    bool creates = head->version == 0 || head->deleted;
    status = stage_record(staging, record, creates ? STORE_CREATE : STORE_UPDATE, data,
                          doc_hash(&doc, 0), source, head, err);
    if (status == STET_OK && after != NULL) *after = *head;
    return status;
}

stet_status staging_delete(struct staging *staging, stet_view type, stet_view id, stet_view source,
                           stet_error *err) {
    struct staged_record *record;
    struct store_head *head;
    struct store_change row;
    stet_status status = add_record(staging, type, id, &record, &head, err);
    if (status != STET_OK || head->version == 0 || head->deleted) return status;
    status = staging_head_change(staging, head, &row, err);
    if (status != STET_OK) return status;
    return stage_record(staging, record, STORE_DELETE, row.data, 0, source, head, err);
}

/* Puts every version behind a head that still has its data among what the batch lets go. */
static stet_status forget_versions(struct staging *staging, const struct store_head *head,
                                   stet_view type, stet_error *err) {
    enum { VERSIONS = 64 };
    struct store_reader *reader = store_writer_reader(staging->space->store);
    struct store_change rows[VERSIONS];
    uint64_t before = 0;
    size_t count = VERSIONS;
    while (count == VERSIONS) {
        stet_status status = store_history(reader, staging_arena(staging), head, before, VERSIONS,
                                           false, rows, &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++) {
            if (rows[i].pruned) return STET_OK;
            status = batch_reserve_prune(staging->batch, err);
            if (status != STET_OK) return status;
            batch_add_prune(staging->batch, rows[i].seq, type);
            before = rows[i].version;
        }
    }
    return STET_OK;
}

stet_status staging_forget(struct staging *staging, stet_view type, stet_view id, stet_error *err) {
    struct staged_record *record;
    struct store_head *head;
    stet_status status = add_record(staging, type, id, &record, &head, err);
    if (status != STET_OK || head->version == 0 || head->deleted) return status;
    /* Versions of this batch are not in the store yet: they stay. */
    status = head->seq > ring_published(&staging->space->ring)
                 ? STET_OK
                 : forget_versions(staging, head, type, err);
    if (status != STET_OK) return status;
    return stage_record(staging, record, STORE_DELETE, VIEW("{}"), 0, (stet_view){0}, head, err);
}
