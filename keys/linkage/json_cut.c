#include "keys/linkage/json_cut.h"

#include <stdlib.h>

enum state {
    BEFORE,       /* blanks, then '['; JSON Lines: blanks, then a line */
    FIRST,        /* behind '[': an element or ']' */
    NEXT,         /* behind a comma: an element */
    ELEMENT,
    BEHIND,       /* an element that has ended with its bracket: ',' or ']' */
    OVER,         /* behind the array */
    N_STATES
};

struct nz_cut {
    nz_cut_fn *on_element;
    void *ctx;
    bool lines, blank, no_memory;
    enum state state;
    struct nz_place here;    /* of the byte at piece.mark */
    struct nz_place began;   /* the element */
    size_t bytes;            /* of the element, in earlier calls */
    size_t depth;
    bool object, deep, in_string, escaped;
    struct buf carry;        /* what earlier calls brought of the element; nothing once it is too long or no object */
};

/* One call of feed. Places are counted up to mark; the element, or the rest of it, begins at `from`. */
struct piece { uint8_t *p; size_t n, i, mark, from; };

ERR nz_cut_new(struct nz_cut **ret_c, bool lines, nz_cut_fn *on_element, void *ctx)
{
    struct nz_cut *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL(E_NOMEM);
    *c = (struct nz_cut){ .on_element = on_element, .ctx = ctx, .lines = lines, .blank = true, .here = NZ_PLACE_START };
    buf_init(&c->carry, NZ_CUT_ELEMENT_MAX);
    *ret_c = c;
    return OK;
}

void nz_cut_free(struct nz_cut *c)
{
    if (!c)
        return;
    buf_done(&c->carry);
    free(c);
}

struct nz_place nz_cut_place(const struct nz_cut *c) { return c->here; }
bool nz_cut_blank(const struct nz_cut *c) { return c->blank; }
ERR nz_cut_check(const struct nz_cut *c) { return c->no_memory ? FAIL(E_NOMEM) : OK; }

static bool blank(uint8_t b) { return b == ' ' || b == '\t' || b == '\n' || b == '\r'; }
static bool line_end(uint8_t b) { return b == '\n' || b == '\r'; }

static struct nz_place place_at(struct nz_cut *c, struct piece *in, size_t i)
{
    nz_place_run(&c->here, slice_of(in->p + in->mark, i - in->mark));
    in->mark = i;
    return c->here;
}

static enum nz_rule fault(struct nz_cut *c, struct piece *in, struct nz_place *ret_at, enum nz_rule rule)
{
    *ret_at = place_at(c, in, in->i);
    return rule;
}

/* ---- elements ---- */

static void element_begin(struct nz_cut *c, struct piece *in)
{
    c->state = ELEMENT;
    c->began = place_at(c, in, in->i);
    in->from = in->i;
    c->object = in->p[in->i] == '{';
    c->bytes = c->depth = 0;
    c->deep = c->in_string = c->escaped = false;
}

static size_t element_bytes(const struct nz_cut *c, const struct piece *in) { return c->bytes + (in->i - in->from); }

static enum nz_rule row_rule(const struct nz_cut *c, size_t bytes, uint8_t last)
{
    if (bytes > NZ_CUT_ELEMENT_MAX)
        return NZ_RULE_LINE_LONG;
    if (!c->object || last != '}' || c->depth || c->in_string)
        return NZ_RULE_NOT_OBJECT;
    return c->deep ? NZ_RULE_JSON_DEPTH : NZ_RULE_NONE;
}

/* It ends before byte i. */
static void element_give(struct nz_cut *c, struct piece *in)
{
    size_t n = in->i - in->from, bytes = element_bytes(c, in);
    uint8_t *here = in->p + in->from;
    bool carried = c->carry.n > 0;
    if (carried && bytes <= NZ_CUT_ELEMENT_MAX)
        buf_put(&c->carry, slice_of(here, n));
    c->no_memory = c->no_memory || c->carry.failed;
    struct slice text = carried ? buf_slice(&c->carry) : slice_of(here, n);
    while (c->lines && text.n && blank(text.p[text.n - 1]))
        text.n--;
    struct nz_cut_element e = { text, c->began, row_rule(c, bytes, text.n ? text.p[text.n - 1] : 0) };
    if (e.rule != NZ_RULE_NONE)
        e.text = SLICE_NONE;
    if (!c->no_memory)
        c->on_element(c->ctx, &e);
    (void)place_at(c, in, in->i); /* while it can still be read */
    explicit_bzero(here, n);
    buf_reset(&c->carry);
}

/* ---- inside an element ---- */

static size_t string_end(const uint8_t *p, size_t i, size_t n, bool lines)
{
    while (i < n && p[i] != '"' && p[i] != '\\' && !(lines && line_end(p[i])))
        i++;
    return i;
}

static size_t plain_end(const uint8_t *p, size_t i, size_t n)
{
    static const bool SPECIAL[256] = {
        ['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true, [','] = true, ['\n'] = true, ['\r'] = true,
    };
    while (i < n && !SPECIAL[p[i]])
        i++;
    return i;
}

static void string_read(struct nz_cut *c, struct piece *in)
{
    if (c->escaped) {
        c->escaped = false;
        in->i++;
        return;
    }
    in->i = string_end(in->p, in->i, in->n, c->lines);
    if (in->i == in->n || line_end(in->p[in->i]))
        return;
    c->escaped = in->p[in->i] == '\\';
    c->in_string = c->escaped;
    in->i++;
}

/* The element of an array is longer than it may be: an unclosed string has no end, so nothing behind it can be trusted. */
static enum nz_rule too_long(const struct nz_cut *c, const struct piece *in, struct nz_place *ret_at)
{
    if (c->lines || element_bytes(c, in) <= NZ_CUT_ELEMENT_MAX)
        return NZ_RULE_NONE;
    *ret_at = c->began;
    return NZ_RULE_ELEMENT_LONG;
}

static enum nz_rule bracket_close(struct nz_cut *c, struct piece *in, struct nz_place *ret_at)
{
    c->depth -= c->depth > 0;
    in->i++;
    if (c->depth || c->lines)
        return NZ_RULE_NONE;
    enum nz_rule bad = too_long(c, in, ret_at);
    if (bad != NZ_RULE_NONE)
        return bad;
    element_give(c, in);
    c->state = BEHIND;
    return NZ_RULE_NONE;
}

/* A number or a word ends here, without a bracket of its own. */
static enum nz_rule scalar_end(struct nz_cut *c, struct piece *in, struct nz_place *ret_at)
{
    enum nz_rule bad = too_long(c, in, ret_at);
    if (bad != NZ_RULE_NONE)
        return bad;
    if (in->p[in->i] == '}')
        return fault(c, in, ret_at, NZ_RULE_JSON_SYNTAX);
    element_give(c, in);
    c->state = BEHIND;
    return NZ_RULE_NONE;
}

static enum nz_rule element(struct nz_cut *c, struct piece *in, struct nz_place *ret_at)
{
    if (c->in_string && !(c->lines && line_end(in->p[in->i]))) {
        string_read(c, in);
        return NZ_RULE_NONE;
    }
    in->i = plain_end(in->p, in->i, in->n);
    if (in->i == in->n)
        return NZ_RULE_NONE;
    uint8_t b = in->p[in->i];
    if (c->lines && line_end(b)) {
        element_give(c, in);
        c->state = BEFORE;
        return NZ_RULE_NONE;
    }
    bool closes = b == '}' || b == ']';
    if (!c->lines && !c->depth && (closes || b == ','))
        return scalar_end(c, in, ret_at);
    if (closes)
        return bracket_close(c, in, ret_at);
    c->in_string = b == '"';
    c->depth += b == '{' || b == '[';
    c->deep = c->deep || c->depth > NZ_CUT_DEPTH_MAX;
    in->i++;
    return NZ_RULE_NONE;
}

/* ---- between elements ---- */

static enum nz_rule before(struct nz_cut *c, struct piece *in, struct nz_place *ret_at)
{
    c->blank = false;
    if (c->lines) {
        element_begin(c, in);
        return NZ_RULE_NONE;
    }
    if (in->p[in->i] != '[')
        return fault(c, in, ret_at, NZ_RULE_JSON_ARRAY);
    in->i++;
    c->state = FIRST;
    return NZ_RULE_NONE;
}

static enum nz_rule next(struct nz_cut *c, struct piece *in, struct nz_place *ret_at)
{
    uint8_t b = in->p[in->i];
    if (b == ']' && c->state == FIRST) {
        in->i++;
        c->state = OVER;
        return NZ_RULE_NONE;
    }
    if (b == ']' || b == '}' || b == ',')
        return fault(c, in, ret_at, NZ_RULE_JSON_SYNTAX);
    element_begin(c, in);
    return NZ_RULE_NONE;
}

static enum nz_rule behind(struct nz_cut *c, struct piece *in, struct nz_place *ret_at)
{
    uint8_t b = in->p[in->i];
    if (b != ',' && b != ']')
        return fault(c, in, ret_at, NZ_RULE_JSON_SYNTAX);
    in->i++;
    c->state = b == ',' ? NEXT : OVER;
    return NZ_RULE_NONE;
}

static enum nz_rule over(struct nz_cut *c, struct piece *in, struct nz_place *ret_at) { return fault(c, in, ret_at, NZ_RULE_JSON_BEHIND); }

/* ---- pieces ---- */

/* The beginning of an element, or more of it: kept only while it may become a row. */
static enum nz_rule element_keep(struct nz_cut *c, struct piece *in, struct nz_place *ret_at)
{
    size_t n = in->i - in->from;
    enum nz_rule bad = too_long(c, in, ret_at);
    if (bad != NZ_RULE_NONE)
        return bad;
    c->bytes += n;
    if (c->bytes > NZ_CUT_ELEMENT_MAX) {
        buf_reset(&c->carry);
        c->bytes = NZ_CUT_ELEMENT_MAX + 1;
    } else if (c->object) {
        buf_put(&c->carry, slice_of(in->p + in->from, n));
    }
    explicit_bzero(in->p + in->from, n);
    c->no_memory = c->carry.failed;
    return NZ_RULE_NONE;
}

enum nz_rule nz_cut_feed(struct nz_cut *c, uint8_t *utf8, size_t n, struct nz_place *ret_at)
{
    static enum nz_rule (*const READ[N_STATES])(struct nz_cut *c, struct piece *in, struct nz_place *ret_at) = {
        [BEFORE] = before, [FIRST] = next, [NEXT] = next, [ELEMENT] = element, [BEHIND] = behind, [OVER] = over,
    };
    struct piece in = { .p = utf8, .n = n };
    if (n == 0) /* utf8 may be NULL */
        return NZ_RULE_NONE;
    while (in.i < n && !c->no_memory) {
        if (c->state != ELEMENT && blank(utf8[in.i])) {
            in.i++;
            continue;
        }
        enum nz_rule bad = READ[c->state](c, &in, ret_at);
        if (bad != NZ_RULE_NONE)
            return bad;
    }
    if (c->no_memory)
        return NZ_RULE_NONE;
    (void)place_at(c, &in, n);
    return c->state == ELEMENT ? element_keep(c, &in, ret_at) : NZ_RULE_NONE;
}

enum nz_rule nz_cut_end(struct nz_cut *c, struct nz_place *ret_at)
{
    struct piece none = { .p = (uint8_t[1]){ 0 } };
    if (c->lines && c->state == ELEMENT) {
        element_give(c, &none);
        c->state = BEFORE;
    }
    if (c->lines || c->state == BEFORE || c->state == OVER)
        return NZ_RULE_NONE;
    *ret_at = c->here;
    return NZ_RULE_JSON_CUT;
}
