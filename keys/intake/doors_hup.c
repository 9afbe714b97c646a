#include "gateway/base/file.h"
#include "keys/intake/intake.h"

enum { PEM_MAX = 1 << 20 };

static ERR read_pem(const struct conf *c, struct buf text[static 3])
{
    const char *const paths[] = { c->door_cert, c->door_key, c->door_ca };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        TRY(file_read(paths[i], &text[i]));
    return OK;
}

static ERR take(void *ctx, const struct conf *now)
{
    struct nz_intake *in = ctx;
    struct buf text[3]; /* wiped when it is done */
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        buf_init(&text[i], PEM_MAX);
    struct err e = read_pem(now, text);
    if (err_ok(e) && in->revocations)
        e = revocations_may_renew(buf_slice(&text[2]));
    if (err_ok(e))
        e = door_renew_tls(in->door, &(struct tls_pem){ buf_slice(&text[0]), buf_slice(&text[1]), buf_slice(&text[2]) });
    if (err_ok(e) && in->revocations)
        e = revocations_renew(in->revocations, buf_slice(&text[2])); /* fails for want of memory only: then callers of a new issuer are not served */
    if (!err_ok(e))
        LOG(ERROR, "start_failed", LF("settings", LITERAL("door_cert, door_key, door_ca")), LF("error", e));
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        buf_done(&text[i]);
    return e;
}

void nz_doors_hup(struct nz_intake *in, const char *config)
{
    in->hup = (struct conf_hup){ .who = CONF_I, .daemon = LITERAL("intake"), .path = config, .conf = &in->conf, .take = take, .ctx = in };
    loop_on_hup(in->loop, conf_hup, &in->hup);
}
