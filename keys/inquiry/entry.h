#ifndef GW_ZONE_NUMBER
#error "entry.h belongs to the number zone"
#endif
#ifndef KEYS_INQUIRY_ENTRY_H
#define KEYS_INQUIRY_ENTRY_H

/* What an inquiry keeps in its folder of the spool (sealed frames). Sans I/O. No record is spread over two frames.
 *
 *   upload    length u16 | row u32 | flags u8 | digits[12] | peer[6] | basis u16 | key length u16 | key | errors
 *             flags: 1 everywhere, 2 refused (digits of zeros)
 *   results   length u16 | kind u8 | row u32 | peer[6] | outcome u8 | reason u8 | at_ms u64 | key length u16 | key | json
 *             json: FOUND: the list of immunizations; REFUSED: the list of errors; statement: an object; empty otherwise */

#include "gateway/base/json_write.h"
#include "keys/inquiry/form.h"

enum nz_inq_outcome { NZ_INQ_WAITS, NZ_INQ_FOUND = 1, NZ_INQ_NOTHING = 2, NZ_INQ_FAILED = 3, NZ_INQ_QUARANTINED = 4, NZ_INQ_REFUSED = 5, NZ_INQ__MAX };

/* X(symbol, stored number, slug, ja, en) */
#define NZ_INQ_REASONS(X)                                                                                                                   \
    X(NZ_INQ_BECAUSE_NONE, 0, "", "", "")                                                                                                   \
    X(NZ_INQ_BECAUSE_AWAY, 1, "municipality_not_answering", "照会先の市区町村から期限までに回答がありませんでした。後でもう一度照会してください。",   \
      "The municipality did not answer in time. Ask again later.")                                                                          \
    X(NZ_INQ_BECAUSE_UNKNOWN, 2, "no_such_municipality", "その市区町村には照会できません。転出元のコードを確認してください。",                         \
      "This municipality cannot be asked. Check the code of the previous municipality.")                                                    \
    X(NZ_INQ_BECAUSE_REFUSED, 3, "municipality_refused", "照会先が照会を受け付けませんでした。運用者に連絡してください。",                             \
      "The inquiry was not accepted there. Tell the operator.")                                                                             \
    X(NZ_INQ_BECAUSE_PARTIAL, 4, "not_answered", "照会先はこの人について期限までに回答しませんでした。後でもう一度照会してください。",                 \
      "The municipality did not answer about this person in time. Ask again later.")                                                        \
    X(NZ_INQ_BECAUSE_BREACH, 5, "upstream_answer_refused", "照会先の応答が取り決めと違うため、使わずに捨てました。運用者に連絡してください。",         \
      "The answer broke the agreement and was thrown away. Tell the operator.")                                                             \
    X(NZ_INQ_BECAUSE_FIELD, 6, "field_invalid", "項目が規則に合いません。", "A field breaks a rule.")                                                   \
    X(NZ_INQ_BECAUSE_VRS, 7, "vrs_unavailable", "VRS に接続できませんでした。後でもう一度照会してください。", "VRS could not be reached. Ask again later.")

enum nz_inq_reason {
#define X(sym, number, slug, ja, en) sym = number,
    NZ_INQ_REASONS(X)
#undef X
    NZ_INQ_REASON__MAX
};
const char *nz_inq_outcome_name(enum nz_inq_outcome o); /* "found" "nothing" "failed" "quarantined" "refused" */
const char *nz_inq_reason_slug(enum nz_inq_reason r);

enum { NZ_INQ_PERSON_MAX = 2 + 27 + NZ_INQ_KEY_MAX + NZ_INQ_ERRORS_MAX, NZ_INQ_JSON_MAX = 48 * 1024, NZ_INQ_RESULT_MAX = 2 + 32 + NZ_INQ_KEY_MAX + NZ_INQ_JSON_MAX };

ERR nz_inq_person_encode(const struct nz_inq_person *p, struct buf *out);
/* Takes the first one off *in; texts borrow. NOTHING when *in is empty, SEAL when malformed, FULL when the pool is. */
ERR nz_inq_person_decode(struct slice *in, struct nz_pool *pool, struct nz_inq_person *ret_p);

enum nz_inq_kind { NZ_INQ_ANSWER = 1, NZ_INQ_STATEMENT = 2 };
struct nz_inq_result {
    enum nz_inq_kind kind;
    uint32_t row;
    char peer[6];
    enum nz_inq_outcome outcome;
    enum nz_inq_reason reason;
    uint64_t at_ms;
    struct slice key, json;
};
void nz_inq_result_encode(const struct nz_inq_result *r, struct buf *out);
ERR nz_inq_result_decode(struct slice *in, struct nz_inq_result *ret_r); /* as above */
/* {"row","resident_key","municipalityCode","result","code","message_ja","message_en","answered_at","immunizations":[],"errors":[]} */
void nz_inq_result_json(const struct nz_inq_result *r, struct jsonw *w);

#endif
