/* pmhgw doctor: looks at everything that is known to go wrong, and names the cause. */

#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
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
#include "keys/ctl/doctor_lists.h"
#include "keys/ctl/health.h"
#include "keys/ctl/letters.h"
#include "keys/ctl/opts.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/say.h"
#include "keys/ctl/vrs_marks.h"
#include "keys/ctl/web.h"

enum { DAYS_SOON = 30, DISK_LOW_MIB = 512, MEMLOCK_LOW_KIB = 8 * 1024, BEHIND_LONG_MS = 60 * 1000 };

/* Counted as wrong when false; warnings are told but do not count. */
typedef bool check_fn(const struct state *s);

static bool check_programs(const struct state *s)
{
    static const struct { const char *path, *package; } NEEDS[] = { { "/usr/bin/redis-server", "redis-server" }, { "/usr/bin/openssl", "openssl" } };
    static const char *const OURS[] = { "pmhgw-vault", "pmhgw-audit", "pmhgw-signer", "pmhgw-intake", "pmhgw-front", "pmhgw-courier" };
    bool good = true;
    for (size_t i = 0; i < sizeof NEEDS / sizeof *NEEDS; i++)
        if (access(NEEDS[i].path, X_OK) != 0) {
            say_warn("%s がありません: apt-get install %s", "%s is missing: apt-get install %s", NEEDS[i].path, NEEDS[i].package);
            good = false;
        }
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS; i++)
        if (access(state_bin(s, OURS[i]).c, X_OK) != 0) {
            say_warn("%s/%s がありません: ビルドするか --bin を指定", "%s/%s is missing: build it or give --bin", s->bin, OURS[i]);
            good = false;
        }
    return good;
}

static bool check_mode(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        say_warn("%s がありません: pmhgw up を実行", "%s is missing: run pmhgw up", path);
        return false;
    }
    if ((st.st_mode & 077) == 0 && (st.st_uid == geteuid() || geteuid() == 0))
        return true;
    say_warn("%s を他の利用者が読めます: chmod go= %s", "%s is open to other users: chmod go= %s", path, path);
    return false;
}

static bool check_permissions(const struct state *s)
{
    static const char *const PLACES[] = { "keys", "certs", "run", "audit", "spool", "keys/vault.master", "keys/link.master", "keys/cap-ctl-audit" };
    bool good = check_mode(s->dir);
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++)
        good = check_mode(state_at(s, "%s", PLACES[i]).c) && good;
    return good;
}

static bool check_processes(const struct state *s)
{
    struct health h[PROBE_PARTS];
    size_t n = health_read(s, h);
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        const struct err_info *e = err_info(h[i].answer.code);
        if (h[i].pid && err_ok(h[i].answer))
            continue;
        good = false;
        if (!h[i].pid)
            say_warn("%s が動いていません: pmhgw up、ログは %s/log", "%s does not run: pmhgw up; its log is in %s/log", h[i].name, s->dir);
        else
            say_warn("%s は動いているが: %s(%s/log)", "%s runs, but: %s (%s/log)", h[i].name, say_text(e->title_ja, e->title_en).c, s->dir);
    }
    return good;
}

/* Ports only matter while nothing runs: then somebody else may sit on them. */
static bool check_ports(const struct state *s)
{
    unsigned base = state_base_port(s);
    bool good = true;
    for (unsigned p = PORT_MUNICIPAL; base && !state_pid(s, "up") && p <= PORT_PORTAL; p++)
        if (!err_ok(probe_port_free(base + p))) {
            say_warn("ポート %u を別のプログラムが使っています: ss -ltnp 'sport = :%u'", "port %u is taken by another program: ss -ltnp 'sport = :%u'",
                     base + p, base + p);
            good = false;
        }
    return good;
}

static bool check_certificate(const char *path)
{
    FILE *f = fopen(path, "re");
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    int days = 0, seconds = 0;
    bool good = x && ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)) == 1;
    if (f)
        fclose(f);
    X509_free(x);
    if (!good)
        say_warn("証明書を読めません: %s", "the certificate cannot be read: %s", path);
    else if (days < 0 || seconds < 0)
        say_warn("期限切れの証明書: %s(消して pmhgw up)", "expired certificate: %s (remove it and run pmhgw up)", path);
    else if (days < DAYS_SOON)
        say_warn("証明書はあと %d 日: %s", "%d days left: %s", days, path);
    return good && days >= 0 && seconds >= 0;
}

static bool check_certificates(const struct state *s)
{
    DIR *d = opendir(state_at(s, "certs").c);
    bool good = d != NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        if (dot && strcmp(dot, ".pem") == 0 && strcmp(e->d_name, "crl.pem") != 0)
            good = check_certificate(state_at(s, "certs/%s", e->d_name).c) && good;
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
    if (today < 20240101) {
        say_warn("時計が正しくありません(%u)", "the clock is wrong (%u)", today);
        return false;
    }
    if (stat(state_at(s, "audit/head").c, &st) == 0 && (uint64_t)st.st_mtime > now + 60) {
        say_warn("監査記録が未来の時刻です。時計が %llu 秒遅れています", "the audit log is in the future; the clock is %llu s behind",
                 (unsigned long long)((uint64_t)st.st_mtime - now));
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
        uint64_t mib = statvfs(p.c, &v) == 0 ? (uint64_t)v.f_bavail * v.f_frsize >> 20 : 0;
        if (mib >= DISK_LOW_MIB || !file_exists(p.c)) /* what is missing is told under permissions */
            continue;
        say_warn("%s の空きが %llu MiB しかありません。満杯になると何も受け付けません", "%s has only %llu MiB free; when it is full nothing is accepted", p.c,
                 (unsigned long long)mib);
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
    if (!d.writes)
        say_warn("監査記録を書けません(空き %llu MiB)。書けるようになるまで何も答えません", "the audit log cannot be written (%llu MiB free); nothing is answered until it can be",
                 (unsigned long long)d.free_bytes >> 20);
    else if (d.hours < AUDIT_DISK_LOW_HOURS)
        say_warn("監査記録のディスクは、この一日の増え方ではあと %u 時間で満杯になります(空き %llu MiB)", "the disk of the audit log will be full in %u h as the last day went (%llu MiB free)", d.hours,
                 (unsigned long long)d.free_bytes >> 20);
    return d.writes && d.hours >= AUDIT_DISK_LOW_HOURS;
}

static bool check_memlock(const struct state *s)
{
    struct rlimit r;
    (void)s;
    if (geteuid() == 0 || getrlimit(RLIMIT_MEMLOCK, &r) != 0 || r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= (rlim_t)MEMLOCK_LOW_KIB * 1024)
        return true;
    say_warn("固定できるメモリーが %llu KiB です(8192 以上に: ulimit -l、LimitMEMLOCK)", "only %llu KiB may be locked (ulimit -l or LimitMEMLOCK to 8192 or more)",
             (unsigned long long)r.rlim_cur / 1024);
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
        bool read = err_ok(file_read(p.c, &b));
        for (size_t k = 0; k < sizeof LINES / sizeof *LINES; k++)
            if (!read || !memmem(b.p, b.n, LINES[k], strlen(LINES[k]))) {
                say_warn("%s に「%s」がありません: 受け付けた登録を失うことがあります", "%s lacks \"%s\": accepted rows could be lost", p.c, LINES[k] + 1);
                good = false;
            }
        buf_done(&b);
    }
    return good;
}

/* Of the largest number that this daemon's settings let there be. */
static bool is_nearly(uint64_t n, uint64_t most) { return most && n >= most - most / 5; }

static uint64_t most_of(const struct state *s, enum conf_daemon who, const char *file)
{
    struct conf conf = { 0 };
    if (!err_ok(conf_load(&conf, who, state_at(s, "conf/%s", file).c)))
        return 0;
    const uint64_t most = who == CONF_F ? conf.outbox_max : conf.courier_dead_max;
    conf_free(&conf);
    return most;
}

static bool check_dead(const struct state *s, const struct letters_state *m)
{
    char age[32];
    if (!m->lanes.dead)
        return true;
    progress_duration(m->oldest_dead_ms / 1000, age);
    say_warn("届かなかった知らせが %llu 件あります(最も古いもの %s): pmhgw notices list", "%llu messages to partners were not delivered (the oldest for %s): pmhgw notices list",
             (unsigned long long)m->lanes.dead, age);
    if (is_nearly(m->lanes.dead, most_of(s, CONF_C, "courier.yaml")))
        say_warn("まもなく上限(courier_dead_max)に達し、以後は送信待ちに残ります", "that is nearly as many as are kept (courier_dead_max); more will wait in the outbox");
    return false;
}

/* A store that cannot be asked is told by other checks. */
static bool check_letters(const struct state *s)
{
    struct letters_state m;
    if (!err_ok(letters_state_read(s, &m)))
        return true;
    bool good = check_dead(s, &m);
    if (m.lanes.behind_ms > BEHIND_LONG_MS) {
        say_warn("送るべき時刻を %llu 秒過ぎた知らせがあります: pmhgw-courier を確認してください", "messages have been due for %llu s and nobody takes them: look at pmhgw-courier",
                 (unsigned long long)(m.lanes.behind_ms / 1000));
        good = false;
    }
    if (is_nearly(m.lanes.lanes, most_of(s, CONF_F, "front.yaml"))) {
        say_warn("送信待ちの知らせが %llu 件で、上限(outbox_max)に近づいています。達すると予防接種の記録を断ります", "%llu recipients wait for messages, nearly outbox_max: at that, records of vaccinations are refused",
                 (unsigned long long)m.lanes.lanes);
        good = false;
    }
    return good;
}

static bool check_vrs(const struct state *s)
{
    struct vrs_marks m;
    if (!err_ok(vrs_marks_read(s, &m)) || m.not_taken == 0)
        return true;
    say_warn("VRSが受け付けなかった登録が %llu 件あります: pmhgw vrs list", "%llu registrations were not taken by VRS: pmhgw vrs list", (unsigned long long)m.not_taken);
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
    { "機関への知らせ", "messages to partners", check_letters },
    { "VRSへの登録", "what VRS is told", check_vrs },
};

int cmd_doctor(int argc, char **argv)
{
    static const struct usage USAGE = { "doctor", "", "Checks everything that is known to go wrong on this machine, and names the cause.\nExit 0: nothing found, 1: something is wrong.", 0, 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    struct state s;
    const struct opt table[] = {
        { "--state", OPT_TEXT, &dirs.state, "DIR", "state directory (PMHGW_STATE, else .state)", 0, 0 },
        { "--bin", OPT_TEXT, &dirs.bin, "DIR", "where the daemons are (beside this program)", 0, 0 },
    };
    enum opts_end end = opts_parse(argc, argv, &USAGE, table, sizeof table / sizeof *table, &operands);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!err_ok(web_setup()) || !state_open(&s, &dirs, false))
        return 2;
    bool good = true;
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++) {
        bool fine = CHECKS[i].fn(&s);
        good = good && fine;
        if (fine)
            say_done(CHECKS[i].ja, CHECKS[i].en);
        else
            fprintf(stderr, "  ✗ %s\n", say_text(CHECKS[i].ja, CHECKS[i].en).c);
    }
    return good ? 0 : 1;
}
