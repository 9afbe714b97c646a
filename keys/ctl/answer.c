#include "keys/ctl/answer.h"

#include <stdio.h>

#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { CALL_MS = 15000 };

bool answer_get(struct web *web, unsigned port, const char *path, const struct buf *body, struct web_answer *ret_a)
{
    struct web_call c = { .method = "POST", .port = port, .path = path, .content_type = "application/json", .body = buf_slice(body), .timeout_ms = CALL_MS };
    struct err e = web_send(web, &c, ret_a);
    if (err_ok(e))
        return true;
    say_err("接続できません(pmhgw up は動いていますか)", "cannot connect (is pmhgw up running?)", e);
    web_answer_done(ret_a);
    return false;
}

int answer_show(const struct web_answer *a, bool json, answer_print_fn *print, const void *arg)
{
    json_t *v = json_loadb((const char *)a->body.p, a->body.n, 0, NULL);
    int status = v && a->status == 200 ? 0 : v ? 1 : 2;
    if (json) {
        out_written();
        printf("%.*s\n", (int)a->body.n, (const char *)a->body.p);
    } else if (status == 0) {
        print(arg, v);
    } else {
        enum err_code code = web_problem_code(a);
        const struct err_info *i = err_info(code);
        printf("    %d %s: %s\n", a->status, err_slug(code), say_text(i->title_ja, i->title_en).c);
    }
    json_decref(v);
    return status;
}
