#include "gateway/audit/entry_json.h"

#include "gateway/base/clock.h"
#include "gateway/base/text.h"

enum { B64_TEXT_MAX = (AUDIT_LEAF_BYTES + 2) / 3 * 4 };

const char *audit_event_name(enum audit_event e)
{
    static const struct { enum audit_event event; const char *name; } NAMES[] = {
#define X(sym, number, name) { AU_##sym, name },
#include "gateway/audit/events.def"
#undef X
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (NAMES[i].event == e)
            return NAMES[i].name;
    return "unknown";
}

const char *audit_result_name(enum audit_result r)
{
    static const char *const NAMES[AR__MAX] = { "ok", "nothing", "used", "refused", "failed" };
    return (unsigned)r < AR__MAX ? NAMES[r] : "unknown";
}

const char *audit_behalf_name(enum audit_behalf b)
{
    static const char *const NAMES[AB__MAX] = { "own", "citizen", "staff" };
    return (unsigned)b < AB__MAX ? NAMES[b] : "unknown";
}

const char *audit_item_name(unsigned bit)
{
    static const char *const NAMES[] = { "eligibility", "checkup", "immunizations", "ticket", "questionnaire", "consent", "session", "access_log", "flags", "number", "resident" };
    _Static_assert(AUDIT_ITEMS_ALL == (1 << sizeof NAMES / sizeof NAMES[0]) - 1, "every kind has a name");
    return bit < sizeof NAMES / sizeof NAMES[0] ? NAMES[bit] : NULL;
}

static void put_base64(struct jsonw *w, const char *name, struct slice s)
{
    struct buf b;
    buf_init(&b, B64_TEXT_MAX);
    b64_encode(s, &b);
    jsonw_str(w, name, buf_slice(&b));
    buf_done(&b);
}

static void put_items(struct jsonw *w, unsigned items)
{
    jsonw_array(w, "items");
    for (unsigned bit = 0; audit_item_name(bit); bit++)
        if (items & 1u << bit)
            jsonw_cstr(w, NULL, audit_item_name(bit));
    jsonw_end_array(w);
}

static void put_word(struct jsonw *w, const char *name, struct slice word, unsigned number)
{
    if (word.n)
        jsonw_str(w, name, word);
    else if (number)
        jsonw_u64(w, name, number);
}

void audit_entry_json(struct jsonw *w, uint64_t seq, const struct audit_rec *rec, struct audit_words words)
{
    char at[24];
    struct buf id;
    clock_format_utc(rec->wall_ms, at);
    buf_init(&id, 2 * sizeof rec->request.b);
    buf_hex(&id, ARR(rec->request.b));
    jsonw_u64(w, "seq", seq);
    jsonw_str(w, "at", ARR(at));
    jsonw_cstr(w, "event", audit_event_name(rec->event));
    jsonw_cstr(w, "result", audit_result_name(rec->result));
    if (rec->reason != E_OK)
        jsonw_cstr(w, "reason", err_slug(rec->reason));
    put_items(w, rec->items);
    jsonw_u64(w, "count", rec->count);
    put_word(w, "basis", words.basis, rec->basis);
    put_word(w, "purpose", words.purpose, rec->purpose);
    jsonw_cstr(w, "on_behalf", audit_behalf_name(rec->behalf));
    jsonw_str(w, "request", buf_slice(&id));
    buf_done(&id);
}

void audit_entry_json_who(struct jsonw *w, const struct audit_rec *rec)
{
    const char *end = memchr(rec->actor, 0, sizeof rec->actor);
    jsonw_str(w, "actor", slice_of(rec->actor, end ? (size_t)(end - rec->actor) : sizeof rec->actor));
    struct slice other;
    if (!slice_eq(ARR(rec->muni), LIT("000000")))
        jsonw_str(w, "municipality", ARR(rec->muni));
    if (audit_counterpart(rec, &other))
        jsonw_str(w, "counterpart", other);
}

void audit_entry_json_proof(struct jsonw *w, const struct audit_proof *p)
{
    jsonw_object(w, "proof");
    put_base64(w, "leaf", ARR(p->leaf));
    jsonw_u64(w, "index", p->seq - 1);
    jsonw_array(w, "path");
    for (size_t i = 0; i < p->n; i++)
        put_base64(w, NULL, ARR(p->path[i]));
    jsonw_end_array(w);
    jsonw_end_object(w);
}
