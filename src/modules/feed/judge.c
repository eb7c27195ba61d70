/*
 * Whether a change is for a subscriber: by the names they gave, by what they may read, by their condition. In that order, and the plain case
 * first: administrators, and records of types without access rules, cost nothing but a look at the type's policy, once for each change.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/access.h"
#include "core/read.h"
#include "core/render.h"
#include "modules/feed/filter.h"

#include <assert.h>
#include <stdlib.h>

#define TYPE_TYPE VIEW("stet.type")

static bool is_named(const struct filter *filter, const struct store_change *change) {
    for (size_t index = 0; index < filter->type_count; index++) {
        if (view_equal(filter->types[index], change->type)) return true;
    }
    for (size_t index = 0; index < filter->record_count; index++) {
        const struct filter_record *record = &filter->records[index];
        if (view_equal(record->id, change->id) && view_equal(record->type, change->type))
            return true;
    }
    return false;
}

/* ---- Looking ----------------------------------------------------------------------------- */

enum { LOOK_BYTES = 4096 };

void filter_look_init(struct filter_look *look, struct space *space, stet_client *client,
                      struct store_reader *reader) {
    *look = (struct filter_look){.space = space, .client = client, .reader = reader};
    arena_init(&look->arena, LOOK_BYTES);
    arena_init(&look->before_arena, LOOK_BYTES);
}

void filter_look_done(struct filter_look *look) {
    change_unref(look->held);
    policy_unref(look->policy);
    arena_done(&look->arena);
    arena_done(&look->before_arena);
    *look = (struct filter_look){0};
}

static stet_status find_created(void *context, struct arena *arena,
                                const struct store_change *change, struct created *created) {
    struct filter_look *look = context;
    if (look->client != NULL)
        return client_created(look->client, look->space, change, arena, created, NULL);
    return read_created(look->reader, arena, change, created, NULL);
}

static stet_status look_at(struct filter_look *look, struct arena *arena,
                           const struct store_change *row, struct query_record *record) {
    *record = (struct query_record){
        .change = row, .arena = arena, .find_created = find_created, .context = look};
    return query_record_init(record, NULL);
}

/* The change itself, parsed once for all who ask. False: it cannot be looked at. */
static bool look_at_change(struct filter_look *look, const struct store_change *row,
                           struct change *shared) {
    if (shared != NULL && look->held == shared) return true;
    change_unref(look->held);
    look->held = NULL;
    arena_reset(&look->arena);
    if (view_is_empty(row->data) || look_at(look, &look->arena, row, &look->record) != STET_OK)
        return false;
    if (shared != NULL) look->held = change_ref(shared);
    return true;
}

/* The version before, from the store. */
static stet_status read_before(struct filter_look *look, uint64_t seq, struct store_change *row) {
    struct store_reader *reader = look->reader;
    stet_status status = STET_OK;
    if (reader == NULL) status = space_reader_take(look->space, &reader, NULL);
    if (status != STET_OK) return status;
    status = store_change_at(reader, &look->before_arena, seq, row, NULL);
    if (look->reader == NULL) space_reader_give(look->space, reader);
    return status;
}

/* The version before a change, from the ring or else the store; of the ring's *held is a reference. False: it cannot be read. */
static bool find_before(struct filter_look *look, const struct store_change *row,
                        struct store_change *before, struct change **held) {
    *held = NULL;
    if (row->prev == 0) return false;
    *held = ring_find(&look->space->ring, row->prev);
    if (*held != NULL) {
        *before = (*held)->row;
        return true;
    }
    return read_before(look, row->prev, before) == STET_OK;
}

/* ---- Where, for those who see all ---------------------------------------------------------- */

/* Whether the version before the change matched. What can no longer be read might have. */
static bool matched_before(const struct filter *filter, struct filter_look *look,
                           const struct store_change *row) {
    struct query_record record;
    struct store_change before;
    struct change *held;
    bool matches = true;
    if (row->op != STORE_UPDATE || row->prev == 0) return false;
    arena_reset(&look->before_arena);
    if (find_before(look, row, &before, &held) && !view_is_empty(before.data) &&
        look_at(look, &look->before_arena, &before, &record) == STET_OK)
        matches = query_record_matches(&record, filter->where->expr) || record.status != STET_OK;
    change_unref(held);
    return matches;
}

static enum filter_verdict ask_where(const struct filter *filter, struct filter_look *look,
                                     const struct store_change *row, struct change *shared) {
    if (row_is_purge(row)) return FILTER_YES; /* It may have matched; nothing is left to tell. */
    if (!look_at_change(look, row, shared)) return FILTER_LEFT;
    look->record.change = row;
    if (query_record_matches(&look->record, filter->where->expr)) return FILTER_YES;
    if (look->record.status != STET_OK) {
        change_unref(look->held);
        look->held = NULL;
        return FILTER_LEFT;
    }
    return matched_before(filter, look, row) ? FILTER_LEFT : FILTER_NO;
}

/* On the client's thread, once for all who share the condition, as long as the change is among the newest. */
static enum filter_verdict judge_where(const struct filter *filter, struct filter_look *look,
                                       const struct store_change *row, struct change *shared) {
    uint64_t *known;
    enum filter_verdict verdict;
    if (look->client == NULL || !filter_is_shared(filter))
        return ask_where(filter, look, row, shared);
    known = &filter->where->verdicts[row->seq % WHERE_VERDICTS];
    if (*known / 4 == row->seq) return (enum filter_verdict)(*known % 4);
    verdict = ask_where(filter, look, row, shared);
    *known = row->seq * 4 + (uint64_t)verdict;
    return verdict;
}

/* ---- Those who do not see all -------------------------------------------------------------- */

/* Whether they may read a version. arena: what it costs; reset by the caller. */
static bool sees(const struct sight *sight, struct arena *arena, const struct store_change *row) {
    return sight_sees(sight, arena, row, NULL);
}

/* Whether they may read the record as it stands now: what has gone out of their sight is not shown as it was either. */
static bool sees_now(struct filter_look *look, const struct sight *sight,
                     const struct store_change *row) {
    struct arena *arena = &look->before_arena;
    bool may = false;
    if (sight->reads != EXPR_DEPENDS) return true;
    arena_reset(arena);
    if (look->client != NULL) {
        struct change *head;
        if (client_head(look->client, look->space, row->type, row->id, &head, NULL) != STET_OK)
            return false;
        may = head->row.seq <= row->seq || sees(sight, arena, &head->row);
        change_unref(head);
        return may;
    }
    struct store_head head;
    struct store_change now;
    if (store_head(look->reader, row->type, row->id, &head, NULL) != STET_OK) return false;
    if (head.seq <= row->seq) return true;
    return store_change_at(look->reader, arena, head.seq, &now, NULL) == STET_OK &&
           sees(sight, arena, &now);
}

/* Whether the condition holds for what they may see of a version. One that cannot be looked at might fulfil it. */
static bool matches_shown(const struct filter *filter, struct filter_look *look,
                          const struct sight *sight, struct arena *arena,
                          const struct store_change *row) {
    struct query_record record;
    struct store_change shown = *row;
    if (filter->where == NULL) return true;
    if (view_is_empty(row->data) ||
        sight_data(sight, arena, row, NULL, &shown.data, NULL) != STET_OK ||
        look_at(look, arena, &shown, &record) != STET_OK)
        return true;
    return query_record_matches(&record, filter->where->expr) || record.status != STET_OK;
}

/* Whether the subscriber could have the record as it was before the change. */
static bool had_before(const struct filter *filter, struct filter_look *look,
                       const struct sight *sight, const struct store_change *row) {
    struct store_change before;
    struct change *held;
    if (row->op != STORE_UPDATE) return false;
    arena_reset(&look->before_arena);
    bool had = find_before(look, row, &before, &held) &&
               sees(sight, &look->before_arena, &before) &&
               matches_shown(filter, look, sight, &look->before_arena, &before);
    change_unref(held);
    return had;
}

/* Whoever kept a copy must hear that it was erased, and nothing is left that could tell who was able to. So all hear it whose rule asked
   for data: the name alone, which is what an erasure leaves in any case. */
static enum filter_verdict judge_purge(const struct sight *sight) {
    if (sight->reads == EXPR_DEPENDS) return FILTER_REVOKED;
    return sight->reads == EXPR_TRUE ? FILTER_YES : FILTER_NO;
}

static enum filter_verdict judge_guarded(const struct filter *filter, struct filter_look *look,
                                         const struct store_change *row) {
    const struct viewer viewer = {.space = look->space, .actor = &filter->actor};
    enum filter_verdict verdict;
    struct sight sight;
    struct arena arena;
    sight_begin(&sight, &viewer, row->type);
    arena_init(&arena, LOOK_BYTES);
    if (row_is_purge(row)) {
        verdict = judge_purge(&sight);
    } else if (!sees(&sight, &arena, row)) {
        /* The last data of what is deleted are what they could not see before. */
        verdict = had_before(filter, look, &sight, row) ? FILTER_REVOKED : FILTER_NO;
    } else if (!sees_now(look, &sight, row)) {
        verdict = FILTER_NO;
    } else if (matches_shown(filter, look, &sight, &arena, row)) {
        verdict = FILTER_YES;
    } else {
        verdict = had_before(filter, look, &sight, row) ? FILTER_LEFT : FILTER_NO;
    }
    arena_done(&arena);
    sight_end(&sight);
    return verdict;
}

/* ---- A type out of sight ------------------------------------------------------------------- */

/* Whether a definition lets them read no record of its type. */
static bool is_closed(const struct filter *filter, struct arena *arena,
                      const struct store_change *definition) {
    struct policy policy = {.type = definition->id};
    struct doc doc;
    if (definition->op == STORE_DELETE) return !filter->is_member;
    /* What is not understood is not for them. */
    if (view_is_empty(definition->data) ||
        change_parse(arena, definition->data, &doc, NULL) != STET_OK ||
        access_compile(arena, &doc, doc_member(&doc, 0, VIEW("access")), &policy.access, NULL) !=
            STET_OK)
        return true;
    return access_never(&policy, &filter->actor, ACCESS_READ);
}

static enum filter_verdict judge_definition(const struct filter *filter, struct filter_look *look,
                                            const struct store_change *row) {
    struct store_change before;
    struct change *held;
    struct arena arena;
    arena_init(&arena, LOOK_BYTES);
    bool closes = is_closed(filter, &arena, row);
    if (closes) {
        arena_reset(&look->before_arena);
        bool was_open = filter->is_member; /* What was never declared is for members. */
        if (row->prev != 0) {
            bool known = find_before(look, row, &before, &held);
            was_open = !known || !is_closed(filter, &arena, &before);
            change_unref(held);
        }
        closes = was_open;
    }
    arena_done(&arena);
    return closes ? FILTER_TYPE_REVOKED : FILTER_NO;
}

/* ---- All ----------------------------------------------------------------------------------- */

/* Whether access rules may have a say: whether there are any for the type, looked up once for a change. */
static bool has_rules(struct filter_look *look, const struct store_change *row) {
    unsigned generation = policies_generation(look->space);
    if (look->policy_seq != row->seq || look->policy_generation != generation) {
        policy_unref(look->policy);
        look->policy = policy_find(look->space, row->type);
        look->policy_seq = row->seq;
        look->policy_generation = generation;
    }
    return look->policy != NULL && look->policy->access != NULL;
}

enum filter_verdict filter_judge(const struct filter *filter, struct filter_look *look,
                                 const struct store_change *row, struct change *shared) {
    bool system = type_is_system(row->type);
    bool named = filter->type_count + filter->record_count == 0 ? !system : is_named(filter, row);
    if (!named)
        return !filter->actor.admin && view_equal(row->type, TYPE_TYPE) &&
                       filter_follows(filter, row->id)
                   ? judge_definition(filter, look, row)
                   : FILTER_NO;
    if (!filter->actor.admin) {
        if (system || has_rules(look, row)) return judge_guarded(filter, look, row);
        if (!filter->is_member) return FILTER_NO;
    } else if (system) {
        const struct viewer viewer = {.space = look->space, .actor = &filter->actor};
        if (!viewer_sees(&viewer, row)) return FILTER_NO;
    }
    return filter->where == NULL ? FILTER_YES : judge_where(filter, look, row, shared);
}

bool filter_is_partial(const struct filter *filter, struct filter_look *look,
                       const struct store_change *row) {
    const struct viewer viewer = {.space = look->space, .actor = &filter->actor};
    struct sight sight;
    if (filter->actor.admin) return false;
    if (type_is_system(row->type)) return change_is_conflict(row);
    if (!has_rules(look, row)) return false;
    sight_begin(&sight, &viewer, row->type);
    bool hides = sight.hides;
    sight_end(&sight);
    return hides;
}

void filter_write_revoked(struct json_writer *writer, const struct store_change *row,
                          enum filter_verdict verdict) {
    json_object_begin(writer);
    json_member_u64(writer, VIEW("seq"), row->seq);
    json_member_text(writer, VIEW("op"), VIEW("revoked"));
    if (verdict == FILTER_TYPE_REVOKED) {
        json_member_text(writer, VIEW("type"), row->id);
    } else {
        json_member_text(writer, VIEW("type"), row->type);
        json_member_text(writer, VIEW("id"), row->id);
        json_key(writer, VIEW("address"));
        render_address(writer, row->type, row->id);
    }
    json_object_end(writer);
}

void filter_mark_left(struct buffer *event) {
    if (buffer_status(event) != STET_OK) return;
    assert(event->size > 0 && event->bytes[event->size - 1] == '}');
    event->size--;
    buffer_append_text(event, ",\"left\":true}");
}
