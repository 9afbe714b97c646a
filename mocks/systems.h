#ifndef MOCKS_SYSTEMS_H
#define MOCKS_SYSTEMS_H

/* The systems of the nation: X(symbol, name in paths, port behind the base port, Japanese name, English name) */
#define SYSTEMS(X)                                                                                    \
    X(CONTROL, "control", 10, "操作盤", "control")                                                    \
    X(PMH, "pmh", 11, "PMH(採番)", "PMH numbering")                           \
    X(ONSHI, "onshi", 12, "オンライン資格確認等システム", "online qualification")                     \
    X(PORTAL, "portal", 13, "マイナポータル", "citizen portal")                                       \
    X(INTERMEDIARY, "intermediary", 14, "医療保険者等向け中間サーバー", "insurer intermediary server") \
    X(VRS, "vrs", 15, "ワクチン接種記録システム", "vaccination records (VRS)")           \
    X(CLINIC_APP, "clinic-app", 16, "医療機関用アプリ", "clinic apps")             \
    X(ID5, "id5", 17, "履歴照会回答システム", "history service (ID5)")                                 \
    X(DATABASE, "vaccination-db", 18, "予防接種データベース", "vaccination database")                 \
    X(CLAIMS, "claims", 19, "請求支払システム", "claims")

enum system_id {
#define X(sym, name, port, ja, en) SYSTEM_##sym,
    SYSTEMS(X)
#undef X
    SYSTEM__MAX
};

struct system_info {
    const char *name;
    unsigned port; /* added to the base port */
    const char *ja, *en;
};
extern const struct system_info SYSTEM_INFO[SYSTEM__MAX];

#endif
