/*
 * What a client is promised: outcomes, preconditions, media types, answers.
 */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE "/v1/main/records/invoices/7"
#define MERGE "Content-Type: application/merge-patch+json\r\n"
#define PATCH_JSON "Content-Type: application/json-patch+json\r\n"

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

/* invoices/7 at version 2. */
static void two_versions(void) {
    call("PUT", ONE, JSON, "{\"paid\":false,\"sum\":10}");
    expect_status(201);
    call("PUT", ONE, JSON "If-Match: \"1\"\r\nStet-Actor: ann\r\n", "{\"paid\":true,\"sum\":10}");
    expect_status(200);
}

static void put_creates_reads_and_replaces(void **state) {
    (void)state;
    call("PUT", ONE, JSON, "{\"paid\": false}");
    expect_status(201);
    expect_header("ETag", "\"1\"");
    expect_header("Location", ONE);
    expect_body("\"version\":1");
    call("GET", ONE, "", NULL);
    expect_status(200);
    expect_header("ETag", "\"1\"");
    expect_header("Cache-Control", "private, no-cache, no-transform");
    expect_header("Vary", "Authorization, Cookie");
    expect_header("Content-Type", "application/json");
    expect_body("\"data\":{\"paid\": false}");
    call("PUT", ONE, JSON "If-Match: \"1\"\r\n", "{\"paid\":true}");
    expect_status(200);
    expect_header("ETag", "\"2\"");
    expect_header("Location", NULL);
}

static void a_stale_write_is_told_who_changed_what(void **state) {
    (void)state;
    two_versions();
    call("PUT", ONE "?base_version=1", JSON, "{\"paid\":null,\"sum\":10}");
    expect_problem(409, "CONCURRENT_MODIFICATION", NULL);
    expect_body("\"conflict_type\":\"concurrent_edit\"");
    expect_body("\"expected_version\":1");
    expect_body("\"current_version\":2");
    expect_body("\"last_modified_by\":\"ann\"");
    expect_body("\"base\":{\"paid\":false,\"sum\":10}");
    expect_body("\"yours\":{\"paid\":null,\"sum\":10}");
    expect_body("\"resolution_token\":\"");
    call("PUT", ONE, JSON "If-Match: \"1\"\r\n", "{\"paid\":null,\"sum\":10}");
    expect_problem(412, "CONCURRENT_MODIFICATION", NULL);
    expect_body("\"current\":{\"paid\":true,\"sum\":10}");
    call("GET", ONE, "", NULL);
    expect_body("\"version\":2");
}

static void a_write_must_name_its_base(void **state) {
    (void)state;
    two_versions();
    call("PUT", ONE, JSON, "{\"paid\":null}");
    expect_problem(428, "PRECONDITION_REQUIRED", NULL);
    call("PUT", ONE, JSON "If-Match: *\r\n", "{\"paid\":null}");
    expect_problem(428, "PRECONDITION_REQUIRED", NULL);
    call("DELETE", ONE, "", NULL);
    expect_problem(428, "PRECONDITION_REQUIRED", NULL);
    call("PATCH", ONE, MERGE, "{\"paid\":null}");
    expect_problem(428, "PRECONDITION_REQUIRED", NULL);
    call("POST", ONE "/revert?to=1", "", NULL);
    expect_problem(428, "PRECONDITION_REQUIRED", NULL);
}

static void a_base_may_be_a_weak_tag_a_time_or_in_the_envelope(void **state) {
    (void)state;
    char envelope[256];
    two_versions();
    call("PUT", ONE, JSON "If-Match: W/\"2\"\r\n", "{\"a\":1}");
    expect_status(200);
    call("PUT", ONE, STET, "{\"base_version\":3,\"data\":{\"a\":2}}");
    expect_status(200);
    snprintf(envelope, sizeof envelope, "{\"base_updated_at\":\"%s\",\"data\":{\"a\":3}}",
             member("last_modified"));
    call("PUT", ONE, STET, envelope);
    expect_status(200);
    expect_body("\"version\":5");
    call("PUT", ONE, STET, envelope);
    expect_status(200); /* The same content: nothing to do. */
    expect_body("\"unchanged\":true");
    call("PUT", ONE "?base_updated_at=2020-01-01T00:00:00Z", JSON, "{\"a\":4}");
    expect_problem(409, "CONCURRENT_MODIFICATION", NULL);
    expect_body("; you wrote from another state of it\"");
}

static void bases_that_disagree_are_refused(void **state) {
    (void)state;
    two_versions();
    call("PUT", ONE "?base_version=1", JSON "If-Match: \"2\"\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "base_version");
    call("PUT", ONE, JSON "If-Match: \"1\", \"2\"\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "If-Match");
    call("PUT", ONE, JSON "If-Match: 2\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "If-Match");
    call("PUT", ONE, JSON "If-Match: \"2\"\r\nIf-Match: \"2\"\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "If-Match");
    call("PUT", ONE, JSON "If-None-Match: \"2\"\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "If-None-Match");
    call("PATCH", ONE, MERGE "If-None-Match: *\r\n", "{}");
    expect_problem(400, "BAD_REQUEST", "If-None-Match");
}

static void creating_what_exists_is_refused_with_the_current_record(void **state) {
    (void)state;
    two_versions();
    call("PUT", ONE, JSON "If-None-Match: *\r\n", "{\"x\":1}");
    expect_problem(412, "ALREADY_EXISTS", NULL);
    expect_body("\"paid\":true");
    call("POST", "/v1/main/records/invoices?id=7", JSON, "{\"x\":1}");
    expect_problem(409, "ALREADY_EXISTS", NULL);
}

static void post_makes_an_id_and_says_where(void **state) {
    (void)state;
    char where[256];
    call("POST", "/v1/main/records/invoices", JSON, "{\"x\":1}");
    expect_status(201);
    snprintf(where, sizeof where, "%s", header("Location"));
    assert_int_equal(strlen(where), strlen("/v1/main/records/invoices/") + 36);
    call("GET", where, "", NULL);
    expect_status(200);
    call("POST", "/v1/main/records/invoices", STET, "{\"id\":\"a/b c\",\"data\":{}}");
    expect_status(201);
    expect_header("Location", "/v1/main/records/invoices/a%2Fb%20c");
    call("GET", "/v1/main/records/invoices/a%2Fb%20c", "", NULL);
    expect_status(200);
    expect_body("\"id\":\"a/b c\"");
}

static void a_repeated_key_gives_the_first_answer(void **state) {
    (void)state;
    call("POST", "/v1/main/records/invoices", JSON "Idempotency-Key: \"k1\"\r\n", "{\"x\":1}");
    expect_status(201);
    expect_header("Idempotency-Replayed", NULL);
    char id[64];
    snprintf(id, sizeof id, "%s", member("id"));
    call("POST", "/v1/main/records/invoices", JSON "Idempotency-Key: k1\r\n", "{\"x\":1}");
    expect_status(201);
    expect_header("Idempotency-Replayed", "true");
    assert_string_equal(member("id"), id);
    call("POST", "/v1/main/records/invoices", JSON "Idempotency-Key: k1\r\n", "{\"x\":2}");
    expect_problem(422, "KEY_REUSED", NULL);
    call("GET", "/v1/main/mutations/k1", "", NULL);
    expect_status(200);
    expect_body("\"status\":\"confirmed\"");
    call("GET", "/v1/main/mutations/nobody", "", NULL);
    expect_body("\"status\":\"unknown\"");
}

static void patches_come_in_three_forms(void **state) {
    (void)state;
    two_versions();
    call("PATCH", ONE, MERGE "If-Match: \"2\"\r\n", "{\"paid\":null}");
    expect_status(200);
    expect_body("\"data\":{\"sum\":10}");
    call("PATCH", ONE "?base_version=3", PATCH_JSON,
         "[{\"op\":\"replace\",\"path\":\"/sum\",\"value\":11}]");
    expect_status(200);
    expect_body("\"data\":{\"sum\":11}");
    call("PATCH", ONE, JSON, "{\"base_version\":4,\"patch\":{\"note\":\"n\"}}");
    expect_status(200);
    expect_body("\"note\":\"n\"");
    call("PATCH", ONE, STET,
         "{\"base_version\":5,\"patch\":[{\"op\":\"remove\",\"path\":\"/note\"}]}");
    expect_status(200);
    call("PATCH", ONE, PATCH_JSON "If-Match: \"6\"\r\n",
         "[{\"op\":\"remove\",\"path\":\"/nothing\"}]");
    expect_problem(422, "PATCH_FAILED", NULL);
    call("PATCH", ONE, "Content-Type: text/plain\r\nIf-Match: \"6\"\r\n", "{}");
    expect_problem(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type");
}

static void a_deleted_record_says_so(void **state) {
    (void)state;
    two_versions();
    call("DELETE", ONE, "If-Match: \"2\"\r\n", NULL);
    expect_status(200);
    expect_body("\"deleted\":true");
    call("GET", ONE, "", NULL);
    expect_problem(404, "DELETED", NULL);
    expect_body("\"version\":3");
    call("DELETE", ONE, "If-Match: \"3\"\r\n", NULL);
    expect_problem(404, "DELETED", NULL);
    call("PUT", ONE, JSON, "{\"again\":1}");
    expect_status(201);
    expect_body("\"version\":4");
}

static void what_never_was_is_not_found(void **state) {
    (void)state;
    call("GET", "/v1/main/records/invoices/none", "", NULL);
    expect_problem(404, "NOT_FOUND", NULL);
    call("GET", "/v1/nowhere/records/invoices/1", "", NULL);
    expect_problem(404, "NOT_FOUND", "space");
    expect_body("nowhere");
    call("GET", "/v2", "", NULL);
    expect_problem(404, "NOT_FOUND", "path");
}

static void a_known_version_is_not_sent_again(void **state) {
    (void)state;
    two_versions();
    call("GET", ONE, "If-None-Match: \"2\"\r\n", NULL);
    expect_status(304);
    expect_header("ETag", "\"2\"");
    call("GET", ONE, "If-None-Match: \"1\", W/\"2\"\r\n", NULL);
    expect_status(304);
    call("GET", ONE, "If-None-Match: \"1\"\r\n", NULL);
    expect_status(200);
    call("GET", ONE, "If-None-Match: *\r\n", NULL);
    expect_status(304);
}

static void head_is_get_without_its_body(void **state) {
    (void)state;
    char length[32];
    two_versions();
    call("GET", ONE, "", NULL);
    snprintf(length, sizeof length, "%s", header("Content-Length"));
    call("HEAD", ONE, "", NULL);
    expect_status(200);
    expect_header("ETag", "\"2\"");
    expect_header("Content-Length", length);
    assert_int_equal(got.body_size, 0);
    call("HEAD", "/v1/main/records/invoices/none", "", NULL);
    expect_status(404);
    call("GET", "/healthz", "", NULL); /* The connection is still in step. */
    expect_status(200);
}

static void options_names_the_methods(void **state) {
    (void)state;
    call("OPTIONS", ONE, "", NULL);
    expect_status(204);
    expect_header("Allow", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
    call("POST", ONE, JSON, "{}");
    expect_problem(405, "METHOD_NOT_ALLOWED", "method");
    expect_header("Allow", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
}

static void prefer_minimal_spares_the_body(void **state) {
    (void)state;
    call("PUT", ONE, JSON "Prefer: return=minimal\r\n", "{\"a\":1}");
    expect_status(201);
    expect_header("Preference-Applied", "return=minimal");
    expect_header("ETag", "\"1\"");
    expect_header("Stet-Seq", "1");
    assert_int_equal(got.body_size, 0);
    call("PUT", ONE, JSON "Prefer: return=minimal\r\nIf-Match: \"1\"\r\n", "{\"a\":2}");
    expect_status(204);
    expect_header("ETag", "\"2\"");
    call("PUT", ONE, JSON "Prefer: return=representation\r\nIf-Match: \"2\"\r\n", "{\"a\":3}");
    expect_status(200);
    expect_header("Preference-Applied", "return=representation");
    expect_body("\"a\":3");
}

static void a_dry_run_stores_nothing(void **state) {
    (void)state;
    call("PUT", ONE "?dry_run=1", JSON, "{\"a\":1}");
    expect_status(201);
    call("GET", ONE, "", NULL);
    expect_status(404);
    two_versions();
    call("DELETE", ONE "?dry_run=1&base_version=1", "", NULL);
    expect_problem(409, "CONCURRENT_MODIFICATION", NULL);
    call("PUT", ONE "?dry_run=2", JSON, "{}");
    expect_problem(400, "BAD_REQUEST", "dry_run");
}

static void strategies_may_be_named(void **state) {
    (void)state;
    two_versions();
    call("PUT", ONE "?base_version=1&on_conflict=last_writer_wins", JSON, "{\"paid\":1}");
    expect_status(200);
    expect_body("\"merge\":");
    call("PUT", ONE "?base_version=1&on_conflict=perhaps", JSON, "{\"paid\":2}");
    expect_problem(400, "BAD_REQUEST", "on_conflict");
}

#define STALE ONE "?base_version=1&on_conflict="

static void each_strategy_answers_a_stale_write_in_its_way(void **state) {
    (void)state;
    two_versions();
    call("PUT", STALE "merge", JSON, "{\"paid\":false,\"sum\":11}");
    expect_status(200);
    expect_header("ETag", "\"3\"");
    expect_body("\"data\":{\"paid\":true,\"sum\":11}");
    expect_body("\"fields\":{\"/paid\":{\"from\":\"current\"},\"/sum\":{\"from\":\"yours\"}}");
    expect_body("\"conflict_id\":\"seq-3\"");
    call("PUT", STALE "server_wins", JSON "Prefer: return=minimal\r\n", "{\"paid\":1}");
    expect_status(200);
    expect_body("\"applied\":false");
    expect_header("ETag", "\"3\"");
    call("PUT", STALE "newest", JSON, "{\"paid\":1}");
    expect_problem(400, "BAD_REQUEST", "modified_at");
    call("PUT", STALE "newest&modified_at=2001-01-01T00:00:00Z", JSON, "{\"paid\":1}");
    expect_status(200);
    expect_body("\"applied\":false");
    call("PUT", STALE "newest&modified_at=2999-01-01T00:00:00Z", JSON, "{\"paid\":1}");
    expect_problem(400, "BAD_REQUEST", "modified_at");
    call("PUT", ONE, STET,
         "{\"base_version\":1,\"on_conflict\":\"newest\",\"modified_at\":\"2001-01-01T00:00:00Z\","
         "\"data\":{}}");
    expect_body("\"applied\":false");
    call("PUT", STALE "merge", JSON, "{\"paid\":false,\"sum\":12}");
    expect_problem(409, "CONCURRENT_MODIFICATION", NULL);
    call("PUT", ONE "?base_version=3&on_conflict=function:mine", JSON, "{}");
    expect_problem(400, "BAD_REQUEST", "on_conflict");
}

static void a_preview_answers_and_stores_nothing(void **state) {
    (void)state;
    two_versions();
    call("POST", ONE "/merge-preview", JSON,
         "{\"base_version\":1,\"on_conflict\":\"merge\",\"patch\":{\"sum\":11}}");
    expect_status(200);
    expect_body("\"outcome\":\"merged\"");
    expect_body("\"result\":{\"paid\":true,\"sum\":11}");
    call("POST", ONE "/merge-preview", JSON,
         "{\"base_version\":1,\"on_conflict\":\"merge\",\"data\":{\"paid\":1,\"sum\":10}}");
    expect_status(200);
    expect_body("\"outcome\":\"conflict\"");
    expect_body("\"resolution_token\":");
    call("POST", ONE "/merge-preview", JSON, "{\"base_version\":1}");
    expect_problem(400, "BAD_REQUEST", "/data");
    call("POST", ONE "/merge-preview", JSON "Idempotency-Key: k\r\n",
         "{\"base_version\":1,\"patch\":{}}");
    expect_problem(400, "BAD_REQUEST", "Idempotency-Key");
    call("GET", ONE, "", NULL);
    expect_header("ETag", "\"2\"");
}

static void the_past_can_be_read(void **state) {
    (void)state;
    char target[256];
    two_versions();
    call("GET", ONE "?version=1", "", NULL);
    char then[64];
    snprintf(then, sizeof then, "%s", member("last_modified"));
    call("PUT", ONE, JSON "If-Match: \"2\"\r\n", "{\"paid\":3}");
    call("GET", ONE "?version=1", "", NULL);
    expect_status(200);
    expect_header("ETag", "\"1\"");
    expect_body("\"paid\":false");
    call("GET", ONE "?at_seq=2", "", NULL);
    expect_body("\"paid\":true");
    snprintf(target, sizeof target, ONE "?at=%s", then);
    call("GET", target, "", NULL);
    expect_body("\"paid\":false");
    call("GET", ONE "?version=9", "", NULL);
    expect_status(404);
    call("GET", ONE "?version=1&at_seq=1", "", NULL);
    expect_problem(400, "BAD_REQUEST", "version");
    call("GET", ONE "?at=yesterday", "", NULL);
    expect_problem(400, "BAD_REQUEST", "at");
    call("GET", ONE "/history?data=1&limit=2", "", NULL);
    expect_status(200);
    expect_body("\"version\":3");
    expect_body("\"next\":");
    expect_body("\"data\":{\"paid\":3}");
    call("GET", ONE "/diff?from=1&to=2", "", NULL);
    expect_status(200);
    expect_body("\"pointer\":\"/paid\"");
    call("GET", ONE "/diff", "", NULL);
    expect_problem(400, "BAD_REQUEST", "from");
    call("GET", ONE "/concurrency", "", NULL);
    expect_status(200);
    expect_body("\"current_version\":3");
    expect_header("ETag", NULL);
    call("GET", ONE "?min_seq=3", "", NULL);
    expect_status(200);
}

static void an_earlier_version_comes_back(void **state) {
    (void)state;
    two_versions();
    call("POST", ONE "/revert", JSON "If-Match: \"2\"\r\n", "{\"to\":1}");
    expect_status(200);
    expect_body("\"paid\":false");
    expect_header("ETag", "\"3\"");
    call("POST", ONE "/revert?to=2", "If-Match: \"1\"\r\n", NULL);
    expect_problem(412, "CONCURRENT_MODIFICATION", NULL);
    call("POST", ONE "/revert?to=2&base_version=3", JSON, "{\"to\":1}");
    expect_problem(400, "BAD_REQUEST", "to");
}

static void a_conflict_is_resolved_by_its_token(void **state) {
    (void)state;
    char body[2048];
    two_versions();
    call("PUT", ONE "?base_version=1", JSON, "{\"paid\":null,\"sum\":10}");
    expect_status(409);
    snprintf(body, sizeof body,
             "{\"resolution_token\":\"%s\",\"choice\":\"yours\","
             "\"yours\":{\"paid\":null,\"sum\":10}}",
             member("resolution_token"));
    call("POST", ONE "/resolve", JSON, body);
    expect_status(200);
    expect_body("\"paid\":null");
    call("POST", ONE "/resolve", JSON, body);
    expect_problem(409, "ALREADY_RESOLVED", NULL);
    call("POST", ONE "/resolve", JSON, "{\"resolution_token\":\"x\",\"choice\":\"perhaps\"}");
    expect_problem(400, "BAD_REQUEST", "/choice");
    call("POST", ONE "/resolve", JSON,
         "{\"resolution_token\":\"forged\",\"choice\":\"yours\",\"yours\":{}}");
    expect_problem(400, "TOKEN_INVALID", NULL);
}

static void a_transaction_is_all_or_nothing(void **state) {
    (void)state;
    two_versions();
    call("POST", "/v1/main/transactions", JSON,
         "{\"client_mutation_id\":\"t1\",\"mutations\":["
         "{\"op\":\"create\",\"type\":\"a\",\"id\":\"1\",\"data\":{}},"
         "{\"op\":\"patch\",\"type\":\"invoices\",\"id\":\"7\",\"base_version\":2,"
         "\"patch\":{\"sum\":12}},"
         "{\"op\":\"check\",\"type\":\"invoices\",\"id\":\"7\",\"base_version\":2}]}");
    if (got.status != 200) {
        /* A check of what the same transaction writes may be refused; not half of it stored. */
        call("GET", "/v1/main/records/a/1", "", NULL);
        expect_status(404);
    }
    call("POST", "/v1/main/transactions", JSON,
         "{\"mutations\":[{\"op\":\"create\",\"type\":\"b\",\"id\":\"1\",\"data\":{}},"
         "{\"op\":\"put\",\"type\":\"invoices\",\"id\":\"7\",\"base_version\":1,\"data\":{}},"
         "{\"op\":\"delete\",\"type\":\"invoices\",\"id\":\"7\",\"base_version\":1}]}");
    expect_status(409);
    expect_body("\"conflicts\":[");
    expect_body("\"index\":1");
    call("GET", "/v1/main/records/b/1", "", NULL);
    expect_status(404);
    call("POST", "/v1/main/transactions", JSON,
         "{\"mutations\":[{\"op\":\"create\",\"type\":\"b\",\"id\":\"1\",\"data\":{}},"
         "{\"op\":\"create\",\"type\":\"b\",\"id\":\"2\",\"data\":{}}]}");
    expect_status(200);
    expect_body("\"results\":[");
    call("POST", "/v1/main/transactions", JSON,
         "{\"mutations\":[{\"op\":\"create\",\"type\":\"b\",\"id\":\"3\",\"dada\":{}}]}");
    expect_problem(400, "BAD_REQUEST", "/mutations/0/dada");
    call("POST", "/v1/main/transactions", JSON, "{\"mutations\":[]}");
    expect_problem(400, "BAD_REQUEST", "/mutations");
    call("POST", "/v1/main/transactions", JSON,
         "{\"mutations\":[{\"op\":\"put\",\"type\":\"b\",\"id\":\"3\"}]}");
    expect_problem(400, "BAD_REQUEST", "/mutations/0/data");
}

static void lists_say_where_sort_and_fields(void **state) {
    (void)state;
    call("PUT", "/v1/main/records/deals/1", JSON,
         "{\"stage\":\"won\",\"amount\":5,\"note\":\"a\"}");
    call("PUT", "/v1/main/records/deals/2", JSON, "{\"stage\":\"open\",\"amount\":9}");
    call("PUT", "/v1/main/records/deals/3", JSON, "{\"stage\":\"won\",\"amount\":7}");
    call("GET",
         "/v1/main/records/deals?where=stage%20%3D%20%22won%22%20%26%26%20amount%3E1&sort=-amount"
         "&fields=amount&total=1&explain=1",
         "", NULL);
    expect_status(200);
    expect_body("\"data\":{\"amount\":7}},{");
    expect_body("\"data\":{\"amount\":5}}],");
    expect_body("\"total\":2,\"explain\":{\"index\":\"scan\",\"sorted\":true,"
                "\"rows_examined\":3,\"rows_matched\":2}}");
    call("GET", "/v1/main/records/deals?sort=amount&limit=2", "", NULL);
    expect_body("\"id\":\"3\"");
    char target[1024];
    snprintf(target, sizeof target, "/v1/main/records/deals?sort=amount&limit=2&after=%s",
             member("next"));
    call("GET", target, "", NULL);
    expect_body("{\"records\":[{\"type\":\"deals\",\"id\":\"2\"");
    expect_no_body("\"next\"");
    strncat(target, "&where=amount%3E1", sizeof target - strlen(target) - 1);
    call("GET", target, "", NULL);
    expect_problem(400, "BAD_REQUEST", "after");
}

static void lists_use_the_indexes_a_type_declares(void **state) {
    (void)state;
    call("PUT", "/v1/main/records/deals/1", JSON, "{\"stage\":\"won\",\"amount\":5}");
    call("PUT", "/v1/main/records/deals/2", JSON, "{\"stage\":\"won\",\"amount\":9}");
    call("PUT", "/v1/main/types/deals", JSON, "{\"index\":[[\"/stage\",\"-/amount\"]]}");
    expect_status(201);
    call("PUT", "/v1/main/records/deals/3", JSON, "{\"stage\":\"won\",\"amount\":7}");
    call("PUT", "/v1/main/records/deals/4", JSON, "{\"stage\":\"open\",\"amount\":8}");
    call("GET",
         "/v1/main/records/deals?where=stage%3D%22won%22&sort=-amount&fields=amount&explain=1", "",
         NULL);
    expect_status(200);
    expect_body("\"data\":{\"amount\":9}},{");
    expect_body("\"data\":{\"amount\":7}},{");
    expect_body("\"data\":{\"amount\":5}}],");
    expect_body("\"explain\":{\"index\":[\"/stage\",\"-/amount\"],\"sorted\":false,"
                "\"rows_examined\":3,\"rows_matched\":3}}");
}

static void what_no_list_can_mean_is_refused(void **state) {
    (void)state;
    char target[7000];
    call("GET", "/v1/main/records/deals?where=stage%20%3D", "", NULL);
    expect_problem(400, "BAD_REQUEST", "where");
    expect_body("expected a field or a value at byte 7, found the end");
    call("GET", "/v1/main/records/deals?where=", "", NULL);
    expect_problem(400, "BAD_REQUEST", "where");
    call("GET", "/v1/main/records/deals?sort=%24nothing", "", NULL);
    expect_problem(400, "BAD_REQUEST", "sort");
    call("GET", "/v1/main/records/deals?fields=a,,b", "", NULL);
    expect_problem(400, "BAD_REQUEST", "fields");
    call("GET", "/v1/main/records/deals?explain=yes", "", NULL);
    expect_problem(400, "BAD_REQUEST", "explain");
    int size = snprintf(target, sizeof target, "/v1/main/records/deals?where=");
    memset(target + size, '(', 65);
    snprintf(target + size + 65, sizeof target - 80 - (size_t)size, "a");
    call("GET", target, "", NULL);
    expect_problem(413, "TOO_LARGE", "where");
    expect_body("\"limit\":64");
    memset(target + size, 'a', 4097);
    target[size + 4097] = '\0';
    call("GET", target, "", NULL);
    expect_problem(413, "TOO_LARGE", "where");
    expect_body("\"limit\":4096");
}

static void lists_are_paged(void **state) {
    (void)state;
    char target[512];
    for (int i = 0; i < 5; i++) {
        snprintf(target, sizeof target, "/v1/main/records/p/%d", i);
        call("PUT", target, JSON, "{}");
        expect_status(201);
    }
    call("GET", "/v1/main/records/p?limit=3&total=1", "", NULL);
    expect_status(200);
    expect_body("\"total\":5");
    expect_body("\"id\":\"2\"");
    expect_no_body("\"id\":\"3\"");
    snprintf(target, sizeof target, "/v1/main/records/p?limit=3&after=%s", member("next"));
    call("GET", target, "", NULL);
    expect_status(200);
    expect_body("\"id\":\"4\"");
    expect_no_body("\"next\"");
    call("GET", "/v1/main/records/p?limit=1001", "", NULL);
    expect_problem(400, "BAD_REQUEST", "limit");
    expect_body("\"limit\":1000");
    call("GET", "/v1/main/records/p?limit=0", "", NULL);
    expect_problem(400, "BAD_REQUEST", "limit");
}

static void an_import_reports_each_bad_line(void **state) {
    (void)state;
    static const char lines[] = "{\"type\":\"n\",\"id\":\"1\",\"data\":{\"a\":1}}\n"
                                "\n"
                                "{\"type\":\"n\",\"id\":\"2\",\"version\":7,\"created_by\":\"old\","
                                "\"created_at\":\"2020-01-01T00:00:00Z\",\"data\":{\"a\":2}}\r\n"
                                "oops\n"
                                "{\"type\":\"n\",\"id\":\"3\"}\n"
                                "{\"type\":\"n\",\"id\":\"4\",\"data\":{},\"color\":1}\n"
                                "{\"type\":\"n\",\"id\":\"5\",\"data\":{}}";
    call("POST", "/v1/main/import", "Content-Type: application/x-ndjson\r\n", lines);
    expect_status(200);
    expect_body("\"imported\":3,");
    expect_body("\"failed\":3,");
    expect_body("{\"line\":4,\"code\":\"BAD_JSON\"");
    expect_body("{\"line\":5,\"code\":\"BAD_REQUEST\",\"detail\":\"/data is missing\"");
    expect_body("\"field\":\"/color\"");
    call("GET", "/v1/main/records/n/2", "", NULL);
    expect_body("\"version\":7");
    expect_body("\"created_by\":\"old\"");
    call("POST", "/v1/main/import", "Content-Type: application/x-ndjson\r\n", lines);
    expect_status(200);
    expect_body("\"imported\":0,");
    expect_body("\"replayed\":3,");
    call("POST", "/v1/main/import", JSON, lines);
    expect_problem(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type");
}

static void a_long_import_goes_through_its_window(void **state) {
    enum { LINES = 5000, LINE_BYTES = 320 };
    char *lines = malloc(LINES * LINE_BYTES + 1);
    size_t size = 0;
    (void)state;
    assert_non_null(lines);
    for (int i = 0; i < LINES; i++) {
        size += (size_t)snprintf(
            lines + size, LINE_BYTES,
            "{\"type\":\"long\",\"id\":\"%d\",\"data\":{\"text\":\"%0200d\"}}\n", i, i);
    }
    assert_true(size > 1024 * 1024); /* More than one record's body may have. */
    call("POST", "/v1/main/import?dry_run=1", "Content-Type: application/x-ndjson\r\n", lines);
    expect_status(200);
    expect_body("\"imported\":5000,");
    call("GET", "/v1/main/records/long?limit=1&total=1", "", NULL);
    expect_body("\"total\":0");
    call("POST", "/v1/main/import", "Content-Type: application/x-ndjson\r\n", lines);
    expect_status(200);
    expect_body("\"imported\":5000,\"unchanged\":0,\"replayed\":0,\"dropped\":0,\"parked\":0,"
                "\"failed\":0,\"errors\":[]}");
    call("GET", "/v1/main/records/long?limit=1&total=1", "", NULL);
    expect_body("\"total\":5000");
    free(lines);
}

static void spaces_come_and_go(void **state) {
    (void)state;
    call("PUT", "/v1/main", "", NULL);
    expect_status(200);
    expect_body("{\"name\":\"main\",");
    call("PUT", "/v1/team", "", NULL);
    expect_status(201);
    expect_header("Location", "/v1/team");
    call("PUT", "/v1/team", "", NULL);
    expect_status(200);
    call("PUT", "/v1/Work", "", NULL);
    expect_status(400);
    call("PUT", "/v1/team/records/a/1", JSON, "{}");
    expect_status(201);
    call("GET", "/v1", "", NULL);
    expect_body("\"name\":\"team\"");
    expect_body("\"data_bytes_max\":1048576");
    call("GET", "/v1/team/stats", "", NULL);
    expect_body("\"a\":{\"records\":1}");
    call("GET", "/v1/team", "", NULL);
    expect_status(200);
    call("GET", "/v1/team/check", "", NULL);
    expect_body("\"ok\":true");
    call("DELETE", "/v1/team", "", NULL);
    expect_status(200);
    call("GET", "/v1/team/records/a/1", "", NULL);
    expect_problem(404, "NOT_FOUND", "space");
    call("DELETE", "/v1/team", "", NULL);
    expect_problem(404, "NOT_FOUND", "space");
    call("DELETE", "/v1/main", "", NULL);
    assert_true(got.status >= 400);
}

static void request_ids_are_kept_or_made(void **state) {
    (void)state;
    call("GET", ONE, "X-Request-Id: my-id.1\r\n", NULL);
    expect_header("X-Request-Id", "my-id.1");
    expect_body("\"request_id\":\"my-id.1\"");
    call("GET", ONE, "X-Request-Id: \"quotes\"\r\n", NULL);
    assert_non_null(header("X-Request-Id"));
    expect_no_body("quotes");
}

static void metrics_and_health_are_there(void **state) {
    (void)state;
    two_versions();
    call("GET", "/healthz", "", NULL);
    expect_status(200);
    expect_body("\"status\":\"ok\"");
    call("GET", "/metrics", "", NULL);
    expect_status(200);
    expect_body("stet_changes_total{space=\"main\"} 2\n");
    expect_body("# TYPE stet_http_requests_total counter\n");
    expect_body("stet_http_requests_total{route=\"/v1/{space}/records/{type}/{id}\",method=\"PUT\","
                "status=\"201\"} 1\n");
    expect_body("stet_http_request_seconds_count{route=\"/v1/{space}/records/{type}/{id}\"} 2\n");
    expect_body("stet_http_connections 1\n");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(put_creates_reads_and_replaces),
        TEST(a_stale_write_is_told_who_changed_what),
        TEST(a_write_must_name_its_base),
        TEST(a_base_may_be_a_weak_tag_a_time_or_in_the_envelope),
        TEST(bases_that_disagree_are_refused),
        TEST(creating_what_exists_is_refused_with_the_current_record),
        TEST(post_makes_an_id_and_says_where),
        TEST(a_repeated_key_gives_the_first_answer),
        TEST(patches_come_in_three_forms),
        TEST(a_deleted_record_says_so),
        TEST(what_never_was_is_not_found),
        TEST(a_known_version_is_not_sent_again),
        TEST(head_is_get_without_its_body),
        TEST(options_names_the_methods),
        TEST(prefer_minimal_spares_the_body),
        TEST(a_dry_run_stores_nothing),
        TEST(strategies_may_be_named),
        TEST(each_strategy_answers_a_stale_write_in_its_way),
        TEST(a_preview_answers_and_stores_nothing),
        TEST(the_past_can_be_read),
        TEST(an_earlier_version_comes_back),
        TEST(a_conflict_is_resolved_by_its_token),
        TEST(a_transaction_is_all_or_nothing),
        TEST(lists_say_where_sort_and_fields),
        TEST(lists_use_the_indexes_a_type_declares),
        TEST(what_no_list_can_mean_is_refused),
        TEST(lists_are_paged),
        TEST(an_import_reports_each_bad_line),
        TEST(a_long_import_goes_through_its_window),
        TEST(spaces_come_and_go),
        TEST(request_ids_are_kept_or_made),
        TEST(metrics_and_health_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
