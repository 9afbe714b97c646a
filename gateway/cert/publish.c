#include "gateway/cert/publish.h"

#include "gateway/base/json_write.h"
#include "gateway/base/text.h"

enum { B64_COORDINATE = 43, RID_ROOM = 32 };

static void write_b64(struct jsonw *w, const char *name, struct slice bytes)
{
    struct buf text;
    buf_init(&text, B64_COORDINATE + 1);
    b64url_encode(bytes, &text);
    jsonw_str(w, name, buf_slice(&text));
    buf_done(&text);
}

void publish_jwks(const struct publish_key *keys, size_t n, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "keys");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "kty", "EC");
        jsonw_str(&w, "kid", ARR(keys[i].kid));
        jsonw_cstr(&w, "use", "sig");
        jsonw_cstr(&w, "alg", "ES256");
        jsonw_cstr(&w, "crv", "P-256");
        write_b64(&w, "x", ARR(keys[i].key.x));
        write_b64(&w, "y", ARR(keys[i].key.y));
        if (keys[i].ctr)
            jsonw_u64(&w, "crlVersion", keys[i].ctr);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
}

void publish_list_begin(struct publish_list *l, const char kid[static ES256_KID], struct buf *out)
{
    *l = (struct publish_list){ .out = out };
    buf_init(&l->superseded, (size_t)PUBLISH_LIST_MAX * RID_ROOM);
    buf_puts(out, "{\"kid\":\"");
    buf_put(out, slice_of(kid, ES256_KID));
    buf_puts(out, "\",\"method\":\"rid\",\"rids\":[");
}

static void put_rid(struct buf *out, struct slice rid, bool first)
{
    buf_puts(out, first ? "\"" : ",\"");
    buf_put(out, rid);
    buf_putc(out, '"');
}

void publish_list_put(struct publish_list *l, struct slice rid, bool superseded)
{
    put_rid(l->out, rid, l->n++ == 0);
    if (superseded)
        put_rid(&l->superseded, rid, l->superseded.n == 0);
}

struct err publish_list_end(struct publish_list *l)
{
    buf_puts(l->out, "],\"superseded\":[");
    buf_put(l->out, buf_slice(&l->superseded));
    buf_puts(l->out, "],\"ctr\":");
    buf_u64(l->out, l->n);
    buf_putc(l->out, '}');
    struct err e = buf_check(&l->superseded);
    buf_done(&l->superseded);
    return err_ok(e) ? buf_check(l->out) : e;
}
