#ifndef KEYS_CTL_AUDIT_SUB_H
#define KEYS_CTL_AUDIT_SUB_H

/* The subcommands of `pmhgw audit`. argv[0] is the subcommand's word. Exit status as in commands.h. */

#include "gateway/audit/audit.h"
#include "gateway/audit/note.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/state.h"

int audit_sub_verify(int argc, char **argv);     /* audit_verify.c */
int audit_sub_list(int argc, char **argv);       /* audit_cmd.c */
int audit_sub_checkpoint(int argc, char **argv); /* audit_prove.c */
int audit_sub_prove(int argc, char **argv);
int audit_sub_check(int argc, char **argv);      /* audit_check.c */
int audit_sub_export(int argc, char **argv);     /* audit_export.c */
int audit_sub_rotate(int argc, char **argv);     /* audit_rotate.c */

/* The verifier keys of a file; NULL: keys/audit.pub of the state (which may then not be NULL). Says what is wrong. key[0] is the one in use. */
bool audit_keys_read(const struct state *s, const char *path, struct note_keys *ret_k);
/* A signed checkpoint out of a file. Says what is wrong. note: appended, may be NULL. */
bool audit_checkpoint_read(const char *path, const struct note_key *k, struct tree_head *ret_h, struct buf *note);
/* An entry of the folder and its path under head. NOTHING: it is not there (any more); SEAL: it does not stand in that tree. */
ERR audit_proof_of(const char *dir, uint64_t seq, const struct tree_head *head, struct audit_proof *p);
/* One line for people. */
void audit_print(uint64_t seq, const struct audit_rec *rec);

#endif
