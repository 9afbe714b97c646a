#include "keys/ctl/proof_doc.h"

#include <jansson.h>

#include "gateway/audit/entry_json.h"
#include "gateway/base/text.h"
#include "gateway/check/json_in.h"

enum { ARENA_BYTES = 64 * 1024 };

struct reading {
    const struct note_key *key;
    proof_each_fn *each;
    void *arg;
    bool has_head;
    struct proof_result r;
};

static struct slice text_of(const json_t *v) { return slice_of(json_string_value(v), json_string_length(v)); }

static bool base64_exact(const json_t *v, uint8_t *out, size_t n)
{
    struct buf b;
    if (!json_is_string(v) || json_string_length(v) != (n + 2) / 3 * 4)
        return false;
    buf_init(&b, n + 4);
    bool good = b64_decode(text_of(v), &b) && b.n == n;
    if (good)
        memcpy(out, b.p, n);
    buf_done(&b);
    return good;
}

/* ---- one entry ---- */

static bool path_read(const json_t *v, struct tree_path *ret_p)
{
    const json_t *hash;
    size_t i;
    if (!json_is_array(v) || json_array_size(v) > TREE_PATH_MAX)
        return false;
    ret_p->n = json_array_size(v);
    json_array_foreach(v, i, hash)
        if (!base64_exact(hash, ret_p->hash[i], TREE_HASH))
            return false;
    return true;
}

static bool shows(const json_t *o, const char *name, const char *want)
{
    const json_t *v = json_object_get(o, name);
    return !v || (json_is_string(v) && slice_eq(text_of(v), slice_str(want)));
}

static bool says_the_same(const json_t *o, const struct proof_entry *e)
{
    char at[25] = { 0 };
    const json_t *seq = json_object_get(o, "seq");
    clock_format_utc(e->rec.wall_ms, at);
    return (!seq || (json_is_integer(seq) && json_integer_value(seq) == (json_int_t)e->seq)) && shows(o, "at", at) &&
           shows(o, "event", audit_event_name(e->rec.event)) && shows(o, "result", audit_result_name(e->rec.result));
}

static enum proof_fault entry_check_proof(struct reading *r, const json_t *o, const json_t *proof)
{
    uint8_t leaf[AUDIT_LEAF_BYTES], hash[TREE_HASH];
    struct tree_path path;
    struct proof_entry e;
    const json_t *index = json_object_get(proof, "index");
    if (!json_is_integer(index) || json_integer_value(index) < 0 || !base64_exact(json_object_get(proof, "leaf"), leaf, sizeof leaf) ||
        !path_read(json_object_get(proof, "path"), &path))
        return PROOF_SHAPE;
    if (!r->has_head)
        return PROOF_NO_NOTE;
    uint64_t at = (uint64_t)json_integer_value(index);
    if (!audit_leaf_decode(leaf, &e.seq, &e.from, &e.rec) || e.seq - 1 != at)
        return PROOF_LEAF;
    if (!err_ok(tree_leaf(leaf, hash)) || !tree_included(hash, at, &path, &r->r.head))
        return PROOF_PATH;
    if (!says_the_same(o, &e))
        return PROOF_SAYS;
    r->r.entries++;
    if (r->each)
        r->each(r->arg, &e);
    return PROOF_OK;
}

/* ---- one object ---- */

static enum proof_fault head_take(struct reading *r, struct slice note)
{
    static const enum proof_fault FAULT[] = { [NOTE_GOOD] = PROOF_OK, [NOTE_SHAPE] = PROOF_NOTE, [NOTE_STRANGER] = PROOF_STRANGER, [NOTE_FORGED] = PROOF_FORGED, [NOTE_RETIRED] = PROOF_RETIRED };
    struct tree_head h;
    enum note_verdict v = checkpoint_open(note, r->key, &h);
    if (v == NOTE_GOOD) {
        r->r.head = h;
        r->has_head = true;
    }
    return FAULT[v];
}

static enum proof_fault head_member(struct reading *r, const json_t *o)
{
    const json_t *v = json_object_get(o, "checkpoint");
    if (!v)
        return PROOF_OK;
    return json_is_string(v) ? head_take(r, text_of(v)) : PROOF_SHAPE;
}

static enum proof_fault object_check(struct reading *r, const json_t *o)
{
    const json_t *proof = json_object_get(o, "proof"), *entries = json_object_get(o, "entries"), *e;
    size_t i;
    enum proof_fault f = head_member(r, o);
    if (f == PROOF_OK && proof)
        f = json_is_object(proof) ? entry_check_proof(r, o, proof) : PROOF_SHAPE;
    if (f != PROOF_OK || !entries)
        return f;
    if (!json_is_array(entries))
        return PROOF_SHAPE;
    json_array_foreach(entries, i, e) {
        proof = json_object_get(e, "proof");
        f = json_is_object(proof) ? entry_check_proof(r, e, proof) : PROOF_SHAPE;
        if (f != PROOF_OK)
            return f;
    }
    return PROOF_OK;
}

/* One object out of a text, handed to fn. */
static enum proof_fault with_object(struct reading *r, struct arena *a, struct slice text, enum proof_fault (*fn)(struct reading *r, const json_t *o))
{
    json_t *o;
    struct err e = json_in_object(&o, a, text);
    enum proof_fault f = err_ok(e) ? fn(r, o) : PROOF_NOT_JSON;
    arena_reset(a);
    return f;
}

/* ---- documents ---- */

static bool blank(struct slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\r' && line.p[i] != '\t')
            return false;
    return true;
}

static bool line_next(struct slice *text, struct slice *line)
{
    if (text->n == 0)
        return false;
    if (!slice_cut(*text, '\n', line, text)) {
        *line = *text;
        *text = SLICE_NONE;
    }
    return true;
}

/* An export may tell its checkpoint behind the entries. */
static enum proof_fault first_head(struct reading *r, struct arena *a, struct slice text)
{
    struct slice line;
    while (!r->has_head && line_next(&text, &line)) {
        r->r.line++;
        enum proof_fault f = memmem(line.p, line.n, "\"checkpoint\"", 12) ? with_object(r, a, line, head_member) : PROOF_OK;
        if (f != PROOF_OK)
            return f;
    }
    return PROOF_OK;
}

static enum proof_fault lines_check(struct reading *r, struct arena *a, struct slice text)
{
    struct slice line;
    enum proof_fault f = first_head(r, a, text);
    if (f != PROOF_OK)
        return f;
    r->r.line = 0;
    while (line_next(&text, &line)) {
        r->r.line++;
        f = blank(line) ? PROOF_OK : with_object(r, a, line, object_check);
        if (f != PROOF_OK)
            return f;
    }
    return PROOF_OK;
}

static bool is_lines(struct arena *a, struct slice text)
{
    struct slice line, rest;
    json_t *o;
    if (!slice_cut(text, '\n', &line, &rest) || blank(rest))
        return false;
    bool whole = err_ok(json_in_object(&o, a, line));
    arena_reset(a);
    return whole;
}

static enum proof_fault document_check(struct reading *r, struct slice text)
{
    if (text.n == 0 || text.p[0] != '{') {
        enum proof_fault f = head_take(r, text);
        return f == PROOF_NOTE ? PROOF_NOT_JSON : f;
    }
    struct arena *a = arena_new(ARENA_BYTES);
    if (!a)
        return PROOF_NOT_JSON;
    enum proof_fault f = is_lines(a, text) ? lines_check(r, a, text) : with_object(r, a, text, object_check);
    arena_free(a);
    if (f == PROOF_OK && !r->has_head)
        f = PROOF_NOTHING;
    return f;
}

struct proof_result proof_doc_check(struct slice text, const struct note_key *key, proof_each_fn *each, void *arg)
{
    struct reading r = { .key = key, .each = each, .arg = arg };
    r.r.fault = document_check(&r, text);
    return r.r;
}

/* ---- words ---- */

static const struct { const char *name, *ja, *en; } WORDS[PROOF__MAX] = {
    [PROOF_OK] = { "", "正しい", "good" },
    [PROOF_NOT_JSON] = { "not_json", "監査記録の証明(JSON)でもチェックポイントでもありません", "neither a proof (JSON) nor a checkpoint" },
    [PROOF_SHAPE] = { "shape", "証明の項目の形が正しくありません", "a member of the proof does not have its form" },
    [PROOF_NOTHING] = { "nothing", "チェックポイントがありません", "there is no checkpoint in it" },
    [PROOF_NO_NOTE] = { "no_checkpoint", "記録はありますが、チェックポイントがありません", "there are entries, but no checkpoint" },
    [PROOF_NOTE] = { "checkpoint", "チェックポイントの形が正しくありません", "the checkpoint is not one of this log" },
    [PROOF_STRANGER] = { "stranger", "この鍵で署名されていません", "the checkpoint is not signed by this key" },
    [PROOF_FORGED] = { "forged", "チェックポイントの署名が正しくありません", "the signature of the checkpoint is wrong" },
    [PROOF_RETIRED] = { "retired", "すでに交替した鍵で署名されています", "the checkpoint is signed by a key that had been replaced by then" },
    [PROOF_LEAF] = { "leaf", "記録の中身が番号と合いません", "the leaf is no entry of that number" },
    [PROOF_PATH] = { "path", "記録は署名された木の中にありません", "the entry does not stand in the signed tree" },
    [PROOF_SAYS] = { "says", "表示されている内容が、証明された記録と違います", "what is shown differs from the entry that is proved" },
};

const char *proof_fault_name(enum proof_fault f) { return WORDS[f].name; }
const char *proof_fault_ja(enum proof_fault f) { return WORDS[f].ja; }
const char *proof_fault_en(enum proof_fault f) { return WORDS[f].en; }
