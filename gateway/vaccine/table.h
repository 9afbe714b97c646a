#ifndef GW_VACCINE_TABLE_H
#define GW_VACCINE_TABLE_H

/* The vaccine table: programs (whom, when, how often), products (what is in the syringe), and how strictly each rule of a dose is taken.
 * One YAML file, config/vaccines.yaml, read once when a daemon starts. Every fault has its line and column. */

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/vaccine/day.h"
#include "gateway/vaccine/gs1.h"

enum { VACCINES_FILE_MAX = 256 * 1024, VACCINE_PROGRAMS_MAX = 64, VACCINE_DOSES_MAX = 8, VACCINE_PRODUCTS_MAX = 256, VACCINE_ID_MAX = 50, VACCINE_NAME_MAX = 100,
       VACCINE_CODE_MAX = 24, VACCINE_OF_MAX = 4 };

/* X(symbol, slug, field, level unless the file says otherwise, ja, en). The place is stored in records: append only. */
#define VACCINE_RULES(X)                                                                                                                                     \
    X(VR_GTIN_CHECK_DIGIT, "gtin_check_digit", "gtin", VL_REJECT, "GTIN の検査数字が合いません。", "The check digit of the GTIN does not match.")            \
    X(VR_GTIN_UNKNOWN, "gtin_unknown", "gtin", VL_WARN, "この GTIN の製品はワクチン表にありません。", "No product of the table has this GTIN.")              \
    X(VR_PRODUCT_NOT_OF_PROGRAM, "product_not_of_program", "gtin", VL_REJECT, "別の接種プログラムの製品です。", "The product is of another program.")        \
    X(VR_LOT_EXPIRED, "lot_expired", "expirationDate", VL_REJECT, "接種日に有効期限が切れていました。", "The lot had expired on the day of vaccination.")    \
    X(VR_LOT_EXPIRY_MISSING, "lot_expiry_missing", "expirationDate", VL_WARN, "有効期限がありません。", "The expiry of the lot is missing.")                 \
    X(VR_DATE_FUTURE, "date_future", "vaccinationDate", VL_REJECT, "接種日が未来です。", "The day of vaccination is in the future.")                         \
    X(VR_DATE_BEFORE_BIRTH, "date_before_birth", "vaccinationDate", VL_REJECT, "接種日が出生より前です。", "The day of vaccination is before the birth.")    \
    X(VR_AGE_TOO_YOUNG, "age_too_young", "vaccinationDate", VL_REJECT, "対象年齢に達していません。", "The person was too young on that day.")                \
    X(VR_AGE_TOO_OLD, "age_too_old", "vaccinationDate", VL_REJECT, "対象年齢を過ぎています。", "The person was too old on that day.")                        \
    X(VR_INTERVAL_TOO_SHORT, "interval_too_short", "vaccinationDate", VL_REJECT, "前の接種からの間隔が足りません。", "Too soon after an earlier dose.")      \
    X(VR_DOSE_ORDER, "dose_order", "doseNumber", VL_REJECT, "接種回の順序が正しくありません。", "The dose is out of order.")                                 \
    X(VR_DOSE_DUPLICATE, "dose_duplicate", "doseNumber", VL_REJECT, "この接種回は既に記録されています。", "That dose of that program is recorded already.")  \
    X(VR_SAME_DAY_DUPLICATE, "same_day_duplicate", "vaccinationDate", VL_REJECT, "同じ日に同じワクチンの記録があります。", "The same vaccine is recorded on that day.") \
    X(VR_ENDED_RESIDENT, "ended_resident", "vaccinationDate", VL_REJECT, "その日には転出または死亡しています。", "The resident had died or moved away by that day.") \
    X(VR_NOT_CONSENTED, "not_consented", "isConsented", VL_REJECT, "接種の同意がありません。", "The consent to vaccinate is missing.")                       \
    X(VR_DECLARED_UNFIT, "declared_unfit", "isConsented", VL_REJECT, "予診票で接種不可とされています。", "The questionnaire says that the person must not be vaccinated.") \
    X(VR_AMOUNT_UNUSUAL, "amount_unusual", "doseQuantity", VL_WARN, "接種量が通常と異なります。", "The amount is not the usual one.") \
    X(VR_LOT_NOT_MADE_YET, "lot_not_made_yet", "vaccinationDate", VL_REJECT, "接種日には、まだ製造されていません。", "The lot had not been made on the day of vaccination.") \
    X(VR_LOT_EXPIRY_FAR, "lot_expiry_far", "expirationDate", VL_WARN, "有効期限が遠すぎます。", "The expiry is too far in the future.")

enum vaccine_level { VL_OFF, VL_WARN, VL_REJECT };
enum vaccine_rule {
#define X(sym, slug, field, level, ja, en) sym,
    VACCINE_RULES(X)
#undef X
    VR__MAX
};
struct vaccine_rule_info { const char *slug, *field, *ja, *en; enum vaccine_level level; };
const struct vaccine_rule_info *vaccine_rule_info(enum vaccine_rule r); /* never NULL */

enum vaccine_live { VACCINE_INACTIVATED, VACCINE_LIVE_INJECTED, VACCINE_LIVE_ORAL };

struct vaccine_dose {
    struct span from, to;     /* ages, both of them included in the sense of 「から」「に至るまで」; 0: no bound */
    struct span after;        /* since the dose before */
};
struct vaccine_program {
    const char *id, *ja, *en;
    const char *disease_fhir; /* MEDIS 病名交換用コード of what it is against, for JP_Immunization; NULL */
    const char *disease_icd;  /* ICD-11 code, for VDS-NC "dis" */
    enum vaccine_live live;
    size_t n_doses;
    struct vaccine_dose dose[VACCINE_DOSES_MAX];
    bool yearly;              /* the doses are counted anew in each fiscal year, from 1 April */
    enum vaccine_level level[VR__MAX];
};
struct vaccine_product {
    size_t n_programs;        /* that it is for, at least one: a product may be of two periods */
    const struct vaccine_program *program[VACCINE_OF_MAX];
    const char *product_ja, *product_en, *vaccine_ja, *vaccine_en, *maker_ja, *maker_en;
    uint32_t amount_ul;       /* usual amount; 0: not told, or as the age asks */
    const char *cvx, *hot, *icd /* ICD-11, VDS-NC "des" */; /* NULL: none */
    size_t n_gtins;
    char gtin[4][GS1_GTIN];
};

struct vaccine_table;
/* A fault goes to standard error. CONFIG. */
ERR vaccine_table_load(struct vaccine_table **ret_t, const char *path);
/* From memory: the line is appended to *bad_line, without newline. CONFIG, NOMEM. */
ERR vaccine_table_parse(struct vaccine_table **ret_t, const char *file, struct slice yaml, struct buf *bad_line);
void vaccine_table_free(struct vaccine_table *t); /* NULL is fine */

const struct vaccine_program *vaccine_program(const struct vaccine_table *t, struct slice id);   /* NULL: there is none */
const struct vaccine_product *vaccine_product(const struct vaccine_table *t, struct slice gtin); /* 14 digits; NULL */
size_t vaccine_programs(const struct vaccine_table *t);
const struct vaccine_program *vaccine_program_at(const struct vaccine_table *t, size_t i);
size_t vaccine_products(const struct vaccine_table *t);
const struct vaccine_product *vaccine_product_at(const struct vaccine_table *t, size_t i);

#endif
