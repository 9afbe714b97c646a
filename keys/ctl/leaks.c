/* pmhgw leaks: is an individual number anywhere where none may be? The answer counts only because a control number, planted
 * in every form in a file and in the memory of a process, is found by the same search. No number is printed. */

#include "keys/ctl/leaks.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/json_write.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/state.h"

enum { NUMBERS_MAX = 2000000, FILE_MAX = 1 << 30 };

struct leaks_opts {
    struct opt_list numbers, pids, munis, places;
    bool json;
};

/* ---- the numbers that are looked for ---- */

/* Members "myNumber" of a registration file, or lines of 12 digits. */
static void numbers_take(struct slice text, struct buf *out)
{
    static const char NAME[] = "\"myNumber\"";
    bool lines = text.n && text.p[0] >= '0' && text.p[0] <= '9';
    struct slice line, digits;
    while (lines && text.n >= NZ_DIGITS) {
        if (!slice_cut(text, '\n', &line, &text))
            line = text, text = SLICE_NONE;
        if (line.n == NZ_DIGITS && all_digits(line))
            buf_put(out, line);
    }
    for (const uint8_t *at; !lines && (at = memmem(text.p, text.n, NAME, sizeof NAME - 1));) {
        size_t skip = (size_t)(at - text.p) + sizeof NAME - 1;
        text = slice_of(text.p + skip, text.n - skip);
        struct slice rest = text;
        while (rest.n && strchr(" \t\r\n:\"", rest.p[0]))
            rest = slice_of(rest.p + 1, rest.n - 1);
        if (slice_take(&rest, NZ_DIGITS, &digits) && all_digits(digits))
            buf_put(out, digits);
    }
}

static bool numbers_read(const struct opt_list *files, struct buf *out)
{
    for (size_t i = 0; i < files->n; i++) {
        struct buf text;
        buf_init(&text, FILE_MAX);
        bool good = err_ok(file_read(files->v[i], &text));
        numbers_take(buf_slice(&text), out);
        buf_done(&text);
        if (!good) {
            say_error("%s を読めません", "cannot read %s", files->v[i]);
            return false;
        }
    }
    if (out->failed || out->n == 0) {
        say_error("探す番号がありません", "there is no number to look for");
        return false;
    }
    return true;
}

/* ---- the control ---- */

struct control { char digits[NZ_DIGITS]; struct buf forms; };

static void control_make(struct control *c, const struct opt_list *munis)
{
    uint8_t r[NZ_DIGITS];
    rnd_bytes(r, sizeof r);
    for (size_t i = 0; i < NZ_DIGITS; i++)
        c->digits[i] = (char)('0' + r[i] % 10);
    buf_init(&c->forms, 1 << 20);
    for (size_t k = 0; k < nz_kinds(); k++)
        for (size_t v = 0; nz_kind_write(k, c->digits, v, munis->v, munis->n, &c->forms); v++)
            buf_putc(&c->forms, '\n');
}

static size_t kinds_found(const struct nz_leaks *l)
{
    size_t n = 0;
    for (size_t k = 0; k < nz_kinds(); k++)
        n += l->kinds[k];
    return n;
}

static size_t control_in_file(const struct control *c, struct nz_leaks *l)
{
    char path[] = "/tmp/pmhgw-control-XXXXXX";
    int fd = mkstemp(path);
    bool good = fd >= 0 && write(fd, c->forms.p, c->forms.n) == (ssize_t)c->forms.n;
    if (good)
        nz_leaks_path(l, path);
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    return kinds_found(l);
}

/* A child keeps its copy of the forms and waits; it knows nothing else. */
static size_t control_in_memory(const struct control *c, struct nz_leaks *l)
{
    int up[2];
    if (pipe2(up, O_CLOEXEC) != 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        uint8_t *copy = malloc(c->forms.n);
        if (copy)
            memcpy(copy, c->forms.p, c->forms.n);
        (void)!write(up[1], "", 1);
        for (;;)
            pause();
    }
    char go;
    bool good = pid > 0 && read(up[0], &go, 1) == 1 && nz_leaks_process(l, pid, "control");
    close(up[0]);
    close(up[1]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return good ? kinds_found(l) : 0;
}

static bool control_run(const struct opt_list *munis, size_t *ret_file, size_t *ret_memory)
{
    struct control c;
    struct nz_search *search = NULL;
    struct nz_leaks *l = calloc(2, sizeof *l);
    control_make(&c, munis);
    bool good = l && err_ok(buf_check(&c.forms)) && err_ok(nz_search_new(&search, c.digits, 1, munis->v, munis->n));
    if (good) {
        l[0].search = l[1].search = search;
        *ret_file = control_in_file(&c, &l[0]);
        *ret_memory = control_in_memory(&c, &l[1]);
    }
    explicit_bzero(c.digits, sizeof c.digits);
    buf_done(&c.forms);
    nz_search_free(search);
    free(l);
    return good;
}

/* ---- the report ---- */

static void print_json(const struct nz_leaks *l, size_t in_file, size_t in_memory)
{
    out_written();
    struct buf b;
    struct jsonw w;
    buf_init(&b, 1 << 20);
    jsonw_init(&w, &b);
    jsonw_object(&w, NULL);
    jsonw_u64(&w, "hits", l->hits);
    jsonw_u64(&w, "kinds", nz_kinds());
    jsonw_u64(&w, "control_in_file", in_file);
    jsonw_u64(&w, "control_in_memory", in_memory);
    jsonw_bool(&w, "complete", !l->incomplete);
    jsonw_array(&w, "places");
    for (size_t i = 0; i < l->n_places; i++) {
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "name", l->place[i].name);
        jsonw_u64(&w, "bytes", l->place[i].bytes);
        jsonw_u64(&w, "hits", l->place[i].hits);
        jsonw_bool(&w, "skipped", l->place[i].skipped);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_array(&w, "found");
    for (size_t i = 0; i < l->hits && i < LEAKS_SHOWN_MAX; i++) {
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "place", l->place[l->found[i].place].name);
        jsonw_u64(&w, "at", l->found[i].at);
        jsonw_cstr(&w, "kind", nz_kind_name(l->found[i].kind));
        jsonw_u64(&w, "number", l->found[i].number);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    printf("%.*s\n", (int)b.n, (const char *)b.p);
    buf_done(&b);
}

static void print_text(const struct nz_leaks *l, size_t numbers, size_t in_file, size_t in_memory)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < l->n_places; i++) {
        bytes += l->place[i].bytes;
        if (l->place[i].skipped)
            say_warn("読めません: %s", "cannot be read: %s", l->place[i].name);
    }
    for (size_t i = 0; i < l->hits && i < 20; i++)
        printf("    %s @%llu: %s (#%zu)\n", l->place[l->found[i].place].name, (unsigned long long)l->found[i].at,
               nz_kind_name(l->found[i].kind), l->found[i].number);
    say("    番号 %zu 件 × %zu 通りの書き方、%zu か所 %.1f MiB", "    %zu numbers in %zu forms, %zu places, %.1f MiB", numbers, nz_kinds(),
        l->n_places, (double)bytes / (1 << 20));
    say("    見つかった数: %llu(対照: ファイル %zu/%zu、メモリー %zu/%zu)", "    found: %llu (control: file %zu of %zu, memory %zu of %zu)",
        (unsigned long long)l->hits, in_file, nz_kinds(), in_memory, nz_kinds());
}

static bool places_read(struct nz_leaks *l, const struct leaks_opts *o)
{
    for (size_t i = 0; i < o->places.n; i++)
        nz_leaks_path(l, o->places.v[i]);
    for (size_t i = 0; i < o->pids.n; i++) {
        uint64_t pid;
        char path[64], name[64] = "process";
        if (!u64_parse(slice_str(o->pids.v[i]), &pid) || pid > INT32_MAX)
            return false;
        snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
        struct buf b;
        buf_init(&b, 64);
        if (err_ok(file_read(path, &b)) && b.n > 1)
            snprintf(name, sizeof name, "%.*s", (int)b.n - 1, (const char *)b.p);
        buf_done(&b);
        nz_leaks_process(l, (int)pid, name);
    }
    return true;
}

static int leaks_run(const struct leaks_opts *o)
{
    struct buf numbers;
    size_t in_file = 0, in_memory = 0;
    struct nz_leaks *l = calloc(1, sizeof *l);
    buf_init(&numbers, (size_t)NUMBERS_MAX * NZ_DIGITS);
    int status = 2;
    if (l && numbers_read(&o->numbers, &numbers) && control_run(&o->munis, &in_file, &in_memory) &&
        err_ok(nz_search_new(&l->search, (const char *)numbers.p, numbers.n / NZ_DIGITS, o->munis.v, o->munis.n)) && places_read(l, o)) {
        bool control = in_file == nz_kinds() && in_memory == nz_kinds();
        status = !control ? 2 : l->hits ? 1 : l->incomplete ? 3 : 0;
        if (o->json)
            print_json(l, in_file, in_memory);
        else
            print_text(l, numbers.n / NZ_DIGITS, in_file, in_memory);
    }
    if (l)
        nz_search_free(l->search);
    buf_done(&numbers);
    free(l);
    return status;
}

int cmd_leaks(int argc, char **argv)
{
    struct leaks_opts o = { .munis = { { "331007", "271403", "222127" }, 3 } };
    enum opts_end end = CLI_PARSE(argc, argv, "leaks", &o.places, { "--numbers", &o.numbers }, { "--pid", &o.pids }, { "--muni", &o.munis }, { "--json", &o.json });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    for (size_t i = 0; i < o.munis.n; i++)
        if (strlen(o.munis.v[i]) != 6) {
            say_error("--muni は 6 桁の自治体コードです", "--muni takes a municipality code of 6 digits");
            return 2;
        }
    return leaks_run(&o);
}
