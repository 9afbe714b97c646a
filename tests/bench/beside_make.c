/* What a run beside others needs (tests/bench/beside): residents with one certificate each, and clinic requests for them, all of one length.
 *
 *   beside_make RING MASTER JWE_KEY_FILE KID INSTITUTION RESIDENTS REQUESTS OUT_DIR [LISTS]
 *
 * OUT_DIR/residents.resp   HSET of each resident's record, and SET of the pseudonym "pn-<12 digits>" at the portal "mynaportal"
 * OUT_DIR/requests         REQUESTS whole HTTP requests, one behind the other, each with a link key of its own; request i asks for a resident picked by i
 * OUT_DIR/citizens         a request of the portal for each resident, of 20,000 at most
 * OUT_DIR/lists            LISTS requests with 100 link keys each
 * Prints one line: request_bytes N citizen_bytes N list_bytes N */
#include <sys/stat.h>

#include "gateway/store/store.h"
#include "tests/bench/door_client.h"

enum { RECORD_BYTES = 560, SPREAD = 2654435761u, CITIZENS_MAX = 20000, LIST_KEYS = 100 };

static const char MUNI[] = "331007";

struct out { FILE *f; struct buf b; };

static void out_open(struct out *o, const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    o->f = fopen(path, "w");
    buf_init(&o->b, 64 * 1024);
    if (!o->f)
        die("cannot write");
}

static void out_put(struct out *o)
{
    if (!err_ok(buf_check(&o->b)) || fwrite(o->b.p, 1, o->b.n, o->f) != o->b.n)
        die("cannot write");
    buf_reset(&o->b);
}

static void out_close(struct out *o)
{
    buf_done(&o->b);
    if (fclose(o->f) != 0)
        die("cannot write");
}

static void resp(struct buf *b, size_t n, const struct slice *words)
{
    buf_putc(b, '*');
    buf_u64(b, n);
    buf_puts(b, "\r\n");
    for (size_t i = 0; i < n; i++) {
        buf_putc(b, '$');
        buf_u64(b, words[i].n);
        buf_puts(b, "\r\n");
        buf_put(b, words[i]);
        buf_puts(b, "\r\n");
    }
}

struct name { char c[32]; };
static struct slice numbered(struct name *n, const char *prefix, size_t i)
{
    return slice_of(n->c, (size_t)snprintf(n->c, sizeof n->c, "%s%012zu", prefix, i));
}

static void eligibility(struct buf *b)
{
    buf_puts(b, "{\"municipalityCode\":\"331007\",\"certificationName\":\"子ども医療費受給者証\",\"medicalSubsidyInsurerNumber\":\"80330011\",\"medicalSubsidyRecipientNumber\":\"0000018\","
                "\"validFrom\":\"2026-04-01\",\"validTo\":\"2037-03-31\",\"segment\":\"未就学児\",\"additionalConditions\":\"");
    while (b->n < RECORD_BYTES - 2)
        buf_putc(b, 'x');
    buf_puts(b, "\"}");
}

static ERR put_resident(struct store *s, size_t i, struct slice body, struct out *o)
{
    struct name pmh, pseudonym;
    struct person person;
    struct store_name key, field, alias;
    struct buf plain, sealed, map;
    const struct record rec = { .from = 20260401, .to = 20370331, .stored_ms = 1, .eligibility = body, .basic = LIT("{}") };
    const struct slice pmh_key = numbered(&pmh, "pk-", i);
    TRY(store_person(s, pmh_key, &person));
    TRY(store_field_record(s, slice_str(MUNI), LIT("kodomo01"), LIT("1"), &field));
    TRY(store_name_pseudonym(s, LIT("mynaportal"), numbered(&pseudonym, "pn-", i), &alias));
    store_name_person(&person, &key);
    buf_init(&plain, STORE_RECORD_MAX);
    buf_init(&sealed, STORE_RECORD_MAX);
    buf_init(&map, 4096);
    struct err e = record_encode(&rec, &plain);
    if (err_ok(e))
        e = store_seal(s, slice_str(MUNI), &key, store_name_slice(&field), buf_slice(&plain), &sealed);
    if (err_ok(e))
        e = store_seal(s, SLICE_NONE, &alias, SLICE_NONE, pmh_key, &map);
    resp(&o->b, 4, (struct slice[]){ LIT("HSET"), store_name_slice(&key), store_name_slice(&field), buf_slice(&sealed) });
    resp(&o->b, 3, (struct slice[]){ LIT("SET"), store_name_slice(&alias), buf_slice(&map) });
    buf_done(&plain);
    buf_done(&sealed);
    buf_done(&map);
    return e;
}

static ERR residents(char **argv, size_t n)
{
    struct keyring *ring;
    struct store *s;
    struct out o;
    struct buf body;
    TRY(keyring_load(&ring, RING_LINK, argv[1], argv[2]));
    struct err e = store_new(&s, ring);
    keyring_free(ring);
    if (!err_ok(e))
        return e;
    buf_init(&body, 2 * RECORD_BYTES);
    eligibility(&body);
    out_open(&o, argv[8], "residents.resp");
    for (size_t i = 0; i < n && err_ok(e); i++) {
        e = put_resident(s, i, buf_slice(&body), &o);
        out_put(&o);
    }
    out_close(&o);
    buf_done(&body);
    store_free(s);
    return e;
}

/* ---- whole requests, all of one length ---- */

struct requests { struct out o; const char *path; size_t bytes; };

static void requests_open(struct requests *r, const char *dir, const char *name, const char *path)
{
    *r = (struct requests){ .path = path };
    out_open(&r->o, dir, name);
}

static void requests_put(struct requests *r, struct slice body)
{
    struct buf *b = &r->o.b;
    buf_puts(b, "POST ");
    buf_puts(b, r->path);
    buf_puts(b, " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ");
    buf_u64(b, body.n);
    buf_puts(b, "\r\n\r\n");
    buf_put(b, body);
    if (r->bytes && b->n != r->bytes)
        die("requests of two lengths");
    r->bytes = b->n;
    out_put(&r->o);
}

/* Whom the i-th link key stands for: everybody in turn, not in the order of their names. */
static char *key_body(const struct mint *m, size_t i, size_t residents)
{
    struct name pmh;
    return mint_body(m, numbered(&pmh, "pk-", i * SPREAD % residents));
}

static size_t lookups(const struct mint *m, const char *dir, size_t residents, size_t n)
{
    struct requests r;
    requests_open(&r, dir, "requests", "/v1/clinic/eligibility");
    for (size_t i = 0; i < n; i++) {
        char *body = key_body(m, i, residents);
        requests_put(&r, slice_str(body));
        free(body);
    }
    out_close(&r.o);
    return r.bytes;
}

static size_t citizens(const char *dir, size_t residents)
{
    struct requests r;
    struct name pseudonym;
    char body[64];
    requests_open(&r, dir, "citizens", "/v1/portal/eligibility");
    for (size_t i = 0; i < residents && i < CITIZENS_MAX; i++) {
        numbered(&pseudonym, "pn-", i * SPREAD % residents);
        requests_put(&r, slice_of(body, (size_t)snprintf(body, sizeof body, "{\"pseudonym\":\"%s\"}", pseudonym.c)));
    }
    out_close(&r.o);
    return r.bytes;
}

/* {"link_key":"K"} as "K" */
static void put_key(struct buf *to, const char *body)
{
    static const size_t HEAD = sizeof "{\"link_key\":" - 1;
    buf_put(to, slice_of(body + HEAD, strlen(body) - HEAD - 1));
}

static size_t lists(const struct mint *m, const char *dir, size_t residents, size_t n)
{
    struct requests r;
    struct buf all;
    requests_open(&r, dir, "lists", "/v1/clinic/eligibility/list");
    buf_init(&all, 64 * 1024);
    for (size_t i = 0; i < n; i++) {
        buf_reset(&all);
        buf_puts(&all, "{\"link_keys\":[");
        for (size_t k = 0; k < LIST_KEYS; k++) {
            char *body = key_body(m, i * LIST_KEYS + k, residents);
            if (k)
                buf_putc(&all, ',');
            put_key(&all, body);
            free(body);
        }
        buf_puts(&all, "]}");
        requests_put(&r, buf_slice(&all));
    }
    out_close(&r.o);
    buf_done(&all);
    return r.bytes;
}

int main(int argc, char **argv)
{
    const bool whole = argc == 9 || argc == 10;
    const size_t residents_n = whole ? strtoul(argv[6], NULL, 10) : 0, requests_n = whole ? strtoul(argv[7], NULL, 10) : 0;
    if (!residents_n || !requests_n)
        die("beside_make RING MASTER JWE_KEY_FILE KID INSTITUTION RESIDENTS REQUESTS OUT_DIR [LISTS]");
    const struct err e = residents(argv, residents_n);
    if (!err_ok(e))
        die(err_slug(e.code));
    const struct mint m = mint_open(argv[3], argv[4], argv[5]);
    printf("request_bytes %zu ", lookups(&m, argv[8], residents_n, requests_n));
    printf("citizen_bytes %zu ", citizens(argv[8], residents_n));
    printf("list_bytes %zu\n", lists(&m, argv[8], residents_n, argc == 10 ? strtoul(argv[9], NULL, 10) : 0));
    return 0;
}
