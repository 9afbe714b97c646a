#include "keys/ctl/doctor_lists.h"

#include <stdio.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/file.h"
#include "gateway/metrics/expose.h"
#include "gateway/tls/freshness.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/finding.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/say.h"

enum { SKEW_S = 60, NAME_BYTES = 65, MINUTE_BYTES = 16 };

struct door { const char *name; size_t file; };
static const struct door DOORS[] = { { "pmhgw-front", FILE_FRONT }, { "pmhgw-intake", FILE_INTAKE } };

/* What is said of one file of lists. */
struct look {
    const char *door, *path;
    bool ours;  /* pmhgw certs makes it */
    int64_t now;
};

static struct say_text time_of(int64_t s)
{
    char text[25] = { 0 };
    clock_format_utc((uint64_t)s * 1000, text);
    return say_form("%.*sZ", MINUTE_BYTES, text);
}

static struct say_text span(int64_t s)
{
    char text[32];
    progress_duration(s > 0 ? (uint64_t)s : 0, text);
    return say_form("%s", text);
}

/* The common name; nothing that could draw on a terminal. */
static struct say_text name_of(X509 *issuer)
{
    char name[NAME_BYTES] = "?";
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(issuer), NID_commonName, name, sizeof name);
    for (size_t i = 0; name[i]; i++)
        if (name[i] < ' ' || name[i] > '~')
            name[i] = '?';
    return say_form("%s", name);
}

static struct say_text next_ja(const struct look *l)
{
    return say_form("%s", l->ours ? "pmhgw certs crl" : "認証局の新しい失効リストを隣に置き、名前を変えて置き換える(docs/access.md)。再起動は要りません");
}

static struct say_text next_en(const struct look *l)
{
    return say_form("%s", l->ours ? "pmhgw certs crl" : "put the authority's new list beside the file and rename it over it (docs/access.md); nothing need be started again");
}

/* One issuer. held: its list in the file, NULL when there is none. */
static bool say_list(const struct look *l, X509 *issuer, const struct crl *held)
{
    const struct say_text name = name_of(issuer);
    if (!held) {
        finding("revocation_list_missing", say_form("%s: 発行者 %s の失効リストが %s にありません。この発行者の証明書の相手は、受け取り済みのリストの期限が切れるとお断りします(503 revocation_unknown)", l->door, name.c, l->path),
                say_form("%s: no list of revoked certificates by %s in %s: clients with its certificates are refused as soon as the list that is held has ended (503 revocation_unknown)", l->door, name.c, l->path), next_ja(l), next_en(l));
        return false;
    }
    const int64_t left = held->next_update - l->now;
    const struct say_text made = time_of(held->this_update), ends = time_of(held->next_update), age = span(l->now - held->this_update);
    if (left < 0) {
        finding("revocation_list_ended", say_form("%s: %s の失効リストの期限(nextUpdate %s)が切れています(発行 %s)。この発行者の証明書の相手はお断りしています(503 revocation_unknown)", l->door, name.c, ends.c, made.c),
                say_form("%s: the list by %s has ended (nextUpdate %s; made %s): clients with its certificates are refused (503 revocation_unknown)", l->door, name.c, ends.c, made.c), next_ja(l), next_en(l));
        return false;
    }
    if (crl_soon(held, l->now)) {
        finding("revocation_list_ends_soon", say_form("%s: %s の失効リストはまもなく期限です: 発行 %s(%s 前)、nextUpdate %s。あと %s を過ぎると、この発行者の証明書の相手をお断りします", l->door, name.c, made.c, age.c, ends.c, span(left).c),
                say_form("%s: the list by %s ends soon: made %s (%s ago), nextUpdate %s; in %s clients with its certificates are refused", l->door, name.c, made.c, age.c, ends.c, span(left).c), next_ja(l), next_en(l));
        return true;
    }
    say("    %s: %s の失効リスト: 発行 %s(%s 前)、nextUpdate %s。それ以後、この発行者の証明書の相手をお断りします(あと %s)",
        "    %s: the list by %s: made %s (%s ago), nextUpdate %s; from then on clients with its certificates are refused (in %s)", l->door, name.c, made.c, age.c, ends.c, span(left).c);
    return true;
}

/* The one that a door would hold: the newest that has begun. */
static const struct crl *list_of(const struct crl_batch *b, X509 *issuer, int64_t now)
{
    uint8_t id[32];
    const struct crl *best = NULL;
    for (size_t i = 0; crl_issuer_id(issuer, id) && i < b->n; i++)
        if (slice_eq(ARR(id), ARR(b->lists[i]->issuer)) && b->lists[i]->this_update <= now + SKEW_S && (!best || b->lists[i]->this_update > best->this_update))
            best = b->lists[i];
    return best;
}

static bool say_lists(const struct look *l, STACK_OF(X509) *issuers, struct slice pem)
{
    struct crl_batch b;
    crl_read(&b, pem, issuers);
    bool good = b.fault == CRL_GOOD;
    if (!good) {
        finding("revocation_list_refused", say_form("%s: %s に受け入れられないリストがあります(%s)。受け取り済みのリストが期限まで使われます", l->door, l->path, crl_fault_name(b.fault).s),
                say_form("%s: %s has a list that is not accepted (%s); what is held counts until it ends", l->door, l->path, crl_fault_name(b.fault).s), next_ja(l), next_en(l));
    }
    for (int i = 0; i < sk_X509_num(issuers); i++)
        good = say_list(l, sk_X509_value(issuers, i), list_of(&b, sk_X509_value(issuers, i), l->now)) && good;
    crl_batch_done(&b);
    return good;
}

static bool say_file(const struct state *s, const struct door *d, const struct conf *c)
{
    const struct clock clock = clock_system();
    const struct look l = { d->name, c->door_crl, strcmp(c->door_crl, state_at(s, "certs/crl.pem").c) == 0, (int64_t)(clock_wall(&clock) / 1000) };
    STACK_OF(X509) *issuers;
    struct buf text;
    if (!err_ok(crl_issuers_load(&issuers, c->door_ca))) {
        finding("issuers_unreadable", say_form("%s: 発行者(door_ca)を読めません: %s", d->name, c->door_ca),
                say_form("%s: the issuers (door_ca) cannot be read: %s", d->name, c->door_ca), say_form("設定 door_ca のファイルを置き、pmhgw reload"), say_form("put the file of the setting door_ca there, then pmhgw reload"));
        return false;
    }
    buf_init(&text, CRL_BYTES_MAX);
    bool good = err_ok(file_read(c->door_crl, &text));
    if (good)
        good = say_lists(&l, issuers, buf_slice(&text));
    else {
        finding("revocation_list_unreadable", say_form("%s: 失効リストを読めません: %s。受け取り済みのリストが期限まで使われます", d->name, l.path),
                say_form("%s: the list of revoked certificates cannot be read: %s; what is held counts until it ends", d->name, l.path), next_ja(&l), next_en(&l));
    }
    buf_done(&text);
    sk_X509_pop_free(issuers, X509_free);
    return good;
}

/* Asked of what runs: a file that is good now may not have been taken up, one that is bad may not matter yet. */
struct holding { const char *daemon; uint64_t missing; };

static void on_series(void *arg, const struct metrics_series *s)
{
    struct holding *h = arg;
    char want[64];
    snprintf(want, sizeof want, "pmhgw_revocation_lists_missing{daemon=\"%s\"}", h->daemon);
    if (slice_eq(s->text, slice_str(want)))
        h->missing = s->values[0];
}

static bool say_held(const struct state *s, const struct door *d)
{
    const struct clock clock = clock_system();
    struct holding h = { .daemon = strchr(d->name, '-') + 1 };
    if (!err_ok(metrics_each(state_at(s, "run/metrics").c, clock_wall(&clock), on_series, &h)) || h.missing == 0)
        return true;
    finding("revocation_lists_not_held", say_form("%s は今、発行者 %llu 件の失効リストを持っていません。その証明書の相手をお断りしています(503 revocation_unknown。理由はログの revocation_list_refused)", d->name, (unsigned long long)h.missing),
                say_form("%s has no list of %llu issuers now: clients with their certificates are refused (503 revocation_unknown; why is in its log: revocation_list_refused)", d->name, (unsigned long long)h.missing), say_form("ログの revocation_list_refused が理由を示す"), say_form("revocation_list_refused in its log says why"));
    return false;
}

bool doctor_lists(const struct state *s)
{
    bool good = true;
    for (size_t i = 0; i < sizeof DOORS / sizeof *DOORS; i++) {
        struct conf c = { 0 };
        const struct conf_file *f = conf_file(DOORS[i].file);
        conf_file_as_unit(f);
        if (!err_ok(conf_load(&c, f->who, conf_file_path(s, f).c)))
            continue; /* it has said why */
        if (!c.door_crl[0])
            finding("revocation_not_set", say_form("%s: 失効リストが設定されていません(door_crl)。失効した証明書の相手にもお答えします", DOORS[i].name),
                say_form("%s: no list of revoked certificates is set (door_crl): revoked clients are served", DOORS[i].name), say_form("設定 door_crl に失効リストを指定し、pmhgw reload"), say_form("name the list in the setting door_crl, then pmhgw reload"));
        else
            good = say_file(s, &DOORS[i], &c) && say_held(s, &DOORS[i]) && good;
        conf_free(&c);
    }
    return good;
}
