/* pmhgw init: certificates, keys and a configuration for real use in one go, and what to hand over to whom. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/base/wipe.h"
#include "keys/ctl/certs_crl.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/out.h"
#include "keys/ctl/papers.h"
#include "keys/ctl/say.h"
#include "keys/ctl/setup.h"

enum { ALT_MAX = 1024, CODE_CLINIC = 10, CODE_MUNI = 6, NAME_CHARS = 32, FILE_TEXT_MAX = 4096 };

struct init {
    struct state_dirs dirs;
    struct opt_list hosts, munis;
    const char *owner, *system, *out, *ca, *door;
    bool csr, p12;
    uint64_t base_port, workers, days;
};

/* ---- words ---- */

static bool lower_word(const char *s)
{
    size_t n = strlen(s);
    return n && n <= NAME_CHARS && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static bool host_ok(const char *s) { return *s && strlen(s) < 200 && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:")] == '\0'; }
static bool is_address(const char *s) { return strchr(s, ':') || s[strspn(s, "0123456789.")] == '\0'; }
static bool digits(const char *s, size_t n) { return strlen(s) == n && all_digits(slice_str(s)); }

static void hand(const char *file, const char *to_ja, const char *to_en)
{
    out_append("hand_over", json_pack("{s:s, s:s, s:s}", "file", file, "to_ja", to_ja, "to_en", to_en));
    say_plain(say_form("%s → %s", file, to_ja).c, say_form("%s → %s", file, to_en).c);
}

static bool failed(const char *what, struct err e)
{
    if (err_is(e, E_CONFLICT))
        say_error("%s は既にあります。上書きしません", "%s is there already; nothing is written over", what);
    else if (!err_ok(e))
        say_err("作れません", "it cannot be made", e);
    return !err_ok(e);
}

/* ---- gateway ---- */

/* This machine always: the operator's own commands ask there. */
static bool hosts_alt(const struct init *o, char out[static ALT_MAX])
{
    size_t n = (size_t)snprintf(out, ALT_MAX, "IP:127.0.0.1,DNS:localhost");
    for (size_t i = 0; i < o->hosts.n; i++) {
        if (!host_ok(o->hosts.v[i])) {
            say_error("--host はホスト名か IP アドレスです", "--host takes the name of a host or an IP address");
            return false;
        }
        n += (size_t)snprintf(out + n, ALT_MAX - n, ",%s:%s", is_address(o->hosts.v[i]) ? "IP" : "DNS", o->hosts.v[i]);
        if (n >= ALT_MAX) {
            say_error("--host が多すぎます", "too many of --host");
            return false;
        }
    }
    return true;
}

static ERR paper(const struct init *o, const struct papers *p, const char *dir, const struct paper *what) { return o->csr ? papers_request(dir, what) : papers_sign(p, dir, what); }

static ERR gateway_papers(const struct init *o, const struct papers *p, const char *dir, const char *alt)
{
    const struct paper all[] = {
        { "doors", o->owner, PAPER_SERVER, alt }, { "gateway-intake", o->owner, PAPER_CLIENT, "URI:pmhgw:gateway/intake" }, { "gateway-courier", o->owner, PAPER_CLIENT, "URI:pmhgw:gateway/courier" },
        { "operator-local", o->owner, PAPER_CLIENT, "URI:pmhgw:operator/local" }, { "receipts", o->owner, PAPER_SIGNER, "DNS:receipts.pmhgw.invalid" },
        { "statements", o->owner, PAPER_SIGNER, "DNS:statements.pmhgw.invalid" }, { "card-attributes", o->owner, PAPER_SIGNER, "DNS:card-attributes.pmhgw.invalid" },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        TRY(paper(o, p, dir, &all[i]));
    for (size_t i = 0; i < o->munis.n; i++) {
        char name[32], uri[96];
        snprintf(name, sizeof name, "muni-%s", o->munis.v[i]);
        snprintf(uri, sizeof uri, "URI:pmhgw:municipality/%s/kodomo", o->munis.v[i]);
        TRY(paper(o, p, dir, &(struct paper){ name, NULL, PAPER_CLIENT, uri }));
    }
    return OK;
}

static bool folder_empty(const char *dir)
{
    DIR *d = opendir(dir);
    bool empty = d != NULL;
    for (struct dirent *x; d && (x = readdir(d));)
        empty = empty && x->d_name[0] == '.' && (x->d_name[1] == '\0' || strcmp(x->d_name, "..") == 0);
    if (d)
        closedir(d);
    return empty;
}

static ERR base_port_write(const struct state *s, unsigned port)
{
    struct say_text t = say_form("%u\n", port);
    return file_write(state_at(s, "run/base-port").c, slice_str(t.c));
}

static ERR gateway_make(const struct init *o, const struct state *s, const char *alt)
{
    const struct setup_conf conf = { (unsigned)o->base_port, (unsigned)o->workers, o->munis.v, o->munis.n };
    const struct state_path certs = state_at(s, "certs");
    struct papers p = { .days = (unsigned)o->days };
    TRY(file_write(state_at(s, SETUP_OWN_MARK).c, LIT("Certificates here are of pmhgw init or of another CA: pmhgw up makes none.\n")));
    struct err e = o->csr ? OK : papers_new_ca(&p, certs.c, o->owner, (unsigned)o->days);
    if (err_ok(e))
        e = gateway_papers(o, &p, certs.c, alt);
    papers_done(&p);
    TRY(e);
    TRY(o->csr ? OK : setup_crl(s, &conf));
    TRY(setup_keys(s, &conf));
    TRY(setup_conf_files(s, &conf));
    return base_port_write(s, (unsigned)o->base_port);
}

static void gateway_told(const struct init *o, const struct state *s)
{
    say_ok("%s を作りました", "made %s", s->dir);
    out_put_text("state", s->dir);
    if (o->csr) {
        hand("certs/*.csr", "認証局(署名したものを同じ名前の .pem として certs に置く)", "the certificate authority; what it signs goes beside it under the same name with .pem");
        hand("certs/vds-signer.pub", "国の認証局(VDS-NC の署名者の証明書。要らなければ設定 vds_signer_cert を空に)", "the country's CA, for a signer of VDS-NC (or empty the setting vds_signer_cert)");
        say_plain("  認証局の証明書を certs/ca.pem に、失効リストを certs/crl.pem に置いてください", "  put the authority's certificate into certs/ca.pem, and its list of revoked certificates into certs/crl.pem");
    } else {
        hand("certs/ca.pem", "接続するすべての相手(窓口を信頼するため)", "everybody who connects, to trust the doors");
        hand("certs/ca.key", "誰にも渡さない。署名のとき以外はこの機械の外に保管", "nobody; keep it away from this machine but for signing");
    }
    for (size_t i = 0; i < o->munis.n; i++)
        hand(say_form("certs/muni-%s.%s", o->munis.v[i], o->csr ? "csr" : "{pem,key}").c, o->csr ? "認証局" : "その自治体のシステム(鍵は安全な経路で)", o->csr ? "the authority" : "that municipality's system (the key by a safe way)");
    if (o->hosts.n)
        say_plain("  外から接続させるには conf/front.yaml と conf/intake.yaml の 1 行目を消し、door_host をその機械のアドレスにしてください",
                  "  to let others in, remove the first line of conf/front.yaml and conf/intake.yaml and set door_host to the machine's address");
    hand("keys/audit.pub", "自治体・監査人(監査記録の検証鍵)", "municipalities and auditors, to verify the audit log");
    hand("keys/", "誰にも渡さない。pmhgw backup --with-keys で別に保管", "nobody; keep a sealed copy elsewhere (pmhgw backup --with-keys)");
    say_command("起動する", "to start", say_form("up --state %s --base-port %llu", s->dir, (unsigned long long)o->base_port));
}

static int init_gateway(const struct init *o)
{
    struct state s;
    char alt[ALT_MAX];
    if (!hosts_alt(o, alt))
        return 2;
    for (size_t i = 0; i < o->munis.n; i++)
        if (!digits(o->munis.v[i], CODE_MUNI)) {
            say_error("--muni は 6 桁の自治体コードです", "--muni takes a municipality code of 6 digits");
            return 2;
        }
    umask(077);
    if (!state_open(&s, &o->dirs, true))
        return 2;
    if (!folder_empty(s.dir)) {
        say_error("%s は空ではありません。上書きしません", "%s is not empty; nothing is written over", s.dir);
        return 2;
    }
    if (!state_make_dirs(&s) || failed(s.dir, gateway_make(o, &s, alt)))
        return 2;
    gateway_told(o, &s);
    return 0;
}

/* ---- who connects ---- */

static ERR config_write(const struct init *o, const char *name, const char *identity)
{
    struct state_path path;
    json_t *v = json_pack("{s:s, s:s, s:s, s:s}", "identity", identity, "certificate", say_form("%s.pem", name).c, "key", say_form("%s.key", name).c, "ca", "ca.pem");
    if (o->door)
        json_object_set_new(v, "door", json_string(o->door));
    char *text = json_dumps(v, JSON_INDENT(2));
    json_decref(v);
    struct err e = text && snprintf(path.c, sizeof path.c, "%s/%s.json", o->out, name) < (int)sizeof path.c ? file_write(path.c, slice_str(text)) : FAIL(E_NOMEM);
    free(text);
    return e;
}

static ERR ca_copy(const struct init *o)
{
    struct buf b;
    struct state_path from, to;
    if (snprintf(from.c, sizeof from.c, "%s/ca.pem", o->ca) >= (int)sizeof from.c || snprintf(to.c, sizeof to.c, "%s/ca.pem", o->out) >= (int)sizeof to.c)
        return FAIL(E_CONFIG);
    buf_init(&b, 64 * 1024);
    struct err e = file_read(from.c, &b);
    if (err_ok(e))
        e = file_write(to.c, buf_slice(&b));
    buf_done(&b);
    return e;
}

static void party_told(const struct init *o, const char *name, const char *whom_ja, const char *whom_en, const char *password)
{
    out_put_text("folder", o->out);
    say_ok("%s に作りました", "made in %s", o->out);
    if (o->csr) {
        hand(say_form("%s.csr", name).c, "認証局。署名した証明書を同じ場所に .pem として置く", "the certificate authority; what it signs goes beside it as .pem");
        hand(say_form("%s.key", name).c, "誰にも渡さない", "nobody");
        return;
    }
    hand(say_form("%s.pem, %s.json, ca.pem", name, name).c, whom_ja, whom_en);
    hand(say_form("%s.key", name).c, say_form("%s(安全な経路で。渡した後は消す)", whom_ja).c, say_form("%s, by a safe way; remove it here afterwards", whom_en).c);
    if (!password)
        return;
    hand(say_form("%s.p12", name).c, "ブラウザー(パスワードは別の経路で)", "a browser (the password by another way)");
    out_put_text("p12_password", password);
    say_plain(say_form("  %s.p12 のパスワード(ここにしか出ません): %s", name, password).c, say_form("  password of %s.p12, shown nowhere else: %s", name, password).c);
}

static int init_party(struct init *o, const char *name, const char *identity, const char *whom_ja, const char *whom_en)
{
    char uri[96], password[PAPERS_PASSWORD + 1] = "";
    struct papers p = { .days = (unsigned)o->days };
    struct stat st;
    if (!o->out || o->csr == (o->ca != NULL)) {
        say_error("--out と、--ca か --csr のどちらかを指定してください", "--out is needed, and one of --ca and --csr");
        return 2;
    }
    umask(077);
    struct err e = o->csr ? OK : papers_open_ca(&p, o->ca, (unsigned)o->days);
    if (!err_ok(e)) {
        say_error("%s に ca.pem と ca.key がありません(init gateway が certs に作ります)", "there is no ca.pem with its ca.key in %s (init gateway makes them in certs)", o->ca);
        papers_done(&p);
        return 2;
    }
    const bool there = stat(o->out, &st) == 0;
    if ((there && !folder_empty(o->out)) || (!there && mkdir(o->out, 0700) != 0)) {
        say_error("%s は空の新しいフォルダーではありません。上書きしません", "%s is no new, empty folder; nothing is written over", o->out);
        papers_done(&p);
        return 2;
    }
    snprintf(uri, sizeof uri, "URI:pmhgw:%s", identity);
    e = paper(o, &p, o->out, &(struct paper){ name, o->owner, PAPER_CLIENT, uri });
    if (err_ok(e))
        e = config_write(o, name, identity);
    if (err_ok(e) && !o->csr)
        e = ca_copy(o);
    if (err_ok(e) && o->p12 && !o->csr)
        e = papers_p12(&p, o->out, name, password);
    papers_done(&p);
    if (failed(o->out, e))
        return 2;
    party_told(o, name, whom_ja, whom_en, password[0] ? password : NULL);
    explicit_bzero(password, sizeof password);
    return 0;
}

static int init_named(struct init *o, const char *kind, const char *code)
{
    char name[64], identity[80];
    if (strcmp(kind, "municipality") == 0) {
        const char *system = o->system ? o->system : "kodomo";
        if (!digits(code, CODE_MUNI) || !lower_word(system)) {
            say_error("自治体コードは 6 桁、--system は [a-z0-9-] です", "a municipality has a code of 6 digits, and --system is of [a-z0-9-]");
            return 2;
        }
        snprintf(name, sizeof name, "muni-%s", code);
        snprintf(identity, sizeof identity, "municipality/%s/%s", code, system);
        int status = init_party(o, name, identity, "自治体のシステムの担当者", "whoever runs that municipality's system");
        if (status == 0)
            say_command("ゲートウェイに自治体の鍵がなければ作る", "when the gateway has no keys for it yet", say_form("up --muni %s", code));
        return status;
    }
    if (strcmp(kind, "clinic") == 0) {
        if (!digits(code, CODE_CLINIC)) {
            say_error("医療機関コードは 10 桁です", "a clinic has a code of 10 digits");
            return 2;
        }
        snprintf(name, sizeof name, "clinic-%s", code);
        snprintf(identity, sizeof identity, "clinic/%s", code);
        return init_party(o, name, identity, "医療機関のシステムの担当者", "whoever runs the clinic's system");
    }
    if (!lower_word(code)) {
        say_error("ポータルの名前は [a-z0-9-] です", "a portal has a name of [a-z0-9-]");
        return 2;
    }
    snprintf(name, sizeof name, "portal-%s", code);
    snprintf(identity, sizeof identity, "portal/%s", code);
    return init_party(o, name, identity, "ポータルの担当者", "whoever runs the portal");
}

int cmd_init(int argc, char **argv)
{
    struct init o = { .base_port = BASE_PORT_DEFAULT, .workers = 2, .days = 397 };
    struct opt_list words;
    enum opts_end end = CLI_PARSE(argc, argv, "init", &words, { "--state", &o.dirs.state }, { "--share", &o.dirs.share }, { "--host", &o.hosts }, { "--muni", &o.munis }, { "--name", &o.owner },
                                  { "--base-port", &o.base_port }, { "--workers", &o.workers }, { "--csr", &o.csr }, { "--days", &o.days }, { "--system", &o.system }, { "--out", &o.out },
                                  { "--ca", &o.ca }, { "--p12", &o.p12 }, { "--door", &o.door });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    return strcmp(words.v[0], "gateway") == 0 ? init_gateway(&o) : init_named(&o, words.v[0], words.v[1]);
}
