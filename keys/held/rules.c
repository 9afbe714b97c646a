#include "keys/held/rules.h"

#include "keys/intake/judge.h"

static const char *const WORDS[NZ_HELD__MAX] = {
#define X(sym, word) [sym] = word,
    NZ_HELD_ACTIONS(X)
#undef X
};

const char *nz_held_word(enum nz_held_action a) { return WORDS[a]; }

#define BIT(code) (UINT64_C(1) << (code))

/* Reasons that an order lifts. An officer can say who a person is, but not that an answer of PMH was good; and what the vault has forgotten, or
 * cannot be opened, nobody can bring back: such a row is sent again, or dropped. A value of ours that did not open may open after a repair. */
static const uint64_t LIFTS[NZ_HELD__MAX] = {
    [NZ_HELD_RELEASE] = BIT(NZ_CODE_MISMATCH) | BIT(NZ_CODE_TICKET_OTHER) | BIT(NZ_CODE_RESIDENT_TWO) | BIT(NZ_CODE_NUMBER_TWO) | BIT(NZ_CODE_RESIDENT_CHANGED),
    [NZ_HELD_DISCARD] = UINT64_MAX,
    [NZ_HELD_REPLAY] = BIT(NZ_CODE_UPSTREAM) | BIT(NZ_CODE_DEAD) | BIT(NZ_CODE_UNREADABLE),
};
_Static_assert(NZ_CODE__MAX <= 64, "a code is a bit");

enum nz_held_may nz_held_may(enum nz_held_action a, enum nz_result result, enum nz_code code)
{
    if (result != NZ_QUARANTINED)
        return NZ_HELD_NOT;
    return LIFTS[a] & BIT(code) ? NZ_HELD_GO : NZ_HELD_CANNOT;
}

void nz_held_result(enum nz_held_action a, struct nz_row_result *r)
{
    bool dropped = a == NZ_HELD_DISCARD;
    r->result = dropped ? NZ_REFUSED : NZ_WAITING;
    r->code = dropped ? NZ_CODE_DISCARDED : NZ_CODE_NONE;
    r->with_row = 0;
}

void nz_held_payload(enum nz_held_action a, enum nz_code code, struct nz_payload *p, uint64_t now_ms)
{
    bool says = a == NZ_HELD_RELEASE;
    p->released = p->released || (says && (code == NZ_CODE_MISMATCH || code == NZ_CODE_TICKET_OTHER));
    p->retie = p->retie || (says && nz_judge_is_tie(code));
    p->has_seen = p->has_seen || p->retie;
    p->since_ms = now_ms;
}

void nz_held_waiting(enum nz_held_action a, struct nz_waiting *w, uint64_t now_ms)
{
    w->held = true;
    w->released = w->released || a == NZ_HELD_RELEASE;
    w->since_ms = now_ms;
}
