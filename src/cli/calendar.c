/*
 * calendar, free: what takes place, and when there is room.
 *
 * Times are shown as the zones of their records have them, with the zone's name where it is not the same for all rows: this program
 * knows no zones.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/span.h"

#include <string.h>
#include <time.h>

enum { DATE_BYTES = 10, MINUTE_BYTES = 16 };

/* ---- What is asked ------------------------------------------------------------------------ */

static void calendar_path(struct cli *cli, struct buffer *path, const char *route) {
    static const struct {
        enum option_id option;
        const char *name;
    } texts[] = {{OPTION_CALENDAR_FIELD, "field"},
                 {OPTION_FROM, "from"},
                 {OPTION_TO, "to"},
                 {OPTION_ZONE, "zone"}};
    const struct args_value *resources = &cli->args->values[OPTION_RESOURCE];
    cli_path(cli, path);
    buffer_append_text(path, route);
    address_encode(path, view_of(cli->args->arguments[0]));
    for (size_t i = 0; i < resources->count; i++)
        cli_query(path, "resource", view_of(resources->texts[i]));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (args_given(cli->args, texts[i].option))
            cli_query(path, texts[i].name, view_of(args_text(cli->args, texts[i].option)));
}

/* ---- Times as people read them ------------------------------------------------------------ */

/* "2026-03-02" as "Mon 2026-03-02". */
static stet_view day_words(struct arena *arena, stet_view date) {
    static const char *const names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    char text[DATE_BYTES + 1] = {0};
    struct tm day = {0};
    if (date.size != DATE_BYTES) return date;
    memcpy(text, date.bytes, DATE_BYTES);
    if (sscanf(text, "%4d-%2d-%2d", &day.tm_year, &day.tm_mon, &day.tm_mday) != 3) return date;
    day.tm_year -= 1900;
    day.tm_mon -= 1;
    (void)timegm(&day); /* Finds the day of the week. */
    return arena_format(arena, "%s %s", names[day.tm_wday], text);
}

static stet_view date_of(stet_view time) {
    return time.size < DATE_BYTES ? time : view_make(time.bytes, DATE_BYTES);
}

/* "2026-03-02T09:30:00" as "09:30"; seconds only where there are some. A date alone is empty. */
static stet_view clock_of(stet_view time) {
    if (time.size < MINUTE_BYTES) return (stet_view){0};
    stet_view clock = view_make(time.bytes + DATE_BYTES + 1, time.size - DATE_BYTES - 1);
    if (view_equal(view_make(clock.bytes + 5, clock.size - 5), VIEW(":00"))) clock.size = 5;
    return clock;
}

/* The end beside a start: its clock, and its day where that is another one. Of a whole day nothing: it ends with it. */
static stet_view end_words(struct arena *arena, stet_view start, stet_view end) {
    stet_view clock = clock_of(end);
    if (view_equal(date_of(start), date_of(end))) return clock;
    if (clock.size == 0) return arena_format(arena, "before %.*s", VIEW_ARG(date_of(end)));
    return arena_format(arena, "%.*s on %.*s", VIEW_ARG(clock), VIEW_ARG(date_of(end)));
}

/* ---- calendar ------------------------------------------------------------------------------ */

struct days {
    struct table table;
    char date[DATE_BYTES + 1]; /* Of the row before. */
    uint64_t count;
    stet_view from, to; /* What was looked at. */
};

static stet_view joined(struct arena *arena, const struct doc *doc, doc_node list) {
    struct buffer out;
    buffer_init(&out, arena, 0);
    for (doc_node one = doc_first(doc, list); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view text;
        if (out.size > 0) buffer_append_text(&out, ", ");
        if (doc_string(arena, doc, one, &text) == STET_OK) buffer_append_view(&out, text);
    }
    return buffer_view(&out);
}

/* What it is, as most types call it; else all of its data. */
static stet_view title_of(struct arena *arena, const struct doc *doc, doc_node data) {
    static const char *const names[] = {"title", "summary", "name", "subject"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        doc_node node = answer_member(doc, data, names[i]);
        if (node != DOC_NONE && doc_kind(doc, node) == DOC_STRING)
            return answer_text(arena, doc, data, names[i]);
    }
    return answer_value(doc, data);
}

static void add_occurrence(struct cli *cli, struct days *days, const struct doc *doc,
                           doc_node one) {
    struct arena *arena = cli->arena;
    struct table *table = &days->table;
    stet_view start = answer_text(arena, doc, one, "start_local");
    stet_view end = answer_text(arena, doc, one, "end_local");
    stet_view held = answer_text(arena, doc, one, "held_until");
    stet_view title = title_of(arena, doc, answer_member(doc, one, "data"));
    stet_view date = date_of(start);
    bool same = view_equal(date, view_of(days->date));
    snprintf(days->date, sizeof days->date, "%.*s", VIEW_ARG(date));
    table_add(table, COLOR_BOLD, same ? VIEW("") : day_words(arena, date));
    table_add(table, COLOR_NONE,
              answer_bool(doc, one, "all_day") ? VIEW("all day") : clock_of(start));
    table_add(table, COLOR_NONE, end_words(arena, start, end));
    table_add(table, COLOR_BOLD, answer_text(arena, doc, one, "id"));
    table_add(table, COLOR_NONE, joined(arena, doc, answer_member(doc, one, "resources")));
    table_add(table, COLOR_NONE, answer_text(arena, doc, one, "zone"));
    if (held.size > 0)
        title = arena_format(arena, "%.*s (held until %.*s UTC)", VIEW_ARG(title),
                             VIEW_ARG(answer_time(arena, held)));
    table_add(table, held.size > 0 ? COLOR_DIM : COLOR_NONE, title);
    days->count += 1;
}

static int print_calendar(struct cli *cli, const struct days *days) {
    stet_error err;
    if (days->count == 0) {
        fputs("nothing takes place from ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE, answer_time(cli->arena, days->from));
        fputs(" to ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE, answer_time(cli->arena, days->to));
        fputs(" UTC\n", cli->out.stream);
        return EXIT_DONE;
    }
    return table_print(&days->table, &cli->out, "", &err) == STET_OK ? EXIT_DONE
                                                                     : cli_fail(cli, &err);
}

/* The text as it comes: a calendar may be many megabytes. */
static bool ics_write(void *context, stet_view bytes) {
    struct cli *cli = context;
    return fwrite(bytes.bytes, 1, bytes.size, cli->out.stream) == bytes.size;
}

static int print_ics(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    stet_error err;
    int code = cli_connect(cli);
    if (code != EXIT_DONE) return code;
    calendar_path(cli, &path, "/calendar/");
    struct call call = {.method = "GET"};
    if (cli_end_path(&path, &call, &err) != STET_OK) return cli_fail(cli, &err);
    const struct peer_stream stream = {
        .call = &call, .accept = "text/calendar", .sink = ics_write, .context = cli};
    stet_status status = peer_read(cli->peer, &stream, cli->arena, &answer, &err);
    /* Its own failure to write is told at the end. */
    if (status == STET_CANCELLED) return EXIT_FAILED;
    if (status != STET_OK) return cli_fail(cli, &err);
    return answer.http == 200 ? EXIT_DONE : cli_refuse(cli, cli->arena, &answer);
}

int run_calendar(struct cli *cli) {
    static const char *const names[] = {"DAY", "FROM", "TO", "ID", "RESOURCES", "ZONE", "WHAT"};
    struct days days = {0};
    stet_view after = {0};
    if (args_switch(cli->args, OPTION_ICS)) return print_ics(cli);
    table_init(&days.table, cli->arena, sizeof names / sizeof names[0]);
    table_titles(&days.table, names);
    do {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        calendar_path(cli, &path, "/calendar/");
        cli_query_u64(&path, "limit", CALENDAR_LIMIT_MAX);
        if (after.size > 0) cli_query(&path, "after", after);
        int code = cli_get(cli, &path, cli->arena, &answer, &doc);
        if (code != EXIT_DONE) return code;
        after = answer_text(cli->arena, &doc, 0, "next");
        if (cli->json) {
            cli_print_json(cli, answer.body);
            continue;
        }
        days.from = answer_text(cli->arena, &doc, 0, "from");
        days.to = answer_text(cli->arena, &doc, 0, "to");
        doc_node list = answer_member(&doc, 0, "occurrences");
        for (doc_node one = list == DOC_NONE ? DOC_NONE : doc_first(&doc, list); one != DOC_NONE;
             one = doc_next(&doc, one))
            add_occurrence(cli, &days, &doc, one);
    } while (after.size > 0);
    return cli->json ? EXIT_DONE : print_calendar(cli, &days);
}

/* ---- free ---------------------------------------------------------------------------------- */

static int print_free(struct cli *cli, const struct doc *doc) {
    static const char *const names[] = {"DAY", "FROM", "TO", "RESOURCE"};
    struct arena *arena = cli->arena;
    struct table table;
    stet_error err;
    doc_node list = answer_member(doc, 0, "free");
    bool complete = answer_bool(doc, 0, "complete");
    if (list == DOC_NONE || doc_count(doc, list) == 0) {
        fputs(complete ? "no room in that time\n" : "no room was found\n", cli->out.stream);
    } else {
        table_init(&table, arena, sizeof names / sizeof names[0]);
        table_titles(&table, names);
        for (doc_node one = doc_first(doc, list); one != DOC_NONE; one = doc_next(doc, one)) {
            stet_view start = answer_text(arena, doc, one, "start_local");
            stet_view end = answer_text(arena, doc, one, "end_local");
            table_add(&table, COLOR_BOLD, day_words(arena, date_of(start)));
            table_add(&table, COLOR_NONE, clock_of(start));
            table_add(&table, COLOR_NONE, end_words(arena, start, end));
            table_add(&table, COLOR_NONE, answer_text(arena, doc, one, "resource"));
        }
        if (table_print(&table, &cli->out, "", &err) != STET_OK) return cli_fail(cli, &err);
        fputs("by the clock of ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE, answer_text(arena, doc, 0, "zone"));
        fputc('\n', cli->out.stream);
    }
    if (!complete)
        fputs("The search was given up after much work: there may be more. Ask for less time.\n",
              cli->errors.stream);
    return EXIT_DONE;
}

int run_free(struct cli *cli) {
    const char *duration = args_text(cli->args, OPTION_DURATION);
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    uint64_t seconds = 0;
    if (duration == NULL || !span_parse(view_of(duration), &seconds)) {
        error_set(&err, STET_BAD_REQUEST, "say how long it takes: --duration 30m, 1h, 2d");
        return cli_fail(cli, &err);
    }
    calendar_path(cli, &path, "/free/");
    cli_query_u64(&path, "duration", seconds);
    if (args_given(cli->args, OPTION_FREE_LIMIT))
        cli_query_u64(&path, "limit", args_number(cli->args, OPTION_FREE_LIMIT));
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE || !cli->json) return code == EXIT_DONE ? print_free(cli, &doc) : code;
    cli_print_json(cli, answer.body);
    return EXIT_DONE;
}
