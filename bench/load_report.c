/*
 * Rows on stdout and as lines of JSON. See load.h.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double per_s(const struct row *row) { return row->operations / row->seconds; }

static double cpu_us(const struct cpu *cpu, double operations) {
    return (double)cpu_total(cpu) / 1e3 / operations;
}

static int compare_rates(const void *left, const void *right) {
    double a = per_s(left), b = per_s(right);
    return (a > b) - (a < b);
}

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double median_of(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare_doubles);
    return values[(count - 1) / 2];
}

static void median_row(const struct settings *settings, const struct load_case *load_case,
                       struct row *row) {
    static struct row rows[ROUNDS_MAX];
    memcpy(rows, load_case->rounds, settings->rounds * sizeof *rows);
    qsort(rows, settings->rounds, sizeof *rows, compare_rates);
    *row = rows[(settings->rounds - 1) / 2];
}

void report_head(void) {
    printf("%-32s %-11s %5s %8s %8s %8s %8s %6s %7s   CPU µs each by thread\n", "target", "mode",
           "conns", "/s", "p50 µs", "p99 µs", "lost", "batch", "RSS MiB");
    fflush(stdout);
}

static void name_of(const struct load_case *load_case, char *out, size_t size) {
    snprintf(out, size, "%s%s%s", load_case->target->name, load_case->variant == NULL ? "" : " ",
             load_case->variant == NULL ? "" : load_case->variant);
}

void report_case(const struct settings *settings, const struct load_case *load_case,
                 FILE *results) {
    struct row row;
    char name[64];
    median_row(settings, load_case, &row);
    name_of(load_case, name, sizeof name);
    double resident = (double)row.resident / 1048576, own = cpu_us(&row.own, row.operations);
    printf("%-32s %-11s %5u %8.0f %8.0f %8.0f %8llu %6.1f %7.1f ", name,
           mode_names[load_case->mode], load_case->connections, per_s(&row), row.p50_us, row.p99_us,
           (unsigned long long)row.lost, row.batch, resident);
    cpu_print_text(stdout, &row.server, row.operations);
    printf("  (load %.2f)\n", own);
    fflush(stdout);
    fprintf(
        results,
        "{\"benchmark\":\"http\",\"run\":%ld,\"target\":\"%s\",\"mode\":\"%s\",\"connections\":%u,"
        "\"records\":%zu,\"spaces\":%zu,\"minimal\":%s,\"per_s\":%.0f,\"p50_us\":%.0f,\"p99_"
        "us\":%.0f,"
        "\"lost\":%llu,\"batch\":%.1f,\"resident_mib\":%.1f,\"rounds\":%u,"
        "\"load_cpu_us\":%.3f,\"cpu_us\":",
        (long)getpid(), name, mode_names[load_case->mode], load_case->connections,
        settings->records, settings->spaces, settings->minimal ? "true" : "false", per_s(&row),
        row.p50_us, row.p99_us, (unsigned long long)row.lost, row.batch, resident, settings->rounds,
        own);
    cpu_print_json(results, &row.server, row.operations);
    fprintf(results, ",\"in_rounds\":[");
    for (unsigned i = 0; i < settings->rounds; i++)
        fprintf(results, "%s{\"per_s\":%.0f,\"p99_us\":%.0f}", i == 0 ? "" : ",",
                per_s(&load_case->rounds[i]), load_case->rounds[i].p99_us);
    fprintf(results, "]}\n");
}

/* ---- Ratios ------------------------------------------------------------------------------ */

/* The median over the rounds of what the two did in each: neighbours in time have the same machine. */
static double ratio_of(const struct settings *settings, const struct load_case *above,
                       const struct load_case *below) {
    double ratios[ROUNDS_MAX];
    for (unsigned i = 0; i < settings->rounds; i++)
        ratios[i] = per_s(&above->rounds[i]) / per_s(&below->rounds[i]);
    return median_of(ratios, settings->rounds);
}

static double cpu_ratio_of(const struct settings *settings, const struct load_case *above,
                           const struct load_case *below) {
    struct row a, b;
    median_row(settings, above, &a);
    median_row(settings, below, &b);
    return cpu_us(&a.server, a.operations) / cpu_us(&b.server, b.operations);
}

static void stale_ratio(const struct settings *settings, const struct load_case *fresh,
                        const struct load_case *stale, FILE *results) {
    double times = ratio_of(settings, fresh, stale), cpu = cpu_ratio_of(settings, stale, fresh);
    printf("%s costs %.2f times %s at %u connections (%.2f times the server's processor time)\n",
           mode_names[stale->mode], times, mode_names[fresh->mode], fresh->connections, cpu);
    fprintf(results,
            "{\"benchmark\":\"ratio\",\"of\":\"%s\",\"to\":\"%s\",\"connections\":%u,"
            "\"times\":%.3f,\"cpu_times\":%.3f}\n",
            mode_names[stale->mode], mode_names[fresh->mode], fresh->connections, times, cpu);
}

static void race_ratio(const struct settings *settings, const struct load_case *ours,
                       const struct load_case *other, FILE *results) {
    char name[64], other_name[64];
    const char *mode = mode_names[ours->mode];
    double times = ratio_of(settings, ours, other);
    name_of(ours, name, sizeof name);
    name_of(other, other_name, sizeof other_name);
    printf("%s, %u connections: %s does %.2f times as much as %s\n", mode, ours->connections, name,
           times, other_name);
    fprintf(results,
            "{\"benchmark\":\"ratio\",\"of\":\"%s %s\",\"to\":\"%s %s\",\"connections\":%u,"
            "\"times\":%.3f}\n",
            mode, name, mode, other_name, ours->connections, times);
}

static bool is_stale_of(const struct load_case *stale, const struct load_case *fresh) {
    return (fresh->mode == MODE_FRESH && stale->mode == MODE_STALE) ||
           (fresh->mode == MODE_FRESH_PATCH && stale->mode == MODE_STALE_PATCH);
}

void report_ratios(const struct settings *settings, const struct load_case *cases, size_t count,
                   FILE *results) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            const struct load_case *a = &cases[i], *b = &cases[j];
            if (a->connections != b->connections) continue;
            if (a->target == b->target && is_stale_of(b, a)) stale_ratio(settings, a, b, results);
            if (a->mode == b->mode && a->target == settings->targets[0] && b->target != a->target)
                race_ratio(settings, a, b, results);
        }
    }
}
