/*
 * What a simulation tells: a table or JSON of what was done, and the audit's findings.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/simulate.h"
#include "doc/write.h"

#include <stdarg.h>

static void add_cell(struct table *table, enum color color, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_cell(struct table *table, enum color color, const char *format, ...) {
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    table_add(table, color, view_of(text));
}

static void add_tally(struct table *table, enum color color, const char *name,
                      const struct sim_tally *tally) {
    add_cell(table, color, "%s", name);
    add_cell(table, color, "%llu", (unsigned long long)tally->done);
    add_cell(table, color, "%llu", (unsigned long long)tally->conflicts);
    add_cell(table, color, "%.1f %%", sim_percent(tally->conflicts, tally->done));
    add_cell(table, color, "%llu", (unsigned long long)tally->retries);
    add_cell(table, color, "%.2f ms", sim_tally_quantile(tally, 0.5));
    add_cell(table, color, "%.2f ms", sim_tally_quantile(tally, 0.99));
}

static int report_table(const struct sim *sim, const struct sim_tally tallies[SIM_WORKS_MAX + 1]) {
    static const char *const names[] = {"OPERATION", "DONE", "CONFLICTS", "RATE",
                                        "RETRIES",   "P50",  "P99"};
    struct cli *cli = sim->cli;
    struct table table;
    stet_error err;
    fprintf(cli->out.stream, "%u users for %.1f s at %u records of each kind, seed %llu\n\n",
            (unsigned)sim->user_count, (double)sim->ran_ns / 1e9, (unsigned)sim->records,
            (unsigned long long)sim->seed);
    table_init(&table, cli->arena, 7);
    table_titles(&table, names);
    for (unsigned work = 0; work < sim->scenario->work_count; work++) {
        if (!sim->scenario->works[work].merges || sim->has_rules)
            add_tally(&table, COLOR_NONE, sim->scenario->works[work].title, &tallies[work]);
    }
    add_tally(&table, COLOR_BOLD, "all writes", &tallies[SIM_WORKS_MAX]);
    if (table_print(&table, &cli->out, "", &err) != STET_OK) return cli_fail(cli, &err);
    if (sim->scenario->print_more != NULL) sim->scenario->print_more(sim, tallies, &cli->out);
    return EXIT_DONE;
}

static void report_audit(const struct sim *sim, const struct sim_audit *audit) {
    const struct sim_findings *findings = &audit->findings;
    struct terminal *out = &sim->cli->out;
    uint64_t shown = findings->count < SIM_FINDINGS_SHOWN ? findings->count : SIM_FINDINGS_SHOWN;
    fprintf(out->stream, "\n%llu acknowledged changes held against %llu versions of %u records",
            (unsigned long long)audit->acknowledged, (unsigned long long)audit->versions,
            (unsigned)audit->records);
    if (audit->unanswered > 0) {
        fprintf(out->stream, "; of %llu that were never answered %llu had happened",
                (unsigned long long)audit->unanswered, (unsigned long long)audit->happened);
    }
    fputs(":\n", out->stream);
    if (findings->count == 0) {
        terminal_text(out, COLOR_GREEN, view_of(sim->scenario->held));
        fputc('\n', out->stream);
        return;
    }
    terminal_text(out, COLOR_RED, VIEW("the audit FAILED"));
    fputc('\n', out->stream);
    for (uint64_t i = 0; i < shown; i++) {
        fputs("  ", out->stream);
        terminal_text(out, COLOR_NONE, view_of(findings->texts[i]));
        fputc('\n', out->stream);
    }
    if (findings->count > shown)
        fprintf(out->stream, "  and %llu more\n", (unsigned long long)(findings->count - shown));
}

static void json_number(struct json_writer *writer, const char *key, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.3f", value);
    json_member_raw(writer, view_of(key), view_of(text));
}

static int report_json(const struct sim *sim, const struct sim_tally tallies[SIM_WORKS_MAX + 1],
                       const struct sim_audit *audit) {
    const struct sim_scenario *scenario = sim->scenario;
    const struct sim_findings *findings = &audit->findings;
    struct buffer buffer;
    struct json_writer writer;
    stet_error err;
    buffer_init(&buffer, sim->cli->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_bool(&writer, VIEW("passed"), findings->count == 0);
    json_member_u64(&writer, VIEW("users"), sim->user_count);
    json_number(&writer, "seconds", (double)sim->ran_ns / 1e9);
    json_member_u64(&writer, VIEW("records"), sim->records);
    json_key(&writer, VIEW("seed"));
    json_u64_text(&writer, sim->seed);
    json_key(&writer, VIEW("operations"));
    json_object_begin(&writer);
    for (unsigned work = 0; work <= scenario->work_count; work++) {
        bool all = work == scenario->work_count;
        const struct sim_tally *tally = &tallies[all ? SIM_WORKS_MAX : work];
        json_key(&writer, view_of(all ? "writes" : scenario->works[work].key));
        json_object_begin(&writer);
        json_member_u64(&writer, VIEW("done"), tally->done);
        json_member_u64(&writer, VIEW("conflicts"), tally->conflicts);
        json_number(&writer, "conflict_percent", sim_percent(tally->conflicts, tally->done));
        json_member_u64(&writer, VIEW("retries"), tally->retries);
        json_member_u64(&writer, VIEW("given_up"), tally->given_up);
        json_number(&writer, "p50_ms", sim_tally_quantile(tally, 0.5));
        json_number(&writer, "p99_ms", sim_tally_quantile(tally, 0.99));
        json_object_end(&writer);
    }
    json_object_end(&writer);
    if (scenario->write_more != NULL) scenario->write_more(sim, tallies, &writer);
    json_key(&writer, VIEW("audit"));
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("acknowledged"), audit->acknowledged);
    json_member_u64(&writer, VIEW("unanswered"), audit->unanswered);
    json_member_u64(&writer, VIEW("happened"), audit->happened);
    json_member_u64(&writer, VIEW("versions"), audit->versions);
    json_member_u64(&writer, VIEW("records"), audit->records);
    json_member_u64(&writer, VIEW("findings"), findings->count);
    json_key(&writer, VIEW("shown"));
    json_array_begin(&writer);
    for (uint64_t i = 0; i < findings->count && i < SIM_FINDINGS_SHOWN; i++)
        json_text(&writer, view_of(findings->texts[i]));
    json_array_end(&writer);
    json_object_end(&writer);
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(sim->cli, &err);
    }
    cli_print_json(sim->cli, buffer_view(&buffer));
    return EXIT_DONE;
}

int sim_report(const struct sim *sim, const struct sim_audit *audit) {
    static struct sim_tally tallies[SIM_WORKS_MAX + 1]; /* Too large for a stack. */
    for (uint32_t i = 0; i < sim->user_count; i++) {
        for (unsigned work = 0; work < sim->scenario->work_count; work++) {
            sim_tally_add(&tallies[work], &sim->users[i].tallies[work]);
            if (work != SIM_READ)
                sim_tally_add(&tallies[SIM_WORKS_MAX], &sim->users[i].tallies[work]);
        }
    }
    int code = EXIT_DONE;
    if (sim->cli->json) {
        code = report_json(sim, tallies, audit);
    } else {
        code = report_table(sim, tallies);
        report_audit(sim, audit);
    }
    if (code == EXIT_DONE && tallies[SIM_WORKS_MAX].done == 0 && audit->findings.count == 0) {
        fputs("stet: no write was acknowledged, so nothing was shown\n", sim->cli->errors.stream);
        code = EXIT_FAILED;
    }
    return code == EXIT_DONE && audit->findings.count > 0 ? EXIT_FAILED : code;
}
