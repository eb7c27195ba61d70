/*
 * GET /openapi.yaml: the contract this server keeps, for client generators and for people.
 */
#include "http/contract.h"

#include "base/view.h"
#include "http/handlers.h"
#include "http/request.h"

void handle_openapi(struct request *request) {
    if (!request_params_done(request)) return;
    stet_view tags = request->headers.if_none_match;
    bool known = tags.size > 0 && etag_list_names(tags, view_of(contract_etag));
    struct reply reply = {
        .http = known ? 304 : 200,
        .body = view_make((const char *)contract_text, contract_size),
        .content_type = "application/yaml",
        /* The same for everybody; asked for anew after every upgrade. */
        .cache = "public, no-cache",
        .extra = {{"ETag", contract_etag}},
        .extra_count = 1,
    };
    request_reply(request, &reply);
}
