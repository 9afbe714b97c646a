/* pmhgw config show|check: the settings of the daemons as they would be in force, and whether they can be used. */

#include <stdio.h>
#include <string.h>

#include "keys/ctl/cli.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

struct place { const char *dir; struct state_dirs state; };

static bool path_of(const struct place *p, const struct conf_file *f, struct state_path *ret_path)
{
    struct state s;
    if (p->dir)
        return snprintf(ret_path->c, sizeof ret_path->c, "%s/%s.yaml", p->dir, f->name) < (int)sizeof ret_path->c;
    if (!state_open(&s, &p->state, false))
        return false;
    *ret_path = conf_file_path(&s, f);
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

static int show(const struct place *p, const char *daemon)
{
    struct state_path path;
    const struct conf_file *f = conf_file_of(daemon);
    if (!f)
        say_error("その名前のデーモンはありません", "there is no such daemon");
    if (!f || !path_of(p, f, &path))
        return 2;
    conf_file_as_unit(f);
    if (!out_json())
        return err_ok(conf_show(f->who, path.c)) ? 0 : 1;
    json_t *settings = json_array();
    struct err e = conf_each(f->who, path.c, put_row, settings);
    out_put_text("file", path.c);
    out_put("settings", settings);
    return err_ok(e) ? 0 : 1;
}

/* What is wrong is told with its place by conf_load. */
static int check(const struct place *p)
{
    bool good = true;
    for (size_t i = 0; i < CONF_FILES_N; i++) {
        const struct conf_file *f = conf_file(i);
        struct state_path path;
        struct conf c;
        if (!path_of(p, f, &path))
            return 2;
        if (f->store && !file_exists(path.c))
            continue; /* that Redis is one of this machine */
        conf_file_as_unit(f);
        if (err_ok(conf_load(&c, f->who, path.c))) {
            conf_free(&c);
            say_ok("%s", "%s", path.c);
        } else {
            good = false;
            say_warn("%s は使えません", "%s cannot be used", path.c);
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
