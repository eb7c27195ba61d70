/*
 * Definitions of handlers: the data of a `stet.handler` record, checked whole and compiled. docs/handlers.md is the reference of its
 * members for people.
 *
 * What is stored is the definition as it was put, but for what nobody is to read back: a webhook's secret and the values of its headers.
 * In their places stands null, and they themselves are in "_secret" and "_headers". A definition that is put with null there keeps
 * what is kept already, so that who gets one, changes something and puts it back need not know them.
 */
#ifndef MODULES_HANDLERS_DEFINITION_H
#define MODULES_HANDLERS_DEFINITION_H

#include "base/arena.h"
#include "doc/doc.h"
#include "expr/expr.h"
#include "stet.h"

#include <stdatomic.h>

/* What can happen. Those of operations are named as their events. */
enum handler_event {
    HANDLER_CREATE,
    HANDLER_UPDATE,
    HANDLER_DELETE,
    HANDLER_CONFLICT,
    HANDLER_ALERT,
    HANDLER_OPERATION, /* The first of HANDLER_OPERATION_EVENTS. */
};
enum {
    HANDLER_OPERATION_EVENTS = 10,
    HANDLER_EVENTS = HANDLER_OPERATION + HANDLER_OPERATION_EVENTS
};

/* "create" … "OperationExpired". */
stet_view handler_event_name(unsigned event);
/* Which of the events of operations; HANDLER_EVENTS: none of them. */
unsigned handler_operation_event(stet_view name);

enum reaction_kind { REACTION_FUNCTION, REACTION_AGENT, REACTION_WEBHOOK };

struct handler_header {
    stet_view name, value;
};

/* Immutable and counted by reference. All texts are in its arena. */
struct handler {
    atomic_uint refs;
    unsigned on;              /* Bit 1 << handler_event. */
    stet_view type;           /* Empty: every type but those of the system. */
    const struct expr *where; /* NULL: all. */
    enum reaction_kind kind;
    stet_view target; /* The function's name, the agent's, or the URL. */
    stet_view secret; /* Empty: not signed. */
    const struct handler_header *headers;
    size_t header_count;
    stet_class class_;
    stet_view lane; /* Never empty. */
    bool sets_max_retries;
    unsigned max_retries;
    unsigned timeout_s; /* 0: not given. */
    bool paused;
    bool from_beginning;
    bool sees_handlers; /* Reacts to operations that handlers asked for, too. */
    struct arena arena;
};

/**
 * @param name        Of the handler: 1 to HANDLER_NAME_BYTES_MAX bytes. Checked, too.
 * @param text        A stored definition, or one that is put. Copied.
 * @param handler     Out, with one reference.
 * @param err         Out: field is a pointer into the definition.
 *
 * @return STET_OK, STET_INVALID_HANDLER, STET_BAD_JSON, STET_TOO_LARGE, STET_NO_MEMORY
 */
stet_status handler_compile(stet_view name, stet_view text, struct handler **handler,
                            stet_error *err);
struct handler *handler_ref(struct handler *handler);
void handler_unref(struct handler *handler); /* Accepts NULL. */

/**
 * From what was put to what is stored.
 *
 * @param put    What was put.
 * @param kept   The stored definition it takes the place of, for what is null; empty: there is none.
 * @param text   Out: in the arena.
 * @return STET_OK; STET_INVALID_HANDLER: null where nothing is kept; STET_BAD_JSON, STET_TOO_LARGE, STET_NO_MEMORY
 */
stet_status handler_store_text(struct arena *arena, stet_view put, stet_view kept, stet_view *text,
                               stet_error *err);

#endif
