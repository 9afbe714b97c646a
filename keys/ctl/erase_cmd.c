/* pmhgw erase MUNI: what a municipality holds of one resident is erased, at its own door. The resident key comes from a file or from standard input: a
 * command line is seen by everybody on the machine. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/json_write.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/muni_door.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { KEY_BYTES_MAX = 512, BODY_MAX = 4096 };

struct erase_opts {
    struct state_dirs dirs;
    const char *key_file, *reason;
    bool from_stdin;
};

static bool read_key(const struct erase_opts *o, struct buf *out)
{
    char piece[KEY_BYTES_MAX];
    FILE *in = o->from_stdin ? stdin : fopen(o->key_file, "re");
    size_t n = in ? fread(piece, 1, sizeof piece, in) : 0;
    bool good = in && !ferror(in) && n < sizeof piece;
    if (in && in != stdin)
        fclose(in);
    while (n && (piece[n - 1] == '\n' || piece[n - 1] == '\r'))
        n--;
    buf_put(out, slice_of(piece, n));
    explicit_bzero(piece, sizeof piece);
    if (!good || !n || memchr(out->p, '\n', out->n))
        say_error("自治体別本人キーを読めません。キー一つだけを入れてください", "the resident key cannot be read; there has to be one key and nothing else");
    return good && n && !memchr(out->p, '\n', out->n) && err_ok(buf_check(out));
}

static void write_body(const struct erase_opts *o, struct slice key, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "municipalityIdentityKey", key);
    jsonw_cstr(&w, "reason", o->reason);
    jsonw_end_object(&w);
}

static int erase(const struct erase_opts *o, const char *muni, struct slice key)
{
    struct muni_door d;
    struct buf body;
    int status = 0;
    json_t *answer = NULL;
    buf_init(&body, BODY_MAX);
    write_body(o, key, &body);
    if (muni_door_open(&d, &o->dirs, muni, MUNI_PATIENCE_S) && err_ok(buf_check(&body)))
        answer = muni_door_json(&d, "POST", "/v1/residents/erase", buf_slice(&body), 200, &status);
    muni_door_close(&d);
    buf_done(&body);
    if (!answer)
        return 2;
    const unsigned long long n = (unsigned long long)member_u64(answer, "erased");
    json_decref(answer);
    out_put_u64("erased", n);
    say_ok("消去しました: 記録 %llu 件。この団体には残っていません", "erased: %llu records; nothing is left at this municipality", n);
    say("監査記録には、消去したことが残ります", "the audit log keeps that it was erased");
    return 0;
}

int cmd_erase(int argc, char **argv)
{
    struct erase_opts o = { .reason = "no_longer_needed" };
    struct opt_list operands;
    struct buf key;
    enum opts_end end = CLI_PARSE(argc, argv, "erase", &operands, { "--resident-key-file", &o.key_file }, { "--stdin", &o.from_stdin }, { "--reason", &o.reason }, { "--state", &o.dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!muni_code_good(operands.v[0]))
        return 2;
    if ((o.key_file != NULL) == o.from_stdin) {
        say_error("--resident-key-file か --stdin を指定してください", "--resident-key-file or --stdin is needed");
        return 2;
    }
    buf_init(&key, KEY_BYTES_MAX);
    int status = read_key(&o, &key) ? erase(&o, operands.v[0], buf_slice(&key)) : 2;
    buf_done(&key);
    return status;
}
