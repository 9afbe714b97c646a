/* What pmhgw reconcile tells. */
#include "keys/ctl/reconcile_int.h"

#include <inttypes.h>

#include "gateway/base/clock.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

uint64_t reconcile__replayed(const struct reconcile *r)
{
    uint64_t n = 0;
    for (int k = REPLAY_NONE + 1; k < REPLAY_LINKED; k++)
        n += r->count[k];
    return n;
}

static void put_counts(const struct reconcile *r)
{
    const struct { const char *name; uint64_t n; } counts[] = {
        { "withdrawals", r->count[REPLAY_WITHDRAWAL] }, { "sessions_ended", r->count[REPLAY_SESSION] }, { "flags", r->count[REPLAY_FLAGS] },
        { "certificates_revoked", r->count[REPLAY_CERTIFICATE] }, { "certificates_lost", r->lost_certificates },
        { "erasures", r->count[REPLAY_ERASURE] }, { "numbers_erased", r->count[REPLAY_NUMBER] }, { "staff_withdrawn", r->count[REPLAY_STAFF] },
        { "rows_dropped", r->dropped_rows }, { "vrs_to_take_back", r->vrs_marks }, { "pseudonyms_lost", r->lost_links }, { "tasks_lost", r->lost_tasks }, { "rows_lost", r->lost_rows }, { "not_replayed", r->failed },
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        out_put_u64(counts[i].name, counts[i].n);
}

static void tell_counts(const struct reconcile *r)
{
    say("同意の撤回 %" PRIu64 "、セッションの終了 %" PRIu64 "、制御フラグ %" PRIu64 "、証明書の失効 %" PRIu64 "、消去 %" PRIu64 "、番号の消去 %" PRIu64 "",
        "withdrawals %" PRIu64 ", ended sessions %" PRIu64 ", control flags %" PRIu64 ", revoked certificates %" PRIu64 ", erasures %" PRIu64 ", erased numbers %" PRIu64 "",
        r->count[REPLAY_WITHDRAWAL], r->count[REPLAY_SESSION], r->count[REPLAY_FLAGS], r->count[REPLAY_CERTIFICATE], r->count[REPLAY_ERASURE], r->count[REPLAY_NUMBER]);
    if (r->dropped_rows)
        say("消去された住民の待機・保留行を取り下げました: %" PRIu64 " 行", "rows of erased residents that waited or were held, dropped: %" PRIu64 "", r->dropped_rows);
    if (r->vrs_marks)
        say("消去された住民の登録・接種記録 %" PRIu64 " 件を VRS から改めて取り下げます。番号が保管庫にないものは pmhgw vrs list に no_number として残ります(docs/operations.md)",
            "of erased residents %" PRIu64 " registrations and records are taken back at VRS once more; what the vault has no number of any more stays in pmhgw vrs list as no_number (docs/operations.md)",
            r->vrs_marks);
    if (r->count[REPLAY_STAFF])
        say_warn("変更が失われた職員 %" PRIu64 " 名を停止しました。自治体の管理者か pmhgw staff restore で改めて登録してください",
                 "%" PRIu64 " members of staff of whom a change was lost are withdrawn: an administrator, or pmhgw staff restore, says them anew", r->count[REPLAY_STAFF]);
    if (r->lost_links)
        say_warn("失われたポータルの仮名の紐付け %" PRIu64 " 件。ポータルに再送を依頼してください", "%" PRIu64 " pseudonyms of portals are lost: ask the portals to link them again",
                 r->lost_links);
    if (r->lost_certificates)
        say_warn("発行の記録が失われた接種証明書 %" PRIu64 " 枚。失効させることができません(docs/operations.md)",
                 "%" PRIu64 " certificates of vaccination are lost: nobody can revoke them (docs/operations.md)", r->lost_certificates);
}

static void tell_lost(const struct reconcile *r)
{
    char at[24];
    if (!r->lost_tasks && !r->lost_marks)
        return;
    clock_format_utc(r->lost_from_ms, at);
    say_warn("%.24s より後に自治体が登録・変更した内容は失われています(受付 %" PRIu64 " 件、%" PRIu64 " 行以上)。自治体に再送を依頼してください。",
             "what municipalities registered or changed after %.24s is lost (%" PRIu64 " tasks, %" PRIu64 " rows or more): ask them to send it again.", at,
             r->lost_tasks, r->lost_rows);
    say_hint("フラグ・消去・撤回は反映済みです。再送は安全です(docs/operations.md)",
             "flags, erasures and withdrawals are replayed; sending again is safe (docs/operations.md)");
}

void reconcile__tell(const struct reconcile *r)
{
    put_counts(r);
    tell_counts(r);
    tell_lost(r);
}

int reconcile__verdict(const struct reconcile *r, bool older)
{
    if (r->dry) {
        say(older ? "保存先は監査記録より古い状態です(%" PRIu64 "、監査記録 %" PRIu64 ")。何も変更していません" : "保存先は古くありません(%" PRIu64 "、監査記録 %" PRIu64 ")。何も変更していません",
            older ? "the store is older than the audit log (%" PRIu64 ", the log %" PRIu64 "). Nothing was changed"
                  : "the store is not older (%" PRIu64 ", the log %" PRIu64 "). Nothing was changed", r->epoch, r->log);
        return older ? 1 : 0;
    }
    say_ok("反映しました: %" PRIu64 " 件", "%" PRIu64 " acts replayed", reconcile__replayed(r));
    return r->failed || r->lost_tasks || r->lost_marks || r->lost_links || r->lost_certificates || r->count[REPLAY_STAFF] ? 1 : 0;
}
