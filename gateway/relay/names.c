#include "gateway/relay/names.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/base/text.h"

enum { LINE_MAX_BYTES = 512, WORD_MAX = 24, ARGS_MAX = 1024 * 1024, BULK_MAX = 64 * 1024 * 1024, WORDS_MAX = 8, PREFIX_MAX = 2048 };

/* Which arguments are names: the first, all, every second, or what EVAL says. */
enum rule { RULE_NONE, RULE_FIRST, RULE_ALL, RULE_SECOND, RULE_EVAL };

static const struct { const char *command; enum rule rule; } COMMANDS[] = {
    { "GET", RULE_FIRST }, { "SET", RULE_FIRST }, { "INCR", RULE_FIRST }, { "EXPIRE", RULE_FIRST }, { "PEXPIRE", RULE_FIRST }, { "EXPIREAT", RULE_FIRST },
    { "PERSIST", RULE_FIRST }, { "HGET", RULE_FIRST }, { "HMGET", RULE_FIRST }, { "HGETALL", RULE_FIRST }, { "HSET", RULE_FIRST }, { "HSETNX", RULE_FIRST },
    { "HDEL", RULE_FIRST }, { "HLEN", RULE_FIRST }, { "HINCRBY", RULE_FIRST }, { "HEXISTS", RULE_FIRST }, { "HSCAN", RULE_FIRST }, { "ZADD", RULE_FIRST },
    { "ZREM", RULE_FIRST }, { "ZSCORE", RULE_FIRST }, { "ZMSCORE", RULE_FIRST }, { "ZRANGE", RULE_FIRST }, { "ZRANGEBYLEX", RULE_FIRST }, { "ZRANGEBYSCORE", RULE_FIRST },
    { "ZREVRANGE", RULE_FIRST }, { "ZREVRANGEBYSCORE", RULE_FIRST }, { "ZREMRANGEBYSCORE", RULE_FIRST }, { "ZREMRANGEBYRANK", RULE_FIRST },
    { "ZCOUNT", RULE_FIRST }, { "ZCARD", RULE_FIRST }, { "SADD", RULE_FIRST }, { "RPUSH", RULE_FIRST }, { "LPUSH", RULE_FIRST }, { "LLEN", RULE_FIRST },
    { "LINDEX", RULE_FIRST }, { "LPOP", RULE_FIRST }, { "DEL", RULE_ALL }, { "EXISTS", RULE_ALL }, { "MGET", RULE_ALL }, { "WATCH", RULE_ALL },
    { "MSET", RULE_SECOND }, { "MSETNX", RULE_SECOND }, { "EVAL", RULE_EVAL }, { "PING", RULE_NONE }, { "AUTH", RULE_NONE }, { "MULTI", RULE_NONE },
    { "EXEC", RULE_NONE }, { "WAIT", RULE_NONE },
};

/* What a script calls goes the same way. A name that has the tag already was an argument of EVAL. */
#define PRELUDE_HEAD "local redis=(function() local r,P=redis,'{"
#define PRELUDE_TAIL                                                                                   \
    "}' local all,two={DEL=1,EXISTS=1,MGET=1},{MSET=1,MSETNX=1} "                                     \
    "local function name(k) if string.sub(k,1,#P)==P then return k end return P..k end "              \
    "local function on(f) return function(c,k,...) if k==nil then return f(c) end "                   \
    "local u=string.upper(c) if not all[u] and not two[u] then return f(c,name(k),...) end "          \
    "local a={k,...} for i=1,#a,two[u] and 2 or 1 do a[i]=name(a[i]) end return f(c,unpack(a)) end end " \
    "return {call=on(r.call),pcall=on(r.pcall),error_reply=r.error_reply,status_reply=r.status_reply} end)() "

struct names {
    enum { AT_COMMAND, AT_HEAD, AT_BODY } at;
    struct slice tag, prelude; /* as they are put before a name and before a script */
    uint8_t prefixes[PREFIX_MAX];
    char line[LINE_MAX_BYTES];
    size_t line_n;
    size_t args, arg;    /* of the command; which one comes */
    size_t left;         /* of the body, with its end of line */
    enum rule rule;
    uint64_t keys;       /* of EVAL */
    char word[WORD_MAX]; /* the command, or the number of keys */
    size_t word_n;
    bool bad;
};

bool names_tag_ok(struct slice tag) { return tag.n > 0 && tag.n <= NAMES_TAG_MAX && all_url_safe(tag); }

struct names *names_new(struct slice tag)
{
    struct names *n = calloc(1, sizeof *n);
    struct buf b;
    if (!n)
        return NULL;
    buf_init(&b, sizeof n->prefixes);
    buf_putc(&b, '{');
    buf_put(&b, tag);
    buf_putc(&b, '}');
    const size_t at = b.n;
    buf_puts(&b, PRELUDE_HEAD);
    buf_put(&b, tag);
    buf_puts(&b, PRELUDE_TAIL);
    n->bad = !names_tag_ok(tag) || !err_ok(buf_check(&b));
    if (!n->bad) {
        memcpy(n->prefixes, b.p, b.n);
        n->tag = slice_of(n->prefixes, at);
        n->prelude = slice_of(n->prefixes + at, b.n - at);
    }
    buf_done(&b);
    return n;
}

void names_free(struct names *n)
{
    if (!n)
        return;
    explicit_bzero(n, sizeof *n);
    free(n);
}

static bool is_key(const struct names *n)
{
    return n->arg > 0 && (n->rule == RULE_ALL || (n->rule == RULE_FIRST && n->arg == 1) || (n->rule == RULE_SECOND && n->arg % 2 == 1) ||
                          (n->rule == RULE_EVAL && n->arg >= 3 && n->arg < 3 + n->keys));
}

static struct slice prefix_of(const struct names *n)
{
    if (n->rule == RULE_EVAL && n->arg == 1)
        return n->prelude;
    return is_key(n) ? n->tag : SLICE_NONE;
}

static bool rule_of(struct names *n)
{
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++)
        if (strlen(COMMANDS[i].command) == n->word_n && strncasecmp(COMMANDS[i].command, n->word, n->word_n) == 0) {
            n->rule = COMMANDS[i].rule;
            return true;
        }
    return false;
}

/* Words that have to be known: the command, and how many keys a script is given. */
static bool is_word(const struct names *n) { return n->arg == 0 || (n->rule == RULE_EVAL && n->arg == 2); }

static bool word_ended(struct names *n)
{
    if (n->arg == 0)
        return rule_of(n);
    return u64_parse(slice_of(n->word, n->word_n), &n->keys) && n->keys <= n->args - 3;
}

static void put_head(struct buf *out, uint8_t mark, uint64_t v)
{
    buf_putc(out, mark);
    buf_u64(out, v);
    buf_puts(out, "\r\n");
}

static bool number_of(const struct names *n, uint64_t max, uint64_t *ret)
{
    return n->line_n > 2 && n->line[n->line_n - 2] == '\r' && u64_parse(slice_of(n->line + 1, n->line_n - 3), ret) && *ret <= max;
}

static bool begin_command(struct names *n, struct buf *out)
{
    uint64_t v;
    if (!number_of(n, ARGS_MAX, &v) || v == 0)
        return false;
    put_head(out, '*', v);
    n->args = v;
    n->arg = 0;
    n->rule = RULE_NONE;
    n->keys = 0;
    n->at = AT_HEAD;
    return true;
}

static bool begin_arg(struct names *n, struct buf *out)
{
    uint64_t v;
    if (n->line[0] != '$' || !number_of(n, BULK_MAX, &v) || (is_word(n) && v >= WORD_MAX))
        return false;
    const struct slice prefix = prefix_of(n);
    put_head(out, '$', v + prefix.n);
    buf_put(out, prefix);
    n->left = v + 2;
    n->word_n = 0;
    n->at = AT_BODY;
    return true;
}

/* Words with blanks between, as people and probes write them. */
static bool put_words(struct names *n, struct buf *out)
{
    struct slice rest = slice_of(n->line, n->line_n - 1), words[WORDS_MAX], head;
    struct buf again;
    size_t k = 0;
    if (rest.n && rest.p[rest.n - 1] == '\r')
        rest.n--;
    for (bool more = true; more;) {
        more = slice_cut(rest, ' ', &head, &rest);
        if (k == WORDS_MAX)
            return false;
        words[k++] = more ? head : rest;
    }
    buf_init(&again, 2 * LINE_MAX_BYTES);
    put_head(&again, '*', k);
    for (size_t i = 0; i < k; i++) {
        put_head(&again, '$', words[i].n);
        buf_put(&again, words[i]);
        buf_puts(&again, "\r\n");
    }
    n->line_n = 0;
    const bool good = err_ok(buf_check(&again)) && names_feed(n, buf_slice(&again), out);
    buf_done(&again);
    return good;
}

static bool line_ended(struct names *n, struct buf *out)
{
    if (n->at == AT_COMMAND && n->line[0] != '*')
        return n->line_n > 2 && put_words(n, out);
    const bool good = n->at == AT_COMMAND ? begin_command(n, out) : begin_arg(n, out);
    n->line_n = 0;
    return good;
}

static bool take_line(struct names *n, struct slice *io, struct buf *out)
{
    while (io->n) {
        const uint8_t c = *io->p;
        *io = slice_of(io->p + 1, io->n - 1);
        if (n->line_n == sizeof n->line)
            return false;
        n->line[n->line_n++] = (char)c;
        if (c == '\n')
            return line_ended(n, out);
    }
    return true;
}

static bool take_body(struct names *n, struct slice *io, struct buf *out)
{
    struct slice part = SLICE_NONE;
    (void)slice_take(io, io->n < n->left ? io->n : n->left, &part);
    for (size_t i = 0; is_word(n) && i < part.n && n->left - i > 2; i++)
        n->word[n->word_n++] = (char)part.p[i];
    buf_put(out, part);
    n->left -= part.n;
    if (n->left)
        return true;
    if (is_word(n) && !word_ended(n))
        return false;
    n->arg++;
    n->at = n->arg == n->args ? AT_COMMAND : AT_HEAD;
    return true;
}

bool names_feed(struct names *n, struct slice in, struct buf *out)
{
    while (in.n && !n->bad)
        n->bad = !(n->at == AT_BODY ? take_body(n, &in, out) : take_line(n, &in, out));
    return !n->bad;
}
