#include "keys/ctl/explain.h"

static const struct { const char *id, *ja, *en; } RULES[RULE__MAX] = {
#define X(sym, id, ja, en) [RULE_##sym] = { id, ja, en },
    EXPLAIN_RULES(X)
#undef X
};

const char *explain_rule_id(enum explain_rule r) { return RULES[r].id; }
const char *explain_rule_ja(enum explain_rule r) { return RULES[r].ja; }
const char *explain_rule_en(enum explain_rule r) { return RULES[r].en; }

/* ---- whose door ---- */

enum side { SIDE_ANY, SIDE_CLINIC, SIDE_PORTAL, SIDE_MUNICIPALITY, SIDE_INSIDE, SIDE__MAX };

static const struct { struct slice prefix; enum side side; const char *name; } SIDES[] = {
    { LIT("clinic/"), SIDE_CLINIC, "clinic" },
    { LIT("portal/"), SIDE_PORTAL, "portal" },
    { LIT("municipality/"), SIDE_MUNICIPALITY, "municipality" },
    { LIT("operator/"), SIDE_INSIDE, "operator" },
    { LIT("intake"), SIDE_INSIDE, "gateway" },
    { LIT("vault"), SIDE_INSIDE, "gateway" },
    { LIT("front"), SIDE_INSIDE, "gateway" },
    { LIT("audit"), SIDE_INSIDE, "gateway" },
    { LIT("courier"), SIDE_INSIDE, "gateway" },
};

static struct slice actor(const struct audit_rec *rec) { return slice_of(rec->actor, strnlen(rec->actor, sizeof rec->actor)); }

/* "331007/officer/..." and "331007/staff/...": a person of a municipality. */
static bool is_staff(struct slice a) { return a.n > 7 && a.p[0] >= '0' && a.p[0] <= '9' && a.p[6] == '/'; }

static enum side side_of(const struct audit_rec *rec)
{
    struct slice a = actor(rec);
    for (size_t i = 0; i < sizeof SIDES / sizeof *SIDES; i++)
        if (slice_starts(a, SIDES[i].prefix))
            return SIDES[i].side;
    return is_staff(a) ? SIDE_MUNICIPALITY : SIDE_ANY;
}

const char *explain_actor(const struct audit_rec *rec)
{
    struct slice a = actor(rec);
    for (size_t i = 0; i < sizeof SIDES / sizeof *SIDES; i++)
        if (slice_starts(a, SIDES[i].prefix))
            return SIDES[i].name;
    return is_staff(a) ? "staff" : "unknown";
}

/* ---- what is asked at that door, in this order ---- */

static const struct { size_t n; enum explain_rule rule[RULE__MAX]; } CHAINS[SIDE__MAX] = {
    [SIDE_ANY] = { 4, { RULE_ROLE, RULE_BASIS, RULE_FORM, RULE_AUDIT } },
    [SIDE_CLINIC] = { 8, { RULE_ROLE, RULE_FORM, RULE_LINK_KEY, RULE_BASIS, RULE_CONSENT, RULE_FLAGS, RULE_STORE, RULE_AUDIT } },
    [SIDE_PORTAL] = { 6, { RULE_ROLE, RULE_BASIS, RULE_FORM, RULE_FLAGS, RULE_STORE, RULE_AUDIT } },
    [SIDE_MUNICIPALITY] = { 7, { RULE_ROLE, RULE_BASIS, RULE_TOKEN, RULE_FORM, RULE_OBJECT, RULE_STORE, RULE_AUDIT } },
    [SIDE_INSIDE] = { 3, { RULE_BASIS, RULE_STORE, RULE_AUDIT } },
};

/* ---- which rule a reason belongs to; the first row that fits ---- */

static const struct cause {
    enum err_code reason;
    enum side side;              /* SIDE_ANY: every one */
    bool at_door;                /* of a request that no handler has had (request_refused) */
    enum explain_rule rule;
    const char *ja, *en;         /* NULL: the text of the error */
} CAUSES[] = {
    { E_CERT_MISSING, SIDE_ANY, true, RULE_ROLE, NULL, NULL },
    { E_CERT_REFUSED, SIDE_ANY, true, RULE_ROLE, NULL, NULL },
    { E_FORBIDDEN, SIDE_ANY, true, RULE_ROLE, "この役割または団体には、この経路が開かれていない", "this route is not open to this role or municipality" },
    { E_BASIS, SIDE_CLINIC, false, RULE_BASIS, "連携キーの目的とデータの種類を認める根拠が台帳にない", "no row of the register allows the purpose and the kinds of data of the link key" },
    { E_BASIS, SIDE_ANY, false, RULE_BASIS, "この相手とこの操作を認める根拠が台帳にない", "no row of the register allows this caller this operation" },
    { E_TOKEN, SIDE_CLINIC, false, RULE_LINK_KEY, "連携キーを開けない、この環境のものでない、または期限外", "the link key does not open, is of another environment, or is not valid now" },
    { E_FORBIDDEN, SIDE_CLINIC, false, RULE_LINK_KEY, "連携キーが別の医療機関のものか、この種類のデータを含まない。または記録を読む鍵がない",
      "the link key was made for another clinic or does not cover this kind of data; or there is no key to read a record" },
    { E_USED, SIDE_ANY, false, RULE_LINK_KEY, "連携キーは使用済み", "the link key was used before" },
    { E_SESSION, SIDE_ANY, false, RULE_LINK_KEY, "そのようなセッションはないか、終わっている", "there is no such session, or it has ended" },
    { E_CERT_REFUSED, SIDE_CLINIC, false, RULE_LINK_KEY, "セッションは別の証明書のもの", "the session belongs to another certificate" },
    { E_CONSENT, SIDE_ANY, false, RULE_CONSENT, "同意が取り消されている", "the consent was withdrawn" },
    { E_NOT_DISCLOSED, SIDE_ANY, false, RULE_FLAGS, "制御フラグ(不開示、閲覧停止、リカバリー)がある", "a control flag (not disclosed, viewing stopped, recovery) is set" },
    { E_NOTHING, SIDE_MUNICIPALITY, false, RULE_OBJECT, "対象がない", "there is nothing of that kind" },
    { E_NOTHING, SIDE_ANY, false, RULE_FLAGS, "本日有効な記録がない", "no record is valid today" },
    { E_FORBIDDEN, SIDE_PORTAL, false, RULE_FLAGS, "記録を読む鍵がない", "there is no key to read a record" },
    { E_STORE_OLDER, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_STORE_DOWN, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_STORE_REFUSED, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_STORE_SILENT, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_STORE_LOADING, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_STORE_READONLY, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_STORE_MEMORY, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_STORE_DISK, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_SEAL, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_AUDIT_DOWN, SIDE_ANY, false, RULE_AUDIT, NULL, NULL },
    { E_DISK_FULL, SIDE_ANY, false, RULE_STORE, NULL, NULL },
    { E_TOKEN, SIDE_ANY, false, RULE_TOKEN, NULL, NULL },
    { E_LOGIN, SIDE_ANY, false, RULE_TOKEN, NULL, NULL },
    { E_STAFF, SIDE_ANY, false, RULE_TOKEN, NULL, NULL },
    { E_PASSWORD, SIDE_ANY, false, RULE_TOKEN, NULL, NULL },
    { E_PASSWORD_DUE, SIDE_ANY, false, RULE_TOKEN, NULL, NULL },
    { E_TOTP_DUE, SIDE_ANY, false, RULE_TOKEN, NULL, NULL },
    { E_REVEALS, SIDE_ANY, false, RULE_OBJECT, NULL, NULL },
    { E_APPROVAL, SIDE_ANY, false, RULE_OBJECT, NULL, NULL },
    { E_GRANT, SIDE_ANY, false, RULE_TOKEN, NULL, NULL },
    { E_FORBIDDEN, SIDE_ANY, false, RULE_ROLE, NULL, NULL },
    { E_CONFLICT, SIDE_ANY, false, RULE_OBJECT, NULL, NULL },
    { E_OFFSET, SIDE_ANY, false, RULE_OBJECT, NULL, NULL },
    { E_NOT_COMPLETE, SIDE_ANY, false, RULE_OBJECT, NULL, NULL },
    { E_TOO_LATE, SIDE_ANY, false, RULE_OBJECT, NULL, NULL },
    { E_NO_UNDO, SIDE_ANY, false, RULE_OBJECT, NULL, NULL },
    { E_UPLOADS, SIDE_ANY, false, RULE_OBJECT, NULL, NULL },
};

static enum explain_rule rule_of(const struct audit_rec *rec, enum side side, const char **ret_ja, const char **ret_en)
{
    const struct err_info *info = err_info(rec->reason);
    bool at_door = rec->event == AU_REFUSED;
    *ret_ja = info->title_ja;
    *ret_en = info->title_en;
    for (size_t i = 0; i < sizeof CAUSES / sizeof *CAUSES; i++) {
        const struct cause *c = &CAUSES[i];
        /* At the door no link key has been read yet. */
        bool other_place = c->at_door ? !at_door : at_door && c->rule == RULE_LINK_KEY;
        if (c->reason != rec->reason || other_place || (c->side != SIDE_ANY && c->side != side))
            continue;
        if (c->ja) {
            *ret_ja = c->ja;
            *ret_en = c->en;
        }
        return c->rule;
    }
    return info->who == WHO_ACTS_CALLER ? RULE_FORM : RULE_OTHERS;
}

/* ---- together ---- */

static void add(struct explain *x, enum explain_rule rule, enum explain_outcome outcome) { x->step[x->n++] = (struct explain_step){ rule, outcome }; }

/* What was asked, in which order. A clinic's purpose stands in the link key; what its door refuses did not come so far. */
static enum side chain_of(const struct audit_rec *rec, enum side side) { return side == SIDE_CLINIC && rec->event == AU_REFUSED ? SIDE_ANY : side; }

void explain(const struct audit_rec *rec, struct explain *ret_x)
{
    enum side side = side_of(rec), chain = chain_of(rec, side);
    struct explain x = { .refused = rec->reason != E_OK, .ja = "", .en = "" };
    enum explain_rule decided = x.refused ? rule_of(rec, side, &x.ja, &x.en) : RULE__MAX;
    bool after = false;
    for (size_t i = 0; i < CHAINS[chain].n; i++) {
        enum explain_rule rule = CHAINS[chain].rule[i];
        /* The entry itself says that it was written, and which basis there was. */
        bool passed = !after || rule == RULE_AUDIT || (rule == RULE_BASIS && rec->basis);
        add(&x, rule, rule == decided ? EXPLAIN_DECIDED : passed ? EXPLAIN_PASSED : EXPLAIN_NOT_ASKED);
        after = after || rule == decided;
    }
    if (x.refused && !after)
        add(&x, decided, EXPLAIN_DECIDED);
    *ret_x = x;
}
