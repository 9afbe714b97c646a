/* pmhgw certs: the certificates of the development CA, when they end, and revoking them. */

#include <dirent.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/json_write.h"
#include "keys/ctl/certs_crl.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { CERTS_MAX = 4096, NAME_CHARS = 64, URI_CHARS = 96, DAY_S = 24 * 3600, JSON_MAX = 4 << 20, DAYS_SOON = 30 };

struct row {
    char name[NAME_CHARS];  /* of the file, without .pem */
    char identity[URI_CHARS]; /* "clinic/3319900019", "" for one that names nobody */
    int64_t until;
    bool revoked;
};

static int64_t now_s(void)
{
    struct clock c = clock_system();
    return (int64_t)(clock_wall(&c) / 1000);
}

static bool name_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' || s.p[i] == '_'))
            return false;
    return s.n > 0 && s.n < NAME_CHARS;
}

/* ---- list ---- */

static void read_identity(X509 *x, char out[static URI_CHARS])
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    const struct slice scheme = LIT("pmhgw:");
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type != GEN_URI)
            continue;
        struct slice uri = slice_of(ASN1_STRING_get0_data(g->d.uniformResourceIdentifier), (size_t)ASN1_STRING_length(g->d.uniformResourceIdentifier)), head;
        if (slice_starts(uri, scheme) && slice_take(&uri, scheme.n, &head) && uri.n < URI_CHARS && !memchr(uri.p, 0, uri.n))
            memcpy(out, uri.p, uri.n);
    }
    GENERAL_NAMES_free(names);
}

static bool read_row(const struct state *s, const char *file, X509_CRL *list, struct row *ret_r)
{
    struct slice name = slice_str(file);
    struct row r = { .name = "" };
    X509 *x = NULL;
    if (name.n <= 4 || strcmp(file + name.n - 4, ".pem") != 0 || strcmp(file, "crl.pem") == 0)
        return false;
    name.n -= 4;
    if (!name_ok(name))
        return false;
    memcpy(r.name, name.p, name.n);
    if (!err_ok(certs_read(state_at(s, "certs/%s", file).c, &x)) || !certs_time(X509_get0_notAfter(x), &r.until)) {
        X509_free(x);
        say_warn("証明書を読めません: %s", "the certificate cannot be read: %s", file);
        return false;
    }
    read_identity(x, r.identity);
    r.revoked = certs_crl_has(list, X509_get0_serialNumber(x));
    X509_free(x);
    *ret_r = r;
    return true;
}

static int by_end(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return x->until != y->until ? (x->until < y->until ? -1 : 1) : strcmp(x->name, y->name);
}

/* Who ends first comes first. */
static size_t read_rows(const struct state *s, X509_CRL *list, struct row *to)
{
    DIR *d = opendir(state_at(s, "certs").c);
    size_t n = 0;
    for (struct dirent *e; d && n < CERTS_MAX && (e = readdir(d));)
        n += read_row(s, e->d_name, list, &to[n]);
    if (d)
        closedir(d);
    qsort(to, n, sizeof *to, by_end);
    return n;
}

static int days_left(int64_t until, int64_t now) { return until < now ? 0 : (int)((until - now) / DAY_S); }

static struct say_text date_of(int64_t s)
{
    char text[25] = { 0 };
    clock_format_utc((uint64_t)s * 1000, text);
    return say_form("%.10s", text);
}

/* word: as JSON tells it. */
static const char *state_of(const struct row *r, int64_t now)
{
    return r->revoked ? "revoked" : r->until < now ? "expired" : "good";
}

static const char *state_shown(const struct row *r, int64_t now)
{
    return r->revoked ? say_pick("失効", "revoked") : r->until < now ? say_pick("期限切れ", "expired") : (r->until - now) / DAY_S < DAYS_SOON ? say_pick("まもなく期限", "ends soon") : "";
}

static void print_table(const struct row *rows, size_t n, int64_t now)
{
    static const struct grid_col COLS[] = {
        { "name", "名前", "name", GRID_TEXT, true }, { "identity", "相手", "identity", GRID_TEXT, true }, { "until", "期限", "until", GRID_TEXT, false },
        { "days_left", "残り", "days", GRID_NUMBER, false }, { "state", "状態", "state", GRID_TEXT, false },
    };
    struct grid *g = grid_new(COLS, sizeof COLS / sizeof *COLS);
    for (size_t i = 0; g && i < n; i++)
        GRID_ADD(g, rows[i].name, rows[i].identity[0] ? rows[i].identity : "-", date_of(rows[i].until).c, say_form("%d", days_left(rows[i].until, now)).c, state_shown(&rows[i], now));
    grid_show(g, "certificates");
}

static int print_json(const struct row *rows, size_t n, int64_t now, int64_t list_until)
{
    struct buf out;
    struct jsonw w;
    buf_init(&out, JSON_MAX);
    jsonw_init(&w, &out);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "certificates");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "name", rows[i].name);
        jsonw_cstr(&w, "identity", rows[i].identity);
        jsonw_u64(&w, "not_after", (uint64_t)rows[i].until);
        jsonw_u64(&w, "days_left", (uint64_t)days_left(rows[i].until, now));
        jsonw_cstr(&w, "state", state_of(&rows[i], now));
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    if (list_until)
        jsonw_u64(&w, "list_until", (uint64_t)list_until);
    else
        jsonw_null(&w, "list_until");
    jsonw_end_object(&w);
    buf_putc(&out, '\n');
    out_written();
    bool good = err_ok(buf_check(&out)) && fwrite(out.p, 1, out.n, stdout) == out.n;
    buf_done(&out);
    return good ? 0 : 2;
}

static int cmd_list(const struct state *s, bool json)
{
    X509_CRL *list = NULL;
    struct row *rows = calloc(CERTS_MAX, sizeof *rows);
    int64_t list_until = 0, now = now_s();
    struct err e = rows ? certs_crl_load(s, &list) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        say_err("失効リスト certs/crl.pem を読めません", "the list of revoked certificates certs/crl.pem cannot be read", e);
        free(rows);
        return 2;
    }
    if (list && !certs_time(X509_CRL_get0_nextUpdate(list), &list_until))
        list_until = 0;
    size_t n = read_rows(s, list, rows);
    int status = 0;
    if (json)
        status = print_json(rows, n, now, list_until);
    else
        print_table(rows, n, now);
    if (!json && list_until)
        say("失効リストの期限 %s(pmhgw certs crl で更新)", "the list of revoked certificates lasts until %s (pmhgw certs crl renews it)", date_of(list_until).c);
    X509_CRL_free(list);
    free(rows);
    return status;
}

/* ---- revoke, crl ---- */

static int cmd_revoke(const struct state *s, const char *name)
{
    X509 *x = NULL;
    bool news = false;
    if (!name_ok(slice_str(name)) || strcmp(name, "ca") == 0 || strcmp(name, "crl") == 0 || !file_exists(state_at(s, "certs/%s.pem", name).c)) {
        say_error("失効できる証明書の名前ではありません(pmhgw certs list)", "this is no name of a certificate that can be revoked (pmhgw certs list)");
        return 2;
    }
    struct err e = certs_read(state_at(s, "certs/%s.pem", name).c, &x);
    if (err_ok(e))
        e = certs_crl_write(s, X509_get0_serialNumber(x), &news);
    X509_free(x);
    if (!err_ok(e)) {
        say_err("失効できません", "the certificate cannot be revoked", e);
        return 2;
    }
    if (news)
        say_ok("%s を失効しました。窓口には 1 秒以内に反映されます", "%s is revoked; the doors know within a second", name);
    else
        say_ok("%s は失効済みです", "%s was revoked already", name);
    say_hint("新しい証明書を作るには、certs の .pem と .key を消して pmhgw up", "for a new certificate remove its .pem and .key in certs and run pmhgw up");
    return 0;
}

static int cmd_crl(const struct state *s)
{
    bool news;
    struct err e = certs_crl_write(s, NULL, &news);
    if (!err_ok(e)) {
        say_err("失効リストを作れません", "the list of revoked certificates cannot be made", e);
        return 2;
    }
    say_ok("失効リストを更新しました(%d 日間有効)", "the list of revoked certificates is renewed, for %d days", CERTS_CRL_DAYS);
    return 0;
}

int cmd_certs(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list words;
    struct state s;
    bool json = false;
    enum opts_end end = CLI_PARSE(argc, argv, "certs", &words, { "--state", &dirs.state }, { "--json", &json });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (json && strcmp(words.v[0], "list") != 0)
        out_begin();
    if (!state_open(&s, &dirs, false))
        return 2;
    if (words.n == 1 && strcmp(words.v[0], "list") == 0)
        return cmd_list(&s, json);
    if (words.n == 2 && strcmp(words.v[0], "revoke") == 0)
        return cmd_revoke(&s, words.v[1]);
    if (words.n == 1 && strcmp(words.v[0], "crl") == 0)
        return cmd_crl(&s);
    say_error("使い方: pmhgw certs list | revoke NAME | crl", "usage: pmhgw certs list | revoke NAME | crl");
    return 2;
}
