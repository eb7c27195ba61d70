/*
 * Meetings: rooms and people are few, so they clash. Events are a fixed number of records; one that is not there or was cancelled is
 * booked, another one is moved or cancelled. Some leave the room to the server ("any_room").
 *
 * Who is refused because a slot is taken goes to a time that the refusal offers, mostly, or tries another one.
 */
#include "base/view.h"
#include "cli/simulate_crm.h"

#include <assert.h>

enum {
    STEP_S = 30 * 60,
    DAY_S = 24 * 60 * 60,
    DAYS = 2,
    FIRST_HOUR = 9,
    STEPS_OF_DAY = 18, /* From which to start: until 17:30. */
    STEPS_MAX = 3,     /* That a meeting lasts. */
    ANY_PERCENT = 25,
    OFFER_PERCENT = 70,
};

/* Monday, 7 January 2030, 00:00 UTC. */
static const int64_t monday_s = INT64_C(1893974400);

static_assert(EVENT_LIVE + 1 == SIM_VALUES_MAX, "a task's values are an event's facts");

static void choose_time(struct sim_user *user, int64_t *values) {
    int64_t day = monday_s + (int64_t)sim_pick(user, DAYS) * DAY_S;
    values[EVENT_START] = day + FIRST_HOUR * 3600 + (int64_t)sim_pick(user, STEPS_OF_DAY) * STEP_S;
    values[EVENT_END] = values[EVENT_START] + (1 + (int64_t)sim_pick(user, STEPS_MAX)) * STEP_S;
}

static void choose_room(struct sim_user *user, int64_t *values) {
    bool any = sim_pick(user, 100) < ANY_PERCENT;
    values[EVENT_ROOM] = any ? CRM_ANY : 1 + (int64_t)sim_pick(user, crm_rooms(user->sim));
}

static void choose_people(struct sim_user *user, int64_t *values) {
    uint32_t people[CRM_PEOPLE_MAX];
    uint32_t among = crm_people(user->sim);
    unsigned count = 1 + (unsigned)sim_pick(user, CRM_PEOPLE_MAX);
    uint32_t first = (uint32_t)sim_pick(user, among);
    uint32_t stride = 1 + (uint32_t)sim_pick(user, (among - 1) / CRM_PEOPLE_MAX);
    for (unsigned i = 0; i < count; i++)
        people[i] = (first + i * stride) % among;
    values[EVENT_PEOPLE] = crm_crew(people, count);
}

/* ---- Bodies ---- */

static void append_room(struct sim_user *user, struct buffer *body, int64_t room) {
    if (room != CRM_ANY) {
        buffer_append_format(body, "\"room\": \"room-%u\"", (unsigned)(room - 1));
        return;
    }
    buffer_append_text(body, "\"room\": null, \"any_room\": [");
    for (uint32_t i = 0; i < crm_rooms(user->sim) && i < 8; i++)
        buffer_append_format(body, "%s\"room-%u\"", i == 0 ? "" : ", ", (unsigned)i);
    buffer_append_text(body, "]");
}

static void append_times(struct buffer *body, const int64_t *values) {
    char start[CLOCK_RFC3339_BYTES];
    char end[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(values[EVENT_START] * CLOCK_NS_PER_S, start);
    clock_format_rfc3339(values[EVENT_END] * CLOCK_NS_PER_S, end);
    buffer_append_format(body, ", \"start\": \"%.19sZ\", \"end\": \"%.19sZ\"", start, end);
}

static stet_view booking_body(struct sim_user *user, const int64_t *values, const char *key) {
    struct buffer body;
    buffer_init(&body, &user->arena, 0);
    buffer_append_format(&body, "{\"title\": \"%s\", \"organizer\": \"ana\", \"people\": [", key);
    for (unsigned i = 0; crm_crew_person(values[EVENT_PEOPLE], i) != UINT32_MAX; i++)
        buffer_append_format(&body, "%s\"person-%u\"", i == 0 ? "" : ", ",
                             (unsigned)crm_crew_person(values[EVENT_PEOPLE], i));
    buffer_append_text(&body, "], ");
    append_room(user, &body, values[EVENT_ROOM]);
    append_times(&body, values);
    buffer_append_text(&body, ", \"status\": \"confirmed\"}");
    return buffer_status(&body) == STET_OK ? buffer_view(&body) : (stet_view){0};
}

static stet_view move_body(struct sim_user *user, const int64_t *values, const char *key) {
    struct buffer body;
    buffer_init(&body, &user->arena, 0);
    buffer_append_format(&body, "{\"title\": \"%s\", ", key);
    append_room(user, &body, values[EVENT_ROOM]);
    append_times(&body, values);
    buffer_append_text(&body, "}");
    return buffer_status(&body) == STET_OK ? buffer_view(&body) : (stet_view){0};
}

/* ---- Attempts ---- */

/* Takes one of the times of a refusal, or none. */
static bool take_offer(struct sim_user *user, const struct sim_sending *sending, int64_t *values) {
    const struct doc *doc = &sending->doc;
    doc_node list = answer_member(doc, 0, "next_free");
    int64_t start;
    int64_t end;
    if (list == DOC_NONE || doc_kind(doc, list) != DOC_ARRAY || doc_count(doc, list) == 0)
        return false;
    if (sim_pick(user, 100) >= OFFER_PERCENT) return false;
    doc_node free = doc_element(doc, list, (uint32_t)sim_pick(user, doc_count(doc, list)));
    if (!clock_parse_rfc3339(answer_text(&user->arena, doc, free, "start"), &start) ||
        !clock_parse_rfc3339(answer_text(&user->arena, doc, free, "end"), &end))
        return false;
    values[EVENT_START] = start / CLOCK_NS_PER_S;
    values[EVENT_END] = end / CLOCK_NS_PER_S;
    return true;
}

/* Sends what the task says; when the slot is taken, decides what to try next. */
static enum sim_sent send_booking(struct sim_user *user, struct sim_task *task, bool there,
                                  uint64_t version, struct sim_write *write, const char *key) {
    char condition[SIM_HEADER_BYTES];
    struct sim_sending sending;
    stet_view body = task->work == CRM_MOVE ? move_body(user, task->values, key)
                                            : booking_body(user, task->values, key);
    enum sim_sent sent =
        there ? sim_write_one(user, task->work, "PATCH", "application/merge-patch+json", body,
                              sim_if_match(condition, version), write, key, &sending)
              : sim_write_one(user, task->work, "PUT", "application/json", body, "If-None-Match: *",
                              write, key, &sending);
    if (sent == SIM_DONE && write->values[EVENT_ROOM] == CRM_ANY) {
        struct crm_state state;
        crm_read_state(&user->arena, &sending.doc, answer_member(&sending.doc, 0, "data"),
                       CRM_EVENTS, &state);
        /* What was answered is what must be in the history; no room at all never is. */
        if (state.values[EVENT_ROOM] != 0) write->values[EVENT_ROOM] = state.values[EVENT_ROOM];
    }
    sim_write_end(user, write, sent, &sending, 0);
    if (sent == SIM_TAKEN) {
        task->is_offered = take_offer(user, &sending, task->values);
        task->is_set = task->is_offered; /* Else another room and another time. */
    }
    return sent;
}

static enum sim_sent cancel(struct sim_user *user, struct sim_task *task, uint64_t version,
                            struct sim_write *write, const char *key) {
    char condition[SIM_HEADER_BYTES];
    crm_set(write, EVENT_LIVE, 0);
    stet_view body =
        arena_format(&user->arena, "{\"title\": \"%s\", \"status\": \"cancelled\"}", key);
    return sim_write_one(user, task->work, "PATCH", "application/merge-patch+json", body,
                         sim_if_match(condition, version), write, key, NULL);
}

/* What there is to do with this event, as it is: an offer is for what it was made for. */
static void choose_work(struct sim_user *user, struct sim_task *task, bool live) {
    unsigned before = task->work;
    if (!live) {
        task->work = CRM_BOOK;
    } else if (!task->is_set || before == CRM_BOOK) {
        task->work = sim_pick(user, 2) == 0 ? CRM_MOVE : CRM_CANCEL;
    }
    if (task->work == before && task->is_set) return;
    task->is_set = true;
    task->is_offered = false;
    if (task->work == CRM_CANCEL) return;
    if (task->work == CRM_BOOK) choose_people(user, task->values);
    choose_room(user, task->values);
    choose_time(user, task->values);
}

enum sim_sent crm_attempt_booking(struct sim_user *user, struct sim_task *task) {
    char key[SIM_KEY_BYTES];
    uint32_t record = task->records[0];
    struct sim_write write;
    struct sim_sending sending;
    struct crm_state state = {0};
    uint64_t version = 0;
    enum sim_sent sent = sim_read(user, record, SIM_MAY_BE_ABSENT, &sending, &version);
    if (sent != SIM_DONE && sent != SIM_ABSENT) return sent == SIM_CONFLICT ? SIM_WRONG : sent;
    bool there = sent == SIM_DONE;
    if (there)
        crm_read_state(&user->arena, &sending.doc, answer_member(&sending.doc, 0, "data"),
                       CRM_EVENTS, &state);
    choose_work(user, task, there && state.values[EVENT_LIVE] == 1);
    sim_think(user);
    sim_write_begin(user, &write, record, key);
    crm_set(&write, EVENT_TITLE, crm_text_fact(view_of(key)));
    if (task->work == CRM_CANCEL) return cancel(user, task, version, &write, key);
    crm_set(&write, EVENT_ROOM, task->values[EVENT_ROOM]);
    crm_set(&write, EVENT_START, task->values[EVENT_START]);
    crm_set(&write, EVENT_END, task->values[EVENT_END]);
    if (task->work == CRM_BOOK) {
        crm_set(&write, EVENT_PEOPLE, task->values[EVENT_PEOPLE]);
        crm_set(&write, EVENT_LIVE, 1);
    }
    return send_booking(user, task, there, version, &write, key);
}
