#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/check/json_in.h"
#include "mocks/apps.h"

/* Lines of the journal: {"e":"person","n":number,"s":serial}, {"e":"key","n":number}, {"e":"linked","s":serial},
 * {"e":"renewed","s":old serial,"to":new serial}, {"e":"order","v":"push" or "first_use"}. PMH keys and pseudonyms are not
 * kept: they are derived, so what the portal has forgotten is on no disk either. */

enum { LINE_MAX_BYTES = 256, NUMBER_DIGITS = 12, LINE_ARENA = 64 * 1024 };

static struct err line_put(struct nation *n, const char *event, const char *name_a, struct slice a, const char *name_b, struct slice b)
{
    struct buf line;
    struct jsonw w;
    buf_init(&line, LINE_MAX_BYTES);
    jsonw_init(&w, &line);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "e", event);
    jsonw_str(&w, name_a, a);
    if (name_b)
        jsonw_str(&w, name_b, b);
    jsonw_end_object(&w);
    struct err e = n->journal ? buf_check(&line) : FAIL(E_CANCELED);
    if (err_ok(e))
        e = journal_put(n->journal, buf_slice(&line));
    buf_done(&line);
    return e;
}

static struct slice number_of(struct nation *n, uint32_t at) { return slice_of(people_at(&n->people, at)->number, NUMBER_DIGITS); }
static struct slice serial_of(struct nation *n, uint32_t at) { return slice_str(people_at(&n->people, at)->serial); }

ERR record_person(struct nation *n, uint32_t at) { return line_put(n, "person", "n", number_of(n, at), "s", serial_of(n, at)); }
ERR record_key(struct nation *n, uint32_t at) { return line_put(n, "key", "n", number_of(n, at), NULL, SLICE_NONE); }
ERR record_linked(struct nation *n, uint32_t at) { return line_put(n, "linked", "s", serial_of(n, at), NULL, SLICE_NONE); }

ERR record_renewed(struct nation *n, struct slice old_serial, uint32_t at)
{
    return line_put(n, "renewed", "s", old_serial, "to", serial_of(n, at));
}

ERR record_order(struct nation *n)
{
    return line_put(n, "order", "v", n->order == ORDER_PUSH ? LIT("push") : LIT("first_use"), NULL, SLICE_NONE);
}

ERR record_sync(struct nation *n, journal_done_fn *done, void *arg)
{
    return n->journal ? journal_sync(n->journal, done, arg) : FAIL(E_CANCELED);
}

/* ---- reading it again ---- */

static struct err person_again(struct nation *n, struct slice number, struct slice serial)
{
    uint32_t at = people_by_number(&n->people, number);
    if (at == TABLE_NONE)
        return people_add(&n->people, number, serial, &at);
    /* a data file has named the person since: the card that was handed out stays valid */
    return people_by_serial(&n->people, serial) == TABLE_NONE ? people_renew(&n->people, at, serial) : OK;
}

static struct err key_again(struct nation *n, struct slice number)
{
    uint32_t at = people_by_number(&n->people, number);
    if (at == TABLE_NONE)
        TRY(people_add(&n->people, number, SLICE_NONE, &at));
    struct person *p = people_at(&n->people, at);
    TRY(ids_make(n, "pmh_key", number, p->intermediary.pmh_key));
    TRY(ids_make(n, "binding", number, p->intermediary.binding));
    onshi_receive(n, at, p->intermediary.pmh_key, p->intermediary.binding);
    return OK;
}

static struct err linked_again(struct nation *n, struct slice serial)
{
    uint32_t at = people_by_serial(&n->people, serial);
    if (at == TABLE_NONE)
        return OK;
    struct person *p = people_at(&n->people, at);
    p->portal.link = LINK_DONE;
    return ids_make(n, "pseudonym", slice_str(p->onshi.binding), p->portal.pseudonym);
}

static struct err renewed_again(struct nation *n, struct slice old_serial, struct slice serial)
{
    uint32_t at = people_by_serial(&n->people, old_serial);
    return at == TABLE_NONE ? OK : people_renew(&n->people, at, serial);
}

static struct err line_apply(struct nation *n, json_t *obj)
{
    struct slice event = SLICE_NONE, number = SLICE_NONE, serial = SLICE_NONE, to = SLICE_NONE, value = SLICE_NONE;
    bool named = member_text(obj, "e", 16, &event);
    bool numbered = member_text(obj, "n", NUMBER_DIGITS, &number), carded = member_text(obj, "s", SERIAL_MAX, &serial);
    if (named && slice_eq(event, LIT("person")) && numbered && carded)
        return person_again(n, number, serial);
    if (named && slice_eq(event, LIT("key")) && numbered)
        return key_again(n, number);
    if (named && slice_eq(event, LIT("linked")) && carded)
        return linked_again(n, serial);
    if (named && slice_eq(event, LIT("renewed")) && carded && member_text(obj, "to", SERIAL_MAX, &to))
        return renewed_again(n, serial, to);
    if (named && slice_eq(event, LIT("order")) && member_text(obj, "v", 16, &value)) {
        n->order = slice_eq(value, LIT("push")) ? ORDER_PUSH : ORDER_FIRST_USE;
        return OK;
    }
    return FAIL(E_CONFIG);
}

struct replay { struct nation *n; struct arena *a; uint64_t lines; };

static struct err on_line(void *arg, struct slice line)
{
    struct replay *r = arg;
    json_t *obj;
    r->lines++;
    struct err e = json_in_object(&obj, r->a, line);
    if (err_ok(e))
        e = line_apply(r->n, obj);
    arena_reset(r->a);
    if (err_is(e, E_NOMEM) || err_is(e, E_FULL))
        return e;
    if (!err_ok(e)) /* a line that makes no sense is not ours; what it said is lost, the rest is not */
        LOG(WARN, "journal_line_skipped", LF("line", r->lines), LF("error", e));
    return OK;
}

ERR record_replay(struct nation *n, const char *path)
{
    struct replay r = { .n = n, .a = arena_new(LINE_ARENA) };
    if (!r.a)
        return FAIL(E_NOMEM);
    struct err e = journal_open(&n->journal, n->l, path, on_line, &r);
    arena_free(r.a);
    return e;
}

/* ---- people of the data files ---- */

static struct err card_add(struct nation *n, json_t *obj, struct slice muni)
{
    struct slice serial, number;
    uint32_t at;
    if (!member_text(obj, "card_serial", SERIAL_MAX, &serial) || !member_text(obj, "my_number", NUMBER_DIGITS, &number))
        return FAIL(E_CONFIG);
    struct err e = people_add(&n->people, number, serial, &at);
    if (err_is(e, E_CONFLICT)) /* two files may name the same person */
        return OK;
    return err_ok(e) ? deck_add(n->apps, obj, muni) : e;
}

static struct err cards_read(struct nation *n, FILE *f, struct slice muni, struct arena *a)
{
    struct err e = OK;
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t k; err_ok(e) && (k = getline(&line, &cap, f)) > 0;) {
        json_t *obj;
        e = json_in_object(&obj, a, slice_of(line, (size_t)k));
        if (err_ok(e))
            e = card_add(n, obj, muni);
        arena_reset(a);
    }
    if (line)
        explicit_bzero(line, cap);
    free(line);
    return e;
}

static struct err file_load(struct nation *n, const char *dir, const char *name, struct arena *a)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return FAIL(E_FULL);
    FILE *f = fopen(path, "re");
    if (!f)
        return FAIL(E_IO);
    n->apps->deck_left = DECK_A_FILE;
    struct err e = cards_read(n, f, slice_of(name, strcspn(name, ".")), a);
    fclose(f);
    return e;
}

static bool is_cards_file(const char *name)
{
    struct slice s = slice_str(name), end = LIT(".cards.jsonl");
    return s.n > end.n && slice_eq(slice_of(s.p + s.n - end.n, end.n), end);
}

ERR record_load_people(struct nation *n, const char *dir)
{
    struct dirent **names = NULL;
    struct arena *a = arena_new(LINE_ARENA);
    if (!a)
        return FAIL(E_NOMEM);
    int found = scandir(dir, &names, NULL, alphasort); /* sorted: the same start every time */
    struct err e = found < 0 && errno != ENOENT ? FAIL(E_IO) : OK;
    for (int i = 0; i < found; i++) {
        if (err_ok(e) && is_cards_file(names[i]->d_name))
            e = file_load(n, dir, names[i]->d_name, a);
        free(names[i]);
    }
    free(names);
    arena_free(a);
    return e;
}
