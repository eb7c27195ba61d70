/*
 * GET /metrics, in Prometheus' text format 0.0.4: the engine's samples, then the server's.
 */
#include "http/metrics.h"

#include "base/view.h"
#include "http/handlers.h"
#include "http/presence.h"
#include "http/request.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

static const int codes[] = {101, 200, 201, 202, 204, 304, 400, 401, 403, 404,
                            405, 406, 408, 409, 410, 412, 413, 415, 421, 422,
                            423, 426, 428, 429, 431, 499, 500, 503, 507, 0};
static_assert(sizeof codes / sizeof codes[0] <= METRICS_CODES, "a column for each code");

static const double bucket_s[METRICS_BUCKETS] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30};

static unsigned code_index(int http) {
    unsigned i = 0;
    while (codes[i] != http && codes[i] != 0)
        i++;
    return i;
}

void metrics_count(struct metrics *metrics, unsigned route, enum method method, int http,
                   int64_t elapsed_ns, uint64_t bytes_in, uint64_t bytes_out) {
    metric_add(&metrics->requests[route][method][code_index(http)], 1);
    unsigned bucket = 0;
    while (bucket < METRICS_BUCKETS && (double)elapsed_ns > bucket_s[bucket] * 1e9)
        bucket++;
    metric_add(&metrics->buckets[route][bucket], 1);
    metric_add(&metrics->nanoseconds[route], (uint64_t)elapsed_ns);
    metric_add(&metrics->bytes_in, bytes_in);
    metric_add(&metrics->bytes_out, bytes_out);
}

/* ---- The page ---- */

static const char *kind_word(stet_metric_kind kind) {
    switch (kind) {
    case STET_METRIC_COUNTER: return "counter";
    case STET_METRIC_GAUGE: return "gauge";
    case STET_METRIC_HISTOGRAM: return "histogram";
    }
    return "untyped";
}

struct page {
    struct buffer *buffer;
    char last[96]; /* HELP and TYPE stand once above the samples of a name. */
};

static void page_sample(void *context, const char *name, const char *help, stet_metric_kind kind,
                        const char *suffix, const char *labels, double value) {
    struct page *page = context;
    if (strcmp(page->last, name) != 0) {
        buffer_append_format(page->buffer, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                             kind_word(kind));
        snprintf(page->last, sizeof page->last, "%s", name);
    }
    buffer_append_text(page->buffer, name);
    if (suffix != NULL) buffer_append_text(page->buffer, suffix);
    if (labels != NULL && labels[0] != '\0') {
        buffer_append_char(page->buffer, '{');
        buffer_append_text(page->buffer, labels);
        buffer_append_char(page->buffer, '}');
    }
    if (value == floor(value) && fabs(value) < 1e15) {
        buffer_append_format(page->buffer, " %.0f\n", value);
    } else {
        buffer_append_format(page->buffer, " %.9g\n", value);
    }
}

static uint64_t total(const struct http_server *server, size_t offset) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < server->loop_count; i++) {
        const char *base = (const char *)&server->loops[i].metrics;
        sum += metric_read((const metric *)(const void *)(base + offset));
    }
    return sum;
}

#define AT(member) offsetof(struct metrics, member)

static size_t cell(size_t base, size_t index) { return base + index * sizeof(metric); }

static const char *row_name(unsigned route) {
    return route < route_count ? routes[route].pattern : "none";
}

static void page_requests(struct page *page, const struct http_server *server) {
    char labels[192];
    for (unsigned route = 0; route <= route_count; route++) {
        for (unsigned method = 0; method < METRICS_METHODS; method++) {
            for (unsigned code = 0; code < sizeof codes / sizeof codes[0]; code++) {
                size_t index = (route * METRICS_METHODS + method) * METRICS_CODES + code;
                uint64_t count = total(server, cell(AT(requests), index));
                if (count == 0) continue;
                snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",status=\"%d\"",
                         row_name(route), method_name((enum method)method), codes[code]);
                page_sample(page, "stet_http_requests_total", "Requests answered.",
                            STET_METRIC_COUNTER, "", labels, (double)count);
            }
        }
    }
}

static void page_latencies(struct page *page, const struct http_server *server) {
    static const char name[] = "stet_http_request_seconds";
    static const char help[] = "Time from the headers to the end of the answer.";
    char labels[192];
    for (unsigned route = 0; route <= route_count; route++) {
        uint64_t sum = 0;
        uint64_t counts[METRICS_BUCKETS + 1];
        for (unsigned i = 0; i <= METRICS_BUCKETS; i++) {
            counts[i] = total(server, cell(AT(buckets), route * (METRICS_BUCKETS + 1) + i));
            sum += counts[i];
        }
        if (sum == 0) continue;
        uint64_t below = 0;
        for (unsigned i = 0; i <= METRICS_BUCKETS; i++) {
            below += counts[i];
            if (i < METRICS_BUCKETS) {
                snprintf(labels, sizeof labels, "route=\"%s\",le=\"%g\"", row_name(route),
                         bucket_s[i]);
            } else {
                snprintf(labels, sizeof labels, "route=\"%s\",le=\"+Inf\"", row_name(route));
            }
            page_sample(page, name, help, STET_METRIC_HISTOGRAM, "_bucket", labels, (double)below);
        }
        snprintf(labels, sizeof labels, "route=\"%s\"", row_name(route));
        uint64_t ns = total(server, cell(AT(nanoseconds), route));
        page_sample(page, name, help, STET_METRIC_HISTOGRAM, "_sum", labels, (double)ns / 1e9);
        page_sample(page, name, help, STET_METRIC_HISTOGRAM, "_count", labels, (double)sum);
    }
}

static void page_client_time(struct page *page, const struct http_server *server, unsigned index) {
    char name[48], labels[48];
    const char *help = telemetry_times[index].help;
    size_t buckets =
        AT(client_times[0].counts) + index * sizeof server->loops->metrics.client_times[0];
    uint64_t below = 0;
    snprintf(name, sizeof name, "stet_client_%s", telemetry_times[index].metric);
    for (unsigned i = 0; i <= TELEMETRY_BUCKETS; i++) {
        below += total(server, cell(buckets, i));
        if (i < TELEMETRY_BUCKETS) {
            snprintf(labels, sizeof labels, "le=\"%g\"", telemetry_bounds_ms[i] / 1e3);
        } else {
            snprintf(labels, sizeof labels, "le=\"+Inf\"");
        }
        page_sample(page, name, help, STET_METRIC_HISTOGRAM, "_bucket", labels, (double)below);
    }
    size_t sum = AT(client_times[0].sum_us) + index * sizeof server->loops->metrics.client_times[0];
    page_sample(page, name, help, STET_METRIC_HISTOGRAM, "_sum", "",
                (double)total(server, sum) / 1e6);
    page_sample(page, name, help, STET_METRIC_HISTOGRAM, "_count", "", (double)below);
}

static void page_clients(struct page *page, const struct http_server *server) {
    char name[48];
    for (unsigned i = 0; i < TELEMETRY_COUNTS; i++) {
        snprintf(name, sizeof name, "stet_client_%s", telemetry_counts[i].metric);
        page_sample(page, name, telemetry_counts[i].help, STET_METRIC_COUNTER, "", "",
                    (double)total(server, cell(AT(client_counts), i)));
    }
    for (unsigned i = 0; i < TELEMETRY_TIMES; i++)
        page_client_time(page, server, i);
}

static void page_server(struct page *page, struct http_server *server) {
    static const struct {
        const char *name;
        const char *help;
        const char *labels;
        stet_metric_kind kind;
        size_t at;
    } rows[] = {
        {"stet_http_received_bytes_total", "Bytes of request bodies.", "", STET_METRIC_COUNTER,
         AT(bytes_in)},
        {"stet_http_sent_bytes_total", "Bytes of answers' bodies.", "", STET_METRIC_COUNTER,
         AT(bytes_out)},
        {"stet_http_slow_clients_total", "Clients cut off at a deadline.", "phase=\"header\"",
         STET_METRIC_COUNTER, AT(cut_header)},
        {"stet_http_slow_clients_total", "Clients cut off at a deadline.", "phase=\"body\"",
         STET_METRIC_COUNTER, AT(cut_body)},
        {"stet_http_slow_clients_total", "Clients cut off at a deadline.", "phase=\"idle\"",
         STET_METRIC_COUNTER, AT(cut_idle)},
        {"stet_http_aborted_total", "Requests whose client left before the answer was sent.", "",
         STET_METRIC_COUNTER, AT(aborted)},
        {"stet_http_retries_told_total", "Answers that asked the client to come back later.", "",
         STET_METRIC_COUNTER, AT(retries_told)},
        {"stet_http_leases_returned_total",
         "Leases of operations given back because their client left.", "", STET_METRIC_COUNTER,
         AT(leases_returned)},
        {"stet_http_streams", "Event streams open now.", "", STET_METRIC_GAUGE, AT(streams)},
        {"stet_http_streams_total", "Event streams opened.", "", STET_METRIC_COUNTER,
         AT(streams_total)},
        {"stet_http_streams_lagging", "Event streams whose reader takes nothing now.", "",
         STET_METRIC_GAUGE, AT(streams_lagging)},
        {"stet_http_stream_events_total", "Events sent on streams.", "", STET_METRIC_COUNTER,
         AT(stream_events)},
        {"stet_http_live_connections", "Live connections open now.", "", STET_METRIC_GAUGE,
         AT(lives)},
        {"stet_http_live_connections_total", "Live connections opened.", "", STET_METRIC_COUNTER,
         AT(lives_total)},
        {"stet_http_live_lagging", "Live connections whose reader takes nothing now.", "",
         STET_METRIC_GAUGE, AT(lives_lagging)},
        {"stet_http_live_messages_total", "Messages of live clients.", "", STET_METRIC_COUNTER,
         AT(live_messages)},
        {"stet_http_live_events_total", "Events sent on live connections.", "", STET_METRIC_COUNTER,
         AT(live_events)},
        {"stet_http_long_polls", "Long polls waiting now.", "", STET_METRIC_GAUGE, AT(long_polls)},
    };
    page_sample(page, "stet_http_connections", "Connections open now.", STET_METRIC_GAUGE, "", "",
                (double)atomic_load(&server->connections));
    page_sample(page, "stet_http_connections_total", "Connections accepted.", STET_METRIC_COUNTER,
                "", "", (double)atomic_load(&server->connections_total));
    page_sample(page, "stet_http_connections_refused_total",
                "Connections closed at once because too many were open.", STET_METRIC_COUNTER, "",
                "", (double)atomic_load(&server->connections_refused));
    page_sample(page, "stet_http_present", "Records that live clients have open.",
                STET_METRIC_GAUGE, "", "", (double)presence_count(server->presence));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        page_sample(page, rows[i].name, rows[i].help, rows[i].kind, "", rows[i].labels,
                    (double)total(server, rows[i].at));
    }
    page_clients(page, server);
    page_requests(page, server);
    page_latencies(page, server);
}

void handle_metrics(struct request *request) {
    if (!request_params_done(request)) return;
    struct buffer buffer;
    struct page page = {.buffer = &buffer};
    buffer_init(&buffer, &request->arena, 0);
    stet_metrics(request->loop->server->engine, page_sample, &page);
    page_server(&page, request->loop->server);
    if (buffer_status(&buffer) != STET_OK) {
        stet_error err = {.status = STET_NO_MEMORY, .message = "out of memory"};
        request_refuse(request, &err);
        return;
    }
    struct reply reply = {
        .http = 200,
        .body = buffer_view(&buffer),
        .content_type = "text/plain; version=0.0.4; charset=utf-8",
    };
    request_reply(request, &reply);
}
