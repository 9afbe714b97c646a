#ifndef GW_ZONE_NUMBER
#error "row_result.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_ROW_RESULT_H
#define KEYS_INTAKE_ROW_RESULT_H

/* What became of one row, as it is kept in redis-link and shown in a task. Names of fields and rules, never a value. */

#include "gateway/base/json_write.h"
#include "keys/registration/registration.h"

/* X(symbol, stored number, name). The numbers are stored: never reuse one. */
#define NZ_RESULTS(X)                       \
    X(NZ_WAITING, 0, "waiting")             \
    X(NZ_REGISTERED, 1, "registered")       \
    X(NZ_UPDATED, 2, "updated")             \
    X(NZ_UNCHANGED, 3, "unchanged")         \
    X(NZ_REFUSED, 4, "refused")             \
    X(NZ_QUARANTINED, 5, "quarantined")

enum nz_result {
#define X(sym, number, name) sym = number,
    NZ_RESULTS(X)
#undef X
    NZ_RESULT__MAX
};
const char *nz_result_name(enum nz_result r);

/* X(symbol, stored number, slug, ja, en): why. */
#define NZ_CODES(X)                                                                                                          \
    X(NZ_CODE_NONE, 0, "", "", "")                                                                                           \
    X(NZ_CODE_FIELD, 1, "field_invalid", "項目が規則に合いません。", "A field breaks a rule.")                               \
    X(NZ_CODE_SAME_TWICE, 2, "same_row_twice", "同じ内容の行がこの要求の前の方にあります。",                                 \
      "An identical row came earlier in this request.")                                                                      \
    X(NZ_CODE_CONTRADICT, 3, "rows_contradict", "同じ受給者証の行がこの要求に二つあり、内容が違います。どちらも登録していません。", \
      "The same certificate is in this request twice with different content; neither is applied.")                           \
    X(NZ_CODE_RESIDENT_TWO, 4, "resident_key_two_numbers", "一つの自治体別本人キーに二つの個人番号が対応しています。職員の確認まで保留します。", \
      "One resident key is used with two individual numbers; held for an officer.")                                          \
    X(NZ_CODE_NUMBER_TWO, 5, "number_two_residents", "一つの個人番号に二つの自治体別本人キーが対応しています。職員の確認まで保留します。", \
      "One individual number is used with two resident keys; held for an officer.")                                          \
    X(NZ_CODE_MISMATCH, 6, "person_mismatch", "同じ個人番号で氏名も生年月日も違います。職員の確認まで保留します。",         \
      "Same individual number, but another name and another birth date; held for an officer.")                               \
    X(NZ_CODE_UPSTREAM, 7, "upstream_answer_refused", "PMH の応答が取り決めと違うため保留しました。",                        \
      "The answer of PMH breaks the agreement; the row is held.")                                                            \
    X(NZ_CODE_MUNI_CLOSED, 8, "municipality_closed", "この自治体の受付は終了しています。",                                   \
      "This municipality has been closed here.")                                                                             \
    X(NZ_CODE_SUPERSEDED, 9, "superseded", "後から届いた登録・異動が先に反映されたため、この行は反映していません。",          \
      "What came later was applied first; this row changes nothing.")                                                        \
    X(NZ_CODE_TICKET_LOST, 10, "ticket_lost", "番号保管庫の引換券が使えないため保留しました。この行を再送してください。",    \
      "The vault no longer honours the ticket of this row; send the row again.")                                             \
    X(NZ_CODE_UNREADABLE, 11, "stored_value_unreadable", "保存された値が開けないため保留しました。",                         \
      "A stored value does not open; the row is held for the operator.")                                                    \
    X(NZ_CODE_UNREADABLE_ROW, 12, "row_unreadable", "行を読み取れません。項目と規則を確認してください。",                   \
      "The row cannot be read; see field and rule.")                                                                        \
    X(NZ_CODE_REPLACED_EARLIER, 13, "replaced_earlier_row", "同じファイルの前の行の内容を、この行の内容で置き換えました。", \
      "This row replaced what an earlier row of the same file said.")                                                       \
    X(NZ_CODE_NOT_THERE, 14, "nothing_to_remove", "消除の対象が登録されていません。",                                       \
      "What the row removes is not registered.")                                                                            \
    X(NZ_CODE_DEAD, 15, "upstream_gave_up", "接続先に送れないまま期限を過ぎたため保留しました。再送の指示を待っています。", \
      "The upstream could not be reached in time; the row is held until somebody has it replayed.")                         \
    X(NZ_CODE_DISCARDED, 16, "discarded_by_officer", "職員が確認し、反映しないことにしました。",                            \
      "An officer looked at the held row and dropped it.")                                                                  \
    X(NZ_CODE_CHANGED_SINCE, 17, "changed_since", "その後に変更されているため、取り消していません。",                       \
      "It has been changed since and was not undone.")                                                                      \
    X(NZ_CODE_UNKNOWN_RESIDENT, 18, "unknown_resident", "その自治体別本人キーの住民は登録されていません。",                 \
      "There is no resident with this key.")                                                                                \
    X(NZ_CODE_NOT_FAILED, 19, "did_not_fail", "前回受け付けられた行なので、送り直していません。",                           \
      "The row was accepted the last time and was passed over.") \
    X(NZ_CODE_NUMBER_NOT_KEYS, 20, "number_not_of_resident", "個人番号がその自治体別本人キーの住民のものではありません。",   \
      "The individual number is not that of the resident with this key.")                                                   \
    X(NZ_CODE_SAME_RESIDENT, 21, "same_resident", "二つの自治体別本人キーは既に同じ住民です。",                             \
      "Both resident keys are one resident already.")                                                                       \
    X(NZ_CODE_NUMBER_OTHERS, 22, "number_of_another_resident", "新しい個人番号は別の住民に対応しています。",                \
      "The new individual number belongs to another resident.")                                                             \
    X(NZ_CODE_OPERATION_REUSED, 23, "operation_key_reused", "その operationKey は別の異動に使われています。",               \
      "The operationKey was used for another change.")                                                                      \
    X(NZ_CODE_OPERATION_UNDONE, 24, "operation_undone", "この異動は取り消されています。新しい operationKey で送ってください。", \
      "This change was taken back; send it with a new operationKey.")                                                       \
    X(NZ_CODE_OPERATION_UNKNOWN, 25, "unknown_operation", "取り消す異動が見つからないか、保存期間を過ぎています。",         \
      "The change to be taken back is not known, or no longer kept.")                                                       \
    X(NZ_CODE_RESIDENT_MERGED, 26, "resident_merged", "この住民には別の住民が統合されています。先に統合を取り消してください。", \
      "Another resident was merged into this one; take that back first.")                                                   \
    X(NZ_CODE_TOO_MUCH, 27, "too_much_to_change", "この住民の情報が一回で扱える上限を超えているため保留しました。運用者に連絡してください。", \
      "The resident has more records, keys or numbers than one change can handle; ask the operator.") \
    X(NZ_CODE_RESIDENT_CHANGED, 28, "resident_was_changed", "統合または個人番号の変更をした住民のため、番号とキーの対応を付け替えられません。異動を取り消してから解除するか、破棄してください。", \
      "A merge or a change of number stands between this number and this key, so they cannot be tied anew; take that back and release the row again, or drop it.") \
    X(NZ_CODE_ROW_LOST, 29, "row_lost", "保存したファイルが壊れたため、この行の結果は分かりません。反映済みのこともあります。運用者に連絡し、この行を送り直してください。", \
      "The stored file was damaged and the result of this row is not known; it may have been applied. Tell the operator and send the row again: that does no harm.") \
    X(NZ_CODE_ERASED, 30, "resident_erased", "この住民の情報が消去されたため、この行は反映していません。",                          \
      "The resident was erased; this row was dropped.") \
    X(NZ_CODE_TICKET_OTHER, 31, "ticket_of_another", "この接種券番号は別の住民の接種券です。職員の確認まで保留します。",             \
      "Another resident has a ticket with this number; held for an officer.") \
    X(NZ_CODE_ERASED_SINCE, 32, "resident_erased_since", "この行を受け付けた後に住民の情報が消去されたため、反映していません。改めて登録する場合は、もう一度送ってください。", \
      "The resident was erased after this row was received; send it again if the resident is to be registered anew.")

enum nz_code {
#define X(sym, number, slug, ja, en) sym = number,
    NZ_CODES(X)
#undef X
    NZ_CODE__MAX
};
const char *nz_code_slug(enum nz_code c);
const char *nz_code_ja(enum nz_code c);
const char *nz_code_en(enum nz_code c);

struct nz_fault {
    struct slice field; /* name of the form */
    enum field_rule rule;
};

struct nz_row_result {
    enum nz_result result;
    enum nz_code code;
    uint32_t with_row; /* the other row of the request, 0 when none */
    unsigned n_faults, n_warnings;
    struct nz_fault faults[FIELD_FAULTS_MAX], warnings[FIELD_FAULTS_MAX];
};

enum { NZ_ROW_RESULT_MAX = 4096 }; /* bytes of the stored form */

/* The result of a row as the parser judged it; OK rows are waiting. Slices borrow from the row. */
void nz_row_result_of(const struct nz_row *row, struct nz_row_result *ret_r);

/* Stored form, appended. */
void nz_row_result_encode(const struct nz_row_result *r, struct buf *out);
/* Slices borrow from stored. SEAL when malformed. */
ERR nz_row_result_decode(struct slice stored, struct nz_row_result *ret_r);

/* The object of a task's "rows". */
void nz_row_result_json(const struct nz_row_result *r, uint32_t row, struct jsonw *w);

#endif
