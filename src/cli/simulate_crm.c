#include "cli/simulate_crm.h"

#include "base/error.h"
#include "base/view.h"
#include "doc/write.h"

enum {
    AMOUNT_FIRST = 10000,
    PAYMENT_MAX = 500,
    HOURS_MAX = 8,
    NOTES_BYTES_MAX = 1500, /* Longer ones are shortened, so that they do not grow for ever. */
    USERS_MAX = 1000,       /* Of --users: makes serials of one user differ from another's. */
};

static const struct sim_kind kinds[CRM_KINDS] = {
    [CRM_CUSTOMERS] = {"customers", NULL}, [CRM_DEALS] = {"deals", NULL},
    [CRM_PROPOSALS] = {"proposals", NULL}, [CRM_INVOICES] = {"invoices", NULL},
    [CRM_PROJECTS] = {"projects", NULL},   [CRM_EVENTS] = {"events", NULL},
};

static const struct sim_work works[CRM_WORKS] = {
    [CRM_READ] = {"read", "read", false},
    [CRM_CUSTOMER] = {"create a customer", "customer", false},
    [CRM_NOTE] = {"note on a customer", "note", false},
    [CRM_DEAL] = {"move a deal", "deal", false},
    [CRM_PROPOSAL] = {"send a proposal", "proposal", false},
    [CRM_PAYMENT] = {"payment on an invoice", "payment", false},
    [CRM_HOURS] = {"hours on a project", "hours", false},
    [CRM_BOOK] = {"book a meeting", "book", false},
    [CRM_MOVE] = {"move a meeting", "move", false},
    [CRM_CANCEL] = {"cancel a meeting", "cancel", false},
};

static const char *const stages[] = {"new", "qualified", "proposal", "negotiation", "won", "lost"};

static stet_status find_definition(struct arena *arena, unsigned kind, stet_view *definition,
                                   stet_error *err) {
    struct doc doc;
    stet_view text = view_make((const char *)crm_text, crm_size);
    stet_status status = doc_parse(arena, text, NULL, &doc, err);
    if (status != STET_OK) return status;
    doc_node type = doc_member(&doc, answer_member(&doc, 0, "types"), view_of(kinds[kind].name));
    if (type == DOC_NONE)
        return error_set(err, STET_INTERNAL, "the example has no type \"%s\"", kinds[kind].name);
    *definition = doc_text(&doc, type);
    return STET_OK;
}

/* ---- Reading and writing ---- */

/* What a user has read of a record. */
struct seen {
    uint64_t version;
    struct crm_state state;
    stet_view notes;
};

static bool user_read(struct sim_user *user, uint32_t record, struct seen *seen) {
    struct sim_sending sending;
    if (sim_read(user, record, SIM_ALWAYS_THERE, &sending, &seen->version) != SIM_DONE)
        return false;
    doc_node data = answer_member(&sending.doc, 0, "data");
    crm_read_state(&user->arena, &sending.doc, data, sim_kind_of(record), &seen->state);
    seen->notes = answer_text(&user->arena, &sending.doc, data, "notes");
    return true;
}

static enum sim_sent patch(struct sim_user *user, enum crm_work work, stet_view body,
                           uint64_t version, struct sim_write *write, const char *key) {
    char condition[SIM_HEADER_BYTES];
    return sim_write_one(user, work, "PATCH", "application/merge-patch+json", body,
                         sim_if_match(condition, version), write, key, NULL);
}

static enum sim_sent create(struct sim_user *user, stet_view body, struct sim_write *write,
                            const char *key) {
    return sim_write_one(user, CRM_CUSTOMER, "PUT", "application/json", body, "If-None-Match: *",
                         write, key, NULL);
}

/* A number that no other write has, of this user or another. */
static int64_t next_serial(struct sim_user *user) {
    return (int64_t)(++user->serial * USERS_MAX + user->number);
}

/* The notes with one more line, as a JSON string; and what that adds to their fact. The older half goes when they are too long
 * and may: shortening is for writes that conflict with one another, else two of them would take away the same lines. */
static stet_view add_line(struct sim_user *user, stet_view notes, const char *line,
                          bool may_shorten, int64_t *added) {
    struct buffer text;
    struct buffer json;
    struct json_writer writer;
    size_t from = 0;
    if (may_shorten && notes.size > NOTES_BYTES_MAX) {
        const char *end = memchr(notes.bytes + notes.size / 2, '\n', notes.size - notes.size / 2);
        from = end == NULL ? notes.size : (size_t)(end - notes.bytes) + 1;
    }
    buffer_init(&text, &user->arena, 0);
    buffer_append_view(&text, view_make(notes.bytes + from, notes.size - from));
    buffer_append_format(&text, "%s\n", line);
    buffer_init(&json, &user->arena, 0);
    json_begin(&writer, &json);
    json_text(&writer, buffer_view(&text));
    *added = (int64_t)((uint64_t)crm_text_fact(view_of(line)) -
                       (uint64_t)crm_lines_fact(view_make(notes.bytes, from)));
    bool whole = buffer_status(&text) == STET_OK && json_end(&writer) == STET_OK;
    return whole ? buffer_view(&json) : (stet_view){0};
}

/* ---- Works ---- */

static stet_view customer_body(struct sim_user *user, struct sim_write *write, const char *key) {
    uint32_t number = sim_number_of(write->record);
    crm_set(write, CUSTOMER_NAME, crm_text_fact(view_of(key)));
    return arena_format(&user->arena,
                        "{\"number\": \"K-%u\", \"name\": \"%s\", \"owner\": \"ana\"}",
                        (unsigned)number, key);
}

static enum sim_sent attempt_customer(struct sim_user *user, struct sim_task *task) {
    char key[SIM_KEY_BYTES];
    struct sim_write write;
    if (!task->is_set) {
        uint32_t number = atomic_fetch_add(&user->sim->counts[CRM_CUSTOMERS], 1);
        task->records[0] = sim_record(CRM_CUSTOMERS, number);
        task->is_set = true;
    }
    sim_think(user);
    sim_write_begin(user, &write, task->records[0], key);
    stet_view body = customer_body(user, &write, key);
    return create(user, body, &write, key);
}

/* Notes merge as text. Who shortens them also sets the phone number, about which two people conflict. */
static enum sim_sent attempt_note(struct sim_user *user, uint32_t record) {
    char key[SIM_KEY_BYTES];
    struct sim_write write;
    struct seen seen;
    int64_t added;
    if (!user_read(user, record, &seen)) return SIM_WRONG;
    sim_think(user);
    sim_write_begin(user, &write, record, key);
    bool shortens = seen.notes.size > NOTES_BYTES_MAX;
    stet_view notes = add_line(user, seen.notes, key, shortens, &added);
    if (notes.bytes == NULL) return SIM_WRONG;
    crm_set(&write, CUSTOMER_NOTES, added);
    if (shortens) crm_set(&write, CUSTOMER_PHONE, crm_text_fact(view_of(key)));
    stet_view body =
        arena_format(&user->arena, "{\"notes\": %.*s%s%s%s}", VIEW_ARG(notes),
                     shortens ? ", \"phone\": \"" : "", shortens ? key : "", shortens ? "\"" : "");
    return patch(user, CRM_NOTE, body, seen.version, &write, key);
}

/* Another stage and another amount, about which two people conflict. */
static enum sim_sent attempt_deal(struct sim_user *user, uint32_t record) {
    char key[SIM_KEY_BYTES];
    struct sim_write write;
    struct seen seen;
    int64_t added;
    int64_t amount = next_serial(user);
    const char *stage = stages[sim_pick(user, sizeof stages / sizeof *stages)];
    if (!user_read(user, record, &seen)) return SIM_WRONG;
    /* Down where that leaves something. */
    if (seen.state.values[DEAL_AMOUNT] > amount) amount = -amount;
    sim_think(user);
    sim_write_begin(user, &write, record, key);
    stet_view notes = add_line(user, seen.notes, key, true, &added);
    if (notes.bytes == NULL) return SIM_WRONG;
    crm_set(&write, DEAL_STAGE, crm_text_fact(view_of(stage)));
    crm_set(&write, DEAL_AMOUNT, amount);
    crm_set(&write, DEAL_NOTES, added);
    stet_view body =
        arena_format(&user->arena, "{\"stage\": \"%s\", \"amount\": %lld, \"notes\": %.*s}", stage,
                     (long long)(seen.state.values[DEAL_AMOUNT] + amount), VIEW_ARG(notes));
    return patch(user, CRM_DEAL, body, seen.version, &write, key);
}

/* What a customer paid is added to what was paid meanwhile. */
static enum sim_sent attempt_payment(struct sim_user *user, uint32_t record) {
    char key[SIM_KEY_BYTES];
    struct sim_write write;
    struct seen seen;
    int64_t amount = 1 + (int64_t)sim_pick(user, PAYMENT_MAX);
    if (!user_read(user, record, &seen)) return SIM_WRONG;
    sim_think(user);
    sim_write_begin(user, &write, record, key);
    crm_set(&write, INVOICE_PAID, amount);
    stet_view body = arena_format(&user->arena, "{\"paid\": %lld}",
                                  (long long)(seen.state.values[INVOICE_PAID] + amount));
    return patch(user, CRM_PAYMENT, body, seen.version, &write, key);
}

static enum sim_sent attempt_hours(struct sim_user *user, uint32_t record) {
    char key[SIM_KEY_BYTES];
    struct sim_write write;
    struct seen seen;
    int64_t hours = 1 + (int64_t)sim_pick(user, HOURS_MAX);
    unsigned member = (unsigned)sim_pick(user, CRM_MEMBERS);
    if (!user_read(user, record, &seen)) return SIM_WRONG;
    sim_think(user);
    sim_write_begin(user, &write, record, key);
    crm_set(&write, PROJECT_HOURS + member, hours);
    stet_view body = arena_format(&user->arena, "{\"allocations\": {\"p%u\": %lld}}", member,
                                  (long long)(seen.state.values[PROJECT_HOURS + member] + hours));
    return patch(user, CRM_HOURS, body, seen.version, &write, key);
}

/* A draft is sent, what was sent is answered, what was answered is opened again; each time with its deal, or not at all. */
static enum sim_sent attempt_proposal(struct sim_user *user, const uint32_t records[2]) {
    static const char *const before[] = {"draft", "sent", "accepted", "declined"};
    char key[SIM_KEY_BYTES];
    struct sim_write writes[2];
    struct seen seen[2];
    int64_t added;
    for (unsigned i = 0; i < 2; i++) {
        if (!user_read(user, records[i], &seen[i])) return SIM_WRONG;
    }
    const char *status = "draft";
    const char *stage = "qualified";
    int64_t now = seen[0].state.values[PROPOSAL_STATUS];
    if (now == crm_text_fact(view_of(before[0]))) {
        status = "sent";
        stage = "proposal";
    } else if (now == crm_text_fact(view_of(before[1]))) {
        bool accepted = sim_pick(user, 2) == 0;
        status = before[accepted ? 2 : 3];
        stage = accepted ? "won" : "negotiation";
    }
    sim_think(user);
    sim_write_begin(user, &writes[0], records[0], key);
    writes[1] = writes[0];
    writes[1].record = records[1];
    stet_view notes = add_line(user, seen[1].notes, key, false, &added);
    if (notes.bytes == NULL) return SIM_WRONG;
    crm_set(&writes[0], PROPOSAL_STATUS, crm_text_fact(view_of(status)));
    crm_set(&writes[0], PROPOSAL_TITLE, crm_text_fact(view_of(key)));
    crm_set(&writes[1], DEAL_STAGE, crm_text_fact(view_of(stage)));
    crm_set(&writes[1], DEAL_NOTES, added);
    const char *prefix = user->sim->prefix;
    stet_view body = arena_format(
        &user->arena,
        "{\"client_mutation_id\": \"%s\", \"mutations\": ["
        "{\"op\": \"patch\", \"type\": \"%sproposals\", \"id\": \"%u\", \"base_version\": %llu, "
        "\"patch\": {\"status\": \"%s\", \"title\": \"%s\"}}, "
        "{\"op\": \"patch\", \"type\": \"%sdeals\", \"id\": \"%u\", \"base_version\": %llu, "
        "\"patch\": {\"stage\": \"%s\", \"notes\": %.*s}}]}",
        key, prefix, (unsigned)sim_number_of(records[0]), (unsigned long long)seen[0].version,
        status, key, prefix, (unsigned)sim_number_of(records[1]),
        (unsigned long long)seen[1].version, stage, VIEW_ARG(notes));
    return sim_transact(user, CRM_PROPOSAL, body, writes, 2);
}

/* ---- Before ---- */

static stet_view first_body(struct sim_user *user, struct sim_write *write, const char *key) {
    unsigned number = (unsigned)sim_number_of(write->record);
    struct arena *arena = &user->arena;
    switch ((enum crm_kind)sim_kind_of(write->record)) {
    case CRM_CUSTOMERS: return customer_body(user, write, key);
    case CRM_DEALS:
        crm_set(write, DEAL_STAGE, crm_text_fact(VIEW("new")));
        crm_set(write, DEAL_AMOUNT, AMOUNT_FIRST);
        return arena_format(arena,
                            "{\"title\": \"Deal %u\", \"customer\": \"customers/%u\", \"owner\": "
                            "\"ana\", \"stage\": \"new\", \"amount\": %d}",
                            number, number, AMOUNT_FIRST);
    case CRM_PROPOSALS:
        crm_set(write, PROPOSAL_STATUS, crm_text_fact(VIEW("draft")));
        crm_set(write, PROPOSAL_TITLE, crm_text_fact(view_of(key)));
        return arena_format(
            arena, "{\"deal\": \"deals/%u\", \"title\": \"%s\", \"owner\": \"ana\"}", number, key);
    case CRM_INVOICES:
        return arena_format(arena,
                            "{\"number\": \"F-%u\", \"customer\": \"customers/%u\", \"status\": "
                            "\"sent\", \"total\": 1000}",
                            number, number);
    case CRM_PROJECTS:
        return arena_format(arena, "{\"title\": \"Project %u\", \"customer\": \"customers/%u\"}",
                            number, number);
    case CRM_EVENTS:
    case CRM_KINDS: break;
    }
    return (stet_view){0};
}

static bool prepare(struct sim_user *first) {
    struct sim *sim = first->sim;
    for (unsigned kind = 0; kind < CRM_EVENTS; kind++) {
        for (uint32_t i = 0; i < sim->records; i++) {
            char key[SIM_KEY_BYTES];
            char name[SIM_NAME_BYTES];
            struct sim_write write;
            arena_reset(&first->arena);
            sim->counts[kind] = i + 1;
            sim_write_begin(first, &write, sim_record(kind, i), key);
            stet_view body = first_body(first, &write, key);
            if (create(first, body, &write, key) == SIM_DONE) continue;
            sim_name(sim, write.record, name);
            if (first->findings.count == 0)
                sim_find(&first->findings, "%s could not be created", name);
            return false;
        }
    }
    sim->counts[CRM_EVENTS] = crm_events(sim);
    return true;
}

/* ---- One after the other ---- */

static enum crm_work choose_work(struct sim_user *user) {
    static const struct {
        enum crm_work work;
        unsigned weight;
    } shares[] = {{CRM_CUSTOMER, 4}, {CRM_NOTE, 8},     {CRM_DEAL, 16},
                  {CRM_PROPOSAL, 8}, {CRM_PAYMENT, 12}, {CRM_HOURS, 12}};
    unsigned number = (unsigned)sim_pick(user, 100);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        if (number < shares[i].weight) return shares[i].work;
        number -= shares[i].weight;
    }
    return CRM_BOOK;
}

static enum crm_kind kind_of_work(enum crm_work work) {
    switch (work) {
    case CRM_DEAL: return CRM_DEALS;
    case CRM_PROPOSAL: return CRM_PROPOSALS;
    case CRM_PAYMENT: return CRM_INVOICES;
    case CRM_HOURS: return CRM_PROJECTS;
    case CRM_BOOK:
    case CRM_MOVE:
    case CRM_CANCEL: return CRM_EVENTS;
    case CRM_READ:
    case CRM_CUSTOMER:
    case CRM_NOTE:
    case CRM_WORKS: break;
    }
    return CRM_CUSTOMERS;
}

static void begin(struct sim_user *user, struct sim_task *task) {
    enum crm_work work = choose_work(user);
    enum crm_kind kind = kind_of_work(work);
    uint32_t among = kind == CRM_EVENTS ? crm_events(user->sim) : user->sim->records;
    uint32_t number = (uint32_t)sim_pick(user, among);
    task->work = work;
    task->records[0] = sim_record(kind, number);
    task->records[1] = sim_record(CRM_DEALS, number); /* A proposal's. */
}

static enum sim_sent attempt(struct sim_user *user, struct sim_task *task) {
    switch ((enum crm_work)task->work) {
    case CRM_CUSTOMER: return attempt_customer(user, task);
    case CRM_NOTE: return attempt_note(user, task->records[0]);
    case CRM_DEAL: return attempt_deal(user, task->records[0]);
    case CRM_PROPOSAL: return attempt_proposal(user, task->records);
    case CRM_PAYMENT: return attempt_payment(user, task->records[0]);
    case CRM_HOURS: return attempt_hours(user, task->records[0]);
    case CRM_BOOK:
    case CRM_MOVE:
    case CRM_CANCEL: return crm_attempt_booking(user, task);
    case CRM_READ:
    case CRM_WORKS: break;
    }
    return SIM_WRONG;
}

/* ---- What is told beyond the works ---- */

static void print_more(const struct sim *sim, const struct sim_tally *tallies,
                       struct terminal *out) {
    const struct sim_tally *book = &tallies[CRM_BOOK];
    const struct sim_tally *move = &tallies[CRM_MOVE];
    const struct sim_tally *all = &tallies[SIM_WORKS_MAX];
    (void)sim;
    fprintf(out->stream,
            "\n%llu meetings booked and %llu moved, %llu of them to a time that was offered; %llu "
            "times the slot was taken\n",
            (unsigned long long)book->done, (unsigned long long)move->done,
            (unsigned long long)(book->offered + move->offered),
            (unsigned long long)(book->refused + move->refused));
    fprintf(out->stream, "%.1f %% of the attempts met a conflict, %.1f %% were retries\n",
            sim_percent(all->conflicts, all->done), sim_percent(all->retries, all->done));
}

static void write_more(const struct sim *sim, const struct sim_tally *tallies,
                       struct json_writer *writer) {
    const struct sim_tally *book = &tallies[CRM_BOOK];
    const struct sim_tally *move = &tallies[CRM_MOVE];
    (void)sim;
    json_key(writer, VIEW("bookings"));
    json_object_begin(writer);
    json_member_u64(writer, VIEW("booked"), book->done);
    json_member_u64(writer, VIEW("moved"), move->done);
    json_member_u64(writer, VIEW("cancelled"), tallies[CRM_CANCEL].done);
    json_member_u64(writer, VIEW("refused"), book->refused + move->refused);
    json_member_u64(writer, VIEW("offered"), book->offered + move->offered);
    json_object_end(writer);
}

const struct sim_scenario sim_crm = {
    .name = "crm",
    .kinds = kinds,
    .kind_count = CRM_KINDS,
    .works = works,
    .work_count = CRM_WORKS,
    .needs_rules = true,
    .held = "nobody is booked twice, no update is lost, all totals add up, no version is missing",
    .find_definition = find_definition,
    .prepare = prepare,
    .begin = begin,
    .attempt = attempt,
    .state_bytes = sizeof(struct crm_state),
    .read_state = crm_read_state,
    .judge_step = crm_judge_step,
    .add = crm_add,
    .judge_now = crm_judge_now,
    .judge_end = crm_judge_end,
    .print_more = print_more,
    .write_more = write_more,
};
