#include "modules/types/survey.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/batch.h"
#include "core/exclusive.h"
#include "core/space.h"
#include "core/validate.h"

#include <stdatomic.h>
#include <stdlib.h>

struct late {
    struct late *next;
    uint64_t record;
    struct survey_example example;
};

struct survey {
    struct survey *next; /* In the space's list. */
    atomic_uint refs;
    atomic_bool released; /* By its command. */
    struct space *space;
    const struct policy *policy; /* A reference. */
    bool judges;
    bool force;
    struct arena
        arena; /* Of what lives as long as the survey; of the thread that has the command. */

    /* The sequencer's. */
    struct index_build *build; /* NULL: no index is to be filled. */
    uint64_t adopted;          /* Where the definition was staged; 0: it was not. */
    struct late *late;         /* Records staged meanwhile that do not fit. */
    size_t late_count;
    uint64_t late_more;      /* Beyond SURVEY_RECORDS_MAX. */
    struct arena late_arena; /* Kept apart: a worker may be using the other one. */
    bool taken_back;

    /* The command's. */
    bool judged;
    bool filled;
    bool has_chunk;
    struct arena step_arena; /* Of one step; a chunk lives in it until it is in the store. */
    stet_view after;         /* The last id looked at. */
    char after_bytes[ID_BYTES_MAX];
    struct index_chunk chunk;
    uint64_t violations;
    struct survey_example examples[SURVEY_EXAMPLES_MAX];
    size_t example_count;
    uint64_t *records; /* Numbers of the first of them. */
    size_t record_count;
};

static void survey_unref(struct survey *survey) {
    if (atomic_fetch_sub_explicit(&survey->refs, 1, memory_order_acq_rel) > 1) return;
    policy_unref(survey->policy);
    arena_done(&survey->arena);
    arena_done(&survey->late_arena);
    arena_done(&survey->step_arena);
    free(survey->records);
    free(survey);
}

void survey_release(struct survey *survey) {
    if (survey == NULL) return;
    atomic_store(&survey->released, true);
    survey_unref(survey);
}

/* ---- Beginning --------------------------------------------------------------------------- */

static stet_status begin_build(struct survey *survey, const struct survey_order *order,
                               stet_error *err) {
    struct policy *policy = order->policy;
    struct index_def defs[TYPE_ALL_INDEXES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < policy->index_count; i++) {
        struct index_def *def = policy->indexes[i];
        if (def->number != 0) continue;
        def->number = index_number_new(survey->space);
        if (!order->only_unique || def->unique || def->exclusive != NULL) defs[count++] = *def;
    }
    survey->filled = count == 0;
    if (count == 0) return STET_OK;
    stet_status status =
        index_build_begin(survey->space, policy->type, defs, count, &survey->build, err);
    /* A number says that an index is being filled, or was. */
    for (size_t i = 0; status != STET_OK && i < policy->index_count; i++)
        for (size_t j = 0; j < count; j++)
            if (policy->indexes[i]->number == defs[j].number) policy->indexes[i]->number = 0;
    return status;
}

stet_status survey_begin(struct space *space, struct survey **surveys,
                         const struct survey_order *order, struct survey **out, stet_error *err) {
    struct survey *survey = calloc(1, sizeof *survey);
    if (survey == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a type");
    survey->records = calloc(SURVEY_RECORDS_MAX, sizeof *survey->records);
    survey->space = space;
    survey->policy = policy_ref(order->policy);
    survey->judges = order->judges;
    survey->judged = !order->judges;
    survey->force = order->force;
    arena_init(&survey->arena, 1024);
    arena_init(&survey->late_arena, 1024);
    arena_init(&survey->step_arena, 65536);
    atomic_init(&survey->refs, 1);
    stet_status status = survey->records == NULL
                             ? error_set(err, STET_NO_MEMORY, "out of memory for a type")
                             : begin_build(survey, order, err);
    if (status != STET_OK) {
        survey_unref(survey);
        return status;
    }
    atomic_store(&survey->refs, 2);
    survey->next = *surveys;
    *surveys = survey;
    *out = survey;
    return STET_OK;
}

/* ---- Judging ----------------------------------------------------------------------------- */

static bool keep_example(struct arena *arena, struct survey_example *example, stet_view id,
                         const stet_error *why) {
    example->id = arena_copy(arena, id);
    example->field = arena_copy(arena, view_of(why->field));
    example->detail = arena_copy(arena, view_of(why->message));
    return example->id.bytes != NULL && example->field.bytes != NULL &&
           example->detail.bytes != NULL;
}

/* Whether data fits. What cannot be judged for want of memory is an error of its own. */
static stet_status judge(const struct survey *survey, struct arena *arena, stet_view data,
                         bool *fits, stet_error *why) {
    struct doc doc;
    *fits = false;
    stet_status status = change_parse(arena, data, &doc, why);
    if (status == STET_OK) status = validate(arena, survey->policy->validator, &doc, NULL, why);
    const struct exclusive *one = survey->policy->exclusive;
    for (; status == STET_OK && one != NULL; one = one->next) {
        struct span_list spans;
        status = exclusive_spans(arena, one, &doc, NULL, &spans, why);
    }
    if (status == STET_OK) *fits = true;
    return status == STET_INVALID_DATA || status == STET_INVALID_TIME || status == STET_TOO_LARGE
               ? STET_OK
               : status;
}

static stet_status judge_row(struct survey *survey, struct store_reader *reader,
                             struct arena *arena, const struct store_row *row, stet_error *err) {
    struct store_change change;
    stet_error why = {0};
    bool fits;
    stet_status status = store_change_at(reader, arena, row->head.seq, &change, err);
    if (status != STET_OK) return status;
    if (change.pruned) return STET_OK; /* Written anew since: judged when that was staged. */
    status = judge(survey, arena, change.data, &fits, &why);
    if (status != STET_OK) {
        if (err != NULL) *err = why;
        return status;
    }
    if (fits) return STET_OK;
    survey->violations++;
    if (survey->record_count < SURVEY_RECORDS_MAX)
        survey->records[survey->record_count++] = row->head.first;
    if (survey->example_count < SURVEY_EXAMPLES_MAX &&
        !keep_example(&survey->arena, &survey->examples[survey->example_count++], row->id, &why))
        return error_set(err, STET_NO_MEMORY, "out of memory for a type");
    return STET_OK;
}

static stet_status judge_page(struct survey *survey, struct store_reader *reader, stet_error *err) {
    struct arena arena;
    struct store_row rows[SURVEY_CHUNK];
    size_t count;
    stet_status status = store_scan(reader, &survey->step_arena, survey->policy->type,
                                    survey->after, SURVEY_CHUNK, rows, &count, err);
    arena_init(&arena, 16384);
    for (size_t i = 0; status == STET_OK && i < count; i++) {
        if (rows[i].head.deleted) continue;
        arena_reset(&arena);
        status = judge_row(survey, reader, &arena, &rows[i], err);
    }
    arena_done(&arena);
    if (status != STET_OK) return status;
    survey->judged = count < SURVEY_CHUNK;
    if (count > 0) {
        stet_view last = rows[count - 1].id;
        memcpy(survey->after_bytes, last.bytes, last.size);
        survey->after = view_make(survey->after_bytes, last.size);
    }
    if (survey->judged) survey->after = (stet_view){0};
    return STET_OK;
}

/* Where it will be refused anyway, indexes need not be filled. */
static bool is_hopeless(const struct survey *survey) {
    return survey->violations > 0 && !survey->force;
}

stet_status survey_step(struct survey *survey, struct store_reader *reader, stet_error *err) {
    if (survey_is_done(survey)) return STET_OK;
    arena_reset(&survey->step_arena);
    if (!survey->judged) return judge_page(survey, reader, err);
    stet_status status = index_build_chunk(survey->build, reader, &survey->step_arena,
                                           survey->after, &survey->chunk, err);
    survey->has_chunk = status == STET_OK;
    return status;
}

bool survey_wants_fill(const struct survey *survey) { return survey->has_chunk; }

bool survey_is_done(const struct survey *survey) {
    return survey->judged && (survey->filled || is_hopeless(survey));
}

uint64_t survey_violations(const struct survey *survey) { return survey->violations; }

/* ---- Filling ----------------------------------------------------------------------------- */

stet_status survey_fill(struct survey *survey, struct batch *batch, stet_error *err) {
    if (!survey->has_chunk) return STET_OK;
    stet_status status = index_build_fill(survey->space, batch, &survey->step_arena, survey->build,
                                          &survey->chunk, err);
    if (status != STET_OK) return status;
    /* The chunk stays: a batch that fails is decided again. The next step takes another one. */
    survey->filled = survey->chunk.last;
    stet_view next = survey->chunk.next;
    memmove(survey->after_bytes, next.bytes, next.size);
    survey->after = view_make(survey->after_bytes, next.size);
    return STET_OK;
}

/* ---- What is staged meanwhile ------------------------------------------------------------ */

static void watch(struct survey *survey, const struct store_change *change) {
    struct arena arena;
    stet_error why = {0};
    bool fits = true;
    struct late **slot = &survey->late;
    while (*slot != NULL && (*slot)->record != change->first)
        slot = &(*slot)->next;
    arena_init(&arena, 4096);
    /* Without memory to judge it, it is taken not to fit: then the definition is refused, which loses nothing. */
    if (change->op != STORE_DELETE && judge(survey, &arena, change->data, &fits, &why) != STET_OK)
        fits = false;
    arena_done(&arena);
    if (fits && *slot != NULL) {
        *slot = (*slot)->next;
        survey->late_count--;
    }
    if (fits || *slot != NULL) return;
    struct late *late = NULL;
    if (survey->late_count < SURVEY_RECORDS_MAX)
        late = arena_zalloc(&survey->late_arena, 1, sizeof *late);
    if (late == NULL || !keep_example(&survey->late_arena, &late->example, change->id, &why)) {
        survey->late_more++;
        return;
    }
    late->record = change->first;
    late->next = survey->late;
    survey->late = late;
    survey->late_count++;
}

void survey_watch(struct survey *surveys, const struct store_change *change) {
    for (struct survey *survey = surveys; survey != NULL; survey = survey->next)
        if (survey->judges && !atomic_load_explicit(&survey->released, memory_order_relaxed) &&
            view_equal(survey->policy->type, change->type))
            watch(survey, change);
}

static bool was_found(const struct survey *survey, uint64_t record) {
    for (size_t i = 0; i < survey->record_count; i++)
        if (survey->records[i] == record) return true;
    return false;
}

stet_status survey_verdict(struct survey *survey, struct batch *batch, struct arena *arena,
                           struct survey_verdict *verdict, bool *again, stet_error *err) {
    *verdict = (struct survey_verdict){0};
    *again = survey->taken_back && survey->judges;
    if (*again) {
        /* A change that was taken back may have made good one that was not. */
        survey->taken_back = false;
        survey->judged = false;
        survey->after = (stet_view){0};
        survey->violations = 0;
        survey->record_count = survey->example_count = 0;
        return STET_OK;
    }
    verdict->violations = survey->violations + survey->late_more;
    for (size_t i = 0; i < survey->example_count; i++)
        verdict->examples[verdict->example_count++] = survey->examples[i];
    for (const struct late *late = survey->late; late != NULL; late = late->next) {
        if (was_found(survey, late->record)) continue;
        verdict->violations++;
        if (verdict->example_count < SURVEY_EXAMPLES_MAX)
            verdict->examples[verdict->example_count++] = late->example;
    }
    if (survey->build == NULL || !survey->filled) return STET_OK;
    if (verdict->violations > 0 && !survey->force) return STET_OK;
    size_t count = 0;
    stet_status status = index_build_collisions(survey->space, batch, arena, survey->build,
                                                verdict->collision_examples, SURVEY_EXAMPLES_MAX,
                                                &count, &verdict->collisions, &verdict->more, err);
    if (status == STET_OK && verdict->collisions == 0)
        status = index_build_overlaps(survey->space, batch, arena, survey->build,
                                      verdict->collision_examples, SURVEY_EXAMPLES_MAX, &count,
                                      &verdict->overlaps, &verdict->more, err);
    if (status != STET_OK || verdict->collisions + verdict->overlaps == 0) return status;
    verdict->example_count = count;
    for (size_t i = 0; count > 0 && i < survey->policy->index_count; i++)
        if (survey->policy->indexes[i]->number == verdict->collision_examples[0].index)
            verdict->collided = survey->policy->indexes[i];
    return STET_OK;
}

/* ---- Ending ------------------------------------------------------------------------------ */

void survey_adopt(struct survey *survey, uint64_t seq) { survey->adopted = seq; }

void survey_settle(struct survey *surveys, uint64_t seq) {
    for (struct survey *survey = surveys; survey != NULL; survey = survey->next) {
        if (survey->adopted != seq) continue;
        index_build_end(survey->space, survey->build, true);
        survey->build = NULL;
    }
}

void survey_take_back(struct survey *surveys) {
    for (struct survey *survey = surveys; survey != NULL; survey = survey->next) {
        survey->adopted = 0;
        survey->taken_back = true;
    }
}

void survey_discard(struct survey *survey) {
    index_build_end(survey->space, survey->build, false);
    survey->build = NULL;
    survey->has_chunk = false;
}

void survey_sweep(struct survey **surveys, bool all) {
    struct survey **slot = surveys;
    while (*slot != NULL) {
        struct survey *survey = *slot;
        if (!all && !atomic_load(&survey->released)) {
            slot = &survey->next;
            continue;
        }
        *slot = survey->next;
        index_build_end(survey->space, survey->build, false);
        survey->build = NULL;
        survey_unref(survey);
    }
}
