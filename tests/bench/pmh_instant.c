/* PMH that answers at once: numbering with keys made of the number itself, nothing stored, nothing asked of anybody.
 *
 *   pmh_instant CERTS_DIR HOST PORT
 *
 * The key of a number is the same whenever it is asked for while the process runs, as PMH's is: what a benchmark of the gateway measures
 * is then the gateway. Serves POST /pmh/v1/numbering over mutual TLS until SIGTERM. */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"
#include "gateway/serve/serve.h"

enum { DIGITS = 12, ROWS_MAX = 1000, BODY_MAX_BYTES = 64 * 1024, DEADLINE_MS = 5000, KEY_BYTES = 24, PATH_MAX_BYTES = 512 };

struct pmh { struct mac *mac; };

static void key_write(struct pmh *p, struct slice number, struct buf *out)
{
    uint8_t sum[MAC_BYTES];
    if (err_ok(MAC_SUM(p->mac, sum, number)))
        b64url_encode(slice_of(sum, KEY_BYTES), out);
}

/* The next run of 12 digits; false at the end. */
static bool number_next(struct slice *rest, struct slice *ret_number)
{
    while (rest->n >= DIGITS) {
        size_t n = 0;
        while (n < DIGITS && rest->p[n] >= '0' && rest->p[n] <= '9')
            n++;
        if (n == DIGITS)
            return slice_take(rest, DIGITS, ret_number);
        *rest = slice_of(rest->p + n + 1, rest->n - n - 1);
    }
    return false;
}

static void numbering_post(struct req *r)
{
    struct buf *out = req_out(r);
    struct slice rest = req_body(r), number;
    size_t n = 0;
    buf_putc(out, '[');
    for (; n < ROWS_MAX && number_next(&rest, &number); n++) {
        buf_puts(out, n ? ",{\"pmhKey\":\"" : "{\"pmhKey\":\"");
        key_write(req_ctx(r), number, out);
        buf_puts(out, "\",\"myNumber\":\"");
        buf_put(out, number);
        buf_puts(out, "\"}");
    }
    buf_putc(out, ']');
    if (!n)
        req_fail(r, FAIL(E_JSON_SHAPE));
    else if (err_ok(buf_check(out)))
        req_json(r, 200, buf_slice(out));
    else
        req_fail(r, FAIL(E_FULL));
}

static const struct route ROUTES[] = {
    { M_POST, "/pmh/v1/numbering", { "numbering" }, CALLER_BIT(CALLER_GATEWAY), false, BODY_MAX_BYTES, "application/json", DEADLINE_MS, numbering_post },
};

static void stop(void *arg) { door_close(arg); }

static ERR serve(const char *certs, const char *host, unsigned port)
{
    char cert[PATH_MAX_BYTES], key[PATH_MAX_BYTES], ca[PATH_MAX_BYTES];
    struct loop *l;
    struct door *d;
    struct pmh p;
    struct secret *s;
    snprintf(cert, sizeof cert, "%s/mocks.pem", certs);
    snprintf(key, sizeof key, "%s/mocks.key", certs);
    snprintf(ca, sizeof ca, "%s/ca.pem", certs);
    TRY(loop_new(&l, clock_system()));
    TRY(secret_random(&s, MAC_BYTES));
    TRY(mac_new(&p.mac, s));
    secret_free(s);
    struct door_conf conf = { .name = LITERAL("pmh"), .host = host, .port = port, .tls = { .cert_path = cert, .key_path = key, .ca_path = ca, .session_context = "pmh" }, .routes = ROUTES,
                              .n_routes = sizeof ROUTES / sizeof *ROUTES, .limits = door_limits_default(), .ctx = &p };
    TRY(door_new(&d, l, &conf));
    loop_on_stop(l, stop, d);
    puts("ready");
    fflush(stdout);
    loop_run(l, DEADLINE_MS);
    return OK;
}

int main(int argc, char **argv)
{
    uint64_t port;
    if (argc != 4 || !u64_parse(slice_str(argv[3]), &port) || port < 1 || port > 65535) {
        fputs("usage: pmh_instant CERTS_DIR HOST PORT\n", stderr);
        return 2;
    }
    log_open(LITERAL("pmh-instant"), LOG_WARN);
    struct err e = serve(argv[1], argv[2], (unsigned)port);
    if (!err_ok(e))
        LOG(ERROR, "stopped", LF("error", e));
    return err_ok(e) ? 0 : 1;
}
