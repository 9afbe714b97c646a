/* Reaches every judge of connectors/open: the first byte chooses kind, step and status, the rest is the answer. What is delivered names this message; an ID5 that is
 * kept is none of the person's other names. */
#include <ctype.h>

#include "connectors/open/open.h"
#include "gateway/base/must.h"
#include "gateway/check/json_in.h"

#define ID "00112233445566778899aabbccddeeff"
#define PROVISION "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
#define PMH_KEY "pk-key-of-the-person"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_in_setup();
    return 0;
}

static bool holds(struct slice text, struct slice what) { return text.n && memmem(text.p, text.n, what.p, what.n); }

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const int STATUS[] = { 200, 204, 302, 500 };
    if (!n)
        return 0;
    const struct notice notice = { .kind = (enum notice_kind)(1 + (p[0] & 7) % (NOTICE_KIND__MAX - 1)), .what = NOTICE_NEW, .version = 1 };
    const struct open_connector *o = open_connector_of(notice.kind);
    const struct open_step *step = &o->step[(p[0] >> 3 & 1) % o->n_steps];
    const int status = STATUS[p[0] >> 4 & 3];
    const struct slice answer = slice_of(p + 1, n - 1);
    struct open_case c = { .n = &notice, .id = ID, .provision = PROVISION, .pmh_key = LIT(PMH_KEY) };
    enum open_reason why = OPEN_R__MAX;
    struct arena *a = arena_new(1 << 20);
    const enum open_verdict v = step->judge(&c, status, answer, a, &why);
    MUST((v == OPEN_DELIVERED) == (why == OPEN_R_NONE) && why < OPEN_R__MAX);
    MUST(v != OPEN_DELIVERED || (status >= 200 && status < 300));
    if (v == OPEN_DELIVERED && step->target == OPEN_DATABASE)
        MUST(answer.n >= sizeof PROVISION);
    MUST(v != OPEN_DELIVERED || step->target != OPEN_ID5 || (c.id5.n > 0 && c.id5.n <= OPEN_ID5_MAX));
    MUST(!holds(c.id5, LIT(PMH_KEY)) || c.id5.n > sizeof PMH_KEY - 1);
    for (size_t i = 0; i < c.id5.n; i++)
        MUST(isalnum(c.id5.p[i]) || c.id5.p[i] == '-' || c.id5.p[i] == '_');
    arena_free(a);
    return 0;
}
