#include "mocks/faults.h"

#include "gateway/check/json_in.h"

const struct system_info SYSTEM_INFO[SYSTEM__MAX] = {
#define X(sym, name, port, ja, en) [SYSTEM_##sym] = { name, port, ja, en },
    SYSTEMS(X)
#undef X
};

struct number_member { const char *name; size_t offset; uint64_t max; };
struct flag_member { const char *name; size_t offset; };

static const struct number_member NUMBERS[] = {
#define X(name, max) { #name, offsetof(struct fault, name), max },
    FAULT_NUMBERS(X)
#undef X
};
static const struct flag_member FLAGS[] = {
#define X(name) { #name, offsetof(struct fault, name) },
    FAULT_FLAGS(X)
#undef X
};
enum { N_NUMBERS = sizeof NUMBERS / sizeof *NUMBERS, N_FLAGS = sizeof FLAGS / sizeof *FLAGS, STATUS_MIN = 200 };

static uint64_t *number_at(struct fault *f, unsigned i) { return (uint64_t *)(void *)((char *)f + NUMBERS[i].offset); }
static bool *flag_at(struct fault *f, unsigned i) { return (bool *)(void *)((char *)f + FLAGS[i].offset); }
static uint64_t number_of(const struct fault *f, unsigned i) { return *(const uint64_t *)(const void *)((const char *)f + NUMBERS[i].offset); }
static bool flag_of(const struct fault *f, unsigned i) { return *(const bool *)(const void *)((const char *)f + FLAGS[i].offset); }

static bool number_read(struct fault *f, const char *name, json_t *v)
{
    for (unsigned i = 0; i < N_NUMBERS; i++)
        if (strcmp(NUMBERS[i].name, name) == 0) {
            if (!json_is_integer(v) || json_integer_value(v) < 0 || (uint64_t)json_integer_value(v) > NUMBERS[i].max)
                return false;
            *number_at(f, i) = (uint64_t)json_integer_value(v);
            return true;
        }
    return false;
}

static bool flag_read(struct fault *f, const char *name, json_t *v)
{
    for (unsigned i = 0; i < N_FLAGS; i++)
        if (strcmp(FLAGS[i].name, name) == 0 && json_is_boolean(v)) {
            *flag_at(f, i) = json_is_true(v);
            return true;
        }
    return false;
}

ERR fault_parse(struct fault *ret_f, struct arena *a, struct slice json)
{
    json_t *obj, *v;
    const char *name;
    struct fault f = { .count = 0 };
    TRY(json_in_object(&obj, a, json));
    json_object_foreach (obj, name, v)
        if (!number_read(&f, name, v) && !flag_read(&f, name, v))
            return FAIL(E_FIELD);
    if (f.status && f.status < STATUS_MIN)
        return FAIL(E_FIELD);
    *ret_f = f;
    return OK;
}

bool fault_any(const struct fault *f)
{
    bool any = f->delay_ms || f->status;
    for (unsigned i = 0; i < N_FLAGS; i++)
        any = any || flag_of(f, i);
    return any;
}

struct fault faults_take(struct faults *f, enum system_id s)
{
    struct fault now = f->of[s];
    if (!fault_any(&now))
        return (struct fault){ .count = 0 };
    f->hits[s]++;
    if (f->of[s].count && --f->of[s].count == 0)
        f->of[s] = (struct fault){ .count = 0 };
    return now;
}

struct fault fault_join(struct fault a, struct fault b)
{
    for (unsigned i = 0; i < N_NUMBERS; i++)
        if (*number_at(&a, i) < *number_at(&b, i))
            *number_at(&a, i) = *number_at(&b, i);
    for (unsigned i = 0; i < N_FLAGS; i++)
        *flag_at(&a, i) = *flag_at(&a, i) || *flag_at(&b, i);
    return a;
}

void fault_write(const struct fault *f, struct jsonw *w, const char *name)
{
    jsonw_object(w, name);
    for (unsigned i = 0; i < N_NUMBERS; i++)
        if (number_of(f, i))
            jsonw_u64(w, NUMBERS[i].name, number_of(f, i));
    for (unsigned i = 0; i < N_FLAGS; i++)
        if (flag_of(f, i))
            jsonw_bool(w, FLAGS[i].name, true);
    jsonw_end_object(w);
}

void faults_write(const struct faults *f, struct jsonw *w, const char *name)
{
    jsonw_object(w, name);
    for (unsigned i = 0; i < SYSTEM__MAX; i++)
        if (fault_any(&f->of[i]))
            fault_write(&f->of[i], w, SYSTEM_INFO[i].name);
    jsonw_end_object(w);
}
