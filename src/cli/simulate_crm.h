/*
 * The scenario "crm": people of a small company at its customers, deals, proposals, invoices, projects and calendar, with the
 * types of examples/crm/schema.json, which scripts/embed makes crm_text.c of.
 *
 *     simulate_crm.c           works at records: customers, deals, payments, hours, proposals sent in transactions
 *     simulate_crm_bookings.c  books, moves and cancels meetings in rooms with people
 *     simulate_crm_facts.c     what is known of a record: up to SIM_VALUES_MAX numbers, by kind
 *     simulate_crm_audit.c     holds facts against writes, and looks for two bookings of one room or person
 *
 * A write names the facts it sets, or adds to, by bit in sim_write.facts and with values; all others must stay.
 * No two writes make the same text or number of a field where that is a conflict (key, serial), so that one never looks like
 * the other to a merge.
 */
#ifndef CLI_SIMULATE_CRM_H
#define CLI_SIMULATE_CRM_H

#include "cli/simulate.h"

extern const unsigned char crm_text[];
extern const size_t crm_size;
extern const char crm_etag[];

enum crm_kind {
    CRM_CUSTOMERS,
    CRM_DEALS,
    CRM_PROPOSALS,
    CRM_INVOICES,
    CRM_PROJECTS,
    CRM_EVENTS,
    CRM_KINDS
};

enum crm_work {
    CRM_READ = SIM_READ,
    CRM_CUSTOMER, /* Creates one. */
    CRM_NOTE,
    CRM_DEAL,
    CRM_PROPOSAL, /* Sends it, hears the answer, or opens it again. */
    CRM_PAYMENT,
    CRM_HOURS,
    CRM_BOOK,
    CRM_MOVE,
    CRM_CANCEL,
    CRM_WORKS
};

/* Facts by kind: places in sim_write.values. */
enum { CUSTOMER_NAME, CUSTOMER_PHONE, CUSTOMER_NOTES };
enum { DEAL_STAGE, DEAL_AMOUNT, DEAL_NOTES };
enum { PROPOSAL_STATUS, PROPOSAL_TITLE };
enum { INVOICE_PAID };
enum { PROJECT_HOURS }; /* And those of the other members behind it. */
enum { EVENT_TITLE, EVENT_ROOM, EVENT_PEOPLE, EVENT_START, EVENT_END, EVENT_LIVE };
enum { CRM_MEMBERS = 6, CRM_PEOPLE_MAX = 3 };

/* In a write's values: whichever it is, as the server chose it. */
#define CRM_ANY INT64_MIN

struct crm_fact {
    const char *name;   /* The field, as findings name it. */
    const char *object; /* That it stands in; NULL: the record itself. */
    enum crm_form {
        CRM_NUMBER,
        CRM_TEXT,  /* Its hash. */
        CRM_LINES, /* The sum of its lines' hashes, whatever their order. */
        CRM_TIME,  /* Seconds since 1970. */
        CRM_ROOM,  /* "room-3" is 4; none is 0. */
        CRM_CREW,  /* See crm_crew. */
        CRM_STATUS /* Whether a booking is live: 1, or cancelled: 0. */
    } form;
    bool adds; /* What is written adds to what stands there; else it takes its place. */
};

/* name NULL: the kind has no such fact. */
const struct crm_fact *crm_fact(unsigned kind, unsigned fact);
int64_t crm_text_fact(stet_view text);
int64_t crm_lines_fact(stet_view lines);

/* Up to three people, each below 2^20, in order of their numbers: 21 bits each, of the number plus one. */
int64_t crm_crew(const uint32_t *people, unsigned count);
/* The person at this place; UINT32_MAX: there is none. */
uint32_t crm_crew_person(int64_t crew, unsigned place);

struct crm_state {
    int64_t values[SIM_VALUES_MAX];
};
void crm_read_state(struct arena *arena, const struct doc *doc, doc_node data, unsigned kind,
                    void *state);

static inline void crm_set(struct sim_write *write, unsigned fact, int64_t value) {
    write->facts |= (uint8_t)(1u << fact);
    write->values[fact] = value;
}

/* Rooms and people there are, by the number of records. */
static inline uint32_t crm_rooms(const struct sim *sim) { return 2 + sim->records / 5; }
static inline uint32_t crm_people(const struct sim *sim) { return 3 * crm_rooms(sim); }
static inline uint32_t crm_events(const struct sim *sim) { return 8 * sim->records; }

enum sim_sent crm_attempt_booking(struct sim_user *user, struct sim_task *task);

stet_status crm_judge_step(struct sim *sim, struct sim_audit *audit, uint32_t record,
                           const char *name, const struct sim_version *before,
                           const struct sim_version *after);
void crm_add(const struct sim *sim, const struct sim_write *write, int64_t sums[SIM_VALUES_MAX]);
stet_status crm_judge_now(struct sim *sim, struct sim_audit *audit, uint32_t record,
                          const char *name, const void *now, const void *newest,
                          const int64_t sums[SIM_VALUES_MAX]);
void crm_judge_end(struct sim *sim, struct sim_audit *audit);

#endif
