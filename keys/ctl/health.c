#include "keys/ctl/health.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/probe.h"

/* The number behind a word such as "Pss:" in a file of /proc; 0 when it is not there. */
static uint64_t proc_number(int pid, const char *file, const char *word)
{
    char path[64], line[256];
    unsigned long long v = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (slice_starts(slice_str(line), slice_str(word))) {
            v = strtoull(line + strlen(word), NULL, 10);
            break;
        }
    if (f)
        fclose(f);
    return v;
}

static void add_memory(struct health *h, int pid)
{
    uint64_t pss = proc_number(pid, "smaps_rollup", "Pss:");
    h->processes++;
    if (!pss)
        h->memory_is_pss = false;
    h->memory_kib += pss ? pss : proc_number(pid, "status", "VmRSS:");
}

/* The process and its children: the workers of the front. */
static void measure(struct health *h)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    h->memory_is_pss = true;
    add_memory(h, h->pid);
    while (d && (e = readdir(d))) {
        uint64_t pid;
        if (u64_parse(slice_str(e->d_name), &pid) && proc_number((int)pid, "status", "PPid:") == (uint64_t)h->pid)
            add_memory(h, (int)pid);
    }
    if (d)
        closedir(d);
}

size_t health_read(const struct state *s, struct health out[static PROBE_PARTS])
{
    size_t n = 0;
    for (size_t i = 0; i < PROBE_PARTS; i++) {
        int pid = state_pid(s, probe_part(i)->name);
        if (!pid && i == PROBE_MOCKS)
            continue;
        struct health *h = &out[n++];
        *h = (struct health){ .name = probe_part(i)->name, .pid = pid, .relay = conf_file_relay(s, probe_part(i)->name) };
        h->answer = probe_part(i)->ask(s);
        if (pid)
            measure(h);
    }
    return n;
}
