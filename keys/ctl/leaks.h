#ifndef GW_ZONE_NUMBER
#error "leaks.h belongs to the number zone"
#endif
#ifndef KEYS_CTL_LEAKS_H
#define KEYS_CTL_LEAKS_H

/* Artefacts searched for numbers: files, folders, the memory of processes. */

#include "keys/ctl/patterns.h"

enum { LEAKS_PLACES_MAX = 256, LEAKS_SHOWN_MAX = 200 };

struct nz_place { char name[200]; uint64_t bytes, hits; bool skipped; };
struct nz_found { size_t place, kind, number; uint64_t at; };

struct nz_leaks {
    struct nz_search *search;
    struct nz_place place[LEAKS_PLACES_MAX];
    size_t n_places;
    struct nz_found found[LEAKS_SHOWN_MAX]; /* the first ones */
    uint64_t hits;
    uint8_t kinds[NZ_KINDS_MAX]; /* kinds that were found at least once: 1 */
    bool incomplete;             /* something could not be read */
};

/* A file, or everything under a folder (no symbolic links). Returns false when it cannot be read. */
bool nz_leaks_path(struct nz_leaks *l, const char *path);
/* The memory of a process and of its children. */
bool nz_leaks_process(struct nz_leaks *l, int pid, const char *name);

#endif
