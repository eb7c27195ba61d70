#include "base/view.h"
#include "cli/simulate.h"

#include <stdarg.h>
#include <stdlib.h>

enum { LEDGER_FIRST = 256 };

void sim_find(struct sim_findings *findings, const char *format, ...) {
    va_list arguments;
    if (findings->count++ >= SIM_FINDINGS_SHOWN) return;
    va_start(arguments, format);
    vsnprintf(findings->texts[findings->count - 1], SIM_FINDING_BYTES, format, arguments);
    va_end(arguments);
}

bool sim_ledger_reserve(struct sim_ledger *ledger, size_t count) {
    size_t capacity = ledger->capacity == 0 ? LEDGER_FIRST : ledger->capacity;
    while (capacity - ledger->count < count) {
        if (capacity > SIZE_MAX / 2 / sizeof *ledger->writes) return false;
        capacity *= 2;
    }
    if (capacity == ledger->capacity) return true;
    struct sim_write *writes = realloc(ledger->writes, capacity * sizeof *writes);
    if (writes == NULL) return false;
    ledger->writes = writes;
    ledger->capacity = capacity;
    return true;
}

void sim_ledger_add(struct sim_ledger *ledger, const struct sim_write *write) {
    ledger->writes[ledger->count++] = *write;
}

/* Up to 32 µs a class for each; above, 32 classes for each doubling. */
static unsigned latency_class(uint64_t us) {
    unsigned doubling = 0;
    while ((us >> doubling) >= 2 * SIM_LATENCY_STEPS)
        doubling++;
    unsigned class = doubling * SIM_LATENCY_STEPS + (unsigned)(us >> doubling);
    return class < SIM_LATENCY_CLASSES ? class : SIM_LATENCY_CLASSES - 1;
}

/* The class's middle, in microseconds. */
static double latency_of_class(unsigned class) {
    unsigned doubling = class < 2 * SIM_LATENCY_STEPS ? 0 : class / SIM_LATENCY_STEPS - 1;
    double first = class - doubling * SIM_LATENCY_STEPS;
    return (first + 0.5) * (double)(UINT64_C(1) << doubling);
}

void sim_tally_latency(struct sim_tally *tally, int64_t ns) {
    tally->requests++;
    tally->latency[latency_class(ns < 0 ? 0 : (uint64_t)ns / 1000)]++;
}

void sim_tally_add(struct sim_tally *into, const struct sim_tally *tally) {
    into->done += tally->done;
    into->conflicts += tally->conflicts;
    into->retries += tally->retries;
    into->given_up += tally->given_up;
    into->refused += tally->refused;
    into->offered += tally->offered;
    into->requests += tally->requests;
    for (unsigned i = 0; i < SIM_LATENCY_CLASSES; i++)
        into->latency[i] += tally->latency[i];
}

double sim_tally_quantile(const struct sim_tally *tally, double share) {
    uint64_t wanted = (uint64_t)((double)tally->requests * share);
    uint64_t passed = 0;
    for (unsigned i = 0; i < SIM_LATENCY_CLASSES; i++) {
        passed += tally->latency[i];
        if (passed > wanted) return latency_of_class(i) / 1000;
    }
    return 0;
}

double sim_percent(uint64_t part, uint64_t rest) {
    return part + rest == 0 ? 0 : 100.0 * (double)part / (double)(part + rest);
}
