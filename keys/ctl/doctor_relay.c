#include "keys/ctl/doctor_relay.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/relay/settings.h"
#include "gateway/tls/ends.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/doctor_files.h"
#include "keys/ctl/finding.h"
#include "keys/ctl/probe.h"

enum { REACH_MS = 1000, LIST_MAX = 256 };

struct look {
    const struct state *state;
    const struct conf_file *file;
    struct state_path path;
    struct conf conf;
    struct relay_settings settings;
};

static struct say_text again_ja(const struct look *l) { return say_form("中継を起動し直す(systemctl restart pmhgw-%s。pmhgw up では pmhgw upgrade %s)", l->file->unit, l->file->store); }

static struct say_text again_en(const struct look *l) { return say_form("start the relay again (systemctl restart pmhgw-%s; under pmhgw up: pmhgw upgrade %s)", l->file->unit, l->file->store); }

/* ---- settings ---- */

static void settings_wrong(const struct look *l, const char *ja, const char *en)
{
    finding("relay_settings", say_form("%s への中継の設定に誤りがあります: %s", l->file->store, ja), say_form("the settings of the relay to %s are wrong: %s", l->file->store, en),
            say_form("そこを直し(docs/redis.md)、pmhgw config check で確かめ、%s", again_ja(l).c), say_form("mend that (docs/redis.md), see pmhgw config check, then %s", again_en(l).c));
}

static bool settings_load(struct look *l)
{
    struct buf line;
    buf_init(&line, CONF_LINE_MAX);
    conf_file_as_unit(l->file);
    const bool good = err_ok(conf_read(&l->conf, l->file->who, l->path.c, &line));
    const char *text = good ? NULL : buf_cstr(&line);
    if (!good)
        settings_wrong(l, text && *text ? text : l->path.c, text && *text ? text : l->path.c);
    buf_done(&line);
    return good;
}

/* What the relay itself would refuse. */
static bool settings_judge(struct look *l)
{
    struct relay_fault bad = { 0 };
    if (err_ok(relay_settings_read(&l->conf, &l->settings, &bad)))
        return true;
    const char *name = bad.setting ? bad.setting : "";
    const struct conf_spot at = conf_find(l->file->who, l->path.c, name);
    settings_wrong(l, say_form("%s:%u:%u: %s: %s", l->path.c, at.line, at.column, name, bad.ja ? bad.ja : "").c, say_form("%s:%u:%u: %s: %s", l->path.c, at.line, at.column, name, bad.en ? bad.en : "").c);
    return false;
}

/* ---- files ---- */

/* What systemd hands over is closed by systemd, by other means than rights. */
static bool is_handed(const char *path)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    return dir && strncmp(path, dir, strlen(dir)) == 0;
}

static void say_end(const struct look *l, const char *setting, const char *path)
{
    int64_t end;
    char text[25] = { 0 };
    if (!err_ok(ends_read(path, &end)))
        return;
    clock_format_utc((uint64_t)end * 1000, text);
    say("    %s: %s(%s)は %.10s まで", "    %s: %s (%s) ends %.10s", l->file->store, setting, path, text);
}

static bool files_judge(const struct look *l)
{
    const char *const secrets[] = { l->conf.relay_pass_file, l->conf.relay_sentinel_pass_file, l->conf.relay_key }, *const certs[] = { l->conf.relay_cert, l->conf.relay_ca }, *const settings[] = { "relay_cert", "relay_ca" };
    const struct say_text next_ja = say_form("認証局の新しいものを置き、%s", again_ja(l).c), next_en = say_form("put the authority's new one there, then %s", again_en(l).c);
    bool good = true;
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        if (secrets[i][0] && file_exists(secrets[i]) && !is_handed(secrets[i])) /* what is missing has been told as a wrong setting */
            good = doctor_closed(secrets[i], true) && good;
    for (size_t i = 0; i < sizeof certs / sizeof *certs && l->settings.place.tls; i++) {
        say_end(l, settings[i], certs[i]);
        good = doctor_certificate(certs[i], &next_ja, &next_en) && good;
    }
    return good;
}

/* ---- the master ---- */

/* Those that do not take a connection, one after the other with a comma between; how many they are. */
static size_t unreached(const struct place *p, char out[static LIST_MAX])
{
    struct pollfd at[PLACE_ASKED_MAX];
    size_t n = 0, used = 0;
    int patience = REACH_MS;
    for (size_t i = 0; i < p->n; i++) {
        struct sockaddr_storage to;
        at[i] = (struct pollfd){ .fd = place_sockaddr(&p->at[i], &to) ? socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1, .events = POLLOUT };
        if (at[i].fd >= 0 && connect(at[i].fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
            at[i].revents = POLLERR;
    }
    for (size_t i = 0; i < p->n; i++) {
        const int ready = at[i].fd < 0 || at[i].revents ? -1 : poll(&at[i], 1, patience);
        const bool there = ready == 1 && !(at[i].revents & (POLLERR | POLLHUP));
        patience = ready == 0 ? 0 : patience; /* meanwhile the others have had as long */
        if (at[i].fd >= 0)
            close(at[i].fd);
        if (there)
            continue;
        const int more = snprintf(out + used, LIST_MAX - used, "%s%s:%u", n++ ? ", " : "", p->at[i].ip, p->at[i].port);
        used += more > 0 && (size_t)more < LIST_MAX - used ? (size_t)more : 0;
    }
    return n;
}

static void tell_no_master(const struct look *l)
{
    static const struct { const char *ja, *en, *why_ja, *why_en; } ASKED[] = {
        [PLACE_ONE] = { "サーバー", "server", "サーバーが、中継の証明書か利用者(relay_user)を断るか、複製側です", "the server refuses the certificate or the user (relay_user) of the relay, or is a replica" },
        [PLACE_SENTINEL] = { "Sentinel", "Sentinels", "Sentinel の過半数が同じ主サーバーを示していないか、その主サーバーが中継を断ります", "not more than half of the Sentinels name the same master, or that refuses the relay" },
        [PLACE_CLUSTER] = { "ノード", "nodes", "ノードの過半数が同じ主サーバーを示していないか、その主サーバーが中継を断ります", "not more than half of the nodes name the same master, or that refuses the relay" },
    };
    const struct place *p = &l->settings.place;
    const char *store = l->file->store;
    char list[LIST_MAX] = "";
    const size_t n = unreached(p, list);
    const struct say_text next_ja = say_form("%s/log/%s.log(または journalctl -u pmhgw-%s)の relay_no_master、relay_server_refused、relay_needs_tls を見る。回線、ファイアウォール、ユニットの IPAddressAllow=、証明書を確かめる(docs/redis.md)", l->state->dir, store, l->file->unit),
                          next_en = say_form("see relay_no_master, relay_server_refused and relay_needs_tls in %s/log/%s.log (or journalctl -u pmhgw-%s); look at the line, firewalls, IPAddressAllow= of the unit, certificates (docs/redis.md)", l->state->dir, store, l->file->unit);
    if (n)
        finding("relay_no_master", say_form("%s への中継は動いていますが、つなぐ主サーバーがありません。%s %zu のうち %zu に接続できません: %s", store, ASKED[p->kind].ja, p->n, n, list),
                say_form("the relay to %s runs and has no master to pass to; %s: %zu of %zu cannot be reached: %s", store, ASKED[p->kind].en, n, p->n, list), next_ja, next_en);
    else
        finding("relay_no_master", say_form("%s への中継は動いていますが、つなぐ主サーバーがありません。%s", store, ASKED[p->kind].why_ja),
                say_form("the relay to %s runs and has no master to pass to: %s", store, ASKED[p->kind].why_en), next_ja, next_en);
}

static void tell_away(const struct look *l)
{
    const char *store = l->file->store;
    finding("relay_not_running", say_form("%s への中継(pmhgw-relay)が動いていません", store), say_form("the relay to %s (pmhgw-relay) does not run", store),
            say_form("%s/log/%s.log(または journalctl -u pmhgw-%s)の最後を読み、pmhgw up(または systemctl start)", l->state->dir, store, l->file->unit),
            say_form("read the end of %s/log/%s.log (or journalctl -u pmhgw-%s), then pmhgw up (or systemctl start)", l->state->dir, store, l->file->unit));
}

static void tell_silent(const struct look *l)
{
    finding("relay_silent", say_form("%s への中継は接続を受けますが、応答がありません", l->file->store), say_form("the relay to %s takes connections, and nothing answers", l->file->store),
            say_form("中継のプロセスが止まっていないか(ps の stat が T)、主サーバーが止まっていないか、そのディスクが満杯でないかを見る"), say_form("is the process of the relay stopped (stat of ps says T), is the master, is the master's disk full?"));
}

static void tell_login(const struct look *l)
{
    finding("relay_login_refused", say_form("別の場所にある %s が、デーモンの利用者かパスワードを受け付けません", l->file->store), say_form("the %s that is elsewhere does not take the daemons' user or password", l->file->store),
            say_form("config/redis/users が conf/%s.conf から作る利用者を、すべてのサーバーに置く(docs/redis.md)", l->file->store),
            say_form("put the users that config/redis/users makes of conf/%s.conf on every server (docs/redis.md)", l->file->store));
}

static bool master_judge(const struct look *l)
{
    static const struct { enum err_code code; void (*tell)(const struct look *l); } TELL[] = {
        { E_UPSTREAM_DOWN, tell_away }, { E_STORE_DOWN, tell_no_master }, { E_STORE_SILENT, tell_silent }, { E_FORBIDDEN, tell_login },
    };
    const struct err e = probe_store_said(l->state, l->file == conf_file(FILE_RELAY_VAULT) ? PROBE_REDIS_VAULT : PROBE_REDIS_LINK);
    for (size_t i = 0; i < sizeof TELL / sizeof *TELL; i++)
        if (err_is(e, TELL[i].code)) {
            TELL[i].tell(l);
            return false;
        }
    const struct err_info *info = err_info(e.code);
    if (err_ok(e))
        say("    %s: 中継の先の主サーバーが応答しています", "    %s: the master behind the relay answers", l->file->store);
    else
        finding(err_slug(e.code), say_form("%s: %s", l->file->store, info->title_ja), say_form("%s: %s", l->file->store, info->title_en), say_form("%s", info->todo_ja), say_form("%s", info->todo_en));
    return err_ok(e);
}

/* ---- */

static bool judge(struct look *l)
{
    if (!settings_load(l))
        return false;
    const bool starts = settings_judge(l);
    bool good = files_judge(l) && starts;
    if (starts)
        good = master_judge(l) && good;
    relay_settings_done(&l->settings);
    conf_free(&l->conf);
    return good;
}

bool doctor_relay(const struct state *s)
{
    bool good = true;
    for (size_t i = 0; i < CONF_FILES_N; i++) {
        struct look l = { .state = s, .file = conf_file(i) };
        l.path = conf_file_path(s, l.file);
        if (l.file->store && file_exists(l.path.c))
            good = judge(&l) && good;
    }
    return good;
}
