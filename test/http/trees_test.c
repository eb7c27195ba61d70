/*
 * Trees as a client meets them: parents in every form of a write, whole trees, forks and merges.
 */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS "/v1/main/records/doc/"

static int setup(void **state) {
    (void)state;
    serve_plainly();
    return 0;
}

/* book, under it one chapter, under it two sections. */
static void write_book(void) {
    call("PUT", RECORDS "book", JSON, "{\"title\":\"Book\"}");
    expect_status(201);
    call("PUT", RECORDS "ch1?parent=doc/book", JSON, "{\"title\":\"One\"}");
    expect_status(201);
    expect_body("\"parent\":\"doc/book\"");
    call("PUT", RECORDS "s1", STET, "{\"parent\":\"doc/ch1\",\"data\":{\"text\":\"a\"}}");
    expect_status(201);
    call("POST", "/v1/main/transactions", JSON,
         "{\"mutations\":[{\"op\":\"create\",\"type\":\"doc\",\"id\":\"s2\",\"parent\":\"doc/ch1\","
         "\"data\":{\"text\":\"b\"}}]}");
    expect_status(200);
}

/* The tree version of what was answered last; valid until the next answer. */
static char *tree_version(void) { return strdup(member("tree_version")); }

static void put_tree(const char *version, const char *tree) {
    char body[1024];
    snprintf(body, sizeof body, "{\"tree_version\":\"%s\",\"tree\":%s}", version, tree);
    call("PUT", RECORDS "book/tree", JSON, body);
}

static void a_tree_is_read_changed_and_put_back(void **state) {
    (void)state;
    write_book();
    call("GET", RECORDS "book/tree", "", NULL);
    expect_status(200);
    expect_body("\"count\":4");
    expect_body("\"children\":[]");
    char *version = tree_version();
    put_tree(version, "{\"children\":[{\"id\":\"ch1\",\"children\":[{\"id\":\"s2\"},"
                      "{\"id\":\"s1\",\"data\":{\"text\":\"A\"}},{\"data\":{\"text\":\"c\"}}]}]}");
    expect_status(200);
    expect_body("\"change\":\"touched\"");
    expect_body("\"change\":\"created\"");
    put_tree(version, "{\"data\":{}}");
    expect_problem(409, "CONCURRENT_MODIFICATION", NULL);
    expect_body("\"nodes\":[{\"address\":\"doc/s1\",\"change\":\"changed\"");
    put_tree("nonsense", "{}");
    expect_problem(400, "BAD_REQUEST", "tree_version");
    call("PUT", RECORDS "book/tree", JSON, "{\"tree\":{}}");
    expect_problem(428, "PRECONDITION_REQUIRED", "tree_version");
    free(version);
}

static void a_tree_is_deleted_as_a_whole(void **state) {
    (void)state;
    write_book();
    call("DELETE", RECORDS "ch1", "If-Match: \"1\"\r\n", NULL);
    expect_problem(409, "HAS_CHILDREN", NULL);
    expect_body("doc/s1");
    call("GET", RECORDS "ch1/tree", "", NULL);
    char target[160];
    snprintf(target, sizeof target, RECORDS "ch1/tree?tree_version=%s", member("tree_version"));
    call("DELETE", target, "", NULL);
    expect_status(200);
    expect_body("\"change\":\"deleted\"");
    call("GET", RECORDS "s2", "", NULL);
    expect_problem(404, "DELETED", NULL);
    call("GET", RECORDS "book/tree", "", NULL);
    expect_body("\"count\":1");
}

static void a_record_is_moved_and_promoted(void **state) {
    (void)state;
    write_book();
    call("POST", RECORDS "s1/move", JSON, "{\"parent\":\"doc/book\",\"base_version\":1}");
    expect_status(200);
    expect_body("\"parent\":\"doc/book\"");
    expect_body("\"text\":\"a\"");
    call("POST", RECORDS "s1/move", JSON, "{\"parent\":null,\"base_version\":2}");
    expect_status(200);
    expect_no_body("\"parent\"");
    call("POST", RECORDS "book/move", JSON, "{\"parent\":\"doc/s2\",\"base_version\":1}");
    expect_problem(422, "TREE_CYCLE", "parent");
    call("POST", RECORDS "s1/move", JSON, "{\"base_version\":3}");
    expect_problem(400, "BAD_REQUEST", "/parent");
    call("PATCH", RECORDS "s1?parent=doc/ch1&base_version=3",
         "Content-Type: application/merge-patch+json\r\n", "{\"text\":\"z\"}");
    expect_status(200);
    call("GET", RECORDS "s1/history", "", NULL);
    expect_body("\"parent\":\"doc/ch1\"");
    expect_body("\"parent\":\"doc/book\"");
    call("DELETE", RECORDS "s1?parent=doc/ch1&base_version=4", "", NULL);
    expect_problem(400, "BAD_REQUEST", "parent");
}

static void a_fork_goes_its_way_and_comes_back(void **state) {
    (void)state;
    write_book();
    call("POST", RECORDS "s1/fork", JSON, "{\"id\":\"draft\"}");
    expect_status(201);
    expect_body("\"forked_from\":\"doc/s1@1\"");
    call("PATCH", RECORDS "draft?base_version=1", "Content-Type: application/merge-patch+json\r\n",
         "{\"more\":1}");
    expect_status(200);
    call("PATCH", RECORDS "s1?base_version=1", "Content-Type: application/merge-patch+json\r\n",
         "{\"other\":2}");
    expect_status(200);
    call("POST", RECORDS "draft/merge", JSON, "{}");
    expect_problem(428, "PRECONDITION_REQUIRED", "base_version");
    call("POST", RECORDS "draft/merge", JSON, "{\"base_version\":2}");
    expect_status(200);
    call("GET", RECORDS "s1", "", NULL);
    expect_body("\"more\":1");
    expect_body("\"other\":2");
    call("GET", RECORDS "draft", "", NULL);
    expect_body("\"other\":2");
    expect_body("\"forked_from\":\"doc/s1@3\"");
    call("POST", RECORDS "draft/merge?base_version=3", "", NULL);
    expect_status(200);
    expect_body("\"unchanged\":true");
}

static void a_tree_is_forked_as_a_whole(void **state) {
    (void)state;
    write_book();
    call("POST", RECORDS "book/fork?tree=1&id=copy", "Idempotency-Key: k\r\n", NULL);
    expect_status(201);
    call("POST", RECORDS "book/fork?tree=1&id=copy", "Idempotency-Key: k\r\n", NULL);
    expect_status(200);
    expect_header("Idempotency-Replayed", "true");
    call("GET", RECORDS "copy/tree", "", NULL);
    expect_body("\"count\":4");
    call("POST", RECORDS "copy/merge", JSON, "{\"base_version\":1,\"tree\":true}");
    expect_body("\"unchanged\":true");
}

static void set_count(const char *id, int base, int count) {
    char target[96], body[32];
    snprintf(target, sizeof target, RECORDS "%s?base_version=%d", id, base);
    snprintf(body, sizeof body, "{\"n\":%d}", count);
    call("PUT", target, JSON, body);
    expect_status(200);
}

static void a_counter_is_never_added_twice(void **state) {
    (void)state;
    call("PUT", "/v1/main/types/doc", JSON,
         "{\"on_conflict\":\"merge\",\"fields\":{\"/n\":{\"merge\":\"delta\"}}}");
    expect_status(201);
    call("PUT", RECORDS "c", JSON, "{\"n\":10}");
    call("POST", RECORDS "c/fork", JSON, "{\"id\":\"f\"}");
    expect_status(201);
    set_count("f", 1, 15);
    set_count("c", 1, 12);
    call("POST", RECORDS "f/merge?base_version=2", "", NULL);
    expect_status(200);
    expect_body("\"data\":{\"n\":17}");
    set_count("f", 3, 18);
    set_count("c", 3, 20);
    call("POST", RECORDS "f/merge?base_version=4", "", NULL);
    expect_status(200);
    call("GET", RECORDS "c", "", NULL);
    expect_body("\"data\":{\"n\":21}");
    call("GET", RECORDS "f", "", NULL);
    expect_body("\"data\":{\"n\":21}");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_tree_is_read_changed_and_put_back), TEST(a_tree_is_deleted_as_a_whole),
        TEST(a_record_is_moved_and_promoted),      TEST(a_fork_goes_its_way_and_comes_back),
        TEST(a_tree_is_forked_as_a_whole),         TEST(a_counter_is_never_added_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
