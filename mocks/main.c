/* pmhgw-mocks: the mock nation, one program with a door per system. */

#include <getopt.h>
#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/options.h"

enum { EXIT_USAGE = 64, EXIT_CANNOT = 70, PORT_MAX = 65535 - 20 };

static const char HELP[] =
    "usage: pmhgw-mocks --state DIR --certs DIR --portal-door URL --link-key FILE [--host 127.0.0.1] [--base-port 18440] [--kid k1]\n"
    "                   [--data DIR] [--pseudonym-order push|first_use] [--clinic-door URL] [--audit-pub FILE] [--desk]\n"
    "PMH, online qualification, portal, intermediary server, VRS, clinic apps, ID5, vaccination database, claims, each on a port of its own.\n"
    "  --state DIR              journal and key of the nation; made when missing\n"
    "  --certs DIR              ca.pem, mocks.pem/.key, portal-mynaportal.pem/.key, vrs-national.pem/.key (config/dev-ca makes them)\n"
    "  --portal-door URL        the gateway's portal door, https://127.0.0.1:18443\n"
    "  --link-key FILE          32 bytes: the key of PMH link keys, shared with the gateway\n"
    "  --host ADDRESS           numeric address to listen on (default 127.0.0.1)\n"
    "  --base-port N            control listens on N + 10, PMH + 11, online qualification + 12, portal + 13, intermediary + 14,\n"
    "                           VRS + 15, clinic apps + 16, ID5 + 17, vaccination database + 18, claims + 19 (default 18440)\n"
    "  --kid ID                 name of the link key (default k1); a file link-jwe.kid beside it that names another key wins\n"
    "  --data DIR               *.cards.jsonl of pmhgw-synth: who lives here\n"
    "  --clinic-door URL        the gateway's clinic door, for the page of the mock clinic\n"
    "  --audit-pub FILE         verifier key of the audit log, for the page of the mock portal\n"
    "  --pseudonym-order ORDER  pushed after numbering, or at the citizen's first use (default push)\n"
    "  --desk                   pages for a browser on this machine that has no client certificate, on 127.0.0.1, port N + 20; the file desk in --state\n"
    "                           has their URLs, which hold for this run\n";

static const struct option OPTIONS[] = {
    { "state", required_argument, NULL, 's' },       { "certs", required_argument, NULL, 'c' },     { "portal-door", required_argument, NULL, 'p' },
    { "link-key", required_argument, NULL, 'l' },    { "host", required_argument, NULL, 'H' },      { "base-port", required_argument, NULL, 'b' },
    { "kid", required_argument, NULL, 'k' },         { "data", required_argument, NULL, 'd' },      { "pseudonym-order", required_argument, NULL, 'o' },
    { "clinic-door", required_argument, NULL, 'C' }, { "audit-pub", required_argument, NULL, 'A' }, { "desk", no_argument, NULL, 'D' },
    { "help", no_argument, NULL, 'h' },              { 0 },
};

enum options_end { OPTIONS_GO, OPTIONS_HELP, OPTIONS_BAD };

static bool port_read(const char *text, unsigned *ret_port)
{
    uint64_t v;
    if (!u64_parse(slice_str(text), &v) || v < 1 || v > PORT_MAX)
        return false;
    *ret_port = (unsigned)v;
    return true;
}

static bool order_read(const char *text, enum pseudonym_order *ret_order)
{
    bool push = slice_eq(slice_str(text), LIT("push"));
    *ret_order = push ? ORDER_PUSH : ORDER_FIRST_USE;
    return push || slice_eq(slice_str(text), LIT("first_use"));
}

static enum options_end options_read(int argc, char **argv, struct options *o)
{
    *o = (struct options){ .host = "127.0.0.1", .base_port = 18440, .kid = "k1" };
    for (int c; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        const char **text = c == 's' ? &o->state : c == 'c' ? &o->certs : c == 'p' ? &o->portal_door : c == 'l' ? &o->link_key
                          : c == 'H' ? &o->host : c == 'k' ? &o->kid : c == 'd' ? &o->data
                          : c == 'C' ? &o->clinic_door : c == 'A' ? &o->audit_pub : NULL;
        if (text)
            *text = optarg;
        else if (c == 'D')
            o->desk = true;
        else if (c == 'h')
            return OPTIONS_HELP;
        else if (!(c == 'b' && port_read(optarg, &o->base_port)) && !(c == 'o' && order_read(optarg, &o->order)))
            return OPTIONS_BAD;
    }
    bool whole = optind == argc && o->state && o->certs && o->portal_door && o->link_key;
    return whole && strlen(o->portal_door) < 256 && (!o->clinic_door || strlen(o->clinic_door) < 256) && strlen(o->kid) <= KEY_ID_MAX ? OPTIONS_GO : OPTIONS_BAD;
}

int main(int argc, char **argv)
{
    struct options o;
    enum options_end end = options_read(argc, argv, &o);
    if (end != OPTIONS_GO) {
        fputs(HELP, end == OPTIONS_HELP ? stdout : stderr);
        return end == OPTIONS_HELP ? 0 : EXIT_USAGE;
    }
    log_open(LITERAL("pmhgw-mocks"), LOG_INFO);
    json_in_setup();
    struct err e = client_setup();
    if (err_ok(e))
        e = nation_run(&o);
    if (!err_ok(e))
        LOG(ERROR, "nation_failed", LF("error", e));
    return err_ok(e) ? 0 : EXIT_CANNOT;
}
