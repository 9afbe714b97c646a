#ifndef GW_ZONE_NUMBER
#error "upload.h belongs to the number zone"
#endif
#ifndef KEYS_CTL_UPLOAD_H
#define KEYS_CTL_UPLOAD_H

/* A file as it is to the municipal door, in parts: POST /v1/files, PUT parts, and after every doubt on from where the gateway says.
 * The file holds individual numbers: only the part on its way is in memory, and that is wiped. */

#include "keys/ctl/muni_door.h"

enum { NZ_PART_MIN = 1024, NZ_PART_MAX = 3 * 1024 * 1024 };

struct nz_upload_file {
    int fd;
    uint64_t bytes;
    char name[121];     /* "" when the name is not one to be told (too long, not UTF-8, twelve digits in it) */
    char sha256[65];    /* "" until nz_upload_sum() */
};
/* Says what is wrong and returns false. nz_upload_close() in every case. */
bool nz_upload_open(struct nz_upload_file *ret_f, const char *path);
void nz_upload_close(struct nz_upload_file *f);
/* One pass over the file. false on Ctrl-C or when it cannot be read, said why. */
bool nz_upload_sum(struct nz_upload_file *f);

/* Borrowed; NULL: the gateway's default. */
struct nz_upload_how { const char *operation, *source, *layout, *encoding, *mode, *only_failed_of; };
/* Announces the file. false: said why. */
bool nz_upload_create(struct muni_door *d, const struct nz_upload_file *f, const struct nz_upload_how *how, char ret_id[static 64]);

enum nz_upload_end {
    NZ_UPLOAD_DONE,     /* 202: every byte is durable */
    NZ_UPLOAD_STOPPED,  /* Ctrl-C, or the gateway stays away: can be resumed */
    NZ_UPLOAD_REFUSED   /* said why */
};
/* Sends what the gateway has not yet. patience: muni_door's. */
enum nz_upload_end nz_upload_send(struct muni_door *d, const struct nz_upload_file *f, const char *id, uint64_t part_bytes);

#endif
