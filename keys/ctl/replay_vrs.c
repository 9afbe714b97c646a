#include "keys/ctl/replay_vrs.h"

#include <string.h>

#include "gateway/base/text.h"
#include "gateway/vaccine/vrs_mark.h"
#include "keys/change/vrs_gone.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/replay.h"

enum { ROOM = 8 << 20, CHUNK = 300 /* fields in a script, each with up to three commands */ };

ERR replay_vrs_asked(const struct state *s, bool *ret_yes)
{
    const struct conf_file *f = conf_file(FILE_INTAKE);
    struct conf c;
    conf_file_as_unit(f);
    TRY(conf_load(&c, f->who, conf_file_path(s, f).c));
    *ret_yes = strcmp(c.vrs_report, VRS_MARK_SETTING) == 0;
    conf_free(&c);
    return OK;
}

ERR replay_vrs_marks(struct store *s, const struct audit_rec *rec, const struct redis_reply *hash, bool to_vrs, size_t *io_at, struct arena *a, struct nz_cas *c, size_t *ret_n)
{
    struct person p;
    struct store_name subject, *person = arena_get(a, sizeof *person);
    enum vrs_mark_kind kind;
    struct slice muni;
    *ret_n = 0;
    TRY(person ? replay_person(s, rec, &p) : FAIL(E_FULL));
    store_name_person(&p, person);
    if (!replay_subject(rec, hash, &subject)) /* nobody knows under which number VRS has it; nor is there any of it: it comes and goes with the tie */
        return OK;
    struct nz_vrs_gone g = { .person = person, .sid = slice_of(subject.c + 2, subject.n - 2), .now_ms = rec->wall_ms };
    for (; *io_at + 1 < redis_reply_len(hash) && *ret_n < CHUNK; *io_at += 2) {
        const struct slice sealed = redis_reply_str(redis_reply_at(hash, *io_at + 1));
        g.field = redis_reply_str(redis_reply_at(hash, *io_at));
        if (!vrs_mark_kind_of(g.field, &kind, &muni) || !replay_erases(s, rec, person, g.field, sealed))
            continue;
        struct err e = nz_vrs_let_go(c, a, s, &g, sealed, to_vrs);
        if (!err_is(e, E_FORBIDDEN)) /* the municipality has no key any more: VRS could not be told of it either */
            TRY(e);
        *ret_n += err_ok(e);
    }
    return OK;
}

struct marking {
    struct store *store;
    const struct audit_rec *rec;
    bool to_vrs;
    struct arena *a;
    size_t at, n;
    struct redis_batch *b;
};

static ERR hash_heard(void *arg, const struct redis_reply *const *replies, size_t n)
{
    struct marking *m = arg;
    struct nz_cas *c = nz_cas_new(m->a);
    if (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY)
        return FAIL(E_STORE_REFUSED);
    TRY(c ? replay_vrs_marks(m->store, m->rec, replies[0], m->to_vrs, &m->at, m->a, c, &m->n) : FAIL(E_FULL));
    return m->n ? nz_cas_batch(c, &m->b) : OK;
}

static ERR mark_some(struct link_line *line, struct marking *m, const struct store_name *person, bool dry)
{
    struct redis_batch *ask = redis_batch_new(512);
    arena_reset(m->a);
    m->b = NULL;
    if (ask)
        REDIS_ADD(ask, LIT("HGETALL"), store_name_slice(person));
    TRY(link_line_ask(line, LINK_FRONT, ask, hash_heard, m));
    if (m->b && !dry)
        return link_line_ask(line, LINK_INTAKE, m->b, NULL, NULL);
    redis_batch_free(m->b);
    return OK;
}

ERR replay_vrs(struct link_line *line, struct store *s, const struct audit_rec *rec, bool to_vrs, bool dry, uint64_t *io_n)
{
    struct marking m = { .store = s, .rec = rec, .to_vrs = to_vrs };
    struct person p;
    struct store_name person;
    TRY(replay_person(s, rec, &p));
    store_name_person(&p, &person);
    m.a = arena_new(ROOM);
    struct err e = m.a ? OK : FAIL(E_NOMEM);
    do {
        if (err_ok(e))
            e = mark_some(line, &m, &person, dry);
        *io_n += err_ok(e) && to_vrs ? m.n : 0;
    } while (err_ok(e) && m.n);
    arena_free(m.a);
    return e;
}
