/* pmhgw audit checkpoint, pmhgw audit prove: out of the folder of the log, whether its daemon runs or not. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/audit/entry_json.h"
#include "gateway/audit/leaf.h"
#include "gateway/audit/segment.h"
#include "gateway/audit/tiles.h"
#include "gateway/base/text.h"
#include "keys/ctl/audit_sub.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { PROOF_JSON_MAX = 64 * 1024, WAIT_TRIES = 20, WAIT_US = 100 * 1000 };

struct asked {
    struct state s;
    struct note_keys keys;
    struct opt_list operands;
    bool json;
};

/* Options that both take; the state and the key are ready afterwards. -1: go on; else the exit status. */
static int begin(int argc, char **argv, const char *path, struct asked *ret_a)
{
    struct state_dirs dirs = { 0 };
    ret_a->json = false;
    const char *key_path = NULL;
    enum opts_end end = CLI_PARSE(argc, argv, path, &ret_a->operands, { "--key", &key_path }, { "--state", &dirs.state }, { "--json", &ret_a->json });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    return state_open(&ret_a->s, &dirs, false) && audit_keys_read(&ret_a->s, key_path, &ret_a->keys) ? -1 : 2;
}

static int print_out(struct buf *b)
{
    bool good = err_ok(buf_check(b)) && fwrite(b->p, 1, b->n, stdout) == b->n && fflush(stdout) == 0;
    buf_done(b);
    if (good)
        out_written();
    if (!good)
        say_error("書き出せません", "the output cannot be written");
    return good ? 0 : 2;
}

int audit_sub_checkpoint(int argc, char **argv)
{
    struct asked a;
    struct tree_head head;
    struct buf note;
    int status = begin(argc, argv, "audit checkpoint", &a);
    if (status >= 0)
        return status;
    buf_init(&note, NOTE_MAX);
    if (!audit_checkpoint_read(state_at(&a.s, "audit/checkpoint").c, &a.keys.key[0], &head, &note)) {
        buf_done(&note);
        return 2;
    }
    if (a.json) {
        json_t *v = json_pack("{s:s%, s:I}", "checkpoint", (const char *)note.p, note.n, "size", (json_int_t)head.size);
        buf_reset(&note);
        char *text = json_dumps(v, JSON_COMPACT);
        buf_puts(&note, text ? text : "");
        buf_putc(&note, '\n');
        free(text);
        json_decref(v);
    }
    return print_out(&note);
}

/* ---- prove ---- */

static ERR entry_read(const char *dir, uint64_t seq, uint8_t out[static AUDIT_LEAF_BYTES])
{
    char name[SEG_NAME_BYTES];
    uint64_t at = (seq - 1) % AUDIT_SEGMENT_ENTRIES;
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return FAIL(E_IO);
    seg_name(seq - at, name);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    close(folder);
    if (fd < 0)
        return FAIL(E_NOTHING);
    ssize_t n = pread(fd, out, AUDIT_LEAF_BYTES, SEG_HEAD_BYTES + (off_t)at * AUDIT_ENTRY_BYTES);
    close(fd);
    return n == AUDIT_LEAF_BYTES ? OK : FAIL(E_IO);
}

/* An entry that was just written is signed in a moment. */
static bool head_that_covers(const struct asked *a, uint64_t seq, struct tree_head *ret_h, struct buf *note)
{
    for (int i = 0; i < WAIT_TRIES; i++) {
        buf_reset(note);
        if (!audit_checkpoint_read(state_at(&a->s, "audit/checkpoint").c, &a->keys.key[0], ret_h, note))
            return false;
        if (seq <= ret_h->size)
            return true;
        usleep(WAIT_US);
    }
    say_error("%llu 番の記録はまだ署名されていません(署名済み %llu 件)", "entry %llu is not signed (%llu are)", (unsigned long long)seq, (unsigned long long)ret_h->size);
    return false;
}

ERR audit_proof_of(const char *dir, uint64_t seq, const struct tree_head *head, struct audit_proof *p)
{
    uint8_t stored[AUDIT_LEAF_BYTES], hash[TREE_HASH];
    struct tree_path path;
    TRY(entry_read(dir, seq, stored));
    TRY(audit_leaf(stored, p->leaf));
    if (!audit_leaf_decode(stored, &p->seq, &p->from, &p->rec) || p->seq != seq)
        return FAIL(E_SEAL);
    TRY(audit_tree_path(dir, seq - 1, head->size, &path));
    TRY(tree_leaf(p->leaf, hash));
    if (!tree_included(hash, seq - 1, &path, head) || path.n > AUDIT_PATH_MAX)
        return FAIL(E_SEAL);
    p->size = head->size;
    p->n = path.n;
    memcpy(p->path, path.hash, path.n * TREE_HASH);
    return OK;
}

static int prove(const struct asked *a, uint64_t seq)
{
    struct tree_head head;
    struct audit_proof p;
    struct buf note, out;
    struct jsonw w;
    buf_init(&note, NOTE_MAX);
    if (!head_that_covers(a, seq, &head, &note)) {
        buf_done(&note);
        return 2;
    }
    struct err e = audit_proof_of(state_at(&a->s, "audit").c, seq, &head, &p);
    if (!err_ok(e)) {
        buf_done(&note);
        if (err_is(e, E_NOTHING))
            say_error("%llu 番の記録はありません(保存期間を過ぎたものは消去されます)", "there is no entry %llu (entries past their time are removed)", (unsigned long long)seq);
        else
            say_err("証明を作れません。pmhgw audit verify を実行してください", "no proof can be made; run pmhgw audit verify", e);
        return err_is(e, E_SEAL) ? 1 : 2;
    }
    buf_init(&out, PROOF_JSON_MAX);
    jsonw_init(&w, &out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "checkpoint", buf_slice(&note));
    audit_entry_json(&w, seq, &p.rec, (struct audit_words){ SLICE_NONE, SLICE_NONE });
    audit_entry_json_who(&w, &p.rec);
    audit_entry_json_proof(&w, &p);
    jsonw_end_object(&w);
    buf_putc(&out, '\n');
    buf_done(&note);
    return print_out(&out);
}

int audit_sub_prove(int argc, char **argv)
{
    struct asked a;
    uint64_t seq;
    int status = begin(argc, argv, "audit prove", &a);
    if (status >= 0)
        return status;
    if (!u64_parse(slice_str(a.operands.v[0]), &seq) || seq == 0) {
        say_error("SEQ は記録の番号(1から)です", "SEQ is the number of an entry, from 1");
        return 2;
    }
    return prove(&a, seq);
}
