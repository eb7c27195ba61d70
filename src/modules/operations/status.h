/*
 * The one table of what an operation can be and how it gets from one status to the next. Each move has the name under which it is told:
 * the event. Whoever changes a status asks here first, and asserts.
 *
 *              Queued             Started            Completed
 *   (new) ───────────► queued ───────────► running ───────────► completed
 *                        ▲ │ ▲  lease lost    │ ▲ │
 *            tried again │ │ └────────────────┘ │ ├──► failed, rejected, cancelled, expired
 *                        │ ▼                    ▼ │
 *        failed, rejected, cancelled, expired ◄─ retrying
 *
 * And back from completed to queued: a webhook's delivery that is posted again by hand. Nothing else that is completed moves.
 */
#ifndef MODULES_OPERATIONS_STATUS_H
#define MODULES_OPERATIONS_STATUS_H

#include <stdbool.h>

#include "stet.h"

enum operation_status {
    OPERATION_NONE, /* Not there yet. */
    OPERATION_QUEUED,
    OPERATION_RUNNING,
    OPERATION_RETRYING, /* A commit conflicted or a run failed, and it will run again. */
    OPERATION_COMPLETED,
    OPERATION_FAILED,
    OPERATION_REJECTED, /* Conflicts used up its retries, or it stood too deep. */
    OPERATION_CANCELLED,
    OPERATION_EXPIRED, /* Its deadline passed. */
    OPERATION_STATUS_COUNT,
};

enum operation_event {
    OPERATION_EVENT_QUEUED,   /* New; its lease was lost or given back; tried again by hand. */
    OPERATION_EVENT_STARTED,  /* Somebody has it in hand. */
    OPERATION_EVENT_PROGRESS, /* The status stays; a retrying one is at work again. */
    OPERATION_EVENT_CONFLICT, /* Its commit lost against another. */
    OPERATION_EVENT_RETRYING, /* A run failed; there will be another one after a pause. */
    OPERATION_EVENT_REJECTED,
    OPERATION_EVENT_COMPLETED,
    OPERATION_EVENT_FAILED,
    OPERATION_EVENT_CANCELLED,
    OPERATION_EVENT_EXPIRED,
    OPERATION_EVENT_REDELIVERED, /* Told as OperationQueued. Completed ones of WEBHOOK_AGENT only. */
    OPERATION_EVENT_COUNT,
};

/* Where an event leads from a status; OPERATION_NONE: there is no such move. */
enum operation_status status_after(enum operation_status from, enum operation_event event);

/* Whether some event leads from one to the other. */
bool status_move_allowed(enum operation_status from, enum operation_status to);

/* Finished: only a retry by hand leads out of it, and out of completed only that of a delivery. */
bool status_finished(enum operation_status status);

/* "queued", …; as in JSON. NONE has the empty name. Total: nonsense reads as empty. */
const char *status_name(enum operation_status status);
/* OPERATION_NONE for any other text. */
enum operation_status status_parse(stet_view name);
/* "OperationQueued", … */
const char *status_event_name(enum operation_event event);

#endif
