/*
 * Load over connections.
 *
 *   http_load [--mode MODE,…] [--connections N,…] [--records N] [--seconds S] [--warm S] [--rounds N] [--minimal] [--json FILE]
 *             [--target stet,echo,redis,postgres,etcd] [--variants WAY,…] [--audit restart] [--program build/stet] [--dir DIR] [--io-threads N]
 *             [--spaces N]
 *   http_load --starts N        times so many starts of each target, and says how much memory it then takes
 *             [--url URL --token TOKEN]
 *
 *   put      conditional PUT of a random record of the connection's own share from the version last seen, 500 bytes, a fresh key each
 *   update   the same, answered with the new version alone: what all targets do
 *   get      GET of random records of the first 1,000 (hot)
 *   get304   the same with If-None-Match: nothing moved
 *   echo     the HTTP layer with nothing behind it, the ceiling of get (only target echo does it: echo_server.c)
 *   incr     all connections increment one record: GET, PUT from that version, again when somebody was faster
 *   post     creates records
 *   add      all connections increment one record whose type adds concurrent changes up (postgres: see target_postgres.c)
 *   fresh    PUT of a random record of a type that merges, from its head; fields change by turns
 *   stale    the same from one version before, so that it has to be merged with the change of the other field
 *   fresh-patch, stale-patch   the same with merge patches
 *
 * The servers are started on free ports with empty folders, unless --url names a running Stet. They run on the same machine, so their
 * processor time per operation is shown, by thread, and the generator's own beside it. At the end every record is read back and must be
 * as it was acknowledged; with --audit restart once more, after the server was killed (SIGKILL) and started on what it left.
 */
#include "load.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* The parts of a list with commas. */
static size_t split(char *text, const char **parts) {
    size_t count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        if (count == LIST_MAX) load_fail("a list is too long");
        parts[count++] = part;
    }
    return count;
}

static void parse_modes(struct settings *settings, char *text) {
    const char *parts[LIST_MAX];
    settings->mode_count = split(text, parts);
    for (size_t i = 0; i < settings->mode_count; i++) {
        enum mode mode = 0;
        while (mode < MODES && strcmp(parts[i], mode_names[mode]) != 0)
            mode++;
        if (mode == MODES) load_fail("unknown --mode");
        settings->modes[i] = mode;
    }
}

static void parse_connections(struct settings *settings, char *text) {
    const char *parts[LIST_MAX];
    settings->connection_count = split(text, parts);
    for (size_t i = 0; i < settings->connection_count; i++) {
        settings->connections[i] = (unsigned)strtoul(parts[i], NULL, 10);
        if (settings->connections[i] == 0) load_fail("bad --connections");
    }
}

static struct target *find_target(const char *name) {
    if (strcmp(name, target_stet.name) == 0) return &target_stet;
    if (strcmp(name, target_echo.name) == 0) return &target_echo;
    if (strcmp(name, target_redis.name) == 0) return &target_redis;
#ifdef HAVE_LIBPQ
    if (strcmp(name, target_postgres.name) == 0) return &target_postgres;
#endif
#ifdef HAVE_NGHTTP2
    if (strcmp(name, target_etcd.name) == 0) return &target_etcd;
#endif
    load_fail("unknown --target, or built without its library");
}

static void parse_targets(struct settings *settings, char *text) {
    const char *parts[LIST_MAX];
    settings->target_count = split(text, parts);
    for (size_t i = 0; i < settings->target_count; i++)
        settings->targets[i] = find_target(parts[i]);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"mode", required_argument, NULL, 'm'},
        {"connections", required_argument, NULL, 'c'},
        {"records", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {"rounds", required_argument, NULL, 'R'},
        {"minimal", no_argument, NULL, 'n'},
        {"warm", required_argument, NULL, 'w'},
        {"json", required_argument, NULL, 'j'},
        {"target", required_argument, NULL, 'T'},
        {"variants", required_argument, NULL, 'v'},
        {"program", required_argument, NULL, 'p'},
        {"dir", required_argument, NULL, 'd'},
        {"io-threads", required_argument, NULL, 'i'},
        {"url", required_argument, NULL, 'u'},
        {"spaces", required_argument, NULL, 'S'},
        {"starts", required_argument, NULL, 'x'},
        {"token", required_argument, NULL, 't'},
        {"audit", required_argument, NULL, 'a'},
        {0},
    };
    struct settings settings = {.options = {.dir = "."},
                                .targets = {&target_stet},
                                .target_count = 1,
                                .modes = {MODE_PUT},
                                .mode_count = 1,
                                .connections = {64, 256},
                                .connection_count = 2,
                                .records = 10000,
                                .spaces = 1,
                                .seconds = 5,
                                .warm_seconds = 0.5,
                                .rounds = 1};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'm': parse_modes(&settings, optarg); break;
        case 'c': parse_connections(&settings, optarg); break;
        case 'r': settings.records = strtoul(optarg, NULL, 10); break;
        case 'S': settings.spaces = strtoul(optarg, NULL, 10); break;
        case 'x': settings.starts = (unsigned)strtoul(optarg, NULL, 10); break;
        case 's': settings.seconds = atof(optarg); break;
        case 'w': settings.warm_seconds = atof(optarg); break;
        case 'R': settings.rounds = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'n': settings.minimal = true; break;
        case 'j': settings.json = optarg; break;
        case 'T': parse_targets(&settings, optarg); break;
        case 'v': settings.variant_count = split(optarg, settings.variants); break;
        case 'p': settings.options.program = optarg; break;
        case 'd': settings.options.dir = optarg; break;
        case 'i': settings.options.io_threads = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'a':
            if (strcmp(optarg, "restart") != 0) load_fail("unknown --audit");
            settings.crash = true;
            break;
        case 'u': settings.options.url = optarg; break;
        case 't': settings.options.token = optarg; break;
        default: return 2;
        }
    }
    if (settings.records < RECORDS_MIN) load_fail("at least 1000 records");
    if (settings.seconds <= 0 || settings.warm_seconds < 0) load_fail("bad --seconds or --warm");
    if (settings.rounds == 0 || settings.rounds > ROUNDS_MAX) load_fail("bad --rounds");
    if (settings.spaces == 0 || settings.spaces > SPACES_MAX) load_fail("bad --spaces");
    if (settings.starts > ROUNDS_MAX) load_fail("bad --starts");
    if (settings.starts > 0)
        load_starts(&settings);
    else
        load_run(&settings);
    return 0;
}
