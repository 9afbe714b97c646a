/* The keys of a log: the one in use and those that it replaced, each with the range of what it may have signed. */

#include "gateway/audit/note.h"
#include "gateway/base/text.h"

/* The first one has no range, each of the others one that ends where that of its successor begins. */
static bool fits(const struct note_keys *all, const struct note_key *k, bool ranged)
{
    if (all->n == NOTE_KEYS_MAX || ranged != (all->n > 0))
        return false;
    for (size_t i = 0; i < all->n; i++)
        if (!slice_eq(slice_str(all->key[i].name), slice_str(k->name)) || slice_eq(ARR(all->key[i].pub), ARR(k->pub)))
            return false;
    return all->n < 2 || k->until <= all->key[all->n - 1].until;
}

static bool take_line(struct note_keys *all, struct slice line)
{
    struct slice key = line, until = SLICE_NONE;
    struct note_key k;
    bool ranged = slice_cut(line, ' ', &key, &until);
    if (!note_key_read(key, &k) || (ranged && (!u64_parse(until, &k.until) || k.until == 0)) || !fits(all, &k, ranged))
        return false;
    all->key[all->n++] = k;
    return true;
}

bool note_keys_read(struct slice text, struct note_keys *ret_k)
{
    ret_k->n = 0;
    while (text.n) {
        struct slice line;
        if (!slice_cut(text, '\n', &line, &text)) {
            line = text;
            text = SLICE_NONE;
        }
        if (!take_line(ret_k, line))
            return false;
    }
    for (size_t i = 0; i + 1 < ret_k->n; i++)
        ret_k->key[i].older = &ret_k->key[i + 1];
    return ret_k->n > 0;
}

void note_keys_write(const struct note_key *k, struct buf *out)
{
    for (; k; k = k->older) {
        struct buf line;
        buf_init(&line, NOTE_KEY_LINE_MAX);
        note_key_write(k, &line);
        if (!err_ok(buf_check(&line)))
            out->failed = true;
        else
            buf_put(out, slice_of(line.p, line.n - 1));
        buf_done(&line);
        if (k->until) {
            buf_putc(out, ' ');
            buf_u64(out, k->until);
        }
        buf_putc(out, '\n');
    }
}
