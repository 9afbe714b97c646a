#include "gateway/check/json_in.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/base/wipe.h"

void json_in_setup(void)
{
    json_set_alloc_funcs(wipe_malloc, wipe_free);
    /* Left to itself jansson opens /dev/urandom at the first object, which a system-call filter may refuse by then. */
    size_t seed;
    do
        rnd_bytes(&seed, sizeof seed);
    while (seed == 0); /* 0 would mean: choose yourself */
    json_object_seed(seed);
}

struct census {
    size_t values, containers; /* at least as many as jansson will make, where the text is JSON */
    bool deep, wide;
};

static struct census take_census(struct slice text)
{
    struct census c = { 0 };
    size_t commas[JSON_DEPTH_LIMIT + 1] = { 0 }; /* of the container that is open at each depth */
    unsigned depth = 0;
    bool in_string = false, rows = false; /* rows: the outermost is an array; how many it may have is the caller's business */
    for (size_t i = 0; i < text.n && !c.deep; i++) {
        uint8_t b = text.p[i];
        if (b == '"')
            in_string = !in_string;
        else if (in_string)
            i += b == '\\';
        else if (b == ',') {
            c.values++;
            c.wide |= ++commas[depth] >= JSON_MEMBERS_LIMIT && (depth > 1 || !rows);
        } else if (b == '[' || b == '{') {
            c.containers++;
            c.deep = ++depth > JSON_DEPTH_LIMIT;
            if (c.deep)
                break;
            commas[depth] = 0;
            rows |= depth == 1 && b == '[';
        } else if ((b == ']' || b == '}') && depth > 0)
            depth--;
    }
    c.values += c.containers;
    return c;
}

bool json_depth_ok(struct slice text) { return !take_census(text).deep; }

/* "[{},{},..." takes 80 times its size in memory, "[1,1,..." 20 times; rows of fields stay far below these. */
static bool memory_ok(const struct census *c, size_t n) { return c->containers <= 64 + n / 16 && c->values <= 256 + n / 4; }

static enum err_code code_of(enum json_error_code c)
{
    static const struct {
        enum json_error_code theirs;
        enum err_code ours;
    } CODES[] = {
        { json_error_duplicate_key, E_JSON_DUPLICATE },
        { json_error_stack_overflow, E_JSON_DEPTH },
        { json_error_invalid_utf8, E_BAD_UTF8 },
        { json_error_out_of_memory, E_NOMEM },
    };
    for (size_t i = 0; i < sizeof CODES / sizeof CODES[0]; i++)
        if (CODES[i].theirs == c)
            return CODES[i].ours;
    return E_BAD_JSON;
}

static void value_free(void *v) { json_decref(v); }

struct err json_in(json_t **ret_v, struct arena *a, struct slice text)
{
    if (!utf8_valid(text))
        return FAIL(E_BAD_UTF8);
    struct census c = take_census(text);
    if (c.deep)
        return FAIL(E_JSON_DEPTH);
    if (c.wide || !memory_ok(&c, text.n))
        return FAIL(E_JSON_SHAPE);
    json_error_t why;
    json_t *v = json_loadb(text.n ? (const char *)text.p : "", text.n, JSON_REJECT_DUPLICATES, &why);
    enum err_code code = v ? E_OK : code_of(json_error_code(&why));
    explicit_bzero(&why, sizeof why); /* its text quotes the input */
    if (!v)
        return FAIL(code);
    if (!arena_on_reset(a, value_free, v)) {
        json_decref(v);
        return FAIL(E_NOMEM);
    }
    *ret_v = v;
    return OK;
}

static ERR json_in_type(json_t **ret_v, struct arena *a, struct slice text, json_type type)
{
    json_t *v;
    TRY(json_in(&v, a, text));
    if (json_typeof(v) != type)
        return FAIL(E_JSON_SHAPE);
    *ret_v = v;
    return OK;
}

struct err json_in_array(json_t **ret_v, struct arena *a, struct slice text) { return json_in_type(ret_v, a, text, JSON_ARRAY); }
struct err json_in_object(json_t **ret_v, struct arena *a, struct slice text) { return json_in_type(ret_v, a, text, JSON_OBJECT); }
