#ifndef KEYS_CTL_EXPLAIN_H
#define KEYS_CTL_EXPLAIN_H

/* Which rule decided, from an audit entry alone: event, result, reason and whose door it was. Nothing of a person goes in or comes out. */

#include "gateway/audit/audit.h"

/* X(symbol, id, ja, en): the rules of docs/access.md, numbered as there; R8 and after are asked at some doors only. */
#define EXPLAIN_RULES(X)                                                                                                                    \
    X(FORM,     "R0",  "要求の形と経路",                       "form of the request, and its route")                                       \
    X(ROLE,     "R1",  "証明書と役割",                         "certificate and role")                                                     \
    X(BASIS,    "R2",  "法的根拠と目的",                       "legal basis and purpose")                                                  \
    X(LINK_KEY, "R3",  "連携キーまたはセッション",             "link key or session")                                                      \
    X(CONSENT,  "R4",  "同意",                                 "consent")                                                                  \
    X(FLAGS,    "R5",  "記録と制御フラグ",                     "records and control flags")                                                \
    X(STORE,    "R6",  "保存先の状態",                         "state of the store")                                                       \
    X(AUDIT,    "R7",  "監査記録",                             "audit record")                                                             \
    X(TOKEN,    "R8",  "アクセストークン・職員のログイン",     "access token, staff login")                                                \
    X(OBJECT,   "R9",  "受付・ファイル・住民の状態",           "state of the task, file or resident")                                      \
    X(OTHERS,   "R10", "接続先とこのゲートウェイ自身",         "partners and the gateway itself")

enum explain_rule {
#define X(sym, id, ja, en) RULE_##sym,
    EXPLAIN_RULES(X)
#undef X
    RULE__MAX
};

enum explain_outcome { EXPLAIN_PASSED, EXPLAIN_DECIDED /* against the request */, EXPLAIN_NOT_ASKED };

struct explain_step { enum explain_rule rule; enum explain_outcome outcome; };

struct explain {
    struct explain_step step[RULE__MAX];
    size_t n;
    bool refused;            /* some rule decided against it */
    const char *ja, *en;     /* what the deciding rule found; of what was allowed: "" */
};

void explain(const struct audit_rec *rec, struct explain *ret_x);

const char *explain_rule_id(enum explain_rule r);
const char *explain_rule_ja(enum explain_rule r);
const char *explain_rule_en(enum explain_rule r);
/* "clinic", "portal", "municipality", "staff", "gateway", "unknown": whose act it was, never who. */
const char *explain_actor(const struct audit_rec *rec);

#endif
