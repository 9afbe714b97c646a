#include "gateway/portal/pseudonym.h"

#include "gateway/base/secret.h"

bool pseudonym_chars_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], letter = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') && c != '.' && c != '_' && c != '~' && c != '-')
            return false;
    }
    return true;
}

struct err pseudonym_name(struct store *s, struct pseudonym *p)
{
    struct slice prefix = LIT("ps:");
    if (p->portal.n == 0 || p->portal.n > sizeof p->field.c - prefix.n)
        return FAIL(E_FORBIDDEN);
    memcpy(p->field.c, prefix.p, prefix.n);
    memcpy(p->field.c + prefix.n, p->portal.p, p->portal.n);
    p->field.n = prefix.n + p->portal.n;
    return store_name_pseudonym(s, p->portal, p->text, &p->name);
}

struct err pseudonym_person(struct store *s, struct pseudonym *p)
{
    struct person person;
    TRY(store_person(s, p->pmh_key, &person));
    store_name_person(&person, &p->person);
    return OK;
}

struct err pseudonym_seal_key(struct store *s, const struct pseudonym *p, struct buf *out)
{
    return store_seal(s, SLICE_NONE, &p->name, SLICE_NONE, p->pmh_key, out);
}

struct err pseudonym_seal_text(struct store *s, const struct pseudonym *p, struct buf *out)
{
    return store_seal(s, SLICE_NONE, &p->person, store_name_slice(&p->field), p->text, out);
}

struct err pseudonym_open_key(struct store *s, const struct pseudonym *p, struct slice sealed, struct buf *out)
{
    return store_open(s, SLICE_NONE, &p->name, SLICE_NONE, sealed, out);
}

static ERR compare(struct err e, struct buf *plain, struct slice want)
{
    bool same = err_ok(e) && secret_equal(buf_slice(plain), want);
    buf_done(plain);
    TRY(e);
    return same ? OK : FAIL(E_CONFLICT);
}

struct err pseudonym_match_key(struct store *s, const struct pseudonym *p, struct slice sealed)
{
    struct buf plain;
    buf_init(&plain, PMH_KEY_SEALED_MAX);
    struct err e = pseudonym_open_key(s, p, sealed, &plain);
    return compare(e, &plain, p->pmh_key);
}

struct err pseudonym_match_text(struct store *s, const struct pseudonym *p, struct slice sealed)
{
    struct buf plain;
    buf_init(&plain, PSEUDONYM_SEALED_MAX);
    struct err e = store_open(s, SLICE_NONE, &p->person, store_name_slice(&p->field), sealed, &plain);
    return compare(e, &plain, p->text);
}
