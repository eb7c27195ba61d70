#include "base/view.h"
#include "cli/simulate_crm.h"

#include <stdlib.h>

static const struct crm_fact facts[CRM_KINDS][SIM_VALUES_MAX] = {
    [CRM_CUSTOMERS] = {[CUSTOMER_NAME] = {"name", NULL, CRM_TEXT, false},
                       [CUSTOMER_PHONE] = {"phone", NULL, CRM_TEXT, false},
                       [CUSTOMER_NOTES] = {"notes", NULL, CRM_LINES, true}},
    [CRM_DEALS] = {[DEAL_STAGE] = {"stage", NULL, CRM_TEXT, false},
                   [DEAL_AMOUNT] = {"amount", NULL, CRM_NUMBER, true},
                   [DEAL_NOTES] = {"notes", NULL, CRM_LINES, true}},
    [CRM_PROPOSALS] = {[PROPOSAL_STATUS] = {"status", NULL, CRM_TEXT, false},
                       [PROPOSAL_TITLE] = {"title", NULL, CRM_TEXT, false}},
    [CRM_INVOICES] = {[INVOICE_PAID] = {"paid", NULL, CRM_NUMBER, true}},
    [CRM_PROJECTS] = {{"p0", "allocations", CRM_NUMBER, true},
                      {"p1", "allocations", CRM_NUMBER, true},
                      {"p2", "allocations", CRM_NUMBER, true},
                      {"p3", "allocations", CRM_NUMBER, true},
                      {"p4", "allocations", CRM_NUMBER, true},
                      {"p5", "allocations", CRM_NUMBER, true}},
    [CRM_EVENTS] = {[EVENT_TITLE] = {"title", NULL, CRM_TEXT, false},
                    [EVENT_ROOM] = {"room", NULL, CRM_ROOM, false},
                    [EVENT_PEOPLE] = {"people", NULL, CRM_CREW, false},
                    [EVENT_START] = {"start", NULL, CRM_TIME, false},
                    [EVENT_END] = {"end", NULL, CRM_TIME, false},
                    [EVENT_LIVE] = {"status", NULL, CRM_STATUS, false}},
};

const struct crm_fact *crm_fact(unsigned kind, unsigned fact) { return &facts[kind][fact]; }

int64_t crm_text_fact(stet_view text) { return text.size == 0 ? 0 : (int64_t)view_hash(text, 0); }

int64_t crm_lines_fact(stet_view lines) {
    uint64_t sum = 0;
    for (size_t at = 0; at < lines.size;) {
        const char *end = memchr(lines.bytes + at, '\n', lines.size - at);
        size_t size = end == NULL ? lines.size - at : (size_t)(end - lines.bytes) - at;
        if (size > 0) sum += view_hash(view_make(lines.bytes + at, size), 0);
        at += size + 1;
    }
    return (int64_t)sum;
}

enum { PERSON_BITS = 21 };

int64_t crm_crew(const uint32_t *people, unsigned count) {
    uint32_t sorted[CRM_PEOPLE_MAX];
    int64_t crew = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;
        for (; at > 0 && sorted[at - 1] > people[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = people[i];
    }
    for (unsigned i = 0; i < count; i++)
        crew |= (int64_t)(sorted[i] + 1) << (i * PERSON_BITS);
    return crew;
}

uint32_t crm_crew_person(int64_t crew, unsigned place) {
    if (place >= CRM_PEOPLE_MAX) return UINT32_MAX;
    uint32_t part =
        (uint32_t)((uint64_t)crew >> (place * PERSON_BITS)) & ((UINT32_C(1) << PERSON_BITS) - 1);
    return part == 0 ? UINT32_MAX : part - 1;
}

/* "person-7" is 7. What has another form is none of ours: a number nobody has. */
static uint32_t number_of(stet_view text, stet_view prefix) {
    uint64_t number;
    if (!view_starts(text, prefix) ||
        !view_parse_u64(view_make(text.bytes + prefix.size, text.size - prefix.size), &number) ||
        number >= (UINT32_C(1) << 20))
        return (UINT32_C(1) << 20) - 1;
    return (uint32_t)number;
}

static int64_t read_crew(struct arena *arena, const struct doc *doc, doc_node data) {
    uint32_t people[CRM_PEOPLE_MAX];
    unsigned count = 0;
    doc_node list = answer_member(doc, data, "people");
    if (list == DOC_NONE || doc_kind(doc, list) != DOC_ARRAY) return 0;
    for (doc_node child = doc_first(doc, list); child != DOC_NONE; child = doc_next(doc, child)) {
        stet_view text;
        if (count == CRM_PEOPLE_MAX) return -1; /* More than anybody asked for. */
        if (doc_string(arena, doc, child, &text) != STET_OK) text = (stet_view){0};
        people[count++] = number_of(text, VIEW("person-"));
    }
    return crm_crew(people, count);
}

static int64_t read_fact(struct arena *arena, const struct doc *doc, doc_node data,
                         const struct crm_fact *fact) {
    doc_node object = fact->object == NULL ? data : answer_member(doc, data, fact->object);
    if (object == DOC_NONE) return 0;
    stet_view text =
        fact->form == CRM_CREW ? (stet_view){0} : answer_text(arena, doc, object, fact->name);
    int64_t ns;
    switch (fact->form) {
    case CRM_NUMBER: {
        stet_view copy = arena_copy(arena, text);
        return copy.size == 0 ? 0 : strtoll(copy.bytes, NULL, 10);
    }
    case CRM_TEXT: return crm_text_fact(text);
    case CRM_LINES: return crm_lines_fact(text);
    case CRM_TIME: return clock_parse_rfc3339(text, &ns) ? ns / CLOCK_NS_PER_S : 0;
    case CRM_ROOM: return text.size == 0 ? 0 : (int64_t)number_of(text, VIEW("room-")) + 1;
    case CRM_CREW: return read_crew(arena, doc, object);
    case CRM_STATUS: return !view_equal(text, VIEW("cancelled"));
    }
    return 0;
}

void crm_read_state(struct arena *arena, const struct doc *doc, doc_node data, unsigned kind,
                    void *out) {
    struct crm_state *state = out;
    *state = (struct crm_state){0};
    if (data == DOC_NONE) return;
    for (unsigned i = 0; i < SIM_VALUES_MAX; i++) {
        if (facts[kind][i].name != NULL)
            state->values[i] = read_fact(arena, doc, data, &facts[kind][i]);
    }
}
