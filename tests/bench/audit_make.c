/* usage: pmhgw-audit-make DIR ENTRIES [FIRST_MS]: writes a log of so many entries into DIR/audit with its tree, signed with DIR/keys/audit-sign.key, which is
 * made with keys/audit.pub: what `pmhgw audit verify --state DIR` reads. */

#include <sys/stat.h>

#include "gateway/audit/keeper.h"
#include "gateway/base/file.h"
#include "gateway/base/text.h"
#include "tests/unit/audit_make.h"

static void make_rec(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES])
{
    const uint64_t *first_ms = arg;
    struct audit_rec r = { .event = AU_CLINIC_LOOKUP, .result = AR_OK, .count = 1, .wall_ms = *first_ms + i, .items = AUDIT_ITEM_ELIGIBILITY };
    audit_set_actor(&r, LIT("clinic/3310010012"));
    memcpy(r.muni, "331007", 6);
    memcpy(r.request.b, &i, sizeof r.request.b);
    memcpy(r.subject, &i, sizeof i);
    r.subject[15] = 1;
    audit_encode(&r, rec);
}

static void on_closed(void *arg) { loop_stop(arg); }

static void put(const char *path, struct slice s)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && err_ok(fd_write_all(fd, s)));
    close(fd);
}

static struct secret *make_key(const char *dir)
{
    static const uint8_t SEED[NOTE_KEY] = { 42 };
    char path[512];
    struct secret *seed;
    struct note_signer *s;
    struct buf line;
    MUST(err_ok(secret_new(&seed, ARR(SEED))) && err_ok(note_signer_new(&s, AUDIT_ORIGIN_DEFAULT, seed)));
    buf_init(&line, NOTE_KEY_LINE_MAX);
    note_key_write(note_signer_key(s), &line);
    snprintf(path, sizeof path, "%s/keys", dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/keys/audit.pub", dir);
    put(path, buf_slice(&line));
    snprintf(path, sizeof path, "%s/keys/audit-sign.key", dir);
    put(path, ARR(SEED));
    buf_done(&line);
    note_signer_free(s);
    return seed;
}

int main(int argc, char **argv)
{
    char log[512];
    uint64_t n, first_ms = 1795248000000;
    struct loop *l;
    struct audit_keeper *k;
    if (argc < 3 || argc > 4 || !u64_parse(slice_str(argv[2]), &n) || (argc == 4 && !u64_parse(slice_str(argv[3]), &first_ms))) {
        fprintf(stderr, "usage: pmhgw-audit-make DIR ENTRIES [FIRST_MS]\n");
        return 2;
    }
    struct secret *seed = make_key(argv[1]);
    snprintf(log, sizeof log, "%s/audit", argv[1]);
    mkdir(log, 0700);
    make_log(log, n, make_rec, &first_ms);
    MUST(err_ok(loop_new(&l, clock_system())));
    struct audit_keeper_conf conf = { .dir = log, .origin = AUDIT_ORIGIN_DEFAULT, .seed = seed };
    MUST(err_ok(audit_keeper_new(&k, l, conf, n)));
    audit_keeper_close(k, on_closed, l);
    loop_run(l, 10000);
    loop_free(l);
    secret_free(seed);
    return 0;
}
