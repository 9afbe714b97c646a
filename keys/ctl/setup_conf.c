/* conf/: one YAML file a daemon, and the two Redis configurations from their templates. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/crypto/crypto.h"
#include "keys/ctl/setup.h"

/* @WORDS@ are replaced; settings that are not named keep the default of gateway/conf/params.def. */
static const char VAULT_YAML[] =
    "metrics_dir: \"@STATE@/run/metrics\"\n"
    "audit_socket: \"@STATE@/run/audit.sock\"\n"
    "audit_cap_file: \"@STATE@/keys/cap-vault-audit\"\n"
    "vault_socket: \"@STATE@/run/vault.sock\"\n"
    "vault_cap_intake_file: \"@STATE@/keys/cap-intake-vault\"\n"
    "vault_cap_ctl_file: \"@STATE@/keys/cap-ctl-vault\"\n"
    "vault_ring: \"@STATE@/keys/vault.ring\"\n"
    "vault_master: \"@STATE@/keys/vault.master\"\n"
    "redis_vault_socket: \"@STATE@/run/redis-vault.sock\"\n"
    "redis_vault_user: vault\n"
    "redis_vault_pass_file: \"@STATE@/keys/redis-vault.pass\"\n";

static const char AUDIT_YAML[] =
    "metrics_dir: \"@STATE@/run/metrics\"\n"
    "audit_socket: \"@STATE@/run/audit.sock\"\n"
    "audit_dir: \"@STATE@/audit\"\n"
    "audit_sign_key: \"@STATE@/keys/audit-sign.key\"\n"
    "audit_cap_intake_file: \"@STATE@/keys/cap-intake-audit\"\n"
    "audit_cap_front_file: \"@STATE@/keys/cap-front-audit\"\n"
    "audit_cap_vault_file: \"@STATE@/keys/cap-vault-audit\"\n"
    "audit_cap_courier_file: \"@STATE@/keys/cap-courier-audit\"\n"
    "audit_cap_ctl_file: \"@STATE@/keys/cap-ctl-audit\"\n";

static const char SIGNER_YAML[] =
    "metrics_dir: \"@STATE@/run/metrics\"\n"
    "signer_socket: \"@STATE@/run/signer.sock\"\n"
    "signer_cap_front_file: \"@STATE@/keys/cap-front-signer\"\n"
    "signer_cap_ctl_file: \"@STATE@/keys/cap-ctl-signer\"\n"
    "signer_cap_courier_file: \"@STATE@/keys/cap-courier-signer\"\n"
    "signer_ring: \"@STATE@/keys/signer.ring\"\n"
    "signer_master: \"@STATE@/keys/signer.master\"\n";

static const char COURIER_YAML[] =
    "metrics_dir: \"@STATE@/run/metrics\"\n"
    "audit_socket: \"@STATE@/run/audit.sock\"\n"
    "audit_cap_file: \"@STATE@/keys/cap-courier-audit\"\n"
    "link_ring: \"@STATE@/keys/link.ring\"\n"
    "link_master: \"@STATE@/keys/link.master\"\n"
    "redis_link_socket: \"@STATE@/run/redis-link.sock\"\n"
    "redis_link_user: courier\n"
    "redis_link_pass_file: \"@STATE@/keys/redis-link-courier.pass\"\n"
    "courier_signer: \"@STATE@/run/signer.sock\"\n"
    "courier_signer_cap_file: \"@STATE@/keys/cap-courier-signer\"\n"
    "courier_cert: \"@STATE@/certs/gateway-courier.pem\"\n"
    "courier_key: \"@STATE@/certs/gateway-courier.key\"\n"
    "courier_targets: \"@STATE@/conf/targets.yaml\"\n"
    "legal_basis_file: \"@SHARE@/legal-basis.yaml\"\n";

/* The mock nation is on this machine: private addresses are meant. */
static const char TARGETS_YAML[] =
    "clinics:\n"
    "  - { code: \"3319900019\", url: \"https://127.0.0.1:@CLINIC_APP_PORT@/clinic-app/v1/webhooks\", ca: \"@STATE@/certs/ca.pem\", private: true }\n"
    "  - { code: \"2719900017\", url: \"https://127.0.0.1:@CLINIC_APP_PORT@/clinic-app/v1/webhooks\", ca: \"@STATE@/certs/ca.pem\", private: true }\n"
    "portals:\n"
    "  - { name: \"mynaportal\", url: \"https://127.0.0.1:@MOCK_PORTAL_PORT@/portal/v1\", ca: \"@STATE@/certs/ca.pem\", private: true }\n"
    "id5: { url: \"https://127.0.0.1:@ID5_PORT@/id5/v1\", ca: \"@STATE@/certs/ca.pem\", private: true }\n"
    "database: { url: \"https://127.0.0.1:@DATABASE_PORT@/vaccination-db/v1\", ca: \"@STATE@/certs/ca.pem\", private: true }\n";

static const char INTAKE_YAML[] =
    "metrics_dir: \"@STATE@/run/metrics\"\n"
    "audit_socket: \"@STATE@/run/audit.sock\"\n"
    "audit_cap_file: \"@STATE@/keys/cap-intake-audit\"\n"
    "vault_socket: \"@STATE@/run/vault.sock\"\n"
    "vault_cap_file: \"@STATE@/keys/cap-intake-vault\"\n"
    "link_ring: \"@STATE@/keys/link.ring\"\n"
    "link_master: \"@STATE@/keys/link.master\"\n"
    "redis_link_socket: \"@STATE@/run/redis-link.sock\"\n"
    "redis_link_user: intake\n"
    "redis_link_pass_file: \"@STATE@/keys/redis-link-intake.pass\"\n"
    "door_host: \"127.0.0.1\"\n"
    "municipal_port: @MUNICIPAL_PORT@\n"
    "door_cert: \"@STATE@/certs/doors.pem\"\n"
    "door_key: \"@STATE@/certs/doors.key\"\n"
    "door_ca: \"@STATE@/certs/ca.pem\"\n"
    "door_crl: \"@STATE@/certs/crl.pem\"\n"
    "pmh_url: \"https://127.0.0.1:@PMH_PORT@/pmh/v1/numbering\"\n"
    "vrs_url: \"https://127.0.0.1:@VRS_PORT@/vrs/v1\"\n"
    "upstream_ca: \"@STATE@/certs/ca.pem\"\n"
    "upstream_cert: \"@STATE@/certs/gateway-intake.pem\"\n"
    "upstream_key: \"@STATE@/certs/gateway-intake.key\"\n"
    "spool_dir: \"@STATE@/spool\"\n"
    "layouts_dir: \"@SHARE@/layouts\"\n"
    "legal_basis_file: \"@SHARE@/legal-basis.yaml\"\n"
    "institutions_file: \"@SHARE@/institutions.yaml\"\n"
    "vaccines_file: \"@SHARE@/vaccines.yaml\"\n"
    "claims_file: \"@SHARE@/claims.yaml\"\n"
    "receipt_cert: \"@STATE@/certs/receipts.pem\"\n"
    "receipt_key: \"@STATE@/certs/receipts.key\"\n";

static const char FRONT_YAML[] =
    "metrics_dir: \"@STATE@/run/metrics\"\n"
    "audit_socket: \"@STATE@/run/audit.sock\"\n"
    "audit_cap_file: \"@STATE@/keys/cap-front-audit\"\n"
    "link_ring: \"@STATE@/keys/link.ring\"\n"
    "link_master: \"@STATE@/keys/link.master\"\n"
    "redis_link_socket: \"@STATE@/run/redis-link.sock\"\n"
    "redis_link_user: front\n"
    "redis_link_pass_file: \"@STATE@/keys/redis-link-front.pass\"\n"
    "door_host: \"127.0.0.1\"\n"
    "clinic_port: @CLINIC_PORT@\n"
    "portal_port: @PORTAL_PORT@\n"
    "legal_basis_file: \"@SHARE@/legal-basis.yaml\"\n"
    "institutions_file: \"@SHARE@/institutions.yaml\"\n"
    "vaccines_file: \"@SHARE@/vaccines.yaml\"\n"
    "statement_cert: \"@STATE@/certs/statements.pem\"\n"
    "statement_key: \"@STATE@/certs/statements.key\"\n"
    "audit_pub_file: \"@STATE@/keys/audit.pub\"\n"
    "certificate_signer: \"@STATE@/run/signer.sock\"\n"
    "certificate_signer_cap_file: \"@STATE@/keys/cap-front-signer\"\n"
    "certificate_issuer: \"https://127.0.0.1:@PORTAL_PORT@\"\n"
    "certificate_country: UTO\n"
    "vds_signer_cert: \"@STATE@/certs/vds-signer.pem\"\n"
    "attributes_cert: \"@STATE@/certs/card-attributes.pem\"\n"
    "workers: @WORKERS@\n"
    "door_cert: \"@STATE@/certs/doors.pem\"\n"
    "door_key: \"@STATE@/certs/doors.key\"\n"
    "door_ca: \"@STATE@/certs/ca.pem\"\n"
    "door_crl: \"@STATE@/certs/crl.pem\"\n";

enum { CONF_MAX = 64 * 1024 };

/* A word of a template and how its value is made. */
struct word {
    const char *name;
    enum { W_STATE, W_SHARE, W_NUM, W_SHA256 } kind;
    uint64_t num;     /* W_NUM */
    const char *file; /* W_SHA256: under the state directory; the hash of its content in hex, as Redis wants it */
};

/* Inside double quotes of YAML and of redis.conf. */
static void put_quoted(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            buf_putc(out, '\\');
        buf_putc(out, (uint8_t)*s);
    }
}

/* Of a password of 64 random hex characters: the hash may lie about where the password must not. */
static ERR put_hash(const char *path, struct buf *out)
{
    uint8_t sum[SHA256_BYTES];
    struct buf b;
    buf_init(&b, SECRET_MAX);
    struct err e = file_read(path, &b);
    struct slice content = buf_slice(&b);
    if (err_ok(e))
        e = sha256(1, &content, sum);
    if (err_ok(e))
        buf_hex(out, ARR(sum));
    buf_done(&b);
    return e;
}

static ERR put_word(const struct state *s, const struct word *words, size_t n, struct slice name, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (!slice_eq(slice_str(words[i].name), name))
            continue;
        if (words[i].kind == W_STATE)
            put_quoted(out, s->dir);
        if (words[i].kind == W_SHARE)
            put_quoted(out, s->share);
        if (words[i].kind == W_NUM)
            buf_u64(out, words[i].num);
        return words[i].kind == W_SHA256 ? put_hash(state_at(s, "%s", words[i].file).c, out) : OK;
    }
    return FAIL(E_CONFIG);
}

static bool word_char(uint8_t c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/* "@WORD@" is replaced; an "@" of another kind (ACL categories of Redis) stays. */
static ERR fill(const struct state *s, const struct word *words, size_t n, struct slice text, struct buf *out)
{
    struct slice head;
    while (slice_cut(text, '@', &head, &text)) {
        buf_put(out, head);
        size_t k = 0;
        while (k < text.n && word_char(text.p[k]))
            k++;
        if (k == 0 || k == text.n || text.p[k] != '@') {
            buf_putc(out, '@');
            continue;
        }
        TRY(put_word(s, words, n, slice_of(text.p, k), out));
        text = slice_of(text.p + k + 1, text.n - k - 1);
    }
    buf_put(out, text);
    return buf_check(out);
}

static bool is_kept(const char *path)
{
    struct buf b;
    buf_init(&b, CONF_MAX);
    bool kept = err_ok(file_read(path, &b)) && !slice_starts(buf_slice(&b), LIT(CONF_MARK));
    buf_done(&b);
    return kept;
}

static ERR conf_write(const struct state *s, const char *name, const struct word *words, size_t n, struct slice text)
{
    struct buf out;
    struct state_path path = state_at(s, "conf/%s", name);
    if (is_kept(path.c))
        return OK;
    buf_init(&out, CONF_MAX);
    buf_puts(&out, CONF_MARK);
    struct err e = fill(s, words, n, text, &out);
    if (err_ok(e))
        e = file_write(path.c, buf_slice(&out));
    buf_done(&out);
    return e;
}

static ERR conf_from_template(const struct state *s, const char *name, const struct word *words, size_t n)
{
    struct buf text;
    struct state_path in;
    if (snprintf(in.c, sizeof in.c, "%s/%s.in", s->share, name) >= (int)sizeof in.c)
        return FAIL(E_CONFIG);
    buf_init(&text, CONF_MAX);
    struct err e = file_read(in.c, &text);
    if (err_ok(e))
        e = conf_write(s, name, words, n, buf_slice(&text));
    buf_done(&text);
    return e;
}

ERR setup_conf_files(const struct state *s, const struct setup_conf *c)
{
    const struct word words[] = {
        { "STATE", W_STATE, 0, NULL },
        { "SHARE", W_SHARE, 0, NULL },
        { "WORKERS", W_NUM, c->workers, NULL },
        { "MUNICIPAL_PORT", W_NUM, c->base_port + PORT_MUNICIPAL, NULL },
        { "CLINIC_PORT", W_NUM, c->base_port + PORT_CLINIC, NULL },
        { "PORTAL_PORT", W_NUM, c->base_port + PORT_PORTAL, NULL },
        { "PMH_PORT", W_NUM, c->base_port + PORT_PMH, NULL },
        { "VRS_PORT", W_NUM, c->base_port + PORT_VRS, NULL },
        { "MOCK_PORTAL_PORT", W_NUM, c->base_port + PORT_MOCK_PORTAL, NULL },
        { "CLINIC_APP_PORT", W_NUM, c->base_port + PORT_CLINIC_APP, NULL },
        { "ID5_PORT", W_NUM, c->base_port + PORT_ID5, NULL },
        { "DATABASE_PORT", W_NUM, c->base_port + PORT_DATABASE, NULL },
        { "COURIER_PASS_SHA256", W_SHA256, 0, "keys/redis-link-courier.pass" },
        { "VAULT_PASS_SHA256", W_SHA256, 0, "keys/redis-vault.pass" },
        { "INTAKE_PASS_SHA256", W_SHA256, 0, "keys/redis-link-intake.pass" },
        { "FRONT_PASS_SHA256", W_SHA256, 0, "keys/redis-link-front.pass" },
    };
    static const struct { const char *name, *text; } YAMLS[] = {
        { "vault.yaml", VAULT_YAML }, { "audit.yaml", AUDIT_YAML }, { "intake.yaml", INTAKE_YAML }, { "front.yaml", FRONT_YAML },
        { "signer.yaml", SIGNER_YAML }, { "courier.yaml", COURIER_YAML }, { "targets.yaml", TARGETS_YAML },
    };
    size_t n = sizeof words / sizeof *words;
    for (size_t i = 0; i < sizeof YAMLS / sizeof *YAMLS; i++)
        TRY(conf_write(s, YAMLS[i].name, words, n, slice_str(YAMLS[i].text)));
    TRY(conf_from_template(s, "redis-vault.conf", words, n));
    return conf_from_template(s, "redis-link.conf", words, n);
}
