#include "keys/oplog/page.h"

#include "keys/oplog/line.h"

static void find(struct nz_oplog_page *p);

static void end(struct nz_oplog_page *p, struct err e) { p->fn(p->arg, e); }

/* ---- proofs ---- */

static void on_proof(void *arg, struct err e, const struct audit_proof *proof)
{
    struct nz_oplog_slot *s = arg;
    struct nz_oplog_page *p = s->page;
    if (err_ok(e)) {
        s->proof = *proof;
        s->there = proof->rec.wall_ms >= p->range.from_ms && proof->rec.wall_ms <= p->range.to_ms;
    } else if (!err_is(e, E_NOTHING) && err_ok(p->failed)) { /* NOTHING: removed after its time since it was found */
        p->failed = e;
    }
    if (--p->waiting == 0)
        end(p, p->failed);
}

static void on_found(void *arg, struct err e, const struct audit_hits *h)
{
    struct nz_oplog_page *p = arg;
    if (!err_ok(e)) {
        end(p, e);
        return;
    }
    struct audit_key key = audit_key_muni(p->muni);
    p->n = h->n < p->limit ? h->n : p->limit;
    p->before = h->n > p->limit ? h->seq[p->limit - 1] : h->next;
    if (p->n == 0 && p->before) {
        find(p); /* a piece of the log in which there was none */
        return;
    }
    if (p->n == 0) {
        end(p, OK);
        return;
    }
    p->failed = OK;
    p->waiting = (unsigned)p->n;
    for (size_t i = 0; i < p->n; i++) {
        p->slot[i] = (struct nz_oplog_slot){ .page = p };
        audit_prove(p->in->audit, &key, h->seq[i], p->size, p->deadline, on_proof, &p->slot[i]);
    }
}

static void find(struct nz_oplog_page *p)
{
    uint64_t newest = p->size + 1;
    struct audit_find q = {
        .key = audit_key_muni(p->muni), .before = p->before && p->before < newest ? p->before : newest, .from_ms = p->range.from_ms, .to_ms = p->range.to_ms };
    audit_find(p->in->audit, &q, p->deadline, on_found, p);
}

static void on_checkpoint(void *arg, struct err e, uint64_t size, struct slice note)
{
    struct nz_oplog_page *p = arg;
    if (err_ok(e) && (note.n > sizeof p->note || size == 0))
        e = FAIL(E_AUDIT_DOWN);
    if (!err_ok(e)) {
        end(p, e);
        return;
    }
    memcpy(p->note, note.p, note.n);
    p->note_n = note.n;
    p->size = size;
    find(p);
}

void nz_oplog_page_read(struct nz_oplog_page *p)
{
    p->n = 0;
    if (p->size)
        find(p);
    else
        audit_checkpoint(p->in->audit, p->deadline, on_checkpoint, p);
}

/* ---- for the reader ---- */

ERR nz_oplog_page_write(const struct nz_oplog_page *p, struct jsonw *array, struct buf *lines, uint32_t *ret_n)
{
    const struct nz_oplog_reader who = { p->in->store, p->in->basis, p->muni };
    uint32_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        struct jsonw line;
        if (!p->slot[i].there)
            continue;
        n++;
        if (array) {
            TRY(nz_oplog_entry_write(&who, &p->slot[i].proof, array));
            continue;
        }
        jsonw_init(&line, lines);
        TRY(nz_oplog_entry_write(&who, &p->slot[i].proof, &line));
        buf_putc(lines, '\n');
    }
    *ret_n = n;
    return OK;
}
