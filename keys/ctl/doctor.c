/* pmhgw doctor: looks at everything that is known to go wrong, and names the cause. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/conf/conf.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/doctor_files.h"
#include "keys/ctl/doctor_lists.h"
#include "keys/ctl/doctor_relay.h"
#include "keys/ctl/finding.h"
#include "keys/ctl/health.h"
#include "keys/ctl/letters.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/out.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/say.h"
#include "keys/ctl/vrs_marks.h"
#include "keys/ctl/web.h"

enum { DISK_LOW_MIB = 512, MEMLOCK_LOW_KIB = 8 * 1024, BEHIND_LONG_MS = 60 * 1000 };

/* Counted as wrong when false; warnings are told but do not count. */
typedef bool check_fn(const struct state *s);

void finding(const char *code, struct say_text ja, struct say_text en, struct say_text next_ja, struct say_text next_en)
{
    out_append("findings", json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", code, "cause_ja", ja.c, "cause_en", en.c, "next_ja", next_ja.c, "next_en", next_en.c));
    say_warn("%s", "%s", say_text(ja.c, en.c).c);
    say_hint(say_form("次の手順: %s", next_ja.c).c, say_form("what to do: %s", next_en.c).c);
}

#define TEXT_OF(...) say_form(__VA_ARGS__)

static bool check_programs(const struct state *s)
{
    static const struct { const char *path, *package; } NEEDS[] = { { "/usr/bin/openssl", "openssl" }, { "/usr/bin/redis-server", "redis-server" } };
    static const char *const OURS[] = { "pmhgw-vault", "pmhgw-audit", "pmhgw-signer", "pmhgw-intake", "pmhgw-front", "pmhgw-courier", "pmhgw-relay" };
    const bool relays[] = { conf_file_relay(s, "redis-vault"), conf_file_relay(s, "redis-link") };
    const bool no_server = relays[0] && relays[1], no_relay = !relays[0] && !relays[1]; /* the last of either list is not needed */
    bool good = true;
    for (size_t i = 0; i < sizeof NEEDS / sizeof *NEEDS - no_server; i++)
        if (access(NEEDS[i].path, X_OK) != 0) {
            finding("program_missing", TEXT_OF("%s がありません", NEEDS[i].path), TEXT_OF("%s is missing", NEEDS[i].path), TEXT_OF("apt-get install %s", NEEDS[i].package),
                    TEXT_OF("apt-get install %s", NEEDS[i].package));
            good = false;
        }
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS - no_relay; i++)
        if (access(state_bin(s, OURS[i]).c, X_OK) != 0) {
            finding("daemon_missing", TEXT_OF("%s/%s がありません", s->bin, OURS[i]), TEXT_OF("%s/%s is missing", s->bin, OURS[i]),
                    TEXT_OF("パッケージを入れ直すか、ビルドするか、--bin で場所を指定"), TEXT_OF("install the package again, build it, or say where with --bin"));
            good = false;
        }
    return good;
}

static bool check_permissions(const struct state *s)
{
    static const char *const FOLDERS[] = { "keys", "certs", "run", "audit", "spool" };
    static const char *const KEYS[] = { "keys/vault.ring", "keys/vault.master", "keys/link.ring", "keys/link.master", "keys/signer.ring", "keys/signer.master", "keys/audit-sign.key",
                                        "keys/cap-ctl-audit", "keys/cap-ctl-vault", "keys/redis-vault.pass", "keys/redis-link-front.pass", "keys/redis-link-intake.pass" };
    bool good = doctor_closed(s->dir, false);
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++)
        good = doctor_closed(state_at(s, "%s", FOLDERS[i]).c, false) && good;
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        good = doctor_closed(state_at(s, "%s", KEYS[i]).c, true) && good;
    return good;
}

/* What helps with one that does not answer as it should. */
static void tell_process(const struct state *s, const struct health *h)
{
    const struct err_info *e = err_info(h->answer.code);
    if (!health_runs(h))
        finding("not_running", TEXT_OF("%s が動いていません", h->name), TEXT_OF("%s does not run", h->name), TEXT_OF("%s/log/%s.log の最後を読み、pmhgw up(または systemctl start)", s->dir, h->name),
                TEXT_OF("read the end of %s/log/%s.log, then pmhgw up (or systemctl start)", s->dir, h->name));
    else if (strncmp(h->name, "redis", 5) == 0)
        finding("redis_away", TEXT_OF("%s は動いているが応答しません: %s", h->name, e->title_ja), TEXT_OF("%s runs but does not answer: %s", h->name, e->title_en),
                TEXT_OF("止まっていないか(ps -o stat= -p %d が T)、ディスクが満杯でないかを見る。%s/log/%s.log", h->pid, s->dir, h->name),
                TEXT_OF("is it stopped (ps -o stat= -p %d says T), is the disk full? %s/log/%s.log", h->pid, s->dir, h->name));
    else
        finding(err_slug(h->answer.code), TEXT_OF("%s は動いているが: %s", h->name, e->title_ja), TEXT_OF("%s runs, but: %s", h->name, e->title_en),
                TEXT_OF("%s(%s/log/%s.log)", e->todo_ja, s->dir, h->name), TEXT_OF("%s (%s/log/%s.log)", e->todo_en, s->dir, h->name));
}

static bool check_processes(const struct state *s)
{
    struct health h[PROBE_PARTS];
    size_t n = health_read(s, h);
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        if (err_ok(h[i].answer) || conf_file_relay(s, h[i].name)) /* a relay is looked at by itself */
            continue;
        good = false;
        tell_process(s, &h[i]);
    }
    return good;
}

/* Ports only matter while nothing runs: then somebody else may sit on them. Those of the packages systemd holds. */
static bool check_ports(const struct state *s)
{
    unsigned base = state_base_port(s);
    bool good = true;
    for (unsigned p = PORT_MUNICIPAL; base && !state_pid(s, "up") && !state_of_packages(s) && p <= PORT_PORTAL; p++)
        if (!err_ok(probe_port_free(base + p))) {
            finding("port_taken", TEXT_OF("ポート %u を別のプログラムが使っています", base + p), TEXT_OF("port %u is taken by another program", base + p),
                    TEXT_OF("ss -ltnp 'sport = :%u' で探して止めるか、up --base-port を変える", base + p), TEXT_OF("find it with ss -ltnp 'sport = :%u' and stop it, or give up another --base-port", base + p));
            good = false;
        }
    return good;
}

static bool check_certificates(const struct state *s)
{
    const struct say_text again_ja = TEXT_OF("開発用 CA のものは消して pmhgw up。そうでなければ認証局の新しいものを置き、pmhgw reload"),
                          again_en = TEXT_OF("of the development CA: remove it and run pmhgw up; else put the authority's new one there and run pmhgw reload");
    DIR *d = opendir(state_at(s, "certs").c);
    bool good = d != NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        if (dot && strcmp(dot, ".pem") == 0 && strcmp(e->d_name, "crl.pem") != 0)
            good = doctor_certificate(state_at(s, "certs/%s", e->d_name).c, &again_ja, &again_en) && good;
    }
    if (d)
        closedir(d);
    return good;
}

/* Certificates and tokens are judged by it; the newest file of ours must not lie in the future. */
static bool check_clock(const struct state *s)
{
    struct clock c = clock_system();
    struct stat st;
    uint64_t now = clock_wall(&c) / 1000;
    ymd_t today = clock_date_jst(clock_wall(&c));
    const struct say_text next_ja = TEXT_OF("timedatectl で時刻同期(NTP)を直す。直るまで pmhgw reconcile は実行しない"),
                          next_en = TEXT_OF("put time synchronisation in order (timedatectl); run no pmhgw reconcile before");
    if (today < 20240101) {
        finding("clock_wrong", TEXT_OF("時計が正しくありません(%u)", today), TEXT_OF("the clock is wrong (%u)", today), next_ja, next_en);
        return false;
    }
    if (stat(state_at(s, "audit/head").c, &st) == 0 && (uint64_t)st.st_mtime > now + 60) {
        unsigned long long behind = (uint64_t)st.st_mtime - now;
        finding("clock_behind", TEXT_OF("監査記録が未来の時刻です。時計が %llu 秒遅れています", behind), TEXT_OF("the audit log is in the future; the clock is %llu s behind", behind), next_ja, next_en);
        return false;
    }
    return true;
}

static bool check_disk(const struct state *s)
{
    static const char *const PLACES[] = { "audit", "redis-vault", "redis-link", "spool", "log" };
    bool good = true;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        struct statvfs v;
        struct state_path p = state_at(s, "%s", PLACES[i]);
        unsigned long long mib = statvfs(p.c, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize >> 20 : 0;
        if (mib >= DISK_LOW_MIB || !file_exists(p.c)) /* what is missing is told under permissions */
            continue;
        finding("disk_low", TEXT_OF("%s の空きが %llu MiB しかありません。満杯になると何も受け付けません", p.c, mib), TEXT_OF("%s has only %llu MiB free; when it is full nothing is accepted", p.c, mib),
                TEXT_OF("df -h で場所を確かめ、ほかのファイルを移すかディスクを広げる。監査記録は消さない"), TEXT_OF("see df -h, move other files away or grow the disk; never delete from the audit log"));
        good = false;
    }
    return good;
}

/* Asked of the daemon, which has seen it grow; where it does not run, that is told elsewhere. */
static bool check_audit_disk(const struct state *s)
{
    struct audit_disk_status d;
    if (!err_ok(probe_audit_disk(s, &d)))
        return true;
    const unsigned long long mib = d.free_bytes >> 20;
    if (!d.writes)
        finding("audit_disk_refuses", TEXT_OF("監査記録を書けません(空き %llu MiB)。書けるようになるまで何も答えません", mib),
                TEXT_OF("the audit log cannot be written (%llu MiB free); nothing is answered until it can be", mib), TEXT_OF("空きを作る。書けるようになれば自動で続く"),
                TEXT_OF("make room; it goes on by itself as soon as it can be written"));
    else if (d.hours < AUDIT_DISK_LOW_HOURS)
        finding("audit_disk_soon_full", TEXT_OF("監査記録のディスクは、この一日の増え方ではあと %u 時間で満杯になります(空き %llu MiB)", d.hours, mib),
                TEXT_OF("the disk of the audit log will be full in %u h as the last day went (%llu MiB free)", d.hours, mib), TEXT_OF("それまでにディスクを広げる"), TEXT_OF("grow the disk before then"));
    return d.writes && d.hours >= AUDIT_DISK_LOW_HOURS;
}

static bool check_memlock(const struct state *s)
{
    struct rlimit r;
    (void)s;
    if (geteuid() == 0 || getrlimit(RLIMIT_MEMLOCK, &r) != 0 || r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= (rlim_t)MEMLOCK_LOW_KIB * 1024)
        return true;
    const unsigned long long kib = r.rlim_cur / 1024;
    finding("memlock_low", TEXT_OF("固定できるメモリーが %llu KiB です", kib), TEXT_OF("only %llu KiB may be locked", kib), TEXT_OF("ulimit -l 8192、または LimitMEMLOCK=8M"),
            TEXT_OF("ulimit -l 8192, or LimitMEMLOCK=8M"));
    return false;
}

static bool check_redis_conf(const struct state *s)
{
    static const char *const NAMES[] = { "redis-vault", "redis-link" };
    static const char *const LINES[] = { "\nappendonly yes", "\nappendfsync always", "\nno-appendfsync-on-rewrite no", "\nmaxmemory-policy noeviction" };
    bool good = true;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        struct buf b;
        struct state_path p = state_at(s, "conf/%s.conf", NAMES[i]);
        buf_init(&b, 64 * 1024);
        bool elsewhere = conf_file_relay(s, NAMES[i]), read = !elsewhere && err_ok(file_read(p.c, &b));
        for (size_t k = 0; !elsewhere && k < sizeof LINES / sizeof *LINES; k++)
            if (!read || !memmem(b.p, b.n, LINES[k], strlen(LINES[k]))) {
                finding("redis_settings", TEXT_OF("%s に「%s」がありません: 受け付けた登録を失うことがあります", p.c, LINES[k] + 1), TEXT_OF("%s lacks \"%s\": accepted rows could be lost", p.c, LINES[k] + 1),
                        TEXT_OF("その行を書き、その Redis を起動し直す"), TEXT_OF("write that line there and start that Redis again"));
                good = false;
            }
        buf_done(&b);
    }
    return good;
}

/* Of the largest number that this daemon's settings let there be. */
static bool is_nearly(uint64_t n, uint64_t most) { return most && n >= most - most / 5; }

static uint64_t most_of(const struct state *s, const char *name)
{
    struct conf conf = { 0 };
    const struct conf_file *f = conf_file_of(name);
    conf_file_as_unit(f);
    if (!err_ok(conf_load(&conf, f->who, conf_file_path(s, f).c)))
        return 0;
    const uint64_t most = f->who == CONF_F ? conf.outbox_max : conf.courier_dead_max;
    conf_free(&conf);
    return most;
}

static bool check_dead(const struct state *s, const struct letters_state *m)
{
    char age[32];
    const unsigned long long dead = m->lanes.dead;
    if (!dead)
        return true;
    progress_duration(m->oldest_dead_ms / 1000, age);
    finding("messages_dead", TEXT_OF("届かなかった知らせが %llu 件あります(最も古いもの %s)", dead, age), TEXT_OF("%llu messages to partners were not delivered (the oldest for %s)", dead, age),
            TEXT_OF("pmhgw notices list で理由を見て、直ったら pmhgw notices replay"), TEXT_OF("pmhgw notices list tells why; once mended, pmhgw notices replay"));
    if (is_nearly(dead, most_of(s, "courier")))
        finding("messages_dead_full", TEXT_OF("届かなかった知らせがまもなく上限(courier_dead_max)に達し、以後は送信待ちに残ります"),
                TEXT_OF("that is nearly as many as are kept (courier_dead_max); more will wait in the outbox"), TEXT_OF("要らないものは pmhgw notices drop"), TEXT_OF("pmhgw notices drop what nobody needs"));
    return false;
}

/* Asked with little patience before what would wait long for it. */
static bool link_answers(const struct state *s) { return err_ok(probe_part(PROBE_REDIS_LINK)->ask(s)); }

/* A store that cannot be asked is told by other checks. */
static bool check_letters(const struct state *s)
{
    struct letters_state m;
    if (!link_answers(s) || !err_ok(letters_state_read(s, &m)))
        return true;
    bool good = check_dead(s, &m);
    const unsigned long long behind = m.lanes.behind_ms / 1000, lanes = m.lanes.lanes;
    if (m.lanes.behind_ms > BEHIND_LONG_MS) {
        finding("messages_late", TEXT_OF("送るべき時刻を %llu 秒過ぎた知らせがあります", behind), TEXT_OF("messages have been due for %llu s and nobody takes them", behind),
                TEXT_OF("pmhgw-courier が動いているか、%s/log/pmhgw-courier.log を見る", s->dir), TEXT_OF("does pmhgw-courier run? see %s/log/pmhgw-courier.log", s->dir));
        good = false;
    }
    if (is_nearly(lanes, most_of(s, "front"))) {
        finding("outbox_nearly_full", TEXT_OF("送信待ちの知らせが %llu 件で、上限(outbox_max)に近づいています。達すると予防接種の記録を断ります", lanes),
                TEXT_OF("%llu recipients wait for messages, nearly outbox_max: at that, records of vaccinations are refused", lanes), TEXT_OF("pmhgw notices list で止まっている相手を探す"),
                TEXT_OF("find who does not take them: pmhgw notices list"));
        good = false;
    }
    return good;
}

static bool check_vrs(const struct state *s)
{
    struct vrs_marks m;
    if (!link_answers(s) || !err_ok(vrs_marks_read(s, &m)) || m.not_taken == 0)
        return true;
    const unsigned long long n = m.not_taken;
    finding("vrs_not_taken", TEXT_OF("VRSが受け付けなかった登録が %llu 件あります", n), TEXT_OF("%llu registrations were not taken by VRS", n), TEXT_OF("pmhgw vrs list で理由を見て、直ったら pmhgw vrs replay"),
            TEXT_OF("pmhgw vrs list tells why; once mended, pmhgw vrs replay"));
    return false;
}

static const struct { const char *ja, *en; check_fn *fn; } CHECKS[] = {
    { "プログラム", "programs", check_programs },
    { "権限", "permissions", check_permissions },
    { "動作中のもの", "what runs", check_processes },
    { "ポート", "ports", check_ports },
    { "証明書の期限", "certificates", check_certificates },
    { "失効リスト", "lists of revoked certificates", doctor_lists },
    { "時計", "clock", check_clock },
    { "ディスクの空き", "disk space", check_disk },
    { "監査記録のディスク", "disk of the audit log", check_audit_disk },
    { "固定メモリー", "locked memory", check_memlock },
    { "Redis の設定", "Redis configuration", check_redis_conf },
    { "別の場所にある Redis への中継", "relays to a Redis elsewhere", doctor_relay },
    { "機関への知らせ", "messages to partners", check_letters },
    { "VRSへの登録", "what VRS is told", check_vrs },
};

int cmd_doctor(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    enum opts_end end = CLI_PARSE(argc, argv, "doctor", &operands, { "--state", &dirs.state }, { "--bin", &dirs.bin });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!err_ok(web_setup()) || !state_open(&s, &dirs, false))
        return 2;
    bool good = true;
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++) {
        bool fine = CHECKS[i].fn(&s);
        good = good && fine;
        out_append("checks", json_pack("{s:s, s:s, s:b}", "ja", CHECKS[i].ja, "en", CHECKS[i].en, "good", fine));
        if (fine)
            say_done(CHECKS[i].ja, CHECKS[i].en);
        else
            say_cross(CHECKS[i].ja, CHECKS[i].en);
    }
    out_put_bool("good", good);
    return good ? 0 : 1;
}
