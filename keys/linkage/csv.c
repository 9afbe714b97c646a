#include "keys/linkage/csv.h"

#include <stdlib.h>

enum state { ROW_START, CELL_START, PLAIN, QUOTED, QUOTE_SEEN /* the closing one, or the first of two */, N_STATES };
enum shape { AS_IT_IS, IN_QUOTES, WITH_DOUBLED_QUOTES };

struct span { uint32_t from, to; enum shape shape; }; /* in the row, with the quotes */

struct nz_csv {
    nz_csv_row_fn *on_row;
    void *ctx;
    enum state state;
    struct nz_place row_at; /* where this row begins, or the next one may */
    struct buf carry;       /* what earlier calls brought of this row */
    struct buf undoubled;   /* cells that had doubled quotes */
    struct span cell;       /* the one that is being read */
    bool has_quotes;        /* in the row: lines may end inside it */
    size_t n_cells;
    struct span spans[NZ_CSV_CELLS_MAX];
    struct slice cells[NZ_CSV_CELLS_MAX];
    bool no_memory;
};

/* One call of feed: the row, or the rest of it, begins at `from`. */
struct piece { uint8_t *p; size_t n, i, from; };

ERR nz_csv_new(struct nz_csv **ret_c, nz_csv_row_fn *on_row, void *ctx)
{
    struct nz_csv *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL(E_NOMEM);
    c->on_row = on_row;
    c->ctx = ctx;
    c->row_at = NZ_PLACE_START;
    buf_init(&c->carry, NZ_CSV_ROW_MAX);
    buf_init(&c->undoubled, NZ_CSV_ROW_MAX);
    *ret_c = c;
    return OK;
}

void nz_csv_free(struct nz_csv *c)
{
    if (!c)
        return;
    buf_done(&c->carry);
    buf_done(&c->undoubled);
    free(c);
}

ERR nz_csv_check(const struct nz_csv *c) { return c->no_memory ? FAIL(E_NOMEM) : OK; }

/* ---- places ---- */

struct nz_place nz_csv_place(const struct nz_csv *c)
{
    struct nz_place at = c->row_at;
    nz_place_run(&at, buf_slice(&c->carry));
    return at;
}

struct nz_place nz_csv_cell_place(const struct nz_csv_row *row, size_t i)
{
    struct nz_place at = row->at;
    nz_place_run(&at, slice_of(row->text, row->csv->spans[i].from));
    return at;
}

static size_t offset(const struct nz_csv *c, const struct piece *in) { return c->carry.n + (in->i - in->from); }

static struct nz_place place_of(const struct nz_csv *c, const struct piece *in, size_t off)
{
    struct nz_place at = c->row_at;
    bool earlier = off < c->carry.n;
    nz_place_run(&at, slice_of(c->carry.p, earlier ? off : c->carry.n));
    if (!earlier)
        nz_place_run(&at, slice_of(in->p + in->from, off - c->carry.n));
    return at;
}

/* ---- cells and rows ---- */

/* Whichever maximum was passed first, so that it does not matter where the pieces end. */
static enum nz_rule too_long(const struct nz_csv *c, const struct piece *in, struct nz_place *ret_at)
{
    size_t off = offset(c, in);
    bool row = off > NZ_CSV_ROW_MAX, cell = off - c->cell.from > NZ_CSV_CELL_MAX;
    if (!row && !cell)
        return NZ_RULE_NONE;
    if (row && cell)
        cell = c->cell.from + NZ_CSV_CELL_MAX <= NZ_CSV_ROW_MAX;
    *ret_at = place_of(c, in, cell ? c->cell.from : 0);
    return cell ? NZ_RULE_CELL_LONG : NZ_RULE_ROW_LONG;
}

static void cell_begin(struct nz_csv *c, size_t off) { c->cell = (struct span){ .from = (uint32_t)off }; }

static void cell_end(struct nz_csv *c, size_t off)
{
    c->cell.to = (uint32_t)off;
    c->has_quotes = c->has_quotes || c->cell.shape != AS_IT_IS;
    if (c->n_cells < NZ_CSV_CELLS_MAX)
        c->spans[c->n_cells] = c->cell;
    c->n_cells++;
}

static struct slice undouble(struct nz_csv *c, struct slice s)
{
    uint8_t *to = buf_room(&c->undoubled, c->undoubled.n ? s.n : NZ_CSV_ROW_MAX); /* taken once: slices point into it */
    size_t n = 0;
    c->no_memory = c->no_memory || !to;
    if (!to)
        return SLICE_NONE;
    for (size_t i = 0; i < s.n; i++) {
        to[n++] = s.p[i];
        i += s.p[i] == '"';
    }
    buf_grew(&c->undoubled, n);
    return slice_of(to, n);
}

static struct slice cell_text(struct nz_csv *c, const struct span *s, const uint8_t *row)
{
    if (s->shape == AS_IT_IS)
        return slice_of(row + s->from, s->to - s->from);
    struct slice inner = slice_of(row + s->from + 1, s->to - s->from - 2);
    return s->shape == IN_QUOTES ? inner : undouble(c, inner);
}

static enum nz_rule row_give(struct nz_csv *c, const uint8_t *text, size_t n, struct nz_place *ret_at)
{
    size_t kept = c->n_cells < NZ_CSV_CELLS_MAX ? c->n_cells : NZ_CSV_CELLS_MAX;
    for (size_t i = 0; i < kept; i++)
        c->cells[i] = cell_text(c, &c->spans[i], text);
    struct nz_csv_row row = { c->cells, c->n_cells, c->row_at, c, text };
    enum nz_rule bad = c->no_memory ? NZ_RULE_NONE : c->on_row(c->ctx, &row);
    if (bad != NZ_RULE_NONE)
        *ret_at = c->row_at;
    if (c->has_quotes)
        nz_place_run(&c->row_at, slice_of(text, n));
    buf_reset(&c->undoubled);
    c->n_cells = 0;
    c->has_quotes = false;
    return bad;
}

/* The row ends before byte i of the piece. */
static enum nz_rule row_end(struct nz_csv *c, struct piece *in, struct nz_place *ret_at)
{
    uint8_t *here = in->p + in->from;
    size_t n = in->i - in->from;
    bool carried = c->carry.n > 0;
    if (carried)
        buf_put(&c->carry, slice_of(here, n));
    c->no_memory = c->no_memory || c->carry.failed;
    enum nz_rule bad = carried ? row_give(c, c->carry.p, c->carry.n, ret_at) : row_give(c, here, n, ret_at);
    explicit_bzero(here, n);
    buf_reset(&c->carry);
    return bad;
}

/* ---- bytes ---- */

static size_t plain_end(const uint8_t *p, size_t i, size_t n)
{
    static const bool SPECIAL[256] = { [','] = true, ['"'] = true, ['\n'] = true, ['\r'] = true };
    while (i < n && !SPECIAL[p[i]])
        i++;
    return i;
}

static enum nz_rule quote_fault(struct nz_csv *c, struct piece *in, struct nz_place *ret_at)
{
    *ret_at = place_of(c, in, offset(c, in));
    return NZ_RULE_QUOTE;
}

/* The cell is over, if the byte is one that ends a cell; else a quotation mark is misplaced. */
static enum nz_rule behind_cell(struct nz_csv *c, struct piece *in, struct nz_place *ret_at)
{
    uint8_t b = in->p[in->i];
    enum nz_rule bad = too_long(c, in, ret_at);
    if (bad != NZ_RULE_NONE)
        return bad;
    if (b != ',' && b != '\n' && b != '\r')
        return quote_fault(c, in, ret_at);
    cell_end(c, offset(c, in));
    if (b == ',') {
        in->i++;
        cell_begin(c, offset(c, in));
        c->state = CELL_START;
        return NZ_RULE_NONE;
    }
    bad = row_end(c, in, ret_at);
    c->state = ROW_START;
    return bad;
}

static enum nz_rule row_start(struct nz_csv *c, struct piece *in, struct nz_place *ret_at)
{
    uint8_t b = in->p[in->i];
    (void)ret_at;
    in->from = in->i;
    if (b == '\n' || b == '\r') {
        nz_place_step(&c->row_at, b);
        in->from = ++in->i;
    } else {
        cell_begin(c, 0);
        c->state = CELL_START;
    }
    return NZ_RULE_NONE;
}

static enum nz_rule cell_start(struct nz_csv *c, struct piece *in, struct nz_place *ret_at)
{
    bool quote = in->p[in->i] == '"';
    (void)ret_at;
    c->state = quote ? QUOTED : PLAIN;
    c->cell.shape = quote ? IN_QUOTES : AS_IT_IS;
    in->i += quote;
    return NZ_RULE_NONE;
}

static enum nz_rule plain(struct nz_csv *c, struct piece *in, struct nz_place *ret_at)
{
    in->i = plain_end(in->p, in->i, in->n);
    return in->i == in->n ? NZ_RULE_NONE : behind_cell(c, in, ret_at);
}

static enum nz_rule quoted(struct nz_csv *c, struct piece *in, struct nz_place *ret_at)
{
    const uint8_t *quote = memchr(in->p + in->i, '"', in->n - in->i);
    in->i = quote ? (size_t)(quote - in->p) : in->n;
    if (!quote)
        return NZ_RULE_NONE;
    enum nz_rule bad = too_long(c, in, ret_at);
    in->i++;
    c->state = QUOTE_SEEN;
    return bad;
}

static enum nz_rule quote_seen(struct nz_csv *c, struct piece *in, struct nz_place *ret_at)
{
    if (in->p[in->i] != '"')
        return behind_cell(c, in, ret_at);
    enum nz_rule bad = too_long(c, in, ret_at);
    c->cell.shape = WITH_DOUBLED_QUOTES;
    c->state = QUOTED;
    in->i++;
    return bad;
}

enum nz_rule nz_csv_feed(struct nz_csv *c, uint8_t *utf8, size_t n, struct nz_place *ret_at)
{
    static enum nz_rule (*const READ[N_STATES])(struct nz_csv *c, struct piece *in, struct nz_place *ret_at) = {
        [ROW_START] = row_start, [CELL_START] = cell_start, [PLAIN] = plain, [QUOTED] = quoted, [QUOTE_SEEN] = quote_seen,
    };
    struct piece in = { .p = utf8, .n = n };
    if (n == 0) /* utf8 may be NULL */
        return NZ_RULE_NONE;
    while (in.i < n && !c->no_memory) {
        enum nz_rule bad = READ[c->state](c, &in, ret_at);
        if (bad != NZ_RULE_NONE)
            return bad;
    }
    if (c->state == ROW_START || c->no_memory)
        return NZ_RULE_NONE;
    enum nz_rule bad = too_long(c, &in, ret_at);
    if (bad != NZ_RULE_NONE)
        return bad;
    buf_put(&c->carry, slice_of(utf8 + in.from, n - in.from));
    explicit_bzero(utf8 + in.from, n - in.from);
    c->no_memory = c->carry.failed;
    return NZ_RULE_NONE;
}

enum nz_rule nz_csv_end(struct nz_csv *c, struct nz_place *ret_at)
{
    struct piece none = { .p = (uint8_t[1]){ 0 } };
    if (c->state == ROW_START)
        return NZ_RULE_NONE;
    if (c->state == QUOTED) {
        *ret_at = place_of(c, &none, c->cell.from);
        return NZ_RULE_QUOTE_OPEN;
    }
    struct nz_place end = nz_csv_place(c);
    cell_end(c, c->carry.n);
    c->state = ROW_START;
    enum nz_rule bad = row_end(c, &none, ret_at);
    c->row_at = end;
    return bad;
}
