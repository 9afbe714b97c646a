/* pmhgw config show|check: the settings of the daemons as they would be in force, and whether they can be used. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/conf/conf.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/state.h"

static const struct { const char *name; enum conf_daemon who; } DAEMONS[] = {
    { "front", CONF_F }, { "intake", CONF_I }, { "vault", CONF_V }, { "audit", CONF_A }, { "signer", CONF_S }, { "courier", CONF_C },
};
enum { DAEMONS_N = sizeof DAEMONS / sizeof *DAEMONS };

struct place { const char *dir; struct state_dirs state; };

static bool file_of(const struct place *p, const char *daemon, struct state_path *ret_file)
{
    struct state s;
    if (p->dir)
        return snprintf(ret_file->c, sizeof ret_file->c, "%s/%s.yaml", p->dir, daemon) < (int)sizeof ret_file->c;
    if (!state_open(&s, &p->state, false))
        return false;
    *ret_file = state_at(&s, "conf/%s.yaml", daemon);
    return true;
}

static void put_row(void *arg, const struct conf_row *row)
{
    json_t *to = arg, *o = json_object();
    json_object_set_new(o, "name", json_string(row->name));
    json_object_set_new(o, "value", row->text ? json_string(row->text) : json_integer((json_int_t)row->num));
    if (row->unit)
        json_object_set_new(o, "unit", json_string(row->unit));
    json_object_set_new(o, "source", json_string(row->line ? "file" : "default"));
    if (row->line)
        json_object_set_new(o, "line", json_integer(row->line));
    json_object_set_new(o, "secret_file", json_boolean(row->secret));
    json_object_set_new(o, "reload", json_boolean(row->live));
    json_array_append_new(to, o);
}

/* What systemd hands over lies where it lays it for the unit; nobody else's environment says so. */
static void as_unit(const char *daemon, bool given)
{
    char path[64];
    snprintf(path, sizeof path, "/run/credentials/pmhgw-%s.service", daemon);
    if (!given)
        (void)setenv("CREDENTIALS_DIRECTORY", path, 1);
}

static int show(const struct place *p, const char *daemon)
{
    struct state_path file;
    for (size_t i = 0; i < DAEMONS_N; i++) {
        if (strcmp(DAEMONS[i].name, daemon) != 0)
            continue;
        if (!file_of(p, daemon, &file))
            return 2;
        as_unit(daemon, getenv("CREDENTIALS_DIRECTORY") != NULL);
        if (!out_json())
            return err_ok(conf_show(DAEMONS[i].who, file.c)) ? 0 : 1;
        json_t *settings = json_array();
        struct err e = conf_each(DAEMONS[i].who, file.c, put_row, settings);
        out_put_text("file", file.c);
        out_put("settings", settings);
        return err_ok(e) ? 0 : 1;
    }
    say_error("その名前のデーモンはありません", "there is no such daemon");
    return 2;
}

/* What is wrong is told with its place by conf_load. */
static int check(const struct place *p)
{
    const bool given = getenv("CREDENTIALS_DIRECTORY") != NULL;
    bool good = true;
    for (size_t i = 0; i < DAEMONS_N; i++) {
        struct state_path file;
        struct conf c;
        if (!file_of(p, DAEMONS[i].name, &file))
            return 2;
        as_unit(DAEMONS[i].name, given);
        if (err_ok(conf_load(&c, DAEMONS[i].who, file.c))) {
            conf_free(&c);
            say_ok("%s", "%s", file.c);
        } else {
            good = false;
            say_warn("%s は使えません", "%s cannot be used", file.c);
        }
    }
    return good ? 0 : 1;
}

int cmd_config(int argc, char **argv)
{
    struct place p = { 0 };
    struct opt_list words = { 0 };
    const enum opts_end end = CLI_PARSE(argc, argv, "config", &words, { "--state", &p.state.state }, { "--dir", &p.dir });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    return strcmp(words.v[0], "show") == 0 ? show(&p, words.v[1]) : check(&p);
}
