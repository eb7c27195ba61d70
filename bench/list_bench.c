/*
 * What a list costs beside a hot GET: 50 records out of many, found and ordered by an index. And what an access rule adds to both.
 *
 *   list_bench [--records N] [--rounds N] [--dir DIR] [--json FILE]
 *
 * A server in this process, over HTTP on one connection: by turns a few GETs of records that are in the cache, and one list, so that
 * both see the same machine. A list is of a random group of a hundred records (where group = …, sort by -n, limit 50). For each:
 * the median latency, and per record returned.
 *
 * Each of them is asked three times by turns: of a type without rules, and of one with `owner = actor.id || actor.roles contains "sales"`
 * by somebody to whom every record belongs, so that each is judged, and by somebody from sales, whose role settles it.
 */
#include "http/server.h"
#include "measure.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT = 50, GROUP = 100, TOGETHER = 1000, HOT = 500, GETS = 10, TEXT_BYTES = 430 };
enum { ANSWER_BYTES_MAX = 256 * 1024, WARM_ROUNDS = 200 };

/* Who asks for what. */
struct look {
    const char *words;
    const char *type;
    const char *actor;
    const char *role; /* NULL: none, as a member. */
    char token[128];
    struct histogram gets, lists;
};

enum { LOOK_PLAIN, LOOK_RECORD, LOOK_ROLE, LOOKS };

static struct look looks[LOOKS] = {
    [LOOK_PLAIN] = {"no rule", "deal", "ann", NULL, "", {0}, {0}},
    [LOOK_RECORD] = {"a rule judged by each record", "ruled", "ann", NULL, "", {0}, {0}},
    [LOOK_ROLE] = {"a rule settled by a role", "ruled", "sam", "sales", "", {0}, {0}},
};

struct settings {
    size_t records;
    size_t rounds;
    const char *dir;
    const char *json;
};

static uint64_t random_state = 42;
static int port;

static void fail(const char *what) {
    fprintf(stderr, "list_bench: %s\n", what);
    exit(1);
}

static uint64_t random_below(uint64_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

/* ---- Over HTTP --------------------------------------------------------------------------- */

static int dial(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        fail("could not connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Sends a request and reads the whole answer, which must have this status. Returns its body. */
static const char *ask(int fd, const char *request, size_t size, int status) {
    static char answer[ANSWER_BYTES_MAX];
    size_t got = 0;
    if (write(fd, request, size) != (ssize_t)size) fail("a connection was lost");
    for (;;) {
        ssize_t more = read(fd, answer + got, sizeof answer - 1 - got);
        if (more <= 0) fail("the server closed a connection, or an answer is too long");
        got += (size_t)more;
        answer[got] = '\0';
        const char *end = strstr(answer, "\r\n\r\n");
        const char *length = strcasestr(answer, "\r\nContent-Length: ");
        if (end == NULL || length == NULL) continue;
        if (got < (size_t)(end + 4 - answer) + strtoul(length + 18, NULL, 10)) continue;
        if (atoi(answer + 9) != status) fail(answer);
        return end + 4;
    }
}

static int64_t time_get(int fd, const struct look *look, size_t record) {
    char request[512];
    int size = snprintf(request, sizeof request,
                        "GET /v1/main/records/%s/%07zu HTTP/1.1\r\nHost: localhost:%d\r\n"
                        "Authorization: Bearer %s\r\n\r\n",
                        look->type, record, port, look->token);
    int64_t begin = now_ns();
    ask(fd, request, (size_t)size, 200);
    return now_ns() - begin;
}

static int64_t time_list(int fd, const struct look *look, size_t group) {
    char request[512];
    int size = snprintf(request, sizeof request,
                        "GET /v1/main/records/%s?where=group%%3D%%22g%06zu%%22&sort=-n&limit=%d"
                        " HTTP/1.1\r\nHost: localhost:%d\r\nAuthorization: Bearer %s\r\n\r\n",
                        look->type, group, LIMIT, port, look->token);
    int64_t begin = now_ns();
    const char *body = ask(fd, request, (size_t)size, 200);
    int64_t took = now_ns() - begin;
    size_t found = 0;
    while ((body = strstr(body, "\"address\"")) != NULL) {
        found++;
        body++;
    }
    if (found != LIMIT) fail("a list has too few records");
    return took;
}

/* ---- Data -------------------------------------------------------------------------------- */

static const stet_actor boss = {.id = {"bench", 5}, .admin = true};

static stet_status fill_type(stet_command *command, void *context, stet_error *err) {
    return stet_command_type_write(command, context, err);
}

static void declare(stet_space *space, const char *type, const char *definition) {
    stet_type_write write = {.name = {type, strlen(type)},
                             .definition = {definition, strlen(definition)}};
    stet_result *result = NULL;
    stet_error err;
    if (stet_run_blocking(space, &boss, fill_type, &write, &result, &err) != STET_OK)
        fail(err.message);
    stet_result_destroy(result);
}

static stet_status fill_token(stet_command *command, void *context, stet_error *err) {
    return stet_command_token_create(command, context, err);
}

static void make_token(stet_engine *engine, struct look *look) {
    const stet_view role = {look->role, look->role == NULL ? 0 : strlen(look->role)};
    stet_token_request request = {.actor = {look->actor, strlen(look->actor)},
                                  .name = {look->words, strlen(look->words)},
                                  .roles = &role,
                                  .role_count = look->role == NULL ? 0 : 1};
    static const char name[] = "\"token\":\"";
    stet_space *home = NULL;
    stet_result *result = NULL;
    stet_error err;
    if (stet_space_open_blocking(engine, (stet_view){"stet", 4}, &home, &err) != STET_OK ||
        stet_run_blocking(home, &boss, fill_token, &request, &result, &err) != STET_OK)
        fail(err.message);
    stet_view body = stet_result_outcome(result)->body;
    const char *at = memmem(body.bytes, body.size, name, sizeof name - 1);
    if (at == NULL || sscanf(at + sizeof name - 1, "%127[^\"]", look->token) != 1)
        fail("there is no token in the answer");
    stet_result_destroy(result);
    stet_space_close(home);
}

static void fill(stet_space *space, const char *type, const struct settings *settings) {
    static stet_mutation mutations[TOGETHER];
    static char ids[TOGETHER][16];
    static char data[TOGETHER][TEXT_BYTES + 100];
    size_t groups = settings->records / GROUP;
    stet_error err;
    for (size_t first = 0; first < settings->records; first += TOGETHER) {
        for (size_t one = 0; one < TOGETHER; one++) {
            size_t record = first + one;
            int id = snprintf(ids[one], sizeof ids[one], "%07zu", record);
            /* The records of a group lie far apart. */
            int size =
                snprintf(data[one], sizeof data[one],
                         "{\"group\":\"g%06zu\",\"n\":%zu,\"owner\":\"ann\",\"text\":\"%0*zu\"}",
                         record % groups, record * 7919 % 1000003, TEXT_BYTES, record);
            mutations[one] = (stet_mutation){.op = STET_OP_CREATE,
                                             .type = {type, strlen(type)},
                                             .id = {ids[one], (size_t)id},
                                             .body = {data[one], (size_t)size}};
        }
        stet_write write = {.mutations = mutations,
                            .mutation_count = TOGETHER,
                            .transaction = true,
                            .minimal = true};
        stet_result *result = NULL;
        if (stet_write_blocking(space, &boss, &write, &result, &err) != STET_OK) fail(err.message);
        stet_result_destroy(result);
    }
}

/* ---- The run ----------------------------------------------------------------------------- */

static void measure(int fd, const struct settings *settings) {
    size_t groups = settings->records / GROUP;
    for (struct look *look = looks; look < looks + LOOKS; look++) {
        histogram_reset(&look->gets);
        histogram_reset(&look->lists);
    }
    for (size_t round = 0; round < WARM_ROUNDS + settings->rounds; round++) {
        size_t group = random_below(groups), first = random_below(HOT);
        for (size_t i = 0; i < LOOKS; i++) {
            /* Who goes first changes, as the first one finds the caches colder. */
            struct look *look = &looks[(i + round) % LOOKS];
            for (size_t get = 0; get < GETS; get++) {
                int64_t took = time_get(fd, look, (first + get) % HOT);
                if (round >= WARM_ROUNDS) histogram_add(&look->gets, took);
            }
            int64_t took = time_list(fd, look, group);
            if (round >= WARM_ROUNDS) histogram_add(&look->lists, took);
        }
    }
}

static void report(const struct settings *settings) {
    FILE *json = results_open(settings->json);
    const struct look *plain = &looks[LOOK_PLAIN];
    double get_us = histogram_us(&plain->gets, 0.5);
    double list_us = histogram_us(&plain->lists, 0.5);
    double ratio = list_us / LIMIT / get_us;
    printf("%d of %zu records by index, one connection, median (p99) of %zu\n", LIMIT,
           settings->records, settings->rounds);
    printf("  hot GET            %8.1f µs (%.1f)\n", get_us, histogram_us(&plain->gets, 0.99));
    printf("  list               %8.1f µs (%.1f)\n", list_us, histogram_us(&plain->lists, 0.99));
    printf("  a record of a list %8.1f µs: %.2f hot GETs\n", list_us / LIMIT, ratio);
    fprintf(json,
            "{\"bench\":\"list\",\"records\":%zu,\"limit\":%d,\"get_us\":%.2f,\"list_us\":%.2f,"
            "\"ratio\":%.3f}\n",
            settings->records, LIMIT, get_us, list_us, ratio);
    for (const struct look *look = looks + 1; look < looks + LOOKS; look++) {
        double get = histogram_us(&look->gets, 0.5), list = histogram_us(&look->lists, 0.5);
        printf("  with %-30s hot GET %8.1f µs (%+.1f %%), list %8.1f µs (%+.1f %%)\n", look->words,
               get, (get / get_us - 1) * 100, list, (list / list_us - 1) * 100);
        fprintf(json,
                "{\"benchmark\":\"access\",\"rule\":\"%s\",\"records\":%zu,\"get_us\":%.2f,"
                "\"list_us\":%.2f,\"get_times\":%.4f,\"list_times\":%.4f}\n",
                look->role == NULL ? "record" : "role", settings->records, get, list, get / get_us,
                list / list_us);
    }
    fclose(json);
}

static void run(const struct settings *settings) {
    char folder[4096], command[4200];
    stet_engine *engine = NULL;
    stet_space *space = NULL;
    struct http_server *server = NULL;
    stet_error err;
    snprintf(folder, sizeof folder, "%s/list_bench.XXXXXX", settings->dir);
    if (mkdtemp(folder) == NULL) fail("could not make a folder");
    stet_options options = {.data_dir = folder};
    struct http_options http = {.listen = "127.0.0.1:0", .io_threads = 1};
    if (stet_open(&options, &engine, &err) != STET_OK ||
        http_server_start(engine, &http, &server, &err) != STET_OK ||
        stet_space_open_blocking(engine, (stet_view){"main", 4}, &space, &err) != STET_OK)
        fail(err.message);
    port = atoi(strrchr(http_server_url(server), ':') + 1);
    declare(space, "deal", "{\"index\":[[\"/group\",\"-/n\"]]}");
    declare(space, "ruled",
            "{\"index\":[[\"/group\",\"-/n\"]],\"access\":"
            "{\"read\":\"owner = actor.id || actor.roles contains 'sales'\"}}");
    for (size_t i = 0; i < LOOKS; i++)
        make_token(engine, &looks[i]);
    fill(space, "deal", settings);
    fill(space, "ruled", settings);
    int fd = dial();
    measure(fd, settings);
    report(settings);
    close(fd);
    stet_space_close(space);
    http_server_stop(server);
    stet_close(engine);
    snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
    if (system(command) != 0) fprintf(stderr, "list_bench: could not remove %s\n", folder);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"records", required_argument, NULL, 'r'},
        {"rounds", required_argument, NULL, 'n'},
        {"dir", required_argument, NULL, 'd'},
        {"json", required_argument, NULL, 'j'},
        {0},
    };
    struct settings settings = {.records = 100000, .rounds = 2000, .dir = "."};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'r': settings.records = strtoul(optarg, NULL, 10); break;
        case 'n': settings.rounds = strtoul(optarg, NULL, 10); break;
        case 'd': settings.dir = optarg; break;
        case 'j': settings.json = optarg; break;
        default: return 2;
        }
    }
    if (settings.records < 10000 || settings.records % TOGETHER != 0 || settings.rounds == 0)
        fail("records: a multiple of 1000, from 10000 on");
    run(&settings);
    return 0;
}
