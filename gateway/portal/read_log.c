/* POST /v1/portal/access-log: reading it is an entry, too, which the next reading shows. */
#include "gateway/portal/log_page.h"
#include "gateway/portal/portal.h"

static void on_page(struct log_page *p, struct err e)
{
    struct jsonw w;
    if (err_ok(e)) {
        jsonw_init(&w, req_out(p->c.a.r));
        jsonw_object(&w, NULL);
        log_page_write(p, &w);
        jsonw_end_object(&w);
    }
    access_end(&p->c.a, e);
}

void portal_read_log(struct req *r)
{
    struct log_page *p = access_new(r, sizeof *p);
    if (p)
        log_page_begin(p, r, AU_ACCESS_LOG_READ, on_page);
}
