/*
 * The page at "/" of a build without the console: people log in with it, and open the links that invite them.
 */
#include "http/welcome.h"

#include "base/view.h"
#include "http/request.h"

void reply_welcome(struct request *request) {
    stet_view tags = request->headers.if_none_match;
    bool known = tags.size > 0 && etag_list_names(tags, view_of(welcome_etag));
    struct reply reply = {
        .http = known ? 304 : 200,
        .body = view_make((const char *)welcome_text, welcome_size),
        .content_type = "text/html; charset=utf-8",
        .cache = "public, no-cache",
        .extra = {{"ETag", welcome_etag}, {"Content-Security-Policy", welcome_policy}},
        .extra_count = 2,
    };
    request_reply(request, &reply);
}
