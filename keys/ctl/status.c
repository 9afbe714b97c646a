/* pmhgw status: one line a process, then what waits. */

#include <stdio.h>

#include "gateway/base/json_write.h"
#include "gateway/tls/ends.h"
#include "keys/ctl/backlog.h"
#include "keys/ctl/certs_ends.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/health.h"
#include "keys/ctl/letters.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/web.h"
#include "keys/ctl/vrs_marks.h"

static void print_line(const struct health *h)
{
    char pid[16], memory[32];
    snprintf(pid, sizeof pid, "%d", h->pid);
    snprintf(memory, sizeof memory, "%.1f MiB%s", (double)h->memory_kib / 1024, h->memory_is_pss || !h->pid ? "" : " rss");
    fputs(err_ok(h->answer) ? "  ✓ " : "  ✗ ", stdout);
    say_cell(h->name, 14);
    say_cell(h->pid ? pid : "-", 9);
    say_cell(h->pid ? memory : "-", 16);
    if (h->processes > 1)
        printf("%u %s  ", h->processes, say_pick("プロセス", "processes"));
    const struct err_info *i = err_info(h->answer.code);
    printf("%s%s\n", err_ok(h->answer) ? say_text("応答あり", "answers").c : say_text(i->title_ja, i->title_en).c, h->relay ? say_pick("(中継)", " (relay)") : "");
}

static void print_backlog(const struct backlog *b)
{
    char age[32];
    const unsigned long long files = b->files, rows = b->rows;
    const char *few = b->at_least ? say_pick("少なくとも ", "at least ") : "";
    progress_duration(b->oldest_s, age);
    if (!b->heard)
        say("  · %s: 待ちの行はわかりません", "  · %s: what waits is not known", b->muni);
    else if (b->rows)
        say_plain(say_form("  · %s: 処理中のファイル %s%llu、待ちの行 %s%llu(最も古いもの %s)", b->muni, few, files, few, rows, age).c,
                  say_form("  · %s: %s%llu files under way, %s%llu rows waiting (the oldest for %s)", b->muni, few, files, few, rows, age).c);
    else
        say("  · %s: 処理中のファイル %llu、待ちの行 0", "  · %s: %llu files under way, no row waiting", b->muni, files);
}

static void print_waits(const struct backlog *b)
{
    if (b->waits_code[0])
        say_plain(say_form("    ! ファイル %s が進んでいません: %s [%s]", b->waits_task, b->waits_ja, b->waits_code).c,
                  say_form("    ! file %s does not go on: %s [%s]", b->waits_task, b->waits_en, b->waits_code).c);
}

/* ---- the disk of the audit log: when it is full, nothing is answered any more ---- */

static void print_disk(const struct audit_disk_status *d)
{
    double gib = (double)d->free_bytes / (1 << 30);
    if (d->hours == AUDIT_HOURS_UNKNOWN)
        say("  · 監査記録のディスク: 空き %.1f GiB", "  · disk of the audit log: %.1f GiB free", gib);
    else
        say("  %s 監査記録のディスク: 空き %.1f GiB、この一日の増え方であと %u 時間", "  %s disk of the audit log: %.1f GiB free, %u h left as the last day went",
            d->hours < AUDIT_DISK_LOW_HOURS ? "!" : "·", gib, d->hours);
}

static void write_disk(struct jsonw *w, const struct audit_disk_status *d)
{
    jsonw_u64(w, "audit_disk_free_bytes", d->free_bytes);
    if (d->hours == AUDIT_HOURS_UNKNOWN)
        jsonw_null(w, "audit_disk_hours");
    else
        jsonw_u64(w, "audit_disk_hours", d->hours);
}

static void write_backlog(struct jsonw *w, const struct backlog *b, size_t n)
{
    jsonw_array(w, "backlog");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(w, NULL);
        jsonw_cstr(w, "municipality", b[i].muni);
        jsonw_bool(w, "heard", b[i].heard);
        jsonw_u64(w, "rows", b[i].rows);
        jsonw_u64(w, "oldest_s", b[i].oldest_s);
        jsonw_u64(w, "files", b[i].files);
        if (b[i].at_least)
            jsonw_bool(w, "at_least", true);
        if (b[i].waits_code[0]) {
            jsonw_cstr(w, "waits_task", b[i].waits_task);
            jsonw_cstr(w, "waits_for", b[i].waits_code);
        }
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void print_vrs(const struct vrs_marks *m)
{
    if (m->waiting || m->not_taken)
        say("  %s VRSへ送信待ち %llu、受け付けられなかったもの %llu（うち取消し %llu）", "  %s VRS: %llu to be told, %llu not taken (%llu of them to be taken back)",
            m->not_taken ? "!" : "·", (unsigned long long)m->waiting, (unsigned long long)m->not_taken, (unsigned long long)m->taken_back);
}

static void write_vrs(struct jsonw *w, const struct vrs_marks *m)
{
    jsonw_object(w, "vrs");
    jsonw_u64(w, "waiting", m->waiting);
    jsonw_u64(w, "not_taken", m->not_taken);
    jsonw_u64(w, "to_take_back", m->taken_back);
    jsonw_end_object(w);
}

static void print_messages(const struct letters_state *m)
{
    char behind[32], oldest[32];
    progress_duration(m->lanes.behind_ms / 1000, behind);
    progress_duration(m->oldest_dead_ms / 1000, oldest);
    if (m->lanes.lanes || m->lanes.dead)
        say("  %s 機関への知らせ: 送信待ち %llu(遅れ %s)、届かなかったもの %llu(最も古いもの %s)", "  %s messages to partners: %llu wait (%s late), %llu were not delivered (the oldest for %s)",
            m->lanes.dead ? "!" : "·", (unsigned long long)m->lanes.lanes, behind, (unsigned long long)m->lanes.dead, oldest);
}

static void write_messages(struct jsonw *w, const struct letters_state *m)
{
    jsonw_object(w, "messages");
    jsonw_u64(w, "waiting", m->lanes.lanes);
    jsonw_u64(w, "behind_s", m->lanes.behind_ms / 1000);
    jsonw_u64(w, "dead", m->lanes.dead);
    jsonw_u64(w, "oldest_dead_s", m->oldest_dead_ms / 1000);
    jsonw_end_object(w);
}

/* ---- the certificate that ends first ---- */

static void print_certificate(const struct cert_end *c)
{
    if (ends_stage(c->left_s) == ENDS_OVER)
        say("  ! 証明書 %s の期限が切れました", "  ! the certificate %s has ended", c->name);
    else if (ends_stage(c->left_s) != ENDS_LATER)
        say("  ! 証明書 %s はあと %lld 日で期限が切れます", "  ! the certificate %s ends in %lld days", c->name, (long long)c->left_s / (24 * 3600));
}

static void write_certificate(struct jsonw *w, const struct cert_end *c)
{
    jsonw_object(w, "certificate_that_ends_first");
    jsonw_cstr(w, "name", c->name);
    jsonw_u64(w, "days", c->left_s > 0 ? (uint64_t)c->left_s / (24 * 3600) : 0);
    jsonw_bool(w, "ended", c->left_s < 0);
    jsonw_end_object(w);
}

/* NULL: not known */
struct seen { const struct backlog *waits; size_t n_waits; const struct audit_disk_status *disk; const struct vrs_marks *vrs; const struct letters_state *messages; const struct cert_end *cert; };

static void print_json(const struct state *s, const struct health *h, size_t n, bool good, const struct seen *seen)
{
    struct buf b;
    struct jsonw w;
    buf_init(&b, 16 * 1024);
    jsonw_init(&w, &b);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "good", good);
    jsonw_u64(&w, "base_port", state_base_port(s));
    jsonw_array(&w, "processes");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "name", h[i].name);
        jsonw_u64(&w, "pid", (uint64_t)h[i].pid);
        jsonw_u64(&w, "processes", h[i].processes);
        jsonw_u64(&w, "memory_kib", h[i].memory_kib);
        jsonw_cstr(&w, "memory_kind", h[i].memory_is_pss ? "pss" : "rss");
        jsonw_cstr(&w, "answer", err_slug(h[i].answer.code));
        if (h[i].relay)
            jsonw_bool(&w, "relay", true);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    write_backlog(&w, seen->waits, seen->n_waits);
    if (seen->vrs)
        write_vrs(&w, seen->vrs);
    if (seen->messages)
        write_messages(&w, seen->messages);
    if (seen->disk)
        write_disk(&w, seen->disk);
    if (seen->cert)
        write_certificate(&w, seen->cert);
    jsonw_end_object(&w);
    out_written();
    printf("%.*s\n", (int)b.n, (const char *)b.p);
    buf_done(&b);
}

int cmd_status(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    bool json = false, quick = false;
    struct state s;
    struct health h[PROBE_PARTS];
    struct backlog waits[BACKLOG_MUNIS_MAX];
    enum opts_end end = CLI_PARSE(argc, argv, "status", &operands, { "--state", &dirs.state }, { "--json", &json }, { "--quick", &quick });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!err_ok(web_setup()) || !state_open(&s, &dirs, false))
        return 2;
    size_t n = health_read(&s, h);
    bool good = true;
    for (size_t i = 0; i < n; i++)
        good = good && err_ok(h[i].answer);
    size_t n_waits = quick || !good ? 0 : backlog_read(&s, waits);
    struct audit_disk_status disk;
    bool disk_known = err_ok(probe_audit_disk(&s, &disk));
    struct vrs_marks vrs;
    const bool vrs_known = !quick && good && err_ok(vrs_marks_read(&s, &vrs));
    struct letters_state messages;
    const bool messages_known = !quick && good && err_ok(letters_state_read(&s, &messages));
    struct cert_end cert;
    const bool cert_known = certs_first_end(&s, &cert);
    if (json) {
        print_json(&s, h, n, good,
                   &(struct seen){ waits, n_waits, disk_known ? &disk : NULL, vrs_known ? &vrs : NULL, messages_known ? &messages : NULL, cert_known ? &cert : NULL });
        return good ? 0 : 1;
    }
    for (size_t i = 0; i < n; i++)
        print_line(&h[i]);
    if (disk_known)
        print_disk(&disk);
    if (vrs_known)
        print_vrs(&vrs);
    if (messages_known)
        print_messages(&messages);
    if (cert_known)
        print_certificate(&cert);
    for (size_t i = 0; i < n_waits; i++) {
        print_backlog(&waits[i]);
        print_waits(&waits[i]);
    }
    return good ? 0 : 1;
}
